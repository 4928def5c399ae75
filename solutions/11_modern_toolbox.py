# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#     text_representation:
#       extension: .py
#       format_name: percent
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Exercise 11: the modern toolbox
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# Lesson 11 lays out eight tools, each for one failure. Here you write two of them again, for cases that the lesson leaves
# out, you predict what they do, you repair a game that augments the wrong way, and you measure what spectral norm promises
# of a convolution and what it does not.
#
# | task | what you do | points |
# |---|---|---|
# | 1 | complete the power iteration of a kernel | 3 |
# | 2 | complete a change that may stand in DiffAugment | 4 |
# | 3 | predict losses, slopes and samples | 3 |
# | 4 | debug a game whose fakes come out wrong | 4 |
# | 5 | measure how far a convolution stretches | 4 |
#
# Plan 60 minutes. You need lesson 11 and no GPU. Everything here runs in seconds.
#
# **How it works.** Write your code in place of the line that raises `NotImplementedError`. Then run the check below
# the task. A check that passes prints one line with a ✓; one that fails tells you what is wrong. Your instructor
# runs further checks with other inputs, so write code that holds in general. No check needs the answer to an earlier
# task, only cells that show something do: if you are stuck, go on.

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
import copy
import math

import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F

from ganedu.checks import CheckFailed, check_close, check_finite, check_one_of, check_shape
from ganedu.views.figure import FAKE, REAL, show

# %% [markdown]
# ## Task 1. Power iteration, of a kernel too
#
# Spectral norm divides a weight by the largest singular value $\sigma$ of its matrix. A convolution's weight has the shape
# (n_out, n_in, height, width); its matrix has n_out rows, one for each filter. From a start `u` with n_out numbers, go
# `steps` times
#
# $$v \leftarrow \frac{W^\top u}{\lVert W^\top u \rVert} \qquad u \leftarrow \frac{W v}{\lVert W v \rVert}$$
#
# Then $\sigma = u^\top W v$, with the last $u$ and $v$. Return $\sigma$ and the last $u$, from which the next pass goes on. A
# gradient shall flow from $\sigma$ to the weight, with $u$ and $v$ as constants. The `u` and the `weight` that you are given
# stay as they are.


# %% nbgrader={"grade": false, "grade_id": "task1_power_iteration", "locked": false, "schema_version": 3, "solution": true, "task": false}
def power_iteration(weight, u, steps):
    """(σ, the last u): a tensor of shape () and one of shape (n_out,).

    weight: (n_out, ...), of a linear layer or a convolution.
    u: (n_out,), the start; of any length but 0.
    steps: at least 1.
    """
    ### BEGIN SOLUTION
    W = weight.flatten(1)
    with torch.no_grad():
        for _ in range(steps):
            v = F.normalize(W.T @ u, dim=0)
            u = F.normalize(W @ v, dim=0)
    return u @ W @ v, u
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task1_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
def iterate(weight, u, steps):
    """What ``power_iteration`` returns, once its form is right: σ, a number, and the last u, as long as the first."""
    try:
        found = power_iteration(weight, u, steps)
    except IndexError as error:
        raise CheckFailed(
            "power_iteration: a dimension that is not there. F.normalize takes dimension 1 unless you say otherwise: a "
            f"vector wants dim=0. (PyTorch: {error})"
        ) from None
    if not isinstance(found, tuple | list) or len(found) != 2:
        what = f"{len(found)} things" if isinstance(found, tuple | list) else f"a {type(found).__name__}"
        raise CheckFailed(f"power_iteration: got {what}, wants two tensors, σ and the last u.")
    if isinstance(found[0], torch.Tensor) and found[0].ndim:
        swapped = " It comes first, then the last u." if tuple(found[0].shape) == tuple(u.shape) else ""
        raise CheckFailed(f"σ: got a tensor of shape {tuple(found[0].shape)}, wants one number, of shape ().{swapped}")
    check_shape("the last u", found[1], u.shape, hint="It has one number for each row of the matrix.")
    return found


W, start = torch.diag(torch.tensor([3.0, 1.0])).requires_grad_(), torch.tensor([1.0, 1.0])
sigma, u = iterate(W, start, 1)
if not torch.equal(W.detach(), torch.diag(torch.tensor([3.0, 1.0]))):
    raise CheckFailed("power_iteration: the weight that it was given has changed. Make new tensors.")
if not torch.equal(start, torch.ones(2)):
    raise CheckFailed("power_iteration: the u that it was given has changed. Make new tensors.")
once, twice = (torch.as_tensor(number).detach() for number in (sigma, iterate(W, start, 1)[0]))
if once != twice:
    raise CheckFailed("power_iteration: two calls differ. Begin with the u that you are given, not at random.")
