"""JupyterLab in headless Chromium: a student moves the sliders of the size arithmetic, and the picture follows.

Screenshots go to the folder ``GANEDU_SCREENSHOTS``, or to pytest's temporary folder.
"""

import os
from pathlib import Path

import nbformat
import pytest
from browser_lab import browser_page, jupyter_lab, open_notebook, run_all

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    "from ganedu.views.sizes import stamp_sizes",
    "stamp_sizes(size=5, kernel=3, stride=2, padding=1, output_padding=1)",
]


def press(page, slider, key):
    page.locator(".ganedu-sizes .noUi-handle").nth(slider).focus()
    page.keyboard.press(key)


def test_a_student_changes_the_numbers(tmp_path, chromium):
    screenshots = Path(os.environ.get("GANEDU_SCREENSHOTS") or tmp_path / "screenshots")
    screenshots.mkdir(parents=True, exist_ok=True)
    root = tmp_path / "root"
    root.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, root / "sizes.ipynb")
    with jupyter_lab(root, tmp_path / "lab") as (address, token), browser_page(chromium) as page:
        open_notebook(page, address, token, "sizes.ipynb")
        run_all(page)
        page.wait_for_selector('.ganedu-sizes img[alt*="= 10."]')
        assert page.locator(".ganedu-sizes").count() == 1
        page.locator(".ganedu-sizes").screenshot(path=screenshots / "sizes.png")
        press(page, 1, "ArrowRight")  # kernel 4
        page.wait_for_selector('.ganedu-sizes img[alt*="(5 - 1) · 2 - 2 · 1 + 4 + 1 = 11."]')
        press(page, 2, "ArrowLeft")  # stride 1 leaves no room for the output padding
        page.wait_for_selector('.ganedu-sizes :text("No such layer. output_padding: got 1")')
        page.locator(".ganedu-sizes").screenshot(path=screenshots / "sizes-no-layer.png")
        press(page, 4, "ArrowLeft")
        page.wait_for_selector('.ganedu-sizes img[alt*="= 6."]')
