"""Answers to exercise 06 that people give: wrong ones, each a misconception, and right ones written otherwise.

WRONG: name -> (the check that must reject it, {cell: code}, a part of the message it is rejected with).
RIGHT: name -> {cell: code}.
"""


def generator(doubling="nn.ConvTranspose2d(n_in, n_out, 4, 2, 1, bias=False)", before="nn.BatchNorm2d(n_in), nn.ReLU()",
              first="nn.Linear(z_dim, 2048, bias=False)", last="nn.Tanh()", end=".apply(init_weights)"):  # fmt: skip
    """Task 1's solution with a part of it replaced."""
    return {
        "task1_generator": f"""
def make_generator(z_dim=64):
    layers = [{first}, nn.Unflatten(1, (128, 4, 4))]
    for n_in, n_out in ((128, 64), (64, 32), (32, 3)):
        layers += [{before}, {doubling}]
    return nn.Sequential(*layers, {last}){end}
"""
    }


def norm(body):
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return {"task2_batch_norm": f"def batch_norm(h, eps=1e-5):\n{lines}\n"}


def predictions(**changed):
    answers = {"conv": 98304, "transposed": 131072, "straight": 7.07, "spherical": 10, "moves": "c", "ablation": "b"}
    return {"task3_predictions": f"def predictions():\n    return {answers | changed}\n"}


def sampler(body):
    lines = "\n".join(f"    {line}" for line in body.strip().splitlines())
    return {"task4_sample_images": f"def sample_images(G, z, batch_size=8):\n{lines}\n"}


def thick(
    total,
    groups="own = digit == source",
    order="by_ink = z[own][ink[own].argsort()]",
    k="len(by_ink) // 5",
    end="return to_shell(total)",
):
    """Task 5's solution with a part of it replaced."""
    return {
        "task5_thick_version": f"""
def to_shell(v):
    return v * math.sqrt(len(v)) / v.norm()

def thick_version(z, digit, ink, source, target):
    {groups}
    {order}
    fifth = {k}
    mean, thick, thin = z[digit == target].mean(0), by_ink[-fifth:].mean(0), by_ink[:fifth].mean(0)
    centre = to_shell(mean)
    total = {total}
    {end}
"""
    }


