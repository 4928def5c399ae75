"""On a CPU the quicker way to compute is measured, not assumed.

There is nothing to launch. It matters how many threads share the work, whether the processor has units for 16-bit numbers,
and how images lie in memory: measured on a copy of the game, which trains and is thrown away.
"""

import contextlib
import copy
import random
import time
import types

import numpy as np
import torch
from torch import nn
from torch.utils._pytree import tree_map

TUNED_FROM = 200  # rounds: a shorter run is over before measuring has paid

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
            for called in _called(net):
                called.register_forward_hook(_in_32_bits)


def _called(net):
    """The modules that a game calls: ``net``, or what a ModuleDict or ModuleList holds, which itself computes nothing."""
    if isinstance(net, nn.ModuleDict | nn.ModuleList):
        return [called for child in net.children() for called in _called(child)]
    return [net]


def _in_32_bits(net, inputs, output):
    """The output in 32 bits, all of its parts where there are several; whole numbers stay what they are."""
    return tree_map(lambda y: y.float() if isinstance(y, torch.Tensor) and y.is_floating_point() else y, output)


class Rehearsal:
    """Makes steps on copies of a trainer's game: they train and are thrown away.

    Args:
        trainer: the ``Trainer``; neither its game nor its random streams are touched.
        make_step: the class ``training.Step``.
    """

    def __init__(self, trainer, make_step):
        self.trainer, self.make_step = trainer, make_step

    def possible(self):
        """Whether a copy of the game can play without touching the game or its data."""
        trainer = self.trainer
        if trainer.device.type != "cpu" or hasattr(trainer.data, "state_dict"):
            return False
        if any(isinstance(value, types.FunctionType) for value in vars(trainer.game).values()):
            return False  # a function put onto the game itself acts on the game from within a copy, too
        try:
            copy.deepcopy(trainer.game)
        except (RuntimeError, TypeError):  # it keeps a tensor with its graph, a lock, an open file
            return False
        return True

    def __call__(self, precision=None, channels_last=False):
        """A step on a copy, in the trainer's precision unless another is given."""
        trainer = self.trainer
        game = copy.deepcopy(trainer.game).train()
        if precision is not None or channels_last:
            lower(game, precision or torch.float32, channels_last)
        optimizers = {player: game.optimizer(player, rate) for player, rate in trainer.rates.items()}
        draw = torch.Generator(trainer.device).manual_seed(0)
        precision = precision or trainer.speed.precision
        step = self.make_step(game, trainer.data, optimizers, {}, trainer.batch_size, draw, precision)
        return trainer.speed.wrap_plainly(step)

    def net(self):
        """What tells this net, batch size and precision from others."""
        return type(self.trainer.game), str(self.trainer.game), self.trainer.batch_size, self.trainer.speed.precision


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
