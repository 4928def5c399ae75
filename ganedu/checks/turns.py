"""The turns of a round: who steps, when, and what its optimiser finds."""

import torch

from ganedu.checks.answers import CheckFailed
from ganedu.checks.gradients import gradients


class WatchedSGD(torch.optim.SGD):
    """Plain gradient descent that writes down what it finds at each step.

    ``arrived`` says whether, between its last step and the one before, a gradient other than 0 has arrived at its
    player: it may have been cleared again before the step.

    Args:
        player: the name of the player that it steps, a key of ``players``.
        players: a dict of modules by name.
        log: a list, shared by the optimisers of a game. Each step appends (player, {name: gradients}), with the
            gradients of *every* player as they are just before the step.
        lr: learning rate.
    """

    def __init__(self, player, players, log, lr=0.1):
        super().__init__(players[player].parameters(), lr=lr)
        self.player, self.players, self.log = player, players, log
        self.arrived, self._arriving = False, False
        for p in players[player].parameters():
            if p.requires_grad:
                p.register_hook(self._note)

    def _note(self, gradient):
        self._arriving = self._arriving or bool(gradient.any())

    def step(self, closure=None):
        self.arrived, self._arriving = self._arriving, False
        self.log.append((self.player, {name: gradients(module) for name, module in self.players.items()}))
        return super().step(closure)


def check_step_finds_gradient(optimizer, got, *, stale=0.0, nothing_arrived):
    """The gradients ``got``, found at the last step of a ``WatchedSGD``, hold something of the round itself.

    Args:
        optimizer: the ``WatchedSGD`` that made the step.
        got: a list of tensors, the gradients of its player just before the step.
        stale: the value that stood in every gradient before the round.
        nothing_arrived: the sentence where no gradient has arrived at all; one that has arrived was cleared too early.
    """
    if any(bool(((g != 0) & (g != stale)).any()) for g in got):
        return
    if optimizer.arrived:
        raise CheckFailed(
            f"{optimizer.player}'s step finds no gradient: clear the old ones before backward, not after it."
        )
    raise CheckFailed(nothing_arrived)


def check_turns(log, want=("D", "G")):
    """The steps in ``log``, which ``WatchedSGD`` wrote in one round, were made by ``want``, in this order."""
    got = tuple(player for player, _ in log)
    if got != tuple(want):
        steps = ", then ".join(got) if got else "nobody"
        raise CheckFailed(
            f"the round: the optimiser that steps is that of {steps}; wants {', then '.join(want)}, one step each. "
            "Each player's turn ends with a step of its own optimiser."
        )
