# ---
# jupyter:
#   ganedu:
#     learn: >-
#       hinge, R1, spectral norm, two time scales, averages, relativistic losses, DiffAugment, R3GAN: what each
#       one mends
#     minutes: 110
#     cpu: 2 min
#     gpu: less
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
# # 11 The modern toolbox
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# **A run goes wrong. Which tool do you reach for, and how do you know that it did the job?** Eight tools that today's GANs
# are built from, each with the failure that it mends, its formula, a few lines of code, and one measurement.
#
# Paper: Huang, Gokaslan, Kuleshov and Tompkin, *The GAN is dead; long live the GAN! A Modern GAN Baseline*, 2024,
# [arXiv:2501.05441](https://arxiv.org/abs/2501.05441), which keeps three of them. Each other tool has its paper in the
# table of part 2.
#
# You will be able to
#
# - name for each of eight tools the failure that it mends, and the sign by which you see that failure,
# - write spectral norm, the hinge and the relativistic loss, an average of weights, and DiffAugment, each in a few lines,
# - see that D learns its images by heart, and train on 500 images nevertheless,
# - put R3GAN's recipe together, and say which of its parts does what.
#
# You need lessons 06, 07 and 10. Plan 110 minutes; the computer works for about one and a half of them on one CPU core. On
# a GPU the same runs take less than a minute.

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
import copy
import json
import math
from importlib.resources import files

import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn.functional import normalize, pad, relu, softplus
from torch.nn.utils import parametrize

from ganedu.blocks import mlp
from ganedu.checks import claim
from ganedu.data import digits, grid, ring
from ganedu.gan import GAN
from ganedu.metrics import digit_features, frechet_features, mode_coverage
from ganedu.models import dcgan, r3gan, sngan, vanilla, wgan_gp
from ganedu.publishing import load_published
from ganedu.regularizers import r1
from ganedu.runtime import lesson_seed, seed_all
from ganedu.training import Trainer, evaluating
from ganedu.views.figure import CRITIC, FAKE, REAL, image_grid, show
from ganedu.views.live import train
from ganedu.views.snapshots import browse

SEED = lesson_seed()
seed_all(SEED)
GREY = "#555555"

# %% [markdown]
# ## 1. The problem, seen
#
# Ten lessons, and each game failed in its own way. One failure is still missing, and you meet it first: **few images**.
# Lesson 06's G, narrow, plays against lesson 04's D with its half a million weights, on 500 digits in place of 4,000. As
# they train, FID-d is measured against 3,500 digits that nobody trains on, and D's mean output on its own 500 and on others.

# %%
data = digits("train")
few = data.subset(slice(None, None, 8))  # 500 digits, 50 of each
held_back = data.subset(torch.arange(len(data)) % 8 != 0).all()  # 3,500 that nobody trains on
real_features = digit_features(held_back)
z_look = torch.randn(2000, 64, generator=torch.Generator().manual_seed(7))


def fid_d(G):
    """FID-d of 2,000 samples of ``G``, against the 3,500 digits that are held back."""
    with evaluating(G):
        x_fake = torch.cat([G(z) for z in z_look.to(next(G.parameters()).device).split(500)])
    return frechet_features(real_features, digit_features(x_fake.clamp(-1, 1).cpu()))


def few_images(game):
    """A trainer for ``game`` on the 500 digits, and the FID-d of its averaged G by round."""
    trainer = Trainer(game, few, batch_size=32, lr=1e-3, ema_decay=0.99, seed=SEED)
    looks = {}
    trainer.add_hook(lambda trainer: looks.update({trainer.round: fid_d(trainer.G_ema)}), every=100)
    return trainer, looks


seed_all(SEED)
plain, plain_looks = few_images(vanilla.VanillaGAN(dcgan.Generator(width=8), vanilla.Discriminator(), z_dim=64))
plain.run(400)

# %% [markdown]
# You have played 400 rounds. What comes later takes longer than a lesson may: `benchmarks/toolbox.py` played the same game for
# 4,800 rounds, three times, and its numbers are stored in the package.

# %%
stored = json.loads((files("ganedu.results") / "toolbox.json").read_text(encoding="utf-8"))["runs"]


