"""Lesson 11's own tools are the library's: losses, spectral norm, average, DiffAugment; its sums by hand are right."""

import copy
import math
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch
from lesson_definitions import load_definitions
from torch import nn

from ganedu import diffaugment
from ganedu.data import digits
from ganedu.models import r3gan, sngan, vanilla
from ganedu.regularizers import spectral_norm
from ganedu.training import EMA

LESSON = Path(__file__).resolve().parent.parent / "lessons" / "11_modern_toolbox.py"


@pytest.fixture(scope="module")
def lesson():
    return load_definitions(LESSON)


def batch(n=16):
    return digits().sample(n, torch.Generator().manual_seed(1)), torch.randn(
        n, 64, generator=torch.Generator().manual_seed(2)
    )


# --- the games ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name, twin", [("SNGAN", sngan.SNGAN), ("R3GAN", r3gan.R3GAN)])
def test_games_are_the_librarys(lesson, name, twin):
    torch.manual_seed(0)
    theirs = twin()
    own = lesson[name](theirs.G, theirs.D, z_dim=64).eval()  # eval mode: statistics and power iteration stand still
    x, z = batch()
    assert torch.equal(own.d_loss(x, z), theirs.d_loss(x, z)) and torch.equal(own.g_loss(x, z), theirs.g_loss(x, z))
    assert (own.n_critic, own.betas, own.lr) == (theirs.n_critic, theirs.betas, theirs.lr)
    assert getattr(own, "r1_gamma", None) == getattr(theirs, "r1_gamma", None)


def test_losses_are_the_published_constants(lesson):
    """Hinge: TF-GAN's own numbers for these logits. Relativistic: the formula in NumPy."""
    real, fake = torch.tensor([-5.0, 1.4, 12.5, 2.7])[:, None], torch.tensor([10.0, 4.4, -5.5, 3.6])[:, None]
    hinge = lesson["SNGAN"](nn.Identity(), nn.Identity(), z_dim=1)
    assert hinge.d_loss(real, fake).item() == pytest.approx(6.75)
    assert hinge.g_loss(real, fake).item() == pytest.approx(-3.125)
    paired, difference = lesson["R3GAN"](nn.Identity(), nn.Identity(), z_dim=1), (real - fake).double().numpy()
    slope = 1.0  # of the identity, at each real and each fake
    want = np.log1p(np.exp(-difference)).mean() + 1.0 / 2 * (slope + slope)
    assert paired.d_loss(real, fake).item() == pytest.approx(want, rel=1e-6)
    assert paired.g_loss(real, fake).item() == pytest.approx(np.log1p(np.exp(difference)).mean(), rel=1e-6)


def test_each_player_learns_from_its_own_loss(lesson):
    x, z = batch(4)
    for name, twin in (("SNGAN", sngan.SNGAN), ("R3GAN", r3gan.R3GAN)):
        nets = twin()
        game = lesson[name](nets.G, nets.D, z_dim=64)
        game.d_loss(x, z).backward()
        assert all(p.grad is None for p in game.G.parameters())
        assert sum(p.grad.abs().sum() for p in game.D.parameters()) > 0
        game.zero_grad(set_to_none=True)
        game.g_loss(x, z).backward()
        assert all(p.grad is not None for p in game.G.parameters())


@pytest.mark.parametrize("relativistic", [False, True])
@pytest.mark.parametrize("penalties", [(0, 0), (1, 0), (1, 1)])
def test_ablated_games_lack_their_part_and_nothing_else(lesson, relativistic, penalties):
    """With all parts it is R3GAN; with D(x) = w·x each penalty is ‖w‖², and the losses are those of NumPy."""
    torch.manual_seed(0)
    game = lesson["ablated"](relativistic, *penalties)
    game.G, game.D = nn.Identity(), nn.Linear(2, 1, bias=False)
    x, z = torch.randn(2, 9, 2)
    real, fake = (game.D(points).detach().double().numpy() for points in (x, z))
    squared = game.D.weight.detach().double().square().sum().item()
    if relativistic:
        want_d, want_g = np.log1p(np.exp(fake - real)).mean(), np.log1p(np.exp(real - fake)).mean()
    else:
        want_d = np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(fake)).mean()
        want_g = np.log1p(np.exp(-fake)).mean()
    assert game.d_loss(x, z).item() == pytest.approx(want_d + sum(penalties) * squared / 2, rel=1e-5)
    assert game.g_loss(x, z).item() == pytest.approx(want_g, rel=1e-5)


# --- spectral norm ------------------------------------------------------------------------------------------------


def test_critic_is_the_librarys_discriminator(lesson):
    torch.manual_seed(0)
    own = lesson["Critic"]()
    theirs = sngan.Discriminator()
    assert [tuple(p.shape) for p in own.parameters()] == [tuple(p.shape) for p in theirs.parameters()]
    assert [type(m).__name__ for m in own] == [type(m).__name__ for m in theirs]
    theirs.load_state_dict(
        {key: value for key, value in own.state_dict().items() if "parametrizations.weight.0" not in key}, strict=False
    )
    x, _ = batch()
    for _ in range(300):  # power iteration in both, to its end
        own(x[:2]), theirs(x[:2])
    torch.testing.assert_close(own.eval()(x), theirs.eval()(x), rtol=1e-3, atol=1e-4)


