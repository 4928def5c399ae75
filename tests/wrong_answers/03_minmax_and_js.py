"""Answers to exercise 03 that people give: wrong ones, each a misconception, and right ones written otherwise.

WRONG: name -> (the check that must reject it, {cell: code}, a part of the message it is rejected with).
RIGHT: name -> {cell: code}.
"""


def predicted(**changed):
    answers = {
        "loss_if_equal": 1.386,
        "loss_if_disjoint": 0.0,
        "js_far": 0.693,
        "w1_far": 20.0,
        "weak_D": "below",
        "who_moves": "non-saturating",
        "tiny_gradient": "c",
        **changed,
    }
    return {"task3_predictions": f"def predictions():\n    return {answers!r}\n"}


WRONG = {
    # --- task 1 -----------------------------------------------------------------------------------------------
    "p and q swapped": (
        "task1_check",
        {
            "task1_best_logit": """
def best_logit(log_p, log_q, k=1.0):
    return log_q - log_p + math.log(k)
"""
        },
        "You have swapped p and q",
    ),
    "the probability, no logit": (
        "task1_check",
        {
            "task1_best_logit": """
def best_logit(log_p, log_q, k=1.0):
    return torch.sigmoid(log_p - log_q - math.log(k))
"""
        },
        "That is D itself, a probability",
    ),
    "the ratio, no logarithm": (
        "task1_check",
        {
            "task1_best_logit": """
def best_logit(log_p, log_q, k=1.0):
    return log_p.exp() / (k * log_q.exp())
"""
        },
        "That is p / q",
    ),
    "log D for the logit": (
        "task1_check",
        {
            "task1_best_logit": """
def best_logit(log_p, log_q, k=1.0):
    return log_p - torch.logaddexp(log_p, log_q + math.log(k))
"""
        },
        "That is log D. The logit is log D - log(1 - D).",
    ),
    "k left out": (
        "task1_check",
        {
            "task1_best_logit": """
def best_logit(log_p, log_q, k=1.0):
    return log_p - log_q
"""
        },
        "You leave out k",
    ),
    "k on the side of the real numbers": (
        "task1_check",
        {
            "task1_best_logit": """
def best_logit(log_p, log_q, k=1.0):
    return log_p + math.log(k) - log_q
"""
        },
        "k stands on the wrong side",
    ),
    "k times the logarithm": (
        "task1_check",
        {
            "task1_best_logit": """
def best_logit(log_p, log_q, k=1.0):
    return log_p - k * log_q
"""
        },
        "has the logarithm log k + log q",
    ),
    "k taken away": (
        "task1_check",
        {
            "task1_best_logit": """
def best_logit(log_p, log_q, k=1.0):
    return log_p - log_q - k
"""
        },
        "You take k away, but k = 1 changes nothing",
    ),
    "densities by exp": (
        "task1_check",
        {
            "task1_best_logit": """
def best_logit(log_p, log_q, k=1.0):
    p, q = torch.exp(log_p), torch.exp(log_q)
    D = p / (p + k * q)
    return torch.log(D / (1 - D))
"""
        },
        "exp(-1000) is 0 on a computer",
    ),
    "an epsilon under the logarithm": (
        "task1_check",
        {
            "task1_best_logit": """
def best_logit(log_p, log_q, k=1.0):
    p, q = torch.exp(log_p), torch.exp(log_q)
    return torch.log(p + 1e-12) - torch.log(k * q + 1e-12)
"""
        },
        "added to a density, or a clamp, decides here",
    ),
    "averaged over the places": (
        "task1_check",
        {
            "task1_best_logit": """
def best_logit(log_p, log_q, k=1.0):
    return (log_p - log_q - math.log(k)).mean()
"""
        },
        "One logit for each place",
    ),
    # --- task 2 -----------------------------------------------------------------------------------------------
    "the lesson's estimate": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    return LOG2 - d_minimax(real_logits, fake_logits) / 2
"""
        },
        "That is the lesson's estimate, for one fake per real number",
    ),
    "2 log 2 for every k": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    V = F.logsigmoid(real_logits).mean() + k * F.logsigmoid(-fake_logits).mean()
    return V / (1 + k) + LOG2
"""
        },
        "The number added is still the one of k = 1",
    ),
    "k in V alone": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    V = F.logsigmoid(real_logits).mean() + k * F.logsigmoid(-fake_logits).mean()
    return V / 2 + LOG2
