"""Layers that two papers or more share."""

from torch import nn

from ganedu.arguments import whole_number


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
