"""Up-sampling: small maps made large, what it costs in sizes, and how much of a checkerboard comes out.

An up-sampling is a linear operation, so it has three equal forms: an operation on numbers, a (sparse) matrix, and, where
it writes with a kernel, a stamp that is pressed once for each input pixel. Sizes and names follow Dumoulin and Visin
2016 (https://arxiv.org/abs/1603.07285), the checkerboard Odena et al. 2016
(https://distill.pub/2016/deconv-checkerboard).

Maps are (..., H, W): any number of leading axes. Kernels, strides and paddings are equal in both directions.
"""

import torch
from torch import nn
from torch.nn import functional as F

from ganedu.arguments import whole_number


def _maps(name, x, at_least=1):
    """``x`` itself, or an error: it must be a tensor of maps whose sides are at least ``at_least``."""
    if not isinstance(x, torch.Tensor):
        raise TypeError(f"{name}: got a {type(x).__name__}, wants a tensor of shape (..., H, W)")
    if x.ndim < 2 or min(x.shape[-2:]) < at_least:
        raise ValueError(f"{name}: got shape {tuple(x.shape)}, wants (..., H, W) with sides of at least {at_least}")
    return x


# --- operations on numbers --------------------------------------------------------------------------------------


def nearest(x, scale=2):
    """(..., H, W) -> (..., scale H, scale W): each pixel becomes a square of its own value."""
    x, scale = _maps("x", x), whole_number("scale", scale)
    return x.repeat_interleave(scale, dim=-2).repeat_interleave(scale, dim=-1)


def bed_of_nails(x, scale=2):
    """(..., H, W) -> (..., scale H, scale W): each pixel in the upper left of a square of zeros."""
    x, scale = _maps("x", x), whole_number("scale", scale)
    out = x.new_zeros(*x.shape[:-2], scale * x.shape[-2], scale * x.shape[-1])
    out[..., ::scale, ::scale] = x
    return out


def bilinear(x, scale=2):
    """(..., H, W) -> (..., scale H, scale W): straight lines between pixel centres, the outermost value continued.

    A pixel is a square with its value at the centre (PyTorch's ``align_corners=False``). ``x``: floating point.
    """
    x, scale = _maps("x", x), whole_number("scale", scale)
    maps = x.reshape(1, -1, *x.shape[-2:])
    out = F.interpolate(maps, scale_factor=scale, mode="bilinear", align_corners=False)
    return out.reshape(*x.shape[:-2], *out.shape[-2:])


# --- sizes ------------------------------------------------------------------------------------------------------


def conv_size(size, kernel, stride=1, padding=0):
    """The side that a convolution leaves: floor((n + 2p - k) / s) + 1.

    Raises:
        ValueError: a number below its least, or a kernel larger than the padded map.
    """
    size, kernel, stride = (whole_number(*pair) for pair in (("size", size), ("kernel", kernel), ("stride", stride)))
    padding = whole_number("padding", padding, at_least=0)
    if kernel > size + 2 * padding:
        raise ValueError(f"kernel: got {kernel}, wants at most {size + 2 * padding}, the side of the padded map")
    return (size + 2 * padding - kernel) // stride + 1


def transposed_size(size, kernel, stride=1, padding=0, output_padding=0):
    """The side that a transposed convolution makes: (n - 1) s - 2p + k + o.

    ``padding`` is cut off on both sides: it is the padding of the convolution that leads back. ``output_padding`` is
    added at the far side only: that convolution makes the same n of ``stride`` different sides, and o says which.

    Raises:
        ValueError: a number below its least, an ``output_padding`` that is not below the stride, or nothing left.
    """
    size, kernel, stride = (whole_number(*pair) for pair in (("size", size), ("kernel", kernel), ("stride", stride)))
    padding = whole_number("padding", padding, at_least=0)
    output_padding = whole_number("output_padding", output_padding, at_least=0)
    if output_padding >= stride:
        raise ValueError(f"output_padding: got {output_padding}, wants less than the stride, {stride}")
    made = (size - 1) * stride - 2 * padding + kernel + output_padding
    if made < 1:
        raise ValueError(f"padding: got {padding}, which cuts off all there is (side {made}), wants less")
    return made


def overlap_counts(size, kernel, stride=1, padding=0, output_padding=0):
    """How many input pixels write to each output pixel of a transposed convolution, along one axis: (size') int64.

    Even away from the borders where the stride divides the kernel. Errors as for ``transposed_size``.
    """
    made = transposed_size(size, kernel, stride, padding, output_padding)
    at = torch.arange(size)[:, None] * stride + torch.arange(kernel) - padding  # where each input's taps fall
    return torch.bincount(at[(at >= 0) & (at < made)], minlength=made)


# --- the same as matrices ---------------------------------------------------------------------------------------


def matrix_of(operation, shape):
    """The matrix of a linear operation on maps of one ``shape``: column i is what it makes of the i-th unit map.

    Args:
        operation: takes (N, *shape), returns (N, *any shape), and is linear: no bias.
        shape: the input's shape without its batch.

    Returns:
        (outputs, inputs), dense: ``(matrix @ x.flatten()).view(...)`` is ``operation(x)``.
    """
    inputs = torch.Size(shape).numel()
    return operation(torch.eye(inputs).view(inputs, *shape)).reshape(inputs, -1).T


