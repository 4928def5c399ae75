"""The inception score against closed forms, torchmetrics and a plain double loop."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from ganedu.data import digits
from ganedu.metrics import digit_probabilities, inception_score_digits, load_classifier
from ganedu.metrics.inception_score import inception_score


def random_probabilities(n=200, k=10, sharpness=3):
    return (torch.randn(n, k, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * sharpness).softmax(1)


def test_closed_forms():
    same = torch.tensor([[0.2, 0.3, 0.5]]).repeat(30, 1)
    assert inception_score(same, splits=3).value == pytest.approx(1, abs=1e-6)  # every sample gets the same verdict
    assert inception_score(torch.eye(7).repeat(10, 1), splits=1).value == pytest.approx(7)  # sure, all classes alike
    sure = torch.eye(3)[[0, 0, 0, 1]]  # 3/4 and 1/4: the exponential of the entropy
    assert inception_score(sure, splits=1).value == pytest.approx(
        math.exp(-0.75 * math.log(0.75) - 0.25 * math.log(0.25))
    )
    half = torch.tensor([[0.5, 0.5, 0, 0], [0, 0, 0.5, 0.5]])  # two pairs that the classifier cannot tell apart
    assert inception_score(half, splits=1).value == pytest.approx(2)


def test_equals_the_definition_term_by_term():
    p = random_probabilities(23, 4).numpy()
    score = inception_score(p, splits=3, seed=2)
    p = p[np.random.default_rng(2).permutation(23)]
    scores = []
    for part in (p[:8], p[8:16], p[16:]):  # 23 in 3 splits
        marginal = [sum(row[y] for row in part) / len(part) for y in range(4)]
        kl = [sum(row[y] * (math.log(row[y]) - math.log(marginal[y])) for y in range(4)) for row in part]
        scores.append(math.exp(sum(kl) / len(kl)))
    assert score.value == pytest.approx(sum(scores) / 3, rel=1e-9)
    assert score.std == pytest.approx(math.sqrt(sum((s - sum(scores) / 3) ** 2 for s in scores) / 3), rel=1e-9)
    assert (score.n_fake, score.splits) == (23, 3)


@pytest.mark.parametrize("splits", [1, 4])
def test_equals_torchmetrics_on_the_same_classifier(splits, monkeypatch):
    from torchmetrics.image.inception import InceptionScore

    class Logits(nn.Module):
        def forward(self, x):
            return load_classifier()(x)

    images = digits("test").all()[::2]
    order = np.random.default_rng(5).permutation(len(images))
    metric = InceptionScore(feature=Logits(), splits=splits)
    metric.update(images)
    monkeypatch.setattr(torch, "randperm", lambda n: torch.from_numpy(order))  # it shuffles, too: let it draw our order
    expected = metric.compute()[0].item()
    assert inception_score_digits(images, splits=splits, seed=5).value == pytest.approx(expected, rel=1e-3)


def test_on_digits():
    test = digits("test")
    score = inception_score_digits(test.all())
    assert 7 < score.value < 8.5 and score.name == "IS-d"  # though the test digits come sorted by class
    p = digit_probabilities(test.all()).double()
    entropy_of_each, entropy_of_all = -torch.xlogy(p, p).sum(1).mean(), -torch.xlogy(p.mean(0), p.mean(0)).sum()
    whole = inception_score_digits(test.all(), splits=1)
    assert whole.value == pytest.approx((entropy_of_all - entropy_of_each).exp().item(), rel=1e-6)
    ones = inception_score_digits(test.subset(test.labels == 1).all(), splits=1).value
    assert ones < 1.2  # one class alone
    assert digit_probabilities(test.all()[:50]).sum(1).numpy() == pytest.approx(np.ones(50), abs=1e-5)
    one_of_each = torch.stack([test.all()[test.labels == y][0] for y in range(10)]).repeat(20, 1, 1, 1)
    assert inception_score_digits(one_of_each, splits=1).value > score.value - 0.5  # blind to collapse within a class
    assert str(inception_score(torch.eye(4), splits=1, features="4 classes", name="IS")) == (
        "IS 4.00 ± 0.00 (n = 4 in 1 split; 4 classes)"
    )
    assert f"{score:.1f}" == f"{score.value:.1f}" and float(score) == score.value


@pytest.mark.parametrize(
    ("probabilities", "splits", "message"),
    [
        (torch.ones(4), 1, r"probabilities: got shape \(4,\)"),
        (torch.ones(4, 2), 1, "probabilities: got rows that are no probabilities"),
        (torch.tensor([[1.5, -0.5]]), 1, "probabilities: got rows that are no probabilities"),
        (torch.tensor([[math.nan, 1.0]]), 1, "probabilities: got rows that are no probabilities"),
        (torch.eye(3), 4, "splits: got 4, wants at most the number of samples, 3"),
        (torch.eye(3), 0, "splits: got 0"),
    ],
)
def test_bad_input(probabilities, splits, message):
    with pytest.raises(ValueError, match=message):
        inception_score(probabilities, splits)
