"""Two sliding distributions: the numbers are SciPy's, the sliders move them, and without a front end one picture stays."""

import html
import math
import re

import numpy as np
import pytest
import scipy.integrate
import scipy.stats
from PIL import Image

from ganedu.views import divergence
from ganedu.views.divergence import Divergence, measure, slide_apart

POSITIONS = [(0, 1, 1), (1, 1, 1), (3, 0.5, 1.5), (0, 3, 0.2), (2.5, 0.2, 0.2), (6, 2, 0.7), (12, 1, 1)]
LOG2 = math.log(2)


def by_quadrature(mean, std, real_std):
    """Every number by SciPy's integrals over densities or in closed form, W1 as E|difference of the quantiles|."""
    p, q = scipy.stats.norm(0, real_std), scipy.stats.norm(mean, std)

    def integral(f):
        marks = sorted({k * s + m for m, s in ((0, real_std), (mean, std)) for k in (-9, -5, -2, 0, 2, 5, 9)})
        return sum(scipy.integrate.quad(f, a, b, limit=200)[0] for a, b in zip(marks, marks[1:]))

    def log_d(x):  # log D*, log(1 - D*)
        both = np.logaddexp(p.logpdf(x), q.logpdf(x))
        return p.logpdf(x) - both, q.logpdf(x) - both

    def slope(f, h=1e-4):  # of E_q[f(D*)] in t, D* held fixed: the fakes move by h either way
        return integral(lambda x: q.pdf(x) * (f(x + h) - f(x - h)) / (2 * h))

    apart = std - real_std  # the quantiles of u lie mean + apart * z from each other, z normal: a folded normal
    folded = apart * math.sqrt(2 / math.pi) * math.exp(-0.5 * (mean / apart) ** 2) if apart else 0.0
    w1 = abs(folded) + mean * math.erf(mean / (abs(apart) * math.sqrt(2))) if apart else mean
    value = integral(lambda x: p.pdf(x) * log_d(x)[0] + q.pdf(x) * log_d(x)[1])
    return {
        "value": value,
        "twice_js": value,  # the theorem
        "js": value / 2 + LOG2,
        "kl_pq": math.log(std / real_std) + (real_std**2 + mean**2) / (2 * std**2) - 0.5,
        "kl_qp": math.log(real_std / std) + (std**2 + mean**2) / (2 * real_std**2) - 0.5,
        "w1": w1,
        "saturating": slope(lambda x: log_d(x)[1]),
        "nonsaturating": slope(lambda x: -log_d(x)[0]),
    }


@pytest.mark.parametrize("position", POSITIONS)
def test_numbers_are_scipys(position):
    got, want = measure(*position), by_quadrature(*position)
    assert set(got) == set(want) == set(divergence.NUMBERS)
    for name in want:
        assert float(got[name]) == pytest.approx(want[name], rel=1e-4, abs=2e-6), name


def test_one_call_for_many_means():
    many = measure(np.array([0.0, 2.0, 9.0]), 0.7, 1.3)
    for i, mean in enumerate((0.0, 2.0, 9.0)):
        for name, value in measure(mean, 0.7, 1.3).items():
            assert value.shape == () and many[name][i] == value


def test_a_narrow_pair_far_apart_stays_finite():
    """Where the densities themselves round to 0: KL is (t / s)^2 / 2."""
    numbers = measure(12.0, 0.2, 0.2)
    assert all(math.isfinite(value) for value in numbers.values())
    assert float(numbers["kl_pq"]) == pytest.approx(1800) and float(numbers["js"]) == pytest.approx(LOG2, abs=1e-12)
    assert float(numbers["nonsaturating"]) == pytest.approx(12 / 0.04) and numbers["saturating"] < 1e-100


# --- the widget -------------------------------------------------------------------------------------------------


def shown(view):
    """{key: the number as the table shows it}."""
    cells = re.findall(r'data-key="(\w+)">([^<]*)<', view.table.value)
    return {key: html.unescape(text).replace("−", "-") for key, text in cells}


