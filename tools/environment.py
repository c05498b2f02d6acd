"""Make a virtual environment: the book's (`environment.py .venv`), or, run with the book's Python, one that holds the
oldest versions gdlib supports (`environment.py --oldest .venv-oldest`) or the newest there are, on the newest Python of
this machine (`environment.py --newest .venv-newest`), or its peers (`environment.py --benchmark .venv-benchmark`).

Written for any Python since 3.6, so that an old one gets a sentence and not a syntax error.
"""

import glob
import importlib.util
import json
import os
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))  # noqa: PTH100, PTH120
OLDEST_PYTHON = (3, 11)


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
    """Run the command; end with a sentence where it fails. What it left is cleared when make is called again."""
    if subprocess.call(command, cwd=ROOT):
        sys.exit(
            "The environment could not be made; the reason stands above. Installing needs the network and some 3 GB "
            "of disk. Call make again: it starts over."
        )


def book_environment(path):
    python = os.path.join(path, "bin", "python")  # noqa: PTH118
    print(f"Installing the book's environment into {path} (some minutes, once) …", flush=True)
    run(sys.executable, "-m", "venv", "--clear", path)
    run(python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check",
        "-r", "requirements.txt", "-c", "constraints.txt", "-e", ".")  # fmt: skip


def uv_install(path, *arguments):
    python = os.path.join(path, "bin", "python")  # noqa: PTH118
    # Compiled once: where Python may not write bytecode, each of the tests' processes would compile it anew.
    options = ["--quiet", "--compile-bytecode", "--python", python]
    run(sys.executable, "-m", "uv", "pip", "install", *options, *arguments)


def oldest_environment(path):
    print(f"Installing the oldest supported versions into {path} …", flush=True)
    run(sys.executable, "-m", "uv", "venv", "--quiet", "--clear", "--python", sys.executable, path)
    # gdlib's own bounds resolve to their lowest versions; the test tools to the book's pins.
    uv_install(path, "--resolution", "lowest-direct", "-e", ".")
    uv_install(path, "--group", "test")


def pythons():
    """Every CPython that is released and on this machine, pyenv's included: [(version, path), …], the oldest first."""
    pyenv = os.environ.get("PYENV_ROOT") or os.path.expanduser("~/.pyenv")  # noqa: PTH111
    folders = [*sorted(glob.glob(os.path.join(pyenv, "versions", "*", "bin"))), os.environ["PATH"]]  # noqa: PTH118, PTH207
    listed = subprocess.run(
        [sys.executable, "-m", "uv", "python", "list", "--only-installed", "--output-format", "json"],
        env=dict(os.environ, PATH=os.pathsep.join(folders)), stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        check=True,
    )  # fmt: skip
    return sorted(
        ([int(part) for part in python["version"].split(".")], python["path"])
        for python in json.loads(listed.stdout)
        if python["implementation"] == "cpython"
        and python["variant"] == "default"
        and python["version"].replace(".", "").isdigit()  # 3.14.0a2 and the like are no releases
    )


def newest_environment(path):
    _, python = pythons()[-1]
    print(f"Installing the newest versions for {python} into {path} …", flush=True)
    run(sys.executable, "-m", "uv", "venv", "--quiet", "--clear", "--python", python, path)
    uv_install(path, "--upgrade", "-e", ".", "--group", "test")


def benchmark_environment(path):
    print(f"Installing gdlib and its peers into {path} …", flush=True)
    run(sys.executable, "-m", "uv", "venv", "--quiet", "--clear", "--python", sys.executable, path)
    uv_install(path, "-e", ".", "--group", "benchmark")


def main(arguments):
    sentence = missing()
    if sentence:
        sys.exit(sentence)
    path = arguments[-1]
    kinds = {
        "--oldest": oldest_environment,
        "--newest": newest_environment,
        "--benchmark": benchmark_environment,
    }
    kinds.get(arguments[0], book_environment)(path)
    with open(os.path.join(ROOT, path, "ready"), "w") as stamp:  # noqa: PTH118, PTH123
        stamp.write("")


if __name__ == "__main__":
    main(sys.argv[1:])
