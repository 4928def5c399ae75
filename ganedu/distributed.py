"""Several processes that train one model: each takes its slice of every batch, and they share one gradient.

    torchrun --nproc-per-node=4 -m ganedu train dcgan --data digits

torchrun starts the processes, ``join`` brings them together, ``parallel(trainer, workers)`` makes a trainer one of them. Its
Step stays as it is: the gradients are averaged between ``backward`` and ``step``, in one flat buffer per update. As every
loss here is a mean over the batch, the mean of the slices' gradients is the gradient on the joined batch, penalties with
their double backward included. What looks at the whole batch has to be told: batch norm takes its mean and variance over all
slices, on the CPU as well. Nothing else is synchronised: dropout draws apart on each slice, and a layer that
compares the samples of a batch compares those of its slice.
"""

import contextlib
import datetime
import io
import os

import numpy as np
import torch
import torch.distributed as dist
from torch import nn
from torch.autograd import Function

from ganedu.runtime import resolve_device, seed_all


class WorkerLost(RuntimeError):
    """Another process of the run is gone, or did not answer in time. The message says how to go on."""


class Workers:
    """The processes that train together. ``ALONE``, a single one, is what a trainer has unless it is told otherwise.

    Attributes:
        rank: number of this process, from 0. The process of rank 0 logs and saves.
        size: how many there are.
    """

    def __init__(self, rank=0, size=1, device="cpu"):
        self.rank, self.size, self.device = rank, size, torch.device(device)

    def share(self, batch_size):
        """The samples of a batch that each process plays.

        Raises:
            ValueError: the batch cannot be shared out evenly.
        """
        if batch_size % self.size:
            raise ValueError(f"batch_size: got {batch_size}, wants a multiple of {self.size}, the number of processes")
        return batch_size // self.size

    def average(self, tensor):
        """Replace ``tensor`` by its mean over all processes. Returns it."""
        return self.all_reduce(tensor).div_(self.size)

    def all_reduce(self, tensor):
        """All-reduce: replace ``tensor`` by its sum over all processes. Returns it."""
        if self.size > 1:
            with _answered():
                dist.all_reduce(tensor)
        return tensor

    def broadcast(self, tensors):
        """Broadcast: replace each of ``tensors`` by that of rank 0."""
        if self.size > 1:
            with _answered():
                for tensor in tensors:
                    dist.broadcast(tensor, src=0)

    def gather(self, state):
        """What every process has, as a list in the order of ranks. ``state``: what a checkpoint may hold."""
        if self.size == 1:
            return [state]
        file = io.BytesIO()
        torch.save(state, file)
        mine = torch.frombuffer(file.getbuffer(), dtype=torch.uint8).to(self.device)
        sizes = torch.zeros(self.size, dtype=torch.int64, device=self.device)
        sizes[self.rank] = len(mine)
        sizes = self.all_reduce(sizes).tolist()
        rows = torch.zeros(self.size, max(sizes), dtype=torch.uint8, device=self.device)
        rows[self.rank, : len(mine)] = mine
        rows = self.all_reduce(rows).cpu().numpy()
        return [torch.load(io.BytesIO(row[:n].tobytes()), weights_only=True) for row, n in zip(rows, sizes)]


ALONE = Workers()


@contextlib.contextmanager
def _answered():
    try:
        yield
    except RuntimeError as error:  # Gloo and NCCL raise this one and its children
        reason = str(error).strip().splitlines()[0]
        raise WorkerLost(
            f"another process of this run is gone or did not answer in time ({reason}); "
            "the last checkpoint is whole: start the same command again with --resume"
        ) from error


