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
# # Exercise 03: the min-max game and the Jensen-Shannon divergence
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# In lesson 03 you find the best D, what distance it measures, and where this distance goes blind. Here you use each of
# these results on a case that the lesson does not show.
#
# | task | what you do | points |
# |---|---|---|
# | 1 | complete the best D for a game with more fakes than real numbers | 3 |
# | 2 | complete an estimate of the divergence that this game measures | 3 |
# | 3 | predict what losses and distances say | 3 |
# | 4 | debug an estimate that fools itself | 4 |
# | 5 | measure what G feels | 4 |
#
# Plan 60 minutes. You need lesson 03 and no GPU.
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
from torch.nn import functional as F

from ganedu.blocks import mlp
from ganedu.checks import CheckFailed
from ganedu.losses import d_minimax
from ganedu.views.figure import CRITIC, FAKE, show

LOG2 = math.log(2)

# %% [markdown]
# ## Task 1. The best D, when fakes are many
#
# Somebody plays with $k$ fakes for each real number, and adds up over all of them. Then D maximises
#
# $$V_k(D, G) = \mathbb{E}_{x \sim p}[\log D(x)] + k \; \mathbb{E}_{x \sim q}[\log(1 - D(x))]$$
#
# Go through lines 3 and 4 of the lesson again, with this $k$ in them. What is the best $D(x)$ now? Then turn it into a
# **logit**, $\log \frac{D}{1 - D}$.
#
# You get the *logarithms* of the densities. Far from both bells the densities themselves are so small that the computer
# rounds them to 0; their logarithms are ordinary numbers. So stay with logarithms.


# %% nbgrader={"grade": false, "grade_id": "task1_best_logit", "locked": false, "schema_version": 3, "solution": true, "task": false}
def best_logit(log_p, log_q, k=1.0):
    """The logit of the best D, a tensor of the shape of log_p.

    log_p, log_q: (N,), logarithms of the densities of the real numbers and of the fakes at N places.
    k: fakes per real number, a float above 0.
    """
    ### BEGIN SOLUTION
    # line 4 with a = p and b = k q: D = p / (p + k q), so D / (1 - D) = p / (k q)
    return log_p - log_q - math.log(k)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task1_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_close, check_finite, check_shape

log_p, log_q = torch.tensor([0.3, 0.1]).log(), torch.tensor([0.1, 0.4]).log()
got = best_logit(log_p, log_q)
check_shape("best_logit", got, (2,), hint="One logit for each place: nothing is averaged here.")
check_close(
    "best_logit where p = 0.3 and q = 0.1",
    got[0],
    math.log(3),
    hint="D = p / (p + q) is 3/4 there. Which logit has the sigmoid 3/4?",
    mistakes=[
        (0.75, "That is D itself, a probability. The logit is log(D / (1 - D))."),
        (-math.log(3), "You have swapped p and q: D would call real what is likely to be fake."),
        (3.0, "That is p / q. The logit is its logarithm."),
        (math.log(0.75), "That is log D. The logit is log D - log(1 - D)."),
        (math.log(3) - 1, "You take k away, but k = 1 changes nothing. What does a factor k on q add to log q?"),
    ],
)
check_close("best_logit where p = 0.1 and q = 0.4", got[1], math.log(1 / 4))
got = best_logit(log_p, log_q, k=2.0)
check_close(
    "best_logit where p = 0.3, q = 0.1 and k = 2",
    got[0],
    math.log(1.5),
    hint="In f(y) = a log y + b log(1 - y), what are a and b now?",
    mistakes=[
        (math.log(3), "You leave out k: with more fakes about, D should be more suspicious."),
        (math.log(6), "k stands on the wrong side: more fakes make D more suspicious, not less."),
        (math.log(0.3) - 2 * math.log(0.1), "k q has the logarithm log k + log q, not k log q."),
    ],
)
got = best_logit(torch.tensor([-1000.0]), torch.tensor([-1100.0]))
check_finite("best_logit far out", got[0], hint="exp(-1000) is 0 on a computer: do not leave the logarithms.")
check_close(
    "best_logit far out, log p = -1000 and log q = -1100",
    got[0],
    100.0,
    hint="A small number added to a density, or a clamp, decides here in place of the densities: stay with logarithms.",
    atol=1e-2,
)
print("✓ Task 1: all visible checks pass.")
### BEGIN HIDDEN TESTS
logs = torch.randn(2, 50, generator=torch.Generator().manual_seed(3)) * 20
for k in (0.25, 1.0, 5.0):
    got, (log_p, log_q) = best_logit(*logs, k=k), logs.double().numpy()
    check_shape("best_logit", got, (50,))
    for i in range(50):
        check_close(
            f"best_logit, k = {k}",
            got[i],
            log_p[i] - log_q[i] - math.log(k),
            hint="It fits the examples only.",
            atol=1e-3,
        )
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2. An estimate, when fakes are many
#
# Stay in the game of task 1, with its $V_k$ and $k$ fakes for each real number. There lines 5 to 8 end in a weighted
# divergence. With the mean $m = \frac{p + k\,q}{1 + k}$ it is
#
# $$\mathrm{JSD}_k(p \,\|\, q) = \frac{1}{1 + k}\,\mathrm{KL}(p \,\|\, m) + \frac{k}{1 + k}\,\mathrm{KL}(q \,\|\, m)$$
#
# It is 0 where $p = q$, and for $k = 1$ it is the JSD of the lesson. Go through the lines with this $k$ in them. What
# takes the place of $2 \log 2$, and what that of the 2 before JSD?
#
# D has learned this game, and you have its logits on fresh samples of either kind, some of each: how many has nothing to
# do with $k$. Write the estimate of $\mathrm{JSD}_k$ that follows. D is sure of some of these samples, so its logits may be
# 200 or -200; the estimate must be a finite number nevertheless.


