"""The latent explorer: everything is pressed; nearest images against brute force, directions against scikit-learn."""

import base64
import copy
import io
import re

import numpy as np
import pytest
import torch
from PIL import Image
from sklearn.decomposition import PCA
from torch import nn

from ganedu.data import digits, gaussian
from ganedu.data.images import ImageData
from ganedu.gan import GAN
from ganedu.interpolation import lerp, slerp
from ganedu.models.dcgan import DCGAN
from ganedu.models.vanilla import Discriminator, Generator, VanillaGAN
from ganedu.training import Speed, Trainer
from ganedu.views import figure
from ganedu.views.latent import (
    LatentExplorer,
    LatentSpace,
    Plane,
    explore,
    map_layout,
    principal_components,
    walk,
)
from ganedu.views.latent import explorer as explorer_module
from ganedu.views.latent import space as space_module
from ganedu.views.latent.plane import STEPS

SHAPE = (1, 8, 8)


def small(z_dim=6, shape=SHAPE, seed=0):
    torch.manual_seed(seed)
    return Generator(z_dim, shape, widths=(16, 12))


@pytest.fixture
def data():
    images = torch.rand(50, *SHAPE, generator=torch.Generator().manual_seed(1)) * 2 - 1
    return ImageData(images, torch.arange(50) % 3, ("ant", "bee", "cat"))


@pytest.fixture
def view(data):
    return LatentExplorer(Plane(LatentSpace(small(), data)))


def picture(html, number=0):
    """The pixels of an <img> in the text of a widget."""
    coded = re.findall(r"base64,([^\"]+)", html)[number]
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(coded))))


def shown_sample(view):
    """The sample that is shown, in [-1, 1], read back from its picture."""
    pixels = picture(view.now.value)
    scale = pixels.shape[0] // SHAPE[1]
    return pixels[::scale, ::scale] / 127.5 - 1


def assert_shows(view, z):
    with torch.no_grad():
        want = small_G_of(view)(z[None])[0, 0].numpy()
    assert np.abs(shown_sample(view) - want).max() < 0.01  # a level of grey is 0.008


def small_G_of(view):
    return view.space.G


# --- what moves it ------------------------------------------------------------------------------------------------


def test_begins_at_a_draw_with_its_nearest_training_image(view, data):
    assert torch.equal(view.z, view.plane.start)
    assert_shows(view, view.z)
    with torch.no_grad():
        x = view.space.G(view.z[None])[0].double().numpy()
    distances = np.sqrt(((data.all().double().numpy() - x) ** 2).sum((1, 2, 3)))
    best = distances.argmin()
    assert f"{data.classes[best % 3]} (no. {best})" in view.now.value
    assert f"L2 distance {distances[best]:.2f}" in view.now.value
    nearest = picture(view.now.value, 1)
    scale = nearest.shape[0] // SHAPE[1]
    assert np.array_equal(nearest[::scale, ::scale], data.images[best, 0].numpy())


def test_sliders_move_along_the_two_directions(view):
    start = view.plane.start.clone()
    view.first.value, view.second.value = 3, 5
    view.across.value = 1.5
    view.up.value = -2.0
    want = start.clone()
    want[2] += 1.5
    want[4] -= 2.0
    assert torch.allclose(view.z, want)
    assert_shows(view, want)
    norm = f"‖z‖ = {want.norm():.2f}"
    assert norm in view.where.value and "about 2.4" in view.where.value  # √6


def test_the_map_shows_the_plane_and_frames_the_nearest_cell(view):
    view.first.value, view.second.value = 2, 4
    z = view.plane.start.repeat(49, 1).reshape(7, 7, 6)
    steps = torch.linspace(-3, 3, 7)
    z[..., 1] += steps[None, :]
    z[..., 3] += steps.flip(0)[:, None]  # up is up
    with torch.no_grad():
        want = view.space.G(z.flatten(0, 1))[:, 0].numpy()
    view.across.value, view.up.value = 1.9, 3.0  # nearest: column 6 of 7, the uppermost row
    pixels = picture(view.map.value)
    scale = pixels.shape[1] // 72
    pixels = pixels[::scale, ::scale]
    assert pixels.shape == (72, 72, 3)
    cells = np.stack([pixels[2 + 10 * r : 10 + 10 * r, 2 + 10 * c : 10 + 10 * c] for r in range(7) for c in range(7)])
    assert np.abs(cells[..., 0] / 127.5 - 1 - want).max() < 0.01
    framed = (pixels == [0xD5, 0x5E, 0x00]).all(2)
    rows, columns = np.nonzero(framed)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (0, 11, 50, 61)
    assert framed.sum() == 12 * 12 - 8 * 8
    assert "column 6, row 1" in view.map.value


