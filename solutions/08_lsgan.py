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
# # Exercise 08: the least-squares GAN
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# In lesson 08 you replace logarithms by squares and look closely at what that mends. Here you write the losses for any
# codes, repair a game of squares that does not learn, and read a divergence off D's loss.
#
# | task | what you do | points |
# |---|---|---|
# | 1 | complete both losses | 4 |
# | 2 | complete the best D for any codes | 3 |
# | 3 | predict slopes, losses and distances | 3 |
# | 4 | debug an LSGAN that does not learn | 4 |
# | 5 | measure a $\chi^2$ from samples | 3 |
#
# Plan 60 minutes. You need lesson 08 and no GPU. Everything here runs in seconds.
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

from ganedu.views.figure import CRITIC, FAKE, show

# %% [markdown]
# ## Task 1. Both losses
#
# D's raw output is drawn to the code $b$ on real samples and to $a$ on fakes. G wants D to say $c$ of its fakes.
#
# $$L_D = \tfrac12 \mathbb{E}[(D(x) - b)^2] + \tfrac12 \mathbb{E}[(D(G(z)) - a)^2] \qquad L_G = \tfrac12 \mathbb{E}[(D(G(z)) - c)^2]$$
#
# You get D's raw outputs. Both functions must work for any codes, and for any number of samples of either kind.


# %% nbgrader={"grade": false, "grade_id": "task1_losses", "locked": false, "schema_version": 3, "solution": true, "task": false}
def d_loss(real_logits, fake_logits, a=0.0, b=1.0):
    """D's loss, a tensor of shape (). real_logits: (N, 1), D's outputs on real samples; fake_logits: (M, 1), on fakes."""
    ### BEGIN SOLUTION
    return (real_logits - b).square().mean() / 2 + (fake_logits - a).square().mean() / 2
    ### END SOLUTION


def g_loss(fake_logits, c=1.0):
    """G's loss, a tensor of shape (). fake_logits: (M, 1), D's outputs on fakes."""
    ### BEGIN SOLUTION
    return (fake_logits - c).square().mean() / 2
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task1_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_objective
from ganedu.losses import least_squares_with


def check_d_formula(real_logits, fake_logits, a, b):
    return least_squares_with(a, b, 0.0).d(real_logits, fake_logits)


def check_g_formula(fake_logits, c):
    return least_squares_with(0.0, 1.0, c).g(fake_logits)


def check_weighted(weights):
    """D's loss with other weights on its two halves: ``weights`` takes the numbers of real samples and of fakes."""

    def loss(r, f, a, b):
        of_real, of_fakes = weights(len(r), len(f))
        return of_real * check_d_formula(r, a + 0 * f, a, b) + of_fakes * check_d_formula(b + 0 * r, f, a, b)

    return loss


