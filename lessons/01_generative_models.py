# ---
# jupyter:
#   ganedu:
#     learn: >-
#       naive Bayes and a Gaussian mixture that write digits; what a density is good for; the map of the course
#     minutes: 100
#     cpu: 1 min
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
# # 01 Generative models
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# **A machine that reads digits is easy to train. What does it take to make one that *writes* them?** You build two such
# machines today, from nothing more than averages and bell curves. They write digits, finish half-drawn ones, and tell
# you how likely a picture is. Then you see where they end, and why the rest of this course begins there. Welcome!
#
# Paper: Goodfellow 2016, *NIPS 2016 Tutorial: Generative Adversarial Networks*, <https://arxiv.org/abs/1701.00160>.
#
# You will be able to:
#
# - tell supervised from unsupervised, discriminative from generative, explicit from implicit density;
# - compute a likelihood and a KL divergence by hand, and say why maximising one minimises the other;
# - build naive Bayes and a Gaussian mixture, and draw digits from both;
# - say what a log-likelihood is good for, and name three ways in which a measure misleads.
#
# Plan 100 minutes of your time. You need PyTorch's tensors, matrix products, and the normal distribution in several
# dimensions with its mean and covariance matrix. PCA, EM and Cholesky roots get a sentence each, and a library computes
# them. All cells together compute for about a minute on a CPU; a GPU would gain nothing.

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
from sklearn.decomposition import PCA
from sklearn.mixture import GaussianMixture
from torch.nn.functional import cross_entropy

from ganedu.checks import claim
from ganedu.data import digits
from ganedu.metrics.features import classify, digit_shares, load_classifier
from ganedu.metrics.fid import fid_digits
from ganedu.runtime import lesson_seed, seed_all
from ganedu.views.course import course_map, family_tree
from ganedu.views.figure import FAKE, REAL, image_grid, show
from ganedu.views.snapshots import browse

SEED = lesson_seed()
seed_all(SEED)  # the same numbers at every run; try another seed when you are done
GREY = "#555555"
train, test = digits("train"), digits("test")
x, y = train.all(), train.labels  # (4000, 1, 28, 28) pictures in [-1, 1], and the digit on each
x_test, y_test = test.all(), test.labels  # 1,000 more that no model below is fitted to

# %% [markdown]
# ## 1. The problem seen
#
# Here is a classifier: a small net that has learned to read handwritten digits. Ask it to *draw* a 7. It has no hand,
# but it has a gradient. Start from noise and change the pixels, step by step, so that it finds a 7 more and more
# likely. **What will you see?** Guess before you run the cell.

# %%
classifier = load_classifier()
accuracy = (classifier(x_test).argmax(1) == y_test).double().mean()
paint = torch.atanh(torch.rand(16, 1, 28, 28) * 1.98 - 0.99).requires_grad_()  # tanh keeps the pixels in [-1, 1]
optimizer = torch.optim.Adam([paint], lr=0.2)
for _ in range(200):
    loss = cross_entropy(classifier(paint.tanh()), torch.full((16,), 7))  # -log p(7 | x)
    optimizer.zero_grad()
    loss.backward()
    optimizer.step()
x_dream = paint.tanh().detach()
sure = classifier(x_dream).softmax(1)[:, 7].mean()
print(f"The classifier is right on {accuracy:.1%} of new digits. It takes each dream for a 7 with p = {sure:.4f}.")
show(
    image_grid({"real sevens": x[y == 7][:16], "what the classifier calls a 7": x_dream}, columns=4),
    "Left: real sevens. Right: 16 pictures that the classifier takes for sevens, and is sure of it.",
    "Two grids of 16 images: handwritten sevens on the left, black and white noise on the right.",
)

