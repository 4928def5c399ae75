# ---
# jupyter:
#   ganedu:
#     title: Min-max and JS
#     learn: >-
#       D*, the Jensen-Shannon identity line by line, a divergence measured by training D; why G's gradient dies
#     minutes: 100
#     cpu: half a minute
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
# # 03 The min-max game and the Jensen-Shannon divergence
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# **What does G make small when it plays against the best possible D?** A distance between distributions. You derive it
# line by line, check every line with numbers, and find the place where this distance has nothing to say.
#
# Papers: Goodfellow et al. 2014, *Generative Adversarial Nets*, <https://arxiv.org/abs/1406.2661>, section 4; Arjovsky
# and Bottou 2017, *Towards Principled Methods for Training GANs*, <https://arxiv.org/abs/1701.04862>, section 2.
#
# You will be able to:
#
# - derive $D^* = p/(p+q)$ and $V(D^*, G) = 2\,\mathrm{JSD}(p \,\|\, q) - 2 \log 2$, and say which step needs which assumption;
# - estimate a divergence from samples alone by training D, and catch an estimate that fools itself;
# - say why the Jensen-Shannon divergence goes flat, what that does to each of G's two losses, and what $W_1$ does there.
#
# Plan 100 minutes of your time. You need lesson 02. All cells together compute for less than a minute on a CPU. A GPU
# would gain nothing on nets this small, so this lesson is the same with and without a GPU.

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
from torch.nn.functional import logsigmoid
from torch.special import xlogy

from ganedu.blocks import mlp
from ganedu.checks import claim
from ganedu.data import gaussian, mixture
from ganedu.losses import d_minimax
from ganedu.models.vanilla import VanillaGAN
from ganedu.runtime import lesson_seed, seed_all
from ganedu.views.divergence import slide_apart
from ganedu.views.figure import CRITIC, FAKE, REAL, show

SEED = lesson_seed()
seed_all(SEED)
LOG2, GREY = math.log(2), "#555555"

# %% [markdown]
# ## 1. The problem seen
#
# Lesson 02 ended with D at 1/2 and a loss of $2 \log 2$, and warned you: a D that is only a straight line says the same
# of fakes that are wrong. So what *does* D's loss tell? Let G stand still and let D alone play, against three kinds of
# fakes. Three nets of different width try each, and on one kind a straight line tries as well. `train_D` is D's turn
# from lesson 02, repeated; `d_minimax(real_logits, fake_logits)` is that lesson's `d_loss`, kept in the library.


# %%
def train_D(D, x, x_fake, steps=1000, batch_size=256, lr=1e-2, watch=None):
    """Let D alone play, on batches of the samples x and x_fake. ``watch(step)`` is called before every 20th step."""
    optimizer = torch.optim.Adam(D.parameters(), lr=lr)
    for step in range(steps):
        if watch is not None and step % 20 == 0:
            watch(step)
        optimizer.param_groups[0]["lr"] = lr * (1 - step / steps)
        batch, fake_batch = (s[torch.randint(len(s), (batch_size,))] for s in (x, x_fake))
        loss = d_minimax(D(batch), D(fake_batch))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    return D


# %%
real = gaussian(0, 1)
FAKES = {"N(1, 1²)": gaussian(1, 1), "N(0, 3²)": gaussian(0, 3), "N(4, 1²)": gaussian(4, 1)}


def watch_loss(D, fakes):
    """D's loss on 10,000 fresh samples, before every 20th of 400 steps."""
    x, x_fake, seen = real.sample(10_000), fakes.sample(10_000), []

    def look(step):
        seen.append(d_minimax(D(x), D(x_fake)).item())

    train_D(D, real.sample(20_000), fakes.sample(20_000), steps=400, watch=look)
    return seen


curves = {
    (name, f"{width} wide"): watch_loss(mlp([1, width, width, 1]), fakes)
    for name, fakes in FAKES.items()
    for width in (8, 32, 128)
}
curves["N(0, 3²)", "straight line"] = watch_loss(nn.Linear(1, 1), FAKES["N(0, 3²)"])

# %%
figure, panels = plt.subplots(1, 3, figsize=(9, 3.2), sharey=True, layout="constrained")
for panel, fakes in zip(panels, FAKES):
    for (name, net), seen in curves.items():
        if name == fakes:
            style = {"8 wide": "-", "32 wide": "--", "128 wide": ":", "straight line": "s"}[net]
            colour = "black" if net == "straight line" else CRITIC
            panel.plot(range(0, 400, 20), seen, style, color=colour, markersize=4, label=f"D: {net}")
    panel.axhline(2 * LOG2, color=GREY, linewidth=0.8)
    panel.set(title=f"fakes {fakes}", xlabel="steps of D, G stands still", ylim=(0, 1.7))