known_half = "Only one of the two factors 1/2 is there: each half of the loss has one."
known_heap = "All samples are averaged in one heap"
known_in_d = [
    (check_weighted(lambda n, m: (2, 2)), "The two factors 1/2 are missing."),
    (check_weighted(lambda n, m: (1, 2)), known_half),
    (check_weighted(lambda n, m: (2, 1)), known_half),
    (check_weighted(lambda n, m: (n, m)), "You add up over the batch; each E is an average."),
    (check_weighted(lambda n, m: (n / (n + m), m / (n + m))), f"{known_heap}. Each kind has an average of its own."),
    (
        check_weighted(lambda n, m: (2 * n / (n + m), 2 * m / (n + m))),
        f"{known_heap}, and without a factor 1/2. Each kind has its own of both.",
    ),
    (lambda r, f, a, b: check_d_formula(r, f, b, a), "The codes are swapped: b belongs to the real samples."),
    (lambda r, f, a, b: ((r - b).abs().mean() + (f - a).abs().mean()) / 2, "You average sizes. The loss has squares."),
    (lambda r, f, a, b: check_d_formula(r.mean(0), f.mean(0), a, b), "You square the average, not each distance."),
]
known_in_g = [
    (lambda f, c: 2 * check_g_formula(f, c), "The factor 1/2 is missing in G's loss."),
    (
        lambda f, c: check_g_formula(f, 0.0),
        "G's fakes are drawn to 0 here, the code of fakes: G learns to be caught.",
    ),
    (lambda f, c: check_g_formula(f.mean(0), c), "In G's loss you square the average: average the squares."),
]
check_batch = {"real_logits": torch.tensor([[3.0], [0.5], [-1.0]]), "fake_logits": torch.tensor([[0.5], [-2.0]])}
check_fakes = {"fake_logits": torch.tensor([[0.5], [-2.0], [3.5]])}
check_of_d = {"settings": {"a": (0.0, -1.0), "b": (1.0, 3.0)}, "mistakes": known_in_d}
check_of_g = {"settings": {"c": (1.0, 0.0)}, "mistakes": known_in_g}
check_objective(
    "d_loss",
    d_loss,
    check_d_formula,
    ("real_logits", "fake_logits"),
    hint="By hand: (2² + 0.5² + 2²)/3 for the real samples, (0.5² + 2²)/2 for the fakes, where a = 0 and b = 1.",
    batches=[check_batch],
    **check_of_d,
)
check_objective(
    "g_loss",
    g_loss,
    check_g_formula,
    ("fake_logits",),
    hint="Square, average, halve.",
    batches=[check_fakes],
    **check_of_g,
)
print("✓ Task 1: all visible checks pass.")
### BEGIN HIDDEN TESTS
only = "It fits the example only."
check_objective("d_loss", d_loss, check_d_formula, ("real_logits", "fake_logits"), hint=only, **check_of_d)
check_objective("g_loss", g_loss, check_g_formula, ("fake_logits",), hint=only, **check_of_g)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2. The best D, for any codes
#
# Line 2 of the lesson: $D^* = \dfrac{b\,p + a\,q}{p + q}$. Write it as a function of the *logarithms* of the densities. Far
# from both bells the densities are so small that the computer rounds them to 0, and 0/0 is no number. Their logarithms
# are ordinary numbers.
#
# A hint for the way: divide above and below by $p + q$. Which share of $p + q$ is $p$? Lesson 03 has it as a sigmoid.


# %% nbgrader={"grade": false, "grade_id": "task2_best_D", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_D(log_p, log_q, a=0.0, b=1.0):
    """The best D's output, a tensor of shape (N,).

    log_p, log_q: (N,), logarithms of the densities of real samples and of fakes at N places.
    """
    ### BEGIN SOLUTION
    real_share = torch.sigmoid(log_p - log_q)  # p / (p + q)
    return a + (b - a) * real_share
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task2_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_close, check_finite, check_shape

log_p, log_q = torch.tensor([0.3, 0.1]).log(), torch.tensor([0.1, 0.4]).log()
got = best_D(log_p, log_q)
check_shape("best_D", got, (2,), hint="One output for each place: nothing is averaged here.")
check_close(
    "best_D where p = 0.3 and q = 0.1, codes 0 and 1",
    got[0],
    0.75,
    hint="With these codes it is p / (p + q).",
    mistakes=[
        (0.25, "p and q, or a and b, have changed places: D would say 0 where real samples are."),
        (math.log(3), "That is the best logit for cross-entropy. Here D's output is the weighted mean of the codes."),
        (1.0, "D's output is a mean of the two codes, weighted by p and q, not the code of the likelier kind."),
        (0.343353, "p and q are the densities, not their logarithms: log p / (log p + log q) is no share."),
        (0.3, "That is b p + a q. What is it divided by?"),
    ],
)
got = best_D(log_p, log_q, a=-1.0, b=1.0)
check_close(
    "best_D where p = 0.3 and q = 0.1, codes -1 and 1",
    got[0],
    0.5,
    hint="(1 · 0.3 - 1 · 0.1) / 0.4.",
    mistakes=[
        (0.75, "You leave out the codes a and b."),
        (-0.5, "The codes stand on the wrong sides: b goes with p."),
        (-0.25, "The share of p weighs b, and the share of q weighs a: both shares are needed."),
    ],
)
got = best_D(torch.tensor([-1000.0, -1000.0]), torch.tensor([-1002.0, -1000.0]), a=-1.0, b=1.0)
far = "exp(-1000) is 0 on a computer, and 0/0 is no number: stay with the difference of the logarithms."
check_finite("best_D far out", got[0], hint=far)
clamped = "A small number added to a density, or a clamp, decides here in place of the densities."
check_close("best_D far out, log p = -1000, log q = -1002", got[0], math.tanh(1), hint=clamped)
check_close("best_D far out, log p = log q = -1000", got[1], 0.0, hint=clamped)
print("✓ Task 2: all visible checks pass.")
### BEGIN HIDDEN TESTS
import numpy as np

