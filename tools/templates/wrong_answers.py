"""Answers to exercise __NUMBER__: misconceptions, each with the words that must tell the student, and right answers.

Each name maps to (the check that must fail, the cells to replace, words that must be in its message and in no other's).
Four to six a task, and no more than 25: what people really write, and no two of the same kind.
"""

TASK_1, TASK_2, TASK_3, TASK_4 = "task1_losses", "task2_predictions", "task3_repaired_losses", "task4_spread"
D_RIGHT = "softplus(-real_logits).mean() + softplus(fake_logits).mean()"
G_RIGHT = "softplus(-fake_logits).mean()"


def losses(d=D_RIGHT, g=G_RIGHT):
    return {
        TASK_1: f"def d_loss(real_logits, fake_logits):\n    return {d}\n\n\ndef g_loss(fake_logits):\n    return {g}\n"
    }


def predicted(**changed):
    answers = {"d_loss_at_the_end": 1.386294, "g_loss_rises": "c", **changed}
    return {TASK_2: f"def predictions():\n    return {answers!r}\n"}


def repaired(of_d, of_g):
    return {TASK_3: f"def repaired_losses(G, D, x, z):\n    x_fake = G(z)\n    return {of_d}, {of_g}\n"}


def measured(line):
    return {TASK_4: f"def spread(x):\n    return {line}\n"}


OF_D = "softplus(-D(x)).mean() + softplus(D(x_fake.detach())).mean()"
OF_G = "softplus(-D(x_fake)).mean()"

WRONG = {
    # --- task 1 -----------------------------------------------------------------------------------------------
    "labels swapped": (
        "task1_check",
        losses(d="softplus(real_logits).mean() + softplus(-fake_logits).mean()"),
        "real_logits and fake_logits have changed places.",
    ),
    "logarithm of a sigmoid": (
        "task1_check",
        losses(d="-real_logits.sigmoid().log().mean() - (1 - fake_logits.sigmoid()).log().mean()"),
        "Something overflows on the way",
    ),
    "saturating": ("task1_check", losses(g="-softplus(fake_logits).mean()"), "That is the saturating loss"),
    "sum for mean": ("task1_check", losses(g="softplus(-fake_logits).sum()"), "You add up over the batch"),
    # --- task 2 -----------------------------------------------------------------------------------------------
    "one half": ("task2_check", predicted(d_loss_at_the_end=0.693147), "That is one half of the loss"),
    "zero": ("task2_check", predicted(d_loss_at_the_end=0.0), "At the end it cannot tell any."),
    "worse": ("task2_check", predicted(g_loss_rises="a"), "and D has learned, too."),
    "better": ("task2_check", predicted(g_loss_rises="b"), "Neither does a loss that rises"),
    # --- task 3 -----------------------------------------------------------------------------------------------
    "missing detach": (
        "task3_check",
        repaired("softplus(-D(x)).mean() + softplus(D(x_fake)).mean()", OF_G),
        "Detach the fakes before D's loss.",
    ),
    "G detached": (
        "task3_check",
        repaired(OF_D, "softplus(-D(x_fake.detach())).mean()"),
        "In G's loss nothing is detached.",
    ),
    "what D says detached": (
        "task3_check",
        repaired("softplus(-D(x)).mean() + softplus(D(x_fake).detach()).mean()", OF_G),
        "and not what D says of them.",
    ),
    "the other order": ("task3_check", repaired(OF_G, OF_D), "The two losses come in the other order"),
    # --- task 4 -----------------------------------------------------------------------------------------------
    "within each image": ("task4_check", measured("x.flatten(1).std(1).mean()"), "the spread within each image"),
    "divided by n": ("task4_check", measured("x.std(0, unbiased=False).mean()"), "You divide by n; torch.std"),
    "variance": ("task4_check", measured("x.var(0).mean()"), "That is the average variance"),
    "pixels added up": ("task4_check", measured("x.std(0).sum()"), "Average over them."),
}

RIGHT = {
    "other names": {
        TASK_1: """
def d_loss(on_real, on_fakes):
    bce = nn.BCEWithLogitsLoss()
    return bce(on_real, torch.ones_like(on_real)) + bce(on_fakes, torch.zeros_like(on_fakes))
def g_loss(on_fakes):
    return -nn.functional.logsigmoid(on_fakes).sum() / len(on_fakes)
""",
        TASK_2: "def predictions():\n    return {'g_loss_rises': 'c', 'd_loss_at_the_end': 1.39}\n",
    },
    "no_grad and the library": {
        TASK_3: """
from ganedu.losses import nonsaturating
def repaired_losses(G, D, x, z):
    with torch.no_grad():
        x_fake = G(z)
    return [nonsaturating.d(D(x), D(x_fake)), nonsaturating.g(D(G(z)))]
""",
        TASK_4: """
def spread(x):
    gaps = (x - x.mean(0)).flatten(1)
    return ((gaps**2).sum(0) / (len(x) - 1)).sqrt().mean().item()
""",
    },
}
