"""The latent explorer: walk through a generator's latents, save samples, walk between them: ``explore(trainer)``.

Made of plain ipywidgets, which JupyterLab and Colab both take. Everything happens on a copy of G in eval mode, with random
numbers of the view's own: looking changes neither the nets nor a training that goes on.
"""

import base64
import contextlib
import copy
import math
import threading
from html import escape

import torch
from torch import nn

from ganedu.arguments import one_of, real_number, whole_number
from ganedu.data.images import normalise
from ganedu.gan import GAN
from ganedu.latent import lerp, slerp
from ganedu.training import Trainer
from ganedu.views.drivers import choose_driver, keep_subshells
from ganedu.views.figure import FAKE, draw_pixels, in_notebook, show
from ganedu.views.images import enlarge, png_bytes, tile, to_pixels

WAYS = {"linear": lerp, "spherical": slerp}
COMPONENTS = 20  # principal components to choose from, at most
LATENTS = 1000  # from which they are computed
BLOCK = 8192  # training images that are compared at once
KEPT = 64 * 2**20  # pixels of training images that are kept as floats, at most: 256 MiB
STEPS = 20  # frames from one saved sample to the next
MAX_SAVED = 8
MAP_WIDTH = 310  # screen pixels, at most, of the map: the whole view fits beside an open side bar
SIDE = 168  # screen pixels, about, of the sample
STYLE = """<style>
.ganedu-latent { background: #fff; color: #333; padding: 10px 12px; border: 1px solid #ccc; border-radius: 4px;
  width: max-content; max-width: 100%; box-sizing: border-box; overflow-x: auto;
  --jp-widgets-label-color: #333; --jp-widgets-readout-color: #333; --jp-ui-font-color1: #333; }
.ganedu-latent .widget-label, .ganedu-latent .widget-readout, .ganedu-latent .widget-html-content { color: #333; }
.ganedu-latent .widget-html-content { line-height: 1.4; font-size: 13px; }
.ganedu-latent .widget-readout { background: #fff; }
.ganedu-latent .jupyter-button { background: #e6e6e6; color: #222; }
.ganedu-latent .jupyter-button.mod-active { background: #005A8E; color: #fff; }
.ganedu-latent .jupyter-button:disabled { background: #f4f4f4; color: #777; opacity: 1; }
.ganedu-latent img { image-rendering: pixelated; max-width: none; display: block; margin: 0; }
.ganedu-pair { display: flex; gap: 12px; }
.ganedu-pair figure { margin: 0; }
.ganedu-pair figcaption { padding-top: 3px; font-size: 12px; min-height: 50px; white-space: pre-line; }
</style>"""


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


