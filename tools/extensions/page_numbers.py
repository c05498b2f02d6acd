"""Numbers for pages: a chapter is 3, the pages below it are 3.1, 3.2, …, and the headings within a page have none.

Sphinx counts a page's headings and the pages below it in one row, so that the first page below a chapter with nine
headings would be its tenth section. Equations and figures are counted by chapter, and stay as they are.
"""

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.environment import BuildEnvironment


def numbered(env: BuildEnvironment) -> dict[str, tuple[int, ...]]:
    """Each numbered page's own number."""
    chapters = {doc: of_doc[""] for doc, of_doc in env.toc_secnumbers.items() if len(of_doc.get("", ())) == 1}
    found = {}

    def number(doc: str, own: tuple[int, ...]) -> None:
        found[doc] = own
        for place, below in enumerate(env.toctree_includes.get(doc, []), start=1):
            number(below, (*own, place))

    for doc, own in chapters.items():
        number(doc, own)
    return found


def renumber(_app: Sphinx, env: BuildEnvironment) -> list[str]:
    """Write the numbers where Sphinx's own are: for headings, for titles, and in the contents at the side."""
    numbers = numbered(env)
    for doc, own in numbers.items():
        headings = dict.fromkeys(
            env.toc_secnumbers.get(doc, {}), ()
        )  # one left out would get the page's number
        env.toc_secnumbers[doc] = headings | {"": own}
        env.titles[doc]["secnumber"] = own
        for entry in env.tocs[doc].findall(nodes.reference):
            if entry.get("anchorname"):
                entry.attributes.pop("secnumber", None)
            else:
                entry["secnumber"] = own
    return list(numbers)


def setup(app: Sphinx) -> dict:
    app.connect("env-get-updated", renumber, priority=900)  # after Sphinx has counted
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
