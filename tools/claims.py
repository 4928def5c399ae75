"""Does a lesson's claim hold on other seeds? Runs lesson NN as a script under seeds 0 to 5 and writes the table.

    python tools/claims.py 02             run what has not been run yet, renew the section in docs/claims.md
    python tools/claims.py 02 --again     run every seed anew

A run is kept in build/claims/ and not repeated as long as the lesson's code is the same (its text may change). After a
change in the library say --again. A claim holds when every seed passes and the mean lies at least three standard
deviations inside the threshold. The exit code is 1 where a claim does not hold or a seed did not get to its end.
"""

import argparse
import ast
import hashlib
import json
import math
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from datetime import date
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SEEDS = range(6)
MARGIN = 3.0  # standard deviations
INTRODUCTION = """\
# What the lessons' claims measure

Each lesson ends in claims that it checks. Here each is checked on six seeds: the lesson's own, 0, and five others. A claim
holds when all six pass and their mean lies at least three standard deviations inside the threshold. *Margin* is that
distance; a claim whose value is the same on every seed has no deviation, and its margin reads "exact".

Written by `make claims LESSON=NN`, which keeps finished runs in `build/claims/`.
"""


class ClaimsError(Exception):
    """Something the user has to mend. The message is one sentence."""


# --- running ----------------------------------------------------------------------------------------------------


def find_lesson(number, root):
    """The source of lesson ``number``, "02" or "2"."""
    wanted = number.zfill(2)
    found = sorted((root / "lessons").glob(f"{wanted}_*.py"))
    if not wanted.isdigit() or len(found) != 1:
        known = ", ".join(sorted(path.name[:2] for path in (root / "lessons").glob("[0-9][0-9]_*.py"))) or "none"
        raise ClaimsError(f"lesson: got {number!r}, wants one of {known}")
    return found[0]


def machine():
    """(device, torch's version): what the numbers depend on besides the seed."""
    import torch

    if torch.cuda.is_available():
        return torch.cuda.get_device_name(0), torch.__version__
    return f"CPU, {platform.machine()}", torch.__version__


def stored_run(path):
    """The run in ``path``; None where there is none or it was not written to its end."""
    try:
        run = json.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, json.JSONDecodeError):
        return None
    return run if isinstance(run, dict) and run.get("complete") else None


def run_seed(name, source, seed):
    """Run the lesson's ``source`` as a script in an empty folder. Returns its claims, also those before one that fails."""
    device, version = machine()
    with tempfile.TemporaryDirectory() as folder:
        empty, script, claims = (Path(folder) / part for part in ("empty", name, "claims.jsonl"))
        empty.mkdir()
        script.write_text(source, encoding="utf-8")  # whoever edits the lesson meanwhile does not change this run
        settings = {"GANEDU_SEED": str(seed), "GANEDU_CLAIMS": str(claims), "GANEDU_DRIVER": "sync"}
        settings["MPLBACKEND"] = "Agg"
        started = time.perf_counter()
        result = subprocess.run(
            [sys.executable, str(script)], cwd=empty, env={**os.environ, **settings}, capture_output=True, text=True
        )
        seconds = time.perf_counter() - started
        rows = [json.loads(line) for line in claims.read_text().splitlines()] if claims.exists() else []
    last_line = (result.stderr.strip().splitlines() or ["no message"])[-1] if result.returncode else ""
    return {
        "complete": True,
        "seed": seed,
        "claims": rows,
        "error": last_line,
        "seconds": seconds,
        "date": date.today().isoformat(),
        "device": device,
        "torch": version,
    }


def code_hash(source):
    """Names the lesson's code: text cells, comments and line breaks may change without a new run."""
    return hashlib.sha256(ast.dump(ast.parse(source)).encode()).hexdigest()[:16]


def gather(lesson, folder, seeds=SEEDS, again=False):
    """The runs of the lesson on ``seeds``, from ``folder`` where they are there for this very code."""
    source = lesson.read_text(encoding="utf-8")
    digest = code_hash(source)
    folder.mkdir(parents=True, exist_ok=True)
    runs = []
    for seed in seeds:
        path = folder / f"{lesson.stem}-{digest}-seed{seed}.json"
        run = None if again else stored_run(path)
        if run is None:
            print(f"{lesson.name}, seed {seed} ...", end=" ", flush=True)
            run = run_seed(lesson.name, source, seed)
            aside = path.with_suffix(".part")
            aside.write_text(json.dumps(run), encoding="utf-8")
            aside.replace(path)  # a file is whole or not there
            print(f"{run['seconds']:.0f} s{'; ' + run['error'] if run['error'] else ''}")
        runs.append(run)
    return runs


