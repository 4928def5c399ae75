"""The three drivers: who is chosen, how a run ends, and what reaches the notebook."""

import json
import os
import queue
import subprocess
import sys
import time
import traceback
from pathlib import Path

import pytest
import torch
from torch import nn

from ganedu.gan import GAN
from ganedu.training import NonFiniteLoss, Trainer
from ganedu.views.drivers import Interrupted, choose_driver, polled
from ganedu.views.live import train


class Line:
    """Real data on a line, N(4, 1)."""

    def sample(self, n, generator=None):
        return 4 + torch.randn(n, 1, generator=generator)

    def to(self, device):
        return self


class LineGAN(GAN):
    """The smallest game: a linear G and a linear D."""

    def __init__(self):
        super().__init__(nn.Linear(2, 1), nn.Linear(1, 1), z_dim=2)

    def d_loss(self, x, z):
        return self.D(self.G(z).detach()).square().mean() + (self.D(x) - 1).square().mean()

    def g_loss(self, x, z):
        return (self.D(self.G(z)) - 1).square().mean()


@pytest.fixture
def trainer():
    torch.manual_seed(0)
    return Trainer(LineGAN(), Line(), batch_size=8, seed=0)


@pytest.fixture
def figures(tmp_path, monkeypatch):
    monkeypatch.setenv("GANEDU_FIGURES", str(tmp_path / "figures"))
    return tmp_path / "figures"


# --- who is chosen ---------------------------------------------------------------------------------------------


def test_a_script_trains_in_the_foreground(monkeypatch):
    monkeypatch.delenv("GANEDU_DRIVER", raising=False)
    assert choose_driver() == "sync"


@pytest.mark.parametrize(("version", "driver"), [((6, 17, 1), "poll"), ((6, 30), "poll"), ((7, 0), "thread")])
def test_the_kernel_decides(monkeypatch, version, driver):
    monkeypatch.delenv("GANEDU_DRIVER", raising=False)
    monkeypatch.setattr("ganedu.views.figure.in_notebook", lambda: True)
    monkeypatch.setitem(sys.modules, "ipykernel", type(sys)("ipykernel"))
    sys.modules["ipykernel"].version_info = version
    assert choose_driver() == driver


def test_the_argument_wins_over_the_environment(monkeypatch):
    monkeypatch.setenv("GANEDU_DRIVER", "poll")
    assert choose_driver() == "poll"
    assert choose_driver("thread") == "thread"


def test_an_unknown_driver_is_named(monkeypatch, trainer):
    with pytest.raises(ValueError, match="driver: got 'process', wants one of 'thread', 'poll', 'sync'"):
        train(trainer, 3, driver="process")
    monkeypatch.setenv("GANEDU_DRIVER", "async")
    with pytest.raises(ValueError, match="GANEDU_DRIVER: got 'async', wants one of 'thread', 'poll', 'sync'"):
        train(trainer, 3)
    assert trainer.round == 0


@pytest.mark.parametrize("rounds", [0, -5, 2.5])
def test_rounds_that_make_no_sense(trainer, rounds):
    with pytest.raises((ValueError, TypeError), match="rounds: got .*, wants a whole number of at least 1"):
        train(trainer, rounds, driver="sync")


# --- sync ------------------------------------------------------------------------------------------------------


def test_sync_puts_out_no_widget_and_one_picture(tmp_path):
    """In a process of its own: ipywidgets is not even imported, and nothing but one line is printed."""
    code = f"""
import sys
sys.path.insert(0, {json.dumps(str(Path(__file__).parent))})
from test_drivers import Line, LineGAN
from ganedu.training import Trainer
from ganedu.views.live import train
run = train(Trainer(LineGAN(), Line(), seed=0), 50)
run.wait()
assert run.driver == "sync" and run.dashboard is None
assert "ipywidgets" not in sys.modules
assert "matplotlib.pyplot" not in sys.modules
"""
    environment = {"PATH": "", "GANEDU_FIGURES": str(tmp_path), "HOME": str(tmp_path)}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stderr == ""
    assert done.stdout.startswith("Trained: 50 rounds in ") and done.stdout.count("\n") == 1
    assert [path.name for path in tmp_path.glob("*.png")] == ["01-figure.png"]


# --- thread ----------------------------------------------------------------------------------------------------


def test_thread_returns_at_once_and_wait_returns_when_done(trainer, figures, capsys):
    run = train(trainer, 300, driver="thread")
    assert trainer.state in ("running", "done")
    run.wait()
    assert trainer.state == "done" and trainer.round == 300
    assert "Trained: 300 rounds in" in capsys.readouterr().out
    assert len(list(figures.iterdir())) == 1


