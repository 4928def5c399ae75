"""The training doctor: runs broken on purpose and healthy ones, what it measures, and that looking changes nothing.

The runs stand in doctor_runs.py. Thresholds were set on seeds below 300; here are others.
"""

import re
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from doctor_runs import RUNS, Played, nets, outcome, play
from scipy.stats import energy_distance
from test_dashboard import Shapeless, Solo, eventually, shapeless_gan, small_line, small_vanilla, weights
from test_drivers import Line, LineGAN
from torch import nn
from torch.nn.functional import binary_cross_entropy_with_logits

from ganedu import losses
from ganedu.data import digits, grid, mixture, ring, two_moons
from ganedu.diagnosis import (
    COLLAPSE,
    DROPPING,
    EARLY,
    HEALTHY,
    NAMES,
    NAN,
    OSCILLATION,
    SATURATION,
    STRONG,
    Doctor,
    Examiner,
    Verdict,
    diagnose,
    read,
)
from ganedu.diagnosis.objective import KNOWN
from ganedu.gan import GAN
from ganedu.metrics import classify, digit_features, prdc_features
from ganedu.models.r3gan import R3GAN
from ganedu.models.sngan import SNGAN
from ganedu.models.vanilla import VanillaGAN
from ganedu.models.wgan import WGAN
from ganedu.models.wgan_gp import WGANGP
from ganedu.regularizers import r1
from ganedu.training import Trainer
from ganedu.views.diagnosis import ADVANCE, Panel, doctor, panel_for
from ganedu.views.drivers import Background, polled
from ganedu.views.live import train

# --- whole runs ---------------------------------------------------------------------------------------------------


FIRST_SEED = 300
RECORDED = Path(__file__).parent / "data" / "doctor_runs.npz"  # made by make_doctor_runs.py beside it


def judged_from_record(name):
    """The doctor's verdicts on a run of minutes on the digits that was recorded."""
    with np.load(RECORDED) as arrays:
        parts = {key.split("/")[1]: arrays[key] for key in arrays.files if key.startswith(name)}
    samples = torch.from_numpy(parts.pop("samples"))[:, None].float() / 7.5 - 1
    history = {key: [None if np.isnan(v) else float(v) for v in values] for key, values in parts.items()}
    real = digits().sample(512, torch.Generator().manual_seed(0))
    return diagnose(history, samples, real, classify, features=digit_features, objective=losses.nonsaturating)


@pytest.mark.slow
@pytest.mark.parametrize("kind", RUNS)
def test_runs_are_told_apart(kind):
    """Of the runs of each kind, at least 5 that were broken on purpose and 10 healthy ones, at most one is misjudged."""
    judged = []
    for seed, make in enumerate(RUNS[kind], FIRST_SEED):
        found, said, trainer, _ = outcome(make, seed)
        judged.append((f"run {seed}", found.verdicts))
        if kind == NAN and kind in said:  # the warning comes before the number that overflows
            warned = max(said.index(kind) - 1, 0)  # the first entry of ``said`` is from before the first look
            assert all(np.isfinite(found.history[key][warned]) for key in ("d_loss", "g_loss", "d_weight", "g_weight"))
    if kind == HEALTHY:
        judged += [(name, judged_from_record(name)) for name in ("vanilla", "dcgan")]
    assert len(judged) >= (10 if kind == HEALTHY else 5)
    wrong = []
    for name, verdicts in judged:
        if verdicts[0].name != kind or (kind == HEALTHY and len(verdicts) > 1):
            wrong.append(f"{name}: {verdicts[0]}")
        assert re.search(r"\d", verdicts[0].evidence) and bool(verdicts[0].advice) >= (
            verdicts[0].name not in (HEALTHY, EARLY)
        )
    assert len(wrong) <= 1, "\n".join(wrong)


# --- samples whose faults are known -----------------------------------------------------------------------------


def labelled_digits(kept):
    images = digits()
    chosen = torch.isin(images.labels, torch.tensor(kept))
    return images.subset(chosen).sample(400, torch.Generator().manual_seed(1))


