"""Four games as somebody writes them who has only read gan.py: for tests/test_games.py, in processes of their own as well."""

import torch
from torch import nn
from torch.nn import functional as F

from ganedu.data import ImageData
from ganedu.gan import GAN, Game
from ganedu.losses import nonsaturating

SIDE, CLASSES = 8, 4


def pictures(n=40, seed=0):
    """Bars: in class k the rows 2k and 2k + 1 are white, in noise."""
    noise = torch.rand(n, 1, SIDE, SIDE, generator=torch.Generator().manual_seed(seed))
    labels = torch.arange(n) % CLASSES
    rows = torch.arange(SIDE) // 2
    bars = (rows[None, :] == labels[:, None]).float()[:, None, :, None]
    return ImageData((0.3 * noise + 1.6 * bars - 1).clamp(-1, 1), labels, [f"row {k}" for k in range(CLASSES)], "bars")


# --- labels in both losses ----------------------------------------------------------------------------------------


class With(nn.Module):
    """A net of two inputs, the second one a label."""

    def __init__(self, n_in, *layers):
        super().__init__()
        self.embed, self.net = nn.Embedding(CLASSES, n_in), nn.Sequential(*layers)

    def forward(self, x, y):
        return self.net(x.flatten(1) + self.embed(y))


class Labelled(GAN):
    """A conditional GAN, its label in both players."""

    def __init__(self):
        G = With(
            6, nn.Linear(6, 24), nn.BatchNorm1d(24), nn.ReLU(), nn.Linear(24, 64), nn.Tanh(), nn.Unflatten(1, (1, 8, 8))
        )
        super().__init__(G, With(64, nn.Linear(64, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1)), z_dim=6)

    def d_loss(self, x, y, z):
        return nonsaturating.d(self.D(x, y), self.D(self.G(z, y).detach(), y))

    def g_loss(self, y, z):
        return nonsaturating.g(self.D(self.G(z, y), y))

    def generate(self, z, y):
        return self.G(z, y)

    def judge(self, x, y, z):
        return self.D(x, y), self.D(self.G(z, y), y)

    def preview(self, z):
        """A class a column."""
        few = z[:6]
        return {f"row {k}": self.G(few, torch.full((len(few),), k, device=z.device)) for k in range(CLASSES)}


# --- one player ---------------------------------------------------------------------------------------------------


class Autoencoder(nn.Module):
    def __init__(self):
        super().__init__()
        self.encode, self.decode = nn.Linear(64, 8), nn.Sequential(nn.Linear(4, 64), nn.Tanh())


class VAE(Game):
    """A variational autoencoder: one player, whose loss draws by itself."""

    players, averaged, z_dim, lr = ("model",), ("model",), 4, 1e-2

    def __init__(self):
        super().__init__()
        self.model = Autoencoder()

    def terms(self, x):
        mean, log_std = self.model.encode(x.flatten(1)).chunk(2, 1)
        z = mean + log_std.exp() * torch.randn_like(mean)
        error = (self.model.decode(z) - x.flatten(1)).square().sum(1).mean()
        kl = (0.5 * (mean.square() + (2 * log_std).exp() - 1) - log_std).sum(1).mean()
        return error, kl

    def model_loss(self, x):
        error, kl = self.terms(x)
        return error + 0.1 * kl

    def generate(self, z):
        return self.model.decode(z).view(-1, 1, SIDE, SIDE)

    def preview(self, x, z):
        return {"made": self.generate(z), "given": x}


# --- two unpaired domains -----------------------------------------------------------------------------------------


class Domains:
    """Pictures of one kind (a) and, never in pairs, their negatives (b)."""

    name = "bars and their negatives"

    def __init__(self, of_a=None, of_b=None):
        self.of_a, self.of_b = of_a or pictures(), of_b or pictures(seed=1)

    def batch(self, n, generator=None):
        return {"a": self.of_a.sample(n, generator), "b": -self.of_b.sample(n, generator)}

    def to(self, device):
        return Domains(self.of_a.to(device), self.of_b.to(device))


