# ---
# jupyter:
#   ganedu:
#     learn: >-
#       the smallest GAN as a field of arrows; oscillation, vanishing gradients, collapse and dropping:
#       provoked, told apart and mended
#     minutes: 110
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
# # 07 Why training fails
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# **Why does the game of G and D so often go wrong, and how do you tell which way it went wrong?**
#
# Paper: Mescheder, Geiger and Nowozin, *Which Training Methods for GANs do actually Converge?*, 2018,
# [arXiv:1801.04406](https://arxiv.org/abs/1801.04406).
#
# You will be able to
#
# - draw the smallest GAN as a field of arrows, and say from two eigenvalues whether it converges, circles or flies apart,
# - name four failures by what you see: oscillation, vanishing gradients, mode collapse, mode dropping,
# - provoke each of them on purpose, and mend it,
# - tell collapse from dropping by precision and recall, and say where these two mislead.
#
# You need lessons 02 to 06. Plan 110 minutes; the computer works for about a minute on one CPU core. The nets are so small
# that a GPU gains next to nothing.

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
from functools import partial

import torch
from matplotlib.figure import Figure
from torch.nn.functional import softplus

from ganedu import regularizers
from ganedu.blocks import mlp
from ganedu.checks import claim
from ganedu.data import digits, grid, ring
from ganedu.losses import minimax, nonsaturating
from ganedu.metrics import classify, digit_features, mode_coverage, prdc_features
from ganedu.models import dirac
from ganedu.models.dcgan import DCGAN
from ganedu.models.vanilla import VanillaGAN
from ganedu.runtime import lesson_seed, seed_all
from ganedu.training import Trainer
from ganedu.views.figure import CRITIC, FAKE, REAL, image_grid, show
from ganedu.views.live import train
from ganedu.views.playground import playground
from ganedu.views.snapshots import browse

SEED = lesson_seed()

# %% [markdown]
# ## 1. The problem, seen
#
# Lesson 02's recipe made numbers that nobody could tell from real ones. Take it to the plane as it is: nets of two hidden
# layers of 32, five D steps a round, Adam at 2e-3; and the losses of the min-max game. The data are eight small heaps of
# points on a ring, its **modes**. `mode_coverage` counts them: a sample is good within three standard deviations of a
# mode, and a mode is covered if 20 good ones of 10,000 samples belong to it.

# %%
data = ring(8)
z_look = torch.randn(10_000, 8, generator=torch.Generator().manual_seed(1))


def make_game(loss, kind=VanillaGAN):
    """A GAN in the plane with lesson 02's nets and its Adam."""
    seed_all(SEED)
    game = kind(mlp([8, 32, 32, 2]), mlp([2, 32, 32, 1]), z_dim=8, loss=loss)
    game.betas = (0.5, 0.99)
    return game


def play(game, n_critic, rounds, lr=2e-3, source=None):
    """Play. Returns looks, one every 50 rounds: (round, 10,000 fakes of the raw G, 10,000 of its average)."""
    looks = []
    settings = {"batch_size": 256, "lr": lr, "n_critic": n_critic, "ema_decay": 0.99, "seed": SEED, "device": "cpu"}
    trainer = Trainer(game, source or data, **settings)
    trainer.add_hook(lambda t: looks.append((t.round, game.G(z_look).detach(), t.G_ema(z_look))), every=50)
    trainer.run(rounds)
    return looks


def missed(x_fake):
    """How many modes of the ring the fakes miss."""
    return 8 - mode_coverage(x_fake, data.means, data.std).covered


# %%
def scatter(axes, x_fake, title, modes=None, size=3.4):
    """1,000 fakes over the modes, those of the ring unless given."""
    axes.scatter(*x_fake[:1000].T, s=3, linewidths=0, color=FAKE, antialiased=False)
    axes.plot(*(data.means if modes is None else modes).T, "+", color=REAL, markersize=9, markeredgewidth=2)
    axes.set(xlim=(-size, size), ylim=(-size, size), aspect="equal", xlabel="x₁", ylabel="x₂")
    axes.set_title(title, fontsize=10)


games = {"5 D steps, min-max": make_game(minimax)}
runs = {name: play(game, n_critic=5, rounds=600) for name, game in games.items()}
figure = Figure(figsize=(10, 2.9), layout="constrained")
for axes, (at, x_fake, _) in zip(figure.subplots(1, 4), runs["5 D steps, min-max"][1::3]):
    scatter(axes, x_fake, f"round {at}: misses {missed(x_fake)}")
