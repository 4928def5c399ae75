# ---
# jupyter:
#   ganedu:
#     learn: >-
#       G, D and the training loop by hand, on a distribution you can draw; a run whose losses are perfect and
#       whose result is wrong
#     minutes: 100
#     cpu: 1 min
#     gpu: the same
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
# # 02 The GAN game
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# **How can a net learn to make something when all it has is samples, and no formula?** It plays a game. You build both
# players by hand and watch them learn a distribution so small that you can check every claim by eye.
#
# Paper: Goodfellow et al. 2014, *Generative Adversarial Nets*, <https://arxiv.org/abs/1406.2661>.
#
# You will be able to:
#
# - say what G, D, $z$ and the two losses are, and draw one round of the game with its gradients;
# - write a GAN and its training loop in plain PyTorch, and say what `detach` and `zero_grad` prevent;
# - judge a run by more than its losses, and show a run whose losses are perfect and whose result is wrong.
#
# Plan 100 minutes of your time. All cells together compute for about a minute on a CPU. A GPU would gain nothing on
# nets this small, so this lesson is the same with and without a GPU.

# %% [markdown]
# ## Setup
#
# Run this cell first. On Colab it installs what is missing. On your own machine it does nothing.

# %% tags=["setup"]
# >>> setup: written by tools/notebooks.py from pyproject.toml
import importlib.util
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("ganedu") is None:
    raise RuntimeError(
        "ganedu has no public address yet, so Colab cannot install it: "
        "run this notebook on your own machine with `make lab`"
    )
# <<< setup

# %%
import math

import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn.functional import mse_loss, softplus

from ganedu.checks import claim
from ganedu.data import gaussian
from ganedu.runtime import lesson_seed, seed_all
from ganedu.views.diagram import flow
from ganedu.views.figure import CRITIC, FAKE, REAL, show
from ganedu.views.snapshots import browse

SEED = lesson_seed()
seed_all(SEED)  # the same numbers at every run; try another seed when you are done
MEAN, STD = 4.0, 1.25
data = gaussian(MEAN, STD)  # data.sample(n) gives n real numbers, shape (n, 1)
BINS = torch.linspace(-2, 9, 56).tolist()  # bins 0.2 wide
GREY = "#555555"

# %% [markdown]
# ## 1. The problem seen
#
# Reality is a machine that hands out numbers. It draws them from $N(4, 1.25^2)$, a bell around 4 that is 1.25 wide.
# You know that. The nets never will: they get samples and nothing else. We want a second machine, $G$, whose numbers
# nobody can tell from the real ones.
#
# Two first ideas, before you read on: **how would you do it?**
#
# 1. *A histogram.* Count the samples in bins, then draw from the bins. On the line that works well. But bins are boxes:
#    with 20 a dimension you need $20^d$ of them. A small picture of 28 x 28 pixels has $d = 784$.
# 2. *A net and the usual loss.* Feed random numbers $z$ into a net. Ask that its output be near a real number,
#    in mean squared error. The next cell tries that.

# %%
regressor = nn.Sequential(nn.Linear(8, 32), nn.ReLU(), nn.Linear(32, 1))
optimizer = torch.optim.Adam(regressor.parameters(), lr=1e-2)
for step in range(600):
    optimizer.param_groups[0]["lr"] = 1e-2 * (1 - step / 600)
    loss = mse_loss(regressor(torch.randn(256, 8)), data.sample(256))
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
with torch.no_grad():
    x, x_regressed = data.sample(5000), regressor(torch.randn(5000, 8))
