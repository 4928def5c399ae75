# %% [markdown]
# # Exercise 12: evaluation
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# In lesson 12 you measure generators, and you fool the measures. Here you write three of them, repair a fourth that has
# gone wrong without an error, and catch a copier.
#
# | task | what you do | points |
# |---|---|---|
# | 1 | complete the inception score | 3 |
# | 2 | complete precision and recall | 3 |
# | 3 | predict what the measures say | 3 |
# | 4 | debug a FID with three faults | 4 |
# | 5 | measure: is it a copier? | 3 |
#
# Plan 60 minutes. You need lesson 12 and no GPU; every cell takes seconds.
#
# **How it works.** Write your code in place of the line that raises `NotImplementedError`. Then run the check below
# the task. A check that passes prints one line with a ✓; one that fails tells you what is wrong. Your instructor
# runs further checks with other inputs, so write code that holds in general. No task needs the answer to an earlier
# one: if you are stuck, go on.

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
import numpy as np
import scipy.linalg
import scipy.stats
import torch
from torch.nn.functional import avg_pool2d

from ganedu.checks import CheckFailed
from ganedu.data import digits
from ganedu.metrics.features import digit_features
from ganedu.views.figure import image_grid, show

x_digits = digits("test").all()  # (1000, 1, 28, 28) in [-1, 1], 100 of each digit, sorted
f_digits = digit_features(x_digits)  # (1000, 64)

# %% [markdown]
# ## Task 1. Complete: the inception score
#
# You get the verdicts of a classifier: row $i$ of `p` is $p(y \mid x_i)$ and sums to 1. Write
#
# $$\mathrm{IS} = \exp \Big( \frac1n \sum_i \mathrm{KL}\big(p(y \mid x_i) \,\|\, p(y)\big) \Big), \qquad \mathrm{KL}(p \,\|\, q) = \sum_y p_y \log \frac{p_y}{q_y}$$
#
# where $p(y)$ is the average verdict of the batch. A sure verdict has zeros in it: $0 \log 0$ counts as 0.


# %% nbgrader={"grade": false, "grade_id": "task1_inception_score", "locked": false, "schema_version": 3, "solution": true, "task": false}
def inception_score(p):
    """The inception score, a number.

    p: (N, K) float64 tensor, verdicts of a classifier on N samples; each row sums to 1.
    """
    ### BEGIN SOLUTION
    marginal = p.mean(0)
    kl = (torch.xlogy(p, p) - torch.xlogy(p, marginal)).sum(1)  # xlogy(0, 0) is 0
    return kl.mean().exp().item()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task1_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_close, check_finite

