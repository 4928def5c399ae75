"""One set of fakes for both players: G computes them once a round and not twice."""


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

    def takes_gradients(self):
        self.for_d = False

    def _gradient(self, gradient):
        if self.for_d:
            raise ValueError(
                "reuse: got a d_loss whose gradient runs back into G, wants G(z).detach() there, "
                "or Trainer(..., reuse=False)"
            )