def test_the_map_is_as_wide_as_fits():
    assert map_layout(28) == (5, 2)  # 304 pixels; 7 cells would have 212, 3 larger ones 276
    assert map_layout(8) == (7, 4)
    assert map_layout(64) == (3, 1) and map_layout(256) == (3, 1)


def test_random_goes_elsewhere_and_back_to_the_middle(view):
    before, map_before = view.z.clone(), view.map.value
    view.across.value = 2.0
    view.random.click()
    assert view.across.value == view.up.value == 0
    assert torch.equal(view.z, view.plane.start) and not torch.allclose(view.z, before)
    assert view.map.value != map_before
    assert_shows(view, view.z)
    again = LatentExplorer(Plane(LatentSpace(small(), None)))
    again.random.click()
    assert torch.equal(again.z, view.z)  # the same seed, the same draws


def test_one_direction_twice_gives_way(view):
    view.second.value = 1
    assert (view.first.value, view.second.value) == (2, 1)
    view.first.value = 1
    assert (view.first.value, view.second.value) == (1, 2)
    view.first.value = 6
    view.second.value = 6
    assert (view.first.value, view.second.value) == (1, 6)


def test_every_kind_of_direction_can_be_chosen(view):
    for kind in view.kind.options:
        view.kind.value = kind
        assert view.layer.disabled == (kind != Plane.ACTIVATIONS)
        assert view.first.max == len(view.plane.bank)
        view.across.value = 1.0
        assert torch.allclose(view.z, view.plane.start + view.plane.bank[view.first.value - 1], atol=1e-6)
        assert_shows(view, view.z)
    abouts = set()
    for _, name in view.layer.options:
        view.layer.value = name
        assert f"of layer {name} (" in view.about.value
        abouts.add(view.about.value)
    assert len(abouts) == len(view.layer.options) == 9


# --- saving and walking -------------------------------------------------------------------------------------------


def save(view, count):
    for _ in range(count):
        view.save.click()
        view.random.click()


