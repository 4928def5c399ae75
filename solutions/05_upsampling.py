# %% [markdown]
# # Exercise 05: up-sampling
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# Lesson 05 makes large pictures out of small ones. Here you write the operations, do the arithmetic of their sizes, repair
# a layer that looks right and is not, and measure a checkerboard.
#
# | task | what you do | points |
# |---|---|---|
# | 1 | complete nearest neighbour and bed of nails | 3 |
# | 2 | predict sizes, counts and overlaps | 3 |
# | 3 | complete a transposed convolution, stamp by stamp | 4 |
# | 4 | debug a layer that doubles the side | 4 |
# | 5 | measure a checkerboard | 3 |
#
# Plan 45 to 60 minutes. You need lesson 05 and no GPU.
#
# **How it works.** Write your code in place of the line that raises `NotImplementedError`. Then run the check below
# the task. A check that is content prints one line with a ✓; one that fails tells you what is wrong. Your instructor
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
from torch import nn
from torch.nn import functional as F

from ganedu.checks import CheckFailed, check_shape
from ganedu.views.figure import image_grid, show


def check_picture(name, got, want, mistakes=(), hint=""):
    """``got`` is the tensor ``want``. ``mistakes``: pairs (tensor, what it comes from)."""
    if got is None:
        raise CheckFailed(f"{name}: got None. Did you forget to return the picture?")
    for wrong, sentence in mistakes:
        if (
            isinstance(got, torch.Tensor)
            and got.shape == wrong.shape
            and torch.allclose(got.to(wrong), wrong, atol=1e-5)
        ):
            raise CheckFailed(f"{name}: {sentence}")
    check_shape(name, got, tuple(want.shape), hint=hint)
    if not torch.allclose(got.to(want), want, atol=1e-5):
        raise CheckFailed(f"{name}: got {got.tolist()}, wants {want.tolist()}. {hint}".rstrip())


# %% [markdown]
# ## Task 1. Two ways without weights
#
# Write both operations for maps of any number of leading axes, `(..., H, W)`, and for any `scale`:
#
# - `nearest`: each pixel becomes a square of `scale` x `scale` equal pixels;
# - `bed_of_nails`: each pixel stands in the **upper left** corner of such a square, and the rest is 0.
#
# Both return a new tensor of shape `(..., scale * H, scale * W)`. Write them with plain tensor operations
# (`repeat_interleave`, slices with a step), not with `F.interpolate`: that wants four axes.


# %% nbgrader={"grade": false, "grade_id": "task1_upsample", "locked": false, "schema_version": 3, "solution": true, "task": false}
def nearest(x, scale=2):
    """(..., H, W) -> (..., scale * H, scale * W): each pixel a square."""
    ### BEGIN SOLUTION
    return x.repeat_interleave(scale, dim=-2).repeat_interleave(scale, dim=-1)
    ### END SOLUTION


def bed_of_nails(x, scale=2):
    """(..., H, W) -> (..., scale * H, scale * W): each pixel in the upper left of a square of zeros."""
    ### BEGIN SOLUTION
    bed = torch.zeros(*x.shape[:-2], scale * x.shape[-2], scale * x.shape[-1])
    bed[..., ::scale, ::scale] = x
    return bed
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task1_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
once = x.clone()
got = nearest(x)
check_picture(
    "nearest",
    got,
    torch.tensor([[1.0, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]]),
    mistakes=[
        (x.repeat(2, 2), "You repeat the whole picture, as tiles on a wall; each pixel is to be repeated on the spot."),
        (x.repeat_interleave(2, dim=-1), "Only the rows have grown longer: repeat along both axes."),
        (x.repeat_interleave(2, dim=-2), "Only the columns have grown longer: repeat along both axes."),
    ],
    hint="Each pixel becomes a square of 2 x 2.",
)
nails = torch.tensor([[1.0, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]])
check_picture(
    "bed_of_nails",
    bed_of_nails(x),
    nails,
    mistakes=[
        (
            nails.roll((1, 1), (0, 1)),
            "The nails stand in the lower right of their squares; they belong in the upper left.",
        ),
        (
            F.pad(x, (0, 2, 0, 2)),
            "The picture stands whole in a corner; its pixels are to be spread, with zeros between.",
        ),
        (F.pad(x, (1, 1, 1, 1)), "You pad around the picture; the zeros belong between its pixels."),
        (got, "The other pixels of each square are not 0: this is nearest neighbour."),
    ],
    hint="Each pixel stands in the upper left of its square of 2 x 2, the rest is 0.",
)
if not torch.equal(x, once):
    raise CheckFailed("bed_of_nails: it has changed its input; write into a new tensor.")