panels[0].set(ylabel="d_loss on fresh samples")
panels[0].text(390, 2 * LOG2 + 0.03, "2 log 2", color=GREY, ha="right")
panels[1].legend(frameon=False, fontsize=8, loc="lower center")
caption = "Each kind of fakes has a floor of its own, and every net finds it. Only the straight line stays at 2 log 2."
show(figure, caption, "Three panels of d_loss over steps. In each, three nets fall to one level; squares stay at 1.39.")

# %% [markdown]
# Whatever the net and its random start, D's loss falls to the same floor. The floor is no property of D. **It belongs to
# the two distributions.** What number is it? And does G, which pushes it up, bring the distributions together?

# %% [markdown]
# ## 2. The idea
#
# Hold G still. Write $p$ for the density of the real numbers, $q$ for that of the fakes.
#
# | line | | why |
# |---|---|---|
# | 1 | $V(D, G) = \mathbb{E}_{x \sim p}[\log D(x)] + \mathbb{E}_{z}[\log(1 - D(G(z)))]$ | the game of lesson 02 |
# | 2 | $\phantom{V} = \mathbb{E}_{x \sim p}[\log D(x)] + \mathbb{E}_{x \sim q}[\log(1 - D(x))]$ | $G(z)$ has density $q$ |
# | 3 | $\phantom{V} = \int p(x) \log D(x) + q(x) \log(1 - D(x)) \, dx$ | an expectation is an integral |
# | 4 | $D^*(x) = \dfrac{p(x)}{p(x) + q(x)}$ | the maximum at each $x$ on its own, see below |
# | 5 | $V(D^*, G) = \int p \log \dfrac{p}{p+q} + q \log \dfrac{q}{p+q} \, dx$ | line 4 put into line 3 |
# | 6 | $\phantom{V} = \int p \log \dfrac{p}{m} + q \log \dfrac{q}{m} \, dx - 2 \log 2$ | $p + q = 2m$, see below |
# | 7 | $\phantom{V} = \mathrm{KL}(p \,\|\, m) + \mathrm{KL}(q \,\|\, m) - 2 \log 2$ | $\mathrm{KL}(p \,\|\, m) = \int p \log (p/m) \, dx$ |
# | 8 | $\phantom{V} = 2\,\mathrm{JSD}(p \,\|\, q) - 2 \log 2$ | the mean of the two KLs is called JSD |
#
# **Line 4.** If D may answer at each $x$ as it likes, the integral is largest when every point is. At one point, with
# $a = p(x)$, $b = q(x)$ and $y = D(x)$, maximise $f(y) = a \log y + b \log(1 - y)$. Its slope $a/y - b/(1-y)$ is 0 at
# $y = a/(a+b)$, and $f'' = -a/y^2 - b/(1-y)^2$ is negative, so that is the maximum.
#
# **Line 6.** Write $m = (p+q)/2$ for the mean. Then $\log \frac{p}{p+q} = \log \frac{p}{2m} = \log \frac{p}{m} - \log 2$.
# The same holds for $q$. Each of the two terms has a $-\log 2$, and as $p$ and $q$ integrate to 1, that makes $-2 \log 2$.
#
# The **Kullback-Leibler divergence** KL is 0 where both densities agree and positive elsewhere; $\mathrm{KL}(p\,\|\,q)$ is
# infinite where $q$ is 0 and $p$ is not. The **Jensen-Shannon divergence** JSD compares both with their mean $m$. Where $p$
# or $q$ is positive $m$ is positive too, so JSD is never infinite. It is symmetric. It is 0 where $p = q$, and at most
# $\log 2 = 0.693$, where $p$ and $q$ share no place. The unit is the **nat**: logarithms here are natural.
#
# **By hand.** Only two values, heads and tails. $p = (3/4, 1/4)$, $q = (1/4, 3/4)$. Then $D^* = (3/4, 1/4)$, and
# $V = \frac34 \log \frac34 + \frac14 \log \frac14 + \frac14 \log \frac14 + \frac34 \log \frac34 = -1.125$. With
# $m = (1/2, 1/2)$ each KL is $\frac34 \log \frac32 + \frac14 \log \frac12 = 0.131$, so JSD is 0.131, and
# $2 \cdot 0.131 - 1.386 = -1.125$. The next cell does the same sums on a grid of 12,001 points, with integrals as sums.

