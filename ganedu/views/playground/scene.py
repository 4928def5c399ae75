"""What there is to see in the plane: points, D's map, G's pull, the warped grid of z; and how far the fakes are off.

Looking changes nothing: latents and real points are drawn once from a separate generator for displays, nets run in eval
mode, and what nets and losses of the student's own draw is given back to torch's generator.
"""

import base64
from typing import NamedTuple

import numpy as np
import torch

from ganedu.divergences import js, kl
from ganedu.training import frozen
from ganedu.views.charts import BOTTOM, DOT, GRID, INK, LEFT, TOP, Frame, decimate, nice_ticks, tick_labels
from ganedu.views.figure import CRITIC, FAKE, REAL
from ganedu.views.images import png_bytes
from ganedu.views.playground.game import gives_probability, looking

POINTS = 250  # real ones and fakes in the picture
HEAT = 44  # points of D's map, each way
LINES, STOPS = 12, 33  # of the grid of z: lines each way, and points on each
PULL, LONGEST = 0.15, 0.1  # length of an arrow as a share of the picture: for a gradient of 1, and at most
SIZE = 336  # pixels of the plot, each way
RIGHT = 52  # pixels beside it, where the scale of D's map stands
MAP = np.linspace((255, 255, 255), (116, 178, 221), 256).round().astype(np.uint8)  # light: dots are to stand out
GAPS = {"JS": "JS(p, q)", "KL": "KL(p‖q)", "W1": "W₁(p, q)"}
GAP_COLORS = ("#CC79A7", "#B87F00", "#000000")  # none of those that stand for real, fake and D
GAP_DASHES = ("", "6 3", "8 3 2 3")
LAYERS = {"map": "D's map", "real": "real", "fake": "fakes", "pull": "arrows", "grid": "grid of z"}


class Scene(NamedTuple):
    """Everything in the picture. Arrays of numpy; None for a layer that is not to be seen."""

    low: np.ndarray  # (2,) corner of the picture
    high: np.ndarray
    real: np.ndarray | None  # (N, 2)
    fake: np.ndarray | None  # (N, 2)
    pull: np.ndarray | None  # (N, 2) minus N times the gradient of G's loss at each fake
    heat: np.ndarray | None  # (HEAT, HEAT) of D at the middles of cells, the first row lowest
    probability: bool  # whether heat is one, in [0, 1]
    grid: list | None  # lines of (STOPS, 2) points


class Eye:
    """Looks at a game from the same real points and latents each time.

    Args:
        data: the data set.
        z_dim: size of the latent vector; the grid of z is drawn for 1 and 2.
        low, high: corners of the picture, a number for both ways or a pair.
        seed: of this view's own generator.
    """

    def __init__(self, data, z_dim, low, high, seed):
        self.low, self.high = np.broadcast_to(low, 2).astype(float), np.broadcast_to(high, 2).astype(float)
        draw = torch.Generator().manual_seed(seed + 3)
        self.z = torch.randn(POINTS, z_dim, generator=draw)
        self.new_data(data, seed)
        self.heat_x = torch.from_numpy(np.stack(np.meshgrid(*self.middles()), -1).reshape(-1, 2)).float()
        self.z_lines = _z_lines(z_dim)

    def new_data(self, data, seed):
        self.real = data.sample(POINTS, torch.Generator().manual_seed(seed + 4))

    def middles(self):
        """The coordinates of the cells of D's map: x and y, (HEAT,) each."""
        share = (np.arange(HEAT) + 0.5) / HEAT
        return [low + share * (high - low) for low, high in zip(self.low, self.high)]

    def look(self, game, layers):
        """The ``Scene`` with the layers that are named, of ``LAYERS``."""
        with looking(game):
            fake = game.G(self.z)
            probability = gives_probability(game.objective)
            heat = grid = None
            if "map" in layers:
                heat = game.D(self.heat_x).reshape(HEAT, HEAT)
                heat = (heat.sigmoid() if probability else heat).numpy()
            if "grid" in layers and self.z_lines is not None:
                grid = list(game.G(self.z_lines.flatten(0, 1)).reshape(*self.z_lines.shape[:2], 2).numpy())
        real = self.real.numpy() if "real" in layers else None
        pull = pulls(game, self.real, fake).numpy() if "pull" in layers else None  # arrows start at their fakes
        fake = fake.numpy() if {"fake", "pull"} & set(layers) else None
        return Scene(self.low, self.high, real, fake, pull, heat, probability, grid)