# %% [markdown]
# Noise, and the classifier is *sure*. It is not broken. It was asked "which of the ten is it?" and learned borders
# between them. Nobody ever asked it what a digit looks like. So it cannot know that this is none.
#
# ## 2. The idea
#
# Write $x$ for a picture and $y$ for its digit. There are two questions one can ask, and two kinds of model:
#
# | | learns | answers |
# |---|---|---|
# | **discriminative** | $p(y \mid x)$, the label given the picture | "Which digit is this?" |
# | **generative** | $p(x)$, or $p(x \mid y)$ for each label | "What do digits look like? Show me one. How likely is this one?" |
#
# A second pair of words is about the *data*. **Supervised**: pictures with labels. **Unsupervised**: pictures alone.
# Today's first generative model uses the labels, the second never sees them.
#
# A generative model with labels can do the other's job too, by Bayes' rule: $p(y \mid x) = p(x \mid y)\,p(y)/p(x)$. The
# way back is closed: no $p(y \mid x)$ tells you $p(x)$. You have just seen it try.
#
# **How do you fit $p(x)$?** Choose a family of distributions $q$. Take the one under which the data are *least
# surprising*: the largest mean **log-likelihood** $\frac1N \sum_n \log q(x_n)$. That is **maximum likelihood**.
#
# **By hand.** A camera with two pixels, each black or white, takes eight pictures. *Naive Bayes*
# takes pixels for independent (given a label; here is none). Each is white half of the time: 1/4 for every picture.
#
# | picture | ■■ | □□ | □■ | ■□ | mean log-likelihood of the eight |
# |---|---|---|---|---|---|
# | seen | 3 | 3 | 1 | 1 | |
# | $\hat p$, the shares | 3/8 | 3/8 | 1/8 | 1/8 | $2 \cdot \frac38 \log \frac38 + 2 \cdot \frac18 \log \frac18 = -1.255$ |
# | $q$, naive Bayes | 1/4 | 1/4 | 1/4 | 1/4 | $\log \frac14 = -1.386$ |
#
# No $q$ beats $\hat p$. What $q$ lacks is the **KL divergence**
# $KL(\hat p \,\|\, q) = \sum_x \hat p(x) \log \frac{\hat p(x)}{q(x)}$, here
# $2 \cdot \frac38 \log \frac{3/8}{1/4} + 2 \cdot \frac18 \log \frac{1/8}{1/4} = 0.131$. Look: $-1.255 - 0.131 = -1.386$.
#
# $$\frac1N \sum_n \log q(x_n) \;=\; \sum_x \hat p(x) \log \hat p(x) \;-\; KL(\hat p \,\|\, q)$$
#
# The first term on the right does not know $q$. So **to maximise the likelihood is to minimise the KL divergence.**
# Logarithms are natural, and their unit is called a **nat**.
#
# Now a family: the pixels *agree* with probability $\theta$. At $\theta = 1/2$ that is naive Bayes. Where is its best?

# %%
p_hat = torch.tensor([3, 3, 1, 1]) / 8
theta = torch.linspace(0.02, 0.98, 97)
q = torch.stack([theta, theta, 1 - theta, 1 - theta], 1) / 2  # (97, 4): one distribution for each theta
log_likelihood = (p_hat * q.log()).sum(1)
kl = (p_hat * (p_hat / q).log()).sum(1)
assert torch.allclose(log_likelihood, (p_hat * p_hat.log()).sum() - kl)  # the line above, for every theta
print(f"naive Bayes: {log_likelihood[48]:.3f}, KL {kl[48]:.3f}; best theta {theta[log_likelihood.argmax()]:.2f}")

figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
axes.plot(theta, log_likelihood, color=FAKE, label="mean log-likelihood of the eight pictures")
axes.plot(theta, kl, "--", color=REAL, label="KL(shares, q)")
axes.axvline(0.75, 0, 0.6, color=GREY, linestyle=":")
axes.text(0.5, -2, "naive Bayes", ha="center", color=GREY)
axes.plot([0.5], [log_likelihood[48]], "o", color=FAKE)
axes.set(xlabel="theta, the probability that the two pixels agree", ylabel="nats", ylim=(-3, 2.4))
axes.legend(frameon=False)
caption = "One curve is the other upside down. The best theta is 3/4, the share of pictures whose pixels agree."
show(figure, caption, "Two curves over theta, mirror images of each other: one peaks at 0.75, the other is least.")

# %% [markdown]
# At the right edge both curves run off to infinity: as $\theta$ nears 1, $q$ calls □■ impossible, and it was seen.
# **Maximum likelihood forbids a model to rule out what happens.** It does not forbid nonsense: a $q$ that spends half
# its probability on pictures never seen pays only $\log 2 = 0.69$ nats. Remember both for part 7.
#
# ## 3. Build two generators
#
# Two pixels had 4 possible pictures. 784 pixels have $256^{784}$, and you have 4,000. So you must assume something.
#
# **Naive Bayes** assumes that *given the digit, the pixels are independent*. Each pixel of a new 3 comes from some real
# 3, another one for each pixel. So each pixel has exactly the shares seen, and that maximises this model's likelihood.


