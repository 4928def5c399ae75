"""Lesson 11's own tools are the library's: losses, spectral norm, average, DiffAugment; its sums by hand are right."""

import json
import math
from functools import partial
from importlib.resources import files
from pathlib import Path

import numpy as np
import pytest
import torch
from lesson_definitions import load_benchmark, load_definitions
from torch import nn

from ganedu import diffaugment
from ganedu.data import digits
from ganedu.models import dcgan, sngan, vanilla
from ganedu.regularizers import spectral_norm
from ganedu.training import EMA

ROOT = Path(__file__).resolve().parent.parent
LESSON = ROOT / "lessons" / "11_modern_toolbox.py"


@pytest.fixture(scope="module")
def lesson():
    return load_definitions(LESSON)


def batch(n=16):
    return digits().sample(n, torch.Generator().manual_seed(1)), torch.randn(
        n, 64, generator=torch.Generator().manual_seed(2)
    )


# --- the games ----------------------------------------------------------------------------------------------------


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
    ],
)
def test_changes_are_the_librarys(lesson, name, theirs):
    x = digits().all()[::100]
    torch.manual_seed(4)
    own = lesson[name](x)
    torch.manual_seed(4)
    assert torch.equal(own, theirs(x))


def test_augment_is_the_librarys_layer(lesson):
    changes, x = (lesson["brightness"], lesson["translation"]), digits().all()[:9]
    own, twin = (
        lesson["Augment"](*changes),
        diffaugment.DiffAugment((diffaugment.brightness, partial(diffaugment.translation, fill=-1.0))),
    )
    torch.manual_seed(5)
    seen = own(x)
    torch.manual_seed(5)
    assert torch.equal(seen, twin(x)) and torch.equal(own.eval()(x), x)


# --- the stored runs ----------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def benchmark():
    return load_benchmark("toolbox.py")


def test_stored_runs_are_whole_and_made_by_the_script(benchmark):
    text = (files("ganedu.results") / "toolbox.json").read_text(encoding="utf-8")
    runs = json.loads(text)["runs"]
    wanted = {
        (what, name, seed) for what, (_, names) in benchmark["RUNS"].items() for name in names for seed in range(3)
    }
    assert {(r["what"], r["name"], r["seed"]) for r in runs} == wanted and len(runs) == len(wanted) == 24
    for r in runs:
        assert r["date"] and r["device"] and r["torch"]
        if r["what"] == "few images":
            assert [look[0] for look in r["looks"]] == list(range(300, 4801, 300))
            assert all(len(look) == len(r["columns"]) and look[1] > 0 for look in r["looks"])
        else:
            assert 0 <= r["covered"] <= r["modes"] == 25 and 0 <= r["good"] <= 1


def test_the_script_plays_the_lessons_games(benchmark, lesson):
    """Few images: the same nets and losses. R3GAN's parts: all of them are the lesson's R3GAN, and each leaves one out."""
    x, z = batch()
    theirs, own = benchmark["few_images_game"](True, 3), nn.Sequential(lesson["Augment"](lesson["translation"]))
    torch.manual_seed(3)
    G, D = dcgan.Generator(width=8), vanilla.Discriminator()
    game = vanilla.VanillaGAN(G, nn.Sequential(*own, D), z_dim=64)
    losses = []
    for played in (theirs, game):
        torch.manual_seed(5)
        losses.append((played.d_loss(x, z).item(), played.g_loss(x, z).item()))
    assert losses[0] == losses[1]
    x, z = torch.randn(2, 9, 2)
    real_slopes = {}
    for name in benchmark["RUNS"]["parts"][1]:
        loss, penalty = name.split(", ")
        torch.manual_seed(1)
        parts = benchmark["Parts"](benchmark["LOSSES"][loss], *benchmark["PENALTIES"][penalty])
        real_slopes[name] = parts.d_loss(x, z).item()
        if name == "relativistic, R1 and R2":
            whole = lesson["R3GAN"](parts.G, parts.D, z_dim=2)
            whole.r1_gamma = parts.r1_gamma
            assert parts.d_loss(x, z).item() == pytest.approx(whole.d_loss(x, z).item())
            assert parts.g_loss(x, z).item() == pytest.approx(whole.g_loss(x, z).item())
            assert parts.betas == whole.betas
    for loss in benchmark["LOSSES"]:
        none, on_real, on_both = (real_slopes[f"{loss}, {p}"] for p in benchmark["PENALTIES"])
        assert none < on_real < on_both  # each penalty is above 0 and is added


def test_a_short_run_of_each_kind(benchmark):
    run = benchmark["few_images"]("DiffAugment", 0, rounds=2, every=2)
    assert len(run["looks"]) == 1 and len(run["looks"][0]) == len(run["columns"]) == 5
    run = benchmark["parts"]("relativistic, R1", 0, rounds=2)
    assert run["modes"] == 25 and run["rounds"] == 2