check_close(
    "σ of diag(3, 1) after one step from u = (1, 1)",
    sigma,
    82 / math.sqrt(820),
    hint="v = (3, 1)/√10, then u = (9, 1)/√82, then u·Wv.",
    mistakes=[
        (8.2, "That is σ²: the length of Wv is in it twice. Is u divided by its length?"),
        (math.sqrt(10), "That is the Frobenius norm, or u·Wv with the u that you began with. Take the last u."),
        (3.0, "That is σ itself. Wanted is its estimate after one step: u·Wv."),
        (math.sqrt(5), "That is u·Wv with the u that you began with, brought to length 1. Take the last u."),
        (math.sqrt(82), "v is not brought to length 1."),
        (82.0, "Neither u nor v is brought to length 1."),
        (2.8, "That is v·Wv: the formula for eigenvalues of a symmetric matrix."),
        (2.05, "The numbers' absolute values are added up. A length is the root of the sum of squares."),
        (730 / math.sqrt(82 * 730), "That is half a step too far: v, or the length of Wᵀu, is taken after the last u."),
    ],
)
check_close("length of the last u", u.norm(), 1.0, hint="Divide it by its length.")
check_close(
    "the last u's first entry",
    u[0],
    9 / math.sqrt(82),
    mistakes=[
        (1.0, "That is the start."),
        (3 / math.sqrt(10), "That is the last v: it has as many numbers as an input."),
    ],
)
if not isinstance(sigma, torch.Tensor) or not sigma.requires_grad:
    raise CheckFailed("σ: no gradient flows from it to the weight: only u and v belong under no_grad.")
if u.requires_grad:
    raise CheckFailed("the last u: it carries a graph along. u and v are constants: make them under no_grad.")
(slope,) = torch.autograd.grad(sigma, W)
check_close(
    "σ's gradient in W, first row and column",
    slope[0, 0],
    27 / math.sqrt(820),
    hint="With u and v constant it is u vᵀ: 9/√82 times 3/√10. Yours flows through u or v as well.",
)
kernel = torch.zeros(3, 2, 2, 2)  # three filters of the lengths 5, 2 and 1, at right angles
kernel[0, 0, 0, 0], kernel[0, 1, 1, 1], kernel[1, 0, 1, 0], kernel[2, 1, 0, 1] = 3.0, 4.0, 2.0, 1.0
try:
    after_two, _ = iterate(kernel, torch.tensor([1.0, 2.0, 3.0]), 2)
    after_many, _ = iterate(kernel, torch.tensor([1.0, 2.0, 3.0]), 40)
except RuntimeError as error:
    raise CheckFailed(
        f"power_iteration of a kernel (3, 2, 2, 2): bring it to a matrix of 3 rows first. (PyTorch: {error})"
    ) from None
check_close(
    "σ of a kernel whose three filters have the lengths 5, 2 and 1, at right angles",
    after_many,
    5.0,
    hint="Row i of its matrix is filter i, all 8 numbers of it.",
    mistakes=[
        (math.sqrt(30), "That is its Frobenius norm: the kernel has become a single row. Its matrix has 3 rows."),
        (math.sqrt(20), "The filters are mixed up. Row i of the matrix is filter i, all 8 numbers of it."),
        (math.sqrt(698 / 50), "That is the estimate after one step. Take as many as `steps` says."),
    ],
)
check_close(
    "σ of this kernel after two steps from u = (1, 2, 3)",
    after_two,
    math.sqrt(391658 / 15890),
    mistakes=[
        (math.sqrt(390882 / 15690), "That is from u = (1, 1, 1). Begin with the u that you are given."),
        (5.0, "That is where many steps lead. Take as many as `steps` says."),
        (math.sqrt(698 / 50), "That is the estimate after one step. Take as many as `steps` says."),
    ],
)
print("✓ Task 1: all visible checks pass.")
### BEGIN HIDDEN TESTS
import numpy as np

generator = torch.Generator().manual_seed(4)
for shape in ((5, 7), (6, 2, 3, 3), (1, 4), (4, 1, 5)):
    weight = torch.randn(shape, generator=generator, dtype=torch.float64)
    start = torch.randn(shape[0], generator=generator, dtype=torch.float64)
    matrix = weight.numpy().reshape(shape[0], -1)
    for steps in (1, 3):
        u = start.numpy()
        for _ in range(steps):
            v = matrix.T @ u
            v = v / np.linalg.norm(v)
            u = matrix @ v
            u = u / np.linalg.norm(u)
        sigma, last = power_iteration(weight, start, steps)
        check_close("σ of a random weight", sigma, u @ matrix @ v, hint="It fits the examples only.")
        check_close("the last u's last entry", last[-1], u[-1], hint="It fits the examples only.")
    sigma, _ = power_iteration(weight, start, 2000)
    top = np.linalg.svd(matrix, compute_uv=False)[0]
    check_close("σ after 2,000 steps", sigma, top, hint="It is the largest singular value.", atol=1e-3)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2. A change of your own
#
# A mirrored shoe is a shoe, so on pictures of clothes one more change may stand in $T$: mirror an image left to right. (On
# digits it may not: a mirrored 2 is none.) Write `mirror` by the rules that the lesson's changes keep:
#
# - each image of the batch has a draw of its own: mirrored with probability 1/2, by torch's random numbers;
# - a gradient flows through to the images;
# - values stay as they are, also outside [-1, 1], and the batch that comes in is not changed.
#
# The last dimension is the width. `x.flip(d)` reverses dimension d, and `torch.where(mask, a, b)` chooses between two tensors.


# %% nbgrader={"grade": false, "grade_id": "task2_mirror", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mirror(x):
    """Each image mirrored left to right with probability 1/2: (N, C, H, W) -> (N, C, H, W)."""
    ### BEGIN SOLUTION
    heads = torch.rand(len(x), 1, 1, 1, device=x.device) < 0.5
    return torch.where(heads, x.flip(3), x)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task2_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
def equal(a, b):
    """Equal up to rounding."""
    return torch.allclose(a, b, atol=1e-4)


