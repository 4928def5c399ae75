"""Which device, which tier, which seed: the three facts that every run depends on."""

import os
import random

import numpy as np
import torch

from ganedu.arguments import one_of, whole_number

TIERS = ("cpu", "gpu")


def resolve_device(device=None):
    """Return a ``torch.device`` that exists on this machine.

    ``None`` takes CUDA where there is one, else the CPU. A name or a ``torch.device`` is checked.

    Raises:
        ValueError: the name is unknown, or this machine has no such device.
    """
    if device is None:
        return resolve_device("cuda" if torch.cuda.is_available() else "cpu")
    available = "cpu, cuda" if torch.cuda.is_available() else "cpu (this machine has no CUDA device)"
    wants = f"wants one of: {available}"
    try:
        resolved = torch.device(device)
    except (RuntimeError, TypeError) as error:
        raise ValueError(f"device: got {device!r}, {wants}") from error
    if resolved.type not in ("cpu", "cuda"):
        raise ValueError(f"device: got {device!r}, {wants}")
    if resolved.type == "cuda" and (resolved.index or 0) >= torch.cuda.device_count():
        raise ValueError(f"device: got {device!r}, {wants}; {torch.cuda.device_count()} CUDA device(s) found")
    if (
        resolved.type == "cuda" and resolved.index is None
    ):  # some functions of torch.cuda take no device without a number
        return torch.device("cuda", torch.cuda.current_device())
    return resolved


def tier(name=None):
    """Return ``"cpu"`` or ``"gpu"``: the size of run that a lesson does.

    ``name`` wins over the environment variable ``GANEDU_TIER``, which wins over the hardware.

    Raises:
        ValueError: the name is neither ``cpu`` nor ``gpu``.
    """
    if name is not None:
        return one_of("tier", name, TIERS)
    if "GANEDU_TIER" in os.environ:
        return one_of("GANEDU_TIER", os.environ["GANEDU_TIER"], TIERS)
    return "gpu" if torch.cuda.is_available() else "cpu"


def seed_all(seed):
    """Seed Python, NumPy and torch (CPU and every CUDA device). ``seed``: a whole number of at least 0."""
    seed = whole_number("seed", seed, at_least=0)
    random.seed(seed)
    np.random.seed(seed % 2**32)
    torch.manual_seed(seed)


def lesson_seed():
    """The seed that a lesson runs with: 0, or the environment variable ``GANEDU_SEED``, a whole number of at least 0.

    ``make claims`` sets the variable to run a lesson with other seeds.
    """
    text = os.environ.get("GANEDU_SEED", "0")
    if not text.isdecimal():
        raise ValueError(f"GANEDU_SEED: got {text!r}, wants a whole number of at least 0")
    return int(text)
