# ---
# jupyter:
#   ganedu:
#     learn: what is learned, and what the lesson proves by measurement; a line of the README's table
#     minutes: 90
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
# # __NUMBER__ __TITLE__
#
# <!-- badge --><!-- /badge -->
#
# **The one question that this lesson answers?** One or two sentences on what you do to answer it.
#
# Paper: Goodfellow et al. 2014, *Generative Adversarial Nets*, <https://arxiv.org/abs/1406.2661>.
#
# You will be able to:
#
# - build the new net, and name every shape in it;
# - write the new objective, and say what each symbol in it stands for;
# - measure whether it does what it promises, and say where that measure misleads.
#
# You need lesson 04. Plan 90 minutes; the computer works for one of them on a CPU, and the same on a GPU.

# %% tags=["setup"]
# >>> setup
# <<< setup

# %%
import matplotlib.pyplot as plt
import torch
from torch import nn
from torch.nn.functional import softplus

from ganedu.blocks import mlp
from ganedu.checks import claim
from ganedu.data import digits
from ganedu.gan import GAN
from ganedu.metrics.features import digit_shares
from ganedu.metrics.fid import fid_digits
from ganedu.models import __NAME__
from ganedu.runtime import lesson_seed, seed_all, tier
from ganedu.training import Trainer
from ganedu.views.figure import CRITIC, FAKE, REAL, image_grid, show
from ganedu.views.live import train
from ganedu.views.snapshots import browse

SEED = lesson_seed()
seed_all(SEED)

# %% [markdown]
# ## 1. The problem, seen
#
# *The failure of an earlier lesson, as a picture, before any formula. Say what to look for, then let the picture say it.*
#
# Here are real digits, and beside them what a generator makes before it has learned anything.
#
# - *What was tried so far, and in which lesson.*
# - *Why that cannot mend it: one reason, not three.*

# %%
data = digits("train")
x_real = data.all()
mixed = torch.randperm(len(data), generator=torch.Generator().manual_seed(0))
x_untrained = __NAME__.TemplateGAN().generate(torch.randn(16, 64)).detach()
show(
    image_grid({"real": x_real[mixed[:16]], "untrained": x_untrained}),
    "Left: real digits. Right: what is wrong, in one sentence.",
    "Two grids of 16 images: clean strokes on the left, grey noise on the right.",
)

# %% [markdown]
# *One sentence on what the picture shows, and the step from it to the idea.*
#
# ## 2. The idea
#
# *The formula, each of its symbols named, and a small example that is worked by hand.*
#
# $$\min_G \max_D \; \mathbb{E}_{x}[\log D(x)] + \mathbb{E}_{z}[\log(1 - D(G(z)))]$$
#
# - $x$: a real image, shape (1, 28, 28). $z$: a latent, 64 numbers from $N(0, I)$.
# - $G(z)$: an image made of it. $D(\cdot)$: the probability that an image is real.
#
# **By hand.** D gives a fake the logit $-2$. Then $D = 1/(1 + e^2) = 0.119$, and G pays $-\log 0.119 = 2.127$. The next
# cell checks that.

# %%
logit = torch.tensor(-2.0)
print(f"D = {logit.sigmoid():.3f}, G pays {softplus(-logit):.3f}")
assert abs(softplus(-logit).item() - 2.127) < 1e-3

# %% [markdown]
# ## 3. Build G and D
#
# - *What is new in G, layer by layer, and what each new layer is for.*
# - *What is new in D. What does it see that it did not see before?*
# - *How many parameters that makes: count one layer by hand.*
#
# *Shapes stand in comments, the next cell prints them. What an earlier lesson wrote comes
# from the library; what this lesson teaches is written out here, in full.*


# %%
class Generator(nn.Sequential):
    """(N, 64) latents -> (N, 1, 28, 28) images in [-1, 1]."""

    def __init__(self, z_dim=64):
        super().__init__(
            *(nn.Linear(z_dim, 128), nn.BatchNorm1d(128), nn.ReLU()),  # (N, 128)
            *(nn.Linear(128, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))),  # (N, 784) -> (N, 1, 28, 28)
        )


