# ---
# jupyter:
#   ganedu:
#     title: The DCGAN
#     learn: >-
#       its rules one by one, each left out once; walks and arithmetic among latents; D's features at work with
#       100 labels
#     minutes: 110
#     cpu: 2 min
#     gpu: some minutes, on 60,000 pictures
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
# # 06 The deep convolutional GAN
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# **Which few rules make convolutions play the game well, and what do G and D know once they have played it?**
#
# Paper: Radford, Metz and Chintala, *Unsupervised Representation Learning with Deep Convolutional Generative Adversarial
# Networks*, 2016, [arXiv:1511.06434](https://arxiv.org/abs/1511.06434).
#
# You will be able to
#
# - build DCGAN's two nets from its rules, and count their multiply-adds by hand,
# - take each rule away and say from a measurement whether it matters, and how far the measurement carries,
# - walk through latent space on a line and on a sphere, and do arithmetic with latents,
# - use D as a feature extractor where labels are few.
#
# You need lessons 04 and 05. Plan 110 minutes; the computer works for about two of them on one CPU core. On a GPU a
# further run, on 60,000 pictures of clothes, takes some minutes.

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
import math

import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn.functional import softplus

from ganedu.checks import claim
from ganedu.data import digits, fashion_mnist
from ganedu.gan import GAN
from ganedu.interpolation import lerp
from ganedu.metrics.features import classify, digit_features
from ganedu.metrics.fid import frechet_features
from ganedu.metrics.probe import linear_probe
from ganedu.models import dcgan, vanilla
from ganedu.runtime import lesson_seed, seed_all, tier
from ganedu.training import Trainer, frozen, update
from ganedu.views.figure import CRITIC, FAKE, image_grid, show
from ganedu.views.latent import explore
from ganedu.views.live import train
from ganedu.views.snapshots import browse

SEED = lesson_seed()
seed_all(SEED)

# %% [markdown]
# ## 1. The problem, seen
#
# A linear layer does not know which pixels are neighbours. Shuffle the pixels of all images alike, and lesson 04's game
# stays the same game: each weight moves to another pixel. What you see at a glance, its nets must learn. What does that
# cost? Play it for 1,000 rounds of 16 images, with nets so wide that a sample costs as many multiply-adds as in this
# lesson's nets (section 3 counts them).

# %%
data = digits("train")
x_real = data.all()
real_features = digit_features(x_real)
ROUNDS, COMPARED, BATCH = 2000, 1000, 16
LOOKS = (100, 200, 400, 700, 1000, 1500, 2000)  # rounds at which 2,000 samples are kept


def play(gan, rounds=ROUNDS):
    """A trainer for ``gan`` and the dict of its samples at ``LOOKS``. Every run of this lesson has this one recipe."""
    trainer = Trainer(gan, data, batch_size=BATCH, lr=1e-3, ema_decay=0.995, seed=SEED)
    looks = {}

    def look(trainer):
        if trainer.round in LOOKS or trainer.round == rounds:
            looks[trainer.round] = trainer.sample(2000, seed=0).clamp(-1, 1).cpu()

    trainer.add_hook(look, every=100)
    return trainer, looks


def fid_d(x):
    """FID-d of samples, as in lesson 04, against the 4,000 real digits."""
    return frechet_features(real_features, digit_features(x))


# %%
seed_all(SEED)
mlp_gan = vanilla.VanillaGAN(vanilla.Generator(widths=(650, 1300)), vanilla.Discriminator(widths=(448, 224)))
mlp_trainer, mlp_looks = play(mlp_gan)
mlp_trainer.run(COMPARED)
show(image_grid(mlp_looks[COMPARED][:16]),
     "Linear layers after 16,000 images: blurred outlines in a cloud of grain. Some can be guessed, none is clean.",
     "Two rows of 8 grainy, blurred generated images; about half can be read as digits.")  # fmt: skip

