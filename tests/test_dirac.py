"""The Dirac-GAN against closed forms, autograd, SciPy's integrator, and the library's own losses, penalty and Step."""

import math

import numpy as np
import pytest
import torch
from scipy.integrate import solve_ivp
from torch import nn

from ganedu.losses import d_minimax, minimax, nonsaturating
from ganedu.models import vanilla
from ganedu.models.dirac import alternating, simultaneous, trajectory, update_matrix, vector_field
from ganedu.regularizers import r1
from ganedu.training import Step

TURNS = pytest.mark.parametrize("turn", [simultaneous, alternating], ids=lambda turn: turn.__name__)
LOSSES = pytest.mark.parametrize("saturating", [True, False], ids=["saturating", "non-saturating"])


class Point(nn.Module):
    """G of the Dirac-GAN as a net: θ for every latent."""

    def __init__(self, theta):
        super().__init__()
        self.theta = nn.Parameter(torch.tensor([theta], dtype=torch.float64))

    def forward(self, z):
        return self.theta.expand(len(z), 1)


def slope(psi):
    """D of the Dirac-GAN as a net: x -> ψ x."""
    D = nn.Linear(1, 1, bias=False).double()
    with torch.no_grad():
        D.weight.fill_(psi)
    return D


class Zeros:
    def sample(self, n, generator=None):
        return torch.zeros(n, 1, dtype=torch.float64)


def radius(path):
    return path.norm(dim=-1)


def around(n=16, size=1.0):
    angle = torch.arange(n, dtype=torch.float64) * (2 * math.pi / n)
    return size * angle.cos(), size * angle.sin()


# --- the field ---------------------------------------------------------------------------------------------------


@LOSSES
@pytest.mark.parametrize("gamma", [0.0, 0.7])
@pytest.mark.parametrize("theta, psi", [(1.0, 0.5), (-0.3, 2.0), (3.0, -2.0), (-1.5, -1.5)])
def test_field_is_minus_the_gradient_of_the_losses_of_nets(theta, psi, gamma, saturating):
    """Nets, the library's losses and R1, autograd: nothing of dirac.py."""
    G, D = Point(theta), slope(psi)
    z, x = torch.randn(5, 3, dtype=torch.float64), Zeros().sample(5)
    objective = minimax if saturating else nonsaturating
    d_loss = d_minimax(D(x), D(G(z).detach())) + gamma / 2 * r1(D, x)
    (of_psi,) = torch.autograd.grad(d_loss, D.weight)
    (of_theta,) = torch.autograd.grad(objective.g(D(G(z))), G.theta)
    got = vector_field(theta, psi, gamma, saturating)
    assert [float(v) for v in got] == pytest.approx([-float(of_theta), -float(of_psi)], rel=1e-12)


def test_field_by_hand():
    """At θ = ψ = 1 D's logit on the fake is 1, and sigmoid(1) = 0.731059."""
    assert [float(v) for v in vector_field(1.0, 1.0)] == pytest.approx([0.731059, -0.731059], abs=1e-6)
    assert [float(v) for v in vector_field(1.0, 1.0, 0.5)] == pytest.approx([0.731059, -1.231059], abs=1e-6)
    assert [float(v) for v in vector_field(1.0, 1.0, saturating=False)] == pytest.approx(
        [0.268941, -0.731059], abs=1e-6
    )


def test_nothing_moves_at_the_goal_alone():
    theta, psi = torch.meshgrid(*[torch.arange(-30, 31, dtype=torch.float64) / 10] * 2, indexing="ij")
    speed = torch.stack(vector_field(theta, psi)).norm(dim=0)
    assert speed[30, 30] == 0
    assert (speed > 0).sum() == speed.numel() - 1


