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
# # 11 The modern toolbox
#
# <!-- badge --><!-- /badge -->
#
# **A run goes wrong. Which tool do you reach for, and how do you know that it did the job?** Eight tools that today's GANs
# are built from, each with the failure that it mends, its formula, a few lines of code, and one measurement.
#
# Paper: Huang, Gokaslan, Kuleshov and Tompkin, *The GAN is dead; long live the GAN! A Modern GAN Baseline*, 2024,
# [arXiv:2501.05441](https://arxiv.org/abs/2501.05441), which keeps three of them and throws out the rest. Each other tool
# has its own paper in the table of part 2.
#
# You will be able to
#
# - name for each of eight tools the failure that it mends, and the sign by which you see that failure,
# - write spectral norm, the hinge and the relativistic loss, an average of weights, and DiffAugment, each in a few lines,
# - see that D has learned its images by heart, and train on 500 images nevertheless,
# - put R3GAN's recipe together, and show by ablation which of its parts does what.
#
# You need lessons 06, 07 and 10. Plan 110 minutes; the computer works for about one and a half of them on one CPU core. On
# a GPU the same runs take less than a minute.

# %% tags=["setup"]
# >>> setup
# <<< setup

# %%
import copy

import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn.functional import normalize, pad, relu, softplus
from torch.nn.utils import parametrize

from ganedu import diffaugment
from ganedu.blocks import mlp
from ganedu.checks import claim
from ganedu.data import digits, ring
from ganedu.gan import GAN
from ganedu.metrics import digit_features, frechet_features, mode_coverage
from ganedu.models import dcgan, r3gan, sngan, vanilla
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
# Ten lessons, and each game failed in its own way. One failure is still missing, and you will meet it first with pictures
# of your own: **few images**. Lesson 06's G, narrow, plays against lesson 04's D with its half a million weights, on 500
# digits in place of 4,000. As they train, two things are written down: FID-d against the 3,500 digits that are held back,
# and D's mean output on its own 500, on 875 that are held back, and on fakes.

# %%
data = digits("train")
few = data.subset(slice(None, None, 8))  # 500 digits, 50 of each
held_back = data.subset(torch.arange(len(data)) % 8 != 0).all()  # 3,500 that nobody trains on
real_features = digit_features(held_back)
ROUNDS, EVERY = 400, 100
z_look = torch.randn(2000, 64, generator=torch.Generator().manual_seed(7))


def fid_d(x):
    """FID-d of samples, against the 3,500 digits that are held back."""
    return frechet_features(real_features, digit_features(x.clamp(-1, 1).cpu()))


def play(game, rounds=ROUNDS, images=few):
    """A trainer for ``game`` and what is seen of it every 100 rounds: dicts by round."""
    trainer = Trainer(game, images, batch_size=32, lr=1e-3, ema_decay=0.98, seed=SEED)
    looks = {"average": {}, "its own 500": {}, "held back": {}, "fakes": {}}

    def look(trainer):
        with evaluating(game):
            x_fake = game.G(z_look[:500].to(trainer.device))
            outputs = [game.D(x.to(trainer.device)).mean().item() for x in (few.all(), held_back[::4], x_fake)]
        x_ema = trainer.sample(2000, z=z_look.to(trainer.device))
        for name, seen in zip(looks, (fid_d(x_ema), *outputs)):
            looks[name][trainer.round] = seen

    trainer.add_hook(look, every=EVERY)
    return trainer, looks


# %%
seed_all(SEED)
plain, plain_looks = play(vanilla.VanillaGAN(dcgan.Generator(width=8), vanilla.Discriminator(), z_dim=64))
plain.run(ROUNDS)


def overfitting(looks, title):
    """Left: FID-d by round. Right: D's mean outputs by round."""
    figure = Figure(figsize=(9, 3), layout="constrained")
    left, right = figure.subplots(1, 2)
    styles = {"average": ("-", FAKE)}
    means = {"its own 500": ("-", REAL), "held back": ("--", REAL), "fakes": ("-", FAKE)}
    for axes, drawn in ((left, styles), (right, means)):
        for name, (style, colour) in drawn.items():
            axes.plot(list(looks[name]), list(looks[name].values()), style, color=colour, label=name)
        axes.legend(frameon=False, fontsize=8)
    left.set(xlabel="round", ylabel="FID-d (n = 2,000)", ylim=(0, 350), title=f"{title}: G's samples")
    right.set(xlabel="round", ylabel="D's mean output", title=f"{title}: what D says")
    return figure


