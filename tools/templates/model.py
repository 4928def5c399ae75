"""__TITLE__ (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661)."""

from math import prod

from torch import nn

from ganedu.blocks import Stack, mlp
from ganedu.gan import GAN
from ganedu.losses import nonsaturating


class Generator(Stack):
    """(N, z_dim) latents -> (N, *data_shape) images in [-1, 1]."""

    def __init__(self, z_dim=64, data_shape=(1, 28, 28)):
        super().__init__(
            *(nn.Linear(z_dim, 128), nn.BatchNorm1d(128), nn.ReLU()),  # (N, 128)
            *(nn.Linear(128, prod(data_shape)), nn.Tanh(), nn.Unflatten(1, data_shape)),
        )


class Discriminator(Stack):
    """(N, *data_shape) images -> (N, 1) logits: above 0 means "real"."""

    def __init__(self, data_shape=(1, 28, 28)):
        super().__init__(nn.Flatten(), *mlp([prod(data_shape), 128, 1], lambda: nn.LeakyReLU(0.2)))


class TemplateGAN(GAN):
    """What is new in this game, in one sentence.

    Args:
        data_shape: (C, H, W) of the images, for the default nets.

    Attributes:
        lr: why it is not 2e-4.
    """

    lr = 1e-3

    def __init__(self, G=None, D=None, z_dim=64, data_shape=(1, 28, 28)):
        super().__init__(G or Generator(z_dim, data_shape), D or Discriminator(data_shape), z_dim)

    def d_loss(self, x, z):
        """-E[log D(x)] - E[log(1 - D(G(z)))]   (eq. 1, negated)"""
        return nonsaturating.d(self.D(x), self.D(self.G(z).detach()))

    def g_loss(self, z):
        """-E[log D(G(z))]   (section 3)"""
        return nonsaturating.g(self.D(self.G(z)))