check_shape(
    "nearest of a batch",
    nearest(torch.ones(5, 3, 4, 2), 3),
    (5, 3, 12, 6),
    hint="Mind scale, and only the last two axes.",
)
check_shape("bed_of_nails of a batch", bed_of_nails(torch.ones(5, 3, 4, 2), 3), (5, 3, 12, 6), hint="Mind scale.")
print("✓ Task 1: all visible checks pass.")
### BEGIN HIDDEN TESTS
import numpy as np

x = torch.randn(2, 3, 4, 5, generator=torch.Generator().manual_seed(3))
nail = np.zeros((3, 3), np.float32)
nail[0, 0] = 1
check_picture(
    "nearest with scale 3", nearest(x, 3), torch.tensor(np.kron(x.numpy(), np.ones((3, 3), np.float32))),
    hint="It fits scale 2 only.",
)  # fmt: skip
check_picture(
    "bed_of_nails with scale 3",
    bed_of_nails(x, 3),
    torch.tensor(np.kron(x.numpy(), nail)),
    hint="It fits scale 2 only.",
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
from ganedu.checks import check_answer, check_close, check_finite, check_one_of

answers = predictions()
numbers = ("doubled", "nearly", "output_padding", "first_layer", "parameters")
if not isinstance(answers, dict) or set(answers) != {*numbers, "even", "verdict"}:
    raise CheckFailed(f"predictions: got {answers!r}, wants a dict with the keys {', '.join(numbers)}, even, verdict.")
for key in numbers:
    check_finite(key, answers[key])
even = "".join(sorted(set("".join(answers["even"]).lower()) - set(" ,")))
if not even or not set(even) <= set("abcde"):
    raise CheckFailed(f"even: got {answers['even']!r}, wants letters from a to e.")
verdict = str(answers["verdict"]).strip().lower()
check_one_of("verdict", verdict, ["a", "b", "c"])
print(
    "✓ Task 2: all visible checks pass. The form is right; whether the answers are is marked when you hand in. "
    "On your own: `python tools/grading.py exercises/05_upsampling.ipynb`."
)
### BEGIN HIDDEN TESTS
check_close(
    "doubled",
    answers["doubled"],
    14,
    hint="(n - 1) s - 2p + k + o.",
    mistakes=[
        (16, "You have forgotten the cut: padding takes p away on both sides."),
        (15, "Padding takes p away on both sides, so 2p in all."),
        (18, "Padding is added in an ordinary convolution; in a transposed one it is cut off."),
        (3, "This is the size of the ordinary convolution; the transposed one leads the other way."),
    ],
)
check_close("nearly", answers["nearly"], 13, hint="(n - 1) s - 2p + k + o: k is one less than before.",
            mistakes=[(14, "Stride 2 does not mean twice the side: look at what k and p do.")])  # fmt: skip
check_close("output_padding", answers["output_padding"], 1, hint="It adds to the far side once, not on both sides.")
check_close("first_layer", answers["first_layer"], 7, hint="One pixel presses one stamp, and nothing is cut off.")
check_close(
    "parameters",
    answers["parameters"],
    64 * 32 * 16 + 32,
    hint="One kernel for each pair of maps, one bias for each map that comes out.",
    mistakes=[
        (64 * 32 * 16 + 64, "The biases belong to the maps that come out: one each."),
        (64 * 32 * 16, "The biases are missing."),
        (32 * 16 + 32, "Each map that comes out has a kernel of its own for every map that goes in."),
    ],
    atol=0.5,
)
check_answer(
    "even",
    even,
    "bde",
    hint="Even where the stride divides the kernel.",
    mistakes=[
        ("bd", "Stride 1 divides every kernel: all pixels inside get k stamps."),
        ("ace", "Odd kernels have a middle, but that does not make stamps overlap evenly: count the writers."),
    ],
)
check_answer(
    "verdict",
    verdict,
    "b",
    mistakes=[
        ("a", "Each phase gets equally many stamps, but from other taps: their random weights add up to other sums."),
        ("c", "The picture is constant and the kernel is the same everywhere, so the result repeats every 2 pixels."),
    ],
)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3. A transposed convolution, stamp by stamp
#
# Write it for one map and one kernel, without calling a convolution. Each pixel `x[i, j]` presses the kernel, times the pixel,
# with its upper left corner at row `i * stride`, column `j * stride`. Overlaps add. At the end `padding` rows and
# columns are cut off at each side. Loops are fine.
#
# By hand, in one dimension: $x = (1, 2)$, $w = (1, 2, 3)$, stride 2 gives $(1, 2, 5, 4, 6)$.


# %% nbgrader={"grade": false, "grade_id": "task3_stamp", "locked": false, "schema_version": 3, "solution": true, "task": false}
def stamp(x, w, stride=1, padding=0):
    """The transposed convolution of one map.

    x: (n, n), the map. w: (k, k), the kernel.
    Returns (n', n') with n' = (n - 1) * stride - 2 * padding + k.
    """
    ### BEGIN SOLUTION
    n, k = len(x), len(w)
    side = (n - 1) * stride + k
    y = torch.zeros(side, side)
    for i in range(n):
        for j in range(n):
            y[i * stride : i * stride + k, j * stride : j * stride + k] += x[i, j] * w
    return y[padding : side - padding, padding : side - padding]
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task3_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
x, w = torch.tensor([[1.0, 2.0], [3.0, 4.0]]), torch.tensor([[1.0, 2.0, 3.0], [0.0, 1.0, 0.0], [2.0, 0.0, 1.0]])


def want_stamp(x, w, stride, padding):
    """The matrix of the convolution that leads back, transposed."""
    side = (len(x) - 1) * stride - 2 * padding + len(w)
    units = torch.eye(side * side).view(-1, 1, side, side)
    back = F.conv2d(units, w[None, None], stride=stride, padding=padding).flatten(1)  # (side^2, n^2)
    return (back @ x.flatten()).view(side, side)


wanted = want_stamp(x, w, 2, 0)
overwritten = torch.zeros(5, 5)
for i in (0, 1):
    for j in (0, 1):
        overwritten[2 * i : 2 * i + 3, 2 * j : 2 * j + 3] = x[i, j] * w
check_picture(
    "stamp with stride 2",
    stamp(x, w, stride=2),
    wanted,
    mistakes=[
        (torch.zeros(0, 0), "Nothing is left: without padding there is nothing to cut, and a slice up to -0 is empty."),
        (overwritten, "A later stamp wipes out the earlier one where they overlap; overlaps add."),
        (want_stamp(x, w.flip(0, 1), 2, 0), "The kernel is turned round: a stamp is pressed as it is."),
        (want_stamp(x, w.T, 2, 0), "Rows and columns of the kernel are swapped."),
        (want_stamp(x, w, 1, 0), "The stamps stand side by side: the next one stands stride places further on."),
        (
            F.conv2d(x[None, None], w[None, None], stride=2, padding=1)[0, 0],
            "This is an ordinary convolution: it shrinks.",
        ),
    ],
    hint="Its side is (n - 1) * stride + k, here 5.",
)
check_picture(
    "stamp with stride 2 and padding 1",
    stamp(x, w, stride=2, padding=1),
    want_stamp(x, w, 2, 1),
    mistakes=[
        (F.pad(wanted, (1, 1, 1, 1)), "Padding makes this picture larger; in a transposed convolution it is cut off."),
        (wanted, "Nothing is cut off: padding rows and columns go at each side."),
        (wanted[1:, 1:], "Something is cut off at one side only: padding counts for each side."),
    ],
    hint="Cut one row or column off at each side.",
)
check_picture("stamp without padding", stamp(x, w, stride=3, padding=0), want_stamp(x, w, 3, 0),
              hint="With stride 3 the stamps lie side by side.")  # fmt: skip
print("✓ Task 3: all visible checks pass.")
### BEGIN HIDDEN TESTS
generator = torch.Generator().manual_seed(5)
for n, k, stride, padding in ((4, 4, 2, 1), (3, 5, 3, 2), (5, 3, 1, 1), (1, 2, 1, 0), (3, 2, 3, 0)):
    x, w = torch.randn(n, n, generator=generator), torch.randn(k, k, generator=generator)
    got = stamp(x, w, stride, padding)
    check_picture(f"stamp, n {n}, k {k}, s {stride}, p {padding}", got, want_stamp(x, w, stride, padding),
                  hint="It fits the example only.")  # fmt: skip
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4. Debug a layer
#
# Somebody has heard that resizing and convolving avoids the checkerboard, and writes:


# %% nbgrader={"grade": false, "grade_id": "broken_up", "locked": true, "schema_version": 3, "solution": false, "task": false}
def broken_up(n_in, n_out):
    """Meant: (N, n_in, H, W) -> (N, n_out, 2H, 2W), a resize-convolution."""
    return nn.Sequential(nn.Conv2d(n_in, n_out, 3), nn.Upsample(scale_factor=2, mode="nearest"))


def stack_of(up):
    """A small untrained net that is to lead from 8 x 8 to 32 x 32."""
    torch.manual_seed(1)
    return nn.Sequential(up(16, 16), nn.ReLU(), up(16, 1), nn.Tanh())


def look_at(up, caption):
    x_fake = stack_of(up)(torch.randn(4, 16, 8, 8, generator=torch.Generator().manual_seed(2))).detach()
    low, high = x_fake.amin((-1, -2), keepdim=True), x_fake.amax((-1, -2), keepdim=True)
    show(image_grid(2 * (x_fake - low) / (high - low) - 1, columns=4), caption, "Four untrained pictures in a row.")
    print("8 x 8 becomes", " x ".join(map(str, x_fake.shape[-2:])))


# %% tags=["watch"]
look_at(broken_up, "Squares, and the wrong size.")

# %% [markdown]
# No error, no checkerboard, and two faults: the side is not doubled, and the picture is made of squares of 2 x 2 equal
# pixels, so it shows no more than a picture of half its side. Go through both layers on paper, with the side of the
# picture after each.
#
# Then write `repaired_up`, a layer for any number of maps that
#
# - doubles the side exactly, for any side from 2 on;
# - gives every pixel a value of its own;
# - has weights that train, and **no** checkerboard: away from the borders it turns a constant picture into constant
#   maps, whatever its weights are.


# %% nbgrader={"grade": false, "grade_id": "task4_repaired_up", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repaired_up(n_in, n_out):
    """A module: (N, n_in, H, W) -> (N, n_out, 2H, 2W)."""
    ### BEGIN SOLUTION
    # resize first, so that the convolution tells the copies apart; padding 1 keeps the side
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(n_in, n_out, 3, padding=1))
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task4_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
from ganedu.upsampling import nearest as enlarge
from ganedu.upsampling import phase_variance as unevenness


