# %% [markdown]
# # Exercise 05: up-sampling
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# Lesson 05 makes large pictures out of small ones. Here you write the operations, do the arithmetic of their sizes, repair
# a layer that looks right and is not, and measure a checkerboard. Each task differs from the lesson in one thing, so its
# code alone does not fit.
#
# | task | what you do | points |
# |---|---|---|
# | 1 | complete nearest neighbour and bed of nails | 3 |
# | 2 | predict sizes, counts and overlaps | 3 |
# | 3 | complete a transposed convolution, stamp by stamp | 4 |
# | 4 | debug a layer that triples the side | 4 |
# | 5 | measure stripes and checks apart | 3 |
#
# Plan 45 to 60 minutes. You need lesson 05 and no GPU.
#
# **How it works.** Write your code in place of the line that raises `NotImplementedError`. Then run the check below
# the task. A check that passes prints one line with a ✓; one that fails tells you what is wrong. Your instructor
# runs further checks with other inputs, so write code that holds in general. No task needs the answer to an earlier
# one: if you are stuck, go on.

# %%
# >>> setup: written by tools/notebooks.py from pyproject.toml
import importlib.util
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("ganedu") is None:
    raise RuntimeError(
        "ganedu has no public address yet, so Colab cannot install it: "
        "run this notebook on your own machine with `make lab`"
    )
# <<< setup

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F

from ganedu.checks import CheckFailed, check_shape
from ganedu.data import digits
from ganedu.views.figure import show


def check_picture(name, got, want, mistakes=(), hint="", size_hint=""):
    """``got`` is the tensor ``want``. ``mistakes``: pairs (tensor, what it comes from); the first that fits is named.

    ``hint`` is for wrong numbers, ``size_hint`` for a wrong shape.
    """
    if got is None:
        raise CheckFailed(f"{name}: got None. Did you forget to return it?")
    if isinstance(got, torch.Tensor):
        for wrong, sentence in mistakes:
            if got.shape == wrong.shape and torch.allclose(got.to(wrong), wrong, atol=1e-5):
                raise CheckFailed(f"{name}: {sentence}")
    check_shape(name, got, tuple(want.shape), hint=size_hint)
    off = ~torch.isclose(got.to(want), want, atol=1e-5)
    if off.any():
        place = off.nonzero()[0].tolist()
        numbers = f"At {place} it has {got[tuple(place)]:.4g}, wants {want[tuple(place)]:.4g}."
        raise CheckFailed(f"{name}: {hint} {numbers}".replace(":  ", ": "))


# %% [markdown]
# ## Task 1. Two ways without weights
#
# Write both operations for maps of any number of leading axes, `(..., H, W)`. Rows and columns have factors of their own:
#
# - `nearest`: each pixel becomes a rectangle of equal pixels, `rows` high and `columns` wide;
# - `bed_of_nails`: each pixel stands in the **lower right** corner of such a rectangle, and the rest is 0.
#
# Both return a new tensor of shape `(..., rows * H, columns * W)`. Write them with plain tensor operations
# (`repeat_interleave`, slices with a step), not with `F.interpolate`: that wants four axes.


# %% nbgrader={"grade": false, "grade_id": "task1_upsample", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nearest(x, rows=2, columns=3):
    """(..., H, W) -> (..., rows * H, columns * W): each pixel a rectangle."""
    ### BEGIN SOLUTION
    return x.repeat_interleave(rows, dim=-2).repeat_interleave(columns, dim=-1)
    ### END SOLUTION


