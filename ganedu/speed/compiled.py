"""For long runs on a CPU: each player's loss and gradients as one compiled program.

The small operations between the layers are melted into a few loops.
"""

import contextlib
import warnings

import torch


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
