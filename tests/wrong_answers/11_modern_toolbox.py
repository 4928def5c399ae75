"""Answers to exercise 11: misconceptions, each with the words that must tell the student, and right answers in other words.

Each name maps to (the check that must fail, the cells to replace, words that must be in its message and in no other's).
"""

PREDICTIONS = {
    "hinge_loss": 0.6,
    "hinge_slope": 0.0,
    "relativistic_slope": -0.5,
    "raised": "same",
    "r1": 25.0,
    "stretched": 2.0,
    "half_gone": 69,
    "who_sees_T": "all",
    "samples": "G",
    "by_heart": "b",
}
LOSSES, SLOPES, FEW = "task3_losses_check", "task3_slopes_check", "task3_few_check"


def iterated(loop, end, no_grad="with torch.no_grad():", matrix="weight.flatten(1)"):
    """Task 1: the lines of the loop's body, what is returned, and the matrix."""
    body = "".join(f"            {line}\n" for line in loop.strip().splitlines())
    return {
        "task1_power_iteration": f"""
def power_iteration(weight, u, steps):
    W = {matrix}
    {no_grad}
        for _ in range(steps):
{body}    return {end}
"""
    }


STEP = "v = F.normalize(W.T @ u, dim=0)\nu = F.normalize(W @ v, dim=0)"


def mirrored(body):
    """Task 2: the function's body."""
    lines = "".join(f"    {line}\n" for line in body.strip().splitlines())
    return {"task2_mirror": "def mirror(x):\n" + lines}


def predicted(**changed):
    return {"task3_predictions": f"def predictions():\n    return { ({**PREDICTIONS, **changed})!r}\n"}


def repaired(d_real="D(T(x))", d_fake="D(T(G(z).detach()))", g_loss="F.softplus(-D(T(G(z)))).mean()", before="pass"):
    return {
        "task4_repaired_losses": f"""
def repaired_losses(G, D, T, x, z):
    {before}
    real_logits, fake_logits = {d_real}, {d_fake}
    return F.softplus(-real_logits).mean() + F.softplus(fake_logits).mean(), {g_loss}
"""
    }


def stretched(
    forth="F.conv2d(x, layer.weight, **settings)", back="F.conv_transpose2d(y, layer.weight, **settings)", end="sigma"
):
    return {
        "task5_convolution_norm": f"""
def convolution_norm(layer, x, steps=200):
    settings = {{"stride": layer.stride, "padding": layer.padding}}
    with torch.no_grad():
        for _ in range(steps):
            y = {forth}
            y = y / y.norm()
            x = {back}
            sigma = x.norm().item()
            x = x / sigma
    return {end}
"""
    }