# %%
DX = 0.005
GRID = torch.linspace(-30, 30, 12_001, dtype=torch.float64)[:, None]


def density(distribution):
    """p(x) on the grid, (12001,). A bell is nowhere 0, but far out the computer's exp is: 1e-300 stands there."""
    return distribution.log_prob(GRID).exp().clamp(min=1e-300)


def kl(p, q, dx=DX):
    """KL(p || q) = ∫ p log(p / q) dx; xlogy(p, q) is p log q, and 0 where p is 0"""
    return (xlogy(p, p) - xlogy(p, q)).sum() * dx


def js(p, q, dx=DX):
    """JSD(p || q) = (KL(p || m) + KL(q || m)) / 2 with m = (p + q) / 2"""
    m = (p + q) / 2
    return (kl(p, m, dx) + kl(q, m, dx)) / 2


coin_p, coin_q = torch.tensor([0.75, 0.25]), torch.tensor([0.25, 0.75])
print(f"by hand: KL {kl(coin_p, (coin_p + coin_q) / 2, dx=1):.3f}, JSD {js(coin_p, coin_q, dx=1):.3f}")

# %% [markdown]
# Now check the lines, on a pair that is nothing special: the real numbers come from two hills, and G is $G(z) = 1 +
# 1.5\,z$, so $q = N(1, 1.5^2)$. Lines 1 to 3 hold for *every* D. Take one that is not the best: its logit is $1 - x$.
#
# On the grid $V$ is computed from logits. For the best D, $\log \frac{D^*}{1 - D^*} = \log p - \log q$:
# **the optimal logit is the logarithm of the ratio of the densities.**


# %%
def value(p, q, logit):
    """V(D, G) = ∫ p log D + q log(1 - D) dx, for D = sigmoid(logit) on the grid"""
    return (p * logsigmoid(logit) + q * logsigmoid(-logit)).sum() * DX


def best_logit(p_distribution, q_distribution, x):
    """log p(x) - log q(x), the logit of D* = p / (p + q)."""
    return p_distribution.log_prob(x) - q_distribution.log_prob(x)


hills, n = mixture([-2, 2], std=0.8), 400_000
x, z = hills.sample(n), torch.randn(n, 1)
line_1 = logsigmoid(1 - x).mean() + logsigmoid(-(1 - (1 + 1.5 * z))).mean()
line_2 = logsigmoid(1 - x).mean() + logsigmoid(-(1 - gaussian(1, 1.5).sample(n))).mean()
p, q = density(hills), density(gaussian(1, 1.5))
line_3 = value(p, q, 1 - GRID[:, 0])
print(f"V of D = sigmoid(1 - x): line 1 {line_1:.3f}, line 2 {line_2:.3f} (averages), line 3 {line_3:.3f} (integral)")

answers = torch.linspace(0.0005, 0.9995, 1000, dtype=torch.float64)  # line 4 by brute force: try 1,000 answers
some = (GRID[:, 0].abs() < 6).nonzero()[::20, 0]  # at every 20th point between -6 and 6
tried = p[some, None] * answers.log() + q[some, None] * (1 - answers).log()
D_star = torch.sigmoid(best_logit(hills, gaussian(1, 1.5), GRID))
off = (answers[tried.argmax(1)] - D_star[some]).abs().max()
print(f"line 4: at {len(some)} points the best of 1,000 answers is at most {off:.4f} from p / (p + q)")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.plot(GRID, p, color=REAL, label="p, real")
left.plot(GRID, q, "--", color=FAKE, label="q, fakes")
left.plot(GRID, D_star, ":", color=CRITIC, linewidth=2, label="D* = p / (p + q)")
left.set(xlabel="x", ylabel="density; D*(x)", xlim=(-6, 7), ylim=(0, 1.03))
for at, style in zip((-2.0, 0.0, 3.0), ("-", "--", ":")):
    i = (GRID[:, 0] - at).abs().argmin()
    f = p[i] * answers.log() + q[i] * (1 - answers).log()
    right.plot(answers, f, style, color=GREY, label=f"x = {at:g}: D* = {D_star[i]:.2f}")
    right.plot(D_star[i], f.max(), "o", color=CRITIC)