verdicts = torch.tensor([[0.7, 0.2, 0.1], [0.1, 0.8, 0.1], [0.2, 0.2, 0.6], [0.5, 0.4, 0.1]], dtype=torch.float64)
got = inception_score(verdicts)
check_close(
    "inception_score",
    got,
    1.266595,
    hint="Work out one KL by hand for the four verdicts of this check, then their average.",
    mistakes=[
        (0.236332, "The exp is missing: this is the average KL itself."),
        (2.573660, "You add up the KL of all samples. The score would grow with every sample; it wants their average."),
        (1.274222, "You take the exp of each KL and average afterwards: average first."),
        (
            1.281908,
            "Your KL runs the other way round: the verdict on the image comes first, the average verdict second.",
        ),
        (0.789518, "The sign of the KL is turned round: a good generator would get a score below 1."),
        (
            1.303424,
            "You compare with 1/3 for each class, an even distribution: that is also the mean of each row of p. p(y) is the "
            "average verdict of this batch, over the rows.",
        ),
        (1.406291, "Your logarithm is to base 2 and your exp to base e: use one base for both."),
        (1.081963, "You average over classes as well. Over the classes a KL is a sum."),
        (2.915233, "This is the exp of H(y) alone, the diversity. How sure each verdict is has gone missing."),
        (2.828427, "You take each verdict for sure: its most likely class alone. Its unsureness has to count."),
        (1.029948, "p holds verdicts already: a softmax on top makes all of them nearly even."),
        (6.709785, "You add H(y | x) to H(y): unsure verdicts would raise the score. It is to be subtracted."),
    ],
)
sure = torch.eye(10, dtype=torch.float64).repeat(3, 1)
got = inception_score(sure)
check_finite("inception_score of sure verdicts", got, hint="0 log 0 counts as 0; in floats it is NaN. See torch.xlogy.")
check_close(
    "inception_score of sure verdicts on all ten digits",
    got,
    10.0,
    hint="Where a small number stands in for 0, it changes the verdicts here: make it much smaller, or take torch.xlogy.",
    atol=1e-3,
)
print("✓ Task 1: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_close(
    "inception_score of sure threes",
    inception_score(sure[torch.full((50,), 3)]),
    1.0,
    hint="Nine classes never come here: p(y) is 0 there as well, and the term counts as 0.",
    atol=1e-3,
)
p = torch.randn(500, 7, dtype=torch.float64, generator=torch.Generator().manual_seed(1)).mul(3).softmax(1)
p[:50] = torch.eye(7, dtype=torch.float64)[0]
want = np.exp(scipy.stats.entropy(p.numpy(), p.mean(0, keepdim=True).numpy(), axis=1).mean())
check_close(
    "inception_score of 500 random verdicts", inception_score(p), want, hint="It fits the example only.", atol=1e-3
)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2. Complete: precision and recall
#
# Around each *real* point lies a ball that reaches to that point's $k$-th nearest neighbour among the real ones. A point
# is not its own neighbour, and a ball includes its edge.
#
# - **Precision** is the share of the fakes that lie in at least one of these balls.
# - **Recall** is the share of the real points that lie in at least one ball of the *fakes*, which are made in the same way.
#
# `torch.cdist(a, b)` gives all distances between the rows of `a` and the rows of `b`.


# %% nbgrader={"grade": false, "grade_id": "task2_precision_recall", "locked": false, "schema_version": 3, "solution": true, "task": false}
def precision_recall(real, fake, k=3):
    """(precision, recall), two numbers from 0 to 1.

    real: (N, d) float64 tensor of features, N > k.
    fake: (M, d) float64 tensor of features, M > k.
    """

    ### BEGIN SOLUTION
    def covered(points, centres):
        radius = torch.cdist(centres, centres).sort(dim=1).values[:, k]  # the first is the centre's own, 0
        return (torch.cdist(points, centres) <= radius).any(1).double().mean().item()

    return covered(fake, real), covered(real, fake)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task2_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
def check_pair(name, got, want, hint, mistakes=(), atol=1e-6):
    """``got`` is the pair ``want``; ``mistakes`` are pairs of a known wrong pair and its sentence."""
    try:
        precision, recall = (float(value) for value in got)
    except (TypeError, ValueError):
        raise CheckFailed(f"{name}: got {got!r} back, wants two numbers, precision and recall.") from None
    for value, sentence in [(want, None), *mistakes]:
        if abs(precision - value[0]) <= atol and abs(recall - value[1]) <= atol:
            if sentence is None:
                return
            hint = sentence
            break
    raise CheckFailed(
        f"{name}: got precision {precision:.4g} and recall {recall:.4g}, wants {want[0]:.4g} and {want[1]:.4g}. {hint}"
    )


