"""Divergences against closed forms and SciPy."""

import math

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
import torch

from ganedu.divergences import (
    estimate_js,
    js,
    js_bound,
    kl,
    optimal_discriminator,
    value,
    wasserstein1,
    wasserstein1_grid,
)

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


def test_js_where_a_density_is_the_smallest_number_there_is():
    p, q = torch.tensor([1.0, 5e-324], dtype=torch.float64), torch.tensor([1.0, 0.0], dtype=torch.float64)
    assert p[1] > 0 and p[1] / 2 == 0
    assert float(js(p, q, 1.0)) == pytest.approx(0, abs=1e-15)


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


# --- on the line, by distribution functions ---------------------------------------------------------------------


@pytest.mark.parametrize("first, second", PAIRS)
def test_w1_on_a_grid_equals_scipys(first, second):
    p, q = normal(*first), normal(*second)
    expected = scipy.stats.wasserstein_distance(X, X, p, q)
    assert float(wasserstein1_grid(p, q, DX)) == pytest.approx(expected, abs=1e-6)


def test_w1_of_disjoint_boxes_is_the_shift():
    p = scipy.stats.uniform(-3, 1).pdf(X + DX / 2)
    for shift in (1, 2.5, 15):
        q = scipy.stats.uniform(-3 + shift, 1).pdf(X + DX / 2)
        assert float(wasserstein1_grid(p, q, DX)) == pytest.approx(shift, abs=1e-9)
    with pytest.raises(ValueError, match=r"p: got shape \(2, 2\), wants \(N,\), a density on the line"):
        wasserstein1_grid(torch.full((2, 2), 0.25), torch.full((2, 2), 0.25), 1.0)


# --- JS from samples --------------------------------------------------------------------------------------------


def test_js_bound_is_reached_by_the_optimal_discriminator_and_by_no_other():
    """Probabilities weighted by hand: two values, p = (3/4, 1/4), q = (1/4, 3/4)."""
    p, q = torch.tensor([0, 0, 0, 1]), torch.tensor([0, 1, 1, 1])  # samples in exactly these shares
    exact = 0.75 * math.log(1.5) + 0.25 * math.log(0.5)  # KL of either to their mean, (1/2, 1/2)
    for offset in (0.0, 0.3, -1.0, 4.0):
        logits = torch.tensor([math.log(3), -math.log(3)], dtype=torch.float64) + offset
        bound = float(js_bound(logits[p], logits[q]))
        assert bound == pytest.approx(exact, abs=1e-12) if offset == 0 else bound < exact - 0.001
    assert float(js_bound(torch.zeros(3), torch.zeros(5))) == pytest.approx(0, abs=1e-7)
    assert float(js_bound(torch.full((3,), 50.0), torch.full((5,), -50.0))) == pytest.approx(math.log(2))


@pytest.mark.parametrize("first, second", [((0, 1), (1, 1)), ((0, 1), (0, 3))])
def test_js_from_samples_is_near_the_exact_one(first, second):
    exact = float(js(normal(*first), normal(*second), DX))
    rng = np.random.default_rng(0)
    x, y = (rng.normal(*pair, 40_000) for pair in (first, second))
    torch.manual_seed(0)
    estimate = estimate_js(x, y, steps=400)
    assert estimate.fresh == pytest.approx(exact, abs=0.02)
    assert estimate.reused == pytest.approx(exact, abs=0.02)  # so many samples are not learned by heart
    with torch.no_grad():
        more = (
            torch.from_numpy(rng.normal(*first, (40_000, 1))).float(),
            torch.from_numpy(rng.normal(*second, (40_000, 1))),
        )
        again = float(js_bound(estimate.D(more[0]), estimate.D(more[1].float())))
    assert again == pytest.approx(estimate.fresh, abs=0.02)


def test_reused_samples_lie_and_fresh_ones_do_not():
    """x and y of one and the same distribution in ten dimensions, 60 of each: the exact divergence is 0."""
    torch.manual_seed(0)
    x, y = torch.randn(2, 60, 10)
    estimate = estimate_js(x, y, steps=400)
    assert estimate.reused > 0.6 and estimate.fresh < 0.05


def test_samples_are_shuffled_before_they_are_split():
    """Sorted samples whose first halves are alike: who learns on those sees no difference."""
    stretched = np.where(X > 0, normal(0, 5), normal(0, 1))
    exact = float(js(normal(0, 1), stretched, DX))
    torch.manual_seed(0)
    x, y = torch.randn(2, 20_000)
    y = torch.where(y > 0, 5 * y, y)
    found = estimate_js(x.sort().values, y.sort().values, steps=300)
    assert found.fresh == pytest.approx(exact, abs=0.02) and exact > 0.1


def test_a_net_of_ones_own_and_bad_samples():
    torch.manual_seed(0)
    x = torch.rand(64, 1, 4, 4)
    D = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(16, 1))
    before = D[1].weight.clone()
    assert estimate_js(x, x + 1, D, steps=200, lr=0.1).D is D and not torch.equal(D[1].weight, before)
    with pytest.raises(ValueError, match=r"y: got samples of shape \(4,\), wants that of x's, \(1,\)"):
        estimate_js(torch.zeros(9), torch.zeros(9, 4))
    with pytest.raises(ValueError, match=r"x: got shape \(1, 1\), wants \(N, ...\) with at least two samples"):
        estimate_js([0.0], [1.0, 2.0])
    with pytest.raises(ValueError, match="y: got numbers of torch.float32, not all finite floats"):
        estimate_js([0.0, 1.0], [math.nan, 2.0])
    with pytest.raises(ValueError, match="held_out: got 1.0, wants a number above 0 and below 1"):
        estimate_js([0.0, 1.0], [1.0, 2.0], held_out=1.0)
