# ---
# jupyter:
#   ganedu:
#     learn: >-
#       IS, FID, KID, precision and recall by hand, and a cheat for each
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
# # 12 Evaluation
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# **When is one generator better than another, and who can be trusted to say so?**
#
# Papers: Salimans et al. 2016 (inception score), [arXiv:1606.03498](https://arxiv.org/abs/1606.03498); Heusel et al. 2017
# (FID), [arXiv:1706.08500](https://arxiv.org/abs/1706.08500); Bińkowski et al. 2018 (KID),
# [arXiv:1801.01401](https://arxiv.org/abs/1801.01401); Kynkäänniemi et al. 2019 (precision and recall),
# [arXiv:1904.06991](https://arxiv.org/abs/1904.06991).
#
# You will be able to
#
# - write the inception score, FID, KID, precision and recall yourself, and check them against other people's code,
# - tell quality, which an image has, from diversity, which only a batch has, and say which measure sees which,
# - name for each measure a generator that fools it, and build that generator,
# - say how many samples a number rests on, and test a generator for copies.
#
# You need lessons 01, 04 and 06. Plan 100 minutes; the computer works for about one of them on one CPU core. On a GPU the run
# has four times the rounds.

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
import warnings
from importlib.util import find_spec
from math import comb

import numpy as np
import scipy.linalg
import scipy.stats
import torch
from matplotlib.figure import Figure
from sklearn.metrics.pairwise import polynomial_kernel
from torch import nn
from torch.nn.functional import avg_pool2d, pad

from ganedu import metrics
from ganedu.checks import claim
from ganedu.data import digits
from ganedu.metrics.features import digit_features, digit_probabilities
from ganedu.models.dcgan import DCGAN
from ganedu.models.gaussian_mixture import GaussianMixture
from ganedu.models.naive_bayes import NaiveBayes
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
# Lesson 02 had a D at 1/2 and a G that was wrong. In lesson 04 the losses hovered while the images got better. So you
# look at samples. Here are four generators. Which one would you publish?

# %%
data, x_new = digits("train"), digits("test").all()  # 4,000 to learn from; 1,000 that no generator has seen
x_real, y = data.all(), data.labels
g = torch.Generator().manual_seed(SEED)
shuffled = torch.stack([(y == c).nonzero().flatten()[torch.randperm(400, generator=g)] for c in range(10)])  # (10, 400)
x_ref = x_real[shuffled[:, :100].flatten()]  # 1,000 real digits, 100 of each, for measures that want equal numbers
copies = x_real[shuffled[:, 100:200].flatten()]  # a "generator" that hands out training digits

real_features, real_p = digit_features(x_real).double(), digit_probabilities(x_real).double()
surest, typical = [], []
for c in range(10):
    own = shuffled[c]
    centre = real_features[own].mean(0)
    surest.append(own[real_p[own, c].argmax()])
    typical.append(own[(real_features[own] - centre).norm(dim=1).argmin()])

mixture = GaussianMixture().fit(data).sample(1000, g)
mixed = torch.randperm(1000, generator=torch.Generator().manual_seed(2))[:16]
typical_ten = x_real[torch.stack(typical)].repeat(100, 1, 1, 1)
show(
    image_grid({"A": x_new[mixed], "B": copies[mixed], "C": typical_ten[mixed], "D": mixture[mixed]}, columns=4),
    "Sixteen samples of each. Rank the four before you read on.",
    "Four grids of sixteen digits, A to D. A, B and C are clean handwriting, some digits of C repeat; D is smudged.",
)

# %% [markdown]
# D, the Gaussian mixture of lesson 01, comes last: you see that at once. A are new real digits, what a perfect generator
# would draw. B hands out *training* digits and has learned nothing. C owns *ten* pictures, one a digit, and repeats them.
# Your eye judges each image. It has no way to see B's fraud, and C's only when images repeat before it.
#
# - **Quality** is a property of an image: does this one look real?
# - **Diversity** is a property of a batch: does it show all that real data show?
# - **Novelty** is a property of a batch *and the training set*: is it new?