WRONG = {
    # --- task 1: a rule broken -----------------------------------------------------------------------------------
    "up-sampling and a convolution": (
        "task1_check",
        generator(doubling="nn.Upsample(scale_factor=2), nn.Conv2d(n_in, n_out, 3, padding=1, bias=False)"),
        "wants three: each doubling is learned",
    ),
    "a hidden dense layer": (
        "task1_check",
        generator(first="nn.Linear(z_dim, 256), nn.BatchNorm1d(256), nn.ReLU(), nn.Linear(256, 2048)"),
        "no hidden dense layer (rule 3)",
    ),
    "LeakyReLU in G": (
        "task1_check",
        generator(before="nn.BatchNorm2d(n_in), nn.LeakyReLU(0.2)"),
        "negative numbers arrive at a transposed convolution",
    ),
    "no batch norm": ("task1_check", generator(before="nn.ReLU()"), "it is about 0.5. Rule 2"),
    "batch norm's eps for its momentum": (
        "task1_check",
        generator(before="nn.BatchNorm2d(n_in, 0.8), nn.ReLU()"),
        "Its second argument is eps",
    ),
    "batch norm at the output": (
        "task1_check",
        generator(last="nn.BatchNorm2d(3), nn.Tanh()"),
        "no batch norm at the output",
    ),
    "sigmoid for tanh": ("task1_check", generator(last="nn.Sigmoid()"), "a sigmoid is not a tanh"),
    "no tanh": ("task1_check", generator(last="nn.Identity()"), "Rule 5: tanh comes last"),
    "PyTorch's initial weights": ("task1_check", generator(end=""), "apply init_weights to the whole net"),
    "kernel 3": (
        "task1_check",
        generator(doubling="nn.ConvTranspose2d(n_in, n_out, 3, 2, 1, bias=False)"),
        "Kernel 4, stride 2, padding 1 doubles a side",
    ),
    "z_dim fixed": (  # only a hidden test sees this one
        "task1_check",
        generator(first="nn.Linear(64, 2048)"),
        "latents of 100 numbers do not go through",
    ),
    "the first step not cut into a picture": (
        "task1_check",
        {
            "task1_generator": """
def make_generator(z_dim=64):
    return nn.Sequential(nn.Linear(z_dim, 2048), nn.BatchNorm2d(128), nn.ReLU(), nn.Tanh()).apply(init_weights)
"""
        },
        "latents of 64 numbers do not go through",
    ),
    # --- task 2 -----------------------------------------------------------------------------------------------
    "each position on its own": (
        "task2_check",
        norm("return (h - h.mean(0)) / (h.var(0, correction=0) + eps).sqrt()"),
        "one mean, over all positions as well",
    ),
    "instance norm": (
        "task2_check",
        norm("""
mean, variance = h.mean((2, 3), keepdim=True), h.var((2, 3), correction=0, keepdim=True)
return (h - mean) / (variance + eps).sqrt()
"""),
        "instance norm",
    ),
    "one mean for all channels": (
        "task2_check",
        norm("return (h - h.mean()) / (h.var(correction=0) + eps).sqrt()"),
        "Each channel has its own",
    ),
    "divides by n - 1": (
        "task2_check",
        norm("""
mean, variance = h.mean((0, 2, 3), keepdim=True), h.var((0, 2, 3), keepdim=True)
return (h - mean) / (variance + eps).sqrt()
"""),
        "divides by n - 1 here",
    ),
    "divides by the variance": (
        "task2_check",
        norm("""
mean, variance = h.mean((0, 2, 3), keepdim=True), h.var((0, 2, 3), correction=0, keepdim=True)
return (h - mean) / (variance + eps)
"""),
        "take its root",
    ),
    "keepdim forgotten": (
        "task2_check",
        norm("return (h - h.mean((0, 2, 3))) / (h.var((0, 2, 3), correction=0) + eps).sqrt()"),
        "laid along the width",
    ),
    "over the channels": (
        "task2_check",
        norm("return (h - h.mean(1, keepdim=True)) / (h.var(1, correction=0, keepdim=True) + eps).sqrt()"),
        "This normalises each position over its channels",
    ),
    "each image over its channels, n - 1": (
        "task2_check",
        norm("return (h - h.mean((1, 2, 3), keepdim=True)) / (h.var((1, 2, 3), keepdim=True) + eps).sqrt()"),
        "(layer norm)",
    ),
    "PyTorch's std, eps outside": (
        "task2_check",
        norm("return (h - h.mean((0, 2, 3), keepdim=True)) / (h.std((0, 2, 3), keepdim=True) + eps)"),
        "not under the root; and the variance divides by n - 1",
    ),
    "mean square for variance": (
        "task2_check",
        norm("return (h - h.mean((0, 2, 3), keepdim=True)) / (h.square().mean((0, 2, 3), keepdim=True) + eps).sqrt()"),
        "The mean square is no variance",
    ),
    "eps outside the root": (
        "task2_check",
        norm("""
mean, std = h.mean((0, 2, 3), keepdim=True), h.std((0, 2, 3), correction=0, keepdim=True)
return (h - mean) / (std + eps)
"""),
        "it belongs to the variance",
    ),
    "eps left out": (
        "task2_check",
        norm("""
mean, std = h.mean((0, 2, 3), keepdim=True), h.std((0, 2, 3), correction=0, keepdim=True)
return (h - mean) / std
"""),
        "eps has no effect",
    ),
    # --- task 3 -----------------------------------------------------------------------------------------------
    "a kernel at every input pixel": ("task3_check", predictions(conv=393_216), "count the output's positions"),
    "weights for multiply-adds": ("task3_check", predictions(conv=384), "That is the number of weights"),
    "a transposed kernel at every output pixel": (
        "task3_check",
        predictions(transposed=524_288),
        "once per position of its input",
    ),
    "the sum for the middle": ("task3_check", predictions(straight=14.14), "The middle is half of it"),
    "the straight way keeps the length": ("task3_check", predictions(straight=10), "cuts the corner"),
    "half of each is half the length": ("task3_check", predictions(straight=5), "add their squares"),
    "the spherical way is the straight one": ("task3_check", predictions(spherical=7.07), "turns and keeps the length"),
    "batch norm needs an optimiser": ("task3_check", predictions(moves="a"), "no optimiser is needed"),
    "detach stops batch norm": ("task3_check", predictions(moves="b"), "detach stops gradients, not"),
    "all that moves": ("task3_check", predictions(moves="d"), "makes no step in D's turn"),
    "one number for everything": ("task3_check", predictions(ablation="c"), "lesson 04 shows two things"),
    "two at once, and both are named": (
        "task3_check",
        predictions(transposed=2_048, straight=7.5),
        "not right yet: transposed, straight.",
    ),
    "no effect, so superfluous": ("task3_check", predictions(ablation="a"), "One short run on one kind of picture"),
    # --- task 4 -----------------------------------------------------------------------------------------------
    "training mode, one batch": (
        "task4_check",
        sampler("with torch.no_grad():\n    return G(z)"),
        "those of training mode",
    ),
    "training mode, small batches": (
        "task4_check",
        sampler("with torch.no_grad():\n    return torch.cat([G(part) for part in z.split(batch_size)])"),
        "looking has moved its running statistics",
    ),
    "G frozen": (
        "task4_check",
        sampler("""
was = G.training
G.eval().requires_grad_(False)
x_fake = torch.cat([G(part) for part in z.split(batch_size)])
G.train(was)
return x_fake
"""),
        "G is frozen now",
    ),
    "left in eval mode": (
        "task4_check",
        sampler("G.eval()\nwith torch.no_grad():\n    return torch.cat([G(part) for part in z.split(batch_size)])"),
        "give it back as it was",
    ),
    "a graph back to G": (
        "task4_check",
        sampler("""
was = G.training
G.eval()
x_fake = torch.cat([G(part) for part in z.split(batch_size)])
G.train(was)
return x_fake
"""),
        "carry a graph back to G",
    ),
    "the last batch dropped": (  # only a hidden test sees this one
        "task4_check",
        sampler("""
was = G.training
G.eval()
with torch.no_grad():
    parts = [G(z[i * batch_size : (i + 1) * batch_size]) for i in range(len(z) // batch_size)]
G.train(was)
return torch.cat(parts)
"""),
        "the last batch may be smaller",
    ),
    # --- task 5 -----------------------------------------------------------------------------------------------
    "not brought to the shell": (
        "task5_check",
        thick("centre + thick - thin", end="return total"),
        "has not been brought to the length √d at the end",
    ),
    "length 1": (
        "task5_check",
        thick("centre + thick - thin", end="return total / total.norm()"),
        "Its length is 1",
    ),
    "√d without the norm": (
        "task5_check",
        thick("centre + thick - thin", end="return total * math.sqrt(len(total))"),
        "divide by the sum's own length before",
    ),
    "the plain sum": ("task5_check", thick("mean + thick - thin"), "the lesson's second row"),
    "every mean on the shell": (
        "task5_check",
        thick("centre + to_shell(thick) - to_shell(thin)"),
        "only the target's is to be",
    ),
    "places among the source's": (
        "task5_check",
        thick("centre + thick - thin", order="by_ink = z[ink[own].argsort()]"),
        "you look them up among all",
    ),
    "halves": (
        "task5_check",
        thick("centre + thick - thin", k="len(by_ink) // 2"),
        "a fifth each was asked for",
    ),
    "five pictures": ("task5_check", thick("centre + thick - thin", k="5"), "Five pictures are no fifth"),
    "groups exchanged": (
        "task5_check",
        thick("to_shell(z[digit == source].mean(0)) + thick - thin", groups="own = digit == target"),
        "The roles of source and target",
    ),
    "thin for thick": ("task5_check", thick("centre - thick + thin"), "the wrong way round"),
    "thickness over all digits": (
        "task5_check",
        thick("centre + thick - thin", groups="own = digit >= 0"),
        "come from all digits",
    ),
    "one picture for many": (
        "task5_check",
        thick("centre + by_ink[-1] - by_ink[0]"),
        "the thickest single picture",
    ),
    "begins at the source": ("task5_check", thick("to_shell(z[own].mean(0)) + thick - thin"), "begin at the target's"),
    "nothing taken away": ("task5_check", thick("centre + thick"), "The thin ones have not been taken away"),
}

