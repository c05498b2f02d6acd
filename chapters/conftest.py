"""Notebooks that run side by side keep their compiled code apart: JAX writes a cache's files in place."""

import os
from pathlib import Path

if folder := os.environ.get("JAX_COMPILATION_CACHE_DIR"):
    worker = os.environ.get("PYTEST_XDIST_WORKER", "alone")
    os.environ["JAX_COMPILATION_CACHE_DIR"] = str(Path(folder, worker))
