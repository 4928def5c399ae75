"""Nothing is lost: checkpoints, whatever interrupts a run; numbers that stop being numbers; memory that runs out."""

import errno
import json
import math
import multiprocessing
import os
import random
import re
import signal
import subprocess
import sys
import threading
import warnings
from pathlib import Path

import numpy as np
import pytest
import safetensors.torch
import torch
from torch import nn

from ganedu import checkpoints, failures
from ganedu.checkpoints import Checkpoints, NotWritten, atomic_write
from ganedu.data import ImageData, ring
from ganedu.gan import GAN
from ganedu.models.dcgan import DCGAN
from ganedu.models.vanilla import VanillaGAN
from ganedu.models.wgan_gp import WGANGP
from ganedu.publishing import load_published, publish
from ganedu.training import NonFiniteLoss, OutOfMemory, Trainer


class Restless(GAN):
    """Draws from every random stream that there is: dropout, a penalty's ε, Python's and NumPy's own."""

    n_critic = 2

    def __init__(self):
        G = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
        D = nn.Sequential(nn.Linear(2, 8), nn.Tanh(), nn.Dropout(0.3), nn.Linear(8, 1))
        super().__init__(G, D, z_dim=3)

    d_loss, g_loss = WGANGP.d_loss, WGANGP.g_loss

    @property
    def gp_weight(self):
        return random.random() + np.random.rand()


def restless(**settings):
    torch.manual_seed(0)
    random.seed(0)
    np.random.seed(0)
    return Trainer(Restless(), ring(), **{"batch_size": 8, "seed": 0, "device": "cpu", "log_every": 5, **settings})


def everything(trainer):
    """All that a run leaves behind, by name, seconds apart."""
    state = {f"game.{name}": value for name, value in trainer.game.state_dict().items()}
    for player, ema in trainer.emas.items():
        state |= {f"ema.{player}.{name}": value for name, value in ema.module.state_dict().items()}
    for player, optimizer in trainer.optimizers.items():
        for i, moments in optimizer.state_dict()["state"].items():
            state |= {f"{player}.{i}.{name}": value for name, value in moments.items()}
    numbers = [trainer.round, *(v for values in trainer.history.values() for v in values)]
    return state | {"numbers": torch.tensor(numbers, dtype=torch.float64), "drawn": trainer.generator.get_state()}


def assert_same(a, b):
    assert a.keys() == b.keys()
    assert [name for name in a if not torch.equal(a[name], b[name])] == []


# --- going on ---------------------------------------------------------------------------------------------------


def test_going_on_reaches_the_weights_of_an_unbroken_run(tmp_path):
    unbroken = restless().run(10)
    unbroken.save(tmp_path / "ten.pt")
    unbroken.run(10)
    torch.manual_seed(99)  # another process starts from other streams and other weights
    random.seed(99)
    np.random.seed(99)
    resumed = Trainer(Restless(), ring(), batch_size=8, seed=4, device="cpu", log_every=5).load(tmp_path / "ten.pt")
    assert resumed.round == 10
    assert torch.equal(resumed.fixed_z, unbroken.fixed_z)
    assert_same(everything(resumed.run(10)), everything(unbroken))
    assert resumed.history == unbroken.history


@pytest.mark.parametrize("stream", ["torch", "python", "numpy"])
def test_each_stream_counts(tmp_path, stream):
    """The comparison above would notice a single stream that is not put back."""
    trainer = restless().run(4)
    trainer.save(tmp_path / "four.pt")
    expected = everything(trainer.run(4))
    trainer.load(tmp_path / "four.pt")
    {"torch": lambda: torch.rand(1), "python": random.random, "numpy": np.random.rand}[stream]()
    got = everything(trainer.run(4))
    assert any(not torch.equal(got[name], expected[name]) for name in got)


