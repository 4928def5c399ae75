# %% [markdown]
# # Exercise 02: the GAN game
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# In lesson 02 you build a generator, a discriminator and the loop that trains them. Here you write the parts that
# decide whether the game works, and you repair one that does not.
#
# | task | what you do | points |
# |---|---|---|
# | 1 | complete D's loss | 3 |
# | 2 | complete G's loss | 2 |
# | 3 | predict what the losses say | 3 |
# | 4 | debug a broken GAN | 4 |
# | 5 | measure whether a run succeeded | 3 |
#
# Plan 45 to 60 minutes. You need lesson 02 and no GPU.
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

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn import functional as F

from ganedu.blocks import mlp
from ganedu.losses import d_minimax, g_nonsaturating
from ganedu.views.figure import CRITIC, FAKE, REAL, show

MEAN, STD = 4.0, 1.25  # the real numbers come from N(4, 1.25^2)
Z_DIM = 8


def real_batch(n):
    """(n, 1) real numbers."""
    return MEAN + STD * torch.randn(n, 1)


# %% [markdown]
# ## Task 1. The police: D's loss
#
# D looks at one number and says how sure it is that the number is real. It answers with a **logit** $s$, any number
# from $-\infty$ to $\infty$. Its probability for "real" is $D(x) = \mathrm{sigmoid}(s)$.
#
# D wants $D(x)$ near 1 on real numbers and near 0 on fakes. So it minimises
#
# $$L_D = -\mathbb{E}\,[\log D(x)] \; - \; \mathbb{E}\,[\log(1 - D(G(z)))]$$
#
# Each $\mathbb{E}$ is an average over its batch. The two halves are **added**.
#
# You get the logits, not the probabilities. Mind what happens when D is very sure and wrong: at the logit $-200$ the
# sigmoid is 0 in 32-bit arithmetic, and its logarithm is $-\infty$. The loss you want is finite: it is 200. Two
# functions compute the logarithm and the sigmoid in one go and never overflow: `F.logsigmoid` and `F.softplus`.


# %% nbgrader={"grade": false, "grade_id": "task1_d_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def d_loss(real_logits, fake_logits):
    """D's loss, a tensor of shape ().

    real_logits: (N, 1), D's logits on real numbers.
    fake_logits: (N, 1), D's logits on what G made.
    """
    ### BEGIN SOLUTION
    # -log sigmoid(s) = softplus(-s) and -log(1 - sigmoid(s)) = softplus(s)
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task1_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_close, check_finite, check_gradient_reaches, check_gradients

got = d_loss(torch.tensor([[2.0], [-1.0]]), torch.tensor([[0.5], [-3.0]]))
check_finite("d_loss", got, hint="You get logits, not probabilities: a negative one has no logarithm.")
check_close(
    "d_loss",
    got,
    1.231427,
    hint="Work both halves out by hand for these four logits and compare.",
    mistakes=[
        (2.981427, "You have swapped the labels: this D is paid for calling real numbers fake. Real counts as 1."),
        (2.462854, "You add up over the batch; the E in the formula is an average."),
        (0.615714, "This is half of the loss: the two halves are added, not averaged."),
        (1.341814, "You take the sigmoid twice: a function that wants logits gets probabilities."),
        (-1.231427, "The sign is turned round: D would minimise what it should maximise."),
        (0.720095, "The half with the fakes is missing."),
        (0.511332, "The half with the real numbers is missing."),
    ],
)

D = nn.Linear(1, 1)
check_gradient_reaches(
    "from d_loss to D's weights",
    d_loss(D(torch.tensor([[5.0], [4.0]])), D(torch.tensor([[0.0], [1.0]]))),
    D,
    hint="Return a tensor, not a float: D learns from its gradient.",
)

got = d_loss(torch.tensor([[-200.0]]), torch.tensor([[200.0]]))
overflow = "The sigmoid is exactly 0 or 1 here, and its logarithm overflows: take both in one function."
check_finite("d_loss of a D that is sure and wrong", got, hint=overflow)
check_close(
    "d_loss of a D that is sure and wrong",
    got,
    400.0,
    hint="A small number added inside the logarithm, or a clamp, hides how wrong D is: work on logits throughout.",
    mistakes=[
        (200.0, "Each half stops at 100: that is where BCELoss cuts its logarithms. Give logits, not probabilities.")
    ],
    atol=1e-2,
)
print("✓ Task 1: all visible checks pass.")
### BEGIN HIDDEN TESTS
import numpy as np

