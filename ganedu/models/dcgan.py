"""The deep convolutional GAN (Radford, Metz and Chintala 2016, https://arxiv.org/abs/1511.06434)."""

from torch import nn

from ganedu.arguments import whole_number
from ganedu.blocks import Stack
from ganedu.gan import GAN
from ganedu.losses import nonsaturating


def halvings(data_shape):
    """How often the picture's side is halved, and what is left of it: 28 -> (2, 7), 32 -> (3, 4), 64 -> (4, 4).

    Raises:
        ValueError: the picture is not square, or its side is not 4, 5, 6 or 7 times a power of 2 (8 or more).
    """
    _, height, width = data_shape
    times, side = 0, height
    while side >= 8 and side % 2 == 0:
        times, side = times + 1, side // 2
    if height != width or times == 0 or not 4 <= side <= 7:
        raise ValueError(
            f"data_shape: got pictures of {height} x {width}, wants square ones with a side such as 28, 32 or 64: "
            "4, 5, 6 or 7, doubled once or more"
        )
    return times, side


def init_weights(module):
    """Convolutions and linear layers from N(0, 0.02²), batch norm's scale from N(1, 0.02²), every bias 0 (section 3)."""
    if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    if getattr(module, "bias", None) is not None:
        nn.init.zeros_(module.bias)


class Generator(Stack):
    """(N, z_dim) latents -> (N, *data_shape) images in [-1, 1].

    A linear layer makes a small picture of many channels; each 4x4 transposed convolution of stride 2 doubles its side and
    halves its channels, the last one leaves the colours. Batch norm and ReLU before each, tanh at the end.
    """

    def __init__(self, z_dim=64, data_shape=(1, 28, 28), width=16):
        times, side = halvings(data_shape)
        widths = [whole_number("width", width) * 2**i for i in range(times, 0, -1)]  # 28x28: 64, 32
        layers = [nn.Linear(z_dim, widths[0] * side**2, bias=False), nn.Unflatten(1, (widths[0], side, side))]
        for n_in, n_out in zip(widths, [*widths[1:], data_shape[0]]):
            layers += [nn.BatchNorm2d(n_in), nn.ReLU(), nn.ConvTranspose2d(n_in, n_out, 4, 2, 1, bias=False)]
        super().__init__(*layers, nn.Tanh())
        self.apply(init_weights)


class Discriminator(Stack):
    """(N, *data_shape) images -> (N, 1) logits: above 0 means "real".

    Each 4x4 convolution of stride 2 halves the side and doubles the channels, from ``width`` on. Batch norm behind all but
    the first, LeakyReLU 0.2 behind every one; a linear layer, without batch norm, gives the verdict.
    """

    def __init__(self, data_shape=(1, 28, 28), width=16):
        times, side = halvings(data_shape)
        widths = [whole_number("width", width) * 2**i for i in range(times)]  # 28x28: 16, 32
        layers = [nn.Conv2d(data_shape[0], width, 4, 2, 1), nn.LeakyReLU(0.2)]
        for n_in, n_out in zip(widths, widths[1:]):
            layers += [nn.Conv2d(n_in, n_out, 4, 2, 1, bias=False), nn.BatchNorm2d(n_out), nn.LeakyReLU(0.2)]
        super().__init__(*layers, nn.Flatten(), nn.Linear(widths[-1] * side**2, 1))
        self.apply(init_weights)


class DCGAN(GAN):
    """Convolutions for both players, and the rules under which they train: section 3 of the paper.

    Args:
        data_shape: (C, H, W), square with a side such as 28, 32 or 64.
        width: channels at half the picture's side in D, doubled with every further halving; G has twice as many.

    Attributes:
        lr: above the paper's 2e-4, as nets of width 16 bear it and two CPU cores then see digits within half a minute.
        betas: the first one below Adam's usual 0.9, which makes the game swing (section 3.1).
    """

    lr, betas = 1e-3, (0.5, 0.999)

    def __init__(self, G=None, D=None, z_dim=64, data_shape=(1, 28, 28), width=16, loss=nonsaturating):
        super().__init__(G or Generator(z_dim, data_shape, width), D or Discriminator(data_shape, width), z_dim)
        self.objective = loss

    def d_loss(self, x, z):
        """-E[log D(x)] - E[log(1 - D(G(z)))]   (Goodfellow et al. 2014, eq. 1, negated)"""
        return self.objective.d(self.D(x), self.D(self.G(z).detach()))

    def g_loss(self, x, z):
        """-E[log D(G(z))]"""
        return self.objective.g_loss(self.D, x, self.G(z))

    def observe(self, x, z):
        """D(x) and D(G(z)): the mean probability that D gives to "real"."""
        return {"d_real": self.D(x).sigmoid().mean(), "d_fake": self.D(self.G(z)).sigmoid().mean()}
