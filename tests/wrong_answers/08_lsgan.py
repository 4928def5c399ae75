"""Answers to exercise 08: misconceptions, each with the words that must tell the student, and right answers in other words.

Each name maps to (the check that must fail, the cells to replace, words that must be in its message and in no other's).
"""

TASK_1 = "task1_losses"
G_RIGHT = """
def g_loss(fake_logits, c=1.0):
    return (fake_logits - c).square().mean() / 2
"""
D_RIGHT = """
def d_loss(real_logits, fake_logits, a=0.0, b=1.0):
    return (real_logits - b).square().mean() / 2 + (fake_logits - a).square().mean() / 2
"""


def first(d_line=None, g_line=None):
    """Task 1 with one of the two losses replaced."""
    head = "\ndef d_loss(real_logits, fake_logits, a=0.0, b=1.0):\n    return "
    d = head + d_line + "\n" if d_line else D_RIGHT
    g = f"\ndef g_loss(fake_logits, c=1.0):\n    return {g_line}\n" if g_line else G_RIGHT
    return {TASK_1: d + g}


PREDICTIONS = {
    "slope_squares": 5.0,
    "slope_cross_entropy": -0.00247,
    "d_loss_guessing": 1.0,
    "chi2_disjoint": 2.0,
    "twice_C_equal": 0.5,
    "far_apart": "neither",
    "lower_loss": "c",
}


def predicted(**changed):
    return {"task3_predictions": f"def predictions():\n    return { ({**PREDICTIONS, **changed})!r}\n"}


def repaired(d_line, g_line, before="real_logits, fake_logits = D(x), D(G(z).detach())"):
    body = f"    {before}\n    d_loss = {d_line}\n    g_loss = {g_line}\n    return d_loss, g_loss\n"
    return {"task4_repaired_losses": "def repaired_losses(G, D, x, z):\n" + body}


D_LINE = "(real_logits - 1).square().mean() / 2 + fake_logits.square().mean() / 2"
G_LINE = "(D(G(z)) - 1).square().mean() / 2"

