"""Grades exercises without a database: a table, the reason for each lost point, and a CSV file if you want one.

    python tools/grading.py submissions/*.ipynb
    python tools/grading.py submissions/*.ipynb --csv grades.csv
    python tools/grading.py anna.ipynb --solution solutions/02_the_gan_game.py

Points are those that `nbgrader autograde` gives. Only the cells that a student is asked to write, and cells that they
added, come from the submission; checks, hidden tests and everything locked come from the solution, so a changed
or deleted check changes nothing. Each submission runs in a process of its own, in an empty folder, and is stopped when
its time is up. That keeps an endless loop from holding up the rest. It is no sandbox: run only what you would open.
"""

import argparse
import ast
import contextlib
import csv
import dataclasses
import io
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import threading
from _thread import interrupt_main
from pathlib import Path

import nbformat
from IPython.core.inputtransformer2 import TransformerManager
from nbgrader.utils import determine_grade, is_grade, is_locked, is_solution

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tools find each other, whether run as a script or imported by a test
from ganedu.arguments import real_number  # noqa: E402
from tools import exercises  # noqa: E402

CELL_SECONDS = 30.0
SUBMISSION_SECONDS = 180.0
LEFT_OUT = "watch"  # the tag of a cell that only shows something: no later cell needs it, no point hangs on it


@dataclasses.dataclass
class Task:
    """One check: the points it gave, out of how many, and why points were lost ("" where none were)."""

    grade_id: str
    points: float | None  # None: to be marked by hand
    max_points: float
    message: str = ""


@dataclasses.dataclass
class Report:
    """What one submission got. ``errors``: (cell, exception's name, message) of each cell that failed, in order."""

    name: str
    tasks: list[Task]
    errors: list[tuple[str, str, str]]

    @property
    def points(self):
        return sum(task.points or 0.0 for task in self.tasks)

    @property
    def max_points(self):
        return sum(task.max_points for task in self.tasks)

    def task(self, grade_id):
        """The task of this name."""
        return next(task for task in self.tasks if task.grade_id == grade_id)

    def __str__(self):
        lines = [f"{self.name}: {self.points:g} of {self.max_points:g} points"]
        for task in self.tasks:
            got = "by hand" if task.points is None else f"{task.points:g}"
            lines.append(f"  {task.grade_id}: {got} of {task.max_points:g}")
            if task.message:
                lines += [f"      {line}" for line in task.message.splitlines()]
        checked = {task.grade_id for task in self.tasks}
        for cell, kind, message in self.errors:
            if cell not in checked:
                lines.append(f"  (cell {cell} ended in {kind}: {message})")
        return "\n".join(lines)


# --- which cells run --------------------------------------------------------------------------------------------


def cell_name(cell):
    """nbgrader's name of a cell, or else its id."""
    return cell.metadata.get("nbgrader", {}).get("grade_id") or cell.get("id")


def merge(solution, submission):
    """The cells to run, in order: locked ones of the solution, the student's answers, and what the student added.

    A student's answer that is missing is an empty cell. Of two answers with one name the last counts, as in nbgrader.
    """
    known = {cell_name(cell): cell for cell in solution.cells}
    answers, added, place = {}, {}, None
    for cell in submission.cells:
        name = cell_name(cell)
        # a cell of nbgrader's whose type was changed, to text for instance, counts as what it is meant to be, as with nbgrader
        if name in known and ("nbgrader" in known[name].metadata or cell.cell_type == known[name].cell_type):
            answers[name], place = cell.source, name
        elif cell.cell_type == "code" and cell.source.strip():
            added.setdefault(place, []).append(cell)
    cells = list(added.get(None, ()))
    for name, cell in known.items():
        cell = nbformat.from_dict(cell)
        if is_solution(cell):
            cell.source = answers.get(name, "")
        elif not is_locked(cell):
            cell.source = answers.get(name, cell.source)
        cells += [cell, *added.get(name, ())]
    return cells


