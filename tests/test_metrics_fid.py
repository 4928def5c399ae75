"""The Fréchet distance against closed forms, SciPy's matrix square root and torchmetrics."""

import numpy as np
import pytest
import scipy.linalg
import torch

from ganedu.data import digits
from ganedu.metrics import (
    FID,
    Moments,
    digit_features,
    fid_digits,
    fid_infinity,
    frechet_distance,
    frechet_features,
    moments,
)
from ganedu.metrics.features import Features
from ganedu.metrics.fid import FIDInfinity, fid


def random_covariance(rng, d, rank=None):
    a = rng.standard_normal((d, rank or d))
    return a @ a.T / (rank or d)


def by_sqrtm(mean1, cov1, mean2, cov2):
    root = scipy.linalg.sqrtm(cov1 @ cov2)
    return ((mean1 - mean2) ** 2).sum() + np.trace(cov1 + cov2 - 2 * root.real)


def test_unit_gaussians_one_apart_in_2048_dimensions():
    d = 2048
    assert frechet_distance(np.zeros(d), np.eye(d), np.ones(d), np.eye(d)) == pytest.approx(2048, rel=1e-9)


def test_diagonal_covariances_have_a_closed_form():
    rng = np.random.default_rng(0)
    m1, m2 = rng.standard_normal((2, 30))
    v1, v2 = rng.uniform(0.1, 4, (2, 30))
    expected = ((m1 - m2) ** 2).sum() + ((np.sqrt(v1) - np.sqrt(v2)) ** 2).sum()
    assert frechet_distance(m1, np.diag(v1), m2, np.diag(v2)) == pytest.approx(expected, rel=1e-10)


def test_equals_scipys_matrix_square_root():
    rng = np.random.default_rng(1)
    for d in (1, 2, 17, 64):
        m1, m2 = rng.standard_normal((2, d))
        c1, c2 = random_covariance(rng, d), random_covariance(rng, d)
        assert frechet_distance(m1, c1, m2, c2) == pytest.approx(by_sqrtm(m1, c1, m2, c2), rel=1e-6)


def test_rank_deficient_covariances():
    zero, d = np.zeros(40), 40
    # Gaussians on two orthogonal axes: the root of the product is 0, the traces stay.
    c1, c2 = np.zeros((d, d)), np.zeros((d, d))
    c1[0, 0], c2[1, 1] = 4, 9
    assert frechet_distance(zero, c1, zero, c2) == pytest.approx(13)
    # Covariances that commute: rank 5 in a random basis.
    rng = np.random.default_rng(2)
    basis = np.linalg.qr(rng.standard_normal((d, d)))[0][:, :5]
    v1, v2 = rng.uniform(0.5, 3, (2, 5))
    value = frechet_distance(zero, (basis * v1) @ basis.T, zero, (basis * v2) @ basis.T)
    assert value == pytest.approx(((np.sqrt(v1) - np.sqrt(v2)) ** 2).sum(), abs=1e-6)
    # No variance at all: the distance of the means is left.
    assert frechet_distance(zero, 0 * c1, zero + 2, 0 * c1) == pytest.approx(4 * d)
    # Fewer samples than features.
    few = rng.standard_normal((10, d))
    assert frechet_features(few, few) == pytest.approx(0, abs=1e-5)
    assert frechet_features(few, few + 1) == pytest.approx(d, abs=1e-5)


def test_equals_torchmetrics_on_the_same_features():
    from torchmetrics.image.fid import _compute_fid

    g = torch.Generator().manual_seed(3)
    real = torch.randn(500, 20, generator=g, dtype=torch.float64) @ torch.randn(
        20, 20, generator=g, dtype=torch.float64
    )
    fake = torch.randn(300, 20, generator=g, dtype=torch.float64) + 0.3
    expected = float(_compute_fid(real.mean(0), real.T.cov(), fake.mean(0), fake.T.cov()))
    assert frechet_features(real, fake) == pytest.approx(expected, rel=1e-6)
    assert frechet_features(fake, real) == pytest.approx(expected, rel=1e-6)


def test_one_feature():
    assert frechet_features(torch.tensor([[0.0], [2.0]]), torch.tensor([[3.0], [7.0]])) == pytest.approx(
        16 + (np.sqrt(2) - np.sqrt(8)) ** 2  # means 1 and 5, variances 2 and 8
    )


def test_fid_digits_is_the_distance_of_the_features_and_reads_well():
    data = digits("test").all()
    real, fake = data[::2], data[1::2] * 0.5
    fid = fid_digits(real, fake)
    a, b = digit_features(real).double().numpy(), digit_features(fake).double().numpy()
    ridge = 1e-9 * np.eye(64)  # some features never fire: without it the product has no proper root
    expected = by_sqrtm(a.mean(0), np.cov(a.T) + ridge, b.mean(0), np.cov(b.T) + ridge)
    assert fid.value == pytest.approx(expected, rel=1e-3)
    assert (fid.n_real, fid.n_fake) == (500, 500)
    shown = FID(163.24, 4000, 2000, "64 features of the digit classifier")
    assert (
        str(shown) == f"{shown}" == ("FID-d 163.2 (n = 2,000 against 4,000 real; 64 features of the digit classifier)")
    )
    assert f"{shown:.2f}" == "163.24" and float(shown) == 163.24


