"""The latent explorer: walk through a generator's latents, save samples, walk between them: ``explore(trainer)``.

Made of plain ipywidgets, which JupyterLab and Colab both take.
"""

import contextlib
import math
import threading
from html import escape

import torch

from ganedu.arguments import one_of
from ganedu.views.drivers import choose_driver
from ganedu.views.figure import FAKE, in_notebook, show
from ganedu.views.images import enlarge, png_bytes, tile, to_pixels
from ganedu.views.latent.plane import STEPS, WAYS, Plane, map_layout, still, walk
from ganedu.views.latent.space import LatentSpace
from ganedu.views.widgets import button, family, hidden_style, inline_image, keep_subshells, panel_style

STYLE = panel_style(
    "latent",
    """.ganedu-latent img { display: block; margin: 0; }
.ganedu-pair { display: flex; gap: 12px; }
.ganedu-pair figure { margin: 0; }
.ganedu-pair figcaption { padding-top: 3px; font-size: 12px; min-height: 50px; white-space: pre-line; }""",
)
MAX_SAVED = 8
SIDE = 168  # screen pixels, about, of the sample


def explore(
    model, data=None, *, z_dim=None, directions=None, layer=None, span=3.0, way="linear", seed=0, caption="", alt=""
):
    """Show the samples of a generator as a landscape over two directions of z, to be walked through with sliders.

    Move about in the plane, draw another starting point (Random), save samples, and let one turn into the next (Play), in a
    straight line or along a great circle. Beside each sample stands the training image nearest to it. Without a front end
    one picture stands still: the map, and both ways between two draws.

    Args:
        model: a ``Trainer`` (its averaged generator), a ``GAN``, or a net G that maps (N, z_dim) latents to (N, C, H, W)
            images in [-1, 1]. A copy is taken at the call; after more training, call again.
        data: an ``ImageData`` or a tensor (M, C, H, W) in [-1, 1]; a trainer's own unless given. Without data no nearest
            image is shown.
        z_dim: size of a latent; only a net that does not begin with a linear layer needs it.
        directions: (K, z_dim) directions of your own, K at least 1, that are offered beside the others.
        layer: the name of a module of G: begin with the principal components of its activations, in place of axes of z.
        span: how far the sliders reach to either side, in lengths of z: a draw's coordinate has standard deviation 1.
        way: "linear" or "spherical", how Play begins to walk.
        seed: of the draws.
        caption, alt: as for ``show``; they stand under, and for, the picture that stands still.

    Raises:
        TypeError, ValueError: an argument that does not fit; the message names it, what it got and what it wants.
    """
    space = LatentSpace(model, data, z_dim=z_dim, seed=seed)
    plane = Plane(space, directions=directions, layer=layer, span=span)
    one_of("way", way, WAYS)
    if not in_notebook() or choose_driver() == "sync":
        caption = caption or (
            "Left: one draw in the middle, its neighbours along two directions around it. Right: from one draw to another, "
            f"both ways{'' if space.real is None else ', each sample over its nearest training image'}."
        )
        alt = alt or "A map of samples that change gradually, and rows of samples between two draws."
        show(still(plane), caption, alt)
    else:
        LatentExplorer(plane, way).show()


