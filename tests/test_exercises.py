"""Exercises: generated in step, nothing given away, and graders that reject what is wrong and nothing else."""

import ast
import copy
import csv
import functools
import json
import math
import os
import re
import runpy
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import matplotlib
import nbformat
import pytest

from tools import exercises, grading, notebooks

ROOT = Path(__file__).resolve().parent.parent
SOLUTIONS = exercises.sources(ROOT)
BANK_FOLDER = ROOT / "tests" / "wrong_answers"


def read_bank(path):
    """(the bank's names, "") or, where it cannot be used, (an empty bank, the sentence that says why)."""
    empty, name = {"WRONG": {}, "RIGHT": {}}, f"tests/wrong_answers/{path.name}"
    if not path.exists():
        return empty, f"{name}: is missing, wants the wrong and right answers to solutions/{path.name}"
    try:
        bank = runpy.run_path(str(path))
    except Exception as error:  # whatever a bank's own code raises: one test fails, and the others are collected
        return empty, f"{name}: fails when it is read ({type(error).__name__}: {error})"
    for key in ("WRONG", "RIGHT"):
        if not isinstance(bank.get(key), dict) or not bank[key]:
            return empty, f"{name}: its {key} is {bank.get(key)!r}, wants a dict with an answer or more"
    for key, answer in bank["WRONG"].items():
        if not (isinstance(answer, tuple) and len(answer) == 3):
            return empty, f"{name}: WRONG[{key!r}] wants (the check that must fail, the cells to replace, its words)"
    return bank, ""


BANKS, FAULTS = {}, {}
for path in SOLUTIONS:
    BANKS[path.stem], FAULTS[path.stem] = read_bank(BANK_FOLDER / path.name)
RIGHT = [pytest.param(path, name, marks=pytest.mark.slow) for path in SOLUTIONS for name in BANKS[path.stem]["RIGHT"]]


@pytest.fixture(autouse=True, scope="module")
def no_window():
    matplotlib.use("Agg")


def named(value):
    return value.stem[:2] if isinstance(value, Path) else value.replace(" ", "-")


def exercise_of(solution):
    return ROOT / "exercises" / f"{solution.stem}.ipynb"


# --- which checks an answer can touch ---------------------------------------------------------------------------


def imported(node):
    return {(alias.asname or alias.name).split(".")[0] for alias in node.names}


class Names(ast.NodeVisitor):
    """What the top level of a cell binds, and which names it takes from other cells, at once or when it is called."""

    def __init__(self, tree):
        self.bound, self.used = set(), set()
        self.own = set()  # imported or defined here: no other cell is asked for it
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                self.own.add(node.name)
            elif isinstance(node, ast.Import | ast.ImportFrom):
                self.own |= imported(node)
        self.visit(tree)

    def visit_Name(self, node):
        if not isinstance(node.ctx, ast.Load):
            self.bound.add(node.id)
        elif node.id not in self.bound:
            self.used.add(node.id)

    def visit_Assign(self, node):
        self.visit(node.value)
        for target in node.targets:
            self.visit(target)

    def visit_AugAssign(self, node):
        self.used |= {n.id for n in ast.walk(node.target) if isinstance(n, ast.Name)} - self.bound
        self.generic_visit(node)

    def visit_Import(self, node):
        self.bound |= imported(node)

    visit_ImportFrom = visit_Import

    def visit_FunctionDef(self, node):
        self.bound.add(node.name)
        self.visit_Lambda(node)

    visit_ClassDef = visit_FunctionDef

    def visit_Lambda(self, node):  # a body is run when it is called: what is not its own may come from any cell
        inside = list(ast.walk(node))
        own = {n.arg for n in inside if isinstance(n, ast.arg)}
        own |= {n.id for n in inside if isinstance(n, ast.Name) and not isinstance(n.ctx, ast.Load)}
        self.used |= {n.id for n in inside if isinstance(n, ast.Name)} - own - self.own

    def visit_ListComp(self, node):
        own = {n.id for g in node.generators for n in ast.walk(g.target) if isinstance(n, ast.Name)}
        self.used |= {n.id for n in ast.walk(node) if isinstance(n, ast.Name)} - own - self.bound

    visit_SetComp = visit_DictComp = visit_GeneratorExp = visit_ListComp


@functools.lru_cache(maxsize=1000)
def names(source):
    """(bound, used) of a cell, see ``Names``."""
    found = Names(ast.parse(source))
    return found.bound, found.used


