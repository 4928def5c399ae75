"""The architectures and the gradient penalty, against the papers' rules, layer arithmetic and brute force."""

import math

import pytest
import torch
from torch import nn

from ganedu.data import digits, ring
from ganedu.metrics import fid_digits
from ganedu.models.dcgan import DCGAN
from ganedu.models.wgan_gp import WGANGP
from ganedu.regularizers import gradient_penalty
from ganedu.training import Trainer

# --- the penalty --------------------------------------------------------------------------------------------------


def seeded(seed=0):
    torch.manual_seed(seed)


@pytest.mark.parametrize("shape", [(4,), (1, 2, 2), (2, 2), (4, 1, 1)])
def test_penalty_of_a_critic_with_a_known_slope(shape):
    """D(x) = 2 (x1 + x2 + x3 + x4) has a gradient of norm 4 everywhere: (4 - 1)² = 9."""
    x, x_fake = torch.randn(2, 5, *shape)
    assert gradient_penalty(lambda x: 2 * x.flatten(1).sum(1), x, x_fake).item() == pytest.approx(9, rel=1e-6)


@pytest.mark.parametrize("shape", [(3,), (2, 4, 4)])
def test_penalty_equals_one_sample_at_a_time(shape):
    seeded()
    D = nn.Sequential(nn.Flatten(), nn.Linear(math.prod(shape), 8), nn.Tanh(), nn.Linear(8, 1)).double()
    x, x_fake = torch.randn(2, 6, *shape, dtype=torch.float64)
    seeded(1)
    penalty = gradient_penalty(D, x, x_fake)
    seeded(1)
    epsilon = torch.rand(6, *[1] * len(shape), dtype=torch.float64).flatten()  # drawn one a sample
    parts = []
    for e, a, b in zip(epsilon, x, x_fake):
        point = e * a + (1 - e) * b

        def D_of_one(point):
            return D(point[None]).squeeze()

        h = 1e-6  # central differences, coordinate by coordinate
        slopes = []
        for i in range(point.numel()):
            step = torch.zeros_like(point).flatten()
            step[i] = h
            step = step.view_as(point)
            slopes.append((D_of_one(point + step) - D_of_one(point - step)).item() / (2 * h))
        parts.append((math.sqrt(sum(s * s for s in slopes)) - 1) ** 2)
    assert penalty.item() == pytest.approx(sum(parts) / 6, rel=1e-6)


def test_penalty_reaches_the_critics_weights_and_nothing_else():
    """For D(x) = w·x the penalty is (‖w‖ - 1)², and its gradient 2 (‖w‖ - 1) w/‖w‖."""
    D = nn.Linear(3, 1, bias=False)
    D.weight.data = torch.tensor([[3.0, 0.0, 4.0]])
    x, x_fake = torch.randn(5, 3, requires_grad=True), torch.randn(5, 3, requires_grad=True)
    gradient_penalty(D, x, x_fake).backward()
    torch.testing.assert_close(D.weight.grad, torch.tensor([[4.8, 0.0, 6.4]]))
    assert x.grad is None and x_fake.grad is None


def test_penalty_of_a_flat_critic_has_a_finite_gradient():
    D = nn.Linear(3, 1)
    nn.init.zeros_(D.weight)
    penalty = gradient_penalty(D, torch.randn(4, 3), torch.randn(4, 3))
    penalty.backward()
    assert penalty == 1 and torch.isfinite(D.weight.grad).all()


def test_penalty_lies_between_the_batches():
    """Where D's slope is its position, as in D(x) = x²/2, norms lie between those of the fake and the real point."""
    seen = []

    def D(x):
        seen.append(x.detach())
        return x.square().sum(1) / 2

    gradient_penalty(D, torch.full((500, 1), 3.0), torch.full((500, 1), 1.0))
    (points,) = seen
    assert points.min() >= 1 and points.max() <= 3 and points.unique().numel() > 450  # an ε for each
    assert points.mean().item() == pytest.approx(2, abs=0.15) and points.std().item() == pytest.approx(
        2 / math.sqrt(12), abs=0.1
    )


def test_penalty_of_batches_that_do_not_fit():
    with pytest.raises(ValueError, match=r"^x_fake: got shape \(4, 2\), wants that of x, \(4, 3\)"):
        gradient_penalty(nn.Linear(3, 1), torch.zeros(4, 3), torch.zeros(4, 2))


# --- WGAN-GP ------------------------------------------------------------------------------------------------------


def test_wgan_gp_is_the_papers_recipe():
    game = WGANGP()
    assert (game.n_critic, game.betas, game.gp_weight) == (5, (0.0, 0.9), 10.0)
    assert not any(isinstance(m, nn.modules.batchnorm._BatchNorm) for m in game.D.modules())
    x, z = torch.rand(4, 1, 28, 28) * 2 - 1, torch.randn(4, 64)
    real, fake = game.D(x).detach(), game.D(game.G(z)).detach()
    assert game.g_loss(x, z).item() == pytest.approx(-fake.mean().item(), rel=1e-6)
    seeded(1)
    penalty = gradient_penalty(game.D, x, game.G(z).detach()).item()
    seeded(1)
    assert game.d_loss(x, z).item() == pytest.approx((fake.mean() - real.mean()).item() + 10 * penalty, rel=1e-5)
    observed = game.observe({"x": x, "z": z})  # the critic as it is, not squashed
    assert observed["d_real"].item() == pytest.approx(real.mean().item(), rel=1e-6)