def what_happened(x, y, batch):
    """Words for an image ``x`` of ``batch`` that came out as ``y``, neither itself nor its mirror image."""
    m = x.flip(2)
    turns = {
        "upside down (height is dimension 2, width 3)": x.flip(1),
        "turned by 180 degrees: only the width is reversed": x.flip(1, 2),
        "with its colours in reverse order: dimension 1 is the channels": x.flip(0),
    }
    if x.shape[1] == x.shape[2]:
        turns["transposed, rows for columns"] = x.transpose(1, 2)
    for words, turned in turns.items():
        if equal(y, turned):
            return f"an image comes out {words}."
    if equal(y, x.clip(-1, 1)) or equal(y, m.clip(-1, 1)):
        return "values outside [-1, 1] are cut off. Changes before it may lead there."
    if any(equal(y, other) or equal(y, other.flip(2)) for other in batch):
        return "images have changed places: one comes out where another one came in."
    one = "One draw decides on a whole image, so the mask has the shape (N, 1, 1, 1)."
    if all(equal(y[c], x[c]) or equal(y[c], m[c]) for c in range(len(x))):
        return f"each colour of an image has a draw of its own. {one}"
    if all(equal(y[:, h], x[:, h]) or equal(y[:, h], m[:, h]) for h in range(x.shape[1])):
        return f"each row of an image has a draw of its own. {one}"
    if bool(((y - x).abs().minimum((y - m).abs()) < 1e-4).all()):
        return f"single pixels of an image are mirrored, and others are not. {one}"
    return "an image comes out that is neither itself nor its mirror image."


def which_were_mirrored(before, after):
    """A list of True and False, or CheckFailed where an image is neither itself nor its mirror image."""
    itself, its_mirror = ((after - image).abs().flatten(1).amax(1) < 1e-4 for image in (before, before.flip(3)))
    for i in range(len(before)):
        if not (itself[i] or its_mirror[i]):
            raise CheckFailed(f"mirror: {what_happened(before[i], after[i], before)}")
    return (~itself).tolist()


def check_mirror(mirror, shape, generator):
    """One batch of 400 random images: values, draws, gradient."""
    x = 1.5 * torch.randn(400, *shape, generator=generator)
    before = x.clone()
    torch.manual_seed(11)
    try:
        got = mirror(x)
    except NotImplementedError:  # a RuntimeError, too
        raise
    except (RuntimeError, ValueError, IndexError, TypeError) as error:
        shapes = " One draw for each image is a mask of the shape (N, 1, 1, 1)." if "(400)" in str(error) else ""
        raise CheckFailed(f"mirror: it ends in an error.{shapes} ({type(error).__name__}: {error})") from None
    if not torch.equal(x, before):
        raise CheckFailed("mirror: the batch that came in has changed. Make a new tensor.")
    check_shape("mirror", got, x.shape)
    if got.dtype != x.dtype:
        raise CheckFailed(f"mirror: makes {got.dtype} of {x.dtype}, which D's weights do not take.")
    mirrored = which_were_mirrored(before, got.detach())
    share = sum(mirrored) / len(mirrored)
    if share in (0.0, 1.0):
        again = [sum(which_were_mirrored(before, mirror(before.clone()).detach())) for _ in range(20)]
        if any(a not in (0, len(mirrored)) for a in again) or len({*again, sum(mirrored)}) > 1:
            raise CheckFailed("mirror: one draw for the whole batch. Each image has a draw of its own.")
        raise CheckFailed(f"mirror: {'all' if share else 'none'} of 400 images come out mirrored, wants about half.")
    if not 0.4 < share < 0.6:
        raise CheckFailed(f"mirror: {share:.0%} of 400 images come out mirrored, wants about half.")
    runs = sum(a != b for a, b in zip(mirrored, mirrored[1:]))
    if not 150 < runs < 250:
        raise CheckFailed("mirror: which images are mirrored follows from their place in the batch. Draw it at random.")
    calls = [which_were_mirrored(before, mirror(before.clone()).detach()) for _ in range(8)]
    if calls[0] == mirrored:
        raise CheckFailed("mirror: every call mirrors the same images. Draw anew, and leave the seed alone.")
    if len({sum(call) for call in calls}) == 1:
        raise CheckFailed(
            f"mirror: every call mirrors {sum(mirrored)} of 400 images, no more and no less. Each image has a draw of its "
            "own, whatever the others drew."
        )
    torch.manual_seed(11)
    if which_were_mirrored(before, mirror(before.clone()).detach()) != mirrored:
        raise CheckFailed("mirror: its draws do not come from torch, so that no seed repeats a run.")
    leaf, weights = before.clone().requires_grad_(), torch.randn(before.shape, generator=generator)
    torch.manual_seed(11)
    try:
        out = mirror(leaf)
    except RuntimeError as error:
        raise CheckFailed(
            f"mirror: it ends in an error where the images want a gradient. Stay within torch. (PyTorch: {error})"
        ) from None
    if not out.requires_grad:
        raise CheckFailed("mirror: no gradient passes to the images, so G would learn nothing from what D sees.")
    (slope,) = torch.autograd.grad((out * weights).sum(), leaf)
    want = torch.stack([w.flip(2) if m else w for w, m in zip(weights, mirrored)])
    if not torch.allclose(slope, want, atol=1e-5):
        raise CheckFailed("mirror: the gradient does not come back to the pixel that it belongs to.")


