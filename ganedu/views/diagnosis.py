"""The training doctor on the screen: what is going on, the evidence, and what to try, live under the dashboard.

``train(trainer, rounds, doctor=True)`` puts it there; ``doctor(trainer)`` shows it alone, for a run that is started by
``trainer.run``. The reasoning stands in ``ganedu.diagnosis``. Looks are taken between rounds by the thread that trains, so
that they never meet a round half played, and only as often as a share of the training time allows.
"""

from html import escape

from ganedu.arguments import real_number
from ganedu.diagnosis import EARLY, HEALTHY, Doctor
from ganedu.views.drivers import choose_driver
from ganedu.views.widgets import hidden_style, keep_subshells, panel_style

SECONDS = 1.5  # of training between two looks, at least
ADVANCE = 6  # looks without fresh samples that are not saved up for: a course is seen before a short run is over
COLORS = {
    HEALTHY: "#00724F",
    EARLY: "#555555",
}  # background of a verdict's name; white text has a contrast of 4.5 and more
TROUBLE = "#B03A00"
MARKS = {HEALTHY: "✓", EARLY: "…"}  # said by a sign as well as by a colour
STYLE = panel_style(
    "doctor",
    """.ganedu-doctor { margin-top: 8px; width: 860px; }
.ganedu-doctor .widget-html-content { white-space: normal; }
.ganedu-doctor p, .ganedu-doctor ul { margin: 4px 0 0 0; }
.ganedu-doctor ul { padding-left: 20px; }
.ganedu-doctor li { margin: 1px 0; }
.ganedu-doctor .ganedu-verdict { display: inline-block; padding: 1px 10px; margin-right: 8px; border-radius: 10px;
  color: #fff; font-weight: 600; }
.ganedu-doctor .ganedu-head { color: #555; font-variant-numeric: tabular-nums; }
.ganedu-doctor .ganedu-finding { margin-top: 6px; }""",
)


class Panel:
    """The doctor's findings on one trainer. Its hook is with the trainer until ``close``.

    Args:
        trainer: the ``Trainer`` to watch.
        seconds: of training between two looks, at least, above 0.
        budget: share of the training time that looks may take, in (0, 1], beyond an advance for the first ones. Where they
            cost more, they come less often.
        classifier, features: as for ``Doctor``.
        doctor: a ``Doctor`` of this trainer to go on with.

    Attributes:
        doctor: the ``Doctor``, with its ``verdicts`` and ``history``; None until the first round, where the trainer was
            training already.
        widget: the panel, to be displayed.
    """

    def __init__(self, trainer, *, seconds=SECONDS, budget=0.008, classifier=None, features=None, doctor=None):
        import ipywidgets as widgets

        self.seconds = real_number("seconds", seconds, above=0)
        self.budget = real_number("budget", budget, above=0, at_most=1)
        self.trainer, self._doctor_of = trainer, lambda: Doctor(trainer, classifier, features)
        self.doctor = doctor
        if doctor is None and trainer.state not in ("running", "paused"):
            self.doctor = self._doctor_of()  # else by the thread that trains: nobody else may run the nets meanwhile
        self._began = self._last = trainer.seconds
        self._spent = self.doctor.seconds if self.doctor else 0.0
        self._light = 0  # looks since the last with fresh samples
        self.text = widgets.HTML(layout=widgets.Layout(width="100%", margin="0"))
        style = hidden_style(STYLE)
        self.widget = widgets.VBox([style, self.text])
        self.widget.add_class("ganedu-doctor")
        keep_subshells([self.widget, style, self.text])
        self._write()
        self._hook = trainer.add_hook(self.update)

    def update(self, trainer):
        """The hook: returns at once unless a look is due and paid for."""
        now = trainer.seconds
        if now - self._last < self.seconds:
            if now < self._last:  # an older checkpoint was loaded
                self._began, self._last, self._spent = now, now, self.doctor.seconds if self.doctor else 0.0
            return
        if self.doctor is None:
            self.doctor = self._doctor_of()
        light, full = self.doctor.costs
        left = self.budget * (now - self._began) + ADVANCE * light - (self.doctor.seconds - self._spent)
        if left < light:
            return
        fresh = self._light + 1 >= self.doctor.full_every
        if fresh and left < full:
            if self._light >= 2 * self.doctor.full_every:
                return  # save up for one
            fresh = False
        self._light = 0 if fresh else self._light + 1
        self._last = now
        self.doctor.look(fresh)
        self._write()

    def close(self):
        """Stop watching. What was found stays on the screen."""
        self.trainer.remove_hook(self._hook)

    def _write(self):
        looked = self.doctor.history["round"] if self.doctor else []
        at = f"round {looked[-1]:,}" if looked else f"the first look comes after {self.seconds:g} s of training"
        findings = "".join(map(_finding, self.doctor.verdicts)) if looked else ""
        text = f'<div class="ganedu-head">Training doctor, {at}</div>{findings}'
        if text != self.text.value:
            self.text.value = text


def _finding(verdict):
    color, mark = COLORS.get(verdict.name, TROUBLE), MARKS.get(verdict.name, "!")
    name = f'<span class="ganedu-verdict" style="background: {color}">{mark} {escape(verdict.name)}</span>'
    advice = "".join(f"<li>{escape(line)}</li>" for line in verdict.advice)
    advice = f"<p>What to try:</p><ul>{advice}</ul>" if advice else ""
    return f'<div class="ganedu-finding">{name}{escape(verdict.evidence)}{advice}</div>'


def panel_for(trainer, **settings):
    """A ``Panel`` of ``trainer`` in the place of an earlier one, whose history it goes on with."""
    for earlier in [getattr(hook, "__self__", None) for hook, _ in trainer._hooks]:
        if isinstance(earlier, Panel):
            earlier.close()
            if not settings.keys() & {"classifier", "features"}:
                settings.setdefault("doctor", earlier.doctor)
    return Panel(trainer, **settings)


def doctor(trainer, **settings):
    """Let the training doctor watch ``trainer`` from now on, and show its findings where there is a notebook.

    Args:
        trainer: the ``Trainer``; it may be training already.
        settings: as for ``Panel``.

    Returns:
        a ``Panel``; ``panel.doctor.verdicts`` are the findings.
    """
    panel = panel_for(trainer, **settings)
    from ganedu.views.figure import in_notebook

    if in_notebook() and choose_driver() != "sync":
        from IPython.display import display

        display(panel.widget)
    return panel
