"""A date to type: an encoder and a decoder translate it in the page, and show where each of their heads looks."""

from collections.abc import Mapping, Sequence

import jax
import numpy as np
from numpy.typing import ArrayLike

from gdlib import expect
from gdlib.widgets.embed import Widget, nest_packed, packed, widget
from gdlib.widgets.typed import TOKENS, field, stacked_answers

EPSILON, BASE = 1e-6, 10_000  # of nnx.LayerNorm, and of the sinusoids in models.transformer
BODY = f"""
<div class="gdlib-row">{field("A date")}<output class="gdlib-result" aria-label="Translation"></output></div>
<div class="gdlib-row gdlib-picks" role="group" aria-label="Dates to try"></div>
<div class="gdlib-row gdlib-picks"><label>Attention <select class="gdlib-which"></select></label><label>Head <select
class="gdlib-head"></select></label></div>
<p class="gdlib-note">This position looks …</p>
<div class="gdlib-cells gdlib-from" tabindex="0" role="slider" aria-label="The position that looks"
aria-valuemin="1"></div>
<p class="gdlib-note">… at these:</p>
<div class="gdlib-cells gdlib-to" aria-hidden="true"></div>
<p class="gdlib-says" aria-live="polite"></p>
<p class="gdlib-note">Point at a character of the upper line, or move along it with the arrow keys. The darker a
character of the lower line, the larger its weight. ▷ is the start, ⏎ the end.</p>
<p class="gdlib-note gdlib-agrees"></p>
<noscript>This figure moves when JavaScript is on.</noscript>
"""


def attention(
    weights: Mapping,
    heads: int,
    characters: str,
    written: str,
    samples: Sequence[str],
    *,
    probabilities: Sequence[ArrayLike],
    longest: int,
    steps: int,
) -> Widget:
    """Type a text, see its translation, and see for each character what each head of each block looks at.

    Args:
      weights: of a `transformer.Translator` with sinusoids, as nested dicts: nnx.to_pure_dict(nnx.state(model,
        nnx.Param)). The page holds the kernels in eight bits: see `rounded`.
      heads: of each attention.
      characters, written: those with tokens of their own, in order, of the text and of the translation.
      samples: texts to try, of at most `longest` characters.
      probabilities: for each sample (tokens, targets), what the model with `rounded` weights gives at each step of its
        greedy translation, the end token's step included. The page computes them too, and says how far it is off.
      longest: characters that are read; the rest of a longer text is left out.
      steps: tokens at most that are written.

    Raises ValueError where shapes do not fit, for an empty or too long sample, and for NaN.
    """
    heads, longest, steps = (
        expect.positive_int(name, size)
        for name, size in (("heads", heads), ("longest", longest), ("steps", steps))
    )
    width = _checked_width(weights, heads, TOKENS["first"] + len(characters), TOKENS["first"] + len(written))
    answers = stacked_answers(
        samples,
        probabilities,
        TOKENS["first"] + len(written),
        longest=longest,
        rows=lambda _: range(1, steps + 1),
    )
    payload = {
        "weights": nest_packed(weights),
        "heads": heads,
        "width": width,
        "characters": characters,
        "written": written,
        "samples": list(samples),
        "probabilities": packed(answers),
        "longest": longest,
        "steps": steps,
        "tokens": TOKENS,
        "epsilon": EPSILON,
        "base": BASE,
    }
    description = (
        f"A date to type, and {len(samples)} to try: a Transformer translates it, and shows which characters each of "
        "its heads looks at."
    )
    return widget("attention", BODY, payload, description=description)


def _checked_width(weights: Mapping, heads: int, sources: int, targets: int) -> int:
    """The width, where the nest has the shapes of a `transformer.Translator`; else an error that names what differs."""
    try:
        width = int(np.shape(weights["norm"]["scale"])[0])
        hidden = int(np.shape(weights["encoder"]["blocks"][0]["feed_forward"]["hidden"]["bias"])[0])
        sizes = {len(weights["encoder"]["blocks"]), len(weights["blocks"])}
    except (KeyError, IndexError, TypeError) as error:
        raise ValueError(f"weights: expected those of a Translator as nested dicts, lacks {error}") from None
    if width % heads:
        raise ValueError(f"heads: expected a divisor of the width {width}, got {heads}")
    norm = {"scale": (width,), "bias": (width,)}
    looking = {
        "query": {"kernel": (width, width)},
        "key_value": {"kernel": (width, 2 * width)},
        "out": {"kernel": (width, width)},
    }
    dense = {
        "hidden": {"kernel": (width, hidden), "bias": (hidden,)},
        "out": {"kernel": (hidden, width), "bias": (width,)},
    }
    reads = {
        "attention": looking,
        "before_attention": norm,
        "feed_forward": dense,
        "before_feed_forward": norm,
    }
    writes = {
        "self_attention": looking,
        "before_self_attention": norm,
        "cross_attention": looking,
        "before_cross_attention": norm,
        "feed_forward": dense,
        "before_feed_forward": norm,
    }
    blocks = range(max(sizes))
    expected = {
        "sources": {"tokens": {"embedding": (sources, width)}},
        "targets": {"tokens": {"embedding": (targets, width)}},
        "encoder": {"blocks": dict.fromkeys(blocks, reads), "norm": norm},
        "blocks": dict.fromkeys(blocks, writes),
        "norm": norm,
        "logits": {"kernel": (width, targets), "bias": (targets,)},
    }
    wanted, got = (_shapes(nest, leaf) for nest, leaf in ((expected, tuple), (weights, np.shape)))
    for path in sorted(wanted.keys() | got.keys()):
        if wanted.get(path) != got.get(path):
            raise ValueError(f"weights{path}: expected shape {wanted.get(path)}, got {got.get(path)}")
    for path, array in jax.tree_util.tree_leaves_with_path(weights):
        expect.finite(f"weights{jax.tree_util.keystr(path)}", array)
    return width


def _shapes(nest: Mapping, leaf) -> dict[str, tuple[int, ...]]:
    """Path → shape."""
    found = jax.tree_util.tree_leaves_with_path(nest, is_leaf=lambda x: not isinstance(x, Mapping))
    return {jax.tree_util.keystr(path): leaf(value) for path, value in found}
