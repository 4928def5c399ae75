"""Distances between distributions: exact on a grid, and from samples: Wasserstein-1, and JS by training a discriminator.

On a grid a density is a tensor of its values at points ``dx`` apart (in the plane: ``dx`` is the area of a cell), and an
integral is a sum times dx. Tensors, arrays and lists are taken; everything is computed, and returned, as float64 tensors.
Logarithms are natural, results are in nats, and 0 log 0 = 0.
"""

import math
from typing import NamedTuple

import torch
from torch import nn
from torch.special import xlog1py, xlogy

from ganedu.arguments import real_number, whole_number
from ganedu.blocks import mlp
from ganedu.losses import d_minimax


def kl(p, q, dx):
    """KL(p ‖ q) = ∫ p log(p / q) dx: at least 0, infinite where q is 0 and p is not.

    Args:
        p, q: densities on one grid, the same shape.
        dx: the distance between two points of the grid, above 0.

    Returns:
        a scalar tensor, nats.

    Raises:
        ValueError: shapes that differ, a negative value, or a density that does not integrate to 1 (within 1 %).
    """
    p, q, dx = _densities(p, q, dx)
    return _kl(p, q, dx)


def js(p, q, dx):
    """JS(p, q) = ½ KL(p ‖ m) + ½ KL(q ‖ m) with m = (p + q) / 2: from 0 to log 2, which disjoint supports reach.

    Arguments, result and errors as for ``kl``.
    """
    p, q, dx = _densities(p, q, dx)
    m = ((p + q) / 2).clamp(min=5e-324)  # half of the smallest number above 0 rounds to 0, whose log is minus infinity
    return _kl(p, m, dx) / 2 + _kl(q, m, dx) / 2


def optimal_discriminator(p, q):
    """D*(x) = p(x) / (p(x) + q(x))   (Goodfellow et al. 2014, proposition 1), and 1/2 where both are 0.

    Where q is so small that D* would round to exactly 1, though q > 0, it is the largest number below 1 (and likewise
    above 0 for p), so that log(1 - D*) stays finite.

    Returns:
        a tensor of the shape of p, in [0, 1].
    """
    p, q = _pair(p, q)
    D = torch.where(p + q > 0, p / (p + q), 0.5)
    below_one = 1 - torch.finfo(D.dtype).eps / 2
    D = torch.where((q > 0) & (D > below_one), below_one, D)
    return torch.where((p > 0) & (D == 0), torch.finfo(D.dtype).tiny, D)


def value(p, q, D, dx):
    """V(D, G) = E_p[log D(x)] + E_q[log(1 - D(x))]   (Goodfellow et al. 2014, eq. 1, on a grid).

    Its maximum over D is 2 JS(p, q) - 2 log 2, at ``optimal_discriminator(p, q)``.

    Args:
        p, q: densities of the data and of the generator on one grid.
        D: D's probability of "real" at each point, in [0, 1].
        dx: as for ``kl``.

    Returns:
        a scalar tensor, at most 0; minus infinity for a D that is sure and wrong.
    """
    p, q, dx = _densities(p, q, dx)
    D = _tensor("D", D)
    if D.shape != p.shape:
        raise ValueError(f"D: got shape {tuple(D.shape)}, wants that of p, {tuple(p.shape)}")
    if not ((D >= 0) & (D <= 1)).all():
        raise ValueError(f"D: got values from {D.min():g} to {D.max():g}, wants probabilities in [0, 1]")
    return (xlogy(p, D) + xlog1py(q, -D)).sum() * dx


def wasserstein1(x, y):
    """W₁, the earth mover's distance, between two sets of samples on the line.

    The area between the two empirical distribution functions; for sets of equal size the mean distance between the
    sorted samples.

    Args:
        x, y: (N,) or (N, 1), and (M,) or (M, 1); at least one sample each.

    Returns:
        a float of at least 0, in the units of the samples.

    Raises:
        ValueError: samples that are not on the line, none at all, or one that is not finite.
    """
    from scipy.stats import wasserstein_distance

    return float(wasserstein_distance(_samples("x", x), _samples("y", y)))


def wasserstein1_grid(p, q, dx):
    """W₁(p, q) = ∫ |P - Q| dx for densities on the line, P and Q their distribution functions; 0 to infinity.

    Args:
        p, q: (N,) densities on one grid of the line.
        dx: as for ``kl``.

    Returns:
        a scalar tensor, in the units of the grid.

    Raises:
        ValueError: as for ``kl``, and for a grid that is not on the line.
    """
    p, q, dx = _densities(p, q, dx)
    if p.ndim != 1:
        raise ValueError(f"p: got shape {tuple(p.shape)}, wants (N,), a density on the line")
    return (p - q).cumsum(0).abs().sum() * dx * dx


def js_bound(real_logits, fake_logits):
    """log 2 - L_D / 2, with L_D = ``d_minimax``: at most JS(p, q), and equal to it for the optimal D.

    From V(D, G) ≤ max_D V = 2 JS - 2 log 2 (Goodfellow et al. 2014, theorem 1). The inequality is one of expectations:
    samples that D was trained on, or few of them, may exceed it.

    Args:
        real_logits, fake_logits: D's raw outputs on samples of p and of q, any shape.

    Returns:
        a scalar tensor, nats; at most log 2, below 0 for a D that is worse than a coin.
    """
    return math.log(2) - d_minimax(real_logits, fake_logits) / 2


