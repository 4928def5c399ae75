# %% [markdown]
# # Exercise 07: why training fails
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# In lesson 07 a game of two numbers shows why GANs circle, and precision and recall tell failures apart. Here you play that
# game yourself, predict what it does, repair a penalty, and write a judge that names the failure of a generator.
#
# | task | what you do | points |
# |---|---|---|
# | 1 | complete a round of the Dirac-GAN | 3 |
# | 2 | predict what the game does | 4 |
# | 3 | debug a penalty | 4 |
# | 4 | measure which failure it is | 4 |
#
# Plan 60 minutes. You need lesson 07 and no GPU; every cell takes seconds.
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
import math

import torch
from matplotlib.figure import Figure
from torch import nn

from ganedu.blocks import mlp
from ganedu.checks import CheckFailed, check_answer, check_close, check_finite, check_gradient_reaches, check_one_of
from ganedu.data import ring
from ganedu.losses import nonsaturating
from ganedu.metrics import prdc_features
from ganedu.models.vanilla import VanillaGAN
from ganedu.training import Trainer
from ganedu.views.figure import CRITIC, FAKE, REAL, show

# %% [markdown]
# ## Task 1. A round of the Dirac-GAN
#
# Real data are the number 0, G makes the number $\theta$, D gives the logit $D(x) = \psi x$. In the min-max game with R1 the
# players minimise
#
# $$L_D = \log 2 + \mathrm{softplus}(\psi\theta) + \tfrac{\gamma}{2}\,\psi^2 \qquad L_G = -\,\mathrm{softplus}(\psi\theta)$$
#
# Write one round of **alternating** descent: D takes a step of its own learning rate `lr_d` against the gradient of $L_D$ in
# $\psi$. Then G takes a step of `lr_g` against the gradient of $L_G$ in $\theta$, and meets the D that has just moved. All
# arguments and both results are floats. The slope of softplus is the sigmoid, $\sigma(t) = 1/(1 + e^{-t})$; `math.exp` is
# all that you need.


# %% nbgrader={"grade": false, "grade_id": "task1_one_round", "locked": false, "schema_version": 3, "solution": true, "task": false}
def one_round(theta, psi, lr_g, lr_d, r1_gamma):
    """One round: D's step, then G's. Returns (theta, psi), two floats.

    theta, psi: where the game stands.
    lr_g, lr_d: the learning rates of G and of D.
    r1_gamma: γ; the loss has γ/2.
    """
    ### BEGIN SOLUTION
    psi = psi - lr_d * (theta / (1 + math.exp(-psi * theta)) + r1_gamma * psi)  # γ/2 ψ² has the slope γ ψ
    theta = theta + lr_g * psi / (1 + math.exp(-psi * theta))  # G minimises -softplus, so it goes up the slope
    return theta, psi
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task1_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
def check_round(name, start, want, mistakes=(), **settings):
    """Ask for one round and compare both numbers."""
    got = one_round(*start, **settings)
    try:
        theta, psi = got
    except (TypeError, ValueError):
        forgotten = " Did you forget to return them?" if got is None else ""
        raise CheckFailed(f"one_round: got {got!r}, wants two numbers, theta and psi.{forgotten}") from None
    got = theta, psi
    for value in got:
        check_finite(f"one_round {name}", value)
    for wrong, sentence in mistakes:
        if max(abs(float(g) - w) for g, w in zip(got, wrong)) < 1e-5:
            raise CheckFailed(f"one_round {name}: got ({got[0]:.6g}, {got[1]:.6g}). {sentence}")
    check_close(f"psi {name}", got[1], want[1], hint="D's push is -(sigmoid(psi theta) theta + gamma psi).", atol=1e-5)
    check_close(
        f"theta {name}", got[0], want[0], hint="G's push is sigmoid(psi theta) psi, at the psi of now.", atol=1e-5
    )


