"""Answers to exercise 04 that people give: wrong ones, each a misconception, and right ones written otherwise.

WRONG: name -> (the check that must reject it, {cell: code}, a part of the message it is rejected with).
RIGHT: name -> {cell: code}.
"""


def both(block):
    """What stands behind the first and behind the second hidden layer: a pair, or one text for both."""
    return (block, block) if isinstance(block, str) else block


def a_G(
    block="nn.BatchNorm1d({n})",
    end="nn.Tanh(), nn.Unflatten(1, (1, 28, 28))",
    widths=(256, 512),
    first="z_dim",
    act="nn.ReLU()",
):
    """Code of a ``make_G`` with something changed."""
    a, b = widths
    one, two = both(block)
    return f"""
def make_G(z_dim):
    return nn.Sequential(
        nn.Linear({first}, {a}), {one.format(n=a)}, {act},
        nn.Linear({a}, {b}), {two.format(n=b)}, {act},
        nn.Linear({b}, 784), {end},
    )
"""


def players(
    block="nn.BatchNorm1d({n})",
    tanh="nn.Tanh(), ",
    slope="nn.LeakyReLU(0.2)",
    end="",
    widths=(128, 256),
    first="z_dim",
):
    """Code of a ``mended_G`` and a ``mended_D`` with something changed."""
    a, b = widths
    one, two = both(block)
    return f"""
def mended_G(z_dim):
    return nn.Sequential(
        nn.Linear({first}, {a}), {one.format(n=a)}, nn.ReLU(),
        nn.Linear({a}, {b}), {two.format(n=b)}, nn.ReLU(),
        nn.Linear({b}, 784), {tanh}nn.Unflatten(1, (1, 28, 28)),
    )

def mended_D():
    return nn.Sequential(nn.Flatten(), nn.Linear(784, 256), {slope}, nn.Linear(256, 128), {slope}, nn.Linear(128, 1){end})
"""


def losses(saturating="-F.softplus(fake_logits).mean()", nonsaturating="F.softplus(-fake_logits).mean()"):
    """Code of both losses with one of them changed."""
    return f"""
def g_saturating(fake_logits):
    return {saturating}

def g_nonsaturating(fake_logits):
    return {nonsaturating}
"""


def answers(**changed):
    """Code of the predictions with some of them changed."""
    right = dict(ratio=499, equal_at=0.5, against_a_sure_D="c", g_loss_rises="c", noise="a", copier="c")
    return f"""
def predictions():
    return {right | changed!r}
"""


DISTANCE = "torch.cdist(x.flatten(1), x_real.flatten(1)).min(1).values.mean() < 2"
COLLAPSE = "x.std(0).mean() < x_real.std(0).mean() / 4"
QUALITY = "fid(x) > 200"
RAREST = "digit_shares(x).min() < 0.01"


def judge(copies=DISTANCE, collapsed=COLLAPSE, no_digits=QUALITY, missing=RAREST, order="0123"):
    """Code of a ``verdict`` with one test changed, or the tests in another order."""
    tests = list(zip((copies, collapsed, no_digits, missing), ("copies", "collapsed", "no digits", "digit missing")))
    lines = [f"    if {test}:\n        return {name!r}" for test, name in (tests[int(i)] for i in order)]
    return "\ndef verdict(x, x_real):\n" + "\n".join(lines) + '\n    return "nothing found"\n'


def wrong(check, cell, code, message):
    return check, {cell: code}, message


def wrong_1(code, message):
    return wrong("task1_check", "task1_make_G", code, message)


def wrong_2(code, message):
    return wrong("task2_check", "task2_g_losses", code, message)


def wrong_3(message, **changed):
    return wrong("task3_check", "task3_predictions", answers(**changed), message)


def wrong_4(code, message):
    return wrong("task4_check", "task4_mended", code, message)


def wrong_5(code, message):
    return wrong("task5_check", "task5_verdict", code, message)


