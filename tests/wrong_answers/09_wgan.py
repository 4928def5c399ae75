"""Answers to exercise 09: misconceptions, each with the words that must tell the student, and right answers in other words.

Each name maps to (the check that must fail, the cells to replace, words that must be in its message and in no other's).
"""

D_RIGHT = """
def d_loss(real_logits, fake_logits):
    return fake_logits.mean() - real_logits.mean()
"""
G_RIGHT = """
def g_loss(fake_logits):
    return -fake_logits.mean()
"""
CLIP_RIGHT = """
@torch.no_grad()
def clip(D, c):
    for p in D.parameters():
        p.clamp_(-c, c)
"""
PREDICTIONS = {
    "boxes": 3.0,
    "spread": 2.0,
    "shifted_scores": 1.5,
    "doubled_clip": 8.0,
    "sigmoid_critic": 1.0,
    "push": -0.25,
    "nearer": "unknown",
}


def game(d=D_RIGHT, g=G_RIGHT, clip=CLIP_RIGHT):
    return {"task1_game": d + g + clip}


def w1(body):
    return {"task2_w1": f"def w1(places, q, p):\n    {body}\n"}


def predicted(**changed):
    return {"task3_predictions": f"def predictions():\n    return { ({**PREDICTIONS, **changed})!r}\n"}


LOSS = "loss = D(G(z).detach()).mean() - D(x).mean()"
STEP = "opt_d.zero_grad(); loss.backward(); opt_d.step()"
BOX = "[p.data.clamp_(-c, c) for p in D.parameters()]"


def turn(*lines):
    body = "".join(f"    {line}\n" for line in (*lines, "return loss.detach()"))
    return {"task4_repaired_turn": "def repaired_turn(G, D, opt_d, x, z, c=0.01):\n" + body}


def bound(body):
    return {"task5_w1_bound": f"@torch.no_grad()\ndef w1_bound(D, x, x_fake):\n    {body}\n"}


