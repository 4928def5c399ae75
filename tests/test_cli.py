"""The command `ganedu`: what it makes, and how it answers what it cannot do."""

import csv
import errno
import os
import signal
import subprocess
import sys

import nbformat
import numpy as np
import pytest
import torch
from PIL import Image

from ganedu import checkpoints
from ganedu.cli import finding, lab, lesson, record
from ganedu.cli import parser as cli
from ganedu.data import digits
from ganedu.models.dcgan import DCGAN
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


@pytest.mark.parametrize("command", [[], ["lab"], ["lesson"], ["train"], ["doctor"]])
def test_help(capsys, command):
    with pytest.raises(SystemExit) as stop:
        cli.main([*command, "--help"])
    assert stop.value.code == 0
    printed = capsys.readouterr().out
    assert max(map(len, printed.splitlines())) <= 100
    words = {
        "": ["ganedu lab", "ganedu lesson 04", "ganedu train vanilla", "ganedu doctor"],
        "lab": ["JupyterLab"],
        "lesson": ["--out", "build/lessons"],
        "train": ["--steps", "--rounds N", "3000", "--resume", "--tensorboard", "torchrun"],
        "doctor": ["lesson tier"],
    }
    assert [word for word in words["".join(command)] if word not in printed] == []


def test_help_loads_no_heavy_package():
    probe = "import sys; from ganedu.cli.parser import make_parser; make_parser(); print('torch' in sys.modules)"
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
        (["train", "vanilla", "--steps", "-5"], "--steps/--rounds: got -5, wants a whole number of at least 1"),
        (["train", "vanilla", "--checkpoint-every", "0"], "--checkpoint-every: got 0, wants a whole number"),
        (["train", "dcgna"], "(did you mean 'dcgan'?)"),
        (["train", "vanilla", "--data", "ring"], "data: got 'ring', wants one of 'digits', 'fashion_mnist'"),
        (["train", "vanilla", "--resume"], "resume: got runs/vanilla, which holds no run, wants the folder of one"),
        (["train", "vanilla", "--resume", "--out", "gone"], "resume: got gone, which holds no run"),
        (["train", "vanilla", "--out", "lessons/03_sound.ipynb"], "out: got lessons/03_sound.ipynb, where nothing"),
        (["doctor", "now"], "got 'now', which `ganedu doctor` does not take"),
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
    monkeypatch.setattr(lab.subprocess, "call", lambda command: calls.append(command) or 0)
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
    assert sheet.shape == (8 * 30 + 2, 8 * 30 + 2)
    third = by_hand.sample(64, by_hand.fixed_z)[2, 0].numpy()  # row 0, column 2
    assert np.abs(sheet[2:30, 62:90] / 127.5 - 1 - third).max() <= 1 / 127.5


def weights(path):
    return checkpoints.read(path)["game"]


def assert_same(a, b):
    assert a.keys() == b.keys() and [name for name in a if not torch.equal(a[name], b[name])] == []


@pytest.fixture
def stop_at(monkeypatch):
    """Stops runs after a round, as ``how`` says: "ctrl-c" or "kernel" (a KeyboardInterrupt)."""

    def prepare(round, how="ctrl-c"):
        play = Trainer.run

        def stopped(self, rounds, **more):
            def stop(trainer):
                if trainer.round == round:
                    if how == "kernel":
                        raise KeyboardInterrupt
                    signal.raise_signal(signal.SIGINT)

            self.add_hook(stop)
            return play(self, rounds, **more)

        monkeypatch.setattr(Trainer, "run", stopped)

    return prepare


@pytest.mark.parametrize("how", ["ctrl-c", "kernel"])
def test_train_interrupted_keeps_what_was_learned(capsys, course, stop_at, how):
    stop_at(2, how)
    assert cli.main("train vanilla --steps 500 --batch-size 4 --device cpu --out made".split()) == 130
    assert "stopped at round 2\n" in capsys.readouterr().err
    loaded = Trainer(VanillaGAN(), digits(), device="cpu").load(course / "made" / "checkpoint.pt")
    assert loaded.round == 2
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler  # as it was


