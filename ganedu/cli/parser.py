"""The command ``ganedu``: open the lessons, run one without a browser, train a model. Heavy imports wait inside."""

import argparse
import sys
from pathlib import Path

from ganedu.arguments import real_number, whole_number
from ganedu.cli.arguments import BadArgument, Help, Parser, checked
from ganedu.cli.doctor import doctor
from ganedu.cli.lab import lab
from ganedu.cli.lesson import lesson
from ganedu.cli.train import train

DESCRIPTION = """\
A hands-on course on generative adversarial networks.

  ganedu lab             open JupyterLab on the lessons
  ganedu lesson 04       run lesson 04 here and now; get its notebook and an HTML page
  ganedu train vanilla   train a model on real digits; get samples, losses and a checkpoint
  ganedu doctor          say what this machine and installation can do

"ganedu COMMAND --help" says what a command takes.
"""


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
