"""Training: steps, and the one loop that runs them."""

from gdlib.train.checkpoint import restore
from gdlib.train.history import History
from gdlib.train.loop import Diverged, fit
from gdlib.train.minibatches import Source
from gdlib.train.seeds import create, create_game, each_seed, select_seed
from gdlib.train.steps import adversarial_step, evaluation_step, gradient_step

__all__ = [
    "Diverged",
    "History",
    "Source",
    "adversarial_step",
    "create",
    "create_game",
    "each_seed",
    "evaluation_step",
    "fit",
    "gradient_step",
    "restore",
    "select_seed",
]
