"""Speed changes nothing: a replayed round is the plain one, measuring leaves no trace, 16 bits end where 32 do."""

import contextlib
import copy
import dataclasses
import gc
import random
import time
import types
import warnings
import weakref

import numpy as np
import pytest
import torch
from torch import nn

from ganedu import losses, speed
from ganedu.blocks import mlp
from ganedu.data import digits, gaussian, ring
from ganedu.models.dcgan import DCGAN
from ganedu.models.r3gan import R3GAN
from ganedu.models.sngan import SNGAN
from ganedu.models.vanilla import VanillaGAN
from ganedu.models.wgan import WGAN
from ganedu.models.wgan_gp import WGANGP
from ganedu.speed import CapturedStep, graphs, tuning
from ganedu.speed.graphs import WARM_UP
from ganedu.training import Speed, Trainer

FIELDS = [field.name for field in dataclasses.fields(Speed)]


def with_speed(settings):
    """Settings of a Trainer, those of ``Speed`` among them packed into one."""
    chosen = {name: settings.pop(name) for name in FIELDS if name in settings}
    return {"speed": Speed(**chosen), **settings}


def small_trainer(game=None, **settings):
    torch.manual_seed(0)
    game = game or VanillaGAN(mlp([4, 16, 2]), mlp([2, 16, 1]), z_dim=4)
    return Trainer(game, ring(), **{"batch_size": 8, "seed": 0, "device": "cpu", **with_speed(settings)})


def weights(trainer):
    return torch.cat([p.detach().flatten() for p in trainer.game.parameters()]).cpu()


@pytest.fixture
def two_threads(monkeypatch):
    monkeypatch.setattr(speed, "TUNED_FROM", 20)
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    tuning._measured.clear()
    yield
    tuning._measured.clear()
    torch.set_num_threads(before)


# --- on a CPU --------------------------------------------------------------------------------------------------


def test_on_a_cpu_the_step_is_handed_back():
    trainer = small_trainer()
    assert speed.fast(trainer.plain_step) is trainer.plain_step is trainer.step


@pytest.mark.parametrize(
    ("one", "two", "chosen"), [(0.002, 0.03, 1), (0.03, 0.002, 2), (0.01, 0.01, 2), (0.02, 0.03, 2)]
)
def test_threads_are_chosen_by_the_clock(two_threads, one, two, chosen):
    asked = []

    def rehearse():
        asked.append(1)
        return lambda: time.sleep(one if torch.get_num_threads() == 1 else two)

    assert speed.quickest_threads(rehearse, "a net") == chosen
    assert speed.quickest_threads(rehearse, "a net") == chosen and len(asked) == 1  # once a process and net
    assert torch.get_num_threads() == 2


def test_a_single_thread_leaves_nothing_to_measure(two_threads):
    torch.set_num_threads(1)
    assert speed.quickest_threads(None, "a net") == 1


# --- the same fakes for both players ---------------------------------------------------------------------------


class Counting(nn.Sequential):
    calls = 0

    def forward(self, z):
        Counting.calls += 1
        return super().forward(z)


def test_reuse_computes_g_once_a_round_and_learns_what_a_loop_on_one_z_learns():
    torch.manual_seed(0)
    game = VanillaGAN(Counting(*mlp([4, 16, 2])), mlp([2, 16, 1]), z_dim=4)
    twin = copy.deepcopy(game)
    trainer = small_trainer(game, reuse=True, tune=False)
    Counting.calls = 0
    trainer.run(5)
    looks = 5 // trainer.log_every + 1  # observe() at the end of the run
    assert Counting.calls == 5 + looks

    optimizers = {p: twin.optimizer(p, twin.lr) for p in twin.players}
    draw = torch.Generator().manual_seed(0)
    data = ring()
    for _ in range(5):  # the public way: one z, D first, then G on the same fakes
        x, z = data.sample(8, draw), twin.sample_z(8, draw)
        fakes = twin.G(z)
        optimizers["D"].zero_grad()
        twin.objective.d(twin.D(x), twin.D(fakes.detach())).backward()
        optimizers["D"].step()
        optimizers["G"].zero_grad()
        twin.objective.g(twin.D(fakes)).backward()
        optimizers["G"].step()
    expected = torch.cat([p.detach().flatten() for p in twin.parameters()])
    torch.testing.assert_close(weights(trainer), expected, rtol=0, atol=1e-6)