@pytest.fixture(scope="module")
def real_digits():
    return digits("test").sample(512, torch.Generator().manual_seed(0))


def test_dropped_digits_are_named(real_digits):
    kept = [0, 1, 2, 5, 7, 9]
    (verdict,) = diagnose({}, labelled_digits(kept), real_digits, classify, features=digit_features)
    assert verdict.name == DROPPING
    assert verdict.lost == ("3", "4", "6", "8")
    assert "Classes 3, 4, 6, 8 are missing" in verdict.evidence


def test_all_digits_there_is_healthy(real_digits):
    (verdict,) = diagnose({}, labelled_digits(range(10)), real_digits, classify, features=digit_features)
    assert verdict.name == HEALTHY and verdict.lost == () and "10 of 10 classes" in verdict.evidence


def test_one_digit_again_and_again_is_collapse(real_digits):
    one = labelled_digits([4])[:1].expand(300, -1, -1, -1) + 0.02 * torch.randn(300, 1, 28, 28)
    (verdict,) = diagnose({}, one.clamp(-1, 1), real_digits, classify, features=digit_features)
    assert verdict.name == COLLAPSE
    assert verdict.lost == tuple("012356789")


def test_noise_is_never_taken_for_a_digit(real_digits):
    """The classifier calls noise an 8 with confidence: its labels count only near real samples."""
    noise = torch.rand(300, 1, 28, 28, generator=torch.Generator().manual_seed(0)) * 2 - 1
    assert len(classify(noise).unique()) <= 2
    found = diagnose({}, noise, real_digits, classify, features=digit_features)
    assert DROPPING not in [verdict.name for verdict in found]


@pytest.mark.parametrize("gone", [(0,), (2, 5, 6), (1, 3, 4, 7)])
def test_dropped_modes_are_named(gone):
    data = ring(8)
    x, mode = data.sample_labelled(2000, torch.Generator().manual_seed(0))
    kept = x[~torch.isin(mode, torch.tensor(gone))]
    (verdict,) = diagnose({}, kept, x, modes=data)
    assert verdict.name == DROPPING
    assert [int(name.split()[0]) for name in verdict.lost] == list(gone)


def test_parts_found_at_another_moment_are_not_lost():
    data = ring(8)
    x, mode = data.sample_labelled(2000, torch.Generator().manual_seed(0))
    first, second = x[mode < 5], x[mode > 2]
    assert diagnose({}, first, x, modes=data)[0].name == DROPPING
    assert diagnose({}, [first, second], x, modes=data)[0].name == HEALTHY


def test_fakes_around_all_modes_but_on_none_are_not_called_dropping():
    data = grid()
    blurred = data.sample(3000, torch.Generator().manual_seed(0))
    blurred = blurred + 0.9 * torch.randn(blurred.shape, generator=torch.Generator().manual_seed(1))
    assert DROPPING not in [v.name for v in diagnose({}, blurred, data.sample(1000), modes=data)]


def test_one_heap_is_collapse_and_two_far_modes_are_not():
    data = ring(8)
    heap = data.means[3] + 0.02 * torch.randn(500, 2)
    (verdict,) = diagnose({}, heap, data.sample(500), modes=data)
    assert verdict.name == COLLAPSE and len(verdict.lost) == 7 and "3 at" not in verdict.lost
    half = data.means[torch.arange(500) % 4] + 0.02 * torch.randn(500, 2)
    assert diagnose({}, half, data.sample(500), modes=data)[0].name == DROPPING


def test_without_modes_or_classes_neighbours_tell():
    x = two_moons().sample(1500, torch.Generator().manual_seed(0))
    upper = x[x[:, 1] > 0.55]
    assert diagnose({}, x[:700], x[700:])[0].name == HEALTHY
    dropped = diagnose({}, upper, x)[0]
    assert dropped.name == DROPPING and "of the real samples have no fake near them" in dropped.evidence
    assert diagnose({}, 0.1 * torch.randn(300, 2), x)[0].name == COLLAPSE


# --- numbers against others' -------------------------------------------------------------------------------------