# %% [markdown]
# ## 2. The idea
#
# Compare distributions, not images. Pixels are a poor place for that, so every measure looks through a net: a classifier's
# verdict $p(y \mid x)$, or the $d$ numbers $f(x)$ of its last hidden layer. Papers use Inception-v3, trained on
# photographs, $d = 2048$. This course uses its digit classifier, $d = 64$, and marks each number made with it by **-d**.
#
# **IS, by hand.** Entropy $H$ is how unsure a distribution is. You want a sure verdict on each image, so a low
# $H(y \mid x)$, and all classes in the batch, so a high $H(y)$ of the average verdict:
#
# $$\mathrm{IS} = \exp\big(H(y) - \mathbb{E}_x H(y \mid x)\big) = \exp \mathbb{E}_x\, \mathrm{KL}\big(p(y \mid x) \,\|\, p(y)\big)$$
#
# Two images, surely a 0 and surely a 1: $H(y) = \log 2$ and $H(y \mid x) = 0$, so IS is 2: two classes. Two images with
# verdict (½, ½) each: $\log 2 - \log 2$, so IS is 1. Two sure zeros: $0 - 0$, again 1. With ten classes the best is 10.
#
# **FID, by hand.** Fit a Gaussian to the features of real images, one to the fakes', and take the Fréchet distance of the
# two. In one dimension it is $(\mu_1 - \mu_2)^2 + (\sigma_1 - \sigma_2)^2$. Reals $N(4, 1.25^2)$ and fakes $N(3, 0.25^2)$:
# $1 + 1 = 2$. The first part asks "are they right on average?", the second "do they vary as they should?".

# %% [markdown]
# ## 3. Build the line-up
#
# G and D come in section 5. First, generators that cost nothing, each good or bad in a way that you know beforehand.
# That is how you test a measure: on cases whose verdict is known.

# %%
blurred = avg_pool2d(pad(copies, (1, 1, 1, 1), value=-1.0), 3, 1)
noisy = (copies + 0.2 * torch.randn(copies.shape, generator=g)).clamp(-1, 1)
threes = shuffled[3][torch.randint(400, (1000,), generator=g)]
line_up = {  # 1,000 images each
    "new real digits": x_new,
    "copies": copies,
    "blurred copies": blurred,
    "noisy copies": noisy,
    "threes only": x_real[threes],
    "surest ten": x_real[torch.stack(surest)].repeat(100, 1, 1, 1),  # of each digit the image of highest p(y | x)
    "typical ten": typical_ten,  # of each digit the image nearest to the mean of the features
    "mixture": mixture,
    "naive Bayes": NaiveBayes().fit(data).sample(1000, g),
}
others = ("blurred copies", "noisy copies", "surest ten", "naive Bayes")
show(
    image_grid({name: line_up[name][mixed] for name in others}, columns=4),
    "Four more of the line-up. Not shown: threes only.",
    "Four grids of sixteen: soft digits, digits in light noise, ten thin clear digits repeated, speckled clouds.",
)

# %% [markdown]
# ## 4. The objective
#
# of this lesson is no loss: it is five numbers, each a few lines. All take features or verdicts in float64, since sums over
# thousands of products lose digits in float32.
#
# $$\mathrm{IS} = \exp \frac1n \sum_i \sum_y p(y \mid x_i) \log \frac{p(y \mid x_i)}{p(y)}, \qquad p(y) = \frac1n \sum_i p(y \mid x_i)$$
#
# $$\mathrm{FID} = \|\mu_1 - \mu_2\|^2 + \mathrm{tr}\big(C_1 + C_2 - 2\,(C_1 C_2)^{1/2}\big)$$
#
# The root is that of a *matrix*, not of its entries. You need its trace alone: the sum of the singular values of
# $C_1^{1/2} C_2^{1/2}$, with symmetric roots. That stays real where a general root of the product may turn complex:
# where a covariance is singular, with fewer images than features or, as here, with a feature that is 0 for every digit.


