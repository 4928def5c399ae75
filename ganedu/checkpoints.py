"""Checkpoints: a run written to disk such that it goes on, bit for bit, as if it had never stopped.

A checkpoint holds the nets, the averages, the optimisers, every random state (Python's, NumPy's, torch's, the trainer's own
generator, which is also the position in the data), the round and the history. It is written aside, forced to the disk and
renamed, so that a file of that name is whole or not there, whatever happens in between. Reading one runs no code of it.
"""

import copy
import errno
import io
import os
import random
import re
import warnings
from collections import OrderedDict
from pathlib import Path

import numpy as np
import torch

from ganedu.arguments import whole_number
from ganedu.distributed import own_streams

FORMAT = 3  # of what a file holds; format 2, in which a batch was the pair (x, z), is still read


class NotWritten(OSError):
    """A checkpoint could not be written. Says where and why; ``errno`` is the system's."""

    def __str__(self):
        return self.strerror


def atomic_write(path, write):
    """An atomic write: the file is there whole or, as before, not. ``write(file)`` fills it aside, then it is renamed.

    Folders above it are made. On failure the file aside is taken away again.

    Raises:
        OSError: the disk is full, the folder takes no files, ...
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    aside = path.with_name(path.name + ".part")
    try:
        with open(aside, "wb") as file:
            write(file)
            file.flush()
            os.fsync(file.fileno())  # the content is on the disk before the name is
        os.replace(aside, path)
    except BaseException:
        aside.unlink(missing_ok=True)
        raise
    if os.name == "posix":  # elsewhere a folder cannot be opened, and a rename is on the disk when it returns
        folder = os.open(path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    return path


# --- random states ---------------------------------------------------------------------------------------------


def random_state(trainer):
    """Every random state that this process draws from."""
    kind, keys, position, has_gauss, cached = np.random.get_state()
    version, words, gauss = random.getstate()
    return {
        "generator": trainer.generator.get_state(),
        "torch": torch.get_rng_state(),
        "cuda": torch.cuda.get_rng_state(trainer.device) if trainer.device.type == "cuda" else None,
        "python": (version, torch.tensor(words), gauss),
        "numpy": (kind, torch.from_numpy(keys.astype(np.int64)), position, has_gauss, cached),
    }


def set_random_state(trainer, state):
    """Draw from here on what would have been drawn when ``random_state`` gave ``state``."""
    if len(state["generator"]) == len(trainer.generator.get_state()):  # a CPU's and a CUDA device's differ
        trainer.generator.set_state(state["generator"].cpu())
    torch.set_rng_state(state["torch"].cpu())
    if state["cuda"] is not None and trainer.device.type == "cuda":
        torch.cuda.set_rng_state(state["cuda"].cpu(), trainer.device)
    version, words, gauss = state["python"]
    random.setstate((version, tuple(words.tolist()), gauss))
    kind, keys, position, has_gauss, cached = state["numpy"]
    np.random.set_state((kind, keys.cpu().numpy().astype(np.uint32), position, has_gauss, cached))


# --- one checkpoint --------------------------------------------------------------------------------------------


def save(trainer, path):
    """Write a checkpoint of ``trainer``. Returns the path. Of several processes all call this, and rank 0 writes.

    Raises:
        NotWritten: it could not be written; the message names the path and the cause. The trainer is as it was.
    """
    path = Path(path)
    streams = trainer.workers.gather(random_state(trainer))
    if trainer.workers.rank == 0:
        state = {
            "format": FORMAT,
            "model": type(trainer.game).__name__,
            **_of_nets(trainer),
            "streams": streams,  # one of each process
            "data": trainer.data.state_dict() if hasattr(trainer.data, "state_dict") else None,
            "round": trainer.round,
            "seed": trainer.seed,
            "fixed": trainer.fixed,
            "rates": (trainer.rates, trainer.lr_factor),
            "batch_size": trainer.chosen_batch_size,
            "seconds": trainer.seconds,
            "history": trainer.history,
            "n_critic": getattr(trainer.game, "n_critic", None),
        }
        packed = io.BytesIO()
        try:
            state = plain(state)
        except TypeError as error:
            raise NotWritten(
                errno.EINVAL, f"checkpoint: round {trainer.round} not written to {path}: {error}"
            ) from error
        torch.save(state, packed)  # in memory: torch hides what a disk says
        try:
            atomic_write(path, lambda file: file.write(packed.getbuffer()))
        except OSError as error:
            cause = error.strerror or error
            sentence = f"checkpoint: round {trainer.round} could not be written to {path} ({cause})"
            raise NotWritten(error.errno, sentence) from error
    return path


def plain(value, name="state"):
    """``value`` as what can be read again without running code: tensors, numbers, texts, None, lists and dicts of them.

    NumPy's numbers and arrays, which a hook may put into ``history`` or a learning rate may be, become Python's and torch's.

    Raises:
        TypeError: something else is in it; the message names the entry.
    """
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, np.ndarray) and value.dtype.kind in "biuf":
        return torch.from_numpy(value.copy())
    if type(value) in (bool, int, float, complex, str, bytes, type(None)):
        return value
    if isinstance(value, torch.Tensor):
        return value.detach()
    if isinstance(value, dict):
        entries = ((plain(key, f"a key of {name}"), plain(entry, f"{name}[{key!r}]")) for key, entry in value.items())
        if type(value) is not OrderedDict:
            return dict(entries)
        made = OrderedDict(entries)
        if hasattr(value, "_metadata"):  # of a state_dict: which version of each layer wrote it
            made._metadata = value._metadata
        return made
    if type(value) in (list, tuple):
        return type(value)(plain(entry, f"{name}[{i}]") for i, entry in enumerate(value))
    if isinstance(value, bool | int | float | str):  # a subclass of Python's own: the number or text itself
        return next(kind(value) for kind in (bool, int, float, str) if isinstance(value, kind))
    raise TypeError(f"{name}: got {type(value).__name__}, wants numbers, texts, tensors, or lists and dicts of them")


def read(path, wants="wants a checkpoint", map_location="cpu"):
    """What a checkpoint holds, a dict. Nothing in the file is run.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no checkpoint, or is damaged, or has another format.
    """
    try:
        state = torch.load(path, map_location=map_location, weights_only=True)
    except FileNotFoundError:
        raise
    except Exception as error:  # torch raises half a dozen kinds for a file that is not one of its own
        reason = re.sub(r"\x1b\[[0-9;]*m", "", str(error)).strip() or type(error).__name__  # without colours
        reason = reason.splitlines()[0]
        raise ValueError(f"checkpoint: got {path}, which cannot be read ({reason}), {wants}") from error
    if not isinstance(state, dict) or "format" not in state:
        raise ValueError(f"checkpoint: got {path}, which no Trainer wrote, {wants}")
    if state["format"] == 2:
        state = _from_format_2(state)
    if state["format"] != FORMAT:
        raise ValueError(f"checkpoint: got {path} of format {state['format']}, {wants} of format {FORMAT}")
    return state


def _from_format_2(state):
    """A checkpoint from when a batch was the pair (x, z), as one of format 3."""
    state = {**state, "format": 3, "batch_size": None}
    state["fixed"] = {"x": state.pop("fixed_x"), "z": state.pop("fixed_z")}
    rates = {}
    for player, optimizer in state["optimizers"].items():
        for group in optimizer["param_groups"]:
            group["initial_lr"] = float(group["lr"])
        rates[player] = optimizer["param_groups"][0]["initial_lr"]
    return {**state, "rates": (rates, 1.0)}


def load(trainer, path):
    """Give ``trainer`` the state that ``save`` wrote. Of several processes all call this.

    As many processes as wrote it go on bit for bit (on the CPU; on CUDA with deterministic algorithms); another number of
    them goes on from the same weights with fresh random streams.

    Raises:
        FileNotFoundError: there is no such file.
        ValueError: the file is no checkpoint, or one of another model. The trainer is as it was.
    """
    path = Path(path)
    wants = f"wants a checkpoint of this {type(trainer.game).__name__}"
    state = read(path, wants, trainer.device)
    if state["model"] != type(trainer.game).__name__:
        raise ValueError(f"checkpoint: got {path}, a {state['model']}, {wants}")
    shapes = {name: tuple(value.shape) for name, value in trainer.game.state_dict().items()}
    for name in sorted(shapes.keys() | state["game"].keys()):
        found = tuple(state["game"][name].shape) if name in state["game"] else "no such name"
        if shapes.get(name) != found:
            raise ValueError(
                f"checkpoint: got {path} with {name}: {found}, {wants} ({shapes.get(name, 'no such name')})"
            )
    for what, own in (("optimizers", trainer.optimizers), ("emas", trainer.emas)):
        if state[what].keys() != own.keys():
            kind = {"optimizers": "players", "emas": "averaged players"}[what]
            raise ValueError(f"checkpoint: got {path} with {kind} {sorted(state[what])}, {wants} with {sorted(own)}")
    before = copy.deepcopy(_of_nets(trainer))
    try:
        _put_into_nets(trainer, state)
    except (KeyError, ValueError, RuntimeError, TypeError) as error:
        _put_into_nets(trainer, before)
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        raise ValueError(
            f"checkpoint: got {path}, which does not fit ({reason}), {wants}; the trainer is as it was"
        ) from error
    if state["n_critic"] is not None:
        trainer.game.n_critic = state["n_critic"]
    trainer.round, trainer.seconds, trainer.history = state["round"], state["seconds"], state["history"]
    trainer.seed, trainer.fixed = state["seed"], {**trainer.fixed, **state["fixed"]}
    trainer.rates, trainer.lr_factor = state["rates"]
    if state["batch_size"] is not None:
        trainer.set_batch_size(state["batch_size"])
    if state["data"] is not None and hasattr(trainer.data, "load_state_dict"):
        trainer.data.load_state_dict(state["data"])
    if len(state["streams"]) == trainer.workers.size:
        set_random_state(trainer, state["streams"][trainer.workers.rank])
    else:
        own_streams(trainer)


def _of_nets(trainer):
    """Nets, optimisers and averages, as a checkpoint holds them."""
    return {
        "game": trainer.game.state_dict(),
        "optimizers": {player: o.state_dict() for player, o in trainer.optimizers.items()},
        "emas": {player: (e.module.state_dict(), e.updates) for player, e in trainer.emas.items()},
    }


def _put_into_nets(trainer, state):
    trainer.game.load_state_dict(state["game"])
    for player, optimizer in trainer.optimizers.items():
        optimizer.load_state_dict(state["optimizers"][player])
        if trainer.device.type == "cpu":  # from CUDA, where a captured optimiser has its rate on the device
            for group in optimizer.param_groups:
                group["lr"] = float(group["lr"])
                group.update({"capturable": False} if "capturable" in group else {})
    for player, ema in trainer.emas.items():
        weights, ema.updates = state["emas"][player]
        ema.module.load_state_dict(weights)


# --- checkpoints of a run --------------------------------------------------------------------------------------


class Checkpoints:
    """A hook that writes a checkpoint every so many rounds and keeps the last few.

        checkpoints = trainer.add_hook(Checkpoints("runs/mine", every=500))
        checkpoints.resume(trainer)     # goes on where an earlier run stopped, if there was one

    A full disk or a folder that takes no files does not end the training: one sentence says so, once for each cause, the
    next time is tried again, and the checkpoints that are there stay.

    Args:
        folder: where ``checkpoint-00000500.pt`` and its like go; made when the first is written.
        every: rounds between two.
        keep: how many of the newest to keep.
        tell: called with a sentence when one could not be written; a warning is given unless it is given.
    """

    PATTERN = re.compile(r"checkpoint-(\d{8,})\.pt")

    def __init__(self, folder, every=500, keep=3, tell=None):
        self.folder = Path(folder)
        self.every, self.keep = whole_number("every", every), whole_number("keep", keep)
        self.tell = tell or (lambda sentence: warnings.warn(sentence, stacklevel=3))
        self._told = set()

    def __call__(self, trainer):
        if trainer.round % self.every == 0:
            self.save(trainer)

    def path(self, round):
        return self.folder / f"checkpoint-{round:08d}.pt"

    def all(self):
        """The paths of the checkpoints that are there, oldest first."""
        found = [(int(m[1]), p) for p in self.folder.glob("checkpoint-*") if (m := self.PATTERN.fullmatch(p.name))]
        return [path for _, path in sorted(found)]

    def latest(self):
        """The path of the newest checkpoint, or None."""
        return (self.all() or [None])[-1]

    def save(self, trainer):
        """Write one now and delete what is too old. Returns its path, or None where it could not be written."""
        try:
            path = trainer.save(self.path(trainer.round))
            if trainer.workers.rank == 0:
                self._read_back(path)
                for old in [*self.all()[: -self.keep], *self.folder.glob("checkpoint-*.part")]:
                    old.unlink(missing_ok=True)
        except OSError as error:
            if error.errno not in self._told:
                self._told.add(error.errno)
                self.tell(f"{error.strerror or error}; training goes on, and the next checkpoint is tried again")
            return None
        self._told.clear()
        return path

    def _read_back(self, path):
        """Raise NotWritten if ``path`` does not hold what can be read: only then may older ones go."""
        try:
            read(path)
        except ValueError as error:
            raise NotWritten(errno.EIO, f"{error}; the older ones stay") from error

    def resume(self, trainer):
        """Load the newest checkpoint that can be read. Returns its path, or None where there is none.

        Raises:
            ValueError: the newest one is of another model; or none that are there can be read.
        """
        damaged = None
        for path in reversed(self.all()):
            try:
                read(path)
            except ValueError as error:
                damaged = damaged or error
                self.tell(str(error))
                continue
            load(trainer, path)
            return path
        if damaged is not None:
            raise damaged
        return None
