"""Seconds of training until a goal is reached: the ring of 8 captured, digits that can be read.

    python benchmarks/time_to.py [--only ring] [--seeds 3] [--threads 2] [--most 120]

Ring of 8: all eight modes covered (20 of 10,000 samples within three standard deviations of each), and, further on, 80 % of
all samples good. Digits: FID-d at most 0.4 times naive Bayes' and every digit at least 1 % of 2,000 samples. The averaged
generator is judged every few rounds; the clock counts training alone. Load by other programs is watched: above 0.1 core the
run is void and says so. Writes results/time_to.json and .md.
"""

import argparse
import json
import statistics
import sys
import time
from datetime import date

import torch
from engine import FOREIGN, RESULTS, Others, device_name

from ganedu.blocks import mlp
from ganedu.data import digits, ring
from ganedu.metrics.coverage import mode_coverage
from ganedu.metrics.features import digit_shares
from ganedu.metrics.fid import fid_digits
from ganedu.models.dcgan import DCGAN
from ganedu.models.naive_bayes import NaiveBayes
from ganedu.models.r3gan import R3GAN
from ganedu.models.vanilla import VanillaGAN
from ganedu.training import Speed, Trainer


def plane(model, **changes):
    """A game of two small nets in the plane."""
    game = model(mlp([2, 64, 64, 2]), mlp([2, 64, 64, 1]), z_dim=2)
    for name, value in changes.items():
        setattr(game, name, value)
    return game


RUNS = {
    "ring": {
        "non-saturating, 64-64 nets, batch 128": lambda data, seed: Trainer(
            plane(VanillaGAN),
            data,
            batch_size=128,
            lr=2e-3,
            ema_decay=0.99,
            seed=seed,
            device="cpu",
            speed=Speed(reuse=True),
        ),
        "R3GAN's loss, gamma 0.1, 64-64 nets, batch 128": lambda data, seed: Trainer(
            plane(R3GAN, r1_gamma=0.1), data, batch_size=128, lr=5e-3, ema_decay=0.99, seed=seed, device="cpu"
        ),
    },
    "digits": {
        "DCGAN, width 16, batch 32": lambda data, seed: Trainer(
            DCGAN(), data, batch_size=32, ema_decay=0.99, seed=seed, device="cpu", speed=Speed(reuse=True)
        ),
        "MLP GAN, batch 64, lr 2e-3": lambda data, seed: Trainer(
            VanillaGAN(), data, batch_size=64, lr=2e-3, ema_decay=0.99, seed=seed, device="cpu", speed=Speed(reuse=True)
        ),
    },
}
EVERY = {"ring": 50, "digits": 100}  # rounds between two looks


def judge_ring(data):
    def judge(trainer):
        found = mode_coverage(trainer.sample(10_000, batch_size=10_000, seed=0), data.means, data.std)
        text = f"{found.covered} modes, {found.good:.0%} good"
        return {"8 of 8 modes": found.covered == 8, "and 80 % good": found.covered == 8 and found.good >= 0.8}, text

    return judge


def judge_digits(data):
    real = data.all()
    baseline = fid_digits(real, NaiveBayes().fit(data).sample(2000, torch.Generator().manual_seed(0))).value

    def judge(trainer):
        x = trainer.sample(2000, seed=0)
        distance, rarest = fid_digits(real, x).value, digit_shares(x).min().item()
        reached = distance <= 0.4 * baseline and rarest >= 0.01
        return {"FID-d and every digit": reached}, f"FID-d {distance:.0f} of {baseline:.0f}, rarest {rarest:.1%}"

    return judge


def run(make, data, judge, every, seed, most):
    """{goal: seconds, or None}, the last judgement, and cores used by others."""
    torch.manual_seed(seed)
    trainer, others = make(data, seed), Others()
    reached, text, load = {}, "", []
    while trainer.seconds < most:
        others.start()
        trainer.run(every)
        load.append(others.cores())
        goals, text = judge(trainer)
        for goal, there in goals.items():
            reached.setdefault(goal, None)
            if there and reached[goal] is None:
                reached[goal] = round(trainer.seconds, 2)
        if all(reached.values()):
            break
    busy = [cores for cores in load if cores is not None]
    return {
        "seconds": reached,
        "rounds": trainer.round,
        "end": text,
        "foreign_cores": round(statistics.mean(busy), 2) if busy else None,
    }


def markdown(report):
    lines = [
        "# Seconds of training until the goal",
        "",
        f"{report['device']}; {report['threads']} threads; torch {report['torch']}; {report['date']}. Made by "
        "`python benchmarks/time_to.py`, which says what the goals are.",
        "",
        "| data | recipe | goal | seconds, by seed | median |",
        "|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        for goal in row["runs"][0]["seconds"]:
            seconds = [r["seconds"][goal] for r in row["runs"]]
            median = statistics.median([s if s is not None else float("inf") for s in seconds])
            shown = ", ".join("not reached" if s is None else f"{s:.1f}" for s in seconds)
            lines.append(
                f"| {row['data']} | {row['recipe']} | {goal} | {shown} | "
                f"{'**void**' if row['void'] else f'{median:.1f}'} |"
            )
    if any(row["void"] for row in report["rows"]):
        lines += ["", f"**Void**: other programs used more than {FOREIGN} core meanwhile; such seconds prove nothing."]
    return "\n".join(lines) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=list(RUNS), action="append", help="ring or digits (both)")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    parser.add_argument("--most", type=float, default=120, help="seconds after which a run is given up (120)")
    o = parser.parse_args()
    torch.set_num_threads(o.threads)
    rows = []
    for name in o.only or RUNS:
        data, judge_of = {"ring": (ring(), judge_ring), "digits": (digits(), judge_digits)}[name]
        judge = judge_of(data)
        for recipe, make in RUNS[name].items():
            runs = []
            for seed in range(o.seeds):
                runs.append(run(make, data, judge, EVERY[name], seed, o.most))
                print(name, recipe, seed, runs[-1], flush=True)
                time.sleep(0.5)
            void = any(r["foreign_cores"] is not None and r["foreign_cores"] > FOREIGN for r in runs)
            rows.append({"data": name, "recipe": recipe, "runs": runs, "void": void})
    report = {
        "device": device_name("cpu"),
        "threads": o.threads,
        "torch": torch.__version__,
        "date": date.today().isoformat(),
        "rows": rows,
    }
    RESULTS.mkdir(parents=True, exist_ok=True)
    (RESULTS / "time_to.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "time_to.md").write_text(markdown(report), encoding="utf-8")
    return 1 if any(row["void"] for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
