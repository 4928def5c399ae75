# ---
# jupyter:
#   ganedu:
#     learn: >-
#       nearest, bilinear, bed of nails and transposed convolution as numbers, matrix and picture; where the
#       checkerboard comes from
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
# # 05 Up-sampling
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# **How does a net make a large picture out of a small one, and where does the checkerboard come from?**
#
# Papers: Dumoulin and Visin 2016, *A guide to convolution arithmetic for deep learning*,
# [arXiv:1603.07285](https://arxiv.org/abs/1603.07285); Odena, Dumoulin and Olah 2016, *Deconvolution and checkerboard
# artifacts*, [distill.pub](https://distill.pub/2016/deconv-checkerboard/); Shi et al. 2016, *Is the deconvolution layer
# the same as a convolutional layer?*, [arXiv:1609.07009](https://arxiv.org/abs/1609.07009).
#
# You will be able to
#
# - up-sample by nearest neighbour, bed of nails, bilinear and transposed convolution: on numbers, as a matrix, in a picture,
# - compute the size that any transposed convolution makes, and choose its numbers for the size you want,
# - say when stamps overlap unevenly, and measure the checkerboard in pixels and in the spectrum,
# - build a generator of 10 x 10 pixels, count its parameters by hand, and watch a checkerboard come and go.
#
# You need lesson 04 and ordinary convolutions. Plan 90 minutes. The computer works for about a minute on one CPU core. On a
# GPU the lesson is the same: nets this small gain nothing.

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
import torch
from matplotlib.figure import Figure
from torch import nn
from torch.nn import functional as F

from ganedu import upsampling as twin
from ganedu.checks import claim
from ganedu.data import ImageData, digits
from ganedu.models.vanilla import VanillaGAN
from ganedu.runtime import lesson_seed, seed_all
from ganedu.training import Trainer
from ganedu.views.figure import CRITIC, FAKE, PALETTE, REAL, image_grid, show
from ganedu.views.live import train
from ganedu.views.sizes import stamp_sizes
from ganedu.views.snapshots import browse

SEED = lesson_seed()
seed_all(SEED)
K3, K4, RESIZE = "3x3 transposed", "4x4 transposed", "resize-convolution"

# %% [markdown]
# ## 1. The problem, seen
#
# Lesson 04's samples are grainy. G's last layer is linear: each of the 784 pixels has 512 weights of its own and shares
# none with its neighbour. A convolution shares its weights among all places. But a convolution keeps a picture's size, or
# shrinks it, and a generator has to go the other way: from a few numbers to many pixels.
#
# Two ways to double a side are found in nearly all code. One is a *transposed convolution*. The other is *resize, then
# convolve*. Stack three of either, with fresh random weights, and feed both the same noise. Nothing is trained yet.


# %%
def up_k3(n_in, n_out):  # (N, n_in, H, W) -> (N, n_out, 2H, 2W), all three
    return nn.ConvTranspose2d(n_in, n_out, 3, stride=2, padding=1, output_padding=1)


def up_k4(n_in, n_out):
    return nn.ConvTranspose2d(n_in, n_out, 4, stride=2, padding=1)


def up_resize(n_in, n_out):
    return nn.Sequential(nn.Upsample(scale_factor=2, mode="nearest"), nn.Conv2d(n_in, n_out, 3, padding=1))


def stretch(x):  # each picture of (N, 1, H, W) from black to white; borders, with fewer writers, are cut to that
    low, high = (edge((-1, -2), keepdim=True) for edge in (x[..., 1:-1, 1:-1].amin, x[..., 1:-1, 1:-1].amax))
    return (2 * (x - low) / (high - low) - 1).clamp(-1, 1)


UPS, z, x_fake = {K3: up_k3, K4: up_k4, RESIZE: up_resize}, torch.randn(1, 32, 5, 5), {}
for name in (K3, RESIZE):
    up = UPS[name]
    three = nn.Sequential(up(32, 32), nn.ReLU(), up(32, 32), nn.ReLU(), up(32, 1))
    x_fake[f"{name}, three times"] = stretch(three(z).detach())
caption = "5 x 5 noise to 40 x 40 pixels by untrained layers. On the left a grid shines through that nobody asked for."
alt = "Two grey pictures: the left one is covered by a regular grid of dots, the right one is cloudy without a grid."
show(image_grid(x_fake), caption, alt)

