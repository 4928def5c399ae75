"""The playground: what it shows is measured against independent numbers, and every control is really pressed."""

import contextlib
import io
import itertools
import json
import math
import os
import re
import subprocess
import sys
import time
import xml.etree.ElementTree as ET

import numpy as np
import pytest
import scipy
import torch
from PIL import Image
from torch import nn

from ganedu import losses
from ganedu.data import mixture, ring
from ganedu.losses import Objective
from ganedu.views.playground import Playground, playground
from ganedu.views.playground import view as module
from ganedu.views.playground.data import CELLS, Painting, Points, painted, presets, rasterise, window
from ganedu.views.playground.game import Duel, formulas, gives_probability, objectives, plain_code
from ganedu.views.playground.panel import Pace, Panel
from ganedu.views.playground.scene import HEAT, SIZE, Eye, Gauge, arrows, heat_pixels, level_lines, pulls, svg

SVG = "{http://www.w3.org/2000/svg}"
QUICK = 0.3  # seconds within which every control acts


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def within(condition, seconds=5.0):
    """Seconds until ``condition()`` holds."""
    started = time.perf_counter()
    while not condition():
        assert time.perf_counter() - started < seconds, "it never held"
        time.sleep(0.002)
    return time.perf_counter() - started


def nets(thing):
    """Copies of all weights of G and D, of a playground or of a namespace."""
    get = thing.get if isinstance(thing, dict) else lambda name: getattr(thing, name)
    return {name: [p.detach().clone() for p in get(name).parameters()] for name in "GD"}


def same(a, b):
    return all(torch.equal(x, y) for name in "GD" for x, y in zip(a[name], b[name], strict=True))


def run_code(play):
    namespace = {}
    exec(play.code(), namespace)
    return nets(namespace)


@contextlib.contextmanager
def play_on(play):
    """Turn the loop by hand: yields a function that lets ``play`` do what was asked for and ``rounds`` rounds more."""

    def turn(rounds=0):
        while play._requests:
            play.serve()
            if play._renew:
                play._start()
                continue
            if play.trainer._single_steps:
                play.trainer._single_steps, play.trainer._pause = 0, False
                play.trainer.run(1)
        play.trainer._pause = False
        if rounds:
            play.trainer.run(rounds)

    yield turn


# --- data -------------------------------------------------------------------------------------------------------


def test_a_painting_is_sampled_as_it_is_painted():
    rows = ["0120", "0003", "9000"]
    painting = Painting(rows, low=(-1.0, 0.0), high=(3.0, 6.0))
    x = painting.sample(60_000, torch.Generator().manual_seed(0)).numpy()
    counts, _, _ = np.histogram2d(x[:, 1], x[:, 0], bins=(3, 4), range=((0, 6), (-1, 3)))
    levels = np.array([[int(c) for c in row] for row in rows])[::-1]  # the first row is the top: the largest x₂
    expected = levels / levels.sum() * len(x)
    assert (counts[levels == 0] == 0).all()
    assert scipy.stats.chisquare(counts[levels > 0], expected[levels > 0]).pvalue > 1e-3
    inside = x[(x[:, 0] < 0) & (x[:, 1] < 2)]  # within a cell: uniform
    assert scipy.stats.kstest(inside[:, 0], "uniform", (-1, 1)).pvalue > 1e-3
    assert scipy.stats.kstest(inside[:, 1], "uniform", (0, 2)).pvalue > 1e-3


def test_the_density_of_a_painting_integrates_to_one_and_is_that_of_its_samples():
    painting = Painting(["13", "50"])
    ticks = torch.arange(-4, 4, 0.05) + 0.025
    density = painting.log_prob(torch.cartesian_prod(ticks, ticks)).exp()
    assert float(density.sum()) * 0.05**2 == pytest.approx(1, abs=1e-4)
    assert painting.log_prob(torch.tensor([-1.0, -1.0])).exp() == pytest.approx(5 / 9 / 9)  # area of a cell: 9
    assert painting.log_prob(torch.tensor([1.0, -1.0])) == -math.inf
    assert painting.log_prob(torch.tensor([5.0, 1.0])) == -math.inf


@pytest.mark.parametrize("rows", ["", [], [[]], ["01", "0"], ["00", "00"], ["1x"], 7, [[1, -1]], [[12]]])
def test_a_canvas_that_is_none(rows):
    with pytest.raises((TypeError, ValueError), match="^rows: got .*, wants"):
        Painting(rows)


def test_every_source_is_what_its_code_makes():
    import ganedu.data
    from ganedu.views.playground import data as playground_data

    names = {**vars(ganedu.data), "Painting": playground_data.Painting}
    for source in presets().values():
        made = eval(source.code, names)
        a, b = (data.sample(50, torch.Generator().manual_seed(1)) for data in (made, source.data))
        assert torch.equal(a, b), source.name
        assert a.abs().max() < 3  # all of it is in the picture


def test_painting_goes_on_from_what_is_there():
    levels = rasterise(ring(8, 2.0, 0.05))
    inked = {tuple(c) for c in levels.nonzero().tolist()}
    cell = 6 / CELLS
    for k in range(8):
        x, y = 2 * math.cos(k * math.pi / 4), 2 * math.sin(k * math.pi / 4)
        row, column = CELLS - 1 - int((y + 3) / cell), int((x + 3) / cell)
        assert any((row + a, column + b) in inked for a in (-1, 0, 1) for b in (-1, 0, 1))
    assert len(inked) < 40
    source = painted(levels.tolist())
    assert torch.equal(rasterise(source.data), levels)  # a painting is its own


def test_the_window_holds_the_data_in_a_square():
    (a, b), (c, d) = window(mixture([[10.0, -50.0], [14.0, -50.0]], 0.1))
    assert (
        a < 9.8 and c > 14.2 and c - a == pytest.approx(d - b, abs=0.01) and (b + d) / 2 == pytest.approx(-50, abs=0.1)
    )


# --- what there is to choose from -------------------------------------------------------------------------------


