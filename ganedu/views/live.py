"""Train in view: ``run = train(trainer, rounds=3000)`` in one cell, ``run.wait()`` in the next."""

from ganedu.arguments import whole_number
from ganedu.views.drivers import Background, choose_driver, foreground, polled

BUDGET = 0.01  # share of the training time that pictures and the doctor's looks may take together
DOCTORS = 0.004  # the doctor's part of it


_live = None  # the run in the background that was started last: there is one at a time in a kernel


def _stop_earlier():
    """End the run that goes on in the background, if one does, and say so: a cell that is run twice starts over."""
    if _live is not None and not _live._background.ended.is_set():
        _live.trainer.stop()
        _live._background.ended.wait()
        print(f"The run before was stopped at round {_live.trainer.round:,}: one at a time trains in the background.")


class Run:
    """A training run that was started by ``train``.

    Attributes:
        trainer: the trainer, which may be paused, stopped and changed at any time.
        driver: "thread", "poll" or "sync".
        dashboard: the live view, or None in the ``sync`` driver.
        doctor: the ``Panel`` of the training doctor under it, or None.
    """

    def __init__(self, trainer, rounds, driver, dashboard, picture, doctor=None):
        self.trainer, self.driver, self.dashboard, self.picture = trainer, driver, dashboard, picture
        self.doctor = doctor
        self.rounds = rounds
        self._first_round, self._first_second = trainer.round, trainer.seconds
        self._background = None

    def wait(self):
        """Return when training has ended, then show the final picture and print one line about the run.

        Raises:
            whatever the training raised, with its traceback; ``Interrupted`` after Ctrl-C, which stops the training.
        """
        from ganedu.views.figure import show
        from ganedu.views.summary import training_figure

        if self._background is not None:
            self._background.wait()
        figure, caption, alt = training_figure(self.trainer, self.picture)
        show(figure, caption, alt)
        print(self.summary())

    def summary(self):
        """One line: how the run ended, its rounds, seconds, and rounds per second."""
        rounds = self.trainer.round - self._first_round
        seconds = self.trainer.seconds - self._first_second
        ended = {"stopped": "Stopped", "failed": "Failed"}.get(self.trainer.state, "Trained")
        of = f" of {self.rounds:,}" if rounds < self.rounds else ""
        return f"{ended}: {rounds:,}{of} rounds in {seconds:.1f} s ({rounds / max(seconds, 1e-9):.0f} rounds/s)."

    def __repr__(self):
        return f"<Run: {self.trainer.state}, round {self.trainer.round:,} of {self._first_round + self.rounds:,}>"


def train(trainer, rounds, *, driver=None, picture=None, doctor=True):
    """Train ``rounds`` rounds in view of a live dashboard with pictures, curves, buttons and sliders.

    In Jupyter this returns at once and training goes on in the background, where another run that still goes on is stopped
    with a sentence; in Colab it returns when training is done;
    in a script it trains without a view. The next cell's ``run.wait()`` is right for all three.

    Args:
        trainer: a ``Trainer``, new or trained before.
        rounds: how many to add, at least 1.
        driver: "thread", "poll" or "sync"; else the environment variable ``GANEDU_DRIVER``, else what the kernel is.
        picture: a function ``picture(trainer)`` that returns the bytes of a PNG or the text of an SVG, to be shown in
            place of the samples. It must not draw random numbers that training draws too.
        doctor: whether the training doctor watches and says beneath the dashboard what is going on.

    Returns:
        a ``Run``.

    Raises:
        RuntimeError: this trainer is training already.
        ValueError: an unknown driver, or fewer than 1 round.
    """
    global _live
    driver = choose_driver(driver)
    rounds = whole_number("rounds", rounds)
    if driver == "thread" and _live is not None and _live.trainer is not trainer:
        _stop_earlier()
    if trainer.state in ("running", "paused"):
        raise RuntimeError("train: this trainer is training already; stop() it or wait for it to end")
    if driver == "sync":
        run = Run(trainer, rounds, driver, None, picture)
        foreground(trainer, rounds)
        return run

    from ganedu.views.dashboard import Dashboard

    budget = BUDGET - DOCTORS if doctor else BUDGET
    dashboard, panel = Dashboard(trainer, rounds, picture=picture, budget=budget), None
    if doctor:
        from ganedu.views.diagnosis import panel_for

        panel = panel_for(trainer, budget=DOCTORS)
        dashboard.widget.children += (panel.widget,)
    dashboard.show()
    run = Run(trainer, rounds, driver, dashboard, picture, panel)
    dashboard.begin()
    if driver == "thread":
        run._background = Background(trainer, rounds, dashboard.update, dashboard.end)
        _live = run
        return run
    error = None
    try:
        polled(trainer, rounds, dashboard.update)
    except BaseException as caught:
        error = caught
        raise
    finally:
        dashboard.end(error)
    return run
