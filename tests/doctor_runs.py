"""Tiny runs for tests/test_diagnosis.py: healthy ones, and ones that are broken on purpose, each kind in several ways.

Prints what the doctor says of each: ``python tests/doctor_runs.py [kind] [seeds ...]``. The thresholds of ganedu/diagnosis/verdicts.py
were set on seeds below 300; the tests take others.
"""

import sys
import time
from functools import partial

import torch
from torch import nn

from ganedu.blocks import mlp
from ganedu.data import digits, gaussian, grid, mixture, ring, swiss_roll, two_moons
from ganedu.diagnosis import COLLAPSE, DROPPING, HEALTHY, NAN, OSCILLATION, SATURATION, STRONG, Doctor
from ganedu.gan import GAN
from ganedu.losses import hinge, least_squares, minimax, nonsaturating, relativistic, wasserstein
from ganedu.models.r3gan import R3GAN
from ganedu.models.sngan import SNGAN
from ganedu.models.vanilla import Discriminator, Generator, VanillaGAN
from ganedu.models.wgan_gp import WGANGP
from ganedu.regularizers import r1, spectral_norm
from ganedu.training import Speed, Trainer


class Played(GAN):
    """Any objective, with R1 where asked for, and plain descent in place of Adam where asked for."""

    def __init__(self, objective, G, D, z_dim, r1_gamma=0.0, betas=(0.5, 0.99), descent=()):
        super().__init__(G, D, z_dim)
        self.objective, self.r1_gamma, self.betas, self.descent = objective, r1_gamma, betas, descent

    def optimizer(self, player, lr):
        if player in self.descent:
            return torch.optim.SGD(getattr(self, player).parameters(), lr=lr)
        return super().optimizer(player, lr)

    def d_loss(self, x, z):
        d_loss = self.objective.d(self.D(x), self.D(self.G(z).detach()))
        return d_loss + self.r1_gamma / 2 * r1(self.D, x) if self.r1_gamma else d_loss

    def g_loss(self, x, z):
        return self.objective.g_loss(self.D, x, self.G(z))


def nets(d, width=32, z_dim=4):
    def leaky():
        return nn.LeakyReLU(0.2)

    return mlp([z_dim, width, width, d]), mlp([d, width, width, 1], leaky), z_dim


def play(
    seed,
    data,
    lr,
    *,
    game=None,
    objective=nonsaturating,
    width=32,
    batch_size=64,
    n_critic=1,
    rounds=600,
    every=25,
    **more,
):
    """(trainer, doctor, rounds, every) of a run that is ready to begin."""
    torch.manual_seed(seed)
    if game is None:
        game = Played(objective, *nets(data.shape[0], width), **more)
    rates = {"D": lr[0], "G": lr[1]}
    trainer = Trainer(
        game, data, batch_size=batch_size, lr=rates, n_critic=n_critic, seed=seed, device="cpu", speed=Speed(tune=False)
    )
    doctor = Doctor(trainer)
    trainer.add_hook(doctor, every=every)
    return trainer, doctor, rounds


class Shift(nn.Module):
    """G of the Dirac-GAN, with a width: it can only move."""

    def __init__(self, d, width):
        super().__init__()
        self.place, self.width = nn.Parameter(torch.zeros(d)), width

    def forward(self, z):
        return self.place + self.width * z


def circling(objective, betas, d, width=1.0, descent=()):
    """A G that moves and a D with one slope: all that they can do is circle."""
    return Played(objective, Shift(d, width), nn.Linear(d, 1), d, betas=betas, descent=descent)


def walled_in(objective, wall, d=2, r1_gamma=0.3):
    """A G that ends in ``wall`` and cannot reach all of the data, as happens to data that are not normalised."""
    G, D, z_dim = nets(d)
    return Played(objective, nn.Sequential(G, wall), D, z_dim, r1_gamma=r1_gamma)


