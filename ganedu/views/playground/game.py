"""The game that the playground plays, what may be set in it, and the plain code that plays it without the playground."""

import contextlib
import copy
import inspect
from dataclasses import dataclass
from functools import partial

import torch
from torch import nn

from ganedu import losses
from ganedu.arguments import real_number, whole_number
from ganedu.blocks import mlp
from ganedu.gan import GAN
from ganedu.losses import Objective
from ganedu.regularizers import gradient_penalty, r1
from ganedu.training import evaluating
from ganedu.views.playground.data import Source

SLOPE = 0.2  # of D's leaky ReLUs


class Duel(GAN):
    """A GAN whose objective and penalties may be exchanged while it is played.

    Attributes:
        objective: the losses of both players.
        gp_weight: λ, the weight of the gradient penalty; 0 for none.
        r1_gamma: γ of the R1 penalty, whose weight is γ/2; 0 for none.
        before: called with the player's name before each of its updates: there slow motion waits.
        seen: losses by player since somebody last took them away.
        own: whether a net or a loss in it is the student's, which may do what ours do not: draw while it is looked at.
    """

    def __init__(self, G, D, z_dim, objective, own=True):
        super().__init__(G, D, z_dim)
        self.own = own
        self.objective, self.gp_weight, self.r1_gamma = objective, 0.0, 0.0
        self.before = lambda player: None
        self.seen = {"D": [], "G": []}

    def loss(self, player, batch):
        self.before(player)
        loss = super().loss(player, batch)
        self.seen[player].append(loss.detach())
        return loss

    def d_loss(self, x, z):
        """The objective's loss of D, plus λ E[(‖∇D(x̂)‖₂ - 1)²] or γ/2 E[‖∇D(x)‖²] where they are set."""
        x_fake = self.G(z).detach()
        d_loss = self.objective.d(self.D(x), self.D(x_fake))
        if self.gp_weight:
            d_loss = d_loss + self.gp_weight * gradient_penalty(self.D, x, x_fake)
        if self.r1_gamma:
            d_loss = d_loss + self.r1_gamma / 2 * r1(self.D, x)
        return d_loss

    def g_loss(self, x, z):
        """The objective's loss of G."""
        return self.objective.g_loss(self.D, x, self.G(z))

    def set_penalty(self, kind, weight):
        self.gp_weight = weight if kind == "gp_weight" else 0.0
        self.r1_gamma = weight if kind == "r1_gamma" else 0.0


@contextlib.contextmanager
def looking(game):
    """Within this block nets are in eval mode, no gradient is kept, and what is drawn is given back to torch's generator.

    That generator is everybody's, and what another thread, a cell that runs meanwhile, draws from it would be given back,
    too. So this is done only where a net or a loss of the student's own may draw; those of this package do not.
    """
    with torch.random.fork_rng(devices=[], enabled=game.own), evaluating(game):
        yield


def step_alone(trainer, player):
    """One update of one player: a part of the trainer's own Step, with its nets, optimisers and generator."""
    step = trainer.plain_step
    with step.alone(player):
        step.learn(player, step.draw(player))
    if player in step.emas:
        step.emas[player].update()


# --- what there is to choose from ---------------------------------------------------------------------------------


def objectives():
    """Every ``Objective`` of ``ganedu.losses``, by name, in the order in which they stand there."""
    return {name: thing for name, thing in vars(losses).items() if isinstance(thing, Objective)}


def formulas(objective):
    """The first lines of the docstrings of D's and of G's loss, without the reference; "" where there is none."""
    lines = []
    for function in (objective.d, objective.g):
        function = function.func if isinstance(function, partial) else function
        text = (inspect.getdoc(function) or "").split("\n")[0]
        lines.append(text.split("   (")[0].strip())
    return lines


def as_objective(loss):
    """An ``Objective`` from itself or from a pair of functions, d(real_logits, fake_logits) and g(fake_logits).

    A g of two arguments, g(fake_logits, real_logits), compares the fakes with real samples.

    Raises:
        TypeError: something else, or losses that are no differentiable scalars.
    """
    wants = "wants an Objective or a pair of functions, d(real_logits, fake_logits) and g(fake_logits)"
    if not isinstance(loss, Objective):
        if not isinstance(loss, tuple | list) or len(loss) != 2 or not all(map(callable, loss)):
            raise TypeError(f"loss: got {loss!r}, {wants}")
        needed = [p for p in _parameters(loss[1]) if p.default is p.empty and p.kind in (0, 1)]
        loss = Objective(*loss, g_compares=len(needed) == 2)
    logits = torch.zeros(2, 4, 1, requires_grad=True)
    for name, evaluate in (("D", lambda: loss.d(*logits)), ("G", lambda: loss.g_loss(lambda x: x, *logits))):
        try:
            value = evaluate()
        except Exception as error:
            raise TypeError(f"loss: got a loss of {name} that fails on (N, 1) logits ({error}), {wants}") from error
        if not isinstance(value, torch.Tensor) or value.numel() != 1 or not value.requires_grad:
            raise TypeError(f"loss: got a loss of {name} that is no differentiable scalar, {wants}")
    return loss