def test_every_slider_moves_the_numbers_and_the_charts():
    view = Divergence(3.0, 1.0, 1.0)
    pictures = (view.densities, view.distances, view.gradients)
    for slider, value in ((view.mean, 9.0), (view.std, 2.0), (view.real_std, 0.5)):
        before = shown(view), [picture.value for picture in pictures]
        slider.value = value
        assert shown(view) != before[0]
        assert all(picture.value != old for picture, old in zip(pictures, before[1])), slider.description
        position = view.mean.value, view.std.value, view.real_std.value
        want = by_quadrature(*position)
        for name in ("value", "twice_js", "js", "kl_pq", "kl_qp", "w1", "nonsaturating"):
            assert float(shown(view)[name]) == pytest.approx(want[name], abs=6e-5), name
            assert view.numbers[name] == pytest.approx(want[name], abs=2e-6, rel=1e-4)
    assert (view.mean.value, view.std.value, view.real_std.value) == (9.0, 2.0, 0.5)


def test_the_table_tells_small_numbers_from_none():
    view = Divergence(9.0)
    assert shown(view)["saturating"] == "4.8e-05" and shown(view)["nonsaturating"] == "9.0000"
    view.mean.value = 0.0
    assert shown(view)["saturating"] == shown(view)["js"] == "0.0000" and shown(view)["value"] == "-1.3863"


def test_every_number_stays_finite_at_the_sliders_ends():
    view = Divergence()
    for mean in (view.mean.min, view.mean.max):
        for std in (view.std.min, view.std.max):
            for real_std in (view.real_std.min, view.real_std.max):
                view.mean.value, view.std.value, view.real_std.value = mean, std, real_std
                assert all(math.isfinite(value) for value in view.numbers.values())
                assert 0 <= view.numbers["js"] + 1e-9 and view.numbers["js"] <= LOG2 + 1e-9
                assert abs(view.numbers["value"] - view.numbers["twice_js"]) < 1e-6
                assert "nan" not in view.densities.value + view.distances.value + view.gradients.value


def test_charts_are_described_and_carry_their_curves():
    view = Divergence(3.0)
    names = [re.search(r'aria-label="([^"]*)"', chart.value)[1] for chart in (view.densities, view.distances)]
    assert "D*(x), real p, fakes q" in names[0] and "JSD (nat), W₁ / 12, now" in names[1]
    assert view.gradients.value.count("<polyline") == 3


@pytest.fixture
def displayed(monkeypatch):
    """As in Jupyter with ipykernel 7; the list of what was displayed."""
    widgets = []
    monkeypatch.setattr(divergence, "in_notebook", lambda: True)
    monkeypatch.setenv("GANEDU_DRIVER", "thread")
    monkeypatch.setattr("IPython.display.display", widgets.append)
    return widgets


def test_slide_apart_displays_the_view(displayed):
    slide_apart(mean=4.0, std=0.5)
    (widget,) = displayed
    sliders = [child.value for child in widget.children[1].children[0].children[:3]]
    assert sliders == [4.0, 0.5, 1.0]


@pytest.mark.parametrize("where", ["script", "tool"])
def test_without_a_front_end_one_picture_stands_still(where, displayed, monkeypatch, tmp_path):
    if where == "script":
        monkeypatch.setattr(divergence, "in_notebook", lambda: False)
    else:
        monkeypatch.setenv("GANEDU_DRIVER", "sync")
    monkeypatch.setenv("GANEDU_FIGURES", str(tmp_path))
    slide_apart(9.0)
    assert displayed == []
    (saved,) = tmp_path.glob("*.png")
    assert Image.open(saved).width > 900
    figure, caption, alt = divergence.still(9.0, 1.0, 1.0)
    assert "W₁ 9.0000" in caption and "N(9, 1²)" in alt and len(figure.axes) == 3
    for axes in figure.axes:
        assert axes.get_xlabel() and axes.get_ylabel() and len(axes.lines) == 3


def test_bad_positions_are_named():
    with pytest.raises(ValueError, match="mean: got 13, wants a number at least 0 and at most 12.0"):
        slide_apart(13)
    with pytest.raises(ValueError, match="std: got 0.1, wants a number at least 0.2 and at most 3.0"):
        slide_apart(1, std=0.1)
    with pytest.raises(TypeError, match="real_std: got '1', wants a number"):
        slide_apart(1, real_std="1")
