"""One set of fakes for both players: G computes them once a round and not twice."""

import contextlib


@contextlib.contextmanager
def replaced(thing, **methods):
    """Within this block ``thing`` has other methods; afterwards its class's own are back."""
    for name, method in methods.items():
        setattr(thing, name, method)
    try:
        yield
    finally:
        for name in methods:
            delattr(thing, name)


def shares_fakes(game):
    """Whether a round of ``game`` may have one set of fakes for both players: each has one turn."""
    return all(game.turns(player) == 1 for player in game.players)


class SharedFakes:
    """A Step of D and G in which G learns from the fakes that D has just judged.

    Rounds in which a player has several turns are played as they are.

    Args:
        step: a ``training.Step``.
    """

    def __init__(self, step):
        self.step = step
        self.game, self.optimizers, self.generator = step.game, step.optimizers, step.generator

    @property
    def batch_size(self):
        return self.step.batch_size

    def __call__(self):
        step, draw, alone = self.step, self.step.draw, self.step.alone
        if not shares_fakes(self.game):
            return step()
        drawn = []

        def draw_once(player):
            if not drawn:
                drawn.append(draw(player))
            return drawn[0]

        with Once(self.game.G) as fakes:

            def alone_with_fakes(player):
                if player == "D":  # what D judges is to keep its way back into G
                    return contextlib.nullcontext()
                fakes.takes_gradients()
                return alone(player)

            with replaced(step, draw=draw_once, alone=alone_with_fakes):
                return step()


class Once:
    """Within this block ``G(z)`` is computed the first time a batch of latents ``z`` is put in, and remembered."""

    def __init__(self, G):
        self.G, self.inputs, self.x_fake, self.for_d = G, (), None, True

    def __enter__(self):
        compute = self.G.forward

        def forward(*inputs):
            if len(inputs) != len(self.inputs) or any(a is not b for a, b in zip(inputs, self.inputs)):
                self.inputs, self.x_fake = inputs, compute(*inputs)
                self.x_fake.register_hook(self._gradient)
            return self.x_fake

        self.G.forward = forward
        return self

    def __exit__(self, *error):
        del self.G.forward  # the class's own is back
        self.inputs, self.x_fake = (), None  # the fakes hold their hook, and the hook this: let go, or they stay

    def takes_gradients(self):
        self.for_d = False

    def _gradient(self, gradient):
        if self.for_d:
            raise ValueError(
                "reuse: got a d_loss whose gradient runs back into G, wants G(z).detach() there, or Speed(reuse=False)"
            )