def started_by_torchrun():
    """Whether torchrun started this process as one of several."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def join(device=None, timeout=120):
    """Meet the other processes that torchrun started.

    Args:
        device: "cpu" or "cuda" (CUDA where there is one). Each process takes a CUDA device of its own. The processes talk
            through NCCL on CUDA and through Gloo on the CPU.
        timeout: seconds after which a process that does not answer is given up.

    Returns:
        the ``Workers``; its ``device`` is that of this process. ``ALONE`` on the device where torchrun started no others.

    Raises:
        ValueError: an unknown device, or fewer CUDA devices than processes.
    """
    device = resolve_device(device)
    if not started_by_torchrun():
        return Workers(device=device)
    if device.type == "cuda":
        device = resolve_device(f"cuda:{os.environ['LOCAL_RANK']}")
        torch.cuda.set_device(device)
    backend = "nccl" if device.type == "cuda" else "gloo"
    dist.init_process_group(backend, timeout=datetime.timedelta(seconds=timeout))
    return Workers(dist.get_rank(), dist.get_world_size(), device)


def leave():
    """Part from the other processes, at the end."""
    if dist.is_available() and dist.is_initialized():
        dist.destroy_process_group()


def parallel(trainer, workers):
    """Make ``trainer`` one of ``workers``: all call this, each with a trainer of the same settings. Returns the trainer.

    The trainer's batch size stays that of the whole: each process plays its share of it. All start from the weights of rank
    0. Each draws its batches, latents and all else from random streams of its own, set by the trainer's seed and its rank.

    Raises:
        ValueError: the batch cannot be shared out evenly.
    """
    share = workers.share(trainer.batch_size)
    trainer.workers = workers
    if workers.size == 1:
        return trainer
    trainer.step = trainer.speed.wrap_plainly(trainer.plain_step)  # what processes tell each other is not captured
    trainer.plain_step.batch_size = share
    for module in [trainer.game, *(ema.module for ema in trainer.emas.values())]:
        workers.broadcast([*(p.data for p in module.parameters()), *module.buffers()])
    synchronise_batch_norm(trainer.game, workers)
    own_streams(trainer)
    for optimizer in trainer.optimizers.values():
        optimizer.register_step_pre_hook(lambda optimizer, *_: average_gradients(optimizer, workers))
    return trainer


def own_streams(trainer):
    """Give this process random streams that depend on the seed, the rank and the round, and on nothing else."""
    sequence = np.random.SeedSequence([trainer.seed, trainer.workers.rank, trainer.workers.size, trainer.round])
    draws, everything_else = sequence.generate_state(2, np.uint32).tolist()
    trainer.generator.manual_seed(draws)
    seed_all(everything_else)


def average_gradients(optimizer, workers):
    """Replace the gradients of the optimiser's parameters by their means over all processes: one call over one buffer."""
    gradients = [p.grad for group in optimizer.param_groups for p in group["params"] if p.grad is not None]
    if gradients:
        flat = workers.average(torch.cat([g.flatten() for g in gradients]))
        parts = flat.split([g.numel() for g in gradients])
        torch._foreach_copy_(gradients, [part.view(g.shape) for part, g in zip(parts, gradients)])


# --- batch norm ------------------------------------------------------------------------------------------------


class SumOver(Function):
    """The sum over all processes. What a process adds counts in the loss of each, so gradients are summed as well."""

    @staticmethod
    def forward(ctx, tensor, workers):
        ctx.workers = workers
        return workers.all_reduce(tensor.clone())

    @staticmethod
    def backward(ctx, gradient):
        return SumOver.apply(gradient, ctx.workers), None  # itself differentiable: a penalty asks for it


class _OverAllSlices:
    """Batch norm whose mean and variance are those of the joined batch, forward, backward and twice backward."""

    def forward(self, x):
        if not self.training and self.track_running_stats:
            return super().forward(x)
        kind, x = x.dtype, x.float() if x.element_size() < 4 else x  # sums of 16-bit numbers are too coarse
        workers, channels = self.workers, x.shape[1]
        dims, shape = [0, *range(2, x.ndim)], [1, channels, *[1] * (x.ndim - 2)]
        count = x.new_full((channels,), x.numel() // channels)
        mine = torch.stack([count, x.mean(dims), x.var(dims, unbiased=False)])  # (3, C)
        rows = [mine if rank == workers.rank else torch.zeros_like(mine) for rank in range(workers.size)]
        counts, means, variances = SumOver.apply(torch.stack(rows), workers).unbind(1)  # (size, C) each
        share = counts / counts.sum(0)
        mean = (share * means).sum(0)
        variance = (share * (variances + (means - mean).square())).sum(0)  # within the slices and between them
        if self.track_running_stats:
            self._follow(mean.detach(), variance.detach(), counts.detach().sum(0))
        y = (x - mean.view(shape)) * (variance.view(shape) + self.eps).rsqrt()
        return (y * self.weight.view(shape) + self.bias.view(shape) if self.affine else y).to(kind)

    @torch.no_grad()
    def _follow(self, mean, variance, n):
        self.num_batches_tracked += 1
        momentum = 1 / self.num_batches_tracked if self.momentum is None else self.momentum
        self.running_mean.lerp_(mean, momentum)
        self.running_var.lerp_(variance * n / (n - 1), momentum)  # unbiased, as torch keeps it


class _BatchNorm1d(_OverAllSlices, nn.BatchNorm1d):
    pass


class _BatchNorm2d(_OverAllSlices, nn.BatchNorm2d):
    pass


class _BatchNorm3d(_OverAllSlices, nn.BatchNorm3d):
    pass


def synchronise_batch_norm(game, workers):
    """Let every batch norm of ``game`` take its statistics over all processes. Parameters and names stay."""
    kinds = {nn.BatchNorm1d: _BatchNorm1d, nn.BatchNorm2d: _BatchNorm2d, nn.BatchNorm3d: _BatchNorm3d}
    for module in game.modules():
        if type(module) in kinds:
            # changed in place: optimisers and averages hold on to the parameters and buffers that it has
            module.__class__ = kinds[type(module)]
            module.workers = workers
