# ---
# jupyter:
#   ganedu:
#     learn: >-
#       the original GAN on digits; what the saturating loss and missing batch norm really do; FID-d at most
#       half of the baseline's
#     minutes: 90
#     cpu: 2 min
#     gpu: four times the rounds
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
# # 04 The vanilla GAN
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# **Can two plain networks, playing the game of lesson 02, learn to write digits?**
#
# Paper: Goodfellow et al., *Generative Adversarial Nets*, 2014, [arXiv:1406.2661](https://arxiv.org/abs/1406.2661).
#
# You will be able to
#
# - build a generator and a discriminator for images from linear layers, and name every shape,
# - write both forms of G's loss and say why the game is played with the second,
# - recognise a collapsed generator, and say what holds its samples apart,
# - measure a generator with FID-d, and name two things that this number does not see.
#
# You need lesson 02. Plan 90 minutes; the computer works for about two of them on one CPU core. On a GPU the run has
# four times the rounds, because there they cost little.

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
from functools import partial

import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn.functional import softplus

from ganedu.blocks import mlp
from ganedu.checks import claim
from ganedu.data import digits
from ganedu.gan import GAN
from ganedu.losses import g_minimax, g_nonsaturating
from ganedu.metrics.features import digit_shares, load_classifier
from ganedu.metrics.fid import fid_digits
from ganedu.models import vanilla
from ganedu.models.naive_bayes import NaiveBayes
from ganedu.runtime import lesson_seed, seed_all, tier
from ganedu.training import Trainer, frozen
from ganedu.views.figure import CRITIC, FAKE, REAL, image_grid, show
from ganedu.views.live import train
from ganedu.views.snapshots import browse

SEED = lesson_seed()
seed_all(SEED)

# %% [markdown]
# ## 1. The problem, seen
#
# In lesson 02 a sample was one number. Now it is an image: 28 x 28 = 784 numbers in [-1, 1], from black to white.
# The data are 4,000 real handwritten digits, 400 of each.
#
# The difficulty is not the count of numbers. It is that they *belong together*. The baseline, **naive Bayes**, makes
# this plain. It picks a digit, then draws each pixel on its own, with exactly the right distribution for that pixel
# in images of that digit. Every pixel is right, and the picture is not.

# %%
data = digits("train")
x_real = data.all()
naive_bayes = NaiveBayes().fit(data)
x_naive = naive_bayes.sample(2000, torch.Generator().manual_seed(SEED))
mixed = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
show(
    image_grid({"real": x_real[mixed[:32]], "naive Bayes": x_naive[:32]}),
    "Left: real digits. Right: each pixel drawn on its own. Strokes are what naive Bayes cannot do.",
    "Two grids of 32 images. The real digits are clean strokes; the naive Bayes samples are speckled clouds.",
)

# %% [markdown]
# So: can a GAN learn what pixels have to do with each other? Take lesson 02's recipe as it is, only wider: linear
# layers with ReLU, five D steps a round, Adam at 2e-3. Play 150 rounds. (Samples come from an average of G's
# weights over the last rounds; `ema_decay` says over how many, and section 5 comes back to it.)