"""
        },
        "V has its k, but the rest is still line 8 for k = 1",
    ),
    "k in the rest alone": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    V = -d_minimax(real_logits, fake_logits)
    return (V + (1 + k) * math.log(1 + k) - k * math.log(k)) / (1 + k)
"""
        },
        "In V itself k is missing",
    ),
    "k at the real numbers": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    V = k * F.logsigmoid(real_logits).mean() + F.logsigmoid(-fake_logits).mean()
    return (V + (1 + k) * math.log(1 + k) - k * math.log(k)) / (1 + k)
"""
        },
        "it is the fakes that count k times",
    ),
    "the k of k q forgotten": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    V = F.logsigmoid(real_logits).mean() + k * F.logsigmoid(-fake_logits).mean()
    return V / (1 + k) + math.log(1 + k)
"""
        },
        "Only log(1 + k) is added",
    ),
    "log k without its k": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    V = F.logsigmoid(real_logits).mean() + k * F.logsigmoid(-fake_logits).mean()
    return (V + (1 + k) * math.log(1 + k) - math.log(k)) / (1 + k)
"""
        },
        "log k is there once",
    ),
    "divided by 2 for every k": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    V = F.logsigmoid(real_logits).mean() + k * F.logsigmoid(-fake_logits).mean()
    return (V + (1 + k) * math.log(1 + k) - k * math.log(k)) / 2
"""
        },
        "You divide by 2",
    ),
    "twice the divergence": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    V = F.logsigmoid(real_logits).mean() + k * F.logsigmoid(-fake_logits).mean()
    return V + (1 + k) * math.log(1 + k) - k * math.log(k)
"""
        },
        "That is 2 JSD.",
    ),
    "the wrong way round": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    return ((1 + k) * math.log(1 + k) - k * math.log(k) + F.softplus(-real_logits).mean() + k * F.softplus(fake_logits).mean()) / (1 + k)
"""
        },
        "JSD falls as d_loss grows",
    ),
    "the value of the game": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    V = F.logsigmoid(real_logits).mean() + k * F.logsigmoid(-fake_logits).mean()
    return V
"""
        },
        "That is V itself",
    ),
    "2 log 2 forgotten": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    V = F.logsigmoid(real_logits).mean() + k * F.logsigmoid(-fake_logits).mean()
    return V / (1 + k)
"""
        },
        "the 2 log 2 of line 8 is missing",
    ),
    "mean cross-entropy halved again": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    logits = torch.cat([real_logits, fake_logits])
    labels = torch.cat([torch.ones_like(real_logits), torch.zeros_like(fake_logits)])
    return LOG2 - F.binary_cross_entropy_with_logits(logits, labels) / 2
"""
        },
        "Half of half",
    ),
    "one heap for both kinds": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    logits = torch.cat([real_logits, fake_logits])
    labels = torch.cat([torch.ones_like(real_logits), torch.zeros_like(fake_logits)])
    return LOG2 - F.binary_cross_entropy_with_logits(logits, labels)
"""
        },
        "averaged in one heap of five",
    ),
    "labels swapped": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    V = F.logsigmoid(-real_logits).mean() + k * F.logsigmoid(fake_logits).mean()
    return (V + (1 + k) * math.log(1 + k) - k * math.log(k)) / (1 + k)