# %%
def inception_score(p):
    """(N, K) verdicts p(y | x), rows that sum to 1 -> from 1 to K."""
    marginal = p.mean(0)  # p(y)
    return (torch.xlogy(p, p) - torch.xlogy(p, marginal)).sum(1).mean().exp().item()  # xlogy: 0 log 0 = 0


def root(cov):
    """The symmetric square root of a covariance, of any rank."""
    values, vectors = torch.linalg.eigh(cov)
    return vectors * values.clamp(min=0).sqrt() @ vectors.T


def fid_terms(real, fake):
    """(N, d) and (M, d) features -> both terms of the Fréchet distance: of the means, of the covariances."""
    cov1, cov2 = real.T.cov(), fake.T.cov()  # (d, d), n - 1 in the denominator
    of_means = (real.mean(0) - fake.mean(0)).square().sum()
    of_covs = cov1.trace() + cov2.trace() - 2 * torch.linalg.svdvals(root(cov1) @ root(cov2)).sum()
    return of_means.item(), of_covs.item()


def fid(real, fake):
    """‖μ₁ - μ₂‖² + tr(C₁ + C₂ - 2 (C₁C₂)^½)"""
    return sum(fid_terms(real, fake))


# %% [markdown]
# **KID** assumes no Gaussian. It asks how alike two features are, $k(x, y) = (x \cdot y / d + 1)^3$, on average within the
# reals, within the fakes, and across. A sample is not compared with itself, which makes the estimate unbiased:
#
# $$\mathrm{KID} = \mathbb{E}_{x \neq x'} k(x, x') + \mathbb{E}_{y \neq y'} k(y, y') - 2\, \mathbb{E}\, k(x, y)$$
#
# **Precision and recall** split the verdict in two. Put a ball around each real feature that reaches to its $k$-th nearest
# neighbour. *Precision* is the share of fakes in some real ball: quality. Swap the roles, balls around the fakes:
# *recall* is the share of reals in some fake ball: diversity.


# %%
def kid(x, y):
    """E k(x, x') + E k(y, y') - 2 E k(x, y), with k(x, y) = (x·y / d + 1)³, pairs of a sample with itself left out."""

    def k(a, b):
        return (a @ b.T / a.shape[1] + 1) ** 3

    def within(a):
        return (k(a, a).sum() - k(a, a).trace()) / (len(a) * (len(a) - 1))

    return (within(x) + within(y) - 2 * k(x, y).mean()).item()


def covered(points, centres, k):
    """The share of ``points`` (N, d) in a ball around a centre (M, d) that reaches to that centre's k-th neighbour."""
    exact = "donot_use_mm_for_euclid_dist"  # the quick way leaves a copy a little off 0
    within = torch.cdist(centres, centres, compute_mode=exact)  # (M, M); each row has its own 0
    radius = within.topk(k + 1, largest=False).values[:, -1]  # (M,)
    return (torch.cdist(points, centres, compute_mode=exact) <= radius).any(1).double().mean().item()


def precision_recall(real, fake, k=3):
    """The share of fakes in balls around reals, and the share of reals in balls around fakes."""
    return covered(fake, real, k), covered(real, fake, k)


# %% [markdown]
# Never trust a measure that only its author has run. Three independent routes: SciPy's entropy, SciPy's matrix root,
# scikit-learn's kernel; and torchmetrics, where it is installed. It gets the very same features.


