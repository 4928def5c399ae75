"""Lesson 06's own functions are the library's; its counts of multiply-adds are PyTorch's; its broken rules are."""

from pathlib import Path

import pytest
import torch
from lesson_definitions import load_definitions
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from ganedu import interpolation
from ganedu.models import dcgan, vanilla

LESSON = Path(__file__).resolve().parent.parent / "lessons" / "06_dcgan.py"


@pytest.fixture(scope="module")
def lesson():
    return load_definitions(LESSON)


def test_the_wide_nets_are_the_librarys_too(lesson):
    for own, twin in ((lesson["Generator"], dcgan.Generator), (lesson["Discriminator"], dcgan.Discriminator)):
        states = []
        for net in (own, twin):
            torch.manual_seed(1)
            states.append(net(width=24).state_dict())
        assert all(torch.equal(a, b) for a, b in zip(states[0].values(), states[1].values(), strict=True))


def nets(lesson):
    return {
        "G": (lesson["Generator"](), torch.randn(1, 64)),
        "D": (lesson["Discriminator"](), torch.randn(1, 1, 28, 28)),
        "linear G": (vanilla.Generator(widths=(650, 1300)), torch.randn(1, 64)),
        "linear D": (vanilla.Discriminator(widths=(448, 224)), torch.randn(1, 1, 28, 28)),
    }


@pytest.mark.parametrize("name", ["G", "D", "linear G", "linear D"])
def test_multiply_adds_are_half_the_flops_that_pytorch_counts(lesson, name):
    net, x = nets(lesson)[name]
    net.eval()
    with FlopCounterMode(display=False) as counter:
        net(x)
    assert 2 * lesson["multiply_adds"](net, x) == counter.get_total_flops()


def test_both_games_of_the_comparison_cost_the_same(lesson):
    costs = {name: lesson["multiply_adds"](net, x) for name, (net, x) in nets(lesson).items()}
    assert costs["G"] == 64 * 3136 + 64 * 32 * 16 * 49 + 32 * 16 * 196
    assert costs["D"] == 16 * 16 * 196 + 16 * 32 * 16 * 49 + 1568
    assert costs["linear G"] == pytest.approx(costs["G"], rel=0.01)
    assert costs["linear D"] == pytest.approx(costs["D"], rel=0.01)


def test_pooling_costs_about_what_strides_cost(lesson):
    total = {"rule": 0, "broken": 0}
    for net, x in (nets(lesson)["G"], nets(lesson)["D"]):
        total["rule"] += lesson["multiply_adds"](net, x)
        total["broken"] += lesson["multiply_adds"](lesson["changed"](net, lesson["no_stride"]), x)
    assert 0.8 < total["broken"] / total["rule"] < 1.25


def test_slerp_is_the_librarys(lesson):
    a, b = torch.randn(2, 3, 1, 64, generator=torch.Generator().manual_seed(2))
    t = torch.linspace(0, 1, 5)
    assert lesson["slerp"](a, b, t).shape == (3, 5, 64)
    assert torch.allclose(lesson["slerp"](a, b, t), interpolation.slerp(a, b, t), atol=1e-5)


def test_to_shell_is_the_librarys(lesson):
    z = torch.randn(5, 64)
    assert torch.equal(lesson["to_shell"](z), interpolation.to_shell(z))


def test_ink_counts_white(lesson):
    x = torch.stack([-torch.ones(1, 4, 4), torch.ones(1, 4, 4), torch.zeros(1, 4, 4)])
    assert lesson["ink"](x).tolist() == [0.0, 1.0, 0.5]


def kinds(net):
    return [type(layer) for layer in net]


def test_each_change_breaks_its_rule_and_no_other(lesson):
    changed = lesson["changed"]
    G, D = lesson["Generator"](), lesson["Discriminator"]()
    z, x = torch.randn(4, 64), torch.randn(4, 1, 28, 28)
    changes = {
        "no_stride": lesson["no_stride"],
        "no_batch_norm": lesson["without"](nn.BatchNorm2d),
        "hidden_dense": lesson["hidden_dense"],
        "swapped": lesson["swapped"],
        "no_tanh": lesson["without"](nn.Tanh),
    }
    rebuilt = {name: (changed(G, change), changed(D, change)) for name, change in changes.items()}
    for new_G, new_D in rebuilt.values():
        assert new_G(z).shape == x.shape and new_D(x).shape == (4, 1)
    for old, (new, other) in zip((G, D), zip(rebuilt["no_batch_norm"], rebuilt["no_tanh"])):
        assert kinds(new) == [kind for kind in kinds(old) if kind is not nn.BatchNorm2d]
        assert kinds(other) == [kind for kind in kinds(old) if kind is not nn.Tanh]
    assert [kinds(net).count(nn.Linear) for net in rebuilt["hidden_dense"]] == [2, 2]
    assert nn.ReLU not in kinds(rebuilt["swapped"][0]) and nn.LeakyReLU not in kinds(rebuilt["swapped"][1])
    assert nn.ConvTranspose2d not in kinds(rebuilt["no_stride"][0])
    assert {layer.stride for net in rebuilt["no_stride"] for layer in net if isinstance(layer, nn.Conv2d)} == {(1, 1)}
    for new_G, new_D in rebuilt.values():  # rule 6 holds in all of them
        weights = [p for p in (*new_G.parameters(), *new_D.parameters()) if p.ndim > 1 and p.numel() > 400]
        assert all(p.std().item() == pytest.approx(0.02, rel=0.15) for p in weights)


def test_pytorchs_init_draws_every_layer_anew(lesson):
    torch.manual_seed(3)
    G = lesson["Generator"]()
    G.apply(lesson["pytorch_init"])
    assert G[0].weight.std().item() == pytest.approx(1 / (3 * 64) ** 0.5, rel=0.05)  # uniform in +-1/sqrt(n_in)
    assert torch.equal(G[2].weight, torch.ones(64))


def test_state_tells_parameters_from_statistics(lesson):
    G = lesson["Generator"]()
    parameters, statistics = lesson["state"](G)
    G(torch.randn(8, 64))
    assert torch.equal(parameters, lesson["state"](G)[0])
    assert not torch.equal(statistics, lesson["state"](G)[1])


def test_last_features_are_those_before_the_verdict(lesson):
    torch.manual_seed(4)
    D = lesson["Discriminator"]()
    lesson["x_real"] = 2 * torch.rand(50, 1, 28, 28) - 1
    features = lesson["last_features"](D, lesson["x_real"])
    assert features.shape == (50, 1568)
    # on the images that gave the statistics, eval mode is training mode up to the n - 1 of the running variance
    with torch.no_grad():
        assert torch.allclose(D.train()(lesson["x_real"]), D[-1](features), atol=1e-3)
    fresh = lesson["Discriminator"]()
    before = lesson["state"](fresh)
    lesson["last_features"](fresh, lesson["x_real"])
    assert all(torch.equal(a, b) for a, b in zip(before, lesson["state"](fresh)))  # D itself is left as it was