def test_reuse_draws_anew_where_d_has_several_turns():
    games = [WGANGP(mlp([4, 16, 2]), mlp([2, 16, 1]), z_dim=4) for _ in range(2)]
    games[1].load_state_dict(games[0].state_dict())
    runs = [small_trainer(game, reuse=reuse, tune=False) for game, reuse in zip(games, (False, True))]
    for trainer in runs:
        torch.manual_seed(1)  # of the penalty's epsilon
        trainer.run(3)
    assert torch.equal(weights(runs[0]), weights(runs[1]))


def test_reuse_tells_a_d_loss_that_is_not_detached():
    class Leaky(VanillaGAN):
        def d_loss(self, x, z):
            return self.objective.d(self.D(x), self.D(self.G(z)))

    trainer = small_trainer(Leaky(mlp([4, 16, 2]), mlp([2, 16, 1]), z_dim=4), reuse=True, tune=False)
    with pytest.raises(ValueError, match="reuse: got a d_loss whose gradient runs back into G, wants G\\(z\\).detach"):
        trainer.run(1)
    assert "forward" not in vars(trainer.game.G)  # G is as it was


# --- layout ------------------------------------------------------------------------------------------------------


def test_channels_last_changes_the_layout_and_not_what_is_learned():
    trainers = []
    for channels_last in (None, True):
        torch.manual_seed(0)
        game = DCGAN(width=4, z_dim=8)
        chosen = Speed(tune=False, channels_last=channels_last)
        trainers.append(Trainer(game, digits(), batch_size=8, seed=0, lr=1e-4, speed=chosen))
        trainers[-1].run(3)
    plain, last = trainers

    def laid_out(trainer):
        kernels = [p for p in trainer.game.parameters() if p.dim() == 4 and p.shape[1] > 1 and p.shape[2] > 1]
        return [p.is_contiguous(memory_format=torch.channels_last) for p in kernels]

    assert laid_out(last) and all(laid_out(last)) and not any(laid_out(plain))
    for a, b in zip(plain.game.parameters(), last.game.parameters()):
        assert (a - b).abs().max() < 3.5 * 1e-4  # no weight can be further off than Adam moves in three rounds
        assert (a - b).abs().mean() < 2e-5
    with pytest.raises(TypeError, match="channels_last: got 'yes', wants True, False or None"):
        Speed(channels_last="yes")


@pytest.mark.parametrize(("plain", "last", "chosen"), [(0.03, 0.002, True), (0.002, 0.03, False), (0.01, 0.01, False)])
def test_the_layout_is_chosen_by_the_clock(plain, last, chosen):
    tuning._measured.clear()

    def rehearse(channels_last=False):
        return lambda: time.sleep(last if channels_last else plain)

    assert speed.quickest_layout(rehearse, "a net") is chosen
    tuning._measured.clear()


def test_a_trainer_that_tunes_takes_the_layout_that_was_found(monkeypatch):
    for found in (False, True):
        tuning._measured.clear()
        monkeypatch.setattr(speed, "quickest_precision", lambda rehearse, net: torch.float32)
        monkeypatch.setattr(speed, "quickest_layout", lambda rehearse, net, found=found: rehearse and found)
        game = DCGAN(width=4, z_dim=8)
        assert Trainer(game, digits(), batch_size=8, speed=Speed(tune=True)).speed.channels_last is found
        chosen = Speed(tune=True, channels_last=False)
        assert Trainer(DCGAN(width=4, z_dim=8), digits(), batch_size=8, speed=chosen).speed.channels_last is False
    tuning._measured.clear()


def test_the_fastest_exact_setting_is_a_rule_and_never_another_computation():
    for make, last in ((DCGAN, True), (VanillaGAN, None), (WGANGP, None)):
        chosen = Speed.fastest_exact(make(), "cpu")
        assert chosen == Speed(channels_last=last)
        assert chosen.precision == torch.float32 and not chosen.reuse
    assert Speed.fastest_exact(DCGAN(), "cuda") == Speed()
    assert Speed.fastest_exact(DCGAN(), "cpu", channels_last=False, compile=True) == Speed(
        channels_last=False, compile=True
    )