def pulls(game, x, x_fake):
    """(N, 2): the direction in which each fake has to move for G's loss to fall, -N ∂g_loss/∂x_fake.

    The factor N undoes the mean over the batch, so that the length says how much one fake is pulled. An objective that
    compares pairs compares each fake with the real point of the same number.
    """
    with looking(game), frozen(game.D), torch.enable_grad():
        x_fake = x_fake.detach().requires_grad_()
        loss = game.objective.g_loss(game.D, x, x_fake)
        (gradient,) = torch.autograd.grad(loss, x_fake, allow_unused=True, materialize_grads=True)
    return -len(x_fake) * gradient


def _z_lines(z_dim):
    """(lines, STOPS, z_dim): a grid whose cells are all equally likely under N(0, I). None beyond two dimensions."""
    if z_dim > 2:
        return None
    normal = torch.distributions.Normal(0.0, 1.0)
    ends = normal.icdf(torch.tensor([0.5 / LINES, 1 - 0.5 / LINES]))
    along = torch.linspace(*ends.tolist(), STOPS)
    if z_dim == 1:
        return along.reshape(1, STOPS, 1)
    across = normal.icdf((torch.arange(LINES) + 0.5) / LINES)
    across, along = torch.meshgrid(across, along, indexing="ij")
    return torch.cat([torch.stack([across, along], -1), torch.stack([along, across], -1)])


# --- how far the fakes are off ------------------------------------------------------------------------------------


class Gauge:
    """JS and KL on a grid, and W₁ between samples, of a generator's fakes and the data.

    Args:
        data: the data set.
        low, high: corners of the picture, as for ``Eye``. The grid covers half as much again each way; what lies beyond counts at its rim.
        seed: of this gauge's own generator.

    Attributes:
        real_apart: the same three numbers for two sets of real points: so much comes from counting a finite set.
    """

    POINTS, PAIRS, CELLS, BLUR = 2000, 200, 64, 1 / 30

    def __init__(self, data, z_dim, low, high, seed):
        draw = torch.Generator().manual_seed(seed + 5)
        self.z = torch.randn(self.POINTS, z_dim, generator=draw)
        low, high = np.broadcast_to(low, 2).astype(float), np.broadcast_to(high, 2).astype(float)
        span, middle = float((high - low).max()), (low + high) / 2
        self.low, self.step = middle - 0.75 * span, 1.5 * span / self.CELLS
        self.blur = span * self.BLUR
        offsets = np.arange(self.CELLS) * self.step
        kernel = np.exp(-((offsets[:, None] - offsets) ** 2) / (2 * self.blur**2))
        self.kernel = kernel / kernel.sum(0)
        self.new_data(data, seed)

    def new_data(self, data, seed):
        draw = torch.Generator().manual_seed(seed + 6)
        self.real, other = (data.sample(self.POINTS, draw).double().numpy() for _ in range(2))
        self.p = self.density(self.real)
        self.real_apart = self.measure(other)

    def density(self, points):
        """(CELLS, CELLS): points counted in cells and blurred by a Gaussian of width ``blur``, per unit of area."""
        index = np.clip(((points - self.low) / self.step).astype(int), 0, self.CELLS - 1)
        counts = np.bincount(index[:, 0] * self.CELLS + index[:, 1], minlength=self.CELLS**2)
        counts = counts.reshape(self.CELLS, self.CELLS) / len(points)
        return self.kernel @ counts @ self.kernel.T / self.step**2

    def measure(self, fakes):
        """{"JS", "KL", "W1"} of (N, 2) points; NaN where one of them is not finite."""
        from scipy.optimize import linear_sum_assignment
        from scipy.spatial.distance import cdist

        if not np.isfinite(fakes).all():
            return dict.fromkeys(("JS", "KL", "W1"), np.nan)
        q, area = self.density(fakes), self.step**2
        distances = cdist(self.real[: self.PAIRS], fakes[: self.PAIRS])
        w1 = distances[linear_sum_assignment(distances)].mean()
        return {"JS": float(js(self.p, q, area)), "KL": float(kl(self.p, q, area)), "W1": float(w1)}

    def __call__(self, game):
        with looking(game):
            return self.measure(game.G(self.z).double().numpy())

    def words(self):
        """How each number comes about, in HTML."""
        return (
            f"<b>JS</b> and <b>KL(p‖q)</b>: {self.POINTS:,} real points and {self.POINTS:,} fakes are counted on a grid of "
            f"{self.CELLS} × {self.CELLS} cells, {self.step:.2g} wide, and both counts are blurred by a Gaussian of width "
            f"{self.blur:.2g}. So these compare the <i>blurred</i> distributions: details finer than that are not seen, and "
            "without the blur KL would be infinite as soon as one cell has real points and no fake. In nats; JS is at most "
            f"log 2 = 0.693. <b>W₁</b>: {self.PAIRS} real points and {self.PAIRS} fakes are paired one to one so that the mean "
            "distance within the pairs is the smallest there is (an exact assignment). In units of the axes. "
            "<b>real/real</b>: the same numbers for two sets of real points, which are not 0 either, as both sets are finite. "
            "Near them a generator is as good as these numbers can tell. Below them it is not better: fakes that scatter less "
            "than the data lie nearer to the real points than other real points do, and W₁ falls."
        )


