"""Answers to exercise 05 that people give: wrong ones, each a misconception, and right ones written otherwise.

WRONG: name -> (the check that must reject it, {cell: code}, a part of the message it is rejected with).
RIGHT: name -> {cell: code}.
"""

NEAREST = """
def nearest(x, scale=2):
    return x.repeat_interleave(scale, -1).repeat_interleave(scale, -2)
"""
NAILS = """
def bed_of_nails(x, scale=2):
    out = torch.zeros(*x.shape[:-2], scale * x.shape[-2], scale * x.shape[-1])
    out[..., ::scale, ::scale] = x
    return out
"""


def predictions(**changed):
    """The cell of task 2 with some answers changed."""
    answers = dict(doubled=14, nearly=13, output_padding=1, first_layer=7, parameters=32_800, even="bde", verdict="b")
    return {"task2_predictions": f"def predictions():\n    return {answers | changed!r}\n"}


WRONG = {
    # --- task 1 -----------------------------------------------------------------------------------------------
    "tiles the whole picture": (
        "task1_check",
        {"task1_upsample": "def nearest(x, scale=2):\n    return x.repeat(scale, scale)\n" + NAILS},
        "as tiles on a wall",
    ),
    "one axis only": (
        "task1_check",
        {"task1_upsample": "def nearest(x, scale=2):\n    return x.repeat_interleave(scale, -1)\n" + NAILS},
        "Only the rows have grown longer",
    ),
    "the first two axes": (  # right for a single map, wrong for a batch
        "task1_check",
        {
            "task1_upsample": """
def nearest(x, scale=2):
    return x.repeat_interleave(scale, 0).repeat_interleave(scale, 1)
"""
            + NAILS
        },
        "only the last two axes",
    ),
    "nails in the lower right": (
        "task1_check",
        {
            "task1_upsample": NEAREST
            + """
def bed_of_nails(x, scale=2):
    out = torch.zeros(*x.shape[:-2], scale * x.shape[-2], scale * x.shape[-1])
    out[..., scale - 1 :: scale, scale - 1 :: scale] = x
    return out
"""
        },
        "The nails stand in the lower right",
    ),
    "zeros around the picture": (
        "task1_check",
        {"task1_upsample": NEAREST + "def bed_of_nails(x, scale=2):\n    return F.pad(x, (1, 1, 1, 1))\n"},
        "the zeros belong between its pixels",
    ),
    "nearest for nails": (
        "task1_check",
        {"task1_upsample": NEAREST + "def bed_of_nails(x, scale=2):\n    return nearest(x, scale)\n"},
        "this is nearest neighbour",
    ),
    "scale is always 2": (  # only the shape of another scale shows it
        "task1_check",
        {
            "task1_upsample": NEAREST
            + """
def bed_of_nails(x, scale=2):
    out = torch.zeros(*x.shape[:-2], 2 * x.shape[-2], 2 * x.shape[-1])
    out[..., ::2, ::2] = x
    return out
"""
        },
        "bed_of_nails of a batch",
    ),
    # --- task 2 -----------------------------------------------------------------------------------------------
    "padding enlarges": ("task2_check", predictions(doubled=18), "Padding is added in an ordinary convolution"),
    "padding forgotten": ("task2_check", predictions(doubled=16), "You have forgotten the cut"),
    "padding on one side": ("task2_check", predictions(doubled=15), "so 2p in all"),
    "size of the convolution": ("task2_check", predictions(doubled=3), "the transposed one leads the other way"),
    "stride 2 doubles": ("task2_check", predictions(nearly=14), "does not mean twice the side"),
    "output padding on both sides": ("task2_check", predictions(output_padding=0.5), "far side once"),
    "biases of the input": ("task2_check", predictions(parameters=32_832), "belong to the maps that come out"),
    "one kernel a map": ("task2_check", predictions(parameters=544), "a kernel of its own for every map that goes in"),
    "stride 1 left out": ("task2_check", predictions(even="bd"), "Stride 1 divides every kernel"),
    "odd kernels are even": ("task2_check", predictions(even="ace"), "Odd kernels have a middle"),
    "even overlap is enough": ("task2_check", predictions(verdict="a"), "but from other taps"),
    # --- task 3 -----------------------------------------------------------------------------------------------
    "later stamps overwrite": (
        "task3_check",
        {
            "task3_stamp": """
def stamp(x, w, stride=1, padding=0):
    side = (len(x) - 1) * stride + len(w)
    y = torch.zeros(side, side)
    for i in range(len(x)):
        for j in range(len(x)):
            y[i * stride : i * stride + len(w), j * stride : j * stride + len(w)] = x[i, j] * w
    return y[padding : side - padding, padding : side - padding]
"""
        },
        "A later stamp wipes out the earlier one",
    ),
    "kernel turned round": (
        "task3_check",
        {
            "task3_stamp": """
def stamp(x, w, stride=1, padding=0):
    k = len(w)
    spread = torch.zeros(1, 1, (len(x) - 1) * stride + 1, (len(x) - 1) * stride + 1)
    spread[..., ::stride, ::stride] = x
    return F.conv2d(spread, w[None, None], padding=k - 1 - padding)[0, 0]
"""
        },
        "a stamp is pressed as it is",
    ),
    "stride ignored": (
        "task3_check",
        {
            "task3_stamp": """
def stamp(x, w, stride=1, padding=0):
    side = len(x) - 1 + len(w)
    y = torch.zeros(side, side)
    for i in range(len(x)):
        for j in range(len(x)):
            y[i : i + len(w), j : j + len(w)] += x[i, j] * w
    return y[padding : side - padding, padding : side - padding]
"""
        },
        "the next one stands stride places further on",
    ),
    "an ordinary convolution": (
        "task3_check",
        {
            "task3_stamp": """
def stamp(x, w, stride=1, padding=0):
    return F.conv2d(x[None, None], w[None, None], stride=stride, padding=1)[0, 0]
"""
        },
        "it shrinks",
    ),
    "padding adds zeros": (
        "task3_check",
        {
            "task3_stamp": """
def stamp(x, w, stride=1, padding=0):
    y = F.conv_transpose2d(x[None, None], w[None, None], stride=stride)[0, 0]
    return F.pad(y, (padding,) * 4)
"""
        },
        "in a transposed convolution it is cut off",
    ),
    "cut at one side": (
        "task3_check",
        {
            "task3_stamp": """
def stamp(x, w, stride=1, padding=0):
    y = F.conv_transpose2d(x[None, None], w[None, None], stride=stride)[0, 0]
    return y[padding:, padding:]
"""
        },
        "padding counts for each side",
    ),
    "a slice up to minus 0": (
        "task3_check",
        {
            "task3_stamp": """
def stamp(x, w, stride=1, padding=0):
    y = F.conv_transpose2d(x[None, None], w[None, None], stride=stride)[0, 0]
    return y[padding:-padding, padding:-padding]
"""
        },
        "a slice up to -0 is empty",
    ),
    # --- task 4 -----------------------------------------------------------------------------------------------
    "padding alone mended": (
        "task4_check",
        {
            "task4_repaired_up": """
def repaired_up(n_in, n_out):
    return nn.Sequential(nn.Conv2d(n_in, n_out, 3, padding=1), nn.Upsample(scale_factor=2))
"""
        },
        "still squares of 2 x 2 equal pixels",
    ),
    "order alone mended": (
        "task4_check",
        {
            "task4_repaired_up": """
def repaired_up(n_in, n_out):
    return nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(n_in, n_out, 3))
"""
        },
        "costs a row or column at each side",
    ),
    "left as it was": (
        "task4_check",
        {"task4_repaired_up": "repaired_up = broken_up"},
        "loses its border before it is doubled",
    ),
    "3x3 transposed, one short": (
        "task4_check",
        {
            "task4_repaired_up": """
def repaired_up(n_in, n_out):
    return nn.ConvTranspose2d(n_in, n_out, 3, stride=2, padding=1)
"""
        },
        "falls one short",
    ),
    "3x3 transposed": (
        "task4_check",
        {
            "task4_repaired_up": """
def repaired_up(n_in, n_out):
    return nn.ConvTranspose2d(n_in, n_out, 3, stride=2, padding=1, output_padding=1)
"""
        },
        "the stride does not divide the kernel",
    ),
    "4x4 transposed": (
        "task4_check",
        {
            "task4_repaired_up": """
def repaired_up(n_in, n_out):
    return nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1)
"""
        },
        "each phase has weights of its own",
    ),
    "sub-pixel convolution": (
        "task4_check",
        {
            "task4_repaired_up": """
def repaired_up(n_in, n_out):
    return nn.Sequential(nn.Conv2d(n_in, 4 * n_out, 3, padding=1), nn.PixelShuffle(2))
"""
        },
        "treats even and odd pixels in different ways",
    ),
    "no weights": (
        "task4_check",
        {
            "task4_repaired_up": """
class Resize(nn.Module):
    def __init__(self, n_out):
        super().__init__()
        self.n_out = n_out

    def forward(self, x):
        large = F.interpolate(x, scale_factor=2, mode="bilinear")
        return large.mean(1, keepdim=True).expand(-1, self.n_out, -1, -1)


def repaired_up(n_in, n_out):
    return Resize(n_out)
"""
        },
        "Resizing alone is no layer of a generator",
    ),
    # --- task 5 -----------------------------------------------------------------------------------------------
    "variance within the phases": (
        "task5_check",
        {
            "task5_phase_variance": """
def phase_variance(x):
    within = [x[..., a::2, b::2].var((-1, -2), correction=0) for a in (0, 1) for b in (0, 1)]
    return torch.stack(within).mean() / x.square().mean()
"""
        },
        "the spread within the phases",
    ),
    "divides by the variance": (
        "task5_check",
        {
            "task5_phase_variance": """
def phase_variance(x):
    means = torch.stack([x[..., a::2, b::2].mean((-1, -2)) for a in (0, 1) for b in (0, 1)])
    return means.var(0, correction=0).mean() / x.var(correction=0)
"""
        },
        "You divide by the variance of the picture",
    ),
    "sample variance": (
        "task5_check",
        {
            "task5_phase_variance": """
def phase_variance(x):
    means = torch.stack([x[..., a::2, b::2].mean((-1, -2)) for a in (0, 1) for b in (0, 1)])
    return means.var(0).mean() / x.square().mean()
"""
        },
        "This variance divides by 3",
    ),
    "averages the pictures first": (
        "task5_check",
        {
            "task5_phase_variance": """
def phase_variance(x):
    power, x = x.square().mean(), x.mean((0, 1))
    means = torch.stack([x[a::2, b::2].mean() for a in (0, 1) for b in (0, 1)])
    return means.var(correction=0) / power
"""
        },
        "opposite checkerboards wipe each other out",
    ),
    "columns alone": (
        "task5_check",
        {
            "task5_phase_variance": """
def phase_variance(x):
    means = torch.stack([(x[..., 0::2, 0::2] + x[..., 1::2, 1::2]).mean((-1, -2)) / 2,
                         (x[..., 0::2, 1::2] + x[..., 1::2, 0::2]).mean((-1, -2)) / 2])
    return means.var(0, correction=0).mean() / x.square().mean()
"""
        },
        "Two phases are not enough",
    ),
    "mean of ratios": (  # only a hidden test sees this one
        "task5_check",
        {
            "task5_phase_variance": """
def phase_variance(x):
    means = torch.stack([x[..., a::2, b::2].mean((-1, -2)) for a in (0, 1) for b in (0, 1)])
    return (means.var(0, correction=0) / x.square().mean((-1, -2))).mean()
"""
        },
        "You average the ratios",
    ),
}