check_round(
    "from (0.5, 3)",
    (0.5, 3.0),
    (0.920550, 2.659121),
    lr_g=0.2,
    lr_d=0.1,
    r1_gamma=1.0,
    mistakes=[
        ((0.990545, 2.659121), "G moves against the D of before its step: these are simultaneous steps."),
        ((0.934806, 2.659121), "G's sigmoid has the ψ of before D's step. Both factors of G's push take the new one."),
        ((0.974461, 2.659121), "G's sigmoid has the new ψ, the factor beside it the old one. Both take the new one."),
        ((0.990545, 2.605772), "G has moved first here, and D met the new fake. D's turn comes first."),
        ((0.951092, 2.809121), "The penalty is γ/2 ψ², and its slope γ ψ: you halve it twice."),
        ((0.860884, 2.359121), "The penalty is γ/2 ψ²: its slope is γ ψ, not twice that."),
        ((0.890464, 2.509121), "You add the penalty itself, γ/2 ψ². D goes down its slope."),
        ((0.961367, 2.859121), "The slope of the penalty is γ ψ, not γ: the steeper D is, the more it is held."),
        ((1.044996, 3.259121), "The penalty makes D steeper here: its slope has to be taken off ψ."),
        ((0.495954, -0.040879), "The penalty is part of D's loss: its slope, too, is multiplied by lr_d."),
        ((0.982045, 2.959121), "The penalty is missing from D's push."),
        ((0.882045, 2.959121), "The penalty sits on G. It is part of D's loss alone."),
        ((0.820550, 2.659121), "A penalty holds G back as well. It is part of D's loss alone."),
        ((0.079450, 2.659121), "G runs away from what D takes for real: G minimises *minus* softplus."),
        ((0.611275, 2.659121), "That is the non-saturating G, sigmoid(-ψθ). Here G plays the min-max game."),
        ((0.926979, 2.690879), "D's sigmoid has ψθ turned round: the slope of softplus(ψθ) is σ(ψθ) θ."),
        ((0.676458, 2.318243), "The rates are mixed up: D steps with lr_d, G with lr_g."),
        ((0.852917, 2.318243), "Both players step with G's rate; D has one of its own, lr_d."),
        ((0.710275, 2.659121), "Both players step with D's rate; G has one of its own, lr_g."),
        ((0.937143, 2.740879), "D runs the wrong way: it makes its loss on the fake larger."),
        ((2.659121, 0.920550), "These are ψ and θ. Return theta first."),
        ((0.420550, -0.340879), "That is how far each of them moves. Return where they stand after the round."),
        ((2.452723, -3.408787), "These are the pushes. Take a step of each, and return where the two stand then."),
        (
            (1.030000, 2.650000),
            "The slope of softplus is a sigmoid, not 1: these players push with full force for ever.",
        ),
    ],
)
check_round("from (-0.5, 2), D without penalty", (-0.5, 2.0), (-0.338068, 2.026894), lr_g=0.3, lr_d=0.2, r1_gamma=0.0)
theta, psi = one_round(0.0, 0.0, lr_g=0.1, lr_d=0.1, r1_gamma=1.0)
check_close("how far the game moves from its goal (0, 0)", abs(theta) + abs(psi), 0.0)
print("✓ Task 1: all visible checks pass.")
### BEGIN HIDDEN TESTS
from ganedu.models import dirac

for start in ((2.0, -1.5), (-1.0, -0.25), (0.3, 3.0)):
    for gamma in (0.0, 0.4, 2.5):
        want = dirac.alternating(*start, 0.15, gamma)
        want = [float(value) for value in want]
        check_round(f"from {start}, gamma {gamma}", start, want, lr_g=0.15, lr_d=0.15, r1_gamma=gamma)
check_round(
    "from (1, 0.5), G at rest", (1.0, 0.5), (1.0, 0.5 - 0.1 / (1 + math.exp(-0.5))), lr_g=0.0, lr_d=0.1, r1_gamma=0.0
)
### END HIDDEN TESTS

# %% tags=["watch"]
figure = Figure(figsize=(5, 4.2), layout="constrained")
axes = figure.subplots()
for gamma, colour in ((0.0, FAKE), (0.3, CRITIC), (1.0, REAL)):
    point, path = (1.0, 0.0), [(1.0, 0.0)]
    for _ in range(150):
        point = one_round(*point, lr_g=0.1, lr_d=0.1, r1_gamma=gamma)
        path.append(point)
    axes.plot(*zip(*path), color=colour, label=f"γ = {gamma:g}")
axes.set(xlabel="θ, the fake", ylabel="ψ, D's slope", aspect="equal")
axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(1, 1))
show(
    figure,
    "Your game, 150 rounds of 0.1 from (1, 0).",
    "Three paths: a circle, a spiral inward, a short way to the origin.",
)

