"""Flow charts: every box and arrow asked for is there, from the right place to the right place."""

import pytest
from matplotlib.figure import Figure

from ganedu.views.diagram import flow
from ganedu.views.figure import CRITIC, FAKE


def drawn(**settings):
    axes = Figure().subplots()
    flow(axes, {"z": (0, 0), "G": (1, 0), "D": (2, 0), "g_loss": (3, 1)}, **settings)
    texts = [text.get_text() for text in axes.texts if text.get_text() and not hasattr(text, "arrow_patch")]
    arrows = [text for text in axes.texts if getattr(text, "arrow_patch", None) is not None]
    return axes, texts, arrows


def test_boxes_and_arrows():
    axes, texts, arrows = drawn(forward=[("z", "G"), ("G", "D"), ("D", "g_loss")], back=["g_loss", "D", "G"])
    assert texts == ["z", "G", "D", "g_loss"]
    forward, back = arrows[:3], arrows[3:]
    assert [(a.xyann, a.xy) for a in forward] == [((0, 0), (1, 0)), ((1, 0), (2, 0)), ((2, 0), (3, 1))]
    assert [(a.xyann[0], a.xy[0]) for a in back] == [(3, 2), (2, 1)]  # against the numbers' direction
    assert all(a.arrow_patch.get_linestyle() == "--" for a in back)
    (low, high), (bottom, top) = axes.get_xlim(), axes.get_ylim()
    assert low < 0 and high > 3 and bottom < 0 and top > 1


def test_a_cut_arrow_says_detach():
    _, texts, _ = drawn(forward=[("z", "G"), ("G", "D")], cut=[("G", "D")])
    assert texts.count("detach") == 1
    assert "detach" not in drawn(forward=[("z", "G"), ("G", "D")])[1]


def test_gradients_have_the_colour_of_the_loss():
    for back, colour in ((["g_loss", "D"], FAKE), (["D", "G"], CRITIC)):
        _, _, arrows = drawn(forward=[], back=back)
        assert arrows[0].arrowprops["color"] == colour


def test_bad_arrows_are_named():
    with pytest.raises(ValueError, match="boxes: got z, G, D, g_loss, wants x as well"):
        drawn(forward=[("x", "D")])
    with pytest.raises(ValueError, match="cut: got .*'z', 'D'.* wants pairs out of"):
        drawn(forward=[("z", "G")], cut=[("z", "D")])