# %%
seed_all(SEED)
G_02 = nn.Sequential(mlp([64, 256, 512, 784]), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
D_02 = nn.Sequential(nn.Flatten(), mlp([784, 512, 256, 1]))
recipe_02 = Trainer(vanilla.VanillaGAN(G_02, D_02, z_dim=64), data, lr=2e-3, n_critic=5, ema_decay=0.9)
recipe_02.run(150)
x_02 = recipe_02.sample(2000)


def spread(x):
    """Standard deviation over a batch, averaged over pixels: near 0 where all images are alike."""
    return x.std(0).mean().item()


show(
    image_grid(x_02[:32]),
    "32 different latents after 150 rounds of lesson 02's recipe: grey, grainy blots in a few shapes.",
    "A grid of 32 generated images: blurred grey blots in a few shapes, none a clear digit.",
)
print(f"spread: lesson 02's recipe {spread(x_02):.2f}, real digits {spread(x_real):.2f}")

# %% [markdown]
# The samples are too much alike, and no digit is clear. A generator that gives (nearly) the same image for every latent
# has **collapsed**; this one is on the way there. By the end of this lesson a gentler recipe, more rounds and one more
# kind of layer write all ten digits. Section 6 measures what that layer alone contributes.

# %% [markdown]
# ## 2. The idea
#
# The two players of lesson 02 meet again.
#
# $$\min_G \max_D \; V(D, G) = \mathbb{E}_{x \sim p_{\text{data}}}[\log D(x)] + \mathbb{E}_{z \sim N(0, I)}[\log(1 - D(G(z)))]$$
#
# - $x$: a real image, shape (1, 28, 28).
# - $z$: a latent, 64 numbers from a standard normal. It is the generator's only input, and its only source of variety.
# - $G(z)$: an image made from it. $D(\cdot)$: the probability that an image is real.
#
# **D's side is ordinary two-class classification.** Call real images class 1 and fakes class 0. The cross-entropy of a
# classifier is $-\log D(x)$ on class 1 and $-\log(1 - D(x))$ on class 0: exactly what $-V$ adds up. You have trained
# classifiers before. What is new is that class 0 changes while you train.
#
# **G's side has two forms.** Write $s$ for the logit of a fake, so $D = \mathrm{sigmoid}(s)$.
#
# | | G minimises | its slope in $s$ |
# |---|---|---|
# | saturating (the min-max game) | $\log(1 - D)$ | $-D$ |
# | non-saturating | $-\log D$ | $-(1 - D)$ |
#
# **By hand.** Early on D tells fakes with ease, say $D(G(z)) = 0.01$. The saturating loss hands G the slope $-0.01$,
# the non-saturating one $-0.99$: 99 times as much. Both point the same way. At $D = 1/2$ both slopes are $-0.5$.
# The next cell lets autograd confirm it.

# %%
D_of_fake = torch.tensor([0.01, 0.1, 0.5, 0.9])
s = torch.logit(D_of_fake).requires_grad_(True)
(slope_saturating,) = torch.autograd.grad((-softplus(s)).sum(), s)  # log(1 - sigmoid(s)) = -softplus(s)
(slope_nonsaturating,) = torch.autograd.grad(softplus(-s).sum(), s)  # -log sigmoid(s) = softplus(-s)
print("saturating", slope_saturating.numpy().round(3), "non-saturating", slope_nonsaturating.numpy().round(3))
assert torch.allclose(slope_saturating, -D_of_fake) and torch.allclose(slope_nonsaturating, D_of_fake - 1)

# %% [markdown]
# ## 3. Build G and D
#
# G widens from 64 latents to 784 pixels. `Tanh` brings every pixel into [-1, 1], the range of the real ones.
# `BatchNorm1d` is new. For each unit it subtracts the batch's mean and divides by the batch's standard deviation. Keep
# it in mind: section 6 takes it out.
#
# D narrows from 784 pixels to one logit. `LeakyReLU` keeps a slope of 0.2 below zero, so that a gradient
# reaches G through every unit of D.


# %%
class Generator(nn.Sequential):
    """(N, 64) latents -> (N, 1, 28, 28) images in [-1, 1]."""

    def __init__(self, z_dim=64):
        super().__init__(
            *(nn.Linear(z_dim, 256), nn.BatchNorm1d(256), nn.ReLU()),  # (N, 256)
            *(nn.Linear(256, 512), nn.BatchNorm1d(512), nn.ReLU()),  # (N, 512)
            *(nn.Linear(512, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))),  # (N, 784) -> (N, 1, 28, 28)
        )


class Discriminator(nn.Sequential):
    """(N, 1, 28, 28) images -> (N, 1) logits."""

    def __init__(self):
        super().__init__(
            nn.Flatten(),  # (N, 784)
            *(nn.Linear(784, 512), nn.LeakyReLU(0.2)),  # (N, 512)
            *(nn.Linear(512, 256), nn.LeakyReLU(0.2)),  # (N, 256)
            nn.Linear(256, 1),  # (N, 1): a logit, no sigmoid
        )


# %%
for name, net, x in (("G", Generator(), torch.randn(8, 64)), ("D", Discriminator(), x_real[:8])):
    print(f"{name}: {sum(p.numel() for p in net.parameters()):,} parameters, input {tuple(x.shape)}")
    for layer in net:
        x = layer(x)
        print(f"  {type(layer).__name__:12} {tuple(x.shape)}")

