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
# # Exercise 10: the gradient penalty
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# In lesson 10 you make the critic pay where its slope is not 1. Here you write the penalty, find out which nets it may be
# used with, repair a critic that runs the wrong way, and read a distance off a trained one.
#
# | task | what you do | points |
# |---|---|---|
# | 1 | complete the gradient penalty | 4 |
# | 2 | complete a test: who depends on whom in a batch? | 3 |
# | 3 | predict penalties, slopes and signs | 3 |
# | 4 | debug a critic's loss | 4 |
# | 5 | measure a distance that is safe to quote | 3 |
#
# Plan 60 minutes. You need lesson 10 and no GPU. Everything here runs in seconds.
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
import math

import matplotlib.pyplot as plt
import torch
from torch import nn

from ganedu.blocks import mlp
from ganedu.checks import CheckFailed
from ganedu.regularizers import gradient_penalty as finished_penalty
from ganedu.views.figure import CRITIC, FAKE, REAL, show

# %% [markdown]
# ## Task 1. The gradient penalty
#
# $$\mathrm{GP} = \mathbb{E}\big[(\lVert \nabla_{\hat x} D(\hat x) \rVert_2 - 1)^2\big] \qquad \hat x_i = \varepsilon_i x_i + (1 - \varepsilon_i)\, \tilde x_i$$
#
# with a fake $\tilde x_i$ for each real sample $x_i$. Here you are **given** the $\varepsilon$, one a sample, so that your
# result can be checked. Samples may be vectors, images or anything else, and a batch may hold a single one; D sees
# them in the shape that they have. The result is to be trained on: D's weights get a gradient from it. The fakes get none.
# What you are given stays as it is, the gradients that D's weights hold included.


# %% nbgrader={"grade": false, "grade_id": "task1_gradient_penalty", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gradient_penalty(D, x, x_fake, epsilon):
    """The penalty before its weight, a tensor of shape ().

    D: maps (N, ...) samples to (N, 1) scores, and judges each sample on its own.
    x, x_fake: real samples and fakes, both (N, ...).
    epsilon: (N,), numbers between 0 and 1.
    """
    ### BEGIN SOLUTION
    epsilon = epsilon.reshape(len(x), *[1] * (x.ndim - 1))
    x_hat = (epsilon * x + (1 - epsilon) * x_fake).detach().requires_grad_()
    # the sum, not the mean: each sample's gradient is then that of its own score
    (gradient,) = torch.autograd.grad(D(x_hat).sum(), x_hat, create_graph=True)
    return (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task1_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import (
    check_close,
    check_gradient_reaches,
    check_gradients,
    check_no_gradient,
    plain_errors,
    unchanged,
)


class Bowl(nn.Module):
    """D(x) = w/2 · (sum of the squares of x). Its gradient at x is w x."""

    def __init__(self, w=1.0):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w))

    def forward(self, x):
        return self.w / 2 * x.flatten(1).square().sum(1, keepdim=True)


def penalty_of(D, x, x_fake, epsilon):
    """Your penalty, and a sentence where shapes do not fit or what you are given is changed."""

    def look(D, inputs):
        if inputs[0].shape[1:] != x.shape[1:]:
            raise CheckFailed(
                f"gradient_penalty: D gets samples of shape {tuple(inputs[0].shape[1:])}, real ones have shape "
                f"{tuple(x.shape[1:])}. Interpolates have the shape of samples, and epsilon one dimension of size 1 for each "
                "dimension of a sample."
            )

    shapes = (
        f"samples of shape {tuple(x.shape[1:])} and {len(x)} numbers epsilon do not fit. Give epsilon one dimension of size 1 "
        "for each dimension of a sample."
    )
    known = [
        ("must match the size", shapes),
        ("invalid for input of size", shapes),
        (
            "does not require grad",
            "PyTorch finds no way back to the place where you ask for the gradient. The interpolates must take gradients "
            "before D sees them.",
        ),
        ("only for scalar outputs", "D gives N scores, and a gradient is that of one number. Add them up."),
    ]
    moved = {
        "D": "D's next step would follow them. Ask for the gradient at the interpolates alone, with torch.autograd.grad.",
        "x": "The interpolates are a tensor of their own.",
    }
    looking = D.register_forward_pre_hook(look)
    for p in D.parameters():
        p.grad = torch.ones_like(p)
    watched = {"D": D, "x": x, "x_fake": x_fake, "epsilon": epsilon}
    try:
        with unchanged("gradient_penalty", **watched, hints=moved), plain_errors("gradient_penalty", hints=known):
            return gradient_penalty(D, x, x_fake, epsilon)
    finally:
        looking.remove()
        D.zero_grad(set_to_none=True)


line = nn.Linear(4, 1)
with torch.no_grad():
    line.weight.fill_(2.0)