# %% [markdown]
# ## Task 2. Predict
#
# Think first, with paper. Then write your answers into `predictions`. Where a number is asked for, 0.001 either way is near
# enough, 10 % for `push`. "Stretch" is the factor by which one round multiplies the distance from the goal, near the goal.
# The points are given for all six answers together; the marking names every answer that is not right yet.
#
# - `simultaneous`: the stretch of simultaneous descent with $h = 0.4$ and without penalty.
# - `alternating`: the size of the eigenvalues of alternating descent with $h = 0.4$ and without penalty.
# - `push`: in the min-max game at $\theta = 2$, $\psi = -3$ and without penalty: how long is the push on G, $|\dot\theta|$?
# - `smaller_step`: you divide the step of *simultaneous* descent by 10 and play 10 times as many rounds. What happens to the
#   factor by which the distance grows over the whole run?
#   - `"a"`: it stays the same: the same way in smaller pieces.
#   - `"b"`: it is nearer to 1, but still above 1.
#   - `"c"`: it falls below 1: small steps converge.
# - `stuck`: a min-max game stands still. `d_loss` is near 0, D gives nearly every fake less than 0.001, and half of the modes
#   are missing. What is worth trying first?
#   - `"a"`: more D steps a round.
#   - `"b"`: a smaller learning rate for both players.
#   - `"c"`: R1 on D.
#   - `"d"`: sampling from the averaged generator.
# - `opposite`: all latents give nearly one image, and every hundred rounds another one. D's rate is a tenth of G's. What is
#   worth trying first?
#   - `"a"`: fewer D steps a round.
#   - `"b"`: a faster D.
#   - `"c"`: sampling from the averaged generator.


# %% nbgrader={"grade": false, "grade_id": "task2_predictions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predictions():
    """Your answers: a dict with the keys simultaneous, alternating, push, smaller_step, stuck and opposite."""
    ### BEGIN SOLUTION
    return {
        "simultaneous": math.sqrt(1 + 0.4**2 / 4),
        "alternating": 1.0,
        "push": 3 / (1 + math.exp(6)),  # sigmoid(-6) times |psi|
        "smaller_step": "b",  # ten rounds of h/10 stretch by (1 + h²/400)^5, one of h by (1 + h²/4)^(1/2)
        "stuck": "c",
        "opposite": "b",
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task2_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
# This check looks at the form of your answers only.
answers = predictions()
keys = ("simultaneous", "alternating", "push", "smaller_step", "stuck", "opposite")
if not isinstance(answers, dict) or set(answers) != set(keys):
    raise CheckFailed(f"predictions: got {answers!r}, wants a dict with the keys {', '.join(keys)}.")
answers = {key: answer.strip().lower() if isinstance(answer, str) else answer for key, answer in answers.items()}
for key in keys[:3]:
    check_finite(key, answers[key])
check_one_of("smaller_step", answers["smaller_step"], ["a", "b", "c"])
check_one_of("stuck", answers["stuck"], ["a", "b", "c", "d"])
check_one_of("opposite", answers["opposite"], ["a", "b", "c"])
print(
    "✓ Task 2: all visible checks pass. The form is right; whether the answers are is marked when you hand in. "
    "On your own, from the repository's root: `.venv/bin/python tools/grading.py exercises/07_why_training_fails.ipynb` "
    "(needs the instructor extra)."
)
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "simultaneous",
    math.sqrt(1.04),
    hint="The eigenvalues are 1 ± ih/2: their size is a length in the complex plane.",
    mistakes=[
        (1.2, "You add h/2 to 1, but the push is at a right angle to the way home: 1 + ih/2 is a complex number."),
        (1.04, "That is the square of the size."),
        (math.sqrt(1.16), "The push on each player has the factor sigmoid(0) = 1/2, so it is h/2, not h."),
        (1.0, "Only infinitely small steps stay on the circle."),
    ],
    atol=1e-3,
)
marks.judge(
    "alternating",
    1.0,
    hint="Multiply the matrices of the two turns. The determinant is the product of the eigenvalues, which are a complex pair.",
    mistakes=[(math.sqrt(1.04), "That is simultaneous descent. Here G meets the D that has moved.")],
    atol=1e-3,
)
marks.judge(
    "push",
    3 / (1 + math.exp(6)),
    hint="It is a sigmoid times the slope of D. What is ψθ here?",
    mistakes=[
        (3 / (1 + math.exp(-6)), "That is the non-saturating push, with sigmoid(+6)."),
        (1 / (1 + math.exp(6)), "The sigmoid has to be multiplied by the slope ψ of D."),
        (2 / (1 + math.exp(6)), "That is the push on D, sigmoid(ψθ) θ."),
        (-3 / (1 + math.exp(6)), "A length has no sign."),
    ],
    atol=0.1,  # a tenth of it
)
marks.judge(
    "smaller_step",
    "b",
    mistakes=[
        ("a", "The stretch of a round has h², so ten rounds of h/10 stretch a tenth as much as one of h."),
        ("c", "The size √(1 + h²/4) is above 1 for every step: small steps fly apart more slowly, that is all."),
    ],
)
marks.judge(
    "stuck",
    "c",
    mistakes=[
        ("a", "D is too far ahead already: G hears nothing from a D that is sure of every fake."),
        ("b", "The game stands still for want of a push. Smaller steps push even less."),
        ("d", "The average of a G that does not move is that same G."),
    ],
)
marks.judge(
    "opposite",
    "b",
    mistakes=[
        ("a", "D comes too late as it is: with fewer steps G runs even further ahead."),
        ("c", "This G wanders: an average over its places lies where it never was, and where no data are."),
    ],
)
marks.report()
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3. Debug a penalty
#
# R1 is $\frac{\gamma}{2}\,\mathbb{E}\,\lVert\nabla_x D(x)\rVert^2$ over the **real** batch. Each sample has a gradient of its own, over all of
# its dimensions, and its own squared norm; the average over the batch comes last. D learns from this term, so the penalty
# must hand a gradient to D's weights.
#
# Somebody wrote it like this. It runs, it returns a number, and the game circles as if it were not there.


