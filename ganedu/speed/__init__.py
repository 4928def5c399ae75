"""The same Step, faster: wrappers around it, none of which changes what is learned.

On CUDA a whole round becomes one launch (``graphs``); on a CPU the quicker way to compute is measured (``tuning``), and for
long runs the losses are compiled (``compiled``). ``Speed`` is the one argument that chooses: ``Trainer(..., speed=Speed(...))``.
"""

import contextlib
import dataclasses
from dataclasses import dataclass

import torch
from torch import nn

from ganedu.speed.compiled import Compiled
from ganedu.speed.graphs import CapturedStep, fast
from ganedu.speed.memory import keep_memory
from ganedu.speed.reuse import SharedFakes
from ganedu.speed.tuning import (
    TUNED_FROM,
    Rehearsal,
    lower,
    quickest_layout,
    quickest_precision,
    quickest_threads,
    threads,
)

__all__ = ["CapturedStep", "Compiled", "Rehearsal", "SharedFakes", "Speed", "fast", "lower", "threads"]


@dataclass(frozen=True)
class Speed:
    """How rounds are computed. What is learned is the same, up to the last digits where a line says so.

    Attributes:
        fast: on CUDA a round is played as one launch (see ``graphs``); ``False`` plays it one kernel at a time.
        precision: ``torch.bfloat16`` lets the nets compute in 16 bits; losses, weights and averages have 32 in any case.
        reuse: ``True`` lets G learn from the very fakes that D has just judged, as many public loops do, so that G's
            forward pass runs once a round; as in algorithm 1 of Goodfellow et al. each player draws its own unless asked
            for. Only for a game of D and G, and in effect while ``n_critic`` is 1.
        compile: ``True`` compiles each player's loss and gradients on a CPU (see ``compiled``): worth it in runs of minutes,
            as compiling takes half a minute, and a C++ compiler. Changes last digits.
        channels_last: ``True`` keeps the channels of images and kernels last in memory, which makes convolutions quicker on
            many processors and changes nothing but last digits; unless given, only in 16 bits.
        tune: on a CPU, whether what is quicker is measured on a copy of the game: unless given, one thread or all of
            them, before a run of 200 rounds or more; ``True``: the precision and ``channels_last`` as well; ``False``:
            nothing.
        keep_memory: on a CPU under glibc freed memory is kept for the next round (see ``memory``), to the bit the same
            results; ``False`` leaves the C library as it is. It holds for the whole process, once a trainer has asked.

    Raises:
        TypeError, ValueError: a value that does not fit; the message names it, what it got and what it wants.
    """

    fast: bool | None = None
    precision: torch.dtype = torch.float32
    reuse: bool = False
    compile: bool = False
    channels_last: bool | None = None
    tune: bool | None = None
    keep_memory: bool = True

    def __post_init__(self):
        if self.precision not in (torch.float32, torch.bfloat16):
            raise ValueError(f"precision: got {self.precision!r}, wants torch.float32 or torch.bfloat16")
        for name in ("reuse", "compile", "keep_memory"):
            if getattr(self, name) not in (True, False):
                raise TypeError(f"{name}: got {getattr(self, name)!r}, wants True or False")
        for name in ("fast", "tune", "channels_last"):
            if getattr(self, name) not in (None, True, False):
                raise TypeError(f"{name}: got {getattr(self, name)!r}, wants True, False or None")

    @classmethod
    def fastest_exact(cls, game, device, **fields):
        """The fastest setting in which each player's losses and updates are the same up to rounding: for long runs.

        Chosen by rule and not by the clock, so that one seed goes on giving one run: convolutions on a CPU have their channels
        last. Neither 16 bits nor shared fakes, which are other computations.

        Args:
            fields: of ``Speed``, which win.
        """
        convolves = any(isinstance(module, nn.Conv2d | nn.ConvTranspose2d) for module in game.modules())
        on_cpu = torch.device(device).type == "cpu"
        return cls(**{"channels_last": True if convolves and on_cpu else None, **fields})

    def check(self, game, device):
        """Raise a ValueError where this cannot be had for ``game`` on ``device``."""
        if self.reuse and set(game.players) != {"D", "G"}:
            raise ValueError(f"reuse: got True for a game of {', '.join(game.players)}, wants one of D and G")
        if self.compile and device.type != "cpu":
            raise ValueError(f"compile: got True on {device}, wants a CPU; on CUDA a round is one launch already")

    def settled(self, rehearsal):
        """This one with the precision and the layout that are to be used, measured where ``tune`` asks for it."""
        precision, channels_last = self.precision, self.channels_last
        if self.tune and rehearsal.possible():
            precision = quickest_precision(rehearsal, rehearsal.net())
            if channels_last is None and precision == torch.float32:
                channels_last = quickest_layout(rehearsal, rehearsal.net())
        channels_last = bool(channels_last) or precision != torch.float32
        return dataclasses.replace(self, precision=precision, channels_last=channels_last)

    def prepare(self, game):
        """Make the players of ``game`` ready for it; to be called before optimisers are made."""
        if self.keep_memory and next(game.parameters()).device.type == "cpu":
            keep_memory()
        lower(game, self.precision, self.channels_last)

    def wrap(self, step):
        """The Step as it is to be played."""
        if self.compile:
            return Compiled(step, self.reuse)
        step = self.wrap_plainly(step)
        return step if self.fast is False else fast(step)

    def wrap_plainly(self, step):
        """The Step with the same draws, neither captured nor compiled: to look into, or among several processes."""
        return SharedFakes(step) if self.reuse else step

    def threads(self, rehearsal, rounds, workers=1):
        """A block that computes with the threads that suit a run of ``rounds`` rounds."""
        if self.tune is False or rounds < TUNED_FROM or workers > 1 or not rehearsal.possible():
            return contextlib.nullcontext()
        return threads(quickest_threads(rehearsal, rehearsal.net()))
