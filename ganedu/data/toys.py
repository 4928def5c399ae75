"""Toy distributions on the line and in the plane, where everything that a GAN learns can be seen and checked.

Each object has ``shape`` (d,), ``sample(n, generator) -> (n, d)`` float32, ``batch``, which knows the labels too, and
``to(device)``. A Trainer asks no more of its data, and of ``batch`` and ``sample`` one is enough. Mixtures know their modes (``means``, ``std``, ``weights``) and their density (``log_prob``).
"""

import copy
import math

import torch

from ganedu.arguments import real_number, whole_number
from ganedu.runtime import resolve_device


class Toy:
    """A distribution over (d,) points. A subclass writes ``_draw``, the sampling itself."""

    def __init__(self, name, dimensions):
        self.name, self.shape = name, (dimensions,)
        self.device = torch.device("cpu")

    def __repr__(self):
        return f"<{self.name}, {self.shape[0]}-D>"

    def sample(self, n, generator=None):
        """(n, d) float32 points, drawn on the device. ``generator``: a torch.Generator on that device."""
        return self._draw(whole_number("n", n), generator)

    def batch(self, n, generator=None):
        """What is known of n points, a dict: x (n, d) float32. The same draw as in ``sample``."""
        return {"x": self.sample(n, generator)}

    def to(self, device):
        """The same distribution on another device."""
        moved = copy.copy(self)
        moved.device = resolve_device(device)
        for name, value in vars(self).items():
            if isinstance(value, torch.Tensor):
                setattr(moved, name, value.to(moved.device))
        return moved

    def _draw(self, n, generator):
        raise NotImplementedError(f"{type(self).__name__} does not say how it draws points")


class Mixture(Toy):
    """p(x) = Σ_k w_k N(x; μ_k, σ_k² I). Made by ``gaussian``, ``mixture``, ``ring`` and ``grid``.

    Attributes:
        means: (K, d) float32.
        std: σ, a float, or a (K,) tensor where the modes differ.
        weights: (K,) float32, above 0, sum 1.
    """

    def __init__(self, means, std, weights, name):
        super().__init__(name, means.shape[1])
        self.means, self.std = means.float(), std
        self.weights = weights.float()
        self._stds = torch.as_tensor(std, dtype=torch.float64).expand(len(means)).float()
        self._cumulative = weights.cumsum(0)  # float64, and its last entry is never asked for

    def _draw(self, n, generator):
        return self.sample_labelled(n, generator)[0]

    def batch(self, n, generator=None):
        """What is known of n points, a dict: x (n, d) float32 and their modes y (n,) int64. The draw of ``sample``."""
        x, y = self.sample_labelled(n, generator)
        return {"x": x, "y": y}

    def sample_labelled(self, n, generator=None):
        """Points and the modes that they come from: (n, d) float32 and (n,) int64."""
        n = whole_number("n", n)
        u = torch.rand(n, device=self.device, generator=generator, dtype=torch.float64)
        mode = torch.searchsorted(self._cumulative[:-1], u, right=True)
        noise = torch.randn(n, self.shape[0], device=self.device, generator=generator)
        return self.means[mode] + self._stds[mode, None] * noise, mode

    def log_prob(self, x):
        """log p(x) in nats for (..., d) points: (...), in the floating-point type of ``x``."""
        x = torch.as_tensor(x, device=self.device)
        if x.shape[-1:] != self.shape or not x.is_floating_point():
            raise ValueError(
                f"x: got shape {tuple(x.shape)} of {x.dtype}, wants floats of shape (..., {self.shape[0]})"
            )
        std = self._stds.to(x.dtype)
        squares = ((x[..., None, :] - self.means.to(x.dtype)) ** 2).sum(-1) / std**2  # (..., K)
        log_normal = -0.5 * squares - self.shape[0] * (std.log() + 0.5 * math.log(2 * math.pi))
        return torch.logsumexp(self.weights.to(x.dtype).log() + log_normal, -1)


class Curve(Toy):
    """Points on a curve in the plane, each moved by N(0, noise² I). Made by ``swiss_roll`` and ``two_moons``."""

    def __init__(self, curve, noise, name):
        super().__init__(name, 2)
        self.curve, self.noise = curve, real_number("noise", noise, at_least=0, below=math.inf)

    def _draw(self, n, generator):
        u = torch.rand(2, n, device=self.device, generator=generator)
        noise = torch.randn(n, 2, device=self.device, generator=generator)
        return self.curve(*u) + self.noise * noise


