"""How to minimise: the update, the round (Step), the average (EMA) and the Trainer that repeats rounds.

Rules that keep a Step fast, and let it be captured and replayed as one CUDA graph:
  - shapes are fixed;
  - no ``.item()``, no print, no Python branch on a tensor's value: losses stay tensors on the device;
  - indices and latents are drawn on the device, from one generator;
  - whatever changes while training runs (a learning rate, a decay) may become a tensor.
"""

import contextlib
import copy
import math
import threading
import time
import types

import torch

from ganedu import checkpoints
from ganedu import speed as engine
from ganedu.arguments import real_number, whole_number
from ganedu.distributed import ALONE
from ganedu.failures import CHECK_EVERY, CudaMemory, Health, NonFiniteLoss, OutOfMemory, out_of_memory
from ganedu.runtime import resolve_device
from ganedu.speed.reuse import Once

__all__ = ["EMA", "NonFiniteLoss", "OutOfMemory", "Step", "Trainer", "evaluating", "frozen", "update"]

TUNED_FROM = 200  # rounds: a shorter run is over before measuring has paid


def update(optimizer, loss):
    """One descent step on ``loss``. Returns the loss, cut from its graph, still on the device."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()


@contextlib.contextmanager
def frozen(*modules):
    """Within this block the parameters of ``modules`` take no gradient; gradients still pass through them."""
    parameters = [p for module in modules for p in module.parameters() if p.requires_grad]
    for p in parameters:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_(True)


@contextlib.contextmanager
def evaluating(*modules):
    """Within this block ``modules`` are in eval mode (running statistics, no dropout) and no gradient is kept."""
    were_training = [[(m, m.training) for m in module.modules()] for module in modules]
    try:
        for module in modules:
            module.eval()
        with torch.no_grad():
            yield
    finally:
        for saved in were_training:
            for m, was_training in saved:
                m.training = was_training


class EMA:
    """Exponential moving average of a module's weights: w_ema <- w_ema + (1 - d) (w - w_ema).

    Early on the average follows faster, d = min(decay, (1 + t) / (10 + t)) after t updates, so that it does not
    carry the random initial weights along. Batch-norm statistics are averaged as well.

    Args:
        module: the module to follow; the average is ``self.module``, a copy in eval mode.
        decay: d in [0, 1); 0.999 averages over about the last thousand updates.
    """

    def __init__(self, module, decay=0.999):
        self.decay = real_number("ema_decay", decay, at_least=0, below=1)
        self.source = module
        self.module = copy.deepcopy(module).eval().requires_grad_(False)
        averaged = [*self.module.parameters(), *self.module.buffers()]
        current = [*module.parameters(), *module.buffers()]
        pairs = list(zip(averaged, current))
        self._floats = [(a, c) for a, c in pairs if a.is_floating_point()]
        self._others = [(a, c) for a, c in pairs if not a.is_floating_point()]  # batch norm's counters
        device = averaged[0].device if averaged else "cpu"
        self._updates = torch.zeros((), dtype=torch.float64, device=device)  # a replayed round counts there as well

    @property
    def updates(self):
        """How many updates the average has seen."""
        return int(self._updates)

    @updates.setter
    def updates(self, n):
        self._updates.fill_(n)

    @torch.no_grad()
    def update(self):
        """Move the average towards the module's present weights."""
        averaged, current = [a for a, _ in self._floats], [c for _, c in self._floats]
        t = self._updates
        if t.is_cuda:  # the weight is not known here, only on the device
            way = torch._foreach_sub(current, averaged)
            torch._foreach_mul_(way, (1 - ((1 + t) / (10 + t)).clamp(max=self.decay)).float())
            torch._foreach_add_(averaged, way)
        else:
            torch._foreach_lerp_(averaged, current, 1 - min(self.decay, float((1 + t) / (10 + t))))
        for average, current in self._others:
            average.copy_(current)
        self._updates += 1