class LatentSpace:
    """A generator that is only looked at: samples, directions in its z, the nearest training images.

    Args:
        model, data, z_dim, seed: as for ``explore``.

    Attributes:
        G: the copy, in eval mode, without gradients.
        z_dim, device, shape: of a latent; of G; (C, H, W) of a sample.
    """

    def __init__(self, model, data=None, *, z_dim=None, seed=0):
        game = None
        if isinstance(model, Trainer) and "G" not in model.emas:
            raise ValueError(f"model: got a trainer of {type(model.game).__name__}, wants one whose game has a G")
        if isinstance(model, Trainer):
            G, game, data = model.G_ema, model.game, model.data if data is None else data
        elif isinstance(model, GAN):
            G, game = model.G, model
        elif isinstance(model, nn.Module):
            G = model
        else:
            raise TypeError(f"model: got {type(model).__name__}, wants a Trainer, a GAN, or a generator (an nn.Module)")
        self.z_dim = game.z_dim if game is not None else _z_dim(G, z_dim)
        if z_dim is not None and whole_number("z_dim", z_dim) != self.z_dim:
            raise ValueError(f"z_dim: got {z_dim}, wants the model's own, {self.z_dim}")
        self.seed = whole_number("seed", seed, at_least=0)
        self.G = copy.deepcopy(G).eval().requires_grad_(False)
        parameter = next(self.G.parameters(), None)
        self.device = torch.device("cpu") if parameter is None else parameter.device
        self._game = game
        self._generator = torch.Generator(self.device).manual_seed(self.seed)
        self._lock = threading.RLock()
        self._draws = False  # whether G itself draws random numbers (a noise input, say)
        self._draws = self._finds_out_whether_G_draws()
        self.shape = tuple(self.images(self._zeros(2)).shape[1:])
        self._set_data(data)

    def _zeros(self, n):
        return torch.zeros(n, self.z_dim, device=self.device)

    def _finds_out_whether_G_draws(self):
        devices = [self.device] if self.device.type == "cuda" else []
        with torch.random.fork_rng(devices):
            before = _random_states(self.device)
            try:
                images = self.images(self._zeros(2))
            except (RuntimeError, TypeError) as error:
                raise ValueError(
                    f"z_dim: got {self.z_dim}, and G fails on latents of shape (2, {self.z_dim}): {error}"
                ) from error
            drawn = any(not torch.equal(a, b) for a, b in zip(before, _random_states(self.device)))
        if (
            not isinstance(images, torch.Tensor)
            or images.ndim != 4
            or images.shape[1] not in (1, 3)
            or len(images) != 2
        ):
            got = f"shape {tuple(images.shape)}" if isinstance(images, torch.Tensor) else type(images).__name__
            raise ValueError(f"model: got samples of {got} for 2 latents, wants images, (2, C, H, W) with C = 1 or 3")
        return drawn

    def _set_data(self, data):
        self.real = self.labels = self._kept = None
        self.classes = ()
        if data is None:
            return
        self.real = data if isinstance(data, torch.Tensor) else getattr(data, "images", None)
        if not isinstance(self.real, torch.Tensor):
            raise TypeError(f"data: got {type(data).__name__}, wants an ImageData or a tensor of images")
        if tuple(self.real.shape[1:]) != self.shape or len(self.real) == 0:
            raise ValueError(f"data: got shape {tuple(self.real.shape)}, wants images of G's shape, (M, {self.shape})")
        self.labels = None if isinstance(data, torch.Tensor) else getattr(data, "labels", None)
        self.classes = getattr(data, "classes", ())

    def draw(self, n=1):
        """(n, z_dim) latents as the game draws them, from a generator of this view's own."""
        if self._game is not None:
            device = next(self._game.parameters()).device  # the game may have moved since
            if device != self._generator.device:
                self._generator = torch.Generator(device).manual_seed(self.seed)
            return self._game.sample_z(n, self._generator).to(self.device)
        return torch.randn(n, self.z_dim, device=self.device, generator=self._generator)

    @torch.no_grad()
    def images(self, z, batch_size=256):
        """G(z), (N, C, H, W). The same z gives the same images, even where G draws random numbers of its own."""
        with self._lock, contextlib.ExitStack() as stack:
            if self._draws:
                stack.enter_context(torch.random.fork_rng([self.device] if self.device.type == "cuda" else []))
                torch.manual_seed(self.seed)
            return torch.cat([self.G(part) for part in z.to(self.device).split(batch_size)])

    @torch.no_grad()
    def nearest(self, x):
        """(index, distance) of the training image nearest to one sample ``x`` (C, H, W); None without data.

        The distance is L2 over all pixels, in [-1, 1]; of the last few candidates it is summed over differences, so that a
        copy has exactly 0.
        """
        if self.real is None:
            return None
        x, best = x.to(self.real.device).flatten().float(), (-1, math.inf)
        for start, rows, half_squares in self._blocks():
            scores = half_squares - rows @ x  # half the squared distances, less a constant
            candidates = scores.topk(min(8, len(rows)), largest=False).indices
            exact, place = (rows[candidates] - x).square().sum(1).min(0)
            if exact.item() < best[1]:
                best = (start + candidates[place].item(), exact.item())
        return best[0], math.sqrt(best[1])

    def _blocks(self):
        """(first index, rows (B, C H W), half their squared lengths) of all training images, kept where they fit."""
        if self._kept is not None:
            return self._kept
        blocks = (
            (start, rows, rows.square().sum(1) / 2)
            for start in range(0, len(self.real), BLOCK)
            for rows in [_floats(self.real[start : start + BLOCK]).flatten(1)]
        )
        if self.real.numel() > KEPT:
            return blocks
        self._kept = list(blocks)
        return self._kept

    def training_image(self, index):
        """(C, H, W) in [-1, 1]."""
        return _floats(self.real[index])

    def name(self, index):
        """The name of a training image: its class, where it has one, and its number."""
        if self.labels is None:
            return f"no. {index:,}"
        label = int(self.labels[index])
        return f"{self.classes[label] if label < len(self.classes) else label} (no. {index:,})"

    # --- directions -------------------------------------------------------------------------------------------

    def random_directions(self):
        """(K, z_dim) orthonormal directions, drawn with the seed."""
        k = min(self.z_dim, COMPONENTS)
        q, _ = torch.linalg.qr(torch.randn(self.z_dim, k, generator=torch.Generator().manual_seed(self.seed)))
        return q.T.to(self.device)

    def layers(self):
        """{name: size} of G's innermost modules whose output is one tensor with a row for each latent."""
        found = {}

        def look(name, output):
            if isinstance(output, torch.Tensor) and output.is_floating_point() and len(output) == 2:
                found[name] = output[0].numel()

        self._hooked(look, self._zeros(2))
        return found

    def activations(self, layer, z):
        """(N, features): what the module of this name puts out for the latents z, flattened."""
        one_of("layer", layer, self.layers())
        parts = []
        for part in z.split(256):
            seen = {}  # of a module that is used twice in one pass the last output counts
            self._hooked(lambda name, output: seen.update({name: output}), part)  # noqa: B023
            parts.append(seen[layer].flatten(1))
        return torch.cat(parts)

    def _hooked(self, look, z):
        with self._lock:
            handles = [
                module.register_forward_hook(lambda _m, _in, output, name=name: look(name, output))
                for name, module in self.G.named_modules()
                if name and not any(True for _ in module.children())
            ]
            try:
                self.images(z)
            finally:
                for handle in handles:
                    handle.remove()

    def activation_directions(self, layer):
        """Directions of z along which the principal components of a layer's activations grow fastest.

        PCA of the activations of 1,000 latents; each component's coordinates are then regressed on z, by least squares
        (after Härkönen et al. 2020, GANSpace, https://arxiv.org/abs/2004.02546, section 2.3).

        Returns:
            (K, z_dim) directions of length 1, largest component first, and (K,) shares of the variance.
        """
        generator = torch.Generator(self.device).manual_seed(self.seed + 1)
        z = torch.randn(max(LATENTS, 4 * self.z_dim), self.z_dim, device=self.device, generator=generator)
        features = self.activations(layer, z).double()
        if (features - features.mean(0)).norm() <= 1e-5 * features.norm():  # equal but for rounding
            raise ValueError(f"layer: got {layer!r}, whose activations do not depend on z, wants one that does")
        coordinates, shares = principal_components(features, min(COMPONENTS, self.z_dim))
        there = shares > 1e-9
        coordinates, shares = coordinates[:, there], shares[there]
        z = (z - z.mean(0)).double()
        slopes = torch.linalg.solve(z.T @ z, z.T @ coordinates).T  # (K, z_dim)
        return (slopes / slopes.norm(dim=1, keepdim=True)).float(), shares