# --- compiled ----------------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_a_compiled_run_learns_what_the_plain_one_learns():
    """Batch norm's statistics, the penalty's own draws and its double backward included."""

    class Both(WGANGP):
        n_critic = 2

    runs = []
    for compiled in (False, True):
        torch.manual_seed(0)
        G = nn.Sequential(nn.Linear(4, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Linear(16, 2))
        trainer = small_trainer(Both(G, mlp([2, 16, 1]), z_dim=4), compile=compiled, tune=False, log_every=4)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="compile:")  # the fallback would make this test empty
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            trainer.run(8)
        runs.append(trainer)
    plain, compiled = runs
    assert isinstance(compiled.step, speed.Compiled) and len(compiled.step._programs) == 2  # one a player
    for a, b in zip(plain.game.state_dict().values(), compiled.game.state_dict().values()):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    for name in plain.history:
        assert plain.history[name] == pytest.approx(compiled.history[name], rel=1e-3, abs=1e-4)
    compiled.game.gp_weight = 0.0  # a number of the game: recorded anew, and not forgotten
    compiled.run(1)
    assert len(compiled.step._programs) == 4


@pytest.mark.slow
def test_a_compiled_run_on_the_same_fakes_learns_what_the_plain_one_learns():
    """G with batch norm and dropout, whose masks are drawn in one order in both; an odd one out would move every weight."""
    runs = []
    for compiled in (False, True):
        torch.manual_seed(0)
        G = nn.Sequential(
            nn.Linear(4, 16, bias=False), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.2), nn.Linear(16, 2)
        )
        game = VanillaGAN(G, mlp([2, 16, 1]), z_dim=4)
        trainer = small_trainer(game, compile=compiled, reuse=True, tune=False, log_every=4)
        with warnings.catch_warnings():
            warnings.filterwarnings("error", message="compile:")
            warnings.filterwarnings("ignore", category=DeprecationWarning)
            trainer.run(8)
        runs.append(trainer)
    plain, compiled = runs
    assert len(compiled.step._programs) == 2 and len(compiled.step._generators) == 1
    for a, b in zip(plain.game.state_dict().values(), compiled.game.state_dict().values()):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-5)
    for name in plain.history:
        assert plain.history[name] == pytest.approx(compiled.history[name], rel=1e-3, abs=1e-4)
    assert "forward" not in vars(compiled.game.G)  # G is as it was
    compiled.set_batch_size(12)  # another shape is another program
    compiled.run(1)
    assert len(compiled.step._programs) == 4 and len(compiled.step._generators) == 2


@pytest.mark.parametrize("reuse", [False, True])
def test_without_a_compiler_rounds_are_played_as_they_are(monkeypatch, reuse):
    def compile(*args, **kwargs):
        def program(*inputs):
            raise RuntimeError("no C++ compiler\nand a long story")

        return program

    monkeypatch.setattr(torch, "compile", compile)
    plain, trainer = (small_trainer(compile=compiled, reuse=reuse, tune=False) for compiled in (False, True))
    plain.run(3)
    with pytest.warns(UserWarning, match=r"compile: got no program .*\(no C\+\+ compiler\); rounds are played as"):
        trainer.run(3)
    assert torch.equal(weights(plain), weights(trainer)) and trainer.round == 3


@pytest.mark.parametrize(("full", "lowered", "chosen"), [(0.01, 0.002, torch.bfloat16), (0.01, 0.01, torch.float32)])
def test_precision_is_chosen_by_the_clock(two_threads, full, lowered, chosen):
    def rehearse(precision=torch.float32):
        return lambda: time.sleep(full if precision == torch.float32 else lowered)

    assert speed.quickest_precision(rehearse, "a net") == chosen


