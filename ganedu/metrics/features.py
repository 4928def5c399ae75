"""Feature nets, by which pictures are measured: the reference digit classifier, or any module.

The reference classifier is a small CNN, trained on the real training digits only. It is the measuring instrument of the course: which digit an image shows, how often each digit is produced, and the
64 features on which the Fréchet distance FID-d is computed. Its weights and a card that says how they were made
(data, command, seed, test accuracy) lie in ``weights/`` and ship with the package; tools/train_classifier.py makes both.

The classifier always names a digit, whatever it is shown, and often with confidence: its labels say which digit an image
is nearest to, not whether the image can be read.
"""

import json
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch
from torch import nn

from ganedu.arguments import whole_number
from ganedu.runtime import resolve_device

WEIGHTS = Path(__file__).parent / "weights" / "digit_classifier.safetensors"
CARD = WEIGHTS.with_suffix(".json")


class DigitClassifier(nn.Module):
    """(N, 1, 28, 28) images in [-1, 1] -> (N, 10) logits, one a digit."""

    def __init__(self):
        super().__init__()
        layers = []
        for n_in, n_out in ((1, 24), (24, 48), (48, 64)):  # 28 -> 14 -> 7 -> 3 pixels a side
            layers += [nn.Conv2d(n_in, n_out, 3, padding=1, bias=False), nn.BatchNorm2d(n_out), nn.ReLU()]
            layers += [nn.MaxPool2d(2)]
        self.body = nn.Sequential(*layers, nn.Flatten(), nn.Dropout(0.3), nn.Linear(64 * 3 * 3, 64), nn.ReLU())
        self.head = nn.Linear(64, 10)

    def features(self, x):
        """(N, 64) activations of the last hidden layer, after its ReLU: all at least 0."""
        return self.body(x)

    def forward(self, x):
        return self.head(self.features(x))


def load_classifier(device="cpu"):
    """The trained reference classifier, in eval mode, its parameters without gradients.

    Draws no random number, so that measuring in the middle of a seeded run does not change the run.
    """
    from safetensors.torch import load_file

    device = resolve_device(device)
    with torch.device("meta"):  # no memory, no random initialisation: the weights are assigned
        classifier = DigitClassifier()
    classifier.load_state_dict(load_file(WEIGHTS), assign=True)
    return classifier.to(device).eval().requires_grad_(False)


def classifier_card():
    """How the packaged weights were made and how good they are: a dict (architecture, data, test_accuracy, ...)."""
    return json.loads(CARD.read_text(encoding="utf-8"))


@lru_cache(maxsize=4)
def _shared_classifier(device):
    return load_classifier(device)


def classify(images, batch_size=500):
    """The digit that the reference classifier sees in each image.

    Args:
        images: (N, 1, 28, 28) floats in [-1, 1], on any device.
        batch_size: images per forward pass; a matter of memory, not of the result.

    Returns:
        (N,) int64 labels in 0..9, on the device of ``images``.

    Raises:
        TypeError, ValueError: images of another type, shape or range.
    """
    return _in_batches(lambda net, x: net(x).argmax(1), images, batch_size)


def classify_features(features):
    """The digit that the reference classifier sees behind each row of (N, 64) ``digit_features``: (N,) int64.

    What ``classify`` says of the images, without a second pass over them.
    """
    return _shared_classifier(features.device).head(features).argmax(1)


def digit_features(images, batch_size=500):
    """(N, 64) float32 features of the reference classifier for (N, 1, 28, 28) ``images`` in [-1, 1]."""
    return _in_batches(lambda net, x: net.features(x), images, batch_size)


def digit_probabilities(images, batch_size=500):
    """(N, 10) float32: the reference classifier's p(y | x) for each image; rows sum to 1."""
    return _in_batches(lambda net, x: net(x).softmax(1), images, batch_size)


def digit_shares(images, batch_size=500):
    """(10,) float32: the share of ``images`` that the classifier takes for each digit; sums to 1.

    On an even data set each is 0.1. The smallest share is a plain measure of dropped modes.
    """
    labels = classify(images, batch_size)
    return torch.bincount(labels, minlength=10).float() / len(labels)