check_mirror(mirror, (3, 4, 6), torch.Generator().manual_seed(1))
print("✓ Task 2: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_mirror(mirror, (1, 5, 5), torch.Generator().manual_seed(2))
check_mirror(mirror, (2, 3, 3), torch.Generator().manual_seed(3))
one = torch.randn(1, 1, 4, 4)
check_shape("mirror of a batch of one image", mirror(one), one.shape)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3. Predict
#
# Think first, with paper. Then write your answers into `predictions`; 0.01 either way is near enough, and a slope comes
# with its sign. Each of the three groups gives a point.
#
# Losses:
#
# - `hinge_loss`: one real sample, of which D says 0.4, and one fake, of which it says -3. How large is D's hinge loss?
# - `hinge_slope`: one real sample, of which D says 1.7. What is the slope of D's hinge loss in this output?
# - `relativistic_slope`: one pair. D says 10 of the real sample and 10 of the fake. What is the slope of G's relativistic
#   loss in the fake's output?
# - `raised`: somebody adds 100 to every output of D. D's relativistic loss goes `"up"`, `"down"`, or stays the `"same"`?
#
# D's slope, and time:
#
# - `r1`: $D(x) = 3 x_1 - 4 x_2 + 7$. How large is R1, $\mathbb{E}\,\lVert\nabla D(x)\rVert^2$, without its weight $\gamma/2$?
# - `stretched`: D has three linear layers with spectral norm and LeakyReLU with slope 0.2 between them. Power iteration has
#   converged. By at most how much can $D(x)$ and $D(y)$ differ, if $\lVert x - y \rVert = 2$?
# - `half_gone`: an average with d = 0.99, far into the run. After how many updates has the share of today's average in it
#   fallen to a half? (1 either way is near enough.)
#
# Few images:
#
# - `who_sees_T`: in a game with DiffAugment, which of these go through $T$? `"real"`: real images alone; `"d_loss"`:
#   both kinds, in D's turn alone; `"all"`: both kinds in D's turn, and the fakes in G's turn.
# - `samples`: such a game with $T$ = translation has been played well. Samples for use are drawn from $G$: $G(z)$, or
#   $T(G(z))$? Answer `"G"` or `"T"`.
# - `by_heart`: D's mean output is 6 on the images that it trains on, -2 on other real images and -5 on fakes. What has
#   happened? `"a"`: D is a good judge of what is real. `"b"`: D knows its images by heart. `"c"`: G has collapsed.


# %% nbgrader={"grade": false, "grade_id": "task3_predictions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predictions():
    """Your answers, a dict with the ten names above as keys."""
    ### BEGIN SOLUTION
    return {
        "hinge_loss": 0.6,
        "hinge_slope": 0.0,
        "relativistic_slope": -0.5,  # -sigmoid(10 - 10)
        "raised": "same",
        "r1": 25.0,  # 3² + 4²
        "stretched": 2.0,
        "half_gone": 69,  # log(1/2) / log(0.99) = 68.97
        "who_sees_T": "all",
        "samples": "G",
        "by_heart": "b",
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task3_losses_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# This check and the next two look at the form of your answers only.
CHOICES = {
    "hinge_loss": None,  # a number
    "hinge_slope": None,
    "relativistic_slope": None,
    "raised": ["up", "down", "same"],
    "r1": None,
    "stretched": None,
    "half_gone": None,
    "who_sees_T": ["real", "d_loss", "all"],
    "samples": ["G", "T"],
    "by_heart": ["a", "b", "c"],
}


def read_predictions(*keys):
    """The answers under these keys, once their form is right."""
    answers = predictions()
    if not isinstance(answers, dict):
        raise CheckFailed(f"predictions: got {answers!r}, wants a dict with the keys {', '.join(CHOICES)}.")
    for words, some in (("missing", set(CHOICES) - set(answers)), ("not asked for", set(answers) - set(CHOICES))):
        if some:
            raise CheckFailed(f"predictions: {words}: {', '.join(sorted(map(str, some)))}.")
    answers = {key: a.strip() if isinstance(a := answers[key], str) else a for key in keys}
    for key, answer in answers.items():
        if CHOICES[key] is None:
            check_finite(key, answer)
        else:
            spelled = {choice.lower(): choice for choice in CHOICES[key]}
            answers[key] = spelled.get(answer.lower(), answer) if isinstance(answer, str) else answer
            check_one_of(key, answers[key], CHOICES[key])
    return answers


answers = read_predictions("hinge_loss", "hinge_slope", "relativistic_slope", "raised")
print(
    "✓ Task 3, losses: the form is right; whether the answers are is marked when you hand in. "
    "On your own, from the repository's root: `.venv/bin/python tools/grading.py exercises/11_modern_toolbox.ipynb` "
    "(needs the instructor extra)."
)
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "hinge_loss",
    0.6,
    hint="One half is max(0, 1 - D) of the real sample, the other max(0, 1 + D) of the fake.",
    mistakes=[
        (-1.4, "Each half is cut off at 0: a fake at -3 lies beyond its margin and costs nothing, it earns nothing."),
        (2.6, "The fake's half is max(0, 1 + D): at -3 it is 0."),
        (4.6, "The signs inside: max(0, 1 - D(x)) for real samples, max(0, 1 + D) for fakes."),
        (0.3, "The two halves are added, not averaged."),
        (0.562, "That is the cross-entropy, which pays for every sample."),
        (0.0, "The real sample is on the right side but inside its margin: 0.4 is below 1."),
    ],
    atol=0.01,
)
marks.judge(
    "hinge_slope",
    0.0,
    hint="Where does max(0, 1 - D) stop changing?",
    mistakes=[
        (-1.0, "That is the slope inside the margin. 1.7 lies beyond it."),
        (-0.7, "That is 1 - 1.7. The hinge cuts off at 0."),
        (-0.154, "That is the slope of the cross-entropy, which never stops paying."),
    ],
    atol=0.01,
)
marks.judge(
    "relativistic_slope",
    -0.5,
    hint="It is -sigmoid(D(x) - D(G(z))).",
    mistakes=[
        (0.5, "The sign: a larger output on the fake makes G's loss smaller."),
        (0.0, "10 is a large output, but it is the difference that counts, and that is 0."),
        (-1.0, "-1 is the slope for a fake far below its partner. These two are level."),
        *((sign * 0.693, "log 2 is the loss. Its slope is asked for.") for sign in (1, -1)),
    ],
    atol=0.01,
)
marks.judge(
    "raised",
    "same",
    mistakes=[
        ("up", "Real and fake outputs go up together. What becomes of their difference?"),
        ("down", "Real and fake outputs go up together. What becomes of their difference?"),
    ],
)
marks.report()
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "task3_slopes_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
answers = read_predictions("r1", "stretched", "half_gone")
print("✓ Task 3, slopes and time: the form is right.")
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "r1",
    25.0,
    hint="Take the derivative in each of the two coordinates. They are the same wherever x is.",
    mistakes=[
        (5.0, "That is the length of the gradient. R1 has its square."),
        (12.5, "That has the weight 1/2 in it. R1 itself is asked for."),
        (16.0, "That is (5 - 1)²: WGAN-GP's penalty draws the length to 1, R1 draws it to 0."),
        (74.0, "7 is no slope: a constant added to D has no gradient."),
        (-1.0, "A gradient is a vector. Square each part, then add."),
        (49.0, "That is (3 + 4)². Square each part, then add."),
    ],
    atol=0.01,
)
marks.judge(
    "stretched",
    2.0,
    hint="Each layer stretches by at most 1, and LeakyReLU by at most 1.",
    mistakes=[
        (1.0, "1 is the bound on the slope. How far apart are x and y?"),
        (6.0, "The layers' bounds are multiplied, not added: 1 · 1 · 1."),
        (8.0, "Each layer stretches by at most 1, not by 2."),
        (0.08, "LeakyReLU shrinks negative numbers only. Positive ones pass as they are, so 0.2² is no bound."),
        (0.4, "LeakyReLU shrinks negative numbers only. Positive ones pass as they are."),
    ],
    atol=0.01,
)
marks.judge(
    "half_gone",
    69,
    hint="Solve 0.99^n = 1/2.",
    mistakes=[
        (50, "1 % of what is *left* goes with each update, so it slows down: solve 0.99^n = 1/2."),
        (100, "After 100 updates 0.99^100 = 0.37 are left. When is it 0.5?"),
        (138, "That is the time with the d of the lesson, 0.995."),
    ],
    atol=1.01,
)
marks.report()
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "task3_few_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
answers = read_predictions("who_sees_T", "samples", "by_heart")
print("✓ Task 3, few images: the form is right.")
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "who_sees_T",
    "all",
    mistakes=[
        ("real", "Then D learns that real images look augmented, and G learns to make them so."),
        ("d_loss", "Then G is judged on images of a kind that D has never seen."),
    ],
)
marks.judge(
    "samples",
    "G",
    mistakes=[
        ("T", "T stands before D's eyes alone. What it does, it does to real images too, so G need not imitate it.")
    ],
)
marks.judge(
    "by_heart",
    "b",
    mistakes=[
        ("a", "A good judge of what is real would say the same of real images that it has not seen."),
        ("c", "These are D's outputs. Of fakes you know only that D rejects them."),
    ],
)
marks.report()
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4. Debug a game whose fakes come out wrong
#
# The smallest game with an augmentation: a "picture" is one number, about 0 for real ones, and $T$ adds 2 to three out of
# ten. These losses are meant to be DiffAugment's, with lesson 04's cross-entropy. They run, and G learns; but look at
# what it learns.