WRONG = {
    # --- task 1 -----------------------------------------------------------------------------------------------
    "sigmoid at G's end": wrong_1(
        a_G(end="nn.Sigmoid(), nn.Unflatten(1, (1, 28, 28))"), "D knows a fake without black at once"
    ),
    "no tanh": wrong_1(a_G(end="nn.Unflatten(1, (1, 28, 28))"), "nothing holds them within [-1, 1]"),
    "flat pixels": wrong_1(a_G(end="nn.Tanh()"), "got shape (200, 784), wants (200, 1, 28, 28)"),
    "no channel": wrong_1(a_G(end="nn.Tanh(), nn.Unflatten(1, (28, 28))"), "got shape (200, 28, 28)"),
    "no batch norm": wrong_1(a_G(block="nn.Identity()"), "Which layer holds samples apart?"),
    "eps for momentum in G": wrong_1(a_G(block="nn.BatchNorm1d({n}, 0.8)"), "a large one normalises nothing"),
    "latents of 64 whatever z_dim": wrong_1(a_G(first="64"), "make_G(20): fails on an input of shape (200, 20)"),
    "the wide layer first": wrong_1(
        a_G(widths=(512, 256)), "its linear layers give [512, 256, 784] numbers, wants [256, 512, 784]"
    ),
    "no batch norm at the first hidden layer": wrong_1(
        a_G(block=("nn.Identity()", "nn.BatchNorm1d({n})")),
        "make_G(64): it has no batch norm at its first hidden layer",
    ),
    "layer norm": wrong_1(a_G(block="nn.LayerNorm({n})"), "LayerNorm normalises each sample over its units"),
    "batch norm behind the ReLU": wrong_1(
        a_G(block="nn.ReLU(), nn.BatchNorm1d({n})", act="nn.Identity()"), "The order is linear, batch norm, ReLU."
    ),
    "no ReLU": wrong_1(a_G(act="nn.Identity()"), "ReLU is missing behind the batch norm"),
    "leaky ReLU": wrong_1(a_G(act="nn.LeakyReLU(0.2)"), "is not ReLU, which is max(0, h)"),
    "pixels normalised": wrong_1(
        a_G(end="nn.BatchNorm1d(784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))"), "its pixels are not normalised"
    ),
    "a batch of one loses its dimension": wrong_1(
        """
class Net(nn.Module):
    def __init__(self, z_dim):
        super().__init__()
        self.body = nn.Sequential(
            nn.Linear(z_dim, 256), nn.BatchNorm1d(256), nn.ReLU(),
            nn.Linear(256, 512), nn.BatchNorm1d(512), nn.ReLU(), nn.Linear(512, 784), nn.Tanh(),
        )

    def forward(self, z):
        return self.body(z).squeeze().reshape(-1, 1, 28, 28) if len(z) > 1 else self.body(z).reshape(28, 28)

def make_G(z_dim):
    return Net(z_dim)
""",
        "A batch of one keeps its first dimension.",
    ),
    "the net is not returned": wrong_1(
        """
def make_G(z_dim):
    G = nn.Sequential(nn.Linear(z_dim, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
""",
        "make_G(64): got a NoneType, wants a net",
    ),
    "chance beside the latents": wrong_1(
        """
def make_G(z_dim):
    return nn.Sequential(
        nn.Linear(z_dim, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Dropout(0.3),
        nn.Linear(256, 512), nn.BatchNorm1d(512), nn.ReLU(),
        nn.Linear(512, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)),
    )
""",
        "z is the only source of chance",
    ),
    # --- task 2 -----------------------------------------------------------------------------------------------
    "the two losses confused": wrong_2(
        losses("F.softplus(-fake_logits).mean()", "-F.softplus(fake_logits).mean()"),
        "the names are the other way round",
    ),
    "saturating with D's sign": wrong_2(losses("F.softplus(fake_logits).mean()"), "This is what D pays for the fakes."),
    "saturating twice": wrong_2(
        losses(nonsaturating="-F.softplus(fake_logits).mean()"), "This is the saturating loss a second time."
    ),
    "fakes labelled fake": wrong_2(
        losses(nonsaturating="F.binary_cross_entropy_with_logits(fake_logits, torch.zeros_like(fake_logits))"),
        "rewards G for being caught: the labels are swapped",
    ),
    "sum over the batch, saturating": wrong_2(losses("-F.softplus(fake_logits).sum()"), "You add up over the batch"),
    "sum over the batch, non-saturating": wrong_2(
        losses(nonsaturating="F.softplus(-fake_logits).sum()"), "You add up over the two latents"
    ),
    "no minus sign": wrong_2(
        losses(nonsaturating="F.logsigmoid(fake_logits).mean()"), "this G runs away from what D takes for real"
    ),
    "sigmoid twice": wrong_2(losses("-F.softplus(fake_logits.sigmoid()).mean()"), "You take the sigmoid twice"),
    "log of raw logits": wrong_2(
        losses("torch.log(1 - fake_logits.abs() - 1).mean()"), "a negative one has no logarithm"
    ),
    "log of a sigmoid": wrong_2(
        losses("torch.log(1 - torch.sigmoid(fake_logits)).mean()", "-torch.log(torch.sigmoid(fake_logits)).mean()"),
        "The sigmoid is exactly 0 or 1 here",
    ),
    "epsilon in the log": wrong_2(
        losses(nonsaturating="-torch.log(torch.sigmoid(fake_logits) + 1e-8).mean()"), "or a clamp, flattens the slope"
    ),
    "no way back to the logits": wrong_2(
        losses("-F.softplus(fake_logits.detach()).mean()"), "no gradient goes back to the logits"
    ),
    "a float": wrong_2(losses("-F.softplus(fake_logits).mean().item()"), "wants a tensor of shape (): G needs its"),
    "saturating, of the wrong probability": wrong_2(
        losses("-F.softplus(-fake_logits).mean()"), "this loss takes that of 'fake', 1 - D"
    ),
    "log of 1 minus the logit": wrong_2(
        losses("torch.log(1 - fake_logits).mean()"), "the formula has D = sigmoid(s) there"
    ),
    "non-saturating of a sigmoid": wrong_2(
        losses(nonsaturating="F.softplus(-fake_logits.sigmoid()).mean()"), "A sigmoid too many"
    ),
    # --- task 3 -----------------------------------------------------------------------------------------------
    "the ratio upside down": wrong_3("Upside down", ratio=0.002 / 0.998),
    "slopes that are equal at 0": wrong_3("Set the two slopes of the lesson's table equal", equal_at=0.0),
    "Adam does not help": wrong_3("a tiny gradient makes a step as large as any", against_a_sure_D="a"),
    "SGD gets there as well": wrong_3("SGD's steps are as small as its gradient", against_a_sure_D="b"),
    "the optimisers confused": wrong_3("For one of the two optimisers", against_a_sure_D="d"),
    "a rising loss means worse samples": wrong_3("both have learned since", g_loss_rises="a"),
    "noise is spread evenly": wrong_3("all noise looks alike to it", noise="b"),
    "confidence gives noise away": wrong_3("so it is sure of whatever it says", noise="c"),
    "FID-d sees copying": wrong_3("a set that repeats the originals", copier="a"),
    # --- task 4 -----------------------------------------------------------------------------------------------
    "the sigmoid stays": wrong_4(players(end=", nn.Sigmoid()"), "and is never negative"),
    "tanh for the sigmoid": wrong_4(players(end=", nn.Tanh()"), "A logit is any number: nothing may squash it."),
    "logsigmoid at D's end": wrong_4(players(end=", nn.LogSigmoid()"), "is never positive: D can call nothing real"),
    "batch norm added to D": wrong_4(
        players(slope="nn.BatchNorm1d(256), nn.LeakyReLU(0.2)").replace(
            "nn.Linear(256, 128), nn.BatchNorm1d(256)", "nn.Linear(256, 128), nn.BatchNorm1d(128)"
        ),
        "it has a normalisation, which broken_D has not",
    ),
    "latents of 64 in the mended G": wrong_4(players(first="64"), "mended_G(20): fails on an input of shape (400, 20)"),
    "a batch norm of the wrong size": wrong_4(
        players(block=("nn.BatchNorm1d({n})", "nn.BatchNorm1d(128)")),
        "mended_G(64): fails on an input of shape (400, 64)",
    ),
    "sigmoid for tanh": wrong_4(players(tanh="nn.Sigmoid(), "), "Leave the Tanh at its end."),
    "one batch norm taken out": wrong_4(
        players(block=("nn.BatchNorm1d({n})", "nn.Identity()")), "mended_G: it has no batch norm at its second"
    ),
    "the eps stays": wrong_4(players(block="nn.BatchNorm1d({n}, 0.8)"), "still divides by sqrt(var + 0.8)"),
    "batch norm taken out": wrong_4(players(block="nn.Identity()"), "it has no batch norm any more"),
    "tanh taken out": wrong_4(players(tanh=""), "Its Tanh was no fault"),
    "ReLU for LeakyReLU": wrong_4(players(slope="nn.ReLU()"), "They pass a gradient on where a ReLU stops it."),
    "other widths": wrong_4(
        players(widths=(256, 512)), "mended_G, widths as they were: its linear layers give [256, 512, 784]"
    ),
    # --- task 5 -----------------------------------------------------------------------------------------------
    "one close pair is a copy": wrong_5(
        judge(copies="torch.cdist(x.flatten(1), x_real.flatten(1)).min() < 2"), "A tenth of these are copies"
    ),
    "copies are equal bit by bit": wrong_5(
        judge(copies="all(bool((x_real == sample).all(3).all(2).any()) for sample in x)"),
        "a trace of noise on top makes no new image",
    ),
    "the nearest sample of each training image": wrong_5(
        judge(copies="torch.cdist(x.flatten(1), x_real.flatten(1)).min(0).values.mean() < 2"),
        "The minimum is taken for each sample",
    ),
    "spread within one image": wrong_5(
        judge(collapsed="x.std((1, 2, 3)).mean() < x_real.std((1, 2, 3)).mean() / 4"), "not within one image"
    ),
    "classifier before FID-d": wrong_5(judge(order="0132"), "before you knew that there is something to classify"),
    "the wrong side of FID-d": wrong_5(judge(no_digits="fid(x) < 200"), "Its FID-d is 4. Small is good."),
    "the most frequent digit": wrong_5(judge(missing="digit_shares(x).max() > 0.5"), "Ask for the rarest digit."),
    "shares for per cent": wrong_5(judge(missing="digit_shares(x).min() < 1"), "not per cent and not counts"),
    "the lesson's .value": wrong_5(judge(no_digits="fid(x).value > 200"), ".value belongs to the lesson's fid_digits"),
    "squared distance": wrong_5(
        judge(copies="torch.cdist(x.flatten(1), x_real.flatten(1)).square().min(1).values.mean() < 2"),
        "the L2 distance has a root",
    ),
    "a spread of its own": wrong_5(
        judge(collapsed="x.std(0).mean() < 0.1"), "the spread of the training images handed in as x_real"
    ),
    "the line far too high": wrong_5(judge(no_digits="fid(x) > 500"), "They look like task 4's dead run"),
    "the whole training set, whatever is handed in": wrong_5(
        judge(copies="torch.cdist(x.flatten(1), data.all().flatten(1)).min(1).values.mean() < 2"),
        "Search there and nowhere else.",
    ),
}

