import sys

import pytest

from gdlib.data import python_manual


def test_each_paragraph_stands_there_once():
    lines = python_manual().split("\n")
    assert len(lines) == len(set(lines)) > 1000
    assert all(line == " ".join(line.split()) != "" for line in lines)


def test_it_is_text_of_a_size():
    text = python_manual()
    assert 200_000 < len(text) < 1_000_000
    assert text.count(" the ") > 1000


def test_a_seed_decides_the_order_and_nothing_else():
    one, other = python_manual(seed=1), python_manual(seed=2)
    assert python_manual(seed=1) == one != other
    assert sorted(one.split("\n")) == sorted(other.split("\n"))


def test_a_python_without_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "pydoc_data.topics", None)
    with pytest.raises(ImportError, match=r"pydoc_data\.topics.*libpython3-stdlib"):
        python_manual()