def bed_of_nails(x, rows=2, columns=3):
    """(..., H, W) -> (..., rows * H, columns * W): each pixel in the lower right of a rectangle of zeros."""
    ### BEGIN SOLUTION
    bed = torch.zeros(*x.shape[:-2], rows * x.shape[-2], columns * x.shape[-1])
    bed[..., rows - 1 :: rows, columns - 1 :: columns] = x
    return bed
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task1_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
once = x.clone()
longer, higher = x.repeat_interleave(3, dim=-1), x.repeat_interleave(2, dim=-2)  # one axis each
want_nearest = torch.tensor([[1.0, 1, 1, 2, 2, 2]] * 2 + [[3, 3, 3, 4, 4, 4]] * 2)
check_picture(
    "nearest",
    nearest(x, 2, 3),
    want_nearest,
    mistakes=[
        (x.repeat(2, 3), "You repeat the whole picture, as tiles on a wall; each pixel is to be repeated on the spot."),
        (longer, "Only the rows have grown longer: repeat along both axes."),
        (higher, "Only the columns have grown longer: repeat along both axes."),
        (
            x.repeat_interleave(3, dim=-2).repeat_interleave(2, dim=-1),
            "The two factors have changed places: rows counts along axis -2, columns along axis -1.",
        ),
        (higher.repeat_interleave(2, dim=-1), "Both axes grow by the first factor; columns has one of its own."),
    ],
    hint="Each pixel becomes a rectangle, 2 high and 3 wide.",
    size_hint="2 rows become 4, 2 columns become 6.",
)
want_nails = torch.tensor([[0.0] * 6, [0, 0, 1, 0, 0, 2], [0] * 6, [0, 0, 3, 0, 0, 4]])
check_picture(
    "bed_of_nails",
    bed_of_nails(x, 2, 3),
    want_nails,
    mistakes=[
        (
            want_nails.roll((-1, -2), (0, 1)),
            "The nails stand in the upper left of their rectangles, as in the lesson; here they belong in the lower right.",
        ),
        (
            F.pad(x, (0, 4, 0, 2)),
            "The picture stands whole in a corner; its pixels are to be spread, with zeros between.",
        ),
        (F.pad(x, (4, 0, 2, 0)), "The picture stands whole in a corner; its pixels are to be spread."),
        (F.pad(x, (2, 2, 1, 1)), "You pad around the picture; the zeros belong between its pixels."),
        (want_nearest, "The other pixels of each rectangle are not 0: this is nearest neighbour."),
    ],
    hint="Each pixel stands in the lower right of its rectangle, 2 high and 3 wide, and the rest is 0.",
    size_hint="2 rows become 4, 2 columns become 6.",
)
if not torch.equal(x, once):
    raise CheckFailed("bed_of_nails: it has changed its input; write into a new tensor.")
batch = torch.arange(120.0).view(5, 3, 4, 2) + 1
for name, operation in (("nearest", nearest), ("bed_of_nails", bed_of_nails)):
    check_shape(
        f"{name} of a batch, 3 rows and 2 columns a pixel",
        operation(batch, 3, 2),
        (5, 3, 12, 4),
        hint="It fits 2 and 3 only, or it works on other axes than the last two.",
    )
check_picture("bed_of_nails of a batch, its nails", bed_of_nails(batch, 3, 2)[..., 2::3, 1::2], batch,
              hint="With 3 rows and 2 columns a pixel the nails do not stand in the lower right.")  # fmt: skip
print("✓ Task 1: all visible checks pass.")
### BEGIN HIDDEN TESTS
import numpy as np

