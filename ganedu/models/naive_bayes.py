"""Naive Bayes as a generator: given the class, every pixel is drawn on its own.

The baseline that a generative model has to beat. It knows each pixel's distribution within a class exactly, and nothing
of how pixels go together, which is what a picture is.
"""

import torch

from ganedu.arguments import whole_number
from ganedu.data.images import ImageData, normalise


class NaiveBayes:
    """p(x | y) = Π_i p(x_i | y), with the training images' own marginals as p(x_i | y).

    Drawing pixel i from its marginal means: take it from a training image of the class, another random one for each
    pixel. Nothing is estimated and nothing smoothed.
    """

    def fit(self, images, labels=None):
        """Keep the training images, sorted by class. Returns the model itself.

        Args:
            images: an ``ImageData`` with labels, or an (N, C, H, W) tensor, uint8 or float in [-1, 1].
            labels: (N,) whole numbers from 0, for a tensor of images.

        Raises:
            ValueError: images without labels, or images and labels that do not fit.
        """
        if not isinstance(images, ImageData):
            images = ImageData(images, labels)
        elif labels is not None:
            raise ValueError("labels: got labels beside an ImageData, wants those of the ImageData alone")
        if images.labels is None:
            raise ValueError(f"labels: got none for {images.name!r}, wants one for each image")
        self.shape = images.shape
        self.pixels = images.images[images.labels.argsort(stable=True)].flatten(1)  # (N, C*H*W) uint8
        self.counts = torch.bincount(images.labels)  # images of each class
        self.starts = self.counts.cumsum(0) - self.counts
        return self

    def sample(self, n, generator=None, labels=None):
        """(n, C, H, W) float32 in [-1, 1].

        Args:
            n: how many.
            generator: on the device of the images.
            labels: (n,) the class of each sample; drawn as often as in the training images unless given.

        Raises:
            RuntimeError: before ``fit``.
            ValueError: labels of another shape, or of a class without a training image.
        """
        n = whole_number("n", n)
        if not hasattr(self, "pixels"):
            raise RuntimeError("sample: this NaiveBayes has seen no image, call fit(images) first")
        device, n_pixels = self.pixels.device, self.pixels.shape[1]
        if labels is None:
            labels = torch.multinomial(self.counts.double(), n, replacement=True, generator=generator)
        labels = torch.as_tensor(labels, device=device).long()
        if labels.shape != (n,):
            raise ValueError(f"labels: got shape {tuple(labels.shape)}, wants ({n},): one a sample")
        present = self.counts.nonzero().flatten()
        if not torch.isin(labels, present).all():
            raise ValueError(f"labels: got {sorted(set(labels.tolist()))}, wants some of {present.tolist()}")
        draw = torch.randint(2**62, (n, n_pixels), device=device, generator=generator)
        rows = self.starts[labels, None] + draw % self.counts[labels, None]  # another image for each pixel
        return normalise(self.pixels.gather(0, rows)).view(n, *self.shape)
