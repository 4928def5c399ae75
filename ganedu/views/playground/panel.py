"""The playground's panel: the picture with its canvas, curves, buttons and sliders, of plain ipywidgets.

The training loop calls ``update`` between rounds; it returns at once unless something is due. What a hand does is only noted, for
the loop to do. Pictures, and measurements with their curves, each keep to a share of the time: after one that took c
seconds the next comes c / share later.
"""

import contextlib
import math
import threading
import time
from html import escape

import ipywidgets as widgets

from ganedu.views.charts import INK, LEFT, line_chart
from ganedu.views.dashboard import STYLE
from ganedu.views.figure import CRITIC, FAKE
from ganedu.views.playground.canvas import CANVAS_STYLE, Canvas
from ganedu.views.playground.data import rasterise
from ganedu.views.playground.game import formulas
from ganedu.views.playground.scene import GAPS, LAYERS, RIGHT, SIZE, distances_chart, svg
from ganedu.views.widgets import STATE_COLORS, family, hidden_style, keep_subshells

PAUSED_SECONDS = 0.04  # between two pictures where nothing is held up by drawing them
PICTURE_SHARE, PICTURE_SECONDS = 0.08, 0.1  # of the time, at most; and from one to the next, at least
MEASURE_SHARE, MEASURE_SECONDS = 0.04, 0.5
CHART_WIDTH = 366
RATES = [m * 10**-e for e in (5, 4, 3, 2) for m in (1, 2, 5)] + [0.1]
WIDTHS, DEPTHS = (2, 4, 8, 16, 32, 64, 128, 256), (1, 2, 3, 4, 5)
PENALTIES = [("none", (None, 0.0))]
PENALTIES += [(f"gradient penalty, λ = {w:g}", ("gp_weight", w)) for w in (0.1, 1.0, 10.0)]
PENALTIES += [(f"R1, γ = {w:g}", ("r1_gamma", w)) for w in (0.1, 1.0, 10.0)]
BUTTONS = {"play": 68, "pause": 76, "round": 80, "step_D": 82, "step_G": 82, "slow": 112, "reset": 76, "draw": 72}
BUTTONS |= {"code": 102, "end": 66, "clear": 72}  # pixels
WORDS = {"playing": "running", "paused": "paused", "failed": "failed", "ended": "stopped"}  # for the colours
TURNS = {
    "D": "D's turn: with the next update D's map will suit these real points and fakes better.",
    "G": "G's turn: with the next update every fake will move along its arrow, as far as G's weights can do that.",
}
PANEL_STYLE = f"""<style>
.ganedu-playground .jupyter-button.mod-active {{ background: {CRITIC}; color: #fff; }}
.ganedu-playground svg + svg {{ margin-top: -10px; }}
.ganedu-playground select {{ background: #fff; color: #333; }}
.ganedu-playground .widget-checkbox label {{ color: #333; }}
.ganedu-playground .widget-readout {{ min-width: 44px; max-width: 56px; }}
.ganedu-hint {{ font: 13px/1.35 system-ui, sans-serif; min-height: 18px; }}
.ganedu-formula {{ font: 12px/1.4 system-ui, sans-serif; color: #333; }}
.ganedu-head {{ font: 600 13px/1.6 system-ui, sans-serif; border-bottom: 2px solid; }}
.ganedu-gaps {{ font: 13px/1.3 system-ui, sans-serif; font-variant-numeric: tabular-nums; border-collapse: collapse; }}
.ganedu-gaps td {{ padding: 0 14px 0 0; white-space: nowrap; }}
.ganedu-gaps b {{ font-size: 17px; }}
.ganedu-how {{ font: 12px/1.45 system-ui, sans-serif; max-width: 800px; }}
.ganedu-code {{ font: 12px/1.4 ui-monospace, monospace; white-space: pre; overflow: auto; max-height: 420px; margin: 6px 0 0;
  padding: 8px; border: 1px solid #ccc; background: #fafafa; color: #222; }}
</style>"""


class Pace:
    """When the next of something is due that may take a share of the time."""

    def __init__(self, share, seconds):
        self.share, self.seconds, self.due, self.spent = share, seconds, 0.0, 0.0

    @contextlib.contextmanager
    def spend(self):
        started = time.perf_counter()
        yield
        ended = time.perf_counter()
        self.spent += ended - started
        self.due = max(started + self.seconds, ended + (ended - started) * (1 / self.share - 1))


