"""The training doctor: takes numbers and samples from a ``Trainer``, look by look, and has them judged.

A look draws from separate generators, runs the nets in eval mode and leaves weights, gradients and random streams as they are.
"""

import collections
import math
import time

import torch

from ganedu.data.images import ImageData
from ganedu.diagnosis.objective import Ear, aside, read
from ganedu.diagnosis.samples import Examiner
from ganedu.diagnosis.verdicts import EARLY, Verdict, conclude
from ganedu.gan import GAN, call
from ganedu.metrics.features import classify_features, digit_features


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
    lost modes or classes. All is drawn from a separate generator, so that a run with a doctor reaches the very
    weights of one without.

    Args:
        trainer: the ``Trainer`` to watch.
        classifier, features: as for ``Examiner``. Unless given, the reference classifier and its features where the data
            are the digits.

    Attributes:
        history: a dict of lists, one entry a look: "round"; "d_loss", "g_loss" and what the game observes, as last logged;
            "roc_auc": ROC AUC of D, the share of pairs (real, fake) that it ranks rightly, 1/2 for a tie; "sureness" and "push": see ``Reading``; "output":
            D's largest output; "energy_distance" and "spread": see ``Exam``; "lost": number of modes or classes missing; "d_grad",
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
        small = next(iter(trainer.fixed.values()))[0].numel() <= 64
        self.n, self.n_full, self.full_every = (400, 400, 1) if small else (128, 256, 4)
        self.batch = game.draw(data, self.n, self._draw)
        self.reading = read(game, self._few(64))
        self.examiner = self._examiner(classifier, features) if self._makes_samples() else None
        self._exams = collections.deque(maxlen=3)
        self.history, self.looks, self.seconds = {"round": []}, 0, 0.0
        self.verdicts = [Verdict(EARLY, "No look so far.")]
        self.costs = self._try_out()

    def _makes_samples(self):
        """Whether the game makes samples that compare with real ones."""
        game = self.trainer.game
        try:
            with aside(game, self.trainer.device):
                real, made = call(game.compare, self._few(2))
        except NotImplementedError:
            return False
        return isinstance(made, torch.Tensor) and made.shape[1:] == real.shape[1:]

    def _few(self, n):
        return {name: entry[:n] for name, entry in self.batch.items()}

    def _examiner(self, classifier, features):
        data = self.trainer.data
        if classifier is None and isinstance(data, ImageData) and data.name == "digits" and data.shape == (1, 28, 28):
            digits = _Digits()
            classifier, features = digits.labels, features or digits.features
        modes = data if all(hasattr(data, name) for name in ("means", "std", "weights")) else None
        classes = data.classes if classifier is not None and isinstance(data, ImageData) else ()
        with aside(self.trainer.game, self.trainer.device):
            real = call(self.trainer.game.compare, self.trainer.game.draw(data, 2 * self.n_full, self._draw))[0]
            return Examiner(real, modes, classifier, features, classes)

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
        with aside(trainer.game, trainer.device):
            signs |= self._of_outputs()
            if full and self.examiner is not None:
                batch = trainer.game.draw(trainer.data, self.n_full, self._draw)
                self._exams.append(self.examiner(call(trainer.game.compare, batch)[1]))
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
        if isinstance(game, GAN):
            with Ear(game.D, self.batch["x"]) as heard:
                real, fake = (logits.flatten(1).mean(1).double() for logits in call(game.judge, self.batch))
            if heard.x_fake is not None and heard.x_fake.shape == self.batch["x"].shape:
                x_fake = heard.x_fake  # for the examiner: made once
            above = real[:, None] - fake
            signs["roc_auc"] = float(((above > 0).double() + 0.5 * (above == 0)).mean())
            signs["output"] = float(torch.cat([real, fake]).abs().max())
            if self.reading is not None:
                signs["sureness"] = self.reading.sureness(real, fake)
                signs["push"] = self.reading.push(real, fake)
        if self.examiner is not None:
            if x_fake is None:
                x_fake = call(game.compare, self.batch)[1]
            signs["energy_distance"], signs["spread"] = self.examiner.distance_and_spread(x_fake)
        return signs

    def _settings(self):
        trainer, game = self.trainer, self.trainer.game
        settings = {"lr": {player: trainer.lr(player) for player in trainer.optimizers}}
        for name in ("n_critic", "r1_gamma", "gp_weight", "betas"):
            if hasattr(game, name):
                settings[name] = getattr(game, name)
        return settings
