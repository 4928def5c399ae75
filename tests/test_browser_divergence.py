"""JupyterLab in headless Chromium: a student slides two distributions apart and widens them, and the numbers follow.

Screenshots go to the folder ``GANEDU_SCREENSHOTS``, or to pytest's temporary folder.
"""

import math
import os
import time
from pathlib import Path

import nbformat
import pytest
from browser_lab import browser_page, jupyter_lab, open_notebook, run_all

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "from ganedu.views.divergence import slide_apart",
    "slide_apart(mean=3.0)",
]


@pytest.fixture
def screenshots(tmp_path):
    folder = Path(os.environ.get("GANEDU_SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def number(page, key):
    text = page.inner_text(f'.ganedu-divergence [data-key="{key}"]')
    return float(text.replace("−", "-"))


def wait_until(condition, seconds=10):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "the numbers did not follow the slider"
        time.sleep(0.05)


def press(page, slider, key, times):
    page.locator(".ganedu-divergence .noUi-handle").nth(slider).focus()
    for _ in range(times):
        page.keyboard.press(key)


def readout(page, slider):
    return float(page.locator(".ganedu-divergence .widget-readout").nth(slider).inner_text())


def test_a_student_slides_two_distributions_apart(tmp_path, screenshots, chromium):
    root = tmp_path / "root"
    root.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, root / "slide.ipynb")
    with jupyter_lab(root, tmp_path / "lab") as (address, token), browser_page(chromium) as page:
        open_notebook(page, address, token, "slide.ipynb")
        run_all(page)
        page.wait_for_selector(".ganedu-divergence .ganedu-numbers", timeout=120_000)
        view = page.locator(".ganedu-divergence")
        view.scroll_into_view_if_needed()
        wait_until(lambda: page.locator(".ganedu-divergence svg").count() == 3)
        assert [readout(page, i) for i in range(3)] == [3.0, 1.0, 1.0]
        # between N(0, 1) and N(t, 1): W1 = t, KL = t^2 / 2
        assert number(page, "w1") == 3 and number(page, "kl_pq") == 4.5
        began = page.locator(".ganedu-divergence svg").first.inner_html()
        page.screenshot(path=screenshots / "divergence-1-at-3.png")

        press(page, 0, "ArrowRight", 60)
        wait_until(lambda: number(page, "w1") == 9)
        assert readout(page, 0) == 9
        assert number(page, "kl_pq") == number(page, "kl_qp") == 40.5
        assert number(page, "js") == pytest.approx(math.log(2), abs=1e-4)
        assert abs(number(page, "value")) < 1e-4
        assert number(page, "saturating") < 1e-4 and number(page, "nonsaturating") > 1
        assert page.locator(".ganedu-divergence svg").first.inner_html() != began
        page.screenshot(path=screenshots / "divergence-2-at-9.png")

        press(page, 1, "ArrowRight", 20)  # wider fakes overlap the real numbers again
        wait_until(lambda: number(page, "kl_pq") != 40.5 and readout(page, 1) == 3)
        # log(s / r) + (r^2 + t^2) / (2 s^2) - 1/2 with r = 1, s = 3, t = 9
        wait_until(lambda: number(page, "kl_pq") == pytest.approx(math.log(3) + 82 / 18 - 0.5, abs=1e-4))
        assert number(page, "saturating") > 1e-3
        page.screenshot(path=screenshots / "divergence-3-wide.png")
        # nothing is cut off or runs over the edge
        assert view.evaluate("element => element.scrollWidth <= element.clientWidth")
        edge = view.bounding_box()["x"] + view.bounding_box()["width"]
        for chart in page.locator(".ganedu-divergence svg").all():
            box, room = chart.bounding_box(), chart.locator("xpath=..").bounding_box()
            assert box["x"] + box["width"] <= min(edge, room["x"] + room["width"] + 0.5)