def test_measuring_leaves_no_trace(two_threads):
    class Noisy(VanillaGAN):
        def d_loss(self, x, z):
            noise = torch.rand(()).item() + random.random() + np.random.rand()  # from every global stream
            return super().d_loss(x, z) + 0 * noise

    def run(tune):
        random.seed(0), np.random.seed(0), torch.manual_seed(0)
        trainer = small_trainer(Noisy(mlp([4, 16, 2]), mlp([2, 16, 1]), z_dim=4), tune=tune)
        trainer.run(20)
        drawn = torch.rand(3), random.random(), np.random.rand(), torch.rand(3, generator=trainer.generator)
        return weights(trainer), drawn

    plain, drawn = run(False)
    assert not tuning._measured
    measured, drawn_after = run(None)
    assert [question for question, *_ in tuning._measured] == ["threads"]
    assert torch.equal(plain, measured)
    assert torch.equal(drawn[0], drawn_after[0]) and drawn[1:3] == drawn_after[1:3]
    assert torch.equal(drawn[3], drawn_after[3])


def test_a_run_has_the_threads_that_were_chosen_and_gives_them_back(two_threads):
    trainer, seen = small_trainer(), set()
    trainer.add_hook(lambda t: seen.add(torch.get_num_threads()))
    tuning._measured["threads", 2, trainer.rehearsal.net()] = 1
    trainer.run(19)
    assert seen == {2}  # too short a run to be measured
    seen.clear()
    trainer.run(20)
    assert seen == {1} and torch.get_num_threads() == 2


def test_a_game_with_a_function_put_onto_it_is_not_rehearsed(two_threads):
    trainer, calls = small_trainer(), []
    loss = trainer.game.loss
    trainer.game.loss = lambda player, batch: calls.append(player) or loss(player, batch)
    trainer.run(20)
    assert len(calls) == 40 and not tuning._measured


def test_a_game_that_cannot_be_copied_is_not_rehearsed(two_threads):
    class Keeping(VanillaGAN):
        def g_loss(self, x, z):
            self.kept = self.G(z)  # with its graph, which no copy can have
            return self.objective.g(self.D(self.kept))

    trainer = small_trainer(Keeping(mlp([4, 16, 2]), mlp([2, 16, 1]), z_dim=4)).run(1)
    trainer.run(20)
    assert trainer.round == 21 and not tuning._measured


# --- 16 bits ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("model", [DCGAN, WGANGP])
def test_bfloat16_stays_within_the_nets(model):
    torch.manual_seed(0)
    full = model()
    low = copy.deepcopy(full)
    seen = []
    trainer = Trainer(low, digits(), batch_size=8, seed=0, device="cpu", speed=Speed(precision=torch.bfloat16))
    low.G[0].register_forward_hook(lambda m, i, o: seen.append(o.dtype))
    batch = {name: entry[:8] for name, entry in trainer.fixed.items()}
    for player in "DG":
        torch.manual_seed(1)  # the penalty's ε
        lowered = trainer.plain_step.loss(player, batch)
        torch.manual_seed(1)
        exact = full.loss(player, batch)
        assert lowered.dtype == torch.float32
        assert lowered.item() == pytest.approx(exact.item(), rel=0.03, abs=0.01) and lowered != exact
    assert set(seen) == {torch.bfloat16}
    trainer.run(2)
    assert {p.dtype for p in [*low.parameters(), *trainer.G_ema.parameters()]} == {torch.float32}
    assert {v.dtype for o in trainer.optimizers.values() for s in o.state.values() for v in s.values()} == {
        torch.float32
    }
    assert trainer.sample(3).dtype == torch.float32


def test_both_precisions_learn_the_same_distribution():
    """N(4, 1.25²) is learned in 16 bits as in 32: means and standard deviations of 4,000 samples agree."""
    found = {}
    for precision in (torch.float32, torch.bfloat16):
        torch.manual_seed(0)
        game = VanillaGAN(mlp([4, 32, 1]), mlp([1, 32, 32, 1]), z_dim=4)
        trainer = Trainer(
            game,
            gaussian(4, 1.25),
            lr=2e-3,
            n_critic=5,
            ema_decay=0.98,
            seed=0,
            device="cpu",
            speed=Speed(precision=precision),
        )
        samples = trainer.run(400).sample(4000)
        found[precision] = samples.mean().item(), samples.std().item()
    full, lowered = found[torch.float32], found[torch.bfloat16]
    assert full == pytest.approx((4, 1.25), abs=0.25)
    assert lowered == pytest.approx(full, abs=0.25)


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"fast": "yes"}, TypeError, "fast: got 'yes', wants True, False or None"),
        ({"reuse": "yes"}, TypeError, "reuse: got 'yes', wants True or False"),
        ({"compile": 2}, TypeError, "compile: got 2, wants True or False"),
        ({"tune": "auto"}, TypeError, "tune: got 'auto', wants True, False or None"),
        ({"precision": torch.float16}, ValueError, "precision: got torch.float16, wants torch.float32 or"),
    ],
)
def test_a_wrong_setting(settings, error, message):
    with pytest.raises(error) as caught:
        small_trainer(**settings)
    assert str(caught.value).startswith(message) and "\n" not in str(caught.value)


