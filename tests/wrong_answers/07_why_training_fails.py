"""Answers to exercise 07 that people give: wrong ones, each a misconception, and right ones written otherwise.

WRONG: name -> (the check that must reject it, {cell: code}, a part of the message it is rejected with).
RIGHT: name -> {cell: code}.
"""


def a_round(body):
    return {
        "task1_one_round": "def one_round(theta, psi, lr_g, lr_d, r1_gamma):\n"
        "    def sigmoid(t):\n"
        "        return 1 / (1 + math.exp(-t))\n\n" + "\n".join(f"    {line}" for line in body.splitlines()) + "\n"
    }


def predicted(**changed):
    right = {
        "simultaneous": 1.0198,
        "alternating": 1,
        "push": 0.00742,
        "smaller_step": "b",
        "stuck": "c",
        "opposite": "b",
    }
    return {"task2_predictions": f"def predictions():\n    return {right | changed!r}\n"}


def penalty(body):
    return {
        "task3_r1_penalty": "def r1_penalty(D, x, r1_gamma):\n"
        + "\n".join(f"    {line}" for line in body.splitlines())
        + "\n"
    }


def judge(body):
    return {
        "task4_diagnose": "def diagnose(real, classes, fake):\n"
        + "\n".join(f"    {line}" for line in body.strip().splitlines())
        + "\n"
    }


BY_RECALL = """
if not lost:
    return "healthy", lost
if fake.std(0).mean() < real.std(0).mean() / 4:
    return "collapse", lost
return ("off" if len(lost) == len(set(classes.tolist())) else "dropping"), lost
"""

