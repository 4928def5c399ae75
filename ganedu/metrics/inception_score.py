"""The inception score (Salimans et al. 2016, https://arxiv.org/abs/1606.03498, section 4).

It looks at the fakes alone, through a classifier: is each one surely of some class, and do all classes come? What the
classifier does not tell apart, and what the real data look like, it cannot see.
"""

from typing import NamedTuple

import numpy as np
import torch

from ganedu.arguments import whole_number
from ganedu.metrics.features import digit_probabilities


class InceptionScore(NamedTuple):
    """A score from 1 to the number of classes, the larger the better: its mean and standard deviation over the splits."""

    value: float
    std: float
    n_fake: int
    splits: int
    features: str
    name: str = "IS-d"

    def __str__(self):
        return (
            f"{self.name} {self.value:.2f} ± {self.std:.2f} "
            f"(n = {self.n_fake:,} in {self.splits} split{'s'[: self.splits > 1]}; {self.features})"
        )

    def __format__(self, spec):
        """``f"{score}"`` says it all, ``f"{score:.1f}"`` formats the value alone."""
        return format(self.value, spec) if spec else str(self)

    def __float__(self):
        return self.value


def inception_score(probabilities, splits=10, seed=0, features="the classes of a classifier", name="IS-own"):
    """exp(E_x KL(p(y | x) ‖ p(y)))   (section 4), with p(y) the mean of p(y | x) over the samples.

    1 where every sample gets the same verdict; K where each is surely of one of K classes and all come equally often. The
    samples are shuffled, as sorted ones would make parts of one class, and split; each part is scored with its own p(y).

    Args:
        probabilities: (N, K), p(y | x) of each sample; rows sum to 1.
        splits: parts; the paper's is 10. The score grows with the size of a part: compare at equal N and splits.
        seed: of the shuffle, which leaves every global generator alone.
        features, name: what the result is to say of the classifier, and its own name.

    Returns:
        InceptionScore(value, std, n_fake, splits, features, name); std with the number of splits in the denominator.

    Raises:
        TypeError, ValueError: rows that are no probabilities, or fewer samples than splits.
    """
    splits = whole_number("splits", splits)
    if isinstance(probabilities, torch.Tensor):
        probabilities = probabilities.detach().cpu().double()  # numpy has no bfloat16
    p = np.asarray(probabilities, dtype=np.float64)
    if p.ndim != 2 or 0 in p.shape:
        raise ValueError(f"probabilities: got shape {p.shape}, wants (N, K)")
    if not ((p >= 0).all() and np.allclose(p.sum(1), 1, atol=1e-3)):  # NaN fails both
        raise ValueError("probabilities: got rows that are no probabilities, wants numbers of at least 0 that sum to 1")
    if splits > len(p):
        raise ValueError(f"splits: got {splits}, wants at most the number of samples, {len(p)}")
    order = np.random.default_rng(whole_number("seed", seed, at_least=0)).permutation(len(p))
    scores = [_score(part) for part in np.array_split(p[order], splits)]
    return InceptionScore(float(np.mean(scores)), float(np.std(scores)), len(p), splits, features, name)


def inception_score_digits(images, splits=10, seed=0, batch_size=500):
    """IS-d: the inception score by the ten classes of the reference digit classifier; from 1 to 10.

    Args:
        images: (N, 1, 28, 28) floats in [-1, 1].
        splits, seed: as for ``inception_score``.

    Returns:
        InceptionScore(value, std, n_fake, splits, features, name).
    """
    p = digit_probabilities(images, batch_size)
    return inception_score(p, splits, seed, "10 classes of the digit classifier", "IS-d")


def _score(p):
    marginal = p.mean(0)  # p(y)
    present = p > 0  # 0 log 0 = 0; where p(y | x) > 0, p(y) is, too
    ratio = np.divide(p, marginal, out=np.ones_like(p), where=present)
    return np.exp((p * np.log(ratio)).sum(1).mean())
