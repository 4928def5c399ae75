"""Penalties and rules for weights, against closed forms, finite differences and NumPy's singular values."""

import copy
import math

import numpy as np
import pytest
import torch
from torch import nn

from ganedu.regularizers import clip_weights, gradient_penalty, r1, r2, spectral_norm

SHAPES = [(5,), (1, 3, 4), (3, 2, 2), (1,)]


def smooth_net(shape):
    torch.manual_seed(0)
    return nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), 8), nn.Tanh(), nn.Linear(8, 1)).double()


def slope_norms(D, points):
    """‖∇D‖ at each point, by central differences, one point and one coordinate at a time."""
    norms = []
    for point in points:
        slopes = []
        for i in range(point.numel()):
            step = torch.zeros(point.numel(), dtype=point.dtype)
            step[i] = 1e-5
            step = step.view_as(point)
            with torch.no_grad():
                slopes.append((D((point + step)[None]) - D((point - step)[None])).item() / 2e-5)
        norms.append(math.sqrt(sum(s * s for s in slopes)))
    return norms


# --- r1, r2 and the gradient penalty ------------------------------------------------------------------------------


@pytest.mark.parametrize("n", [1, 4])
@pytest.mark.parametrize("shape", SHAPES)
def test_penalties_equal_one_sample_at_a_time(shape, n):
    """Grey images, colours, vectors, single numbers; one sample and several."""
    D, (x, x_fake) = smooth_net(shape), torch.randn(2, n, *shape, dtype=torch.float64)
    for penalty, points in ((r1, x), (r2, x_fake)):
        by_hand = sum(norm**2 for norm in slope_norms(D, points)) / n
        assert penalty(D, points).item() == pytest.approx(by_hand, rel=1e-6)
    torch.manual_seed(1)
    value = gradient_penalty(D, x, x_fake).item()
    torch.manual_seed(1)
    epsilon = torch.rand(n, *[1] * len(shape), dtype=torch.float64)
    norms = slope_norms(D, epsilon * x + (1 - epsilon) * x_fake)
    assert value == pytest.approx(sum((norm - 1) ** 2 for norm in norms) / n, rel=1e-5)


def test_r1_of_a_bowl():
    """D(x) = ‖x‖²/2 slopes by x: R1 is E‖x‖², a sum over dimensions and a mean over samples."""
    x = torch.tensor([[[[3.0, 4.0]]], [[[0.0, 1.0]]]])
    assert r1(lambda x: x.square().flatten(1).sum(1) / 2, x).item() == pytest.approx((25 + 1) / 2)


def test_r1_reaches_the_weights_and_nothing_else():
    """For D(x) = w·x + b, R1 = ‖w‖²: its gradient is 2w, and none arrives at b or at x."""
    D, x = nn.Linear(3, 1), torch.randn(5, 3, requires_grad=True)
    r1(D, x).backward()
    torch.testing.assert_close(D.weight.grad, 2 * D.weight.detach())
    assert x.grad is None and (D.bias.grad is None or not D.bias.grad.any())


def test_r2_cuts_the_generator_off():
    G, D = nn.Linear(2, 3), smooth_net((3,)).float()
    r2(D, G(torch.randn(4, 2))).backward()
    assert all(p.grad is None for p in G.parameters()) and D[1].weight.grad.abs().sum() > 0


def test_a_batch_is_left_as_it_was():
    x = torch.randn(4, 5)
    r1(smooth_net((5,)).float(), x)
    assert not x.requires_grad and x.grad is None


# --- clipping -----------------------------------------------------------------------------------------------------


def test_clipping_puts_every_weight_into_its_bounds_in_place():
    net = nn.Sequential(nn.Linear(20, 30), nn.BatchNorm1d(30), nn.Linear(30, 1))
    before, places = copy.deepcopy(net), [p.data_ptr() for p in net.parameters()]
    clip_weights(net, 0.1)
    for p, old in zip(net.parameters(), before.parameters()):
        np.testing.assert_array_equal(p.detach().numpy(), np.clip(old.detach().numpy(), -0.1, 0.1))
        assert p.requires_grad and p.is_leaf
    assert places == [p.data_ptr() for p in net.parameters()]  # an optimiser steps the same tensors
    assert torch.equal(net[1].running_var, before[1].running_var)  # a statistic, not a weight


@pytest.mark.parametrize("bound", [0, -0.01, math.nan, math.inf])
def test_bad_bound(bound):
    with pytest.raises(ValueError, match="^bound: got"):
        clip_weights(nn.Linear(2, 1), bound)


# --- spectral norm ------------------------------------------------------------------------------------------------


def as_matrix(weight):
    return weight.detach().flatten(1).numpy()


def test_spectral_norm_divides_by_the_largest_singular_value():
    torch.manual_seed(0)
    net = nn.Sequential(
        nn.Conv2d(2, 6, 3, padding=1), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(6 * 16, 10), nn.Linear(10, 1)
    )
    raw = [as_matrix(net[i].weight) for i in (0, 3, 4)]
    assert spectral_norm(net) is net
    for _ in range(50):  # power iteration goes one step with each forward pass
        net(torch.randn(2, 2, 4, 4))
    net.eval()
    for i, weight in zip((0, 3, 4), raw):
        top = np.linalg.svd(weight, compute_uv=False)[0]
        np.testing.assert_allclose(as_matrix(net[i].weight), weight / top, rtol=0.01, atol=1e-6)
        np.testing.assert_array_equal(as_matrix(net[i].parametrizations.weight.original), weight)  # is what is trained


def test_spectral_norm_holds_the_slope_below_one():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Linear(8, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    for layer in (net[0], net[2], net[4]):
        layer.weight.data *= 20
    x, y = torch.randn(2, 500, 8)

    def steepest():
        with torch.no_grad():
            return ((net(x) - net(y)).abs().squeeze(1) / (x - y).norm(dim=1)).max()

    assert steepest() > 5
    spectral_norm(net, n_power_iterations=20)
    assert steepest() < 1.01
    norms = slope_norms(net.eval().double(), x[:5].double())
    assert 0.01 < max(norms) < 1.01


def test_spectral_norm_twice_is_once_and_gradients_arrive():
    net = spectral_norm(spectral_norm(nn.Sequential(nn.Linear(4, 3), nn.Tanh(), nn.Linear(3, 1))))
    assert all(len(net[i].parametrizations.weight) == 1 for i in (0, 2))
    net(torch.randn(5, 4)).sum().backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in net.parameters())
    again = copy.deepcopy(net)
    again.load_state_dict(net.state_dict())
    x = torch.randn(5, 4)
    assert torch.equal(again.eval()(x), net.eval()(x))


def test_spectral_norm_wants_something_to_normalise():
    with pytest.raises(ValueError, match="^module: got a Tanh without any linear or convolutional layer"):
        spectral_norm(nn.Tanh())
    with pytest.raises(ValueError, match="^n_power_iterations: got 0"):
        spectral_norm(nn.Linear(2, 2), n_power_iterations=0)