caption = "Right: D tells its own 500 from real digits that it has not seen."
show(overfitting(plain_looks, "plain"), caption, "Left: a curve of FID-d. Right: D's output on three kinds of images.")

# %% [markdown]
# Right: the solid and the dashed green line should be one. Both are real digits. D says XX of those that it trains on and
# XX of those that it has never seen: **it learns its 500 by heart**, and tells G more and more about these and less and
# less about digits. Left: dotted, **the raw generator is never at rest**, though its average is.
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
# - *R1.* $D(x) = 3x_1 - 4x_2$ has the gradient (3, -4) everywhere: R1 is $9 + 16 = 25$.
# - *EMA.* With $d = 0.995$ today's share is halved after $\log \frac12 / \log 0.995 = 138$ rounds.
# - *Power iteration*, which finds $\sigma(W)$, the largest factor by which $W$ stretches a vector: take
#   $v \leftarrow W^\top u$, $u \leftarrow W v$, each divided by its length, and $\sigma \approx u^\top W v$. For
#   $W = \mathrm{diag}(3, 1)$ and $u = (1, 1)$: $v = (3, 1)/\sqrt{10}$, $u = (9, 1)/\sqrt{82}$, $\sigma \approx 82/\sqrt{820} = 2.86$.
#   A second step gives 2.998. Each step favours the longer direction by another factor of $3^2$.
#
# ## 3. Build G and D
#
# G is lesson 04's. D is a stack of three linear layers, with **spectral norm** on each. If no layer stretches by more than 1,
# and LeakyReLU does not stretch either, D's slope is at most 1 *everywhere*: what lesson 10's penalty asks for at
# sampled points holds by construction, and without a second derivative. Power iteration would be slow if it began anew in
# every round. But weights move little between two rounds. So $u$ is kept, and **one step a pass** is enough.


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
for layer in (layer for layer in D if isinstance(layer, nn.Linear)):
    print(
        f"{tuple(layer.weight.shape)!s:11} σ as drawn {torch.linalg.matrix_norm(layer.parametrizations.weight.original, 2):.3f}"
    )
print(f"D: {tuple(held_back[:8].shape)} -> {tuple(D(held_back[:8]).shape)}")

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
# What does each loss still want, by what D says already? Left, D's slope in its output on a real sample, whose partner in the
# pair is a fake with 3. Right, G's slope in D's output on a fake, whose partner is a real sample with 5.

# %%
output = torch.linspace(-4, 8, 241, dtype=torch.float64).requires_grad_()
curves = {
    "cross-entropy": (softplus(-output), softplus(-output)),
    "hinge": (relu(1 - output), -output),
    "relativistic": (softplus(3 - output), softplus(5 - output)),
}
figure = Figure(figsize=(9, 2.8), layout="constrained")
for axes, player, kind in zip(figure.subplots(1, 2), "DG", ("real sample", "fake")):
    for (name, losses), style, colour in zip(curves.items(), ("--", "-", "-"), (GREY, CRITIC, FAKE)):
        (slope,) = torch.autograd.grad(losses["DG".index(player)].sum(), output)
        axes.plot(output.detach(), slope, style, color=colour, label=name)
    axes.set(xlabel=f"D's output on a {kind}", ylabel=f"slope of {player}'s loss", ylim=(-1.1, 0.1))
    axes.legend(frameon=False, fontsize=8)
caption = "Hinge: D stops at its margin 1, G never stops. Relativistic: each goes on until it is ahead of its partner."
show(
    figure,
    caption,
    "Left and right: slopes of three losses by D's output; hinge is a step on the left, constant on the right.",
)
real, fake = torch.randn(2, 64, 1, dtype=torch.float64)
print(f"100 added to every output of D: relativistic loss {softplus(fake - real).mean():.4f}, "
      f"then {softplus((fake + 100) - (real + 100)).mean():.4f}")  # fmt: skip