# %% [markdown]
# ## 2. The idea
#
# A convolution builds neighbourhood in: its few weights look at one small patch, and the same weights look everywhere.
# Early attempts to put convolutions into GANs failed all the same. The paper found rules under which it works.
#
# | rule | in G | in D | the reason given |
# |---|---|---|---|
# | 1 no pooling | transposed convolutions, stride 2 | convolutions, stride 2 | each net learns its own resampling (lesson 05) |
# | 2 batch norm | before each ReLU | behind each inner convolution | activations neither die out nor blow up |
# | 3 no hidden dense layer | latent, then one linear map to a small picture | features, then the logit | fewer weights, more structure |
# | 4 activations | ReLU | LeakyReLU, slope 0.2 | D passes a gradient through every unit |
# | 5 tanh | at the end | | samples in [-1, 1], as the data are |
# | 6 init | weights from $N(0, 0.02^2)$ | the same | small, alike in scale in every layer |
# | 7 Adam | $\beta_1 = 0.5$ | the same | little momentum: the other player moves the target |
#
# **Batch norm on images, by hand.** It normalises per *channel*, over all pixels of all images in the batch. Take two
# images of 1 x 2 pixels and one channel: (1, 3) and (5, 7).
#
# $$\mu = \tfrac{1 + 3 + 5 + 7}{4} = 4 \qquad \sigma^2 = \tfrac{9 + 1 + 1 + 9}{4} = 5 \qquad \hat{h} = \frac{h - \mu}{\sqrt{\sigma^2 + \epsilon}}$$
#
# - $h$: an activation. $\mu$, $\sigma^2$: mean and variance of its channel in this batch. $\epsilon$: $10^{-5}$, against division by 0.
# - So 1, 3, 5, 7 become -1.34, -0.45, 0.45, 1.34. Then a learned scale and shift per channel follow.
#
# ## 3. Build G and D
#
# Read each net beside the table. Kernel 4, stride 2, padding 1 doubles a side on the way up and halves it on the way down
# (lesson 05). Where batch norm follows, `bias=False`: it would take any bias out again.


# %%
def init_weights(module):
    """Rule 6: weights from N(0, 0.02²), batch norm's scale from N(1, 0.02²), every bias 0."""
    if isinstance(module, nn.Conv2d | nn.ConvTranspose2d | nn.Linear):
        nn.init.normal_(module.weight, 0.0, 0.02)
    elif isinstance(module, nn.BatchNorm2d):
        nn.init.normal_(module.weight, 1.0, 0.02)
    if getattr(module, "bias", None) is not None:
        nn.init.zeros_(module.bias)


class Generator(nn.Sequential):
    """(N, 64) latents -> (N, 1, 28, 28) images in [-1, 1]."""

    def __init__(self, z_dim=64, width=16):
        many, some = 4 * width, 2 * width  # channels: 64 and 32
        super().__init__(
            *(nn.Linear(z_dim, many * 7 * 7, bias=False), nn.Unflatten(1, (many, 7, 7))),  # (N, 64, 7, 7)
            *(nn.BatchNorm2d(many), nn.ReLU(), nn.ConvTranspose2d(many, some, 4, 2, 1, bias=False)),  # (N, 32, 14, 14)
            *(nn.BatchNorm2d(some), nn.ReLU(), nn.ConvTranspose2d(some, 1, 4, 2, 1, bias=False)),  # (N, 1, 28, 28)
            nn.Tanh(),
        )
        self.apply(init_weights)


# %%
class Discriminator(nn.Sequential):
    """(N, 1, 28, 28) images -> (N, 1) logits."""

    def __init__(self, width=16):
        some = 2 * width  # 32
        super().__init__(
            *(nn.Conv2d(1, width, 4, 2, 1), nn.LeakyReLU(0.2)),  # (N, 16, 14, 14): no batch norm on what comes in
            *(nn.Conv2d(width, some, 4, 2, 1, bias=False), nn.BatchNorm2d(some), nn.LeakyReLU(0.2)),  # (N, 32, 7, 7)
            *(nn.Flatten(), nn.Linear(some * 7 * 7, 1)),  # 1,568 features -> a logit
        )
        self.apply(init_weights)


