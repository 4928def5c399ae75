"""Which objective survives which nets? GANs on the ring of 8, five objectives in five settings, their modes counted.

    python benchmarks/robustness.py [--seeds 3] [--again]

Every cell is so many whole runs, one a seed. All play the same number of rounds on batches of the same size; each objective
brings the rest of its own recipe: its optimiser, its betas, its steps of D a round. The averaged generator is judged at the
end, 10,000 samples: a mode is covered by 20 good ones, and good is within three standard deviations of a mode.

Writes results/robustness.md and ganedu/results/robustness.json, which lesson 10 reads, after each run. Runs
that stand there are kept as long as the recipe is the same, so it may be broken off and started again; --again starts anew.
One thread; about six minutes for three seeds.
"""

import argparse
import hashlib
import json
import statistics
import time
from datetime import date
from pathlib import Path

import torch
from engine import RESULTS, device_name
from torch import nn

import ganedu
from ganedu.data import ring
from ganedu.failures import NonFiniteLoss
from ganedu.metrics.coverage import mode_coverage
from ganedu.models.lsgan import LSGAN
from ganedu.models.vanilla import VanillaGAN
from ganedu.models.wgan import WGAN
from ganedu.models.wgan_gp import WGANGP
from ganedu.regularizers import r1
from ganedu.training import Speed, Trainer

TABLE = Path(ganedu.__file__).parent / "results" / "robustness.json"
ROUNDS, BATCH_SIZE, Z_DIM, LR = 600, 128, 2, 2e-3
DATA = ring(8, std=0.05)


class WithR1(VanillaGAN):
    """The vanilla game, its D held flat at real data by γ/2 E[‖∇D(x)‖²]."""

    r1_gamma = 0.5

    def d_loss(self, x, z):
        return super().d_loss(x, z) + self.r1_gamma / 2 * r1(self.D, x)


OBJECTIVES = {
    "GAN": (VanillaGAN, {"D": LR, "G": LR}, "non-saturating, Adam, 1 step of D"),
    "LSGAN": (LSGAN, {"D": LR, "G": LR}, "codes 0-1, Adam, 1 step of D"),
    "WGAN": (WGAN, {"D": 2e-4, "G": LR}, "clip 0.1, RMSprop, 5 steps of D, whose rate is 2e-4: of four pairs the best"),
    "WGAN-GP": (
        WGANGP,
        {"D": LR, "G": LR},
        "weight 0.1 as in the toys of the paper's code, Adam (0, 0.9), 5 steps of D",
    ),
    "R1": (WithR1, {"D": LR, "G": LR}, "the GAN with γ = 0.5"),
}
CHANGED = {"WGAN": {"clip": 0.1}, "WGAN-GP": {"gp_weight": 0.1}, "R1": {"r1_gamma": 0.5}}  # from the class's own
SETTINGS = {  # widths of the hidden layers, batch norm, factor of the learning rates
    "batch norm": ((64, 64, 64), True, 1, "64-64-64, batch norm after each hidden layer of both players"),
    "no batch norm": ((64, 64, 64), False, 1, "the same nets without"),
    "deep": ((64,) * 8, False, 1, "eight hidden layers of 64, without batch norm"),
    "shallow MLP": ((512,), False, 1, "one hidden layer of 512, without batch norm"),
    "high rate": ((64, 64, 64), False, 10, "64-64-64 without batch norm, both learning rates ten times as high"),
}


def make_net(n_in, widths, n_out, activation, batch_norm):
    """(N, n_in) -> (N, n_out): linear layers, each but the last with its activation and, before it, batch norm or none."""
    layers = []
    for a, b in zip((n_in, *widths), widths):
        layers += [nn.Linear(a, b), *[nn.BatchNorm1d(b)][: int(batch_norm)], activation()]
    net = nn.Sequential(*layers, nn.Linear(widths[-1], n_out))
    for layer in net:
        if isinstance(layer, nn.Linear):  # He's start: with torch's own, eight layers map all points onto one
            nn.init.kaiming_normal_(layer.weight)
    return net


def make_trainer(objective, setting, seed):
    model, rates, _ = OBJECTIVES[objective]
    widths, batch_norm, factor, _ = SETTINGS[setting]
    torch.manual_seed(seed)
    G = make_net(Z_DIM, widths, 2, nn.ReLU, batch_norm)
    D = make_net(2, widths, 1, lambda: nn.LeakyReLU(0.2), batch_norm)
    game = model(G, D, z_dim=Z_DIM)
    for name, value in CHANGED.get(objective, {}).items():
        setattr(game, name, value)
    return Trainer(
        game,
        DATA,
        batch_size=BATCH_SIZE,
        lr={player: factor * rate for player, rate in rates.items()},
        ema_decay=0.99,
        seed=seed,
        device="cpu",
        speed=Speed(tune=False),
    )