right.set(xlabel="answer y", ylabel="p log y + q log(1 - y)", ylim=(-0.8, 0))
left.legend(frameon=False, fontsize=8, loc="upper right")
right.legend(frameon=False, fontsize=8)
caption = "Left: the best D at each x. Right: three of these x; the dot at p / (p + q) sits on the maximum."
show(figure, caption, "Left: two hills, a bell, and D* high where the hills are. Right: three arcs with a dot on top.")

# %% [markdown]
# Lines 5 to 8, on this pair and on 200 more that are drawn at random. The two sides are computed apart: one from the
# logits of $D^*$, the other from two KLs.

# %%
print(f"{'V(D*, G)':>20} {value(p, q, best_logit(hills, gaussian(1, 1.5), GRID)):.9f}")
print(f"{'2 JSD - 2 log 2':>20} {2 * js(p, q) - 2 * LOG2:.9f}")
identity = 0.0
for _ in range(200):
    centres, widths = 6 * torch.rand(3) - 3, 0.3 + 2 * torch.rand(2)
    P, Q = mixture(centres[:2], std=float(widths[0])), gaussian(float(centres[2]), float(widths[1]))
    p_some, q_some = density(P), density(Q)
    gap = value(p_some, q_some, best_logit(P, Q, GRID)) - (2 * js(p_some, q_some) - 2 * LOG2)
    identity = max(identity, gap.abs().item())
print(f"200 random pairs: the two sides differ by {identity:.1e} at most")
worse = best_logit(hills, gaussian(1, 1.5), GRID) + torch.randn(50, len(GRID), dtype=torch.float64)
print(f"50 other D's, the best logit disturbed: V is {max(value(p, q, logit) for logit in worse):.3f} at most")

# %% [markdown]
# So the floor of part 1 is $2 \log 2 - 2\,\mathrm{JSD}$, since D's loss is $-V$. Three things follow:
#
# - Equal distributions have JSD 0. Then $D^* = 1/2$ and `d_loss` is $2 \log 2$: lesson 02's end of the game.
# - Nothing else does: JSD is 0 *only* if $p = q$. So G, playing against the best D, has one goal, and it is the right one.
# - Distributions that share no place have JSD $\log 2$, the maximum. Then `d_loss` is 0.
#
# The assumptions: D may take any value at any $x$ (line 4), and D is the best one. A D whose logit is a straight line
# breaks the first, a D that has not finished learning breaks the second. Either way $V$ is *smaller*, so D's loss gives a
# **lower bound** on JSD.

# %% [markdown]
# ## 3. Build G and D
#
# For this lesson G is as small as a generator can be: $G(z) = t + s\,z$, two parameters, so that you know $q = N(t, s^2)$.
# D is a net of two hidden layers, as in lesson 02. It knows nothing of densities.


# %%
class Slide(nn.Module):
    """(N, 1) latents -> (N, 1) fakes from N(t, s²)."""

    def __init__(self, t, s=1.0):
        super().__init__()
        self.t, self.s = nn.Parameter(torch.tensor(float(t))), nn.Parameter(torch.tensor(float(s)))

    def forward(self, z):
        return self.t + self.s * z


def make_D(features=1):
    """(N, features) samples -> (N, 1) logits."""
    return nn.Sequential(nn.Flatten(), mlp([features, 32, 32, 1]))


G, D = Slide(2.0), make_D()
z = torch.randn(256, 1)
print(f"z {tuple(z.shape)} -> G -> x_fake {tuple(G(z).shape)} -> D -> logits {tuple(D(G(z)).shape)}")
print(f"parameters: G {sum(p.numel() for p in G.parameters())}, D {sum(p.numel() for p in D.parameters()):,}")

# %% [markdown]
# ## 4. The objective
#
# Turn line 8 round. For the best D, $-L_D = V = 2\,\mathrm{JSD} - 2 \log 2$, so
#
# $$\mathrm{JSD}(p \,\|\, q) \;\ge\; \log 2 - \tfrac12 L_D, \qquad L_D = -\mathbb{E}[\log D(x)] - \mathbb{E}[\log(1 - D(G(z)))]$$
#
# with equality for $D^*$. The right side needs no density. It needs samples and a D that has learned well.


# %%
def js_bound(real_logits, fake_logits):
    """log 2 - L_D / 2: at most JSD, and equal to it for the best D"""
    return LOG2 - d_minimax(real_logits, fake_logits) / 2


# %% [markdown]
# ## 5. Predict, then train
#
# First watch one D learn. In `DAlone` only D plays; G stands still at $t = 2$. D's loss is that of lesson 02,
#
# $$L_D = -\mathbb{E}[\log D(x)] - \mathbb{E}[\log(1 - D(G(z)))]$$
#
# On the grid the JSD of $N(0, 1)$ and $N(2, 1)$ is 0.337. **Predict before you run:** at which number does `d_loss` end?
# What shape will D's curve have? Will it be near 1/2 anywhere?


