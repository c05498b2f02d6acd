"""A chapter shows the package's own code: what the reader sees is what runs."""

import inspect
from typing import Any

from IPython.display import Markdown


def source(*objects: Any) -> Markdown:
    """The source text of functions and classes, highlighted, as a notebook cell's output."""
    return Markdown("```python\n" + "\n\n".join(inspect.getsource(o).rstrip() for o in objects) + "\n```")
