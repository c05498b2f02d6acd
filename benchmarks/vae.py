"""Milliseconds a training step of one VAE, in gdlib, PyTorch and Keras on TensorFlow.

python benchmarks/vae.py              each contender in a process of its own, in turns
python benchmarks/vae.py gdlib        one contender: prints its milliseconds

The same work for each: 784–256–2 and 2–512–784, ReLU, −ELBO with Bernoulli pixels, Adam at 1e-3,
float32, minibatches of 128 in a new order each epoch, out of 3584 images that already lie in memory.
Each is written as its own users would write it, compiled where that is usual, and timed without its
first epoch. Nothing is drawn for the images, so that only the training is compared.
"""

import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

EXAMPLES, BATCH, EPOCHS, ROUNDS = 3584, 128, 20, 5
STEPS = EPOCHS * EXAMPLES // BATCH


def binary_digits() -> np.ndarray:
    """(n, 784) zeros and ones with about the density of binarised digits; speed does not depend on more."""
    return (np.random.default_rng(0).random((EXAMPLES, 784)) < 0.13).astype(np.float32)


def gdlib() -> float:
    import jax
    import jax.numpy as jnp
    import optax
    from flax import nnx

    from gdlib import objectives, train
    from gdlib.models import vae

    def objective(model, images, rng_key):
        terms = objectives.elbo_terms(model, images, rng_key)
        return {"loss": jnp.mean(terms.distortion + terms.rate)}

    model = vae.VAE((28, 28, 1), 2, rngs=nnx.Rngs(0))
    modules = (model, nnx.Optimizer(model, optax.adam(1e-3), wrt=nnx.Param))
    step, images = train.gradient_step(objective), binary_digits().reshape(-1, 28, 28, 1)

    def fit(epochs):
        key = jax.random.key(0)
        train.fit(step, modules, images, key, epochs=epochs, batch_size=BATCH, progress=False)

    fit(1)
    started = time.perf_counter()
    fit(EPOCHS)
    return time.perf_counter() - started


def pytorch() -> float:
    import torch
    from torch import nn
    from torch.nn.functional import binary_cross_entropy_with_logits

    class VAE(nn.Module):
        def __init__(self):
            super().__init__()
            self.hidden, self.mean, self.logvar = nn.Linear(784, 256), nn.Linear(256, 2), nn.Linear(256, 2)
            self.decoder = nn.Sequential(nn.Linear(2, 512), nn.ReLU(), nn.Linear(512, 784))

        def forward(self, x):
            h = self.hidden(x).relu()
            mean, logvar = self.mean(h), self.logvar(h)
            return self.decoder(mean + (0.5 * logvar).exp() * torch.randn_like(mean)), mean, logvar

    images, model = torch.from_numpy(binary_digits()), VAE()
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)

    def fit(epochs):
        for _ in range(epochs):
            for batch in images[torch.randperm(EXAMPLES)].split(BATCH):
                optimizer.zero_grad()
                logits, mean, logvar = model(batch)
                distortion = binary_cross_entropy_with_logits(logits, batch, reduction="sum")
                rate = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum()
                ((distortion + rate) / BATCH).backward()
                optimizer.step()

    fit(1)
    started = time.perf_counter()
    fit(EPOCHS)
    return time.perf_counter() - started


def keras() -> float:
    os.environ["KERAS_BACKEND"], os.environ["TF_CPP_MIN_LOG_LEVEL"] = "tensorflow", "3"
    import keras
    import tensorflow as tf
    from keras import layers

    class VAE(keras.Model):
        def __init__(self):
            super().__init__()
            self.hidden = layers.Dense(256, activation="relu")
            self.mean, self.logvar = layers.Dense(2), layers.Dense(2)
            self.decoder = keras.Sequential([layers.Dense(512, activation="relu"), layers.Dense(784)])

        def call(self, x):
            h = self.hidden(x)
            mean, logvar = self.mean(h), self.logvar(h)
            return self.decoder(mean + tf.exp(0.5 * logvar) * tf.random.normal(tf.shape(mean))), mean, logvar

        def train_step(self, x):
            with tf.GradientTape() as tape:
                logits, mean, logvar = self(x, training=True)
                cross_entropy = tf.nn.sigmoid_cross_entropy_with_logits(labels=x, logits=logits)
                rate = 0.5 * tf.reduce_sum(mean**2 + tf.exp(logvar) - 1 - logvar)
                loss = (tf.reduce_sum(cross_entropy) + rate) / BATCH
            weights = self.trainable_variables
            self.optimizer.apply_gradients(zip(tape.gradient(loss, weights), weights, strict=True))
            return {"loss": loss}

    model = VAE()
    model.compile(optimizer=keras.optimizers.Adam(1e-3))  # jit_compile="auto": XLA where it can
    images = binary_digits()
    model.fit(images, batch_size=BATCH, epochs=1, verbose=0)
    started = time.perf_counter()
    model.fit(images, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    return time.perf_counter() - started


CONTENDERS = {"gdlib": gdlib, "pytorch": pytorch, "keras": keras}


def main() -> None:
    if len(sys.argv) == 2:
        print(1000 * CONTENDERS[sys.argv[1]]() / STEPS)
        return
    found = {name: [] for name in CONTENDERS}
    for _ in range(ROUNDS):
        for name, times in found.items():
            command = [sys.executable, str(Path(__file__)), name]
            times.append(float(subprocess.check_output(command, text=True, stderr=subprocess.DEVNULL)))
    print(f"ms a step, {ROUNDS} processes each: minimum, median, maximum, and the median in gdlib's")
    own = statistics.median(found["gdlib"])
    for name, times in found.items():
        middle = statistics.median(times)
        print(f"{name:>8} {min(times):6.2f} {middle:6.2f} {max(times):6.2f} {middle / own:6.2f}")


if __name__ == "__main__":
    main()
