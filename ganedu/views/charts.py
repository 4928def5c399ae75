"""Charts as text: small SVGs put together by hand, cheap enough to be drawn while a net trains.

Every function returns the text of one ``<svg>``. Coordinates are whole tenths of a pixel.
"""

import math
from html import escape

import numpy as np

INK, GRID = "#333333", "#DDDDDD"
LEFT, RIGHT, TOP, BOTTOM = 56, 18, 24, 38  # margins in pixels; they never change, so that nothing jumps
DOT = "dot"  # a legend's mark for a cloud of points
DASHES = ("", "6 3", "2 2", "8 3 2 3")


def nice_ticks(low, high, count=4):
    """About ``count`` round numbers that cover [low, high]; the first is at most ``low``, the last at least ``high``."""
    if not (math.isfinite(low) and math.isfinite(high)):
        low, high = 0.0, 1.0
    if high - low < 1e-9 * max(1.0, abs(low), abs(high)):
        low, high = low - 0.5, high + 0.5
    step = (high - low) / count
    unit = 10.0 ** math.floor(math.log10(step))
    step = unit * next(m for m in (1, 2, 2.5, 5, 10) if m * unit >= step * (1 - 1e-9))
    first, last = math.floor(low / step + 1e-9), math.ceil(high / step - 1e-9)
    return [round(i * step, 12) for i in range(first, last + 1)]


def tick_labels(ticks):
    """Labels of evenly spaced ticks, all with as many decimals: 0.50, 0.75, 1.00; 1,200; 15k; 2.5M."""
    largest = max(abs(tick) for tick in ticks) if ticks else 0
    factor, unit = (1e6, "M") if largest >= 1e6 else (1e3, "k") if largest >= 1e4 else (1, "")
    values = [tick / factor for tick in ticks]
    decimals = max((len(f"{value:.6f}".rstrip("0").split(".")[1]) for value in values), default=0)
    return [f"{value:,.{decimals}f}{unit if value else ''}" for value in values]