epsilon = torch.tensor([0.5, 0.25, 1.0])
got = penalty_of(line, torch.ones(3, 4), torch.zeros(3, 4), epsilon)
check_close(
    "gradient_penalty of D(x) = 2 (x₁ + x₂ + x₃ + x₄), three samples",
    got,
    9.0,
    hint="The gradient is (2, 2, 2, 2) everywhere. How long is it?",
    mistakes=[
        (
            (4 / 3 - 1) ** 2,
            "The gradient is that of the mean score, so it is divided by N. Take the sum over the batch.",
        ),
        ((4 * math.sqrt(3) - 1) ** 2, "That is one norm for the whole batch. Each sample has a norm of its own."),
        (1.0, "That is a norm for each number. A sample has one norm, over all of its dimensions."),
        (16.0, "That is the mean squared slope, which is 0 for a flat D. The penalty asks for slope 1."),
        (27.0, "You add up over the batch; E is an average."),
        (15.0**2, "The squares are added up, but the length is the root of that sum."),
        (49.0, "That is the sum of the absolute numbers. The length is the root of the sum of squares."),
        (90.0, "The weight is not yours to put in here: the penalty comes before its weight."),
        (3.0, "The distance from slope 1 is not squared."),
    ],
)
check_gradient_reaches(
    "from the penalty to D's weights",
    got,
    line,
    hint="The number is right, but it is a constant: D would learn as if there were no penalty. Ask for create_graph.",
)
x = torch.tensor([[3.0, 4.0], [0.0, 8.0]])
x_fake = torch.tensor([[0.0, 0.0], [6.0, 0.0]])
epsilon = torch.tensor([0.6, 0.25])
bowl = Bowl()
got = penalty_of(bowl, x, x_fake, epsilon)
a, b = 3.0, math.hypot(4.5, 2.0)  # the lengths of both interpolates
check_close(
    "gradient_penalty of D(x) = (x₁² + x₂²)/2, two samples",
    got,
    ((a - 1) ** 2 + (b - 1) ** 2) / 2,
    hint="The slope at x is the length of x. With the epsilons that you are given, 0.6 and 0.25, the interpolates are "
    "(1.8, 2.4) and (4.5, 2).",
    mistakes=[
        ((4**2 + 7**2) / 2, "That is the slope at the real samples."),
        ((1 + 5**2) / 2, "That is the slope at the fakes."),
        (
            (1.0**2 + (math.hypot(1.5, 6.0) - 1) ** 2) / 2,
            "epsilon goes with the real sample, 1 - epsilon with the fake.",
        ),
        (
            (2.0**2 + (math.hypot(2.4, 4.8) - 1) ** 2) / 2,
            "The first epsilon stands for all. Each sample has its own.",
        ),
        ((1.5**2 + 4.0**2) / 2, "You take the middle of each line. Use the epsilons that you are given."),
        (
            ((math.hypot(1.8, 1.0) - 1) ** 2 + (math.hypot(2.4, 2.0) - 1) ** 2) / 2,
            "Here epsilon runs along the coordinates, not along the samples. Give it a dimension of size 1 at its end.",
        ),
        (((a + b) / 2 - 1) ** 2, "You average the slopes before you square. The square belongs inside."),
    ],
)
want = [torch.tensor((a - 1) * a + (b - 1) * b)]  # d/dw of ((w a - 1)² + (w b - 1)²)/2 at w = 1
check_gradients(
    "gradient_penalty, its gradient in D's weight", torch.autograd.grad(got, bowl.parameters()), want, atol=1e-3
)
image = torch.full((3, 1, 2, 2), 3.0)
check_close(
    "gradient_penalty of images of shape (1, 2, 2)",
    penalty_of(bowl, image, torch.zeros_like(image), torch.tensor([1.0, 0.5, 1 / 3])),
    (5**2 + 2**2 + 1**2) / 3,
    hint="An image is one sample: one norm, over channels, rows and columns.",
    mistakes=[
        ((2**2 + 0.5**2 + 0) / 3, "Of an image only one dimension goes into your norm. Flatten each image first."),
        (
            ((3 * 2**0.5 - 1) ** 2 + (1.5 * 2**0.5 - 1) ** 2 + (2**0.5 - 1) ** 2) / 3,
            "Of an image only one dimension goes into your norm. Flatten each image first.",
        ),
    ],
)
check_close(
    "gradient_penalty of numbers, shape (1,), where the slopes are 0.5 and 3",
    penalty_of(bowl, torch.tensor([[1.0], [6.0]]), torch.zeros(2, 1), torch.tensor([0.5, 0.5])),
    (0.5**2 + 2**2) / 2,
    hint="A number is a sample, too, and its slope is the size of its one gradient.",
    mistakes=[
        (2**2 / 2, "A slope below 1 costs nothing in your penalty. This one pays on either side of 1."),
        (0.5**2 / 2, "A slope above 1 costs nothing in your penalty. This one pays on either side of 1."),
        (
            (math.hypot(0.5, 3.0) - 1) ** 2,
            "Both numbers have got into one norm. Samples stay apart, along the first dimension.",
        ),
    ],
)
G = nn.Linear(2, 2)
z = torch.ones(2, 2)
hint = "Detach the interpolates: the penalty is the critic's business alone."
check_no_gradient("from the penalty to G's weights", penalty_of(bowl, x, G(z), epsilon), G, hint=hint)
print("✓ Task 1: all visible checks pass.")


### BEGIN HIDDEN TESTS
def by_hand(D, x, x_fake, epsilon):
    """One sample at a time, by central differences in float64."""
    total = 0.0
    for real, fake, share in zip(x, x_fake, epsilon):
        place = share * real + (1 - share) * fake
        squares = 0.0
        for i in range(place.numel()):
            step = torch.zeros(place.numel(), dtype=torch.float64)
            step[i] = 1e-5
            step = step.reshape(place.shape)
            with torch.no_grad():
                squares += ((D((place + step)[None]) - D((place - step)[None])).item() / 2e-5) ** 2
        total += (math.sqrt(squares) - 1) ** 2
    return total / len(x)