def test_train_resumed_reaches_the_weights_of_an_unbroken_run(capsys, course, stop_at, monkeypatch):
    words = "train wgan_gp --data digits --steps 7 --batch-size 4 --seed 3 --device cpu --checkpoint-every 2"
    assert cli.main([*words.split(), "--out", "unbroken"]) == 0
    stop_at(5)
    assert cli.main([*words.split(), "--out", "broken"]) == 130
    monkeypatch.undo()
    monkeypatch.chdir(course)
    capsys.readouterr()
    assert cli.main("train wgan_gp --resume --out broken --device cpu".split()) == 0  # settings as they were
    assert "goes on from round 5\n2 rounds of 4 images" in capsys.readouterr().out
    assert_same(weights(course / "broken" / "checkpoint.pt"), weights(course / "unbroken" / "checkpoint.pt"))
    names = sorted(path.name for path in (course / "unbroken").iterdir())
    assert names == [*(f"checkpoint-{n:08d}.pt" for n in (2, 4, 6)), "checkpoint.pt"] + [
        "grids", "history.csv", "run.json", "samples.png"
    ]  # fmt: skip
    assert [path.name for path in sorted((course / "unbroken" / "grids").iterdir())] == [
        f"{n:08d}.png" for n in (2, 4, 6, 7)
    ]

    (course / "broken" / "checkpoint.pt").unlink()  # killed in the last round: the newest that is there will do
    assert cli.main("train wgan_gp --resume --out broken --device cpu".split()) == 0
    assert_same(weights(course / "broken" / "checkpoint.pt"), weights(course / "unbroken" / "checkpoint.pt"))
    assert cli.main("train wgan_gp --resume --out broken --device cpu".split()) == 0  # nothing left to do
    assert "goes on from round 7\n0 rounds" in capsys.readouterr().out
    assert cli.main("train wgan_gp --resume --steps 8 --out broken --device cpu".split()) == 0
    assert checkpoints.read(course / "broken" / "checkpoint.pt")["round"] == 8

    capsys.readouterr()
    for more, sentence in {
        "--batch-size 8": "batch-size: got 8, wants 4, that of the run which --resume goes on with",
        "--seed 0": "seed: got 0, wants 3, that of the run",
        "--data fashion_mnist": "data: got fashion_mnist, wants digits, that of the run",
        "--steps 6": "steps: got 6, wants at least the 8 that were played already",
    }.items():
        assert sentence in refused(capsys, *f"train wgan_gp --resume --out broken --device cpu {more}".split())
    assert "model: got vanilla, wants wgan_gp" in refused(capsys, *"train vanilla --resume --out broken".split())
    (course / "broken" / "run.json").write_text("[]")
    assert "run.json, which is damaged" in refused(capsys, *"train wgan_gp --resume --out broken".split())


@pytest.mark.parametrize("name", ["lsgan", "wgan", "sngan", "r3gan"])
def test_train_takes_every_model(course, name):
    """By its module's name, resumable: the critic's clip and the power iteration's vectors go on as they were."""
    words = f"train {name} --batch-size 4 --seed 1 --device cpu"
    assert cli.main(f"{words} --steps 4 --out unbroken".split()) == 0
    assert cli.main(f"{words} --steps 2 --out broken".split()) == 0
    assert cli.main(f"train {name} --resume --steps 4 --out broken --device cpu".split()) == 0
    assert_same(weights(course / "broken" / "checkpoint.pt"), weights(course / "unbroken" / "checkpoint.pt"))
    assert np.asarray(Image.open(course / "unbroken" / "samples.png")).shape == (8 * 30 + 2, 8 * 30 + 2)


def test_a_run_is_never_written_over(capsys, course):
    words = "train vanilla --steps 1 --batch-size 2 --device cpu".split()
    assert cli.main(words) == cli.main(words) == 0
    assert sorted(path.name for path in (course / "runs").iterdir()) == ["vanilla", "vanilla-2"]
    first = (course / "runs" / "vanilla" / "checkpoint.pt").read_bytes()
    capsys.readouterr()
    assert "out: got runs/vanilla, which holds a run already" in refused(capsys, *words, "--out", "runs/vanilla")
    assert cli.main("train vanilla --resume --steps 2 --device cpu".split()) == 0  # the newest
    assert checkpoints.read(course / "runs" / "vanilla-2" / "checkpoint.pt")["round"] == 2
    assert (course / "runs" / "vanilla" / "checkpoint.pt").read_bytes() == first


def test_train_goes_on_where_the_disk_is_full(capsys, course, monkeypatch):
    replace = os.replace

    def full(aside, path):
        if "0000000" in str(path):  # checkpoints and grids of the way
            raise OSError(errno.ENOSPC, "No space left on device")
        replace(aside, path)

    monkeypatch.setattr(os, "replace", full)
    words = "train vanilla --steps 5 --batch-size 2 --device cpu --checkpoint-every 2 --out made"
    assert cli.main(words.split()) == 1  # the last grid cannot be written either
    said = capsys.readouterr().err
    assert said.count("could not be written to made/checkpoint-00000002.pt (No space left on device)") == 1
    assert said.count("samples and losses of round 2 could not be written") == 1
    assert "round 4" not in said  # once for each cause


