"""A lesson in four files: the templates run and pass the tests of structure, and the three commands say what is wrong."""

import importlib
import shutil
import sys
from pathlib import Path

import pytest
import test_every_model
import test_exercises
import test_lessons
import test_twins
from lesson_definitions import load_definitions, own_games, pairs

import ganedu.models
from tools import check, exercises, grading, new, notebooks, publish, readme

ROOT = Path(__file__).resolve().parent.parent
STEM = "13_sketch_gan"


@pytest.fixture(scope="module")
def root(tmp_path_factory):
    """A folder with a new lesson's four files, what the tools need besides, and the README's row."""
    root = tmp_path_factory.mktemp("course")
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, root)
    assert new.main(["13", "sketch_gan", "A sketch", "--sources-only", "--root", str(root)]) == 0
    release = notebooks.Release(root / "pyproject.toml")
    for folder in ("lessons", "solutions"):
        notebooks.convert(root / folder / f"{STEM}.py", root, release, run=False)
    assert exercises.main(["--root", str(root)]) == readme.main(["--root", str(root)]) == 0
    return root


@pytest.fixture
def model(root, monkeypatch):
    """The new module, found in ganedu.models as if it lay there."""
    monkeypatch.setattr(ganedu.models, "__path__", [*ganedu.models.__path__, str(root / "ganedu" / "models")])
    yield importlib.import_module("ganedu.models.sketch_gan")
    del sys.modules["ganedu.models.sketch_gan"], ganedu.models.sketch_gan


# --- the templates ------------------------------------------------------------------------------------------------


def test_the_four_files_and_no_token_left(root):
    made = {path.relative_to(root).as_posix() for path in root.rglob("*.py")}
    assert made == {
        f"lessons/{STEM}.py",
        f"solutions/{STEM}.py",
        "ganedu/models/sketch_gan.py",
        f"tests/wrong_answers/{STEM}.py",
    }
    for name in made:
        text = (root / name).read_text(encoding="utf-8")
        assert "__NUMBER__" not in text and "__NAME__" not in text and "__TITLE__" not in text
        assert "__STEM__" not in text and "TemplateGAN" not in text
    assert "class SketchGAN(GAN):" in (root / "ganedu/models/sketch_gan.py").read_text(encoding="utf-8")


def test_it_has_the_style_of_the_course(root):
    assert check.style(root, STEM, 1) == ""


@pytest.mark.parametrize(
    "name",
    [name for name, test in vars(test_lessons).items() if name.startswith("test_") and test.__code__.co_argcount],
)
def test_the_lesson_has_every_part(root, name):
    getattr(test_lessons, name)(root / "lessons" / f"{STEM}.py")


def test_the_readme_has_its_row(root):
    rows = [line for line in (root / "README.md").read_text(encoding="utf-8").splitlines() if "sketch" in line]
    assert len(rows) == 1 and rows[0].startswith(f"| [13 A sketch](lessons/{STEM}.ipynb) | ")
    assert rows[0].endswith(f" | [13](exercises/{STEM}.ipynb), 10 points |")


def test_the_lesson_is_its_models_twin(root, model, monkeypatch):
    path = root / "lessons" / f"{STEM}.py"
    namespace = load_definitions(path)
    assert list(own_games(path, namespace)) == ["SketchGAN"]
    assert set(pairs(path, namespace)) == {"SketchGAN", "Generator", "Discriminator"}
    monkeypatch.setitem(test_twins.LOADED, path, namespace)
    test_twins.test_a_game_has_its_twin_with_equal_parameters(path, "SketchGAN")
    test_twins.test_settings_are_the_twins(path, "SketchGAN")
    test_twins.test_outputs_losses_and_gradients_are_the_twins(path, "SketchGAN")
    test_twins.test_two_rounds_of_training_are_the_twins(path, "SketchGAN")