def test_the_gap_is_the_energy_distance():
    real, fake = torch.randn(80, 1), 0.5 * torch.randn(80, 1) + 1
    gap, spread = Examiner(real).distance_and_spread(fake)
    # scipy's is the root, and counts the pairs of a sample with itself
    within = [np.abs(x.numpy() - x.numpy().T).mean() for x in (real, fake)]
    expected = energy_distance(real[:, 0], fake[:, 0]) ** 2 - sum(within) / 79
    width = within[0] * 80 / 79
    assert gap == pytest.approx(expected / width, abs=1e-6)
    assert spread == pytest.approx(within[1] / within[0], abs=1e-6)


def test_one_point_of_the_data_has_gap_one():
    real = torch.randn(4000, 2, generator=torch.Generator().manual_seed(0))
    # of a point mass at distance r from the centre of a Gaussian: 2 E|x - p| / E|x - x'| - 1, at r = 0 2 / sqrt(2) - 1
    gap, spread = Examiner(real).distance_and_spread(torch.zeros(50, 2))
    assert gap == pytest.approx(2**0.5 - 1, abs=0.03) and spread == 0


def test_precision_and_coverage_are_those_of_the_metrics():
    real, fake = torch.randn(120, 3), torch.randn(90, 3) * 0.7
    exam, expected = Examiner(real)(fake), prdc_features(real, fake)
    assert exam.precision == expected.precision and exam.covered == expected.coverage


# --- the objective -----------------------------------------------------------------------------------------------


class ByHand(GAN):
    """The losses as students write them, with the library's formulas nowhere in sight."""

    def __init__(self, kind):
        super().__init__(*nets(2))
        self.kind = kind

    def d_loss(self, x, z):
        real, fake = self.D(x), self.D(self.G(z).detach())
        one, zero = torch.ones_like(real), torch.zeros_like(real)
        if self.kind == "torch's cross-entropy, halved":
            bce = binary_cross_entropy_with_logits
            return 0.5 * (bce(real, one) + bce(fake, zero)) + r1(self.D, x)
        if self.kind == "cross-entropy of probabilities":
            return -(real.sigmoid().log() + (1 - fake.sigmoid()).log()).mean()
        if self.kind == "full squares":
            return (real - 1).square().mean() + fake.square().mean()
        return (fake - real).mean() + 10 * r1(self.D, x)

    def g_loss(self, x, z):
        fake = self.D(self.G(z))
        if self.kind == "torch's cross-entropy, halved":
            return binary_cross_entropy_with_logits(fake, torch.ones_like(fake))
        if self.kind == "cross-entropy of probabilities":
            return (1 - fake.sigmoid()).log().mean()
        if self.kind == "full squares":
            return (fake - 1).square().mean()
        return -fake.mean()


@pytest.mark.parametrize(
    ("game", "words"),
    [
        (lambda: ByHand("torch's cross-entropy, halved"), "non-saturating cross-entropy"),
        (lambda: ByHand("cross-entropy of probabilities"), "min-max cross-entropy"),
        (lambda: ByHand("full squares"), "least squares with a, b, c = 0, 1, 1"),
        (lambda: ByHand("critic"), "Wasserstein"),
        (lambda: VanillaGAN(*nets(2)), "non-saturating cross-entropy"),
        (lambda: VanillaGAN(*nets(2), loss=losses.minimax), "min-max cross-entropy"),
        (lambda: Played(losses.least_squares_with(-1, 1, 0), *nets(2)), "least squares with a, b, c = -1, 1, 0"),
        (lambda: SNGAN(*nets(2)), "hinge"),
        (lambda: WGAN(*nets(2)), "Wasserstein"),
        (lambda: WGANGP(*nets(2)), "Wasserstein"),
        (lambda: R3GAN(*nets(2)), "relativistic"),
    ],
)
def test_the_objective_is_read_from_the_game(game, words):
    torch.manual_seed(0)
    game, data = game(), ring(8)
    x, z = data.sample(64), game.sample_z(64)
    before = torch.get_rng_state(), [p.clone() for p in game.parameters()]
    assert read(game, {"x": x, "z": z}).name == words
    assert torch.equal(torch.get_rng_state(), before[0])
    assert all(torch.equal(a, b) and a.grad is None for a, b in zip(game.parameters(), before[1]))
    assert game.training and not game.D._forward_hooks


