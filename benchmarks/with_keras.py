"""The models in Keras on TensorFlow, as its documentation writes them and says to make them fast.

`compile` has its default jit_compile="auto", which takes XLA on a GPU and leaves it out on the CPU: there
True was about as fast for the VAE and the GAN, took twice as long for the CNN, and longer for the transformer, in
training and in decoding. An LSTM that is unrolled took the same time as one that is not. An epoch's steps are one call
(`steps_per_execution`), as its documentation advises for small models.
"""

import os

os.environ["KERAS_BACKEND"] = "tensorflow"

import keras
import numpy as np
import tensorflow as tf
import work
from keras import layers
from keras_translator import Translator

FAST = {"jit_compile": "auto", "steps_per_execution": work.STEPS_PER_EPOCH}


class VAE(keras.Model):
    def __init__(self):
        super().__init__()
        self.hidden = layers.Dense(work.VAE_ENCODER, activation="relu")
        self.mean, self.logvar = layers.Dense(work.VAE_LATENT), layers.Dense(work.VAE_LATENT)
        self.decoder = keras.Sequential(
            [layers.Dense(work.VAE_DECODER, activation="relu"), layers.Dense(work.PIXELS)]
        )

    def call(self, x):
        h = self.hidden(x)
        mean, logvar = self.mean(h), self.logvar(h)
        return self.decoder(mean + tf.exp(0.5 * logvar) * tf.random.normal(tf.shape(mean))), mean, logvar

    def negative_elbo(self, x, training):
        logits, mean, logvar = self(x, training=training)
        distortion = tf.reduce_sum(tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits), axis=1)
        rate = 0.5 * tf.reduce_sum(mean**2 + tf.exp(logvar) - 1 - logvar, axis=1)
        return tf.reduce_mean(distortion + rate)

    def train_step(self, x):
        with tf.GradientTape() as tape:
            loss = self.negative_elbo(x, training=True)
        weights = self.trainable_variables
        self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
        return {"negative_elbo": loss}

    def test_step(self, x):
        return {"negative_elbo": self.negative_elbo(x, training=False)}


def vae(digits: work.Digits) -> tuple[keras.Model, dict, tuple]:
    model = VAE()
    model.compile(optimizer=keras.optimizers.Adam(work.RATE), **FAST)
    return (
        model,
        {"x": digits.images.reshape(-1, work.PIXELS)},
        (digits.held_out_images.reshape(-1, work.PIXELS),),
    )


class GAN(keras.Model):
    def __init__(self):
        super().__init__()
        a, b = work.GAN_HIDDEN
        self.generator = keras.Sequential(
            [
                keras.Input((work.GAN_LATENT,)),
                layers.Dense(a, activation="relu"),
                layers.Dense(b, activation="relu"),
                layers.Dense(work.PIXELS, activation="tanh"),
            ]
        )
        self.discriminator = keras.Sequential(
            [
                keras.Input((work.PIXELS,)),
                layers.Dense(a),
                layers.LeakyReLU(work.GAN_LEAK),
                layers.Dense(b),
                layers.LeakyReLU(work.GAN_LEAK),
                layers.Dense(1),
            ]
        )

    def compile(self, generator_optimizer, discriminator_optimizer, **options):
        super().compile(**options)
        self.generator_optimizer, self.discriminator_optimizer = generator_optimizer, discriminator_optimizer

    def fakes(self):
        return self.generator(tf.random.normal((work.BATCH, work.GAN_LATENT)), training=True)

    def train_step(self, real):
        fake = self.fakes()
        with tf.GradientTape() as tape:
            real_logits = self.discriminator(real, training=True)
            fake_logits = self.discriminator(fake, training=True)
            judged = tf.reduce_mean(tf.nn.softplus(-real_logits) + tf.nn.softplus(fake_logits))
        weights = self.discriminator.trainable_weights
        gradients = tape.gradient(judged, weights)
        self.discriminator_optimizer.apply_gradients(zip(gradients, weights, strict=True))
        with tf.GradientTape() as tape:
            made = tf.reduce_mean(tf.nn.softplus(-self.discriminator(self.fakes(), training=True)))
        weights = self.generator.trainable_weights
        gradients = tape.gradient(made, weights)
        self.generator_optimizer.apply_gradients(zip(gradients, weights, strict=True))
        return {"discriminator_loss": judged, "generator_loss": made}


