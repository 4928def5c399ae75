"""On CUDA a whole round becomes one launch.

A round of small nets is some hundred kernels of a few microseconds each, and on CUDA the time goes into launching them.
``fast(step)`` plays the first rounds as they are, then captures one round (every D update, the G update, the draws of
indices and latents, the penalties' double backward, Adam, the average) as a CUDA graph, and from there on replays it: one
launch a round. What is learned is what the plain step would have learned.
"""

import contextlib
import gc
import threading
import warnings
import weakref
from typing import NamedTuple

import torch

from ganedu.speed.kinds import settings_of, structure_of

WARM_UP = 3  # plain rounds before a capture: they make the optimisers' moments and let cuBLAS and cuDNN choose
MOST_GRAPHS = 4  # kept at a time: a slider that runs through n_critic must not fill the memory


def fast(step):
    """``step`` itself on a CPU; on CUDA a ``CapturedStep``, which plays the same rounds in one launch each.

    An optimiser that torch cannot capture, such as SGD, has its rounds played as they are.

    Args:
        step: a ``training.Step`` that keeps the rules on top of training.py.
    """
    fits = all("capturable" in group for optimizer in step.optimizers.values() for group in optimizer.param_groups)
    return CapturedStep(step) if step.generator.device.type == "cuda" and fits else step


class NotCaptured(RuntimeError):
    """A round could not be recorded. The message says why."""


class _Captured(NamedTuple):
    graph: object  # torch.cuda.CUDAGraph
    losses: dict  # each replay writes its losses here
    gradients: list  # (parameter, gradient) pairs: and its gradients there


