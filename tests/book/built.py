"""Where the built book is."""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
HTML = ROOT / "build" / "html"
