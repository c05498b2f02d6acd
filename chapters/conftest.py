"""Notebooks that run side by side keep apart, each to its compiled code and to its cores."""

import os
from pathlib import Path

worker = os.environ.get("PYTEST_XDIST_WORKER", "")  # gw0, gw1, …
folder = os.environ.get("JAX_COMPILATION_CACHE_DIR")
if folder and worker:  # JAX writes a cache's files in place
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path(folder, worker))

# On cores that they share, threads of one notebook wait for those of another: that took a tenth longer.
# A page that runs alone gets no more than its share, as it has beside others: what it finds should be the same.
workers = int(
    os.environ.get("BOOK_SHARES")
    or os.environ.get("PYTEST_XDIST_WORKER_COUNT", 1)
)
if worker and hasattr(os, "sched_setaffinity"):
    cores = sorted(os.sched_getaffinity(0))
    if own := cores[int(worker.removeprefix("gw")) :: workers]:
        os.sched_setaffinity(0, own)