# --- drawing ------------------------------------------------------------------------------------------------------


def svg(scene):
    """The scene as the text of an SVG, ``LEFT + SIZE + RIGHT`` pixels wide."""
    spans = [(float(a), float(b)) for a, b in zip(scene.low, scene.high)]
    frame = Frame(LEFT + SIZE + RIGHT, TOP + SIZE + BOTTOM, *spans, right=RIGHT)
    ticks = [[t for t in nice_ticks(*span, 6) if span[0] <= t <= span[1]] for span in spans]
    axes, drawn, legend = frame.axes("x₁", "x₂", *ticks), [], []
    if scene.heat is not None:
        drawn.append(_heat_image(scene))
        axes += _scale(frame, scene)
        for line in level_lines(scene):
            dash, width = ("6 3", 1.4) if scene.probability else ("", 0.8)
            drawn.append(frame.line(line[:, 0], line[:, 1], INK if scene.probability else CRITIC, dash, width))
    if scene.real is not None:
        drawn.append(frame.dots(scene.real, "#FFFFFF", 6.0, 0.8) + frame.dots(scene.real, REAL, 4.4, 0.9))
        legend.append(("real", REAL, DOT))
    if scene.grid is not None:
        drawn.append(_lines(frame, scene.grid, FAKE))
    if scene.pull is not None:
        drawn.append(_needles(frame, scene))
    if scene.fake is not None:
        drawn.append(frame.dots(scene.fake, "#FFFFFF", 6.0, 0.8) + frame.dots(scene.fake, FAKE, 4.4, 0.9))
        legend.append(("fake", FAKE, DOT))
    if scene.pull is not None:
        legend.append(("G's pull", INK, ""))
    if scene.grid is not None:
        legend.append(("grid of z", FAKE, ""))
    return frame.svg(axes, legend, "".join(drawn), "The plane: real points, fakes, D's map, the pull on each fake")


def heat_range(scene):
    """(lowest, highest) value on the scale of D's map."""
    if scene.probability:
        return 0.0, 1.0
    values = scene.heat[np.isfinite(scene.heat)]
    low, high = (float(values.min()), float(values.max())) if len(values) else (0.0, 1.0)
    return (low, high) if high - low > 1e-6 * max(1.0, abs(low)) else (low - 0.5, high + 0.5)


def level_lines(scene):
    """Lines of equal D, as (N, 2) arrays: D = 1/2, or of raw scores some six levels."""
    from contourpy import contour_generator

    if not np.isfinite(scene.heat).all():
        return []
    low, high = heat_range(scene)
    levels = [0.5] if scene.probability else nice_ticks(low, high, 6)
    share = (np.arange(HEAT) + 0.5) / HEAT
    axes = [a + share * (b - a) for a, b in zip(scene.low, scene.high)]
    generator = contour_generator(*axes, scene.heat)
    return [line for level in levels for line in generator.lines(level)]


def heat_pixels(scene):
    """(HEAT, HEAT, 3) uint8, the first row uppermost."""
    low, high = heat_range(scene)
    share = np.nan_to_num((scene.heat - low) / (high - low))
    return MAP[(np.clip(share, 0, 1) * 255).astype(np.uint8)][::-1]


def _heat_image(scene):
    data = base64.b64encode(png_bytes(heat_pixels(scene), quick=True)).decode()
    return (
        f'<image x="{10 * LEFT}" y="{10 * TOP}" width="{10 * SIZE}" height="{10 * SIZE}" '
        f'preserveAspectRatio="none" href="data:image/png;base64,{data}"/>'
    )