# --- judging ----------------------------------------------------------------------------------------------------


def judge(runs):
    """One dict a claim, in the lesson's order: its threshold, values by seed, mean, sd, margin, and whether it holds."""
    thresholds = {}
    for run in runs:
        for row in run["claims"]:
            limits = (row["at_least"], row["at_most"])
            if thresholds.setdefault(row["claim"], limits) != limits:
                raise ClaimsError(f"claim: {row['claim']!r} has two thresholds, wants one name a threshold")
        names = [row["claim"] for row in run["claims"]]
        if len(names) != len(set(names)):
            raise ClaimsError(f"claim: {max(names, key=names.count)!r} is made twice, wants a name of its own each")
    verdicts = []
    for claim, (at_least, at_most) in thresholds.items():
        found = [{row["claim"]: row["value"] for row in run["claims"]}.get(claim) for run in runs]
        values = [value for value in found if value is not None]
        mean = statistics.fmean(values)
        sd = statistics.stdev(values) if len(values) > 1 and all(map(math.isfinite, values)) else 0.0
        inside = mean - at_least if at_most is None else at_most - mean
        margin = inside / sd if sd > 0 else math.inf if inside >= 0 else -math.inf
        passed = all(value >= at_least if at_most is None else value <= at_most for value in values)
        verdicts.append(
            {
                "claim": claim,
                "threshold": f"≥ {at_least:g}" if at_most is None else f"≤ {at_most:g}",
                "values": found,
                "mean": mean,
                "sd": sd,
                "margin": margin,
                "holds": passed and len(values) == len(runs) and margin >= MARGIN,
            }
        )
    return verdicts


# --- writing ----------------------------------------------------------------------------------------------------


def section(lesson, runs, verdicts):
    """The lesson's part of the page, from its heading to the last line."""
    heads = [f"seed {run['seed']}" for run in runs]
    lines = [f"## {lesson.stem}", ""]
    lines += ["| " + " | ".join(["claim", "threshold", *heads, "mean", "sd", "margin", "holds"]) + " |"]
    lines += ["|---|---|" + "---|" * (len(heads) + 4)]
    for verdict in verdicts:
        values = ["none" if value is None else f"{value:.4g}" for value in verdict["values"]]
        margin = "exact" if verdict["sd"] == 0 else f"{verdict['margin']:.1f} sd"
        row = [verdict["claim"].replace("|", "\\|"), verdict["threshold"], *values, f"{verdict['mean']:.4g}"]
        row += [f"{verdict['sd']:.2g}", margin, "yes" if verdict["holds"] else "**no**"]
        lines += ["| " + " | ".join(row) + " |"]
    places = sorted({f"{run['device']}, torch {run['torch']}" for run in runs})
    seconds = sum(run["seconds"] for run in runs)
    days = sorted({run["date"] for run in runs})
    when = days[0] if len(days) == 1 else f"{days[0]} to {days[-1]}"
    lines += ["", f"{when}; {'; '.join(places)}; {seconds:.0f} s for {len(runs)} runs."]
    for run in runs:
        if run["error"]:
            lines += ["", f"Seed {run['seed']} did not get to its end: {run['error']}"]
    return "\n".join(lines) + "\n"


def update_page(page, lesson, text):
    """Put the lesson's section into the page, in the order of the lessons; the other sections stay as they are."""
    old = page.read_text(encoding="utf-8") if page.exists() else INTRODUCTION
    sections = re.split(r"^(?=## )", old, flags=re.MULTILINE)[1:]
    by_name = {part.splitlines()[0].removeprefix("## "): part.strip() + "\n" for part in sections}
    by_name[lesson.stem] = text
    page.parent.mkdir(parents=True, exist_ok=True)
    page.write_text("\n".join([INTRODUCTION, *(by_name[name] for name in sorted(by_name))]), encoding="utf-8")


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="tools/claims.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("lesson", metavar="NN", help="the lesson's number")
    parser.add_argument("--again", action="store_true", help="repeat runs that are there")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    try:
        lesson = find_lesson(options.lesson, root)
        runs = gather(lesson, root / "build" / "claims", again=options.again)
        verdicts = judge(runs)
    except ClaimsError as error:
        print(error, file=sys.stderr)
        return 2
    text = section(lesson, runs, verdicts)
    update_page(root / "docs" / "claims.md", lesson, text)
    print(text)
    if not verdicts and not any(run["error"] for run in runs):
        print(f"{lesson.name}: makes no claim", file=sys.stderr)
        return 1
    return 0 if all(v["holds"] for v in verdicts) and not any(run["error"] for run in runs) else 1


if __name__ == "__main__":
    sys.exit(main())