class JSEstimate(NamedTuple):
    """What ``estimate_js`` found, in nats.

    ``fresh``: D judged on samples that it has not seen: an estimate from below. ``reused``: the same D on the samples
    that it has learned, which is biased upwards. ``D``: the trained net.
    """

    fresh: float
    reused: float
    D: nn.Module


def estimate_js(x, y, D=None, *, held_out=0.5, steps=1000, batch_size=256, lr=1e-2):
    """Estimate JS(p, q) from samples x of p and y of q, by training a discriminator (Goodfellow et al. 2014, theorem 1).

    Both sets are shuffled and split. D learns on one part (Adam, its rate falling to 0 in a straight line) and is judged
    on the other. Random numbers come from torch's global generator.

    Args:
        x, y: (N, ...) and (M, ...) samples, the rest of their shapes equal; (N,) stands for (N, 1).
        D: a net that maps a batch to (n, 1) logits, trained in place; two hidden layers of 32 unless given.
        held_out: the share of each set on which D is judged, between 0 and 1.
        steps, batch_size, lr: of D's training.

    Returns:
        a ``JSEstimate``.

    Raises:
        ValueError, TypeError: fewer than two samples, shapes that differ, or a number out of range.
    """
    x, y = _batch("x", x), _batch("y", y)
    if x.shape[1:] != y.shape[1:]:
        raise ValueError(f"y: got samples of shape {tuple(y.shape[1:])}, wants that of x's, {tuple(x.shape[1:])}")
    held_out = real_number("held_out", held_out, above=0, below=1)
    steps, batch_size = whole_number("steps", steps), whole_number("batch_size", batch_size)
    lr = real_number("lr", lr, above=0, below=math.inf)
    x_train, x_fresh = _split(x, held_out)
    y_train, y_fresh = _split(y, held_out)
    if D is None:
        D = nn.Sequential(nn.Flatten(), mlp([x[0].numel(), 32, 32, 1])).to(x.device)
    optimizer = torch.optim.Adam(D.parameters(), lr=lr)
    for step in range(steps):
        optimizer.param_groups[0]["lr"] = lr * (1 - step / steps)
        loss = d_minimax(D(_pick(x_train, batch_size)), D(_pick(y_train, batch_size)))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    with torch.no_grad():
        return JSEstimate(float(js_bound(D(x_fresh), D(y_fresh))), float(js_bound(D(x_train), D(y_train))), D)


def _batch(name, values):
    values = torch.as_tensor(values)
    values = values[:, None] if values.ndim == 1 else values
    if values.ndim < 2 or len(values) < 2:
        raise ValueError(f"{name}: got shape {tuple(values.shape)}, wants (N, ...) with at least two samples")
    if not values.is_floating_point() or not torch.isfinite(values).all():
        raise ValueError(f"{name}: got numbers of {values.dtype}, not all finite floats, wants finite floats")
    return values.detach().float()


def _split(samples, held_out):
    """Shuffled, then cut in two: (those to learn from, those to judge by), at least one of each."""
    samples = samples[torch.randperm(len(samples)).to(samples.device)]
    cut = min(max(round(len(samples) * (1 - held_out)), 1), len(samples) - 1)
    return samples[:cut], samples[cut:]


def _pick(samples, n):
    return samples[torch.randint(len(samples), (n,)).to(samples.device)]


def _kl(p, q, dx):
    return (xlogy(p, p) - xlogy(p, q)).sum() * dx


def _tensor(name, values):
    tensor = torch.as_tensor(values, dtype=torch.float64)
    if not torch.isfinite(tensor).all():
        raise ValueError(f"{name}: got a number that is not finite, wants finite numbers")
    return tensor


def _pair(p, q):
    p, q = _tensor("p", p), _tensor("q", q)
    if p.shape != q.shape or p.numel() == 0:
        raise ValueError(f"q: got shape {tuple(q.shape)}, wants that of p, {tuple(p.shape)}, with at least one value")
    for name, density in (("p", p), ("q", q)):
        if (density < 0).any():
            raise ValueError(f"{name}: got a value of {density.min():g}, wants densities of at least 0")
    return p, q


def _densities(p, q, dx):
    p, q = _pair(p, q)
    if isinstance(dx, torch.Tensor) and dx.numel() == 1:
        dx = dx.item()  # of x[1] - x[0], say
    dx = real_number("dx", dx, above=0, below=math.inf)
    for name, density in (("p", p), ("q", q)):
        mass = float(density.detach().sum()) * dx
        if abs(mass - 1) > 0.01:
            raise ValueError(
                f"{name}: got a density that integrates to {mass:.4g} with dx {dx:g}, wants 1 (a wider grid?)"
            )
    return p, q, dx


def _samples(name, values):
    tensor = _tensor(name, values).detach().cpu()
    if tensor.ndim == 2 and tensor.shape[1] == 1:
        tensor = tensor[:, 0]
    if tensor.ndim != 1 or len(tensor) == 0:
        raise ValueError(f"{name}: got shape {tuple(tensor.shape)}, wants (N,) or (N, 1) with at least one sample")
    return tensor.numpy()
