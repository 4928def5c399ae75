"""What every game of ganedu/models/ must do, found by its module's name. What is special to one stands in its own tests."""

import copy
import importlib
import inspect
import pkgutil
import re

import pytest
import torch

import ganedu.models
from ganedu.cli.finding import find_model, make_to_fit
from ganedu.data import ImageData
from ganedu.gan import GAN, Game, call
from ganedu.training import Speed, Step, Trainer, frozen

MODULES = [found.name for found in pkgutil.iter_modules(ganedu.models.__path__)]


def exported(name):
    """The games that a module of ganedu.models defines."""
    module = importlib.import_module(f"ganedu.models.{name}")
    classes = [value for value in vars(module).values() if inspect.isclass(value) and issubclass(value, Game)]
    return [value for value in classes if value.__module__ == module.__name__]


GAMES = {name: exported(name)[0] for name in MODULES if exported(name)}
SHAPED = [name for name, game in GAMES.items() if "data_shape" in inspect.signature(game).parameters]
every_game = pytest.mark.parametrize("name", GAMES)
FORMULA = re.compile(r"E\[|‖|Σ|log |KL\(|²")
AT_HOME = (1, 28, 28)  # the digits


def pictures(shape=AT_HOME, n=40):
    """Random pictures with all that a game may ask of a data set: labels, a second domain, a mask."""
    generator = torch.Generator().manual_seed(7)
    x = torch.randint(256, (n, *shape), dtype=torch.uint8, generator=generator)
    classes = [str(k) for k in range(10)]
    return ImageData(x, torch.arange(n) % 10, classes, "noise", a=x, b=255 - x, mask=(x[:, :1] > 127).float())


def built(name, seed=0, **settings):
    torch.manual_seed(seed)
    return GAMES[name](**settings)


def drawn(game, data, n=4):
    return game.draw(data, n, torch.Generator().manual_seed(1))


def samples(game, data, n=4):
    """n samples by the game as it stands, from equal generators."""
    with torch.no_grad():
        return call(game.generate, game.ingredients(data, n, torch.Generator().manual_seed(2)))


def owned(game, player):
    """The parameters that the player's optimiser moves."""
    groups = game.optimizer(player, 1e-3).param_groups
    return [p for group in groups for p in group["params"]]


def others(game, player):
    own = {id(p) for p in owned(game, player)}
    return [p for p in game.parameters() if id(p) not in own]


def test_the_games_are_found():
    assert {"vanilla", "dcgan", "lsgan", "wgan", "wgan_gp", "sngan", "r3gan"} <= set(GAMES)
    assert set(SHAPED) >= {"dcgan", "lsgan", "wgan", "wgan_gp", "sngan", "r3gan"}


@pytest.mark.parametrize("name", MODULES)
def test_a_module_exports_one_game_at_most_and_the_command_finds_it(name):
    games = exported(name)
    assert len(games) <= 1, f"ganedu/models/{name}.py: defines {games}, wants one game: one file, one paper"
    if games:
        assert find_model(name) is games[0]


@every_game
def test_the_paper_is_named_and_every_loss_has_its_formula(name):
    module = importlib.import_module(f"ganedu.models.{name}")
    assert re.search(r"https://arxiv\.org/abs/\d{4}\.\d{4,5}", module.__doc__), f"{name}: names no paper"
    game = GAMES[name]
    assert game.__dict__.get("__doc__"), f"{name}: its game says nothing of itself"
    for player in game.players:
        loss = getattr(game, f"{player.lower()}_loss")
        assert FORMULA.search(loss.__doc__ or ""), f"{name}: {loss.__name__} has no formula in its docstring"


@pytest.mark.parametrize(
    "name, shape",
    [(name, None) for name in GAMES] + [(name, shape) for name in SHAPED for shape in ((3, 32, 32), (1, 32, 32))],
)
def test_samples_have_the_datas_shape_and_range(name, shape):
    torch.manual_seed(0)
    game = GAMES[name]() if shape is None else make_to_fit(GAMES[name], shape)
    data = pictures(shape or AT_HOME)
    call(game.check, drawn(game, data))
    for mode in (True, False):
        x = samples(game.train(mode), data)
        assert x.shape == (4, *data.shape) and x.abs().max() <= 1
        assert x.std() > 0
    for player in game.players:
        assert torch.isfinite(game.loss(player, drawn(game, data)))


