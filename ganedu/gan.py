"""What a game is: players, the loss each one minimises, and how to sample. How to minimise stands in training.py.

A ``Game`` names its players; a ``GAN`` is the game of two, D and G. Another kind of model (a VAE's single player,
CycleGAN's two pairs) is a Game with other players, and the trainer treats them all alike.
"""

import torch
from torch import nn

from ganedu.arguments import whole_number


class Game(nn.Module):
    """Players that take turns, each minimising a loss of its own over its own parameters.

    A subclass sets ``players`` in the order of play. For a player "D" the trainer looks up the module ``self.D``
    and the method ``self.d_loss(x, z)``.

    Attributes (class-wide defaults, one line each in a subclass):
        players: names of the players, in the order of play within a round
        averaged: names of the players whose weights are averaged (EMA) for sampling
        z_dim: size of the latent vector
        lr: Adam's learning rate, a float for all players or a dict by player
        betas: Adam's betas
        round: rounds played before the present one; the trainer keeps it
    """

    players: tuple[str, ...] = ()
    averaged: tuple[str, ...] = ()
    z_dim = 64
    lr: float | dict[str, float] = 2e-4
    betas = (0.5, 0.999)
    round = 0

    def turns(self, player):
        """How many updates ``player`` makes in one round."""
        return 1

    def variant(self):
        """What kind of round the present one is, where not all compute the same: any value that a dict takes as a key.

        A game that regularises every 16th round returns ``self.round % 16 == 0``: each kind is captured on its own.
        """
        return None

    def loss(self, player, x, z):
        """The scalar that ``player`` minimises on a real batch ``x`` and latents ``z``."""
        return getattr(self, f"{player.lower()}_loss")(x, z)

    def optimizer(self, player, lr):
        """The optimiser over the parameters of ``player``, and over no others."""
        return torch.optim.Adam(getattr(self, player).parameters(), lr=lr, betas=self.betas, fused=True)

    def sample_z(self, n, generator=None):
        """(n, z_dim) latents from N(0, I), drawn on the model's device."""
        device = next(self.parameters()).device
        return torch.randn(n, self.z_dim, device=device, generator=generator)

    def generate(self, z):
        """The sample for the latents ``z``."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it generates a sample")

    def observe(self, x, z):
        """Scalars worth plotting beside the losses, as a dict of tensors. Called in eval mode, without gradients."""
        return {}

    def check(self, x):
        """Raise a ValueError if the players do not fit each other or a real batch ``x``."""


class GAN(Game):
    """The game of two players: D tells real from fake, G makes the fakes (Goodfellow et al. 2014).

    A subclass provides the modules ``G`` and ``D`` and the methods ``d_loss(x, z)`` and ``g_loss(x, z)``.
    """

    players = ("D", "G")
    averaged = ("G",)
    n_critic = 1  # D updates per G update

    def __init__(self, G, D, z_dim):
        super().__init__()
        self.G, self.D = G, D
        self.z_dim = whole_number("z_dim", z_dim)

    def turns(self, player):
        return self.n_critic if player == "D" else 1

    def generate(self, z):
        return self.G(z)

    def observe(self, x, z):
        """D's mean raw output on the real and on the fake batch."""
        return {"d_real": self.D(x).mean(), "d_fake": self.D(self.G(z)).mean()}

    def check(self, x):
        x_fake = self.G(self.sample_z(2))
        if x_fake.shape[1:] != x.shape[1:]:
            raise ValueError(
                f"G: got samples of shape {tuple(x_fake.shape[1:])}, "
                f"wants the data's shape {tuple(x.shape[1:])}, which D takes"
            )
        try:
            self.D(x[:2])
        except RuntimeError as error:
            raise ValueError(
                f"D: got a net that fails on real batches of shape (N, {', '.join(map(str, x.shape[1:]))}) "
                f"({error}), wants one that takes them"
            ) from error
