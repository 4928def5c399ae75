"""The helpers for coding tasks: an error in plain words, an objective and its formula, where gradients go, what moves."""

import math

import numpy as np
import pytest
import torch
from torch import nn
from torch.nn.functional import softplus

from ganedu.checks import CheckFailed, check_gradients_go, check_objective, plain_errors, unchanged
from ganedu.losses import d_minimax


def said(run):
    with pytest.raises(CheckFailed) as caught:
        run()
    return str(caught.value)


# --- errors in plain words ----------------------------------------------------------------------------------------


def twice():
    x = torch.ones(2, requires_grad=True)
    loss = x.square().sum()
    loss.backward()
    loss.backward()


def changed_too_early():
    w = nn.Parameter(torch.ones(2))
    loss = w.square().sum() + (w.exp() * w).sum()
    with torch.no_grad():
        w.add_(1)
    loss.backward()


ERRORS = {
    "two graphs": (twice, "one graph is used for two backward passes"),
    "in place too early": (changed_too_early, "something that the backward pass still needs was changed in place"),
    "in place on a leaf": (lambda: nn.Parameter(torch.ones(2)).add_(1), "cannot be changed in place"),
    "no way back": (lambda: torch.ones(2).sum().backward(), "no way leads back from the loss"),
    "not one number": (lambda: torch.ones(2, requires_grad=True).exp().backward(), "Average it over the batch"),
    "not used": (lambda: torch.autograd.grad(nn.Parameter(torch.ones(1)).sum(), nn.Parameter(torch.ones(1))), "no part in"),
    "to numpy": (lambda: torch.ones(2, requires_grad=True).numpy(), "Stay within torch"),
    "sizes": (lambda: torch.ones(3) - torch.ones(2), "two shapes do not fit"),
    "view": (lambda: torch.ones(5).view(2, 3), "two shapes do not fit"),
    "NumPy's sizes": (lambda: np.ones(3) - np.ones(2), "two shapes do not fit"),
    "linear layer": (lambda: nn.Linear(4, 1)(torch.ones(2, 3)), "a linear layer wants 4 numbers a sample and gets 3."),
    "channels": (lambda: nn.Conv2d(3, 1, 3)(torch.ones(2, 1, 8, 8)), "a convolution wants 3 channels and gets 1."),
    "batch norm of one": (lambda: nn.BatchNorm1d(3)(torch.ones(1, 3)), "batch norm in train mode cannot take a batch of one"),
    "dtypes": (lambda: nn.Linear(2, 1)(torch.ones(1, 2, dtype=torch.float64)), "numbers of two kinds meet"),
    "truth": (lambda: bool(torch.ones(2) > 0), "one truth value"),
    "None": (lambda: nn.Linear(1, 1).weight.grad.abs(), "something is None"),
    "arguments": (lambda: (lambda x: x)(1, 2), "leave the head of the function as it was given"),
    "name": (lambda: undefined, "it uses a name that has no value"),  # noqa: F821
    "anything else": (lambda: 1 / 0, "it ends in an error. (ZeroDivisionError: division by zero)"),
    "without words": (lambda: next(iter(())), "it ends in an error. (StopIteration)"),
}  # fmt: skip


@pytest.mark.parametrize("name", ERRORS)
def test_an_error_becomes_one_sentence_that_names_the_task(name):
    run, words = ERRORS[name]

    def attempt():
        with plain_errors("d_loss"):
            run()

    message = said(attempt)
    assert message.startswith("d_loss: ") and words in message and "\n" not in message


def test_a_tasks_own_words_come_first():
    def attempt(run):
        with plain_errors("d_loss", hints=[("must match", "Average each kind first."), ("KeyError", "No such label.")]):
            run()

    assert said(lambda: attempt(lambda: torch.ones(3) - torch.ones(2))).startswith(
        "d_loss: Average each kind first. (Runt"
    )
    assert said(lambda: attempt(lambda: {}["a"])) == "d_loss: No such label. (KeyError: 'a')"