# %% nbgrader={"grade": false, "grade_id": "broken", "locked": true, "schema_version": 3, "solution": false, "task": false}
def add_two(x):
    """T: adds 2 to three out of ten numbers. (N, 1) -> (N, 1)"""
    return x + 2 * (torch.rand_like(x) < 0.3)


def broken_losses(G, D, T, x, z):
    """(D's loss, G's loss): a game with DiffAugment that has two faults."""
    real_logits, fake_logits = D(T(x)), D(G(z).detach())
    d_loss = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
    g_loss = F.softplus(-D(G(z))).mean()
    return d_loss, g_loss


def play(losses, rounds=700):
    """Play the game. Returns 5,000 samples of G, its weights averaged."""
    torch.manual_seed(1)
    G = nn.Sequential(nn.Linear(4, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    D = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))
    G_ema = copy.deepcopy(G)
    opt_g, opt_d = (torch.optim.Adam(net.parameters(), lr=2e-3, betas=(0.5, 0.99)) for net in (G, D))
    for _ in range(rounds):
        for player, optimizer in enumerate((opt_d, opt_g)):
            loss = losses(G, D, add_two, 0.3 * torch.randn(128, 1), torch.randn(128, 4))[player]
            optimizer.zero_grad()
            loss.backward()
            optimizer.step()
        with torch.no_grad():
            for a, w in zip(G_ema.parameters(), G.parameters()):
                a.lerp_(w, 0.01)
    with torch.no_grad():
        return G_ema(torch.randn(5000, 4))


