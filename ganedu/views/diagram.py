"""Flow charts of a round: which numbers go where, and which way the gradients come back."""

from ganedu.views.figure import CRITIC, FAKE, REAL

COLORS = {"x": REAL, "x_fake": FAKE, "G": FAKE, "g_loss": FAKE, "D": CRITIC, "d_loss": CRITIC}
GREY = "#555555"


def flow(axes, boxes, forward, back=(), cut=(), title="", note=""):
    """Draw boxes, grey arrows for numbers on their way forward, dashed arcs for gradients on their way back.

    Args:
        axes: matplotlib axes; their frame is taken away.
        boxes: {name: (column, row)}, row 0 at the bottom. The names of ``COLORS`` have the colours of the course.
        forward: pairs of names, an arrow each.
        back: names in the order in which the gradient visits them, from the loss on; coloured like the loss.
        cut: pairs out of ``forward`` that ``detach`` cuts.
        title: above the chart.
        note: one line below it.

    Raises:
        ValueError: an arrow from or to a box that is not there, or a cut where no arrow is.
    """
    for name in (*(name for pair in (*forward, *cut) for name in pair), *back):
        if name not in boxes:
            raise ValueError(f"boxes: got {', '.join(boxes)}, wants {name} as well: an arrow needs it")
    if not set(cut) <= set(forward):
        raise ValueError(f"cut: got {list(cut)}, wants pairs out of {list(forward)}")
    colour = COLORS.get(back[0], GREY) if back else GREY
    for name, at in boxes.items():
        edge = {"boxstyle": "round,pad=0.45", "facecolor": "white", "edgecolor": COLORS.get(name, GREY), "linewidth": 2}
        axes.text(*at, name, ha="center", va="center", fontsize=11, bbox=edge, zorder=3)
    for a, b in forward:
        (x0, y0), (x1, y1) = boxes[a], boxes[b]
        arrow = {"arrowstyle": "-|>", "color": GREY, "linewidth": 1.4}
        arrow |= {"shrinkA": 13 + 3 * len(a), "shrinkB": 13 + 3 * len(b)}  # points: from edge to edge
        axes.annotate("", (x1, y1), (x0, y0), arrowprops=arrow, zorder=1)
        if (a, b) in cut:
            middle = ((x0 + x1) / 2, (y0 + y1) / 2)
            axes.text(*middle, "✂", fontsize=17, color="black", ha="center", va="center", zorder=4)
            axes.text(middle[0], middle[1] - 0.22, "detach", fontsize=9, ha="center", va="center")
    for a, b in zip(back, back[1:]):
        (x0, y0), (x1, y1) = boxes[a], boxes[b]
        arrow = {"arrowstyle": "-|>", "color": colour, "linestyle": "--", "linewidth": 2, "shrinkA": 3, "shrinkB": 3}
        arrow["connectionstyle"] = f"arc3,rad={0.45 if x1 < x0 else -0.45}"
        axes.annotate("", (x1, y1 + 0.2), (x0, y0 + 0.2), arrowprops=arrow, zorder=2)
    columns, rows = zip(*boxes.values())
    axes.set(xlim=(min(columns) - 0.5, max(columns) + 0.5), ylim=(-0.5, max(rows) + 0.8))
    axes.set_title(title, fontsize=11)
    axes.text(0.5, -0.02, note, transform=axes.transAxes, ha="center", va="top", fontsize=10, color=colour)
    axes.set_axis_off()
