"""The table of objectives is whole, is made by its script, and each of its runs can be played again."""

import itertools
import json
from pathlib import Path

import pytest
from lesson_definitions import load_benchmark

RESULTS = Path(__file__).resolve().parent.parent / "benchmarks" / "results"


@pytest.fixture(scope="module")
def objectives():
    return load_benchmark("objectives.py")


def test_the_table_is_whole_and_made_of_its_runs(objectives):
    report = json.loads((RESULTS / "objectives.json").read_text(encoding="utf-8"))
    runs = {(r["data"], r["objective"], r["seed"]): r for r in report["runs"]}
    wanted = set(itertools.product(objectives["D_UPDATES"], objectives["OBJECTIVES"], range(3)))
    assert set(runs) == wanted and len(report["runs"]) == len(wanted) == 84
    for (data, _, _), run in runs.items():
        assert run["seconds"] > 0
        assert all(0 <= run[share] <= 1 for share in ("good", "precision", "recall") if share in run)
        if data != "Fashion-MNIST":
            assert 0 <= run["modes"] <= {"ring": 8, "grid": 25, "digits": 10}[data]
    assert (RESULTS / "objectives.md").read_text(encoding="utf-8") == objectives["markdown"](report)


@pytest.mark.parametrize("objective", ["saturating", "non-saturating", "least squares", "WGAN", "WGAN-GP",
                                       "spectral norm, hinge", "relativistic, R1 and R2"])  # fmt: skip
def test_each_objective_plays_its_updates_of_d(objectives, monkeypatch, objective):
    monkeypatch.setitem(objectives["D_UPDATES"], "ring", 10)
    run = objectives["play"]("ring", objectives["find"]("ring"), objective, 0)
    critics = 5 if objective in ("WGAN", "WGAN-GP", "spectral norm, hinge") else 1
    assert run["rounds"] == 10 // critics and 0 <= run["modes"] <= 8


def test_the_interval_is_students_t(objectives):
    """By hand for 1, 2, 3: mean 2, standard error 1 / sqrt(3), t(0.975, 2) = 4.303."""
    assert objectives["shown"]("FID", [1.0, 2.0, 3.0], None) == "2.0 ± 2.5"
