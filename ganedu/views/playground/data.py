"""Data for the playground: toy distributions to choose from, and distributions that somebody has painted."""

import math
from functools import partial
from typing import NamedTuple

import torch

from ganedu.arguments import real_number
from ganedu.data.toys import Toy, grid, mixture, ring, swiss_roll, two_moons

CELLS = 16  # of the canvas, each way
LEVELS = 3  # of ink: a cell of level 3 is three times as dense as one of level 1
LOW, HIGH = -3.0, 3.0  # the part of the plane that the canvas covers, each way

SMILE = """
0000000000000000
0000022222200000
0000200000020000
0002000000002000
0020000000000200
0020033003300200
0200033003300020
0200000000000020
0200000000000020
0200300000030020
0020030000300200
0020003333000200
0002000000002000
0000200000020000
0000022222200000
0000000000000000
"""
LETTER_G = """
0000000000000000
0000022222220000
0000222222222000
0002220000022200
0022200000000000
0022200000000000
0022200000000000
0022200022222200
0022200022222200
0022200000002200
0022200000002200
0002220000022200
0000222222222000
0000022222220000
0000000000000000
0000000000000000
"""


class Painting(Toy):
    """The density of a painted canvas: constant within a cell, proportional to the cell's level of ink.

    Args:
        rows: equally many rows of equally many digits from 0 to 9, as strings or numbers; the first row is the top.
        low, high: the corners of the rectangle that the canvas covers, a number for both ways or a pair.

    Attributes:
        levels: (H, W) int64.

    Raises:
        TypeError, ValueError: something else, or a canvas without any ink.
    """

    def __init__(self, rows, low=LOW, high=HIGH, name="painting"):
        super().__init__(name, 2)
        self.levels = _levels(rows)
        self.low, self.high = _corner("low", low), _corner("high", high)
        if not (self.low < self.high).all():
            raise ValueError(f"high: got {high}, wants more than low, {low}, each way")
        self._cumulative = self.levels.double().flatten().cumsum(0)

    def _draw(self, n, generator):
        height, width = self.levels.shape
        u = torch.rand(n, device=self.device, generator=generator, dtype=torch.float64) * self._cumulative[-1]
        cell = torch.searchsorted(self._cumulative, u, right=True)
        inside = torch.rand(n, 2, device=self.device, generator=generator)
        column, row = cell % width, cell // width
        sides = torch.tensor([width, height], device=self.device)
        across = (torch.stack([column, height - 1 - row], 1) + inside) / sides
        return self.low + (self.high - self.low) * across

    def log_prob(self, x):
        """log p(x) in nats for (..., 2) points: (...), minus infinity where there is no ink."""
        height, width = self.levels.shape
        across = (x - self.low) / (self.high - self.low)
        within = ((across >= 0) & (across < 1)).all(-1)
        column = (across[..., 0] * width).long().clamp(0, width - 1)
        row = height - 1 - (across[..., 1] * height).long().clamp(0, height - 1)
        area = (self.high - self.low).prod() / (height * width)
        density = self.levels[row, column] / (self._cumulative[-1] * area)
        return torch.where(within, density, 0.0).log().to(x.dtype)


class Points(Toy):
    """The points of an (N, 2) tensor or array, drawn with replacement."""

    def __init__(self, points):
        points = torch.as_tensor(points, dtype=torch.float32)
        if points.ndim != 2 or points.shape[1] != 2 or len(points) == 0 or not torch.isfinite(points).all():
            raise ValueError(f"data: got an array of shape {tuple(points.shape)}, wants (N, 2) finite numbers")
        super().__init__("points", 2)
        self.points = points

    def _draw(self, n, generator):
        return self.points[torch.randint(len(self.points), (n,), device=self.device, generator=generator)]


class Source(NamedTuple):
    """A data set of the playground: its name, the thing itself, and the code that makes it."""

    name: str
    data: object
    code: str


def presets():
    """The data sets to choose from, as a dict of ``Source`` by name."""
    toys = {
        "ring of 8": partial(ring, modes=8, radius=2.0, std=0.1),
        "grid of 9": partial(grid, side=3, spacing=1.8, std=0.12),
        "two blobs, 3 : 1": partial(mixture, means=[[-1.5, 0.0], [1.5, 0.0]], std=0.35, weights=[0.75, 0.25]),
        "one blob": partial(mixture, means=[[1.0, 1.0]], std=0.4),
        "two moons": partial(two_moons, noise=0.08),
        "swiss roll": partial(swiss_roll, noise=0.05),
    }
    found = {}
    for name, make in toys.items():
        settings = ", ".join(f"{key}={value!r}" for key, value in make.keywords.items())
        found[name] = Source(name, make(), f"{make.func.__name__}({settings})")
    for name, rows in (("smile", SMILE.split()), ("letter G", LETTER_G.split())):
        found[name] = painted(rows, name=name)
    return found