# %% [markdown]
# **Count multiply-adds.** A linear layer uses each weight once a sample. A convolution uses each weight at every position
# of its *output*, a transposed one at every position of its *input*. D's first layer: $16 \cdot 1 \cdot 4 \cdot 4 = 256$
# weights at $14 \cdot 14$ positions, 50,176. (Norms and activations are left out: they cost little.)


# %%
@torch.no_grad()
def multiply_adds(net, x):
    """Print each layer's output and multiply-adds for one sample of the batch ``x``; return their sum."""
    total, net = 0, copy.deepcopy(net).eval()
    for layer in net:
        y = layer(x)
        positions = {nn.Linear: 1, nn.Conv2d: y[0, 0].numel(), nn.ConvTranspose2d: x[0, 0].numel()}.get(type(layer), 0)
        if positions:
            print(f"  {type(layer).__name__:15} {tuple(y.shape[1:])!s:12} {layer.weight.numel() * positions:9,}")
            total += layer.weight.numel() * positions
        x = y
    return total


z, costs = torch.randn(2, 64), {}
for name, G, D in (("DCGAN", Generator(), Discriminator()), ("linear", mlp_gan.G.cpu(), mlp_gan.D.cpu())):
    print(name)
    costs[name] = multiply_adds(G, z), multiply_adds(D, x_real[:2])
    parameters = sum(p.numel() for net in (G, D) for p in net.parameters())
    print(f"  G {costs[name][0]:,}, D {costs[name][1]:,} multiply-adds; {parameters:,} parameters\n")

# %% [markdown]
# G against G and D against D the two games cost the same to within 0.3 %. That is what section 1's widths were chosen
# for. A convolution uses its weights again and again: DCGAN makes do with a tenth of the parameters.
#
# ## 4. The objective
#
# It is lesson 04's, unchanged: all that is new lies in the nets.
#
# $$L_D = -\mathbb{E}[\log D(x)] - \mathbb{E}[\log(1 - D(G(z)))] \qquad L_G = -\mathbb{E}[\log D(G(z))]$$


# %%
class DCGAN(GAN):
    """The non-saturating game between the two nets above."""

    lr, betas = 1e-3, (0.5, 0.999)  # rule 7

    def d_loss(self, x, z):
        """-E[log D(x)] - E[log(1 - D(G(z)))]"""
        real_logits, fake_logits = self.D(x), self.D(self.G(z).detach())
        return softplus(-real_logits).mean() + softplus(fake_logits).mean()

    def g_loss(self, x, z):
        """-E[log D(G(z))]"""
        return softplus(-self.D(self.G(z))).mean()


# %% [markdown]
# Two things about batch norm in a game. **Real and fake images go through D in two batches**, each normalised by its own
# mean and variance. And batch norm keeps running averages of both, for eval mode. They move at every pass in training
# mode, *whoever's turn it is*: `detach` and `frozen` stop gradients, not running averages. Watch one round.


# %%
def state(net):
    """Copies of a net's parameters and of batch norm's running statistics."""
    return [torch.cat([t.detach().float().flatten() for t in group]) for group in (net.parameters(), net.buffers())]


game, moved = DCGAN(Generator(), Discriminator(), z_dim=64), {}
for player, other in (("D", "G"), ("G", "D")):
    before = {name: state(getattr(game, name)) for name in "DG"}
    with frozen(getattr(game, other)):
        loss = game.loss(player, game.draw(data, BATCH))
        update(game.optimizer(player, 1e-3), loss)  # zero_grad, backward, step
    for name in "DG":
        moved[player, name] = [not torch.equal(*pair) for pair in zip(before[name], state(getattr(game, name)))]
        print("{}'s turn: {}'s parameters move: {}, its statistics: {}".format(player, name, *moved[player, name]))

