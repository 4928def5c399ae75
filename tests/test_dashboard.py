"""The dashboard: its buttons and sliders are really used while a thread trains, and looking changes nothing."""

import io
import re
import threading
import time
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import torch
from PIL import Image
from test_drivers import Line, LineGAN
from torch import nn

from ganedu.data import digits
from ganedu.gan import Game
from ganedu.models.vanilla import Discriminator, Generator, VanillaGAN
from ganedu.training import Trainer
from ganedu.views.charts import decimate, line_chart, nice_ticks, tick_labels
from ganedu.views.dashboard import Dashboard
from ganedu.views.drivers import Background, polled
from ganedu.views.figure import image_grid, show
from ganedu.views.images import png_bytes, shrink_png, tile
from ganedu.views.live import train
from ganedu.views.samples import Samples, grid_layout
from ganedu.views.summary import training_figure


def eventually(condition, seconds=5.0):
    """Seconds until ``condition()`` holds."""
    started = time.perf_counter()
    while not condition():
        assert time.perf_counter() - started < seconds, "it never held"
        time.sleep(0.002)
    return time.perf_counter() - started


@pytest.fixture
def trainer():
    torch.manual_seed(0)
    return Trainer(LineGAN(), Line(), batch_size=8, seed=0)


@pytest.fixture
def live(trainer):
    run = train(trainer, 10**9, driver="thread")
    eventually(lambda: trainer.round > 5)
    yield run
    trainer.stop()
    run._background.ended.wait(10)


# --- buttons and sliders, while training runs --------------------------------------------------------------------


def test_pause_holds_and_resume_goes_on(live, trainer):
    view = live.dashboard
    view.pause.click()
    assert eventually(lambda: trainer.state == "paused") < 0.3
    held = trainer.round
    eventually(lambda: ">paused<" in view.status.value)
    time.sleep(0.4)
    assert trainer.round == held
    assert f"round {held:,} of" in view.status.value
    assert view.pause.disabled and not view.resume.disabled
    view.resume.click()
    assert eventually(lambda: trainer.round > held) < 0.3
    eventually(lambda: ">running<" in view.status.value)
    eventually(lambda: view.resume.disabled and not view.pause.disabled)


def test_step_plays_exactly_one_round(live, trainer):
    view = live.dashboard
    view.pause.click()
    eventually(lambda: trainer.state == "paused")
    for _ in range(3):
        before = trainer.round
        view.step.click()
        eventually(lambda: trainer.round == before + 1)  # noqa: B023
        time.sleep(0.1)
        assert trainer.round == before + 1 and trainer.state == "paused"
        eventually(lambda: f"round {trainer.round:,} of" in view.status.value)


def test_step_while_running_holds_after_it(live, trainer):
    live.dashboard.step.click()
    eventually(lambda: trainer.state == "paused")
    held = trainer.round
    time.sleep(0.2)
    assert trainer.round == held


@pytest.mark.parametrize("paused", [False, True])
def test_stop_ends_the_run_and_the_model_is_usable(live, trainer, paused):
    if paused:
        live.dashboard.pause.click()
        eventually(lambda: trainer.state == "paused")
    live.dashboard.stop.click()
    eventually(lambda: trainer.state == "stopped")
    eventually(lambda: ">stopped<" in live.dashboard.status.value)
    view = live.dashboard
    assert all(button.disabled for button in (view.pause, view.resume, view.step, view.stop))
    assert trainer.sample(7).shape == (7, 1)


@pytest.mark.parametrize("paused", [False, True])
@pytest.mark.parametrize("player", ["D", "G"])
def test_the_learning_rate_reaches_the_optimiser(live, trainer, player, paused):
    other = "G" if player == "D" else "D"
    if paused:
        trainer.pause()
        eventually(lambda: trainer.state == "paused")
    live.dashboard.lr[player].value = 1e-3
    rate = trainer.optimizers[player].param_groups[0]
    assert eventually(lambda: rate["lr"] == 1e-3) < 0.3
    eventually(lambda: "now 0.001<" in live.dashboard._readings[player].value)
    assert trainer.optimizers[other].param_groups[0]["lr"] == 2e-4
    assert "now 0.0002<" in live.dashboard._readings[other].value