# --- what a CapturedStep keeps, without a device: stand-ins for the graph count what is asked of them --------------


class FakeStep:
    """Two optimisers on the CPU, and a count of the rounds that were really played."""

    def __init__(self):
        self.nets = {player: nn.Linear(1, 1) for player in "DG"}
        self.optimizers = {player: torch.optim.Adam(net.parameters(), lr=0.5) for player, net in self.nets.items()}
        self.generator, self.batch_size, self.calls = torch.Generator(), 4, 0
        self.game = types.SimpleNamespace(players="DG", n_critic=1, lazy=False)
        both = nn.ModuleDict(self.nets)
        self.nets = both
        self.game.parameters, self.game.buffers, self.game.modules = both.parameters, both.buffers, both.modules
        self.game.turns = lambda player: self.game.n_critic if player == "D" else 1
        self.game.variant = lambda: self.game.lazy
        self.trouble = None

    def __call__(self):
        self.calls += 1
        if self.trouble:
            raise self.trouble.pop()
        for net in self.nets.values():
            for p in net.parameters():
                p.grad = torch.full_like(p, self.calls)
        return {"d_loss": types.SimpleNamespace(record_stream=lambda stream: None, of=self.calls)}


@pytest.fixture
def step(monkeypatch):
    captures, streams = [], []

    class Graph:
        replays = 0

        def replay(self):
            self.replays += 1

    @contextlib.contextmanager
    def capture(graph, pool, stream, capture_error_mode):
        captures.append(graph)
        yield

    stream = types.SimpleNamespace(wait_stream=lambda other: None)
    for name, value in {
        "Stream": lambda device: stream,
        "current_stream": lambda device: stream,
        "stream": lambda s: contextlib.nullcontext(),
        "graph_pool_handle": object,
        "set_stream": lambda stream: streams.append("present"),
        "CUDAGraph": Graph,
        "graph": capture,
        "get_sync_debug_mode": lambda: 0,
        "set_sync_debug_mode": lambda mode: None,
    }.items():
        monkeypatch.setattr(torch.cuda, name, value)
    captured = CapturedStep(FakeStep())
    captured.captures, captured.streams = captures, streams
    return captured


def test_warm_up_then_one_capture_then_replays(step):
    losses = [step()["d_loss"].of for _ in range(WARM_UP + 4)]
    assert step.step.calls == WARM_UP + 1  # the capture runs the Python of a round once, and no kernel
    assert losses == [1, 2, 3, 4, 4, 4, 4]  # the same places from then on
    assert [graph.replays for graph in step.captures] == [4]


def test_each_kind_of_round_has_its_graph_and_its_gradients(step):
    for _ in range(WARM_UP + 1):
        step()
    step.step.game.n_critic = 2
    for _ in range(WARM_UP + 1):
        step()
    assert len(step.captures) == 2
    parameter = step.step.nets["D"].weight
    assert parameter.grad == 2 * WARM_UP + 2
    step.step.game.n_critic = 1
    step()
    assert [graph.replays for graph in step.captures] == [2, 1] and parameter.grad == WARM_UP + 1


def test_few_graphs_are_kept(step):
    for kind in range(graphs.MOST_GRAPHS + 3):
        step.step.game.lazy = kind
        for _ in range(WARM_UP + 1):
            step()
    assert len(step._graphs) == graphs.MOST_GRAPHS and len(step.captures) == graphs.MOST_GRAPHS + 3
    step.step.game.lazy = 0  # dropped long ago: captured again, and warm already
    step()
    assert len(step.captures) == graphs.MOST_GRAPHS + 4 and step.captures[-1].replays == 1


