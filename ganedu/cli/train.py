"""``ganedu train dcgan``: a model trained on images, its run's folder, going on with it."""

import os
import sys
from pathlib import Path

from ganedu.cli.arguments import BadArgument, one_sentence
from ganedu.cli.finding import find_data, find_model, make_to_fit
from ganedu.cli.record import Record, open_board

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

    from ganedu.checkpoints import Checkpoints, atomic_write
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
        game = make_to_fit(make_game, data.shape)
        trainer = Trainer(
            game,
            data,
            batch_size=settings["batch_size"],
            lr=settings["lr"],
            device=workers.device,
            seed=settings["seed"],
            speed=Speed.fastest_exact(game, workers.device, compile=options.compile and workers.size == 1),
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
            atomic_write(out / RUN, lambda file: file.write(text.encode()))
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
