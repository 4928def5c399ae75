"""ganedu: the helper library of a hands-on course on generative adversarial networks.

Submodules load when they are first used: ``import ganedu; ganedu.losses`` costs nothing until the second line.
"""

import importlib

__version__ = "0.1.0"

_SUBMODULES = (
    "arguments",
    "blocks",
    "checkpoints",
    "checks",
    "control",
    "data",
    "diagnosis",
    "diffaugment",
    "distributed",
    "divergences",
    "failures",
    "gan",
    "hooks",
    "interpolation",
    "looking",
    "losses",
    "metrics",
    "models",
    "publishing",
    "regularizers",
    "runtime",
    "speed",
    "training",
    "upsampling",
    "views",
)


def __getattr__(name):
    if name in _SUBMODULES:
        return importlib.import_module(f"{__name__}.{name}")
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__():
    return sorted([*globals(), *_SUBMODULES])