def principal_components(features, k):
    """The first k principal components of (N, F) features: (N, k) coordinates and (k,) shares of the variance, float64.

    Through the eigenvalues of the smaller of the covariance (F, F) and the matrix of inner products (N, N).
    """
    a = features.double() - features.double().mean(0)
    n, f = a.shape
    values, vectors = torch.linalg.eigh(a.T @ a if f <= n else a @ a.T)
    k = min(k, len(values))
    values, vectors = values.flip(0).clamp(min=0), vectors.flip(1)[:, :k]
    coordinates = a @ vectors if f <= n else vectors * values[:k].sqrt()
    return coordinates, values[:k] / values.sum().clamp(min=torch.finfo(values.dtype).tiny)


def _floats(images):
    return normalise(images) if images.dtype == torch.uint8 else images.float()


def _random_states(device):
    return [torch.get_rng_state(), *([torch.cuda.get_rng_state(device)] if device.type == "cuda" else [])]


def _z_dim(G, z_dim):
    if z_dim is None:
        z_dim = getattr(G, "z_dim", None)
    if z_dim is None:
        z_dim = next((m.in_features for m in G.modules() if isinstance(m, nn.Linear)), None)
    if z_dim is None:
        raise ValueError("z_dim: got None, and G has no linear layer that tells, wants the size of a latent")
    return whole_number("z_dim", z_dim)


