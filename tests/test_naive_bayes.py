"""Naive Bayes: right marginals within each class, and nothing between pixels."""

import pytest
import torch

from ganedu.data.images import ImageData
from ganedu.models.naive_bayes import NaiveBayes


def toy(per_class=(40, 10), seed=0):
    g = torch.Generator().manual_seed(seed)
    labels = torch.cat([torch.full((n,), i) for i, n in enumerate(per_class)])
    images = torch.randint(0, 256, (len(labels), 1, 3, 4), generator=g).to(torch.uint8)
    order = torch.randperm(len(labels), generator=g)
    return images[order], labels[order]


def test_marginals_are_those_of_the_training_images_of_the_class():
    images, labels = toy()
    model = NaiveBayes().fit(images, labels)
    for digit in (0, 1):
        n = 20_000
        x = model.sample(n, torch.Generator().manual_seed(1), labels=torch.full((n,), digit))
        drawn = ((x + 1) * 127.5).round().to(torch.uint8).flatten(1)
        own = images[labels == digit].flatten(1)
        for pixel in range(own.shape[1]):
            got = torch.bincount(drawn[:, pixel].long(), minlength=256) / n
            want = torch.bincount(own[:, pixel].long(), minlength=256) / len(own)
            # each share is a mean of n coin flips: five standard deviations
            assert ((got - want).abs() <= 5 * (want * (1 - want) / n).sqrt() + 1e-12).all()


def test_pixels_are_independent_given_the_class():
    # In the data the second pixel copies the first; in the samples it must not.
    values = torch.tensor([0, 255], dtype=torch.uint8).repeat(50)
    images = values[:, None, None, None].expand(100, 1, 1, 2)
    model = NaiveBayes().fit(images, torch.zeros(100))
    x = model.sample(10_000, torch.Generator().manual_seed(0)).flatten(1)
    assert abs(float(torch.corrcoef(x.T)[0, 1])) < 0.05


def test_classes_come_as_often_as_in_the_data_and_a_seed_repeats():
    images = torch.tensor([0, 0, 0, 255], dtype=torch.uint8).view(4, 1, 1, 1)
    model = NaiveBayes().fit(ImageData(images, torch.tensor([2, 2, 2, 5])))
    x = model.sample(10_000, torch.Generator().manual_seed(0))
    assert x.shape == (10_000, 1, 1, 1) and x.dtype == torch.float32
    assert set(x.unique().tolist()) == {-1.0, 1.0}
    assert abs(float((x == 1).float().mean()) - 0.25) < 0.02
    assert torch.equal(x, model.sample(10_000, torch.Generator().manual_seed(0)))


def test_bad_input():
    images, labels = toy()
    with pytest.raises(ValueError, match="labels: got none"):
        NaiveBayes().fit(images)
    with pytest.raises(ValueError, match="beside an ImageData"):
        NaiveBayes().fit(ImageData(images, labels), labels)
    with pytest.raises(ValueError, match="labels: got values from -1"):
        NaiveBayes().fit(images, labels - 1)
    with pytest.raises(RuntimeError, match="call fit"):
        NaiveBayes().sample(3)
    model = NaiveBayes().fit(images, labels)
    with pytest.raises(ValueError, match="n: got 0"):
        model.sample(0)
    with pytest.raises(ValueError, match=r"labels: got \[7\]"):
        model.sample(2, labels=torch.tensor([7, 7]))
    with pytest.raises(ValueError, match=r"wants \(2,\)"):
        model.sample(2, labels=torch.tensor([0]))
