"""JupyterLab in headless Chromium: a student walks through a generator's latents, saves samples and lets them turn.

Screenshots go to the folder ``GANEDU_SCREENSHOTS``, or to pytest's temporary folder.
"""

import os
import re
import time
from pathlib import Path

import nbformat
import pytest
from browser_lab import browser_page, jupyter_lab, open_notebook, run_all

pytestmark = [pytest.mark.browser, pytest.mark.slow]

CELLS = [
    """import torch
from ganedu.data import digits
from ganedu.models.vanilla import VanillaGAN
from ganedu.training import Speed, Trainer
from ganedu.views.latent import explore

torch.manual_seed(0)
trainer = Trainer(VanillaGAN(), digits(), ema_decay=0.99, seed=0, speed=Speed(tune=False), device="cpu")
trainer.run(400)
before = [p.clone() for p in trainer.game.parameters()]""",
    "explore(trainer)",
    'print("UNCHANGED", all(torch.equal(a, b) for a, b in zip(before, trainer.game.parameters())))',
]
VIEW = ".ganedu-latent"


@pytest.fixture
def screenshots(tmp_path):
    folder = Path(os.environ.get("GANEDU_SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def wait_until(condition, what, seconds=15):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, f"{what}: not within {seconds} s"
        time.sleep(0.05)


class View:
    """The explorer as a student sees it."""

    def __init__(self, page):
        self.page = page

    def sample(self):
        return self.page.locator(f"{VIEW} .ganedu-pair img").first.get_attribute("src")

    def map(self):
        return self.page.locator(f"{VIEW} img[alt^=Map]").get_attribute("src")

    def cell(self):
        alt = self.page.locator(f"{VIEW} img[alt^=Map]").get_attribute("alt")
        return tuple(map(int, re.search(r"column (\d), row (\d)", alt).groups()))

    def text(self):
        return self.page.inner_text(VIEW)

    def press(self, text):
        """Press a button, and wait until the sample or the strip is another one."""
        self.page.locator(f"{VIEW} button", has_text=text).click()

    def move(self, slider, key, times):
        self.page.locator(f"{VIEW} .noUi-handle").nth(slider).focus()
        for _ in range(times):
            self.page.keyboard.press(key)

    def sliders(self):
        return [float(x.replace("−", "-")) for x in self.page.locator(f"{VIEW} .widget-readout").all_inner_texts()[:2]]

    def saved(self):
        strip = self.page.locator(f"{VIEW} img[alt^=Saved]")
        return strip.evaluate("image => image.naturalWidth") if strip.count() else 0


def test_a_student_explores_latents(tmp_path, screenshots, chromium):
    root = tmp_path / "root"
    root.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in CELLS])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, root / "latent.ipynb")
    with jupyter_lab(root, tmp_path / "lab") as (address, token), browser_page(chromium, height=1100) as page:
        open_notebook(page, address, token, "latent.ipynb")
        run_all(page)
        page.wait_for_selector(f"{VIEW} .ganedu-pair img", timeout=180_000)
        page.locator(VIEW).scroll_into_view_if_needed()
        view = View(page)
        first, first_map = view.sample(), view.map()
        assert view.cell() == (3, 3) and "nearest training image:" in view.text()
        page.screenshot(path=screenshots / "latent-1-start.png")

        # slider 0 is the upright one: 30 of its 60 steps from the middle to the top are one row of five
        view.move(0, "ArrowUp", 30)
        wait_until(lambda: view.cell() == (3, 2), "one row up")
        view.move(1, "ArrowRight", 60)
        wait_until(lambda: view.cell() == (5, 2), "two columns to the right")
        assert view.sliders() == pytest.approx([1.5, 3.0])
        wait_until(lambda: view.sample() != first, "another sample")
        page.screenshot(path=screenshots / "latent-2-moved.png")

        view.press("Save")
        wait_until(lambda: view.saved() > 0, "the strip")
        one = view.saved()
        shown, shown_map = view.sample(), view.map()
        view.press("Random")
        wait_until(lambda: view.sample() != shown and view.map() != shown_map != first_map, "another draw")
        wait_until(lambda: view.cell() == (3, 3) and view.sliders() == [0, 0], "the middle")
        view.press("Save")
        wait_until(lambda: view.saved() > one, "two in the strip")

        page.locator(f"{VIEW} .jupyter-widget-play button, {VIEW} .widget-play button").first.click()
        passed = set()
        for _ in range(200):
            found = re.search(r"From saved 1 to 2, linear, t = (\d\.\d\d)", view.text())
            if found:
                passed.add((found[1], view.sample()))
            if found and found[1] == "1.00":
                break
            if len(passed) == 5:
                page.screenshot(path=screenshots / "latent-3-playing.png")
            time.sleep(0.03)
        times = sorted(float(t) for t, _ in passed)
        assert times[-1] == 1.0 and len(times) >= 8 and len({sample for _, sample in passed}) >= 8

        page.locator(f"{VIEW} button", has_text="spherical").click()
        wait_until(lambda: "spherical, t = 1.00" in view.text(), "the other way")
        page.locator(f"{VIEW} select").first.select_option("activations (PCA)")
        wait_until(lambda: "component 1 of layer" in view.text(), "components")
        page.locator(f"{VIEW} select").nth(1).select_option(index=7)
        wait_until(lambda: "component 1 of layer 7" in view.text(), "components of layer 7")
        view.move(1, "ArrowRight", 30)
        wait_until(lambda: view.cell() == (4, 3), "one column to the right")
        page.screenshot(path=screenshots / "latent-4-components.png")

        view.press("Save")
        wait_until(lambda: view.saved() > 2 * one, "three in the strip")
        page.screenshot(path=screenshots / "latent-5-three.png")

        # nothing is cut off or runs over the edge, and no picture is broken
        box = page.locator(VIEW)
        assert box.evaluate("element => element.scrollWidth <= element.clientWidth")
        edge = box.bounding_box()["x"] + box.bounding_box()["width"]
        for image in page.locator(f"{VIEW} img").all():
            assert image.evaluate("image => image.naturalWidth") > 50
            assert image.bounding_box()["x"] + image.bounding_box()["width"] <= edge
        assert "UNCHANGED True" in page.locator(".jp-OutputArea-output", has_text="UNCHANGED").inner_text()