# %% [markdown]
# Each player's parameters move in its own turn alone. The statistics of both players move in both turns. For G that does
# no harm: its passes in D's turn are as good as its own. D's averages mix real and fake batches: section 7 replaces them.
#
# ## 5. Predict, then train
#
# The same recipe as in section 1, twice the rounds. Write down, before you run: After how many rounds can you read a first
# digit? Which of the seven rules would you give up first, and which would ruin the run at once? Section 6 tries all.

# %%
seed_all(SEED)
gan = DCGAN(Generator(), Discriminator(), z_dim=64)
trainer, looks = play(gan)
run = train(trainer, rounds=ROUNDS)

# %%
run.wait()
grids = {f"linear, round {COMPARED:,}": mlp_looks[COMPARED], f"DCGAN, round {COMPARED:,}": looks[COMPARED]}
grids[f"DCGAN, round {ROUNDS:,}"] = looks[ROUNDS]
show(image_grid({name: x[:16] for name, x in grids.items()}, columns=4),
     "Left and middle: equal multiply-adds, equal images seen. Right: DCGAN after as many again.",
     "Three grids of 16 generated images: grainy digits from linear layers, then clean strokes, twice.")  # fmt: skip

# %% [markdown]
# ## 6. Explore
#
# Do not worry about the wild lower curves: they look at D in eval mode, with averages that mix real and fake batches. The
# losses, from training mode, are what D plays by. Step through the run, and look for the first digit that you can read:
# strokes come first, how they belong together later.

# %%
browse(lambda r: image_grid(looks[r][:24]), list(looks),
       caption="The same 24 latents throughout. In a live notebook a slider above the picture goes through the run.",
       alt="A grid of 24 generated digits.")  # fmt: skip

# %% [markdown]
# **Ablation.** Each of the next seven games breaks one rule and keeps the others: same seed, same recipe, 200 rounds.
# A `change` says which layers stand in the place of a layer. Then all weights are drawn anew by rule 6.


# %%
def no_stride(layer):
    """1: 3x3 convolutions of stride 1, with pooling in D and plain up-sampling in G. The cost stays about the same."""
    if isinstance(layer, nn.ConvTranspose2d):
        both = [nn.Conv2d(layer.in_channels, layer.out_channels, 3, padding=1, bias=False), nn.Upsample(scale_factor=2)]
        return both[::-1] if layer.out_channels == 1 else both
    if isinstance(layer, nn.Conv2d):
        return [nn.Conv2d(layer.in_channels, layer.out_channels, 3, padding=1), nn.MaxPool2d(2)]
    return [layer]


def without(kind):
    """2 and 5: leave every layer of a kind out."""
    return lambda layer: [] if isinstance(layer, kind) else [layer]


# %%
def hidden_dense(layer):
    """3: a hidden dense layer of 256 behind G's latents and before D's logit."""
    if isinstance(layer, nn.Linear):
        activation = nn.ReLU() if layer.out_features > 1 else nn.LeakyReLU(0.2)
        return [nn.Linear(layer.in_features, 256), activation, nn.Linear(256, layer.out_features)]
    return [layer]


def swapped(layer):
    """4: LeakyReLU in G, ReLU in D."""
    return [{nn.ReLU: nn.LeakyReLU(0.2), nn.LeakyReLU: nn.ReLU()}.get(type(layer), layer)]


# %%
def changed(net, change):
    """``net`` rebuilt with ``change(layer)`` in place of each layer, its weights drawn anew."""
    return nn.Sequential(*[new for layer in net for new in change(layer)]).apply(init_weights)


def pytorch_init(layer):
    """6: PyTorch's own initial weights."""
    if hasattr(layer, "reset_parameters"):
        layer.reset_parameters()


