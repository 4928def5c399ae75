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
# # Exercise 09: the Wasserstein GAN
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# In lesson 09 D becomes a critic, whose scores measure how far the fakes have to be carried. Here you write its game,
# compute the distance itself, repair a critic that has lost its bounds, and get a distance out of any critic at all.
#
# | task | what you do | points |
# |---|---|---|
# | 1 | complete both losses and the clip | 4 |
# | 2 | complete the earth mover's distance on the line | 3 |
# | 3 | predict distances, scores and pushes | 3 |
# | 4 | debug a critic's turn | 4 |
# | 5 | measure with a critic of unknown slope | 3 |
#
# Plan 60 minutes. You need lesson 09 and no GPU. Everything here runs in seconds.
#
# **How it works.** Write your code in place of the line that raises `NotImplementedError`. Then run the check below
# the task. A check that passes prints one line with a ✓; one that fails tells you what is wrong. Your instructor runs
# further checks with other inputs, so write code that holds in general. No task needs the answer to an earlier one: if
# you are stuck, go on. To mark the whole exercise yourself, run this from the repository's root:
# `.venv/bin/python tools/grading.py exercises/09_wgan.ipynb`.

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
import matplotlib.pyplot as plt
import torch
from torch import nn

from ganedu.views.figure import CRITIC, FAKE, REAL, show

# %% [markdown]
# ## Task 1. Both losses and the clip
#
# The critic makes $\mathbb{E}[D(x)] - \mathbb{E}[D(G(z))]$ as large as it can, and after each of its steps every one of its
# parameters is put back into $[-c, c]$. As losses to *minimise*:
#
# $$L_D = \mathbb{E}[D(G(z))] - \mathbb{E}[D(x)] \qquad L_G = -\mathbb{E}[D(G(z))] \qquad w \leftarrow \min(\max(w, -c), c)$$
#
# The losses get the critic's raw scores, any number of either kind. `clip` changes the net that it is given.


# %% nbgrader={"grade": false, "grade_id": "task1_game", "locked": false, "schema_version": 3, "solution": true, "task": false}
def d_loss(real_logits, fake_logits):
    """The critic's loss, a tensor of shape (). real_logits: (N, 1), scores of real samples; fake_logits: (M, 1)."""
    ### BEGIN SOLUTION
    return fake_logits.mean() - real_logits.mean()
    ### END SOLUTION


def g_loss(fake_logits):
    """G's loss, a tensor of shape (). fake_logits: (M, 1), scores of fakes."""
    ### BEGIN SOLUTION
    return -fake_logits.mean()
    ### END SOLUTION


def clip(D, c):
    """Put every parameter of the net D back into [-c, c], in place. Returns nothing."""
    ### BEGIN SOLUTION
    with torch.no_grad():
        for p in D.parameters():
            p.clamp_(-c, c)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task1_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import CheckFailed, check_close, check_objective, check_trainable, plain_errors
from ganedu.losses import d_minimax, g_minimax, g_nonsaturating, least_squares, wasserstein


def check_one_heap(r, f):
    return wasserstein.d(r, f * len(f) / (len(r) + len(f))) + (len(f) / (len(r) + len(f))) * r.mean()


known_in_d = [
    (
        lambda r, f: -wasserstein.d(r, f),
        "That is what the critic makes large. A loss is made small: turn the sign round.",
    ),
    (lambda r, f: wasserstein.d(len(r) * r, len(f) * f), "You add up over the batch; each E is an average."),
    (check_one_heap, "All scores are averaged in one heap. Each kind has an average of its own."),
    (
        lambda r, f: wasserstein.d(r.sigmoid(), f.sigmoid()),
        "There is a sigmoid in between. A critic's score has no bounds.",
    ),
    (d_minimax, "That is cross-entropy. In the critic's loss there is no logarithm."),
    (least_squares.d, "Those are the squares of lesson 08. A critic's scores are averaged as they are."),
    (lambda r, f: wasserstein.d(r, f) / 2, "There is no factor 1/2 in this loss."),
    (lambda r, f: wasserstein.d(0 * r, f), "The real samples are missing."),
]
known_in_g = [
    (lambda f: -wasserstein.g(f), "This G makes its fakes' scores small: it learns to be caught."),
    (g_nonsaturating, "That is lesson 04's -log sigmoid. G's loss is minus the mean score."),
    (lambda f: wasserstein.g(f.sigmoid()), "There is a sigmoid in G's loss. It climbs the scores as they are."),
    (g_minimax, "That is lesson 04's min-max loss for G. Here there is no logarithm."),
]
check_batch = {"real_logits": torch.tensor([[4.0], [0.5], [-1.0]]), "fake_logits": torch.tensor([[0.5], [-2.0]])}
check_of_d = {"name": "d_loss", "loss": d_loss, "formula": wasserstein.d, "over": ("real_logits", "fake_logits")}
check_of_g = {"name": "g_loss", "loss": g_loss, "formula": wasserstein.g, "over": ("fake_logits",)}
check_objective(
    **check_of_d, mistakes=known_in_d, hint="By hand: (0.5 - 2)/2 - (4 + 0.5 - 1)/3.", batches=[check_batch]
)
check_objective(**check_of_g, mistakes=known_in_g, hint="By hand: -(0.5 - 2)/2.", batches=[check_batch])