def touched(cells, answers, reference):
    """The cells without the checks that neither see the answers, however indirectly, nor define what another one needs.

    Such a check runs as with the solution's own answers, under which it passes: the full marks of the solution say so.
    """
    try:
        code = {grading.cell_name(c): names(c.source) for c in cells if c.cell_type == "code"}
    except SyntaxError:
        return cells
    tainted, spoilt = set(answers), set()
    for name in answers:
        spoilt |= code[name][0] | names(reference[name])[0]
    kept = {name for name, cell in zip(code, (c for c in cells if c.cell_type == "code")) if not grading.is_grade(cell)}
    while True:
        more = {name for name, (_, used) in code.items() if name not in tainted and used & spoilt}
        if not more:
            break
        tainted |= more
        spoilt |= set().union(*(code[name][0] for name in more))
    kept |= tainted
    while True:
        needed = set().union(*(code[name][1] for name in kept))
        more = {name for name, (bound, _) in code.items() if name not in kept and bound & needed}
        if not more:
            return [c for c in cells if c.cell_type != "code" or grading.cell_name(c) in kept]
        kept |= more


@functools.lru_cache(maxsize=1)
def read(solution):
    return exercises.read_solution(solution)


def grade_what_it_touches(solution, answers, name):
    """``grading.grade`` without the checks that these answers cannot reach."""
    cells = grading.replace(read(solution), answers)
    reference = {grading.cell_name(c): c.source for c in read(solution).cells if c.cell_type == "code"}
    report = grading.Report(name, [], [])
    for cell, error, task in grading.run(touched(cells, answers, reference)):
        if error is not None:
            report.errors.append((cell, *error))
        if task is not None:
            report.tasks.append(task)
    return report


def is_first_of_its_check(solution, name):
    bank = BANKS[solution.stem]["WRONG"]
    return name == next(other for other, (check, _, _) in bank.items() if check == bank[name][0])


# all the banks together take minutes: among the quick tests is one answer for each check
WRONG = [
    pytest.param(path, name, marks=() if is_first_of_its_check(path, name) else pytest.mark.slow)
    for path in SOLUTIONS
    for name in BANKS[path.stem]["WRONG"]
]


# --- four files a lesson ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("solution", SOLUTIONS, ids=named)
def test_solution_has_its_bank_of_answers(solution):
    assert FAULTS[solution.stem] == ""


def unpaired(root):
    """A sentence for each lesson without a solution, solution without a lesson, and bank without a solution."""
    lessons, solutions, banks = (
        {path.name for path in (root / folder).glob("[0-9][0-9]_*.py")}
        for folder in ("lessons", "solutions", "tests/wrong_answers")
    )
    return [
        *(f"lessons/{name}: has no exercise, wants solutions/{name}" for name in sorted(lessons - solutions)),
        *(f"solutions/{name}: has no lesson, wants lessons/{name}" for name in sorted(solutions - lessons)),
        *(f"tests/wrong_answers/{name}: has no solution of this name" for name in sorted(banks - solutions)),
    ]


def test_lessons_solutions_and_banks_belong_together():
    assert unpaired(ROOT) == []


def test_what_is_missing_is_one_sentence(tmp_path):
    for folder, name in (("lessons", "01_a"), ("solutions", "02_b"), ("tests/wrong_answers", "03_c")):
        (tmp_path / folder).mkdir(parents=True)
        (tmp_path / folder / f"{name}.py").write_text("")
    assert unpaired(tmp_path) == [
        "lessons/01_a.py: has no exercise, wants solutions/01_a.py",
        "solutions/02_b.py: has no lesson, wants lessons/02_b.py",
        "tests/wrong_answers/03_c.py: has no solution of this name",
    ]
    bank = tmp_path / "04_d.py"
    for text, words in (
        (None, "tests/wrong_answers/04_d.py: is missing, wants"),
        ("1 / 0", "fails when it is read (ZeroDivisionError: division by zero)"),
        ("def f(:", "fails when it is read (SyntaxError"),
        ("RIGHT = {'a': {}}", "its WRONG is None, wants a dict"),
        ("WRONG = {'a': ('check', {}, 'words')}", "its RIGHT is None, wants a dict"),
        ("WRONG, RIGHT = {'a': {}}, {'a': {}}", "WRONG['a'] wants (the check that must fail"),
    ):
        if text is not None:
            bank.write_text(text)
        found, fault = read_bank(bank)
        assert words in fault and found == {"WRONG": {}, "RIGHT": {}}
    bank.write_text("WRONG, RIGHT = {'a': ('check', {}, 'words')}, {'b': {}}")
    assert read_bank(bank)[1] == ""


