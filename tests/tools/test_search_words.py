"""The search's index: prose and terms, no code."""

import io
import json
from pathlib import Path

import pytest
from search_words import is_term
from sphinx.application import Sphinx

TOOLS = Path(__file__).resolve().parents[2] / "tools" / "extensions"
CONF = f"""
import sys
sys.path.insert(0, {str(TOOLS)!r})
extensions = ["myst_parser", "search_words"]
myst_enable_extensions = ["dollarmath"]
root_doc = "index"
source_suffix = {{".md": "markdown"}}  # in one process with other tests, of myst_nb
suppress_warnings = ["app.add_node", "app.add_directive", "app.add_role"]
"""
PAGE = """# Gates

**You need** patience. The gradient fades: this is the **vanishing gradient**, and it needs a name.

```python
forgotten = 1
```

$$ \\quagmire $$
"""


@pytest.mark.parametrize(
    ("text", "is_one"),
    [
        ("vanishing gradient", True),
        ("F1 score", True),
        ("You need", False),
        ("After this page you can", False),
        ("Next.", False),
        ("Predict:", False),
        ("1. Finger practice", False),
        ("a phrase of more than four words", False),
    ],
)
def test_a_term_is_a_short_phrase_and_no_lead(text, is_one):
    assert is_term(text) == is_one


@pytest.mark.filterwarnings("ignore")
def test_prose_and_terms_are_found_and_code_is_not(tmp_path):
    source, out = tmp_path / "source", tmp_path / "out"
    (source / "chapters").mkdir(parents=True)
    (source / "conf.py").write_text(CONF)
    (source / "index.md").write_text("# Index\n\n```{toctree}\nchapters/gates\n```\n")
    (source / "chapters" / "gates.md").write_text(PAGE)
    warnings = io.StringIO()
    Sphinx(source, source, out, tmp_path / "doctrees", "html", status=None, warning=warnings).build()
    assert warnings.getvalue() == ""
    text = (out / "searchindex.js").read_text()
    index = json.loads(text[text.index("{") : text.rindex("}") + 1])
    assert "patienc" in index["terms"]  # stems
    assert not {"forgotten", "forgot", "quagmir"} & set(index["terms"])
    assert "vanishing gradient" in index["indexentries"]
    assert "you need" not in index["indexentries"]
    assert 'id="term-vanishing-gradient"' in (out / "chapters" / "gates.html").read_text()
