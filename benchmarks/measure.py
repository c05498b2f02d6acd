"""One measurement, in a process of its own: prints what it found as JSON, on one line.

python benchmarks/measure.py train gdlib vae --data FOLDER --epochs 10
python benchmarks/measure.py alone vae --data FOLDER --epochs 10      gdlib's loop, and many seeds
python benchmarks/measure.py where vae --data FOLDER      what gdlib's time goes into
python benchmarks/measure.py rate jax
"""

import argparse
import json
import os
import resource
import statistics
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import work

CONTENDERS = ("gdlib", "gdlib, shared", "PyTorch, eager", "PyTorch, compiled", "Keras")
SEEDS = (1, 2, 4)
MOST_EPOCHS = 60  # that a target is waited for


def builder(contender: str, model: str, data: work.Digits | work.Dates) -> Callable[[], work.Contender]:
    """Imports the framework. What it returns builds the model; nothing is compiled before that.

    Raises ValueError for a contender or a model that is none.
    """
    for name, value, known in (("contender", contender, CONTENDERS), ("model", model, work.MODELS)):
        if value not in known:
            raise ValueError(f"{name}: expected one of {known}, got {value!r}")
    if contender == "gdlib":
        import with_gdlib

        return lambda: with_gdlib.trainer(model, data)
    if contender == "gdlib, shared":
        import jax

        jax.config.update("jax_num_cpu_devices", os.cpu_count())  # before anything asks for a device
        import with_gdlib

        return lambda: with_gdlib.trainer(model, data, shared=True)
    if contender == "Keras":
        import with_keras

        return lambda: with_keras.trainer(model, data)
    import with_torch

    return lambda: with_torch.trainer(model, data, compiled=contender == "PyTorch, compiled")


def peak_memory() -> float:
    """The largest resident set of this process so far, in MiB."""
    unit = 1 if sys.platform == "darwin" else 1024  # macOS counts in bytes
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**20


class Clock:
    """Wall-clock seconds of a `with` block, and the share of the machine that others took from it meanwhile."""

    def __enter__(self) -> "Clock":
        self.busy, self.own, self.started = machine_seconds(), sum(os.times()[:4]), time.perf_counter()
        return self

    def __exit__(self, *_) -> None:
        self.seconds = time.perf_counter() - self.started
        others = machine_seconds() - self.busy - (sum(os.times()[:4]) - self.own)
        self.elsewhere = max(0.0, others / (self.seconds * os.cpu_count()))


def machine_seconds() -> float:
    """Processor seconds that all processes have used, the machine's own guests included; 0 where unknown."""
    stat = Path("/proc/stat")
    if not stat.exists():
        return 0.0
    user, nice, system, _idle, _wait, *interrupts = map(
        int, stat.read_text(encoding="utf-8").split(maxsplit=9)[1:9]
    )
    return (user + nice + system + sum(interrupts)) / os.sysconf("SC_CLK_TCK")


def train(contender: str, model: str, data: work.Digits | work.Dates, epochs: int) -> dict:
    """From nothing compiled to the target; then warm steps, and for the transformer warm decoding."""
    build = builder(contender, model, data)
    found = {"memory_before": peak_memory()}
    started = time.perf_counter()
    fit, decode = build()
    if model not in work.TARGETS:
        fit(1)
        found["first_epoch_seconds"] = time.perf_counter() - started
    else:
        for epoch in range(1, MOST_EPOCHS + 1):
            score = fit(1, validate=True)
            seconds = time.perf_counter() - started
            found.setdefault("first_epoch_seconds", seconds)
            if work.reached(model, score):
                found |= {"target_seconds": seconds, "target_epochs": epoch}
                break
    fit(2)  # what only a second call compiles
    with Clock() as clock:
        fit(epochs)
    found |= {
        "step_ms": 1000 * clock.seconds / (epochs * work.STEPS_PER_EPOCH),
        "memory_peak": peak_memory(),
        "elsewhere": clock.elsewhere,
    }
    return found if decode is None else found | decoding(decode, data)


def decoding(decode: Callable[[], np.ndarray], dates: work.Dates, repeats: int = 20) -> dict:
    """Tokens a second of a warm decoder, the median of some times; and whether it decodes: the share that is right."""
    decoded, seconds = decode(), []
    for _ in range(repeats):
        started = time.perf_counter()
        decode()
        seconds.append(time.perf_counter() - started)
    return {
        "tokens_per_second": decoded.size / statistics.median(seconds),
        "decoded_right": dates.right(decoded),
    }