WRONG = {
    # --- task 1 -----------------------------------------------------------------------------------------------
    "simultaneous steps": (
        "task1_check",
        a_round("""new = psi - lr_d * (sigmoid(psi * theta) * theta + r1_gamma * psi)
return theta + lr_g * sigmoid(psi * theta) * psi, new"""),
        "these are simultaneous steps",
    ),
    "G moves first": (
        "task1_check",
        a_round("""theta = theta + lr_g * sigmoid(psi * theta) * psi
return theta, psi - lr_d * (sigmoid(psi * theta) * theta + r1_gamma * psi)"""),
        "D's turn comes first",
    ),
    "half of gamma": (
        "task1_check",
        a_round("""psi = psi - lr_d * (sigmoid(psi * theta) * theta + r1_gamma / 2 * psi)
return theta + lr_g * sigmoid(psi * theta) * psi, psi"""),
        "you halve it twice",
    ),
    "no penalty": (
        "task1_check",
        a_round("""psi = psi - lr_d * sigmoid(psi * theta) * theta
return theta + lr_g * sigmoid(psi * theta) * psi, psi"""),
        "penalty is missing",
    ),
    "G's sign": (
        "task1_check",
        a_round("""psi = psi - lr_d * (sigmoid(psi * theta) * theta + r1_gamma * psi)
return theta - lr_g * sigmoid(psi * theta) * psi, psi"""),
        "G minimises *minus* softplus",
    ),
    "non-saturating G": (
        "task1_check",
        a_round("""psi = psi - lr_d * (sigmoid(psi * theta) * theta + r1_gamma * psi)
return theta + lr_g * sigmoid(-psi * theta) * psi, psi"""),
        "That is the non-saturating G",
    ),
    "rates mixed up": (
        "task1_check",
        a_round("""psi = psi - lr_g * (sigmoid(psi * theta) * theta + r1_gamma * psi)
return theta + lr_d * sigmoid(psi * theta) * psi, psi"""),
        "The rates are mixed up",
    ),
    "D's sign": (
        "task1_check",
        a_round("""psi = psi + lr_d * sigmoid(psi * theta) * theta - lr_d * r1_gamma * psi
return theta + lr_g * sigmoid(psi * theta) * psi, psi"""),
        "D runs the wrong way",
    ),
    "no sigmoid": (
        "task1_check",
        a_round("""psi = psi - lr_d * (theta + r1_gamma * psi)
return theta + lr_g * psi, psi"""),
        "The slope of softplus is a sigmoid",
    ),
    "old psi in G's sigmoid": (
        "task1_check",
        a_round("""s = sigmoid(psi * theta)
psi = psi - lr_d * (s * theta + r1_gamma * psi)
return theta + lr_g * s * psi, psi"""),
        "G's sigmoid has the ψ of before D's step",
    ),
    "old psi beside G's sigmoid": (
        "task1_check",
        a_round("""old = psi
psi = psi - lr_d * (sigmoid(psi * theta) * theta + r1_gamma * psi)
return theta + lr_g * sigmoid(psi * theta) * old, psi"""),
        "the factor beside it the old one",
    ),
    "the penalty itself": (
        "task1_check",
        a_round("""psi = psi - lr_d * (sigmoid(psi * theta) * theta + r1_gamma / 2 * psi**2)
return theta + lr_g * sigmoid(psi * theta) * psi, psi"""),
        "D goes down its slope",
    ),
    "gamma without psi": (
        "task1_check",
        a_round("""psi = psi - lr_d * (sigmoid(psi * theta) * theta + r1_gamma)
return theta + lr_g * sigmoid(psi * theta) * psi, psi"""),
        "the steeper D is, the more it is held",
    ),
    "penalty the wrong way": (
        "task1_check",
        a_round("""psi = psi - lr_d * (sigmoid(psi * theta) * theta - r1_gamma * psi)
return theta + lr_g * sigmoid(psi * theta) * psi, psi"""),
        "The penalty makes D steeper",
    ),
    "penalty without the rate": (
        "task1_check",
        a_round("""psi = psi - lr_d * sigmoid(psi * theta) * theta - r1_gamma * psi
return theta + lr_g * sigmoid(psi * theta) * psi, psi"""),
        "is multiplied by lr_d",
    ),
    "penalty on G as well": (
        "task1_check",
        a_round("""psi = psi - lr_d * (sigmoid(psi * theta) * theta + r1_gamma * psi)
return theta + lr_g * (sigmoid(psi * theta) * psi - r1_gamma * theta), psi"""),
        "A penalty holds G back as well",
    ),
    "D's sigmoid turned round": (
        "task1_check",
        a_round("""psi = psi - lr_d * (sigmoid(-psi * theta) * theta + r1_gamma * psi)
return theta + lr_g * sigmoid(psi * theta) * psi, psi"""),
        "D's sigmoid has ψθ turned round",
    ),
    "one rate for both": (
        "task1_check",
        a_round("""psi = psi - lr_g * (sigmoid(psi * theta) * theta + r1_gamma * psi)
return theta + lr_g * sigmoid(psi * theta) * psi, psi"""),
        "Both players step with G's rate",
    ),
    "psi returned first": (
        "task1_check",
        a_round("""psi = psi - lr_d * (sigmoid(psi * theta) * theta + r1_gamma * psi)
return psi, theta + lr_g * sigmoid(psi * theta) * psi"""),
        "Return theta first",
    ),
    "how far they move": (
        "task1_check",
        a_round("""before = theta, psi
psi = psi - lr_d * (sigmoid(psi * theta) * theta + r1_gamma * psi)
theta = theta + lr_g * sigmoid(psi * theta) * psi
return theta - before[0], psi - before[1]"""),
        "That is how far each of them moves",
    ),
    "the pushes alone": (
        "task1_check",
        a_round("""return sigmoid(psi * theta) * psi, -sigmoid(psi * theta) * theta - r1_gamma * psi"""),
        "These are the pushes",
    ),
    "nothing returned": ("task1_check", a_round("psi = psi - lr_d * theta"), "Did you forget to return them?"),
    # --- task 2 -----------------------------------------------------------------------------------------------
    "step added to 1": ("task2_check", predicted(simultaneous=1.2), "You add h/2 to 1"),
    "square of the size": ("task2_check", predicted(simultaneous=1.04), "the square of the size"),
    "h for h/2": ("task2_check", predicted(simultaneous=1.16**0.5), "it is h/2, not h"),
    "simultaneous stays on the circle": ("task2_check", predicted(simultaneous=1.0), "Only infinitely small steps"),
    "alternating grows as well": ("task2_check", predicted(alternating=1.0198), "G meets the D that has moved"),
    "non-saturating push": ("task2_check", predicted(push=2.9926), "with sigmoid(+6)"),
    "push without the slope": ("task2_check", predicted(push=0.00247), "multiplied by the slope"),
    "small steps converge": ("task2_check", predicted(smaller_step="c"), "small steps fly apart more slowly"),
    "small steps are the same way": ("task2_check", predicted(smaller_step="a"), "a tenth as much"),
    "more D steps when stuck": ("task2_check", predicted(stuck="a"), "D is too far ahead already"),
    "smaller rate when stuck": ("task2_check", predicted(stuck="b"), "for want of a push"),
    "average when stuck": ("task2_check", predicted(stuck="d"), "is that same G"),
    "fewer D steps on collapse": ("task2_check", predicted(opposite="a"), "D comes too late"),
    "average on collapse": ("task2_check", predicted(opposite="c"), "where it never was"),
    "a length with a sign": ("task2_check", predicted(push=-0.00742), "A length has no sign"),
    "two wrong at once": (
        "task2_check",
        predicted(simultaneous=0.5, alternating=1.3),
        "not right yet: simultaneous, alternating. simultaneous: The eigenvalues",
    ),
    "an answer is no choice": ("task2_check", predicted(stuck="R1"), "wants one of 'a', 'b', 'c', 'd'"),
    # --- task 3 -----------------------------------------------------------------------------------------------
    "mean of the logits": (
        "task3_check",
        penalty("""x = x.detach().requires_grad_()
(g,) = torch.autograd.grad(D(x).mean(), x, create_graph=True)
return r1_gamma / 2 * g.flatten(1).square().sum(1).mean()"""),
        "differentiate the *mean* of the logits",
    ),
    "gamma for half of gamma": (
        "task3_check",
        penalty("""x = x.detach().requires_grad_()
(g,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
return r1_gamma * g.flatten(1).square().sum(1).mean()"""),
        "The weight is γ/2, not γ",
    ),
    "norm not squared": (
        "task3_check",
        penalty("""x = x.detach().requires_grad_()
(g,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
return r1_gamma / 2 * (g.flatten(1).square().sum(1) + 1e-20).sqrt().mean()"""),
        "You average the norms",
    ),
    "sum over the batch": (
        "task3_check",
        penalty("""x = x.detach().requires_grad_()
(g,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
return r1_gamma / 2 * g.square().sum()"""),
        "R1 is an average over samples",
    ),
    "one norm over the whole batch": (
        "task3_check",
        penalty("""x = x.detach().requires_grad_()
(g,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
return r1_gamma / 2 * g.norm()"""),
        "each sample has a norm of its own",
    ),
    "mean over the dimensions": (
        "task3_check",
        penalty("""x = x.detach().requires_grad_()
(g,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
return r1_gamma / 2 * g.square().mean()"""),
        "over the dimensions of a sample as well",
    ),
    "WGAN-GP's penalty": (
        "task3_check",
        penalty("""x = x.detach().requires_grad_()
(g,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
return r1_gamma / 2 * (g.flatten(1).norm(dim=1) - 1).square().mean()"""),
        "a penalty that pulls slopes to 1",
    ),
    "no create_graph": (
        "task3_check",
        penalty("""x = x.detach().requires_grad_()
(g,) = torch.autograd.grad(D(x).sum(), x)
return r1_gamma / 2 * g.flatten(1).square().sum(1).mean()"""),
        "Without create_graph=True",
    ),
    "sum over dimension 1 alone": (
        "task3_check",
        penalty("""x = x.detach().requires_grad_()
(g,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
return r1_gamma / 2 * g.square().sum(1).mean()"""),
        "runs over all of its dimensions",
    ),
    "batch left marked": (
        "task3_check",
        penalty("""x.requires_grad_()
(g,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
return r1_gamma / 2 * g.flatten(1).square().sum(1).mean()"""),
        "it leaves a mark on the real batch",
    ),
    "square of the average norm": (
        "task3_check",
        penalty("""x = x.detach().requires_grad_()
(g,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
return r1_gamma / 2 * g.flatten(1).norm(dim=1).mean() ** 2"""),
        "You square the average norm",
    ),
    "norm of the average gradient": (
        "task3_check",
        penalty("""x = x.detach().requires_grad_()
(g,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
return r1_gamma / 2 * g.flatten(1).mean(0).square().sum()"""),
        "You average the four gradients first",
    ),
    "gradient of the probability": (
        "task3_check",
        penalty("""x = x.detach().requires_grad_()
(g,) = torch.autograd.grad(D(x).sigmoid().sum(), x, create_graph=True)
return r1_gamma / 2 * g.flatten(1).square().sum(1).mean()"""),
        "the gradient of D's probability",
    ),
    "logits squared": (
        "task3_check",
        penalty("""return r1_gamma / 2 * D(x).square().mean()"""),
        "You square the logits",
    ),
    "gradient in the weights": (
        "task3_check",
        penalty("""gs = torch.autograd.grad(D(x).sum(), list(D.parameters()), create_graph=True)
return r1_gamma / 2 * sum(g.square().sum() for g in gs)"""),
        "That is the gradient in D's weights",
    ),
    "backward instead of grad": (
        "task3_check",
        penalty("""x = x.detach().requires_grad_()
D(x).sum().backward(create_graph=True)
g = x.grad
return r1_gamma / 2 * g.flatten(1).square().sum(1).mean()"""),
        "it changes the gradients that wait in D's weights",
    ),
    "a root on the way": (
        "task3_check",
        penalty("""x = x.detach().requires_grad_()
(g,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
norms = g.flatten(1).square().sum(1).sqrt()
return r1_gamma / 2 * norms.square().mean()"""),
        "a square root has no slope there",
    ),
    "images only": (
        "task3_check",
        penalty("""x = x.detach().requires_grad_()
(g,) = torch.autograd.grad(D(x).sum(), x, create_graph=True)
return r1_gamma / 2 * g.square().sum((1, 2, 3)).mean()"""),
        "you use a dimension that a batch of shape",
    ),
    "the example by heart": (
        "task3_check",
        penalty("""return r1_gamma / 2 * (2 * D.w * x).flatten(1).square().sum(1).mean()"""),
        "has no attribute 'w'",
    ),
    # --- task 4 -----------------------------------------------------------------------------------------------
    "precision for recall": (
        "task4_check",
        judge(
            """
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).precision < 0.1}
"""
            + BY_RECALL
        ),
        "which is precision; recall is a share of the real points",
    ),
    "spreads the wrong way round": (
        "task4_check",
        judge("""
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall < 0.1}
if lost and real.std(0).mean() < fake.std(0).mean() / 4:
    return "collapse", lost
return ("off" if len(lost) == len(set(classes.tolist())) else "dropping" if lost else "healthy"), lost
"""),
        "Compare the standard deviations",
    ),
    "dropping before collapse": (
        "task4_check",
        judge("""
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall < 0.1}
verdict = "healthy" if not lost else "dropping"
if len(lost) == len(set(classes.tolist())):
    verdict = "collapse" if fake.std(0).mean() < real.std(0).mean() / 4 else "off"
return verdict, lost
"""),
        "collapse stands above",
    ),
    "fakes given the classes of the real points": (
        "task4_check",
        judge(
            """
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake[classes == c]).recall < 0.1}
"""
            + BY_RECALL
        ),
        "Only the real points have classes",
    ),
    "lost below a half": (
        "task4_check",
        judge(
            """
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall < 0.5}
"""
            + BY_RECALL
        ),
        "lost is a class whose recall is below 0.1",
    ),
    "overall recall alone": (
        "task4_check",
        judge(
            """
recall = prdc_features(real, fake).recall
lost = set() if recall > 0.1 else set(classes.tolist())
"""
            + BY_RECALL
        ),
        "What is missing shows in the recall of the lost modes",
    ),
    "share of the fakes": (
        "task4_check",
        judge(
            """
nearest = classes[torch.cdist(fake, real).argmin(1)]
lost = {c for c in set(classes.tolist()) if (nearest == c).double().mean() < 0.02}
"""
            + BY_RECALL
        ),
        "count real points reached",
    ),
    "share with a generous threshold": (
        "task4_check",
        judge(
            """
nearest = classes[torch.cdist(fake, real).argmin(1)]
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall < 0.1
        or (nearest == c).double().mean() < 0.02}
"""
            + BY_RECALL
        ),
        "recall asks whether, not how often",
    ),
    "spread as a fixed number": (
        "task4_check",
        judge("""
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall < 0.1}
if lost and fake.std(0).mean() < 0.3:
    return "collapse", lost
return ("off" if len(lost) == len(set(classes.tolist())) else "dropping" if lost else "healthy"), lost
"""),
        "a fixed number does not fit data of another size",
    ),
    "coverage for recall": (
        "task4_check",
        judge(
            """
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).coverage < 0.1}
"""
            + BY_RECALL
        ),
        "`.coverage` would not",
    ),
    "lost if nothing is reached": (
        "task4_check",
        judge(
            """
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall == 0}
"""
            + BY_RECALL
        ),
        "but fewer than a tenth",
    ),
    "lost below a fifth": (
        "task4_check",
        judge(
            """
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall < 0.2}
"""
            + BY_RECALL
        ),
        "A seventh of mode 3 is reached",
    ),
    "numbers that do not occur": (
        "task4_check",
        judge(
            """
lost = {c for c in range(int(classes.max()) + 1) if prdc_features(real[classes == c], fake).recall < 0.1}
"""
            + BY_RECALL
        ),
        "a class without a real point",
    ),
    "fakes cut to the number of real points": (
        "task4_check",
        judge(
            """
fake = fake[: len(real)]
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall < 0.1}
"""
            + BY_RECALL
        ),
        "cut nothing off",
    ),
    "variances for spreads": (
        "task4_check",
        judge(
            """
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall < 0.1}
"""
            + BY_RECALL.replace("std", "var")
        ),
        "Not below a quarter",
    ),
    "spread of the widest dimension": (
        "task4_check",
        judge(
            """
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall < 0.1}
"""
            + BY_RECALL.replace("mean", "max")
        ),
        "That is below a quarter",
    ),
    "number of classes by heart": (
        "task4_check",
        judge(
            """
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall < 0.1}
"""
            + BY_RECALL.replace("len(set(classes.tolist()))", "8")
        ),
        "All three classes are lost",
    ),
    "healthy only if precise": (
        "task4_check",
        judge(
            """
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall < 0.1}
if not lost and prdc_features(real, fake).precision < 0.5:
    return "off", lost
"""
            + BY_RECALL
        ),
        "precision has no say in it",
    ),
    "small before healthy": (
        "task4_check",
        judge(
            """
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall < 0.1}
if fake.std(0).mean() < real.std(0).mean() / 4:
    return "collapse", lost
"""
            + BY_RECALL
        ),
        "healthy stands first",
    ),
    "kept for lost": (
        "task4_check",
        judge(
            """
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall < 0.1}
"""
            + BY_RECALL.replace(", lost", ", set(classes.tolist()) - lost")
        ),
        "These are the classes that are kept",
    ),
    "how many are lost": (
        "task4_check",
        judge(
            """
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall < 0.1}
"""
            + BY_RECALL.replace(", lost", ", len(lost)")
        ),
        "wants a set of classes",
    ),
    "lost as a count": (
        "task4_check",
        judge("""
lost = {c for c in set(classes.tolist()) if prdc_features(real[classes == c], fake).recall < 0.1}
verdict = "healthy" if not lost else "dropping"
return verdict, {len(lost)} if lost else lost
"""),
        "got [3], wants [5, 6, 7]",
    ),
}