# %% [markdown]
# - *Hinge.* Inside the margin every sample counts alike, beyond it not at all: no score is worth being raised for its own sake.
# - *Relativistic.* D's level drops out; only differences count. G is not done when D says "real" to its fakes. It is done when
#   they look as real as the data. So no fake can sit on a comfortable spot that D likes, far from the data that it does not copy.
#
# ## 5. Predict, then train
#
# **Two clocks.** Lesson 02 gave D five steps for G's one; so do SNGAN and WGAN-GP. Each of them has to be computed. TTUR
# (Heusel et al. 2017) gives D one step, but a larger learning rate. Play SNGAN on the 4,000 digits with three clocks, each for
# 600 updates, D's and G's together. **Predict** the order:
#
# | clock | rounds | D's rate | G's rate |
# |---|---|---|---|
# | five steps | 100 of 5 + 1 | 1e-3 | 1e-3 |
# | equal rates | 300 of 1 + 1 | 1e-3 | 1e-3 |
# | TTUR | 300 of 1 + 1 | 4e-3 | 1e-3 |


# %%
def clock(n_critic, lr, rounds):
    """A trainer for an SNGAN with this clock."""
    seed_all(SEED)
    game = SNGAN(vanilla.Generator(), Critic(), z_dim=64)
    return Trainer(game, data, batch_size=32, lr=lr, n_critic=n_critic, ema_decay=0.98, seed=SEED), rounds


CLOCKS = {"five steps": (5, {"D": 1e-3, "G": 1e-3}, 100), "equal rates": (1, {"D": 1e-3, "G": 1e-3}, 300)}
trainers = {name: clock(*settings) for name, settings in CLOCKS.items()}
for trainer, rounds in trainers.values():
    trainer.run(rounds)
ttur, rounds = trainers["TTUR"] = clock(1, {"D": 4e-3, "G": 1e-3}, 300)
run = train(ttur, rounds=rounds)

# %%
run.wait()
fid_clock = {name: fid_d(trainer.sample(2000)) for name, (trainer, _) in trainers.items()}
print("FID-d after 600 updates: " + ", ".join(f"{name} {value:.0f}" for name, value in fid_clock.items()))

# %% [markdown]
# TTUR XX
#
# **Did spectral norm keep its word?** Two measurements on this run's D. First, power iteration as such: from a random start,
# how far off is $\sigma$ after $k$ steps? On weights as drawn and as trained. Second, the $u$ that was kept: one step a pass.


# %%
def sigma(W, steps):
    """σ(W) by power iteration from a random start, after each step: a list of numbers."""
    u, found = torch.randn(len(W), generator=torch.Generator().manual_seed(SEED)), []
    for _ in range(steps):
        v = normalize(W.T @ u, dim=0)
        u = normalize(W @ v, dim=0)
        found.append((u @ W @ v).item())
    return torch.tensor(found)


def raw_weights(D):
    """The weights before the division, those that the optimiser moves."""
    return [m.parametrizations.weight.original.detach().cpu() for m in D if isinstance(m, nn.Linear)]


trained = ttur.game.D.eval()
figure = Figure(figsize=(6.5, 2.8), layout="constrained")
axes, off = figure.subplots(), {}
for name, D, style, colour in (("as drawn", Critic(), "--", GREY), ("as trained", trained, "-", CRITIC)):
    for i, W in enumerate(raw_weights(D)[:2]):
        off[name, i] = (1 - sigma(W, 200) / torch.linalg.matrix_norm(W, 2)).abs().clamp(min=1e-7)
        axes.semilogy(range(1, 201), off[name, i], style, color=colour, linewidth=2 - i, label=f"{name}, layer {i + 1}")
axes.axhline(0.01, color="black", linewidth=0.7)
axes.set(xlabel="steps", ylabel="σ is off by a share of")
axes.legend(frameon=False, fontsize=8)
show(
    figure, "The black line is 1 %. XX", "Four falling curves of the error of power iteration, on a logarithmic scale."
)
kept_off = max(
    abs(torch.linalg.matrix_norm(m.weight.detach().cpu(), 2).item() - 1) for m in trained if isinstance(m, nn.Linear)
)
print(f"the u kept from pass to pass, one step each: every layer's σ is within {kept_off:.2%} of 1")
x, y = held_back[:1000], ttur.sample(1000).cpu()
with torch.no_grad():
    steepest = ((trained.cpu()(x) - trained(y)).abs().flatten() / (x - y).flatten(1).norm(dim=1)).max().item()
