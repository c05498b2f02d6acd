import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gdlib import expect


@given(st.integers(min_value=1, max_value=10**9))
def test_positive_int_returns_any_positive_integer(value):
    assert expect.positive_int("n", value) == value
    assert expect.positive_int("n", np.int64(value)) == value


@pytest.mark.parametrize("value", [0, -3, True])
def test_positive_int_names_what_came(value):
    with pytest.raises(ValueError, match=rf"n: expected an integer of at least 1, got {value}"):
        expect.positive_int("n", value)


@pytest.mark.parametrize("value", [1.0, "3", None])
def test_positive_int_refuses_what_is_no_integer(value):
    with pytest.raises(TypeError, match="n: expected an integer"):
        expect.positive_int("n", value)


@pytest.mark.parametrize("value", [0, None, np.zeros(2, np.uint32)])
def test_a_raw_key_is_refused(value):
    with pytest.raises(TypeError, match=r"rng_key: expected a key from jax\.random\.key"):
        expect.random_key("rng_key", value)


def test_a_matrix_of_keys_is_refused():
    with pytest.raises(ValueError, match=r"shape \(2, 2\)"):
        expect.random_key("rng_key", jax.random.split(jax.random.key(0), (2, 2)))


@given(st.integers(0, 4), st.sampled_from([np.nan, np.inf, -np.inf]))
def test_finite_names_the_row(row, bad):
    array = np.zeros((5, 3))
    expect.finite("x", array)
    array[row, 1] = bad
    with pytest.raises(ValueError, match=f"x: expected finite numbers.*row {row}"):
        expect.finite("x", array)


def test_within_refuses_nan_and_names_the_range():
    expect.within("x", np.array([0.0, 1.0]), 0, 1)
    for bad in (1.5, -0.1, np.nan):
        with pytest.raises(ValueError, match="x: expected values from 0 to 1"):
            expect.within("x", np.array([0.5, bad]), 0, 1)


def test_finite_looks_at_every_floating_type_and_at_nothing_that_is_traced():
    with pytest.raises(ValueError, match="x: expected finite numbers"):
        expect.finite("x", jnp.array([1.0, jnp.nan], jnp.bfloat16))
    jax.jit(lambda x: expect.finite("x", x))(jnp.array([jnp.nan]))


def test_positions_are_integers_one_an_example_and_inside_the_classes():
    expect.positions("labels", np.array([0, 2]), 2, 3)
    with pytest.raises(TypeError, match="labels: expected integers"):
        expect.positions("labels", np.array([0.0, 1.0]), 2, 3)
    with pytest.raises(ValueError, match=r"labels: expected 2 of them, got shape \(3,\)"):
        expect.positions("labels", np.zeros(3, int), 2, 3)
    with pytest.raises(ValueError, match="labels: expected values from 0 to 2, got 0 to 3"):
        expect.positions("labels", np.array([0, 3]), 2, 3)


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.array([2**31]), "expected integers that fit int32, got 2147483648 to 2147483648"),
        (np.array([1e39]), "expected finite numbers.*row 0"),
        (jnp.array([1.0, jnp.nan], jnp.bfloat16), "expected finite numbers.*row 1"),
    ],
)
def test_examples_that_the_device_cannot_hold_are_named(array, message):
    """On the device they would change without a word: 2³¹ into −2³¹, 10³⁹ into infinity."""
    with pytest.raises(ValueError, match=f"data: {message}"):
        expect.examples("data", array)


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None])])
def test_examples_that_are_no_numbers_are_named(array):
    with pytest.raises(TypeError, match="data: expected numbers"):
        expect.examples("data", array)


def test_examples_counts_whatever_the_device_can_hold():
    tree = {"a": np.arange(3), "b": np.full((3, 2), 1e30), "c": np.zeros(3, bool), "d": np.zeros(3, np.uint8)}
    assert expect.examples("data", tree) == 3


def test_trailing_shape_names_both_shapes():
    expect.trailing_shape("x", np.zeros((7, 3, 2)), (3, 2))
    for shape in [(3, 2), (7, 2, 3), (7, 3, 2, 1)]:
        with pytest.raises(ValueError, match=r"x: expected shape \(batch, 3, 2\), got"):
            expect.trailing_shape("x", np.zeros(shape), (3, 2))
