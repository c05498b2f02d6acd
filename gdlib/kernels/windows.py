"""Windows that move over images and sequences: what convolution and pooling share."""

import itertools
from collections.abc import Iterator, Sequence

from jaxtyping import Array

from gdlib import expect


def one_a_direction(name: str, sizes: Sequence[int], inputs: Array) -> tuple[int, ...]:
    """`sizes`, one for each direction of space. Raises TypeError or ValueError."""
    if len(sizes) != inputs.ndim - 2:
        raise ValueError(
            f"{name}: expected {inputs.ndim - 2} sizes for inputs of shape {inputs.shape}, got {len(sizes)}"
        )
    return tuple(expect.positive_int(name, size) for size in sizes)


def shifted(x: Array, window: Sequence[int], strides: Sequence[int]) -> Iterator[Array]:
    """For each position in the window, what stands there as the window moves; (batch, *new_space, channels)."""
    for offset in itertools.product(*map(range, window)):
        slices = (
            slice(start, start + size - extent + 1, stride)
            for start, size, extent, stride in zip(offset, x.shape[1:-1], window, strides, strict=True)
        )
        yield x[(slice(None), *slices)]


def check_fits(space: Sequence[int], window: Sequence[int]) -> None:
    """Raise ValueError for images smaller than the window."""
    if any(size < extent for size, extent in zip(space, window, strict=True)):
        raise ValueError(
            f"inputs: expected at least the window's size {tuple(window)}, got {tuple(space)}, padding included"
        )