def test_an_unknown_objective_is_left_unread():
    class Other(ByHand):
        def d_loss(self, x, z):
            return self.D(x).exp().mean() + self.D(self.G(z)).square().square().mean()

    assert read(Other(""), {"x": ring(8).sample(64), "z": torch.randn(64, 4)}) is None
    assert read(Solo(), {"x": torch.randn(64, 1), "z": torch.randn(64, 2)}) is None


@pytest.mark.parametrize("reading", KNOWN, ids=lambda reading: reading.name)
def test_a_tie_is_a_tie(reading):
    zeros = torch.zeros(8, 1)
    assert reading.push(zeros, zeros) == pytest.approx(1)
    if reading.tie is not None:
        assert reading.sureness(zeros, zeros) == pytest.approx(1)
        assert reading.sureness(zeros + 20, zeros - 20) < 1e-6
    # where D is sure, cross-entropy's min-max G is deaf, and no other: d/dl log(1 - sigmoid(l)) = -sigmoid(l)
    push = reading.push(zeros + 6, zeros - 6)
    if "min-max" in reading.name:
        assert push == pytest.approx(2 / (1 + np.exp(6)), rel=1e-4)
    else:
        assert push >= 1


# --- histories alone ---------------------------------------------------------------------------------------------


def course(n=20, **series):
    return {"round": [25 * (i + 1) for i in range(n)], **{k: [f(i) for i in range(n)] for k, f in series.items()}}


def names(*arguments, **settings):
    return [verdict.name for verdict in diagnose(*arguments, **settings)]


def test_an_ordinary_history_of_a_trainer_is_enough():
    won = course(d_loss=lambda i: 0.02, g_loss=lambda i: 6.0, d_real=lambda i: 0.99, d_fake=lambda i: 0.004)
    assert names(won, objective=losses.nonsaturating) == [STRONG]
    assert names(won, objective=losses.minimax) == [SATURATION]
    assert names(won) == [HEALTHY]  # nobody has said what the numbers mean
    even = course(d_loss=lambda i: 1.35, g_loss=lambda i: 0.75, d_real=lambda i: 0.52, d_fake=lambda i: 0.48)
    assert names(even, objective=losses.nonsaturating) == [HEALTHY]


def test_a_critic_cannot_be_too_strong():
    ahead = course(
        d_loss=lambda i: -3.0, g_loss=lambda i: 1.0, d_real=lambda i: 2.0, d_fake=lambda i: -1.0, roc_auc=lambda i: 1.0
    )
    assert names(ahead, objective=losses.wasserstein) == [HEALTHY]
    near_zero = course(d_loss=lambda i: 0.001, g_loss=lambda i: 0.0, roc_auc=lambda i: 0.5)
    assert names(near_zero, objective=losses.wasserstein) == [HEALTHY]
    assert names(near_zero, objective=losses.hinge) == [HEALTHY]  # its loss is small, but it ranks no pair rightly


def test_growth_without_end_is_named_before_the_overflow():
    growing = course(n=12, d_loss=lambda i: -(4.0**i), g_loss=lambda i: 4.0**i)
    verdict = diagnose(growing, objective=losses.wasserstein)[0]
    assert verdict.name == NAN and "gradient_penalty" in " ".join(verdict.advice)
    assert "grew from" in verdict.evidence
    large = course(n=12, d_loss=lambda i: -5000.0 + i, g_loss=lambda i: 2000.0)
    assert names(large, objective=losses.wasserstein) == [HEALTHY]  # large, and not growing
    broken = course(n=8, d_loss=lambda i: 1.0 if i < 5 else float("nan"))
    assert "not a finite number since round 150" in diagnose(broken)[0].evidence


