"""The live dashboard: samples, losses, what D says, speed and time left; buttons and sliders that act while training.

Made of plain ipywidgets, which JupyterLab and Colab both take. The training loop calls ``update`` between rounds; it
returns at once unless a frame is due. Clicks only set flags of the trainer, which the loop obeys: they may arrive on
any thread. Frames draw no random number and leave nets, optimisers and history alone.
"""

import collections
import math
import threading
import time
from html import escape

import ipywidgets as widgets

from ganedu.arguments import real_number
from ganedu.views.charts import line_chart
from ganedu.views.samples import MAX_WIDTH, Samples
from ganedu.views.summary import curves, observed_range
from ganedu.views.widgets import STATE_COLORS, button, family, hidden_style, keep_subshells, panel_style

STYLE = panel_style(
    "dashboard",
    """.ganedu-dashboard svg + svg { margin-top: 8px; }
.ganedu-status { font: 13px/1.4 system-ui, sans-serif; font-variant-numeric: tabular-nums; white-space: nowrap; }
.ganedu-status b { display: inline-block; min-width: 64px; padding: 1px 10px; margin-right: 10px; border-radius: 10px;
  color: #fff; text-align: center; }
.ganedu-status span { display: inline-block; margin-right: 12px; min-width: 96px; }
.ganedu-status span:nth-of-type(1) { min-width: 165px; }
.ganedu-bar { height: 4px; margin-top: 6px; background: #ddd; border-radius: 2px; }
.ganedu-bar div { height: 4px; background: #0072B2; border-radius: 2px; }""",
)
BUTTON = {"width": "86px", "margin": "2px 6px 2px 0", "padding": "0 2px"}
TEXT_SECONDS, PICTURE_SECONDS = (
    1.0,
    5.0,
)  # between two of them, at most: also where a busy machine makes each of them dear
CHART_SECONDS = 0.5  # curves change more slowly than samples