# %% [markdown]
# The noise knows nothing of a grid. So the layers made it. To see how, take the operations apart.
#
# ## 2. The idea
#
# Every up-sampling fills a larger picture from a smaller one. Three of them have no weights. **By hand**, doubling
# $\begin{pmatrix}1&2\\3&4\end{pmatrix}$:
#
# | nearest neighbour: each pixel becomes a square | bed of nails: each pixel in a corner, zeros around |
# |---|---|
# | $\begin{pmatrix}1&1&2&2\\1&1&2&2\\3&3&4&4\\3&3&4&4\end{pmatrix}$ | $\begin{pmatrix}1&0&2&0\\0&0&0&0\\3&0&4&0\\0&0&0&0\end{pmatrix}$ |
#
# **Bilinear** draws straight lines between pixel centres. New centres lie a quarter and three quarters of the way, so its
# first row is 1, then $\frac34 \cdot 1 + \frac14 \cdot 2 = 1.25$, then 1.75, then 2.


# %%
def nearest(x, scale=2):
    """(..., H, W) -> (..., scale H, scale W): each pixel becomes a square."""
    return x.repeat_interleave(scale, dim=-2).repeat_interleave(scale, dim=-1)


def bed_of_nails(x, scale=2):
    """(..., H, W) -> (..., scale H, scale W): each pixel in the upper left of a square of zeros."""
    out = x.new_zeros(*x.shape[:-2], scale * x.shape[-2], scale * x.shape[-1])
    out[..., ::scale, ::scale] = x
    return out


bilinear = nn.Upsample(scale_factor=2, mode="bilinear", align_corners=False)  # PyTorch's own; wants (N, C, H, W)
x = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
print(nearest(x), bed_of_nails(x), bilinear(x[None, None])[0, 0], sep="\n")

# %% [markdown]
# (A fourth is **max-unpooling**. `F.max_pool2d(x, 2, return_indices=True)` remembers where each maximum stood,
# `F.max_unpool2d` puts it back there, with zeros around: a bed of nails at remembered places. A segmentation net can do
# that. A generator has pooled nothing, so it has no places to remember.)
#
# **The same as a matrix.** Doubling all pixels doubles the result, and the result of a sum is the sum of the results. So
# each operation is *linear*: write the 4 input pixels as a column, the 16 output pixels as another, and the operation is
# a matrix with 16 rows and 4 columns. Its columns are what the operation makes of pictures with a single 1. (The
# last column of the figure, a transposed convolution, is explained below it.)


# %%
def matrix_of(operation, shape):
    """(outputs, inputs): column i is what the operation makes of the i-th unit picture of this shape (C, H, W)."""
    inputs = torch.Size(shape).numel()
    return operation(torch.eye(inputs).view(inputs, *shape)).reshape(inputs, -1).T


