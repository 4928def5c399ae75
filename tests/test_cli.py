"""The command `ganedu`: what it makes, and how it answers what it cannot do."""

import csv
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import torch
from PIL import Image

from ganedu import __main__ as cli
from ganedu.data import digits
from ganedu.models.vanilla import VanillaGAN
from ganedu.training import Trainer


@pytest.fixture
def course(tmp_path, monkeypatch):
    """A folder with two small lessons, which is also the current one."""
    lessons = tmp_path / "lessons"
    lessons.mkdir()
    for name, code in {
        "03_sound": "import os\nfrom pathlib import Path\nprint(os.environ['GANEDU_DRIVER'], list(Path().iterdir()))",
        "04_broken": "claim = 0.7\nassert claim > 0.9, f'accuracy {claim} is too low'",
    }.items():
        cells = [nbformat.v4.new_markdown_cell(f"# {name}"), nbformat.v4.new_code_cell(code)]
        nbformat.write(nbformat.v4.new_notebook(cells=cells), lessons / f"{name}.ipynb")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def refused(capsys, *arguments):
    """The one sentence with which the command refuses; exit code 2."""
    try:
        code = cli.main(list(arguments))
    except SystemExit as stop:
        code = stop.code
    printed = capsys.readouterr()
    assert code == 2 and printed.out == ""
    assert printed.err.count("\n") == 1 and "Traceback" not in printed.err
    return printed.err


# --- help -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("command", [[], ["lab"], ["lesson"], ["train"]])
def test_help(capsys, command):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, "--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 100
    for word in {"lab": ["JupyterLab"], "lesson": ["--out", "build/lessons"], "train": ["--rounds", "3000"]}.get(
        "".join(command), ["ganedu lab", "ganedu lesson 04", "ganedu train vanilla"]
    ):
        assert word in printed


def test_help_loads_no_heavy_package():
    probe = "import sys; from ganedu.__main__ import make_parser; make_parser(); print('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True).stdout.strip() == "False"


def test_runs_as_a_module():
    result = subprocess.run([sys.executable, "-m", "ganedu", "--version"], capture_output=True, text=True)
    assert result.returncode == 0 and result.stdout.startswith("ganedu ")


# --- wrong arguments ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ([], "COMMAND"),
        (["tain"], "'tain'"),
        (["train"], "MODEL"),
        (["train", "valina"], "model: got 'valina', wants one of"),
        (["train", "naive_bayes"], "model: got 'naive_bayes', wants one of"),  # a model without a game
        (["train", "vanilla", "--data", "faces"], "data: got 'faces', wants one of"),
        (["train", "vanilla", "--device", "tpu"], "device: got 'tpu', wants one of"),
        (["train", "vanilla", "--rounds", "0"], "--rounds: got 0, wants a whole number of at least 1"),
        (["train", "vanilla", "--rounds", "many"], "--rounds: got 'many', wants a whole number"),
        (["train", "vanilla", "--batch-size", "-8"], "--batch-size: got -8, wants a whole number of at least 2"),
        (["train", "vanilla", "--batch-size", "1"], "--batch-size: got 1, wants a whole number of at least 2"),
        (["train", "vanilla", "--lr", "nan"], "--lr: got nan, wants a number"),
        (["train", "vanilla", "--seed", "-1"], "--seed: got -1, wants a whole number of at least 0"),
        (["train", "vanilla", "--round", "3"], "--round"),
        (["lesson", "99"], "lesson: got '99', wants one of 03, 04"),
        (["lesson", "../4"], "lesson: got '../4', wants one of 03, 04"),
        (["lesson", "03", "--timeout", "0"], "--timeout: got 0"),
    ],
)
def test_wrong_argument(capsys, course, arguments, words):
    assert words in refused(capsys, *arguments)


@pytest.mark.parametrize("command", [["lab"], ["lesson", "04"]])
def test_no_lessons_here(capsys, tmp_path, monkeypatch, command):
    monkeypatch.chdir(tmp_path)
    assert "neither it nor a folder above it holds lessons/" in refused(capsys, *command)


def test_lab_without_jupyterlab(capsys, course, monkeypatch):
    import importlib.util

    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert "JupyterLab is not installed" in refused(capsys, "lab")


# --- lab ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("below", [".", "lessons", "deep/down"])
def test_lab_opens_the_nearest_lessons(course, monkeypatch, below):
    (course / below).mkdir(parents=True, exist_ok=True)
    monkeypatch.chdir(course / below)
    calls = []
    monkeypatch.setattr(cli.subprocess, "call", lambda command: calls.append(command) or 0)
    assert cli.main(["lab", "--no-browser", "--port", "8890"]) == 0
    (command,) = calls
    assert command[:3] == [sys.executable, "-m", "jupyterlab"]
    assert f"--notebook-dir={course}" in command
    assert command[-3:] == ["--no-browser", "--port", "8890"]


# --- lesson ---------------------------------------------------------------------------------------------------


