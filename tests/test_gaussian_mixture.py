"""The Gaussian mixture against SciPy's densities, the conditional Gaussian written out, and its own samples' moments."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from ganedu.__main__ import main
from ganedu.data import digits
from ganedu.data.images import ImageData
from ganedu.models.gaussian_mixture import GaussianMixture


def blots(n=600, seed=0):
    """(n, 1, 3, 4) images in [-1, 1] of two kinds, each with few directions of its own."""
    g = torch.Generator().manual_seed(seed)
    centres = torch.rand(2, 12, generator=g) - 0.5
    directions = torch.randn(2, 3, 12, generator=g) * 0.15
    kind = torch.randint(2, (n,), generator=g)
    x = centres[kind] + torch.einsum("nd,ndp->np", torch.randn(n, 3, generator=g), directions[kind])
    return (x + 0.03 * torch.randn(n, 12, generator=g)).clamp(-1, 1).view(n, 1, 3, 4)


@pytest.fixture(scope="module")
def model():
    return GaussianMixture(components=3, coordinates=4, min_variance=1e-3).fit(blots())


def numbers(model):
    names = ("mean", "basis", "weights", "means", "covariances")
    return [getattr(model, name).numpy() for name in names]


def test_log_prob_is_scipys(model):
    mean, basis, weights, means, covariances = numbers(model)
    x = blots(50, seed=1)
    c = (x.flatten(1).double().numpy() - mean) @ basis.T
    each = [np.log(w) + multivariate_normal.logpdf(c, m, s) for w, m, s in zip(weights, means, covariances)]
    np.testing.assert_allclose(model.log_prob(x).numpy(), logsumexp(each, axis=0), rtol=1e-10)


def test_the_density_of_one_coordinate_integrates_to_one():
    model = GaussianMixture(components=3, coordinates=1, min_variance=1e-3).fit(blots())
    c = torch.linspace(-4, 4, 20_001, dtype=torch.float64)[:, None]
    assert float(model._log_joint(c).logsumexp(1).exp().sum() * 8 / 20_000) == pytest.approx(1, abs=1e-6)


def test_coordinates_are_those_of_the_svd(model):
    images = ImageData(blots()).all()  # as the model sees them: in 256 shades
    flat = images.flatten(1).double()
    _, _, directions = torch.linalg.svd(flat - flat.mean(0), full_matrices=False)
    projector = directions[:4].T @ directions[:4]
    assert torch.allclose(model.basis.T @ model.basis, projector, atol=1e-8)  # one subspace, whatever the signs
    assert torch.allclose(model.basis @ model.basis.T, torch.eye(4, dtype=torch.float64), atol=1e-10)
    near = model.decode(model.encode(images)).flatten(1).double()
    best = flat.mean(0) + (flat - flat.mean(0)) @ projector
    assert torch.allclose(near, best.clamp(-1, 1), atol=1e-6)
    rest = (flat - best).square().sum() / len(flat) / (12 - 4)
    assert model.residual_variance == pytest.approx(float(rest), rel=1e-9)


def test_samples_have_the_mixtures_moments(model):
    _, _, weights, means, covariances = numbers(model)
    want = (weights[:, None] * means).sum(0)
    second = sum(w * (s + np.outer(m, m)) for w, m, s in zip(weights, means, covariances))
    n = 100_000
    k = torch.multinomial(model.weights, n, replacement=True, generator=torch.Generator().manual_seed(3))
    c = model._draw(model.means[k], model._roots[k], torch.Generator().manual_seed(4)).numpy()
    covariance = second - np.outer(want, want)
    assert (np.abs(c.mean(0) - want) < 5 * np.sqrt(np.diag(covariance) / n)).all()
    scale = np.sqrt(np.outer(np.diag(covariance), np.diag(covariance)))
    assert (np.abs(np.cov(c.T) - covariance) < 10 / np.sqrt(n) * scale).all()
    x = model.sample(n, torch.Generator().manual_seed(0))
    assert x.shape == (n, 1, 3, 4) and x.dtype == torch.float32 and x.abs().max() <= 1
    assert torch.equal(x, model.sample(n, torch.Generator().manual_seed(0)))
    inside = x.abs().flatten(1).max(1).values < 1  # nothing was cut
    assert inside.float().mean() > 0.9
    assert np.abs(model.encode(x[inside]).numpy().mean(0) - c.mean(0)).max() < 0.05


def test_completion_is_the_conditional_gaussian(model):
    """The same posterior by the textbook's other way: each component's joint Gaussian of (c, seen pixels), cut."""
    mean, basis, weights, means, covariances = numbers(model)
    seen = np.zeros(12, dtype=bool)
    seen[:5] = True
    x = blots(6, seed=2).flatten(1).double().numpy()
    log_weights, got_means, got_roots = model._posterior(torch.tensor(x[:, seen] - mean[seen]), model.basis[:, seen])
    W, logs = basis[:, seen], []
    for k in range(3):
        S_x = W.T @ covariances[k] @ W + model.residual_variance * np.eye(5)
        gain = covariances[k] @ W @ np.linalg.inv(S_x)
        away = x[:, seen] - mean[seen] - means[k] @ W
        np.testing.assert_allclose(got_means[:, k].numpy(), means[k] + away @ gain.T, atol=1e-8)
        root = got_roots[k].numpy()
        np.testing.assert_allclose(root @ root.T, covariances[k] - gain @ W.T @ covariances[k], atol=1e-8)
        logs.append(np.log(weights[k]) + multivariate_normal.logpdf(away, np.zeros(5), S_x))
    want = np.exp(np.array(logs) - logsumexp(logs, axis=0)).T
    np.testing.assert_allclose(log_weights.softmax(1).numpy(), want, atol=1e-8)


def test_complete_keeps_what_is_seen_and_draws_the_rest(model):
    x = blots(40, seed=2)
    seen = torch.zeros(3, 4, dtype=torch.bool)
    seen[0] = True
    first, second = (model.complete(x, seen, torch.Generator().manual_seed(s)) for s in (0, 1))
    assert first.shape == x.shape and first.dtype == torch.float32
    assert torch.allclose(first[:, :, 0], x[:, :, 0]) and not torch.allclose(first, second)
    garbled = torch.where(seen, x, 7.0)  # what is hidden must not matter
    assert torch.equal(model.complete(garbled, seen[None], torch.Generator().manual_seed(0)), first)
    blind = torch.zeros(3, 4, dtype=torch.bool)  # nothing seen: samples as from sample()
    free = model.complete(x.repeat(500, 1, 1, 1), blind, torch.Generator().manual_seed(0))
    drawn = model.sample(20_000, torch.Generator().manual_seed(1))
    assert torch.allclose(free.mean(0), drawn.mean(0), atol=0.02)
    assert torch.allclose(free.std(0), drawn.std(0), atol=0.02)


def test_more_components_fit_better_and_digits_come_out():
    train, test = digits("train"), digits("test")
    few, many = (GaussianMixture(components=k).fit(train) for k in (1, 10))
    # one component is PCA's own Gaussian: its mean log density of the training set is known in closed form
    c = few.encode(train.all())
    variances = c.var(0, correction=0)
    want = -0.5 * (torch.log(2 * torch.pi * (variances + 0.1)) + variances / (variances + 0.1)).sum()
    assert float(few.log_prob(train.all()).mean()) == pytest.approx(float(want), rel=1e-9)
    assert many.log_prob(test.all()).mean() > few.log_prob(test.all()).mean() + 10
    again = GaussianMixture(components=10).fit(train.all())
    assert torch.equal(again.means, many.means)
    assert not torch.equal(GaussianMixture(components=10, seed=1).fit(train).means, many.means)


def test_bad_input(model):
    with pytest.raises(TypeError, match="components: got 2.5"):
        GaussianMixture(components=2.5)
    with pytest.raises(ValueError, match="min_variance: got -1"):
        GaussianMixture(min_variance=-1)
    with pytest.raises(ValueError, match="components: got 20, wants at most 5"):
        GaussianMixture(coordinates=2).fit(blots(5))
    with pytest.raises(ValueError, match="coordinates: got 12, wants fewer than 12"):
        GaussianMixture(coordinates=12).fit(blots(50))
    fresh = GaussianMixture()
    for use in (lambda: fresh.sample(1), lambda: fresh.log_prob(blots(1)), lambda: fresh.decode(torch.zeros(1, 50))):
        with pytest.raises(RuntimeError, match="call fit"):
            use()
    with pytest.raises(ValueError, match="n: got 0"):
        model.sample(0)
    with pytest.raises(ValueError, match=r"images: got shape \(2, 1, 4, 3\), wants \(N, 1, 3, 4\)"):
        model.log_prob(torch.zeros(2, 1, 4, 3))
    with pytest.raises(ValueError, match="images: got dtype torch.uint8"):
        model.encode(torch.zeros(2, 1, 3, 4, dtype=torch.uint8))
    with pytest.raises(ValueError, match=r"coordinates: got shape \(2, 3\)"):
        model.decode(torch.zeros(2, 3))
    with pytest.raises(ValueError, match=r"seen: got \(4, 3\)"):
        model.complete(blots(2), torch.ones(4, 3, dtype=torch.bool))
    with pytest.raises(ValueError, match="seen: got .* of torch.float32"):
        model.complete(blots(2), torch.ones(3, 4))


def test_scikit_learn_is_imported_when_first_fitted():
    program = "import sys, ganedu.models.gaussian_mixture; sys.exit('sklearn' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_it_is_no_game_to_be_trained_in_rounds(capsys):
    assert main(["train", "gaussian_mixture"]) != 0
    said = capsys.readouterr().err
    assert "model: got 'gaussian_mixture', wants one of" in said and "vanilla" in said
