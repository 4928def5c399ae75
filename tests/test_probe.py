"""The linear probe against scikit-learn on the features themselves, a nearest-mean rule, and labels that mean nothing."""

import numpy as np
import pytest
import torch
from sklearn.linear_model import LogisticRegression

from ganedu.data import digits
from ganedu.metrics.probe import Probe, linear_probe


@pytest.fixture(scope="module")
def blobs():
    """Features (600, 20) in three classes around three means, and as many for the test."""
    rng = np.random.default_rng(0)
    means = 2 * rng.standard_normal((3, 20))
    y, y_test = np.arange(600) % 3, np.arange(300) % 3
    return means[y] + rng.standard_normal((600, 20)), y, means[y_test] + rng.standard_normal((300, 20)), y_test


def test_is_logistic_regression_on_the_features_themselves(blobs):
    """With all images labelled there is one draw: fitted here in all 20 dimensions, in the coordinates of the features."""
    rng = np.random.default_rng(1)
    x, y, x_test, y_test = blobs
    x, x_test = (part + 6 * rng.standard_normal(part.shape) for part in (x, x_test))  # else both are right on all
    scale = np.sqrt(((x - x.mean(0)) ** 2).sum(1).mean())
    plain = LogisticRegression(C=100, max_iter=1000).fit((x - x.mean(0)) / scale, y)
    want = plain.score((x_test - x.mean(0)) / scale, y_test)
    got = linear_probe(x, y, x_test, y_test, n_labels=600, draws=1)
    assert got.accuracy == pytest.approx(want, abs=1 / 300)
    assert 0.5 < want < 0.99


def test_separates_what_a_nearest_mean_separates(blobs):
    x, y, x_test, y_test = blobs
    means = np.stack([x[y == c].mean(0) for c in range(3)])
    nearest = np.linalg.norm(x_test[:, None] - means, axis=2).argmin(1)
    assert (nearest == y_test).mean() > 0.99
    assert linear_probe(x, y, x_test, y_test, n_labels=30, draws=3).accuracy > 0.97


def test_finds_nothing_where_nothing_is(blobs):
    x, y, x_test, y_test = blobs
    rng = np.random.default_rng(2)
    probe = linear_probe(rng.standard_normal(x.shape), y, rng.standard_normal(x_test.shape), y_test, n_labels=60)
    assert abs(probe.accuracy - 1 / 3) < 4 * np.sqrt(2 / 9 / 300)


def test_scale_shift_and_number_of_features_do_not_matter(blobs):
    x, y, x_test, y_test = blobs
    want = linear_probe(x, y, x_test, y_test, n_labels=15)
    assert linear_probe(1000 * x + 7, y, 1000 * x_test + 7, y_test, n_labels=15).draws == want.draws
    twice = linear_probe(np.hstack([x, x]), y, np.hstack([x_test, x_test]), y_test, n_labels=15)
    assert np.allclose(twice.draws, want.draws, atol=1 / 300)


def test_a_draw_labels_as_many_of_each_class_and_depends_on_the_seed(blobs, monkeypatch):
    x, y, x_test, y_test = blobs
    seen = []
    fit = LogisticRegression.fit
    monkeypatch.setattr(LogisticRegression, "fit", lambda self, a, b: (seen.append(b), fit(self, a, b))[1])
    probe = linear_probe(x, y, x_test, y_test, n_labels=30, draws=4)
    assert [np.bincount(labels).tolist() for labels in seen] == [[10, 10, 10]] * 4
    assert len(probe.draws) == 4 and probe.accuracy == pytest.approx(np.mean(probe.draws))
    assert probe.draws == linear_probe(x, y, x_test, y_test, n_labels=30, draws=4).draws
    hard = 0.2 * x
    hard[:] += np.random.default_rng(3).standard_normal(x.shape)
    by_seed = [linear_probe(hard, y, x_test, y_test, n_labels=6, draws=3, seed=seed).draws for seed in (0, 1)]
    assert by_seed[0] != by_seed[1]


def test_takes_images_as_tensors():
    train, test = digits("train"), digits("test")
    probe = linear_probe(train.all(), train.labels, test.all(), test.labels, draws=2)
    assert 0.6 < probe.accuracy < 0.85  # 100 labels on pixels


def test_reads_as_a_sentence():
    assert str(Probe(0.75, 0.01, (0.74, 0.76), 100)) == "75.0% ± 1.0% (100 labels, 2 draws)"


def nans(x):
    return np.where(np.arange(x.shape[1]) == 0, np.nan, x)


@pytest.mark.parametrize(
    "change, words",
    [
        (lambda x, y, a, b: ((nans(x), y, a, b), {}), "features: got a number that is not finite"),
        (lambda x, y, a, b: ((x[:, 0], y, a, b), {}), r"features: got shape \(600,\)"),
        (lambda x, y, a, b: ((x, y[:-1], a, b), {}), r"labels: got int64 of shape \(599,\), wants whole numbers"),
        (lambda x, y, a, b: ((x, y, a, b / 2), {}), "test_labels: got float64"),
        (lambda x, y, a, b: ((x, y, a[:, :5], b), {}), "test_features: got 5 an image, wants 20"),
        (lambda x, y, a, b: ((0 * x, y, a, b), {"n_labels": 30}), "features: got the same ones for every image"),
        (lambda x, y, a, b: ((x, y, a, b), {"n_labels": 100}), "n_labels: got 100 for 3 classes, wants a multiple"),
        (lambda x, y, a, b: ((x, y, a, b), {"n_labels": 603}), "n_labels: got 201 a class, wants at most 200"),
        (lambda x, y, a, b: ((x, 0 * y, a, b), {}), "n_labels: got 100 for 1 classes"),
        (lambda x, y, a, b: ((x, y, a, b), {"draws": 0}), "draws: got 0, wants a whole number of at least 1"),
        (lambda x, y, a, b: ((x, y, a, b), {"strength": 0}), "strength: got 0, wants a number above 0"),
    ],
)
def test_bad_input_is_named(blobs, change, words):
    arguments, options = change(*blobs)
    with pytest.raises((TypeError, ValueError), match=words):
        linear_probe(*(torch.as_tensor(part) for part in arguments), **options)
