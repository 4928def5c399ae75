"""Lesson 10's own penalty is the library's; its numbers are those by hand, by differences, by brute force."""

import json
import math
from importlib.resources import files
from pathlib import Path

import pytest
import torch
from lesson_definitions import load_benchmark, load_definitions
from torch import nn

from ganedu import regularizers
from ganedu.data import digits
from ganedu.publishing import load_published

ROOT = Path(__file__).resolve().parent.parent
LESSON = ROOT / "lessons" / "10_wgan_gp.py"


@pytest.fixture(scope="module")
def lesson():
    return load_definitions(LESSON)


def smooth(size, seed=0):
    torch.manual_seed(seed)
    return nn.Sequential(nn.Flatten(), nn.Linear(size, 8), nn.Tanh(), nn.Linear(8, 1)).double()


def by_differences(D, x):
    """(N, N): ‖∇_{x_j} D(x)_i‖ by central differences, one number of one sample at a time."""
    n, size = len(x), x[0].numel()
    squares = torch.zeros(n, n, dtype=torch.float64)
    for j in range(n):
        for k in range(size):
            step = torch.zeros(x.numel(), dtype=torch.float64)
            step[j * size + k] = 1e-5
            step = step.view_as(x)
            with torch.no_grad():
                squares[:, j] += ((D(x + step) - D(x - step)).flatten() / 2e-5).square()
    return squares.sqrt()


# --- the game ---------------------------------------------------------------------------------------------------


def test_losses_are_the_formulas_for_deep_nets_too(lesson):
    torch.manual_seed(0)
    game = lesson["WGANGP"](lesson["Generator"](widths=(256,) * 5), lesson["Critic"](), z_dim=64)
    assert (game.n_critic, game.betas, game.gp_weight) == (5, (0.0, 0.9), 10)
    x, z = digits().sample(16, torch.Generator().manual_seed(1)), torch.randn(16, 64)
    torch.manual_seed(2)
    loss, x_fake = game.d_loss(x, z), game.G(z)
    torch.manual_seed(2)
    penalty = regularizers.gradient_penalty(game.D, x, x_fake)
    torch.testing.assert_close(loss, game.D(x_fake).mean() - game.D(x).mean() + 10 * penalty)
    torch.testing.assert_close(game.g_loss(x, z), -game.D(x_fake).mean())


# --- the penalty ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(4, 3), (1, 5), (3, 1, 2, 2), (2, 2)])
def test_penalty_is_the_librarys_and_that_by_differences(lesson, shape):
    D, (x, x_fake) = smooth(math.prod(shape[1:])), torch.randn(2, *shape, dtype=torch.float64)
    torch.manual_seed(3)
    own = lesson["gradient_penalty"](D, x, x_fake)
    torch.manual_seed(3)
    epsilon = torch.rand(shape[0], *[1] * (len(shape) - 1))
    norms = by_differences(D, epsilon * x + (1 - epsilon) * x_fake).diag()
    assert own.item() == pytest.approx((norms - 1).square().mean().item(), rel=1e-5)
    x, x_fake, D = x.float(), x_fake.float(), D.float()
    torch.manual_seed(3)
    own = lesson["gradient_penalty"](D, x, x_fake)
    torch.manual_seed(3)
    assert torch.equal(own, regularizers.gradient_penalty(D, x, x_fake))
    assert all(g.abs().sum() > 0 for g in torch.autograd.grad(own, [D[1].weight, D[3].weight]))


def test_nine_and_twelve_and_the_slips(lesson):
    """D(x) = w Σ x at w = 2 in four dimensions: slope 2w, so 9 and 2 (2w - 1) 2 = 12; the slips by the same algebra."""
    w = lesson["w"] = torch.tensor(2.0, requires_grad=True)
    penalty = lesson["gradient_penalty"](lesson["D_sum"], torch.randn(16, 4), torch.randn(16, 4))
    assert penalty.item() == pytest.approx(9) and torch.autograd.grad(penalty, w)[0].item() == pytest.approx(12)
    slip = lesson["slip"]
    assert slip() == pytest.approx((9, 12))
    assert slip(inner=torch.mean) == pytest.approx(((4 / 16 - 1) ** 2, 2 * (4 / 16 - 1) * 2 / 16))
    assert slip(norm=torch.norm) == pytest.approx(((4 * 4 - 1) ** 2, 2 * (4 * 4 - 1) * 2 * 4))
    assert slip(norm=torch.abs) == pytest.approx((1, 2))
    assert slip(create_graph=False) == (pytest.approx(9), None)


def test_slopes_are_those_by_differences(lesson):
    D, x = smooth(4), torch.randn(5, 1, 2, 2, dtype=torch.float64)
    torch.testing.assert_close(lesson["slopes"](D, x), by_differences(D, x).diag(), rtol=1e-6, atol=1e-8)
    assert not x.requires_grad


