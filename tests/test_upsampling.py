"""Up-sampling against examples by hand, PyTorch's convolutions, SciPy's zoom and spectra, and loops of plain Python."""

import numpy as np
import pytest
import scipy.ndimage
import torch
from torch.nn import functional as F

from ganedu.upsampling import (
    bed_of_nails,
    bilinear,
    checkerboard_energy,
    conv_size,
    matrix_of,
    nearest,
    overlap_counts,
    phase_means,
    phase_variance,
    resize_kernel,
    transposed_matrix,
    transposed_size,
    up_k3,
    up_k4,
    up_resize,
)

X = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
SETTINGS = [  # size, kernel, stride, padding, output_padding
    (2, 3, 2, 0, 0),
    (5, 3, 2, 1, 1),
    (5, 4, 2, 1, 0),
    (4, 5, 3, 2, 2),
    (3, 2, 3, 0, 1),  # a kernel below the stride leaves gaps
    (6, 3, 1, 1, 0),
    (1, 4, 1, 0, 0),
]


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


# --- operations on numbers --------------------------------------------------------------------------------------


def test_the_examples_by_hand():
    assert nearest(X).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]
    assert bed_of_nails(X).tolist() == [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]
    assert bilinear(X)[0].tolist() == [1, 1.25, 1.75, 2]
    assert bilinear(X)[:, 0].tolist() == [1, 1.5, 2.5, 3]


@pytest.mark.parametrize("scale", [1, 2, 3])
@pytest.mark.parametrize("shape", [(3, 5), (2, 3, 4, 5)])
def test_against_numpy_and_scipy(shape, scale):
    x = torch.randn(shape)
    np.testing.assert_array_equal(nearest(x, scale), x.numpy().repeat(scale, -1).repeat(scale, -2))
    nail = np.zeros((scale, scale), np.float32)
    nail[0, 0] = 1
    np.testing.assert_array_equal(bed_of_nails(x, scale), np.kron(x.numpy(), nail))
    zoom = [1] * (x.ndim - 2) + [scale, scale]
    want = scipy.ndimage.zoom(x.numpy(), zoom, order=1, mode="nearest", grid_mode=True)
    np.testing.assert_allclose(bilinear(x, scale), want, atol=1e-5)


# --- sizes ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", SETTINGS)
def test_sizes_are_pytorchs(settings):
    size, kernel, stride, padding, output_padding = settings
    made = transposed_size(*settings)
    x, weight = torch.zeros(1, 1, size, size), torch.zeros(1, 1, kernel, kernel)
    out = F.conv_transpose2d(x, weight, stride=stride, padding=padding, output_padding=output_padding)
    assert made == out.shape[-1]
    back = F.conv2d(out, weight, stride=stride, padding=padding)
    assert conv_size(made, kernel, stride, padding) == back.shape[-1] == size  # the way there and back


@pytest.mark.parametrize("settings", SETTINGS)
def test_overlaps_are_what_ones_add_up_to(settings):
    size, kernel, stride, padding, output_padding = settings
    ones = F.conv_transpose1d(
        torch.ones(1, 1, size), torch.ones(1, 1, kernel), None, stride, padding, output_padding
    )  # fmt: skip
    assert overlap_counts(*settings).tolist() == ones.flatten().tolist()


def test_overlap_is_even_where_the_stride_divides_the_kernel():
    for kernel in range(1, 8):
        for stride in range(1, 5):
            inner = overlap_counts(20, kernel, stride)[kernel:-kernel]
            assert (len(set(inner.tolist())) == 1) == (kernel % stride == 0)


@pytest.mark.parametrize(
    ("call", "words"),
    [
        (lambda: transposed_size(0, 3), "size: got 0, wants a whole number of at least 1"),
        (lambda: transposed_size(5, 3, 2, -1), "padding: got -1, wants a whole number of at least 0"),
        (lambda: transposed_size(5, 3, 2, 1, 2), "output_padding: got 2, wants less than the stride, 2"),
        (lambda: transposed_size(1, 3, 2, 2), r"padding: got 2, which cuts off all there is \(side -1\), wants less"),
        (lambda: conv_size(3, 6, 2, 1), "kernel: got 6, wants at most 5, the side of the padded map"),
        (lambda: nearest(torch.ones(3)), r"x: got shape \(3,\), wants \(..., H, W\)"),
        (lambda: bed_of_nails(X, 0), "scale: got 0, wants a whole number of at least 1"),
        (lambda: transposed_matrix(torch.ones(3, 3), 4), r"weight: got \(3, 3\), wants a tensor of shape \(n_in"),
        (lambda: resize_kernel(torch.ones(1, 1, 4, 4)), r"weight: got \(1, 1, 4, 4\), wants .*n_out, n_in, 3, 3"),
        (lambda: phase_variance(torch.ones(4, 5)), "x: got maps of 4 x 5, wants sides that are multiples of 2"),
        (lambda: checkerboard_energy(torch.ones(4, 4), 3), "x: got maps of 4 x 4, wants sides .* multiples of 3"),
        (lambda: phase_means(X, 1), "period: got 1, wants a whole number of at least 2"),
    ],
)
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_bad_types_are_named():
    with pytest.raises(TypeError, match="x: got a list, wants a tensor"):
        nearest([[1, 2]])
    with pytest.raises(TypeError, match="stride: got 2.0, wants a whole number"):
        transposed_size(5, 3, 2.0)


# --- the same as matrices ---------------------------------------------------------------------------------------