# %%
def draw_naive_bayes(x, y, labels):
    """A new picture for each label: every pixel from another training picture of that digit. (len(labels), 1, 28, 28)"""
    drawn = torch.empty(len(labels), 784)
    for digit in labels.unique():
        pictures, mine = x[y == digit].flatten(1), labels == digit  # (400, 784) training pictures of this digit
        source = torch.randint(len(pictures), (int(mine.sum()), 784))  # for each pixel: from which picture?
        drawn[mine] = pictures.gather(0, source)
    return drawn.view(-1, 1, 28, 28)


x_pixels = draw_naive_bayes(x, y, torch.randint(10, (2000,)))
shuffled = torch.randperm(4000, generator=torch.Generator().manual_seed(0))
show(
    image_grid({"real": x[shuffled[:32]], "naive Bayes on pixels": x_pixels[:32]}),
    "Right: your first generated digits! Every pixel is right. The strokes are missing: neighbours do not know each other.",
    "Two grids of 32 images: clean handwritten digits, and speckled clouds in the rough shape of digits.",
)

# %% [markdown]
# The pixels are the wrong things to be independent. **PCA** (principal component analysis) finds better ones: 50
# patterns, each a picture, along which the digits differ most, and which are uncorrelated over the whole data set. A
# digit becomes 50 numbers $c$, its **coordinates**: how much of each pattern to add to the average picture.

# %%
pca = PCA(50, svd_solver="full").fit(x.flatten(1).double())
mean, basis = torch.from_numpy(pca.mean_), torch.from_numpy(pca.components_)  # (784,) and (50, 784), float64


def encode(x):
    """(N, 1, 28, 28) pictures -> (N, 50) coordinates."""
    return (x.flatten(1).double() - mean) @ basis.T


def decode(c):
    """(N, 50) coordinates -> (N, 1, 28, 28) pictures, cut to [-1, 1]."""
    return (mean + c @ basis).clamp(-1, 1).float().view(-1, 1, 28, 28)


c, c_test = encode(x), encode(x_test)
print(f"{tuple(x.shape)} -> {tuple(c.shape)}, which keep {pca.explained_variance_ratio_.sum():.0%} of the variance")
patterns = decode(torch.diag(2 * c.std(0))[:8])
show(
    image_grid(torch.cat([x_test[50::125], decode(c_test[50::125]), patterns])),
    "Top: new digits. Middle: the same, from 50 numbers each: a little soft, quite readable. Bottom: the first eight "
    "patterns, added to the average.",
    "Three rows of eight images: digits, their slightly blurred reconstructions, and blurry patterns.",
)

# %% [markdown]
# Now let $c$ be drawn from a **mixture of Gaussians**: $K$ bell-shaped clouds in 50 dimensions. Cloud $k$ has a weight
# $w_k$ (how often it is picked), a centre $\mu_k$ and a covariance $\Sigma_k$ (its widths and its tilt). To draw: pick
# a cloud, take standard normal numbers $z$, and go to $\mu_k + L_k z$. Here $L_k$ is the Cholesky root of $\Sigma_k$,
# triangular with $L_k L_k^\top = \Sigma_k$, so $L_k z$ has the covariance $\Sigma_k$.


# %%
class Mixture:
    """p(c) = Σ_k w_k N(c; μ_k, Σ_k)"""

    def __init__(self, weights, means, covariances):
        self.weights, self.means, self.covariances = weights, means, covariances  # (K,), (K, d), (K, d, d)
        self.roots = torch.linalg.cholesky(covariances)  # L: triangular, with L @ L.T = Σ

    def sample(self, n, generator=None):
        """(n, d) points."""
        k = torch.multinomial(self.weights, n, replacement=True, generator=generator)
        z = torch.randn(n, self.means.shape[1], generator=generator, dtype=torch.float64)
        return self.means[k] + torch.einsum("nij,nj->ni", self.roots[k], z)


# %% [markdown]
# **Two ways to place the clouds.** *Naive Bayes in these coordinates*: one cloud a digit, and given the digit the 50
# coordinates are independent, so $\Sigma_k$ is diagonal: the cloud stands **upright**, its axes along the coordinates.
# Maximum likelihood has a closed form: the average and the variance of each coordinate over that digit's pictures.
#
# *The mixture proper*: forget the labels, and let every $\Sigma_k$ be full, the cloud **tilted**. Now nobody says which
# picture belongs to which cloud. **Expectation maximisation** (EM) takes turns: given the clouds, how much does each
# picture belong to each? Given that, what are the weights, averages and covariances? No turn can lower the likelihood.
# scikit-learn does it; `reg_covar` adds 0.1 to each variance, so that no cloud shrinks onto a few pictures.


