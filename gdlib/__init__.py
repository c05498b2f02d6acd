"""gdlib: what the chapters of *Generate, Discriminate* train, measure and draw.

A room for each subject, in the order in which data flows through them: `data`, `models` (on `layers` and `kernels`),
`objectives`, `train`, `evaluate`, `plot`, `widgets`; `distributions`, `checks`, `show` and `expect` serve them all.
"""

import hashlib
import platform
from importlib.metadata import version
from pathlib import Path
from typing import Any

from packaging.version import InvalidVersion, Version

__version__ = version("gdlib")


def _series(release: Version) -> tuple[int, ...]:
    """What a page may rely on: before 1.0 the first two numbers, afterwards the first."""
    return release.release[:2] if release.major == 0 else release.release[:1]


def require(written_for: str, *, source: str) -> None:
    """Raise ImportError where the installed gdlib is not one for which the notebook was written; say what to do.

    A release of the same series that is as new or newer will do. A series is what the first number that is not 0
    counts: 0.2.1 follows 0.2.0, while in 0.3.0 names may have changed.

    Args:
      written_for: the release that has what the notebook uses, such as "0.2.0".
      source: what pip installs that release from.

    Raises ValueError where `written_for` is no version.
    """
    try:
        wanted, here = Version(written_for), Version(__version__)
    except InvalidVersion:
        raise ValueError(f'written_for: expected a version such as "0.2.0", got {written_for!r}') from None
    if here < wanted:
        raise ImportError(
            f"this notebook needs gdlib {written_for} or newer, and {__version__} is installed. Run "
            f'`%pip install --upgrade "gdlib @ {source}"`, then restart the kernel and run again.'
        )
    if _series(here) != _series(wanted):
        raise ImportError(
            f"this notebook was written for gdlib {written_for}, and {__version__} is installed, in which names may "
            "have changed. Open the page anew from the book, or run "
            f'`%pip install "gdlib @ {source}"`, then restart the kernel and run again.'
        )


def keep_compiled() -> Path | None:
    """Keep compiled programs in the user's cache folder: a page that is run again need not compile them anew.

    Only what took JAX a second or more to compile is kept. There is a folder for each kind of processor, as code for
    one need not run on another. Returns the folder; None where it cannot be written to. Where JAX was given a folder
    for this already, that one stays.
    """
    import jax
    import platformdirs

    config: Any = jax.config
    kept: str | None = config.jax_compilation_cache_dir
    if kept is None:
        folder = platformdirs.user_cache_path("gdlib") / "compiled" / _processor()
        try:
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "writable").touch()
        except OSError:
            return None
        kept = str(folder)
        config.update("jax_compilation_cache_dir", kept)
    return Path(kept)


def _processor() -> str:
    """A name for what code the machine's processor can run."""
    told = Path("/proc/cpuinfo")
    if told.exists():
        lines = told.read_text(encoding="utf-8", errors="replace").splitlines()
        kinds = {line for line in lines if line.startswith(("model name", "flags", "Features", "CPU part"))}
    else:
        kinds = {platform.processor()}
    return hashlib.sha256("\n".join([platform.machine(), *sorted(kinds)]).encode()).hexdigest()[:12]
