"""What samples show beside real ones: how near, how spread, which modes or classes are there and which are not."""

import math
from typing import NamedTuple

import torch

from ganedu.metrics.coverage import mode_coverage

LOST = 0.1  # share of its due below which a mode or class is lost
NAMED = 0.3  # and for classes: of what the classifier names, which is wrong now and then


class Exam(NamedTuple):
    """What one batch of fakes shows beside the real samples.

    Attributes:
        n: fakes in the batch.
        spread: mean distance of two fakes, as a share of that of two real samples.
        energy_distance: of fakes and real samples, in units of the latter: 0 for the same distribution, 1 for all
            fakes on one real sample, about 2 t for fakes t times as far away as the data is wide.
        precision: share of the fakes near a mode, or in a real sample's ball (its radius reaches the fifth neighbour).
        covered: share of the real samples with a fake in their ball; of the modes' weights that are reached, for modes.
        counts: (K,) fakes in each mode, or of each class and near a real sample; None where the data has neither.
        named: (K,) fakes of each class in the classifier's eyes, wherever they lie; for modes the same as ``counts``.
    """

    n: int
    spread: float
    energy_distance: float
    precision: float
    covered: float
    counts: torch.Tensor | None
    named: torch.Tensor | None


class Examiner:
    """Looks at samples beside real ones: what depends on the real ones alone is computed once.

    Args:
        real: (N, ...) real samples, N at least 12.
        modes: a mixture with ``means``, ``std`` and ``weights``, where the data set is one.
        classifier: a function of a batch of samples that returns (N,) labels from 0, where there are classes.
        features: a function of a batch that returns (N, d) features in which neighbours are sought; with few dimensions
            the samples themselves unless given, else their 32 principal directions.
        classes: names of the classes, "0", "1", ... unless given.

    Attributes:
        parts: names of the modes or classes, a tuple; empty where there are neither.
        dues: (K,) share of the real samples in each.

    Raises:
        ValueError: too few real samples.
    """

    NEIGHBOUR = 5

    def __init__(self, real, modes=None, classifier=None, features=None, classes=()):
        real = real.detach()
        if len(real) < 2 * (self.NEIGHBOUR + 1):
            raise ValueError(f"real: got {len(real)} samples, wants at least {2 * (self.NEIGHBOUR + 1)}")
        if modes is not None and len(modes.means) < 2:
            modes = None  # one mode cannot be lost
        self.modes, self.classifier, self.features = modes, None if modes is not None else classifier, features
        self._directions = _principal(real) if real[0].numel() > 64 else None
        self._real = self._embed(real)
        self._width = _mean_distance(self._real)
        self.parts, self.dues = (), None
        if modes is not None:
            means = modes.means
            self.dues = modes.weights.double().cpu()
            self.parts = tuple(
                f"{k} at ({', '.join(f'{round(v, 2) + 0.0:g}' for v in m)})" for k, m in enumerate(means.tolist())
            )
            apart = torch.cdist(means.double(), means.double()).fill_diagonal_(math.inf).min(1).values
            std = torch.as_tensor(modes.std, dtype=torch.float64, device=means.device).expand(len(means))
            self._radius = torch.maximum(3 * std, 0.3 * apart.nan_to_num(posinf=0.0))
            return
        self._sought = self._real if features is None else features(real).double()
        self._radii = _exact(self._sought, self._sought).topk(self.NEIGHBOUR + 1, largest=False).values[:, -1]
        if classifier is not None:
            self._labels = classifier(real).cpu()
            present = torch.bincount(self._labels)
            self.dues = present / len(real)
            self.parts = tuple(classes) or tuple(str(k) for k in range(len(present)))

    def distance_and_spread(self, fakes):
        """(energy distance, spread) of (N, ...) fakes: see ``Exam``."""
        fakes = self._embed(fakes)
        within = _mean_distance(fakes)
        distance = (2 * float(torch.cdist(self._real, fakes).mean()) - within - self._width) / self._width
        return max(distance, 0.0), within / self._width

    def __call__(self, fakes):
        """The ``Exam`` of (N, ...) fakes."""
        fakes = fakes.detach()
        distance, spread = self.distance_and_spread(fakes)
        if self.modes is not None:
            found = mode_coverage(fakes, self.modes.means, self._radius, within=1.0, at_least=1)
            counts = found.counts.cpu()
            reached = counts >= LOST * self.dues * len(fakes)
            return Exam(len(fakes), spread, distance, found.good, float(self.dues[reached].sum()), counts, counts)
        sought = self._embed(fakes) if self.features is None else self.features(fakes).double()
        inside = _exact(self._sought, sought) <= self._radii[:, None]
        near, reached = inside.any(0), inside.any(1).cpu()
        counts = named = None
        if self.classifier is not None:
            labels, k = self.classifier(fakes), len(self.dues)
            named = torch.bincount(labels.cpu(), minlength=k)[:k]
            counts = torch.bincount(labels[near].cpu(), minlength=k)[:k]
        covered = float(reached.double().mean())
        return Exam(len(fakes), spread, distance, float(near.double().mean()), covered, counts, named)

    def missing(self, exams, near=False):
        """Names of the parts of which none of the ``exams`` has a tenth of what it is due.

        The classifier names a class for a blot, too, so a class counts as made where fakes are near real samples; but the
        real samples of a class that all look alike have small balls, so a class that is named often is not lost, either.
        With ``near`` it is: for a G whose fakes are no good at all.
        """
        if self.dues is None or not exams:
            return ()
        counts, named = sum(exam.counts for exam in exams), sum(exam.named for exam in exams)
        few = counts < LOST * self.dues * max(1, int(counts.sum()))
        if not near:
            few &= named < NAMED * self.dues * sum(exam.n for exam in exams)
        return tuple(part for part, lost, due in zip(self.parts, few, self.dues) if due > 0 and lost)

    def _embed(self, x):
        x = x.flatten(1).double()
        return x if self._directions is None else x @ self._directions


def _principal(real, most=32):
    """(P, d) orthonormal directions along which (N, ...) samples differ most; no random number is drawn."""
    x = real.flatten(1).double()
    x = x - x.mean(0)
    return torch.linalg.svd(x, full_matrices=False).Vh[: min(most, len(x) - 1)].T


def _mean_distance(x):
    """Mean distance of two different rows."""
    return float(torch.cdist(x, x).sum()) / (len(x) * (len(x) - 1))


def _exact(x, y):
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")
