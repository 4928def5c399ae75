"""Lesson 03's own divergences are the library's and SciPy's; its example by hand, its net and its estimate as well."""

import math
from pathlib import Path

import pytest
import scipy.stats
import torch
from lesson_definitions import load_definitions

from ganedu import divergences
from ganedu.data import gaussian, mixture
from ganedu.training import Trainer
from ganedu.views.divergence import measure

LESSON = Path(__file__).resolve().parent.parent / "lessons" / "03_minmax_and_js.py"


@pytest.fixture(scope="module")
def lesson():
    namespace = load_definitions(LESSON)
    namespace["LOG2"] = math.log(2)
    namespace["GRID"] = torch.linspace(-30, 30, 12_001, dtype=torch.float64)[:, None]
    assert "GRID = torch.linspace(-30, 30, 12_001, dtype=torch.float64)[:, None]" in LESSON.read_text(encoding="utf-8")
    return namespace


PAIRS = [
    (gaussian(0, 1), gaussian(1, 1)),
    (gaussian(0, 1), gaussian(0, 3)),
    (mixture([-2, 2], std=0.75), gaussian(1, 1.5)),
    (gaussian(0, 1), gaussian(9, 1)),
]


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: repr(pair[1]))
def test_distances_are_the_librarys_and_scipys(lesson, pair):
    p, q = (lesson["density"](distribution) for distribution in pair)
    dx = lesson["DX"]
    assert float(lesson["kl"](p, q)) == pytest.approx(float(divergences.kl(p, q, dx)), abs=1e-9)
    assert float(lesson["js"](p, q)) == pytest.approx(float(divergences.js(p, q, dx)), abs=1e-12)
    assert float(lesson["w1"](p, q)) == pytest.approx(float(divergences.wasserstein1_grid(p, q, dx)), abs=1e-12)
    grid = lesson["GRID"][:, 0].numpy()
    w1 = scipy.stats.wasserstein_distance(grid, grid, p.numpy(), q.numpy())
    assert float(lesson["w1"](p, q)) == pytest.approx(w1, abs=1e-6)
    jensenshannon = scipy.stats.entropy(p, (p + q) / 2) / 2 + scipy.stats.entropy(q, (p + q) / 2) / 2
    assert float(lesson["js"](p, q)) == pytest.approx(float(jensenshannon), abs=1e-9)


@pytest.mark.parametrize("pair", PAIRS, ids=lambda pair: repr(pair[1]))
def test_best_discriminator_and_value_are_the_librarys(lesson, pair):
    p, q = (lesson["density"](distribution) for distribution in pair)
    logit = lesson["best_logit"](*pair, lesson["GRID"])
    D = divergences.optimal_discriminator(p, q)
    where = (p > 1e-200) & (q > 1e-200)
    torch.testing.assert_close(logit.sigmoid()[where], D[where], rtol=0, atol=1e-9)
    best = float(lesson["value"](p, q, logit))
    assert best == pytest.approx(float(divergences.value(p, q, D, lesson["DX"])), abs=1e-9)
    assert best == pytest.approx(2 * float(lesson["js"](p, q)) - 2 * math.log(2), abs=1e-9)


def test_example_by_hand_is_right():
    text = LESSON.read_text(encoding="utf-8")
    value = 2 * (0.75 * math.log(0.75) + 0.25 * math.log(0.25))
    kl = 0.75 * math.log(0.75 / 0.5) + 0.25 * math.log(0.25 / 0.5)
    assert value == pytest.approx(2 * kl - 2 * math.log(2), abs=1e-12)
    assert f"= {value:.3f}$. With" in text and f"= {kl:.3f}$, so JSD is {kl:.3f}" in text
    exact = float(measure(2.0)["js"])  # the number that part 5 names
    assert f"$N(2, 1)$ is {exact:.3f}" in text and f"= {2 * math.log(2) - 2 * exact:.2f}$, give or take" in text


def test_bound_and_training_are_the_librarys(lesson):
    torch.manual_seed(0)
    real, fake = torch.randn(2, 64, 1) * 5
    assert torch.equal(lesson["js_bound"](real, fake), divergences.js_bound(real, fake))
    D = lesson["make_D"]()
    assert sum(p.numel() for p in D.parameters()) == 32 + 32 + 32 * 32 + 32 + 32 + 1  # by hand
    assert D(torch.randn(5, 1)).shape == (5, 1) and lesson["make_D"](10)(torch.randn(5, 10)).shape == (5, 1)

    # the library shuffles, splits, then trains as the lesson does
    x, y = torch.randn(400, 1), torch.randn(400, 1) + 1
    torch.manual_seed(1)
    estimate = divergences.estimate_js(x, y, steps=20)
    torch.manual_seed(1)
    x, y = x[torch.randperm(400)], y[torch.randperm(400)]
    own = lesson["train_D"](lesson["make_D"](), x[:200], y[:200], steps=20)
    assert all(torch.equal(a, b) for a, b in zip(own.parameters(), estimate.D.parameters()))
    with torch.no_grad():
        assert float(lesson["js_bound"](own(x[200:]), own(y[200:]))) == estimate.fresh
        assert float(lesson["js_bound"](own(x[:200]), own(y[:200]))) == estimate.reused


@pytest.mark.parametrize("t", [0.5, 2.0, 5.0, 9.0, 12.0])
def test_gradients_are_those_of_the_view_and_of_the_two_divergences(lesson, t):
    saturating, nonsaturating = lesson["gradients_in_t"](t)
    there = measure(t)  # held to SciPy's quadrature by tests/test_divergence_view.py
    assert saturating == pytest.approx(float(there["saturating"]), rel=1e-6)
    assert nonsaturating == pytest.approx(float(there["nonsaturating"]), rel=1e-6)
    # D's logit is t^2/2 - t x, its slope -t: the two gradients are t E[D] and t E[1 - D]
    assert saturating + nonsaturating == pytest.approx(t, rel=1e-9)
    slope, other = lesson["right_sides"](t)
    assert saturating == pytest.approx(slope, rel=1e-4, abs=1e-9)
    assert nonsaturating == pytest.approx(other, rel=1e-4)


def test_slide_is_its_formula(lesson):
    z = torch.randn(1000, 1)
    assert torch.equal(lesson["Slide"](3.0, 0.5)(z), 3.0 + 0.5 * z)
    assert [tuple(p.shape) for p in lesson["Slide"](1.0).parameters()] == [(), ()]


def test_boxes_are_densities_of_boxes(lesson):
    for start in (0, 0.25, 7.5):
        density, grid = lesson["box"](start), lesson["GRID"][:, 0]
        assert float(density.sum() * lesson["DX"]) == pytest.approx(1, abs=1e-9)
        mean = float((density * grid).sum() * lesson["DX"])
        assert mean == pytest.approx(start + 0.5, abs=lesson["DX"])


def test_only_D_learns_in_the_live_run(lesson):
    torch.manual_seed(0)
    game = lesson["DAlone"](lesson["Slide"](2.0), lesson["make_D"](), z_dim=1)
    before = [p.clone() for p in game.D.parameters()]
    trainer = Trainer(game, gaussian(0, 1), device="cpu", seed=0)
    trainer.run(5)
    assert list(trainer.optimizers) == ["D"]
    assert game.G.t.item() == 2.0 and game.G.s.item() == 1.0
    assert not any(torch.equal(a, b) for a, b in zip(before, game.D.parameters()))