def test_the_datas_own_position_is_kept(tmp_path):
    class InOrder:
        """Goes through its points in order, without drawing."""

        def __init__(self):
            self.points, self.position = torch.linspace(-1, 1, 50).view(25, 2), 0

        def sample(self, n, generator=None):
            index = (torch.arange(n) + self.position) % 25
            self.position += n
            return self.points[index]

        def to(self, device):
            return self

        def state_dict(self):
            return {"position": self.position}

        def load_state_dict(self, state):
            self.position = state["position"]

    torch.manual_seed(0)
    trainer = Trainer(Restless(), InOrder(), batch_size=7, seed=0, device="cpu").run(3)
    trainer.save(tmp_path / "three.pt")
    expected = everything(trainer.run(3))
    trainer = Trainer(Restless(), InOrder(), batch_size=7, seed=0, device="cpu").load(tmp_path / "three.pt")
    assert_same(everything(trainer.run(3)), expected)


# --- killed -----------------------------------------------------------------------------------------------------

TOTAL = 330


def die():
    os.kill(os.getpid(), signal.SIGKILL)


def train_and_die(folder, seed, moment):
    """Go on with the run in ``folder`` until killed at ``moment``; to the end where that is None."""
    torch.set_num_threads(1)
    trainer = restless()
    hook = trainer.add_hook(Checkpoints(folder, every=4, keep=2))
    hook.resume(trainer)
    if moment == "any":
        draw = random.Random(seed)
        at = trainer.round + draw.randint(5, 30)

        def soon(trainer):  # a random moment of a random round, or of the write that follows it
            if trainer.round == at:
                threading.Timer(draw.uniform(0, 0.01), die).start()

        trainer.add_hook(soon)
    elif moment == "half written":
        os.fsync = lambda file: (os.ftruncate(file, os.fstat(file).st_size // 2), die())
    elif moment == "before the rename":
        os.replace = lambda *_: die()
    elif moment == "after the rename":
        replace = os.replace
        os.replace = lambda *names: (replace(*names), die())
    trainer.run(TOTAL - trainer.round)
    torch.save(everything(trainer), Path(folder) / "everything.pt")


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="this system has no SIGKILL")
def test_killed_at_ten_moments(tmp_path):
    start = multiprocessing.get_context("forkserver")
    # loaded once, for all that are forked from there; the optimisers ask for the second when they are first used
    start.set_forkserver_preload(["pytest", "torch._dynamo", "ganedu.training", "ganedu.models", "ganedu.publishing"])
    moments = ["any"] * 7 + ["half written", "before the rename", "after the rename"]
    random.Random(0).shuffle(moments)
    rounds = []
    for seed, moment in enumerate([*moments, None]):
        process = start.Process(target=train_and_die, args=(str(tmp_path), seed, moment))
        process.start()
        process.join(60)
        assert process.exitcode == (-signal.SIGKILL if moment else 0), moment
        newest = Checkpoints(tmp_path).latest()  # whole, whatever happened
        rounds.append(checkpoints.read(newest)["round"] if newest else 0)
    assert rounds == sorted(rounds) and len(set(rounds)) > 6 and rounds[-1] == TOTAL // 4 * 4
    reached = torch.load(tmp_path / "everything.pt", weights_only=True)
    torch.set_num_threads(1)
    unbroken = restless()
    assert_same(reached, everything(unbroken.run(TOTAL)))
    assert len(Checkpoints(tmp_path).all()) == 2
    assert list(tmp_path.glob("*.part")) == []  # what was cut short is cleared away


# --- a file is whole or not there --------------------------------------------------------------------------------


def test_the_disk_has_the_content_before_the_name(tmp_path, monkeypatch):
    calls = []
    for name in ("fsync", "replace"):
        plain = getattr(os, name)

        def noted(*arguments, name=name, plain=plain):
            kind = os.path.isdir(f"/proc/self/fd/{arguments[0]}") if name == "fsync" else None
            calls.append((name, kind))
            return plain(*arguments)

        monkeypatch.setattr(checkpoints.os, name, noted)
    atomic_write(tmp_path / "new" / "file", lambda file: file.write(b"whole"))
    assert (tmp_path / "new" / "file").read_bytes() == b"whole"
    if os.path.isdir("/proc/self/fd"):
        assert calls == [("fsync", False), ("replace", None), ("fsync", True)]


def test_a_failed_write_leaves_the_old_file(tmp_path):
    path = tmp_path / "file"
    path.write_bytes(b"old")

    def fail(file):
        file.write(b"ne")
        raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(OSError, match="No space"):
        atomic_write(path, fail)
    assert path.read_bytes() == b"old" and list(tmp_path.iterdir()) == [path]


def test_a_disk_that_is_really_full():
    """A limit on the size of files stands in for the disk: the system itself refuses to write on."""
    resource = pytest.importorskip("resource")
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        trainer = restless().run(3)
        good = trainer.save(Path(folder) / "good.pt")
        soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
        before = everything(trainer)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, hard))
        try:
            with pytest.raises(
                NotWritten, match="checkpoint: round 3 could not be written to .*good.pt .File too large"
            ):
                trainer.save(good)
        finally:
            resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        assert_same(everything(trainer), before)
        assert [path.name for path in Path(folder).iterdir()] == ["good.pt"]
        assert restless().load(good).round == 3
        trainer.run(2)  # the model in memory is as usable as before