stamps = torch.tensor([[[[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]]]) / 4  # the last panel's kernel
operations = {"nearest": nearest, "bed of nails": bed_of_nails, "bilinear": bilinear,
              "transposed 3x3": lambda x: F.conv_transpose2d(x, stamps, stride=2, padding=1, output_padding=1)}  # fmt: skip
small = F.avg_pool2d(digits().all()[2210:2211] / 2 + 0.5, 2)  # one digit, 14 x 14, black is 0
figure = Figure(figsize=(10, 8.6), layout="constrained")
for column, (name, operation) in enumerate(operations.items()):
    panels = [figure.add_subplot(3, 4, 4 * row + column + 1) for row in range(3)]
    numbers, matrix = operation(x[None, None])[0, 0], matrix_of(operation, (1, 2, 2))
    for axes, values in zip(panels, (numbers, matrix)):
        axes.imshow(values, cmap="Blues", vmin=0, vmax=1.4 * values.max(), aspect="auto")
        for i, j in (values if values is matrix else values + 1).nonzero().tolist():  # a matrix without its zeros
            axes.text(j, i, f"{values[i, j]:.4g}", ha="center", va="center", fontsize=10 if values is numbers else 7)
    panels[2].imshow(operation(small)[0, 0], cmap="gray")
    for axes, title in zip(panels, (name, "its matrix, 16 x 4", "14 x 14 to 28 x 28")):
        axes.set(title=title, xticks=[], yticks=[])
alt = "Three rows of four panels: doubled 2x2 numbers, 16x4 matrices, a doubled digit; bed of nails is mostly black."
caption = "On numbers, as a matrix (empty: 0), on a digit. On the right the far border is halved: no stamp from beyond."
show(figure, caption, alt)

# %% [markdown]
# **Transposed convolution** has weights $w$. Each input pixel presses a stamp: the kernel, times the pixel. The next pixel
# stamps $s$ further on ($s$ is the stride). Where stamps overlap, they **add**. At last $p$ rows and columns are cut off
# at every side. In one dimension:
#
# $$y_{\,i s + a - p} \mathrel{+}= x_i \, w_a \qquad \text{for every input } i \text{ and every tap } a$$
#
# **By hand:** $x = (1, 2)$, $w = (1, 2, 3)$, $s = 2$, $p = 0$. The stamps are $(1, 2, 3)$ at place 0 and $(2, 4, 6)$ at
# place 2. They meet at place 2: $y = (1, 2, 3 + 2, 4, 6) = (1, 2, 5, 4, 6)$.
#
# Its matrix has the weights for entries, at the places that the formula gives, and zeros elsewhere. So store it *sparse*:
# entries and places alone. And the name: this matrix, **transposed** (rows and columns swapped), is that of the ordinary
# convolution with the same $k$, $s$ and $p$, which leads back. "Deconvolution" is wrong: it undoes the *size*, not the numbers.
#
# **Sizes.** The first of $n$ stamps covers $k$ places, each other adds $s$, the cut takes $2p$, and $o$ comes below:
#
# $$n' = (n - 1)\, s - 2p + k + o$$


# %%
def transposed_size(size, kernel, stride=1, padding=0, output_padding=0):
    """The side that a transposed convolution makes: (n - 1) s - 2p + k + o."""
    return (size - 1) * stride - 2 * padding + kernel + output_padding


def transposed_matrix(weight, size, stride=1, padding=0, output_padding=0):
    """Sparse (n_out * made^2, n_in * size^2), written entry by entry. weight: (n_in, n_out, k, k)."""
    n_in, n_out, kernel, _ = weight.shape
    made = transposed_size(size, kernel, stride, padding, output_padding)
    ranges = (n_in, n_out, size, size, kernel, kernel)
    c, d, i, j, a, b = torch.meshgrid(*(torch.arange(n) for n in ranges), indexing="ij")
    row, column = i * stride + a - padding, j * stride + b - padding
    inside = (row >= 0) & (row < made) & (column >= 0) & (column < made)  # the rest is cut off
    places = torch.stack([(d * made + row) * made + column, (c * size + i) * size + j])[:, inside]
    shape = (n_out * made**2, n_in * size**2)
    return torch.sparse_coo_tensor(places, weight[c, d, a, b][inside], shape, check_invariants=True).coalesce()


print(F.conv_transpose1d(torch.tensor([[[1.0, 2.0]]]), torch.tensor([[[1.0, 2.0, 3.0]]]), stride=2))
weight, x = torch.randn(2, 3, 3, 3).double(), torch.randn(2, 5, 5).double()  # 64 bits: rounding is not the question
matrix = transposed_matrix(weight, 5, stride=2, padding=1, output_padding=1)
y = F.conv_transpose2d(x[None], weight, stride=2, padding=1, output_padding=1)[0]
matrix_error = ((matrix @ x.flatten()).view(y.shape) - y).abs().max()
leads_back = F.conv2d(y[None], weight, stride=2, padding=1).flatten()  # the ordinary convolution, from 10x10 to 5x5
transpose_error = (matrix.T @ y.flatten() - leads_back).abs().max()
stored = f"{matrix.values().numel():,} of {matrix.numel():,} entries stored"
print(f"{tuple(matrix.shape)}, {stored}; error {matrix_error:.0e}, transposed {transpose_error:.0e}")

# %% [markdown]
# The **output padding** $o$ settles a doubt. The convolution that leads back makes $\lfloor (n' + 2p - k)/s \rfloor + 1$,
# rounded down: with $k = 3, s = 2, p = 1$ it makes 5 out of 9 *and* out of 10. Going from 5, which do you want? $o = 0$
# gives 9, $o = 1$ gives 10. It widens the far side by $o$ places, which must be less than $s$.
#
# Now you: from 7 to 14, from 14 to 28, from 1 to 4, from 4 to 12. Change the rows and run the cell again.

# %%
SETTINGS = [(5, 3, 2, 1, 0), (5, 3, 2, 1, 1), (5, 4, 2, 1, 0), (5, 5, 2, 2, 1), (5, 6, 3, 2, 1)]  # n, k, s, p, o
print("  n  k  s  p  o   (n - 1) s - 2p + k + o   PyTorch   and back")
for n, k, s, p, o in SETTINGS:
    y = F.conv_transpose2d(torch.zeros(1, 1, n, n), torch.zeros(1, 1, k, k), stride=s, padding=p, output_padding=o)
    back = F.conv2d(y, torch.zeros(1, 1, k, k), stride=s, padding=p)
    print(f"{n:3}{k:3}{s:3}{p:3}{o:3}{transposed_size(n, k, s, p, o):25}{y.shape[-1]:10}{back.shape[-1]:11}")

# %%
stamp_sizes(size=5, kernel=3, stride=2, padding=1, output_padding=1)

# %% [markdown]
# Each orange row is one stamp; grey is cut off by the padding. Move the sliders (without a kernel one picture stands
# still). The blue row counts the stamps that write to each output pixel. With $k = 3, s = 2$ it is 1, 2, 1, 2: every
# second pixel gets twice as much. In two dimensions these numbers multiply: 1, 2, 2 and 4. **The overlap is even, away from
# the borders, where $s$ divides $k$**: with $k = 4, s = 2$ it is 2. That is the better known half of the story.
#
# ## 3. Build G and D
#
# G makes 10 x 10 pixels: 100 latents, a linear ("dense") layer to 128 maps of 5 x 5, one up-sampling to a single map.
# Count its parameters by hand, with the 3x3 transposed convolution:
#
# | layer | weights | biases | together |
# |---|---|---|---|
# | dense, 100 to 128 · 5 · 5 = 3,200 | 100 · 3,200 = 320,000 | 3,200 | 323,200 |
# | transposed, 128 maps to 1, 3 x 3 | 128 · 1 · 3 · 3 = 1,152 | 1 | 1,153 |
# | | | | **324,353** |


# %%
def make_G(up):
    """(N, 100) latents -> (N, 1, 10, 10) images in [-1, 1]. up: a function (n_in, n_out) -> layer that doubles the side."""
    dense = nn.Linear(100, 128 * 5 * 5)
    return nn.Sequential(dense, nn.ReLU(), nn.Unflatten(1, (128, 5, 5)), up(128, 1), nn.Tanh())


def make_D():
    """(N, 1, 10, 10) images -> (N, 1) logits."""
    conv, dense = nn.Conv2d(1, 32, 4, stride=2, padding=1), nn.Linear(32 * 5 * 5, 1)
    return nn.Sequential(conv, nn.LeakyReLU(0.2), nn.Flatten(), dense)


for name, net, x in (("G", make_G(up_k3), torch.randn(8, 100)), ("D", make_D(), torch.randn(8, 1, 10, 10))):
    for layer in net:
        x = layer(x)
        print(f"{name}  {type(layer).__name__:16}{sum(p.numel() for p in layer.parameters()):9,}  {tuple(x.shape)}")
n_parameters = sum(p.numel() for p in make_G(up_k3).parameters())

# %% [markdown]
# ## 4. The objective, and a second number to watch
#
# The game is lesson 04's, unchanged; `VanillaGAN(G, D)` plays it:
#
# $$L_D = -\mathbb{E}[\log D(x)] - \mathbb{E}[\log(1 - D(G(z)))] \qquad L_G = -\mathbb{E}[\log D(G(z))]$$
#
# What you watch besides is the checkerboard. Sort a picture's pixels into four **phases**, by whether their row and column
# are even or odd. In a photograph the four means $m_{ab}$ are about equal, in a checkerboard they are not. So take their
# variance, as a share of the picture's power, which is the mean of $x^2$:
#
# $$E(x) = \frac{\mathrm{Var}_{a,b}\,[m_{ab}]}{\mathrm{mean}(x^2)}$$
#
# The **spectrum** gives the same number. The Fourier transform $X$ writes a picture as a sum of waves. A pattern that
# repeats every 2 pixels, its mean aside, is made of 3 of them: frequency 1/2 along one axis (stripes), along the other
# (stripes), or both (a chessboard). Their share of the power is
#
# $$E(x) = \sum_{f \in \{(\frac12, 0),\, (0, \frac12),\, (\frac12, \frac12)\}} |X_f|^2 \Big/ \sum_{\text{all } f} |X_f|^2$$
#
# It is 0 for an even picture, 1 for a chessboard of -1 and 1. We call it **checkerboard energy**, stripes included.


# %%
def phase_variance(x, period=2):
    """Variance of the phases' means over the mean square, each averaged over all maps of x (..., H, W)."""
    x = x.double()
    h, w = x.shape[-2] // period, x.shape[-1] // period
    means = x.reshape(*x.shape[:-2], h, period, w, period).mean((-4, -2)).flatten(-2)  # (..., period^2)
    return means.var(-1, correction=0).mean() / x.square().mean()


def checkerboard_energy(x, period=2):
    """Share of the power at the frequencies that are multiples of 1 / period, (0, 0) left out."""
    power = torch.fft.fft2(x.double()).abs().square()
    at = power[..., :: x.shape[-2] // period, :: x.shape[-1] // period].clone()  # (..., period, period)
    at[..., 0, 0] = 0
    return at.sum() / power.sum()


x_small = F.avg_pool2d(F.pad(digits().all(), (1, 1, 1, 1), value=-1.0), 3)  # 28 -> 30 -> 10 pixels a side
data = ImageData(x_small)
real_energy = phase_variance(data.all())
parseval_error = (real_energy - checkerboard_energy(data.all())).abs()
print(f"{len(data):,} real digits: E = {real_energy:.5f} by phases; the spectrum differs by {parseval_error:.0e}")

# %% [markdown]
# Equal, and for every picture: the three waves are $+1$ and $-1$ on whole phases, so $X$ is a sum and difference of
# phase means there, and *Parseval's theorem* (the power of a picture is the power of its waves) does the rest.
#
# ## 5. Predict, then train
#
# Three generators play on digits of 10 x 10 pixels, 400 rounds each. They differ in one layer. **Predict, and write down:**
#
# 1. Before training, which of the three has most checkerboard? Remember that the 4x4 stamps overlap evenly.
# 2. D sees only pixels. Will it teach G to drop the checkerboard, or does it stay, as part 1's grid suggests?
# 3. Does resize-convolution end lower than real digits, higher, or level with them?
#
# You watch the 3x3 one; the others follow unseen. Samples are of G averaged over some 10 rounds (`ema_decay=0.9`).

# %%
ROUNDS, MOMENTS = 400, (0, 2, 5, 10, 15, 20, 30, 40, 60, 80, 120, 160, 240, 320, 400)
snapshots, energies = {}, {}


def make_trainer(name, G):
    """A trainer of the game with G that keeps samples and checkerboard energy at every moment."""
    seed_all(SEED + 1)  # the same D, batches and latents for all
    trainer = Trainer(VanillaGAN(G, make_D(), z_dim=100), data, lr=1e-3, ema_decay=0.9)
    snapshots[name], energies[name] = {}, {}

    def look(trainer):
        if trainer.round in MOMENTS:
            x_fake = trainer.sample(500, seed=0).cpu()
            snapshots[name][trainer.round] = torch.cat([x_fake[:3], x_fake.mean(0, keepdim=True)])
            energies[name][trainer.round] = phase_variance(x_fake).item()

    look(trainer)
    trainer.add_hook(look)
    return trainer


seed_all(SEED)
run = train(make_trainer(K3, make_G(up_k3)), ROUNDS)

# %%
run.wait()
for name in (K4, RESIZE):
    seed_all(SEED)
    make_trainer(name, make_G(UPS[name])).run(ROUNDS)


# %%
def draw_energies(styles):
    figure = Figure(figsize=(7, 3.6), layout="constrained")
    axes = figure.subplots()
    for name, (color, style) in styles.items():
        rounds = [max(1, r) for r in energies[name]]
        axes.loglog(rounds, list(energies[name].values()), style, color=color, label=name, markersize=4)
    axes.axhline(real_energy, color=REAL, linestyle="--", label="real digits")
    axes.set(xlabel="round (0 drawn at 1)", ylabel="checkerboard energy E")
    axes.legend(frameon=False, fontsize=9, ncols=2, loc="upper center", bbox_to_anchor=(0.5, 1.25))
    return figure


def draw_moment(moment, names=(K3, K4, RESIZE)):
    titles = {name: f"{name}\nround {moment}: E = {energies[name][moment]:.4f}" for name in names}
    return image_grid({titles[name]: stretch(snapshots[name][moment]) for name in names}, columns=2)


# %%
caption = "The transposed two start far above the line and come down to it. Resize-convolution runs mostly below it."
alt = "Chart of energies over rounds: two curves come down to the real digits' line, one runs below it but for a peak."
show(draw_energies({K3: (FAKE, "o-"), K4: (PALETTE[3], "s-"), RESIZE: (CRITIC, "^-")}), caption, alt)
for moment in (0, 10, ROUNDS):
    alt = f"Round {moment}: samples of each generator and the mean of 500, where the transposed two start with a grid."
    show(draw_moment(moment), "Three samples and, lower right, the mean of 500. Each from black to white.", alt)

# %% [markdown]
# Compare with your predictions. One sample hides the pattern under noise; the mean of 500, lower right, shows it.
#
# - The 4x4 stamps overlap evenly and **still** start with a checkerboard. Even overlap helps where the kernel's weights are
#   alike. Random weights are not: each phase is written by taps of its own, and their sums differ by chance. (Over 50
#   draws the two transposed ones start about level; the claims use that.)
# - The checkerboard goes. Real digits have next to none of it, so to D it is an easy sign of a fake, and within about 100
#   rounds G has unlearned most of it. *"Transposed convolutions leave checkerboards"* is true of the start; it is no law.
# - The transposed convolutions end near the real digits' energy. That is not 0, because strokes have edges.
#   Resize-convolution ends at 0.4 of it (up to 0.9 with other seeds): too smooth.
# - Resize-convolution's jump at round 20: G has overshot to black and its brightness swings back, through grey. Grey has
#   values near 0, so little power, and E is a *share* of the power: the same pattern counts for more.

# %% [markdown]
# ## 6. Explore
#
# Go through the rounds with the slider, then answer.

# %%
caption = "Three samples and the mean of 500. In a live notebook a slider goes through the rounds."
browse(draw_moment, list(MOMENTS), start=40, caption=caption, alt="Samples of the three generators at one round.")

# %% [markdown]
# 1. $k = 3, s = 2$ overlaps unevenly. Is there nevertheless a 3x3 kernel that turns an even picture into an even one?
# 2. You stack two layers of stride 2. With what period does the pattern of the first layer arrive in the picture?
#
# <details><summary>Answers</summary>
#
# 1. Yes. In one dimension, with $p = 1$, even places get $w_1$ and odd ones $w_0 + w_2$. They agree for $(\frac12, 1,
#    \frac12)$, which draws straight lines between pixels. Part 2's figure has it in two dimensions (the far border aside).
# 2. Four pixels: the second layer doubles the first one's period.
#
# </details>
#
# **Is a resize-convolution more than a transposed convolution, or less?** Less. Nearest neighbour writes each pixel twice
# in each direction. A tap that meets both copies might as well be two taps of a longer kernel on the pixel itself. In one
# dimension, *one* transposed convolution with $k = 4$, $s = 2$, $p = 1$ does the same as resizing and $w = (w_0, w_1, w_2)$:
#
# $$K = (w_2,\; w_1 + w_2,\; w_0 + w_1,\; w_0)$$
#
# (Turned round: a stamp carries tap $a$ forwards, a convolution fetches it from ahead.) Even places get $K_1 + K_3 =
# w_0 + w_1 + w_2$, odd ones $K_0 + K_2$: the same sum. In two dimensions 9 weights make 16. It is exact, also at borders:


# %%
def resize_kernel(weight):
    """(n_out, n_in, 3, 3) of a resize-convolution -> (n_in, n_out, 4, 4) of the transposed convolution that equals it."""
    n_out, n_in = weight.shape[:2]
    turned = weight.flip(-1, -2).reshape(-1, 1, 3, 3)
    return F.conv2d(turned, weight.new_ones(1, 1, 2, 2), padding=1).view(n_out, n_in, 4, 4).transpose(0, 1).contiguous()


x, weight = torch.randn(8, 16, 5, 5).double(), torch.randn(3, 16, 3, 3).double()
two_steps = F.conv2d(nearest(x), weight, padding=1)
one_step = F.conv_transpose2d(x, resize_kernel(weight), stride=2, padding=1)
one_kernel_error = (two_steps - one_step).abs().max()
print(f"largest difference: {one_kernel_error:.0e}, of values about {two_steps.std():.0f} in size")

# %% [markdown]
# Per input pixel the long form costs $4 \cdot 9 = 36$ multiplications a channel, the short one 16. (A third form: Shi et
# al. convolve to four times the channels, then interleave the maps, `nn.PixelShuffle`.)
#
# **Ablation.** So the 4x4 layer *could* be a resize-convolution. Start it as one: with the kernel above, its checkerboard
# energy before training is as low. Then let all 16 weights go free. **Predict:** does it stay low?

# %%
STARTED = "4x4, started as resize"
seed_all(SEED)
G, resize = make_G(up_k4), up_resize(128, 1)
with torch.no_grad():
    G[3].weight.copy_(resize_kernel(resize[1].weight))
    G[3].bias.copy_(resize[1].bias)
make_trainer(STARTED, G).run(ROUNDS)
worst = max(energies[STARTED], key=energies[STARTED].get)  # the round of its strongest checkerboard
caption = "Nearly equal before training. Free to move, the sixteen weights draw a checkerboard, and unlearn it."
alt = "Two curves over rounds: resize-convolution stays low, the freed layer climbs high above it and comes back."
show(draw_energies({RESIZE: (CRITIC, "^-"), STARTED: (PALETTE[4], "D-")}), caption, alt)
caption = "The round in which the freed layer's pattern, stripes or checks, is strongest. Lower right: the mean of 500."
alt = "Samples and their mean: clouds from resize-convolution, a regular pattern of period 2 from the freed layer."
show(draw_moment(worst, (RESIZE, STARTED)), caption, alt)

# %% [markdown]
# It need not stay low. *"The checkerboard is a matter of initialisation"*: no, training writes one as well. Each phase of the
# freed layer has weights of its own, which follow their own gradients, and while G's brightness swings the phases swing
# apart. In a resize-convolution they share nine weights. What matters is **not what a layer can do, but what its weights
# must do together.** (How strong it gets differs from seed to seed.)

# %% [markdown]
# ## 7. Measure it
#
# **The overlap alone.** A constant picture and equal weights: phases now differ by their number of writers alone. By hand,
# $k = 3$: the phases are 1, 2, 2, 4, mean 2.25, variance 1.1875, power $(1 + 4 + 4 + 16)/4 = 6.25$, so $E = 0.19$.
#
# **Random kernels.** 64 of 16 channels each, on noise through a ReLU, as in an untrained G. Borders are cut off in both:
# they have fewer writers under any method.


# %%
def up_with(name, x, fill):
    """Up-sample x to 64 maps; fill sets the kernels, biases are 0. Four pixels of border are cut off."""
    layer = UPS[name](x.shape[1], 64).requires_grad_(False)
    for p in layer.parameters():
        fill(p) if p.ndim == 4 else nn.init.zeros_(p)
    return layer(x)[..., 4:-4, 4:-4]


seed_all(SEED)
noise = torch.randn(32, 16, 16, 16)
y = {name: up_with(name, noise.relu(), nn.init.normal_) for name in UPS}
uniform = {name: phase_variance(up_with(name, torch.ones(1, 1, 16, 16), nn.init.ones_)).item() for name in UPS}
random = {name: checkerboard_energy(y[name]).item() for name in UPS}
for name in UPS:
    print(f"{name:19} equal weights E = {uniform[name]:.6f}   random weights E = {random[name]:.6f}")

# %%
figure = Figure(figsize=(10, 3.6), layout="constrained")
for axes, name in zip(figure.subplots(1, 3), UPS):
    power = torch.fft.fftshift(torch.fft.fft2(y[name]).abs().square().mean((0, 1)))
    style = {"vmin": -5, "vmax": -0.5, "origin": "lower", "extent": (-0.5 - 1 / 48, 0.5 - 1 / 48) * 2}  # 24 frequencies
    drawn = axes.imshow((power / power.sum()).log10(), **style)
    axes.set(title=f"{name}: E = {random[name]:.4f}", xlabel="frequency along a row")
    axes.set_ylabel("frequency along a column" if name == K3 else "")
figure.colorbar(drawn, label="share of the power, log10", shrink=0.8)
caption = "Mean spectrum, random kernels. Centre: the mean. Points at the left and lower edges: the checkerboard."
alt = "Three spectra. Both transposed ones have bright points at frequency one half; resize-convolution is dark there."
show(figure, caption, alt)

# %% [markdown]
# **Where the measure misleads.**
#
# 1. *It depends on what goes in.* Behind a ReLU the maps have a mean above 0, and that is what gets checkered. On noise
#    with mean 0 there is little to see, for any method.
# 2. *"High frequencies" are no checkerboard.* Count every wave shorter than 8/3 pixels, and the difference between methods
#    is much smaller: most of that is detail, not pattern.
# 3. *It sees the period you ask for.* The first of two layers leaves its pattern with period 4: `phase_variance(x, 4)`.
# 4. *It cannot tell an artefact from a chessboard.* Checkered cloth has it too. Compare with real data.


# %%
centred = {name: checkerboard_energy(up_with(name, noise, nn.init.normal_)).item() for name in UPS}
high = torch.fft.fftfreq(24).abs() >= 3 / 8  # in cycles per pixel
waves = {name: torch.fft.fft2(y[name] - y[name].mean((-1, -2), keepdim=True)).abs().square() for name in UPS}
broad = {name: (power[..., high | high[:, None]].sum() / power.sum()).item() for name, power in waves.items()}
print(f"{'over resize-convolution':24}{'noise, ReLU':>16}{'noise, mean 0':>16}{'all high waves':>16}")
for name in (K3, K4):
    print(f"{name:24}" + "".join(f"{e[name] / e[RESIZE]:16.1f}" for e in (random, centred, broad)))

# %% [markdown]
# ### The claims
#
# Energies before training are averaged over 50 generators of each kind.

# %%
example = torch.tensor([[1.0, 2.0], [3.0, 4.0]])
by_hand = {nearest: [[1, 1, 2, 2], [1, 1, 2, 2], [3, 3, 4, 4], [3, 3, 4, 4]],
           bed_of_nails: [[1, 0, 2, 0], [0, 0, 0, 0], [3, 0, 4, 0], [0, 0, 0, 0]]}  # fmt: skip
for up, wanted in by_hand.items():
    claim(f"{up.__name__}: error on the 2x2 example", (up(example) - torch.tensor(wanted)).abs().max(), at_most=0)
claim("transposed convolution against its sparse matrix, error", matrix_error, at_most=1e-6)
claim("its matrix, transposed, against the convolution back, error", transpose_error, at_most=1e-6)
claim("resize-convolution against one 4x4 transposed convolution, error", one_kernel_error, at_most=1e-6)
claim("phases against spectrum, error", parseval_error, at_most=1e-6)
claim("equal weights, phase variance over power: 3x3 transposed", uniform[K3], at_least=0.1)
claim("equal weights, phase variance over power: 4x4 transposed", uniform[K4], at_most=1e-6)
claim("equal weights, phase variance over power: resize-convolution", uniform[RESIZE], at_most=1e-6)
claim("random weights, checkerboard energy over resize-convolution's: 3x3", random[K3] / random[RESIZE], at_least=10)
claim("random weights, checkerboard energy over resize-convolution's: 4x4", random[K4] / random[RESIZE], at_least=10)
claim("parameters of the 10x10 generator, off from 324,353", abs(n_parameters - 324_353), at_most=0)

# %%
z, before = torch.randn(20, 100), {}
for name, up in UPS.items():
    with torch.no_grad():
        before[name] = sum(phase_variance(make_G(up)(z)).item() for _ in range(50)) / 50
claim("before training, over resize-convolution's: 3x3 transposed", before[K3] / before[RESIZE], at_least=4)
claim("before training, over resize-convolution's: 4x4 transposed", before[K4] / before[RESIZE], at_least=4)
doublings = torch.tensor([energies[K3][r] / energies[RESIZE][r] for r in MOMENTS if 0 < r <= 120]).log2().mean()
claim("rounds 2 to 120, mean doublings from resize-convolution's to the 3x3's", doublings, at_least=2)  # 2: fourfold
for name in UPS:
    claim(f"at the end, over the real digits': {name}", energies[name][ROUNDS] / real_energy, at_most=2)

# %% [markdown]
# ## 8. In practice
#
# - *"Output padding pads the output with zeros."* No: the far side gets longer, and a stamp that reaches there writes there.
# - *"Take $k = 4$, $s = 2$ and the checkerboard is gone."* No: uneven overlap is gone. Unequal weights remain, as you measured.
# - *"Resize-convolution is always better."* No: it is smoother, and dearer as usually written. DCGAN does without it.
# - *Sizes off by one* are the most frequent error: 7 to 13 in place of 14. Use the formula, then print the shape.
# - *A layer of stride 2 in D* with $k = 3$ sends an uneven gradient to the fake's pixels, for the same reason (Odena et al.).
#
# **The library's twin.** `ganedu.upsampling` has this lesson's functions, with checks of their arguments:

# %%
x, weight = torch.randn(2, 3, 6, 6), torch.randn(3, 2, 4, 4)
assert torch.equal(twin.nearest(x), nearest(x)) and torch.equal(twin.bed_of_nails(x), bed_of_nails(x))
assert torch.equal(twin.transposed_matrix(weight, 6, 2, 1).to_dense(), transposed_matrix(weight, 6, 2, 1).to_dense())
assert twin.phase_variance(x) == phase_variance(x) and twin.checkerboard_energy(x) == checkerboard_energy(x)
print("overlaps of k = 3, s = 2:", twin.overlap_counts(5, kernel=3, stride=2).tolist())

# %% [markdown]
# ## Summary
#
# - Up-sampling is linear: an operation, a matrix, a stamp. A transposed convolution has a convolution's matrix, transposed.
# - $n' = (n - 1) s - 2p + k + o$. Stamps overlap evenly where $s$ divides $k$.
# - A checkerboard is a difference between phases; its energy is the same in pixels and at three points of the spectrum.
# - It comes from uneven overlap, from random weights *and* from training. Shared weights hold it down, D takes it away.
#
# **Exercises.** Exercise 05 marks up-sampling, sizes, stamps and the measure. Then, ungraded: (1) part 6's ablation with a D
# without strides: does the checkerboard still come? (2) start the 3x3 layer with part 6's even kernel; (3) bilinear for
# nearest in `up_resize`: look at the spectrum.
#
# **Where next.** Lesson 06 stacks 4x4 transposed convolutions into DCGAN, and lesson 04's grain goes away.
