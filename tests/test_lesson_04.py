"""Lesson 04's losses are the cross-entropies that it says; its loop plays the Step's round."""

from pathlib import Path

import pytest
import torch
from lesson_definitions import load_definitions

from ganedu.data import digits
from ganedu.models import vanilla
from ganedu.training import EMA, Step

LESSON = Path(__file__).resolve().parent.parent / "lessons" / "04_vanilla_gan.py"


@pytest.fixture(scope="module")
def lesson():
    return load_definitions(LESSON)


@pytest.fixture
def pair(lesson):
    """The lesson's game and the library's, built from one seed."""
    torch.manual_seed(0)
    own = lesson["VanillaGAN"](lesson["Generator"](), lesson["Discriminator"](), z_dim=64)
    torch.manual_seed(0)
    return own, vanilla.VanillaGAN(z_dim=64)


def test_losses_are_the_cross_entropies_that_the_lesson_says(pair):
    x, z = digits().sample(16, torch.Generator().manual_seed(1)), torch.randn(16, 64)
    game = pair[0].eval()  # batch norm's statistics stand still, so both computations see the same fakes
    real, fake = game.D(x).double(), game.D(game.G(z)).double()
    cross_entropy = torch.nn.functional.binary_cross_entropy
    ones, zeros = torch.ones_like(real), torch.zeros_like(real)
    want_d = cross_entropy(real.sigmoid(), ones) + cross_entropy(fake.sigmoid(), zeros)
    assert game.d_loss(x, z).item() == pytest.approx(want_d.item(), rel=1e-5)
    assert game.g_loss(x, z).item() == pytest.approx(cross_entropy(fake.sigmoid(), ones).item(), rel=1e-5)


def test_the_loop_by_hand_plays_the_rounds_of_the_step(lesson, pair):
    own, twin = pair
    data = digits()
    torch.manual_seed(7)
    by_hand = lesson["play_rounds"](own, data, rounds=5)
    torch.manual_seed(7)
    # the plain Adam of the lesson: behind batch norm a bias has no gradient but rounding, which Adam blows up to full size
    optimizers = {p: torch.optim.Adam(getattr(twin, p).parameters(), lr=1e-3, betas=(0.5, 0.999)) for p in twin.players}
    step = Step(twin, data, optimizers, {"G": EMA(twin.G)}, batch_size=64, generator=None)
    for _ in range(5):
        losses = step()
    assert by_hand == (losses["d_loss"].item(), losses["g_loss"].item())
    assert all(torch.equal(p, q) for p, q in zip(own.parameters(), twin.parameters()))


def test_without_batch_norm_takes_out_nothing_else(lesson):
    plain = lesson["without_batch_norm"](lesson["Generator"]())
    assert [type(layer).__name__ for layer in plain] == [
        "Linear",
        "ReLU",
        "Linear",
        "ReLU",
        "Linear",
        "Tanh",
        "Unflatten",
    ]
