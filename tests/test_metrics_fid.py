"""The Fréchet distance against closed forms, SciPy's matrix square root and torchmetrics."""

import numpy as np
import pytest
import scipy.linalg
import torch

from ganedu.metrics import FID, digit_features, fid_digits, frechet_distance, frechet_features


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
    from ganedu.data import digits

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


def test_more_corruption_gives_a_larger_distance():
    from ganedu.data import digits
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
