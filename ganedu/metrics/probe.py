"""The linear probe: how much a set of features tells about the classes when few images are labelled.

A linear classifier can only weigh features, not make new ones, so its accuracy says what the features hold already
(Alain and Bengio 2016, https://arxiv.org/abs/1610.01644; for D's features Radford et al. 2016, section 5).
"""

import warnings
from typing import NamedTuple

import numpy as np
import torch

from ganedu.arguments import real_number, whole_number


class Probe(NamedTuple):
    """Accuracies of linear probes. ``accuracy`` is their mean, from 0 to 1, ``std`` their standard deviation."""

    accuracy: float
    std: float
    draws: tuple[float, ...]
    n_labels: int

    def __str__(self):
        return f"{self.accuracy:.1%} ± {self.std:.1%} ({self.n_labels} labels, {len(self.draws)} draws)"


def linear_probe(features, labels, test_features, test_labels, *, n_labels=100, draws=10, strength=1.0, seed=0):
    """Accuracy of logistic regression on the features of a few labelled images.

    Each draw labels ``n_labels`` of the images, as many of each class, fits scikit-learn's L2-regularised logistic
    regression to them and tests it on all test images. Which images are drawn depends on ``seed`` and the labels alone, so
    that two sets of features are compared on the same draws. The features are shifted by their mean over ``features`` and
    divided by one number, so that their squared length is 1 on average: the regularisation then treats features of any
    number and scale alike. Neither uses a label.

    Args:
        features: (N, ...) features of the images of which some are labelled; flattened to (N, d).
        labels: (N,) whole numbers.
        test_features, test_labels: (M, ...) and (M,), the same for test images.
        n_labels: labels a draw, a multiple of the number of classes.
        draws: how often.
        strength: scikit-learn's C is ``100 * strength``: larger fits the labelled images more closely.
        seed: of the draws, a whole number of at least 0.

    Returns:
        Probe(accuracy, std, draws, n_labels).

    Raises:
        ValueError: shapes that do not fit, numbers that are not finite, features that are all the same, or more labels of
            a class than there are images of it.
    """
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.linear_model import LogisticRegression

    n_labels, draws = whole_number("n_labels", n_labels), whole_number("draws", draws)
    strength = real_number("strength", strength, above=0, below=float("inf"))
    generator = np.random.default_rng(whole_number("seed", seed, at_least=0))
    x, y = _features_and_labels("features", features, "labels", labels)
    x_test, y_test = _features_and_labels("test_features", test_features, "test_labels", test_labels)
    if x.shape[1] != x_test.shape[1]:
        raise ValueError(f"test_features: got {x_test.shape[1]} an image, wants {x.shape[1]} as in features")
    classes, counts = np.unique(y, return_counts=True)
    each, rest = divmod(n_labels, len(classes))
    if rest or len(classes) < 2:
        raise ValueError(
            f"n_labels: got {n_labels} for {len(classes)} classes, wants a multiple, and two classes or more"
        )
    if each > counts.min():
        rare = classes[counts.argmin()]
        raise ValueError(
            f"n_labels: got {each} a class, wants at most {counts.min()}: so many images are labelled {rare}"
        )

    mean = x.mean(0)
    scale = np.sqrt(((x - mean) ** 2).sum(1).mean())
    if scale == 0:
        raise ValueError("features: got the same ones for every image, wants some that differ")
    x, x_test = (x - mean) / scale, (x_test - mean) / scale
    accuracies = []
    for _ in range(draws):
        chosen = np.concatenate([generator.choice(np.flatnonzero(y == c), each, replace=False) for c in classes])
        # The fit lies in the span of its few images: in coordinates of that span it is the same, and many times quicker.
        _, _, span = np.linalg.svd(x[chosen], full_matrices=False)
        probe = LogisticRegression(C=100 * strength, max_iter=1000)
        with warnings.catch_warnings():
            warnings.simplefilter("error", ConvergenceWarning)
            probe.fit(x[chosen] @ span.T, y[chosen])
        accuracies.append(float(probe.score(x_test @ span.T, y_test)))
    return Probe(float(np.mean(accuracies)), float(np.std(accuracies)), tuple(accuracies), n_labels)


def _features_and_labels(name, features, labels_name, labels):
    if isinstance(features, torch.Tensor):
        features = features.detach().cpu()
    if isinstance(labels, torch.Tensor):
        labels = labels.detach().cpu()
    features, labels = np.asarray(features, dtype=np.float64), np.asarray(labels)
    if features.ndim < 2 or features.size == 0:
        raise ValueError(f"{name}: got shape {features.shape}, wants (N, d) with at least one image")
    if not np.isfinite(features).all():
        raise ValueError(f"{name}: got a number that is not finite, wants finite numbers")
    if labels.shape != features.shape[:1] or labels.dtype.kind not in "iu":
        raise ValueError(
            f"{labels_name}: got {labels.dtype} of shape {labels.shape}, wants whole numbers of shape ({len(features)},)"
        )
    return features.reshape(len(features), -1), labels
