"""Data sets: ``toys`` (2-D and 1-D distributions) and ``images`` (handwritten digits, Fashion-MNIST)."""

from ganedu.data.images import ImageData, digits

__all__ = ["ImageData", "digits"]
