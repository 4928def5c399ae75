"""What exercise 04 says of its runs: the broken one is dead and looks well by its numbers, the mended one is alive."""

import math
import re
from pathlib import Path

import pytest

from tools import exercises, grading

SOLUTION = Path(__file__).resolve().parent.parent / "solutions" / "04_vanilla_gan.py"


@pytest.fixture(scope="module")
def seen():
    """(all names of the notebook once it has run, {source: what it printed})."""
    namespace, printed = {"__name__": "__main__"}, {}
    for cell in exercises.read_solution(SOLUTION).cells:
        if cell.cell_type == "code":
            outputs = grading.run_cell(cell.source, namespace)
            assert [o for o in outputs if o.output_type == "error"] == [], cell.source
            printed[cell.source] = "".join(o.text for o in outputs if o.get("name") == "stdout")
    return namespace, printed


def run_of(printed, name):
    """Spread before training, the list of d_loss, D's lowest and highest outputs on (real, fake)."""
    text = next(text for source, text in printed.items() if source.startswith(f"{name} = play("))
    before = float(re.search(r"before training: ([\d.]+)", text)[1])
    losses = [float(x) for x in re.search(r"every 25 rounds: (.*)", text)[1].split()]
    outputs = [tuple(map(float, pair)) for pair in re.findall(r"D's output on .*: (\S+) to (\S+)", text)]
    return before, losses, outputs


@pytest.mark.slow
def test_the_broken_run_is_dead_at_2_log_2(seen):
    before, losses, outputs = run_of(seen[1], "broken")
    assert before < 0.1
    assert losses[-4:] == pytest.approx([2 * math.log(2)] * 4, abs=0.03)
    assert all(0 <= low <= high < 0.05 for low, high in outputs)


@pytest.mark.slow
def test_the_mended_run_is_alive(seen):
    before, losses, outputs = run_of(seen[1], "mended")
    assert before > 0.2
    assert max(losses) - min(losses) > 0.3
    (low_real, high_real), (low_fake, high_fake) = outputs
    assert low_fake < 0 < high_real and high_fake < high_real


@pytest.mark.slow
def test_the_numbers_that_mislead_mislead(seen):
    """After 200 rounds FID-d prefers the dead run, whose spread is the real digits'; after 800 it does not.

    The counts mislead on naive Bayes: it draws each digit as often, and most of its samples are read as an 8.
    """
    text = next(text for source, text in seen[1].items() if source.startswith("def judge("))
    dead, young, grown, naive = (float(x) for x in re.findall(r"FID-d (\d+)", text))
    assert young > dead > 1.2 * grown and young > 1.5 * grown
    assert grown < 2 * naive and naive > 50
    verdicts = re.findall(r": ([a-z ]+); FID-d", text)
    assert verdicts[:2] == ["no digits"] * 2 and verdicts[3] == "digit missing"
    digit, share = re.findall(r"read as (\d): (\d+)%", text)[-1]
    assert digit == "8" and int(share) > 50
    spreads = [float(x) for x in re.findall(r"spread ([\d.]+)", text)]
    assert spreads[0] > 0.8 * seen[0]["spread"](seen[0]["x_real"]) > spreads[1]


@pytest.mark.slow
def test_each_check_that_passes_prints_one_line(seen):
    ticks = [seen[1][cell.source] for cell in exercises.read_solution(SOLUTION).cells if grading.is_grade(cell)]
    assert len(ticks) == 5
    for task, said in enumerate(ticks, 1):
        assert said.startswith(f"✓ Task {task}: all visible checks pass.") and said.count("\n") == 1


PREDICTIONS = {  # solution: (all answers wrong, what the marking must not tell)
    "02_the_gan_game": (
        dict(at_half=5.0, good_police=5.0, caught=5.0, when_d_improves="same", verdict="b"),
        ("1.386", "0.21", "2.30", "'up'", "'c'", "rises"),
    ),
    "04_vanilla_gan": (
        dict(ratio=7, equal_at=0.9, against_a_sure_D="b", g_loss_rises="b", noise="b", copier="b"),
        ("499", "0.5", "'c'", "'a'"),
    ),
}


@pytest.mark.parametrize("stem", PREDICTIONS)
def test_marking_names_every_wrong_prediction_and_no_answer(stem):
    wrong, told = PREDICTIONS[stem]
    solution = exercises.read_solution(SOLUTION.parent / f"{stem}.py")
    (check,) = (cell.source for cell in solution.cells if grading.cell_name(cell) == "task3_check")
    (right,) = (cell.source for cell in solution.cells if grading.cell_name(cell) == "task3_predictions")

    namespace = {"__name__": "__main__", "math": math}
    exec("from ganedu.checks import CheckFailed, check_finite, check_one_of", namespace)
    exec(right, namespace)
    right_answers = namespace["predictions"]()

    def mark(answers):
        namespace["predictions"] = lambda: right_answers | answers
        failed = [o.evalue for o in grading.run_cell(check, namespace) if o.output_type == "error"]
        return failed[0] if failed else ""

    assert mark({}) == ""
    assert mark(wrong).startswith(f"predictions: not right yet: {', '.join(wrong)}. ")
    assert [secret for secret in told if secret in mark(wrong)] == []
    for key, answer in wrong.items():
        said = mark({key: answer})
        assert said.startswith(f"predictions: not right yet: {key}. {key}: ") and len(said.split()) > 10
