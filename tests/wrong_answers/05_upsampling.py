"""Answers to exercise 05 that people give: wrong ones, each a misconception, and right ones written otherwise.

WRONG: name -> (the check that must reject it, {cell: code}, a part of the message it is rejected with).
RIGHT: name -> {cell: code}.
"""

NEAREST = """
def nearest(x, rows=2, columns=3):
    return x.repeat_interleave(columns, -1).repeat_interleave(rows, -2)
"""
NAILS = """
def bed_of_nails(x, rows=2, columns=3):
    out = torch.zeros(*x.shape[:-2], rows * x.shape[-2], columns * x.shape[-1])
    out[..., rows - 1 :: rows, columns - 1 :: columns] = x
    return out
"""
PRESSED = """
def pressed(x, w, stride):
    (high, wide), k = x.shape, len(w)
    y = torch.zeros((high - 1) * stride + k, (wide - 1) * stride + k)
    for i in range(high):
        for j in range(wide):
            y[i * stride : i * stride + k, j * stride : j * stride + k] += x[i, j] * w
    return y
"""


def predictions(**changed):
    """The cell of task 2 with some answers changed."""
    answers = dict(doubled=14, nearly=13, output_padding=1, first_layer=7, parameters=32_800, even="bde", verdict="b")
    return {"task2_predictions": f"def predictions():\n    return {answers | changed!r}\n"}


def upsample(nearest=NEAREST, nails=NAILS):
    """The cell of task 1."""
    return {"task1_upsample": nearest + nails}


def stamp(*lines):
    """The cell of task 3: the body of ``stamp``, which may call ``pressed``, the stamps without a cut."""
    return {"task3_stamp": PRESSED + "\n\ndef stamp(x, w, stride=1, padding=0):\n    " + "\n    ".join(lines) + "\n"}


def repaired(layer):
    """The cell of task 4: one expression."""
    return {"task4_repaired_up": f"def repaired_up(n_in, n_out):\n    return {layer}\n"}


def shares(*lines):
    """The cell of task 5: the body of ``shares`` after the three numbers of each map, (3, N, C)."""
    means = "    a, b, c, d = (x[..., i::2, j::2].mean((-1, -2)) for i in (0, 1) for j in (0, 1))\n"
    three = "    s = torch.stack([a + b - c - d, a - b + c - d, a - b - c + d]) / 4\n    "
    return {"task5_shares": "def shares(x):\n" + means + three + "\n    ".join(lines) + "\n"}


