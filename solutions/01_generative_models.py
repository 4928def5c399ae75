# %% [markdown]
# # Exercise 01: generative models
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# In lesson 01 you build models that draw digits. Here you write their two halves, the density and the sampler, you repair
# a generator whose pictures are too good, and you write the test that would have caught it.
#
# | task | what you do | points |
# |---|---|---|
# | 1 | complete the log-density of a mixture | 4 |
# | 2 | complete its sampler | 3 |
# | 3 | predict what likelihoods say | 3 |
# | 4 | debug a generator that is too good | 4 |
# | 5 | measure how near the pictures are to the data | 2 |
#
# Plan 45 to 60 minutes. You need lesson 01 and no GPU.
#
# **How it works.** Write your code in place of the line that raises `NotImplementedError`. Then run the check below
# the task. A check that passes prints one line with a ✓; one that fails tells you what is wrong. Your instructor
# runs further checks with other inputs, so write code that holds in general. No check needs the answer to an earlier
# task, only cells that show something do: if you are stuck, go on.

# %%
# >>> setup: written by tools/notebooks.py from pyproject.toml
import importlib.util
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("ganedu") is None:
    raise RuntimeError(
        "ganedu has no public address yet, so Colab cannot install it: "
        "run this notebook on your own machine with `make lab`"
    )
# <<< setup

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import math

import matplotlib.pyplot as plt
import torch

from ganedu.checks import CheckFailed, check_close, check_finite, check_one_of, check_shape
from ganedu.data import digits
from ganedu.views.figure import FAKE, REAL, image_grid, show

x, y = digits("train").all(), digits("train").labels  # (4000, 1, 28, 28) pictures in [-1, 1], and their digits

# %% [markdown]
# ## Task 1. How likely? The density of a mixture
#
# A mixture of $K$ upright Gaussian clouds in $d$ dimensions. Within a cloud the coordinates are independent, as in naive
# Bayes, so the density of a cloud is a product of one-dimensional normal densities, and its logarithm is a sum:
#
# $$\log p(c) = \log \sum_{k=1}^K w_k \prod_{i=1}^d N(c_i; \mu_{ki}, \sigma_{ki}^2), \qquad
# \log N(c; \mu, \sigma^2) = -\frac{(c - \mu)^2}{2 \sigma^2} - \log \sigma - \frac12 \log 2\pi$$
#
# Return one number for each point. Mind points far from every cloud: their density is 0 in floating-point arithmetic, and
# the logarithm of 0 is $-\infty$. Stay with logarithms to the end: `torch.logsumexp(a, dim)` is $\log \sum e^a$ along a
# dimension, computed without overflow.
#
# A hint on shapes: `c[:, None]` is (N, 1, d), and minus (K, d) that gives (N, K, d).


# %% nbgrader={"grade": false, "grade_id": "task1_log_prob", "locked": false, "schema_version": 3, "solution": true, "task": false}
def log_prob(c, weights, means, stds):
    """log p(c) in nats: (N, d) -> (N,).

    c: (N, d) points.
    weights: (K,), above 0, with sum 1.
    means, stds: (K, d), centre and standard deviation of each cloud in each coordinate.
    """
    ### BEGIN SOLUTION
    z = (c[:, None] - means) / stds  # (N, K, d)
    log_normal = -(z**2) / 2 - stds.log() - math.log(2 * math.pi) / 2
    return torch.logsumexp(weights.log() + log_normal.sum(2), dim=1)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task1_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
two_clouds = {
    "weights": torch.tensor([0.75, 0.25], dtype=torch.float64),
    "means": torch.tensor([[0.0, 0.0, 0.0], [2.0, 1.0, -1.0]], dtype=torch.float64),
    "stds": torch.tensor([[1.0, 2.0, 0.7], [0.5, 1.0, 1.5]], dtype=torch.float64),
}
four_points = [[1.0, 0.0, 0.5], [2.0, 1.0, -1.0], [0.0, 0.0, 0.0], [0.0, 2.0, 1.0]]