x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(3))
for rows, columns in ((3, 3), (4, 1), (1, 2)):
    nail = np.zeros((rows, columns), np.float32)
    nail[-1, -1] = 1
    for name, operation, block in (("nearest", nearest, np.ones_like(nail)), ("bed_of_nails", bed_of_nails, nail)):
        check_picture(
            f"{name} with {rows} rows and {columns} columns a pixel",
            operation(x, rows, columns),
            torch.tensor(np.kron(x.numpy(), block)),
            hint="It fits the examples only.",
        )
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2. Predict
#
# Paper first. Then write your answers into `predictions`. $k$, $s$, $p$, $o$ are kernel, stride, padding and output
# padding of a **transposed** convolution.
#
# - `doubled`: the input's side is 7, $k = 4, s = 2, p = 1, o = 0$. Which side comes out?
# - `nearly`: the same with $k = 3, s = 2, p = 1, o = 0$.
# - `output_padding`: which $o$ makes the layer of `nearly` give 14?
# - `first_layer`: DCGAN-like nets begin with a latent as a 1 x 1 picture and $k = 7, s = 1, p = 0, o = 0$. Which side comes out?
# - `parameters`: 64 maps in, 32 maps out, 4 x 4 kernels, with bias. How many parameters has the layer?
# - `even`: which of these overlap evenly, away from the borders? A string of all letters that do, such as `"ac"`.
#   - `"a"`: $k = 3, s = 2$; `"b"`: $k = 4, s = 2$; `"c"`: $k = 5, s = 2$; `"d"`: $k = 6, s = 3$; `"e"`: $k = 3, s = 1$.
# - `verdict`: an untrained transposed convolution with $k = 4, s = 2$ and random weights gets a constant picture. Away from
#   the borders, what comes out?
#   - `"a"`: a constant picture, because the overlap is even.
#   - `"b"`: a checkerboard in general: the overlap is even, but each phase adds up other random weights.
#   - `"c"`: noise without a pattern, because the weights are random.


# %% nbgrader={"grade": false, "grade_id": "task2_predictions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predictions():
    """Your answers: a dict with the keys doubled, nearly, output_padding, first_layer, parameters, even and verdict."""
    ### BEGIN SOLUTION
    return {
        "doubled": (7 - 1) * 2 - 2 + 4,
        "nearly": (7 - 1) * 2 - 2 + 3,
        "output_padding": 1,
        "first_layer": 7,
        "parameters": 64 * 32 * 4 * 4 + 32,
        "even": "bde",  # where the stride divides the kernel
        "verdict": "b",
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task2_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# This check looks at the form of your answers only.
from ganedu.checks import check_finite, check_one_of

answers = predictions()
numbers = ("doubled", "nearly", "output_padding", "first_layer", "parameters")
if not isinstance(answers, dict) or set(answers) != {*numbers, "even", "verdict"}:
    raise CheckFailed(f"predictions: got {answers!r}, wants a dict with the keys {', '.join(numbers)}, even, verdict.")
for key in numbers:
    check_finite(key, answers[key])
letters = answers["even"] if isinstance(answers["even"], (str, list, tuple, set)) else []
even = "".join(sorted(set("".join(map(str, letters)).lower()) - set(" ,")))
if not even or not set(even) <= set("abcde"):
    raise CheckFailed(f"even: got {answers['even']!r}, wants letters from a to e.")
verdict = str(answers["verdict"]).strip().lower()
check_one_of("verdict", verdict, ["a", "b", "c"])
print(
    "✓ Task 2: all visible checks pass. The form is right; whether the answers are is marked when you hand in. "
    "On your own, from the repository's root: `.venv/bin/python tools/grading.py exercises/05_upsampling.ipynb` "
    "(needs the instructor extra)."
)
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions({**answers, "even": even, "verdict": verdict})
marks.judge(
    "doubled",
    14,
    hint="(n - 1) s - 2p + k + o.",
    mistakes=[
        (16, "You have forgotten the cut: padding takes p away on both sides."),
        (15, "Padding takes p away on both sides, so 2p in all."),
        (18, "Padding is added in an ordinary convolution; in a transposed one it is cut off."),
        (3, "This is the size of the ordinary convolution; the transposed one leads the other way."),
    ],
)
marks.judge(
    "nearly",
    13,
    hint="(n - 1) s - 2p + k + o: k is one less than before.",
    mistakes=[(14, "Stride 2 does not mean twice the side: look at what k and p do.")],
)
marks.judge("output_padding", 1, hint="It adds to the far side once, not on both sides.")
marks.judge("first_layer", 7, hint="One pixel presses one stamp, and nothing is cut off.")
marks.judge(
    "parameters",
    64 * 32 * 16 + 32,
    hint="One kernel for each pair of maps, one bias for each map that comes out.",
    mistakes=[
        (64 * 32 * 16 + 64, "The biases belong to the maps that come out: one each."),
        (64 * 32 * 16, "The biases are missing."),
        (32 * 16 + 32, "Each map that comes out has a kernel of its own for every map that goes in."),
    ],
    atol=0.5,
)
marks.judge(
    "even",
    "bde",
    hint="Even where the stride divides the kernel.",
    mistakes=[
        ("bd", "Stride 1 divides every kernel: all pixels inside get k stamps."),
        ("ace", "Odd kernels have a middle, but that does not make stamps overlap evenly: count the writers."),
    ],
)
marks.judge(
    "verdict",
    "b",
    mistakes=[
        ("a", "Each phase gets equally many stamps, but from other taps: their random weights add up to other sums."),
        ("c", "The picture is constant and the kernel is the same everywhere, so the result repeats every 2 pixels."),
    ],
)
marks.report()
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3. A transposed convolution, stamp by stamp
#
# Write it for one map, which need not be square, and one kernel. Each pixel `x[i, j]` presses the kernel, times the pixel,
# with its upper left corner at row `i * stride`, column `j * stride`. Overlaps add. At the end `padding` rows and
# columns are cut off at each side. Loops are fine. Do not call a convolution of PyTorch's: this *is* one.
#
# By hand, in one dimension: $x = (1, 2)$, $w = (1, 2, 3)$, stride 2 gives $(1, 2, 5, 4, 6)$.


# %% nbgrader={"grade": false, "grade_id": "task3_stamp", "locked": false, "schema_version": 3, "solution": true, "task": false}
def stamp(x, w, stride=1, padding=0):
    """The transposed convolution of one map.

    x: (H, W), the map. w: (k, k), the kernel.
    Returns (H', W') with H' = (H - 1) * stride - 2 * padding + k, and W' likewise.
    """
    ### BEGIN SOLUTION
    (high, wide), k = x.shape, len(w)
    rows, columns = (high - 1) * stride + k, (wide - 1) * stride + k
    y = torch.zeros(rows, columns)
    for i in range(high):
        for j in range(wide):
            y[i * stride : i * stride + k, j * stride : j * stride + k] += x[i, j] * w
    return y[padding : rows - padding, padding : columns - padding]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task3_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
from torch.utils._python_dispatch import TorchDispatchMode

x, w = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0], [2.0, 0.0, 1.0]])