print(
    f"real: mean {x.mean():.2f}, std {x.std():.2f}; regressed: mean {x_regressed.mean():.2f}, std {x_regressed.std():.2f}"
)

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
left.hist(x.flatten().tolist(), BINS, density=True, color=REAL, alpha=0.6, label="real")
left.hist(x_regressed.flatten().tolist(), BINS, density=True, color=FAKE, alpha=0.6, label="net, squared error")
left.set(xlabel="number", ylabel="density", title="the usual loss: one number for all")
right.semilogy(range(1, 9), [20**d for d in range(1, 9)], "o-", color=GREY, label="boxes of a histogram")
right.axhline(60_000, color=REAL, linestyle="--", label="60,000 samples (MNIST)")
right.set(xlabel="dimensions d", ylabel="count", title="a histogram: more boxes than samples")
left.legend(frameon=False)
right.legend(frameon=False)
caption = "Left: whatever z is, the net says about 4. Right: from d = 4 on most boxes of a histogram stay empty."
show(figure, caption, "Two charts: a narrow spike at 4 inside a wide bell; a line of 20 to the power d over 60,000.")

# %% [markdown]
# Why the spike? For each $z$ the net is asked for *every* real number at once. The answer with the least squared error
# is their mean, 4. With pictures the same thing happens, and the mean of many pictures is a grey blur.
#
# So a distance to *one* sample is the wrong question. The right one is: **does this number look like a real one?**
# Nobody has a formula for that either. So a second net learns it.

# %% [markdown]
# ## 2. The idea
#
# A **counterfeiter** $G$ prints money. A **police officer** $D$ looks at notes, some real, some forged, and says how
# sure she is that each one is real. She learns from her errors. He never sees a real note. He learns only from what her
# verdict says about his. Each gets better because the other does. If all goes well, she ends up tossing a coin.
#
# $$\min_G \max_D \; V(D, G) = \mathbb{E}_{x \sim p_{data}}[\log D(x)] + \mathbb{E}_{z \sim N(0, I)}[\log(1 - D(G(z)))]$$
#
# Read it aloud: D makes $V$ large, G makes it small.
#
# | symbol | what it is | here |
# |---|---|---|
# | $x$ | a real sample; $x \sim p_{data}$ says that reality made it | one number |
# | $z$ | a **latent**: random numbers that G starts from, so that it need not give the same answer twice | 8 numbers |
# | $G(z)$ | a fake, made from $z$; `x_fake` in the code | one number |
# | $D(x)$ | D's probability that $x$ is real, from 0 to 1 | sigmoid of a **logit** (any number; the sigmoid makes it a probability) |
# | $\mathbb{E}$ | the average over a batch | of 256 |
#
# All possible $z$ make up the **latent space**. Each point in it is a recipe for one fake. G is continuous, so near
# points give near fakes, and on the straight way from $z_a$ to $z_b$, through $(1-t)\,z_a + t\,z_b$, one fake turns into
# the other without a jump. That way is called **interpolation**. You walk it in part 6.
#
# **By hand.** Two real numbers, 3 and 5. Two fakes, 1 and 2. D's logit is $s(x) = x - 3$: larger looks more real to it.
#
# | | real 3 | real 5 | fake 1 | fake 2 |
# |---|---|---|---|---|
# | logit $s$ | 0 | 2 | -2 | -1 |
# | $D = 1/(1+e^{-s})$ | 0.500 | 0.881 | 0.119 | 0.269 |
# | D pays | $-\log 0.500 = 0.693$ | $-\log 0.881 = 0.127$ | $-\log(1-0.119) = 0.127$ | $-\log(1-0.269) = 0.313$ |
# | G pays $-\log D$ (not its half of $V$: part 4 says why) | | | $-\log 0.119 = 2.127$ | $-\log 0.269 = 1.313$ |
#
# D's loss is $(0.693 + 0.127)/2 + (0.127 + 0.313)/2 = 0.630$. G's loss is $(2.127 + 1.313)/2 = 1.720$. Part 4 checks it.
#
# The picture shows one round. `n_critic` is how many turns D gets for one of G's; the name comes from *critic*, another
# word for D.

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(10, 2.8), layout="constrained")
boxes = {"z": (0, 1), "G": (1, 1), "x_fake": (2.1, 1), "D": (3.4, 1)}
way, fakes_in = [("z", "G"), ("G", "x_fake"), ("x_fake", "D")], [("x_fake", "D")]
boxes_d, way_d = {**boxes, "x": (2, 0), "d_loss": (4.5, 1)}, [*way, ("x", "D"), ("D", "d_loss")]
flow(
    left, boxes_d, way_d, ["d_loss", "D"], fakes_in, "D's turn, n_critic times", "the gradient ends in D: only D steps"
)
boxes_g, way_g, back = {**boxes, "g_loss": (4.5, 1)}, [*way, ("D", "g_loss")], ["g_loss", "D", "x_fake", "G"]
flow(right, boxes_g, way_g, back, [], "G's turn, once", "the gradient passes through D: only G steps")
caption = (
    "One round. Grey: numbers flow forward. Dashed: gradients flow back. In D's turn `detach` cuts the way into G."
)
alt = "Two flow charts. D's turn: z, G, x_fake, cut, D, d_loss, and x to D. G's turn: no x, no cut, back to G."
show(figure, caption, alt)