caption = "Crosses: the modes. Dots: fakes. From round 250 on hardly anything changes, and most modes are missed."
show(figure, caption, "Four scatter plots: the fakes form an arc that does not reach all of the eight crosses.")

# %% [markdown]
# The run stands still, and it is not done. Is it the loss? The five steps? The rate? In a game of thousands of weights you
# cannot see. So shrink the game until you can: to two weights.
#
# ## 2. The idea: the smallest GAN
#
# The **Dirac-GAN**. All real data are the number 0. G has one weight, $\theta$, and makes the number $\theta$ for every
# latent. D has one weight, $\psi$, and gives the logit $D(x) = \psi x$.
#
# | symbol | what it is | its goal |
# |---|---|---|
# | $\theta$ | G's weight, and the one fake that it makes | 0, where the fake is real |
# | $\psi$ | D's weight, the slope of its logit | 0, where D says 1/2 to everything |
# | $h$, $\gamma$ | the learning rate; the weight of a penalty on D's slope (0 until part 5) | |
#
# The whole game is a point $(\theta, \psi)$ in the plane, and each player pushes it along one axis.
#
# **By hand.** At $\theta = 1, \psi = 1$ D's logit on the fake is $\psi\theta = 1$: "real" with probability $\sigma(1) = 0.731$.
# D's loss rises with $\psi$ at the rate $\sigma(\psi\theta)\,\theta = 0.731$, so $\psi$ is pushed down. G's min-max loss falls
# with $\theta$ at the rate $\sigma(\psi\theta)\,\psi = 0.731$, so $\theta$ is pushed *up*: D still says "larger looks more
# real". With $h = 0.1$ one round leads to $(1.073, 0.927)$. The fake was too large, and it got larger. Hold on to that.
#
# ## 3. Build G and D


# %%
def G(z, theta):
    """(N, any) latents -> (N, 1): the number θ for every latent."""
    return theta.expand(len(z), 1)


def D(x, psi):
    """(N, 1) numbers -> (N, 1) logits ψ x."""
    return psi * x


z, one = torch.zeros(4, 8), torch.ones(())
print(f"z {tuple(z.shape)} -> G -> {tuple(G(z, one).shape)} -> D -> logits {D(G(z, one), one).flatten().tolist()}")

# %% [markdown]
# ## 4. The objective
#
# On real data, $x = 0$, the logit is 0 and D pays $\log 2$ whatever it does. What is left are functions of two numbers:
#
# $$L_D = \log 2 + \mathrm{softplus}(\psi\theta) + \tfrac{\gamma}{2}\,\psi^2 \qquad
# L_G = -\,\mathrm{softplus}(\psi\theta) \;\text{ or, non-saturating, }\; \mathrm{softplus}(-\psi\theta)$$
#
# Descent moves each weight against its own loss' gradient. With $\mathrm{softplus}' = \sigma$, and $+$ for min-max:
#
# $$\dot\theta = -\frac{\partial L_G}{\partial \theta} = \sigma(\pm\psi\theta)\,\psi \qquad
# \dot\psi = -\frac{\partial L_D}{\partial \psi} = -\sigma(\psi\theta)\,\theta - \gamma\psi$$


# %%
def d_loss(theta, psi, r1_gamma=0.0):
    """log 2 + softplus(ψθ) + γ/2 ψ²"""
    return math.log(2) + softplus(psi * theta) + r1_gamma / 2 * psi**2


def g_loss(theta, psi, saturating=True):
    """-softplus(ψθ), or softplus(-ψθ) where not saturating"""
    return -softplus(psi * theta) if saturating else softplus(-psi * theta)


def vector_field(theta, psi, r1_gamma=0.0, saturating=True):
    """(-∂L_G/∂θ, -∂L_D/∂ψ): which way descent moves"""
    of_fake = psi * theta  # D's logit on the fake
    pull = torch.sigmoid(of_fake if saturating else -of_fake)
    return pull * psi, -torch.sigmoid(of_fake) * theta - r1_gamma * psi


theta, psi = torch.randn(2, 100, dtype=torch.float64).requires_grad_()
for saturating in (True, False):  # the formulas against autograd
    (of_theta,) = torch.autograd.grad(g_loss(theta, psi, saturating).sum(), theta)
    (of_psi,) = torch.autograd.grad(d_loss(theta, psi, 0.3).sum(), psi)
    by_hand = torch.stack(vector_field(theta, psi, 0.3, saturating))
    assert torch.allclose(by_hand, -torch.stack([of_theta, of_psi]))
