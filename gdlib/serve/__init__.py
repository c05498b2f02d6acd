"""A model that answers whoever asks: requests in batches and in slots, a translator of dates, and its HTTP service.

What speaks HTTP needs packages that gdlib does without: `pip install "gdlib[service]"`. Importing this does not.
"""

from gdlib.serve.batching import Batcher, Closed, Counts, Full, Late
from gdlib.serve.dates import DateTranslator, DateWriter, load_translator, train_translator
from gdlib.serve.needs import require
from gdlib.serve.slots import Slots

__all__ = [
    "Batcher",
    "Closed",
    "Counts",
    "DateTranslator",
    "DateWriter",
    "Full",
    "Late",
    "Slots",
    "load_translator",
    "require",
    "train_translator",
]
