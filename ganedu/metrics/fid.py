"""The Fréchet distance between two sets of features (Heusel et al. 2017, https://arxiv.org/abs/1706.08500, eq. 6).

FID takes its features from an Inception net trained on photographs. This course measures digits, so it takes them from
the reference digit classifier and calls the result by its own name, FID-d. FID-d numbers compare with each other, at an
equal number of images; they do not compare with a FID from a paper.
"""

from typing import NamedTuple

import numpy as np
import torch

from ganedu.arguments import whole_number
from ganedu.metrics.features import DIGIT_FEATURES, feature_array, feature_arrays


class FID(NamedTuple):
    """A Fréchet distance and what it was measured on. Smaller is better; 0 where mean and covariance agree."""

    value: float
    n_real: int
    n_fake: int
    features: str
    name: str = "FID-d"

    def __str__(self):
        digits = 1 if self.value >= 10 else 2
        return (
            f"{self.name} {self.value:.{digits}f} (n = {self.n_fake:,} against {self.n_real:,} real; {self.features})"
        )

    def __format__(self, spec):
        """``f"{fid}"`` says it all, ``f"{fid:.1f}"`` formats the value alone."""
        return format(self.value, spec) if spec else str(self)

    def __float__(self):
        return self.value


class FIDInfinity(NamedTuple):
    """What a FID would be with endlessly many fakes, and how far it is from that with ``n_fake`` of them.

    Attributes:
        value: the estimate for n -> infinity. Noise may carry it a little below 0.
        bias: how much too large, on average, the FID of ``n_fake`` fakes is.
        sizes, values: the numbers of fakes, and the mean FID at each, through which the line was laid.
    """

    value: float
    bias: float
    n_real: int
    n_fake: int
    features: str
    sizes: tuple[int, ...]
    values: tuple[float, ...]
    name: str = "FID-d"

    def __str__(self):
        return (
            f"{self.name} {self.value:.2f} for n -> infinity; with {self.n_fake:,} fakes {self.bias:+.2f} "
            f"(against {self.n_real:,} real; {self.features})"
        )


class Moments:
    """Mean and covariance of features, gathered batch by batch in float64; the features themselves are not kept.

    ``Moments().add(first).add(second)`` equals the mean and covariance of both together (Chan et al. 1979, the update by
    pairs), without the cancellation of a sum of squares.

    Attributes:
        n: features seen.
        mean: (d,) float64.
    """

    def __init__(self):
        self.n, self.mean, self._scatter = 0, None, None

    def add(self, features):
        """Take in (N, d) ``features``, N at least 1. Returns the moments themselves.

        Raises:
            ValueError: another shape or width, or a number that is not finite.
        """
        x = feature_array("features", features, at_least=1)
        if self.n == 0:
            self.mean, self._scatter = np.zeros(x.shape[1]), np.zeros((x.shape[1], x.shape[1]))
        elif x.shape[1] != len(self.mean):
            raise ValueError(f"features: got {x.shape[1]} a sample, wants {len(self.mean)} as in the batches before")
        n, mean = self.n + len(x), x.mean(0)
        centred, step = x - mean, mean - self.mean
        self._scatter += centred.T @ centred + np.outer(step, step) * (self.n * len(x) / n)
        self.mean += step * (len(x) / n)
        self.n = n
        return self

    @property
    def cov(self):
        """(d, d) float64, with n - 1 in the denominator."""
        if self.n < 2:
            raise ValueError(f"images: got {self.n}, wants at least 2 for a covariance")
        return self._scatter / (self.n - 1)


def moments(images, features=DIGIT_FEATURES, batch_size=500):
    """The ``Moments`` of the features of ``images``. Those of the real images can be kept and used over and over.

    Args:
        images: an (N, C, H, W) tensor, or anything that yields such batches, of which only one is in memory at a time.
        features: a ``Features``.
    """
    gathered = Moments()
    for batch in features.batches(images, batch_size):
        gathered.add(batch)
    return gathered


