"""Games that this package has never seen: they train, show, save and resume, compile and run on two processes all the same."""

import copy
import io
import re
import warnings
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from PIL import Image
from strangers import GAMES, SIDE, Codes, Labelled, Swap, pictures
from test_distributed import in_processes
from torch import nn

from ganedu import training
from ganedu.data import ImageData, ring
from ganedu.diagnosis import EARLY, Doctor
from ganedu.distributed import parallel
from ganedu.gan import GAN, Game, call
from ganedu.hooks import LinearDecay
from ganedu.publishing import load_published, publish
from ganedu.training import Speed, Trainer
from ganedu.views.dashboard import Dashboard
from ganedu.views.samples import Samples, blocks_layout
from ganedu.views.summary import training_figure

every_game = pytest.mark.parametrize("name", GAMES)


def trainer_of(name, **settings):
    torch.manual_seed(0)
    make, data = GAMES[name]
    settings = {"batch_size": 8, "seed": 0, "device": "cpu", "log_every": 10, "speed": Speed(tune=False), **settings}
    return Trainer(make(), data(), **settings)


def state(trainer):
    """Everything that training changes, copied."""
    return copy.deepcopy(
        {
            "game": dict(trainer.game.state_dict()),
            "averages": {player: dict(ema.module.state_dict()) for player, ema in trainer.emas.items()},
            "optimizers": {player: o.state_dict()["state"] for player, o in trainer.optimizers.items()},
            "rates": {player: [g["lr"] for g in o.param_groups] for player, o in trainer.optimizers.items()},
        }
    )


def assert_same(a, b):
    if isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    elif isinstance(a, dict):
        assert a.keys() == b.keys()
        for key in a:
            assert_same(a[key], b[key])
    else:
        assert a == b


# --- what every game gets -----------------------------------------------------------------------------------------


@every_game
def test_it_trains(name):
    trainer = trainer_of(name, **({"lr": 5e-3} if name == "labelled" else {})).run(400)
    assert set(trainer.history) >= {"round", *(f"{player.lower()}_loss" for player in trainer.game.players)}
    if name == "labelled":  # each class is drawn in its own rows
        y = torch.arange(4).repeat(10)
        brightness = trainer.sample(40, y=y).view(40, 4, 2 * SIDE).mean(2)
        assert (brightness.argmax(1) == y).float().mean() > 0.9
    elif name == "swap":
        assert trainer.history["cycle"][-1] < 0.5 * trainer.history["cycle"][0]
        assert trainer.game.pool.abs().sum() > 0
    else:
        losses = trainer.history["model_loss"]
        assert losses[-1] < 0.6 * losses[0]


@every_game
def test_it_makes_samples_of_its_averages_and_changes_nothing_by_that(name):
    trainer = trainer_of(name).run(3)
    before, drawn = state(trainer), torch.get_rng_state()
    x = trainer.sample(70, batch_size=32, seed=3)
    assert x.shape == (70, 1, SIDE, SIDE) and not x.requires_grad and x.abs().max() <= 1
    assert torch.equal(x, trainer.sample(70, batch_size=32, seed=3))
    real, fake = trainer.compare()
    assert real.shape == fake.shape == (64, 1, SIDE, SIDE)
    trainer.preview(), trainer.observe(), Samples(trainer).draw()
    assert_same(state(trainer), before)
    assert torch.equal(drawn, torch.get_rng_state())
    assert all(module.training for module in trainer.game.modules())


