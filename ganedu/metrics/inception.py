"""Inception-v3 as FID uses it: the net of 2015 with 1,008 classes (Szegedy et al. 2016, https://arxiv.org/abs/1512.00567).

A FID compares with those of papers only if it comes from these very weights, fed in the same way: images of 0..255, resized
to 299 x 299 as TensorFlow 1 did it, then (x - 128) / 128. The weights are not part of this package. Their file, a port of
TensorFlow's, is ``pt_inception-2015-12-05-6726825d.pth``; PyTorch's own ImageNet weights are another training's, and refused.
"""

import hashlib
import re
from pathlib import Path

import torch
from torch import nn
from torch.nn.functional import avg_pool2d, max_pool2d, relu

from ganedu.metrics.features import Features
from ganedu.runtime import resolve_device

FILES = ("pt_inception-2015-12-05-6726825d.pth", "weights-inception-2015-12-05-6726825d.pth")  # one content, two names
SOURCE = "https://github.com/mseitzer/pytorch-fid/releases"


class Conv(nn.Module):
    """Convolution without bias, batch norm, ReLU."""

    def __init__(self, n_in, n_out, kernel, stride=1, padding=0):
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, kernel, stride, padding, bias=False)
        self.bn = nn.BatchNorm2d(n_out, eps=0.001)

    def forward(self, x):
        return relu(self.bn(self.conv(x)))


def average(x):
    """3 x 3 averages at stride 1. The zeros around the picture do not count, as in the weights' own net."""
    return avg_pool2d(x, 3, 1, 1, count_include_pad=False)


