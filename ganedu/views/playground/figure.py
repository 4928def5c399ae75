"""The playground as one figure, for notebooks that nobody presses a button in."""

import math

import numpy as np

from ganedu.views.figure import CRITIC, FAKE, REAL
from ganedu.views.playground.scene import GAP_COLORS, GAPS, MAP, arrows, heat_pixels, heat_range, level_lines

INK = "#333333"


def scene_figure(play):
    """(figure, caption, alt text) of a ``Playground`` as it stands: the plane on the left, its curves on the right."""
    from matplotlib.figure import Figure

    scene, records = play.eye.look(play.trainer.game, play.layers), play.records
    figure = Figure(figsize=(10.4, 5), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(0.54, 0.46))
    _draw_scene(left.subplots(), scene)
    losses, gaps = right.subplots(2, 1, sharex=True)
    x = [row["x"] for row in records]
    for key, name, color, style in (("d_loss", "D's loss", CRITIC, "-"), ("g_loss", "G's loss", FAKE, "--")):
        losses.plot(x, [row[key] for row in records], color=color, linestyle=style, label=name)
    losses.set_ylabel("loss")
    for (key, name), color, style in zip(GAPS.items(), GAP_COLORS, ("-", "--", ":")):
        values = np.array([row[key] for row in records], float)
        gaps.plot(x, values, color=color, linestyle=style, label=name)
    gaps.set_ylabel("how far off")
    gaps.set_yscale("log")
    gaps.set_xlabel("round")
    for axes in (losses, gaps):
        axes.grid(color="#DDDDDD")
        axes.spines[["top", "right"]].set_visible(False)
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, borderaxespad=0.1)
    last = records[-1] if records else dict.fromkeys(("JS", "KL", "W1"), math.nan)
    apart = play.gauge.real_apart
    numbers = ", ".join(f"{name} {last[name]:.3g} ({apart[name]:.2g})" for name in ("JS", "KL", "W1"))
    caption = (
        f"{play.settings.data.name}, {play.settings.objective}, after round {play.trainer.round:,}: {numbers}; in "
        "brackets what two sets of real points are apart. Arrows show where G's loss pulls each fake."
    )
    alt = (
        "Left: real points and fakes over D's map, with the pull on each fake and the warped grid of z. Right: both "
        f"losses, and JS, KL and W1, over {play.trainer.round:,} rounds; at the end {numbers}."
    )
    return figure, caption, alt


def _draw_scene(axes, scene):
    box = (scene.low[0], scene.high[0], scene.low[1], scene.high[1])
    if scene.heat is not None:
        low, high = heat_range(scene)
        axes.imshow(heat_pixels(scene), extent=box, interpolation="bilinear", aspect="equal")
        from matplotlib.cm import ScalarMappable
        from matplotlib.colors import ListedColormap, Normalize

        colors = ScalarMappable(Normalize(low, high), ListedColormap(MAP / 255))
        axes.figure.colorbar(
            colors, ax=axes, label="D(x)" if scene.probability else "D's raw output", shrink=0.8, pad=0.02
        )
        for line in level_lines(scene):
            style = {"color": INK, "linestyle": "--"} if scene.probability else {"color": CRITIC, "linewidth": 0.7}
            axes.plot(*line.T, **style)
    if scene.real is not None:
        axes.scatter(*scene.real.T, s=14, color=REAL, edgecolors="white", linewidths=0.4, label="real", zorder=3)
    for line in scene.grid or ():
        axes.plot(*line.T, color=FAKE, alpha=0.55, linewidth=0.7)
    if scene.pull is not None:
        way = arrows(scene)
        axes.quiver(
            *scene.fake.T, *way.T, angles="xy", scale_units="xy", scale=1, width=0.004, color=INK, zorder=4, headwidth=4
        )
    if scene.fake is not None:
        axes.scatter(*scene.fake.T, s=14, color=FAKE, edgecolors="white", linewidths=0.4, label="fake", zorder=5)
    axes.set(xlim=box[:2], ylim=box[2:], xlabel="x₁", ylabel="x₂", aspect="equal")
    if axes.get_legend_handles_labels()[1]:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderaxespad=0.1, markerscale=1.5)