def full(*_):
    raise OSError(errno.ENOSPC, "No space left on device")


def test_training_goes_on_when_the_disk_is_full(tmp_path, monkeypatch):
    trainer, told = restless(), []
    hook = trainer.add_hook(Checkpoints(tmp_path, every=5, tell=told.append))
    trainer.run(5)
    monkeypatch.setattr(checkpoints.os, "fsync", full)
    trainer.run(15)
    assert told == [
        f"checkpoint: round 10 could not be written to {tmp_path / 'checkpoint-00000010.pt'} (No space left on device); "
        "training goes on, and the next checkpoint is tried again"
    ]
    assert hook.latest() == tmp_path / "checkpoint-00000005.pt"
    monkeypatch.undo()  # room again, and then none again: that is said again
    trainer.run(5)
    assert hook.latest() == tmp_path / "checkpoint-00000025.pt"
    monkeypatch.setattr(checkpoints.os, "fsync", full)
    trainer.run(5)
    assert len(told) == 2 and trainer.state == "done"
    assert_same(everything(trainer), everything(restless().run(30)))
    assert restless().load(hook.latest()).round == 25


def test_a_file_where_the_folder_should_be(tmp_path):
    (tmp_path / "runs").write_text("no folder")
    trainer = restless()
    trainer.add_hook(Checkpoints(tmp_path / "runs" / "mine", every=1))
    with warnings.catch_warnings(record=True) as given:
        warnings.simplefilter("always")
        trainer.run(3)
    assert [re.sub(r"\S*runs", "runs", str(w.message)) for w in given] == [
        "checkpoint: round 1 could not be written to runs/mine/checkpoint-00000001.pt (Not a directory); "
        "training goes on, and the next checkpoint is tried again"
    ]
    with pytest.raises(NotWritten, match="checkpoint: round 3 could not be written"):
        trainer.save(tmp_path / "runs" / "mine.pt")
    assert trainer.state == "done" and torch.isfinite(trainer.sample(4)).all()


def test_the_last_few_are_kept(tmp_path):
    trainer = restless()
    hook = trainer.add_hook(Checkpoints(tmp_path, every=2, keep=3))
    assert hook.latest() is None and hook.resume(trainer) is None
    (tmp_path / "checkpoint-notes.txt").write_text("mine")
    trainer.run(11)
    assert [checkpoints.read(path)["round"] for path in hook.all()] == [6, 8, 10]
    assert (tmp_path / "checkpoint-notes.txt").exists()
    for wrong in ({"every": 0}, {"keep": 0}):
        with pytest.raises(ValueError, match="got 0, wants a whole number of at least 1"):
            Checkpoints(tmp_path, **wrong)