print("one step of 0.1 from (1, 1):", [round(1 + 0.1 * v.item(), 3) for v in vector_field(one, one)])

# %%
theta, psi = torch.meshgrid(*[torch.linspace(-4, 4, 12)] * 2, indexing="xy")
fields = {"min-max": {}, "non-saturating": {"saturating": False}, "min-max, γ = 1": {"r1_gamma": 1.0}}
figure = Figure(figsize=(10, 3.5), layout="constrained")
for axes, (name, settings) in zip(figure.subplots(1, 3, sharey=True), fields.items()):
    way = torch.stack(vector_field(theta, psi, **settings))
    speed = way.norm(dim=0)
    arrows = axes.quiver(theta, psi, *(way / speed), speed, cmap="cividis", clim=(0, 4), scale=19, width=0.008)
    axes.plot(0, 0, "o", color=REAL, markersize=7)
    axes.set(aspect="equal", title=name, xlabel="θ, the fake", ylabel="ψ, D's slope")
figure.colorbar(arrows, label="speed", shrink=0.8)
caption = "Colour is speed. Left: circles, and two corners where nothing moves. Middle: there G moves. Right: friction."
show(figure, caption, "Three fields of arrows around the origin; the first two circle, the third leads inward.")

# %% [markdown]
# ## 5. Predict, then train
#
# Look at the left field. At every point the push is at a right angle to the way home:
# $\theta\dot\theta + \psi\dot\psi = \sigma(\psi\theta)(\theta\psi - \psi\theta) = 0$, so the distance $r$ from the goal never
# changes. But real steps are not infinitely small, and there are two ways to take them. **Simultaneous**: both players
# move from where they both stand. **Alternating**: D moves, then G moves against the D that has moved, as in the loops of
# this course. **Predict** $r$ after 5,000 rounds from 16 starts at $r = 1$: does it shrink, stay or grow
#
# 1. with simultaneous steps of $h = 0.05$?
# 2. with alternating steps, of 0.05 and of 0.2? With the non-saturating loss?
# 3. With the penalty, $\gamma = 1$, $h = 0.1$, taken either way: how many rounds to come within 1 %?


# %%
def simultaneous(theta, psi, step, r1_gamma=0.0, saturating=True):
    """Both move from where they stand."""
    d_theta, d_psi = vector_field(theta, psi, r1_gamma, saturating)
    return theta + step * d_theta, psi + step * d_psi


def alternating(theta, psi, step, r1_gamma=0.0, saturating=True):
    """D moves, then G against the D that has moved."""
    psi = psi + step * vector_field(theta, psi, r1_gamma, saturating)[1]
    return theta + step * vector_field(theta, psi, r1_gamma, saturating)[0], psi


def trajectory(turn, theta, psi, step, rounds, r1_gamma=0.0, saturating=True):
    """(rounds + 1, ..., 2): the points (θ, ψ) of the game, the start first."""
    path = [torch.stack([theta, psi], -1)]
    for _ in range(rounds):
        path.append(torch.stack(turn(*path[-1].unbind(-1), step, r1_gamma, saturating), -1))
    return torch.stack(path)


angle = torch.arange(16, dtype=torch.float64) * (2 * math.pi / 16)
starts = angle.cos(), angle.sin()
paths = {
    "simultaneous, h = 0.05": trajectory(simultaneous, *starts, 0.05, 5000),
    "alternating, h = 0.05": trajectory(alternating, *starts, 0.05, 5000),
    "alternating, h = 0.2": trajectory(alternating, *starts, 0.2, 5000),
    "non-saturating, alternating, h = 0.2": trajectory(alternating, *starts, 0.2, 5000, saturating=False),
    "R1, γ = 1, simultaneous, h = 0.1": trajectory(simultaneous, *starts, 0.1, 5000, r1_gamma=1.0),
    "R1, γ = 1, alternating, h = 0.1": trajectory(alternating, *starts, 0.1, 5000, r1_gamma=1.0),
}