CHANGES = {"1 pooling": no_stride, "2 no batch norm": without(nn.BatchNorm2d), "3 dense layers": hidden_dense,
           "4 ReLUs swapped": swapped, "5 no tanh": without(nn.Tanh)}  # fmt: skip
ablated = {"all seven rules": looks[200]}
for name in (*CHANGES, "6 PyTorch's init", "7 beta1 0.9"):
    seed_all(SEED)
    game = DCGAN(Generator(), Discriminator(), z_dim=64)
    if name in CHANGES:
        game = DCGAN(changed(game.G, CHANGES[name]), changed(game.D, CHANGES[name]), z_dim=64)
    elif name[0] == "6":
        game.apply(pytorch_init)
    else:
        game.betas = (0.9, 0.999)
    short, short_looks = play(game, 200)
    short.run(200)
    ablated[name] = short_looks[200]

# %%
fid_ablated = {name: fid_d(x) for name, x in ablated.items()}
for first, breaks in ((0, "all rules kept, then rules 1 to 3 broken"), (4, "rules 4 to 7 broken")):
    grids = {f"{name}: {fid_ablated[name]:.0f}": ablated[name][:8] for name in list(ablated)[first : first + 4]}
    show(image_grid(grids, columns=2), f"Round 200: {breaks}. Behind the name: FID-d.", f"Early samples: {breaks}.")

# %% [markdown]
# In this run **hidden dense layers** (247 against 53) and **$\beta_1 = 0.9$** (635) ruin the start; that holds for other
# seeds too. Without **tanh** it is slower (76): a pixel beyond 1 tells D at once that an image is fake. The other four
# make no difference that one short run can show (50 to 56; pooling leaves blocks, though). By round 500, in a run of its
# own, no batch norm had fallen behind (60 against 45), and $\beta_1 = 0.9$ had come down to 62.
#
# Are four rules superfluous, then? You know less. These nets have two convolutions, the paper's four, and pictures of 64 x
# 64 pixels. An ablation says what a rule does *in this run*.
#
# ### Walking through latent space
#
# The straight way between two latents is $(1 - t)\,a + t\,b$ (lesson 02). But draws from $N(0, I)$ in 64 dimensions nearly
# all have a length near $\sqrt{64} = 8$, and two of them are nearly at right angles. So the middle of the straight way has a
# length of about $8 / \sqrt{2} = 5.7$: G has hardly ever seen so short a latent. The spherical way turns from $a$ to $b$ and
# keeps the length. With $\Omega$ the angle between them,
#
# $$\mathrm{slerp}(a, b, t) = \frac{\sin((1 - t)\,\Omega)}{\sin \Omega}\, a + \frac{\sin(t\,\Omega)}{\sin \Omega}\, b$$
#
# By hand, at a right angle and $t = 1/2$: both factors are $\sin 45° = 0.707$, against 0.5 on the straight way.


# %%
def slerp(a, b, t):
    """[sin((1 - t) Ω) a + sin(t Ω) b] / sin Ω for a and b of shape (..., z_dim), t of shape (T,)."""
    angle = torch.cosine_similarity(a, b, dim=-1).acos()[..., None]
    return (((1 - t[:, None]) * angle).sin() * a + (t[:, None] * angle).sin() * b) / angle.sin()


@torch.no_grad()
def generate(z):
    """Images of the averaged generator, in eval mode, for latents (N, 64)."""
    return torch.cat([G(part) for part in z.split(500)])


G, D = copy.deepcopy(trainer.G_ema).cpu().eval(), copy.deepcopy(gan.D).cpu().eval()
draw = torch.Generator().manual_seed(SEED)
a, b = torch.randn(2, 3, 1, 64, generator=draw)
t = torch.linspace(0, 1, 9)
ways = torch.stack([lerp(a, b, t), slerp(a, b, t)], 1)  # (3, 2, 9, 64): three pairs of draws, two ways, nine steps
show(image_grid(generate(ways.flatten(0, 2)), columns=9, scale=2),
     "Three pairs of rows between the same two draws: above the straight way, below the spherical one. No way jumps.",
     "Six rows of nine images; in each row one digit turns into another, step by step.")  # fmt: skip

