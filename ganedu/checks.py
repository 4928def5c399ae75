"""The checks that exercises call: what is wrong is said in the language of the subject.

Each check returns nothing and raises ``CheckFailed`` with one or two sentences. A check may know mistakes that people
really make, as pairs (the value that the mistake gives, what it comes from): where the answer is one of these, the
message names the cause and not only the number.
"""

import contextlib
import json
import os

import torch


class CheckFailed(AssertionError):
    """An answer that a check rejects. A notebook shows its sentence alone, without the way through the helper."""

    def _render_traceback_(self):  # IPython asks an exception for this before it prints a traceback
        return [f"CheckFailed: {self}"]


def _number(name, got):
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
    number, want = _number(name, got), _number(name, want)
    if number == want or abs(number - want) <= atol:  # NaN fails both; the first lets an infinite answer be right
        return
    for value, sentence in mistakes:
        value = _number(name, value)
        if number == value or abs(number - value) <= atol:
            hint = sentence
            break
    raise CheckFailed(f"{name}: got {number:.6g}, wants {want:.6g}. {hint}".rstrip())


def check_finite(name, got, *, hint=""):
    """The number ``got`` is neither infinite nor NaN."""
    number = _number(name, got)
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
            return abs(_number(key, got) - value) <= atol * scale

        if not is_it(want):
            self.not_right[key] = next((sentence for value, sentence in mistakes if is_it(value)), hint)

    def report(self):
        """Raise CheckFailed if an answer was not right."""
        if self.not_right:
            about = " ".join(f"{key}: {sentence}" for key, sentence in self.not_right.items())
            raise CheckFailed(f"predictions: not right yet: {', '.join(self.not_right)}. {about}")


def gradients(module):
    """The present gradient of each parameter of ``module``, copied, in order; zeros where there is none."""
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in module.parameters()]


def _reach(loss, module):
    """The gradients of ``loss`` with respect to the parameters of ``module``; None for those that it misses."""
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        return [None]
    return torch.autograd.grad(loss, list(module.parameters()), retain_graph=True, allow_unused=True)


def check_gradient_reaches(name, loss, module, *, hint=""):
    """Some gradient of ``loss`` arrives at the parameters of ``module``. Leaves their ``.grad`` as it was."""
    if not any(g is not None and bool(g.any()) for g in _reach(loss, module)):
        raise CheckFailed(f"{name}: no gradient arrives there. {hint}".rstrip())


def check_no_gradient(name, loss, module, *, hint=""):
    """No gradient of ``loss`` arrives at the parameters of ``module``. Leaves their ``.grad`` as it was."""
    if any(g is not None for g in _reach(loss, module)):
        raise CheckFailed(f"{name}: a gradient arrives there, wants none. {hint}".rstrip())


def check_gradients(name, got, want, *, hint="", mistakes=(), atol=1e-5):
    """The gradients ``got`` (a list of tensors, one a parameter) are ``want``, within ``atol``, element by element.

    ``mistakes``: pairs (list of tensors, sentence), as in ``check_close``.
    """

    def same(others):
        return all(torch.allclose(g, o, rtol=1e-4, atol=atol) for g, o in zip(got, others, strict=True))

    if same(want):
        return
    for others, sentence in mistakes:
        if same(others):
            hint = sentence
            break
    raise CheckFailed(f"{name}: not the gradient of its loss. {hint}".rstrip())


def check_trainable(name, module):
    """Every parameter of ``module`` takes gradients."""
    if not all(p.requires_grad for p in module.parameters()):
        raise CheckFailed(f"{name}: its parameters take no gradient any more. Thaw what you freeze.")


@contextlib.contextmanager
def explain_graph_errors(*, again, changed):
    """Turn PyTorch's errors about a used-up graph, raised in the ``with`` block, into CheckFailed.

    PyTorch's own words advise ``retain_graph=True``, which hides the mistake.

    Args:
        again: the sentence where a graph is run backward a second time.
        changed: the sentence where a graph is run backward after a step has changed a parameter in it.
    """
    try:
        yield
    except RuntimeError as error:
        for words, sentence in (("backward through the graph a second time", again), ("inplace operation", changed)):
            if words in str(error):
                raise CheckFailed(sentence) from None
        raise


