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
    "one-sided": (
        "task1_check",
        penalty(result="(gradient.flatten(1).norm(dim=1) - 1).clamp(min=0).square().mean()"),
        "A slope below 1 costs nothing in your penalty.",
    ),
    "the middle of each line": (
        "task1_check",
        penalty(epsilon="0.5"),
        "You take the middle of each line. Use the epsilons that you are given.",
    ),
    "an epsilon of one's own": (
        "task1_check",
        penalty(epsilon="torch.rand(len(x), *[1] * (x.ndim - 1))"),
        "With the epsilons that you are given, 0.6 and 0.25",
    ),
    "epsilon for images only": (
        "task1_check",
        penalty(epsilon="epsilon.view(-1, 1, 1, 1)"),
        "D gets samples of shape (1, 3, 4), real ones have shape (4,).",
    ),
    "flattened before D": (
        "task1_check",
        penalty(
            epsilon="epsilon[:, None]",
            x_hat="(epsilon * x.flatten(1) + (1 - epsilon) * x_fake.flatten(1)).detach().requires_grad_()",
        ),
        "D gets samples of shape (4,), real ones have shape (1, 2, 2).",
    ),
    "backward for the inner gradient": (
        "task1_check",
        {
            "task1_gradient_penalty": """
def gradient_penalty(D, x, x_fake, epsilon):
    epsilon = epsilon.reshape(len(x), *[1] * (x.ndim - 1))
    x_hat = (epsilon * x + (1 - epsilon) * x_fake).detach().requires_grad_()
    D(x_hat).sum().backward(create_graph=True)
    return (x_hat.grad.flatten(1).norm(dim=1) - 1).square().mean()
"""
        },
        "leaves other gradients in D than it found there",
    ),
    "written into the real samples": (
        "task1_check",
        penalty(x_hat="x.mul_(epsilon).add_((1 - epsilon) * x_fake.detach()).clone().requires_grad_()"),
        "changes x in place",
    ),
    "squeezed": (
        "task1_check",
        penalty(result="(gradient.flatten(1).squeeze().norm(dim=-1) - 1).square().mean()"),
        "Both numbers have got into one norm.",
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
        "everything off the diagonal is 0, but this D mixes its samples",
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
    "eval mode": (
        "task2_check",
        matrix(
            "D.eval()",
            "x = x.detach().clone().requires_grad_()",
            "rows = [torch.autograd.grad(s, x, retain_graph=True)[0] for s in D(x).flatten()]",
            "return torch.stack(rows).flatten(2).norm(dim=2)",
        ),
        "it leaves D in another mode, train or eval, than it got it in.",
    ),
    "divided as for the picture": (
        "task2_check",
        matrix(
            "x = x.detach().clone().requires_grad_()",
            "rows = [torch.autograd.grad(s, x, retain_graph=True)[0] for s in D(x).flatten()]",
            "M = torch.stack(rows).flatten(2).norm(dim=2)",
            "return M / M.diag().mean()",
        ),
        "the lesson does it for its picture only",
    ),
    # --- task 3 -----------------------------------------------------------------------------------------------
    "squared slope": ("task3_check", predicted(line=250.0), "That is ten times the squared slope."),
    "no root for the length": ("task3_check", predicted(line=5760.0), "25 is the squared length of (3, -4)."),
    "slope 7 of a constant": ("task3_check", predicted(flat=360.0), "A seven stands in the score"),
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
        "The penalty sends no gradient to D's weights.",
    ),
    "one epsilon for the batch": (
        "task4_check",
        repaired(epsilon="torch.rand(1)"),
        "all samples of a batch share one epsilon",
    ),
    "an epsilon for each number": (
        "task4_check",
        repaired(epsilon="torch.rand_like(x)"),
        "some interpolates are off the line from fake to real sample",
    ),
    "a bell of epsilons": (
        "task4_check",
        repaired(epsilon="torch.randn(len(x), *[1] * (x.ndim - 1))"),
        "some interpolates lie beyond their two samples",
    ),
    "real samples only": (
        "task4_check",
        repaired(x_hat="x.clone().requires_grad_()"),
        "The slope is looked at in the real samples only",
    ),
    "the middle only": (
        "task4_check",
        repaired(x_hat="((x + x_fake) / 2).requires_grad_()"),
        "The slope is looked at in the middle only.",
    ),
    "one-sided repair": (
        "task4_check",
        repaired(norm="gradient.flatten(1).norm(dim=1).clamp(min=1)"),
        "Where the slope is below 1 this penalty is 0.",
    ),
    "a fixed weight": (
        "task4_check",
        repaired(result="D(x_fake).mean() - D(x).mean() + 100 * penalty"),
        "The weight is a fixed number here",
    ),
    "scores of fakes detached": (
        "task4_check",
        repaired(result="D(x_fake).mean().detach() - D(x).mean() + gp_weight * penalty"),
        "D learns nothing from fakes: detach what G gives to D",
    ),
    "a float": (
        "task4_check",
        repaired(result="(D(x_fake).mean() - D(x).mean() + gp_weight * penalty).item()"),
        "Return a tensor, not a float, and detach fakes only.",
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
    "slope at the samples": (
        "task5_check",
        {
            "task5_safe_distance": """
def safe_distance(D, x, x_fake, places):
    places = torch.cat([x, x_fake]).requires_grad_()
    (gradient,) = torch.autograd.grad(D(places).sum(), places)
    return float(D(x).mean() - D(x_fake).mean()) / float(gradient.flatten(1).norm(dim=1).max())
"""
        },
        "You look for the steepest slope at the samples.",
    ),
    "never below 0": ("task5_check", distance(result="abs(difference) / steepest"), "This D scores fakes higher"),
    "K at least 1": (
        "task5_check",
        distance(result="difference / max(1.0, steepest)"),
        "K is the steepest slope, also where that is below 1.",
    ),
    "norm over channels of a place": (
        "task5_check",
        distance(steepest="gradient.norm(dim=1).max()"),
        "Flatten each place first.",
    ),
    "places take no gradients": (
        "task5_check",
        {
            "task5_safe_distance": """
@torch.no_grad()
def safe_distance(D, x, x_fake, places):
    places = places.clone().requires_grad_()
    (gradient,) = torch.autograd.grad(D(places).sum(), places)
    return float(D(x).mean() - D(x_fake).mean()) / float(gradient.flatten(1).norm(dim=1).max())
"""
        },
        "PyTorch finds no way back to the places.",
    ),
    "pairs of real sample and fake": (
        "task5_check",
        {
            "task5_safe_distance": """
def safe_distance(D, x, x_fake, places):
    places = places.detach().clone().requires_grad_()
    (gradient,) = torch.autograd.grad(D(places).sum(), places)
    return float((D(x) - D(x_fake)).mean()) / float(gradient.flatten(1).norm(dim=1).max())
"""
        },
        "Average the scores of each kind by itself.",
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
    "functions of torch.func, one D for both kinds": {
        "task1_gradient_penalty": """
def gradient_penalty(D, x, x_fake, epsilon):
    place = torch.lerp(x_fake.detach(), x, epsilon.view(-1, *[1] * (x.ndim - 1)))
    slope = torch.func.vmap(torch.func.grad(lambda one: D(one[None]).sum()))(place).flatten(1).norm(dim=1)
    return ((slope - 1) ** 2).mean()
""",
        "task4_repaired": """
def repaired_d_loss(G, D, x, z, gp_weight=10.0):
    x_fake = G(z).detach()
    epsilon = torch.rand(len(x), *[1] * (x.ndim - 1))
    x_hat = (epsilon * x_fake + (1 - epsilon) * x).requires_grad_()
    (gradient,) = torch.autograd.grad(len(x) * D(x_hat).mean(), x_hat, create_graph=True)
    on_fakes, on_real = D(torch.cat([x_fake, x])).chunk(2)
    return (on_fakes - on_real).mean() + gp_weight * (1 - gradient.flatten(1).norm(dim=1)).square().mean()
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