@every_game
def test_each_players_loss_is_finite_and_moves_that_player_alone(name):
    game = built(name)
    for player in game.players:
        game.zero_grad(set_to_none=True)
        with frozen(*others(game, player)):
            loss = game.loss(player, drawn(game, pictures()))
            assert loss.shape == () and torch.isfinite(loss)
            loss.backward()
        assert all(p.grad is None for p in others(game, player))
        for p in owned(game, player):
            assert p.grad is not None and torch.isfinite(p.grad).all()
        assert sum(p.grad.abs().sum() for p in owned(game, player)) > 0


@pytest.mark.parametrize("name", [name for name, game in GAMES.items() if issubclass(game, GAN)])
def test_the_discriminators_loss_is_cut_off_from_the_generator(name):
    """Not by the trainer's freezing: by the loss itself. G's first layer learns from G's loss, through D."""
    game = built(name)
    game.loss("D", drawn(game, pictures())).backward()
    assert all(p.grad is None for p in game.G.parameters())
    game.zero_grad(set_to_none=True)
    game.loss("G", drawn(game, pictures())).backward()
    assert next(game.G.parameters()).grad.abs().sum() > 0


@every_game
def test_a_turn_of_one_player_leaves_the_other_alone(name):
    """Parameters, gradients and Adam's moments, before and after each step of each player."""
    game, data = built(name), pictures()
    optimizers = {player: game.optimizer(player, 1e-3) for player in game.players}
    moved = []

    def watch(player):
        rest = others(game, player)
        states = [optimizer for other, optimizer in optimizers.items() if other != player]

        def seen():
            kept = [value for o in states for entry in o.state.values() for value in entry.values()]
            tensors = [*rest, *(p.grad for p in rest if p.grad is not None), *filter(torch.is_tensor, kept)]
            return [t.detach().clone() for t in tensors]

        def before(*_):
            moved.append((player, seen(), [p.detach().clone() for p in owned(game, player)]))

        def after(*_):
            _, was, own = moved[-1]
            now = seen()
            assert len(was) == len(now) and all(torch.equal(a, b) for a, b in zip(was, now)), player
            assert not all(torch.equal(a, b) for a, b in zip(own, owned(game, player))), player

        optimizers[player].register_step_pre_hook(before)
        optimizers[player].register_step_post_hook(after)

    for player in game.players:
        watch(player)
    step = Step(game, data, optimizers, {}, batch_size=4, generator=torch.Generator().manual_seed(0))
    step(), step()
    assert [player for player, _, _ in moved] == 2 * [p for p in game.players for _ in range(game.turns(p))]


@every_game
def test_it_is_copied_and_its_state_goes_round(name):
    game, data = built(name).eval(), pictures()
    twin, stranger = copy.deepcopy(game), built(name, seed=1).eval()
    want = samples(game, data)
    assert torch.equal(samples(twin, data), want) and not torch.equal(samples(stranger, data), want)
    stranger.load_state_dict(game.state_dict())
    assert torch.equal(samples(stranger, data), want)
    shallow = copy.copy(game)
    assert torch.equal(samples(shallow, data), want)
    with torch.no_grad():
        for p in twin.parameters():
            p.zero_()
    assert torch.equal(samples(game, data), want)  # a deep copy shares nothing


@every_game
def test_the_trainer_plays_it(name):
    settings = {"batch_size": 4, "seed": 0, "device": "cpu", "log_every": 1, "speed": Speed(tune=False)}
    trainer = Trainer(built(name), pictures(), **settings).run(1)
    assert trainer.sample(3).shape == (3, *AT_HOME)
    assert set(trainer.history) >= {f"{player.lower()}_loss" for player in trainer.game.players}


@every_game
def test_a_part_of_a_net_is_a_net(name):
    """D[:-1] is the obvious way to features; copies and iteration, too, are of the same layers."""
    game = built(name)
    for player in game.players:
        net = getattr(game, player)
        if not isinstance(net, torch.nn.Sequential):
            continue
        net.eval()
        first, last = net[:-1], net[-1:]
        assert list(net) == [*first, *last] and len(copy.copy(net)) == len(net)
        x = game.sample_z(2) if player == "G" else pictures(n=2).all()
        with torch.no_grad():
            assert torch.equal(last(first(x)), net(x))
            assert torch.equal(copy.deepcopy(net)(x), net(x))
