"""The training doctor: what is going on in a game of D and G, in plain words, with the evidence and what to try.

``diagnose`` reasons over numbers and samples and touches nothing. ``Doctor`` takes them from a ``Trainer``: a look draws
from generators of its own, runs the nets in eval mode and leaves weights, gradients and random streams as they are.

What D says means something else under each objective, so the doctor first finds out which one is played: by the formula of
the game's ``objective``, or by playing the game's own losses with D's outputs shifted (``read``). What it compares then is
free of units: the share of pairs that D ranks rightly, D's loss as a share of that of a tie, G's slope as a share of that.

Thresholds stand in capitals, each with what it separates. They were set on runs of tests/doctor_runs.py with seeds below
300; tests/test_doctor.py tests other seeds.
"""

import collections
import contextlib
import math
import statistics
import time
from typing import NamedTuple

import torch

from ganedu import losses
from ganedu.data.images import ImageData
from ganedu.gan import Game
from ganedu.losses import Objective
from ganedu.metrics.coverage import mode_coverage
from ganedu.metrics.features import classify_features, digit_features
from ganedu.training import evaluating

NAN, SATURATION, STRONG = "NaN ahead", "saturation", "D too strong"
COLLAPSE, OSCILLATION, DROPPING = "mode collapse", "oscillation", "mode dropping"
HEALTHY, EARLY = "healthy", "too early to say"
NAMES = (NAN, SATURATION, STRONG, COLLAPSE, OSCILLATION, DROPPING, HEALTHY, EARLY)  # also the order of verdicts

LOOKS = 6  # fewer looks say nothing about a course of things
WINDOW = 12  # looks that a verdict rests on, at most: older ones are over
SWINGS = 30  # looks in which swings are counted, at most; the later half where there are fewer than twice as many
SURE = 0.2  # D's loss, as a share of a tie's, below which D has nothing left to learn; honest games stay above 0.3
RIGHT = 0.97  # share of pairs that such a D ranks rightly
DEAF = 0.03  # G's slope in D's output, as a share of a tie's, below which it hardly hears D
FADED = 1e-3  # G's gradient, as a share of the largest so far; a game that has converged keeps some per cent
FAR = 0.05  # gap to the data below which there is nothing to complain about
BETTER = 0.9  # the gap of the later half of the window, as a share of the earlier one's, that counts as progress
NARROW = 0.4  # spread of the fakes, as a share of the data's, that is a collapse; honest games stay above 0.7
FEW = 0.25  # share of the modes that is a collapse where all fakes sit on one or two of them
LOST = 0.1  # share of its due below which a mode or class is lost
NAMED = 0.3  # and for classes: of what the classifier names, which is wrong now and then
WORST, BEST = 0.35, 0.65  # D ranks pairs worse than a coin, then better again: one swing of a game that circles
SWING = 0.4  # of the largest gap in view: the gap fell and rose by as much
BIG, GROWN = 100.0, 10.0  # size that is no loss of a sound game, and growth since the window's first third
HUGE_WEIGHT, HUGE_GRADIENT = 30.0, 1e4


class Verdict(NamedTuple):
    """One thing that is going on.

    Attributes:
        name: one of ``NAMES``.
        evidence: what was measured, in a sentence or two with its numbers.
        advice: a tuple of sentences, each a setting of this library to try; empty where there is nothing to mend.
        lost: names of the modes or classes that G does not make, a tuple of strings.
    """

    name: str
    evidence: str
    advice: tuple = ()
    lost: tuple = ()

    def __str__(self):
        return f"{self.name}: {self.evidence}" + (f" Try: {'; '.join(self.advice)}." if self.advice else "")


# --- which objective is played ------------------------------------------------------------------------------------


class Reading(NamedTuple):
    """What D's raw outputs mean in a game.

    Attributes:
        name: the objective in words.
        objective: the ``Objective`` that the game plays, up to a factor.
        tie: D's loss where it cannot tell real from fake; None for a critic, whose loss has no lower end.
        tie_output: what D says then of every sample.
    """

    name: str
    objective: Objective
    tie: float | None
    tie_output: float = 0.0

    def sureness(self, real_logits, fake_logits):
        """D's loss as a share of a tie's: 1 for a D that cannot tell, 0 for one that has nothing to learn. Critics: None."""
        return None if self.tie is None else float(self.objective.d(real_logits, fake_logits)) / self.tie

    def push(self, real_logits, fake_logits):
        """How steep G's loss is in D's output on a fake, on average, as a share of what it is at a tie."""
        slope, at_tie = (
            self._slope(real, fake)
            for real, fake in (
                (real_logits, fake_logits),
                (torch.full_like(real_logits, self.tie_output), torch.full_like(fake_logits, self.tie_output)),
            )
        )
        return slope / at_tie if at_tie > 0 else None

    def _slope(self, real, fake):
        with torch.enable_grad():
            fake = fake.detach().requires_grad_()
            loss = self.objective.g_loss(lambda logits: logits, real.detach(), fake)
            return float(torch.autograd.grad(loss, fake)[0].abs().sum())


