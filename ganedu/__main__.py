"""The command ``ganedu``: open the lessons, run one without a browser, train a model. Heavy imports wait inside."""

import argparse
import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path

from ganedu.arguments import one_of, real_number, whole_number

DESCRIPTION = """\
A hands-on course on generative adversarial networks.

  ganedu lab             open JupyterLab on the lessons
  ganedu lesson 04       run lesson 04 here and now; get its notebook and an HTML page
  ganedu train vanilla   train a model on real digits; get samples, losses and a checkpoint

"ganedu COMMAND --help" says what a command takes.
"""


class Parser(argparse.ArgumentParser):
    """A wrong argument is answered by one sentence, not by a wall of usage; no option may be cut short."""

    def __init__(self, **settings):
        super().__init__(**{"allow_abbrev": False, **settings})

    def error(self, message):
        self.exit(2, f"{self.prog}: {message} (see {self.prog} --help)\n")


class Help(argparse.RawDescriptionHelpFormatter):
    """Descriptions as they are written, one column wide enough for the longest option."""

    def __init__(self, prog):
        super().__init__(prog, max_help_position=28)


class BadArgument(Exception):
    """What the user asked for cannot be had. The message is one sentence."""


@contextlib.contextmanager
def one_sentence():
    """Within this block a ValueError or TypeError is about what the user asked for; elsewhere it is a fault of ours."""
    try:
        yield
    except (ValueError, TypeError) as error:
        raise BadArgument(error) from error


def checked(check, name, kind, **bounds):
    """An argparse type that converts with ``kind`` and checks with a function of ``ganedu.arguments``."""

    def convert(text):
        try:
            value = kind(text)
        except ValueError:
            value = text  # the check below says what is wanted
        try:
            return check(name, value, **bounds)
        except (TypeError, ValueError) as error:
            raise argparse.ArgumentTypeError(str(error).removeprefix(f"{name}: ")) from error

    return convert


# --- where the lessons are -------------------------------------------------------------------------------------


def find_lessons(start=None):
    """The nearest folder ``lessons`` that holds a lesson, in ``start`` (here, unless given) or above it.

    Raises:
        ValueError: there is none.
    """
    start = Path(start or Path.cwd()).resolve()
    for folder in (start, *start.parents):
        if folder.name == "lessons" and any(folder.glob("[0-9][0-9]_*")):
            return folder
        if any((folder / "lessons").glob("[0-9][0-9]_*")):
            return folder / "lessons"
    raise ValueError(
        f"lessons: got {start}, where neither it nor a folder above it holds lessons/, "
        "wants to be started within a copy of the course"
    )


def find_lesson(number, lessons):
    """The file of one lesson: its notebook, or else the .py from which that is made. ``number``: "04" or "4"."""
    wanted = number.zfill(2)
    found = sorted(lessons.glob(f"{wanted}_*.ipynb")) or sorted(lessons.glob(f"{wanted}_*.py"))
    if not wanted.isdigit() or not found:
        numbers = sorted({path.name[:2] for path in lessons.glob("[0-9][0-9]_*")})
        raise ValueError(f"lesson: got {number!r}, wants one of {', '.join(numbers)}")
    return found[0]


# --- ganedu lab ------------------------------------------------------------------------------------------------


