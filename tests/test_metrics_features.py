"""The reference classifier: what its card states is what its weights do."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from ganedu.data import digits
from ganedu.metrics import DigitClassifier, classify, digit_features, digit_shares, load_classifier
from ganedu.metrics.features import CARD, WEIGHTS, classifier_card


def test_the_card_states_what_the_weights_reach():
    card, test = classifier_card(), digits("test")
    right = (classify(test.all()) == test.labels).sum().item()
    assert right / len(test) == pytest.approx(card["test_accuracy"], abs=0.0011)  # one image may flip with the hardware
    assert card["test_accuracy"] >= 0.985
    assert card["parameters"] == sum(p.numel() for p in DigitClassifier().parameters()) <= 120_000
    assert str(card["seed"]) in card["command"] and str(card["epochs"]) in card["command"]
    assert {"architecture", "data", "device", "torch", "licence"} <= set(card)


def test_weights_are_small_finite_and_inside_the_package():
    assert WEIGHTS.stat().st_size < 500 * 1024
    assert WEIGHTS.parent.parent.name == "metrics" and CARD.parent == WEIGHTS.parent
    assert all(torch.isfinite(w).all() for w in load_file(WEIGHTS).values())


def test_features_lead_to_the_logits():
    net, x = load_classifier(), digits("test").all()[::50]
    assert not net.training and not any(p.requires_grad for p in net.parameters())
    features = digit_features(x)
    assert features.shape == (20, 64) and features.min() >= 0
    by_hand = features.numpy() @ net.head.weight.numpy().T + net.head.bias.numpy()
    np.testing.assert_allclose(net(x).numpy(), by_hand, rtol=1e-4, atol=1e-4)
    assert classify(x).tolist() == by_hand.argmax(1).tolist()


def test_the_batch_size_does_not_matter():
    x = digits("test").all()[:70]
    assert torch.equal(classify(x), classify(x, batch_size=13))
    torch.testing.assert_close(digit_features(x), digit_features(x, batch_size=1), rtol=1e-4, atol=1e-5)


def test_shares():
    test = digits("test")
    shares = digit_shares(test.all())
    assert shares.shape == (10,) and float(shares.sum()) == pytest.approx(1)
    assert shares.min() > 0.09 and shares.max() < 0.11
    ones = test.subset(test.labels == 1).all()
    assert digit_shares(ones)[1] >= 0.97


def test_measuring_draws_no_random_number():
    x = digits("test").all()[:2]
    state = torch.get_rng_state()
    load_classifier()
    classify(x)
    assert torch.equal(state, torch.get_rng_state())


def test_gradients_pass_through_to_the_image():
    x = digits("test").all()[:2].requires_grad_()
    load_classifier()(x).sum().backward()
    assert x.grad.abs().sum() > 0


@pytest.mark.parametrize(
    "images, error, message",
    [
        (np.zeros((2, 1, 28, 28)), TypeError, "images: got ndarray"),
        (torch.zeros(2, 1, 28, 28, dtype=torch.uint8), TypeError, "images: got dtype torch.uint8"),
        (torch.zeros(2, 784), ValueError, r"images: got shape \(2, 784\)"),
        (torch.zeros(0, 1, 28, 28), ValueError, r"images: got shape \(0, 1, 28, 28\)"),
        (torch.full((2, 1, 28, 28), 2.0), ValueError, "images: got values from 2 to 2"),
        (torch.full((2, 1, 28, 28), torch.nan), ValueError, "images: got values from nan"),
    ],
)
def test_bad_images(images, error, message):
    with pytest.raises(error, match=message):
        classify(images)


def test_bad_batch_size_and_device():
    with pytest.raises(ValueError, match="batch_size: got 0"):
        classify(torch.zeros(1, 1, 28, 28), batch_size=0)
    with pytest.raises(ValueError, match="device: got 'abacus'"):
        load_classifier("abacus")
