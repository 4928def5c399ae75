"""Pause, resume, stop, changed settings: asked for from any thread at any time, obeyed between two rounds."""

import contextlib
import math
import threading
import time

from ganedu.arguments import real_number, whole_number


def learning_rate(player, lr):
    """``lr`` as a float, or an error that names the player."""
    return real_number(f"lr of {player}", lr, at_least=0, below=math.inf)


class Control:
    """What a ``Trainer`` is steered by. Whoever asks only sets a flag; the thread that trains looks at it between rounds.

    Attributes:
        state: "idle", "running", "paused", "stopped", "done" or "failed".
        round, target: rounds played so far, and those at which the present run ends.
    """

    def __init__(self):
        self.round, self.target = 0, 0
        self.state = "idle"
        self._trains = None  # the thread that does
        self._requests = []  # settings to change, applied between two rounds
        self._pause = self._stop = False
        self._single_steps = 0
        self._changed = threading.Condition()

    # --- what anybody may ask for ----------------------------------------------------------------------------------

    def pause(self):
        """Hold after the round that is being played."""
        with self._changed:
            self._pause = True

    def resume(self):
        """Go on after a pause."""
        with self._changed:
            self._pause = False
            self._changed.notify_all()

    def single_step(self):
        """Play one round and hold again."""
        with self._changed:
            self._pause = True
            self._single_steps += 1
            self._changed.notify_all()

    def stop(self):
        """End the run after the round that is being played. The model keeps what it learned."""
        with self._changed:
            self._stop = True
            self._changed.notify_all()

    def request(self, change):
        """Call ``change()`` between two rounds, in the thread that trains; at once where none does.

        Hooks are called there by that thread: what they ask for is in force at once, and in a checkpoint of that round.
        """
        with self._changed:
            if self.state in ("running", "paused") and self._trains != threading.get_ident():
                self._requests.append(change)
                self._changed.notify_all()
            else:
                change()

    def between_rounds(self, function):
        """What ``function()`` returns, called between two rounds by the thread that trains; here and now where none does.

        Whoever asks from another thread waits for the end of the round: half a round is no state to look at or to save.
        """
        done, result = threading.Event(), {}

        def change():
            try:
                result["value"] = function()
            except BaseException as error:  # raised to the one who asked, and not in the middle of the training
                result["error"] = error
            finally:
                done.set()

        self.request(change)
        done.wait()
        if "error" in result:
            raise result["error"]
        return result["value"]

    # --- settings ----------------------------------------------------------------------------------------------------

    def lr(self, player):
        """The present learning rate of ``player``; of its first parameters, where there are groups of them."""
        return float(self.optimizers[player].param_groups[0]["lr"])

    def set_lr(self, player, lr):
        """Change a learning rate from the next round on. Other groups of its parameters keep their proportion to the first."""
        if player not in self.optimizers:
            raise ValueError(f"player: got {player!r}, wants one of {', '.join(self.optimizers)}")
        lr = learning_rate(player, lr)

        def change():
            self.rates[player] = lr / self.lr_factor if self.lr_factor else lr
            self._put_rate(player, lr)

        self.request(change)

    def scale_lr(self, factor):
        """Let every player learn with ``factor`` times its own rate, from the next round on: for schedules."""
        factor = real_number("factor", factor, at_least=0, below=math.inf)

        def change():
            self.lr_factor = factor
            for player, rate in self.rates.items():
                self._put_rate(player, factor * rate)

        self.request(change)

    def _put_rate(self, player, lr):
        first, *others = self.optimizers[player].param_groups
        first["lr"] = lr
        for group in others:
            group["lr"] = lr * group["initial_lr"] / first["initial_lr"] if first["initial_lr"] else lr

    def set_n_critic(self, n_critic):
        """Change the number of D updates per G update from the next round on."""
        n_critic = whole_number("n_critic", n_critic)
        self.request(lambda: setattr(self.game, "n_critic", n_critic))

    def set_batch_size(self, batch_size):
        """Change the batch size from the next round on: a game that grows takes smaller batches of larger pictures."""
        batch_size = whole_number("batch_size", batch_size)
        self.workers.share(batch_size)

        def change():
            self.batch_size = self.chosen_batch_size = batch_size
            self.plain_step.batch_size = self.workers.share(batch_size)

        self.request(change)

    # --- what the loop does ----------------------------------------------------------------------------------------

    @contextlib.contextmanager
    def running(self, rounds):
        """The block of one run of ``rounds`` rounds: the state says how it goes, and in the end how it went.

        Raises:
            RuntimeError: one is going on.
        """
        with self._changed:
            if self.state in ("running", "paused"):
                raise RuntimeError("run: this trainer is training already; stop() it or wait for it to end")
            self.state, self.target = "running", self.round + rounds
            self._stop, self._trains = False, threading.get_ident()
        try:
            yield
            self.state = "done" if self.round >= self.target else "stopped"
        except KeyboardInterrupt:
            self.state = "stopped"  # the weights are those of the last whole update
            raise
        except BaseException:
            self.state = "failed"
            raise
        finally:
            with self._changed:  # the end of a run ends its pause, and nothing asked for is lost
                self._apply_requests()
                self._pause, self._single_steps = False, 0

    def may_go_on(self, between=None):
        """Apply what was asked for, hold while paused; False when the run is to stop.

        ``between`` is called, and over and over during a pause: there a front end is polled.
        """
        if between is not None:
            between()
        if not (self._pause or self._stop or self._requests):
            return True
        while True:
            with self._changed:
                self._apply_requests()
                if self._stop or not self._pause or self._single_steps:
                    self._single_steps = max(0, self._single_steps - 1)
                    self.state = "running"
                    return not self._stop
                self.state = "paused"
                if between is None:
                    self._changed.wait()
            if between is not None:
                between()
                time.sleep(0.02)

    def _apply_requests(self):
        for change in self._requests:
            change()
        self._requests.clear()
