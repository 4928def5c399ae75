"""What the README quotes is what was measured, and its table of lessons is what the lessons say."""

import json
import re
import shutil
from pathlib import Path

import jupytext
import pytest

from tools import readme

ROOT = Path(__file__).parents[1]
NAMES = {
    "MLP GAN, 28x28": "mlp",
    "MLP GAN, wide": "mlp_wide",
    "WGAN-GP MLP": "wgan_gp",
    "DCGAN, 28x28": "dcgan28",
    "DCGAN, 64x64x3": "dcgan64",
}


def quoted():
    """(model, batch, the five other cells) of each row of the README's table of speed."""
    text = (ROOT / "README.md").read_text(encoding="utf-8").split("## How fast", 1)[1].split("\n## ", 1)[0]
    model = None
    for line in text.splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if len(cells) == 7 and cells[1].isdigit():
            model = NAMES[cells[0]] if cells[0] else model
            yield model, int(cells[1]), cells[2:]


def test_the_table_of_speed_quotes_the_benchmark():
    report = json.loads((ROOT / "benchmarks/results/engine-cpu.json").read_text(encoding="utf-8"))
    rows = {(row["model"], row["batch"]): row for row in report["rows"]}
    assert not any(row["void"] for row in rows.values())
    seen = []
    for model, batch, cells in quoted():
        kinds = rows[model, batch]["kinds"]

        def only(*words, kinds=kinds):
            return [k for name, k in kinds.items() if re.sub(", (same fakes|channels last)", "", name) == words[0]]

        fp32, bf16, compiled = only("ganedu, fp32"), only("ganedu, bf16"), only("ganedu, bf16, compiled")
        assert len(bf16) == len(compiled) == 1
        ratios = [f"{k[0]['ratio']:.2f}" if k else "" for k in (fp32[:1], fp32[1:], bf16, compiled)]
        assert cells[:4] == ratios, (model, batch)
        assert cells[4] == f"{fp32[-1]['bound']:.1f}, {bf16[0]['bound']:.1f}", (model, batch)
        seen.append((model, batch))
    assert sorted(seen) == sorted(rows)


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