WRONG = {
    # --- task 1 -----------------------------------------------------------------------------------------------
    "σ squared": ("task1_check", iterated(STEP, "(W @ v).square().sum(), u"), "That is σ²: the length of Wv"),
    "the Frobenius norm": (
        "task1_check",
        iterated(STEP, "W.norm(), u"),
        "That is the Frobenius norm, or u·Wv with the u that you began with.",
    ),
    "v never brought to length 1": (
        "task1_check",
        iterated("v = W.T @ u\nu = F.normalize(W @ v, dim=0)", "u @ W @ v, u"),
        "v is not brought to length 1.",
    ),
    "no lengths at all": (
        "task1_check",
        iterated("v = W.T @ u\nu = W @ v", "u @ W @ v, u"),
        "Neither u nor v is brought to length 1.",
    ),
    "a symmetric matrix": (
        "task1_check",
        iterated(STEP, "v @ W[:, : len(v)] @ v if W.shape[0] == W.shape[1] else u @ W @ v, u"),
        "That is v·Wv",
    ),
    "the singular value itself": (
        "task1_check",
        {
            "task1_power_iteration": """
def power_iteration(weight, u, steps):
    U, S, _ = torch.linalg.svd(weight.flatten(1))
    return S[0], U[:, 0].detach()
"""
        },
        "That is σ itself. Wanted is its estimate after one step",
    ),
    "the start changed in place": (
        "task1_check",
        iterated("v = F.normalize(W.T @ u, dim=0)\nu.copy_(F.normalize(W @ v, dim=0))", "u @ W @ v, u"),
        "the u that it was given has changed",
    ),
    "all under no_grad": (
        "task1_check",
        {
            "task1_power_iteration": """
@torch.no_grad()
def power_iteration(weight, u, steps):
    W = weight.flatten(1)
    for _ in range(steps):
        v = F.normalize(W.T @ u, dim=0)
        u = F.normalize(W @ v, dim=0)
    return u @ W @ v, u
"""
        },
        "σ: no gradient flows from it to the weight",
    ),
    "u and v in the graph": (
        "task1_check",
        iterated(STEP, "u @ W @ v, u", no_grad="if True:"),
        "the last u: it carries a graph along.",
    ),
    "the slope through u and v": (
        "task1_check",
        iterated(STEP, "u @ W @ v, u.detach()", no_grad="if True:"),
        "Yours flows through u or v as well.",
    ),
    "a kernel is no matrix": (
        "task1_check",
        iterated(STEP, "u @ W @ v, u", matrix="weight"),
        "bring it to a matrix of 3 rows first",
    ),
    "a single step": (
        "task1_check",
        iterated(STEP.replace("v =", "if _ > 0: continue\nv =", 1), "u @ W @ v, u"),
        "That is the estimate after one step.",
    ),
    "a start of its own": (
        "task1_check",
        iterated("if _ == 0: u = torch.ones_like(u)\n" + STEP, "u @ W @ v, u"),
        "That is from u = (1, 1, 1).",
    ),
    "a start at random": (
        "task1_check",
        iterated("if _ == 0: u = torch.randn_like(u)\n" + STEP, "u @ W @ v, u"),
        "two calls differ.",
    ),
    "half a step too far": (
        "task1_check",
        iterated(STEP, "(W.T @ u).norm(), u"),
        "That is half a step too far",
    ),
    "v for u": ("task1_check", iterated(STEP, "u @ W @ v, v"), "That is the last v"),
    "u before σ": ("task1_check", iterated(STEP, "u, u @ W @ v"), "It comes first, then the last u."),
    "three things": ("task1_check", iterated(STEP, "u @ W @ v, u, v"), "got 3 things"),
    "lengths by absolute values": (
        "task1_check",
        iterated(STEP.replace("dim=0", "p=1, dim=0"), "u @ W @ v, u"),
        "A length is the root of the sum of squares.",
    ),
    "normalize along dimension 1": (
        "task1_check",
        iterated(STEP.replace(", dim=0", ""), "u @ W @ v, u"),
        "a vector wants dim=0",
    ),
    "filters mixed up": (
        "task1_check",
        iterated(STEP, "u @ W @ v, u", matrix="weight.reshape(-1, len(weight)).T"),
        "The filters are mixed up.",
    ),
    "the weight divided, too": (
        "task1_check",
        {
            "task1_power_iteration": """
def power_iteration(weight, u, steps):
    W = weight.flatten(1)
    with torch.no_grad():
        for _ in range(steps):
            v = F.normalize(W.T @ u, dim=0)
            u = F.normalize(W @ v, dim=0)
        weight /= u @ W @ v
    return u @ W @ v, u
"""
        },
        "the weight that it was given has changed",
    ),
    # --- task 2 -----------------------------------------------------------------------------------------------
    "upside down": (
        "task2_check",
        mirrored("return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(2), x)"),
        "an image comes out upside down",
    ),
    "both ways round": (
        "task2_check",
        mirrored("return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(2, 3), x)"),
        "an image comes out turned by 180 degrees",
    ),
    "colours reversed": (
        "task2_check",
        mirrored("return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(1), x)"),
        "an image comes out with its colours in reverse order",
    ),
    "one coin for the batch": (
        "task2_check",
        mirrored("return x.flip(3) if torch.rand(()) < 0.5 else x.clone()"),
        "one draw for the whole batch.",
    ),
    "always": ("task2_check", mirrored("return x.flip(3)"), "all of 400 images come out mirrored, wants about half"),
    "a coin for each pixel": (
        "task2_check",
        mirrored("return torch.where(torch.rand_like(x) < 0.5, x.flip(3), x)"),
        "single pixels of an image are mirrored",
    ),
    "a coin for each row": (
        "task2_check",
        mirrored("return torch.where(torch.rand(len(x), 1, x.shape[2], 1) < 0.5, x.flip(3), x)"),
        "each row of an image has a draw of its own",
    ),
    "a coin for each colour": (
        "task2_check",
        mirrored("return torch.where(torch.rand(len(x), x.shape[1], 1, 1) < 0.5, x.flip(3), x)"),
        "each colour of an image has a draw of its own",
    ),
    "a mask without its dimensions": (
        "task2_check",
        mirrored("return torch.where(torch.rand(len(x)) < 0.5, x.flip(3), x)"),
        "One draw for each image is a mask of the shape (N, 1, 1, 1).",
    ),
    "the batch turned round": (
        "task2_check",
        mirrored("return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(0), x)"),
        "images have changed places",
    ),
    "half mirrored, half not, in between": (
        "task2_check",
        mirrored("share = torch.rand(len(x), 1, 1, 1)\nreturn share * x + (1 - share) * x.flip(3)"),
        "neither itself nor its mirror image",
    ),
    "always half of the batch": (
        "task2_check",
        mirrored(
            "heads = torch.zeros(len(x), 1, 1, 1, dtype=torch.bool)\n"
            "heads[torch.randperm(len(x))[: len(x) // 2]] = True\n"
            "return torch.where(heads, x.flip(3), x)"
        ),
        "no more and no less",
    ),
    "through NumPy": (
        "task2_check",
        mirrored(
            "import numpy\nheads = (torch.rand(len(x), 1, 1, 1) < 0.5).numpy()\nx = x.numpy()\n"
            "return torch.from_numpy(numpy.where(heads, x[..., ::-1], x))"
        ),
        "it ends in an error where the images want a gradient",
    ),
    "around the gradient": (
        "task2_check",
        mirrored("y = torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)\nreturn x + (y - x).detach()"),
        "does not come back to the pixel that it belongs to",
    ),
    "other numbers": (
        "task2_check",
        mirrored("return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x).double()"),
        "which D's weights do not take",
    ),
    "one size of batch": (
        "task2_check",
        mirrored("return torch.where(torch.rand(400, 1, 1, 1) < 0.5, x.flip(3), x)"),
        "mirror of a batch of one image",
    ),
    "every other image": (
        "task2_check",
        mirrored("heads = torch.arange(len(x)) % 2 == 0\nreturn torch.where(heads[:, None, None, None], x.flip(3), x)"),
        "follows from their place in the batch",
    ),
    "a tenth": (
        "task2_check",
        mirrored("return torch.where(torch.rand(len(x), 1, 1, 1) < 0.1, x.flip(3), x)"),
        "% of 400 images come out mirrored",
    ),
    "clamped": (
        "task2_check",
        mirrored("return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x).clamp(-1, 1)"),
        "values outside [-1, 1] are cut off",
    ),
    "in place": (
        "task2_check",
        mirrored("heads = torch.rand(len(x)) < 0.5\nx[heads] = x[heads].flip(3)\nreturn x"),
        "the batch that came in has changed",
    ),
    "no gradient": (
        "task2_check",
        mirrored("return torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x).detach()"),
        "no gradient passes to the images",
    ),
    "its own seed": (
        "task2_check",
        mirrored("torch.manual_seed(0)\nreturn torch.where(torch.rand(len(x), 1, 1, 1) < 0.5, x.flip(3), x)"),
        "every call mirrors the same images",
    ),
    "NumPy's draws": (
        "task2_check",
        mirrored(
            "import numpy\nheads = torch.tensor(numpy.random.rand(len(x)) < 0.5)\n"
            "return torch.where(heads[:, None, None, None], x.flip(3), x)"
        ),
        "its draws do not come from torch",
    ),
    # --- task 3 -----------------------------------------------------------------------------------------------
    "beyond the margin earns": (LOSSES, predicted(hinge_loss=-1.4), "Each half is cut off at 0"),
    "signs swapped in the hinge": (LOSSES, predicted(hinge_loss=4.6), "The signs inside: max(0, 1 - D(x))"),
    "right side is enough": (LOSSES, predicted(hinge_loss=0.0), "on the right side but inside its margin"),
    "cross-entropy for hinge": (LOSSES, predicted(hinge_loss=0.5616), "That is the cross-entropy, which pays"),
    "cross-entropy's slope": (LOSSES, predicted(hinge_slope=-0.1545), "That is the slope of the cross-entropy"),
    "the loss for its slope": (LOSSES, predicted(relativistic_slope=-0.693), "log 2 is the loss."),
    "the hinge never ends": (LOSSES, predicted(hinge_slope=-1.0), "That is the slope inside the margin."),
    "G content with a high score": (LOSSES, predicted(relativistic_slope=0.0), "it is the difference that counts"),
    "the slope's sign": (
        LOSSES,
        predicted(relativistic_slope=0.5),
        "a larger output on the fake makes G's loss smaller",
    ),
    "D's level counts": (LOSSES, predicted(raised="down"), "Real and fake outputs go up together."),
    "R1 is a length": (SLOPES, predicted(r1=5.0), "That is the length of the gradient."),
    "R1 draws to 1": (SLOPES, predicted(r1=16.0), "WGAN-GP's penalty draws the length to 1"),
    "R1 with its weight": (SLOPES, predicted(r1=12.5), "That has the weight 1/2 in it."),
    "a constant has a slope": (SLOPES, predicted(r1=74.0), "7 is no slope"),
    "added, then squared": (SLOPES, predicted(r1=49.0), "That is (3 + 4)²."),
    "the lesson's d": (SLOPES, predicted(half_gone=138), "That is the time with the d of the lesson"),
    "layers add up": (SLOPES, predicted(stretched=6.0), "The layers' bounds are multiplied, not added"),
    "the bound without the distance": (SLOPES, predicted(stretched=1.0), "1 is the bound on the slope."),
    "LeakyReLU shrinks all": (SLOPES, predicted(stretched=0.08), "so 0.2² is no bound"),
    "1 % of the start a round": (SLOPES, predicted(half_gone=50), "1 % of what is *left* goes with each update"),
    "1 / (1 - d)": (SLOPES, predicted(half_gone=100), "After 100 updates 0.99^100 = 0.37 are left."),
    "augment the data": (FEW, predicted(who_sees_T="real"), "Then D learns that real images look augmented"),
    "T in D's turn alone": (
        FEW,
        predicted(who_sees_T="d_loss"),
        "G is judged on images of a kind that D has never seen",
    ),
    "samples through T": (FEW, predicted(samples="T"), "T stands before D's eyes alone."),
    "a good judge": (FEW, predicted(by_heart="a"), "would say the same of real images that it has not seen"),
    "collapse read off D": (FEW, predicted(by_heart="c"), "Of fakes you know only that D rejects them."),
    # --- task 4 -----------------------------------------------------------------------------------------------
    "only the real ones, still": (
        "task4_check",
        repaired(d_fake="D(G(z).detach())"),
        "Only the real samples are augmented in D's loss",
    ),
    "T thrown out": (
        "task4_check",
        repaired(d_real="D(x)", d_fake="D(G(z).detach())", g_loss="F.softplus(-D(G(z))).mean()"),
        "Nothing is augmented in D's loss any more",
    ),
    "G's turn without T": (
        "task4_check",
        repaired(g_loss="F.softplus(-D(G(z))).mean()"),
        "In G's turn D is shown plain fakes",
    ),
    "T twice": (
        "task4_check",
        repaired(d_real="D(T(T(x)))", d_fake="D(T(T(G(z).detach())))"),
        "T was given what has been through T already.",
    ),
    "missing detach": ("task4_check", repaired(d_fake="D(T(G(z)))"), "Detach the fakes in D's loss."),
    "T without a gradient": (
        "task4_check",
        repaired(g_loss="F.softplus(-D(T(G(z).detach()))).mean()"),
        "T does not stand under no_grad",
    ),
    "G learns to be caught": (
        "task4_check",
        repaired(g_loss="F.softplus(D(T(G(z)))).mean()"),
        "This G minimises what D wants",
    ),
    "saturating": ("task4_check", repaired(g_loss="-F.softplus(D(T(G(z)))).mean()"), "That is the saturating loss."),
    "one heap through T": (
        "task4_check",
        repaired("D(both[: len(x)])", "D(both[len(x) :])", before="both = T(torch.cat([x, G(z).detach()]))"),
        "in one heap batch norm would mix them",
    ),
    "only the fakes": ("task4_check", repaired(d_real="D(x)"), "Only the fakes are augmented in D's loss."),
    "T on what D says": (
        "task4_check",
        repaired("T(D(x))", "T(D(G(z).detach()))", "F.softplus(-T(D(G(z)))).mean()"),
        "T was given D's outputs.",
    ),
    "T on the latents": (
        "task4_check",
        repaired(d_fake="D(G(T(z)).detach())", g_loss="F.softplus(-D(G(T(z)))).mean()"),
        "T was given the latents.",
    ),
    "T on the loss": ("task4_check", repaired(g_loss="T(F.softplus(-D(G(z))).mean())"), "T was given a single number"),
    "latents of its own": (
        "task4_check",
        repaired(d_fake="D(T(G(torch.randn_like(z)).detach()))"),
        "T was given a batch that is neither x nor G(z)",
    ),
    "this T alone": ("task4_check", repaired(before="T = add_two"), "The T that it is given is never called."),
    "one draw for all": (
        "task4_check",
        repaired(
            "D(a)",
            "D(b)",
            before="state = torch.get_rng_state()\n    a = T(x)\n    torch.set_rng_state(state)\n"
            "    b = T(G(z).detach())",
        ),
        "two batches have got the same draw",
    ),
    "D's word on fakes detached": (
        "task4_check",
        repaired(d_fake="D(T(G(z))).detach()"),
        "Only the real half teaches D.",
    ),
    "around T": (
        "task4_check",
        repaired(g_loss="F.softplus(-D(x_fake + (T(x_fake) - x_fake).detach())).mean()", before="x_fake = G(z)"),
        "It goes around T.",
    ),
    "D frozen in G's turn, for good": (
        "task4_check",
        repaired(
            g_loss="(D.requires_grad_(False), F.softplus(-D(T(G(z)))).mean())[1]",
        ),
        "it has frozen weights",
    ),
    "G's loss first": (
        "task4_check",
        {
            "task4_repaired_losses": """
def repaired_losses(G, D, T, x, z):
    d_loss = F.softplus(-D(T(x))).mean() + F.softplus(D(T(G(z).detach()))).mean()
    return F.softplus(-D(T(G(z)))).mean(), d_loss
"""
        },
        "That is G's loss. D's comes first.",
    ),
    "summed": (
        "task4_check",
        {
            "task4_repaired_losses": """
def repaired_losses(G, D, T, x, z):
    d_loss = F.softplus(-D(T(x))).sum() + F.softplus(D(T(G(z).detach()))).sum()
    return d_loss, F.softplus(-D(T(G(z)))).sum()
"""
        },
        "It is summed over the batch",
    ),
    "halves averaged": (
        "task4_check",
        {
            "task4_repaired_losses": """
def repaired_losses(G, D, T, x, z):
    d_loss = (F.softplus(-D(T(x))).mean() + F.softplus(D(T(G(z).detach()))).mean()) / 2
    return d_loss, F.softplus(-D(T(G(z)))).mean()
"""
        },
        "the sum of the real and the fakes' half",
    ),
    # --- task 5 -----------------------------------------------------------------------------------------------
    "the kernel's matrix": (
        "task5_check",
        {
            "task5_convolution_norm": """
def convolution_norm(layer, x, steps=200):
    return torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2).item()
"""
        },
        "That is the norm of the kernel's matrix, of a single patch.",
    ),
    "the square": ("task5_check", stretched(end="sigma**2"), "the norm of A followed by its transpose"),
    "the bias left in": ("task5_check", stretched(forth="layer(x)"), "The bias is left in"),
    "the way back without its stride": (
        "task5_check",
        stretched(back="F.conv_transpose2d(y, layer.weight, padding=layer.padding)"),
        "Is the way back the transposed convolution",
    ),
    "the bound": (
        "task5_check",
        {
            "task5_convolution_norm": """
def convolution_norm(layer, x, steps=200):
    sigma = torch.linalg.matrix_norm(layer.weight.flatten(1), ord=2).item()
    return sigma * layer.kernel_size[0] / layer.stride[0]
"""
        },
        "That is the bound. Measure how far it really is.",
    ),
    "one step on images": (
        "task5_check",
        {"task5_convolution_norm": stretched()["task5_convolution_norm"].replace("range(steps)", "range(1)")},
        "That is after a single step.",
    ),
    "never brought to length 1": (
        "task5_check",
        {
            "task5_convolution_norm": """
def convolution_norm(layer, x, steps=200):
    settings = {"stride": layer.stride, "padding": layer.padding}
    with torch.no_grad():
        for _ in range(steps):
            x = F.conv_transpose2d(F.conv2d(x, layer.weight, **settings), layer.weight, **settings)
        return (F.conv2d(x, layer.weight, **settings).norm() / x.norm()).item()
"""
        },
        "Otherwise its numbers grow or shrink out of all range.",
    ),
    "the layer's bias taken away": (
        "task5_check",
        {
            "task5_convolution_norm": """
def convolution_norm(layer, x, steps=200):
    layer.bias = None
    with torch.no_grad():
        for _ in range(steps):
            y = layer(x)
            x = F.conv_transpose2d(y / y.norm(), layer.weight, stride=layer.stride, padding=layer.padding)
            sigma = x.norm().item()
            x = x / sigma
    return sigma
"""
        },
        "the layer's bias has changed",
    ),
    "the start changed": (
        "task5_check",
        {
            "task5_convolution_norm": """
def convolution_norm(layer, x, steps=200):
    settings = {"stride": layer.stride, "padding": layer.padding}
    with torch.no_grad():
        for _ in range(steps):
            y = F.conv2d(x, layer.weight, **settings)
            x.copy_(F.conv_transpose2d(y / y.norm(), layer.weight, **settings))
            sigma = x.norm().item()
            x /= sigma
    return sigma
"""
        },
        "the start x has changed.",
    ),
    "no way back": (
        "task5_check",
        {
            "task5_convolution_norm": """
def convolution_norm(layer, x, steps=200):
    y = F.conv2d(x, layer.weight, stride=layer.stride, padding=layer.padding)
    return (y.norm() / x.norm()).item()
"""
        },
        "That is how far the start is stretched.",
    ),
}