class Discriminator(nn.Sequential):
    """(N, 1, 28, 28) images -> (N, 1) logits."""

    def __init__(self):
        super().__init__(nn.Flatten(), *mlp([784, 128, 1], lambda: nn.LeakyReLU(0.2)))


# %%
for name, net, x in (("G", Generator(), torch.randn(8, 64)), ("D", Discriminator(), x_real[:8])):
    print(f"{name}: {sum(p.numel() for p in net.parameters()):,} parameters, input {tuple(x.shape)}")
    for layer in net:
        x = layer(x)
        print(f"  {type(layer).__name__:12} {tuple(x.shape)}")

# %% [markdown]
# ## 4. The objective
#
# *The formula right above its code, with the same symbols. A loss is something to minimise; it names the entries of the
# batch that it needs: `x`, `z`, and in a conditional game `y`.*
#
# $$L_D = -\mathbb{E}[\log D(x)] - \mathbb{E}[\log(1 - D(G(z)))] \qquad L_G = -\mathbb{E}[\log D(G(z))]$$


# %%
class TemplateGAN(GAN):
    """The game of this lesson."""

    lr = 1e-3

    def d_loss(self, x, z):
        """-E[log D(x)] - E[log(1 - D(G(z)))]"""
        real_logits, fake_logits = self.D(x), self.D(self.G(z).detach())
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def g_loss(self, z):
        """-E[log D(G(z))]"""
        return softplus(-self.D(self.G(z))).mean()


# %% [markdown]
# ## 5. Predict, then train
#
# *The recipe in one sentence, and where it differs from the paper's, with the reason.*
#
# *Two or three questions whose answers a student can be wrong about. Then the run, live, in view of them.*
#
# **Predict before you run the next cell.** Write your answers down.
#
# 1. What will the samples look like after 50 rounds? After the last one?
# 2. Which of the two losses will be the larger one at the end?
# 3. *A question about what is new in this lesson.*

# %%
ROUNDS = {"cpu": 200, "gpu": 800}[tier()]
seed_all(SEED)
gan = TemplateGAN(Generator(), Discriminator(), z_dim=64)
trainer = Trainer(gan, data, batch_size=64, ema_decay=0.95)
snapshots = {}


def take_snapshot(trainer):
    snapshots[trainer.round] = trainer.sample(500).cpu()