def _scale(frame, scene):
    left, bottom = LEFT + SIZE + 10, TOP + SIZE
    low, high = heat_range(scene)
    values = [0.0, 0.5, 1.0] if scene.probability else [t for t in nice_ticks(low, high, 3) if low <= t <= high]
    first, last = (f"rgb{tuple(int(v) for v in MAP[i])}" for i in (0, -1))
    parts = [
        f'<defs><linearGradient id="ganedu-map" x1="0" y1="1" x2="0" y2="0"><stop offset="0" stop-color="{first}"/>'
        f'<stop offset="1" stop-color="{last}"/></linearGradient></defs>'
        f'<rect x="{left}" y="{TOP}" width="9" height="{SIZE}" fill="url(#ganedu-map)" stroke="#999"/>'
        f'<text x="{left - 2}" y="{TOP - 9}">{"D(x)" if scene.probability else "D, raw"}</text>'
    ]
    for value, label in zip(values, tick_labels(values)):
        y = bottom - (value - low) / (high - low) * SIZE
        parts.append(f'<text x="{left + 13}" y="{y + 4:.1f}">{label}</text>')
    if scene.probability:  # the dashed line in the picture
        parts.append(f'<path d="M{left} {TOP + SIZE / 2}h9" stroke="{INK}" stroke-width="1.4" stroke-dasharray="3 2"/>')
    return "".join(parts)


def _lines(frame, lines, color):
    parts = []
    for line in lines:
        if np.isfinite(line).all():
            xy = np.stack([frame.x(line[:, 0]), frame.y(line[:, 1])], 1).round().astype(int).ravel().tolist()
            parts.append(f"M{' '.join(map(str, xy))}")
    return f'<path d="{"".join(parts)}" fill="none" stroke="{color}" stroke-opacity="0.55" stroke-width="9"/>'


def arrows(scene):
    """(N, 2): the vectors that are drawn for ``scene.pull``, in units of the axes."""
    span = float((scene.high - scene.low).max())
    lengths = np.linalg.norm(scene.pull, axis=1, keepdims=True)
    drawn = np.minimum(PULL * lengths, LONGEST) * span
    return np.divide(scene.pull, lengths, out=np.zeros_like(scene.pull), where=lengths > 0) * drawn


def _needles(frame, scene):
    """Each arrow as a slim triangle that starts broad at its fake and points where it is pulled."""
    tips = scene.fake + arrows(scene)
    tail = np.stack([frame.x(scene.fake[:, 0]), frame.y(scene.fake[:, 1])], 1)
    tip = np.stack([frame.x(tips[:, 0]), frame.y(tips[:, 1])], 1)
    way = tip - tail
    length = np.linalg.norm(way, axis=1, keepdims=True)
    there = (np.isfinite(way).all(1)) & (length[:, 0] > 10)
    tail, tip, way, length = tail[there], tip[there], way[there], length[there]
    side = 18 * np.stack([-way[:, 1], way[:, 0]], 1) / length
    corners = np.concatenate([tail + side, tip, tail - side], 1).round().astype(int).tolist()
    path = "".join(f"M{a} {b}L{c} {d} {e} {f}Z" for a, b, c, d, e, f in corners)
    return f'<path d="{path}" fill="{INK}" fill-opacity="0.85"/>'


def distances_chart(records, real_apart, x_range, width, height):
    """JS, KL and W₁ over the rounds on a logarithmic axis; dotted thin lines: two sets of real points."""
    series = [(key, [row[key] for row in records]) for key in GAPS]
    seen = [value for key, values in series for value in (*values, real_apart[key]) if 0 < value < np.inf]
    low, high = (np.floor(np.log10(min(seen))), np.ceil(np.log10(max(seen)))) if seen else (-2, 1)
    low, high = max(low, -4), max(high, low + 1)
    frame = Frame(width, height, x_range, (low, high))
    ticks = [t for t in nice_ticks(*x_range, 5) if x_range[0] <= t <= x_range[1]]
    axes, drawn, legend = frame.axes("rounds and single steps", "how far off (log)", ticks, []), [], []
    for power in range(int(low), int(high) + 1):
        y = float(frame.y(power)) / 10
        axes += f'<path d="M{LEFT} {y:.1f}H{width - frame.right}" stroke="{GRID}"/>'
        axes += f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{10.0**power:g}</text>'
    xs = np.array([row["x"] for row in records], float)
    for (key, values), color, dash in zip(series, GAP_COLORS, GAP_DASHES):
        values = np.array(values, float)
        there = (values > 0) & np.isfinite(values)
        if there.any():
            drawn.append(frame.line(*decimate(xs[there], np.log10(values[there])), color, dash))
        if real_apart[key] > 0:
            drawn.append(frame.line(x_range, np.log10([real_apart[key]] * 2), color, "1 3", 1.0))
        legend.append((GAPS[key], color, dash))
    return frame.svg(axes, legend, "".join(drawn), "JS, KL and W1 between data and fakes over the rounds")
