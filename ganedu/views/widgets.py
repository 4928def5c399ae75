"""What the views share: one look for all panels, buttons, pictures in a page, and messages that arrive while a cell runs."""

import base64
from html import escape

STATE_COLORS = {  # background of the word that says how it goes; white text on each has a contrast of 4.5 and more
    "running": "#00724F",
    "paused": "#8A5A00",
    "stopped": "#555555",
    "done": "#005A8E",
    "failed": "#B03A00",
    "idle": "#555555",
}


def panel_style(name, *more):
    """A <style> for the panel of class ``ganedu-NAME``: a white card in any theme, its labels dark, its buttons grey.

    Args:
        name: of the panel; the CSS below is said of nothing outside it.
        more: rules of the view's own, CSS.
    """
    panel = f".ganedu-{name}"
    return f"""<style>
{panel} {{ background: #fff; color: #333; padding: 10px 12px; border: 1px solid #ccc; border-radius: 4px;
  width: max-content; max-width: 100%; box-sizing: border-box; overflow-x: auto;
  --jp-widgets-label-color: #333; --jp-widgets-readout-color: #333; --jp-ui-font-color1: #333; }}
{panel} .widget-label, {panel} .widget-readout, {panel} .widget-html-content {{ color: #333; }}
{panel} .widget-html-content {{ line-height: 1.4; font-size: 13px; }}
{panel} .widget-readout {{ background: #fff; }}
{panel} .jupyter-button {{ background: #e6e6e6; color: #222; }}
{panel} .jupyter-button.mod-active {{ background: #005A8E; color: #fff; }}
{panel} .jupyter-button:disabled {{ background: #f4f4f4; color: #777; opacity: 1; }}
{panel} .widget-image, {panel} img {{ image-rendering: pixelated; max-width: none; }}
{panel} svg {{ display: block; }}
{chr(10).join(more)}
</style>"""


def hidden_style(*styles):
    """A widget that takes no room and brings ``styles`` into the page."""
    import ipywidgets as widgets

    return widgets.HTML("".join(styles), layout=widgets.Layout(display="none"))


def button(text, tooltip, icon, pressed, **layout):
    """A button that calls ``pressed()``; ``layout`` as ipywidgets has it."""
    import ipywidgets as widgets

    made = widgets.Button(description=text, tooltip=tooltip, icon=icon, layout=widgets.Layout(**layout))
    made.on_click(lambda _: pressed())
    return made


def inline_image(png, alt):
    """HTML of a picture, the bytes of a PNG, that needs no file beside the page."""
    return f'<img src="data:image/png;base64,{base64.b64encode(png).decode()}" alt="{escape(alt)}">'


def family(widget):
    """A widget and everything in it."""
    return [widget, *(member for child in getattr(widget, "children", ()) for member in family(child))]


def keep_subshells(widgets):
    """Let the messages of ``widgets`` go to the subshell that the front end has chosen for them.

    A subshell listens while a cell runs. ipykernel 7.4 would send them to where the widget last wrote from: the main
    shell, which is busy with that cell. Earlier ones have no such rule.
    """
    for widget in widgets:
        comm = getattr(widget, "comm", None)
        if hasattr(comm, "_reply_subshell_for"):
            comm._reply_subshell_for = lambda data, chosen: chosen
