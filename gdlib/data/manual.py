"""Running English text that every Python carries: the manual pages behind `help`."""

import numpy as np


def python_manual(*, seed: int = 0) -> str:
    """Python's manual as one text: each paragraph once, on a line of its own, in an order drawn with `seed`.

    In such an order any stretch of the text is like any other, so that a split may cut it anywhere. About a third of
    a million characters, mostly English, with code in between; another version of Python has a slightly different
    text. It is the standard library's module `pydoc_data.topics`, under the Python Software Foundation's license.
    Raises ImportError where Python was installed without it, as some small containers have it.
    """
    try:
        from pydoc_data.topics import topics
    except ImportError as error:
        raise ImportError(
            "python_manual: expected the standard library's module pydoc_data.topics, which this Python was "
            "installed without. Install the whole standard library (on Debian: libpython3-stdlib)."
        ) from error
    paragraphs = dict.fromkeys(
        " ".join(paragraph.split()) for name in sorted(topics) for paragraph in topics[name].split("\n\n")
    )
    kept = [paragraph for paragraph in paragraphs if paragraph]
    np.random.default_rng(seed).shuffle(kept)
    return "\n".join(kept)