# %% [markdown]
# ## 3. Build G and D
#
# Both are small: two hidden layers of 32. G turns 8 latent numbers into 1. D turns 1 number into 1 logit. There is no
# sigmoid at D's end, because the losses below take logits: that is exact where a sigmoid would round to 0 or 1.

# %%
z_dim = 8


def make_G():
    """(N, 8) latents -> (N, 1) fakes."""
    return nn.Sequential(nn.Linear(z_dim, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))


def make_D():
    """(N, 1) numbers -> (N, 1) logits: above 0 means "real"."""
    return nn.Sequential(nn.Linear(1, 32), nn.ReLU(), nn.Linear(32, 32), nn.ReLU(), nn.Linear(32, 1))


G, D = make_G(), make_D()
z = torch.randn(256, z_dim)
x_fake = G(z)
print(f"z {tuple(z.shape)} -> G -> x_fake {tuple(x_fake.shape)} -> D -> logits {tuple(D(x_fake).shape)}")
for name, net in (("G", G), ("D", D)):
    sizes = " + ".join(str(p.numel()) for p in net.parameters())
    print(f"{name}: {sizes} = {sum(p.numel() for p in net.parameters())} parameters")

# %% [markdown]
# Read the counts as weights, biases, weights, biases: G's first layer has $8 \cdot 32 = 256$ weights and 32 biases. The
# first dimension, 256, is the batch. Every row is a number of its own: D never sees two numbers side by side.
#
# ## 4. The objective
#
# D does well when $V$ is large, and an optimiser makes things small. So D minimises $-V$:
#
# $$L_D = -\mathbb{E}[\log D(x)] - \mathbb{E}[\log(1 - D(G(z)))]$$
#
# With $D = \mathrm{sigmoid}(s)$ the logarithms become $-\log D = \mathrm{softplus}(-s)$ and
# $-\log(1 - D) = \mathrm{softplus}(s)$, where $\mathrm{softplus}(s) = \log(1 + e^s)$.


# %%
def d_loss(real_logits, fake_logits):
    """-E[log D(x)] - E[log(1 - D(G(z)))]"""
    return softplus(-real_logits).mean() + softplus(fake_logits).mean()


# %% [markdown]
# G wants D to say "real". It could minimise $\mathbb{E}[\log(1 - D(G(z)))]$, its half of $V$. The paper advises another
# loss with the same goal, which still pushes when D catches every fake. Lesson 04 measures the difference.
#
# $$L_G = -\mathbb{E}[\log D(G(z))]$$


# %%
def g_loss(fake_logits):
    """-E[log D(G(z))]"""
    return softplus(-fake_logits).mean()