# --- graders are tested like code -------------------------------------------------------------------------------


@pytest.mark.parametrize("solution", SOLUTIONS, ids=named)
def test_solution_gets_full_marks(solution):
    report = grading.grade(solution)
    assert report.errors == []
    assert report.points == report.max_points > 0, str(report)
    assert len(report.tasks) >= 3


@pytest.mark.parametrize("solution", SOLUTIONS, ids=named)
def test_empty_exercise_gets_nothing_and_raises_only_not_implemented(solution):
    report = grading.grade(solution, exercise_of(solution))
    assert report.points == 0
    assert {kind for _, kind, _ in report.errors} == {"NotImplementedError"}
    assert {cell for cell, _, _ in report.errors} == {task.grade_id for task in report.tasks}


@pytest.mark.parametrize("solution, name", WRONG, ids=named)
def test_wrong_answer_loses_its_own_task_with_its_own_message(solution, name):
    bank = BANKS[solution.stem]["WRONG"]
    check, answers, fragment = bank[name]
    # one answer for each check runs through all the others as well, the rest through those that could see it
    grade = grading.grade if is_first_of_its_check(solution, name) else grade_what_it_touches
    report = grade(solution, answers, name=name)
    lost = {task.grade_id: task.message for task in report.tasks if task.points < task.max_points}
    assert set(lost) == {check}, str(report)
    assert report.task(check).points == 0
    assert fragment in lost[check]
    others = {other: words for other, (_, _, words) in bank.items() if other != name}
    assert [other for other, words in others.items() if words in lost[check]] == []
    assert "assert" not in lost[check].lower()


@pytest.mark.parametrize("solution, name", RIGHT, ids=named)
def test_right_answer_written_otherwise_passes(solution, name):
    report = grading.grade(solution, BANKS[solution.stem]["RIGHT"][name], name=name)
    assert report.points == report.max_points, str(report)


@pytest.mark.parametrize("solution", [path for path in SOLUTIONS if not FAULTS[path.stem]], ids=named)
def test_every_task_has_a_wrong_answer(solution):
    checks = {task.metadata.nbgrader.grade_id for task in cells(solution) if grading.is_grade(task)}
    assert {check for check, _, _ in BANKS[solution.stem]["WRONG"].values()} == checks


# --- what exercise 02 says while it runs ------------------------------------------------------------------------


def test_exercise_02_shows_what_its_text_says():
    """The cells that are only looked at: the broken run is broken, the student's run works, the stuck one is stuck."""
    namespace, printed = {"__name__": "__main__"}, {}
    for cell in cells(ROOT / "solutions" / "02_the_gan_game.py"):
        if cell.cell_type == "code":
            outputs = grading.run_cell(cell.source, namespace)
            assert [o for o in outputs if o.output_type == "error"] == [], cell.source
            printed[cell.source] = "".join(o.text for o in outputs if o.get("name") == "stdout")
    ticks = [
        printed[cell.source] for cell in cells(ROOT / "solutions" / "02_the_gan_game.py") if grading.is_grade(cell)
    ]
    assert len(ticks) == 5
    for task, said in enumerate(ticks, 1):
        assert said.startswith(f"✓ Task {task}: all visible checks pass.") and said.count("\n") == 1
    assert "whether the answers are is marked when you hand in" in ticks[2]
    shown = {source: text for source, text in printed.items() if "show_game(" in source and "def " not in source}
    broken = next(text for source, text in shown.items() if "broken_round" in source)
    mean, std = map(float, re.match(r"fakes: mean (-?[\d.]+), std ([\d.]+)", broken).groups())
    assert mean < 1.5 and std < 0.5  # a spike, two standard deviations or more below the mean of the real numbers
    last = list(printed.values())[-1]
    assert "your run: succeeded" in last and "the stuck run: did not succeed" in last
    # the stuck run is a success by every sign but its samples
    assert abs(namespace["on_real"].sigmoid() - 0.5).mean() < 0.1
    assert abs(namespace["d_minimax"](namespace["on_real"], namespace["on_fake"]) - 2 * math.log(2)) < 0.1
    assert abs(namespace["x_fake"].mean() - 4) < 0.1
    assert abs(namespace["x_fake"].std() - 1.25) > 0.25