def replace(solution, answers):
    """The solution's cells with some answers replaced. ``answers``: a dict {name of a solution cell: code}."""
    cells = [nbformat.from_dict(cell) for cell in solution.cells]
    open_cells = {cell_name(cell): cell for cell in cells if is_solution(cell)}
    for name, code in answers.items():
        if name not in open_cells:
            raise ValueError(f"submission: got code for {name!r}, wants one of {', '.join(open_cells)}")
        open_cells[name].source = code
    return cells


# --- running ----------------------------------------------------------------------------------------------------


class Shell:
    """As much of IPython as a submission meets: magics do nothing, a cell magic runs its body, no command is started."""

    def __init__(self, namespace):
        self.namespace = namespace

    def run_line_magic(self, *_, **__):
        return None

    def run_cell_magic(self, _name, _line, body):
        exec(compile(body, "<cell>", "exec"), self.namespace)

    def system(self, *_):
        return None

    def getoutput(self, *_):
        return []


def run_cell(source, namespace, seconds=None):
    """Run one cell as a kernel would. Returns its outputs in the notebook's format.

    ``seconds``: after this long it is interrupted (in the main thread only). None: no limit.
    """
    outputs, value, failure = [], None, None
    stdout, stderr = io.StringIO(), io.StringIO()
    alarm, fired = None, []
    try:
        with contextlib.redirect_stdout(stdout), contextlib.redirect_stderr(stderr):
            tree = ast.parse(TransformerManager().transform_cell(source), "<cell>")
            last = None
            if tree.body and isinstance(tree.body[-1], ast.Expr) and not source.rstrip().endswith(";"):
                last = ast.Expression(tree.body.pop().value)
            if seconds is not None:
                alarm = threading.Timer(seconds, lambda: fired.append(interrupt_main()))
                alarm.daemon = True
                alarm.start()
            try:
                exec(compile(tree, "<cell>", "exec"), namespace)
                if last is not None:
                    value = eval(compile(last, "<cell>", "eval"), namespace)
                text = None if value is None else repr(value)
            finally:
                if alarm is not None:
                    alarm.cancel()
    except KeyboardInterrupt:
        if alarm is None:
            raise  # somebody at the keyboard
        failure = "KeyboardInterrupt", "the cell raised it itself"
        if fired:
            failure = "CellTimeoutError", f"the cell ran for more than {seconds:g} s and was interrupted"
    except BaseException as error:  # sys.exit() in a submission must not end the grading either
        failure = type(error).__name__, str(error)
    if "matplotlib.pyplot" in sys.modules:
        sys.modules["matplotlib.pyplot"].close("all")
    for name, stream in (("stdout", stdout), ("stderr", stderr)):
        if stream.getvalue():
            outputs.append(nbformat.v4.new_output("stream", name=name, text=stream.getvalue()))
    if failure is not None:
        ename, evalue = failure
        outputs.append(nbformat.v4.new_output("error", ename=ename, evalue=evalue, traceback=[f"{ename}: {evalue}"]))
    elif value is not None:
        outputs.append(nbformat.v4.new_output("execute_result", data={"text/plain": text}))
    return outputs


def run(cells, cell_seconds=None):
    """Run ``cells`` in one fresh namespace; an exception ends its cell and no other.

    Yields (cell's name, (exception's name, message) or None, Task or None) after each cell.
    """
    namespace = {"__name__": "__main__", "__builtins__": __builtins__, "display": lambda *_, **__: None}
    shell = Shell(namespace)
    namespace["get_ipython"] = lambda: shell
    for cell in cells:
        outputs = []
        if cell.cell_type == "code":
            if LEFT_OUT in cell.metadata.get("tags", ()) and not is_grade(cell):
                continue
            outputs = run_cell(cell.source, namespace, cell_seconds)
            # as nbgrader's IgnorePattern does in a course that tools/exercises.py lays out: a warning costs no points
            outputs = [o for o in outputs if not (is_stderr(o) and re.search(exercises.NO_FAULT, o.text))]
            cell.outputs = outputs
        error = next(((o.ename, o.evalue) for o in outputs if o.output_type == "error"), None)
        task = mark(cell, error) if is_grade(cell) else None
        yield cell_name(cell) or "added by the student", error, task