generator = torch.Generator().manual_seed(5)
for shape in ((1, 5), (7, 3), (4, 4), (6, 1), (3, 2, 3, 3), (1, 1, 4, 4)):
    torch.manual_seed(6)
    D = nn.Sequential(nn.Flatten(), mlp([math.prod(shape[1:]), 8, 1], nn.Tanh)).double()
    x, x_fake = torch.randn(2, *shape, generator=generator, dtype=torch.float64)
    epsilon = torch.rand(shape[0], generator=generator, dtype=torch.float64)
    got = penalty_of(D, x, x_fake, epsilon)
    check_close(f"gradient_penalty, {shape}", got, by_hand(D, x, x_fake, epsilon), hint="It fits the examples only.")
    check_gradient_reaches("from the penalty to D's weights", got, D)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2. Who depends on whom?
#
# The penalty is meant for a D that judges each sample on its own. Write the test. `influence` returns a matrix: the entry
# in row $i$ and column $j$ says how strongly the score of sample $i$ depends on sample $j$,
#
# $$M_{ij} = \big\lVert \nabla_{x_j} D(x)_i \big\rVert_2$$
#
# where $D(x)_i$ is the $i$-th score of the *whole batch*, put through D once. D stays in the mode in which you get it. On
# the diagonal stands each sample's own slope. Where D judges one by one, everything else is 0.


# %% nbgrader={"grade": false, "grade_id": "task2_influence", "locked": false, "schema_version": 3, "solution": true, "task": false}
def influence(D, x):
    """The matrix M, (N, N), without a gradient. x: (N, ...) samples."""
    ### BEGIN SOLUTION
    x = x.detach().clone().requires_grad_()
    scores = D(x).flatten()
    rows = [torch.autograd.grad(score, x, retain_graph=True)[0] for score in scores]
    return torch.stack(rows).flatten(2).norm(dim=2).detach()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task2_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_close, check_shape


def check_influence(D, x, name, want):
    """Compare with the wanted matrix; known mistakes first."""
    training = D.training
    try:
        got = influence(D, x)
    except RuntimeError as error:
        if "second time" in str(error):
            raise CheckFailed(
                "influence: all N gradients pass through one graph, and the first frees it. Keep it with retain_graph=True."
            ) from None
        if "does not require grad" in str(error):
            raise CheckFailed("influence: x takes no gradient. Ask for it before D sees x.") from None
        if "not have been used in the graph" in str(error):
            raise CheckFailed(
                "influence: the gradient is asked for in something that D has not seen. Take x apart into rows after D, not "
                "before."
            ) from None
        raise
    if D.training is not training:
        raise CheckFailed(
            "influence: it leaves D in another mode, train or eval, than it got it in. Leave the mode alone."
        )
    n = len(x)
    check_shape(f"influence, {name}", got, (n, n), hint="One row for each score, one column for each sample.")
    if got.requires_grad:
        raise CheckFailed("influence: the matrix still carries a graph. Detach it.")
    got, want = got.double(), want.double()
    batch = x.detach().clone().requires_grad_()
    pooled = torch.autograd.grad(D(batch).sum(), batch)[0].flatten(1).norm(dim=1)
    mixes = not torch.allclose(want, torch.diag(want.diag()), atol=1e-5)
    if mixes and torch.allclose(got, torch.diag(got.diag()), atol=1e-6):
        raise CheckFailed(
            f"influence, {name}: everything off the diagonal is 0, but this D mixes its samples. Put the whole batch through D "
            "in the mode that it is in, not its samples one by one, and take the gradient of each score in all of them."
        )
    for i in range(n):
        for j in range(n):
            check_close(
                f"influence, {name}, row {i}, column {j}",
                got[i, j],
                want[i, j],
                hint="Row i is the gradient of score i, one norm for each sample.",
                mistakes=[
                    (want[j, i], "Rows and columns have changed places: the row says whose score it is."),
                    (pooled[j], "That is the gradient of the sum over all scores. A row is the gradient of one score."),
                    (want[i].norm(), "That is one norm over the whole batch. Each column has a norm of its own."),
                    (want[i, j] ** 2, "That is the square of the length."),
                    (want[i, j] / n, "That is the gradient of the mean score. A row is the gradient of one score."),
                    (
                        want[i, j] / want.diag().mean(),
                        "Nothing is divided here; the lesson does it for its picture only.",
                    ),
                ],
                atol=1e-4,
            )


class Pair(nn.Module):
    """D(x)_i = 3 x_i1 + 4 x_i2 + (what the sample before it has, times 2): each score looks at two samples."""

    def forward(self, x):
        return 3 * x[:, :1] + 4 * x[:, 1:] + 2 * x[:, :1].roll(1, 0)


class Alone(nn.Module):
    """D(x)_i = 3 x_i1 + 4 x_i2: each score looks at its own sample."""

    def forward(self, x):
        return 3 * x[:, :1] + 4 * x[:, 1:]


weights = torch.tensor([[5.0, 0.0, 2.0], [2.0, 5.0, 0.0], [0.0, 2.0, 5.0]])
check_influence(Pair(), torch.randn(3, 2), "a D that looks at the sample before", weights)
check_influence(Alone(), torch.randn(3, 2), "a D that judges one by one", 5 * torch.eye(3))
print("✓ Task 2: all visible checks pass.")
### BEGIN HIDDEN TESTS


