"""Distances between distributions: exact on a grid, Wasserstein-1 from samples.

On a grid a density is a tensor of its values at points ``dx`` apart (in the plane: ``dx`` is the area of a cell), and an
integral is a sum times dx. Tensors, arrays and lists are taken; everything is computed, and returned, as float64 tensors.
Logarithms are natural, results are in nats, and 0 log 0 = 0.
"""

import math

import torch
from torch.special import xlog1py, xlogy

from ganedu.arguments import real_number


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
    m = (p + q) / 2
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
