import jax
import jax.numpy as jnp
import numpy as np
import pytest
from flax import nnx

from gdlib.models import gan, mlp


def affine(x, layer):
    return x @ np.asarray(layer.kernel[...]) + np.asarray(layer.bias[...])


def sizes(module):
    return [leaf.shape for path, leaf in nnx.to_flat_state(nnx.state(module)) if path[-1] == "kernel"]


def test_the_generator_is_its_layers():
    model = gan.Generator(3, (7, 6), (4, 5, 1), output=jnp.tanh, rngs=nnx.Rngs(0))
    z = np.random.default_rng(0).normal(size=(2, 3)).astype(np.float32)
    h = z
    for layer in model.layers[:2]:
        h = np.maximum(affine(h, layer), 0)
    expected = np.tanh(affine(h, model.layers[2])).reshape(2, 4, 5, 1)
    np.testing.assert_allclose(model(jnp.asarray(z)), expected, rtol=1e-5, atol=1e-6)


def test_the_discriminator_is_its_layers_and_gives_a_logit_an_example():
    model = gan.Discriminator((4, 5, 1), (7, 6), rngs=nnx.Rngs(0))
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 1)).astype(np.float32)
    h = x.reshape(2, 20)
    for layer in model.layers[:2]:
        h = affine(h, layer)
        h = np.where(h > 0, h, 0.2 * h)
    np.testing.assert_allclose(model(jnp.asarray(x)), affine(h, model.layers[2])[:, 0], rtol=1e-5, atol=1e-6)


@pytest.mark.parametrize(
    ("generator", "discriminator"),
    [
        (
            gan.Generator(2, (8,), (8, 12, 1), rngs=nnx.Rngs(0)),
            gan.Discriminator((8, 12, 1), (8,), rngs=nnx.Rngs(0)),
        ),
        (
            gan.ConvGenerator(2, (4, 3), (8, 12, 1), rngs=nnx.Rngs(0)),
            gan.ConvDiscriminator((8, 12, 1), (3, 4), rngs=nnx.Rngs(0)),
        ),
    ],
    ids=["dense", "convolutional"],
)
def test_what_is_generated_can_be_judged_and_the_gradient_reaches_the_code(generator, discriminator):
    model = gan.GAN(generator, discriminator)
    z = jax.random.normal(jax.random.key(0), (5, 2))
    assert model.generate(z).shape == (5, 8, 12, 1)
    assert model.discriminator(model.generate(z)).shape == (5,)
    slope = jax.grad(lambda z: jnp.sum(model.discriminator(model.generate(z))))(z)
    assert (jnp.abs(slope).sum(axis=1) > 0).all()


def test_a_convolutional_discriminator_judges_each_image_by_itself():
    model = gan.ConvDiscriminator((8, 8, 1), (3, 4), rngs=nnx.Rngs(0))
    images = jax.random.normal(jax.random.key(0), (4, 8, 8, 1))
    np.testing.assert_allclose(model(images)[1:2], model(images[1:2]), rtol=1e-5)


def test_players_that_do_not_fit_are_refused_with_both_named():
    generator = gan.Generator(2, (8,), (4, 4, 1), rngs=nnx.Rngs(0))
    discriminator = gan.Discriminator((16,), (8,), rngs=nnx.Rngs(0))
    with pytest.raises(
        ValueError, match=r"a generator that makes \(4, 4, 1\) and a discriminator that takes \(16,\)"
    ):
        gan.GAN(generator, discriminator)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda r: gan.Generator(0, (8,), (2,), rngs=r),
            ValueError,
            "latent: expected an integer of at least 1",
        ),
        (lambda r: gan.Generator(2, (), (2,), rngs=r), ValueError, "hidden: expected at least one size"),
        (lambda r: gan.Generator(2, (8.5,), (2,), rngs=r), TypeError, "hidden: expected an integer"),
        (
            lambda r: gan.Discriminator((), (8,), rngs=r),
            ValueError,
            "sample_shape: expected at least one size",
        ),
        (
            lambda r: gan.ConvGenerator(2, (4, 3), (9, 8, 1), rngs=r),
            ValueError,
            r"sample_shape:.*got \(9, 8, 1\)",
        ),
        (lambda r: gan.ConvDiscriminator((16,), (3, 4), rngs=r), ValueError, r"sample_shape:.*got \(16,\)"),
    ],
)
def test_sizes_that_make_no_player_are_named(untyped, make, error, message):
    with pytest.raises(error, match=message):
        make(nnx.Rngs(0))


