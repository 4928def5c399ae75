"""tools/notebooks.py: from the edited .py to the notebook beside it."""

import base64
import importlib.util
import io
import subprocess
import sys
import types
from pathlib import Path

import jupytext
import nbformat
import numpy as np
import pytest
from PIL import Image

ROOT = Path(__file__).resolve().parent.parent
_spec = importlib.util.spec_from_file_location("notebooks_tool", ROOT / "tools" / "notebooks.py")
tool = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(tool)

PLACEHOLDER = "https://github.invalid/ganedu/ganedu"
REAL = "https://github.com/somebody/gan-course"

LESSON = """\
# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # 07 A small lesson
#
# <!-- badge --><!-- /badge -->
#
# What does two and two make?

# %% tags=["setup"]
# >>> setup
# <<< setup
first = 2

# %%
import os

print(os.environ.get("GANEDU_DRIVER"), os.listdir())

# %%
first + 2

# %%
first + 2
"""


def write_course(root, address=PLACEHOLDER, tag="v0.1.0", lesson=LESSON):
    root.joinpath("pyproject.toml").write_text(
        f'[project.urls]\nRepository = "{address}"\n\n[tool.ganedu]\ntag = "{tag}"\n'
    )
    for folder in ("lessons", "solutions"):
        root.joinpath(folder).mkdir(exist_ok=True)
    if lesson is not None:
        root.joinpath("lessons/07_small.py").write_text(lesson)
    return root


@pytest.fixture
def course(tmp_path):
    return write_course(tmp_path)


def run(root, *arguments):
    return tool.main([*arguments, "--root", str(root)])


def notebook(root, name="lessons/07_small.ipynb"):
    return nbformat.read(root / name, as_version=4)


# --- conversion -----------------------------------------------------------------------------------------------


def test_inputs_are_those_that_jupytext_reads(course):
    assert run(course) == 0
    made = notebook(course)
    read = jupytext.read(course / "lessons/07_small.py", fmt="py:percent")
    assert [(c.cell_type, c.source) for c in made.cells] == [(c.cell_type, c.source) for c in read.cells]
    assert len(made.cells) == 5 and made.cells[1].metadata.tags == ["setup"]
    nbformat.validate(made)
    assert (made.nbformat, made.nbformat_minor) == (4, 5)
    assert made.metadata.kernelspec.name == "python3"
    assert "jupytext" not in made.metadata  # or an edit made in the notebook may be lost to a newer .py


def test_is_deterministic(course):
    run(course)
    once = (course / "lessons/07_small.ipynb").read_bytes()
    run(course)
    assert (course / "lessons/07_small.ipynb").read_bytes() == once
    (course / "lessons/07_small.ipynb").unlink()
    run(course)
    assert (course / "lessons/07_small.ipynb").read_bytes() == once


def test_an_edit_changes_only_its_own_cell_id(course):
    run(course)
    before = [cell.id for cell in notebook(course).cells]
    source = course / "lessons/07_small.py"
    text = source.read_text().replace("print(os", "print(1, os")
    source.write_text(text.replace("\n# %%\nimport os", "\n# %% [markdown]\n# A new cell\n\n# %%\nimport os"))
    run(course)
    after = [cell.id for cell in notebook(course).cells]
    assert len(set(after)) == len(after) == 6
    assert [*after[:2], *after[4:]] == [*before[:2], *before[3:]]
    assert after[3] not in before


def test_nbgrader_cells_keep_their_names(course):
    grader = '{"grade": false, "grade_id": "task 1: detach", "locked": false, "solution": true, "schema_version": 3}'
    (course / "solutions/07_small.py").write_text(f"# %% nbgrader={grader}\nx = 1\n")
    assert run(course) == 0
    made = notebook(course, "solutions/07_small.ipynb")
    assert made.cells[0].id == "task-1--detach"
    assert made.cells[0].metadata.nbgrader.grade_id == "task 1: detach"


