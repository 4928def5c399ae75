"""Lessons and solutions, from the edited .py to the notebook beside it. One way only.

    python tools/notebooks.py                    write every .ipynb anew, keep the outputs of unchanged cells
    python tools/notebooks.py --execute 02 04    the same, then run these two and keep the new outputs
    python tools/notebooks.py --execute          run them all
    python tools/notebooks.py --check            write nothing; exit code 1 and a line for each stale file

Two places of a lesson are written by this tool, from the address and the tag in pyproject.toml: the line of the
Colab badge and the cell that sets the lesson up. docs/contributing.md shows both.
"""

import argparse
import base64
import hashlib
import io
import json
import re
import sys
import tempfile
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import jupytext
import nbformat
import numpy as np
from PIL import Image

from ganedu.cli.lesson import execute

ROOT = Path(__file__).resolve().parent.parent
FOLDERS = ("lessons", "solutions")
SIZE_LIMIT = 400 * 1024  # bytes; what a browser and a diff still open at once
CELL_TIMEOUT = 600  # seconds
VISIBLY_SAFE = 40.0  # dB; a picture of fewer colours is taken only above this peak signal-to-noise ratio

BADGE = re.compile(r"<!-- badge -->.*?<!-- /badge -->")
SETUP = re.compile(r"^# >>> setup\b.*?^# <<< setup$", re.MULTILINE | re.DOTALL)

