"""Layers that two papers or more share."""

from collections import OrderedDict

from torch import nn

from ganedu.arguments import whole_number


class Stack(nn.Sequential):
    """Layers one after the other, for nets whose constructor takes something else than layers.

    A part of one, ``D[:-1]``, is a plain ``nn.Sequential`` of the same layers: the way to the features before the verdict.
    (``nn.Sequential`` would call the constructor with the layers.)
    """

    def __getitem__(self, index):
        if isinstance(index, slice):
            return nn.Sequential(OrderedDict(list(self._modules.items())[index]))
        return super().__getitem__(index)


def mlp(sizes, activation=nn.ReLU):
    """A multi-layer perceptron: linear layers of the given ``sizes`` with ``activation()`` between them.

    ``mlp([8, 64, 1])`` maps (N, 8) -> (N, 64) -> (N, 1). The last layer stays linear.

    Raises:
        ValueError: fewer than two sizes, or a size below 1.
    """
    sizes = [whole_number("sizes", size) for size in sizes]
    if len(sizes) < 2:
        raise ValueError(f"sizes: got {sizes}, wants at least an input and an output size")
    layers = []
    for n_in, n_out in zip(sizes[:-1], sizes[1:]):
        layers += [nn.Linear(n_in, n_out), activation()]
    return nn.Sequential(*layers[:-1])