def small_digits(lr, rounds, seed, **more):
    torch.manual_seed(seed)
    game = VanillaGAN(Generator(32, widths=(128, 256)), Discriminator(widths=(256, 128)), z_dim=32)
    return play(seed, digits(), lr, game=game, rounds=rounds, every=10, batch_size=64, **more)


AWAY = mixture([[3.0, 3.0], [5.0, 3.0], [4.0, 5.0]], 0.3)
HALF_OUT = mixture([[-0.7, 0.0], [0.7, 0.0], [0.0, 0.7], [2.0, 0.0], [-2.0, 0.0], [0.0, 2.0]], 0.2)

RUNS = {
    STRONG: [
        partial(play, data=ring(8), lr=(5e-3, 1e-5), rounds=400),
        partial(play, data=gaussian(6.0, 0.5), lr=(5e-3, 1e-5), objective=hinge, rounds=400),
        partial(play, data=AWAY, lr=(5e-3, 1e-5), objective=least_squares, n_critic=2, rounds=400),
        partial(play, data=two_moons(), lr=(1e-2, 2e-5), objective=relativistic, rounds=400),
        partial(play, data=swiss_roll(), lr=(1e-2, 1e-5), n_critic=3, rounds=300),
    ],
    SATURATION: [
        partial(play, data=ring(8), lr=(5e-3, 1e-2), objective=minimax, descent=("G",), n_critic=3, rounds=400),
        partial(play, data=gaussian(8.0, 0.5), lr=(5e-3, 1e-2), objective=minimax, descent=("G",), rounds=400),
        partial(play, data=AWAY, lr=(1e-2, 1e-2), objective=minimax, descent=("G",), rounds=400),
        partial(play, data=ring(5, radius=3.0), lr=(5e-3, 1e-5), objective=minimax, n_critic=2, rounds=400),
        partial(play, data=swiss_roll(), lr=(1e-2, 1e-5), objective=minimax, n_critic=3, rounds=300),
    ],
    COLLAPSE: [
        partial(play, data=ring(8), lr=(2e-4, 2e-3)),
        partial(play, data=ring(6), lr=(2e-4, 4e-3), objective=minimax),
        partial(play, data=grid(3), lr=(1e-4, 2e-3), objective=hinge),
        partial(play, data=two_moons(), lr=(2e-4, 4e-3), objective=least_squares),
        partial(small_digits, lr=(5e-5, 1e-3), rounds=200),
    ],
    OSCILLATION: [  # plain descent circles for ever: for Wasserstein a circle takes 2 pi / lr rounds
        lambda seed: play(
            seed, gaussian(2.0), (0.2, 0.2), game=circling(relativistic, (), 1, descent=("D", "G")), every=10
        ),
        lambda seed: play(
            seed, gaussian(3.0), (0.1, 0.1), game=circling(wasserstein, (), 1, descent=("D", "G")), every=10
        ),
        lambda seed: play(seed, AWAY, (5e-2, 5e-2), game=circling(hinge, (0.9, 0.99), 2), every=10),
        lambda seed: play(seed, AWAY, (0.1, 0.1), game=circling(wasserstein, (), 2, descent=("D", "G")), every=10),
        lambda seed: play(seed, gaussian(5.0), (5e-2, 5e-2), game=circling(relativistic, (0.9, 0.99), 1), every=10),
    ],
    DROPPING: [
        lambda seed: play(seed, grid(5, 1.0), (2e-3, 2e-3), game=walled_in(nonsaturating, nn.Tanh()), rounds=700),
        lambda seed: play(seed, HALF_OUT, (2e-3, 2e-3), game=walled_in(nonsaturating, nn.Tanh()), rounds=500),
        lambda seed: play(seed, grid(3, 1.0), (2e-3, 2e-3), game=walled_in(least_squares, nn.Sigmoid()), rounds=500),
        lambda seed: play(seed, grid(3, 1.0), (2e-3, 2e-3), game=walled_in(hinge, nn.Sigmoid()), rounds=500),
        lambda seed: play(seed, HALF_OUT, (2e-3, 2e-3), game=walled_in(relativistic, nn.Tanh()), rounds=500),
    ],
    NAN: [
        partial(play, data=ring(8), lr=(1e-2, 1e-4), objective=wasserstein, rounds=400),
        partial(play, data=grid(3), lr=(3e-3, 3e-5), objective=wasserstein, n_critic=3, rounds=300),
        partial(play, data=AWAY, lr=(5e-3, 5e-5), objective=wasserstein, width=64, rounds=400),
        partial(play, data=two_moons(), lr=(1e-2, 1e-5), objective=wasserstein, rounds=400),
        partial(play, data=gaussian(8.0), lr=(2e-3, 1e-4), objective=wasserstein, descent=("D",), rounds=300, every=5),
    ],
    HEALTHY: [
        partial(play, data=gaussian(4.0, 1.25), lr=(2e-3, 2e-3), n_critic=2, rounds=400),
        partial(play, data=gaussian(0.0, 1.0), lr=(1e-3, 1e-3), objective=least_squares, rounds=500),
        partial(play, data=ring(4, std=0.2), lr=(2e-3, 2e-3), r1_gamma=0.5, rounds=700),
        partial(play, data=ring(6, std=0.1), lr=(4e-3, 4e-3), r1_gamma=0.3, rounds=700, batch_size=128),
        partial(play, data=two_moons(), lr=(2e-3, 1e-3), objective=hinge, r1_gamma=1.0, rounds=700),
        lambda seed: play(seed, ring(4, std=0.2), (3e-3, 1e-3), game=WGANGP(*nets(2)), n_critic=5, rounds=400),
        lambda seed: play(seed, two_moons(), (2e-3, 2e-3), game=R3GAN(*nets(2)), rounds=500),
        lambda seed: play(seed, swiss_roll(), (2e-3, 2e-3), game=spectral(), n_critic=2, rounds=500),
    ],
}


