import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special
import scipy.stats
from flax import nnx

from gdlib import objectives
from gdlib.models import vae


class LinearGaussian:
    """An encoder and a decoder whose terms can be written down: z → logits z, for one pixel."""

    def encode(self, images):
        x = images.reshape(len(images), -1)
        return 2 * x - 1, jnp.zeros_like(x) - 1

    def decode(self, latent):
        return latent[:, None, None, :]


def test_the_terms_are_their_expectations():
    n = 100_000
    images = jnp.ones((n, 1, 1, 1))
    terms = objectives.elbo_terms(LinearGaussian(), images, jax.random.key(0))
    np.testing.assert_allclose(terms.rate, 0.5 * (1 + np.exp(-1.0) - 1 + 1), rtol=1e-5)
    # E[-log sigmoid(z)] for z ~ N(1, e⁻¹), by quadrature
    z = np.linspace(-6, 8, 20_001)
    density = scipy.stats.norm.pdf(z, 1, np.exp(-0.5))
    expected = np.trapezoid(density * np.logaddexp(0, -z), z)
    error = float(terms.distortion.std()) / np.sqrt(n)
    assert abs(float(terms.distortion.mean()) - expected) < 5 * error


def test_the_terms_are_sums_over_pixels_one_an_example():
    model = vae.VAE((4, 4, 1), 2, encoder_hidden=8, decoder_hidden=8, rngs=nnx.Rngs(0))
    images = jax.random.bernoulli(jax.random.key(1), 0.4, (5, 4, 4, 1)).astype(jnp.float32)
    terms = objectives.elbo_terms(model, images, jax.random.key(2))
    assert terms.distortion.shape == terms.rate.shape == (5,)

    mean, logvar = map(np.asarray, model.encode(images))
    noise = np.asarray(jax.random.normal(jax.random.key(2), mean.shape))
    logits = np.asarray(model.decode(jnp.asarray(mean + np.exp(logvar / 2) * noise))).reshape(5, 16)
    x = np.asarray(images).reshape(5, 16)
    p = 1 / (1 + np.exp(-logits.astype(np.float64)))
    np.testing.assert_allclose(terms.distortion, -scipy.stats.bernoulli.logpmf(x, p).sum(axis=1), rtol=1e-4)


def test_the_rate_is_zero_where_the_encoder_is_the_prior():
    class Prior(LinearGaussian):
        def encode(self, images):
            zeros = jnp.zeros((len(images), 1))
            return zeros, zeros

    terms = objectives.elbo_terms(Prior(), jnp.ones((3, 1, 1, 1)), jax.random.key(0))
    np.testing.assert_array_equal(terms.rate, 0)


def test_gradients_reach_encoder_and_decoder():
    model = vae.VAE((4, 4, 1), 2, encoder_hidden=8, decoder_hidden=8, rngs=nnx.Rngs(0))
    images = jax.random.bernoulli(jax.random.key(1), 0.4, (5, 4, 4, 1)).astype(jnp.float32)

    def loss(model):
        terms = objectives.elbo_terms(model, images, jax.random.key(2))
        return jnp.mean(terms.distortion + terms.rate)

    for leaf in jax.tree.leaves(nnx.grad(loss)(model)):
        assert float(jnp.abs(leaf).max()) > 0


@pytest.mark.parametrize("shape", [(5, 4, 3, 1), (5, 16)])
def test_images_of_another_shape_are_named(untyped, shape):
    model = vae.VAE((4, 4, 1), 2, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match=r"images: expected shape \(batch, 4, 4, 1\), got"):
        objectives.elbo_terms(model, jnp.zeros(shape), jax.random.key(0))


def test_class_elbos_are_the_elbos_given_each_class():
    inner = vae.VAE((4, 4, 1), 2, encoder_hidden=8, decoder_hidden=8, rngs=nnx.Rngs(0))
    model = vae.ConditionalVAE(inner, 3, rngs=nnx.Rngs(1))
    images = jax.random.bernoulli(jax.random.key(1), 0.4, (5, 4, 4, 1)).astype(jnp.float32)
    bounds = objectives.class_elbos(model, images, jax.random.key(2))
    assert bounds.shape == (5, 3)
    for label in range(3):
        terms = objectives.elbo_terms(model.given(jnp.full(5, label)), images, jax.random.key(2))
        np.testing.assert_allclose(bounds[:, label], -(terms.distortion + terms.rate), rtol=1e-5)
    assert float(bounds.std(axis=1).min()) > 1e-3  # the class matters