WRONG = {
    # --- task 1 -----------------------------------------------------------------------------------------------
    "codes swapped": (
        "task1_check",
        {
            TASK_1: G_RIGHT
            + """
def d_loss(real_logits, fake_logits, a=0.0, b=1.0):
    return (real_logits - a).square().mean() / 2 + (fake_logits - b).square().mean() / 2
"""
        },
        "The codes are swapped: b belongs to the real samples.",
    ),
    "no factor 1/2": (
        "task1_check",
        {
            TASK_1: G_RIGHT
            + """
def d_loss(real_logits, fake_logits, a=0.0, b=1.0):
    return nn.functional.mse_loss(real_logits, torch.full_like(real_logits, b)) + (fake_logits - a).pow(2).mean()
"""
        },
        "The two factors 1/2 are missing.",
    ),
    "square of the average": (
        "task1_check",
        {
            TASK_1: G_RIGHT
            + """
def d_loss(real_logits, fake_logits, a=0.0, b=1.0):
    return (real_logits.mean() - b) ** 2 / 2 + (fake_logits.mean() - a) ** 2 / 2
"""
        },
        "You square the average, not each distance.",
    ),
    "sigmoid before the squares": (
        "task1_check",
        {
            TASK_1: G_RIGHT
            + """
def d_loss(real_logits, fake_logits, a=0.0, b=1.0):
    on_real, on_fakes = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    return ((on_real - b) ** 2).mean() / 2 + ((on_fakes - a) ** 2).mean() / 2
"""
        },
        "and fake_logits (0.5, -2): got 0.213622, wants 2.4375. There is a sigmoid in between",
    ),
    "one heap": (
        "task1_check",
        {
            TASK_1: G_RIGHT
            + """
def d_loss(real_logits, fake_logits, a=0.0, b=1.0):
    return torch.cat([real_logits - b, fake_logits - a]).square().mean() / 2
"""
        },
        "All samples are averaged in one heap.",
    ),
    "codes fixed in D's loss": (
        "task1_check",
        {
            TASK_1: G_RIGHT
            + """
def d_loss(real_logits, fake_logits, a=0.0, b=1.0):
    return (real_logits - 1).square().mean() / 2 + fake_logits.square().mean() / 2
"""
        },
        "You leave a at 0, whatever it is.",
    ),
    "one heap, no halves": (
        "task1_check",
        first("torch.cat([real_logits - b, fake_logits - a]).square().mean()"),
        "Each kind has its own of both.",
    ),
    "half of one half": (
        "task1_check",
        first("(real_logits - b).square().mean() + (fake_logits - a).square().mean() / 2"),
        "Only one of the two factors 1/2 is there",
    ),
    "sizes for squares": (
        "task1_check",
        first("((real_logits - b).abs().mean() + (fake_logits - a).abs().mean()) / 2"),
        "You average sizes",
    ),
    "a sum in G's loss": (
        "task1_check",
        first(g_line="(fake_logits - c).square().sum() / 2"),
        "g_loss of fake_logits (0.5, -2, 3.5): got 7.75, wants 2.58333. You add up over the batch",
    ),
    "a sigmoid in G's loss": (
        "task1_check",
        first(g_line="(fake_logits.sigmoid() - c).square().mean() / 2"),
        "wants 2.58333. There is a sigmoid in between",
    ),
    "G runs away": (
        "task1_check",
        first(g_line="-(fake_logits - c).square().mean() / 2"),
        "The sign is turned round: this is minus the formula.",
    ),
    "G drawn to the code of fakes": (
        "task1_check",
        {
            TASK_1: D_RIGHT
            + """
def g_loss(fake_logits, c=1.0):
    return fake_logits.square().mean() / 2
"""
        },
        "G's fakes are drawn to 0 here, the code of fakes",
    ),
    "c fixed in G's loss": (
        "task1_check",
        {
            TASK_1: D_RIGHT
            + """
def g_loss(fake_logits, c=1.0):
    return (fake_logits - 1).square().mean() / 2
"""
        },
        "You leave c at 1, whatever it is.",
    ),
    "a float": (
        "task1_check",
        {
            TASK_1: G_RIGHT
            + """
def d_loss(real_logits, fake_logits, a=0.0, b=1.0):
    return float((real_logits - b).square().mean() / 2 + (fake_logits - a).square().mean() / 2)
"""
        },
        "a float, wants a tensor of shape (), through which a gradient passes.",
    ),
    # --- task 2 -----------------------------------------------------------------------------------------------
    "p and q swapped": (
        "task2_check",
        {
            "task2_best_D": "def best_D(log_p, log_q, a=0.0, b=1.0):\n    return a + (b - a) * torch.sigmoid(log_q - log_p)\n"
        },
        "p and q, or a and b, have changed places",
    ),
    "one share for both codes": (
        "task2_check",
        {"task2_best_D": "def best_D(log_p, log_q, a=0.0, b=1.0):\n    return a + b * torch.sigmoid(log_p - log_q)\n"},
        "both shares are needed",
    ),
    "the logit": (
        "task2_check",
        {"task2_best_D": "def best_D(log_p, log_q, a=0.0, b=1.0):\n    return log_p - log_q\n"},
        "That is the best logit for cross-entropy.",
    ),
    "the likelier code": (
        "task2_check",
        {
            "task2_best_D": """
def best_D(log_p, log_q, a=0.0, b=1.0):
    return torch.where(log_p > log_q, torch.full_like(log_p, b), torch.full_like(log_p, a))
"""
        },
        "weighted by p and q, not the code of the likelier kind",
    ),
    "a share of logarithms": (
        "task2_check",
        {
            "task2_best_D": """
def best_D(log_p, log_q, a=0.0, b=1.0):
    return (b * log_p + a * log_q) / (log_p + log_q)
"""
        },
        "p and q are the densities, not their logarithms",
    ),
    "lesson 03's answer": (
        "task2_check",
        {"task2_best_D": "def best_D(log_p, log_q, a=0.0, b=1.0):\n    return torch.sigmoid(log_p - log_q)\n"},
        "You leave out the codes a and b.",
    ),
    "back to densities": (
        "task2_check",
        {
            "task2_best_D": """
def best_D(log_p, log_q, a=0.0, b=1.0):
    p, q = log_p.exp(), log_q.exp()
    return (b * p + a * q) / (p + q)
"""
        },
        "0/0 is no number: stay with the difference of the logarithms",
    ),
    "a small number below": (
        "task2_check",
        {
            "task2_best_D": """
def best_D(log_p, log_q, a=0.0, b=1.0):
    p, q = log_p.exp(), log_q.exp()
    return (b * p + a * q) / (p + q + 1e-12)
"""
        },
        "decides here in place of the densities",
    ),
    # --- task 3 -----------------------------------------------------------------------------------------------
    "too real is no error": ("task3_check", predicted(slope_squares=0.0), "a D of 6 is as wrong as one of -4"),
    "the loss for its slope": ("task3_check", predicted(slope_squares=12.5), "That is the loss. Its slope is D - c."),
    "the slope of a caught fake": (
        "task3_check",
        predicted(slope_cross_entropy=-1.0),
        "-1 is the slope for a fake that is caught.",
    ),
    "small, so 0": ("task3_check", predicted(slope_cross_entropy=0.0), "Small it is, but not this"),
    "uphill": ("task3_check", predicted(slope_cross_entropy=0.0025), "the loss still falls, a little"),
    "two at once, and both are named": (
        "task3_check",
        predicted(slope_squares=7.0, d_loss_guessing=0.5),
        "not right yet: slope_squares, d_loss_guessing.",
    ),
    "guessing, in the other codes": ("task3_check", predicted(d_loss_guessing=0.25), "0.25 is for the codes 0 and 1."),
    "guessing, in nats": ("task3_check", predicted(d_loss_guessing=1.386), "2 log 2 is cross-entropy's."),
    "chi2 knows the distance": ("task3_check", predicted(chi2_disjoint=3.0), "3 is how far they are apart"),
    "2C is a chi2": ("task3_check", predicted(twice_C_equal=0.0), "With this coding 2C keeps a constant"),
    "no plateau": ("task3_check", predicted(far_apart="both"), "The best D is flat at its code where the fakes are"),
    "lower loss, better D": ("task3_check", predicted(lower_loss="a"), "the two losses have different units."),
    "lower loss, better G": ("task3_check", predicted(lower_loss="b"), "D's loss is not G's quality"),
    # --- task 4 -----------------------------------------------------------------------------------------------
    "sigmoid left in D's loss": (
        "task4_check",
        repaired(D_LINE, G_LINE, "real_logits, fake_logits = D(x).sigmoid(), D(G(z).detach()).sigmoid()"),
        "D's outputs still go through a sigmoid in D's loss.",
    ),
    "sigmoid left in G's loss": (
        "task4_check",
        repaired(D_LINE, "(D(G(z)).sigmoid() - 1).square().mean() / 2"),
        "G's loss still has the sigmoid",
    ),
    "average left in G's loss": (
        "task4_check",
        repaired(D_LINE, "(D(G(z)).mean() - 1).square() / 2"),
        "G's loss still squares an average",
    ),
    "G's loss untouched": (
        "task4_check",
        repaired(D_LINE, "(D(G(z)).sigmoid().mean() - 1).square() / 2"),
        "Both faults are still in G's loss.",
    ),
    "G pays for being real": (
        "task4_check",
        repaired(D_LINE, "D(G(z)).square().mean() / 2"),
        "This G draws its fakes to 0, where D wants them",
    ),
    "D's answer detached": (
        "task4_check",
        repaired(D_LINE, G_LINE, "real_logits, fake_logits = D(x), D(G(z)).detach()"),
        "D learns nothing from fakes",
    ),
    "losses in the other order": (
        "task4_check",
        repaired(G_LINE, "(D(x) - 1).square().mean() / 2 + D(G(z).detach()).square().mean() / 2"),
        "The two losses come in the other order",
    ),
    "D's halves gone": (
        "task4_check",
        repaired("(real_logits - 1).square().mean() + fake_logits.square().mean()", G_LINE),
        "The factors 1/2 of D's loss are gone",
    ),
    "G's half gone": ("task4_check", repaired(D_LINE, "(D(G(z)) - 1).square().mean()"), "The factor 1/2 of G's loss"),
    "a sum for G": ("task4_check", repaired(D_LINE, "(D(G(z)) - 1).square().sum() / 2"), "G's loss adds up over"),
    "D's codes swapped": (
        "task4_check",
        repaired("real_logits.square().mean() / 2 + (fake_logits - 1).square().mean() / 2", G_LINE),
        "D's codes are swapped",
    ),
    "a sigmoid on real samples": (
        "task4_check",
        repaired(D_LINE, G_LINE, "real_logits, fake_logits = D(x).sigmoid(), D(G(z).detach())"),
        "D's outputs on real samples still go through a sigmoid",
    ),
    "missing detach": (
        "task4_check",
        repaired(D_LINE, G_LINE, "real_logits, fake_logits = D(x), D(G(z))"),
        "Detach the fakes before D's loss.",
    ),
    "G's fakes detached too": (
        "task4_check",
        repaired(
            D_LINE,
            "(fake_logits - 1).square().mean() / 2",
            "x_fake = G(z).detach(); real_logits, fake_logits = D(x), D(x_fake)",
        ),
        "In G's loss nothing is detached.",
    ),
    # --- task 5 -----------------------------------------------------------------------------------------------
    "no half in D's loss": (
        "task5_check",
        {
            "task5_chi2_estimate": """
def chi2_estimate(D, x, x_fake, a=0.0, b=1.0):
    loss = (D(x) - b).square().mean() + (D(x_fake) - a).square().mean()
    return 2 - 8 * float(loss) / (b - a) ** 2
"""
        },
        "The factors 1/2 of D's loss are missing.",
    ),
    "always 2 - 2 L": (
        "task5_check",
        {
            "task5_chi2_estimate": """
def chi2_estimate(D, x, x_fake, a=0.0, b=1.0):
    return 2 - 2 * float(((D(x) - b) ** 2).mean() / 2 + ((D(x_fake) - a) ** 2).mean() / 2)
"""
        },
        "2 - 2 L_D is for codes that are 2 apart.",
    ),
    "always 2 - 8 L": (
        "task5_check",
        {
            "task5_chi2_estimate": """
def chi2_estimate(D, x, x_fake, a=0.0, b=1.0):
    return 2 - 8 * float(((D(x) - b) ** 2).mean() / 2 + ((D(x_fake) - a) ** 2).mean() / 2)
"""
        },
        "8 L_D is for codes that are 1 apart.",
    ),
    "b - a not squared": (
        "task5_check",
        {
            "task5_chi2_estimate": """
def chi2_estimate(D, x, x_fake, a=0.0, b=1.0):
    return 2 - 8 * float(((D(x) - b) ** 2).mean() / 2 + ((D(x_fake) - a) ** 2).mean() / 2) / (b - a)
"""
        },
        "not by b - a.",
    ),
    "codes swapped in the estimate": (
        "task5_check",
        {
            "task5_chi2_estimate": """
def chi2_estimate(D, x, x_fake, a=0.0, b=1.0):
    return 2 - 8 * float(((D(x) - a) ** 2).mean() / 2 + ((D(x_fake) - b) ** 2).mean() / 2) / (b - a) ** 2
"""
        },
        "You have swapped the codes: b is that of real samples.",
    ),
    "sign turned": (
        "task5_check",
        {
            "task5_chi2_estimate": """
def chi2_estimate(D, x, x_fake, a=0.0, b=1.0):
    return 8 * float(((D(x) - b) ** 2).mean() / 2 + ((D(x_fake) - a) ** 2).mean() / 2) / (b - a) ** 2 - 2
"""
        },
        "the smaller D's loss, the larger",
    ),
    "factor upside down": (
        "task5_check",
        {
            "task5_chi2_estimate": """
def chi2_estimate(D, x, x_fake, a=0.0, b=1.0):
    return 2 - (b - a) ** 2 / 8 * float(((D(x) - b) ** 2).mean() / 2 + ((D(x_fake) - a) ** 2).mean() / 2)
"""
        },
        "The factor stands upside down",
    ),
    "cut off at 0": (
        "task5_check",
        {
            "task5_chi2_estimate": """
def chi2_estimate(D, x, x_fake, a=0.0, b=1.0):
    return max(0.0, 2 - 8 * float(((D(x) - b) ** 2).mean() / 2 + ((D(x_fake) - a) ** 2).mean() / 2) / (b - a) ** 2)
"""
        },
        "Do not cut it off: it says that this D is bad.",
    ),
}