print(f"steepest line of D between a real image and a fake, of 1,000: {steepest:.3f}")

# %% [markdown]
# XX
#
# **An average for G.** After each round $w_{ema} \leftarrow d\,w_{ema} + (1 - d)\,w$, with smaller $d$ early on, so that the
# first, random weights are soon forgotten. Batch norm's running statistics belong to the weights and are averaged too.


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
restless = Trainer(dcgan.DCGAN(width=8), data, batch_size=32, lr=5e-3, ema_decay=0.9, seed=SEED)
G, better = restless.game.G, {}
average = Average(G, 0.98)
restless.add_hook(average.update)
for _ in range(8):
    restless.run(40)
    with evaluating(G):
        pair = [torch.cat([net(z) for z in z_look.to(restless.device).split(500)]) for net in (average.module, G)]
    better[restless.round] = [fid_d(x) for x in pair]
print("round: FID-d of the average, of the raw G")
print(", ".join(f"{r}: {ema:.0f}, {raw:.0f}" for r, (ema, raw) in better.items()))
late = list(better.values())[3:]
gain = sum(ema for ema, _ in late) / sum(raw for _, raw in late)

# %% [markdown]
# XX It costs one pass over the weights and nothing else, and it changes nothing in the game: D never sees the average.
#
# ## 6. Explore
#
# ### DiffAugment
#
# To learn 500 images by heart is easy; 500 images that look different every time are hard. So change them at random on
# their way to D. But D would learn that real images look changed, and G would learn to make changed ones. So **both kinds go
# through $T$, in both turns**, and $T$ must be differentiable, for G learns through it:
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


def cutout(x, side=14):
    """A grey square somewhere; its centre may lie at the edge."""
    size, steps = x.shape[-1], torch.arange(x.shape[-1], device=x.device)
    first = torch.randint(size + 1, (2, len(x), 1), device=x.device) - side // 2
    rows, columns = (steps >= first) & (steps < first + side)  # two of (N, size)
    return x.masked_fill(rows[:, None, :, None] & columns[:, None, None, :], 0.0)


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
CHOICES = {"brightness": [brightness], "translation": [translation], "cutout": [cutout]}
CHOICES["all three"] = [brightness, translation, cutout]


def seen_by_d(choice):
    """The images as they are, and three draws of T(x)."""
    x = few.all()[::63]
    return image_grid(
        torch.cat([x, *(Augment(*CHOICES[choice])(x).clamp(-1, 1) for _ in range(3))]), columns=8, scale=2
    )


browse(seen_by_d, list(CHOICES), label="T", caption="Above, eight digits. Below, three draws of T of each.",
       alt="Four rows of eight digits; in the lower three they are moved, darker or lighter, and partly covered.")  # fmt: skip

# %% [markdown]
# **Question 1.** Flip an image left to right, or turn it by 90 degrees: may $T$ do that to digits? **Question 2.** Samples for
# use: $G(z)$ or $T(G(z))$? **Question 3.** What becomes of G if only the *real* images pass $T$?
#
# <details><summary>Answers</summary>1. Not by chance of a half: a mirrored 2 is no digit, and if half of what D sees is
# mirrored on both sides, D cannot tell a G that makes mirrored digits from one that does not. 2. G(z): T is D's affair.
# 3. It learns to make grey squares. That is the next ablation.</details>
#
# **Predict**, then play part 1's game again, with $T$ before D and nothing else changed: will D's green lines still part? Will
# FID-d be lower *early* in the run? At its end?

# %%
seed_all(SEED)
D = nn.Sequential(Augment(translation), vanilla.Discriminator())
augmented, augmented_looks = play(vanilla.VanillaGAN(dcgan.Generator(width=8), D, z_dim=64))
run = train(augmented, rounds=ROUNDS)

# %%
run.wait()
caption = "With DiffAugment: D says nearly the same of its own digits and of others."
show(
    overfitting(augmented_looks, "DiffAugment"),
    caption,
    "Left: two curves of FID-d. Right: D's output on three kinds of images.",
)