def lab(options):
    import importlib.util

    if importlib.util.find_spec("jupyterlab") is None:
        raise BadArgument("JupyterLab is not installed; `make lab`, or `pip install -e .[course]`, brings it")
    with one_sentence():
        lessons = find_lessons()
    # the folder above is opened, so that exercises/ is a click away
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={lessons.parent}"]
    command += ["--LabApp.default_url=/lab/tree/lessons"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command += ["--allow-root"]  # in a container there is no other user; the token is asked for all the same
    try:
        return subprocess.call([*command, *options.jupyter])
    except KeyboardInterrupt:
        return 0  # Ctrl-C is how JupyterLab is closed


# --- ganedu lesson ---------------------------------------------------------------------------------------------


def read_notebook(path):
    import nbformat

    if path.suffix == ".ipynb":
        return nbformat.read(path, as_version=4)
    try:
        import jupytext
    except ImportError as error:
        raise BadArgument(
            f"{path.name} has no notebook beside it, and reading the .py wants jupytext (pip install jupytext)"
        ) from error
    return jupytext.read(path, fmt="py:percent")


def execute(notebook, timeout):
    """Run every cell in a fresh kernel and an empty folder; outputs land in ``notebook``, also where a cell fails.

    Trainers run within their cell (GANEDU_DRIVER=sync). ``timeout``: seconds for one cell.

    Raises:
        the errors of ``nbclient.exceptions``.
    """
    import tempfile

    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory() as folder:  # a lesson relies on no file beside it
        client = NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name="python3",
            record_timing=False,
            store_widget_state=False,
            extra_arguments=["--IPKernelApp.log_level=40"],  # a local kernel need not warn about its transport
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute(env={**os.environ, "GANEDU_DRIVER": "sync"})
        finally:
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    cell.outputs = join_streams(cell.outputs)


def join_streams(outputs):
    """Outputs with neighbouring pieces of one stream joined, and each line as it stood after its last return."""
    # nbclient's own coalescing takes time that grows with the square of the text: minutes for half a megabyte
    joined = []
    for output in outputs:
        if output.output_type == "stream" and joined and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    for output in joined:
        if output.output_type == "stream":
            lines = output.text.split("\n")
            output.text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return joined


def lesson(options):
    try:
        import nbformat
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
        from nbconvert import HTMLExporter
    except ImportError as error:
        raise BadArgument(
            f"{error.name} is not installed; `make lesson N=04`, or `pip install -e .[course]`, brings it"
        ) from error
    with one_sentence():
        source = find_lesson(options.number, find_lessons())
    notebook = read_notebook(source)
    options.out.mkdir(parents=True, exist_ok=True)
    print(f"running {source.name} ...", flush=True)
    started, failure = time.perf_counter(), None
    try:
        execute(notebook, options.timeout)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        failure = error
    notebook.metadata["title"] = source.stem
    targets = {".ipynb": nbformat.writes(notebook), ".html": HTMLExporter().from_notebook_node(notebook)[0]}
    for suffix, text in targets.items():
        target = options.out / (source.stem + suffix)
        target.write_text(text, encoding="utf-8")
        print(f"wrote {target}")
    seconds = time.perf_counter() - started
    if failure is not None:
        print(f"{failure}\n{source.name} failed after {seconds:.0f} s", file=sys.stderr)
        return 1
    print(f"{source.name}: every cell ran and every claim held, {seconds:.0f} s")
    return 0


# --- ganedu train ----------------------------------------------------------------------------------------------


def find_model(name):
    """The game that ``ganedu/models/NAME.py`` exports: the one class of that module which is a Game."""
    import importlib
    import inspect
    import pkgutil

    import ganedu.models
    from ganedu.gan import Game

    models = {}
    for found in pkgutil.iter_modules(ganedu.models.__path__):
        module = importlib.import_module(f"ganedu.models.{found.name}")
        games = [
            value
            for value in vars(module).values()
            if inspect.isclass(value) and issubclass(value, Game) and value.__module__ == module.__name__
        ]
        if len(games) == 1:  # a model that plays no game, such as naive Bayes, is not trained in rounds
            models[found.name] = games[0]
    return models[one_of("model", name, sorted(models))]


def find_data(name):
    """The function of ``ganedu.data`` that returns an image set: it takes a ``device``."""
    import inspect

    import ganedu.data

    functions = {
        key: value
        for key, value in vars(ganedu.data).items()
        if inspect.isfunction(value) and key[0] != "_" and "device" in inspect.signature(value).parameters
    }
    return functions[one_of("data", name, sorted(functions))]


def train(options):
    from ganedu.runtime import resolve_device, seed_all

    with one_sentence():
        device = resolve_device(options.device)
        make_game, make_data = find_model(options.model), find_data(options.data)
    out = options.out or Path("runs") / options.model

    from tqdm import tqdm

    from ganedu.training import NonFiniteLoss, Trainer

    with one_sentence():
        data = make_data(device=device)
        if len(getattr(data, "shape", ())) != 3:
            raise ValueError(f"data: got {options.data!r}, which holds no images, wants a set of images")
        seed_all(options.seed)
        trainer = Trainer(
            make_game(), data, batch_size=options.batch_size, lr=options.lr, device=device, seed=options.seed
        )
    out.mkdir(parents=True, exist_ok=True)
    words = f"{type(trainer.game).__name__} on {len(data):,} {options.data}, {device}"
    print(f"{words}: {options.rounds:,} rounds of {options.batch_size} images")
    status = 0
    with tqdm(total=options.rounds, unit="round", dynamic_ncols=True) as bar:

        def show(trainer):
            losses = {name: f"{values[-1]:.3f}" for name, values in trainer.history.items() if name.endswith("_loss")}
            bar.set_postfix(losses, refresh=False)
            bar.update(trainer.round - bar.n)

        trainer.add_hook(show, every=trainer.log_every)
        try:
            trainer.run(options.rounds)
            show(trainer)
        except KeyboardInterrupt:
            status = 130  # what was learned so far is saved all the same
        except NonFiniteLoss as error:
            bar.close()
            print(f"ganedu train: {error}", file=sys.stderr)
            return 1
    if status:
        print(f"stopped at round {trainer.round:,}", file=sys.stderr)
    save_history(trainer.history, out / "history.csv")
    save_grid(trainer.sample(64, trainer.fixed_z), out / "samples.png")
    trainer.save(out / "checkpoint.pt")
    print(f"wrote {out / 'samples.png'}, history.csv and checkpoint.pt")
    return status


def save_history(history, path):
    """Write the trainer's history, a row per entry, with its names as the first line."""
    import csv

    with open(path, "w", newline="", encoding="utf-8") as file:
        rows = csv.writer(file)
        rows.writerow(history)
        rows.writerows(zip(*history.values()))


def save_grid(images, path, columns=8, gap=2):
    """Write (N, C, H, W) images in [-1, 1] as one PNG, ``columns`` a row; C is 1 (grey) or 3 (colour)."""
    import numpy as np
    from PIL import Image

    pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    n, height, width, channels = pixels.shape
    rows = -(-n // columns)
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, channels)
    sheet = np.full(shape, 255, dtype=np.uint8)
    for index, image in enumerate(pixels):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    Image.fromarray(sheet[..., 0] if channels == 1 else sheet).save(path, optimize=True)


# --- the command -----------------------------------------------------------------------------------------------


def make_parser():
    parser = Parser(prog="ganedu", description=DESCRIPTION, formatter_class=Help, usage="ganedu COMMAND ...")
    from ganedu import __version__

    parser.add_argument("--version", action="version", version=f"ganedu {__version__}")
    commands = parser.add_subparsers(
        dest="command", metavar="COMMAND", required=True, prog="ganedu", help=argparse.SUPPRESS
    )

    command = commands.add_parser(
        "lab",
        formatter_class=Help,
        usage="ganedu lab [options of JupyterLab]",
        description="Open JupyterLab on the lessons of this folder, or of the nearest one above it.\n"
        "What follows is handed on to JupyterLab: ganedu lab --no-browser --port 8890",
    )
    command.set_defaults(run=lab)

    command = commands.add_parser(
        "lesson",
        formatter_class=Help,
        description="Run a lesson from top to bottom without a browser, its claims included.\n"
        "The exit code is 1 where a cell fails; the notebook and the page show where.",
        epilog="example: ganedu lesson 04",
    )
    command.add_argument("number", metavar="NN", help="the lesson's number: 04, or 4")
    command.add_argument(
        "--out",
        type=Path,
        metavar="DIR",
        default=Path("build/lessons"),
        help="where the executed notebook and the HTML page go (build/lessons)",
    )
    command.add_argument(
        "--timeout",
        type=checked(whole_number, "timeout", int),
        metavar="S",
        default=1800,
        help="seconds after which a cell is given up (1800)",
    )
    command.set_defaults(run=lesson)

    command = commands.add_parser(
        "train",
        formatter_class=Help,
        description="Train a model. Ctrl-C ends the run and keeps what was learned.\n"
        "Writes samples.png, history.csv and checkpoint.pt, over those of an earlier run.",
        epilog="example: ganedu train vanilla --rounds 1000 --seed 3 --out runs/third-try",
    )
    command.add_argument("model", metavar="MODEL", help="a module of ganedu.models: vanilla, ...")
    command.add_argument("--data", metavar="NAME", default="digits", help="an image set of ganedu.data (digits)")
    command.add_argument(
        "--rounds", type=checked(whole_number, "rounds", int), metavar="N", default=3000, help="rounds to play (3000)"
    )
    command.add_argument(
        "--batch-size",
        type=checked(whole_number, "batch-size", int, at_least=2),  # batch norm has no variance of one image
        metavar="B",
        default=64,
        help="real images, and latents, per update (64)",
    )
    command.add_argument(
        "--lr",
        type=checked(real_number, "lr", float, above=0, at_most=1),
        metavar="LR",
        help="learning rate of every player (the model's own)",
    )
    command.add_argument(
        "--seed",
        type=checked(whole_number, "seed", int, at_least=0),
        metavar="S",
        default=0,
        help="the same seed gives the same weights (0)",
    )
    command.add_argument("--device", metavar="D", help="cpu or cuda (cuda where there is one)")
    command.add_argument("--out", type=Path, metavar="DIR", help="where the results go (runs/MODEL)")
    command.set_defaults(run=train)
    return parser


def main(arguments=None):
    """Run the command line ``arguments`` (a list of words; the process's own unless given). Returns the exit code."""
    parser = make_parser()
    options, rest = parser.parse_known_args(arguments)
    if options.command == "lab":
        options.jupyter = rest
    elif rest:
        parser.error(f"got {' '.join(rest)!r}, which `ganedu {options.command}` does not take")
    try:
        return options.run(options)
    except BadArgument as error:
        print(f"ganedu {options.command}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