def alone(model: str, data: work.Digits | work.Dates, epochs: int, repeats: int = 2) -> dict:
    """gdlib's `fit`, the compiled loop inside it, and many seeds at once: milliseconds a step, in turns."""
    import with_gdlib

    runs = {"fit": with_gdlib.trainer(model, data).fit, "scan": with_gdlib.scan(model, data)}
    runs |= {f"{seeds} seeds": with_gdlib.trainer(model, data, seeds=seeds).fit for seeds in SEEDS}
    found, elsewhere = {name: [] for name in runs}, []
    for fit in runs.values():
        fit(1)
    for _ in range(repeats):
        for name, fit in runs.items():
            with Clock() as clock:
                fit(epochs)
            found[name].append(1000 * clock.seconds / (epochs * work.STEPS_PER_EPOCH))
            elsewhere.append(clock.elsewhere)
    return {"step_ms": found, "elsewhere": max(elsewhere)}


# XLA names a compiled operation after what it does; whatever bears none of these names works number by number.
KINDS = {
    "products and sums": ("dot", "ynn_fusion"),
    "moving": ("copy", "transpose", "concatenate", "update-slice"),
}


def where(model: str, data: work.Digits | work.Dates) -> dict:
    """What gdlib's time goes into: seconds of the first epoch, and busy milliseconds of a step by kind of operation."""
    import jax

    spent = Counter()
    jax.monitoring.register_event_duration_secs_listener(
        lambda event, seconds, **_: spent.update({event.rpartition("/")[2]: seconds})
    )
    build = builder("gdlib", model, data)
    with Clock() as clock:
        fit, _ = build()
        fit(1)
    first = dict(spent)
    with tempfile.TemporaryDirectory() as folder:
        with jax.profiler.trace(folder):
            fit(1)
        (traced,) = Path(folder).rglob("*.xplane.pb")
        profile = jax.profiler.ProfileData.from_file(str(traced))
    busy = Counter()
    for name, seconds in operations(profile):
        kind = next(
            (kind for kind, names in KINDS.items() if any(part in name for part in names)), "the rest"
        )
        busy[kind] += 1000 * seconds / work.STEPS_PER_EPOCH
    return {
        "first_epoch_seconds": clock.seconds,
        "traced": first["jaxpr_trace_duration"] + first["jaxpr_to_mlir_module_duration"],
        "compiled": first["backend_compile_duration"],
        "busy_ms": busy,
        "elsewhere": clock.elsewhere,
    }


def operations(profile) -> Iterator[tuple[str, float]]:
    """Each of XLA's operations that a profile saw run on a core, and its seconds; loops, which hold others, apart."""
    around = ("ThunkExecutor", "while", "end: ", "SlinkyThreadPool", "call", "conditional")
    for plane in profile.planes:
        for line in plane.lines:
            if line.name.startswith("tf_XLAEigen"):
                for event in line.events:
                    if not event.name.startswith(around):
                        yield event.name, event.duration_ns / 1e9


# The largest products of the VAE, forward and back, and a square one: (rows, inner, columns).
B, H, P = work.BATCH, work.VAE_DECODER, work.PIXELS
PRODUCTS = [(1024, 1024, 1024), (B, H, P), (B, P, H), (H, B, P)]


def rate(library: str, repeats: int = 5) -> dict:
    """The best sustained rate of matrix products in float32, in 10⁹ operations a second."""
    if library == "jax":
        import jax
        import jax.numpy as jnp

        multiply, array, finish = jax.jit(jnp.matmul), jnp.asarray, jax.block_until_ready
    else:
        import torch

        multiply, array, finish = torch.matmul, torch.from_numpy, lambda result: result
    rng, best, elsewhere = np.random.default_rng(0), 0.0, []
    for rows, inner, columns in PRODUCTS:
        a, b = (array(rng.random(shape, np.float32)) for shape in ((rows, inner), (inner, columns)))
        flops = work.product(rows, inner, columns)
        count = round(2e10 / flops)  # about 0.1 s on a small machine
        finish(multiply(a, b))
        for _ in range(repeats):
            with Clock() as clock:
                for _ in range(count):
                    result = multiply(a, b)
                finish(result)
            best = max(best, count * flops / clock.seconds / 1e9)
            elsewhere.append(clock.elsewhere)
    return {"gflops": best, "elsewhere": statistics.median(elsewhere)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument(
        "what", nargs="+", help="train CONTENDER MODEL | alone MODEL | where MODEL | rate LIBRARY"
    )
    parser.add_argument("--data", type=Path, help="the folder that work.py wrote to")
    parser.add_argument("--epochs", type=int)
    arguments = parser.parse_args()
    kind, *which = arguments.what
    if kind == "rate":
        found = rate(*which)
    elif kind == "where":
        found = where(*which, work.load_data(arguments.data, *which))
    else:
        data = work.load_data(arguments.data, which[-1])
        found = {"train": train, "alone": alone}[kind](*which, data, arguments.epochs)
    print(json.dumps(found))


if __name__ == "__main__":
    main()