# %%
class DAlone(VanillaGAN):
    """Lesson 02's game, in which D alone learns. G stands still."""

    players = ("D",)


# %%
from ganedu.training import Trainer
from ganedu.views.live import train

trainer = Trainer(DAlone(Slide(2.0), make_D(), z_dim=1), real, batch_size=256, device="cpu", log_every=5)
run = train(trainer, rounds=300)

# %%
run.wait()
exact = js(density(real), density(gaussian(2, 1))).item()
print(f"exact: JSD {exact:.3f}, so d_loss comes to {2 * LOG2 - 2 * exact:.3f}")

# %% [markdown]
# D's loss comes to $2 \log 2 - 2 \cdot 0.337 = 0.71$, give or take the noise of a batch. D's curve is an S, the
# $\mathrm{sigmoid}(2 - 2x)$: between bells of equal width $\log p - \log q$ is a straight line. It is 1/2 at $x = 1$ alone,
# where both are as likely. Nearly everywhere D is far from 1/2, and yet it has reached its goal. G has not reached its own.
#
# Now the three pairs of part 1, with the care of a measurement: train on 20,000 samples of each kind, then judge on
# **50,000 fresh ones** that D has never seen.

# %%
estimates = {}
for name, fakes in FAKES.items():
    D = train_D(make_D(), real.sample(20_000), fakes.sample(20_000))
    with torch.no_grad():
        estimate = js_bound(D(real.sample(50_000)), D(fakes.sample(50_000))).item()
    estimates[name] = (estimate, js(density(real), density(fakes)).item())
    floor = 2 * LOG2 - 2 * estimates[name][1]
    print(f"N(0, 1²) and {name}: trained D {estimate:.4f}, exact {estimates[name][1]:.4f}; floor of d_loss {floor:.3f}")

# %% [markdown]
# A net that has only seen samples reads off an integral over densities, to the second decimal. That is the theorem at
# work, and it is how divergences are estimated where no density is known.
#
# ## 6. Explore
#
# Slide the fakes away from the real numbers. Widen either. Watch $V(D^*, G)$, the distances, and in the last two rows
# what G would feel: the gradient in $t$ of both its losses. (Where no kernel listens, one picture stands still here.)

# %%
slide_apart(mean=3.0)

# %% [markdown]
# **Question 1.** Go from $t = 9$ to $t = 12$. Which rows stay as they are, which grow?
#
# <details><summary>Answer</summary>V, 2 JSD - 2 log 2 and JSD stay (to three decimals), and the saturating gradient stays
# near 0: it is the slope of that flat curve. Both KLs, W1 and the non-saturating gradient grow: they know how far.</details>
#
# **Question 2.** Leave $t$ at 9 and make the fakes wider. The saturating gradient comes back. Why?
#
# <details><summary>Answer</summary>Wide fakes reach the real numbers. p and q overlap again, JSD leaves log 2, and a JSD
# that is not flat has a slope.</details>
#
# ### What G feels
#
# Take a step back to lesson 02: G had two losses with "the same goal". Their gradients in $t$, with **D held fixed at the
# best one**, are not the same. For the saturating loss
#
# $$\frac{\partial}{\partial t}\, \mathbb{E}_z[\log(1 - D^*(G(z)))] = \frac{\partial}{\partial t}\; 2\,\mathrm{JSD}(p \,\|\, q)$$
#
# Why? $V(D^*, G)$ changes with $t$ in two ways: the fakes move, and $D^*$ follows them. The second way adds nothing: at its
# maximum $V$ has slope 0 in D. What is left is the first way, with D held, and of $V$'s two terms only the fakes' has $t$.
#
# For the other loss, $D^*/(1 - D^*) = p/q$, so $-\log D^* = -\log(1 - D^*) + \log \frac{q}{p}$. The first term gives minus
# the gradient above. The second gives that of $\mathrm{KL}(q\,\|\,p) = \mathbb{E}_z[\log q(G(z)) - \log p(G(z))]$. (In KL the
# formula of $q$ under the logarithm changes with $t$ as well. That adds
# $\mathbb{E}_{x \sim q}[\partial_t \log q] = \int \partial_t q \, dx = 0$: $q$ integrates to 1 at every $t$.) Together:
#
# $$\frac{\partial}{\partial t}\, \mathbb{E}_z[-\log D^*(G(z))] = \frac{\partial}{\partial t}\; \bigl(\mathrm{KL}(q \,\|\, p) - 2\,\mathrm{JSD}(p \,\|\, q)\bigr)$$
#
# With numbers, at $t = 2$: KL is $t^2/2$, so its slope is 2. The slope of 2 JSD is 0.45. So G feels 0.45 with the saturating
# loss and $2 - 0.45 = 1.55$ with the other.
#
# Check both: left sides by autograd through G, right sides by differences on the grid. $D^*$ is made from plain numbers, so
# it does not move when autograd moves $t$. Both losses hang on one graph, and `retain_graph=True` keeps it for the second.