logits = torch.randn(2, 64, 1, generator=torch.Generator().manual_seed(7)) * 4
logits.requires_grad_(True)
real, fake = logits.detach().double().numpy()
got = d_loss(logits[0], logits[1])
want = np.logaddexp(0, -real).mean() + np.logaddexp(0, fake).mean()
check_close("d_loss of 64 random logits", got, want, hint="It fits the example but not other logits.")
got_gradient = torch.autograd.grad(got, logits)[0].flatten()
want_gradient = np.concatenate([-1 / (1 + np.exp(real)), 1 / (1 + np.exp(-fake))]).ravel() / 64
check_gradients("d_loss", [got_gradient], [torch.tensor(want_gradient, dtype=torch.float32)])
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2. The counterfeiter: G's loss
#
# G never sees a real number. All it learns, it learns through D: it makes $G(z)$, asks D, and moves so that D says
# "real" more often. It minimises the **non-saturating** loss
#
# $$L_G = -\mathbb{E}\,[\log D(G(z))]$$
#
# Write it from the latents on. Be careful with the way back: the gradient runs from the loss through D into G. Nothing
# may cut it.


# %% nbgrader={"grade": false, "grade_id": "task2_g_loss", "locked": false, "schema_version": 3, "solution": true, "task": false}
def g_loss(G, D, z):
    """G's loss, a tensor of shape ().

    G: maps latents (N, 8) to numbers (N, 1).
    D: maps numbers (N, 1) to logits (N, 1).
    z: (N, 8), the latents.
    """
    ### BEGIN SOLUTION
    return F.softplus(-D(G(z))).mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task2_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_close, check_finite, check_gradient_reaches


def first_of_z():
    """A G that hands out the first latent, and a D whose logit is the number itself."""
    G, D = nn.Linear(Z_DIM, 1, bias=False), nn.Linear(1, 1, bias=False)
    with torch.no_grad():
        G.weight.copy_(torch.eye(1, Z_DIM))
        D.weight.fill_(1.0)
    return G, D


G, D = first_of_z()
z = torch.zeros(2, Z_DIM)
z[:, 0] = torch.tensor([-3.0, 1.0])  # so D's logits are -3 and 1

got = g_loss(G, D, z)
check_gradient_reaches(
    "from g_loss to G's weights",
    got,
    G,
    hint="G learns nothing from this loss: its fakes are detached before D sees them, or no gradient is recorded.",
)
check_finite("g_loss", got, hint="D gives logits, not probabilities.")
check_close(
    "g_loss",
    got,
    1.680925,
    hint="Work it out by hand for the logits -3 and 1.",
    mistakes=[
        (-0.680925, "This is E[log(1 - D(G(z)))], the minimax loss: it saturates while D catches every fake."),
        (0.680925, "G's fakes are labelled as fakes here, so G learns to be caught. G wants D to say real."),
        (3.361850, "You add up over the batch of latents; G's loss is an average."),
        (-1.680925, "The sign of G's loss is turned round: G would run away from what D takes for real."),
    ],
)

z[:, 0] = -200.0
got = g_loss(G, D, z)
check_finite("g_loss of fakes that are caught for sure", got, hint="G's logarithm overflows: stay with logits.")
check_close("g_loss of fakes that are caught for sure", got, 200.0, atol=1e-2)
print("✓ Task 2: all visible checks pass.")
### BEGIN HIDDEN TESTS
import numpy as np

generator = torch.Generator().manual_seed(11)
with torch.no_grad():
    G.weight.copy_(torch.randn(1, Z_DIM, generator=generator))
    D.weight.fill_(-1.7)
