import jax
import jax.numpy as jnp
import numpy as np
import pytest

from gdlib import checks


def always(value):
    return lambda: value


def normal_draws(n=10_000):
    return 1.0 + jax.random.normal(jax.random.key(0), (n,))


def test_identity_holds_and_reports_its_tolerance():
    check = checks.identity(
        "eq:a", always(jnp.ones(3)), always(jnp.ones(3)), wrong={"sign": always(-jnp.ones(3))}
    )
    assert check.label == "eq:a"
    assert "tolerance 1e-05" in check.finding
    assert "sign" in check.rejected


def test_identity_fails_where_sides_differ():
    with pytest.raises(checks.CheckFailed, match="eq:a does not hold"):
        checks.identity(
            "eq:a", always(jnp.ones(3)), always(jnp.array([1, 1, 1.01])), wrong={"w": always(jnp.zeros(3))}
        )


def test_identity_fails_where_it_cannot_reject_a_wrong_variant():
    with pytest.raises(checks.CheckFailed, match="cannot reject “almost”"):
        checks.identity(
            "eq:a", always(jnp.ones(3)), always(jnp.ones(3)), wrong={"almost": always(jnp.ones(3) + 1e-7)}
        )


def test_monte_carlo_counts_standard_errors():
    draws = normal_draws()
    check = checks.monte_carlo("eq:m", always(draws), always(1.0), wrong={"off": always(1.2)})
    z = abs(float(draws.mean()) - 1) / (float(draws.std(ddof=1)) / 100)
    assert f"z = {z:.1f}, n = 10,000" == check.finding
    with pytest.raises(checks.CheckFailed, match="eq:m does not hold"):
        checks.monte_carlo("eq:m", always(draws), always(1.2), wrong={"off": always(1.0)})
    with pytest.raises(checks.CheckFailed, match="cannot reject"):
        checks.monte_carlo("eq:m", always(draws), always(1.0), wrong={"too near": always(1.001)})


def test_monte_carlo_looks_at_every_component():
    draws = jnp.stack([normal_draws(), 2 * normal_draws()], axis=1)
    with pytest.raises(checks.CheckFailed, match="does not hold"):
        checks.monte_carlo(
            "eq:m", always(draws), always(np.array([1.0, 3.0])), wrong={"w": always(np.zeros(2))}
        )


def test_gradient_compares_with_autodiff():
    point = jnp.array([1.0, 2.0])
    check = checks.gradient(
        "eq:g", lambda x: jnp.sum(x**2), point, always(2 * point), wrong={"half": always(point)}
    )
    assert check.method == "against autodiff"
    with pytest.raises(checks.CheckFailed, match="does not hold"):
        checks.gradient("eq:g", lambda x: jnp.sum(x**2), point, always(point), wrong={"w": always(-point)})


def test_bound_seeks_a_violation_that_its_starts_do_not_show():
    starts = jnp.full((4, 1), 3.0)  # here both gaps are positive
    right, wrong = (lambda x: jnp.sum(x**2)), (lambda x: jnp.sum(x**2) - 0.5)
    check = checks.bound("eq:b", right, starts, wrong={"dips below": wrong})
    assert "4 descents" in check.finding
    with pytest.raises(checks.CheckFailed, match="does not hold"):
        checks.bound("eq:b", wrong, starts, wrong={"w": lambda x: -jnp.sum(x**2)})
    with pytest.raises(checks.CheckFailed, match="cannot reject"):
        checks.bound("eq:b", right, starts, wrong={"another true bound": lambda x: jnp.sum(x**4)})


def test_sides_are_computed_at_the_highest_precision():
    seen = []

    def side():
        seen.append(jax.config.jax_default_matmul_precision)
        return jnp.ones(2)

    checks.identity("eq:p", side, side, wrong={"w": always(jnp.zeros(2))})
    assert set(seen) == {"highest"}


@pytest.mark.parametrize("label", ["elbo", "def:elbo", "eq:ELBO", "eq:", "eq:a b"])
def test_a_label_must_name_an_assertion(label):
    with pytest.raises(ValueError, match="label: expected eq:"):
        checks.identity(label, always(jnp.ones(1)), always(jnp.ones(1)), wrong={"w": always(jnp.zeros(1))})


