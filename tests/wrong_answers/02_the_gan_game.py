"""Answers to exercise 02 that people give: wrong ones, each a misconception, and right ones written otherwise.

WRONG: name -> (the check that must reject it, {cell: code}, a part of the message it is rejected with).
RIGHT: name -> {cell: code}.
"""

WRONG = {
    # --- task 1 -----------------------------------------------------------------------------------------------
    "swapped labels": (
        "task1_check",
        {
            "task1_d_loss": """
def d_loss(real_logits, fake_logits):
    real_labels, fake_labels = torch.zeros_like(real_logits), torch.ones_like(fake_logits)
    return F.binary_cross_entropy_with_logits(real_logits, real_labels) + F.binary_cross_entropy_with_logits(
        fake_logits, fake_labels
    )
"""
        },
        "swapped the labels",
    ),
    "two halves averaged": (
        "task1_check",
        {
            "task1_d_loss": """
def d_loss(real_logits, fake_logits):
    logits = torch.cat([real_logits, fake_logits])
    labels = torch.cat([torch.ones_like(real_logits), torch.zeros_like(fake_logits)])
    return F.binary_cross_entropy_with_logits(logits, labels)
"""
        },
        "added, not averaged",
    ),
    "sum over the batch": (
        "task1_check",
        {
            "task1_d_loss": """
def d_loss(real_logits, fake_logits):
    return F.softplus(-real_logits).sum() + F.softplus(fake_logits).sum()
"""
        },
        "the E in the formula is an average",
    ),
    "log of a sigmoid": (
        "task1_check",
        {
            "task1_d_loss": """
def d_loss(real_logits, fake_logits):
    return -torch.log(torch.sigmoid(real_logits)).mean() - torch.log(1 - torch.sigmoid(fake_logits)).mean()
"""
        },
        "its logarithm overflows",
    ),
    "epsilon in the log": (
        "task1_check",
        {
            "task1_d_loss": """
def d_loss(real_logits, fake_logits):
    real, fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    return -torch.log(real + 1e-8).mean() - torch.log(1 - fake + 1e-8).mean()
"""
        },
        "hides how wrong D is",
    ),
    "sigmoid twice": (
        "task1_check",
        {
            "task1_d_loss": """
def d_loss(real_logits, fake_logits):
    bce = nn.BCEWithLogitsLoss()
    real, fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    return bce(real, torch.ones_like(real)) + bce(fake, torch.zeros_like(fake))
"""
        },
        "take the sigmoid twice",
    ),
    "log of raw logits": (
        "task1_check",
        {
            "task1_d_loss": """
def d_loss(real_logits, fake_logits):
    return -torch.log(real_logits).mean() - torch.log(1 - fake_logits).mean()
"""
        },
        "a negative one has no logarithm",
    ),
    "a float": (
        "task1_check",
        {
            "task1_d_loss": """
def d_loss(real_logits, fake_logits):
    return F.softplus(-real_logits).mean().item() + F.softplus(fake_logits).mean().item()
"""
        },
        "Return a tensor, not a float: D learns from its gradient.",
    ),
    # --- task 2 -----------------------------------------------------------------------------------------------
    "saturating loss": (
        "task2_check",
        {
            "task2_g_loss": """
def g_loss(G, D, z):
    return -F.softplus(D(G(z))).mean()
"""
        },
        "the minimax loss: it saturates",
    ),
    "fakes labelled fake": (
        "task2_check",
        {
            "task2_g_loss": """
def g_loss(G, D, z):
    logits = D(G(z))
    return F.binary_cross_entropy_with_logits(logits, torch.zeros_like(logits))
"""
        },
        "G learns to be caught",
    ),
    "detached before D": (
        "task2_check",
        {
            "task2_g_loss": """
def g_loss(G, D, z):
    x_fake = G(z).detach()
    return F.softplus(-D(x_fake)).mean()
"""
        },
        "detached before D sees them",
    ),
    "log of a raw logit": (
        "task2_check",
        {
            "task2_g_loss": """
def g_loss(G, D, z):
    return -torch.log(D(G(z))).mean()
"""
        },
        "D gives logits, not probabilities",
    ),
    # --- task 3 -----------------------------------------------------------------------------------------------
    "log 2 at one half": (
        "task3_check",
        {
            "task3_predictions": """
def predictions():
    return dict(at_half=0.693, good_police=0.2107, caught=2.303, when_d_improves="up", verdict="c")
"""
        },
        "log 2 again on the fakes",
    ),
    "a better D means a better G": (
        "task3_check",
        {
            "task3_predictions": """
def predictions():
    return dict(at_half=1.386, good_police=0.2107, caught=2.303, when_d_improves="same", verdict="c")
"""
        },
        "G's loss does not measure G alone",
    ),
    "one half proves success": (
        "task3_check",
        {
            "task3_predictions": """
def predictions():
    return dict(at_half=1.386, good_police=0.2107, caught=2.303, when_d_improves="up", verdict="a")
"""
        },
        "necessary for success, not sufficient",
    ),
    # --- task 4: one of the two faults stays in, or another comes in --------------------------------------------
    "missing detach": (
        "task4_check",
        {
            "task4_train_round": """
def train_round(G, D, opt_d, opt_g, x, z):
    opt_g.zero_grad()
    opt_d.zero_grad()
    d_loss = d_minimax(D(x), D(G(z)))
    d_loss.backward()
    opt_d.step()
    g_loss = g_nonsaturating(D(G(z)))
    g_loss.backward()
    opt_g.step()
    return d_loss.detach(), g_loss.detach()
"""
        },
        "the fake batch still carries gradients into G",
    ),
    "missing zero_grad": (
        "task4_check",
        {
            "task4_train_round": """
def train_round(G, D, opt_d, opt_g, x, z):
    d_loss = d_minimax(D(x), D(G(z).detach()))
    d_loss.backward()
    opt_d.step()
    opt_g.zero_grad()
    g_loss = g_nonsaturating(D(G(z)))
    g_loss.backward()
    opt_g.step()
    return d_loss.detach(), g_loss.detach()
"""
        },
        "an earlier turn left in D",
    ),
    "steps the wrong optimiser": (
        "task4_check",
        {
            "task4_train_round": """
def train_round(G, D, opt_d, opt_g, x, z):
    opt_d.zero_grad()
    d_loss = d_minimax(D(x), D(G(z).detach()))
    d_loss.backward()
    opt_d.step()
    opt_g.zero_grad()
    g_loss = g_nonsaturating(D(G(z)))
    g_loss.backward()
    opt_d.step()
    return d_loss.detach(), g_loss.detach()
"""
        },
        "that of D, then D; wants D, then G",
    ),
    "G's turn with detached fakes": (
        "task4_check",
        {
            "task4_train_round": """
def train_round(G, D, opt_d, opt_g, x, z):
    x_fake = G(z).detach()
    loss_of_d = d_minimax(D(x), D(x_fake))
    opt_d.zero_grad()
    loss_of_d.backward()
    opt_d.step()
    loss_of_g = g_nonsaturating(D(x_fake))
    opt_g.zero_grad()
    loss_of_g.backward()
    opt_g.step()
    return loss_of_d.detach(), loss_of_g.detach()
"""
        },
        "No gradient of G's loss arrives in G: its fakes are detached.",
    ),
    "one graph for both turns": (
        "task4_check",
        {
            "task4_train_round": """
def train_round(G, D, opt_d, opt_g, x, z):
    x_fake = G(z)
    loss_of_d = d_minimax(D(x), D(x_fake))
    opt_d.zero_grad()
    loss_of_d.backward()
    opt_d.step()
    loss_of_g = g_nonsaturating(D(x_fake))
    opt_g.zero_grad()
    loss_of_g.backward()
    opt_g.step()
    return loss_of_d.detach(), loss_of_g.detach()
"""
        },
        "D's backward pass has used up the graph through G: do not retain it",
    ),
    "logits of before D's step": (
        "task4_check",
        {
            "task4_train_round": """
def train_round(G, D, opt_d, opt_g, x, z):
    fake_logits = D(G(z))
    loss_of_d = d_minimax(D(x), fake_logits)
    opt_d.zero_grad()
    loss_of_d.backward(retain_graph=True)
    opt_d.step()
    loss_of_g = g_nonsaturating(fake_logits)
    opt_g.zero_grad()
    loss_of_g.backward()
    opt_g.step()
    return loss_of_d.detach(), loss_of_g.detach()
"""
        },
        "the D of before D's step, which is gone",
    ),
    "D's gradient cleared after backward": (
        "task4_check",
        {
            "task4_train_round": """
def train_round(G, D, opt_d, opt_g, x, z):
    loss_of_d = d_minimax(D(x), D(G(z).detach()))
    loss_of_d.backward()
    opt_d.zero_grad()
    opt_d.step()
    loss_of_g = g_nonsaturating(D(G(z)))
    opt_g.zero_grad()
    loss_of_g.backward()
    opt_g.step()
    return loss_of_d.detach(), loss_of_g.detach()
"""
        },
        "D's step finds no gradient: clear the old ones before backward, not after it.",
    ),
    "G's gradient cleared after backward": (
        "task4_check",
        {
            "task4_train_round": """
def train_round(G, D, opt_d, opt_g, x, z):
    loss_of_d = d_minimax(D(x), D(G(z).detach()))
    opt_d.zero_grad()
    loss_of_d.backward()
    opt_d.step()
    loss_of_g = g_nonsaturating(D(G(z)))
    loss_of_g.backward()
    G.zero_grad()
    opt_g.step()
    return loss_of_d.detach(), loss_of_g.detach()
"""
        },
        "G's step finds no gradient: clear the old ones before backward, not after it.",
    ),
    "both backward before both steps": (
        "task4_check",
        {
            "task4_train_round": """
def train_round(G, D, opt_d, opt_g, x, z):
    loss_of_d = d_minimax(D(x), D(G(z).detach()))
    opt_d.zero_grad()
    loss_of_d.backward()
    loss_of_g = g_nonsaturating(D(G(z)))
    opt_g.zero_grad()
    loss_of_g.backward()
    opt_d.step()
    opt_g.step()
    return loss_of_d.detach(), loss_of_g.detach()
"""
        },
        "G's loss has run backward before D's step",
    ),
    "D's loss never runs backward": (
        "task4_check",
        {
            "task4_train_round": """
def train_round(G, D, opt_d, opt_g, x, z):
    loss_of_d = d_minimax(D(x), D(G(z).detach()))
    opt_d.zero_grad()
    opt_d.step()
    loss_of_g = g_nonsaturating(D(G(z)))
    opt_g.zero_grad()
    loss_of_g.backward()
    opt_g.step()
    return loss_of_d.detach(), loss_of_g.detach()
"""
        },
        "call its backward before D's step",
    ),
    # --- task 5 -----------------------------------------------------------------------------------------------
    "asks D": (
        "task5_check",
        {
            "task5_succeeded": """
def succeeded(G, D, z, tolerance=0.15):
    with torch.no_grad():
        return bool((torch.sigmoid(D(G(z))) - 0.5).abs().mean() < tolerance)
"""
        },
        "Judge the samples, not what D says",
    ),
    "the mean alone": (
        "task5_check",
        {
            "task5_succeeded": """
def succeeded(G, D, z, tolerance=0.15):
    return bool((G(z).mean() - MEAN).abs() < tolerance)
"""
        },
        "Look at their spread as well",
    ),
    "variance for standard deviation": (
        "task5_check",
        {
            "task5_succeeded": """
def succeeded(G, D, z, tolerance=0.15):
    samples = G(z)
    return abs(float(samples.mean()) - MEAN) < tolerance and abs(float(samples.var()) - STD) < tolerance
"""
        },
        "or its square",
    ),
    "or for and": (
        "task5_check",
        {
            "task5_succeeded": """
def succeeded(G, D, z, tolerance=0.15):
    samples = G(z)
    return abs(samples.mean().item() - MEAN) < tolerance or abs(samples.std().item() - STD) < tolerance
"""
        },
        "but too high by 0.3",
    ),
    "a tolerance of its own": (  # only a hidden test sees this one
        "task5_check",
        {
            "task5_succeeded": """
def succeeded(G, D, z, tolerance=0.15):
    samples = G(z)
    return abs(samples.mean().item() - MEAN) < 0.15 and abs(samples.std().item() - STD) < 0.15
"""
        },
        "Use tolerance",
    ),
    "sign of the difference": (
        "task5_check",
        {
            "task5_succeeded": """
def succeeded(G, D, z, tolerance=0.15):
    samples = G(z)
    return bool(samples.mean() - MEAN < tolerance and (samples.std() - STD).abs() < tolerance)
"""
        },
        "but too low by 0.3",
    ),
}

