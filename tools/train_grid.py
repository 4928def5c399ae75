"""Train the WGAN-GP on the grid of 25 that lesson 10 loads, and write its weights and card into the package.

    python tools/train_grid.py

The lesson's own game with more rounds and two critic steps in each: the same nets, the same fall of the learning rates
to 0. One thread, so that the same command gives the same weights on a machine of the same kind.
"""

import argparse
import time
from pathlib import Path

import torch
from torch import nn

import ganedu
from ganedu.blocks import mlp
from ganedu.data import grid
from ganedu.metrics.coverage import mode_coverage
from ganedu.models.wgan_gp import WGANGP
from ganedu.publishing import publish
from ganedu.runtime import seed_all
from ganedu.training import Speed, Trainer

SCALE = 2.83  # standard deviation of the grid along each axis
WEIGHTS = Path(ganedu.__file__).parent / "models" / "weights" / "wgan_gp_grid.safetensors"
WIDTHS = (128, 128, 128)


class Times(nn.Module):
    """Multiplies by a number."""

    def __init__(self, factor):
        super().__init__()
        self.factor = factor

    def forward(self, x):
        return self.factor * x


def make_game(gp_weight):
    """G: (N, 2) -> (N, 2), D: (N, 2) -> (N, 1), both begun with He's weights, on data divided by its standard deviation."""
    G = nn.Sequential(mlp([2, *WIDTHS, 2]), Times(SCALE))
    D = nn.Sequential(Times(1 / SCALE), mlp([2, *WIDTHS, 1]))
    for layer in [*G.modules(), *D.modules()]:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.uniform_(layer.bias, -1, 1)
    game = WGANGP(G, D, z_dim=2)
    game.gp_weight = gp_weight
    return game


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rounds", type=int, default=10_000)
    parser.add_argument("--batch-size", type=int, default=256)
    parser.add_argument("--n-critic", type=int, default=2)
    parser.add_argument("--lr", type=float, default=4e-3)
    parser.add_argument("--gp-weight", type=float, default=0.1)
    parser.add_argument("--ema-decay", type=float, default=0.999)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--out", type=Path, default=WEIGHTS)
    o = parser.parse_args()
    torch.set_num_threads(1)
    seed_all(o.seed)
    data, game = grid(), make_game(o.gp_weight)
    trainer = Trainer(
        game,
        data,
        batch_size=o.batch_size,
        lr=o.lr,
        n_critic=o.n_critic,
        ema_decay=o.ema_decay,
        seed=o.seed,
        device="cpu",
        speed=Speed(tune=False),
    )

    def fall(trainer):
        for player in game.players:
            trainer.set_lr(player, o.lr * (1 - trainer.round / o.rounds))

    def look(trainer):
        found = mode_coverage(trainer.sample(10_000, batch_size=10_000, seed=0), data.means, data.std)
        print(f"round {trainer.round:,}, {time.process_time() - started:.0f} CPU seconds: {found}", flush=True)
        return found

    started = time.process_time()
    trainer.add_hook(fall, every=10)
    trainer.add_hook(look, every=max(1, o.rounds // 10))
    trainer.run(o.rounds)
    found = look(trainer)
    o.out.parent.mkdir(parents=True, exist_ok=True)
    metrics = {
        "modes covered": found.covered,
        "modes": found.modes,
        "good": found.good,
        "n": 10_000,
        "gp_weight": o.gp_weight,
        "learning rate": f"falls linearly from {o.lr:g} to 0 over the rounds",
        "CPU seconds": round(time.process_time() - started, 1),
    }
    publish(trainer, o.out, metrics=metrics, command="python tools/train_grid.py")
    print(f"{o.out}: {o.out.stat().st_size:,} bytes")


if __name__ == "__main__":
    main()