def test_swings_are_oscillation_and_noise_is_not():
    swings = course(n=60, d_real=lambda i: np.sin(i / 2), d_fake=lambda i: -np.sin(i / 2))
    assert names(swings) == [OSCILLATION]
    rng = np.random.default_rng(0)
    noise = rng.normal(size=30)
    still = course(n=30, d_real=lambda i: 1 + 0.1 * noise[i], d_fake=lambda i: 0.2)
    assert names(still) == [HEALTHY]


def test_progress_is_not_a_fault():
    better = course(
        d_loss=lambda i: 0.05,
        roc_auc=lambda i: 1.0,
        sureness=lambda i: 0.05,
        energy_distance=lambda i: 2.0 * 0.9**i,
        push=lambda i: 1,
    )
    assert names(better, objective=losses.nonsaturating) == [HEALTHY]
    better["energy_distance"] = [2.0] * 20
    assert names(better, objective=losses.nonsaturating) == [STRONG]


def test_a_few_looks_are_too_early():
    assert names(course(n=3, d_loss=lambda i: 0.001), objective=losses.nonsaturating) == [EARLY]


def test_wrong_arguments_are_named():
    with pytest.raises(ValueError, match="real: got none beside samples, wants real samples"):
        diagnose({}, torch.randn(50, 2))
    with pytest.raises(ValueError, match="real: got 5 samples, wants at least 12"):
        diagnose({}, torch.randn(50, 2), torch.randn(5, 2))
    with pytest.raises(TypeError, match="objective: got 'hinge', wants an Objective or a Reading"):
        diagnose({}, objective="hinge")


# --- advice ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [STRONG, COLLAPSE, NAN])
def test_advice_can_be_followed_as_it_stands(kind):
    found, _, trainer, _ = outcome(RUNS[kind][0], 7)
    calls = [call for line in found.verdicts[0].advice for call in re.findall(r"trainer\.\w+\([^)]*\)", line)]
    assert calls
    for call in calls:
        before = [trainer.lr("D"), trainer.lr("G"), trainer.game.n_critic]
        eval(call, {"trainer": trainer})
        assert [trainer.lr("D"), trainer.lr("G"), trainer.game.n_critic] != before


def test_the_penalty_that_is_there_is_the_one_to_raise():
    won = course(d_loss=lambda i: 0.02, roc_auc=lambda i: 1.0)
    advice = " ".join(diagnose(won, objective=losses.hinge, settings={"r1_gamma": 0.5, "n_critic": 5})[0].advice)
    assert "game.r1_gamma = 2" in advice and "trainer.set_n_critic(1) in place of 5" in advice


def test_verdicts_read_as_sentences():
    verdict = Verdict(COLLAPSE, "Two fakes lie 3% as far apart.", ("one", "two"), ("4",))
    assert str(verdict) == "mode collapse: Two fakes lie 3% as far apart. Try: one; two."
    assert len(set(NAMES)) == len(NAMES) == 8


# --- looking changes nothing -------------------------------------------------------------------------------------


def small_gp():
    torch.manual_seed(3)
    return Trainer(WGANGP(*nets(2)), ring(8), batch_size=16, seed=3, log_every=5)


def dropout_game():
    torch.manual_seed(3)
    D = nn.Sequential(nn.Linear(1, 16), nn.Dropout(0.3), nn.LeakyReLU(0.2), nn.Linear(16, 1))
    return Trainer(VanillaGAN(nn.Linear(2, 1), D, z_dim=2), Line(), batch_size=8, seed=3, log_every=5)


@pytest.mark.parametrize("make", [small_vanilla, small_line, small_gp, dropout_game])
def test_a_run_with_the_doctor_reaches_the_very_same_weights(make):
    plain = make()
    torch.manual_seed(11)
    plain.run(60)
    watched = make()
    torch.manual_seed(11)
    found = Doctor(watched)
    watched.add_hook(found, every=3)
    watched.run(60)
    assert found.looks == 20 and len(found.history["round"]) == 20
    for a, b in zip(weights(plain), weights(watched), strict=True):
        assert torch.equal(a, b)
    assert plain.history == watched.history
    assert torch.equal(plain.generator.get_state(), watched.generator.get_state())


