"""The trainer: what a round may touch, what a seed fixes, who is called when, and how bad input is refused."""

import copy
import math

import pytest
import torch
from torch import nn

from ganedu.blocks import mlp
from ganedu.data import ImageData, ring
from ganedu.gan import GAN
from ganedu.models.vanilla import Discriminator, Generator, VanillaGAN
from ganedu.training import EMA, NonFiniteLoss, Trainer, evaluating, frozen, update


def small_gan(loss_of_d=None):
    """A VanillaGAN in the plane; ``loss_of_d(gan, x, z)`` may replace D's loss."""

    class Small(VanillaGAN):
        def d_loss(self, x, z):
            return super().d_loss(x, z) if loss_of_d is None else loss_of_d(self, x, z)

    return Small(mlp([4, 16, 2]), mlp([2, 16, 1], nn.Tanh), z_dim=4)


def trainer_of(game=None, **settings):
    torch.manual_seed(0)
    return Trainer(game or small_gan(), ring(), **{"batch_size": 8, "seed": 0, "device": "cpu", **settings})


def everything_of(trainer, player):
    """Parameters, gradients and optimiser state of one player, copied."""
    module = getattr(trainer.game, player)
    return copy.deepcopy(
        {
            "parameters": [p.detach() for p in module.parameters()],
            "gradients": [p.grad for p in module.parameters()],
            "optimizer": [
                {name: value for name, value in trainer.optimizers[player].state[p].items()}
                for p in module.parameters()
            ],
        }
    )


def same(a, b):
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return torch.equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[key], b[key]) for key in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return a is b


# --- the parts -------------------------------------------------------------------------------------------------


def test_update_is_one_descent_step():
    w = nn.Parameter(torch.tensor([3.0, -2.0]))
    optimizer = torch.optim.SGD([w], lr=0.1)
    for expected in ([2.4, -1.6], [1.92, -1.28]):  # w <- w - 0.1 * 2 w = 0.8 w
        before = w.detach().square().sum()
        loss = update(optimizer, w.square().sum())
        torch.testing.assert_close(w.detach(), torch.tensor(expected))
        assert loss == before and not loss.requires_grad  # the loss at the weights before the step
    torch.testing.assert_close(w.grad, torch.tensor([4.8, -3.2]))  # of the last step alone, nothing piled up


def test_frozen_stops_gradients_at_the_parameters_and_lets_them_through():
    D = nn.Linear(2, 1)
    D.bias.requires_grad_(False)  # was so before, and is so after
    x = torch.ones(3, 2, requires_grad=True)
    with frozen(D):
        D(x).sum().backward()
    assert D.weight.grad is None
    torch.testing.assert_close(x.grad, D.weight.detach().expand(3, 2))
    assert D.weight.requires_grad and not D.bias.requires_grad
    with pytest.raises(KeyError), frozen(D):
        raise KeyError
    assert D.weight.requires_grad


def test_evaluating_puts_each_part_back_as_it_was():
    net = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2), nn.Dropout(0.5))
    net.train()
    net[1].eval()
    with evaluating(net):
        assert not any(m.training for m in net.modules())
        y = net(torch.randn(4, 2))
    assert not y.requires_grad
    assert [m.training for m in net] == [True, False, True] and net.training
    assert torch.equal(net[1].running_mean, torch.zeros(2))


def test_ema_of_a_jump_against_its_closed_form():
    """Weights that jump from 0 to 1: the average is 1 - Π d_t, and Π (1 + t)/(10 + t) for t < T is 1 / C(T + 9, 9)."""
    net = nn.Linear(1, 1, bias=False).double()
    nn.init.zeros_(net.weight)
    ema = EMA(net, decay=0.9999)
    nn.init.ones_(net.weight)
    for rounds in range(1, 41):
        ema.update()
        assert ema.module.weight.item() == pytest.approx(1 - 1 / math.comb(rounds + 9, 9), abs=1e-12)


def test_ema_late_is_the_exponential_average():
    """With d constant the average is d^T w_0 + (1 - d) Σ d^(T-1-t) w_t."""
    net = nn.BatchNorm1d(1, affine=False).double()  # its running mean stands for a weight: buffers are averaged too
    ema = EMA(net, decay=0.8)
    ema.updates = 1000  # past the early phase
    values = [3.0, -1.0, 4.0, 1.0, -5.0]
    for value in values:
        net.running_mean.fill_(value)
        net.num_batches_tracked.add_(1)
        ema.update()
    expected = 0.8**5 * 0.0 + 0.2 * sum(0.8 ** (4 - t) * value for t, value in enumerate(values))
    assert ema.module.running_mean.item() == pytest.approx(expected)
    assert ema.module.num_batches_tracked == 5  # a count is copied
    assert net.running_mean == -5.0  # the net that is followed stays as it is


