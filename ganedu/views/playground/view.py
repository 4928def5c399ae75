"""A GAN in the plane to play with: ``playground()`` in one cell, then Play.

Choose or paint the data, choose the objective and the nets, and watch D's map, the fakes and what pulls them, while the
very ``Trainer`` of the lessons trains. Nets, losses and data of your own are passed in as arguments.
"""

import collections
import copy
import dataclasses
import time

import torch

from ganedu.arguments import one_of, real_number, whole_number
from ganedu.training import Speed, Trainer
from ganedu.views.drivers import Background, Interrupted, choose_driver, foreground, polled
from ganedu.views.playground.data import HIGH, LOW, Source, Switch, own_source, painted, presets, window
from ganedu.views.playground.game import (
    REBUILT,
    Duel,
    Settings,
    as_objective,
    build,
    check_net,
    joined,
    objectives,
    plain_code,
    step_alone,
)
from ganedu.views.playground.scene import Eye, Gauge

__all__ = ["Playground", "playground", "yours"]

FOREVER = 10**9  # rounds: a playground plays until it is told to pause
SLOW_SECONDS = 0.8  # slow motion waits so long before each update
yours = {}  # what was passed to the playground that was made last: the code that it prints looks here


def playground(
    G=None,
    D=None,
    loss=None,
    data=None,
    *,
    z_dim=2,
    batch_size=128,
    lr=1e-3,
    n_critic=1,
    rounds=2000,
    seed=0,
    driver=None,
    patience=120,
):
    """A GAN on two-dimensional data, with buttons, sliders and a canvas.

    In Jupyter this returns at once, and what you press is done in the background. In Colab the cell runs until you press
    End, or until nothing has been played or touched for ``patience`` seconds. In a script, where nobody can press
    anything, it trains ``rounds`` rounds and leaves one figure.

    Args:
        G: a net of your own, (N, z_dim) -> (N, 2). It is copied: yours is left as it is, and Reset returns to it.
        D: a net of your own, (N, 2) -> (N, 1) raw outputs. Copied as well.
        loss: an ``Objective``, or a pair of functions d(real_logits, fake_logits) and g(fake_logits); a g of two
            arguments is called as g(fake_logits, real_logits).
        data: something with ``sample(n, generator) -> (n, 2)`` and ``to(device)``, or an (N, 2) tensor or array.
        z_dim: size of the latent vector; the warped grid of z is drawn for 1 and 2.
        batch_size: real points, and latents, per update.
        lr: learning rate of both players, or a dict by player.
        n_critic: D updates per G update.
        rounds: how many are played where nobody can press Play.
        seed: of the nets' weights and of every draw; the same seed and the same steps give the same nets.
        driver: "thread", "poll" or "sync"; else the environment variable ``GANEDU_DRIVER``, else what the kernel is.
        patience: seconds, see above.

    Returns:
        a ``Playground``.

    Raises:
        TypeError, ValueError: an argument that does not fit; the message names it, what it got and what it wants.
    """
    driver = choose_driver(driver)
    rounds = whole_number("rounds", rounds)
    patience = real_number("patience", patience, above=0)
    play = Playground(G, D, loss, data, z_dim=z_dim, batch_size=batch_size, lr=lr, n_critic=n_critic, seed=seed)
    if driver == "sync":
        play.play_here(rounds)
        return play

    from ganedu.views.playground.panel import Panel

    global _present
    if _present is not None:
        _present.pause()  # the cell was run again: the earlier one would go on behind the scenes
    _present = play
    play.panel = Panel(play, patience if driver == "poll" else None)
    play.panel.show()
    if driver == "thread":
        play.background = Background(play, FOREVER, play.serve, play.ended)
        return play
    try:
        polled(play, FOREVER, play.serve)
    except Interrupted:
        pass  # the Stop button of the notebook is as good as End
    finally:
        play.ended(None)
    return play


_present = None