class LatentExplorer:
    """The widget. ``explore`` displays one; made by hand it gives access to what was saved.

    Args:
        plane: a ``Plane`` to begin with.
        way: "linear" or "spherical".

    Attributes:
        widget: the whole, to be displayed.
        kind, layer, first, second: which directions; across, up: the two sliders.
        random, save, forget: buttons; way, play, frame: of the animation.
        z: the latent whose sample is shown, (z_dim,).
        saved: the latents that were saved, a list of (z_dim,) tensors.
    """

    def __init__(self, plane, way="linear"):
        import ipywidgets as widgets

        self.space, self.plane = plane.space, plane
        self._way = one_of("way", way, WAYS)
        self.saved, self._frames, self._thumbnails = [], None, []
        self._lock, self._silent = threading.RLock(), False
        self._build(widgets)
        self._new_plane()
        self._show_saved()

    def _build(self, widgets):
        Layout, plane = widgets.Layout, self.plane
        wide = {"description_width": "72px"}
        self.kind = widgets.Dropdown(
            options=plane.kinds,
            value=plane.kind,
            description="directions",
            style=wide,
            layout=Layout(width="216px"),
        )
        layers = [
            (f"{name}: {type(space_module).__name__} ({size:,})", name) for name, size, space_module in self._named()
        ]
        self.layer = widgets.Dropdown(
            options=layers, value=plane.layer, description="layer", style=wide, layout=Layout(width="216px")
        )
        numbers = {"min": 1, "max": len(plane.bank), "style": wide, "layout": Layout(width="132px")}
        self.first = widgets.BoundedIntText(value=plane.pair[0], description="across: no.", **numbers)
        self.second = widgets.BoundedIntText(value=plane.pair[1], description="up: no.", **numbers)
        self._cells, self._scale = map_layout(self.space.shape[2])
        high, side = (self._scale * (self._cells * (size + 2) + 2) for size in self.space.shape[1:])
        reach = {"min": -plane.span, "max": plane.span, "step": plane.span / 60, "value": 0.0}
        self.across = widgets.FloatSlider(**reach, readout_format=".2f", layout=Layout(width=f"{side + 60}px"))
        self.up = widgets.FloatSlider(
            **reach, orientation="vertical", readout_format=".2f", layout=Layout(height=f"{high + 30}px", width="56px")
        )
        self.map = widgets.HTML(layout=Layout(margin="0"))
        self.about = widgets.HTML(layout=Layout(width=f"{side + 60}px"))
        self.now = widgets.HTML(layout=Layout(margin="0 0 4px 0"))
        self.where = widgets.HTML(layout=Layout(margin="0 0 4px 0", width="350px"))
        self.strip = widgets.HTML(layout=Layout(margin="4px 0 0 0"))
        self.random = button("Random", "Start from another draw of z", "random", self._on_random, width="92px")
        self.save = button("Save", "Keep the sample that is shown", "plus", self._on_save, width="92px")
        self.forget = button("Forget", "Drop the sample that was saved last", "minus", self._on_forget, width="92px")
        self.way = widgets.ToggleButtons(options=list(WAYS), value=self._way, style={"button_width": "90px"})
        self.play = widgets.Play(min=0, max=0, value=0, interval=100, disabled=True)
        self.frame = widgets.IntSlider(
            min=0, max=0, value=0, readout=False, disabled=True, layout=Layout(width="330px")
        )
        widgets.jslink((self.play, "value"), (self.frame, "value"))

        for widget in (self.kind, self.layer):
            widget.observe(self._on_directions, names="value")
        for widget in (self.first, self.second):
            widget.observe(self._on_numbers, names="value")
        for widget in (self.across, self.up):
            widget.observe(self._on_move, names="value")
        self.frame.observe(self._on_frame, names="value")
        self.way.observe(self._on_way, names="value")

        chart = widgets.HBox([self.up, self.map], layout=Layout(align_items="flex-start"))
        left = widgets.VBox(
            [
                widgets.HBox([self.kind, self.first]),
                widgets.HBox([self.layer, self.second]),
                chart,
                widgets.HBox([self.across], layout=Layout(margin="0 0 0 56px")),
                self.about,
            ],
            layout=Layout(margin="0 14px 0 0"),
        )
        right = widgets.VBox(
            [
                widgets.HBox([self.random, self.save, self.forget]),
                self.now,
                self.where,
                widgets.HBox([self.way, self.play], layout=Layout(align_items="center")),
                self.frame,
            ],
            layout=Layout(width="360px"),
        )
        style = hidden_style(STYLE)
        self.widget = widgets.VBox(
            [style, widgets.HBox([left, right], layout=Layout(flex_flow="row wrap")), self.strip]
        )
        self.widget.add_class("ganedu-latent")

    def _named(self):
        modules = dict(self.space.G.named_modules())
        return [(name, size, modules[name]) for name, size in self.plane.layers.items()]

    def show(self):
        """Display the widget."""
        from IPython.display import display

        keep_subshells(family(self.widget))
        display(self.widget)

    @contextlib.contextmanager
    def _moving_by_hand(self):
        """Within this block widgets are moved by the view itself: nobody hears of it."""
        with self._lock:
            self._silent = True
            try:
                yield
            finally:
                self._silent = False

    # --- what a hand does -------------------------------------------------------------------------------------

    def _on_directions(self, _change):
        if self._silent:
            return
        with self._lock:
            try:
                self.plane.choose(self.kind.value, self.layer.value)
            except ValueError as error:  # a layer that z does not reach
                self.about.value = escape(str(error), quote=False)
                self.layer.disabled = False
                return
            with self._moving_by_hand():
                largest = len(self.plane.bank)
                self.first.max = self.second.max = largest
                first = min(self.first.value, largest)
                self.plane.pair = (first, min(self.second.value, largest))
            self._settle_numbers(moved=self.first)

    def _on_numbers(self, change):
        if not self._silent:
            self._settle_numbers(moved=change["owner"])

    def _settle_numbers(self, moved):
        """Two directions that are one and the same make no plane: the other number gives way."""
        with self._lock:
            largest = len(self.plane.bank)
            with self._moving_by_hand():
                if self.first.value == self.second.value and largest > 1:
                    other = self.second if moved is self.first else self.first
                    other.value = moved.value % largest + 1
                self.plane.pair = (self.first.value, self.second.value)
                self.across.value = self.up.value = 0.0
            self._new_plane()

    def _on_move(self, _change):
        if not self._silent:
            with self._lock:
                self._show_map()
                self._show(self.plane.at(self.across.value, self.up.value))

    def _on_random(self):
        with self._lock:
            self.plane.start = self.space.draw()[0]
            with self._moving_by_hand():
                self.across.value = self.up.value = 0.0
            self._new_plane()

    def _on_save(self):
        with self._lock:
            if len(self.saved) < MAX_SAVED:
                self.saved.append(self.z.clone())
                self._thumbnails.append((self.space.images(self.z[None])[0].cpu(), self._found))
                self._show_saved()

    def _on_forget(self):
        with self._lock:
            if self.saved:
                self.saved.pop()
                self._thumbnails.pop()
                self._show_saved()

    def _on_way(self, change):
        with self._lock:
            self._way = change["new"]
            self._frames = None
            if len(self.saved) > 1:
                self._show_frame()

    def _on_frame(self, _change):
        if not self._silent and len(self.saved) > 1:
            with self._lock:
                self._show_frame()

    # --- what is shown ----------------------------------------------------------------------------------------

    def _new_plane(self):
        plane = self.plane
        with self._lock:
            self.layer.disabled = plane.kind != plane.ACTIVATIONS
            self._map_tile = tile(plane.map(self._cells), self._cells)
            if self._map_tile.ndim == 2:
                self._map_tile = self._map_tile[:, :, None].repeat(3, axis=2)
            names = [plane.describe(place) for place in (0, 1)]
            self.about.value = f"Across: {escape(names[0])}.<br>Up: {escape(names[1])}."
            self._show_map()
            self._show(plane.at(self.across.value, self.up.value))

    def _show_map(self):
        """The map with a frame around the cell that is nearest to where the sliders stand."""
        plane, pixels = self.plane, self._map_tile.copy()
        steps = plane.steps(self._cells)
        column = int((steps - self.across.value).abs().argmin())
        row = int((steps.flip(0) - self.up.value).abs().argmin())
        _, height, width = self.space.shape
        top, left = row * (height + 2), column * (width + 2)
        colour = [int(FAKE[i : i + 2], 16) for i in (1, 3, 5)]
        frame = pixels[top : top + height + 4, left : left + width + 4]
        frame[:2], frame[-2:], frame[:, :2], frame[:, -2:] = (colour,) * 4
        words = f"Map of {self._cells**2} samples around the starting point; the frame marks column {column + 1}, row {row + 1}"
        self.map.value = _img(enlarge(pixels, self._scale), words)

    def _show(self, z, way=""):
        """Show the sample of one latent beside its nearest training image."""
        self.z = z
        x = self.space.images(z[None])[0].cpu()
        scale = max(1, SIDE // max(self.space.shape[1:]))
        self._found = self.space.nearest(x)
        figures = [(x, "G(z)")]
        if self._found is not None:
            index, distance = self._found
            words = f"nearest training image:\n{self.space.name(index)}\nL2 distance {distance:.2f}"
            figures.append((self.space.training_image(index).cpu(), words))
        self.now.value = _pair(figures, scale)
        norm = f"‖z‖ = {z.norm():.2f}; draws have about {math.sqrt(self.space.z_dim):.1f}"
        self.where.value = f"{norm}.<br>{way}&nbsp;"  # two lines in any case, so that nothing jumps

    def _show_frame(self):
        if self._frames is None:
            latents = walk(torch.stack(self.saved), WAYS[self._way])
            self._frames = latents
        place = min(self.frame.value, len(self._frames) - 1)
        leg = min(place // STEPS, len(self.saved) - 2)
        words = f"From saved {leg + 1} to {leg + 2}, {self._way}, t = {(place - leg * STEPS) / STEPS:.2f}."
        self._show(self._frames[place], words)

    def _show_saved(self):
        self._frames = None
        count = len(self.saved)
        last = max(0, (count - 1) * STEPS)
        with self._moving_by_hand():
            if self.frame.value > last:
                self.frame.value = self.play.value = last
            self.frame.max = self.play.max = last
        self.frame.disabled = self.play.disabled = count < 2
        self.save.disabled, self.forget.disabled = count >= MAX_SAVED, count == 0
        if not count:
            self.strip.value = "Save two samples or more; then Play walks from one to the next."
            return
        x = torch.stack([sample for sample, _ in self._thumbnails])
        words = "Saved samples, in order"
        if self.space.real is not None:
            x = torch.cat(
                [x, torch.stack([self.space.training_image(found[0]).cpu() for _, found in self._thumbnails])]
            )
            words += "; below each its nearest training image"
        scale = max(1, 56 // self.space.shape[2])
        more = " Save one more; then Play walks between them." if count == 1 else ""
        self.strip.value = _img(enlarge(tile(x, count), scale), words) + f"{words}.{more}"


def _img(pixels, alt):
    return inline_image(png_bytes(pixels, quick=True), alt)


def _pair(figures, scale):
    parts = []
    for x, words in figures:
        pixels = to_pixels(x[None])[0]
        pixels = enlarge(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels, scale)
        parts.append(f"<figure>{_img(pixels, words)}<figcaption>{escape(words)}</figcaption></figure>")
    return f'<div class="ganedu-pair">{"".join(parts)}</div>'