def test_a_damaged_newest_checkpoint_is_passed_over(tmp_path):
    trainer, told = restless(), []
    hook = trainer.add_hook(Checkpoints(tmp_path, every=5, tell=told.append))
    trainer.run(10)
    whole = hook.latest().read_bytes()
    hook.latest().write_bytes(whole[: len(whole) // 2])
    fresh = restless()
    assert hook.resume(fresh) == tmp_path / "checkpoint-00000005.pt" and fresh.round == 5
    assert len(told) == 1 and "checkpoint-00000010.pt, which cannot be read" in told[0]
    hook.latest().write_bytes(whole)
    for path in hook.all():
        path.write_bytes(b"nothing")
    with pytest.raises(ValueError, match="checkpoint-00000010.pt, which cannot be read"):
        hook.resume(fresh)


# --- files that are no checkpoint of this model -------------------------------------------------------------------


class Trap:
    def __reduce__(self):
        return os.system, ("echo trapped",)


def test_a_checkpoint_that_does_not_fit(tmp_path, capfd):
    plane = Trainer(VanillaGAN(nn.Linear(4, 2), nn.Linear(2, 1), z_dim=4), ring(), batch_size=4, seed=0, device="cpu")
    path = plane.run(2).save(tmp_path / "plane.pt")
    before = everything(plane)

    with pytest.raises(
        ValueError, match=r"^checkpoint: got .*plane.pt, a VanillaGAN, wants a checkpoint of this Restless"
    ):
        restless().load(path)
    wider = Trainer(VanillaGAN(nn.Linear(5, 2), nn.Linear(2, 1), z_dim=5), ring(), seed=0, device="cpu")
    with pytest.raises(ValueError, match=r"with G.weight: \(2, 4\), wants .* this VanillaGAN \(\(2, 5\)\)"):
        wider.load(path)
    deeper = Trainer(VanillaGAN(nn.Linear(4, 2), nn.Sequential(nn.Linear(2, 1)), z_dim=4), ring(), seed=0, device="cpu")
    with pytest.raises(ValueError, match=r"with D.0.bias: no such name, wants"):
        deeper.load(path)

    state = torch.load(path, weights_only=True)
    torch.save(state | {"format": 99}, tmp_path / "later.pt")
    torch.save([1, 2], tmp_path / "list.pt")
    torch.save(Trap(), tmp_path / "trap.pt")
    (tmp_path / "cut.pt").write_bytes(path.read_bytes()[:500])
    (tmp_path / "empty.pt").touch()
    for name, words in {
        "later": "of format 99, wants a checkpoint of this VanillaGAN of format 3",
        "list": "which no Trainer wrote, wants a checkpoint of this VanillaGAN",
        "trap": "which cannot be read",
        "cut": "which cannot be read",
        "empty": "which cannot be read",
    }.items():
        with pytest.raises(ValueError, match=words) as caught:
            plane.load(tmp_path / f"{name}.pt")
        assert "\n" not in str(caught.value)
    assert "trapped" not in capfd.readouterr().out  # nothing in a file is run
    with pytest.raises(FileNotFoundError):
        plane.load(tmp_path / "none.pt")
    assert_same(everything(plane), before)


# --- numbers that stop being numbers ------------------------------------------------------------------------------


class Failing(VanillaGAN):
    """Its G's loss has a term that fails from a given call on."""

    def __init__(self, term, at=38):
        super().__init__(nn.Sequential(nn.Linear(4, 8), nn.BatchNorm1d(8), nn.Linear(8, 2)), nn.Linear(2, 1), z_dim=4)
        self.term = term
        self.register_buffer("calls", torch.zeros((), dtype=torch.long))
        self.at = at

    def g_loss(self, x, z):
        if self.training:
            self.calls += 1
        failing = bool(self.calls == self.at)
        plain = super().g_loss(x, z)
        return plain + self.term(self.D(self.G(z)), failing)


def log_of_zero(logits, failing):
    return (logits * 0 + (0.0 if failing else 1.0)).log().mean()


def root_at_zero(logits, failing):
    return (logits * (0.0 if failing else 1.0)).square().sum().sqrt()


def fine(logits, failing):
    return 0 * logits.mean()


@pytest.mark.parametrize("log_every", [25, 10**6])
def test_a_loss_that_fails_is_traced_to_its_round_player_and_term(log_every):
    trainer = Trainer(Failing(log_of_zero), ring(), batch_size=8, seed=0, device="cpu", log_every=log_every)
    twin = Trainer(Failing(log_of_zero), ring(), batch_size=8, seed=0, device="cpu")
    twin.game.load_state_dict(trainer.game.state_dict())
    rounds = []
    trainer.add_hook(lambda t: rounds.append(t.round))
    with pytest.raises(NonFiniteLoss) as caught:
        trainer.run(1000)
    assert rounds[-1] < 50  # found within 50 rounds, however rarely one logs
    sentence = str(caught.value)
    assert sentence.startswith("g_loss is -inf at round 38, player G, term `return plain + self.term(")
    assert "of g_loss, where `log` makes it so" in sentence
    assert "Likely cause: a logarithm of 0" in sentence and "\n" not in sentence
    assert "The last finite weights are back (round 37)" in sentence
    assert (trainer.round, trainer.state) == (37, "failed")
    twin.run(37)
    for mine, theirs in zip(trainer.game.G.parameters(), twin.game.G.parameters()):
        assert torch.equal(mine, theirs)  # those before the update that failed, bit for bit
    trainer.game.term = fine  # mended, it may go on
    trainer.run(5)
    assert trainer.state == "done" and all(torch.isfinite(p).all() for p in trainer.game.parameters())


def test_a_gradient_that_fails_where_the_loss_does_not():
    trainer = Trainer(Failing(root_at_zero), ring(), batch_size=8, seed=0, device="cpu")
    with pytest.raises(NonFiniteLoss) as caught:
        trainer.run(1000)
    sentence = str(caught.value)
    assert sentence.startswith("the gradient of g_loss is not finite at round 38, player G")
    assert "the root or the norm of something that is 0" in sentence
    assert trainer.round == 37 and all(torch.isfinite(p).all() for p in trainer.game.parameters())
    assert torch.isfinite(trainer.sample(8)).all()


def test_a_step_that_is_too_long():
    torch.manual_seed(0)
    game = VanillaGAN(nn.Linear(4, 2), nn.Linear(2, 1), z_dim=4)
    trainer = Trainer(game, ring(), batch_size=8, seed=0, device="cpu", lr={"D": 1e-3, "G": 3e38})
    with pytest.raises(NonFiniteLoss) as caught:
        trainer.run(60)
    sentence = str(caught.value)
    assert sentence.startswith("weights of G are not finite at round 1, after the step of G")
    assert "Likely cause: a learning rate that is too high (D: 0.001, G: 3e+38)" in sentence
    assert all(torch.isfinite(p).all() for p in trainer.game.parameters())


def test_what_a_hook_has_spoilt():
    trainer = restless(log_every=5).run(20)
    good = everything(trainer)
    trainer.add_hook(lambda t: t.game.G[0].weight.data.fill_(float("nan")), every=22)
    with pytest.raises(NonFiniteLoss, match="at round 25; at round 20 all was finite, and those weights are back"):
        trainer.run(100)
    back = everything(trainer)
    assert_same({n: v for n, v in back.items() if n != "drawn"}, {n: v for n, v in good.items() if n != "drawn"})


def test_weights_that_were_none_before_the_run():
    trainer = restless()
    trainer.game.D[0].bias.data[0] = float("inf")
    with pytest.raises(NonFiniteLoss, match="weights of D are inf at round 0, before the run begins"):
        trainer.run(5)
    assert trainer.round == 0


def test_looking_after_numbers_changes_none(monkeypatch):
    watched = everything(restless().run(60))
    monkeypatch.setattr(failures.Health, "check", lambda self, losses: {n: v.item() for n, v in losses.items()})
    monkeypatch.setattr(
        failures.Health, "checked", property(lambda self: None, lambda self, value: None), raising=False
    )
    assert_same(watched, everything(restless().run(60)))


# --- memory ---------------------------------------------------------------------------------------------------------


class SmallMemory:
    """A device of 1,000 bytes. The nets take 100, every sample 7; what does not fit is refused as CUDA does."""

    def __init__(self, trainer):
        self.held = self.most = 100
        batch = trainer.data.batch

        def counted(n, generator=None):
            self.most = max(self.most, min(1000, 100 + 7 * n))
            if 100 + 7 * n > 1000:
                raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 7 bytes")
            return batch(n, generator)

        trainer.data.batch = counted

    def peak(self):
        return self.most

    def start_over(self):
        self.most = self.held
        return self.held

    def free(self):
        return 1000 - self.held


@pytest.mark.parametrize(
    ("batch_size", "fitting"),
    [
        (129, 112),  # 64 were tried: 0.9 of 900 bytes at 7 a sample are 115, and 112 is a multiple of 8
        (512, 128),  # 128 were tried, and fitted
        (4096, 128),
    ],
)
def test_a_batch_that_does_not_fit(monkeypatch, batch_size, fitting):
    trainer = restless(batch_size=batch_size)
    memory = SmallMemory(trainer)
    monkeypatch.setattr("ganedu.training.CudaMemory", lambda device: memory)
    before = everything(trainer)
    with pytest.raises(OutOfMemory) as caught:
        trainer.run(3)
    sentence = str(caught.value)
    assert sentence.startswith(f"batch_size: got {batch_size}, which takes more memory than cpu has (peak ")
    fits = int(re.search(r"wants at most about (\d+):", sentence)[1])
    assert fits == fitting
    assert trainer.state == "failed"
    after = everything(trainer)
    assert_same(after, before)
    good = restless(batch_size=fits)
    SmallMemory(good)
    good.run(1)


def test_not_even_one_fits(monkeypatch):
    trainer = restless()

    def refuse():
        raise torch.OutOfMemoryError("CUDA out of memory")

    monkeypatch.setattr(trainer, "step", refuse)
    monkeypatch.setattr(trainer.data, "batch", lambda *_: refuse())
    monkeypatch.setattr("ganedu.training.CudaMemory", lambda device: SmallMemory(restless()))
    with pytest.raises(OutOfMemory, match="not even a batch of 1 fits: wants smaller nets or images"):
        trainer.run(1)


# --- what cannot be read again ----------------------------------------------------------------------------------------


def test_numbers_of_numpy_are_written_as_pythons(tmp_path):
    trainer = restless().run(1)
    trainer.history.setdefault("mine", []).append(np.float64(0.5))
    trainer.history.setdefault("counts", []).append(np.arange(3))
    trainer.optimizers["D"].param_groups[0]["lr"] = 1e-3 * np.cos(0.3)
    trainer.save(tmp_path / "a.pt")
    loaded = restless().load(tmp_path / "a.pt")
    assert loaded.history["mine"] == [0.5] and type(loaded.history["mine"][0]) is float
    assert loaded.history["counts"][0].tolist() == [0, 1, 2]
    assert loaded.lr("D") == pytest.approx(1e-3 * math.cos(0.3))


def test_what_cannot_be_read_again_is_refused_and_the_older_ones_stay(tmp_path):
    trainer, told = restless(), []
    hook = trainer.add_hook(Checkpoints(tmp_path, every=2, keep=2, tell=told.append))
    trainer.run(4)
    trainer.history["model"] = [object()]
    trainer.run(6)
    assert [path.name for path in hook.all()] == ["checkpoint-00000002.pt", "checkpoint-00000004.pt"]
    assert len(told) == 1 and "state['history']['model'][0]: got object, wants numbers, texts, tensors" in told[0]
    assert "\x1b" not in told[0] and trainer.round == 10
    with pytest.raises(OSError, match=r"state\['history'\]\['model'\]\[0\]: got object"):
        trainer.save(tmp_path / "mine.pt")
    assert not (tmp_path / "mine.pt").exists()


def test_a_checkpoint_that_the_disk_spoilt_lets_no_older_one_go(tmp_path, monkeypatch):
    trainer, told = restless(), []
    hook = trainer.add_hook(Checkpoints(tmp_path, every=1, keep=1, tell=told.append))
    trainer.run(1)
    whole = checkpoints.atomic_write

    def spoilt(path, write):
        whole(path, write)
        path.write_bytes(path.read_bytes()[:-200])

    monkeypatch.setattr(checkpoints, "atomic_write", spoilt)
    trainer.run(1)
    assert (tmp_path / "checkpoint-00000001.pt") in hook.all() and "the older ones stay" in told[0]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda t: t.emas.clear(), r"with averaged players \['G'\]"),
        (lambda t: t.optimizers["D"].add_param_group({"params": [torch.nn.Parameter(torch.zeros(1))]}), "does not fit"),
    ],
)
def test_a_load_that_fails_leaves_the_trainer_as_it_was(tmp_path, change, words):
    restless().run(3).save(tmp_path / "a.pt")
    trainer = restless(seed=5).run(2)
    change(trainer)
    before = everything(trainer)
    with pytest.raises(ValueError, match=words) as caught:
        trainer.load(tmp_path / "a.pt")
    assert "\n" not in str(caught.value)
    assert_same(everything(trainer), before)


