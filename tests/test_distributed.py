"""Several processes: one update of two equals one update of one on the joined batch; a lost process; going on."""

import multiprocessing
import os
import re
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from torch import nn

from ganedu import distributed
from ganedu.blocks import mlp
from ganedu.checkpoints import Checkpoints, read
from ganedu.data import ring
from ganedu.distributed import ALONE, WorkerLost, Workers, join, parallel
from ganedu.models.dcgan import DCGAN
from ganedu.models.vanilla import VanillaGAN
from ganedu.models.wgan_gp import WGANGP
from ganedu.training import Trainer

pytestmark = pytest.mark.skipif(not dist.is_gloo_available(), reason="this torch has no Gloo")
SIZE, BATCH = 2, 8


class Slice:
    """Data that hands out a given batch, or this process's slice of it."""

    def __init__(self, batch, rank=0, size=1):
        self.batch, self.rank, self.size = batch, rank, size

    def sample(self, n, generator=None):
        return self.batch if n == 64 else self.batch[self.rank * n : (self.rank + 1) * n]

    def to(self, device):
        return self


def normed_mlp():
    """Batch norm in both nets: in D the penalty differentiates through it twice."""
    G = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    D = nn.Sequential(nn.Linear(2, 8), nn.BatchNorm1d(8, momentum=None), nn.Tanh(), nn.Linear(8, 1))
    return VanillaGAN(G, D, z_dim=3)


def normed_critic():
    game = normed_mlp()
    return WGANGP(game.G, game.D, z_dim=3)


GAMES = {
    "dcgan": (lambda: DCGAN(width=4), (1, 28, 28)),
    "wgan_gp": (lambda: WGANGP(mlp([3, 16, 2]), mlp([2, 16, 1]), z_dim=3), (2,)),
    "normed_mlp": (normed_mlp, (2,)),
    "normed_critic": (normed_critic, (2,)),
}

SOFT = ("dcgan", "normed_mlp")  # a penalty of weight 10 bears shorter steps


def one_round(name, rank, size, workers):
    """A round of the named game on this process's slice of a fixed batch, latents and ε. Returns the trainer."""
    make, shape = GAMES[name]
    fixed = torch.Generator().manual_seed(7)
    x = torch.rand(BATCH, *shape, generator=fixed) * 2 - 1
    if name == "dcgan":
        x = x + torch.arange(BATCH).view(-1, 1, 1, 1) / BATCH  # slices whose statistics differ
    latents = 3 * torch.randn(BATCH, 64, generator=fixed) + torch.arange(BATCH).view(-1, 1) / 4
    epsilons = torch.rand(BATCH, generator=fixed)

    torch.manual_seed(0)
    trainer = Trainer(make(), Slice(x, rank, size), batch_size=BATCH, seed=0, device="cpu")
    trainer.optimizers = {  # plain descent: a step is the gradient itself, where Adam's is little but its sign
        player: torch.optim.SGD(getattr(trainer.game, player).parameters(), lr=0.1 if name in SOFT else 0.01)
        for player in "DG"
    }
    trainer.plain_step.optimizers = trainer.optimizers
    parallel(trainer, workers)
    trainer.plain_step.batch_size = BATCH // size

    def mine(batch):
        n = BATCH // size
        return batch[rank * n : (rank + 1) * n]

    trainer.game.sample_z = lambda n, generator=None: mine(latents)[:, : trainer.game.z_dim]
    plain_rand = torch.rand
    torch.rand = lambda n, *shape, **kind: mine(epsilons).view(n, *shape)  # the penalty's ε
    try:
        trainer.game.train()
        losses = trainer.step()
    finally:
        torch.rand = plain_rand
    return trainer, {name: float(workers.average(loss.clone())) for name, loss in losses.items()}


def state_of(trainer):
    state = {name: value.clone() for name, value in trainer.game.state_dict().items()}
    return state | {f"ema.{name}": value for name, value in trainer.G_ema.state_dict().items()}