def test_what_passes_through():
    with pytest.raises(NotImplementedError, match="not done"), plain_errors("d_loss"):
        raise NotImplementedError("not done")
    with pytest.raises(CheckFailed, match="^as it is$"), plain_errors("d_loss"):
        raise CheckFailed("as it is")
    with pytest.raises(KeyboardInterrupt), plain_errors("d_loss"):
        raise KeyboardInterrupt
    with plain_errors("d_loss"):
        pass


# --- an objective -------------------------------------------------------------------------------------------------


def formula(real, fake, a=0.0, b=1.0):
    return (real - b).square().mean() / 2 + (fake - a).square().mean() / 2


def swapped(real, fake, a, b):
    return formula(real, fake, b, a)


MISTAKES = [
    (swapped, "The codes are swapped."),
    (lambda real, fake, a, b: 2 * formula(real, fake, a, b), "The halves are missing."),
    (lambda real, fake, a, b: formula(real, fake, 0.0, 1.0), "You leave the codes at 0 and 1."),
]


def judged(loss, **settings):
    settings = {
        "settings": {"a": (0.0, -1.0), "b": (1.0, 2.5)},
        "mistakes": MISTAKES,
        "hint": "Look again.",
        **settings,
    }
    check_objective("d_loss", loss, formula, ("real_logits", "fake_logits"), **settings)


def in_float64(real, fake, a=0.0, b=1.0):
    real, fake = real.double(), fake.double()
    return 0.5 * ((real - b) ** 2).sum() / len(real) + 0.5 * nn.functional.mse_loss(fake, torch.full_like(fake, a))


@pytest.mark.parametrize("loss", [formula, in_float64, lambda r, f, b=1.0, a=0.0: formula(r, f, a, b)])
def test_right_objectives_pass(loss):
    judged(loss)


@pytest.mark.parametrize(
    "loss, words",
    [
        (lambda r, f, a=0.0, b=1.0: -formula(r, f, a, b), "The sign is turned round: this is minus the formula."),
        (lambda r, f, a=0.0, b=1.0: 2 * formula(r, f, a, b), "This is twice the formula."),
        (lambda r, f, a=0.0, b=1.0: formula(r, f, a, b) / 2, "This is half of the formula."),
        (lambda r, f, a=0.0, b=1.0: formula(r.sigmoid(), f.sigmoid(), a, b), "There is a sigmoid in between"),
        (lambda r, f, a=0.0, b=1.0: formula(f, r, a, b), "real_logits and fake_logits have changed places."),
        (lambda r, f, a=0.0, b=1.0: formula(r, f, a), "You leave b at 1, whatever it is."),
    ],
)
def test_mistakes_of_any_objective_need_not_be_listed(loss, words):
    message = said(lambda: judged(loss, mistakes=()))
    assert words in message and "Look again" not in message


def test_a_sum_is_known_where_there_is_one_kind():
    words = said(lambda: check_objective("g_loss", lambda s: -s.sum(), lambda s: -s.mean(), ("fake_logits",)))
    assert words.endswith("You add up over the batch; the E is an average.")


calls = []


def remembers(real, fake, a=0.0, b=1.0):
    calls.append(1)
    return formula(real, fake, a, b) + 0.1 * (len(calls) % 2 == 0)


def in_place(real, fake, a=0.0, b=1.0):
    with torch.no_grad():
        fake.sub_(1)
    return formula(real, fake + 1, a, b)