def log_prob_of_four():
    """Four points, two clouds, three coordinates: each size tells what it counts, in an error message too."""
    try:
        return log_prob(torch.tensor(four_points, dtype=torch.float64), **two_clouds)
    except RuntimeError as error:
        if "size of tensor" not in str(error):
            raise
        if "(4)" in str(error):
            hint = "4 points meet something of another size; c[:, None] - means pairs each point with each cloud."
        else:
            hint = "Sum over the 3 coordinates, the last dimension, before the weights of the 2 clouds come in."
        raise CheckFailed(f"log_prob of four points: the shapes do not fit. {hint} (PyTorch: {error})") from None


got = log_prob_of_four()
check_shape("log_prob of four points", got, (4,), hint="One number for each point: sum over coordinates and clouds.")
check_finite("log_prob of the point (1, 0, 0.5)", got[0])
check_close(
    "log_prob of the point (1, 0, 0.5)",
    got[0],
    -4.072236,
    hint="Work both clouds out by hand for this point, cloud by cloud.",
    mistakes=[
        (0.017039, "This is the density itself: take its logarithm, or better, never leave the logarithms."),
        (4.072236, "The sign is turned round: this is the negative log-likelihood."),
        (-3.667944, "The weights are missing: a cloud that is picked more often makes its points more likely."),
        (-2.985113, "You add the weights as they are: a factor inside a logarithm becomes a term log w_k."),
        (-1.169311, "You multiply log N by the weight; the formula multiplies N, and that adds log w_k to log N."),
        (-4.253576, "You average the logarithms of the clouds; the formula has the logarithm of the sum."),
        (-10.991500, "You add up the logarithms of the clouds; the formula has the logarithm of the sum."),
        (-4.136072, "Only the nearest cloud counts here: every cloud adds its share."),
        (-1.315421, "The constant 1/2 log 2 pi is missing, once for each coordinate."),
        (-2.234359, "The constant 1/2 log 2 pi is there once; each of the d coordinates brings its own."),
        (-3.764896, "The term -log sigma is missing: without it a wide cloud is as dense as a narrow one."),
        (
            -3.800905,
            "You take the standard deviations for variances: sigma^2 stands in the formula, and stds holds sigma.",
        ),
        (-3.937974, "You divide the square by 2 sigma; the formula divides it by 2 sigma^2."),
        (-4.884215, "The factor 1/2 in front of the square is missing."),
        (-1.393001, "You average over the coordinates; a product of densities is a sum of logarithms."),
        (-4.118277, "You mix each coordinate on its own: the cloud is picked once for the whole point."),
        (-3.600664, "You sum over the clouds and take logsumexp over the coordinates: it is the other way round."),
    ],
)
far = log_prob(torch.tensor([[60.0, 60.0, 60.0]], dtype=torch.float64), **two_clouds)[0]
check_finite(
    "log_prob of a point far away", far, hint="Its density is 0 on a computer: use logsumexp, without exp and log."
)
check_close(
    "log_prob of a point far away",
    far,
    -5926.850358,
    hint="A small number added inside the logarithm, or a clamp, hides how unlikely the point is: use logsumexp.",
    atol=1e-2,
)
print("✓ Task 1: all visible checks pass.")
### BEGIN HIDDEN TESTS
import numpy as np
from scipy.stats import multivariate_normal

generator = torch.Generator().manual_seed(5)
points, centres = (torch.randn(n, 4, generator=generator, dtype=torch.float64) for n in (6, 3))
widths = torch.rand(3, 4, generator=generator, dtype=torch.float64) + 0.3
shares = torch.tensor([0.2, 0.5, 0.3], dtype=torch.float64)
clouds = [multivariate_normal(m.numpy(), np.diag(s.numpy() ** 2)) for m, s in zip(centres, widths)]
for point, number in zip(points, log_prob(points, shares, centres, widths)):
    want = math.log(sum(w * cloud.pdf(point.numpy()) for w, cloud in zip(shares.tolist(), clouds)))
    check_close("log_prob of a random point", number, want, hint="It fits the example but not other clouds.")
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2. Draw! The sampler of a mixture
#
# To draw one point: pick a cloud, cloud $k$ with probability $w_k$. Then take $d$ standard normal numbers $z$, and go to
# $\mu_k + \sigma_k z$, coordinate by coordinate. The next point picks its own cloud and its own $z$.
#
# `torch.multinomial(weights, n, replacement=True)` picks `n` times.


