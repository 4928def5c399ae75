"""Ways from one latent to another, along a straight line and along a great circle, and arithmetic with latents."""

import torch

from ganedu.arguments import real_number


def lerp(a, b, t):
    """(1 - t) a + t b: the straight way. Its middle is nearer to 0 than its ends: for two draws from N(0, I) by about √2.

    Args:
        a, b: (..., z_dim) latents; their shapes may broadcast.
        t: how far along, in [0, 1]: a number, or a tensor that broadcasts against the leading dimensions (...), so that
            t of shape (T,) with a and b of shape (z_dim,) gives (T, z_dim).

    Returns:
        (..., z_dim): ``a`` at t = 0, ``b`` at t = 1.

    Raises:
        TypeError, ValueError: latents that do not fit each other, or a t outside [0, 1].
    """
    a, b, t = _checked(a, b, t)
    return (1 - t) * a + t * b


def slerp(a, b, t):
    """sin((1 - t) Ω) / sin Ω a + sin(t Ω) / sin Ω b with Ω the angle between a and b: the way along a great circle.

    Ends of one norm keep that norm all the way (Shoemake 1985; for latents White 2016, https://arxiv.org/abs/1609.04468).
    Where no such circle exists, or more than one (an end is 0, or the two point the same or opposite ways), it is ``lerp``.

    Arguments, result and errors as for ``lerp``.
    """
    a, b, t = _checked(a, b, t)
    norms = torch.linalg.vector_norm(a, dim=-1, keepdim=True) * torch.linalg.vector_norm(b, dim=-1, keepdim=True)
    cosine = (a * b).sum(-1, keepdim=True) / norms  # NaN where an end is 0
    has_circle = cosine.abs() < 1 - 1e-6
    angle = torch.where(has_circle, cosine, 0.0).acos()
    of_a = torch.where(has_circle, ((1 - t) * angle).sin() / angle.sin(), 1 - t)
    of_b = torch.where(has_circle, (t * angle).sin() / angle.sin(), t)
    return of_a * a + of_b * b


def to_shell(z):
    """The latents ``z`` (..., z_dim), each stretched or shrunk to the length √z_dim, near which draws from N(0, I) lie.

    Raises:
        TypeError, ValueError: no tensor of floats, or a latent of length 0, which has no direction.
    """
    if not isinstance(z, torch.Tensor) or not z.is_floating_point() or z.ndim == 0:
        raise TypeError(f"z: got {type(z).__name__}, wants a tensor of floats, (..., z_dim)")
    length = torch.linalg.vector_norm(z, dim=-1, keepdim=True)
    if not bool((length > 0).all()):
        raise ValueError("z: got a latent of length 0, wants one with a direction")
    return z * (z.shape[-1] ** 0.5 / length)


def arithmetic(plus, minus=()):
    """Σ mean(group) over ``plus`` - Σ mean(group) over ``minus`` (Radford et al. 2016, section 6.3.2).

    One latent stands for all that is in its picture; the mean over a group keeps what its pictures share.

    Args:
        plus, minus: lists of groups, each (n, z_dim) latents of pictures that share something; ``minus`` may be empty.

    Returns:
        (z_dim,), of no particular length: see ``to_shell``.

    Raises:
        ValueError: no group to add, or a group that is empty or does not fit the first.
    """
    plus, minus = list(plus), list(minus)
    if not plus:
        raise ValueError("plus: got no group, wants at least one of shape (n, z_dim)")
    z_dim = plus[0].shape[-1]
    for name, groups in (("plus", plus), ("minus", minus)):
        for group in groups:
            if group.ndim != 2 or len(group) == 0 or group.shape[1] != z_dim:
                raise ValueError(f"{name}: got a group of shape {tuple(group.shape)}, wants (n, {z_dim}), n at least 1")
    total = torch.stack([group.mean(0) for group in plus]).sum(0)
    return total - torch.stack([group.mean(0) for group in minus]).sum(0) if minus else total


def _checked(a, b, t):
    for name, latent in (("a", a), ("b", b)):
        if not isinstance(latent, torch.Tensor) or not latent.is_floating_point():
            raise TypeError(f"{name}: got {type(latent).__name__}, wants a tensor of floats, (..., z_dim)")
    if a.ndim == 0 or b.ndim == 0 or a.shape[-1] != b.shape[-1]:
        raise ValueError(f"b: got shape {tuple(b.shape)}, wants the z_dim of a, {tuple(a.shape)}")
    if isinstance(t, torch.Tensor):
        t = t.to(a)
        if not bool(((t >= 0) & (t <= 1)).all()):
            raise ValueError(f"t: got values from {t.min():g} to {t.max():g}, wants numbers in [0, 1]")
        return a, b, t[..., None]
    return a, b, torch.as_tensor(real_number("t", t, at_least=0, at_most=1)).to(a)[..., None]
