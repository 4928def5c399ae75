"""What a trainer does when a number stops being one, or memory runs out: find where, say why, keep what was learned."""

import itertools
import linecache
import math
import os
import sys

import torch
from torch.overrides import TorchFunctionMode

from ganedu.checkpoints import random_state, set_random_state

CHECK_EVERY = 50  # rounds between two looks at losses and weights, at most


class NonFiniteLoss(FloatingPointError):
    """A loss or a weight became NaN or infinite. Says the round, the player, the term and the likely cause."""


class OutOfMemory(RuntimeError):
    """The device's memory did not suffice for a round. Says the batch size, the peak and a batch that would fit."""


def a_loss(player, value):
    """``value``, if a player can descend on it; else a TypeError in words that a writer of losses can use."""
    name = f"{player.lower()}_loss"
    if not isinstance(value, torch.Tensor):
        forgotten = (
            ": did you forget to return it?" if value is None else ", which carries no gradient: leave out .item()"
        )
        raise TypeError(f"{name}: got {value!r}, wants a tensor of shape (){forgotten}")
    if value.numel() != 1:
        raise TypeError(f"{name}: got a tensor of shape {tuple(value.shape)}, wants one number, shape (): average it")
    if not value.requires_grad:
        raise TypeError(f"{name}: got a loss without a gradient, wants one that reaches the parameters of {player}")
    return value


class Snapshot:
    """A copy of everything that training changes: nets, averages, optimisers, round, random states. On the device."""

    def __init__(self, trainer):
        self.trainer, self._copies = trainer, {}
        self.take()

    def _live(self):
        """Every tensor that training changes in place, by a name; an optimiser's moments once it has some."""
        live = {}
        for i, net in enumerate([self.trainer.game, *(ema.module for ema in self.trainer.emas.values())]):
            for j, tensor in enumerate(itertools.chain(net.parameters(), net.buffers())):
                live[i, j] = tensor.data
        for player, optimizer in self.trainer.optimizers.items():
            for j, parameter in enumerate(_parameters(optimizer)):
                for name, value in optimizer.state.get(parameter, {}).items():
                    if isinstance(value, torch.Tensor):
                        live[player, j, name] = value
        return live

    @torch.no_grad()
    def take(self):
        """Copy the trainer's present state. The memory of the last copy is used again."""
        live = self._live()
        if live.keys() != self._copies.keys():
            self._copies = {name: torch.empty_like(tensor) for name, tensor in live.items()}
        torch._foreach_copy_(list(self._copies.values()), list(live.values()))
        self.round = self.trainer.round
        self.ema_updates = {player: ema.updates for player, ema in self.trainer.emas.items()}
        self.random_state = random_state(self.trainer)

    @torch.no_grad()
    def put_back(self, random=False):
        """Give the trainer its state of then, in place; with ``random``, the random states as well."""
        live = self._live()
        torch._foreach_copy_([live[name] for name in self._copies], list(self._copies.values()))
        for name in live.keys() - self._copies.keys():  # moments that were not there yet, which is to say 0
            live[name].zero_()
        self.trainer.round = self.round
        for player, ema in self.trainer.emas.items():
            ema.updates = self.ema_updates[player]
        if random:
            set_random_state(self.trainer, self.random_state)


