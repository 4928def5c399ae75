"""The same Step, faster: on CUDA a whole round becomes one launch, on a CPU the quicker way to compute is measured.

A round of small nets is some hundred kernels of a few microseconds each, and on CUDA the time goes into launching them.
``fast(step)`` plays the first rounds as they are, then captures one round (every D update, the G update, the draws of
indices and latents, the penalties' double backward, Adam, the average) as a CUDA graph, and from there on replays it: one
launch a round. What is learned is what the plain step would have learned.

The CPU has nothing to launch. There it matters how many threads share the work, and whether the processor has units for
16-bit numbers, and how images lie in memory: ``quickest_threads``, ``quickest_precision`` and ``quickest_layout`` measure it on
a copy of the game, which trains and is thrown away. For long runs ``Compiled`` has the small operations between the layers melted into a few loops.
"""

import contextlib
import random
import threading
import time
import warnings
from typing import NamedTuple

import numpy as np
import torch

__all__ = [
    "CapturedStep",
    "Compiled",
    "fast",
    "lower",
    "quickest_layout",
    "quickest_precision",
    "quickest_threads",
    "threads",
]

WARM_UP = 3  # plain rounds before a capture: they make the optimisers' moments and let cuBLAS and cuDNN choose
MOST_GRAPHS = 4  # kept at a time: a slider that runs through n_critic must not fill the memory


def fast(step):
    """``step`` itself on a CPU; on CUDA a ``CapturedStep``, which plays the same rounds in one launch each.

    Args:
        step: a ``training.Step`` that keeps the rules on top of training.py.
    """
    return CapturedStep(step) if step.generator.device.type == "cuda" else step


class _Captured(NamedTuple):
    graph: object  # torch.cuda.CUDAGraph
    losses: dict  # each replay writes its losses here
    gradients: list  # (parameter, gradient) pairs: and its gradients there


class CapturedStep:
    """A Step replayed as CUDA graphs: one for each kind of round that the game plays.

    Rounds differ in kind by the number of turns (``n_critic``), by the batch size, and by what ``game.variant()`` says
    (with lazy regularisation, whether this round regularises). Of each kind the first ``WARM_UP`` rounds are played as they
    are; they count as rounds like all others. Learning rates may be changed at any time, in whatever way: they are tensors
    on the device, which a captured round reads anew each time.

    The losses that a call returns are overwritten by the next round of that kind: read them, or clone them, before.

    A round that waits for the device (``.item()``, ``print(loss)``, ``if loss > 1``) cannot be captured. It is found during
    the warm-up; a warning says so, and all rounds are played as they are.
    """

    def __init__(self, step):
        self.step = step
        self.device = step.generator.device
        # warm-up and capture on one stream, so that what libraries allocate once a stream is there before the capture
        self.stream = torch.cuda.Stream(self.device)
        self.pool = torch.cuda.graph_pool_handle()  # the graphs never run at once, and may share their memory
        self._rates = []  # (param_group, tensor)
        self.forget()
        for optimizer in step.optimizers.values():
            optimizer.register_load_state_dict_post_hook(lambda optimizer: self.forget())

    def forget(self):
        """Drop what was captured, as needed when optimisers got other tensors; the next rounds capture anew."""
        self._graphs, self._played, self._latest, self._plain = {}, {}, None, False
        self._rates = [rate for optimizer in self.step.optimizers.values() for rate in _capturable(optimizer)]

    def __call__(self):
        self._follow_rates()
        game = self.step.game
        kind = (self.step.batch_size, tuple(game.turns(player) for player in game.players), game.variant())
        if self._plain:
            return self.step()
        if kind not in self._graphs:
            played = self._played[kind] = self._played.get(kind, 0) + 1
            if played <= WARM_UP:
                return self._warm_up(is_last=played == WARM_UP)
            while len(self._graphs) >= MOST_GRAPHS:
                del self._graphs[next(iter(self._graphs))]
            self._graphs[kind] = self._capture()
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
        step = self.step
        for optimizer in step.optimizers.values():
            optimizer.zero_grad(set_to_none=True)  # gradients are to lie in the graph's own memory
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
            raise RuntimeError(
                f"fast: got a round that cannot be captured as a CUDA graph ({reason}), wants one of fixed shapes that never "
                "waits for the device; Trainer(..., fast=False) plays any round"
            ) from (cause or error)
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


# --- the CPU ---------------------------------------------------------------------------------------------------


