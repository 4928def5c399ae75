"""Two distributions on the line, to be slid apart and widened, with every distance between them: ``slide_apart()``.

The real numbers are N(0, real_std²), the fakes N(mean, std²), made as G(z) = mean + std · z. Everything is computed on a
grid, for the optimal discriminator, so what moves is the theory itself and no training.
"""

import math
from html import escape

import numpy as np

from ganedu.arguments import real_number
from ganedu.views.charts import line_chart
from ganedu.views.drivers import choose_driver
from ganedu.views.figure import CRITIC, FAKE, REAL, in_notebook, show
from ganedu.views.widgets import hidden_style, keep_subshells, panel_style

FARTHEST = 12.0  # of the mean
WIDTHS = (0.2, 3.0)  # of both standard deviations
SMALLEST = 1e-10  # where the logarithmic axis of the gradients ends; what is smaller reads as 0
NOW = "#555555"
DX = 0.02
X = np.arange(-9 * WIDTHS[1], FARTHEST + 9 * WIDTHS[1] + DX / 2, DX)  # nine standard deviations either way
NUMBERS = {  # key of ``measure``: (name, what it says)
    "value": ("V(D*, G)", "the best that D can reach"),
    "twice_js": ("2 JSD − 2 log 2", "equal to it, says the theorem"),
    "js": ("JSD", "from 0 to log 2 = 0.6931"),
    "kl_pq": ("KL(p ‖ q)", "real to fake; no upper end"),
    "kl_qp": ("KL(q ‖ p)", "fake to real; no upper end"),
    "w1": ("W₁", "how far to carry the fakes"),
    "saturating": ("saturating", "gradient in t of E[log(1 − D*)]"),
    "nonsaturating": ("non-saturating", "gradient in t of −E[log D*]"),
}
STYLE = panel_style(
    "divergence",
    """.ganedu-numbers { border-collapse: collapse; font: 13px/1.5 system-ui, sans-serif; color: #333; }
.ganedu-numbers td { padding: 1px 10px 1px 0; border: 0; text-align: left; background: #fff; color: #333;
  white-space: nowrap; }
.ganedu-numbers td.ganedu-number { font-variant-numeric: tabular-nums; text-align: right; min-width: 62px;
  font-weight: 600; }
.ganedu-numbers tr.ganedu-part td { border-top: 1px solid #ccc; }""",
)


def measure(mean, std=1.0, real_std=1.0):
    """Every distance between p = N(0, real_std²) and q = N(mean, std²), and what G feels of them.

    Args:
        mean: t, the mean of the fakes, a float or an array of any shape.
        std, real_std: standard deviations, above 0.

    Returns:
        a dict of float64 arrays of the shape of ``mean``, all in nats but W₁:
        ``value``: V(D*, G) = E_p[log D*] + E_q[log(1 - D*)]; ``js``; ``twice_js``: 2 JSD - 2 log 2, computed from ``js``;
        ``kl_pq``: KL(p ‖ q); ``kl_qp``; ``w1``: the earth mover's distance, in the units of x; ``saturating`` and
        ``nonsaturating``: d/dt of E[log(1 - D(t + std z))] and of -E[log D(t + std z)], D held fixed at D*
        (Goodfellow et al. 2014; Arjovsky and Bottou 2017, theorem 2.5). Positive: descent makes t smaller.
    """
    mean = np.asarray(mean, float)[..., None]
    # logarithms throughout: far out the densities round to 0, their logarithms do not
    log_p, log_q = _log_normal(X, 0.0, real_std), _log_normal(X, mean, std)
    p, q = np.exp(log_p), np.exp(log_q)
    logit = log_p - log_q  # of D* = p / (p + q)
    log_m = np.logaddexp(log_p, log_q) - math.log(2)
    slope = (X - mean) / std**2 - X / real_std**2  # of the logit, in x
    D = np.exp(-np.logaddexp(0, -logit))

    def integral(values):
        return values.sum(-1) * DX

    js = (integral(p * (log_p - log_m)) + integral(q * (log_q - log_m))) / 2
    return {
        "value": -integral(p * np.logaddexp(0, -logit)) - integral(q * np.logaddexp(0, logit)),
        "js": js,
        "twice_js": 2 * js - 2 * math.log(2),
        "kl_pq": integral(p * logit),
        "kl_qp": -integral(q * logit),
        "w1": integral(np.abs(np.cumsum(p - q, -1))) * DX,
        "saturating": integral(q * -D * slope),
        "nonsaturating": integral(q * -(1 - D) * slope),
    }