@pytest.mark.parametrize("driver", ["thread", "poll"])
def test_the_panel_changes_nothing_either(driver):
    plain, watched = small_vanilla(), small_vanilla()
    torch.manual_seed(11)
    plain.run(60)
    torch.manual_seed(11)
    panel = Panel(watched, seconds=1e-9, budget=1)
    if driver == "thread":
        Background(watched, 60, lambda: None, lambda error: None).wait()
    else:
        polled(watched, 60, lambda: None, poll=lambda n: None)
    assert panel.doctor.looks > 3
    for a, b in zip(weights(plain), weights(watched), strict=True):
        assert torch.equal(a, b)


def test_what_is_measured_is_what_the_trainer_has():
    trainer, found, _ = play(0, ring(8), (1e-3, 1e-3))
    trainer.run(50)
    gradients = torch.cat([p.grad.flatten() for p in trainer.game.G.parameters()])
    assert found.history["g_grad"][-1] == pytest.approx(float(gradients.norm()), rel=1e-5)
    assert found.history["d_weight"][-1] == max(float(p.detach().abs().max()) for p in trainer.game.D.parameters())
    with torch.no_grad():
        real, fake = trainer.game.D(found.batch["x"])[:, 0], trainer.game.D(trainer.game.G(found.batch["z"]))[:, 0]
    ranked = np.mean([[float(a > b) for b in fake[:50]] for a in real[:50]])
    assert abs(found.history["roc_auc"][-1] - ranked) < 0.15
    assert found.history["d_loss"][-1] == trainer.history["d_loss"][-1]


def test_games_of_other_kinds_are_looked_at_as_far_as_that_goes():
    for game, data in ((Solo(), Line()), (shapeless_gan(), Shapeless()), (LineGAN(), Line())):
        trainer = Trainer(game, data, batch_size=8, seed=0, log_every=5, device="cpu")
        found = Doctor(trainer)
        trainer.add_hook(found, every=5)
        trainer.run(60)
        assert found.verdicts and all(verdict.name in NAMES for verdict in found.verdicts)


# --- on the screen -----------------------------------------------------------------------------------------------


def test_it_stands_under_the_dashboard(monkeypatch):
    trainer, _, _ = play(0, ring(8), (1e-3, 1e-3))
    run = train(trainer, 40, driver="thread")
    run.wait()
    assert run.dashboard.widget.children[-1] is run.doctor.widget
    assert "Training doctor" in run.doctor.text.value
    without = train(trainer, 5, driver="thread", doctor=False)
    without.wait()
    assert without.doctor is None
    assert run.dashboard.budget + run.doctor.budget == pytest.approx(0.01)  # both together within 1 % of the time
    assert without.dashboard.budget == pytest.approx(0.01)


def test_in_a_script_there_is_no_panel():
    trainer, _, _ = play(0, ring(8), (1e-3, 1e-3))
    assert train(trainer, 5, driver="sync").doctor is None


def test_a_second_run_goes_on_with_the_first_ones_history():
    trainer = small_line()
    first = panel_for(trainer)
    trainer.run(10)
    first.doctor.look()
    second = panel_for(trainer)
    trainer.run(10)
    second.doctor.look()
    assert second.doctor is first.doctor and second.doctor.history["round"] == [10, 20]
    assert sum(getattr(hook, "__func__", None) is Panel.update for hook, _ in trainer._hooks) == 1
    second.close()
    assert not trainer._hooks


def test_while_a_thread_trains_only_that_thread_runs_the_nets():
    trainer = small_line()
    background = Background(trainer, 10**9, lambda: None, lambda error: None)
    eventually(lambda: trainer.round > 5)
    panel = doctor(trainer, seconds=0.01, budget=1)
    eventually(lambda: panel.doctor is not None and panel.doctor.looks > 3)
    trainer.stop()
    background.ended.wait(10)
    assert background.error is None


