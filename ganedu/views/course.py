"""The course at a glance: its 32 lessons in seven parts, and the families of generative models among them."""

from ganedu.arguments import whole_number
from ganedu.views.figure import PALETTE

PARTS = {  # in the order of the course; each lesson by the name under which the field knows it
    "I. The game": ("generative\nmodels", "the GAN\ngame", "min-max\nand JS", "vanilla\nGAN", "up-\nsampling", "DCGAN"),
    "II. Why it breaks,\nwhat mends it": ("why it\nfails", "LSGAN", "WGAN", "WGAN-GP", "modern\ntoolbox", "evaluation"),
    "III. Saying what\nyou want": (
        "cGAN",
        "AC-GAN",
        "InfoGAN",
        "SGAN",
        "text to\nimage",
        "StackGAN",
        "handwriting\nstudy",
    ),
    "IV. From image\nto image": ("context\nencoder", "pix2pix", "CycleGAN", "DiscoGAN"),
    "V. Bigger, sharper,\nin control": ("ProGAN", "StyleGAN", "BigGAN"),
    "VI. The other\nroads": ("PixelRNN", "VAE", "flows", "GLO"),
    "VII. In practice": ("fast\ntraining", "your own\nimages"),
}
# families: the lessons, what a model does about p(x), and what it can be asked (a sample, log p(x), a condition)
EXPLICIT, IMPLICIT = "explicit\ndensity", "implicit:\nno density"
ASKED = ("draw a sample", "log p(x) of a given x", "condition")
FAMILIES = {
    "mixtures\n(lesson 01)": (EXPLICIT, "at once, soft", "exact", "on anything, exactly"),
    "autoregressive\n(lesson 27)": (EXPLICIT, "pixel by pixel, sharp", "exact", "on the pixels before"),
    "flows\n(lesson 29)": (EXPLICIT, "at once", "exact", "on what it trained with"),
    "VAE\n(lesson 28)": (EXPLICIT, "at once, soft", "a lower bound", "on what it trained with"),
    "GLO\n(lesson 30)": (IMPLICIT, "at once, soft", "none", "by searching a code"),
    "GANs\n(lessons 02 to 26)": (IMPLICIT, "at once, sharp", "none", "on what it trained with"),
}


def course_map(here=None):
    """The 32 lessons, a row for each part, as a matplotlib ``Figure``.

    Args:
        here: the number of the lesson to be marked, 1 to 32; none unless given.

    Raises:
        TypeError, ValueError: a number that is no lesson's.
    """
    from matplotlib.figure import Figure

    total = sum(map(len, PARTS.values()))
    if here is not None and whole_number("here", here) > total:
        raise ValueError(f"here: got {here}, wants a lesson's number, 1 to {total}")
    figure = Figure(figsize=(10, 5.6), layout="constrained")
    axes = figure.subplots()
    number = 0
    for row, ((part, lessons), colour) in enumerate(zip(PARTS.items(), PALETTE)):
        axes.text(-0.1, -row, part, ha="right", va="center", fontsize=11, fontweight="bold")
        for column, lesson in enumerate(lessons):
            number += 1
            box = {"boxstyle": "round,pad=0.02,rounding_size=0.08", "edgecolor": colour, "facecolor": "white"}
            box |= {"linewidth": 3.5 if number == here else 1.5}
            _box(axes, column + 0.06, -row - 0.38, 0.88, 0.76, box)
            axes.text(column + 0.5, -row + 0.21, f"{number:02d}", ha="center", va="center", fontsize=9, color="#555555")
            axes.text(column + 0.5, -row - 0.13, lesson, ha="center", va="center", fontsize=9.5, linespacing=1.05)
            if number == here:
                axes.text(column + 0.12, -row + 0.23, "▸", ha="left", va="center", fontsize=9, color=colour)
    axes.set(xlim=(-1.75, max(map(len, PARTS.values())) + 0.05), ylim=(0.5 - len(PARTS), 0.5))
    axes.set_axis_off()
    return figure


def family_tree():
    """The families of generative models and what each can be asked, as a matplotlib ``Figure``."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(11.5, 4.6), layout="constrained")
    axes = figure.subplots()
    rows = {name: -i for i, name in enumerate(FAMILIES)}
    kinds = {EXPLICIT: PALETTE[0], IMPLICIT: PALETTE[1]}
    middle = {}
    for kind in kinds:
        own = [rows[name] for name, (of, *_) in FAMILIES.items() if of == kind]
        middle[kind] = sum(own) / len(own)
    root = sum(middle.values()) / 2
    _text(axes, 0, root, "generative\nmodels", "black")
    for kind, colour in kinds.items():
        _line(axes, (0.8, root), (1.22, middle[kind]), colour)
        _text(axes, 1.27, middle[kind], kind, colour)
    columns = (3.75, 5.35, 7.15)
    for name, (kind, *answers) in FAMILIES.items():
        _line(axes, (1.98, middle[kind]), (2.38, rows[name]), kinds[kind])
        _text(axes, 2.43, rows[name], name, kinds[kind])
        for left, answer in zip(columns, answers):
            axes.text(left, rows[name], answer, ha="left", va="center", fontsize=10.5)
    for left, asked in zip(columns, ASKED):
        axes.text(left, 0.75, asked, ha="left", va="center", fontsize=10.5, fontweight="bold")
    axes.set(xlim=(-0.1, 9), ylim=(0.5 - len(FAMILIES), 1))
    axes.set_axis_off()
    return figure


def _box(axes, left, bottom, width, height, style):
    from matplotlib.patches import FancyBboxPatch

    axes.add_patch(FancyBboxPatch((left, bottom), width, height, **style))


def _text(axes, left, y, words, colour):
    edge = {"boxstyle": "round,pad=0.35", "facecolor": "white", "edgecolor": colour, "linewidth": 1.8}
    axes.text(left, y, words, bbox=edge, zorder=3, ha="left", va="center", fontsize=11, linespacing=1.1)


def _line(axes, start, end, colour):
    axes.annotate("", end, start, arrowprops={"arrowstyle": "-|>", "color": colour, "linewidth": 1.3}, zorder=1)
