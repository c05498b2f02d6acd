import jax
import numpy as np
import pytest

from gdlib.data import gaussian_mixture, ring_means


def test_a_mixture_has_its_means_its_scale_and_its_labels():
    means = ring_means(4, radius=2.0)
    np.testing.assert_allclose(means, [[2, 0], [0, 2], [-2, 0], [0, -2]], atol=1e-6)
    data = gaussian_mixture(jax.random.key(0), 20_000, means, 0.1)
    assert data.inputs.shape == (20_000, 2)
    for mode in range(4):
        own = data.inputs[data.labels == mode]
        assert len(own) == pytest.approx(5000, abs=300)
        np.testing.assert_allclose(own.mean(axis=0), means[mode], atol=0.01)
        np.testing.assert_allclose(own.std(axis=0), 0.1, rtol=0.05)
    again = gaussian_mixture(jax.random.key(0), 20_000, means, 0.1)
    np.testing.assert_array_equal(again.inputs, data.inputs)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"n": 0}, "n: expected an integer of at least 1"),
        ({"means": np.zeros(3)}, r"means: expected shape \(modes, d\), got \(3,\)"),
        ({"means": np.array([[np.nan, 0.0]])}, "means: expected finite"),
        ({"scale": -0.1}, "scale: expected values from 0"),
    ],
)
def test_what_makes_no_mixture_is_named(options, message):
    given = {"n": 5, "means": ring_means(), "scale": 0.1} | options
    with pytest.raises(ValueError, match=message):
        gaussian_mixture(jax.random.key(0), **given)