def test_the_unlabelled_bound_is_its_sum_over_classes_and_largest_at_the_softmax():
    rng = np.random.default_rng(0)
    bounds, logits = jnp.asarray(rng.normal(size=(2, 4, 3)), jnp.float32) * 3
    q = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    expected = (q * (bounds + np.log(1 / 3) - np.log(q))).sum(axis=1)
    found = objectives.unlabelled_bound(bounds, logits)
    np.testing.assert_allclose(found, expected, rtol=1e-5)

    best = scipy.special.logsumexp(bounds, axis=1) - np.log(3)
    np.testing.assert_allclose(objectives.unlabelled_bound(bounds, bounds), best, rtol=1e-5)
    assert (np.asarray(found) < best).all()


def test_the_unlabelled_bound_stays_finite_where_the_classifier_is_certain():
    logits = jnp.array([[0.0, 500.0, -500.0]])
    bounds = jnp.array([[-100.0, -90.0, -120.0]])
    value, slope = jax.value_and_grad(lambda logits: objectives.unlabelled_bound(bounds, logits).sum())(
        logits
    )
    np.testing.assert_allclose(value, -90 - np.log(3), rtol=1e-6)
    assert np.isfinite(slope).all()


def test_bounds_and_logits_of_other_shapes_are_named(untyped):
    with pytest.raises(ValueError, match=r"logits: expected the bounds' shape \(2, 3\), got \(2, 4\)"):
        objectives.unlabelled_bound(jnp.zeros((2, 3)), jnp.zeros((2, 4)))


def test_log_weights_average_to_the_elbo_and_their_exponentials_to_the_evidence():
    n = 50_000
    weights = objectives.log_weights(LinearGaussian(), jnp.ones((1, 1, 1, 1)), jax.random.key(0), samples=n)
    assert weights.shape == (n, 1)
    weights = np.asarray(weights, np.float64).ravel()
    terms = objectives.elbo_terms(LinearGaussian(), jnp.ones((n, 1, 1, 1)), jax.random.key(1))
    elbo = -np.asarray(terms.distortion + terms.rate, np.float64)
    assert abs(weights.mean() - elbo.mean()) < 5 * np.hypot(weights.std(), elbo.std()) / np.sqrt(n)
    # p(x = 1) = E[sigmoid(z)] under the prior is ½, by symmetry
    assert abs(np.exp(weights).mean() - 0.5) < 5 * np.exp(weights).std() / np.sqrt(n)


LOGITS = jnp.array([-30.0, -2.0, 0.0, 1.5, 30.0])


def test_the_players_losses_are_their_formulas():
    d = 1 / (1 + np.exp(-np.asarray(LOGITS, np.float64)))
    inner = slice(1, 4)  # where the formula itself can be computed
    expected = -np.log(d[inner]) - np.log(1 - d[inner][::-1])
    np.testing.assert_allclose(
        objectives.discriminator_loss(LOGITS, LOGITS[::-1])[inner], expected, rtol=1e-5
    )
    np.testing.assert_allclose(
        objectives.minimax_generator_loss(LOGITS)[inner], np.log(1 - d[inner]), rtol=1e-5
    )
    np.testing.assert_allclose(objectives.generator_loss(LOGITS)[inner], -np.log(d[inner]), rtol=1e-5)
    for loss in (objectives.minimax_generator_loss, objectives.generator_loss):
        assert jnp.isfinite(loss(LOGITS)).all()


def test_one_generator_loss_saturates_where_the_other_pulls_most():
    slopes = [
        jax.grad(lambda logits, loss=loss: jnp.sum(loss(logits)))(LOGITS)
        for loss in (objectives.minimax_generator_loss, objectives.generator_loss)
    ]
    d = jax.nn.sigmoid(LOGITS)
    np.testing.assert_allclose(slopes[0], -d, rtol=1e-5, atol=1e-12)
    np.testing.assert_allclose(slopes[1], d - 1, rtol=1e-5, atol=1e-12)


def test_the_critics_losses_are_a_difference_of_scores():
    real, fake = jnp.array([3.0, 1.0]), jnp.array([0.5, 2.0])
    np.testing.assert_allclose(objectives.wasserstein_critic_loss(real, fake), [-2.5, 1.0])
    np.testing.assert_allclose(objectives.wasserstein_generator_loss(fake), [-0.5, -2.0])