real_points = torch.tensor([[7, 6], [8, 9], [4, 6], [7, 11], [10, 10], [2, 7], [3, 7], [8, 2]], dtype=torch.float64)
fake_points = torch.tensor([[4, 2], [4, 9], [4, 6], [6, 5], [4, 4]], dtype=torch.float64)
check_pair(
    "precision_recall of 8 real points and 5 fakes, k = 2",
    precision_recall(real_points, fake_points, k=2),
    (0.8, 0.75),
    "Draw the points on squared paper, with the balls around them, and count.",
    mistakes=[
        ((0.75, 0.8), "The two have changed places: precision speaks of the fakes, recall of the real points."),
        ((0.6, 0.5), "Your balls are too small: a point is its own nearest, at distance 0, and does not count."),
        (
            (0.8, 0.625),
            "Your balls lie around the points you ask about. Precision has balls around the real points, recall around the "
            "fakes.",
        ),
        (
            (0.6, 0.75),
            "You ask the nearest ball centre alone. One farther away may have a larger ball: any ball will do.",
        ),
        (
            (1.1, 0.75),
            "You count balls. Precision is a share of the fakes: one ball is enough, and five count no more.",
        ),
        (
            (2.2, 1.5),
            "You count in how many balls each point lies. It is in some ball or in none: any, not sum.",
        ),
        (
            (0.625, 0.8),
            "You ask of each ball whether some point lies in it. Ask of each point whether it lies in some ball.",
        ),
        ((4.0, 6.0), "These are numbers of points. Precision and recall are shares, from 0 to 1."),
        ((80.0, 75.0), "These are percentages. Precision and recall are shares, from 0 to 1."),
        (
            (1.0, 0.75),
            "Your balls are too large: they reach to the farthest neighbours. topk takes the largest, unless told.",
        ),
        ((1.0, 0.875), "Your balls reach to the third neighbour. Here k is 2."),
        ((0.275, 0.3), "You average over all pairs. Ask of each point whether it lies in any ball, then average."),
        ((0.8, 0.5), "You give every ball the same radius. Where points lie far apart, balls have to be larger."),
    ],
)
print("✓ Task 2: all visible checks pass.")
### BEGIN HIDDEN TESTS
twice = torch.tensor([[0.0, 0.0], [0.0, 0.0], [5.0, 1.0], [5.0, 1.0]], dtype=torch.float64)
check_pair(
    "precision_recall of copies, each real point twice, k = 1",
    precision_recall(twice, twice[[0, 2, 2]], k=1),
    (1.0, 1.0),
    "Here balls have radius 0, and copies lie on their edge. The edge belongs to the ball.",
)
from scipy.spatial.distance import cdist

draw = torch.Generator().manual_seed(3)
real, fake = (
    torch.randn(60, 5, dtype=torch.float64, generator=draw),
    torch.randn(45, 5, dtype=torch.float64, generator=draw),
)
fake = 0.7 * fake + 0.5
for k in (1, 4):
    want = [
        (cdist(points, centres) <= np.sort(cdist(centres, centres), 1)[:, k]).any(1).mean()
        for points, centres in ((fake, real), (real, fake))
    ]
    check_pair(f"precision_recall of 60 and 45 random points, k = {k}", precision_recall(real, fake, k), want, "Use k.")
### END HIDDEN TESTS

# %% [markdown]
# Real digits against two frauds of lesson 12, through your function, if it is there. Which number gives each away?
#
# <details><summary>Answer</summary>Recall, both times. Precision praises either fraud nearly as much as new digits.</details>

# %% tags=["watch"]
real, new = f_digits[::2].double(), f_digits[1::2].double()
frauds = {"new digits": new, "threes only": new[150:200].repeat(10, 1), "blurred": None}
frauds["blurred"] = digit_features(avg_pool2d(x_digits[1::2] + 1, 3, 1, 1) - 1).double()
for name, features in frauds.items():
    print("{:12} precision {:.2f}, recall {:.2f}".format(name, *precision_recall(real, features)))

# %% [markdown]
# ## Task 3. Predict
#
# Think first, with paper. Then write your answers into `predictions`; 0.01 either way is near enough.
#
# - `two_classes`: a generator knows two digits. Half of its samples are surely a 0, half surely a 1. How large is its IS?
# - `fid_1d`: real features are distributed as $N(0, 1)$, the fakes' as $N(3, 2^2)$. How large is the FID?
# - `at_infinity`: a generator has FID 20.8 with 1,000 samples and 20.4 with 2,000, each averaged over many draws. What
#   would it have with endlessly many?
# - `exposes_copies`: a generator hands out its training images, each as often as the others. By which of the lesson's numbers
#   does it stand out as worse than new real images? `"IS"`, `"FID"`, `"KID"`, `"precision"`, `"recall"` or `"none"`.
# - `falls`: a GAN draws perfect digits of all ten classes, equally often, but each in one single pose. Which of these is near
#   0: `"IS"`, `"precision"` or `"recall"`?