# --- nothing is given away --------------------------------------------------------------------------------------

REGION = re.compile(r"### BEGIN (SOLUTION|HIDDEN TESTS)\n(.*?)### END \1", re.DOTALL)


def cells(solution):
    return exercises.read_solution(solution).cells


def lines(text):
    return {line.strip() for line in text.splitlines() if re.search(r"\w", line)}


@pytest.mark.parametrize("solution", SOLUTIONS, ids=named)
def test_exercise_gives_nothing_away(solution):
    secret, shown = set(), set()
    for cell in cells(solution):
        secret |= {line for _, region in REGION.findall(cell.source) for line in lines(region)}
        shown |= lines(REGION.sub("", cell.source))
    assert len(secret) > 20
    text = exercise_of(solution).read_text(encoding="utf-8")
    handed_out = set().union(*(lines(cell.source) for cell in nbformat.reads(text, 4).cells))
    assert handed_out & (secret - shown) == set()
    # whatever else the file carries: no such line, no marker, no output, no pairing with a .py
    for line in secret - {line for line in secret if any(line in other for other in shown)}:
        assert json.dumps(line)[1:-1] not in text
    for word in ("BEGIN SOLUTION", "HIDDEN TESTS", "END SOLUTION", "jupytext"):
        assert word not in text
    assert all(cell.get("outputs", []) == [] for cell in nbformat.reads(text, 4).cells)


@pytest.mark.parametrize("solution", SOLUTIONS, ids=named)
def test_checks_of_the_exercise_are_locked(solution):
    for cell in nbformat.read(exercise_of(solution), 4).cells:
        if grading.is_grade(cell) or grading.is_locked(cell):
            assert cell.metadata.editable is False and cell.metadata.deletable is False


# --- the generator ----------------------------------------------------------------------------------------------

TOY = """# %% [markdown]
# # Toy

# %% nbgrader={"grade": false, "grade_id": "one", "locked": false, "schema_version": 3, "solution": true, "task": false}
def one():
    ### BEGIN SOLUTION
    return 1
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "one_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
assert one() == 1, "one: wants 1"
### BEGIN HIDDEN TESTS
assert isinstance(one(), int), "one: wants a whole number"
### END HIDDEN TESTS

# %% nbgrader={"grade": false, "grade_id": "two", "locked": false, "schema_version": 3, "solution": true, "task": false}
def two():
    ### BEGIN SOLUTION
    return 2
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "two_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
### BEGIN HIDDEN TESTS
0.75 * two()
### END HIDDEN TESTS
"""  # the last check gives part of the points: as many as the value of its last line


@pytest.fixture
def toy(tmp_path):
    """A folder with one small solution and its exercise."""
    path = tmp_path / "solutions" / "01_toy.py"
    path.parent.mkdir()
    path.write_text(TOY)
    assert exercises.main(["--root", str(tmp_path)]) == 0
    return path


def submit(toy, name, change):
    """A submission: the toy exercise after ``change(its cells by name, the notebook)``. Returns its path."""
    notebook = nbformat.read(toy.parent.parent / "exercises" / "01_toy.ipynb", 4)
    change({grading.cell_name(cell): cell for cell in notebook.cells}, notebook)
    path = toy.parent.parent / "submitted" / name / "01_toy" / "01_toy.ipynb"
    path.parent.mkdir(parents=True)
    nbformat.write(notebook, path)
    return path


def answer(**code):
    def change(cells, notebook):
        for name, source in code.items():
            cells[name].source = source

    return change


ONE, TWO = "def one():\n    return 1", "def two():\n    return 2"


def test_generated_exercises_are_in_step(capsys):
    assert exercises.main(["--check"]) == 0, capsys.readouterr().err


def test_generation_is_deterministic():
    for solution in SOLUTIONS:
        first, second = (exercises.make_exercise(exercises.read_solution(solution), solution) for _ in range(2))
        assert notebooks.dump(first) == notebooks.dump(second)
        ids = [cell.id for cell in first.cells]
        assert ids == [cell.id for cell in cells(solution)] and len(set(ids)) == len(ids)