# %% nbgrader={"grade": false, "grade_id": "task2_js_estimate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def js_estimate(real_logits, fake_logits, k):
    """The estimate of JSD_k in nats, a tensor of shape ().

    real_logits: (N, 1), D's logits on fresh real samples.
    fake_logits: (M, 1), D's logits on fresh fakes.
    k: fakes per real number in the game, a float above 0.
    """
    ### BEGIN SOLUTION
    # p / (p + k q) = (p / m) / (1 + k) and k q / (p + k q) = (q / m) k / (1 + k), so
    # V_k = (1 + k) JSD_k - (1 + k) log(1 + k) + k log k
    value = -F.softplus(-real_logits).mean() - k * F.softplus(fake_logits).mean()
    return (value + (1 + k) * math.log(1 + k) - k * math.log(k)) / (1 + k)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task2_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_close, check_finite

LOG2 = math.log(2)
got = js_estimate(torch.zeros(4, 1), torch.zeros(6, 1), 1.0)
check_close(
    "js_estimate of a D that says 1/2 everywhere, k = 1",
    got,
    0.0,
    hint="This D sees no difference, so the estimate is 0. For k = 1 the lines are those of the lesson.",
    mistakes=[
        (2 * LOG2, "JSD falls as d_loss grows: V, in line 8, is minus d_loss."),
        (-2 * LOG2, "That is V itself. What JSD does line 8 give for this V?"),
        (-LOG2, "That is half of V: the 2 log 2 of line 8 is missing."),
        (LOG2 / 2, "Half of half: the mean over both kinds of samples together is d_loss / 2 already."),
        (-4 * LOG2, "You add up over the samples; the E in V is an average."),
    ],
)
real_logits, fake_logits = torch.tensor([[2.0], [1.0], [-0.5]]), torch.tensor([[-1.0], [-3.0]])
got = js_estimate(real_logits, fake_logits, 1.0)
check_close(
    "js_estimate, k = 1",
    got,
    0.366974,
    hint="Work out V for these five logits, then solve line 8 for JSD.",
    mistakes=[
        (0.733948, "That is 2 JSD."),
        (-1.049693, "You have swapped the labels: log D belongs to the real samples, log(1 - D) to the fakes."),
        (
            0.337924,
            "The two kinds are averaged in one heap of five. Each kind has an average of its own, then they add.",
        ),
    ],
)
D_real, D_fake, constant = math.log(1 / 4), math.log(3 / 4), math.log(4) - 3 / 4 * math.log(3)
got = js_estimate(torch.full((4, 1), -math.log(3)), torch.full((6, 1), -math.log(3)), 3.0)
check_close(
    "js_estimate of a D that says 1/4 everywhere, k = 3",
    got,
    0.0,
    hint="One of four numbers is real, so this D sees no difference and the estimate is 0. Write p / (p + k q) with m.",
    mistakes=[
        ((D_real + D_fake) / 2 + LOG2, "That is the lesson's estimate, for one fake per real number. Where is k?"),
        ((D_real + 3 * D_fake) / 4 + LOG2, "The number added is still the one of k = 1: (p + k q) is no longer 2 m."),
        (
            (D_real + 3 * D_fake) / 2 + LOG2,
            "V has its k, but the rest is still line 8 for k = 1: (p + k q) is not 2 m.",
        ),
        ((D_real + D_fake) / 4 + constant, "In V itself k is missing: the fakes count k times."),
        ((3 * D_real + D_fake) / 4 + constant, "k stands at the real numbers: it is the fakes that count k times."),
        (3 / 4 * math.log(3), "Only log(1 + k) is added. D's other answer is k q / (p + k q): what does its k add?"),
        (math.log(3) / 2, "log k is there once, but it stands under an integral with k q before it."),
    ],
)
got = js_estimate(real_logits, fake_logits, 3.0)
check_close(
    "js_estimate, k = 3",
    got,
    0.308786,
    hint="Work out V_k for these five logits, then solve your line 8 for JSD_k.",
    mistakes=[
        (2 * 0.308786, "You divide by 2. The weights of the KLs are 1 and k in V_k: what is their sum?"),
    ],
)
got = js_estimate(torch.full((3, 1), 200.0), torch.full((3, 1), -200.0), 3.0)
check_finite("js_estimate of a D that is sure", got, hint="log(1 - sigmoid(200)) overflows: stay with logits.")
check_close("js_estimate of a D that is sure and right, k = 3", got, constant)
got = js_estimate(torch.tensor([[-200.0]]), torch.tensor([[200.0]]), 1.0)
check_finite("js_estimate of a D that is sure and wrong", got, hint="log(sigmoid(-200)) overflows: stay with logits.")
check_close(
    "js_estimate of a D that is sure and wrong",
    got,
    LOG2 - 200,
    hint="A clamp, or a small number inside the logarithm, hides how wrong D is. It is a bound, so it may be negative.",
    atol=1e-2,
)
print("✓ Task 2: all visible checks pass.")
### BEGIN HIDDEN TESTS
import numpy as np

