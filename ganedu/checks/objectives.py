"""A student's objective against its formula, over many batches: values, every argument, every gradient, twice."""

import torch

from ganedu.checks.answers import CheckFailed
from ganedu.checks.errors import plain_errors

EXTREMES = (100.0, 1000.0)  # where exp overflows in 32 bits, and where the sigmoid is exactly 0 or 1


def batches_of(names, paired=False, extremes=EXTREMES, seed=0):
    """Batches of logits for an objective's arguments ``names``: a list of dicts of tensors (N, 1).

    One of each; a few, with as many of each kind only where they are ``paired``; equal ones; extreme ones mixed with 0;
    and many at random.
    """
    generator = torch.Generator().manual_seed(seed)

    def drawn(n, scale, shift=0.0):
        return scale * torch.randn(n, 1, generator=generator) + shift

    sizes = [3 if paired else 3 - k % 2 for k in range(len(names))]  # 3 of one kind, 2 of the other
    many = [30 if paired else 30 - 7 * k for k in range(len(names))]
    few = {name: torch.tensor([[2.0], [-1.5], [0.5]])[:n] * (-1) ** k for k, (name, n) in enumerate(zip(names, sizes))}
    found = [few, {name: drawn(1, 1.0) for name in names}]
    found.append({name: torch.full((n, 1), 0.7 - k) for k, (name, n) in enumerate(zip(names, sizes))})
    for size in extremes:
        ends = torch.tensor([[size], [0.0], [-size]])
        found += [{name: sign * ends[:n] for name, n in zip(names, sizes)} for sign in (1, -1)]
    found.append({name: drawn(n, 3.0, 0.5 - k) for k, (name, n) in enumerate(zip(names, many))})
    return found


def check_objective(
    name, loss, formula, over, *, settings=(), mistakes=(), hint="", batches=None, paired=False, gradients=True
):
    """The student's ``loss`` is ``formula``, on each batch and with each setting changed alone; so are its gradients.

    Also: it gives one number, the same one when it is asked again, takes a batch of one, stays finite where the formula
    does, and leaves its inputs as they were. What Python or PyTorch raises in it becomes a sentence.

    Args:
        name: what the message calls the loss.
        loss: the student's function of the tensors in ``over``, by position, and of ``settings``, by name.
        formula: the right function of the same arguments, all by position. It gets float64, and may be written in any way.
        over: the names of the tensors, in order, such as ("real_logits", "fake_logits").
        settings: a dict {name: (the default, other values)}. Each is changed alone; where all have their defaults, the loss
            is called without them.
        mistakes: pairs (a function as ``formula``, sentence): what people really write. Where two of them give the
            same value, the message has both sentences. Known to all objectives, and tried after these: another sign, twice
            and half of it, a sigmoid too many, two kinds that have changed places, a sum, a setting left at its default.
        hint: a sentence added where none of ``mistakes`` fits.
        batches: a list of dicts of tensors by the names in ``over``; ``batches_of`` makes it unless given.
        paired: whether the tensors must be of one length, as for a relativistic loss.
        gradients: whether the gradients at the inputs are compared as well; without, the loss may be a float.
    """
    settings = dict(settings)
    chosen = [{}] + [{key: value} for key, (_, *others) in settings.items() for value in others]
    defaults = {key: values[0] for key, values in settings.items()}
    for batch in batches_of(over, paired) if batches is None else batches:
        for changed in chosen:
            _compare(
                name, loss, formula, {key: batch[key] for key in over}, changed, defaults, mistakes, hint, gradients
            )


def _compare(name, loss, formula, batch, changed, defaults, mistakes, hint, gradients):
    given = {key: tensor.clone().requires_grad_(gradients) for key, tensor in batch.items()}
    with plain_errors(_called(name, batch, changed)):
        found = [loss(*given.values(), **changed) for _ in range(2)]
    called = _called(name, batch, changed)
    _untouched(called, given, batch)
    got, again = (_one_number(called, value, gradients) for value in found)
    exact = {key: tensor.double().requires_grad_() for key, tensor in batch.items()}
    want = formula(*exact.values(), *{**defaults, **changed}.values())
    if not _near(got, want):
        raise CheckFailed(f"{called}: got {got:.6g}, wants {float(want.detach()):.6g}. "
                          f"{_cause(got, exact, changed, defaults, mistakes, formula) or _overflow(got) or hint}".rstrip())  # fmt: skip
    if not _near(again, want):
        raise CheckFailed(f"{called}: called again with the same numbers it gives {again:.6g}, after {got:.6g}.")
    if gradients:
        _same_slopes(called, found[0], given, want, exact)


