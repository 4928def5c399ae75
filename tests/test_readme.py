"""What the README quotes is what was measured, and its table of lessons is what the lessons say."""

import json
import re
import shutil
from pathlib import Path

import jupytext
import pytest

from tools import readme

ROOT = Path(__file__).parents[1]
MODELS = ("mlp", "mlp_wide", "dcgan28", "wgan_gp", "dcgan64")


def test_the_table_of_speed_quotes_the_benchmark():
    """Each number of the README's table, found again in the results of a run that nothing disturbed."""
    report = json.loads((ROOT / "benchmarks/results/engine-cpu.json").read_text(encoding="utf-8"))
    measured = {(row["model"], row["batch"]): row for row in report["rows"]}
    assert not any(row["void"] for row in measured.values())
    table = (ROOT / "README.md").read_text(encoding="utf-8").split("<!-- speed -->")[1].split("<!-- /speed -->")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()[2:]]
    assert [int(row[1]) for row in rows] == [64, 256] * len(MODELS)
    columns = {
        3: ("fp32", "own"),
        4: ("fp32, channels last", "own"),
        5: ("fp32", "same"),
        6: ("bf16", ""),
        7: ("bf16, compiled", ""),
    }
    for place, row in enumerate(rows):
        kinds = measured[MODELS[place // 2], int(row[1])]["kinds"]
        assert row[2] == f"{kinds['ganedu, fp32']['ratio_to_public']:.2f}"
        for column, (words, fakes) in columns.items():
            found = {
                f"{kind['ratio']:.2f}"
                for name, kind in kinds.items()
                if all(word in name for word in ("ganedu", *words.split(", ")))
                and ("compiled" in name) == ("compiled" in words)
                and (fakes != "same" or "same fakes" in name)
                and (fakes != "own" or "same fakes" not in name)
                and (words != "fp32" or fakes == "same" or "channels last" not in name)
            }
            assert ({row[column]} == found) if row[column] else not found, (row, column, found)
        for kind in kinds.values():  # the ratio is what the two medians say, within what turns differ by
            against = kinds[kind["against"]]["images_a_second"]
            assert kind["images_a_second"] / against == pytest.approx(kind["ratio"], rel=0.15)


# --- the table of lessons -----------------------------------------------------------------------------------------


def test_every_lesson_has_its_row():
    """Read back from the rendered table, and compared with the files themselves."""
    assert readme.main(["--check"]) == 0
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    rows = [line.strip("|").split(" | ") for line in text.splitlines() if re.match(r"\| \[\d\d ", line)]
    assert [re.search(r"\((.*?)\)", row[0])[1] for row in rows] == [
        f"lessons/{path.stem}.ipynb" for path in sorted((ROOT / "lessons").glob("[0-9][0-9]_*.py"))
    ]
    for row in rows:
        name = re.search(r"lessons/(.*?)\.ipynb", row[0])[1]
        exercise = json.loads((ROOT / f"exercises/{name}.ipynb").read_text(encoding="utf-8"))
        points = sum(cell["metadata"].get("nbgrader", {}).get("points", 0) for cell in exercise["cells"])
        assert row[5].strip() == f"[{name[:2]}](exercises/{name}.ipynb), {points} points"
        plan = jupytext.read(ROOT / f"lessons/{name}.py").cells[0].source
        assert f"{row[2].split()[0]} minutes" in re.sub(r"\s+", " ", plan), name  # as its first cell says


@pytest.fixture
def course(tmp_path):
    """A copy of the README with one lesson and its solution."""
    for folder in ("lessons", "solutions"):
        (tmp_path / folder).mkdir()
        shutil.copy(ROOT / folder / "09_wgan.py", tmp_path / folder)
    shutil.copy(ROOT / "README.md", tmp_path)
    return tmp_path


def test_a_changed_header_makes_the_table_stale(course, capsys):
    root = ["--root", str(course)]
    assert readme.main([*root, "--check"]) == 1
    assert capsys.readouterr().err == "README.md: its table of lessons is stale, run `make readme`\n"
    before = (ROOT / "README.md").read_text(encoding="utf-8").splitlines()
    assert readme.main(root) == 0 and readme.main([*root, "--check"]) == 0
    after = (course / "README.md").read_text(encoding="utf-8").splitlines()
    assert [line for line in before if line not in after] == [
        line for line in before if re.match(r"\| \[\d\d ", line) and "09_wgan" not in line
    ]
    lesson = course / "lessons" / "09_wgan.py"
    lesson.write_text(lesson.read_text(encoding="utf-8").replace("#     minutes: 100", "#     minutes: 95"))
    assert readme.main([*root, "--check"]) == 1


@pytest.mark.parametrize(
    "file, old, new, words",
    [
        ("lessons/09_wgan.py", "#     cpu: 1 min\n", "", "lessons/09_wgan.py: its header's ganedu: cpu is None, wants a few"),
        ("lessons/09_wgan.py", "minutes: 100", "minutes: long", "minutes is 'long', wants a whole number"),
        ("lessons/09_wgan.py", "cpu: 1 min", "cpu: 1 min\n#     tpu: none", "has 'tpu', wants one of learn, minutes"),
        ("lessons/09_wgan.py", "# # 09 The", "# # The", "begins with no heading, wants '# 09 The title'"),
        ("README.md", "<!-- /lessons -->", "", "README.md: got 0 places marked"),
    ],
)  # fmt: skip
def test_what_is_missing_is_named(course, capsys, file, old, new, words):
    path = course / file
    path.write_text(path.read_text(encoding="utf-8").replace(old, new), encoding="utf-8")
    assert readme.main(["--root", str(course)]) == 1
    said = capsys.readouterr().err
    assert words in said and said.count("\n") == 1


def test_a_lesson_without_its_exercise_is_named(course, capsys):
    (course / "solutions" / "09_wgan.py").unlink()
    assert readme.main(["--root", str(course)]) == 1
    assert "lessons/09_wgan.py: has no exercise, wants solutions/09_wgan.py" in capsys.readouterr().err