for k in (0.5, 1.0, 6.0):
    # two coins, p = (3/4, 1/4) and q = (1/4, 3/4), and the best D: the estimate is the definition, by its two KLs
    p, q = np.array([0.75, 0.25]), np.array([0.25, 0.75])
    m = (p + k * q) / (1 + k)
    want = ((p * np.log(p / m)).sum() + k * (q * np.log(q / m)).sum()) / (1 + k)
    best = torch.tensor(np.log(p / (k * q)))[:, None]
    got = js_estimate(best[[0, 0, 0, 1]], best[[0, 1, 1, 1]], k)
    check_close(f"js_estimate of two coins and their best D, k = {k:g}", got, want, hint="It fits the examples only.")
generator = torch.Generator().manual_seed(5)
real, fake = torch.randn(70, 1, generator=generator) * 4 + 1, torch.randn(30, 1, generator=generator) * 4
for k in (0.5, 2.0):
    value = -np.logaddexp(0, -real.double().numpy()).mean() - k * np.logaddexp(0, fake.double().numpy()).mean()
    want = value / (1 + k) + np.log(1 + k) - k / (1 + k) * np.log(k)
    got = js_estimate(real, fake, k)
    check_close(f"js_estimate of 100 random logits, k = {k:g}", got, want, hint="It fits the examples only.")
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3. Predict
#
# Back to one fake for each real number. Think first, with paper. Then write your answers into `predictions`. Logarithms
# are natural; 0.01 either way is near enough. $U(a, b)$ is the box of height $1/(b-a)$ between $a$ and $b$. Each of the
# three groups gives a point.
#
# Losses:
#
# - `loss_if_equal`: fakes are distributed exactly like the real numbers, and D is the best one. How large is `d_loss`?
# - `loss_if_disjoint`: real numbers from $U(0, 1)$, fakes from $U(3, 4)$, and D is the best one. How large is `d_loss`?
#
# Distances:
#
# - `js_far`: the JSD of $U(0, 1)$ and $U(20, 21)$?
# - `w1_far`: the $W_1$ of $U(0, 1)$ and $U(20, 21)$?
# - `weak_D`: D has learned for two steps only. Judged on a great many fresh samples, is its estimate of JSD
#   `"below"` the exact JSD, `"above"` it, or `"equal"` to it?
#
# What G feels:
#
# - `who_moves`: fakes $N(10, 1)$, real numbers $N(0, 1)$, the best D, one plain gradient step of 0.1 in $t$. With which
#   loss does G move by more than 0.01: `"saturating"`, `"non-saturating"`, `"both"` or `"neither"`?
# - `tiny_gradient`: somebody tells you that the saturating gradient in $t$ is 0.00001, against the best D. What follows?
#   - `"a"`: G is nearly right.
#   - `"b"`: G is far from the real numbers.
#   - `"c"`: either may be the case. This number alone does not tell.