class Health:
    """Watches one run of a trainer. ``check(losses)`` is its one wait for the device."""

    def __init__(self, trainer):
        self.trainer = trainer
        for player, largest in zip(trainer.optimizers, self._largest_weights().tolist()):
            if not math.isfinite(largest):
                raise NonFiniteLoss(
                    f"weights of {player} are {largest} at round {trainer.round}, before the run begins"
                )
        self.snapshot, self.checked = Snapshot(trainer), trainer.round

    def _largest_weights(self):
        """The largest absolute weight of each player; NaN where one is NaN."""
        return torch.stack([_largest(_parameters(optimizer)) for optimizer in self.trainer.optimizers.values()])

    def check(self, losses):
        """The losses as floats, once they and all weights are found finite. Every ``CHECK_EVERY`` rounds or so, the state
        found sound is kept, to come back to.

        Raises:
            NonFiniteLoss: they are not. The trainer has its last finite weights back.
        """
        names = [*losses, *(f"weights of {player}" for player in self.trainer.optimizers)]
        read = self.trainer.workers.average(torch.stack([loss.float() for loss in losses.values()]))
        values = dict(zip(names, torch.cat([read, self._largest_weights()]).tolist()))  # the one wait
        for name, value in values.items():
            if not math.isfinite(value):
                raise NonFiniteLoss(self._find(name, value))
        self.checked = self.trainer.round
        if self.checked - self.snapshot.round >= CHECK_EVERY:  # a copy costs more than a look
            self.snapshot.take()
        return {name: values[name] for name in losses}

    # --- where it began ----------------------------------------------------------------------------------------

    def _find(self, name, value):
        """What to say of ``name``, seen to be not finite; puts the last finite weights back."""
        trainer, start, seen = self.trainer, self.snapshot.round, self.trainer.round
        rates = ", ".join(f"{player}: {trainer.lr(player):g}" for player in trainer.optimizers)
        too_fast = f"a learning rate that is too high ({rates})"
        found = self._replay(seen - start) if trainer.workers.size == 1 else None
        if found is None:  # a hook or a changed setting had a hand in it, or it began in another process
            self.snapshot.put_back()
            verb = "is" if name.endswith("_loss") else "are"
            return (
                f"{name} {verb} {value} at round {seen}; at round {start} all was finite, and those weights are back. "
                f"Likely cause: {too_fast}; or a logarithm or a division that meets 0 in the loss"
            )
        kept = f"The last finite weights are back (round {trainer.round})"
        loss = f"{found.player.lower()}_loss"
        if found.loss is not None:
            cause = f"{_CAUSES[found.function]}; or {too_fast}" if found.function in _CAUSES else too_fast
            return (
                f"{loss} is {found.loss} at round {found.round}, player {found.player}{found.term}. {kept}. "
                f"Likely cause: {cause}; or a logarithm or a division that meets 0 in the loss"
            )
        if found.gradient:
            return (
                f"the gradient of {loss} is not finite at round {found.round}, player {found.player}, where the loss "
                f"itself still is. {kept}. Likely cause: the root or the norm of something that is 0 "
                f"(add 1e-12 beneath the root), or a division by almost 0; or {too_fast}"
            )
        return (
            f"weights of {found.player} are not finite at round {found.round}, after the step of {found.player}, where "
            f"{loss} and its gradient still are. {kept}. Likely cause: {too_fast}"
        )

    def _replay(self, rounds):
        """Play the rounds since the snapshot again, looking at every update. Returns what is found, or None.

        What is found leaves the trainer as it was one update before; where nothing is, it is to be put back yet.
        """
        trainer, game = self.trainer, self.trainer.game
        self.snapshot.put_back(random=True)
        before = Snapshot(trainer)
        plain_loss = game.loss

        def watched_loss(player, batch):
            before.take()
            with _FirstNonFinite() as watch:
                loss = plain_loss(player, batch)
            if not torch.isfinite(loss):
                raise _Found(trainer.round + 1, player, loss.item(), watch.function, watch.term)
            return loss

        def after_step(player):
            def look(optimizer, *_):
                parameters = _parameters(optimizer)
                if not torch.isfinite(_largest(parameters)):
                    gradients = [p.grad for p in parameters if p.grad is not None]
                    raise _Found(trainer.round + 1, player, gradient=not torch.isfinite(_largest(gradients)))

            return look

        handles = [o.register_step_post_hook(after_step(player)) for player, o in trainer.optimizers.items()]
        game.loss = watched_loss
        try:
            play = trainer.speed.wrap_plainly(trainer.plain_step)
            for _ in range(rounds):
                trainer.begin_round()
                play()
                trainer.round += 1
        except _Found as found:
            before.put_back()
            return found
        finally:
            del game.loss  # the instance's: the class has its own
            if game.loss != plain_loss:
                game.loss = plain_loss
            for handle in handles:
                handle.remove()
        return None


class _Found(Exception):
    """Where the first number that is not finite came up."""

    def __init__(self, round, player, loss=None, function=None, term="", gradient=False):
        super().__init__(round, player)
        self.round, self.player, self.loss = round, player, loss
        self.function, self.term, self.gradient = function, term, gradient


class _FirstNonFinite(TorchFunctionMode):
    """Notes the first function of torch that makes a non-finite number out of finite ones, and the term it stands in."""

    function, term = None, ""

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        if self.function is None and _spoilt(result) and not any(map(_spoilt, args)):
            self.function = getattr(func, "__name__", "").strip("_")
            self.term = _term(sys._getframe(1), self.function)
        return result


