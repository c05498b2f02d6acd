"""gdlib: what the chapters of *Generate, Discriminate* train, measure and draw.

Read the modules in the order in which data flows through them: `datasets`, `models`, `objectives`,
`train`, `evaluate`, `plot`; `distributions` and `checks` serve them all.
"""

from importlib.metadata import version

__version__ = version("gdlib")


def _numbers(release: str) -> tuple[int, ...]:
    return tuple(int(part) for part in release.split("."))


def require(oldest: str, *, source: str) -> None:
    """Raise ImportError unless the installed gdlib is `oldest` or newer; say how to upgrade.

    Args:
      oldest: the first release that has what the notebook uses, such as "0.1.0".
      source: what pip installs gdlib from.
    """
    if _numbers(__version__) < _numbers(oldest):
        raise ImportError(
            f"this notebook needs gdlib {oldest} or newer, and {__version__} is installed. Run "
            f'`%pip install --upgrade "gdlib @ {source}"`, then restart the kernel and run again.'
        )
