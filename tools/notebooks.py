"""Keep notebooks in one normal form: no outputs, fixed metadata, the set-up cell stamped.

python tools/notebooks.py            rewrite what is not normal
python tools/notebooks.py --check    name what is not normal, exit 1
"""

import hashlib
import json
import re
import sys
import tomllib
from pathlib import Path

import nbformat
import yaml

ROOT = Path(__file__).resolve().parent.parent
METADATA = {
    "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
    "language_info": {"name": "python"},
}
KEPT = ("tags", "mystnb")
HIDDEN = {"hide-input", "hide-cell", "remove-input", "remove-cell"}
PROMPTS = ("code_prompt_show", "code_prompt_hide")
# What stands in such a cell is no more to be read than a picture's file, and a quiz's answers stand in it.
UNSHOWN = re.compile(r"# @title (?:Question|Drawing)\b")
SETUP_TAG = "gdlib-setup"
LONGEST_CELL = 15  # lines of a cell that is shown
SETUP = ROOT / "tools" / "colab" / "setup_cell.py"


def setup_source(root: Path = ROOT) -> str:
    """The set-up cell: what it installs, from the address in _config.yml and from gdlib's version and bounds."""
    repository = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))["repository"]
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    version = project["version"]
    # A version under way (0.3.0.dev0) has no release yet: it is on the branch.
    reference = repository["branch"] if "dev" in version else f"v{version}"
    (jax,) = (
        re.fullmatch(r"jax>=([\d.]+)", bound).group(1)
        for bound in project["dependencies"]
        if bound[:4] == "jax>"
    )
    oldest = {"Python": project["requires-python"].removeprefix(">="), "jax": jax}
    stamped = {
        "SOURCE": f'"git+{repository["url"]}@{reference}"',
        "RELEASE": f'"{version}"',
        "OLDEST": json.dumps(oldest),
    }
    cell = SETUP.read_text(encoding="utf-8").rstrip()
    for name, value in stamped.items():
        cell = re.sub(rf"^{name} = .*$", f"{name} = {value}", cell, flags=re.MULTILINE)
    return cell


def valid_id(cell_id: str, source: str, taken: set[str]) -> str:
    """The cell's own id where it is valid and new, else one made from its text."""
    digest = hashlib.sha256(source.encode()).hexdigest()
    candidates = [cell_id, *(digest[i : i + 8] for i in range(len(digest) - 8))]
    return next(c for c in candidates if re.fullmatch(r"[\w-]{1,64}", c) and c not in taken)


def normal_cell(cell: dict, taken: set[str], setup: str) -> dict:
    source = "".join(cell["source"]).rstrip()
    metadata = {key: cell["metadata"][key] for key in KEPT if key in cell.get("metadata", {})}
    tags = set(metadata.get("tags", []))
    if SETUP_TAG in tags:
        source = setup
    if UNSHOWN.match(source):
        tags = tags - HIDDEN | {"remove-input"}
        metadata["tags"] = sorted(tags)
    shown = {key: value for key, value in metadata.pop("mystnb", {}).items() if key not in PROMPTS}
    if tags & HIDDEN:
        metadata["cellView"] = "form"  # Colab ignores the tags; it folds a form, and shows its title
        title = source.split("\n", maxsplit=1)[0].removeprefix("# @title ")
        shown |= dict.fromkeys(PROMPTS, title)  # the built page folds it behind the same words
    if shown:
        metadata["mystnb"] = shown
    new = {"cell_type": cell["cell_type"], "metadata": metadata, "source": source}
    new["id"] = valid_id(cell.get("id", ""), source, taken)
    taken.add(new["id"])
    if cell["cell_type"] == "code":
        new |= {"outputs": [], "execution_count": None}
    return new


def normal_form(text: str, setup: str) -> str:
    """The notebook `text` in normal form. Raises ValueError where it is no notebook."""
    notebook = json.loads(text)
    if not isinstance(notebook, dict) or "cells" not in notebook:
        raise ValueError("not a notebook of format 4: it has no 'cells'")
    taken: set[str] = set()
    filled = [cell for cell in notebook["cells"] if "".join(cell["source"]).strip()]
    cells = [normal_cell(cell, taken, setup) for cell in filled]
    notebook = {"nbformat": 4, "nbformat_minor": 5, "metadata": METADATA, "cells": cells}
    node = nbformat.from_dict(notebook)
    nbformat.validate(node)
    return nbformat.writes(node) + "\n"


def too_much(source: str) -> list[str]:
    """What a visible cell holds beside the main line: more lines than a reader takes in, or assertions."""
    found = []
    if (lines := source.count("\n") + 1) > LONGEST_CELL:
        found.append(f"has {lines} lines: a visible cell has at most {LONGEST_CELL}")
    if re.search(r"^\s*assert\b", source, flags=re.MULTILINE):
        found.append("asserts in sight: fold it behind a title, with the tag hide-input")
    return found


def complaints(text: str) -> list[str]:
    """What no tool can mend in a notebook in normal form."""
    cells = json.loads(text)["cells"]
    tags = [set(cell["metadata"].get("tags", [])) for cell in cells]
    found = []
    if sum(SETUP_TAG in here for here in tags) != 1:
        found.append(f"expected one cell with the tag {SETUP_TAG}")
    for number, (cell, here) in enumerate(zip(cells, tags, strict=True)):
        if here & HIDDEN and not "".join(cell["source"]).startswith("# @title "):
            found.append(f"cell {number} is hidden: expected it to begin with '# @title …', for Colab")
        if cell["cell_type"] == "code" and not here & HIDDEN:
            found += [f"cell {number} {what}" for what in too_much("".join(cell["source"]))]
    return found


def main(check: bool, root: Path = ROOT) -> int:
    setup, failures = setup_source(root), 0
    for path in sorted((root / "chapters").rglob("*.ipynb")):
        text = path.read_text(encoding="utf-8")
        normal = normal_form(text, setup)
        found = complaints(normal)
        if normal != text and check:
            found.append("not in normal form: run make format")
        elif normal != text:
            path.write_text(normal, encoding="utf-8")
        for complaint in found:
            print(f"{path.relative_to(root)}: {complaint}")
        failures += len(found)
    return int(failures > 0)


if __name__ == "__main__":
    sys.exit(main(check="--check" in sys.argv[1:]))