def is_stderr(output):
    return output.output_type == "stream" and output.name == "stderr"


def mark(cell, error):
    """The Task of a check that has run, with nbgrader's points for its outputs."""
    points, max_points = determine_grade(cell)
    if points is None:
        message = "to be marked by hand"
    elif error is not None:
        # a check's own sentence stands alone; any other exception needs its name
        message = error[1] if error[0] == "CheckFailed" else f"{error[0]}: {error[1]}".removesuffix(": ")
    elif points == max_points:
        message = ""
    else:
        stderr = "".join(o.text for o in cell.outputs if is_stderr(o)).strip()
        message = (
            f"nbgrader gives no points to a check that writes to stderr: {stderr}" if stderr else "part of the points"
        )
    return Task(cell.metadata.nbgrader["grade_id"], points, max_points, message)


def read_submission(path):
    """The notebook at ``path``, or a ValueError that says why there is none."""
    try:
        return nbformat.read(path, as_version=4)
    except FileNotFoundError:
        raise ValueError(f"submission: got {path}, which is not there, wants a notebook") from None
    except Exception as error:  # nbformat passes on whatever json, the codec or the schema raise
        raise ValueError(f"submission: got {path}, which is no notebook ({type(error).__name__})") from error


def grade(solution, submission=None, *, name=None, cell_seconds=None):
    """Grade one submission in this process.

    Args:
        solution: the path of solutions/NN_name.py.
        submission: the path of a notebook; or a dict {name of a solution cell: code}, where the cells not named keep
            the solution's code; or None for the solution itself.
        name: what the report calls the submission.
        cell_seconds: a cell is interrupted after this long; None: no limit.

    Returns:
        a Report.

    Raises:
        ValueError: the submission is no notebook, or the dict names a cell that is not a student's.
    """
    reference = exercises.read_solution(Path(solution))
    if submission is None or isinstance(submission, dict):
        cells = replace(reference, submission or {})
        name = name or "solution"
    else:
        cells = merge(reference, read_submission(submission))
        name = name or str(submission)
    report = Report(name, [], [])
    for cell, error, task in run(cells, cell_seconds):
        if error is not None:
            report.errors.append((cell, *error))
        if task is not None:
            report.tasks.append(task)
    return report


# --- many submissions, each in its own process --------------------------------------------------------------------


def solution_for(path, root=ROOT):
    """The solution whose name stands in the file's name, or else in that of a folder above it."""
    known = exercises.sources(root)
    for part in reversed(Path(path).resolve().parts):
        for solution in known:
            if solution.stem in part:
                return solution
    raise ValueError(
        f"submission: got {path}, whose name tells no exercise, wants one with {' or '.join(s.stem for s in known)} in "
        "it; or name the solution with --solution"
    )


def grade_apart(solution, submission, *, seconds=SUBMISSION_SECONDS, cell_seconds=CELL_SECONDS, python=sys.executable):
    """Grade a notebook in a process of its own, in an empty folder. After ``seconds`` it is stopped for good.

    What was earned up to then counts; each check that was not reached gets no points and says so.
    """
    seconds = real_number("seconds", seconds, above=0)
    cell_seconds = real_number("cell_seconds", cell_seconds, above=0)
    reference, submission = exercises.read_solution(Path(solution)), Path(submission).resolve()
    read_submission(submission)  # a bad file is refused here, in one sentence
    report, ending = Report(str(submission), [], []), ""
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results.jsonl"
        empty = Path(folder) / "empty"
        empty.mkdir()
        command = [python, __file__, "--one", str(results), str(submission)]
        command += ["--solution", str(Path(solution).resolve()), "--cell-seconds", str(cell_seconds)]
        with open(Path(folder) / "output", "w+b") as output:
            process = subprocess.Popen(
                command,
                cwd=empty,
                env={**os.environ, "MPLBACKEND": "Agg", "GANEDU_DRIVER": "sync"},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=os.name == "posix",  # what the submission starts ends with it
            )
            try:
                if process.wait(seconds) != 0:
                    ending = f"the submission's process ended by itself (exit code {process.returncode})"
            except subprocess.TimeoutExpired:
                ending = f"the submission ran for more than {seconds:g} s and was stopped"
            finally:
                stop(process)
        for line in results.read_text(encoding="utf-8").splitlines() if results.exists() else ():
            cell, error, task = json.loads(line)
            if error is not None:
                report.errors.append((cell, *error))
            if task is not None:
                report.tasks.append(Task(**task))
    reached = {task.grade_id for task in report.tasks}
    for cell in reference.cells:
        if is_grade(cell) and cell_name(cell) not in reached:
            message = f"not reached: {ending or 'no result came back'}"
            report.tasks.append(Task(cell_name(cell), 0.0, float(cell.metadata.nbgrader["points"]), message))
    return report