logs = torch.randn(2, 40, generator=torch.Generator().manual_seed(3)) * 3
p, q = np.exp(logs.double().numpy())
for a, b in ((0.0, 1.0), (-1.0, 1.0), (3.0, -2.0)):
    got = best_D(*logs, a=a, b=b)
    check_shape("best_D", got, (40,))
    for i in range(40):
        want = (b * p[i] + a * q[i]) / (p[i] + q[i])
        check_close("best_D of random densities", got[i], want, hint="It fits the examples only.")
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3. Predict
#
# Think first, with paper. Then write your answers into `predictions`. 0.01 either way is near enough, but one number is
# smaller than that: give `slope_cross_entropy` with two digits that count, as in 0.0012.
#
# - `slope_squares`: G's loss on **one** fake, $c = 1$. D says 6 of it. How large is the slope of the loss in D's output?
# - `slope_cross_entropy`: the same for $-\log \mathrm{sigmoid}(s)$ with the logit $s = 6$, sign included?
# - `d_loss_guessing`: codes $a = -1$, $b = 1$. The best D against fakes that are distributed like the real samples. How large
#   is $L_D$?
# - `chi2_disjoint`: real samples from $U(0, 1)$, fakes from $U(3, 4)$. How large is $\chi^2 = \int (p - q)^2/(p + q)\,dx$?
# - `twice_C_equal`: codes $(a, b, c) = (0, 1, 1)$, and fakes distributed like the real samples. How large is $2C(G)$?
# - `far_apart`: real samples $N(0, 1)$, fakes $N(20, 1)$, the best D in every step, plain gradient steps. Do the fakes
#   come home? `"0-1"` if only with the 0-1 coding, `"±1"` if only with the other, `"both"` or `"neither"`.
# - `lower_loss`: after 500 rounds on the same data an LSGAN's `d_loss` is 0.2 and a vanilla GAN's is 1.1. What follows?
#   - `"a"`: the LSGAN's D is the better judge.
#   - `"b"`: the LSGAN's G makes the better samples.
#   - `"c"`: nothing about which is better.


