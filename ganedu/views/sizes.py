"""The size of a transposed convolution, stamp by stamp, with a slider for each number: ``stamp_sizes()``."""

from html import escape

from matplotlib.figure import Figure
from matplotlib.patches import Rectangle

from ganedu.upsampling import overlap_counts, transposed_size
from ganedu.views.drivers import choose_driver
from ganedu.views.figure import CRITIC, FAKE, as_png, in_notebook, show
from ganedu.views.widgets import inline_image, keep_subshells

NUMBERS = {  # argument: (what its slider is called, least, most)
    "size": ("input size n", 1, 8),
    "kernel": ("kernel k", 1, 7),
    "stride": ("stride s", 1, 4),
    "padding": ("padding p", 0, 4),
    "output_padding": ("output padding o", 0, 3),
}
CUT = "#dddddd"
CAPTION = (
    "Each row is one input pixel and the outputs that its stamp reaches. Grey is cut off. Blue counts the writers."
)


def arithmetic(size, kernel, stride, padding, output_padding):
    """The sum in figures: "(5 - 1) · 2 - 2 · 1 + 3 + 1 = 10". Errors as for ``transposed_size``."""
    made = transposed_size(size, kernel, stride, padding, output_padding)
    return f"({size} - 1) · {stride} - 2 · {padding} + {kernel} + {output_padding} = {made}"


def stamps_figure(size, kernel, stride, padding=0, output_padding=0):
    """One axis of a transposed convolution as a matplotlib ``Figure``. Errors as for ``transposed_size``."""
    made = transposed_size(size, kernel, stride, padding, output_padding)
    counts = overlap_counts(size, kernel, stride, padding, output_padding).tolist()
    far = max((size - 1) * stride + kernel, padding + made)  # a kernel below the stride, or o, may end beyond
    figure = Figure(figsize=(min(9, 1.6 + 0.3 * far), 1.3 + 0.27 * size), layout="constrained")
    axes = figure.subplots()
    for i in range(size):
        for place in range(i * stride, i * stride + kernel):
            kept = padding <= place < padding + made
            axes.add_patch(Rectangle((place, i), 1, 1, facecolor=FAKE if kept else CUT, edgecolor="white"))
    for place in range(far):
        kept = padding <= place < padding + made
        count = counts[place - padding] if kept else ""
        box = Rectangle((place, size + 0.25), 1, 1, facecolor="white" if kept else CUT, edgecolor=CRITIC)
        axes.add_patch(box)
        axes.text(place + 0.5, size + 0.75, count, ha="center", va="center", color=CRITIC, weight="bold")
    axes.set(xlim=(-0.05, far + 0.05), ylim=(size + 1.3, -0.05), ylabel="input pixel", xlabel="output pixel")
    axes.set_title(arithmetic(size, kernel, stride, padding, output_padding), fontsize=11)
    axes.set_xticks([padding + i + 0.5 for i in range(made)], range(made), fontsize=8)
    axes.set_yticks([i + 0.5 for i in range(size)] + [size + 0.75], [*range(size), "writers"], fontsize=8)
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    return figure


def stamp_sizes(size=5, kernel=3, stride=2, padding=1, output_padding=1):
    """Show ``stamps_figure`` with a slider for each number; without a front end one picture stands still.

    A combination that makes no layer says why in place of the picture.
    """
    numbers = dict(zip(NUMBERS, (size, kernel, stride, padding, output_padding)))
    alt = f"Stamps of a transposed convolution: {arithmetic(**numbers)}."
    if not in_notebook() or choose_driver() == "sync":
        show(stamps_figure(**numbers), CAPTION, alt)
        return

    import ipywidgets as widgets
    from IPython.display import display

    sliders = {
        name: widgets.IntSlider(
            numbers[name], least, most, description=label, style={"description_width": "120px"},
            layout=widgets.Layout(width="360px"),
        )
        for name, (label, least, most) in NUMBERS.items()
    }  # fmt: skip
    picture = widgets.HTML(layout=widgets.Layout(min_height="180px"))

    def put(_=None):
        numbers = {name: slider.value for name, slider in sliders.items()}
        try:
            png = as_png(stamps_figure(**numbers))
        except ValueError as error:  # the sentence says what does not fit
            picture.value = f"<p>No such layer. {escape(str(error))}.</p>"
            return
        picture.value = inline_image(png, f"Stamps of a transposed convolution: {arithmetic(**numbers)}.")

    put()
    for slider in sliders.values():
        slider.observe(put, names="value")
    keep_subshells([*sliders.values(), picture])
    box = widgets.VBox([*sliders.values(), picture, widgets.HTML(f"<i>{escape(CAPTION)}</i>")])
    box.add_class("ganedu-sizes")
    display(box)
