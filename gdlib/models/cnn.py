"""A convolutional network that classifies images, after LeCun et al. (1998)."""

import itertools
import math

from flax import nnx
from jaxtyping import Array, Float

from gdlib import expect
from gdlib.kernels.convolution import convolution
from gdlib.kernels.pooling import max_pool

WINDOW, POOL = 3, 2


class CNN(nnx.Module):
    """An image → one logit a class.

    Convolutions of 3 × 3 without padding, each followed by ReLU and a pooling of 2 × 2; then a dense layer with ReLU,
    dropout, and a dense layer to the logits.

    Args:
      image_shape: (height, width, channels).
      classes: how many.
      channels: after each convolution.
      hidden: units of the dense layer.
      dropout: the share of these that training sets to zero at random, below 1.
      rngs: the source of the initial weights.

    Raises TypeError or ValueError where a size is no positive integer, and for images too small for that many
    convolutions.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        classes: int,
        *,
        channels: tuple[int, ...] = (32, 64),
        hidden: int = 128,
        dropout: float = 0.0,
        rngs: nnx.Rngs,
    ):
        if len(image_shape) != 3:
            raise ValueError(f"image_shape: expected (height, width, channels), got {image_shape}")
        named = {"image_shape": image_shape, "classes": (classes,), "channels": channels, "hidden": (hidden,)}
        for name, sizes in named.items():
            for size in sizes:
                expect.positive_int(name, size)
        if not channels:
            raise ValueError("channels: expected at least one convolution's, got none")
        if not 0 <= dropout < 1:
            raise ValueError(f"dropout: expected a share from 0 to below 1, got {dropout}")
        self.image_shape, self.classes = tuple(image_shape), classes
        self.convolutions = nnx.List(
            nnx.Conv(
                inputs,
                outputs,
                (WINDOW, WINDOW),
                padding="VALID",
                kernel_init=nnx.initializers.he_normal(),
                conv_general_dilated=convolution,
                rngs=rngs,
            )
            for inputs, outputs in itertools.pairwise((image_shape[2], *channels))
        )
        self.dense = nnx.Linear(
            math.prod(self.feature_shapes()[-1]), hidden, kernel_init=nnx.initializers.he_normal(), rngs=rngs
        )
        self.dropout = nnx.Dropout(dropout)
        self.logits = nnx.Linear(hidden, classes, rngs=rngs)

    def feature_shapes(self) -> list[tuple[int, int, int]]:
        """(height, width, channels) after each pooling. Raises ValueError where nothing is left of an image."""
        shapes, (height, width, _) = [], self.image_shape
        for layer in self.convolutions:
            height, width = ((size - WINDOW + 1) // POOL for size in (height, width))
            if min(height, width) < 1:
                raise ValueError(
                    f"image_shape: expected images large enough for {len(self.convolutions)} convolutions, "
                    f"got {self.image_shape}"
                )
            shapes.append((height, width, layer.out_features))
        return shapes

    def feature_maps(self, images: Float[Array, "batch h w c"]) -> list[Float[Array, "batch _ _ _"]]:
        """What each convolution gives, after ReLU and pooling."""
        expect.trailing_shape("images", images, self.image_shape)
        maps, h = [], images
        for layer, (height, width, _) in zip(self.convolutions, self.feature_shapes(), strict=True):
            # Pooling ignores an odd last row and column: nothing is computed for them.
            seen = h[:, : POOL * height + WINDOW - 1, : POOL * width + WINDOW - 1]
            h = max_pool(nnx.relu(layer(seen)), (POOL, POOL))
            maps.append(h)
        return maps

    def features(self, images: Float[Array, "batch h w c"]) -> Float[Array, "batch hidden"]:
        """The dense layer's answer, after ReLU: what the logits are linear in."""
        last = self.feature_maps(images)[-1]
        return nnx.relu(self.dense(last.reshape(len(last), -1)))

    def __call__(
        self, images: Float[Array, "batch h w c"], *, rngs: nnx.Rngs | None = None
    ) -> Float[Array, "batch classes"]:
        """Logits. Dropout is on in training mode, `model.train()`, and then draws from `rngs`."""
        return self.logits(self.dropout(self.features(images), rngs=rngs))


class SequenceCNN(nnx.Module):
    """A sequence → one logit a class.

    Three convolutions of stride 2 with ReLU, of windows 5, 3 and 3, padded by a zero at each end; then a dense layer.

    Args:
      length: of a sequence, at least 3.
      classes: how many.
      channels: after each convolution.
      rngs: the source of the initial weights.

    Reference: the convolutional network of Greydanus & Kobak (2024), in their code.
    """

    def __init__(self, length: int, classes: int, *, channels: int = 25, rngs: nnx.Rngs):
        for name, size in {"length": length, "classes": classes, "channels": channels}.items():
            expect.positive_int(name, size)
        if length < 3:
            raise ValueError(f"length: expected at least 3, to leave one position, got {length}")
        self.length, self.classes = length, classes
        self.convolutions = nnx.List(
            nnx.Conv(
                inputs,
                channels,
                (window,),
                strides=2,
                padding=1,
                conv_general_dilated=convolution,
                rngs=rngs,
            )
            for inputs, window in ((1, 5), (channels, 3), (channels, 3))
        )
        for window in (5, 3, 3):
            length = (length + 2 - window) // 2 + 1
        self.logits = nnx.Linear(length * channels, classes, rngs=rngs)

    def __call__(self, sequences: Float[Array, "batch length"]) -> Float[Array, "batch classes"]:
        expect.trailing_shape("sequences", sequences, (self.length,))
        h = sequences[..., None]
        for layer in self.convolutions:
            h = nnx.relu(layer(h))
        return self.logits(h.reshape(len(h), -1))
