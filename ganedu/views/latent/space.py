"""A generator that is only looked at: its samples, directions in its latents, the training images nearest to a sample.

Everything happens on a copy of G in eval mode, with a separate generator for displays: looking changes neither the nets nor a
training that goes on.
"""

import contextlib
import copy
import math
import threading

import torch
from torch import nn

from ganedu.arguments import one_of, whole_number
from ganedu.data.images import normalise
from ganedu.gan import GAN
from ganedu.training import Trainer

COMPONENTS = 20  # principal components to choose from, at most
LATENTS = 1000  # from which they are computed
BLOCK = 8192  # training images that are compared at once
KEPT = 64 * 2**20  # pixels of training images that are kept as floats, at most: 256 MiB


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
        """(n, z_dim) latents as the game draws them, from a separate generator for displays."""
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