RIGHT = {
    "with torch and loops": {
        **a_round("""d_push = -torch.sigmoid(torch.tensor(psi * theta, dtype=torch.float64)).item() * theta - r1_gamma * psi
psi += lr_d * d_push
g_push = torch.sigmoid(torch.tensor(psi * theta, dtype=torch.float64)).item() * psi
return [theta + lr_g * g_push, psi]"""),
        **predicted(simultaneous=1.01980390, push=0.0074180, stuck=" C ", opposite="B"),
        **penalty("""total = 0
for sample in x.detach():
    one = sample[None].clone().requires_grad_()
    (g,) = torch.autograd.grad(D(one).squeeze(), one, create_graph=True)
    total = total + (g ** 2).sum()
return r1_gamma * total / (2 * len(x))"""),
        **judge("""
lost, kept = set(), set()
for c in torch.unique(classes):
    recall = prdc_features(real[classes == c], fake).recall
    (lost if recall < 0.1 else kept).add(int(c))
if not lost:
    return "healthy", lost
small = fake.std(dim=0).mean() < 0.25 * real.std(dim=0).mean()
return "collapse" if small else "dropping" if kept else "off", lost
"""),
    },
    "by autograd and vmap": {
        "task1_one_round": """
def one_round(theta, psi, lr_g, lr_d, r1_gamma):
    theta, psi = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (theta, psi))
    d_loss = nn.functional.softplus(psi * theta) + r1_gamma / 2 * psi ** 2
    psi = (psi - lr_d * torch.autograd.grad(d_loss, psi)[0]).detach()
    g_loss = -nn.functional.softplus(psi * theta)
    theta = theta - lr_g * torch.autograd.grad(g_loss, theta)[0]
    return theta.item(), psi.item()
""",
        **predicted(simultaneous=abs(1 + 0.2j)),
        **penalty("""at = x.detach().clone()
at.requires_grad = True
out = D(at)
g = torch.autograd.grad(out, at, grad_outputs=torch.ones_like(out), create_graph=True)[0]
return 0.5 * r1_gamma * g.reshape(len(g), -1).norm(2, dim=1).pow(2).mean()"""),
        **judge("""
from ganedu.metrics.prdc import prdc_features as measure
everything = {int(c) for c in classes}
lost = [c for c in everything if measure(real[classes == c], fake).recall < 0.1]
verdict = ["healthy", "dropping", "off"][(len(lost) > 0) + (len(lost) == len(everything))]
if lost and float(fake.std(0).mean()) * 4 < float(real.std(0).mean()):
    verdict = "collapse"
return [verdict, lost]
"""),
    },
    "as arrays, by vmap, and with a recall of one's own": {
        "task1_one_round": """
import numpy as np

def one_round(theta, psi, lr_g, lr_d, r1_gamma):
    sigma = lambda t: 0.5 * (1 + np.tanh(t / 2))
    psi = (1 - lr_d * r1_gamma) * psi - lr_d * sigma(psi * theta) * theta
    return np.array([theta + lr_g * sigma(psi * theta) * psi, psi])
""",
        **penalty("""g = torch.func.vmap(torch.func.grad(lambda one: D(one[None]).squeeze()))(x)
return r1_gamma * g.pow(2).sum() / (2 * x.shape[0])"""),
        **judge(
            """
own = torch.cdist(fake, fake).topk(6, largest=False).values[:, -1]
reached = (torch.cdist(real, fake) <= own).any(1).double()
lost = {int(c) for c in classes.unique() if reached[classes == c].mean() < 0.1}
"""
            + BY_RECALL
        ),
    },
}
