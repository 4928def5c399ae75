"""Answers to exercise 10: misconceptions, each with the words that must tell the student, and right answers in other words.

Each name maps to (the check that must fail, the cells to replace, words that must be in its message and in no other's).
"""

PREDICTIONS = {
    "line": 160.0,
    "flat": 10.0,
    "slope_of_the_mean": 32.0,
    "which_loss": "a",
    "no_graph": "c",
    "norms": "layer",
    "at_the_goal": 1.0,
}


def predicted(**changed):
    return {"task3_predictions": f"def predictions():\n    return { ({**PREDICTIONS, **changed})!r}\n"}


def penalty(
    epsilon="epsilon.reshape(len(x), *[1] * (x.ndim - 1))",
    x_hat="(epsilon * x + (1 - epsilon) * x_fake).detach().requires_grad_()",
    score="D(x_hat).sum()",
    graph="create_graph=True",
    result="(gradient.flatten(1).norm(dim=1) - 1).square().mean()",
):
    """Task 1, with one line of it changed."""
    lines = [
        "def gradient_penalty(D, x, x_fake, epsilon):",
        f"    epsilon = {epsilon}",
        f"    x_hat = {x_hat}",
        f"    (gradient,) = torch.autograd.grad({score}, x_hat, {graph})",
        f"    return {result}",
    ]
    return {"task1_gradient_penalty": "\n".join(lines) + "\n"}


def matrix(*body):
    return {"task2_influence": "\n    ".join(("def influence(D, x):", *body)) + "\n"}


def repaired(
    fakes="G(z).detach()",
    epsilon="torch.rand(len(x), *[1] * (x.ndim - 1))",
    x_hat="(epsilon * x + (1 - epsilon) * x_fake).requires_grad_()",
    score="D(x_hat).sum()",
    graph="create_graph=True",
    norm="gradient.flatten(1).norm(dim=1)",
    result="D(x_fake).mean() - D(x).mean() + gp_weight * penalty",
):
    """Task 4, with one line of it changed."""
    lines = [
        "def repaired_d_loss(G, D, x, z, gp_weight=10.0):",
        f"    x_fake = {fakes}",
        f"    epsilon = {epsilon}",
        f"    x_hat = {x_hat}",
        f"    (gradient,) = torch.autograd.grad({score}, x_hat, {graph})",
        f"    penalty = ({norm} - 1).square().mean()",
        f"    return {result}",
    ]
    return {"task4_repaired": "\n".join(lines) + "\n"}


def distance(steepest="gradient.flatten(1).norm(dim=1).max()", score="D(places).sum()", result="difference / steepest"):
    """Task 5, with one line of it changed."""
    lines = [
        "def safe_distance(D, x, x_fake, places):",
        "    places = places.detach().clone().requires_grad_()",
        f"    (gradient,) = torch.autograd.grad({score}, places)",
        f"    steepest = float({steepest})",
        "    with torch.no_grad():",
        "        difference = float(D(x).mean() - D(x_fake).mean())",
        f"    return {result}",
    ]
    return {"task5_safe_distance": "\n".join(lines) + "\n"}