def test_rates_are_tensors_whatever_is_written_there(step):
    group = step.step.optimizers["G"].param_groups[0]
    rate = group["lr"]
    assert rate == 0.5 and group["capturable"]
    group["lr"] = 0.25
    step()
    assert group["lr"] is rate and rate == 0.25
    group["lr"].fill_(0.125)
    step()
    assert rate == 0.125


def test_a_loaded_optimiser_is_captured_anew(step):
    optimizer = step.step.optimizers["D"]
    for _ in range(WARM_UP + 1):
        step()
    optimizer.load_state_dict(torch.optim.Adam(step.step.nets["D"].parameters(), lr=0.1).state_dict())
    assert optimizer.param_groups[0]["capturable"] and float(optimizer.param_groups[0]["lr"]) == pytest.approx(0.1)
    for _ in range(WARM_UP + 1):
        step()
    assert len(step.captures) == 2


def test_a_round_that_waits_is_not_captured(step):
    play = step.step.__call__

    class Waiting(FakeStep):
        def __call__(self):
            warnings.warn("called a synchronizing CUDA operation", stacklevel=1)
            return play()

    step.step.__class__ = Waiting
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="called a synchronizing")  # torch is silent on it but where asked
        for _ in range(WARM_UP - 1):
            step()
    with pytest.warns(UserWarning, match=r"^fast: got a round that waits for the device \(.*test_speed.py, line \d+\)"):
        step()
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="called a synchronizing")
        step()
    assert not step.captures


def test_what_hinders_a_capture_is_said_and_rounds_are_played_as_they_are(step):
    for _ in range(WARM_UP):
        step()
    pool, calls = step.pool, step.step.calls
    capturing = [RuntimeError("operation not permitted when stream is capturing\nand more")]
    step.step.trouble = capturing
    with pytest.warns(
        UserWarning, match=r"^fast: got a round that cannot be captured .*capturing\), wants .*kernel at a"
    ):
        losses = step()
    assert losses["d_loss"].of == step.step.calls == calls + 2  # the try, and the round itself
    assert step.pool is not pool and step.streams[-1] == "present"
    assert gc.isenabled()
    step()
    assert step.step.calls == calls + 3 and not step._graphs


def test_memory_that_runs_out_in_a_capture_is_the_trainers_to_tell(step):
    for _ in range(WARM_UP):
        step()
    step.step.trouble = [torch.OutOfMemoryError("none left")]
    with pytest.raises(torch.OutOfMemoryError):
        step()


def test_another_setting_of_the_game_is_another_graph(step):
    step.step.game.gp_weight, step.step.game.objective = 10.0, losses.hinge
    for change in (
        lambda game: None,
        lambda g: vars(g).update(gp_weight=100.0),
        lambda g: vars(g).update(objective=losses.minimax),
    ):
        change(step.step.game)
        for _ in range(WARM_UP + 2):
            step()
    assert [graph.replays for graph in step.captures] == [2, 2, 2]
    step.step.game.gp_weight, step.step.game.objective = 10.0, losses.hinge
    step()
    assert [graph.replays for graph in step.captures] == [3, 2, 2]  # the first one is still there


@pytest.mark.parametrize(
    "change",
    [
        lambda net: net.requires_grad_(False),
        lambda net: setattr(net, "weight", nn.Parameter(torch.zeros(1, 1))),
        lambda net: setattr(net.weight, "data", net.weight.data.clone()),
        lambda net: net.eval(),
    ],
)
def test_nets_that_were_changed_between_two_runs_are_captured_anew(step, change):
    step.begin_run()
    for _ in range(WARM_UP + 1):
        step()
    step.begin_run()
    step()
    assert len(step.captures) == 1
    change(step.step.nets["D"])
    step.begin_run()
    for _ in range(WARM_UP + 1):
        step()
    assert len(step.captures) == 2