# %%
x_four = torch.tensor([[3.0], [5.0], [1.0], [2.0]], requires_grad=True)  # the four numbers of part 2
logits = x_four - 3
print(f"d_loss {d_loss(logits[:2], logits[2:]):.3f}, g_loss {g_loss(logits[2:]):.3f}")
g_loss(logits[2:]).backward()
print(f"gradient of g_loss with respect to the fakes 1 and 2: {x_four.grad[2:].flatten().tolist()}")

# %% [markdown]
# The losses are those of the table. Now look at the gradient: it is negative for both fakes, so descent makes both
# *larger*, towards where D says "real". The fake that D is surer about is pushed harder. That is all G ever learns.
#
# One **round** of the game, as in the picture. Read it next to these three notes:
#
# - `detach()` cuts the fakes loose from G in D's turn. Without it D's loss also leaves gradients in G: at best work for
#   nothing, at worst G follows them.
# - `zero_grad()` clears what was left behind: `backward()` adds to gradients, it never replaces them. D has leftovers
#   from G's turn as well: G's gradient passes through D and leaves its sum in D's `.grad` too.
# - D gets five turns for G's one (`n_critic = 5`). So G is judged by a D that has caught up with its latest fakes.


# %%
def play_round(G, D, opt_d, opt_g, data, batch_size=256, n_critic=5):
    """One round: ``n_critic`` steps of D, then one step of G. Returns D's last loss and G's loss."""
    for _ in range(n_critic):
        x, z = data.sample(batch_size), torch.randn(batch_size, z_dim)
        x_fake = G(z).detach()
        loss_of_d = d_loss(D(x), D(x_fake))
        opt_d.zero_grad()
        loss_of_d.backward()
        opt_d.step()

    z = torch.randn(batch_size, z_dim)
    loss_of_g = g_loss(D(G(z)))
    opt_g.zero_grad()
    loss_of_g.backward()
    opt_g.step()
    return loss_of_d.detach(), loss_of_g.detach()


# %% [markdown]
# A game is many rounds. Every fifth one you take a snapshot: the fakes for 5,000 latents that stay the same (`fixed_z`),
# and D's answer along the line. G's learning rate falls to 0 in a straight line. Part 6 shows what that is good for.
# Adam's betas, (0.5, 0.99), are a GAN habit: less momentum than the usual 0.9, because the target moves.

# %%
fixed_z = torch.randn(5000, z_dim)
line = torch.linspace(-2, 9, 200)[:, None]


@torch.no_grad()
def snapshot(G, D, played, losses):
    """What there is to see after ``played`` rounds."""
    return {"round": played, "x_fake": G(fixed_z).flatten(), "D": D(line).sigmoid().flatten(), "losses": losses}


def play(G, D, rounds=1200, n_critic=5, lr_d=2e-3, lr_g=2e-3, decay=True):
    """Play a whole game. Returns its snapshots, one every five rounds."""
    opt_d = torch.optim.Adam(D.parameters(), lr=lr_d, betas=(0.5, 0.99), fused=True)  # fused: same steps, less time
    opt_g = torch.optim.Adam(G.parameters(), lr=lr_g, betas=(0.5, 0.99), fused=True)
    seen = []
    for played in range(1, rounds + 1):
        if decay:
            opt_g.param_groups[0]["lr"] = lr_g * (1 - (played - 1) / rounds)
        losses = play_round(G, D, opt_d, opt_g, data, n_critic=n_critic)
        if played % 5 == 0:
            seen.append(snapshot(G, D, played, [float(loss) for loss in losses]))
    return seen


# %% [markdown]
# ## 5. Predict, then train
#
# At the start G's numbers lie near 0 and the real ones near 4. Write down your answers before you run the next cell:
#
# 1. Do the centre of the fakes and their width reach the right values together, or one long before the other? Do they
#    stay there?
# 2. D's loss starts near $2 \log 2 = 1.386$, because an untrained D says 1/2 to everything. Then it falls. Where does it
#    go in the end, if G wins?

