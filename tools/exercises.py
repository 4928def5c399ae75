"""Exercises, from solutions/NN_name.py to exercises/NN_name.ipynb, with nbgrader's own preprocessors.

    python tools/exercises.py                  write every exercise anew
    python tools/exercises.py --check          write nothing; exit code 1 and a line for each stale file
    python tools/exercises.py --course DIR     lay out an nbgrader course in DIR; docs/instructors.md goes on from there

nbgrader's `generate_assignment` is not run on solutions/ itself: it hands out every file that lies beside the notebook,
so the solution with it. In a course that --course lays out, each assignment's folder holds its notebook alone.
"""

import argparse
import copy
import logging
import sys
from pathlib import Path

from nbgrader.nbgraderformat import ValidationError
from nbgrader.preprocessors import (
    CheckCellMetadata,
    ClearHiddenTests,
    ClearOutput,
    ClearSolutions,
    ComputeChecksums,
    LockCells,
)

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tools find each other, whether run as a script or imported by a test
from tools import notebooks  # noqa: E402

STUB = '# YOUR CODE HERE\nraise NotImplementedError("This task is not done yet: put your code in place of this line.")'
CELL_SECONDS = 120  # how long one cell of a submission may run under `nbgrader autograde`
NO_FAULT = "Warning"  # what a check writes to stderr costs its points in nbgrader, unless it matches this

COURSE_CONFIG = f"""c = get_config()  # noqa: F821 (nbgrader provides it)

c.CourseDirectory.course_id = "ganedu"
c.ClearSolutions.code_stub = {{"python": {STUB!r}}}
c.Execute.timeout = {CELL_SECONDS}  # seconds a cell
# a deprecation that some library warns of costs a student no points
c.IgnorePattern.enabled = True
c.IgnorePattern.pattern = {NO_FAULT!r}
# a deleted check comes back when the submission is graded
c.OverwriteCells.add_missing_cells = True
"""


class ExerciseError(Exception):
    """Something an author has to mend. The message is one sentence that names the file."""


def sources(root=ROOT):
    """Every solution: solutions/NN_name.py, in order."""
    return sorted((root / "solutions").glob("[0-9][0-9]_*.py"))


def read_solution(path):
    """The solution's notebook, without outputs, as nbgrader wants its source: every cell with its id and metadata."""
    root = path.resolve().parent.parent
    text = path.read_text(encoding="utf-8")
    if (root / "pyproject.toml").exists():
        text = notebooks.Release(root / "pyproject.toml").fill_in(text, path)
    notebook = notebooks.build(text)
    return notebook


def make_exercise(solution, name):
    """The exercise of a solution's notebook, which is left as it is. ``name`` is for the error message.

    The steps and their order are those of nbgrader's GenerateAssignment, less the database: checksums are computed
    again after the hidden tests are gone.
    """
    notebook, resources = copy.deepcopy(solution), {}
    steps = (
        LockCells(),
        ClearSolutions(code_stub={"python": STUB}),
        ClearOutput(),
        CheckCellMetadata(),
        ComputeChecksums(),
        ClearHiddenTests(),
        ComputeChecksums(),
        CheckCellMetadata(),
    )
    for step in steps:
        step.log.setLevel(logging.CRITICAL)  # what they log is also in what they raise
        try:
            notebook, resources = step.preprocess(notebook, resources)
        except (RuntimeError, ValidationError) as error:
            raise ExerciseError(f"{name}: nbgrader's {type(step).__name__} refuses it: {error}") from error
    return notebook


def build(root):
    """A dict {path of an exercise: its notebook}, made from the solutions under ``root``."""
    return {
        root / "exercises" / f"{path.stem}.ipynb": make_exercise(read_solution(path), path.relative_to(root))
        for path in sources(root)
    }


def check(root):
    """A line for each stale exercise: inputs, metadata and cell ids are compared, outputs are not."""
    wanted, stale = build(root), []
    for path, notebook in wanted.items():
        found = notebooks.differences(notebooks.read(path), notebook)
        if found:
            stale.append(f"{path.relative_to(root)} ({', '.join(found)})")
    for path in sorted((root / "exercises").glob("*.ipynb")):
        if path not in wanted:
            stale.append(f"{path.relative_to(root)} (no solution of this name)")
    return stale


def write(path, content):
    """Write bytes where they are new. Says so."""
    if not path.exists() or path.read_bytes() != content:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        print(f"wrote {path}")


def lay_out_course(root, folder):
    """DIR/source/NN_name/NN_name.ipynb for each solution, and DIR/nbgrader_config.py unless there is one."""
    for path in sources(root):
        write(folder / "source" / path.stem / f"{path.stem}.ipynb", notebooks.dump(read_solution(path)))
    config = folder / "nbgrader_config.py"
    if config.exists():
        print(f"kept {config}")
    else:
        write(config, COURSE_CONFIG.encode())


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="tools/exercises.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--check", action="store_true", help="write nothing, name what is stale")
    what.add_argument("--course", type=Path, metavar="DIR", help="lay out an nbgrader course in DIR")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    try:
        if options.check:
            stale = check(root)
            if stale:
                print("stale, run `make exercises`:", *stale, sep="\n  ", file=sys.stderr)
            return 1 if stale else 0
        if options.course is not None:
            lay_out_course(root, options.course)
        else:
            for path, notebook in build(root).items():
                write(path, notebooks.dump(notebook))
    except (ExerciseError, notebooks.NotebookError) as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
