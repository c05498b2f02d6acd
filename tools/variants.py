"""Run every page as other machines would, and list the assertions with the least room.

python tools/variants.py                     all variants, one after the other (some hours on two cores)
python tools/variants.py two avx2            these
python tools/variants.py two --page rnn      these, and one page alone
python tools/variants.py --report            only the report, from the runs that are there

A page that learns is chaotic: another number of cores adds up in another order, and what it learns is another network.
"""

import argparse
import dataclasses
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import book
import nbformat
import numpy as np
import room

FOLDER = book.BUILD / "variants"
USED = 0.8  # of the room between the median and the bound: what takes more is listed


@dataclasses.dataclass(frozen=True)
class Variant:
    """A machine: cores a notebook, threads that XLA believes to have, its compiler's level and its instructions."""

    cores: int
    level: int | None = 1
    threads: int | None = None
    isa: str | None = None

    def shares(self) -> int:
        """Into how many shares this machine's cores are cut: two pages that run at a time may have the same one."""
        return max(1, len(book.cores()) // self.cores)

    def environment(self, name: str) -> dict[str, str]:
        variables = book.environment(level=self.level, compiled=FOLDER / name / "compiled")
        if self.isa is not None:
            variables["XLA_FLAGS"] += f" --xla_cpu_max_isa={self.isa}"
        if self.threads is not None:
            variables["NPROC"] = str(self.threads)  # what XLA takes for the number of cores
        return variables


VARIANTS = {
    "one": Variant(cores=1),
    "two": Variant(cores=2),
    "four": Variant(cores=4, threads=4),
    "default": Variant(cores=2, level=None),
    "avx2": Variant(cores=1, isa="AVX2"),
}


def measuring(folder: Path) -> str:
    """A configuration of IPython in which every kernel measures; returns its folder."""
    startup = folder / "profile_default" / "startup"
    startup.mkdir(parents=True, exist_ok=True)
    tools = str(Path(room.__file__).parent)
    code = f"import sys\nsys.path.append({tools!r})\nimport room\nroom.install(get_ipython())\n"
    (startup / "00-room.py").write_text(code, encoding="utf-8")
    return str(folder)


def run(name: str, pages: list[Path]) -> bool:
    """Run `pages` (relative to the book) under a variant; whether all of them came to their end."""
    variant, root = VARIANTS[name], FOLDER / name / "book"
    book.copy_book(root)
    variables = variant.environment(name) | {"IPYTHONDIR": measuring(FOLDER / "ipython")}
    print(f"{name}: {variant}", flush=True)
    paths = [root / page for page in pages]
    return book.execute(paths, root=root, variables=variables, shares=variant.shares())


def measured(path: Path) -> Iterator[tuple[tuple, bool, float]]:
    """((cell, number of the assertion, comparison), whether the assertion holds, its margin)."""
    for number, cell in enumerate(nbformat.read(path, as_version=4).cells):
        for output in cell.get("outputs", []):
            for order, row in enumerate(output.get("data", {}).get(room.MIME, [])):
                yield (number, order, row["text"]), row["holds"], np.nan
                for text, margin in row["margins"].items():
                    yield (number, order, text), row["holds"], margin


def report(names: list[str]) -> list[str]:
    """A line for each comparison that fails in a variant, or that takes most of its room; the worst first."""
    lines, failing = [], []
    pages = sorted({path.relative_to(FOLDER / n / "book") for n in names for path in notebooks(n)})
    for page in pages:
        margins: dict[tuple, dict[str, float]] = defaultdict(dict)
        for name in names:
            path = FOLDER / name / "book" / page
            for key, holds, margin in measured(path) if path.exists() else ():
                if not holds:
                    failing.append(f"FAILS in {name}: {page}, cell {key[0]}: {key[2]} (margin {margin:.3g})")
                margins[key][name] = margin
        for key, found in margins.items():
            values = np.array(list(found.values()))
            middle = np.median(values)
            if len(values) > 1 and middle > 0 and (used := (middle - values.min()) / middle) > USED:
                worst = min(found, key=found.__getitem__)
                lines.append(
                    (used, f"{used:4.0%} in {worst}: {page}, cell {key[0]}: {key[2]} ({_shown(found)})")
                )
    return [*failing, *(line for _, line in sorted(lines, reverse=True))]


def _shown(found: dict[str, float]) -> str:
    return ", ".join(f"{name} {margin:.3g}" for name, margin in found.items())


def notebooks(name: str) -> list[Path]:
    return sorted((FOLDER / name / "book" / "chapters").rglob("*.ipynb"))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("variants", nargs="*", help=f"of {', '.join(VARIANTS)}; default all")
    parser.add_argument("--page", action="append", default=[], help="a page's path or name; default all")
    parser.add_argument("--report", action="store_true", help="run nothing")
    arguments = parser.parse_args()
    if unknown := set(arguments.variants) - set(VARIANTS):
        parser.error(f"variants: expected some of {', '.join(VARIANTS)}, got {', '.join(sorted(unknown))}")
    names = arguments.variants or list(VARIANTS)
    ended = True
    if not arguments.report:
        pages = [book.page_named(name) for name in arguments.page] or book.pages()
        for name in names:
            ended = run(name, pages) and ended
    lines = report(names)
    print("\n".join(lines) or f"No assertion takes more than {USED:.0%} of its room.")
    if not ended or any(line.startswith("FAILS") for line in lines):
        sys.exit(1)


if __name__ == "__main__":
    main()