@every_game
def test_its_grid_stands_in_the_dashboard_and_in_the_summary(name):
    trainer = trainer_of(name).run(20)
    dashboard = Dashboard(trainer)
    image, caption = dashboard.picture.children
    with Image.open(io.BytesIO(image.value)) as picture:
        width, height = picture.size
    titles = list(trainer.preview())
    for title in titles:
        assert title in caption.value
    samples = Samples(trainer)
    # blocks of c columns of 8 pixels, 2 between and around them, 6 more between two blocks
    assert width == len(titles) * (samples.columns * (SIDE + 2) + 2) + 6 * (len(titles) - 1)
    assert height == samples.rows * (SIDE + 2) + 2
    assert width * samples.scale <= 400 and height * samples.scale <= 420  # the charts fit beside it
    loss = f"{trainer.game.players[-1].lower()}_loss"
    assert {"g_loss": "G&#x27;s loss", "model_loss": "model loss"}[loss].replace(
        "&#x27;", "'"
    ) in dashboard.charts.value.replace("&#x27;", "'")
    about_d = "D's" in dashboard.charts.value.replace("&#x27;", "'")
    assert about_d == hasattr(trainer.game, "D")
    figure, caption, alt = training_figure(trainer)
    assert titles[0] in alt and ("what D says" in caption) == isinstance(trainer.game, GAN)


@every_game
def test_it_goes_on_from_a_checkpoint_to_the_bit(name, tmp_path):
    def decaying(**settings):
        trainer = trainer_of(name, **settings)
        trainer.add_hook(LinearDecay(4, 12))
        return trainer

    unbroken = decaying()
    unbroken.add_hook(lambda t: t.save(tmp_path / f"{t.round}.pt"))  # after the decay, in the midst of the run
    unbroken.run(9)
    torch.manual_seed(99)
    resumed = decaying(seed=7).load(tmp_path / "5.pt")
    assert_same(resumed.fixed, unbroken.fixed)
    resumed.run(4)
    assert_same(state(resumed), state(unbroken))


@every_game
@pytest.mark.slow
def test_compiled_it_learns_the_same(name):
    runs = []
    for compiled in (False, True):
        trainer = trainer_of(name, speed=Speed(tune=False, compile=compiled))
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="compile:")  # the fallback would make this test empty
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            runs.append(trainer.run(4))
    for (key, plain), compiled in zip(runs[0].game.state_dict().items(), runs[1].game.state_dict().values()):
        torch.testing.assert_close(plain, compiled, rtol=1e-3, atol=1e-4, msg=key)


@pytest.mark.slow
def test_compiled_on_the_same_fakes_a_label_goes_to_g_as_well():
    runs = []
    for compiled in (False, True):
        trainer = trainer_of("labelled", speed=Speed(tune=False, compile=compiled, reuse=True))
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="compile:")
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            runs.append(trainer.run(4))
    assert [names for _, names in runs[1].step._generators.values()] == [["z", "y"]]
    for plain, compiled in zip(*(trainer.game.state_dict().values() for trainer in runs)):
        torch.testing.assert_close(plain, compiled, rtol=1e-3, atol=1e-4)


def two_rounds(workers, name):
    trainer = parallel(trainer_of(name), workers)
    trainer.run(2)
    return {key: value for key, value in trainer.game.state_dict().items() if key != "pool"}  # each keeps its own fakes


@every_game
@pytest.mark.skipif(not dist.is_gloo_available(), reason="this torch has no Gloo")
def test_two_processes_share_one_model(name, tmp_path):
    one, other = in_processes(tmp_path, two_rounds, name)
    start = trainer_of(name).game.state_dict()
    assert_same(one, other)
    assert any(not torch.equal(one[key], start[key]) for key in one)


@every_game
def test_the_doctor_looks_at_it_and_changes_nothing(name):
    trainer = trainer_of(name).run(20)
    before, drawn = state(trainer), torch.get_rng_state()
    doctor = Doctor(trainer)
    for full in (False, True):
        verdicts = doctor.look(full)
    assert verdicts[0].name == EARLY and doctor.history["energy_distance"][-1] >= 0
    assert ("roc_auc" in doctor.history) == isinstance(trainer.game, GAN)
    for player in trainer.game.players:
        assert doctor.history[f"{player.lower()}_grad"][-1] > 0
    assert_same(state(trainer), before)
    assert torch.equal(drawn, torch.get_rng_state())
    assert all(module.training for module in trainer.game.modules())


