"""Checks of arguments. Each error names the argument, what it got and what it wants."""

import difflib
import math
from collections.abc import Iterable
from numbers import Integral, Real


def whole_number(name, value, *, at_least=1):
    """Return ``value`` as an int, or raise a TypeError or ValueError that names ``name``."""
    if isinstance(value, bool) or not isinstance(value, Integral):
        raise TypeError(f"{name}: got {value!r}, wants a whole number of at least {at_least}")
    if value < at_least:
        raise ValueError(f"{name}: got {value}, wants a whole number of at least {at_least}")
    return int(value)


def real_number(name, value, *, at_least=-math.inf, above=-math.inf, below=math.inf, at_most=math.inf):
    """Return ``value`` as a float within the given bounds, or raise an error that names ``name``."""
    bounds = [
        f"{words} {bound}"
        for words, bound, open_end in (
            ("at least", at_least, -math.inf),
            ("above", above, -math.inf),
            ("below", below, math.inf),
            ("at most", at_most, math.inf),
        )
        if bound != open_end
    ]
    wants = " ".join(["a number", " and ".join(bounds)]).strip()
    if isinstance(value, bool) or not isinstance(value, Real):
        raise TypeError(f"{name}: got {value!r}, wants {wants}")
    if not (at_least <= value <= at_most and above < value < below):  # NaN fails every comparison
        raise ValueError(f"{name}: got {value}, wants {wants}")
    return float(value)


def one_of(name, value, choices: Iterable[str]):
    """Return ``value`` if it is among ``choices``, or raise a ValueError that lists them."""
    choices = list(choices)
    if value not in choices:
        near = difflib.get_close_matches(str(value), map(str, choices), n=1)
        meant = f" (did you mean {near[0]!r}?)" if near else ""
        raise ValueError(f"{name}: got {value!r}, wants one of {', '.join(map(repr, choices))}{meant}")
    return value
