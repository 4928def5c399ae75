"""On a CPU the quicker way to compute is measured, not assumed.

There is nothing to launch. It matters how many threads share the work, whether the processor has units for 16-bit numbers,
and how images lie in memory: measured on a copy of the game, which trains and is thrown away.
"""

import contextlib
import random
import time

import numpy as np
import torch

HARMFUL = 2.0  # threads that make a round so much slower are in each other's way; less is not worth other last digits
CLEARLY = 1.2  # a change has to be quicker by this factor: what hardly differs stays as it was
CLEARLY_LAID_OUT = 1.05  # and this one costs nothing but other last digits
_measured = {}  # (question, net, batch size) -> answer, once per process


def quickest_threads(rehearse, net):
    """How many threads to train with: all that torch would use, or one where all of them take twice as long and more.

    They do where another program keeps a core busy: threads that wait for each other at every layer then take ten times as
    long as one. On a quiet machine the answer is always the same, and with it the last digits of a run.

    Args:
        rehearse: makes a step on a copy of the game, ``rehearse(precision=torch.float32)``.
        net: whatever tells this net and batch size from others; measured once a process.
    """
    most = torch.get_num_threads()
    if most == 1:
        return 1

    def measure():
        step = rehearse()
        with threads(1):
            one = _seconds(step)
        return 1 if one * HARMFUL < _seconds(step) else most

    return _once(("threads", most, net), measure)


def quickest_layout(rehearse, net):
    """Whether a round is clearly quicker with channels last, which it may be where nets are made of convolutions.

    Args:
        rehearse: makes a step on a copy of the game, ``rehearse(channels_last=False)``.
        net: whatever tells this net and batch size from others; measured once a process.
    """

    def measure():
        plain, last = _seconds(rehearse()), _seconds(rehearse(channels_last=True))
        return last * CLEARLY_LAID_OUT < plain

    return _once(("layout", torch.get_num_threads(), net), measure)


def quickest_precision(rehearse, net):
    """``torch.bfloat16`` where a round is clearly quicker so than in ``torch.float32``, which it is on few processors."""

    def measure():
        full, lowered = _seconds(rehearse()), _seconds(rehearse(precision=torch.bfloat16))
        return torch.bfloat16 if lowered * CLEARLY < full else torch.float32

    return _once(("precision", torch.get_num_threads(), net), measure)


@contextlib.contextmanager
def threads(n):
    """Within this block torch computes with ``n`` threads."""
    before = torch.get_num_threads()
    if n != before:
        torch.set_num_threads(n)
    try:
        yield
    finally:
        if n != before:
            torch.set_num_threads(before)


def lower(game, precision, channels_last=False):
    """Prepare the players of ``game`` for a step of that precision; to be called before optimisers are made.

    In 16 bits convolutions keep their channels last in any case, which suits the units for it. The nets alone compute in 16
    bits: what they put out, and with it the loss, has 32 again, and so have weights, averages and optimisers.
    """
    for player in game.players:
        net = getattr(game, player)
        if channels_last or precision != torch.float32:
            net.to(memory_format=torch.channels_last)
        if precision != torch.float32:
            net.register_forward_hook(_in_32_bits)


def _in_32_bits(net, inputs, output):
    return output.float() if isinstance(output, torch.Tensor) else output


def _seconds(step, enough=0.15, most=5):
    """Seconds that a round takes, the best of a few; about ``enough`` are spent on it, and at least one round."""
    times, began = [], time.perf_counter()
    while len(times) < most and (not times or time.perf_counter() - began < enough):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return min(times)


def _once(key, measure):
    """The answer to ``key``: measured the first time, without a trace in any random state."""
    if key not in _measured:
        python, numpy = random.getstate(), np.random.get_state()
        with torch.random.fork_rng(devices=[]):
            try:
                _measured[key] = measure()
            finally:
                random.setstate(python)
                np.random.set_state(numpy)
    return _measured[key]
