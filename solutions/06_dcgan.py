# %% [markdown]
# # Exercise 06: the deep convolutional GAN
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# In lesson 06 seven rules turn convolutions into a GAN, and a trained G answers to arithmetic. Here you build a generator
# by the rules, for larger pictures in colour, write batch norm yourself, repair a sampler that batch norm has broken, and
# carry a property from one digit to another.
#
# | task | what you do | points |
# |---|---|---|
# | 1 | complete a generator by the rules | 4 |
# | 2 | complete batch norm | 3 |
# | 3 | predict costs, lengths and what moves | 3 |
# | 4 | debug a sampler | 3 |
# | 5 | measure a direction in latent space and use it | 3 |
#
# Plan 60 minutes. You need lesson 06 and no GPU; every cell takes seconds.
#
# **How it works.** Write your code in place of the line that raises `NotImplementedError`. Then run the check below
# the task. A check that passes prints one line with a ✓; one that fails tells you what is wrong. Your instructor
# runs further checks with other inputs, so write code that holds in general. No task needs the answer to an earlier
# one: if you are stuck, go on.

# %%
# >>> setup: written by tools/notebooks.py from pyproject.toml
import importlib.util
import sys

if "google.colab" in sys.modules and importlib.util.find_spec("ganedu") is None:
    raise RuntimeError(
        "ganedu has no public address yet, so Colab cannot install it: "
        "run this notebook on your own machine with `make lab`"
    )
# <<< setup

# %% nbgrader={"grade": false, "grade_id": "imports", "locked": true, "schema_version": 3, "solution": false, "task": false}
import copy
import math

import numpy as np
import torch
from torch import nn

from ganedu.checks import CheckFailed, check_one_of, check_shape
from ganedu.data import digits
from ganedu.models.dcgan import DCGAN, init_weights
from ganedu.training import Trainer
from ganedu.views.figure import image_grid, show

# %% [markdown]
# ## Task 1. A generator by the rules
#
# The lesson's G makes 28 x 28 grey pictures. Build one for **32 x 32 pictures in three colours**, with these sizes:
#
# | | shape of the result |
# |---|---|
# | latents | (N, z_dim) |
# | one linear map, cut into a small picture | (N, 128, 4, 4) |
# | first doubling | (N, 64, 8, 8) |
# | second doubling | (N, 32, 16, 16) |
# | third doubling | (N, 3, 32, 32), in [-1, 1] |
#
# All rules of the lesson that concern G's layers hold: how a side is doubled, where batch norm stands and where it does
# not, no hidden dense layer, the activations, the last activation, the initial weights. `init_weights` of the lesson is
# imported: `net.apply(init_weights)` visits every layer.


# %% nbgrader={"grade": false, "grade_id": "task1_generator", "locked": false, "schema_version": 3, "solution": true, "task": false}
def make_generator(z_dim=64):
    """A module that maps latents (N, z_dim) to pictures (N, 3, 32, 32) in [-1, 1]."""
    ### BEGIN SOLUTION
    layers = [nn.Linear(z_dim, 128 * 4 * 4, bias=False), nn.Unflatten(1, (128, 4, 4))]
    for n_in, n_out in ((128, 64), (64, 32), (32, 3)):
        layers += [nn.BatchNorm2d(n_in), nn.ReLU(), nn.ConvTranspose2d(n_in, n_out, 4, 2, 1, bias=False)]
    return nn.Sequential(*layers, nn.Tanh()).apply(init_weights)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task1_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}