# %%
radius = {name: path.norm(dim=-1) for name, path in paths.items()}  # (5001, 16)
figure = Figure(figsize=(10.5, 3.8), layout="constrained")
left, right = figure.subplots(1, 2, width_ratios=(1, 1.4))
styles = (("-", FAKE), ("-", CRITIC), (":", "k"), ("-", "#CC79A7"), ("--", FAKE), ("--", CRITIC))
for (name, path), (style, colour) in zip(paths.items(), styles):
    if colour in (FAKE, CRITIC):
        left.plot(*path[:1500:2, 0].T, style, color=colour, linewidth=1.3)
    right.loglog(radius[name][1:, 0], style, color=colour, label=name, linewidth=1.5)
    print(f"{name:38} r after 200 rounds {radius[name][200].max():8.2g}, after 5,000 {radius[name][-1].max():8.2g}")
left.plot(1, 0, "ko", markersize=5)
left.set(aspect="equal", xlabel="θ, the fake", ylabel="ψ, D's slope", title="the first 1,500 rounds")
right.set(xlabel="round", ylabel="distance from the goal", ylim=(3e-5, 5), title="5,000 rounds, both axes logarithmic")
right.legend(frameon=False, fontsize=8, loc="lower left")
caption = "From the black dot: simultaneous steps spiral out, alternating ones circle. Dashed: R1 leads both home."
show(figure, caption, "Left: paths around the origin. Right: distances over rounds: one grows, two stay, three fall.")

# %% [markdown]
# Near the goal $\sigma$ is 1/2, and a round is a matrix whose eigenvalues say by what factor it stretches the distance.
#
# $$M_{sim} = \begin{pmatrix} 1 & h/2 \\ -h/2 & 1 - h\gamma \end{pmatrix} \qquad
# M_{alt} = \begin{pmatrix} 1 & h/2 \\ 0 & 1 \end{pmatrix} \begin{pmatrix} 1 & 0 \\ -h/2 & 1 - h\gamma \end{pmatrix}$$
#
# - *Simultaneous*, $\gamma = 0$: $1 \pm ih/2$, of size $\sqrt{1 + h^2/4} > 1$. It flies apart, however small the step.
# - *Alternating*, $\gamma = 0$: size exactly 1 up to $h = 4$. It circles for ever. Smaller steps only circle more slowly.
# - *Non-saturating*: the same matrices. Farther out it drifts inward, ever more slowly: $1/r^2$ grows by about $h/8$ a
#   round, which gives $r = 0.09$ after 5,000 rounds of $h = 0.2$.
# - *With the penalty*, $\gamma = 1$ and $h = 0.1$: at most 0.95 simultaneous, 0.96 alternating. Both ways end at the goal,
#   from every start within 1 % after at most 160 rounds. It is called **R1**: $\frac{\gamma}{2}\mathbb{E}\,\lVert\nabla D(x)\rVert^2$ at the real data. A D that slopes there has to pay. Here
#   $\nabla D = \psi$.
#
# So **oscillation, and losses that swing, are no bug**. Descent does it in any field that circles. Friction stops it.
#
# **Vanishing gradients** are the dark corners of the left field. There $\psi\theta$ is far below 0: D is sure of the fake,
# and right. In the min-max game both pushes have the factor $\sigma(\psi\theta)$, at $(3, -3)$ 0.0001. D is content, G hears
# nothing, and the game stands still at a place that is no equilibrium. How long?

# %%
corner, stay = torch.tensor([3.0, -3.0], dtype=torch.float64), {}
for (name, settings), rounds in zip(fields.items(), (12_000, 100, 100)):
    moved = (trajectory(alternating, *corner, 0.1, rounds, **settings) - corner).norm(dim=-1)
    stay[name] = int((moved < 0.5).sum())
    print(f"{name:15} rounds, of {rounds:,}, spent within 0.5 of the corner: {stay[name]:,}")

# %% [markdown]
# For nearly 9,000 rounds: even the smallest push adds up in the end. The non-saturating loss mends it, as in lesson 04. R1
# does in another way: D may not stay so steep.
#
# ## 6. Explore: choose $\gamma$ with the slider and watch 16 games


# %%
def at_gamma(gamma):
    """Alternating descent with h = 0.1 from 16 starts, 150 rounds."""
    figure = Figure(figsize=(4.4, 4), layout="constrained")
    axes, path = figure.subplots(), trajectory(alternating, 2 * starts[0], 2 * starts[1], 0.1, 150, r1_gamma=gamma)
    axes.plot(path[..., 0], path[..., 1], color=CRITIC, linewidth=0.8)
    axes.plot(path[-1, :, 0], path[-1, :, 1], "o", color=FAKE, markersize=4)
    sizes = torch.linalg.eigvals(dirac.update_matrix(dirac.alternating, 0.1, gamma)).abs()
    axes.set(xlabel="θ", ylabel="ψ", xlim=(-2.6, 2.6), ylim=(-2.6, 2.6), aspect="equal")
    axes.set_title(f"γ = {gamma:g}: sizes of the eigenvalues {sizes[0]:.3f}, {sizes[1]:.3f}", fontsize=10)
    return figure