@pytest.mark.slow
def test_more_corruption_gives_a_larger_distance():
    from ganedu.models.naive_bayes import NaiveBayes

    real, test = digits("train"), digits("test").all()
    g = torch.Generator().manual_seed(0)
    noise = torch.rand(1000, 1, 28, 28, generator=g) * 2 - 1
    values = [fid_digits(real.all(), (1 - t) * test + t * noise).value for t in (0, 0.2, 0.4, 0.6, 0.8, 1)]
    assert values == sorted(values) and values[0] < 1
    naive = fid_digits(real.all(), NaiveBayes().fit(real).sample(1000, g)).value
    assert 20 * values[0] < naive < values[-1]
    one_digit = fid_digits(real.all(), test[digits("test").labels == 3]).value  # perfect images, nine digits missing
    assert one_digit > 20 * values[0]


# --- streaming ----------------------------------------------------------------------------------------------------

VECTORS = Features(lambda x: x, "the vectors themselves")


@pytest.mark.parametrize("sizes", [(500,), (1, 1, 498), (100, 400), (7,) * 71 + (3,)])
def test_streamed_moments_are_those_of_all_at_once(sizes):
    x = (
        np.random.default_rng(0).standard_normal((500, 9)) * np.arange(1, 10) + 1e4
    )  # a sum of squares would lose digits
    gathered = Moments()
    for part in np.split(x, np.cumsum(sizes)[:-1]):
        assert gathered.add(part) is gathered
    assert gathered.n == 500
    np.testing.assert_allclose(gathered.mean, x.mean(0), rtol=1e-13)
    np.testing.assert_allclose(gathered.cov, np.cov(x, rowvar=False), rtol=1e-9, atol=1e-9)


def test_half_precision_features_are_summed_in_64_bits():
    x = torch.randn(4000, 3, generator=torch.Generator().manual_seed(0)).half() + 300
    gathered = Moments().add(x[:1000]).add(x[1000:])
    np.testing.assert_allclose(gathered.cov, np.cov(x.double().numpy(), rowvar=False), rtol=1e-9)
    assert gathered.mean.dtype == gathered.cov.dtype == np.float64


def test_batches_of_any_kind_give_the_same_distance():
    data = digits("test").all()
    real, fake = data[:400], data[400:700] * 0.5
    whole = fid_digits(real, fake)
    loader = torch.utils.data.DataLoader(torch.utils.data.TensorDataset(fake, torch.zeros(300)), batch_size=64)
    made = (fake[start : start + 90] for start in range(0, 300, 90))  # a generator: seen once, batch by batch
    for batches in (loader, made, [fake[:1], fake[1:]]):
        streamed = fid_digits(real, batches)
        assert streamed.value == pytest.approx(whole.value, rel=1e-6)
        assert streamed[1:] == whole[1:] == (400, 300, "64 features of the digit classifier", "FID-d")
    kept = moments(real)  # those of the real images, computed once
    assert fid(kept, fake).value == pytest.approx(whole.value, rel=1e-9)
    assert fid(kept, kept).value == pytest.approx(0, abs=1e-6)


def test_equals_torchmetrics_on_the_same_module():
    from torchmetrics.image.fid import FrechetInceptionDistance

    torch.manual_seed(0)
    net = torch.nn.Sequential(torch.nn.Flatten(), torch.nn.Linear(784, 12), torch.nn.Tanh()).requires_grad_(False)
    data = digits("test").all()
    real, fake = data[::2], data[1::2] * 0.7
    metric = FrechetInceptionDistance(feature=net, input_img_size=(1, 28, 28), normalize=True).set_dtype(torch.float64)
    metric.inception.float()
    for part in range(0, 500, 100):
        metric.update(real[part : part + 100], real=True)
        metric.update(fake[part : part + 100], real=False)
    own = fid(real.split(64), fake, Features(net, "12 random features"))
    assert own.value == pytest.approx(metric.compute().item(), rel=1e-3)
    assert (own.name, own.features) == ("FID-own", "12 random features") and str(own).startswith("FID-own ")


# --- extrapolation ------------------------------------------------------------------------------------------------