@LOSSES
def test_jacobian_at_the_goal_has_the_papers_eigenvalues(saturating):
    """λ = (-γ ± √(γ² - 1)) / 2, that is -γ/2 ± √(γ²/4 - f'(0)²) with f'(0) = 1/2 (the paper's sections 2 and 3)."""
    for gamma in (0.0, 0.4, 3.0):

        def field(point):
            return torch.stack(vector_field(point[0], point[1], gamma, saturating))  # noqa: B023

        jacobian = torch.autograd.functional.jacobian(field, torch.zeros(2, dtype=torch.float64))
        got = sorted(np.linalg.eigvals(jacobian.numpy()), key=lambda v: (v.real, v.imag))
        root = np.sqrt(complex(gamma**2 - 1))
        want = sorted([(-gamma - root) / 2, (-gamma + root) / 2], key=lambda v: (v.real, v.imag))
        assert np.allclose(got, want, atol=1e-12)


# --- rounds ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("step", [0.05, 0.2, 1.0])
def test_eigenvalues_of_the_update_matrix(step):
    of_both = np.abs(np.linalg.eigvals(update_matrix(simultaneous, step).numpy()))
    assert np.allclose(of_both, math.sqrt(1 + step**2 / 4), atol=1e-12)
    assert np.allclose(np.abs(np.linalg.eigvals(update_matrix(alternating, step).numpy())), 1, atol=1e-12)


def test_alternating_leaves_the_unit_circle_above_a_step_of_4():
    assert np.abs(np.linalg.eigvals(update_matrix(alternating, 3.9).numpy())).max() == pytest.approx(1, abs=1e-9)
    assert np.abs(np.linalg.eigvals(update_matrix(alternating, 4.1).numpy())).max() > 1.1


@pytest.mark.parametrize("gamma", [0.5, 1.0, 1.5])
def test_r1_draws_the_eigenvalues_in(gamma):
    """Simultaneous descent: 1 + h λ with λ of the Jacobian, all inside the unit circle."""
    h = 0.1
    root = np.sqrt(complex(gamma**2 - 1))
    want = {1 + h * (-gamma - root) / 2, 1 + h * (-gamma + root) / 2}
    got = np.linalg.eigvals(update_matrix(simultaneous, h, gamma).numpy())
    assert all(min(abs(g - w) for w in want) < 1e-7 for g in got)  # at γ = 1 they coincide, and rounding is magnified
    assert np.abs(got).max() < 1


@TURNS
@LOSSES
@pytest.mark.parametrize("gamma", [0.0, 1.0])
def test_update_matrix_is_the_rounds_derivative(turn, gamma, saturating):
    def one_round(point):
        return torch.stack(turn(point[0], point[1], 0.3, gamma, saturating))

    jacobian = torch.autograd.functional.jacobian(one_round, torch.zeros(2, dtype=torch.float64))
    torch.testing.assert_close(update_matrix(turn, 0.3, gamma), jacobian, rtol=0, atol=1e-14)


@pytest.mark.parametrize("gamma", [0.0, 0.8])
@LOSSES
def test_alternating_is_the_round_that_the_library_plays(gamma, saturating):
    """Step, on nets, with plain gradient descent: D's turn, then G's."""

    class Penalised(vanilla.VanillaGAN):
        def d_loss(self, x, z):
            return super().d_loss(x, z) + gamma / 2 * r1(self.D, x)

        def sample_z(self, n, generator=None):
            return torch.zeros(n, self.z_dim, dtype=torch.float64)

    game = Penalised(Point(1.0), slope(0.4), z_dim=1, loss=minimax if saturating else nonsaturating)
    optimizers = {name: torch.optim.SGD(getattr(game, name).parameters(), lr=0.2) for name in game.players}
    step = Step(game, Zeros(), optimizers, {}, batch_size=4, generator=None)
    path = trajectory(alternating, 1.0, 0.4, 0.2, 30, gamma, saturating)
    for k in range(1, 31):
        step()
        assert [game.G.theta.item(), game.D.weight.item()] == pytest.approx(path[k].tolist(), rel=1e-10, abs=1e-12)


