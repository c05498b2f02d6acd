"""gdlib fits beside what Colab's runtimes hold, and replaces none of it but Flax."""

import io

import colab
import pytest

KEPT = {"jax", "jaxlib", "numpy", "scipy", "matplotlib", "optax", "orbax-checkpoint", "ipython"}


@pytest.mark.parametrize("runtime", colab.FILES)
def test_pip_finds_an_answer_on_every_runtime_and_flax_alone_is_raised(runtime):
    changed = colab.changed(runtime)
    assert {name for name, (held, _) in changed.items() if held is not None} == {"flax"}
    assert set(colab.pins(runtime)) >= KEPT


def test_an_accelerators_plugin_is_of_the_jax_that_stays():
    held = colab.pins("gpu")
    assert held["jax-cuda12-plugin"] == held["jax"]


def test_bounds_that_a_runtime_cannot_meet_are_said(monkeypatch):
    monkeypatch.setattr(colab, "dependencies", lambda: ["jax>=99"])
    with pytest.raises(SystemExit, match="cpu: gdlib does not fit"):
        colab.resolve("cpu")


@pytest.fixture
def published(monkeypatch, tmp_path):
    """published(text): Colab's page of each runtime says this, and the lists lie in an empty folder."""
    monkeypatch.setattr(colab, "LISTS", tmp_path)

    def say(text):
        monkeypatch.setattr(colab.urllib.request, "urlopen", lambda *_, **__: io.BytesIO(text.encode()))

    return say


def test_a_list_that_is_none_is_refused_and_the_old_one_kept(published, tmp_path):
    published("<html>moved</html>")
    with pytest.raises(SystemExit, match="expected a list of packages with jax"):
        colab.update()
    assert not list(tmp_path.iterdir())


def test_a_new_list_bears_its_day_and_leaves_out_what_is_not_from_the_index(published, tmp_path):
    text = "jax==0.9.0\nPyYAML==6.0\nown @ file:///own.whl\n# a remark\n"

    published(text)
    colab.update()
    assert colab.pins("tpu") == {"jax": "0.9.0", "pyyaml": "6.0"}
    assert "fetched on 2" in (tmp_path / "gpu.txt").read_text(encoding="utf-8").splitlines()[0]
