"""What `import ganedu` costs beyond `import torch`.

    python benchmarks/import_time.py [--repeats 7]

Each time is taken in a fresh process; the kinds of process take turns, so that a busy moment of the machine falls on
all of them alike. Prints the medians and writes results/import_time.json. Exit code 1 above the target.
"""

import argparse
import json
import platform
import statistics
import subprocess
import sys
from pathlib import Path

TARGET = 0.3  # seconds beyond torch
LIBRARY = "ganedu.losses, ganedu.gan, ganedu.models.vanilla, ganedu.data, ganedu.training"
RESULTS = Path(__file__).parent / "results" / "import_time.json"

# name -> what is imported, with torch imported before it
KINDS = {"import ganedu": "ganedu", "what a lesson's first cells import": LIBRARY}

PROBE = """
import time
started = time.perf_counter()
import torch
torch_done = time.perf_counter()
import {modules}
done = time.perf_counter()
import json, sys
late = [name for name in ("matplotlib", "ipywidgets", "IPython", "mlxtend", "sklearn", "pooch") if name in sys.modules]
print(json.dumps([torch_done - started, done - torch_done, late]))
"""


def measure(modules):
    """(seconds for torch, seconds beyond torch, heavy libraries that came along), in a fresh process."""
    result = subprocess.run(
        [sys.executable, "-c", PROBE.format(modules=modules)], check=True, capture_output=True, text=True
    )
    return json.loads(result.stdout)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--repeats", type=int, default=7, help="fresh processes of each kind, at least 5 (7)")
    repeats = max(5, parser.parse_args().repeats)

    measure("ganedu")  # fills the file cache and writes the bytecode; not counted
    runs = {name: [] for name in KINDS}
    for _ in range(repeats):
        for name, modules in KINDS.items():
            runs[name].append(measure(modules))

    torch_seconds = [run[0] for kind in runs.values() for run in kind]
    report = {
        "machine": f"{platform.machine()}, {platform.system()}, Python {platform.python_version()}",
        "repeats": repeats,
        "target_seconds": TARGET,
        "import torch": round(statistics.median(torch_seconds), 4),
    }
    print(f"{'import torch':<36} {report['import torch']:.3f} s")
    for name, kind in runs.items():
        extra = [run[1] for run in kind]
        report[name] = {
            "median_seconds_beyond_torch": round(statistics.median(extra), 4),
            "min": round(min(extra), 4),
            "max": round(max(extra), 4),
            "heavy_libraries_loaded": kind[0][2],
        }
        print(f"{name:<36} {statistics.median(extra):.3f} s beyond torch ({min(extra):.3f} to {max(extra):.3f})")
    RESULTS.parent.mkdir(exist_ok=True)
    RESULTS.write_text(json.dumps(report, indent=1) + "\n")
    print(f"wrote {RESULTS}")
    return 0 if report["import ganedu"]["median_seconds_beyond_torch"] <= TARGET else 1


if __name__ == "__main__":
    sys.exit(main())
