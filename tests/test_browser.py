"""JupyterLab in headless Chromium: a notebook trains live, and its buttons and sliders are really used.

The notebook is that of lesson 04 where it stands, else a small one of the same pattern; ``GANEDU_BROWSER_NOTEBOOK``
names another. Screenshots go to the folder ``GANEDU_SCREENSHOTS``, or to pytest's temporary folder.
"""

import os
import re
import statistics
import time
from pathlib import Path

import nbformat
import pytest
from browser_lab import browser_page, jupyter_lab, open_notebook, run_all

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SMALL = [
    """import torch
from ganedu.data import digits
from ganedu.models.vanilla import VanillaGAN
from ganedu.training import Trainer
from ganedu.views.live import train

torch.manual_seed(0)
trainer = Trainer(VanillaGAN(), digits(), seed=0)""",
    "run = train(trainer, rounds=600)",
    "run.wait()",
]
REPORT = """print("OPTIMISER", run.trainer.optimizers["G"].param_groups[0]["lr"])
print("ENDED", run.trainer.state, run.trainer.round, run.trainer.target)"""

# Click as soon as the button takes it, and say after how many milliseconds the dashboard shows the state
CLICK_AND_TIME = """([text, state]) => new Promise((resolve, reject) => {
    const button = [...document.querySelectorAll('.ganedu-dashboard button')].find(b => b.textContent.trim() === text);
    const word = () => document.querySelector('.ganedu-status b').textContent;
    const began = performance.now();
    let clicked = null;
    const look = () => {
        const now = performance.now();
        if (clicked === null && !button.disabled) { clicked = now; button.click(); }
        if (clicked !== null && word() === state) resolve(now - clicked);
        else if (now - began > 20000) reject(new Error(`${text}: ${clicked ? 'clicked' : 'disabled'}, still ${word()}`));
        else requestAnimationFrame(look);
    };
    look();
})"""


def notebook_under_test():
    named = os.environ.get("GANEDU_BROWSER_NOTEBOOK")
    path = Path(named) if named else Path(__file__).parents[1] / "lessons" / "04_vanilla_gan.ipynb"
    if named or path.exists():
        notebook = nbformat.read(path, as_version=4)
    else:
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in SMALL])
        notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    waits = [i for i, cell in enumerate(notebook.cells) if cell.source.strip().startswith("run.wait()")]
    assert waits, "the notebook has no cell that starts with run.wait()"
    report = nbformat.v4.new_code_cell(REPORT)
    notebook.cells = [*notebook.cells[: waits[0] + 1], report]  # what follows the first run is for other tests
    return notebook


class Dashboard:
    """The first dashboard of the page, as a student sees it."""

    def __init__(self, page):
        self.page = page

    def status(self):
        return self.page.inner_text(".ganedu-status").replace("\n", " ")

    def state(self):
        return self.page.inner_text(".ganedu-status b").strip()

    def round(self):
        return int(re.search(r"round ([\d,]+)", self.status())[1].replace(",", ""))

    def setting(self, number):
        return float(self.page.locator(".ganedu-setting").nth(number).inner_text().removeprefix("now "))

    def click(self, button, state):
        """Milliseconds from the click on ``button`` until the dashboard says ``state``."""
        return self.page.evaluate(CLICK_AND_TIME, [button, state])

    def wait_for_round(self, number, seconds=30):
        deadline = time.monotonic() + seconds
        while self.round() < number:
            assert time.monotonic() < deadline, f"still at {self.status()!r}, not at round {number}"
            time.sleep(0.05)


@pytest.fixture
def screenshots(tmp_path):
    folder = Path(os.environ.get("GANEDU_SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_a_student_trains_live(tmp_path, screenshots, chromium):
    root = tmp_path / "root"
    root.mkdir()
    notebook = notebook_under_test()
    nbformat.write(notebook, root / "lesson.ipynb")
    with jupyter_lab(root, tmp_path / "lab") as (address, token), browser_page(chromium) as page:
        open_notebook(page, address, token, "lesson.ipynb")
        run_all(page)  # the next cell, run.wait(), blocks the kernel from here on
        page.wait_for_selector(".ganedu-status b", timeout=120_000)
        page.locator(".ganedu-dashboard").scroll_into_view_if_needed()
        dashboard = Dashboard(page)
        dashboard.wait_for_round(30, seconds=60)
        page.screenshot(path=screenshots / "1-running.png")

        reactions = [dashboard.click("Pause", "paused")]
        held = dashboard.round()
        time.sleep(1)
        assert dashboard.round() == held and dashboard.state() == "paused"
        page.screenshot(path=screenshots / "2-paused.png")

        page.click('.ganedu-dashboard button:has-text("Step")')  # waits until it is enabled
        dashboard.wait_for_round(held + 1, seconds=5)
        time.sleep(0.5)
        assert dashboard.round() == held + 1 and dashboard.state() == "paused"

        reactions.append(dashboard.click("Resume", "running"))
        dashboard.wait_for_round(held + 10)
        reactions.append(dashboard.click("Pause", "paused"))
        dashboard.click("Resume", "running")

        before = dashboard.setting(1)
        page.locator(".ganedu-dashboard .noUi-handle").nth(1).focus()
        for _ in range(5):
            page.keyboard.press("ArrowLeft")
        wanted = pytest.approx(before * 10**-0.5, rel=0.06)  # five steps of a tenth of a decade
        deadline = time.monotonic() + 5
        while dashboard.setting(1) != wanted and time.monotonic() < deadline:  # the steps arrive one by one
            time.sleep(0.05)
        moved = dashboard.setting(1)
        assert moved == wanted
        assert dashboard.setting(0) == before  # the other player's stays
        assert dashboard.state() == "running"
        page.screenshot(path=screenshots / "3-slower.png")

        report = page.locator(".jp-Cell", has_text="OPTIMISER").locator(".jp-OutputArea-output")
        report.wait_for(timeout=400_000)  # when the run is over, run.wait() returns
        words = report.inner_text().split()
        assert words[0] == "OPTIMISER" and float(words[1]) == pytest.approx(moved, rel=0.06)
        assert words[2:4] == ["ENDED", "done"] and words[4] == words[5]
        assert dashboard.state() == "done"
        image = page.locator(".jp-RenderedImage img").last
        assert image.evaluate("image => image.naturalWidth") > 600
        page.locator(".ganedu-dashboard").scroll_into_view_if_needed()
        page.screenshot(path=screenshots / "4-done.png")
        image.scroll_into_view_if_needed()
        page.screenshot(path=screenshots / "5-final-picture.png")

    print("reaction in ms: Pause {:.0f}, Resume {:.0f}, Pause {:.0f}".format(*reactions))
    assert statistics.median(reactions) < 300, reactions
