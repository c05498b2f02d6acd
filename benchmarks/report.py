"""The results as Markdown: `python benchmarks/report.py` writes results.md anew from results.json.

A cell shows the median over the rounds and, in brackets, the smallest and the largest.
"""

import json
import statistics
from collections.abc import Sequence
from pathlib import Path

import work

HERE = Path(__file__).resolve().parent
OWN, SHARED = "gdlib", "gdlib, shared"  # as the chapters call `fit`; a part of the minibatch a core
TITLES = {"vae": "VAE", "gan": "GAN", "cnn": "CNN", "lstm": "LSTM", "transformer": "Transformer"}
KINDS = (
    "products and sums",
    "moving",
    "the rest",
)  # of a compiled step's operations, as measure.py sorts them
SHARE = 0.8  # of the machine's matmul rate, to be reached in the VAE


def digits(value: float) -> str:
    """Three significant digits, without an exponent."""
    return f"{value:.0f}" if value >= 99.5 else f"{value:.1f}" if value >= 9.95 else f"{value:.2f}"


def spread(values: Sequence[float]) -> str:
    if len(values) == 1:
        return digits(values[0])
    return f"{digits(statistics.median(values))} ({digits(min(values))}–{digits(max(values))})"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [header, ["---"] + ["---:"] * (len(header) - 1), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def column(results: dict, model: str, name: str, what: str) -> list[float]:
    """A number of each round; rounds that lack it (a target never reached) are left out."""
    return [found[what] for found in results["trained"][model][name] if what in found]


def ratios(results: dict, model: str, name: str, own: str = OWN) -> list[float]:
    """A contender's step time over gdlib's of the same round."""
    pairs = zip(column(results, model, name, "step_ms"), column(results, model, own, "step_ms"), strict=True)
    return [theirs / ours for theirs, ours in pairs]


def best_rate(results: dict) -> float:
    """The machine's matmul rate: the best that any library reached in any round."""
    return max(found["gflops"] for rounds in results["rates"].values() for found in rounds)


def shares(results: dict, model: str, name: str) -> list[float]:
    """The share of that rate which a training step reaches."""
    rate = best_rate(results)
    return [work.FLOPS[model] / (1e6 * ms * rate) for ms in column(results, model, name, "step_ms")]


def fastest(results: dict, model: str) -> tuple[str, str]:
    """Of gdlib's two ways, and of the peers: which has the least median time a step."""

    def least(names):
        return min(names, key=lambda name: statistics.median(column(results, model, name, "step_ms")))

    names = results["trained"][model]
    return least(names.keys() & {OWN, SHARED}), least(names.keys() - {OWN, SHARED})


def fastest_decoder(results: dict) -> tuple[str, float]:
    """The peer that writes most tokens a second, and its rate over gdlib's of the same round."""

    def rates(name):
        return column(results, "transformer", name, "tokens_per_second")

    peers = results["trained"]["transformer"].keys() - {OWN, SHARED}
    peer = max(peers, key=lambda name: statistics.median(rates(name)))
    return peer, statistics.median(theirs / own for theirs, own in zip(rates(peer), rates(OWN), strict=True))


def decoding_rows(results: dict) -> list[list[str]]:
    """For each contender, thousands of tokens a second, and the median share of texts without a mistake."""
    rows = []
    for name in contenders(results):
        if name == SHARED:  # it is for training
            continue
        tokens, right = (
            column(results, "transformer", name, what) for what in ("tokens_per_second", "decoded_right")
        )
        rows.append([name, spread([rate / 1000 for rate in tokens]), f"{statistics.median(right):.0%}"])
    return rows


def contenders(results: dict) -> list[str]:
    return list(next(iter(results["trained"].values())))


def by_model(results: dict, cell) -> str:
    """A table with a row for each contender and a column for each model."""
    rows = [[name, *(cell(model, name) for model in work.MODELS)] for name in contenders(results)]
    return table(["", *TITLES.values()], rows)


def verdicts(results: dict) -> list[str]:
    """For each aim, whether it is met and by how much."""
    lines = []
    for model, title in TITLES.items():
        own, peer = fastest(results, model)
        ratio = statistics.median(ratios(results, model, peer, own))
        met = "met" if ratio >= 1 else "missed"
        line = (
            f"- {title}: **{met}**. The fastest peer, {peer}, takes {ratio:.2f} times as long a step as {own}"
        )
        if own == SHARED:
            as_called = statistics.median(ratios(results, model, peer, OWN))
            line += f", and {as_called:.2f} times as long as {OWN} that shares nothing"
        lines.append(f"{line}.")
    lines += [f"- {first_to_target(results, model)}" for model in work.TARGETS]
    peer, ratio = fastest_decoder(results)
    met = "met" if ratio <= 1 else "missed"
    lines.append(
        f"- Decoding: **{met}**. The fastest peer, {peer}, writes {ratio:.2f} times as many tokens a second as {OWN}."
    )
    share = statistics.median(shares(results, "vae", OWN))
    met = "met" if share >= SHARE else "missed"
    lines.append(
        f"- {SHARE:.0%} of the machine's matmul rate in the VAE: **{met}**. {OWN} reaches {share:.0%}."
    )
    return lines


def target(results: dict, model: str, name: str) -> str:
    seconds, epochs = (column(results, model, name, f"target_{what}") for what in ("seconds", "epochs"))
    if len(seconds) < results["rounds"]:
        return "not always reached"
    return f"{spread(seconds)} s, {statistics.median(epochs):.0f} epochs"


def where_rows(results: dict) -> list[list[str]]:
    rows = []
    for model, title in TITLES.items():
        found = results["where"][model]
        seconds = [digits(found[name]) for name in ("first_epoch_seconds", "traced", "compiled")]
        busy = found["busy_ms"]
        shares_ = [f"{busy[kind] / sum(busy.values()):.0%}" for kind in KINDS]
        rows.append([title, *seconds, *shares_])
    return rows


def first_to_target(results: dict, model: str) -> str:
    """Whether one of gdlib's two ways is the first of all at the held-out target."""

    def median(name):
        return statistics.median(column(results, model, name, "target_seconds"))

    reaching = [name for name in contenders(results) if column(results, model, name, "target_seconds")]
    own = min((name for name in reaching if name in (OWN, SHARED)), key=median)
    peer = min((name for name in reaching if name not in (OWN, SHARED)), key=median)
    met = "met" if median(own) <= median(peer) else "missed"
    seconds = f"{own} takes {digits(median(own))} s, {peer} {digits(median(peer))} s"
    return f"{TITLES[model]}, first at the target: **{met}**. {seconds}."


def seeds_rows(results: dict) -> list[list[str]]:
    rows = []
    for model, title in TITLES.items():
        ms = {name: statistics.median(times) for name, times in results["alone"][model]["step_ms"].items()}
        marginal = (ms["4 seeds"] - ms["1 seeds"]) / 3
        steps = [digits(ms[name]) for name in ("fit", "scan", "1 seeds", "2 seeds", "4 seeds")]
        rows.append([title, *steps, f"{marginal / ms['fit']:.0%}"])
    return rows


def markdown(results: dict) -> str:
    machine, rounds = results["machine"], results["rounds"]
    hardware = (
        f"{machine['processor']}, {machine['cores']} cores, {machine['memory']}, {machine['system']}, "
        f"Python {machine['python']}"
    )
    versions = ", ".join(f"{name} {machine[name]}" for name in list(machine)[5:])
    aims = "; ".join(f"{TITLES[model]}: {name} {value:g}" for model, (name, value) in work.TARGETS.items())
    rates = {
        library: spread([found["gflops"] for found in rounds_])
        for library, rounds_ in results["rates"].items()
    }

    def step(model, name):
        return spread(column(results, model, name, "step_ms"))

    def ratio(model, name):
        return spread(ratios(results, model, name))

    def share(model, name):
        return f"{statistics.median(shares(results, model, name)):.0%}"

    def first_epoch(model, name):
        return spread(column(results, model, name, "first_epoch_seconds"))

    def memory(model, name):
        peak, before = (column(results, model, name, what) for what in ("memory_peak", "memory_before"))
        return f"{statistics.median(peak):.0f} ({statistics.median(before):.0f})"

    time_to_target = [
        [name, *(target(results, model, name) for model in work.TARGETS)] for name in contenders(results)
    ]
    operations = ", ".join(f"{title} {work.FLOPS[model] / 1e6:.0f}" for model, title in TITLES.items())
    sections = [
        f"Run on {results['day']} on this machine: {hardware}. {versions}. Each number is the median of {rounds} "
        f"processes (in brackets the smallest and the largest), each of {results['epochs']} epochs of "
        f"{work.STEPS_PER_EPOCH} steps.",
        "## The aims",
        "\n".join(verdicts(results)),
        "## A training step, in milliseconds",
        by_model(results, step),
        "The same as a multiple of gdlib's step in the same round: above 1, gdlib is faster.",
        by_model(results, ratio),
        "## From nothing compiled to a trained model",
        "Seconds until the first epoch is done, compilation included:",
        by_model(results, first_epoch),
        f"Seconds until the held-out target is reached ({aims}), compilation and the evaluation after each epoch "
        "included, and after how many epochs that was:",
        table(["", *(TITLES[model] for model in work.TARGETS)], time_to_target),
        "## Writing, token by token",
        f"Thousands of tokens a second, with the trained transformer and a cache of keys and values: {work.TEXTS} "
        f"held-out dates at once, {work.WRITTEN} tokens each, the reading of the source included; warm, the median of "
        "20 times in each process. Beside it, the share of these dates that came out right, after the epochs that that "
        "process had trained:",
        table(["", "10³ tokens a second", "right"], decoding_rows(results)),
        "## The share of the machine's matmul rate",
        f"The machine multiplies float32 matrices at {digits(best_rate(results))} · 10⁹ operations a second: the best "
        f"of jax ({rates['jax']}) and PyTorch ({rates['torch']}). A step takes, by formula, in 10⁶ operations: "
        f"{operations}. The share of that rate which each reaches:",
        by_model(results, share),
        "## Memory",
        "The process's peak in MiB, and in brackets what it was after imports and with the data, before any model:",
        by_model(results, memory),
        "## gdlib: the loop alone, and one more seed",
        "Milliseconds a step of `fit`, of the compiled loop inside it, and of `fit` with 1, 2 and 4 seeds in "
        "one program; and what each further seed costs, as a share of a separate run's step:",
        table(["", "`fit`", "loop", "1 seed", "2 seeds", "4 seeds", "one more seed"], seeds_rows(results)),
        "## gdlib: where its time goes",
        "Seconds until the first epoch is done, how many of them JAX traced and how many XLA compiled (side by side, "
        "in part); and of the time in which the cores worked on a step, the share that products and sums took, the "
        "share that went into moving numbers (copies, transpositions, writing into a loop's rows), and the rest, which "
        "works number by number. One process, with JAX's profiler:",
        table(["", "first epoch, s", "traced, s", "compiled, s", *KINDS], where_rows(results)),
    ]
    return "\n\n".join(sections) + "\n"


if __name__ == "__main__":
    found = json.loads((HERE / "results.json").read_text(encoding="utf-8"))
    (HERE / "results.md").write_text(markdown(found))
