# %% [markdown]
# # Exercise __NUMBER__: __TITLE__
#
# <!-- badge --><!-- /badge -->
#
# In lesson __NUMBER__ something is built, once. Here you build what differs from it in one thing, so its code alone does not
# fit.
#
# | task | what you do | points |
# |---|---|---|
# | 1 | complete both losses | 3 |
# | 2 | predict what they say | 2 |
# | 3 | debug a game that does not learn | 3 |
# | 4 | measure how much samples differ | 2 |
#
# Plan 60 minutes. You need lesson __NUMBER__ and no GPU; every cell takes seconds.
#
# **How it works.** Write your code in place of the line that raises `NotImplementedError`. Then run the check below
# the task. A check that passes prints one line with a ✓; one that fails tells you what is wrong. Your instructor
# runs further checks with other inputs, so write code that holds in general. No task needs the answer to an earlier
# one: if you are stuck, go on.

# %%
# >>> setup
# <<< setup

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import torch
from torch import nn
from torch.nn.functional import softplus

# %% [markdown]
# ## Task 1. Both losses
#
# *The formula, the shapes, and what must hold "whatever" is given: every such word is a check.* Write
#
# $$L_D = -\mathbb{E}[\log D(x)] - \mathbb{E}[\log(1 - D(G(z)))] \qquad L_G = -\mathbb{E}[\log D(G(z))]$$
#
# You get D's logits, any number of either kind. Stay with them, so that both losses are right at a logit of 1,000 too.


# %% nbgrader={"grade": false, "grade_id": "task1_losses", "locked": false, "schema_version": 3, "solution": true, "task": false}
def d_loss(real_logits, fake_logits):
    """D's loss, a tensor of shape (). real_logits: (N, 1), fake_logits: (M, 1)."""
    ### BEGIN SOLUTION
    on_real, on_fakes = softplus(-real_logits), softplus(fake_logits)
    return on_real.mean() + on_fakes.mean()
    ### END SOLUTION


def g_loss(fake_logits):
    """G's loss, a tensor of shape (). fake_logits: (M, 1)."""
    ### BEGIN SOLUTION
    return softplus(-fake_logits).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task1_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# The formula of a visible check comes from the library: written out here it would be the answer.
from ganedu.checks import check_objective
from ganedu.losses import g_minimax, nonsaturating