@every_game
def test_it_is_published_and_read_back(name, tmp_path):
    trainer = trainer_of(name).run(3)
    path = publish(trainer, tmp_path / "game.safetensors", metrics={"n": 1})
    game, card = load_published(path, GAMES[name][0]())
    assert card["recipe"]["lr"].keys() == set(trainer.game.players) and card["steps"] == 3
    batch = trainer.game.ingredients(trainer.data, 5, torch.Generator().manual_seed(0))
    with torch.no_grad():
        assert torch.equal(call(game.generate, batch), call(trainer.averaged.generate, batch))


def test_training_py_knows_none_of_them():
    text = Path(training.__file__).read_text(encoding="utf-8")
    assert re.findall(r"\b(labels?|codes?|pool|masks?|captions?|domains?|ModuleDict|VAE|GLO|CycleGAN)\b", text) == []


@pytest.mark.parametrize(
    ("grids", "expected"),
    [
        ((28, 28, 10, 8), (1, 8, 1)),  # ten classes of digits, eight latents: a class a column
        ((28, 28, 3, 64), (2, 6, 2)),  # input, output and back: 3 (2 x 30 + 2) + 12 = 198 pixels, doubled
        ((8, 8, 4, 6), (1, 6, 6)),  # 4 x 12 + 18 = 66 pixels, six times as large
        ((256, 256, 3, 4), (1, 1, 1)),  # wider than there is room: one of each all the same
    ],
)
def test_layout_of_several_grids(grids, expected):
    assert blocks_layout(*grids) == expected


@pytest.mark.parametrize("size", [7, 8, 14, 28, 32, 64, 128])
@pytest.mark.parametrize("blocks", [2, 3, 4, 10])
def test_several_grids_leave_room_for_the_charts(size, blocks):
    columns, rows, scale = blocks_layout(size, size, blocks, 64)
    across, down = blocks * (columns * (size + 2) + 2) + 6 * (blocks - 1), rows * (size + 2) + 2
    assert (across * scale <= 400 and down * scale <= 420) or (columns, scale) == (1, 1)
    assert 1 <= columns * rows


# --- calls by name ------------------------------------------------------------------------------------------------


def test_a_method_gets_what_it_names():
    batch = {"x": 1, "y": 2, "z": 3}
    assert call(lambda z, x: (z, x), batch) == (3, 1)
    assert call(lambda batch: batch, batch) is batch
    assert call(lambda x, psi=0.5: (x, psi), batch) == (1, 0.5)
    assert call(lambda y, **rest: (y, rest), batch) == (2, {"x": 1, "z": 3})

    class Thing:
        def method(self, z):
            return self, z

    thing = Thing()
    for _ in range(2):  # looked up, then remembered
        assert call(thing.method, batch) == (thing, 3)


def test_a_name_that_is_not_there_ends_in_one_sentence():
    class Mistaken(Labelled):
        def d_loss(self, x, label, z):
            return x.sum()

    game = Mistaken()
    with pytest.raises(TypeError) as caught:
        Trainer(game, pictures(), device="cpu").run(1)
    assert str(caught.value).endswith(
        "got 'label' among its arguments, wants names of the batch: x, i, y, z, or batch for all of it"
    )
    assert "d_loss" in str(caught.value)
    with pytest.raises(TypeError, match=r"got 'y' among its arguments, wants names of the batch: x, i, z"):
        Trainer(Labelled(), ImageData(pictures().images), device="cpu")  # no labels there


def test_given_entries_stand_in_for_what_would_be_drawn():
    trainer = trainer_of("labelled").run(2)
    z, y = torch.randn(5, 6), torch.tensor([0, 1, 2, 3, 0])
    with torch.no_grad():
        expected = trainer.G_ema(z, y)
    assert torch.equal(trainer.sample(5, z, y=y), expected)
    for given, error, message in (
        ({"y": y[:3]}, ValueError, "y: got 3 of them for 5 samples, wants one for each"),
        ({"z": z[:2]}, ValueError, "z: got 2 of them for 5 samples, wants one for each"),
        ({"psi": 0.5}, TypeError, "psi: got it for samples of Labelled, wants one of z, y"),
    ):
        with pytest.raises(error) as caught:
            trainer.sample(5, **given)
        assert str(caught.value) == message