KNOWN = (
    Reading("non-saturating cross-entropy", losses.nonsaturating, 2 * math.log(2)),
    Reading("min-max cross-entropy", losses.minimax, 2 * math.log(2)),
    Reading("hinge", losses.hinge, 2.0),
    Reading("Wasserstein", losses.wasserstein, None),
    Reading("relativistic", losses.relativistic, math.log(2)),
)
SHIFTS = ((0.0, 0.0), (3.0, 0.0), (-3.0, 0.0), (0.0, 3.0), (0.0, -3.0), (2.1, 1.2))  # of D's output on real, on fake
SAME = 2e-3  # relative difference up to which two losses are one formula


def read(game, x, z):
    """The ``Reading`` of a game of D and G, or None where no formula of ``ganedu.losses`` fits.

    Penalties do not matter: they depend on D's slope, which a shift of its output leaves alone.

    Args:
        game: a game; its nets are run in eval mode and left as they are.
        x, z: a real batch and as many latents.
    """
    if isinstance(getattr(game, "objective", None), Objective):
        return _named(game.objective)
    if set(getattr(game, "players", ())) != {"D", "G"}:
        return None
    with _aside(game, x.device):
        with torch.no_grad(), _Ear(game.D, x) as heard:
            game.observe(x, z)
        if heard.real is None or heard.fake is None:
            return None

        def play(a, b):
            torch.manual_seed(0)  # a penalty draws: the same in every play, so that it drops out
            with torch.enable_grad(), _Ear(game.D, x, a, b):
                return game.d_loss(x, z).item(), game.g_loss(x, z).item()

        return _recognised(play, heard.real.double(), heard.fake.double())


def _named(objective):
    """The ``Reading`` of an ``Objective``, or None."""
    draw = torch.Generator().manual_seed(0)
    real, fake = torch.randn(2, 64, 1, generator=draw, dtype=torch.float64)
    return _recognised(lambda a, b: _both(objective, real + a, fake + b), real, fake)


def _both(objective, real, fake):
    return objective.d(real, fake).item(), objective.g_loss(lambda logits: logits, real, fake).item()


def _recognised(play, real, fake):
    """The known reading whose losses move as those of ``play(shift of real, shift of fake)`` do, up to a factor."""
    seen = torch.tensor([play(a, b) for a, b in SHIFTS], dtype=torch.float64)
    seen = seen[1:] - seen[0]  # (5, 2): a penalty is the same in all, and drops out
    best, found = SAME, None
    for reading in (*KNOWN, *_least_squares(seen, real, fake)):
        expected = torch.tensor([_both(reading.objective, real + a, fake + b) for a, b in SHIFTS], dtype=torch.float64)
        expected = expected[1:] - expected[0]
        factor = (seen * expected).sum(0) / expected.square().sum(0)  # one for each player
        if not (factor > 0).all():
            continue
        off = float(((seen / factor - expected).abs().amax(0) / expected.abs().amax(0)).max())
        if off < best:
            best, found = off, reading
    return found


def _least_squares(seen, real, fake):
    """Least squares with the codes that fit ``seen``, if any do: k/2 (m + s - code)² less itself at s = 0."""
    step, codes = SHIFTS[1][0], []
    for up, down, column, mean in ((0, 1, 0, real.mean()), (2, 3, 0, fake.mean()), (2, 3, 1, fake.mean())):
        curvature = float(seen[up, column] + seen[down, column]) / step**2
        if not curvature > 1e-6:
            return
        codes.append(float(mean) - float(seen[up, column] - seen[down, column]) / (2 * step * curvature))
    b, a, c = (round(code, 3) + 0.0 for code in codes)
    if a != b:
        name = f"least squares with a, b, c = {a:g}, {b:g}, {c:g}"
        yield Reading(name, losses.least_squares_with(a, b, c), (b - a) ** 2 / 4, (a + b) / 2)


class _Ear:
    """Within this block it keeps what D says of the real batch ``x`` and of anything else, and adds shifts to it."""

    def __init__(self, D, x, on_real=0.0, on_fake=0.0):
        self.D, self.x, self.on_real, self.on_fake = D, x, on_real, on_fake
        self.real = self.fake = self.x_fake = None

    def __enter__(self):
        self._handle = self.D.register_forward_hook(self._hear)
        return self

    def __exit__(self, *error):
        self._handle.remove()

    def _hear(self, module, inputs, output):
        if not isinstance(output, torch.Tensor) or not inputs:
            return None
        if inputs[0] is self.x:
            self.real = output.detach().flatten(1).mean(1)
            return output + self.on_real
        self.fake, self.x_fake = output.detach().flatten(1).mean(1), inputs[0].detach()
        return output + self.on_fake


@contextlib.contextmanager
def _aside(game, device):
    """Within this block the game is in eval mode, and what is drawn from torch's own generators is given back."""
    cuda = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=cuda), evaluating(game):
        yield


# --- what samples show --------------------------------------------------------------------------------------------


class Exam(NamedTuple):
    """What one batch of fakes shows beside the real samples.

    Attributes:
        n: fakes in the batch.
        spread: mean distance of two fakes, as a share of that of two real samples.
        gap: energy distance of fakes and real samples, in units of the latter: 0 for the same distribution, 1 for all
            fakes on one real sample, about 2 t for fakes t times as far away as the data is wide.
        precision: share of the fakes near a mode, or in a real sample's ball (its radius reaches the fifth neighbour).
        covered: share of the real samples with a fake in their ball; of the modes' weights that are reached, for modes.
        counts: (K,) fakes in each mode, or of each class and near a real sample; None where the data has neither.
        named: (K,) fakes of each class in the classifier's eyes, wherever they lie; for modes the same as ``counts``.
    """

    n: int
    spread: float
    gap: float
    precision: float
    covered: float
    counts: torch.Tensor | None
    named: torch.Tensor | None


