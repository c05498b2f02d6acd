"""gdlib: what the chapters of *Generate, Discriminate* train, measure and draw.

Read the modules in the order in which data flows through them: `datasets`, `models`, `objectives`,
`train`, `evaluate`, `plot`; `distributions` and `checks` serve them all.
"""

from importlib.metadata import version

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
