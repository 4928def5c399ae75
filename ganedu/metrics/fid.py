"""The Fréchet distance between two sets of features (Heusel et al. 2017, https://arxiv.org/abs/1706.08500, eq. 6).

FID takes its features from an Inception net trained on photographs. This course measures digits, so it takes them from
the reference digit classifier and calls the result by its own name, FID-d. FID-d numbers compare with each other, at an
equal number of images; they do not compare with a FID from a paper.
"""

from typing import NamedTuple

import numpy as np
import torch

from ganedu.metrics.features import digit_features


class FID(NamedTuple):
    """A Fréchet distance and what it was measured on. Smaller is better; 0 where mean and covariance agree."""

    value: float
    n_real: int
    n_fake: int
    features: str

    def __str__(self):
        digits = 1 if self.value >= 10 else 2
        return f"FID-d {self.value:.{digits}f} (n = {self.n_fake:,} against {self.n_real:,} real; {self.features})"

    def __format__(self, spec):
        """``f"{fid}"`` says it all, ``f"{fid:.1f}"`` formats the value alone."""
        return format(self.value, spec) if spec else str(self)

    def __float__(self):
        return self.value


def frechet_distance(mean1, cov1, mean2, cov2):
    """‖μ₁ - μ₂‖² + tr(C₁ + C₂ - 2 (C₁C₂)^½), the squared Fréchet distance of two Gaussians, in float64.

    tr (C₁C₂)^½ is the sum of the singular values of C₁^½ C₂^½: real, and defined for covariances of any rank (a set
    with fewer images than features), where a general matrix square root returns complex numbers or fails.

    Args:
        mean1, mean2: (d,) means.
        cov1, cov2: (d, d) covariances: symmetric, positive semi-definite.

    Returns:
        the distance, a float of at least 0.

    Raises:
        ValueError: shapes that do not fit, a number that is not finite, or a matrix that is no covariance.
    """
    mean1, mean2 = _vector("mean1", mean1), _vector("mean2", mean2)
    if mean1.shape != mean2.shape:
        raise ValueError(f"mean2: got shape {mean2.shape}, wants that of mean1, {mean1.shape}")
    cov1, cov2 = _covariance("cov1", cov1, len(mean1)), _covariance("cov2", cov2, len(mean1))
    product = _square_root("cov1", cov1) @ _square_root("cov2", cov2)
    trace_of_root = np.linalg.svd(product, compute_uv=False).sum()
    distance = ((mean1 - mean2) ** 2).sum() + np.trace(cov1) + np.trace(cov2) - 2 * trace_of_root
    return max(float(distance), 0.0)  # rounding may leave -1e-12 where the two agree


def frechet_features(real_features, fake_features):
    """The Fréchet distance between Gaussians fitted to two sets of features.

    Args:
        real_features, fake_features: (N, d) and (M, d), N and M at least 2; tensors or arrays.

    Returns:
        the distance, a float of at least 0 (covariances with N - 1 in the denominator).

    Raises:
        ValueError: other shapes, or a number that is not finite.
    """
    real, fake = _features("real_features", real_features), _features("fake_features", fake_features)
    if real.shape[1] != fake.shape[1]:
        raise ValueError(f"fake_features: got {fake.shape[1]} features, wants {real.shape[1]} as in real_features")
    moments = [(x.mean(0), np.atleast_2d(np.cov(x, rowvar=False))) for x in (real, fake)]
    return frechet_distance(*moments[0], *moments[1])


def fid_digits(real_images, fake_images):
    """FID-d: the Fréchet distance on the 64 features of the reference digit classifier.

    The distance falls as the number of images grows, for the same generator: always state n, and compare at equal n.

    Args:
        real_images, fake_images: (N, 1, 28, 28) and (M, 1, 28, 28) floats in [-1, 1].

    Returns:
        FID(value, n_real, n_fake, features).
    """
    value = frechet_features(digit_features(real_images), digit_features(fake_images))
    return FID(value, len(real_images), len(fake_images), "64 features of the digit classifier")


def _array(name, value):
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
    array = np.asarray(value, dtype=np.float64)
    if not np.isfinite(array).all():
        raise ValueError(f"{name}: got a number that is not finite, wants finite numbers")
    return array


def _vector(name, value):
    array = _array(name, value)
    if array.ndim != 1 or array.size == 0:
        raise ValueError(f"{name}: got shape {array.shape}, wants (d,)")
    return array


def _features(name, value):
    array = _array(name, value)
    if array.ndim != 2 or len(array) < 2 or array.shape[1] == 0:
        raise ValueError(f"{name}: got shape {array.shape}, wants (N, d) with N at least 2")
    return array


def _covariance(name, value, d):
    array = _array(name, value)
    if array.shape != (d, d):
        raise ValueError(f"{name}: got shape {array.shape}, wants ({d}, {d})")
    if not np.allclose(array, array.T, rtol=1e-6, atol=1e-8 * np.abs(array).max()):
        raise ValueError(f"{name}: got a matrix that is not symmetric, wants a covariance")
    return (array + array.T) / 2


def _square_root(name, matrix):
    """The symmetric square root of a positive semi-definite matrix, of any rank."""
    values, vectors = np.linalg.eigh(matrix)
    if values[0] < -1e-6 * max(values[-1], 0.0) or values[-1] < 0:
        raise ValueError(f"{name}: got an eigenvalue of {values[0]:g}, wants a covariance, with none below 0")
    return (vectors * np.sqrt(values.clip(min=0))) @ vectors.T
