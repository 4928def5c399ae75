"""Toy distributions against SciPy's densities and scikit-learn's curves."""

import numpy as np
import pytest
import scipy.stats
import torch
from sklearn.datasets import make_moons, make_swiss_roll

from ganedu.data import gaussian, grid, mixture, ring, swiss_roll, two_moons
from ganedu.models.vanilla import Discriminator, Generator, VanillaGAN
from ganedu.training import Trainer

ALL = [
    gaussian(4, 1.25),
    mixture([-1.0, 2.0], [0.3, 0.6], weights=[1, 3]),
    mixture([[0.0, 0.0], [1.0, 2.0]], 0.5),
    ring(),
    grid(),
    swiss_roll(),
    two_moons(),
]


def seeded(seed=0):
    return torch.Generator().manual_seed(seed)


@pytest.mark.parametrize("data", ALL, ids=repr)
def test_a_sample_has_the_shape_and_a_seed_repeats_it(data):
    x = data.sample(7, seeded())
    assert x.shape == (7, *data.shape) and x.dtype == torch.float32 and torch.isfinite(x).all()
    assert torch.equal(x, data.sample(7, seeded())) and not torch.equal(x, data.sample(7, seeded(1)))
    assert torch.equal(x, data.to("cpu").sample(7, seeded()))


@pytest.mark.parametrize("data", ALL, ids=repr)
def test_a_trainer_takes_it_as_data(data):
    d = data.shape
    game = VanillaGAN(Generator(4, d, (8, 8)), Discriminator(d, (8,)), z_dim=4)
    trainer = Trainer(game, data, batch_size=16, device="cpu", seed=0).run(3)
    assert trainer.round == 3 and trainer.sample(5).shape == (5, *d)


def by_scipy(x, means, stds, weights):
    parts = [
        w * scipy.stats.multivariate_normal(m, s**2 * np.eye(len(m))).pdf(x) for m, s, w in zip(means, stds, weights)
    ]
    return np.log(np.sum(parts, axis=0))


def test_log_prob_equals_scipys():
    rng = np.random.default_rng(0)
    x = torch.from_numpy(rng.normal(3, 2, (50, 1)))
    np.testing.assert_allclose(gaussian(4, 1.25).log_prob(x)[:, None], scipy.stats.norm(4, 1.25).logpdf(x), rtol=1e-10)
    two = mixture([-1.0, 2.0], [0.25, 0.5], weights=[1, 3])
    expected = by_scipy(x.numpy(), [[-1], [2]], [0.25, 0.5], [0.25, 0.75])
    np.testing.assert_allclose(two.log_prob(x), expected, rtol=1e-9)
    x = torch.from_numpy(rng.normal(0, 2, (4, 25, 2)))
    means = [[2 * np.cos(k * np.pi / 3), 2 * np.sin(k * np.pi / 3)] for k in range(6)]
    expected = by_scipy(x.numpy(), means, [0.5] * 6, [1 / 6] * 6)
    got = ring(6, 2.0, 0.5).log_prob(x)
    assert got.shape == (4, 25)
    np.testing.assert_allclose(got, expected, rtol=1e-5)  # the means are kept in float32
    assert ring(6, 2.0, 0.5).log_prob(x.float()).dtype == torch.float32


def test_gaussian_samples_follow_the_distribution():
    x = gaussian(4, 1.25).sample(20_000, seeded()).flatten().double().numpy()
    assert scipy.stats.kstest(x, scipy.stats.norm(4, 1.25).cdf).pvalue > 0.01


def test_mixture_samples_follow_weights_and_deviations():
    data = mixture([-10.0, 0.0, 10.0], [0.5, 1.0, 2.0], weights=[2, 1, 5])
    x, mode = data.sample_labelled(20_000, seeded())
    assert torch.equal(x, data.sample(20_000, seeded()))
    shares = np.bincount(mode.numpy()) / len(x)
    np.testing.assert_allclose(shares, [0.25, 0.125, 0.625], atol=0.015)
    np.testing.assert_allclose(data.weights, [0.25, 0.125, 0.625])
    for k, (mean, std) in enumerate(((-10, 0.5), (0, 1), (10, 2))):
        own = x[mode == k].double().numpy().ravel()
        assert scipy.stats.kstest(own, scipy.stats.norm(mean, std).cdf).pvalue > 0.01