# %% nbgrader={"grade": false, "grade_id": "task2_sample", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sample(n, weights, means, stds):
    """(n, d) points drawn from the mixture. weights: (K,); means, stds: (K, d)."""
    ### BEGIN SOLUTION
    k = torch.multinomial(weights, n, replacement=True)
    return means[k] + stds[k] * torch.randn(n, means.shape[1], dtype=means.dtype)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task2_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
def rounded(shares):
    return ", ".join(f"{share:.2f}" for share in shares.tolist())


def check_samples(sample, weights, means, stds, n=4000):
    """Clouds that lie far apart, so that each point tells which one it comes from."""
    torch.manual_seed(2)
    points = sample(n, weights, means, stds)
    check_shape("sample", points, (n, means.shape[1]))
    away = ((points[:, None] - means) / stds).abs().amax(2)  # (n, K): the largest step from each centre, in widths
    nearest, k = away.min(1)
    if (nearest > 6).float().mean() > 0.02:
        around_0 = (points[:, None] / stds).abs().amax(2).min(1).values < 4
        if around_0.float().mean() > 0.5:
            raise CheckFailed("sample: your points lie around 0: mu_k, the centre of the cloud, is missing.")
        one_by_one = ((points[:, None] - means) / stds).abs().min(1).values  # (n, d): each coordinate's nearest cloud
        if (one_by_one < 6).all(1).float().mean() > 0.98:
            raise CheckFailed(
                "sample: the coordinates of a point come from different clouds. Pick once for the whole point."
            )
        middle = (weights[:, None] * means).sum(0)
        between = (points - middle).abs().amax(1) < (points[:, None] - means).abs().amax(2).min(1).values
        if between.float().mean() > 0.5:
            raise CheckFailed(
                "sample: your points lie between the clouds. Pick one cloud for each point; do not average the clouds."
            )
        raise CheckFailed("sample: many points are more than 6 standard deviations from every cloud: mu_k + sigma_k z.")
    shares = torch.bincount(k, minlength=len(weights)) / n
    if shares.max() > 0.999:
        raise CheckFailed("sample: all your points come from one cloud. Each point picks a cloud of its own.")
    if (shares - weights).abs().max() > 0.06:
        raise CheckFailed(
            f"sample: the clouds' shares are {rounded(shares)}, wants about {rounded(weights)}: the weights."
        )
    z = (points - means[k]) / stds[k]
    for j in range(len(weights)):
        own = z[k == j]
        if len(own.unique(dim=0)) < len(own) / 2:
            raise CheckFailed("sample: points of a cloud coincide. Draw new normal numbers for each point.")
        if own.shape[1] > 1 and abs(torch.corrcoef(own.T)[0, 1]) > 0.3:
            raise CheckFailed(
                "sample: the coordinates of a point move together. Each takes a normal number of its own."
            )
        if own.abs().max() < 2 and (own.std(0) < 0.8).all():
            raise CheckFailed("sample: no point is far from its centre: draw normal numbers (randn), not uniform ones.")
        if ((own.std(0) - 1).abs() > 0.15).any():
            raise CheckFailed(
                "sample: a cloud has the wrong width: multiply z by sigma, not by its square or its root."
            )
        if (own.mean(0).abs() > 0.3).any():
            raise CheckFailed("sample: a cloud has the wrong centre: mu_k plus sigma_k z, and z has mean 0.")


far_apart = {
    "weights": torch.tensor([0.8, 0.2]),
    "means": torch.tensor([[-40.0, 0.0], [40.0, 20.0]]),
    "stds": torch.tensor([[0.5, 2.0], [2.0, 0.5]]),
}
check_samples(sample, **far_apart)
print("✓ Task 2: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_samples(
    sample,
    torch.tensor([0.1, 0.6, 0.3]),
    torch.tensor([[0.0, 0.0, 90.0], [90.0, 0.0, 0.0], [0.0, 90.0, 0.0]]),
    torch.tensor([[0.3, 1.0, 3.0], [1.0, 1.0, 0.2], [2.0, 0.7, 1.0]]),
    n=3000,
)
### END HIDDEN TESTS