def by_differences(D, x):
    """The matrix by central differences in float64, one number of one sample at a time."""
    n = len(x)
    squares = torch.zeros(n, n, dtype=torch.float64)
    for j in range(n):
        for k in range(x[0].numel()):
            step = torch.zeros(x.numel(), dtype=torch.float64)
            step[j * x[0].numel() + k] = 1e-5
            step = step.reshape(x.shape)
            with torch.no_grad():
                squares[:, j] += ((D(x + step) - D(x - step)).flatten() / 2e-5) ** 2
    return squares.sqrt()


torch.manual_seed(7)
nets = {
    "batch norm": nn.Sequential(nn.Linear(3, 6), nn.BatchNorm1d(6), nn.Tanh(), nn.Linear(6, 1)),
    "layer norm": nn.Sequential(nn.Linear(3, 6), nn.LayerNorm(6), nn.Tanh(), nn.Linear(6, 1)),
}
for name, D in nets.items():
    D, x = D.double(), torch.randn(5, 3, dtype=torch.float64)
    check_influence(D, x, name, by_differences(D, x))
    D.eval()
    check_influence(D, x, f"{name} in eval mode", by_differences(D, x))
D = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Tanh(), nn.Flatten(), nn.Linear(12, 1)).double()
x = torch.randn(3, 2, 4, 4, dtype=torch.float64)
check_influence(D, x, "images", by_differences(D, x))
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3. Predict
#
# Think first, with paper. Then write your answers into `predictions`; 0.01 either way is near enough.
#
# - `line`: $D(x) = 3 x_1 - 4 x_2 + 7$ and $\lambda = 10$. How large is $\lambda\,\mathrm{GP}$?
# - `flat`: D says 7 of everything, $\lambda = 10$. How large is $\lambda\,\mathrm{GP}$?
# - `slope_of_the_mean`: somebody writes `D(x_hat).mean()` in place of the sum, with batches of 32, and trains D on the penalty
#   alone until it is 0. Which slope does D have at the interpolates?
# - `which_loss`: in one and the same run `d_loss` was -1.5 at round 100 and is -0.3 at round 1,000, and the slope stays near 1.
#   - `"a"`: the fakes have come nearer to the data.
#   - `"b"`: D has got worse: its loss rose.
#   - `"c"`: training runs away, as losses must not be below 0.
# - `no_graph`: somebody forgets `create_graph=True`. What happens?
#   - `"a"`: an error at the first step of D.
#   - `"b"`: no error; the penalty has another value.
#   - `"c"`: no error and the right value; D learns as if $\lambda$ were 0.
# - `norms`: which of these may stand in a critic with a gradient penalty? `"batch"` (norm), `"layer"` (norm), `"both"` or
#   `"neither"`.
# - `at_the_goal`: the fakes are distributed exactly like the data. D minimises $L_D$ with its penalty. Which slope does it
#   have at the interpolates, 0 or 1?


# %% nbgrader={"grade": false, "grade_id": "task3_predictions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predictions():
    """Your answers, a dict with the seven names above as keys."""
    ### BEGIN SOLUTION
    return {
        "line": 160.0,  # the slope is 5
        "flat": 10.0,  # the slope is 0
        "slope_of_the_mean": 32.0,
        "which_loss": "a",
        "no_graph": "c",
        "norms": "layer",
        "at_the_goal": 1.0,  # the other two terms cancel whatever D is, so the penalty alone decides
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task3_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# This check looks at the form of your answers only.
from ganedu.checks import check_finite, check_one_of

answers = predictions()
numbers = ("line", "flat", "slope_of_the_mean", "at_the_goal")
choices = {"which_loss": ["a", "b", "c"], "no_graph": ["a", "b", "c"], "norms": ["batch", "layer", "both", "neither"]}
keys = ("line", "flat", "slope_of_the_mean", "which_loss", "no_graph", "norms", "at_the_goal")
if not isinstance(answers, dict) or set(answers) != set(keys):
    raise CheckFailed(f"predictions: got {answers!r}, wants a dict with the keys {', '.join(keys)}.")
answers = {key: answer.strip().lower() if isinstance(answer, str) else answer for key, answer in answers.items()}
for key in numbers:
    check_finite(key, answers[key])
for key, allowed in choices.items():
    check_one_of(key, answers[key], allowed)
print(
    "✓ Task 3: all visible checks pass. The form is right; whether the answers are is marked when you hand in. "
    "On your own, from the repository's root: `.venv/bin/python tools/grading.py exercises/10_wgan_gp.ipynb` "
    "(needs the instructor extra)."
)
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "line",
    160.0,
    hint="The gradient is (3, -4). How long is it, and how far is that from 1?",
    mistakes=[
        (16.0, "The weight of 10 is missing."),
        (250.0, "That is ten times the squared slope. The penalty asks for slope 1, not 0."),
        (5760.0, "25 is the squared length of (3, -4). The length is its root."),
        (40.0, "The distance of the slope from 1 is squared."),
        (0.0, "3 - 4 is -1, but the length of (3, -4) is 5."),
        (360.0, "The length of (3, -4) is the root of 9 + 16, not the sum of 3 and 4."),
    ],
    atol=0.011,
)
marks.judge(
    "flat",
    10.0,
    hint="What is the slope of a constant?",
    mistakes=[
        (0.0, "A flat D pays too: its slope is 0, not 1."),
        (1.0, "The weight of 10 is missing for the flat D."),
        (490.0, "A seven stands in the score; the penalty looks at the slope."),
        (360.0, "A seven stands in the score; the penalty looks at the slope."),
        (-10.0, "A square is not below 0."),
    ],
    atol=0.011,
)
marks.judge(
    "slope_of_the_mean",
    32.0,
    hint="Which slope, divided by the batch size, is 1?",
    mistakes=[
        (1.0, "The mean divides each gradient by 32 before it is compared with 1."),
        (1 / 32, "The other way round: the penalty sees a slope 32 times too small."),
        (0.0, "A penalty of 0 does not mean a slope of 0: which slope does this penalty take for 1?"),
    ],
    atol=0.011,
)
marks.judge(
    "which_loss",
    "a",
    mistakes=[
        ("b", "D's loss is minus a distance. What does a rise to 0 say of the distance?"),
        ("c", "A critic's scores have no bounds, so its loss is no cross-entropy and may well be below 0."),
    ],
)
marks.judge(
    "no_graph",
    "c",
    mistakes=[
        ("a", "The rest of D's loss still has its way to the weights, so PyTorch does not complain."),
        ("b", "create_graph changes nothing about the value, only what can be done with it."),
    ],
)
marks.judge(
    "norms",
    "layer",
    mistakes=[
        ("batch", "Batch norm is the one that mixes the samples of a batch."),
        ("both", "With batch norm a score depends on the other samples of the batch."),
        ("neither", "Layer norm takes mean and deviation over one sample's own units."),
    ],
)
marks.judge(
    "at_the_goal",
    1.0,
    hint="What is left of L_D where both means are equal?",
    mistakes=[(0.0, "E D(x) and E D(G(z)) cancel whatever D is. What is left of L_D, and when is it smallest?")],
    atol=0.011,
)
marks.report()
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4. Debug a critic's loss
#
# Real numbers come from around 3, fakes from around 0. This loss is meant to be the critic's of lesson 10, with
# $\lambda = 100$, a spring so stiff that the slope stays close to 1. It runs without an error, and it has **two faults**.