def long_runs(name):
    """(seed, look, column) of the stored runs; columns: round, FID-d, D on its own 500, on those held back, on fakes."""
    return torch.tensor([run["looks"] for run in stored if run["name"] == name], dtype=torch.float64)


runs = long_runs("plain")
figure = Figure(figsize=(9, 2.8), layout="constrained")
left, right = figure.subplots(1, 2)
left.plot(runs[0, :, 0], runs[:, :, 1].T, color=FAKE, alpha=0.6)
left.plot(list(plain_looks), list(plain_looks.values()), "o", color="black", markersize=4, label="yours")
lines = (("its own 500", "-", REAL), ("held back", "--", REAL), ("fakes", "-", FAKE))
for column, (label, style, colour) in enumerate(lines, start=2):
    right.plot(runs[0, :, 0], runs.mean(0)[:, column], style, color=colour, label=label)
left.set(xlabel="round", ylabel="FID-d of the averaged G", ylim=(0, 350))
right.set(xlabel="round", ylabel="D's mean output")
left.legend(frameon=False, fontsize=8)
right.legend(frameon=False, fontsize=8)
caption = "Left: three long runs, and yours. Right: the solid and the dashed green line are both real digits."
show(figure, caption, "Left: FID-d falls, then climbs. Right: D's output on its own digits leaves the other behind.")

# %% [markdown]
# Right: the two green lines should be one, for both are real digits. They part: **D learns its 500 by heart**. It tells G
# more and more about these, and less and less about digits. Left: FID-d stops falling, and climbs.
#
# ## 2. The idea: a tool for each failure
#
# | the failure | its sign | the tool | what it does | paper |
# |---|---|---|---|---|
# | D gains by being ever surer of what it knows | outputs grow without end | **hinge** | $\max(0, 1 - D(x))$: beyond its margin a sample counts no more | [1705.02894](https://arxiv.org/abs/1705.02894) |
# | D is steep where the real data are; G circles (lesson 07) | losses swing | **R1** | $+ \frac{\gamma}{2} \mathbb{E} \lVert \nabla D(x) \rVert^2$ | [1801.04406](https://arxiv.org/abs/1801.04406) |
# | D may be steep anywhere (lessons 09, 10) | G's gradient explodes | **spectral norm** | $W / \sigma(W)$ in every layer of D | [1802.05957](https://arxiv.org/abs/1802.05957) |
# | D lags behind G (lesson 07's slow D); five D steps cost | one heap that wanders | **TTUR**: two time scales | a learning rate for each player, D's larger | [1706.08500](https://arxiv.org/abs/1706.08500) |
# | G never rests | FID-d jumps | **EMA** | $w_{ema} \leftarrow d\,w_{ema} + (1 - d)\,w$ | [1806.04498](https://arxiv.org/abs/1806.04498) |
# | each fake has to please D on its own (lesson 07) | modes are dropped | **relativistic loss** | compares pairs: $D(x) - D(G(z))$ | [1807.00734](https://arxiv.org/abs/1807.00734) |
# | D knows its few images by heart | D's lines part | **DiffAugment** | D sees $T(x)$ and $T(G(z))$ only, $T$ random | [2006.10738](https://arxiv.org/abs/2006.10738) |
# | a pile of tricks that nobody understands | | **R3GAN's recipe** | relativistic, R1 on real *and* fake, nothing else | [2501.05441](https://arxiv.org/abs/2501.05441) |
#
# **By hand.**
#
# - *Hinge.* Of one real sample D says 0.4, of another 3: costs 0.6 and 0, slopes -1 and 0. D has nothing to gain from the
#   second one. Cross-entropy goes on paying, if ever less: slope -0.05 at 3.
# - *Relativistic.* D says 5 of a real digit and 3 of a fake. Cross-entropy asks of the fake alone, "real?", and is content:
#   G's slope is $\sigma(3) - 1 = -0.05$. The pair asks "more real than the other?" No: $-\sigma(5 - 3) = -0.88$.
# - *R1.* $D(x) = 3x_1 - 4x_2$ has the gradient (3, -4) everywhere: R1 is $9 + 16 = 25$. *EMA.* With $d = 0.995$ today's
#   share is halved after $\log \frac12 / \log 0.995 = 138$ rounds.
# - *Power iteration*, which finds $\sigma(W)$, the largest factor by which $W$ stretches a vector: take
#   $v \leftarrow W^\top u$, $u \leftarrow W v$, each divided by its length, and $\sigma \approx u^\top W v$. For
#   $W = \mathrm{diag}(3, 1)$ and $u = (1, 1)$: $v = (3, 1)/\sqrt{10}$, $u = (9, 1)/\sqrt{82}$, $\sigma \approx 82/\sqrt{820} = 2.86$.
#   A second step gives 2.998. Each step favours the longer direction by another factor of $3^2$.
#
# ## 3. Build G and D
#
# G is lesson 04's. D is a stack of three linear layers, with **spectral norm** on each. If no layer stretches by more than 1,
# and LeakyReLU does not stretch either, D's slope is at most 1 *everywhere*: a bound by construction, where lesson 10's
# penalty draws the slope towards 1 at sampled points, at the cost of a second derivative. Power iteration would be slow if it
# began anew in every round. But weights move little between two rounds. So $u$ is kept, and **one step a pass** is enough.


