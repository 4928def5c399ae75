"""Which objective captures what: every objective of Part II on toys and on images, over three seeds.

    python benchmarks/objectives.py [--data ring] [--objective WGAN-GP] [--seeds 3] [--table]

A run's budget is counted in updates of D, so that an objective with five critic updates a round plays a fifth of the rounds.
All objectives of a data set have nets of the same sizes, one learning rate for both players (the best of three for each
objective would be another benchmark) and the averaged generator; only WGAN keeps RMSprop and rates of its own. What they
are stands in ``ring_like`` and ``image_like`` below.

Toys: modes reached and the share of good samples of 10,000. Digits: classes at 1 % of 2,000 samples or more, FID-d, precision
and recall on the same features. Fashion-MNIST, where it is there: the same measures on the first 64 principal components of
its training images (no classifier of clothes comes with the package, so no classes are counted).

Every run is kept in results/objectives.json as it ends, and left out when the benchmark is started again; results/objectives.md
shows means and 95 % intervals (Student's t). Seconds are CPU seconds of one thread, which other programs stretch a little.
"""

import argparse
import json
import statistics
import sys
import time
from datetime import date
from pathlib import Path

import torch
from engine import device_name
from scipy import stats

from ganedu.blocks import mlp
from ganedu.data import digits, fashion_mnist, grid, ring
from ganedu.data.images import DataUnavailable
from ganedu.losses import minimax
from ganedu.metrics.coverage import mode_coverage
from ganedu.metrics.features import DIGIT_FEATURES, Features, digit_shares
from ganedu.metrics.fid import fid, moments
from ganedu.metrics.prdc import prdc_features
from ganedu.models.lsgan import LSGAN
from ganedu.models.r3gan import R3GAN
from ganedu.models.sngan import SNGAN
from ganedu.models.vanilla import VanillaGAN
from ganedu.models.wgan import WGAN
from ganedu.models.wgan_gp import WGANGP
from ganedu.regularizers import spectral_norm
from ganedu.training import Speed, Trainer

RESULTS = Path(__file__).parent / "results"
OBJECTIVES = {
    "saturating": lambda G, D, **sizes: VanillaGAN(G, D, loss=minimax, **sizes),
    "non-saturating": VanillaGAN,
    "least squares": LSGAN,
    "WGAN": WGAN,
    "WGAN-GP": WGANGP,
    "spectral norm, hinge": lambda G, D, **sizes: SNGAN(G, D and spectral_norm(D), **sizes),
    "relativistic, R1 and R2": R3GAN,
}
D_UPDATES = {"ring": 3000, "grid": 6000, "digits": 1500, "Fashion-MNIST": 1500}
BATCH = {"ring": 128, "grid": 128, "digits": 64, "Fashion-MNIST": 64}
SAMPLES = 2000  # images judged, and as many real ones
MEASURES = ("modes", "good", "FID", "precision", "recall", "seconds")


def ring_like(objective, rate=2e-3):
    """A game of two nets in the plane with two hidden layers of 128.

    WGAN-GP has the weight 0.1 that the paper's code uses for toys; WGAN a clip and a critic's rate that suit nets as small.
    """
    game = OBJECTIVES[objective](mlp([2, 128, 128, 2]), mlp([2, 128, 128, 1]), z_dim=2)
    if objective == "WGAN-GP":
        game.gp_weight = 0.1
    if objective == "WGAN":
        game.clip = 0.1
        return game, {"D": 2e-4, "G": 1e-3}
    return game, rate


def image_like(objective, rate=1e-3):
    """The models' own multi-layer perceptrons (WGAN-GP's and R3GAN's generators have no batch norm)."""
    game = OBJECTIVES[objective](None, None, z_dim=64)
    return game, game.lr if objective == "WGAN" else rate


class Toy:
    def __init__(self, data):
        self.data = data

    def judge(self, trainer):
        found = mode_coverage(trainer.sample(10_000, batch_size=10_000, seed=0), self.data.means, self.data.std)
        return {"modes": found.covered, "good": found.good}


class Images:
    """``features`` measure FID, precision and recall against the first ``SAMPLES`` training images."""

    def __init__(self, data, features, shares=None):
        self.data, self.features, self.shares = data, features, shares
        self.real = features(data.all()[:SAMPLES])
        self.moments = moments(data.all(), features)

    def judge(self, trainer):
        x = trainer.sample(SAMPLES, seed=0)
        fake = self.features(x)
        found = prdc_features(self.real, fake)
        measured = {
            "FID": fid(self.moments, x, self.features).value,
            "precision": found.precision,
            "recall": found.recall,
        }
        if self.shares:
            measured["modes"] = int((self.shares(x) >= 0.01).sum())
        return measured