"""
        },
        "You have swapped the labels",
    ),
    "log of a sigmoid": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    D_real, D_fake = torch.sigmoid(real_logits), torch.sigmoid(fake_logits)
    V = torch.log(D_real).mean() + k * torch.log(1 - D_fake).mean()
    return (V + (1 + k) * math.log(1 + k) - k * math.log(k)) / (1 + k)
"""
        },
        "log(sigmoid(-200)) overflows",
    ),
    "kept above 0": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    V = F.logsigmoid(real_logits).mean() + k * F.logsigmoid(-fake_logits).mean()
    return ((V + (1 + k) * math.log(1 + k) - k * math.log(k)) / (1 + k)).clamp(min=0)
"""
        },
        "It is a bound, so it may be negative",
    ),
    "a sum for the mean": (
        "task2_check",
        {
            "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    V = F.logsigmoid(real_logits).sum() + k * F.logsigmoid(-fake_logits).sum()
    return (V + (1 + k) * math.log(1 + k) - k * math.log(k)) / (1 + k)
"""
        },
        "the E in V is an average",
    ),
    # --- task 3 -----------------------------------------------------------------------------------------------
    "equal means no loss": (
        "task3_losses_check",
        predicted(loss_if_equal=0.0),
        "A loss of 0 is that of a D that catches every fake. Can it?",
    ),
    "one half of the loss": ("task3_losses_check", predicted(loss_if_equal=0.693), "The loss has two halves"),
    "V for the loss": ("task3_losses_check", predicted(loss_if_equal=-1.386), "That is V; d_loss is minus V."),
    "disjoint means much loss": (
        "task3_losses_check",
        predicted(loss_if_disjoint=1.386),
        "This one is never wrong",
    ),
    "disjoint means log 2": ("task3_losses_check", predicted(loss_if_disjoint=0.693), "That is the JSD. Put it into"),
    "both losses wrong, both named": (
        "task3_losses_check",
        predicted(loss_if_equal=7.0, loss_if_disjoint=8.0),
        "where both kinds are equally likely? loss_if_disjoint: How often is the best D wrong",
    ),
    "JSD grows with the distance": (
        "task3_distances_check",
        predicted(js_far=20.0),
        "20 is how far they are apart",
    ),
    "JSD of strangers is 0": ("task3_distances_check", predicted(js_far=0.0), "0 means equal"),
    "W1 ends at log 2": ("task3_distances_check", predicted(w1_far=0.693), "W1 has no upper end"),
    "W1 is the gap": ("task3_distances_check", predicted(w1_far=19.0), "19 is the gap between the boxes"),
    "a weak D overestimates": (
        "task3_distances_check",
        predicted(weak_D="above"),
        "On which side of the JSD does that leave the estimate",
    ),
    "a weak D is enough": (
        "task3_distances_check",
        predicted(weak_D="equal"),
        "two steps do not make it the best",
    ),
    "both losses move G": (
        "task3_forces_check",
        predicted(who_moves="both"),
        "The saturating gradient is the slope of 2 JSD",
    ),
    "the saturating loss moves G": (
        "task3_forces_check",
        predicted(who_moves="saturating"),
        "Which of the two losses follows JSD",
    ),
    "nothing moves G where JSD is flat": (
        "task3_forces_check",
        predicted(who_moves="neither"),
        "but one of the losses follows KL(q || p) as well",
    ),
    "small gradient, small distance": (
        "task3_forces_check",
        predicted(tiny_gradient="a"),
        "a small gradient is not a small distance",
    ),
    "small gradient, large distance": (
        "task3_forces_check",
        predicted(tiny_gradient="b"),
        "How small is it at t = 0?",
    ),
    # --- task 4: one of the two faults stays in, or another comes in --------------------------------------------
    "judged on what it learned": (
        "task4_check",
        {
            "task4_estimate": """
def estimate(x, y, fit):
    x, y = x[torch.randperm(len(x))], y[torch.randperm(len(y))]
    x_half, y_half = x[: len(x) // 2], y[: len(y) // 2]
    D = fit(x_half, y_half)
    with torch.no_grad():
        return LOG2 - d_minimax(D(x_half), D(y_half)) / 2
"""
        },
        "judged on the very samples that it has learned from",
    ),
    "the split in order": (
        "task4_check",
        {
            "task4_estimate": """
def estimate(x, y, fit):
    D = fit(x[: len(x) // 2], y[: len(y) // 2])
    with torch.no_grad():
        return LOG2 - d_minimax(D(x[len(x) // 2 :]), D(y[len(y) // 2 :])) / 2
"""
        },
        "the split keeps the order in which samples arrive",
    ),
    "every other sample": (
        "task4_check",
        {
            "task4_estimate": """
def estimate(x, y, fit):
    D = fit(x[::2], y[::2])
    with torch.no_grad():
        return LOG2 - d_minimax(D(x[1::2]), D(y[1::2])) / 2
"""
        },
        "fails where two kinds arrive in turn",
    ),
    "judged on all samples": (
        "task4_check",
        {
            "task4_estimate": """
def estimate(x, y, fit):
    x, y = x[torch.randperm(len(x))], y[torch.randperm(len(y))]
    D = fit(x[: len(x) // 2], y[: len(y) // 2])
    with torch.no_grad():
        return LOG2 - d_minimax(D(x), D(y)) / 2
"""
        },
        "D is judged on all samples",
    ),
    "two different shuffles": (  # of the samples to learn from and of those to judge by: they overlap
        "task4_check",
        {
            "task4_estimate": """
def estimate(x, y, fit):
    D = fit(x[torch.randperm(len(x))][: len(x) // 2], y[torch.randperm(len(y))][: len(y) // 2])
    with torch.no_grad():
        fresh_x, fresh_y = x[torch.randperm(len(x))][len(x) // 2 :], y[torch.randperm(len(y))][len(y) // 2 :]
        return LOG2 - d_minimax(D(fresh_x), D(fresh_y)) / 2
"""
        },
        "one random order and cut it in two",
    ),
    "x's half for both": (
        "task4_check",
        {
            "task4_estimate": """
def estimate(x, y, fit):
    half = len(x) // 2
    x, y = x[torch.randperm(len(x))], y[torch.randperm(len(y))]
    D = fit(x[:half], y[:half])
    with torch.no_grad():
        return LOG2 - d_minimax(D(x[half:]), D(y[half:])) / 2
"""
        },
        "samples; about half is wanted",
    ),
    "fakes first": (
        "task4_check",
        {
            "task4_estimate": """
def estimate(x, y, fit):
    x, y = x[torch.randperm(len(x))], y[torch.randperm(len(y))]
    D = fit(y[: len(y) // 2], x[: len(x) // 2])
    with torch.no_grad():
        return LOG2 - d_minimax(D(x[len(x) // 2 :]), D(y[len(y) // 2 :])) / 2
"""
        },
        "fit gets fakes where it takes real samples",
    ),
    "the best of three": (
        "task4_check",
        {
            "task4_estimate": """
def estimate(x, y, fit):
    x, y = x[torch.randperm(len(x))], y[torch.randperm(len(y))]
    found = []
    for _ in range(3):
        D = fit(x[: len(x) // 2], y[: len(y) // 2])
        with torch.no_grad():
            found.append(LOG2 - d_minimax(D(x[len(x) // 2 :]), D(y[len(y) // 2 :])) / 2)
    return max(found)
"""
        },
        "fit is called a second time",
    ),
    "fit under no_grad": (
        "task4_check",
        {
            "task4_estimate": """
@torch.no_grad()
def estimate(x, y, fit):
    x, y = x[torch.randperm(len(x))], y[torch.randperm(len(y))]
    D = fit(x[: len(x) // 2], y[: len(y) // 2])
    return LOG2 - d_minimax(D(x[len(x) // 2 :]), D(y[len(y) // 2 :])) / 2
"""
        },
        "fit is called under torch.no_grad(), so D cannot learn",
    ),
    "one order for both kinds": (
        "task4_check",
        {
            "task4_estimate": """
def estimate(x, y, fit):
    order, half = torch.randperm(len(x)), len(x) // 2
    x, y = x[order], y[order]
    D = fit(x[:half], y[:half])
    with torch.no_grad():
        return LOG2 - d_minimax(D(x[half:]), D(y[half:])) / 2
"""
        },
        "Each kind needs an order of its own",
    ),
    "twice the JSD after a good split": (
        "task4_check",
        {
            "task4_estimate": """
def estimate(x, y, fit):
    x, y = x[torch.randperm(len(x))], y[torch.randperm(len(y))]
    D = fit(x[: len(x) // 2], y[: len(y) // 2])
    with torch.no_grad():
        return 2 * LOG2 - d_minimax(D(x[len(x) // 2 :]), D(y[len(y) // 2 :]))
"""
        },
        "The split is right, but this is twice the JSD.",
    ),
    # --- task 5 -----------------------------------------------------------------------------------------------
    "D moves with G": (
        "task5_check",
        {
            "task5_gradients": """
def gradients_in_t(G, z):
    x = G(z)
    logit = log_normal(x, 0.0, 1.0) - log_normal(x, G.t, G.s)
    saturating, nonsaturating = F.logsigmoid(-logit).mean(), -F.logsigmoid(logit).mean()
    first = torch.autograd.grad(saturating, G.t, retain_graph=True)[0]
    return first, torch.autograd.grad(nonsaturating, G.t)[0]
"""
        },
        "D moves with G: your gradient also flows through q's own t",
    ),
    "swapped order": (
        "task5_check",
        {
            "task5_gradients": """
def gradients_in_t(G, z):
    x = G(z)
    logit = log_normal(x, 0.0, 1.0) - log_normal(x, G.t.detach(), G.s.detach())
    saturating, nonsaturating = F.logsigmoid(-logit).mean(), -F.logsigmoid(logit).mean()
    first = torch.autograd.grad(saturating, G.t, retain_graph=True)[0]
    return torch.autograd.grad(nonsaturating, G.t)[0], first
"""
        },
        "The two have changed places",
    ),
    "a sum over the latents": (
        "task5_check",
        {
            "task5_gradients": """
def gradients_in_t(G, z):
    x = G(z)
    logit = log_normal(x, 0.0, 1.0) - log_normal(x, G.t.detach(), G.s.detach())
    saturating, nonsaturating = F.logsigmoid(-logit).sum(), -F.logsigmoid(logit).sum()
    first = torch.autograd.grad(saturating, G.t, retain_graph=True)[0]
    return first, torch.autograd.grad(nonsaturating, G.t)[0]
"""
        },
        "You add up over the latents",
    ),
    "gradients added up": (
        "task5_check",
        {
            "task5_gradients": """
def gradients_in_t(G, z):
    found = []
    for sign in (-1, 1):
        x = G(z)
        logit = log_normal(x, 0.0, 1.0) - log_normal(x, G.t.detach(), G.s.detach())
        (sign * F.softplus(-sign * logit)).mean().backward()
        found.append(G.t.grad.item())
    return found
"""
        },
        "added up in .grad",
    ),
    "the graph is freed": (
        "task5_check",
        {
            "task5_gradients": """
def gradients_in_t(G, z):
    x = G(z)
    logit = log_normal(x, 0.0, 1.0) - log_normal(x, G.t.detach(), G.s.detach())
    saturating, nonsaturating = F.logsigmoid(-logit).mean(), -F.logsigmoid(logit).mean()
    first = torch.autograd.grad(saturating, G.t)[0]
    return first, torch.autograd.grad(nonsaturating, G.t)[0]
"""
        },
        "both losses share a graph",
    ),
    "logarithm of a probability": (
        "task5_check",
        {
            "task5_gradients": """
def gradients_in_t(G, z):
    x = G(z)
    D = torch.sigmoid(log_normal(x, 0.0, 1.0) - log_normal(x, G.t.detach(), G.s.detach()))
    first = torch.autograd.grad(torch.log(1 - D).mean(), G.t, retain_graph=True)[0]
    return first, torch.autograd.grad(-torch.log(D).mean(), G.t)[0]
"""
        },
        "non-saturating gradient at t = 40",
    ),
    "one tensor, cleared in place": (
        "task5_check",
        {
            "task5_gradients": """
def gradients_in_t(G, z):
    found = []
    G.t.grad = torch.zeros(())
    for sign in (-1, 1):
        x = G(z)
        logit = log_normal(x, 0.0, 1.0) - log_normal(x, G.t.detach(), G.s.detach())
        G.t.grad.zero_()
        (sign * F.softplus(sign * -logit)).mean().backward()
        found.append(G.t.grad)
    return found
"""
        },
        "both entries are one and the same tensor",
    ),
    "p and q swapped in the logit": (
        "task5_check",
        {
            "task5_gradients": """
def gradients_in_t(G, z):
    x = G(z)
    logit = log_normal(x, G.t.detach(), G.s.detach()) - log_normal(x, 0.0, 1.0)
    saturating, nonsaturating = F.logsigmoid(-logit).mean(), -F.logsigmoid(logit).mean()
    first = torch.autograd.grad(saturating, G.t, retain_graph=True)[0]
    return first, torch.autograd.grad(nonsaturating, G.t)[0]
"""
        },
        "p and q are swapped in the logit",
    ),
    "the fakes cut off": (
        "task5_check",
        {
            "task5_gradients": """
def gradients_in_t(G, z):
    x = G(z).detach()
    logit = log_normal(x, 0.0, 1.0) - log_normal(x, G.t, G.s)
    saturating, nonsaturating = F.logsigmoid(-logit).mean(), -F.logsigmoid(logit).mean()
    first = torch.autograd.grad(saturating, G.t, retain_graph=True)[0]
    return first, torch.autograd.grad(nonsaturating, G.t)[0]
"""
        },
        "the gradient flows through q's own t alone",
    ),
    "both ways cut": (
        "task5_check",
        {
            "task5_gradients": """
def gradients_in_t(G, z):
    x = G(z).detach()
    logit = log_normal(x, 0.0, 1.0) - log_normal(x, G.t.detach(), G.s.detach())
    saturating, nonsaturating = F.logsigmoid(-logit).mean(), -F.logsigmoid(logit).mean()
    first = torch.autograd.grad(saturating, G.t, retain_graph=True)[0]
    return first, torch.autograd.grad(nonsaturating, G.t)[0]
"""
        },
        "every way from the loss to G.t is cut",
    ),
    "the std is 1": (
        "task5_check",
        {
            "task5_gradients": """
def gradients_in_t(G, z):
    x = G(z)
    logit = log_normal(x, 0.0, 1.0) - log_normal(x, G.t.detach(), 1.0)
    saturating, nonsaturating = F.logsigmoid(-logit).mean(), -F.logsigmoid(logit).mean()
    first = torch.autograd.grad(saturating, G.t, retain_graph=True)[0]
    return first, torch.autograd.grad(nonsaturating, G.t)[0]
"""
        },
        "Your q has the std 1",
    ),
    "losses for gradients": (
        "task5_check",
        {
            "task5_gradients": """
def gradients_in_t(G, z):
    x = G(z)
    logit = log_normal(x, 0.0, 1.0) - log_normal(x, G.t.detach(), G.s.detach())
    return F.logsigmoid(-logit).mean(), -F.logsigmoid(logit).mean()
"""
        },
        "That is the loss itself",
    ),
    "an epsilon under the logarithm, again": (
        "task5_check",
        {
            "task5_gradients": """
def gradients_in_t(G, z):
    x = G(z)
    logit = log_normal(x, 0.0, 1.0) - log_normal(x, G.t.detach(), G.s.detach())
    D = torch.sigmoid(logit)
    saturating, nonsaturating = torch.log(1 - D + 1e-8).mean(), -torch.log(D + 1e-8).mean()
    first = torch.autograd.grad(saturating, G.t, retain_graph=True)[0]
    return first, torch.autograd.grad(nonsaturating, G.t)[0]
"""
        },
        "takes the gradient away where D is sure",
    ),
    "the step for the gradient": (
        "task5_check",
        {
            "task5_gradients": """
def gradients_in_t(G, z):
    x = G(z)
    logit = log_normal(x, 0.0, 1.0) - log_normal(x, G.t.detach(), G.s.detach())
    first = torch.autograd.grad(-F.logsigmoid(-logit).mean(), G.t, retain_graph=True)[0]
    return first, torch.autograd.grad(F.logsigmoid(logit).mean(), G.t)[0]
"""
        },
        "wanted is the gradient, not the step against it",
    ),
}

