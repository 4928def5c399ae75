"""The map of the course and the tree of model families: every lesson once, every answer in sight."""

import re
from pathlib import Path

import pytest

from ganedu.views.course import ASKED, FAMILIES, course_map, family_tree

LESSONS = sorted((Path(__file__).resolve().parent.parent / "lessons").glob("[0-9][0-9]_*.py"))


def words(figure):
    return [text.get_text() for text in figure.axes[0].texts]


def test_every_lesson_has_its_number_once():
    shown = [word for word in words(course_map()) if re.fullmatch(r"\d\d", word)]
    assert shown == [f"{number:02d}" for number in range(1, 33)]
    assert LESSONS and {path.name[:2] for path in LESSONS} <= set(shown)


def test_the_present_lesson_is_marked():
    def widths(figure):
        return [patch.get_linewidth() for patch in figure.axes[0].patches]

    plain, marked = widths(course_map()), widths(course_map(here=25))
    assert len(plain) == 32 and len(set(plain)) == 1
    assert [i for i in range(32) if marked[i] != plain[i]] == [24]


def test_no_two_texts_of_a_figure_overlap():
    for figure in (course_map(here=1), family_tree()):
        figure.draw_without_rendering()
        texts = [text for text in figure.axes[0].texts if text.get_text()]  # an arrow is a text without words
        boxes = [text.get_window_extent() for text in texts]
        for i, box in enumerate(boxes):
            assert figure.bbox.x0 <= box.x0 and box.x1 <= figure.bbox.x1, texts[i]
            for j in range(i):
                other = boxes[j]
                apart = min(box.x1, other.x1) <= max(box.x0, other.x0) or min(box.y1, other.y1) <= max(box.y0, other.y0)
                assert apart, (texts[i], texts[j])


def test_every_family_answers_every_question():
    shown = words(family_tree())
    assert set(ASKED) <= set(shown) and set(FAMILIES) <= set(shown)
    for name, (_, *answers) in FAMILIES.items():
        assert len(answers) == len(ASKED) and set(answers) <= set(shown)
        assert all(1 <= int(number) <= 32 for number in re.findall(r"\d\d", name))


def test_a_number_of_no_lesson():
    with pytest.raises(ValueError, match="here: got 33, wants a lesson's number, 1 to 32"):
        course_map(here=33)
    with pytest.raises(TypeError, match="here: got '1'"):
        course_map(here="1")
