"""Answers against what is right: numbers, shapes, choices, predictions."""

import torch


class CheckFailed(AssertionError):
    """An answer that a check rejects. A notebook shows its sentence alone, without the way through the helper."""

    __module__ = "ganedu.checks"  # the name that a traceback shows is the one that is imported

    def _render_traceback_(self):  # IPython asks an exception for this before it prints a traceback
        return [f"CheckFailed: {self}"]


def as_number(name, got):
    """``got`` as a float, or CheckFailed: it must be a number or a tensor of shape ()."""
    if isinstance(got, torch.Tensor):
        if got.ndim != 0:
            raise CheckFailed(f"{name}: got a tensor of shape {tuple(got.shape)}, wants one number: average it.")
        return float(got.detach())
    if isinstance(got, bool) or not hasattr(got, "__float__"):
        forgotten = " Did you forget to return it?" if got is None else ""
        raise CheckFailed(f"{name}: got {got!r}, wants a number.{forgotten}")
    return float(got)


def check_close(name, got, want, *, hint="", mistakes=(), atol=1e-4):
    """The number ``got`` (a float, or a tensor of shape ()) is within ``atol`` of ``want``.

    Args:
        name: what the message calls the number.
        hint: a sentence added where the number is wrong and none of ``mistakes`` fits.
        mistakes: pairs (value, sentence): known wrong values and where they come from.
    """
    number, want = as_number(name, got), as_number(name, want)
    if number == want or abs(number - want) <= atol:  # NaN fails both; the first lets an infinite answer be right
        return
    for value, sentence in mistakes:
        value = as_number(name, value)
        if number == value or abs(number - value) <= atol:
            hint = sentence
            break
    raise CheckFailed(f"{name}: got {number:.6g}, wants {want:.6g}. {hint}".rstrip())


def check_finite(name, got, *, hint=""):
    """The number ``got`` is neither infinite nor NaN."""
    number = as_number(name, got)
    if not abs(number) < float("inf"):
        raise CheckFailed(f"{name}: got {number}, wants a finite number. {hint}".rstrip())


def check_shape(name, got, want, *, hint=""):
    """``got`` is a tensor of shape ``want``, a tuple."""
    if not isinstance(got, torch.Tensor):
        raise CheckFailed(f"{name}: got a {type(got).__name__}, wants a tensor of shape {tuple(want)}. {hint}".rstrip())
    if tuple(got.shape) != tuple(want):
        raise CheckFailed(f"{name}: got shape {tuple(got.shape)}, wants {tuple(want)}. {hint}".rstrip())


def check_one_of(name, got, choices):
    """``got`` is one of ``choices``: the form of an answer, not whether it is right."""
    if not any(type(got) is type(choice) and got == choice for choice in choices):
        raise CheckFailed(f"{name}: got {got!r}, wants one of {', '.join(map(repr, choices))}.")


def check_answer(name, got, want, *, hint="", mistakes=()):
    """``got`` equals ``want``, a choice such as "up", "b" or True. ``mistakes``: pairs (choice, what it overlooks)."""
    if got == want:
        return
    for choice, sentence in mistakes:
        if got == choice:
            hint = sentence
            break
    raise CheckFailed(f"{name}: {got!r} is not right. {hint}".rstrip())


class Predictions:
    """Marks the answers of a predict task: all of them, so that one wrong answer does not hide the next.

    The sentence that ``report`` raises names every wrong key, and what to think about, but no right answer: there is a next
    attempt.

    Args:
        answers: a dict of numbers and of choices such as "up" or "b".
    """

    def __init__(self, answers):
        self.answers, self.not_right = answers, {}

    def judge(self, key, want, *, hint="", mistakes=(), atol=0.005):
        """Note ``key`` unless its answer is ``want``: equal to it, or, where that is a number, within ``atol``.

        Args:
            hint: a sentence noted where none of ``mistakes`` fits.
            mistakes: pairs (wrong answer, what it overlooks).
            atol: where a number is smaller than 1, that much of it: a tolerance of 1 must not take 0 for 1/499.
        """
        got = self.answers[key]

        def is_it(value):
            if isinstance(value, str):
                return got == value
            scale = min(1.0, abs(value)) or 1.0
            return abs(as_number(key, got) - value) <= atol * scale

        if not is_it(want):
            self.not_right[key] = next((sentence for value, sentence in mistakes if is_it(value)), hint)

    def report(self):
        """Raise CheckFailed if an answer was not right."""
        if self.not_right:
            about = " ".join(f"{key}: {sentence}" for key, sentence in self.not_right.items())
            raise CheckFailed(f"predictions: not right yet: {', '.join(self.not_right)}. {about}")