def spectral():
    G, D, z_dim = nets(2)
    return SNGAN(G, spectral_norm(D), z_dim)


def outcome(make, seed):
    """(doctor, verdicts by look, rounds played, CPU seconds) of one run; NaN ends it early."""
    trainer, doctor, rounds = make(seed=seed)
    said = []
    trainer.add_hook(lambda t: said.append((doctor.looks, doctor.verdicts[0].name)), every=1)
    started = time.process_time()
    try:
        trainer.run(rounds)
    except FloatingPointError:
        pass
    return doctor, [name for _, name in dict(said).items()], trainer, time.process_time() - started


def main(kinds, seeds):
    total = time.process_time()
    for kind in kinds:
        for i, make in enumerate(RUNS[kind]):
            for seed in seeds:
                doctor, said, trainer, seconds = outcome(make, seed)
                ok = doctor.verdicts[0].name == kind
                course = "".join({"healthy": ".", "too early to say": " "}.get(name, name[0]) for name in said)
                print(f"{'   ' if ok else '## '}{kind} {i} seed {seed}: {seconds:.1f} s, {course}")
                for verdict in doctor.verdicts if not ok else doctor.verdicts[:3]:
                    print(f"        {verdict.name}: {verdict.evidence}")
                if not ok or "-v" in sys.argv:
                    for key in ("roc_auc", "sureness", "push", "energy_distance", "spread", "lost", "output", "g_grad"):
                        values = [v for v in doctor.history.get(key, []) if v is not None]
                        print(f"          {key:9}", " ".join(f"{v:.2g}" for v in values[-16:]))
    print(f"{time.process_time() - total:.1f} CPU s")


if __name__ == "__main__":
    words = [word for word in sys.argv[1:] if not word.startswith("-")]
    chosen = [kind for kind in RUNS if any(word in kind for word in words)] or list(RUNS)
    main(chosen, [int(word) for word in words if word.isdigit()] or [100])