# Nothing of jupytext: a notebook that says it is paired is written over, or not opened at all, where its reader has jupytext
# and the .py is newer. Who edits the course edits the .py, and this tool goes one way.
METADATA = {
    "kernelspec": {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"},
    "language_info": {"file_extension": ".py", "mimetype": "text/x-python", "name": "python"},
}


class NotebookError(Exception):
    """Something an author has to mend. The message is one sentence that names the file."""


# --- the two marked places ------------------------------------------------------------------------------------


class Release:
    """The repository's address and the released tag, as they stand in pyproject.toml."""

    def __init__(self, pyproject):
        settings = tomllib.loads(Path(pyproject).read_text(encoding="utf-8"))
        self.address = settings["project"]["urls"]["Repository"].rstrip("/")
        self.tag = settings["tool"]["ganedu"]["tag"]
        host = urlsplit(self.address).hostname or ""
        self.is_real = not (host == "invalid" or host.endswith(".invalid"))  # RFC 2606: a host that never exists
        self.on_github = host in ("github.com", "www.github.com")

    def badge(self, notebook):
        """The line of the first cell that takes a reader to Colab. ``notebook``: its path in the repository."""
        if not self.is_real:
            words = "This course has no public address yet, so this notebook cannot be opened on Colab from here."
        elif not self.on_github:
            words = "On Colab: upload this notebook; its first code cell installs the library."
        else:
            repository = urlsplit(self.address).path.strip("/").removesuffix(".git")
            link = f"https://colab.research.google.com/github/{repository}/blob/{self.tag}/{notebook}"
            picture = "https://colab.research.google.com/assets/colab-badge.svg"
            words = f'<a href="{link}"><img src="{picture}" alt="Open in Colab"></a>'
        return f"<!-- badge -->{words}<!-- /badge -->"

    def setup(self):
        """The lines of the set-up cell: nothing to do on your own machine, one installation on Colab."""
        head = (
            "# >>> setup: written by tools/notebooks.py from pyproject.toml\n"
            "import importlib.util\n"
            "import sys\n\n"
            'if "google.colab" in sys.modules and importlib.util.find_spec("ganedu") is None:\n'
        )
        if self.is_real:
            body = (
                "    import subprocess\n\n"
                f'    requirement = "ganedu @ git+{self.address}@{self.tag}"\n'
                '    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", requirement], check=True)\n'
                "    importlib.invalidate_caches()\n"
            )
        else:
            body = (
                "    raise RuntimeError(\n"
                '        "ganedu has no public address yet, so Colab cannot install it: "\n'
                '        "run this notebook on your own machine with `make lab`"\n'
                "    )\n"
            )
        return f"{head}{body}# <<< setup"

    def fill_in(self, text, path):
        """``text`` of a .py with its marked places written anew. A lesson must have both, once each."""
        folder, name = path.parent.name, path.with_suffix(".ipynb").name
        # solutions are not handed out: readers meet that text in the exercise generated from it
        notebook = f"{'exercises' if folder == 'solutions' else folder}/{name}"
        for marker, lines, words in (
            (BADGE, self.badge(notebook), "<!-- badge --><!-- /badge -->"),
            (SETUP, self.setup(), "# >>> setup ... # <<< setup"),
        ):
            found = len(marker.findall(text))
            if found > 1 or (found == 0 and folder == "lessons"):
                raise NotebookError(f"{folder}/{path.name}: got {found} places marked {words}, wants exactly one")
            text = marker.sub(lambda _, lines=lines: lines, text)
        return text


# --- from .py to .ipynb ---------------------------------------------------------------------------------------


def cell_id(cell, taken):
    """An id made of the cell's own text, so that it stays when other cells come, go or change.

    nbgrader's cells keep the name their author gave them. A text that occurs twice is numbered.
    """
    name = cell.metadata.get("nbgrader", {}).get("grade_id")
    if name is None:
        first_line = next((line for line in cell.source.splitlines() if re.search(r"\w", line)), cell.cell_type)
        words = re.sub(r"[^a-z0-9]+", "-", re.sub(r"<!--.*?-->", "", first_line).lower()).strip("-")[:32].rstrip("-")
        digest = hashlib.sha256(f"{cell.cell_type}\n{cell.source}".encode()).hexdigest()[:8]
        name = f"{words or cell.cell_type}-{digest}"
    name = re.sub(r"[^a-zA-Z0-9_-]", "-", name)[:60]
    number, candidate = 1, name
    while candidate in taken:
        number += 1
        candidate = f"{name}-{number}"
    taken.add(candidate)
    return candidate


def build(text, old=None):
    """The notebook of the percent-format ``text``. Outputs come from ``old`` where a cell's source is unchanged."""
    notebook = jupytext.reads(text, fmt="py:percent")
    notebook.metadata = nbformat.from_dict(json.loads(json.dumps(METADATA)))
    notebook.nbformat, notebook.nbformat_minor = 4, 5
    kept = {}
    for cell in old.cells if old is not None else ():
        if cell.cell_type == "code":
            kept.setdefault(cell.source, []).append(cell)
    taken = set()
    for cell in notebook.cells:
        cell.id = cell_id(cell, taken)
        if cell.cell_type == "code":
            before = kept[cell.source].pop(0) if kept.get(cell.source) else {}
            cell.outputs = before.get("outputs", [])
            cell.execution_count = before.get("execution_count")
    return notebook


def read(path):
    """The notebook at ``path``, or None where there is none."""
    return nbformat.read(path, as_version=4) if path.exists() else None


def dump(notebook):
    """The bytes of the notebook's file."""
    nbformat.validate(notebook)
    return (nbformat.writes(notebook).rstrip("\n") + "\n").encode()


def differences(found, wanted):
    """What in ``found`` is not as ``wanted``: some of "inputs", "cell ids" and "metadata". Outputs are not looked at."""
    if found is None:
        return ["no notebook"]
    looks = {
        "inputs": lambda nb: [(cell.cell_type, cell.source) for cell in nb.cells],
        "cell ids": lambda nb: [cell.get("id") for cell in nb.cells],
        "metadata": lambda nb: (nb.nbformat, nb.nbformat_minor, nb.metadata, [cell.metadata for cell in nb.cells]),
    }
    return [what for what, look in looks.items() if look(found) != look(wanted)]


# --- running, and what is kept of it --------------------------------------------------------------------------


def run_and_clean(notebook, name):
    """Run the notebook in a fresh kernel and an empty folder: a lesson needs nothing but the installed package."""
    from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

    try:
        execute(notebook, CELL_TIMEOUT)
    except CellExecutionError as error:
        raise NotebookError(f"{name}: a cell failed, nothing was written\n{error}") from error
    except (CellTimeoutError, DeadKernelError) as error:
        raise NotebookError(f"{name}: the run broke off, nothing was written ({error})") from error
    clean(notebook, name, secrets=(tempfile.gettempdir(), str(ROOT), str(Path.home())))


def clean(notebook, name, secrets=()):
    """Take out of the outputs what differs from run to run or says where it ran; make the pictures small."""
    notebook.metadata = nbformat.from_dict(json.loads(json.dumps(METADATA)))
    for cell in notebook.cells:
        cell.metadata.pop("execution", None)
        if cell.cell_type != "code":
            continue
        kept = []
        for output in cell.outputs:
            data = output.get("data", {})
            data.pop("application/vnd.jupyter.widget-view+json", None)  # without its widget an empty box
            if "data" in output and not data:
                continue
            if "image/png" in data:
                data["image/png"] = base64.b64encode(shrink(base64.b64decode(data["image/png"]))).decode()
            words = json.dumps({key: value for key, value in output.items() if key != "data"}) + json.dumps(
                {kind: value for kind, value in data.items() if not kind.startswith("image/")}
            )
            for secret in (*secrets, "/ipykernel_"):
                if len(secret) > 1 and secret in words:
                    raise NotebookError(f"{name}: the output of cell {cell.id} shows a path of this machine ({secret})")
            kept.append(output)
        cell.outputs = kept


def shrink(png):
    """The same picture in fewer bytes: as it was, packed better, or with 256 colours where nobody sees that."""
    image = Image.open(io.BytesIO(png))
    image.load()
    if image.mode not in ("RGB", "RGBA"):
        image = image.convert("RGBA")
    if image.mode == "RGBA" and image.getchannel("A").getextrema() == (255, 255):
        image = image.convert("RGB")  # matplotlib writes an alpha channel that is opaque throughout
    method = Image.Quantize.MEDIANCUT if image.mode == "RGB" else Image.Quantize.FASTOCTREE
    few = image.quantize(256, method=method, dither=Image.Dither.NONE)
    candidates = [png, packed(image)]
    if psnr(image, few.convert(image.mode)) >= VISIBLY_SAFE:
        candidates.append(packed(few))
    return min(candidates, key=len)


def packed(image):
    buffer = io.BytesIO()
    image.save(buffer, "PNG", optimize=True)
    return buffer.getvalue()


def psnr(a, b):
    """Peak signal-to-noise ratio in dB of two 8-bit images; infinite where they are equal."""
    error = np.mean((np.asarray(a, dtype=np.float64) - np.asarray(b, dtype=np.float64)) ** 2)
    return np.inf if error == 0 else 10 * np.log10(255**2 / error)


# --- the command ----------------------------------------------------------------------------------------------


def sources(root):
    """Every edited file: lessons/NN_name.py and solutions/NN_name.py."""
    return [path for folder in FOLDERS for path in sorted((root / folder).glob("[0-9][0-9]_*.py"))]


def check(root, release):
    """A line for each stale file."""
    stale = []
    for path in sources(root):
        name = path.relative_to(root)
        text = path.read_text(encoding="utf-8")
        wanted = release.fill_in(text, path)
        if wanted != text:
            stale.append(f"{name} (badge or set-up cell)")
        notebook = path.with_suffix(".ipynb")
        found = differences(read(notebook), build(wanted))
        if found:
            stale.append(f"{name.with_suffix('.ipynb')} ({', '.join(found)})")
    for folder in FOLDERS:
        for notebook in sorted((root / folder).glob("*.ipynb")):
            if not notebook.with_suffix(".py").exists():
                stale.append(f"{notebook.relative_to(root)} (no .py beside it)")
    return stale


def convert(path, root, release, run):
    """Write the notebook of one source, and the source itself where its marked places were stale."""
    name = path.relative_to(root).with_suffix(".ipynb")
    text = path.read_text(encoding="utf-8")
    wanted = release.fill_in(text, path)
    notebook = build(wanted, old=read(path.with_suffix(".ipynb")))
    if run:
        print(f"running {name} ...", flush=True)
        run_and_clean(notebook, name)
    content = dump(notebook)
    if len(content) > SIZE_LIMIT:
        raise NotebookError(
            f"{name}: got {len(content) / 1024:.0f} KiB, wants at most {SIZE_LIMIT // 1024} KiB: "
            "draw fewer or smaller pictures"
        )
    for target, new in ((path, wanted.encode()), (path.with_suffix(".ipynb"), content)):
        if not target.exists() or target.read_bytes() != new:
            target.write_bytes(new)
            print(f"wrote {target.relative_to(root)} ({len(new) / 1024:.0f} KiB)")


def main(arguments=None):
    parser = argparse.ArgumentParser(
        prog="tools/notebooks.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--execute", nargs="*", metavar="NN", help="run these lessons and solutions; all, unless named")
    what.add_argument("--check", action="store_true", help="write nothing, name what is stale")
    parser.add_argument("--root", type=Path, default=ROOT, help=argparse.SUPPRESS)
    options = parser.parse_args(arguments)
    root = options.root.resolve()
    try:
        release = Release(root / "pyproject.toml")
        if options.check:
            stale = check(root, release)
            if stale:
                print("stale, run `make notebooks`:", *stale, sep="\n  ", file=sys.stderr)
            return 1 if stale else 0
        paths = sources(root)
        unknown = set(options.execute or ()) - {path.name[:2] for path in paths}
        if unknown:
            known = ", ".join(sorted({path.name[:2] for path in paths})) or "none: there is no lesson"
            raise NotebookError(f"--execute: got {', '.join(sorted(unknown))}, wants numbers among {known}")
        for path in paths:
            run = options.execute is not None and (not options.execute or path.name[:2] in options.execute)
            convert(path, root, release, run)
    except NotebookError as error:
        print(error, file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