# %% [markdown]
# ## 4. The objective
#
# $$L_D = -\mathbb{E}[\log D(x)] - \mathbb{E}[\log(1 - D(G(z)))] \qquad L_G = -\mathbb{E}[\log D(G(z))]$$
#
# `GAN` is the library's base class: it holds G and D, draws latents with `sample_z` and calls G `generate`. Every loss
# takes `x` and `z`, whether it needs both or not. The formula stands as the docstring of its code. `detach` cuts D's loss off from G: D's step is none of G's
# business.


# %%
class VanillaGAN(GAN):
    """The game of Goodfellow et al. 2014, with the non-saturating loss for G."""

    def d_loss(self, x, z):
        """-E[log D(x)] - E[log(1 - D(G(z)))]"""
        real_logits, fake_logits = self.D(x), self.D(self.G(z).detach())
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def g_loss(self, x, z):
        """-E[log D(G(z))]"""
        return softplus(-self.D(self.G(z))).mean()

    def observe(self, x, z):
        """What the dashboard plots: D(x) and D(G(z)), averaged."""
        return {"d_real": self.D(x).sigmoid().mean(), "d_fake": self.D(self.G(z)).sigmoid().mean()}


# %% [markdown]
# The loop is lesson 02's, once more by hand: D's step, then G's. `frozen(gan.D)` says that G's step takes no gradient
# with respect to D's weights. The gradient still passes *through* D; PyTorch is spared work whose result nobody uses.


# %%
def play_rounds(gan, data, rounds, lr=1e-3, n=64):
    """Play the game by hand. Returns the last two losses."""
    opt_d = torch.optim.Adam(gan.D.parameters(), lr=lr, betas=(0.5, 0.999))
    opt_g = torch.optim.Adam(gan.G.parameters(), lr=lr, betas=(0.5, 0.999))
    for _ in range(rounds):
        d_loss = gan.d_loss(data.sample(n), gan.sample_z(n))
        opt_d.zero_grad()
        d_loss.backward()
        opt_d.step()
        with frozen(gan.D):
            g_loss = gan.g_loss(data.sample(n), gan.sample_z(n))
            opt_g.zero_grad()
            g_loss.backward()
            opt_g.step()
    return d_loss.item(), g_loss.item()


print("d_loss %.2f, g_loss %.2f" % play_rounds(VanillaGAN(Generator(), Discriminator(), z_dim=64), data, 50))

# %% [markdown]
# ## 5. Predict, then train
#
# From here on the library's `Trainer` plays the same rounds and adds what every long run needs: a live view, a stop
# button, and an average of G's weights over the last rounds, from which samples are drawn. With `ema_decay=0.998` each
# round keeps 99.8 % of the average and adds 0.2 % of the new weights: over about the last 1 / (1 - 0.998) = 500 rounds.
#
# **Predict before you run the next cell.** Write your answers down.
#
# 1. What will the samples look like after 200 rounds? After 1,000?
# 2. Where will the two losses settle: at 0? At $2 \log 2 = 1.39$ and $\log 2 = 0.69$? Nowhere?
# 3. Which digit will appear first?
#
# While it trains: pause, step once, move D's learning rate to 0 and watch what G does with a D that stands still.

# %%
ROUNDS = {"cpu": 3600, "gpu": 14400}[tier()]
seed_all(SEED)
gan = VanillaGAN(Generator(), Discriminator(), z_dim=64)
trainer = Trainer(gan, data, batch_size=64, lr=1e-3, ema_decay=0.998)
snapshots = {}  # 2,000 samples each; the first 64 latents are the same throughout


def take_snapshot(trainer):
    if trainer.round <= 3600 or trainer.round == ROUNDS:
        snapshots[trainer.round] = trainer.sample(2000, seed=0).cpu()


trainer.add_hook(take_snapshot, every=200)
run = train(trainer, rounds=ROUNDS)

# %%
run.wait()

# %% [markdown]
# Compare with your predictions.
#
# - The losses do not settle at a minimum. They hover, because each player's target moves. D stays a little ahead:
#   on average `d_loss` is below 1.39 and `g_loss` above 0.69.
# - "G's loss went up, so the images got worse": no. A loss says how a player does *against the other as it is now*.
#   Both players improve at once. The pictures and section 7's measure tell you about quality, the losses do not.