# %% tags=["watch"]
torch.manual_seed(0)
near = {
    "weights": torch.tensor([0.6, 0.25, 0.15]),
    "means": torch.tensor([[0.0, 0.0], [3.0, 2.0], [-3.0, 2.5]]),
    "stds": torch.tensor([[1.0, 0.5], [0.4, 1.0], [0.3, 0.3]]),
}
points = sample(1000, **near)
side = torch.linspace(-5, 5, 120)
grid = torch.stack(torch.meshgrid(side, side, indexing="xy"), 2)  # (120, 120, 2)
figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
axes.contour(side, side, log_prob(grid.view(-1, 2), **near).exp().view(120, 120), 8, colors=REAL, linewidths=1)
axes.scatter(*points.T, s=4, color=FAKE, alpha=0.6)
axes.set(xlabel="first coordinate", ylabel="second coordinate")
caption = "Task 2's points (orange) lie where task 1's density (green lines) is high: two halves of one model."
show(figure, caption, "Three clouds of points, each inside the contour lines of a density.")

# %% [markdown]
# ## Task 3. Predict
#
# Think first, with paper. Then write your answers into `predictions`. Logarithms are natural; 0.005 either way is near
# enough, 0.001 for `kl`. The points are given for all five answers together; the marking names every answer that is not
# right yet.
#
# A camera can take three pictures: A, B and C. It took A twice, B once and C once, so $\hat p = (1/2, 1/4, 1/4)$. A model
# $q$ gives 1/3 to each.
#
# - `log_likelihood`: the mean log-likelihood of the four pictures under $q$.
# - `kl`: $KL(\hat p \,\|\, q)$.
# - `fitted_to`: you raise a mixture's $K$ from 20 to 80. Does the log-likelihood of the pictures it is fitted to go
#   `"up"` or `"down"`?
# - `held_out`: and that of held-out pictures, in the lesson's experiment?
# - `verdict`: in the same coordinates model S has a held-out log-likelihood of -71 nats and model T one of -88. Which of
#   these follows?
#   - `"a"`: S draws better pictures than T.
#   - `"b"`: S finds new digits less surprising than T does; what either draws must be looked at.
#   - `"c"`: S has learned the training pictures by heart.
#   - `"d"`: a log-likelihood below 0 means that both have failed.