def test_objectives_are_found_and_new_ones_appear_by_themselves(monkeypatch):
    found = objectives()
    assert {"minimax", "nonsaturating"} <= set(found)
    assert set(found.values()) == {v for v in vars(losses).values() if isinstance(v, Objective)}
    new = Objective(losses.d_minimax, lambda fake_logits: -fake_logits.mean())
    monkeypatch.setattr(losses, "of_tomorrow", new, raising=False)
    assert objectives()["of_tomorrow"] is new
    panel = Panel(Playground())
    assert ("of tomorrow", "of_tomorrow") in panel.controls["objective"].options


def test_each_objective_says_its_formula():
    for name, objective in objectives().items():
        assert all(len(line) > 5 and "(" in line for line in formulas(objective)), name
    assert formulas(losses.nonsaturating) == ["-E[log D(x)] - E[log(1 - D(G(z)))]", "-E[log D(G(z))]"]


def test_only_cross_entropy_makes_a_probability_of_a_logit():
    assert {name for name, objective in objectives().items() if gives_probability(objective)} == {
        "minimax",
        "nonsaturating",
    }
    own = Objective(
        lambda r, f: -torch.sigmoid(r).log().mean() - (1 - torch.sigmoid(f)).log().mean(), losses.g_nonsaturating
    )
    assert gives_probability(own)


# --- what is seen -----------------------------------------------------------------------------------------------


def small_duel(objective, dtype=torch.float64):
    torch.manual_seed(5)
    G, D = (
        nn.Sequential(nn.Linear(2, 9), nn.Tanh(), nn.Linear(9, 2)),
        nn.Sequential(nn.Linear(2, 9), nn.Tanh(), nn.Linear(9, 1)),
    )
    return Duel(G.to(dtype), D.to(dtype), 2, objective)


