"""The objectives, as formulas over logits.

Every function takes D's raw outputs (logits, any shape), in the order (real, fake), and returns a scalar to
*minimise*. With D(x) = sigmoid(logit): log D(x) = -softplus(-logit) and log(1 - D(x)) = -softplus(logit), which
stay finite where the logarithm of a sigmoid overflows.

An ``Objective`` pairs the two players' losses, so that a model takes one object: ``VanillaGAN(loss=nonsaturating)``.
"""

from collections.abc import Callable
from typing import NamedTuple

from torch import Tensor
from torch.nn.functional import softplus


class Objective(NamedTuple):
    """The two players' losses: ``d(real_logits, fake_logits)`` and ``g(fake_logits)``, each a scalar."""

    d: Callable[[Tensor, Tensor], Tensor]
    g: Callable[[Tensor], Tensor]


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
