"""Looking and saving from another thread, while a run goes on: between two rounds, and without a trace."""

import threading
import time

import pytest
import torch
from torch import nn

from ganedu.blocks import mlp
from ganedu.data import ring
from ganedu.models.vanilla import VanillaGAN
from ganedu.training import Speed, Trainer, evaluating
from ganedu.views.drivers import Background


def trainer_of():
    torch.manual_seed(0)
    G = nn.Sequential(nn.Linear(4, 16), nn.BatchNorm1d(16), nn.ReLU(), nn.Dropout(0.1), nn.Linear(16, 2))
    game = VanillaGAN(G, mlp([2, 16, 1]), z_dim=4)
    return Trainer(game, ring(), batch_size=8, seed=0, device="cpu", log_every=1000, speed=Speed(tune=False))


def steps_of(optimizer):
    return {int(state["step"]) for state in optimizer["state"].values()}


def in_the_background(trainer, rounds):
    return Background(trainer, rounds, lambda: None, lambda error: None)


def test_a_checkpoint_from_another_thread_is_of_the_end_of_a_round(tmp_path):
    trainer = trainer_of()
    run = in_the_background(trainer, 100_000)
    for i in range(12):
        time.sleep(0.02)
        trainer.save(tmp_path / f"{i}.pt")
    trainer.stop()
    run.wait()
    rounds = []
    for i in range(12):
        state = torch.load(tmp_path / f"{i}.pt", weights_only=True)
        assert steps_of(state["optimizers"]["D"]) == steps_of(state["optimizers"]["G"]) == {state["round"]}
        assert state["emas"]["G"][1] == state["round"]
        rounds.append(state["round"])
    assert rounds == sorted(set(rounds))  # the run went on meanwhile
    torch.manual_seed(0)
    assert trainer_of().load(tmp_path / "3.pt").round == rounds[3]


def test_looks_from_another_thread_leave_the_run_as_it_is():
    alone = trainer_of()
    torch.manual_seed(1)
    alone.run(3000)
    watched = trainer_of()
    torch.manual_seed(1)
    run, looks = in_the_background(watched, 3000), 0
    while watched.state in ("running", "idle"):
        assert set(watched.observe()) == {"d_real", "d_fake"}
        assert watched.sample(3).shape == watched.preview(3).shape == (3, 2)
        watched.compare()
        looks += 1
        time.sleep(0.01)
    run.wait()
    assert looks > 3
    assert all(module.training for module in watched.game.modules())
    for a, b in zip(alone.game.state_dict().values(), watched.game.state_dict().values(), strict=True):
        assert torch.equal(a, b)


def test_what_fails_between_rounds_fails_where_it_was_asked_for(tmp_path):
    trainer = trainer_of()
    run = in_the_background(trainer, 100_000)
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match="could not be written"):
        trainer.save(tmp_path / "file" / "a.pt")
    with pytest.raises(FileNotFoundError):
        trainer.load(tmp_path / "nowhere.pt")
    assert trainer.state == "running"  # the training has heard nothing of it
    trainer.pause()
    while trainer.state != "paused":
        time.sleep(0.01)
    assert trainer.sample(2).shape == (2, 2)  # during a pause as well
    trainer.stop()
    run.wait()


def test_two_threads_may_look_at_one_net():
    net, ready, leave = nn.Sequential(nn.Linear(2, 2), nn.BatchNorm1d(2)).train(), threading.Event(), threading.Event()

    def other():
        with evaluating(net):
            ready.set()
            leave.wait()

    thread = threading.Thread(target=other)
    thread.start()
    ready.wait()
    with evaluating(net):  # entered second, left first
        assert not net.training
    assert not net.training
    leave.set()
    thread.join()
    assert net.training and net[1].training


# --- draws --------------------------------------------------------------------------------------------------------


def test_each_call_makes_new_samples_and_a_seed_the_same_again():
    """Twenty batches of 50 are a thousand different samples, as a distance between distributions wants them."""
    trainer = trainer_of().run(5)
    many = torch.cat([trainer.sample(50) for _ in range(20)])
    assert len(many.unique(dim=0)) == 1000
    draw = torch.Generator().manual_seed(trainer.seed + 2)
    for i in range(20):
        with torch.no_grad():
            expected = trainer.G_ema(torch.randn(50, 4, generator=draw))
        assert torch.equal(many[50 * i : 50 * (i + 1)], expected)
    again = [trainer.sample(50, seed=seed) for seed in (0, 0, 1, 1)]
    assert torch.equal(again[0], many[:50]) and torch.equal(again[0], again[1]) and torch.equal(again[2], again[3])
    assert not torch.equal(again[0], again[2])
    z = torch.randn(3, 4)
    assert torch.equal(trainer.sample(3, z), trainer.sample(3, z=z))
    with pytest.raises(ValueError, match="z: got 8 of them for 3 samples, wants one for each"):
        trainer.sample(3, z=torch.randn(8, 4))
    with pytest.raises(TypeError, match="seed: got 1.5, wants a whole number of at least 0"):
        trainer.sample(3, seed=1.5)