def _family(widget):
    """A widget and everything in it."""
    return [widget, *(member for child in getattr(widget, "children", ()) for member in _family(child))]


class Plane:
    """A plane through the latents: a starting point and two directions out of a bank of them.

    Args:
        space: a ``LatentSpace``.
        directions, layer, span: as for ``explore``.

    Attributes:
        start: (z_dim,), where both coordinates are 0; the first draw of the space.
        kinds, kind: what directions there are to choose from, and the present ones; layer: that of the activations.
        bank: (K, z_dim) directions of the present kind; pair: the numbers, from 1, of the two that span the plane.
    """

    AXES, RANDOM, OWN, ACTIVATIONS = "axes of z", "random directions", "your directions", "activations (PCA)"

    def __init__(self, space, *, directions=None, layer=None, span=3.0):
        self.space = space
        self.span = real_number("span", span, above=0, below=math.inf)
        self.own = None if directions is None else _own(directions, space)
        self.layers = space.layers()
        self.layer = next(iter(self.layers), None) if layer is None else one_of("layer", layer, self.layers)
        self.kinds = [self.AXES, self.RANDOM]
        if self.own is not None:
            self.kinds.insert(0, self.OWN)
        if self.layers:
            self.kinds.append(self.ACTIVATIONS)
        self.start = space.draw()[0]
        self.pair = (1, 2)
        self._found = {}  # layer: its directions, computed once
        self.choose(self.kinds[0] if layer is None else self.ACTIVATIONS, self.layer)

    def choose(self, kind, layer):
        """Take other directions: one of ``kinds``, and for activations a layer's name."""
        self.shares = None
        if kind == self.ACTIVATIONS:
            if layer not in self._found:
                self._found[layer] = self.space.activation_directions(layer)
            self.bank, self.shares = self._found[layer]
        elif kind == self.RANDOM:
            self.bank = self.space.random_directions()
        elif kind == self.OWN:
            self.bank = self.own
        else:
            self.bank = torch.eye(self.space.z_dim, device=self.space.device)
        self.kind, self.layer = kind, layer
        self.pair = tuple(min(i, len(self.bank)) for i in self.pair)

    def vectors(self):
        """The two directions, (2, z_dim); the second is 0 where there is but one."""
        first, second = (self.bank[i - 1] for i in self.pair)
        return torch.stack([first, second if self.pair[0] != self.pair[1] else torch.zeros_like(first)])

    def at(self, a, b):
        """The latents a along the first direction and b along the second, (..., z_dim) for numbers or tensors (...)."""
        first, second = self.vectors()
        a, b = (torch.as_tensor(c, dtype=first.dtype, device=first.device)[..., None] for c in (a, b))
        return self.start + a * first + b * second

    def steps(self, cells):
        """(cells,) coordinates from one end of a slider to the other."""
        return torch.linspace(-self.span, self.span, cells)

    def map(self, cells):
        """The images of the plane around the starting point, uppermost row first, (cells², C, H, W)."""
        up, across = torch.meshgrid(self.steps(cells).flip(0), self.steps(cells), indexing="ij")
        return self.space.images(self.at(across, up).flatten(0, 1))

    def describe(self, place):
        """The first (0) or second (1) direction in words."""
        number = self.pair[place]
        if place == 1 and self.pair[0] == number:
            return "no second direction"
        if self.kind == self.AXES:
            return f"z, coordinate {number}"
        if self.kind == self.ACTIVATIONS:
            return f"component {number} of layer {self.layer} ({self.shares[number - 1]:.0%} of its variance)"
        return f"{'random' if self.kind == self.RANDOM else 'your'} direction {number}"


def _own(directions, space):
    if not isinstance(directions, torch.Tensor) or directions.ndim != 2 or directions.shape[1] != space.z_dim:
        got = f"shape {tuple(directions.shape)}" if isinstance(directions, torch.Tensor) else type(directions).__name__
        raise ValueError(f"directions: got {got}, wants a tensor (K, {space.z_dim}) with K at least 1")
    if len(directions) == 0 or not torch.isfinite(directions).all():
        raise ValueError("directions: got none, or a number that is not finite, wants at least one, of finite numbers")
    return directions.detach().float().to(space.device)