def clipped(weights, bias, c, slope=1.0):
    """Two weights and a bias after clip, as a list, and their gradients, which were ``slope`` before."""
    net = nn.Linear(2, 1)
    with torch.no_grad():
        net.weight.copy_(torch.tensor([weights]))
        net.bias.fill_(bias)
    net.weight.grad, net.bias.grad = torch.full((1, 2), slope), torch.full((1,), slope)
    parameters = list(net.parameters())
    with plain_errors("clip"):
        clip(net, c)
    if any(new is not old for new, old in zip(net.parameters(), parameters, strict=True)):
        raise CheckFailed(
            "clip: the net has new parameters, and its optimiser goes on stepping the old ones. Change the values in place."
        )
    check_trainable("clip", net)
    grads = [p.grad for p in net.parameters()]
    return [*net.weight[0].tolist(), net.bias.item()], grads


found, grads = clipped([-0.5, 0.003], 0.2, c=0.01)
if any(g is not None and bool((g != 1).any()) for g in grads):
    raise CheckFailed("clip: the gradients have changed. It is the weights that are clipped.")
if max(abs(a - b) for a, b in zip(found, [-0.5, 0.003, 0.2])) < 1e-6:
    raise CheckFailed(
        "clip: every parameter is as before. p.clamp(...) makes a new tensor; p.clamp_(...) changes p. "
        "And D may be any net: D.parameters() has all that it learns."
    )
check_close(
    "clip with c = 0.01: a weight of -0.5", found[0], -0.01, hint="The box has a lower wall, too: -c.", atol=1e-6
)
forgotten = [
    (0.2, "The biases are parameters, too: the paper clips every one."),
    (-0.01, "Everything lies at the lower wall. The order is clamp(lowest, highest)."),
]
check_close("clip with c = 0.01: a bias of 0.2", found[2], 0.01, mistakes=forgotten, atol=1e-6)
check_close("clip: a weight of 0.003", found[1], 0.003, hint="Only what is outside the box is moved.", atol=1e-6)
found, _ = clipped([-0.5, 0.003], 0.2, c=0.1)
check_close("clip with c = 0.1: a weight of -0.5", found[0], -0.1, hint="Use c, whatever it is.", atol=1e-6)
print("✓ Task 1: all visible checks pass.")
### BEGIN HIDDEN TESTS
import numpy as np

only = "It fits the example only. Scores may lie above 0 or below, and so may a loss: no absolute value."
check_objective(
    **check_of_d, mistakes=[(lambda r, f: -wasserstein.d(r, f).abs(), only)], hint="It fits the example only."
)
check_objective(**check_of_g, mistakes=[(lambda f: wasserstein.g(f).abs(), only)], hint="It fits the example only.")
net = nn.Sequential(nn.Linear(5, 7), nn.LeakyReLU(0.2), nn.Sequential(nn.Linear(7, 3), nn.Linear(3, 1)))
before = [p.detach().double().numpy().copy() for p in net.parameters()]
of_all_layers = "it fits a net of one layer. D.parameters() has the parameters of all layers."
with plain_errors("clip", hints=[("AttributeError", of_all_layers)]):
    clip(net, 0.2)