z = torch.randn(64, Z_DIM, generator=generator)
logits = -1.7 * (z.double() @ G.weight.detach().double().T).numpy()
got = g_loss(G, D, z)
check_close("g_loss of 64 random latents", got, np.logaddexp(0, -logits).mean(), hint="It fits the example only.")
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3. Predict
#
# Think first, with paper. Then write your answers into `predictions`. Losses are those of tasks 1 and 2, logarithms are
# natural; 0.01 either way is near enough. The points are given for all five answers together; the marking names every
# answer that is not right yet.
#
# - `at_half`: D says 1/2 on every real number and every fake. How large is D's loss?
# - `good_police`: D says 0.9 on every real number and 0.1 on every fake. How large is D's loss?
# - `caught`: the same D. How large is G's loss?
# - `when_d_improves`: G stays as it is and D gets better at catching it. Does G's loss go `"up"`, `"down"`, or stay
#   the `"same"`?
# - `verdict`: after some training D says 1/2 on every number, real or fake. Which of these follows?
#   - `"a"`: G's numbers are now distributed like the real ones.
#   - `"b"`: no discriminator can tell the two apart.
#   - `"c"`: this D cannot tell the two apart at this moment; what G makes must be looked at.
#   - `"d"`: the training has failed, because D does no better than a coin.


# %% nbgrader={"grade": false, "grade_id": "task3_predictions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predictions():
    """Your answers: a dict with the keys at_half, good_police, caught, when_d_improves and verdict."""
    ### BEGIN SOLUTION
    return {
        "at_half": 2 * math.log(2),  # -log(1/2) twice
        "good_police": -2 * math.log(0.9),
        "caught": -math.log(0.1),
        "when_d_improves": "up",  # D(G(z)) falls, so -log D(G(z)) rises
        "verdict": "c",
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task3_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# This check looks at the form of your answers only.
from ganedu.checks import CheckFailed, check_finite, check_one_of

answers = predictions()
keys = ("at_half", "good_police", "caught", "when_d_improves", "verdict")
if not isinstance(answers, dict) or set(answers) != set(keys):
    raise CheckFailed(f"predictions: got {answers!r}, wants a dict with the keys {', '.join(keys)}.")
answers = {key: answer.strip().lower() if isinstance(answer, str) else answer for key, answer in answers.items()}
for key in keys[:3]:
    check_finite(key, answers[key])
check_one_of("when_d_improves", answers["when_d_improves"], ["up", "down", "same"])
check_one_of("verdict", answers["verdict"], ["a", "b", "c", "d"])
print(
    "✓ Task 3: all visible checks pass. The form is right; whether the answers are is marked when you hand in. "
    "On your own, from the repository's root: `.venv/bin/python tools/grading.py exercises/02_the_gan_game.ipynb` "
    "(needs the instructor extra)."
)
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "at_half",
    2 * math.log(2),
    hint="Put 1/2 for both probabilities into D's loss.",
    mistakes=[
        (
            math.log(2),
            "D is wrong by log 2 on the real numbers and by log 2 again on the fakes; the loss has both.",
        ),
        (-2 * math.log(2), "That is the value of the game; D minimises its negative."),
        (1.0, "1/2 and 1/2 are probabilities; the loss is made of their logarithms."),
    ],
)
marks.judge(
    "good_police",
    -2 * math.log(0.9),
    hint="How probable does D find what is true, on a real number and on a fake?",
    mistakes=[(-math.log(0.9), "That is D's share for one kind of number. D's loss has two.")],
)
marks.judge(
    "caught",
    -math.log(0.1),
    hint="How large is D(G(z)) here, and what does G pay for it?",
    mistakes=[(-math.log(0.9), "That is D's share for the fakes. G pays for not being taken for real.")],
)
marks.judge(
    "when_d_improves",
    "up",
    hint="What happens to D(G(z)), and so to -log D(G(z))? G's loss does not measure G alone.",
)
marks.judge(
    "verdict",
    "c",
    mistakes=[
        ("a", "A weak D says 1/2 as well: D at 1/2 is necessary for success, not sufficient."),
        ("b", "A larger D, or this one after more training, may find the difference."),
        ("d", "A coin is the best that D can do when G is perfect."),
    ],
)
marks.report()
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4. Debug a broken GAN
#
# `play` sets up a game and repeats a round. `broken_round` is one round: D's turn, then G's. It uses the losses of
# `ganedu.losses`, which are the ones you write in tasks 1 and 2.


