"""The public workflow: what it fetches is pinned by hash, and what it calls is there."""

import re

import pytest
import yaml
from notebooks import ROOT

WORKFLOW = yaml.safe_load((ROOT / ".github" / "workflows" / "book.yml").read_text(encoding="utf-8"))
JOBS = WORKFLOW["jobs"]
STEPS = [step for job in JOBS.values() for step in job["steps"]]


@pytest.mark.parametrize("action", sorted({step["uses"] for step in STEPS if "uses" in step}))
def test_actions_are_pinned_by_hash(action):
    assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", action)


def test_every_target_of_make_exists():
    targets = set(
        re.findall(r"^([\w.-]+(?:/\w+)?):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)
    )
    matrix = JOBS["units"]["strategy"]["matrix"]
    called = {step["run"].removeprefix("make ") for step in STEPS if step.get("run", "").startswith("make ")}
    called |= {*matrix["target"], *(extra["target"] for extra in matrix["include"])}
    called = {target for target in called if not target.startswith("${{")}
    assert called >= {"lint", "unit", "test-oldest", "test-newest", "pages", "colab"}
    assert called <= targets


def test_every_python_is_tried_and_only_a_release_is_published():
    assert JOBS["units"]["strategy"]["matrix"]["python"] == ["3.11", "3.12", "3.13"]
    assert JOBS["publish"]["if"] == "startsWith(github.ref, 'refs/tags/v')"
    assert WORKFLOW["permissions"] == {"contents": "read"}
    assert [job for job, of in JOBS.items() if "permissions" in of] == ["publish"]