# %% nbgrader={"grade": false, "grade_id": "task3_predictions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predictions():
    """Your answers: a dict with the keys two_classes, fid_1d, at_infinity, exposes_copies and falls."""
    ### BEGIN SOLUTION
    return {
        "two_classes": 2.0,  # exp(log 2 - 0)
        "fid_1d": 10.0,  # 3² + (2 - 1)²
        "at_infinity": 20.0,  # twice the samples, half the bias: it was 0.8, then 0.4
        "exposes_copies": "none",
        "falls": "recall",
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task3_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# This check looks at the form of your answers only.
from ganedu.checks import check_finite, check_one_of

answers = predictions()
keys = ("two_classes", "fid_1d", "at_infinity", "exposes_copies", "falls")
if not isinstance(answers, dict) or set(answers) != set(keys):
    raise CheckFailed(f"predictions: got {answers!r}, wants a dict with the keys {', '.join(keys)}.")
answers = {key: answer.strip().lower() if isinstance(answer, str) else answer for key, answer in answers.items()}
for key in keys[:3]:
    check_finite(key, answers[key])
check_one_of("exposes_copies", answers["exposes_copies"], ["is", "fid", "kid", "precision", "recall", "none"])
check_one_of("falls", answers["falls"], ["is", "precision", "recall"])
print(
    "✓ Task 3: all visible checks pass. The form is right; whether the answers are is marked when you hand in. "
    "On your own, from the repository's root: `.venv/bin/python tools/grading.py exercises/12_evaluation.ipynb` "
    "(needs the instructor extra)."
)
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "two_classes",
    2.0,
    hint="H(y) is log 2, H(y | x) is 0, and the score is the exp of the difference.",
    mistakes=[
        (10.0, "Each verdict is sure, but ten classes are needed for that: the score counts classes that come."),
        (0.693, "That is the difference of the entropies. The score is its exp."),
        (1.0, "One is the score where every verdict is the same. Here there are two kinds."),
    ],
    atol=0.011,
)
marks.judge(
    "fid_1d",
    10.0,
    hint="The squared distance of the means, and that of the standard deviations.",
    mistakes=[
        (18.0, "You compare variances, 4 and 1. The distance compares standard deviations, 2 and 1."),
        (4.0, "The distance of the means goes in squared."),
        (9.0, "The means are not all: the fakes vary twice as much as the reals."),
        (
            12.0,
            "That takes the difference of the variances; it wants the squared difference of the standard deviations.",
        ),
    ],
    atol=0.011,
)
marks.judge(
    "at_infinity",
    20.0,
    hint="The bias is a constant over n: which constant makes 20.8 of 1,000 samples and 20.4 of 2,000?",
    mistakes=[
        (20.4, "With 2,000 samples the number still has half of the bias that it had with 1,000."),
        (20.2, "Half of the bias is gone with each doubling, and there are endlessly many doublings to come."),
        (19.6, "That laid a line over 1/n that goes on beyond 1/n = 0."),
    ],
    atol=0.011,
)
marks.judge(
    "exposes_copies",
    "none",
    hint="All five compare with the data that were copied. Novelty needs another test.",
)
marks.judge(
    "falls",
    "recall",
    mistakes=[
        ("is", "The verdicts are sure and all classes come: collapse within a class is hidden from the score."),
        ("precision", "Each image is perfect, so it lies where real ones lie."),
    ],
)
marks.report()
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4. Debug a FID
#
# With two sets of equal size this function raises no error, gives 0 for a set and itself, and a plausible number for others.
# It is wrong three times.


# %% nbgrader={"grade": false, "grade_id": "broken_fid", "locked": true, "schema_version": 3, "solution": false, "task": false}
def broken_fid(real, fake):
    """A Fréchet distance with three faults."""
    mean1, mean2 = real.mean(axis=0), fake.mean(axis=0)
    cov1, cov2 = np.cov(real), np.cov(fake)
    of_means = np.linalg.norm(mean1 - mean2)
    of_covs = np.trace(cov1 + cov2 - 2 * np.sqrt(np.abs(cov1 * cov2)))
    return of_means + of_covs