# %% nbgrader={"grade": false, "grade_id": "play", "locked": true, "schema_version": 3, "solution": false, "task": false}
def play(one_round, D=None, rounds=1000, lr_d=1e-2, seed=0):
    """Play ``rounds`` rounds of the game and return (G, D)."""
    torch.manual_seed(seed)
    G, D = mlp([Z_DIM, 32, 1]), D or mlp([1, 32, 32, 1])
    opt_g = torch.optim.Adam(G.parameters(), lr=2e-3, betas=(0.5, 0.99))
    opt_d = torch.optim.Adam(D.parameters(), lr=lr_d, betas=(0.5, 0.99))
    for played in range(rounds):
        opt_g.param_groups[0]["lr"] = 2e-3 * (1 - played / rounds)  # decays to 0
        one_round(G, D, opt_d, opt_g, real_batch(256), torch.randn(256, Z_DIM))
    return G, D


def show_game(G, D, title, caption):
    """Histogram of real numbers and fakes, with D's answer over them."""
    with torch.no_grad():
        x, x_fake = real_batch(5000), G(torch.randn(5000, Z_DIM))
        line = torch.linspace(-2, 9, 300).unsqueeze(1)
        answer = torch.sigmoid(D(line))
    figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
    bins = torch.linspace(-2, 9, 67).tolist()
    axes.hist(x.flatten().tolist(), bins, density=True, color=REAL, alpha=0.45, label="real")
    axes.hist(x_fake.flatten().tolist(), bins, density=True, color=FAKE, histtype="step", linewidth=1.6, label="fake")
    axes.plot(line, answer, color=CRITIC, linewidth=2, label="D(x)")
    axes.axhline(0.5, color="#555555", linestyle=":", linewidth=1)
    axes.set(xlabel="number", ylabel="density; D(x)", xlim=(-2, 9), ylim=(0, 1.05), title=title)
    axes.legend(frameon=False)
    numbers = f"fakes: mean {x_fake.mean():.2f}, std {x_fake.std():.2f}; real: mean {MEAN}, std {STD}"
    show(figure, caption, f"Histograms of real numbers and fakes, and D's curve. {numbers}.")
    print(numbers)


# %% nbgrader={"grade": false, "grade_id": "broken_round", "locked": true, "schema_version": 3, "solution": false, "task": false}
def broken_round(G, D, opt_d, opt_g, x, z):
    """One round with two faults."""
    opt_g.zero_grad()

    # D's turn
    loss_of_d = d_minimax(D(x), D(G(z)))
    loss_of_d.backward()
    opt_d.step()

    # G's turn
    loss_of_g = g_nonsaturating(D(G(z)))
    loss_of_g.backward()
    opt_g.step()
    return loss_of_d.detach(), loss_of_g.detach()


# %% tags=["watch"]
caption = "The fakes (orange) pile up on a spike far from the real numbers (green). D (blue) dips there, but not far."
show_game(*play(broken_round), "1,000 broken rounds", caption)

# %% [markdown]
# No error, no warning, 1,000 rounds, and the fakes pile up on a spike far from the real numbers. D dips there, but only
# to about 0.4: remember that for the end of this task. G does not move away.
#
# The formulas are right. What is wrong is *which gradients each step uses*. `backward()` **adds** to the `.grad` of
# every parameter that the loss depends on. `step()` then uses whatever stands there. Go through one round on paper,
# line by line:
#
# 1. At `opt_d.step()`: what stands in the `.grad` of D's parameters, from this round and from the one before?
# 2. At `opt_g.step()`: what stands in the `.grad` of G's parameters?
#
# Then write `train_round`, the same round without the two faults:
#
# - D's turn comes first and ends with one step of `opt_d`. It follows the gradient of D's loss and of nothing else.
# - D's turn leaves G alone: no gradient of D's loss arrives in G.
# - G's turn follows, against the D that has just moved. It ends with one step of `opt_g`, along the gradient of G's
#   loss and of nothing else.
# - Use the same `x` and `z` for both turns. The lesson's round draws them itself; here they are handed in, so that the
#   check can follow you.
# - Return both losses, D's first.