# %%
def by_scipy(real, fake, p):
    """IS, FID and KID of (N, d) features and (N, K) verdicts, by SciPy and scikit-learn."""
    score = np.exp(scipy.stats.entropy(p, p.mean(0, keepdims=True), axis=1).mean())
    cov1, cov2 = np.cov(real.T), np.cov(fake.T)
    roots = np.sqrt(scipy.linalg.eigvals(cov1 @ cov2).real.clip(0))  # the trace of a root: the roots of the eigenvalues
    distance = np.square(real.mean(0) - fake.mean(0)).sum() + np.trace(cov1 + cov2) - 2 * roots.sum()
    k_xx, k_yy, k_xy = (polynomial_kernel(a, b, coef0=1) for a, b in ((real, real), (fake, fake), (real, fake)))
    within = sum(k[~np.eye(len(k), dtype=bool)].mean() for k in (k_xx, k_yy))
    return score, distance, within - 2 * k_xy.mean()


def by_torchmetrics(real, fake, p):
    """The same by torchmetrics: ``Flatten`` is a feature net that hands on what it gets."""
    from torchmetrics.image.fid import FrechetInceptionDistance
    from torchmetrics.image.inception import InceptionScore
    from torchmetrics.image.kid import KernelInceptionDistance

    warnings.filterwarnings("ignore", module="torchmetrics")  # it remarks that it keeps all features
    distance = FrechetInceptionDistance(feature=nn.Flatten(), input_img_size=real.shape[1:])
    kernel = KernelInceptionDistance(feature=nn.Flatten(), subsets=1, subset_size=len(real))
    score = InceptionScore(feature=nn.Flatten(), splits=1)
    for metric in (distance, kernel):
        metric.update(torch.from_numpy(real), real=True)
        metric.update(torch.from_numpy(fake), real=False)
    score.update(torch.from_numpy(np.log(p)))  # it wants logits
    return score.compute()[0].item(), distance.compute().item(), kernel.compute()[0].item()


# %%
ref_features = digit_features(x_ref).double()
f, p = digit_features(mixture).double(), digit_probabilities(mixture).double()
own = np.array([inception_score(p), fid(ref_features, f), kid(ref_features, f)])
difference = 0.0
for other in (by_scipy, by_torchmetrics) if find_spec("torchmetrics") else (by_scipy,):
    theirs = np.array(other(ref_features.numpy(), f.numpy(), p.numpy()))
    difference = max(difference, np.abs(theirs / own - 1).max())
    print(f"{other.__name__:16}", "IS {:.4f}, FID {:.4f}, KID {:.4f}".format(*theirs))
print("this lesson     ", "IS {:.4f}, FID {:.4f}, KID {:.4f}".format(*own))

# %% [markdown]
# ## 5. Predict, then train
#
# Now a live contender: lesson 06's DCGAN, 800 rounds of 32 images. **Predict** before you run the cells, in writing:
#
# 1. Which comes first, quality (precision) or diversity (recall)?
# 2. Rank by FID-d: new real digits, this GAN, the mixture, the *surest ten*, the *typical ten*.
# 3. Which of these gets the highest IS-d? Can anything beat real digits?

