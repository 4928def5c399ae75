"""Losses against published constants, against probabilities in float64, and their gradients against the formulas."""

import pickle

import numpy as np
import pytest
import torch
from scipy.integrate import quad
from scipy.stats import norm
from torch import nn

from ganedu import losses
from ganedu.losses import (
    Objective,
    d_hinge,
    d_least_squares,
    d_minimax,
    d_relativistic,
    d_wasserstein,
    g_hinge,
    g_least_squares,
    g_minimax,
    g_nonsaturating,
    g_relativistic,
    g_wasserstein,
    hinge,
    least_squares,
    least_squares_with,
    minimax,
    nonsaturating,
    relativistic,
    wasserstein,
)

OBJECTIVES = {name: value for name, value in vars(losses).items() if isinstance(value, Objective)}

REAL = torch.tensor([-5.0, 1.4, 12.5, 2.7])  # the inputs of TF-GAN's tests of its losses
FAKE = torch.tensor([10.0, 4.4, -5.5, 3.6])


@pytest.mark.parametrize(
    ("value", "published"),
    [
        (d_minimax(REAL, FAKE), 5.83387),
        (g_minimax(FAKE), -4.51082),
        (g_nonsaturating(FAKE), 1.38582),
        (d_least_squares(REAL, FAKE), 41.73375),
        (g_least_squares(FAKE), 17.69625),
        (d_wasserstein(REAL, FAKE), 0.225),
        (g_wasserstein(FAKE), -3.125),
        (d_hinge(REAL, FAKE), 6.75),
        (g_hinge(FAKE), -3.125),
    ],
)
def test_published_constants(value, published):
    assert value.shape == ()
    assert value.item() == pytest.approx(published, abs=6e-6)


def test_equal_the_papers_formulas_in_probabilities():
    real, fake = (torch.randn(2, 50, 1, generator=torch.Generator().manual_seed(0)) * 3).double()
    p_real, p_fake = 1 / (1 + (-real).exp()), 1 / (1 + (-fake).exp())  # D(x) and D(G(z))
    assert d_minimax(real, fake).item() == pytest.approx((-p_real.log().mean() - (1 - p_fake).log().mean()).item())
    assert g_minimax(fake).item() == pytest.approx((1 - p_fake).log().mean().item())
    assert g_nonsaturating(fake).item() == pytest.approx(-p_fake.log().mean().item())


def gradient(loss, logits):
    logits = logits.clone().requires_grad_()
    return torch.autograd.grad(loss(logits), logits)[0]


def test_gradients_with_respect_to_a_logit():
    fake = torch.linspace(-12, 12, 25, dtype=torch.float64)
    p = 1 / (1 + (-fake).exp())
    torch.testing.assert_close(gradient(g_minimax, fake), -p / 25)  # vanishes where D is sure of a fake
    torch.testing.assert_close(gradient(g_nonsaturating, fake), (p - 1) / 25)  # tends to -1 there
    torch.testing.assert_close(gradient(lambda f: d_minimax(fake, f), fake), p / 25)
    torch.testing.assert_close(gradient(lambda r: d_minimax(r, fake), fake), (p - 1) / 25)


def test_stay_finite_where_the_logarithm_of_a_sigmoid_does_not():
    far = torch.tensor([-1e4, 1e4])
    assert torch.isinf(torch.log(torch.sigmoid(far))).any()
    for value in (d_minimax(far, far), g_minimax(far), g_nonsaturating(far)):
        assert torch.isfinite(value)
    assert torch.isfinite(gradient(g_nonsaturating, far)).all()


def test_objectives_pair_the_losses():
    assert isinstance(minimax, Objective) and isinstance(nonsaturating, Objective)
    assert minimax.d is nonsaturating.d is d_minimax
    assert (minimax.g, nonsaturating.g) == (g_minimax, g_nonsaturating)


# --- least squares ------------------------------------------------------------------------------------------------


def test_least_squares_with_codes():
    objective = least_squares_with(-1, 1, 0)
    by_hand = sum((r - 1) ** 2 for r in (-5, 1.4, 12.5, 2.7)) / 8 + sum((f + 1) ** 2 for f in (10, 4.4, -5.5, 3.6)) / 8
    assert objective.d(REAL, FAKE).item() == pytest.approx(by_hand, rel=1e-6)
    assert objective.g(FAKE).item() == pytest.approx(sum(f**2 for f in (10, 4.4, -5.5, 3.6)) / 8, rel=1e-6)
    zero_one = least_squares_with(0, 1, 1)
    assert torch.equal(zero_one.d(REAL, FAKE), least_squares.d(REAL, FAKE))
    assert torch.equal(zero_one.g(FAKE), least_squares.g(FAKE))


