"""Three ways to run a trainer under a live view.

``thread``  in the background, in Jupyter with ipykernel 7, whose widgets are heard while a cell runs
``poll``    in the foreground, in a front end on ipykernel 6 (Colab), which is asked for clicks between rounds
``sync``    in the foreground, in scripts and tools: there is nobody to click

A front end cannot be detected by asking it from a running cell, so the kernel's version decides, unless the argument
``driver`` or the environment variable ``GANEDU_DRIVER`` does.
"""

import atexit
import os
import sys
import threading
import time

from ganedu.arguments import one_of

DRIVERS = ("thread", "poll", "sync")
POLL_SECONDS = 0.04  # between two looks at the front end: quick for a hand, under 1 % of the time


class Interrupted(KeyboardInterrupt):
    """Training was interrupted by hand. Ends the cell, and Run All, with one sentence in place of a traceback."""

    def _render_traceback_(self):  # IPython shows what this returns
        return [str(self)]


def choose_driver(name=None):
    """Return "thread", "poll" or "sync": ``name``, else ``GANEDU_DRIVER``, else what this kernel is fit for.

    Raises:
        ValueError: another name.
    """
    if name is not None:
        return one_of("driver", name, DRIVERS)
    if os.environ.get("GANEDU_DRIVER"):
        return one_of("GANEDU_DRIVER", os.environ["GANEDU_DRIVER"], DRIVERS)
    from ganedu.views.figure import in_notebook

    if not in_notebook():
        return "sync"
    return "thread" if sys.modules["ipykernel"].version_info[0] >= 7 else "poll"


def foreground(trainer, rounds, between=None):
    """Train here and now. Ctrl-C ends it after the present round with one sentence."""
    target = trainer.round + rounds
    try:
        trainer.run(rounds, between=between)
    except KeyboardInterrupt:
        raise Interrupted(_interrupted(trainer, target)) from None


def polled(trainer, rounds, between, poll=None):
    """Train in the foreground and let ``poll(1)`` hand over one event of the front end, every 40 ms.

    Args:
        between: called between rounds, whether polled or not; returns True when the last poll brought something, and
            then the next follows at once, so that a slider that is dragged does not lag behind.
        poll: for tests; jupyter_ui_poll's unless given.
    """
    if poll is None:
        from jupyter_ui_poll import ui_events

        with ui_events() as poll:
            return polled(trainer, rounds, between, poll)
    due = 0.0

    def poll_and_draw():
        nonlocal due
        now = time.perf_counter()
        if now >= due:
            poll(1)
            for _ in range(20):
                if not between():
                    break
                poll(1)
            due = time.perf_counter() + POLL_SECONDS
        else:
            between()

    foreground(trainer, rounds, poll_and_draw)


class Background:
    """Trains in a thread of its own. ``wait()`` joins it and raises what it raised."""

    def __init__(self, trainer, rounds, between, finished):
        self.trainer, self.rounds, self.between, self.finished = trainer, rounds, between, finished
        self.target = trainer.round + rounds
        self.error = self._traceback = None
        self._started = threading.Event()
        self.ended = threading.Event()
        self.thread = threading.Thread(target=self._train, name="ganedu training", daemon=True)
        atexit.register(self._leave)
        self.thread.start()
        self._started.wait()  # from here on a stop() reaches the run

    def _train(self):
        try:
            self.trainer.run(self.rounds, between=self._between)
        except BaseException as error:  # handed to whoever waits
            self.error, self._traceback = error, error.__traceback__
        finally:
            atexit.unregister(self._leave)
            try:
                self.finished(self.error)
            finally:
                self._started.set()
                self.ended.set()

    def _between(self):
        self._started.set()
        self.between()

    def _leave(self):
        self.trainer.stop()
        self.thread.join(timeout=10)

    def wait(self):
        """Return when training has ended; raise what ended it. Ctrl-C stops the training and keeps the model."""
        try:
            while not self.ended.wait(0.1):  # a plain wait() would not let Ctrl-C through on every system
                pass
            self.thread.join()
        except KeyboardInterrupt:
            self.trainer.stop()
            self.thread.join()
            raise Interrupted(_interrupted(self.trainer, self.target)) from None
        if self.error is not None:
            raise self.error.with_traceback(self._traceback)


def _interrupted(trainer, target):
    return f"Interrupted at round {trainer.round:,} of {target:,}. The model keeps what it has learned."