# %% nbgrader={"grade": false, "grade_id": "broken", "locked": true, "schema_version": 3, "solution": false, "task": false}
def broken_d_loss(G, D, x, z, gp_weight=100.0):
    """The critic's loss with a gradient penalty. It has two faults."""
    x_fake = G(z).detach()
    epsilon = torch.rand(len(x), 1)
    x_hat = (epsilon * x + (1 - epsilon) * x_fake).requires_grad_()
    (gradient,) = torch.autograd.grad(D(x_hat).mean(), x_hat, create_graph=True)
    penalty = (gradient.norm(dim=1) - 1).square().mean()
    return D(x).mean() - D(x_fake).mean() + gp_weight * penalty


def train_critic(d_loss, n=8, steps=400):
    """A critic of numbers, trained with batches of n real numbers around 3 and n fakes around 0."""
    torch.manual_seed(0)
    D = mlp([1, 32, 32, 1], nn.ReLU)
    optimizer = torch.optim.Adam(D.parameters(), lr=5e-3, betas=(0.0, 0.9))
    for _ in range(steps):
        loss = d_loss(lambda z: 0.3 * z, D, 3 + 0.3 * torch.randn(n, 1), torch.randn(n, 1))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return D


def show_critic(d_loss, title, caption):
    """Draw the critic's scores, and print how they change from the fakes to the real numbers."""
    D, at = train_critic(d_loss), torch.linspace(-1, 4, 101)[:, None]
    with torch.no_grad():
        scores = D(at) - D(torch.zeros(1, 1))
        rise = (D(torch.tensor([[3.0]])) - D(torch.zeros(1, 1))).item() / 3
    figure, axes = plt.subplots(figsize=(6, 2.8), layout="constrained")
    axes.plot(at, scores, color=CRITIC, label="the critic, 0 at the fakes")
    axes.axvspan(-0.6, 0.6, color=FAKE, alpha=0.2, label="fakes")
    axes.axvspan(2.4, 3.6, color=REAL, alpha=0.2, label="real numbers")
    axes.set(xlabel="x", ylabel="score", title=title)
    axes.legend(frameon=False, fontsize=8)
    show(figure, caption, "A curve of the critic's score between the fakes and the real numbers.")
    print(f"{title}: from the fakes to the real numbers the score changes by {rise:.2f} per step of 1")


# %% tags=["watch"]
show_critic(broken_d_loss, "broken", "Batches of 8. G climbs this curve: which way does it send the fakes?")

# %% [markdown]
# A critic that holds its slope rises by about 1 per step of 1, from the fakes to the real numbers. Read the picture:
#
# 1. Which way does the curve go? Which kind of number does this loss want to score high?
# 2. How many times too steep is it, roughly? Which number of this task is that? (The picture's caption names it.)
#
# Write `repaired_d_loss`. It draws its own $\varepsilon$, one a sample, with `torch.rand`, and works for samples of any shape.
# As always, D's loss sends no gradient into G.


