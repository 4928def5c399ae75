"""DiffAugment: each change against a brute-force search or closed form, its draws, and gradients that reach G."""

import copy

import numpy as np
import pytest
import torch
from scipy import stats
from torch import nn

from ganedu.data import digits
from ganedu.diffaugment import (
    COLOUR,
    EVERYTHING,
    DiffAugment,
    brightness,
    contrast,
    cutout,
    diffaugment,
    saturation,
    translation,
)
from ganedu.models.dcgan import DCGAN, Discriminator
from ganedu.training import Trainer, frozen


def images(n=6, shape=(3, 8, 12), seed=0):
    g = torch.Generator().manual_seed(seed)
    return torch.rand(n, *shape, generator=g, dtype=torch.float64) * 2 - 1


# --- colour -------------------------------------------------------------------------------------------------------


def fitted(x, y):
    """The (factor, offset) of y = factor x + offset by least squares, and the largest distance from that line."""
    x, y = x.numpy().ravel(), y.numpy().ravel()
    factor, offset = np.polyfit(x, y, 1)
    return factor, offset, np.abs(factor * x + offset - y).max()


def test_brightness_adds_one_number_to_each_image():
    torch.manual_seed(0)
    x = images(2000, (1, 2, 2))
    added = (brightness(x) - x).flatten(1)
    assert added.std(1).max() < 1e-12  # the same at every pixel
    assert stats.kstest(added[:, 0].numpy(), stats.uniform(-0.5, 1).cdf).pvalue > 0.001


def test_contrast_stretches_each_image_about_its_own_mean():
    torch.manual_seed(0)
    x, factors = images(500, (3, 4, 5)), []
    for before, after in zip(x, contrast(x)):
        factor, offset, off_line = fitted(before, after)
        assert off_line < 1e-12
        assert factor * before.mean() + offset == pytest.approx(before.mean().item())  # the mean stays
        factors.append(factor)
    assert stats.kstest(factors, stats.uniform(0.5, 1).cdf).pvalue > 0.001


def test_saturation_stretches_the_colours_about_each_pixels_grey():
    torch.manual_seed(0)
    x, factors = images(500, (3, 4, 5)), []
    for before, after in zip(x, saturation(x)):
        grey = before.numpy().mean(0)
        np.testing.assert_allclose(after.numpy().mean(0), grey, atol=1e-12)  # no pixel gets darker
        factor, offset, off_line = fitted(before - before.mean(0), after - after.mean(0))
        assert off_line < 1e-12 and abs(offset) < 1e-12
        factors.append(factor)
    assert stats.kstest(factors, stats.uniform(0, 2).cdf).pvalue > 0.001
    grey = images(4, (1, 5, 5))
    torch.testing.assert_close(saturation(grey), grey)  # one channel has no colour


# --- translation --------------------------------------------------------------------------------------------------


def moved(image, down, right, fill):
    """``image`` (C, H, W) moved by whole pixels, one pixel at a time."""
    _, height, width = image.shape
    out = torch.full_like(image, fill)
    for i in range(height):
        for j in range(width):
            if 0 <= i - down < height and 0 <= j - right < width:
                out[:, i, j] = image[:, i - down, j - right]
    return out


@pytest.mark.parametrize("fill", [0.0, -1.0])
def test_translation_is_one_of_all_moves_and_every_one_occurs(fill):
    torch.manual_seed(0)
    x = images(1, (2, 8, 16))  # an eighth: 1 row, 2 columns
    moves = {(a, b): moved(x[0], a, b, fill) for a in range(-3, 4) for b in range(-3, 4)}
    found = []
    for after in translation(x.expand(600, -1, -1, -1), fill=fill):
        (move,) = [move for move, wanted in moves.items() if torch.equal(after, wanted)]
        found.append(move)
    counts = {move: found.count(move) for move in set(found)}
    assert set(counts) == {(a, b) for a in (-1, 0, 1) for b in (-2, -1, 0, 1, 2)}
    assert stats.chisquare(list(counts.values())).pvalue > 0.001


def test_translation_takes_the_gradient_back_where_the_pixel_came_from():
    torch.manual_seed(1)
    x, weights = images(3, (1, 8, 8)).requires_grad_(), images(3, (1, 8, 8), seed=2)
    y = translation(x)
    (gradient,) = torch.autograd.grad((y * weights).sum(), x)
    for before, after, weight, g in zip(x.detach(), y.detach(), weights, gradient):
        moves = {(a, b): moved(before, a, b, 0.0) for a in (-1, 0, 1) for b in (-1, 0, 1)}
        ((a, b),) = [move for move, wanted in moves.items() if torch.equal(after, wanted)]
        torch.testing.assert_close(g, moved(weight, -a, -b, 0.0))


def test_sizes_of_the_authors_code():
    """Their pixels are int(size * ratio + 0.5): 4 of 28 to move, 14 of 28 to cover."""
    torch.manual_seed(0)
    ones = torch.ones(3000, 1, 28, 28)
    empty_rows = (translation(ones).sum((1, 3)) == 0).sum(1)
    assert sorted(empty_rows.unique().tolist()) == [0, 1, 2, 3, 4]
    assert (cutout(ones) == 0).flatten(1).sum(1).max() == 14 * 14