def check_up(up, n_in, n_out, side):
    """The four demands on one layer, with its untrained weights."""
    torch.manual_seed(side)
    layer = up(n_in, n_out)
    if not isinstance(layer, nn.Module):
        raise CheckFailed(f"repaired_up: got {type(layer).__name__}, wants a module, such as nn.Sequential.")
    y = layer(torch.randn(2, n_in, side, side))
    hints = {
        side * 2 - 2: "A 3x3 convolution without padding costs a row or column at each side.",
        side * 2 - 4: "The convolution loses its border before it is doubled: two pixels at each side.",
        side * 2 - 1: "A 3x3 transposed convolution with stride 2 and padding 1 falls one short.",
        side: "The side is not doubled.",
    }
    check_shape("what repaired_up makes", y, (2, n_out, 2 * side, 2 * side), hint=hints.get(y.shape[-1], ""))
    if torch.allclose(y, enlarge(y[..., ::2, ::2]), atol=1e-6):
        raise CheckFailed(
            "repaired_up: still squares of 2 x 2 equal pixels: what convolves before it resizes never sees the new pixels."
        )
    if not any(p.requires_grad for p in layer.parameters()):
        raise CheckFailed("repaired_up: it has no weights that train. Resizing alone is no layer of a generator.")
    even = layer(torch.ones(1, n_in, 12, 12))[..., 8:-8, 8:-8].detach()
    even = even - even.mean((-1, -2), keepdim=True)
    if unevenness(even) * even.square().mean() > 1e-10:  # the variance itself: what is left may be rounding alone
        stamps = [m for m in layer.modules() if isinstance(m, nn.ConvTranspose2d)]
        if stamps and any(m.kernel_size[0] % m.stride[0] for m in stamps):
            why = "its stamps overlap unevenly, as the stride does not divide the kernel."
        elif stamps:
            why = "its stamps overlap evenly, but each phase has weights of its own, and at random they differ."
        else:
            why = "something in it treats even and odd pixels in different ways."
        raise CheckFailed(f"repaired_up: a constant picture becomes a checkerboard: {why}")


