"""Quality and diversity as two numbers each, from nearest neighbours among features.

Precision and recall (Kynkäänniemi et al. 2019, https://arxiv.org/abs/1904.06991) and, sturdier against outliers, density
and coverage (Naeem et al. 2020, https://arxiv.org/abs/2002.09797). A set of features is taken to fill the balls around its
samples, each as large as the distance to the sample's k-th nearest neighbour in the set.
"""

from typing import NamedTuple

import torch

from ganedu.arguments import whole_number
from ganedu.metrics.features import DIGIT_FEATURES, feature_arrays


class PRDC(NamedTuple):
    """Precision and density speak of quality, recall and coverage of diversity; the larger the better.

    Attributes:
        precision: share of the fakes that lie in a ball around a real sample.
        recall: share of the real samples that lie in a ball around a fake.
        density: how many real balls a fake lies in, on average, divided by k; it may exceed 1.
        coverage: share of the real samples with a fake in their ball.
    """

    precision: float
    recall: float
    density: float
    coverage: float
    k: int
    n_real: int
    n_fake: int
    features: str

    def __str__(self):
        return (
            f"precision {self.precision:.3f}, recall {self.recall:.3f}, density {self.density:.3f}, "
            f"coverage {self.coverage:.3f} (k = {self.k}, n = {self.n_fake:,} against {self.n_real:,} real; {self.features})"
        )


def prdc_features(real_features, fake_features, k=5, features="features of your own"):
    """Precision, recall, density and coverage of two sets of features.

    Balls are closed, and a sample is not its own neighbour. For two sets of equal distribution and n samples each,
    density is 1 on average, and coverage is 1 - (n-1)···(n-k) / ((2n-1)···(2n-k)), about 1 - 2⁻ᵏ (Naeem et al., section 3.2).

    Args:
        real_features, fake_features: (N, d) and (M, d), more than k samples each; tensors or arrays.
        k: which neighbour gives the radius; 5 as in Naeem et al., where Kynkäänniemi et al. take 3.
        features: what the result is to say of the features.

    Returns:
        PRDC(precision, recall, density, coverage, k, n_real, n_fake, features).

    Raises:
        TypeError, ValueError: other shapes, k samples or fewer, or a number that is not finite.
    """
    k = whole_number("k", k)
    real, fake = (torch.from_numpy(x) for x in feature_arrays(real_features, fake_features))
    for name, x in (("real_features", real), ("fake_features", fake)):
        if len(x) <= k:
            raise ValueError(f"{name}: got {len(x)} samples, wants more than k, {k}")
    real_radius, fake_radius = _radii(real, k), _radii(fake, k)
    balls = torch.zeros(len(fake), dtype=torch.int64)  # real balls that each fake lies in
    recalled, covered = [], []
    for start, distance in _distances(real, fake):
        in_real_ball = distance <= real_radius[start : start + len(distance), None]
        balls += in_real_ball.sum(0)
        covered.append(in_real_ball.any(1))
        recalled.append((distance <= fake_radius).any(1))
    return PRDC(
        precision=float((balls > 0).double().mean()),
        recall=float(torch.cat(recalled).double().mean()),
        density=float(balls.double().mean() / k),
        coverage=float(torch.cat(covered).double().mean()),
        k=k,
        n_real=len(real),
        n_fake=len(fake),
        features=features,
    )


def prdc(real_images, fake_images, features=DIGIT_FEATURES, k=5, batch_size=500):
    """Precision, recall, density and coverage of fake images. Take as many as of real ones: recall grows with them.

    Args:
        real_images, fake_images: (N, C, H, W) tensors in [-1, 1], or anything that yields such batches.
        features: a ``Features``.
        k: as for ``prdc_features``.

    Returns:
        PRDC(precision, recall, density, coverage, k, n_real, n_fake, features).
    """
    return prdc_features(features(real_images, batch_size), features(fake_images, batch_size), k, features.name)


def prdc_digits(real_images, fake_images, k=5):
    """``prdc`` on the 64 features of the reference digit classifier, of (N, 1, 28, 28) images in [-1, 1]."""
    return prdc(real_images, fake_images, DIGIT_FEATURES, k)


def _distances(x, y, rows=1000):
    """Yield (start, (n, M) distances from x[start : start + n] to y): never more than ``rows`` rows in memory.

    The difference is taken before the square: by way of the product x·y the distance of a copy would not be 0.
    """
    for start in range(0, len(x), rows):
        yield start, torch.cdist(x[start : start + rows], y, compute_mode="donot_use_mm_for_euclid_dist")


def _radii(x, k):
    """(N,) distance of each sample to its k-th nearest neighbour: the k+1 smallest distances begin with its own, 0."""
    return torch.cat([distance.topk(k + 1, largest=False).values[:, -1] for _, distance in _distances(x, x)])