class Examiner:
    """Looks at samples beside real ones: what depends on the real ones alone is computed once.

    Args:
        real: (N, ...) real samples, N at least 12.
        modes: a mixture with ``means``, ``std`` and ``weights``, where the data set is one.
        classifier: a function of a batch of samples that returns (N,) labels from 0, where there are classes.
        features: a function of a batch that returns (N, d) features in which neighbours are sought; with few dimensions
            the samples themselves unless given, else their 32 principal directions.
        classes: names of the classes, "0", "1", ... unless given.

    Attributes:
        parts: names of the modes or classes, a tuple; empty where there are neither.
        dues: (K,) share of the real samples in each.

    Raises:
        ValueError: too few real samples.
    """

    NEIGHBOUR = 5

    def __init__(self, real, modes=None, classifier=None, features=None, classes=()):
        real = real.detach()
        if len(real) < 2 * (self.NEIGHBOUR + 1):
            raise ValueError(f"real: got {len(real)} samples, wants at least {2 * (self.NEIGHBOUR + 1)}")
        if modes is not None and len(modes.means) < 2:
            modes = None  # one mode cannot be lost
        self.modes, self.classifier, self.features = modes, None if modes is not None else classifier, features
        self._directions = _principal(real) if real[0].numel() > 64 else None
        self._real = self._embed(real)
        self._width = _mean_distance(self._real)
        self.parts, self.dues = (), None
        if modes is not None:
            means = modes.means
            self.dues = modes.weights.double().cpu()
            self.parts = tuple(
                f"{k} at ({', '.join(f'{round(v, 2) + 0.0:g}' for v in m)})" for k, m in enumerate(means.tolist())
            )
            apart = torch.cdist(means.double(), means.double()).fill_diagonal_(math.inf).min(1).values
            std = torch.as_tensor(modes.std, dtype=torch.float64, device=means.device).expand(len(means))
            self._radius = torch.maximum(3 * std, 0.3 * apart.nan_to_num(posinf=0.0))
            return
        self._sought = self._real if features is None else features(real).double()
        self._radii = _exact(self._sought, self._sought).topk(self.NEIGHBOUR + 1, largest=False).values[:, -1]
        if classifier is not None:
            self._labels = classifier(real).cpu()
            present = torch.bincount(self._labels)
            self.dues = present / len(real)
            self.parts = tuple(classes) or tuple(str(k) for k in range(len(present)))

    def gap_and_spread(self, fakes):
        """(gap, spread) of (N, ...) fakes: see ``Exam``."""
        fakes = self._embed(fakes)
        within = _mean_distance(fakes)
        gap = (2 * float(torch.cdist(self._real, fakes).mean()) - within - self._width) / self._width
        return max(gap, 0.0), within / self._width

    def __call__(self, fakes):
        """The ``Exam`` of (N, ...) fakes."""
        fakes = fakes.detach()
        gap, spread = self.gap_and_spread(fakes)
        if self.modes is not None:
            found = mode_coverage(fakes, self.modes.means, self._radius, within=1.0, at_least=1)
            counts = found.counts.cpu()
            reached = counts >= LOST * self.dues * len(fakes)
            return Exam(len(fakes), spread, gap, found.good, float(self.dues[reached].sum()), counts, counts)
        sought = self._embed(fakes) if self.features is None else self.features(fakes).double()
        inside = _exact(self._sought, sought) <= self._radii[:, None]
        near, reached = inside.any(0), inside.any(1).cpu()
        counts = named = None
        if self.classifier is not None:
            labels, k = self.classifier(fakes), len(self.dues)
            named = torch.bincount(labels.cpu(), minlength=k)[:k]
            counts = torch.bincount(labels[near].cpu(), minlength=k)[:k]
        covered = float(reached.double().mean())
        return Exam(len(fakes), spread, gap, float(near.double().mean()), covered, counts, named)

    def missing(self, exams, near=False):
        """Names of the parts of which none of the ``exams`` has a tenth of what it is due.

        The classifier names a class for a blot, too, so a class counts as made where fakes are near real samples; but the
        real samples of a class that all look alike have small balls, so a class that is named often is not lost, either.
        With ``near`` it is: for a G whose fakes are no good at all.
        """
        if self.dues is None or not exams:
            return ()
        counts, named = sum(exam.counts for exam in exams), sum(exam.named for exam in exams)
        few = counts < LOST * self.dues * max(1, int(counts.sum()))
        if not near:
            few &= named < NAMED * self.dues * sum(exam.n for exam in exams)
        return tuple(part for part, lost, due in zip(self.parts, few, self.dues) if due > 0 and lost)

    def _embed(self, x):
        x = x.flatten(1).double()
        return x if self._directions is None else x @ self._directions