WRONG = {
    # --- task 1 -----------------------------------------------------------------------------------------------
    "mean inside": (
        "task1_check",
        penalty(score="D(x_hat).mean()"),
        "so it is divided by N. Take the sum over the batch.",
    ),
    "one norm for the batch": (
        "task1_check",
        penalty(result="(gradient.norm() - 1).square()"),
        "That is one norm for the whole batch. Each sample has",
    ),
    "a norm for each number": (
        "task1_check",
        penalty(result="(gradient.abs() - 1).square().mean()"),
        "That is a norm for each number.",
    ),
    "R1 for the penalty": (
        "task1_check",
        penalty(result="gradient.flatten(1).square().sum(1).mean()"),
        "That is the mean squared slope, which is 0 for a flat D.",
    ),
    "no root": (
        "task1_check",
        penalty(result="(gradient.flatten(1).square().sum(1) - 1).square().mean()"),
        "the length is the root of that sum",
    ),
    "sum of absolute numbers": (
        "task1_check",
        penalty(result="(gradient.flatten(1).abs().sum(1) - 1).square().mean()"),
        "That is the sum of the absolute numbers.",
    ),
    "no create_graph": (
        "task1_check",
        penalty(graph="retain_graph=True"),
        "The number is right, but it is a constant",
    ),
    "at real samples": (
        "task1_check",
        penalty(x_hat="x.detach().requires_grad_()"),
        "That is the slope at the real samples.",
    ),
    "at fakes": ("task1_check", penalty(x_hat="x_fake.detach().requires_grad_()"), "That is the slope at the fakes."),
    "epsilon the other way": (
        "task1_check",
        penalty(x_hat="((1 - epsilon) * x + epsilon * x_fake).detach().requires_grad_()"),
        "epsilon goes with the real sample, 1 - epsilon with the fake.",
    ),
    "one epsilon for all": (
        "task1_check",
        penalty(epsilon="epsilon[0]"),
        "The first epsilon stands for all. Each sample has its own.",
    ),
    "epsilon for vectors only": (
        "task1_check",
        penalty(epsilon="epsilon[:, None]"),
        "gradient_penalty: samples of shape (1, 2, 2)",
    ),
    "squares the mean": (
        "task1_check",
        penalty(result="(gradient.flatten(1).norm(dim=1).mean() - 1).square()"),
        "You average the slopes before you square.",
    ),
    "norm over channels": (
        "task1_check",
        penalty(result="(gradient.norm(dim=1) - 1).square().mean()"),
        "Of an image only one dimension goes into your norm.",
    ),
    "fakes keep their graph": (
        "task1_check",
        penalty(x_hat="epsilon * x + (1 - epsilon) * x_fake + torch.zeros_like(x).requires_grad_()"),
        "Detach the interpolates: the penalty is the critic's business alone.",
    ),
    # --- task 2 -----------------------------------------------------------------------------------------------
    "gradient of the sum": (
        "task2_check",
        matrix(
            "x = x.detach().clone().requires_grad_()",
            "g = torch.autograd.grad(D(x).sum(), x)[0].flatten(1).norm(dim=1)",
            "return g.expand(len(x), -1)",
        ),
        "That is the gradient of the sum over all scores.",
    ),
    "one at a time": (
        "task2_check",
        matrix(
            "out = torch.zeros(len(x), len(x))",
            "for i in range(len(x)):",
            "    one = x[i : i + 1].detach().clone().requires_grad_()",
            "    out[i, i] = torch.autograd.grad(D(one).sum(), one)[0].norm()",
            "return out",
        ),
        "you put samples through D one by one, so nothing can depend on another",
    ),
    "rows for columns": (
        "task2_check",
        matrix(
            "x = x.detach().clone().requires_grad_()",
            "rows = [torch.autograd.grad(s, x, retain_graph=True)[0] for s in D(x).flatten()]",
            "return torch.stack(rows).flatten(2).norm(dim=2).T",
        ),
        "Rows and columns have changed places",
    ),
    "graph freed": (
        "task2_check",
        matrix(
            "x = x.detach().clone().requires_grad_()",
            "rows = [torch.autograd.grad(s, x)[0] for s in (2 * D(x).square().sqrt()).flatten() / 2]",
            "return torch.stack(rows).flatten(2).norm(dim=2)",
        ),
        "Keep it with retain_graph=True.",
    ),
    "squared lengths": (
        "task2_check",
        matrix(
            "x = x.detach().clone().requires_grad_()",
            "rows = [torch.autograd.grad(s, x, retain_graph=True)[0] for s in D(x).flatten()]",
            "return torch.stack(rows).flatten(2).square().sum(2)",
        ),
        "That is the square of the length.",
    ),
    "x asks for nothing": (
        "task2_check",
        matrix(
            "rows = [torch.autograd.grad(s, x, retain_graph=True)[0] for s in D(x).flatten()]",
            "return torch.stack(rows).flatten(2).norm(dim=2)",
        ),
        "influence: x takes no gradient.",
    ),
    # --- task 3 -----------------------------------------------------------------------------------------------
    "squared slope": ("task3_check", predicted(line=250.0), "That is ten times the squared slope."),
    "a flat critic is free": ("task3_check", predicted(flat=0.0), "A flat D pays too"),
    "the mean is harmless": ("task3_check", predicted(slope_of_the_mean=1.0), "The mean divides each gradient by 32"),
    "a rising loss is bad": ("task3_check", predicted(which_loss="b"), "D's loss is minus a distance."),
    "losses above 0": ("task3_check", predicted(which_loss="c"), "A critic's scores have no bounds"),
    "PyTorch would complain": ("task3_check", predicted(no_graph="a"), "so PyTorch does not complain"),
    "another value": ("task3_check", predicted(no_graph="b"), "create_graph changes nothing about the value"),
    "batch norm is fine": (
        "task3_check",
        predicted(norms="both"),
        "With batch norm a score depends on the other samples",
    ),
    "no norm at all": (
        "task3_check",
        predicted(norms="neither"),
        "Layer norm takes mean and deviation over one sample's",
    ),
    "flat at the goal": (
        "task3_check",
        predicted(at_the_goal=0),
        "cancel whatever D is. What is left of L_D, and when",
    ),
    # --- task 4 -----------------------------------------------------------------------------------------------
    "sign left": (
        "task4_check",
        repaired(result="D(x).mean() - D(x_fake).mean() + gp_weight * penalty"),
        "This critic still wants the fakes to score high",
    ),
    "mean left": (
        "task4_check",
        repaired(score="D(x_hat).mean()"),
        "The gradient in the penalty is still divided by the batch size.",
    ),
    "nothing repaired": (
        "task4_check",
        repaired(score="D(x_hat).mean()", result="D(x).mean() - D(x_fake).mean() + gp_weight * penalty"),
        "Both faults are still there.",
    ),
    "everything turned round": (
        "task4_check",
        repaired(result="-(D(x_fake).mean() - D(x).mean() + gp_weight * penalty)"),
        "Everything is turned round now, the penalty as well.",
    ),
    "penalty taken away": (
        "task4_check",
        repaired(result="D(x_fake).mean() - D(x).mean() - gp_weight * penalty"),
        "The penalty has to be added: D minimises this loss.",
    ),
    "no detach": (
        "task4_check",
        repaired(fakes="G(z)", x_hat="(epsilon * x + (1 - epsilon) * x_fake).detach().requires_grad_()"),
        "Detach the fakes once, before anything is done with them.",
    ),
    "for vectors only": (
        "task4_check",
        repaired(epsilon="torch.rand(len(x), 1)"),
        "repaired_d_loss: it does not take samples of shape (1, 2, 2)",
    ),
    "graph forgotten": (
        "task4_check",
        repaired(graph="create_graph=False"),
        "the penalty sends no gradient to D's weights",
    ),
    "one epsilon for the batch": (
        "task4_check",
        repaired(epsilon="torch.rand(1)"),
        "all samples of a batch share one epsilon",
    ),
    # --- task 5 -----------------------------------------------------------------------------------------------
    "not divided": ("task5_check", distance(result="difference"), "You do not divide by the steepest slope"),
    "mean slope": (
        "task5_check",
        distance(steepest="gradient.flatten(1).norm(dim=1).mean()"),
        "That is the mean slope. One place where D is steeper breaks the bound",
    ),
    "largest number": (
        "task5_check",
        distance(steepest="gradient.abs().max()"),
        "K is the length of the gradient, not its largest number.",
    ),
    "turned round": ("task5_check", distance(result="-difference / steepest"), "real samples score higher."),
    "mean of the places": (
        "task5_check",
        distance(score="D(places).mean()"),
        "That is the gradient of the mean score. Take the sum over the places.",
    ),
    "one norm for all places": (
        "task5_check",
        distance(steepest="gradient.norm()"),
        "That is one norm over all places.",
    ),
}

