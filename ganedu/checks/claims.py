"""What a lesson claims: checked, printed, and written down for `make claims`."""

import json
import os

from ganedu.checks.answers import CheckFailed, as_number


class ClaimFailed(CheckFailed):
    """A lesson's claim does not hold in this run."""

    __module__ = "ganedu.checks"

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
    value = as_number(what, value)
    if os.environ.get("GANEDU_CLAIMS"):
        row = {"claim": what, "value": value, "at_least": at_least, "at_most": at_most}
        with open(os.environ["GANEDU_CLAIMS"], "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
    holds = value >= at_least if at_most is None else value <= at_most
    threshold = f"at least {at_least:g}" if at_most is None else f"at most {at_most:g}"
    if not holds:
        raise ClaimFailed(f"{what}: measured {value:.4g}, the claim is {threshold}")
    print(f"✓ {what}: {value:.4g} ({threshold})")