# %%
class SpectralNorm(nn.Module):
    """W -> W / σ(W), σ by power iteration: one step a pass in training mode, from the u of the last pass."""

    def __init__(self, n_out):
        super().__init__()
        self.register_buffer("u", normalize(torch.randn(n_out), dim=0))

    def forward(self, weight):
        W, u = weight.flatten(1), self.u  # a convolution's weight as a matrix: (n_out, n_in · height · width)
        with torch.no_grad():  # u and v are constants of the loss
            v = normalize(W.T @ u, dim=0)
            u = normalize(W @ v, dim=0)
            if self.training:
                self.u.copy_(u)
        return weight / (u @ W @ v)


class Critic(nn.Sequential):
    """(N, 1, 28, 28) images -> (N, 1) scores, with a slope of at most 1."""

    def __init__(self):
        super().__init__(nn.Flatten(), *mlp([784, 512, 256, 1], lambda: nn.LeakyReLU(0.2)))
        for layer in self:
            if isinstance(layer, nn.Linear):
                parametrize.register_parametrization(layer, "weight", SpectralNorm(layer.out_features))


D = Critic()
print(f"D: {tuple(few.all().shape)} -> {tuple(D(few.all()).shape)}")

# %% [markdown]
# ## 4. The objective
#
# Two games. **SNGAN** (Miyato et al. 2018, [1802.05957](https://arxiv.org/abs/1802.05957)) is the hinge loss with spectral norm:
#
# $$L_D = \mathbb{E}[\max(0, 1 - D(x))] + \mathbb{E}[\max(0, 1 + D(G(z)))] \qquad L_G = -\mathbb{E}[D(G(z))]$$
#
# **R3GAN** compares pairs and penalises D's slope at both kinds of images. Nets and optimiser are kept as plain as can be:
# no normalisation anywhere, no momentum.
#
# $$L_D = -\mathbb{E}[\log \sigma(D(x) - D(G(z)))] + \tfrac{\gamma}{2} \mathbb{E}\lVert\nabla D(x)\rVert^2 + \tfrac{\gamma}{2} \mathbb{E}\lVert\nabla D(G(z))\rVert^2
# \qquad L_G = -\mathbb{E}[\log \sigma(D(G(z)) - D(x))]$$


# %%
class SNGAN(GAN):
    """Hinge loss; D has spectral norm."""

    n_critic, betas, lr = 5, (0.0, 0.9), 1e-3

    def d_loss(self, x, z):
        """E[max(0, 1 - D(x))] + E[max(0, 1 + D(G(z)))]"""
        return relu(1 - self.D(x)).mean() + relu(1 + self.D(self.G(z).detach())).mean()

    def g_loss(self, x, z):
        """-E[D(G(z))]"""
        return -self.D(self.G(z)).mean()


