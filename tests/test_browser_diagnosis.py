"""JupyterLab in headless Chromium: a run collapses, the doctor under the dashboard says so, and its advice mends it.

Screenshots go to the folder ``GANEDU_SCREENSHOTS``, or to pytest's temporary folder.
"""

import os
import time
from pathlib import Path

import nbformat
import pytest
from browser_lab import browser_page, jupyter_lab, open_notebook, run_all

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    """import torch
from ganedu.blocks import mlp
from ganedu.data import ring
from ganedu.models.vanilla import VanillaGAN
from ganedu.training import Trainer
from ganedu.views.live import train

torch.manual_seed(0)
game = VanillaGAN(mlp([4, 32, 32, 2]), mlp([2, 32, 32, 1]), z_dim=4)
trainer = Trainer(game, ring(8), lr={"D": 2e-4, "G": 2e-3}, seed=0)""",
    "run = train(trainer, rounds=1_000_000)",
    "run.wait()",
]


@pytest.fixture
def screenshots(tmp_path):
    folder = Path(os.environ.get("GANEDU_SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def wait_until(condition, what, seconds):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what
        time.sleep(0.2)


def test_a_collapse_is_named_under_the_dashboard(tmp_path, screenshots, chromium):
    root = tmp_path / "root"
    root.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, root / "collapse.ipynb")
    with jupyter_lab(root, tmp_path / "lab") as (address, token), browser_page(chromium, height=1300) as page:
        open_notebook(page, address, token, "collapse.ipynb")
        run_all(page)  # the next cell, run.wait(), blocks the kernel from here on
        page.wait_for_selector(".ganedu-dashboard .ganedu-doctor", timeout=120_000)
        panel = page.locator(".ganedu-doctor")
        panel.scroll_into_view_if_needed()

        def said():
            return page.locator(".ganedu-verdict").all_inner_texts()

        wait_until(lambda: "! mode collapse" in said(), "the collapse was not named", 90)
        text = panel.inner_text()
        assert "modes" in text and 'trainer.set_lr("D", 0.002)' in text and "What to try:" in text
        page.screenshot(path=screenshots / "doctor-1-collapse.png")
        # it stands beneath charts and buttons, and nothing is cut off or runs over the edge
        dashboard, box = page.locator(".ganedu-dashboard").bounding_box(), panel.bounding_box()
        stop = page.locator('.ganedu-dashboard button:has-text("Stop")').bounding_box()
        assert box["y"] >= stop["y"] + stop["height"]
        assert box["x"] + box["width"] <= dashboard["x"] + dashboard["width"] + 1
        assert panel.evaluate("element => element.scrollWidth <= element.clientWidth + 1")
        page.click('.ganedu-dashboard button:has-text("Stop")')
        page.wait_for_selector('.ganedu-status b:has-text("stopped")')
        page.screenshot(path=screenshots / "doctor-2-stopped.png")