class CapturedStep:
    """A Step replayed as CUDA graphs: one for each kind of round that the game plays.

    Rounds differ in kind by the number of turns (``n_critic``), by the batch size, by the game's own settings (``gp_weight``,
    the objective), and by what ``game.variant()`` says (with lazy regularisation, whether this round regularises). Of each
    kind the first ``WARM_UP`` rounds are played as they are; they count as rounds like all others. Learning rates may be
    changed at any time, in whatever way: they are tensors on the device, which a captured round reads anew each time.

    The losses that a call returns are overwritten by the next round of that kind: read them, or clone them, before.

    A round that waits for the device (``.item()``, ``print(loss)``, ``if loss > 1``) cannot be captured. It is found during
    the warm-up; a warning says so, and all rounds are played as they are.
    """

    def __init__(self, step):
        self.step = step
        self.device = step.generator.device
        # warm-up and capture on one stream, so that what libraries allocate once a stream is there before the capture
        self.stream = torch.cuda.Stream(self.device)
        self._rates = []  # (param_group, tensor)
        self._structure = None
        self.forget()
        me = weakref.ref(self)  # an optimiser that is kept does not keep the graphs

        def forget(optimizer):
            if me() is not None:
                me().forget()

        for optimizer in step.optimizers.values():
            optimizer.register_load_state_dict_post_hook(forget)

    def begin_run(self):
        """To be called when a run begins: graphs of nets that were replaced, moved or frozen meanwhile are let go."""
        structure = structure_of(self.step.game)
        if structure != self._structure:
            if self._structure is not None:
                self.forget()
            self._structure = structure

    def forget(self):
        """Drop what was captured, as needed when optimisers got other tensors; the next rounds capture anew."""
        self._graphs, self._played, self._latest, self._plain = {}, {}, None, False
        # The graphs never run at once and may share their memory. A new pool each time: somebody may keep a tensor of the old
        self.pool = torch.cuda.graph_pool_handle()
        self._rates = [rate for optimizer in self.step.optimizers.values() for rate in _capturable(optimizer)]

    def __call__(self):
        self._follow_rates()
        game = self.step.game
        if self._plain:
            return self.step()
        turns = tuple(game.turns(player) for player in game.players)
        kind = (self.step.batch_size, turns, game.variant(), settings_of(game))
        if kind not in self._graphs:
            played = self._played[kind] = self._played.get(kind, 0) + 1
            if played <= WARM_UP:
                return self._warm_up(is_last=played == WARM_UP)
            while len(self._graphs) >= MOST_GRAPHS:
                del self._graphs[next(iter(self._graphs))]
            try:
                self._graphs[kind] = self._capture()
            except NotCaptured as error:
                self.forget()
                self._plain = True
                warnings.warn(f"{error}; rounds are played one kernel at a time", stacklevel=2)
                return self.step()
        captured = self._graphs[kind]
        captured.graph.replay()
        if kind != self._latest:  # p.grad is what this round computed, not what another kind did
            for parameter, gradient in captured.gradients:
                parameter.grad = gradient
            self._latest = kind
        return captured.losses

    def _follow_rates(self):
        """A learning rate that was set as a number goes into its tensor."""
        for group, rate in self._rates:
            if group["lr"] is not rate:
                rate.fill_(float(group["lr"]))
                group["lr"] = rate

    def _warm_up(self, is_last):
        self._latest = None
        present = torch.cuda.current_stream(self.device)
        self.stream.wait_stream(present)
        with torch.cuda.stream(self.stream), _no_word_on_capturable(), contextlib.ExitStack() as watched:
            waits = watched.enter_context(_waits_for_the_device()) if is_last else []
            losses = self.step()
        present.wait_stream(self.stream)
        for loss in losses.values():
            loss.record_stream(present)
        if waits:
            self._plain = True
            warnings.warn(
                f"fast: got a round that waits for the device ({waits[0]}), wants one without .item(), print or a branch on "
                "a tensor's value; rounds are played one kernel at a time",
                stacklevel=3,
            )
        return losses

    def _capture(self):
        """Record a round without playing it: nothing is learned, and no random number drawn."""
        step, present = self.step, torch.cuda.current_stream(self.device)
        for optimizer in step.optimizers.values():
            optimizer.zero_grad(set_to_none=True)  # gradients are to lie in the graph's own memory
        gc.collect()  # an older graph that the collector finds during a capture would spoil it
        collecting = gc.isenabled()
        gc.disable()
        graph = torch.cuda.CUDAGraph()
        if hasattr(graph, "register_generator_state"):  # newer versions of torch find the generators themselves
            graph.register_generator_state(step.generator)  # torch's own CUDA generator always is
        cause = None
        try:
            # thread_local: a view in another thread may read from the device meanwhile
            with torch.cuda.graph(graph, pool=self.pool, stream=self.stream, capture_error_mode="thread_local"):
                try:
                    losses = step()
                except Exception as error:
                    cause = error
                    raise
        except Exception as error:
            if isinstance(cause, torch.OutOfMemoryError):
                raise cause from None
            reason = (str(cause or error).strip() or type(error).__name__).splitlines()[0]
            raise NotCaptured(
                f"fast: got a round that cannot be captured as a CUDA graph ({reason}), wants one of fixed shapes that never "
                "waits for the device, or Speed(fast=False)"
            ) from (cause or error)
        finally:
            if collecting:
                gc.enable()
            torch.cuda.set_stream(present)  # a capture that fails may leave this thread on its stream
        parameters = [p for o in step.optimizers.values() for group in o.param_groups for p in group["params"]]
        return _Captured(graph, losses, [(p, p.grad) for p in parameters])


def _capturable(optimizer):
    """Make ``optimizer`` fit for capture: counts and rates on the device. Returns (param_group, rate) pairs."""
    rates = []
    for group in optimizer.param_groups:
        device = group["params"][0].device
        if "capturable" in group:
            group["capturable"] = True
        group["lr"] = torch.tensor(float(group["lr"]), device=device)
        rates.append((group, group["lr"]))
        for parameter in group["params"]:
            state = optimizer.state.get(parameter, {})
            if isinstance(state.get("step"), torch.Tensor):
                state["step"] = state["step"].to(device)
    return rates


@contextlib.contextmanager
def _no_word_on_capturable():
    """Adam warns that it is capturable and not captured. In a warm-up that is as it should be."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="This instance was constructed with capturable=True")
        yield


@contextlib.contextmanager
def _waits_for_the_device():
    """A list that fills with what this thread does within the block and has to wait for the device."""
    found, me = [], threading.get_ident()
    before = torch.cuda.get_sync_debug_mode()
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        passed_on = warnings.showwarning

        def note(message, category, filename, lineno, file=None, line=None):
            if "synchronizing CUDA operation" not in str(message):
                passed_on(message, category, filename, lineno, file, line)
            elif threading.get_ident() == me:  # a view that reads a number in another thread is in its right
                found.append(f"{filename}, line {lineno}")

        warnings.showwarning = note
        torch.cuda.set_sync_debug_mode("warn")
        try:
            yield found
        finally:
            torch.cuda.set_sync_debug_mode(before)
