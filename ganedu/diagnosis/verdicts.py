"""What is going on, in plain words, with the evidence and what to try. Reasons over numbers and samples and touches nothing.

Thresholds stand in capitals, each with what it separates. They were set on runs of tests/doctor_runs.py with seeds below 300;
tests/test_diagnosis.py tests other seeds.
"""

import math
import statistics
from typing import NamedTuple

import torch

from ganedu.diagnosis.objective import Reading, named_reading
from ganedu.diagnosis.samples import LOST, Examiner
from ganedu.losses import Objective

NAN, SATURATION, STRONG = "NaN ahead", "saturation", "D too strong"
COLLAPSE, OSCILLATION, DROPPING = "mode collapse", "oscillation", "mode dropping"
HEALTHY, EARLY = "healthy", "too early to say"
NAMES = (NAN, SATURATION, STRONG, COLLAPSE, OSCILLATION, DROPPING, HEALTHY, EARLY)  # also the order of verdicts
LOOKS = 6  # fewer looks say nothing about a course of things
WINDOW = 12  # looks that a verdict rests on, at most: older ones are over
SWINGS = 30  # looks in which swings are counted, at most; the later half where there are fewer than twice as many
SURE = 0.2  # D's loss, as a share of a tie's, below which D has nothing left to learn; honest games stay above 0.3
RIGHT = 0.97  # ROC AUC of such a D
DEAF = 0.03  # G's slope in D's output, as a share of a tie's, below which it hardly hears D
FADED = 1e-3  # G's gradient, as a share of the largest so far; a game that has converged keeps some per cent
FAR = 0.05  # energy distance to the data below which there is nothing to complain about
BETTER = 0.9  # the energy distance of the window's later half, as a share of the earlier one's, that counts as progress
NARROW = 0.4  # spread of the fakes, as a share of the data's, that is a collapse; honest games stay above 0.7
FEW = 0.25  # share of the modes that is a collapse where all fakes sit on one or two of them
WORST, BEST = 0.35, 0.65  # ROC AUC: D ranks worse than a coin, then better again: one swing of a game that circles
SWING = 0.4  # of the largest energy distance in view: it fell and rose by as much
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
    reading = named_reading(objective) if isinstance(objective, Objective) else objective
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
        distance = self.recent("energy_distance")
        if not distance:
            return False
        before, after = _halves(distance)
        return distance[-1] < FAR or after < BETTER * before


def _halves(values):
    middle = len(values) // 2
    return statistics.fmean(values[:middle]), statistics.fmean(values[middle:])


def _rates(settings):
    lr = settings.get("lr") or {}
    return (lr.get("D"), lr.get("G")) if set(lr) >= {"D", "G"} else (None, None)


def _has_d(settings):
    """Whether a D plays. Unless the settings name the players, one does."""
    return "D" in settings.get("lr", {"D": None})


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
    evidence = []
    for key, words, size in _watched(course.history, unit):
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
    rates = settings.get("lr") or {}
    advice = [f'trainer.set_lr("{p}", {rate / 10:.1g}), a tenth of the present rate' for p, rate in rates.items()]
    advice = advice or ["learning rates of a tenth"]
    if _is_critic(reading) and not settings.get("gp_weight"):
        advice.insert(
            0,
            "a bound for the critic's slope, which this loss needs: ganedu.regularizers.gradient_penalty with "
            "gp_weight = 10, or clip_weights",
        )
    elif _has_d(settings):
        advice.append("ganedu.regularizers.spectral_norm(D)")
    return Verdict(NAN, f"{_sentence(evidence)} At this pace a number overflows, and training stops.", tuple(advice))


def _watched(history, unit):
    """(key, words, size that is no longer sound) of each series that may blow up."""
    yield "output", "D's largest output", BIG
    for ending, words, size in (
        ("_loss", "loss", BIG * unit),
        ("_weight", "largest weight", HUGE_WEIGHT),
        ("_grad", "gradient", HUGE_GRADIENT),
    ):
        for key in history:
            if key.endswith(ending):
                player = key.removesuffix(ending)
                yield key, f"{player.upper() if len(player) == 1 else player}'s {words}", size


def _short(value):
    return f"{value:,.0f}" if 100 <= abs(value) < 1e6 else f"{value:.2g}"


def _sentence(parts):
    text = "; ".join(parts)
    return text[:1].upper() + text[1:] + "."


