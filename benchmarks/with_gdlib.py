"""The models in gdlib, trained as the chapters train them, a step and `train.fit`; and decoded by `decoding.decode`."""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import optax
import work
from flax import nnx

from gdlib import decoding, objectives, train
from gdlib.data import DIGITS, Dataset, tokens
from gdlib.models import cnn, gan, rnn, transformer, vae
from gdlib.train import chunk

SHAPE = (work.HEIGHT, work.HEIGHT, 1)


class Task:
    """What one of the models takes to be trained, by `fit` below or by anything else.

    create: a key, or a vector of them, → (model, *optimizers). score: the objective whose only number is the held-out
    score.
    """

    def __init__(self, create: Callable, step: chunk.Step, data, score=None, held_out=None):
        self.create, self.step, self.data, self.held_out = create, step, data, held_out
        self.validate = None if score is None else train.evaluation_step(score)


def creator(make: Callable) -> Callable:
    """What makes that model and its Adam of a key, or many of a vector of keys."""
    return partial(train.create, make, optimizer=optax.adam(work.RATE))


def negative_elbo(model, images, rng_key):
    terms = objectives.elbo_terms(model, images, rng_key)
    return {"loss": jnp.mean(terms.distortion + terms.rate)}


def vae_task(digits: work.Digits) -> Task:
    def make(rngs):
        return vae.VAE(
            SHAPE,
            work.VAE_LATENT,
            encoder_hidden=work.VAE_ENCODER,
            decoder_hidden=work.VAE_DECODER,
            rngs=rngs,
        )

    images, held_out = digits.images[..., None], digits.held_out_images[..., None]
    return Task(creator(make), train.gradient_step(negative_elbo), images, negative_elbo, held_out)


def fakes(generator, images, rng_key):
    return generator(jax.random.normal(rng_key, (len(images), work.GAN_LATENT)))


def discriminator_objective(generator, discriminator, images, rng_key):
    real, fake = discriminator(images), discriminator(fakes(generator, images, rng_key))
    return {"loss": jnp.mean(objectives.discriminator_loss(real, fake))}


def generator_objective(generator, discriminator, images, rng_key):
    judged = discriminator(fakes(generator, images, rng_key))
    return {"loss": jnp.mean(objectives.generator_loss(judged))}


def gan_task(digits: work.Digits) -> Task:
    adam = optax.adam(work.GAN_RATE, b1=work.GAN_B1)

    def make(rngs):
        return gan.GAN(
            gan.Generator(work.GAN_LATENT, work.GAN_HIDDEN, SHAPE, output=jnp.tanh, rngs=rngs),
            gan.Discriminator(SHAPE, work.GAN_HIDDEN, rngs=rngs),
        )

    step = train.adversarial_step(discriminator_objective, generator_objective)
    return Task(partial(train.create_game, make, optimizer=adam), step, digits.images[..., None])


def classification(model, batch, rng_key):
    return {"loss": jnp.mean(objectives.cross_entropy(model(batch.inputs), batch.labels))}


def accuracy(model, batch, rng_key):
    return {"accuracy": jnp.mean(model(batch.inputs).argmax(axis=1) == batch.labels)}


def cnn_task(digits: work.Digits) -> Task:
    def make(rngs):
        return cnn.CNN(SHAPE, work.CLASSES, channels=work.CNN_CHANNELS, hidden=work.CNN_HIDDEN, rngs=rngs)

    training = Dataset(digits.images[..., None], digits.labels, DIGITS)
    held_out = Dataset(digits.held_out_images[..., None], digits.held_out_labels, DIGITS)
    return Task(creator(make), train.gradient_step(classification), training, accuracy, held_out)


def lstm_task(digits: work.Digits) -> Task:
    def make(rngs):
        cell = rnn.LSTMCell(work.HEIGHT, work.LSTM_UNITS, rngs=rngs)
        return rnn.SequenceClassifier(cell, work.CLASSES, dense=work.LSTM_HIDDEN, rngs=rngs)

    training = Dataset(digits.images, digits.labels, DIGITS)
    held_out = Dataset(digits.held_out_images, digits.held_out_labels, DIGITS)
    return Task(creator(make), train.gradient_step(classification), training, accuracy, held_out)