# %%
def gradients_in_t(t):
    """(saturating, non-saturating) gradient of G's loss in t, for N(0, 1) against N(t, 1), D held fixed at the best."""
    z, G = GRID[(GRID[:, 0].abs() < 9)], Slide(t).double()
    weights = gaussian(0, 1).log_prob(z).exp() * DX  # an exact average over z in place of a batch
    logit = best_logit(gaussian(0, 1), gaussian(t, 1), G(z))
    saturating, nonsaturating = (weights * logsigmoid(-logit)).sum(), -(weights * logsigmoid(logit)).sum()
    return [torch.autograd.grad(loss, G.t, retain_graph=True)[0].item() for loss in (saturating, nonsaturating)]


def right_sides(t, h=2**-10):
    """Differences of 2 JSD and of KL(q || p) - 2 JSD in t."""
    p, (q_up, q_down) = density(gaussian(0, 1)), (density(gaussian(t + d, 1)) for d in (h, -h))
    twice_js = (js(p, q_up) - js(p, q_down)) / h
    return float(twice_js), float((kl(q_up, p) - kl(q_down, p)) / (2 * h) - twice_js)


for t in (0.5, 2.0, 5.0, 9.0):
    (a, b), (c, d) = gradients_in_t(t), right_sides(t)
    print(f"t = {t}: saturating {a:.3g}, slope of 2 JSD {c:.3g}; non-saturating {b:.6f}, of KL - 2 JSD {d:.6f}")

# %% [markdown]
# **Ablation: take the non-saturating loss away.** Let $t$ descend by plain gradient steps of 0.1, against a D that is
# the best one in every step. **Predict** which starts come home, with which loss: $t = 2, 4, 6, 9$.

# %%
figure, both = plt.subplots(1, 2, figsize=(9, 3), sharey=True, layout="constrained")
ends = {}
for which, (axes, loss) in enumerate(zip(both, ("saturating", "non-saturating"))):
    for start in (2.0, 4.0, 6.0, 9.0):
        path = [start]
        for _ in range(150):
            path.append(path[-1] - 0.1 * gradients_in_t(path[-1])[which])
        ends[loss, start] = path[-1]
        axes.plot(path, "--", color=FAKE)
    axes.set(xlabel="step", ylabel="t, the mean of the fakes", title=loss)
caption = "Four starts each, the best D in every step. With the saturating loss, fakes that begin far away stay there."
show(figure, caption, "Left: curves from 2 and 4 fall to 0, those from 6 and 9 stay level. Right: all four fall to 0.")
print({f"{loss}, from {start:g}": round(end, 3) for (loss, start), end in ends.items()})

# %% [markdown]
# Here is the trap. The better D is, the less the saturating loss tells a G that is far away: a perfect judge gives no
# hint. The non-saturating loss escapes, since KL grows with the square of the distance, but its formula has a price:
# $-2\,\mathrm{JSD}$ *pushes apart*. It minimises no divergence that you would have chosen.
#
# ## 7. Measure it
#
# ### The plateau
#
# Now the extreme: two boxes, $U(0, 1)$ and $U(t, t + 1)$. From $t = 1$ on they share no place at all. JSD against $W_1$,
# the **earth mover's distance**: how far the fakes have to be carried, on average, to become the real numbers. On the
# line it is the area between the two distribution functions. And a trained D, for bells: does it see the plateau, too?


# %%
def w1(p, q, dx=DX):
    """W1(p, q) = ∫ |P - Q| dx, with P and Q the distribution functions"""
    return (p - q).cumsum(0).abs().sum() * dx * dx


def box(start):
    """The density of U(start, start + 1) on the grid; its edges lie between two points."""
    return ((GRID[:, 0] > start - DX / 2) & (GRID[:, 0] < start + 1 - DX / 2)).double()


