"""Every family of models with a step and data, as small as can be: what runs on one has to run on all."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
from flax import nnx

from gdlib import objectives, train
from gdlib.models import cnn, gan, mlp, rnn, transformer, vae

EXAMPLES, CLASSES, LATENT, TIME, WORDS = 8, 3, 4, 5, 9
rng = np.random.default_rng(0)
IMAGES = rng.integers(0, 2, (EXAMPLES, 12, 12, 1)).astype(np.float32)
VECTORS = rng.normal(size=(EXAMPLES, TIME, 2)).astype(np.float32)
LABELS = (np.arange(EXAMPLES) % CLASSES).astype(np.int32)
LENGTHS = (1 + np.arange(EXAMPLES) % TIME).astype(np.int32)
TOKENS = rng.integers(4, WORDS, (EXAMPLES, TIME)).astype(np.int32)
ADAM = optax.adam(1e-3)


def _trained(model, objective):
    return train.gradient_step(objective), (model, nnx.Optimizer(model, ADAM, wrt=nnx.Param))


def _classified(model, *inputs):
    def objective(model, batch, rng_key):
        *inputs, labels = batch
        return {"loss": objectives.cross_entropy(model(*inputs), labels).mean()}

    return *_trained(model, objective), (*inputs, LABELS)


def _cnn(rngs):
    model = cnn.CNN((12, 12, 1), CLASSES, channels=(3, 4), hidden=5, dropout=0.2, rngs=rngs)
    model.train()

    def objective(model, batch, rng_key):
        images, labels = batch
        logits = model(images, rngs=nnx.Rngs(rng_key))
        return {"loss": objectives.cross_entropy(logits, labels).mean()}

    return *_trained(model, objective), (IMAGES, LABELS)


def _small_vae(rngs):
    return vae.VAE((12, 12, 1), LATENT, encoder_hidden=5, decoder_hidden=5, rngs=rngs)


def _vae(rngs):
    def objective(model, images, rng_key):
        return {"loss": sum(objectives.elbo_terms(model, images, rng_key)).mean()}

    return *_trained(_small_vae(rngs), objective), IMAGES


def _told(rngs):
    def objective(model, batch, rng_key):
        images, labels = batch
        return {"loss": sum(objectives.elbo_terms(model.given(labels), images, rng_key)).mean()}

    return *_trained(vae.ConditionalVAE(_small_vae(rngs), CLASSES, rngs=rngs), objective), (IMAGES, LABELS)


def _guessing(rngs):
    def objective(model, images, rng_key):
        bounds = objectives.class_elbos(model.conditional, images, rng_key)
        return {"loss": -objectives.unlabelled_bound(bounds, model.classifier(images)).mean()}

    told = vae.ConditionalVAE(_small_vae(rngs), CLASSES, rngs=rngs)
    classifier = mlp.MLP((12, 12, 1), (5,), CLASSES, rngs=rngs)
    return *_trained(vae.SemiSupervisedVAE(told, classifier), objective), IMAGES


def _players(generator, discriminator, discriminator_objective, generator_objective, **options):
    model = gan.GAN(generator, discriminator)
    optimizers = (nnx.Optimizer(player, ADAM, wrt=nnx.Param) for player in (generator, discriminator))
    return train.adversarial_step(discriminator_objective, generator_objective, **options), (
        model,
        *optimizers,
    )


def _codes(rng_key, samples):
    return jax.random.normal(rng_key, (len(samples), LATENT), samples.dtype)


def _judge(generator, discriminator, images, rng_key):
    fakes = generator(_codes(rng_key, images))
    losses = objectives.discriminator_loss(discriminator(images), discriminator(fakes))
    return {"loss": (losses + objectives.r1_penalty(discriminator, images)).mean()}


def _make(generator, discriminator, images, rng_key):
    return {"loss": objectives.generator_loss(discriminator(generator(_codes(rng_key, images)))).mean()}


def _gan(rngs):
    generator = gan.Generator(LATENT, (5,), (12, 12, 1), output=jnp.tanh, rngs=rngs)
    return *_players(generator, gan.Discriminator((12, 12, 1), (5,), rngs=rngs), _judge, _make), IMAGES


def _conv_gan(rngs):
    generator = gan.ConvGenerator(LATENT, (4, 3), (12, 12, 1), output=jnp.tanh, rngs=rngs)
    return *_players(generator, gan.ConvDiscriminator((12, 12, 1), (3, 4), rngs=rngs), _judge, _make), IMAGES


def _wasserstein_gan(rngs):
    def judge(generator, critic, images, rng_key):
        fakes = generator(_codes(rng_key, images))
        losses = objectives.wasserstein_critic_loss(critic(images), critic(fakes))
        return {"loss": (losses + objectives.gradient_penalty(critic, images, fakes, rng_key)).mean()}

    def make(generator, critic, images, rng_key):
        return {
            "loss": objectives.wasserstein_generator_loss(critic(generator(_codes(rng_key, images)))).mean()
        }

    generator = gan.Generator(LATENT, (5,), (12, 12, 1), rngs=rngs)
    critic = gan.Discriminator((12, 12, 1), (5,), rngs=rngs)
    return *_players(generator, critic, judge, make, critic_steps=2), IMAGES


def _told_gan(rngs):
    def judge(generator, discriminator, batch, rng_key):
        images, labels = batch
        fakes = generator(_codes(rng_key, images), labels)
        real_logits, fake_logits = discriminator(images, labels), discriminator(fakes, labels)
        return {"loss": objectives.discriminator_loss(real_logits, fake_logits).mean()}

    def make(generator, discriminator, batch, rng_key):
        images, labels = batch
        fakes = generator(_codes(rng_key, images), labels)
        return {"loss": objectives.generator_loss(discriminator(fakes, labels)).mean()}

    generator = gan.ConditionalGenerator(
        gan.Generator(LATENT + CLASSES, (5,), (12, 12, 1), rngs=rngs), CLASSES
    )
    network = mlp.MLP((12, 12, 1), (5,), CLASSES, rngs=rngs)
    return *_players(generator, gan.ConditionalDiscriminator(network), judge, make), (IMAGES, LABELS)


def _reader(kind):
    def made(rngs):
        model = rnn.SequenceClassifier(kind(2, 4, rngs=rngs), CLASSES, dense=5, rngs=rngs)
        return _classified(model, VECTORS, LENGTHS)

    return made


def _writer(rngs):
    def objective(model, batch, rng_key):
        tokens, conditions = batch
        logits, targets = model(tokens[:, :-1], conditions), tokens[:, 1:]
        return {"loss": objectives.text_cross_entropy(logits, targets, targets > 0).mean()}

    model = rnn.CharacterModel(rnn.LSTMCell(4, 4, rngs=rngs), WORDS, CLASSES, rngs=rngs)
    return *_trained(model, objective), (TOKENS, LABELS)


SIZES = {"longest": TIME, "width": 4, "heads": 2, "blocks": 1, "hidden": 5}


def _translator(rngs):
    def objective(model, batch, rng_key):
        texts, lengths = batch
        logits, targets = model(texts[:, :-1], model.read(texts, lengths)).logits, texts[:, 1:]
        return {"loss": objectives.text_cross_entropy(logits, targets, targets > 0).mean()}

    return *_trained(transformer.Translator(WORDS, WORDS, **SIZES, rngs=rngs), objective), (TOKENS, LENGTHS)


# name → rngs → (step, modules, data)
FAMILIES = {
    "mlp": lambda rngs: _classified(mlp.MLP((12, 12, 1), (5,), CLASSES, rngs=rngs), IMAGES),
    "vae": _vae,
    "conditional vae": _told,
    "semi-supervised vae": _guessing,
    "gan": _gan,
    "convolutional gan": _conv_gan,
    "wasserstein gan": _wasserstein_gan,
    "conditional gan": _told_gan,
    "cnn": _cnn,
    "sequence cnn": lambda rngs: _classified(
        cnn.SequenceCNN(TIME, CLASSES, channels=3, rngs=rngs), VECTORS[..., 0]
    ),
    "plain rnn": _reader(rnn.PlainCell),
    "lstm": _reader(rnn.LSTMCell),
    "gru": _reader(rnn.GRUCell),
    "rnn of tokens": lambda rngs: _classified(
        rnn.SequenceClassifier(rnn.LSTMCell(4, 4, rngs=rngs), CLASSES, vocabulary=WORDS, rngs=rngs), TOKENS
    ),
    "character model": _writer,
    "transformer": lambda rngs: _classified(
        transformer.TransformerClassifier(CLASSES, features=2, **SIZES, rngs=rngs), VECTORS, LENGTHS
    ),
    "transformer of tokens": lambda rngs: _classified(
        transformer.TransformerClassifier(CLASSES, vocabulary=WORDS, **SIZES, rngs=rngs), TOKENS
    ),
    "translator": _translator,
}


def made(name):
    """(step, modules, data) of a family."""
    return FAMILIES[name](nnx.Rngs(0))