# %% nbgrader={"grade": false, "grade_id": "broken_penalty", "locked": true, "schema_version": 3, "solution": false, "task": false}
def broken_penalty(D, x, x_fake, r1_gamma):
    """R1 with four faults."""
    at = x_fake.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(at).mean(), at)
    return r1_gamma / 2 * gradient.norm()


torch.manual_seed(0)
D = mlp([2, 32, 1])
x, x_fake = torch.randn(64, 2), torch.randn(64, 2) + 3
value = broken_penalty(D, x, x_fake, r1_gamma=1.0)
print(f"broken: {value:.4f}; does it reach D's weights? {value.requires_grad}")

# %% [markdown]
# Find out what each line does: at which points, of which number the gradient is taken, whether it may be differentiated once
# more, and what is done with the 64 gradients. Then write `r1_penalty`. It takes batches of any shape `(N, ...)`, for
# instance images `(N, 1, 28, 28)`. Use autograd; `create_graph=True` keeps the graph of a gradient. D judges each sample on
# its own.


# %% nbgrader={"grade": false, "grade_id": "task3_r1_penalty", "locked": false, "schema_version": 3, "solution": true, "task": false}
def r1_penalty(D, x, r1_gamma):
    """γ/2 E ‖∇D(x)‖², a tensor of shape () from which D can learn.

    D: maps (N, ...) to (N, 1) logits.
    x: (N, ...), a real batch. It stays as it is.
    """
    ### BEGIN SOLUTION
    at = x.detach().requires_grad_()
    # the sum over the batch: the gradient at each sample is then that of its own logit, not divided by N
    (gradient,) = torch.autograd.grad(D(at).sum(), at, create_graph=True)
    return r1_gamma / 2 * gradient.flatten(1).square().sum(1).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task3_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
def asked(D, x, r1_gamma):
    """What r1_penalty says, where x has a dimension for each one that it uses."""
    try:
        return r1_penalty(D, x, r1_gamma)
    except IndexError:
        raise CheckFailed(
            f"r1_penalty: you use a dimension that a batch of shape {tuple(x.shape)} does not have. "
            "flatten(1) makes (N, everything else) of any batch."
        ) from None


class Bowl(nn.Module):
    """D(x) = w |x|²: its gradient at x is 2 w x."""

    def __init__(self, w=0.5):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(w))

    def forward(self, x):
        return self.w * x.flatten(1).square().sum(1, keepdim=True)