# %%
def fit_naive_bayes(c, y):
    """One cloud for each digit, coordinates independent given the digit."""
    groups = [c[y == digit] for digit in range(10)]
    weights = torch.tensor([len(g) / len(c) for g in groups], dtype=torch.float64)
    return Mixture(weights, torch.stack([g.mean(0) for g in groups]),
                   torch.stack([g.var(0, correction=0).diag() for g in groups]))  # fmt: skip


def fit_mixture(c, K, seed=0):
    """K clouds with full covariances, found by EM without labels."""
    em = GaussianMixture(K, reg_covar=0.1, tol=1e-2, random_state=seed).fit(c)
    return Mixture(*(torch.from_numpy(array) for array in (em.weights_, em.means_, em.covariances_)))


for model in (fit_naive_bayes(c, y), fit_mixture(c, 5, SEED)):
    print(*(f"{part} {tuple(getattr(model, part).shape)}" for part in ("weights", "means", "covariances")))


# %% [markdown]
# ## 4. The objective
#
# Both are fitted by maximum likelihood, so both want this to be large on average, for $c$ in $d = 50$ dimensions:
#
# $$\log p(c) = \log \sum_{k=1}^K w_k\, N(c; \mu_k, \Sigma_k), \qquad
# \log N(c; \mu, \Sigma) = -\tfrac12 \|L^{-1}(c - \mu)\|^2 - \sum_i \log L_{ii} - \tfrac d2 \log 2\pi$$
#
# Read the second formula from left to right: how far $c$ is from the centre, in units of the cloud's own widths; a
# penalty for wide clouds; a constant. Never take `exp` of such a number: $e^{-800}$ is 0 on a computer, and its
# logarithm is $-\infty$. `logsumexp` computes the logarithm of the sum without ever leaving the logarithms.


# %%
def log_joint(mixture, c):
    """log w_k + log N(c; μ_k, Σ_k) for each point and each cloud: (N, d) -> (N, K)."""
    away = (c[:, None] - mixture.means).permute(1, 2, 0)  # (K, d, N)
    away = torch.linalg.solve_triangular(mixture.roots, away, upper=False)  # L⁻¹ (c - μ)
    log_det = mixture.roots.diagonal(dim1=1, dim2=2).log().sum(1)  # (K,)
    return mixture.weights.log() - away.square().sum(1).T / 2 - log_det - c.shape[1] / 2 * math.log(2 * math.pi)


def log_prob(mixture, c):
    """log Σ_k w_k N(c; μ_k, Σ_k), in nats: (N, d) -> (N,)."""
    return torch.logsumexp(log_joint(mixture, c), 1)


naive_bayes = fit_naive_bayes(c, y)
nb_accuracy = (log_joint(naive_bayes, c_test).argmax(1) == y_test).double().mean()
print(f"held-out log-likelihood of naive Bayes: {log_prob(naive_bayes, c_test).mean():.1f} nats a picture")
print(f"and as a classifier, by Bayes' rule, it is right on {nb_accuracy:.1%} (the net of part 1: {accuracy:.1%})")

# %% [markdown]
# **Held-out** means: on pictures that the model was not fitted to. Here its value is negative; it need not be, since a
# density, unlike a probability, can exceed 1. Alone the number says little. Comparing two models, it says a lot.
#
# Note the second line: a model of *what digits look like* can read them too, without having been trained to.
#
# ## 5. Predict, then fit
#
# How many clouds? Fit on 3,200 of the training pictures and keep 800 to judge by. **Write down your guesses:**
#
# 1. With more clouds, what does the log-likelihood of the 3,200 do? And that of the 800?
# 2. Nobody tells EM that there are ten digits. What will the centres of the clouds look like?

# %%
fit_on, judge_by = shuffled[:3200], shuffled[3200:]
fitted = {K: fit_mixture(c[fit_on], K, SEED) for K in (1, 2, 5, 10, 20, 40, 80)}
seen = {K: log_prob(m, c[fit_on]).mean().item() for K, m in fitted.items()}
held_out = {K: log_prob(m, c[judge_by]).mean().item() for K, m in fitted.items()}

