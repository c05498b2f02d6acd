"""The glossary has every term that a page sets in bold where it introduces it, and leads to a page that has it."""

import json
import re
from pathlib import Path

import pytest
from run_times import notebooks
from search_words import is_term

ROOT = Path(__file__).resolve().parents[2]
ROW = re.compile(
    r"^\| ([^|]+) \| ([^|]+) \| ([^|]+) \| \[[^|]+\]\((chapters/[\w/]+)\.ipynb\) \|$", re.MULTILINE
)
BOLD = re.compile(r"(?<![*\w\n])\*\*(\w[^*\n\[]{1,59})\*\*(?!\*)")
# Bold for another reason: the arms of an experiment, parts of speech that carry the sentence.
NO_TERMS = {
    "as a course", "to use a model tomorrow", "to judge a model that you are offered", "raise the correlation",
    "to train", "mean", "mean and log-variance", "before training", "pixels", "pixels shuffled", "laid over",
    "negative", "blank", "real", "shifted", "half made", "all made", "right", "samples", "perceptron", "convolutional",
}  # fmt: skip
GLOSSARY = {
    term: page for term, _, _, page in ROW.findall((ROOT / "glossary.md").read_text(encoding="utf-8"))
}


def prose(page):
    cells = json.loads((ROOT / f"{page}.ipynb").read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")


TEXTS = {page: prose(page) for page in notebooks(ROOT / "_toc.yml")}


def terms(text):
    """What a page's prose has in bold, as terms are, and not at the beginning of a paragraph."""
    prose = re.sub(r"\$\$.*?\$\$", "", text, flags=re.DOTALL)
    return {term.lower() for term in BOLD.findall(prose) if is_term(term)} - NO_TERMS


@pytest.mark.parametrize("page", TEXTS)
def test_every_term_of_a_page_is_in_the_glossary(page):
    assert terms(TEXTS[page]) - {term.lower() for term in GLOSSARY} == set()


@pytest.mark.parametrize("term", GLOSSARY)
def test_a_term_leads_to_a_page_that_has_the_word(term):
    text = TEXTS[GLOSSARY[term]].lower()
    assert term.lower() in text or term.lower().rstrip("s") in text


def test_terms_are_found_and_leads_are_not():
    text = "**Next.** You. A **long word** is a term, and **You need** is none.\n\n**At the start** neither."
    assert terms(text) == {"long word"}
    assert len(GLOSSARY) > 100