def _parameters(function):
    try:
        return inspect.signature(function).parameters.values()
    except (TypeError, ValueError):  # some built-in functions have none
        return ()


def gives_probability(objective):
    """Whether D learns a logit here, so that its sigmoid is a probability: D's loss is two-class cross-entropy."""
    logits = torch.randn(2, 64, 1, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    expected = losses.d_minimax(*logits)
    with torch.no_grad():
        return bool(torch.isclose(objective.d(*logits).double(), expected))


@dataclass
class Settings:
    """What may be set. Widths and depths call for new nets; all else may change while the game is played."""

    data: Source
    objective: str
    penalty: tuple = (None, 0.0)  # ("gp_weight" or "r1_gamma", its value)
    width_G: int = 64
    depth_G: int = 2
    width_D: int = 64
    depth_D: int = 2
    lr_G: float = 1e-3
    lr_D: float = 1e-3
    n_critic: int = 1

    def check(self, name, value):
        """``value`` as the setting ``name`` wants it, or an error that says what it wants."""
        if name in ("width_G", "width_D", "depth_G", "depth_D", "n_critic"):
            return whole_number(name, value)
        if name in ("lr_G", "lr_D"):
            return real_number(name, value, at_least=0, at_most=1)
        if name == "penalty":
            if not isinstance(value, tuple) or len(value) != 2 or value[0] not in (None, "gp_weight", "r1_gamma"):
                raise ValueError(
                    f"penalty: got {value!r}, wants (None, 0), ('gp_weight', a number) or ('r1_gamma', a number)"
                )
            return (value[0], real_number("penalty", value[1], at_least=0, at_most=1e6))
        return value


REBUILT = ("width_G", "depth_G", "width_D", "depth_D")


def build(settings, own, z_dim):
    """(G, D) as the settings say, G first; a net in ``own`` is taken as it is."""
    G = own.get("G") or mlp([z_dim, *[settings.width_G] * settings.depth_G, 2], nn.ReLU)
    D = own.get("D") or mlp([2, *[settings.width_D] * settings.depth_D, 1], lambda: nn.LeakyReLU(SLOPE))
    return G, D


def check_net(name, net, z_dim):
    """A copy of a student's own net, on the CPU, that has been seen to fit.

    Raises:
        TypeError: no ``nn.Module``.
        ValueError: it fails, makes something of another shape, or has no parameters.
    """
    if not isinstance(net, nn.Module):
        raise TypeError(f"{name}: got {net!r}, wants a torch.nn.Module")
    net = copy.deepcopy(net).cpu()
    takes, wants = ((4, z_dim), (4, 2)) if name == "G" else ((4, 2), (4, 1))
    try:
        with evaluating(net):
            out = net(torch.zeros(takes))
    except (RuntimeError, TypeError, ValueError) as error:
        raise ValueError(
            f"{name}: got a net that fails on {takes} inputs ({error}), wants one that takes them"
        ) from error
    got = tuple(out.shape) if isinstance(out, torch.Tensor) else type(out).__name__
    if got != wants:
        raise ValueError(f"{name}: got a net that makes {got} of {takes} inputs, wants {wants}")
    if not any(p.requires_grad for p in net.parameters()):
        raise ValueError(f"{name}: got a net without parameters to train, wants at least one")
    return net


# --- the same without the playground -----------------------------------------------------------------------------


def plain_code(start, log, own, z_dim, batch_size, seed):
    """Plain PyTorch that does what was done in the playground, number by number.

    Args:
        start: the ``Settings`` at the beginning.
        log: what was done since, in order: ("rounds", n), ("D", n), ("G", n), or the name of a setting and its value.
        own: the names of what the student passed in: of "G", "D", "loss", "data".
    """
    changes = {name: [value for key, value in log if key == name] for name in vars(start)}
    data_sources = [start.data, *changes["data"]]
    names = [start.objective, *changes["objective"]]
    penalties = [start.penalty, *changes["penalty"]]
    kinds = [kind for kind in ("gp_weight", "r1_gamma") if any(p[0] == kind and p[1] for p in penalties)]
    fixed = len(penalties) == 1
    given = [thing for thing in ("G", "D", "loss", "data") if thing in own]

    toys = sorted(
        {s.code.split("(")[0] for s in data_sources} - {"Painting", "Points", ""} - {s.code for s in data_sources}
    )
    chosen = sorted(set(names) - {"yours"})
    imports = ["import copy\n\n"] if "G" in own or "D" in own else []
    imports += ["import torch\n", "from torch import nn\n\n"]
    if toys:
        imports.append(f"from ganedu.data import {', '.join(toys)}\n")
    if chosen:
        imports.append(f"from ganedu.losses import {', '.join(chosen)}\n")
    if kinds:
        used = [{"gp_weight": "gradient_penalty", "r1_gamma": "r1"}[kind] for kind in kinds]
        imports.append(f"from ganedu.regularizers import {', '.join(used)}\n")
    if given:
        imports.append("from ganedu.views.playground import yours  # what you passed to playground()\n")
    classes = sorted({s.code.split("(")[0] for s in data_sources} & {"Painting", "Points"})
    if classes:
        imports.append(f"from ganedu.views.playground.data import {', '.join(classes)}\n")
    if "yours" in names:
        imports.append("from ganedu.views.playground.game import as_objective\n")

    def objective(name):
        return "as_objective(yours['loss'])" if name == "yours" else name

    def penalty(pair):
        return [f"{kind} = {pair[1] if pair[0] == kind else 0.0!r}" for kind in kinds]

    terms = {"gp_weight": "gp_weight * gradient_penalty(D, x, x_fake)", "r1_gamma": "r1_gamma / 2 * r1(D, x)"}
    penalty_lines = ""
    for kind in kinds:
        if fixed:
            penalty_lines += f"    d_loss = d_loss + {terms[kind]}\n"
        else:
            penalty_lines += f"    if {kind}:\n        d_loss = d_loss + {terms[kind]}\n"
    nets = ""
    for player, sizes, activation in (
        ("G", [z_dim, *[start.width_G] * start.depth_G, 2], "nn.ReLU()"),
        ("D", [2, *[start.width_D] * start.depth_D, 1], f"nn.LeakyReLU({SLOPE})"),
    ):
        if player in own:
            nets += f"{player} = copy.deepcopy(yours[{player!r}])\n"
            continue
        layers = [f"    nn.Linear({a}, {b}), {activation},\n" for a, b in zip(sizes[:-1], sizes[1:])]
        layers[-1] = layers[-1].split("), ")[0] + "),\n"
        nets += f"{player} = nn.Sequential(\n{''.join(layers)})\n"
    switches = "".join(f"{line}\n" for line in [f"n_critic = {start.n_critic}", *penalty(start.penalty)])

    d_formula, g_formula = formulas(objectives()[start.objective]) if start.objective != "yours" else ("", "")
    compares = any(own["loss"].g_compares if name == "yours" else objectives()[name].g_compares for name in names)
    fakes = "objective.g_loss(D, x, G(z))" if compares else "objective.g(D(G(z)))"
    x_for_g = (
        "x = data.sample(batch_size, draw)"
        if compares
        else "data.sample(batch_size, draw)  # not used: keeps the draws in step"
    )
    steps = []
    for key, value in log:
        steps += {
            "rounds": lambda n: [f"play({n})"],
            "D": lambda n: ["d_step()"] if n == 1 else [f"for _ in range({n}):", "    d_step()"],
            "G": lambda n: ["g_step()"] if n == 1 else [f"for _ in range({n}):", "    g_step()"],
            "lr_D": lambda lr: [f'opt_d.param_groups[0]["lr"] = {lr!r}'],
            "lr_G": lambda lr: [f'opt_g.param_groups[0]["lr"] = {lr!r}'],
            "n_critic": lambda n: [f"n_critic = {n}"],
            "objective": lambda name: [f"objective = {objective(name)}"],
            "penalty": lambda pair: penalty(pair),
            "data": lambda source: [f"data = {source.code}"],
            "note": lambda text: [f"# {text}"],
        }[key](value)
    if not steps:
        steps = ["play(0)  # nothing has been played yet: put a number of your own here"]
    return f"""{"".join(imports)}
torch.manual_seed({seed})
{nets}opt_d = torch.optim.Adam(D.parameters(), lr={start.lr_D!r}, betas={Duel.betas}, fused=True)
opt_g = torch.optim.Adam(G.parameters(), lr={start.lr_G!r}, betas={Duel.betas}, fused=True)

data = {start.data.code}
objective = {objective(start.objective)}
batch_size = {batch_size}
{switches}draw = torch.Generator().manual_seed({seed})  # of batches and latents
torch.manual_seed({seed})  # of whatever else draws: a penalty, dropout


def d_step():{_comment(d_formula)}
    x = data.sample(batch_size, draw)
    z = torch.randn(batch_size, {z_dim}, generator=draw)
    x_fake = G(z).detach()
    d_loss = objective.d(D(x), D(x_fake))
{penalty_lines}    opt_d.zero_grad()
    d_loss.backward()
    opt_d.step()


def g_step():{_comment(g_formula)}
    {x_for_g}
    z = torch.randn(batch_size, {z_dim}, generator=draw)
    g_loss = {fakes}
    opt_g.zero_grad()
    g_loss.backward()
    opt_g.step()


def play(rounds):
    for _ in range(rounds):
        for _ in range(n_critic):
            d_step()
        g_step()


{chr(10).join(steps)}
"""


def _comment(formula):
    return f"  # minimise {formula}" if formula else ""


def joined(log):
    """The log with equal things that follow one another put together."""
    joined = []
    for key, value in log:
        if joined and joined[-1][0] == key and key in ("rounds", "D", "G"):
            joined[-1] = (key, joined[-1][1] + value)
        elif joined and joined[-1][0] == key and key != "note":
            joined[-1] = (key, value)  # a slider that was dragged
        else:
            joined.append((key, value))
    return joined
