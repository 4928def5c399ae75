"""Answers to exercise 12 that people give: wrong ones, each a misconception, and right ones written otherwise.

WRONG: name -> (the check that must reject it, {cell: code}, a part of the message it is rejected with).
RIGHT: name -> {cell: code}.
"""


def a_score(body):
    """Code of an ``inception_score`` with this body, one expression a line; ``m`` is the average verdict."""
    return f"""
def inception_score(p):
    m = p.mean(0)
    safe = p.clamp(min=1e-12)
    return float({body})
"""


def balls(precision="inside(fake, real, k)", recall="inside(real, fake, k)", inside=None, radius=None, k="k"):
    """Code of a ``precision_recall`` with something changed."""
    radius = radius or f"torch.cdist(c, c).sort(dim=1).values[:, {k}]"
    inside = inside or "(torch.cdist(x, c) <= r).any(1)"
    return f"""
def precision_recall(real, fake, k=3):
    def inside(x, c, k):
        r = {radius}
        return {inside}.double().mean().item()
    return {precision}, {recall}
"""


def distance(
    cov="np.cov({x}, rowvar=False)",
    means="((real.mean(0) - fake.mean(0)) ** 2).sum()",
    root="scipy.linalg.sqrtm(c1 @ c2).real",
    covs="np.trace(c1 + c2 - 2 * root)",
    total="of_means + of_covs",
):
    """Code of a ``fid`` with something changed."""
    return f"""
def fid(real, fake):
    c1, c2 = {cov.format(x="real")}, {cov.format(x="fake")}
    of_means = {means}
    root = {root}
    of_covs = {covs}
    return {total}
"""


def predicted(**changed):
    """Code of ``predictions`` with some answers changed."""
    answers = dict(two_classes=2.0, fid_1d=10.0, at_infinity=20.0, exposes_copies="none", falls="recall")
    return {"task3_predictions": f"def predictions():\n    return {answers | changed!r}\n"}


def verdict(answer):
    """Code of an ``is_copier`` that ends in this expression."""
    return {
        "task5_is_copier": f"""
def is_copier(x_fake, x_train, x_new, margin=0.15):
    fake, train, new = (x.flatten(1) for x in (x_fake, x_train, x_new))
    to_train, to_new = torch.cdist(fake, train).min(1).values, torch.cdist(fake, new).min(1).values
    share = (to_train < to_new).double().mean().item()
    chance = len(train) / (len(train) + len(new))
    return bool({answer})
"""
    }


KL = "(safe * (safe / m).log()).sum(1)"

