"""Arrays → figures: nothing here trains, and nothing knows a model.

Each function returns a figure that pyplot does not know: a notebook shows it where it is a cell's last expression.
"""

from collections.abc import Mapping, Sequence
from typing import Literal

import matplotlib as mpl
import numpy as np
from cycler import cycler
from matplotlib import patches, ticker
from matplotlib.figure import Figure
from numpy.typing import ArrayLike

from gdlib import expect

# Okabe & Ito's colours: told apart by readers with any common kind of colour vision.
BLUE, ORANGE, GREEN, PINK, SKY, VERMILION, YELLOW, BLACK = (
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00", "#F0E442", "#000000",
)  # fmt: skip
# Of 33 shades: half of the bytes of 256, and the eye sees no step.
GREYS = mpl.colormaps["gray_r"].resampled(33)
STYLE = {
    "axes.prop_cycle": cycler(color=[BLUE, VERMILION, GREEN, PINK, ORANGE, SKY, BLACK]),
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

    mpl.rcParams.update(STYLE)  # pyright: ignore[reportCallIssue, reportArgumentType]
    set_matplotlib_formats("svg", metadata={"Date": None})


def _subplots(
    rows: int = 1, columns: int = 1, *, figsize: tuple[float, float] | None = None, squeeze: bool = True
):
    figure = Figure(figsize=figsize)
    return figure, figure.subplots(rows, columns, squeeze=squeeze)


def image_rows(rows: Mapping[str, ArrayLike]) -> Figure:
    """Rows of grey images under each other, each with its name.

    Args:
      rows: name → (columns, height, width, 1) with values in [0, 1]; every row the same shape.
    """
    arrays = {name: np.asarray(images) for name, images in rows.items()}
    shapes = {images.shape for images in arrays.values()}
    if len(shapes) != 1 or len(shape := shapes.pop()) != 4 or shape[3] != 1 or not shape[0]:
        raise ValueError(
            f"rows: expected arrays of one shape (columns, height, width, 1), got {[a.shape for a in arrays.values()]}"
        )
    for name, images in arrays.items():
        expect.within(f"rows[{name!r}]", images, 0, 1)
    columns, height, width, _ = shape
    strips = [
        images[..., 0].transpose(1, 0, 2).reshape(height, columns * width) for images in arrays.values()
    ]
    figure, axes = _subplots(
        len(strips),
        figsize=(7.2, 0.15 + len(strips) * 7.2 * height / width / columns),
        squeeze=False,
    )
    for axis, name, strip in zip(axes.flat, arrays, strips, strict=True):
        _bare_image(axis, strip)
        axis.set_ylabel(name, rotation=0, ha="right", va="center")
    return figure


def image_grid(
    images: ArrayLike, columns: int, *, x_label: str = "", y_label: str = "", size: float = 5.0
) -> Figure:
    """Grey images, (n, height, width, 1) with values in [0, 1], as one seamless sheet, row by row."""
    images = np.asarray(images)
    columns = expect.positive_int("columns", columns)
    if images.ndim != 4 or images.shape[3] != 1 or not len(images) or len(images) % columns:
        raise ValueError(
            f"images: expected (n, height, width, 1), n a multiple of {columns}, got shape {images.shape}"
        )
    expect.within("images", images, 0, 1)
    n, height, width, _ = images.shape
    sheet = images[..., 0].reshape(n // columns, columns, height, width).transpose(0, 2, 1, 3)
    figure, axis = _subplots(figsize=(size, size * (n // columns) * height / (columns * width)))
    _bare_image(axis, sheet.reshape(-1, columns * width))
    axis.set(xlabel=x_label, ylabel=y_label)
    return figure


def learning_curve(
    epochs: ArrayLike,
    curves: Mapping[str, ArrayLike],
    *,
    y_label: str,
    x_label: str = "epochs",
    x_scale: Literal["linear", "log"] = "linear",
    baseline: tuple[str, float] | None = None,
) -> Figure:
    """Curves over epochs, or over what `x_label` names: the mean over seeds as a line, their range as a band.

    Args:
      epochs: (n,) the horizontal axis.
      curves: name → (n,) of one run, or (n, seeds).
      y_label, x_label: with their units.
      x_scale: of the horizontal axis.
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
    figure, axis = _subplots()
    for name, values in curves.items():
        values = np.ma.masked_invalid(
            values.reshape(len(epochs), -1)
        )  # a seed that diverged is NaN from there
        (line,) = axis.plot(epochs, values.mean(axis=1), label=name)
        axis.fill_between(
            epochs, values.min(axis=1), values.max(axis=1), color=line.get_color(), alpha=0.25, lw=0
        )
    if baseline is not None:
        name, value = baseline
        axis.axhline(value, color=BLACK, ls="--", lw=1, label=name)
    axis.set(xlabel=x_label, ylabel=y_label, xscale=x_scale)
    axis.legend()
    return figure


def latent_map(points: ArrayLike, labels: ArrayLike, classes: Sequence[str]) -> Figure:
    """Points in the plane, (n, 2), coloured by class; a class named by one character is drawn as it."""
    points, labels = np.asarray(points), np.asarray(labels)
    if points.ndim != 2 or points.shape[1] != 2:
        raise ValueError(f"points: expected shape (n, 2), got {points.shape}")
    expect.positions("labels", labels, len(points), len(classes))
    figure, axis = _subplots(figsize=(6.4, 5.4))
    colours = mpl.colormaps["tab10"](np.arange(len(classes)) % 10)
    for position, name in enumerate(classes):
        marker = f"${name}$" if len(name) == 1 and name.isascii() and name.isalnum() else "o"
        members = points[labels == position]
        axis.scatter(*members.T, s=26, marker=marker, color=colours[position], lw=0, label=name)
    axis.set(xlabel="first latent dimension", ylabel="second latent dimension", aspect="equal")
    if max(map(len, classes)) > 1:
        axis.legend()
    return figure


def rate_distortion(rates: ArrayLike, distortions: ArrayLike, *, names: Sequence[str]) -> Figure:
    """Distortion against rate, (settings, seeds) each in nats: points, the curve of their means, names.

    Grey diagonals join points of equal −ELBO = distortion + rate.
    """
    rates, distortions = np.asarray(rates), np.asarray(distortions)
    if rates.ndim != 2 or rates.shape != distortions.shape or len(names) != len(rates):
        raise ValueError(
            f"rates: expected (settings, seeds) as the distortions and a name a setting, got {rates.shape}, "
            f"{distortions.shape} and {len(names)} names"
        )
    figure, axis = _subplots(figsize=(6.4, 4.6))
    x, y = rates.mean(axis=1), distortions.mean(axis=1)
    axis.plot(x, y, color=BLUE, lw=1.5)
    for rate, distortion in zip(rates, distortions, strict=True):
        axis.scatter(rate, distortion, color=VERMILION, s=16, zorder=3)
    for name, here in zip(names, zip(x, y, strict=True), strict=True):
        axis.annotate(name, here, xytext=(8, 6), textcoords="offset points")
    axis.margins(0.12)
    limits = axis.get_xlim(), axis.get_ylim()
    for total in ticker.MaxNLocator(8).tick_values(0, (rates + distortions).max() * 1.2):
        axis.axline((0, total), slope=-1, color="0.8", lw=0.8, zorder=0)
    axis.set(
        xlim=limits[0], ylim=limits[1], xlabel="rate, nats per image", ylabel="distortion, nats per image"
    )
    return figure


def densities(
    axis: ArrayLike, densities: ArrayLike, means: ArrayLike, deviations: ArrayLike, *, names: Sequence[str]
) -> Figure:
    """Densities on a square grid, each in a window around an ellipse of two standard deviations.

    Args:
      axis: (g,) the grid's coordinates, the same in both directions.
      densities: (n, g, g), first index along the first coordinate; n a multiple of 3, or less than 3.
      means, deviations: (n, 2) centre and standard deviations of the ellipses.
      names: n titles.
    """
    axis, densities, means, deviations = map(np.asarray, (axis, densities, means, deviations))
    n, columns = len(densities), min(3, len(densities))
    if (
        densities.shape != (n, len(axis), len(axis))
        or n % columns
        or not means.shape == deviations.shape == (n, 2)
    ):
        raise ValueError(
            f"densities: expected (n, {len(axis)}, {len(axis)}), means and deviations (n, 2), n a multiple of 3, "
            f"got {densities.shape}, {means.shape} and {deviations.shape}"
        )
    figure, panels = _subplots(n // columns, columns, figsize=(7.2, 2.5 * n // columns), squeeze=False)
    for panel, density, mean, deviation, name in zip(
        panels.flat, densities, means, deviations, names, strict=True
    ):
        inside = density > density.max() * 1e-3
        near = np.concatenate([axis[inside.any(axis=1)] - mean[0], axis[inside.any(axis=0)] - mean[1]])
        reach = 1.1 * max(np.abs(near).max(), 2.5 * deviation.max())
        panel.contourf(axis, axis, density.T, levels=8, cmap="Blues")
        ellipse = patches.Ellipse(mean, *(4 * deviation), fill=False, color=VERMILION, lw=2)
        panel.add_patch(ellipse)
        panel.set(
            xlim=mean[0] + np.array([-reach, reach]), ylim=mean[1] + np.array([-reach, reach]), title=name
        )
        panel.set_aspect("equal")
        panel.locator_params(nbins=4)
        panel.grid(False)
    return figure


def reliability(bins: Mapping[str, tuple[ArrayLike, ArrayLike, ArrayLike]]) -> Figure:
    """Accuracy against confidence, bin by bin, beside the diagonal on which they agree.

    Args:
      bins: name → (confidence, accuracy, share), (n,) each; a point's area grows with its share, and what
        is NaN (an empty bin) is left out.
    """
    figure, axis = _subplots(figsize=(5.4, 4.8))
    axis.plot([0, 1], [0, 1], color=BLACK, ls="--", lw=1, label="calibrated")
    for name, columns in bins.items():
        confidence, accuracy, share = map(np.asarray, columns)
        if confidence.ndim != 1 or not confidence.shape == accuracy.shape == share.shape:
            raise ValueError(
                f"bins[{name!r}]: expected three vectors of one length, "
                f"got {confidence.shape}, {accuracy.shape} and {share.shape}"
            )
        (line,) = axis.plot(confidence, accuracy, lw=1, label=name)
        axis.scatter(confidence, accuracy, s=12 + 300 * share, color=line.get_color(), alpha=0.6, lw=0)
    axis.set(xlabel="confidence", ylabel="accuracy", xlim=(0, 1.03), ylim=(0, 1.03), aspect="equal")
    axis.legend(loc="upper left")
    return figure


def confusion(counts: ArrayLike, classes: Sequence[str]) -> Figure:
    """Counts, (classes, classes): rows are the true class, columns the answer. Colour shows the mistakes alone."""
    counts = np.asarray(counts)
    if counts.shape != (len(classes),) * 2:
        raise ValueError(
            f"counts: expected a row and a column for each of {len(classes)} classes, got {counts.shape}"
        )
    figure, axis = _subplots(figsize=(5.4, 4.8))
    mistakes = np.where(np.eye(len(classes), dtype=bool), 0, counts)
    axis.imshow(mistakes, cmap="Oranges", vmax=max(2 * mistakes.max(), 1))
    for (row, column), count in np.ndenumerate(counts):
        if count:
            # Near black: on the colour map's light ground, whatever the page's.
            axis.text(column, row, str(count), ha="center", va="center", fontsize=9, color="#1a1a1a")
    axis.set(xlabel="answer", ylabel="true class", xticks=range(len(classes)), yticks=range(len(classes)))
    axis.set(xticklabels=classes, yticklabels=classes)
    axis.grid(False)
    return figure


def _bare_image(axis, image: np.ndarray) -> None:
    axis.imshow(image, cmap=GREYS, vmin=0, vmax=1, interpolation="nearest", aspect="equal")
    axis.set_xticks([])
    axis.set_yticks([])
    axis.grid(False)
    axis.spines[:].set_visible(False)
