"""What every widget shares: weights in eight bits, and a block that stands by itself."""

import base64
import dataclasses
import hashlib
import html
import io
import itertools
import json
import re
from collections.abc import Mapping
from importlib.resources import files
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike
from PIL import Image

from gdlib import expect


class Layer(NamedTuple):
    """A dense layer as a page holds it: y = (x @ integers) · scale + bias.

    integers: (inputs, outputs) int8. scale, bias: (outputs,) float32.
    """

    integers: np.ndarray
    scale: np.ndarray
    bias: np.ndarray

    @property
    def kernel(self) -> np.ndarray:
        """The weights that the page computes with, (inputs, outputs) float32."""
        return self.integers.astype(np.float32) * self.scale


def quantize(kernel: ArrayLike, bias: ArrayLike) -> Layer:
    """Round each column of `kernel` to multiples of 1/127 of its largest magnitude: a quarter of the bytes.

    Raises ValueError for shapes that are no layer's, and for NaN or infinity.

    Example:
      >>> quantize([[0.5, -3.0], [1.27, 1.5]], [0.0, 0.0]).integers
      array([[  50, -127],
             [ 127,   64]], dtype=int8)
    """
    kernel, bias = np.asarray(kernel, np.float32), np.asarray(bias, np.float32)
    if kernel.ndim != 2 or bias.shape != kernel.shape[1:]:
        raise ValueError(
            f"kernel: expected (inputs, outputs) and a bias (outputs,), got {kernel.shape} and {bias.shape}"
        )
    expect.finite("kernel", kernel)
    expect.finite("bias", bias)
    largest = np.abs(kernel).max(axis=0)
    smallest = (
        127 * np.finfo(np.float32).tiny
    )  # below it a step would lose its own digits: such weights are 0
    scale = np.where(largest >= smallest, largest / np.float32(127), np.float32(1)).astype(np.float32)
    return Layer(np.rint(kernel / scale).astype(np.int8), scale, bias)


@dataclasses.dataclass(frozen=True)
class Widget:
    """A block for a notebook and for a page; in plain text it says what it would show."""

    block: str
    description: str

    def __repr__(self) -> str:
        return self.description

    def _repr_html_(self) -> str:
        return self.block


def packed(array: ArrayLike) -> dict[str, str]:
    """An array's bytes, little-endian, as base64 with the name of their type: for a page to unpack."""
    array = np.ascontiguousarray(array)
    array = array.astype(array.dtype.newbyteorder("<"))
    return {"type": array.dtype.name, "data": base64.b64encode(array.tobytes()).decode()}


def grey_png(image: ArrayLike) -> str:
    """A grey image, (height, width) with values in [0, 1] from paper to ink, as PNG in base64."""
    file = io.BytesIO()
    # Sixteen greys look the same at a quarter of the bytes.
    greys = 17 * np.rint(15 * (1 - np.asarray(image))).astype(np.uint8)
    Image.fromarray(greys).save(file, format="png", optimize=True)
    return base64.b64encode(file.getvalue()).decode()


def layer_packed(layer: Layer) -> dict[str, Any]:
    """A layer for the page."""
    return {name: packed(array) for name, array in layer._asdict().items()}


def layers_packed(layers: tuple[Layer, ...] | list[Layer], name: str = "layers") -> list[dict[str, Any]]:
    """Layers for the page.

    Raises ValueError where one's outputs are not the next one's inputs, or not as many as its scales and biases.
    """
    for layer in layers:
        if not layer.integers.shape[1:] == np.shape(layer.scale) == np.shape(layer.bias):
            raise ValueError(
                f"{name}: expected a scale and a bias for each output, got shapes {layer.integers.shape}, "
                f"{np.shape(layer.scale)} and {np.shape(layer.bias)}"
            )
    for first, second in itertools.pairwise(layers):
        if first.integers.shape[1] != second.integers.shape[0]:
            raise ValueError(
                f"{name}: expected each to take what the one before gives, got {first.integers.shape} "
                f"and then {second.integers.shape}"
            )
    return [layer_packed(layer) for layer in layers]


def rounded(weights: Mapping) -> dict:
    """The same nest of dicts, with every "kernel" as a page holds it: see `quantize`."""
    return {
        name: rounded(inner)
        if isinstance(inner, Mapping)
        else (_quantized(weights).kernel if name == "kernel" else np.asarray(inner))
        for name, inner in weights.items()
    }


def _quantized(dense: Mapping) -> Layer:
    """A nest's dense layer; where it has no bias, with zeros."""
    return quantize(dense["kernel"], dense.get("bias", np.zeros(np.shape(dense["kernel"])[1:])))


def nest_packed(weights: Mapping) -> dict[str, Any]:
    """A nest of dicts for the page: dense layers in eight bits, other arrays as they are."""
    if "kernel" in weights:
        return layer_packed(_quantized(weights))
    return {
        str(name): nest_packed(inner) if isinstance(inner, Mapping) else packed(np.asarray(inner, np.float32))
        for name, inner in weights.items()
    }


IMPORT = re.compile(r'^import \{[^}]*\} from "\./(\w+)\.js";\n', re.MULTILINE)


def script(name: str) -> str:
    """`name`.js and all that it imports, each once, what is imported first.

    They are written as modules, so that editors and linters understand them. A page that is opened from a file must
    not load modules: here they become one script, in which every name is known.
    """
    parts: dict[str, str] = {}

    def collect(name: str) -> None:
        text = (files("gdlib.widgets") / f"{name}.js").read_text("utf-8")
        for imported in IMPORT.findall(text):
            if imported not in parts:
                collect(imported)
        parts[name] = re.sub(r"^export ", "", IMPORT.sub("", text), flags=re.MULTILINE)

    collect(name)
    return "\n".join(parts.values())


def widget(name: str, body: str, payload: dict[str, Any], *, description: str) -> Widget:
    """Assemble `name`.js and the shared style around a body.

    Args:
      name: of the script beside this file; it finds its own elements by their class inside the block.
      body: HTML.
      payload: what the script gets, as JSON.
      description: what a reader who sees or runs nothing is told.
    """
    style = (files("gdlib.widgets") / "widget.css").read_text("utf-8")
    try:
        text = json.dumps(payload, separators=(",", ":"), allow_nan=False).replace("<", "\\u003c")
    except ValueError as error:  # a page's parser knows neither NaN nor infinity
        raise ValueError(f"{name}: expected finite numbers for the page, got others ({error})") from None
    identifier = f"{name}-{hashlib.sha256((body + text).encode()).hexdigest()[:10]}"
    block = (
        f'<div class="gdlib-widget" id="{identifier}" role="group" aria-label="{html.escape(description)}">'
        f"<style>{style}</style>{body}"
        f'<script type="application/json">{text}</script>'
        f"<script>(function (root) {{\nroot.dataset.started = true;\n{script(name)}\n}})(document.querySelector("
        f"'[id=\"{identifier}\"]:not([data-started])'));</script></div>"
    )
    return Widget(block, description)
