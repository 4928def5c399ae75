"""R3GAN: a relativistic loss and two zero-centred penalties (Huang et al. 2024, https://arxiv.org/abs/2501.05441)."""

from math import prod

from torch import nn

from ganedu.blocks import Stack, mlp
from ganedu.gan import GAN
from ganedu.losses import relativistic
from ganedu.regularizers import r1, r2


class Generator(Stack):
    """(N, z_dim) latents -> (N, *data_shape) images in [-1, 1]. Without any normalisation, as in the paper."""

    def __init__(self, z_dim=64, data_shape=(1, 28, 28), widths=(256, 512)):
        layers = mlp([z_dim, *widths, prod(data_shape)], lambda: nn.LeakyReLU(0.2))
        super().__init__(*layers, nn.Tanh(), nn.Unflatten(1, data_shape))


class Discriminator(Stack):
    """(N, *data_shape) images -> (N, 1) logits; only the difference of two says anything: which one is "more real"."""

    def __init__(self, data_shape=(1, 28, 28), widths=(512, 256)):
        super().__init__(nn.Flatten(), *mlp([prod(data_shape), *widths, 1], lambda: nn.LeakyReLU(0.2)))


class R3GAN(GAN):
    """The paper's objective, on small nets: its convolutional blocks are another matter.

    Attributes:
        r1_gamma: γ, the weight of both penalties; the loss uses γ/2.
        betas: Adam without momentum for a moving target, as in the paper.
        lr: above the paper's 2e-4, as in the other models of these small nets.
    """

    betas, r1_gamma = (0.0, 0.99), 1.0
    lr = 1e-3

    def __init__(self, G=None, D=None, z_dim=64, data_shape=(1, 28, 28)):
        super().__init__(G or Generator(z_dim, data_shape), D or Discriminator(data_shape), z_dim)
        self.objective = relativistic

    def d_loss(self, x, z):
        """-E[log sigmoid(D(x) - D(G(z)))] + γ/2 (E[‖∇D(x)‖²] + E[‖∇D(G(z))‖²])   (eqs. 2 and 3)"""
        x_fake = self.G(z).detach()
        penalty = r1(self.D, x) + r2(self.D, x_fake)
        return self.objective.d(self.D(x), self.D(x_fake)) + self.r1_gamma / 2 * penalty

    def g_loss(self, x, z):
        """-E[log sigmoid(D(G(z)) - D(x))]   (eq. 2)"""
        return self.objective.g_loss(self.D, x, self.G(z))