RIGHT = {
    "classes and other names": {
        "task1_make_G": """
class Generator(nn.Module):
    def __init__(self, size):
        super().__init__()
        self.one, self.two, self.pixels = nn.Linear(size, 256, bias=False), nn.Linear(256, 512, bias=False), nn.Linear(512, 784)
        self.bn1, self.bn2 = nn.BatchNorm1d(256, momentum=0.2), nn.BatchNorm1d(512, momentum=0.2)

    def forward(self, latents):
        h = F.relu(self.bn1(self.one(latents)))
        h = F.relu(self.bn2(self.two(h)))
        return torch.tanh(self.pixels(h)).view(len(latents), 1, 28, 28)

def make_G(z_dim):
    return Generator(z_dim)
""",
        "task2_g_losses": """
def g_saturating(logits):
    return F.logsigmoid(-logits).mean()

def g_nonsaturating(logits):
    return F.binary_cross_entropy_with_logits(logits, torch.ones_like(logits))
""",
        "task4_mended": """
def mended_G(z_dim):
    net = broken_G(z_dim)
    net[1], net[4] = nn.BatchNorm1d(128), nn.BatchNorm1d(256)
    return net

def mended_D():
    return broken_D()[:-1]
""",
        "task5_verdict": """
def verdict(samples, training):
    nearest = [(training - x).square().sum((1, 2, 3)).sqrt().min().item() for x in samples]
    if sum(nearest) / len(nearest) < 2:
        return "copies"
    if samples.std(dim=0).mean() < 0.25 * training.std(dim=0).mean():
        return "collapsed"
    if fid(samples) > 200:
        return "no digits"
    return "digit missing" if (digit_shares(samples) < 0.01).any() else "nothing found"
""",
    },
    "momentum as it was meant": {
        "task3_predictions": answers(ratio=500, equal_at=1 / 2, against_a_sure_D="C", noise=" A"),
        "task4_mended": players(block="nn.BatchNorm1d({n}, momentum=0.8)"),
    },
    "logaddexp": {
        "task2_g_losses": losses(
            "-torch.logaddexp(torch.zeros_like(fake_logits), fake_logits).mean()",
            "torch.logaddexp(torch.zeros_like(fake_logits), -fake_logits).mean()",
        ),
    },
}