class Step:
    """One round of the game. Calling it plays the round and returns each player's last loss as a tensor."""

    def __init__(self, game, data, optimizers, emas, batch_size, generator, precision=torch.float32, reuse=False):
        self.game, self.data = game, data
        self.optimizers, self.emas = optimizers, emas
        self.batch_size, self.generator = batch_size, generator
        self.precision, self.reuse = precision, reuse

    def __call__(self):
        if self.shares_fakes():
            return self.on_the_same_fakes()
        game, losses = self.game, {}
        for player in game.players:  # in a GAN: D, then G
            with self.alone(player):
                for _ in range(game.turns(player)):  # in a GAN: n_critic for D, 1 for G
                    x, z = self.draw()
                    loss = update(self.optimizers[player], self.loss(player, x, z))
            losses[f"{player.lower()}_loss"] = loss
        for ema in self.emas.values():
            ema.update()
        return losses

    def shares_fakes(self):
        """Whether this round has one set of fakes for both players."""
        return self.reuse and all(self.game.turns(player) == 1 for player in self.game.players)

    def on_the_same_fakes(self):
        """A round in which G learns from the fakes that D has just judged: G computes them once and not twice."""
        game, (x, z) = self.game, self.draw()
        with Once(game.G) as fakes:
            d_loss = update(self.optimizers["D"], self.loss("D", x, z))
            fakes.takes_gradients()
            with self.alone("G"):
                g_loss = update(self.optimizers["G"], self.loss("G", x, z))
        for ema in self.emas.values():
            ema.update()
        return {"d_loss": d_loss, "g_loss": g_loss}

    def alone(self, player):
        """A block in which no player but ``player`` takes gradients."""
        return frozen(*[getattr(self.game, other) for other in self.game.players if other != player])

    def draw(self):
        """(x, z): a real batch and latents."""
        return self.data.sample(self.batch_size, self.generator), self.game.sample_z(self.batch_size, self.generator)

    def loss(self, player, x, z):
        """What ``player`` minimises, its nets computed in this step's precision."""
        with self.in_precision(x):
            return self.game.loss(player, x, z)

    def in_precision(self, x):
        """A block in which nets compute in this step's precision, on the device of ``x``."""
        return torch.autocast(x.device.type, self.precision, enabled=self.precision != torch.float32)


