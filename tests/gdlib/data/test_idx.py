"""IDX files: read, damaged, missing, downloaded."""

import gzip
import hashlib
import http.server
import struct
import threading

import numpy as np
import pytest

from gdlib.data import digits, fashion_mnist, idx, mnist


def in_idx(array):
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


@pytest.fixture
def folder(tmp_path):
    rng = np.random.default_rng(0)
    for (images, labels), n in zip(idx.FILES.values(), (20, 10), strict=True):
        pixels = rng.integers(0, 256, (n, 28, 28), dtype=np.uint8)
        (tmp_path / f"{images}.gz").write_bytes(gzip.compress(in_idx(pixels)))
        (tmp_path / labels).write_bytes(in_idx((np.arange(n) % 10).astype(np.uint8)))
    return tmp_path


@pytest.mark.parametrize("load", [mnist, fashion_mnist])
def test_idx_files_packed_or_not_are_read(folder, load):
    train, test = load(folder)
    assert train.inputs.shape == (20, 28, 28, 1)
    assert test.labels.tolist() == list(range(10))
    raw = np.frombuffer(gzip.decompress((folder / "t10k-images-idx3-ubyte.gz").read_bytes())[16:], np.uint8)
    np.testing.assert_array_equal(test.inputs.ravel(), raw / np.float32(255))


def test_a_missing_file_is_named(folder):
    (folder / "t10k-labels-idx1-ubyte").unlink()
    with pytest.raises(FileNotFoundError, match="t10k-labels-idx1-ubyte"):
        mnist(folder)


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
        mnist(folder)


def test_files_that_do_not_belong_together_are_named(folder):
    images, labels = idx.FILES["train"]
    (folder / labels).write_bytes(in_idx(np.arange(7, dtype=np.uint8)))
    with pytest.raises(ValueError, match=f"{images} and {labels}: labels: expected one for each"):
        mnist(folder)


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
        monkeypatch.setattr(digits, "MNIST_URL", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setattr(digits, "MNIST_HASHES", hashes)
        yield published, cut, cache
        server.shutdown()


def files_in(cache):
    return sorted(path.name for path in cache.rglob("*") if path.is_file())


def test_a_download_that_breaks_off_is_tried_again(publisher):
    published, cut, cache = publisher
    cut.update(path.name for path in published.iterdir())
    train, test = mnist()
    assert (len(train), len(test)) == (20, 10)
    assert files_in(cache) == sorted(digits.MNIST_HASHES)
    for path in published.iterdir():
        path.unlink()  # a second call asks nothing of the server
    mnist()


def test_another_file_than_the_published_one_is_refused(publisher):
    published, _, cache = publisher
    name = "train-images-idx3-ubyte.gz"
    (published / name).write_bytes(gzip.compress(in_idx(np.zeros((20, 28, 28), np.uint8))))
    with pytest.raises(ValueError, match=f"hash of downloaded file.*{name}"):
        mnist()
    assert name not in files_in(cache)


def test_no_network_is_said_and_leaves_nothing_behind(tmp_path, monkeypatch):
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / name)
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    monkeypatch.setattr(digits, "MNIST_URL", "http://127.0.0.1:9/")  # nothing listens there
    with pytest.raises(ConnectionError, match=r"could not download mnist .* pass folder="):
        mnist()
    assert not [path for path in tmp_path.rglob("*") if path.is_file()]


def test_images_of_two_sizes_are_named(folder):
    images = idx.FILES["test"][0]
    (folder / f"{images}.gz").write_bytes(gzip.compress(in_idx(np.zeros((10, 3, 3), np.uint8))))
    with pytest.raises(ValueError, match=r"images of one size, got \(28, 28\) to train on and \(3, 3\)"):
        mnist(folder)


def test_a_cut_header_and_another_type_are_said_in_plain_words(tmp_path):
    (tmp_path / "cut").write_bytes(b"\x00\x00\x08\x03\x00")
    with pytest.raises(ValueError, match="cut: expected a header of 16 bytes, got a file of 5"):
        idx.read(tmp_path / "cut")
    (tmp_path / "floats").write_bytes(b"\x00\x00\x0d\x01\x00\x00\x00\x01" + bytes(4))
    with pytest.raises(ValueError, match="floats: expected an IDX file of bytes, got one of floats"):
        idx.read(tmp_path / "floats")


def test_a_cache_that_cannot_be_written_to_is_not_called_a_missing_network(tmp_path, monkeypatch):
    monkeypatch.setattr("pooch.os_cache", lambda name: tmp_path / name)

    def refused(*arguments, **options):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("pooch.core.Pooch.fetch", refused)
    with pytest.raises(OSError, match=r"mnist could not be kept in .*Permission denied") as caught:
        mnist()
    assert not isinstance(caught.value, ConnectionError)
