"""Answers to exercise 01 that people give: wrong ones, each a misconception, and right ones written otherwise.

WRONG: name -> (the check that must reject it, {cell: code}, a part of the message it is rejected with).
RIGHT: name -> {cell: code}.
"""


def _log_prob(body):
    return {"task1_log_prob": f"def log_prob(c, weights, means, stds):\n{body}"}


def _sample(body):
    return {"task2_sample": f"def sample(n, weights, means, stds):\n{body}"}


def _answers(**changed):
    answers = {"log_likelihood": -1.0986, "kl": 0.0589, "fitted_to": "up", "held_out": "down", "verdict": "b"}
    return {"task3_predictions": f"def predictions():\n    return {answers | changed!r}\n"}


def _draw(body):
    return {"task4_draw": f"def draw(x, y, digit, n):\n{body}"}


def _distance(body):
    return {"task5_distance": f"def distance_to_nearest(pictures, x):\n{body}"}


LOG_NORMAL = """
    z = (c[:, None] - means) / stds
    log_normal = (-(z**2) / 2 - stds.log() - math.log(2 * math.pi) / 2).sum(2)
"""

WRONG = {
    # --- task 1 -----------------------------------------------------------------------------------------------
    "weights forgotten": (
        "task1_check",
        _log_prob(LOG_NORMAL + "    return torch.logsumexp(log_normal, 1)\n"),
        "The weights are missing",
    ),
    "mean of logarithms": (
        "task1_check",
        _log_prob(LOG_NORMAL + "    return (weights * log_normal).sum(1)\n"),
        "You average the logarithms of the clouds",
    ),
    "sum of logarithms": (
        "task1_check",
        _log_prob(LOG_NORMAL + "    return (weights.log() + log_normal).sum(1)\n"),
        "You add up the logarithms of the clouds",
    ),
    "nearest cloud alone": (
        "task1_check",
        _log_prob(LOG_NORMAL + "    return (weights.log() + log_normal).max(1).values\n"),
        "Only the nearest cloud counts here",
    ),
    "a density for its logarithm": (
        "task1_check",
        _log_prob(LOG_NORMAL + "    return (weights * log_normal.exp()).sum(1)\n"),
        "This is the density itself",
    ),
    "negative log-likelihood": (
        "task1_check",
        _log_prob(LOG_NORMAL + "    return -torch.logsumexp(weights.log() + log_normal, 1)\n"),
        "this is the negative log-likelihood",
    ),
    "log of a sum of exp": (
        "task1_check",
        _log_prob(LOG_NORMAL + "    return (weights * log_normal.exp()).sum(1).log()\n"),
        "Its density is 0 on a computer",
    ),
    "epsilon in the log": (
        "task1_check",
        _log_prob(LOG_NORMAL + "    return ((weights * log_normal.exp()).sum(1) + 1e-12).log()\n"),
        "hides how unlikely the point is",
    ),
    "variance for standard deviation": (
        "task1_check",
        _log_prob("""
    log_normal = -((c[:, None] - means) ** 2) / stds / 2 - stds.log() / 2 - math.log(2 * math.pi) / 2
    return torch.logsumexp(weights.log() + log_normal.sum(2), 1)
"""),
        "You take the standard deviations for variances",
    ),
    "no log sigma": (
        "task1_check",
        _log_prob("""
    z = (c[:, None] - means) / stds
    log_normal = -(z**2) / 2 - math.log(2 * math.pi) / 2
    return torch.logsumexp(weights.log() + log_normal.sum(2), 1)
"""),
        "The term -log sigma is missing",
    ),
    "one constant for all coordinates": (
        "task1_check",
        _log_prob("""
    z = (c[:, None] - means) / stds
    log_normal = (-(z**2) / 2 - stds.log()).sum(2) - math.log(2 * math.pi) / 2
    return torch.logsumexp(weights.log() + log_normal, 1)
"""),
        "each of the d coordinates brings its own",
    ),
    "a mixture for each coordinate": (
        "task1_check",
        _log_prob("""
    z = (c[:, None] - means) / stds
    log_normal = -(z**2) / 2 - stds.log() - math.log(2 * math.pi) / 2
    return torch.logsumexp(weights.log()[:, None] + log_normal, 1).sum(1)
"""),
        "You mix each coordinate on its own",
    ),
    "averaged over the batch": (
        "task1_check",
        _log_prob(LOG_NORMAL + "    return torch.logsumexp(weights.log() + log_normal, 1).mean()\n"),
        "One number for each point",
    ),
    "weights without a logarithm": (
        "task1_check",
        _log_prob(LOG_NORMAL + "    return torch.logsumexp(weights + log_normal, 1)\n"),
        "You add the weights as they are",
    ),
    "weights times the logarithm": (
        "task1_check",
        _log_prob(LOG_NORMAL + "    return torch.logsumexp(weights * log_normal, 1)\n"),
        "You multiply log N by the weight",
    ),
    "square over 2 sigma": (
        "task1_check",
        _log_prob("""
    log_normal = -((c[:, None] - means) ** 2) / (2 * stds) - stds.log() - math.log(2 * math.pi) / 2
    return torch.logsumexp(weights.log() + log_normal.sum(2), 1)
"""),
        "You divide the square by 2 sigma;",
    ),
    "clouds and coordinates interchanged": (
        "task1_check",
        _log_prob("""
    z = (c[:, None] - means) / stds
    log_normal = -(z**2) / 2 - stds.log() - math.log(2 * math.pi) / 2
    return torch.logsumexp((weights.log()[:, None] + log_normal).sum(1), 1)
"""),
        "it is the other way round",
    ),
    "summed over the clouds": (
        "task1_check",
        _log_prob("""
    z = (c[:, None] - means) / stds
    log_normal = -(z**2) / 2 - stds.log() - math.log(2 * math.pi) / 2
    return torch.logsumexp(weights.log() + log_normal.sum(1), 1)
"""),
        "Sum over the 3 coordinates",
    ),
    "points not paired with clouds": (
        "task1_check",
        _log_prob("""
    z = (c - means) / stds
    log_normal = -(z**2) / 2 - stds.log() - math.log(2 * math.pi) / 2
    return torch.logsumexp(weights.log() + log_normal.sum(1), 0)
"""),
        "pairs each point with each cloud",
    ),
    # --- task 2 -----------------------------------------------------------------------------------------------
    "clouds averaged": (
        "task2_check",
        _sample("""
    z = torch.randn(n, *means.shape)
    return (weights[:, None] * (means + stds * z)).sum(1)
"""),
        "your points lie between the clouds",
    ),
    "one cloud for all points": (
        "task2_check",
        _sample("""
    k = torch.multinomial(weights, 1)[0]
    return means[k] + stds[k] * torch.randn(n, means.shape[1])
"""),
        "all your points come from one cloud",
    ),
    "weights ignored": (
        "task2_check",
        _sample("""
    k = torch.randint(len(weights), (n,))
    return means[k] + stds[k] * torch.randn(n, means.shape[1])
"""),
        "the clouds' shares are 0.49, 0.51, wants about 0.80, 0.20",
    ),
    "sigma squared": (
        "task2_check",
        _sample("""
    k = torch.multinomial(weights, n, replacement=True)
    return means[k] + stds[k] ** 2 * torch.randn(n, means.shape[1])
"""),
        "a cloud has the wrong width",
    ),
    "one z for all coordinates": (
        "task2_check",
        _sample("""
    k = torch.multinomial(weights, n, replacement=True)
    return means[k] + stds[k] * torch.randn(n, 1)
"""),
        "the coordinates of a point move together",
    ),
    "one z for all points": (
        "task2_check",
        _sample("""
    k = torch.multinomial(weights, n, replacement=True)
    return means[k] + stds[k] * torch.randn(means.shape[1])
"""),
        "points of a cloud coincide",
    ),
    "uniform numbers": (
        "task2_check",
        _sample("""
    k = torch.multinomial(weights, n, replacement=True)
    return means[k] + stds[k] * (2 * torch.rand(n, means.shape[1]) - 1)
"""),
        "draw normal numbers (randn), not uniform ones",
    ),
    "centre forgotten": (
        "task2_check",
        _sample("""
    k = torch.multinomial(weights, n, replacement=True)
    return stds[k] * torch.randn(n, means.shape[1])
"""),
        "your points lie around 0",
    ),
    "a cloud for each coordinate": (
        "task2_check",
        _sample("""
    d = means.shape[1]
    k = torch.multinomial(weights, n * d, replacement=True).view(n, d)
    return means.gather(0, k) + stds.gather(0, k) * torch.randn(n, d)
"""),
        "come from different clouds",
    ),
    # --- task 3 -----------------------------------------------------------------------------------------------
    "the entropy of the shares": (
        "task3_check",
        _answers(log_likelihood=-1.0397),
        "the best that any model can reach",
    ),
    "KL the other way round": ("task3_check", _answers(kl=-0.0589), "A KL divergence is never below 0"),
    "KL in bits": ("task3_check", _answers(kl=0.08496), "this is in bits"),
    "more clouds are always better": ("task3_check", _answers(held_out="up"), "leave gaps between them"),
    "likelihood is looks": ("task3_check", _answers(verdict="a"), "a fine likelihood and poor pictures"),
    "likelihood of memory": ("task3_check", _answers(verdict="c"), "what learning by heart spoils"),
    "two wrong at once": (
        "task3_check",
        _answers(log_likelihood=-4.3944, kl=-0.1699),
        "not right yet: log_likelihood, kl.",
    ),
    # --- task 4: one of the two faults stays in, or another comes in --------------------------------------------
    "still copies": (
        "task4_check",
        _draw("""
    pictures = x[y == digit].flatten(1)
    return pictures[torch.randint(len(pictures), (n,))].view(n, *x.shape[1:])
"""),
        "your pictures are copies of training pictures",
    ),
    "still all digits": (
        "task4_check",
        _draw("""
    pictures = x.flatten(1)
    source = torch.randint(len(pictures), (n, pictures.shape[1]))
    return pictures.gather(0, source).view(n, *x.shape[1:])
"""),
        "some pixels come from pictures of other digits",
    ),
    "one set of sources for all pictures": (
        "task4_check",
        _draw("""
    pictures = x[y == digit].flatten(1)
    source = torch.randint(len(pictures), (1, pictures.shape[1])).expand(n, -1)
    return pictures.gather(0, source).view(n, *x.shape[1:])
"""),
        "all your pictures are the same one",
    ),
    "pixels from anywhere": (
        "task4_check",
        _draw("""
    values = x[y == digit].flatten()
    return values[torch.randint(len(values), (n, x[0].numel()))].view(n, *x.shape[1:])
"""),
        "a pixel has its value from another place",
    ),
    "average picture": (
        "task4_check",
        _draw("""
    mean, std = x[y == digit].mean(0), x[y == digit].std(0)
    return mean + std * torch.randn(n, *x.shape[1:])
"""),
        "Draw values, do not average them",
    ),
    "row by row": (
        "task4_check",
        _draw("""
    pictures = x[y == digit]
    source = torch.randint(len(pictures), (n, *x.shape[1:-1], 1)).expand(n, *x.shape[1:])
    return pictures.gather(0, source)
"""),
        "neighbouring pixels share their source",
    ),
    "mean picture": (
        "task4_check",
        _draw("    return x[y == digit].mean(0).expand(n, *x.shape[1:])\n"),
        "all the same one, a mean",
    ),
    "784 pixels": (
        "task4_check",
        _draw("""
    pictures = x[y == digit].flatten(1)
    source = torch.randint(len(pictures), (n, 784))
    return pictures.gather(0, source).view(n, 1, 28, 28)
"""),
        "The pictures here have 6 pixels",
    ),
    "not flattened before gather": (
        "task4_check",
        _draw("""
    pictures = x[y == digit]
    source = torch.randint(len(pictures), (n, x[0].numel()))
    return pictures.gather(0, source).view(n, *x.shape[1:])
"""),
        "flatten each picture to a row first",
    ),
    # --- task 5 -----------------------------------------------------------------------------------------------
    "the minimum the other way": (
        "task5_check",
        _distance("    return torch.cdist(pictures.flatten(1), x.flatten(1)).min(0).values.mean()\n"),
        "take the minimum the other way",
    ),
    "squared distances": (
        "task5_check",
        _distance("""
    differences = pictures.flatten(1)[:, None] - x.flatten(1)
    return differences.square().sum(2).min(1).values.mean()
"""),
        "You average squared distances",
    ),
    "the mean over all": (
        "task5_check",
        _distance("    return torch.cdist(pictures.flatten(1), x.flatten(1)).mean()\n"),
        "You average over all training pictures",
    ),
    "the smallest of all": (
        "task5_check",
        _distance("    return torch.cdist(pictures.flatten(1), x.flatten(1)).min()\n"),
        "You take the smallest distance of all",
    ),
    "absolute differences": (
        "task5_check",
        _distance("    return torch.cdist(pictures.flatten(1), x.flatten(1), p=1).min(1).values.mean()\n"),
        "You add up absolute differences",
    ),
    "the place for the distance": (
        "task5_check",
        _distance("    return torch.cdist(pictures.flatten(1), x.flatten(1)).argmin(1).float().mean()\n"),
        "You average the places",
    ),
    "mean square": (
        "task5_check",
        _distance("""
    differences = pictures.flatten(1)[:, None] - x.flatten(1)
    return differences.square().mean(2).min(1).values.mean()
"""),
        "This is a mean square",
    ),
    "784 numbers a picture": (
        "task5_check",
        _distance("    return torch.cdist(pictures.view(-1, 784), x.view(-1, 784)).min(1).values.mean()\n"),
        "These pictures have shape (1, 1, 2)",
    ),
    "pictures not flattened": (
        "task5_check",
        _distance("    return torch.cdist(pictures, x).min(1).values.mean()\n"),
        "cdist compares rows",
    ),
    "min without values": (
        "task5_check",
        _distance("    return torch.cdist(pictures.flatten(1), x.flatten(1)).min(1).mean()\n"),
        "min along a dimension gives a pair",
    ),
}

