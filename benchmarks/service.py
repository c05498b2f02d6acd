"""What batches buy the service of dates: the highest rate at which 99 of 100 requests are answered in time.

python benchmarks/service.py [folder]

Two services of the same translator, one of which answers a text at a time, get requests at random times, at rates that
rise by a tenth. At each rate the 99th percentile is taken over five runs together. Run it on a machine that does
nothing else: the senders share it, too.
"""

import asyncio
import contextlib
import gc
import http.client
import re
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from gdlib import serve
from gdlib.data import written_dates
from gdlib.serve import load

LIMIT, SECONDS, WARM, RUNS, STEP = 0.05, 2.0, 0.5, 5, 1.1


@contextlib.contextmanager
def service(folder: Path, *options: str):
    """The address of a service that is ready."""
    command = [sys.executable, "-m", "gdlib.serve", str(folder), "--port", "0", *options]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        port = int(re.search(r":(\d+) ", process.stdout.readline())[1])
        while not _answers(port):
            time.sleep(0.2)
        yield f"http://127.0.0.1:{port}/translate"
        process.terminate()


def _answers(port: int) -> bool:
    try:
        http.client.HTTPConnection("127.0.0.1", port, timeout=5).request("GET", "/health")
    except OSError:
        return False
    return True


def tail(url: str, questions: list, rate: float) -> float:
    """The 99th percentile of the latency in seconds; endless where something was not answered."""
    found = []
    for seed in range(RUNS):
        due = load.poisson(rate, SECONDS, np.random.default_rng(seed))
        run = asyncio.run(load.send(url, questions, due))
        found.append(np.where(run.status == 200, run.latency, np.inf)[run.due > WARM])
    return float(np.percentile(np.concatenate(found), 99, method="higher"))


def highest(url: str, questions: list, rate: float) -> float:
    """The highest rate that is borne, from one that is."""
    borne, missed = 0.0, 0
    while missed < 2:  # one rate may have met a hiccup of the machine
        seconds = tail(url, questions, rate)
        print(f"  {rate:6.0f} a second: {1e3 * seconds:6.1f} ms", flush=True)
        borne, missed = (rate, 0) if seconds <= LIMIT else (borne, missed + 1)
        rate *= STEP
    return borne


def main() -> None:
    """Print both, and their ratio."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else tempfile.mkdtemp())
    if not (folder / "card.json").exists():
        serve.train_translator(folder)
    questions = [{"text": text} for text in written_dates(salt="dates")[1].texts[:1000]]
    gc.collect()
    gc.freeze()  # a look through all that JAX holds would take longer than an answer
    found = {}
    for name, options, start in (("one at a time", ("--limit", "1"), 300.0), ("up to 64", (), 1200.0)):
        print(name)
        with service(folder, *options) as url:
            asyncio.run(load.send(url, questions, np.zeros(1000)))
            found[name] = highest(url, questions, start)
    alone, together = found.values()
    print(
        f"within {1e3 * LIMIT:.0f} ms: {alone:.0f} and {together:.0f} a second, {together / max(alone, 1):.1f} times"
    )


if __name__ == "__main__":
    main()