# %% nbgrader={"grade": false, "grade_id": "task3_predictions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predictions():
    """Your answers, a dict with the seven names above as keys."""
    ### BEGIN SOLUTION
    return {
        "slope_squares": 5.0,  # 6 - 1
        "slope_cross_entropy": -1 / (1 + math.exp(6)),
        "d_loss_guessing": 1.0,  # D says 0 everywhere and is off by 1 on both kinds
        "chi2_disjoint": 2.0,
        "twice_C_equal": 0.5,  # D says 1/2 everywhere: 1/4 twice
        "far_apart": "neither",
        "lower_loss": "c",
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task3_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# This check looks at the form of your answers only.
from ganedu.checks import CheckFailed, check_finite, check_one_of

answers = predictions()
numbers = ("slope_squares", "slope_cross_entropy", "d_loss_guessing", "chi2_disjoint", "twice_C_equal")
choices = {"far_apart": ["0-1", "±1", "both", "neither"], "lower_loss": ["a", "b", "c"]}
keys = (*numbers, *choices)
if not isinstance(answers, dict) or set(answers) != set(keys):
    raise CheckFailed(f"predictions: got {answers!r}, wants a dict with the keys {', '.join(keys)}.")
answers = {key: answer.strip().lower() if isinstance(answer, str) else answer for key, answer in answers.items()}
for key in numbers:
    check_finite(key, answers[key])
for key, allowed in choices.items():
    check_one_of(key, answers[key], allowed)
print(
    "✓ Task 3: all visible checks pass. The form is right; whether the answers are is marked when you hand in. "
    "On your own, from the repository's root: `.venv/bin/python tools/grading.py exercises/08_lsgan.ipynb` "
    "(needs the instructor extra)."
)
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "slope_squares",
    5.0,
    hint="The loss is (D - 1)²/2.",
    mistakes=[
        (0.0, "That is the slope at D = 1. For squares a D of 6 is as wrong as one of -4."),
        (12.5, "That is the loss. Its slope is D - c."),
        (-5.0, "The sign: the loss grows with D here, so descent makes D's output smaller."),
        (10.0, "The factor 1/2 takes away the 2 of the square."),
    ],
    atol=0.011,
)
marks.judge(
    "slope_cross_entropy",
    -1 / (1 + math.exp(6)),
    hint="It is D - 1 with D = sigmoid(6), which is nearly 1.",
    mistakes=[
        (-1.0, "-1 is the slope for a fake that is caught. This one D takes for real."),
        (-1 / (1 + math.exp(-6)), "That is -sigmoid(6). This fake is taken for real: how far is D from 1?"),
        (1 / (1 + math.exp(6)), "The sign: the loss still falls, a little, as the logit grows."),
        (0.0, "Small it is, but not this: how far is sigmoid(6) from 1? Two digits that count, and the sign."),
    ],
    atol=0.05,
)
marks.judge(
    "d_loss_guessing",
    1.0,
    hint="The best D says the mean of both codes, and is off by 1 on either kind.",
    mistakes=[
        (0.25, "0.25 is for the codes 0 and 1."),
        (2 * math.log(2), "2 log 2 is cross-entropy's. Here losses are squares."),
        (0.0, "D cannot tell them apart, so it cannot be at both codes."),
        (0.5, "That is one half of the loss; there is another one for the other kind."),
    ],
    atol=0.011,
)
marks.judge(
    "chi2_disjoint",
    2.0,
    hint="Where only p is, the integrand is p²/p = p.",
    mistakes=[
        (math.log(2), "log 2 is JSD's largest value."),
        (3.0, "3 is how far they are apart; the integral asks only where both densities are."),
        (1.0, "The fakes' half of the integral is missing."),
    ],
    atol=0.011,
)
marks.judge(
    "twice_C_equal",
    0.5,
    hint="D says 1/2 everywhere. Put it into line 3.",
    mistakes=[
        (0.0, "That would be a χ². With this coding 2C keeps a constant: D says 1/2, and c is 1."),
        (0.25, "Line 3 has two terms."),
    ],
    atol=0.022,
)
marks.judge(
    "far_apart",
    "neither",
    hint="The best D is flat at its code where the fakes are: D* - c is large, but G's gradient has the slope of D* in it.",
)
marks.judge(
    "lower_loss",
    "c",
    mistakes=[
        ("a", "A D that guesses pays 0.25 in one game and 1.39 in the other: the two losses have different units."),
        ("b", "D's loss is not G's quality, and these two have different units besides."),
    ],
)
marks.report()
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4. Debug an LSGAN that does not learn
#
# These losses are meant to be those of the 0-1 coding. They run without an error, and they have **two faults**.


# %% nbgrader={"grade": false, "grade_id": "broken", "locked": true, "schema_version": 3, "solution": false, "task": false}
def broken_losses(G, D, x, z):
    """(D's loss, G's loss) of a least-squares GAN with two faults. D ends in a linear layer."""
    on_real, on_fakes = D(x).sigmoid(), D(G(z).detach()).sigmoid()
    d_loss = (on_real - 1).square().mean() / 2 + on_fakes.square().mean() / 2
    g_loss = (D(G(z)).sigmoid().mean() - 1).square() / 2
    return d_loss, g_loss


def push_on_fakes(losses, outputs):
    """How G's loss pushes fakes of which D says ``outputs``: minus N times the gradient in each fake."""
    x_fake = nn.Parameter(torch.tensor(outputs)[:, None])  # D is x itself, and G hands out these fakes
    _, loss = losses(lambda z: x_fake, nn.Identity(), torch.ones(4, 1), torch.zeros(len(outputs), 1))
    (slope,) = torch.autograd.grad(loss, x_fake)
    return -len(outputs) * slope.flatten()


