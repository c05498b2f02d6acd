"""The networks against plain loops over their weights."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gdlib.models import cnn, mlp


def affine(x, layer):
    return x @ np.asarray(layer.kernel[...]) + np.asarray(layer.bias[...])


def convolve(image, layer, stride=1):
    """One image, (…space, channels), by a loop over positions."""
    kernel, bias = np.asarray(layer.kernel[...]), np.asarray(layer.bias[...])
    window = kernel.shape[:-2]
    out = [(size - w) // stride + 1 for size, w in zip(image.shape, window, strict=False)]
    found = np.zeros((*out, kernel.shape[-1]))
    for place in np.ndindex(*out):
        seen = tuple(slice(stride * p, stride * p + w) for p, w in zip(place, window, strict=True))
        found[place] = np.tensordot(image[seen], kernel, len(window) + 1) + bias
    return found


def pool(image):
    height, width, channels = (image.shape[0] // 2, image.shape[1] // 2, image.shape[2])
    return image[: 2 * height, : 2 * width].reshape(height, 2, width, 2, channels).max((1, 3))


def perturbed(model):
    """Biases of 0 would hide their absence."""
    state = nnx.state(model, nnx.Param)
    nnx.update(model, jax.tree.map(lambda a: a + 0.1 * jnp.cos(jnp.arange(a.size)).reshape(a.shape), state))
    return model


@pytest.mark.parametrize(
    ("shape", "channels"),
    [((10, 10, 1), (4, 5)), ((11, 13, 2), (4, 5)), ((12, 15, 1), (4, 5)), ((24, 22, 1), (2, 3, 4))],
)
def test_the_network_is_its_layers(shape, channels):
    model = perturbed(cnn.CNN(shape, 3, channels=channels, hidden=6, rngs=nnx.Rngs(0)))
    images = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    maps = model.feature_maps(jnp.asarray(images))
    for i, image in enumerate(images):
        h = image
        for layer, found in zip(model.convolutions, maps, strict=True):
            h = pool(np.maximum(convolve(h, layer), 0))
            np.testing.assert_allclose(found[i], h, rtol=1e-4, atol=1e-5)
        h = np.maximum(affine(h.ravel(), model.dense), 0)
        np.testing.assert_allclose(model.features(jnp.asarray(images))[i], h, rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(
            model(jnp.asarray(images))[i], affine(h, model.logits), rtol=1e-4, atol=1e-5
        )
    assert model.feature_shapes() == [found.shape[1:] for found in maps]


def test_at_the_usual_size_it_has_the_parameters_that_arithmetic_gives():
    model = cnn.CNN((28, 28, 1), 10, rngs=nnx.Rngs(0))
    count = sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model, nnx.Param)))
    assert count == (9 + 1) * 32 + (9 * 32 + 1) * 64 + (5 * 5 * 64 + 1) * 128 + (128 + 1) * 10


def test_dropout_is_on_in_training_and_off_in_evaluation():
    model = cnn.CNN((10, 10, 1), 3, hidden=64, dropout=0.5, rngs=nnx.Rngs(0))
    images = jax.random.normal(jax.random.key(0), (4, 10, 10, 1))
    model.train()
    one, other = (model(images, rngs=nnx.Rngs(seed)) for seed in (1, 2))
    assert not np.allclose(one, other)
    model.eval()
    np.testing.assert_array_equal(model(images), model(images, rngs=nnx.Rngs(1)))


def test_the_sequence_network_is_its_layers():
    model = perturbed(cnn.SequenceCNN(13, 3, channels=4, rngs=nnx.Rngs(0)))
    sequences = np.random.default_rng(0).normal(size=(2, 13)).astype(np.float32)
    for i, sequence in enumerate(sequences):
        h = sequence[:, None]
        for layer in model.convolutions:
            h = np.maximum(convolve(np.pad(h, ((1, 1), (0, 0))), layer, stride=2), 0)
        np.testing.assert_allclose(
            model(jnp.asarray(sequences))[i], affine(h.ravel(), model.logits), rtol=1e-4, atol=1e-5
        )


def test_the_published_networks_have_the_published_number_of_parameters():
    published = {
        410: mlp.MLP((40,), (), 10, rngs=nnx.Rngs(0)),
        15210: mlp.MLP((40,), (100, 100), 10, rngs=nnx.Rngs(0)),
        5210: cnn.SequenceCNN(40, 10, rngs=nnx.Rngs(0)),
    }
    for count, model in published.items():
        assert sum(leaf.size for leaf in jax.tree.leaves(nnx.state(model))) == count


def test_the_perceptron_is_its_layers():
    model = perturbed(mlp.MLP((3, 2), (5, 4), 3, rngs=nnx.Rngs(0)))
    examples = np.random.default_rng(0).normal(size=(2, 3, 2)).astype(np.float32)
    h = examples.reshape(2, 6)
    for layer in model.hidden:
        h = np.maximum(affine(h, layer), 0)
    np.testing.assert_allclose(model(jnp.asarray(examples)), affine(h, model.logits), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda r: cnn.CNN((9, 28, 1), 10, rngs=r),
            ValueError,
            r"large enough for 2 convolutions.*\(9, 28, 1\)",
        ),
        (
            lambda r: cnn.CNN((28, 28), 10, rngs=r),
            ValueError,
            r"image_shape: expected \(height, width, channels\)",
        ),
        (lambda r: cnn.CNN((28, 28, 1), 0, rngs=r), ValueError, "classes: expected an integer of at least 1"),
        (lambda r: cnn.CNN((28, 28, 1), 2, dropout=1.0, rngs=r), ValueError, "dropout: expected a share"),
        (
            lambda r: cnn.CNN((28, 28, 1), 2, channels=(1.5,), rngs=r),
            TypeError,
            "channels: expected an integer",
        ),
        (lambda r: cnn.SequenceCNN(2, 3, rngs=r), ValueError, "length: expected at least 3"),
        (lambda r: mlp.MLP((3,), (0,), 3, rngs=r), ValueError, "hidden: expected an integer of at least 1"),
    ],
)
def test_sizes_that_make_no_network_are_named(untyped, make, error, message):
    with pytest.raises(error, match=message):
        make(nnx.Rngs(0))


@pytest.mark.parametrize(
    ("model", "shape", "message"),
    [
        (
            cnn.CNN((10, 10, 1), 2, rngs=nnx.Rngs(0)),
            (2, 10, 10, 3),
            r"images: expected shape \(batch, 10, 10, 1\)",
        ),
        (cnn.SequenceCNN(9, 2, rngs=nnx.Rngs(0)), (2, 8), r"sequences: expected shape \(batch, 9\)"),
        (mlp.MLP((4,), (), 2, rngs=nnx.Rngs(0)), (4,), r"examples: expected shape \(batch, 4\), got \(4,\)"),
    ],
)
def test_examples_of_another_shape_are_named(untyped, model, shape, message):
    with pytest.raises(ValueError, match=message):
        model(jnp.zeros(shape))


def test_a_network_without_convolutions_is_refused():
    with pytest.raises(ValueError, match="channels: expected at least one convolution's"):
        cnn.CNN((8, 8, 1), 3, channels=(), rngs=nnx.Rngs(0))


def test_no_examples_give_no_logits():
    assert mlp.MLP((4, 4, 1), (3,), 2, rngs=nnx.Rngs(0))(jnp.zeros((0, 4, 4, 1))).shape == (0, 2)