# %%
class RealsOnly(vanilla.VanillaGAN):
    """The mistake: only the real images are augmented."""

    def d_loss(self, x, z):
        """softplus(-D(T(x))) + softplus(D(G(z)))"""
        changed = translation(x)
        return softplus(-self.D(changed)).mean() + softplus(self.D(self.G(z).detach())).mean()


seed_all(SEED)
mistaken, mistaken_looks = play(RealsOnly(dcgan.Generator(width=8), vanilla.Discriminator(), z_dim=64))
mistaken.run(ROUNDS)
grids = {"plain": plain, "DiffAugment": augmented, "only real images pass T": mistaken}
show(image_grid({name: trainer.sample(24, z=z_look[:24]).cpu() for name, trainer in grids.items()}, columns=6),
     "The ends of three runs. Right: a G that has learned T.",
     "Three grids of digits; in the right one they are moved and partly covered by grey squares.")  # fmt: skip

# %% [markdown]
# XX
#
# ### R3GAN's recipe
#
# Huang et al. ask which tricks are needed at all. Theory says: the relativistic loss drops no modes, but alone it need not
# converge; R1 and R2 make it converge. Check both on lesson 07's ring of eight modes, one ingredient at a time. Nets of
# two hidden layers of 32, no normalisation, no average, one D step. **Predict** which of the six games misses modes.


# %%
def ablated(relativistic, on_real, on_fake, gamma=1.0):
    """R3GAN with some of its parts taken out."""

    class Game(R3GAN):
        def d_loss(self, x, z):
            x_fake = self.G(z).detach()
            real, fake = self.D(x), self.D(x_fake)
            loss = softplus(fake - real).mean() if relativistic else (softplus(-real) + softplus(fake)).mean()
            return loss + gamma / 2 * (on_real * r1(self.D, x) + on_fake * r1(self.D, x_fake))

        def g_loss(self, x, z):
            return super().g_loss(x, z) if relativistic else softplus(-self.D(self.G(z))).mean()

    return Game(mlp([8, 32, 32, 2]), mlp([2, 32, 32, 1]), z_dim=8)


# %%
modes, recipes = ring(8), {"nothing": (0, 0), "R1": (1, 0), "R1 and R2": (1, 1)}
found, steep = {}, {}
figure = Figure(figsize=(9, 5.6), layout="constrained")
for row, relativistic in zip(figure.subplots(2, 3), (False, True)):
    for axes, (name, penalties) in zip(row, recipes.items()):
        seed_all(SEED)
        game = ablated(relativistic, *penalties)
        Trainer(game, modes, batch_size=128, lr=1e-3, seed=SEED, device="cpu").run(800)
        x_fake = game.G(torch.randn(10_000, 8, generator=torch.Generator().manual_seed(1))).detach()
        found[relativistic, name] = mode_coverage(x_fake, modes.means, modes.std)
        steep[relativistic, name] = r1(game.D, modes.sample(1000)).sqrt().item()
        axes.scatter(*x_fake[:2000].T, s=1.5, color=FAKE, alpha=0.5)
        axes.plot(*modes.means.T, "+", color=REAL, markersize=9, markeredgewidth=2)
        axes.set(xlim=(-3, 3), ylim=(-3, 3), aspect="equal", xlabel="x₁", ylabel="x₂")
        loss = "relativistic" if relativistic else "non-saturating"
        axes.set_title(f"{loss}, {name}: {found[relativistic, name].covered} of 8", fontsize=10)
        print(
            f"{loss:14} {name:9} {found[relativistic, name]}, D's slope at real points {steep[relativistic, name]:.2f}"
        )
caption = "XX"
show(figure, caption, "Six scatter plots of fakes over a ring of eight crosses.")

# %% [markdown]
# XX
#
# ## 7. Measure it
#
# Each tool has had its measurement. What is left are the two curves of part 1's run beside those with DiffAugment.

# %%
figure = Figure(figsize=(9, 3), layout="constrained")
left, right = figure.subplots(1, 2)
apart = {}
for (name, looks), style, colour in zip(
    {"plain": plain_looks, "DiffAugment": augmented_looks}.items(), ("--", "-"), (GREY, FAKE)
):
    rounds = list(looks["average"])
    left.plot(rounds, list(looks["average"].values()), style, color=colour, label=name)
    apart[name] = [a - b for a, b in zip(looks["its own 500"].values(), looks["held back"].values())]
    right.plot(rounds, apart[name], style, color=colour, label=name)
