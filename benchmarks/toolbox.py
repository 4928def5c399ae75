"""Two of lesson 11's runs, longer than a lesson may take: few images with and without DiffAugment, and R3GAN's parts.

    python benchmarks/toolbox.py [--again] [--most SECONDS]

Few images: every eighth training digit, 500 in all; the G of a narrow DCGAN against the vanilla GAN's D, with nothing
between them and with DiffAugment's translation. Every 300 rounds the averaged G's FID-d (2,000 samples) against the 3,500
digits that nobody trains on, and D's mean output on its own 500, on those 3,500 and on 500 fakes.

R3GAN's parts: the grid of 25 under two losses (non-saturating, relativistic) with three penalties (none, R1, R1 and R2).
The averaged generator and the raw one are judged by 10,000 samples each.

Three seeds each. Writes ganedu/results/toolbox.json after each run, where lesson 11 reads it, and
the weights of seed 0 on few images, ganedu/models/weights/few_images_*.safetensors. Runs that stand there are kept, so it
may be broken off and started again; --again starts anew. One thread; some 15 minutes.
"""

import argparse
import json
import time
from datetime import date
from functools import partial
from pathlib import Path

import torch
from engine import device_name
from torch import nn

import ganedu
from ganedu.blocks import mlp
from ganedu.checkpoints import atomic_write
from ganedu.data import digits, grid
from ganedu.diffaugment import DiffAugment, translation
from ganedu.gan import GAN
from ganedu.losses import nonsaturating, relativistic
from ganedu.metrics import digit_features, frechet_features, mode_coverage
from ganedu.models import dcgan, vanilla
from ganedu.publishing import publish
from ganedu.regularizers import r1, r2
from ganedu.training import Speed, Trainer, evaluating

COMMAND = "python benchmarks/toolbox.py"
TABLE = Path(ganedu.__file__).parent / "results" / "toolbox.json"
WEIGHTS = {
    name: Path(ganedu.__file__).parent / "models" / "weights" / f"few_images_{name.lower()}.safetensors"
    for name in ("plain", "DiffAugment")
}
SEEDS = (0, 1, 2)
LOSSES = {"non-saturating": nonsaturating, "relativistic": relativistic}
PENALTIES = {"none": (0, 0), "R1": (1, 0), "R1 and R2": (1, 1)}


# --- few images -----------------------------------------------------------------------------------------------------


def few_images_game(augmented, seed):
    torch.manual_seed(seed)
    G, D = dcgan.Generator(width=8), vanilla.Discriminator()
    if augmented:
        D = nn.Sequential(DiffAugment((partial(translation, fill=-1.0),)), D)
    return vanilla.VanillaGAN(G, D, z_dim=64)


def few_images(name, seed, rounds=4800, every=300, weights=None):
    """One run, as a row of the report; it leaves its weights in the file ``weights``, where one is named."""
    data = digits("train")
    few, held_back = data.subset(slice(None, None, 8)), data.subset(torch.arange(len(data)) % 8 != 0).all()
    features, own = digit_features(held_back), few.all()
    game = few_images_game(name == "DiffAugment", seed)
    trainer = Trainer(
        game, few, batch_size=32, lr=1e-3, ema_decay=0.99, seed=seed, device="cpu", speed=Speed(tune=False)
    )
    z = torch.randn(2000, 64, generator=torch.Generator().manual_seed(7))
    looks = []
    for _ in range(rounds // every):
        trainer.run(every)
        with evaluating(game):
            outputs = [game.D(x).mean().item() for x in (own, held_back, game.G(z[:500]))]
        fid_d = frechet_features(features, digit_features(trainer.sample(2000, z=z).clamp(-1, 1)))
        looks.append([trainer.round, *(round(value, 3) for value in (float(fid_d), *outputs))])
    if weights is not None:
        publish(trainer, weights, metrics={"FID-d": round(float(fid_d), 1), "n": 2000}, command=COMMAND)
    return {"columns": ["round", "FID-d", "D: its own 500", "D: held back", "D: fakes"], "looks": looks}


# --- R3GAN's parts --------------------------------------------------------------------------------------------------


class Parts(GAN):
    """A loss and any of the two penalties: R3GAN, or what is left of it."""

    betas, r1_gamma = (0.0, 0.99), 0.5

    def __init__(self, objective, on_real, on_fake):
        super().__init__(mlp([2, 128, 128, 128, 2]), mlp([2, 128, 128, 128, 1]), z_dim=2)
        self.objective, self.on_real, self.on_fake = objective, on_real, on_fake

    def d_loss(self, x, z):
        x_fake = self.G(z).detach()
        loss = self.objective.d(self.D(x), self.D(x_fake))
        if self.on_real:
            loss = loss + self.r1_gamma / 2 * r1(self.D, x)
        if self.on_fake:
            loss = loss + self.r1_gamma / 2 * r2(self.D, x_fake)
        return loss

    def g_loss(self, x, z):
        return self.objective.g_loss(self.D, x, self.G(z))


def parts(name, seed, rounds=1600):
    data, (loss, penalty) = grid(), name.split(", ")
    torch.manual_seed(seed)
    game = Parts(LOSSES[loss], *PENALTIES[penalty])
    trainer = Trainer(
        game, data, batch_size=128, lr=2e-3, ema_decay=0.99, seed=seed, device="cpu", speed=Speed(tune=False)
    )
    trainer.run(rounds)
    z = torch.randn(10_000, 2, generator=torch.Generator().manual_seed(1))
    with evaluating(game):
        raw = mode_coverage(game.G(z), data.means, data.std)
    found = mode_coverage(trainer.sample(10_000, z=z), data.means, data.std)
    row = {"rounds": rounds, "covered": found.covered, "modes": found.modes, "good": round(found.good, 3)}
    return row | {"raw covered": raw.covered, "raw good": round(raw.good, 3)}


RUNS = {"few images": (few_images, list(WEIGHTS)),
        "parts": (parts, [f"{loss}, {penalty}" for loss in LOSSES for penalty in PENALTIES])}  # fmt: skip


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--again", action="store_true", help="keep no run of before")
    parser.add_argument("--most", type=float, default=1e9, help="seconds after which it stops, to be started again")
    o = parser.parse_args()
    torch.set_num_threads(1)
    started = time.perf_counter()
    runs = json.loads(TABLE.read_text(encoding="utf-8"))["runs"] if TABLE.exists() and not o.again else []
    done = {(r["what"], r["name"], r["seed"]) for r in runs}
    wanted = [(what, name, seed) for what, (_, names) in RUNS.items() for seed in SEEDS for name in names]
    for what, name, seed in wanted:
        if (what, name, seed) in done:
            continue
        if time.perf_counter() - started > o.most:
            print("stopped: start it again to go on")
            return
        spent = time.process_time()
        kept = {"weights": WEIGHTS[name]} if what == "few images" and seed == 0 else {}
        row = {"what": what, "name": name, "seed": seed, **RUNS[what][0](name, seed, **kept)}
        made = {"cpu_seconds": round(time.process_time() - spent, 1), "date": date.today().isoformat()}
        runs.append(row | made | {"device": device_name("cpu"), "torch": torch.__version__})
        lines = ",\n".join(json.dumps(run, ensure_ascii=False) for run in runs)  # a run a line
        text = f'{{"command": "{COMMAND}", "runs": [\n{lines}\n]}}\n'
        atomic_write(TABLE, lambda file, text=text: file.write(text.encode()))
        print(what, name, seed, row["looks"][-1] if "looks" in row else row["covered"], made, flush=True)


if __name__ == "__main__":
    main()