@LOSSES
def test_small_steps_follow_the_flow(saturating):
    """Against SciPy's Runge-Kutta: at step 1e-3 both ways of descent are on the continuous trajectory."""

    def sigmoid(t):
        return 1 / (1 + math.exp(-t))

    def flow(t, point):
        theta, psi = point
        return [sigmoid(psi * theta if saturating else -psi * theta) * psi, -sigmoid(psi * theta) * theta]

    want = solve_ivp(flow, (0, 5), [1.0, -0.5], rtol=1e-10, atol=1e-12).y[:, -1]
    for turn in (simultaneous, alternating):
        got = trajectory(turn, 1.0, -0.5, 1e-3, 5000, saturating=saturating)[-1]
        assert np.allclose(got, want, atol=3e-3)
    assert math.hypot(*want) == pytest.approx(math.hypot(1, 0.5), abs=1e-6) if saturating else math.hypot(*want) < 1.1


def test_radius_of_the_min_max_flow_cannot_change():
    """θ θ' + ψ ψ' = sigmoid(ψθ)(θψ - ψθ) = 0, everywhere in the plane."""
    theta, psi = torch.randn(2, 1000, generator=torch.Generator().manual_seed(0), dtype=torch.float64) * 3
    d_theta, d_psi = vector_field(theta, psi)
    assert float((theta * d_theta + psi * d_psi).abs().max()) < 1e-14
    d_theta, d_psi = vector_field(theta, psi, saturating=False)
    torch.testing.assert_close(theta * d_theta + psi * d_psi, -theta * psi * torch.tanh(theta * psi / 2))


def test_radius_over_rounds():
    """5,000 rounds from 16 starts around the unit circle: outward, on the spot, and with R1 inward within 200."""
    theta, psi = around()
    outward = radius(trajectory(simultaneous, theta, psi, 0.05, 5000))
    assert float(outward[-1].min()) > 1.5
    # each round from r to √(r² + h² v²) with v = sigmoid(ψθ) r, which stays under r
    assert float(outward[-1].max()) < math.exp(5000 * 0.05**2 / 2)
    for step in (0.05, 0.2):
        still = radius(trajectory(alternating, theta, psi, step, 5000))
        assert float((still - 1).abs().max()) < 0.06
    for turn in (simultaneous, alternating):
        assert float(radius(trajectory(turn, theta, psi, 0.1, 200, r1_gamma=1.0))[-1].max()) < 0.01


def test_non_saturating_spiral_has_the_rate_of_averaging():
    """r' = -⟨θψ tanh(ψθ/2)⟩ / r = -r³/16 for small r, so 1/r² grows by t/8 (t = step x rounds): slower and slower."""
    path = radius(trajectory(alternating, 0.2, 0.0, 0.05, 8000, saturating=False))
    assert 1 / float(path[-1]) ** 2 == pytest.approx(1 / 0.2**2 + 0.05 * 8000 / 8, rel=0.05)


def test_trajectory_keeps_the_shape_and_the_start():
    theta, psi = around(6)
    path = trajectory(alternating, theta.view(2, 3), psi.view(2, 3), 0.1, 4)
    assert path.shape == (5, 2, 3, 2) and path.dtype == torch.float64
    assert torch.equal(path[0], torch.stack([theta, psi], -1).view(2, 3, 2))
    assert torch.equal(trajectory(alternating, 1, 0, 0.1, 4)[:, 0], trajectory(alternating, 1.0, 0.0, 0.1, 4)[:, 0])


@pytest.mark.parametrize(
    "call, message",
    [
        (lambda: trajectory(alternating, 1.0, 0.0, 0, 5), "step: got 0, wants a number above 0"),
        (lambda: trajectory(alternating, 1.0, 0.0, 0.1, 0), "rounds: got 0, wants a whole number of at least 1"),
        (lambda: trajectory(alternating, 1.0, 0.0, 0.1, 5, r1_gamma=-1), "r1_gamma: got -1, wants a number at least 0"),
        (lambda: vector_field("a", 0.0), "theta: got 'a', wants a number"),
        (lambda: vector_field(torch.zeros(2), torch.zeros(3)), r"psi: got shape \(3,\), wants that of theta, \(2,\)"),
        (lambda: update_matrix(max, 0.1), "turn: got <built-in function max>, wants simultaneous or alternating"),
        (lambda: update_matrix(alternating, -0.1), "step: got -0.1, wants a number above 0"),
    ],
)
def test_bad_arguments_are_named(call, message):
    with pytest.raises((TypeError, ValueError), match=message):
        call()
