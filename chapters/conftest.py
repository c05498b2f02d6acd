"""Notebooks that run side by side keep their compiled code apart: JAX writes a cache's files in place."""

import os
from pathlib import Path

folder, worker = (
    os.environ.get(name)
    for name in ("JAX_COMPILATION_CACHE_DIR", "PYTEST_XDIST_WORKER")
)
if folder and worker:
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path(folder, worker))