def test_spectral_norm_takes_one_step_a_pass_and_has_torchs_gradient(lesson):
    """One step as by hand, and torch's gradient, of any function of the weight."""
    torch.manual_seed(1)
    own, theirs = nn.Conv2d(2, 5, 3), nn.Conv2d(2, 5, 3)
    theirs.load_state_dict(own.state_dict())
    lesson["parametrize"].register_parametrization(own, "weight", lesson["SpectralNorm"](5))
    spectral_norm(theirs)
    own.parametrizations.weight[0].u.copy_(theirs.parametrizations.weight[0]._u)
    W, u = own.parametrizations.weight.original.detach().flatten(1), own.parametrizations.weight[0].u.clone()
    v = torch.nn.functional.normalize(W.T @ u, dim=0)
    u = torch.nn.functional.normalize(W @ v, dim=0)
    torch.testing.assert_close(own.weight.detach().flatten(1), W / (u @ W @ v))
    torch.testing.assert_close(own.parametrizations.weight[0].u, u)  # kept for the next pass
    mixed, gradients = torch.randn(5, 2, 3, 3), []
    for layer in (own, theirs):  # torch goes from v to u, the lesson from u to v: at the end both are at rest
        weights = [layer.weight for _ in range(200)]
        (gradient,) = torch.autograd.grad((weights[-1] * mixed).sum(), layer.parametrizations.weight.original)
        gradients.append(gradient)
    torch.testing.assert_close(*gradients, rtol=1e-3, atol=1e-4)


def test_power_iteration_of_the_lesson_is_numpys_singular_value(lesson, monkeypatch):
    monkeypatch.setitem(lesson, "SEED", 0)
    W = torch.randn(40, 60, generator=torch.Generator().manual_seed(3))
    found = lesson["sigma"](W, 500)
    top = np.linalg.svd(W.numpy(), compute_uv=False)[0]
    assert found[-1].item() == pytest.approx(top, rel=1e-3)
    assert all(found[1:] >= found[:-1] - 1e-4)  # it comes from below


def test_two_steps_by_hand():
    """The lesson's numbers for W = diag(3, 1) and u = (1, 1)."""
    u, W, found = np.ones(2), np.diag([3.0, 1.0]), []
    for _ in range(2):
        v = W.T @ u / np.linalg.norm(W.T @ u)
        u = W @ v / np.linalg.norm(W @ v)
        found.append(u @ W @ v)
    assert found == pytest.approx([82 / math.sqrt(820), math.sqrt(6562 / 730)])
    assert [round(s, 3) for s in found] == [2.864, 2.998]


# --- the average --------------------------------------------------------------------------------------------------


def test_average_is_the_librarys(lesson):
    torch.manual_seed(0)
    G = vanilla.Generator()
    own, twin = lesson["Average"](G, 0.9), EMA(G, 0.9)
    for step in range(120):  # past the first updates, where d is smaller
        with torch.no_grad():
            for p in G.parameters():
                p.add_(0.01 * torch.randn_like(p))
            if step % 40 == 0:
                G(torch.randn(8, 64))  # moves batch norm's statistics
        own.update()
        twin.update()
    a, b = own.module.state_dict(), twin.module.state_dict()
    assert all(torch.allclose(a[key], b[key], atol=1e-6) for key in a)
    assert not own.module.training and not any(p.requires_grad for p in own.module.parameters())


def test_half_of_an_average_is_gone_after_138_rounds():
    assert round(math.log(0.5) / math.log(0.995)) == 138


# --- DiffAugment --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name, theirs",
    [
        ("brightness", diffaugment.brightness),
        ("translation", partial(diffaugment.translation, fill=-1.0)),
        ("cutout", diffaugment.cutout),
    ],
)
def test_changes_are_the_librarys(lesson, name, theirs):
    x = digits().all()[::100]
    torch.manual_seed(4)
    own = lesson[name](x)
    torch.manual_seed(4)
    assert torch.equal(own, theirs(x))


def test_augment_is_the_librarys_layer(lesson):
    changes, x = (lesson["brightness"], lesson["cutout"]), digits().all()[:9]
    own, twin = lesson["Augment"](*changes), diffaugment.DiffAugment((diffaugment.brightness, diffaugment.cutout))
    torch.manual_seed(5)
    seen = own(x)
    torch.manual_seed(5)
    assert torch.equal(seen, twin(x)) and torch.equal(own.eval()(x), x)


def test_reals_only_augments_real_images_and_no_fakes(lesson, monkeypatch):
    torch.manual_seed(0)
    D = nn.Sequential(nn.Flatten(), nn.Linear(4, 1))
    game = lesson["RealsOnly"](nn.Unflatten(1, (1, 2, 2)), D, z_dim=4).double()
    monkeypatch.setitem(lesson, "translation", lambda x: x + 3)
    x, z = torch.randn(5, 1, 2, 2, dtype=torch.float64), torch.randn(5, 4, dtype=torch.float64)
    real, fake = (D(v).detach().numpy() for v in (x + 3, z.view(5, 1, 2, 2)))
    assert game.d_loss(x, z).item() == pytest.approx(np.log1p(np.exp(-real)).mean() + np.log1p(np.exp(fake)).mean())
    assert copy.deepcopy(game).g_loss(x, z).item() == pytest.approx(np.log1p(np.exp(-fake)).mean())
