"""Every lesson keeps to the template: its parts in order, its size, its figures described, its claims checked."""

import ast
import re
from pathlib import Path

import jupytext
import pytest

ROOT = Path(__file__).resolve().parent.parent
LESSONS = sorted((ROOT / "lessons").glob("[0-9][0-9]_*.py"))
PARTS = {  # in this order; nearly all are headings
    "the problem seen": r"## .*problem",
    "the idea": r"## .*idea",
    "build G and D": r"## .*build",
    "the objective": r"## .*objective",
    "predict": r"## .*predict",
    "explore": r"## .*explore",
    "measure it": r"## .*measure",
    "what breaks": r"## .*(breaks?\b|in practice)",
    "the library twin": r".*\btwin\b",
    "summary": r"## .*summary",
    "exercises": r"(## .*|\*\*)exercises?",
    "where next": r"(## .*|\*\*)where next",
}
every_lesson = pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)


def cells(path):
    return jupytext.read(path, fmt="py:percent").cells


def code(path):
    return [cell.source for cell in cells(path) if cell.cell_type == "code"]


def text(path):
    return "\n\n".join(cell.source for cell in cells(path) if cell.cell_type == "markdown")


def is_setup(cell):
    return "setup" in cell.metadata.get("tags", [])


def test_there_are_lessons():
    assert LESSONS


@every_lesson
def test_size(path):
    found = cells(path)
    assert len(found) <= 45
    for cell in found:
        if cell.cell_type == "code" and not is_setup(cell):
            assert len(cell.source.splitlines()) <= 30, cell.source
    # what a student reads: text and code, blank lines and the set-up cell not counted
    lines = [line for cell in found if not is_setup(cell) for line in cell.source.splitlines() if line.strip()]
    assert 200 <= len(lines) <= 400, len(lines)


@every_lesson
def test_parts_stand_in_order(path):
    lines = text(path).lower().splitlines()
    places = {
        part: [i for i, line in enumerate(lines) if re.match(f"#?{wanted}", line)] for part, wanted in PARTS.items()
    }
    assert [part for part, found in places.items() if not found] == []
    order = [
        (found[-1] if part in ("exercises", "where next", "summary") else found[0]) for part, found in places.items()
    ]
    assert order == sorted(order), places


@every_lesson
def test_head_says_what_a_student_needs_to_know(path):
    head = cells(path)[0].source
    assert re.match(rf"# {path.stem[:2]} \S", head)
    assert "<!-- badge -->" in head and re.search(r"arxiv\.org/abs/", head)
    assert re.search(r"you will be able to", head, re.IGNORECASE)
    assert re.search(r"\bminutes?\b", head) and "CPU" in head and "GPU" in head
    assert "?" in head  # the question that the lesson answers
    assert any("# >>> setup" in cell.source and "# <<< setup" in cell.source for cell in cells(path) if is_setup(cell))


@every_lesson
def test_no_word_that_belittles(path):
    assert re.findall(r"\b(simply|obviously|of course|trivial(?:ly)?)\b", path.read_text(), re.IGNORECASE) == []


def calls(path, name):
    tree = ast.parse("\n".join(code(path)))
    return [n for n in ast.walk(tree) if isinstance(n, ast.Call) and getattr(n.func, "id", None) == name]


@every_lesson
def test_every_figure_has_a_caption_and_alt_text(path):
    shown = calls(path, "show")
    assert len(shown) >= 4
    for call in [*shown, *calls(path, "browse")]:
        keywords = {keyword.arg for keyword in call.keywords}
        # show(figure, caption, alt); browse takes both by name
        given = len(call.args) >= 3 if call.func.id == "show" else False
        assert given or keywords >= {"caption", "alt"} or (len(call.args) == 2 and "alt" in keywords), ast.unparse(call)


@every_lesson
def test_every_figure_has_axis_labels(path):
    """A cell that draws on axes names what they show, or has a helper of the lesson or of the library do it."""
    for source in code(path):
        if re.search(r"\.(plot|semilogx|semilogy|hist|scatter|bar|stairs)\(", source):
            assert "xlabel" in source and "ylabel" in source, source


@every_lesson
def test_seed_is_set_and_claims_end_the_measuring(path):
    joined = "\n".join(code(path))
    assert "lesson_seed()" in joined and re.search(r"\bseed_all\(", joined)
    at = [i for i, cell in enumerate(cells(path)) if re.search(r"^claim\(|[^.\w]claim\(", cell.source)]
    headings = {}
    for i, cell in enumerate(cells(path)):
        for line in cell.source.lower().splitlines() if cell.cell_type == "markdown" else ():
            for part in ("measure it", "summary"):
                if re.match(f"#?{PARTS[part]}", line):
                    headings.setdefault(part, i)
    assert [i for i in at if headings["measure it"] < i < headings["summary"]]
    assert not [i for i in at if i > headings["summary"]]


@every_lesson
def test_claims_have_names_of_their_own(path):
    names = [call.args[0].value for call in calls(path, "claim") if isinstance(call.args[0], ast.Constant)]
    assert len(names) == len(set(names))


@every_lesson
def test_a_formula_stands_above_each_loss(path):
    """Where a lesson writes d_loss or g_loss, a displayed formula stands in the text right above."""
    found = cells(path)
    for player in ("d_loss", "g_loss"):
        defining = re.compile(rf"^\s*def {player}\(", re.MULTILINE)
        at = next((i for i, c in enumerate(found) if c.cell_type == "code" and defining.search(c.source)), None)
        if at is None:
            continue  # a lesson that has no such player
        above = [cell.source for cell in found[max(0, at - 2) : at] if cell.cell_type == "markdown"]
        assert any("$$" in source for source in above), player