def show_samples(losses, title, caption):
    """A histogram of G's samples over that of the real numbers."""
    x_fake, figure = play(losses), Figure(figsize=(6.5, 2.8), layout="constrained")
    axes, bins = figure.subplots(), torch.linspace(-2, 4, 61).tolist()
    axes.hist((0.3 * torch.randn(5000)).numpy(), bins, color=REAL, alpha=0.5, density=True, label="real")
    axes.hist(
        x_fake.flatten().numpy(), bins, color=FAKE, density=True, histtype="step", linewidth=2, label="G's samples"
    )
    axes.set(xlabel="x", ylabel="density", title=title)
    axes.legend(frameon=False)
    show(figure, caption, "Two histograms: real numbers around 0, and samples of G.")
    print(f"{(x_fake > 1).float().mean():.0%} of G's samples are above 1; of the real numbers none are")


# %% tags=["watch"]
show_samples(broken_losses, "broken", "G makes numbers around 0, and around 2, where no real number is.")

# %% [markdown]
# Real numbers lie around 0. About three in ten of G's samples lie around 2. Read the losses: who sees $T$, and who does not?
#
# Write `repaired_losses`, so that G learns the real numbers as they are. Every batch that goes to D passes $T$, each with a
# draw of its own, and in G's turn the gradient flows through $T$. As always, D's loss sends no gradient into G.


# %% nbgrader={"grade": false, "grade_id": "task4_repaired_losses", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repaired_losses(G, D, T, x, z):
    """(D's loss, G's loss) of the non-saturating game with DiffAugment: tensors of shape ().

    T: a random, differentiable function of a batch; it returns a batch of the same shape.
    x: a real batch. z: latents, as many.
    """
    ### BEGIN SOLUTION
    real_logits, fake_logits = D(T(x)), D(T(G(z).detach()))
    d_loss = F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
    g_loss = F.softplus(-D(T(G(z)))).mean()
    return d_loss, g_loss
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task4_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_gradient_reaches, check_no_gradient


class Bend:
    """A T that can be followed: 1 + t² of a batch. It writes down what it was given, and a random number for each call."""

    def __init__(self):
        self.given, self.draws = [], []

    def __call__(self, t):
        self.given.append(t.detach().clone())
        self.draws.append(torch.rand(()).item())
        return 1 + t**2


def check_given(T, x, z, x_fake):
    """T has been given the real batch and the fakes, each by itself and with a draw of its own."""
    elsewhere = [
        (z, "T was given the latents. It stands between G and D: it changes what G makes."),
        (0.25 - x / 2, "T was given D's outputs. It changes what D gets to see."),
        (0.25 - x_fake / 2, "T was given D's outputs. It changes what D gets to see."),
        (1 + x**2, "T was given what has been through T already. Once is enough."),
        (1 + x_fake**2, "T was given what has been through T already. Once is enough."),
    ]
    for batch in T.given:
        if len(batch.reshape(-1)) == 1 < len(x):
            raise CheckFailed("T was given a single number, such as a loss. It changes what D gets to see.")
        if len(batch) != len(x):
            raise CheckFailed(
                f"T: got a batch of {len(batch)}. Real samples and fakes pass T one kind at a time, as they pass D: in "
                "one heap batch norm would mix them."
            )
        if not (torch.allclose(batch, x) or torch.allclose(batch, x_fake)):
            found = (words for other, words in elsewhere if torch.allclose(batch, other))
            raise CheckFailed(
                next(found, "T was given a batch that is neither x nor G(z), with the z that you were given.")
            )
    if len(set(T.draws)) < len(T.draws):
        raise CheckFailed("T: two batches have got the same draw. Leave torch's random state alone between them.")


