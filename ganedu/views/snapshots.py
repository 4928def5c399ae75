"""A slider that steps through pictures taken during training."""

from ganedu.views.figure import show


def step_through(pictures, caption="", alt="", label="round"):
    """Show pictures one at a time, with a slider to choose which.

    Where widgets are not put out (``GANEDU_DRIVER=sync``, a script), the last picture alone is shown.

    Args:
        pictures: a dict {what the slider says: the bytes of a PNG}, in order; at least one.
        caption, alt: as in ``show``.
        label: the slider's label.

    Returns:
        the slider, an ipywidgets ``SelectionSlider``; None where none was put out.

    Raises:
        ValueError: no picture.
    """
    if not pictures:
        raise ValueError("pictures: got an empty dict, wants at least one {label: PNG}")
    from ganedu.views.drivers import choose_driver

    if choose_driver() == "sync":
        show(list(pictures.values())[-1], caption, alt)
        return None

    import ipywidgets as widgets
    from IPython.display import display

    names = [str(name) for name in pictures]
    frames = dict(zip(names, pictures.values()))
    slider = widgets.SelectionSlider(options=names, value=names[-1], description=label, continuous_update=True)
    slider.layout.width = "420px"
    image = widgets.Image(value=frames[names[-1]], format="png")
    slider.observe(lambda change: setattr(image, "value", frames[change["new"]]), names="value")
    below = widgets.HTML(value=f"<i>{caption}</i>" if caption else "")
    display(widgets.VBox([slider, image, below]))
    return slider