# %%
show(
    image_grid({f"round {r:,}": snapshots[r][:16] for r in (200, 600, 1400, ROUNDS)}, columns=4),
    "The same 16 latents as training goes on. Blots come first, then strokes, then digits.",
    "Four grids of 16 generated images, from grey blots early in training to readable digits at its end.",
)

# %% [markdown]
# ## 6. Explore
#
# Step through the run with the slider. Then answer, and open the answers.

# %%
browse(
    lambda r: image_grid(snapshots[r][:32]),
    list(snapshots),
    caption="32 fixed latents. In a live notebook a slider above the picture goes through the whole run.",
    alt="A grid of 32 generated digits.",
)
# %% [markdown]
# 1. Follow one latent. Does it stay the same digit from the first readable picture to the end?
# 2. Some samples stay grainy. Which layer of G makes a pixel independent of its neighbour, whatever the digit?
#
# <details><summary>Answers</summary>
#
# 1. Many change: G finds out late which latent should become which digit. Nothing in the loss ties a latent to a
#    digit (lesson 13 will).
# 2. The last linear layer: each of the 784 pixels has 512 weights of its own and shares none with its neighbour. That
#    two pixels lie side by side has to be learned for every pair. Lessons 05 and 06 build it in.
#
# </details>
#
# **Saturating against non-saturating, measured.** You worked out the slopes in a logit. What reaches G's weights?
# Train D alone against a fresh G until it is sure of the fakes, then take the gradient of both losses.

# %%
seed_all(SEED)
fresh = VanillaGAN(Generator(), Discriminator(), z_dim=64)
opt_d = torch.optim.Adam(fresh.D.parameters(), lr=1e-3, betas=(0.5, 0.999))
for _ in range(30):  # D's steps alone
    d_loss = fresh.d_loss(data.sample(64), fresh.sample_z(64))
    opt_d.zero_grad()
    d_loss.backward()
    opt_d.step()

z = fresh.sample_z(512)
norms = {}
for name, loss in {"saturating": g_minimax, "non-saturating": g_nonsaturating}.items():
    gradients = torch.autograd.grad(loss(fresh.D(fresh.G(z))), list(fresh.G.parameters()))
    norms[name] = torch.cat([g.flatten() for g in gradients]).norm().item()
print(f"D(G(z)) is {fresh.D(fresh.G(z)).sigmoid().mean():.4f} on average. Norm of the gradient in G's weights:")
print(f"saturating {norms['saturating']:.4f}, non-saturating {norms['non-saturating']:.4f}")

# %% [markdown]
# The saturating gradient (the library calls that loss `g_minimax`) is more than a thousand times smaller. Does G stand
# still, then? **Predict** for each of four cases: G takes 100 steps against this D, which is held fixed, with either
# loss and either optimiser.


# %%
def fool(gan, loss, make_optimizer, steps=100):
    """Let a copy of G take ``steps`` steps against the fixed D. Returns the mean D(G(z)) at the end."""
    G = copy.deepcopy(gan.G)
    opt_g = make_optimizer(G.parameters())
    with frozen(gan.D):
        for _ in range(steps):
            g_loss = loss(gan.D(G(gan.sample_z(64))))
            opt_g.zero_grad()
            g_loss.backward()
            opt_g.step()
        return gan.D(G(gan.sample_z(512))).sigmoid().mean().item()


sgd, adam = partial(torch.optim.SGD, lr=0.01), partial(torch.optim.Adam, lr=1e-3, betas=(0.5, 0.999))
fooled = {}
for name, loss in {"saturating": g_minimax, "non-saturating": g_nonsaturating}.items():
    for optimizer_name, make_optimizer in {"SGD": sgd, "Adam": adam}.items():
        fooled[name, optimizer_name] = fool(fresh, loss, make_optimizer)
        print(f"{name:15} with {optimizer_name:5} D(G(z)) = {fooled[name, optimizer_name]:.4f} after 100 steps")

# %% [markdown]
# With plain gradient descent the theory is right: under the saturating loss G hardly moves. **Adam hides it.** Adam
# divides each gradient by its own recent size, so a tiny gradient makes a step as large as any. You will read that the
# saturating loss "cannot train"; with Adam it often can. The non-saturating loss does not depend on that rescue, and
# this course plays with it.
#
# **Ablation: take batch norm out of G.** Everything else stays: losses, optimiser, seed. Compare at round 1,200.