def test_what_batch_norm_does_to_the_critic(lesson):
    """Without a norm, and with layer norm, no score depends on another sample; with batch norm all do."""
    x = torch.rand(4, 1, 28, 28)
    torch.manual_seed(0)
    plain = lesson["critic_with"](None)
    assert [p.shape for p in plain.parameters()] == [p.shape for p in lesson["Critic"]().parameters()]
    for norm, leaks in ((None, False), (nn.LayerNorm, False), (nn.BatchNorm1d, True)):
        D, batch = lesson["critic_with"](norm), x.clone().requires_grad_()
        rows = torch.stack([torch.autograd.grad(s, batch, retain_graph=True)[0] for s in D(batch).flatten()])
        depends = rows.flatten(2).norm(dim=2)
        others = depends - torch.diag(depends.diag())
        assert bool((others > 0.01 * depends.diag().mean()).any()) is leaks


def test_piled_counts_the_ends(lesson):
    """Half of the weights at the clip: a half. Uniform weights: 1 - 0.95 · 0.99. A bell: far fewer."""
    net = nn.Linear(100, 200, bias=False)
    with torch.no_grad():
        net.weight.uniform_(-1, 1)
        assert lesson["piled"](net) == pytest.approx(1 - 0.95 * 0.99, abs=0.01)
        net.weight.clamp_(-0.5, 0.5)
        assert lesson["piled"](net) == pytest.approx(0.525, abs=0.02)  # and 5 % of the rest, that lies between
        net.weight.normal_()
        assert lesson["piled"](net) < 0.02


# --- what was made beforehand -------------------------------------------------------------------------------------


def test_published_weights_cover_the_grid(lesson):
    """They fit the lesson's nets, are small, say how they came about, and do what the card says."""
    path = files("ganedu.models") / "weights" / "wgan_gp_grid.safetensors"
    game, card = load_published(path, lesson["plane_game"](scale=2.83, widths=(128, 128, 128), gp_weight=0.1))
    assert path.stat().st_size < 3 * 2**20
    assert card["command"] == "python tools/train_grid.py" and (ROOT / "tools" / "train_grid.py").exists()
    assert (card["metrics"]["n"], card["metrics"]["modes covered"]) == (10_000, 25)
    with torch.no_grad():
        x_fake = game.generate(game.sample_z(10_000, torch.Generator().manual_seed(4))).double()
    ticks = torch.tensor([-4.0, -2, 0, 2, 4], dtype=torch.float64)
    gaps = x_fake[:, :, None] - ticks  # to each tick along each axis: the nearest mode is the nearest tick on both
    near = gaps.abs().min(2)
    good = near.values.norm(dim=1) <= 0.15
    counts = torch.bincount((5 * near.indices[:, 0] + near.indices[:, 1])[good], minlength=25)
    assert (
        good.double().mean().item() == pytest.approx(card["metrics"]["good"], abs=0.015) and good.double().mean() >= 0.9
    )
    assert counts.min() >= 20


@pytest.fixture(scope="module")
def benchmark():
    return load_benchmark("robustness.py")


def test_robustness_table_is_whole_and_made_by_the_script(benchmark):
    text = (files("ganedu.results") / "robustness.json").read_text(encoding="utf-8")
    report = json.loads(text)
    cells = {(r["objective"], r["setting"], r["seed"]) for r in report["runs"]}
    assert cells == {(o, s, n) for o in benchmark["OBJECTIVES"] for s in benchmark["SETTINGS"] for n in range(3)}
    assert len(cells) == len(report["runs"]) == 75
    for r in report["runs"]:
        assert r["recipe"] == benchmark["recipe"](r["objective"])  # or the script has changed since: run it again
        assert 0 <= r["covered"] <= r["modes"] == 8 and 0 <= r["good"] <= 1
        assert r["date"] and r["device"] and (r["rounds"] == report["rounds"] or r["ended"] != "whole")
    page = (ROOT / "benchmarks" / "results" / "robustness.md").read_text(encoding="utf-8")
    assert page == benchmark["markdown"](report)


def test_a_run_of_the_robustness_table(benchmark):
    row = benchmark["play"]("WGAN-GP", "batch norm", 0, rounds=2)
    assert row["ended"] == "whole" and row["rounds"] == 2 and row["modes"] == 8
    trainer = benchmark["make_trainer"]("WGAN", "high rate", 1)
    assert trainer.lr("D") == pytest.approx(2e-3) and trainer.lr("G") == pytest.approx(2e-2)
    trainer = benchmark["make_trainer"]("R1", "deep", 1)
    assert sum(isinstance(layer, nn.Linear) for layer in trainer.game.D) == 9
    norms = [sum(isinstance(m, nn.BatchNorm1d) for m in benchmark["make_trainer"]("GAN", s, 0).game.modules())
             for s in benchmark["SETTINGS"]]  # fmt: skip
    assert norms == [6, 0, 0, 0, 0]