RIGHT = {
    "Kronecker products": {
        "task1_upsample": """
def nearest(x, scale=2):
    return torch.kron(x, torch.ones([1] * (x.ndim - 2) + [scale, scale]))


def bed_of_nails(x, scale=2):
    nail = torch.zeros(scale, scale)
    nail[0, 0] = 1
    return torch.kron(x, nail.view([1] * (x.ndim - 2) + [scale, scale]))
""",
        "task3_stamp": """
def stamp(x, w, stride=1, padding=0):
    \"\"\"Bed of nails, then a convolution with the kernel turned round.\"\"\"
    k, n = len(w), len(x)
    nails = torch.zeros(1, 1, (n - 1) * stride + 1, (n - 1) * stride + 1)
    nails[..., ::stride, ::stride] = x
    full = F.conv2d(nails, w.flip(0, 1)[None, None], padding=k - 1)[0, 0]
    return full[padding : len(full) - padding, padding : len(full) - padding]
""",
        "task5_phase_variance": """
def phase_variance(x):
    power = torch.fft.fft2(x.double()).abs().square()
    h, w = x.shape[-2] // 2, x.shape[-1] // 2
    return ((power[..., h, 0] + power[..., 0, w] + power[..., h, w]).sum() / power.sum()).item()
""",
    },
    "broadcasting": {
        "task1_upsample": """
def nearest(x, scale=2):
    *lead, h, w = x.shape
    return x[..., :, None, :, None].expand(*lead, h, scale, w, scale).reshape(*lead, h * scale, w * scale)


def bed_of_nails(x, scale=2):
    \"\"\"Nearest neighbour, and all but the corner of each square set to 0.\"\"\"
    out = nearest(x, scale).clone()
    rows = torch.arange(out.shape[-2]) % scale == 0
    columns = torch.arange(out.shape[-1]) % scale == 0
    return out * (rows[:, None] & columns)
""",
        "task4_repaired_up": """
class Up(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 5, padding="same")

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=2, mode="bilinear"))


def repaired_up(n_in, n_out):
    return Up(n_in, n_out)
""",
        "task5_phase_variance": """
def phase_variance(x):
    n, c, h, w = x.shape
    means = x.reshape(n, c, h // 2, 2, w // 2, 2).mean(dim=(2, 4)).flatten(2)
    variance = (means**2).mean(-1) - means.mean(-1) ** 2
    return float(variance.mean() / (x**2).mean())
""",
    },
    "PyTorch's own, and other spellings": {
        **predictions(even=["B", "d", "e"], verdict=" B ", parameters=32_800.0),
        "task3_stamp": """
def stamp(x, w, stride=1, padding=0):
    return F.conv_transpose2d(x[None, None], w[None, None], stride=stride, padding=padding)[0, 0]
""",
        "task4_repaired_up": """
def repaired_up(n_in, n_out):
    return nn.Sequential(
        nn.UpsamplingNearest2d(scale_factor=2), nn.ReflectionPad2d(1), nn.Conv2d(n_in, n_out, 3, bias=False)
    )
""",
    },
    "tied transposed convolution": {
        "task4_repaired_up": """
class Tied(nn.Module):
    \"\"\"The 4x4 transposed convolution whose weights are made from 3x3.\"\"\"

    def __init__(self, n_in, n_out):
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3)

    def forward(self, x):
        w = self.conv.weight.flip(-1, -2)
        w = F.pad(w, (1, 1, 1, 1))
        w = w[..., 1:, 1:] + w[..., :-1, 1:] + w[..., 1:, :-1] + w[..., :-1, :-1]
        return F.conv_transpose2d(x, w.transpose(0, 1), self.conv.bias, stride=2, padding=1)


repaired_up = Tied
""",
    },
}