def by_loops(x, weight, stride, padding, output_padding):
    """A transposed convolution, stamp by stamp: (C, H, H), (C, D, k, k) -> (D, H', H')."""
    n_in, n_out, kernel, _ = weight.shape
    side = (x.shape[-1] - 1) * stride + kernel + output_padding
    full = np.zeros((n_out, side, side))
    for c in range(n_in):
        for i in range(x.shape[-1]):
            for j in range(x.shape[-1]):
                place = full[:, i * stride : i * stride + kernel, j * stride : j * stride + kernel]
                place += float(x[c, i, j]) * weight[c].double().numpy()
    return full[:, padding : side - padding, padding : side - padding]


@pytest.mark.parametrize("settings", SETTINGS)
def test_transposed_matrix_stamps_and_pytorch_agree(settings):
    size, kernel, stride, padding, output_padding = settings
    x, weight = torch.randn(3, size, size), torch.randn(3, 2, kernel, kernel)
    matrix = transposed_matrix(weight, *settings[:1], *settings[2:])
    made = transposed_size(*settings)
    got = (matrix @ x.flatten()).view(2, made, made)
    np.testing.assert_allclose(got, by_loops(x, weight, stride, padding, output_padding), atol=1e-5)
    want = F.conv_transpose2d(x[None], weight, None, stride, padding, output_padding)[0]
    assert (got - want).abs().max() < 1e-5
    # the transpose of the matrix of the convolution that leads back; that is where the name comes from
    there = matrix_of(lambda y: F.conv2d(y, weight, None, stride, padding), (2, made, made))
    torch.testing.assert_close(matrix.to_dense(), there.T)
    assert matrix.values().numel() <= x.numel() * 2 * kernel**2


@pytest.mark.parametrize("operation", [nearest, bed_of_nails, bilinear])
def test_matrix_of_an_operation(operation):
    x = torch.randn(2, 3, 4)
    matrix = matrix_of(operation, (2, 3, 4))
    assert matrix.shape == (2 * 6 * 8, 2 * 3 * 4)
    torch.testing.assert_close((matrix @ x.flatten()).view(2, 6, 8), operation(x))


@pytest.mark.parametrize("side", [1, 2, 5])
def test_nearest_and_a_convolution_are_one_transposed_convolution(side):
    x, weight = torch.randn(4, 3, side, side).double(), torch.randn(5, 3, 3, 3).double()
    want = F.conv2d(nearest(x), weight, padding=1)
    got = F.conv_transpose2d(x, resize_kernel(weight), stride=2, padding=1)
    torch.testing.assert_close(got, want, rtol=0, atol=1e-12)


@pytest.mark.parametrize("up", [up_k3, up_k4, up_resize])
def test_layers_double_the_side(up):
    layer = up(3, 2)
    assert layer(torch.randn(4, 3, 5, 7)).shape == (4, 2, 10, 14)
    kernel = 4 if up is up_k4 else 3
    assert sum(p.numel() for p in layer.parameters()) == 3 * 2 * kernel**2 + 2


# --- the checkerboard -------------------------------------------------------------------------------------------


def test_both_measures_of_known_pictures():
    even, odd = torch.ones(8, 8), torch.ones(8, 8)
    odd[(torch.arange(8)[:, None] + torch.arange(8)) % 2 == 1] = -1
    stripes = torch.ones(8, 8)
    stripes[:, ::2] = 0  # mean 1/2, power 1/2, phases 0 and 1: variance 1/4
    for measure in (phase_variance, checkerboard_energy):
        assert measure(even).item() == pytest.approx(0)
        assert measure(odd).item() == pytest.approx(1)
        assert measure(stripes).item() == pytest.approx(0.5)
        assert measure(torch.zeros(8, 8)).item() == 0


def test_uneven_overlap_by_hand():
    """k = 3, s = 2, all ones: the phases are written 1, 2, 2 and 4 times; variance 1.1875, power 6.25."""
    counts = overlap_counts(20, 3, 2)[4:-5].double()
    assert phase_variance(torch.outer(counts, counts)).item() == pytest.approx(1.1875 / 6.25)
    counts = overlap_counts(20, 4, 2)[4:-4].double()
    assert phase_variance(torch.outer(counts, counts)).item() < 1e-12


@pytest.mark.parametrize("period", [2, 3, 4])
def test_phases_and_spectrum_are_one_number(period):
    x = torch.randn(3, 2, 12, 24) + torch.rand(12, 24) * 2
    assert phase_variance(x, period).item() == pytest.approx(checkerboard_energy(x, period).item(), rel=1e-9)
    # phases by slices, power by a mean: neither reshapes nor transforms
    y = x.double().numpy()
    phases = np.array([y[..., a::period, b::period].mean((-1, -2)) for a in range(period) for b in range(period)])
    assert phase_variance(x, period).item() == pytest.approx(phases.var(0).mean() / (y**2).mean(), rel=1e-9)
    np.testing.assert_allclose(phase_means(x, period).flatten(-2).movedim(-1, 0), phases, atol=1e-12)


def test_spectrum_by_sums_of_waves():
    """The three points of period 2, from their waves and no Fourier transform."""
    x = torch.randn(6, 8).double()
    i, j = torch.arange(6)[:, None], torch.arange(8)
    waves = [(-1.0) ** (i + 0 * j), (-1.0) ** (j + 0 * i), (-1.0) ** (i + j)]
    at = sum((x * wave).sum().square() for wave in waves)
    assert checkerboard_energy(x).item() == pytest.approx((at / (x.square().sum() * x.numel())).item())


def test_nearest_has_none_and_bed_of_nails_most():
    x = torch.randn(16, 16)
    assert checkerboard_energy(nearest(x)).item() < 1e-12
    one = torch.ones(16, 16)
    assert checkerboard_energy(bed_of_nails(one)).item() == pytest.approx(0.75)  # phases 1, 0, 0, 0