WRONG = {
    # --- task 1 -----------------------------------------------------------------------------------------------
    "no exp": ("task1_check", {"task1_inception_score": a_score(f"{KL}.mean()")}, "The exp is missing"),
    "sum over the samples": (
        "task1_check",
        {"task1_inception_score": a_score(f"{KL}.sum().exp()")},
        "would grow with every sample",
    ),
    "exp before the average": (
        "task1_check",
        {"task1_inception_score": a_score(f"{KL}.exp().mean()")},
        "average first",
    ),
    "KL the other way round": (
        "task1_check",
        {"task1_inception_score": a_score("(m * (m / safe).log()).sum(1).mean().exp()")},
        "runs the other way round",
    ),
    "sign turned": (
        "task1_check",
        {"task1_inception_score": a_score(f"(-{KL}.mean()).exp()")},
        "a good generator would get a score below 1",
    ),
    "even classes for p(y)": (
        "task1_check",
        {"task1_inception_score": a_score("(safe * (safe * p.shape[1]).log()).sum(1).mean().exp()")},
        "an even distribution",
    ),
    "bits with e": (
        "task1_check",
        {"task1_inception_score": a_score("(safe * (safe / m).log2()).sum(1).mean().exp()")},
        "use one base for both",
    ),
    "mean over the classes": (
        "task1_check",
        {"task1_inception_score": a_score("(safe * (safe / m).log()).mean().exp()")},
        "Over the classes a KL is a sum",
    ),
    "diversity alone": (
        "task1_check",
        {"task1_inception_score": a_score("(-(m * m.log()).sum()).exp()")},
        "How sure each verdict is has gone missing",
    ),
    "entropies added": (
        "task1_check",
        {"task1_inception_score": a_score("(-(m * m.log()).sum() - (safe * safe.log()).sum(1).mean()).exp()")},
        "It is to be subtracted",
    ),
    "0 log 0": (
        "task1_check",
        {"task1_inception_score": a_score("(p * (p / m).log()).sum(1).mean().exp()")},
        "in floats it is NaN",
    ),
    "a number for 0 that counts": (
        "task1_check",
        {
            "task1_inception_score": """
def inception_score(p):
    p = p.clamp(min=1e-3)
    m = p.mean(0)
    return float((p * (p / m).log()).sum(1).mean().exp())
"""
        },
        "it changes the verdicts here",
    ),
    "a class that never comes": (  # only a hidden test sees this one
        "task1_check",
        {
            "task1_inception_score": """
def inception_score(p):
    q = p.mean(0).log().expand_as(p)
    return torch.nn.functional.kl_div(q, p, reduction="batchmean").exp().item()
"""
        },
        "p(y) is 0 there as well",
    ),
    "a softmax on top": (
        "task1_check",
        {
            "task1_inception_score": """
def inception_score(p):
    p = p.softmax(1)
    m = p.mean(0)
    return float((p * (p / m).log()).sum(1).mean().exp())
"""
        },
        "a softmax on top",
    ),
    "the likeliest class alone": (
        "task1_check",
        {
            "task1_inception_score": """
def inception_score(p):
    p = torch.nn.functional.one_hot(p.argmax(1), p.shape[1]).double()
    m = p.mean(0)
    return float((torch.xlogy(p, p) - torch.xlogy(p, m)).sum(1).mean().exp())
"""
        },
        "You take each verdict for sure",
    ),
    # --- task 2 -----------------------------------------------------------------------------------------------
    "precision for recall": (
        "task2_check",
        {"task2_precision_recall": balls("inside(real, fake, k)", "inside(fake, real, k)")},
        "have changed places",
    ),
    "its own neighbour": ("task2_check", {"task2_precision_recall": balls(k="k - 1")}, "Your balls are too small"),
    "balls around the points asked about": (
        "task2_check",
        {
            "task2_precision_recall": balls(
                radius="torch.cdist(x, x).sort(dim=1).values[:, k]", inside="(torch.cdist(x, c) <= r[:, None]).any(1)"
            )
        },
        "around the points you ask about",
    ),
    "the nearest centre alone": (
        "task2_check",
        {"task2_precision_recall": balls(inside="(torch.cdist(x, c).min(1).values <= r[torch.cdist(x, c).argmin(1)])")},
        "You ask the nearest ball centre alone",
    ),
    "balls counted": (
        "task2_check",
        {"task2_precision_recall": balls(inside="((torch.cdist(x, c) <= r).sum(1) / k)")},
        "five count no more",
    ),
    "sum for any": (
        "task2_check",
        {"task2_precision_recall": balls(inside="(torch.cdist(x, c) <= r).sum(1)")},
        "any, not sum",
    ),
    "any over the points": (
        "task2_check",
        {"task2_precision_recall": balls(inside="(torch.cdist(x, c) <= r).any(0)")},
        "You ask of each ball",
    ),
    "numbers for shares": (
        "task2_check",
        {"task2_precision_recall": balls(inside="len(x) * (torch.cdist(x, c) <= r).any(1)")},
        "These are numbers of points",
    ),
    "percent": (
        "task2_check",
        {"task2_precision_recall": balls(inside="100 * (torch.cdist(x, c) <= r).any(1)")},
        "These are percentages",
    ),
    "the farthest neighbours": (
        "task2_check",
        {"task2_precision_recall": balls(radius="torch.cdist(c, c).topk(k + 1).values[:, -1]")},
        "topk takes the largest",
    ),
    "three whatever k": ("task2_check", {"task2_precision_recall": balls(k="3")}, "Here k is 2."),
    "mean over pairs": (
        "task2_check",
        {"task2_precision_recall": balls(inside="(torch.cdist(x, c) <= r)")},
        "You average over all pairs",
    ),
    "one radius for all": (
        "task2_check",
        {"task2_precision_recall": balls(inside="(torch.cdist(x, c) <= r.mean()).any(1)")},
        "every ball the same radius",
    ),
    "the edge left out": (
        "task2_check",
        {"task2_precision_recall": balls(inside="(torch.cdist(x, c) < r).any(1)")},
        "The edge belongs to the ball",
    ),
    "k left out": ("task2_check", {"task2_precision_recall": balls(k="2")}, "Use k."),
    # --- task 3 -----------------------------------------------------------------------------------------------
    "sure verdicts make a ten": ("task3_check", predicted(two_classes=10.0), "the score counts classes that come"),
    "variances for standard deviations": ("task3_check", predicted(fid_1d=18.0), "You compare variances, 4 and 1"),
    "the norm of the means": ("task3_check", predicted(fid_1d=4.0), "The distance of the means goes in squared"),
    "the means are all": ("task3_check", predicted(fid_1d=9.0), "the fakes vary twice as much"),
    "2,000 are enough": ("task3_check", predicted(at_infinity=20.4), "still has half of the bias"),
    "one more doubling": ("task3_check", predicted(at_infinity=20.2), "endlessly many doublings"),
    "two at once, and both are named": (
        "task3_check",
        predicted(two_classes=1.5, fid_1d=1.0),
        "not right yet: two_classes, fid_1d.",
    ),
    "FID exposes copies": ("task3_check", predicted(exposes_copies="FID"), "Novelty needs another test"),
    "IS sees within a class": ("task3_check", predicted(falls="IS"), "collapse within a class is hidden"),
    "precision sees diversity": ("task3_check", predicted(falls="precision"), "so it lies where real ones lie"),
    # --- task 4: a fault stays in, or another comes in ------------------------------------------------------------
    "covariance of the images": (
        "task4_check",
        {"task4_fid": distance(cov="np.cov({x})")},
        "tell np.cov that variables are columns",
    ),
    "the means' norm": (
        "task4_check",
        {"task4_fid": distance(means="np.linalg.norm(real.mean(0) - fake.mean(0))")},
        "yours is the norm itself",
    ),
    "product and root of each entry": (
        "task4_check",
        {"task4_fid": distance(root="np.sqrt(np.abs(c1 * c2))")},
        "Both are of matrices",
    ),
    "root of each entry": (
        "task4_check",
        {"task4_fid": distance(root="np.sqrt(np.abs(c1 @ c2))")},
        "np.sqrt still takes the root of each entry",
    ),
    "no trace term": (
        "task4_check",
        {"task4_fid": distance(total="of_means")},
        "a collapsed generator would get away",
    ),
    "no term of the means": (
        "task4_check",
        {"task4_fid": distance(total="of_covs")},
        "The term of the means is missing",
    ),
    "no root": ("task4_check", {"task4_fid": distance(root="c1 @ c2")}, "The root of the product is missing"),
    "the root once": (
        "task4_check",
        {"task4_fid": distance(covs="np.trace(c1 + c2 - root)")},
        "The factor 2 before the root is missing",
    ),
    "two faults stay in": (
        "task4_check",
        {"task4_fid": distance(means="np.linalg.norm(real.mean(0) - fake.mean(0))", root="np.sqrt(np.abs(c1 * c2))")},
        "and * and np.sqrt go entry by entry",
    ),
    "norm and root stay in": (
        "task4_check",
        {"task4_fid": distance(means="np.linalg.norm(real.mean(0) - fake.mean(0))", root="np.sqrt(np.abs(c1 @ c2))")},
        "and np.sqrt goes entry by entry",
    ),
    "a product of entries": (
        "task4_check",
        {"task4_fid": distance(root="scipy.linalg.sqrtm(c1 * c2).real")},
        "@ is the product of matrices",
    ),
    "a product of roots": (
        "task4_check",
        {"task4_fid": distance(root="scipy.linalg.sqrtm(c1).real @ scipy.linalg.sqrtm(c2).real")},
        "matrices do not commute",
    ),
    "a root around the whole": (
        "task4_check",
        {"task4_fid": distance(total="np.sqrt(of_means + of_covs)")},
        "no root around the whole",
    ),
    "sizes for squares": (
        "task4_check",
        {"task4_fid": distance(means="np.abs(real.mean(0) - fake.mean(0)).sum()")},
        "yours adds up sizes",
    ),
    "the mean over features": (
        "task4_check",
        {"task4_fid": distance(means="((real.mean(0) - fake.mean(0)) ** 2).mean()")},
        "A squared length is a sum over them",
    ),
    "one mean for all": (
        "task4_check",
        {"task4_fid": distance(means="(real.mean() - fake.mean()) ** 2")},
        "along axis 0",
    ),
    "no trace": (
        "task4_check",
        {"task4_fid": distance(covs="c1 + c2 - 2 * root")},
        "where is the trace?",
    ),
    "N in the denominator": (
        "task4_check",
        {"task4_fid": distance(cov="np.cov({x}, rowvar=False, bias=True)")},
        "divide by N, not by N - 1",
    ),
    "a complex distance": (
        "task4_check",
        {"task4_fid": distance(root="scipy.linalg.sqrtm(c1 @ c2).astype(complex)")},
        "Drop the imaginary part",
    ),
    "roots of eigenvalues a little below 0": (
        "task4_check",
        {
            "task4_fid": distance(
                root="np.sqrt(scipy.linalg.eigvals(c1 @ c2).real)", covs="np.trace(c1 + c2) - 2 * root.sum()"
            )
        },
        "rounding makes eigenvalues of 0 a little negative",
    ),
    # --- task 5 -----------------------------------------------------------------------------------------------
    "equal images alone": ("task5_check", verdict("(to_train < 0.1).double().mean() > 0.5"), "None of these is equal"),
    "half is chance": ("task5_check", verdict("share > 0.5 + margin"), "Four of five real images are training ones"),
    "near is copied": (
        "task5_check",
        verdict("to_train.median() < 0.95 * torch.cdist(new, train).min(1).values.median()"),
        "small distances alone prove nothing",
    ),
    "nearest to new images": ("task5_check", verdict("1 - share > 1 - chance + margin"), "Each of these samples"),
    "nearly all or nothing": ("task5_check", verdict("share > 0.9"), "Compare with chance"),
    "a margin of its own": ("task5_check", verdict("share > chance + 0.15"), "margin says how far"),
    "one copy is enough": (
        "task5_check",
        verdict("share > chance + margin or (to_train < 0.1).any()"),
        "count all samples",
    ),
}