def _apart(course):
    """D's ROC AUC of late, and whether it is nearly 1; (None, True) if not measured."""
    auc = course.recent("roc_auc")
    return (statistics.fmean(auc), min(auc) >= RIGHT) if auc else (None, True)


def _standing(course):
    distance = course.recent("energy_distance")
    if not distance:
        return ""
    return f" The fakes are no nearer to the data than in round {course.since('energy_distance'):,}: {_then_and_now(distance)}."


def _then_and_now(distance):
    """What ``progressing`` judges: the means of both halves of the window, and not its two ends."""
    before, after = _halves(distance)
    words = f"{len(distance)} looks, first half and second half on average"
    return f"energy distance {before:.2f}, then {after:.2f} ({words}; 0 is none)"


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
        evidence.append(f"D's ROC AUC is {share:.3f} (1: every real sample above every fake)")
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
        evidence.append(f"its ROC AUC is {share:.3f} (1: every real sample above every fake)")
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
    elif _has_d(settings):
        advice.append(f"trainer.set_n_critic({settings.get('n_critic', 1) + 2}), so that D follows")
    advice.append(_penalty(settings) if _has_d(settings) else "a smaller learning rate")
    advice.append("a new start after the change: a collapsed G seldom opens up again")
    return Verdict(COLLAPSE, _sentence(evidence), tuple(advice), lost)


def _about_lost(lost, examiner):
    if not examiner.parts:
        return []
    one, many = ("mode", "modes") if examiner.modes is not None else ("class", "classes")
    if not lost:
        return []
    if len(lost) == len(examiner.parts):
        return [f"not one of the {len(lost)} {many} is made"]
    if len(lost) == 1:
        return [f"{one} {lost[0]} is missing"]
    return [f"{many} {', '.join(lost)} are missing"]


def _oscillating(course, settings):
    """The game circles: D ranks worse than a coin again and again, or the fakes come and go."""
    evidence = []
    auc = _lately(course.series("roc_auc"))
    if len(auc) >= LOOKS + 2:
        sides = [v > BEST for v in auc if v > BEST or v < WORST]
        turns = sum(a != b for a, b in zip(sides, sides[1:]))
        if turns >= 3:
            evidence.append(
                f"in the last {len(auc)} looks D's ROC AUC passed {turns} times between below {WORST:.2f} and above "
                f"{BEST:.2f} (0.50 is a tie): it was wrong about fakes that had just moved"
            )
    distance = _lately(course.series("energy_distance"))
    if len(distance) >= LOOKS + 2 and max(distance) > 2 * FAR:
        turns = _turns(distance, SWING * max(distance))
        if turns >= 4:
            evidence.append(
                f"the fakes' energy distance from the data turned {turns} times, between {min(distance):.2f} and "
                f"{max(distance):.2f}"
            )
    if not auc and not distance:
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
    advice = [_penalty(settings) + ": friction stops the circling"] if _has_d(settings) else ["a smaller learning rate"]
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
    if _has_d(settings):
        advice += [_penalty(settings), "ganedu.models.wgan_gp.WGANGP"]
    advice.append("a larger batch_size: rare parts are in each batch then")
    return Verdict(DROPPING, _sentence(evidence), tuple(advice), lost)


def _healthy(course, exams, examiner):
    evidence = []
    auc = course.recent("roc_auc")
    if auc:
        evidence.append(f"D's ROC AUC is {statistics.fmean(auc):.2f} (0.50 is a tie)")
    distance = course.recent("energy_distance")
    if distance:
        if distance[-1] < FAR:
            evidence.append(f"the fakes are near, energy distance {distance[-1]:.2f} (0 is none)")
        else:
            way = "getting nearer" if course.progressing else "hardly getting nearer"
            evidence.append(f"the fakes are {way}, {_then_and_now(distance)}")
    for exam in list(exams)[-1:]:
        evidence.append(f"two fakes lie {exam.spread:.0%} as far apart as two real samples")
        if examiner.parts:
            there = len(examiner.parts) - len(examiner.missing(list(exams)[-3:]))
            kind = "modes" if examiner.modes is not None else "classes"
            evidence.append(f"{there} of {len(examiner.parts)} {kind} are made")
    if not evidence:
        evidence = ["no loss grows without end, and none stands still at an extreme"]
    stalled = distance and distance[-1] >= FAR and not course.progressing
    advice = (
        ("more rounds, larger nets, or larger learning rates for both: nothing is broken, it is slow",)
        if stalled
        else ()
    )
    return Verdict(HEALTHY, _sentence(evidence), advice)
