"""Takes docs/images/dashboard.png, the README's picture: lesson 04 training in JupyterLab, in headless Chromium.

    python tools/dashboard_picture.py [ROUND]      the picture is taken at that round, 3,000 unless given

Nothing is staged: the notebook is lesson 04's own, up to the cell that trains, and the picture is what its dashboard
shows. Needs the ``dev`` extra and Chromium; takes a minute or two.
"""

import re
import sys
import tempfile
import time
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests"))

from browser_lab import browser_page, jupyter_lab, open_notebook, run_all  # noqa: E402
from conftest import find_chromium  # noqa: E402


def main(at_round=3000, seconds=600):
    chromium = find_chromium()
    if chromium is None:
        sys.exit("chromium: found none; install Chromium and run this again")
    notebook = nbformat.read(ROOT / "lessons" / "04_vanilla_gan.ipynb", as_version=4)
    wait = next(i for i, cell in enumerate(notebook.cells) if cell.source.startswith("run.wait()"))
    notebook.cells = notebook.cells[: wait + 1]
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder) / "root"
        root.mkdir()
        nbformat.write(notebook, root / "lesson.ipynb")
        lab = Path(folder) / "lab"
        with jupyter_lab(root, lab) as (address, token), browser_page(chromium) as page:
            open_notebook(page, address, token, "lesson.ipynb")
            run_all(page)
            page.wait_for_selector(".ganedu-status b", timeout=120_000)
            dashboard = page.locator(".ganedu-dashboard")
            dashboard.scroll_into_view_if_needed()
            deadline = time.monotonic() + seconds
            while int(re.search(r"round ([\d,]+)", dashboard.inner_text())[1].replace(",", "")) < at_round:
                if time.monotonic() > deadline:
                    sys.exit(f"round {at_round}: not reached within {seconds} s")
                time.sleep(0.2)
            path = ROOT / "docs" / "images" / "dashboard.png"
            path.parent.mkdir(parents=True, exist_ok=True)
            dashboard.screenshot(path=path)
    print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:2]))