def show_pushes(losses, title, caption):
    """The push on each of several fakes: once with many others around, once alone."""
    figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
    outputs = torch.linspace(-8, 8, 33).tolist()
    alone = torch.cat([push_on_fakes(losses, [output]) for output in outputs])
    axes.plot(outputs, alone, color=CRITIC, label="alone in its batch")
    axes.plot(outputs, push_on_fakes(losses, outputs), "o", color=FAKE, markersize=4, label="all in one batch")
    axes.axhline(0, color="#555555", linewidth=0.8)
    axes.set(xlabel="what D says of the fake", ylabel="push on it", title=title)
    axes.legend(frameon=False)
    show(figure, caption, "Two curves: the push on a fake by D's output, alone and in a batch.")


# %% tags=["watch"]
caption = "Far out on either side nothing pushes. In a batch the push on a fake depends on the others."
show_pushes(broken_losses, "broken", caption)

# %% [markdown]
# In a least-squares game a fake's push is $c$ minus what D says of *it*. So the dots should lie on the line, and both on a
# straight one that crosses 0 at $c = 1$. Read the picture:
#
# 1. Far out both are 0. Which function between D and the squares makes them so? Is it in D's loss too?
# 2. The dots are off the line, and none is below 0: a fake of which D says 8 is pushed up like the others. What does
#    G's loss square?
#
# Write `repaired_losses`, with the codes 0, 1, 1. As always, D's loss sends no gradient into G.


# %% nbgrader={"grade": false, "grade_id": "task4_repaired_losses", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repaired_losses(G, D, x, z):
    """(D's loss, G's loss) of the least-squares GAN with codes 0, 1, 1: tensors of shape ()."""
    ### BEGIN SOLUTION
    real_logits, fake_logits = D(x), D(G(z).detach())
    d_loss = (real_logits - 1).square().mean() / 2 + fake_logits.square().mean() / 2
    g_loss = (D(G(z)) - 1).square().mean() / 2  # the mean of the squares
    return d_loss, g_loss
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task4_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import CheckFailed, check_close, check_gradient_reaches, check_no_gradient


def line_players(g_weight, d_weight):
    """G(z) = g_weight z and D(x) = d_weight x, on numbers."""
    G, D = nn.Linear(1, 1, bias=False), nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        G.weight.fill_(g_weight)
        D.weight.fill_(d_weight)
    return G, D