def test_least_squares_gradient_grows_with_the_distance_from_its_code():
    far = torch.linspace(-12, 12, 25, dtype=torch.float64)
    torch.testing.assert_close(gradient(g_least_squares, far), (far - 1) / 25)
    torch.testing.assert_close(gradient(lambda f: d_least_squares(far, f, a=-1, b=1), far), (far + 1) / 25)
    torch.testing.assert_close(gradient(lambda r: d_least_squares(r, far, a=-1, b=1), far), (far - 1) / 25)


def test_least_squares_is_pearsons_chi_squared_under_its_conditions():
    """Mao et al., theorem: with b - c = 1, b - a = 2 and the optimal D, 2 C(G) is the integral below; with 0, 1, 1 it is not."""
    p, q = norm(0, 1).pdf, norm(1.3, 0.7).pdf
    chi2 = quad(lambda t: (2 * q(t) - (p(t) + q(t))) ** 2 / (p(t) + q(t)), -8, 8)[0]

    def twice_c(a, b, c):
        x = torch.linspace(-8, 8, 4001, dtype=torch.float64)
        p_x, q_x = torch.from_numpy(p(x.numpy())), torch.from_numpy(q(x.numpy()))
        D = (b * p_x + a * q_x) / (p_x + q_x)  # eq. 5
        g = least_squares_with(a, b, c).g
        terms = [
            (weight * g(logit)).item() for weight, logit in ((p_x, D), (q_x, D)) for weight, logit in zip(weight, logit)
        ]
        return 2 * sum(terms) * (x[1] - x[0]).item()

    assert twice_c(-1, 1, 0) == pytest.approx(chi2, abs=1e-3)
    assert twice_c(2, 4, 3) == pytest.approx(chi2, abs=1e-3)
    assert abs(twice_c(0, 1, 1) - chi2) > 0.05


def test_bad_codes():
    with pytest.raises(ValueError, match="^b: got 1, which is a, wants another code"):
        least_squares_with(1, 1, 0)
    with pytest.raises(ValueError, match="^c: got inf, wants a number"):
        least_squares_with(0, 1, float("inf"))
    with pytest.raises(TypeError, match="^a: got 'fake', wants a number"):
        least_squares_with("fake", 1, 1)


# --- critics ------------------------------------------------------------------------------------------------------


def test_wasserstein_gradients_are_the_same_everywhere():
    far = torch.linspace(-50, 50, 20, dtype=torch.float64)
    constant = torch.full((20,), 1 / 20, dtype=torch.float64)
    torch.testing.assert_close(gradient(g_wasserstein, far), -constant)
    torch.testing.assert_close(gradient(lambda f: d_wasserstein(far, f), far), constant)
    torch.testing.assert_close(gradient(lambda r: d_wasserstein(r, far), far), -constant)


def test_hinge_gradients_end_at_the_margins():
    """Inverted signs, a fault of many a code, would push on the far side of the margin."""
    logits = torch.tensor([-3.0, -1.5, -0.5, 0.5, 1.5, 3.0], dtype=torch.float64)
    sixth = 1 / 6
    torch.testing.assert_close(
        gradient(lambda r: d_hinge(r, logits), logits), torch.tensor([-sixth] * 4 + [0.0] * 2, dtype=torch.float64)
    )
    torch.testing.assert_close(
        gradient(lambda f: d_hinge(logits, f), logits), torch.tensor([0.0] * 2 + [sixth] * 4, dtype=torch.float64)
    )
    torch.testing.assert_close(gradient(g_hinge, logits), torch.full((6,), -sixth, dtype=torch.float64))


# --- relativistic -------------------------------------------------------------------------------------------------


def test_relativistic_is_a_cross_entropy_over_pairs():
    """D is asked for each pair which one is real: two-class cross-entropy on the difference of the two logits."""
    real, fake = (torch.randn(2, 40, 1, generator=torch.Generator().manual_seed(0)) * 3).double()
    bce = nn.functional.binary_cross_entropy_with_logits
    assert d_relativistic(real, fake).item() == pytest.approx(bce(real - fake, torch.ones_like(real)).item(), rel=1e-9)
    assert g_relativistic(fake, real).item() == pytest.approx(bce(fake - real, torch.ones_like(real)).item(), rel=1e-9)
    p = 1 / (1 + np.exp(-(REAL - FAKE).double().numpy()))  # that the real one of each pair is real
    assert d_relativistic(REAL, FAKE).item() == pytest.approx(-np.log(p).mean(), rel=1e-6)
    assert g_relativistic(FAKE, REAL).item() == pytest.approx(-np.log1p(-p).mean(), rel=1e-6)


