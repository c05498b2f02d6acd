import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gdlib.models import vae


@pytest.fixture(scope="module")
def model():
    return vae.VAE((4, 5, 1), 3, encoder_hidden=7, decoder_hidden=6, rngs=nnx.Rngs(0))


def relu(x):
    return np.maximum(x, 0)


def affine(x, layer):
    return x @ np.asarray(layer.kernel[...]) + np.asarray(layer.bias[...])


def test_the_encoder_is_two_heads_on_one_hidden_layer(model):
    images = np.random.default_rng(0).random((2, 4, 5, 1), np.float32)
    mean, logvar = model.encode(jnp.asarray(images))
    hidden = relu(affine(images.reshape(2, 20), model.encoder.hidden))
    np.testing.assert_allclose(mean, affine(hidden, model.encoder.mean), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(logvar, affine(hidden, model.encoder.logvar), rtol=1e-5, atol=1e-6)
    assert (np.asarray(mean) != np.asarray(logvar)).all()


def test_the_decoder_gives_a_logit_a_pixel_and_generate_its_probability(model):
    z = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    logits = model.decode(jnp.asarray(z))
    expected = affine(relu(affine(z, model.decoder.hidden)), model.decoder.logits)
    np.testing.assert_allclose(logits, expected.reshape(2, 4, 5, 1), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        model.generate(jnp.asarray(z)), 1 / (1 + np.exp(-np.asarray(logits))), rtol=1e-5
    )


def test_the_default_sizes_are_the_sources():
    sizes = {
        "/".join(map(str, path)): leaf.shape
        for path, leaf in nnx.to_flat_state(
            nnx.eval_shape(lambda: nnx.state(vae.VAE((28, 28, 1), 2, rngs=nnx.Rngs(0))))
        )
    }
    assert sizes["encoder/hidden/kernel"] == (784, 256)
    assert sizes["encoder/mean/kernel"] == sizes["encoder/logvar/kernel"] == (256, 2)
    assert sizes["decoder/hidden/kernel"] == (2, 512)
    assert sizes["decoder/logits/kernel"] == (512, 784)


def test_wrong_shapes_are_named_even_while_tracing(model, untyped):
    with pytest.raises(ValueError, match=r"images: expected shape \(batch, 4, 5, 1\), got \(2, 5, 4, 1\)"):
        jax.jit(lambda x: model.encode(x))(jnp.zeros((2, 5, 4, 1)))
    with pytest.raises(ValueError, match=r"images: expected shape \(batch, 4, 5, 1\), got \(4, 5, 1\)"):
        model.encode(jnp.zeros((4, 5, 1)))
    with pytest.raises(ValueError, match=r"latent: expected shape \(batch, 3\), got \(2, 4\)"):
        model.decode(jnp.zeros((2, 4)))


@pytest.mark.parametrize(
    ("shape", "latent", "message"),
    [
        ((28, 28, 1), 0, "latent: expected an integer of at least 1, got 0"),
        ((28, 0, 1), 2, "width: expected an integer of at least 1, got 0"),
        ((28, 28), 2, r"image_shape: expected \(height, width, channels\), got \(28, 28\)"),
    ],
)
def test_sizes_that_make_no_model_are_named(untyped, shape, latent, message):
    with pytest.raises(ValueError, match=message):
        vae.VAE(shape, latent, rngs=nnx.Rngs(0))


def test_an_empty_batch_gives_an_empty_answer(model):
    mean, _ = model.encode(jnp.zeros((0, 4, 5, 1)))
    assert mean.shape == (0, 3)
    assert model.decode(mean).shape == (0, 4, 5, 1)
