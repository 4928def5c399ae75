"""The sliders of the size arithmetic: what they show is PyTorch's size, and what makes no layer says why."""

import re

import matplotlib.pyplot as plt
import pytest
import torch
from torch.nn import functional as F

from ganedu.views import sizes


@pytest.fixture
def box(monkeypatch):
    """The widget as in a notebook with a front end."""
    shown = []
    monkeypatch.setattr(sizes, "in_notebook", lambda: True)
    monkeypatch.setattr("IPython.display.display", shown.append)
    monkeypatch.setenv("GANEDU_DRIVER", "thread")
    assert sizes.stamp_sizes() is None  # a cell's last value would be shown a second time
    (box,) = shown
    return box


def writers(figure):
    """The row of counts that the picture writes."""
    return [int(text.get_text()) for text in figure.axes[0].texts if text.get_text()]


@pytest.mark.parametrize(
    "numbers", [(5, 3, 2, 1, 1), (5, 4, 2, 1, 0), (3, 2, 3, 0, 2), (1, 1, 1, 0, 0), (8, 7, 4, 4, 3)]
)
def test_picture_counts_what_ones_add_up_to(numbers):
    size, kernel, stride, padding, output_padding = numbers
    out = F.conv_transpose1d(torch.ones(1, 1, size), torch.ones(1, 1, kernel), None, stride, padding, output_padding)
    figure = sizes.stamps_figure(*numbers)
    assert writers(figure) == out.flatten().tolist()
    assert figure.axes[0].get_title().endswith(f"= {out.shape[-1]}")
    assert eval(figure.axes[0].get_title().split("=")[0].replace("·", "*")) == out.shape[-1]  # noqa: S307
    assert plt.get_fignums() == []


def test_sliders_change_the_picture(box):
    *sliders, picture, _ = box.children
    assert [slider.value for slider in sliders] == [5, 3, 2, 1, 1]
    before = picture.value
    assert "= 10." in before
    sliders[0].value = 6
    assert picture.value != before and "(6 - 1) · 2 - 2 · 1 + 3 + 1 = 12." in picture.value


def test_what_is_no_layer_says_why(box):
    *sliders, picture, _ = box.children
    sliders[2].value = 1  # stride 1 leaves no room for an output padding of 1
    assert picture.value == "<p>No such layer. output_padding: got 1, wants less than the stride, 1.</p>"
    sliders[4].value = 0
    assert picture.value.startswith("<img") and re.search(r"= 5\.", picture.value)


def test_script_saves_one_picture(tmp_path, monkeypatch):
    monkeypatch.setenv("GANEDU_FIGURES", str(tmp_path))
    assert sizes.stamp_sizes(4, 4, 2, 1, 0) is None
    assert len(list(tmp_path.iterdir())) == 1
    with pytest.raises(ValueError, match="output_padding: got 2, wants less than the stride, 2"):
        sizes.stamp_sizes(4, 4, 2, 1, 2)