RIGHT = {
    "cross-entropy from logits": {
        "task1_d_loss": """
def d_loss(on_real, on_fake):
    criterion = nn.BCEWithLogitsLoss()
    total = criterion(on_real, torch.ones_like(on_real))
    total += criterion(on_fake, torch.zeros(on_fake.shape))
    return total
""",
        "task2_g_loss": """
def g_loss(generator, discriminator, latents):
    verdict = discriminator(generator(latents))
    return nn.BCEWithLogitsLoss()(verdict, torch.ones_like(verdict))
""",
    },
    "logsigmoid": {
        "task1_d_loss": """
from torch.nn.functional import logsigmoid
def d_loss(real_logits, fake_logits):
    return -(logsigmoid(real_logits) + logsigmoid(-fake_logits)).mean()
""",
        "task2_g_loss": """
def g_loss(G, D, z):
    x_fake = G(z)
    return -F.logsigmoid(D(x_fake)).mean()
""",
        "task3_predictions": """
log2 = math.log(2)
def predictions():
    answers = {"verdict": "c", "when_d_improves": "up"}
    answers["at_half"] = torch.tensor(2 * log2)
    answers["good_police"] = 0.21
    answers["caught"] = 2.3
    return answers
""",
    },
    "two-class cross-entropy": {  # logits (0, s) of two classes: log softmax is log sigmoid
        "task1_d_loss": """
def d_loss(real_logits, fake_logits):
    def two(s):
        return torch.cat([torch.zeros_like(s), s], dim=1)
    real = F.cross_entropy(two(real_logits), torch.ones(len(real_logits), dtype=torch.long))
    fake = F.cross_entropy(two(fake_logits), torch.zeros(len(fake_logits), dtype=torch.long))
    return real + fake
""",
        "task2_g_loss": """
def g_loss(G, D, z):
    s = D(G(z))
    return torch.logaddexp(torch.zeros_like(s), -s).mean()
""",
    },
    "one fake batch for both turns": {
        "task4_train_round": """
def train_round(G, D, opt_d, opt_g, x, z):
    x_fake = G(z)
    d_loss = d_minimax(D(x), D(x_fake.detach()))
    opt_d.zero_grad(set_to_none=False)
    d_loss.backward()
    opt_d.step()
    g_loss = g_nonsaturating(D(x_fake))
    opt_g.zero_grad(set_to_none=False)
    g_loss.backward()
    opt_g.step()
    return d_loss.item(), g_loss.item()
""",
        "task5_succeeded": """
def succeeded(G, D, z, tolerance=0.15):
    samples = G(z).detach().numpy()
    return all(abs(a - b) < tolerance for a, b in [(samples.mean(), MEAN), (samples.std(), STD)])
""",
    },
    "no_grad, frozen and cleared at the end": {
        "task4_train_round": """
def train_round(G, D, opt_d, opt_g, x, z):
    for optimizer in (opt_d, opt_g):
        optimizer.zero_grad()
    with torch.no_grad():
        x_fake = G(z)
    loss_of_d = d_minimax(D(x), D(x_fake))
    loss_of_d.backward()
    opt_d.step()
    D.requires_grad_(False)
    loss_of_g = g_nonsaturating(D(G(z)))
    loss_of_g.backward()
    opt_g.step()
    D.requires_grad_(True)
    return [float(loss_of_d), float(loss_of_g)]
""",
        "task3_predictions": """
def predictions():
    return dict(at_half=1.386, good_police=0.211, caught=2.303, when_d_improves="Up", verdict="C ")
""",
        "task5_succeeded": """
def succeeded(G, D, z, tolerance=0.15):
    x_fake = G(z)
    if (x_fake.mean() - MEAN).abs() > tolerance:
        return False
    return (x_fake.var().sqrt() - STD).abs() < tolerance
""",
    },
    "no backward at all": {
        "task4_train_round": """
def train_round(G, D, opt_d, opt_g, x, z):
    def turn(loss, net, optimizer):
        for p, gradient in zip(net.parameters(), torch.autograd.grad(loss, list(net.parameters()))):
            p.grad = gradient
        optimizer.step()
        return loss.detach()
    loss_of_d = turn(d_minimax(D(x), D(G(z))), D, opt_d)
    return loss_of_d, turn(g_nonsaturating(D(G(z))), G, opt_g)
""",
    },
}