def test_the_stub_is_a_sentence_and_nothing_else_changes(toy):
    notebook = nbformat.read(toy.parent.parent / "exercises" / "01_toy.ipynb", 4)
    by_name = {grading.cell_name(cell): cell.source for cell in notebook.cells}
    assert by_name["one"].splitlines()[0] == "def one():"
    assert re.search(r'raise NotImplementedError\("[A-Z].*\."\)', by_name["one"])
    assert by_name["one_check"] == 'assert one() == 1, "one: wants 1"'


def test_check_names_what_is_stale(toy, capsys):
    root, exercise = toy.parent.parent, toy.parent.parent / "exercises" / "01_toy.ipynb"
    fresh = exercise.read_bytes()
    assert exercises.main(["--check", "--root", str(root)]) == 0

    def outcome():
        code = exercises.main(["--check", "--root", str(root)])
        return code, capsys.readouterr().err

    notebook = nbformat.read(exercise, 4)
    for change, word in (
        (lambda cell: cell.update(source="changed"), "inputs"),
        (lambda cell: cell.update(id="changed"), "cell ids"),
        (lambda cell: cell.metadata.update(tags=["changed"]), "metadata"),
    ):
        changed = copy.deepcopy(notebook)
        change(changed.cells[1])
        nbformat.write(changed, exercise)
        code, said = outcome()
        assert code == 1 and f"exercises/01_toy.ipynb ({word})" in said
        assert exercises.main(["--root", str(root)]) == 0 and exercise.read_bytes() == fresh

    ran = copy.deepcopy(notebook)
    ran.cells[1].outputs = [nbformat.v4.new_output("stream", text="outputs are not compared")]
    nbformat.write(ran, exercise)
    assert outcome()[0] == 0
    toy.write_text(TOY.replace("wants 1", "wants exactly 1"))
    assert outcome() == (1, "stale, run `make exercises`:\n  exercises/01_toy.ipynb (inputs, metadata)\n")
    toy.unlink()
    assert "no solution of this name" in outcome()[1]


@pytest.mark.parametrize(
    "old, new, words",
    [
        ("    ### END SOLUTION\n", "", "ClearSolutions refuses it: no end solution statement found"),
        ('"grade_id": "two"', '"grade_id": "one"', "Duplicate|validate"),
        ('"solution": true', '"solution": false', "ClearSolutions refuses it"),
    ],
)
def test_faulty_solution_is_named(toy, capsys, old, new, words):
    toy.write_text(TOY.replace(old, new))
    assert exercises.main(["--root", str(toy.parent.parent)]) == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("solutions/01_toy.py: nbgrader's ") and re.search(words, said) and "\n" not in said


# --- the grader -------------------------------------------------------------------------------------------------


def points(report):
    return {task.grade_id: task.points for task in report.tasks}


def test_points_of_part_of_an_answer(toy):
    assert points(grading.grade(toy)) == {"one_check": 2, "two_check": 1.5}  # 0.75 x 2 of 4, as nbgrader reads it
    half = grading.grade(toy, {"two": "def two():\n    return 2 / 3"})
    assert points(half) == {"one_check": 2, "two_check": 0.5}
    only_visible = grading.grade(toy, {"one": "def one():\n    return 1.0"})
    assert only_visible.task("one_check").message == "AssertionError: one: wants a whole number"


def test_a_changed_deleted_or_moved_check_changes_nothing(toy):
    def cheat(cells, notebook):
        cells["one"].source = "def one():\n    return 7"
        cells["one_check"].source = "pass"
        cells["one_check"].metadata.nbgrader.points = 100
        cells["two"].source = TWO
        notebook.cells.remove(cells["two_check"])
        notebook.cells.reverse()

    report = grading.grade(toy, submit(toy, "cheat", cheat))
    assert points(report) == {"one_check": 0, "two_check": 1.5} and report.max_points == 6


def test_a_missing_answer_and_cells_of_the_students_own(toy):
    def change(cells, notebook):
        cells["one"].source = "def one():\n    return helper()"
        notebook.cells.insert(0, nbformat.v4.new_code_cell("%matplotlib inline\n!ls\ndef helper():\n    return 1"))
        notebook.cells.append(nbformat.v4.new_code_cell("1 / 0"))
        notebook.cells.remove(cells["two"])

    report = grading.grade(toy, submit(toy, "own", change))
    assert points(report) == {"one_check": 2, "two_check": 0}
    assert report.task("two_check").message == "NameError: name 'two' is not defined"
    assert "ZeroDivisionError" in str(report)