for p, old in zip(net.parameters(), before):
    gap = np.abs(p.detach().double().numpy() - np.clip(old, -0.2, 0.2)).max()
    check_close("clip of a deep net: distance from NumPy's clip", gap, 0.0, hint="It fits the examples only.")
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2. The earth mover's distance on the line
#
# Heaps of earth lie at the places $x_1 < x_2 < \dots < x_n$ of a line: the fakes' heaps weigh $q_1, \dots, q_n$, the real
# ones $p_1, \dots, p_n$; each kind weighs 1 in all. Lesson 09: cut the line between $x_i$ and $x_{i+1}$. What lies
# left of the cut differs by $|Q_i - P_i|$, with $Q_i = q_1 + \dots + q_i$ and $P_i$ likewise, and that much has to be
# carried over the gap. So
#
# $$W_1 = \sum_{i=1}^{n-1} |Q_i - P_i| \cdot (x_{i+1} - x_i)$$


# %% nbgrader={"grade": false, "grade_id": "task2_w1", "locked": false, "schema_version": 3, "solution": true, "task": false}
def w1(places, q, p):
    """The earth mover's distance, a float or a tensor of shape ().

    places: (n,), increasing; q, p: (n,), the weights of the fakes' and of the real heaps there, each with sum 1.
    """
    ### BEGIN SOLUTION
    carried = (q.cumsum(0) - p.cumsum(0)).abs()[:-1]
    return (carried * places.diff()).sum()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task2_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import CheckFailed, check_close

places = torch.tensor([1.0, 4.0, 5.0, 7.0])
q, p = torch.tensor([0.4, 0.0, 0.1, 0.5]), torch.tensor([0.1, 0.6, 0.2, 0.1])


def way(places, q, p):
    """What w1 says, on tensors of its own."""
    try:
        return w1(places.clone(), q.clone(), p.clone())
    except IndexError:
        raise CheckFailed(
            f"w1: it counts on another number of heaps. Here are {len(places)}: ask len(places)."
        ) from None


every_plan = (q[:, None] * p[None, :] * (places[:, None] - places).abs()).sum()
check_close(
    "w1 of the heaps (0.4, 0, 0.1, 0.5) and (0.1, 0.6, 0.2, 0.1) at 1, 4, 5, 7",
    way(places, q, p),
    2.0,
    hint="By hand: 0.3 over a gap of 3, 0.3 over 1, 0.4 over 2.",
    mistakes=[
        (1.0, "You say how much is carried, and not how far: each share goes over a gap."),
        (
            -0.2,
            "Earth that is carried left takes away from earth that is carried right: the absolute value is missing.",
        ),
        (0.2, "That is how far apart the two means are. The absolute value belongs to each cut, before the sum."),
        (1.7, "q and p themselves are no use at a cut: add up all that lies left of it."),
        (1.3, "Shares and gaps are off by one: over the gap from x_1 to x_2 goes |Q_1 - P_1|."),
        (1.6, "The sum begins at the first heap: what lies between 0 and x_1 is no gap."),
        (1.4, "That is twice the share that moves. It does not say how far it goes."),
        (0.7, "That is the share that moves at all. It does not say how far."),
        (0.68, "You square what is carried; work is weight times distance."),
        (every_plan, "Every heap is spread over all places here. That is a plan, but not the cheapest."),
    ],
)
check_close("w1 of equal heaps", way(places, p, p), 0.0, hint="Nothing has to be carried.")
check_close("w1 with real and fake changed about", way(places, p, q), 2.0, hint="The way back is as long.")
check_close("w1 on a line that is twice as long", way(2 * places, q, p), 4.0, hint="Twice the way, twice the work.")
print("✓ Task 2: all visible checks pass.")
### BEGIN HIDDEN TESTS
from scipy.stats import wasserstein_distance

generator = torch.Generator().manual_seed(3)
for n in (2, 5, 30):
    places = torch.randn(n, generator=generator).sort().values * 3
    q, p = torch.rand(2, n, generator=generator)
    q, p = q / q.sum(), p / p.sum()
    exact = wasserstein_distance(places, places, q, p)
    check_close(f"w1 of {n} random heaps", way(places, q, p), exact, hint="It fits the example only.")
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3. Predict
#
# Think first, with paper. Then write your answers into `predictions`; 0.01 either way is near enough.
#
# Distances:
#
# - `boxes`: real samples from $U(0, 1)$, fakes from $U(3, 4)$. How large is $W_1$?
# - `spread`: all fakes at 0; half of the real samples at -2, half at 2. How large is $W_1$?
#
# Scores:
#
# - `shifted_scores`: a critic's estimate $\mathbb{E}[D(x)] - \mathbb{E}[D(G(z))]$ is 1.5. Now its last bias grows by 5. How large
#   is the estimate?
# - `doubled_clip`: a critic has three linear layers without biases, with LeakyReLU between them, and the best weights in the
#   box $[-c, c]$. Then c is doubled, and the critic has again the best weights in its box. By which factor has its
#   estimate grown?
# - `sigmoid_critic`: somebody ends the critic in a sigmoid. The fakes are 1,000 units away from the real samples, and the
#   critic may be any function that ends so. What can its estimate not exceed?
#
# Players:
#
# - `push`: a batch of four fakes, scores 5, -3, 0 and 12. How large is the slope of G's loss in the first one's score,
#   sign included?
# - `nearer`: run A has clip 0.01 and the estimate 0.02; run B, on the same data, clip 0.1 and the estimate 5. Whose fakes
#   are nearer to the data? `"A"`, `"B"`, or `"unknown"` if these numbers do not say.
#
# Each of the three groups gives a point.


