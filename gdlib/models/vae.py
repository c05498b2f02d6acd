"""The variational autoencoder of Kingma & Welling (2014), with Gaussian latents and binary pixels."""

import math

import jax
from flax import nnx
from jaxtyping import Array, Float

from gdlib import validation


class Encoder(nnx.Module):
    """x → (mean, logvar) of q(z|x), from one hidden layer and a head for each of the two."""

    def __init__(self, in_features: int, hidden: int, latent: int, *, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(in_features, hidden, rngs=rngs)
        self.mean = nnx.Linear(hidden, latent, rngs=rngs)
        self.logvar = nnx.Linear(hidden, latent, rngs=rngs)

    def __call__(
        self, x: Float[Array, "batch pixels"]
    ) -> tuple[Float[Array, "batch latent"], Float[Array, "batch latent"]]:
        h = nnx.relu(self.hidden(x))
        return self.mean(h), self.logvar(h)


class Decoder(nnx.Module):
    """z → logits of p(x|z), one a pixel."""

    def __init__(self, latent: int, hidden: int, out_features: int, *, rngs: nnx.Rngs):
        self.hidden = nnx.Linear(latent, hidden, rngs=rngs)
        self.logits = nnx.Linear(hidden, out_features, rngs=rngs)

    def __call__(self, z: Float[Array, "batch latent"]) -> Float[Array, "batch pixels"]:
        return self.logits(nnx.relu(self.hidden(z)))


class VAE(nnx.Module):
    """An encoder and a decoder for images of one shape.

    Args:
      image_shape: (height, width, channels).
      latent: the number of latent dimensions.
      encoder_hidden, decoder_hidden: units of the hidden layers.
      rngs: the source of the initial weights.

    Raises ValueError or TypeError where a size is no positive integer.
    """

    def __init__(
        self,
        image_shape: tuple[int, int, int],
        latent: int,
        *,
        encoder_hidden: int = 256,
        decoder_hidden: int = 512,
        rngs: nnx.Rngs,
    ):
        if len(image_shape) != 3:
            raise ValueError(f"image_shape: expected (height, width, channels), got {image_shape}")
        names = ("height", "width", "channels", "latent", "encoder_hidden", "decoder_hidden")
        for name, size in zip(names, (*image_shape, latent, encoder_hidden, decoder_hidden), strict=True):
            validation.positive_int(name, size)
        self.image_shape = tuple(image_shape)
        self.latent = latent
        pixels = math.prod(image_shape)
        self.encoder = Encoder(pixels, encoder_hidden, latent, rngs=rngs)
        self.decoder = Decoder(latent, decoder_hidden, pixels, rngs=rngs)

    def encode(
        self, images: Float[Array, "batch h w c"]
    ) -> tuple[Float[Array, "batch latent"], Float[Array, "batch latent"]]:
        """Mean and log-variance of q(z|x), each (batch, latent)."""
        validation.trailing_shape("images", images, self.image_shape)
        return self.encoder(images.reshape(len(images), math.prod(self.image_shape)))

    def decode(self, latent: Float[Array, "batch latent"]) -> Float[Array, "batch h w c"]:
        """Logits of p(x|z): a pixel is on with probability sigmoid(logit)."""
        validation.trailing_shape("latent", latent, (self.latent,))
        return self.decoder(latent).reshape(len(latent), *self.image_shape)

    def generate(self, latent: Float[Array, "batch latent"]) -> Float[Array, "batch h w c"]:
        """The mean image sigmoid(decode(latent)), in [0, 1]: for looking at, not for a likelihood."""
        return jax.nn.sigmoid(self.decode(latent))