def test_the_averaged_generator_follows_and_takes_no_gradient():
    trainer = trainer_of(ema_decay=0.0).run(3)
    for average, weight in zip(trainer.G_ema.parameters(), trainer.game.G.parameters()):
        assert torch.equal(average, weight) and average is not weight and not average.requires_grad


# --- a round ---------------------------------------------------------------------------------------------------


def forgot_to_detach(gan, x, z):
    return gan.objective.d(gan.D(x), gan.D(gan.G(z)))


@pytest.mark.parametrize("d_loss", [None, forgot_to_detach])
def test_a_players_step_leaves_the_other_bit_identical(d_loss):
    trainer = trainer_of(small_gan(d_loss), n_critic=2)
    seen = []  # (who is about to move, everything of both)
    loss = trainer.game.loss

    def watched(player, batch):
        seen.append((player, {p: everything_of(trainer, p) for p in "DG"}))
        return loss(player, batch)

    trainer.game.loss = watched
    trainer.run(3)
    seen.append((None, {p: everything_of(trainer, p) for p in "DG"}))
    assert [player for player, _ in seen[:-1]] == ["D", "D", "G"] * 3
    for (player, before), (_, after) in zip(seen, seen[1:]):
        other = "G" if player == "D" else "D"
        assert same(before[other], after[other])
        for part in ("parameters", "gradients", "optimizer"):
            assert not same(before[player][part], after[player][part])


def test_a_round_is_what_one_writes_by_hand():
    trainer = trainer_of(n_critic=2, lr={"D": 1e-3, "G": 2e-3})
    D, G = copy.deepcopy(trainer.game.D), copy.deepcopy(trainer.game.G)
    opt_d = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.999))
    opt_g = torch.optim.Adam(G.parameters(), lr=2e-3, betas=(0.5, 0.999))
    data, draw = ring(), torch.Generator().manual_seed(0)
    bce, ones, zeros = nn.BCEWithLogitsLoss(), torch.ones(8, 1), torch.zeros(8, 1)
    for _ in range(5):
        for _ in range(2):
            x, z = data.sample(8, draw), torch.randn(8, 4, generator=draw)
            opt_d.zero_grad()
            d_loss = bce(D(x), ones) + bce(D(G(z).detach()), zeros)
            d_loss.backward()
            opt_d.step()
        data.sample(8, draw)  # a round draws a real batch for every update, G's too
        opt_g.zero_grad()
        g_loss = bce(D(G(torch.randn(8, 4, generator=draw))), ones)
        g_loss.backward()
        opt_g.step()
    trainer.run(5)
    for mine, theirs in zip((D, G), (trainer.game.D, trainer.game.G)):
        for a, b in zip(mine.parameters(), theirs.parameters()):
            torch.testing.assert_close(a, b, rtol=1e-5, atol=1e-6)
    assert trainer.history["d_loss"] == pytest.approx([d_loss.item()], rel=1e-4)
    assert trainer.history["g_loss"] == pytest.approx([g_loss.item()], rel=1e-4)


# --- seeds -----------------------------------------------------------------------------------------------------


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.game.parameters()])


def test_the_same_seed_gives_the_same_weights_and_another_seed_others():
    assert torch.equal(weights(trainer_of(seed=1).run(7)), weights(trainer_of(seed=1).run(7)))
    assert not torch.equal(weights(trainer_of(seed=1).run(7)), weights(trainer_of(seed=2).run(7)))


def test_without_a_seed_torchs_own_decides():
    def run(seed):
        torch.manual_seed(seed)
        return weights(Trainer(small_gan(), ring(), batch_size=8, device="cpu").run(3))

    assert torch.equal(run(5), run(5))
    assert not torch.equal(run(5), run(6))


def test_in_one_go_or_in_pieces():
    assert torch.equal(weights(trainer_of().run(9)), weights(trainer_of().run(2).run(7)))


def test_looking_changes_nothing():
    def look(trainer):
        trainer.observe()
        trainer.sample(10)
        trainer.sample(64, trainer.fixed_z)

    watched = trainer_of()
    watched.add_hook(look)
    assert torch.equal(weights(watched.run(6)), weights(trainer_of().run(6)))


# --- hooks and history -----------------------------------------------------------------------------------------


def test_hooks_are_called_every_so_many_rounds():
    trainer, calls = trainer_of(), {1: [], 3: []}
    for every, rounds in calls.items():
        hook = trainer.add_hook(lambda t, rounds=rounds: rounds.append(t.round), every=every)
    trainer.run(4).run(4)
    assert calls == {1: [1, 2, 3, 4, 5, 6, 7, 8], 3: [3, 6]}
    trainer.remove_hook(hook)
    trainer.run(2)
    assert calls == {1: list(range(1, 11)), 3: [3, 6]}


def test_history_has_one_entry_every_log_every_rounds_and_one_at_the_end():
    trainer = trainer_of(log_every=4).run(10)
    assert trainer.history["round"] == [4, 8, 10]
    assert {name: len(values) for name, values in trainer.history.items()} == dict.fromkeys(
        ("round", "d_loss", "g_loss", "d_real", "d_fake"), 3
    )