def test_forgetting_takes_a_new_pool_and_an_optimiser_keeps_no_graph(step):
    pool, optimizers = step.pool, step.step.optimizers
    step.forget()
    assert step.pool is not pool
    gone = weakref.ref(step)
    held = [optimizer._optimizer_load_state_dict_post_hooks for optimizer in optimizers.values()]
    for hooks in held:
        for hook in hooks.values():
            assert not any(cell.cell_contents is step for cell in hook.__closure__ or ())
    assert gone() is step


def test_an_optimiser_that_cannot_be_captured_is_played_plainly(monkeypatch):
    step = FakeStep()
    step.generator = types.SimpleNamespace(device=torch.device("cuda"))
    monkeypatch.setattr(graphs, "CapturedStep", lambda step: "captured")
    assert speed.fast(step) == "captured"
    step.optimizers["G"] = torch.optim.SGD(step.nets["G"].parameters(), lr=0.1)
    assert speed.fast(step) is step


@pytest.mark.parametrize("make", [torch.optim.RMSprop, torch.optim.SGD, torch.optim.Adam])
def test_a_checkpoint_of_any_optimiser_from_cuda_goes_on_on_a_cpu(make, tmp_path):
    class Own(VanillaGAN):
        def optimizer(self, player, lr):
            return make(getattr(self, player).parameters(), lr=lr)

    def trainer():
        torch.manual_seed(0)
        return small_trainer(Own(mlp([4, 16, 2]), mlp([2, 16, 1]), z_dim=4))

    first = trainer().run(2)
    for optimizer in first.optimizers.values():
        graphs._capturable(optimizer)  # as on CUDA
    first.save(tmp_path / "a.pt")
    resumed = trainer().load(tmp_path / "a.pt").run(1)
    unbroken = trainer().run(3)  # but for the rate, which the device holds in 32 bits
    torch.testing.assert_close(weights(resumed), weights(unbroken), rtol=1e-5, atol=1e-6)


def test_a_checkpoint_of_a_captured_run_loads_on_a_cpu(tmp_path):
    trainer = small_trainer().run(2)
    for optimizer in trainer.optimizers.values():
        graphs._capturable(optimizer)
    trainer.save(tmp_path / "a.pt")
    loaded = small_trainer().load(tmp_path / "a.pt")
    assert loaded.lr("G") == pytest.approx(VanillaGAN.lr)
    assert torch.equal(weights(trainer.run(3)), weights(loaded.run(3)))
    loaded.set_lr("G", 0.0)
    before = copy.deepcopy(loaded.game.G.state_dict())
    loaded.run(1)
    assert all(torch.equal(before[name], value) for name, value in loaded.game.G.state_dict().items())


# --- on CUDA ---------------------------------------------------------------------------------------------------


def cuda_trainer(make, **settings):
    torch.manual_seed(0)
    return Trainer(make(), digits(), **{"batch_size": 32, "seed": 0, "device": "cuda", **with_speed(settings)})


def adam_steps(trainer, player):
    return int(next(iter(trainer.optimizers[player].state.values()))["step"])


@pytest.fixture
def deterministic(monkeypatch):
    monkeypatch.setattr(torch.backends.cudnn, "deterministic", True)
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", False)


@pytest.mark.gpu
@pytest.mark.parametrize("make", [DCGAN, WGANGP, VanillaGAN, WGAN, SNGAN, R3GAN])
def test_a_replayed_run_is_the_plain_one(make, deterministic):
    runs = {}
    for name in ("plain", "captured"):
        trainer, losses = cuda_trainer(make, fast=name == "captured" and None), []
        if name == "plain":  # the same rounding of Adam's rate
            for optimizer in trainer.optimizers.values():
                graphs._capturable(optimizer)
        assert isinstance(trainer.step, CapturedStep) == (name == "captured")
        trainer.game.train()
        torch.manual_seed(1)  # the penalty's ε comes from the device's own stream
        for _ in range(100):
            losses.append(torch.stack(list(trainer.step().values())).clone())
        average = torch.cat([p.flatten() for p in trainer.G_ema.parameters()]).cpu()
        runs[name] = torch.stack(losses).cpu(), weights(trainer), average
        assert adam_steps(trainer, "G") == trainer.emas["G"].updates == 100
        assert adam_steps(trainer, "D") == 100 * trainer.game.n_critic
    for plain, captured in zip(*runs.values()):
        torch.testing.assert_close(captured, plain, rtol=1e-3, atol=1e-4)


