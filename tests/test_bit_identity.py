"""The trainer plays, to the bit, what stands written out here by hand: draws, updates, averages and samples.

Every claim of the lessons was measured on these draws in this order. A trainer that drew one number more, or the same ones
in another order, would train just as well, and all of them would have to be measured again.
"""

import copy

import pytest
import torch

from ganedu.data import digits
from ganedu.models.dcgan import DCGAN
from ganedu.models.vanilla import VanillaGAN
from ganedu.models.wgan_gp import WGANGP
from ganedu.training import EMA, Trainer

SEED, BATCH, ROUNDS = 5, 16, 3
GAMES = {"vanilla": VanillaGAN, "dcgan": lambda: DCGAN(width=4), "wgan_gp": WGANGP}  # the last one draws ε as well
every_game = pytest.mark.parametrize("name", GAMES)


def built(name):
    torch.manual_seed(0)
    return GAMES[name]()


def trained_by_the_trainer(name, rounds=ROUNDS):
    game = built(name)
    trainer = Trainer(game, digits(), batch_size=BATCH, device="cpu", seed=SEED, log_every=2)
    return trainer.run(rounds) if rounds else trainer


class ByHand:
    """The same run in plain PyTorch. Where torch's own generator is drawn from, the line says so."""

    def __init__(self, name, rounds=ROUNDS):
        self.game, self.data = game, data = built(name), digits()
        still = torch.Generator().manual_seed(SEED + 1)
        self.fixed_x = data.sample(64, still)
        self.fixed_z = torch.randn(64, game.z_dim, generator=still)
        torch.randn(2, game.z_dim)  # the check that G and D fit the data, from torch's generator
        self.average = copy.deepcopy(game.G).eval()
        draw = torch.Generator().manual_seed(SEED)
        adam = {
            player: torch.optim.Adam(net.parameters(), lr=game.lr, betas=game.betas, fused=True)
            for player, net in (("D", game.D), ("G", game.G))
        }
        game.train()
        for t in range(rounds):
            for player, turns in (("D", game.n_critic), ("G", 1)):
                other = game.G if player == "D" else game.D
                other.requires_grad_(False)
                for _ in range(turns):
                    x = data.sample(BATCH, draw)
                    z = torch.randn(BATCH, game.z_dim, generator=draw)
                    adam[player].zero_grad()
                    (game.d_loss if player == "D" else game.g_loss)(x, z).backward()
                    adam[player].step()
                other.requires_grad_(True)
            with torch.no_grad():
                pairs = zip(
                    [*self.average.parameters(), *self.average.buffers()], [*game.G.parameters(), *game.G.buffers()]
                )
                for mean, present in pairs:
                    if mean.is_floating_point():
                        mean.lerp_(present, 1 - min(0.999, (1 + t) / (10 + t)))
                    else:
                        mean.copy_(present)

    def samples(self, n):
        z = torch.randn(n, self.game.z_dim, generator=torch.Generator().manual_seed(SEED + 2))
        with torch.no_grad():
            return torch.cat([self.average(part) for part in z.split(500)])


def assert_equal_states(net, other):
    pairs = zip(net.state_dict().items(), other.state_dict().items(), strict=True)
    for (name, value), (_, by_hand) in pairs:
        assert torch.equal(value, by_hand), name


@every_game
def test_weights_and_averages_are_those_of_the_run_by_hand(name):
    trainer, by_hand = trained_by_the_trainer(name), ByHand(name)
    assert_equal_states(trainer.game, by_hand.game)
    assert_equal_states(trainer.G_ema, by_hand.average)


@every_game
def test_samples_are_those_of_the_average_by_hand(name):
    trainer, by_hand = trained_by_the_trainer(name), ByHand(name)
    expected = by_hand.samples(600)
    assert torch.equal(trainer.sample(600), expected)  # the first call, and any with seed=0
    assert torch.equal(trainer.sample(600, seed=0), expected)
    z = torch.randn(5, trainer.game.z_dim)
    with torch.no_grad():
        assert torch.equal(trainer.sample(5, z), by_hand.average(z))


@every_game
def test_what_is_looked_at_throughout_is_drawn_apart(name):
    trainer, by_hand = trained_by_the_trainer(name, rounds=0), ByHand(name, rounds=0)
    assert torch.equal(trainer.fixed_x, by_hand.fixed_x)
    assert torch.equal(trainer.fixed_z, by_hand.fixed_z)


@every_game
def test_torchs_own_generator_has_moved_as_far(name):
    trained_by_the_trainer(name)
    of_trainer = torch.get_rng_state()
    ByHand(name)
    assert torch.equal(of_trainer, torch.get_rng_state())


def test_this_test_sees_one_draw_more():
    """A run whose generator has given one number before is another run: what is compared above can differ."""
    game = built("vanilla")
    trainer = Trainer(game, digits(), batch_size=BATCH, device="cpu", seed=SEED)
    torch.randn(1, generator=trainer.generator)
    trainer.run(ROUNDS)
    assert not torch.equal(game.G[0].weight, ByHand("vanilla").game.G[0].weight)


def test_the_average_by_hand_is_the_librarys():
    net = torch.nn.Linear(3, 2)
    ema = EMA(net, 0.9)
    expected = ema.module.weight.clone()
    for t in range(5):
        torch.nn.init.normal_(net.weight)
        ema.update()
        expected = torch.lerp(expected, net.weight.detach(), 1 - min(0.9, (1 + t) / (10 + t)))
        assert torch.equal(ema.module.weight, expected)