def map_layout(size):
    """(cells in a row, scale) of a map of images ``size`` pixels wide: the widest that fits, more cells before larger ones."""
    fitting = [
        (width, cells, scale)
        for cells in (7, 5, 3)
        for scale in range(1, 10)
        if (width := scale * (cells * (size + 2) + 2)) <= MAP_WIDTH
    ]
    return max(fitting)[1:] if fitting else (3, 1)


def walk(ends, way, steps=STEPS):
    """From each of the latents ``ends`` (K, z_dim) to the next: ((K - 1) steps + 1, z_dim), K at least 2."""
    t = torch.arange(steps, device=ends.device) / steps
    return torch.cat([*(way(a, b, t) for a, b in zip(ends, ends[1:])), ends[-1:]])


# --- without a front end --------------------------------------------------------------------------------------------


def still(plane, columns=7):
    """The map beside both ways between two draws, as a matplotlib ``Figure``."""
    from matplotlib.figure import Figure

    space = plane.space
    a, b = plane.start, space.draw()[0]
    figure = Figure(figsize=(11, 4.4), layout="constrained")
    left, right = figure.subfigures(1, 2, width_ratios=[4.2, 6.8])
    axes = left.subplots()
    draw_pixels(axes, tile(plane.map(columns), columns))
    axes.set_axis_on()
    axes.set(xticks=[], yticks=[])
    axes.set_xlabel(f"{plane.describe(0)}: −{plane.span:g} to {plane.span:g}", fontsize=10)
    axes.set_ylabel(f"{plane.describe(1)}: −{plane.span:g} to {plane.span:g}", fontsize=10)
    axes.set_title("around one draw (in the middle)", fontsize=11)
    for row, (name, way) in zip(right.subplots(2, 1), WAYS.items()):
        x = space.images(walk(torch.stack([a, b]), way, columns - 1)).cpu()
        distances = ""
        if space.real is not None:
            found = [space.nearest(sample) for sample in x]
            x = torch.cat([x, torch.stack([space.training_image(i) for i, _ in found]).cpu()])
            distances = "\nbelow: nearest training images, at " + ", ".join(f"{d:.1f}" for _, d in found)
        draw_pixels(row, tile(x, columns))
        row.set_title(f"{name} way from one draw to another{distances}", fontsize=11)
    return figure


# --- with one -------------------------------------------------------------------------------------------------------


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
        self.random = self._button(widgets, "Random", "Start from another draw of z", "random", self._on_random)
        self.save = self._button(widgets, "Save", "Keep the sample that is shown", "plus", self._on_save)
        self.forget = self._button(widgets, "Forget", "Drop the sample that was saved last", "minus", self._on_forget)
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
        style = widgets.HTML(STYLE, layout=Layout(display="none"))
        self.widget = widgets.VBox(
            [style, widgets.HBox([left, right], layout=Layout(flex_flow="row wrap")), self.strip]
        )
        self.widget.add_class("ganedu-latent")

    def _named(self):
        modules = dict(self.space.G.named_modules())
        return [(name, size, modules[name]) for name, size in self.plane.layers.items()]

    def _button(self, widgets, text, tooltip, icon, pressed):
        button = widgets.Button(description=text, tooltip=tooltip, icon=icon, layout=widgets.Layout(width="92px"))
        button.on_click(lambda _: pressed())
        return button

    def show(self):
        """Display the widget."""
        from IPython.display import display

        keep_subshells(_family(self.widget))
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
    coded = base64.b64encode(png_bytes(pixels, quick=True)).decode()
    return f'<img src="data:image/png;base64,{coded}" alt="{escape(alt)}">'


def _pair(figures, scale):
    parts = []
    for x, words in figures:
        pixels = to_pixels(x[None])[0]
        pixels = enlarge(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels, scale)
        parts.append(f"<figure>{_img(pixels, words)}<figcaption>{escape(words)}</figcaption></figure>")
    return f'<div class="ganedu-pair">{"".join(parts)}</div>'
