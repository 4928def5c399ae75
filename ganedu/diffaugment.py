"""DiffAugment: what D sees is changed at random, real or fake alike (Zhao et al. 2020, https://arxiv.org/abs/2006.10738).

With few images D learns them by heart. Augmenting the real ones alone would teach G to make augmented images. So both kinds
pass through the same random, differentiable T on their way to D, in D's turn and in G's turn (eqs. 4 and 5):

    L_D = E[f_D(-D(T(x)))] + E[f_D(D(T(G(z))))]        L_G = E[f_G(-D(T(G(z))))]

Each function here is one such change. It takes (N, C, H, W) floats, of which black is -1 and white 1, and returns as many,
without a clamp: values may leave [-1, 1]. Every sample has a draw of its own, from torch's global generator. The strengths
are those of the authors' code.
"""

import torch
from torch import nn
from torch.nn.functional import pad


def _uniform(x):
    """(N, 1, 1, 1): one number in [0, 1) for each sample."""
    return torch.rand(len(x), 1, 1, 1, device=x.device, dtype=x.dtype)


def brightness(x):
    """x + u, u ~ U[-1/2, 1/2]"""
    return x + _uniform(x) - 0.5


def saturation(x):
    """m + u (x - m), m the mean over the channels at each pixel, u ~ U[0, 2]. Nothing changes where there is one channel."""
    mean = x.mean(1, keepdim=True)
    return mean + 2 * _uniform(x) * (x - mean)


def contrast(x):
    """m + u (x - m), m the mean over the whole image, u ~ U[1/2, 3/2]"""
    mean = x.mean((1, 2, 3), keepdim=True)
    return mean + (0.5 + _uniform(x)) * (x - mean)


def translation(x, ratio=1 / 8, fill=0.0):
    """Move each image by whole pixels, up to ``ratio`` of its height and width; ``fill`` comes in at the edge.

    A black edge (fill -1) hides how far a dark image was moved, the authors' grey one does not.
    """
    n, _, height, width = x.shape
    far_y, far_x = int(height * ratio + 0.5), int(width * ratio + 0.5)
    top = torch.randint(2 * far_y + 1, (n, 1, 1), device=x.device)  # far_y: not moved
    left = torch.randint(2 * far_x + 1, (n, 1, 1), device=x.device)
    rows = top + torch.arange(height, device=x.device)[:, None]  # (N, H, 1)
    columns = left + torch.arange(width, device=x.device)  # (N, 1, W)
    which = torch.arange(n, device=x.device)[:, None, None]
    wide = pad(x, (far_x, far_x, far_y, far_y), value=fill)
    return wide[which, :, rows, columns].permute(0, 3, 1, 2)  # the indexed dimensions come first: (N, H, W, C)


def cutout(x, ratio=1 / 2, fill=0.0):
    """Cover a square whose sides are ``ratio`` of the image's with ``fill``. Its centre may lie at the edge."""
    n, _, height, width = x.shape
    inside = []
    for size in (height, width):
        side = int(size * ratio + 0.5)
        first = torch.randint(size + 1 - side % 2, (n, 1), device=x.device) - side // 2
        steps = torch.arange(size, device=x.device) - first  # (N, size)
        inside.append((steps >= 0) & (steps < side))
    hole = inside[0][:, None, :, None] & inside[1][:, None, None, :]  # (N, 1, H, W)
    return x.masked_fill(hole, fill)


COLOUR = (brightness, saturation, contrast)
EVERYTHING = (*COLOUR, translation, cutout)


def diffaugment(x, policy=EVERYTHING):
    """T(x): the changes in ``policy``, one after the other. A gradient passes through to ``x``.

    Args:
        x: (N, C, H, W) floats.
        policy: functions such as those above, in the order in which they act; none leaves ``x`` as it is.

    Raises:
        TypeError: x is no tensor of floats, or a policy holds something other than functions.
        ValueError: x has another shape.
    """
    wants = "wants a tensor of shape (N, C, H, W), floats"
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"x: got {type(x).__name__}, {wants}")
    if not x.is_floating_point():
        raise TypeError(f"x: got dtype {x.dtype}, {wants}")
    if x.ndim != 4:
        raise ValueError(f"x: got shape {tuple(x.shape)}, {wants}")
    for change in _checked(policy):
        x = change(x)
    return x


class DiffAugment(nn.Module):
    """T as a layer: ``nn.Sequential(DiffAugment(), D)`` is a D that sees T(x) in training mode, and x itself in eval mode.

    So every game can be played with it, whatever its losses. Errors as for ``diffaugment``.
    """

    def __init__(self, policy=EVERYTHING):
        super().__init__()
        self.policy = _checked(policy)

    def forward(self, x):
        return diffaugment(x, self.policy) if self.training else x

    def extra_repr(self):
        return ", ".join(getattr(change, "__name__", repr(change)) for change in self.policy)


def _checked(policy):
    if isinstance(policy, str) or not hasattr(policy, "__iter__"):
        raise TypeError(f"policy: got {policy!r}, wants functions such as (brightness, translation, cutout)")
    policy = tuple(policy)
    for change in policy:
        if not callable(change):
            raise TypeError(f"policy: got {change!r} in it, wants functions such as brightness, translation, cutout")
    return policy