# --- who owns what ------------------------------------------------------------------------------------------------


def test_a_player_owns_what_its_optimiser_owns():
    """InfoGAN's Q: a head on D's trunk that G's optimiser moves, and D's does not."""

    class Owner(GAN):
        def __init__(self):
            super().__init__(nn.Linear(2, 2), nn.Linear(2, 4), z_dim=2)
            self.Q, self.spare = nn.Linear(4, 2), nn.Linear(4, 4)

        def optimizer(self, player, lr):
            own = {"D": [self.D], "G": [self.G, self.Q]}[player]
            return torch.optim.SGD([p for net in own for p in net.parameters()], lr=lr)

        def d_loss(self, x, z):
            return self.spare(self.D(x)).sum() + self.Q(self.D(self.G(z))).square().mean()

        def g_loss(self, z):
            return self.Q(self.D(self.G(z))).square().mean()

        def judge(self, x, z):
            return self.D(x)[:, 0], self.D(self.G(z))[:, 0]

    torch.manual_seed(0)
    game = Owner()
    trainer = Trainer(game, ring(), batch_size=4, lr=0.1, device="cpu", seed=0, speed=Speed(tune=False))
    moved = {"D": {"D"}, "G": {"G", "Q"}}
    for player, expected in moved.items():
        before = copy.deepcopy(game)
        with trainer.plain_step.alone(player):
            trainer.plain_step.learn(player, trainer.plain_step.draw(player))
        nets = {name: net for name, net in game.named_children()}
        changed = {n for n, net in nets.items() if not torch.equal(net.weight, getattr(before, n).weight)}
        assert changed == expected
    assert game.spare.weight.grad is None and game.spare.weight.requires_grad


# --- settings -----------------------------------------------------------------------------------------------------


def test_all_groups_of_a_player_follow_its_rate():
    trainer = trainer_of("codes")
    groups = trainer.optimizers["model"].param_groups
    trainer.set_lr("model", 4e-3)
    assert [group["lr"] for group in groups] == pytest.approx([4e-3, 4e-2])
    trainer.set_lr("model", 0.0)
    trainer.set_lr("model", 1e-3)
    assert [group["lr"] for group in groups] == pytest.approx([1e-3, 1e-2])


def test_a_decay_falls_on_a_line_and_a_hand_moves_the_line():
    trainer, seen = trainer_of("codes", lr=0.1), []
    trainer.add_hook(LinearDecay(start=2, end=6))
    trainer.add_hook(lambda t: seen.append([g["lr"] for g in t.optimizers["model"].param_groups]))
    trainer.run(4)
    assert seen == [pytest.approx([r, 10 * r]) for r in (0.1, 0.1, 0.075, 0.05)]
    trainer.set_lr("model", 0.02)  # half of the line is left: 0.04 of its own
    trainer.run(3)
    assert [lr for lr, _ in seen[4:]] == pytest.approx([0.01, 0.0, 0.0])
    assert trainer.rates["model"] == pytest.approx(0.04)
    with pytest.raises(ValueError, match="end: got 3, wants a round above start, 3"):
        LinearDecay(3, 3)


def test_a_batch_size_changes_from_the_next_round_on_and_is_resumed(tmp_path):
    trainer, sizes = trainer_of("vae"), []
    draw = trainer.game.draw
    trainer.game.draw = lambda data, n, generator=None: sizes.append(n) or draw(data, n, generator)
    trainer.add_hook(lambda t: t.set_batch_size(4) if t.round == 2 else None)
    trainer.run(4)
    assert sizes == [8, 8, 4, 4]
    trainer.save(tmp_path / "a.pt")
    resumed = trainer_of("vae").load(tmp_path / "a.pt")
    assert resumed.batch_size == resumed.plain_step.batch_size == 4
    with pytest.raises(ValueError, match="batch_size: got 0, wants a whole number of at least 1"):
        trainer.set_batch_size(0)


