"""Publishing a model: its weights as safetensors, and beside them a card, JSON, that says what they are and how they came.

The published generator is the averaged one, whose samples are the better ones. Reading it runs no code of the files.
"""

import hashlib
import importlib
import json
import platform
from pathlib import Path

import safetensors.torch
import torch
from safetensors import SafetensorError

import ganedu
from ganedu.checkpoints import atomic_write

FORMAT = 1


def publish(trainer, path, *, metrics=None, command=None, licence="CC-BY-4.0"):
    """Write ``path`` (.safetensors) and, beside it, its card (.json).

    Args:
        trainer: a trainer that has trained. Its averaged players stand in for the raw ones.
        path: where the weights go.
        metrics: what was measured, a dict of numbers or texts: {"FID-d": 21.3, "n": 2000}.
        command: how to make the same weights again, a line for the shell.
        licence: of the weights, an SPDX identifier.

    Returns:
        the path.

    Raises:
        ValueError: another suffix, or metrics that JSON cannot hold.
        OSError: the files could not be written.
    """
    path = Path(path)
    if path.suffix != ".safetensors":
        raise ValueError(f"path: got {path}, wants a name that ends in .safetensors")
    game = trainer.game
    weights = dict(game.state_dict())
    for player, ema in trainer.emas.items():
        weights |= {f"{player}.{name}": value for name, value in ema.module.state_dict().items()}
    packed = safetensors.torch.save({name: value.detach().cpu().clone() for name, value in weights.items()})
    card = {
        "format": FORMAT,
        "model": {"module": type(game).__module__, "class": type(game).__qualname__},
        "data": {
            "name": getattr(trainer.data, "name", type(trainer.data).__name__),
            "shape": list(getattr(trainer.data, "shape", next(iter(trainer.fixed.values())).shape[1:])),
            "size": len(trainer.data) if hasattr(trainer.data, "__len__") else None,
        },
        "recipe": {
            "batch_size": trainer.batch_size,
            "lr": {player: trainer.lr(player) for player in trainer.optimizers},
            "betas": list(game.betas),
            "n_critic": getattr(game, "n_critic", None),
            "averaged": {player: ema.decay for player, ema in trainer.emas.items()},
            "z_dim": game.z_dim,
        },
        "seed": trainer.seed,
        "steps": trainer.round,
        "seconds": round(trainer.seconds, 1),
        "device": _device_name(trainer.device),
        "versions": {"ganedu": ganedu.__version__, "torch": torch.__version__, "python": platform.python_version()},
        "command": command,
        "metrics": metrics or {},
        "licence": licence,
        "sha256": hashlib.sha256(packed).hexdigest(),
    }
    try:
        text = json.dumps(card, indent=2, ensure_ascii=False, allow_nan=False) + "\n"
    except (TypeError, ValueError) as error:
        raise ValueError(f"metrics: got {metrics!r}, wants a dict of finite numbers and texts") from error
    atomic_write(path, lambda file: file.write(packed))
    atomic_write(path.with_suffix(".json"), lambda file: file.write(text.encode()))
    return path


def load_published(path, game=None):
    """The model that ``publish`` wrote, in eval mode, and its card.

    Args:
        path: of the .safetensors; the card lies beside it.
        game: a game of the same class and sizes, to be filled. Unless given, one is made: the class of ``ganedu.models`` that
            the card names, with its default sizes.

    Returns:
        ``(game, card)``. ``game.generate(game.sample_z(n))`` gives samples.

    Raises:
        FileNotFoundError: a file is not there.
        ValueError: a file is damaged, the two do not belong together, or names or shapes are not those of the game.
    """
    path = Path(path)
    card_path = path.with_suffix(".json")
    try:
        card = json.loads(card_path.read_text(encoding="utf-8"))
        model, digest, format = card["model"], card["sha256"], card["format"]
    except (ValueError, TypeError, KeyError) as error:
        raise ValueError(f"card: got {card_path}, which is no card of a published model, wants one") from error
    if format != FORMAT:
        raise ValueError(f"card: got {card_path} of format {format}, wants format {FORMAT}")
    packed = path.read_bytes()
    if hashlib.sha256(packed).hexdigest() != digest:
        raise ValueError(f"path: got {path}, whose SHA-256 is not the one on its card, wants the published file")
    try:
        weights = safetensors.torch.load(packed)
    except SafetensorError as error:
        raise ValueError(f"path: got {path}, which is no safetensors file ({error}), wants one") from error
    if game is None:
        game = _make_game(model, card_path)
    wants = game.state_dict()
    for name in sorted(wants.keys() | weights.keys()):
        found, wanted = (tuple(w[name].shape) if name in w else "none" for w in (weights, wants))
        if found != wanted:
            raise ValueError(f"path: got {path} with {name} of shape {found}, wants {wanted} for {type(game).__name__}")
    game.load_state_dict(weights)
    return game.eval(), card


def _make_game(model, card_path):
    module, name = model["module"], model["class"]
    if not module.startswith("ganedu.models."):
        raise ValueError(f"game: got none, and {card_path} names {module}.{name}, wants a {name} to fill")
    try:
        return getattr(importlib.import_module(module), name)()
    except (ImportError, AttributeError) as error:
        raise ValueError(f"card: got {card_path}, which names {module}.{name}, wants a model of ganedu") from error


def _device_name(device):
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    return f"cpu ({platform.machine()}, {torch.get_num_threads()} threads)"
