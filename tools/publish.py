"""Everything that is generated from one lesson's four files, in order; it stops with one sentence at the first failure.

    python tools/publish.py 13

1. the exercise, from the solution, which must get full marks: exercises/13_name.ipynb
2. both notebooks, run from top to bottom in a fresh kernel: lessons/13_name.ipynb, solutions/13_name.ipynb
3. the README's row
4. the lesson's section of docs/claims.md: six seeds, as tools/claims.py; runs of the same code are not repeated
"""

import argparse
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tools find each other, whether run as a script or imported by a test
from tools import claims, exercises, grading, notebooks, readme  # noqa: E402


class PublishError(Exception):
    """Something an author has to mend. The message is one sentence that names the file."""


def find(root, number):
    """The lesson's name, "13_cgan", where its lesson and its solution are there."""
    try:
        stem = claims.find_lesson(number, root).stem
    except claims.ClaimsError as error:
        raise PublishError(str(error).replace("lesson:", "N:", 1)) from None
    if not (root / "solutions" / f"{stem}.py").exists():
        raise PublishError(f"lessons/{stem}.py: has no exercise, wants solutions/{stem}.py")
    return stem


def write_exercise(root, stem):
    """The exercise, from a solution that gets full marks."""
    solution = root / "solutions" / f"{stem}.py"
    notebook = exercises.make_exercise(exercises.read_solution(solution), solution.relative_to(root))
    report = grading.grade(solution)
    if report.errors or report.points != report.max_points:
        said = next((f"{cell}: {words}" for cell, _, words in report.errors), "part of the points")
        raise PublishError(f"solutions/{stem}.py: gets {report.points:g} of {report.max_points:g} points ({said})")
    exercises.write(root / "exercises" / f"{stem}.ipynb", notebooks.dump(notebook))


def write_notebooks(root, stem):
    """Both notebooks, run."""
    release = notebooks.Release(ROOT / "pyproject.toml")
    for folder in ("lessons", "solutions"):
        notebooks.convert(root / folder / f"{stem}.py", root, release, run=True)


def generate(root, stem):
    """The exercise, both notebooks and the README's row, in this order.

    Raises:
        PublishError: a step failed.
    """
    try:
        write_exercise(root, stem)  # first, as it takes seconds
        write_notebooks(root, stem)
    except (exercises.ExerciseError, notebooks.NotebookError) as error:
        raise PublishError(str(error)) from error
    if readme.main(["--root", str(root)]) != 0:
        raise PublishError("README.md: its row was not written")


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="tools/publish.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("number", metavar="NN", help="the lesson's number")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    try:
        stem = find(root, options.number)
        generate(root, stem)
        if claims.main([options.number, "--root", str(root)]) != 0:
            raise PublishError(f"docs/claims.md: a claim of lessons/{stem}.py does not hold on six seeds, see above")
    except PublishError as error:
        print(error, file=sys.stderr)
        return 1
    print(f"lesson {stem[:2]} is published: commit its four files and what was written")
    return 0


if __name__ == "__main__":
    sys.exit(main())