WRONG = {
    "known": (lambda r, f, a=0.0, b=1.0: swapped(r, f, a, b), "wants", "The codes are swapped."),
    "a setting ignored": (lambda r, f, a=0.0, b=1.0: formula(r, f), "with a = -1", "You leave the codes at 0 and 1."),
    "unknown": (lambda r, f, a=0.0, b=1.0: formula(r, f, a, b) + 1, "d_loss of real_logits (2, -1.5, 0.5)", "Look again."),
    "wrong default": (lambda r, f, a=0.0, b=0.9: formula(r, f, a, b), "got", "Look again."),
    "one sample only": (lambda r, f, a=0.0, b=1.0: formula(r, f, a, b) / (1 if len(r) > 1 else 3), "(-", "Look again."),
    "needs two": (lambda r, f, a=0.0, b=1.0: formula(r, f, a, b) + 0 * r[1:].mean(), "got nan", "a single sample"),
    "a vector": (lambda r, f, a=0.0, b=1.0: (r - b).square().mean(1), "a tensor of shape (3,)", "average it"),
    "nothing": (lambda r, f, a=0.0, b=1.0: None, "got None", "Did you forget to return it?"),
    "a float": (lambda r, f, a=0.0, b=1.0: formula(r, f, a, b).item(), "a float", "through which a gradient passes"),
    "fakes detached": (lambda r, f, a=0.0, b=1.0: formula(r, f.detach(), a, b), "no gradient arrives at fake_logits", ""),
    "reals detached": (lambda r, f, a=0.0, b=1.0: formula(r.detach(), f, a, b), "no gradient arrives at real_logits", ""),
    "all detached": (lambda r, f, a=0.0, b=1.0: formula(r, f, a, b).detach(), "no gradient arrives at real_logits", ""),
    "a slope": (lambda r, f, a=0.0, b=1.0: 2 * formula(r, f, a, b) - formula(r, f, a, b).detach(), "its gradient at", ""),
    "numbers subtracted": (lambda r, f, a=0.0, b=1.0: (r - f).mean(), "two shapes do not fit", ""),
    "memory": (remembers, "called again with the same numbers", ""),
    "in place": (in_place, "it changes fake_logits in place", ""),
    "no such argument": (lambda r, f, a=0.0: formula(r, f, a), "leave the head of the function", ""),
}  # fmt: skip


@pytest.mark.parametrize("name", WRONG)
def test_wrong_objectives_are_named(name):
    loss, *words = WRONG[name]
    message = said(lambda: judged(loss))
    assert message.startswith("d_loss of ") and all(word in message for word in words), message


def test_naive_logarithms_overflow_and_softplus_does_not():
    def naive(real, fake):
        return -torch.log(real.sigmoid()).mean() - torch.log(1 - fake.sigmoid()).mean()

    def stable(real, fake):
        return softplus(-real).mean() + softplus(fake).mean()

    over = ("real_logits", "fake_logits")
    check_objective("d_loss", stable, d_minimax, over)
    message = said(lambda: check_objective("d_loss", naive, d_minimax, over))
    assert "got inf" in message and "overflows" in message


def test_two_mistakes_of_one_value_are_both_named():
    mistakes = [(lambda s: 2 * s.mean(), "You take it twice."), (lambda s: 4 * s.mean() / 2, "Something else.")]
    message = said(
        lambda: check_objective("g", lambda s: s.mean() * 2, lambda s: s.mean(), ("logits",), mistakes=mistakes)
    )
    assert message.endswith("You take it twice. Or: Something else.")


def test_paired_batches_have_one_length():
    def paired(real, fake):
        return softplus(fake - real).mean()

    over = ("real_logits", "fake_logits")
    check_objective("d_loss", paired, lambda r, f: torch.log1p((f - r).exp()).mean(), over, paired=True,
                    batches=[{"real_logits": torch.tensor([[1.0], [2.0]]), "fake_logits": torch.tensor([[0.5], [3.0]])}])  # fmt: skip
    check_objective("d_loss", paired, lambda r, f: nn.functional.softplus(f - r).mean(), over, paired=True)
    assert "two shapes" in said(lambda: check_objective("d_loss", paired, paired, over))


def test_numbers_are_enough_where_no_gradient_is_asked_for():
    check_objective("w1", lambda x: x.mean().item(), lambda x: x.mean(), ("x",), gradients=False)
    assert "got True" in said(
        lambda: check_objective("w1", lambda x: True, lambda x: x.mean(), ("x",), gradients=False)
    )


# --- where gradients go -------------------------------------------------------------------------------------------


@pytest.fixture
def players():
    torch.manual_seed(0)
    return nn.Linear(2, 3), nn.Linear(3, 1, bias=False)