class WatchedSGD(torch.optim.SGD):
    """Plain gradient descent that writes down what it finds at each step.

    ``arrived`` says whether, between its last step and the one before, a gradient other than 0 has arrived at its
    player: it may have been cleared again before the step.

    Args:
        player: the name of the player that it steps, a key of ``players``.
        players: a dict of modules by name.
        log: a list, shared by the optimisers of a game. Each step appends (player, {name: gradients}), with the
            gradients of *every* player as they are just before the step.
        lr: learning rate.
    """

    def __init__(self, player, players, log, lr=0.1):
        super().__init__(players[player].parameters(), lr=lr)
        self.player, self.players, self.log = player, players, log
        self.arrived, self._arriving = False, False
        for p in players[player].parameters():
            if p.requires_grad:
                p.register_hook(self._note)

    def _note(self, gradient):
        self._arriving = self._arriving or bool(gradient.any())

    def step(self, closure=None):
        self.arrived, self._arriving = self._arriving, False
        self.log.append((self.player, {name: gradients(module) for name, module in self.players.items()}))
        return super().step(closure)


def check_step_finds_gradient(optimizer, got, *, stale=0.0, nothing_arrived):
    """The gradients ``got``, found at the last step of a ``WatchedSGD``, hold something of the round itself.

    Args:
        optimizer: the ``WatchedSGD`` that made the step.
        got: a list of tensors, the gradients of its player just before the step.
        stale: the value that stood in every gradient before the round.
        nothing_arrived: the sentence where no gradient has arrived at all; one that has arrived was cleared too early.
    """
    if any(bool(((g != 0) & (g != stale)).any()) for g in got):
        return
    if optimizer.arrived:
        raise CheckFailed(
            f"{optimizer.player}'s step finds no gradient: clear the old ones before backward, not after it."
        )
    raise CheckFailed(nothing_arrived)


def check_turns(log, want=("D", "G")):
    """The steps in ``log``, which ``WatchedSGD`` wrote in one round, were made by ``want``, in this order."""
    got = tuple(player for player, _ in log)
    if got != tuple(want):
        steps = ", then ".join(got) if got else "nobody"
        raise CheckFailed(
            f"the round: the optimiser that steps is that of {steps}; wants {', then '.join(want)}, one step each. "
            "Each player's turn ends with a step of its own optimiser."
        )


class ClaimFailed(CheckFailed):
    """A lesson's claim does not hold in this run."""

    def _render_traceback_(self):
        return [f"ClaimFailed: {self}"]


def claim(what, value, *, at_least=None, at_most=None):
    """Check a lesson's claim and print it as one line.

    With the environment variable ``GANEDU_CLAIMS`` set to a file, the claim is also appended there as a line of JSON
    ({"claim", "value", "at_least", "at_most"}), before it is checked: so ``make claims`` gathers several seeds.

    Args:
        what: the claim in words, unique within the lesson, without the number.
        value: what was measured, a number or a tensor of shape ().
        at_least, at_most: the threshold, one of the two.

    Raises:
        ClaimFailed: the value is on the wrong side of its threshold, or NaN.
        ValueError: no threshold, or two.
    """
    if (at_least is None) == (at_most is None):
        raise ValueError(f"claim: got at_least={at_least}, at_most={at_most}, wants one of the two")
    value = _number(what, value)
    if os.environ.get("GANEDU_CLAIMS"):
        row = {"claim": what, "value": value, "at_least": at_least, "at_most": at_most}
        with open(os.environ["GANEDU_CLAIMS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    holds = value >= at_least if at_most is None else value <= at_most
    threshold = f"at least {at_least:g}" if at_most is None else f"at most {at_most:g}"
    if not holds:
        raise ClaimFailed(f"{what}: measured {value:.4g}, the claim is {threshold}")
    print(f"✓ {what}: {value:.4g} ({threshold})")