def test_a_check_without_a_wrong_variant_is_none():
    with pytest.raises(ValueError, match="expected at least one wrong variant"):
        checks.identity("eq:a", always(jnp.ones(1)), always(jnp.ones(1)), wrong={})


@pytest.mark.parametrize(
    ("left", "right", "message"),
    [
        (jnp.array([jnp.nan]), jnp.ones(1), "left: expected finite"),
        (jnp.ones(1), jnp.array([jnp.inf]), "right: expected finite"),
        (jnp.ones(0), jnp.ones(0), "left: expected finite numbers, got NaN, infinity or nothing"),
        (jnp.ones(2), jnp.ones(3), r"right: expected shape \(2,\)"),
    ],
)
def test_bad_sides_are_named(left, right, message):
    with pytest.raises(ValueError, match=message):
        checks.identity("eq:a", always(left), always(right), wrong={"w": always(jnp.zeros(1))})


@pytest.mark.parametrize("side", [np.array([1 + 2j]), np.array(["1"]), np.array([None])])
def test_a_side_that_is_not_of_real_numbers_is_refused(side):
    """As float64, 1 + 2i would be 1: equations that differ in the imaginary part alone would pass."""
    with pytest.raises(TypeError, match="left: expected real numbers, got an array of"):
        checks.identity("eq:a", always(side), always(np.ones(1)), wrong={"w": always(np.zeros(1))})


@pytest.mark.parametrize("dtype", [bool, np.int32, np.float16, jnp.bfloat16])
def test_sides_may_be_of_any_real_type(dtype):
    ones = np.ones(3, dtype)
    checks.identity("eq:a", always(ones), always(ones), wrong={"w": always(np.zeros(3))})


def test_an_error_in_a_wrong_variant_names_it():
    with pytest.raises(ValueError, match=r"eq:a, wrong variant “odd”: right: expected shape \(2,\)"):
        checks.identity("eq:a", always(np.ones(2)), always(np.ones(2)), wrong={"odd": always(np.zeros(3))})


@pytest.mark.parametrize("value", [jnp.inf, jnp.nan])
def test_a_gap_that_is_no_number_anywhere_bounds_nothing(value):
    with pytest.raises(ValueError, match="eq:b: expected a gap that is a number"):
        checks.bound("eq:b", lambda x: value + 0 * x[0], np.ones((2, 1)), wrong={"w": lambda x: -x[0]})


def test_a_bound_takes_integer_starts_and_names_empty_ones():
    checks.bound("eq:b", lambda x: x[0] ** 2, np.array([[1], [2]]), wrong={"w": lambda x: x[0] ** 2 - 1})
    with pytest.raises(ValueError, match=r"starts: expected shape \(n, d\), got \(0, 1\)"):
        checks.bound("eq:b", lambda x: x[0] ** 2, np.ones((0, 1)), wrong={"w": lambda x: -x[0]})


@pytest.mark.parametrize(
    ("draws", "message"),
    [
        (np.ones(50), "at least 100"),
        (np.ones(200), "without spread"),
        (np.full(200, 0.1), "without spread"),  # whose deviation, by rounding, is 1e-17
        (np.ones(()), "100"),
    ],
)
def test_too_few_or_equal_samples_are_refused(draws, message):
    with pytest.raises(ValueError, match=message):
        checks.monte_carlo("eq:m", always(draws), always(1.0), wrong={"w": always(2.0)})


def test_what_a_notebook_shows_is_escaped_and_what_the_build_reads_is_there():
    check = checks.identity(
        "eq:a", always(jnp.ones(1)), always(jnp.ones(1)), wrong={"<b>": always(jnp.zeros(1))}
    )
    shown, read = check._repr_mimebundle_()
    assert "<b>✓ eq:a</b>" in shown["text/html"]
    assert "&lt;b&gt;" in shown["text/html"]
    assert read["gdlib_check"]["label"] == "eq:a"
    assert read["gdlib_check"]["passed"] is True