class R3GAN(GAN):
    """Relativistic, R1 and R2; ``r1_gamma`` is γ."""

    betas, r1_gamma, lr = (0.0, 0.99), 1.0, 1e-3

    def d_loss(self, x, z):
        """-E[log σ(D(x) - D(G(z)))] + γ/2 (E‖∇D(x)‖² + E‖∇D(G(z))‖²)"""
        x_fake = self.G(z).detach()
        penalty = r1(self.D, x) + r1(self.D, x_fake)  # lesson 07's r1; at fakes it is called R2
        return softplus(self.D(x_fake) - self.D(x)).mean() + self.r1_gamma / 2 * penalty

    def g_loss(self, x, z):
        """-E[log σ(D(G(z)) - D(x))]"""
        return softplus(self.D(x) - self.D(self.G(z))).mean()


# %% [markdown]
# Add 100 to every output of D, and the relativistic losses stay: only differences count. G is not done when D says "real" to
# its fakes, but when they look as real as the data. No fake can rest on a spot that D likes, far from the data.
#
# ## 5. Predict, then train
#
# First the game with spectral norm, on all 4,000 digits. Watch it live.

# %%
seed_all(SEED)
game = SNGAN(vanilla.Generator(), Critic(), z_dim=64)
sn_run = train(Trainer(game, data, batch_size=32, lr=1e-3, n_critic=1, ema_decay=0.98, seed=SEED), rounds=300)

# %% [markdown]
# **Did spectral norm keep its word?** Power iteration as such: from a random start, how far off is $\sigma$ after $k$ steps,
# on weights as drawn and as trained? Then the $u$ that was kept, one step a pass. Last, D's slope.

# %%
sn_run.wait()


def sigma(W, steps):
    """σ(W) by power iteration from a random start, after each step: (steps,)."""
    u, found = torch.randn(len(W), generator=torch.Generator().manual_seed(SEED)), []
    for _ in range(steps):
        v = normalize(W.T @ u, dim=0)
        u = normalize(W @ v, dim=0)
        found.append((u @ W @ v).item())
    return torch.tensor(found)


# %%
trained = copy.deepcopy(game.D).cpu().eval()
figure = Figure(figsize=(6.5, 2.8), layout="constrained")
axes, off = figure.subplots(), {}
for name, D, style, colour in (("as drawn", Critic(), "--", GREY), ("as trained", trained, "-", CRITIC)):
    for i in (0, 1):
        W = D[1 + 2 * i].parametrizations.weight.original.detach()  # as it stands before the division
        off[name, i] = (1 - sigma(W, 200) / torch.linalg.matrix_norm(W, 2)).abs().clamp(min=1e-7)
        axes.semilogy(range(1, 201), off[name, i], style, color=colour, linewidth=2 - i, label=f"{name}, layer {i + 1}")
axes.axhline(0.01, color="black", linewidth=0.7)
axes.set(xlabel="steps", ylabel="σ is off by a share of")
axes.legend(frameon=False, fontsize=8, ncols=2)
show(figure, "The black line is 1 %.", "Four falling curves: the error of power iteration, on a logarithmic scale.")
kept = [torch.linalg.matrix_norm(m.weight.detach(), 2).item() for m in trained if isinstance(m, nn.Linear)]
x = torch.cat([held_back[:500], sn_run.trainer.sample(500).cpu()]).requires_grad_()
slope = torch.autograd.grad(trained(x).sum(), x)[0].flatten(1).norm(dim=1).max().item()
print("u kept, one step a pass, norm of each layer: " + ", ".join(f"{norm:.4f}" for norm in kept))
print(f"D's steepest slope at 500 real images and 500 fakes: {slope:.3f}")

# %% [markdown]
# From a random start 1 % takes two dozen steps on weights as drawn and about ten on trained ones, whose first singular value
# stands out. With $u$ kept, one step a pass does. (Not always: with 4e-3 for D we saw a layer 7 % off.) D's slope stays far
# below 1, a product of worst cases: hardly a direction is the worst for all three layers.
#
# **Two clocks.** WGAN-GP's paper gives D five steps for G's one, and each has to be computed. TTUR (Heusel et al. 2017) gives D
# one step, but a larger learning rate. Play WGAN-GP on lesson 07's ring with four clocks, each for 1,200 updates, D's and G's
# together: five steps and one, at 1e-3; one and one at 1e-3 (*equal rates*); D at 4e-3, G at 1e-3 (*TTUR*); both at 4e-3
# (*both fast*). Each is judged twice, by the average of its G and by G as it stands. **Predict** the order, for both.