def test_stop_from_a_hook_ends_after_that_round_and_may_go_on():
    trainer = trainer_of()
    hook = trainer.add_hook(lambda t: t.stop(), every=3)
    trainer.run(10)
    assert (trainer.round, trainer.state) == (3, "stopped")
    trainer.remove_hook(hook)
    trainer.run(2)
    assert (trainer.round, trainer.state) == (5, "done")


def test_settings_act_from_the_next_round_on():
    trainer, turns = trainer_of(), []
    loss = trainer.game.loss
    trainer.game.loss = lambda player, batch: turns.append(player) or loss(player, batch)

    def change(t):
        t.set_n_critic(3)
        t.set_lr("G", 0.0)

    hook = trainer.add_hook(change, every=2)
    trainer.run(2)
    assert "".join(turns) == "DGDG"
    trainer.remove_hook(hook)
    before = copy.deepcopy(list(trainer.game.G.parameters()))
    trainer.run(1)
    assert "".join(turns) == "DGDG" + "DDDG"
    assert trainer.lr("G") == 0 and all(map(torch.equal, before, trainer.game.G.parameters()))


# --- bad input: one sentence that names the argument, what it got and what it wants -----------------------------


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"batch_size": 0}, ValueError, "batch_size: got 0, wants a whole number of at least 1"),
        ({"batch_size": -4}, ValueError, "batch_size: got -4, wants a whole number of at least 1"),
        ({"batch_size": 2.5}, TypeError, "batch_size: got 2.5, wants a whole number"),
        ({"log_every": 0}, ValueError, "log_every: got 0, wants a whole number of at least 1"),
        ({"n_critic": 0}, ValueError, "n_critic: got 0, wants a whole number of at least 1"),
        ({"seed": -1}, ValueError, "seed: got -1, wants a whole number of at least 0"),
        ({"ema_decay": 1.0}, ValueError, "ema_decay: got 1.0, wants a number at least 0 and below 1"),
        ({"lr": -1e-3}, ValueError, "lr of D: got -0.001, wants a number at least 0"),
        ({"lr": {"D": 1e-3}}, ValueError, "lr: got players ['D'], wants ['D', 'G']"),
        ({"device": "tpu"}, ValueError, "device: got 'tpu', wants one of: cpu"),
    ],
)
def test_a_wrong_setting(settings, error, message):
    with pytest.raises(error) as caught:
        trainer_of(**settings)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


@pytest.mark.parametrize("rounds", [0, -3, 1.5, None])
def test_a_wrong_number_of_rounds(rounds):
    trainer = trainer_of()
    with pytest.raises((ValueError, TypeError), match="^rounds: got .*, wants a whole number of at least 1"):
        trainer.run(rounds)
    assert trainer.round == 0 and trainer.run(1).round == 1


def test_a_generator_that_does_not_fit():
    digits = ImageData(torch.zeros(3, 1, 28, 28))
    with pytest.raises(
        ValueError, match=r"^G: got samples of shape \(1, 32, 32\), wants the data's shape \(1, 28, 28\)"
    ):
        Trainer(VanillaGAN(G=Generator(data_shape=(1, 32, 32))), digits, device="cpu")
    with pytest.raises(ValueError, match=r"^D: got a net that fails on real batches of shape \(N, 1, 28, 28\)"):
        Trainer(VanillaGAN(D=Discriminator((1, 32, 32))), digits, device="cpu")


@pytest.mark.parametrize(
    ("images", "message"),
    [
        (torch.full((2, 1, 4, 4), 1.5), r"^images: got values from 1.5 to 1.5, wants \[-1, 1\]"),
        (torch.zeros(0, 1, 28, 28), r"^images: got shape \(0, 1, 28, 28\), wants \(N, C, H, W\) with at least one"),
    ],
)
def test_images_that_are_none(images, message):
    with pytest.raises(ValueError, match=message):
        Trainer(VanillaGAN(), ImageData(images))


def test_a_setting_of_nobody():
    trainer = trainer_of()
    with pytest.raises(ValueError, match="^player: got 'Q', wants one of D, G"):
        trainer.set_lr("Q", 1e-3)
    with pytest.raises(ValueError, match="^every: got 0, wants a whole number of at least 1"):
        trainer.add_hook(print, every=0)


def test_a_game_that_says_too_little():
    class Silent(GAN):
        pass

    with pytest.raises(AttributeError, match="d_loss"):
        trainer_of(Silent(mlp([4, 2]), mlp([2, 1]), z_dim=4)).run(1)


def test_a_loss_that_is_no_number_stops_the_run():
    trainer = trainer_of(log_every=5)
    trainer.add_hook(lambda t: t.game.G[0].weight.data.fill_(float("nan")), every=7)
    with pytest.raises(NonFiniteLoss, match="round 10"):
        trainer.run(100)
    assert trainer.state == "failed"
