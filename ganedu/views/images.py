"""Image batches as pixels and as PNG, with numpy and Pillow alone: quick enough for a live view."""

import io
import struct
import zlib

import numpy as np

from ganedu.arguments import whole_number

BETWEEN = 6  # pixels between two grids, beyond those around each


def to_pixels(images):
    """(N, C, H, W) images in [-1, 1] (a tensor or an array; values beyond are clipped) -> (N, H, W, C) uint8.

    Raises:
        ValueError: another number of axes, or channels other than 1 (grey) or 3 (RGB).
    """
    images = images.detach().cpu().numpy() if hasattr(images, "detach") else np.asarray(images)
    if images.ndim != 4 or images.shape[1] not in (1, 3) or len(images) == 0:
        raise ValueError(f"images: got shape {tuple(images.shape)}, wants (N, C, H, W) with N >= 1 and C = 1 or 3")
    pixels = np.clip(images.astype(np.float32) * 127.5 + 128, 0, 255).astype(np.uint8)  # + 128: rounds, does not cut
    return pixels.transpose(0, 2, 3, 1)


def tile(images, columns=8, gap=2, background=255):
    """One picture of a batch, row by row: (N, C, H, W) in [-1, 1] -> uint8, (H', W') for grey or (H', W', 3).

    Args:
        images: the batch; a cell that is left over in the last row shows the background.
        columns: images in a row; no more are used than there are images.
        gap: pixels between two images and around them.
        background: grey value of the gap, 0..255.
    """
    pixels = to_pixels(images)
    n, h, w, c = pixels.shape
    columns = min(whole_number("columns", columns), n)
    gap = whole_number("gap", gap, at_least=0)
    rows = -(-n // columns)
    canvas = np.full((rows * columns, h + gap, w + gap, c), background, np.uint8)
    canvas[:n, gap:, gap:] = pixels
    canvas = canvas.reshape(rows, columns, h + gap, w + gap, c).swapaxes(1, 2)
    canvas = canvas.reshape(rows * (h + gap), columns * (w + gap), c)
    framed = np.pad(canvas, ((0, gap), (0, gap), (0, 0)), constant_values=background)
    return framed[:, :, 0] if c == 1 else framed


def side_by_side(batches, columns, gap=2, between=BETWEEN):
    """Several batches as one picture, each as ``tile`` has it: uint8, (H', W'), or (H', W', 3) if one is in colour.

    Args:
        batches: of (N, C, H, W) in [-1, 1]; sizes may differ.
        columns, gap: as for ``tile``.
        between: more pixels between two of them.
    """
    tiles = [tile(batch, columns, gap) for batch in batches]
    if any(pixels.ndim == 3 for pixels in tiles):
        tiles = [pixels if pixels.ndim == 3 else np.stack([pixels] * 3, axis=-1) for pixels in tiles]
    height, parts = max(len(pixels) for pixels in tiles), []
    for i, pixels in enumerate(tiles):
        margins = [(0, height - len(pixels)), (between if i else 0, 0), (0, 0)]
        parts.append(np.pad(pixels, margins[: pixels.ndim], constant_values=255))
    return np.concatenate(parts, axis=1)


def enlarge(pixels, scale):
    """Each pixel of (H, W) or (H, W, 3) as a square of ``scale`` x ``scale``."""
    scale = whole_number("scale", scale)
    return pixels.repeat(scale, axis=0).repeat(scale, axis=1)


def png_bytes(pixels, quick=False):
    """uint8 pixels, (H, W) grey or (H, W, 3) RGB -> the bytes of a PNG file.

    ``quick`` is for live views: five times as fast, a little larger on photographs.
    """
    pixels = np.ascontiguousarray(pixels)
    if not quick:
        from PIL import Image

        buffer = io.BytesIO()
        Image.fromarray(pixels).save(buffer, "PNG", optimize=True)
        return buffer.getvalue()
    height, width = pixels.shape[:2]
    rows = pixels.reshape(height, -1)
    lines = np.zeros((height, rows.shape[1] + 1), np.uint8)  # each line begins with its filter: 0, none
    lines[:, 1:] = rows
    packer = zlib.compressobj(1, strategy=zlib.Z_RLE)  # finds runs of one value and searches no further
    data = packer.compress(lines.tobytes()) + packer.flush()
    header = struct.pack(">IIBBBBB", width, height, 8, 0 if pixels.ndim == 2 else 2, 0, 0, 0)
    chunks = ((b"IHDR", header), (b"IDAT", data), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body)) for kind, body in chunks
    )


def shrink_png(png, tolerance=6.0):
    """The same picture with a palette of 128 or 256 colours, where no eye sees it: else the PNG as it was.

    Args:
        png: bytes of a PNG file.
        tolerance: the largest mean error that is let pass, in levels of 0..255, over the worst 1 % of the pixels.
    """
    from PIL import Image

    with Image.open(io.BytesIO(png)) as image:
        if image.mode == "RGBA" and image.getextrema()[3] == (255, 255):
            image = image.convert("RGB")
        if image.mode != "RGB":
            return png
        for colors in (128, 256):
            palette = image.quantize(colors, method=Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
            error = np.asarray(palette.convert("RGB"), np.int16) - np.asarray(image, np.int16)
            error = np.abs(error).mean(axis=2).ravel()
            worst = max(1, error.size // 100)
            if np.partition(error, -worst)[-worst:].mean() <= tolerance:
                buffer = io.BytesIO()
                palette.save(buffer, "PNG", optimize=True)
                return min(png, buffer.getvalue(), key=len)
    return png