# %% nbgrader={"grade": false, "grade_id": "task3_predictions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predictions():
    """Your answers, a dict with the seven names above as keys."""
    ### BEGIN SOLUTION
    return {
        "boxes": 3.0,
        "spread": 2.0,
        "shifted_scores": 1.5,
        "doubled_clip": 8.0,  # each layer's weights are doubled, and LeakyReLU hands a factor above 0 through
        "sigmoid_critic": 1.0,
        "push": -0.25,
        "nearer": "unknown",
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task3_distances_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
# This check and the next two look at the form of your answers only.
from ganedu.checks import CheckFailed, check_finite, check_one_of

CHOICES = {
    "boxes": None,  # a number
    "spread": None,
    "shifted_scores": None,
    "doubled_clip": None,
    "sigmoid_critic": None,
    "push": None,
    "nearer": ["a", "b", "unknown"],
}


def read_predictions(*keys):
    """The answers under these keys, once their form is right."""
    answers = predictions()
    if not isinstance(answers, dict) or set(answers) != set(CHOICES):
        raise CheckFailed(f"predictions: got {answers!r}, wants a dict with the keys {', '.join(CHOICES)}.")
    answers = {key: a.strip().lower() if isinstance(a := answers[key], str) else a for key in keys}
    for key, answer in answers.items():
        if CHOICES[key] is None:
            check_finite(key, answer)
        else:
            check_one_of(key, answer, CHOICES[key])
    return answers


answers = read_predictions("boxes", "spread")
print(
    "✓ Task 3, distances: the form is right; whether the answers are is marked when you hand in. "
    "On your own, from the repository's root: `.venv/bin/python tools/grading.py exercises/09_wgan.ipynb` "
    "(needs the instructor extra)."
)
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "boxes",
    3.0,
    hint="Every fake is carried by the same way. How far?",
    mistakes=[
        (2.0, "2 is the gap between the boxes. Each fake has to go on into the other box."),
        (0.693147, "log 2 is JSD's answer. W1 is a way, in units of x."),
        (4.0, "That is from end to end. The cheapest plan carries 3 to 0 and 4 to 1."),
    ],
    atol=0.01,
)
marks.judge(
    "spread",
    2.0,
    hint="Half of the earth goes left, half goes right.",
    mistakes=[
        (0.0, "The means are equal, and yet all earth has to be carried: left does not cancel right."),
        (4.0, "All of the earth weighs 1, not each half."),
        (1.0, "Both halves are carried, not one of them."),
    ],
    atol=0.01,
)
marks.report()
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "task3_scores_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
answers = read_predictions("shifted_scores", "doubled_clip", "sigmoid_critic")
print("✓ Task 3, scores: the form is right.")
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "shifted_scores",
    1.5,
    hint="Which of the two averages does the bias lift?",
    mistakes=[
        (6.5, "The bias lifts the fakes' scores as well."),
        (-3.5, "The bias lifts the real samples' scores as well."),
    ],
    atol=0.01,
)
marks.judge(
    "doubled_clip",
    8.0,
    hint="Each of three layers may stretch twice as much. What does LeakyReLU do with a factor above 0?",
    mistakes=[
        (2.0, "That is one layer. There are three, one after the other."),
        (6.0, "The layers' factors are multiplied, not added."),
        (4.0, "LeakyReLU stands between the layers twice, but the weights sit in three."),
        (1.0, "The estimate is at most K times W1, and K is what the box makes it."),
    ],
    atol=0.01,
)
marks.judge(
    "sigmoid_critic",
    1.0,
    hint="Between which two numbers does a sigmoid lie?",
    mistakes=[
        (1000.0, "No score can lie 1,000 above another one here: a sigmoid has no room for the way."),
        (0.693147, "log 2 belongs to the logarithms of lesson 03. Here scores are subtracted."),
    ],
    atol=0.01,
)
marks.report()
### END HIDDEN TESTS

