"""A canvas of plain buttons that lies over a picture: click on it to paint a distribution."""

import threading

import ipywidgets as widgets

from ganedu.views.charts import INK, LEFT, TOP
from ganedu.views.playground.data import CELLS, LEVELS
from ganedu.views.playground.scene import SIZE
from ganedu.views.widgets import keep_subshells

CELL = SIZE // CELLS  # pixels
CANVAS_STYLE = f"""<style>
.ganedu-playground .ganedu-stage {{ position: relative; overflow: visible; }}
.ganedu-playground .ganedu-canvas {{ position: absolute; left: {LEFT}px; top: {TOP}px; width: {SIZE}px; height: {SIZE}px;
  margin: 0; overflow: visible; }}
.ganedu-playground .ganedu-canvas button.jupyter-button {{ width: {CELL}px; height: {CELL}px; min-width: 0; margin: 0;
  padding: 0; border: 0.5px solid rgba(0,0,0,.22); border-radius: 0; background: rgba(255,255,255,.15);
  box-shadow: none; cursor: crosshair; }}
.ganedu-playground .ganedu-canvas button.ganedu-ink-1 {{ background: rgba(0,158,115,.40); }}
.ganedu-playground .ganedu-canvas button.ganedu-ink-2 {{ background: rgba(0,158,115,.65); }}
.ganedu-playground .ganedu-canvas button.ganedu-ink-3 {{ background: rgba(0,128,90,.92); }}
.ganedu-playground .ganedu-canvas button.jupyter-button:hover {{ outline: 2px solid {INK}; outline-offset: -2px; }}
</style>"""


class Canvas:
    """CELLS x CELLS buttons, made when the canvas is first opened, and the tools that go with them.

    Args:
        painted: called with the (CELLS, CELLS) levels after each click that changed them.
        button: makes the button Clear.

    Attributes:
        widget: the buttons, to be laid over the picture.
        tools: brush, ink and Clear.
        cells: rows of buttons, the first uppermost; empty before the canvas is opened.
        levels: (CELLS, CELLS) int64, what is painted; None before.
    """

    def __init__(self, painted, button):
        self._painted = painted
        self._lock = threading.RLock()  # levels are put by whoever clicks and by the training loop
        self.cells, self.levels = [], None
        self.widget = widgets.HBox(layout=widgets.Layout(display="none", flex_flow="row wrap"))
        self.widget.add_class("ganedu-canvas")
        self.brush = widgets.Dropdown(
            options=[("1 cell", 1), ("3 × 3", 3), ("5 × 5", 5)],
            value=1,
            description="Brush",
            style={"description_width": "44px"},
            layout=widgets.Layout(width="140px", margin="2px 6px 2px 0"),
        )
        self.ink = widgets.ToggleButtons(
            options=["Paint", "Erase"], value="Paint", layout=widgets.Layout(width="auto", margin="2px 6px 2px 0")
        )
        self.ink.style.button_width = "62px"
        self.clear = button
        self.tools = widgets.HBox(
            [self.brush, self.ink, self.clear], layout=widgets.Layout(display="none", flex_flow="row wrap")
        )

    def open(self, opened):
        """Lay the canvas over the picture, or take it away."""
        if opened and not self.cells:
            self._make()
        for part in (self.widget, self.tools):
            part.layout.display = None if opened else "none"

    def put(self, levels):
        """Show other levels. Only buttons that change are sent to the front end."""
        with self._lock:
            self.levels = levels
            for row, buttons in zip(levels.tolist(), self.cells):
                for level, button in zip(row, buttons):
                    wanted = (f"ganedu-ink-{level}",) if level else ()
                    if button._dom_classes != wanted:
                        button._dom_classes = wanted

    def _make(self):
        layout, style = widgets.Layout(), widgets.ButtonStyle()  # shared: 256 of each would take seconds to send
        self.cells = [[widgets.Button(layout=layout, style=style) for _ in range(CELLS)] for _ in range(CELLS)]
        for row, buttons in enumerate(self.cells):
            for column, button in enumerate(buttons):
                button.on_click(lambda _, row=row, column=column: self._on_cell(row, column))
        buttons = [button for row in self.cells for button in row]
        keep_subshells(buttons)
        self.widget.children = buttons

    def _on_cell(self, row, column):
        levels, reach = self.levels.clone(), self.brush.value // 2
        part = levels[max(0, row - reach) : row + reach + 1, max(0, column - reach) : column + reach + 1]
        part.copy_((part + 1).clamp(max=LEVELS) if self.ink.value == "Paint" else part * 0)
        self.put(levels)
        self._painted(levels)
