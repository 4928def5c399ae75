"""The checks that exercises call: what is wrong is said in the language of the subject.

Each check returns nothing and raises ``CheckFailed`` with one or two sentences. A check may know mistakes that people
really make, as pairs (the value that the mistake gives, what it comes from): where the answer is one of these, the
message names the cause and not only the number.

A coding task's hidden checks go through these properties: values and shapes, every argument and every gradient
(``check_objective``), where gradients go (``check_gradients_go``), nothing else moves (``unchanged``), and an error of
Python or PyTorch in plain words (``plain_errors``).
"""

from ganedu.checks.answers import (
    CheckFailed,
    Predictions,
    check_answer,
    check_close,
    check_finite,
    check_one_of,
    check_shape,
)
from ganedu.checks.claims import ClaimFailed, claim
from ganedu.checks.errors import explain_graph_errors, plain_errors
from ganedu.checks.gradients import (
    check_gradient_reaches,
    check_gradients,
    check_gradients_go,
    check_no_gradient,
    check_trainable,
    gradients,
    unchanged,
)
from ganedu.checks.objectives import check_objective
from ganedu.checks.turns import WatchedSGD, check_step_finds_gradient, check_turns

__all__ = [
    "CheckFailed",
    "ClaimFailed",
    "Predictions",
    "WatchedSGD",
    "check_answer",
    "check_close",
    "check_finite",
    "check_gradient_reaches",
    "check_gradients",
    "check_gradients_go",
    "check_no_gradient",
    "check_objective",
    "check_one_of",
    "check_shape",
    "check_step_finds_gradient",
    "check_trainable",
    "check_turns",
    "claim",
    "explain_graph_errors",
    "gradients",
    "plain_errors",
    "unchanged",
]