class NoConvolution(TorchDispatchMode):
    """Inside the ``with`` block a convolution, by whatever name it is called, fails the check."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if "convolution" in function.name():
            raise CheckFailed("stamp: you call one of PyTorch's convolutions. Press the stamps yourself.")
        return function(*args, **(kwargs or {}))


def by_hand(x, w, stride, padding):
    with NoConvolution():
        return stamp(x.clone(), w.clone(), stride, padding)


def want_stamp(x, w, stride, padding):
    """The matrix of the convolution that leads back, transposed."""
    sides = [(n - 1) * stride - 2 * padding + len(w) for n in x.shape]
    units = torch.eye(sides[0] * sides[1]).view(-1, 1, *sides)
    back = F.conv2d(units, w[None, None], stride=stride, padding=padding).flatten(1)  # (H' W', H W)
    return (back @ x.flatten()).view(sides)


wanted = want_stamp(x, w, 2, 0)
overwritten = torch.zeros(5, 5)
for i in (0, 1):
    for j in (0, 1):
        overwritten[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] = x[i, j] * w
nothing = torch.zeros(0, 0)
check_picture(
    "stamp with stride 2",
    by_hand(x, w, 2, 0),
    wanted,
    mistakes=[
        (nothing, "Nothing is left: without padding there is nothing to cut, and a slice up to -0 is empty."),
        (overwritten, "A later stamp wipes out the earlier one where they overlap; overlaps add."),
        (want_stamp(x, w.flip(0, 1), 2, 0), "The kernel is turned round: a stamp is pressed as it is."),
        (want_stamp(x, w.T, 2, 0), "Rows and columns of the kernel are swapped."),
        (want_stamp(x.T, w, 2, 0), "Rows and columns of the map are swapped: x[i, j] goes to row i * stride."),
        (want_stamp(x, w, 1, 0), "The stamps stand one pixel apart: the next one stands stride pixels further on."),
        (
            F.pad(want_stamp(x, w, 1, 0), (0, 1, 0, 1)),
            "Only the size knows of the stride: the next stamp stands stride pixels further on.",
        ),
        (
            F.conv2d(x[None, None], w[None, None], stride=2, padding=1)[0, 0],
            "This is an ordinary convolution: it shrinks.",
        ),
    ],
    hint="The size is right, the numbers are not: at each place add up the stamps that reach it.",
    size_hint="Its side is (n - 1) * stride + k, here 5.",
)
check_picture(
    "stamp with stride 2 and padding 1",
    by_hand(x, w, 2, 1),
    want_stamp(x, w, 2, 1),
    mistakes=[
        (F.pad(wanted, (1, 1, 1, 1)), "Padding makes this picture larger; in a transposed convolution it is cut off."),
        (wanted, "Nothing is cut off: padding rows and columns go at each side."),
        (wanted[1:, 1:], "Something is cut off at one side only: padding counts for each side."),
        (wanted[:-1, :-1], "Something is cut off at the far side only: padding counts on both."),
    ],
    hint="Cut one row or column off at each side.",
    size_hint="Cut one row or column off at each side.",
)
check_picture("stamp with stride 3", by_hand(x, w, 3, 0), want_stamp(x, w, 3, 0),
              hint="With k = 3 and stride 3 each stamp ends where the next begins.",
              size_hint="Its side is (n - 1) * stride + k, here 6.")  # fmt: skip
wide = torch.tensor([[1.0, 2.0, 3.0], [4.0, 5.0, 6.0]])
check_picture("stamp of a map with 2 rows and 3 columns", by_hand(wide, w, 2, 0), want_stamp(wide, w, 2, 0),
              hint="Count rows and columns apart.", size_hint="Count rows and columns apart.")  # fmt: skip
print("✓ Task 3: all visible checks pass.")
### BEGIN HIDDEN TESTS
generator = torch.Generator().manual_seed(5)
settings = (4, 6, 4, 2, 1), (3, 2, 5, 3, 2), (5, 5, 3, 1, 1), (1, 1, 2, 1, 0), (3, 1, 2, 3, 0)
for high, wide, k, stride, padding in settings:
    x, w = torch.randn(high, wide, generator=generator), torch.randn(k, k, generator=generator)
    check_picture(
        f"stamp of a map of {high} x {wide}, k {k}, s {stride}, p {padding}",
        by_hand(x, w, stride, padding),
        want_stamp(x, w, stride, padding),
        hint="It fits the examples only.",
        size_hint="It fits the examples only.",
    )
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4. Debug a layer
#
# Somebody wants to **triple** a picture's side, has heard that resizing and convolving avoids the checkerboard, and writes:


# %% nbgrader={"grade": false, "grade_id": "broken_up", "locked": true, "schema_version": 3, "solution": false, "task": false}
def broken_up(n_in, n_out):
    """Meant: (N, n_in, H, W) -> (N, n_out, 3H, 3W), a resize-convolution."""
    return nn.Sequential(nn.Conv2d(n_in, n_out, 3), nn.Upsample(scale_factor=3, mode="nearest"))


def look_at(up, caption):
    """A digit of 9 x 9 pixels, and what one untrained layer makes of it, on the 27 x 27 places it is meant for."""
    small = F.avg_pool2d(digits().all()[2210:2211, :, :27, :27], 3)
    torch.manual_seed(4)
    large = up(1, 1)(small).detach()
    figure = Figure(figsize=(8, 4.2), layout="constrained")
    for axes, x, side in zip(figure.subplots(1, 2), (small, large), (9, 27)):
        high, wide = x.shape[-2:]
        axes.imshow(x[0, 0], cmap="gray", extent=(0, wide, high, 0))
        axes.hlines(range(high + 1), 0, wide, color="tab:blue", linewidth=0.5)  # the pixels' edges
        axes.vlines(range(wide + 1), 0, high, color="tab:blue", linewidth=0.5)
        axes.set(title=f"{high} x {wide} pixels", xlabel="column", ylabel="row", xlim=(0, side), ylim=(side, 0))
        axes.set(xticks=range(0, side + 1, side // 9), yticks=range(0, side + 1, side // 9))
    show(figure, caption, f"A digit of 9 x 9 pixels, and beside it {high} x {wide} pixels on a field of 27 x 27.")


# %% tags=["watch"]
look_at(broken_up, "Blue lines: edges of pixels. On the right are squares of equal pixels, and the field is not full.")

# %% [markdown]
# No error, no checkerboard, and two faults: the side is not tripled, and the picture is made of squares of 3 x 3 equal
# pixels, so it shows no more than a picture of a third of its side. Go through both layers on paper, with the side of the
# picture after each.
#
# Then write `repaired_up`, a layer for any number of maps that
#
# - triples the side exactly, for any side from 2 on;
# - gives every pixel a value of its own;
# - has weights that train, and **no** checkerboard: away from the borders it turns a constant picture into constant
#   maps, whatever its weights are.


# %% nbgrader={"grade": false, "grade_id": "task4_repaired_up", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repaired_up(n_in, n_out):
    """A module: (N, n_in, H, W) -> (N, n_out, 3H, 3W)."""
    ### BEGIN SOLUTION
    # resize first, so that the convolution tells the copies apart; padding 1 keeps the side
    return nn.Sequential(nn.Upsample(scale_factor=3, mode="nearest"), nn.Conv2d(n_in, n_out, 3, padding=1))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task4_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
from ganedu.upsampling import nearest as enlarge
from ganedu.upsampling import phase_variance as unevenness


def check_size(layer, n_in, n_out, side):
    """What the layer makes of noise, if its shape is right."""
    y = layer(torch.randn(2, n_in, side, side))
    made = y.shape[-1] if isinstance(y, torch.Tensor) and y.ndim else None
    if any(isinstance(m, nn.ConvTranspose2d) for m in layer.modules()):
        hint = "A transposed convolution makes (n - 1) s - 2p + k + o: choose its numbers so that this is 3n."
    else:
        hint = {
            3 * side - 2: "A 3x3 convolution without padding costs a row or column at each side.",
            3 * side - 6: "The convolution loses its border before it is enlarged: three pixels at each side.",
            3 * side - 1: "The convolution loses one row and column: it keeps the side where k = 2p + 1.",
            3 * side + 1: "The convolution adds one row and column: it keeps the side where k = 2p + 1.",
            2 * side: "The side is doubled, as in the lesson; here it is to be three times as long.",
            side: "The side stays as it is.",
            24: "It makes 24 whatever comes in: give the factor, not the size." if side != 8 else "",
        }.get(made, "")
    check_shape(f"what repaired_up makes of side {side}", y, (2, n_out, 3 * side, 3 * side), hint=hint)
    return y


def check_up(up, n_in, n_out, side):
    """The demands on one layer, with its untrained weights."""
    torch.manual_seed(side)
    layer = up(n_in, n_out)
    if not isinstance(layer, nn.Module):
        raise CheckFailed(f"repaired_up: got {type(layer).__name__}, wants a module, such as nn.Sequential.")
    y = check_size(layer, n_in, n_out, side)
    check_size(layer, n_in, n_out, side + 4)
    if torch.allclose(y, enlarge(y[..., ::3, ::3], 3), atol=1e-6):
        raise CheckFailed(
            "repaired_up: still squares of 3 x 3 equal pixels: to tell the copies apart, a convolution must come after "
            "the resizing and read more than one pixel."
        )
    if not any(p.requires_grad for p in layer.parameters()):
        raise CheckFailed("repaired_up: it has no weights that train. Resizing alone is no layer of a generator.")
    even = layer(torch.ones(1, n_in, 12, 12))[..., 9:-9, 9:-9].detach()
    even = even - even.mean((-1, -2), keepdim=True)
    if unevenness(even, 3) * even.square().mean() > 1e-10:  # the variance itself: what is left may be rounding alone
        stamps = [m for m in layer.modules() if isinstance(m, nn.ConvTranspose2d)]
        if stamps and any(m.kernel_size[0] % m.stride[0] for m in stamps):
            why = "its stamps overlap unevenly, as the stride does not divide the kernel."
        elif stamps:
            why = "its stamps overlap evenly, but each phase has weights of its own, and at random they differ."
        else:
            why = "something in it treats neighbouring pixels in different ways."
        raise CheckFailed(f"repaired_up: a constant picture becomes a pattern of period 3: {why}")


check_up(repaired_up, 3, 2, side=8)
print("✓ Task 4: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_up(repaired_up, 1, 5, side=2)
check_up(repaired_up, 16, 1, side=7)
### END HIDDEN TESTS

# %% tags=["watch"]
look_at(repaired_up, "Your layer: 27 x 27, each pixel its own, and no grid.")

# %% [markdown]
# ## Task 5. Measure: stripes or checks?
#
# The lesson's energy E adds up three patterns of period 2. Tell them apart. For one map,
#
# - $h$, horizontal stripes: **half** the difference between the mean of the even rows and the mean of the odd rows;
# - $v$, vertical stripes: the same with columns;
# - $c$, checks: half the difference between the mean of the white squares of a chessboard (row + column even) and the mean
#   of its black squares.
#
# Their squares add up to the variance of the lesson's four phase means. So each has a share of the power, and the three
# shares add up to E.
#
# Write `shares` for a batch of maps `(N, C, H, W)` with even sides. Average $h^2$ over all maps, then $v^2$, then $c^2$.
# Divide each by the power, which is the mean of the squared pixels of all maps. Return a tensor of shape `(3,)` in the
# order $h, v, c$.


# %% nbgrader={"grade": false, "grade_id": "task5_shares", "locked": false, "schema_version": 3, "solution": true, "task": false}
def shares(x):
    """(N, C, H, W) -> (3,): the shares of the power that are horizontal stripes, vertical stripes and checks."""
    ### BEGIN SOLUTION
    white, upper, lower, black = (x[..., a::2, b::2].mean((-1, -2)) for a, b in ((0, 0), (0, 1), (1, 0), (1, 1)))
    h = (white + upper - lower - black) / 4  # (N, C), as are the others
    v = (white - upper + lower - black) / 4
    c = (white - upper - lower + black) / 4
    return torch.stack([h, v, c]).square().mean((1, 2)) / x.square().mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task5_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# phases 5, 1, 2, 0 (even row and even column first): h = 1, v = 1.5, c = 0.5, mean 2, power 7.5
tiles = torch.tensor([[5.0, 1.0], [2.0, 0.0]]).repeat(1, 1, 2, 3)
squares = torch.tensor([1.0, 2.25, 0.25])
three = "Three numbers: torch.stack([h, v, c]) makes one tensor of three."
per_map = "One number a pattern for all maps together: average over the maps."
check_picture(
    "shares of a map with the phases 5, 1, 2, 0",
    shares(tiles),
    squares / 7.5,
    mistakes=[
        (squares[[1, 0, 2]] / 7.5, "Rows and columns have changed places: horizontal stripes are rows that differ."),
        *(
            (squares[[*order]] / 7.5, "The order is h, v, c: checks come last.")
            for order in ((0, 2, 1), (1, 2, 0), (2, 0, 1), (2, 1, 0))
        ),
        (4 * squares / 7.5, "Each is four times too large: take half the difference, then square it."),
        (2 * squares / 7.5, "Each is twice too large: the half belongs inside the square."),
        (squares.sqrt() / 7.5, "You have not squared h, v and c; the power is made of squares."),
        (squares / 3.5, "You divide by the variance of the picture; the power is the mean of its squares."),
        (squares / 4, "You divide by the square of the mean; the power is the mean of the squares."),
        (squares, "You have not divided by the power."),
    ],
    hint="h = ((5 + 1) - (2 + 0)) / 4 = 1, v = 1.5, c = 0.5, power (25 + 1 + 4 + 0) / 4 = 7.5.",
    size_hint=three,
)
chess = torch.tensor([[1.0, -1.0], [-1.0, 1.0]]).repeat(1, 1, 2, 2)
check_picture(
    "shares of two chessboards, one of 2 and 0, one of 0 and 2",
    shares(torch.cat([1 + chess, 1 - chess])),
    torch.tensor([0.0, 0.0, 0.5]),
    mistakes=[
        (torch.zeros(3), "You average the maps before you square: opposite checkerboards wipe each other out."),
        (torch.tensor([0.0, 0.0, 1.0]), "You add the maps up; average over them, as the power does."),
    ],
    hint="Each has 0, 0, 0.5 (c is 1 or -1, the power 2), and so have both.",
    size_hint=per_map,
)
check_picture(
    "shares of a chessboard (power 1) and a map of nothing but 3 (power 9)",
    shares(torch.cat([chess, torch.full_like(chess, 3.0)], dim=1)),
    torch.tensor([0.0, 0.0, 0.1]),
    mistakes=[
        (torch.tensor([0.0, 0.0, 0.5]), "You average the ratios; average squares and powers first, then divide."),
    ],
    hint="The mean of c squared is (1 + 0) / 2, the mean power (1 + 9) / 2.",
    size_hint=per_map,
)
fine = torch.zeros(1, 1, 4, 4)
fine[..., 0, 0], fine[..., 2, 2] = 4, -4  # both in one phase, whose mean is 0
check_picture(
    "shares of a map whose phases all have mean 0",
    shares(fine),
    torch.zeros(3),
    hint="Average over the map first; pixel by pixel, all detail would count as a pattern.",
)
print("✓ Task 5: all visible checks pass.")
### BEGIN HIDDEN TESTS
x = torch.randn(3, 2, 6, 10, generator=torch.Generator().manual_seed(9)) * torch.tensor([1.0, 5.0])[:, None, None] + 0.7
power = torch.fft.fft2(x).abs().square()
want = torch.stack([power[..., 3, 0].sum(), power[..., 0, 5].sum(), power[..., 3, 5].sum()]) / power.sum()
check_picture("shares of random maps", shares(x), want, hint="It fits the examples only.", size_hint=per_map)
### END HIDDEN TESTS

# %% [markdown]
# Use it: which fresh layer has most, and of what? Borders are cut off. Run the cell a few times. The numbers change with the
# draw, but resize-convolution always has least by far.

# %% tags=["watch"]
x = torch.randn(8, 16, 16, 16).relu()
print(f"{'':28}{'horizontal':>12}{'vertical':>12}{'checks':>12}")
for name, layer in {
    "3x3 transposed, stride 2": nn.ConvTranspose2d(16, 64, 3, 2, 1, 1),
    "4x4 transposed, stride 2": nn.ConvTranspose2d(16, 64, 4, 2, 1),
    "resize-convolution": nn.Sequential(nn.Upsample(scale_factor=2), nn.Conv2d(16, 64, 3, padding=1)),
}.items():
    print(f"{name:28}" + "".join(f"{share:12.5f}" for share in shares(layer(x).detach()[..., 4:-4, 4:-4]).tolist()))