def test_the_model_is_one_of_the_library(root, model, monkeypatch):
    from ganedu.cli.finding import find_model

    assert find_model("sketch_gan") is model.SketchGAN
    monkeypatch.setitem(test_every_model.GAMES, "sketch_gan", model.SketchGAN)
    test_every_model.test_the_paper_is_named_and_every_loss_has_its_formula("sketch_gan")
    for shape in (None, (3, 32, 32)):
        test_every_model.test_samples_have_the_datas_shape_and_range("sketch_gan", shape)
    test_every_model.test_each_players_loss_is_finite_and_moves_that_player_alone("sketch_gan")
    test_every_model.test_the_discriminators_loss_is_cut_off_from_the_generator("sketch_gan")
    test_every_model.test_a_turn_of_one_player_leaves_the_other_alone("sketch_gan")
    test_every_model.test_it_is_copied_and_its_state_goes_round("sketch_gan")


def test_its_exercise_is_marked(root, monkeypatch):
    """Full marks, nothing for the empty one, every wrong answer with its message, and the right ones."""
    solution = root / "solutions" / f"{STEM}.py"
    bank, fault = test_exercises.read_bank(root / "tests" / "wrong_answers" / f"{STEM}.py")
    assert fault == ""
    monkeypatch.setitem(test_exercises.BANKS, STEM, bank)
    monkeypatch.setattr(test_exercises, "ROOT", root)
    for test in (
        test_exercises.test_solution_gets_full_marks,
        test_exercises.test_empty_exercise_gets_nothing_and_raises_only_not_implemented,
        test_exercises.test_every_task_has_a_wrong_answer,
        test_exercises.test_exercise_gives_nothing_away,
        test_exercises.test_checks_of_the_exercise_are_locked,
    ):
        test(solution)
    for name in bank["WRONG"]:
        test_exercises.test_wrong_answer_loses_its_own_task_with_its_own_message(solution, name)
    for name in bank["RIGHT"]:
        test_exercises.test_right_answer_written_otherwise_passes(solution, name)


@pytest.mark.slow
def test_new_runs_what_it_writes_and_a_second_one_overwrites_nothing(tmp_path, capsys):
    """Into a copy of the package, from which its kernel imports the new model."""
    for name in ("pyproject.toml", "README.md"):
        shutil.copy(ROOT / name, tmp_path)
    shutil.copytree(ROOT / "ganedu", tmp_path / "ganedu", ignore=shutil.ignore_patterns("__pycache__"))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        assert new.main(["14", "tiny", "--root", str(tmp_path)]) == 0, capsys.readouterr().err
    import nbformat

    lesson = nbformat.read(tmp_path / "lessons" / "14_tiny.ipynb", 4)
    assert all(cell.execution_count for cell in lesson.cells if cell.cell_type == "code")
    assert check.pairs(tmp_path, "14_tiny", 1) == ""
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.py")}
    assert new.main(["14", "tiny", "--root", str(tmp_path)]) == 1
    assert new.main(["15", "tiny", "--root", str(tmp_path)]) == 1
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.py")} == before


# --- bad input ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments, words",
    [
        (["", "cgan"], "N: got '', wants the number of a lesson, 1 to 32: make new N=13 NAME=cgan"),
        (["0", "cgan"], "N: got '0', wants the number of a lesson"),
        (["33", "cgan"], "N: got '33', wants the number of a lesson"),
        (["x", "cgan"], "N: got 'x', wants the number of a lesson"),
        (["13", "cgan"], f"N: got 13, which lessons/{STEM}.py has already, wants a number that is free"),
        (["14", ""], "NAME: got '', wants lower-case letters, digits and single underscores"),
        (["14", "cGAN"], "NAME: got 'cGAN', wants lower-case letters"),
        (["14", "c__gan"], "NAME: got 'c__gan', wants lower-case letters"),
        (["14", "14"], "NAME: got '14', wants lower-case letters"),
        (
            ["14", "sketch_gan"],
            "NAME: got 'sketch_gan', but ganedu/models/sketch_gan.py is there already, wants a name",
        ),
        (["14", "cgan", "a | b"], "TITLE: got 'a | b', wants a heading of one line"),
    ],
)
def test_what_new_refuses(root, arguments, words, capsys):
    before = {path: path.read_bytes() for path in root.rglob("*.py")}
    assert new.main([*arguments, "--root", str(root)]) == 1
    said = capsys.readouterr().err
    assert said.startswith(words) and said.count("\n") == 1
    assert {path: path.read_bytes() for path in root.rglob("*.py")} == before