@pytest.mark.gpu
def test_changed_settings_reach_a_captured_round():
    trainer = cuda_trainer(DCGAN).run(WARM_UP + 2)
    trainer.set_lr("G", 0.0)
    before, d_before = (
        copy.deepcopy(list(trainer.game.G.parameters())),
        copy.deepcopy(list(trainer.game.D.parameters())),
    )
    trainer.run(2)
    assert all(map(torch.equal, before, trainer.game.G.parameters()))
    assert not all(map(torch.equal, d_before, trainer.game.D.parameters()))
    trainer.optimizers["G"].param_groups[0]["lr"] = 1e-3
    trainer.run(1)
    assert not all(map(torch.equal, before, trainer.game.G.parameters()))
    assert trainer.lr("G") == pytest.approx(1e-3)


@pytest.mark.gpu
def test_n_critic_and_kinds_of_rounds_are_captured_apart():
    class Lazy(WGANGP):
        def variant(self):
            return self.round % 4 == 0

        def d_loss(self, x, z):
            if self.variant():
                return super().d_loss(x, z)
            return self.D(self.G(z).detach()).mean() - self.D(x).mean()

    trainer = cuda_trainer(Lazy, n_critic=1).run(24)
    assert len(trainer.step._graphs) == 2 and adam_steps(trainer, "D") == 24
    trainer.set_n_critic(3)
    trainer.run(24)
    assert len(trainer.step._graphs) == 4 and adam_steps(trainer, "D") == 24 + 3 * 24


@pytest.mark.gpu
def test_every_replay_draws_anew():
    class Dropping(DCGAN):
        def __init__(self):
            super().__init__()
            self.D.insert(2, nn.Dropout(0.5))

    trainer = cuda_trainer(Dropping, lr=0.0, batch_size=16)
    state = trainer.generator.get_state()
    losses = []
    for _ in range(WARM_UP + 6):
        losses.append(float(trainer.step()["d_loss"]))
    assert len(set(losses)) == len(losses)
    assert not torch.equal(state, trainer.generator.get_state())
    # the trainer's own stream put back, only the dropout's goes on: the losses differ yet
    trainer.generator.set_state(state)
    torch.manual_seed(5)
    first = float(trainer.step()["d_loss"])
    trainer.generator.set_state(state)
    second = float(trainer.step()["d_loss"])
    trainer.generator.set_state(state)
    torch.manual_seed(5)
    assert first != second and float(trainer.step()["d_loss"]) == pytest.approx(first, rel=1e-3)


@pytest.mark.gpu
def test_a_loss_that_is_read_every_round_is_played_plainly():
    class Reading(VanillaGAN):
        def d_loss(self, x, z):
            loss = super().d_loss(x, z)
            assert loss.item() > 0
            return loss

    trainer = cuda_trainer(Reading)
    with pytest.warns(UserWarning, match="^fast: got a round that waits for the device"):
        trainer.run(WARM_UP + 5)
    assert trainer.round == adam_steps(trainer, "D") == WARM_UP + 5


@pytest.mark.gpu
def test_a_captured_run_goes_on_from_a_checkpoint(tmp_path, deterministic):
    whole = cuda_trainer(DCGAN).run(10)
    whole.save(tmp_path / "a.pt")
    whole.run(10)
    resumed = cuda_trainer(DCGAN).run(WARM_UP + 3)
    resumed.load(tmp_path / "a.pt").run(10)
    torch.testing.assert_close(weights(resumed), weights(whole), rtol=1e-4, atol=1e-5)
    assert resumed.round == adam_steps(resumed, "G") == 20


@pytest.mark.gpu
def test_memory_of_a_captured_round_is_that_of_the_plain_one():
    peaks = []
    for setting in (False, None):
        torch.cuda.empty_cache()
        trainer = cuda_trainer(DCGAN, fast=setting, batch_size=256).run(WARM_UP)
        held = torch.cuda.memory_allocated()
        torch.cuda.reset_peak_memory_stats()
        trainer.run(10)
        peaks.append(torch.cuda.max_memory_allocated() - held)
        del trainer
    assert peaks[1] <= 1.2 * peaks[0]