# %%
modes, z_plane = ring(8), torch.randn(10_000, 2, generator=torch.Generator().manual_seed(1))
CLOCKS = {"five steps": (5, 1e-3, 1e-3, 200), "equal rates": (1, 1e-3, 1e-3, 600)}
CLOCKS |= {"TTUR": (1, 4e-3, 1e-3, 600), "both fast": (1, 4e-3, 4e-3, 600)}


def on_the_ring(name):
    """Play with this clock: 10,000 samples of the averaged G, and of G as it stands."""
    n_critic, lr_d, lr_g, rounds = CLOCKS[name]
    seed_all(SEED)
    game = wgan_gp.WGANGP(mlp([2, 64, 64, 64, 2]), mlp([2, 64, 64, 64, 1]), z_dim=2)
    game.gp_weight, rates = 1.0, {"D": lr_d, "G": lr_g}
    trainer = Trainer(game, modes, batch_size=128, lr=rates, n_critic=n_critic, ema_decay=0.98, seed=SEED, device="cpu")
    trainer.run(rounds)
    return trainer.sample(10_000, z=z_plane), game.G(z_plane).detach()


def cloud(axes, x_fake, data, title):
    """Fakes over the modes of ``data``, the share of good ones in the title; returns the coverage."""
    found = mode_coverage(x_fake, data.means, data.std)
    axes.scatter(*x_fake[:3000].T, s=1.5, color=FAKE, alpha=0.5)
    axes.plot(*data.means.T, "+", color=REAL, markersize=9, markeredgewidth=2)
    far = 1.35 * data.means.abs().max()
    axes.set(xlim=(-far, far), ylim=(-far, far), aspect="equal", xlabel="x₁", ylabel="x₂")
    axes.set_title(f"{title}\n{found.covered} of {found.modes}, {found.good:.0%} good", fontsize=9)
    return found


# %%
figure, clocks = Figure(figsize=(9, 4.6), layout="constrained"), {}
for name, column in zip(CLOCKS, figure.subplots(2, 4).T):
    for axes, kind, x_fake in zip(column, ("average", "raw"), on_the_ring(name)):
        clocks[name, kind] = cloud(axes, x_fake, modes, f"{name}, {kind}")
caption = "Above, samples of the averaged G. Below, of G as it stands."
show(figure, caption, "Two rows of four scatter plots of fakes over a ring of eight crosses.")

# %% [markdown]
# Above: of the first three clocks TTUR is well ahead, at the same number of updates, of which fewer are D's costly ones than
# with five steps. Both fast is best of all. Below the lead is gone: no clock's G is any good as it stands, and that very one
# covers hardly a mode! It swings faster than it settles, and only its average is of use. A fast G needs the next tool.
#
# **An average for G.** After each round $w_{ema} \leftarrow d\,w_{ema} + (1 - d)\,w$, with smaller $d$ early on, so that the
# first, random weights are soon forgotten; batch norm's running statistics are averaged too. Put it into a number on the
# digits, in lesson 04's game with nets of half the width.


# %%
class Average:
    """The average of a net's weights. ``module`` is a copy of the net, in eval mode."""

    def __init__(self, net, decay):
        self.net, self.decay, self.updates = net, decay, 0
        self.module = copy.deepcopy(net).eval().requires_grad_(False)

    @torch.no_grad()
    def update(self, *_):
        d = min(self.decay, (1 + self.updates) / (10 + self.updates))
        self.updates += 1
        for average, w in zip(self.module.state_dict().values(), self.net.state_dict().values()):
            if w.is_floating_point():
                average.lerp_(w, 1 - d)  # average + (1 - d) (w - average), in place
            else:
                average.copy_(w)  # batch norm's counter