RIGHT = {
    "by the probability of both": {
        "task1_best_logit": """
def best_logit(log_p, log_q, k=1.0):
    log_kq = log_q + torch.log(torch.tensor(k))
    both = torch.logaddexp(log_p, log_kq)
    log_D, log_not_D = log_p - both, log_kq - both
    return log_D - log_not_D
"""
    },
    "cross-entropies": {
        "task2_js_estimate": """
def js_estimate(a, b, k):
    bce, share = nn.BCEWithLogitsLoss(), 1 / (1 + k)
    entropy = -share * math.log(share) - (1 - share) * math.log(1 - share)
    return entropy - share * bce(a, torch.ones_like(a)) - (1 - share) * bce(b, torch.zeros_like(b))
"""
    },
    "log sigmoid": {
        "task2_js_estimate": """
def js_estimate(real_logits, fake_logits, k):
    kl_p = F.logsigmoid(real_logits).mean() + math.log(1 + k)  # KL(p || m), with p / m = (1 + k) D
    kl_q = F.logsigmoid(-fake_logits).mean() + math.log((1 + k) / k)
    return (kl_p + k * kl_q) / (1 + k)
"""
    },
    "log 4, and capitals": {
        "task3_predictions": """
def predictions():
    return dict(
        loss_if_equal=math.log(4), loss_if_disjoint=0, js_far=0.69, w1_far=20, weak_D=" Below ",
        who_moves="Nonsaturating", tiny_gradient="C"
    )
"""
    },
    "the spelling without a hyphen": {
        "task3_predictions": predicted(who_moves="nonsaturating")["task3_predictions"],
    },
    "a random mask": {
        "task4_estimate": """
def estimate(x, y, fit):
    def split(samples):
        order = torch.argsort(torch.rand(len(samples)))
        learn = torch.zeros(len(samples), dtype=torch.bool)
        learn[order[: (len(samples) + 1) // 2]] = True
        return samples[learn], samples[~learn]
    (x_a, x_b), (y_a, y_b) = split(x), split(y)
    D = fit(x_a, y_a)
    return (LOG2 - (F.softplus(-D(x_b)).mean() + F.softplus(D(y_b)).mean()) / 2).item()
"""
    },
    "backward, with a clean grad": {
        "task5_gradients": """
def gradients_in_t(G, z):
    t, s = G.t.item(), G.s.item()
    found = []
    for loss in (lambda logit: F.logsigmoid(-logit), lambda logit: -F.logsigmoid(logit)):
        G.zero_grad()
        x = G(z)
        loss(log_normal(x, 0.0, 1.0) - log_normal(x, t, s)).mean().backward()
        found.append(G.t.grad.clone())
    return found
"""
    },
    "backward, cleared in place, numbers taken": {
        "task5_gradients": """
def gradients_in_t(G, z):
    found = []
    for which in (0, 1):
        x = G(z)
        logit = log_normal(x, 0.0, 1.0) - log_normal(x, G.t.detach(), G.s.detach())
        (F.softplus(-logit) if which else -F.softplus(logit)).mean().backward()
        found.append(G.t.grad.item())
        G.t.grad.zero_()
    return found
"""
    },
    "the chain rule by hand": {
        "task5_gradients": """
@torch.no_grad()
def gradients_in_t(G, z):
    x = G(z)
    logit = log_normal(x, 0.0, 1.0) - log_normal(x, G.t, G.s)
    slope = -x + (x - G.t) / G.s**2
    return -(torch.sigmoid(logit) * slope).mean(), -(torch.sigmoid(-logit) * slope).mean()
"""
    },
}
