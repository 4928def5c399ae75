"""Where gradients go: to whom, how large, and what else moves by the way."""

import contextlib

import torch
from torch import nn

from ganedu.checks.answers import CheckFailed


def gradients(module):
    """The present gradient of each parameter of ``module``, copied, in order; zeros where there is none."""
    return [torch.zeros_like(p) if p.grad is None else p.grad.clone() for p in module.parameters()]


def _reach(loss, module):
    """The gradients of ``loss`` with respect to the parameters of ``module``; None for those that it misses."""
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        return [None]
    return torch.autograd.grad(loss, list(module.parameters()), retain_graph=True, allow_unused=True)


def check_gradient_reaches(name, loss, module, *, hint=""):
    """Some gradient of ``loss`` arrives at the parameters of ``module``. Leaves their ``.grad`` as it was."""
    if not any(g is not None and bool(g.any()) for g in _reach(loss, module)):
        raise CheckFailed(f"{name}: no gradient arrives there. {hint}".rstrip())


def check_no_gradient(name, loss, module, *, hint=""):
    """No gradient of ``loss`` arrives at the parameters of ``module``. Leaves their ``.grad`` as it was."""
    if any(g is not None for g in _reach(loss, module)):
        raise CheckFailed(f"{name}: a gradient arrives there, wants none. {hint}".rstrip())


def check_gradients(name, got, want, *, hint="", mistakes=(), atol=1e-5):
    """The gradients ``got`` (a list of tensors, one a parameter) are ``want``, within ``atol``, element by element.

    ``mistakes``: pairs (list of tensors, sentence), as in ``check_close``.
    """

    def same(others):
        return all(torch.allclose(g, o, rtol=1e-4, atol=atol) for g, o in zip(got, others, strict=True))

    if same(want):
        return
    for others, sentence in mistakes:
        if same(others):
            hint = sentence
            break
    raise CheckFailed(f"{name}: not the gradient of its loss. {hint}".rstrip())


def check_trainable(name, module):
    """Every parameter of ``module`` takes gradients."""
    if not all(p.requires_grad for p in module.parameters()):
        raise CheckFailed(f"{name}: its parameters take no gradient any more. Thaw what you freeze.")


def _tensors(what):
    return list(what.parameters()) if isinstance(what, nn.Module) else [what]


def check_gradients_go(name, loss, *, to=(), not_to=(), hints=(), rtol=1e-3, atol=1e-6):
    """The gradients of ``loss`` go where they must, with the right value, and nowhere else. Leaves every ``.grad`` alone.

    Args:
        name: what the message calls the loss.
        loss: a tensor of shape ().
        to: a dict {what the message calls it: (what, wanted)}. ``what`` is a tensor or a module; ``wanted`` its gradient,
            a tensor or a list with one for each parameter, or None where any gradient but 0 will do.
        not_to: a dict {what the message calls it: a tensor or a module that gets no gradient}; 0 is none.
        hints: a dict {one of these names: a sentence for the case that its gradient is missing, wrong or too much}.
        rtol, atol: how near a gradient must come to ``wanted``, relative to its largest number.
    """
    hints = dict(hints)
    places = {label: what for label, (what, _) in dict(to).items()} | dict(not_to)
    found = {label: _gradients_of(loss, what) for label, what in places.items()}

    def fail(label, words):
        raise CheckFailed(f"{name}: {words} {hints.get(label, '')}".rstrip())

    for label in dict(not_to):
        if any(bool(g.any()) for g in found[label]):
            fail(label, f"a gradient arrives at {label}, wants none.")
    for label, (_, wanted) in dict(to).items():
        if not any(bool(g.any()) for g in found[label]) and (
            wanted is None or any(bool(w.any()) for w in _list(wanted))
        ):
            fail(label, f"no gradient arrives at {label}.")
        if wanted is None:
            continue
        for got, want in zip(found[label], _list(wanted), strict=True):
            want = want.to(got)
            scale = float(want.abs().max()) if want.numel() else 0.0
            if not bool(((got - want).abs() <= atol + rtol * scale).all()):  # a NaN is not near anything
                fail(label, f"the gradient at {label} is not that of the formula.")


