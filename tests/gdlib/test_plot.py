import io

import matplotlib.pyplot as plt
import numpy as np
import pytest

from gdlib import plot

DRAWN = {
    "rows": lambda: plot.image_rows({"a": np.zeros((3, 4, 5, 1)), "b": np.ones((3, 4, 5, 1))}),
    "grid": lambda: plot.image_grid(np.linspace(0, 1, 6 * 20).reshape(6, 4, 5, 1), 3, x_label="x"),
    "curve": lambda: plot.learning_curve([1, 2], {"a": [2.0, 1.0]}, y_label="nats", baseline=("b", 1.5)),
    "map": lambda: plot.latent_map(np.zeros((2, 2)), np.array([0, 1]), ("0", "bag")),
}


@pytest.mark.parametrize("draw", DRAWN.values(), ids=DRAWN.keys())
def test_a_figure_is_returned_closed_and_can_be_drawn(draw):
    figure = draw()
    assert plt.get_fignums() == []  # an open figure would be shown twice
    figure.savefig(io.BytesIO(), format="svg")


def test_the_sheet_lays_images_row_by_row():
    images = np.zeros((6, 4, 5, 1))
    images[4] = 1.0  # the second of the second row of three
    (axis,) = plot.image_grid(images, 3).axes
    sheet = np.asarray(axis.images[0].get_array())
    assert sheet.shape == (8, 15)
    assert (sheet[4:, 5:10] == 1).all()
    assert sheet.sum() == 20


def test_rows_keep_their_names_and_their_order():
    images = np.zeros((3, 4, 5, 1))
    images[1] = 1.0
    figure = plot.image_rows({"first": images, "second": 1 - images})
    assert [axis.get_ylabel() for axis in figure.axes] == ["first", "second"]
    strip = np.asarray(figure.axes[0].images[0].get_array())
    assert (strip[:, 5:10] == 1).all()
    assert strip.sum() == 20


def test_a_curve_over_seeds_shows_their_mean_and_their_range():
    figure = plot.learning_curve([1, 2], {"a": np.array([[1.0, 3.0], [0.0, 4.0]])}, y_label="nats")
    (axis,) = figure.axes
    np.testing.assert_allclose(axis.lines[0].get_ydata(), [2, 2])
    band = axis.collections[0].get_paths()[0].vertices
    assert band[:, 1].min() == 0
    assert band[:, 1].max() == 4
    assert axis.get_ylabel() == "nats"


def test_a_seed_that_diverged_leaves_the_others_their_mean():
    curve = np.array([[1.0, 3.0, 5.0], [0.0, 4.0, np.nan]])
    (axis,) = plot.learning_curve([1, 2], {"a": curve}, y_label="nats").axes
    np.testing.assert_allclose(axis.lines[0].get_ydata(), [3, 2])


def test_a_class_whose_name_is_no_letter_or_digit_is_a_dot():
    figure = plot.latent_map(np.zeros((3, 2)), np.arange(3), ("7", "$", "é"))
    figure.savefig(io.BytesIO(), format="svg")


def test_points_are_drawn_as_the_digit_they_are():
    figure = plot.latent_map(np.array([[0.0, 1.0], [2.0, 3.0]]), np.array([1, 0]), ("0", "1"))
    zeros, ones = figure.axes[0].collections
    np.testing.assert_allclose(zeros.get_offsets(), [[2, 3]])
    np.testing.assert_allclose(ones.get_offsets(), [[0, 1]])


@pytest.mark.parametrize(
    ("draw", "message"),
    [
        (
            lambda: plot.image_rows({"a": np.zeros((3, 4, 5, 1)), "b": np.zeros((2, 4, 5, 1))}),
            "rows: expected",
        ),
        (
            lambda: plot.image_rows({"a": np.full((3, 4, 5, 1), 2.0)}),
            r"rows\['a'\]: expected values from 0 to 1",
        ),
        (lambda: plot.image_rows({}), "rows: expected"),
        (lambda: plot.image_rows({"a": np.zeros((3, 4, 5, 3))}), r"rows: expected.*\(3, 4, 5, 3\)"),
        (lambda: plot.image_rows({"a": np.zeros((0, 4, 5, 1))}), "rows: expected"),
        (lambda: plot.image_grid(np.zeros((3, 4, 4, 3)), 3), r"images: expected.*\(3, 4, 4, 3\)"),
        (lambda: plot.image_grid(np.zeros((0, 4, 4, 1)), 3), "images: expected"),
        (
            lambda: plot.latent_map(np.zeros((2, 2)), np.array([0, 2]), ("a", "b")),
            "labels: expected values from 0 to 1",
        ),
        (lambda: plot.latent_map(np.zeros((2, 2)), np.zeros(3, int), ("a",)), "labels: expected 2 of them"),
        (lambda: plot.image_grid(np.zeros((5, 4, 4, 1)), 3), "n a multiple of 3"),
        (lambda: plot.image_grid(np.full((3, 4, 4, 1), np.nan), 3), "images: expected values from 0 to 1"),
        (
            lambda: plot.latent_map(np.zeros((2, 3)), np.zeros(2, int), ("a",)),
            r"points: expected shape \(n, 2\)",
        ),
        (
            lambda: plot.learning_curve([1, 2], {"a": [1.0, 2.0, 3.0]}, y_label=""),
            "curves.*'a'.*one value an epoch",
        ),
    ],
)
def test_what_cannot_be_drawn_is_named(draw, message):
    with pytest.raises(ValueError, match=message):
        draw()