def symptoms(fid):
    """Three things that a Fréchet distance does."""
    draw = np.random.default_rng(0)
    a, b = draw.normal(size=(200, 6)) @ draw.normal(size=(6, 6)), draw.normal(size=(200, 6))
    turn = scipy.stats.ortho_group.rvs(6, random_state=1)
    print(f"a set and itself: {fid(a, a):.3f}; wants 0")
    print(f"a set and itself, each of 6 features moved by 2: {fid(a, a + 2):.3f}; wants 6 x 2² = 24")
    print(
        f"two sets {fid(a, b):.3f}; both turned in the space of features {fid(a @ turn, b @ turn):.3f}; wants the same"
    )
    try:
        print(f"200 images against 100: {fid(a, b[:100]):.3f}")
    except ValueError as error:
        print(f"200 images against 100: {error}")


# %% tags=["watch"]
symptoms(broken_fid)

# %% [markdown]
# The formula is
#
# $$\mathrm{FID} = \|\mu_1 - \mu_2\|^2 + \mathrm{tr}\big(C_1 + C_2 - 2\,(C_1 C_2)^{1/2}\big)$$
#
# with a product and a root of *matrices*. Go through the broken lines with three questions: Of what is the covariance, of
# features or of images, and which shape must it have? What is the length of a vector, and what its square? Which operations
# act on each entry by itself?
#
# Then write `fid` without the faults. For the root you have `scipy.linalg.sqrtm`, which may answer with complex numbers whose
# imaginary part is rounding; or take eigenvalues; or singular values, as the lesson does.


# %% nbgrader={"grade": false, "grade_id": "task4_fid", "locked": false, "schema_version": 3, "solution": true, "task": false}
def fid(real, fake):
    """The Fréchet distance of Gaussians fitted to two sets of features, a real number.

    real, fake: (N, d) and (M, d) float64 NumPy arrays, d at least 2. Covariances have N - 1 in the denominator.
    """
    ### BEGIN SOLUTION
    mean1, mean2 = real.mean(axis=0), fake.mean(axis=0)
    cov1, cov2 = np.cov(real, rowvar=False), np.cov(fake, rowvar=False)  # (d, d)
    of_means = np.sum((mean1 - mean2) ** 2)
    eigenvalues = scipy.linalg.eigvals(cov1 @ cov2).real.clip(
        min=0
    )  # the trace of a root: the roots of the eigenvalues
    return of_means + np.trace(cov1) + np.trace(cov2) - 2 * np.sqrt(eigenvalues).sum()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task4_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_close, check_finite


def closed_form(real, fake):
    """The distance by singular values, and what is left of it when something goes wrong."""

    def root(cov):
        values, vectors = np.linalg.eigh(cov)
        return vectors * np.sqrt(values.clip(min=0)) @ vectors.T

    difference = real.mean(0) - fake.mean(0)
    cov1, cov2 = np.cov(real.T), np.cov(fake.T)
    traces = np.trace(cov1 + cov2)
    of_root = np.linalg.svd(root(cov1) @ root(cov2), compute_uv=False).sum()
    squared, norm = (difference**2).sum(), np.linalg.norm(difference)
    product, entries = cov1 @ cov2, np.sqrt(np.abs(cov1 * cov2)).trace()
    of_entries, of_covs = np.sqrt(np.abs(product)).trace(), traces - 2 * of_root
    apart = (root(cov1) @ root(cov2)).trace()
    n, m = (len(real) - 1) / len(real), (len(fake) - 1) / len(fake)
    biased = n * np.trace(cov1) + m * np.trace(cov2) - 2 * np.sqrt(n * m) * of_root
    right = squared + of_covs
    return right, [
        (squared, "The term of the covariances is missing: a collapsed generator would get away."),
        (of_covs, "The term of the means is missing."),
        (squared + traces - of_root, "The factor 2 before the root is missing."),
        (norm + of_covs, "The means' distance goes in squared; yours is the norm itself."),
        (np.abs(difference).sum() + of_covs, "The means' distance is squared feature by feature; yours adds up sizes."),
        (squared / len(difference) + of_covs, "You average over the features. A squared length is a sum over them."),
        (
            (real.mean() - fake.mean()) ** 2 + of_covs,
            "Each feature has a mean of its own: average over the images alone, along axis 0.",
        ),
        (squared + traces - 2 * entries, "Your root, or your product, acts on each entry. Both are of matrices."),
        (
            squared + traces - 2 * root(cov1 * cov2).trace(),
            "The root is one of a matrix now, but * still multiplies entry by entry: @ is the product of matrices.",
        ),
        (
            squared + traces - 2 * of_entries,
            "The product is one of matrices now, but np.sqrt still takes the root of each entry.",
        ),
        (
            norm + traces - 2 * entries,
            "Two faults at once: the norm of the means is not squared, and * and np.sqrt go entry by entry.",
        ),
        (
            norm + traces - 2 * of_entries,
            "Two faults at once: the norm of the means is not squared, and np.sqrt goes entry by entry.",
        ),
        (squared + traces - 2 * product.trace(), "The root of the product is missing."),
        (
            squared + traces - 2 * apart,
            "The product of two roots is not the root of the product: matrices do not commute. Multiply first.",
        ),
        (np.sqrt(right), "This is the root of the distance; the formula has no root around the whole."),
        (squared + biased, "Your covariances divide by N, not by N - 1."),
    ]