def test_n_critic_reaches_the_game(live, trainer):
    live.dashboard.n_critic.value = 4
    assert eventually(lambda: trainer.game.n_critic == 4) < 0.3
    eventually(lambda: "now 4<" in live.dashboard._readings["n_critic"].value)


def test_the_rounding_of_a_displayed_slider_changes_nothing(live, trainer):
    """A front end snaps 2e-4 to the slider's steps, 10^-3.7, and reports that when the slider appears."""
    slider = live.dashboard.lr["G"]
    slider.value = 10**-3.7
    moves = []
    slider.observe(moves.append, names="value")
    time.sleep(0.5)
    assert trainer.lr("G") == 2e-4
    assert not moves  # nor is the front end's value argued with, over and over, under the hand of the user


def test_the_dashboard_follows_what_code_changes(live, trainer):
    view = live.dashboard
    trainer.set_lr("D", 0.01)
    trainer.set_n_critic(3)
    eventually(lambda: view.lr["D"].value == 0.01 and view.n_critic.value == 3)
    trainer.pause()
    eventually(lambda: ">paused<" in view.status.value)
    trainer.set_lr("D", 0.001)
    eventually(lambda: view.lr["D"].value == 0.001)
    trainer.resume()
    eventually(lambda: ">running<" in view.status.value)
    time.sleep(0.3)
    assert trainer.lr("D") == 0.001 and trainer.game.n_critic == 3  # following is not asking


def test_a_click_after_the_end_does_nothing(trainer):
    run = train(trainer, 5, driver="thread")
    run._background.wait()
    run.dashboard._on_pause()  # a message that came late
    run.dashboard._on_step()
    trainer.run(2)
    assert trainer.round == 7


class Solo(Game):
    """A game of one player, which has no n_critic: G's mean is drawn to the data's."""

    players, averaged, z_dim = ("G",), ("G",), 2

    def __init__(self):
        super().__init__()
        self.G = nn.Linear(2, 1)

    def g_loss(self, x, z):
        return (self.G(z).mean() - x.mean()).square()


def test_a_game_of_one_player_has_one_slider_and_one_curve(tmp_path):
    trainer = Trainer(Solo(), Line(), batch_size=8, seed=0, log_every=5)
    run = train(trainer, 20, driver="thread")
    run.wait()
    view = run.dashboard
    assert list(view.lr) == ["G"] and view.n_critic is None
    assert view.charts.value.count("<polyline") == 1 and "G&#x27;s loss" in view.charts.value


# --- looking changes nothing -------------------------------------------------------------------------------------


def weights(trainer):
    modules = [trainer.game, *(ema.module for ema in trainer.emas.values())]
    states = [o.state_dict()["state"].values() for o in trainer.optimizers.values()]
    tensors = [value for module in modules for value in module.state_dict().values()]
    return tensors + [value for states_ in states for state in states_ for value in state.values()]


def small_vanilla():
    torch.manual_seed(3)
    game = VanillaGAN(Generator(16, widths=(32, 32)), Discriminator(widths=(32, 32)), z_dim=16)
    return Trainer(game, digits().subset(slice(0, 200)), batch_size=16, seed=3, log_every=5)


def small_line():
    torch.manual_seed(3)
    return Trainer(LineGAN(), Line(), batch_size=8, seed=3, log_every=5)