class Trainer:
    """Plays rounds of a game on data, lets hooks watch, and obeys pause, resume, stop and changed settings.

    Args:
        game: a ``Game``, for instance a ``VanillaGAN``. It is moved to the device.
        data: has ``sample(n, generator) -> x`` and ``to(device)``; see ``ganedu.data``.
        batch_size: real images, and latents, per update.
        lr: learning rate, a float or a dict by player; the model's own unless given.
        n_critic: D updates per G update; the model's own unless given.
        ema_decay: in [0, 1), for the averaged generator ``G_ema``.
        device: see ``resolve_device``.
        seed: of the generator that draws batches and latents; the same seed and number of threads give the same weights.
            Unless given it is drawn from torch's global generator, so that one ``seed_all(0)`` at the top of a notebook
            fixes the whole run.
        log_every: rounds between two entries of ``history``.
        fast: on CUDA a round is played as one launch (see ``ganedu.speed``); ``False`` plays it one kernel at a time.
        precision: ``torch.bfloat16`` lets the nets compute in 16 bits; losses, weights and averages have 32 in any case.
        reuse: ``True`` lets G learn from the very fakes that D has just judged, as many public loops do, so that G's
            forward pass runs once a round; as in algorithm 1 of Goodfellow et al. each player draws its own unless asked
            for. Only for a game of D and G, and in effect while ``n_critic`` is 1.
        compile: ``True`` compiles each player's loss and gradients on a CPU (see ``speed.Compiled``): worth it in runs of
            minutes, as compiling takes half a minute, and a C++ compiler.
        channels_last: ``True`` keeps the channels of images and kernels last in memory, which makes convolutions quicker on
            many processors and changes nothing but last digits; unless given, only in 16 bits.
        tune: on a CPU, whether what is quicker is measured on a copy of the game: unless given, one thread or all of
            them, before a run of 200 rounds or more; ``True``: the precision and ``channels_last`` as well; ``False``:
            nothing.

    Attributes:
        round: rounds played so far.
        history: a dict of lists, {"round": [...], "d_loss": [...], ...}, one entry every ``log_every`` rounds.
        state: "idle", "running", "paused", "stopped", "done" or "failed".
        fixed_z: 64 latents that stay the same, for grids that show progress.
        seconds: time spent training, pauses not counted.

    Raises:
        TypeError, ValueError: an argument that does not fit; the message names it, what it got and what it wants.
    """

    def __init__(
        self,
        game,
        data,
        *,
        batch_size=64,
        lr=None,
        n_critic=None,
        ema_decay=0.999,
        device=None,
        seed=None,
        log_every=25,
        fast=None,
        precision=torch.float32,
        reuse=False,
        compile=False,
        channels_last=None,
        tune=None,
    ):
        self.batch_size = whole_number("batch_size", batch_size)
        self.log_every = whole_number("log_every", log_every)
        if fast not in (None, True, False):
            raise TypeError(f"fast: got {fast!r}, wants False, or None for what the device can do")
        if precision not in (torch.float32, torch.bfloat16):
            raise ValueError(f"precision: got {precision!r}, wants torch.float32 or torch.bfloat16")
        for name, value in (("reuse", reuse), ("compile", compile)):
            if value not in (True, False):
                raise TypeError(f"{name}: got {value!r}, wants True or False")
        if reuse and set(game.players) != {"D", "G"}:
            raise ValueError(f"reuse: got True for a game of {', '.join(game.players)}, wants one of D and G")
        for name, value in (("tune", tune), ("channels_last", channels_last)):
            if value not in (None, True, False):
                raise TypeError(f"{name}: got {value!r}, wants True, False or None")
        self.device = resolve_device(device)
        if compile and self.device.type != "cpu":
            raise ValueError(f"compile: got True on {self.device}, wants a CPU; on CUDA a round is one launch already")
        self.tune, self.reuse = tune, reuse
        if seed is None:
            seed = int(torch.randint(2**31, ()))
        self.seed = whole_number("seed", seed, at_least=0)
        self.generator = torch.Generator(self.device).manual_seed(self.seed)
        still = torch.Generator(self.device).manual_seed(self.seed + 1)  # what is only looked at draws apart

        self.game = game.to(self.device)
        self.data = data.to(self.device)
        self.fixed_x = self.data.sample(64, still)
        self.fixed_z = self.game.sample_z(64, still)
        with evaluating(self.game):
            self.game.check(self.fixed_x)

        rates = self._rates(self.game.lr if lr is None else lr)
        self.precision = precision
        if n_critic is not None:
            self.game.n_critic = whole_number("n_critic", n_critic)
        if tune and self._may_rehearse():
            self.precision = engine.quickest_precision(self._rehearse, self._net())
            if channels_last is None and self.precision == torch.float32:
                channels_last = engine.quickest_layout(self._rehearse, self._net())
        engine.lower(self.game, self.precision, channels_last)
        self.channels_last = bool(channels_last) or self.precision != torch.float32
        self.optimizers = {player: self.game.optimizer(player, rate) for player, rate in rates.items()}
        self.emas = {player: EMA(getattr(self.game, player), ema_decay) for player in self.game.averaged}
        self.plain_step = Step(
            self.game, self.data, self.optimizers, self.emas, self.batch_size, self.generator, self.precision, reuse
        )
        if compile:
            self.step = engine.Compiled(self.plain_step)
        else:
            self.step = self.plain_step if fast is False else engine.fast(self.plain_step)
        self.workers = ALONE  # or several processes: see ganedu.distributed

        self.round, self.target, self.seconds = 0, 0, 0.0
        self.history = {"round": []}
        self.state = "idle"
        self._hooks = []
        self._requests = []  # settings to change, applied between two rounds
        self._pause = self._stop = False
        self._single_steps = 0
        self._changed = threading.Condition()

    def _rates(self, lr):
        if not isinstance(lr, dict):
            lr = dict.fromkeys(self.game.players, lr)
        if set(lr) != set(self.game.players):
            raise ValueError(f"lr: got players {sorted(lr)}, wants {sorted(self.game.players)}")
        return {player: real_number(f"lr of {player}", rate, at_least=0, below=math.inf) for player, rate in lr.items()}

    # --- measuring what is quicker: on a copy, which trains and is thrown away ------------------------------------

    def _may_rehearse(self):
        """Whether a copy of the game can play without touching the game or its data."""
        if self.device.type != "cpu" or hasattr(self.data, "state_dict"):
            return False
        if any(isinstance(value, types.FunctionType) for value in vars(self.game).values()):
            return False  # a function put onto the game itself acts on the game from within a copy, too
        try:
            copy.deepcopy(self.game)
        except (RuntimeError, TypeError):  # it keeps a tensor with its graph, a lock, an open file
            return False
        return True

    def _rehearse(self, precision=None, channels_last=False):
        game = copy.deepcopy(self.game).train()
        if precision is not None or channels_last:
            engine.lower(game, precision or torch.float32, channels_last)
        optimizers = {player: game.optimizer(player, rate) for player, rate in self._rates(game.lr).items()}
        draw = torch.Generator(self.device).manual_seed(0)
        return Step(game, self.data, optimizers, {}, self.batch_size, draw, precision or self.precision, self.reuse)

    def _net(self):
        return type(self.game), str(self.game), self.batch_size, self.precision

    def _threads(self, rounds):
        """How many threads a run of so many rounds is to use."""
        if self.tune is False or rounds < TUNED_FROM or self.workers.size > 1 or not self._may_rehearse():
            return torch.get_num_threads()
        return engine.quickest_threads(self._rehearse, self._net())

    # --- what the trainer gives back -------------------------------------------------------------------------

    @property
    def G_ema(self):
        """The averaged generator: use it for samples."""
        return self.emas["G"].module

    def sample(self, n, z=None, batch_size=500):
        """``n`` samples from the averaged generator, or those for given latents ``z``; on the device, no gradient.

        Without ``z``, latents come from a generator of their own, so that looking never changes the training.
        """
        if z is None:
            n = whole_number("n", n)
            z = self.game.sample_z(n, torch.Generator(self.device).manual_seed(self.seed + 2))
        with torch.no_grad():
            return torch.cat([self.G_ema(part) for part in z.split(batch_size)])

    def observe(self):
        """The game's scalars on the fixed batch, as floats. Changes nothing in the training."""
        with evaluating(self.game):
            seen = self.game.observe(self.fixed_x, self.fixed_z)
            values = torch.stack(
                [torch.as_tensor(v, device=self.device).double() for v in seen.values()] or [torch.zeros(())]
            )
        return dict(zip(seen, values.tolist()))  # the one wait for the device

    def lr(self, player):
        """The present learning rate of ``player``."""
        return float(self.optimizers[player].param_groups[0]["lr"])

    # --- what anybody may ask for, from any thread -------------------------------------------------------------

    def add_hook(self, hook, every=1):
        """Call ``hook(trainer)`` after every ``every`` rounds. Returns the hook."""
        self._hooks.append((hook, whole_number("every", every)))
        return hook

    def remove_hook(self, hook):
        """Stop calling ``hook``."""
        self._hooks = [(h, every) for h, every in self._hooks if h is not hook]

    def pause(self):
        """Hold after the round that is being played."""
        with self._changed:
            self._pause = True

    def resume(self):
        """Go on after a pause."""
        with self._changed:
            self._pause = False
            self._changed.notify_all()

    def single_step(self):
        """Play one round and hold again."""
        with self._changed:
            self._pause = True
            self._single_steps += 1
            self._changed.notify_all()

    def stop(self):
        """End the run after the round that is being played. The model keeps what it learned."""
        with self._changed:
            self._stop = True
            self._changed.notify_all()

    def set_lr(self, player, lr):
        """Change a learning rate from the next round on."""
        if player not in self.optimizers:
            raise ValueError(f"player: got {player!r}, wants one of {', '.join(self.optimizers)}")
        lr = real_number(f"lr of {player}", lr, at_least=0, below=math.inf)
        self._request(lambda: self.optimizers[player].param_groups[0].update(lr=lr))

    def set_n_critic(self, n_critic):
        """Change the number of D updates per G update from the next round on."""
        n_critic = whole_number("n_critic", n_critic)
        self._request(lambda: setattr(self.game, "n_critic", n_critic))

    def _request(self, change):
        with self._changed:
            if self.state in ("running", "paused"):
                self._requests.append(change)
                self._changed.notify_all()
            else:
                change()

    # --- the loop ---------------------------------------------------------------------------------------------

    def run(self, rounds, between=None):
        """Play ``rounds`` rounds, more if called again. Blocks until they are played or ``stop()`` is called.

        Args:
            rounds: how many, at least 1.
            between: called between rounds and, over and over, during a pause: there a front end is polled.

        Returns:
            the trainer itself.

        Raises:
            NonFiniteLoss: a loss or a weight became NaN or infinite; the last finite weights are put back.
            OutOfMemory: a round does not fit into the CUDA device's memory; the message says which batch would.
        """
        rounds = whole_number("rounds", rounds)
        with self._changed:
            if self.state in ("running", "paused"):
                raise RuntimeError("run: this trainer is training already; stop() it or wait for it to end")
            self.state = "running"
            self._stop = False
        self.target = self.round + rounds
        self.game.train()
        try:
            with engine.threads(self._threads(rounds)):
                self._play_rounds(between)
            self.state = "done" if self.round >= self.target else "stopped"
        except KeyboardInterrupt:
            self.state = "stopped"  # the weights are those of the last whole update
            raise
        except BaseException:
            self.state = "failed"
            raise
        finally:
            with self._changed:  # the end of a run ends its pause, and nothing asked for is lost
                for change in self._requests:
                    change()
                self._requests.clear()
                self._pause, self._single_steps = False, 0
        return self

    def _play_rounds(self, between):
        health = Health(self)
        while self.round < self.target and self._may_go_on(between):
            started = time.perf_counter()
            losses = self._play()
            self.round += 1
            if self.round % self.log_every == 0 or self.round == self.target:
                self._log(health.check(losses))
            elif self.round % CHECK_EVERY == 0:
                health.check(losses)
            self.seconds += time.perf_counter() - started
            for hook, every in self._hooks:
                if self.round % every == 0:
                    hook(self)
        if health.checked != self.round:  # stopped between two looks
            health.check(losses)

    def _may_go_on(self, between):
        """Apply what was asked for, hold while paused; False when the run is to stop."""
        if between is not None:
            between()
        if not (self._pause or self._stop or self._requests):
            return True
        while True:
            with self._changed:
                for change in self._requests:
                    change()
                self._requests.clear()
                if self._stop or not self._pause or self._single_steps:
                    self._single_steps = max(0, self._single_steps - 1)
                    self.state = "running"
                    return not self._stop
                self.state = "paused"
                if between is None:
                    self._changed.wait()
            if between is not None:
                between()
                time.sleep(0.02)

    def _play(self):
        self.game.round = self.round
        with contextlib.suppress(torch.OutOfMemoryError):
            return self.step()
        # out here the error is gone, and with its traceback the tensors that the failed round still held
        raise OutOfMemory(out_of_memory(self, CudaMemory(self.device)))

    def _log(self, losses):
        self.history["round"].append(self.round)
        for name, value in [*losses.items(), *self.observe().items()]:
            self.history.setdefault(name, []).append(value)

    # --- saving -----------------------------------------------------------------------------------------------

    def save(self, path):
        """Write a checkpoint, whole or not at all: see ``checkpoints.save``. Returns the path."""
        return checkpoints.save(self, path)

    def load(self, path):
        """Go on from a checkpoint that ``save`` wrote: the run reaches the weights of an unbroken one.

        Raises:
            ValueError: the file is no checkpoint, or one of another model.
        """
        checkpoints.load(self, path)
        return self