# --- publishing -------------------------------------------------------------------------------------------------------


@pytest.fixture
def images():
    generator = torch.Generator().manual_seed(0)
    return ImageData(torch.rand(20, 1, 28, 28, generator=generator) * 2 - 1, name="noise")


def test_a_published_model_comes_back(tmp_path, images):
    torch.manual_seed(0)
    trainer = Trainer(DCGAN(), images, batch_size=4, seed=3, device="cpu").run(2)
    path = publish(
        trainer, tmp_path / "made" / "noise.safetensors", metrics={"FID-d": 21.5}, command="ganedu train dcgan"
    )
    game, card = load_published(path)
    assert not game.training
    z = trainer.fixed_z[:4]
    with torch.no_grad():
        assert torch.equal(game.generate(z), trainer.G_ema(z))  # the averaged generator is the published one
        assert not torch.equal(game.generate(z), trainer.game.G.eval()(z))
    for mine, theirs in zip(game.D.parameters(), trainer.game.D.parameters()):
        assert torch.equal(mine, theirs)
    assert card == json.loads(path.with_suffix(".json").read_text())
    assert card["model"] == {"module": "ganedu.models.dcgan", "class": "DCGAN"}
    assert card["data"] == {"name": "noise", "shape": [1, 28, 28], "size": 20}
    assert card["recipe"]["batch_size"] == 4 and card["recipe"]["lr"] == {"D": 1e-3, "G": 1e-3}
    assert (card["seed"], card["steps"], card["metrics"]) == (3, 2, {"FID-d": 21.5})
    assert card["licence"] and card["device"].startswith("cpu") and card["command"] == "ganedu train dcgan"


