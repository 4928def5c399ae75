"""Lesson 12's measures: equal to the library's twin, to torchmetrics, and to what can be worked out by hand."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from lesson_definitions import load_definitions
from scipy.spatial.distance import cdist

from ganedu.data import digits
from ganedu.metrics import (
    digit_features,
    digit_probabilities,
    fid_digits,
    frechet_features,
    mmd2,
    prdc_features,
)
from ganedu.metrics.inception_score import inception_score

LESSON = Path(__file__).resolve().parent.parent / "lessons" / "12_evaluation.py"


@pytest.fixture(scope="module")
def lesson():
    return load_definitions(LESSON)


@pytest.fixture(scope="module")
def images():
    """300 real digits, and 300 dimmed ones with a little noise for fakes."""
    test = digits("test").all()
    real, fake = test[::3][:300], test[1::3][:300]
    noise = torch.randn(fake.shape, generator=torch.Generator().manual_seed(0))
    return real, (0.9 * fake + 0.1 * noise).clamp(-1, 1)


@pytest.fixture(scope="module")
def features(images):
    return tuple(digit_features(x).double() for x in images)


def test_equal_to_the_librarys_twin(lesson, images, features):
    p = digit_probabilities(images[1]).double()
    assert lesson["inception_score"](p) == pytest.approx(inception_score(p, splits=1).value, rel=1e-9)
    assert lesson["fid"](*features) == pytest.approx(frechet_features(*features), rel=1e-9)
    assert lesson["fid"](*features) == pytest.approx(fid_digits(*images).value, rel=1e-9)
    assert lesson["kid"](*features) == pytest.approx(mmd2(*features), rel=1e-9)
    for k in (1, 3, 5):
        twin = prdc_features(*features, k=k)
        assert lesson["precision_recall"](*features, k) == (twin.precision, twin.recall)
        assert 0 < twin.precision < 1 and 0 < twin.recall < 1  # so that the comparison says something


def test_equal_to_torchmetrics_and_scipy_on_the_same_features(lesson, images, features):
    """As the lesson asks them, 1e-3; torchmetrics is always there when tests run."""
    p = digit_probabilities(images[1]).double()
    own = (lesson["inception_score"](p), lesson["fid"](*features), lesson["kid"](*features))
    given = (*(f.numpy() for f in features), p.numpy())
    assert lesson["by_torchmetrics"](*given) == pytest.approx(own, rel=1e-3)
    assert lesson["by_scipy"](*given) == pytest.approx(own, rel=1e-3)
    assert min(own) > 0.01


def test_inception_score_by_hand(lesson):
    score = lesson["inception_score"]
    assert score(torch.eye(10)) == pytest.approx(10)  # verdicts of 0 and 1: 0 log 0 counts 0
    assert score(torch.full((5, 10), 0.1)) == pytest.approx(1)
    assert score(torch.eye(10)[[3] * 7]) == pytest.approx(1)
    p = torch.tensor([[0.9, 0.1], [0.1, 0.9]])
    entropy = -(0.9 * math.log(0.9) + 0.1 * math.log(0.1))
    assert score(p) == pytest.approx(math.exp(math.log(2) - entropy), rel=1e-6)


def test_fid_by_hand(lesson):
    """Features with exactly the moments of the lesson's example, N(4, 1.25²) and N(3, 0.25²), beside one that is always 0."""
    z = torch.randn(50, 1, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    z = (z - z.mean()) / z.std()
    real, fake = (torch.cat([x, torch.zeros_like(x)], 1) for x in (4 + 1.25 * z, 3 + 0.25 * z))
    assert lesson["fid_terms"](real, fake) == pytest.approx((1.0, 1.0), abs=1e-9)


def test_fid_with_fewer_images_than_features(lesson):
    """Rank-deficient covariances: the same cloud, shifted, lies at its shift squared; a general root is of no use here."""
    x = torch.randn(20, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    assert lesson["fid"](x, x + 0.5) == pytest.approx(64 * 0.25, rel=1e-6)


def test_root_is_a_root(lesson):
    x = torch.randn(10, 30, dtype=torch.float64, generator=torch.Generator().manual_seed(3))
    cov = x.T.cov()  # (30, 30) of rank 9
    assert torch.allclose(lesson["root"](cov) @ lesson["root"](cov), cov, atol=1e-9)


def test_precision_and_recall_by_brute_force(lesson, features):
    real, fake = (f.numpy()[:120] for f in features)
    radius = np.sort(cdist(real, real), axis=1)[:, 3]
    precision = np.mean([any(np.linalg.norm(f - r) <= radius[j] for j, r in enumerate(real)) for f in fake])
    assert lesson["precision_recall"](*(f[:120] for f in features))[0] == pytest.approx(precision)


def test_bias_of_fid_is_what_the_lesson_works_out(lesson):
    """N(0, I) in 16 dimensions: (d + d(d + 1)/4) / n too much, and the line over 1/n ends near 0."""
    d, g = 16, torch.Generator().manual_seed(4)
    real = torch.randn(5000, d, dtype=torch.float64, generator=g)
    centre, white = real.mean(0), torch.linalg.inv(lesson["root"](real.T.cov()))
    real = (real - centre) @ white  # mean 0 and covariance I, exactly
    fake = torch.randn(40000, d, dtype=torch.float64, generator=g)
    sizes = [500, 1000, 2000]
    value, values = lesson["fid_infinity"](real, fake, sizes, 20, g)
    assert values * sizes == pytest.approx(d + d * (d + 1) / 4, rel=0.1)
    assert abs(value) < 0.02 < values[0]


def test_nearest_and_the_share_of_copies(lesson):
    x_train, x_new = digits("train").all()[::10], digits("test").all()[::10]
    lesson["x_real"], lesson["x_new"] = x_train, x_new
    distances, index = lesson["nearest"](x_new, x_train)
    expected = cdist(x_new.flatten(1).numpy(), x_train.flatten(1).numpy())
    assert distances.numpy() == pytest.approx(expected.min(1), rel=1e-5)
    assert index.tolist() == expected.argmin(1).tolist()
    share, distance = lesson["copying"](x_train[:50])
    assert share == 1 and distance < 1e-3
    assert lesson["copying"](x_new)[0] == 0