def test_play_walks_from_saved_to_saved(view):
    assert view.play.disabled and view.frame.disabled and view.forget.disabled
    save(view, 3)
    assert not view.play.disabled and view.frame.max == view.play.max == 2 * STEPS
    a, b, c = (z.double().numpy() for z in view.saved)
    for place, want in (
        (STEPS // 4, 0.75 * a + 0.25 * b),
        (STEPS, b),
        (STEPS + STEPS // 2, (b + c) / 2),
        (2 * STEPS, c),
    ):
        view.frame.value = place
        assert np.allclose(view.z.numpy(), want, atol=1e-5)
        assert_shows(view, view.z)
    assert "From saved 2 to 3, linear, t = 1.00" in view.where.value

    view.frame.value = STEPS // 2
    view.way.value = "spherical"
    turn = np.arccos(a @ b / np.linalg.norm(a) / np.linalg.norm(b))
    assert np.allclose(view.z.numpy(), np.sin(turn / 2) / np.sin(turn) * (a + b), atol=1e-5)
    assert "spherical, t = 0.50" in view.where.value

    view.save.click()  # what is shown, in the middle of the way
    assert np.allclose(view.saved[3].numpy(), np.sin(turn / 2) / np.sin(turn) * (a + b), atol=1e-5)
    view.across.value = 1.0  # a hand on a slider leads back to the plane
    assert torch.allclose(view.z, view.plane.at(1.0, 0.0))


def test_the_strip_shows_each_saved_sample_over_its_nearest_image(view, data):
    save(view, 2)
    pixels = picture(view.strip.value)
    scale = 56 // 8
    pixels = pixels[::scale, ::scale]
    with torch.no_grad():
        samples = view.space.G(torch.stack(view.saved))
    for column, x in enumerate(samples):
        best = np.sqrt(((data.all().numpy() - x.numpy()) ** 2).sum((1, 2, 3))).argmin()
        left = 2 + 10 * column
        assert np.abs(pixels[2:10, left : left + 8] / 127.5 - 1 - x[0].numpy()).max() < 0.01
        assert np.array_equal(pixels[12:20, left : left + 8], data.images[best, 0].numpy())


def test_forget_takes_the_last_and_there_is_room_for_eight(view):
    save(view, 9)
    assert len(view.saved) == 8 and view.save.disabled
    last = view.saved[6].clone()
    view.frame.value = 7 * STEPS
    view.forget.click()
    assert len(view.saved) == 7 and torch.equal(view.saved[-1], last) and not view.save.disabled
    assert view.frame.value == view.frame.max == 6 * STEPS
    for _ in range(8):
        view.forget.click()
    assert view.saved == [] and view.play.disabled and view.forget.disabled
    assert "Save two samples" in view.strip.value
    view.way.value = "spherical"  # nothing to walk: nothing happens
    view.frame.value = 0


@pytest.mark.parametrize("way", [lerp, slerp])
def test_walk_visits_each_end_once(way):
    ends = torch.randn(4, 5, generator=torch.Generator().manual_seed(0))
    path = walk(ends, way, 6)
    assert path.shape == (19, 5)
    assert torch.allclose(path[::6], ends, atol=1e-6)
    assert torch.allclose(path[8], way(ends[1], ends[2], 1 / 3), atol=1e-6)


# --- directions ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(300, 7), (20, 90)])  # more rows than columns, and fewer
def test_principal_components_are_scikit_learns(shape):
    a = (
        torch.randn(*shape, generator=torch.Generator().manual_seed(0)).double()
        @ torch.diag(torch.linspace(3, 0.5, shape[1]).double())
        + 5
    )
    reference = PCA(4, svd_solver="full").fit(a.numpy())
    coordinates, shares = principal_components(a, 4)
    want = reference.transform(a.numpy())
    signs = np.sign((coordinates.numpy() * want).sum(0))
    assert np.allclose(coordinates.numpy() * signs, want)
    assert np.allclose(shares.numpy(), reference.explained_variance_ratio_)


def test_directions_of_a_linear_layer_are_those_of_its_principal_components():
    """For activations W z + b the component v grows fastest along W^T v: exactly, whatever was drawn."""
    space = LatentSpace(small())
    found, shares = space.activation_directions("0")
    layer = space.G[0]
    generator = torch.Generator().manual_seed(1)  # seed + 1
    z = torch.randn(1000, 6, generator=generator)
    with torch.no_grad():
        reference = PCA(6, svd_solver="full").fit(layer(z).double().numpy())
    want = reference.components_ @ layer.weight.detach().double().numpy()
    want /= np.linalg.norm(want, axis=1, keepdims=True)
    assert np.allclose(np.abs((found.numpy() * want).sum(1)), 1, atol=1e-5)
    assert np.allclose(shares, reference.explained_variance_ratio_, atol=1e-6)
    # and nearly the right singular vectors of W, as far as 1,000 draws tell
    _, _, right = np.linalg.svd(layer.weight.detach().numpy())
    assert abs(found[0].numpy() @ right[0]) > 0.9


def test_activations_are_what_the_layer_puts_out():
    space = LatentSpace(small())
    z = torch.randn(600, 6)  # more than one pass
    got = space.activations("3", z)
    with torch.no_grad():
        assert torch.allclose(got, nn.Sequential(*list(space.G)[:4])(z), atol=1e-6)
    assert got.shape == (600, 12)
    assert space.layers() == {str(i): n for i, n in enumerate((16, 16, 16, 12, 12, 12, 64, 64, 64))}
    assert all(not m._forward_hooks for m in space.G.modules())  # nothing is left hanging on the copy


def test_random_directions_are_orthonormal():
    q = LatentSpace(small(z_dim=30)).random_directions()
    assert q.shape == (20, 30) and torch.allclose(q @ q.T, torch.eye(20), atol=1e-5)


def test_directions_of_ones_own_come_first(data):
    own = torch.zeros(1, 6)
    own[0, 1] = 0.5
    view = LatentExplorer(Plane(LatentSpace(small(), data), directions=own))
    assert view.kind.value == Plane.OWN == view.kind.options[0]
    view.across.value = 2.0
    view.up.value = 1.0  # there is no second one
    assert torch.allclose(view.z, view.plane.start + torch.tensor([0, 1.0, 0, 0, 0, 0]))
    assert "no second direction" in view.about.value


# --- nearest ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kept", [True, False])
def test_nearest_over_several_blocks_and_a_copy_has_distance_0(kept, monkeypatch):
    monkeypatch.setattr(space_module, "BLOCK", 300)
    monkeypatch.setattr(space_module, "KEPT", 10**6 if kept else 10**5)
    data = digits("test")
    space = LatentSpace(VanillaGAN(), data)
    for i in (0, 357, 999):
        index, distance = space.nearest(data.all()[i])
        assert distance == 0.0 and torch.equal(data.images[index], data.images[i])
    for sample in space.images(space.draw(3)):
        distances = (data.all().double() - sample.double()).square().sum((1, 2, 3)).sqrt()
        index, distance = space.nearest(sample)
        assert index == distances.argmin() and distance == pytest.approx(distances.min().item(), rel=1e-5)
    assert (space._kept is not None) == kept


def test_without_data_there_is_no_nearest_image():
    view = LatentExplorer(Plane(LatentSpace(small())))
    assert "nearest" not in view.now.value and view.now.value.count("<img") == 1
    save(view, 2)
    assert "nearest" not in view.strip.value


def test_floats_and_colours_are_taken():
    images = torch.rand(5, 3, 12, 10) * 2 - 1
    view = LatentExplorer(Plane(LatentSpace(small(shape=(3, 12, 10)), images)))
    save(view, 2)
    view.across.value = 1.0
    assert picture(view.now.value).ndim == 3
    assert re.search(r"nearest training image:\nno\. \d", view.now.value)


# --- looking changes nothing --------------------------------------------------------------------------------------


def everything(trainer):
    tensors = [*trainer.game.state_dict().values(), *trainer.G_ema.state_dict().values()]
    return [t.clone() for t in tensors] + [trainer.generator.get_state(), torch.get_rng_state()]


def test_looking_changes_neither_nets_nor_random_numbers():
    torch.manual_seed(0)
    game = VanillaGAN(small(), Discriminator(SHAPE, (8,)), z_dim=6)
    trainer = Trainer(game, ImageData(torch.rand(40, *SHAPE) * 2 - 1), batch_size=8, seed=0, speed=Speed(tune=False))
    trainer.run(3)
    modes = [m.training for m in trainer.game.modules()]
    before = everything(trainer)
    view = LatentExplorer(Plane(LatentSpace(trainer)))
    view.kind.value = Plane.ACTIVATIONS
    save(view, 3)
    view.frame.value = 7
    view.across.value = 1.0
    assert all(torch.equal(a, b) for a, b in zip(before, everything(trainer), strict=True))
    assert modes == [m.training for m in trainer.game.modules()]
    assert all(not m._forward_hooks for m in trainer.game.modules())
    with torch.no_grad():  # what is shown is the averaged generator's
        assert torch.equal(view.space.images(view.z[None]), trainer.G_ema(view.z[None]))
    explorer_G = copy.deepcopy(view.space.G.state_dict())
    trainer.run(3)  # and it stays what it was when the view was opened
    assert all(torch.equal(a, b) for a, b in zip(explorer_G.values(), view.space.G.state_dict().values()))


class Noisy(nn.Sequential):
    """A G that draws random numbers of its own, in eval mode as well."""

    def forward(self, z):
        x = super().forward(z)
        return (x + 0.1 * torch.randn_like(x)).clamp(-1, 1)


def test_a_generator_with_noise_shows_one_image_for_one_latent():
    torch.manual_seed(0)
    space = LatentSpace(Noisy(*small()))
    before = torch.get_rng_state()
    z = space.draw(1)
    assert torch.equal(space.images(z), space.images(z))
    assert torch.equal(before, torch.get_rng_state())
    assert not LatentSpace(small())._draws and space._draws


@pytest.mark.parametrize("game", [VanillaGAN, DCGAN])
def test_a_game_is_taken_and_its_generator_shown_in_eval_mode(game):
    torch.manual_seed(0)
    gan = game(z_dim=16)
    gan.train()
    space = LatentSpace(gan, digits("test"))
    assert space.shape == (1, 28, 28) and space.z_dim == 16 and gan.G.training
    with torch.no_grad():
        z = space.draw(2)
        assert torch.allclose(space.images(z), gan.G.eval()(z), atol=1e-6)
    assert Plane(space, layer=list(space.layers())[0]).kind == Plane.ACTIVATIONS


@pytest.mark.gpu
def test_on_cuda():
    game = DCGAN().to("cuda")
    view = LatentExplorer(Plane(LatentSpace(game, digits("test", "cuda"))))
    view.kind.value = Plane.ACTIVATIONS
    view.across.value = 1.0
    save(view, 2)
    view.frame.value = 5
    assert view.z.is_cuda and "nearest" in view.now.value
    game.cpu()  # the game moves away: the view goes on
    view.random.click()
    assert view.z.is_cuda


# --- how it is shown ----------------------------------------------------------------------------------------------


@pytest.fixture
def notebook(monkeypatch):
    """As in Jupyter with ipykernel 7; returns what was displayed."""
    displayed = []
    monkeypatch.setattr(explorer_module, "in_notebook", lambda: True)
    monkeypatch.setenv("GANEDU_DRIVER", "thread")
    monkeypatch.setattr("IPython.display.display", displayed.append)
    return displayed


def test_in_a_notebook_the_widget_is_displayed(notebook, data):
    explore(small(), data, layer="1", way="spherical")
    (widget,) = notebook
    assert "ganedu-latent" in widget._dom_classes


@pytest.mark.parametrize("where", ["script", "tool"])
@pytest.mark.parametrize("with_data", [True, False])
def test_without_a_front_end_one_picture_stands_still(where, with_data, notebook, monkeypatch, tmp_path, data):
    if where == "script":
        monkeypatch.setattr(explorer_module, "in_notebook", lambda: False)
    else:
        monkeypatch.setenv("GANEDU_DRIVER", "sync")
    monkeypatch.setenv("GANEDU_FIGURES", str(tmp_path))
    assert not figure.in_notebook()
    explore(small(), data if with_data else None)
    assert notebook == []
    (saved,) = tmp_path.glob("*.png")
    assert Image.open(saved).size[0] > 900


def test_bad_arguments_are_named(data):
    wrong = pytest.raises
    with wrong(TypeError, match="model: got str, wants a Trainer, a GAN, or a generator"):
        LatentSpace("dcgan")
    with wrong(ValueError, match="z_dim: got None, and G has no linear layer"):
        LatentSpace(nn.Sequential(nn.ConvTranspose2d(4, 1, 4)))
    with wrong(ValueError, match=r"z_dim: got 7, and G fails on latents of shape \(2, 7\)"):
        LatentSpace(small(), z_dim=7)
    with wrong(ValueError, match="z_dim: got 9, wants the model's own, 64"):
        LatentSpace(VanillaGAN(), z_dim=9)
    with wrong(ValueError, match=r"model: got samples of shape \(2, 1\) for 2 latents, wants images"):
        LatentSpace(nn.Linear(8, 1))
    with wrong(ValueError, match=r"data: got shape \(1000, 1, 28, 28\), wants images of G's shape"):
        LatentSpace(small(), digits("test"))
    with wrong(TypeError, match="data: got .*, wants an ImageData or a tensor"):
        LatentSpace(small(), gaussian(0, 1))
    space = LatentSpace(small(), data)
    with wrong(ValueError, match="layer: got '77', wants one of '0', '1'"):
        Plane(space, layer="77")
    with wrong(ValueError, match="span: got 0, wants a number above 0"):
        Plane(space, span=0)
    with wrong(ValueError, match=r"directions: got shape \(2, 5\), wants a tensor \(K, 6\)"):
        Plane(space, directions=torch.zeros(2, 5))
    with wrong(ValueError, match="directions: got none"):
        Plane(space, directions=torch.zeros(0, 6))
    with wrong(ValueError, match="way: got 'round', wants one of 'linear', 'spherical'"):
        explore(small(), data, way="round")


def test_a_layer_that_z_does_not_reach_is_named(data):
    class Constant(nn.Module):
        """Like StyleGAN's input: learned, the same for every latent."""

        def __init__(self):
            super().__init__()
            self.learned, self.body = nn.Linear(6, 4), small()

        def forward(self, z):
            self.learned(torch.ones_like(z))
            return self.body(z)

    view = LatentExplorer(Plane(LatentSpace(Constant(), data)))
    view.kind.value = Plane.ACTIVATIONS
    assert "layer: got 'learned', whose activations do not depend on z" in view.about.value
    assert not view.layer.disabled
    view.layer.value = "body.0"
    assert "component 1 of layer body.0" in view.about.value


def test_a_trainer_without_a_generator_is_named():
    class Alone(GAN):
        averaged = ("D",)

    game = Alone(small(), Discriminator(SHAPE, (8,)), 6)
    game.d_loss = lambda x, z: game.D(x).mean()
    with pytest.raises(ValueError, match="model: got a trainer of Alone, wants one whose game has a G"):
        LatentSpace(Trainer(game, ImageData(torch.zeros(4, *SHAPE)), seed=0))