def check_losses(losses, x, outputs_on_fakes, d_weight=1.0):
    """Both losses, and the gradient that each player gets of its own, against the formulas."""
    G, D = line_players(1.0, d_weight)
    s = torch.tensor(outputs_on_fakes)[:, None]
    found = losses(G, D, x, s / d_weight)
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise CheckFailed(f"repaired_losses: got {found!r} back, wants D's loss and G's loss.")
    of_d, of_g = found
    real = d_weight * x
    half = (real - 1).square().mean() / 2
    squashed, squashed_real = s.sigmoid(), real.sigmoid()
    half_on_fakes, of_g_right = s.square().mean() / 2, (s - 1).square().mean() / 2
    check_close(
        "D's loss",
        of_d,
        half + half_on_fakes,
        hint="Its codes are 1 on real samples and 0 on fakes.",
        mistakes=[
            (
                (squashed_real - 1).square().mean() / 2 + squashed.square().mean() / 2,
                "D's outputs still go through a sigmoid in D's loss.",
            ),
            ((real.mean() - 1).square() / 2 + s.mean().square() / 2, "Now D's loss squares averages as well."),
            (of_g_right, "The two losses come in the other order."),
            (2 * (half + half_on_fakes), "The factors 1/2 of D's loss are gone."),
            (real.square().mean() / 2 + of_g_right, "D's codes are swapped: 1 belongs to the real samples."),
            (
                (squashed_real - 1).square().mean() / 2 + half_on_fakes,
                "D's outputs on real samples still go through a sigmoid.",
            ),
            (half + squashed.square().mean() / 2, "D's outputs on fakes still go through a sigmoid."),
            (half * len(x) + half_on_fakes * len(s), "D's loss adds up over the batch; each half is an average."),
        ],
    )
    check_close(
        "G's loss",
        of_g,
        of_g_right,
        hint="Its code is 1.",
        mistakes=[
            ((squashed.mean() - 1).square() / 2, "Both faults are still in G's loss."),
            ((squashed - 1).square().mean() / 2, "G's loss still has the sigmoid: fakes far out get no gradient."),
            (
                (s.mean() - 1).square() / 2,
                "G's loss still squares an average: fakes at -8 and 10 would be perfect, their mean is 1.",
            ),
            (2 * of_g_right, "The factor 1/2 of G's loss is gone."),
            (of_g_right * len(s), "G's loss adds up over the batch; it is an average."),
            (half_on_fakes, "This G draws its fakes to 0, where D wants them: it learns to be caught."),
        ],
    )
    check_no_gradient("from D's loss to G's weights", of_d, G, hint="Detach the fakes before D's loss.")
    check_gradient_reaches("from D's loss to D's weights", of_d, D, hint="Only the fakes are detached.")
    check_gradient_reaches("from G's loss to G's weights", of_g, G, hint="In G's loss nothing is detached.")
    fakes = s / d_weight
    on_real, on_fakes = ((real - 1) * x).mean(), (s * fakes).mean()
    (slope,) = torch.autograd.grad(of_d, D.weight, retain_graph=True)
    check_close(
        "the slope of D's loss in D's weight",
        slope.sum(),
        on_real + on_fakes,
        hint="The loss is right, but part of it does not reach D: detach G's fakes, and nothing behind D.",
        mistakes=[
            (on_real, "D learns nothing from fakes: detach what G gives to D, not what D says of it."),
            (on_fakes, "D learns nothing from real samples: there is nothing to detach."),
        ],
        atol=1e-3 * (1 + abs(on_real + on_fakes).item()),
    )


check_losses(repaired_losses, torch.tensor([[0.5], [2.0]]), [-8.0, 10.0, 0.5])
print("✓ Task 4: all visible checks pass.")
### BEGIN HIDDEN TESTS
generator = torch.Generator().manual_seed(9)
for d_weight in (0.3, -2.0):
    outputs = (5 * torch.randn(20, generator=generator)).tolist()
    check_losses(repaired_losses, torch.randn(30, 1, generator=generator), outputs, d_weight)
### END HIDDEN TESTS

# %% tags=["watch"]
caption = "Repaired: the push is 1 minus what D says, the same alone and in a batch."
show_pushes(repaired_losses, "yours", caption)

# %% [markdown]
# ## Task 5. Measure: a $\chi^2$ from samples
#
# For the best D the lesson gives $L_D = \frac{(b - a)^2}{8} (2 - \chi^2)$. Any other D has a larger loss. Solve for
# $\chi^2$, and write an estimate from a trained D: it is a lower bound, in expectation. `D` was trained with the codes a and
# b, on other samples than those that you get. A bad D makes a bad bound, even one below 0: leave it so, that is how you
# recognise it.


# %% nbgrader={"grade": false, "grade_id": "task5_chi2_estimate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def chi2_estimate(D, x, x_fake, a=0.0, b=1.0):
    """The estimate of χ², a float.

    D: maps (N, d) samples to (N, 1) raw outputs.
    x, x_fake: (N, d) and (M, d), fresh real samples and fakes.
    """
    ### BEGIN SOLUTION
    with torch.no_grad():
        loss = (D(x) - b).square().mean() / 2 + (D(x_fake) - a).square().mean() / 2
    return 2 - 8 * loss.item() / (b - a) ** 2
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task5_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import CheckFailed, check_close


def constant(answer):
    """A D that says the same of everything."""
    return lambda x: torch.full((len(x), 1), answer)