def play(objective, setting, seed, rounds=ROUNDS):
    """One run, as a row of the report."""
    trainer, ended, started = make_trainer(objective, setting, seed), "whole", time.process_time()
    try:
        trainer.run(rounds)
    except NonFiniteLoss as error:
        ended = str(error).split(". ")[0]  # the run counts with what the last finite weights make
    found = mode_coverage(trainer.sample(10_000, batch_size=10_000), trainer.data.means, trainer.data.std)
    return {
        "objective": objective,
        "setting": setting,
        "seed": seed,
        "recipe": recipe(objective),
        "covered": found.covered,
        "modes": found.modes,
        "good": round(found.good, 4),
        "rounds": trainer.round,
        "ended": ended,
        "cpu_seconds": round(time.process_time() - started, 1),
        "date": date.today().isoformat(),
        "device": device_name("cpu"),
        "torch": torch.__version__,
    }


def recipe(objective):
    """Everything that a run of this objective depends on besides setting and seed, as a short hash: another one, other runs."""
    model, rates, _ = OBJECTIVES[objective]
    parts = [
        *(ROUNDS, BATCH_SIZE, Z_DIM, DATA.means.tolist(), DATA.std),
        *(model.__name__, rates, CHANGED.get(objective)),
        *((name, *setting[:3]) for name, setting in SETTINGS.items()),
        Path(__file__).read_text(encoding="utf-8").split("def make_net")[1].split("def play")[0],
    ]
    return hashlib.sha256(repr(parts).encode()).hexdigest()[:16]


def markdown(report):
    lines = [
        "# Which objective survives which nets?",
        "",
        f"GANs on the ring of 8: modes covered, mean of {report['seeds']} seeds (fewest), and share of good samples. "
        f"{report['device']}; one thread; torch {report['torch']}; {report['date']}. Made by `{report['command']}`, which "
        f"says how it is judged. {report['rounds']} rounds of {report['batch_size']}.",
        "",
        "| | " + " | ".join(report["settings"]) + " |",
        "|---|" + "---|" * len(report["settings"]),
    ]
    for objective in report["objectives"]:
        cells = []
        for setting in report["settings"]:
            rows = [r for r in report["runs"] if (r["objective"], r["setting"]) == (objective, setting)]
            if not rows:
                cells.append("not run yet")
                continue
            covered = [r["covered"] for r in rows]
            good = statistics.mean(r["good"] for r in rows)
            broken = sum(r["ended"] != "whole" for r in rows)
            cells.append(
                f"{statistics.mean(covered):.1f} ({min(covered)}), {good:.0%}"
                + (f", {broken} of {len(rows)} not finite" if broken else "")
            )
        lines.append(f"| {objective} | " + " | ".join(cells) + " |")
    lines += ["", *(f"- **{name}**: {text}." for name, text in {**report["objectives"], **report["settings"]}.items())]
    return "\n".join(lines) + "\n"


def write(runs, seeds):
    report = {
        "command": "python benchmarks/robustness.py",
        "data": "ring of 8, width 0.05",
        "rounds": ROUNDS,
        "batch_size": BATCH_SIZE,
        "seeds": seeds,
        "device": runs[-1]["device"],
        "torch": runs[-1]["torch"],
        "date": max(r["date"] for r in runs),
        "objectives": {name: text for name, (_, _, text) in OBJECTIVES.items()},
        "settings": {name: setting[-1] for name, setting in SETTINGS.items()},
        "runs": runs,
    }
    text = json.dumps(report, indent=1, ensure_ascii=False) + "\n"
    for path, content in (
        (TABLE, text),
        (RESULTS / "robustness.md", markdown(report)),
    ):
        aside = path.with_suffix(".part")
        aside.write_text(content, encoding="utf-8")
        aside.replace(path)  # a file is whole or not there


def stored():
    """The runs that were made by this very recipe."""
    if not TABLE.exists():
        return []
    report = json.loads(TABLE.read_text(encoding="utf-8"))
    return [r for r in report["runs"] if r["objective"] in OBJECTIVES and r["recipe"] == recipe(r["objective"])]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--again", action="store_true", help="keep no run of before")
    parser.add_argument(
        "--most", type=float, default=600, help="seconds after which it stops, to be started again (600)"
    )
    o = parser.parse_args()
    torch.set_num_threads(1)
    runs, started = [] if o.again else stored(), time.perf_counter()
    done = {(r["objective"], r["setting"], r["seed"]) for r in runs}
    for seed in range(o.seeds):
        for objective in OBJECTIVES:
            for setting in SETTINGS:
                if (objective, setting, seed) in done:
                    continue
                if time.perf_counter() - started > o.most:
                    print("stopped: start it again to go on")
                    return
                row = play(objective, setting, seed)
                runs.append(row)
                write(runs, seed + 1)
                print(
                    *(row[key] for key in ("objective", "setting", "seed", "covered", "good", "cpu_seconds", "ended"))
                )


if __name__ == "__main__":
    main()
