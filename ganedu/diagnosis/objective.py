"""Which objective is played, found out by the game's own losses: so that what D says can be read.

What D's raw outputs mean differs between objectives. The one in force is known by the formula of the game's ``objective``, or
by playing the game's own losses with D's outputs shifted (``read``). What is compared then is free of units.
"""

import contextlib
import math
from typing import NamedTuple

import torch

from ganedu import losses
from ganedu.gan import call
from ganedu.losses import Objective
from ganedu.training import evaluating


class Reading(NamedTuple):
    """What D's raw outputs mean in a game.

    Attributes:
        name: the objective in words.
        objective: the ``Objective`` that the game plays, up to a factor.
        tie: D's loss where it cannot tell real from fake; None for a critic, whose loss has no lower end.
        tie_output: what D says then of every sample.
    """

    name: str
    objective: Objective
    tie: float | None
    tie_output: float = 0.0

    def sureness(self, real_logits, fake_logits):
        """D's loss as a share of a tie's: 1 for a D that cannot tell, 0 for one that has nothing to learn. Critics: None."""
        return None if self.tie is None else float(self.objective.d(real_logits, fake_logits)) / self.tie

    def push(self, real_logits, fake_logits):
        """How steep G's loss is in D's output on a fake, on average, as a share of what it is at a tie."""
        slope, at_tie = (
            self._slope(real, fake)
            for real, fake in (
                (real_logits, fake_logits),
                (torch.full_like(real_logits, self.tie_output), torch.full_like(fake_logits, self.tie_output)),
            )
        )
        return slope / at_tie if at_tie > 0 else None

    def _slope(self, real, fake):
        with torch.enable_grad():
            fake = fake.detach().requires_grad_()
            loss = self.objective.g_loss(lambda logits: logits, real.detach(), fake)
            return float(torch.autograd.grad(loss, fake)[0].abs().sum())


KNOWN = (
    Reading("non-saturating cross-entropy", losses.nonsaturating, 2 * math.log(2)),
    Reading("min-max cross-entropy", losses.minimax, 2 * math.log(2)),
    Reading("hinge", losses.hinge, 2.0),
    Reading("Wasserstein", losses.wasserstein, None),
    Reading("relativistic", losses.relativistic, math.log(2)),
)
SHIFTS = ((0.0, 0.0), (3.0, 0.0), (-3.0, 0.0), (0.0, 3.0), (0.0, -3.0), (2.1, 1.2))  # of D's output on real, on fake
SAME = 2e-3  # relative difference up to which two losses are one formula


def read(game, batch):
    """The ``Reading`` of a game of D and G, or None where no formula of ``ganedu.losses`` fits.

    Penalties do not matter: they depend on D's slope, which a shift of its output leaves alone.

    Args:
        game: a game; its nets are run in eval mode and left as they are.
        batch: what ``game.draw`` gives.
    """
    if isinstance(getattr(game, "objective", None), Objective):
        return named_reading(game.objective)
    if set(getattr(game, "players", ())) != {"D", "G"} or not hasattr(game, "judge"):
        return None
    x = batch["x"]
    with aside(game, x.device):
        with torch.no_grad(), Ear(game.D, x) as heard:
            call(game.judge, batch)
        if heard.real is None or heard.fake is None:
            return None

        def play(a, b):
            torch.manual_seed(0)  # a penalty draws: the same in every play, so that it drops out
            with torch.enable_grad(), Ear(game.D, x, a, b):
                return game.loss("D", batch).item(), game.loss("G", batch).item()

        return _recognised(play, heard.real.double(), heard.fake.double())


def named_reading(objective):
    """The ``Reading`` of an ``Objective``, or None."""
    draw = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 64, 1, generator=draw, dtype=torch.float64)
    return _recognised(lambda a, b: _both(objective, real + a, fake + b), real, fake)


def _both(objective, real, fake):
    return objective.d(real, fake).item(), objective.g_loss(lambda logits: logits, real, fake).item()


def _recognised(play, real, fake):
    """The known reading whose losses move as those of ``play(shift of real, shift of fake)`` do, up to a factor."""
    seen = torch.tensor([play(a, b) for a, b in SHIFTS], dtype=torch.float64)
    seen = seen[1:] - seen[0]  # (5, 2): a penalty is the same in all, and drops out
    best, found = SAME, None
    for reading in (*KNOWN, *_least_squares(seen, real, fake)):
        expected = torch.tensor([_both(reading.objective, real + a, fake + b) for a, b in SHIFTS], dtype=torch.float64)
        expected = expected[1:] - expected[0]
        factor = (seen * expected).sum(0) / expected.square().sum(0)  # one for each player
        if not (factor > 0).all():
            continue
        off = float(((seen / factor - expected).abs().amax(0) / expected.abs().amax(0)).max())
        if off < best:
            best, found = off, reading
    return found


def _least_squares(seen, real, fake):
    """Least squares with the codes that fit ``seen``, if any do: k/2 (m + s - code)² less itself at s = 0."""
    step, codes = SHIFTS[1][0], []
    for up, down, column, mean in ((0, 1, 0, real.mean()), (2, 3, 0, fake.mean()), (2, 3, 1, fake.mean())):
        curvature = float(seen[up, column] + seen[down, column]) / step**2
        if not curvature > 1e-6:
            return
        codes.append(float(mean) - float(seen[up, column] - seen[down, column]) / (2 * step * curvature))
    b, a, c = (round(code, 3) + 0.0 for code in codes)
    if a != b:
        name = f"least squares with a, b, c = {a:g}, {b:g}, {c:g}"
        yield Reading(name, losses.least_squares_with(a, b, c), (b - a) ** 2 / 4, (a + b) / 2)


class Ear:
    """Within this block it keeps what D says of the real batch ``x`` and of anything else, and adds shifts to it."""

    def __init__(self, D, x, on_real=0.0, on_fake=0.0):
        self.D, self.x, self.on_real, self.on_fake = D, x, on_real, on_fake
        self.real = self.fake = self.x_fake = None

    def __enter__(self):
        self._handle = self.D.register_forward_hook(self._hear)
        return self

    def __exit__(self, *error):
        self._handle.remove()

    def _hear(self, module, inputs, output):
        logits, *others = output if isinstance(output, tuple) else (output,)  # AC-GAN's D has a second head
        if not isinstance(logits, torch.Tensor) or not inputs:
            return None
        if inputs[0] is self.x:
            self.real, shifted = logits.detach().flatten(1).mean(1), logits + self.on_real
        else:
            self.fake, self.x_fake = logits.detach().flatten(1).mean(1), inputs[0].detach()
            shifted = logits + self.on_fake
        return (shifted, *others) if others else shifted


@contextlib.contextmanager
def aside(game, device):
    """Within this block the game is in eval mode, and what is drawn from torch's own generators is given back."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), evaluating(game):
        yield