# %% nbgrader={"grade": false, "grade_id": "task4_train_round", "locked": false, "schema_version": 3, "solution": true, "task": false}
def train_round(G, D, opt_d, opt_g, x, z):
    """One round of the game: a step of D, then a step of G. Returns D's loss and G's loss."""
    ### BEGIN SOLUTION
    # D's turn. G's turn of the round before has left gradients in D: clear them
    opt_d.zero_grad()
    loss_of_d = d_minimax(D(x), D(G(z).detach()))
    loss_of_d.backward()
    opt_d.step()

    # G's turn
    opt_g.zero_grad()
    loss_of_g = g_nonsaturating(D(G(z)))
    loss_of_g.backward()
    opt_g.step()
    return loss_of_d.detach(), loss_of_g.detach()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task4_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
import copy

from ganedu.checks import (
    CheckFailed,
    WatchedSGD,
    check_close,
    check_gradients,
    check_step_finds_gradient,
    check_trainable,
    check_turns,
    explain_graph_errors,
)


def check_round(one_round, G, D, x, z, left_behind):
    """Play one round between watched optimisers. ``left_behind`` stands in every .grad before the round begins."""
    players, log = {"G": G, "D": D}, []
    opt_g, opt_d = WatchedSGD("G", players, log), WatchedSGD("D", players, log)
    for p in [*G.parameters(), *D.parameters()]:
        p.grad = torch.full_like(p, left_behind)
    old_G, old_D = copy.deepcopy(G), copy.deepcopy(D)
    value = d_minimax(old_D(x), old_D(old_G(z)))
    for_d = torch.autograd.grad(value, old_D.parameters())
    from_g = torch.autograd.grad(g_nonsaturating(old_D(old_G(z))), old_D.parameters())

    with explain_graph_errors(
        again="D's backward pass has used up the graph through G: do not retain it; "
        "make the fakes again for G's turn (and detach D's).",
        changed="G's loss goes back through the D of before D's step, which is gone: ask D again once it has moved.",
    ):
        losses = one_round(G, D, opt_d, opt_g, x, z)
    check_turns(log)
    at_d_step, at_g_step = log[0][1], log[1][1]

    check_step_finds_gradient(
        opt_d,
        at_d_step["D"],
        stale=left_behind,
        nothing_arrived="No gradient of D's loss arrives in D: call its backward before D's step.",
    )

    check_gradients(
        "D's step",
        at_d_step["D"],
        for_d,
        hint="Is x real, G(z) fake, and is the loss D's own?",
        mistakes=[
            (
                [g + left_behind for g in for_d],
                "It also follows gradients that an earlier turn left in D: clear them before D's loss runs backward.",
            ),
            *(
                (gradient, "G's loss has run backward before D's step and left its gradient in D: let D step first.")
                for gradient in ([a + b for a, b in zip(for_d, from_g)], from_g)
            ),
        ],
    )
    arrived = any(bool(((g != 0) & (g != left_behind)).any()) for g in at_d_step["G"])
    if arrived:
        raise CheckFailed("D's turn: the fake batch still carries gradients into G: detach it before D's loss.")

    check_trainable("D", D)
    check_trainable("G", G)
    check_step_finds_gradient(
        opt_g,
        at_g_step["G"],
        stale=left_behind,
        nothing_arrived="No gradient of G's loss arrives in G: its fakes are detached. Make them again with G(z).",
    )
    new_D = copy.deepcopy(D)  # D does not move in G's turn
    own = torch.autograd.grad(g_nonsaturating(new_D(old_G(z))), old_G.parameters())
    early = torch.autograd.grad(g_nonsaturating(old_D(old_G(z))), old_G.parameters())
    check_gradients(
        "G's step",
        at_g_step["G"],
        own,
        hint="Is it G's own loss, on this z, and with the D that has just moved?",
        mistakes=[
            (
                [g + left_behind for g in own],
                "It also follows gradients that stood in G before: clear them in G's turn.",
            ),
            (early, "It plays against the D of before D's turn: ask D again once it has moved."),
        ],
    )
    if not isinstance(losses, tuple | list) or len(losses) != 2:
        raise CheckFailed(f"train_round: got {losses!r} back, wants D's loss and G's loss.")
    check_close(
        "D's loss, as returned", losses[0], value, mistakes=[(losses[1], "The two losses come in the other order.")]
    )


