"""The least-squares GAN (Mao et al. 2017, https://arxiv.org/abs/1611.04076)."""

from ganedu.gan import GAN
from ganedu.losses import least_squares
from ganedu.models.vanilla import Discriminator, Generator


class LSGAN(GAN):
    """The vanilla GAN's nets under another loss: D's raw output is drawn to a code, and not squeezed into a probability.

    Args:
        data_shape: (C, H, W) of the images, for the default nets.
        loss: ``least_squares`` has the codes a, b, c = 0, 1, 1 (eq. 9); ``least_squares_with(-1, 1, 0)`` those of eq. 8.

    Attributes:
        lr: the vanilla GAN's, so that the two compare.
    """

    lr = 1e-3

    def __init__(self, G=None, D=None, z_dim=64, data_shape=(1, 28, 28), loss=least_squares):
        super().__init__(G or Generator(z_dim, data_shape), D or Discriminator(data_shape), z_dim)
        self.objective = loss

    def d_loss(self, x, z):
        """½ E[(D(x) - b)²] + ½ E[(D(G(z)) - a)²]   (eq. 2)"""
        return self.objective.d(self.D(x), self.D(self.G(z).detach()))

    def g_loss(self, x, z):
        """½ E[(D(G(z)) - c)²]   (eq. 2)"""
        return self.objective.g_loss(self.D, x, self.G(z))
