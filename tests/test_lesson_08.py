"""Lesson 08's second game is the library's; its integrals are SciPy's, its pushes autograd's, its constants published."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from lesson_definitions import load_definitions
from scipy.integrate import quad
from scipy.stats import norm

from ganedu.data import digits, gaussian, mixture
from ganedu.losses import least_squares_with
from ganedu.models import lsgan, vanilla

LESSON = Path(__file__).resolve().parent.parent / "lessons" / "08_lsgan.py"
CODINGS = {"0-1": (0.0, 1.0, 1.0), "±1": (-1.0, 1.0, 0.0)}
OTHER = (0.5, -1.5, 2.0)


@pytest.fixture(scope="module")
def lesson():
    namespace = load_definitions(LESSON)
    namespace["GRID"] = torch.linspace(-30, 30, 12_001, dtype=torch.float64)[:, None]
    assert "GRID = torch.linspace(-30, 30, 12_001, dtype=torch.float64)[:, None]" in LESSON.read_text(encoding="utf-8")
    assert namespace["CODINGS"] == CODINGS
    return namespace


def test_centred_game_is_the_librarys_with_these_codes(lesson):
    torch.manual_seed(0)
    own = lesson["CentredLSGAN"](lesson["Generator"](), lesson["Discriminator"](), z_dim=64)
    torch.manual_seed(0)
    twin = lsgan.LSGAN(loss=least_squares_with(-1, 1, 0))
    assert list(own.state_dict()) == list(twin.state_dict())
    assert all(torch.equal(own.state_dict()[key], value) for key, value in twin.state_dict().items())
    x, z = digits().sample(16, torch.Generator().manual_seed(1)), torch.randn(16, 64)
    assert torch.equal(own.generate(z), twin.generate(z))
    assert torch.equal(own.d_loss(x, z), twin.d_loss(x, z))
    assert torch.equal(own.g_loss(x, z), twin.g_loss(x, z))


def test_nets_are_those_of_lesson_04(lesson):
    assert lesson["Generator"] is vanilla.Generator and lesson["Discriminator"] is vanilla.Discriminator


def test_losses_are_the_published_constants(lesson):
    real, fake = torch.tensor([-5.0, 1.4, 12.5, 2.7])[:, None], torch.tensor([10.0, 4.4, -5.5, 3.6])[:, None]
    game = lesson["LSGAN"](torch.nn.Identity(), torch.nn.Identity(), z_dim=1)
    assert game.g_loss(real, fake).item() == pytest.approx(17.69625, abs=1e-5)
    assert game.d_loss(real, fake).item() == pytest.approx(41.73375, abs=1e-5)


PAIRS = {
    "shifted": (gaussian(0, 1), gaussian(1, 1), lambda x: norm.pdf(x), lambda x: norm.pdf(x, 1)),
    "wide": (gaussian(0, 1), gaussian(0, 3), lambda x: norm.pdf(x), lambda x: norm.pdf(x, 0, 3)),
    "hills": (
        mixture([-2, 2], std=0.75),
        gaussian(1, 1.5),
        lambda x: (norm.pdf(x, -2, 0.75) + norm.pdf(x, 2, 0.75)) / 2,
        lambda x: norm.pdf(x, 1, 1.5),
    ),
}


@pytest.mark.parametrize("pair", PAIRS)
def test_chi2_and_2C_are_scipys(lesson, pair):
    P, Q, p, q = PAIRS[pair]
    on_grid = lesson["density"](P), lesson["density"](Q)
    chi2 = quad(lambda x: (p(x) - q(x)) ** 2 / (p(x) + q(x)), -30, 30, limit=400, points=[-2, 0, 1, 2])[0]
    assert float(lesson["chi2"](*on_grid)) == pytest.approx(chi2, abs=1e-6)
    for a, b, c in (*CODINGS.values(), OTHER):

        def integrand(x, a=a, b=b, c=c):
            best = (b * p(x) + a * q(x)) / (p(x) + q(x))
            return (p(x) + q(x)) * (best - c) ** 2

        found = float(lesson["twice_C"](*on_grid, a, b, c))
        assert found == pytest.approx(quad(integrand, -30, 30, limit=400, points=[-2, 0, 1, 2])[0], abs=1e-6)
        # the formula of the lesson for any codes
        assert found == pytest.approx(2 * ((a + b) / 2 - c) ** 2 + (b - a) ** 2 / 4 * chi2, abs=1e-6)
    assert float(lesson["twice_C"](*on_grid, *CODINGS["±1"])) == pytest.approx(chi2, abs=1e-6)


def test_coin_of_the_lesson(lesson):
    p, q = torch.tensor([0.75, 0.25]), torch.tensor([0.25, 0.75])
    assert lesson["best_D"](p, q, -1, 1).tolist() == [0.5, -0.5] and lesson["best_D"](p, q, 0, 1).tolist() == [
        0.75,
        0.25,
    ]
    assert float(lesson["twice_C"](p, q, *CODINGS["±1"], dx=1)) == float(lesson["chi2"](p, q, dx=1)) == 0.5
    assert float(lesson["twice_C"](p, q, *CODINGS["0-1"], dx=1)) == 0.625


@pytest.mark.parametrize("codes", [*CODINGS.values(), OTHER])
def test_best_D_is_the_best_of_many(lesson, codes):
    a, b, _ = codes
    p, q = np.array([0.1, 0.7, 0.3]), np.array([0.4, 0.2, 0.3])
    tried = np.linspace(-3, 3, 60_001)
    losses = p[:, None] * (tried - b) ** 2 + q[:, None] * (tried - a) ** 2
    best = lesson["best_D"](torch.tensor(p), torch.tensor(q), a, b)
    np.testing.assert_allclose(best.numpy(), tried[losses.argmin(1)], atol=1e-4)
    # its loss, in terms of the χ², as the lesson says; here for sums in place of integrals, with masses 1.1 and 0.9
    p, q = p / p.sum(), q / q.sum()
    best = (b * p + a * q) / (p + q)
    loss = (p * (best - b) ** 2 + q * (best - a) ** 2).sum() / 2
    assert loss == pytest.approx((b - a) ** 2 / 8 * (2 - ((p - q) ** 2 / (p + q)).sum()))


@pytest.mark.parametrize("codes", [*CODINGS.values(), OTHER])
@pytest.mark.parametrize("t", [0.25, 2.0, 4.0])
def test_push_and_felt_are_autograds_through_the_densities(lesson, codes, t):
    a, b, c = codes
    x = torch.linspace(-4, 6, 41, dtype=torch.float64, requires_grad=True)
    p, q = (torch.distributions.Normal(torch.tensor(m, dtype=torch.float64), 1).log_prob(x).exp() for m in (0.0, t))
    loss = ((b * p + a * q) / (p + q) - c).square() / 2
    (slope,) = torch.autograd.grad(loss.sum(), x)
    pushed = lesson["push"](x.detach(), t, a, b, c)
    torch.testing.assert_close(pushed, -slope / (b - a) ** 2, rtol=1e-6, atol=1e-12)

    def felt_at(z):  # d/dt of the loss at the fake t + z, D held fixed, weighted with z's density
        return -float(lesson["push"](torch.tensor(z + t, dtype=torch.float64), t, a, b, c)) * norm.pdf(z)

    assert lesson["felt"](t, a, b, c) == pytest.approx(quad(felt_at, -9, 9, limit=200)[0], abs=1e-8)


def test_near_equality_the_0_1_coding_feels_its_slope_and_the_other_hardly(lesson):
    # by hand for small t: C's slope is t/8 with either coding (over (b - a)²), G feels t/8 and t³/32
    t = 0.02
    assert lesson["felt"](t, *CODINGS["0-1"]) == pytest.approx(t / 8, rel=0.01)
    assert lesson["felt"](t, *CODINGS["±1"]) == pytest.approx(t**3 / 32, rel=0.01)
    assert math.isclose(
        float(lesson["chi2"](*(lesson["density"](gaussian(m, 1)) for m in (0, t)))), t**2 / 2, rel_tol=0.01
    )
