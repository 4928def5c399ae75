"""The same Step, faster: wrappers around it, none of which changes what is learned.

On CUDA a whole round becomes one launch (``graphs``); on a CPU the quicker way to compute is measured (``tuning``), and for
long runs the losses are compiled (``compiled``).
"""

from ganedu.speed.compiled import Compiled
from ganedu.speed.graphs import CapturedStep, fast
from ganedu.speed.tuning import lower, quickest_layout, quickest_precision, quickest_threads, threads

__all__ = [
    "CapturedStep",
    "Compiled",
    "fast",
    "lower",
    "quickest_layout",
    "quickest_precision",
    "quickest_threads",
    "threads",
]