shifts = torch.arange(0, 10.01, 0.25).tolist()
js_box, w1_box = (torch.stack([f(box(0), box(t)) for t in shifts]) for f in (js, w1))
js_bell = torch.stack([js(density(real), density(gaussian(t, 1))) for t in shifts])
tracked = {}
for t in (0.5, 2.0, 3.0, 5.0, 8.0):
    D = train_D(make_D(), real.sample(20_000), gaussian(t, 1).sample(20_000), steps=600)
    with torch.no_grad():
        tracked[t] = js_bound(D(real.sample(50_000)), D(gaussian(t, 1).sample(50_000))).item()
apart = torch.tensor(shifts) >= 1
js_gap = (js_box[apart] - LOG2).abs().max().item()
w1_gap = (w1_box[apart] - torch.tensor(shifts)[apart]).abs().max().item()
print(f"boxes, t from 1 to 10: JSD off log 2 by {js_gap:.1e} at most, W1 off t by {w1_gap:.1e} at most")
track_gap = max(abs(found - js(density(real), density(gaussian(t, 1))).item()) for t, found in tracked.items())
print(f"bells: trained D off the exact JSD by {track_gap:.4f} at most")

# %%
figure, (left, right) = plt.subplots(1, 2, figsize=(9, 3.2), layout="constrained")
left.plot(shifts, js_box, color="black", label="two boxes, exact")
left.plot(shifts, js_bell, "-.", color="black", label="two bells, exact")
left.plot(list(tracked), list(tracked.values()), "o", color=CRITIC, label="two bells, trained D")
left.axhline(LOG2, color=GREY, linewidth=0.8)
left.set(xlabel="t, the shift", ylabel="JSD (nat)", ylim=(0, 0.75))
right.plot(shifts, w1_box, color="black", label="two boxes or bells: W₁ = t")
right.set(xlabel="t, the shift", ylabel="W₁ (units of x)", ylim=(0, 10.5))
left.legend(frameon=False)
right.legend(frameon=False)
caption = "JSD ends at log 2 = 0.693 (thin line) and stays there. W₁ goes on to measure how far."
show(figure, caption, "Left: JSD rises to 0.69 and is flat from 1 on for boxes, from about 6 for bells. Right: a line.")

# %% [markdown]
# Is that exotic? No. An image has 784 numbers, but G makes them from 64: its fakes lie on a thin sheet, and so do the
# real ones. Two thin sheets in a large space all but never share a place. So between images JSD *is* $\log 2$ as a rule,
# and a D that may learn long enough separates them without error. Lesson 07 meets the consequences; lesson 09 puts
# $W_1$ in JSD's place.
#
# ### Where the measure misleads
#
# An estimate by D is only as good as its samples. Take **one** distribution, $N(0, I)$ in ten dimensions, and draw 100
# "real" and 100 "fake" samples. The exact JSD is 0. Train D on these 200 points and judge it twice, on the very points
# it learns from and on fresh ones. **Predict** both curves.

# %%
x, x_fake = torch.randn(2, 100, 10)
x_fresh, x_fake_fresh = torch.randn(2, 20_000, 10)
D, judged = make_D(10), {"re-used": [], "fresh": []}


@torch.no_grad()
def judge(step):
    """Both estimates by D as it is now."""
    judged["re-used"].append(js_bound(D(x), D(x_fake)).item())
    judged["fresh"].append(js_bound(D(x_fresh), D(x_fake_fresh)).item())


train_D(D, x, x_fake, steps=400, watch=judge)
judge(400)
figure, axes = plt.subplots(figsize=(7, 3.2), layout="constrained")
axes.plot(range(0, 401, 20), judged["re-used"], "-", color=CRITIC, label="judged on re-used samples")
axes.plot(range(0, 401, 20), judged["fresh"], ":", color=CRITIC, linewidth=2, label="judged on fresh samples")
axes.axhline(0, color="black", linewidth=1, label="exact: 0")
axes.axhline(LOG2, color=GREY, linewidth=0.8)
axes.set(xlabel="steps of D", ylabel="estimate of JSD (nat)")
axes.legend(frameon=False, loc="center right")
caption = "The same distribution twice. Re-used samples say log 2, entirely different; fresh ones say below 0."
show(figure, caption, "Two curves from 0: one climbs to 0.69, the other falls far below 0.")
print(f"after 400 steps: re-used {judged['re-used'][-1]:.3f}, fresh {judged['fresh'][-1]:.3f}, exact 0")