def check_generator(z_dim):
    """Look at what goes through the net, not at how it is written."""
    torch.manual_seed(0)
    G = make_generator(z_dim)
    if not isinstance(G, nn.Module):
        raise CheckFailed(f"make_generator: got {type(G).__name__} back, wants a module. Did you forget to return it?")
    z = torch.randn(256, z_dim)
    arriving = []  # what each doubling gets
    doublings = [m for m in G.modules() if isinstance(m, nn.ConvTranspose2d) and tuple(m.stride) == (2, 2)]
    for module in doublings:
        module.register_forward_pre_hook(lambda module, inputs: arriving.append(inputs[0].detach()))
    G.train()
    try:
        x_fake = G(z).detach()
    except (RuntimeError, ValueError) as error:
        raise CheckFailed(
            f"G: latents of {z_dim} numbers do not go through: {error}. Go through the table of sizes, layer by layer: what "
            "does each one get, and what does it give? The first one gets z_dim numbers, whatever z_dim is."
        ) from None
    check_shape("G(z)", x_fake, (256, 3, 32, 32), hint="Kernel 4, stride 2, padding 1 doubles a side.")
    if len(doublings) != 3:
        raise CheckFailed(
            f"G: {len(doublings)} transposed convolutions of stride 2, wants three: each doubling is learned (rule 1)."
        )
    dense = [m for m in G.modules() if isinstance(m, nn.Linear)]
    if len(dense) > 1:
        raise CheckFailed(f"G: {len(dense)} linear layers, wants one at most: no hidden dense layer (rule 3).")
    if any(getattr(m, "eps", 0) > 1e-3 for m in G.modules()):
        raise CheckFailed(
            "G: batch norm with a large eps normalises nothing. Its second argument is eps, not the momentum."
        )
    for h, (channels, side) in zip(arriving, ((128, 4), (64, 8), (32, 16))):
        check_shape("what a doubling gets", h, (256, channels, side, side), hint="Compare with the table of sizes.")
        if (h < 0).any():
            raise CheckFailed(
                "G: negative numbers arrive at a transposed convolution. The last step before it is ReLU (rule 4), and batch "
                "norm stands before the ReLU (rule 2)."
            )
        size = h.square().mean().item()  # of a normalised channel behind ReLU: 1/2
        if not 0.35 < size < 0.65:
            raise CheckFailed(
                f"G: the mean square of what arrives at a transposed convolution is {size:.3g}; behind batch norm and ReLU "
                "it is about 0.5. Rule 2: batch norm stands before every ReLU."
            )
    weights = [p for p in G.parameters() if p.ndim > 1]
    if not all(abs(p.std().item() / 0.02 - 1) < 0.15 for p in weights):
        raise CheckFailed("G: its weights do not come from N(0, 0.02^2). Rule 6: apply init_weights to the whole net.")
    with torch.no_grad():
        doublings[-1].weight.mul_(0.05)
        faint = G(z).abs().mean().item()
        doublings[-1].weight.mul_(2e5)
        loud = G(z)
    if loud.abs().max() > 1:
        raise CheckFailed("G: with large weights it leaves [-1, 1]. Rule 5: tanh comes last.")
    if loud.min() >= 0:
        raise CheckFailed("G: its pictures lie in [0, 1], the data in [-1, 1]: a sigmoid is not a tanh.")
    if faint > 0.1:
        raise CheckFailed(
            "G: with a faint last layer its pictures are not faint: no batch norm at the output (rule 2)."
        )


