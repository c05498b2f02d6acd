"""Arrays → blocks of HTML and JavaScript that move without a kernel.

A block holds its weights, its style and its script, and asks nothing of a network or of the page around
it. It works with mouse, touch and keyboard, in light and dark.
"""

from gdlib.widgets.embed import Layer, Widget, quantize
from gdlib.widgets.plane import latent_plane
from gdlib.widgets.quiz import quiz

__all__ = ["Layer", "Widget", "latent_plane", "quantize", "quiz"]