# %%
a, b = torch.randn(2, 2000, 1, 64, generator=draw)
half = torch.tensor([0.5])
middles = {"draws": a[:, 0], "straight": lerp(a, b, half)[:, 0], "spherical": slerp(a, b, half)[:, 0]}
fid_middles = {name: fid_d(generate(z)) for name, z in middles.items()}
for name, z in middles.items():
    print(f"{name:9} length {z.norm(dim=1).mean():.2f}, FID-d {fid_middles[name]:.1f}")

# %% [markdown]
# The middles of straight ways are as short as predicted. Their images are no worse (21.3 against 21.4): the theory is
# about lengths, and this G hardly minds a shorter latent. And that no walk jumps proves little: any continuous G does that.
# What counts is that the images *between* look like digits.
#
# ### Arithmetic with latents
#
# The paper's famous picture: smiling woman - neutral woman + neutral man = smiling man. It takes *means* of the latents of a
# few pictures: one latent stands for all that is in its picture, a mean keeps what they share. Here: **thick 7 - thin 7 +
# any other digit.** The classifier finds the digits among 5,000 samples; thick and thin are the fifth with most and with
# least ink. Predict: does "thick", learned on sevens, hold for a 0?


# %%
def to_shell(z):
    """The latents z (..., z_dim), brought to the length √z_dim."""
    return z * (z.shape[-1] ** 0.5 / z.norm(dim=-1, keepdim=True))


def ink(x):
    """How much white is in each image, from 0 to 1."""
    return (x + 1).mean((1, 2, 3)) / 2


z = torch.randn(5000, 64, generator=draw)
x_fake = generate(z)
digit = classify(x_fake)
sevens = z[digit == 7][ink(x_fake[digit == 7]).argsort()]  # from thin to thick
fifth = len(sevens) // 5
thicker = sevens[-fifth:].mean(0) - sevens[:fifth].mean(0)  # thick 7 - thin 7
means = torch.stack([z[digit == k].mean(0) for k in range(10)])
rows = {"mean of each digit": means, "+ thick 7 - thin 7": means + thicker,
        "on the shell, + it": to_shell(means) + thicker, "on the shell, - it": to_shell(means) - thicker}  # fmt: skip
rows = {name: generate(to_shell(latents)) for name, latents in rows.items()}

# %%
show(image_grid(torch.cat(list(rows.values())), columns=10, scale=2),
     "Rows: the mean latent of each digit; thick 7 - thin 7 added; added to the mean on the shell; taken away from it.",
     "Four rows of the digits 0 to 9: plain, very thick and partly another digit, thicker, thinner.")  # fmt: skip
right = {name: (classify(x) == torch.arange(10)).sum().item() for name, x in rows.items()}
for name, x in rows.items():
    print(f"{name:20} ink {ink(x).mean():.3f}, {right[name]} of 10 read as their digit")
print(f"lengths: means {means.norm(dim=1).mean():.1f}, thick 7 - thin 7 {thicker.norm():.1f}")
moved_by = generate(to_shell(z + thicker))
grew = (ink(moved_by) > ink(x_fake)).float().mean().item()
kept = (classify(moved_by) == digit).float().mean().item()
print(f"added to 5,000 draws: {grew:.0%} thicker, {kept:.0%} still read as the same digit")