x = torch.tensor([[3.0, 4.0], [1.0, 0.0], [0.0, 2.0], [0.0, 0.0]])  # gradients of D as long as 5, 1, 2, 0
D = Bowl()
D.w.grad = torch.tensor(7.0)  # what waits in D's weight is no business of the penalty
got = asked(D, x, r1_gamma=4.0)
check_finite("r1_penalty", got)
check_close(
    "r1_penalty",
    got,
    15.0,
    hint="D(x) = |x|²/2 has the gradient x. The squared norms are 25, 1, 4 and 0; their mean is 7.5, and γ/2 is 2.",
    mistakes=[
        (0.9375, "Each gradient is 4 times too small: you differentiate the *mean* of the logits. Take their sum."),
        (30.0, "The weight is γ/2, not γ."),
        (4.0, "You average the norms. R1 has their squares."),
        (60.0, "You add up over the batch, or take one norm over the whole of it. R1 is an average over samples."),
        (2 * math.sqrt(30), "That is one norm over the whole batch: each sample has a norm of its own."),
        (7.5, "You average over the dimensions of a sample as well. Its squared norm is a sum."),
        (9.0, "That is (norm - 1)², a penalty that pulls slopes to 1. R1 pulls the slope at real data to 0."),
        (8.0, "You square the average norm. R1 averages the squares."),
        (6.5, "You average the four gradients first, and opposite ones cancel. Each is squared on its own."),
        (0.0496607, "That is the gradient of D's probability. R1 takes the logit as D gives it."),
        (80.25, "You square the logits. R1 squares their gradients at the samples."),
        (1800.0, "That is the gradient in D's weights. R1 takes the one in the samples."),
    ],
)
if D.w.grad is None or D.w.grad != 7:
    raise CheckFailed(
        "r1_penalty: it changes the gradients that wait in D's weights. Those are the turn's own: ask "
        "torch.autograd.grad, which hands you the gradient and leaves them alone."
    )
check_gradient_reaches(
    "from r1_penalty to D's weights",
    got,
    D,
    hint="Without create_graph=True the gradient is a mere number, and D cannot learn from it.",
)
(of_w,) = torch.autograd.grad(got, D.w, retain_graph=True)
check_finite(
    "the slope of r1_penalty in D's weight",
    of_w,
    hint="One sample's gradient is 0, and a square root has no slope there. Squared norms need no root.",
)
images = torch.full((2, 1, 3, 3), 2.0)  # each gradient as long as 6
check_close(
    "r1_penalty of a batch of images",
    asked(D, images, r1_gamma=1.0),
    18.0,
    hint="The squared norm of a sample runs over all of its dimensions, here 1 x 3 x 3.",
    atol=1e-3,
)
print("✓ Task 3: all visible checks pass.")
### BEGIN HIDDEN TESTS
generator = torch.Generator().manual_seed(3)
x = torch.randn(7, 3, 4, generator=generator)
D = Bowl(-0.8)
want = 0.7 / 2 * (1.6 * x).square().sum((1, 2)).mean()
got = asked(D, x, 0.7)
check_close(
    "r1_penalty of a random batch", got, float(want), hint="It fits the example but not other batches.", atol=1e-3
)
torch.manual_seed(3)
D_net, squares = nn.Sequential(nn.Flatten(), mlp([12, 16, 1])), []
for sample in x:
    at = sample[None].clone().requires_grad_()
    squares.append(float(torch.autograd.grad(D_net(at).sum(), at)[0].square().sum()))
check_close(
    "r1_penalty of another D, a net",
    asked(D_net, x, 2.0),
    sum(squares) / len(squares),
    hint="It knows the gradient of the D of the example by heart. Ask autograd.",
    atol=1e-3,
)
(of_w,) = torch.autograd.grad(got, D.w)
check_close(
    "slope of r1_penalty in D's weight", of_w, float(2 * want / -0.8), hint="The graph is cut on the way.", atol=1e-2
)
if x.requires_grad or x.grad is not None:
    raise CheckFailed("r1_penalty: it leaves a mark on the real batch. Work on a copy: x.detach().requires_grad_().")
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4. Which failure is it?
#
# Write a judge. It gets real points with their classes, and fakes, which have none, and says what is wrong. The tool is
# `prdc_features(real, fake)`: it has the attributes `.precision`, `.recall` and more. Recall is the share of the *real*
# samples that lie near a fake, so the recall of class $c$ is that of the real samples of class $c$ alone, against all the
# fakes.
#
# A class is **lost** if its recall is below 0.1. The verdict is the first line of this table that fits, and nothing else
# has a say in it:
#
# | verdict | condition |
# |---|---|
# | `"healthy"` | no class is lost |
# | `"collapse"` | some or all are lost, and the fakes' spread is below a quarter of the real one's |
# | `"dropping"` | some are lost, but not all |
# | `"off"` | all are lost: the fakes are spread out, but elsewhere |
#
# *Spread* is the standard deviation over the batch, averaged over the dimensions: `x.std(0).mean()`.


