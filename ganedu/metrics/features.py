"""The reference digit classifier: a small CNN, trained on the real training digits only.

It is the measuring instrument of the course: which digit an image shows, how often each digit is produced, and the
64 features on which the Fréchet distance FID-d is computed. Its weights and a card that says how they were made
(data, command, seed, test accuracy) lie in ``weights/`` and ship with the package; tools/train_classifier.py makes both.

The classifier always names a digit, whatever it is shown, and often with confidence: its labels say which digit an image
is nearest to, not whether the image can be read.
"""

import json
from functools import lru_cache
from pathlib import Path

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


def digit_features(images, batch_size=500):
    """(N, 64) float32 features of the reference classifier for (N, 1, 28, 28) ``images`` in [-1, 1]."""
    return _in_batches(lambda net, x: net.features(x), images, batch_size)


def digit_shares(images, batch_size=500):
    """(10,) float32: the share of ``images`` that the classifier takes for each digit; sums to 1.

    On an even data set each is 0.1. The smallest share is a plain measure of dropped modes.
    """
    labels = classify(images, batch_size)
    return torch.bincount(labels, minlength=10).float() / len(labels)


@torch.no_grad()
def _in_batches(measure, images, batch_size):
    batch_size = whole_number("batch_size", batch_size)
    images = _checked(images)
    net = _shared_classifier(images.device)
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
