# @title Set-up: gdlib, the book's package
# In the book's own environment this does nothing. Elsewhere, in Colab say, it
# installs the gdlib that this page was written for. Every package that is there
# stays as it is, since another jax would lose its accelerator; Flax may rise.
import importlib
import importlib.metadata
import platform
import re
import subprocess
import sys
import tempfile
from pathlib import Path

SOURCE = "git+https://example.org/book@v0.0.0"
RELEASE = "0.0.0"
OLDEST = {"Python": "3.11", "jax": "0.7.1"}
CURES = {
    "No space left": "free some space on the disk",
    "resolve|unable to access|onnection|timed out": "connect to the network",
    "Cannot find command .git": "install git",
    "No module named pip": "install pip (python -m ensurepip)",
    "": "start from a fresh environment (in Colab: Runtime, Disconnect and delete)",
}
REASON = r"gdlib .* depends on .*|The user requested .*|fatal: .*|ERROR: .*|.*No (?:module|space) .*"


def numbers(version):
    return [int(part) for part in re.findall(r"\d+", version)][:3]


def install(packages):
    """Have pip install gdlib beside the packages. Returns its words where it fails."""
    kept = [
        f"{name}=={version}\n"
        for name, version in packages.items()
        if name and name != "flax" and re.fullmatch(r"\d[\w.+!]*", version)
    ]
    pip = ["-m", "pip", "install", "--progress-bar", "off", "--constraint"]
    try:
        constraints = Path(tempfile.mkdtemp(), "constraints.txt")
        constraints.write_text("".join(kept), encoding="utf-8")
        done = subprocess.run(
            [sys.executable, *pip, str(constraints), f"gdlib @ {SOURCE}"],
            capture_output=True,
            text=True,
            check=False,
        )
    except OSError as error:
        return str(error)
    return f"{done.stdout}\n{done.stderr}" if done.returncode else ""


packages = {
    package.metadata["Name"]: package.version
    for package in reversed([*importlib.metadata.distributions()])
}
if "gdlib" not in packages:
    here = OLDEST | packages | {"Python": platform.python_version()}
    for name, oldest in OLDEST.items():
        if numbers(here[name]) < numbers(oldest):
            raise ImportError(
                f"this page needs {name} {oldest} or newer, and {here[name]} is "
                "here: choose a newer runtime, or make a new environment."
            )
    if said := install(packages):
        cure = next(CURES[cause] for cause in CURES if re.search(cause, said))
        why = "; ".join(re.findall(REASON, said, re.MULTILINE)[:2])
        raise ImportError(
            f"gdlib was not installed: {cure}, and run this cell again. "
            f"(pip: {why[:300]})"
        )
    if "flax" in sys.modules:
        raise ImportError(
            "gdlib was installed while Flax was in use: restart the runtime, "
            "and run this page from its beginning."
        )
    importlib.invalidate_caches()

import gdlib

gdlib.require(RELEASE, source=SOURCE)
_ = gdlib.keep_compiled()  # a second run finds its programs compiled