torch.manual_seed(3)
check_round(train_round, mlp([Z_DIM, 16, 1]), mlp([1, 16, 1]), real_batch(32), torch.randn(32, Z_DIM), left_behind=10.0)
print("✓ Task 4: all visible checks pass.")
### BEGIN HIDDEN TESTS
torch.manual_seed(4)
G, D = mlp([Z_DIM, 5, 5, 1], nn.Tanh), mlp([1, 7, 1], nn.Tanh)
for left_behind in (0.0, -3.0):  # the second round finds what the first one and others left in the nets
    check_round(train_round, G, D, real_batch(9), torch.randn(9, Z_DIM), left_behind)
### END HIDDEN TESTS

# %% [markdown]
# Now watch your round do its work. It takes a few seconds.

# %% tags=["watch"]
your_G, your_D = play(train_round)
caption = "The fakes lie over the real numbers, and where numbers are, D stays near 1/2."
show_game(your_G, your_D, "1,000 rounds of yours", caption)

# %% [markdown]
# Look at what the two faults did. Without the `detach`, G's step follows its own loss *and* D's. Near $D = 1/2$ the two
# nearly cancel: for one fake the gradient with respect to its logit is $D - 1$ from G's loss and $D$ from D's, together
# $2D - 1$. At the 0.4 that you saw, $-0.2$ is left of $-0.6$. Without clearing, D follows the gradient that G's turn
# has left in it: D learns to be fooled.

# %% [markdown]
# ## Task 5. Measure: did it work?
#
# Here is another run, with `d_minimax`, `g_nonsaturating` and a correct round. Only D is different: it is a single
# linear layer.


# %% nbgrader={"grade": false, "grade_id": "stuck_run", "locked": true, "schema_version": 3, "solution": false, "task": false}
def correct_round(G, D, opt_d, opt_g, x, z):
    """One round between the parameters of each player and its own loss."""
    for optimizer, parameters, loss in (
        (opt_d, list(D.parameters()), lambda: d_minimax(D(x), D(G(z)))),
        (opt_g, list(G.parameters()), lambda: g_nonsaturating(D(G(z)))),
    ):
        for p, gradient in zip(parameters, torch.autograd.grad(loss(), parameters)):
            p.grad = gradient
        optimizer.step()


torch.manual_seed(1)
stuck_G, stuck_D = play(correct_round, D=nn.Linear(1, 1), rounds=600, lr_d=5e-2, seed=1)
with torch.no_grad():
    x, x_fake = real_batch(5000), stuck_G(torch.randn(5000, Z_DIM))
    on_real, on_fake = stuck_D(x), stuck_D(x_fake)
    print(f"D on real numbers {on_real.sigmoid().mean():.2f}, on fakes {on_fake.sigmoid().mean():.2f}")
    print(f"D's loss {d_minimax(on_real, on_fake):.3f}; 2 log 2 = {2 * math.log(2):.3f}")

# %% tags=["watch"]
caption = "D is near 1/2, its loss near 2 log 2. The fakes have the right centre but lie too close together."
show_game(stuck_G, stuck_D, "D is near 1/2", caption)

# %% [markdown]
# By the losses, this run is a full success. A linear D can only ask "is the number large?", so it compares means and
# nothing else. G has matched the mean. After that D has nothing left to say, and G nothing left to learn from it.
#
# So you do not ask D. Write `succeeded`, which decides from the **samples**: it returns `True` if the mean of $G(z)$ is
# within `tolerance` of `MEAN` *and* the standard deviation of $G(z)$ is within `tolerance` of `STD`, and else `False`.
# You get D as well. Whether you need it is up to you.