def test_train_that_diverges_says_so(capsys, course, monkeypatch):
    sound = VanillaGAN.g_loss
    monkeypatch.setattr(VanillaGAN, "g_loss", lambda self, x, z: sound(self, x, z) * float("nan"))
    assert cli.main("train vanilla --rounds 1 --batch-size 4 --device cpu --out made".split()) == 1
    assert "g_loss is nan at round 1, player G" in capsys.readouterr().err
    assert not (course / "made" / "checkpoint.pt").exists()


def test_train_that_diverges_later_keeps_the_last_finite_weights(capsys, course, monkeypatch):
    sound = VanillaGAN.g_loss

    def fails(self, x, z):
        factor = self.G[0].bias.detach()[0] * 0 + 1
        if self.G[1].num_batches_tracked > 12:  # two a round
            factor = factor / 0
        return sound(self, x, z) * factor

    monkeypatch.setattr(VanillaGAN, "g_loss", fails)
    assert cli.main("train vanilla --steps 30 --batch-size 4 --device cpu --out made".split()) == 1
    said = capsys.readouterr().err
    assert "g_loss is inf at round 7, player G, term `factor = factor / 0`" in said and "a division by 0" in said
    state = checkpoints.read(course / "made" / "checkpoint.pt")
    assert state["round"] == 6 and all(torch.isfinite(w).all() for w in state["game"].values())


def test_tensorboard_shows_the_history(course):
    assert cli.main("train vanilla --steps 3 --batch-size 4 --device cpu --tensorboard --out made".split()) == 0
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    events = EventAccumulator(str(course / "made" / "tensorboard")).Reload()
    with open(course / "made" / "history.csv", newline="") as file:
        (row,) = csv.DictReader(file)
    for name in ("d_loss", "g_loss", "d_real", "d_fake"):
        (event, *_) = events.Scalars(name)
        assert event.step == 3 and event.value == pytest.approx(float(row[name]), rel=1e-6)
    assert [event.step for event in events.Images("samples")] == [3]


def test_without_tensorboard_one_sentence_says_so(capsys, course, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", None)
    said = refused(capsys, *"train vanilla --tensorboard --out made".split())
    assert "--tensorboard wants the package tensorboard, which is not installed" in said
    assert not (course / "made").exists()


def test_a_model_is_made_to_fit_the_data():
    game = finding.make_to_fit(DCGAN, (3, 32, 32))
    assert game.generate(game.sample_z(2)).shape == (2, 3, 32, 32)
    assert isinstance(finding.make_to_fit(VanillaGAN, (1, 28, 28)), VanillaGAN)


def test_a_sheet_of_several_grids():
    """As a game's ``preview`` has them: pictures in, out and back, 2 + 2 columns of them, white between."""
    black, white = torch.full((4, 1, 6, 5), -1.0), torch.ones(4, 1, 6, 5)
    sheet = record.sheet({"in": black, "out": white}, columns=4)
    assert sheet.shape == (2 * 8 + 2, 2 * (2 * 7 + 2) + 6)
    assert (sheet[2:8, 2:7] == 0).all() and (sheet[:, 16:] == 255).all()
    coloured = record.sheet({"in": black, "out": white.expand(-1, 3, -1, -1)}, columns=4)
    assert coloured.shape == (*sheet.shape, 3) and (coloured == sheet[..., None]).all()


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
    joined = lesson.join_streams([*outputs, picture, stream("stderr", "a\r\nb\rc")])
    assert [output.get("text") for output in joined] == ["one\ntwo\n", "20%\n", None, "a\nc"]


# --- doctor ---------------------------------------------------------------------------------------------------


def test_doctor_says_what_is_there(capsys, monkeypatch):
    monkeypatch.setenv("GANEDU_TIER", "gpu")
    assert cli.main(["doctor"]) == 0
    facts = dict(line.split(maxsplit=1) for line in capsys.readouterr().out.splitlines() if line[0] != " ")
    assert facts["torch"] == torch.__version__
    assert facts["Python"].startswith(".".join(map(str, sys.version_info[:3])))
    assert facts["threads"].startswith(f"{torch.get_num_threads()} of ")
    assert facts["lesson"] == "tier     gpu (GANEDU_TIER=gpu): runs of the papers' size"
    if not torch.cuda.is_available():
        assert facts["CUDA"] == "no device found"
    import ipywidgets

    assert facts["ipywidgets"] == ipywidgets.__version__
    monkeypatch.delenv("GANEDU_TIER")
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert cli.main(["doctor"]) == 0
    assert "cpu (by the hardware): at most 90 s" in capsys.readouterr().out


def test_doctor_names_a_tier_that_is_none(capsys, monkeypatch):
    monkeypatch.setenv("GANEDU_TIER", "laptop")
    assert "GANEDU_TIER: got 'laptop', wants one of 'cpu', 'gpu'" in refused(capsys, "doctor")
