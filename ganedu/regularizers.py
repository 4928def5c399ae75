"""What holds D in check: penalties that are added to its loss, and rules for its weights."""

import math

import torch
from torch import nn
from torch.nn.utils import parametrizations, parametrize

from ganedu.arguments import real_number, whole_number

# --- penalties ----------------------------------------------------------------------------------------------------


def gradient_penalty(D, x, x_fake):
    """E[(‖∇D(x̂)‖₂ - 1)²], x̂ = ε x + (1 - ε) x_fake, ε ~ U[0, 1]   (Gulrajani et al. 2017, eq. 3)

    Every sample has an ε of its own, drawn from torch's global generator, and a norm of its own, taken over all of its
    dimensions. No gradient reaches ``x`` or ``x_fake``; the one that reaches D's parameters passes through ∇D.

    Args:
        D: the critic. It must judge each sample on its own: batch norm would mix their gradients.
        x: (N, ...) a real batch.
        x_fake: a fake batch of the same shape.

    Returns:
        a scalar of at least 0, before its weight λ.

    Raises:
        ValueError: the batches differ in shape.
    """
    if x.shape != x_fake.shape:
        raise ValueError(f"x_fake: got shape {tuple(x_fake.shape)}, wants that of x, {tuple(x.shape)}")
    epsilon = torch.rand(len(x), *[1] * (x.ndim - 1), device=x.device, dtype=x.dtype)
    x_hat = (epsilon * x + (1 - epsilon) * x_fake).detach().requires_grad_()
    # the sum over the batch, not the mean: the gradient at each x̂ is then that of its own D(x̂)
    (gradient,) = torch.autograd.grad(D(x_hat).sum(), x_hat, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()


def r1(D, x):
    """E[‖∇D(x)‖²] over the real batch   (Mescheder et al. 2018, eq. 9, without its weight γ/2)

    At the equilibrium the real data give D nothing to slope for; this term pulls it there, where without it the game may
    circle for ever. As in ``gradient_penalty`` each sample has a gradient of its own, over all its dimensions, and no
    gradient reaches ``x``.

    Args:
        D: the discriminator; without batch norm, which would mix the samples' gradients.
        x: (N, ...) a real batch.

    Returns:
        a scalar of at least 0.
    """
    x = x.detach().requires_grad_()
    # the sum over the batch, not the mean: the gradient at each x is then that of its own D(x)
    (gradient,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
    return gradient.flatten(1).square().sum(1).mean()


def r2(D, x_fake):
    """E[‖∇D(G(z))‖²]: ``r1`` at the fakes   (Mescheder et al. 2018, eq. 10, without its weight γ/2)"""
    return r1(D, x_fake)


# --- rules for weights --------------------------------------------------------------------------------------------


@torch.no_grad()
def clip_weights(module, bound):
    """w <- clip(w, -c, c) for every parameter of ``module``, biases too, in place   (Arjovsky et al. 2017, algorithm 1)

    To be called after each step of the critic's optimiser. Weights that no step may carry beyond c bound the critic's
    slope, though by how much depends on its depth.

    Args:
        module: the critic.
        bound: c, above 0; the paper's is 0.01.

    Raises:
        TypeError, ValueError: a bound that is no finite number above 0.
    """
    bound = real_number("bound", bound, above=0, below=math.inf)
    for parameter in module.parameters():
        parameter.clamp_(-bound, bound)


def spectral_norm(module, n_power_iterations=1):
    """Divide the weight of every linear and convolutional layer by its largest singular value   (Miyato et al. 2018, eq. 8)

    Each such layer then stretches no vector by more than about 1 (a convolution: its weight as a matrix of
    n_out x (n_in * height * width)). The singular value is estimated by power iteration, ``n_power_iterations`` steps
    with each forward pass in training mode, by torch's own parametrisation; the trained parameter is the weight before
    the division. Layers that have it already are left alone.

    Args:
        module: a net, changed in place.
        n_power_iterations: at least 1, which is enough: weights move little between two steps (section 2.1).

    Returns:
        ``module`` itself.

    Raises:
        ValueError: a net without any linear or convolutional layer.
    """
    whole_number("n_power_iterations", n_power_iterations)
    kinds = (nn.Linear, nn.modules.conv._ConvNd)
    layers = [layer for layer in module.modules() if isinstance(layer, kinds)]
    if not layers:
        raise ValueError(f"module: got a {type(module).__name__} without any linear or convolutional layer, wants one")
    for layer in layers:
        if not _is_normalised(layer):
            parametrizations.spectral_norm(layer, n_power_iterations=n_power_iterations)
    return module


def _is_normalised(layer):
    if not parametrize.is_parametrized(layer, "weight"):
        return False
    return any(isinstance(p, parametrizations._SpectralNorm) for p in layer.parametrizations.weight)