RIGHT = {
    "root of sums, grad_outputs, jacobian": {
        "task1_gradient_penalty": """
def gradient_penalty(D, x, x_fake, epsilon):
    share = epsilon.view([-1] + [1] * (x.dim() - 1))
    between = torch.lerp(x_fake.detach(), x.detach(), share).clone()
    between.requires_grad = True
    scores = D(between)
    g = torch.autograd.grad(scores, between, grad_outputs=torch.ones_like(scores), create_graph=True, retain_graph=True)[0]
    lengths = g.reshape(len(x), -1).pow(2).sum(1).sqrt()
    return torch.mean((1 - lengths) ** 2)
""",
        "task2_influence": """
def influence(D, x):
    jacobian = torch.autograd.functional.jacobian(lambda x: D(x).squeeze(1), x)
    return jacobian.flatten(2).pow(2).sum(-1).sqrt()
""",
        **predicted(line=160, flat=10, norms="Layer ", which_loss="A"),
    },
    "no_grad fakes, lerp": {
        "task4_repaired": """
def repaired_d_loss(G, D, x, z, gp_weight=10.0):
    with torch.no_grad():
        x_fake = G(z)
    share = torch.rand(x.shape[0], device=x.device).reshape(-1, *(1 for _ in x.shape[1:]))
    place = torch.lerp(x, x_fake, share).requires_grad_()
    out = D(place)
    g = torch.autograd.grad(out, place, torch.ones_like(out), create_graph=True)[0]
    slope = torch.linalg.vector_norm(g.flatten(1), dim=1)
    critic = D(torch.cat([x, x_fake])).flatten()
    return gp_weight * ((slope - 1) ** 2).mean() - critic[: len(x)].mean() + critic[len(x) :].mean()
""",
        "task5_safe_distance": """
def safe_distance(D, x, x_fake, places):
    steepest = 0.0
    for place in places:
        place = place[None].detach().requires_grad_()
        g = torch.autograd.grad(D(place).squeeze(), place)[0]
        steepest = max(steepest, g.norm().item())
    return float(D(x).mean() - D(x_fake).mean()) / steepest
""",
    },
    "the library's penalty and a loop": {
        "task4_repaired": """
def repaired_d_loss(G, D, x, z, gp_weight=10.0):
    x_fake = G(z).detach()
    return D(x_fake).mean() - D(x).mean() + gp_weight * finished_penalty(D, x, x_fake)
""",
        "task1_gradient_penalty": """
def gradient_penalty(D, x, x_fake, epsilon):
    x_hat = torch.stack([e * a + (1 - e) * b for e, a, b in zip(epsilon, x, x_fake)]).detach().requires_grad_(True)
    g = torch.autograd.grad(sum(D(x_hat).flatten()), x_hat, create_graph=True)[0]
    return sum((row.norm() - 1) ** 2 for row in g) / len(g)
""",
        "task2_influence": """
def influence(D, x):
    N = len(x)
    M = torch.zeros(N, N)
    for i in range(N):
        batch = x.detach().clone().requires_grad_(True)
        D(batch)[i].sum().backward()
        for j in range(N):
            M[i, j] = batch.grad[j].norm()
    return M
""",
    },
}