@pytest.mark.parametrize("name", sorted(objectives()))
def test_the_arrows_are_the_gradient_by_brute_force(name):
    """Each fake is moved by hand, and G's loss evaluated: the arrow is minus N times what the loss does."""
    game = small_duel(objectives()[name])
    x, x_fake = torch.randn(2, 7, 2, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    expected, h = torch.zeros_like(x_fake), 1e-6
    with torch.no_grad():
        for i, j in itertools.product(range(7), range(2)):
            ends = []
            for sign in (1, -1):
                moved = x_fake.clone()
                moved[i, j] += sign * h
                ends.append(game.objective.g_loss(game.D, x, moved))
            expected[i, j] = -7 * (ends[0] - ends[1]) / (2 * h)
    assert torch.allclose(pulls(game, x, x_fake), expected, atol=1e-6)
    assert expected.abs().max() > 1e-3
    assert all(p.grad is None and p.requires_grad for p in game.parameters())


def test_arrows_are_drawn_to_scale_and_not_beyond():
    play = Playground()
    scene = play.eye.look(play.trainer.game, play.layers)
    drawn = arrows(scene._replace(pull=np.array([[0.0, 0.1], [30.0, -40.0], [0.0, 0.0]])))
    assert drawn == pytest.approx(np.array([[0, 0.1 * 0.15 * 6], [0.36, -0.48], [0, 0]]))


def test_the_map_is_d_at_each_place():
    play = Playground()
    scene = play.eye.look(play.trainer.game, play.layers)
    cell = 6 / HEAT
    for row, column in ((0, 0), (3, 40), (HEAT - 1, 7)):
        x = torch.tensor([[-3 + (column + 0.5) * cell, -3 + (row + 0.5) * cell]])
        with torch.no_grad():
            assert scene.heat[row, column] == pytest.approx(1 / (1 + math.exp(-float(play.D(x)))), abs=1e-6)
    pixels = heat_pixels(scene._replace(heat=np.linspace(0, 1, HEAT**2).reshape(HEAT, HEAT)))
    assert tuple(pixels[-1, 0]) == (255, 255, 255) and pixels[0, -1, 0] < 130  # the lowest row is at the bottom


def test_the_dashed_line_is_where_d_is_one_half():
    play = Playground(seed=2)
    play.trainer.run(60)
    lines = level_lines(play.eye.look(play.trainer.game, play.layers))
    assert lines
    with torch.no_grad():
        for line in lines:
            assert (play.D(torch.from_numpy(line).float()).sigmoid() - 0.5).abs().max() < 0.02


def test_a_critic_is_shown_raw_with_lines_at_round_scores():
    play = Playground(loss=Objective(lambda r, f: f.mean() - r.mean(), lambda f: -f.mean()))
    scene = play.eye.look(play.trainer.game, play.layers)
    assert not scene.probability
    with torch.no_grad():
        assert np.allclose(scene.heat.ravel(), play.D(play.eye.heat_x).numpy().ravel(), atol=1e-6)
        for line in level_lines(scene):
            scores = play.D(torch.from_numpy(line).float())
            assert scores.max() - scores.min() < 0.01
    assert "D, raw" in svg(scene) and "D(x)" not in svg(scene)


def test_the_grid_of_z_is_straight_lines_through_g_with_equally_likely_cells():
    game = small_duel(losses.minimax, torch.float32)
    game.G = nn.Linear(2, 2)
    with torch.no_grad():
        game.G.weight.copy_(torch.eye(2))
        game.G.bias.zero_()
    scene = Eye(ring(), 2, -3, 3, 0).look(game, {"grid"})  # G is the identity: the grid is that of z
    assert len(scene.grid) == 24 and scene.real is None and scene.heat is None
    across = sorted({round(float(line[0, 0]), 4) for line in scene.grid if np.ptp(line[:, 0]) < 1e-6})
    z = np.random.default_rng(0).normal(size=100_000)
    counts, _ = np.histogram(z, across)
    assert len(across) == 12 and np.abs(counts / len(z) - 1 / 12).max() < 0.004


def test_the_picture_puts_points_where_they_belong():
    play = Playground()
    scene = play.eye.look(play.trainer.game, play.layers)
    scene = scene._replace(real=np.array([[-3.0, -3.0], [3.0, 3.0], [0.0, 0.0]]), pull=None, grid=None)
    root = ET.fromstring(svg(scene))
    paths = [p.get("d") for p in root.iter(f"{SVG}path") if p.get("stroke") == "#009E73"]
    assert paths == ["M560 3600h0M3920 240h0M2240 1920h0"]  # tenths of pixels: corners and middle of the plot
    assert {"real", "fake", "x₁", "x₂", "D(x)", "0.5"} <= {t.text for t in root.iter(f"{SVG}text")}
    assert 10 * SIZE == int(root.find(f".//{SVG}image").get("width"))


@pytest.mark.parametrize("layers", [set(), {"map"}, {"real"}, {"fake"}, {"pull"}, {"grid"}, {"map", "pull", "grid"}])
def test_any_layers_make_a_picture(layers):
    play = Playground()
    text = svg(play.eye.look(play.trainer.game, layers))
    ET.fromstring(text)
    assert ("<image" in text) == ("map" in layers)
    assert ('fill-opacity="0.85"' in text) == ("pull" in layers)
    assert ('stroke-opacity="0.55"' in text) == ("grid" in layers)


@pytest.mark.parametrize("z_dim", [1, 2, 5])
def test_latents_of_any_size(z_dim):
    play = Playground(z_dim=z_dim)
    play.trainer.run(3)
    scene = play.eye.look(play.trainer.game, play.layers)
    assert (scene.grid is None) == (z_dim > 2)
    assert len(scene.grid or [0]) == {1: 1, 2: 24, 5: 1}[z_dim]
    assert ("grid" in Panel(play).layers) == (z_dim <= 2)


# --- how far off ------------------------------------------------------------------------------------------------


def test_js_and_kl_are_scipys_on_the_same_counts_blurred_by_scipy():
    gauge = Gauge(ring(8, 2.0, 0.1), 2, -3, 3, seed=0)
    fakes = np.random.default_rng(0).normal(size=(2000, 2)) * 0.9
    got = gauge.measure(fakes)
    densities = []
    for points in (gauge.real, fakes):
        counts, _, _ = np.histogram2d(*points.T, bins=64, range=((-4.5, 4.5), (-4.5, 4.5)))
        blurred = scipy.ndimage.gaussian_filter(counts, 0.2 / (9 / 64), truncate=30, mode="constant")
        densities.append(blurred.ravel() / blurred.sum())
    p, q = densities
    assert got["JS"] == pytest.approx(scipy.spatial.distance.jensenshannon(p, q) ** 2, rel=1e-3)
    assert got["KL"] == pytest.approx(scipy.stats.entropy(p, q), rel=1e-3)


def test_kl_of_two_gaussians_is_the_closed_form_of_the_blurred_ones():
    """N(0, s²) against N(m, s²), both blurred: KL = m² / 2(s² + blur²)."""
    gauge = Gauge(mixture([[0.0, 0.0]], 0.5), 2, -3, 3, seed=1)
    fakes = np.random.default_rng(1).normal(size=(200_000, 2)) * 0.5 + (0.8, 0.0)
    assert gauge.measure(fakes)["KL"] == pytest.approx(0.8**2 / (2 * (0.25 + gauge.blur**2)), rel=0.1)


def test_w1_is_the_best_pairing_by_brute_force(monkeypatch):
    monkeypatch.setattr(Gauge, "PAIRS", 6)
    gauge = Gauge(ring(8, 2.0, 0.1), 2, -3, 3, seed=0)
    fakes = np.random.default_rng(3).normal(size=(2000, 2))
    best = min(
        np.mean([np.hypot(*(gauge.real[i] - fakes[j])) for i, j in enumerate(order)])
        for order in itertools.permutations(range(6))
    )
    assert gauge.measure(fakes)["W1"] == pytest.approx(best)


def test_w1_of_a_shift_is_the_shift():
    gauge = Gauge(ring(8, 2.0, 0.1), 2, -3, 3, seed=0)
    assert gauge.measure(gauge.real + (0.3, -0.4))["W1"] == pytest.approx(0.5)


def test_extremes_of_the_gauge():
    gauge = Gauge(mixture([[0.0, 0.0]], 0.1), 2, -3, 3, seed=0)
    same_, far = gauge.measure(gauge.real), gauge.measure(gauge.real + 100.0)
    assert same_ == pytest.approx({"JS": 0, "KL": 0, "W1": 0}, abs=1e-9)
    assert far["JS"] == pytest.approx(math.log(2), abs=1e-6) and far["W1"] == pytest.approx(100 * math.sqrt(2))
    assert far["KL"] > 100
    assert 0 < gauge.real_apart["JS"] < 0.02 and 0 < gauge.real_apart["W1"] < 0.1
    assert math.isnan(gauge.measure(np.full((2000, 2), np.nan))["W1"])


def test_training_brings_the_numbers_down():
    play = Playground()
    first = play.record()
    play.trainer.run(1200)
    last = play.record()
    assert last["x"] == 1200 and first["x"] == 0 and math.isnan(first["d_loss"])
    for name in ("JS", "KL", "W1"):
        assert last[name] < 0.3 * first[name]


def test_recorded_losses_are_the_mean_of_those_that_were_played():
    play = Playground(seed=4)
    play.trainer.log_every = 1
    play.trainer.run(12)
    row = play.record()
    for name in ("d_loss", "g_loss"):
        assert row[name] == pytest.approx(np.mean(play.trainer.history[name]), rel=1e-5)


# --- the plain code ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("penalty", [(None, 0.0), ("gp_weight", 1.0), ("r1_gamma", 0.5)])
@pytest.mark.parametrize("name", sorted(objectives()))
def test_the_code_makes_the_same_nets(name, penalty):
    play = Playground()
    with play_on(play) as turn:
        play.change(objective=name, penalty=penalty, width_G=8, depth_D=1, n_critic=2, lr_D=2e-3)
        turn(12)
    assert play.trainer.round == 12 and play.G[0].out_features == 8 and len(play.D) == 3
    before = nets(play)
    assert same(before, run_code(play))
    assert "ganedu.training" not in play.code()  # plain, not the trainer under another name


def test_the_code_repeats_whatever_was_done():
    play = Playground(seed=3, batch_size=16)
    with play_on(play) as turn:
        turn(5)
        play.step("D")
        play.step("D")
        play.step("G")
        turn(4)
        play.change(lr_G=5e-3)
        play.step("G")  # with the new rate
        play.paint(["01", "30"])
        play.change(objective="minimax", n_critic=3)
        turn(3)
        play.change(penalty=("gp_weight", 10.0))
        turn(3)
        play.change(penalty=("r1_gamma", 1.0), data="smile")
        play.step()
        turn(2)
    code = play.code()
    assert same(nets(play), run_code(play))
    assert code.count("play(") >= 4 and "for _ in range(2):\n    d_step()" in code and '["lr"] = 0.005' in code
    assert play.alone == {"D": 2, "G": 2}
    compile(plain_code(play.settings, [], play.own, 2, 16, 3), "code", "exec")


def test_settings_before_the_first_round_are_those_of_the_beginning():
    play = Playground()
    with play_on(play) as turn:
        play.change(objective="minimax", lr_D=1e-4, data="swiss roll")
        turn(4)
    code = play.code()
    assert "objective = minimax\n" in code and "lr=0.0001" in code and "swiss_roll(noise=0.05)" in code
    assert code.rstrip().endswith("play(4)") and "nonsaturating" not in code
    assert same(nets(play), run_code(play))


def test_own_nets_losses_and_data_are_played_and_left_alone():
    torch.manual_seed(9)
    G = nn.Sequential(nn.Linear(3, 8), nn.BatchNorm1d(8), nn.ReLU(), nn.Linear(8, 2))
    D = nn.Sequential(nn.Linear(2, 8), nn.ReLU(), nn.Dropout(0.2), nn.Linear(8, 1))
    own = {"G": [p.clone() for p in G.parameters()], "D": [p.clone() for p in D.parameters()]}
    x = torch.randn(40, 2) * 0.1 + torch.tensor([20.0, 7.0])

    def d(real_logits, fake_logits):
        return (real_logits - 1).abs().mean() + fake_logits.abs().mean()

    def g(fake_logits, real_logits):
        return (fake_logits - real_logits.mean()).abs().mean()

    play = Playground(G, D, (d, g), x.numpy(), z_dim=3)
    panel = Panel(play)
    assert panel.controls["objective"].value == "yours" and panel.controls["data"].value == "your data"
    assert panel.controls["width_G"].disabled and not panel.controls["lr_G"].disabled
    start = nets(play)
    with play_on(play) as turn:
        turn(10)
        play.step("G")
        turn(3)
    assert not same(start, nets(play))
    assert same({"G": list(G.parameters()), "D": list(D.parameters())}, own)  # the student's own are as they were
    assert same(nets(play), run_code(play))
    low, high = play.low, play.high
    assert low[0] < 19.8 and high[0] > 20.2 and low[1] < 6.8 and high[1] > 7.2  # the picture is where the data are
    with play_on(play) as turn:
        play.reset()
        turn()
    assert same(nets(play), own)


def test_own_data_with_a_sample_of_its_own():
    data = ring(3, 1.0, 0.2)
    play = Playground(data=data)
    play.trainer.run(5)
    assert same(nets(play), run_code(play)) and "data = yours['data']" in play.code()
    with play_on(play) as turn:
        play.paint(rasterise(data, play.low, play.high).tolist())
        turn(3)
    assert same(nets(play), run_code(play))
    assert (
        play.settings.data.data.sample(500).norm(dim=1).max() < 2.5
    )  # the canvas lies over this picture's part of the plane


# --- single steps -----------------------------------------------------------------------------------------------


def everything(play, player):
    """Weights, gradients, moments of a player."""
    net, optimizer = getattr(play, player), play.trainer.optimizers[player]
    moments = [v for s in optimizer.state_dict()["state"].values() for v in s.values()]
    grads = [torch.zeros(()) if p.grad is None else p.grad for p in net.parameters()]
    return [t.detach().clone() for t in [*net.state_dict().values(), *moments, *grads]]


@pytest.mark.parametrize(("player", "other"), [("D", "G"), ("G", "D")])
def test_a_step_of_one_player_leaves_the_other_bit_for_bit(player, other):
    play = Playground()
    with play_on(play) as turn:
        turn(3)
        mine, others = everything(play, player), everything(play, other)
        play.step(player)
        turn()
    assert all(torch.equal(a, b) for a, b in zip(others, everything(play, other), strict=True))
    assert not all(torch.equal(a, b) for a, b in zip(mine, everything(play, player), strict=True))
    assert play.trainer.round == 3 and play.alone[player] == 1


def test_steps_of_d_and_then_of_g_are_a_round():
    by_hand, at_once = Playground(n_critic=2), Playground(n_critic=2)
    with play_on(by_hand) as turn:
        for player in ("D", "D", "G") * 4:
            by_hand.step(player)
        turn()
    at_once.trainer.run(4)
    assert same(nets(by_hand), nets(at_once))
    assert torch.equal(by_hand.trainer.G_ema[0].weight, by_hand.G[0].weight)


# --- the panel, pressed while a thread turns the loop ----------------------------------------------------------


@pytest.fixture
def live():
    play = playground(driver="thread", batch_size=32)
    within(lambda: play.trainer.state == "paused")
    yield play
    play.close()
    play.background.thread.join(10)
    assert play.background.error is None


def text(widget):
    return re.sub(r"<[^>]+>", " ", widget.value)


def test_play_and_pause(live):
    view, buttons = live.panel, live.panel.buttons
    assert live.trainer.round == 0 and "paused" in text(view.status) and "Press Play" in view.hint.value
    buttons["play"].click()
    assert within(lambda: live.trainer.round > 0) < QUICK
    within(lambda: "playing" in text(view.status) and buttons["play"].disabled and not buttons["pause"].disabled)
    picture = view.picture.value
    within(lambda: view.picture.value != picture)
    buttons["pause"].click()
    assert within(lambda: live.state == "paused") < QUICK
    held = live.trainer.round
    within(lambda: "paused" in text(view.status))
    time.sleep(0.3)
    assert live.trainer.round == held and f"round {held:,}" in text(view.status)
    assert view.picture.value == svg(live.eye.look(live.trainer.game, live.layers))  # the last picture is of now
    assert same(nets(live), run_code(live))


def test_a_pause_that_falls_between_two_looks_is_not_shown_before_it_holds(monkeypatch):
    play = Playground()
    play.play()
    resume = play.trainer.resume

    def pressed_just_then():
        resume()
        play.pause()

    monkeypatch.setattr(play.trainer, "resume", pressed_just_then)
    play.serve()
    assert play.state == "playing" and not play.trainer._pause  # one more round is under way
    play.serve()
    assert play.state == "paused" and play.trainer._pause


def test_round_step_d_and_step_g(live):
    buttons = live.panel.buttons
    buttons["round"].click()
    assert within(lambda: live.trainer.round == 1) < QUICK
    for player in "DG":
        before = nets(live)
        buttons[f"step_{player}"].click()
        assert within(lambda: live.alone[player] == 1) < QUICK  # noqa: B023
        within(lambda: f"1 of {player} alone" in text(live.panel.status))  # noqa: B023
        after = nets(live)
        moved = {n for n in "GD" if not all(torch.equal(a, b) for a, b in zip(before[n], after[n]))}
        assert moved == {player}
    within(lambda: live.panel.picture.value == svg(live.eye.look(live.trainer.game, live.layers)))
    assert live.trainer.round == 1 and live.state == "paused"
    assert same(nets(live), run_code(live))


def test_a_step_while_playing_holds_after_it(live):
    live.panel.buttons["play"].click()
    within(lambda: live.trainer.round > 5)
    live.panel.buttons["step_D"].click()
    within(lambda: live.alone["D"] == 1 and live.state == "paused")
    held = live.trainer.round
    time.sleep(0.2)
    assert live.trainer.round == held and same(nets(live), run_code(live))


def test_slow_motion_shows_whose_turn_it_is_and_is_left_at_once(live):
    view = live.panel
    view.buttons["slow"].value = True
    view.buttons["play"].click()
    turns = []
    started = time.perf_counter()
    while time.perf_counter() - started < 3.5:
        if live.turn is not None and (not turns or turns[-1] != live.turn):
            turns.append(live.turn)
        time.sleep(0.01)
    assert "".join(turns) in "DGDGDGDG" and 3 <= len(turns) <= 6 and live.trainer.round <= 2
    within(lambda: f"{live.turn}'s turn" in view.hint.value)
    view.buttons["pause"].click()
    assert within(lambda: live.state == "paused") < QUICK
    view.buttons["play"].click()
    within(lambda: live.turn is not None)
    view.buttons["slow"].value = False
    assert within(lambda: live.trainer.round > 5) < 3 * QUICK
    live.pause()
    within(lambda: live.state == "paused")
    assert same(nets(live), run_code(live))


@pytest.mark.parametrize("playing", [False, True])
def test_reset_and_new_nets(live, playing):
    fresh = nets(live)
    live.panel.buttons["play"].click()
    within(lambda: live.trainer.round > 5)
    if not playing:
        live.panel.buttons["pause"].click()
        within(lambda: live.state == "paused")
    before = live.trainer
    live.panel.buttons["reset"].click()
    assert within(lambda: live.trainer is not before) < QUICK
    if playing:
        within(lambda: live.trainer.round > 3)
    else:
        assert same(nets(live), fresh) and live.trainer.round == 0
    for name, value in (("width_G", 16), ("depth_G", 1), ("width_D", 32), ("depth_D", 3)):
        before = live.trainer
        live.panel.controls[name].value = value
        assert within(lambda: live.trainer is not before and not live._renew) < QUICK  # noqa: B023
    assert live.G[0].out_features == 16 and len(live.G) == 3
    assert live.D[0].out_features == 32 and len(live.D) == 7
    live.pause()
    within(lambda: live.trainer.state == "paused")
    assert same(nets(live), run_code(live))


def test_settings_reach_the_game_while_it_plays(live):
    controls, game = live.panel.controls, live.trainer.game
    live.panel.buttons["play"].click()
    within(lambda: live.trainer.round > 5)
    controls["lr_D"].value = 0.005
    assert within(lambda: live.trainer.lr("D") == 0.005) < QUICK
    controls["lr_G"].value = 0.0002
    assert within(lambda: live.trainer.lr("G") == 0.0002) < QUICK
    controls["n_critic"].value = 4
    assert within(lambda: game.n_critic == 4) < QUICK
    controls["objective"].value = "minimax"
    assert within(lambda: game.objective is losses.minimax) < QUICK
    within(
        lambda: "E[log(1 - D(G(z)))]" in live.panel.formula.value and "G minimises E[log" in live.panel.formula.value
    )
    controls["penalty"].value = ("r1_gamma", 1.0)
    assert within(lambda: game.r1_gamma == 1.0) < QUICK
    controls["data"].value = "two moons"
    assert within(lambda: live.trainer.data.present.name == "two moons") < QUICK
    assert live.trainer.game is game  # none of these calls for new nets
    live.pause()
    within(lambda: live.state == "paused")
    assert same(nets(live), run_code(live))


def test_the_controls_follow_what_code_changes(live):
    controls = live.panel.controls
    live.change(lr_D=0.0123, width_G=48, objective="minimax", data="smile", n_critic=3)
    within(lambda: controls["lr_D"].value == 0.0123 and controls["width_G"].value == 48)
    within(lambda: controls["objective"].value == "minimax" and controls["data"].value == "smile")
    within(lambda: controls["n_critic"].value == 3)
    time.sleep(0.3)
    assert live.settings.lr_D == 0.0123 and live.G[0].out_features == 48  # following is not asking


def test_layers(live):
    for name, mark in (
        ("map", "<image"),
        ("real", "#009E73"),
        ("pull", 'fill-opacity="0.85"'),
        ("grid", 'opacity="0.55"'),
    ):
        assert mark in live.panel.picture.value
        live.panel.layers[name].value = False
        assert within(lambda: mark not in live.panel.picture.value) < QUICK  # noqa: B023
        live.panel.layers[name].value = True
        within(lambda: mark in live.panel.picture.value)  # noqa: B023


def test_a_distribution_is_painted_by_clicking(live):
    view, canvas = live.panel, live.panel.canvas
    assert canvas.cells == [] and canvas.widget.layout.display == "none"
    view.buttons["draw"].value = True
    assert canvas.widget.layout.display is None and len(canvas.widget.children) == CELLS**2
    assert torch.equal(canvas.levels, rasterise(ring(8, 2.0, 0.1)))  # it begins with what is there
    within(lambda: "Click on the picture" in view.hint.value)
    view.buttons["clear"].click()
    within(lambda: "The canvas is empty" in view.hint.value)
    assert live.settings.data.name == "ring of 8"  # nothing to draw from yet
    canvas.cells[2][5].click()
    assert within(lambda: live.settings.data.name == "your drawing") < QUICK
    assert live.settings.data.data.levels.nonzero().tolist() == [[2, 5]]
    x, cell = live.trainer.data.sample(100), 6 / CELLS
    assert (x[:, 0] >= -3 + 5 * cell).all() and (x[:, 0] <= -3 + 6 * cell).all()
    assert (x[:, 1] >= 3 - 3 * cell).all() and (x[:, 1] <= 3 - 2 * cell).all()
    for _ in range(5):
        canvas.cells[2][5].click()
    assert canvas.levels[2, 5] == 3 and "ganedu-ink-3" in canvas.cells[2][5]._dom_classes
    canvas.brush.value = 3
    canvas.cells[15][0].click()  # at the corner: what lies beyond the canvas is left out
    assert canvas.levels[14:, :2].tolist() == [[1, 1], [1, 1]] and int(canvas.levels.sum()) == 7
    canvas.ink.value = "Erase"
    canvas.cells[14][0].click()
    assert int(canvas.levels.sum()) == 3 and canvas.cells[15][1]._dom_classes == ()
    within(lambda: int(live.settings.data.data.levels.sum()) == 3)
    within(lambda: view.controls["data"].value == "your drawing")
    view.controls["data"].value = "swiss roll"
    within(lambda: torch.equal(canvas.levels, rasterise(live.sources["swiss roll"].data)))  # the canvas follows
    view.controls["data"].value = "your drawing"  # and the drawing is still there
    within(lambda: int(canvas.levels.sum()) == 3)
    view.buttons["draw"].value = False
    assert canvas.widget.layout.display == "none"


def test_print_code(live):
    live.step("D")
    within(lambda: live.alone["D"] == 1)
    live.panel.buttons["code"].click()
    from html import unescape

    printed = unescape(re.sub(r"<[^>]+>", "", live.panel.code.value))
    assert printed.strip() == live.code().strip()


def test_the_numbers_are_shown(live):
    view = live.panel
    within(lambda: live.records)
    row, apart = live.records[-1], live.gauge.real_apart
    shown = text(view.gaps)
    for key in ("JS", "W1"):
        assert f"{row[key]:.3f}" in shown and f"{apart[key]:.3f}" in shown
    for part in re.findall(r"<svg.*?</svg>", view.charts.value):
        ET.fromstring(part)
    live.play()
    within(lambda: len(live.records) >= 4, 20)
    live.pause()
    within(lambda: view.charts.value.count("<polyline") >= 5)


def test_a_net_that_breaks_says_so_and_reset_makes_it_good():
    broken = Objective(lambda r, f: (r.mean() - f.mean()) / 0.0 * 0.0, losses.g_nonsaturating)
    play = playground(loss=broken, driver="thread")
    try:
        play.panel.buttons["play"].click()
        within(lambda: play.state == "failed")
        within(lambda: "NonFiniteLoss" in play.panel.hint.value and "Press Reset" in play.panel.hint.value)
        assert play.panel.buttons["play"].disabled and play.panel.buttons["step_D"].disabled
        assert all(torch.isfinite(p).all() for p in play.trainer.game.parameters())
        play.panel.controls["objective"].value = "nonsaturating"
        play.panel.buttons["reset"].click()
        assert within(lambda: play.state == "paused" and play.error is None) < QUICK
        play.panel.buttons["play"].click()
        within(lambda: play.trainer.round > 30)
    finally:
        play.close()
        play.background.thread.join(10)
    assert play.background.error is None


def test_another_playground_pauses_the_one_before(live):
    live.play()
    within(lambda: live.trainer.round > 3)
    other = playground(driver="thread")
    within(lambda: live.state == "paused")
    other.close()
    other.background.thread.join(10)
    assert other.state == "ended"
    assert all(other.panel.buttons[name].disabled for name in ("play", "pause", "step_D", "step_G", "reset"))
    assert "Ended" in other.panel.hint.value


# --- looking costs little and changes nothing -------------------------------------------------------------------


def test_watching_changes_nothing():
    plain = Playground(seed=8)
    with play_on(plain) as turn:
        plain.change(penalty=("gp_weight", 1.0))  # draws from torch's global generator
        turn(40)
    watched = Playground(seed=8)
    watched.panel = Panel(watched)
    watched.change(penalty=("gp_weight", 1.0))
    while watched._requests:
        watched.serve()

    def look():
        watched.panel.pace.due = watched.panel.measuring.due = 0
        watched.panel.update()

    watched.trainer._pause = False
    watched.trainer.run(40, between=look)
    assert len(watched.records) > 20
    assert same(nets(plain), nets(watched))
    assert torch.equal(plain.trainer.generator.get_state(), watched.trainer.generator.get_state())


class Noisy(nn.Linear):
    """A net that draws from torch's global generator, in eval mode as well."""

    def forward(self, x):
        return super().forward(x) + 0.1 * torch.randn(len(x), self.out_features)


def test_watching_nets_and_losses_that_draw_changes_nothing():
    def g(fake_logits):
        return -(fake_logits + torch.randn_like(fake_logits)).mean()

    def played(own, watch):
        play = Playground(seed=8, **own)
        play.serve()
        play.trainer._pause = False
        play.trainer.run(5, between=(lambda: play.eye.look(play.trainer.game, play.layers)) if watch else None)
        return nets(play)

    for own in ({"G": Noisy(2, 2)}, {"D": Noisy(2, 1)}, {"loss": (losses.d_hinge, g)}):
        assert same(played(own, False), played(own, True)), own


def test_what_another_thread_draws_during_a_look_stays_drawn():
    """A cell that runs beside the playground: torch's generator is everybody's, and must not be put back under it."""
    play = Playground()
    assert not play.trainer.game.own
    drawn = []
    play.trainer.game.D.register_forward_hook(lambda *_: drawn.append(torch.rand(1)))  # stands for the other thread
    torch.manual_seed(3)
    play.eye.look(play.trainer.game, play.layers)
    play.gauge(play.trainer.game)
    drawn.append(torch.rand(1))
    torch.manual_seed(3)
    assert len(drawn) >= 3 and torch.equal(torch.cat(drawn), torch.cat([torch.rand(1) for _ in drawn]))


def test_drawing_keeps_to_its_share():
    """Pictures of 20 ms at 8 % of the time: one every quarter of a second."""
    pace, drawn, started = Pace(0.08, 0.0), 0, time.perf_counter()
    while time.perf_counter() - started < 2:
        if time.perf_counter() >= pace.due:
            with pace.spend():
                time.sleep(0.02)
            drawn += 1
        time.sleep(0.001)
    assert 4 <= drawn <= 9
    assert pace.spent <= 0.08 * 2 + 0.05


def test_the_panel_takes_an_eighth_of_the_time_at_most(live):
    live.play()
    within(lambda: live.trainer.round > 3)
    started, view = time.perf_counter(), live.panel
    before = view.pace.spent + view.measuring.spent
    time.sleep(4)
    spent = view.pace.spent + view.measuring.spent - before
    assert 0 < spent < 0.13 * (time.perf_counter() - started) + 0.1  # one frame may have begun before


# --- the other drivers ------------------------------------------------------------------------------------------


def test_in_a_script_it_trains_and_leaves_one_figure(tmp_path):
    """In a process of its own: no widget is even imported."""
    code = """
import sys
from ganedu.views.playground import playground
play = playground(rounds=30, data="two moons" if False else None)
assert play.trainer.round == 30 and len(play.records) == 30
assert "ipywidgets" not in sys.modules and "matplotlib.pyplot" not in sys.modules
"""
    environment = {"PATH": "", "GANEDU_FIGURES": str(tmp_path), "HOME": str(tmp_path), "OMP_NUM_THREADS": "1"}
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout == "" and done.stderr == ""
    (figure,) = tmp_path.glob("*.png")
    with Image.open(io.BytesIO(figure.read_bytes())) as image:
        assert image.width > 900 and image.height > 400


def test_the_figure_shows_what_it_says(tmp_path, monkeypatch):
    from ganedu.views.playground.figure import scene_figure

    monkeypatch.setenv("GANEDU_FIGURES", str(tmp_path))
    play = playground(driver="sync", rounds=40, seed=1)
    figure, caption, alt = scene_figure(play)
    plane, *_ = figure.subfigs[0].axes
    losses_, gaps = figure.subfigs[1].axes
    assert plane.get_xlim() == (-3, 3) and plane.get_xlabel() == "x₁"
    assert list(losses_.lines[0].get_ydata()) == [row["d_loss"] for row in play.records]
    assert list(gaps.lines[2].get_ydata()) == [row["W1"] for row in play.records]
    assert "after round 40" in caption and f"W1 {play.records[-1]['W1']:.3g}" in caption and "40 rounds" in alt
    assert same(nets(play), run_code(play))


def poll_script(monkeypatch, script):
    """Let ``script(play, n)`` be what the n-th poll of the front end brings."""
    import jupyter_ui_poll

    polls = itertools.count()
    monkeypatch.setattr(
        jupyter_ui_poll, "ui_events", lambda: contextlib.nullcontext(lambda n: script(module._present, next(polls)))
    )


def test_the_poll_driver_plays_in_the_cell_until_end(monkeypatch):
    seen = []

    def front_end(play, n):
        seen.append((play.state, play.trainer.round, sum(play.alone.values())))
        buttons = play.panel.buttons
        action = {5: "play", 15: "pause", 20: "step_D", 25: "step_G", 30: "end"}.get(n)
        if action:
            buttons[action].click()

    poll_script(monkeypatch, front_end)
    play = playground(driver="poll", batch_size=16)
    assert play.state == "ended" and play.panel.buttons["end"] in play.panel.widget.children[1].children
    assert seen[3][:2] == ("paused", 0) and seen[14][0] == "playing" and seen[14][1] > 0
    held = {round_ for state, round_, _ in seen[18:30]}
    assert len(held) == 1 and seen[-1][2] == 2
    assert same(nets(play), run_code(play))


def test_the_poll_driver_waits_no_longer_than_its_patience(monkeypatch):
    poll_script(monkeypatch, lambda play, n: None)
    started = time.perf_counter()
    play = playground(driver="poll", patience=0.5)
    assert 0.5 <= time.perf_counter() - started < 30 and play.state == "ended" and play.trainer.round == 0


def test_patience_does_not_end_a_game_that_is_played(monkeypatch):
    rounds = []

    def front_end(play, n):
        rounds.append(play.trainer.round)
        if n == 1:
            play.panel.buttons["play"].click()
        if time.perf_counter() - started > 2.5:
            play.panel.buttons["end"].click()

    started = time.perf_counter()
    poll_script(monkeypatch, front_end)
    playground(driver="poll", patience=0.6)
    assert time.perf_counter() - started > 2.5 and rounds[-1] > rounds[len(rounds) // 2] > 0


def test_the_controls_follow_in_the_poll_driver_too(monkeypatch):
    seen = []

    def front_end(play, n):
        if n == 1:
            play.panel.buttons["play"].click()
            play.change(data="smile", lr_G=0.02)
        seen.append((play.panel.controls["data"].value, play.panel.controls["lr_G"].value))
        if seen[-1] == ("smile", 0.02) or time.perf_counter() - started > 10:
            play.panel.buttons["end"].click()

    started = time.perf_counter()
    poll_script(monkeypatch, front_end)
    playground(driver="poll", batch_size=16)
    assert seen[0][0] == "ring of 8" and seen[-1] == ("smile", 0.02)


@pytest.mark.slow
def test_an_unattended_notebook_leaves_a_picture_and_no_widget(tmp_path):
    import nbformat
    from nbclient import NotebookClient

    cell = "from ganedu.views.playground import playground\nplay = playground(rounds=20)\nprint(play.trainer.round)"
    notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell)])
    NotebookClient(notebook, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()
    data = [output.get("data", {}) for output in notebook.cells[0].outputs]
    assert sum("image/png" in d for d in data) == 1
    assert not any("application/vnd.jupyter.widget-view+json" in d for d in data)
    assert "20" in json.dumps(notebook.cells[0].outputs[-1]["text"]) and os.environ["GANEDU_DRIVER"] == "sync"


# --- arguments --------------------------------------------------------------------------------------------------


class Line3:
    def sample(self, n, generator=None):
        return torch.zeros(n, 3)

    def to(self, device):
        return self


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"G": 3}, "G: got 3, wants a torch.nn.Module"),
        ({"G": nn.Linear(5, 2)}, r"G: got a net that fails on \(4, 2\) inputs .*, wants one that takes them"),
        ({"G": nn.Linear(2, 3)}, r"G: got a net that makes \(4, 3\) of \(4, 2\) inputs, wants \(4, 2\)"),
        ({"G": nn.Identity()}, "G: got a net without parameters to train, wants at least one"),
        ({"D": nn.Linear(2, 2)}, r"D: got a net that makes \(4, 2\) of \(4, 2\) inputs, wants \(4, 1\)"),
        ({"D": nn.Linear(3, 1)}, r"D: got a net that fails on \(4, 2\) inputs"),
        ({"loss": "hinge"}, "loss: got 'hinge', wants an Objective or a pair of functions"),
        ({"loss": (max,)}, "loss: got .*, wants an Objective or a pair"),
        ({"loss": (losses.d_minimax, lambda f: f)}, "loss: got a loss of G that is no differentiable scalar, wants"),
        ({"loss": (lambda f: f.mean(), lambda f: f.mean())}, "loss: got a loss of D that fails on .* logits"),
        ({"data": "ring"}, "data: got 'ring', wants"),
        ({"data": torch.zeros(4, 3)}, r"data: got an array of shape \(4, 3\), wants \(N, 2\) finite numbers"),
        ({"data": torch.full((4, 2), math.nan)}, "data: got an array .*, wants"),
        ({"data": Line3()}, r"data: got samples \(4, 3\) .*, wants points in the plane, \(4, 2\)"),
        ({"z_dim": 0}, "z_dim: got 0, wants a whole number of at least 1"),
        ({"batch_size": 1.5}, "batch_size: got 1.5, wants a whole number"),
        ({"lr": -1}, "lr_G: got -1, wants a number at least 0"),
        ({"lr": {"G": 1e-3}}, r"lr: got players \['G'\], wants \['D', 'G'\]"),
        ({"n_critic": 0}, "n_critic: got 0, wants"),
        ({"rounds": 0}, "rounds: got 0, wants a whole number of at least 1"),
        ({"seed": -1}, "seed: got -1, wants a whole number of at least 0"),
        ({"patience": 0}, "patience: got 0, wants a number above 0"),
        ({"driver": "process"}, "driver: got 'process', wants one of"),
    ],
)
def test_bad_arguments_get_one_sentence(arguments, message):
    with pytest.raises((TypeError, ValueError), match=message) as caught:
        playground(**{"driver": "sync", **arguments})
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"speed": 3}, "setting: got 'speed', wants one of 'data', 'objective'"),
        ({"objective": "hunger"}, "objective: got 'hunger', wants one of 'minimax'"),
        ({"data": "torus"}, "data: got 'torus', wants one of 'ring of 8'"),
        ({"lr_D": "fast"}, "lr_D: got 'fast', wants a number"),
        ({"width_G": 0}, "width_G: got 0, wants a whole number of at least 1"),
        ({"penalty": 3}, r"penalty: got 3, wants \(None, 0\)"),
        ({"penalty": ("gp_weight", -1)}, "penalty: got -1, wants a number at least 0"),
    ],
)
def test_bad_settings_get_one_sentence_and_change_nothing(settings, message):
    play = Playground()
    with pytest.raises((TypeError, ValueError), match=message):
        play.change(**settings)
    assert not play._requests


def test_a_step_of_nobody():
    with pytest.raises(ValueError, match="player: got 'E', wants one of 'D', 'G'"):
        Playground().step("E")


def test_points_are_drawn_from_the_points():
    points = torch.tensor([[0.0, 1.0], [2.0, 3.0]])
    x = Points(points).sample(500, torch.Generator().manual_seed(0))
    assert {tuple(p) for p in x.tolist()} == {(0, 1), (2, 3)} and 150 < (x[:, 0] == 0).sum() < 350