# %% nbgrader={"grade": true, "grade_id": "task3_players_check", "locked": true, "points": 1, "schema_version": 3, "solution": false, "task": false}
answers = read_predictions("push", "nearer")
print("✓ Task 3, players: the form is right.")
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "push",
    -0.25,
    hint="The mean of four scores, with a minus sign: its slope in one of them?",
    mistakes=[
        (0.25, "The sign: G's loss is minus the mean score."),
        (-1.0, "The mean shares the slope out over the four fakes."),
        (-1.25, "That is the score's share in the loss, not the slope."),
        (0.0, "No score is so good that the push ends: that was cross-entropy."),
    ],
    atol=0.01,
)
marks.judge(
    "nearer",
    "unknown",
    mistakes=[
        ("a", "A's critic is flatter because of its smaller box: where K is small, so is K times W1."),
        ("b", "A larger estimate speaks against B if for anything, and B's critic may be steeper by its box."),
    ],
)
marks.report()
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4. Debug a critic's turn
#
# This is meant to be one turn of the critic as the paper has it: loss, step, clip. It runs without an error, and it has
# **two faults**. Below, the critic plays 100 turns against fakes that stand still. Real numbers come from $N(3, 1)$, fakes
# from $N(0, 1)$.


# %% nbgrader={"grade": false, "grade_id": "broken", "locked": true, "schema_version": 3, "solution": false, "task": false}
def broken_turn(G, D, opt_d, x, z, c=0.01):
    """One turn of the critic D with two faults. opt_d steps D's parameters. Returns the loss, cut from its graph."""
    real_logits, fake_logits = D(x), D(G(z).detach())
    loss = real_logits.mean() - fake_logits.mean()
    opt_d.zero_grad()
    loss.backward()
    nn.utils.clip_grad_value_(D.parameters(), c)
    opt_d.step()
    return loss.detach()