@pytest.mark.parametrize("make", [small_vanilla, small_line])
@pytest.mark.parametrize("driver", ["thread", "poll"])
def test_the_weights_are_the_same_bit_for_bit_with_and_without(make, driver):
    plain = make()
    torch.manual_seed(11)
    plain.run(60)
    watched = make()
    torch.manual_seed(11)
    view = Dashboard(watched, 60, fps=1e6, budget=1)
    view.begin()
    if driver == "thread":
        Background(watched, 60, view.update, view.end).wait()
    else:
        polled(watched, 60, view.update, poll=lambda n: None)
    assert view.frames > 20  # it did look
    for a, b in zip(weights(plain), weights(watched), strict=True):
        assert torch.equal(a, b)
    assert plain.history == watched.history
    assert torch.equal(plain.generator.get_state(), watched.generator.get_state())


def test_drawing_leaves_the_global_random_state_alone():
    trainer = small_vanilla()
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    view = Dashboard(trainer, 10)
    view._draw()
    training_figure(trainer)
    assert torch.equal(torch.get_rng_state(), before[0])
    assert (np.random.get_state()[1] == before[1]).all()


# --- cost --------------------------------------------------------------------------------------------------------


def test_expensive_pictures_come_less_often():
    """A picture of 20 ms under a budget of 10 %: in a second of training at most 5 and not 1000."""
    trainer = Trainer(LineGAN(), Line(), batch_size=8, seed=0)

    def slow(trainer):
        time.sleep(0.02)
        return "<svg></svg>"

    view = Dashboard(trainer, 10**9, picture=slow, fps=1000, budget=0.1)
    trainer.add_hook(lambda t: t.stop() if time.perf_counter() > end else None)
    view.begin()
    started = time.perf_counter()
    end = started + 1.5
    polled(trainer, 10**9, view.update, poll=lambda n: None)
    elapsed = time.perf_counter() - started
    assert 2 <= view.frames
    assert view.drawing_seconds <= 0.1 * elapsed + 0.06  # one picture may begin just within the budget


def test_update_returns_at_once_when_nothing_is_due():
    trainer = Trainer(LineGAN(), Line(), batch_size=8, seed=0)
    view = Dashboard(trainer, 10)
    trainer.state = view._shown_state = "running"
    view._due = time.perf_counter() + 100
    frames, text = view.frames, view.status.value
    started = time.perf_counter()
    for _ in range(1000):
        trainer.round += 1
        view.update()
    assert (time.perf_counter() - started) / 1000 < 2e-5
    assert view.frames == frames and view.status.value == text


# --- pictures ----------------------------------------------------------------------------------------------------


class Cloud(Line):
    def sample(self, n, generator=None):
        return torch.randn(n, 2, generator=generator)


class Shapeless(Line):
    def sample(self, n, generator=None):
        return torch.randn(n, 3, 5, generator=generator)


def plane_gan():
    game = LineGAN()
    game.G, game.D = nn.Linear(2, 2), nn.Linear(2, 1)
    return game


def shapeless_gan():
    game = LineGAN()
    game.G = nn.Sequential(nn.Linear(2, 15), nn.Unflatten(1, (3, 5)))
    game.D = nn.Sequential(nn.Flatten(), nn.Linear(15, 1))
    return game


def test_images_become_a_grid_of_their_own_pixels():
    trainer = small_vanilla()
    view = Dashboard(trainer, 10)
    picture = np.asarray(Image.open(io.BytesIO(view.picture.children[0].value)))
    columns, scale = grid_layout(28)
    assert (columns, scale) == (6, 2) and picture.shape == (182, 182)
    images = trainer.sample(36, z=trainer.fixed_z[:36])
    expected = ((images[7, 0] + 1) * 127.5).round().clamp(0, 255).numpy()
    assert np.abs(picture[32:60, 32:60].astype(int) - expected).max() <= 1  # second row, second column
    assert view.picture.children[0].layout.width == "364px"


