"""The kernel distance between two sets of features (Bińkowski et al. 2018, https://arxiv.org/abs/1801.01401).

Like the Fréchet distance it compares features of real and fake images. It assumes no Gaussian, and its mean does not
depend on the number of images, so that it can be trusted with few of them.
"""

from typing import NamedTuple

import numpy as np

from ganedu.arguments import whole_number
from ganedu.metrics.features import DIGIT_FEATURES, feature_arrays


class KID(NamedTuple):
    """A kernel distance: mean and standard deviation over subsets. About 0, or a little below, where the two sets agree."""

    value: float
    std: float
    n_real: int
    n_fake: int
    features: str
    subsets: int
    subset_size: int
    name: str = "KID-d"

    def __str__(self):
        return (
            f"{self.name} {self.value:.3g} ± {self.std:.1g} (n = {self.n_fake:,} against {self.n_real:,} real, "
            f"{self.subsets} x {self.subset_size:,}; {self.features})"
        )

    def __format__(self, spec):
        """``f"{kid}"`` says it all, ``f"{kid:.4f}"`` formats the value alone."""
        return format(self.value, spec) if spec else str(self)

    def __float__(self):
        return self.value


def mmd2(x, y):
    """The unbiased squared maximum mean discrepancy with the kernel k(x, y) = (x·y / d + 1)³   (section 4)

    E k(x, x') + E k(y, y') - 2 E k(x, y), the pairs (x, x') and (y, y') without those of a sample with itself. That makes
    its mean the true distance for any number of samples, and lets a single value fall below 0.

    Args:
        x, y: (N, d) and (M, d) features, N and M at least 2; tensors or arrays.

    Returns:
        a float.

    Raises:
        ValueError: other shapes, or a number that is not finite.
    """
    return _mmd2(*feature_arrays(x, y))


def kid_features(
    real_features,
    fake_features,
    subsets=100,
    subset_size=None,
    seed=0,
    features="features of your own",
    name="KID-own",
):
    """The mean of ``mmd2`` over random subsets, which are smaller and so quicker than the whole, and its spread.

    Args:
        real_features, fake_features: (N, d) and (M, d), N and M at least 2; tensors or arrays.
        subsets: how many are drawn.
        subset_size: samples of either set in a subset, drawn without replacement; 1,000 unless given, or as many as
            there are. A subset that is both whole sets is taken once.
        seed: of the draw, which leaves every global generator alone.
        features, name: what the result is to say of the features, and its own name.

    Returns:
        KID(value, std, n_real, n_fake, features, subsets, subset_size, name).

    Raises:
        TypeError, ValueError: as for ``mmd2``, or subsets larger than a set.
    """
    real, fake = feature_arrays(real_features, fake_features)
    subsets, most = whole_number("subsets", subsets), min(len(real), len(fake))
    size = whole_number("subset_size", min(1000, most) if subset_size is None else subset_size, at_least=2)
    if size > most:
        raise ValueError(f"subset_size: got {size}, wants at most {most}, the size of the smaller set")
    if size == len(real) == len(fake):
        subsets = 1
    draw = np.random.default_rng(whole_number("seed", seed, at_least=0))
    values = [_mmd2(*(x[draw.permutation(len(x))[:size]] for x in (real, fake))) for _ in range(subsets)]
    return KID(float(np.mean(values)), float(np.std(values)), len(real), len(fake), features, subsets, size, name)


def kid(real_images, fake_images, features=DIGIT_FEATURES, subsets=100, subset_size=None, seed=0, batch_size=500):
    """The kernel distance between the features of real and fake images: KID-d, KID or KID-own, as the features are.

    Args:
        real_images, fake_images: (N, C, H, W) tensors in [-1, 1], or anything that yields such batches.
        features: a ``Features``.
        subsets, subset_size, seed: as for ``kid_features``.

    Returns:
        KID(value, std, n_real, n_fake, features, subsets, subset_size, name).
    """
    sets = (features(images, batch_size) for images in (real_images, fake_images))
    return kid_features(*sets, subsets, subset_size, seed, features.name, "KID" + features.suffix)


def kid_digits(real_images, fake_images, subsets=100, subset_size=None, seed=0):
    """KID-d: the kernel distance on the 64 features of the reference digit classifier. Arguments as for ``kid``."""
    return kid(real_images, fake_images, DIGIT_FEATURES, subsets, subset_size, seed)


def _mmd2(x, y):
    def kernel(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    k_xx, k_yy, k_xy = kernel(x, x), kernel(y, y), kernel(x, y)
    n, m = len(x), len(y)
    within = (k_xx.sum() - k_xx.trace()) / (n * (n - 1)) + (k_yy.sum() - k_yy.trace()) / (m * (m - 1))
    return float(within - 2 * k_xy.mean())