figure, axes = plt.subplots(figsize=(6.5, 3), layout="constrained")
axes.semilogx(list(fitted), list(seen.values()), "o--", color=GREY, label="pictures fitted to")
axes.semilogx(list(fitted), list(held_out.values()), "o-", color=FAKE, label="held-out pictures")
axes.set(xlabel="K, number of clouds", ylabel="log-likelihood (nats)", xticks=list(fitted), xticklabels=list(fitted))
axes.minorticks_off()
axes.legend(frameon=False)
caption = "The grey curve always rises. The orange one peaks near 20 clouds: beyond, the model learns by heart."
show(figure, caption, "Two curves over K. One rises throughout; the other peaks near K = 20 and falls after 40.")

# %% [markdown]
# 80 clouds have 106,000 parameters, over 30 for each picture: room to learn the pictures by heart. This is
# **overfitting**, and an explicit density lets you see it. So: 20 clouds, fitted to all 4,000.

# %%
mixture = fit_mixture(c, 20, SEED)
belongs = log_joint(mixture, c).argmax(1)  # the cloud of each training picture
purity = sum(y[belongs == k].bincount().max() for k in belongs.unique()).item() / len(y)
x_nb = decode(naive_bayes.sample(2000, torch.Generator().manual_seed(SEED)))
x_mixture = decode(mixture.sample(2000, torch.Generator().manual_seed(SEED)))
print(f"{purity:.0%} of the pictures show the digit that is the most frequent one in their cloud")
show(image_grid(decode(mixture.means), columns=10, scale=2), "The centres of the 20 clouds. No label was used.",
     "Two rows of ten blurry but readable digits, most of the ten digits among them.")  # fmt: skip
samples = {"naive Bayes on pixels": x_pixels, "naive Bayes on PCA": x_nb, "mixture": x_mixture}
show(image_grid({"real": x[shuffled[:16]]} | {name: images[:16] for name, images in samples.items()}, columns=4),
     "No hand wrote the three right grids. From left to right they become digits.",
     "Four grids of 16 images: real digits; speckled clouds; smooth blurry shapes; mostly readable digits.")  # fmt: skip

# %% [markdown]
# More than half of the mixture's pictures can be read, and **none of them is in the data**: averages and bell curves made
# these. The centres are digits, some twice in two slants: digits come in heaps, and maximum likelihood finds heaps.
#
# ## 6. Explore
#
# Move the slider through $K$. (Where no kernel listens, one picture stands still here.)


# %%
def with_clouds(K):
    """24 pictures from the mixture of K clouds."""
    drawn = decode(fitted[K].sample(24, torch.Generator().manual_seed(SEED)))
    return image_grid({f"K = {K}: {held_out[K]:.1f} nats on held-out pictures": drawn}, columns=8)


caption = "One cloud makes shapes that are no digits. Many clouds make digits."
browse(with_clouds, list(fitted), label="K", start=40, caption=caption, alt="24 generated digits and their likelihood.")

# %% [markdown]
# **Question 1.** At $K = 80$ the pictures look better than at 20, but held-out pictures are far less likely. How come?
#
# <details><summary>Answer</summary>Each of the 80 sits on a few training pictures and draws such. A new digit that
# falls into a gap between them is called all but impossible: what the likelihood punishes hardest.</details>
#
# **Question 2.** With $K = 4{,}000$, one tiny cloud on each picture, what would `sample` do?
#
# <details><summary>Answer</summary>Hand out the training pictures. Perfect to look at, and nothing was learned. Always
# ask of good samples: are they copies?</details>
#
# **Ablation.** The mixture differs from naive Bayes in two ways: EM groups the pictures, not the labels, and the clouds
# may tilt. Which one helps? Guess, then take each away.

# %%
by_label = [c[y == digit] for digit in range(10)]
tilted = torch.stack([g.T.cov() + 0.1 * torch.eye(50) for g in by_label])
em = GaussianMixture(20, covariance_type="diag", reg_covar=0.1, tol=1e-2, random_state=SEED).fit(c)
weights, means, variances = (torch.from_numpy(array) for array in (em.weights_, em.means_, em.covariances_))
models = {
    "naive Bayes on PCA": naive_bayes,  # ten digits, upright
    "EM's 20 groups, upright": Mixture(weights, means, variances.diag_embed()),
    "10 digits, tilted": Mixture(naive_bayes.weights, naive_bayes.means, tilted),
    "mixture": mixture,  # EM's 20 groups, tilted
}
nats = {name: log_prob(m, c_test).mean().item() for name, m in models.items()}
for name in models:
    print(f"{name:26}{nats[name]:7.1f} nats on the test pictures")