RIGHT = {
    "mse_loss": {
        TASK_1: """
def half_squares(outputs, code):
    return 0.5 * nn.functional.mse_loss(outputs, torch.full_like(outputs, code))
def d_loss(on_real, on_fakes, a=0.0, b=1.0):
    return half_squares(on_real, b) + half_squares(on_fakes, a)
def g_loss(on_fakes, c=1.0):
    return half_squares(on_fakes, c)
""",
        "task2_best_D": """
def best_D(log_p, log_q, a=0.0, b=1.0):
    shares = torch.softmax(torch.stack([log_p, log_q]), dim=0)
    return b * shares[0] + a * shares[1]
""",
    },
    "tanh and logsumexp": {
        "task2_best_D": """
def best_D(log_p, log_q, a=0.0, b=1.0):
    total = torch.logsumexp(torch.stack([log_p, log_q]), 0)
    return b * (log_p - total).exp() + a * (log_q - total).exp()
""",
        **predicted(slope_squares=5, far_apart="Neither ", lower_loss="C"),
        "task5_chi2_estimate": """
def chi2_estimate(D, x, x_fake, a=0.0, b=1.0):
    on_real, on_fakes = ((D(s) - a) / (b - a) for s in (x, x_fake))  # as if the codes were 0 and 1
    return 2 - 4 * ((on_real - 1) ** 2).mean() - 4 * (on_fakes**2).mean()
""",
    },
    "midpoint and half width": {
        "task2_best_D": """
def best_D(log_p, log_q, a=0.0, b=1.0):
    return (a + b) / 2 + (b - a) / 2 * torch.tanh((log_p - log_q) / 2)
""",
        TASK_1: """
def d_loss(real_logits, fake_logits, a=0.0, b=1.0):
    real = (real_logits**2).mean() - 2 * b * real_logits.mean() + b**2
    fake = (fake_logits**2).mean() - 2 * a * fake_logits.mean() + a**2
    return (real + fake) / 2
def g_loss(fake_logits, c=1.0):
    return ((c - fake_logits) ** 2).sum() / (2 * len(fake_logits))
""",
    },
    "no_grad and the library's losses": {
        "task4_repaired_losses": """
from ganedu.losses import least_squares
def repaired_losses(G, D, x, z):
    with torch.no_grad():
        x_fake = G(z)
    return [least_squares.d(D(x), D(x_fake)), least_squares.g(D(G(z)))]
""",
        "task5_chi2_estimate": """
from ganedu.losses import least_squares_with
def chi2_estimate(D, x, x_fake, a=0.0, b=1.0):
    loss = least_squares_with(a, b, 0).d(D(x), D(x_fake)).item()
    return 2 - loss * 8 / (a - b) ** 2
""",
    },
}