caption = "150 rounds from 16 starts; dots are the ends. The larger eigenvalue sets the pace."
browse(at_gamma, (0.0, 0.1, 0.3, 1.0, 2.0, 4.0, 8.0), label="γ", start=0.3, caption=caption, alt="Sixteen spirals.")

# %% [markdown]
# **Question 1.** Why is $\gamma = 8$ slower than $\gamma = 1$? **Question 2.** At $\gamma = 0$, does a smaller step help?
#
# <details><summary>Answers</summary>1. One eigenvalue comes back towards 1: D is held so flat that it hardly tells G where
# to go. 2. No. The size is 1 at every step up to 4.</details>
#
# **Back to the ring.** Three suspects and a cure: the saturating loss, the five steps, the raw G instead of its average; and R1.
# Change one at a time. For nets R1 takes the gradient of each sample on its own, over all of its dimensions:
#
# $$L_D + \tfrac{\gamma}{2}\, \mathbb{E}\,\lVert \nabla_x D(x) \rVert^2$$


# %%
def r1(D, x):
    """E ‖∇D(x)‖² over a real batch x of shape (N, ...)"""
    x = x.detach().requires_grad_()
    (gradient,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)  # (N, ...): each sample's own
    return gradient.flatten(1).square().sum(1).mean()


class WithR1(VanillaGAN):
    """The same game with friction."""

    r1_gamma = 0.5

    def d_loss(self, x, z):
        """-E[log D(x)] - E[log(1 - D(G(z)))] + γ/2 E ‖∇D(x)‖²"""
        return super().d_loss(x, z) + self.r1_gamma / 2 * r1(self.D, x)


for name, loss, kind, n_critic, rounds in (
    ("5 D steps, non-saturating", nonsaturating, VanillaGAN, 5, 600),
    ("1 D step, min-max", minimax, VanillaGAN, 1, 1000),
    ("5 D steps, min-max, R1", minimax, WithR1, 5, 800),
):
    games[name] = make_game(loss, kind)
    runs[name] = play(games[name], n_critic, rounds)

# %%
figure, lost, sure, raw, ema = Figure(figsize=(10.5, 5.7), layout="constrained"), {}, {}, 1, 2
for column, (name, looks) in zip(figure.subplots(2, 4).T, runs.items()):
    for axes, which, title in zip(column, (raw, ema), (name, "its average (EMA)")):
        lost[name, which] = sum(missed(look[which]) for look in looks[-5:]) / 5
        scatter(axes, looks[-1][which], f"{title}\nmisses {lost[name, which]:.1f}")
    sure[name] = (games[name].D(looks[-1][raw]).sigmoid() < 0.01).double().mean().item()
    print(f"{name:26} D gives less than 0.01 to {sure[name]:.0%} of the fakes")
caption = "The ends of four runs, above the raw G, below its average. Misses: the mean over the last five looks."
show(figure, caption, "Eight scatter plots: five D steps miss modes; with one step, or with R1, a closed ring appears.")

# %% [markdown]
# - *The loss* is not the culprit: with the non-saturating one, five D steps miss modes as well.
# - *One D step* closes the ring. So does *R1*, with all five steps.
# - *The average* does nothing for a run that stands still. Where G circles, it misses 0.0 for G's 1.2, but lags by 100 rounds.
#
# Why five steps fail: D is far ahead. To most fakes the min-max loss gives no push (the printed share): the corner of the
# field. The other loss pushes, but only where fakes are, and over the empty modes there is none to feel D's slope. R1
# makes D pay for slope at the data, so it cannot run as far ahead. These are findings on this recipe, not laws. Many different outputs, but parts of the data
# never made: that is **mode dropping**.
#
# **The other extreme**: D learns at a tenth of G's rate. And **the grid of 25**, with one D step and equal rates.

