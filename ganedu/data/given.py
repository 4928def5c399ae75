"""What somebody hands to a Trainer as its data: taken as it is, turned into a data set, or refused with one sentence."""

import inspect

import numpy as np
import torch
from torch.utils.data import DataLoader, Dataset

from ganedu.data.images import ImageData

WANTS = "wants a data set of ganedu.data, such as digits(), or images: ImageData(images), (N, C, H, W) in [-1, 1]"


def as_data(data):
    """``data`` as a Trainer needs it: with ``batch`` or ``sample``, and ``to``.

    A tensor of images, a ``torch.utils.data.Dataset`` of images (or of pairs, an image and a whole-number label) and a list
    of images become an ``ImageData``. An image is a tensor (C, H, W) in [-1, 1], or of uint8, or a PIL image.

    Raises:
        TypeError, ValueError: something else; the message says what to write.
    """
    if inspect.isclass(data):
        raise TypeError(f"data: got the class {data.__name__}, {WANTS}")
    if (hasattr(data, "sample") or callable(getattr(data, "batch", None))) and hasattr(data, "to"):
        return data
    if isinstance(data, torch.Tensor | np.ndarray):
        return _of_images(torch.as_tensor(data))
    if isinstance(data, DataLoader):
        raise TypeError(
            f"data: got a DataLoader, wants its data set: Trainer(game, loader.dataset, batch_size={data.batch_size})"
        )
    if isinstance(data, Dataset | list | tuple) and len(data):
        return _of_items(data)
    raise TypeError(f"data: got {type(data).__name__}, {WANTS}")


def _of_images(images, labels=None):
    if images.ndim != 4:
        raise ValueError(f"data: got a tensor of shape {tuple(images.shape)}, {WANTS}")
    return ImageData(images, labels)


def _of_items(items):
    images, labels = [], []
    for i in range(len(items)):
        item = items[i]
        image, *more = item if isinstance(item, tuple | list) else (item,)
        images.append(_image(image, i))
        if (
            more
            and isinstance(more[0], int | np.integer)
            or (more and isinstance(more[0], torch.Tensor) and more[0].ndim == 0)
        ):
            labels.append(int(more[0]))
        elif more:
            raise TypeError(
                f"data: got a label {more[0]!r} with image {i}, wants whole numbers from 0, one for each class"
            )
        if images[-1].shape != images[0].shape:
            shapes = f"{tuple(images[0].shape)} and, number {i}, {tuple(images[-1].shape)}"
            raise ValueError(f"data: got images of shapes {shapes}, wants one shape for all: resize or crop them first")
    return _of_images(torch.stack(images), torch.tensor(labels) if labels else None)


def _image(image, i):
    if isinstance(image, torch.Tensor):
        return image
    try:
        pixels = np.array(image)
    except (TypeError, ValueError) as error:
        raise TypeError(
            f"data: got {type(image).__name__} as image {i}, wants tensors (C, H, W) or PIL images"
        ) from error
    if pixels.dtype != np.uint8 or pixels.ndim not in (2, 3):
        raise TypeError(
            f"data: got {type(image).__name__} as image {i}, wants tensors (C, H, W) or PIL images, grey or RGB"
        )
    pixels = torch.from_numpy(pixels)
    return pixels[None] if pixels.ndim == 2 else pixels.permute(2, 0, 1)