def in_processes(folder, function, *arguments, size=SIZE, timeout=30):
    """Run ``function(workers, *arguments)`` in ``size`` processes; what they return, by rank. None where one died."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    start = multiprocessing.get_context("forkserver")
    start.set_forkserver_preload(["pytest", "torch._dynamo", "ganedu.training", "ganedu.models", "ganedu.publishing"])
    processes = [
        start.Process(target=one_process, args=(rank, size, port, str(folder), function, arguments, timeout))
        for rank in range(size)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join(90)
    hung = [process for process in processes if process.is_alive()]
    for process in hung:
        process.kill()
    assert not hung
    paths = [Path(folder) / f"result-{rank}.pt" for rank in range(size)]
    return [torch.load(path, weights_only=True) if path.exists() else None for path in paths]


def one_process(rank, size, port, folder, function, arguments, timeout):
    torch.set_num_threads(1)
    os.environ |= {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(port)}
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": str(size), "LOCAL_RANK": str(rank)}
    workers = join("cpu", timeout=timeout)
    assert (workers.rank, workers.size) == (rank, size)
    result = function(workers, *arguments)
    torch.save(result, Path(folder) / f"result-{rank}.pt")


# --- one update -----------------------------------------------------------------------------------------------------


def rounds_of_all(workers):
    results, calls = {}, []
    plain = dist.all_reduce
    dist.all_reduce = lambda tensor, *more: calls.append(tensor.numel()) or plain(tensor, *more)
    for name in GAMES:
        calls.clear()
        trainer, losses = one_round(name, workers.rank, workers.size, workers)
        results[name] = {"state": state_of(trainer), "losses": losses, "calls": list(calls)}
    return results


@pytest.fixture(scope="module")
def both(tmp_path_factory):
    return in_processes(tmp_path_factory.mktemp("both"), rounds_of_all)


@pytest.mark.parametrize("name", GAMES)
def test_an_update_of_two_is_that_of_one_on_the_joined_batch(both, name):
    alone, losses = one_round(name, 0, 1, ALONE)
    for rank in range(SIZE):
        result = both[rank][name]
        for key, value in state_of(alone).items():
            torch.testing.assert_close(result["state"][key], value, rtol=0, atol=1e-5, msg=lambda m, k=key: f"{k}: {m}")
        assert result["losses"] == pytest.approx(losses, abs=1e-5)
    for key, value in both[0][name]["state"].items():
        assert torch.equal(value, both[1][name]["state"][key]), key  # the processes stay together bit for bit


@pytest.mark.parametrize("name", GAMES)
def test_a_slice_alone_would_have_gone_elsewhere(both, name):
    """The comparison above would notice: by far more than its tolerance."""
    half, _ = one_round(name, 0, SIZE, ALONE)
    joined, half = both[0][name]["state"], state_of(half)
    for net in "DG":
        away = max((joined[key] - half[key]).abs().max().item() for key in joined if key.startswith(f"{net}."))
        assert away > 1e-3


def test_gradients_are_reduced_once_per_update_in_one_buffer(both):
    game = GAMES["wgan_gp"][0]()
    sizes = [sum(p.numel() for p in net.parameters()) for net in (game.D, game.G)]
    # 5 updates of the critic, double backward included, 1 of the generator; the last two are the losses above
    assert both[0]["wgan_gp"]["calls"] == [sizes[0]] * 5 + [sizes[1]] + [1, 1]


def test_batch_norm_over_all_slices_is_torchs_on_the_joined_batch(tmp_path):
    results = in_processes(tmp_path, normalise_a_slice)
    torch.manual_seed(0)
    x = (torch.randn(10, 3, 4, 4) * 5 + 100).double()  # far from 0: E[x²] - E[x]² would lose its digits
    plain = nn.BatchNorm2d(3).double()
    x_joined = x.clone().requires_grad_()
    y = plain(x_joined)
    weight = torch.arange(y.numel(), dtype=torch.float64).view_as(y).sin()
    (gradient,) = torch.autograd.grad((y * weight).sum(), x_joined, create_graph=True)
    (twice,) = torch.autograd.grad(gradient.square().sum(), x_joined)
    for name, whole in {"y": y, "gradient": gradient, "twice": twice}.items():
        torch.testing.assert_close(torch.cat([r[name] for r in results]), whole.detach(), rtol=1e-9, atol=1e-9)
    for name in ("running_mean", "running_var", "num_batches_tracked"):
        torch.testing.assert_close(results[1][name], getattr(plain, name))


def normalise_a_slice(workers):
    torch.manual_seed(0)
    x = (torch.randn(10, 3, 4, 4) * 5 + 100).double()
    rows = slice(0, 4) if workers.rank == 0 else slice(4, 10)  # slices of unequal size
    net = nn.Sequential(nn.BatchNorm2d(3)).double()
    distributed.synchronise_batch_norm(net, workers)
    mine = x[rows].clone().requires_grad_()
    y = net(mine)
    weight = torch.arange(x.numel(), dtype=torch.float64).view_as(x).sin()[rows]
    (gradient,) = torch.autograd.grad((y * weight).sum(), mine, create_graph=True)
    (twice,) = torch.autograd.grad(gradient.square().sum(), mine)
    kept = {name: value for name, value in net[0].named_buffers()}
    net.eval()
    assert net(x).requires_grad  # with running statistics, and without asking anybody
    return {"y": y.detach(), "gradient": gradient.detach(), "twice": twice, **kept}


# --- a run of several -------------------------------------------------------------------------------------------------


def ring_trainer(workers, **settings):
    torch.manual_seed(0)
    game = VanillaGAN(mlp([4, 8, 2]), mlp([2, 8, 1]), z_dim=4)
    return parallel(Trainer(game, ring(), batch_size=8, seed=0, device="cpu", log_every=5, **settings), workers)


def train_and_save(workers, folder, start, rounds):
    trainer = ring_trainer(workers)
    drawn = [trainer.generator.get_state().clone(), torch.get_rng_state()]
    if start:
        trainer.load(start)
    trainer.run(rounds)
    path = trainer.save(Path(folder) / f"after-{trainer.round}-by-{workers.size}.pt")
    assert path.exists() or workers.rank
    state = {name: value.clone() for name, value in trainer.game.state_dict().items()}
    return {"state": state, "drawn": drawn, "history": trainer.history}


def test_streams_differ_weights_agree_and_a_run_goes_on(tmp_path):
    first = in_processes(tmp_path, train_and_save, str(tmp_path), None, 12)
    for name, value in first[0]["state"].items():
        assert torch.equal(value, first[1]["state"][name])
    assert first[0]["history"] == first[1]["history"]  # losses are means over all
    for mine, theirs in zip(first[0]["drawn"], first[1]["drawn"]):
        assert not torch.equal(mine, theirs)

    unbroken = in_processes(tmp_path, train_and_save, str(tmp_path), None, 20)
    resumed = in_processes(tmp_path, train_and_save, str(tmp_path), str(tmp_path / "after-12-by-2.pt"), 8)
    for name, value in unbroken[0]["state"].items():
        assert torch.equal(value, resumed[0]["state"][name]), name  # the same number of processes: bit for bit
    alone = ring_trainer(ALONE).load(tmp_path / "after-12-by-2.pt")
    assert alone.round == 12
    for name, value in first[0]["state"].items():
        assert torch.equal(value, alone.game.state_dict()[name])
    alone.run(3).save(tmp_path / "alone.pt")
    again = in_processes(tmp_path, train_and_save, str(tmp_path), str(tmp_path / "alone.pt"), 5)
    assert read(tmp_path / "after-20-by-2.pt")["round"] == 20 and torch.equal(
        again[0]["state"]["G.0.weight"], again[1]["state"]["G.0.weight"]
    )


def lose_one(workers):
    trainer = ring_trainer(workers)
    if workers.rank == 1:
        trainer.add_hook(lambda t: os.kill(os.getpid(), signal.SIGKILL), every=7)
    started = time.monotonic()
    try:
        trainer.run(10**6)
    except WorkerLost as lost:
        return {"said": str(lost), "round": trainer.round, "seconds": time.monotonic() - started}


def test_a_lost_process_ends_the_run_of_the_others(tmp_path):
    results = in_processes(tmp_path, lose_one)
    assert results[1] is None
    assert results[0]["round"] == 7 and results[0]["seconds"] < 45
    assert results[0]["said"].startswith("another process of this run is gone or did not answer in time (")
    assert results[0]["said"].endswith("start the same command again with --resume") and "\n" not in results[0]["said"]


def lag(workers):
    trainer = ring_trainer(workers)
    if workers.rank == 1:
        trainer.add_hook(lambda t: time.sleep(7), every=7)
    try:
        trainer.run(20)
    except WorkerLost as lost:
        return {"said": str(lost), "round": trainer.round}


def test_a_process_that_does_not_answer_is_not_waited_for_for_ever(tmp_path):
    results = in_processes(tmp_path, lag, timeout=3)
    assert results[0]["round"] == 7 and "did not answer in time" in results[0]["said"]


def test_a_batch_that_cannot_be_shared():
    with pytest.raises(ValueError, match="^batch_size: got 8, wants a multiple of 3, the number of processes"):
        ring_trainer(Workers(0, 3))


def test_alone_nothing_changes(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    workers = join("cpu")
    assert (workers.rank, workers.size) == (0, 1)
    a, b = ring_trainer(workers).run(3), ring_trainer(ALONE).run(3)
    for mine, theirs in zip(a.game.parameters(), b.game.parameters()):
        assert torch.equal(mine, theirs)
    x = torch.ones(2)
    assert workers.average(x) is x and workers.gather({"a": 1}) == [{"a": 1}]


# --- the command, under torchrun ----------------------------------------------------------------------------------------


def torchrun(folder, *more, processes=2):
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={processes}"]
    command += ["-m", "ganedu", "train", "dcgan", "--data", "digits", "--device", "cpu", "--out", "made", *more]
    return subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


@pytest.mark.slow
def test_torchrun_trains_loses_a_process_and_goes_on(tmp_path):
    settings = ["--batch-size", "8", "--checkpoint-every", "2"]
    run = torchrun(tmp_path, "--steps", "100000", *settings)
    hook, deadline = Checkpoints(tmp_path / "made"), time.monotonic() + 120
    while hook.latest() is None and time.monotonic() < deadline and run.poll() is None:
        time.sleep(0.2)
    workers = subprocess.run(
        ["ps", "-o", "pid=", "--ppid", str(run.pid)], capture_output=True, text=True
    ).stdout.split()
    assert len(workers) == 2
    os.kill(int(workers[1]), signal.SIGKILL)
    said, _ = run.communicate(timeout=90)
    assert run.returncode != 0
    reached = read(hook.latest())["round"]  # whole
    assert reached >= 2

    run = torchrun(tmp_path, "--steps", str(reached + 4), "--resume", *settings)
    said, _ = run.communicate(timeout=120)
    assert run.returncode == 0, said
    assert re.search(rf"goes on from round {reached:,}", said)
    assert said.count("wrote ") == 1  # rank 0 alone speaks
    state = read(tmp_path / "made" / "checkpoint.pt")
    assert state["round"] == reached + 4 and len(state["streams"]) == 2
