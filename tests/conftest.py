"""What all tests share: trainers that run in the calling thread, no window, and the tests that need a machine's extras."""

import os
import shutil
from pathlib import Path

import matplotlib
import pytest

os.environ["GANEDU_DRIVER"] = "sync"  # notebooks' kernels inherit it; a test of another driver sets its own
matplotlib.use("Agg")

BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def find_chromium():
    """The path of an installed Chromium or Chrome, or None."""
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


def browser_verdict(wish, found):
    """Whether the browser tests run: "run", "fail" or a sentence why they are left out.

    ``wish`` is GANEDU_BROWSER ("1" demands them, "0" leaves them out, else None), ``found`` a path or None.
    """
    if wish not in (None, "", "0", "1"):
        raise pytest.UsageError(f"GANEDU_BROWSER: got {wish!r}, wants 1 (demand browser tests) or 0 (leave them out)")
    if wish == "0":
        return "the browser tests were left out: GANEDU_BROWSER=0"
    if found:
        return "run"
    if wish == "1":
        return "fail"
    return "the browser tests were left out: no Chromium found (GANEDU_BROWSER=1 makes that a failure)"


@pytest.fixture(scope="session")
def chromium():
    """The path of the browser. A test that asks for it carries the marker ``browser``."""
    path = find_chromium()
    if path is None:
        pytest.fail("GANEDU_BROWSER=1 demands the browser tests, and no Chromium was found on PATH")
    return path


def turn(item):
    """The place in line of a test's file. Files that take minutes come first: none is left for one worker at the end."""
    name = item.path.name
    first = [name.startswith("test_exercises."), name.startswith("test_browser"), name.endswith(".ipynb"), True]
    return first.index(True)


def pytest_addoption(parser):
    parser.addoption("--lesson", metavar="NN", help="of the tests that go through all lessons, those of this one alone")


def models_of(number):
    """The modules of ganedu.models that a lesson's part on its twin names, by their last name."""
    from lesson_definitions import load_definitions, twin_modules

    (path,) = (Path(__file__).resolve().parent.parent / "lessons").glob(f"{number}_*.py")
    names = [module.__name__ for module in twin_modules(path, load_definitions(path))]
    return {name.rsplit(".", 1)[1] for name in names if name.startswith("ganedu.models.")}


def is_about(item, number, models):
    """Whether a test is one of this lesson: its own file, or its turn in a test that goes through all of them."""
    if item.path.stem in (f"test_lesson_{number}", f"test_exercise_{number}"):
        return True
    if not hasattr(item, "callspec"):
        return False
    values = item.callspec.params.values()
    return (
        item.callspec.id.startswith(f"{number}-")
        or any(isinstance(value, Path) and value.name.startswith(f"{number}_") for value in values)
        or any(value in models for value in values if isinstance(value, str))
    )


def pytest_collection_modifyitems(config, items):
    if number := config.getoption("--lesson"):
        models = models_of(number)
        items[:] = [item for item in items if is_about(item, number, models)]
    items.sort(key=turn)
    marked = {name: [item for item in items if item.get_closest_marker(name)] for name in ("gpu", "browser")}
    if marked["gpu"]:
        import torch

        if not torch.cuda.is_available():
            for item in marked["gpu"]:
                item.add_marker(pytest.mark.skip(reason="needs a CUDA device, and this machine has none"))
    verdict = browser_verdict(os.environ.get("GANEDU_BROWSER"), find_chromium())
    if marked["browser"] and verdict not in ("run", "fail"):
        for item in marked["browser"]:
            item.add_marker(pytest.mark.skip(reason=verdict))


def pytest_terminal_summary(terminalreporter):
    skipped = terminalreporter.stats.get("skipped", [])
    reasons = {report.longrepr[2] for report in skipped if isinstance(report.longrepr, tuple)}
    for reason in sorted(reason.removeprefix("Skipped: ") for reason in reasons):
        if "were left out" in reason or "CUDA" in reason:
            terminalreporter.write_line(reason)
