"""Lesson 01's own definitions are the library's twin, and its densities SciPy's; the numbers worked by hand are right."""

import re
from pathlib import Path

import numpy as np
import pytest
import scipy.stats
import torch
from lesson_definitions import load_definitions
from scipy.special import logsumexp
from sklearn.naive_bayes import GaussianNB

from ganedu.data import digits
from ganedu.metrics.features import classify, load_classifier
from ganedu.models.gaussian_mixture import GaussianMixture
from ganedu.models.naive_bayes import NaiveBayes
from tools import exercises, grading

LESSON = Path(__file__).resolve().parent.parent / "lessons" / "01_generative_models.py"
K = 4


@pytest.fixture(scope="module")
def twin():
    return GaussianMixture(components=K).fit(digits("train"))


@pytest.fixture(scope="module")
def lesson(twin):
    """The lesson's definitions, with the library's PCA and mixture where the lesson fits its own."""
    namespace = load_definitions(LESSON)
    namespace |= {"mean": twin.mean, "basis": twin.basis, "residual": twin.residual_variance}
    namespace["mixture"] = namespace["Mixture"](twin.weights, twin.means, twin.covariances)
    return namespace


@pytest.fixture(scope="module")
def x():
    return digits("test").all()[::20]


def test_coordinates_are_the_twins(lesson, twin, x):
    pca = lesson["PCA"](50, svd_solver="full").fit(digits("train").all().flatten(1).double())  # as in the lesson
    np.testing.assert_allclose(pca.mean_, twin.mean.numpy(), atol=1e-12)
    np.testing.assert_allclose(pca.components_, twin.basis.numpy(), atol=1e-9)
    c = lesson["encode"](x)
    assert torch.equal(c, twin.encode(x))
    assert torch.equal(lesson["decode"](c), twin.decode(c))


def test_em_finds_the_twins_clouds(lesson, twin):
    own = lesson["fit_mixture"](twin.encode(digits("train").all()), K, seed=0)
    for name in ("weights", "means", "covariances"):
        torch.testing.assert_close(getattr(own, name), getattr(twin, name), rtol=1e-6, atol=1e-6)


def test_densities_and_samples_are_the_twins_and_scipys(lesson, twin, x):
    own, c = lesson["mixture"], lesson["encode"](x)
    got = lesson["log_prob"](own, c)
    torch.testing.assert_close(got, twin.log_prob(x))
    parts = [
        np.log(w) + scipy.stats.multivariate_normal.logpdf(c.numpy(), m, s)
        for w, m, s in zip(*(getattr(twin, name).numpy() for name in ("weights", "means", "covariances")))
    ]
    np.testing.assert_allclose(got.numpy(), logsumexp(parts, axis=0), rtol=1e-9)
    drawn = lesson["decode"](own.sample(16, torch.Generator().manual_seed(3)))
    assert torch.equal(drawn, twin.sample(16, torch.Generator().manual_seed(3)))


