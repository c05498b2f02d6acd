"""gdlib, PyTorch and Keras at the same work, in turns: writes results.json and results.md beside this file.

python benchmarks/run.py                         all of it
python benchmarks/run.py --rounds 1 --epochs 2   a quick look
python benchmarks/run.py --resume                go on with a run that was interrupted

Each measurement is a process of its own, on all of the machine's cores. It waits until nothing else runs; one that
others disturbed all the same is repeated. What has been measured is written down at once, in unfinished.jsonl.
"""

import argparse
import datetime
import importlib.metadata
import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import measure
import report
import work

HERE = Path(__file__).resolve().parent
QUIET, PATIENCE = 0.1, 30  # the share of the machine that others may take; seconds to wait for that
LONGEST = 900  # seconds that a measurement may take; the longest known takes a fifth of it
TRIES = 3
PACKAGES = ("gdlib", "jax", "flax", "optax", "torch", "keras", "tensorflow-cpu", "numpy")


def wait_until_quiet() -> None:
    waited = time.monotonic()
    while time.monotonic() - waited < PATIENCE:
        with measure.Clock() as clock:
            time.sleep(1)
        if clock.elsewhere < QUIET:
            return


def run(what: list[str], options: list[str]) -> dict:
    """What `measure.py` prints. Repeated where others took more than a share of the machine, and where it hangs."""
    found: dict = {}
    for _ in range(TRIES):
        wait_until_quiet()
        # An empty cache folder: PyTorch would find there what an earlier process compiled.
        with tempfile.TemporaryDirectory() as folder:
            environment = os.environ | {"TORCHINDUCTOR_CACHE_DIR": folder, "TF_CPP_MIN_LOG_LEVEL": "3"}
            try:
                done = subprocess.run(
                    [sys.executable, str(HERE / "measure.py"), *what, *options],
                    env=environment,
                    capture_output=True,
                    text=True,
                    timeout=LONGEST,
                )
            except subprocess.TimeoutExpired:
                print(f"{' '.join(what)}: no answer after {LONGEST} s, repeated", flush=True)
                continue
        if done.returncode:
            sys.exit(f"{' '.join(what)} failed:\n{done.stderr}")
        found = json.loads(done.stdout.splitlines()[-1])
        if found["elsewhere"] < QUIET:
            break
    if not found:
        sys.exit(f"{' '.join(what)}: expected an answer within {LONGEST} s, got none in {TRIES} tries")
    print(f"{' '.join(what):30s}", summary(found), flush=True)
    return found


class Notebook:
    """Measurements by name, each written down as soon as it is made: an interrupted run can go on from there."""

    def __init__(self, path: Path, *, resume: bool) -> None:
        if not resume:
            path.unlink(missing_ok=True)
        lines = path.read_text(encoding="utf-8").splitlines() if path.exists() else []
        self.path, self.found = path, dict(json.loads(line) for line in lines)

    def note(self, name: str, make: Callable[[], dict]) -> dict:
        """What was found under this name; where nothing was, what `make` finds now."""
        if name not in self.found:
            self.found[name] = make()
            with self.path.open("a", encoding="utf-8") as file:
                file.write(json.dumps([name, self.found[name]]) + "\n")
        return self.found[name]


def summary(found: dict) -> str:
    numbers = {name: value for name, value in found.items() if isinstance(value, float)}
    return ", ".join(f"{name} {value:.4g}" for name, value in numbers.items())


def machine() -> dict[str, str]:
    """What the numbers depend on, in words that name no place."""
    cpuinfo = Path("/proc/cpuinfo")
    lines = cpuinfo.read_text(encoding="utf-8").splitlines() if cpuinfo.exists() else []
    names = [line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    return {
        "processor": names[0] if names else platform.machine(),
        "cores": str(os.cpu_count()),
        "memory": f"{memory:.0f} GiB",
        "system": platform.system(),
        "python": platform.python_version(),
        **{package: importlib.metadata.version(package) for package in PACKAGES},
    }


def in_turns(count: int, items: tuple) -> list[tuple]:
    """The items once a round, each round begun by another: nobody always runs after the same."""
    return [items[i % len(items) :] + items[: i % len(items)] for i in range(count)]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rounds", type=int, default=5, help="processes of each contender and model")
    parser.add_argument("--epochs", type=int, default=10, help="timed in each process, of 31 steps")
    parser.add_argument("--output", type=Path, default=HERE, help="the folder that the results go to")
    parser.add_argument("--resume", action="store_true", help="go on with a run that was interrupted")
    arguments = parser.parse_args()
    notebook = Notebook(arguments.output / "unfinished.jsonl", resume=arguments.resume)
    epochs = ["--epochs", str(arguments.epochs)]
    rates = {library: [] for library in ("jax", "torch")}
    trained = {model: {name: [] for name in measure.CONTENDERS} for model in work.MODELS}
    with tempfile.TemporaryDirectory() as data:
        # In a process of its own: a child's peak of memory begins at its parent's, which so stays small.
        subprocess.run([sys.executable, str(HERE / "work.py"), data], check=True)
        options = ["--data", data, *epochs]

        def noted(number: int, what: list[str], options: list[str]) -> dict:
            return notebook.note(f"{number} {' '.join(what)}", lambda: run(what, options))

        for number, contenders in enumerate(in_turns(arguments.rounds, measure.CONTENDERS)):
            for library, found in rates.items():
                found.append(noted(number, ["rate", library], []))
            for model in work.MODELS:
                for name in contenders:
                    trained[model][name].append(noted(number, ["train", name, model], options))
        alone = {model: noted(0, ["alone", model], options) for model in work.MODELS}
        where = {model: noted(0, ["where", model], options) for model in work.MODELS}
    results = {
        "day": datetime.date.today().isoformat(),
        "machine": machine(),
        "rounds": arguments.rounds,
        "epochs": arguments.epochs,
        "rates": rates,
        "trained": trained,
        "alone": alone,
        "where": where,
    }
    (arguments.output / "results.json").write_text(json.dumps(results, indent=1, ensure_ascii=False) + "\n")
    (arguments.output / "results.md").write_text(report.markdown(results))
    notebook.path.unlink(missing_ok=True)
    print(report.markdown(results))


if __name__ == "__main__":
    main()