def check_fid(name, real, fake, hint, atol=1e-5):
    try:
        got = fid(real, fake)
    except ValueError as error:
        if len(real) == len(fake):
            raise
        raise CheckFailed(
            f"{name}: {error}. A covariance of features has one row a feature, whatever the number of images: "
            "tell np.cov that variables are columns."
        ) from None
    if np.ndim(got) != 0:
        raise CheckFailed(f"{name}: got an array of shape {np.shape(got)}, wants one number: where is the trace?")
    if np.iscomplexobj(got):
        raise CheckFailed(f"{name}: got {got}, a complex number. Drop the imaginary part of the root: it is rounding.")
    check_finite(
        name, got, hint="The root of a negative number is NaN; rounding makes eigenvalues of 0 a little negative."
    )
    want, mistakes = closed_form(real, fake)
    check_close(name, got, want, hint=hint, mistakes=mistakes, atol=atol)


draw = np.random.default_rng(5)
a, b = draw.normal(size=(80, 4)) @ draw.normal(size=(4, 4)), draw.normal(size=(60, 4)) + [0.5, 0.0, 2.0, 1.0]
check_fid("fid of 80 and 60 images with 4 features", a, b, "Work through the three questions again.")
check_fid("fid of a set and the same, moved", a, a + 2.0, "It is the squared length of the move.")
print("✓ Task 4: all visible checks pass.")
### BEGIN HIDDEN TESTS
turn = scipy.stats.ortho_group.rvs(4, random_state=2)
check_fid("fid of turned features", a @ turn, b @ turn, "It must not depend on the direction of the axes.")
fewer = draw.normal(size=(10, 16))
check_fid("fid of 10 and 12 images with 16 features", fewer, draw.normal(size=(12, 16)) + 0.3, "", atol=1e-3)
real, fake = (f_digits[start::2].double().numpy() for start in (0, 1))
check_fid("fid of digits", real, fake, "Some of these features are 0 for every image.", atol=1e-3)
### END HIDDEN TESTS

# %% tags=["watch"]
symptoms(fid)

# %% [markdown]
# ## Task 5. Measure: is it a copier?
#
# You get samples, the training images, and new images that no generator has seen. As in lesson 12: ask of each sample
# whether its nearest real image, pixel by pixel, among training *and* new images, is a training one. For an honest
# generator that happens by chance, as often as training images are among the real ones.
#
# Write `is_copier`: `True` if the share of such samples exceeds what chance gives by more than `margin`, and else `False`.