def test_wrong_shapes_are_named(untyped):
    model = gan.Discriminator((2,), (8,), rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"samples: expected shape \(batch, 2\), got \(5, 3\)"):
        model(jnp.zeros((5, 3)))
    with pytest.raises(ValueError, match=r"latent: expected shape \(batch, 3\), got \(5, 2\)"):
        gan.Generator(3, (8,), (2,), rngs=nnx.Rngs(0))(jnp.zeros((5, 2)))


# ------------------------------------------------------------------------------------- told the class


def test_a_conditional_generator_appends_the_class_to_the_code():
    inner = gan.Generator(5, (7,), (4,), rngs=nnx.Rngs(0))
    model = gan.ConditionalGenerator(inner, 3)
    assert (model.latent, model.sample_shape) == (2, (4,))
    z = jnp.array([[0.3, -1.0], [2.0, 0.5]])
    expected = inner(jnp.array([[0.3, -1.0, 0, 0, 1], [2.0, 0.5, 1, 0, 0]]))
    np.testing.assert_allclose(model(z, jnp.array([2, 0])), expected, rtol=1e-6)


def test_a_conditional_discriminator_asks_the_judge_of_the_class():
    network = mlp.MLP((4, 5, 1), (7,), 3, rngs=nnx.Rngs(0))
    model = gan.ConditionalDiscriminator(network)
    x = jax.random.normal(jax.random.key(0), (2, 4, 5, 1))
    logits = network(x)
    np.testing.assert_array_equal(model(x, jnp.array([2, 0])), [logits[0, 2], logits[1, 0]])


def test_a_conditional_gan_is_a_gan():
    generator = gan.ConditionalGenerator(gan.Generator(5, (7,), (4, 5, 1), rngs=nnx.Rngs(0)), 3)
    judge = gan.ConditionalDiscriminator(mlp.MLP((4, 5, 1), (7,), 3, rngs=nnx.Rngs(1)))
    model, labels = gan.GAN(generator, judge), jnp.array([0, 1, 2])
    z = jax.random.normal(jax.random.key(0), (3, 2))
    slope = jax.grad(lambda z: jnp.sum(judge(model.generator(z, labels), labels)))(z)
    assert (jnp.abs(slope).sum(axis=1) > 0).all()


@pytest.mark.parametrize(
    ("labels", "error", "message"),
    [
        ([0], ValueError, r"labels: expected 2 of them, got shape \(1,\)"),
        ([0, 3], ValueError, "labels: expected values from 0 to 2, got 0 to 3"),
        ([0.0, 1.0], TypeError, "labels: expected integers"),
    ],
)
def test_classes_that_are_none_are_named(untyped, labels, error, message):
    generator = gan.ConditionalGenerator(gan.Generator(5, (7,), (4,), rngs=nnx.Rngs(0)), 3)
    judge = gan.ConditionalDiscriminator(mlp.MLP((4,), (7,), 3, rngs=nnx.Rngs(1)))
    with pytest.raises(error, match=message):
        generator(jnp.ones((2, 2)), jnp.asarray(labels))
    with pytest.raises(error, match=message):
        judge(jnp.ones((2, 4)), jnp.asarray(labels))


def test_a_code_with_no_room_for_chance_is_named(untyped):
    with pytest.raises(ValueError, match="classes: expected fewer than the generator's 3, got 3"):
        gan.ConditionalGenerator(gan.Generator(3, (7,), (4,), rngs=nnx.Rngs(0)), 3)


@pytest.mark.parametrize(
    "make",
    [
        lambda channels: gan.ConvGenerator(4, channels, (8, 8, 1), rngs=nnx.Rngs(0)),
        lambda channels: gan.ConvDiscriminator((8, 8, 1), channels, rngs=nnx.Rngs(0)),
    ],
    ids=["generator", "discriminator"],
)
def test_another_number_of_channels_than_two_is_named(untyped, make):
    with pytest.raises(ValueError, match=r"channels: expected two numbers.*got \(2, 3, 4\)"):
        make((2, 3, 4))