# %% [markdown]
# Both, and the tilt by far more. EM's groups gain 3 or 4 nats, the tilt gains 16 or 17. A tilted cloud knows that *if*
# the stroke leans here, *then* it leans there: the pattern that naive Bayes rules out. PCA made the coordinates
# uncorrelated over all digits together, but not within one.
#
# **Ask for a condition.** A density answers questions that nobody trained it for. Cover the lower half of a digit and
# ask for $p(\text{lower half} \mid \text{upper half})$. Take the seen pixels as $v = m + W^\top c + {}$noise: $m$ is
# the average picture and $W$ (50 rows) the patterns, both at the seen pixels; $r$, `residual`, is the variance of what
# 50 coordinates leave out of a pixel. Within cloud $k$ all is Gaussian, $v$ with centre $m + W^\top \mu_k$ and
# covariance $S_k = W^\top \Sigma_k W + r I$. For Gaussians, what seeing $v$ tells of $c$ is a formula:
#
# $$c \mid v, k \sim N\bigl(\mu_k + A_k (v - m - W^\top \mu_k),\; \Sigma_k - A_k W^\top \Sigma_k\bigr), \qquad
# A_k = \Sigma_k W S_k^{-1}$$
#
# What is seen shifts the centre ($A_k$ is `gain` in the code) and narrows the cloud. The new weights are
# $w_k N(v; m + W^\top \mu_k, S_k)$, divided by their sum: clouds that explain the upper half count more.


# %%
residual = (x.flatten(1) - mean - c @ basis).square().sum(1).mean().item() / (784 - 50)


def posterior(x, visible):
    """The clouds of c once the pixels in the mask ``visible`` are seen: (N, K) weights, (N, K, 50) and (K, 50, 50)."""
    W, offset = basis[:, visible], x.flatten(1)[:, visible].double() - mean[visible]
    S = mixture.covariances
    of_seen = Mixture(mixture.weights, mixture.means @ W, W.T @ S @ W + residual * torch.eye(W.shape[1]))
    gain = S @ W @ torch.linalg.inv(of_seen.covariances)  # (K, 50, pixels): from what is seen to c
    means = mixture.means + torch.einsum("kip,nkp->nki", gain, offset[:, None] - of_seen.means)
    return log_joint(of_seen, offset).softmax(1), means, S - gain @ W.T @ S


def complete(x, visible):
    """Pick a cloud, draw c from it, and put the seen pixels back."""
    weights, means, covariances = posterior(x, visible)
    k = torch.multinomial(weights, 1)[:, 0]
    roots, z = torch.linalg.cholesky(covariances), torch.randn(len(x), 50, dtype=torch.float64)
    drawn = decode(means[torch.arange(len(x)), k] + torch.einsum("nij,nj->ni", roots[k], z))
    return torch.where(visible.view(28, 28), x, drawn)


# %%
visible = torch.arange(784) < 392  # the upper 14 of 28 rows
x_half = torch.where(visible.view(28, 28), x_test, -1.0)
read = {"half": x_half[::2], "completed": complete(x_test[::2], visible)}
read = {name: (classify(images) == y_test[::2]).double().mean().item() for name, images in read.items()}
print(f"right digit, by the classifier: upper halves {read['half']:.0%}, completed {read['completed']:.0%}")
ten = torch.arange(5, 1000, 100)
rows = [x_half[ten], *(complete(x_test[ten], visible) for _ in range(3)), x_test[ten]]
show(image_grid(torch.cat(rows), columns=10, scale=2),
     "Top: what the mixture sees. Rows 2 to 4: three ways it goes on. Bottom: how the writer went on.",
     "Five rows of ten images: upper halves of digits, three completions each, and the whole digits.")  # fmt: skip

# %% [markdown]
# ## 7. Measure it
#
# Three numbers for each model. The **log-likelihood** of 1,000 test pictures. The classifier's **entropy**
# $-\sum_y p(y \mid x) \log p(y \mid x)$, averaged over samples: 0 if it is sure, $\log 10 = 2.3$ if it has no idea. And
# **FID-d**, a distance between 2,000 samples (1,000 where real) and the training pictures, in features of the classifier:
# 0 is best, and lesson 12 builds it. (The likelihood of the first model is one of pixels: it compares with nothing here.)