def test_of_two_answers_the_last_counts(toy):
    def change(cells, notebook):
        again = copy.deepcopy(cells["one"])
        cells["one"].source, again.source, again.id = "def one():\n    return 5", ONE, "again"
        notebook.cells.append(again)

    assert points(grading.grade(toy, submit(toy, "twice", change)))["one_check"] == 2


def test_one_submission_leaves_nothing_to_the_next(toy):
    grading.grade(toy, {"one": "def one():\n    return 1\nleft_behind = 1"})
    report = grading.grade(toy, {"one": "def one():\n    return left_behind"})
    assert report.task("one_check").message == "NameError: name 'left_behind' is not defined"


@pytest.mark.parametrize("code", ["import sys\nsys.exit()", "raise KeyError('x')", "def one(:", "raise SystemExit(3)"])
def test_a_cell_that_fails_ends_alone(toy, code):
    report = grading.grade(toy, {"one": code})
    assert points(report) == {"one_check": 0, "two_check": 1.5}
    assert report.errors[0][0] == "one"


def test_an_interrupt_of_the_students_own_is_no_time_out(toy):
    submission = submit(toy, "own", answer(one="raise KeyboardInterrupt", two=TWO))
    report = grading.grade_apart(toy, submission, cell_seconds=20)
    assert report.errors[0] == ("one", "KeyboardInterrupt", "the cell raised it itself")
    assert points(report) == {"one_check": 0, "two_check": 1.5}


def test_an_answer_whose_cell_was_turned_into_text_counts(toy):
    def retyped(cells, notebook):
        answer(one=ONE, two=TWO)(cells, notebook)
        cells["one"].cell_type = "markdown"
        del cells["one"]["outputs"], cells["one"]["execution_count"]

    assert points(grading.grade(toy, submit(toy, "text", retyped))) == {"one_check": 2, "two_check": 1.5}


@pytest.fixture
def as_a_background_job():
    """Processes that are started now ignore Ctrl-C, as do those of ``make test &`` in a script."""
    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.slow
def test_an_endless_cell_is_interrupted_and_an_endless_submission_is_stopped(toy, as_a_background_job):
    loops = submit(toy, "loops", answer(one="while True:\n    pass", two=TWO))
    report = grading.grade_apart(toy, loops, cell_seconds=8)
    assert points(report) == {"one_check": 0, "two_check": 1.5}
    assert report.errors[0][:2] == ("one", "CellTimeoutError")
    assert "ran for more than 8 s" in str(report)

    stubborn = "import signal\nsignal.signal(signal.SIGINT, signal.SIG_IGN)\ndef two():\n    while True: pass"
    stubborn = submit(toy, "stubborn", answer(one=ONE, two=stubborn))
    report = grading.grade_apart(toy, stubborn, cell_seconds=1, seconds=8)
    assert points(report) == {"one_check": 2, "two_check": 0}  # what was earned before counts
    assert report.task("two_check").message == "not reached: the submission ran for more than 8 s and was stopped"

    gone = submit(toy, "gone", answer(one="import os\nos._exit(0)"))
    report = grading.grade_apart(toy, gone)
    assert report.points == 0 and report.task("one_check").message.startswith("not reached")


@pytest.mark.slow
def test_command_prints_a_table_and_writes_csv(toy, capsys, monkeypatch, tmp_path):
    monkeypatch.setattr(grading, "ROOT", tmp_path)
    good, bad = submit(toy, "anna", answer(one=ONE, two=TWO)), submit(toy, "ben", answer(one=ONE))
    broken = tmp_path / "01_toy_broken.ipynb"
    broken.write_text("not a notebook")
    out = tmp_path / "grades.csv"
    arguments = ["--solution", str(toy), "--csv", str(out), *map(str, (good, broken, bad))]
    assert grading.main(arguments) == 1  # one of the three could not be read
    said = capsys.readouterr()
    assert re.search(r"anna\S+ +3.5/6 +2/2 1.5/4", said.out)
    assert said.err.strip() == f"submission: got {broken}, which is no notebook (NotJSONError)"
    with open(out, newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["submission"] for row in rows] == [str(good), str(bad)]
    assert [(float(row["one_check"]), float(row["two_check"]), float(row["points"])) for row in rows] == [
        (2, 1.5, 3.5),
        (2, 0, 2),
    ]
    assert "NotImplementedError" in rows[1]["remarks"] and rows[0]["remarks"] == "two_check: part of the points"


