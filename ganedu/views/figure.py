"""Figures in the notebook: small PNGs with a caption and alt text; nothing at all in a plain script.

With the environment variable ``GANEDU_FIGURES`` set to a folder every figure is also written there, numbered in order.
"""

import io
import itertools
import os
import sys
from pathlib import Path

from ganedu.arguments import whole_number
from ganedu.views.images import enlarge, png_bytes, shrink_png, tile

# Okabe and Ito's colours, told apart by colour-blind readers: green is real, vermillion is G and its fakes, blue is D.
REAL, FAKE, CRITIC = "#009E73", "#D55E00", "#0072B2"
PALETTE = (CRITIC, FAKE, REAL, "#CC79A7", "#E69F00", "#56B4E9", "#000000")
DPI = 100
_numbers = itertools.count(1)


def in_notebook():
    """True where an IPython kernel runs, so that a display reaches a front end."""
    if "IPython" not in sys.modules:
        return False
    from IPython import get_ipython

    return getattr(get_ipython(), "kernel", None) is not None


def show(figure, caption="", alt=""):
    """Put a figure into the notebook, with a caption below it.

    Outside a notebook nothing is displayed. With ``GANEDU_FIGURES`` set, the picture is also saved in that folder as
    ``01-figure.png``, ``02-figure.png`` and so on.

    Args:
        figure: a matplotlib ``Figure``, or the bytes of a PNG. A pyplot figure is closed afterwards.
        caption: what to see in it, in Markdown.
        alt: what the picture shows, for those who do not see it; the caption unless given.

    Raises:
        TypeError: neither a figure nor bytes.
        ValueError: bytes that are no PNG.
    """
    png = as_png(figure)
    folder = os.environ.get("GANEDU_FIGURES")
    if folder:
        path = Path(folder) / f"{next(_numbers):02d}-figure.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(png)
    if in_notebook():
        from IPython.display import display

        about = {"alt": alt or caption}
        # nbconvert reads the alt text under the picture's type, other readers beside it
        display({"image/png": png, "text/plain": alt or caption}, metadata={"image/png": about, **about}, raw=True)
        if caption:
            display({"text/markdown": f"*{caption}*", "text/plain": caption}, raw=True)


def as_png(figure):
    """The bytes of a small PNG of a matplotlib ``Figure`` (a pyplot one is closed), or of a PNG. Errors as for ``show``."""
    if isinstance(figure, bytes):
        if not figure.startswith(b"\x89PNG\r\n\x1a\n"):
            raise ValueError(f"figure: got {len(figure)} bytes that are no PNG, wants a matplotlib figure or a PNG")
        return shrink_png(figure)
    if not hasattr(figure, "savefig"):
        raise TypeError(f"figure: got {type(figure).__name__}, wants a matplotlib figure or the bytes of a PNG")
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, facecolor="white", bbox_inches="tight", pad_inches=0.08)
    pyplot = sys.modules.get("matplotlib.pyplot")
    if pyplot is not None:
        pyplot.close(figure)  # or the notebook shows it a second time; does nothing to a figure that is not pyplot's
    return shrink_png(buffer.getvalue())


def image_grid(images, columns=8, scale=None, width=500):
    """A batch of images as one PNG, row by row, with crisp pixels.

    Args:
        images: (N, C, H, W) in [-1, 1], C = 1 or 3; or a dict {title: such a batch}: then the result is a matplotlib
            ``Figure`` with the grids side by side, each under its title.
        columns: images in a row.
        scale: screen pixels per image pixel, a whole number; chosen unless given, so that the grid is about ``width``
            pixels wide at most.

    Returns:
        the bytes of a PNG, or a ``Figure``: both are taken by ``show``.
    """
    if isinstance(images, dict):
        return _titled_grids(images, columns)
    pixels = tile(images, columns)
    if scale is None:
        scale = max(1, whole_number("width", width) // pixels.shape[1])
    return png_bytes(enlarge(pixels, scale))


def _titled_grids(batches, columns):
    from matplotlib.figure import Figure

    if not batches:
        raise ValueError("images: got an empty dict, wants at least one title with its batch")
    grids = {title: tile(images, columns) for title, images in batches.items()}
    height = 3.3
    ratios = [grid.shape[1] / grid.shape[0] for grid in grids.values()]
    figure = Figure(figsize=(height * sum(ratios) + 0.3 * (len(grids) - 1), height + 0.3), layout="constrained")
    for axes, (title, grid) in zip(
        figure.subplots(1, len(grids), squeeze=False, width_ratios=ratios)[0], grids.items()
    ):
        draw_pixels(axes, grid)
        axes.set_title(title, fontsize=11)
    return figure


def draw_pixels(axes, pixels):
    """Draw (H, W) or (H, W, 3) uint8 pixels into matplotlib axes, without ticks or smoothing."""
    axes.imshow(pixels, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
    axes.set_axis_off()