check_generator(64)
print("✓ Task 1: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_generator(100)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2. Batch norm
#
# Write what `nn.BatchNorm2d` does in training mode, before its learned scale and shift. For a batch $h$ of shape
# (N, C, H, W), every channel is normalised by its own mean $\mu$ and variance $\sigma^2$ over the batch and all positions:
#
# $$\hat{h} = \frac{h - \mu}{\sqrt{\sigma^2 + \epsilon}}$$
#
# The variance divides by the *number* of values, as the lesson's example by hand does.


# %% nbgrader={"grade": false, "grade_id": "task2_batch_norm", "locked": false, "schema_version": 3, "solution": true, "task": false}
def batch_norm(h, eps=1e-5):
    """(N, C, H, W) activations -> the same, each channel with mean 0 and variance 1. Without nn.BatchNorm2d."""
    ### BEGIN SOLUTION
    mean = h.mean((0, 2, 3), keepdim=True)
    variance = h.var((0, 2, 3), correction=0, keepdim=True)
    return (h - mean) / (variance + eps).sqrt()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task2_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
def check_batch_norm(h, eps):
    """Compare with the definition in float64, and know the usual mistakes."""
    given = h.double().numpy()

    def norm(axes, ddof=0):
        mean, variance = given.mean(axes, keepdims=True), given.var(axes, ddof=ddof, keepdims=True)
        return (given - mean) / np.sqrt(variance + eps)

    def many(axes):
        """Whether a mean over these axes goes over more than one value."""
        return math.prod(given.shape[axis] for axis in axes) > 1

    channel = (0, 2, 3)
    mean, variance = given.mean(channel, keepdims=True), given.var(channel, keepdims=True)
    want = norm(channel)
    other_axes = [
        ("This normalises each position on its own. A channel has one mean, over all positions as well.", (0,)),
        ("This normalises each position over its channels. Batch norm keeps channels apart.", (1,)),
        ("This normalises each image on its own (instance norm). Batch norm also averages over the batch.", (2, 3)),
        ("This takes one mean for all channels. Each channel has its own.", (0, 1, 2, 3)),
        ("This normalises each image over all its channels (layer norm). Batch norm keeps them apart.", (1, 2, 3)),
    ]
    std, of_all = np.sqrt(variance), np.sqrt(given.var(channel, ddof=1, keepdims=True))
    of_square = np.square(given).mean(channel, keepdims=True)
    mistakes = [
        ("The variance divides by n - 1 here; batch norm divides by n.", norm(channel, ddof=1)),
        ("The mean has not been taken away.", given / np.sqrt(variance + eps)),
        (
            "The mean square is no variance: take the mean away before you square.",
            (given - mean) / np.sqrt(of_square + eps),
        ),
        ("This divides by the variance; take its root.", (given - mean) / (variance + eps)),
        (
            "eps is added to the standard deviation here; it belongs to the variance, under the root.",
            (given - mean) / (std + eps),
        ),
        (
            "eps is added to the standard deviation here, not under the root; and the variance divides by n - 1.",
            (given - mean) / (of_all + eps),
        ),
        ("eps has no effect here.", (given - mean) / std),
        *((sentence, norm(axes, ddof)) for ddof in (0, 1) for sentence, axes in other_axes if many(axes)),
    ]
    if given.shape[1] == given.shape[3]:  # then means of shape (C,) fit, but lie along the width
        flat = (given - mean.ravel()) / np.sqrt(variance.ravel() + eps)
        mistakes.append(("Means of shape (C,) are laid along the width, not along the channels: keepdim=True.", flat))
    got = batch_norm(h.clone(), eps)
    check_shape("batch_norm(h)", got, h.shape, hint="Keep the dimensions of mean and variance: keepdim=True.")
    got = got.detach().double().numpy()
    if not np.allclose(got, want, atol=1e-4):
        cause = [sentence for sentence, wrong in mistakes if np.allclose(got, wrong, atol=1e-4)]
        raise CheckFailed(
            f"batch_norm: not the formula's value. {(cause or ['Work the example of the lesson by hand.'])[0]}"
        )


draw = torch.Generator().manual_seed(2)
check_batch_norm(torch.tensor([[[[1.0, 3.0]], [[2.0, 2.5]]], [[[5.0, 7.0]], [[-1.0, 0.0]]]]), eps=0.5)
check_batch_norm(3 + 2 * torch.randn(4, 3, 2, 2, generator=draw), eps=1e-5)
print("✓ Task 2: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_batch_norm(10 * torch.randn(5, 2, 3, 4, generator=draw) - 4, eps=2.0)
check_batch_norm(torch.randn(2, 4, 1, 1, generator=draw), eps=1e-5)
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3. Predict
#
# Think first, with paper. Then write your answers into `predictions`.
#
# - `conv`: how many multiply-adds does `nn.Conv2d(3, 8, 4, 2, 1)` cost for one picture of shape (3, 32, 32)? (No bias.)
# - `transposed`: and `nn.ConvTranspose2d(16, 8, 4, 2, 1)` for one picture of shape (16, 8, 8)?
# - `straight`: two latents of length 10 stand at a right angle. How long is the middle of the straight way between them?
# - `spherical`: and the middle of the spherical way? For both lengths 0.05 either way is near enough.
# - `moves`: both nets are in training mode. In D's turn the fakes are `G(z).detach()`, and D's optimiser steps. What has
#   changed after it?
#   - `"a"`: D's parameters.
#   - `"b"`: D's parameters and D's running statistics.
#   - `"c"`: D's parameters, and the running statistics of D and of G.
#   - `"d"`: the parameters and the running statistics of both.
# - `ablation`: you leave one rule out, train 200 rounds on digits, and FID-d is the same as with all rules. What follows?
#   - `"a"`: the rule is superfluous.
#   - `"b"`: the rule makes no difference in this run; longer runs, deeper nets or other data may need it.
#   - `"c"`: the two generators are equally good in every respect.


# %% nbgrader={"grade": false, "grade_id": "task3_predictions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predictions():
    """Your answers: a dict with the keys conv, transposed, straight, spherical, moves and ablation."""
    ### BEGIN SOLUTION
    return {
        "conv": 3 * 8 * 4 * 4 * 16 * 16,  # each weight at every position of the output
        "transposed": 16 * 8 * 4 * 4 * 8 * 8,  # each weight at every position of the input
        "straight": 10 / math.sqrt(2),
        "spherical": 10.0,
        "moves": "c",
        "ablation": "b",
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task3_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# This check looks at the form of your answers only.
answers = predictions()
keys = ("conv", "transposed", "straight", "spherical", "moves", "ablation")
if not isinstance(answers, dict) or set(answers) != set(keys):
    raise CheckFailed(f"predictions: got {answers!r}, wants a dict with the keys {', '.join(keys)}.")
answers = {key: answer.strip().lower() if isinstance(answer, str) else answer for key, answer in answers.items()}
for key in keys[:4]:
    if isinstance(answers[key], bool | str) or not hasattr(answers[key], "__float__"):
        raise CheckFailed(f"{key}: got {answers[key]!r}, wants a number.")
check_one_of("moves", answers["moves"], ["a", "b", "c", "d"])
check_one_of("ablation", answers["ablation"], ["a", "b", "c"])
print(
    "✓ Task 3: all visible checks pass. The form is right; whether the answers are is marked when you hand in. "
    "On your own, from the repository's root: `.venv/bin/python tools/grading.py exercises/06_dcgan.ipynb` "
    "(needs the instructor extra)."
)
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "conv",
    98_304,
    hint="Weights times positions: how many weights are there, and at how many positions of the output are they used?",
    mistakes=[
        (
            393_216,
            "With stride 2 the kernel is not put down at each of the 32 * 32 pixels: count the output's positions.",
        ),
        (384, "That is the number of weights. Each is used at every position of the output."),
        (32_768, "Every output channel looks at all three input channels."),
    ],
    atol=0.5,
)
marks.judge(
    "transposed",
    131_072,
    hint="Weights times positions: how many weights are there, and how many positions does the input have?",
    mistakes=[
        (524_288, "A transposed convolution puts its kernel down once per position of its input, not of its output."),
        (2_048, "That is how many weights it has. Each is used once per position of the input."),
        (8_192, "Each of the 16 input channels has weights of its own."),
    ],
    atol=0.5,
)
marks.judge(
    "straight",
    10 / math.sqrt(2),
    hint="Draw the right-angled triangle.",
    mistakes=[
        (10.0, "The straight way cuts the corner: only its ends have length 10."),
        (5.0, "Half of each latent is left, but they stand at a right angle: add their squares."),
        (10 * math.sqrt(2), "That is the length of the sum of the two. The middle is half of it."),
    ],
    atol=0.051,
)
marks.judge("spherical", 10.0, hint="The spherical way turns and keeps the length.", atol=0.051)
marks.judge(
    "moves",
    "c",
    mistakes=[
        ("a", "Batch norm's running statistics move at every pass in training mode; no optimiser is needed."),
        ("b", "G makes its fakes in training mode: detach stops gradients, not G's running statistics."),
        ("d", "G's parameters stay: its optimiser makes no step in D's turn."),
    ],
)
marks.judge(
    "ablation",
    "b",
    mistakes=[
        ("a", "One short run on one kind of picture says nothing about deeper nets, which the rules were made for."),
        ("c", "Equal FID-d means that one number agrees: lesson 04 shows two things which it does not see."),
    ],
)
marks.report()
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4. Debug a sampler
#
# Here is a G after 200 rounds on digits, in training mode, and a function that makes pictures with it, one latent at a
# time to save memory.


# %% nbgrader={"grade": false, "grade_id": "broken_sampler", "locked": true, "schema_version": 3, "solution": false, "task": false}
def broken_sample(G, z):
    """(N, z_dim) latents -> N pictures. Faulty."""
    return torch.cat([G(one) for one in z.split(1)])


# %% tags=["watch"]
torch.manual_seed(0)
trainer = Trainer(DCGAN(), digits("train"), batch_size=16, seed=0)
trainer.run(200)
z = trainer.fixed_z[:16].cpu()
G = trainer.game.G.cpu().train()
one_by_one, all_at_once = broken_sample(copy.deepcopy(G), z), copy.deepcopy(G)(z)  # copies: looking changes them
difference = (10 * (one_by_one - all_at_once).abs() - 1).clamp(-1, 1)
show(
    image_grid(
        {"one latent at a time": one_by_one, "ten times the difference from all at once": difference}, columns=4
    ),
    "The same G, the same latents, other pictures: where the right side is not black, they differ.",
    "Left 16 generated images, right the difference from those of the same latents in one batch; it is not black.",
)

# %% [markdown]
# The same latents give other pictures, according to who else is in the batch. The eye may miss it; code that compares or
# stores samples does not. The cause is batch norm: in training mode it normalises by the mean and variance of *this*
# batch. That also moves G's running statistics each time somebody looks.
#
# Write `sample_images`:
#
# - the picture of a latent depends on this latent and on G, and on nothing else, whatever `batch_size` is;
# - all N pictures come back, in the order of their latents, without a gradient;
# - G is left as it was: its parameters, which go on taking gradients, its running statistics, and its mode (training
#   or eval).


# %% nbgrader={"grade": false, "grade_id": "task4_sample_images", "locked": false, "schema_version": 3, "solution": true, "task": false}
def sample_images(G, z, batch_size=8):
    """(N, z_dim) latents -> (N, C, H, W) pictures, made ``batch_size`` at a time. Leaves G as it was."""
    ### BEGIN SOLUTION
    was_training = G.training
    G.eval()
    with torch.no_grad():
        x_fake = torch.cat([G(part) for part in z.split(batch_size)])
    G.train(was_training)
    return x_fake
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task4_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
def check_sampler(training, n, batch_size):
    torch.manual_seed(4)
    G = nn.Sequential(nn.Linear(8, 12), nn.Unflatten(1, (3, 2, 2)), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 1, 1))
    for _ in range(20):
        G(torch.randn(32, 8))  # running statistics of its own
    G.train(training)
    z = 2 * torch.randn(n, 8) + 1
    twin, before = copy.deepcopy(G).eval(), copy.deepcopy(G.state_dict())
    with torch.no_grad():
        want, by_batch, noisy = twin(z), copy.deepcopy(G).train()(z), copy.deepcopy(G).train()
        by_parts = torch.cat([noisy(part) for part in z.split(batch_size)])
    got = sample_images(G, z, batch_size)
    check_shape("sample_images(G, z)", got, want.shape, hint="One picture a latent, the last batch may be smaller.")
    moved = any(not torch.equal(value, before[name]) for name, value in G.state_dict().items())
    if torch.allclose(got, by_batch, atol=1e-5) or (torch.allclose(got, by_parts, atol=1e-5) and not moved):
        raise CheckFailed(
            "sample_images: the pictures are those of training mode: they depend on their batch. Use eval mode."
        )
    if moved:
        raise CheckFailed(
            "sample_images: G is not as it was: looking has moved its running statistics, as training mode does."
        )
    if not torch.allclose(got, want, atol=1e-5):
        raise CheckFailed("sample_images: not the pictures of G in eval mode, in the order of z.")
    if not all(p.requires_grad for p in G.parameters()):
        raise CheckFailed("sample_images: G is frozen now. Turn gradients off around the pictures, not in G.")
    if got.requires_grad:
        raise CheckFailed("sample_images: the pictures carry a graph back to G: make them without gradients.")
    if any(m.training != training for m in G.modules()):
        mode = "training" if training else "eval"
        raise CheckFailed(f"sample_images: G came in {mode} mode and left in the other: give it back as it was.")


check_sampler(training=True, n=16, batch_size=8)
check_sampler(training=False, n=16, batch_size=8)
print("✓ Task 4: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_sampler(training=True, n=13, batch_size=5)
check_sampler(training=True, n=3, batch_size=1)
### END HIDDEN TESTS

# %% tags=["watch"]
ones, sixteen = sample_images(G, z, 1), sample_images(G, z, 16)
difference = (10 * (ones - sixteen).abs() - 1).clamp(-1, 1)
show(
    image_grid({"batches of 1": ones, "ten times the difference from a batch of 16": difference}, columns=4),
    "With your sampler the right side is black.",
    "Left 16 generated images, right 16 black squares.",
)

# %% [markdown]
# ## Task 5. Carry a property from one digit to another
#
# You have many latents, the digit that a classifier reads in each one's picture, and how much ink the picture has. Among
# the pictures of the digit `source`, the **thick** ones are the fifth with the most ink and the **thin** ones the fifth with
# the least (`n // 5` of `n` pictures each). Write `thick_version`, the latent of a thick `target`:
#
# $$\sqrt{d}\; \frac{\overline{z}_{\text{target}}}{\|\overline{z}_{\text{target}}\|} + \overline{z}_{\text{thick source}} - \overline{z}_{\text{thin source}}$$
#
# where each bar is the mean over its group. A mean is short, and so is the target's. So the lesson's second row overshoots:
# thickness drowns the digit. Bring the target's mean to the length $\sqrt{d}$ of a latent of $d$ numbers first, as in the
# third row, then add the difference as it is, and at the end bring the sum to the length $\sqrt{d}$ again.


# %% nbgrader={"grade": false, "grade_id": "task5_thick_version", "locked": false, "schema_version": 3, "solution": true, "task": false}
def thick_version(z, digit, ink, source, target):
    """The latent (d,), of length √d, of a thick ``target``.

    z: (N, d) latents.
    digit: (N,) whole numbers, the digit in each picture.
    ink: (N,) numbers, how much ink each picture has.
    source, target: two digits.
    """
    ### BEGIN SOLUTION
    order = ink[digit == source].argsort()
    by_ink = z[digit == source][order]  # from thin to thick
    fifth = len(by_ink) // 5
    centre = z[digit == target].mean(0)
    length = math.sqrt(z.shape[1])
    total = centre * length / centre.norm() + by_ink[-fifth:].mean(0) - by_ink[:fifth].mean(0)
    return total * length / total.norm()
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task5_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
def check_thick_version(n, d, source, target, seed):
    rng = np.random.default_rng(seed)
    z, digit, ink = rng.standard_normal((n, d)), rng.integers(0, 10, n), rng.random(n)
    own = np.flatnonzero(digit == source)
    own = own[np.argsort(ink[own])]
    fifth, everyone = len(own) // 5, np.argsort(ink)

    def on_shell(v):
        return v / np.linalg.norm(v) * math.sqrt(d)

    def groups(order, k):
        """(mean of the last k of this order, mean of the first k)"""
        return z[order[-k:]].mean(0), z[order[:k]].mean(0)

    mean, n_all = z[digit == target].mean(0), len(z) // 5
    centre, (thick, thin) = on_shell(mean), groups(own, fifth)
    thick_all, thin_all = groups(everyone, n_all)
    other = np.flatnonzero(digit == target)
    other = other[np.argsort(ink[other])]
    thick_other, thin_other = groups(other, len(other) // 5)
    thick_rank, thin_rank = groups(np.argsort(ink[digit == source]), fifth)  # places among the source's, not among all
    thick_half, thin_half = groups(own, len(own) // 2)
    thick_five, thin_five = groups(own, 5)
    total = centre + thick - thin
    mistakes = {
        "The sum has not been brought to the length √d at the end.": total,
        "Its length is 1; latents of d numbers have about √d.": on_shell(total) / math.sqrt(d),
        "The length is off: divide by the sum's own length before you multiply by √d.": total * math.sqrt(d),
        "The length is off: √d is what it shall be, so divide by the sum's own length.": total / math.sqrt(d),
        "The target's mean came in at its own, short length: the lesson's second row, where thickness drowns the digit.": (
            on_shell(mean + thick - thin)
        ),
        "Each mean was brought to the length √d before the sum; only the target's is to be.": on_shell(
            centre + on_shell(thick) - on_shell(thin)
        ),
        "Thick and thin are the wrong way round: this is a thin one.": on_shell(centre + thin - thick),
        "Thick and thin come from all digits: that mixes stroke width with which digit it is.": on_shell(
            centre + thick_all - thin_all
        ),
        "The roles of source and target are exchanged.": on_shell(on_shell(z[own].mean(0)) + thick_other - thin_other),
        "The order of the source's ink gives places among the source's pictures; you look them up among all.": on_shell(
            centre + thick_rank - thin_rank
        ),
        "Thick and thin are a half of the pictures each here; a fifth each was asked for.": on_shell(
            centre + thick_half - thin_half
        ),
        "Five pictures are no fifth: n // 5 of n.": on_shell(centre + thick_five - thin_five),
        "This is the thickest single picture minus the thinnest: take the mean of a fifth each.": on_shell(
            centre + z[own[-1]] - z[own[0]]
        ),
        "The thin ones have not been taken away.": on_shell(centre + thick),
        "This is the source's own centre made thick: begin at the target's.": on_shell(
            on_shell(z[own].mean(0)) + thick - thin
        ),
        "Groups are added up here; take their means.": on_shell(centre + fifth * (thick - thin)),
    }
    tensors = (torch.tensor(z), torch.tensor(digit), torch.tensor(ink))
    got = thick_version(*tensors, source, target)
    check_shape("thick_version", got, (d,), hint="One latent.")
    got = got.detach().double().numpy()
    if not np.allclose(got, on_shell(total), atol=1e-5):
        cause = [sentence for sentence, wrong in mistakes.items() if np.allclose(got, wrong, atol=1e-5)]
        raise CheckFailed(f"thick_version: not the latent. {(cause or ['Go through the formula, mean by mean.'])[0]}")


check_thick_version(n=600, d=16, source=7, target=3, seed=0)
print("✓ Task 5: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_thick_version(n=997, d=64, source=1, target=0, seed=1)
check_thick_version(n=300, d=5, source=2, target=9, seed=2)
### END HIDDEN TESTS

# %% [markdown]
# Look at it in the lesson's notebook: put your function into a new cell below *Arithmetic with latents* (at the notebook's
# end `z` is something else), and behind it
#
# ```python
# thick = torch.stack([thick_version(z, digit, ink(x_fake), 7, k) for k in range(10)])
# show(image_grid(generate(thick), columns=10, scale=2), "Thick digits.", "A row of ten thick digits.")
# ```
#
# You get the third row of the lesson's figure.

# %% [markdown]
# ## What you take away
#
# - The rules fit into ten lines of code, and each can be checked by looking at what passes through the net.
# - Batch norm makes a sample depend on its batch in training mode. Sample in eval mode, and give the mode back.
# - Costs count positions: of the output for a convolution, of the input for a transposed one.
# - Means of latents carry what a group shares. Bring them back to the length that G was trained on.
