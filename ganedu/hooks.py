"""Hooks: what a trainer calls after its rounds. ``trainer.add_hook(LinearDecay(start=500, end=1000))``."""

from ganedu.arguments import whole_number


class LinearDecay:
    """Every player's learning rate: its own until ``start``, from there on a straight line to 0 at round ``end``.

    The factor depends on the round alone, and a checkpoint holds the rates that it multiplies: a run that is resumed, with
    this hook added anew, goes on to the very weights of an unbroken one. ``set_lr`` on the way moves the whole line.

    Args:
        start: the last round, counted from the trainer's first, that is played at the full rate; at least 0.
        end: the round from which on the rate is 0; above ``start``.
    """

    def __init__(self, start, end):
        self.start, self.end = whole_number("start", start, at_least=0), whole_number("end", end)
        if self.end <= self.start:
            raise ValueError(f"end: got {end}, wants a round above start, {start}")

    def factor(self, round):
        """The share of its own rate with which a player learns once ``round`` rounds are played."""
        return min(1.0, max(0.0, (self.end - round) / (self.end - self.start)))

    def __call__(self, trainer):
        trainer.scale_lr(self.factor(trainer.round))
