"""The Wasserstein GAN with gradient penalty (Gulrajani et al. 2017, https://arxiv.org/abs/1704.00028)."""

from math import prod

from torch import nn

from ganedu.blocks import Stack, mlp
from ganedu.gan import GAN
from ganedu.regularizers import gradient_penalty


class Generator(Stack):
    """(N, z_dim) latents -> (N, *data_shape) images in [-1, 1]. No batch norm: the penalty makes do without."""

    def __init__(self, z_dim=64, data_shape=(1, 28, 28), widths=(256, 512)):
        layers = mlp([z_dim, *widths, prod(data_shape)], nn.ReLU)
        super().__init__(*layers, nn.Tanh(), nn.Unflatten(1, data_shape))


class Critic(Stack):
    """(N, *data_shape) images -> (N, 1) scores without bounds: higher means "more real".

    Without batch norm, which would make a sample's gradient depend on the others of its batch (section 4).
    """

    def __init__(self, data_shape=(1, 28, 28), widths=(512, 256)):
        super().__init__(nn.Flatten(), *mlp([prod(data_shape), *widths, 1], lambda: nn.LeakyReLU(0.2)))


class WGANGP(GAN):
    """D is a critic: held near slope 1, it measures how far the fakes are from the data.

    Attributes:
        n_critic: critic updates per generator update: the distance is only as good as the critic (algorithm 1).
        betas: Adam without momentum, as the critic's target moves (algorithm 1).
        gp_weight: λ, the weight of the penalty.
        lr: above the paper's 1e-4, which its small nets bear: two CPU cores see digits within half a minute.
    """

    n_critic, betas, gp_weight = 5, (0.0, 0.9), 10.0
    lr = 1e-3

    def __init__(self, G=None, D=None, z_dim=64, data_shape=(1, 28, 28)):
        super().__init__(G or Generator(z_dim, data_shape), D or Critic(data_shape), z_dim)

    def d_loss(self, x, z):
        """E[D(G(z))] - E[D(x)] + λ E[(‖∇D(x̂)‖₂ - 1)²]   (eq. 3)"""
        x_fake = self.G(z).detach()
        return self.D(x_fake).mean() - self.D(x).mean() + self.gp_weight * gradient_penalty(self.D, x, x_fake)

    def g_loss(self, x, z):
        """-E[D(G(z))]"""
        return -self.D(self.G(z)).mean()