# %% [markdown]
# Top: means keep what a group shares, so the mean latent of a digit gives that digit, clean. The paper's sum overshoots:
# means of hundreds of draws are short (1.3) and thick 7 - thin 7 is longer (2.3), so it is mostly thickness, and some digits
# turn. With each mean on the shell first, of length 8, it is an *addition*: thicker, thinner, the same digits. Added to single
# draws it thickens nearly all, but only about half still read as their digit: the direction is not stroke width alone.
#
# **Questions.** Why `to_shell`? And why fifths of the *sevens*, and not of all samples?
#
# <details><summary>Answers</summary>Means lie near the centre, where G was never trained. That of $n$ draws which share
# nothing has a length of about $8 / \sqrt{n}$, for 500 draws 0.4. The digits' means have 1.3: the direction that a group
# shares, which you keep. And a thick sample is often a 0, a thin one often a 1: over all samples the difference would
# be "0 - 1".</details>
#
# Now walk yourself. The axes of the map are thick 7 - thin 7 and mean 0 - mean 1. Save samples, and let one turn
# into the next.

# %%
explore(trainer, directions=torch.stack([thicker, means[0] - means[1]]),
        caption="A landscape of samples over two directions in latent space. In a live notebook sliders move through it.",
        alt="A grid of generated digits that change step by step from left to right and from top to bottom.")  # fmt: skip

# %% [markdown]
# ## 7. Measure it
#
# First the samples: FID-d at equal images seen, for nets of equal multiply-adds.

# %%
fid = {name: {r: fid_d(x) for r, x in kept_looks.items()} for name, kept_looks in
       (("linear", mlp_looks), ("DCGAN", looks))}  # fmt: skip
figure = Figure(figsize=(6.5, 3), layout="constrained")
axes = figure.subplots()
for (name, values), style, colour in zip(fid.items(), ("s--", "o-"), (CRITIC, FAKE)):
    axes.plot([BATCH * r for r in values], list(values.values()), style, color=colour, label=name)
axes.set(xlabel="real images seen", ylabel="FID-d (n = 2,000)", ylim=(0, None))
axes.legend(frameon=False)
show(figure, "DCGAN is far ahead after few images. Linear layers need thousands before they begin to fall.",
     "Two falling curves of FID-d over images seen; DCGAN's lies far below.")  # fmt: skip
share = fid["DCGAN"][COMPARED] / fid["linear"][COMPARED]
for name, values in fid.items():
    print(f"{name:7} {sum(costs[name]):,} multiply-adds, {COMPARED * BATCH:,} images: FID-d {values[COMPARED]:.1f}")

# %% [markdown]
# Then **D's features**. D had to learn what strokes are, without one label. Cut off its last layer: what remains maps
# an image to $32 \cdot 7 \cdot 7 = 1{,}568$ features. Label 100 images, ten of each digit, fit logistic regression to them,
# and test on 1,000 images that neither saw; average over ten draws of the 100. Compare with the pixels themselves, and
# with a D that has rule 6's random weights, to see what convolution alone is worth.


# %%
@torch.no_grad()
def last_features(D, x):
    """(N, 1568) activations before D's verdict. Batch norm's statistics are those of the real training images."""
    body = nn.Sequential(*list(copy.deepcopy(D))[:-1])  # all but the last linear layer
    for layer in body:
        if isinstance(layer, nn.BatchNorm2d):
            layer.momentum = 1.0  # the running statistics become those of the next batch
    body.train()(x_real)
    return body.eval()(x)


test = digits("test")
seed_all(SEED)
D_random, probes = Discriminator(), {}
for name, features in {"raw pixels": lambda x: x, "random D": lambda x: last_features(D_random, x),
                       "trained D": lambda x: last_features(D, x)}.items():  # fmt: skip
    probes[name] = linear_probe(features(x_real), data.labels, features(test.all()), test.labels)
    print(f"{name:10} {probes[name]}")

# %% [markdown]
# A random D is worth no more than pixels. What D learned by telling real from fake is worth seven points.
#
# **Where these measures mislead.** *The lead depends on when you look.* Let the linear nets go on, and they catch up: after
# 24,000 images DCGAN's FID-d was 0.39 to 0.46 of theirs on four seeds, after 32,000 once 0.65, and lesson 04's linear nets
# are at 14.6 after 230,000. Convolutions learn *faster*; who wins in the end is another question. *Equal multiply-adds* are
# not equal memory (the linear nets have ten times the parameters) nor equal seconds. *The probe* sees what is linearly there.
#
# The claims of this lesson, checked:

# %%
points = {name: 100 * (probes["trained D"].accuracy - probe.accuracy) for name, probe in probes.items()}
worse = {name: math.log2(value / fid_ablated["all seven rules"]) for name, value in fid_ablated.items()}
claim("difference of G's multiply-adds, as a share", abs(costs["linear"][0] / costs["DCGAN"][0] - 1), at_most=0.01)
claim("difference of D's multiply-adds, as a share", abs(costs["linear"][1] / costs["DCGAN"][1] - 1), at_most=0.01)
claim("FID-d of DCGAN, as a share of the linear nets'", share, at_most=0.6)
claim("probe on D's features, points over raw pixels", points["raw pixels"], at_least=5)
claim("probe on D's features, points over a random D", points["random D"], at_least=3)
claim("round 200, hidden dense layers: doublings of FID-d", worse["3 dense layers"], at_least=0.5)
claim("round 200, beta1 0.9: doublings of FID-d", worse["7 beta1 0.9"], at_least=0.5)
claim("share of draws that thick 7 - thin 7 makes thicker", grew, at_least=0.9)
# %% [markdown]
# ## 8. What breaks, in practice
#
# - *"The rules are laws."* No: they were found by search, for the nets, data and hardware of 2015. You measured which of
#   them your run feels. Later lessons drop some: no batch norm in lesson 10's critic, up-sampling without strides in 24.
# - *"Batch norm is the same in use."* No: in training mode a sample depends on the rest of its batch. Sample in eval mode.
# - *"A smooth walk shows that G memorised nothing."* No: it shows that G is continuous. Lesson 12 tests for copies.
#
# **On a GPU**: the same nets, four times as wide, on the 60,000 pictures of Fashion-MNIST, 20,000 rounds of 128.

# %%
if tier() == "gpu":
    seed_all(SEED)
    clothes = fashion_mnist()
    wide = DCGAN(Generator(width=64), Discriminator(width=64), z_dim=64)
    big = Trainer(wide, clothes, batch_size=128, lr=2e-4, ema_decay=0.999, seed=SEED)
    train(big, rounds=20_000).wait()
    caption, alt = "Fashion-MNIST: 64 samples.", "A grid of 64 generated pictures of clothes."
    show(image_grid(big.sample(64).cpu()), caption, alt)
else:
    print("Tier cpu: the run on clothes is left out. GANEDU_TIER=gpu runs it, on a CPU for hours.")

# %% [markdown]
# **The library's twin.** `ganedu.models.dcgan` holds this lesson's classes, for other sizes of pictures too;
# `ganedu.interpolation` has the ways and the arithmetic. The same parameters, the same images:

# %%
twin = dcgan.DCGAN(z_dim=64)
twin.load_state_dict(gan.cpu().state_dict())
z = torch.randn(4, 64)
assert torch.equal(twin.eval().generate(z), gan.eval().generate(z))
print(f"{sum(p.numel() for p in twin.parameters()):,} parameters, equal samples")

# %% [markdown]
# ## Summary
#
# - A convolution has neighbourhood built in. At equal cost it makes far better digits from the same few images.
# - Of seven rules three show in 200 rounds of this small run: no hidden dense layers, $\beta_1 = 0.5$, tanh. Larger nets may
#   need all.
# - Batch norm's statistics move in both players' turns. Sample in eval mode.
# - Means and differences of latents carry a property from one digit to others. D's features serve where labels are few.
#
# **Exercises:** [exercise 06](../exercises/06_dcgan.ipynb): a generator for 32 x 32 in colour, batch norm by hand, a broken
# sampler, thick digits.
#
# **Where next.** Lesson 07 asks why games fail to settle at all, in two dimensions, where you can see every step.
