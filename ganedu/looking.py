"""What a trainer shows of its game: samples, previews, numbers. Looking draws from separate generators and changes nothing."""

import contextlib
import threading

import torch

from ganedu.arguments import whole_number
from ganedu.gan import call

_lock = threading.Lock()
_modes = {}  # module -> (blocks that it is in, the mode that it had before)


@contextlib.contextmanager
def evaluating(*modules):
    """Within this block ``modules`` are in eval mode (running statistics, no dropout) and no gradient is kept.

    Several threads may be in such a block at once: a module gets the mode back that it had before the first of them.
    """
    parts = list(dict.fromkeys(part for module in modules for part in module.modules()))
    with _lock:
        for part in parts:
            inside, mode = _modes.get(part, (0, part.training))
            _modes[part] = inside + 1, mode
            part.training = False
    try:
        with torch.no_grad():
            yield
    finally:
        with _lock:
            for part in parts:
                inside, mode = _modes.pop(part)
                if inside > 1:
                    _modes[part] = inside - 1, mode
                else:
                    part.training = mode


def in_eval_mode(module, instead=()):
    """A view of ``module`` in eval mode: its own parameters and buffers under other switches, so that none is touched.

    Args:
        instead: {name: module} of children that the view has in place of its own.
    """
    view = object.__new__(type(module))  # no copy: parametrised modules refuse one
    view.__dict__ = dict(module.__dict__)
    view.training = False
    view._modules = {
        name: instead[name] if name in instead else None if child is None else in_eval_mode(child)
        for name, child in module._modules.items()
    }
    return view


class Looking:
    """The part of a ``Trainer`` that looks at its game: between two rounds, whichever thread asks.

    Attributes:
        fixed: a batch of 64 that stays the same, for grids that show progress; ``fixed_x`` and ``fixed_z`` are of it.
    """

    _display_generator = None

    @property
    def G_ema(self):
        """The averaged generator; ``sample`` uses it."""
        return self.emas["G"].module

    @property
    def averaged(self):
        """A view of the game with its averaged players in place, in eval mode: what samples are made by."""
        return in_eval_mode(self.game, {player: ema.module for player, ema in self.emas.items()})

    @property
    def fixed_x(self):
        return self.fixed["x"]

    @property
    def fixed_z(self):
        return self.fixed["z"]

    def sample(self, n, z=None, batch_size=500, *, seed=None, **given):
        """``n`` samples of the averaged game; on the device, no gradient.

        What is drawn for them comes from a separate generator for displays, so that looking never changes the training. Each
        call goes on with new draws; the first one of a trainer draws what ``seed=0`` draws each time.

        Args:
            n: how many, at least 1.
            z: (n, z_dim) latents; drawn unless given.
            batch_size: samples that are made at a time.
            seed: a whole number of at least 0: the same draws at each call, to compare moments of a run by equal latents.
            given: whatever else ``game.generate`` names, in place of what would be drawn: labels ``y``, pictures ``a``,
                a number ``psi``.

        Raises:
            TypeError, ValueError: something that ``generate`` does not name, or a tensor of another number of rows.
        """
        n = whole_number("n", n)
        if seed is not None:
            seed = whole_number("seed", seed, at_least=0)
        if z is not None:
            seed, given["z"] = seed or 0, z  # the same z, the same samples: whatever else is drawn for them
        return self.between_rounds(lambda: self._sample(n, batch_size, seed, given))

    def _displays(self, seed=None):
        """The generator that displays draw from; for a ``seed`` one that starts there."""
        if seed is not None:
            return torch.Generator(self.device).manual_seed(self.seed + 2 + seed)
        if self._display_generator is None or self._display_generator[0] != self.seed:  # new, or another run was loaded
            self._display_generator = self.seed, self._displays(0)
        return self._display_generator[1]

    @torch.no_grad()
    def _sample(self, n, batch_size, seed, given):
        game, draw = self.averaged, self._displays(seed)
        batch = game.ingredients(self.data, n, draw, **given)

        def part(entry, start):
            rows = isinstance(entry, torch.Tensor) and entry.ndim > 0
            return entry[start : start + batch_size] if rows else entry

        return torch.cat(
            [
                call(game.generate, {name: part(entry, start) for name, entry in batch.items()})
                for start in range(0, n, batch_size)
            ]
        )

    def preview(self, n=64):
        """What a grid shows: ``game.preview`` of the averaged game on the first ``n`` of the fixed batch.

        Returns:
            samples (N, ...), or {title: samples}; a game may show more of them, or fewer, than n.
        """
        batch = {name: entry[:n] for name, entry in self.fixed.items()}
        return self.between_rounds(torch.no_grad()(lambda: call(self.averaged.preview, batch)))

    def compare(self, batch=None):
        """(real, fake) samples that are meant to be alike, of the averaged game on ``batch``; the fixed one unless given."""
        batch = self.fixed if batch is None else batch
        return self.between_rounds(torch.no_grad()(lambda: call(self.averaged.compare, batch)))

    def observe(self):
        """The game's scalars on the fixed batch, as floats. Changes nothing in the training."""
        return self.between_rounds(self._observe)

    @torch.no_grad()
    def _observe(self):
        seen = call(in_eval_mode(self.game).observe, self.fixed)
        values = [torch.as_tensor(value, device=self.device).double() for value in seen.values()]
        return dict(zip(seen, torch.stack(values).tolist())) if seen else {}  # the one wait for the device
