"""What the search finds: prose and terms. Code and equations stay out of its index, and each term that a page sets in
bold where it introduces it is an entry of the index, which the search ranks first.
"""

import re

from docutils import nodes
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.transforms import SphinxTransform

UNREAD = nodes.literal_block | nodes.math_block | nodes.raw
MOST_WORDS = 4
LEADS = re.compile(r"you need|after this page|in your own words|.*[.:?!]|\d.*", re.IGNORECASE)


def is_term(text: str) -> bool:
    """Whether a phrase in bold is a term, and not a lead such as *You need* or *Next.*"""
    return len(text.split()) <= MOST_WORDS and not LEADS.fullmatch(text)


class TermsToIndex(SphinxTransform):
    default_priority = 500  # before the domains read the page

    def apply(self) -> None:
        if not self.env.docname.startswith("chapters/"):
            return
        known = set()
        for term in list(self.document.findall(nodes.strong)):
            name = f"term-{nodes.make_id(term.astext())}"
            if isinstance(term.parent, nodes.paragraph) and is_term(term.astext()) and name not in known:
                known.add(name)
                entry = addnodes.index(entries=[("single", term.astext(), name, "", None)])
                term.replace_self([entry, nodes.target("", "", ids=[name]), term])


def readable(doctree: nodes.document) -> nodes.document:
    """A page without what nobody searches for."""
    copy = doctree.deepcopy()
    for node in list(copy.findall(lambda node: isinstance(node, UNREAD))):
        node.parent.remove(node)
    return copy


def index_prose(app: Sphinx) -> None:
    index_page = getattr(app.builder, "index_page", None)
    if index_page is not None:
        app.builder.index_page = lambda page, doctree, title: index_page(page, readable(doctree), title)


def setup(app: Sphinx) -> dict:
    app.add_transform(TermsToIndex)
    app.connect("builder-inited", index_prose)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
