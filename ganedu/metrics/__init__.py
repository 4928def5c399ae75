"""Measures of what a model has learned: mode coverage, distances between features, precision and recall, scores.

What is named as its file, ``fid``, ``kid``, ``prdc`` and ``inception_score``, is imported from there: ``from
ganedu.metrics.fid import fid``. These take any features; those that end in ``_digits`` take the reference classifier's.
"""

from ganedu.metrics.coverage import ModeCoverage, mode_coverage
from ganedu.metrics.features import (
    DIGIT_FEATURES,
    DigitClassifier,
    Features,
    classify,
    classify_features,
    digit_features,
    digit_probabilities,
    digit_shares,
    load_classifier,
)
from ganedu.metrics.fid import (
    FID,
    FIDInfinity,
    Moments,
    fid_digits,
    fid_infinity,
    frechet_distance,
    frechet_features,
    moments,
)
from ganedu.metrics.inception import InceptionV3, inception_features, load_inception
from ganedu.metrics.inception_score import InceptionScore, inception_score_digits
from ganedu.metrics.kid import KID, kid_digits, kid_features, mmd2
from ganedu.metrics.prdc import PRDC, prdc_digits, prdc_features

__all__ = [
    "DIGIT_FEATURES",
    "FID",
    "KID",
    "PRDC",
    "DigitClassifier",
    "FIDInfinity",
    "Features",
    "InceptionScore",
    "InceptionV3",
    "ModeCoverage",
    "Moments",
    "classify",
    "classify_features",
    "digit_features",
    "digit_probabilities",
    "digit_shares",
    "fid_digits",
    "fid_infinity",
    "frechet_distance",
    "frechet_features",
    "inception_features",
    "inception_score_digits",
    "kid_digits",
    "kid_features",
    "load_classifier",
    "load_inception",
    "mmd2",
    "mode_coverage",
    "moments",
    "prdc_digits",
    "prdc_features",
]