def test_ring_and_grid_lie_where_they_should():
    eight, lattice = ring(), grid()
    assert eight.means.shape == (8, 2) and eight.std == 0.02 and eight.shape == (2,)
    torch.testing.assert_close(eight.means.norm(dim=1), torch.full((8,), 2.0))
    neighbours = (eight.means - eight.means.roll(1, 0)).norm(dim=1)
    torch.testing.assert_close(neighbours, torch.full((8,), 4 * np.sin(np.pi / 8)))
    assert sorted(map(tuple, lattice.means.tolist())) == [
        (float(a), float(b)) for a in (-4, -2, 0, 2, 4) for b in (-4, -2, 0, 2, 4)
    ]
    x, mode = lattice.sample_labelled(25_000, seeded())
    assert torch.equal(torch.cdist(x, lattice.means).argmin(1), mode)  # 20 deviations apart
    assert float((x - lattice.means[mode]).std()) == pytest.approx(0.05, rel=0.02)
    assert np.bincount(mode).min() > 850  # 1,000 each, five deviations


def nearest_distances(x, curve):
    return torch.cdist(x.double(), torch.as_tensor(curve).double()).min(1).values


def test_the_rolls_curve_is_scikit_learns():
    peer = make_swiss_roll(20_000, noise=0.0, random_state=0)[0][:, [0, 2]] / 7.5
    x = swiss_roll(noise=0).sample(2_000, seeded())
    assert nearest_distances(x, peer).max() < 0.01  # on it
    assert nearest_distances(torch.as_tensor(peer[:2000]), swiss_roll(noise=0).sample(20_000, seeded())).max() < 0.01
    radius, peer_radius = x.norm(dim=1).numpy(), np.linalg.norm(peer, axis=1)
    assert scipy.stats.ks_2samp(radius, peer_radius).pvalue > 0.01  # and equally dense along it


def test_the_moons_curves_are_scikit_learns():
    peer = make_moons(20_000, noise=None)[0]
    x = two_moons(noise=0).sample(2_000, seeded())
    assert nearest_distances(x, peer).max() < 1e-3
    assert nearest_distances(torch.as_tensor(peer[::10]), two_moons(noise=0).sample(20_000, seeded())).max() < 0.01
    for axis in (0, 1):
        assert scipy.stats.ks_2samp(x[:, axis].numpy(), peer[:, axis]).pvalue > 0.01


def test_noise_is_the_deviation_around_the_curve():
    clean, noisy = two_moons(noise=0).sample(20_000, seeded()), two_moons(noise=0.1).sample(20_000, seeded())
    assert float((noisy - clean).std()) == pytest.approx(0.1, rel=0.03)  # the same draws, moved


@pytest.mark.parametrize(
    "make, error, message",
    [
        (lambda: gaussian(0, 0), ValueError, "std: got 0, wants a number above 0"),
        (lambda: gaussian("four"), TypeError, "mean: got 'four', wants a number"),
        (lambda: gaussian(float("nan")), ValueError, "mean: got nan"),
        (lambda: mixture([], 1.0), ValueError, r"means: got shape \(0, 1\)"),
        (lambda: mixture(3.0, 1.0), ValueError, r"means: got shape \(\)"),
        (lambda: mixture("ab", 1.0), TypeError, "means: got 'ab', wants numbers"),
        (lambda: mixture([0.0, float("inf")], 1.0), ValueError, "means: got a number that is not finite"),
        (lambda: mixture([0.0, 1.0], [1.0, 0.0]), ValueError, r"std: got \[1.0, 0.0\], wants a number above 0"),
        (lambda: mixture([0.0, 1.0], [1.0] * 3), ValueError, "or 2 of them"),
        (lambda: mixture([0.0, 1.0], 1.0, [1.0]), ValueError, r"weights: got \[1.0\], wants 2 numbers above 0"),
        (lambda: mixture([0.0, 1.0], 1.0, [1.0, -1.0]), ValueError, "weights: got"),
        (lambda: ring(0), ValueError, "modes: got 0"),
        (lambda: ring(radius=-1), ValueError, "radius: got -1"),
        (lambda: grid(2.5), TypeError, "side: got 2.5"),
        (lambda: grid(spacing=0), ValueError, "spacing: got 0"),
        (lambda: swiss_roll(noise=-0.1), ValueError, "noise: got -0.1"),
        (lambda: two_moons(noise=float("nan")), ValueError, "noise: got nan"),
        (lambda: ring().sample(0), ValueError, "n: got 0"),
        (lambda: ring().to("abacus"), ValueError, "device: got 'abacus'"),
        (lambda: ring().log_prob(torch.zeros(4, 3)), ValueError, r"x: got shape \(4, 3\)"),
    ],
)
def test_bad_input(make, error, message):
    with pytest.raises(error, match=message):
        make()
