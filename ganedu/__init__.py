"""ganedu: the helper library of a hands-on course on generative adversarial networks.

Where things happen:

    a round is played                    training.py, Step: the first thing in the file
    a batch is drawn, by names           gan.py, Game.draw; data/images.py, ImageData.batch
    a label enters a loss                gan.py, call: d_loss(self, x, y, z) gets the labels, as it names y
    samples, and what a grid shows       gan.py, Game.generate and preview; looking.py, Trainer.sample; views/samples.py
    a slider or a button acts            views/dashboard.py asks; control.py, Control, obeys between two rounds
    a NaN or a full memory is caught     failures.py
    a run is saved and goes on           checkpoints.py
    rounds become quicker                speed/, behind one argument, Speed
    a model                              models/, a file a paper

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
    "results",
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
