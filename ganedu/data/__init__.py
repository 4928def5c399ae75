"""Data sets: toy distributions (``toys``) and image sets (``images``).

Importing this costs nothing beyond torch: what reads or fetches a data set is imported when it is first asked for.
"""

from ganedu.data.images import DataUnavailable, ImageData, digits, fashion_mnist
from ganedu.data.toys import gaussian, grid, mixture, ring, swiss_roll, two_moons

__all__ = [
    "DataUnavailable",
    "ImageData",
    "digits",
    "fashion_mnist",
    "gaussian",
    "grid",
    "mixture",
    "ring",
    "swiss_roll",
    "two_moons",
]