def test_relativistic_sees_only_differences():
    assert d_relativistic(REAL + 7, FAKE + 7).item() == pytest.approx(d_relativistic(REAL, FAKE).item(), rel=1e-6)
    assert d_relativistic(REAL, REAL).item() == pytest.approx(np.log(2), rel=1e-6)
    assert d_relativistic(REAL, FAKE) != d_relativistic(REAL, FAKE.flip(0))  # pairs, not all with all


def test_relativistic_gradients():
    real, fake = (torch.randn(2, 10, generator=torch.Generator().manual_seed(1)) * 3).double()
    wrong = 1 / (1 + (real - fake).exp())  # D's probability that the fake is the real one
    torch.testing.assert_close(gradient(lambda r: d_relativistic(r, fake), real), -wrong / 10)
    torch.testing.assert_close(gradient(lambda f: d_relativistic(real, f), fake), wrong / 10)
    torch.testing.assert_close(gradient(lambda f: g_relativistic(f, real), fake), -(1 - wrong) / 10)


def test_relativistic_refuses_what_makes_no_pairs():
    with pytest.raises(ValueError, match=r"^real_logits: got shape \(4,\), wants that of fake_logits, \(4, 1\)"):
        d_relativistic(REAL, FAKE[:, None])
    with pytest.raises(ValueError, match=r"^real_logits: got shape \(3,\)"):
        g_relativistic(FAKE, REAL[:3])


# --- objectives ---------------------------------------------------------------------------------------------------


def test_what_is_there():
    assert OBJECTIVES == {
        "minimax": minimax,
        "nonsaturating": nonsaturating,
        "least_squares": least_squares,
        "wasserstein": wasserstein,
        "hinge": hinge,
        "relativistic": relativistic,
    }
    assert [name for name, objective in OBJECTIVES.items() if objective.g_compares] == ["relativistic"]


@pytest.mark.parametrize("name", OBJECTIVES)
def test_every_objective_drives_the_players_apart(name):
    """Down the gradient D's loss lifts real and lowers fake logits, and G's lifts the fake ones, from logits of 0."""
    objective, zeros = OBJECTIVES[name], torch.zeros(5, 1)
    assert (gradient(lambda r: objective.d(r, zeros), zeros) < 0).all()
    d_fake = gradient(lambda f: objective.d(zeros, f), zeros)
    assert (d_fake > 0).all() or (name == "least_squares" and (d_fake == 0).all())  # 0 is its code for fakes
    others = (zeros,) if objective.g_compares else ()
    assert (gradient(lambda f: objective.g(f, *others), zeros) < 0).all()


@pytest.mark.parametrize("name", OBJECTIVES)
def test_g_loss_lets_d_judge_what_the_loss_needs(name):
    objective, judged = OBJECTIVES[name], []
    x, x_fake = torch.randn(6, 3), torch.randn(6, 3, requires_grad=True)

    def D(batch):
        judged.append(batch)
        return batch.sum(1, keepdim=True)

    loss = objective.g_loss(D, x, x_fake)
    others = (D(x),) if objective.g_compares else ()
    assert loss.shape == () and torch.equal(loss, objective.g(D(x_fake), *others))
    loss.backward()
    assert x_fake.grad.abs().sum() > 0
    assert any(batch is x for batch in judged) == objective.g_compares


def test_objectives_can_be_stored():
    for objective in (*OBJECTIVES.values(), least_squares_with(-1, 1, 0)):
        again = pickle.loads(pickle.dumps(objective))
        assert torch.equal(again.d(REAL, FAKE), objective.d(REAL, FAKE))


@pytest.mark.parametrize("name", OBJECTIVES)
def test_means_over_the_batch(name):
    """The loss of a batch is the mean of its halves' losses: what several processes rely on."""
    objective, real, fake = OBJECTIVES[name], REAL.double(), FAKE.double()
    halves = [slice(0, 2), slice(2, 4)]
    parts = sum(objective.d(real[half], fake[half]) for half in halves) / 2
    assert parts.item() == pytest.approx(objective.d(real, fake).item(), rel=1e-9)
    others = [(real[half],) if objective.g_compares else () for half in halves]
    parts = sum(objective.g(fake[half], *other) for half, other in zip(halves, others)) / 2
    whole = objective.g(fake, *((real,) if objective.g_compares else ()))
    assert parts.item() == pytest.approx(whole.item(), rel=1e-9)