class Panel:
    """The widgets around a ``Playground``.

    Args:
        play: the playground.
        patience: seconds after which an untouched, paused playground ends by itself; None for never.

    Attributes:
        widget: the whole, to be displayed.
        buttons: by name: "play", "pause", "round", "step_D", "step_G", "slow", "reset", "draw", "code", "end", "clear".
        controls: by the name of a setting.
        layers: checkboxes by layer.
        canvas: where data are painted.
    """

    def __init__(self, play, patience=None):
        self.play, self.patience = play, patience
        self.pace = Pace(PICTURE_SHARE, PICTURE_SECONDS)
        self.measuring = Pace(MEASURE_SHARE, MEASURE_SECONDS)
        self._lock = threading.RLock()
        self._touched, self._touched_at = False, time.perf_counter()
        self._played_at = self._touched_at
        self._following = None
        self._drawn = self._written = self._measured = self._charted = self._shown = None
        self._texts_due, self._speed, self._last = 0.0, 0.0, None
        self._source = None  # what the canvas shows
        self._build()
        self._measure()
        self._draw()
        self._write()

    # --- the widgets ------------------------------------------------------------------------------------------------

    def _build(self):
        own = self.play.own
        self.status = widgets.HTML(layout=widgets.Layout(margin="0 0 4px 0"))
        self.hint = widgets.HTML(layout=widgets.Layout(margin="2px 0 0 0", width="auto"))
        self.buttons = {}
        for name, text, icon, tip, pressed in (
            ("play", "Play", "play", "Train until you pause", self.play.play),
            ("pause", "Pause", "pause", "Hold", self.play.pause),
            ("round", "Round", "step-forward", "One round: D's updates, then G's", self.play.step),
            ("step_D", "Step D", "step-forward", "One update of D alone", lambda: self.play.step("D")),
            ("step_G", "Step G", "step-forward", "One update of G alone", lambda: self.play.step("G")),
            ("reset", "Reset", "refresh", "New nets, the same seed", self.play.reset),
            ("code", "Print code", "code", "Plain PyTorch that does the same", self._print_code),
            ("end", "End", "stop", "End the playground, so that the next cell can run", self.play.close),
            ("clear", "Clear", "eraser", "An empty canvas", self._clear),
        ):
            self.buttons[name] = widgets.Button(description=text, icon=icon, tooltip=tip, layout=_fixed(BUTTONS[name]))
            self.buttons[name].on_click(lambda _, pressed=pressed: self._press(pressed))
        for name, text, icon, tip, changed in (
            ("slow", "Slow motion", "hourglass-half", "Wait before each update", self._on_slow),
            ("draw", "Draw", "pencil", "Paint the data on the picture", self._on_draw),
        ):
            button = widgets.ToggleButton(
                value=False, description=text, icon=icon, tooltip=tip, layout=_fixed(BUTTONS[name])
            )
            button.observe(lambda change, changed=changed: changed(change["new"]), names="value")
            self.buttons[name] = button
        row = ["play", "pause", "round", "step_D", "step_G", "slow", "reset", "draw", "code"]
        toolbar = _row([self.buttons[name] for name in row])
        top = _row([self.status, *([self.buttons["end"]] if self.patience else [])])

        self.picture = widgets.HTML(layout=widgets.Layout(margin="0", width=f"{LEFT + SIZE + RIGHT}px"))
        self.canvas = Canvas(self._on_paint, self.buttons["clear"])
        stage = widgets.VBox([self.picture, self.canvas.widget], layout=widgets.Layout(margin="0", overflow="visible"))
        stage.add_class("ganedu-stage")
        self.layers = {}
        for layer, text in LAYERS.items():
            if layer == "grid" and self.play.z_dim > 2:
                continue
            box = widgets.Checkbox(value=True, description=text, indent=False, layout=_fixed("auto"))
            box.observe(lambda change, layer=layer: self._on_layer(layer, change["new"]), names="value")
            self.layers[layer] = box
        for tool in (self.canvas.brush, self.canvas.ink):
            tool.observe(lambda _: self._touch(), names="value")

        self.gaps = widgets.HTML(layout=widgets.Layout(margin="0 0 2px 6px"))
        self.charts = widgets.HTML(layout=widgets.Layout(margin="0"))
        left = widgets.VBox(
            [stage, _row(self.layers.values()), self.canvas.tools],
            layout=widgets.Layout(margin="0 6px 0 0", overflow="visible"),
        )
        right = widgets.VBox([self.gaps, self.charts], layout=widgets.Layout(margin="0"))

        self.controls = {
            "data": self._dropdown([(name, name) for name in self.play.sources], self.play.settings.data.name, "Data"),
            "objective": self._dropdown(
                [(name.replace("_", " "), name) for name in self.play.objectives],
                self.play.settings.objective,
                "Objective",
            ),
            "penalty": self._dropdown(PENALTIES, self.play.settings.penalty, "Penalty on D"),
        }
        for player in ("G", "D"):
            for name, text, options in (
                ("width", "Units a layer", WIDTHS),
                ("depth", "Hidden layers", DEPTHS),
                ("lr", "Learning rate", RATES),
            ):
                name = f"{name}_{player}"
                self.controls[name] = self._slider(name, text, options, disabled=player in own and name[:2] != "lr")
        self.controls["n_critic"] = self._slider("n_critic", "D steps/round", tuple(range(1, 11)))
        for name, control in self.controls.items():
            control.observe(lambda change, name=name: self._on_setting(name, change["new"]), names="value")
        self.formula = widgets.HTML(layout=widgets.Layout(width="auto", margin="0 0 0 4px"))
        columns = [
            self._column("The game", INK, ["data", "objective", "penalty"]),
            self._column("Discriminator D", CRITIC, ["width_D", "depth_D", "lr_D", "n_critic"]),
            self._column("Generator G", FAKE, ["width_G", "depth_G", "lr_G"]),
        ]
        how = widgets.HTML(
            '<details class="ganedu-how"><summary>What do the arrows and the numbers say?</summary>An <b>arrow</b> shows which '
            "way a fake would have to go for G's loss to fall: minus the gradient of G's loss at the fake, times the number of "
            "fakes. A gradient of 1 is an arrow of 15 % of the picture, and none is drawn longer than 10 %. The <b>grid of z</b> is "
            "where G sends straight lines of latents; each of its cells gets equally many fakes. The <b>map</b> is D's output "
            f"at each point.<br>{self.play.gauge.words()}</details>",
            layout=widgets.Layout(margin="4px 0 0 0"),
        )
        self.code = widgets.HTML(layout=widgets.Layout(margin="0", max_width="814px"))
        wrap = widgets.Layout(flex_flow="row wrap", align_items="flex-start", overflow="visible")
        self.widget = widgets.VBox(
            [
                hidden_style(STYLE, CANVAS_STYLE, PANEL_STYLE),
                top,
                toolbar,
                self.hint,
                widgets.HBox([left, right], layout=wrap),
                widgets.HBox(columns, layout=wrap),
                self.formula,
                how,
                self.code,
            ]
        )
        self.widget.add_class("ganedu-dashboard")
        self.widget.add_class("ganedu-playground")

    def _column(self, title, color, names):
        head = widgets.HTML(
            f'<div class="ganedu-head" style="border-color: {color}">{title}</div>',
            layout=widgets.Layout(width="260px", margin="0 0 2px 0"),
        )
        return widgets.VBox(
            [head, *(self.controls[name] for name in names)],
            layout=widgets.Layout(margin="6px 8px 0 0", width="262px", overflow="visible"),
        )

    def _dropdown(self, options, value, text):
        if value not in [o[1] for o in options]:
            options = [(str(value), value), *options]
        return widgets.Dropdown(
            options=options, value=value, description=text, style={"description_width": "86px"}, layout=_fixed(260)
        )

    def _slider(self, name, text, options, disabled=False):
        value = getattr(self.play.settings, name)
        return widgets.SelectionSlider(
            options=_with(options, value),
            value=value,
            description=text,
            disabled=disabled,
            style={"description_width": "96px"},
            layout=_fixed(260),
        )

    def show(self):
        """Display the panel, where there is a notebook."""
        from ganedu.views.figure import in_notebook

        if in_notebook():
            from IPython.display import display

            keep_subshells(family(self.widget))
            display(self.widget)

    # --- what a hand does -------------------------------------------------------------------------------------------

    def _touch(self):
        self._touched, self._touched_at = True, time.perf_counter()

    def _press(self, pressed):
        self._touch()
        pressed()
        self._write()

    def _on_slow(self, slow):
        self._touch()
        self.play.slow = slow
        self._write()

    def _on_layer(self, layer, seen):
        self._touch()
        change = self.play.layers.add if seen else self.play.layers.discard
        change(layer)
        self.play.changes += 1

    def _on_setting(self, name, value):
        if self._following == threading.get_ident():
            return
        self._touch()
        if name != "data" or value in self.play.sources:
            self.play.change(**{name: value})

    def _print_code(self):
        from pygments import highlight
        from pygments.formatters import HtmlFormatter
        from pygments.lexers import PythonLexer

        code = highlight(self.play.code(), PythonLexer(), HtmlFormatter(noclasses=True, nowrap=True, style="default"))
        self.code.value = f'<div class="ganedu-code">{code}</div>'

    def _on_draw(self, drawing):
        self._touch()
        self.canvas.open(drawing)
        self._show_levels()
        self._write()

    def _show_levels(self):
        """The canvas shows the present data, so that painting goes on from there."""
        source = self.play.settings.data
        if self.buttons["draw"].value and source is not self._source:
            self._source = source
            self.canvas.put(rasterise(source.data, self.play.low, self.play.high))

    def _on_paint(self, levels):
        self._touch()
        if (
            levels.sum() > 0 and not self.play.closed
        ):  # no points come from an empty canvas: the data stay till there is ink
            self.play.paint(levels.tolist())
        self._write()

    def _clear(self):
        if self.canvas.levels is not None:
            self.canvas.put(self.canvas.levels * 0)

    # --- what the loop does -----------------------------------------------------------------------------------------

    def update(self):
        """To be called between rounds, or over and over in a pause. True if somebody clicked since the last call."""
        play, now = self.play, time.perf_counter()
        position, playing = play.position, play.state == "playing"
        if self.patience is not None:
            if playing:
                self._played_at = now
            elif now - max(self._touched_at, self._played_at) > self.patience:
                play.close()
        if position != self._drawn and now >= (self.pace.due if playing else self._drawn_at + PAUSED_SECONDS):
            with self.pace.spend():
                self._draw()
        if now >= self.measuring.due and (position[:4], play.settings.data) != self._measured:
            with self.measuring.spend():
                self._measure()
        if play.state != self._shown or (position != self._written and now >= self._texts_due):
            self._write()
        touched, self._touched = self._touched, False
        return touched

    def end(self):
        """To be called when the loop stands still: shows the last state."""
        self._measure()
        self._draw()
        self._write()

    def _draw(self):
        self._drawn, self._drawn_at = self.play.position, time.perf_counter()
        self.picture.value = svg(self.play.eye.look(self.play.trainer.game, self.play.layers))

    def _measure(self):
        play = self.play
        self._measured = (play.position[:4], play.settings.data)
        records, x = play.records, play.trainer.round + sum(play.alone.values())
        if records and records[-1]["x"] == x:
            records[-1].update(play.gauge(play.trainer.game))  # other data, the same nets
        else:
            play.record()
        last, apart = records[-1], play.gauge.real_apart
        cells = "".join(
            f"<td>{name}<br><b>{_number(last[key])}</b> {'' if key == 'W1' else 'nats'}<br>real/real {_number(apart[key])}</td>"
            for key, name in GAPS.items()
        )
        self.gaps.value = f'<table class="ganedu-gaps"><tr>{cells}</tr></table>'
        xs, span = [row["x"] for row in records], (0, max(x, 10))
        losses = [
            (name, color, xs, [row[key] for row in records])
            for key, name, color in (("d_loss", "D's loss", CRITIC), ("g_loss", "G's loss", FAKE))
        ]
        losses = line_chart(losses, x_range=span, x_label="", y_label="loss", width=CHART_WIDTH, height=166)
        self.charts.value = losses + distances_chart(records, apart, span, CHART_WIDTH, 236)

    # --- texts ------------------------------------------------------------------------------------------------------

    def _write(self):
        with self._lock:
            play, now = self.play, time.perf_counter()
            state = self._shown = play.state
            self._written, self._texts_due = play.position, now + 0.2
            for name, works in (
                ("play", state == "paused"),
                ("pause", state == "playing"),
                *((name, state in ("playing", "paused")) for name in ("round", "step_D", "step_G")),
                *((name, state != "ended") for name in ("slow", "reset", "draw", "end", "clear")),
            ):
                if self.buttons[name].disabled == works:
                    self.buttons[name].disabled = not works
            for name, control in self.controls.items():
                off = state == "ended" or (name[:-2] in ("width", "depth") and name[-1] in play.own)
                if control.disabled != off:
                    control.disabled = off
            alone = ", ".join(f"{n:,} of {player} alone" for player, n in play.alone.items() if n)
            parts = [f"round {play.trainer.round:,}" + (f" + {alone}" if alone else "")]
            speed = self._rounds_a_second(state, now)
            if speed:
                parts.append(f"{speed:,.0f} rounds/s")
            word = f'<b style="background: {STATE_COLORS[WORDS[state]]}">{state}</b>'
            self._put(
                self.status,
                f'<div class="ganedu-status">{word}{"".join(f"<span>{part}</span>" for part in parts)}</div>',
            )
            self._put(self.hint, f'<div class="ganedu-hint">{self._hint(state)}</div>')
            d, g = formulas(play.objectives[play.settings.objective])
            lines = [f"{player} minimises {escape(text)}" for player, text in (("D", d), ("G", g)) if text]
            self._put(self.formula, f'<div class="ganedu-formula">{" &nbsp; · &nbsp; ".join(lines)}</div>')
            self._follow()

    def _put(self, widget, text):
        if widget.value != text:
            widget.value = text

    def _hint(self, state):
        play = self.play
        if play.error is not None:
            message = f"{type(play.error).__name__}: {play.error}"
            return f'<span style="color: #B03A00">{escape(message[:400])}</span> Press Reset to begin again.'
        if state == "ended":
            return "Ended. Run the cell again for another playground."
        if play.turn is not None:
            return TURNS[play.turn]
        if self.buttons["draw"].value:
            if self.canvas.levels is not None and self.canvas.levels.sum() == 0:
                return "The canvas is empty. Click on it to paint; the old data stay until there is ink."
            return "Click on the picture to paint where real points come from; click again for more of them."
        if state == "paused" and play.trainer.round == 0 and not any(play.alone.values()):
            return "Press Play. Or go step by step: Step D changes D's map, Step G moves the fakes along their arrows."
        if play.settings.objective == "wasserstein" and play.settings.penalty[0] is None:
            return "Nothing holds the critic's slope here: its loss may run away. Choose a penalty on D."
        return ""

    def _rounds_a_second(self, state, now):
        if state != "playing":
            self._last = None
            return 0.0
        mark = (id(self.play.trainer), self.play.trainer.round, now)
        if self._last is None or self._last[0] != mark[0]:
            self._last, self._speed = mark, 0.0
        elif now - self._last[2] > 0.8:
            self._speed = (mark[1] - self._last[1]) / (now - self._last[2])
            self._last = mark
        return self._speed

    def _follow(self):
        """Let the controls show what code, or a canvas, has set; but not under the hand that has just moved one."""
        if self.play._requests or time.perf_counter() - self._touched_at < 0.3:
            self._written = None  # look again
            return
        self._following = threading.get_ident()
        try:
            for name, control in self.controls.items():
                value = getattr(self.play.settings, name)
                value = value.name if name == "data" else value
                if control.value == value:
                    continue
                present = [o[1] if isinstance(o, tuple) else o for o in control.options]
                if value not in present:
                    if isinstance(control, widgets.Dropdown):
                        control.options = [(str(value), value), *control.options]
                    else:
                        control.options = _with([v for v in present], value)
                control.value = value
            self._show_levels()
        finally:
            self._following = None


def _with(options, value):
    """(label, value) pairs, in order, with ``value`` among them."""
    return [(f"{option:g}", option) for option in sorted({*options, value})]


def _fixed(width):
    return widgets.Layout(
        width=f"{width}px" if isinstance(width, int) else width, margin="2px 6px 2px 0", padding="0 2px"
    )


def _row(children):
    return widgets.HBox(list(children), layout=widgets.Layout(flex_flow="row wrap", overflow="visible"))


def _number(value):
    if math.isinf(value):
        return "∞"
    return f"{value:.3f}" if abs(value) < 10 else f"{value:.3g}"
