"""Straight and spherical interpolation against NumPy, a rotation in the plane, and what holds at the ends."""

import math

import numpy as np
import pytest
import torch

from ganedu.interpolation import arithmetic, lerp, slerp, to_shell

A, B = torch.randn(2, 5, 64, generator=torch.Generator().manual_seed(0)).double()
WAYS = pytest.mark.parametrize("way", [lerp, slerp])


@WAYS
def test_begins_and_ends_at_its_ends(way):
    assert torch.allclose(way(A, B, 0), A) and torch.allclose(way(A, B, 1.0), B)
    assert torch.allclose(way(A, B, 0.3), way(B, A, 0.7))  # the same way, walked back
    assert torch.allclose(way(A, A, 0.4), A)


def test_lerp_is_the_weighted_mean():
    assert np.allclose(lerp(A, B, 0.25), 0.75 * A.numpy() + 0.25 * B.numpy())
    far = torch.randn(2, 100_000, 64, generator=torch.Generator().manual_seed(1))
    assert lerp(*far, 0.5).norm(dim=1).mean() / far[0].norm(dim=1).mean() == pytest.approx(2**-0.5, abs=0.003)


def test_slerp_turns_evenly():
    """From (2, 0) by 100 degrees: after t it has turned by t times as much, at radius 2."""
    turn = math.radians(100)
    a, b = torch.tensor([2.0, 0.0]).double(), 2 * torch.tensor([math.cos(turn), math.sin(turn)]).double()
    t = torch.linspace(0, 1, 11).double()
    want = 2 * np.stack([np.cos(turn * t.numpy()), np.sin(turn * t.numpy())], 1)
    assert np.allclose(slerp(a, b, t), want)


def test_slerp_keeps_the_norm_of_ends_that_share_one():
    a, b = (x / x.norm(dim=1, keepdim=True) * 8 for x in (A, B))
    for t in (0.1, 0.5, 0.77):
        assert torch.allclose(slerp(a, b, t).norm(dim=1), torch.tensor(8.0).double())
    assert (lerp(a, b, 0.5).norm(dim=1) < 7).all()


@WAYS
def test_shapes(way):
    t = torch.linspace(0, 1, 7)
    assert way(A[0], B[0], t).shape == (7, 64)
    assert way(A[:, None], B[:, None], t).shape == (5, 7, 64)
    assert torch.allclose(way(A[:, None], B[:, None], t)[3, 2], way(A[3], B[3], t[2].item()), atol=1e-6)
    assert torch.allclose(way(A, B, torch.linspace(0, 1, 5))[2], way(A[2], B[2], 0.5))  # one t a row
    assert way(A[0].float(), B[0].float(), t).dtype == torch.float32


def test_where_there_is_no_circle_slerp_is_straight():
    zero = torch.zeros(64).double()
    for a, b in ((A[0], 2 * A[0]), (A[0], -A[0]), (zero, B[0]), (zero, zero)):
        for t in (0.0, 0.3, 1.0):
            assert torch.allclose(slerp(a, b, t), lerp(a, b, t))


def test_slerp_passes_a_gradient_even_beside_a_pair_without_a_circle():
    a = torch.stack([A[0], A[1]]).requires_grad_()
    slerp(a, torch.stack([A[0], B[1]]), 0.5).sum().backward()
    assert torch.isfinite(a.grad[1]).all() and a.grad[1].any()


@WAYS
def test_errors_name_the_argument(way):
    with pytest.raises(ValueError, match=r"t: got 1.2, wants a number at least 0 and at most 1"):
        way(A, B, 1.2)
    with pytest.raises(ValueError, match=r"t: got values from 0 to 2, wants numbers in \[0, 1\]"):
        way(A[0], B[0], torch.linspace(0, 2, 3))
    with pytest.raises(ValueError, match=r"b: got shape \(5, 63\), wants the z_dim of a, \(5, 64\)"):
        way(A, B[:, :63], 0.5)
    with pytest.raises(TypeError, match="a: got list, wants a tensor"):
        way([1.0], B, 0.5)


def test_arithmetic_by_hand():
    a, b, c = torch.tensor([[1.0, 0.0], [3.0, 2.0]]), torch.tensor([[0.0, 4.0]]), torch.tensor([[1.0, 1.0], [0.0, 0.0]])
    assert arithmetic([a]).tolist() == [2.0, 1.0]
    assert arithmetic([a, b], [c]).tolist() == [1.5, 4.5]
    assert arithmetic([a, b, b], [c, a]).tolist() == [-0.5, 7.5]


def test_to_shell_keeps_directions():
    z = to_shell(A)
    assert torch.allclose(z.norm(dim=1), torch.full((5,), 8.0).double())
    assert torch.allclose(torch.cosine_similarity(z, A, dim=1), torch.ones(5).double())


def test_draws_lie_near_the_shell():
    """The length of a draw in d dimensions is chi-distributed: mean about √d - 1/(4√d), deviation about 1/√2."""
    lengths = torch.randn(20_000, 64, generator=torch.Generator().manual_seed(2)).norm(dim=1)
    assert lengths.mean().item() == pytest.approx(8 - 1 / 32, abs=0.02)
    assert lengths.std().item() == pytest.approx(2**-0.5, abs=0.02)


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: arithmetic([]), "plus: got no group, wants at least one"),
        (lambda: arithmetic([A], [A[0]]), r"minus: got a group of shape \(64,\), wants \(n, 64\), n at least 1"),
        (lambda: arithmetic([A, A[:0]]), r"plus: got a group of shape \(0, 64\)"),
        (lambda: to_shell(torch.zeros(2, 3)), "z: got a latent of length 0"),
        (lambda: to_shell([1.0]), "z: got list, wants a tensor of floats"),
    ],
)
def test_what_has_no_mean_or_direction_is_named(call, words):
    with pytest.raises((TypeError, ValueError), match=words):
        call()