# %% nbgrader={"grade": false, "grade_id": "task4_repaired", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repaired_d_loss(G, D, x, z, gp_weight=100.0):
    """The critic's loss with a gradient penalty, a tensor of shape ()."""
    ### BEGIN SOLUTION
    x_fake = G(z).detach()
    epsilon = torch.rand(len(x), *[1] * (x.ndim - 1))
    x_hat = (epsilon * x + (1 - epsilon) * x_fake).requires_grad_()
    (gradient,) = torch.autograd.grad(D(x_hat).sum(), x_hat, create_graph=True)
    penalty = (gradient.flatten(1).norm(dim=1) - 1).square().mean()
    return D(x_fake).mean() - D(x).mean() + gp_weight * penalty
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task4_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_close, check_gradient_reaches, check_gradients, check_no_gradient


def check_d_loss(d_loss, shape, steep, gp_weight):
    """A linear critic, whose slope is the same everywhere, so that no draw of epsilon changes its loss."""
    n, size = shape[0], math.prod(shape[1:])
    torch.manual_seed(11)
    D = nn.Sequential(nn.Flatten(), nn.Linear(size, 1))
    with torch.no_grad():
        D[1].weight.fill_(steep)
    G, x, z = nn.Linear(2, size), torch.randn(shape), torch.randn(n, 2)
    make = nn.Sequential(G, nn.Unflatten(1, shape[1:]))
    try:
        got = d_loss(make, D, x, z, gp_weight)
    except RuntimeError as error:
        if any(words in str(error) for words in ("must match the size", "does not match", "cannot be multiplied")):
            raise CheckFailed(
                f"repaired_d_loss: it does not take samples of shape {shape[1:]}. Give epsilon one dimension of size 1 for "
                "each dimension of a sample."
            ) from None
        raise
    with torch.no_grad():
        real, fake = D(x).mean().item(), D(make(z)).mean().item()
    length = abs(steep) * math.sqrt(size)
    right, divided = (length - 1) ** 2, (length / n - 1) ** 2
    lost = "The penalty has got lost."
    if length < 1:
        lost = "Where the slope is below 1 this penalty is 0. It asks for slope 1 from either side."
    check_close(
        f"repaired_d_loss of samples of shape {shape[1:]}",
        got,
        fake - real + gp_weight * right,
        hint="It is E D(G(z)) - E D(x) + λ GP.",
        mistakes=[
            (real - fake + gp_weight * divided, "Both faults are still there."),
            (
                real - fake + gp_weight * right,
                "This critic still wants the fakes to score high: turn the difference round.",
            ),
            (fake - real + gp_weight * divided, "The gradient in the penalty is still divided by the batch size."),
            (fake - real - gp_weight * right, "The penalty has to be added: D minimises this loss."),
            (fake - real + right, "The weight of the penalty, gp_weight, is not used."),
            (fake - real, lost),
            *[
                (fake - real + fixed * right, "The weight is a fixed number here: use gp_weight.")
                for fixed in (10, 100)
            ],
            (fake - real + gp_weight * length**2, "This penalty asks for slope 0. It is to ask for slope 1."),
            (fake - real + gp_weight * abs(length - 1), "The distance of the slope from 1 is not squared."),
            (-(fake - real + gp_weight * right), "Everything is turned round now, the penalty as well."),
            (
                fake - real + gp_weight * (abs(steep) - 1) ** 2,
                "Every number of a sample has a norm of its own here. Flatten each sample first.",
            ),
        ],
        atol=1e-3,
    )
    check_no_gradient(
        "from D's loss to G's weights", got, G, hint="Detach the fakes once, before anything is done with them."
    )
    check_gradient_reaches(
        "from D's loss to D's weights", got, D, hint="Return a tensor, not a float, and detach fakes only."
    )
    with torch.no_grad():
        on_fakes, on_real = make(z).flatten(1).mean(0)[None], x.flatten(1).mean(0)[None]
        weight = D[1].weight.detach()
        held = gp_weight * 2 * (length - 1) * weight / length
    (found,) = torch.autograd.grad(got, D[1].weight, retain_graph=True)
    check_gradients(
        "repaired_d_loss, its gradient in D's weights",
        [found],
        [on_fakes - on_real + held],
        hint="The number is right, but part of it does not reach D.",
        mistakes=[
            ([on_fakes - on_real], "The penalty sends no gradient to D's weights. Ask for create_graph."),
            ([held - on_real], "D learns nothing from fakes: detach what G gives to D, not what D says of it."),
            ([on_fakes + held], "D learns nothing from real samples: there is nothing to detach."),
            ([held], "Only the penalty reaches D: detach what G gives to D, and nothing behind D."),
        ],
        atol=1e-3,
    )


