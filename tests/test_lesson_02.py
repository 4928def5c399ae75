"""Lesson 02's own nets, losses and round are those of the library; and it runs as a plain script in an empty folder."""

import copy
import math
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from lesson_definitions import load_definitions

from ganedu.blocks import mlp
from ganedu.data import gaussian
from ganedu.losses import d_minimax, g_nonsaturating
from ganedu.models.vanilla import VanillaGAN
from ganedu.training import Step

ROOT = Path(__file__).resolve().parent.parent
LESSON = ROOT / "lessons" / "02_the_gan_game.py"
TWINS = {"make_G": [8, 32, 32, 1], "make_D": [1, 32, 32, 1]}


@pytest.fixture(scope="module")
def lesson():
    return load_definitions(LESSON)


class Source:
    """Real numbers from a generator of their own, so that whoever draws more of them disturbs nothing else."""

    def __init__(self, seed):
        self.data, self.generator = gaussian(4, 1.25), torch.Generator().manual_seed(seed)

    def sample(self, n, generator=None):
        return self.data.sample(n, self.generator)


@pytest.mark.parametrize("name", TWINS)
def test_nets_are_the_librarys(lesson, name):
    torch.manual_seed(1)
    own = lesson[name]()
    torch.manual_seed(1)
    twin = mlp(TWINS[name])
    state, twin_state = own.state_dict(), twin.state_dict()
    assert {k: v.shape for k, v in state.items()} == {k: v.shape for k, v in twin_state.items()}
    assert sum(p.numel() for p in own.parameters()) == {"make_G": 1377, "make_D": 1153}[name]  # counted by hand
    inputs = torch.randn(64, TWINS[name][0])
    assert torch.equal(own(inputs), twin(inputs))


def test_losses_are_the_librarys(lesson):
    real, fake = torch.randn(2, 64, 1, generator=torch.Generator().manual_seed(0)) * 20
    assert torch.equal(lesson["d_loss"](real, fake), d_minimax(real, fake))
    assert torch.equal(lesson["g_loss"](fake), g_nonsaturating(fake))


def test_example_by_hand_is_right(lesson):
    """The table of part 2: logits 0 and 2 for real, -2 and -1 for fake; plain logarithms."""

    def D(s):
        return 1 / (1 + math.exp(-s))

    d = -(math.log(D(0)) + math.log(D(2))) / 2 - (math.log(1 - D(-2)) + math.log(1 - D(-1))) / 2
    g = -(math.log(D(-2)) + math.log(D(-1))) / 2
    real, fake = torch.tensor([[0.0], [2.0]]), torch.tensor([[-2.0], [-1.0]])
    assert float(lesson["d_loss"](real, fake)) == pytest.approx(d, abs=1e-6)
    assert float(lesson["g_loss"](fake)) == pytest.approx(g, abs=1e-6)
    text = LESSON.read_text(encoding="utf-8")
    assert f"= {d:.3f}$. G's loss" in text and f"= {g:.3f}$. Part 4" in text


@pytest.mark.parametrize("n_critic", [1, 5])
def test_play_round_is_the_librarys_step(lesson, n_critic):
    torch.manual_seed(2)
    game = VanillaGAN(lesson["make_G"](), lesson["make_D"](), z_dim=lesson["z_dim"])
    game.betas, game.n_critic = (0.5, 0.99), n_critic
    G, D = copy.deepcopy(game.G), copy.deepcopy(game.D)
    opt_g, opt_d = (torch.optim.Adam(net.parameters(), lr=2e-3, betas=(0.5, 0.99)) for net in (G, D))
    optimizers = {player: game.optimizer(player, 2e-3) for player in game.players}
    step = Step(game, Source(0), optimizers, {}, batch_size=256, generator=None)
    source = Source(0)
    for k in range(3):
        torch.manual_seed(k)
        step.data.generator.manual_seed(k)  # in G's turn Step draws a real batch more: begin each round anew
        twin = step()
        torch.manual_seed(k)
        source.generator.manual_seed(k)
        own_d_loss, own_g_loss = lesson["play_round"](G, D, opt_d, opt_g, source, n_critic=n_critic)
        torch.testing.assert_close(own_d_loss, twin["d_loss"])
        torch.testing.assert_close(own_g_loss, twin["g_loss"])
    for mine, theirs in zip([*G.parameters(), *D.parameters()], [*game.G.parameters(), *game.D.parameters()]):
        torch.testing.assert_close(mine, theirs, rtol=1e-5, atol=1e-6)


@pytest.mark.slow
def test_runs_as_a_plain_script_in_an_empty_folder(tmp_path):
    folder, figures = tmp_path / "empty", tmp_path / "figures"
    folder.mkdir()
    settings = {name: value for name, value in os.environ.items() if not name.startswith("GANEDU_")}
    settings |= {"GANEDU_FIGURES": str(figures), "MPLBACKEND": "Agg", "GANEDU_CLAIMS": str(tmp_path / "claims.jsonl")}
    result = subprocess.run([sys.executable, str(LESSON)], cwd=folder, env=settings, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    claims = LESSON.read_text(encoding="utf-8").count("\nclaim(")
    assert result.stdout.count("✓") == claims == len((tmp_path / "claims.jsonl").read_text().splitlines())
    assert re.search(r"Trained: 400 rounds", result.stdout)  # the library twin, within the cell
    assert list(folder.iterdir()) == []
    assert len(list(figures.glob("*.png"))) == 9
