"""A new lesson: its four files, from tools/templates/, which run and pass every test of structure as they are.

    python tools/new.py 13 cgan                              lessons/13_cgan.py, solutions/13_cgan.py,
    python tools/new.py 13 cgan "The conditional GAN"        ganedu/models/cgan.py, tests/wrong_answers/13_cgan.py

Then it writes what is generated from them: both notebooks, run once, the exercise, and the README's row. Nothing that is
there is overwritten.
"""

import argparse
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))  # the tools find each other, whether run as a script or imported by a test
from tools import publish  # noqa: E402
from tools.notebooks import NotebookError  # noqa: E402

TEMPLATES = Path(__file__).resolve().parent / "templates"
LAST = 32  # lessons in the plan of the course


class NewError(Exception):
    """Something the user has to mend. The message is one sentence that names the argument, what it got and wants."""


def class_name(name):
    """The game's class: cgan -> CGAN, cyclegan -> CycleGAN, wgan_gp -> WGANGP, pix2pix -> Pix2pix."""

    def part(word):
        stem = word.removesuffix("gan")
        if stem == word:
            return word.upper() if len(word) <= 3 else word.capitalize()
        return (stem.upper() if len(stem) <= 2 else stem.capitalize()) + "GAN"

    return "".join(part(word) for word in name.split("_"))


def files(root, number, name):
    """{template: the file that is made of it}"""
    stem = f"{number}_{name}"
    return {
        "lesson.py": root / "lessons" / f"{stem}.py",
        "solution.py": root / "solutions" / f"{stem}.py",
        "model.py": root / "ganedu" / "models" / f"{name}.py",
        "wrong_answers.py": root / "tests" / "wrong_answers" / f"{stem}.py",
    }


def checked(root, number, name, title):
    """(number, name, title) as they are used; NewError where one of them will not do."""
    if not re.fullmatch(r"\d{1,2}", number) or not 1 <= int(number) <= LAST:
        raise NewError(f"N: got {number!r}, wants the number of a lesson, 1 to {LAST}: make new N=13 NAME=cgan")
    number = number.zfill(2)
    for folder in ("lessons", "solutions", "tests/wrong_answers"):
        for path in sorted((root / folder).glob(f"{number}_*.py")):
            raise NewError(f"N: got {number}, which {folder}/{path.name} has already, wants a number that is free")
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        raise NewError(f"NAME: got {name!r}, wants lower-case letters, digits and single underscores, such as cgan")
    for path in files(root, number, name).values():
        if path.exists():
            raise NewError(
                f"NAME: got {name!r}, but {path.relative_to(root)} is there already, wants a name that is free"
            )
    title = title.strip() or f"The {class_name(name)}"
    if re.search(r"[|\n`_]|^#", title):
        raise NewError(f"TITLE: got {title!r}, wants a heading of one line without |, ` and _")
    return number, name, title


def write(root, number, name, title):
    """Write the four files. Returns their paths."""
    words = {
        "__NUMBER__": number,
        "__STEM__": f"{number}_{name}",
        "__NAME__": name,
        "__TITLE__": title,
        "TemplateGAN": class_name(name),
    }
    made = []
    for template, path in files(root, number, name).items():
        text = (TEMPLATES / template).read_text(encoding="utf-8")
        for token, word in words.items():
            text = text.replace(token, word)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(path, "x", encoding="utf-8") as file:  # never over a file that is there
            file.write(text)
        made.append(path)
    # a longer name breaks lines elsewhere, and sorts elsewhere among imports
    subprocess.run([sys.executable, "-m", "ruff", "check", "--fix", "--quiet", *made], cwd=ROOT, check=True)
    subprocess.run([sys.executable, "-m", "ruff", "format", "--quiet", *made], cwd=ROOT, check=True)
    return made


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="tools/new.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("number", metavar="NN", help="the lesson's number")
    parser.add_argument("name", help="its name, and that of the module in ganedu/models/")
    parser.add_argument("title", nargs="?", default="", help="its heading")
    parser.add_argument("--sources-only", action="store_true", help="write the four files and nothing else")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    try:
        number, name, title = checked(root, options.number, options.name, options.title)
        for path in write(root, number, name, title):
            print(f"wrote {path.relative_to(root)}")
        if not options.sources_only:
            publish.generate(root, f"{number}_{name}")
    except (NewError, NotebookError, publish.PublishError) as error:
        print(error, file=sys.stderr)
        return 1
    print(f"Write the lesson, then: make check N={number}, make publish N={number}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