def _principal(real, most=32):
    """(P, d) orthonormal directions along which (N, ...) samples differ most; no random number is drawn."""
    x = real.flatten(1).double()
    x = x - x.mean(0)
    return torch.linalg.svd(x, full_matrices=False).Vh[: min(most, len(x) - 1)].T


def _mean_distance(x):
    """Mean distance of two different rows."""
    return float(torch.cdist(x, x).sum()) / (len(x) * (len(x) - 1))


def _exact(x, y):
    return torch.cdist(x, y, compute_mode="donot_use_mm_for_euclid_dist")


# --- the verdicts -------------------------------------------------------------------------------------------------


def diagnose(
    history,
    samples=None,
    real=None,
    classifier=None,
    *,
    modes=None,
    features=None,
    classes=(),
    objective=None,
    settings=None,
):
    """What is going on, the most pressing thing first.

    Args:
        history: a dict of lists, as ``Trainer.history`` or, with more to go by, ``Doctor.history``; {} for samples alone.
        samples: (N, ...) fakes of late, or a list of such batches from several moments, the latest last.
        real: (M, ...) real samples; needed with ``samples``.
        classifier, modes, features, classes: as for ``Examiner``.
        objective: the ``Objective`` that is played, or a ``Reading``; without it D's outputs are not interpreted.
        settings: what is set now, for the advice: "lr" (a dict by player), "n_critic", "r1_gamma", "gp_weight".

    Returns:
        a list of ``Verdict``, at least one. ``HEALTHY`` and ``EARLY`` stand alone.

    Raises:
        TypeError, ValueError: samples without real ones, or an objective that is none.
    """
    if samples is not None and real is None:
        raise ValueError("real: got none beside samples, wants real samples to compare them with")
    if objective is not None and not isinstance(objective, Objective | Reading):
        raise TypeError(f"objective: got {objective!r}, wants an Objective or a Reading")
    reading = _named(objective) if isinstance(objective, Objective) else objective
    exams, examiner = [], None
    if samples is not None:
        examiner = Examiner(real, modes, classifier, features, classes)
        exams = [examiner(batch) for batch in ([samples] if isinstance(samples, torch.Tensor) else samples)]
    return conclude(history, exams, examiner, reading, settings)


def conclude(history, exams=(), examiner=None, reading=None, settings=None):
    """``diagnose`` from ``exams`` that were made before. The list is ordered as ``NAMES``."""
    course = _Course(history, reading)
    settings = settings or {}
    if course.rounds and len(course.rounds) < LOOKS:
        found = _blowing_up(course, settings)
        n = len(course.rounds)
        return [found] if found else [Verdict(EARLY, f"{n} look{'s' * (n > 1)} so far; {LOOKS} show a course.")]
    verdicts = [_blowing_up(course, settings)]
    verdicts.append(_saturated(course, settings))
    verdicts.append(None if verdicts[-1] else _too_strong(course, settings))
    collapse = _collapsed(course, exams, examiner, settings)
    verdicts.append(collapse)
    verdicts.append(_oscillating(course, settings))
    verdicts.append(None if collapse else _dropping(course, exams, examiner, settings))
    verdicts = [verdict for verdict in verdicts if verdict is not None]
    return verdicts or [_healthy(course, exams, examiner)]