def test_extrapolation_takes_the_bias_away():
    """Real: N(0, I) in 32 dimensions, a million of it; fake: N(0.3, I). The true distance is 32 · 0.09 = 2.88."""
    d, n, truth = 32, 1500, 32 * 0.09
    real = Moments()
    real.n, real.mean, real._scatter = 10**6, np.zeros(d), np.eye(d) * (10**6 - 1)
    plain, extrapolated, said = [], [], []
    for seed in range(8):
        fake = torch.randn(n, d, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.3
        plain.append(fid(real, fake, VECTORS).value)
        result = fid_infinity(real, fake, VECTORS)
        extrapolated.append(result.value)
        said.append(result.bias)
    bias = np.mean(plain) - truth
    assert bias == pytest.approx(d / n + d * (d + 1) / (4 * n), rel=0.15)  # theory: of the mean, and of the covariance
    assert abs(np.mean(extrapolated) - truth) < 0.25 * bias
    assert np.mean(said) == pytest.approx(bias, rel=0.25)
    assert (result.n_real, result.n_fake, result.name) == (10**6, n, "FID-own")


def test_extrapolation_is_a_line_over_one_over_n():
    from scipy.stats import linregress

    data = digits("test").all()
    result = fid_infinity(data[::2], data[1::2] * 0.8, points=6, smallest=150)
    assert result.sizes == (150, 220, 290, 360, 430, 500)
    line = linregress(1 / np.array(result.sizes), result.values)
    assert result.value == pytest.approx(line.intercept, rel=1e-6)
    assert result.bias == pytest.approx(line.slope / 500, rel=1e-6)
    assert result.values[-1] == pytest.approx(fid_digits(data[::2], data[1::2] * 0.8).value, rel=1e-6)
    assert result == fid_infinity(data[::2], data[1::2] * 0.8, points=6, smallest=150)  # seeded
    assert result != fid_infinity(data[::2], data[1::2] * 0.8, points=6, smallest=150, seed=1)
    shown = FIDInfinity(12.345, 0.678, 4000, 2000, "64 features", (400, 2000), (15.0, 13.0))
    assert str(shown) == "FID-d 12.35 for n -> infinity; with 2,000 fakes +0.68 (against 4,000 real; 64 features)"


def test_extrapolation_draws_no_global_random_number():
    x = digits("test").all()[:60]
    states = torch.get_rng_state(), np.random.get_state()[1].copy()
    fid_infinity(x, x, points=2)
    assert torch.equal(states[0], torch.get_rng_state()) and (states[1] == np.random.get_state()[1]).all()


def test_bad_input():
    eye, zero = np.eye(3), np.zeros(3)
    with pytest.raises(ValueError, match="mean2: got shape"):
        frechet_distance(zero, eye, np.zeros(4), eye)
    with pytest.raises(ValueError, match="mean1: got shape"):
        frechet_distance(eye, eye, zero, eye)
    with pytest.raises(ValueError, match="cov2: got shape"):
        frechet_distance(zero, eye, zero, np.eye(4))
    with pytest.raises(ValueError, match="cov1: got a matrix that is not symmetric"):
        frechet_distance(zero, np.triu(np.ones((3, 3))), zero, eye)
    with pytest.raises(ValueError, match="cov1: got an eigenvalue of -1"):
        frechet_distance(zero, np.diag([1.0, 1.0, -1.0]), zero, eye)
    with pytest.raises(ValueError, match="cov2: got an eigenvalue"):
        frechet_distance(zero, eye, zero, -eye)
    with pytest.raises(ValueError, match="mean1: got a number that is not finite"):
        frechet_distance(zero * np.nan, eye, zero, eye)
    with pytest.raises(ValueError, match="real_features: got shape"):
        frechet_features(np.ones((1, 3)), np.ones((5, 3)))
    with pytest.raises(ValueError, match="fake_features: got 4 features, wants 3"):
        frechet_features(np.ones((5, 3)), np.ones((5, 4)))
    with pytest.raises(ValueError, match="features: got 4 a sample, wants 3 as in the batches before"):
        Moments().add(np.ones((5, 3))).add(np.ones((5, 4)))
    with pytest.raises(ValueError, match="images: got 1, wants at least 2 for a covariance"):
        fid(torch.ones(1, 3), torch.ones(5, 3), VECTORS)
    with pytest.raises(ValueError, match="images: got none, wants at least one"):
        fid_digits(torch.zeros(4, 1, 28, 28), [])
    with pytest.raises(ValueError, match="smallest: got 30, wants less than the number of fakes, 30"):
        fid_infinity(torch.ones(30, 3), torch.ones(30, 3), VECTORS, smallest=30)
    with pytest.raises(ValueError, match="fake_images: got shape .5, 3., wants .N, d. with N at least 10"):
        fid_infinity(torch.ones(30, 3), torch.ones(5, 3), VECTORS)
    with pytest.raises(ValueError, match="points: got 1, wants a whole number of at least 2"):
        fid_infinity(torch.ones(30, 3), torch.ones(30, 3), VECTORS, points=1)