# %%
def without_batch_norm(G):
    return nn.Sequential(*[layer for layer in G if not isinstance(layer, nn.BatchNorm1d)])


z = torch.randn(512, 64)
spread_with, spread_without = spread(Generator()(z).detach()), spread(without_batch_norm(Generator())(z).detach())
print(f"spread before training: with {spread_with:.2f}, without {spread_without:.2f}; real digits {spread(x_real):.2f}")
seed_all(SEED)
plain = Trainer(VanillaGAN(without_batch_norm(Generator()), Discriminator(), z_dim=64), data, lr=1e-3, ema_decay=0.998)
ablation = {"with batch norm": snapshots[1200], "without": plain.run(1200).sample(2000, seed=0).cpu()}
fid_ablation = {name: fid_digits(x_real, x).value for name, x in ablation.items()}
print("spread at round 1,200:", ", ".join(f"{name} {spread(x):.2f}" for name, x in ablation.items()))
show(
    image_grid({f"{name}: FID-d {fid_ablation[name]:.0f}": x[:32] for name, x in ablation.items()}),
    "Round 1,200 of the same game. The eye sees a little more blur without batch norm; FID-d (section 7) sees much.",
    "Two grids of 32 generated images at round 1,200; those without batch norm are more blurred.",
)

# %% [markdown]
# A linear layer with PyTorch's default weights shrinks the differences between its inputs, and three in a row leave
# little of the latent: before training has begun, G's images are nearly the same. D sees one spot in the space of images
# and drives it, as a whole, from place to place. Batch norm restores the differences behind both hidden layers: within a
# batch each unit has variance 1, before a scale and a shift that are learned. (In eval mode it uses running averages
# in place of the batch's.) One warning, since much public code has it: `nn.BatchNorm1d(n, 0.8)` sets **eps** to
# 0.8, not the momentum, and dividing by $\sqrt{\text{var} + 0.8}$ normalises next to nothing in a new G, whose variances
# lie far below 0.8.

# %% [markdown]
# ## 7. Measure it
#
# You want one number for "how near are the samples to real digits". Take a classifier, trained on real digits, and look
# at its last hidden layer: 64 numbers an image that describe strokes, not pixels. **FID-d** fits a Gaussian to these
# numbers for real images and another for samples, and takes the Fréchet distance of the two: 0 where means and
# covariances agree. Lesson 12 builds it by hand. Compare it only at equal numbers of samples; here that is 2,000.

# %%
x_gan = trainer.sample(2000, seed=0).cpu()
fid_naive, fid_gan = fid_digits(x_real, x_naive), fid_digits(x_real, x_gan)
shares = digit_shares(x_gan)
print("naive Bayes", fid_naive)
print("this GAN   ", fid_gan)

figure = Figure(figsize=(7, 2.6), layout="constrained")
axes = figure.subplots()
axes.bar(range(10), [100 * share for share in shares.tolist()], color=FAKE, label="samples")
axes.axhline(10, color=REAL, linewidth=2, label="real digits")
axes.axhline(1, color=CRITIC, linestyle="--", label="the claim: at least 1 %")
axes.set(xlabel="digit, as the classifier reads it", ylabel="share of 2,000 samples (%)", xticks=range(10))
axes.legend(ncols=3, fontsize=8, loc="lower center", bbox_to_anchor=(0.5, 1))
show(figure, "No digit is missing. The shares are uneven: nothing in the loss asks for even ones.",
     "Bar chart of the share of each digit among the samples, all above one per cent.")  # fmt: skip

# %% [markdown]
# **Where the measures mislead.** Two traps, both measured in the next cell.
#
# 1. *The classifier's confidence is no measure of readability.* A classifier has to answer, so it is about
#    as sure of naive Bayes' clouds as of this GAN's digits, and surer still of pure noise.
#    To it, section 1's blots are nearly all an "8", and so is noise: counting its verdicts would have called a generator
#    collapsed, or well spread, for the wrong reason. Count them only where the images look like digits.
# 2. *FID-d does not notice copying.* A "generator" that replays its training images beats every honest one.


# %%
@torch.no_grad()
def confidence(x):
    """The classifier's mean probability for the digit that it chooses."""
    return load_classifier()(x.cpu()).softmax(1).max(1).values.mean().item()