# %% nbgrader={"grade": false, "grade_id": "task3_predictions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predictions():
    """Your answers: a dict with the keys log_likelihood, kl, fitted_to, held_out and verdict."""
    ### BEGIN SOLUTION
    return {
        "log_likelihood": math.log(1 / 3),  # q says 1/3 to each of the four
        "kl": math.log(1 / 2 / (1 / 3)) / 2 + 2 * math.log(1 / 4 / (1 / 3)) / 4,
        "fitted_to": "up",
        "held_out": "down",
        "verdict": "b",
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task3_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# This check looks at the form of your answers only.
answers = predictions()
keys = ("log_likelihood", "kl", "fitted_to", "held_out", "verdict")
if not isinstance(answers, dict) or set(answers) != set(keys):
    raise CheckFailed(f"predictions: got {answers!r}, wants a dict with the keys {', '.join(keys)}.")
answers = {key: answer.strip().lower() if isinstance(answer, str) else answer for key, answer in answers.items()}
for key in keys[:2]:
    check_finite(key, answers[key])
for key in keys[2:4]:
    check_one_of(key, answers[key], ["up", "down"])
check_one_of("verdict", answers["verdict"], ["a", "b", "c", "d"])
print(
    "✓ Task 3: all visible checks pass. The form is right; whether the answers are is marked when you hand in. "
    "On your own, from the repository's root: `.venv/bin/python tools/grading.py exercises/01_generative_models.ipynb` "
    "(needs the instructor extra)."
)
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "log_likelihood",
    math.log(1 / 3),
    hint="The mean of log q(x) over the four pictures: what does q give to each of them?",
    mistakes=[
        (1.098612, "That is the negative log-likelihood."),
        (-4.394449, "That is the sum over the four pictures; the mean was asked for."),
        (-1.039721, "That is the best that any model can reach, with q = the shares."),
        (1 / 3, "That is a probability; its logarithm was asked for."),
    ],
)
marks.judge(
    "kl",
    0.058892,
    hint="Sum over the three pictures: share times log(share / q).",
    mistakes=[
        (-0.058892, "A KL divergence is never below 0: it is p log(p / q), not p log(q / p)."),
        (1.039721, "That is the entropy of the shares."),
        (-0.169899, "Each logarithm counts with its picture's share."),
        (0.084963, "The logarithm is natural, in nats; this is in bits."),
    ],
    atol=0.001,
)
marks.judge(
    "fitted_to",
    "up",
    hint="With 80 clouds the model can do all that it could with 20, and more: EM finds a fit at least as close.",
)
marks.judge(
    "held_out",
    "down",
    hint="80 clouds learn the 3,200 pictures by heart and leave gaps between them, into which new digits fall.",
)
marks.judge(
    "verdict",
    "b",
    mistakes=[
        ("a", "A blend of 99 % naive Bayes and 1 % mixture has a fine likelihood and poor pictures."),
        ("c", "Then new pictures would be unlikely; a held-out likelihood is what learning by heart spoils."),
        ("d", "Its height depends on the coordinates; only differences in the same coordinates mean something."),
    ],
)
marks.report()
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4. Debug a generator that is too good
#
# Somebody has written naive Bayes on pixels, and asks it for 32 new sevens.


# %% nbgrader={"grade": false, "grade_id": "broken_draw", "locked": true, "schema_version": 3, "solution": false, "task": false}
def broken_draw(x, y, digit, n):
    """n new pictures of ``digit``: (n, *one picture). With two faults."""
    pictures = x.flatten(1)  # (N, pixels)
    source = torch.randint(len(pictures), (n, 1))  # from which training picture?
    return pictures.gather(0, source.expand(n, pictures.shape[1])).view(n, *x.shape[1:])


# %% tags=["watch"]
torch.manual_seed(0)
caption = "32 sevens of the broken generator. The lesson's naive Bayes never looked like this."
show(image_grid(broken_draw(x, y, 7, 32)), caption, "A grid of 32 sharp handwritten digits of all ten kinds.")

# %% [markdown]
# Sharp strokes, from a model that knows nothing of strokes? When a generator is better than it can be, be suspicious.
#
# `gather(0, source)` takes, for picture $j$ and pixel $i$, the value of pixel $i$ in training picture `source[j, i]`. Read
# the function line by line and ask of each: which pictures are in the pot, and who decides where a pixel comes from?
#
# Then write `draw` without the two faults: **given the digit, every pixel of every new picture comes from a training
# picture of that digit, drawn anew for that pixel.** It must work for pictures of any size.