@pytest.mark.parametrize(
    "name, wanted",
    [("cgan", "CGAN"), ("acgan", "ACGAN"), ("cyclegan", "CycleGAN"), ("wgan_gp", "WGANGP"), ("info_gan", "InfoGAN"),
     ("pix2pix", "Pix2pix"), ("vae", "VAE"), ("gan", "GAN")],
)  # fmt: skip
def test_the_class_is_named_after_the_module(name, wanted):
    assert new.class_name(name) == wanted


# --- check and publish --------------------------------------------------------------------------------------------


@pytest.fixture
def copied(root, tmp_path):
    shutil.copytree(root, tmp_path, dirs_exist_ok=True)
    return tmp_path


@pytest.mark.parametrize(
    "file, words",
    [
        (
            f"lessons/{STEM}.py",
            f"stale: lessons/{STEM}.ipynb (inputs, cell ids), README.md (its row); `make notebooks exercises readme`",
        ),
        (
            f"solutions/{STEM}.py",
            f"stale: solutions/{STEM}.ipynb (inputs), exercises/{STEM}.ipynb; `make notebooks exercises readme`",
        ),
    ],
)
def test_check_names_what_is_not_in_step(copied, file, words):
    assert check.pairs(copied, STEM, 1) == ""
    path = copied / file
    text = path.read_text(encoding="utf-8").replace("minutes: 90", "minutes: 95").replace("Plan 90", "Plan 95")
    path.write_text(text.replace("The form is right;", "The form is fine;"), encoding="utf-8")
    assert check.pairs(copied, STEM, 1).startswith(words)


def test_check_finds_bad_style(copied):
    with open(copied / "lessons" / f"{STEM}.py", "a", encoding="utf-8") as file:
        file.write("x=1\n")
    assert check.style(copied, STEM, 1).startswith("ruff format is not content")


@pytest.mark.parametrize("tool", [check, publish])
@pytest.mark.parametrize("number, words", [("12", "N: got '12', wants one of 13"), ("", "N: got '', wants one of 13")])
def test_a_number_of_no_lesson(copied, capsys, tool, number, words):
    assert tool.main([number, "--root", str(copied)]) == 1
    assert capsys.readouterr().err == f"{words}\n"


def test_a_lesson_without_its_solution(copied, capsys):
    (copied / "solutions" / f"{STEM}.py").unlink()
    assert publish.main(["13", "--root", str(copied)]) == 1
    assert capsys.readouterr().err == f"lessons/{STEM}.py: has no exercise, wants solutions/{STEM}.py\n"


def test_publish_stops_at_a_solution_without_full_marks(copied, capsys, monkeypatch):
    solution = copied / "solutions" / f"{STEM}.py"
    text = solution.read_text(encoding="utf-8")
    solution.write_text(
        text.replace("return softplus(-fake_logits).mean()", "return fake_logits.mean()"), encoding="utf-8"
    )
    monkeypatch.setattr(publish, "write_notebooks", lambda *_: pytest.fail("it went on"))
    assert publish.main(["13", "--root", str(copied)]) == 1
    said = capsys.readouterr().err
    assert (
        said.startswith(f"solutions/{STEM}.py: gets 7 of 10 points (task1_check: g_loss of ") and said.count("\n") == 1
    )


def test_publish_goes_through_its_steps_in_order(copied, monkeypatch):
    done = []
    monkeypatch.setattr(publish, "write_exercise", lambda root, stem: done.append("exercise"))
    monkeypatch.setattr(publish, "write_notebooks", lambda root, stem: done.append("notebooks"))
    monkeypatch.setattr(readme, "main", lambda arguments: done.append("README") or 0)
    monkeypatch.setattr(publish.claims, "main", lambda arguments: done.append("claims") or 0)
    assert publish.main(["13", "--root", str(copied)]) == 0
    assert done == ["exercise", "notebooks", "README", "claims"]
    monkeypatch.setattr(publish.claims, "main", lambda arguments: 1)
    assert publish.main(["13", "--root", str(copied)]) == 1


def test_grading_finds_the_new_exercise(root):
    assert grading.solution_for(f"{STEM}.ipynb", root=root) == root / "solutions" / f"{STEM}.py"