def test_penalties_on_a_plane_of_known_slope():
    slope = jnp.array([3.0, 4.0])  # of norm 5

    def plane(x):
        return x @ slope

    points = jax.random.normal(jax.random.key(0), (7, 2))
    np.testing.assert_allclose(objectives.r1_penalty(plane, points), 12.5, rtol=1e-5)
    penalty = objectives.gradient_penalty(plane, points, -points, jax.random.key(1))
    np.testing.assert_allclose(penalty, 16.0, rtol=1e-5)


def test_the_gradient_penalty_looks_between_and_can_be_differentiated_where_the_slope_is_zero():
    seen = []

    def function(x):
        seen.append(x)
        return jnp.zeros(len(x)) + 0 * x.sum(axis=1)

    real, fake = jnp.zeros((1000, 1)), jnp.ones((1000, 1))
    penalty = objectives.gradient_penalty(function, real, fake, jax.random.key(0))
    np.testing.assert_allclose(penalty, 1.0, rtol=1e-4)

    def scaled(weight):
        return jnp.mean(
            objectives.gradient_penalty(lambda x: weight * x[:, 0], real, fake, jax.random.key(0))
        )

    assert jnp.isfinite(jax.grad(scaled)(0.0))
    np.testing.assert_allclose(jax.grad(scaled)(3.0), 2 * (3 - 1), rtol=1e-4)


@pytest.mark.parametrize("shape", [(1000, 2), (1000, 2, 1)])
def test_the_gradient_penalty_looks_along_the_straight_line_at_each_pair(shape):
    """On the line x₀ = x₁ this function's slope is (1, 0); beside it the slope is steep."""

    def function(x):
        x = x.reshape(len(x), 2)
        return x[:, 0] + 500 * (x[:, 0] - x[:, 1]) ** 2

    penalty = objectives.gradient_penalty(function, jnp.ones(shape), jnp.zeros(shape), jax.random.key(0))
    np.testing.assert_allclose(penalty, 0, atol=1e-3)


def test_r1_is_larger_where_the_function_is_steeper():
    points = jnp.array([[0.0], [1.0], [2.0]])
    np.testing.assert_allclose(objectives.r1_penalty(lambda x: x[:, 0] ** 2, points), [0, 2, 8])


def test_cross_entropy_is_the_negative_log_probability_even_of_large_logits():
    logits = np.array([[1.0, 2.0, -3.0], [1000.0, 0.0, -1000.0], [5.0, 5.0, 5.0]])
    labels = jnp.array([1, 1, 2])
    first = -np.log(np.exp(2) / np.exp([1.0, 2.0, -3.0]).sum())
    found = objectives.cross_entropy(jnp.asarray(logits, jnp.float32), labels)
    np.testing.assert_allclose(found, [first, 1000.0, np.log(3)], rtol=1e-6)


def test_labels_that_are_no_class_are_named_and_inside_jit_give_infinity(untyped):
    logits = jnp.zeros((2, 3))
    for labels, error, message in [
        (np.array([0, 3]), ValueError, "labels: expected values from 0 to 2, got 0 to 3"),
        (np.array([-1, 0]), ValueError, "labels: expected values from 0 to 2, got -1 to 0"),
        (np.array([0.0, 1.0]), TypeError, "labels: expected integers, got an array of float64"),
        (np.eye(3)[:2], TypeError, "labels: expected integers"),
        (np.array([0, 1, 2]), ValueError, r"labels: expected 2 of them, got shape \(3,\)"),
    ]:
        with pytest.raises(error, match=message):
            objectives.cross_entropy(logits, labels)
    inside = jax.jit(objectives.cross_entropy)(logits, jnp.array([-1, 0]))
    np.testing.assert_array_equal(np.isposinf(inside), [True, False])
    slopes = jax.jit(jax.grad(lambda *a: objectives.cross_entropy(*a).mean()))(logits, jnp.array([-1, 0]))
    assert np.isfinite(slopes).all()
    assert slopes.any(axis=1).tolist() == [False, True]
    with pytest.raises(ValueError, match=r"labels: expected 2 of them, got shape \(3,\)"):
        jax.jit(objectives.cross_entropy)(logits, jnp.array([0, 1, 2]))
    with pytest.raises(ValueError, match=r"logits: expected shape \(batch, classes\), got \(3,\)"):
        objectives.cross_entropy(jnp.zeros(3), np.array([0]))


