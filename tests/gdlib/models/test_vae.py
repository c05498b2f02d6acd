import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gdlib.models import mlp, vae


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


# ------------------------------------------------------------------------------------- told the class


@pytest.fixture(scope="module")
def conditional(model):
    return vae.ConditionalVAE(model, 3, rngs=nnx.Rngs(1))


def test_a_class_is_what_a_one_hot_code_beside_the_inputs_would_be(conditional, model):
    images = np.random.default_rng(0).random((3, 4, 5, 1), np.float32)
    labels = np.array([2, 0, 2])
    one_hot = np.eye(3, dtype=np.float32)[labels]

    kernel = np.concatenate([model.encoder.hidden.kernel[...], conditional.encoder_classes.embedding[...]])
    beside = np.concatenate([images.reshape(3, 20), one_hot], axis=1)
    hidden = relu(beside @ kernel + np.asarray(model.encoder.hidden.bias[...]))
    mean, logvar = conditional.encode(jnp.asarray(images), jnp.asarray(labels))
    np.testing.assert_allclose(mean, affine(hidden, model.encoder.mean), rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(logvar, affine(hidden, model.encoder.logvar), rtol=1e-5, atol=1e-6)

    kernel = np.concatenate([model.decoder.hidden.kernel[...], conditional.decoder_classes.embedding[...]])
    hidden = relu(
        np.concatenate([mean, one_hot], axis=1) @ kernel + np.asarray(model.decoder.hidden.bias[...])
    )
    logits = conditional.decode(mean, jnp.asarray(labels))
    expected = affine(hidden, model.decoder.logits).reshape(3, 4, 5, 1)
    np.testing.assert_allclose(logits, expected, rtol=1e-5, atol=1e-6)
    np.testing.assert_allclose(
        conditional.generate(mean, jnp.asarray(labels)), jax.nn.sigmoid(logits), rtol=1e-6
    )


def test_given_is_the_model_with_the_classes_filled_in(conditional):
    images, labels = jnp.ones((2, 4, 5, 1)), jnp.array([1, 0])
    given = conditional.given(labels)
    mean, logvar = conditional.encode(images, labels)
    np.testing.assert_array_equal(given.encode(images), (mean, logvar))
    np.testing.assert_array_equal(given.decode(mean), conditional.decode(mean, labels))


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0], ValueError, r"labels: expected 2 of them, got shape \(1,\)"),
        ([0, 3], ValueError, "labels: expected values from 0 to 2, got 0 to 3"),
        ([0.0, 1.0], TypeError, "labels: expected integers"),
    ],
)
def test_labels_that_are_no_classes_are_named(untyped, conditional, labels, error, message):
    for call in (
        lambda labels: conditional.encode(jnp.ones((2, 4, 5, 1)), labels),
        lambda labels: conditional.decode(jnp.ones((2, 3)), labels),
    ):
        with pytest.raises(error, match=message):
            call(jnp.asarray(labels))


def test_a_conditional_model_has_at_least_one_class(untyped, model):
    with pytest.raises(ValueError, match="classes: expected an integer of at least 1, got 0"):
        vae.ConditionalVAE(model, 0, rngs=nnx.Rngs(0))


def test_the_parts_of_m2_have_the_same_classes(conditional):
    two, three = (mlp.MLP((4, 5, 1), (), classes, rngs=nnx.Rngs(0)) for classes in (2, 3))
    assert vae.SemiSupervisedVAE(conditional, three).classifier is three
    with pytest.raises(ValueError, match="expected the same number of classes, got 3 and 2"):
        vae.SemiSupervisedVAE(conditional, two)
