import gzip
import hashlib
import http.server
import random
import struct
import threading

import jax
import numpy as np
import pytest

from gdlib import datasets


@pytest.fixture(scope="module")
def digits():
    return datasets.mnist_5000()


def test_the_digits_are_as_documented(digits):
    for part, per_class in zip(digits, (400, 100), strict=True):
        assert part.inputs.shape == (10 * per_class, 28, 28, 1)
        assert part.inputs.dtype == np.float32
        assert part.labels.dtype == np.int32
        assert part.inputs.min() == 0.0
        assert part.inputs.max() == 1.0
        np.testing.assert_array_equal(np.bincount(part.labels), per_class)


def test_the_split_is_fixed(digits):
    """A change of the split would silently change every figure of the book: its first labels are known."""
    train, test = digits
    assert test.labels[:12].tolist() == [5, 6, 6, 2, 4, 3, 3, 7, 9, 5, 9, 3]
    assert train.labels[:12].tolist() == [0, 7, 7, 7, 5, 9, 8, 2, 0, 9, 3, 7]


def test_no_image_is_on_both_sides(digits):
    train, test = digits
    train, validation = datasets.hold_out(train, per_class=50)
    sides = [{x.tobytes() for x in part.inputs} for part in (train, validation, test)]
    assert sum(map(len, sides)) == len(set.union(*sides))


def toy(n=60, classes=3):
    rng = np.random.default_rng(0)
    return datasets.checked(rng.normal(size=(n, 2)), np.arange(n) % classes, tuple("abcdef"[:classes]))


def test_hold_out_does_not_depend_on_the_order_of_the_examples():
    data = toy()
    shuffled = data[np.random.default_rng(1).permutation(len(data))]
    for one, other in zip(datasets.hold_out(data, 4), datasets.hold_out(shuffled, 4), strict=True):
        np.testing.assert_array_equal(one.inputs, other.inputs)
        np.testing.assert_array_equal(one.labels, other.labels)


def test_hold_out_keeps_every_example_once_and_mixes_the_classes():
    rest, held = datasets.hold_out(toy(600), 40)
    assert len(rest) == 480
    assert np.bincount(held.labels).tolist() == [40, 40, 40]
    assert len({x.tobytes() for part in (rest, held) for x in part.inputs}) == 600
    for part in (rest, held):
        assert set(part.labels[:30].tolist()) == {0, 1, 2}


def test_hold_out_refuses_to_empty_a_class():
    with pytest.raises(
        ValueError, match="per_class: expected fewer than the 20 examples of class 'a', got 20"
    ):
        datasets.hold_out(toy(), 20)


def test_hold_out_never_parts_two_copies_of_one_example():
    data = toy()
    twice = datasets.checked(
        np.concatenate([data.inputs, data.inputs]), np.concatenate([data.labels, data.labels]), data.classes
    )
    with pytest.raises(
        ValueError, match=r"dataset: expected distinct examples, got 3 that would stand on both"
    ):
        datasets.hold_out(twice, 5)  # of each class, two pairs and a half
    rest, held = datasets.hold_out(twice, 4)
    assert not {x.tobytes() for x in rest.inputs} & {x.tobytes() for x in held.inputs}


def test_a_dataset_is_not_a_sequence():
    """Through __getitem__ alone, Python would count positions for ever: JAX clamps those past the end."""
    with pytest.raises(TypeError, match="not iterable"):
        iter(jax.tree.map(jax.numpy.asarray, toy()))


def test_a_dataset_is_a_pytree_whose_minibatch_is_a_dataset():
    data = toy()
    batch = jax.tree.map(lambda leaf: leaf[:5], data)
    assert isinstance(batch, datasets.Dataset)
    assert len(batch) == len(data[:5]) == 5
    assert batch.classes == data.classes


@pytest.mark.parametrize(
    ("inputs", "labels", "message"),
    [
        (np.zeros((0, 2)), np.zeros(0, int), "inputs: expected at least one example"),
        (np.zeros((3, 2)), np.zeros(2, int), "labels: expected one for each"),
        (np.zeros(()), np.zeros(1, int), "labels: expected one for each"),
        (np.full((3, 2), np.nan), np.zeros(3, int), "inputs: expected finite"),
        (np.zeros((3, 2)), np.array([0, 1, 2]), "labels: expected values from 0 to 1, got 0 to 2"),
        (np.zeros((3, 2)), np.array([0, -1, 1]), "labels: expected values from 0 to 1"),
    ],
)
def test_checked_names_what_is_wrong(inputs, labels, message):
    with pytest.raises(ValueError, match=message):
        datasets.checked(inputs, labels, ("a", "b"))


