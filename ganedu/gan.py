"""What a game is: its players, the batch it draws, the loss each player minimises, and how to sample.

How to minimise stands in training.py. A batch is a dict of named tensors, and each method of a game receives the entries
that it names: ``d_loss(self, x, z)`` gets real images and latents, ``d_loss(self, x, y, z)`` the labels as well,
``g_loss(self, a, b)`` a picture of either domain. What the data set knows of n samples it hands over whole; what else is
random the game adds. A ``Game`` names its players; a ``GAN`` is the game of two, D and G.
"""

import inspect
import weakref

import torch
from torch import nn

from ganedu.arguments import whole_number

_signatures = weakref.WeakKeyDictionary()  # looked up at every update: 8 microseconds, and 60 without; kills no class


def parameters_of(method):
    """The parameters of a method or function, as ``inspect`` has them: {name: Parameter}, without ``self``."""
    function = getattr(method, "__func__", method)
    try:
        found = _signatures.get(function)
    except TypeError:  # a callable that cannot be kept in a dictionary of weak references
        return dict(inspect.signature(method).parameters)
    if found is None:
        found = dict(inspect.signature(function).parameters)
        if inspect.ismethod(method):
            del found[next(iter(found))]  # self
        _signatures[function] = found
    return found


def call(method, batch):
    """Call ``method`` with what it names: ``d_loss(self, x, y)`` gets x and y, ``batch`` itself is the whole dict.

    Args:
        method: a method of a game, or a function.
        batch: a dict of named tensors. What the method does not name it does not get; what it names with a default and
            the batch does not have keeps the default.

    Raises:
        TypeError: the method names something that the batch does not have; the message lists what it has.
    """
    given = {}
    for name, parameter in parameters_of(method).items():
        if parameter.kind is parameter.VAR_KEYWORD:
            given |= {other: entry for other, entry in batch.items() if other not in given}
        elif name in batch:
            given[name] = batch[name]
        elif name == "batch":
            given[name] = batch
        elif parameter.default is parameter.empty and parameter.kind is not parameter.VAR_POSITIONAL:
            raise TypeError(
                f"{getattr(method, '__qualname__', method)}: got {name!r} among its arguments, wants names of the batch: "
                f"{', '.join(batch)}, or batch for all of it"
            )
    return method(**given)