@pytest.mark.parametrize(
    ("make", "data", "texts"),
    [
        (plane_gan, Cloud, ["x₁", "x₂", "real", "fake"]),
        (LineGAN, Line, ["x", "density (1 per unit of x)", "real", "fake", "D's raw output"]),
    ],
)
def test_points_and_lines_become_an_svg(make, data, texts):
    trainer = Trainer(make(), data(), batch_size=8, seed=0)
    svg = Dashboard(trainer, 10).picture.children[0].value
    found = [element.text for element in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text")]
    assert set(texts) <= set(found)


def test_the_curve_of_d_is_that_of_d_on_the_scale_the_game_shows():
    raw = Samples(Trainer(LineGAN(), Line(), seed=0))
    xs, ys = raw.curve()
    weight, bias = (p.detach().numpy() for p in raw.trainer.game.D.parameters())
    assert np.allclose(ys, weight[0, 0] * xs + bias[0], atol=1e-5)

    class Probable(LineGAN):
        def observe(self, x, z):
            return {"d_real": self.D(x).sigmoid().mean(), "d_fake": self.D(self.G(z)).sigmoid().mean()}

    probable = Samples(Trainer(Probable(), Line(), seed=0))
    xs, ys = probable.curve()
    weight, bias = (p.detach().numpy() for p in probable.trainer.game.D.parameters())
    assert np.allclose(ys, 1 / (1 + np.exp(-(weight[0, 0] * xs + bias[0]))), atol=1e-5)
    assert probable.score_axis() == ("D(x)", (0.0, 1.0))


def test_histograms_are_densities():
    samples = Samples(Trainer(LineGAN(), Line(), seed=0))
    edges, real, _ = samples.histograms()
    assert np.sum(real * np.diff(edges)) == pytest.approx(1, abs=1e-6)
    middles = (edges[1:] + edges[:-1]) / 2
    assert np.sum(middles * real * np.diff(edges)) == pytest.approx(4, abs=0.1)  # N(4, 1)


def test_data_of_another_shape_has_curves_and_no_picture():
    trainer = Trainer(shapeless_gan(), Shapeless(), batch_size=8, seed=0)
    view = Dashboard(trainer, 10)
    assert view.picture.children == () and "<svg" in view.charts.value
    training_figure(trainer)


def test_a_lesson_may_bring_its_own_picture(trainer, tmp_path, monkeypatch):
    monkeypatch.setenv("GANEDU_FIGURES", str(tmp_path))
    red = png_bytes(np.full((5, 5, 3), (255, 0, 0), np.uint8))
    run = train(trainer, 10, driver="thread", picture=lambda t: red)
    run.wait()
    assert run.dashboard.picture.children[0].value == red
    saved = np.asarray(Image.open(next(tmp_path.iterdir())).convert("RGB")).astype(int)
    assert ((saved - (255, 0, 0)).__abs__().sum(axis=2) < 12).mean() > 0.2
    svg = train(trainer, 10, driver="thread", picture=lambda t: f"<svg>{t.round}</svg>")
    svg.wait()
    assert svg.dashboard.picture.children[0].value == "<svg>20</svg>"


# --- charts and figures ------------------------------------------------------------------------------------------


def test_decimation_keeps_spikes_and_ends():
    xs, ys = np.arange(10_000.0), np.zeros(10_000)
    ys[4321], ys[7777] = 9, -3
    few_x, few_y = decimate(xs, ys)
    assert len(few_x) <= 200 and (np.diff(few_x) > 0).all()
    assert {4321.0, 7777.0, 0.0, 9999.0} <= set(few_x)
    assert few_y.max() == 9 and few_y.min() == -3
    assert np.array_equal(few_y, ys[few_x.astype(int)])


@pytest.mark.parametrize("n", [1, 2, 199, 200, 201, 399, 1000, 12345])
def test_decimation_of_any_length(n):
    xs, ys = decimate(np.arange(float(n)), np.random.default_rng(0).normal(size=n))
    assert 1 <= len(xs) <= 200 and xs[-1] == n - 1


@pytest.mark.parametrize("low,high", [(0, 1), (-3.2, 17), (0.001, 0.0013), (5, 5), (0, 123456), (-1e-9, 1e-9)])
def test_ticks_are_round_and_cover_the_data(low, high):
    ticks = nice_ticks(low, high)
    assert ticks[0] <= low and ticks[-1] >= high and 3 <= len(ticks) <= 8
    assert np.allclose(np.diff(ticks), ticks[1] - ticks[0])


def test_tick_labels():
    assert tick_labels([0, 0.25, 0.5]) == ["0.00", "0.25", "0.50"]
    assert tick_labels([0, 500, 1000]) == ["0", "500", "1,000"]
    assert tick_labels([0, 10_000, 20_000]) == ["0", "10k", "20k"]


def test_a_line_chart_puts_points_where_they_belong():
    svg = line_chart(
        [("a", "#000000", [0, 50, 100], [0, 1, 0.5])], x_range=(0, 100), y_range=(0, 1), x_label="round", y_label="loss"
    )
    root = ET.fromstring(svg)
    line = root.find(".//{http://www.w3.org/2000/svg}polyline").get("points")
    x0, y0, x1, y1, x2, y2 = map(int, line.split())
    assert x1 - x0 == pytest.approx(x2 - x1, abs=1) and x0 < x1
    assert y0 - y1 == pytest.approx(2 * (y0 - y2), abs=2) and y1 < y2 < y0  # upwards is smaller
    assert float(root.get("width")) * 10 > x2 and float(root.get("height")) * 10 > y0


def test_a_chart_survives_values_that_are_no_numbers():
    svg = line_chart(
        [("a", "#000", [1, 2, 3], [1.0, float("nan"), float("inf")])], x_range=(0, 3), x_label="round", y_label="loss"
    )
    assert "nan" not in svg and "inf" not in svg
    ET.fromstring(svg)


@pytest.mark.parametrize("shape", [(5, 1, 4, 6), (9, 3, 4, 6)])
def test_tiles_equal_a_plain_loop(shape):
    images = torch.rand(shape, generator=torch.Generator().manual_seed(0)) * 2 - 1
    got = tile(images, columns=3, gap=1)
    n, c, h, w = shape
    rows = -(-n // 3)
    expected = np.full((rows * (h + 1) + 1, 3 * (w + 1) + 1, c), 255.0)
    for i in range(n):
        top, left = (i // 3) * (h + 1) + 1, (i % 3) * (w + 1) + 1
        expected[top : top + h, left : left + w] = (images[i].permute(1, 2, 0).numpy() + 1) * 127.5
    assert got.shape == (expected.shape if c == 3 else expected.shape[:2])
    assert np.abs(got.reshape(expected.shape) - expected).max() <= 0.51


@pytest.mark.parametrize("quick", [False, True])
@pytest.mark.parametrize("shape", [(7, 5), (7, 5, 3)])
def test_a_png_reads_back(shape, quick):
    pixels = np.random.default_rng(0).integers(0, 256, shape).astype(np.uint8)
    assert (np.asarray(Image.open(io.BytesIO(png_bytes(pixels, quick=quick)))) == pixels).all()


def test_a_palette_is_used_only_where_nobody_sees_it():
    random = np.random.default_rng(0)
    few = random.integers(0, 256, (100, 3)).astype(np.uint8)[random.integers(0, 100, (150, 150))]
    small = shrink_png(png_bytes(few))
    assert Image.open(io.BytesIO(small)).mode == "P" and len(small) < len(png_bytes(few))
    assert np.abs(np.asarray(Image.open(io.BytesIO(small)).convert("RGB")).astype(int) - few).mean() < 3
    noise = np.random.default_rng(0).integers(0, 256, (120, 120, 3)).astype(np.uint8)
    assert shrink_png(png_bytes(noise)) == png_bytes(noise)


def test_show_saves_numbered_figures_and_is_silent_in_a_script(tmp_path, monkeypatch, capsys):
    from matplotlib.figure import Figure

    monkeypatch.setenv("GANEDU_FIGURES", str(tmp_path / "new"))
    figure = Figure()
    figure.subplots().plot([1, 2])
    show(figure, "A line.", "A rising line.")
    show(image_grid(torch.zeros(4, 1, 8, 8)), "Grey.", "Four grey squares.")
    names = sorted(path.name for path in (tmp_path / "new").iterdir())
    assert len(names) == 2 and all(re.fullmatch(r"\d\d-figure\.png", name) for name in names)
    assert int(names[1][:2]) == int(names[0][:2]) + 1
    assert capsys.readouterr() == ("", "")


def test_show_in_a_notebook_gives_a_picture_with_alt_text_and_a_caption(monkeypatch):
    import IPython.display

    shown = []
    monkeypatch.setattr("ganedu.views.figure.in_notebook", lambda: True)
    monkeypatch.setattr(IPython.display, "display", lambda data, **keys: shown.append((data, keys)))
    show(image_grid(torch.zeros(4, 1, 8, 8)), "Grey.", "Four grey squares.")
    (picture, about), (caption, _) = shown
    assert picture["image/png"].startswith(b"\x89PNG") and about["raw"]
    assert about["metadata"]["image/png"]["alt"] == "Four grey squares."  # where nbconvert looks
    assert caption["text/markdown"] == "*Grey.*"


def test_show_closes_a_pyplot_figure():
    import matplotlib.pyplot as plt

    figure, axes = plt.subplots()
    axes.plot([1, 2])
    show(figure, "", "")
    assert figure.number not in plt.get_fignums()


@pytest.mark.parametrize("thing, error", [("a.png", TypeError), (b"GIF89a", ValueError), (None, TypeError)])
def test_show_of_something_else(thing, error):
    with pytest.raises(error, match="figure: got .*, wants a matplotlib figure or"):
        show(thing)


@pytest.mark.parametrize("shape", [(4, 28, 28), (0, 1, 28, 28), (4, 2, 8, 8)])
def test_grids_of_something_else(shape):
    with pytest.raises(ValueError, match="images: got shape .*, wants"):
        image_grid(torch.zeros(shape))


def test_titled_grids():
    figure = image_grid({"Real": torch.zeros(4, 1, 8, 8), "Fake": torch.ones(9, 3, 8, 8)}, columns=3)
    assert [axes.get_title() for axes in figure.axes] == ["Real", "Fake"]
    with pytest.raises(ValueError, match="images: got an empty dict"):
        image_grid({})


def test_the_final_picture_has_samples_and_labelled_curves(tmp_path, monkeypatch):
    trainer = small_vanilla()
    trainer.run(20)
    figure, caption, alt = training_figure(trainer)
    picture, losses, observed = [axes for part in figure.subfigs for axes in part.axes]
    assert picture.images[0].get_array().shape[0] >= 182
    assert [line.get_label() for line in losses.lines] == ["D's loss", "G's loss"]
    assert list(losses.lines[0].get_ydata()) == trainer.history["d_loss"]
    assert [line.get_label() for line in observed.lines] == ["D on real", "D on fake"]
    assert losses.get_ylabel() == "loss" and observed.get_xlabel() == "round"
    assert "round 20" in caption and "D's loss" in alt


def test_texts_and_pictures_come_also_where_the_budget_is_spent(trainer):
    """On a busy machine each frame takes long, and a share of the time would be used up for a long while."""
    view = Dashboard(trainer, 100)
    view.begin()
    trainer.state, trainer.target, trainer._trains = "running", 100, threading.get_ident()  # as if from its loop
    view.update()
    view.drawing_seconds = view._writing_seconds = 1e6
    trainer.round, frames, view._due = 5, view.frames, 0.0
    view.update()
    assert "round 5 of" not in view.status.value and view.frames == frames
    view._due, view._written_at = 0.0, view._written_at - 1.01
    view.update()
    assert "round 5 of" in view.status.value and view.frames == frames
    view._due, view._drawn_at = 0.0, view._drawn_at - 5.01
    view.update()
    assert view.frames == frames + 1
