"""A lesson's game is its library twin: equal parameters, outputs, losses, gradients and settings, and equal training.

Each lesson's own definitions are read from its source, nothing of it is trained. The twin is found by its name: the class
that the module which the lesson's closing part imports defines under the same name.
"""

import copy
import inspect
from pathlib import Path

import pytest
import torch
from lesson_definitions import data_of, load_definitions, own_games, pairs
from torch import nn

from ganedu.gan import Game, call
from ganedu.training import Speed, Trainer
from tools import readme

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted((ROOT / "lessons").glob("[0-9][0-9]_*.py"))
LOADED = {path: load_definitions(path) for path in LESSONS}
COUNTED = {  # parameters of G and of D, counted by hand
    # 64*256+256 + 2*256 + 256*512+512 + 2*512 + 512*784+784, and 784*512+512 + 512*256+256 + 256+1
    "VanillaGAN": (551_952, 533_505),
    # 64*3136 + 2*64 + 64*32*16 + 2*32 + 32*16, and 16*16+16 + 16*32*16 + 2*32 + 1568+1
    "DCGAN": (234_176, 10_097),
}
GAMES = [
    pytest.param(path, name, id=f"{path.stem[:2]}-{name}") for path in LESSONS for name in own_games(path, LOADED[path])
]
NETS = [
    pytest.param(own, twin, id=f"{path.stem[:2]}-{name}")
    for path in LESSONS
    for name, (own, twin) in pairs(path, LOADED[path]).items()
    if issubclass(own, nn.Module) and not issubclass(own, Game)
]
every_game = pytest.mark.parametrize("path, name", GAMES)


def twin_of(path, name):
    found = pairs(path, LOADED[path])
    assert name in found, (
        f"lessons/{path.name}: defines the game {name}, and no module that its closing part on the library's twin "
        f"imports has a class of that name; wants ganedu/models/ to have it, or a base class other than Game and GAN"
    )
    return found[name]


def both(path, name):
    """The lesson's game and the library's, built from one seed.

    What the lesson's class asks for is given by the twin: a net is made by the lesson's class of the same name (the twin's
    own net is copied where the lesson has none), another argument is the twin's attribute.
    """
    own, twin_class = twin_of(path, name)
    torch.manual_seed(0)
    twin = twin_class()
    torch.manual_seed(0)
    given = {}
    for key, parameter in inspect.signature(own).parameters.items():
        value = getattr(twin, key, None)
        if isinstance(value, nn.Module):
            make = LOADED[path].get(type(value).__name__)
            given[key] = copy.deepcopy(value) if make is None else make()
        elif parameter.default is parameter.empty and hasattr(twin, key):
            given[key] = value
    return own(**given), twin


def batches(path, games):
    """The batch that each game draws, from equal generators."""
    data = data_of(path, LOADED[path])
    return [game.draw(data, 16, torch.Generator().manual_seed(1)) for game in games]


def tensors(value):
    if isinstance(value, torch.Tensor):
        return [value]
    if isinstance(value, dict):
        value = value.values()
    return [tensor for part in value for tensor in tensors(part)]


def assert_equal(own, twin):
    own, twin = tensors(own), tensors(twin)
    assert len(own) == len(twin) > 0
    assert all(a.shape == b.shape and torch.equal(a, b) for a, b in zip(own, twin))


def differs(path):
    """{setting: the reason} for which the lesson's header says that the library's value is another."""
    return readme.facts(path).get("twin_differs", {})


@every_game
def test_a_game_has_its_twin_with_equal_parameters(path, name):
    own, twin = both(path, name)
    assert_equal(list(own.parameters()), list(twin.parameters()))
    assert_equal([*own.parameters(), *own.buffers()], [*twin.parameters(), *twin.buffers()])
    counts = tuple(sum(p.numel() for p in getattr(own, player).parameters()) for player in ("G", "D"))
    assert counts == COUNTED.get(name, counts)