class Compiled:
    """A Step whose losses and gradients are compiled, one program for each player; on a CPU.

    The first round takes half a minute: each player's loss is played once and recorded with its whole backward pass (the
    double backward of a penalty included), and torch's inductor writes C++ for it. What is drawn, the optimisers and the
    average stay as they are. Where there is no working compiler, a warning says so and rounds are played as they are.

    What a recorded loss computes is fixed: a number of the game that is changed later (``gp_weight = 5``) leads to a new
    recording; a number that the loss takes from elsewhere is not seen, unless it is a tensor.

    With the step's ``reuse`` there are three programs: G with its backward pass, and each player's loss as a function of
    the fakes that G put out.

    Args:
        step: a ``training.Step`` that keeps the rules on top of training.py.
    """

    def __init__(self, step):
        self.step = step
        self._programs = {}  # kind of loss -> (program, state, parameters)
        self._generators = {}  # kind of batch -> (program, fakes)
        self._plain = False

    def __call__(self):
        if not self._plain:
            before = self.step.generator.get_state()
            try:
                return self._on_the_same_fakes() if self.step.shares_fakes() else self._round()
            except _NotCompiled as error:
                self._plain = True
                self.step.generator.set_state(before)
                warnings.warn(
                    f"compile: got no program from this machine's compiler ({error}); rounds are played as they are",
                    stacklevel=2,
                )
        return self.step()

    def _round(self):
        step, losses = self.step, {}
        for player in step.game.players:
            for _ in range(step.game.turns(player)):
                x, z = step.draw()
                program, state, parameters = self._program(player, x, z)
                with torch.no_grad():
                    loss, gradients = program(state, [x, z])
                _learn(step.optimizers[player], parameters, gradients)
            losses[f"{player.lower()}_loss"] = loss
        for ema in step.emas.values():
            ema.update()
        return losses

    def _on_the_same_fakes(self):
        step, (x, z) = self.step, self.step.draw()
        generate, example = self._generator(z)
        programs = {player: self._program(player, x, z, example) for player in ("D", "G")}
        x_fake, losses = generate(z), {}
        judged = x_fake.detach()
        for player, (program, state, parameters) in programs.items():
            with torch.no_grad():
                losses[f"{player.lower()}_loss"], gradients = program(state, [x, z, judged])
            if player == "G":
                step.optimizers["G"].zero_grad()
                x_fake.backward(gradients[0])
                step.optimizers["G"].step()
            else:
                _learn(step.optimizers["D"], parameters, gradients)
        for ema in step.emas.values():
            ema.update()
        return losses

    def _kind(self, *tensors):
        game = self.step.game
        numbers = tuple((k, v) for k, v in sorted(vars(game).items()) if isinstance(v, (int, float)) and k != "round")
        return tuple(t.shape for t in tensors), game.variant(), numbers, tuple(m.training for m in game.modules())

    def _generator(self, z):
        """(a compiled function from z to the fakes, through which gradients reach G; an example of what it puts out)"""
        kind = self._kind(z)
        if kind not in self._generators:
            game, parameters = self.step.game, list(self.step.game.G.parameters())

            def generate(z):
                with self.step.in_precision(z):
                    return game.G(z)

            program = torch.compile(generate, fullgraph=True, dynamic=False, options={"fallback_random": True})
            gradients = [p.grad for p in parameters]
            with self._leaving_no_trace(), _compiling():  # the backward pass is compiled when it first runs
                x_fake = program(z)
                x_fake.backward(torch.zeros_like(x_fake))
            for parameter, gradient in zip(parameters, gradients):
                parameter.grad = gradient
            self._generators[kind] = program, x_fake.detach()
        return self._generators[kind]

    def _program(self, player, x, z, x_fake=None):
        inputs = [x, z] if x_fake is None else [x, z, x_fake]
        kind = player, *self._kind(*inputs)
        if kind not in self._programs:
            with self._leaving_no_trace():
                self._programs[kind] = self._compile(player, inputs)
        return self._programs[kind]

    def _compile(self, player, inputs):
        from torch.fx.experimental.proxy_tensor import make_fx

        step, game = self.step, self.step.game
        parameters = [p for p in getattr(game, player).parameters() if p.requires_grad]
        state = [*game.parameters(), *game.buffers()]

        def loss_and_gradients(state, inputs):  # the game's own tensors are those of ``state``
            (x, z, *x_fake), sought, given = inputs, parameters, contextlib.nullcontext()
            if x_fake:
                x_fake = x_fake[0].detach().requires_grad_(player == "G")
                given = _puts_out(game.G, x_fake)
                sought = [x_fake] if player == "G" else parameters
            with given:
                loss = step.loss(player, x, z)
            return loss.detach(), list(torch.autograd.grad(loss, sought, materialize_grads=True))

        with step.alone(player):
            recorded = make_fx(loss_and_gradients)(state, inputs)
        recorded.graph.eliminate_dead_code()
        recorded.recompile()
        # drawn as the plain step draws, not in inductor's own way
        program = torch.compile(recorded, fullgraph=True, dynamic=False, options={"fallback_random": True})
        with torch.no_grad(), _compiling():
            program(state, inputs)
        return program, state, parameters

    @contextlib.contextmanager
    def _leaving_no_trace(self):
        """Recording plays a loss, which may draw and lets batch norm count what it sees; here neither stays."""
        before = [t.clone() for t in self.step.game.buffers()]
        try:
            with torch.random.fork_rng(devices=[]):
                yield
        finally:
            with torch.no_grad():
                for buffer, kept in zip(self.step.game.buffers(), before):
                    buffer.copy_(kept)