# %%
looks = runs["slow D"] = play(make_game(nonsaturating), n_critic=1, rounds=600, lr={"D": 2e-4, "G": 2e-3})
width = torch.stack([look[raw].std(0).mean() for look in looks[-6:]]) / data.sample(10_000).std(0).mean()
spread = width.median().item()  # now and then the heap leaps, and is wide on its way
lattice = grid()
x_grid = play(make_game(nonsaturating), n_critic=1, rounds=500, source=lattice)[-1][raw]
of_grid = mode_coverage(x_grid, lattice.means, lattice.std)
near = torch.bincount(torch.cdist(x_grid, lattice.means).argmin(1), minlength=25) / len(x_grid)
figure = Figure(figsize=(10.5, 2.9), layout="constrained")
panels = figure.subplots(1, 4)
for axes, look, which in zip(panels, (looks[-3], looks[-1], looks[-1]), (raw, raw, ema)):
    scatter(axes, look[which], f"slow D, round {look[0]}, {'raw G' if which == raw else 'average'}")
scatter(panels[3], x_grid, f"grid: covers {of_grid.covered} of 25", lattice.means, size=6.5)
caption = "Slow D: one heap, each time elsewhere; its average lies off the data. Grid: fakes everywhere, few on a mode."
show(figure, caption, "Three scatter plots of one small heap on a ring, and one of a cloud over a grid of crosses.")
print(f"slow D: median spread {spread:.2f} of the data's. Grid: around each mode at least {near.min():.1%}")

# %% [markdown]
# With a slow D all fakes move to the one place that D likes best: against a D that stands still, one point *is* G's best
# answer. Then D notices, and they move on together. That is **mode collapse**: few outputs, whatever the latent; and it is
# the circling of the Dirac-GAN, seen in the plane. An average over time lies between the places, off the data. The cure is
# the opposite of the one above: D must learn *faster*. On the grid nothing collapses and nothing is dropped: the fakes are
# not exact enough to count. One number cannot tell "never there" from "there, but not exact". Part 7 takes two. (Lesson 10
# covers them.)
#
# **Now you.** Provoke each failure, then mend it while it plays; say first what you expect. Run the cell anew for each row.
#
# | failure | provoke, then Play | see | mend |
# |---|---|---|---|
# | dropping | `minimax`, 5 D steps | an arc that no longer grows | R1, γ = 1, and 800 rounds |
# | collapse | `nonsaturating`, 1 D step, D's rate 0.0002 | one heap that wanders | D's rate 0.005 |
# | vanishing gradients | `minimax`, 10 D steps, G's rate 1e-05 | arrows shrink to nothing | `nonsaturating`: they are back |
# | oscillation | `wasserstein`, 1 D step | losses swing, the heap runs around | R1, γ = 1 |
#
# (Adam steps as far along a tiny gradient as along a large one, so row 3 holds G back by its rate. Arrows show gradients.)

# %%
seed_all(SEED)
G_yours, D_yours = mlp([8, 32, 32, 2]), mlp([2, 32, 32, 1])
yours = playground(G_yours, D_yours, data=data, z_dim=8, batch_size=256, lr=2e-3, n_critic=5, rounds=250)

# %% [markdown]
# ## 7. Measure it
#
# Pictures have no list of modes to count. Two shares speak of both sides. **Precision**: the share of the fakes that lie
# near a real sample. **Recall**: the share of the real samples that lie near a fake. *Near a sample* means in its ball,
# as large as the distance to its fifth neighbour of its own kind. Which of the two falls in collapse, which in dropping?


# %%
def precision_recall(real, fake, k=5):
    """(M,) booleans: which fakes lie in a real ball; (N,) booleans: which real samples lie in a fake's ball."""
    exact = partial(torch.cdist, compute_mode="donot_use_mm_for_euclid_dist")
    real_radius, fake_radius = (exact(x, x).topk(k + 1, largest=False).values[:, -1] for x in (real, fake))
    distance = exact(real, fake)  # (N, M)
    return (distance <= real_radius[:, None]).any(0).double(), (distance <= fake_radius).any(1).double()


x, heaps = data.sample_labelled(2000)
for name, looks in runs.items():
    good, reached = precision_recall(x, looks[-1][raw][:2000])
    by_mode = " ".join(f"{reached[heaps == mode].mean():.1f}" for mode in range(8))
    print(f"{name:26} precision {good.mean():.2f}, recall {reached.mean():.2f}; recall by mode {by_mode}")

