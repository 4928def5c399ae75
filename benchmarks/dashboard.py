"""What the live dashboard costs: the vanilla GAN on digits, trained with and without it.

    python benchmarks/dashboard.py [--pairs 9] [--rounds 300] [--threads 1]

Runs in a real IPython kernel, so that every message to the front end is made, signed and sent. Four kinds of run take turns
in one process: without the dashboard, with it, with it and the training doctor as ``train`` shows them, and with it forced
to 5 pictures a second whatever they cost (else pictures and the doctor's looks hold themselves to 1 % of the training time
together). Prints Markdown and writes it with the JSON into results/.
"""

import argparse
import json
import os
import platform
import statistics
import sys
import time
from datetime import date
from pathlib import Path

from ganedu.views.live import BUDGET, DOCTORS

RESULTS = Path(__file__).parent / "results"
TARGET = 0.01  # of the training time
KINDS = {  # the dashboard's share of the training time, and the doctor's
    "with the dashboard": (BUDGET, 0),
    "with the dashboard and the doctor": (BUDGET - DOCTORS, DOCTORS),
    "forced to 5 pictures a second": (1, 0),
}

IN_THE_KERNEL = """
import json, time
import torch
torch.set_num_threads({threads})
from ganedu.data import digits
from ganedu.models.vanilla import VanillaGAN
from ganedu.training import Trainer
from ganedu.views.dashboard import Dashboard
from ganedu.views.diagnosis import panel_for
from ganedu.views.drivers import Background

data, kinds = digits(), {kinds!r}
trainers = {{name: Trainer(VanillaGAN(), data, seed=0) for name in ["without", *kinds]}}
views, doctors = {{}}, {{}}
for name, (budget, for_doctor) in kinds.items():
    views[name] = Dashboard(trainers[name], {rounds} * ({pairs} + 1), budget=budget)
    if for_doctor:
        doctors[name] = panel_for(trainers[name], budget=for_doctor)
        views[name].widget.children += (doctors[name].widget,)
    views[name].show()

def measure(name):
    view, trainer, panel = views.get(name), trainers[name], doctors.get(name)
    looked = panel.doctor.seconds if panel and panel.doctor else 0.0
    if view is not None:
        view.begin()
    cpu, wall = time.process_time(), time.perf_counter()
    background = Background(trainer, {rounds}, view.update if view else (lambda: None), lambda error: None)
    background.wait()
    wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
    looked = panel.doctor.seconds - looked if panel and panel.doctor else 0.0
    return wall, cpu, view.frames if view else 0, view.drawing_seconds + looked if view else 0.0

names = list(trainers)
for name in names:
    measure(name)  # warm-up
runs = {{name: [] for name in names}}
for turn in range({pairs}):
    for name in names if turn % 2 else names[::-1]:
        runs[name].append(measure(name))
print("RESULT" + json.dumps(runs))
"""


def processor():
    """The processor's name where Linux tells it, else what Python knows."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def run_in_kernel(code):
    """Run ``code`` in a fresh kernel, take every message as a front end does, and return its RESULT."""
    from jupyter_client.manager import KernelManager

    manager = KernelManager()
    manager.kernel_spec.argv[0] = sys.executable
    manager.start_kernel(env={**os.environ, "GANEDU_DRIVER": "thread"})
    client = manager.client()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=60)
        asked = client.execute(code)
        printed = ""
        while True:
            message = client.get_iopub_msg(timeout=600)
            if message["parent_header"].get("msg_id") != asked:
                continue
            content = message["content"]
            if message["msg_type"] == "stream":
                printed += content["text"]
            elif message["msg_type"] == "error":
                raise RuntimeError("\n".join(content["traceback"]))
            elif message["msg_type"] == "status" and content["execution_state"] == "idle":
                return json.loads(printed.partition("RESULT")[2])
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=9, help="runs of each kind, at least 5 (9)")
    parser.add_argument("--rounds", type=int, default=300, help="rounds a run (300)")
    parser.add_argument("--threads", type=int, default=1, help="torch's threads (1)")
    arguments = parser.parse_args()
    pairs = max(5, arguments.pairs)

    started = time.perf_counter()
    runs = run_in_kernel(
        IN_THE_KERNEL.format(kinds=KINDS, rounds=arguments.rounds, pairs=pairs, threads=arguments.threads)
    )
    plain = runs["without"]
    report = {
        "date": date.today().isoformat(),
        "device": f"{processor()}, {os.cpu_count()} cores seen, torch on {arguments.threads} thread(s)",
        "python": platform.python_version(),
        "pairs": pairs,
        "rounds_a_run": arguments.rounds,
        "without_ms_a_round": round(1e3 * statistics.median(run[0] for run in plain) / arguments.rounds, 3),
        "target_share": TARGET,
        "took_seconds": round(time.perf_counter() - started),
    }
    lines = [
        "# What the live dashboard costs",
        "",
        f"Vanilla GAN on digits, {arguments.rounds} rounds a run, {pairs} interleaved runs of each kind, medians. "
        f"{report['device']}; {report['date']}. Without the dashboard a round takes {report['without_ms_a_round']} ms.",
        "",
        "| | processor time, with / without | wall time, with / without | pictures a second | share of time drawing and looking |",
        "|---|---|---|---|---|",
    ]
    for name in KINDS:
        entry = {
            "cpu_ratio": statistics.median(run[1] / base[1] for run, base in zip(runs[name], plain)),
            "cpu_ratio_quartiles": statistics.quantiles([r[1] / b[1] for r, b in zip(runs[name], plain)], n=4)[::2],
            "wall_ratio": statistics.median(run[0] / base[0] for run, base in zip(runs[name], plain)),
            "wall_ratio_quartiles": statistics.quantiles([r[0] / b[0] for r, b in zip(runs[name], plain)], n=4)[::2],
            "pictures_a_second": statistics.median(run[2] / run[0] for run in runs[name]),
            "drawing_share": statistics.median(run[3] / run[0] for run in runs[name]),
            "ms_a_picture": 1e3 * statistics.median(run[3] / max(1, run[2]) for run in runs[name]),
        }
        report[name] = {
            key: [round(v, 4) for v in value] if isinstance(value, list) else round(value, 4)
            for key, value in entry.items()
        }
        cpu, wall = entry["cpu_ratio_quartiles"], entry["wall_ratio_quartiles"]
        lines.append(
            f"| {name} | {entry['cpu_ratio']:.4f} ({cpu[0]:.3f} to {cpu[1]:.3f}) "
            f"| {entry['wall_ratio']:.4f} ({wall[0]:.3f} to {wall[1]:.3f}) "
            f"| {entry['pictures_a_second']:.1f} | {100 * entry['drawing_share']:.2f} % |"
        )
    lines += ["", "In brackets: the quartiles. Drawing is timed where it happens, in the training thread.", ""]
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / "dashboard.json").write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    (RESULTS / "dashboard.md").write_text("\n".join(lines), encoding="utf-8")
    print("\n".join(lines))
    return 0 if report["with the dashboard"]["drawing_share"] <= TARGET * 1.1 else 1


if __name__ == "__main__":
    sys.exit(main())