def test_wgan_gp_holds_its_critic_near_slope_one_and_finds_the_ring():
    seeded()
    game = WGANGP(
        nn.Sequential(nn.Linear(2, 64), nn.ReLU(), nn.Linear(64, 64), nn.ReLU(), nn.Linear(64, 2)),
        nn.Sequential(nn.Linear(2, 64), nn.LeakyReLU(0.2), nn.Linear(64, 64), nn.LeakyReLU(0.2), nn.Linear(64, 1)),
        z_dim=2,
    )
    trainer = Trainer(game, ring(), batch_size=64, seed=0, device="cpu").run(200)
    x, x_fake = ring().sample(500), trainer.sample(500)
    mix = torch.rand(500, 1)
    x_hat = (mix * x + (1 - mix) * x_fake).requires_grad_()
    (slope,) = torch.autograd.grad(game.D(x_hat).sum(), x_hat)
    assert slope.norm(dim=1).mean().item() == pytest.approx(1, abs=0.15)
    assert x_fake.std(0).min() > 0.3 * x.std(0).min()  # it did not fall onto a point


# --- DCGAN --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 28, 28), (1, 32, 32), (3, 64, 64), (3, 48, 48)])
def test_dcgan_shapes(shape):
    game = DCGAN(data_shape=shape, width=4, z_dim=8)
    x_fake = game.generate(game.sample_z(3))
    assert x_fake.shape == (3, *shape) and x_fake.abs().max() <= 1
    assert game.D(x_fake).shape == (3, 1)
    sides = [28, 14, 7] if shape[1] == 28 else []
    seen, x = [], x_fake
    for layer in game.D:
        x = layer(x)
        if isinstance(layer, nn.Conv2d):
            seen.append(tuple(x.shape[1:]))
    assert all(side <= 7 for side in seen[-1][1:])
    if sides:
        assert seen == [(4, 14, 14), (8, 7, 7)]  # the side halves, the channels double


@pytest.mark.parametrize("shape", [(1, 30, 30), (1, 28, 32), (1, 4, 4), (1, 7, 7), (1, 72, 72)])
def test_dcgan_names_a_size_that_will_not_do(shape):
    with pytest.raises(ValueError, match=f"^data_shape: got pictures of {shape[1]} x {shape[2]}, wants square ones"):
        DCGAN(data_shape=shape)
    with pytest.raises(ValueError, match="^width: got 0, wants a whole number of at least 1"):
        DCGAN(width=0)


def test_dcgan_follows_the_papers_rules():
    """Section 3: strided convolutions for pooling; batch norm but at G's output and D's input; ReLU; LeakyReLU; tanh."""
    game = DCGAN(data_shape=(3, 64, 64))
    up = [m for m in game.G if isinstance(m, nn.ConvTranspose2d)]
    down = [m for m in game.D if isinstance(m, nn.Conv2d)]
    assert [(m.kernel_size, m.stride, m.padding) for m in up + down] == [((4, 4), (2, 2), (1, 1))] * 8
    assert [m.out_channels for m in up] == [128, 64, 32, 3] and [m.out_channels for m in down] == [16, 32, 64, 128]
    assert isinstance(game.G[-1], nn.Tanh) and isinstance(game.G[-2], nn.ConvTranspose2d)
    assert not any(isinstance(m, (nn.MaxPool2d, nn.AvgPool2d, nn.Upsample)) for m in game.modules())
    assert sum(isinstance(m, nn.BatchNorm2d) for m in game.G) == 4
    kinds = [type(m) for m in game.D]
    assert kinds[:2] == [nn.Conv2d, nn.LeakyReLU] and kinds[-2:] == [nn.Flatten, nn.Linear]
    assert kinds[2:-2] == [nn.Conv2d, nn.BatchNorm2d, nn.LeakyReLU] * 3
    assert {m.negative_slope for m in game.D if isinstance(m, nn.LeakyReLU)} == {0.2}
    assert all(isinstance(m, nn.ReLU) for m in game.G if "LU" in type(m).__name__)
    assert game.betas == (0.5, 0.999)


def test_dcgan_starts_from_small_normal_weights():
    seeded()
    game = DCGAN(width=32)
    for module in game.modules():
        if isinstance(module, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)) and module.weight.numel() > 5000:
            assert module.weight.std().item() == pytest.approx(0.02, rel=0.05)
            assert module.weight.mean().item() == pytest.approx(0, abs=1e-3)
        if isinstance(module, nn.BatchNorm2d):
            assert module.weight.mean().item() == pytest.approx(1, abs=0.02) and 0.01 < module.weight.std() < 0.03
            assert (module.bias == 0).all()


def test_dcgan_losses_are_the_binary_cross_entropies():
    game = DCGAN(width=4)
    x, z = torch.rand(6, 1, 28, 28) * 2 - 1, torch.randn(6, 64)
    bce = nn.BCEWithLogitsLoss()
    with torch.no_grad():
        real, fake = game.D(x), game.D(game.G(z))
    expected = bce(real, torch.ones(6, 1)) + bce(fake, torch.zeros(6, 1))
    torch.testing.assert_close(game.d_loss(x, z).detach(), expected)
    torch.testing.assert_close(game.g_loss(x, z).detach(), bce(fake, torch.ones(6, 1)))
    d_loss = game.d_loss(x, z)
    d_loss.backward()
    assert all(p.grad is None for p in game.G.parameters())  # D's loss is cut off from G


@pytest.mark.slow
def test_dcgan_learns_digits():
    seeded()
    trainer = Trainer(DCGAN(), digits(), batch_size=32, seed=0, device="cpu").run(200)
    fid = fid_digits(digits("test").all(), trainer.sample(1000))
    assert fid.value < 100  # seeds 0 and 1: 53 and 49; untrained: 212