check_of_d = {"name": "d_loss", "loss": d_loss, "formula": nonsaturating.d, "over": ("real_logits", "fake_logits")}
check_of_g = {"name": "g_loss", "loss": g_loss, "formula": nonsaturating.g, "over": ("fake_logits",)}
check_batch = {"real_logits": torch.tensor([[0.5], [2.0], [-1.0]]), "fake_logits": torch.tensor([[0.5], [-2.0]])}
check_objective(**check_of_d, hint="Work it out by hand for these logits.", batches=[check_batch])
check_objective(
    **check_of_g,
    hint="Work it out by hand for these logits.",
    mistakes=[(g_minimax, "That is the saturating loss: G minimises minus the logarithm of D.")],
    batches=[check_batch],
)
print("✓ Task 1: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_objective(**check_of_d, hint="It fits the example only.")
check_objective(**check_of_g, hint="It fits the example only.")
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2. Predict
#
# Think first, with paper. Then write your answers into `predictions`. 0.01 either way is near enough.
#
# - `d_loss_at_the_end`: the samples are distributed like the data, and D does the best that is left. How large is its loss?
# - `g_loss_rises`: `g_loss` is 0.8 at round 500 and 1.5 at round 3,000. What follows about the samples?
#   - `"a"`: they have become worse.  `"b"`: they have become better.  `"c"`: neither: look at them, or measure them.


# %% nbgrader={"grade": false, "grade_id": "task2_predictions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predictions():
    """Your answers: a dict with the keys d_loss_at_the_end and g_loss_rises."""
    ### BEGIN SOLUTION
    return {
        "d_loss_at_the_end": 2 * math.log(2),  # D = 1/2 everywhere
        "g_loss_rises": "c",
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task2_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
# This check looks at the form of your answers only.
from ganedu.checks import CheckFailed, check_finite, check_one_of

answers, keys = predictions(), ("d_loss_at_the_end", "g_loss_rises")
if not isinstance(answers, dict) or set(answers) != set(keys):
    raise CheckFailed(f"predictions: got {answers!r}, wants a dict with the keys {', '.join(keys)}.")
check_finite("d_loss_at_the_end", answers["d_loss_at_the_end"])
check_one_of("g_loss_rises", answers["g_loss_rises"], ["a", "b", "c"])
print("✓ Task 2: all visible checks pass. The form is right; whether the answers are is marked when you hand in.")
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "d_loss_at_the_end",
    2 * math.log(2),
    hint="What does the best D say where real and fake are equally likely?",
    mistakes=[
        (math.log(2), "That is one half of the loss; there is one for the real samples and one for the fakes."),
        (0.0, "A loss of 0 means that D tells all of them apart. At the end it cannot tell any."),
    ],
    atol=0.011,
)
marks.judge(
    "g_loss_rises",
    "c",
    mistakes=[
        ("a", "The loss says how G does against D as it is now, and D has learned, too."),
        ("b", "Neither does a loss that rises say that G has become better."),
    ],
)
marks.report()
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3. Debug a game that does not learn
#
# These losses run without an error, and they have **two faults**. *Say what a student sees, and ask the questions that lead
# to the cause.*


# %% nbgrader={"grade": false, "grade_id": "broken", "locked": true, "schema_version": 3, "solution": false, "task": false}
def broken_losses(G, D, x, z):
    """(D's loss, G's loss) with two faults. G and D are any nets."""
    x_fake = G(z)
    of_d = softplus(-D(x)).mean() + softplus(D(x_fake)).mean()
    of_g = softplus(-D(x_fake.detach())).mean()
    return of_d, of_g


# %% [markdown]
# 1. D's loss sends a gradient into G. Whose business is G's step?
# 2. G's loss sends none. Where is it cut off?
#
# Write `repaired_losses`.


# %% nbgrader={"grade": false, "grade_id": "task3_repaired_losses", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repaired_losses(G, D, x, z):
    """(D's loss, G's loss): two tensors of shape (). What you are given stays as it is."""
    ### BEGIN SOLUTION
    x_fake = G(z)
    of_d = softplus(-D(x)).mean() + softplus(D(x_fake.detach())).mean()
    of_g = softplus(-D(x_fake)).mean()
    return of_d, of_g
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task3_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import CheckFailed, check_close, check_gradients_go, plain_errors, unchanged
from ganedu.losses import nonsaturating


def check_losses(losses, G, D, x, z):
    """Both losses: their values, whose gradients they carry, and that nothing else moves."""
    free = {"G": ("buffers",), "D": ("buffers",)}  # batch norm's statistics move with every pass in train mode
    with unchanged("repaired_losses", G=G, D=D, x=x, z=z, free=free), plain_errors("repaired_losses"):
        found = losses(G, D, x, z)
    if not isinstance(found, tuple | list) or len(found) != 2:
        raise CheckFailed(f"repaired_losses: got {found!r}, wants two tensors, D's loss and G's loss.")
    of_d, of_g = found
    real_logits, fake_logits = D(x), D(G(z))
    want_d, want_g = nonsaturating.d(real_logits, D(G(z).detach())), nonsaturating.g(fake_logits)
    other = [(want_g.detach(), "The two losses come in the other order: D's is the first.")]
    check_close("D's loss", of_d, want_d, mistakes=other, hint="Real samples are called real, fakes are called fake.")
    check_close("G's loss", of_g, want_g, hint="G wants its fakes to be called real.")
    slopes_d = torch.autograd.grad(want_d, list(D.parameters()))
    slopes_g = torch.autograd.grad(want_g, list(G.parameters()))
    check_gradients_go(
        "D's loss",
        of_d,
        to={"D's weights": (D, slopes_d)},
        not_to={"G's weights": G},
        hints={
            "G's weights": "Detach the fakes before D's loss.",
            "D's weights": "Detach the fakes, and not what D says of them.",
        },
    )
    check_gradients_go(
        "G's loss", of_g, to={"G's weights": (G, slopes_g)}, hints={"G's weights": "In G's loss nothing is detached."}
    )


torch.manual_seed(0)
check_losses(repaired_losses, nn.Linear(2, 3), nn.Linear(3, 1), torch.randn(5, 3), torch.randn(4, 2))
print("✓ Task 3: all visible checks pass.")
### BEGIN HIDDEN TESTS
G = nn.Sequential(nn.Linear(2, 6), nn.LayerNorm(6), nn.Tanh(), nn.Unflatten(1, (1, 2, 3)))
D = nn.Sequential(nn.Conv2d(1, 4, 2), nn.LeakyReLU(0.2), nn.Flatten(), nn.Linear(8, 1))
check_losses(repaired_losses, G, D, torch.randn(7, 1, 2, 3), torch.randn(3, 2))
check_losses(repaired_losses, G, D, torch.randn(1, 1, 2, 3), torch.randn(1, 2))
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4. Measure: how much do samples differ?
#
# The spread of a batch: for each pixel its standard deviation **over the batch** (with $n - 1$, as `torch.std` has it), and
# of these numbers the average. It is 0 where all images are alike, whatever they show.


# %% nbgrader={"grade": false, "grade_id": "task4_spread", "locked": false, "schema_version": 3, "solution": true, "task": false}
def spread(x):
    """The spread, a number. x: (N, ...), at least two samples, of any shape."""
    ### BEGIN SOLUTION
    each_pixel = x.std(dim=0)
    return each_pixel.mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task4_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_close, plain_errors, unchanged


def check_spread_of(x):
    """What ``spread`` says, once it leaves x as it was and ends in no error."""
    with unchanged("spread", x=x), plain_errors("spread"):
        return spread(x)


check_close(
    "spread of the samples (0, 3, 7) and (2, 3, 7)",
    check_spread_of(torch.tensor([[0.0, 3.0, 7.0], [2.0, 3.0, 7.0]])),
    math.sqrt(2) / 3,
    hint="The first pixel's numbers are 0 and 2, the second one's 3 and 3, the third one's 7 and 7.",
    mistakes=[
        (1 / 3, "You divide by n; torch.std divides by n - 1."),
        (2 / 3, "That is the average variance: the root is missing."),
        (math.sqrt(2), "That is the largest or the sum over pixels. Average over them."),
        (3.07882, "That is the spread within each image. Compare the images with each other."),
    ],
    atol=1e-5,
)
alike = torch.tensor([0.0, 5.0]).repeat(4, 1)
check_close(
    "spread of four equal samples", check_spread_of(alike), 0.0, hint="Nothing differs from image to image here."
)
print("✓ Task 4: all visible checks pass.")
### BEGIN HIDDEN TESTS
import numpy as np

generator = torch.Generator().manual_seed(4)
for shape in ((2, 3), (9, 1, 4, 6), (5, 7, 1)):
    x = 3 * torch.randn(shape, generator=generator) - 1
    want = np.std(x.double().numpy(), axis=0, ddof=1).mean()
    check_close(f"spread of samples of the shape {shape}", check_spread_of(x), want, hint="It fits the examples only.")
### END HIDDEN TESTS