def test_a_schedule_fills_its_tensors_before_each_round_in_a_replay_too():
    class Scheduled(Codes):
        def __init__(self):
            super().__init__()
            self.register_buffer("alpha", torch.zeros(()))
            self.begun = []

        def begin(self, round):
            self.alpha.fill_(round / 10)
            self.begun.append((round, self.round))

        def model_loss(self, x, i):
            return super().model_loss(x, i) * self.alpha

    torch.manual_seed(0)
    game = Scheduled()
    trainer = Trainer(game, pictures(), batch_size=8, device="cpu", seed=0, log_every=1, speed=Speed(tune=False)).run(3)
    assert game.begun == [(0, 0), (1, 1), (2, 2)]
    assert trainer.history["model_loss"][0] == 0 and trainer.history["model_loss"][2] > 0


def test_the_pool_is_written_in_train_mode_only():
    game = Swap()
    batch = game.draw(GAMES["swap"][1](), 8, torch.Generator().manual_seed(0))
    game.eval()
    game.loss("D", batch)
    assert not game.pool.any()
    game.train()
    game.loss("D", batch)
    assert (game.pool.flatten(1).abs().sum(1) > 0).sum() == 8


def test_sixteen_bits_reach_tuples_and_dictionaries_of_nets():
    class Pair(nn.Linear):
        def forward(self, x):
            y = super().forward(x)
            return y, {"logits": y, "class": y.argmax(1)}

    class Double(Game):
        players = ("model",)

        def __init__(self):
            super().__init__()
            self.model = nn.ModuleDict({"one": Pair(2, 3)})
            self.seen = []

        def model_loss(self, x):
            y, parts = self.model["one"](x)
            self.seen.append((y.dtype, parts["logits"].dtype, parts["class"].dtype))
            return y.square().mean()

    game = Double()
    trainer = Trainer(game, ring(), batch_size=4, device="cpu", speed=Speed(precision=torch.bfloat16, tune=False))
    trainer.run(1)
    assert game.seen == [(torch.float32, torch.float32, torch.int64)]


# --- data ---------------------------------------------------------------------------------------------------------


def test_a_data_set_hands_over_all_that_it_knows():
    tokens, outline = torch.arange(80).view(40, 2), torch.randint(256, (40, 1, 8, 8), dtype=torch.uint8)
    data = pictures()
    data = ImageData(data.images, data.labels, data.classes, "bars", caption=tokens, a=outline)
    batch = data.batch(6, torch.Generator().manual_seed(3))
    i = batch["i"]
    assert list(batch) == ["x", "i", "y", "caption", "a"]
    assert torch.equal(batch["x"], data.sample(6, torch.Generator().manual_seed(3)))
    assert torch.equal(batch["y"], data.labels[i]) and torch.equal(batch["caption"], tokens[i])
    torch.testing.assert_close(batch["a"], outline[i].float() / 127.5 - 1)
    few = data.subset(torch.tensor([3, 1])).to("cpu")
    assert torch.equal(few.columns["caption"], tokens[[3, 1]])
    for columns, error, message in (
        ({"caption": tokens[:3]}, ValueError, r"caption: got shape \(3, 2\), wants 40 rows"),
        ({"z": tokens}, ValueError, "z: got a column of that name, wants another"),
        ({"caption": [1]}, TypeError, "caption: got a column of list, wants a tensor of 40 rows"),
    ):
        with pytest.raises(error, match=message):
            ImageData(data.images, **columns)


def test_a_ring_knows_its_modes():
    batch = ring().batch(50, torch.Generator().manual_seed(0))
    assert torch.equal(batch["x"], ring().sample(50, torch.Generator().manual_seed(0)))
    assert torch.equal(torch.cdist(batch["x"], ring().means).argmin(1), batch["y"])