def test_bad_input_is_named(toy, tmp_path, capsys):
    with pytest.raises(ValueError, match="submission: got code for 'three', wants one of one, two"):
        grading.grade(toy, {"three": ""})
    with pytest.raises(ValueError, match="which is not there, wants a notebook"):
        grading.grade_apart(toy, tmp_path / "01_toy.ipynb")
    with pytest.raises(ValueError, match="cell_seconds: got 0.0, wants a number above 0"):
        grading.grade_apart(toy, tmp_path / "01_toy.ipynb", cell_seconds=0.0)
    with pytest.raises(ValueError, match="whose name tells no exercise, wants one with 01_toy in it"):
        grading.solution_for("homework.ipynb", root=toy.parent.parent)
    assert grading.solution_for("x/01_toy/work.ipynb", root=toy.parent.parent) == toy
    assert grading.main(["--solution", "nowhere.py", "x.ipynb"]) == 1
    assert capsys.readouterr().err.strip() == (
        "--solution: got nowhere.py, which is not there, wants solutions/NN_name.py"
    )


# --- nbgrader itself --------------------------------------------------------------------------------------------


@pytest.mark.slow
def test_nbgrader_hands_out_the_same_exercise_and_gives_the_same_points(toy, tmp_path):
    """A course laid out by the tool, through nbgrader's own commands: assign, autograde, feedback."""
    from nbgrader.api import Gradebook

    course = tmp_path / "course"
    toy.write_text(TOY + TOY_STDERR)
    shutil.copy(ROOT / "solutions" / "02_the_gan_game.py", toy.parent)
    root = ["--root", str(tmp_path)]
    assert exercises.main(root) == 0 and exercises.main([*root, "--course", str(course)]) == 0

    def nbgrader(*arguments):
        bin_folder = str(Path(sys.executable).parent)  # nbgrader starts alembic by its name
        environment = {**os.environ, "PATH": bin_folder + os.pathsep + os.environ["PATH"]}
        command = [sys.executable, "-m", "nbgrader", *arguments]
        done = subprocess.run(command, cwd=course, env=environment, capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done.stderr[-3000:]

    for name in ("01_toy", "02_the_gan_game"):
        nbgrader("generate_assignment", name)
        ours = json.loads((tmp_path / "exercises" / f"{name}.ipynb").read_text())
        assert json.loads((course / "release" / name / f"{name}.ipynb").read_text()) == ours
        assert [path.name for path in (course / "release" / name).iterdir()] == [f"{name}.ipynb"]

    def cheat(cells, notebook):
        answer(one="def one():\n    return 1.0", two=TWO)(cells, notebook)
        cells["one_check"].source = "pass"
        notebook.cells.remove(cells["two_check"])

    def retyped(cells, notebook):
        answer(one=ONE, two=TWO)(cells, notebook)
        cells["one"].cell_type, cells["two"].cell_type = "markdown", "raw"
        for name in ("one", "two"):
            del cells[name]["outputs"], cells[name]["execution_count"]

    submissions = {
        "anna": submit(toy, "anna", answer(one=ONE, two=TWO)),
        "ben": submit(toy, "ben", answer(one="import warnings", two=f"{TWO} / 3")),
        "chris": submit(toy, "chris", cheat),
        "dora": submit(toy, "dora", retyped),
    }
    shutil.copytree(tmp_path / "submitted", course / "submitted")
    nbgrader("autograde", "01_toy")
    nbgrader("generate_feedback", "01_toy")
    seen = set()
    with Gradebook(f"sqlite:///{course / 'gradebook.db'}") as book:
        for student, path in submissions.items():
            theirs = {g.name: g.auto_score for g in book.find_submission_notebook("01_toy", "01_toy", student).grades}
            assert points(grading.grade_apart(toy, path)) == theirs, student
            seen.add(tuple(theirs.values()))
            assert (course / "feedback" / student / "01_toy" / "01_toy.html").exists()
    assert len(seen) == 3  # the comparison has seen different marks


TOY_STDERR = """
# %% nbgrader={"grade": true, "grade_id": "stderr_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
import sys
print("said on stderr, so without points", file=sys.stderr)

# %% nbgrader={"grade": true, "grade_id": "warning_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
import warnings
warnings.warn("a warning costs nothing")
"""