@every_game
def test_settings_are_the_twins(path, name):
    """Of every plain attribute that the lesson's class sets, and of Adam's betas and the turns in any case."""
    own, twin = both(path, name)
    set_here = {
        key
        for kind in type(own).__mro__
        if kind.__module__ == path.stem
        for key, value in vars(kind).items()
        if isinstance(value, int | float | tuple | dict) and key[0] != "_" and hasattr(twin, key)
    }
    for key in sorted(set_here | {"betas", "players", "averaged", "z_dim"}):
        if key in differs(path):
            assert getattr(own, key) != getattr(twin, key), f"{key}: its header says that the twin's is another"
        else:
            assert getattr(own, key) == getattr(twin, key), key
    assert [own.turns(player) for player in own.players] == [twin.turns(player) for player in twin.players]


@every_game
def test_outputs_losses_and_gradients_are_the_twins(path, name):
    games = both(path, name)
    drawn = batches(path, games)
    assert drawn[0].keys() == drawn[1].keys()
    assert_equal(drawn[0], drawn[1])
    for method in ("generate", "judge", "observe"):
        if method in vars(type(games[0])) or method == "generate":
            assert_equal(*(call(getattr(game, method), batch) for game, batch in zip(games, drawn)))
    for player in games[0].players:
        losses, slopes = [], []
        for game, batch in zip(games, drawn):
            torch.manual_seed(2)  # for a loss that draws
            losses.append(game.loss(player, batch))
            slopes.append(torch.autograd.grad(losses[-1], list(game.parameters()), allow_unused=True))
        assert losses[0].shape == () and torch.equal(*losses), player
        assert [g is None for g in slopes[0]] == [g is None for g in slopes[1]]
        for mine, theirs in zip(*slopes):
            # the same formula in another order of sums may round otherwise
            assert mine is None or torch.allclose(mine, theirs, rtol=1e-4, atol=1e-6)


@every_game
def test_two_rounds_of_training_are_the_twins(path, name):
    trained = []
    for game in both(path, name):
        torch.manual_seed(4)
        settings = {"batch_size": 16, "lr": 1e-3, "seed": 3, "device": "cpu", "log_every": 1}
        trained.append(Trainer(game, data_of(path, LOADED[path]), speed=Speed(tune=False), **settings).run(2))
    own, twin = trained
    assert_equal([*own.game.parameters(), *own.game.buffers()], [*twin.game.parameters(), *twin.game.buffers()])
    for player in own.game.players:
        key = f"{player.lower()}_loss"
        assert own.history[key] == twin.history[key]


@pytest.mark.parametrize("own, twin", NETS)
def test_nets_of_the_same_name_are_the_twins(own, twin):
    nets = []
    for make in (own, twin):
        torch.manual_seed(1)
        nets.append(make())
    assert_equal(list(nets[0].parameters()), list(nets[1].parameters()))


def test_the_lessons_games_are_found():
    found = {name for _, name in (param.values for param in GAMES)}
    assert {"VanillaGAN", "DCGAN", "LSGAN", "WGAN", "WGANGP", "SNGAN", "R3GAN"} <= found


def test_a_game_without_a_twin_is_named(monkeypatch):
    (path,) = (path for path in LESSONS if path.stem == "09_wgan")
    namespace = {**LOADED[path], "Lonely": type("Lonely", (Game,), {"__module__": path.stem})}
    monkeypatch.setitem(LOADED, path, namespace)
    assert "Lonely" in own_games(path, namespace)
    with pytest.raises(AssertionError, match="lessons/09_wgan.py: defines the game Lonely, and no module"):
        both(path, "Lonely")


def test_a_loss_that_has_drifted_is_seen(monkeypatch):
    (path,) = (path for path in LESSONS if path.stem == "09_wgan")
    monkeypatch.setattr(LOADED[path]["WGAN"], "g_loss", lambda self, z: -1.01 * self.D(self.G(z)).mean())
    with pytest.raises(AssertionError, match="G"):
        test_outputs_losses_and_gradients_are_the_twins(path, "WGAN")
