"""Mode coverage against a loop over samples and modes, and on cases that can be counted by hand."""

import numpy as np
import pytest
import torch

from ganedu.data import grid, ring
from ganedu.metrics import mode_coverage


def by_loop(samples, means, stds, within, at_least):
    counts = [0] * len(means)
    for x in samples:
        distances = [np.sqrt(sum((a - b) ** 2 for a, b in zip(x, m))) for m in means]
        k = int(np.argmin(distances))
        if distances[k] <= within * stds[k]:
            counts[k] += 1
    return sum(c >= at_least for c in counts), sum(counts) / len(samples), counts


def test_equals_a_plain_loop():
    rng = np.random.default_rng(0)
    for d, std in ((1, 0.2), (2, 0.3), (3, [0.1, 0.4, 0.9, 0.2, 0.3])):
        samples, means = rng.normal(0, 1.5, (400, d)), rng.normal(0, 1.5, (5, d))
        got = mode_coverage(torch.from_numpy(samples), torch.from_numpy(means), std, within=2.0, at_least=10)
        covered, good, counts = by_loop(samples, means, np.broadcast_to(std, 5), 2.0, 10)
        assert (got.covered, got.modes, got.counts.tolist()) == (covered, 5, counts)
        assert got.good == pytest.approx(good)


def test_the_bounds_belong_to_the_good_side():
    means = torch.tensor([[0.0], [10.0]])
    samples = torch.tensor([[0.0]] * 19 + [[3.0]] + [[10.0]] * 19 + [[13.01]])
    got = mode_coverage(samples, means, 1.0)
    assert (got.covered, got.counts.tolist(), got.good) == (1, [20, 19], 39 / 40)
    assert str(got) == "1 of 2 modes covered, 97.5% of the samples good"


def test_the_true_distribution_covers_everything():
    for data in (ring(), grid()):
        x = data.sample(10_000, torch.Generator().manual_seed(0))
        got = mode_coverage(x, data.means, data.std)
        assert got.covered == got.modes == len(data.means)
        assert got.good == pytest.approx(1 - np.exp(-4.5), abs=0.005)  # Rayleigh: P(r <= 3 std) in the plane


def test_a_collapsed_generator_covers_one_and_a_diverged_one_none():
    data = ring()
    got = mode_coverage(data.means[2].expand(10_000, 2), data.means, data.std)
    assert (got.covered, got.good) == (1, 1.0)
    got = mode_coverage(torch.full((100, 2), torch.nan), data.means, data.std)
    assert (got.covered, got.good, int(got.counts.sum())) == (0, 0.0, 0)


@pytest.mark.parametrize(
    "arguments, message",
    [
        ((torch.zeros(0, 2), torch.zeros(3, 2), 1.0), r"samples: got shape \(0, 2\)"),
        ((torch.zeros(5, 1), torch.zeros(3, 2), 1.0), r"samples: got shape \(5, 1\), wants \(N, 2\)"),
        ((torch.zeros(5, 2), torch.zeros(3), 1.0), r"means: got shape \(3,\)"),
        ((torch.zeros(5, 2), torch.zeros(3, 2), 0.0), "std: got 0.0"),
        ((torch.zeros(5, 2), torch.zeros(3, 2), [1.0, 2.0]), r"std: got \[1.0, 2.0\], wants"),
        ((torch.zeros(5, 2), torch.zeros(3, 2), 1.0, 0), "within: got 0"),
        ((torch.zeros(5, 2), torch.zeros(3, 2), 1.0, 3.0, 0), "at_least: got 0"),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        mode_coverage(*arguments)