# %% [markdown]
# D has learned 200 points by heart. On them it is sure and right, so the estimate is as large as it can be. On fresh
# points it is sure and half the time wrong, so its bound is worthless, but it is still a *bound*: it errs on the low
# side. **Judge on samples that D has not seen**, stop when that estimate is largest, and get more samples.
#
# The claims of this lesson, checked:

# %%
claim("largest gap of V(D*, G) and 2 JSD - 2 log 2 on a grid", identity, at_most=1e-6)
for name, (estimate, exact) in estimates.items():
    claim(f"trained D on fresh samples, {name}: distance from the exact JSD", abs(estimate - exact), at_most=0.03)
claim("trained D along t: largest distance from the exact JSD", track_gap, at_most=0.03)
claim("re-used samples, exact 0: estimate of JSD", judged["re-used"][-1], at_least=0.5)
claim("fresh samples, same D, exact 0: estimate of JSD", judged["fresh"][-1], at_most=0)
claim("disjoint boxes: largest distance of JSD from log 2", js_gap, at_most=1e-4)
claim("disjoint boxes: largest distance of W1 from the shift", w1_gap, at_most=1e-4)
far = [gradients_in_t(t) for t in (9.0, 10.0, 11.0, 12.0)]
claim("largest saturating gradient in t, t from 9 to 12", max(abs(a) for a, _ in far), at_most=1e-4)
claim("smallest non-saturating gradient in t, t from 9 to 12", min(b for _, b in far), at_least=1)
claim("saturating descent from 9: where t ends", ends["saturating", 9.0], at_least=8.9)
claim("non-saturating descent from 9: where t ends", abs(ends["non-saturating", 9.0]), at_most=0.1)
print("Every claim of this lesson holds.")

# %% [markdown]
# ## 8. What breaks, in practice
#
# - *"d_loss measures the JSD of my fakes."* Only if D is the best one. In training D is behind, so $\log 2 - L_D/2$ is
#   a lower bound, and it may fall because D got worse.
# - *"A GAN minimises the Jensen-Shannon divergence."* The min-max game does, against the best D in every step. The
#   non-saturating game, which everybody plays, does not.
# - *"A gradient near 0 means that G is nearly right."* No. It is near 0 at $t = 0$ and at $t = 9$.
# - *"So D must not get too good."* That is the usual cure: few steps of D. It works, and it means that nobody follows
#   the theory. The other cure is a distance without a plateau.
# - *"Any D shows $W_1$ if it is large enough."* No. $V$'s maximum *is* JSD; another distance needs another objective.
#
# ## 9. The library twin
#
# `ganedu.divergences` has what you wrote, for densities on a grid and for samples. `estimate_js` shuffles, splits,
# trains a D on one half and judges on the other, and tells you the re-used number beside the fresh one.

# %%
from ganedu import divergences

p, q = density(hills), density(gaussian(1, 1.5))
print(f"JSD: yours {js(p, q):.6f}, the library's {divergences.js(p, q, DX):.6f}")
D_star = divergences.optimal_discriminator(p, q)
print(f"V(D*, G): yours {2 * js(p, q) - 2 * LOG2:.6f}, the library's {divergences.value(p, q, D_star, DX):.6f}")
print(f"W1: yours {w1(p, q):.6f}, the library's {divergences.wasserstein1_grid(p, q, DX):.6f}")
found = divergences.estimate_js(hills.sample(40_000), gaussian(1, 1.5).sample(40_000))
print(f"JSD from samples: fresh {found.fresh:.4f}, re-used {found.reused:.4f}, exact {js(p, q):.4f}")

# %% [markdown]
# ## Summary
#
# - Against a still G the best D is $p/(p+q)$; its logit is $\log p - \log q$.
# - $V(D^*, G) = 2\,\mathrm{JSD} - 2 \log 2$. So `d_loss` ends between 0 (nothing shared) and $2 \log 2$ (equal).
# - A trained D estimates JSD from samples, from below, and only on samples that it has not seen.
# - Where supports are disjoint JSD is $\log 2$ at every distance and the saturating gradient is 0. The non-saturating one
#   follows $\mathrm{KL}(q\,\|\,p) - 2\,\mathrm{JSD}$ instead. $W_1$ has no plateau.
#
# **Exercises:** [exercise 03](../exercises/03_minmax_and_js.ipynb): the best D, an estimate, one that fools itself, and
# G's gradients measured.
#
# **Where next:** lesson 04 plays the game with digits, where no density is known. Lesson 09 replaces JSD by $W_1$.