class Game(nn.Module):
    """Players that take turns, each minimising a loss of its own over its own parameters.

    A subclass sets ``players`` in the order of play. For a player "D" the trainer looks up the module ``self.D`` and the
    method ``self.d_loss``, which names the entries of the batch that it needs.

    Attributes (class-wide defaults, one line each in a subclass):
        players: names of the players, in the order of play within a round
        averaged: names of the players whose weights are averaged (EMA) for sampling
        z_dim: size of the latent vector
        lr: Adam's learning rate, a float for all players or a dict by player
        betas: Adam's betas
        observed: what the numbers of ``observe`` are, for the axis along which they are drawn
        round: rounds played before the present one; the trainer keeps it
    """

    players: tuple[str, ...] = ()
    averaged: tuple[str, ...] = ()
    z_dim = 64
    lr: float | dict[str, float] = 2e-4
    betas = (0.5, 0.999)
    observed = "observed"
    round = 0

    # --- a round ---------------------------------------------------------------------------------------------------

    def begin(self, round):
        """Called before each round, ``round`` being the number of those played. A schedule fills its tensors here."""

    def turns(self, player):
        """How many updates ``player`` makes in one round."""
        return 1

    def variant(self):
        """What kind of round the present one is, where not all compute the same: any value that a dict takes as a key.

        A game that regularises every 16th round returns ``self.round % 16 == 0``: each kind is captured on its own.
        """
        return None

    def draw(self, data, n, generator=None):
        """A batch of n samples: what the data set knows of them (x; i, y, ... where it has them), and latents z.

        A game that needs more (codes, masks, wrong labels) adds it to what this returns, drawn from ``generator``.
        """
        knows = callable(getattr(data, "batch", None))
        known = data.batch(n, generator) if knows else {"x": data.sample(n, generator)}
        return {**known, "z": self.sample_z(n, generator)}

    def loss(self, player, batch):
        """The scalar that ``player`` minimises on a batch."""
        return call(getattr(self, f"{player.lower()}_loss"), batch)

    def optimizer(self, player, lr):
        """The optimiser over the parameters of ``player``: what it moves is what the player owns in its turn."""
        return torch.optim.Adam(getattr(self, player).parameters(), lr=lr, betas=self.betas, fused=True)

    # --- samples ---------------------------------------------------------------------------------------------------

    def sample_z(self, n, generator=None):
        """(n, z_dim) latents from N(0, I), drawn on the model's device."""
        device = next(self.parameters()).device
        return torch.randn(n, self.z_dim, device=device, generator=generator)

    def generate(self, z):
        """The samples for the latents ``z``; another game names what else, or in its place, it makes samples of."""
        raise NotImplementedError(f"{type(self).__name__} does not say how it generates a sample")

    def ingredients(self, data, n, generator=None, **given):
        """What ``generate`` names, for n samples: ``given`` as it is, latents z, and the rest as ``draw`` has it.

        Raises:
            TypeError: ``given`` holds something that ``generate`` does not name.
            ValueError: a tensor in ``given`` is not of n rows.
        """
        wanted = parameters_of(self.generate)
        takes_all = any(p.kind is p.VAR_KEYWORD or p.name == "batch" for p in wanted.values())
        for name, entry in given.items():
            if name not in wanted and not takes_all:
                raise TypeError(
                    f"{name}: got it for samples of {type(self).__name__}, wants one of {', '.join(wanted)}"
                )
            if isinstance(entry, torch.Tensor) and entry.ndim and len(entry) != n:
                raise ValueError(f"{name}: got {len(entry)} of them for {n} samples, wants one for each")
        batch = dict(given)
        if "z" in wanted and "z" not in batch:
            batch["z"] = self.sample_z(n, generator)
        asked = [name for name, p in wanted.items() if p.default is p.empty and name not in batch]
        return {**self.draw(data, n, generator), **batch} if asked else batch

    def preview(self, batch):
        """What to show while it trains: samples (N, ...), or {title: samples}, side by side. Draws nothing."""
        return call(self.generate, batch)

    def compare(self, batch):
        """(real, fake) samples that are meant to be alike as a whole. CycleGAN's are (b, G(a))."""
        return batch["x"], call(self.generate, batch)

    # --- what is looked at -----------------------------------------------------------------------------------------

    def observe(self):
        """Scalars worth plotting beside the losses, as a dict of tensors. Called in eval mode, without gradients.

        It names the entries of the batch that it needs, as a loss does.
        """
        return {}

    def check(self):
        """Raise a ValueError if the players do not fit each other or a batch, of which it names what it needs."""


class GAN(Game):
    """The game of two players: D tells real from fake, G makes the fakes (Goodfellow et al. 2014).

    A subclass provides the modules ``G`` and ``D`` and the methods ``d_loss(x, z)`` and ``g_loss(x, z)``. A conditional one
    names y as well, in its losses and in ``judge`` and ``generate``.
    """

    players = ("D", "G")
    averaged = ("G",)
    n_critic = 1  # D updates per G update
    observed = "D's mean output"

    def __init__(self, G, D, z_dim):
        super().__init__()
        self.G, self.D = G, D
        self.z_dim = whole_number("z_dim", z_dim)

    def turns(self, player):
        return self.n_critic if player == "D" else 1

    def generate(self, z):
        return self.G(z)

    def judge(self, x, z):
        """D's raw outputs on real and on fake samples, in this order: what ``observe`` and the doctor go by."""
        return self.D(x), self.D(self.G(z))

    def observe(self, batch):
        """D's mean raw output on the real and on the fake samples."""
        real_logits, fake_logits = call(self.judge, batch)
        return {"d_real": real_logits.mean(), "d_fake": fake_logits.mean()}

    def check(self, batch):
        # latents from torch's own generator, as ever: what a seeded notebook draws later depends on it
        few = {name: entry[:2] for name, entry in batch.items()} | {"z": self.sample_z(2)}
        real, fake = call(self.compare, few)
        if fake.shape[1:] != real.shape[1:]:
            raise ValueError(
                f"G: got samples of shape {tuple(fake.shape[1:])}, "
                f"wants the data's shape {tuple(real.shape[1:])}, which D takes"
            )
        devices = [real.device] if real.device.type == "cuda" else []
        try:
            with torch.random.fork_rng(devices):  # should a net draw: it has drawn once already, in ``compare``
                call(self.judge, few)
        except RuntimeError as error:
            raise ValueError(
                f"D: got a net that fails on real batches of shape (N, {', '.join(map(str, real.shape[1:]))}) "
                f"({error}), wants one that takes them"
            ) from error
