"""Lesson 07's own functions are the library's, its losses are the cross-entropies that it says, its numbers are right."""

import math
import re
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from lesson_definitions import load_definitions

from ganedu.blocks import mlp
from ganedu.data import ring
from ganedu.losses import d_minimax, minimax
from ganedu.metrics import prdc_features
from ganedu.models import dirac
from ganedu.models.vanilla import VanillaGAN
from ganedu.regularizers import r1
from ganedu.runtime import seed_all
from ganedu.views.playground import Playground
from ganedu.views.playground.game import objectives
from ganedu.views.playground.panel import PENALTIES, RATES
from ganedu.views.playground.scene import pulls

LESSON = Path(__file__).resolve().parent.parent / "lessons" / "07_why_training_fails.py"
GAMES = [(0.0, True), (0.0, False), (0.6, True), (1.0, False)]
R1 = ("r1_gamma", 1.0)  # as the panel hands it on


@pytest.fixture(scope="module")
def lesson():
    return load_definitions(LESSON)


@pytest.fixture
def points():
    return torch.randn(2, 50, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 2


@pytest.mark.parametrize("gamma, saturating", GAMES)
def test_field_and_descent_are_the_librarys(lesson, points, gamma, saturating):
    settings = {"r1_gamma": gamma, "saturating": saturating}
    for own, twin in zip(lesson["vector_field"](*points, **settings), dirac.vector_field(*points, **settings)):
        assert torch.equal(own, twin)
    for turn in ("simultaneous", "alternating"):
        own = lesson["trajectory"](lesson[turn], *points, 0.2, 60, **settings)
        assert torch.equal(own, dirac.trajectory(getattr(dirac, turn), *points, 0.2, 60, **settings))


@pytest.mark.parametrize("gamma, saturating", GAMES)
def test_losses_are_cross_entropies_of_the_two_nets(lesson, points, gamma, saturating):
    """In plain logarithms: D's logit is 0 on the real 0, and ψθ on the fake θ."""
    theta, psi = points
    z = torch.zeros(3, 8)
    for t, p in zip(theta[:5], psi[:5]):
        fake_logits = lesson["D"](lesson["G"](z, t), p)
        assert fake_logits.shape == (3, 1)
        fake = 1 / (1 + math.exp(-float(fake_logits[0])))
        want = -math.log(0.5) - math.log(1 - fake) + gamma / 2 * float(p) ** 2
        assert float(lesson["d_loss"](t, p, gamma)) == pytest.approx(want, rel=1e-9)
        want = math.log(1 - fake) if saturating else -math.log(fake)
        assert float(lesson["g_loss"](t, p, saturating)) == pytest.approx(want, rel=1e-9)


@pytest.mark.parametrize("gamma, saturating", GAMES)
def test_field_is_minus_the_slope_of_the_losses(lesson, points, gamma, saturating):
    """By central differences."""
    theta, psi = points
    e = 1e-5
    of_theta = (lesson["g_loss"](theta + e, psi, saturating) - lesson["g_loss"](theta - e, psi, saturating)) / (2 * e)
    of_psi = (lesson["d_loss"](theta, psi + e, gamma) - lesson["d_loss"](theta, psi - e, gamma)) / (2 * e)
    field = lesson["vector_field"](theta, psi, gamma, saturating)
    torch.testing.assert_close(field[0], -of_theta, rtol=0, atol=1e-8)
    torch.testing.assert_close(field[1], -of_psi, rtol=0, atol=1e-8)


def test_penalty_and_its_game_are_the_librarys(lesson):
    torch.manual_seed(1)
    game = lesson["WithR1"](mlp([8, 32, 32, 2]), mlp([2, 32, 32, 1]), z_dim=8, loss=minimax)
    x, z = torch.randn(16, 2), torch.randn(16, 8)
    assert torch.equal(lesson["r1"](game.D, x), r1(game.D, x))
    want = d_minimax(game.D(x), game.D(game.G(z))) + 0.25 * r1(game.D, x)  # γ = 0.5
    assert game.d_loss(x, z).item() == pytest.approx(want.item(), rel=1e-6)
    plain = VanillaGAN(game.G, game.D, z_dim=8, loss=minimax)
    assert torch.equal(game.g_loss(x, z), plain.g_loss(x, z))
    # one gradient a sample: the samples one by one, by hand
    own = sum(
        torch.autograd.grad(game.D(one).sum(), one)[0].square().sum() for one in x.clone().requires_grad_().split(1)
    )
    assert lesson["r1"](game.D, x).item() == pytest.approx(own.item() / 16, rel=1e-5)


@pytest.mark.parametrize("k", [1, 5])
def test_precision_and_recall_are_the_librarys_and_brute_force(lesson, k):
    draw = torch.Generator().manual_seed(2)
    real, fake = torch.randn(60, 3, generator=draw), 0.6 * torch.randn(40, 3, generator=draw) + 0.8
    good, reached = lesson["precision_recall"](real, fake, k)
    twin = prdc_features(real, fake, k)
    assert (good.mean().item(), reached.mean().item()) == (twin.precision, twin.recall)
    assert good.shape == (40,) and reached.shape == (60,)

    def in_a_ball(x, others):
        radii = [sorted(math.dist(a, b) for b in others)[k] for a in others]  # the first is the distance to itself
        return [float(any(math.dist(x_i, a) <= r for a, r in zip(others, radii))) for x_i in x]

    assert good.tolist() == in_a_ball(fake.tolist(), real.tolist())
    assert reached.tolist() == in_a_ball(real.tolist(), fake.tolist())
    assert 0 < good.mean() < 1 and 0 < reached.mean() < 1


def test_numbers_in_the_text_are_right(lesson):
    text = LESSON.read_text(encoding="utf-8")

    def sigmoid(t):
        return 1 / (1 + math.exp(-t))

    s = sigmoid(1)
    assert f"$\\sigma(1) = {s:.3f}$" in text
    assert f"$({1 + 0.1 * s:.3f}, {1 - 0.1 * s:.3f})$" in text
    assert re.search(rf"at \$\(3, -3\)\$ {sigmoid(-9):.4f}\.", text)
    spiral = (1 + 5000 * 0.2 / 8) ** -0.5  # 1/r² grows by h/8 a round, from 1
    assert f"$r = {spiral:.2f}$ after 5,000 rounds of $h = 0.2$" in text
    start = torch.tensor(1.0, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64)
    path = lesson["trajectory"](lesson["alternating"], *start, 0.2, 5000, saturating=False)
    assert float(path[-1].norm()) == pytest.approx(spiral, abs=0.005)
    # "size exactly 1 up to h = 4", and question 1: γ = 8 is slower than γ = 1
    assert np.abs(np.linalg.eigvals(dirac.update_matrix(dirac.alternating, 4.0).numpy())).max() < 1 + 1e-6
    assert np.abs(np.linalg.eigvals(dirac.update_matrix(dirac.alternating, 4.01).numpy())).max() > 1.05
    pace = {
        gamma: np.abs(np.linalg.eigvals(dirac.update_matrix(dirac.alternating, 0.1, gamma).numpy())).max()
        for gamma in (0.0, 0.3, 1.0, 8.0)
    }
    assert pace[0.0] == pytest.approx(1) and pace[1.0] < pace[0.3] < pace[8.0] < 1
    size = {
        turn: np.abs(np.linalg.eigvals(dirac.update_matrix(turn, 0.1, 1.0).numpy())).max()
        for turn in (dirac.simultaneous, dirac.alternating)
    }
    assert f"at most {size[dirac.simultaneous]:.2f} simultaneous, {size[dirac.alternating]:.2f} alternating" in text


def test_measured_numbers_in_the_text_are_those_of_the_committed_run():
    notebook = nbformat.read(LESSON.with_suffix(".ipynb"), as_version=4)
    printed = "".join(o.get("text", "") for c in notebook.cells if c.cell_type == "code" for o in c.outputs)
    text = LESSON.read_text(encoding="utf-8")
    recall = {name: value for name, value in re.findall(r"pixels +(.+?) +precision .*recall ([\d.]+)", printed)}
    assert f"dropping costs little recall, {recall['drops 5 to 9']} for {recall['the GAN']}" in text
    blot, sharp = (re.search(rf"classifier {name} +precision ([\d.]+)", printed)[1] for name in ("slow D", "collapsed"))
    assert float(sharp) == 1 and f"{blot} where it is a blot" in text
    missed = re.search(r"1 D step, min-max, raw G: modes missed: ([\d.]+)", printed)[1]
    assert f"for G's {missed}, but lags" in text


# --- the playground's table: each failure can be provoked with what the panel offers, and mended ------------------


@pytest.fixture
def table():
    """{failure: the cells of its row}"""
    rows = [line for line in LESSON.read_text(encoding="utf-8").splitlines() if line.startswith("# | ")]
    rows = {cells[0]: cells[1:] for cells in ([c.strip() for c in row[3:-1].split("|")] for row in rows)}
    return {name: rows[name] for name in ("dropping", "collapse", "vanishing gradients", "oscillation")}


def test_the_panel_offers_what_the_table_asks_for(table):
    assert {"minimax", "nonsaturating", "wasserstein"} <= set(objectives())
    assert ("R1, γ = 1", R1) in PENALTIES
    words = " ".join(cell for row in table.values() for cell in row)
    for word in ("`minimax`", "`nonsaturating`", "`wasserstein`", "R1, γ = 1", "5 D steps", "10 D steps", "1 D step,"):
        assert word in words
    rates = re.findall(r"rate (\S+)", words)
    assert rates == ["0.0002", "0.005", "1e-05"] and set(rates) <= {
        str(rate) for rate in RATES
    }  # as the slider says it


class Student:
    """The lesson's playground, played by hand."""

    def __init__(self, **changes):
        self.data = ring(8)
        seed_all(0)
        nets = {"G": mlp([8, 32, 32, 2]), "D": mlp([2, 32, 32, 1])}
        self.play = Playground(**nets, data=self.data, z_dim=8, batch_size=256, lr=2e-3, n_critic=5)
        self.z = torch.randn(5000, 8, generator=torch.Generator().manual_seed(1))
        self.go(0, **changes)

    def go(self, rounds, **changes):
        """Change settings one after the other, then play some rounds."""
        for name, value in changes.items():
            self.play.change(**{name: value})
        while self.play._requests:
            self.play.serve()
        self.play.trainer._pause = False
        if rounds:
            self.play.trainer.run(rounds)
        return self

    @property
    def fakes(self):
        return self.play.G(self.z).detach()

    @property
    def reached(self):
        """Modes with 1 % of the fakes within 0.3."""
        return int(((torch.cdist(self.fakes, self.data.means) < 0.3).double().mean(0) > 0.01).sum())

    @property
    def spread(self):
        """The fakes' standard deviation as a share of the data's."""
        return float(self.fakes.std(0).mean() / self.data.sample(5000).std(0).mean())

    @property
    def pull(self):
        """How long the arrows are, in the middle: the slope of G's loss at a fake."""
        return float(pulls(self.play.trainer.game, self.data.sample(5000), self.fakes).norm(dim=1).median())

    def swing(self, rounds=100):
        """How far D's loss strays in the last rounds."""
        return float(torch.stack(self.play.trainer.game.seen["D"][-rounds:]).std())


@pytest.mark.slow
def test_dropping_is_provoked_and_mended():
    student = Student(objective="minimax").go(300)
    before = student.reached
    assert before <= 6
    student.go(800, penalty=R1)
    assert student.reached == 8


@pytest.mark.slow
def test_collapse_is_provoked_and_mended():
    student = Student(n_critic=1, lr_D=2e-4).go(400)
    assert student.spread < 0.5
    student.go(400, lr_D=5e-3)
    assert student.spread > 0.85


@pytest.mark.slow
def test_vanishing_gradients_are_provoked_and_mended():
    student = Student(objective="minimax", n_critic=10, lr_G=1e-5).go(100)
    assert student.pull < 0.05  # an arrow shorter than 1 % of the picture
    before = student.fakes
    student.go(0, objective="nonsaturating")
    assert torch.equal(student.fakes, before) and student.pull > 1


@pytest.mark.slow
def test_oscillation_is_provoked_and_mended():
    student = Student(objective="wasserstein", n_critic=1).go(300)
    before = student.swing()
    student.go(500, penalty=R1)
    assert student.swing() < before / 5
    assert student.spread > 0.75