# %% nbgrader={"grade": false, "grade_id": "task3_predictions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predictions():
    """Your answers, a dict with the seven names above as keys."""
    ### BEGIN SOLUTION
    return {
        "loss_if_equal": 2 * math.log(2),
        "loss_if_disjoint": 0.0,
        "js_far": math.log(2),
        "w1_far": 20.0,
        "weak_D": "below",
        "who_moves": "non-saturating",
        "tiny_gradient": "c",
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task3_losses_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# This check and the next two look at the form of your answers only.
from ganedu.checks import check_finite, check_one_of

CHOICES = {
    "loss_if_equal": None,  # a number
    "loss_if_disjoint": None,
    "js_far": None,
    "w1_far": None,
    "weak_D": ["below", "above", "equal"],
    "who_moves": ["saturating", "non-saturating", "both", "neither"],
    "tiny_gradient": ["a", "b", "c"],
}


def read_predictions(*keys):
    """The answers under these keys, once their form is right."""
    answers = predictions()
    if not isinstance(answers, dict) or set(answers) != set(CHOICES):
        raise CheckFailed(f"predictions: got {answers!r}, wants a dict with the keys {', '.join(CHOICES)}.")
    answers = {key: a.strip().lower() if isinstance(a := answers[key], str) else a for key in keys}
    for key, answer in answers.items():
        if answer in ("nonsaturating", "non saturating"):
            answers[key] = "non-saturating"
        if CHOICES[key] is None:
            check_finite(key, answer)
        else:
            check_one_of(key, answers[key], CHOICES[key])
    return answers


answers = read_predictions("loss_if_equal", "loss_if_disjoint")
print(
    "✓ Task 3, losses: the form is right; whether the answers are is marked when you hand in. "
    "On your own, from the repository's root: `.venv/bin/python tools/grading.py exercises/03_minmax_and_js.ipynb` "
    "(needs the instructor extra)."
)
### BEGIN HIDDEN TESTS
LOG2 = math.log(2)
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "loss_if_equal",
    2 * LOG2,
    hint="What does the best D say where both kinds are equally likely?",
    mistakes=[
        (0.0, "A loss of 0 is that of a D that catches every fake. Can it?"),
        (LOG2, "The loss has two halves, one for each kind of number."),
        (-2 * LOG2, "That is V; d_loss is minus V."),
    ],
    atol=0.01,
)
marks.judge(
    "loss_if_disjoint",
    0.0,
    hint="How often is the best D wrong here, and how sure is it?",
    mistakes=[
        (2 * LOG2, "That is the loss of a D that can only guess. This one is never wrong."),
        (LOG2, "That is the JSD. Put it into line 8."),
    ],
    atol=0.01,
)
marks.report()
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "task3_distances_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
answers = read_predictions("js_far", "w1_far", "weak_D")
print("✓ Task 3, distances: the form is right.")
### BEGIN HIDDEN TESTS
LOG2 = math.log(2)
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "js_far",
    LOG2,
    hint="At how many places can a number come from either?",
    mistakes=[
        (20.0, "20 is how far they are apart; JSD does not know. It asks only where both densities are."),
        (2 * LOG2, "That is twice the JSD."),
        (0.0, "0 means equal. These share no place."),
    ],
    atol=0.01,
)
marks.judge(
    "w1_far",
    20.0,
    hint="How far has each fake to be carried?",
    mistakes=[
        (LOG2, "W1 has no upper end: it is how far the fakes have to be carried."),
        (
            19.0,
            "19 is the gap between the boxes, but the near edge of one need not be carried to the near edge of "
            "the other: 20.3 goes to 0.3.",
        ),
    ],
    atol=0.01,
)
marks.judge(
    "weak_D",
    "below",
    hint="V of any D is at most V of the best one. On which side of the JSD does that leave the estimate?",
    mistakes=[("equal", "Only the best D reaches the JSD; two steps do not make it the best.")],
)
marks.report()
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "task3_forces_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
answers = read_predictions("who_moves", "tiny_gradient")
print("✓ Task 3, what G feels: the form is right.")
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "who_moves",
    "non-saturating",
    mistakes=[
        ("both", "The saturating gradient is the slope of 2 JSD. How steep is JSD at t = 10?"),
        ("saturating", "Which of the two losses follows JSD, and how steep is JSD at t = 10?"),
        ("neither", "JSD is flat at t = 10, but one of the losses follows KL(q || p) as well. Is KL flat there?"),
    ],
)
marks.judge(
    "tiny_gradient",
    "c",
    mistakes=[
        ("a", "How small is it at t = 10? So a small gradient is not a small distance."),
        ("b", "How small is it at t = 0?"),
    ],
)
marks.report()
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4. Debug an estimate that fools itself
#
# `fit` trains a D on samples and returns it; `d_minimax(real_logits, fake_logits)` in it is the `d_loss` of lesson 02.
# `broken_estimate` uses `fit` to estimate a JSD from samples, and it has two faults. Watch it on two pairs.