WRONG = {
    # --- task 1 -----------------------------------------------------------------------------------------------
    "the critic's estimate for its loss": (
        "task1_check",
        game(d="def d_loss(real, fake):\n    return real.mean() - fake.mean()\n"),
        "That is what the critic makes large.",
    ),
    "cross-entropy": (
        "task1_check",
        game(
            d="def d_loss(real, fake):\n    s = nn.functional.softplus\n    return s(-real).mean() + s(fake).mean()\n"
        ),
        "In the critic's loss there is no logarithm.",
    ),
    "sigmoid on the scores": (
        "task1_check",
        game(d="def d_loss(real, fake):\n    return fake.sigmoid().mean() - real.sigmoid().mean()\n"),
        "There is a sigmoid in between.",
    ),
    "one heap": (
        "task1_check",
        game(d="def d_loss(real, fake):\n    return torch.cat([-real, fake]).mean()\n"),
        "All scores are averaged in one heap.",
    ),
    "sums for means": (
        "task1_check",
        game(d="def d_loss(real, fake):\n    return fake.sum() - real.sum()\n"),
        "You add up over the batch",
    ),
    "a float": (
        "task1_check",
        game(d="def d_loss(real, fake):\n    return (fake.mean() - real.mean()).item()\n"),
        "a float, wants a tensor of shape (), through which a gradient passes.",
    ),
    "G wants low scores": (
        "task1_check",
        game(g="def g_loss(fake):\n    return fake.mean()\n"),
        "it learns to be caught",
    ),
    "lesson 04's loss for G": (
        "task1_check",
        game(g="def g_loss(fake):\n    return -nn.functional.logsigmoid(fake).mean()\n"),
        "That is lesson 04's -log sigmoid.",
    ),
    "clamp without its underscore": (
        "task1_check",
        game(clip="@torch.no_grad()\ndef clip(D, c):\n    for p in D.parameters():\n        p = p.clamp(-c, c)\n"),
        "p.clamp(...) makes a new tensor",
    ),
    "the gradients clipped": (
        "task1_check",
        game(clip="def clip(D, c):\n    nn.utils.clip_grad_value_(D.parameters(), c)\n"),
        "the gradients have changed. It is the weights that are clipped.",
    ),
    "autograd watches the clip": (
        "task1_check",
        game(clip="def clip(D, c):\n    for p in D.parameters():\n        p.clamp_(-c, c)\n"),
        "a tensor that autograd watches cannot be changed in place",
    ),
    "one wall": (
        "task1_check",
        game(clip="@torch.no_grad()\ndef clip(D, c):\n    for p in D.parameters():\n        p.clamp_(max=c)\n"),
        "The box has a lower wall, too",
    ),
    "biases left out": (
        "task1_check",
        game(
            clip="""
@torch.no_grad()
def clip(D, c):
    for name, p in D.named_parameters():
        if "weight" in name:
            p.clamp_(-c, c)
"""
        ),
        "The biases are parameters, too",
    ),
    "shrunk into the box": (
        "task1_check",
        game(
            clip="@torch.no_grad()\ndef clip(D, c):\n    for p in D.parameters():\n        p.mul_(c / p.abs().max())\n"
        ),
        "Only what is outside the box is moved.",
    ),
    "always 0.01": (
        "task1_check",
        game(clip="@torch.no_grad()\ndef clip(D, c):\n    for p in D.parameters():\n        p.clamp_(-0.01, 0.01)\n"),
        "Use c, whatever it is.",
    ),
    "pairs of real and fake": (
        "task1_check",
        game(d="def d_loss(real, fake):\n    return (fake - real).mean()\n"),
        "d_loss of real_logits (4, 0.5, -1) and fake_logits (0.5, -2): two shapes do not fit",
    ),
    "half as in lesson 08": (
        "task1_check",
        game(d="def d_loss(real, fake):\n    return (fake.mean() - real.mean()) / 2\n"),
        "There is no factor 1/2 in this loss",
    ),
    "squares as in lesson 08": (
        "task1_check",
        game(d="def d_loss(real, fake):\n    return (real - 1).square().mean() / 2 + fake.square().mean() / 2\n"),
        "Those are the squares of lesson 08",
    ),
    "fakes cut off in D's loss": (
        "task1_check",
        game(d="def d_loss(real, fake):\n    return fake.detach().mean() - real.mean()\n"),
        "no gradient arrives at fake_logits",
    ),
    "a distance is never below 0": (
        "task1_check",
        game(d="def d_loss(real, fake):\n    return -(fake.mean() - real.mean()).abs()\n"),
        "and so may a loss: no absolute value",
    ),
    "sigmoid in G's loss": (
        "task1_check",
        game(g="def g_loss(fake):\n    return -fake.sigmoid().mean()\n"),
        "There is a sigmoid in G's loss",
    ),
    "min-max loss for G": (
        "task1_check",
        game(g="def g_loss(fake):\n    return -nn.functional.softplus(fake).mean()\n"),
        "lesson 04's min-max loss for G",
    ),
    "walls the wrong way round": (
        "task1_check",
        game(clip="@torch.no_grad()\ndef clip(D, c):\n    for p in D.parameters():\n        p.clamp_(c, -c)\n"),
        "clamp(lowest, highest)",
    ),
    "new parameters": (
        "task1_check",
        game(
            clip="@torch.no_grad()\ndef clip(D, c):\n    for m in D.modules():\n        for name, p in list(m.named_parameters(recurse=False)):\n            setattr(m, name, nn.Parameter(p.clamp(-c, c)))\n"
        ),
        "the net has new parameters",
    ),
    "frozen for good": (
        "task1_check",
        game(clip="def clip(D, c):\n    for p in D.requires_grad_(False).parameters():\n        p.clamp_(-c, c)\n"),
        "Thaw what you freeze",
    ),
    "one layer by name": (
        "task1_check",
        game(clip="@torch.no_grad()\ndef clip(D, c):\n    D.weight.clamp_(-c, c)\n    D.bias.clamp_(-c, c)\n"),
        "it fits a net of one layer",
    ),
    # --- task 2 -----------------------------------------------------------------------------------------------
    "how much, not how far": (
        "task2_check",
        w1("return (q.cumsum(0) - p.cumsum(0)).abs().sum()"),
        "each share goes over a gap",
    ),
    "left cancels right": (
        "task2_check",
        w1("return ((q.cumsum(0) - p.cumsum(0))[:-1] * places.diff()).sum()"),
        "the absolute value is missing",
    ),
    "distance of the means": (
        "task2_check",
        w1("return ((places * q).sum() - (places * p).sum()).abs()"),
        "how far apart the two means are",
    ),
    "weights not added up": (
        "task2_check",
        w1("return ((q - p).abs()[:-1] * places.diff()).sum()"),
        "add up all that lies left of it",
    ),
    "total variation": ("task2_check", w1("return (q - p).abs().sum() / 2"), "That is the share that moves at all."),
    "squared": (
        "task2_check",
        w1("return ((q.cumsum(0) - p.cumsum(0))[:-1] ** 2 * places.diff()).sum()"),
        "You square what is carried",
    ),
    "every heap spread over all places": (
        "task2_check",
        w1("return (q[:, None] * p * (places[:, None] - places).abs()).sum()"),
        "That is a plan, but not the cheapest.",
    ),
    "cuts off by one": (
        "task2_check",
        w1("return ((q.cumsum(0) - p.cumsum(0))[1:].abs() * places.diff()).sum()"),
        "Shares and gaps are off by one",
    ),
    "a gap before the first heap": (
        "task2_check",
        w1("return ((q - p).cumsum(0).abs() * places.diff(prepend=torch.zeros(1))).sum()"),
        "what lies between 0 and x_1 is no gap",
    ),
    "twice the total variation": (
        "task2_check",
        w1("return (q - p).abs().sum()"),
        "That is twice the share that moves",
    ),
    "four heaps by heart": (
        "task2_check",
        w1("return sum(abs(q[:i].sum() - p[:i].sum()) * (places[i] - places[i - 1]) for i in (1, 2, 3))"),
        "it counts on another number of heaps",
    ),
    # --- task 3 -----------------------------------------------------------------------------------------------
    "the gap": ("task3_distances_check", predicted(boxes=2.0), "2 is the gap between the boxes."),
    "JSD for W1": ("task3_distances_check", predicted(boxes=0.693), "log 2 is JSD's answer."),
    "equal means are near": ("task3_distances_check", predicted(spread=0.0), "left does not cancel right"),
    "a bias is a distance": ("task3_scores_check", predicted(shifted_scores=6.5), "lifts the fakes' scores as well"),
    "one layer": ("task3_scores_check", predicted(doubled_clip=2), "That is one layer. There are three"),
    "factors added": ("task3_scores_check", predicted(doubled_clip=6), "multiplied, not added"),
    "W1 knows no clip": ("task3_scores_check", predicted(doubled_clip=1), "K is what the box makes it"),
    "a sigmoid has room": ("task3_scores_check", predicted(sigmoid_critic=1000), "a sigmoid has no room for the way"),
    "no mean in G's loss": ("task3_players_check", predicted(push=-1.0), "shares the slope out over the four"),
    "good scores need no push": ("task3_players_check", predicted(push=0.0), "that was cross-entropy"),
    "smaller estimate, better G": ("task3_players_check", predicted(nearer="A"), "A's critic is flatter"),
    "larger estimate, better G": ("task3_players_check", predicted(nearer="B"), "A larger estimate speaks against B"),
    "the largest score over all": (
        "task3_players_check",
        predicted(push=-1.25),
        "That is the score's share in the loss",
    ),
    "a wish to climb has a plus": ("task3_players_check", predicted(push=0.25), "The sign: G's loss is minus the mean"),
    "each half weighs one": ("task3_distances_check", predicted(spread=4), "not each half"),
    "from end to end": ("task3_distances_check", predicted(boxes=4), "That is from end to end"),
    "activations counted": ("task3_scores_check", predicted(doubled_clip=4), "the weights sit in three"),
    # --- task 4 -----------------------------------------------------------------------------------------------
    "sign left": (
        "task4_check",
        turn("loss = D(x).mean() - D(G(z).detach()).mean()", STEP, BOX),
        "The sign is still turned round",
    ),
    "gradients clipped as well": (
        "task4_check",
        turn(
            LOSS,
            "opt_d.zero_grad(); loss.backward(); nn.utils.clip_grad_value_(D.parameters(), c); opt_d.step()",
            BOX,
        ),
        "The gradients are still clipped.",
    ),
    "neither mended": (
        "task4_check",
        {"task4_repaired_turn": "repaired_turn = broken_turn"},
        "Neither fault is mended",
    ),
    "clip before the step": (
        "task4_check",
        turn(LOSS, "opt_d.zero_grad(); loss.backward()", BOX, "opt_d.step()"),
        "The clip comes before the step",
    ),
    "no clip": ("task4_check", turn(LOSS, STEP), "nothing puts it back"),
    "bias left outside": (
        "task4_check",
        turn(LOSS, STEP, "[p.data.clamp_(-c, c) for p in D.parameters() if p.ndim == 2]"),
        "The bias stays outside the box",
    ),
    "G in the box": (
        "task4_check",
        turn(LOSS, STEP, BOX, "[p.data.clamp_(-c, c) for p in G.parameters()]"),
        "The box is for the critic alone.",
    ),
    "missing detach": (
        "task4_check",
        turn("loss = D(G(z)).mean() - D(x).mean()", STEP, BOX),
        "G's weights have got a gradient in the critic's turn",
    ),
    "old gradients": (
        "task4_check",
        turn(LOSS, "loss.backward(); opt_d.step()", BOX),
        "The gradients of the turn before are still in it",
    ),
    "cleared before the step": (
        "task4_check",
        turn(LOSS, "loss.backward(); opt_d.zero_grad(); opt_d.step()", BOX),
        "clear the old ones before backward",
    ),
    "D's answer detached": (
        "task4_check",
        turn("loss = D(G(z)).detach().mean() - D(x).mean()", STEP, BOX),
        "not what D says of them",
    ),
    "sums in the turn": (
        "task4_check",
        turn("loss = D(G(z).detach()).sum() - D(x).sum()", STEP, BOX),
        "You take sums where the loss has averages",
    ),
    "one subtracted from the other": (
        "task4_check",
        turn("loss = (D(G(z).detach()) - D(x)).mean()", STEP, BOX),
        "3 real samples, 2 fakes, and you subtract",
    ),
    "autograd watches the turn": (
        "task4_check",
        turn(LOSS, STEP, "[p.clamp_(-c, c) for p in D.parameters()]"),
        "cannot be put back while autograd watches",
    ),
    "0.01 in the turn": (
        "task4_check",
        turn(LOSS, STEP, "[p.data.clamp_(-0.01, 0.01) for p in D.parameters()]"),
        "whatever c is",
    ),
    "the scores in the box": (
        "task4_check",
        turn("loss = D(G(z).detach()).clamp(-c, c).mean() - D(x).clamp(-c, c).mean()", STEP, BOX),
        "no gradient of this turn's loss",
    ),
    # --- task 5 -----------------------------------------------------------------------------------------------
    "the estimate alone": (
        "task5_check",
        bound("return (D(x).mean() - D(x_fake).mean()).item()"),
        "That is the estimate: divide by the steepest slope.",
    ),
    "fake minus real": (
        "task5_check",
        bound(
            "return ((D(x_fake).mean() - D(x).mean()) / ((D(x) - D(x_fake).T).abs() / torch.cdist(x, x_fake)).max()).item()"
        ),
        "Real minus fake, not fake minus real.",
    ),
    "sign lost": (
        "task5_check",
        bound(
            "return ((D(x).mean() - D(x_fake).mean()).abs() / ((D(x) - D(x_fake).T).abs() / torch.cdist(x, x_fake)).max()).item()"
        ),
        "You have lost the sign",
    ),
    "pairs in order only": (
        "task5_check",
        bound(
            "return ((D(x).mean() - D(x_fake).mean()) / ((D(x) - D(x_fake)).abs() / (x - x_fake).norm(dim=1, keepdim=True)).max()).item()"
        ),
        "Only the first real sample with the first fake",
    ),
    "average slope": (
        "task5_check",
        bound(
            "return ((D(x).mean() - D(x_fake).mean()) / ((D(x) - D(x_fake).T).abs() / torch.cdist(x, x_fake)).mean()).item()"
        ),
        "That is the average slope.",
    ),
    "along the streets": (
        "task5_check",
        bound(
            "return ((D(x).mean() - D(x_fake).mean()) / ((D(x) - D(x_fake).T).abs() / torch.cdist(x, x_fake, p=1)).max()).item()"
        ),
        "the way along the streets",
    ),
    "tables that do not match": (
        "task5_check",
        bound(
            "ways = torch.cdist(x.double(), x_fake.double()); return (D(x).mean() - D(x_fake).mean()) / ((D(x) - D(x_fake)).abs() / ways).max()"
        ),
        "Scores of one pair stand over the way of another",
    ),
    "sums of scores": (
        "task5_check",
        bound(
            "ways = torch.cdist(x.double(), x_fake.double()); return (D(x).sum() - D(x_fake).sum()) / ((D(x) - D(x_fake).T).abs() / ways).max()"
        ),
        "You add up the scores",
    ),
    "times the slope": (
        "task5_check",
        bound(
            "ways = torch.cdist(x.double(), x_fake.double()); return (D(x).mean() - D(x_fake).mean()) * ((D(x) - D(x_fake).T).abs() / ways).max()"
        ),
        "You multiply by the slope",
    ),
    "never below 0": (
        "task5_check",
        bound(
            "ways = torch.cdist(x.double(), x_fake.double()); return ((D(x).mean() - D(x_fake).mean()) / ((D(x) - D(x_fake).T).abs() / ways).max()).clamp(min=0)"
        ),
        "You cut the number off at 0",
    ),
    "uphill pairs only": (
        "task5_check",
        bound(
            "ways = torch.cdist(x.double(), x_fake.double()); return (D(x).mean() - D(x_fake).mean()) / ((D(x) - D(x_fake).T) / ways).max()"
        ),
        "The steepest pair may lead downhill",
    ),
    "pairs of a kind as well": (
        "task5_check",
        bound(
            "y = torch.cat([x, x_fake]).double(); f = torch.cat([D(x), D(x_fake)]); return (D(x).mean() - D(x_fake).mean()) / ((f - f.T).abs() / (torch.cdist(y, y) + torch.eye(len(y)))).max()"
        ),
        "not two of a kind",
    ),
    "as many fakes as real samples": (
        "task5_check",
        bound(
            "ways = torch.cdist(x.double(), x_fake.double()); return (D(x) - D(x_fake)).mean() / ((D(x) - D(x_fake).T).abs() / ways).max()"
        ),
        "average each kind on its own",
    ),
    "D in 64 bits": (
        "task5_check",
        bound(
            "x, x_fake = x.double(), x_fake.double(); return (D(x).mean() - D(x_fake).mean()) / ((D(x) - D(x_fake).T).abs() / torch.cdist(x, x_fake)).max()"
        ),
        "D wants 32-bit samples",
    ),
    "no detach before NumPy": (
        "task5_check",
        {
            "task5_w1_bound": "def w1_bound(D, x, x_fake):\n    a, b = D(x).numpy(), D(x_fake).numpy()\n    return (a.mean() - b.mean()) / abs((a - b.T) / torch.cdist(x.double(), x_fake.double()).numpy()).max()\n"
        },
        "D's scores hang on a graph",
    ),
}

