"""The feedback helpers: silent where the answer is right, one sentence with the cause where it is not."""

import warnings

import pytest
import torch
from torch import nn

from ganedu import checks
from ganedu.checks import CheckFailed


@pytest.fixture(autouse=True)
def no_warnings():
    """A check that warns would write to stderr, and nbgrader gives no points for that."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield


def two_layers():
    torch.manual_seed(0)
    return nn.Linear(3, 2), nn.Linear(2, 1)


@pytest.mark.parametrize(
    "got", [1.5, torch.tensor(1.5), torch.tensor(1.5, requires_grad=True), torch.tensor(1.50005, dtype=torch.float64)]
)
def test_close_accepts(got):
    checks.check_close("loss", got, 1.5)
    checks.check_close("loss", got, torch.tensor(1.5, requires_grad=True))
    checks.check_finite("loss", got)


@pytest.mark.parametrize(
    "got, message",
    [
        (1.6, "loss: got 1.6, wants 1.5. Look again."),
        (3.0, "loss: got 3, wants 1.5. You add up."),
        (float("nan"), "loss: got nan, wants 1.5. Look again."),
        (float("inf"), "loss: got inf, wants 1.5. Look again."),
        (torch.ones(2, 1), "loss: got a tensor of shape (2, 1), wants one number: average it."),
        (None, "loss: got None, wants a number. Did you forget to return it?"),
        ("1.5", "loss: got '1.5', wants a number."),
        (True, "loss: got True, wants a number."),
    ],
)
def test_close_rejects(got, message):
    with pytest.raises(CheckFailed) as caught:
        checks.check_close("loss", got, 1.5, hint="Look again.", mistakes=[(9.0, "no"), (3.0, "You add up.")])
    assert str(caught.value) == message


def test_close_takes_infinity_for_itself_only():
    checks.check_close("loss", float("inf"), float("inf"))
    with pytest.raises(CheckFailed, match="wants inf"):
        checks.check_close("loss", 1e30, float("inf"))
    with pytest.raises(CheckFailed, match="overflowed"):
        checks.check_close("loss", float("inf"), 1.0, mistakes=[(float("inf"), "It overflowed.")])


@pytest.mark.parametrize("got", [float("nan"), float("-inf"), torch.tensor(float("inf"))])
def test_finite_rejects(got):
    with pytest.raises(CheckFailed, match="wants a finite number. Stay with logits."):
        checks.check_finite("loss", got, hint="Stay with logits.")


def test_shape():
    checks.check_shape("x", torch.zeros(2, 3), (2, 3))
    with pytest.raises(CheckFailed, match=r"x: got shape \(3, 2\), wants \(2, 3\). Turn it."):
        checks.check_shape("x", torch.zeros(3, 2), (2, 3), hint="Turn it.")
    with pytest.raises(CheckFailed, match=r"x: got a list, wants a tensor of shape \(2,\)."):
        checks.check_shape("x", [1, 2], (2,))


def test_choices_and_answers():
    checks.check_one_of("verdict", "a", ["a", "b"])
    checks.check_answer("verdict", True, True)
    for got in ("c", 0, torch.ones(2), None):
        with pytest.raises(CheckFailed, match="wants one of 'a', 'b'"):
            checks.check_one_of("verdict", got, ["a", "b"])
    with pytest.raises(CheckFailed, match="wants one of True, False"):
        checks.check_one_of("verdict", 1, [True, False])
    with pytest.raises(CheckFailed, match="verdict: 'b' is not right. It overlooks a."):
        checks.check_answer("verdict", "b", "a", hint="Think.", mistakes=[("c", "no"), ("b", "It overlooks a.")])
    with pytest.raises(CheckFailed, match="verdict: 'd' is not right. Think."):
        checks.check_answer("verdict", "d", "a", hint="Think.", mistakes=[("b", "It overlooks a.")])


def test_which_module_a_gradient_reaches():
    first, second = two_layers()
    x = torch.randn(5, 3)
    through, cut = second(first(x)).mean(), second(first(x).detach()).mean()
    for module in (first, second):
        checks.check_gradient_reaches("way", through, module)
        with pytest.raises(CheckFailed, match="a gradient arrives there"):
            checks.check_no_gradient("way", through, module)
    checks.check_gradient_reaches("way", cut, second)
    checks.check_no_gradient("way", cut, first)
    with pytest.raises(CheckFailed, match="way: no gradient arrives there. It is cut."):
        checks.check_gradient_reaches("way", cut, first, hint="It is cut.")
    for loss in (through.detach(), through.item()):
        checks.check_no_gradient("way", loss, first)
        with pytest.raises(CheckFailed):
            checks.check_gradient_reaches("way", loss, first)
    assert all(p.grad is None for p in first.parameters()), "a check leaves .grad as it was"
    through.backward()  # and the graph can still be run backward


def test_gradients_against_those_by_hand():
    layer = nn.Linear(3, 1)
    x = torch.randn(7, 3)
    assert all(not g.any() for g in checks.gradients(layer))
    layer(x).mean().backward()
    by_hand = [x.mean(0, keepdim=True), torch.ones(1)]
    checks.check_gradients("step", checks.gradients(layer), by_hand)
    twice = [2 * g for g in by_hand]
    with pytest.raises(CheckFailed, match="step: not the gradient of its loss. It is counted twice."):
        checks.check_gradients("step", twice, by_hand, mistakes=[(twice, "It is counted twice.")])
    with pytest.raises(CheckFailed, match="Whose loss is it?"):
        checks.check_gradients("step", [3 * g for g in by_hand], by_hand, hint="Whose loss is it?")


def test_trainable():
    first, _ = two_layers()
    checks.check_trainable("G", first)
    first.bias.requires_grad_(False)
    with pytest.raises(CheckFailed, match="G: its parameters take no gradient any more"):
        checks.check_trainable("G", first)


def test_watched_optimiser_steps_like_sgd_and_writes_down_every_player():
    G, D = two_layers()
    before = [p.detach().clone() for p in G.parameters()]
    log, players = [], {"G": G, "D": D}
    opt_g, opt_d = (checks.WatchedSGD(name, players, log, lr=0.5) for name in ("G", "D"))
    D(G(torch.randn(4, 3))).sum().backward()
    of_g, of_d = checks.gradients(G), checks.gradients(D)
    opt_g.step()
    for p, old, gradient in zip(G.parameters(), before, of_g):
        torch.testing.assert_close(p.detach(), old - 0.5 * gradient)
    opt_g.zero_grad()
    opt_d.step()
    assert [player for player, _ in log] == ["G", "D"]
    for (_, seen), g in zip(log, (of_g, [torch.zeros_like(g) for g in of_g])):
        assert all(torch.equal(a, b) for a, b in zip(seen["G"], g))
        assert all(torch.equal(a, b) for a, b in zip(seen["D"], of_d))


def test_a_step_that_finds_no_gradient():
    G, D = two_layers()
    log, players = [], {"G": G, "D": D}
    opt_g, opt_d = (checks.WatchedSGD(name, players, log) for name in ("G", "D"))

    def step(optimizer, loss=None, cleared=False):
        """One step after ``loss`` has run backward; 10 stands in every gradient before."""
        module = players[optimizer.player]
        for p in module.parameters():
            p.grad = torch.full_like(p, 10.0)
        if loss is not None:
            loss.backward()
        if cleared:
            module.zero_grad()
        optimizer.step()
        got = log[-1][1][optimizer.player]
        checks.check_step_finds_gradient(optimizer, got, stale=10.0, nothing_arrived="No loss has run backward.")

    x = torch.randn(4, 3)
    step(opt_d, D(G(x)).sum())
    step(opt_g, D(G(x)).sum())
    for optimizer in (opt_d, opt_g):
        optimizer.step()  # G's loss has passed through D: what has arrived before this step is of the past
        for cleared in (False, True):
            with pytest.raises(CheckFailed, match="^No loss has run backward.$"):
                step(optimizer, cleared=cleared)
        with pytest.raises(CheckFailed, match=f"^{optimizer.player}'s step finds no gradient: clear the old ones"):
            step(optimizer, D(G(x)).sum(), cleared=True)
    with pytest.raises(CheckFailed, match="No loss has run backward."):
        step(opt_g, D(G(x).detach()).sum())


def test_errors_of_the_graph_in_words_and_no_others():
    G, D = two_layers()

    def twice():
        x_fake = G(torch.randn(4, 3))
        D(x_fake).square().sum().backward()
        D(x_fake).square().sum().backward()

    def after_a_step():
        logits = D(G(torch.randn(4, 3)))
        logits.square().sum().backward(retain_graph=True)
        torch.optim.SGD(D.parameters(), lr=0.1).step()
        logits.square().sum().backward()

    for wrong, words in ((twice, "Make them again."), (after_a_step, "Ask again.")):
        with pytest.raises(CheckFailed, match=words):
            with checks.explain_graph_errors(again="Make them again.", changed="Ask again."):
                wrong()
    for wrong, error in ((lambda: D(torch.ones(2, 5)), RuntimeError), (lambda: 1 / 0, ZeroDivisionError)):
        with pytest.raises(error) as caught:
            with checks.explain_graph_errors(again="Make them again.", changed="Ask again."):
                wrong()
        assert not isinstance(caught.value, CheckFailed)


@pytest.mark.parametrize("turns, words", [("DD", "that of D, then D"), ("GD", "that of G, then D"), ("", "of nobody")])
def test_turns(turns, words):
    checks.check_turns([("D", {}), ("G", {})])
    with pytest.raises(CheckFailed, match=words):
        checks.check_turns([(player, {}) for player in turns])


def test_a_notebook_shows_the_sentence_alone():
    from IPython.core.interactiveshell import InteractiveShell
    from IPython.utils.capture import capture_output

    with capture_output() as shown:
        shell = InteractiveShell()
        result = shell.run_cell("from ganedu.checks import CheckFailed\nraise CheckFailed('Detach the fake batch.')")
    assert isinstance(result.error_in_exec, AssertionError)
    assert shown.stdout.strip() == "CheckFailed: Detach the fake batch."


# --- a predict task ----------------------------------------------------------------------------------------------


def marked(answers):
    marks = checks.Predictions(answers)
    marks.judge("ratio", 1 / 499, hint="Divide.", mistakes=[(499, "Upside down.")], atol=0.01)
    marks.judge("side", 14, hint="Count.", mistakes=[(16, "Cut both sides.")])
    marks.judge("verdict", "b", mistakes=[("a", "Look at the border.")])
    marks.report()


def test_predictions_that_are_right_pass():
    marked({"ratio": 0.002, "side": 14, "verdict": "b"})
    marked({"ratio": torch.tensor(1 / 499), "side": 14.004, "verdict": "b"})


def test_all_wrong_predictions_are_named_and_no_right_answer_is():
    with pytest.raises(checks.CheckFailed) as failed:
        marked({"ratio": 499, "side": 16, "verdict": "a"})
    said = str(failed.value)
    assert said == (
        "predictions: not right yet: ratio, side, verdict. ratio: Upside down. side: Cut both sides. "
        "verdict: Look at the border."
    )


def test_the_tolerance_of_a_small_number_is_a_part_of_it():
    for wrong in (0.0, 0.00205):
        with pytest.raises(checks.CheckFailed, match="not right yet: ratio. ratio: Divide."):
            marked({"ratio": wrong, "side": 14, "verdict": "b"})
    with pytest.raises(checks.CheckFailed, match="side: Count."):
        marked({"ratio": 0.002, "side": 14.2, "verdict": "b"})
    with pytest.raises(checks.CheckFailed, match="side: got None, wants a number"):
        marked({"ratio": 0.002, "side": None, "verdict": "b"})