# %% nbgrader={"grade": false, "grade_id": "broken", "locked": true, "schema_version": 3, "solution": false, "task": false}
def fit(x, y):
    """Train a D on real samples x (N, d) and fakes y (M, d). Returns it: it maps (n, d) samples to (n, 1) logits."""
    D = mlp([x.shape[1], 64, 1])
    optimizer = torch.optim.Adam(D.parameters(), lr=1e-2)
    for _ in range(300):
        loss = d_minimax(D(x), D(y))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return D


def broken_estimate(x, y, fit):
    """Estimate the JSD of two distributions from samples x (N, d) and y (M, d). It has two faults."""
    x_half, y_half = x[: len(x) // 2], y[: len(y) // 2]
    D = fit(x_half, y_half)
    with torch.no_grad():
        return LOG2 - d_minimax(D(x_half), D(y_half)) / 2


def twins(n=100):
    """The same distribution twice, N(0, I) in ten dimensions. JSD is 0."""
    return torch.randn(n, 10), torch.randn(n, 10)


def sorted_numbers(n=2000):
    """N(0, 1), and N(0, 1) with its positive half stretched by 5. JSD is 0.15. They arrive in order of size."""
    x, y = torch.randn(2, n, 1)
    y = torch.where(y > 0, 5 * y, y)
    return x.sort(0).values, y.sort(0).values


# %% tags=["watch"]
torch.manual_seed(0)
print(f"twins: broken estimate {broken_estimate(*twins(), fit):.3f}, exact 0")
print(f"sorted numbers: broken estimate {broken_estimate(*sorted_numbers(), fit):.3f}, exact 0.15")

# %% [markdown]
# Two distributions that are equal come out as nearly as different as can be. Two that are different come out as equal:
# in order of size, the first halves are the negative numbers, and there the two *are* equal.
#
# Write `estimate` without the two faults:
#
# - Call `fit` once, with about half of `x` and about half of `y`, real samples first.
# - Judge D on the other samples of each kind, none of which it has seen. No sample serves for both.
# - Samples may arrive in any order, by size or by kind. Each half must look like the whole. (`torch.randperm(n)` gives
#   the numbers 0 to n - 1 in random order; a tensor takes it as an index.)
# - `x` and `y` may hold different numbers of samples.
# - `fit` learns by gradients, so only the judging may stand under `torch.no_grad()`.


# %% nbgrader={"grade": false, "grade_id": "task4_estimate", "locked": false, "schema_version": 3, "solution": true, "task": false}
def estimate(x, y, fit):
    """Estimate the JSD of two distributions from samples x (N, d) and y (M, d). Returns a tensor of shape ()."""
    ### BEGIN SOLUTION
    x, y = x[torch.randperm(len(x))], y[torch.randperm(len(y))]
    x_train, x_fresh = x[: len(x) // 2], x[len(x) // 2 :]
    y_train, y_fresh = y[: len(y) // 2], y[len(y) // 2 :]
    D = fit(x_train, y_train)
    with torch.no_grad():
        return LOG2 - d_minimax(D(x_fresh), D(y_fresh)) / 2
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task4_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_close


def check_estimate(estimate, n, m):
    """Follow an estimate's samples. Samples are numbered, x from 1 on and y from -1 down, so that each is known again."""
    x, y = torch.arange(1.0, n + 1)[:, None], -torch.arange(1.0, m + 1)[:, None]
    fitted, judged = [], []

    def D(samples):
        judged.extend(samples.flatten().tolist())
        return torch.sin(samples)  # some logits

    def watched_fit(first, second):
        if fitted:
            raise CheckFailed("estimate: fit is called a second time. One D, fitted once, is judged.")
        if not torch.is_grad_enabled():
            raise CheckFailed(
                "estimate: fit is called under torch.no_grad(), so D cannot learn. Only judge D under it."
            )
        fitted.append(([*first.flatten().tolist()], [*second.flatten().tolist()]))
        return D

    try:
        got = estimate(x, y, watched_fit)
    except IndexError:
        raise CheckFailed(
            f"estimate: with {n} samples of x and {m} of y an index runs past the end. Each kind needs an order of its own."
        ) from None
    if not fitted:
        raise CheckFailed("estimate: fit is never called, so no D has learned.")
    learned = set(fitted[0][0]) | set(fitted[0][1])
    if any(v < 0 for v in fitted[0][0]) and any(v > 0 for v in fitted[0][1]):
        raise CheckFailed("estimate: fit gets fakes where it takes real samples: x comes first, then y.")
    if set(judged) <= learned:
        raise CheckFailed("estimate: D is judged on the very samples that it has learned from. Keep some apart.")
    if learned <= set(judged):
        raise CheckFailed("estimate: D is judged on all samples, those among them that it has learned from.")
    if set(judged) & learned:
        raise CheckFailed(
            f"estimate: {len(set(judged) & learned)} of the samples that D is judged on have gone to fit as well. Draw "
            "one random order and cut it in two."
        )
    for name, size, sign in (("x", n, 1), ("y", m, -1)):
        parts = {
            "fit gets": [v for v in learned if v * sign > 0],
            "D is judged on": [v for v in judged if v * sign > 0],
        }
        for who, part in parts.items():
            if not 0.4 * size <= len(part) <= 0.6 * size:
                raise CheckFailed(f"estimate: of {name}, {who} {len(part)} of {size} samples; about half is wanted.")
            early = sum(abs(v) <= size / 2 for v in part) / len(part)
            if not 0.25 < early < 0.75:
                raise CheckFailed(
                    f"estimate: {who} {early:.0%} of its samples from the first half of {name}: the split keeps the order "
                    "in which samples arrive. Shuffle first."
                )
            odd = sum(v % 2 for v in part) / len(part)
            if not 0.25 < odd < 0.75:
                raise CheckFailed(
                    f"estimate: every other sample of {name} fails where two kinds arrive in turn. Shuffle first."
                )
    real = torch.sin(torch.tensor([v for v in judged if v > 0])).double()
    fake = torch.sin(torch.tensor([v for v in judged if v < 0])).double()
    d_loss = float(torch.log1p(torch.exp(-real)).mean() + torch.log1p(torch.exp(fake)).mean())
    swapped = float(torch.log1p(torch.exp(real)).mean() + torch.log1p(torch.exp(-fake)).mean())
    check_close(
        "estimate",
        got,
        math.log(2) - d_loss / 2,
        hint="The split is right. Is the rest log 2 - d_loss / 2, with d_minimax(D(x), D(y)) on the samples kept apart?",
        mistakes=[
            (2 * math.log(2) - d_loss, "The split is right, but this is twice the JSD."),
            (
                math.log(2) - swapped / 2,
                "The split is right, but D's logits are handed to the loss in the wrong order.",
            ),
        ],
    )


torch.manual_seed(2)
check_estimate(estimate, 200, 200)
check_estimate(estimate, 400, 200)
print("✓ Task 4: all visible checks pass.")
### BEGIN HIDDEN TESTS
torch.manual_seed(3)
check_estimate(estimate, 201, 357)
torch.manual_seed(4)
x = torch.cat([torch.full((300, 1), -1.0), torch.full((300, 1), 1.0)])  # in order of kind
got = float(estimate(x, x.clone(), fit))
check_close("estimate of one distribution twice, in order", got, 0.0, atol=0.03)
### END HIDDEN TESTS

# %% tags=["watch"]
torch.manual_seed(0)
print(f"twins: your estimate {estimate(*twins(), fit):.3f}, exact 0")
print(f"twins, 5,000 of each: your estimate {estimate(*twins(5000), fit):.3f}, exact 0")
print(f"sorted numbers: your estimate {estimate(*sorted_numbers(), fit):.3f}, exact 0.15")

# %% [markdown]
# The first estimate is far below 0. D has learned 50 + 50 samples by heart and is sure and often wrong about the rest. It is a
# poor bound, but it does not claim a difference that is not there. With 5,000 samples it comes much nearer to 0.

# %% [markdown]
# ## Task 5. Measure what G feels
#
# The real numbers come from $N(0, 1)$, and $G(z) = t + s\,z$, so the fakes come from $N(t, s^2)$. The best D has the logit
# $\log p(x) - \log q(x)$. Measure, by autograd, the gradient in $t$ of both losses of G:
#
# $$\text{saturating: } \mathbb{E}_z[\log(1 - D^*(G(z)))] \qquad \text{non-saturating: } -\mathbb{E}_z[\log D^*(G(z))]$$
#
# with $D^*$ **held fixed**: it is the best D for the fakes as they are now, and it stays as it is while G moves. In a
# real GAN that comes by itself, because D's weights are no function of G's. Here $D^*$ is made from $t$ and $s$, so there
# are two ways from the loss back to $t$. Which of them do you want, and how do you cut the other?
#
# $\mathbb{E}_z$ is the mean over the latents that you are given. Fakes may lie at 40, where D is 0 in 32-bit arithmetic.
#
# `torch.autograd.grad(loss, G.t)` returns the gradient as a tuple of one and leaves `G.t.grad` as it is. It frees the graph
# that it has gone through; if the other loss shares that graph, keep it with `retain_graph=True`. `loss.backward()` adds
# to `G.t.grad`, which stays one and the same tensor: take its `.item()` or `.clone()` before you clear it.


# %% nbgrader={"grade": false, "grade_id": "slide", "locked": true, "schema_version": 3, "solution": false, "task": false}
class Slide(nn.Module):
    """(N, 1) latents -> (N, 1) fakes from N(t, s²). Its parameters are ``G.t`` and ``G.s``."""

    def __init__(self, t, s=1.0):
        super().__init__()
        self.t, self.s = nn.Parameter(torch.tensor(float(t))), nn.Parameter(torch.tensor(float(s)))

    def forward(self, z):
        return self.t + self.s * z


def log_normal(x, mean, std):
    """log of the density of N(mean, std²) at x, all of them tensors or numbers."""
    std = torch.as_tensor(std)
    return -0.5 * ((x - mean) / std) ** 2 - std.log() - 0.5 * math.log(2 * math.pi)


# %% nbgrader={"grade": false, "grade_id": "task5_gradients", "locked": false, "schema_version": 3, "solution": true, "task": false}
def gradients_in_t(G, z):
    """(saturating gradient, non-saturating gradient) of G's loss with respect to G.t: two numbers.

    G: a Slide.
    z: (N, 1) latents.
    """
    ### BEGIN SOLUTION
    x_fake = G(z)
    # D* knows where the fakes are, but it does not move with them: q's t and s are cut from the graph
    logit = log_normal(x_fake, 0.0, 1.0) - log_normal(x_fake, G.t.detach(), G.s.detach())
    saturating = -F.softplus(logit).mean()
    nonsaturating = F.softplus(-logit).mean()
    (first,) = torch.autograd.grad(saturating, G.t, retain_graph=True)
    (second,) = torch.autograd.grad(nonsaturating, G.t)
    return first.item(), second.item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task5_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
import numpy as np

from ganedu.checks import check_close, check_finite, explain_graph_errors


def check_slopes(t, s, z):
    """Compare with the chain rule by hand: D's slope in x times dx/dt = 1."""
    with explain_graph_errors(
        again="gradients_in_t: both losses share a graph, and the first backward frees it: "
        "compute the fakes again, or keep the graph.",
        changed="gradients_in_t: G has changed between the two gradients. Measure both at the same place.",
    ):
        try:
            got = gradients_in_t(Slide(t, s), z)
        except RuntimeError as error:
            if "does not require grad" in str(error) or "not have been used in the graph" in str(error):
                raise CheckFailed(
                    "gradients_in_t: every way from the loss to G.t is cut. Keep the one by the fakes."
                ) from None
            raise
    if not isinstance(got, tuple | list) or len(got) != 2:
        raise CheckFailed(f"gradients_in_t: got {got!r}, wants two numbers, the saturating gradient first.")
    if all(isinstance(g, torch.Tensor) for g in got) and got[0].data_ptr() == got[1].data_ptr():
        raise CheckFailed(
            "gradients_in_t: both entries are one and the same tensor, so both show what it holds last. Take .item() or "
            ".clone() of G.t.grad, then clear it, then go backward for the second loss."
        )
    x = t + s * z.double().numpy()
    logit = -0.5 * x**2 + 0.5 * ((x - t) / s) ** 2 + np.log(s)
    D = np.exp(-np.logaddexp(0, -logit))
    # of the logit, as t moves: D held, q moving too, and q alone moving
    slopes = {"fixed": -x + (x - t) / s**2, "moving": -x, "q alone": -(x - t) / s**2}
    want = {which: (-(D * slope).mean(), -((1 - D) * slope).mean()) for which, slope in slopes.items()}
    right, n = want["fixed"], len(z)
    losses = (-np.logaddexp(0, logit).mean(), np.logaddexp(0, -logit).mean())
    unit = np.exp(-np.logaddexp(0, 0.5 * x**2 - 0.5 * (x - t) ** 2))  # D*, had the fakes the std 1
    want["std 1"] = ((unit * t).mean(), ((1 - unit) * t).mean())
    tolerance = 1e-4 * max(1.0, abs(right[1]))
    for i, name in enumerate(("saturating", "non-saturating")):
        where = f"{name} gradient at t = {t:g}, s = {s:g}"
        sure = "log(sigmoid(logit)) and log(1 - sigmoid(logit)) overflow where D is sure: work on logits."
        check_finite(where, got[i], hint=sure)
        check_close(
            where,
            got[i],
            right[i],
            hint="Is it the gradient of the mean over z, with the logit log p - log q at the fakes G(z)? A clamp, or a small "
            "number inside a logarithm, takes the gradient away where D is sure: work on logits.",
            mistakes=[
                (right[1 - i], "The two have changed places: the saturating one comes first."),
                (
                    want["moving"][i],
                    "D moves with G: your gradient also flows through q's own t. D* is held fixed, so cut that way.",
                ),
                (-right[i], "The sign is turned round: wanted is the gradient, not the step against it."),
                (right[i] * n, "You add up over the latents; E is an average."),
                (
                    sum(right),
                    "Both gradients have been added up in .grad: take .item() or .clone() of the first, then clear it.",
                ),
                (losses[i], "That is the loss itself. Wanted is its gradient in t."),
                (-right[1 - i], "p and q are swapped in the logit: this D calls real what is likely to be fake."),
                (
                    want["q alone"][i],
                    "The fakes are cut off, and the gradient flows through q's own t alone. It is the other way that you want.",
                ),
                (want["std 1"][i], "Your q has the std 1; the fakes have the std G.s."),
            ],
            atol=tolerance,
        )


z = torch.randn(2000, 1, generator=torch.Generator().manual_seed(1))
check_slopes(2.0, 0.5, z)
check_slopes(9.0, 1.0, z)
check_slopes(40.0, 1.0, z)
print("✓ Task 5: all visible checks pass.")
### BEGIN HIDDEN TESTS
z = torch.randn(500, 1, generator=torch.Generator().manual_seed(8))
for t, s in ((0.0, 1.0), (1.0, 2.0), (-3.0, 0.7), (5.0, 1.0)):
    check_slopes(t, s, z)
### END HIDDEN TESTS

# %% tags=["watch"]
torch.manual_seed(2)
z, ts = torch.randn(4000, 1), torch.arange(0.25, 12.1, 0.25).tolist()
figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
for s, style in ((1.0, "-"), (3.0, "--")):
    measured = [gradients_in_t(Slide(t, s), z) for t in ts]
    axes.semilogy(ts, [abs(a) for a, _ in measured], style, color=CRITIC, label=f"saturating, s = {s:g}")
    axes.semilogy(ts, [abs(b) for _, b in measured], style, color=FAKE, label=f"non-saturating, s = {s:g}")
axes.axhline(1e-4, color="black", linestyle=":", linewidth=1, label="0.0001")
axes.set(xlabel="t, the mean of the fakes", ylabel="|gradient in t|", ylim=(1e-9, 100))
axes.legend(frameon=False, fontsize=8, loc="lower left")
caption = "The saturating gradient dies where nothing overlaps. Wider fakes (dashed) keep it alive, the other loss does not need them."
show(figure, caption, "Four curves over t on a logarithmic scale; one of them, saturating with s = 1, falls steeply.")

# %% [markdown]
# Your curve for $s = 1$ falls below 0.0001 at about $t = 8$, the exact one of the lesson at about 8.7. What is left of the
# exact average out there comes from latents so rare that 4,000 draws hold few of them or none. With other draws the curve
# falls there mostly between 7.5 and 8.8. A batch tells G, as a rule, even less than the theory does.
#
# ## What you take away
#
# - The best D follows from a maximum at each place on its own, so you can work it out for any game of this kind.
# - A trained D turns samples into an estimate of JSD, from below, if it is judged on samples that it has not seen and
#   that were not sorted apart.
# - With the best D held fixed, the saturating loss is silent where supports are disjoint. The non-saturating one is not.
