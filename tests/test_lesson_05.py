"""Lesson 05's own functions are the library's twins; its generator has the size that it says, and D takes what G makes."""

from pathlib import Path

import pytest
import torch
from lesson_definitions import load_definitions
from torch import nn

from ganedu import upsampling as twin
from ganedu.models.vanilla import VanillaGAN

LESSON = Path(__file__).resolve().parent.parent / "lessons" / "05_upsampling.py"


@pytest.fixture(scope="module")
def lesson():
    return load_definitions(LESSON)


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


@pytest.mark.parametrize("name", ["nearest", "bed_of_nails"])
def test_operations_are_the_twins(lesson, name):
    x = torch.randn(2, 3, 4, 5)
    for scale in (2, 3):
        assert torch.equal(lesson[name](x, scale), getattr(twin, name)(x, scale))
    matrix = lesson["matrix_of"](lesson[name], (2, 3, 4))
    assert torch.equal(matrix, twin.matrix_of(getattr(twin, name), (2, 3, 4)))


@pytest.mark.parametrize("settings", [(5, 3, 2, 1, 1), (5, 4, 2, 1, 0), (4, 5, 3, 2, 2), (3, 2, 3, 0, 1)])
def test_sizes_and_matrices_are_the_twins(lesson, settings):
    assert lesson["transposed_size"](*settings) == twin.transposed_size(*settings)
    weight = torch.randn(2, 3, settings[1], settings[1])
    own, library = (
        space["transposed_matrix"](weight, settings[0], *settings[2:]) for space in (lesson, vars(twin))
    )  # fmt: skip
    assert own.is_sparse and torch.equal(own.to_dense(), library.to_dense())


@pytest.mark.parametrize("name", ["phase_variance", "checkerboard_energy"])
def test_measures_are_the_twins(lesson, name):
    x = torch.randn(3, 2, 12, 8) + 0.5
    for period in (2, 4):
        assert torch.equal(lesson[name](x, period), getattr(twin, name)(x, period))


def test_the_one_kernel_is_the_twins(lesson):
    weight = torch.randn(3, 2, 3, 3)
    assert torch.equal(lesson["resize_kernel"](weight), twin.resize_kernel(weight))


@pytest.mark.parametrize("name", ["up_k3", "up_k4", "up_resize"])
def test_layers_are_the_twins(lesson, name):
    layers = []
    for space in (lesson, vars(twin)):
        torch.manual_seed(1)
        layers.append(space[name](3, 2))
    x = torch.randn(4, 3, 5, 5)
    assert torch.equal(layers[0](x), layers[1](x))
    assert [p.shape for p in layers[0].parameters()] == [p.shape for p in layers[1].parameters()]


def test_the_generator_has_the_parameters_counted_by_hand(lesson):
    G = lesson["make_G"](lesson["up_k3"])
    assert [sum(p.numel() for p in layer.parameters()) for layer in G] == [323_200, 0, 0, 1_153, 0]
    assert 100 * 3200 + 3200 + 128 * 9 + 1 == 324_353 == sum(p.numel() for p in G.parameters())


@pytest.mark.parametrize("name", ["up_k3", "up_k4", "up_resize"])
def test_d_takes_what_g_makes(lesson, name):
    game = VanillaGAN(lesson["make_G"](lesson[name]), lesson["make_D"](), z_dim=100)
    game.check({"x": torch.zeros(4, 1, 10, 10)})
    x_fake = game.generate(torch.randn(4, 100))
    assert x_fake.shape == (4, 1, 10, 10) and x_fake.abs().max() <= 1
    assert game.D(x_fake).shape == (4, 1)


def test_the_started_layer_is_the_resize_convolution(lesson):
    """Part 6's ablation starts from the same function: kernel and bias copied."""
    resize, freed = lesson["up_resize"](5, 2), lesson["up_k4"](5, 2)
    with torch.no_grad():
        freed.weight.copy_(lesson["resize_kernel"](resize[1].weight))
        freed.bias.copy_(resize[1].bias)
    assert isinstance(freed, nn.ConvTranspose2d)
    x = torch.randn(3, 5, 6, 6)
    torch.testing.assert_close(freed(x), resize(x), rtol=1e-5, atol=1e-5)


def test_stretch_reaches_black_and_white(lesson):
    x = lesson["stretch"](torch.randn(3, 1, 4, 4))
    assert x.amin((1, 2, 3)).tolist() == [-1] * 3 and x.amax((1, 2, 3)).tolist() == pytest.approx([1] * 3)