def fid(real_images, fake_images, features=DIGIT_FEATURES, batch_size=500):
    """The Fréchet distance between the features of real and fake images.

    The distance falls as the number of images grows, for the same generator: always state n, and compare at equal n.

    Args:
        real_images, fake_images: (N, C, H, W) tensors in [-1, 1], anything that yields such batches, or ``Moments``
            of the same features.
        features: a ``Features``: ``DIGIT_FEATURES``, ``inception_features()``, or ``Features(net, name)`` of a net of yours.

    Returns:
        FID(value, n_real, n_fake, features, name), the name being FID-d, FID or FID-own, as the features are.

    Raises:
        TypeError, ValueError: images that the net does not take, or fewer than two.
    """
    real, fake = (
        images if isinstance(images, Moments) else moments(images, features, batch_size)
        for images in (real_images, fake_images)
    )
    value = frechet_distance(real.mean, real.cov, fake.mean, fake.cov)
    return FID(value, real.n, fake.n, features.name, "FID" + features.suffix)


def fid_digits(real_images, fake_images):
    """FID-d: the Fréchet distance on the 64 features of the reference digit classifier.

    The distance falls as the number of images grows, for the same generator: always state n, and compare at equal n.

    Args:
        real_images, fake_images: (N, 1, 28, 28) and (M, 1, 28, 28) floats in [-1, 1], or batches of them.

    Returns:
        FID(value, n_real, n_fake, features).
    """
    return fid(real_images, fake_images, DIGIT_FEATURES)


def fid_infinity(
    real_images, fake_images, features=DIGIT_FEATURES, points=15, smallest=None, repeats=4, seed=0, batch_size=500
):
    """Extrapolate the FID to endlessly many fakes (Chong and Forsyth 2020, https://arxiv.org/abs/1911.07023, section 4).

    The FID of n fakes is too large by about a constant over n, and the constant depends on the generator: at equal n,
    too, two generators may be put in the wrong order. So the FID is measured on random subsets of several sizes, a line
    is laid through it over 1/n, and read off at 1/n = 0. The real images are not extrapolated: take all that there are.

    Args:
        real_images, fake_images, features, batch_size: as for ``fid``; the fakes' features are kept in memory.
        points: sizes, evenly spaced, from ``smallest`` to the number of fakes.
        smallest: the smallest subset; a fifth of the fakes unless given.
        repeats: subsets drawn of each size, their FIDs averaged.
        seed: of the draw, which leaves every global generator alone.

    Returns:
        FIDInfinity(value, bias, n_real, n_fake, features, sizes, values, name).

    Raises:
        TypeError, ValueError: as for ``fid``, or a ``smallest`` that leaves no room for two sizes.
    """
    points, repeats = whole_number("points", points, at_least=2), whole_number("repeats", repeats)
    real = real_images if isinstance(real_images, Moments) else moments(real_images, features, batch_size)
    x = feature_array("fake_images", features(fake_images, batch_size), at_least=10)
    n = len(x)
    smallest = whole_number("smallest", max(2, n // 5) if smallest is None else smallest, at_least=2)
    if smallest >= n:
        raise ValueError(f"smallest: got {smallest}, wants less than the number of fakes, {n}")
    sizes = sorted({round(size) for size in np.linspace(smallest, n, points)})
    draw, real_cov, values = np.random.default_rng(whole_number("seed", seed, at_least=0)), real.cov, []
    for size in sizes:
        subsets = [draw.permutation(n)[:size] for _ in range(repeats if size < n else 1)]
        gathered = [Moments().add(x[subset]) for subset in subsets]
        values.append(np.mean([frechet_distance(real.mean, real_cov, fake.mean, fake.cov) for fake in gathered]))
    slope, value = np.polyfit(1 / np.array(sizes), values, 1)
    values = tuple(map(float, values))
    name = "FID" + features.suffix
    return FIDInfinity(float(value), float(slope) / n, real.n, n, features.name, tuple(sizes), values, name)


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
    real, fake = (Moments().add(x) for x in feature_arrays(real_features, fake_features))
    return frechet_distance(real.mean, real.cov, fake.mean, fake.cov)


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
