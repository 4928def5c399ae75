"""A plane through the latents, as a map of samples; and ways from one latent to another."""

import math

import torch

from ganedu.arguments import one_of, real_number
from ganedu.interpolation import lerp, slerp
from ganedu.views.figure import draw_pixels
from ganedu.views.images import tile

WAYS = {"linear": lerp, "spherical": slerp}
STEPS = 20  # frames from one saved sample to the next
MAP_WIDTH = 310  # screen pixels, at most, of the map: the whole view fits beside an open side bar


class Plane:
    """A plane through the latents: a starting point and two directions out of a bank of them.

    Args:
        space: a ``LatentSpace``.
        directions, layer, span: as for ``explore``.

    Attributes:
        start: (z_dim,), where both coordinates are 0; the first draw of the space.
        kinds, kind: what directions there are to choose from, and the present ones; layer: that of the activations.
        bank: (K, z_dim) directions of the present kind; pair: the numbers, from 1, of the two that span the plane.
    """

    AXES, RANDOM, OWN, ACTIVATIONS = "axes of z", "random directions", "your directions", "activations (PCA)"

    def __init__(self, space, *, directions=None, layer=None, span=3.0):
        self.space = space
        self.span = real_number("span", span, above=0, below=math.inf)
        self.own = None if directions is None else _own(directions, space)
        self.layers = space.layers()
        self.layer = next(iter(self.layers), None) if layer is None else one_of("layer", layer, self.layers)
        self.kinds = [self.AXES, self.RANDOM]
        if self.own is not None:
            self.kinds.insert(0, self.OWN)
        if self.layers:
            self.kinds.append(self.ACTIVATIONS)
        self.start = space.draw()[0]
        self.pair = (1, 2)
        self._found = {}  # layer: its directions, computed once
        self.choose(self.kinds[0] if layer is None else self.ACTIVATIONS, self.layer)

    def choose(self, kind, layer):
        """Take other directions: one of ``kinds``, and for activations a layer's name."""
        self.shares = None
        if kind == self.ACTIVATIONS:
            if layer not in self._found:
                self._found[layer] = self.space.activation_directions(layer)
            self.bank, self.shares = self._found[layer]
        elif kind == self.RANDOM:
            self.bank = self.space.random_directions()
        elif kind == self.OWN:
            self.bank = self.own
        else:
            self.bank = torch.eye(self.space.z_dim, device=self.space.device)
        self.kind, self.layer = kind, layer
        self.pair = tuple(min(i, len(self.bank)) for i in self.pair)

    def vectors(self):
        """The two directions, (2, z_dim); the second is 0 where there is but one."""
        first, second = (self.bank[i - 1] for i in self.pair)
        return torch.stack([first, second if self.pair[0] != self.pair[1] else torch.zeros_like(first)])

    def at(self, a, b):
        """The latents a along the first direction and b along the second, (..., z_dim) for numbers or tensors (...)."""
        first, second = self.vectors()
        a, b = (torch.as_tensor(c, dtype=first.dtype, device=first.device)[..., None] for c in (a, b))
        return self.start + a * first + b * second

    def steps(self, cells):
        """(cells,) coordinates from one end of a slider to the other."""
        return torch.linspace(-self.span, self.span, cells)

    def map(self, cells):
        """The images of the plane around the starting point, uppermost row first, (cells², C, H, W)."""
        up, across = torch.meshgrid(self.steps(cells).flip(0), self.steps(cells), indexing="ij")
        return self.space.images(self.at(across, up).flatten(0, 1))

    def describe(self, place):
        """The first (0) or second (1) direction in words."""
        number = self.pair[place]
        if place == 1 and self.pair[0] == number:
            return "no second direction"
        if self.kind == self.AXES:
            return f"z, coordinate {number}"
        if self.kind == self.ACTIVATIONS:
            return f"component {number} of layer {self.layer} ({self.shares[number - 1]:.0%} of its variance)"
        return f"{'random' if self.kind == self.RANDOM else 'your'} direction {number}"


def _own(directions, space):
    if not isinstance(directions, torch.Tensor) or directions.ndim != 2 or directions.shape[1] != space.z_dim:
        got = f"shape {tuple(directions.shape)}" if isinstance(directions, torch.Tensor) else type(directions).__name__
        raise ValueError(f"directions: got {got}, wants a tensor (K, {space.z_dim}) with K at least 1")
    if len(directions) == 0 or not torch.isfinite(directions).all():
        raise ValueError("directions: got none, or a number that is not finite, wants at least one, of finite numbers")
    return directions.detach().float().to(space.device)


def map_layout(size):
    """(cells in a row, scale) of a map of images ``size`` pixels wide: the widest that fits, more cells before larger ones."""
    fitting = [
        (width, cells, scale)
        for cells in (7, 5, 3)
        for scale in range(1, 10)
        if (width := scale * (cells * (size + 2) + 2)) <= MAP_WIDTH
    ]
    return max(fitting)[1:] if fitting else (3, 1)


def walk(ends, way, steps=STEPS):
    """From each of the latents ``ends`` (K, z_dim) to the next: ((K - 1) steps + 1, z_dim), K at least 2."""
    t = torch.arange(steps, device=ends.device) / steps
    return torch.cat([*(way(a, b, t) for a, b in zip(ends, ends[1:])), ends[-1:]])


def still(plane, columns=7):
    """The map beside both ways between two draws, as a matplotlib ``Figure``."""
    from matplotlib.figure import Figure

    space = plane.space
    a, b = plane.start, space.draw()[0]
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[4.2, 6.8])
    axes = left.subplots()
    draw_pixels(axes, tile(plane.map(columns), columns))
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(f"{plane.describe(0)}: −{plane.span:g} to {plane.span:g}", fontsize=10)
    axes.set_ylabel(f"{plane.describe(1)}: −{plane.span:g} to {plane.span:g}", fontsize=10)
    axes.set_title("around one draw (in the middle)", fontsize=11)
    for row, (name, way) in zip(right.subplots(2, 1), WAYS.items()):
        x = space.images(walk(torch.stack([a, b]), way, columns - 1)).cpu()
        distances = ""
        if space.real is not None:
            found = [space.nearest(sample) for sample in x]
            x = torch.cat([x, torch.stack([space.training_image(i) for i, _ in found]).cpu()])
            distances = "\nbelow: nearest training images, at " + ", ".join(f"{d:.1f}" for _, d in found)
        draw_pixels(row, tile(x, columns))
        row.set_title(f"{name} way from one draw to another{distances}", fontsize=11)
    return figure