def principal_components(data, n=64):
    """Features: the first ``n`` principal components of the training images' pixels."""
    pixels = data.all().flatten(1)
    mean = pixels.mean(0)
    directions = torch.linalg.eigh(torch.cov((pixels - mean).T)).eigenvectors[:, -n:]
    return Features(lambda x: (x.flatten(1) - mean) @ directions, f"{n} principal components of the pixels", "-pca")


def find(name):
    if name == "ring":
        return Toy(ring())
    if name == "grid":
        return Toy(grid())
    if name == "digits":
        return Images(digits(), DIGIT_FEATURES, digit_shares)
    data = fashion_mnist()
    data = data.subset(torch.arange(10_000))
    return Images(data, principal_components(data))


def play(name, task, objective, seed):
    torch.manual_seed(seed)
    game, rate = (ring_like if isinstance(task, Toy) else image_like)(objective)
    trainer = Trainer(
        game,
        task.data,
        batch_size=BATCH[name],
        lr=rate,
        ema_decay=0.99,
        seed=seed,
        device="cpu",
        speed=Speed(tune=False),
    )
    began = time.process_time()
    trainer.run(D_UPDATES[name] // game.n_critic)
    seconds = time.process_time() - began
    return {"rounds": trainer.round, "seconds": seconds, **task.judge(trainer)}


def shown(measure, values, of):
    """Mean and half the width of its 95 % interval."""
    if any(v is None for v in values):
        return ""
    mean = statistics.mean(values)
    form = {"good": ".0%", "precision": ".2f", "recall": ".2f"}.get(measure, ".1f")
    text = f"{mean:{form}}"
    if len(values) > 1:
        half = stats.t.ppf(0.975, len(values) - 1) * stats.sem(values)
        text += f" ± {half:{form}}"
    return text + (f" of {of}" if measure == "modes" else "")


def markdown(report):
    lines = [
        "# Objectives side by side",
        "",
        f"{report['device']}; one thread; torch {report['torch']}; {report['date']}. Made by `python benchmarks/objectives.py`, "
        "which says what was run and measured. Mean ± half the 95 % interval over seeds.",
        "",
        "A budget this small shows what an objective does first, not what it reaches in the end; and one learning rate for all "
        "suits some better than others.",
    ]
    of = {"ring": 8, "grid": 25, "digits": 10}
    for name in D_UPDATES:
        cells = {o: [r for r in report["runs"] if (r["data"], r["objective"]) == (name, o)] for o in OBJECTIVES}
        columns = [m for m in MEASURES if any(m in run for runs in cells.values() for run in runs)]
        if not columns:
            continue
        heads = {"modes": "modes" if name in ("ring", "grid") else "digits at 1 %", "seconds": "CPU s"}
        heads["FID"] = "FID-d" if name == "digits" else "FID-pca"
        lines += ["", f"## {name}, {D_UPDATES[name]:,} updates of D on batches of {BATCH[name]}", ""]
        lines.append("| objective | " + " | ".join(heads.get(m, m) for m in columns) + " | seeds |")
        lines.append("|---" * (len(columns) + 2) + "|")
        for objective, runs in cells.items():
            if runs:
                row = [shown(m, [run.get(m) for run in runs], of.get(name)) for m in columns]
                lines.append(f"| {objective} | " + " | ".join(row) + f" | {len(runs)} |")
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", choices=list(D_UPDATES), action="append", help="only these (all)")
    parser.add_argument("--objective", choices=list(OBJECTIVES), action="append", help="only these (all)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--table", action="store_true", help="run nothing, write the table anew")
    o = parser.parse_args()
    torch.set_num_threads(1)
    stored = RESULTS / "objectives.json"
    report = json.loads(stored.read_text(encoding="utf-8")) if stored.exists() else {"runs": []}
    report |= {"device": device_name("cpu"), "torch": torch.__version__}
    RESULTS.mkdir(exist_ok=True)

    def keep():
        stored.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
        (RESULTS / "objectives.md").write_text(markdown(report), encoding="utf-8")

    done = {(r["data"], r["objective"], r["seed"]) for r in report["runs"]}
    for name in [] if o.table else o.data or D_UPDATES:
        wanted = [(name, x, seed) for x in o.objective or OBJECTIVES for seed in range(o.seeds)]
        wanted = [key for key in wanted if key not in done]
        if not wanted:
            continue
        try:
            task = find(name)
        except DataUnavailable as error:
            print(f"{name} is left out: {error}", file=sys.stderr)
            continue
        for name, objective, seed in wanted:
            measured = play(name, task, objective, seed)
            measured = {k: round(v, 4) for k, v in measured.items()}
            report["date"] = date.today().isoformat()
            report["runs"].append({"data": name, "objective": objective, "seed": seed, **measured})
            print(report["runs"][-1], flush=True)
            keep()
    if "date" in report:
        keep()
    return 0


if __name__ == "__main__":
    sys.exit(main())