class Playground:
    """The game behind the panel: everything that the panel's controls do can be done by code, too.

    What is asked for is kept and done between two updates, by whichever thread runs the loop; ``serve`` does it.

    Attributes:
        trainer: the present ``Trainer``; its nets are ``G`` and ``D``. Reset makes a new one.
        settings: the present ``Settings``.
        playing, slow: what the game does, and whether it waits before each update.
        alone: updates of one player alone since Reset, by player.
        records: a list of dicts: "x" (rounds and single steps so far), "d_loss", "g_loss" (mean since the record before),
            "JS", "KL", "W1".
        error: what broke the training, or None.
        log: what was done since Reset, for ``code``.
    """

    def __init__(self, G=None, D=None, loss=None, data=None, *, z_dim=2, batch_size=128, lr=1e-3, n_critic=1, seed=0):
        self.z_dim, self.batch_size = whole_number("z_dim", z_dim), whole_number("batch_size", batch_size)
        self.seed = whole_number("seed", seed, at_least=0)
        self.own = {}
        for name, net in (("G", G), ("D", D)):
            if net is not None:
                self.own[name] = check_net(name, net, self.z_dim)
        if loss is not None:
            self.own["loss"] = as_objective(loss)
        self.objectives = {**({"yours": self.own["loss"]} if loss is not None else {}), **objectives()}
        self.sources = presets()
        if data is not None:
            self.own["data"] = data
            self.sources = {"your data": own_source(data), **self.sources}
        source = next(iter(self.sources.values()))
        if not isinstance(lr, dict):
            lr = {"G": lr, "D": lr}
        if set(lr) != {"G", "D"}:
            raise ValueError(f"lr: got players {sorted(lr)}, wants ['D', 'G']")
        self.settings = Settings(source, "yours" if loss is not None else "nonsaturating")
        for name, value in (("lr_G", lr["G"]), ("lr_D", lr["D"]), ("n_critic", n_critic)):
            setattr(self.settings, name, self.settings.check(name, value))
        self.low, self.high = window(source.data) if data is not None else (LOW, HIGH)

        self.playing = self.slow = self.closed = False
        self.panel = self.background = None
        self.layers = {"map", "real", "fake", "pull", "grid"} if self.z_dim <= 2 else {"map", "real", "fake", "pull"}
        self._requests = collections.deque()
        self._renew = self._holding = False
        self._held = True
        self._between = lambda: False
        self.changes = 0
        self._new_data(source)
        self._start()
        yours.clear()
        yours.update({"G": G, "D": D, "loss": loss, "data": data})

    @property
    def G(self):
        """The generator as it stands."""
        return self.trainer.game.G

    @property
    def D(self):
        """The discriminator as it stands."""
        return self.trainer.game.D

    # --- what anybody may ask for, from any thread -----------------------------------------------------------------

    def play(self):
        """Play rounds until ``pause``."""
        if self.error is None and not self.closed:
            self.playing = True

    def pause(self):
        """Hold after the present update."""
        self.playing = False

    def step(self, player=None):
        """One update of "D" or of "G" alone, or without ``player`` one round; then hold."""
        if player is not None:
            one_of("player", player, ("D", "G"))
        if self.error is None and not self.closed:
            self.playing = False
            self._ask(lambda: self._step(player), is_step=True)

    def reset(self):
        """New nets with the weights of the beginning, by the present settings."""
        self._ask(self._ask_renewal)

    def change(self, **settings):
        """Change settings, by the names of ``Settings``. Other widths or depths call for new nets, as after Reset.

        ``data`` may be the name of one that is on offer, ``objective`` the name of an ``Objective`` of ``ganedu.losses``.
        """
        for name, value in settings.items():
            one_of("setting", name, [field.name for field in dataclasses.fields(Settings)])
            if name == "data" and not isinstance(value, Source):
                value = self.sources[one_of("data", value, self.sources)]
            elif name == "objective":
                one_of("objective", value, self.objectives)
            value = self.settings.check(name, value)
            self._ask(lambda name=name, value=value: self._change(name, value))

    def paint(self, rows):
        """Take a canvas for the data: rows of digits, see ``ganedu.views.playground.data.Painting``."""
        self.change(data=painted(rows, self.low, self.high))

    def close(self):
        """End the playground; nets and records stay."""
        self.playing, self.closed = False, True

    def code(self):
        """Plain PyTorch that does all that was done since Reset, number by number: run it and get the same nets."""
        log = list(self.log)
        rounds = self.trainer.round - self._noted
        if rounds > 0:
            log.append(("rounds", rounds))
        return plain_code(self._first, joined(log), self.own, self.z_dim, self.batch_size, self.seed)

    def _ask(self, do, is_step=False):
        self._requests.append((do, is_step))

    @property
    def state(self):
        """ "playing", "paused", "failed" or "ended"."""
        if self.closed:
            return "ended"
        return "failed" if self.error is not None else "paused" if self._held else "playing"

    @property
    def position(self):
        """Changes with everything that changes the picture."""
        return id(self.trainer), self.trainer.round, *self.alone.values(), self.changes, self.turn

    # --- the loop, which the drivers call -------------------------------------------------------------------------

    @property
    def round(self):
        return self.trainer.round

    def stop(self):
        """End the playground, as a driver asks when the kernel goes."""
        self.close()
        self.trainer.stop()

    def run(self, rounds, between):
        """Play with whatever trainer is present until closed. Blocks; ``between`` is called between rounds."""
        self._between = between
        while not self.closed:
            if not self.playing:
                self.trainer.pause()
            try:
                self.trainer.run(rounds, between=between)
            except Exception as error:  # a net or a loss of the student's own may break: Reset makes it good
                self._fail(error)
                while not (self.closed or self._renew):
                    between()
                    time.sleep(0.02)
            if self._renew:
                self._start()

    def serve(self):
        """To be called between rounds: does what was asked for, a step at a time, and lets the panel draw what is due."""
        if not self._holding:
            while self._requests:
                do, is_step = self._requests.popleft()
                do()
                if is_step or (self._requests and self._requests[0][1]):
                    break  # a new learning rate is in force once this returns, and a step that comes after it has to wait
            playing = self.playing  # read once: another thread may pause it meanwhile
            if self.closed or self._renew:
                self.trainer.stop()
            elif playing:
                self.trainer.resume()
            else:
                self.trainer.pause()
            self._held = not playing  # between two rounds that is so at once
        return self.panel.update() if self.panel is not None else False

    def ended(self, error):
        """To be called when the loop stands still."""
        self.close()
        if error is not None:
            self.error = error
        if self.panel is not None:
            self.panel.end()

    def play_here(self, rounds):
        """Train ``rounds`` rounds here and now, and leave a figure of it all."""
        from ganedu.views.figure import show
        from ganedu.views.playground.figure import scene_figure

        every = max(1, rounds // 40)
        hook = self.trainer.add_hook(lambda trainer: self.record(), every)
        foreground(self.trainer, rounds)
        self.trainer.remove_hook(hook)
        show(*scene_figure(self))

    # --- what the loop does ----------------------------------------------------------------------------------------

    def _start(self):
        """A new trainer by the present settings: the same seed gives the same weights."""
        torch.manual_seed(self.seed)
        own = {name: copy.deepcopy(self.own[name]) for name in ("G", "D") if name in self.own}
        players = build(self.settings, own, self.z_dim)
        objective = self.objectives[self.settings.objective]
        game = Duel(*players, self.z_dim, objective, own=bool(self.own.keys() & {"G", "D", "loss"}))
        game.set_penalty(*self.settings.penalty)
        self.trainer = Trainer(
            game,
            Switch(self.settings.data.data),
            batch_size=self.batch_size,
            lr={"D": self.settings.lr_D, "G": self.settings.lr_G},
            n_critic=self.settings.n_critic,
            ema_decay=0,  # what is seen is G itself
            device="cpu",  # nets this small gain nothing from another device, and a click would wait for it
            seed=self.seed,
            speed=Speed(fast=False, tune=False),
        )
        torch.manual_seed(self.seed)  # penalties and dropout draw from here
        game.before = self._before
        self.alone = {"D": 0, "G": 0}
        self.records, self.log, self.error, self.turn = [], [], None, None
        self._first, self._noted = copy.copy(self.settings), 0
        self._renew = False
        self.changes += 1

    def _ask_renewal(self):
        self._renew = True

    def _fail(self, error):
        self.playing, self.error = False, error
        self.turn = None
        for seen in self.trainer.game.seen.values():
            seen.clear()
        self._noted = min(self._noted, self.trainer.round)
        self._note(
            "note",
            "here the training broke off; where a number was no longer finite, the last finite weights were put back",
        )
        self.changes += 1

    def _step(self, player):
        if self.error is not None:
            return
        if player is None:
            self.trainer.single_step()
            return
        self._holding = True  # a single step is not slowed down
        try:
            step_alone(self.trainer, player)
        finally:
            self._holding = False
        self.alone[player] += 1
        self._note(player, 1)
        self.changes += 1
        self.record()

    def _change(self, name, value):
        setattr(self.settings, name, value)
        self.changes += 1
        game = self.trainer.game
        if name in REBUILT:
            self._renew = True
            return
        if name in ("lr_G", "lr_D"):
            self.trainer.set_lr(name[-1], value)
        elif name == "n_critic":
            self.trainer.set_n_critic(value)
        elif name == "objective":
            game.objective = self.objectives[value]
        elif name == "penalty":
            game.set_penalty(*value)
        else:
            self.sources[value.name] = value
            self.trainer.data.present = value.data
            self._new_data(value)
        self._note(name, value)

    def _note(self, key, value):
        rounds = self.trainer.round - self._noted
        if rounds > 0:
            self.log.append(("rounds", rounds))
            self._noted = self.trainer.round
        if not self.log and hasattr(self._first, key):  # nothing has been played: it is a setting of the beginning
            setattr(self._first, key, value)
        else:
            self.log.append((key, value))

    def _new_data(self, source):
        if self.changes == 0:
            self.eye = Eye(source.data, self.z_dim, self.low, self.high, self.seed)
            self.gauge = Gauge(source.data, self.z_dim, self.low, self.high, self.seed)
        else:
            self.eye.new_data(source.data, self.seed)
            self.gauge.new_data(source.data, self.seed)

    def _before(self, player):
        """Slow motion: wait before an update, unless something else is asked for."""
        if not (self.slow and self.playing) or self._holding:
            return
        self.turn, self._holding = player, True
        until = time.perf_counter() + SLOW_SECONDS
        try:
            while self.slow and self.playing and not self._requests and time.perf_counter() < until:
                self._between()
                time.sleep(0.02)
        finally:
            self.turn, self._holding = None, False

    def record(self):
        """Measure how far the fakes are off, and keep it with the mean losses since the last record."""
        row = {"x": self.trainer.round + sum(self.alone.values())}
        for player, seen in self.trainer.game.seen.items():
            row[f"{player.lower()}_loss"] = float(torch.stack(seen).mean()) if seen else float("nan")
            seen.clear()
        row.update(self.gauge(self.trainer.game))
        self.records.append(row)
        return row