class _Course:
    """The series of a history, and what they did of late."""

    def __init__(self, history, reading):
        self.history, self.reading = history, reading
        self.rounds = history.get("round", [])

    def series(self, *keys):
        """The finite values under the first of ``keys`` that there is; [] without any."""
        for key in keys:
            values = [v for v in self.history.get(key, ()) if v is not None and math.isfinite(v)]
            if values:
                return values
        return []

    def recent(self, key, most=WINDOW):
        """The last third, at least ``LOOKS`` and at most ``most`` values; [] where there are fewer."""
        values = self.series(key)
        n = min(max(LOOKS, len(values) // 3), most)
        return values[-n:] if len(values) >= n else []

    def since(self, key):
        """The round in which the window of ``recent`` begins."""
        return self.rounds[-len(self.recent(key) or self.rounds)]

    @property
    def sureness(self):
        """D's loss as a share of a tie's, of late; where no look has measured it, from ``d_loss``."""
        values = self.recent("sureness")
        if not values and self.reading is not None and self.reading.tie is not None:
            values = [v / self.reading.tie for v in self.recent("d_loss")]
        return values

    @property
    def progressing(self):
        """Whether the fakes have come nearer to the data of late, or are there already."""
        gap = self.recent("gap")
        if not gap:
            return False
        before, after = _halves(gap)
        return gap[-1] < FAR or after < BETTER * before


def _halves(values):
    middle = len(values) // 2
    return statistics.fmean(values[:middle]), statistics.fmean(values[middle:])


def _rates(settings):
    lr = settings.get("lr") or {}
    return (lr.get("D"), lr.get("G")) if set(lr) >= {"D", "G"} else (None, None)


def _is_critic(reading):
    return reading is not None and reading.tie is None


def _penalty(settings):
    """Advice that holds D's slope in check: more of the penalty that is there, or a new one."""
    if settings.get("gp_weight"):
        return f"game.gp_weight = {2 * settings['gp_weight']:g}, twice the present weight of the gradient penalty"
    if settings.get("r1_gamma"):
        return f"game.r1_gamma = {4 * settings['r1_gamma']:g}, four times the present γ"
    return "an R1 penalty: add r1_gamma / 2 * ganedu.regularizers.r1(D, x) to d_loss, r1_gamma = 0.5 to begin with"


def _weaken_d(settings):
    advice, (of_d, of_g) = [], _rates(settings)
    if settings.get("n_critic", 1) > 1:
        advice.append(f"trainer.set_n_critic(1) in place of {settings['n_critic']}")
    if of_d is None or of_d > 1.5 * of_g:
        advice.append(f'trainer.set_lr("D", {of_g:g}), G\'s rate' if of_d else "a smaller learning rate for D")
    elif not advice:
        advice.append(f'trainer.set_lr("D", {of_d / 4:g}), a quarter of the present rate')
    return advice


def _blowing_up(course, settings):
    """Losses, D's outputs, gradients or weights that grow without an end in sight."""
    reading = course.reading
    unit = max(1.0, (reading.tie or 1.0) if reading else 1.0)
    watched = (
        ("d_loss", "D's loss", BIG * unit),
        ("g_loss", "G's loss", BIG * unit),
        ("output", "D's largest output", BIG),
        ("d_weight", "D's largest weight", HUGE_WEIGHT),
        ("g_weight", "G's largest weight", HUGE_WEIGHT),
        ("d_grad", "D's gradient", HUGE_GRADIENT),
        ("g_grad", "G's gradient", HUGE_GRADIENT),
    )
    evidence = []
    for key, words, size in watched:
        values = course.history.get(key, [])
        broken = [r for r, v in zip(course.rounds, values) if v is not None and not math.isfinite(v)]
        if broken:
            evidence.append(f"{words} is not a finite number since round {broken[0]:,}")
            continue
        values = [abs(v) for v in course.series(key)][-3 * WINDOW :]
        if len(values) < 4:
            continue
        third = max(1, len(values) // 3)
        first, last = statistics.median(values[:third]), statistics.median(values[-min(3, third) :])
        middle = statistics.median(values[third : 2 * third])
        if last > size and last > GROWN * max(first, 1e-12) and last > 1.5 * middle:
            start = course.rounds[-len(values)] if len(course.rounds) >= len(values) else 0
            evidence.append(f"{words} grew from {_short(first)} to {_short(last)} since round {start:,}")
    if not evidence:
        return None
    advice, (of_d, of_g) = [], _rates(settings)
    if of_d is not None:
        for player, rate in (("D", of_d), ("G", of_g)):
            advice.append(f'trainer.set_lr("{player}", {rate / 10:.1g}), a tenth of the present rate')
    else:
        advice.append("learning rates of a tenth")
    if _is_critic(reading) and not settings.get("gp_weight"):
        advice.insert(
            0,
            "a bound for the critic's slope, which this loss needs: ganedu.regularizers.gradient_penalty with "
            "gp_weight = 10, or clip_weights",
        )
    else:
        advice.append("ganedu.regularizers.spectral_norm(D)")
    return Verdict(NAN, f"{_sentence(evidence)} At this pace a number overflows, and training stops.", tuple(advice))


def _short(value):
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.2g}"


def _sentence(parts):
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "."


def _apart(course):
    """The share of pairs that D ranks rightly of late, and whether that is nearly all; (None, True) if not measured."""
    pairs = course.recent("pairs")
    return (statistics.fmean(pairs), min(pairs) >= RIGHT) if pairs else (None, True)


def _standing(course):
    gap = course.recent("gap")
    return f" The fakes are no nearer to the data than in round {course.since('gap'):,}: {_gap(gap)}." if gap else ""


def _gap(gap):
    return f"distance {gap[0]:.2f} then, {gap[-1]:.2f} now (0 is none)"


def _saturated(course, settings):
    """D is sure and right, and G hears next to nothing of it."""
    share, right = _apart(course)
    push, grad = course.recent("push"), course.recent("g_grad")
    reading = course.reading
    if not push and reading is not None and reading.name.startswith("min-max"):
        of_fake = course.recent("d_fake")
        push = [2 * v for v in of_fake] if of_fake and min(of_fake) >= 0 and max(of_fake) <= 1 else []
    deaf = push and max(push) < DEAF
    peak = max(course.series("g_grad"), default=0)
    faded = grad and peak > 0 and max(grad) < FADED * peak
    if not (deaf or faded) or not right or (share is None and not deaf) or course.progressing:
        return None
    evidence = []
    if share is not None:
        evidence.append(f"D ranks {share:.1%} of the pairs of real and fake rightly")
    if deaf:
        evidence.append(f"G's loss has {_percent(statistics.fmean(push))} of the slope that it has at a tie")
    if grad:
        evidence.append(f"G's gradient is {grad[-1]:.1e}, its largest was {peak:.1e}")
    advice = []
    if reading is not None and reading.name.startswith("min-max"):
        advice.append("loss=ganedu.losses.nonsaturating, whose slope stays where D is sure")
    if _is_critic(reading):
        advice.append("ganedu.models.wgan_gp.WGANGP, or a larger clip: clipped too tightly, a deep critic is flat")
    else:
        advice += [*_weaken_d(settings), _penalty(settings)]
    return Verdict(SATURATION, _sentence(evidence) + _standing(course), tuple(advice))


def _percent(share):
    return f"{share:.1%}" if share >= 1e-3 else f"{100 * share:.1g}%"


def _too_strong(course, settings):
    """D has nothing left to learn, and G does not get nearer. A bounded critic cannot be too good."""
    sureness, (share, right) = course.sureness, _apart(course)
    if not sureness or max(sureness) > SURE or not right or course.progressing:
        return None
    evidence = [f"D's loss is {statistics.fmean(sureness):.1%} of a tie's since round {course.since('d_loss'):,}"]
    if share is not None:
        evidence.append(f"it ranks {share:.1%} of the pairs of real and fake rightly")
    g_loss = course.recent("g_loss")
    if g_loss:
        evidence.append(f"G's loss is {g_loss[-1]:.2g}")
    advice = [
        *_weaken_d(settings),
        _penalty(settings),
        "ganedu.models.wgan_gp.WGANGP, whose critic may be as good as it can",
    ]
    return Verdict(STRONG, _sentence(evidence) + _standing(course), tuple(advice))


def _collapsed(course, exams, examiner, settings):
    """Few outputs, whatever the latent."""
    exams = list(exams)[-2:]
    if not exams or not math.isfinite(exams[-1].spread):
        return None

    def narrow(exam):
        if examiner.modes is None or exam.precision < 0.5 or exam.covered > FEW:
            return exam.spread < NARROW
        return exam.spread < NARROW or int((exam.counts >= LOST * examiner.dues * exam.n).sum()) <= 2

    spread = course.recent("spread")
    if not (all(map(narrow, exams)) or (spread and statistics.median(spread) < NARROW)):
        return None  # the median: a heap that jumps is drawn out for a moment
    if spread:
        before, after = _halves(spread)
        if after > before / BETTER and after > NARROW / 2 and course.progressing:
            return None  # it is opening up
    last = exams[-1]
    evidence = [f"two fakes lie {last.spread:.0%} as far apart as two real samples"]
    lost = examiner.missing([last], near=True)
    evidence += _about_lost(lost, examiner)
    if not examiner.parts:
        evidence.append(f"{1 - last.covered:.0%} of the real samples have no fake near them")
    advice, (of_d, of_g) = [], _rates(settings)
    if of_d is not None and of_d < of_g:
        advice.append(f'trainer.set_lr("D", {of_g:g}), G\'s rate: a slow D lets all fakes run to one place')
    else:
        advice.append(f"trainer.set_n_critic({settings.get('n_critic', 1) + 2}), so that D follows")
    advice.append(_penalty(settings))
    advice.append("a new start after the change: a collapsed G seldom opens up again")
    return Verdict(COLLAPSE, _sentence(evidence), tuple(advice), lost)


def _about_lost(lost, examiner):
    if not examiner.parts:
        return []
    kind = "modes" if examiner.modes is not None else "classes"
    if not lost:
        return []
    if len(lost) == len(examiner.parts):
        return [f"not one of the {len(lost)} {kind} is made"]
    return [f"lost {kind}: {', '.join(lost)}"]


def _oscillating(course, settings):
    """The game circles: D ranks pairs worse than a coin again and again, or the fakes come and go."""
    evidence = []
    pairs = _lately(course.series("pairs"))
    if len(pairs) >= LOOKS + 2:
        sides = [v > BEST for v in pairs if v > BEST or v < WORST]
        turns = sum(a != b for a, b in zip(sides, sides[1:]))
        if turns >= 3:
            evidence.append(
                f"in the last {len(pairs)} looks D's share of pairs ranked rightly passed {turns} times between below "
                f"{WORST:.0%} and above {BEST:.0%}: it was wrong about fakes that had just moved"
            )
    gap = _lately(course.series("gap"))
    if len(gap) >= LOOKS + 2 and max(gap) > 2 * FAR:
        turns = _turns(gap, SWING * max(gap))
        if turns >= 4:
            evidence.append(
                f"the fakes' distance from the data turned {turns} times, between {min(gap):.2f} and {max(gap):.2f}"
            )
    if not pairs and not gap:
        margin = _lately([a - b for a, b in zip(course.series("d_real"), course.series("d_fake"))])
        if len(margin) >= LOOKS + 2:
            size = max(map(abs, margin))
            sides = [v > 0 for v in margin if abs(v) > 0.25 * size]
            turns = sum(a != b for a, b in zip(sides, sides[1:]))
            if turns >= 3 and min(margin) < -0.25 * size:
                evidence.append(
                    f"D's mean output on real less that on fake changed its sign {turns} times, between "
                    f"{min(margin):.2g} and {max(margin):.2g}"
                )
    if not evidence:
        return None
    of_d, of_g = _rates(settings)
    advice = [_penalty(settings) + ": friction stops the circling"]
    first = (settings.get("betas") or (0.0,))[0]
    if first > 0:
        advice.append(f"betas = (0.0, 0.99) in the game, in place of {first:g}: momentum overshoots")
    advice.append("the averaged generator for samples, ema_decay=0.999")
    if of_d is not None and not 0.5 <= of_d / of_g <= 2:
        advice.append(f'trainer.set_lr("D", {of_g:g}), G\'s rate')
    return Verdict(OSCILLATION, _sentence(evidence), tuple(advice))


def _lately(values):
    return values[-min(SWINGS, max(LOOKS + 4, len(values) // 2)) :]


def _turns(values, size):
    """How often the series turns round by at least ``size``."""
    turns, low, high, rising = 0, values[0], values[0], None
    for v in values[1:]:
        if rising is not False and v <= high - size:
            turns, rising, low, high = turns + (rising is not None), False, v, v
        elif rising is not True and v >= low + size:
            turns, rising, low, high = turns + (rising is not None), True, v, v
        low, high = (
            (min(low, v), high) if rising is False else (low, max(high, v)) if rising else (min(low, v), max(high, v))
        )
    return turns


def _dropping(course, exams, examiner, settings):
    """The fakes are good, and parts of the data are never made."""
    exams = list(exams)[-3:]
    if not exams:
        return None
    precision = statistics.fmean(exam.precision for exam in exams)
    if examiner.parts:
        lost = examiner.missing(exams)
        if not lost or precision < (0.5 if examiner.modes is not None else 0.25):
            return None
        counts = course.recent("lost")
        if counts:
            before, after = _halves(counts)
            if after < BETTER * before:
                return None  # parts are still being found
        evidence = _about_lost(lost, examiner)
    else:
        lost, covered = (), max(exam.covered for exam in exams)
        if precision < 0.7 or covered > 0.5 or course.progressing:
            return None
        evidence = [f"{1 - covered:.0%} of the real samples have no fake near them"]
    near = "on a mode" if examiner.modes is not None else "near a real sample"
    evidence.append(
        f"{precision:.0%} of the fakes lie {near}, and two of them {exams[-1].spread:.0%} as far apart as two real ones"
    )
    advice = []
    if settings.get("n_critic", 1) > 1:
        advice.append(f"trainer.set_n_critic(1) in place of {settings['n_critic']}")
    advice += [
        _penalty(settings),
        "ganedu.models.wgan_gp.WGANGP",
        "a larger batch_size: rare parts are in each batch then",
    ]
    return Verdict(DROPPING, _sentence(evidence), tuple(advice), lost)


def _healthy(course, exams, examiner):
    evidence = []
    pairs = course.recent("pairs")
    if pairs:
        evidence.append(f"D ranks {statistics.fmean(pairs):.0%} of the pairs rightly (50% is a tie)")
    gap = course.recent("gap")
    if gap:
        way = "near" if gap[-1] < FAR else "getting nearer" if course.progressing else "hardly getting nearer"
        evidence.append(f"the fakes are {way}, {_gap(gap)}")
    for exam in list(exams)[-1:]:
        evidence.append(f"two fakes lie {exam.spread:.0%} as far apart as two real samples")
        if examiner.parts:
            there = len(examiner.parts) - len(examiner.missing(list(exams)[-3:]))
            kind = "modes" if examiner.modes is not None else "classes"
            evidence.append(f"{there} of {len(examiner.parts)} {kind} are made")
    if not evidence:
        evidence = ["no loss grows without end, and none stands still at an extreme"]
    stalled = gap and gap[-1] >= FAR and not course.progressing
    advice = (
        ("more rounds, larger nets, or larger learning rates for both: nothing is broken, it is slow",)
        if stalled
        else ()
    )
    return Verdict(HEALTHY, _sentence(evidence), advice)


# --- watching a trainer -------------------------------------------------------------------------------------------


class _Digits:
    """The reference classifier's features of a batch, and its labels without a second pass over the same batch."""

    def __init__(self):
        self._x = self._features = None

    def features(self, x):
        if x is not self._x:
            self._x, self._features = x, digit_features(x)
        return self._features

    def labels(self, x):
        return classify_features(self.features(x))


class Doctor:
    """Watches one trainer, look by look. ``trainer.add_hook(Doctor(trainer), every=50)`` is all it takes.

    Every look measures on fixed latents and a fixed real batch; every ``full_every``-th one also examines fresh samples for
    lost modes or classes. All is drawn from generators of the doctor's own, so that a run with a doctor reaches the very
    weights of one without.

    Args:
        trainer: the ``Trainer`` to watch.
        classifier, features: as for ``Examiner``. Unless given, the reference classifier and its features where the data
            are the digits.

    Attributes:
        history: a dict of lists, one entry a look: "round"; "d_loss", "g_loss" and what the game observes, as last logged;
            "pairs": share of pairs (real, fake) that D ranks rightly; "sureness" and "push": see ``Reading``; "output":
            D's largest output; "gap" and "spread": see ``Exam``; "lost": number of modes or classes missing; "d_grad",
            "g_grad": norm of the gradient of the last update; "d_weight", "g_weight": largest weight. None where it
            cannot be had.
        verdicts: a list of ``Verdict``, of the last look.
        reading: the ``Reading`` of the game, or None.
        looks, seconds: looks so far, and the time that they took.
        costs: seconds that a look takes, without and with fresh samples, as tried before the run.
    """

    def __init__(self, trainer, classifier=None, features=None):
        self.trainer, game, data = trainer, trainer.game, trainer.data
        self._draw = torch.Generator(trainer.device).manual_seed(trainer.seed + 4)
        small = trainer.fixed_x[0].numel() <= 64
        self.n, self.n_full, self.full_every = (400, 400, 1) if small else (128, 256, 4)
        self.x = data.sample(self.n, self._draw)
        self.z = game.sample_z(self.n, self._draw)
        self.reading = read(game, self.x[:64], self.z[:64])
        self.examiner = self._examiner(classifier, features) if self._makes_samples() else None
        self._exams = collections.deque(maxlen=3)
        self.history, self.looks, self.seconds = {"round": []}, 0, 0.0
        self.verdicts = [Verdict(EARLY, "No look so far.")]
        self.costs = self._try_out()

    def _makes_samples(self):
        """Whether the game makes samples of latents alone that compare with the data."""
        game = self.trainer.game
        if not isinstance(game, Game) or type(game).generate is Game.generate:
            return False
        with _aside(game, self.trainer.device):
            made = game.generate(self.z[:2])
        return isinstance(made, torch.Tensor) and made.shape[1:] == self.x.shape[1:]

    def _examiner(self, classifier, features):
        data = self.trainer.data
        if classifier is None and isinstance(data, ImageData) and data.name == "digits" and data.shape == (1, 28, 28):
            digits = _Digits()
            classifier, features = digits.labels, features or digits.features
        modes = data if all(hasattr(data, name) for name in ("means", "std", "weights")) else None
        classes = data.classes if classifier is not None and isinstance(data, ImageData) else ()
        with torch.no_grad():
            return Examiner(data.sample(2 * self.n_full, self._draw), modes, classifier, features, classes)

    def _try_out(self):
        """Seconds of a look without and with fresh samples; nothing is kept."""
        state, costs = self._draw.get_state(), []
        for full in (False, True, False, True):  # the second time all is warm
            started = time.perf_counter()
            self._measure(full)
            costs.append(time.perf_counter() - started)
        self._draw.set_state(state)
        self._exams.clear()
        return tuple(costs[2:])

    def __call__(self, trainer=None):
        """``look()``, as a hook."""
        return self.look()

    def look(self, full=None):
        """Measure, and say what is going on. To be called between two rounds, by the thread that trains.

        Args:
            full: whether fresh samples are examined; every ``full_every``-th time unless given.

        Returns:
            a list of ``Verdict``.
        """
        started = time.perf_counter()
        trainer = self.trainer
        if self.history["round"] and trainer.round < self.history["round"][-1]:
            self.history = {"round": []}  # an older checkpoint was loaded
            self._exams.clear()
        if full is None:
            full = (self.looks + 1) % self.full_every == 0
        signs = self._measure(full)
        seen = len(self.history["round"])
        for key in {**self.history, **signs}:
            self.history.setdefault(key, [None] * seen).append(signs.get(key))
        self.verdicts = conclude(self.history, self._exams, self.examiner, self.reading, self._settings())
        self.looks += 1
        self.seconds += time.perf_counter() - started
        return self.verdicts

    def _measure(self, full):
        trainer = self.trainer
        signs = {"round": trainer.round, **self._logged(), **self._of_weights()}
        with _aside(trainer.game, trainer.device):
            signs |= self._of_outputs()
            if full and self.examiner is not None:
                z = trainer.game.sample_z(self.n_full, self._draw)
                self._exams.append(self.examiner(trainer.game.generate(z)))
                signs["lost"] = len(self.examiner.missing([self._exams[-1]])) if self.examiner.parts else None
        return signs

    def _logged(self):
        """The last entry of the trainer's own history."""
        return {key: values[-1] for key, values in self.trainer.history.items() if key != "round" and values}

    def _of_weights(self):
        signs = {}
        for player, optimizer in self.trainer.optimizers.items():
            parameters = [p.detach() for group in optimizer.param_groups for p in group["params"]]
            gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
            largest = torch.stack(torch._foreach_norm(parameters, math.inf)).max() if parameters else None
            norm = torch.stack(torch._foreach_norm(gradients)).norm() if gradients else None
            name = player.lower()
            signs[f"{name}_weight"] = None if largest is None else float(largest)
            signs[f"{name}_grad"] = None if norm is None else float(norm)
        return signs

    def _of_outputs(self):
        game, signs, x_fake = self.trainer.game, {}, None
        if isinstance(getattr(game, "D", None), torch.nn.Module):
            with _Ear(game.D, self.x) as heard:
                game.observe(self.x, self.z)
            x_fake = heard.x_fake
            if heard.real is not None and heard.fake is not None:
                real, fake = heard.real.double(), heard.fake.double()
                above = real[:, None] - fake
                signs["pairs"] = float(((above > 0).double() + 0.5 * (above == 0)).mean())
                signs["output"] = float(torch.cat([real, fake]).abs().max())
                if self.reading is not None:
                    signs["sureness"] = self.reading.sureness(real, fake)
                    signs["push"] = self.reading.push(real, fake)
        if self.examiner is not None:
            if x_fake is None or x_fake.shape != self.x.shape:
                x_fake = game.generate(self.z)
            signs["gap"], signs["spread"] = self.examiner.gap_and_spread(x_fake)
        return signs

    def _settings(self):
        trainer, game = self.trainer, self.trainer.game
        settings = {"lr": {player: trainer.lr(player) for player in trainer.optimizers}}
        for name in ("n_critic", "r1_gamma", "gp_weight", "betas"):
            if hasattr(game, name):
                settings[name] = getattr(game, name)
        return settings
