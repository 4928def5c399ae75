"""Ways from one latent to another: along a straight line, and along a great circle."""

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