def test_keeps_the_outputs_of_unchanged_cells(course):
    assert run(course, "--execute") == 0
    ran = notebook(course)
    assert [c.outputs[0].data["text/plain"] for c in ran.cells[3:]] == ["4", "4"]
    source = course / "lessons/07_small.py"
    source.write_text(source.read_text().replace("first + 2\n\n# %%", "first + 3\n\n# %%"))
    assert run(course) == 0
    made = notebook(course)
    assert made.cells[2].outputs == ran.cells[2].outputs
    # two equal cells had run: the one that is left keeps the first's output
    assert made.cells[3].outputs == [] and made.cells[4].outputs == ran.cells[3].outputs
    assert run(course, "--check") == 0


# --- execution ------------------------------------------------------------------------------------------------


def test_runs_with_the_quiet_driver_in_an_empty_folder_and_leaves_no_trace_of_the_run(course):
    assert run(course, "--execute", "07") == 0
    made = notebook(course)
    assert made.cells[2].outputs[0].text == "sync []\n"
    assert all("execution" not in cell.metadata for cell in made.cells)
    assert "widgets" not in made.metadata and "version" not in made.metadata.language_info
    assert [cell.execution_count for cell in made.cells[1:]] == [1, 2, 3, 4]
    assert run(course, "--check") == 0


def test_failing_cell(course, capsys):
    source = course / "lessons/07_small.py"
    source.write_text(source.read_text() + '\n# %%\nassert first > 2, "the claim does not hold"\n')
    assert run(course, "--execute") == 1
    assert "the claim does not hold" in capsys.readouterr().err
    assert not (course / "lessons/07_small.ipynb").exists()


def test_unknown_number(course, capsys):
    assert run(course, "--execute", "33") == 1
    assert capsys.readouterr().err == "--execute: got 33, wants numbers among 07\n"


def test_too_large(course, capsys):
    source = course / "lessons/07_small.py"
    source.write_text(source.read_text() + '\n# %%\nprint("many words " * 50_000, end="")\n')
    assert run(course, "--execute") == 1
    assert capsys.readouterr().err.startswith("lessons/07_small.ipynb: got 54")
    assert not (course / "lessons/07_small.ipynb").exists()


def test_output_that_shows_a_path_of_the_machine(course, capsys):
    source = course / "lessons/07_small.py"
    source.write_text(source.read_text() + "\n# %%\nprint(os.getcwd())\n")
    assert run(course, "--execute") == 1
    assert "shows a path of this machine" in capsys.readouterr().err


def test_widget_views_are_left_out():
    view = {"application/vnd.jupyter.widget-view+json": {"model_id": "1"}}
    outputs = [
        nbformat.v4.new_output("display_data", data={**view, "text/plain": "a picture"}),
        nbformat.v4.new_output("display_data", data=view),
    ]
    cell = nbformat.v4.new_code_cell("x", outputs=outputs, metadata={"execution": {"start": "now"}})
    made = nbformat.v4.new_notebook(cells=[cell], metadata={"widgets": {"state": {}}})
    tool.clean(made, "name")
    assert [dict(output.data) for output in made.cells[0].outputs] == [{"text/plain": "a picture"}]
    assert "widgets" not in made.metadata and made.cells[0].metadata == {}


# --- pictures -------------------------------------------------------------------------------------------------


def png_of(pixels):
    buffer = io.BytesIO()
    Image.fromarray(pixels).save(buffer, "PNG", compress_level=1)
    return buffer.getvalue()


def pixels_of(png):
    return np.asarray(Image.open(io.BytesIO(png)).convert("RGBA")).astype(float)


def test_a_plot_loses_bytes_and_no_colour():
    plot = np.full((300, 400, 4), 255, np.uint8)
    plot[100:200, 50:350] = (31, 119, 180, 255)
    plot[150, :] = (214, 39, 40, 255)
    png = png_of(plot)
    small = tool.shrink(png)
    assert len(small) < len(png)
    assert (pixels_of(small) == plot).all()


def test_a_picture_of_many_colours_stays_as_it_looks():
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    small = tool.shrink(png_of(noise))
    assert (pixels_of(small)[..., :3] == noise).all()  # 256 colours would be smaller, and seen