RIGHT = {
    "entropies": {
        "task1_inception_score": """
def inception_score(verdicts):
    def entropy(q):
        return torch.special.entr(q).sum(-1)
    return torch.exp(entropy(verdicts.mean(dim=0)) - entropy(verdicts).mean())
""",
        "task2_precision_recall": """
def precision_recall(real, fake, k=3):
    within_real = torch.cdist(real, real).kthvalue(k + 1, dim=1).values
    within_fake = torch.cdist(fake, fake).kthvalue(k + 1, dim=1).values
    across = torch.cdist(real, fake)
    precision = (across <= within_real[:, None]).any(dim=0).float().mean()
    recall = (across <= within_fake[None]).any(dim=1).float().mean()
    return precision, recall
""",
        "task4_fid": distance(),
    },
    "loops and a small number in the logarithm": {
        "task1_inception_score": """
import math
def inception_score(p):
    p = p.tolist()
    average = [sum(row[c] for row in p) / len(p) for c in range(len(p[0]))]
    total = 0.0
    for row in p:
        total += sum(a * math.log((a + 1e-12) / (b + 1e-12)) for a, b in zip(row, average))
    return math.exp(total / len(p))
""",
        "task2_precision_recall": """
def precision_recall(real, fake, k=3):
    def share(points, centres):
        hits = 0
        for p in points:
            for c in centres:
                radius = sorted(float((c - other).norm()) for other in centres)[k]
                if float((p - c).norm()) <= radius:
                    hits += 1
                    break
        return hits / len(points)
    return [share(fake, real), share(real, fake)]
""",
        "task5_is_copier": """
def is_copier(x_fake, x_train, x_new, margin=0.15):
    real = torch.cat([x_new, x_train]).flatten(1).numpy()
    copied = 0
    for x in x_fake.flatten(1).numpy():
        copied += ((real - x) ** 2).sum(axis=1).argmin() >= len(x_new)
    return copied / len(x_fake) - len(x_train) / len(real) > margin
""",
    },
    "base 2 throughout, singular values, torch": {
        "task1_inception_score": """
def inception_score(p):
    ratio = torch.where(p > 0, p / p.mean(0), torch.ones_like(p))
    return 2 ** (p * ratio.log2()).sum(1).mean()
""",
        "task3_predictions": """
def predictions():
    return dict(two_classes=torch.tensor(2.0), fid_1d=10, at_infinity=20.0, exposes_copies=" None", falls="Recall")
""",
        "task4_fid": """
def fid(real, fake):
    real, fake = torch.from_numpy(real), torch.from_numpy(fake)
    def root(c):
        values, vectors = torch.linalg.eigh(c)
        return vectors @ torch.diag(values.clamp(min=0).sqrt()) @ vectors.T
    c1, c2 = real.T.cov(), fake.T.cov()
    between = torch.linalg.svdvals(root(c1) @ root(c2)).sum()
    return ((real.mean(0) - fake.mean(0)) ** 2).sum() + c1.trace() + c2.trace() - 2 * between
""",
        "task5_is_copier": """
def is_copier(x_fake, x_train, x_new, margin=0.15):
    both = torch.cat([x_train, x_new]).flatten(1)
    nearest = torch.cdist(x_fake.flatten(1), both).argmin(1)
    share = (nearest < len(x_train)).float().mean()
    return share > len(x_train) / len(both) + margin
""",
    },
}