# %%
seen = play(G, D)
for s in (seen[i] for i in (0, 3, 5, 7, 19, 79, 239)):
    fakes = f"fakes {s['x_fake'].mean():.2f} ± {s['x_fake'].std():.2f}"
    print(f"round {s['round']:>5,}: d_loss {s['losses'][0]:.3f}, g_loss {s['losses'][1]:.3f}, {fakes}")


# %%
def draw_state(axes, x_fake, answer, title):
    """Real numbers and fakes as histograms, with D's answer over them."""
    axes.hist(x.flatten().tolist(), BINS, density=True, color=REAL, alpha=0.45, label="real")
    axes.hist(x_fake.tolist(), BINS, density=True, color=FAKE, histtype="step", linewidth=1.6, label="fake")
    axes.plot(line, answer, color=CRITIC, linewidth=2, label="D(x)")
    axes.axhline(0.5, color=GREY, linestyle=":", linewidth=1)
    axes.set(xlabel="number", ylabel="density; D(x)", xlim=(-2, 9), ylim=(0, 1.03), title=title)


figure, panels = plt.subplots(2, 3, figsize=(10, 5), sharex=True, sharey=True, layout="constrained")
for axes, s in zip(panels.flat, (seen[i] for i in (0, 3, 5, 7, 19, 239))):
    draw_state(axes, s["x_fake"], s["D"], f"round {s['round']:,}")
    axes.label_outer()
panels[1, 2].legend(frameon=False, loc="upper right")
caption = "The fakes (orange) climb the slope of D (blue) and overrun it; D turns; in the end D has no slope left."
show(
    figure,
    caption,
    "Six charts. The fakes' histogram moves from 0 onto the real bell at 4; D's curve flattens at one half.",
)

# %%
rounds = [s["round"] for s in seen]
curves = {
    "loss": {
        "d_loss": ([s["losses"][0] for s in seen], CRITIC, "-", 2 * math.log(2)),
        "g_loss": ([s["losses"][1] for s in seen], FAKE, "--", math.log(2)),
    },
    "number": {
        "mean of the fakes": ([s["x_fake"].mean() for s in seen], FAKE, "-", MEAN),
        "std of the fakes": ([s["x_fake"].std() for s in seen], FAKE, "--", STD),
    },
}
figure, both = plt.subplots(1, 2, figsize=(9, 3), layout="constrained")
for axes, (what, series) in zip(both, curves.items()):
    for name, (values, colour, style, goal) in series.items():
        axes.semilogx(rounds, values, style, color=colour, label=name)
        axes.axhline(goal, color=GREY, linestyle=":")
    axes.set(xlabel="round (logarithmic)", ylabel=what)
    axes.legend(frameon=False)
caption = (
    "D's loss (blue, left) falls while D is ahead, overshoots when the fakes (right) reach the real numbers, and comes to "
    "2 log 2. Dotted: 2 log 2 and log 2; the real 4 and 1.25."
)
show(
    figure,
    caption,
    "Two charts over rounds: d_loss falls to 0.34, jumps to 1.49, then stays at 1.386; mean and std of the fakes climb "
    "past 4 and 1.25 and come back; the std is calm from round 200 on, the mean wobbles.",
)

# %% [markdown]
# **Centre and width** arrive together, at about round 30: fakes run up the slope of D, the foremost fastest, so the heap
# widens as it moves. Neither stays. The centre overruns 4, D turns, and it is back by about round 60. The width needs
# until about round 200, and is calm from then on. The centre is not: it wobbles by 0.1 or 0.2, most of all from round
# 400 to 1,000. By then D is all but flat, and its faint slope leans now up, now down. Adam divides by the size of the
# gradient, so all fakes follow even a faint slope with large steps. Part 6 returns to that.
#
# **D's loss** first *falls*, from 0.68 at round 5 to 0.34 at round 15: the fakes already climb, but D learns faster. Then
# they reach the real numbers, D's old answer is wrong about them, and its loss overshoots to 1.49 at about round 30.
# From then on it comes to $2 \log 2$, which is what a D pays that can only guess.
#
# ## 6. Explore
#
# Move the slider through the run. (Where no kernel listens, one picture stands still here.)