def test_a_smooth_picture_takes_fewer_colours_where_nobody_sees_it():
    ramp = np.linspace(0, 255, 200 * 300).reshape(200, 300)
    smooth = np.stack([ramp, ramp * 0.3 + 100, 255 - ramp], axis=-1).round().astype(np.uint8)
    png = png_of(smooth)
    small = tool.shrink(png)
    assert len(small) < len(png)
    error = np.mean((pixels_of(small)[..., :3] - smooth) ** 2)
    assert 10 * np.log10(255**2 / max(error, 1e-9)) >= 40


def test_transparency_stays():
    picture = np.zeros((50, 50, 4), np.uint8)
    picture[10:40, 10:40] = (200, 30, 30, 128)
    assert (pixels_of(tool.shrink(png_of(picture))) == picture).all()


def test_pictures_in_outputs_are_shrunk():
    png = png_of(np.zeros((200, 200, 3), np.uint8))
    output = nbformat.v4.new_output("display_data", data={"image/png": base64.b64encode(png).decode()})
    made = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell("plot", outputs=[output])])
    tool.clean(made, "name")
    small = base64.b64decode(made.cells[0].outputs[0].data["image/png"])
    assert len(small) < len(png) and (pixels_of(small) == pixels_of(png)).all()


# --- the check ------------------------------------------------------------------------------------------------


def stale(capsys, course):
    code = run(course, "--check")
    return code, capsys.readouterr().err


def test_check_names_each_stale_file_and_writes_nothing(course, capsys):
    code, said = stale(capsys, course)
    assert code == 1
    assert "lessons/07_small.py (badge or set-up cell)" in said and "lessons/07_small.ipynb (no notebook)" in said
    assert (course / "lessons/07_small.py").read_text() == LESSON
    run(course)
    capsys.readouterr()
    assert stale(capsys, course) == (0, "")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda nb: nb.cells[3].update(source="first + 9"), "(inputs)"),
        (lambda nb: nb.cells[3].update(id="another"), "(cell ids)"),
        (lambda nb: nb.cells[1].metadata.update(tags=[]), "(metadata)"),
        (lambda nb: nb.metadata.kernelspec.update(name="r"), "(metadata)"),
        (lambda nb: nb.cells.pop(), "(inputs, cell ids, metadata)"),
        (lambda nb: nb.cells[3].update(outputs=[nbformat.v4.new_output("stream", text="hello")]), None),
        (lambda nb: nb.cells[3].update(execution_count=9), None),
    ],
)
def test_check_compares_inputs_metadata_and_ids_but_no_outputs(course, capsys, change, words):
    run(course)
    made = notebook(course)
    change(made)
    nbformat.write(made, course / "lessons/07_small.ipynb")
    capsys.readouterr()
    code, said = stale(capsys, course)
    assert (code, said) == (0, "") if words is None else code == 1 and f"lessons/07_small.ipynb {words}" in said


def test_check_names_a_notebook_without_source(course, capsys):
    run(course)
    (course / "lessons/07_small.py").rename(course / "lessons/07_big.py")
    code, said = stale(capsys, course)
    assert code == 1 and "lessons/07_small.ipynb (no .py beside it)" in said


@pytest.mark.parametrize("cut", ["# <!-- badge --><!-- /badge -->\n", "# >>> setup\n"])
def test_a_lesson_without_its_marked_places(tmp_path, capsys, cut):
    course = write_course(tmp_path, lesson=LESSON.replace(cut, ""))
    for arguments in ([], ["--check"]):
        assert run(course, *arguments) == 1
        assert "lessons/07_small.py: got 0 places marked" in capsys.readouterr().err


# --- badge and set-up cell ------------------------------------------------------------------------------------


def setup_cell(course):
    (cell,) = (cell for cell in notebook(course).cells if "setup" in cell.metadata.get("tags", []))
    return cell.source


def on_colab(monkeypatch, ganedu_is_there):
    """Make this process look like Colab to a set-up cell. Returns the list of commands it would have run."""
    commands = []
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    find_spec = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: find_spec(name) if ganedu_is_there or name != "ganedu" else None
    )
    monkeypatch.setattr(subprocess, "run", lambda command, check: commands.append(command) if check else None)
    return commands