def test_findings_are_written_out():
    trainer, found, _ = play(0, ring(8), (1e-3, 1e-3))
    panel = Panel(trainer, seconds=1e-9, budget=1)
    panel.doctor.history["round"] = [25]
    panel.doctor.verdicts = [Verdict(COLLAPSE, "Lost: 3 & 5 <b>.", ("do this",)), Verdict(HEALTHY, "All well.")]
    panel._write()
    text = panel.text.value
    assert "! mode collapse" in text and "✓ healthy" in text and "<li>do this</li>" in text
    assert "3 &amp; 5 &lt;b&gt;" in text and "round 25" in text


# --- cost --------------------------------------------------------------------------------------------------------


def test_looks_take_less_than_one_per_cent_of_the_training_time():
    trainer = small_gp()
    panel = Panel(trainer, seconds=0.2)
    end = time.perf_counter() + 4
    trainer.add_hook(lambda t: t.stop() if time.perf_counter() > end else None)
    trainer.run(10**9)
    assert panel.doctor.looks >= 1
    light, full = panel.doctor.costs
    # beyond the advance; and one look may take longer than it did when tried
    assert panel.doctor.seconds < 0.01 * trainer.seconds + ADVANCE * light + full


def test_the_hook_returns_at_once_when_nothing_is_due():
    trainer = small_line()
    panel = Panel(trainer)
    started = time.perf_counter()
    for _ in range(10_000):
        panel.update(trainer)
    assert (time.perf_counter() - started) / 10_000 < 5e-6
    assert panel.doctor.looks == 0


def test_no_warning_comes_from_equal_modes():
    """A mixture of one mode has no nearest other mode."""
    data = mixture([[0.0, 0.0]], 0.5)
    assert diagnose({}, data.sample(300), data.sample(300), modes=data)[0].name == HEALTHY


def test_what_is_printed_is_what_was_judged():
    """The ends of the window say "getting farther", the means of its halves, which are judged, "nearer"."""
    distance = [0.21, 0.5, 0.5, 0.5, 0.5, 0.5, 0.3, 0.3, 0.3, 0.3, 0.3, 0.23]
    history = {"round": list(range(12)), "energy_distance": distance}
    (verdict,) = diagnose(history)
    window = distance[-6:]
    first, second = sum(window[:3]) / 3, sum(window[3:]) / 3
    assert verdict.name == HEALTHY and "getting nearer" in verdict.evidence
    assert f"energy distance {first:.2f}, then {second:.2f} (6 looks" in verdict.evidence
    assert second < 0.95 * first


# --- a game without a D --------------------------------------------------------------------------------------------


def troubles():
    """(verdict, what ``diagnose`` is given) for a game of one player, each trouble that it can have."""
    rounds = {"round": list(range(0, 400, 10))}
    real = ring(8).sample(400, torch.Generator().manual_seed(0))
    half = real[real[:, 0] > 0.5][:120]
    swinging = [0.9 if i % 4 < 2 else 0.1 for i in range(40)]
    return {
        NAN: {"history": {**rounds, "model_loss": [1.5**i for i in range(40)]}},
        OSCILLATION: {"history": {**rounds, "energy_distance": swinging}},
        COLLAPSE: {"history": {}, "samples": real[:1].repeat(200, 1), "real": real},
        DROPPING: {"history": {}, "samples": half, "real": real, "modes": ring(8)},
    }


@pytest.mark.parametrize("name", [NAN, OSCILLATION, COLLAPSE, DROPPING])
def test_where_no_d_plays_no_advice_speaks_of_one(name):
    given = troubles()[name]
    (alone,) = diagnose(**given, settings={"lr": {"model": 1e-3}})
    (paired,) = diagnose(**given, settings={"lr": {"D": 1e-3, "G": 1e-3}})
    assert alone.name == paired.name == name and alone.advice
    about_d = re.compile(r"\bD\b|critic|penalty|WGAN|n_critic")
    assert not about_d.search(" ".join(alone.advice)), alone.advice
    assert about_d.search(" ".join(paired.advice))  # or this test cannot fail
