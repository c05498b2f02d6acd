"""An assertion's room is measured where it is, stops nothing, and is listed where little is left of it."""

import ast
import builtins

import nbformat
import numpy as np
import pytest
import room
import variants
from nbformat.v4 import new_code_cell, new_notebook, new_output


@pytest.fixture
def measure(monkeypatch):
    """measure(code) → what the assertions in it found."""

    def run(code):
        recorder = room.Recorder()
        monkeypatch.setattr(builtins, "__room__", recorder, raising=False)
        tree = room.Measured().visit(ast.parse(code))
        exec(compile(tree, "cell", "exec"), {"np": np})
        return recorder.rows

    return run


@pytest.mark.parametrize(
    ("code", "holds", "margins"),
    [
        ("x = 2; assert x < 5", True, {"x < 5": 3}),
        ("x = 2; assert x > 5, 'a message'", False, {"x > 5": -3}),
        ("x = 2; assert 1 < x <= 5", True, {"1 < x <= 5": 1}),
        ("x = np.array([2, 4]); assert (x < 5).all()", True, {"x < 5": 1}),
        ("assert all(x < 5 for x in (1, 3))", True, {"x < 5": 2}),
        ("x = 1; assert x > 0 and not x > 3", True, {"x > 0": 1, "x > 3": -2}),
        (
            "assert np.allclose(1.0, 1.5, rtol=0, atol=2)",
            True,
            {"np.allclose(1.0, 1.5, rtol=0, atol=2)": 0.75},
        ),
        ("def far(x): return x > 3\nassert far(4)", True, {"x > 3": 1}),
        ("far = lambda x: x > 3\nassert far(4)", True, {"x > 3": 1}),
        ("assert 'a' < 'b'", True, {}),
        ("assert [1] == [1]", True, {}),
    ],
)
def test_the_least_margin_of_each_comparison_is_noted_and_nothing_stops(measure, code, holds, margins):
    (row,) = measure(code)
    assert row["holds"] is holds
    assert row["margins"] == margins


def test_comparisons_outside_of_assertions_are_left_alone(measure):
    assert measure("def far(x): return x > 3\nassert True\ny = far(5)\nz = 2 < 3") == [
        {"holds": True, "text": "True", "margins": {}}
    ]


def test_a_chain_of_comparisons_is_the_chain(measure):
    for low, high in ((1, 3), (1, 1), (3, 1), (2, 2)):
        (row,) = measure(f"assert {low} < 2 <= {high}")
        assert row["holds"] == (low < 2 <= high)


@pytest.fixture
def ran(monkeypatch, tmp_path):
    """ran(variant, margin, holds): a page with one assertion has run under that variant."""
    monkeypatch.setattr(variants, "FOLDER", tmp_path)

    def write(name, margin, holds=True):
        rows = [{"holds": holds, "text": "x < 5", "margins": {"x < 5": margin}}]
        cell = new_code_cell("assert x < 5", outputs=[new_output("display_data", {room.MIME: rows})])
        path = tmp_path / name / "book" / "chapters" / "page.ipynb"
        path.parent.mkdir(parents=True)
        nbformat.write(new_notebook(cells=[cell]), path)

    return write


def test_what_takes_most_of_its_room_is_listed_and_what_has_enough_is_not(ran):
    for name, margin in (("one", 1.0), ("two", 1.2), ("four", 0.15)):
        ran(name, margin)
    (line,) = variants.report(["one", "two", "four"])
    assert "85% in four: chapters/page.ipynb, cell 0: x < 5" in line
    assert variants.report(["one", "two"]) == []


def test_what_fails_comes_first(ran):
    ran("one", 1.0)
    ran("two", -0.1, holds=False)
    lines = variants.report(["one", "two"])
    assert lines[0].startswith("FAILS in two: chapters/page.ipynb, cell 0: x < 5")


def test_a_variant_is_said_to_the_compiler(monkeypatch):
    monkeypatch.delenv("XLA_FLAGS", raising=False)  # this test's own
    variables = variants.VARIANTS["avx2"].environment("avx2")
    assert "--xla_backend_optimization_level=1" in variables["XLA_FLAGS"]
    assert "--xla_cpu_max_isa=AVX2" in variables["XLA_FLAGS"]
    assert "optimization_level" not in variants.VARIANTS["default"].environment("default")["XLA_FLAGS"]
    assert variants.VARIANTS["four"].environment("four")["NPROC"] == "4"
    folders = {v.environment(name)["JAX_COMPILATION_CACHE_DIR"] for name, v in variants.VARIANTS.items()}
    assert len(folders) == len(variants.VARIANTS)
