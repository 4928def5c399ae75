"""The committed notebooks: in step with their sources, small, and run by the test command so that a claim can fail.

That each one runs from top to bottom is tested by nbval: `pytest lessons solutions --nbval-lax`.
"""

import subprocess
import sys
from pathlib import Path

import nbformat
import pytest

ROOT = Path(__file__).resolve().parent.parent
NOTEBOOKS = sorted(path for folder in ("lessons", "solutions") for path in (ROOT / folder).glob("*.ipynb"))
names = pytest.mark.parametrize("path", NOTEBOOKS, ids=[f"{path.parent.name}-{path.stem}" for path in NOTEBOOKS])


def test_notebooks_are_in_step_with_their_sources():
    result = subprocess.run([sys.executable, "tools/notebooks.py", "--check"], cwd=ROOT, capture_output=True, text=True)
    assert result.returncode == 0, result.stderr


@names
def test_notebook_is_small(path):
    assert path.stat().st_size <= 400 * 1024


@names
def test_notebook_is_valid_and_a_lesson_was_run(path):
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    cells = [cell for cell in notebook.cells if cell.cell_type == "code"]
    if path.parent.name == "lessons":  # their outputs are what a reader without an installation sees
        assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    errors = [cell.id for cell in cells for output in cell.outputs if output.output_type == "error"]
    assert errors == []


@names
def test_notebook_holds_no_widget_and_no_time_of_day(path):
    text = path.read_text(encoding="utf-8")
    assert "widget-view" not in text and "iopub.execute_input" not in text


def test_a_failing_claim_fails_the_test_command_and_each_notebook_runs_once(tmp_path):
    counter = tmp_path / "counter.txt"
    sound = f"with open({str(counter)!r}, 'a') as file:\n    file.write('x')"
    for name, codes in {
        "01_sound": [sound, "import os\nassert os.environ['GANEDU_DRIVER'] == 'sync'"],
        "02_broken": ["assert 'file' not in globals()  # a kernel of its own", "assert 1 > 2, 'the claim'"],
    }.items():
        cells = [nbformat.v4.new_code_cell(code) for code in codes]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / f"{name}.ipynb")
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    command += [str(tmp_path), "--nbval-lax", "--nbval-current-env", "-p", "no:cacheprovider"]
    result = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert result.returncode == 1
    assert "1 failed, 3 passed" in result.stdout.splitlines()[-1]
    assert "the claim" in result.stdout
    assert counter.read_text() == "x"