def _term(frame, function):
    """The line of the player's loss that is being computed: of ``d_loss`` or its like, else the innermost of the caller."""
    lines = []
    while frame and frame.f_code.co_name != "watched_loss":
        if not frame.f_code.co_filename.startswith((_TORCH, __file__)):
            lines.append((frame.f_code.co_name, linecache.getline(frame.f_code.co_filename, frame.f_lineno).strip()))
        frame = frame.f_back
    for name, line in [*(pair for pair in lines if pair[0].endswith("_loss")), *lines[:1]]:
        if line:
            return f", term `{line}` of {name}, where `{function}` makes it so"
    return f", where `{function}` makes it so"


_TORCH = os.path.dirname(torch.__file__)
_CAUSES = {
    **dict.fromkeys(
        ("log", "log2", "log10", "log1p"), "a logarithm of 0: write it with softplus, as ganedu.losses does"
    ),
    **dict.fromkeys(("div", "truediv", "rtruediv", "reciprocal", "rsqrt"), "a division by 0"),
    **dict.fromkeys(("sqrt", "pow"), "a root of a negative number, or a power that overflows"),
    **dict.fromkeys(("exp", "expm1", "cosh", "sinh"), "an exponential that overflows"),
}


def _spoilt(value):
    return isinstance(value, torch.Tensor) and value.is_floating_point() and not bool(torch.isfinite(value).all())


def _parameters(optimizer):
    return [p for group in optimizer.param_groups for p in group["params"]]


def _largest(tensors):
    """The largest absolute value in ``tensors``, a scalar on the device; NaN where one is NaN."""
    ends = [end.float() for t in tensors if t.numel() for end in torch.aminmax(t.detach())]  # NaN wins in both
    return torch.stack(ends).abs().max()


# --- memory ----------------------------------------------------------------------------------------------------


class CudaMemory:
    """Bytes on one CUDA device, as this process sees them."""

    def __init__(self, device):
        self.device = device

    def peak(self):
        return torch.cuda.max_memory_allocated(self.device)

    def start_over(self):
        """Give back what is cached, and count the peak from here. Returns the bytes that are held."""
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(self.device)
        return torch.cuda.memory_allocated(self.device)

    def free(self):
        free, total = torch.cuda.mem_get_info(self.device)
        if hasattr(torch.cuda, "get_per_process_memory_fraction"):  # torch 2.8 and later
            share = total * torch.cuda.get_per_process_memory_fraction(self.device)
            free = min(free, int(share) - torch.cuda.memory_reserved(self.device))
        return free


def out_of_memory(trainer, memory):
    """The sentence about a round that did not fit into ``memory`` (a ``CudaMemory``).

    Smaller and smaller batches are tried, without an update, until one fits; its bytes per sample tell what would.
    """
    n = trial = trainer.plain_step.batch_size
    peak = memory.peak()
    buffers = [(buffer, buffer.to("cpu", copy=True)) for buffer in trainer.game.buffers()]
    drawn = random_state(trainer)
    words = f"batch_size: got {n}, which takes more memory than {trainer.device} has (peak {peak / 2**30:.2f} GiB)"
    while trial > 1:
        trial //= 2
        for optimizer in trainer.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
        held = memory.start_over()
        free = memory.free()
        try:
            _try_batch(trainer, trial)
        except torch.OutOfMemoryError:
            continue
        finally:
            for buffer, before in buffers:  # batch norm has seen what no update has
                buffer.copy_(before)
            set_random_state(trainer, drawn)
        per_sample = max(1, (memory.peak() - held) / trial)
        fits = min(n - 1, max(trial, int(0.9 * free / per_sample)))  # a tenth is left for what comes and goes
        fits = fits // 8 * 8 or fits
        return f"{words}, wants at most about {fits}: {per_sample / 2**20:.2f} MiB a sample were measured at {trial}"
    return f"{words}, and not even a batch of 1 fits: wants smaller nets or images"


def _try_batch(trainer, n):
    """Both passes of every player on ``n`` samples, and no update."""
    game, generator = trainer.game, trainer.generator
    for player in game.players:
        game.loss(player, game.draw(trainer.data, n, generator)).backward()
        for optimizer in trainer.optimizers.values():
            optimizer.zero_grad(set_to_none=True)
