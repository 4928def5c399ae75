"""What a game makes, as a picture: a grid of images, several grids side by side, a cloud of points, a histogram on a line.

Which it is the game decides by what its ``preview`` returns. Looking changes nothing: what is drawn is drawn once, from a
separate generator for displays, and nets run in eval mode without gradients.
"""

import numpy as np
import torch

from ganedu.gan import GAN, call, parameters_of
from ganedu.looking import in_eval_mode
from ganedu.views.charts import density_chart, scatter_chart
from ganedu.views.figure import CRITIC, FAKE, REAL
from ganedu.views.images import BETWEEN, png_bytes, side_by_side, tile

MAX_WIDTH = 420  # screen pixels, and of height as well
BLOCKS_WIDTH = 400  # screen pixels of several grids side by side
ENOUGH = 16  # images of a grid, beyond which larger pixels say more than further images
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


def blocks_layout(height, width, blocks, available):
    """(columns, rows, scale) of each of several grids side by side, beside which the charts still fit.

    The layout that shows most, counted in screen pixels of images; of two such the one with the larger pixels.
    """
    best = (0, 1, 1, 1)
    for columns in (1, 2, 3, 4, 6, 8):
        for scale in (1, 2, 3, 4, 6, 8):
            across = blocks * (columns * (width + 2) + 2) + BETWEEN * (blocks - 1)
            if columns > available or (across * scale > BLOCKS_WIDTH and (columns, scale) != (1, 1)):
                continue
            rows = max(1, min((MAX_WIDTH // scale - 2) // (height + 2), -(-available // columns)))
            shown = min(columns * rows, available, ENOUGH) * height * width * scale**2
            best = max(best, (shown, scale, columns, rows))
    _, scale, columns, rows = best
    return columns, rows, scale


def is_picture(samples):
    """Whether ``samples`` are images that can be shown: (N, C, H, W), grey or of three colours."""
    return isinstance(samples, torch.Tensor) and samples.ndim == 4 and samples.shape[1] in (1, 3) and len(samples) > 0


class Samples:
    """The samples of a trainer's averaged game, beside the real data where they are points.

    Attributes:
        kind: "images", "blocks" (grids of images side by side, under ``titles``), "points", "line", or None for what has
            no picture.
        caption: a sentence on what is seen; of blocks, what stands in each.
    """

    def __init__(self, trainer):
        self.trainer, self.caption, self.titles = trainer, "", ()
        self.kind = self._kind()
        if self.kind in ("points", "line"):
            count = POINTS if self.kind == "points" else 4 * POINTS
            apart = torch.Generator(trainer.device).manual_seed(trainer.seed + 3)
            self.batch = trainer.game.draw(trainer.data, count, apart)
            self.real = trainer.compare(self.batch)[0].cpu().numpy()
            low, high = self.real.min(axis=0), self.real.max(axis=0)
            margin = 0.35 * np.maximum(high - low, 1e-3)
            self.low, self.high = low - margin, high + margin  # fixed by the real data: the view stands still
            self.scores = self._scores() if self.kind == "line" else None

    def _kind(self):
        try:
            shown = self.trainer.preview()
        except NotImplementedError:  # a game that makes no samples
            return None
        if is_picture(shown):
            self.columns, self.scale = grid_layout(shown.shape[3], len(shown))
            self._most = self.columns**2
            self.caption = f"Averaged generator, the same {self._most} latents throughout"
            return "images"
        if isinstance(shown, dict) and shown and all(map(is_picture, shown.values())):
            available = min(map(len, shown.values()))
            height, width = (max(batch.shape[axis] for batch in shown.values()) for axis in (2, 3))
            self.columns, self.rows, self.scale = blocks_layout(height, width, len(shown), available)
            self._most = self.columns * self.rows
            self.titles = tuple(shown)
            self.caption = f"From left to right: {', '.join(map(str, shown))}"
            return "blocks"
        samples = self.trainer.compare()[1]
        return {(2,): "points", (1,): "line"}.get(tuple(samples.shape[1:]))

    def shown(self):
        """The images of the picture as they are now: (N, C, H, W), or {title: (N, C, H, W)} for blocks."""
        if self.kind == "images":
            return self.trainer.preview(self._most)[: self._most]
        return {title: batch[: self._most] for title, batch in self.trainer.preview().items()}

    def pixels(self):
        """The picture of images as uint8, (H, W) or (H, W, 3), one pixel a pixel."""
        if self.kind == "images":
            return tile(self.shown(), self.columns)
        return side_by_side(self.shown().values(), self.columns)

    def fakes(self):
        """The present samples of points, on the CPU."""
        return self.trainer.compare(self.batch)[1].cpu()

    def draw(self):
        """The picture: the bytes of a PNG, the text of an SVG, or None for data of another shape."""
        if self.kind in ("images", "blocks"):
            return png_bytes(self.pixels(), quick=True)
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

    # --- D over a line ---------------------------------------------------------------------------------------------

    def score_axis(self):
        """(label, range or None) of the axis on which D's output is drawn."""
        return ("D(x)", (0.0, 1.0)) if self.scores == "probability" else ("D's raw output", None)

    def curve(self, points=100):
        """(xs, D's output there) for one-dimensional data; None if the game has no D that takes x alone."""
        if self.scores is None:
            return None
        xs = torch.linspace(float(self.low[0]), float(self.high[0]), points, device=self.trainer.device)
        with torch.no_grad():
            output = in_eval_mode(self.trainer.game).D(xs[:, None]).reshape(-1)
            if self.scores == "probability":
                output = output.sigmoid()
        return xs.cpu().numpy(), output.cpu().numpy()

    def _scores(self):
        """How the game itself looks at D's output: "probability", "raw", or None where there is no such D."""
        game = self.trainer.game
        if not isinstance(game, GAN) or set(parameters_of(game.judge)) != {"x", "z"}:
            return None
        with torch.no_grad():
            real_logits = call(in_eval_mode(game).judge, self.trainer.fixed)[0]
        if real_logits.numel() != len(self.trainer.fixed_x):
            return None
        observed = self.trainer.observe().get("d_real")
        as_probability = observed is not None and abs(float(real_logits.sigmoid().mean()) - observed) < 1e-4
        return "probability" if as_probability else "raw"