# --- cutout -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("height", "width"), [(8, 12), (10, 6)])  # sides of the hole: 4 x 6, 5 x 3
def test_cutout_covers_one_square_and_every_place_occurs(height, width):
    torch.manual_seed(0)
    x, side_y, side_x = images(1, (2, height, width)), height // 2, width // 2
    places = {}
    for centre_y in range(height + 1 - side_y % 2):
        for centre_x in range(width + 1 - side_x % 2):
            wanted = x[0].clone()
            for i in range(height):
                for j in range(width):
                    if 0 <= i - (centre_y - side_y // 2) < side_y and 0 <= j - (centre_x - side_x // 2) < side_x:
                        wanted[:, i, j] = 0.25
            places[centre_y, centre_x] = wanted
    found = []
    for after in cutout(x.expand(3000, -1, -1, -1), fill=0.25):
        (place,) = [place for place, wanted in places.items() if torch.equal(after, wanted)]
        found.append(place)
    assert set(found) == set(places)
    assert stats.chisquare([found.count(place) for place in places]).pvalue > 0.001


# --- what all share -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("change", EVERYTHING)
def test_gradients_are_those_of_finite_differences(change):
    x = images(2, (3, 4, 4)).requires_grad_()

    def same_draw(x):
        torch.manual_seed(5)
        return change(x)

    assert torch.autograd.gradcheck(same_draw, x)


@pytest.mark.parametrize("change", EVERYTHING)
@pytest.mark.parametrize("shape", [(1, 28, 28), (3, 7, 10), (2, 1, 1)])
def test_each_image_has_a_draw_of_its_own_and_the_batch_is_left_alone(change, shape):
    torch.manual_seed(0)
    x = images(1, shape).float().expand(40, -1, -1, -1).clone()
    before = x.clone()
    after = change(x)
    assert after.shape == x.shape and after.dtype == x.dtype and torch.equal(x, before)
    if not (change is saturation and shape[0] == 1) and shape[1] > 1:
        assert len({tuple(image.flatten().tolist()) for image in after}) > 5
    assert change(x[:1]).shape == (1, *shape) and change(x[:0]).shape == (0, *shape)


def test_a_policy_acts_in_order():
    assert EVERYTHING == (*COLOUR, translation, cutout)
    x = images()
    torch.manual_seed(0)
    by_hand = cutout(translation(contrast(saturation(brightness(x)))))
    torch.manual_seed(0)
    assert torch.equal(diffaugment(x), by_hand)
    doubled = diffaugment(x, [lambda x: x + 1, lambda x: 2 * x])
    torch.testing.assert_close(doubled, 2 * (x + 1))
    assert diffaugment(x, ()) is x


def test_second_order_gradients_pass():
    """R1 and the gradient penalty differentiate D's gradient once more."""
    D = nn.Sequential(DiffAugment(), nn.Flatten(), nn.Linear(48, 4), nn.Tanh(), nn.Linear(4, 1)).double()
    x = images(3, (3, 4, 4)).requires_grad_()
    (slope,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
    slope.square().sum().backward()
    assert all(D[2].weight.grad.abs().sum(1) > 0)


# --- in a game ----------------------------------------------------------------------------------------------------


def test_gradients_reach_g_through_the_layer_and_d_alone_learns_in_ds_turn():
    torch.manual_seed(0)
    game = DCGAN(D=nn.Sequential(DiffAugment(), Discriminator(width=4)), width=4)
    x, z = digits().sample(8, torch.Generator().manual_seed(1)), torch.randn(8, 64)
    game.d_loss(x, z).backward()
    assert all(p.grad is None for p in game.G.parameters())
    assert sum(p.grad.abs().sum() for p in game.D.parameters()) > 0
    game.zero_grad(set_to_none=True)
    with frozen(game.D):
        game.g_loss(x, z).backward()
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in game.G.parameters())
    assert all(p.grad is None for p in game.D.parameters())


def test_d_sees_changed_images_in_training_and_plain_ones_in_eval_mode():
    seen, x = [], images(2)
    D = nn.Sequential(DiffAugment((lambda x: x + 1,)), nn.Identity())
    D[1].register_forward_hook(lambda module, inputs, output: seen.append(output))
    D(x), D.eval()(x)
    assert torch.equal(seen[0], x + 1) and torch.equal(seen[1], x)


def test_every_pass_draws_anew_and_a_seed_repeats_the_run():
    x, layer = images(), DiffAugment()
    assert not torch.equal(layer(x), layer(x))
    states = []
    for _ in range(2):
        torch.manual_seed(3)
        game = DCGAN(D=nn.Sequential(DiffAugment(), Discriminator(width=4)), width=4)
        Trainer(game, digits(), batch_size=8, seed=0, device="cpu").run(2)
        states.append(copy.deepcopy(game.state_dict()))
    assert all(torch.equal(a, b) for a, b in zip(states[0].values(), states[1].values(), strict=True))
    assert list(game.D[1].state_dict()) == list(Discriminator(width=4).state_dict())  # T has no state of its own
    assert "translation" in repr(game.D[0])


@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (np.zeros((2, 1, 4, 4)), TypeError, "x: got ndarray, wants a tensor"),
        (torch.zeros(2, 1, 4, 4, dtype=torch.uint8), TypeError, "x: got dtype torch.uint8, wants"),
        (torch.zeros(1, 4, 4), ValueError, r"x: got shape \(1, 4, 4\), wants a tensor of shape \(N, C, H, W\)"),
    ],
)
def test_bad_images(x, error, message):
    with pytest.raises(error, match=message):
        diffaugment(x)


@pytest.mark.parametrize("policy", ["color,translation", None, ("cutout",), brightness])
def test_bad_policy(policy):
    with pytest.raises(TypeError, match="^policy: got"):
        diffaugment(images(), policy)
    with pytest.raises(TypeError, match="^policy: got"):
        DiffAugment(policy)
