"""The README's table of lessons, from what stands with each lesson.

    python tools/readme.py            write the rows between <!-- lessons --> and <!-- /lessons -->
    python tools/readme.py --check    write nothing; exit code 1 and one sentence where a row is stale

A lesson's header says what its row says; docs/contributing.md shows it. The points are counted in its solution.
"""

import argparse
import re
import sys
from pathlib import Path

import jupytext

ROOT = Path(__file__).resolve().parent.parent

PLACE = re.compile(r"<!-- lessons -->\n.*?<!-- /lessons -->", re.DOTALL)
HEAD = (
    "| lesson | you learn, and what it proves | your time | on a CPU | on a GPU | exercise |\n|---|---|---|---|---|---|"
)
WANTED = {"learn": str, "minutes": int, "cpu": str, "gpu": str}
# title: the row's, where it is not the heading; twin_differs: settings that the library has otherwise, with the reason
OPTIONAL = ("title", "twin_differs")


class ReadmeError(Exception):
    """Something an author has to mend. The message is one sentence that names the file."""


def facts(path):
    """What the header of the lesson at ``path`` says for its row: a dict of ``WANTED`` and "title"."""
    notebook = jupytext.read(path, fmt="py:percent")
    found = dict(notebook.metadata.get("ganedu", {}))
    name = f"{path.parent.name}/{path.name}"
    for key, kind in WANTED.items():
        if not isinstance(found.get(key), kind):
            words = "a whole number" if kind is int else "a few words"
            raise ReadmeError(f"{name}: its header's ganedu: {key} is {found.get(key)!r}, wants {words}")
    unknown = sorted(set(found) - set(WANTED) - set(OPTIONAL))
    if unknown:
        known = ", ".join([*WANTED, *OPTIONAL])
        raise ReadmeError(f"{name}: its header's ganedu: has {unknown[0]!r}, wants one of {known}")
    heading = re.match(rf"# {path.stem[:2]} (\S.*)", notebook.cells[0].source)
    if heading is None:
        raise ReadmeError(f"{name}: its first cell begins with no heading, wants '# {path.stem[:2]} The title'")
    return {"title": heading[1], **found}


def points(solution):
    """The points of an exercise, added up over the checks of its solution."""
    cells = jupytext.read(solution, fmt="py:percent").cells
    settings = [cell.metadata.get("nbgrader", {}) for cell in cells]
    return sum(one["points"] for one in settings if one.get("grade"))


def row(path, root):
    """The lesson's line of the table."""
    solution = root / "solutions" / path.name
    if not solution.exists():
        raise ReadmeError(f"lessons/{path.name}: has no exercise, wants solutions/{path.name}")
    of, number, name = facts(path), path.stem[:2], path.stem
    exercise = f"[{number}](exercises/{name}.ipynb), {points(solution)} points"
    columns = [f"[{number} {of['title']}](lessons/{name}.ipynb)", of["learn"], f"{of['minutes']} min"]
    return "| " + " | ".join([*columns, of["cpu"], of["gpu"], exercise]) + " |"


def table(root):
    """The whole table, a row a lesson, between its marks."""
    lessons = sorted((root / "lessons").glob("[0-9][0-9]_*.py"))
    return "\n".join(["<!-- lessons -->", HEAD, *(row(path, root) for path in lessons), "<!-- /lessons -->"])


def renewed(root):
    """(the README as it is, as it should be)"""
    text = (root / "README.md").read_text(encoding="utf-8")
    found = len(PLACE.findall(text))
    if found != 1:
        raise ReadmeError(f"README.md: got {found} places marked <!-- lessons --> ... <!-- /lessons -->, wants one")
    wanted = table(root)
    return text, PLACE.sub(lambda _: wanted, text)


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="tools/readme.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--check", action="store_true", help="write nothing, say whether the table is stale")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    try:
        text, wanted = renewed(root)
    except ReadmeError as error:
        print(error, file=sys.stderr)
        return 1
    if options.check and text != wanted:
        print("README.md: its table of lessons is stale, run `make readme`", file=sys.stderr)
        return 1
    if text != wanted:
        (root / "README.md").write_text(wanted, encoding="utf-8")
        print("wrote README.md")
    return 0


if __name__ == "__main__":
    sys.exit(main())