check_d_loss(repaired_d_loss, (8, 1), 3.0, 5.0)
check_d_loss(repaired_d_loss, (6, 1, 2, 2), -0.7, 20.0)
check_d_loss(repaired_d_loss, (4, 3), 0.3, 2.0)
print("✓ Task 4: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_d_loss(repaired_d_loss, (5, 3), 1.2, 0.5)
check_d_loss(repaired_d_loss, (1, 4), -2.0, 3.0)


def flat_where_right(D, sentence):
    """A D that is flat wherever interpolates may lie, and steep elsewhere: the penalty is 1 if they are where they belong."""
    reals = torch.linspace(1, 2, 64)[:, None].expand(64, 2)
    loss = repaired_d_loss(lambda z: -reals, D, reals.clone(), torch.zeros(64, 2), 1.0)
    if abs(float(loss.detach()) - 1) > 1e-3:
        raise CheckFailed(f"the penalty: {sentence}")


class Across(nn.Module):
    """Half the squared difference of both coordinates: flat where they are equal."""

    def forward(self, x):
        return (x[:, :1] - x[:, 1:]).square() / 2


class Beyond(nn.Module):
    """How far the first coordinate is outside of [-2, 2]: flat inside."""

    def forward(self, x):
        return torch.relu(x[:, :1].abs() - 2)


flat_where_right(
    Across(), "some interpolates are off the line from fake to real sample. One epsilon for all its numbers."
)
flat_where_right(Beyond(), "some interpolates lie beyond their two samples. epsilon is between 0 and 1: torch.rand.")
# where the slope differs from place to place: the mean over draws of epsilon of (‖x̂‖ - 1)², by quadrature
bowl = Bowl()
x, fakes = torch.tensor([[3.0, 4.0], [0.0, 8.0]]), torch.tensor([[0.0, 0.0], [6.0, 0.0]])
shares = (torch.arange(2000).double() + 0.5) / 2000
want = 0.0
for real, fake in zip(x.double(), fakes.double()):
    want += ((shares[:, None] * real + (1 - shares[:, None]) * fake).norm(dim=1) - 1).square().mean().item() / 2
torch.manual_seed(12)
drawn = [repaired_d_loss(lambda z: fakes, bowl, x, torch.zeros(2, 2), 1.0).item() for _ in range(4000)]
base = (bowl(fakes).mean() - bowl(x).mean()).item()
check_close(
    "the penalty, averaged over 4,000 draws",
    sum(drawn) / 4000 - base,
    want,
    hint="Are the interpolates spread evenly from fakes to real samples?",
    mistakes=[
        ((4.0**2 + 7.0**2) / 2, "The slope is looked at in the real samples only, not on the way to the fakes."),
        ((1.0 + 5.0**2) / 2, "The slope is looked at in the fakes only, not on the way to the real samples."),
        ((1.5**2 + 4.0**2) / 2, "The slope is looked at in the middle only. epsilon is drawn, anew for each batch."),
    ],
    atol=0.5,
)
spread = torch.tensor(drawn).std().item()
ends = [((share * x.double() + (1 - share) * fakes.double()).norm(dim=1) - 1).square() for share in shares]
alone = torch.stack(ends).var(0).sum().sqrt().item() / 2  # of a mean of two that are drawn apart
together = torch.stack(ends).mean(1).std().item()
if abs(spread - together) < abs(spread - alone):
    raise CheckFailed("the penalty: all samples of a batch share one epsilon. Each has its own.")
### END HIDDEN TESTS

# %% tags=["watch"]
show_critic(
    repaired_d_loss, "yours", "Repaired: it rises from the fakes to the real numbers, by about 1 per step of 1."
)

# %% [markdown]
# ## Task 5. Measure: a distance that is safe to quote
#
# $\mathbb{E}[D(x)] - \mathbb{E}[D(G(z))]$ is at most $W_1$ for a critic whose slope is nowhere above 1. A trained critic is a little
# steeper here and there. If its steepest slope is $K$, then $D / K$ is a critic that keeps the rule, and
#
# $$W_1 \ge \frac{\mathbb{E}[D(x)] - \mathbb{E}[D(\tilde x)]}{K}$$
#
# You know $D$ by its gradients at places that you are given: take the steepest of these as $K$, be it above or below 1. (So
# the bound is as good as the places.) Real samples and fakes may differ in number. A critic that scores fakes higher gives a
# bound below 0: leave it so, that is how you recognise it.


# %% nbgrader={"grade": false, "grade_id": "task5_safe_distance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def safe_distance(D, x, x_fake, places):
    """The bound, a float.

    D: maps (N, ...) samples to (N, 1) scores, and judges each sample on its own.
    x, x_fake: (N, ...) and (M, ...), fresh real samples and fakes.
    places: (P, ...), where D's slope is looked at.
    """
    ### BEGIN SOLUTION
    places = places.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(D(places).sum(), places)
    steepest = gradient.flatten(1).norm(dim=1).max().item()
    with torch.no_grad():
        return (D(x).mean() - D(x_fake).mean()).item() / steepest
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task5_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_close


def bound_by(D, x, x_fake, places):
    """Your bound, and a sentence in place of PyTorch's."""
    try:
        return safe_distance(D, x, x_fake, places)
    except RuntimeError as error:
        words = str(error)
        if "does not require grad" in words:
            raise CheckFailed(
                "safe_distance: PyTorch finds no way back to the places. They must take gradients before D sees them, "
                "outside of torch.no_grad."
            ) from None
        if "grad can be implicitly created only for scalar outputs" in words:
            raise CheckFailed(
                "safe_distance: D gives a score for each place. Add them up before you differentiate."
            ) from None
        if "must match the size" in words:
            raise CheckFailed(
                "safe_distance: real samples, fakes and places may differ in number. Average the scores of each kind by itself."
            ) from None
        raise


x, x_fake = torch.tensor([[3.0, 0.0], [5.0, 0.0], [4.0, 0.0]]), torch.tensor([[0.0, 0.0], [1.0, 0.0]])
places = torch.tensor([[0.0, 0.0], [1.5, 0.0], [1.2, 1.6]])


def straight(x):
    """Rises by 5 per step, along (3, 4)."""
    return 3 * x[:, :1] + 4 * x[:, 1:]


def bowl_of(x):
    """Half the squared length: its slope is the length."""
    return x.square().sum(1, keepdim=True) / 2


check_close(
    "safe_distance by D(x) = 3 x₁ + 4 x₂",
    bound_by(straight, x, x_fake, places),
    2.1,
    hint="The scores differ by 3 · 3.5 on average, and D's slope is 5 everywhere.",
    mistakes=[
        (10.5, "You do not divide by the steepest slope: this D rises by 5 per step."),
        (10.5 / 25, "That divides by the squared slope."),
        (10.5 / 4, "K is the length of the gradient, not its largest number."),
        (10.5 / 7, "K is the length of the gradient, the root of the sum of squares."),
        (-2.1, "The sign is turned round: real samples score higher."),
        (10.5 / (5 * math.sqrt(3)), "That is one norm over all places. Each place has its own."),
        (10.5 / (5 / 3), "That is the gradient of the mean score. Take the sum over the places."),
    ],
)
real, fake = (9 + 25 + 16) / 6, 1 / 4
check_close(
    "safe_distance by half the squared length",
    bound_by(bowl_of, x, x_fake, places),
    (real - fake) / 2,
    hint="The slope is the length: 0, 1.5 and 2 at the three places.",
    mistakes=[
        (
            (real - fake) / (3.5 / 3),
            "That is the mean slope. One place where D is steeper breaks the bound: take the largest.",
        ),
        ((25 / 3 * 3 - 1 / 2) / 2, "You add up over the samples; each E is an average."),
        ((real - fake) / 1.6, "K is the length of the gradient at a place, not its largest number."),
        ((real - fake) / 5, "You look for the steepest slope at the samples. Look at the places that you are given."),
    ],
)
turned = "This D scores fakes higher, so the bound is below 0. Leave it so."
check_close(
    "safe_distance by D(x) = -(3 x₁ + 4 x₂)/10",
    bound_by(lambda x: -straight(x) / 10, x, x_fake, places),
    -2.1,
    hint="The scores differ by -1.05 on average, and D's slope is 0.5 everywhere.",
    mistakes=[
        (2.1, turned),
        (0.0, turned),
        (-1.05, "K is the steepest slope, also where that is below 1."),
    ],
)
images = torch.ones(2, 1, 2, 2)
check_close(
    "safe_distance of images by D(x) = 3 times the sum of all numbers",
    bound_by(lambda x: 3 * x.flatten(1).sum(1, keepdim=True), images, torch.zeros(3, 1, 2, 2), images),
    2.0,
    hint="The scores differ by 12, and D's slope is the length of (3, 3, 3, 3), which is 6.",
    mistakes=[
        (4.0, "Of a place only one dimension goes into your norm. Flatten each place first."),
        (12 / (3 * math.sqrt(2)), "Of a place only one dimension goes into your norm. Flatten each place first."),
    ],
)
print("✓ Task 5: all visible checks pass.")
### BEGIN HIDDEN TESTS
import numpy as np

generator = torch.Generator().manual_seed(8)
for shape in ((3,), (1, 2, 2)):
    torch.manual_seed(9)
    size = math.prod(shape)
    inner = nn.Linear(size, 1)
    D = nn.Sequential(nn.Flatten(), inner, nn.Tanh())
    x, x_fake = torch.randn(30, *shape, generator=generator) + 1, torch.randn(20, *shape, generator=generator)
    places = torch.randn(25, *shape, generator=generator)
    w, b = inner.weight.detach().double().numpy()[0], inner.bias.item()

    def score(samples, w=w, b=b):
        return np.tanh(samples.flatten(1).double().numpy() @ w + b)

    steepest = ((1 - score(places) ** 2) * np.linalg.norm(w)).max()
    want = (score(x).mean() - score(x_fake).mean()) / steepest
    check_close("safe_distance by a tanh", safe_distance(D, x, x_fake, places), want, hint="It fits the examples only.")
### END HIDDEN TESTS

# %% [markdown]
# Try it: critics of several weights between numbers around 3 and numbers around 0. The exact $W_1$ is 3.


# %% tags=["watch"]
def library_d_loss(gp_weight):
    """The critic's loss with the library's penalty."""

    def d_loss(G, D, x, z):
        return D(G(z)).mean() - D(x).mean() + gp_weight * finished_penalty(D, x, G(z))

    return d_loss


for gp_weight in (1.0, 10.0, 100.0):
    D = train_critic(library_d_loss(gp_weight), n=64)
    x, x_fake = 3 + 0.3 * torch.randn(5000, 1), 0.3 * torch.randn(5000, 1)
    with torch.no_grad():
        plain = (D(x).mean() - D(x_fake).mean()).item()
    places = torch.linspace(-1, 4, 501)[:, None]
    print(
        f"weight {gp_weight:5g}: scores differ by {plain:.3f}, safe {safe_distance(D, x, x_fake, places):.3f}, exact 3"
    )

# %% [markdown]
# A soft spring lets the scores differ by more than the distance. The bound does not exceed it, and a critic that has not
# finished learning gives a bound that is true and far too small.
#
# ## What you take away
#
# - The penalty looks at each sample's own slope, over all of its dimensions, at a place of its own between fake and data.
# - Sum, not mean; one norm a sample; `create_graph`. Each slip still gives a number, and trains another critic.
# - A matrix of who depends on whom shows in a second whether a net may stand under such a penalty.