def test_checked_refuses_labels_that_are_no_integers():
    with pytest.raises(TypeError, match=r"labels: expected integers, got an array of float64\[3\]"):
        datasets.checked(np.zeros((3, 2)), np.zeros(3), ("a",))


def test_images_refuses_values_out_of_range_and_another_rank():
    with pytest.raises(ValueError, match="pixels: expected values from 0 to 255"):
        datasets.images(np.full((2, 4, 4), 256), np.zeros(2, int), ("a",))
    with pytest.raises(ValueError, match=r"pixels: expected shape \(n, height, width\)"):
        datasets.images(np.zeros((2, 16)), np.zeros(2, int), ("a",))


def test_a_mixture_has_its_means_its_scale_and_its_labels():
    means = datasets.ring(4, radius=2.0)
    np.testing.assert_allclose(means, [[2, 0], [0, 2], [-2, 0], [0, -2]], atol=1e-6)
    data = datasets.gaussian_mixture(jax.random.key(0), 20_000, means, 0.1)
    assert data.inputs.shape == (20_000, 2)
    for mode in range(4):
        own = data.inputs[data.labels == mode]
        assert len(own) == pytest.approx(5000, abs=300)
        np.testing.assert_allclose(own.mean(axis=0), means[mode], atol=0.01)
        np.testing.assert_allclose(own.std(axis=0), 0.1, rtol=0.05)
    again = datasets.gaussian_mixture(jax.random.key(0), 20_000, means, 0.1)
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
    given = {"n": 5, "means": datasets.ring(), "scale": 0.1} | options
    with pytest.raises(ValueError, match=message):
        datasets.gaussian_mixture(jax.random.key(0), **given)


def idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for (images, labels), n in zip(datasets.IDX_FILES.values(), (20, 10), strict=True):
        pixels = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        (tmp_path / f"{images}.gz").write_bytes(gzip.compress(idx(pixels)))
        (tmp_path / labels).write_bytes(idx((np.arange(n) % 10).astype(np.uint8)))
    return tmp_path


@pytest.mark.parametrize("load", [datasets.mnist, datasets.fashion_mnist])
def test_idx_files_packed_or_not_are_read(folder, load):
    train, test = load(folder)
    assert train.inputs.shape == (20, 28, 28, 1)
    assert test.labels.tolist() == list(range(10))
    raw = np.frombuffer(gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:], np.uint8)
    np.testing.assert_array_equal(test.inputs.ravel(), raw / np.float32(255))


def test_a_missing_file_is_named(folder):
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match="t10k-labels-idx1-ubyte"):
        datasets.mnist(folder)


@pytest.mark.parametrize(
    "damage",
    [
        lambda packed: packed[:-30],
        lambda packed: b"not gzip at all",
        lambda packed: packed[:40] + bytes([packed[40] ^ 0xFF]) + packed[41:],
        lambda packed: gzip.compress(gzip.decompress(packed)[:-1]),
        lambda packed: gzip.compress(gzip.decompress(packed) + b"x"),
        lambda packed: gzip.compress(b"\x00\x00\x0d" + gzip.decompress(packed)[3:]),
        lambda packed: gzip.compress(b"\x00\x00\x08\x03\x00"),
        lambda packed: b"",
    ],
)
def test_a_damaged_file_is_named(folder, damage):
    file = folder / "train-images-idx3-ubyte.gz"
    file.write_bytes(damage(file.read_bytes()))
    with pytest.raises(ValueError, match=r"train-images-idx3-ubyte\.gz: expected"):
        datasets.mnist(folder)


def test_files_that_do_not_belong_together_are_named(folder):
    images, labels = datasets.IDX_FILES["train"]
    (folder / labels).write_bytes(idx(np.arange(7, dtype=np.uint8)))
    with pytest.raises(ValueError, match=f"{images} and {labels}: labels: expected one for each"):
        datasets.mnist(folder)


