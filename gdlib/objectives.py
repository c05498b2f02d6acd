"""What training minimises.

Every term is per example and in nats; the mean over the batch stands in the chapter, where the reader sees it. A model
is known by what it can do (`encode`, `decode`).
"""

import math
from typing import NamedTuple, Protocol, runtime_checkable

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Bool, Float, Int, Key

from gdlib import expect
from gdlib.distributions import bernoulli_log_prob, gaussian_kl, gaussian_log_prob, gaussian_sample


@runtime_checkable
class LatentModel(Protocol):
    """A model with q(z|x) = N(mean, diag exp(logvar)), p(z) = N(0, I) and Bernoulli p(x|z)."""

    def encode(self, images) -> tuple[Array, Array]: ...

    def decode(self, latent) -> Array: ...


@runtime_checkable
class ConditionalModel(Protocol):
    """Latent models, one for every class."""

    classes: int

    def given(self, labels) -> LatentModel: ...


class ElboTerms(NamedTuple):
    """−ELBO = distortion + rate, term by term, in nats per example.

    distortion: −log p(x|z) at one z ~ q(z|x), an unbiased estimate of its expectation under q.
    rate: KL(q(z|x) ‖ p(z)), in closed form.
    """

    distortion: Float[Array, " batch"]
    rate: Float[Array, " batch"]


def elbo_terms(model: LatentModel, images: Float[Array, "batch h w c"], rng_key: Key[Array, ""]) -> ElboTerms:
    """The two terms of −ELBO(x) = E_q[−log p(x|z)] + KL(q(z|x) ‖ p(z)) for binary images.

    Args:
      model: gives `encode(images) -> (mean, logvar)` and `decode(latent) -> logits`.
      images: zeros and ones. For grey values the distortion is no likelihood.
      rng_key: for the one sample z of each image.

    Reference: Kingma & Welling (2014).
    """
    mean, logvar = model.encode(images)
    log_likelihood = _log_likelihood(model, images, gaussian_sample(rng_key, mean, logvar))
    return ElboTerms(distortion=-log_likelihood, rate=gaussian_kl(mean, logvar))


def log_weights(
    model: LatentModel, images: Float[Array, "batch h w c"], rng_key: Key[Array, ""], *, samples: int
) -> Float[Array, "samples batch"]:
    """log p(x, z) − log q(z|x) at `samples` independent z ~ q(z|x) of each binary image, in nats.

    Their mean estimates the ELBO; the logarithm of the mean of their exponentials, the importance-weighted
    bound (`evaluate.importance_weighted_bound`). One sample is in memory at a time.

    Raises TypeError or ValueError for fewer samples than one. Reference: Burda, Grosse & Salakhutdinov (2016).
    """
    samples = expect.positive_int("samples", samples)
    mean, logvar = model.encode(images)
    zeros = jnp.zeros_like(mean)

    def one(rng_key: Key[Array, ""]) -> Float[Array, " batch"]:
        z = gaussian_sample(rng_key, mean, logvar)
        log_joint = _log_likelihood(model, images, z) + gaussian_log_prob(z, zeros, zeros)
        return log_joint - gaussian_log_prob(z, mean, logvar)

    return jax.lax.map(one, jax.random.split(rng_key, samples))


def class_elbos(
    model: ConditionalModel, images: Float[Array, "batch h w c"], rng_key: Key[Array, ""]
) -> Float[Array, "batch classes"]:
    """A lower bound of log p(x|y) for every class y, estimated with one z ~ q(z|x, y) each, in nats.

    Args:
      model: has `classes`, and `given(labels)` is a `LatentModel` of images of these classes.
      images: zeros and ones.
      rng_key: for the samples; all classes of an image share one noise, so that they differ by class alone.

    Reference: Kingma et al. (2014).
    """

    def of_class(label: Int[Array, ""]) -> Float[Array, " batch"]:
        terms = elbo_terms(model.given(jnp.full(len(images), label)), images, rng_key)
        return -(terms.distortion + terms.rate)

    return jax.vmap(of_class, out_axes=1)(jnp.arange(model.classes))


def unlabelled_bound(
    class_bounds: Float[Array, "batch classes"], logits: Float[Array, "batch classes"]
) -> Float[Array, " batch"]:
    """Σᵧ q(y|x) [bound of log p(x|y) + log p(y) − log q(y|x)] ≤ log p(x), classes equally probable, in nats.

    Args:
      class_bounds: of log p(x|y), one a class: `class_elbos`.
      logits: of q(y|x).

    It is largest where q(y|x) is the softmax of the bounds, and then log Σᵧ p(y) exp(boundᵧ).
    Reference: Kingma et al. (2014), the unlabelled part of their objective for M2.
    """
    if logits.shape != class_bounds.shape:
        raise ValueError(f"logits: expected the bounds' shape {class_bounds.shape}, got {logits.shape}")
    log_q = jax.nn.log_softmax(logits)
    classes = class_bounds.shape[1]
    return jnp.sum(jnp.exp(log_q) * (class_bounds - math.log(classes) - log_q), axis=1)


def _log_likelihood(model: LatentModel, images: Array, latent: Array) -> Float[Array, " batch"]:
    batch, *image_shape = images.shape
    flat = (batch, math.prod(image_shape))
    return bernoulli_log_prob(images.reshape(flat), model.decode(latent).reshape(flat))


# --------------------------------------------------------------------- two players, on logits l = log D/(1 − D)


def discriminator_loss(
    real_logits: Float[Array, " batch"], fake_logits: Float[Array, " batch"]
) -> Float[Array, " batch"]:
    """−log D(x) − log(1 − D(G(z))) = softplus(−l(x)) + softplus(l(G(z))): a pair's cross-entropy.

    Raises ValueError unless there is one fake for each real example. Reference: Goodfellow et al. (2014).
    """
    _check_pairs("logits", real_logits, fake_logits)
    return jax.nn.softplus(-real_logits) + jax.nn.softplus(fake_logits)