def test_a_rate_distortion_curve_goes_through_the_means():
    rates, distortions = np.array([[1.0, 3.0], [5.0, 5.0]]), np.array([[9.0, 11.0], [4.0, 6.0]])
    (axis,) = plot.rate_distortion(rates, distortions, names=["a", "b"]).axes
    np.testing.assert_allclose(axis.lines[0].get_xydata(), [[2, 10], [5, 5]])
    assert {line.get_slope() for line in axis.lines[1:]} == {-1}  # along them the sum stays
    with pytest.raises(ValueError, match="rates: expected"):
        plot.rate_distortion(rates, distortions[:1], names=["a", "b"])


def test_densities_are_drawn_the_right_way_up_with_their_ellipse():
    axis = np.linspace(-3, 3, 61)
    density = np.exp(-8 * ((axis[:, None] - 1) ** 2 + (axis[None] + 1) ** 2))  # a hill at (1, −1)
    figure = plot.densities(axis, density[None], [[1.0, -1.0]], [[0.25, 0.5]], names=["n"])
    (panel,) = figure.axes
    (ellipse,) = panel.patches
    assert (ellipse.width, ellipse.height) == (1.0, 2.0)
    top = panel.collections[-1].get_paths()[-2:]
    vertices = np.concatenate([path.vertices for path in top if len(path.vertices)])
    np.testing.assert_allclose((vertices.min(axis=0) + vertices.max(axis=0)) / 2, [1, -1], atol=0.1)
    with pytest.raises(ValueError, match="densities: expected"):
        plot.densities(axis, density[None, :5], [[1.0, -1.0]], [[0.25, 0.5]], names=["n"])


def test_a_reliability_diagram_has_a_point_a_bin():
    columns = (np.array([0.5, np.nan, 0.9]), np.array([0.4, np.nan, 1.0]), np.array([0.2, 0.0, 0.8]))
    (axis,) = plot.reliability({"raw": columns}).axes
    np.testing.assert_array_equal(axis.collections[0].get_offsets()[[0, 2]], [[0.5, 0.4], [0.9, 1.0]])
    with pytest.raises(ValueError, match=r"bins\['raw'\]: expected three vectors of one length"):
        plot.reliability({"raw": (columns[0], columns[1], columns[2][:2])})


def test_a_confusion_matrix_writes_every_count_that_is_not_zero():
    (axis,) = plot.confusion(np.array([[5, 1], [0, 7]]), ("a", "b")).axes
    assert {(text.get_position(), text.get_text()) for text in axis.texts} == {
        ((0, 0), "5"), ((1, 0), "1"), ((1, 1), "7"),
    }  # fmt: skip
    assert axis.get_ylabel() == "true class"
    with pytest.raises(
        ValueError, match=r"counts: expected a row and a column for each of 3 classes, got \(2, 2\)"
    ):
        plot.confusion(np.zeros((2, 2)), ("a", "b", "c"))


@pytest.mark.parametrize(
    "draw",
    [
        lambda: plot.image_rows({"a": np.full((3, 4, 5, 1), 2.0)}),
        lambda: plot.learning_curve([1, 2], {"a": np.ones((2, 2, 2))}, y_label="y"),
        lambda: plot.learning_curve([1, 2], {"a": [1, 2]}, y_label="y", x_scale="no scale"),
    ],
)
def test_an_error_leaves_no_figure_open(untyped, draw):
    with pytest.raises(ValueError):  # noqa: PT011  the last one is matplotlib's
        draw()
    assert plt.get_fignums() == []
