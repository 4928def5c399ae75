"""The slider through stored moments: each step shows its own picture, and without a front end one stands still."""

import base64
import io

import numpy as np
import pytest
from PIL import Image

from ganedu.views import figure, snapshots


def png_of(step):
    """A 4 x 4 picture, all of the grey value ``step``."""
    buffer = io.BytesIO()
    Image.new("L", (4, 4), step).save(buffer, "PNG")
    return buffer.getvalue()


def grey_in(html):
    coded = html.partition("base64,")[2].partition('"')[0]
    values = np.unique(np.asarray(Image.open(io.BytesIO(base64.b64decode(coded))).convert("L")))
    assert len(values) == 1
    return int(values[0])


@pytest.fixture
def notebook(monkeypatch):
    """As in Jupyter with ipykernel 7; returns what was displayed."""
    displayed = []
    monkeypatch.setattr(snapshots, "in_notebook", lambda: True)
    monkeypatch.setenv("GANEDU_DRIVER", "thread")
    monkeypatch.setattr("IPython.display.display", displayed.append)
    return displayed


def test_the_slider_changes_the_picture(notebook):
    snapshots.browse(png_of, [10, 20, 250], start=20, caption='a "grey" < b')
    (view,) = notebook
    slider, picture, _ = view.children
    assert slider.value == 20 and grey_in(picture.value) == 20
    slider.value = 250
    assert grey_in(picture.value) == 250
    assert 'alt="a &quot;grey&quot; &lt; b"' in picture.value


def test_starts_with_the_last_step(notebook):
    snapshots.browse(png_of, range(3))
    assert notebook[0].children[0].value == 2


@pytest.mark.parametrize("where", ["script", "tool"])
def test_without_a_front_end_one_picture_stands_still(where, notebook, monkeypatch, tmp_path):
    if where == "script":
        monkeypatch.setattr(snapshots, "in_notebook", lambda: False)
    else:
        monkeypatch.setenv("GANEDU_DRIVER", "sync")
    monkeypatch.setenv("GANEDU_FIGURES", str(tmp_path))
    assert not figure.in_notebook()
    snapshots.browse(png_of, [10, 20], start=10, caption="grey")
    assert notebook == []
    (saved,) = tmp_path.glob("*.png")
    assert np.unique(np.asarray(Image.open(saved).convert("L"))).tolist() == [10]


def test_bad_steps_are_named():
    with pytest.raises(ValueError, match="steps: got none"):
        snapshots.browse(png_of, [])
    with pytest.raises(ValueError, match="start: got 5, wants one of the steps, 1 to 3"):
        snapshots.browse(png_of, [1, 2, 3], start=5)
