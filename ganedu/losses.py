"""The objectives, as formulas over logits.

Every function takes D's raw outputs (logits, any shape), in the order (real, fake), and returns a scalar to
*minimise*. With D(x) = sigmoid(logit): log D(x) = -softplus(-logit) and log(1 - D(x)) = -softplus(logit), which
stay finite where the logarithm of a sigmoid overflows.

Where D is a critic, its outputs are scores without bounds and stand for themselves.

An ``Objective`` pairs the two players' losses, so that a model takes one object: ``VanillaGAN(loss=nonsaturating)``.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import relu, softplus

from ganedu.arguments import real_number


class Objective(NamedTuple):
    """The two players' losses, each a scalar to minimise.

    Attributes:
        d: ``d(real_logits, fake_logits)``
        g: ``g(fake_logits)``, or ``g(fake_logits, real_logits)`` where ``g_compares``
        g_compares: whether G's loss compares the fakes with real samples, and so needs D's logits on both
    """

    d: Callable[[Tensor, Tensor], Tensor]
    g: Callable[..., Tensor]
    g_compares: bool = False

    def g_loss(self, D, x, x_fake):
        """G's loss on the fakes ``x_fake``. D judges the real batch ``x`` as well, but only where the loss compares."""
        return self.g(D(x_fake), D(x)) if self.g_compares else self.g(D(x_fake))


def d_minimax(real_logits, fake_logits):
    """-E[log D(x)] - E[log(1 - D(G(z)))]   (Goodfellow et al. 2014, eq. 1, negated).

    Two-class cross-entropy with label 1 for real and 0 for fake, the two halves added. Range (0, inf);
    2 log 2 = 1.386 where D says 1/2 everywhere.
    """
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


def g_minimax(fake_logits):
    """E[log(1 - D(G(z)))]   (Goodfellow et al. 2014, eq. 1): saturates where D is sure of the fakes.

    Range (-inf, 0); its gradient with respect to a logit is -D(G(z)), which vanishes as D(G(z)) -> 0.
    """
    return -softplus(fake_logits).mean()


def g_nonsaturating(fake_logits):
    """-E[log D(G(z))]   (Goodfellow et al. 2014, section 3): the same fixed point, a gradient that stays.

    Range (0, inf); its gradient with respect to a logit is D(G(z)) - 1, which tends to -1 as D(G(z)) -> 0.
    """
    return softplus(-fake_logits).mean()


minimax = Objective(d_minimax, g_minimax)
nonsaturating = Objective(d_minimax, g_nonsaturating)


# --- least squares ------------------------------------------------------------------------------------------------


def d_least_squares(real_logits, fake_logits, a=0.0, b=1.0):
    """½ E[(D(x) - b)²] + ½ E[(D(G(z)) - a)²]   (Mao et al. 2017, eq. 2)

    Least squares on D's raw output, towards the codes b for real and a for fake. Range [0, inf). Its gradient with
    respect to a logit grows with the distance from its code, where cross-entropy's has long vanished.
    """
    return (real_logits - b).square().mean() / 2 + (fake_logits - a).square().mean() / 2


def g_least_squares(fake_logits, c=1.0):
    """½ E[(D(G(z)) - c)²]   (Mao et al. 2017, eq. 2): the fakes are drawn to the code c. Range [0, inf)."""
    return (fake_logits - c).square().mean() / 2


def least_squares_with(a, b, c):
    """The least-squares objective for other codes: a for fake, b for real, c what G wants D to say of a fake.

    With b - c = 1 and b - a = 2, for instance (a, b, c) = (-1, 1, 0) as in eq. 8, and the best possible D, G's loss plus
    ½ E[(D(x) - c)²] is half the Pearson χ² divergence between p_d + p_g and 2 p_g. The codes (0, 1, 1) of eq. 9, those of
    ``least_squares``, ask G for what D takes to be real; with them the same sum is no χ² but 1/4 + χ²/8.

    Args:
        a, b, c: finite numbers, a and b different.

    Returns:
        an ``Objective``.

    Raises:
        TypeError, ValueError: a code that is no finite number, or one code for real and fake.
    """
    a, b, c = (real_number(name, code, above=-math.inf, below=math.inf) for name, code in zip("abc", (a, b, c)))
    if a == b:
        raise ValueError(f"b: got {b:g}, which is a, wants another code for real than for fake")
    return Objective(partial(d_least_squares, a=a, b=b), partial(g_least_squares, c=c))


# --- critics ------------------------------------------------------------------------------------------------------


def d_wasserstein(real_logits, fake_logits):
    """E[D(G(z))] - E[D(x)]   (Arjovsky et al. 2017, eq. 3, negated)

    The scores carry no logarithm and have no bound, so something else has to hold the critic's slope: clipped weights, a
    gradient penalty. Then minus this loss is, up to a factor, the earth mover's distance. Range (-inf, inf).
    """
    return fake_logits.mean() - real_logits.mean()


def g_wasserstein(fake_logits):
    """-E[D(G(z))]   (Arjovsky et al. 2017, algorithm 1): its gradient is -1/N at every score, near or far."""
    return -fake_logits.mean()


def d_hinge(real_logits, fake_logits):
    """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]   (Lim and Ye 2017; Miyato et al. 2018, eq. 16, negated)

    A sample that lies beyond its margin, a real one above 1, a fake one below -1, moves D no further. Range [0, inf).
    """
    return relu(1 - real_logits).mean() + relu(1 + fake_logits).mean()


def g_hinge(fake_logits):
    """-E[D(G(z))]   (Miyato et al. 2018, eq. 17): no margin for G. The same as the Wasserstein loss of G."""
    return -fake_logits.mean()


# --- relativistic -------------------------------------------------------------------------------------------------


def d_relativistic(real_logits, fake_logits):
    """-E[log sigmoid(D(x) - D(G(z)))]   (RpGAN: Jolicoeur-Martineau 2019; R3GAN: Huang et al. 2024, eq. 2)

    D is asked which of two is the real one, not whether one is real. The i-th real logit is paired with the i-th fake
    one, so there must be as many. Range (0, inf); log 2 = 0.693 where D cannot tell any pair apart.

    Raises:
        ValueError: real and fake logits of different shapes.
    """
    return softplus(fake_logits - _paired(real_logits, fake_logits)).mean()


def g_relativistic(fake_logits, real_logits):
    """-E[log sigmoid(D(G(z)) - D(x))]   (RpGAN): the fake of each pair is to be taken for the real one.

    The fakes come first, as in every loss of G. Range and errors as for ``d_relativistic``.
    """
    return softplus(_paired(real_logits, fake_logits) - fake_logits).mean()


def _paired(real_logits, fake_logits):
    if real_logits.shape != fake_logits.shape:  # (N, 1) and (N,) would broadcast to all N² pairs
        raise ValueError(
            f"real_logits: got shape {tuple(real_logits.shape)}, wants that of fake_logits, {tuple(fake_logits.shape)}"
        )
    return real_logits


least_squares = Objective(d_least_squares, g_least_squares)
wasserstein = Objective(d_wasserstein, g_wasserstein)
hinge = Objective(d_hinge, g_hinge)
relativistic = Objective(d_relativistic, g_relativistic, g_compares=True)
