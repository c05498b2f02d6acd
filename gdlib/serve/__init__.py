"""A model that answers whoever asks: requests in batches, so far; what speaks HTTP comes next."""

from gdlib.serve.batching import Batcher, Closed, Counts, Full, Late

__all__ = ["Batcher", "Closed", "Counts", "Full", "Late"]