# %%
@torch.no_grad()
def entropy(x):
    """Mean entropy of the classifier's answers, in nats."""
    log_p = classifier(x).log_softmax(1)
    return -(log_p.exp() * log_p).sum(1).mean().item()


noise = torch.rand(2000, 1, 28, 28) * 2 - 1
measured = {"real (test)": x_test, **samples, "noise": noise}
entropies = {name: entropy(images) for name, images in measured.items()}
fids = {name: fid_digits(x, images).value for name, images in measured.items()}
print(f"{'':26}log-likelihood  entropy    FID-d")
for name in measured:
    print(f"{name:26}{f'{nats[name]:.1f}' if name in nats else '-':>14}{entropies[name]:9.3f}{fids[name]:9.1f}")
nats["dreams"] = log_prob(mixture, encode(x_dream)).mean().item()
print(f"the mixture's log-likelihood of the dreams of part 1: {nats['dreams']:.1f}")

# %% [markdown]
# In the same coordinates the mixture beats naive Bayes by every measure: higher likelihood, lower entropy (real digits
# are lower still), lower FID-d. And the last line answers part 1: the mixture finds the dreams far less likely than
# digits. **It knows that they are none.** (Deep densities can be fooled too: <https://arxiv.org/abs/1810.09136>.)
#
# ### Where the measures mislead
#
# 1. *Entropy.* Look at the noise: its entropy is the lowest of all. The classifier is sure that noise is an 8. It also
#    likes naive Bayes' speckles better than the mixture's soft digits. Entropy compares pictures of *one kind*.
# 2. *Units.* Write pixels as 0 to 255 instead of -1 to 1, and every log-likelihood falls by $50 \log 127.5 = 242$ nats,
#    for the same model: a density is probability *per volume*, and stretching 50 coordinates 127.5 times spreads the
#    same probability over $127.5^{50}$ times the volume. Compare likelihoods in the same coordinates only.
# 3. *Samples.* Blend 1 % mixture with 99 % naive Bayes. Whatever the mixture gives to a picture, the blend gives at
#    least a hundredth, so it loses at most $\log 100 = 4.6$ nats. But 99 of 100 samples are naive Bayes'.

# %%
log_parts = math.log(0.01) + log_prob(mixture, c_test), math.log(0.99) + log_prob(naive_bayes, c_test)
blend = torch.logaddexp(*log_parts).mean().item()
fid_blend = fid_digits(x, torch.cat([x_mixture[:20], x_nb[:1980]])).value
print(f"mixture {nats['mixture']:.1f} nats, FID-d {fids['mixture']:.0f}; blend {blend:.1f} nats, FID-d {fid_blend:.0f}")

# %% [markdown]
# By likelihood the blend is nearly the mixture. By its samples it is naive Bayes. **A likelihood does not tell you how
# the samples look, and samples do not tell you the likelihood** (<https://arxiv.org/abs/1511.01844>).
#
# The claims of this lesson, checked:

# %%
claim("probability of a 7 that the classifier gives to its dreams", sure, at_least=0.99)
nb, mix = "naive Bayes on PCA", "mixture"
claim("test log-likelihood: mixture minus naive Bayes, both on PCA-50", nats[mix] - nats[nb], at_least=10)
claim("entropy: mixture minus real digits", entropies[mix] - entropies["real (test)"], at_least=0.2)
claim("entropy: naive Bayes on PCA-50 minus mixture", entropies[nb] - entropies[mix], at_least=0.2)
claim("entropy of noise", entropies["noise"], at_most=0.01)
claim("FID-d: mixture over naive Bayes on PCA-50", fids[mix] / fids[nb], at_most=0.6)
claim("FID-d: naive Bayes on PCA-50 over that on pixels", fids[nb] / fids["naive Bayes on pixels"], at_most=0.7)
claim("share of the rarest digit among the mixture's samples", digit_shares(x_mixture).min(), at_least=0.02)
claim("share of pictures with their cloud's most frequent digit", purity, at_least=0.6)
claim("nats that 80 clouds lose against 20 on held-out pictures", held_out[20] - held_out[80], at_least=5)
claim("nats that tilting the digits' own clouds gains", nats["10 digits, tilted"] - nats[nb], at_least=5)
claim("right digit after completion minus that of upper halves", read["completed"] - read["half"], at_least=0.2)
claim("nats of test pictures minus those of the dreams", nats[mix] - nats["dreams"], at_least=20)
claim("nats by which a blend, 99 % naive Bayes, beats naive Bayes", blend - nats[nb], at_least=10)
claim("FID-d of the blend over that of the mixture", fid_blend / fids[mix], at_least=1.5)
print("Every claim of this lesson holds.")