def test_a_model_of_ones_own_is_filled(tmp_path):
    trainer = restless().run(3)
    path = publish(trainer, tmp_path / "mine.safetensors")
    with pytest.raises(ValueError, match="^game: got none, and .*Restless, wants a Restless to fill"):
        load_published(path)
    game, _ = load_published(path, Restless())
    z = trainer.fixed_z
    assert torch.equal(game.generate(z), trainer.G_ema(z))


def test_published_files_that_are_none(tmp_path, images):
    trainer = Trainer(DCGAN(width=4), images, batch_size=4, seed=0, device="cpu")
    with pytest.raises(ValueError, match=r"^path: got .*weights.pt, wants a name that ends in .safetensors"):
        publish(trainer, tmp_path / "weights.pt")
    with pytest.raises(ValueError, match="^metrics: got .*nan.*, wants a dict of finite numbers"):
        publish(trainer, tmp_path / "weights.safetensors", metrics={"FID-d": float("nan")})
    assert list(tmp_path.iterdir()) == []
    path = publish(trainer, tmp_path / "weights.safetensors")
    with pytest.raises(ValueError, match=r"with D.0.bias of shape \(4,\), wants \(16,\) for DCGAN"):
        load_published(path)
    with pytest.raises(ValueError, match="of shape none, wants|, wants none for"):
        load_published(path, VanillaGAN())
    load_published(path, DCGAN(width=4))

    whole, card = path.read_bytes(), json.loads(path.with_suffix(".json").read_text())
    path.write_bytes(whole[:-4] + b"\0\0\0\1")
    with pytest.raises(ValueError, match="whose SHA-256 is not the one on its card"):
        load_published(path, DCGAN(width=4))
    path.write_bytes(whole)
    for text, words in {
        "{": "no card of a published model",
        "[]": "no card of a published model",
        json.dumps(card | {"format": 7}): "of format 7, wants format 1",
        json.dumps(card | {"model": {"module": "os", "class": "system"}}): "names os.system",
        json.dumps(card | {"model": {"module": "ganedu.models.none", "class": "X"}}): "wants a model of ganedu",
    }.items():
        path.with_suffix(".json").write_text(text)
        with pytest.raises(ValueError, match=words):
            load_published(path)
    path.with_suffix(".json").unlink()
    with pytest.raises(FileNotFoundError):
        load_published(path)