class Divergence:
    """The view behind ``slide_apart``: three sliders, three charts and a table of numbers.

    Args:
        mean: t, the mean of the fakes, 0 to 12.
        std, real_std: standard deviations of the fakes and of the real numbers, 0.2 to 3.

    Attributes:
        mean, std, real_std: the sliders.
        numbers: a dict of floats, what ``measure`` says of the present position.
        widget: the whole, to be displayed.
    """

    def __init__(self, mean=3.0, std=1.0, real_std=1.0):
        import ipywidgets as widgets

        self.mean = self._slider("t, the fakes' mean", mean, 0.0, FARTHEST)
        self.std = self._slider("fakes' width", std, *WIDTHS)
        self.real_std = self._slider("real width", real_std, *WIDTHS)
        self._sweeps = {}
        self.densities, self.distances, self.gradients, self.table = (widgets.HTML() for _ in range(4))
        sliders = [self.mean, self.std, self.real_std]
        for slider in sliders:
            slider.observe(lambda change: self.update(), names="value")
        left = widgets.VBox([*sliders, self.table], layout=widgets.Layout(margin="0 10px 0 0", flex="0 0 auto"))
        right = widgets.VBox([self.densities, self.distances, self.gradients], layout=widgets.Layout(flex="0 0 auto"))
        self.widget = widgets.VBox([hidden_style(STYLE), widgets.HBox([left, right])])
        self.widget.add_class("ganedu-divergence")
        keep_subshells([*sliders, self.densities, self.distances, self.gradients, self.table])
        self.update()

    @staticmethod
    def _slider(name, value, low, high):
        import ipywidgets as widgets

        return widgets.FloatSlider(
            value=value,
            min=low,
            max=high,
            step=0.1,
            description=name,
            readout_format=".1f",
            style={"description_width": "120px"},
            layout=widgets.Layout(width="390px"),
        )

    def update(self):
        """Compute and draw anew, from where the sliders stand."""
        position = self.mean.value, self.std.value, self.real_std.value
        if position[1:] not in self._sweeps:
            self._sweeps = {position[1:]: _sweep(*position[1:])}  # the last one alone: widths change seldom
        self.numbers = {name: float(value) for name, value in measure(*position).items()}
        self.table.value = _table(self.numbers)
        sweep = self._sweeps[position[1:]]
        for html, chart in zip((self.densities, self.distances, self.gradients), _charts(position, sweep)):
            html.value = line_chart(**chart, width=420)


def slide_apart(mean=3.0, std=1.0, real_std=1.0):
    """Show two distributions with sliders that move and widen them; without a front end one picture stands still.

    Args:
        mean: where t, the mean of the fakes, begins, 0 to 12.
        std, real_std: where the standard deviations of the fakes and of the real numbers begin, 0.2 to 3.

    Raises:
        TypeError, ValueError: a number out of its range.
    """
    mean = real_number("mean", mean, at_least=0, at_most=FARTHEST)
    std = real_number("std", std, at_least=WIDTHS[0], at_most=WIDTHS[1])
    real_std = real_number("real_std", real_std, at_least=WIDTHS[0], at_most=WIDTHS[1])
    if not in_notebook() or choose_driver() == "sync":
        show(*still(mean, std, real_std))
        return

    from IPython.display import display

    display(Divergence(mean, std, real_std).widget)


def still(mean, std, real_std):
    """(figure, caption, alt text) of one position: the charts of the view side by side, its numbers below them."""
    from matplotlib.figure import Figure

    position, numbers = (mean, std, real_std), {k: float(v) for k, v in measure(mean, std, real_std).items()}
    figure = Figure(figsize=(11, 3.4), layout="constrained")
    for axes, chart in zip(figure.subplots(1, 3), _charts(position, _sweep(std, real_std))):
        for i, (name, color, xs, ys) in enumerate(chart["series"]):
            axes.plot(xs, ys, color=color, linestyle=("-", "--", ":", "-.")[i % 4], linewidth=1.8, label=name)
        axes.set(xlabel=chart["x_label"], ylabel=chart["y_label"], xlim=chart["x_range"], ylim=chart["y_range"])
        axes.grid(color="#DDDDDD")
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, fontsize=9, borderaxespad=0.1,
                    columnspacing=1, handlelength=1.6)  # fmt: skip
    said = [f"{name} {_text(numbers[key])}" for key, (name, _) in NUMBERS.items()]
    where = f"Real N(0, {real_std:g}²), fakes N({mean:g}, {std:g}²)"
    caption = f"{where}: {', '.join(said[:-2])}; gradients in t: {', '.join(said[-2:])}."
    alt = f"Three charts. {where} with D* falling between them; JSD and W1 over t; both gradients over t, log scale."
    return figure, caption, alt