seed_all(SEED)
half = vanilla.VanillaGAN(vanilla.Generator(widths=(128, 256)), vanilla.Discriminator(widths=(256, 128)))
restless = Trainer(half, data, batch_size=32, lr=1e-3, ema_decay=0.9, seed=SEED)
average, better = Average(restless.game.G, 0.98), {}
restless.add_hook(average.update)
for _ in range(6):
    restless.run(250)
    better[restless.round] = [fid_d(average.module), fid_d(restless.game.G)]
print("FID-d, average and raw: " + "; ".join(f"round {r}: {ema:.0f}, {raw:.0f}" for r, (ema, raw) in better.items()))
late = [better[1250], better[1500]]
ema_gain = sum(ema for ema, _ in late) / sum(raw for _, raw in late)

# %% [markdown]
# Early on both are bad. From round 1,250 the average is ahead by a quarter and more. It costs one pass over the weights, and
# it changes nothing in the game: D never sees the average.
#
# ## 6. Explore
#
# ### DiffAugment
#
# To learn 500 images by heart is easy; 500 images that look different every time are hard. So change them at random on
# their way to D. Change the real ones alone, and D learns that real images look changed, and G to make changed ones. So **both
# kinds go through $T$, in both turns**, and $T$ must be differentiable, for G learns through it:
#
# $$L_D = \mathbb{E}[f(-D(T(x)))] + \mathbb{E}[f(D(T(G(z))))] \qquad L_G = \mathbb{E}[f(-D(T(G(z))))], \qquad f = \mathrm{softplus}$$
#
# $T$ stands before D wherever D stands. So it can be a layer, and every game can have it without a new loss.


# %%
def brightness(x):
    """x + u, u ~ U[-1/2, 1/2]. Colour images also get another saturation, and all another contrast."""
    return x + torch.rand(len(x), 1, 1, 1, device=x.device) - 0.5


def translation(x, far=4):
    """Each image moved by up to ``far`` pixels; black, -1, comes in at the edge."""
    n, _, size, _ = x.shape
    top, left = torch.randint(2 * far + 1, (2, n, 1, 1), device=x.device)
    steps = torch.arange(size, device=x.device)
    which = torch.arange(n, device=x.device)[:, None, None]
    return pad(x, [far] * 4, value=-1.0)[which, :, top + steps[:, None], left + steps].permute(0, 3, 1, 2)


# %%
class Augment(nn.Module):
    """T, as a layer before D: in training mode D sees T(x), in eval mode x itself."""

    def __init__(self, *changes):
        super().__init__()
        self.changes = changes

    def forward(self, x):
        for change in self.changes if self.training else ():
            x = change(x)
        return x


# %% [markdown]
# Choose one of them, and look what D gets to see of the same eight digits.

# %%
CHOICES = {"brightness": [brightness], "translation": [translation], "both": [brightness, translation]}


def seen_by_d(choice):
    """The images as they are, and three draws of T(x)."""
    T, x = Augment(*CHOICES[choice]), few.all()[::63]
    return image_grid(torch.cat([x, *(T(x).clamp(-1, 1) for _ in range(3))]), columns=8, scale=2)


browse(seen_by_d, list(CHOICES), label="T", caption="Above, eight digits. Below, three draws of T of each.",
       alt="Four rows of eight digits; in the lower three they are moved, darker or lighter.")  # fmt: skip

# %% [markdown]
# **Question 1.** Flip an image left to right, or turn it by 90 degrees: may $T$ do that to digits? **Question 2.** What becomes
# of G if only the *real* images pass $T$?
#
# <details><summary>Answers</summary>1. Not with probability 1/2: a mirrored or a turned 2 is no digit, and if half of all that
# D sees is mirrored, it cannot tell a G that makes mirrored digits from one that does not. (Mirror three in ten, and it can:
# only a G of right digits then gives seven right ones in ten.) 2. It learns to make moved ones: exercise 11 has such a game.
# Samples are $G(z)$, as ever; $T$ stands before D alone.</details>
#
# **Predict**, then play part 1's game again, with $T$ before D and nothing else changed: will D's green lines still part? Will
# FID-d be lower *early* in the run? At its end?

