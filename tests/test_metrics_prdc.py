"""Precision, recall, density and coverage against plain loops, expectations of the paper, and sets laid out by hand."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from ganedu.data import digits
from ganedu.metrics import prdc as module
from ganedu.metrics import prdc_digits
from ganedu.metrics.features import Features
from ganedu.metrics.prdc import _distances, prdc, prdc_features


def by_loops(real, fake, k):
    def distance(a, b):
        return math.sqrt(sum((p - q) ** 2 for p, q in zip(a, b)))

    def radius(i, points):
        return sorted(distance(points[i], p) for j, p in enumerate(points) if j != i)[k - 1]

    real_radii, fake_radii = ([radius(i, points) for i in range(len(points))] for points in (real, fake))
    balls = [sum(distance(x, y) <= r for x, r in zip(real, real_radii)) for y in fake]
    precision = sum(b > 0 for b in balls) / len(fake)
    recall = sum(any(distance(x, y) <= r for y, r in zip(fake, fake_radii)) for x in real) / len(real)
    coverage = sum(any(distance(x, y) <= r for y in fake) for x, r in zip(real, real_radii)) / len(real)
    return precision, recall, sum(balls) / (k * len(fake)), coverage


@pytest.mark.parametrize(("n", "m", "d", "k"), [(40, 25, 2, 5), (25, 40, 3, 1), (30, 30, 1, 3)])
def test_equals_plain_loops(n, m, d, k):
    rng = np.random.default_rng(n)
    real, fake = rng.standard_normal((n, d)), 0.7 * rng.standard_normal((m, d)) + 0.5
    result = prdc_features(real, fake, k=k)
    assert result[:4] == pytest.approx(by_loops(real, fake, k), abs=1e-12)
    assert (result.k, result.n_real, result.n_fake) == (k, n, m)
    assert 0 < result.precision and result.recall < 1


def test_a_line_laid_out_by_hand():
    """Real at 0, 1, 2, 3, 10 with k = 1: radii 1, 1, 1, 1, 7. Fake at 0.5, 1.5, 20, 20.5: radii 1, 1, 0.5, 0.5."""
    real = torch.tensor([[0.0], [1.0], [2.0], [3.0], [10.0]])
    fake = torch.tensor([[0.5], [1.5], [20.0], [20.5]])
    result = prdc_features(real, fake, k=1)
    assert result.precision == 2 / 4  # 0.5 and 1.5
    assert result.density == (2 + 2) / 4  # 0.5 lies in the balls of 0 and 1, 1.5 in those of 1 and 2
    assert result.recall == 3 / 5  # 0, 1, 2
    assert result.coverage == 3 / 5  # the outlier at 10 has a large ball (3 to 17), and no fake in it


def test_expectations_for_equal_distributions():
    """Naeem et al. 2020, section 3.2: density 1, coverage 1 - (n-1)...(n-k) / ((2n-1)...(2n-k)), in any dimension."""
    rng, n, k = np.random.default_rng(0), 100, 3
    results = [prdc_features(rng.standard_normal((n, 4)), rng.standard_normal((n, 4)), k=k) for _ in range(60)]
    coverage = 1 - math.prod((n - i) / (2 * n - i) for i in range(1, k + 1))
    for name, expected in (("density", 1), ("coverage", coverage)):
        values = [getattr(result, name) for result in results]
        error = np.std(values) / math.sqrt(len(values))
        assert abs(np.mean(values) - expected) < 4 * error < 0.05


def test_quality_and_diversity_are_told_apart():
    g = torch.Generator().manual_seed(0)
    real = torch.randn(400, 5, generator=g, dtype=torch.float64)
    same = prdc_features(real, torch.randn(400, 5, generator=g, dtype=torch.float64))
    narrow = prdc_features(real, 0.3 * torch.randn(400, 5, generator=g, dtype=torch.float64))
    wide = prdc_features(real, 3 * torch.randn(400, 5, generator=g, dtype=torch.float64))
    assert narrow.precision > 0.97 > 0.7 > narrow.recall and narrow.coverage < 0.5 * same.coverage
    assert wide.precision < 0.5 < 0.9 < wide.recall and wide.density < 0.5
    assert same.precision > 0.8 and same.recall > 0.8


def test_an_outlier_fools_precision_and_hardly_density():
    """Naeem et al., figure 3: one real outlier makes a ball that swallows the fakes about it."""
    rng = np.random.default_rng(1)
    real, fake = rng.standard_normal((200, 2)), rng.standard_normal((200, 2)) + 8
    clean = prdc_features(real, fake)
    real[0] = 8
    fooled = prdc_features(real, fake)
    assert clean.precision == 0 and fooled.precision > 0.95 and fooled.density < 0.25


def test_copies_are_at_distance_zero():
    x = torch.randn(50, 64, dtype=torch.float64) * 1e-3 + 1000  # where x·x - 2 x·y + y·y has lost everything
    ((_, distance),) = _distances(x, x)
    assert (distance.diagonal() == 0).all() and (distance + torch.eye(50) > 0).all()
    result = prdc_features(x, x.clone())
    assert (
        result[:4] == (1, 1, pytest.approx(result.density), 1) and result.density > 1
    )  # each lies in its own ball, too
    repeated = x[:1].repeat(9, 1)
    assert prdc_features(repeated, repeated, k=3)[:4] == (1, 1, 3, 1)  # radii of 0: nine balls each, over k


def test_rows_at_a_time_change_nothing(monkeypatch):
    rng = np.random.default_rng(2)
    real, fake = rng.standard_normal((37, 3)), rng.standard_normal((29, 3))
    whole = prdc_features(real, fake)
    plain = module._distances
    monkeypatch.setattr(module, "_distances", lambda x, y: plain(x, y, rows=8))
    assert prdc_features(real, fake) == whole


def test_on_images():
    data = digits("test")
    real, other = data.all()[::2], data.all()[1::2]
    result = prdc_digits(real, other)
    assert result == prdc(real, other)
    assert result.precision > 0.75 and result.recall > 0.75 and result.coverage > 0.8
    threes = prdc(real, other[data.labels[1::2] == 3].repeat(3, 1, 1, 1))
    assert threes.precision > 0.75 and threes.coverage < 0.2  # perfect images, nine digits missing
    pixels = prdc(real[:60].split(11), [other[:60]], Features(nn.Flatten(), "784 pixels"), k=3)
    assert pixels == prdc_features(real[:60].flatten(1), other[:60].flatten(1), 3, "784 pixels")
    assert str(result._replace(precision=0.5, recall=0.25, density=1, coverage=0.125)) == (
        "precision 0.500, recall 0.250, density 1.000, coverage 0.125 "
        "(k = 5, n = 500 against 500 real; 64 features of the digit classifier)"
    )


def test_bad_input():
    x = torch.randn(6, 2)
    with pytest.raises(ValueError, match="fake_features: got 5 samples, wants more than k, 5"):
        prdc_features(x, x[:5])
    with pytest.raises(ValueError, match="k: got 0"):
        prdc_features(x, x, k=0)
    with pytest.raises(ValueError, match=r"real_features: got shape \(6,\)"):
        prdc_features(x[:, 0], x)
    with pytest.raises(ValueError, match="fake_features: got a number that is not finite"):
        prdc_features(x, x / 0)