RIGHT = {
    "torch.distributions": {
        "task1_log_prob": """
from torch.distributions import Categorical, Independent, MixtureSameFamily, Normal
def log_prob(points, weights, means, stds):
    clouds = Independent(Normal(means, stds), 1)
    return MixtureSameFamily(Categorical(weights), clouds).log_prob(points)
""",
        "task2_sample": """
def sample(n, weights, means, stds):
    clouds = Independent(Normal(means, stds), 1)
    return MixtureSameFamily(Categorical(weights), clouds).sample((n,))
""",
        "task5_distance": """
def distance_to_nearest(pictures, x):
    total = 0.0
    for picture in pictures:
        total += (x - picture).square().flatten(1).sum(1).min().sqrt().item()
    return total / len(pictures)
""",
    },
    "loops": {
        "task1_log_prob": """
def log_prob(c, weights, means, stds):
    terms = []
    for w, m, s in zip(weights, means, stds):
        log_n = -0.5 * ((c - m) / s).square().sum(1) - s.prod().log() - 0.5 * c.shape[1] * math.log(2 * math.pi)
        terms.append(torch.log(w) + log_n)
    largest = torch.stack(terms).max(0).values
    return largest + sum(torch.exp(t - largest) for t in terms).log()
""",
        "task2_sample": """
def sample(n, weights, means, stds):
    points = []
    for _ in range(n):
        k = int((torch.rand(()) > weights.cumsum(0)[:-1]).sum())
        points.append(torch.normal(means[k], stds[k]))
    return torch.stack(points)
""",
        "task3_predictions": """
def predictions():
    p, q = torch.tensor([0.5, 0.25, 0.25]), torch.full((3,), 1 / 3)
    answers = {"log_likelihood": (p * q.log()).sum(), "kl": (p * (p / q).log()).sum()}
    return answers | {"fitted_to": "Up", "held_out": " down", "verdict": "B"}
""",
        "task4_draw": """
def draw(x, y, digit, n):
    own = x[y == digit]
    drawn = torch.empty(n, *x.shape[1:])
    flat, out = own.reshape(len(own), -1), drawn.view(n, -1)
    for i in range(flat.shape[1]):
        out[:, i] = flat[torch.randint(len(own), (n,)), i]
    return drawn
""",
    },
    "every cloud drawn, then one kept": {
        "task2_sample": """
def sample(n, weights, means, stds):
    everywhere = means + stds * torch.randn(n, *means.shape)
    k = torch.multinomial(weights.expand(n, -1), 1)[:, 0]
    return everywhere[torch.arange(n), k]
""",
        "task4_draw": """
def draw(x, y, digit, n):
    rows = (y == digit).nonzero()[:, 0]
    source = rows[torch.randint(0, len(rows), (n,) + tuple(x.shape[1:]))]
    return torch.gather(x, 0, source)
""",
        "task5_distance": """
def distance_to_nearest(pictures, x):
    a, b = pictures.flatten(1).double(), x.flatten(1).double()
    squared = a.square().sum(1)[:, None] + b.square().sum(1) - 2 * a @ b.T
    return squared.clamp(min=0).sqrt().amin(1).mean()
""",
    },
}
