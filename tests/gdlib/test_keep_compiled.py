"""What is compiled once is found again, and nobody is in the way of those who have a folder of their own."""

import os
import subprocess
import sys

PROGRAM = """
import gdlib, jax, jax.monitoring, jax.numpy as jnp
found = []
jax.monitoring.register_event_listener(lambda name, **_: found.append(name.rsplit("/", 1)[-1]))
folder = gdlib.keep_compiled()
jax.jit(lambda x: jnp.sin(x) @ x.T)(jnp.ones((50, 50))).block_until_ready()
print(folder, found.count("cache_hits"), found.count("cache_misses"))
"""


def run(home, **variables):
    """(the folder, programs found there, programs compiled), as a process of its own says."""
    environment = os.environ | {
        "HOME": str(home), "XDG_CACHE_HOME": str(home / "cache"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    } | variables  # fmt: skip
    found = subprocess.run(
        [sys.executable, "-c", PROGRAM], env=environment, capture_output=True, text=True, check=False
    )
    assert found.returncode == 0, found.stderr
    assert found.stderr == ""
    folder, hits, misses = found.stdout.split()
    return folder, int(hits), int(misses)


def test_a_second_run_compiles_nothing_anew(tmp_path):
    folder, hits, misses = run(tmp_path)
    assert folder.startswith(str(tmp_path / "cache" / "gdlib" / "compiled"))
    assert (hits, misses > 0) == (0, True)
    assert run(tmp_path) == (folder, misses, 0)


def test_a_folder_that_jax_was_given_stays(tmp_path):
    mine = str(tmp_path / "mine")
    assert run(tmp_path, JAX_COMPILATION_CACHE_DIR=mine)[0] == mine
    assert not (tmp_path / "cache").exists()


def test_where_nothing_can_be_written_nothing_is_kept(tmp_path):
    (tmp_path / "cache").write_text("in the way")
    assert run(tmp_path)[0] == "None"