def stop(process):
    """End a process and, on POSIX, what it has started."""
    if os.name == "posix":
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, signal.SIGKILL)
    else:
        process.kill()
    process.wait()


def work(solution, submission, results, cell_seconds):
    """The process of one submission: writes a line for each cell as soon as it has run."""
    signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job starts with it ignored
    cells = merge(exercises.read_solution(solution), read_submission(submission))
    with open(results, "w", encoding="utf-8") as file:
        for cell, error, task in run(cells, cell_seconds):
            file.write(json.dumps([cell, error, dataclasses.asdict(task) if task else None]) + "\n")
            file.flush()
    sys.stdout.flush()
    os._exit(0)  # threads that a submission left behind do not keep its process alive


# --- the command --------------------------------------------------------------------------------------------------


def table(reports):
    """One line a submission: its points and each task's."""
    rows = [["submission", "points", "tasks"]]
    for report in reports:
        tasks = " ".join(
            "?" if task.points is None else f"{task.points:g}/{task.max_points:g}" for task in report.tasks
        )
        rows.append([report.name, f"{report.points:g}/{report.max_points:g}", tasks])
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    return "\n".join(f"{row[0]:<{widths[0]}}  {row[1]:>{widths[1]}}  {row[2]}" for row in rows)


def write_csv(path, reports):
    """One row a submission: a column for each task, the sum, the maximum and what was said."""
    names = list(dict.fromkeys(task.grade_id for report in reports for task in report.tasks))
    with open(path, "w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(["submission", *names, "points", "max_points", "remarks"])
        for report in reports:
            points = {task.grade_id: task.points for task in report.tasks}
            checked = {task.grade_id for task in report.tasks}
            said = [(task.grade_id, task.message) for task in report.tasks if task.message]
            said += [(cell, f"{kind}: {message}") for cell, kind, message in report.errors if cell not in checked]
            remarks = "; ".join(f"{cell}: {message}" for cell, message in said)
            row = [points.get(name) for name in names]
            writer.writerow([report.name, *row, report.points, report.max_points, remarks])


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="tools/grading.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("submissions", nargs="+", type=Path, metavar="NOTEBOOK")
    parser.add_argument("--solution", type=Path, help="solutions/NN_name.py, unless the notebook's name tells it")
    parser.add_argument("--csv", type=Path, help="write the points to this file as well")
    parser.add_argument("--cell-seconds", type=float, default=CELL_SECONDS, help="limit a cell (%(default)g)")
    parser.add_argument("--seconds", type=float, default=SUBMISSION_SECONDS, help="limit a submission (%(default)g)")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    if options.one is not None:
        work(options.solution, options.submissions[0], options.one, options.cell_seconds)
    reports, failed = [], 0
    for path in options.submissions:
        try:
            if options.solution is not None and not options.solution.is_file():
                raise ValueError(f"--solution: got {options.solution}, which is not there, wants solutions/NN_name.py")
            solution = options.solution or solution_for(path)
            report = grade_apart(solution, path, seconds=options.seconds, cell_seconds=options.cell_seconds)
        except ValueError as error:
            print(error, file=sys.stderr)
            failed += 1
            continue
        report.name = str(path)
        print(report, end="\n\n", flush=True)
        reports.append(report)
    if reports:
        print(table(reports))
        if options.csv is not None:
            write_csv(options.csv, reports)
            print(f"wrote {options.csv}")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