# %% [markdown]
# Now digits: an honest game with lesson 06's nets, and three failures. One **drops** 5 to 9: it is the same G, and what the
# classifier reads as such is thrown away. One **collapsed**: the same G with all latents close to one. So you know the
# truth about both. The third collapsed by itself: lesson 04's nets and a D that learns at a twentieth of G's rate.

# %%
seed_all(SEED)
images = digits("train")
trainer = Trainer(DCGAN(), images, batch_size=32, lr=1e-3, ema_decay=0.995, seed=SEED)
run = train(trainer, rounds=600)

# %%
run.wait()
order = torch.randperm(len(images), generator=torch.Generator().manual_seed(0))[:4000]
x_real, other_real = images.all()[order].cpu().split(2000)
labels = images.labels[order[:2000]].cpu()
many = trainer.sample(5000).cpu()
read = classify(many)
candidates = trainer.game.sample_z(64)
best = torch.cdist(digit_features(trainer.sample(64, z=candidates)), digit_features(x_real)).min(1).values.argmin()
near_one = candidates[best] + 0.05 * trainer.game.sample_z(2000)
seed_all(SEED)
slow = Trainer(VanillaGAN(), images, batch_size=64, lr={"D": 5e-5, "G": 1e-3}, ema_decay=0.9, seed=SEED)
slow.run(200)
samples = {"real": other_real, "the GAN": many[:2000], "drops 5 to 9": many[read < 5][:2000],
           "collapsed": trainer.sample(2000, z=near_one).cpu(), "slow D": slow.sample(2000).cpu()}  # fmt: skip
caption = "Twelve samples each. A glance tells collapse. No single image tells you that a generator drops."
show(image_grid({name: x[:12] for name, x in samples.items() if name != "real"}, columns=3), caption,
     "Four grids: mixed digits; what the classifier reads as 0 to 4; twelve times nearly one image; blots.")  # fmt: skip

# %%
directions = torch.pca_lowrank(x_real.flatten(1), 50, niter=4)[2]  # (784, 50)
spaces = {"classifier": digit_features, "pixels": lambda x: x.flatten(1) @ directions}
precision, recall, by_digit = {}, {}, {}
figure = Figure(figsize=(10.5, 3), layout="constrained")
panels = figure.subplots(1, 2)
for axes, (space, embed) in zip(panels, spaces.items()):
    for name, x in samples.items():
        good, reached = precision_recall(embed(x_real), embed(x))
        precision[name, space], recall[name, space] = good.mean().item(), reached.mean().item()
        by_digit[name, space] = [reached[labels == digit].mean().item() for digit in range(10)]
        print(f"{space:10} {name:13} precision {precision[name, space]:.2f}, recall {recall[name, space]:.2f}")
    table = axes.imshow([by_digit[name, space] for name in samples], cmap="cividis", vmin=0, vmax=1, aspect="auto")
    axes.set(xticks=range(10), yticks=range(5), yticklabels=samples, xlabel="digit", title=f"by the {space}")
figure.colorbar(table, ax=panels, label="recall of the digit")
share, rarest = torch.bincount(read, minlength=10).div(len(read)).min(0)
print(f"the GAN's rarest digit: {share:.1%} of its samples, recall {by_digit['the GAN', 'classifier'][rarest]:.2f}")
caption = "Left: dropping loses some digits, collapse loses all. Right: in plain pixels, dropping does not show."
show(figure, caption, "Two tables of recall: five generators by ten digits.")

# %% [markdown]
# **Dropping**: precision as before; recall lost, on exactly the digits 5 to 9. **Collapse**: no recall on any digit. Its
# precision says nothing: 1 where the one image is good (by single images it is the best of all), 0.02 where it is a blot.
#
# ### Where the measure misleads
#
# 1. *The features decide.* In plain pixels dropping costs little recall, 0.64 for 0.68: a 4 there is near a 9. And the blots
#    have precision 1: fifty directions do not see grain. The classifier is no neutral judge either: it did the throwing away.
# 2. *Recall asks whether, not how often.* The honest GAN's rarest digit is far below its fair 10 %, and its recall is high: few
#    samples, far apart, have large balls. On the ring, scattered fakes gain recall in the same way (first row). Count where
#    you can. Lesson 12 meets two sturdier measures.
#
# The claims of this lesson, checked. Radii are the worst of 16 starts.

