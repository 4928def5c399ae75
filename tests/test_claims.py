"""tools/claims.py: six seeds gathered and kept, margins as computed by hand, the page renewed section by section."""

import json
import math
import statistics

import pytest

from tools import claims

LESSON = """
import json
import os
import sys


def claim(what, value, at_least=None, at_most=None):
    # what ganedu.checks.claim does, without the seconds that importing torch takes
    row = {{"claim": what, "value": value, "at_least": at_least, "at_most": at_most}}
    with open(os.environ["GANEDU_CLAIMS"], "a") as file:
        file.write(json.dumps(row) + "\\n")
    if at_most is not None and value > at_most:
        sys.exit(f"ClaimFailed: {{what}}: measured {{value}}")


seed = int(os.environ["GANEDU_SEED"])
with open({log!r}, "a") as file:
    file.write(f"{{seed}} {{os.environ['GANEDU_DRIVER']}} {{os.environ['MPLBACKEND']}} {{os.listdir()}}\\n")
claim("error", 0.1 + 0.01 * seed, at_most={error_limit})
claim("accuracy", 0.75, at_least=0.75)
"""


@pytest.fixture
def course(tmp_path):
    """A course of one tiny lesson: (root, path of the lesson, a function that lists the seeds that were run)."""
    (tmp_path / "lessons").mkdir()
    lesson, log = tmp_path / "lessons" / "07_tiny.py", tmp_path / "log.txt"
    lesson.write_text(LESSON.format(log=str(log), error_limit=0.3))
    return tmp_path, lesson, lambda: log.read_text().splitlines() if log.exists() else []


def run(root, *options):
    return claims.main(["7", "--root", str(root), *options])


def test_runs_six_seeds_and_writes_the_table(course):
    root, _, ran = course
    assert run(root) == 0
    assert ran() == [f"{seed} sync Agg []" for seed in range(6)]
    page = (root / "docs" / "claims.md").read_text()
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in page.splitlines() if line[:2] == "| "]
    assert rows[0] == ["claim", "threshold", *(f"seed {k}" for k in range(6)), "mean", "sd", "margin", "holds"]
    values = [0.1, 0.11, 0.12, 0.13, 0.14, 0.15]
    sd = statistics.stdev(values)
    margin = f"{(0.3 - 0.125) / sd:.1f} sd"
    assert rows[1] == ["error", "≤ 0.3", *(f"{v:.4g}" for v in values), "0.125", f"{sd:.2g}", margin, "yes"]
    assert rows[2] == ["accuracy", "≥ 0.75", *["0.75"] * 6, "0.75", "0", "exact", "yes"]
    assert "torch 2" in page and " s for 6 runs." in page


def test_finished_runs_are_not_repeated_and_broken_files_are(course):
    root, lesson, ran = course
    run(root)
    lesson.write_text(lesson.read_text() + "\n# text may change\n")
    assert run(root) == 0
    assert len(ran()) == 6
    files = sorted((root / "build" / "claims").iterdir())
    assert len(files) == 6 and not any(path.suffix == ".part" for path in files)
    files[2].write_text(files[2].read_text()[:40])  # cut short
    files[4].write_text(json.dumps({"seed": 4}))
    files[5].rename(files[5].with_suffix(".part"))
    assert run(root) == 0
    assert [line.split()[0] for line in ran()[6:]] == ["2", "4", "5"]
    lesson.write_text(lesson.read_text().replace("0.01 * seed", "0.02 * seed"))
    assert run(root) == 0
    assert len(ran()) == 9 + 6
    assert run(root, "--again") == 0
    assert len(ran()) == 9 + 6 + 6


def test_a_claim_that_fails_on_one_seed_does_not_hold(course):
    root, lesson, ran = course
    lesson.write_text(LESSON.format(log=str(root / "log.txt"), error_limit=0.145))
    assert run(root) == 1
    page = (root / "docs" / "claims.md").read_text()
    assert len(ran()) == 6
    error, accuracy = [line for line in page.splitlines() if line.startswith(("| error", "| accuracy"))]
    assert "| 0.15 |" in error and error.endswith("| **no** |")  # the failed value is shown too
    assert "| none |" in accuracy and accuracy.endswith("| **no** |")  # seed 5 never came there
    assert "Seed 5 did not get to its end: ClaimFailed: error: measured 0.15" in page


def test_reads_what_the_courses_own_claim_writes():
    source = "from ganedu.checks import claim\nclaim('a', 1.5, at_most=2)\nclaim('b', 1.5, at_least=2)\n"
    found = claims.run_seed("01_real.py", source, 3)
    assert found["claims"] == [
        {"claim": "a", "value": 1.5, "at_least": None, "at_most": 2},
        {"claim": "b", "value": 1.5, "at_least": 2, "at_most": None},
    ]
    assert found["error"] == "ganedu.checks.ClaimFailed: b: measured 1.5, the claim is at least 2"


def runs_of(values, **limits):
    limits = {"at_least": None, "at_most": None, **limits}
    return [{"claims": [{"claim": "it", "value": value, **limits}]} for value in values]


@pytest.mark.parametrize(
    ("values", "limits", "holds"),
    [
        ([1, 2, 3, 1, 2, 3], {"at_most": 2 + 3.01 * math.sqrt(0.8)}, True),
        ([1, 2, 3, 1, 2, 3], {"at_most": 2 + 2.99 * math.sqrt(0.8)}, False),  # every seed passes, the margin is short
        ([1, 2, 3, 1, 2, 3], {"at_least": 2 - 3.01 * math.sqrt(0.8)}, True),
        ([1, 2, 3, 1, 2, 3], {"at_least": 2 - 2.99 * math.sqrt(0.8)}, False),
        ([2] * 6, {"at_most": 2}, True),  # exact
        ([2] * 6, {"at_most": 1.9}, False),
        ([2] * 5 + [math.nan], {"at_most": 3}, False),
        ([2] * 5 + [math.inf], {"at_most": 3}, False),
        ([2] * 5 + [math.inf], {"at_least": 1}, True),
    ],
)
def test_a_claim_holds_with_three_standard_deviations(values, limits, holds):
    (verdict,) = claims.judge(runs_of(values, **limits))
    assert verdict["holds"] is holds


def test_a_name_used_twice_is_refused():
    twice = runs_of([1], at_most=2)
    twice[0]["claims"] *= 2
    with pytest.raises(claims.ClaimsError, match="'it' is made twice"):
        claims.judge(twice)
    with pytest.raises(claims.ClaimsError, match="'it' has two thresholds"):
        claims.judge(runs_of([1], at_most=2) + runs_of([1], at_most=3))


def test_other_sections_of_the_page_stay(tmp_path):
    page = tmp_path / "docs" / "claims.md"
    for name, text in (("04_b", "old\n"), ("02_a", "two\n"), ("04_b", "new\n")):
        claims.update_page(page, tmp_path / f"{name}.py", f"## {name}\n\n{text}")
    assert page.read_text() == claims.INTRODUCTION + "\n## 02_a\n\ntwo\n\n## 04_b\n\nnew\n"


def test_unknown_lessons_are_named(course, capsys):
    root, _, _ = course
    for wrong in ("9", "seven"):
        assert claims.main([wrong, "--root", str(root)]) == 2
        assert capsys.readouterr().err == f"lesson: got {wrong!r}, wants one of 07\n"


def test_a_lesson_without_claims_is_not_passed(course, capsys):
    root, lesson, _ = course
    lesson.write_text("print('nothing')\n")
    assert run(root) == 1
    assert "07_tiny.py: makes no claim" in capsys.readouterr().err