def minimax_generator_loss(fake_logits: Float[Array, " batch"]) -> Float[Array, " batch"]:
    """log(1 − D(G(z))) = −softplus(l(G(z))): the other side of the discriminator's loss.

    Its gradient in the logit is −D(G(z)): next to nothing where the discriminator is sure of a fake.
    Reference: Goodfellow et al. (2014).
    """
    return -jax.nn.softplus(fake_logits)


def generator_loss(fake_logits: Float[Array, " batch"]) -> Float[Array, " batch"]:
    """−log D(G(z)) = softplus(−l(G(z))): the non-saturating loss, with gradient D(G(z)) − 1 in the logit.

    Reference: Goodfellow et al. (2014).
    """
    return jax.nn.softplus(-fake_logits)


def wasserstein_critic_loss(
    real_scores: Float[Array, " batch"], fake_scores: Float[Array, " batch"]
) -> Float[Array, " batch"]:
    """f(G(z)) − f(x). Over all f of slope at most 1 the smallest mean is −W₁: it takes a penalty to stay there.

    Raises ValueError unless there is one fake for each real example. Reference: Arjovsky, Chintala & Bottou (2017).
    """
    _check_pairs("scores", real_scores, fake_scores)
    return fake_scores - real_scores


def wasserstein_generator_loss(fake_scores: Float[Array, " batch"]) -> Float[Array, " batch"]:
    """−f(G(z)). Reference: Arjovsky, Chintala & Bottou (2017)."""
    return -fake_scores


def _check_pairs(name: str, real: Array, fake: Array) -> None:
    """What has other shapes would broadcast: every real example with every fake."""
    if real.ndim != 1 or real.shape != fake.shape:
        raise ValueError(
            f"{name}: expected shape (batch,) of real and of fake, got {real.shape} and {fake.shape}"
        )


def _squared_slopes(function, points: Array) -> Float[Array, " batch"]:
    """|∇f|² at each point, for an f that judges each example by itself."""
    slopes = jax.grad(lambda points: jnp.sum(function(points)))(points)
    return jnp.sum(slopes.reshape(len(points), -1) ** 2, axis=-1)


def r1_penalty(discriminator, real: Float[Array, "batch ..."]) -> Float[Array, " batch"]:
    """½ |∇ₓ l(x)|² at real examples. Reference: Mescheder, Geiger & Nowozin (2018)."""
    return 0.5 * _squared_slopes(discriminator, real)


def gradient_penalty(
    critic, real: Float[Array, "batch ..."], fake: Float[Array, "batch ..."], rng_key: Key[Array, ""]
) -> Float[Array, " batch"]:
    """(|∇f| − 1)² at a point drawn uniformly between each real example and its fake.

    Raises ValueError unless there is one fake for each real example. Reference: Gulrajani et al. (2017).
    """
    if real.shape != fake.shape:
        raise ValueError(f"fake: expected the real examples' shape {real.shape}, got {fake.shape}")
    share = jax.random.uniform(rng_key, (len(real), *[1] * (real.ndim - 1)), real.dtype)
    squares = _squared_slopes(critic, share * real + (1 - share) * fake)
    return (jnp.sqrt(squares + 1e-12) - 1) ** 2  # the root's slope at 0 is infinite


# --------------------------------------------------------------------------------- classes, on logits


def cross_entropy(
    logits: Float[Array, "batch classes"], labels: Int[Array, " batch"]
) -> Float[Array, " batch"]:
    """−log p(y|x) = log Σₖ exp ℓₖ − ℓ_y, in nats: the logits ℓ are log-probabilities up to a constant.

    Args:
      logits: any real numbers; not probabilities.
      labels: integers from 0 to classes − 1. Outside jit their values are checked; inside, one out of range
        gives infinity, the loss of what has no probability, and no gradient.

    Raises TypeError or ValueError where the labels are no such positions, one for each row of logits.
    """
    if logits.ndim != 2:
        raise ValueError(f"logits: expected shape (batch, classes), got {logits.shape}")
    expect.positions("labels", labels, *logits.shape)
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, labels)
    return jnp.where((labels >= 0) & (labels < logits.shape[1]), losses, jnp.inf)


def text_cross_entropy(
    logits: Float[Array, "batch time vocabulary"],
    targets: Int[Array, "batch time"],
    mask: Bool[Array, "batch time"],
) -> Float[Array, " batch"]:
    """−Σₜ log p(targetₜ | what came before) over the positions in the mask, in nats for each text.

    Args:
      logits: at each position those of the token that comes next.
      targets: that token; outside the mask its value does not matter. Outside jit its value is checked; inside,
        one out of range gives infinity, as in `cross_entropy`.
      mask: which positions count. A text with none has a loss of 0.

    Raises TypeError or ValueError for targets that are no tokens, a mask that is not of booleans, and where the shapes
    do not agree.
    """
    if logits.ndim != 3 or targets.shape != logits.shape[:2] or mask.shape != targets.shape:
        raise ValueError(
            "logits: expected (batch, time, vocabulary) with targets and mask of shape (batch, time), got "
            f"{logits.shape}, {targets.shape} and {mask.shape}"
        )
    expect.booleans("mask", mask)
    batch, time, vocabulary = logits.shape
    targets = jnp.where(mask, targets, 0)
    losses = cross_entropy(logits.reshape(-1, vocabulary), targets.reshape(-1)).reshape(batch, time)
    return jnp.sum(jnp.where(mask, losses, 0), axis=1)