x, x_fake = torch.zeros(6, 1), torch.ones(4, 1)
check_close(
    "chi2_estimate of a D that says 1/2 everywhere, codes 0 and 1",
    chi2_estimate(constant(0.5), x, x_fake),
    0.0,
    hint="This D sees no difference.",
    mistakes=[
        (2 - 8 * 0.5, "The factors 1/2 of D's loss are missing."),
        (2 - 2 * 0.25, "2 - 2 L_D is for codes that are 2 apart. Here (b - a)² is 1."),
        (2 - 8 * 2.5 / 2, "You add up over the samples; each E is an average."),
        (1.96875, "The factor stands upside down: divide by (b - a)²/8."),
        (-0.119969, "There is a sigmoid in between. The codes are for D's raw output."),
        (0.25, "That is D's loss. Which χ² belongs to it?"),
    ],
)
check_close(
    "chi2_estimate of a D that is always right, codes 0 and 1",
    chi2_estimate(lambda x: 1 - x, x, x_fake),
    2.0,
    hint="This D's loss is 0.",
    mistakes=[
        (-6.0, "You have swapped the codes: b is that of real samples."),
        (-2.0, "The sign is turned round: the smaller D's loss, the larger χ²."),
    ],
)
check_close(
    "chi2_estimate of a D that says 0.8 of real samples and -0.7 of fakes, codes -1 and 1",
    chi2_estimate(lambda x: 0.8 - 1.5 * x, x, x_fake, a=-1.0, b=1.0),
    1.87,
    hint="D's loss is (0.2² + 0.3²)/2 = 0.065 here.",
    mistakes=[
        (1.48, "8 L_D is for codes that are 1 apart. Divide by (b - a)²."),
        (1.74, "Divide by (b - a)², not by b - a."),
        (-0.12, "You take the codes for 0 and 1, whatever a and b are."),
        (1.47, "D's loss has to use a and b, too."),
    ],
)
check_close(
    "chi2_estimate of a D that is always wrong, codes 0 and 1",
    chi2_estimate(lambda x: x, x, x_fake),
    -6.0,
    hint="The bound is far below 0 here. Do not cut it off: it says that this D is bad.",
)
print("✓ Task 5: all visible checks pass.")
### BEGIN HIDDEN TESTS
import numpy as np

# exact: the best D between N(0, 1) and N(t, 1) is known, and so is χ², by quadrature with NumPy
grid = np.linspace(-12, 15, 20_001)


def bell(mean):
    return np.exp(-((grid - mean) ** 2) / 2) / np.sqrt(2 * np.pi)


def best_between(t, a, b):
    return lambda x: a + (b - a) * torch.sigmoid(t * t / 2 - t * x)


generator = torch.Generator().manual_seed(6)
for t in (0.5, 1.5, 3.0):
    p, q = bell(0), bell(t)
    exact = ((p - q) ** 2 / (p + q)).sum() * (grid[1] - grid[0])
    x, x_fake = torch.randn(200_000, 1, generator=generator), torch.randn(150_000, 1, generator=generator) + t
    for a, b in ((0.0, 1.0), (-1.0, 1.0), (4.0, 1.0)):
        got = chi2_estimate(best_between(t, a, b), x, x_fake, a=a, b=b)
        check_close(f"chi2_estimate of N(0, 1) and N({t}, 1)", got, exact, atol=0.02, hint="It fits the examples only.")
### END HIDDEN TESTS

# %% [markdown]
# Try it: train the same small D with either coding on two bells, and compare the estimates with the exact value.


# %% tags=["watch"]
def fit(x, y, a, b):
    """Train a D with the codes a and b on real samples x and fakes y."""
    D = nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 1))
    optimizer = torch.optim.Adam(D.parameters(), lr=1e-2)
    for _ in range(300):
        loss = (D(x) - b).square().mean() / 2 + (D(y) - a).square().mean() / 2
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return D


torch.manual_seed(0)
for a, b in ((0.0, 1.0), (-1.0, 1.0)):
    D = fit(torch.randn(2000, 1), 1.0 + torch.randn(2000, 1), a, b)
    estimate = chi2_estimate(D, torch.randn(20_000, 1), 1.0 + torch.randn(20_000, 1), a, b)
    print(f"codes {a:g} and {b:g}: estimate {estimate:.3f}, exact 0.408")