noise = torch.rand(2000, 1, 28, 28, generator=torch.Generator().manual_seed(SEED)) * 2 - 1
copies = data.sample(2000, torch.Generator().manual_seed(SEED))
fid_copies = fid_digits(x_real, copies)
print(f"{'':22}confidence   FID-d")
for name, x in {"real digits": x_real[mixed[:2000]], "copies of real digits": copies, "this GAN": x_gan,
                "naive Bayes": x_naive, "noise": noise}.items():  # fmt: skip
    print(f"{name:22}{confidence(x):10.2f}{fid_digits(x_real, x).value:8.1f}")
for name, x in {"section 1's blots": x_02, "noise": noise}.items():
    print(f"read as their most frequent digit, {digit_shares(x).argmax()}: {digit_shares(x).max():.0%} of {name}")

# %% [markdown]
# Is *your* GAN a copier? Look for the training image nearest to each sample.

# %%
distances = torch.cdist(x_gan[:8].flatten(1), x_real.flatten(1))
nearest = x_real[distances.argmin(1)]
show(
    image_grid(torch.cat([x_gan[:8], nearest])),
    "Top: samples. Bottom: for each, the nearest of the 4,000 training images. Alike in kind, not the same.",
    "Two rows of eight digits: generated ones above, their nearest training images below.",
)
print(f"mean distance to the nearest training image: {distances.min(1).values.mean():.1f}; a copy has 0")

# %% [markdown]
# ## 8. The claims
#
# This is what the lesson said would happen. If one of these lines fails, the lesson is wrong, and you should tell us.

# %%
claim("gradient in G's weights against a sure D, non-saturating over saturating",
      norms["non-saturating"] / norms["saturating"], at_least=10)  # fmt: skip
claim("FID-d of this GAN, as a share of naive Bayes'", fid_gan.value / fid_naive.value, at_most=0.5)
claim("share of the rarest digit", shares.min(), at_least=0.01)
claim("spread under lesson 02's recipe, as a share of the real digits'", spread(x_02) / spread(x_real), at_most=0.75)
claim("D(G(z)) that the saturating loss reaches with SGD", fooled["saturating", "SGD"], at_most=0.05)
claim("D(G(z)) that the saturating loss reaches with Adam", fooled["saturating", "Adam"], at_least=0.5)
claim(
    "spread before training without batch norm, as a share of that with it", spread_without / spread_with, at_most=0.5
)
claim("FID-d at round 1,200 without batch norm over that with it",
      fid_ablation["without"] / fid_ablation["with batch norm"], at_least=1.2)  # fmt: skip

# %% [markdown]
# ## 9. In practice
#
# What breaks, and what people believe about it:
#
# - *"D should win."* A D that is always right gives G a gradient that says little about where to go. You saw D lead in
#   section 5, but not by much.
# - *"More layers help."* Try four hidden layers in G: the collapse of section 1 lasts longer.
# - *"The average over rounds blurs the images."* It averages weights, not images, and takes the flicker out of G.
# - *"It learned the digits, so it knows what a 4 is."* Nobody told it. You cannot ask this G for a 4; lesson 13 can.
#
# **The library's twin.** `ganedu.models.vanilla` holds this lesson's classes. The same parameters, the same images:

# %%
twin = vanilla.VanillaGAN(z_dim=64)
twin.load_state_dict(gan.cpu().state_dict())
z = torch.randn(4, 64)
assert torch.equal(twin.eval().generate(z), gan.eval().generate(z))
print(f"{sum(p.numel() for p in twin.parameters()):,} parameters, equal samples")

# %% [markdown]
# ## Summary
#
# - D is a two-class classifier whose second class moves. G learns through D alone.
# - Non-saturating and saturating losses agree on the direction and differ in its length, most of all where D is sure.
# - Collapse means: other latents, same image. Batch norm in G works against it.
# - The losses do not measure quality. FID-d does, with a stated classifier and n, and cannot see copying.
#
# **Exercises.** [Exercise 04](../exercises/04_vanilla_gan.ipynb): a generator, both losses, a GAN of grey squares to repair,
# and a judge that says what is wrong with samples. Then, ungraded, with the cells above: (1) halve the latent's size until
# a digit disappears; (2) swap ReLU and LeakyReLU between the nets. Predict first.
#
# **Where next.** Lesson 03 shows what D's loss measures: a distance between two distributions. Lessons 05 and 06 give
# both networks convolutions, and the grain goes away.
