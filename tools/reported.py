"""Every number that the built book reports, by page and name: `build/html/numbers.json`; and what moved between two.

python tools/reported.py --against old.json      exit 1 where a number moved by more than its spread
"""

import argparse
import json
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NUMBERS = ROOT / "build" / "html" / "numbers.json"
FOUND, TABLE = "gdlib_found", "gdlib_table"  # as gdlib.show writes them
FIGURE = r"[+\-−]?\d[\d \u202f]*(?:\.\d+)?(?:e[+\-]?\d+)?"
CELL = re.compile(rf"({FIGURE})(?:\s*±\s*({FIGURE}))?(?:\s*\(({FIGURE}) to ({FIGURE})\))?(?: ?%)?")


def number(text: str) -> float:
    return float(re.sub(r"[ \u202f]", "", text).replace("−", "-"))


def of_cell(text: str) -> dict | None:
    """What the text of a table's cell reports, with its spread; None where it is no number."""
    match = CELL.fullmatch(text.strip().replace("\u00a0", " ").replace("**", ""))
    if match is None:
        return None
    value, half, low, high = (part and number(part) for part in match.groups())
    spread = half or (max(high - value, value - low) if low is not None else None)
    return {"value": value, "text": text} | ({} if spread is None else {"spread": spread})


def of_sentence(kept: dict) -> dict:
    """The same of a number that a sentence keeps; of words, their text alone."""
    value, text = kept.get("value", kept.get("mean")), kept["text"]
    spread = kept.get("deviation", kept.get("half"))
    if "low" in kept:
        spread = max(kept["high"] - value, value - kept["low"])
    named = {"value": value, "spread": spread, "text": text}
    return {name: what for name, what in named.items() if what is not None}


def reported(notebook: dict) -> Iterator[tuple[str, dict]]:
    """The numbers of an executed notebook's sentences and tables, by name, in their order."""
    for cell in notebook["cells"]:
        title = "".join(cell["source"]).partition("\n")[0].removeprefix("# @title ")
        for output in cell.get("outputs", []):
            metadata = output.get("metadata", {})
            for name, kept in metadata.get(FOUND, {}).get("numbers", {}).items():
                yield name, of_sentence(kept)
            table = metadata.get(TABLE, {"columns": [], "rows": []})
            for first, *row in table["rows"]:
                for column, text in zip(table["columns"][1:], row, strict=True):
                    if found := of_cell(text):
                        yield f"{title}: {first}, {column}", found


def of_page(notebook: dict) -> dict[str, dict]:
    """By name; where two have one name, the later one gets a number."""
    numbers: dict[str, dict] = {}
    for name, found in reported(notebook):
        again = sum(taken == name or taken.startswith(f"{name} (") for taken in numbers)
        numbers[f"{name} ({again + 1})" if again else name] = found
    return numbers


def write(book: Path, destination: Path) -> None:
    """The numbers of all executed notebooks below `book`."""
    pages = {}
    for path in sorted((book / "chapters").rglob("*.ipynb")):
        name = path.relative_to(book / "chapters").with_suffix("").as_posix()
        pages[name] = of_page(json.loads(path.read_text(encoding="utf-8")))
    text = json.dumps(pages, indent=1, ensure_ascii=False)
    destination.write_text(text + "\n", encoding="utf-8")


def moved(old: dict, new: dict) -> bool:
    """By more than the larger spread; without one, in what is printed."""
    spreads = [number["spread"] for number in (old, new) if "spread" in number]
    if spreads and "value" in old and "value" in new:
        return abs(new["value"] - old["value"]) > max(spreads)
    return old["text"] != new["text"]


def compare(old: dict, new: dict) -> list[str]:
    """A line for each number that moved, came or went."""
    lines = []
    for page in sorted(old.keys() | new.keys()):
        before, after = old.get(page, {}), new.get(page, {})
        for name in [*before, *(name for name in after if name not in before)]:
            if name in before and name in after and not moved(before[name], after[name]):
                continue
            texts = (numbers[name]["text"] if name in numbers else "–" for numbers in (before, after))
            lines.append(f"{page}: {name}: {' → '.join(texts)}")
    return lines


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument(
        "--against", type=Path, required=True, metavar="FILE", help="the numbers.json of an earlier build"
    )
    arguments = parser.parse_args()
    for path in (arguments.against, NUMBERS):
        if not path.is_file():
            sys.exit(f"{path}: no such file. `make book` writes build/html/numbers.json; keep a copy of it.")
    old, new = (json.loads(path.read_text(encoding="utf-8")) for path in (arguments.against, NUMBERS))
    lines = compare(old, new)
    print("\n".join(lines) or "No number moved by more than its spread.")
    return int(bool(lines))


if __name__ == "__main__":
    sys.exit(main())
