"""Measures of what a model has learned: mode coverage, the reference digit classifier, Fréchet distance."""

from ganedu.metrics.coverage import ModeCoverage, mode_coverage
from ganedu.metrics.features import DigitClassifier, classify, digit_features, digit_shares, load_classifier
from ganedu.metrics.fid import FID, fid_digits, frechet_distance, frechet_features

__all__ = [
    "FID",
    "DigitClassifier",
    "ModeCoverage",
    "classify",
    "digit_features",
    "digit_shares",
    "fid_digits",
    "frechet_distance",
    "frechet_features",
    "load_classifier",
    "mode_coverage",
]