# %%
seed_all(SEED)
D = nn.Sequential(Augment(translation), vanilla.Discriminator())
augmented, augmented_looks = few_images(vanilla.VanillaGAN(dcgan.Generator(width=8), D, z_dim=64))
run = train(augmented, rounds=400)

# %%
run.wait()

# %% [markdown]
# You have the answer to one question: at round 400 your G of part 1 stands at a FID-d of about 100, this one at about 55.
# Both draw poorly yet. How they end, part 7 shows.
#
# ### R3GAN's recipe
#
# Huang et al. ask which tricks are needed at all. Their theory: the relativistic loss has no bad resting places in which
# modes are missing, but alone it need not converge; R1 and R2 make it converge. Check it on the grid of 25, of which lesson
# 07's GAN covered few modes. **Predict**: how many with the relativistic loss alone? How many with the penalties?

# %%
data_25, found = grid(), {}
figure = Figure(figsize=(6.5, 3.4), layout="constrained")
for axes, gamma in zip(figure.subplots(1, 2), (0.0, 0.5)):
    seed_all(SEED)
    game = R3GAN(mlp([2, 128, 128, 128, 2]), mlp([2, 128, 128, 128, 1]), z_dim=2)
    game.r1_gamma = gamma
    trainer = Trainer(game, data_25, batch_size=128, lr=2e-3, ema_decay=0.99, seed=SEED, device="cpu").run(1600)
    found[gamma] = cloud(axes, trainer.sample(10_000, z=z_plane), data_25, f"γ = {gamma}")
show(figure, "The same game without and with R1 and R2.", "Two scatter plots of fakes over a grid of 25 crosses.")
for name in dict.fromkeys(run["name"] for run in stored if run["what"] == "parts"):
    runs = [run for run in stored if run["name"] == name]
    print(f"stored, 3 seeds: {name:25} modes {[run['covered'] for run in runs]}, good {[run['good'] for run in runs]}")

# %% [markdown]
# Stored: without a penalty either loss drops 12 to 17 of the 25 modes. With R1 it finds 21 or more, with R2 as well 23. So on
# this grid the penalties do the work, and the pairs add little that can be seen. The authors count on 1,000 modes, and there
# they need both. What an ablation tells, it tells of the data that it was made on.
#
# ## 7. Measure it
#
# Each tool has had its measurement. What is left is the question of part 1: does DiffAugment help with 500 images, and for how
# long?

# %%
figure = Figure(figsize=(5, 2.6), layout="constrained")
axes = figure.subplots()
for name, style, colour in (("plain", "--", GREY), ("DiffAugment", "-", FAKE)):
    runs = long_runs(name)
    axes.plot(runs[0, :, 0], runs[:, :, 1].mean(0), style, color=colour, label=name)
    axes.fill_between(runs[0, :, 0], runs[:, :, 1].amin(0), runs[:, :, 1].amax(0), color=colour, alpha=0.2, linewidth=0)
axes.set(xlabel="round", ylabel="FID-d of the averaged G", ylim=(0, 220))
axes.legend(frameon=False)
caption = "Stored runs, three seeds: the mean, and from the lowest to the highest."
show(figure, caption, "Two curves: DiffAugment's is lower at first and at the end, where the plain one climbs.")

# %%
ends, lead, pictures = {}, {}, {}
for name, trainer in {"plain": plain, "DiffAugment": augmented}.items():
    path = files("ganedu.models") / "weights" / f"few_images_{name.lower()}.safetensors"
    game, card = load_published(path, copy.deepcopy(trainer.game).cpu())
    with torch.no_grad():
        lead[name] = (game.D(few.all()).mean() - game.D(held_back).mean()).item()
        ends[name], pictures[name] = fid_d(game.G), game.G(z_look[:32]).clamp(-1, 1)
    print(f"{name}, round {card['steps']:,}: FID-d {ends[name]:.0f}, D's lead on its own 500 {lead[name]:.2f}")
print(f"made by `{card['command']}`, {card['device']}")
show(image_grid(pictures), "Round 4,800, the first of the three runs.", "Two grids of 32 digits, by two generators.")