RIGHT = {
    "the library's": {
        "task1_game": """
from ganedu.losses import d_wasserstein as d_loss, g_wasserstein as g_loss
from ganedu.regularizers import clip_weights as clip
""",
        "task2_w1": """
from scipy.stats import wasserstein_distance
def w1(places, q, p):
    return wasserstein_distance(places, places, q, p)
""",
        **predicted(boxes=3, spread=2, doubled_clip=8, nearer="Unknown "),
        "task4_repaired_turn": """
from ganedu.regularizers import clip_weights
from ganedu.training import update
def repaired_turn(G, D, opt_d, x, z, c=0.01):
    with torch.no_grad():
        x_fake = G(z)
    loss = update(opt_d, -(D(x).mean() - D(x_fake).mean()))
    clip_weights(D, c)
    return loss
""",
    },
    "written out": {
        "task1_game": """
def d_loss(on_real, on_fakes):
    return on_fakes.sum() / len(on_fakes) + (-on_real).mean()
def g_loss(on_fakes):
    return on_fakes.neg().mean()
def clip(D, c):
    for p in D.parameters():
        p.data = torch.maximum(torch.minimum(p.data, torch.tensor(c)), torch.tensor(-c))
""",
        "task2_w1": """
def w1(places, q, p):
    total, carried = 0.0, 0.0
    for i in range(len(places) - 1):
        carried += float(p[i] - q[i])
        total += abs(carried) * float(places[i + 1] - places[i])
    return total
""",
        "task4_repaired_turn": """
def repaired_turn(G, D, opt_d, x, z, c=0.01):
    opt_d.zero_grad(set_to_none=False)
    fakes = G(z).detach()
    loss = D(fakes).mean() - D(x).mean()
    loss.backward()
    opt_d.step()
    for p in D.parameters():
        p.data = p.data.clip(-c, c)
    return loss.detach()
""",
        "task5_w1_bound": """
def w1_bound(D, x, x_fake):
    steepest = 0.0
    for a in x:
        for b in x_fake:
            rise = abs(float(D(a[None]).detach()) - float(D(b[None]).detach()))
            steepest = max(steepest, rise / float((a - b).norm()))
    return (D(x).mean() - D(x_fake).mean()).detach() / steepest
""",
    },
    "heap by heap, and NumPy": {
        "task2_w1": """
def w1(places, q, p):
    i, j, work = 0, 0, 0.0
    while i < len(q) and j < len(p):
        carried = min(float(q[i]), float(p[j]))
        work += carried * abs(float(places[i] - places[j]))
        q[i] -= carried
        p[j] -= carried
        if q[i] <= p[j]:
            i += 1
        else:
            j += 1
    return work
""",
        "task5_w1_bound": """
from scipy.spatial.distance import cdist

def w1_bound(D, x, x_fake):
    a, b = (D(v).detach().numpy() for v in (x, x_fake))
    return float((a.mean() - b.mean()) / (abs(a - b.T) / cdist(x, x_fake)).max())
""",
    },
    "paths of their own": {
        "task1_game": """
def d_loss(real, fake):
    return -(real.mean() - fake.mean())
def g_loss(fake):
    return (-fake).mean()
def clip(D, c):
    state = D.state_dict()
    D.load_state_dict({name: value.clamp(-c, c) for name, value in state.items()})
""",
        "task5_w1_bound": """
def w1_bound(D, x, x_fake):
    with torch.no_grad():
        ways = (x[:, None] - x_fake[None]).pow(2).sum(-1).sqrt()
        rises = torch.abs(D(x)[:, None, 0] - D(x_fake)[None, :, 0])
        return float((D(x).mean() - D(x_fake).mean()) * (ways / rises).min())
""",
    },
}
