"""How to minimise: the round (Step), the update, the average (EMA), and the Trainer that repeats rounds.

Read top to bottom. Rules that keep a Step fast, and let it be captured and replayed as one CUDA graph:
  - shapes are fixed;
  - no ``.item()``, no print, no Python branch on a tensor's value: losses stay tensors on the device;
  - indices and latents are drawn on the device, from one generator;
  - whatever changes while training runs (a learning rate, a decay) may become a tensor.
"""

import contextlib
import copy
import time

import torch
from torch import nn

from ganedu import checkpoints
from ganedu.arguments import real_number, whole_number
from ganedu.control import Control, learning_rate
from ganedu.data.given import as_data
from ganedu.distributed import ALONE
from ganedu.failures import CHECK_EVERY, CudaMemory, Health, NonFiniteLoss, OutOfMemory, a_loss, out_of_memory
from ganedu.gan import Game, call
from ganedu.looking import Looking, evaluating
from ganedu.runtime import resolve_device
from ganedu.speed import Rehearsal, Speed

__all__ = ["EMA", "NonFiniteLoss", "OutOfMemory", "Speed", "Step", "Trainer", "evaluating", "frozen", "update"]


class Step:
    """One round of the game. Calling it plays the round and returns each player's last loss as a tensor."""

    def __init__(self, game, data, optimizers, emas, batch_size, generator, precision=torch.float32):
        self.game, self.data = game, data
        self.optimizers, self.emas = optimizers, emas
        self.batch_size, self.generator = batch_size, generator
        self.precision = precision

    def __call__(self):
        game, losses = self.game, {}
        for player in game.players:  # in a GAN: D, then G
            with self.alone(player):
                for _ in range(game.turns(player)):  # in a GAN: n_critic for D, 1 for G
                    loss = self.learn(player, self.draw(player))
            losses[f"{player.lower()}_loss"] = loss
        for ema in self.emas.values():
            ema.update()
        return losses

    def alone(self, player):
        """A block in which nothing takes gradients but what the optimiser of ``player`` moves."""
        own = {id(p) for group in self.optimizers[player].param_groups for p in group["params"]}
        return frozen(*(p for p in self.game.parameters() if id(p) not in own))

    def draw(self, player):
        """The batch of one turn of ``player``: a dict of named tensors."""
        return self.game.draw(self.data, self.batch_size, self.generator)

    def learn(self, player, batch):
        """One update of ``player``. Returns its loss."""
        return update(self.optimizers[player], a_loss(player, self.loss(player, batch)))

    def loss(self, player, batch):
        """What ``player`` minimises, its nets computed in this step's precision."""
        with self.in_precision(next(iter(batch.values()))):
            return self.game.loss(player, batch)

    def in_precision(self, x):
        """A block in which nets compute in this step's precision, on the device of ``x``."""
        return torch.autocast(x.device.type, self.precision, enabled=self.precision != torch.float32)


def update(optimizer, loss):
    """One descent step on ``loss``. Returns the loss, cut from its graph, still on the device."""
    optimizer.zero_grad(set_to_none=True)
    loss.backward()
    optimizer.step()
    return loss.detach()


@contextlib.contextmanager
def frozen(*what):
    """Within this block the parameters in ``what`` (modules, parameters) take no gradient; gradients still pass through."""
    parameters = [p for one in what for p in (one.parameters() if isinstance(one, nn.Module) else [one])]
    parameters = [p for p in parameters if p.requires_grad]
    for p in parameters:
        p.requires_grad_(False)
    try:
        yield
    finally:
        for p in parameters:
            p.requires_grad_(True)


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


def _as_game(game, data):
    """``game``, or a TypeError that says what to write in its place."""
    if isinstance(game, Game):
        return game
    if isinstance(data, Game):
        raise TypeError(
            f"game: got {type(game).__name__}, and a {type(data).__name__} for data, wants Trainer(game, data)"
        )
    wants = "wants a Game with its players, such as VanillaGAN(G, D, z_dim=64)"
    got = f"the class {game.__name__}" if isinstance(game, type) else type(game).__name__
    raise TypeError(f"game: got {got}, {f'wants an instance: {game.__name__}()' if isinstance(game, type) else wants}")