def check_repaired(losses, x, z):
    """Both losses and their slopes, with T(t) = 1 + t², G(z) = 3z - 1/2 and D(t) = 1/4 - t/2, against the formulas."""
    G, D, T = nn.Linear(1, 1), nn.Linear(1, 1), Bend()
    with torch.no_grad():
        for net, weight, bias in ((G, 3.0, -0.5), (D, -0.5, 0.25)):
            net.weight.fill_(weight)
            net.bias.fill_(bias)
    try:
        found = losses(G, D, T, x, z)
    except NotImplementedError:  # a RuntimeError, too
        raise
    except (TypeError, ValueError, IndexError, RuntimeError) as error:
        raise CheckFailed(f"repaired_losses: it ends in an error. ({type(error).__name__}: {error})") from None
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise CheckFailed(f"repaired_losses: got {type(found).__name__}, wants D's loss and G's loss.")
    x_fake = 3 * z - 0.5
    check_given(T, x, z, x_fake)
    seen = {"x": x, "fake": x_fake, "T x": 1 + x**2, "T fake": 1 + x_fake**2}
    says = {name: 0.25 - t / 2 for name, t in seen.items()}  # D's outputs

    def d_value(on_real, on_fake):
        return F.softplus(-says[on_real]).mean() + F.softplus(says[on_fake]).mean()

    d_want, g_want = d_value("T x", "T fake"), F.softplus(-says["T fake"]).mean()
    unused = [] if T.given else [(found[0], "The T that it is given is never called.")]
    check_close(
        "D's loss",
        found[0],
        d_want,
        hint="-log sigmoid(D(T(x))) on real samples and -log(1 - sigmoid(D(T(G(z))))) on fakes, each averaged.",
        mistakes=[
            (d_value("T x", "fake"), "Only the real samples are augmented in D's loss: D learns to tell T from no T."),
            (d_value("x", "T fake"), "Only the fakes are augmented in D's loss."),
            (d_value("x", "fake"), "Nothing is augmented in D's loss any more: that is the plain game."),
            (d_value("T fake", "T x"), "Real samples and fakes are swapped in D's loss."),
            (g_want, "That is G's loss. D's comes first."),
            (len(x) * d_want, "It is summed over the batch, wants the mean."),
            (d_want / 2, "D's loss is the sum of the real and the fakes' half, not their mean."),
            *unused,
        ],
    )
    check_close(
        "G's loss",
        found[1],
        g_want,
        hint="-log sigmoid(D(T(G(z)))), averaged.",
        mistakes=[
            (
                F.softplus(-says["fake"]).mean(),
                "In G's turn D is shown plain fakes, a kind that it has not been trained on.",
            ),
            (-F.softplus(says["T fake"]).mean(), "That is the saturating loss."),
            (F.softplus(says["T fake"]).mean(), "This G minimises what D wants: it learns to be caught."),
            (len(x) * g_want, "It is summed over the batch, wants the mean."),
        ],
    )
    if not all(weight.requires_grad for net in (G, D) for weight in net.parameters()):
        raise CheckFailed(
            "repaired_losses: it has frozen weights. A player whose weights want no gradient never learns."
        )
    check_no_gradient("from D's loss to G's weights", found[0], G, hint="Detach the fakes in D's loss.")
    check_gradient_reaches(
        "from G's loss to G's weights",
        found[1],
        G,
        hint="In G's turn nothing is detached, and T does not stand under no_grad.",
    )
    check_gradient_reaches("from D's loss to D's weights", found[0], D, hint="D learns from its loss.")
    (of_d,) = torch.autograd.grad(found[0], D.weight, retain_graph=True)
    halves = [
        (-torch.sigmoid(-says["T x"]) * seen["T x"]).mean(),
        (torch.sigmoid(says["T fake"]) * seen["T fake"]).mean(),
    ]
    check_close(
        "slope of D's loss in D's weight",
        of_d.sum(),
        sum(halves),
        mistakes=[
            (halves[0], "Only the real half teaches D. Detach the fakes, not what D says of them."),
            (halves[1], "Only the fakes' half teaches D. What D says of real samples is not detached."),
        ],
        atol=1e-3,
    )
    (of_g,) = torch.autograd.grad(found[1], G.weight, retain_graph=True)
    push = torch.sigmoid(-says["T fake"]) / 2 * z  # as if T had the slope 1
    check_close(
        "slope of G's loss in G's weight",
        of_g.sum(),
        (push * 2 * x_fake).mean(),
        mistakes=[(push.mean(), "It goes around T. G learns through T, with T's own slope.")],
        atol=1e-3,
    )


check_repaired(repaired_losses, torch.tensor([[0.5], [2.0], [-1.0]]), torch.tensor([[1.0], [-0.5], [0.3]]))
print("✓ Task 4: all visible checks pass.")
### BEGIN HIDDEN TESTS
generator = torch.Generator().manual_seed(6)
for n in (1, 20):
    check_repaired(repaired_losses, *torch.randn(2, n, 1, generator=generator))
### END HIDDEN TESTS

# %% tags=["watch"]
show_samples(
    repaired_losses,
    "yours",
    "Yours. With both faults gone all samples lie around 0, though D never sees one without T.",
)

# %% [markdown]
# ## Task 5. Measure how far a convolution stretches
#
# Spectral norm divides a kernel by the largest singular value of its *matrix* (task 1). That says how far one patch is
# stretched. An image is stretched further, since patches overlap: the lesson gives the bound, a factor of at most 2 for
# kernel 4 and stride 2. How far is it really? Find the convolution's own norm,
#
# $$\max_x \frac{\lVert A x \rVert}{\lVert x \rVert}, \qquad A x = \text{the convolution of } x \text{, without its bias}$$
#
# by power iteration on images. All that it takes is $A$ and $A^\top$, and the transpose of a convolution is the transposed
# convolution with the same kernel, stride and padding: `F.conv_transpose2d` (lesson 05). Take `steps` steps of the pair of
# lines in task 1, with images in place of vectors. The start `x` is an image that the convolution takes, so it stands for
# $v$: begin with the line for $u$. `layer` is an `nn.Conv2d`; leave it and `x` as they are.


# %% nbgrader={"grade": false, "grade_id": "task5_convolution_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def convolution_norm(layer, x, steps=200):
    """The largest ‖Ax‖ / ‖x‖ over images of x's shape, as a float.

    layer: an nn.Conv2d, with or without a bias.
    x: (1, n_in, height, width), random. height and width fit: the transposed convolution gives them back.
    """
    ### BEGIN SOLUTION
    settings = {"stride": layer.stride, "padding": layer.padding}
    with torch.no_grad():
        for _ in range(steps):
            y = F.conv2d(x, layer.weight, **settings)
            x = F.conv_transpose2d(y / y.norm(), layer.weight, **settings)
            sigma, x = x.norm().item(), x / x.norm()
    return sigma
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task5_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
import numpy as np