def test_the_published_file_is_plain_safetensors(tmp_path):
    trainer = restless()
    weights = safetensors.torch.load_file(publish(trainer, tmp_path / "plain.safetensors"))
    assert weights.keys() == trainer.game.state_dict().keys()


# --- on CUDA ------------------------------------------------------------------------------------------------------------

RESUME_ON_CUDA = """
import sys, torch
from ganedu.data import digits
from ganedu.models.wgan_gp import WGANGP
from ganedu.training import Trainer
torch.use_deterministic_algorithms(True)
torch.backends.cudnn.benchmark = False
def trainer(seed):
    torch.manual_seed(seed)
    return Trainer(WGANGP(), digits(), batch_size=32, seed=seed, device="cuda")
unbroken = trainer(0).run(20)
unbroken.save(sys.argv[1])
unbroken.run(20)
resumed = trainer(1).load(sys.argv[1]).run(20)
pairs = zip(unbroken.game.state_dict().items(), resumed.game.state_dict().values())
print([name for (name, a), b in pairs if not torch.equal(a, b)])
"""

MEMORY_OF_CUDA = """
import re, torch
from ganedu.data import digits
from ganedu.models.dcgan import DCGAN
from ganedu.training import OutOfMemory, Trainer
total = torch.cuda.get_device_properties(0).total_memory
torch.cuda.set_per_process_memory_fraction(min(1.0, 2 * 2**30 / total))
def trainer(n):
    torch.manual_seed(0)
    return Trainer(DCGAN(), digits(), batch_size=n, seed=0, device="cuda")
try:
    trainer(200_000).run(2)
except OutOfMemory as error:
    print(error)
    trainer(int(re.search(r"at most about (\\d+)", str(error))[1])).run(2)
    print("fits")
"""


def on_cuda(script, *arguments):
    environment = {**os.environ, "CUBLAS_WORKSPACE_CONFIG": ":4096:8"}  # cuBLAS asks for it in deterministic mode
    command = [sys.executable, "-c", script, *map(str, arguments)]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    return result.stdout


@pytest.mark.gpu
def test_going_on_is_exact_on_cuda_with_deterministic_algorithms(tmp_path):
    assert on_cuda(RESUME_ON_CUDA, tmp_path / "twenty.pt").strip() == "[]"


@pytest.mark.gpu
def test_the_batch_that_is_proposed_fits_on_cuda():
    said = on_cuda(MEMORY_OF_CUDA)
    assert said.startswith("batch_size: got 200000, which takes more memory than cuda") and said.endswith("fits\n")
