"""The vanilla GAN: two multi-layer perceptrons (Goodfellow et al. 2014, https://arxiv.org/abs/1406.2661)."""

from math import prod

from torch import nn

from ganedu.blocks import Stack
from ganedu.gan import GAN
from ganedu.losses import nonsaturating


class Generator(Stack):
    """(N, z_dim) latents -> (N, *data_shape) images in [-1, 1].

    Batch norm is what keeps images of different latents apart: with default weights each linear layer shrinks the
    differences between its inputs, and without it G starts out, and for long stays, with one image for all latents.
    """

    def __init__(self, z_dim=64, data_shape=(1, 28, 28), widths=(256, 512)):
        layers = []
        for n_in, n_out in zip((z_dim, *widths), widths):
            layers += [nn.Linear(n_in, n_out), nn.BatchNorm1d(n_out), nn.ReLU()]
        layers += [nn.Linear(widths[-1], prod(data_shape)), nn.Tanh(), nn.Unflatten(1, data_shape)]
        super().__init__(*layers)


class Discriminator(Stack):
    """(N, *data_shape) images -> (N, 1) logits: above 0 means "real"."""

    def __init__(self, data_shape=(1, 28, 28), widths=(512, 256)):
        layers = [nn.Flatten()]
        for n_in, n_out in zip((prod(data_shape), *widths), widths):
            layers += [nn.Linear(n_in, n_out), nn.LeakyReLU(0.2)]
        super().__init__(*layers, nn.Linear(widths[-1], 1))


class VanillaGAN(GAN):
    """The original GAN. ``loss=minimax`` plays it as in eq. 1, ``loss=nonsaturating`` as its section 3 advises."""

    lr = 1e-3  # five times DCGAN's: these nets bear it, and the digits are readable within a minute on two cores

    def __init__(self, G=None, D=None, z_dim=64, loss=nonsaturating):
        super().__init__(G or Generator(z_dim), D or Discriminator(), z_dim)
        self.objective = loss

    def d_loss(self, x, z):
        """-E[log D(x)] - E[log(1 - D(G(z)))]   (eq. 1, negated)"""
        return self.objective.d(self.D(x), self.D(self.G(z).detach()))

    def g_loss(self, x, z):
        """-E[log D(G(z))], or E[log(1 - D(G(z)))] where ``loss=minimax``   (section 3; eq. 1)"""
        return self.objective.g_loss(self.D, x, self.G(z))

    def observe(self, x, z):
        """D(x) and D(G(z)): the mean probability that D gives to "real"."""
        return {"d_real": self.D(x).sigmoid().mean(), "d_fake": self.D(self.G(z)).sigmoid().mean()}
