"""Arrays → blocks of HTML and JavaScript that move without a kernel.

A block holds its weights, its style and its script, and asks nothing of a network or of the page around
it. It works with mouse, touch and keyboard, in light and dark.
"""

from gdlib.widgets.attention import attention
from gdlib.widgets.bells import bells
from gdlib.widgets.bill import bill
from gdlib.widgets.descent import descent
from gdlib.widgets.embed import Layer, Widget, quantize, rounded
from gdlib.widgets.film import film
from gdlib.widgets.game import Frame, game
from gdlib.widgets.judge import judge
from gdlib.widgets.lanes import lanes
from gdlib.widgets.letters import letters
from gdlib.widgets.plane import latent_plane
from gdlib.widgets.playground import playground
from gdlib.widgets.quiz import quiz
from gdlib.widgets.sketch import sketch

__all__ = [
    "Frame",
    "Layer",
    "Widget",
    "attention",
    "bells",
    "bill",
    "descent",
    "film",
    "game",
    "judge",
    "lanes",
    "latent_plane",
    "letters",
    "playground",
    "quantize",
    "quiz",
    "rounded",
    "sketch",
]
