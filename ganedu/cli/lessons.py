"""Where the lessons are: here, or in a folder above."""

from pathlib import Path


def find_lessons(start=None):
    """The nearest folder ``lessons`` that holds a lesson, in ``start`` (here, unless given) or above it.

    Raises:
        ValueError: there is none.
    """
    start = Path(start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if folder.name == "lessons" and any(folder.glob("[0-9][0-9]_*")):
            return folder
        if any((folder / "lessons").glob("[0-9][0-9]_*")):
            return folder / "lessons"
    raise ValueError(
        f"lessons: got {start}, where neither it nor a folder above it holds lessons/, "
        "wants to be started within a copy of the course"
    )


def find_lesson(number, lessons):
    """The file of one lesson: its notebook, or else the .py from which that is made. ``number``: "04" or "4"."""
    wanted = number.zfill(2)
    found = sorted(lessons.glob(f"{wanted}_*.ipynb")) or sorted(lessons.glob(f"{wanted}_*.py"))
    if not wanted.isdigit() or not found:
        numbers = sorted({path.name[:2] for path in lessons.glob("[0-9][0-9]_*")})
        raise ValueError(f"lesson: got {number!r}, wants one of {', '.join(numbers)}")
    return found[0]