class Trainer(Control, Looking):
    """Plays rounds of a game on data, lets hooks watch, and obeys pause, resume, stop and changed settings.

    Args:
        game: a ``Game``, for instance a ``VanillaGAN``. It is moved to the device.
        data: has ``batch(n, generator)``, a dict of named tensors, or ``sample(n, generator) -> x``; and ``to(device)``.
            See ``ganedu.data``; a tensor, a list or a ``Dataset`` of images will do.
        batch_size: real images, and latents, per update.
        lr: learning rate, a float or a dict by player; the model's own unless given.
        n_critic: D updates per G update; the model's own unless given.
        ema_decay: in [0, 1), for the averaged players, such as ``G_ema``.
        device: see ``resolve_device``.
        seed: of the generator that draws batches and latents; the same seed and number of threads give the same weights.
            Unless given it is drawn from torch's global generator, so that one ``seed_all(0)`` at the top of a notebook
            fixes the whole run.
        log_every: rounds between two entries of ``history``.
        speed: how rounds are computed, a ``Speed``.

    Attributes, beside those of ``Control`` and ``Looking``:
        history: a dict of lists, {"round": [...], "d_loss": [...], ...}, one entry every ``log_every`` rounds.
        rates: each player's own learning rate; ``lr_factor`` times it is what is in force.
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
        speed=None,
    ):
        super().__init__()
        self.batch_size, self.chosen_batch_size = whole_number("batch_size", batch_size), None  # or by set_batch_size
        self.log_every = whole_number("log_every", log_every)
        self.device = resolve_device(device)
        game, data = _as_game(game, data), as_data(data)
        self.speed = Speed() if speed is None else speed
        if not isinstance(self.speed, Speed):
            raise TypeError(f"speed: got {speed!r}, wants a Speed, such as Speed(precision=torch.bfloat16)")
        self.speed.check(game, self.device)
        if seed is None:
            seed = int(torch.randint(2**31, ()))
        self.seed = whole_number("seed", seed, at_least=0)
        self.generator = torch.Generator(self.device).manual_seed(self.seed)
        still = torch.Generator(self.device).manual_seed(self.seed + 1)  # a separate generator for displays

        self.game = game.to(self.device)
        self.data = data.to(self.device)
        self.fixed = self.game.draw(self.data, 64, still)
        with evaluating(self.game):
            call(self.game.check, self.fixed)

        self.rates, self.lr_factor = self._rates(self.game.lr if lr is None else lr), 1.0
        if n_critic is not None:
            self.game.n_critic = whole_number("n_critic", n_critic)
        self.rehearsal = Rehearsal(self, Step)
        self.speed = self.speed.settled(self.rehearsal)
        self.speed.prepare(self.game)
        self.optimizers = {player: self.game.optimizer(player, rate) for player, rate in self.rates.items()}
        for optimizer in self.optimizers.values():
            for group in optimizer.param_groups:
                group.setdefault("initial_lr", float(group["lr"]))  # what set_lr keeps the proportions of
        self.emas = {player: EMA(getattr(self.game, player), ema_decay) for player in self.game.averaged}
        self.plain_step = Step(
            self.game, self.data, self.optimizers, self.emas, self.batch_size, self.generator, self.speed.precision
        )
        self.step = self.speed.wrap(self.plain_step)
        self.workers = ALONE  # or several processes: see ganedu.distributed

        self.seconds = 0.0
        self.history = {"round": []}
        self._hooks = []

    def _rates(self, lr):
        if not isinstance(lr, dict):
            lr = dict.fromkeys(self.game.players, lr)
        if set(lr) != set(self.game.players):
            raise ValueError(f"lr: got players {sorted(lr)}, wants {sorted(self.game.players)}")
        return {player: learning_rate(player, rate) for player, rate in lr.items()}

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
        with self.running(rounds):
            self.game.to(self.device).train()  # a cell may have moved it
            if hasattr(self.step, "begin_run"):
                self.step.begin_run()
            with self.speed.threads(self.rehearsal, rounds, self.workers.size):
                self._play_rounds(between)
        return self

    def _play_rounds(self, between):
        health = Health(self)
        while self.round < self.target and self.may_go_on(between):
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

    def _play(self):
        self.begin_round()
        with contextlib.suppress(torch.OutOfMemoryError):
            return self.step()
        # out here the error is gone, and with its traceback the tensors that the failed round still held
        raise OutOfMemory(out_of_memory(self, CudaMemory(self.device)))

    def begin_round(self):
        """Tell the game which round comes, so that its schedules fill their tensors."""
        self.game.round = self.round
        self.game.begin(self.round)

    def _log(self, losses):
        self.history["round"].append(self.round)
        for name, value in [*losses.items(), *self.observe().items()]:
            self.history.setdefault(name, []).append(value)

    # --- hooks ------------------------------------------------------------------------------------------------

    def add_hook(self, hook, every=1):
        """Call ``hook(trainer)`` after every ``every`` rounds. Returns the hook."""
        self._hooks.append((hook, whole_number("every", every)))
        return hook

    def remove_hook(self, hook):
        """Stop calling ``hook``."""
        self._hooks = [(h, every) for h, every in self._hooks if h is not hook]

    # --- saving -----------------------------------------------------------------------------------------------

    def save(self, path):
        """Write a checkpoint, whole or not at all, of the end of a round: see ``checkpoints.save``. Returns the path."""
        return self.between_rounds(lambda: checkpoints.save(self, path))

    def load(self, path):
        """Go on from a checkpoint that ``save`` wrote: the run reaches the weights of an unbroken one.

        Raises:
            ValueError: the file is no checkpoint, or one of another model.
        """
        self.between_rounds(lambda: checkpoints.load(self, path))
        return self