def show_turns(turn, caption, c=0.01):
    """Mean scores, and the largest weight, over 100 turns."""
    torch.manual_seed(0)
    G, D = nn.Identity(), nn.Sequential(nn.Linear(1, 16), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    with torch.no_grad():
        for p in D.parameters():
            p.mul_(c)  # within the box
    opt_d = torch.optim.RMSprop(D.parameters(), lr=c / 50)
    rows = []
    for _ in range(100):
        x, z = 3 + torch.randn(64, 1), torch.randn(64, 1)
        turn(G, D, opt_d, x, z, c)
        with torch.no_grad():
            rows.append((D(x).mean().item(), D(z).mean().item(), max(p.abs().max().item() for p in D.parameters())))
    on_real, on_fakes, largest = zip(*rows)
    figure, (left, right) = plt.subplots(1, 2, figsize=(9, 2.8), layout="constrained")
    left.plot(on_real, color=REAL, label="real")
    left.plot(on_fakes, "--", color=FAKE, label="fakes")
    left.set(xlabel="turn", ylabel="mean score")
    right.plot(largest, color=CRITIC, label="largest of all abs(w)")
    right.axhline(c, color="#555555", linewidth=0.8, label="c")
    right.set(xlabel="turn", ylabel="abs(w)", ylim=(0, None))
    left.legend(frameon=False)
    right.legend(frameon=False)
    show(figure, caption, "Left: the mean scores of real and fake numbers by turn. Right: the largest weight by turn.")


# %% tags=["watch"]
show_turns(broken_turn, "Left: the fakes' scores are the higher ones. Right: weights leave the box and go on.")

# %% [markdown]
# Read the picture:
#
# 1. Whose scores should be the higher ones? What does a *smaller* loss mean here?
# 2. Weights leave the box. What does the line before the step put into $[-c, c]$, and what should be there? And if
#    something moves the weights afterwards, what does that do to the box?
#
# Write `repaired_turn`. As always, D's loss sends no gradient into G, and this turn changes nothing in G.


# %% nbgrader={"grade": false, "grade_id": "task4_repaired_turn", "locked": false, "schema_version": 3, "solution": true, "task": false}
def repaired_turn(G, D, opt_d, x, z, c=0.01):
    """One turn of the critic D: loss, step, clip. opt_d steps D's parameters. Returns the loss, cut from its graph."""
    ### BEGIN SOLUTION
    loss = D(G(z).detach()).mean() - D(x).mean()
    opt_d.zero_grad()
    loss.backward()
    opt_d.step()
    with torch.no_grad():
        for p in D.parameters():
            p.clamp_(-c, c)
    return loss.detach()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task4_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import CheckFailed, WatchedSGD, check_close, check_step_finds_gradient, check_turns


def check_turn(turn, x, z, weight=0.5, bias=0.3, g_weight=2.0, c=0.01, lr=0.1):
    """One turn of D(x) = weight x + bias against G(z) = g_weight z, by plain descent, against the formulas."""
    G, D = nn.Linear(1, 1, bias=False), nn.Linear(1, 1)
    with torch.no_grad():
        G.weight.fill_(g_weight)
        D.weight.fill_(weight)
        D.bias.fill_(bias)
    log = []
    opt_d = WatchedSGD("D", {"G": G, "D": D}, log, lr=lr)
    for p in D.parameters():
        p.grad = torch.full_like(p, 7.0)  # what the turn before has left
    reached = []
    G.weight.register_hook(lambda _: reached.append("G"))
    try:
        loss = turn(G, D, opt_d, x, z, c)
    except RuntimeError as error:
        if "in-place" in str(error):
            raise CheckFailed(
                "repaired_turn: the weights cannot be put back while autograd watches: torch.no_grad()."
            ) from None
        if "must match the size" in str(error):
            raise CheckFailed(
                f"repaired_turn: {len(x)} real samples, {len(z)} fakes, and you subtract one from the other. "
                "Average each kind first."
            ) from None
        raise
    gap = (g_weight * z.mean() - x.mean()).item()  # the slope of the loss in D's weight
    check_turns(log, ("D",))
    (_, at_step) = log[0]
    check_step_finds_gradient(
        opt_d,
        at_step["D"],
        stale=7.0,
        nothing_arrived="D's step finds no gradient of this turn's loss. Is it cut off, or backward missing?",
    )
    check_close(
        "the slope of the loss in D's weight, as the step finds it",
        at_step["D"][0].item(),
        gap,
        hint="The loss is the fakes' mean score minus the real ones'.",
        mistakes=[
            (-gap, "The sign is still turned round: this critic gives fakes the higher scores."),
            (gap + 7, "The gradients of the turn before are still in it: clear them."),
            (max(-c, min(c, gap)), "The gradients are still clipped. What the box holds are the weights."),
            (max(-c, min(c, -gap)), "Neither fault is mended: the sign, and what is clipped."),
            (-x.mean().item(), "The fakes' scores teach D nothing: detach the fakes, not what D says of them."),
            ((g_weight * z.sum() - x.sum()).item(), "You take sums where the loss has averages."),
        ],
    )
    if reached or G.weight.grad is not None and bool(G.weight.grad.any()):
        raise CheckFailed("G's weights have got a gradient in the critic's turn: detach the fakes.")
    check_close(
        "G's weight after the critic's turn", G.weight.item(), g_weight, hint="The box is for the critic alone."
    )
    stepped = weight - lr * gap
    first = max(-c, min(c, weight)) - lr * gap
    check_close(
        "D's weight after the turn",
        D.weight.item(),
        max(-c, min(c, stepped)),
        hint="After the step it is put back into [-c, c].",
        mistakes=[
            (stepped, "The step carries the weight out of the box, and nothing puts it back."),
            (first, "The clip comes before the step, and the step carries the weight out of the box again."),
            (max(-0.01, min(0.01, stepped)), "The box is [-c, c], whatever c is: here it is another than 0.01."),
        ],
        atol=1e-6,
    )
    check_close(
        "D's bias after the turn",
        D.bias.item(),
        max(-c, min(c, bias)),
        mistakes=[(bias, "The bias stays outside the box: every parameter is clipped.")],
        atol=1e-6,
    )
    if not isinstance(loss, torch.Tensor) or loss.requires_grad:
        raise CheckFailed("repaired_turn: return the loss as a tensor, cut from its graph with detach().")
    check_close("the loss that the turn returns", loss, weight * gap, hint="It is that of before the step.")


check_turn(repaired_turn, torch.tensor([[1.0], [3.0], [2.0]]), torch.tensor([[1.0], [0.5]]))
print("✓ Task 4: all visible checks pass.")
### BEGIN HIDDEN TESTS
generator = torch.Generator().manual_seed(9)
for weight, bias, c in ((0.004, -0.002, 0.01), (-0.3, -0.4, 0.1), (0.02, 0.5, 0.05)):
    x, z = torch.randn(30, 1, generator=generator) + 2, torch.randn(20, 1, generator=generator)
    check_turn(repaired_turn, x, z, weight, bias, g_weight=-1.5, c=c, lr=0.05)
### END HIDDEN TESTS

# %% tags=["watch"]
show_turns(repaired_turn, "Repaired: real numbers score higher, and no weight leaves the box.")

# %% [markdown]
# ## Task 5. Measure with a critic of unknown slope
#
# A clipped critic's estimate is at most $K\,W_1$, and nobody tells you K. But on given samples you can look. For each pair
# of a real sample $a$ and a fake $b$ compute $|D(a) - D(b)| / \lVert a - b \rVert$, with the Euclidean distance below. The
# largest of these is the critic's steepest slope on them. Divide by it:
#
# $$W_1 \;\ge\; \frac{\overline{D(a)} - \overline{D(b)}}{\max_{a, b} |D(a) - D(b)| \,/\, \lVert a - b \rVert}$$
#
# It holds for *any* critic, by lines 1 and 2 of the lesson's table. A critic that has learned the wrong way round gives a
# number below 0: leave it so. You may count on it that no real sample lies exactly on a fake, and that D is not constant.
# (`torch.cdist` has the distances of all pairs. With many 32-bit samples it blurs those of very close pairs: hand it
# `x.double()` and `x_fake.double()`, or write the differences out. D gets the samples as they are.)


# %% nbgrader={"grade": false, "grade_id": "task5_w1_bound", "locked": false, "schema_version": 3, "solution": true, "task": false}
def w1_bound(D, x, x_fake):
    """The lower bound of W₁ between the samples x and x_fake, a float.

    D: maps (N, d) samples to (N, 1) scores.
    x, x_fake: (N, d) and (M, d), real samples and fakes.
    """
    ### BEGIN SOLUTION
    with torch.no_grad():
        real_logits, fake_logits = D(x), D(x_fake)
        slopes = (real_logits - fake_logits.T).abs() / torch.cdist(x.double(), x_fake.double())  # (N, M): every pair
        return ((real_logits.mean() - fake_logits.mean()) / slopes.max()).item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task5_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import CheckFailed, check_close


def lower_bound(D, x, x_fake):
    """What w1_bound says, or what it does that D or the samples do not stand."""
    try:
        return w1_bound(D, x, x_fake)
    except RuntimeError as error:
        for words, sentence in (
            ("must match the size", f"{len(x)} real samples and {len(x_fake)} fakes: average each kind on its own."),
            ("dtype", "D wants 32-bit samples. Only the distances need 64 bits: convert there."),
            ("requires grad", "D's scores hang on a graph. Work under torch.no_grad(), or detach them."),
        ):
            if words in str(error):
                raise CheckFailed(f"w1_bound: {sentence}") from None
        raise


x, x_fake = torch.tensor([[0.0], [2.0]]), torch.tensor([[5.0], [1.0]])
check_close(
    "w1_bound of D(x) = -3 x, real samples 0 and 2, fakes 5 and 1",
    lower_bound(lambda x: -3 * x, x, x_fake),
    2.0,
    hint="The estimate is 6, the slope 3.",
    mistakes=[
        (6.0, "That is the estimate: divide by the steepest slope."),
        (-2.0, "Real minus fake, not fake minus real."),
        (0.4, "Scores of one pair stand over the way of another. D(a) - D(b) of all pairs is an (N, M) table, too."),
        (4.0, "You add up the scores; each bar is an average."),
        (18.0, "You multiply by the slope: divide."),
    ],
)
check_close(
    "w1_bound of D(x) = 3 x, a critic that is the wrong way round",
    lower_bound(lambda x: 3 * x, x, x_fake),
    -2.0,
    mistakes=[
        (2.0, "You have lost the sign: this critic gives fakes the higher scores, which is no bound to be proud of."),
        (0.0, "You cut the number off at 0. It says how wrong this critic is: leave it so."),
    ],
)
check_close(
    "w1_bound of D(x) = -x²",
    lower_bound(lambda x: -(x**2), x, x_fake),
    11 / 7,
    hint="The slopes of the four pairs are 5, 1, 7 and 3; the estimate is 11.",
    mistakes=[
        (
            11 / 5,
            "Only the first real sample with the first fake, the second with the second. Take every pair, and the ratio "
            "in each.",
        ),
        (11 / 4, "That is the average slope. The bound needs one that no pair exceeds."),
        (11 / 10, "That is the slope at a single point. The steepest pair is what the bound asks for."),
        (11 / 1, "That is the flattest pair, or no division at all."),
    ],
)
check_close(
    "w1_bound of D(x) = -x₁ - x₂, the real sample (0, 0) and the fake (3, 4)",
    lower_bound(lambda x: -x.sum(1, keepdim=True), torch.zeros(1, 2), torch.tensor([[3.0, 4.0]])),
    5.0,
    hint="Their distance is 5.",
    mistakes=[
        (7.0, "3 + 4 = 7 is the way along the streets. Below stands the Euclidean distance."),
        (4.0, "4 is the largest coordinate of the way, not its length."),
    ],
)
print("✓ Task 5: all visible checks pass.")
### BEGIN HIDDEN TESTS
import numpy as np
from scipy.optimize import linear_sum_assignment


def check_bound(name, D, x, x_fake):
    """Compare w1_bound with NumPy's table of all pairs, and its value with the cheapest plan where N is M."""
    a, b, on_a, on_b = (v.detach().double().numpy() for v in (x, x_fake, D(x), D(x_fake)))
    ways, rises = np.linalg.norm(a[:, None] - b[None], axis=2), on_a - on_b.T
    every, on_every = np.concatenate([a, b]), np.concatenate([on_a, on_b])
    of_every = np.linalg.norm(every[:, None] - every[None], axis=2) + np.eye(len(every))
    gap, got = on_a.mean() - on_b.mean(), lower_bound(D, x, x_fake)
    check_close(
        name,
        got,
        gap / (abs(rises) / ways).max(),
        atol=1e-3,
        hint="It fits the examples only.",
        mistakes=[
            (
                gap / (rises / ways).max(),
                "The steepest pair may lead downhill: the absolute value comes before the maximum.",
            ),
            (
                gap / (abs(on_every - on_every.T) / of_every).max(),
                "A pair is a real sample and a fake, not two of a kind.",
            ),
        ],
    )
    if len(a) == len(b):
        above = max(0.0, float(got) - ways[linear_sum_assignment(ways)].mean())
        check_close("w1_bound: by how much it exceeds the cheapest plan", above, 0.0, hint="A bound never does.")


generator = torch.Generator().manual_seed(6)
torch.manual_seed(6)
for d in (1, 2, 5):
    x, x_fake = torch.randn(30, d, generator=generator), torch.randn(30, d, generator=generator) * 1.5 + 1
    weights = torch.randn(d, 1, generator=generator)

    def curved(x, weights=weights):
        return torch.tanh(x @ weights) - 0.3 * x[:, :1]

    check_bound(f"w1_bound of random samples, d = {d}", curved, x, x_fake)
    net = nn.Sequential(nn.Linear(d, 8), nn.Tanh(), nn.Linear(8, 1))
    check_bound(f"w1_bound by a net, 30 real samples, 20 fakes, d = {d}", net, x, x_fake[:20])
### END HIDDEN TESTS

# %% [markdown]
# Try it: a critic trained with the clip, on the samples that you judge it by. How much of $W_1$ does it find?

# %% tags=["watch"]
from scipy.stats import wasserstein_distance

torch.manual_seed(0)
x = torch.randn(200, 1)
for name, x_fake in (("N(3, 1²)", 3 + torch.randn(200, 1)), ("N(0, 3²)", 3 * torch.randn(200, 1))):
    D = nn.Sequential(nn.Linear(1, 32), nn.LeakyReLU(0.2), nn.Linear(32, 32), nn.LeakyReLU(0.2), nn.Linear(32, 1))
    optimizer = torch.optim.RMSprop(D.parameters(), lr=1e-3)
    for _ in range(400):
        loss = D(x_fake).mean() - D(x).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        with torch.no_grad():
            for p in D.parameters():
                p.clamp_(-0.1, 0.1)
    bound, exact = w1_bound(D, x, x_fake), wasserstein_distance(x[:, 0], x_fake[:, 0])
    print(f"N(0, 1²) and {name}: estimate {-loss.item():.2f}, bound {bound:.2f}, exact W1 {exact:.2f}")
