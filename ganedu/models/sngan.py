"""The spectrally normalised GAN (Miyato et al. 2018, https://arxiv.org/abs/1802.05957)."""

from math import prod

from torch import nn

from ganedu.blocks import Stack, mlp
from ganedu.gan import GAN
from ganedu.losses import hinge
from ganedu.models.vanilla import Generator
from ganedu.regularizers import spectral_norm


class Discriminator(Stack):
    """(N, *data_shape) images -> (N, 1) scores. Each linear layer stretches no vector by more than about 1.

    LeakyReLU stretches nothing either, so D's slope stays below about 1 everywhere, with no penalty in the loss.
    """

    def __init__(self, data_shape=(1, 28, 28), widths=(512, 256)):
        super().__init__(nn.Flatten(), *mlp([prod(data_shape), *widths, 1], lambda: nn.LeakyReLU(0.2)))
        spectral_norm(self)


class SNGAN(GAN):
    """Spectral norm on every layer of D, and the hinge loss. A net given as ``D`` is taken as it is: normalise it yourself.

    Attributes:
        n_critic, betas: those with which the paper trains its hinge loss (section 4).
        lr: above the paper's 2e-4, as in the other models of these small nets.
    """

    n_critic, betas = 5, (0.0, 0.9)
    lr = 1e-3

    def __init__(self, G=None, D=None, z_dim=64, data_shape=(1, 28, 28), loss=hinge):
        super().__init__(G or Generator(z_dim, data_shape), D or Discriminator(data_shape), z_dim)
        self.objective = loss

    def d_loss(self, x, z):
        """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]   (eq. 16, negated)"""
        return self.objective.d(self.D(x), self.D(self.G(z).detach()))

    def g_loss(self, x, z):
        """-E[D(G(z))]   (eq. 17)"""
        return self.objective.g_loss(self.D, x, self.G(z))
