"""Lesson 09's critic stays in its box; its linear programs meet SciPy's distances, the assignment and brute force."""

import itertools
from pathlib import Path

import numpy as np
import pytest
import torch
from lesson_definitions import load_definitions
from scipy.optimize import linear_sum_assignment
from scipy.stats import wasserstein_distance
from torch import nn

from ganedu.data import digits
from ganedu.training import Trainer

LESSON = Path(__file__).resolve().parent.parent / "lessons" / "09_wgan.py"


@pytest.fixture(scope="module")
def lesson():
    return load_definitions(LESSON)


def test_the_critic_stays_in_its_box(lesson):
    torch.manual_seed(0)
    game = lesson["WGAN"](lesson["Generator"](), lesson["Critic"](), z_dim=64)
    Trainer(game, digits(), batch_size=8, lr=5e-5, seed=3, device="cpu").run(2)
    assert (game.n_critic, game.clip) == (5, 0.01)
    assert isinstance(game.optimizer("G", 5e-5), torch.optim.RMSprop)
    largest = torch.tensor(0.01)
    assert all(p.abs().max() <= largest for p in game.D.parameters())
    assert max(p.abs().max() for p in game.G.parameters()) > 0.02  # G is in no box


def test_losses_are_the_published_constants(lesson):
    real, fake = torch.tensor([-5.0, 1.4, 12.5, 2.7])[:, None], torch.tensor([10.0, 4.4, -5.5, 3.6])[:, None]
    game = lesson["WGAN"](nn.Identity(), nn.Identity(), z_dim=1)
    assert game.g_loss(real, fake).item() == pytest.approx(-3.125, abs=1e-6)
    assert game.d_loss(real, fake).item() == pytest.approx(0.225, abs=1e-6)


def test_each_player_learns_from_its_own_loss(lesson):
    game = lesson["WGAN"](nn.Linear(3, 2), nn.Linear(2, 1, bias=False), z_dim=3)
    x, z = torch.randn(5, 2), torch.randn(5, 3)
    of_d = torch.autograd.grad(game.d_loss(x, z), [*game.G.parameters(), *game.D.parameters()], allow_unused=True)
    assert [g is None for g in of_d] == [True, True, False]
    torch.testing.assert_close(of_d[2][0], game.G(z).mean(0).detach() - x.mean(0))
    assert all(g.abs().sum() > 0 for g in torch.autograd.grad(game.g_loss(x, z), list(game.G.parameters())))


def test_clip_is_numpys(lesson):
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(4, 30), nn.ReLU(), nn.Linear(30, 1))
    before = [p.detach().numpy().copy() for p in net.parameters()]
    lesson["clip_weights"](net, 0.15)
    for p, old in zip(net.parameters(), before, strict=True):
        np.testing.assert_array_equal(p.detach().numpy(), np.clip(old, np.float32(-0.15), np.float32(0.15)))


# --- the linear programs ------------------------------------------------------------------------------------------


def test_plan_of_the_lesson_by_hand(lesson):
    places, q, p = np.array([0.0, 1.0, 3.0]), np.array([0.5, 0.0, 0.5]), np.array([0.25, 0.5, 0.25])
    cost, plan = lesson["cheapest_plan"](places, q, p)
    assert cost == pytest.approx(0.75)
    np.testing.assert_allclose(plan, [[0.25, 0.25, 0], [0, 0, 0], [0, 0.25, 0.25]], atol=1e-9)
    scores = np.array([0.0, 1.0, -1.0])
    assert (p - q) @ scores == 0.75
    assert all(abs(scores[i] - scores[j]) <= abs(places[i] - places[j]) for i, j in itertools.permutations(range(3), 2))


@pytest.mark.parametrize("n", [2, 4, 9])
def test_cheapest_plan_is_a_plan_and_costs_scipys_distance(lesson, n):
    rng = np.random.default_rng(n)
    places, q, p = rng.normal(size=n) * 3, rng.dirichlet(np.ones(n)), rng.dirichlet(np.ones(n))
    cost, plan = lesson["cheapest_plan"](places, q, p)
    assert cost == pytest.approx(wasserstein_distance(places, places, q, p), abs=1e-9)
    assert (plan >= 0).all()
    np.testing.assert_allclose(plan.sum(1), q, atol=1e-9)
    np.testing.assert_allclose(plan.sum(0), p, atol=1e-9)


@pytest.mark.parametrize("d, n, m", [(1, 20, 33), (1, 40, 40), (2, 30, 30), (5, 25, 25)])
def test_best_scores_reach_the_distance_with_slope_one(lesson, d, n, m):
    generator = torch.Generator().manual_seed(d)
    x = torch.randn(n, d, generator=generator)
    x_fake = 2 * torch.randn(m, d, generator=generator) + 0.5
    value, f = lesson["best_scores"](x, x_fake)
    if d == 1:
        exact = wasserstein_distance(x[:, 0], x_fake[:, 0])
    else:  # as many of each kind: the cheapest plan pairs them off
        ways = torch.cdist(x.double(), x_fake.double()).numpy()
        exact = ways[linear_sum_assignment(ways)].mean()
    assert value == pytest.approx(exact, abs=1e-6)
    assert (f(x).mean() - f(x_fake).mean()).item() == pytest.approx(exact, abs=1e-5)
    points = torch.cat([x, x_fake, 4 * torch.randn(100, d, generator=generator)])
    rises, ways = (f(points) - f(points).T).abs(), torch.cdist(points.double(), points.double())
    assert (rises - ways).max() < 1e-5
    assert (rises / ways.clamp(min=1e-9))[ways > 0.5].max() > 0.99  # and the bound is reached


# --- what a critic finds ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("d", [1, 2, 4])
def test_found_is_a_lower_bound_and_brute_force_agrees(lesson, d):
    torch.manual_seed(d)
    D = nn.Sequential(nn.Linear(d, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    x, x_fake = torch.randn(12, d), torch.randn(12, d) + 1
    estimate, slope = lesson["judge"](D, x, x_fake)
    with torch.no_grad():
        on_real, on_fakes = D(x).flatten().tolist(), D(x_fake).flatten().tolist()
    brute = max(abs(on_real[i] - on_fakes[j]) / float((x[i] - x_fake[j]).norm()) for i in range(12) for j in range(12))
    assert slope == pytest.approx(brute, rel=1e-4)
    assert estimate == pytest.approx(np.mean(on_real) - np.mean(on_fakes), abs=1e-6)
    ways = torch.cdist(x, x_fake).numpy()
    assert estimate / slope <= ways[linear_sum_assignment(ways)].mean() + 1e-6


def test_share_at_the_walls_is_counted_one_by_one(lesson):
    net = nn.Linear(3, 2)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([[0.01, -0.01, 0.0], [0.0096, -0.0094, 0.002]]))
        net.bias.copy_(torch.tensor([-0.0099, 0.005]))
    assert lesson["share_at_walls"](net, 0.01) == pytest.approx(4 / 8)
