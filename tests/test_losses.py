"""Losses against published constants, against probabilities in float64, and their gradients against the formulas."""

import pytest
import torch

from ganedu.losses import Objective, d_minimax, g_minimax, g_nonsaturating, minimax, nonsaturating

REAL = torch.tensor([-5.0, 1.4, 12.5, 2.7])  # the inputs of TF-GAN's tests of its losses
FAKE = torch.tensor([10.0, 4.4, -5.5, 3.6])


@pytest.mark.parametrize(
    ("value", "published"),
    [
        (d_minimax(REAL, FAKE), 5.83387),
        (g_minimax(FAKE), -4.51082),
        (g_nonsaturating(FAKE), 1.38582),
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