def _log_normal(x, mean, std):
    return -0.5 * ((x - mean) / std) ** 2 - math.log(std * math.sqrt(2 * math.pi))


def _sweep(std, real_std):
    """``measure`` for t from 0 to 12, with those t under "mean"."""
    means = np.linspace(0, FARTHEST, 61)
    return {"mean": means, **measure(means, std, real_std)}


def _charts(position, sweep):
    """The three charts, each as the arguments of ``line_chart``."""
    mean, std, real_std = position
    low, high = -6.0, FARTHEST + 5

    def log_densities(xs):
        return _log_normal(xs, 0.0, real_std), _log_normal(xs, mean, std)

    def best_D(xs):
        log_p, log_q = log_densities(xs)
        return np.exp(-np.logaddexp(0, log_q - log_p))

    # points where something happens: around both bells, and where D* rises or falls
    around, fine = np.linspace(-4, 4, 51), np.linspace(low, high, 2301)
    risen = np.abs(np.diff(best_D(fine), prepend=best_D(fine[:1]))).cumsum()
    changes = np.interp(np.linspace(0, risen[-1], 41), risen, fine)
    xs = np.unique(np.concatenate([around * real_std, mean + around * std, changes, np.linspace(low, high, 51)]))
    xs = xs[(xs >= low) & (xs <= high)]
    log_p, log_q = log_densities(xs)
    heights = np.exp(log_p), np.exp(log_q)
    scale = 0.9 * min(std, real_std) * math.sqrt(2 * math.pi)  # the taller bell ends just below the top
    over_t, there = {"x_range": (0.0, FARTHEST), "x_label": "t, the mean of the fakes"}, np.array([mean, mean])

    def exponent(values):
        return np.log10(np.maximum(np.abs(values[1:]), SMALLEST))  # at t = 0 both are 0

    return [
        {
            "series": [
                ("D*(x)", CRITIC, xs, best_D(xs)),
                ("real p", REAL, xs, scale * heights[0]),
                ("fakes q", FAKE, xs, scale * heights[1]),
            ],
            "x_range": (low, high),
            "y_range": (0.0, 1.0),
            "x_label": "x",
            "y_label": "D*; density, scaled",
        },
        {
            "series": [
                ("JSD (nat)", CRITIC, sweep["mean"], sweep["js"]),
                ("W₁ / 12", REAL, sweep["mean"], sweep["w1"] / FARTHEST),
                ("now", NOW, there, np.array([0.0, 1.0])),
            ],
            "y_range": (0.0, 1.0),
            "y_label": "distance",
            **over_t,
        },
        {
            "series": [
                ("non-saturating", FAKE, sweep["mean"][1:], exponent(sweep["nonsaturating"])),
                ("saturating", CRITIC, sweep["mean"][1:], exponent(sweep["saturating"])),
                ("now", NOW, there, np.array([-10.0, 5.0])),
            ],
            "y_range": (-10.0, 5.0),
            "y_label": "log₁₀ |gradient in t|",
            **over_t,
        },
    ]


def _text(number):
    """Four decimals; for what would show as 0.000 something in powers of ten, 4.8e-05."""
    if SMALLEST <= abs(number) < 1e-3:
        return f"{number:.1e}".replace("-", "−", 1 if number < 0 else 0)
    return f"{0.0 if abs(number) < SMALLEST else number:.4f}".replace("-", "−")


def _table(numbers):
    rows = []
    for key, (name, says) in NUMBERS.items():
        part = ' class="ganedu-part"' if key in ("js", "saturating") else ""
        rows.append(
            f'<tr{part}><td>{escape(name)}</td><td class="ganedu-number" data-key="{key}">{_text(numbers[key])}</td>'
            f"<td>{escape(says)}</td></tr>"
        )
    return f'<table class="ganedu-numbers">{"".join(rows)}</table>'
