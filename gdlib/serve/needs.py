"""What the service needs beyond what gdlib does."""

import importlib.util

PACKAGES = ("starlette", "uvicorn", "httptools", "prometheus_client")


def require() -> None:
    """Raise ImportError, with what to do, where a package is missing that the service or its load needs."""
    if missing := [name for name in PACKAGES if importlib.util.find_spec(name) is None]:
        raise ImportError(f'the service needs {", ".join(missing)}: pip install "gdlib[service]"')