# %% nbgrader={"grade": false, "grade_id": "task5_is_copier", "locked": false, "schema_version": 3, "solution": true, "task": false}
def is_copier(x_fake, x_train, x_new, margin=0.15):
    """Whether more samples than by chance lie nearest to a training image.

    x_fake, x_train, x_new: (N, 1, 28, 28), (M, 1, 28, 28), (L, 1, 28, 28) float32 in [-1, 1].
    """

    ### BEGIN SOLUTION
    def distance(y):
        return torch.cdist(x_fake.flatten(1), y.flatten(1)).min(1).values

    share = (distance(x_train) < distance(x_new)).double().mean().item()
    by_chance = len(x_train) / (len(x_train) + len(x_new))
    return share > by_chance + margin
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task5_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
from ganedu.checks import check_answer


def soften(x):
    """Blurred images."""
    return avg_pool2d(x + 1, 5, 1, 2) - 1


def check_verdict(name, x_fake, x_train, x_new, want, hint, margin=0.15):
    real, n = torch.cat([x_train, x_new]).flatten(1), len(x_train)
    share = (torch.cdist(x_fake.flatten(1), real).argmin(1) < n).double().mean().item()
    facts = f"{share:.0%} of these samples lie nearest to a training image, chance gives {n / len(real):.0%}, the margin is {margin:g}."
    got = is_copier(x_fake, x_train, x_new, margin)
    if isinstance(got, (torch.Tensor, np.bool_)) and got.ndim == 0:
        got = bool(got)
    if not isinstance(got, bool):
        raise CheckFailed(f"is_copier: got {got!r} back, wants True or False.")
    check_answer(f"is_copier of {name}", got, want, hint=f"{facts} {hint}")


train, new, unseen = x_digits[torch.arange(1000) % 4 < 2], x_digits[2::8], x_digits[3::4]  # 500, 125 and 250
noise = torch.randn(unseen.shape, generator=torch.Generator().manual_seed(0))
noisy = (train[::2] + 0.2 * noise).clamp(-1, 1)
check_verdict("copies", train[::2], train, new, True, "Each of these samples is a training image.")
check_verdict(
    "noisy copies", noisy, train, new, True, "None of these is equal to a training image, yet each lies nearest to one."
)
check_verdict(
    "digits that nobody has seen",
    unseen,
    train,
    new,
    False,
    "Four of five real images are training ones here, so by chance four of five samples lie nearest to one.",
)
check_verdict(
    "blurred digits that nobody has seen",
    soften(unseen),
    train,
    new,
    False,
    "That is within the margin. A blurred image is near to everything: small distances alone prove nothing.",
)
print("✓ Task 5: all visible checks pass.")
### BEGIN HIDDEN TESTS
half = torch.cat([train[::4], unseen[::2]])
check_verdict(
    "a mix, half copies and half unseen",
    half,
    train[::4],
    new,
    True,
    "By chance every second sample would lie nearest to a training image; here it is three of four. Compare with chance.",
)
check_verdict(
    "the new images themselves",
    new,
    train,
    new,
    False,
    "Their nearest real images are the new ones, never training ones.",
)
check_verdict(
    "one copy in ten",
    torch.cat([unseen, train[:25]]),
    train,
    new,
    False,
    "A few copies do not make the share exceed chance by the margin: count all samples.",
)
check_verdict("the same mix, margin 0.4", half, train[::4], new, False, "margin says how far above chance.", margin=0.4)
### END HIDDEN TESTS

# %% tags=["watch"]
shifted = torch.roll(train[::2], (1, 1), (2, 3))
suspects = {"copies": train[::2], "noisy copies": noisy, "unseen digits": unseen, "copies, shifted by a pixel": shifted}
for name, x in suspects.items():
    print(f"{name}: {'a copier' if is_copier(x, train, new) else 'no copier, says the test'}")
show(
    image_grid(torch.cat([x[20:250:30] for x in suspects.values()])),
    "A row each, in the order above. The last row gets away: the test sees what its distance sees.",
    "Four rows of eight digits: copies, noisy copies, other digits, and the copies again, shifted by a pixel.",
)

# %% [markdown]
# ## What you take away
#
# - IS asks a classifier: sure of each image, and all classes there? FID compares mean and covariance of features, KID more
#   moments, precision and recall say quality and diversity apart.
# - A measure can be wrong without any error. Test it where you know the answer: a set and itself, a shift, a turn.
# - State $n$ and the features. Look for copies. Then look at the images.
