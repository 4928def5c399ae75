"""One lesson alone, before it is published: style, generated files, structure, its own tests, every answer of its bank.

    python tools/check.py 13              stops at the first step that fails
    python tools/check.py 13 --workers 4  tests in so many processes; 2 unless given

Nothing is trained but what the tests train, and nothing is written.
"""

import argparse
import subprocess
import sys
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tools find each other, whether run as a script or imported by a test
from tools import exercises, notebooks, publish, readme  # noqa: E402

ALL_LESSONS = ("test_lessons.py", "test_notebooks.py", "test_exercises.py", "test_twins.py", "test_every_model.py")


def sources(root, stem):
    """The lesson's own files, those of them that are there."""
    number, name = stem[:2], stem[3:]
    paths = [
        root / "lessons" / f"{stem}.py",
        root / "solutions" / f"{stem}.py",
        root / "ganedu" / "models" / f"{name}.py",
        root / "tests" / "wrong_answers" / f"{stem}.py",
        root / "tests" / f"test_lesson_{number}.py",
        root / "tests" / f"test_exercise_{number}.py",
    ]
    return [path for path in paths if path.exists()]


def style(root, stem, workers):
    """A sentence where ruff is not content, else ""."""
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run([sys.executable, "-m", "ruff", *command, *sources(root, stem)], cwd=root)
        if done.returncode:
            return f"ruff {command[0]} is not content: `ruff format` and `ruff check --fix` mend most"
    return ""


def pairs(root, stem, workers):
    """A sentence where a generated file is not in step with its source, else ""."""
    try:
        release = notebooks.Release(root / "pyproject.toml")
        found = [line for line in notebooks.check(root, release) if stem in line]
        solution = root / "solutions" / f"{stem}.py"
        wanted = exercises.make_exercise(exercises.read_solution(solution), solution.relative_to(root))
        if notebooks.differences(notebooks.read(root / "exercises" / f"{stem}.ipynb"), wanted):
            found.append(f"exercises/{stem}.ipynb")
        row = readme.row(root / "lessons" / f"{stem}.py", root)
    except (exercises.ExerciseError, notebooks.NotebookError, readme.ReadmeError) as error:
        return str(error)
    if row not in (root / "README.md").read_text(encoding="utf-8"):
        found.append("README.md (its row)")
    writes = f"`make notebooks exercises readme` writes them, `make publish N={stem[:2]}` runs the lesson as well"
    return f"stale: {', '.join(found)}; {writes}" if found else ""


def tests(root, stem, workers):
    """A sentence where a test fails, else "". tests/conftest.py chooses those of the lesson."""
    own = [path for path in sources(root, stem) if path.name.startswith("test_")]
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-q",
        "-p",
        "no:cacheprovider",
        "--lesson",
        stem[:2],
        "-m",
        "not browser",
    ]
    if workers > 1:
        command += ["-n", str(workers), "--dist", "worksteal"]
    done = subprocess.run([*command, *(root / "tests" / name for name in ALL_LESSONS), *own], cwd=root)
    return "a test fails, see above" if done.returncode else ""


STEPS = {"style": style, "generated files": pairs, "structure, tests and answers": tests}


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="tools/check.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("number", metavar="NN", help="the lesson's number")
    parser.add_argument("--workers", type=int, default=2, help="processes that run tests")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    try:
        stem = publish.find(root, options.number)
    except publish.PublishError as error:
        print(error, file=sys.stderr)
        return 1
    for name, step in STEPS.items():
        started = time.perf_counter()
        fault = step(root, stem, options.workers)
        seconds = time.perf_counter() - started
        if fault:
            print(f"{stem}, {name}: {fault}", file=sys.stderr)
            return 1
        print(f"✓ {stem}: {name} ({seconds:.0f} s)", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
