"""The reference classifier: what its card states is what its weights do."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from torch import nn

from ganedu.data import digits
from ganedu.metrics import (
    DigitClassifier,
    classify,
    classify_features,
    digit_features,
    digit_probabilities,
    digit_shares,
    frechet_features,
    kid_features,
    load_classifier,
    prdc_features,
)
from ganedu.metrics.features import CARD, DIGIT_FEATURES, WEIGHTS, Features, classifier_card


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
    assert torch.equal(classify_features(digit_features(x)), classify(x))


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


# --- features of any net ------------------------------------------------------------------------------------------


def test_probabilities_are_the_softmax_of_the_logits():
    x = digits("test").all()[:40]
    logits = load_classifier()(x).double().numpy()
    by_hand = np.exp(logits) / np.exp(logits).sum(1, keepdims=True)
    np.testing.assert_allclose(digit_probabilities(x).numpy(), by_hand, atol=1e-6)


def test_features_of_the_classifier():
    x = digits("test").all()[:30]
    assert torch.equal(DIGIT_FEATURES(x), digit_features(x))
    assert [len(part) for part in DIGIT_FEATURES.batches(x, batch_size=12)] == [12, 12, 6]
    assert (DIGIT_FEATURES.name, DIGIT_FEATURES.suffix) == ("64 features of the digit classifier", "-d")


def test_features_of_a_module_are_those_of_its_eval_mode():
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv2d(1, 3, 5, stride=5), nn.BatchNorm2d(3), nn.Dropout(0.5))
    net[2].eval()  # one part was in eval mode before, and has to be so afterwards
    net[1].running_mean += 0.3
    x = torch.randn(7, 1, 10, 10)
    features = Features(net, "12 features")(x, batch_size=3)
    assert (net.training, net[0].training, net[1].training, net[2].training) == (True, True, True, False)
    by_hand = (net[0](x).detach() - 0.3) / (1 + 1e-5) ** 0.5
    torch.testing.assert_close(features, by_hand.flatten(1))
    assert features.shape == (7, 12) and not features.requires_grad and int(net[1].num_batches_tracked) == 0


def test_features_of_a_function_over_a_loader():
    pairs = [(torch.ones(2, 3), torch.zeros(2)), (torch.full((1, 3), 2.0), torch.zeros(1))]
    assert Features(lambda x: x * 2, "twice")(pairs).tolist() == [[2.0] * 3, [2.0] * 3, [4.0] * 3]


def test_bad_features():
    x = torch.zeros(4, 3)
    with pytest.raises(TypeError, match="net: got str, wants a module or a function"):
        Features("inception", "features")
    with pytest.raises(ValueError, match=r"net: got an output of \(4,\) for 4 images, wants a tensor \(4, ...\)"):
        Features(lambda x: x.sum(1), "sums")(x)
    with pytest.raises(ValueError, match=r"net: got an output of \(1, 3\) for 4 images"):
        Features(lambda x: x.sum(0, keepdim=True), "sums")(x)
    with pytest.raises(ValueError, match="net: got an output of tuple for 4 images"):
        Features(lambda x: (x, x), "pairs")(x)
    with pytest.raises(TypeError, match="images: got a batch of type str"):
        Features(lambda x: x, "themselves")(["digits"])
    with pytest.raises(ValueError, match="images: got none"):
        Features(lambda x: x, "themselves")(x[:0])
    with pytest.raises(ValueError, match="batch_size: got 0"):
        Features(lambda x: x, "themselves")(x, batch_size=0)


# --- whatever comes -----------------------------------------------------------------------------------------------


class Normed(torch.nn.Module):
    """A net with batch norm, whose features are a method."""

    def __init__(self):
        super().__init__()
        self.norm = torch.nn.BatchNorm2d(1)

    def features(self, x):
        return self.norm(x).flatten(1)

    forward = features


def test_a_method_of_a_module_computes_as_the_module_does():
    net, x = Normed().train(), torch.rand(20, 1, 28, 28) * 2 - 1
    of_module = Features(net, "module")(x)
    for _ in range(3):
        assert torch.equal(Features(net.features, "method")(x), of_module)
    assert net.training and net.norm.num_batches_tracked == 0


def test_sixteen_bits_change_no_distance():
    draw = torch.Generator().manual_seed(0)
    a, b = torch.randn(2, 60, 5, generator=draw).bfloat16()
    for measure in (frechet_features, kid_features, prdc_features):
        assert measure(a, b) == measure(a.double(), b.double()) == measure(a.float().numpy(), b.double().numpy())
    x = digits("test").all()[:50]
    plain = digit_features(x)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 6))
    own = Features(net, "mine")(x)
    with torch.autocast("cpu", torch.bfloat16):
        assert digit_features(x).dtype == torch.float32 and torch.equal(digit_features(x), plain)
        assert torch.equal(Features(net, "mine")(x), own)
