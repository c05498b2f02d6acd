"""Arrays → figures. Nothing here trains, and nothing knows a model. Each function returns a closed figure,
which a notebook shows where it is a cell's last expression."""

from collections.abc import Mapping, Sequence

import matplotlib as mpl
import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from gdlib import validation

# Okabe & Ito's colours: told apart by readers with any common kind of colour vision.
BLUE, ORANGE, GREEN, PINK, SKY, VERMILION, YELLOW, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000",
)  # fmt: skip
STYLE = {
    "axes.prop_cycle": mpl.cycler(color=[BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, BLACK]),
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "grid.alpha": 0.3,
    "figure.figsize": (6.4, 3.6),
    "figure.constrained_layout.use": True,
    "font.size": 11,
    "legend.frameon": False,
    "svg.hashsalt": "gdlib",  # the same figure is the same file
}


def use_style() -> None:
    """The book's look for every figure of a notebook, drawn as SVG."""
    from matplotlib_inline.backend_inline import set_matplotlib_formats

    mpl.rcParams.update(STYLE)
    set_matplotlib_formats("svg", metadata={"Date": None})


def image_rows(rows: Mapping[str, ArrayLike]) -> Figure:
    """Rows of grey images under each other, each with its name.

    Args:
      rows: name → (columns, height, width, 1) with values in [0, 1]; every row the same shape.
    """
    arrays = {name: np.asarray(images) for name, images in rows.items()}
    shapes = {images.shape for images in arrays.values()}
    if len(shapes) != 1 or len(shape := shapes.pop()) != 4:
        raise ValueError(
            f"rows: expected arrays of one shape (columns, height, width, 1), got {[a.shape for a in arrays.values()]}"
        )
    for name, images in arrays.items():
        validation.within(f"rows[{name!r}]", images, 0, 1)
    columns, height, width, _ = shape
    strips = [
        images[..., 0].transpose(1, 0, 2).reshape(height, columns * width) for images in arrays.values()
    ]
    figure, axes = plt.subplots(
        len(strips),
        figsize=(7.2, 0.15 + len(strips) * 7.2 * height / width / columns),
        squeeze=False,
    )
    for axis, name, strip in zip(axes.flat, arrays, strips, strict=True):
        _bare_image(axis, strip)
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    plt.close(figure)
    return figure


def image_grid(
    images: ArrayLike, columns: int, *, x_label: str = "", y_label: str = "", size: float = 5.0
) -> Figure:
    """Grey images, (n, height, width, 1) with values in [0, 1], as one seamless sheet, row by row."""
    images = np.asarray(images)
    columns = validation.positive_int("columns", columns)
    if images.ndim != 4 or len(images) % columns:
        raise ValueError(
            f"images: expected (n, height, width, 1), n a multiple of {columns}, got shape {images.shape}"
        )
    validation.within("images", images, 0, 1)
    n, height, width, _ = images.shape
    sheet = images[..., 0].reshape(n // columns, columns, height, width).transpose(0, 2, 1, 3)
    figure, axis = plt.subplots(figsize=(size, size * (n // columns) * height / (columns * width)))
    _bare_image(axis, sheet.reshape(-1, columns * width))
    axis.set(xlabel=x_label, ylabel=y_label)
    plt.close(figure)
    return figure


def learning_curve(
    epochs: ArrayLike,
    curves: Mapping[str, ArrayLike],
    *,
    y_label: str,
    baseline: tuple[str, float] | None = None,
) -> Figure:
    """Curves over epochs: the mean over seeds as a line, their whole range as a band.

    Args:
      epochs: (n,) the horizontal axis.
      curves: name → (n,) of one run, or (n, seeds).
      y_label: with its unit.
      baseline: (name, value) of what is to be beaten, drawn as a dashed line.
    """
    epochs = np.asarray(epochs)
    curves = {name: np.asarray(values) for name, values in curves.items()}
    for name, values in curves.items():
        if values.ndim not in (1, 2) or len(values) != len(epochs):
            raise ValueError(
                f"curves[{name!r}]: expected one value an epoch, ({len(epochs)},) or ({len(epochs)}, seeds), "
                f"got shape {values.shape}"
            )
    figure, axis = plt.subplots()
    for name, values in curves.items():
        values = values.reshape(len(epochs), -1)
        (line,) = axis.plot(epochs, values.mean(axis=1), label=name)
        axis.fill_between(
            epochs, values.min(axis=1), values.max(axis=1), color=line.get_color(), alpha=0.25, lw=0
        )
    if baseline is not None:
        name, value = baseline
        axis.axhline(value, color=BLACK, ls="--", lw=1, label=name)
    axis.set(xlabel="epochs", ylabel=y_label)
    axis.legend()
    plt.close(figure)
    return figure


def latent_map(points: ArrayLike, labels: ArrayLike, classes: Sequence[str]) -> Figure:
    """Points in the plane, (n, 2), coloured by class; a class named by one character is drawn as it."""
    points, labels = np.asarray(points), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points: expected shape (n, 2), got {points.shape}")
    figure, axis = plt.subplots(figsize=(6.4, 5.4))
    colours = mpl.colormaps["tab10"](np.arange(len(classes)) % 10)
    for position, name in enumerate(classes):
        marker = f"${name}$" if len(name) == 1 else "o"
        members = points[labels == position]
        axis.scatter(*members.T, s=26, marker=marker, color=colours[position], lw=0, label=name)
    axis.set(xlabel="first latent dimension", ylabel="second latent dimension", aspect="equal")
    if max(map(len, classes)) > 1:
        axis.legend()
    plt.close(figure)
    return figure


def _bare_image(axis, image: np.ndarray) -> None:
    axis.imshow(image, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest", aspect="equal")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(False)
    axis.spines[:].set_visible(False)