RIGHT = {
    "by resampling, by the matrix, T once for both turns": {
        **mirrored(
            "theta = torch.zeros(len(x), 2, 3)\ntheta[:, 0, 0] = 1 - 2.0 * (torch.rand(len(x)) < 0.5)\ntheta[:, 1, 1] = 1\n"
            "places = F.affine_grid(theta, list(x.shape), align_corners=False)\n"
            "return F.grid_sample(x, places, align_corners=False)"
        ),
        "task4_repaired_losses": """
def repaired_losses(G, D, T, x, z):
    seen = T(G(z))
    d_loss = -torch.log(torch.sigmoid(D(T(x)))).mean() - torch.log(1 - torch.sigmoid(D(seen.detach()))).mean()
    return d_loss, -torch.log(torch.sigmoid(D(seen))).mean()
""",
        "task5_convolution_norm": """
def convolution_norm(layer, x, steps=200):
    pixels = torch.eye(x.numel()).view(-1, *x.shape[1:])
    with torch.no_grad():
        rows = F.conv2d(pixels, layer.weight, None, layer.stride, layer.padding).flatten(1)
    return torch.linalg.matrix_norm(rows, ord=2)
""",
        "task1_power_iteration": """
def power_iteration(weight, u, steps):
    W, column = weight.detach().flatten(1), u[:, None]
    for _ in range(steps):
        row = F.normalize(column.T @ W, dim=1)
        column = F.normalize(W @ row.T, dim=0)
    return [(column.T @ weight.flatten(1) @ row.T).squeeze(), column.squeeze(1)]
""",
    },
    "other names, other order": {
        "task1_power_iteration": """
def power_iteration(weight, u, steps):
    with torch.no_grad():
        matrix, left = weight.detach().reshape(weight.shape[0], -1), u
        for _ in range(steps):
            right = matrix.T.mv(left)
            right = right / right.norm()
            left = matrix.mv(right)
            left = left / left.norm()
    return (torch.outer(left, right) * weight.reshape(len(left), -1)).sum(), left
""",
        **mirrored("sign = torch.randint(0, 2, (len(x), 1, 1, 1))\nreturn sign * x + (1 - sign) * x.flip(-1)"),
        **predicted(raised="Same ", samples="g", r1=25, half_gone=68.97),
    },
    "fakes shared": {
        "task4_repaired_losses": """
def repaired_losses(G, D, T, x, z):
    x_fake = G(z)
    on_real, on_fakes = D(T(x)), D(T(x_fake.detach()))
    d_loss = F.binary_cross_entropy_with_logits(on_real, torch.ones_like(on_real))
    d_loss = d_loss + F.binary_cross_entropy_with_logits(on_fakes, torch.zeros_like(on_fakes))
    return [d_loss, -F.logsigmoid(D(T(x_fake))).mean()]
""",
        **mirrored("return torch.stack([image.flip(2) if torch.rand(()) < 0.5 else image for image in x])"),
    },
    "the library's losses, and autograd for the transpose": {
        "task4_repaired_losses": """
from ganedu.losses import nonsaturating
def repaired_losses(G, D, T, x, z):
    with torch.no_grad():
        x_fake = G(z)
    return nonsaturating.d(D(T(x)), D(T(x_fake))), nonsaturating.g(D(T(G(z))))
""",
        "task5_convolution_norm": """
def convolution_norm(layer, x, steps=200):
    plain = copy.deepcopy(layer)
    plain.bias = None
    image = x / x.norm()
    for _ in range(steps):
        image = image.detach().requires_grad_()
        stretched = plain(image)
        (image,) = torch.autograd.grad(stretched, image, stretched.detach())
        image = image / image.norm()
    return plain(image).norm().item()
""",
        "task1_power_iteration": """
def power_iteration(weight, u, steps):
    W = weight.view(len(u), -1)
    for _ in range(steps):
        v = W.t() @ u.detach()
        v = (v / torch.sqrt((v * v).sum())).detach()
        u = W @ v
        u = (u / torch.sqrt((u * u).sum())).detach()
    return torch.dot(u, torch.mv(W, v)), u
""",
    },
}