def picture_net():
    return nn.Sequential(
        nn.Conv2d(1, 6, 3, padding=1, bias=False),
        nn.InstanceNorm2d(6),
        nn.ReLU(),
        nn.Conv2d(6, 1, 3, padding=1),
        nn.Tanh(),
    )


def patch_net():
    return nn.Sequential(nn.Conv2d(1, 6, 4, 2, 1), nn.LeakyReLU(0.2), nn.Conv2d(6, 1, 3, padding=1))


class Swap(Game):
    """Two translators and two judges, least squares, a cycle, and a pool of old fakes that half of D's turns see."""

    players, averaged, lr = ("D", "G"), ("G",), 2e-3
    POOL = 16

    def __init__(self):
        super().__init__()
        self.G = nn.ModuleDict({"ab": picture_net(), "ba": picture_net()})
        self.D = nn.ModuleDict({"a": patch_net(), "b": patch_net()})
        self.register_buffer("pool", torch.zeros(self.POOL, 1, SIDE, SIDE))

    def draw(self, data, n, generator=None):
        batch = data.batch(n, generator)
        device = batch["a"].device
        old = torch.rand(n, 1, 1, 1, generator=generator, device=device) < 0.5
        return {
            **batch,
            "slot": torch.randperm(self.POOL, generator=generator, device=device)[:n],
            "old": old[: self.POOL],
        }

    def d_loss(self, a, b, slot, old):
        fake = self.G["ab"](a).detach()
        if self.training:
            shown = torch.where(old, self.pool[slot], fake[: len(slot)])
            self.pool[slot] = fake[: len(slot)]
        else:
            shown = fake
        back = self.G["ba"](b).detach()
        real = (self.D["a"](a) - 1).square().mean() + (self.D["b"](b) - 1).square().mean()
        return real + self.D["b"](shown).square().mean() + self.D["a"](back).square().mean()

    def g_loss(self, a, b):
        fake_a, fake_b = self.G["ba"](b), self.G["ab"](a)
        cycle = (self.G["ba"](fake_b) - a).abs().mean() + (self.G["ab"](fake_a) - b).abs().mean()
        return (self.D["a"](fake_a) - 1).square().mean() + (self.D["b"](fake_b) - 1).square().mean() + 10 * cycle

    def generate(self, a):
        return self.G["ab"](a)

    def compare(self, a, b):
        return b, self.G["ab"](a)

    def preview(self, a):
        to_b = self.G["ab"](a)
        return {"a": a, "to b": to_b, "and back": self.G["ba"](to_b)}

    def observe(self, a):
        return {"cycle": (self.G["ba"](self.G["ab"](a)) - a).abs().mean()}


# --- a code for each sample ---------------------------------------------------------------------------------------


class Codes(Game):
    """Latents that are learned, one for each picture, on a ball; at a rate ten times the net's."""

    players, averaged, z_dim, lr = ("model",), ("model",), 3, 1e-2

    def __init__(self, n=40):
        super().__init__()
        self.model = nn.ModuleDict({"codes": nn.Embedding(n, 3), "net": nn.Sequential(nn.Linear(3, 64), nn.Tanh())})

    def optimizer(self, player, lr):
        groups = [
            {"params": list(self.model["net"].parameters())},
            {"params": list(self.model["codes"].parameters()), "lr": 10 * lr},
        ]
        return torch.optim.Adam(groups, lr=lr, betas=self.betas)

    def model_loss(self, x, i):
        z = F.normalize(self.model["codes"](i), dim=1)
        return (self.generate(z) - x).square().mean()

    def generate(self, z):
        return self.model["net"](F.normalize(z, dim=1)).view(-1, 1, SIDE, SIDE)

    def preview(self, x, i):
        return {"given": x, "from its code": self.generate(self.model["codes"](i))}


GAMES = {"labelled": (Labelled, pictures), "vae": (VAE, pictures), "swap": (Swap, Domains), "codes": (Codes, pictures)}
