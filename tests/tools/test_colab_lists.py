"""gdlib fits beside what Colab's runtimes hold, and replaces none of it but Flax."""

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


def test_a_list_that_is_none_is_refused_and_the_old_one_kept(monkeypatch, tmp_path):
    class Answer:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def read(self):
            return b"<html>moved</html>"

    monkeypatch.setattr(colab, "LISTS", tmp_path)
    monkeypatch.setattr(colab.urllib.request, "urlopen", lambda *_, **__: Answer())
    with pytest.raises(SystemExit, match="expected a list of packages with jax"):
        colab.update()
    assert not list(tmp_path.iterdir())


def test_a_new_list_bears_its_day_and_leaves_out_what_is_not_from_the_index(monkeypatch, tmp_path):
    text = "jax==0.9.0\nPyYAML==6.0\nown @ file:///own.whl\n# a remark\n"

    class Answer:
        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def read(self):
            return text.encode()

    monkeypatch.setattr(colab, "LISTS", tmp_path)
    monkeypatch.setattr(colab.urllib.request, "urlopen", lambda *_, **__: Answer())
    colab.update()
    assert colab.pins("tpu") == {"jax": "0.9.0", "pyyaml": "6.0"}
    assert "fetched on 2" in (tmp_path / "gpu.txt").read_text(encoding="utf-8").splitlines()[0]
