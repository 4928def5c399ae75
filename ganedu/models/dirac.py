"""The Dirac-GAN: the smallest game that can circle for ever (Mescheder et al. 2018, https://arxiv.org/abs/1801.04406).

All real data are the number 0. G has one parameter and makes the number θ, whatever z is. D has one parameter and gives
the logit D(x) = ψ x. The game is a point (θ, ψ) in the plane, its goal is (0, 0), and what an optimiser does to it can be
worked out by hand. θ and ψ are tensors of one shape (...), many games at once, or plain numbers.

No game of nets, so nothing for ``ganedu train``: descent is written out here, as what matters is how it takes its steps.
"""

import math

import torch

from ganedu.arguments import real_number, whole_number


def vector_field(theta, psi, r1_gamma=0.0, saturating=True):
    """Which way descent moves: (-∂L_G/∂θ, -∂L_D/∂ψ), two tensors (...).

    L_D = log 2 + softplus(ψθ) + γ/2 ψ²; L_G = -softplus(ψθ), or softplus(-ψθ) where not ``saturating``. These are the
    losses of Goodfellow et al. 2014 and the R1 penalty, at real data that are 0 (Mescheder et al. 2018, section 2).

    Args:
        theta, psi: (...) finite numbers.
        r1_gamma: γ, at least 0; the loss has γ/2.
        saturating: whether G plays the min-max game.

    Raises:
        TypeError, ValueError: a γ that is no such number, θ and ψ whose shapes do not fit, or no numbers.
    """
    theta, psi = _point(theta, psi)
    return _field(theta, psi, _gamma(r1_gamma), saturating)


def simultaneous(theta, psi, step, r1_gamma=0.0, saturating=True):
    """One round of simultaneous descent: both players move at once, from where they stand. Returns (θ, ψ)."""
    d_theta, d_psi = vector_field(theta, psi, r1_gamma, saturating)
    theta, psi = _point(theta, psi)
    return theta + step * d_theta, psi + step * d_psi


def alternating(theta, psi, step, r1_gamma=0.0, saturating=True):
    """One round of alternating descent: D moves, then G moves against the D that has moved. Returns (θ, ψ)."""
    theta, psi = _point(theta, psi)
    psi = psi + step * vector_field(theta, psi, r1_gamma, saturating)[1]
    return theta + step * vector_field(theta, psi, r1_gamma, saturating)[0], psi


def trajectory(turn, theta, psi, step, rounds, r1_gamma=0.0, saturating=True):
    """The game over ``rounds`` rounds: (rounds + 1, ..., 2), float64, the last dimension (θ, ψ), the first entry the start.

    Args:
        turn: one round, ``simultaneous`` or ``alternating``.
        theta, psi: (...) the start.
        step: the learning rate of both players, above 0.
        rounds: at least 1.
        r1_gamma, saturating: as for ``vector_field``.

    Raises:
        TypeError, ValueError: an argument that does not fit; the message names it, what it got and what it wants.
    """
    step = real_number("step", step, above=0, below=math.inf)
    point = tuple(x.double() for x in _point(theta, psi))
    path = [torch.stack(point, -1)]
    for _ in range(whole_number("rounds", rounds)):
        point = turn(*point, step, r1_gamma, saturating)
        path.append(torch.stack(point, -1))
    return torch.stack(path)


def update_matrix(turn, step, r1_gamma=0.0):
    """One round near the goal as a (2, 2) float64 matrix M: (θ, ψ) -> M (θ, ψ), up to terms of the third order.

    There sigmoid(ψθ) is 1/2, for either loss of G. With h the step, simultaneous descent has M = I + h [[0, 1/2],
    [-1/2, -γ]]; alternating descent is the product of G's step and D's. Without γ the eigenvalues have the absolute value
    √(1 + h²/4) in the first case and 1 in the second, for steps up to 4 (Mescheder et al. 2018, section 2).

    Args:
        turn: ``simultaneous`` or ``alternating``.
        step: h, above 0.
        r1_gamma: γ, at least 0.

    Raises:
        TypeError, ValueError: another turn, or a number out of range.
    """
    h, gamma = real_number("step", step, above=0, below=math.inf), _gamma(r1_gamma)
    of_d = torch.tensor([[1, 0], [-h / 2, 1 - h * gamma]], dtype=torch.float64)
    of_g = torch.tensor([[1, h / 2], [0, 1]], dtype=torch.float64)
    if turn is alternating:
        return of_g @ of_d
    if turn is simultaneous:
        return of_g + of_d - torch.eye(2, dtype=torch.float64)
    raise ValueError(f"turn: got {turn!r}, wants simultaneous or alternating")


def _field(theta, psi, gamma, saturating):
    of_fake = psi * theta  # D's logit on the fake
    pull = torch.sigmoid(of_fake if saturating else -of_fake)
    return pull * psi, -torch.sigmoid(of_fake) * theta - gamma * psi


def _point(theta, psi):
    point = []
    for name, value in (("theta", theta), ("psi", psi)):
        if not isinstance(value, torch.Tensor):
            value = torch.tensor(real_number(name, value, above=-math.inf, below=math.inf), dtype=torch.float64)
        point.append(value if value.is_floating_point() else value.double())
    try:
        return torch.broadcast_tensors(*point)
    except RuntimeError as error:
        shapes = [tuple(value.shape) for value in point]
        raise ValueError(f"psi: got shape {shapes[1]}, wants that of theta, {shapes[0]}") from error


def _gamma(value):
    return real_number("r1_gamma", value, at_least=0, below=math.inf)
