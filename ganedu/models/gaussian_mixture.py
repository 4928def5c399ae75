"""A Gaussian mixture on PCA coordinates: an explicit density that draws images (scikit-learn's PCA and EM).

Images are few numbers in disguise: along the 50 directions in which digits differ most lies five sixths of their variance.
There a mixture of Gaussians fits, by maximum likelihood, and can be asked all that a density can: samples, the
log-likelihood of an image, and what an image looks like where it is hidden.
"""

import math

import torch

from ganedu.arguments import real_number, whole_number
from ganedu.data.images import ImageData


class GaussianMixture:
    """p(c) = Σ_k w_k N(c; μ_k, Σ_k) for an image's PCA coordinates c; the image is mean + c @ basis, and a rest.

    Args:
        components: K, how many Gaussians.
        coordinates: d, how many PCA coordinates; fewer than an image has pixels and than there are training images.
        min_variance: added to the variance of each coordinate in each component, so that none of them shrinks onto a few
            training images. Pixels are in [-1, 1]; the fiftieth coordinate of the digits has a variance of 0.7.
        seed: of EM's start, at least 0.

    Attributes, after ``fit`` (float64, on the device of the training images):
        mean (P,), basis (d, P): the average image and the orthonormal PCA directions, P = C*H*W.
        weights (K,), means (K, d), covariances (K, d, d): w, μ and Σ.
        residual_variance: a float, per pixel, of what the coordinates leave out; ``complete`` alone uses it.

    Raises:
        TypeError, ValueError: an argument that is no such number.
    """

    def __init__(self, components=20, coordinates=50, min_variance=0.1, seed=0):
        self.components = whole_number("components", components)
        self.coordinates = whole_number("coordinates", coordinates)
        self.min_variance = real_number("min_variance", min_variance, at_least=0, below=math.inf)
        self.seed = whole_number("seed", seed, at_least=0)

    def fit(self, images):
        """Fit PCA, then the mixture by expectation maximisation. Labels are not looked at. Returns the model itself.

        Args:
            images: an ``ImageData``, or an (N, C, H, W) tensor, uint8 or float in [-1, 1].

        Raises:
            ValueError: too few images or pixels for so many components or coordinates.
        """
        from sklearn.decomposition import PCA
        from sklearn.mixture import GaussianMixture as ExpectationMaximisation

        if not isinstance(images, ImageData):
            images = ImageData(images)
        x = images.all().flatten(1).double()
        n, pixels = x.shape
        if self.components > n:
            raise ValueError(f"components: got {self.components}, wants at most {n}, the number of images")
        if self.coordinates >= min(n, pixels):
            raise ValueError(
                f"coordinates: got {self.coordinates}, wants fewer than {min(n, pixels)}: "
                f"{n} images of {pixels} pixels were given"
            )
        pca = PCA(self.coordinates, svd_solver="full").fit(x.cpu().numpy())
        self.shape = images.shape
        self.mean, self.basis = (torch.from_numpy(array).to(x.device) for array in (pca.mean_, pca.components_))
        c = (x - self.mean) @ self.basis.T
        em = ExpectationMaximisation(self.components, reg_covar=self.min_variance, tol=1e-2, random_state=self.seed)
        em.fit(c.cpu().numpy())
        self.weights, self.means, self.covariances = (
            torch.from_numpy(array).to(x.device) for array in (em.weights_, em.means_, em.covariances_)
        )
        self._roots = torch.linalg.cholesky(self.covariances)
        rest = x - self.mean - c @ self.basis
        # the rest has as many directions as are left; the floor keeps images without any rest from dividing by 0
        self.residual_variance = max(float(rest.square().sum(1).mean()) / (pixels - self.coordinates), 1e-6)
        return self

    def encode(self, images):
        """(N, C, H, W) images in [-1, 1] -> (N, d) float64 coordinates.

        Raises:
            RuntimeError: before ``fit``.
            ValueError: images of another shape.
        """
        return (self._flat(images) - self.mean) @ self.basis.T

    def decode(self, coordinates):
        """(N, d) coordinates -> (N, C, H, W) float32 images, cut to [-1, 1]. Errors as for ``encode``."""
        self._fitted()
        if coordinates.ndim != 2 or coordinates.shape[1] != self.coordinates:
            raise ValueError(f"coordinates: got shape {tuple(coordinates.shape)}, wants (N, {self.coordinates})")
        return self._images(self.mean + coordinates.double() @ self.basis)

    def log_prob(self, images):
        """log Σ_k w_k N(c; μ_k, Σ_k) for the coordinates c of (N, C, H, W) images in [-1, 1]: (N,) float64, nats.

        A density of coordinates: it compares with other densities of the same coordinates, and with nothing else. What an
        image has beyond its coordinates does not count. Errors as for ``encode``.
        """
        return torch.logsumexp(self._log_joint(self.encode(images)), 1)

    def sample(self, n, generator=None):
        """(n, C, H, W) float32 images in [-1, 1]: pick a component, draw from its Gaussian, decode.

        Args:
            n: how many.
            generator: on the device of the training images.

        Raises:
            RuntimeError: before ``fit``.
        """
        self._fitted()
        k = torch.multinomial(self.weights, whole_number("n", n), replacement=True, generator=generator)
        return self.decode(self._draw(self.means[k], self._roots[k], generator))

    def complete(self, images, seen, generator=None):
        """Draw the hidden pixels given the seen ones, from p(hidden | seen): the images, completed.

        An image is taken to be mean + c @ basis + noise of variance ``residual_variance``; given the seen pixels, c is again
        a mixture of Gaussians (Bishop 2006, *Pattern Recognition and Machine Learning*, eq. 2.116, for each component).
        Every call draws anew; noise is not added to what is drawn.

        Args:
            images: (N, C, H, W) in [-1, 1]; hidden pixels may have any finite value.
            seen: (H, W) or (C, H, W) booleans, True where a pixel is seen.
            generator: on the device of the training images.

        Returns:
            (N, C, H, W) float32 in [-1, 1], the seen pixels as they were.

        Raises:
            RuntimeError: before ``fit``.
            ValueError: images or ``seen`` of another shape or type.
        """
        x = self._flat(images)
        seen = torch.as_tensor(seen, device=x.device)
        if seen.dtype != torch.bool or seen.shape not in (self.shape, self.shape[1:]):
            raise ValueError(
                f"seen: got {tuple(seen.shape)} of {seen.dtype}, wants booleans of shape {self.shape[1:]} or {self.shape}"
            )
        seen = seen.expand(self.shape).flatten()
        log_weights, means, roots = self._posterior(x[:, seen] - self.mean[seen], self.basis[:, seen])
        k = torch.multinomial(log_weights.softmax(1), 1, generator=generator)[:, 0]
        c = self._draw(means[torch.arange(len(k)), k], roots[k], generator)
        return self._images(torch.where(seen, x, self.mean + c @ self.basis))

    def _posterior(self, rest, basis):
        """p(c | seen pixels) as a mixture: (N, K) log weights up to a constant, (N, K, d) means, (K, d, d) roots."""
        precisions = torch.cholesky_inverse(self._roots)
        evidence = basis @ basis.T / self.residual_variance  # (d, d): what the seen pixels say about c, and how firmly
        pull = rest @ basis.T / self.residual_variance  # (N, d)
        covariances = torch.linalg.inv(precisions + evidence)
        start = torch.einsum("kij,kj->ki", precisions, self.means)
        means = torch.einsum("kij,nkj->nki", covariances, start + pull[:, None])
        # p(k | seen) ∝ p(k, c) p(seen | c) / p(c | k, seen), for any c; the posterior mean makes the last factor simple
        log_weights = self._log_joint(means) + torch.logdet(covariances) / 2
        log_weights += (
            torch.einsum("nd,nkd->nk", pull, means) - torch.einsum("nkd,de,nke->nk", means, evidence, means) / 2
        )
        return log_weights, means, torch.linalg.cholesky(covariances)

    def _log_joint(self, c):
        """log w_k + log N(c; μ_k, Σ_k) for (N, d) coordinates, or for (N, K, d), one for each component: (N, K)."""
        c = c if c.ndim == 3 else c[:, None]
        away = torch.linalg.solve_triangular(self._roots, (c - self.means).permute(1, 2, 0), upper=False)  # (K, d, N)
        log_det = self._roots.diagonal(dim1=1, dim2=2).log().sum(1)
        log_normal = -away.square().sum(1).T / 2 - log_det - self.coordinates / 2 * math.log(2 * math.pi)
        return self.weights.log() + log_normal

    def _draw(self, means, roots, generator):
        z = torch.randn(means.shape, generator=generator, device=means.device, dtype=means.dtype)
        return means + torch.einsum("nij,nj->ni", roots, z)

    def _fitted(self):
        if not hasattr(self, "weights"):
            raise RuntimeError("GaussianMixture: this one has seen no image, call fit(images) first")

    def _flat(self, images):
        self._fitted()
        if images.ndim != 4 or tuple(images.shape[1:]) != self.shape:
            raise ValueError(f"images: got shape {tuple(images.shape)}, wants (N, {', '.join(map(str, self.shape))})")
        if not images.is_floating_point():
            raise ValueError(f"images: got dtype {images.dtype}, wants floats in [-1, 1]")
        return images.to(self.mean).flatten(1)

    def _images(self, flat):
        return flat.clamp(-1, 1).float().view(-1, *self.shape)