WRONG = {
    # --- task 1 -----------------------------------------------------------------------------------------------
    "tiles the whole picture": (
        "task1_check",
        upsample("def nearest(x, rows=2, columns=3):\n    return x.repeat(rows, columns)\n"),
        "as tiles on a wall",
    ),
    "one axis only": (
        "task1_check",
        upsample("def nearest(x, rows=2, columns=3):\n    return x.repeat_interleave(columns, -1)\n"),
        "Only the rows have grown longer",
    ),
    "factors swapped": (
        "task1_check",
        upsample("""
def nearest(x, rows=2, columns=3):
    return x.repeat_interleave(rows, -1).repeat_interleave(columns, -2)
"""),
        "The two factors have changed places",
    ),
    "one factor for both": (
        "task1_check",
        upsample("""
def nearest(x, rows=2, columns=3):
    return x.repeat_interleave(rows, -1).repeat_interleave(rows, -2)
"""),
        "Both axes grow by the first factor",
    ),
    "the first two axes": (  # right for a single map, wrong for a batch
        "task1_check",
        upsample("""
def nearest(x, rows=2, columns=3):
    return x.repeat_interleave(rows, 0).repeat_interleave(columns, 1)
"""),
        "nearest of a batch",
    ),
    "the lesson's corner": (
        "task1_check",
        upsample(
            nails="""
def bed_of_nails(x, rows=2, columns=3):
    out = torch.zeros(*x.shape[:-2], rows * x.shape[-2], columns * x.shape[-1])
    out[..., ::rows, ::columns] = x
    return out
"""
        ),
        "The nails stand in the upper left",
    ),
    "zeros around the picture": (
        "task1_check",
        upsample(nails="def bed_of_nails(x, rows=2, columns=3):\n    return F.pad(x, (2, 2, 1, 1))\n"),
        "the zeros belong between its pixels",
    ),
    "picture in the corner": (
        "task1_check",
        upsample(nails="def bed_of_nails(x, rows=2, columns=3):\n    return F.pad(x, (4, 0, 2, 0))\n"),
        "its pixels are to be spread",
    ),
    "nearest for nails": (
        "task1_check",
        upsample(nails="def bed_of_nails(x, rows=2, columns=3):\n    return nearest(x, rows, columns)\n"),
        "this is nearest neighbour",
    ),
    "always 2 and 3": (
        "task1_check",
        upsample(
            nails="""
def bed_of_nails(x, rows=2, columns=3):
    out = torch.zeros(*x.shape[:-2], 2 * x.shape[-2], 3 * x.shape[-1])
    out[..., 1::2, 2::3] = x
    return out
"""
        ),
        "bed_of_nails of a batch, 3 rows and 2 columns a pixel",
    ),
    "corner of 2 and 3": (  # the shape is right for other factors, the place is not
        "task1_check",
        upsample(
            nails="""
def bed_of_nails(x, rows=2, columns=3):
    out = torch.zeros(*x.shape[:-2], rows * x.shape[-2], columns * x.shape[-1])
    out[..., 1::rows, columns - 1 :: columns] = x
    return out
"""
        ),
        "the nails do not stand in the lower right",
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
    "an answer left out": ("task2_check", predictions(even=None), "even: got None, wants letters"),
    "even overlap is enough": ("task2_check", predictions(verdict="a"), "but from other taps"),
    # --- task 3 -----------------------------------------------------------------------------------------------
    "PyTorch's own": (
        "task3_check",
        stamp("return F.conv_transpose2d(x[None, None], w[None, None], stride=stride, padding=padding)[0, 0]"),
        "you call one of PyTorch's convolutions",
    ),
    "later stamps overwrite": (
        "task3_check",
        {
            "task3_stamp": PRESSED.replace("pressed(x, w, stride)", "stamp(x, w, stride=1, padding=0)").replace(
                "+=", "="
            )
        },
        "A later stamp wipes out the earlier one",
    ),
    "kernel turned round": (
        "task3_check",
        stamp(
            "y = pressed(x, w.flip(0, 1), stride)", "return y[padding : len(y) - padding, padding : len(y.T) - padding]"
        ),
        "a stamp is pressed as it is",
    ),
    "kernel transposed": (
        "task3_check",
        stamp("y = pressed(x, w.T, stride)", "return y[padding : len(y) - padding, padding : len(y.T) - padding]"),
        "Rows and columns of the kernel are swapped",
    ),
    "map transposed": (
        "task3_check",
        stamp("y = pressed(x.T, w, stride)", "return y[padding : len(y) - padding, padding : len(y.T) - padding]"),
        "Rows and columns of the map are swapped",
    ),
    "stride ignored": (
        "task3_check",
        stamp("y = pressed(x, w, 1)", "return y[padding : len(y) - padding, padding : len(y.T) - padding]"),
        "The stamps stand one pixel apart",
    ),
    "stride in the size only": (
        "task3_check",
        stamp(
            "(high, wide), k = x.shape, len(w)",
            "y = torch.zeros((high - 1) * stride + k, (wide - 1) * stride + k)",
            "y[: high - 1 + k, : wide - 1 + k] = pressed(x, w, 1)",
            "return y",
        ),
        "Only the size knows of the stride",
    ),
    "stamps too far in": (  # the right size, and none of the known mistakes
        "task3_check",
        stamp("return pressed(x, w, stride).roll(1, 0)"),
        "The size is right, the numbers are not",
    ),
    "side without the kernel": (
        "task3_check",
        stamp("return pressed(x, w, stride)[: len(x) * stride, : len(x.T) * stride]"),
        "Its side is (n - 1) * stride + k, here 5",
    ),
    "an ordinary convolution": (
        "task3_check",
        stamp(
            "x, k = F.pad(x, (1, 1, 1, 1)), len(w)",
            "windows = x.unfold(0, k, stride).unfold(1, k, stride)",
            "return (windows * w).sum((-1, -2))",
        ),
        "it shrinks",
    ),
    "padding adds zeros": (
        "task3_check",
        stamp("return F.pad(pressed(x, w, stride), (padding,) * 4)"),
        "in a transposed convolution it is cut off",
    ),
    "padding ignored": ("task3_check", stamp("return pressed(x, w, stride)"), "Nothing is cut off"),
    "cut at one side": (
        "task3_check",
        stamp("return pressed(x, w, stride)[padding:, padding:]"),
        "padding counts for each side",
    ),
    "cut at the far side": (
        "task3_check",
        stamp("y = pressed(x, w, stride)", "return y[: len(y) - padding, : len(y.T) - padding]"),
        "Something is cut off at the far side only",
    ),
    "a slice up to minus 0": (
        "task3_check",
        stamp("return pressed(x, w, stride)[padding:-padding, padding:-padding]"),
        "a slice up to -0 is empty",
    ),
    "square maps only": (
        "task3_check",
        stamp("y = pressed(x, w, stride)", "return y[padding : len(y) - padding, padding : len(y) - padding]"),
        "Count rows and columns apart",
    ),
    # --- task 4 -----------------------------------------------------------------------------------------------
    "padding alone mended": (
        "task4_check",
        repaired("nn.Sequential(nn.Conv2d(n_in, n_out, 3, padding=1), nn.Upsample(scale_factor=3))"),
        "still squares of 3 x 3 equal pixels",
    ),
    "order alone mended": (
        "task4_check",
        repaired("nn.Sequential(nn.Upsample(scale_factor=3), nn.Conv2d(n_in, n_out, 3))"),
        "costs a row or column at each side",
    ),
    "left as it was": (
        "task4_check",
        {"task4_repaired_up": "repaired_up = broken_up"},
        "loses its border before it is enlarged",
    ),
    "the lesson's layer": (
        "task4_check",
        repaired("nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(n_in, n_out, 3, padding=1))"),
        "The side is doubled, as in the lesson",
    ),
    "even kernel": (
        "task4_check",
        repaired("nn.Sequential(nn.Upsample(scale_factor=3), nn.Conv2d(n_in, n_out, 4, padding=1))"),
        "The convolution loses one row and column",
    ),
    "even kernel, more padding": (
        "task4_check",
        repaired("nn.Sequential(nn.Upsample(scale_factor=3), nn.Conv2d(n_in, n_out, 4, padding=2))"),
        "The convolution adds one row and column",
    ),
    "a size in place of a factor": (
        "task4_check",
        repaired("nn.Sequential(nn.Upsample(size=24), nn.Conv2d(n_in, n_out, 3, padding=1))"),
        "It makes 24 whatever comes in",
    ),
    "3x3 transposed, too short": (
        "task4_check",
        repaired("nn.ConvTranspose2d(n_in, n_out, 3, stride=3, padding=1)"),
        "A transposed convolution makes (n - 1) s - 2p + k + o",
    ),
    "5x5 transposed": (
        "task4_check",
        repaired("nn.ConvTranspose2d(n_in, n_out, 5, stride=3, padding=1)"),
        "the stride does not divide the kernel",
    ),
    "3x3 transposed": (
        "task4_check",
        repaired("nn.ConvTranspose2d(n_in, n_out, 3, stride=3)"),
        "each phase has weights of its own",
    ),
    "sub-pixel convolution": (
        "task4_check",
        repaired("nn.Sequential(nn.Conv2d(n_in, 9 * n_out, 3, padding=1), nn.PixelShuffle(3))"),
        "treats neighbouring pixels in different ways",
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
        large = F.interpolate(x, scale_factor=3, mode="bilinear")
        return large.mean(1, keepdim=True).expand(-1, self.n_out, -1, -1)


def repaired_up(n_in, n_out):
    return Resize(n_out)
"""
        },
        "Resizing alone is no layer of a generator",
    ),
    # --- task 5 -----------------------------------------------------------------------------------------------
    "rows and columns swapped": (
        "task5_check",
        shares("return s[[1, 0, 2]].square().mean((1, 2)) / x.square().mean()"),
        "horizontal stripes are rows that differ",
    ),
    "checks first": (
        "task5_check",
        shares("return s[[2, 0, 1]].square().mean((1, 2)) / x.square().mean()"),
        "checks come last",
    ),
    "whole differences": (
        "task5_check",
        shares("return (2 * s).square().mean((1, 2)) / x.square().mean()"),
        "four times too large",
    ),
    "half of the square": (
        "task5_check",
        shares("return (2 * s).square().mean((1, 2)) / 2 / x.square().mean()"),
        "the half belongs inside the square",
    ),
    "not squared": (
        "task5_check",
        shares("return s.abs().mean((1, 2)) / x.square().mean()"),
        "You have not squared",
    ),
    "divides by the variance": (
        "task5_check",
        shares("return s.square().mean((1, 2)) / x.var(correction=0)"),
        "You divide by the variance of the picture",
    ),
    "divides by the square of the mean": (
        "task5_check",
        shares("return s.square().mean((1, 2)) / x.mean() ** 2"),
        "You divide by the square of the mean",
    ),
    "not divided": ("task5_check", shares("return s.square().mean((1, 2))"), "You have not divided by the power"),
    "the lesson's number": (  # the sum of the three
        "task5_check",
        shares("return torch.stack([a, b, c, d]).var(0, correction=0).mean() / x.square().mean()"),
        "Three numbers",
    ),
    "averages the pictures first": (
        "task5_check",
        shares("return s.mean((1, 2)).square() / x.square().mean()"),
        "opposite checkerboards wipe each other out",
    ),
    "adds the maps up": (
        "task5_check",
        shares("return s.square().sum((1, 2)) / x.square().mean()"),
        "You add the maps up",
    ),
    "mean of ratios": (
        "task5_check",
        shares("return (s.square() / x.square().mean((-1, -2))).mean((1, 2))"),
        "You average the ratios",
    ),
    "one number a map": (
        "task5_check",
        shares("return (s.square() / x.square().mean()).squeeze()"),
        "One number a pattern for all maps together",
    ),
    "neighbours pixel by pixel": (
        "task5_check",
        {
            "task5_shares": """
def shares(x):
    a, b, c, d = (x[..., i::2, j::2] for i in (0, 1) for j in (0, 1))
    s = torch.stack([a + b - c - d, a - b + c - d, a - b - c + d]) / 4
    return s.square().mean((1, 2, 3, 4)) / x.square().mean()
"""
        },
        "all detail would count as a pattern",
    ),
}

RIGHT = {
    "Kronecker products": {
        "task1_upsample": """
def nearest(x, rows=2, columns=3):
    return torch.kron(x, torch.ones([1] * (x.ndim - 2) + [rows, columns]))


def bed_of_nails(x, rows=2, columns=3):
    nail = torch.zeros(rows, columns)
    nail[-1, -1] = 1
    return torch.kron(x, nail.view([1] * (x.ndim - 2) + [rows, columns]))
""",
        "task3_stamp": """
def stamp(x, w, stride=1, padding=0):
    \"\"\"A matrix for each axis, by the place of each tap.\"\"\"
    k = len(w)
    y = 0
    for a in range(k):
        for b in range(k):
            down = torch.eye((len(x) - 1) * stride + k)[a :: stride][: len(x)]
            right = torch.eye((len(x.T) - 1) * stride + k)[b :: stride][: len(x.T)]
            y = y + w[a, b] * (down.T @ x @ right)
    return y[padding : len(y) - padding, padding : len(y.T) - padding]
""",
        "task5_shares": """
def shares(x):
    power = torch.fft.fft2(x.double()).abs().square()
    h, w = x.shape[-2] // 2, x.shape[-1] // 2
    return torch.stack([power[..., h, 0].sum(), power[..., 0, w].sum(), power[..., h, w].sum()]) / power.sum()
""",
    },
    "broadcasting": {
        "task1_upsample": """
def nearest(x, rows=2, columns=3):
    *lead, h, w = x.shape
    return x[..., :, None, :, None].expand(*lead, h, rows, w, columns).reshape(*lead, h * rows, w * columns)


def bed_of_nails(x, rows=2, columns=3):
    \"\"\"Nearest neighbour, and all but the corner of each rectangle set to 0.\"\"\"
    out = nearest(x, rows, columns).clone()
    down = torch.arange(out.shape[-2]) % rows == rows - 1
    right = torch.arange(out.shape[-1]) % columns == columns - 1
    return out * (down[:, None] & right)
""",
        "task3_stamp": """
def stamp(x, w, stride=1, padding=0):
    \"\"\"All stamps at once, laid down by fold, which adds.\"\"\"
    k = len(w)
    sides = [(n - 1) * stride - 2 * padding + k for n in x.shape]
    stamps = w.flatten()[:, None] * x.flatten()
    return F.fold(stamps[None], sides, k, stride=stride, padding=padding)[0, 0]
""",
        "task4_repaired_up": """
class Up(nn.Module):
    def __init__(self, n_in, n_out):
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 5, padding="same")

    def forward(self, x):
        return self.conv(F.interpolate(x, scale_factor=3, mode="bilinear"))


def repaired_up(n_in, n_out):
    return Up(n_in, n_out)
""",
        "task5_shares": """
def shares(x):
    rows, columns = 1 - 2.0 * (torch.arange(x.shape[-2]) % 2)[:, None], 1 - 2.0 * (torch.arange(x.shape[-1]) % 2)
    signs = rows.expand(x.shape[-2:]), columns.expand(x.shape[-2:]), rows * columns
    return torch.stack([((x * sign).mean((2, 3)) ** 2).mean() for sign in signs]) / (x**2).mean()
""",
    },
    "other spellings": {
        **predictions(even=["B", "d", "e"], verdict=" B ", parameters=32_800.0),
        **stamp("y = pressed(x, w, stride)", "return y[padding : len(y) - padding, padding : y.shape[1] - padding]"),
        **repaired(
            "nn.Sequential(nn.UpsamplingNearest2d(scale_factor=3), nn.ReflectionPad2d(1), "
            "nn.Conv2d(n_in, n_out, 3, bias=False))"
        ),
        "task5_shares": """
def shares(x):
    h = (x[..., ::2, :].mean((-1, -2)) - x[..., 1::2, :].mean((-1, -2))) / 2
    v = (x[..., ::2].mean((-1, -2)) - x[..., 1::2].mean((-1, -2))) / 2
    white = (torch.arange(x.shape[-2])[:, None] + torch.arange(x.shape[-1])) % 2 == 0
    c = (x[..., white].mean(-1) - x[..., ~white].mean(-1)) / 2
    return torch.tensor([(s**2).mean() for s in (h, v, c)]) / (x**2).mean()
""",
    },
    "tied transposed convolution": {
        "task4_repaired_up": """
class Tied(nn.Module):
    \"\"\"The 5x5 transposed convolution whose weights are made from 3x3.\"\"\"

    def __init__(self, n_in, n_out):
        super().__init__()
        self.conv = nn.Conv2d(n_in, n_out, 3)

    def forward(self, x):
        w = self.conv.weight.flip(-1, -2)
        w = F.pad(w, (2, 2, 2, 2)).unfold(-1, 3, 1).unfold(-3, 3, 1).sum((-1, -2))
        return F.conv_transpose2d(x, w.transpose(0, 1), self.conv.bias, stride=3, padding=1)


repaired_up = Tied
""",
    },
}
