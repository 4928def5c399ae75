"""A slider through the stored moments of a run: ``browse(draw, steps)``."""

from html import escape

from ganedu.views.drivers import choose_driver
from ganedu.views.figure import as_png, in_notebook, show
from ganedu.views.widgets import inline_image, keep_subshells


def browse(draw, steps, *, label="round", start=None, caption="", alt=""):
    """Show one picture a step, chosen with a slider; without a front end one picture stands still.

    Args:
        draw: a function ``draw(step)`` that returns a matplotlib ``Figure`` or the bytes of a PNG.
        steps: what may be chosen, in order; at least one.
        label: what the slider is called.
        start: the step shown first, one of ``steps``; the last unless given. It is the one that stands still.
        caption, alt: as for ``show``.

    Raises:
        ValueError: no step, or a start that is none of them.
    """
    steps = list(steps)
    if not steps:
        raise ValueError("steps: got none, wants at least one")
    start = steps[-1] if start is None else start
    if start not in steps:
        raise ValueError(f"start: got {start!r}, wants one of the steps, {steps[0]!r} to {steps[-1]!r}")
    if not in_notebook() or choose_driver() == "sync":
        show(draw(start), caption, alt)
        return

    import ipywidgets as widgets
    from IPython.display import display

    slider = widgets.SelectionSlider(
        options=steps, value=start, description=label, layout=widgets.Layout(width="480px")
    )
    picture = widgets.HTML()

    def put(step):
        picture.value = inline_image(as_png(draw(step)), alt or caption)

    put(start)
    slider.observe(lambda change: put(change["new"]), names="value")
    caption_below = widgets.HTML(f"<i>{escape(caption)}</i>")
    keep_subshells([slider, picture])
    display(widgets.VBox([slider, picture, caption_below]))