@pytest.fixture
def publisher(folder, tmp_path_factory, monkeypatch):
    """A server on this machine in the publisher's place: (its folder, names of files to cut once, the cache)."""
    published, cut = tmp_path_factory.mktemp("published"), set()
    for path in folder.iterdir():
        data = path.read_bytes()
        data = data if path.suffix == ".gz" else gzip.compress(data)
        (published / f"{path.name.removesuffix('.gz')}.gz").write_bytes(data)
    hashes = {path.name: f"md5:{hashlib.md5(path.read_bytes()).hexdigest()}" for path in published.iterdir()}

    class Handler(http.server.SimpleHTTPRequestHandler):
        def do_GET(self):
            name = self.path.strip("/")
            data = (published / name).read_bytes()
            if name in cut:
                cut.remove(name)
                data = data[:-7]
            self.send_response(200)
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *arguments):
            pass

    cache = tmp_path_factory.mktemp("cache")
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr("pooch.os_cache", lambda name: cache / name)
        monkeypatch.setattr("time.sleep", lambda seconds: None)
        monkeypatch.setattr(datasets, "MNIST_URL", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setattr(datasets, "MNIST_HASHES", hashes)
        yield published, cut, cache
        server.shutdown()


def files_in(cache):
    return sorted(path.name for path in cache.rglob("*") if path.is_file())


def test_a_download_that_breaks_off_is_tried_again(publisher):
    published, cut, cache = publisher
    cut.update(path.name for path in published.iterdir())
    train, test = datasets.mnist()
    assert (len(train), len(test)) == (20, 10)
    assert files_in(cache) == sorted(datasets.MNIST_HASHES)
    for path in published.iterdir():
        path.unlink()  # a second call asks nothing of the server
    datasets.mnist()


def test_another_file_than_the_published_one_is_refused(publisher):
    published, _, cache = publisher
    name = "train-images-idx3-ubyte.gz"
    (published / name).write_bytes(gzip.compress(idx(np.zeros((20, 28, 28), np.uint8))))
    with pytest.raises(ValueError, match=f"hash of downloaded file.*{name}"):
        datasets.mnist()
    assert name not in files_in(cache)


def test_no_network_is_said_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / name)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(datasets, "MNIST_URL", "http://127.0.0.1:9/")  # nothing listens there
    with pytest.raises(ConnectionError, match=r"could not download mnist .* pass folder="):
        datasets.mnist()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_mnist_1d_is_what_its_authors_publish_and_leaves_the_generators_alone():
    before, after = np.random.get_state()[1].copy(), []  # noqa: NPY002
    for seed in (1, 2):
        random.seed(seed)
        train, test = datasets.mnist_1d()
        after.append(random.random())
    assert after[0] != after[1]
    np.testing.assert_array_equal(np.random.get_state()[1], before)  # noqa: NPY002
    assert train.inputs.shape == (4000, 40)
    assert test.inputs.shape == (1000, 40)
    # What the authors' own generator gave with their seed, 42: another version must not change it silently.
    assert train.labels[:10].tolist() == [2, 6, 4, 5, 6, 6, 6, 0, 3, 1]
    both = np.concatenate([train.inputs, test.inputs])
    np.testing.assert_allclose((both.mean(), both.std()), (0, 1), atol=1e-5)
    shuffled, _ = datasets.mnist_1d(shuffled=True)
    order = [int(np.argmin(np.abs(shuffled.inputs[0] - value))) for value in train.inputs[0]]
    assert sorted(order) == list(range(40))
    assert order != list(range(40))
    np.testing.assert_array_equal(shuffled.inputs[:, order], train.inputs)
    np.testing.assert_array_equal(shuffled.labels, train.labels)


def test_mnist_1d_makes_other_curves_from_another_seed():
    parts = [part.inputs for seed in (42, 1) for part in datasets.mnist_1d(seed=seed)]
    assert len(np.unique(np.concatenate(parts), axis=0)) == 10_000
    with pytest.raises(ValueError, match="seed: expected values from 0"):
        datasets.mnist_1d(seed=-1)


def test_adding_marks_one_number_in_each_half():
    inputs, targets = datasets.adding(jax.random.key(0), 2000, 7)
    numbers, marks = inputs[..., 0], inputs[..., 1]
    assert inputs.shape == (2000, 7, 2)
    assert set(np.unique(marks)) == {0, 1}
    np.testing.assert_array_equal(marks[:, :3].sum(axis=1), 1)
    np.testing.assert_array_equal(marks[:, 3:].sum(axis=1), 1)
    np.testing.assert_allclose(marks.mean(axis=0), [1 / 3] * 3 + [1 / 4] * 4, atol=0.05)
    assert numbers.min() >= 0
    assert numbers.max() <= 1
    np.testing.assert_allclose(
        targets, [row[mark == 1].sum() for row, mark in zip(numbers, marks, strict=True)]
    )
    assert abs(np.mean((targets - 1) ** 2) - 1 / 6) < 5 * np.std((targets - 1) ** 2) / np.sqrt(2000)


@pytest.mark.parametrize(("n", "length"), [(0, 5), (5, 0), (5, 1), (2.0, 5)])
def test_adding_refuses_sizes_that_are_none(untyped, n, length):
    with pytest.raises((TypeError, ValueError), match=r"(n|length): expected"):
        datasets.adding(jax.random.key(0), n, length)
