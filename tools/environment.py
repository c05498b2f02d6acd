"""Make a virtual environment: the book's (`environment.py .venv`), or one that holds the oldest
versions gdlib supports (`environment.py --oldest .venv-oldest`, run with the book's Python).

Written for any Python 3, so that an old one gets a sentence and not a syntax error.
"""

import importlib.util
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
OLDEST_PYTHON = (3, 11)
# What gdlib's own tests need beside gdlib.
TESTING = ["pytest", "pytest-xdist", "hypothesis", "beartype", "jaxtyping"]


def missing():
    """What has to be installed first, in a sentence, or None."""
    if sys.version_info < OLDEST_PYTHON:
        return (
            "Python %d.%d or newer is needed, and this is %s. Install it (Debian and Ubuntu: "
            "python3.11 python3.11-venv) and say which: make PYTHON=python3.11 …"
            % (OLDEST_PYTHON + (sys.version.split()[0],))  # noqa: RUF005
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        return (
            "Python's venv module is missing. Install it (Debian and Ubuntu: apt-get install "
            "python%d.%d-venv) and call make again." % sys.version_info[:2]
        )
    return None


def run(*command):
    subprocess.run(command, check=True, cwd=ROOT)


def book_environment(path):
    python = os.path.join(path, "bin", "python")  # noqa: PTH118
    print("Installing the book's environment into %s (some minutes, once) …" % path, flush=True)
    run(sys.executable, "-m", "venv", "--clear", path)
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "-r", "requirements.txt", "-c", "constraints.txt", "-e", ".")  # fmt: skip


def oldest_environment(path):
    python = os.path.join(path, "bin", "python")  # noqa: PTH118
    print("Installing the oldest supported versions into %s …" % path, flush=True)
    run(sys.executable, "-m", "uv", "venv", "--quiet", "--clear", "--python", sys.executable, path)
    # gdlib's own bounds resolve to their lowest versions; the test tools to the book's pins.
    run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python,
        "--resolution", "lowest-direct", "-e", ".")  # fmt: skip
    run(sys.executable, "-m", "uv", "pip", "install", "--quiet", "--python", python, *TESTING)


def main(arguments):
    sentence = missing()
    if sentence:
        sys.exit(sentence)
    path = arguments[-1]
    (oldest_environment if "--oldest" in arguments else book_environment)(path)
    with open(os.path.join(ROOT, path, "ready"), "w") as stamp:  # noqa: PTH118, PTH123
        stamp.write("")


if __name__ == "__main__":
    main(sys.argv[1:])
