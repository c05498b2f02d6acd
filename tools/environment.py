"""Make a virtual environment: the book's (`environment.py .venv`), or one that holds the oldest
versions gdlib supports (`environment.py --oldest .venv-oldest`, run with the book's Python).

Written for any Python since 3.6, so that an old one gets a sentence and not a syntax error.
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
            f"Python {OLDEST_PYTHON[0]}.{OLDEST_PYTHON[1]} or newer is needed, and this is "
            f"{sys.version.split()[0]}. Install it (Debian and Ubuntu: apt-get install python3.11 "
            "python3.11-venv) and say which one to use: make PYTHON=python3.11 …"
        )
    if importlib.util.find_spec("venv") is None or importlib.util.find_spec("ensurepip") is None:
        return (
            "Python's venv module is missing. Install it (Debian and Ubuntu: apt-get install "
            f"python{sys.version_info[0]}.{sys.version_info[1]}-venv) and call make again."
        )
    return None


def run(*command):
    subprocess.run(command, check=True, cwd=ROOT)


def book_environment(path):
    python = os.path.join(path, "bin", "python")  # noqa: PTH118
    print(f"Installing the book's environment into {path} (some minutes, once) …", flush=True)
    run(sys.executable, "-m", "venv", "--clear", path)
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "-r", "requirements.txt", "-c", "constraints.txt", "-e", ".")  # fmt: skip


def oldest_environment(path):
    python = os.path.join(path, "bin", "python")  # noqa: PTH118
    print(f"Installing the oldest supported versions into {path} …", flush=True)
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
