"""What each lesson takes: seconds, processor seconds and peak memory of a run as a script, on a CPU.

    python benchmarks/lessons.py [NN ...]

Writes results/lessons.json and .md. Lessons that are not named keep their rows. Memory is the peak of what is resident.
"""

import json
import os
import platform
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
RESULTS = ROOT / "benchmarks" / "results"
MOST = 1536  # MiB that a lesson may take


def run(path):
    """{"seconds", "cpu_seconds", "peak_mib"} of one lesson in a process and a folder of its own."""
    settings = {**os.environ, "GANEDU_DRIVER": "sync", "MPLBACKEND": "Agg", "GANEDU_TIER": "cpu"}
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        process = subprocess.Popen(
            [sys.executable, str(path)], cwd=folder, env=settings, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
        )
        with process.stderr:
            errors = process.stderr.read().decode()
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - started
    if status:
        sys.exit(f"{path.name} failed:\n{errors}")
    return {
        "seconds": round(seconds, 1),
        "cpu_seconds": round(usage.ru_utime + usage.ru_stime, 1),
        "peak_mib": round(usage.ru_maxrss / (2**20 if sys.platform == "darwin" else 2**10)),
    }


def main():
    import torch
    from engine import device_name

    wanted = [number.zfill(2) for number in sys.argv[1:]]
    path = RESULTS / "lessons.json"
    rows = json.loads(path.read_text(encoding="utf-8"))["lessons"] if path.is_file() else {}
    for lesson in sorted((ROOT / "lessons").glob("[0-9][0-9]_*.py")):
        if not wanted or lesson.stem[:2] in wanted:
            rows[lesson.stem] = run(lesson)
            print(lesson.stem, rows[lesson.stem], flush=True)
    report = {
        "device": device_name("cpu"),
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "python": platform.python_version(),
        "date": date.today().isoformat(),
        "lessons": dict(sorted(rows.items())),
    }
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    lines = [
        "# What each lesson takes",
        "",
        f"{report['device']}; {report['threads']} threads; torch {report['torch']}; {report['date']}. Made by "
        "`python benchmarks/lessons.py`: each lesson as a script, in a process of its own.",
        "",
        "| lesson | seconds | processor seconds | peak memory, MiB |",
        "|---|---|---|---|",
        *(
            f"| {name} | {r['seconds']:.0f} | {r['cpu_seconds']:.0f} | {r['peak_mib']:,} |"
            for name, r in report["lessons"].items()
        ),
    ]
    path.with_suffix(".md").write_text("\n".join(lines) + "\n", encoding="utf-8")
    return 1 if any(r["peak_mib"] > MOST for r in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