def test_completion_is_the_twins(lesson, twin, x):
    """The lesson conditions in the space of pixels, the library in that of coordinates: two formulas, one posterior."""
    visible = torch.arange(784) < 392
    weights, means, covariances = lesson["posterior"](x, visible)
    offset = x.flatten(1)[:, visible].double() - twin.mean[visible]
    log_weights, twin_means, roots = twin._posterior(offset, twin.basis[:, visible])
    torch.testing.assert_close(weights, log_weights.softmax(1), atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(means, twin_means, atol=1e-6, rtol=1e-6)
    torch.testing.assert_close(covariances, roots @ roots.mT, atol=1e-6, rtol=1e-6)
    completed = lesson["complete"](x, visible)
    assert completed.shape == x.shape and torch.equal(completed[:, :, :14], x[:, :, :14])
    assert not torch.equal(completed[:, :, 14:], x[:, :, 14:])


def test_naive_bayes_on_pca_is_scikit_learns(lesson, x):
    c, y = lesson["encode"](digits("train").all()), digits("train").labels
    own = lesson["fit_naive_bayes"](c, y)
    theirs = GaussianNB(var_smoothing=0).fit(c.numpy(), y.numpy())
    np.testing.assert_allclose(own.means.numpy(), theirs.theta_, atol=1e-10)
    np.testing.assert_allclose(own.covariances.diagonal(dim1=1, dim2=2).numpy(), theirs.var_, rtol=1e-10)
    assert torch.equal(own.covariances, own.covariances.diagonal(dim1=1, dim2=2).diag_embed())
    points = lesson["encode"](x)
    np.testing.assert_allclose(
        lesson["log_joint"](own, points).softmax(1).numpy(), theirs.predict_proba(points.numpy()), atol=1e-9
    )


def test_naive_bayes_on_pixels_is_the_twin(lesson):
    """Both draw each pixel from the pictures of the digit: the same shares, up to the noise of 4,000 draws."""
    train = digits("train")
    x, y = train.all(), train.labels
    labels = torch.full((4000,), 3)
    torch.manual_seed(0)
    own = lesson["draw_naive_bayes"](x, y, labels).flatten(1)
    theirs = NaiveBayes().fit(train).sample(4000, torch.Generator().manual_seed(1), labels).flatten(1)
    threes = x[y == 3].flatten(1)
    for pixel in range(0, 784, 7):
        assert set(own[:, pixel].tolist()) <= set(threes[:, pixel].tolist())
    noise = threes.std(0, correction=0) / 4000**0.5
    for drawn in (own, theirs):
        assert ((drawn.mean(0) - threes.mean(0)).abs() <= 5 * noise + 1e-6).all()
    neighbours = [torch.corrcoef(pictures[:, [350, 351]].T)[0, 1] for pictures in (threes, own, theirs)]
    assert neighbours[0] > 0.5 and max(abs(float(r)) for r in neighbours[1:]) < 0.1
    mixed = lesson["draw_naive_bayes"](x, y, torch.tensor([0, 1] * 500))  # each label gets its own digit
    assert (mixed[::2].mean(0) - x[y == 0].mean(0)).abs().mean() < 0.05
    assert (mixed[1::2].mean(0) - x[y == 1].mean(0)).abs().mean() < 0.05


def test_entropy_is_scipys(lesson, x):
    namespace = lesson | {"classifier": load_classifier()}
    function = load_definitions(LESSON)["entropy"]
    function.__wrapped__.__globals__.update(namespace)
    p = namespace["classifier"](x).double().softmax(1).numpy()
    assert function(x) == pytest.approx(scipy.stats.entropy(p, axis=1).mean(), rel=1e-4)


def test_example_by_hand_is_right():
    shares, q = [3 / 8, 3 / 8, 1 / 8, 1 / 8], [1 / 4] * 4
    best, kl = -scipy.stats.entropy(shares), scipy.stats.entropy(shares, q)
    assert best - kl == pytest.approx(np.log(1 / 4))
    text = LESSON.read_text(encoding="utf-8")
    assert f"= {best:.3f}$ |" in text and rf"\log \frac14 = {np.log(1 / 4):.3f}$" in text
    assert f"= {kl:.3f}$" in text and f"${best:.3f} - {kl:.3f} = {np.log(1 / 4):.3f}$" in text
    assert rf"50 \log 127.5 = {50 * np.log(127.5):.0f}$ nats" in text
    assert 80 * (1 + 50 + 50 * 51 // 2) == pytest.approx(106_000, rel=0.01) and "106,000 parameters" in text


def test_exercise_shows_what_its_text_says():
    """The distances that the last cell prints: copies 0, the mixture like new digits, naive Bayes farther."""
    namespace, printed = {"__name__": "__main__"}, ""
    for cell in exercises.read_solution(LESSON.parent.parent / "solutions" / LESSON.name).cells:
        if cell.cell_type == "code":
            outputs = grading.run_cell(cell.source, namespace)
            assert [o for o in outputs if o.output_type == "error"] == [], cell.source
            printed = "".join(o.text for o in outputs if o.get("name") == "stdout") or printed
    rows = re.findall(r"^(.+?) +([\d.]+) to the nearest training picture$", printed, re.MULTILINE)
    copies, new, mixture, naive = (float(number) for _, number in rows)
    assert copies == 0 and abs(mixture - new) < 1 and naive > new + 3
    broken = namespace["broken_draw"](namespace["x"], namespace["y"], 7, 200)
    assert float(namespace["distance_to_nearest"](broken, namespace["x"])) < 0.1  # copies ...
    assert (classify(broken) == 7).float().mean() < 0.3  # ... of all digits
