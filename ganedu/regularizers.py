"""Terms that are added to a player's loss to hold its gradients in check."""

import torch


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