# %%
def at_round(number):
    """One moment of the run."""
    figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
    s = seen[number // 5 - 1]
    draw_state(axes, s["x_fake"], s["D"], f"round {number:,}, d_loss {s['losses'][0]:.2f}")
    return figure


caption, alt = "Where D(x) is steep, the fakes move.", "Histograms of real numbers and fakes, and D's curve."
browse(at_round, rounds, start=25, caption=caption, alt=alt)

# %% [markdown]
# **Question 1.** At round 40 D is far from 1/2 in places where there are neither real numbers nor fakes, and it stays so
# at round 1,200. Why does nobody correct it there?
#
# <details><summary>Answer</summary>Both losses are averages over samples. Where no sample falls, no loss is paid, so
# no gradient comes from there. D's answer there is whatever its ReLUs continue to.</details>
#
# **Question 2.** The next picture walks from one latent to another. Both ends are normal draws. Why is no fake in between
# an invalid one, though no $z$ in between was drawn?
#
# <details><summary>Answer</summary>G is continuous and was trained on draws that lie all around the way, so each point of
# it has trained neighbours. (In high dimensions the middle of a straight way is nearer to 0 than draws are; lesson 06
# deals with that.)</details>

# %%
figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
t = torch.linspace(0, 1, 100)[:, None]
with torch.no_grad():
    for i, style in enumerate(("-", "--", ":", "-.")):
        z_a, z_b = fixed_z[2 * i], fixed_z[2 * i + 1]
        axes.plot(t, G((1 - t) * z_a + t * z_b), style, color=FAKE, label=f"way {i + 1}")
axes.axhspan(MEAN - 2 * STD, MEAN + 2 * STD, color=REAL, alpha=0.15, label="95 % of real numbers")
axes.set(xlabel="t, from z_a to z_b", ylabel="G((1 - t) z_a + t z_b)", ylim=(0, 9))
axes.legend(frameon=False, ncols=3)
caption = "Interpolation: no way jumps, and each stays among the numbers that reality makes."
show(figure, caption, "Four continuous curves between 2 and 5, from one fake to another.")

# %% [markdown]
# **Ablation.** The recipe has two unusual parts: five turns of D for one of G, and a learning rate of G that falls to 0.
# Which one brings the fakes to rest? Guess, then take away one, the other, both.

# %%
runs = {(5, True): seen}
for setting in ((5, False), (1, True), (1, False)):
    runs[setting] = play(make_G(), make_D(), n_critic=setting[0], decay=setting[1])
stray = {}
for (n_critic, decay), run in runs.items():
    last = torch.stack([s["x_fake"] for s in run[-40:]])
    stray[n_critic, decay] = float((last.mean(1) - MEAN).square().mean().sqrt())
    width = float((last.std(1) - STD).square().mean().sqrt())
    name = f"n_critic {n_critic}, {'falling' if decay else 'constant'} rate"
    print(f"{name:>24}: in the last 200 rounds the mean is off by {stray[n_critic, decay]:.3f}, the std by {width:.3f}")

# %%
figure, axes = plt.subplots(figsize=(6.5, 3.4), layout="constrained")
for (n_critic, decay), run in runs.items():
    off = torch.stack([s["x_fake"].mean() - MEAN for s in run])
    off = off.square().unfold(0, 40, 1).mean(1).sqrt()  # over 200 rounds each
    colour, style = (FAKE if decay else GREY), ("-" if n_critic == 5 else "--")
    name = f"n_critic {n_critic}, {'falling' if decay else 'constant'} rate"
    axes.semilogy(rounds[39:], off, style, color=colour, label=name)
axes.set(xlabel="round", ylabel="how far the mean is off", xlim=(200, 1200), ylim=(0.01, 3))
axes.legend(frameon=False)
caption = "Compare the right end, the last 200 rounds: falling rate orange, constant grey. Before, order is chance."
show(figure, caption, "Four curves over rounds: they cross several times; the grey ones end above the orange ones.")

# %% [markdown]
# In the last 200 rounds, when the falling rate is near 0, the mean strays by 0.05 with it and by 0.11 or 0.20 without.
# Before that the curves cross, and their order is chance. More turns for D do not bring the mean to rest (at a constant
# rate 0.200 with five, 0.114 with one), but they help the width: its std is off by 0.059 with five, by 0.102 with one.
#
# This is the wobble of part 5. Two players that chase each other swing around the goal, and smaller steps make smaller
# swings. Lesson 07 looks into it.
#
# ## 7. Measure it
#
# Fresh samples, 20,000 of each kind. What must hold if G has won: the fakes have the mean and the width of the real
# numbers, D says 1/2 on real numbers, and D's loss is $2 \log 2$.


# %%
@torch.no_grad()
def judge(G, D):
    """(mean, std of the fakes, mean distance of D from 1/2 on real numbers, d_loss), on 20,000 fresh samples."""
    x, x_fake = data.sample(20_000), G(torch.randn(20_000, z_dim))
    from_half = (D(x).sigmoid() - 0.5).abs().mean()
    return float(x_fake.mean()), float(x_fake.std()), float(from_half), float(d_loss(D(x), D(x_fake)))


mean, std, from_half, loss = judge(G, D)
print(f"mean {mean:.3f}, std {std:.3f}, D from 1/2 {from_half:.3f}, d_loss {loss:.4f}")

# %% [markdown]
# ### Where the measure misleads
#
# Now two more games of 1,200 rounds. In both, G is a single linear layer. That is enough: a sum of normal numbers is
# normal, so this G can make $N(4, 1.25^2)$ exactly. It takes larger steps (`lr_g` 2e-2), because its centre is one bias,
# which Adam moves by about the learning rate a round: 2e-3 would not get it to 4. Only D differs between the two: the net
# you know, and **a line**, `nn.Linear(1, 1)`. Predict what the line cannot see.

# %%
officers, verdicts = {"D is a net": make_D(), "D is a line": nn.Linear(1, 1)}, {}
figure, both = plt.subplots(1, 2, figsize=(9, 3), sharey=True, layout="constrained")
for axes, (name, officer) in zip(both, officers.items()):
    forger = nn.Linear(z_dim, 1)
    last = play(forger, officer, lr_g=2e-2)[-1]
    verdicts[name] = judge(forger, officer)
    draw_state(axes, last["x_fake"], last["D"], name)
    axes.legend(frameon=False, loc="upper right")
    print(f"{name}: mean {{:.3f}}, std {{:.3f}}, D from 1/2 {{:.3f}}, d_loss {{:.4f}}".format(*verdicts[name]))
caption = "Both D say 1/2 everywhere that matters. On the right the fakes are a spike: the line cannot see width."
show(
    figure,
    caption,
    "Left: fakes cover the real bell. Right: fakes are a narrow spike at 4; D's line is flat at one half.",
)

# %% [markdown]
# By D's answers and by both losses the right run is perfect. A line says "larger is more real" or "smaller is more real"
# and nothing else. Once the means agree its best answer is 1/2 everywhere. The width even shrank: the average of softplus
# over spread-out logits is larger than softplus at their average, so as long as the line was tilted, fakes in one heap
# cost G less than fakes spread out. Nothing ever widens them again.
#
# So **D at 1/2 is necessary, not sufficient.** It says that *this D, now,* sees no difference. Look at samples, and
# measure them with something that is not a player. Mean and width are such measures, and they mislead as well: many
# distributions that are no bell share them. Lesson 12 is about that.
#
# The claims of this lesson, checked:

# %%
claim("distance of the fakes' mean from 4", abs(mean - MEAN), at_most=0.15)
claim("distance of the fakes' std from 1.25", abs(std - STD), at_most=0.15)
claim("mean distance of D from 1/2 on real numbers", from_half, at_most=0.1)
claim("distance of d_loss from 2 log 2", abs(loss - 2 * math.log(2)), at_most=0.1)
claim("std of the net trained with squared error", x_regressed.std(), at_most=0.2)
claim("stray of the mean, learning rate falling to 0", stray[5, True], at_most=0.1)
doublings = math.log2(stray[5, False] / stray[5, True])  # 1: twice as far, 2: four times as far
claim("doublings of that stray at a constant learning rate", doublings, at_least=1)
mean, std, from_half, loss = verdicts["D is a line"]
claim("line as D: distance of the mean from 4", abs(mean - MEAN), at_most=0.15)
claim("line as D: mean distance from 1/2 on real numbers", from_half, at_most=0.02)
claim("line as D: distance of d_loss from 2 log 2", abs(loss - 2 * math.log(2)), at_most=0.01)
claim("line as D: distance of the std from 1.25", abs(std - STD), at_least=0.5)
claim("net as D, same G: distance of the std from 1.25", abs(verdicts["D is a net"][1] - STD), at_most=0.15)
print("Every claim of this lesson holds.")

# %% [markdown]
# ## 8. What breaks, in practice
#
# - *"D's loss goes up, so the GAN gets worse."* No, because D's loss measures how well D tells real from fake. In your
#   run it falls while D is ahead, and rises to $2 \log 2$ exactly because the fakes get better.
# - *"A perfect D is the goal."* No, because a D that is right on every sample has found fakes that are easy to find.
#   You want a G that no D can catch. You throw D away in the end.
# - *"G sees the data."* No. Look at G's turn in `play_round`: there is no `x` in it. G knows reality from D's gradient.
# - Code that runs, raises no error and learns nothing: one turn's gradients leak into the other's step. You repair such
#   a game in exercise 02.
#
# ## 9. The library twin
#
# From now on the library plays the rounds. `VanillaGAN` takes your two nets and has your two losses, `Trainer` repeats
# `play_round`, and `train` shows it live. Pause it, move a slider, go on.

# %%
from ganedu.blocks import mlp
from ganedu.models.vanilla import VanillaGAN
from ganedu.training import Trainer
from ganedu.views.live import train

game = VanillaGAN(mlp([z_dim, 32, 32, 1]), mlp([1, 32, 32, 1]), z_dim)
game.betas = (0.5, 0.99)  # Adam's, as in `play`; the library's own are (0.5, 0.999)
trainer = Trainer(game, data, batch_size=256, lr=2e-3, n_critic=5, device="cpu")
# add_hook: call this function after every round
# set_lr: G's learning rate from the next round on; it falls to 0 as in `play`
trainer.add_hook(lambda trainer: trainer.set_lr("G", 2e-3 * max(0, 1 - trainer.round / 400)))
run = train(trainer, rounds=400)

# %%
run.wait()

# %% [markdown]
# ## Summary
#
# - A GAN needs samples, no formula: D learns what "looks real" means, and G learns from D's gradient.
# - D minimises $-\mathbb{E}[\log D(x)] - \mathbb{E}[\log(1 - D(G(z)))]$, G minimises $-\mathbb{E}[\log D(G(z))]$.
# - `detach` in D's turn, `zero_grad` before each `backward`, one optimiser for each player.
# - The end of the game is D = 1/2 and d_loss = 2 log 2. A blind D says the same: judge samples, not losses.
#
# **Exercises:** [exercise 02](../exercises/02_the_gan_game.ipynb): both losses, a broken GAN to repair, a run to judge.
#
# **Where next:** lesson 03 shows *why* 1/2, and what distance the game makes small. Lesson 04 plays it with digits.