def _list(wanted):
    return list(wanted) if isinstance(wanted, list | tuple) else [wanted]


def _gradients_of(loss, what):
    """The gradients of ``loss``, 0 where none arrives; the graph stays."""
    leaves = _tensors(what)
    if not isinstance(loss, torch.Tensor) or not loss.requires_grad:
        return [torch.zeros_like(p) for p in leaves]
    watched = [p for p in leaves if p.requires_grad]
    found = torch.autograd.grad(loss, watched, retain_graph=True, allow_unused=True) if watched else ()
    by_id = {id(p): g for p, g in zip(watched, found) if g is not None}
    return [by_id.get(id(p), torch.zeros_like(p)) for p in leaves]


ASPECTS = (
    "values",
    "gradients",
    "buffers",
    "modes",
    "requires_grad",
)  # what of a module may move; a tensor has the first


def _state(what):
    """What can move of a module or a tensor, copied: {aspect: a list}."""
    if isinstance(what, torch.Tensor):
        return {"values": [what.detach().clone()], "requires_grad": [what.requires_grad]}
    parameters = list(what.parameters())
    return {
        "values": [p.detach().clone() for p in parameters],
        "gradients": [None if p.grad is None else p.grad.clone() for p in parameters],
        "buffers": [b.clone() for b in what.buffers()],
        "modes": [m.training for m in what.modules()],
        "requires_grad": [p.requires_grad for p in parameters],
    }


def _same(a, b):
    if isinstance(a, torch.Tensor) and isinstance(b, torch.Tensor):
        return a.shape == b.shape and torch.equal(torch.nan_to_num(a), torch.nan_to_num(b))
    return a is b or (type(a) is type(b) and not isinstance(a, torch.Tensor) and a == b)


MOVED = {
    "values": "changes {name} in place. Make a new tensor, and leave what it is given as it was.",
    "parameters": "changes the parameters of {name}, which it should leave alone.",
    "gradients": "leaves other gradients in {name} than it found there.",
    "buffers": "moves statistics that {name} keeps (batch norm's, for instance).",
    "modes": "leaves {name} in another mode, train or eval, than it found it in. Put it back.",
    "requires_grad": "leaves {name} with other parameters that take gradients. Thaw what you freeze, and nothing else.",
}


@contextlib.contextmanager
def unchanged(task, *, free=(), hints=(), **things):
    """The ``with`` block, a student's call, moves nothing of ``things``: tensors, and modules with all that they hold.

    Args:
        task: what the message calls it.
        free: a dict {name of a thing: the aspects that may move}, of "values", "gradients", "buffers", "modes" and
            "requires_grad", such as {"D": ("gradients",)}.
        hints: a dict {name of a thing: a sentence that is added where it has moved}.
        things: what is watched, by the name that the message uses.

    Raises:
        CheckFailed: something has moved. Not raised where the block itself fails: that is the better message.
        ValueError: ``free`` names a thing or an aspect that there is not.
    """
    free, hints = {name: tuple(aspects) for name, aspects in dict(free).items()}, dict(hints)
    for name, aspects in free.items():
        for aspect in aspects:
            if name not in things or aspect not in ASPECTS:
                wanted = f"one of {', '.join(things)} and of {', '.join(ASPECTS)}"
                raise ValueError(f"free: got {aspect!r} of {name!r}, wants {wanted}")
    before = {name: _state(what) for name, what in things.items()}
    yield
    for name, what in things.items():
        now = _state(what)
        for aspect, was in before[name].items():
            if aspect in free.get(name, ()) or (
                len(was) == len(now[aspect]) and all(_same(a, b) for a, b in zip(was, now[aspect]))
            ):
                continue
            words = MOVED["parameters" if aspect == "values" and isinstance(what, nn.Module) else aspect]
            raise CheckFailed(f"{task}: {words.format(name=name)} {hints.get(name, '')}".rstrip())