def painted(rows, low=LOW, high=HIGH, name="your drawing"):
    """The ``Source`` of a canvas; arguments and errors as for ``Painting``."""
    painting = Painting(rows, low, high)
    text = ["".join(map(str, row)) for row in painting.levels.tolist()]
    where = "" if (low, high) == (LOW, HIGH) else f", low={painting.low.tolist()}, high={painting.high.tolist()}"
    lines = "".join(f'    "{row}",\n' for row in text)
    return Source(name, painting, f"Painting([\n{lines}]{where})")


def rasterise(data, low=LOW, high=HIGH, cells=CELLS, points=6000):
    """(cells, cells) levels of ink that look like ``data``: what painting goes on from. Draws from its own generator."""
    low, high = _corner("low", low), _corner("high", high)
    if isinstance(data, Painting) and data.levels.shape == (cells, cells):
        if torch.equal(data.low, low) and torch.equal(data.high, high):
            return data.levels.clamp(max=LEVELS)
    x = data.sample(points, torch.Generator().manual_seed(0))
    index = ((x - low) / (high - low) * cells).floor().long()
    index = index[((index >= 0) & (index < cells)).all(1)]
    counts = torch.bincount((cells - 1 - index[:, 1]) * cells + index[:, 0], minlength=cells**2)
    counts = counts.reshape(cells, cells).double()
    levels = (counts / counts.max().clamp(min=1) * (LEVELS + 0.5)).round().clamp(max=LEVELS)
    return torch.where(counts > 0.0005 * points, levels.clamp(min=1), 0).long()


class Switch:
    """Data for a trainer that may be exchanged while it trains."""

    def __init__(self, present):
        self.present = present

    def sample(self, n, generator=None):
        return self.present.sample(n, generator)

    def to(self, device):
        self.present = self.present.to(device)
        return self


def own_source(data):
    """The ``Source`` of what a student passed as ``data``, checked."""
    if not hasattr(data, "sample") or not hasattr(data, "to") or isinstance(data, torch.Tensor):
        try:
            return Source("your data", Points(data), "Points(yours['data'])")
        except (TypeError, RuntimeError) as error:
            raise TypeError(
                f"data: got {data!r}, wants an (N, 2) array, or something with sample(n, generator) and to(device)"
            ) from error
    x = data.to("cpu").sample(4, torch.Generator().manual_seed(0))
    if not isinstance(x, torch.Tensor) or tuple(x.shape) != (4, 2):
        got = tuple(x.shape) if isinstance(x, torch.Tensor) else type(x).__name__
        raise ValueError(f"data: got samples {got} for sample(4, generator), wants points in the plane, (4, 2)")
    return Source("your data", data.to("cpu"), "yours['data']")


def window(data):
    """(low, high) corners of a square around the data, with room for stray fakes."""
    x = data.sample(2000, torch.Generator().manual_seed(0)).double()
    if not torch.isfinite(x).all():
        raise ValueError("data: got points that are not finite, wants finite numbers")
    low, high = x.quantile(0.005, 0), x.quantile(0.995, 0)  # a few stray points are not to shrink all the others
    half = 0.7 * max(float((high - low).max()), 1e-3)
    middle = ((low + high) / 2).tolist()
    return tuple(round(m - half, 3) for m in middle), tuple(round(m + half, 3) for m in middle)


def _corner(name, values):
    values = values if isinstance(values, tuple | list) else (values, values)
    if len(values) != 2:
        raise ValueError(f"{name}: got {values}, wants a number or a pair of numbers")
    return torch.tensor([real_number(name, value, above=-math.inf, below=math.inf) for value in values])


def _levels(rows):
    try:
        levels = torch.tensor([[int(cell) for cell in row] for row in rows])
    except (TypeError, ValueError) as error:
        raise TypeError(f"rows: got {rows!r}, wants equally long rows of digits from 0 to 9") from error
    if levels.ndim != 2 or levels.numel() == 0 or levels.min() < 0 or levels.max() > 9:
        raise ValueError("rows: got rows that are empty or numbers beyond 0 to 9, wants equally long rows of digits")
    if levels.sum() == 0:
        raise ValueError("rows: got a canvas without ink, wants at least one cell above 0")
    return levels