def gaussian(mean=0.0, std=1.0):
    """N(mean, std²) on the line, shape (1,)."""
    mean = real_number("mean", mean, above=-math.inf, below=math.inf)
    return mixture([mean], std, name=f"N({mean:g}, {_positive('std', std):g}²)")


def mixture(means, std, weights=None, name="mixture of Gaussians"):
    """A mixture of round Gaussians.

    Args:
        means: K numbers for modes on the line, or (K, d) for modes in d dimensions.
        std: above 0, one for all modes or one for each.
        weights: K numbers above 0, divided by their sum; equal unless given.

    Raises:
        ValueError: no mode, another shape, or a number out of range.
    """
    means = _numbers("means", means)
    if means.ndim == 1:
        means = means[:, None]
    if means.ndim != 2 or means.numel() == 0:
        raise ValueError(f"means: got shape {tuple(means.shape)}, wants (K,) or (K, d) with at least one mode")
    k = len(means)
    stds = _numbers("std", std)
    if stds.shape not in ((), (k,)) or not (stds > 0).all():
        raise ValueError(f"std: got {stds.tolist()}, wants a number above 0, or {k} of them, one a mode")
    weights = torch.ones(k, dtype=torch.float64) if weights is None else _numbers("weights", weights)
    if weights.shape != (k,) or not (weights > 0).all():
        raise ValueError(f"weights: got {weights.tolist()}, wants {k} numbers above 0, one a mode")
    return Mixture(means, float(stds) if stds.ndim == 0 else stds.float(), weights / weights.sum(), name)


def ring(modes=8, radius=2.0, std=0.02):
    """``modes`` Gaussians, evenly spaced on a circle around the origin, the first at (radius, 0)."""
    modes, radius = whole_number("modes", modes), _positive("radius", radius)
    angles = torch.arange(modes, dtype=torch.float64) * (2 * math.pi / modes)
    return mixture(radius * torch.stack([angles.cos(), angles.sin()], 1), std, name=f"ring of {modes}")


def grid(side=5, spacing=2.0, std=0.05):
    """``side`` x ``side`` Gaussians on a square lattice around the origin; 5 and 2.0 give -4, -2, 0, 2, 4 each way."""
    side, spacing = whole_number("side", side), _positive("spacing", spacing)
    ticks = (torch.arange(side, dtype=torch.float64) - (side - 1) / 2) * spacing
    return mixture(torch.cartesian_prod(ticks, ticks), std, name=f"grid of {side * side}")


def swiss_roll(noise=0.03):
    """A spiral, t (cos t, sin t) / 7.5 with t uniform in [1.5π, 4.5π]: the roll of scikit-learn seen from its end.

    The divisor is that of the toy experiments on Wasserstein GANs (Gulrajani et al. 2017): points lie within ±1.9.

    Args:
        noise: standard deviation of the points around the curve, at least 0, in the units of the points.
    """

    def curve(u, _):
        t = 1.5 * math.pi * (1 + 2 * u)
        return torch.stack([t * t.cos(), t * t.sin()], 1) / 7.5

    return Curve(curve, noise, "swiss roll")


def two_moons(noise=0.05):
    """Two interleaved half circles of radius 1, around (0, 0) and (1, 1/2), as scikit-learn's ``make_moons`` draws them.

    Args:
        noise: standard deviation of the points around the curves, at least 0.
    """

    def curve(u, v):
        t = math.pi * u
        upper = torch.stack([t.cos(), t.sin()], 1)
        lower = torch.stack([1 - t.cos(), 0.5 - t.sin()], 1)
        return torch.where(v[:, None] < 0.5, upper, lower)

    return Curve(curve, noise, "two moons")


def _positive(name, value):
    return real_number(name, value, above=0, below=math.inf)


def _numbers(name, value):
    try:
        numbers = torch.as_tensor(value, dtype=torch.float64, device="cpu")
    except (TypeError, ValueError, RuntimeError) as error:
        raise TypeError(f"{name}: got {value!r}, wants numbers") from error
    if not torch.isfinite(numbers).all():
        raise ValueError(f"{name}: got a number that is not finite, wants finite numbers")
    return numbers