def test_a_second_run_adds_rounds(trainer, figures):
    train(trainer, 20, driver="thread").wait()
    run = train(trainer, 30, driver="thread")
    run.wait()
    assert trainer.round == 50
    assert run.summary().startswith("Trained: 30 rounds")


def test_one_trainer_trains_once_at_a_time(trainer):
    train(trainer, 10**9, driver="thread")
    with pytest.raises(RuntimeError, match="training already"):
        train(trainer, 10, driver="thread")
    trainer.stop()


def test_a_cell_that_is_run_again_stops_the_run_of_before(trainer, figures, capsys):
    first = train(trainer, 10_000_000, driver="thread")
    while trainer.round < 3:
        time.sleep(0.01)
    other = Trainer(LineGAN(), Line(), batch_size=8, seed=1)
    second = train(other, 20, driver="thread")
    assert trainer.state == "stopped"
    said = f"The run before was stopped at round {trainer.round:,}: one at a time trains in the background."
    assert said in capsys.readouterr().out
    held = trainer.round
    second.wait()
    first.wait()
    assert trainer.round == held and other.state == "done"
    train(trainer, 5, driver="thread").wait()  # the same trainer goes on
    assert trainer.round == held + 5 and "was stopped" not in capsys.readouterr().out


def test_an_error_in_the_thread_surfaces_with_its_own_traceback(trainer):
    def breaks_here(trainer):
        if trainer.round == 7:
            raise ZeroDivisionError("seven")

    trainer.add_hook(breaks_here)
    run = train(trainer, 100, driver="thread")
    for _ in range(2):  # and again when asked again
        with pytest.raises(ZeroDivisionError, match="seven") as caught:
            run.wait()
        frames = [frame.name for frame in traceback.extract_tb(caught.value.__traceback__)]
        assert frames[-1] == "breaks_here" and "run" in frames
        assert frames.count("wait") == 2  # Run's and the driver's, not piled up
    assert trainer.state == "failed"
    assert "failed" in run.dashboard.status.value and "ZeroDivisionError: seven" in run.dashboard.status.value


def test_a_loss_that_is_no_number_surfaces(trainer):
    trainer.set_lr("G", 1e30)
    trainer.log_every = 5
    run = train(trainer, 1000, driver="thread")
    with pytest.raises(NonFiniteLoss, match="Likely cause: a learning rate that is too high"):
        run.wait()
    assert "NonFiniteLoss" in run.dashboard.status.value


def test_stop_keeps_the_model_and_is_no_error(trainer, figures, capsys):
    run = train(trainer, 10**9, driver="thread")
    trainer.stop()
    run.wait()
    assert trainer.state == "stopped"
    assert torch.isfinite(trainer.sample(5)).all()
    assert "Stopped: " in capsys.readouterr().out
    train(trainer, 5, driver="sync")  # and may go on
    assert trainer.state == "done"


def test_a_pause_does_not_outlive_its_run(trainer):
    run = train(trainer, 10**9, driver="thread")
    trainer.pause()
    trainer.stop()
    run._background.wait()
    trainer.run(3)  # would hold for ever
    assert trainer.state == "done"


# --- poll ------------------------------------------------------------------------------------------------------


def test_poll_hands_over_events_between_rounds_and_in_a_pause(trainer):
    """A front end that presses Pause, waits, and presses Resume: as messages that only ``poll`` delivers."""
    seen, started = [], time.perf_counter()

    def poll(n):
        seen.append((trainer.state, trainer.round))
        if len(seen) == 3:
            trainer.pause()
        if len(seen) == 8:
            trainer.resume()
        if len(seen) == 12:
            trainer.stop()

    polled(trainer, 10**9, between=lambda: False, poll=poll)
    elapsed = time.perf_counter() - started
    assert trainer.state == "stopped" and len(seen) == 12
    held = [round_ for state, round_ in seen if state == "paused"]
    assert len(held) >= 4 and len(set(held)) == 1
    assert elapsed > 10 * 0.03  # throttled: a poll every 40 ms, not every round
    assert trainer.round > 12


def test_poll_follows_a_hand_that_is_busy(trainer):
    """While every poll brings an event the next one follows at once."""
    events, polls = queue.SimpleQueue(), []
    for i in range(15):
        events.put(i)

    def poll(n):
        polls.append(trainer.round)

    def between():
        if events.empty():
            return False
        events.get()
        return True

    polled(trainer, 5, between=between, poll=poll)
    assert polls.count(0) >= 15  # all before the first round