def matrix_of(layer, shape):
    """The convolution as a matrix, without its bias: one column for each pixel of an image."""
    pixels = torch.eye(math.prod(shape)).view(-1, *shape)
    with torch.no_grad():
        return F.conv2d(pixels, layer.weight, stride=layer.stride, padding=layer.padding).flatten(1).T.numpy()


def lengths(x, matrix, steps, bias=0.0):
    """After so many steps: (length on the way back, length on the way there, length without the bias)."""
    x = x.flatten().numpy() / x.norm().item()
    for _ in range(steps):
        y = matrix @ x + bias
        there, x = np.linalg.norm(y), matrix.T @ (y / np.linalg.norm(y))
        back, x = np.linalg.norm(x), x / np.linalg.norm(x)
    return back.item(), there.item(), np.linalg.norm(matrix @ x).item()


def check_norm(layer, shape, generator, what):
    """Compare with the singular values of the matrix that takes every pixel to every output."""
    x = torch.randn(1, *shape, generator=generator)
    before, matrix, original = x.clone(), matrix_of(layer, shape), copy.deepcopy(layer)
    with torch.no_grad():
        bias = layer(torch.zeros_like(x)).flatten().numpy()
    try:
        got = convolution_norm(layer, x, 300)
    except RuntimeError as error:
        if "size of tensor" in str(error) or "expected input" in str(error):
            raise CheckFailed(
                f"convolution_norm, {what}: the images do not fit. Has the way back the layer's stride and padding? "
                f"(PyTorch: {error})"
            ) from None
        raise
    for name, weight in original.named_parameters():
        now = dict(layer.named_parameters()).get(name)
        if now is None or not torch.equal(now, weight):
            raise CheckFailed(f"convolution_norm: the layer's {name} has changed. Leave the layer as it is.")
    if not torch.equal(x, before):
        raise CheckFailed("convolution_norm: the start x has changed. Make new tensors.")
    check_finite(
        f"convolution_norm, {what}",
        got,
        hint="Is the image brought to length 1 in every step? Otherwise its numbers grow or shrink out of all range.",
    )
    exact = np.linalg.svd(matrix, compute_uv=False)[0].item()
    start = (np.linalg.norm(matrix @ x.flatten().numpy()) / x.norm()).item()
    kernel = np.linalg.svd(layer.weight.detach().flatten(1).numpy(), compute_uv=False)[0].item()
    without = "The bias is left in: A is the convolution without it."
    check_close(
        f"convolution_norm, {what}",
        got,
        exact,
        hint="Is the way back the transposed convolution with the same kernel, stride and padding? Is the image as a whole "
        "brought to length 1 in every step? (F.normalize does it along one dimension.) Are all `steps` taken?",
        mistakes=[
            (kernel, "That is the norm of the kernel's matrix, of a single patch. Here patches overlap."),
            (kernel * layer.kernel_size[0] / layer.stride[0], "That is the bound. Measure how far it really is."),
            (exact**2, "That is the square: the norm of A followed by its transpose."),
            (start, "That is how far the start is stretched. Find the image that is stretched most."),
            *[(value, "That is after a single step. Take as many as `steps` says.") for value in lengths(x, matrix, 1)],
            *[(value, without) for value in lengths(x, matrix, 300, bias)],
        ],
        atol=0.004 * exact,
    )


torch.manual_seed(3)
generator = torch.Generator().manual_seed(2)
check_norm(nn.Conv2d(1, 3, 3, padding=1, bias=False), (1, 6, 6), generator, "kernel 3, stride 1")
check_norm(nn.Conv2d(2, 3, 4, 2, 1), (2, 8, 8), generator, "kernel 4, stride 2, with a bias")
print("✓ Task 5: all visible checks pass.")
### BEGIN HIDDEN TESTS
with torch.no_grad():
    biased = nn.Conv2d(1, 2, 4, 2, 1)
    biased.bias.fill_(5.0)
check_norm(biased, (1, 8, 8), generator, "kernel 4, stride 2, a large bias")
check_norm(nn.Conv2d(3, 2, 2, 2, bias=False), (3, 6, 6), generator, "kernel 2, stride 2: patches side by side")
check_norm(nn.Conv2d(2, 2, 5, 1, 2), (2, 7, 7), generator, "kernel 5, stride 1")
### END HIDDEN TESTS

# %% [markdown]
# Now use it: the two convolutions of lesson 06's D and one twice as wide, with new weights, divided by the norm of their
# kernel's matrix as spectral norm does.

# %% tags=["watch"]
torch.manual_seed(0)
for n_in, n_out, size in ((1, 16, 28), (16, 32, 14), (32, 64, 14)):
    layer = nn.Conv2d(n_in, n_out, 4, 2, 1)
    with torch.no_grad():
        layer.weight /= torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2)
    norm = convolution_norm(layer, torch.randn(1, n_in, size, size))
    print(f"{n_in:2} -> {n_out} channels: the kernel's matrix 1.00, the convolution {norm:.2f}, the bound 2")

# %% [markdown]
# ## What you take away
#
# - Power iteration needs a map and its transpose, nothing else. It finds the norm of a matrix, and of a convolution.
# - Spectral norm bounds each patch. A convolution with overlapping patches may stretch further, up to a known factor.
# - A change may stand in $T$ if every image has a draw of its own and a gradient passes through it.
# - $T$ stands between every image and D, in both turns. Wherever it is missing, D or G learns about $T$.
