"""The picture that stays in the notebook when training is over: samples, losses and what D said."""

import io

from ganedu.gan import GAN
from ganedu.views.figure import CRITIC, FAKE, REAL, draw_pixels
from ganedu.views.images import enlarge
from ganedu.views.samples import Samples

COLORS = {"d_loss": CRITIC, "g_loss": FAKE, "d_real": REAL, "d_fake": FAKE}
NAMES = {"d_loss": "D's loss", "g_loss": "G's loss", "d_real": "D on real", "d_fake": "D on fake"}
SPARE = ("#CC79A7", "#E69F00", "#56B4E9", "#000000")


def curves(history):
    """The series of a trainer's history in two lists, (losses, observations), of (name, colour, rounds, values)."""
    losses, observed = [], []
    for i, (key, values) in enumerate(list(history.items())):
        if key != "round":
            name = NAMES.get(key, key.replace("_", " "))
            series = (name, COLORS.get(key, SPARE[i % len(SPARE)]), history["round"][: len(values)], values)
            (losses if key.endswith("_loss") else observed).append(series)
    return losses, observed


def observed_range(observed):
    """(0, 1) if every value is a probability, else None."""
    values = [value for _, _, _, ys in observed for value in (min(ys), max(ys)) if ys]
    return (0.0, 1.0) if values and min(values) >= 0 and max(values) <= 1 else None


def training_figure(trainer, picture=None):
    """(figure, caption, alt text) of a training run: the samples on the left, its curves on the right.

    Args:
        trainer: the trainer.
        picture: a function ``picture(trainer)`` in place of the samples; an SVG of it is not drawn here.
    """
    from matplotlib.figure import Figure

    figure = Figure(figsize=(10, 4.3), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=(0.44, 0.56))
    axes = left.subplots()
    what = _draw_picture(axes, trainer, picture)
    losses, observed = curves(trainer.history)
    plots = [plot for plot in ((losses, "loss"), (observed, trainer.game.observed)) if plot[0]]
    panels = right.subplots(len(plots), 1, sharex=True, squeeze=False)[:, 0] if plots else []
    for panel, (series, label) in zip(panels, plots):
        for i, (name, color, xs, ys) in enumerate(series):
            panel.plot(xs, ys, color=color, linestyle=("-", "--", ":", "-.")[i % 4], linewidth=1.4, label=name)
        panel.set_ylabel(label)
        panel.grid(color="#DDDDDD")
        panel.spines[["top", "right"]].set_visible(False)
        panel.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, borderaxespad=0.1)
        if series is observed and observed_range(observed):
            panel.set_ylim(-0.03, 1.03)
    if len(panels):
        panels[-1].set_xlabel("round")
    ends = ", ".join(f"{name} {ys[-1]:.2f}" for name, _, _, ys in losses + observed if ys)
    seen = "what D says of real and fake batches" if isinstance(trainer.game, GAN) else "what the game observes"
    seen = f" and {seen}" if observed else ""
    caption = f"After round {trainer.round:,}: {what}; on the right the losses{seen}."
    alt = f"Left: {what}. Right: curves over {trainer.round:,} rounds; at the end {ends}."
    return figure, caption, alt


def _draw_picture(axes, trainer, picture):
    """Draw the samples, or the PNG of ``picture``, and say in words what they are."""
    if picture is not None:
        drawn = picture(trainer)
        if isinstance(drawn, bytes):
            from PIL import Image

            with Image.open(io.BytesIO(drawn)) as image:
                axes.imshow(image.convert("RGB"), interpolation="nearest")
            what = "the picture of this lesson"
        else:
            what = "the picture of this lesson, shown above as it stood last"
        axes.set_axis_off()
        return what
    samples = Samples(trainer)
    if samples.kind == "images":
        draw_pixels(axes, enlarge(samples.pixels(), samples.scale))
        return f"{samples.columns**2} samples of the averaged generator"
    if samples.kind == "blocks":
        draw_pixels(axes, enlarge(samples.pixels(), samples.scale))
        return f"samples, from left to right {', '.join(map(str, samples.titles))}"
    if samples.kind == "points":
        fakes = samples.fakes().numpy()
        axes.scatter(*samples.real.T, s=9, color=REAL, alpha=0.5, linewidths=0, label="real")
        axes.scatter(*fakes.T, s=9, color=FAKE, alpha=0.5, linewidths=0, label="fake")
        axes.set(
            xlabel="x₁", ylabel="x₂", xlim=(samples.low[0], samples.high[0]), ylim=(samples.low[1], samples.high[1])
        )
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=2, frameon=False, borderaxespad=0.1, markerscale=2)
        return f"{len(fakes)} real points and as many samples"
    if samples.kind == "line":
        _draw_line(axes, samples)
        return "histograms of the real data and of the samples, with D's output over x"
    axes.set_axis_off()
    return "data of a shape that has no picture"


def _draw_line(axes, samples):
    edges, real, fake = samples.histograms()
    axes.stairs(real, edges, color=REAL, linewidth=1.6, label="real")
    axes.stairs(fake, edges, color=FAKE, linewidth=1.6, linestyle="--", label="fake")
    axes.set(xlabel="x", ylabel="density (1 per unit of x)", xlim=(edges[0], edges[-1]))
    handles = axes.get_legend_handles_labels()
    curve = samples.curve()
    if curve is not None:
        label, span = samples.score_axis()
        other = axes.twinx()
        other.plot(*curve, color=CRITIC, linestyle=":", linewidth=1.6, label=label)
        other.set_ylabel(label, color=CRITIC)
        other.tick_params(axis="y", colors=CRITIC)
        if span:
            other.set_ylim(*span)
        handles = [a + b for a, b in zip(handles, other.get_legend_handles_labels())]
    axes.legend(*handles, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, frameon=False, borderaxespad=0.1)