trainer.add_hook(take_snapshot, every=ROUNDS // 4)
run = train(trainer, rounds=ROUNDS)

# %%
run.wait()

# %% [markdown]
# Compare with your predictions.
#
# - *What happened, and why.*
# - *A misconception, in its own words*: "D's loss goes up, so the images get worse." No: a loss says how a player does
#   against the other as it is now.

# %%
show(
    image_grid({f"round {r}": x[:12] for r, x in snapshots.items()}, columns=4),
    "The same 12 latents as training goes on: what to see, in one sentence.",
    "Four grids of 12 generated images, from grey blots to first strokes.",
)

# %% [markdown]
# ## 6. Explore
#
# *One thing that answers to the hand (a slider, a pad, a knob), two questions about it, and one ablation that shows why the
# new term is there.*

# %%
browse(
    lambda r: image_grid(snapshots[r][:16]),
    list(snapshots),
    caption="16 fixed latents. In a live notebook a slider above the picture goes through the run.",
    alt="A grid of 16 generated images.",
)

# %% [markdown]
# 1. *A question that the slider answers?*
# 2. *A question that needs a thought as well?*
#
# <details><summary>Answers</summary>
#
# 1. *The first answer.*
# 2. *The second one.*
#
# </details>
#
# **Ablation: leave the new part out.** *Everything else stays: nets, optimiser, seed. Say what you expect.*


# %%
def without_batch_norm(G):
    """The same layers but the one that is left out."""
    return nn.Sequential(*[layer for layer in G if not isinstance(layer, nn.BatchNorm1d)])


def spread(x):
    """Standard deviation over a batch, averaged over pixels: near 0 where all images are alike."""
    return x.std(0).mean().item()


seed_all(SEED)
plain = TemplateGAN(without_batch_norm(Generator()), Discriminator(), z_dim=64)
x_plain = Trainer(plain, data, batch_size=64, ema_decay=0.95).run(ROUNDS).sample(500).cpu()
x_gan = trainer.sample(500).cpu()
show(
    image_grid({"as it is": x_gan[:16], "left out": x_plain[:16]}),
    "The same number of rounds with the new part and without it.",
    "Two grids of 16 generated images.",
)
print(f"spread: as it is {spread(x_gan):.2f}, left out {spread(x_plain):.2f}, real digits {spread(x_real):.2f}")

# %% [markdown]
# ## 7. Measure it
#
# *A number for what the lesson promises, against a baseline, with n and features stated.*
#
# - *What the number is 0 for, and what it is large for.*
# - *The baseline, and why it is the right one.*

# %%
fids = {f"round {r}": fid_digits(x_real, x).value for r, x in snapshots.items()}
untrained = TemplateGAN(Generator(), Discriminator(), z_dim=64)
fid_untrained = fid_digits(x_real, untrained.generate(torch.randn(500, 64)).detach())
shares = digit_shares(x_gan)
figure, (left, right) = plt.subplots(1, 2, figsize=(8, 2.8), layout="constrained")
left.plot(list(snapshots), list(fids.values()), "o-", color=FAKE)
left.axhline(fid_untrained.value, color=CRITIC, linestyle="--", label="untrained")
left.set(xlabel="round", ylabel="FID-d of 500 samples")
left.legend(frameon=False)
right.bar(range(10), (100 * shares).tolist(), color=FAKE)
right.axhline(10, color=REAL, label="real digits")
right.set(xlabel="digit, as the classifier reads it", ylabel="share of samples (%)", xticks=range(10))
right.legend(frameon=False)
show(
    figure,
    "Left: FID-d falls with the rounds. Right: which digits the classifier reads.",
    "A falling curve below a dashed line; a bar chart of ten shares.",
)

# %% [markdown]
# **Where the measure misleads.** *An example that the number gets wrong, measured.* FID-d compares means and covariances of
# features. A "generator" that replays the training images has the right ones, and it has learned nothing that is new.

# %%
copies = data.sample(500, torch.Generator().manual_seed(SEED))
fid_copies = fid_digits(x_real, copies)
print(f"FID-d of copies {fid_copies.value:.1f}, of this GAN {fids[f'round {ROUNDS}']:.1f}")


def nearest(x):
    """The training image nearest to each of x, (N, 1, 28, 28), pixel by pixel."""
    return x_real[torch.cdist(x.flatten(1), x_real.flatten(1)).argmin(1)]


show(
    image_grid(torch.cat([x_gan[:8], nearest(x_gan[:8])])),
    "Top: samples. Bottom: for each, the nearest training image. Is it the same picture?",
    "Two rows of eight images: generated ones above, their nearest training images below.",
)

# %% [markdown]
# ## 8. The claims
#
# *What the lesson said would happen, with thresholds that five other seeds keep as well: `make publish` measures that.*

# %%
claim("FID-d at the end, as a share of the untrained net's", fids[f"round {ROUNDS}"] / fid_untrained.value, at_most=0.9)
claim("spread of the samples, as a share of the real digits'", spread(x_gan) / spread(x_real), at_least=0.2)

# %% [markdown]
# ## 9. In practice
#
# What breaks, and what people believe about it:
#
# - *"A sentence that people say."* What is true in its place.
# - *"A fault of public code."* How to see it.
#
# **The library's twin.** `ganedu.models.__NAME__` has this lesson's classes. The same parameters, the same losses:

# %%
twin, gan = __NAME__.TemplateGAN(), gan.cpu()
twin.load_state_dict(gan.state_dict())
x, z = data.sample(8).cpu(), torch.randn(8, 64)
assert torch.equal(twin.d_loss(x, z), gan.d_loss(x, z)) and torch.equal(twin.g_loss(z), gan.g_loss(z))
print(f"equal losses: D {twin.d_loss(x, z):.4f}, G {twin.g_loss(z):.4f}")

# %% [markdown]
# ## Summary
#
# - *What it is, in a sentence with its formula.*
# - *What it mends, as measured.*
# - *What it does not mend, and what it costs.*
#
# **Exercises.** [Exercise __NUMBER__](../exercises/__STEM__.ipynb): both losses, predictions, a game to repair, and
# a measure. Then, ungraded: change one thing in the cells above. Predict first.
#
# **Where next.** *Which question is open, and which lesson takes it up.*