def test_without_an_address_one_sentence_stands_in(course, monkeypatch):
    run(course)
    title = notebook(course).cells[0].source
    assert "no public address yet" in title and "http" not in title
    on_colab(monkeypatch, ganedu_is_there=False)
    with pytest.raises(RuntimeError, match="ganedu has no public address yet, so Colab cannot install it"):
        exec(setup_cell(course), {})


@pytest.mark.parametrize("ganedu_is_there", [True, False])
@pytest.mark.parametrize("address", [PLACEHOLDER, REAL])
def test_set_up_does_nothing_on_your_own_machine(tmp_path, monkeypatch, address, ganedu_is_there):
    course = write_course(tmp_path, address)
    run(course)
    commands = on_colab(monkeypatch, ganedu_is_there)
    monkeypatch.delitem(sys.modules, "google.colab")
    exec(setup_cell(course), {})
    assert commands == []


def test_with_an_address_both_are_the_real_thing(tmp_path, monkeypatch):
    course = write_course(tmp_path, REAL, "v0.2.0")
    run(course)
    title = notebook(course).cells[0].source
    link = "https://colab.research.google.com/github/somebody/gan-course/blob/v0.2.0/lessons/07_small.ipynb"
    assert f'<a href="{link}">' in title
    commands = on_colab(monkeypatch, ganedu_is_there=False)
    names = {}
    exec(setup_cell(course), names)
    wanted = f"ganedu @ git+{REAL}@v0.2.0"
    assert commands == [[sys.executable, "-m", "pip", "install", "--quiet", wanted]]
    assert names["first"] == 2  # the author's own line below the marked ones


def test_colab_installs_nothing_over_what_is_there(tmp_path, monkeypatch):
    course = write_course(tmp_path, REAL)
    run(course)
    commands = on_colab(monkeypatch, ganedu_is_there=True)
    exec(setup_cell(course), {})
    assert commands == []


def test_an_address_elsewhere_gets_no_colab_link(tmp_path):
    course = write_course(tmp_path, "https://git.example.org/somebody/gan-course")
    run(course)
    assert "upload this notebook" in notebook(course).cells[0].source
    assert "git+https://git.example.org/somebody/gan-course@v0.1.0" in setup_cell(course)


def test_a_new_tag_makes_both_files_stale_and_is_written_to_both(tmp_path, capsys):
    course = write_course(tmp_path, REAL)
    run(course)
    write_course(course, REAL, "v0.3.0", lesson=None)
    capsys.readouterr()
    code, said = stale(capsys, course)
    assert code == 1 and "07_small.py (badge or set-up cell)" in said and "07_small.ipynb (inputs, cell ids)" in said
    run(course)
    assert (course / "lessons/07_small.py").read_text().count("v0.3.0") == 2
    capsys.readouterr()
    assert stale(capsys, course) == (0, "")


def test_a_solution_links_to_its_exercise(tmp_path):
    course = write_course(tmp_path, REAL)
    (course / "solutions/07_small.py").write_text("# %% [markdown]\n# # Tasks\n# <!-- badge --><!-- /badge -->\n")
    run(course)
    assert "/blob/v0.1.0/exercises/07_small.ipynb" in notebook(course, "solutions/07_small.ipynb").cells[0].source


@pytest.mark.parametrize("address", [PLACEHOLDER, REAL])
def test_the_source_is_a_plain_script_in_the_projects_style(tmp_path, address):
    course = write_course(tmp_path, address)
    run(course)
    script = course / "lessons/07_small.py"
    result = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    style = [sys.executable, "-m", "ruff", "format", "--check", "--line-length", "120", str(script)]
    assert subprocess.run(style, capture_output=True).returncode == 0


# --- the documented head --------------------------------------------------------------------------------------


def test_the_head_that_authors_copy_works(tmp_path):
    text = (ROOT / "docs/contributing.md").read_text()
    (head,) = (block.split("```")[0] for block in text.split("```python\n")[1:])
    course = write_course(tmp_path, lesson=head)
    assert run(course) == 0 and run(course, "--check") == 0
    made = notebook(course)
    assert [cell.cell_type for cell in made.cells] == ["markdown", "code", "code"]
    assert "no public address yet" in made.cells[0].source