def test_a_texts_cross_entropy_is_the_sum_over_its_mask():
    draw = np.random.default_rng(0)
    logits = draw.normal(size=(3, 4, 5)).astype(np.float32)
    targets = draw.integers(0, 5, size=(3, 4)).astype(np.int32)
    lengths = [4, 2, 0]
    mask = jnp.arange(4) < jnp.array(lengths)[:, None]
    log_p = logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    expected = [-sum(log_p[i, t, targets[i, t]] for t in range(n)) for i, n in enumerate(lengths)]
    found = objectives.text_cross_entropy(jnp.asarray(logits), jnp.asarray(targets), mask)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_a_target_that_is_no_token_gives_infinity_inside_jit():
    everywhere = jnp.ones((2, 2), bool)
    found = jax.jit(objectives.text_cross_entropy)(
        jnp.zeros((2, 2, 3)), jnp.array([[0, 3], [1, 2]]), everywhere
    )
    np.testing.assert_allclose(found, [np.inf, 2 * np.log(3)])


def test_outside_the_mask_neither_targets_nor_logits_matter():
    def loss(logits, targets):
        return objectives.text_cross_entropy(logits, targets, jnp.array([[True, False]])).sum()

    targets, changed = jnp.array([[1, 0]]), jnp.array([[1, 99]])
    logits = jnp.array([[[0.1, 0.4, 0.3], [0.0, jnp.inf, jnp.nan]]])
    found = loss(logits, changed)
    assert found == loss(logits.at[0, 1].set(0.0), targets)
    gradient = jax.grad(loss)(logits.at[0, 1].set(5.0), changed)
    assert gradient[0, 0].any()
    assert not gradient[0, 1].any()


@pytest.mark.parametrize(
    "shapes",
    [
        ((2, 3), (2, 3), (2, 3)),
        ((2, 3, 4), (2, 2), (2, 2)),
        ((2, 3, 4), (2, 3), (2,)),
        ((2, 3, 4), (2, 3), (2, 4)),
    ],
)
def test_texts_whose_shapes_disagree_are_refused(untyped, shapes):
    logits, targets, mask = (jnp.zeros(shape) for shape in shapes)
    with pytest.raises(ValueError, match="logits: expected"):
        objectives.text_cross_entropy(logits, targets.astype(int), mask.astype(bool))


def test_a_target_that_is_no_token_is_refused(untyped):
    with pytest.raises(ValueError, match="labels: expected values from 0 to 2"):
        objectives.text_cross_entropy(jnp.zeros((1, 2, 3)), jnp.array([[0, 3]]), jnp.ones((1, 2), bool))


@pytest.mark.parametrize("loss", [objectives.discriminator_loss, objectives.wasserstein_critic_loss])
@pytest.mark.parametrize("shapes", [((3,), (3, 1)), ((3, 1), (3, 1)), ((3,), (1,)), ((1,), (3,))])
def test_pairs_that_would_broadcast_are_named(untyped, loss, shapes):
    real, fake = map(jnp.zeros, shapes)
    with pytest.raises(ValueError, match=r"(logits|scores): expected shape \(batch,\) of real and of fake"):
        loss(real, fake)


def test_a_penalty_between_examples_wants_a_fake_for_each(untyped):
    with pytest.raises(ValueError, match=r"fake: expected the real examples' shape \(3, 2\), got \(1, 2\)"):
        objectives.gradient_penalty(
            lambda x: x.sum(1), jnp.zeros((3, 2)), jnp.zeros((1, 2)), jax.random.key(0)
        )


def test_a_mask_of_numbers_is_refused(untyped):
    logits, targets = jnp.zeros((2, 3, 4)), jnp.zeros((2, 3), jnp.int32)
    with pytest.raises(TypeError, match="mask: expected booleans, got an array of float32"):
        objectives.text_cross_entropy(logits, targets, jnp.full((2, 3), 0.5))


@pytest.mark.parametrize("samples", [0, -1])
def test_fewer_samples_than_one_are_refused(samples):
    model = vae.VAE((2, 2, 1), 2, encoder_hidden=3, decoder_hidden=3, rngs=nnx.Rngs(0))
    with pytest.raises(ValueError, match="samples: expected an integer of at least 1"):
        objectives.log_weights(model, jnp.zeros((1, 2, 2, 1)), jax.random.key(0), samples=samples)