def test_the_poll_driver_trains_in_the_cell(trainer, figures, monkeypatch):
    import contextlib

    import jupyter_ui_poll

    polls = []
    monkeypatch.setattr(jupyter_ui_poll, "ui_events", lambda: contextlib.nullcontext(polls.append))
    run = train(trainer, 40, driver="poll")
    assert trainer.state == "done" and trainer.round == 40 and polls
    assert "done" in run.dashboard.status.value
    run.wait()
    assert len(list(figures.iterdir())) == 1


# --- interrupts ------------------------------------------------------------------------------------------------


def test_ctrl_c_in_the_foreground_ends_with_one_sentence(trainer):
    def interrupt(trainer):
        if trainer.round == 12:
            raise KeyboardInterrupt

    trainer.add_hook(interrupt)
    with pytest.raises(Interrupted, match="Interrupted at round 12 of 100") as caught:
        train(trainer, 100, driver="sync")
    assert caught.value._render_traceback_() == [str(caught.value)]
    assert trainer.state == "stopped"


@pytest.mark.slow
def test_interrupt_in_a_real_kernel(tmp_path):
    """Interrupt while run.wait() blocks: one sentence, the cells after it are not run, the model is there."""
    from jupyter_client.manager import start_new_kernel

    manager, client = start_new_kernel(kernel_name="python3", env={**os.environ, "GANEDU_DRIVER": ""})
    folder = json.dumps(str(Path(__file__).parent))
    try:

        def outcome(message_id):
            while True:
                reply = client.get_shell_msg(timeout=60)
                if reply["parent_header"]["msg_id"] == message_id:
                    return reply["content"]

        setup = f"""import sys; sys.path.insert(0, {folder})
from test_drivers import *
trainer = Trainer(LineGAN(), Line(), seed=0)
run = train(trainer, 10**9)
assert run.driver == "thread"
"""
        assert outcome(client.execute(setup))["status"] == "ok"
        waiting, after = client.execute("run.wait()"), client.execute("ran_on = True")
        time.sleep(1)
        manager.interrupt_kernel()
        ended = outcome(waiting)
        assert ended["status"] == "error" and ended["ename"] == "Interrupted"
        assert len(ended["traceback"]) == 1 and ended["traceback"][0].startswith("Interrupted at round ")
        assert outcome(after)["status"] in ("aborted", "error")
        time.sleep(1)
        check = "assert trainer.state == 'stopped' and trainer.sample(4).shape == (4, 1) and 'ran_on' not in globals()"
        assert outcome(client.execute(check))["status"] == "ok"
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


@pytest.mark.slow
def test_a_closed_notebook_leaves_a_checkpoint_that_goes_on(tmp_path):
    """The front end goes and the kernel is shut down while training: it leaves at once, and the run can go on."""
    from jupyter_client.manager import start_new_kernel

    from ganedu.checkpoints import Checkpoints

    manager, client = start_new_kernel(kernel_name="python3", env={**os.environ, "GANEDU_DRIVER": ""})
    setup = f"""import sys; sys.path.insert(0, {json.dumps(str(Path(__file__).parent))})
from test_drivers import *
from ganedu.checkpoints import Checkpoints
trainer = Trainer(LineGAN(), Line(), seed=0)
trainer.add_hook(Checkpoints({json.dumps(str(tmp_path / "run"))}, every=20))
run = train(trainer, 10**9)
"""
    checkpoints = Checkpoints(tmp_path / "run", every=20)
    try:
        client.execute(setup)
        deadline = time.monotonic() + 180
        while len(checkpoints.all()) < 3:  # it trains, with nobody waiting
            assert time.monotonic() < deadline
            time.sleep(0.05)
        client.stop_channels()  # the page is closed
        written = checkpoints.latest()
        while checkpoints.latest() == written:  # and training goes on
            assert time.monotonic() < deadline
            time.sleep(0.05)
        started = time.monotonic()
        manager.shutdown_kernel()  # politely, as JupyterLab's "Shut down"
        assert time.monotonic() - started < 15
    finally:
        client.stop_channels()
        if manager.is_alive():
            manager.shutdown_kernel(now=True)
    assert not list((tmp_path / "run").glob("*.part"))
    torch.manual_seed(0)
    again = Trainer(LineGAN(), Line(), seed=0)
    checkpoints.resume(again)
    assert again.round >= 60
    again.run(5)
    assert all(torch.isfinite(p).all() for p in again.game.parameters())