# %% nbgrader={"grade": false, "grade_id": "task4_draw", "locked": false, "schema_version": 3, "solution": true, "task": false}
def draw(x, y, digit, n):
    """n new pictures of ``digit`` by naive Bayes on pixels.

    x: (N, C, H, W) training pictures. y: (N,) their digits. Returns (n, C, H, W).
    """
    ### BEGIN SOLUTION
    pictures = x[y == digit].flatten(1)  # of this digit alone
    source = torch.randint(len(pictures), (n, pictures.shape[1]))  # for each pixel another one
    return pictures.gather(0, source).view(n, *x.shape[1:])
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task4_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
def check_draw(draw, size, per_digit, digit, n=600):
    """Training pictures whose every value tells the picture and the pixel that it comes from."""
    pixels = math.prod(size)
    y = torch.arange(10).repeat_interleave(per_digit)
    y = y[torch.randperm(len(y), generator=torch.Generator().manual_seed(1))]
    marked = torch.arange(len(y))[:, None] * 1000.0 + torch.arange(pixels)
    torch.manual_seed(4)
    try:
        drawn = draw(marked.view(-1, *size), y, digit, n)
    except (RuntimeError, IndexError) as error:
        words = str(error)
        if "784" in words or "28" in words:
            hint = (
                f"The pictures here have {pixels} pixels, {size}: take the sizes from x instead of writing 784 or 28."
            )
        elif "same number of dimensions" in words:
            hint = "gather wants pictures and sources with the same dimensions: flatten each picture to a row first."
        else:
            raise
        raise CheckFailed(f"draw: {hint} (PyTorch: {words})") from None
    check_shape("draw", drawn, (n, *size))
    values = drawn.flatten(1)
    source, place = values.div(1000, rounding_mode="floor").long(), values % 1000
    if not torch.isin(values, marked).all():
        if (values == values[:1]).all():
            raise CheckFailed(
                "draw: your pictures are all the same one, a mean. A generator draws, and each time anew."
            )
        raise CheckFailed(
            "draw: some pixel has a value that no training picture has. Draw values, do not average them."
        )
    if not (place == torch.arange(pixels)).all():
        raise CheckFailed("draw: a pixel has its value from another place: take pixel i from pixel i of a picture.")
    if not (y[source] == digit).all():
        raise CheckFailed("draw: some pixels come from pictures of other digits: keep those of the digit asked for.")
    if (source == source[:, :1]).all():
        raise CheckFailed(
            "draw: your pictures are copies of training pictures: one source for all pixels. Each pixel draws its own."
        )
    if (source == source[:1]).all():
        raise CheckFailed("draw: all your pictures are the same one. Draw the sources anew for each picture.")
    own = (y == digit).nonzero().flatten()
    shares = (source[..., None] == own).float().mean((0, 1))
    if (shares - 1 / len(own)).abs().max() > 0.1:
        raise CheckFailed("draw: some training pictures of the digit are drawn far more often than others.")
    together = max((source[:, step:] == source[:, :-step]).float().mean() for step in (1, size[-1]))  # right, below
    if together > 1 / len(own) + 0.1:
        raise CheckFailed("draw: neighbouring pixels share their source. Given the digit, pixels are independent.")


check_draw(draw, (1, 2, 3), per_digit=4, digit=5)  # the indices of these four have no whole number as mean
print("✓ Task 4: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_draw(draw, (2, 3, 4), per_digit=3, digit=0)
check_draw(draw, (1, 28, 28), per_digit=5, digit=9, n=300)
often = (
    torch.tensor([0.0, 0.0, 0.0, 1.0]).view(4, 1, 1, 1).expand(4, 1, 4, 4)
)  # three of four training pictures are black
torch.manual_seed(6)
white = draw(often, torch.zeros(4).long(), 0, 1000).mean()
if abs(white - 0.25) > 0.05:
    raise CheckFailed(f"draw: a value seen in 25 % of the pictures is drawn in {white:.0%}: as often as it was seen.")
### END HIDDEN TESTS

# %% tags=["watch"]
torch.manual_seed(0)
caption = "Your 32 sevens: worse to look at than the broken generator's, and honest. Part 3 of the lesson mends them."
show(image_grid(draw(x, y, 7, 32)), caption, "A grid of 32 speckled clouds in the shape of sevens.")

# %% [markdown]
# ## Task 5. Measure: are they copies?
#
# The eye liked the broken generator. A measure would have caught it: **for each picture, how far is the nearest training
# picture?** A copy has distance 0. Write `distance_to_nearest`, which returns the *mean over the given pictures* of the
# Euclidean distance to the nearest training picture.
#
# `torch.cdist(a, b)` gives the distances between all rows of (N, p) and (M, p): an (N, M) matrix.


# %% nbgrader={"grade": false, "grade_id": "task5_distance", "locked": false, "schema_version": 3, "solution": true, "task": false}
def distance_to_nearest(pictures, x):
    """Mean Euclidean distance from each of ``pictures`` to the nearest one in ``x``: a number.

    pictures: (N, C, H, W). x: (M, C, H, W), the training pictures.
    """
    ### BEGIN SOLUTION
    return torch.cdist(pictures.flatten(1), x.flatten(1)).min(dim=1).values.mean()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task5_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}