def decimate(xs, ys, limit=200):
    """At most ``limit`` of the points, always with the last and with each stretch's lowest and highest.

    ``xs`` and ``ys``: arrays of one length, ``xs`` rising. A plain stride would hide a spike.
    """
    n = len(xs)
    if n <= limit:
        return xs, ys
    stretches = (limit - 1) // 2
    size = -(-n // stretches)
    padded = np.concatenate([ys, np.full(size * stretches - n, ys[-1])]).reshape(stretches, size)
    starts = np.arange(stretches) * size
    picked = np.concatenate([starts + padded.argmin(1), starts + padded.argmax(1), [n - 1]])
    picked = np.unique(np.minimum(picked, n - 1))
    return xs[picked], ys[picked]


class Frame:
    """The plot area: its size in pixels, the ranges of both axes, and how to get from values to coordinates."""

    def __init__(self, width, height, x_range, y_range, right=RIGHT):
        self.width, self.height, self.right = width, height, right
        self.x_range, self.y_range = x_range, y_range
        self.plot_width, self.plot_height = width - LEFT - right, height - TOP - BOTTOM

    def x(self, values):
        """Values -> tenths of pixels from the left."""
        low, high = self.x_range
        return LEFT * 10 + (np.asarray(values, float) - low) / (high - low) * self.plot_width * 10

    def y(self, values, y_range=None):
        """Values -> tenths of pixels from the top, cut off where they leave the plot."""
        low, high = y_range or self.y_range
        share = np.clip((np.asarray(values, float) - low) / (high - low), -0.02, 1.02)
        return (self.height - BOTTOM) * 10 - share * self.plot_height * 10

    def line(self, xs, ys, color, dash="", width=1.8, y_range=None):
        points = np.stack([self.x(xs), self.y(ys, y_range)], axis=1)
        points = points[np.isfinite(points).all(axis=1)].round().astype(int).ravel().tolist()
        pattern = f' stroke-dasharray="{" ".join(str(10 * int(d)) for d in dash.split())}"' if dash else ""
        return (
            f'<polyline points="{" ".join(map(str, points))}" fill="none" stroke="{color}" '
            f'stroke-width="{10 * width:.0f}" stroke-linejoin="round"{pattern}/>'
        )

    def dots(self, points, color, size=4.5, opacity=0.55):
        """``points`` (N, 2) as round dots: one path, whose strokes of length 0 have round ends."""
        low, high = self.x_range
        points = points[(points[:, 0] >= low) & (points[:, 0] <= high) & np.isfinite(points[:, 1])]
        xy = np.stack([self.x(points[:, 0]), self.y(points[:, 1])], axis=1).round().astype(int).tolist()
        path = "".join(f"M{x} {y}h0" for x, y in xy)
        return (
            f'<path d="{path}" stroke="{color}" stroke-opacity="{opacity}" stroke-width="{10 * size:.0f}" '
            'stroke-linecap="round" fill="none"/>'
        )

    def axes(self, x_label, y_label, x_ticks, y_ticks):
        bottom, left, right = self.height - BOTTOM, LEFT, self.width - self.right
        parts = []
        for value, label in zip(y_ticks, tick_labels(y_ticks)):
            y = self.y(value) / 10
            parts.append(f'<path d="M{left} {y:.1f}H{right}" stroke="{GRID}"/>')
            parts.append(f'<text x="{left - 6}" y="{y + 4:.1f}" text-anchor="end">{label}</text>')
        for value, label in zip(x_ticks, tick_labels(x_ticks)):
            x = self.x(value) / 10
            parts.append(f'<path d="M{x:.1f} {bottom}v4" stroke="{INK}"/>')
            parts.append(f'<text x="{x:.1f}" y="{bottom + 16}" text-anchor="middle">{label}</text>')
        middle = TOP + self.plot_height / 2
        parts.append(f'<path d="M{left} {bottom}H{right}" stroke="{INK}"/>')
        parts.append(
            f'<text x="{left + self.plot_width / 2:.0f}" y="{self.height - 4}" text-anchor="middle">'
            f"{escape(x_label)}</text>"
        )
        parts.append(
            f'<text x="12" y="{middle:.0f}" text-anchor="middle" '
            f'transform="rotate(-90 12 {middle:.0f})">{escape(y_label)}</text>'
        )
        return "".join(parts)

    def svg(self, axes, legend, drawn, title):
        """The whole picture. ``legend``: (name, colour, dash) entries, set out in one row above the plot."""
        row, x = [], LEFT
        for name, color, dash in legend:
            if dash == DOT:
                row.append(f'<circle cx="{x + 16}" cy="11" r="4" fill="{color}"/>')
            else:
                pattern = f' stroke-dasharray="{dash}"' if dash else ""
                row.append(f'<path d="M{x} 11h22" stroke="{color}" stroke-width="2.5"{pattern}/>')
            row.append(f'<text x="{x + 27}" y="15">{escape(name)}</text>')
            x += 27 + 7 * len(name) + 16
        clip = f"p{self.width}x{self.height}x{self.right}"
        return (
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{self.width}" height="{self.height}" '
            f'viewBox="0 0 {self.width} {self.height}" role="img" aria-label="{escape(title)}" '
            f'font-family="system-ui, sans-serif" font-size="12" fill="{INK}">'
            f'<rect width="{self.width}" height="{self.height}" fill="white"/>'
            f'<clipPath id="{clip}"><rect x="{LEFT}" y="{TOP - 2}" width="{self.plot_width + 1}" '
            f'height="{self.plot_height + 4}"/></clipPath>'
            f'{axes}{"".join(row)}<g clip-path="url(#{clip})"><g transform="scale(.1)">{drawn}</g></g></svg>'
        )


def line_chart(series, *, x_range, x_label, y_label, y_range=None, width=410, height=184):
    """Curves over rounds.

    Args:
        series: a list of (name, colour, xs, ys); from the second on the lines are dashed, too.
        x_range: (low, high) of the x axis.
        x_label, y_label: what the axes show.
        y_range: (low, high), or None: then round numbers around the data.
    """
    drawn_points = []
    for _, _, xs, ys in series:
        xs, ys = np.asarray(xs, float), np.asarray(ys, float)
        there = np.isfinite(ys)
        drawn_points.append(decimate(xs[there], ys[there]))
    values = [ys for _, ys in drawn_points]
    values = np.concatenate(values) if values else np.array([])
    if y_range is not None:
        y_ticks = nice_ticks(*y_range)
    else:
        y_ticks = nice_ticks(values.min(), values.max()) if len(values) else nice_ticks(0, 1)
    low, high = x_range
    frame = Frame(width, height, (low, max(high, low + 1)), (y_ticks[0], y_ticks[-1]))
    x_ticks = [tick for tick in nice_ticks(low, max(high, low + 1), 5) if low <= tick <= max(high, low + 1)]
    legend, drawn = [], []
    for i, ((name, color, _, _), (xs, ys)) in enumerate(zip(series, drawn_points)):
        dash = DASHES[i % len(DASHES)]
        legend.append((name, color, dash))
        if len(xs):
            drawn.append(frame.line(xs, ys, color, dash))
    names = ", ".join(name for name, *_ in series)
    title = f"Line chart over {x_label}: {names}"
    return frame.svg(frame.axes(x_label, y_label, x_ticks, y_ticks), legend, "".join(drawn), title)


def scatter_chart(real, fake, *, x_range, y_range, colors, width=400, height=400):
    """Two clouds of points, (N, 2) each: the real data below, the samples above."""
    frame = Frame(width, height, x_range, y_range)
    ticks = [[t for t in nice_ticks(*r, 7) if r[0] <= t <= r[1]] for r in (x_range, y_range)]
    drawn = frame.dots(real, colors[0]) + frame.dots(fake, colors[1])
    legend = [("real", colors[0], DOT), ("fake", colors[1], DOT)]
    title = f"Scatter chart: {len(real)} real and {len(fake)} generated points"
    return frame.svg(frame.axes("x₁", "x₂", *ticks), legend, drawn, title)


def density_chart(edges, real, fake, curve, *, colors, curve_label, curve_range=None, width=400, height=400):
    """Histograms of real and fake samples as outlines, with D's output over x on an axis of its own on the right.

    Args:
        edges: (B + 1,) edges of the bins, equally wide.
        real, fake: (B,) densities, per unit of x.
        curve: (xs, ys) of D's output, or None.
        colors: of real, fake and the curve.
        curve_label: what the right axis shows.
        curve_range: (low, high) of the right axis, or None.
    """
    y_ticks = nice_ticks(0, 1.25 * max(float(real.max()), 1e-9))  # by the real data, so that the axis stands still
    frame = Frame(width, height, (edges[0], edges[-1]), (0, y_ticks[-1]), right=RIGHT if curve is None else 48)
    xs = np.repeat(edges, 2)
    drawn, legend = [], []
    for name, heights, color, dash in (("real", real, colors[0], ""), ("fake", fake, colors[1], DASHES[1])):
        ys = np.concatenate([[0], np.repeat(heights, 2), [0]])
        drawn.append(frame.line(xs, ys, color, dash))
        legend.append((name, color, dash))
    x_ticks = [tick for tick in nice_ticks(edges[0], edges[-1]) if edges[0] <= tick <= edges[-1]]
    axes = frame.axes("x", "density (1 per unit of x)", x_ticks, y_ticks)
    if curve is not None:
        ticks = nice_ticks(*(curve_range or (float(np.min(curve[1])), float(np.max(curve[1])))))
        span = (ticks[0], ticks[-1])
        drawn.append(frame.line(*curve, colors[2], DASHES[2], y_range=span))
        legend.append((curve_label, colors[2], DASHES[2]))
        right, middle = width - frame.right, TOP + frame.plot_height / 2
        for value, label in zip(ticks, tick_labels(ticks)):
            y = frame.y(value, span) / 10 + 4
            axes += f'<text x="{right + 5}" y="{y:.1f}" fill="{colors[2]}">{label}</text>'
        axes += (
            f'<text x="{width - 6}" y="{middle:.0f}" text-anchor="middle" fill="{colors[2]}" '
            f'transform="rotate(90 {width - 10} {middle:.0f})">{escape(curve_label)}</text>'
        )
    return frame.svg(axes, legend, "".join(drawn), "Histograms of real and generated samples, with the output of D")