class MixedA(nn.Module):
    """Figure 5 of the paper: 1x1, 5x5, two 3x3 in a row, and a pool, side by side."""

    def __init__(self, n_in, n_pool):
        super().__init__()
        self.branch1x1 = Conv(n_in, 64, 1)
        self.branch5x5_1, self.branch5x5_2 = Conv(n_in, 48, 1), Conv(48, 64, 5, padding=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(n_in, 64, 1), Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Conv(96, 96, 3, padding=1)
        self.branch_pool = Conv(n_in, n_pool, 1)

    def forward(self, x):
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat(
            [self.branch1x1(x), self.branch5x5_2(self.branch5x5_1(x)), double, self.branch_pool(average(x))], 1
        )


class MixedB(nn.Module):
    """35 -> 17 a side: convolutions of stride 2 beside a pool of stride 2."""

    def __init__(self, n_in):
        super().__init__()
        self.branch3x3 = Conv(n_in, 384, 3, stride=2)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(n_in, 64, 1), Conv(64, 96, 3, padding=1)
        self.branch3x3dbl_3 = Conv(96, 96, 3, stride=2)

    def forward(self, x):
        double = self.branch3x3dbl_3(self.branch3x3dbl_2(self.branch3x3dbl_1(x)))
        return torch.cat([self.branch3x3(x), double, max_pool2d(x, 3, 2)], 1)


class MixedC(nn.Module):
    """Figure 6: a 7x7 convolution taken apart into 1x7 and 7x1, once and twice."""

    def __init__(self, n_in, n):
        super().__init__()
        row, column = {"kernel": (1, 7), "padding": (0, 3)}, {"kernel": (7, 1), "padding": (3, 0)}
        self.branch1x1 = Conv(n_in, 192, 1)
        self.branch7x7_1, self.branch7x7_2, self.branch7x7_3 = (
            Conv(n_in, n, 1),
            Conv(n, n, **row),
            Conv(n, 192, **column),
        )
        self.branch7x7dbl_1, self.branch7x7dbl_2 = Conv(n_in, n, 1), Conv(n, n, **column)
        self.branch7x7dbl_3, self.branch7x7dbl_4 = Conv(n, n, **row), Conv(n, n, **column)
        self.branch7x7dbl_5 = Conv(n, 192, **row)
        self.branch_pool = Conv(n_in, 192, 1)

    def forward(self, x):
        single = self.branch7x7_3(self.branch7x7_2(self.branch7x7_1(x)))
        double = self.branch7x7dbl_3(self.branch7x7dbl_2(self.branch7x7dbl_1(x)))
        double = self.branch7x7dbl_5(self.branch7x7dbl_4(double))
        return torch.cat([self.branch1x1(x), single, double, self.branch_pool(average(x))], 1)


class MixedD(nn.Module):
    """17 -> 8 a side."""

    def __init__(self, n_in):
        super().__init__()
        self.branch3x3_1, self.branch3x3_2 = Conv(n_in, 192, 1), Conv(192, 320, 3, stride=2)
        self.branch7x7x3_1, self.branch7x7x3_2 = Conv(n_in, 192, 1), Conv(192, 192, (1, 7), padding=(0, 3))
        self.branch7x7x3_3, self.branch7x7x3_4 = Conv(192, 192, (7, 1), padding=(3, 0)), Conv(192, 192, 3, stride=2)

    def forward(self, x):
        seven = self.branch7x7x3_4(self.branch7x7x3_3(self.branch7x7x3_2(self.branch7x7x3_1(x))))
        return torch.cat([self.branch3x3_2(self.branch3x3_1(x)), seven, max_pool2d(x, 3, 2)], 1)


class MixedE(nn.Module):
    """Figure 7: 3x3 taken apart into 1x3 and 3x1, side by side. ``pool``: the last of these takes the maximum, not the mean."""

    def __init__(self, n_in, pool):
        super().__init__()
        row, column = {"kernel": (1, 3), "padding": (0, 1)}, {"kernel": (3, 1), "padding": (1, 0)}
        self.branch1x1 = Conv(n_in, 320, 1)
        self.branch3x3_1 = Conv(n_in, 384, 1)
        self.branch3x3_2a, self.branch3x3_2b = Conv(384, 384, **row), Conv(384, 384, **column)
        self.branch3x3dbl_1, self.branch3x3dbl_2 = Conv(n_in, 448, 1), Conv(448, 384, 3, padding=1)
        self.branch3x3dbl_3a, self.branch3x3dbl_3b = Conv(384, 384, **row), Conv(384, 384, **column)
        self.branch_pool, self.pool = Conv(n_in, 192, 1), pool

    def forward(self, x):
        single, double = self.branch3x3_1(x), self.branch3x3dbl_2(self.branch3x3dbl_1(x))
        single = [self.branch3x3_2a(single), self.branch3x3_2b(single)]
        double = [self.branch3x3dbl_3a(double), self.branch3x3dbl_3b(double)]
        return torch.cat([self.branch1x1(x), *single, *double, self.branch_pool(self.pool(x))], 1)


def strongest(x):
    """3 x 3 maxima at stride 1."""
    return max_pool2d(x, 3, 1, 1)


class InceptionV3(nn.Module):
    """(N, 3, 299, 299) in [-1, 1] -> (N, 1008) logits; ``features`` gives the (N, 2048) on which FID is computed."""

    def __init__(self):
        super().__init__()
        self.Conv2d_1a_3x3 = Conv(3, 32, 3, stride=2)  # the modules have the names of the weights' file
        self.Conv2d_2a_3x3 = Conv(32, 32, 3)
        self.Conv2d_2b_3x3 = Conv(32, 64, 3, padding=1)
        self.Conv2d_3b_1x1 = Conv(64, 80, 1)
        self.Conv2d_4a_3x3 = Conv(80, 192, 3)
        self.Mixed_5b, self.Mixed_5c, self.Mixed_5d = MixedA(192, 32), MixedA(256, 64), MixedA(288, 64)
        self.Mixed_6a = MixedB(288)
        self.Mixed_6b, self.Mixed_6c = MixedC(768, 128), MixedC(768, 160)
        self.Mixed_6d, self.Mixed_6e = MixedC(768, 160), MixedC(768, 192)
        self.Mixed_7a = MixedD(768)
        self.Mixed_7b, self.Mixed_7c = MixedE(1280, average), MixedE(2048, strongest)
        self.fc = nn.Linear(2048, 1008)

    def features(self, x):
        """(N, 2048): the last block's activations, averaged over the picture."""
        x = self.Conv2d_2b_3x3(self.Conv2d_2a_3x3(self.Conv2d_1a_3x3(x)))  # (N, 64, 147, 147)
        x = self.Conv2d_4a_3x3(self.Conv2d_3b_1x1(max_pool2d(x, 3, 2)))  # (N, 192, 71, 71)
        x = self.Mixed_5d(self.Mixed_5c(self.Mixed_5b(max_pool2d(x, 3, 2))))  # (N, 288, 35, 35)
        x = self.Mixed_6e(self.Mixed_6d(self.Mixed_6c(self.Mixed_6b(self.Mixed_6a(x)))))  # (N, 768, 17, 17)
        x = self.Mixed_7c(self.Mixed_7b(self.Mixed_7a(x)))  # (N, 2048, 8, 8)
        return x.mean((2, 3))

    def forward(self, x):
        return self.fc(self.features(x))


def prepare(images):
    """(N, 1 or 3, H, W) images in [-1, 1] -> (N, 3, 299, 299) as the net takes them.

    Rounded to 0..255, as if they came from files; grey repeated in three channels; resized as TensorFlow 1 did it; scaled
    to (x - 128) / 128.

    Raises:
        TypeError, ValueError: images of another type, shape or range.
    """
    wants = "wants a tensor of shape (N, 1 or 3, H, W), floats in [-1, 1]"
    if not isinstance(images, torch.Tensor) or not images.is_floating_point():
        raise TypeError(f"images: got {getattr(images, 'dtype', type(images).__name__)}, {wants}")
    if images.ndim != 4 or images.shape[1] not in (1, 3) or 0 in images.shape:
        raise ValueError(f"images: got shape {tuple(images.shape)}, {wants}")
    low, high = float(images.min()), float(images.max())
    if not (-1.001 <= low and high <= 1.001):
        raise ValueError(f"images: got values from {low:g} to {high:g}, {wants}")
    levels = ((images.float() + 1) * 127.5).round().clamp(0, 255).expand(-1, 3, -1, -1)
    return (resize(resize(levels, 2), 3) - 128) / 128


def resize(x, dim, size=299):
    """Linear interpolation along ``dim`` to ``size``, output i at the input's i * old / size (TensorFlow 1's corners)."""
    old = x.shape[dim]
    place = torch.arange(size, device=x.device, dtype=torch.float64) * (old / size)
    low = place.floor().long().clamp(max=old - 1)
    high = (low + 1).clamp(max=old - 1)
    way = (place - low).to(x.dtype).view([-1 if d == dim else 1 for d in range(x.ndim)])
    return torch.lerp(x.index_select(dim, low), x.index_select(dim, high), way)


def find_weights(path=None):
    """The file of the weights: ``path``, or else what torch's hub cache holds.

    Raises:
        FileNotFoundError: there is none.
    """
    if path is not None:
        if not Path(path).is_file():
            raise FileNotFoundError(f"weights: got {path}, where there is no file, wants {FILES[0]} from {SOURCE}")
        return Path(path)
    cache = Path(torch.hub.get_dir()) / "checkpoints"
    for name in FILES:
        if (cache / name).is_file():
            return cache / name
    raise FileNotFoundError(
        f"weights: found no Inception-v3 weights in {cache}, wants {FILES[0]} there, or its path as an argument; "
        f"it can be had from {SOURCE}"
    )


def load_inception(weights=None, device="cpu"):
    """Inception-v3 with the weights that FID is defined by, in eval mode, its parameters without gradients.

    Args:
        weights: path of ``pt_inception-2015-12-05-6726825d.pth``; looked for in torch's hub cache unless given.
        device: see ``resolve_device``.

    Raises:
        FileNotFoundError: no weights there; the sentence says where they can be had.
        ValueError: a damaged file, or weights of another net or training.
    """
    device, path = resolve_device(device), find_weights(weights)
    said = re.search(r"-([0-9a-f]{8})\.pth$", path.name)  # the hub's custom: a name ends in the content's hash
    if said and hashlib.sha256(path.read_bytes()).hexdigest()[:8] != said[1]:
        raise ValueError(
            f"weights: got {path}, whose content is not what its name says (cut short?), wants it fetched anew"
        )
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ValueError(
            f"weights: got {path}, which is no file of weights ({_first_line(error)}), wants {FILES[0]}"
        ) from error
    classes = len(state["fc.bias"]) if isinstance(state, dict) and "fc.bias" in state else None
    if classes == 1000:
        raise ValueError(
            f"weights: got {path}, another training of the net with 1,000 classes, wants {FILES[0]} with 1,008"
        )
    with torch.device("meta"):  # no memory, no random number
        net = InceptionV3()
    try:
        state = {name: value for name, value in state.items() if not name.startswith("AuxLogits.")}
        for name, value in net.state_dict().items():  # the port came before batch norm counted
            if name.endswith("num_batches_tracked"):
                state.setdefault(name, torch.zeros_like(value, device="cpu"))
        net.load_state_dict(state, assign=True)
    except (AttributeError, RuntimeError) as error:
        raise ValueError(f"weights: got {path}, weights of another net, wants {FILES[0]}") from error
    return net.to(device).eval().requires_grad_(False)


def inception_features(weights=None, device="cpu"):
    """The ``Features`` that make a Fréchet distance a FID: 2,048 activations of Inception-v3.

    ``fid(real, fake, inception_features())``; give a batch_size that fits, about 50 on a CPU. Arguments and errors as for
    ``load_inception``.
    """
    net = load_inception(weights, device)

    def measure(images):
        return net.features(prepare(images.to(device)))

    return Features(measure, "2,048 features of Inception-v3 (2015)", suffix="")


def _first_line(error):
    return (str(error).strip().splitlines() or [type(error).__name__])[0]