def measured_distance(pictures, x):
    """The student's number, or what its code does not do."""
    try:
        return distance_to_nearest(pictures, x)
    except (RuntimeError, AttributeError) as error:
        words = str(error)
        if "784" in words or "28" in words:
            hint = (
                f"These pictures have shape {tuple(x.shape[1:])}: take the sizes from x instead of writing 784 or 28."
            )
        elif "return_types" in words:
            hint = "min along a dimension gives a pair, the values and where they stand: go on with its .values."
        elif "size of tensor" in words:
            hint = "cdist compares rows: flatten each picture to a row of numbers first."
        else:
            raise
        raise CheckFailed(f"distance_to_nearest: {hint} (PyTorch: {words})") from None


# Pictures of two pixels: points in the plane.
few = torch.tensor([[0.0, 0.0], [10.0, 0.0]]).view(2, 1, 1, 2)
many = torch.tensor([[3.0, 4.0], [10.0, 1.0], [50.0, 50.0]]).view(3, 1, 1, 2)
check_close(
    "distance_to_nearest",
    measured_distance(few, many),
    3.0,
    hint="The nearest to (0, 0) is 5 away, the nearest to (10, 0) is 1 away.",
    mistakes=[
        (
            23.343748,
            "You look for the nearest *given* picture to each training picture: take the minimum the other way.",
        ),
        (13.0, "You average squared distances: take the root first."),
        (6.0, "You add up over the pictures; wants their mean."),
        (4.0, "You add up absolute differences: a Euclidean distance is the root of the sum of squares."),
        (1.0, "You take the smallest distance of all: each picture has its own nearest, and the mean is over these."),
        (0.5, "You average the places at which the nearest pictures stand (argmin); wants their distances (min)."),
        (6.5, "This is a mean square, over the pixels: a Euclidean distance adds up the squares and takes the root."),
        (67.370956, "You take the farthest training picture."),
        (26.475676, "You average over all training pictures; wants the nearest one."),
        (2.121320, "You average over the pixels; a Euclidean distance adds up their squares."),
        (3.605551, "You take the root of the mean squared distance: wants the mean of the distances."),
    ],
    atol=1e-3,
)
print("✓ Task 5: all visible checks pass.")
### BEGIN HIDDEN TESTS
generator = torch.Generator().manual_seed(8)
a, b = (torch.rand(n, 1, 4, 5, generator=generator) * 2 - 1 for n in (7, 30))
want = sum(min(math.dist(p.flatten().tolist(), q.flatten().tolist()) for q in b) for p in a) / len(a)
check_close("distance_to_nearest of random pictures", distance_to_nearest(a, b), want, hint="It fits the example only.")
check_close(
    "distance_to_nearest of copies", distance_to_nearest(b[:3], b), 0.0, hint="A copy has distance 0.", atol=5e-3
)
### END HIDDEN TESTS

# %% tags=["watch"]
from ganedu.models.gaussian_mixture import GaussianMixture

torch.manual_seed(0)
shown = {
    "the broken generator": broken_draw(x, y, 7, 500),
    "new real digits": digits("test").all()[::2],
    "the lesson's mixture": GaussianMixture().fit(x).sample(500, torch.Generator().manual_seed(0)),
    "your naive Bayes": draw(x, y, 7, 500),
}
for name, pictures in shown.items():
    print(f"{name:22}{float(distance_to_nearest(pictures, x)):6.1f} to the nearest training picture")

# %% [markdown]
# The broken generator is unmasked: 0. New real digits tell you what is normal. The mixture is about as far from the
# training pictures as they are: it does not copy. Naive Bayes is too far away: its pictures are no digits.
#
# ## What you take away
#
# - A log-density stays in logarithms to the end; `logsumexp` adds up the clouds.
# - To draw from a mixture is to pick *one* cloud for each point. An average of clouds is a place where no data are.
# - Likelihood, pictures and novelty are three things. A generator can excel at one and fail at another: check all three.