def _called(name, batch, changed):
    """How the message calls this try: "d_loss of real_logits (3, 0.5) and fake_logits (-2), with b = 3"."""

    def shown(tensor):
        numbers = tensor.flatten().tolist()
        return (
            f"({', '.join(f'{number:.4g}' for number in numbers)})"
            if len(numbers) <= 4
            else f"({len(numbers)} numbers)"
        )

    of = " and ".join(f"{key} {shown(tensor)}" for key, tensor in batch.items())
    return f"{name} of {of}" + "".join(f", with {key} = {value:g}" for key, value in changed.items())


def _one_number(called, value, gradients):
    if isinstance(value, torch.Tensor):
        if value.ndim:
            raise CheckFailed(f"{called}: got a tensor of shape {tuple(value.shape)}, wants one number: average it.")
        return float(value.detach())
    if value is None:
        raise CheckFailed(f"{called}: got None, wants a number. Did you forget to return it?")
    if gradients or isinstance(value, bool) or not hasattr(value, "__float__"):
        wants = "a tensor of shape (), through which a gradient passes" if gradients else "a number"
        raise CheckFailed(f"{called}: got {value!r}, a {type(value).__name__}, wants {wants}.")
    return float(value)


def _near(got, want):
    want = float(want.detach()) if isinstance(want, torch.Tensor) else float(want)
    return got == want or abs(got - want) <= 1e-5 + 1e-4 * abs(want)  # NaN is not near anything


def _cause(got, exact, changed, defaults, mistakes, formula):
    """The sentences of all known mistakes that give this value here; a task's own ones before those of any objective."""
    given, settings = list(exact.values()), {**defaults, **changed}
    for known in (mistakes, _common_mistakes(formula, list(exact), changed, defaults)):
        sentences = []
        for mistake, sentence in known:
            with torch.no_grad():
                value = mistake(*given, *settings.values())
            if _near(got, value) and sentence not in sentences:
                sentences.append(sentence)
        if sentences:
            return " Or: ".join(sentences)
    return ""


def _common_mistakes(formula, names, changed, defaults):
    """What goes wrong with any objective, as pairs (function, sentence)."""
    n = len(names)
    known = [
        (lambda *given: -formula(*given), "The sign is turned round: this is minus the formula."),
        (lambda *given: 2 * formula(*given), "This is twice the formula."),
        (lambda *given: formula(*given) / 2, "This is half of the formula."),
        (
            lambda *given: formula(*(tensor.sigmoid() for tensor in given[:n]), *given[n:]),
            "There is a sigmoid in between: the formula takes the raw outputs.",
        ),
    ]
    if n == 1:
        known.append((lambda x, *rest: len(x) * formula(x, *rest), "You add up over the batch; the E is an average."))
    if n == 2:
        known.append((lambda x, y, *rest: formula(y, x, *rest), f"{names[0]} and {names[1]} have changed places."))
    if changed:
        (key,) = changed
        kept = tuple(defaults.values())
        known.insert(
            0, (lambda *given: formula(*given[:n], *kept), f"You leave {key} at {defaults[key]:g}, whatever it is.")
        )
    return known


def _overflow(got):
    if got != got:
        return "That is no number: infinity minus infinity, 0/0, or something that a single sample does not have."
    if abs(got) == float("inf"):
        return "Something overflows on the way: an exp, or the logarithm of a sigmoid that is exactly 0."
    return ""


def _untouched(called, given, batch):
    for key, tensor in given.items():
        if tensor.shape != batch[key].shape or not torch.equal(tensor.detach(), batch[key]):
            raise CheckFailed(f"{called}: it changes {key} in place. Make a new tensor.")


def _same_slopes(called, got, given, want, exact):
    mine = (
        torch.autograd.grad(got, list(given.values()), allow_unused=True) if got.requires_grad else [None] * len(given)
    )
    right = torch.autograd.grad(want, list(exact.values()), allow_unused=True)
    for key, slope, wanted in zip(given, mine, right):
        wanted = torch.zeros_like(exact[key]) if wanted is None else wanted
        if slope is None:
            slope = torch.zeros_like(given[key])
            if bool(wanted.any()):
                raise CheckFailed(f"{called}: no gradient arrives at {key}. Somewhere it is cut off: by detach, by "
                                  "torch.no_grad(), or by a number taken out of a tensor.")  # fmt: skip
        gap = (slope.double() - wanted).abs()
        if not bool((gap <= 1e-6 + 1e-3 * float(wanted.abs().max())).all()):
            raise CheckFailed(f"{called}: its value is right, but its gradient at {key} is not that of the formula.")