# %% [markdown]
# ## 8. Explicit and implicit: the map of the course
#
# Both of your models have an **explicit density**: a function that takes a picture and returns $\log p(x)$. It let you fit
# them, compare them and complete with them, and it is what holds them back. A formula for $p$ must integrate to 1 over
# all pictures, and few can be made to: bell curves, one pixel after the other, layers that can be inverted.
#
# Now look at `sample` alone. Random numbers $z$ go in, a picture comes out. To *draw*, nobody needs $p(x)$. So let any
# net be $G$, and $G(z)$ a picture. It has a distribution, and no formula for it: an **implicit density**. You gain all the
# freedom of deep nets. You lose the likelihood, and with it the objective of part 4. How can $G$ be trained?

# %%
caption = "What you can ask. Blue: models with a formula for p(x), or a bound. Orange: models that can draw."
show(
    family_tree(),
    caption,
    "A tree. Explicit: mixtures, autoregressive, flows, VAE. Implicit: GLO, GANs. For each: sample, log p, condition.",
)

# %% [markdown]
# The answer to "how?" is the idea of this course: **let a second net judge.** It sees real pictures and made ones,
# learns to tell them apart, and its gradient tells $G$ what to change: a classifier as teacher, as in part 1, but one
# that *learns on*, so that noise does not fool it for long.

# %%
caption = "The course. Part I builds the game, II mends it, III to V make it do what you want, VI takes the blue roads."
show(course_map(here=1), caption, "32 lessons in seven rows, from 01 generative models to 32 your own images.")

# %% [markdown]
# ## 9. What breaks, in practice
#
# - *"Unsupervised is another word for generative."* No. Naive Bayes used labels and is generative. What it learns,
#   $p(x)$ or $p(y \mid x)$, is one thing, what it learns *from* another.
# - *"The model with the higher likelihood draws better pictures."* No: part 7's blend.
# - Without `reg_covar` a cloud can shrink onto one picture, and the likelihood there grows without bound. Or the Cholesky
#   root fails. Keep variances above a floor.
#
# **The library's twin.** `GaussianMixture` in `ganedu.models` is `encode`, `fit_mixture`, `log_prob`, `sample`,
# `decode` and `complete` in one class; `NaiveBayes` is `draw_naive_bayes`.

# %%
from ganedu.models.gaussian_mixture import GaussianMixture as DigitMixture

twin = DigitMixture(components=20, seed=SEED).fit(train)
twin_nats = twin.log_prob(x_test).mean().item()
assert abs(twin_nats - nats["mixture"]) < 0.5  # on several threads EM's sums may round otherwise, and stop a turn apart
print(f"{twin_nats:.1f} nats; yours {nats['mixture']:.1f}")

# %% [markdown]
# **Before you go**, watch a GAN. You need to understand nothing yet. No formula, no label, no PCA: two nets, 4,000
# pictures, 1,000 rounds. By FID-d it loses to your mixture today. But the mixture is at its end, and the GAN has just
# begun: in lesson 04 you build it yourself, give it more rounds, and it overtakes.

# %%
from ganedu.models.vanilla import VanillaGAN
from ganedu.training import Trainer
from ganedu.views.live import train as train_live

run = train_live(Trainer(VanillaGAN(), train, seed=SEED), rounds=1000)

# %%
run.wait()
print(f"FID-d {fid_digits(x, run.trainer.sample(2000).cpu()):.0f}; the mixture: {fids['mixture']:.0f}")

# %% [markdown]
# ## Summary
#
# - Discriminative: $p(y \mid x)$, borders. Generative: $p(x)$, what things look like. Labels or not is another matter.
# - Maximum likelihood is minimum $KL(\hat p \,\|\, q)$. It punishes ruling out what happens, and hardly anything else.
# - Naive Bayes is a mixture with upright clouds; tilting them is what makes digits. Judge by held-out pictures.
# - A density can be asked for samples, likelihoods and conditions. An implicit model can be asked for samples.
#
# **Exercises:** [exercise 01](../exercises/01_generative_models.ipynb): a density, a sampler, a model that is too good.
#
# **Where next:** lesson 02 plays the game: two nets, no formula, and a distribution small enough to check by eye.
