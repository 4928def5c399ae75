"""The Wasserstein GAN with clipped weights (Arjovsky, Chintala and Bottou 2017, https://arxiv.org/abs/1701.07875)."""

from math import prod

import torch
from torch import nn

from ganedu.blocks import Stack, mlp
from ganedu.gan import GAN
from ganedu.losses import wasserstein
from ganedu.models.vanilla import Generator
from ganedu.regularizers import clip_weights


class Critic(Stack):
    """(N, *data_shape) images -> (N, 1) scores without bounds: higher means "more real"."""

    def __init__(self, data_shape=(1, 28, 28), widths=(512, 256)):
        super().__init__(nn.Flatten(), *mlp([prod(data_shape), *widths, 1], lambda: nn.LeakyReLU(0.2)))


class WGAN(GAN):
    """D is a critic: with its weights kept small, it measures how far the fakes are from the data.

    Attributes:
        n_critic: critic updates per generator update: the distance is only as good as the critic (algorithm 1).
        lr: the critic's is the paper's (algorithm 1). The generator's is twenty times the paper's 5e-5: the loss hardly
            changes its slope as G moves, so G bears it, and two CPU cores see digits within half a minute.
        clip: c; after each of its updates every weight of the critic is put back into [-c, c] (algorithm 1).
    """

    n_critic, clip = 5, 0.01
    lr = {"D": 5e-5, "G": 1e-3}

    def __init__(self, G=None, D=None, z_dim=64, data_shape=(1, 28, 28)):
        super().__init__(G or Generator(z_dim, data_shape), D or Critic(data_shape), z_dim)
        self.objective = wasserstein

    def optimizer(self, player, lr):
        """RMSprop: with momentum, as in Adam, the critic's training becomes unstable (section 4.3). D's step ends in the clip."""
        optimizer = torch.optim.RMSprop(getattr(self, player).parameters(), lr=lr)
        if player == "D":
            optimizer.register_step_post_hook(lambda *_: clip_weights(self.D, self.clip))
        return optimizer

    def d_loss(self, x, z):
        """E[D(G(z))] - E[D(x)]   (eq. 3, negated)"""
        return self.objective.d(self.D(x), self.D(self.G(z).detach()))

    def g_loss(self, x, z):
        """-E[D(G(z))]"""
        return self.objective.g_loss(self.D, x, self.G(z))
