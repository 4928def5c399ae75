"""The training doctor: what is going on in a game, in plain words, with the evidence and what to try.

``diagnose`` reasons over numbers and samples (``verdicts``); ``Doctor`` takes them from a ``Trainer`` (``doctor``). What D says
means something else under each objective (``objective``), and what samples show is measured beside real ones (``samples``).
"""

from ganedu.diagnosis.doctor import Doctor
from ganedu.diagnosis.objective import Reading, read
from ganedu.diagnosis.samples import Exam, Examiner
from ganedu.diagnosis.verdicts import (
    COLLAPSE,
    DROPPING,
    EARLY,
    HEALTHY,
    NAMES,
    NAN,
    OSCILLATION,
    SATURATION,
    STRONG,
    Verdict,
    conclude,
    diagnose,
)

__all__ = [
    "COLLAPSE",
    "DROPPING",
    "EARLY",
    "HEALTHY",
    "NAMES",
    "NAN",
    "OSCILLATION",
    "SATURATION",
    "STRONG",
    "Doctor",
    "Exam",
    "Examiner",
    "Reading",
    "Verdict",
    "conclude",
    "diagnose",
    "read",
]