# %% nbgrader={"grade": false, "grade_id": "task5_succeeded", "locked": false, "schema_version": 3, "solution": true, "task": false}
def succeeded(G, D, z, tolerance=0.15):
    """True if the numbers that G makes from the latents z (N, 8) have the right mean and standard deviation."""
    ### BEGIN SOLUTION
    with torch.no_grad():
        x_fake = G(z)
    mean_is_right = abs(x_fake.mean().item() - MEAN) <= tolerance
    std_is_right = abs(x_fake.std().item() - STD) <= tolerance
    return mean_is_right and std_is_right
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task5_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import CheckFailed, check_answer


class Forger(nn.Module):
    """A G that makes N(mean, std^2) from the first latent."""

    def __init__(self, mean, std):
        super().__init__()
        self.mean, self.std = mean, std

    def forward(self, z):
        return self.mean + self.std * z[:, :1]


class Says(nn.Module):
    """A D that gives the same logit to every number."""

    def __init__(self, logit):
        super().__init__()
        self.logit = logit

    def forward(self, x):
        return torch.full_like(x, self.logit)


def check_verdict(G, D, want, hint):
    z = torch.randn(5000, Z_DIM, generator=torch.Generator().manual_seed(5))
    got = succeeded(G, D, z)
    if isinstance(got, torch.Tensor) and got.dtype == torch.bool and got.ndim == 0:
        got = bool(got)
    if not isinstance(got, bool):
        raise CheckFailed(f"succeeded: got {got!r} back, wants True or False.")
    check_answer("succeeded", got, want, hint=hint)


check_verdict(
    Forger(4.0, 1.25),
    Says(0.0),
    True,
    "This G makes N(4, 1.25^2) itself. Is it the standard deviation that you compare with 1.25, or its square?",
)
check_verdict(
    Forger(4.0, 1.25),
    Says(-5.0),
    True,
    "This G makes N(4, 1.25^2) itself, and a D that is wrong calls it all fake. "
    "Judge the samples, not what D says of them.",
)
for mean, wrong in ((4.3, "too high"), (3.7, "too low")):
    check_verdict(
        Forger(mean, 1.25),
        Says(0.0),
        False,
        f"This G makes N({mean}, 1.25^2): the right width, but {wrong} by 0.3. "
        "Distance counts in both directions, and both conditions have to hold.",
    )
check_verdict(
    stuck_G,
    stuck_D,
    False,
    "This is the stuck run: its mean is right and its D is near 1/2, but its numbers lie too close together. "
    "Look at their spread as well, and at its distance in both directions.",
)
print("✓ Task 5: all visible checks pass.")
### BEGIN HIDDEN TESTS
for mean, std in ((2.0, 1.25), (4.0, 0.05), (3.8, 1.25)):
    check_verdict(
        Forger(mean, std),
        Says(0.0),
        False,
        f"This G makes N({mean}, {std}^2): too low, or too narrow. A difference may be negative: take its size.",
    )
for mean, std in ((4.2, 1.25), (4.0, 1.6)):
    check_verdict(
        Forger(mean, std), Says(0.0), False, f"This G makes N({mean}, {std}^2), which is too high or too wide."
    )
for mean, std in ((4.1, 1.25), (4.0, 1.35), (3.9, 1.15)):
    check_verdict(Forger(mean, std), Says(9.0), True, f"This G makes N({mean}, {std}^2), within the tolerance of 0.15.")
z = torch.randn(5000, Z_DIM, generator=torch.Generator().manual_seed(6))
check_answer(
    "succeeded, tolerance 0.5", bool(succeeded(Forger(4.3, 1.25), Says(0.0), z, 0.5)), True, hint="Use tolerance."
)
### END HIDDEN TESTS

# %% tags=["watch"]
for name, players in (("your run", (your_G, your_D)), ("the stuck run", (stuck_G, stuck_D))):
    print(f"{name}: {'succeeded' if succeeded(*players, torch.randn(5000, Z_DIM)) else 'did not succeed'}")

# %% [markdown]
# ## What you take away
#
# - Both losses are made from logits, so they stay finite when D is sure and wrong.
# - `backward` adds and `step` uses what it finds. In a game of two, each step must find its own player's gradient and
#   no other.
# - D at 1/2, with a loss of 2 log 2, is what success looks like, and what a D that sees too little looks like. Only the
#   samples tell the two apart.
