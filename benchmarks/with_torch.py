"""The models in PyTorch, as its documentation writes them and says to make them fast.

Adam is the fused one. Data lies in memory, and minibatches are views of it: a `DataLoader` would only add to the
time. "eager" is PyTorch as it comes, with the memory format "channels last" for the CNN (the other took a tenth
longer); "compiled" passes the whole step, optimizer included, to `torch.compile` (its mode "max-autotune" was
nowhere faster than eager). `nn.LSTM` runs as it is there, too: `torch.compile` leaves recurrent layers alone.

The transformer begins as PyTorch's tutorial on translation has it (Xavier's rule for all matrices): with the default,
N(0, 1) for embeddings, it took six times as many epochs. Decoding is eager for both: compiled, all its steps in one
function, it took over two minutes to compile and was not faster.
"""

from collections.abc import Callable

import numpy as np
import torch
import work
from torch import nn
from torch.nn import functional as F
from torch_translator import Translator


def adam(module: nn.Module, rate: float, b1: float = 0.9) -> torch.optim.Optimizer:
    return torch.optim.Adam(module.parameters(), lr=rate, betas=(b1, 0.999), fused=True)


def epochs_of(step: Callable, *data: torch.Tensor) -> Callable[[int], None]:
    """A function that runs `step` over shuffled minibatches for so many epochs."""

    def fit(epochs: int) -> None:
        for _ in range(epochs):
            order = torch.randperm(work.EXAMPLES)
            for batch in zip(*(rows[order].split(work.BATCH) for rows in data), strict=True):
                step(*batch)

    return fit


class VAE(nn.Module):
    def __init__(self):
        super().__init__()
        self.hidden = nn.Linear(work.PIXELS, work.VAE_ENCODER)
        self.mean = nn.Linear(work.VAE_ENCODER, work.VAE_LATENT)
        self.logvar = nn.Linear(work.VAE_ENCODER, work.VAE_LATENT)
        self.decoder = nn.Sequential(
            nn.Linear(work.VAE_LATENT, work.VAE_DECODER), nn.ReLU(), nn.Linear(work.VAE_DECODER, work.PIXELS)
        )

    def negative_elbo(self, x: torch.Tensor) -> torch.Tensor:
        h = self.hidden(x).relu()
        mean, logvar = self.mean(h), self.logvar(h)
        logits = self.decoder(mean + (0.5 * logvar).exp() * torch.randn_like(mean))
        distortion = F.binary_cross_entropy_with_logits(logits, x, reduction="sum")
        rate = 0.5 * (mean.square() + logvar.exp() - 1 - logvar).sum()
        return (distortion + rate) / len(x)


def vae(digits: work.Digits, prepare: Callable) -> tuple[Callable, Callable]:
    images, held_out = (
        torch.from_numpy(rows.reshape(-1, work.PIXELS)) for rows in (digits.images, digits.held_out_images)
    )
    model = VAE()
    optimizer = adam(model, work.RATE)

    @prepare
    def step(batch):
        optimizer.zero_grad()
        model.negative_elbo(batch).backward()
        optimizer.step()

    @torch.no_grad()
    def score() -> float:
        return model.negative_elbo(held_out).item()

    return epochs_of(step, images), score


def gan(digits: work.Digits, prepare: Callable) -> tuple[Callable, Callable]:
    a, b = work.GAN_HIDDEN
    generator = nn.Sequential(
        nn.Linear(work.GAN_LATENT, a),
        nn.ReLU(),
        nn.Linear(a, b),
        nn.ReLU(),
        nn.Linear(b, work.PIXELS),
        nn.Tanh(),
    )
    leaky = nn.LeakyReLU(work.GAN_LEAK)
    discriminator = nn.Sequential(nn.Linear(work.PIXELS, a), leaky, nn.Linear(a, b), leaky, nn.Linear(b, 1))
    generator_weights = list(generator.parameters())
    generator_adam, discriminator_adam = (
        adam(m, work.GAN_RATE, work.GAN_B1) for m in (generator, discriminator)
    )

    def fakes():
        return generator(torch.randn(work.BATCH, work.GAN_LATENT))

    @prepare
    def step(real):
        discriminator_adam.zero_grad()
        real_logits, fake_logits = discriminator(real), discriminator(fakes().detach())
        (F.softplus(-real_logits) + F.softplus(fake_logits)).mean().backward()
        discriminator_adam.step()
        generator_adam.zero_grad()
        # `inputs` spares the gradient in the discriminator's weights, which nobody uses.
        F.softplus(-discriminator(fakes())).mean().backward(inputs=generator_weights)
        generator_adam.step()

    return epochs_of(step, torch.from_numpy(digits.images.reshape(-1, work.PIXELS))), None