# %% nbgrader={"grade": false, "grade_id": "task4_diagnose", "locked": false, "schema_version": 3, "solution": true, "task": false}
def diagnose(real, classes, fake):
    """Returns (verdict, lost): one of the four words, and the set of lost classes, whole numbers.

    real: (N, d), real points; classes: (N,), the class of each, whole numbers. Not every number need occur.
    fake: (M, d), what G made; M need not be N.
    """
    ### BEGIN SOLUTION
    present = sorted(set(classes.tolist()))
    lost = {c for c in present if prdc_features(real[classes == c], fake).recall < 0.1}
    if not lost:
        return "healthy", lost
    if fake.std(0).mean() < real.std(0).mean() / 4:
        return "collapse", lost
    return ("dropping" if len(lost) < len(present) else "off"), lost
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task4_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
eight = ring(8)


def draw(n, seed, keep=range(8)):
    """n points of the ring and the modes they come from, only those in ``keep``."""
    points, modes = eight.sample_labelled(40 * n, torch.Generator().manual_seed(seed))
    kept = torch.isin(modes, torch.tensor(list(keep)))
    return points[kept][:n], modes[kept][:n]


def check_diagnosis(name, fake, want, lost, real=None, classes=None, mistakes=(), hint=""):
    """Ask the judge about one set of fakes."""
    if real is None:
        real, classes = draw(800, seed=0)
    try:
        got = diagnose(real.clone(), classes.clone(), fake.clone())
    except ValueError as error:
        if "real_features: got shape (0" not in str(error):
            raise
        raise CheckFailed(
            f"diagnose: it asks for the recall of a class without a real point. The classes that occur on {name} are "
            f"{', '.join(map(str, sorted(set(classes.tolist()))))}; read them off `classes`."
        ) from None
    except IndexError:
        raise CheckFailed(
            f"diagnose: {len(real)} real points, {len(fake)} fakes, and an index that does not fit. Only the real points have "
            "classes: to pick some of them, index the real points; the fakes stay together."
        ) from None
    if not isinstance(got, tuple | list) or len(got) != 2:
        raise CheckFailed(f"diagnose: got {got!r}, wants two things, the verdict and the set of lost classes.")
    check_one_of(f"the verdict on {name}", got[0], ["healthy", "dropping", "collapse", "off"])
    check_answer(f"the verdict on {name}", got[0], want, mistakes=mistakes)
    try:
        named = sorted({int(c) for c in got[1]})
    except (TypeError, ValueError):
        raise CheckFailed(f"the classes lost by {name}: got {got[1]!r}, wants a set of classes.") from None
    if set(named) != lost:
        if set(named) == set(classes.tolist()) - lost:
            hint = "These are the classes that are kept."
        raise CheckFailed(f"the classes lost by {name}: got {named}, wants {sorted(lost)}. {hint}".rstrip())