def _learn(optimizer, parameters, gradients):
    for parameter, gradient in zip(parameters, gradients):
        parameter.grad = gradient
    optimizer.step()


@contextlib.contextmanager
def _puts_out(G, x_fake):
    """Within this block G puts out ``x_fake``, whatever is put in."""
    G.forward = lambda *inputs: x_fake
    try:
        yield
    finally:
        del G.forward  # the class's own is back


@contextlib.contextmanager
def _compiling():
    try:
        yield
    except Exception as error:
        raise _NotCompiled((str(error).strip() or type(error).__name__).splitlines()[0]) from error


class _NotCompiled(RuntimeError):
    """The compiler did not come up with a program."""


HARMFUL = 2.0  # threads that make a round so much slower are in each other's way; less is not worth other last digits
CLEARLY = 1.2  # a change has to be quicker by this factor: what hardly differs stays as it was
CLEARLY_LAID_OUT = 1.05  # and this one costs nothing but other last digits
_measured = {}  # (question, net, batch size) -> answer, once per process


def quickest_threads(rehearse, net):
    """How many threads to train with: all that torch would use, or one where all of them take twice as long and more.

    They do where another program keeps a core busy: threads that wait for each other at every layer then take ten times as
    long as one. On a quiet machine the answer is always the same, and with it the last digits of a run.

    Args:
        rehearse: makes a step on a copy of the game, ``rehearse(precision=torch.float32)``.
        net: whatever tells this net and batch size from others; measured once a process.
    """
    most = torch.get_num_threads()
    if most == 1:
        return 1

    def measure():
        step = rehearse()
        with threads(1):
            one = _seconds(step)
        return 1 if one * HARMFUL < _seconds(step) else most

    return _once(("threads", most, net), measure)


def quickest_layout(rehearse, net):
    """Whether a round is clearly quicker with channels last, which it may be where nets are made of convolutions.

    Args:
        rehearse: makes a step on a copy of the game, ``rehearse(channels_last=False)``.
        net: whatever tells this net and batch size from others; measured once a process.
    """

    def measure():
        plain, last = _seconds(rehearse()), _seconds(rehearse(channels_last=True))
        return last * CLEARLY_LAID_OUT < plain

    return _once(("layout", torch.get_num_threads(), net), measure)


def quickest_precision(rehearse, net):
    """``torch.bfloat16`` where a round is clearly quicker so than in ``torch.float32``, which it is on few processors."""

    def measure():
        full, lowered = _seconds(rehearse()), _seconds(rehearse(precision=torch.bfloat16))
        return torch.bfloat16 if lowered * CLEARLY < full else torch.float32

    return _once(("precision", torch.get_num_threads(), net), measure)


@contextlib.contextmanager
def threads(n):
    """Within this block torch computes with ``n`` threads."""
    before = torch.get_num_threads()
    if n != before:
        torch.set_num_threads(n)
    try:
        yield
    finally:
        if n != before:
            torch.set_num_threads(before)


def lower(game, precision, channels_last=False):
    """Prepare the players of ``game`` for a step of that precision; to be called before optimisers are made.

    In 16 bits convolutions keep their channels last in any case, which suits the units for it. The nets alone compute in 16
    bits: what they put out, and with it the loss, has 32 again, and so have weights, averages and optimisers.
    """
    for player in game.players:
        net = getattr(game, player)
        if channels_last or precision != torch.float32:
            net.to(memory_format=torch.channels_last)
        if precision != torch.float32:
            net.register_forward_hook(_in_32_bits)


def _in_32_bits(net, inputs, output):
    return output.float() if isinstance(output, torch.Tensor) else output


def _seconds(step, enough=0.15, most=5):
    """Seconds that a round takes, the best of a few; about ``enough`` are spent on it, and at least one round."""
    times, began = [], time.perf_counter()
    while len(times) < most and (not times or time.perf_counter() - began < enough):
        started = time.perf_counter()
        step()
        times.append(time.perf_counter() - started)
    return min(times)


def _once(key, measure):
    """The answer to ``key``: measured the first time, without a trace in any random state."""
    if key not in _measured:
        python, numpy = random.getstate(), np.random.get_state()
        with torch.random.fork_rng(devices=[]):
            try:
                _measured[key] = measure()
            finally:
                random.setstate(python)
                np.random.set_state(numpy)
    return _measured[key]