class Dashboard:
    """The live view of one training run.

    Args:
        trainer: the ``Trainer`` to watch and to steer.
        rounds: rounds of this run; the trainer's own target once it runs.
        picture: a function ``picture(trainer)`` that returns the bytes of a PNG or the text of an SVG, in place of the
            samples.
        fps: frames a second, at most.
        budget: share of the training time that frames may take. Where pictures cost more, they come less often.

    Attributes:
        widget: the whole, to be displayed.
        pause, resume, step, stop: the buttons.
        lr: a dict of sliders by player.
        n_critic: a slider, or None where the game has no such number.
        frames: pictures drawn so far.
        drawing_seconds: time spent drawing and writing while training ran.
    """

    def __init__(self, trainer, rounds=None, *, picture=None, fps=5, budget=0.008):
        self.trainer = trainer
        self.interval = 1 / real_number("fps", fps, above=0)
        self.budget = real_number("budget", budget, above=0, at_most=1)
        self.target = trainer.round + rounds if rounds else trainer.target
        self.frames, self.drawing_seconds, self._writing_seconds = 0, 0.0, 0.0
        self._draw_picture = (lambda: picture(trainer)) if picture else Samples(trainer).draw
        self._samples = None if picture else self._draw_picture.__self__

        self._lock = threading.RLock()  # texts are written by the training loop and by whoever clicks
        self._due = self._charts_due = 0.0
        self._began = time.perf_counter()
        self._paused_seconds = 0.0
        self._paused_since = None
        self._drawn_round = self._drawn_log = self._written_round = -1
        self._drawn_at = self._written_at = -math.inf
        self._shown_state = None
        self._pressed = ""  # what was asked for and has not happened yet
        self._touched = False
        self._asked = {}  # settings that were asked for and are not applied yet: {player or "n_critic": value}
        self._seen = {}  # settings as they were last shown
        self._following = None  # the thread that moves a slider because the setting moved
        self._speeds = collections.deque(maxlen=16)  # (training seconds, round)
        self._error = None
        self._build()
        self._write_texts()
        self._draw()

    # --- the widgets ------------------------------------------------------------------------------------------

    def _build(self):
        self.status = widgets.HTML(layout=widgets.Layout(margin="0 0 8px 0", width="100%"))
        self.picture = widgets.VBox(layout=widgets.Layout(margin="0 12px 0 0", overflow="visible"))
        self.charts = widgets.HTML(layout=widgets.Layout(margin="0"))
        self.pause = button("Pause", "Hold after this round", "pause", self._on_pause, **BUTTON)
        self.resume = button("Resume", "Go on", "play", self._on_resume, **BUTTON)
        self.step = button("Step", "Play one round and hold", "step-forward", self._on_step, **BUTTON)
        self.stop = button("Stop", "End the run; the model keeps what it has learned", "stop", self._on_stop, **BUTTON)
        self.lr, self._readings, rows = {}, {}, []
        for player in self.trainer.optimizers:
            present = self.trainer.lr(player)
            top = max(-1.0, math.ceil(math.log10(present))) if present > 0 else -1.0
            slider = widgets.FloatLogSlider(
                value=min(max(present, 1e-6), 10**top),
                base=10,
                min=-6,
                max=top,
                step=0.1,
                readout=False,
                description=f"{player}: learning rate",
                style={"description_width": "132px"},
                layout=widgets.Layout(width="310px"),
            )
            slider.observe(lambda change, player=player: self._on_lr(player, change["new"]), names="value")
            self.lr[player] = slider
            rows.append(self._row(slider, player))
        self.n_critic = None
        if hasattr(self.trainer.game, "n_critic"):
            self.n_critic = widgets.IntSlider(
                value=self.trainer.game.n_critic,
                min=1,
                max=max(10, self.trainer.game.n_critic),
                readout=False,
                description="D steps per G step",
                style={"description_width": "132px"},
                layout=widgets.Layout(width="310px"),
            )
            self.n_critic.observe(lambda change: self._on_n_critic(change["new"]), names="value")
            rows.append(self._row(self.n_critic, "n_critic"))
        buttons = widgets.HBox(
            [self.pause, self.resume, self.step, self.stop], layout=widgets.Layout(margin="0 6px 0 0", width="374px")
        )
        pictures = widgets.HBox(
            [self.picture, self.charts], layout=widgets.Layout(align_items="flex-start", flex_flow="row wrap")
        )
        controls = widgets.HBox(
            [buttons, widgets.VBox(rows)], layout=widgets.Layout(margin="8px 0 0 0", flex_flow="row wrap")
        )
        self.widget = widgets.VBox([hidden_style(STYLE), self.status, pictures, controls])
        self.widget.add_class("ganedu-dashboard")

    def _row(self, slider, name):
        self._readings[name] = widgets.HTML(layout=widgets.Layout(width="90px", margin="2px 0 2px 6px"))
        return widgets.HBox([slider, self._readings[name]], layout=widgets.Layout(align_items="center"))

    def show(self):
        """Display the dashboard, where there is a notebook."""
        from ganedu.views.figure import in_notebook

        if in_notebook():
            from IPython.display import display

            keep_subshells(family(self.widget))
            display(self.widget)

    # --- what a hand does ------------------------------------------------------------------------------------

    def _on_pause(self):
        self._press(self.trainer.pause, "pausing")

    def _on_resume(self):
        self._press(self.trainer.resume)

    def _on_step(self):
        self._press(self.trainer.single_step, "one round")

    def _on_stop(self):
        self._press(self.trainer.stop, "stopping")

    def _on_lr(self, player, value):
        present = self._asked.get(player, self.trainer.lr(player))
        # A slider that is shown rounds its value to its own steps and reports that: nobody has moved it
        if present <= 0 or abs(math.log10(value / present)) > 0.49 * self.lr[player].step:
            self._ask(player, float(value), lambda: self.trainer.set_lr(player, float(value)))

    def _on_n_critic(self, value):
        if value != self._asked.get("n_critic", self.trainer.game.n_critic):
            self._ask("n_critic", int(value), lambda: self.trainer.set_n_critic(int(value)))

    def _ask(self, name, value, request):
        if self._following == threading.get_ident():
            return
        with self._lock:
            self._touched = True
            self._asked[name] = value
            request()
            self._write_settings()

    def _press(self, request, what=""):
        with self._lock:
            self._touched = True
            if self.trainer.state in ("running", "paused"):  # a click may arrive when all is over
                request()
                self._pressed = what
            self._write_texts()

    # --- what the training loop does --------------------------------------------------------------------------

    def begin(self):
        """To be called when a run starts."""
        self._began, self._paused_seconds, self._paused_since = time.perf_counter(), 0.0, None
        self.frames, self.drawing_seconds, self._writing_seconds = 0, 0.0, 0.0

    def update(self, *_):
        """To be called between rounds and, over and over, during a pause. True if somebody clicked since the last call.

        Draws what is due: texts at once when the state changes and else at ``fps``; pictures at ``fps`` as long as
        all drawing has taken no more than ``budget`` of the training time. Texts alone take a third of it at most, so
        that pictures come even where sending is slow.
        """
        now = time.perf_counter()
        if now >= self._due or self.trainer.state != self._shown_state:
            self._frame(now)
        elif self._asked:
            self._write_settings()  # says at once when a new setting is in force
        touched, self._touched = self._touched, False
        return touched

    def _frame(self, now):
        paused = self.trainer.state == "paused"
        if paused != (self._paused_since is not None):
            if paused:
                self._paused_since = now
            else:
                self._paused_seconds += now - self._paused_since
                self._paused_since = None
        allowance = math.inf if paused else self.budget * (now - self._began - self._paused_seconds)
        paid = self.drawing_seconds <= allowance or now - self._drawn_at >= PICTURE_SECONDS
        if self.trainer.round != self._drawn_round and paid:
            self._draw()
        drawn = time.perf_counter()
        paid = self._writing_seconds <= allowance / 3 or now - self._written_at >= TEXT_SECONDS
        news = self.trainer.round != self._written_round and paid
        if news or self.trainer.state != self._shown_state:
            self._write_texts()
        else:
            self._write_settings()
        ended = time.perf_counter()
        if not paused:
            self._writing_seconds += ended - drawn
            self.drawing_seconds += ended - now
        self._due = now + self.interval

    def end(self, error=None):
        """To be called when a run has ended: shows the last state, and the error that ended it if there is one."""
        self._error = error
        self._draw()
        self._write_texts()

    # --- drawing ---------------------------------------------------------------------------------------------

    def _draw(self):
        self.frames += 1
        self._drawn_round, self._drawn_at = self.trainer.round, time.perf_counter()
        drawn, charts = self._draw_picture(), None
        entries, now = len(self.trainer.history["round"]), time.perf_counter()
        if entries != self._drawn_log and (now >= self._charts_due or self.trainer.state != "running"):
            self._drawn_log, self._charts_due = entries, now + CHART_SECONDS
            charts = self._chart_html()
        if drawn is not None:  # sent when all is ready: each message wakes the thread that sends it, which then
            self._put_picture(drawn)  # wants Python's lock
        if charts is not None:
            self.charts.value = charts

    def _put_picture(self, drawn):
        if isinstance(drawn, bytes):
            if not self.picture.children:
                image = widgets.Image(value=drawn, format="png", layout=widgets.Layout(margin="0"))
                if self._samples is not None and self._samples.caption:
                    width = self._samples.pixels().shape[1] * self._samples.scale
                    image.layout.width = f"{min(width, MAX_WIDTH)}px"
                    text = escape(self._samples.caption)
                    caption = widgets.HTML(f'<div style="font-size: 12px; padding-top: 4px">{text}</div>')
                    self.picture.children = (image, caption)
                else:
                    self.picture.children = (image,)
            self.picture.children[0].value = drawn
        else:
            if not self.picture.children:
                self.picture.children = (widgets.HTML(layout=widgets.Layout(margin="0")),)
            self.picture.children[0].value = drawn

    def _chart_html(self):
        losses, observed = curves(self.trainer.history)
        span = (0, self.target)
        charts = line_chart(losses, x_range=span, x_label="round", y_label="loss")
        if observed or not losses:
            charts += line_chart(
                observed,
                x_range=span,
                x_label="round",
                y_label=self.trainer.game.observed,
                y_range=observed_range(observed),
            )
        return charts

    def _write_texts(self):
        with self._lock:
            trainer, state = self.trainer, self.trainer.state
            if state != self._shown_state:
                self._pressed = ""
            running = state in ("running", "paused")
            if running:
                self.target = max(trainer.target, trainer.round)
            self._shown_state = state
            round_ = self._written_round = trainer.round
            self._written_at = time.perf_counter()
            speed = self._speed()
            parts = [f"round {round_:,} of {self.target:,}"]
            if speed:
                parts.append(f"{speed:,.{0 if speed >= 100 else 1}f} rounds/s")
                if running and self.target > round_:
                    parts.append(f"{_duration((self.target - round_) / speed)} left")
                else:
                    parts.append(f"{_duration(trainer.seconds)} of training")
            if self._pressed:
                parts.append(f"{self._pressed} ...")
            if self._error is not None and state == "failed":
                message = f"{type(self._error).__name__}: {self._error}"
                parts = [f"round {round_:,}", f'<span style="white-space: normal">{escape(message)}</span>']
            # the buttons first: whoever reads "paused" may press Resume at once
            for button, works in (
                (self.pause, state == "running"),
                (self.resume, state == "paused"),
                (self.step, running),
                (self.stop, running),
            ):
                if button.disabled == works:
                    button.disabled = not works
            share = 100 * min(1, round_ / self.target) if self.target else 0
            word = f'<b style="background: {STATE_COLORS[state]}">{state}</b>'
            self.status.value = (
                f'<div class="ganedu-status">{word}{"".join(f"<span>{part}</span>" for part in parts)}'
                f'<div class="ganedu-bar"><div style="width: {share:.1f}%"></div></div></div>'
            )
            self._write_settings()

    def _write_settings(self):
        """Show what the optimisers really use, and let the sliders follow what code has changed."""
        with self._lock:
            for player, slider in self.lr.items():
                self._follow(player, slider, self.trainer.lr(player), self._readings[player], ".2g")
            if self.n_critic is not None:
                present = self.trainer.game.n_critic
                self._follow("n_critic", self.n_critic, present, self._readings["n_critic"], "d")

    def _follow(self, name, slider, present, reading, form):
        text = f'<span class="ganedu-setting">now {present:{form}}</span>'
        if reading.value != text:
            reading.value = text
        asked = self._asked.get(name)
        if asked is not None:
            if asked == present:  # it is in force
                del self._asked[name]
                self._seen[name] = present
            return  # the slider stands where the hand has left it
        if present == self._seen.setdefault(name, present):
            return
        self._seen[name] = present  # code has changed it
        low, high = (10**slider.min, 10**slider.max) if hasattr(slider, "base") else (slider.min, slider.max)
        self._following = threading.get_ident()
        slider.value = min(max(present, low), high)
        self._following = None

    def _speed(self):
        """Rounds a second over the last frames, pauses not counted; 0 before anything was played."""
        now = (self.trainer.seconds, self.trainer.round)
        if not self._speeds or now[1] > self._speeds[-1][1]:
            self._speeds.append(now)
        elif now[1] < self._speeds[-1][1]:
            self._speeds.clear()  # an older checkpoint was loaded
        if len(self._speeds) < 2:
            return 0.0
        (first, first_round), (last, last_round) = self._speeds[0], self._speeds[-1]
        return (last_round - first_round) / max(last - first, 1e-9)


def _duration(seconds):
    """Seconds in words: 7 s, 1 min 20 s, 2 h 05 min."""
    seconds = math.ceil(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"