# %%
claim("simultaneous, step 0.05: radius after 5,000 rounds", radius["simultaneous, h = 0.05"][-1].min(), at_least=1.5)
for h in (0.05, 0.2):
    strayed = (radius[f"alternating, h = {h}"] - 1).abs().max()
    claim(f"alternating, step {h}: largest change of the radius in 5,000 rounds", strayed, at_most=0.06)
for way in ("simultaneous", "alternating"):
    r = radius[f"R1, γ = 1, {way}, h = 0.1"][200].max()
    claim(f"R1, gamma 1, step 0.1, {way}: radius after 200 rounds", r, at_most=0.01)
r = radius["non-saturating, alternating, h = 0.2"][-1].min()
claim("non-saturating, no penalty: radius after 5,000 rounds", r, at_least=0.05)
claim("min-max: rounds spent in the corner", stay["min-max"], at_least=5000)
claim("5 D steps, min-max, raw G: modes missed", lost["5 D steps, min-max", raw], at_least=2)
claim("5 D steps, min-max, average of G: modes missed", lost["5 D steps, min-max", ema], at_least=2)
claim("5 D steps, min-max: share of the fakes that D gives less than 0.01", sure["5 D steps, min-max"], at_least=0.3)
claim("5 D steps, non-saturating, raw G: modes missed", lost["5 D steps, non-saturating", raw], at_least=1)
claim("1 D step, min-max, raw G: modes missed", lost["1 D step, min-max", raw], at_most=3)
claim("5 D steps, min-max, R1, raw G: modes missed", lost["5 D steps, min-max, R1", raw], at_most=3)
claim("slow D: median spread of the fakes in six looks, as a share of the data's", spread, at_most=0.6)
claim("grid: modes covered", of_grid.covered, at_most=12)
claim("grid: share of the fakes nearest to the mode that has fewest", near.min(), at_least=0.004)

# %%
whole, part = ("the GAN", "classifier"), ("drops 5 to 9", "classifier")
claim("dropping: precision as a share of the whole GAN's", precision[part] / precision[whole], at_least=0.8)
claim("dropping: recall as a share of the whole GAN's", recall[part] / recall[whole], at_most=0.8)
claim("dropping: largest recall of a dropped digit", max(by_digit[part][5:]), at_most=0.3)
for name in ("collapsed", "slow D"):
    claim(f"collapse ({name}): recall", recall[name, "classifier"], at_most=0.05)
claim("share of the honest GAN's rarest digit", share, at_most=0.05)

# %% [markdown]
# ## 8. What breaks, in practice
#
# - *"A smaller learning rate cures oscillation."* No: it circles as far out, only later.
# - *"D should be nearly optimal, so more D steps help."* No: five steps did worse than one. A slow D is as bad.
# - *"Averaging weights repairs a run."* It calms a G that circles, does nothing for one that stands, blurs one that flees.
# - *"Collapse and dropping are one thing."* Few outputs, or missing parts. Recall by class tells which.
#
# **The library's twin.** `ganedu.models.dirac` has this lesson's descent, `ganedu.regularizers` R1, `ganedu.metrics.prdc` the
# two shares and their sturdier relatives. Equal:

# %%
theirs = dirac.trajectory(dirac.alternating, *starts, 0.1, 100, r1_gamma=0.3, saturating=False)
assert torch.equal(trajectory(alternating, *starts, 0.1, 100, r1_gamma=0.3, saturating=False), theirs)
D_ring, x = games["5 D steps, min-max"].D, data.sample(64)
assert torch.equal(r1(D_ring, x), regularizers.r1(D_ring, x))
twin = prdc_features(digit_features(x_real), digit_features(samples["the GAN"]))
assert (twin.precision, twin.recall) == (precision[whole], recall[whole])
print("equal;", twin)

# %% [markdown]
# ## Summary
#
# - The game's field circles. Simultaneous steps fly apart, alternating ones circle, R1 adds friction.
# - A sure D and a saturating loss leave G without a gradient: the game stops where no equilibrium is.
# - Collapse: few outputs, from a G that outruns D. Dropping: parts of the data never made, here from a D too far ahead.
# - Precision falls where quality is lost, recall where diversity is. Both depend on the features, and neither counts how often.
#
# **Exercises:** [exercise 07](../exercises/07_why_training_fails.ipynb): a round of the Dirac-GAN, predictions, a penalty to
# repair, and a judge that names the failure. Ungraded: from which γ on do steps of 0.1 fly apart?
#
# **Where next:** lessons 08 to 10 change the loss and the penalty, 11 puts the cures together, 12 takes the measures apart.