# %% [markdown]
# DiffAugment wins early, is a little behind around round 1,000, and wins in the end: D never gets to know its images, and goes on
# teaching. Without it D tells fakes from its 500 ever more surely (part 1), and G is left with ones and scraps.
#
# **Where these measures mislead.**
#
# - *At which round?* At round 1,000 you would have thrown DiffAugment out. And the plain run, stopped there, is a fair G.
# - *Against which images?* FID-d here is measured against digits that nobody trained on. Measured against its own 500, a G that
#   copies them is perfect. Lesson 12 tests for copies.
# - *On one recipe.* With a falling learning rate EMA would gain less. No number here carries over to another run.
#
# The claims of this lesson, checked:

# %%
claim("power iteration, 100 steps: largest error of σ", max(e[99].item() for e in off.values()), at_most=0.01)
claim("D's steepest slope with spectral norm", slope, at_most=1.02)
claim("FID-d of the average over that of G as it stands", ema_gain, at_most=1.0)
live = augmented_looks[400] / plain_looks[400]
claim("500 images, round 400: FID-d with DiffAugment over that without", live, at_most=1.0)
claim("500 images, published, round 4,800: the same", ends["DiffAugment"] / ends["plain"], at_most=1.0)
claim("published: D's lead, DiffAugment's over plain's", lead["DiffAugment"] / lead["plain"], at_most=0.5)
doublings = math.log2(clocks["TTUR", "average"].good / clocks["five steps", "average"].good)
claim("ring: doublings of the good samples, TTUR over five steps", doublings, at_least=0.0)
claim("grid of 25: modes gained by R1 and R2", found[0.5].covered - found[0.0].covered, at_least=5)

# %% [markdown]
# ## 8. What breaks, in practice
#
# - *"Use all eight."* No: they overlap. Spectral norm, R1 and lesson 10's penalty all hold D's slope; take one. Name the
#   failure first, then the tool.
# - *"Augmentation is for the data loader."* No: then only the real images are augmented, and G learns $T$.
# - *"Spectral norm makes a convolution stretch by at most 1."* No: it divides by the norm of the kernel's *matrix*, that of one
#   patch. Patches overlap. With kernel 4 and stride 2 each pixel lies in four of them, so an image may be stretched by up to
#   $\sqrt 4 = 2$. To measure it, iterate with the convolution and its transpose (lesson 05) in place of $W$ and $W^\top$.
# - *"The average is a better player, let it play."* No: G learns at the place where it is, not where it was on average.
# - R1's second derivative more than doubles the cost of a D step; large runs compute it in every 16th round, with 16 $\gamma$.
#
# **The library's twin.** `ganedu.losses` has the losses, `ganedu.regularizers` the penalties and spectral norm,
# `ganedu.diffaugment` the changes and the layer, `ganedu.models.sngan` and `r3gan` the games; every `Trainer` averages.

# %%
x, z = few.all()[:16], z_look[:16]
for theirs, ours in ((sngan.SNGAN().eval(), SNGAN), (r3gan.R3GAN(), R3GAN)):
    game = ours(theirs.G, theirs.D, z_dim=64).eval()
    assert torch.equal(game.d_loss(x, z), theirs.d_loss(x, z)) and torch.equal(game.g_loss(x, z), theirs.g_loss(x, z))
print("equal losses")

# %% [markdown]
# ## Summary
#
# - Hinge: no gain beyond the margin. Relativistic: pairs are compared, D's level drops out.
# - R1 flattens D at the data, spectral norm everywhere: one step of power iteration a pass, with $u$ kept, is enough.
# - TTUR gives D a larger rate in place of more steps. EMA gives G's samples the rest that G itself never finds.
# - Few images: D knows them by heart. DiffAugment changes whatever D sees, real and fake, in both turns.
# - R3GAN: relativistic, R1 and R2, and no other trick.
#
# **Exercises:** [exercise 11](../exercises/11_modern_toolbox.ipynb): power iteration of a kernel, a change of your own for $T$,
# predictions, a game whose fakes come out wrong, and how far a convolution stretches.
#
# **Where next:** every number in this lesson was a FID-d. Lesson 12 takes it apart: what it sees, and what it does not.
