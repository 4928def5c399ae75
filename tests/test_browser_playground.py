"""The playground in JupyterLab and headless Chromium: a student draws a distribution, plays, pauses, steps, prints code.

Screenshots go to the folder ``GANEDU_SCREENSHOTS``, or to pytest's temporary folder.
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

CELL = """from ganedu.views.playground import playground
play = playground()"""
REPORT = """from torch import equal
namespace = {}
exec(play.code(), namespace)
same = all(equal(a, b) for n in "GD" for a, b in zip(namespace[n].parameters(), getattr(play, n).parameters()))
levels = play.settings.data.data.levels
print("SAME", same, play.trainer.round, play.alone, int(levels.sum()), [tuple(x) for x in levels.nonzero().tolist()])"""

CLICK_AND_TIME = """([button, state]) => new Promise((resolve, reject) => {
    const started = performance.now();
    const word = () => document.querySelector('.ganedu-playground .ganedu-status b').textContent;
    const look = () => {
        if (word() === state) resolve(performance.now() - started);
        else if (performance.now() - started > 20000) reject(new Error('still ' + word()));
        else requestAnimationFrame(look);
    };
    [...document.querySelectorAll('.ganedu-playground button')].find(b => b.textContent.trim() === button).click();
    look();
})"""
OVERFLOWING = """() => {
    const root = document.querySelector('.ganedu-playground');
    const output = root.closest('.jp-OutputArea-output').getBoundingClientRect();
    const edge = Math.min(root.getBoundingClientRect().right, output.right);
    const bad = root.scrollWidth > root.clientWidth + 1 ? ['the panel itself scrolls sideways'] : [];
    if (root.getBoundingClientRect().right > output.right + 1) bad.push('the panel is wider than the page');
    for (const e of root.querySelectorAll('button, label, .widget-label, .widget-readout, select, svg, td, summary')) {
        const box = e.getBoundingClientRect();
        if (box.width === 0) continue;
        if (box.right > edge + 1) bad.push('beyond the edge: ' + (e.textContent || e.tagName));
        const name = e.tagName.toLowerCase();
        if (name !== 'svg' && name !== 'select' && e.textContent.trim() && e.scrollWidth > e.clientWidth + 1)
            bad.push('cut off: ' + e.textContent);
    }
    for (const svg of root.querySelectorAll('svg')) {
        const frame = svg.getBoundingClientRect();
        for (const text of svg.querySelectorAll('text')) {
            const box = text.getBoundingClientRect();
            if (box.left < frame.left - 1 || box.right > frame.right + 1 || box.top < frame.top - 1 || box.bottom > frame.bottom + 1)
                bad.push('outside its chart: ' + text.textContent);
        }
    }
    return bad;
}"""


class Page:
    """The playground as a student sees it."""

    def __init__(self, page, screenshots):
        self.page, self.screenshots, self.shots = page, screenshots, 0
        self.root = page.locator(".ganedu-playground")

    def shot(self, name):
        self.shots += 1
        self.page.screenshot(path=self.screenshots / f"playground-{self.shots}-{name}.png")

    def press(self, text):
        self.root.locator("button", has_text=re.compile(rf"^\s*{text}\s*$")).click()

    def time(self, text, state):
        return self.page.evaluate(CLICK_AND_TIME, [text, state])

    def status(self):
        return " | ".join(self.page.locator(".ganedu-playground .ganedu-status span").all_inner_texts())

    def round(self):
        return int(re.match(r"round ([\d,]+)", self.status())[1].replace(",", ""))

    def picture(self):
        return self.page.locator(".ganedu-stage svg").evaluate("svg => svg.outerHTML")

    def part(self, kind):
        """Of the picture: "map", "fakes"."""
        svg = self.picture()
        if kind == "map":
            return re.search(r'href="(data:image[^"]+)"', svg)[1]
        return re.findall(r'<path d="([^"]+)" stroke="#D55E00" stroke-opacity="0.9"', svg)[0]

    def until(self, condition, seconds=20):
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"it never held; the panel says {self.status()!r}"
            time.sleep(0.05)

    def cell(self, row, column):
        self.page.locator(".ganedu-canvas button").nth(16 * row + column).click()


@pytest.fixture
def screenshots(tmp_path):
    folder = Path(os.environ.get("GANEDU_SCREENSHOTS") or tmp_path / "screenshots")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def test_a_student_plays(tmp_path, screenshots, chromium):
    root = tmp_path / "root"
    root.mkdir()
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(source) for source in (CELL, REPORT)])
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, root / "play.ipynb")
    with jupyter_lab(root, tmp_path / "lab") as (address, token), browser_page(chromium, height=1250) as page:
        open_notebook(page, address, token, "play.ipynb")
        page.locator(".jp-Cell").first.click()
        page.keyboard.press("Shift+Enter")
        page.wait_for_selector(".ganedu-playground .ganedu-status b", timeout=120_000)
        page.wait_for_selector(".ganedu-playground .ganedu-stage svg")
        student = Page(page, screenshots)
        student.root.scroll_into_view_if_needed()
        time.sleep(1)
        student.shot("new")
        assert page.evaluate(OVERFLOWING) == []

        reactions = [student.time("Play", "playing")]
        student.until(lambda: student.round() > 300, 60)
        student.shot("playing")
        reactions.append(student.time("Pause", "paused"))
        held = student.round()
        time.sleep(1)
        assert student.round() == held

        map_, fakes = student.part("map"), student.part("fakes")
        student.press("Step D")
        student.until(lambda: student.part("map") != map_)
        assert student.part("fakes") == fakes  # D's step leaves G alone
        map_ = student.part("map")
        student.press("Step G")
        student.until(lambda: student.part("fakes") != fakes)
        assert student.part("map") == map_
        student.until(lambda: "1 of D alone, 1 of G alone" in student.status())

        student.press("Draw")
        page.wait_for_selector(".ganedu-canvas button")
        student.until(lambda: page.locator(".ganedu-canvas button").count() == 256)
        time.sleep(1)
        student.shot("canvas")
        student.press("Clear")
        student.until(lambda: "The canvas is empty" in student.root.inner_text())
        wanted = [(r, 3) for r in range(3, 12)] + [(11, c) for c in range(4, 11)]  # an L
        for row, column in wanted:
            student.cell(row, column)
        student.cell(11, 10)  # once more: twice as dense
        student.until(lambda: page.locator(".ganedu-canvas button.ganedu-ink-2").count() == 1)
        assert page.locator(".ganedu-canvas button.ganedu-ink-1").count() == len(wanted) - 1
        student.shot("drawn")
        assert page.evaluate(OVERFLOWING) == []
        student.press("Draw")

        reactions.append(student.time("Play", "playing"))
        student.until(lambda: student.round() > held + 1200, 90)
        student.press("Slow motion")
        student.until(lambda: "turn: with the next update" in student.root.inner_text())
        student.shot("slow-motion")
        reactions.append(student.time("Pause", "paused"))
        student.press("Slow motion")
        student.press("Print code")
        page.wait_for_selector(".ganedu-code")
        code = page.inner_text(".ganedu-code")
        assert "def d_step():" in code and "Painting([" in code
        page.locator(".ganedu-code").scroll_into_view_if_needed()
        time.sleep(0.5)
        student.shot("code")
        assert page.evaluate(OVERFLOWING) == []

        page.locator(".jp-Cell").nth(1).click()
        page.keyboard.press("Shift+Enter")
        report = page.locator(".jp-OutputArea-output", has_text=re.compile("^SAME (True|False)"))
        report.wait_for(timeout=120_000)
        words = report.inner_text()
        painted = re.findall(r"\((\d+), (\d+)\)", words)
        assert words.startswith("SAME True") and "{'D': 1, 'G': 1}" in words
        assert {(int(r), int(c)) for r, c in painted} == set(wanted)

    print("reactions in ms:", [round(ms) for ms in reactions])
    assert statistics.median(reactions) < 300, reactions


def test_run_all_goes_past_the_playground(tmp_path, chromium):
    """The cell returns at once: the next one runs though nobody has pressed anything, and then Play still works."""
    root = tmp_path / "root"
    root.mkdir()
    cells = [nbformat.v4.new_code_cell(source) for source in (CELL, "print('NEXT', play.state)")]
    notebook = nbformat.v4.new_notebook(cells=cells)
    notebook.metadata.kernelspec = {"name": "python3", "display_name": "Python 3", "language": "python"}
    nbformat.write(notebook, root / "play.ipynb")
    with jupyter_lab(root, tmp_path / "lab") as (address, token), browser_page(chromium) as page:
        open_notebook(page, address, token, "play.ipynb")
        run_all(page)
        page.locator(".jp-OutputArea-output", has_text="NEXT paused").wait_for(timeout=120_000)
        student = Page(page, tmp_path)
        assert student.time("Play", "playing") < 5000
        student.until(lambda: student.round() > 10)
