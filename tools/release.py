"""Make a release: the version in its three places, the set-up cells, the changelog, a commit and a tag.

python tools/release.py 0.3.0         a release
python tools/release.py 0.4.0.dev0    no release: from here on the pages take gdlib from the branch, until 0.4.0
python tools/release.py --check       has gdlib changed since the release whose version it bears?
"""

import datetime
import re
import subprocess
import sys
from pathlib import Path

import notebooks
from packaging.version import InvalidVersion, Version

UNRELEASED = "## Unreleased\n"


def refusal(root: Path, version: str) -> str | None:
    """Why this release cannot be made, in a sentence, or None."""
    try:
        new = Version(version)
    except InvalidVersion:
        return f"expected a version such as 0.3.0, got {version!r}"
    if str(new) != version or new.pre or new.post or new.local:
        return f"expected a version such as 0.3.0 or 0.4.0.dev0, got {version!r}"
    if git(root, "status", "--porcelain"):
        return "the working tree has changes: commit them first"
    if git(root, "tag", "--list", f"v{version}"):
        return f"the tag v{version} is there already"
    if new < (old := Version(current(root))):
        return f"expected a version of at least {old}, got {version}"
    if not new.is_devrelease and not unreleased(root):
        return "CHANGELOG.md says nothing under “Unreleased”: say what changed"
    return None


def git(root: Path, *arguments: str) -> str:
    return subprocess.check_output(["git", *arguments], cwd=root, text=True).strip()


def current(root: Path) -> str:
    (version,) = re.findall(
        r'^version = "(.+)"$', (root / "pyproject.toml").read_text(encoding="utf-8"), re.M
    )
    return version


def unreleased(root: Path) -> str:
    """What the changelog says of the release to come."""
    _, _, rest = (root / "CHANGELOG.md").read_text(encoding="utf-8").partition(UNRELEASED)
    return rest.partition("\n## ")[0].strip()


def write_version(root: Path, version: str, day: str) -> None:
    """The version in pyproject.toml and every set-up cell; of a release, in CITATION.cff and the changelog, too."""
    edits = {"pyproject.toml": [(r'^version = ".*"$', f'version = "{version}"')]}
    if not Version(version).is_devrelease:
        edits["CITATION.cff"] = [
            (r"^version: .*$", f"version: {version}"),
            (r"^date-released: .*$", f"date-released: {day}"),
        ]
        edits["CHANGELOG.md"] = [(rf"^{UNRELEASED}", f"{UNRELEASED}\n## {version}, {day}\n")]
    for name, pairs in edits.items():
        text = (root / name).read_text(encoding="utf-8")
        for pattern, new in pairs:
            text = re.sub(pattern, new, text, count=1, flags=re.M)
        (root / name).write_text(text, encoding="utf-8")
    notebooks.main(check=False, root=root)


def drift(root: Path) -> str | None:
    """What is wrong where gdlib is no longer what was released under its version, or None."""
    tag = f"v{current(root)}"
    if not git(root, "tag", "--list", tag) or not git(root, "diff", "--name-only", tag, "--", "gdlib"):
        return None
    return (
        f"gdlib has changed since the release {tag}, which the pages' set-up cells install. Begin the next version: "
        "make release VERSION=0.4.0.dev0, or whatever comes next"
    )


def main(arguments: list[str], root: Path = notebooks.ROOT) -> None:
    if arguments == ["--check"]:
        sys.exit(drift(root))
    if len(arguments) != 1 or not arguments[0]:
        sys.exit("Call: make release VERSION=0.3.0")
    (version,) = arguments
    if said := refusal(root, version):
        sys.exit(f"No release: {said}.")
    write_version(root, version, datetime.date.today().isoformat())
    begins = Version(version).is_devrelease
    git(root, "commit", "--all", "--quiet", "--message", f"{'Begin' if begins else 'Release'} {version}")
    if begins:
        print(f"Version {version} has begun: the pages take gdlib from the branch.")
        return
    git(root, "tag", "--annotate", f"v{version}", "--message", f"Release {version}")
    print(f"Released {version}. Publish it: git push --follow-tags")


if __name__ == "__main__":
    main(sys.argv[1:])