class Features:
    """Images in, (N, d) features out, and the name by which every result states what it was measured on.

    A distance between features means something only beside their name: ``DIGIT_FEATURES`` give FID-d, the Inception net
    of ``ganedu.metrics.inception`` gives FID, and a net of your own gives FID-own, which compares with neither.

    Args:
        net: a module, a method of one, or any function of a batch of images, that returns (N, ...) activations. A module
            computes in eval mode, on its own device, in 32 bits also where autocast is on, and gets its mode back.
        name: what the features are, for instance "256 features of my discriminator".
        suffix: what is appended to a metric's name, as in FID-d.

    Raises:
        TypeError: a net that cannot be called.
    """

    def __init__(self, net, name, suffix="-own"):
        if not callable(net):
            raise TypeError(f"net: got {type(net).__name__}, wants a module or a function of a batch of images")
        self.net, self.name, self.suffix = net, str(name), suffix

    def __call__(self, images, batch_size=500):
        """(N, d) float32 features of all ``images``, on the CPU: what ``batches`` yields, in one tensor."""
        return torch.cat(list(self.batches(images, batch_size)))

    def batches(self, images, batch_size=500):
        """Yield (n, d) float32 features on the CPU, batch by batch, so that no more than one batch has to be in memory.

        Args:
            images: an (N, ...) tensor, which is split, or anything that yields such tensors: a list, a generator that
                makes them, a data loader (of pairs such as (x, y) the first is taken).

        Raises:
            TypeError, ValueError: no image at all, or a net whose output is not one row of finite numbers an image.
        """
        batch_size = whole_number("batch_size", batch_size)
        seen = 0
        for x in images.split(batch_size) if isinstance(images, torch.Tensor) else images:
            x = x[0] if isinstance(x, (tuple, list)) else x
            if not isinstance(x, torch.Tensor):
                raise TypeError(f"images: got a batch of type {type(x).__name__}, wants tensors of shape (N, ...)")
            if len(x):
                seen += len(x)
                yield self._features(x)
        if not seen:
            raise ValueError("images: got none, wants at least one")

    @torch.no_grad()
    def _features(self, x):
        owner = self.net if isinstance(self.net, nn.Module) else getattr(self.net, "__self__", None)
        if not isinstance(owner, nn.Module):
            with in_32_bits(x.device):
                features = self.net(x)
        else:  # a module, or a method of one: it computes in eval mode either way
            were_training = [module for module in owner.modules() if module.training]
            place = next(owner.parameters(), x)
            try:
                owner.eval()
                with in_32_bits(place.device):
                    features = self.net(x.to(place.device))
            finally:
                for module in were_training:
                    module.training = True
        if not isinstance(features, torch.Tensor) or features.ndim < 2 or len(features) != len(x):
            got = tuple(features.shape) if isinstance(features, torch.Tensor) else type(features).__name__
            raise ValueError(f"net: got an output of {got} for {len(x)} images, wants a tensor ({len(x)}, ...)")
        return features.flatten(1).float().cpu()


DIGIT_FEATURES = Features(digit_features, "64 features of the digit classifier", suffix="-d")


def in_32_bits(device):
    """A block in which no autocast lowers what nets compute: a distance of 16-bit features is another distance."""
    return torch.autocast(device.type, enabled=False)


def feature_array(name, features, at_least=2):
    """``features`` as an (N, d) float64 array; for the metrics, which take tensors and arrays.

    Raises:
        ValueError: another shape, fewer than ``at_least`` rows, or a number that is not finite.
    """
    if isinstance(features, torch.Tensor):
        features = features.detach().cpu().double()  # numpy has no bfloat16
    array = np.asarray(features, dtype=np.float64)
    if array.ndim != 2 or len(array) < at_least or array.shape[1] == 0:
        raise ValueError(f"{name}: got shape {array.shape}, wants (N, d) with N at least {at_least}")
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: got a number that is not finite, wants finite numbers")
    return array


def feature_arrays(real_features, fake_features, at_least=2):
    """Two sets of features as float64 arrays of equal width. Errors as for ``feature_array``."""
    real = feature_array("real_features", real_features, at_least)
    fake = feature_array("fake_features", fake_features, at_least)
    if real.shape[1] != fake.shape[1]:
        raise ValueError(f"fake_features: got {fake.shape[1]} features, wants {real.shape[1]} as in real_features")
    return real, fake


@torch.no_grad()
def _in_batches(measure, images, batch_size):
    batch_size = whole_number("batch_size", batch_size)
    images = _checked(images)
    net = _shared_classifier(images.device)
    with in_32_bits(images.device):
        return torch.cat([measure(net, part) for part in images.split(batch_size)])


def _checked(images):
    wants = "wants a tensor of shape (N, 1, 28, 28), floats in [-1, 1]"
    if not isinstance(images, torch.Tensor):
        raise TypeError(f"images: got {type(images).__name__}, {wants}")
    if not images.is_floating_point():
        raise TypeError(f"images: got dtype {images.dtype}, {wants}")
    if images.shape[1:] != (1, 28, 28) or len(images) == 0:
        raise ValueError(f"images: got shape {tuple(images.shape)}, {wants} and N at least 1")
    images = images.detach().float()
    low, high = float(images.min()), float(images.max())
    if not (-1.001 <= low and high <= 1.001):  # a hair of room for resampled images; NaN fails as well
        raise ValueError(f"images: got values from {low:g} to {high:g}, {wants}")
    return images
