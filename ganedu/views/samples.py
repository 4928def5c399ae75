"""What the generator makes, as a picture: a grid of images, a cloud of points, or a histogram on a line.

Looking changes nothing: latents and real samples are drawn once, from a generator of this view's own, and nets run in
eval mode without gradients.
"""

import numpy as np
import torch

from ganedu.training import evaluating
from ganedu.views.charts import density_chart, scatter_chart
from ganedu.views.figure import CRITIC, FAKE, REAL
from ganedu.views.images import png_bytes, tile

MAX_WIDTH = 420  # screen pixels
POINTS = 500


def grid_layout(size, available=64):
    """(columns, scale) of a square grid of images ``size`` pixels wide: the widest that fits, with whole pixels.

    8 x 8, 6 x 6 or 4 x 4 images (as many as there are latents for), each pixel a square of ``scale`` screen pixels.
    """
    fitting = [
        (columns * (size + 2) * scale, columns, scale)
        for columns in (8, 6, 4)
        for scale in (1, 2, 3, 4, 6, 8)
        if columns * (size + 2) * scale + 2 * scale <= MAX_WIDTH and columns**2 <= available
    ]
    if not fitting:
        return 4, 1
    _, columns, scale = max(fitting)
    return columns, scale


class Samples:
    """The samples of a trainer's averaged generator beside the real data. ``kind``: "images", "points", "line", None."""

    def __init__(self, trainer):
        self.trainer = trainer
        shape = tuple(trainer.fixed_x.shape[1:])
        if len(shape) == 3 and shape[0] in (1, 3):
            self.kind = "images"
        else:
            self.kind = {(2,): "points", (1,): "line"}.get(shape)
        if self.kind == "images":
            self.columns, self.scale = grid_layout(shape[2], len(trainer.fixed_z))
            self.z = trainer.fixed_z[: self.columns**2]
        elif self.kind is not None:
            apart = torch.Generator(trainer.device).manual_seed(trainer.seed + 3)
            count = POINTS if self.kind == "points" else 4 * POINTS
            self.real = trainer.data.sample(count, apart).cpu().numpy()
            self.z = trainer.game.sample_z(count, apart)
            low, high = self.real.min(axis=0), self.real.max(axis=0)
            margin = 0.35 * np.maximum(high - low, 1e-3)
            self.low, self.high = low - margin, high + margin  # fixed by the real data: the view stands still
            self.scores = self._scores() if self.kind == "line" else None

    def fakes(self):
        """The present samples for this view's latents, on the CPU."""
        return self.trainer.sample(len(self.z), z=self.z).cpu()

    def draw(self):
        """The picture: the bytes of a PNG, the text of an SVG, or None for data of another shape."""
        if self.kind == "images":
            return png_bytes(tile(self.fakes(), self.columns), quick=True)
        if self.kind == "points":
            span = [(float(a), float(b)) for a, b in zip(self.low, self.high)]
            return scatter_chart(self.real, self.fakes().numpy(), x_range=span[0], y_range=span[1], colors=(REAL, FAKE))
        if self.kind == "line":
            edges, real, fake = self.histograms()
            label, curve_range = self.score_axis()
            return density_chart(
                edges, real, fake, self.curve(), colors=(REAL, FAKE, CRITIC), curve_label=label, curve_range=curve_range
            )
        return None

    def histograms(self, bins=50):
        """(edges, densities of the real samples, densities of the fakes) of one-dimensional data."""
        edges = np.linspace(self.low[0], self.high[0], bins + 1)
        densities = []
        for values in (self.real, self.fakes().numpy()):
            counts, _ = np.histogram(values.ravel(), edges)
            densities.append(counts / (len(values) * (edges[1] - edges[0])))
        return edges, *densities

    def score_axis(self):
        """(label, range or None) of the axis on which D's output is drawn."""
        return ("D(x)", (0.0, 1.0)) if self.scores == "probability" else ("D's raw output", None)

    def curve(self, points=100):
        """(xs, D's output there) for one-dimensional data; None if the game has no D that takes x alone."""
        if self.scores is None:
            return None
        xs = torch.linspace(float(self.low[0]), float(self.high[0]), points, device=self.trainer.device)
        with evaluating(self.trainer.game):
            output = self.trainer.game.D(xs[:, None]).reshape(-1)
            if self.scores == "probability":
                output = output.sigmoid()
        return xs.cpu().numpy(), output.cpu().numpy()

    def _scores(self):
        """How the game itself looks at D's output: "probability", "raw", or None where there is no such D."""
        game, x = self.trainer.game, self.trainer.fixed_x
        if not hasattr(game, "D"):
            return None
        with evaluating(game):
            output = game.D(x)
        if output.numel() != len(x):
            return None
        observed = self.trainer.observe().get("d_real")
        as_probability = observed is not None and abs(float(output.sigmoid().mean()) - observed) < 1e-4
        return "probability" if as_probability else "raw"