def transposed_matrix(weight, size, stride=1, padding=0, output_padding=0):
    """A transposed convolution as a sparse matrix, written entry by entry; no convolution is called.

    Args:
        weight: (n_in, n_out, k, k), the layout of ``nn.ConvTranspose2d``.
        size: side of the input maps.

    Returns:
        sparse (n_out * size'^2, n_in * size^2), to be multiplied with flattened maps (n_in * size^2,).

    Raises:
        ValueError: a weight of another shape; else as for ``transposed_size``.
    """
    if not isinstance(weight, torch.Tensor) or weight.ndim != 4 or weight.shape[2] != weight.shape[3]:
        got = tuple(weight.shape) if isinstance(weight, torch.Tensor) else type(weight).__name__
        raise ValueError(f"weight: got {got}, wants a tensor of shape (n_in, n_out, k, k)")
    n_in, n_out, kernel, _ = weight.shape
    made = transposed_size(size, kernel, stride, padding, output_padding)
    # input (c, i, j) writes weight[c, d, a, b] to output (d, i s + a - p, j s + b - p)
    ranges = (n_in, n_out, size, size, kernel, kernel)
    c, d, i, j, a, b = torch.meshgrid(*(torch.arange(n, device=weight.device) for n in ranges), indexing="ij")
    row, column = i * stride + a - padding, j * stride + b - padding
    inside = (row >= 0) & (row < made) & (column >= 0) & (column < made)
    outputs, inputs = (d * made + row) * made + column, (c * size + i) * size + j
    at = torch.stack([outputs[inside], inputs[inside]])
    shape = (n_out * made**2, n_in * size**2)
    return torch.sparse_coo_tensor(at, weight[c, d, a, b][inside], shape, check_invariants=True).coalesce()


def resize_kernel(weight):
    """The one 4x4 kernel, stride 2, padding 1, that does what nearest up-sampling and then a 3x3 convolution do.

    Each tap of the 3x3 kernel meets every input pixel twice in each direction, since the pixel was doubled: so the 4x4
    kernel is the turned 3x3 one, convolved with a 2x2 square of ones. It is exact at the borders too (zero padding 1).

    Args:
        weight: (n_out, n_in, 3, 3), the layout of ``nn.Conv2d``.

    Returns:
        (n_in, n_out, 4, 4), the layout of ``nn.ConvTranspose2d``.
    """
    if not isinstance(weight, torch.Tensor) or weight.ndim != 4 or weight.shape[2:] != (3, 3):
        got = tuple(weight.shape) if isinstance(weight, torch.Tensor) else type(weight).__name__
        raise ValueError(f"weight: got {got}, wants a tensor of shape (n_out, n_in, 3, 3)")
    n_out, n_in = weight.shape[:2]
    turned = weight.flip(-1, -2).reshape(-1, 1, 3, 3)
    return F.conv2d(turned, weight.new_ones(1, 1, 2, 2), padding=1).view(n_out, n_in, 4, 4).transpose(0, 1).contiguous()


# --- layers that double the side --------------------------------------------------------------------------------


def up_k3(n_in, n_out):
    """(N, n_in, H, W) -> (N, n_out, 2H, 2W): a 3x3 transposed convolution of stride 2. Overlaps unevenly."""
    return nn.ConvTranspose2d(n_in, n_out, 3, stride=2, padding=1, output_padding=1)


def up_k4(n_in, n_out):
    """(N, n_in, H, W) -> (N, n_out, 2H, 2W): a 4x4 transposed convolution of stride 2. Overlaps evenly."""
    return nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1)


def up_resize(n_in, n_out):
    """(N, n_in, H, W) -> (N, n_out, 2H, 2W): nearest up-sampling, then a 3x3 convolution (Odena et al. 2016)."""
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(n_in, n_out, 3, padding=1))


# --- the checkerboard, measured twice ---------------------------------------------------------------------------


def _periodic(x, period):
    x, period = _maps("x", x), whole_number("period", period, at_least=2)
    if x.shape[-2] % period or x.shape[-1] % period:
        raise ValueError(f"x: got maps of {x.shape[-2]} x {x.shape[-1]}, wants sides that are multiples of {period}")
    return x.double(), period


def phase_means(x, period=2):
    """(..., H, W) -> (..., period, period): the mean over all pixels (i, j) with the same (i mod period, j mod period)."""
    x, period = _periodic(x, period)
    h, w = x.shape[-2] // period, x.shape[-1] // period
    return x.reshape(*x.shape[:-2], h, period, w, period).mean((-4, -2))


def phase_variance(x, period=2):
    """The variance of the phases' means as a share of the power: 0 for an even picture, 1 for a pure checkerboard.

    Variance and power (the mean square) are averaged over all maps before they are divided, so that a faint map counts
    little. Equals ``checkerboard_energy``, by Parseval. A tensor of shape (), float64, in [0, 1]; 0 where all is 0.

    Raises:
        ValueError: sides that are no multiple of ``period``.
    """
    means = phase_means(x, period).flatten(-2)
    power = x.double().square().mean()
    return means.var(-1, correction=0).mean() / power if power > 0 else power


def checkerboard_energy(x, period=2):
    """The share of the power at the frequencies of exactly this ``period``, along either axis or both.

    These are the multiples of 1 / period without (0, 0): for period 2 the three points (1/2, 0), (0, 1/2), (1/2, 1/2).
    What repeats every ``period`` pixels has all its power there and in the mean. Value and errors as for
    ``phase_variance``.
    """
    x, period = _periodic(x, period)
    power = torch.fft.fft2(x).abs().square()
    at = power[..., :: x.shape[-2] // period, :: x.shape[-1] // period].clone()  # (..., period, period)
    at[..., 0, 0] = 0
    total = power.sum()
    return at.sum() / total if total > 0 else total