# %%
ROUNDS = {"cpu": 800, "gpu": 3200}[tier()]
seed_all(SEED)
trainer = Trainer(DCGAN(z_dim=64), data, batch_size=32, lr=1e-3, ema_decay=0.99, seed=SEED)
moments = [ROUNDS * part // 16 for part in (1, 2, 4, 8, 16)]
snapshots = {}


def take_snapshot(trainer):
    if trainer.round in moments:
        snapshots[trainer.round] = trainer.sample(2000, seed=0).cpu()


trainer.add_hook(take_snapshot, every=ROUNDS // 16)
run = train(trainer, rounds=ROUNDS)

# %%
run.wait()


# %%
def measure(x):
    """All five numbers for 1,000 images: FID-d against all training digits, the rest against 1,000 of them."""
    f, p = digit_features(x).double(), digit_probabilities(x).double()
    precision, recall = precision_recall(ref_features, f)
    of_means, of_covs = fid_terms(real_features, f)
    return {"IS-d": inception_score(p), "FID-d": of_means + of_covs, "of which means": of_means,
            "KID-d": kid(ref_features, f), "precision": precision, "recall": recall}  # fmt: skip


line_up["this GAN"] = snapshots[ROUNDS][:1000]
by_round = {r: measure(x[:1000]) for r, x in snapshots.items()}
results = {name: by_round[ROUNDS] if name == "this GAN" else measure(x) for name, x in line_up.items()}
figure = Figure(figsize=(7.5, 2.8), layout="constrained")
left, right = figure.subplots(1, 2)
left.semilogy(moments, [by_round[r]["FID-d"] for r in moments], "o-", color=CRITIC)
left.set(xlabel="round", ylabel="FID-d (n = 1,000)", ylim=(5, 500), title="one number")
for name, color, mark in (("precision", REAL, "o-"), ("recall", FAKE, "s--")):
    right.plot(moments, [by_round[r][name] for r in moments], mark, color=color, label=name)
right.set(xlabel="round", ylabel="share", ylim=(0, 1), title="the same, in two")
right.legend(frameon=False)
show(figure, "FID-d falls; precision and recall say what it falls for.",
     "Left: FID-d falls over the rounds. Right: precision and recall over the rounds.")  # fmt: skip

# %% [markdown]
# ## 6. Explore
#
# Compare with your first prediction: both shares begin at 0, in this run precision leaves it first, and recall ends above.
# This GAN draws strokes of many kinds, and many of them are no digit. Now go through the line-up with the slider; the
# numbers stand in the title.
#
# **Ablation:** in the table's third column FID-d has lost its second term and compares means alone. Who profits?

# %%
browse(
    lambda name: image_grid(
        {"{}\nIS-d {IS-d:.2f}, FID-d {FID-d:.1f}, KID-d {KID-d:.2f}\nprecision {precision:.2f}, recall {recall:.2f}".format(
            name, **results[name]): line_up[name][torch.randperm(1000, generator=torch.Generator().manual_seed(3))[:48]]}
    ),
    list(line_up), label="generator", caption="48 samples. In a live notebook a slider goes through the line-up.",
    alt="A grid of generated digits with five measures in its title.",
)  # fmt: skip
print(" " * 16, *(f"{name:>14}" for name in results["copies"]))
for name, row in sorted(results.items(), key=lambda item: item[1]["FID-d"]):
    print(f"{name:16}", *(f"{value:14.2f}" for value in row.values()))

# %% [markdown]
# 1. Means alone put ten pictures next to real digits: the *typical ten* are average by choice. Which measure, of all
#    those in the table, gives them away?
# 2. This GAN and the mixture have about the same FID-d. Are they alike?
#
# <details><summary>Answers</summary>
#
# 1. FID-d's second term sees that they vary too little, but still puts them above every generator that learned; KID-d and
#    precision praise them. Recall is 0. Recall alone asks whether each *real* digit has a fake near it.
# 2. No. The mixture is nearer to real digits image by image (precision), the GAN covers more of them (recall).
#
# </details>

# %%
figure = Figure(figsize=(6.5, 4.2), layout="constrained")
axes = figure.subplots()
for name, row in results.items():
    honest = name in ("new real digits", "mixture", "naive Bayes", "this GAN")
    axes.plot(row["recall"], row["precision"], "o" if honest else "X", color=REAL if honest else FAKE, markersize=8)
    under = name == "copies"
    axes.annotate(f"{name} ({row['FID-d']:.0f})", (row["recall"], row["precision"]), (6, -14 if under else 5),
                  textcoords="offset points", fontsize=9, ha="right" if row["recall"] > 0.8 else "left")  # fmt: skip
axes.set(xlabel="recall: diversity of the batch", ylabel="precision: quality of the images", xlim=(-0.05, 1.05))
axes.set(ylim=(0, 1.1))
show(figure, "Quality and diversity are two things; FID-d, in brackets, folds them into one. Circles draw new images, "
     "crosses trade in copies, and copies stand where real digits stand.",
     "Scatter plot of precision against recall for ten generators, each with its FID-d.")  # fmt: skip

# %% [markdown]
# ## 7. Measure it, and measure the measures
#
# **How each is fooled.**
#
# - *IS* never sees a real image, and a class is all it can tell apart. Ten pictures, each surely its digit, beat real digits.
# - *FID* sees mean and covariance. Features that are drawn from a Gaussian with the right two score as well as real ones,
#   though no image has such features: next cell.
# - *KID* sees three moments through its cubic kernel, and is fooled where those agree.
# - *Precision* rewards what is safe, *recall* what is scattered. Either alone is easy to please.
# - *All five* are content with copies.

# %%
z = torch.randn(1000, 64, generator=g, dtype=torch.float64)
gauss_features = real_features.mean(0) + z @ root(real_features.T.cov())
fid_gauss, precision_gauss = fid(real_features, gauss_features), precision_recall(ref_features, gauss_features)[0]
print(f"Gaussian features: FID-d {fid_gauss:.2f}, precision {precision_gauss:.2f}; a feature after ReLU is at least 0, "
      f"but of these {(gauss_features < 0).double().mean():.0%} are below")  # fmt: skip

# %% [markdown]
# **FID needs n.** Let fakes come from the very distribution of the reals: the true distance is 0. Measured on $n$ fakes it is
# not, as both the mean and the covariance of a sample are a little off, and the distance counts every error as positive.
# For $N(0, I)$ in $d$ dimensions, by hand, for $n \gg d$: the means give $d/n$, the covariances about $d(d+1)/(4n)$. So
# **the bias falls as $1/n$ and grows as $d^2$**: papers with $d = 2048$ take $n = 50{,}000$. The cure of Chong and Forsyth
# ([arXiv:1911.07023](https://arxiv.org/abs/1911.07023)): measure at several $n$, lay a line over $1/n$, read it off at 0.


# %%
def fid_infinity(real, fake, sizes, repeats, generator):
    """Lay a line through the mean FID of random subsets over 1/n -> (its value at 1/n = 0, the mean FIDs)."""
    values = []
    for n in sizes:
        subsets = [fake[torch.randperm(len(fake), generator=generator)[:n]] for _ in range(repeats)]
        values.append(np.mean([fid(real, subset) for subset in subsets]))
    slope, value = np.polyfit(1 / np.array(sizes), values, 1)
    return value, np.array(values)


sizes = np.array([100, 150, 250, 500, 1000])
replayed = real_features[torch.randint(4000, (20000,), generator=g)]  # any of the 4,000, again and again
gan_features = digit_features(snapshots[ROUNDS]).double()
figure = Figure(figsize=(7.5, 2.8), layout="constrained")
at_infinity, curves = {}, {}
for axes, (name, fakes) in zip(figure.subplots(1, 2), {"copies": replayed, "this GAN": gan_features}.items()):
    at_infinity[name], curves[name] = fid_infinity(real_features, fakes, sizes, 20, g)
    axes.plot(1 / sizes, curves[name], "o", color=FAKE)
    axes.plot([0, 1 / 100], np.polyval(np.polyfit(1 / sizes, curves[name], 1), [0, 1 / 100]), color=CRITIC)
    axes.set(
        xlabel="1 / n", ylabel="FID-d", title=f"{name}: {round(at_infinity[name], 1) + 0.0} for n to infinity", xlim=0
    )
show(figure, "FID-d against 1/n: straight lines. The copies' true distance is 0; the rest is bias.",
     "Two panels: FID-d rises in a straight line with 1/n, for copies from zero, for the GAN from its own value.")  # fmt: skip
few = fid_infinity(real_features, replayed, [50, 1000], 20, g)[1]
print(f"the true distribution: FID-d {few[0]:.1f} with 50 images, {few[1]:.2f} with 1,000; "
      f"the typical ten, repeated 100 times: {results['typical ten']['FID-d']:.1f}")  # fmt: skip

# %% [markdown]
# The same generator, another $n$, another number; at 50 images the truth itself scores like ten pictures. **State $n$,
# compare at equal $n$.** And say how you drew: the table's 1,000 copies have 0.16, since they are exactly 100 of each digit
# and none comes twice; these are drawn blindly. KID has no such bias: it is off in both directions, and may fall below 0.
#
# **Copies: the nearest-neighbour test.** Find each sample's nearest real image. *Near* alone proves nothing: blurred
# images are near to everything. So ask *which set* it lies in. You have 4,000 training digits and 1,000 that
# no generator saw. Chance sends 80 % of an honest generator's neighbours to the training set, a copier sends all
# ([arXiv:2004.05675](https://arxiv.org/abs/2004.05675) makes a test of the idea).


# %%
def nearest(x, y):
    """For each image of x the distance to its nearest one in y, pixel by pixel, and that one's index."""
    return torch.cdist(x.flatten(1).double(), y.flatten(1).double()).min(1)


def copying(x):
    """(share of x whose nearest real digit is a training one, median distance to the training digits)"""
    to_train, to_new = nearest(x, x_real).values, nearest(x, x_new).values
    return (to_train < to_new).double().mean().item(), to_train.median().item()


line_up["shifted copies"] = torch.roll(copies, (1, 1), (2, 3))  # one pixel down, one to the right
found = {name: copying(line_up[name]) for name in ("copies", "noisy copies", "mixture", "this GAN", "shifted copies")}
print(f"new real digits lie {nearest(x_new, x_real).values.median():.1f} from the training digits")
for name, (share, distance) in found.items():
    print(f"{name:15} {distance:5.1f} away; nearest is a training digit: {share:.0%}")
shown = {name: line_up[name][mixed[:3]] for name in ("noisy copies", "this GAN", "shifted copies")}
show(
    image_grid({name: torch.cat([x, x_real[nearest(x, x_real).indices]]) for name, x in shown.items()}, columns=3),
    "Above: samples. Below: for each its nearest training digit. The noisy ones are caught; the shifted ones get away.",
    "Three pairs of rows. Noisy digits stand over their originals; generated and shifted digits over other digits.",
)

# %% [markdown]
# A shift by one pixel hides the copies: pixel distance does not know that they are the same. Undo small shifts before you
# compare, and they are caught. A test for copies only finds the copies that its distance can see.

# %%
moves = [(down, right) for down in (-1, 0, 1) for right in (-1, 0, 1)]
some = line_up["shifted copies"][:200]
turned_back = [[nearest(torch.roll(some, move, (2, 3)), known).values for move in moves] for known in (x_real, x_new)]
to_train, to_new = (torch.stack(distances).min(0).values for distances in turned_back)
share_undone = (to_train < to_new).double().mean().item()
print(f"shifted copies, shifts undone: nearest is a training digit: {share_undone:.0%}")

# %% [markdown]
# **A human look, with numbers.** Looking stays the last word, if it is blind. Eight of these are new real digits, eight this
# GAN's. Write down which, then run the next cell. Who tosses a coin for each of the 16 has 12 or more right in 4 % of the
# cases; who blindly calls exactly eight of them real, in 7 %.

# %%
blind = torch.randperm(16, generator=torch.Generator().manual_seed(SEED + 1))
sheet = torch.cat([x_new[mixed[:8]], line_up["this GAN"][:8]])[blind]
show(image_grid(sheet), "Numbers 1 to 8 above, 9 to 16 below. Which are real?", "Two rows of eight digits, unlabelled.")
# %%
print("real:", (blind < 8).nonzero().flatten().add(1).tolist())
print(f"chance of 12 or more right of 16: {sum(comb(16, right) for right in range(12, 17)) / 2**16:.3f}")

# %% [markdown]
# ## 8. The claims

# %%
row = results
best_honest = min(results[name]["FID-d"] for name in ("mixture", "naive Bayes", "this GAN"))
fid_all = fid(real_features, real_features[torch.randperm(4000, generator=g)])
claim("IS, FID, KID: largest relative difference from other people's code", difference, at_most=1e-3)
claim("FID-d of a generator that replays all training digits", fid_all, at_most=1e-3)
claim(
    "FID-d of 1,000 copies, as a share of the best honest generator's",
    row["copies"]["FID-d"] / best_honest,
    at_most=0.1,
)
claim("copies: share whose nearest digit is a training one", found["copies"][0], at_least=0.99)
claim("this GAN: share whose nearest digit is a training one", found["this GAN"][0], at_most=0.9)
claim("shifted copies: the same share", found["shifted copies"][0], at_most=0.9)
claim("shifted copies, shifts undone: the same share", share_undone, at_least=0.95)
claim("IS-d of the surest ten over that of new real digits",
      row["surest ten"]["IS-d"] / row["new real digits"]["IS-d"], at_least=1.1)  # fmt: skip
claim("surest ten: recall", row["surest ten"]["recall"], at_most=0.05)
claim("FID-d of 100 copies over that of 1,000", curves["copies"][0] / curves["copies"][-1], at_least=5)
claim("copies: FID-d for n to infinity, distance from 0", abs(at_infinity["copies"]), at_most=0.3)
claim("Gaussian features: FID-d", fid_gauss, at_most=1.5)
claim("Gaussian features: precision", precision_gauss, at_most=0.1)
claim(
    "typical ten: FID-d as a share of the mixture's", row["typical ten"]["FID-d"] / row["mixture"]["FID-d"], at_most=0.6
)
recall, precision = row["this GAN"]["recall"], row["this GAN"]["precision"]
claim("recall of this GAN over the mixture's, in doublings", np.log2(recall / row["mixture"]["recall"]), at_least=0)
claim("this GAN: recall over its precision, in doublings", np.log2(recall / precision), at_least=0)

# %% [markdown]
# ## 9. In practice
#
# What breaks, and what people believe about it:
#
# - *"Our FID is 12."* Of how many images, with which features, against which set? Without these it is no result.
# - *"The lower FID has the better images."* It may have ten images. Report precision and recall beside it, and look.
# - *"A distance above 0 to the training set shows that nothing is copied."* You saw noise and a shift.
# - *"The classifier reads the samples, so they are digits."* A high IS is easy for anyone who optimises it.
# - *Two pipelines*: another resizing, range or rounding of images moves FID more than many a paper's improvement.
# - *Choosing the best checkpoint by FID, then reporting that FID.* Choose on one draw of samples, report another.
#
# **The library's twin.** `ganedu.metrics` has all of this lesson, with $n$ and features in every result, density and
# coverage (arXiv:2002.09797) beside precision and recall, and any feature net. The same numbers:

# %%
x = line_up["this GAN"]
print(metrics.fid_digits(x_real, x), metrics.kid_digits(x_ref, x), metrics.prdc_digits(x_ref, x, k=3), sep="\n")
print(metrics.inception_score_digits(x), "<- mean of 10 parts, as in papers: lower, since each part has fewer images")
assert abs(metrics.fid_digits(x_real, x).value - row["this GAN"]["FID-d"]) < 1e-3
assert abs(metrics.prdc_digits(x_ref, x, k=3).recall - row["this GAN"]["recall"]) < 1e-9

# %% [markdown]
# ## Summary
#
# - IS sees sure verdicts and even classes: nothing within a class, nothing of the real data.
# - FID sees mean and covariance of features, too large by about a constant over $n$. KID has no such bias.
# - Precision is quality, recall is diversity. One number cannot be both.
# - A copier wins every one of them. Held-out data and a nearest-neighbour test expose it, within what their distance sees.
#
# **Exercises:** [exercise 12](../exercises/12_evaluation.ipynb): IS, precision and recall, a FID to repair, a copier to catch.
#
# **Where next.** From lesson 13 on you tell G what to draw, and a new question arises: does it draw what you asked for?