def classifier(
    model: nn.Module, images: torch.Tensor, held_out: torch.Tensor, digits: work.Digits, prepare: Callable
) -> tuple[Callable, Callable]:
    """Training of any model that gives logits from images, and its accuracy."""
    labels, held_out_labels = (
        torch.from_numpy(rows).long() for rows in (digits.labels, digits.held_out_labels)
    )
    optimizer = adam(model, work.RATE)

    @prepare
    def step(batch, targets):
        optimizer.zero_grad()
        F.cross_entropy(model(batch), targets).backward()
        optimizer.step()

    @torch.no_grad()
    def score() -> float:
        return (model(held_out).argmax(dim=1) == held_out_labels).float().mean().item()

    return epochs_of(step, images, labels), score


def cnn(digits: work.Digits, prepare: Callable) -> tuple[Callable, Callable]:
    def last(rows):
        return torch.from_numpy(rows[:, None]).to(memory_format=torch.channels_last)

    images, held_out = last(digits.images), last(digits.held_out_images)
    first, second = work.CNN_CHANNELS
    features = second * 5 * 5
    model = nn.Sequential(
        nn.Conv2d(1, first, work.CNN_WINDOW),
        nn.ReLU(),
        nn.MaxPool2d(work.CNN_POOL),
        nn.Conv2d(first, second, work.CNN_WINDOW),
        nn.ReLU(),
        nn.MaxPool2d(work.CNN_POOL),
        nn.Flatten(),
        nn.Linear(features, work.CNN_HIDDEN),
        nn.ReLU(),
        nn.Linear(work.CNN_HIDDEN, work.CLASSES),
    ).to(memory_format=torch.channels_last)
    return classifier(model, images, held_out, digits, prepare)


class RowReader(nn.Module):
    """A digit row by row → logits, from the last state."""

    def __init__(self):
        super().__init__()
        self.lstm = nn.LSTM(work.HEIGHT, work.LSTM_UNITS, batch_first=True)
        self.head = nn.Sequential(
            nn.Linear(work.LSTM_UNITS, work.LSTM_HIDDEN), nn.ReLU(), nn.Linear(work.LSTM_HIDDEN, work.CLASSES)
        )

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        _, (h, _) = self.lstm(x)
        return self.head(h[-1])


def lstm(digits: work.Digits, prepare: Callable) -> tuple[Callable, Callable]:
    images, held_out = torch.from_numpy(digits.images), torch.from_numpy(digits.held_out_images)
    return classifier(RowReader(), images, held_out, digits, prepare)


def transformer(dates: work.Dates, prepare: Callable) -> tuple[Callable, Callable, Callable]:
    model = Translator(dates.source_tokens)
    optimizer = adam(model, work.RATE)
    training, held_out = (
        [torch.from_numpy(rows).long() for rows in side] for side in (dates[:3], dates[3:6])
    )

    @prepare
    def step(*batch):
        optimizer.zero_grad()
        model.loss(*batch).backward()
        optimizer.step()

    @torch.no_grad()
    def score() -> float:
        return model.loss(*held_out).item()

    @torch.inference_mode()
    def decode() -> np.ndarray:
        return model.translate(*held_out[:2]).numpy()

    return epochs_of(step, *training), score, decode


MODELS = {"vae": vae, "gan": gan, "cnn": cnn, "lstm": lstm, "transformer": transformer}


def trainer(model: str, data: work.Digits | work.Dates, *, compiled: bool) -> work.Contender:
    train, score, *decode = MODELS[model](data, torch.compile if compiled else lambda f: f)

    def fit(epochs: int, validate: bool = False) -> float | None:
        train(epochs)
        return score() if validate else None

    return work.Contender(fit, *decode)