heap = eight.means[2] + 0.0005 * torch.randn(800, 2, generator=torch.Generator().manual_seed(1))
check_diagnosis(
    "other real points",
    draw(800, seed=1)[0],
    "healthy",
    set(),
    mistakes=[("dropping", "Real points lose no class. Is recall computed class by class, against all the fakes?")],
)
uneven = torch.cat([draw(480, seed=9, keep=(0,))[0], draw(320, seed=10, keep=range(1, 8))[0]])
check_diagnosis(
    "a generator that makes mode 0 ten times as often as any other",
    uneven,
    "healthy",
    set(),
    mistakes=[
        (
            "dropping",
            "Each mode is reached, if less often than mode 0. You take a share of the fakes, which is precision; recall is a "
            "share of the real points.",
        )
    ],
)
check_diagnosis(
    "a generator without modes 5, 6 and 7",
    draw(600, seed=2, keep=range(5))[0],
    "dropping",
    {5, 6, 7},
    mistakes=[
        ("healthy", "Every fake is good, so precision is high. What is missing shows in the recall of the lost modes."),
        ("collapse", "Five modes are there, so the fakes are spread out."),
    ],
)
check_diagnosis(
    "a generator of one tiny heap",
    heap,
    "collapse",
    set(range(8)),
    mistakes=[
        ("healthy", "Every fake of this heap is good. Precision does not see collapse."),
        ("off", "The heap is small. Compare the standard deviations, each over its batch."),
    ],
    hint="The heap lies on mode 2, and yet it reaches next to none of its points: count real points reached.",
)
far = 3 * torch.rand(800, 2, generator=torch.Generator().manual_seed(2)) + 4
check_diagnosis("fakes spread out far away", far, "off", set(range(8)))
print("✓ Task 4: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_diagnosis(
    "1,600 fakes of all modes, in the order of the modes",
    torch.cat([draw(200, seed=20 + mode, keep=(mode,))[0] for mode in range(8)]),
    "healthy",
    set(),
    mistakes=[("dropping", "There are more fakes than real points here, and all of them count: cut nothing off.")],
)
check_diagnosis(
    "a generator of modes 1 and 6",
    draw(800, seed=3, keep=(1, 6))[0],
    "dropping",
    {0, 2, 3, 4, 5, 7},
)
mixed = torch.cat([draw(790, seed=4, keep=range(7))[0], draw(800, seed=5, keep=(7,))[0][:10]])
check_diagnosis(
    "a generator that makes mode 7 once in 80",
    mixed,
    "healthy",
    set(),
    mistakes=[("dropping", "Ten fakes all over mode 7 reach its points: recall asks whether, not how often.")],
)
slab = draw(1200, seed=11, keep=(3,))[0]
slab = slab[slab[:, 1] > eight.means[3, 1] + 0.43 * eight.std]  # the upper third of mode 3, densely
check_diagnosis(
    "a generator that makes a third of mode 3, and all of the others",
    torch.cat([slab, draw(700, seed=12, keep=(0, 1, 2, 4, 5, 6, 7))[0]]),
    "healthy",
    set(),
    mistakes=[("dropping", "A third of a mode is more than a tenth: lost is a class whose recall is below 0.1.")],
)
check_diagnosis(
    "a generator that makes mode 7 once in 800",
    torch.cat([draw(799, seed=4, keep=range(7))[0], draw(800, seed=5, keep=(7,))[0][:1]]),
    "healthy",
    set(),
    mistakes=[
        ("dropping", "A fake all alone has a large ball, so by recall it reaches the mode. `.coverage` would not.")
    ],
)
others = draw(700, seed=12, keep=(0, 1, 2, 4, 5, 6, 7))[0]
heights, high = (
    draw(800, seed=0)[0][draw(800, seed=0)[1] == 3][:, 1].sort(descending=True).values,
    draw(9000, 11, (3,))[0],
)
check_diagnosis(
    "a generator that makes a twentieth of mode 3, and all of the others",
    torch.cat([high[high[:, 1] > heights[4]], others]),
    "dropping",
    {3},
    mistakes=[("healthy", "A few points of mode 3 are reached, but fewer than a tenth, so it is lost.")],
)
check_diagnosis(
    "a generator that makes a seventh of mode 3, and all of the others",
    torch.cat([high[high[:, 1] > heights[len(heights) // 7]], others]),
    "healthy",
    set(),
    mistakes=[("dropping", "A seventh of mode 3 is reached: that is more than a tenth.")],
)
scattered = 12 * torch.rand(900, 2, generator=torch.Generator().manual_seed(13)) - 6
check_diagnosis(
    "good fakes of all modes, and twice as many scattered ones",
    torch.cat([draw(450, seed=14)[0], scattered]),
    "healthy",
    set(),
    mistakes=[
        (word, "No class is lost, so the first line of the table fits: precision has no say in it.")
        for word in ("dropping", "collapse", "off")
    ],
)
check_diagnosis(
    "data a hundred times as small, fakes far off",
    far / 100,
    "off",
    set(range(8)),
    real=draw(800, seed=8)[0] / 100,
    classes=draw(800, seed=8)[1],
    mistakes=[("collapse", "A quarter of the *real* spread: a fixed number does not fit data of another size.")],
)
line = torch.linspace(-1, 1, 800)[:, None] * torch.tensor([[0.0, 1.0]]) * 3**0.5 * eight.means.std()  # its std is that
line = line + 0.01 * torch.randn(800, 2, generator=torch.Generator().manual_seed(15))
check_diagnosis(
    "fakes on an upright line, their spread 0.3 of the real one",
    0.6 * line,
    "off",
    set(range(8)),
    mistakes=[("collapse", "Not below a quarter. The spread is the mean of the standard deviations, and no variance.")],
)
check_diagnosis(
    "fakes on a shorter upright line, their spread 0.22 of the real one",
    0.43 * line,
    "collapse",
    set(range(8)),
    mistakes=[
        ("off", "That is below a quarter. The spread is the mean of the standard deviations over all dimensions.")
    ],
)
middle = 0.1 * torch.randn(120, 2, generator=torch.Generator().manual_seed(16))
points, modes = draw(180, seed=17, keep=(0, 3, 4))
check_diagnosis(
    "data whose three classes share a heap in the middle, fakes of that heap",
    0.1 * torch.randn(800, 2, generator=torch.Generator().manual_seed(18)),
    "healthy",
    set(),
    torch.cat([points, middle]),
    torch.cat([modes, torch.tensor([0, 3, 4]).repeat(40)]),
    mistakes=[
        ("collapse", "No class is lost, if by a heap alone. The first line that fits counts: healthy stands first.")
    ],
)
real, classes = draw(800, seed=6, keep=(0, 3, 4))
check_diagnosis(
    "data of three classes, fakes far off",
    far,
    "off",
    {0, 3, 4},
    real,
    classes,
    mistakes=[("dropping", "All three classes are lost: count those that occur in `classes`.")],
)
check_diagnosis(
    "data of three classes, fakes of one",
    draw(800, seed=7, keep=(3,))[0],
    "collapse",
    {0, 4},
    real,
    classes,
    mistakes=[("dropping", "All fakes lie in one small heap. The first line that fits counts: collapse stands above.")],
)
### END HIDDEN TESTS

# %% tags=["watch"]
torch.manual_seed(0)
game = VanillaGAN(mlp([8, 32, 32, 2]), mlp([2, 32, 32, 1]), z_dim=8, loss=nonsaturating)
trainer = Trainer(game, eight, batch_size=256, lr={"D": 2e-4, "G": 2e-3}, ema_decay=0.9, seed=0, device="cpu")
real, classes = draw(800, seed=0)
figure = Figure(figsize=(10, 2.9), layout="constrained")
for axes, rate in zip(figure.subplots(1, 4), (2e-4, 2e-4, 2e-3, 2e-3)):
    trainer.set_lr("D", rate)
    trainer.run(300 if rate == 2e-4 else 500)
    with torch.no_grad():
        fake = game.G(torch.randn(800, 8))
    verdict, lost = diagnose(real, classes, fake)
    axes.scatter(*fake.T, s=2, color=FAKE)
    axes.plot(*eight.means.T, "+", color=REAL, markersize=9, markeredgewidth=2)
    axes.set(xlim=(-3.4, 3.4), ylim=(-3.4, 3.4), aspect="equal", xlabel="x₁", ylabel="x₂")
    axes.set_title(f"round {trainer.round:,}, D's rate {rate:g}\n{verdict}, lost {len(lost)}", fontsize=10)
show(figure, "A real game, judged by you: a slow D, then a D as fast as G.", "Four scatter plots of fakes over a ring.")

# %% [markdown]
# For 600 rounds D learns at a tenth of G's rate, then at the same. What does your judge say, and do you agree with it? A
# verdict has thresholds, and there are pictures close to either side of them.
#
# ## What you take away
#
# - The game's own field circles. Simultaneous steps fly apart, alternating ones circle, R1 draws inward.
# - R1: at real data, a gradient for each sample, squared norms, then the average, and a graph that D can learn from.
# - A G that stands still and a G that runs away want opposite cures. Find out first which one you have.
# - Precision speaks of what is there, recall of what is missing, recall by class of what exactly.