def test_lesson_runs_and_is_written(capsys, course):
    assert cli.main(["lesson", "3", "--out", "made"]) == 0
    notebook = nbformat.read(course / "made" / "03_sound.ipynb", as_version=4)
    assert notebook.cells[1].outputs[0].text == "sync []\n"  # the trainers' driver; an empty folder to run in
    assert "sync []" in (course / "made" / "03_sound.html").read_text()
    assert "every claim held" in capsys.readouterr().out
    original = nbformat.read(course / "lessons" / "03_sound.ipynb", as_version=4)
    assert original.cells[1].outputs == []


def test_lesson_whose_claim_fails(capsys, course):
    assert cli.main(["lesson", "04", "--out", "made"]) == 1
    printed = capsys.readouterr()
    assert "AssertionError" in printed.err and "accuracy 0.7 is too low" in printed.err
    assert "every claim held" not in printed.out
    assert "accuracy 0.7 is too low" in (course / "made" / "04_broken.html").read_text()


def test_lesson_from_its_py(course):
    (course / "lessons" / "05_text.py").write_text("# %% [markdown]\n# # Text\n\n# %%\nprint(6 * 7)\n")
    assert cli.main(["lesson", "05", "--out", "made"]) == 0
    notebook = nbformat.read(course / "made" / "05_text.ipynb", as_version=4)
    assert notebook.cells[1].outputs[0].text == "42\n"


# --- train ----------------------------------------------------------------------------------------------------


def test_train_writes_samples_losses_and_a_checkpoint(capsys, course):
    words = "train vanilla --rounds 3 --batch-size 4 --seed 5 --device cpu --out made"
    assert cli.main(words.split()) == 0
    with open(course / "made" / "history.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert [row["round"] for row in rows] == ["3"]

    torch.manual_seed(5)
    by_hand = Trainer(VanillaGAN(), digits(), batch_size=4, device="cpu", seed=5).run(3)
    assert [float(row["d_loss"]) for row in rows] == by_hand.history["d_loss"]

    loaded = Trainer(VanillaGAN(), digits(), batch_size=4, device="cpu", seed=0).load(course / "made/checkpoint.pt")
    assert loaded.round == 3
    for name, weight in by_hand.game.state_dict().items():
        assert torch.equal(weight, loaded.game.state_dict()[name]), name

    sheet = np.asarray(Image.open(course / "made" / "samples.png"))
    assert sheet.shape == (8 * 30 - 2, 8 * 30 - 2)
    third = by_hand.sample(64, by_hand.fixed_z)[2, 0].numpy()  # row 0, column 2
    assert np.abs(sheet[:28, 60:88] / 127.5 - 1 - third).max() <= 1 / 127.5


def test_train_interrupted_keeps_what_was_learned(capsys, course, monkeypatch):
    play = Trainer.run

    def interrupted(self, rounds, **more):
        def stop(trainer):
            raise KeyboardInterrupt

        self.add_hook(stop, every=2)
        return play(self, rounds, **more)

    monkeypatch.setattr(Trainer, "run", interrupted)
    assert cli.main("train vanilla --rounds 500 --batch-size 4 --device cpu --out made".split()) == 130
    assert "stopped at round 2\n" in capsys.readouterr().err
    loaded = Trainer(VanillaGAN(), digits(), device="cpu").load(course / "made" / "checkpoint.pt")
    assert loaded.round == 2


def test_train_that_diverges_says_so(capsys, course, monkeypatch):
    sound = VanillaGAN.g_loss
    monkeypatch.setattr(VanillaGAN, "g_loss", lambda self, x, z: sound(self, x, z) * float("nan"))
    assert cli.main("train vanilla --rounds 1 --batch-size 4 --device cpu --out made".split()) == 1
    assert "g_loss is nan at round 1" in capsys.readouterr().err
    assert not (course / "made" / "checkpoint.pt").exists()


@pytest.mark.parametrize("channels", [1, 3])
def test_grid_of_an_incomplete_row(tmp_path, channels):
    images = torch.full((3, channels, 4, 5), -1.0)
    images[2] = 1.0
    cli.save_grid(images, tmp_path / "grid.png", columns=2, gap=1)
    sheet = np.asarray(Image.open(tmp_path / "grid.png"))
    assert sheet.shape == ((9, 11) if channels == 1 else (9, 11, 3))
    assert (sheet[:4, :5] == 0).all() and (sheet[:4, 6:] == 0).all() and (sheet[5:] == 255).all()


def test_streams_are_joined_as_a_terminal_shows_them():
    def stream(name, text):
        return nbformat.v4.new_output("stream", name=name, text=text)

    picture = nbformat.v4.new_output("display_data", data={"text/plain": "picture"})
    outputs = [
        stream("stdout", "one\ntw"),
        stream("stdout", "o\n"),
        stream("stderr", "10%\r"),
        stream("stderr", "20%\n"),
    ]
    joined = cli.join_streams([*outputs, picture, stream("stderr", "a\r\nb\rc")])
    assert [output.get("text") for output in joined] == ["one\ntwo\n", "20%\n", None, "a\nc"]