def test_gradients_go_where_they_must(players):
    G, D = players
    x, z = torch.randn(4, 3), torch.randn(4, 2)
    x_fake = G(z).detach()
    loss = D(x_fake).mean() - D(x).mean()
    by_hand = (x_fake.mean(0) - x.mean(0))[None]
    check_gradients_go("d_loss", loss, to={"D's weights": (D, by_hand)}, not_to={"G's weights": G, "x": x})
    check_gradients_go("d_loss", loss, to={"D's weights": (D, None)})
    check_gradients_go("g_loss", -D(G(z)).mean(), to={"G's weights": (G, None)})
    assert all(p.grad is None for p in (*G.parameters(), *D.parameters()))


@pytest.mark.parametrize(
    "loss, to, not_to, words",
    [
        (lambda G, D, x, z: D(G(z)).mean(), "D", "G", "d_loss: a gradient arrives at G, wants none. Detach the fakes."),
        (lambda G, D, x, z: D(G(z)).mean().detach(), "D", "", "d_loss: no gradient arrives at D."),
        (lambda G, D, x, z: D(G(z)).mean().item(), "D", "", "d_loss: no gradient arrives at D."),
        (lambda G, D, x, z: G(z).mean(), "D", "", "d_loss: no gradient arrives at D."),
    ],
)
def test_gradients_that_go_elsewhere_are_named(players, loss, to, not_to, words):
    nets = dict(zip("GD", players))
    loss = loss(*players, torch.randn(4, 3), torch.randn(4, 2))
    message = said(
        lambda: check_gradients_go(
            "d_loss",
            loss,
            to={to: (nets[to], None)},
            not_to={not_to: nets[not_to]} if not_to else {},
            hints={"G": "Detach the fakes."},
        )
    )
    assert message == words


def test_a_gradient_of_another_value_is_named(players):
    _, D = players
    x = torch.randn(4, 3)
    right = [x.mean(0)[None]]
    check_gradients_go("loss", D(x).mean(), to={"D": (D, right)})
    for loss in (D(x).sum(), D(x[:3]).mean(), D(x).mean() * math.nan):
        words = said(lambda loss=loss: check_gradients_go("loss", loss, to={"D": (D, right)}, hints={"D": "By hand?"}))
        assert words == "loss: the gradient at D is not that of the formula. By hand?"


# --- nothing else moves -------------------------------------------------------------------------------------------


def net():
    torch.manual_seed(0)
    return nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3), nn.Linear(3, 1))


MOVES = {
    "values of an input": (lambda D, x: x.add_(1), "f: changes x in place."),
    "parameters": (lambda D, x: D[0].weight.data.mul_(2), "f: changes the parameters of D"),
    "gradients": (lambda D, x: D(x).mean().backward(), "f: leaves other gradients in D"),
    "cleared": (lambda D, x: D.zero_grad(), "f: leaves other gradients in D"),
    "buffers": (lambda D, x: D(x), "f: moves statistics that D keeps"),
    "modes": (lambda D, x: D.eval(), "f: leaves D in another mode"),
    "one layer's mode": (lambda D, x: D[1].eval(), "f: leaves D in another mode"),
    "frozen": (lambda D, x: D.requires_grad_(False), "f: leaves D with other parameters that take gradients. Thaw"),
}


@pytest.mark.parametrize("name", MOVES)
def test_what_moves_is_named(name):
    move, words = MOVES[name]
    D, x = net(), torch.randn(4, 2)
    for p in D.parameters():
        p.grad = torch.ones_like(p)
    if name == "gradients":
        D.eval()

    def attempt():
        with unchanged("f", D=D, x=x, hints={"x": "Copy it.", "D": "Copy it."}):
            move(D, x)

    message = said(attempt)
    assert message.startswith(words) and message.endswith("Copy it.")


def test_what_may_move_and_what_stays():
    D, x = net(), torch.tensor([[math.nan, 1.0], [0.0, 2.0]])
    with unchanged("f", D=D, x=x, free={"D": ("gradients", "buffers")}):
        D(x).mean().backward()
    with unchanged("f", D=D, x=x):
        D.eval()(x * 2)
        D.train()
    with pytest.raises(ValueError, match="free: got 'weights' of 'D', wants one of D, x and of values, gradients"):
        with unchanged("f", D=D, x=x, free={"D": ("weights",)}):
            pass
    with pytest.raises(ZeroDivisionError):
        with unchanged("f", D=D):
            D.eval()
            1 / 0  # noqa: B018