def gan(digits: work.Digits) -> tuple[keras.Model, dict, None]:
    model = GAN()
    adams = (keras.optimizers.Adam(work.GAN_RATE, beta_1=work.GAN_B1) for _ in range(2))
    model.compile(*adams, **FAST)
    return model, {"x": digits.images.reshape(-1, work.PIXELS)}, None


def cnn(digits: work.Digits) -> tuple[keras.Model, dict, tuple]:
    first, second = work.CNN_CHANNELS
    model = keras.Sequential(
        [
            keras.Input((work.HEIGHT, work.HEIGHT, 1)),
            layers.Conv2D(first, work.CNN_WINDOW, activation="relu"),
            layers.MaxPooling2D(work.CNN_POOL),
            layers.Conv2D(second, work.CNN_WINDOW, activation="relu"),
            layers.MaxPooling2D(work.CNN_POOL),
            layers.Flatten(),
            layers.Dense(work.CNN_HIDDEN, activation="relu"),
            layers.Dense(work.CLASSES),
        ]
    )
    images, held_out = digits.images[..., None], digits.held_out_images[..., None]
    return classifier(model, images, held_out, digits)


def classifier(
    model: keras.Model, images: np.ndarray, held_out: np.ndarray, digits: work.Digits
) -> tuple[keras.Model, dict, tuple]:
    model.compile(
        optimizer=keras.optimizers.Adam(work.RATE),
        loss=keras.losses.SparseCategoricalCrossentropy(from_logits=True),
        metrics=["accuracy"],
        **FAST,
    )
    return model, {"x": images, "y": digits.labels}, (held_out, digits.held_out_labels)


def lstm(digits: work.Digits) -> tuple[keras.Model, dict, tuple]:
    model = keras.Sequential(
        [
            keras.Input((work.HEIGHT, work.HEIGHT)),
            layers.LSTM(work.LSTM_UNITS),
            layers.Dense(work.LSTM_HIDDEN, activation="relu"),
            layers.Dense(work.CLASSES),
        ]
    )
    return classifier(model, digits.images, digits.held_out_images, digits)


def transformer(dates: work.Dates) -> tuple[keras.Model, dict, tuple]:
    model = Translator(dates.source_tokens)
    model.compile(optimizer=keras.optimizers.Adam(work.RATE), **FAST)
    return model, {"x": tuple(dates[:3])}, (tuple(dates[3:6]),)


MODELS = {"vae": vae, "gan": gan, "cnn": cnn, "lstm": lstm, "transformer": transformer}
SCORES = {
    "vae": "val_negative_elbo",
    "cnn": "val_accuracy",
    "lstm": "val_accuracy",
    "transformer": "val_nats",
}


def trainer(model: str, data: work.Digits | work.Dates) -> work.Contender:
    network, training, held_out = MODELS[model](data)

    def fit(epochs: int, validate: bool = False) -> float | None:
        watched = {"validation_data": held_out, "validation_batch_size": work.EXAMPLES} if validate else {}
        history = network.fit(**training, batch_size=work.BATCH, epochs=epochs, verbose=0, **watched).history
        return history[SCORES[model]][-1] if validate else None

    def decode() -> np.ndarray:
        return network.translate(*texts).numpy()

    if model != "transformer":
        return work.Contender(fit)
    texts = [tf.constant(rows) for rows in held_out[0][:2]]
    return work.Contender(fit, decode)