check_up(repaired_up, 3, 2, side=8)
print("✓ Task 4: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_up(repaired_up, 1, 5, side=2)
check_up(repaired_up, 16, 1, side=7)
### END HIDDEN TESTS

# %% tags=["watch"]
look_at(repaired_up, "Your layer: 32 x 32, each pixel its own, and no grid.")

# %% [markdown]
# ## Task 5. Measure: how much of a checkerboard?
#
# Write `phase_variance` for a batch of maps `(N, C, H, W)` with even sides and period 2. For each map:
#
# 1. four means $m_{ab}$: over the pixels whose row is even or odd ($a$) and whose column is even or odd ($b$);
# 2. their variance, with division by 4 (`correction=0`), and the map's power, the mean of its squared pixels.
#
# Then average the variances over all maps, average the powers over all maps, and return the one divided by the other.
# A pure checkerboard of -1 and 1 has 1, an even picture has 0.


# %% nbgrader={"grade": false, "grade_id": "task5_phase_variance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def phase_variance(x):
    """(N, C, H, W) -> one number: the variance of the four phases' means, over the power."""
    ### BEGIN SOLUTION
    means = torch.stack([x[..., a::2, b::2].mean((-1, -2)) for a in (0, 1) for b in (0, 1)])  # (4, N, C)
    return means.var(0, correction=0).mean() / x.square().mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task5_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_close

chess = torch.ones(1, 1, 4, 4)
chess[..., ::2, 1::2] = chess[..., 1::2, ::2] = -1
check_close(
    "phase_variance of a chessboard of -1 and 1",
    phase_variance(chess),
    1.0,
    hint="Its four means are 1, -1, -1, 1.",
    mistakes=[
        (4 / 3, "This variance divides by 3: say correction=0."),
        (0.0, "You measure the spread within the phases; it is the four means that differ."),
    ],
)
x = torch.zeros(1, 1, 4, 4)
x[..., ::2, ::2] = 2.0  # means 2, 0, 0, 0: variance 0.75, power 1
check_close(
    "phase_variance of nails",
    phase_variance(x),
    0.75,
    hint="Means 2, 0, 0, 0; variance 0.75; power 1.",
    mistakes=[
        (
            1.0,
            "You divide by the variance of the picture; the power is the mean of its squares, the mean not taken away.",
        ),
        (3.0, "You divide by the square of the mean; the power is the mean of the squares."),
        (0.25, "Two phases are not enough: rows and columns count, so there are four."),
    ],
)
two = torch.cat([chess, -chess])
check_close(
    "phase_variance of a chessboard and its negative",
    phase_variance(two),
    1.0,
    hint="Each has 1, and so have both.",
    mistakes=[(0.0, "You average the pictures before you look: opposite checkerboards wipe each other out.")],
)
print("✓ Task 5: all visible checks pass.")
### BEGIN HIDDEN TESTS
x = torch.randn(3, 2, 6, 10, generator=torch.Generator().manual_seed(9)) * torch.tensor([1.0, 5.0])[:, None, None] + 0.7
power = torch.fft.fft2(x.double()).abs().square()
want = (power[..., 3, 0] + power[..., 0, 5] + power[..., 3, 5]).sum() / power.sum()
ratios = ((power[..., 3, 0] + power[..., 0, 5] + power[..., 3, 5]) / power.sum((-1, -2))).mean()
check_close(
    "phase_variance of random maps",
    phase_variance(x),
    want,
    hint="It fits the examples only.",
    mistakes=[(ratios, "You average the ratios; average variances and powers first, then divide.")],
)
### END HIDDEN TESTS

# %% [markdown]
# Use it: which fresh layer has most? Borders are cut off. Run the cell a few times: the draw changes, the order of the last one
# against the others does not.

# %% tags=["watch"]
x = torch.randn(8, 16, 16, 16).relu()
for name, layer in {
    "3x3 transposed, stride 2": nn.ConvTranspose2d(16, 64, 3, 2, 1, 1),
    "4x4 transposed, stride 2": nn.ConvTranspose2d(16, 64, 4, 2, 1),
    "yours of task 4": repaired_up(16, 64),
}.items():
    print(f"{name:26}{float(phase_variance(layer(x).detach()[..., 4:-4, 4:-4])):.5f}")