class Pairs(NamedTuple):
    """Texts on both sides, as in `work.Dates`."""

    sources: np.ndarray
    lengths: np.ndarray
    targets: np.ndarray


def negative_log_likelihood(model, batch, rng_key):
    logits = model(batch.targets[:, :-1], model.read(batch.sources, batch.lengths)).logits
    wanted = batch.targets[:, 1:]
    return {"loss": jnp.mean(objectives.text_cross_entropy(logits, wanted, wanted != tokens.PAD))}


def transformer_task(dates: work.Dates) -> Task:
    def make(rngs):
        return transformer.Translator(
            dates.source_tokens,
            work.ISO_TOKENS,
            longest=work.READ,
            width=work.WIDTH,
            heads=work.HEADS,
            blocks=work.BLOCKS,
            hidden=work.FEED_FORWARD,
            rngs=rngs,
        )

    training = Pairs(dates.sources, dates.lengths, dates.targets)
    held_out = Pairs(dates.held_out_sources, dates.held_out_lengths, dates.held_out_targets)
    step = train.gradient_step(negative_log_likelihood)
    return Task(creator(make), step, training, negative_log_likelihood, held_out)


@nnx.jit
def read(model, sources, lengths):
    """Fifty texts at a time: what the encoder works on then stays in the processor's cache."""
    pieces = (sources.reshape(-1, 50, work.READ), lengths.reshape(-1, 50))
    source = jax.lax.map(lambda piece: model.read(*piece), pieces)
    return jax.tree.map(lambda x: x.reshape(-1, *x.shape[2:]), source)


def translate(model: transformer.Translator, texts: Pairs) -> np.ndarray:
    source = read(model, texts.sources, texts.lengths)
    return np.asarray(decoding.decode(model, source, jax.random.key(0), steps=work.WRITTEN, temperature=0))


TASKS = {
    "vae": vae_task,
    "gan": gan_task,
    "cnn": cnn_task,
    "lstm": lstm_task,
    "transformer": transformer_task,
}


def trainer(
    model: str, data: work.Digits | work.Dates, *, seeds: int = 0, shared: bool = False
) -> work.Contender:
    """`seeds` > 0: so many models at once, by a vector of keys. Shared: by all devices."""
    task = TASKS[model](data)
    rng_key = jax.random.key(0)

    def next_key():
        nonlocal rng_key
        rng_key, key = jax.random.split(rng_key)
        return jax.random.split(key, seeds) if seeds else key

    modules = task.create(rng_key=next_key())
    sharding = None
    if shared:
        sharding = jax.NamedSharding(jax.make_mesh((jax.device_count(),), ("data",)), jax.P("data"))

    def fit(epochs: int, validate: bool = False) -> float | None:
        watched = {"validate": task.validate, "validation_data": task.held_out} if validate else {}
        history = train.fit(
            task.step,
            modules,
            task.data,
            next_key(),
            epochs=epochs,
            batch_size=work.BATCH,
            progress=False,
            sharding=sharding,
            **watched,
        )
        if not validate:
            return None
        (scores,) = history.validation.values()
        return float(scores[-1])

    decodes = model == "transformer" and not shared
    return work.Contender(fit, partial(translate, modules[0], task.held_out) if decodes else None)


def scan(model: str, data: work.Digits | work.Dates) -> Callable[..., None]:
    """The compiled loop inside `fit` alone, on one order of the data that is drawn beforehand."""
    task = TASKS[model](data)
    graphdef, state = nnx.split(task.create(rng_key=jax.random.key(0)))
    on_device = jax.device_put(task.data)
    order = np.random.default_rng(0).permutation(work.EXAMPLES).reshape(-1, work.BATCH)
    one_epoch = partial(chunk.run_steps, task.step, graphdef, None, guarded=False)

    def fit(epochs: int) -> None:
        nonlocal state
        for epoch in range(epochs):
            first = epoch * work.STEPS_PER_EPOCH
            state, *_ = one_epoch(state, jnp.asarray(True), on_device, order, jax.random.key(1), first)
        jax.block_until_ready(state)

    return fit
