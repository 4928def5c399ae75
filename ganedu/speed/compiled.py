"""For long runs on a CPU: each player's loss and gradients as one compiled program.

The small operations between the layers are melted into a few loops.
"""

import contextlib
import os
import warnings
from pathlib import Path

import torch

from ganedu.speed.kinds import settings_of, structure_of
from ganedu.speed.reuse import SharedFakes, replaced, shares_fakes


class Compiled:
    """A Step whose losses and gradients are compiled, one program for each player; on a CPU.

    The first round takes half a minute, and a few seconds once its programs are in the cache: each player's loss is played
    once and recorded with its whole backward pass (the double backward of a penalty included), and torch's inductor writes
    C++ for it. What is drawn, the optimisers and the average stay as they are. Where there is no working compiler, a warning
    says so and rounds are played as they are.

    What a recorded loss computes is fixed: a number of the game that is changed later (``gp_weight = 5``) leads to a new
    recording; a number that the loss takes from elsewhere is not seen, unless it is a tensor.

    With the step's ``reuse`` there are three programs: G with its backward pass, and each player's loss as a function of
    the fakes that G put out.

    Args:
        step: a ``training.Step`` that keeps the rules on top of training.py.
    """

    def __init__(self, step, reuse=False):
        self.step, self.reuse = step, reuse
        self._plain = SharedFakes(step) if reuse else step
        self._programs = {}  # kind of loss -> (program, state, parameters)
        self._generators = {}  # kind of batch -> (program, names of the entries that G takes)
        self._failed = False
        self._structure = structure_of(step.game)
        keep_programs()

    def begin_run(self):
        """To be called when a run begins: programs of nets that were replaced or moved meanwhile are let go."""
        structure = structure_of(self.step.game)
        if structure[:2] != self._structure[:2]:
            self._structure = structure
            self._programs, self._generators = {}, {}

    def __call__(self):
        if self._failed:
            return self._plain()
        if not (self.reuse and shares_fakes(self.step.game)):
            with replaced(self.step, learn=self._learn):
                return self.step()
        shared = []  # the batch, and the fakes that G made of it

        def draw_once(player):
            if not shared:
                shared.append(draw(player))
            return shared[0]

        def learn(player, batch):
            if len(shared) == 1:
                shared.append(self._fakes(batch))
            return self._learn(player, batch, shared[1])

        draw = self.step.draw
        with replaced(self.step, draw=draw_once, learn=learn, alone=lambda player: contextlib.nullcontext()):
            return self.step()

    def _learn(self, player, batch, x_fake=None):
        """One update by a compiled program; of the fakes ``x_fake`` that G made of this batch, if they are given."""
        optimizer = self.step.optimizers[player]
        try:
            program, state, parameters = self._program(player, batch, x_fake)
        except _NotCompiled as error:
            self._failed = True
            warnings.warn(
                f"compile: got no program from this machine's compiler ({error}); rounds are played as they are",
                stacklevel=2,
            )
            with type(self.step).alone(self.step, player):
                return type(self.step).learn(self.step, player, batch)
        with torch.no_grad():
            loss, gradients = program(state, batch, *([] if x_fake is None else [x_fake.detach()]))
        if x_fake is not None and player == "G":
            optimizer.zero_grad()
            x_fake.backward(gradients.pop())
        else:
            for parameter in parameters:
                parameter.grad = None
        for parameter, gradient in zip(parameters, gradients):
            if gradient is not None:
                parameter.grad = gradient if parameter.grad is None else parameter.grad + gradient
        optimizer.step()
        return loss

    def _kind(self, batch):
        game = self.step.game
        shapes = tuple((name, entry.shape, entry.dtype) for name, entry in batch.items())
        return shapes, game.variant(), settings_of(game), tuple(m.training for m in game.modules())

    def _fakes(self, batch):
        """What G makes of a batch, by a compiled function through which gradients reach G; None where that fails."""
        kind = self._kind(batch)
        if kind not in self._generators:
            try:
                with self._leaving_no_trace():
                    self._generators[kind] = self._compile_generator(batch)
            except _NotCompiled:
                self._generators[kind] = None  # each loss is compiled with its own pass of G
        if self._generators[kind] is None:
            return None
        program, names = self._generators[kind]
        return program(*(batch[name] for name in names))

    def _compile_generator(self, batch):
        step, G, taken = self.step, self.step.game.G, []
        handle = G.register_forward_pre_hook(lambda G, inputs: taken.append(inputs))
        try:
            step.loss("D", batch)
        finally:
            handle.remove()
        names = [next((n for n, entry in batch.items() if entry is one), None) for one in (taken or [()])[0]]
        if not names or None in names:
            raise _NotCompiled("G takes something else than entries of the batch")

        def generate(*inputs):
            with step.in_precision(inputs[0]):
                return G(*inputs)

        program = torch.compile(generate, fullgraph=True, dynamic=False, options={"fallback_random": True})
        gradients = [p.grad for p in G.parameters()]
        with _compiling():  # the backward pass is compiled when it first runs
            x_fake = program(*(batch[name] for name in names))
            x_fake.backward(torch.zeros_like(x_fake))
        for parameter, gradient in zip(G.parameters(), gradients):
            parameter.grad = gradient
        return program, names

    def _program(self, player, batch, x_fake):
        kind = player, x_fake is not None, *self._kind(batch)
        if kind not in self._programs:
            with self._leaving_no_trace():
                self._programs[kind] = self._compile(player, batch, x_fake)
        return self._programs[kind]

    def _compile(self, player, batch, x_fake):
        from torch.fx.experimental.proxy_tensor import make_fx

        step, game = self.step, self.step.game
        groups = step.optimizers[player].param_groups
        parameters = [p for group in groups for p in group["params"] if p.requires_grad]
        state = [*game.parameters(), *game.buffers()]

        def loss_and_gradients(state, batch, *fakes):  # the game's own tensors are those of ``state``
            sought, given = list(parameters), contextlib.nullcontext()
            if fakes:
                made = fakes[0].detach().requires_grad_(player == "G")
                given = replaced(game.G, forward=lambda *inputs: made)
                sought += [made] if player == "G" else []
            with given:
                loss = step.loss(player, batch)
            return loss.detach(), list(torch.autograd.grad(loss, sought, allow_unused=True))

        inputs = [state, batch] if x_fake is None else [state, batch, x_fake.detach()]
        with type(step).alone(step, player):
            recorded = make_fx(loss_and_gradients)(*inputs)
        recorded.graph.eliminate_dead_code()
        recorded.recompile()
        # drawn as the plain step draws, not in inductor's own way
        program = torch.compile(recorded, fullgraph=True, dynamic=False, options={"fallback_random": True})
        with torch.no_grad(), _compiling():
            program(*inputs)
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


def keep_programs():
    """Let inductor keep what it compiles in the user's cache, so that the next run finds it: seconds, not half a minute.

    The folder is ganedu's own, or ``GANEDU_CACHE``, or wherever ``TORCHINDUCTOR_CACHE_DIR`` says. What is found there belongs
    to this very program, version of torch and processor: inductor names it by a hash of them.
    """
    import pooch
    from torch._inductor.runtime.cache_dir_utils import default_cache_dir

    # torch itself sets the variable, to a folder that the system may sweep: that one nobody has chosen
    if os.environ.get("TORCHINDUCTOR_CACHE_DIR") in (None, default_cache_dir()):
        folder = Path(os.environ.get("GANEDU_CACHE") or pooch.os_cache("ganedu")) / "programs"
        os.environ["TORCHINDUCTOR_CACHE_DIR"] = str(folder)


@contextlib.contextmanager
def _compiling():
    try:
        yield
    except Exception as error:
        raise _NotCompiled((str(error).strip() or type(error).__name__).splitlines()[0]) from error


class _NotCompiled(RuntimeError):
    """The compiler did not come up with a program."""
