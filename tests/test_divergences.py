"""Divergences against closed forms and SciPy."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from ganedu.divergences import js, kl, optimal_discriminator, value, wasserstein1

X = np.linspace(-20, 20, 8001)
DX = X[1] - X[0]


def normal(mean, std):
    return scipy.stats.norm(mean, std).pdf(X)


PAIRS = [((0, 1), (0, 1)), ((0, 1), (1, 1)), ((-1, 0.5), (2, 1.5)), ((0, 1), (9, 1)), ((-5, 0.3), (5, 0.2))]


@pytest.mark.parametrize("first, second", PAIRS[:4])
def test_kl_of_gaussians(first, second):
    (m1, s1), (m2, s2) = first, second
    closed = math.log(s2 / s1) + (s1**2 + (m1 - m2) ** 2) / (2 * s2**2) - 0.5
    assert float(kl(normal(*first), normal(*second), DX)) == pytest.approx(closed, abs=1e-8)


def test_js_equals_quadrature():
    p, q = scipy.stats.norm(-1, 0.5).pdf, scipy.stats.norm(2, 1.5).pdf

    def integrand(x):
        m = (p(x) + q(x)) / 2
        return (p(x) * np.log(p(x) / m) + q(x) * np.log(q(x) / m)) / 2

    expected = scipy.integrate.quad(integrand, -8, 11, points=[-1, 0.5, 2])[0]
    assert float(js(p(X), q(X), DX)) == pytest.approx(expected, abs=1e-7)


@pytest.mark.parametrize("first, second", PAIRS)
def test_js_is_symmetric_and_bounded(first, second):
    p, q = normal(*first), normal(*second)
    assert float(js(p, q, DX)) == pytest.approx(float(js(q, p, DX)), abs=1e-14)
    assert 0 <= float(js(p, q, DX)) <= math.log(2) + 1e-12


def test_disjoint_supports():
    p, q = scipy.stats.uniform(-3, 1).pdf(X + DX / 2), scipy.stats.uniform(4, 1).pdf(X + DX / 2)
    assert float(js(p, q, DX)) == pytest.approx(math.log(2), abs=1e-12)
    assert float(kl(p, q, DX)) == math.inf
    assert float(kl(p, p, DX)) == float(js(p, p, DX)) == 0


@pytest.mark.parametrize("first, second", PAIRS)
def test_the_optimal_discriminators_value_is_the_divergence(first, second):
    p, q = normal(*first), normal(*second)
    D = optimal_discriminator(p, q)
    assert ((D >= 0) & (D <= 1)).all()
    expected = 2 * float(js(p, q, DX)) - 2 * math.log(2)
    assert float(value(p, q, D, DX)) == pytest.approx(expected, abs=1e-6)


def test_no_other_discriminator_does_better():
    p, q = normal(0, 1), normal(1, 1)
    best = optimal_discriminator(p, q)
    np.testing.assert_allclose(best, 1 / (1 + np.exp(X - 0.5)), atol=1e-12)  # log p/q = 1/2 - x
    rng = np.random.default_rng(0)
    for _ in range(20):
        other = (best.numpy() + rng.uniform(-0.2, 0.2, X.shape)).clip(0.001, 0.999)
        assert float(value(p, q, other, DX)) < float(value(p, q, best, DX))
    assert float(value(p, q, np.full(X.shape, 0.5), DX)) == pytest.approx(-2 * math.log(2), abs=1e-9)


def test_discriminator_where_a_density_is_zero():
    assert optimal_discriminator([0.0, 0.3, 0.0, 0.1], [0.0, 0.0, 0.2, 0.3]).tolist() == [0.5, 1.0, 0.0, 0.25]
    p = torch.tensor([1.0, 0.0])
    assert float(value(p, p.flip(0), torch.tensor([1.0, 0.0]), 1.0)) == 0  # sure and right
    assert float(value(p, p.flip(0), torch.tensor([0.0, 1.0]), 1.0)) == -math.inf  # sure and wrong


def test_a_plane_and_a_gradient():
    axis = torch.linspace(-8, 8, 161, dtype=torch.float64)
    d = axis[1] - axis[0]
    shift = torch.tensor(0.7, dtype=torch.float64, requires_grad=True)

    def density(mean):
        log_p = -0.5 * ((axis[:, None] - mean) ** 2 + axis**2)
        return log_p.exp() / (2 * math.pi)

    divergence = kl(density(shift), density(torch.tensor(0.0)), d * d)
    divergence.backward()
    assert float(divergence.detach()) == pytest.approx(0.7**2 / 2, abs=1e-9)
    assert float(shift.grad) == pytest.approx(0.7, abs=1e-9)  # d/dm of m^2 / 2


def test_wasserstein_distances():
    rng = np.random.default_rng(0)
    x, y = rng.normal(0, 1, 500), rng.normal(2, 3, 500)
    assert wasserstein1(x, y) == pytest.approx(np.abs(np.sort(x) - np.sort(y)).mean())
    assert wasserstein1(torch.from_numpy(x)[:, None], x + 1.5) == pytest.approx(1.5)
    assert wasserstein1([0.0], [1.0, 2.0, 3.0]) == pytest.approx(2)  # unequal sizes: everything moves to its place
    assert wasserstein1(x, x) == 0


def test_bad_input():
    p = normal(0, 1)
    with pytest.raises(ValueError, match=r"q: got shape \(3,\), wants that of p"):
        kl(p, p[:3], DX)
    with pytest.raises(ValueError, match="p: got a value of -"):
        js(-p, p, DX)
    with pytest.raises(ValueError, match="p: got a density that integrates to 2 with dx 0.01, wants 1"):
        js(p, p, 2 * DX)
    with pytest.raises(ValueError, match="dx: got 0"):
        kl(p, p, 0)
    with pytest.raises(ValueError, match="q: got a number that is not finite"):
        optimal_discriminator(p, p * np.nan)
    with pytest.raises(ValueError, match="D: got values from 2 to 2"):
        value(p, p, np.full(p.shape, 2.0), DX)
    with pytest.raises(ValueError, match="D: got shape"):
        value(p, p, [0.5], DX)
    with pytest.raises(ValueError, match=r"x: got shape \(5, 2\), wants \(N,\)"):
        wasserstein1(np.zeros((5, 2)), [0.0])
    with pytest.raises(ValueError, match="y: got shape"):
        wasserstein1([0.0], [])
