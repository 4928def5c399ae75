"""The kernel distance against a loop over all pairs, torchmetrics and moments that can be worked out by hand."""

import itertools
import math

import numpy as np
import pytest
import torch
from torch import nn

from ganedu.data import digits
from ganedu.metrics import digit_features, kid_digits, kid_features, load_classifier, mmd2
from ganedu.metrics.features import Features
from ganedu.metrics.kid import kid


def two_sets(n=40, m=30, d=6, shift=0.4):
    rng = np.random.default_rng(0)
    return rng.standard_normal((n, d)), rng.standard_normal((m, d)) + shift


def test_equals_a_loop_over_all_pairs():
    x, y = two_sets()

    def k(a, b):
        return (sum(p * q for p, q in zip(a, b)) / 6 + 1) ** 3

    within = [np.mean([k(a, b) for a, b in itertools.permutations(s, 2)]) for s in (x, y)]  # no sample with itself
    across = np.mean([k(a, b) for a in x for b in y])
    assert mmd2(x, y) == pytest.approx(sum(within) - 2 * across, rel=1e-10)
    assert mmd2(torch.from_numpy(x), torch.from_numpy(y)) == mmd2(x, y) == pytest.approx(mmd2(y, x), rel=1e-12)


def test_is_unbiased_at_any_number_of_samples():
    """In one dimension E (xy + 1)³ = 1 + 3 m₁² + 3 m₂² + m₃² with the moments m; for N(0,1) and N(1,1) they are whole."""
    moments = {0: (0, 1, 0), 1: (1, 2, 4)}

    def kernel(a, b):
        return 1 + sum(c * p * q for c, p, q in zip((3, 3, 1), moments[a], moments[b]))

    truth = kernel(0, 0) + kernel(1, 1) - 2 * kernel(0, 1)  # 3 + 3 + 16
    assert truth == 22
    rng = np.random.default_rng(1)
    for n in (3, 12):
        values = [mmd2(rng.standard_normal((n, 1)), rng.standard_normal((n, 1)) + 1) for _ in range(6000)]
        error = np.std(values) / math.sqrt(len(values))
        assert abs(np.mean(values) - truth) < 4 * error < 8
    same = [mmd2(rng.standard_normal((5, 1)), rng.standard_normal((5, 1))) for _ in range(6000)]
    assert abs(np.mean(same)) < 4 * np.std(same) / math.sqrt(6000) and min(same) < 0


def test_equals_torchmetrics_on_the_same_classifier():
    from torchmetrics.image.kid import KernelInceptionDistance

    class Net(nn.Module):
        def forward(self, x):
            return load_classifier().features(x)

    data = digits("test").all()
    real, fake = data[:300], data[300:600] * 0.6
    metric = KernelInceptionDistance(feature=Net(), subsets=1, subset_size=300)  # all of both: the draw does not matter
    metric.update(real, real=True)
    metric.update(fake, real=False)
    own = kid_digits(real, fake)
    assert own.value == pytest.approx(metric.compute()[0].item(), rel=1e-3)
    assert (own.n_real, own.n_fake, own.subsets, own.subset_size, own.name) == (300, 300, 1, 300, "KID-d")


def test_subsets():
    x, y = two_sets(60, 50, shift=1)
    result = kid_features(x, y, subsets=40, subset_size=20)
    draw = np.random.default_rng(0)
    by_hand = [mmd2(x[draw.permutation(60)[:20]], y[draw.permutation(50)[:20]]) for _ in range(40)]
    assert (result.value, result.std) == (pytest.approx(np.mean(by_hand)), pytest.approx(np.std(by_hand)))
    assert abs(result.value - mmd2(x, y)) < 4 * result.std / math.sqrt(40)
    assert kid_features(x, y, 5, seed=1) != kid_features(x, y, 5, seed=2)
    assert kid_features(x, y).subset_size == 50
    state = np.random.get_state()[1].copy(), torch.get_rng_state()
    kid_features(x, y, 2)
    assert (np.random.get_state()[1] == state[0]).all() and torch.equal(torch.get_rng_state(), state[1])


def test_images_by_other_features_and_in_batches():
    data = digits("test").all()[:120]
    pixels = Features(nn.Flatten(), "784 pixels")
    result = kid(data[:60].split(7), [data[60:]], pixels)
    assert result.value == pytest.approx(mmd2(data[:60].flatten(1), data[60:].flatten(1)), rel=1e-9)
    assert (result.name, result.features, result.n_fake) == ("KID-own", "784 pixels", 60)
    shown = kid_digits(data[:60], data[60:])._replace(value=0.01234, std=0.002)
    assert str(shown) == "KID-d 0.0123 ± 0.002 (n = 60 against 60 real, 1 x 60; 64 features of the digit classifier)"
    assert f"{shown:.3f}" == "0.012" and float(shown) == 0.01234
    assert mmd2(digit_features(data[:60]), digit_features(data[60:])) == pytest.approx(
        kid_digits(data[:60], data[60:]).value
    )


def test_bad_input():
    x, y = two_sets(8, 5)
    with pytest.raises(ValueError, match="subset_size: got 6, wants at most 5"):
        kid_features(x, y, subset_size=6)
    with pytest.raises(ValueError, match="subset_size: got 1, wants a whole number of at least 2"):
        kid_features(x, y, subset_size=1)
    with pytest.raises(ValueError, match="fake_features: got 5 features, wants 6"):
        mmd2(x, y[:, :5])
    with pytest.raises(ValueError, match="real_features: got a number that is not finite"):
        mmd2(x * math.inf, y)
    with pytest.raises(ValueError, match="subsets: got 0"):
        kid_features(x, y, subsets=0)