left.set(xlabel="round", ylabel="FID-d of the average", ylim=(0, 150))
right.set(xlabel="round", ylabel="D: its own 500 minus held back")
left.legend(frameon=False)
show(figure, "XX", "Left: two curves of FID-d. Right: two curves of how far D tells its own images from others.")
fid_few = {name: looks["average"][ROUNDS] for name, looks in (("plain", plain_looks), ("DiffAugment", augmented_looks))}
print(fid_few)

# %% [markdown]
# XX
#
# **Where these measures mislead.**
#
# - *At which round?* XX
# - *Against which images?* FID-d here is measured against digits that nobody trained on. Measured against its own 500, a G that
#   copies them is perfect. Lesson 12 tests for copies.
# - *One tool at a time, on one recipe.* That EMA gains so much says how restless this G is: with a falling learning rate it
#   would gain less. No number here carries over to another run as it stands. What carries over is how to measure it.
#
# The claims of this lesson, checked:

# %%
claim(
    "power iteration, 100 steps: largest error of σ, as a share", max(e[99].item() for e in off.values()), at_most=0.01
)
claim("one step a pass, u kept: largest error of a layer's σ", kept_off, at_most=0.01)
claim("steepest line of D between a real image and a fake", steepest, at_most=1.02)
claim("FID-d of the average over that of the raw generator, five looks", gain, at_most=1.0)
claim("500 images: FID-d with DiffAugment over that without", fid_few["DiffAugment"] / fid_few["plain"], at_most=1.0)
claim("D tells its 500 from others: DiffAugment's as a share of plain's",
      apart["DiffAugment"][-1] / apart["plain"][-1], at_most=0.5)  # fmt: skip
claim("ring, non-saturating without penalty: modes covered", found[False, "nothing"].covered, at_most=7)
claim("ring, relativistic with R1 and R2: modes covered", found[True, "R1 and R2"].covered, at_least=8)

# %% [markdown]
# ## 8. What breaks, in practice
#
# - *"Use all eight."* No: they overlap. Spectral norm, R1 and lesson 10's penalty all hold D's slope; take one. Name the
#   failure first, then the tool.
# - *"Augmentation is for the data loader."* No: then only the real images are augmented, and G learns $T$.
# - *"Spectral norm makes a convolution stretch by at most 1."* No: it divides by the norm of the kernel's *matrix*, that of one
#   patch. Patches overlap. With kernel 4 and stride 2 each pixel lies in four of them, so an image may be stretched by up to
#   $\sqrt 4 = 2$. To measure it, iterate with the convolution and its transpose (lesson 05) in place of $W$ and $W^\top$.
# - *"A larger rate for D is TTUR, so larger is better."* XX
# - *"The average is a better player, let it play."* No: G learns at the place where it is, not where it was on average.
# - *R1 and batch norm do not go together*: in training mode a sample's gradient contains the rest of its batch (lesson 10).
# - R1's second derivative makes a D step cost more than twice. Large runs compute it in every 16th round, with 16 times $\gamma$.
#
# **The library's twin.** `ganedu.losses` has the losses, `ganedu.regularizers` the penalties and spectral norm,
# `ganedu.diffaugment` the changes and the layer, `ganedu.models.sngan` and `r3gan` the games; every `Trainer` averages.

# %%
x, z = few.all()[:16], z_look[:16]
for theirs, ours in ((sngan.SNGAN().eval(), SNGAN), (r3gan.R3GAN(), R3GAN)):
    game = ours(theirs.G, theirs.D, z_dim=64).eval()
    assert torch.equal(game.d_loss(x, z), theirs.d_loss(x, z)) and torch.equal(game.g_loss(x, z), theirs.g_loss(x, z))
torch.manual_seed(0)
seen = Augment(brightness, translation, cutout)(x)
torch.manual_seed(0)
assert torch.equal(
    seen, diffaugment.diffaugment(x, (diffaugment.brightness, diffaugment.translation, diffaugment.cutout))
)
print("equal losses, equal T(x)")

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