RIGHT = {
    "latents as pictures of one pixel": {  # as the paper's own code does it: a transposed convolution from 1x1
        "task1_generator": """
class Net(nn.Module):
    def __init__(self, z_dim):
        super().__init__()
        self.start = nn.ConvTranspose2d(z_dim, 128, 4, 1, 0, bias=False)
        sizes = (128, 64, 32, 3)
        self.norms = nn.ModuleList(nn.BatchNorm2d(n) for n in sizes[:3])
        self.ups = nn.ModuleList(nn.ConvTranspose2d(a, b, 4, 2, 1) for a, b in zip(sizes, sizes[1:]))
        for module in self.modules():
            init_weights(module)

    def forward(self, z):
        h = self.start(z[:, :, None, None])
        for norm, up in zip(self.norms, self.ups):
            h = up(torch.relu(norm(h)))
        return torch.tanh(h)

def make_generator(z_dim=64):
    return Net(z_dim)
""",
        "task2_batch_norm": """
def batch_norm(h, eps=1e-5):
    return nn.functional.batch_norm(h, None, None, training=True, eps=eps)
""",
        **predictions(straight=50**0.5, moves="C ", spherical=10.0),
        "task4_sample_images": """
def sample_images(G, z, batch_size=8):
    G = copy.deepcopy(G).eval()
    with torch.inference_mode():
        return torch.cat([G(z[i : i + batch_size]) for i in range(0, len(z), batch_size)])
""",
        "task5_thick_version": """
def thick_version(z, digit, ink, source, target):
    own = [i for i in range(len(z)) if digit[i] == source]
    own.sort(key=lambda i: float(ink[i]))
    k = len(own) // 5
    c = z[digit == target].sum(0)  # the sum points where the mean does
    v = c / c.norm() * len(c) ** 0.5 + (z[own[len(own) - k:]] - z[own[:k]]).mean(0)
    return v / v.norm() * len(v) ** 0.5
""",
    },
    "linear layer with a bias, modes restored by hand": {
        **generator(first="nn.Linear(z_dim, 2048)", before="nn.BatchNorm2d(n_in), nn.ReLU(True)"),
        "task2_batch_norm": """
def batch_norm(h, eps=1e-5):
    flat = h.transpose(0, 1).flatten(1)
    mean, square = flat.mean(1), (flat ** 2).mean(1)
    std = torch.sqrt(square - mean ** 2 + eps)
    return (h - mean[None, :, None, None]) / std[None, :, None, None]
""",
        "task4_sample_images": """
@torch.no_grad()
def sample_images(generator, latents, size=8):
    before = {m: m.training for m in generator.modules()}
    try:
        return generator.eval()(latents)
    finally:
        for module, mode in before.items():
            module.training = mode
""",
        "task5_thick_version": """
def thick_version(z, digit, ink, source, target):
    of_source = z[digit == source]
    amount = ink[digit == source]
    k = len(of_source) // 5
    thick = of_source[amount.topk(k).indices].mean(dim=0)
    thin = of_source[amount.topk(k, largest=False).indices].mean(dim=0)
    length, normalize = z.shape[-1] ** 0.5, nn.functional.normalize
    centre = length * normalize(z[digit == target].mean(dim=0), dim=0)
    return length * normalize(centre + thick - thin, dim=0)
""",
    },
}
