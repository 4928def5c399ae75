# %% [markdown]
# # Exercise 04: the vanilla GAN
#
# <!-- badge -->This course has no public address yet, so this notebook cannot be opened on Colab from here.<!-- /badge -->
#
# In lesson 04 two plain networks learn to write digits. Here you build the generator and both forms of its loss, you
# repair a GAN that makes grey squares, and you write the judge that says what is wrong with a set of samples.
#
# | task | what you do | points |
# |---|---|---|
# | 1 | complete a generator of images | 3 |
# | 2 | complete both of G's losses | 2 |
# | 3 | predict what slopes, losses and measures say | 3 |
# | 4 | debug a GAN that has died | 3 |
# | 5 | measure what is wrong with a set of samples | 4 |
#
# Plan 60 minutes. You need lesson 04 and no GPU; every cell takes seconds.
#
# **How it works.** Write your code in place of the line that raises `NotImplementedError`. Then run the check below
# the task. A check that passes prints one line with a ✓; one that fails tells you what is wrong. Your instructor
# runs further checks with other inputs, so write code that holds in general. No check needs the answer to an earlier
# task, only cells that show something do: if you are stuck, go on.

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
import numpy as np
import torch
from torch import nn
from torch.nn import functional as F

from ganedu.checks import CheckFailed, check_close, check_finite, check_one_of, check_shape
from ganedu.data import digits
from ganedu.metrics.features import digit_features, digit_shares
from ganedu.metrics.fid import frechet_features
from ganedu.models.naive_bayes import NaiveBayes
from ganedu.models.vanilla import VanillaGAN
from ganedu.training import Speed, Trainer
from ganedu.views.figure import image_grid, show

data = digits("train")
x_real = data.all()  # (4000, 1, 28, 28): the training images, from -1 (black) to 1 (white)


def spread(x):
    """Standard deviation over a batch, averaged over pixels: near 0 where all images are alike."""
    return x.std(0).mean().item()


# %% nbgrader={"grade": false, "grade_id": "for_the_checks", "locked": true, "schema_version": 3, "solution": false, "task": false}
# What the checks of tasks 1 and 4 share. You need not read it.


def run_net(name, net, *inputs):
    """The net's output, or what its layers cannot take."""
    if not isinstance(net, nn.Module):
        raise CheckFailed(
            f"{name}: got a {type(net).__name__}, wants a net, an nn.Module. Did you forget to return it?"
        )
    try:
        return net(*inputs)
    except (RuntimeError, ValueError) as error:
        shapes = ", ".join(str(tuple(x.shape)) for x in inputs)
        hint = "The first layer has to follow z_dim, and each other layer the one before it."
        raise CheckFailed(f"{name}: fails on an input of shape {shapes}. {hint} PyTorch says: {error}") from None


def check_sizes(name, net, n_out):
    """The linear layers of ``net`` give ``n_out`` numbers each, in this order."""
    sizes = [layer.out_features for layer in net.modules() if isinstance(layer, nn.Linear)]
    if sizes != list(n_out):
        raise CheckFailed(f"{name}: its linear layers give {sizes} numbers, wants {list(n_out)}.")


def check_hidden(name, net, z):
    """Behind each hidden linear layer stand batch norm and then ReLU; behind the last one, neither."""
    seen = []  # (layer, what went in, what came out), as the net computes

    def note(layer, inputs, output):
        seen.append((layer, inputs[0].clone(), output.clone()))

    for layer in net.modules():
        if isinstance(layer, nn.LayerNorm):
            raise CheckFailed(
                f"{name}: LayerNorm normalises each sample over its units, batch norm each unit over the samples."
            )
    hooks = [m.register_forward_hook(note) for m in net.modules() if isinstance(m, nn.Linear | nn.BatchNorm1d)]
    with torch.no_grad():
        net.eval()(z)
    for hook in hooks:
        hook.remove()
    linear = [step for step in seen if isinstance(step[0], nn.Linear)]
    norms = [step for step in seen if isinstance(step[0], nn.BatchNorm1d)]
    for k, (place, one, following) in enumerate(zip(("first", "second"), linear, linear[1:])):
        if not any(norm.num_features == one[0].out_features for norm, _, _ in norms):
            raise CheckFailed(f"{name}: it has no batch norm at its {place} hidden layer. Both need one.")
        _, goes_in, comes_out = norms[k]
        if not torch.allclose(goes_in, one[2], atol=1e-5):
            raise CheckFailed(
                f"{name}: at its {place} hidden layer the batch norm does not take what the linear layer gives. "
                "The order is linear, batch norm, ReLU."
            )
        if torch.allclose(following[1], comes_out, atol=1e-5):
            raise CheckFailed(f"{name}: nothing bends its {place} hidden layer: ReLU is missing behind the batch norm.")
        if not torch.allclose(following[1], comes_out.relu(), atol=1e-5):
            raise CheckFailed(f"{name}: the activation of its {place} hidden layer is not ReLU, which is max(0, h).")
    if len(norms) > 2:
        raise CheckFailed(f"{name}: it has {len(norms)} batch norms, wants 2: its pixels are not normalised.")


# %% [markdown]
# ## Task 1. The generator
#
# Write `make_G`, which returns a net with lesson 04's layers:
#
# - two hidden layers, of 256 and then 512 units. Each is linear, with **batch norm** and then ReLU behind it;
# - a last linear layer, to 784 numbers, one a pixel;
# - each pixel in the range of the real ones, and the numbers in the shape of images: (N, 1, 28, 28).
#
# `z_dim` is how many numbers a latent has.


# %% nbgrader={"grade": false, "grade_id": "task1_make_G", "locked": false, "schema_version": 3, "solution": true, "task": false}
def make_G(z_dim):
    """A net (an nn.Module) that maps latents (N, z_dim) to images (N, 1, 28, 28) in [-1, 1]."""
    ### BEGIN SOLUTION
    return nn.Sequential(
        *(nn.Linear(z_dim, 256), nn.BatchNorm1d(256), nn.ReLU()),
        *(nn.Linear(256, 512), nn.BatchNorm1d(512), nn.ReLU()),
        *(nn.Linear(512, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))),
    )
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task1_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}


def check_G(name, z_dim):
    torch.manual_seed(5)
    G = {"make_G": make_G}[name](z_dim)
    name = f"{name}({z_dim})"
    z = torch.randn(200, z_dim)
    with torch.no_grad():
        x_fake = run_net(name, G, z)  # in training mode: batch norm uses the batch's own statistics
        want = (200, 1, 28, 28)
        check_shape(name, x_fake, want, hint="The 784 numbers of a sample are an image of 1 channel, 28 x 28.")
        G.eval()
        strong = run_net(name, G, 1000 * z)  # in eval mode they are not scaled back
        one = run_net(name, G, z[:1])
    low, high = strong.min().item(), strong.max().item()
    if max(high, -low) > 1.001:
        raise CheckFailed(f"{name}: got pixels from {low:.3g} to {high:.3g}; nothing holds them within [-1, 1].")
    if low > -0.9:
        raise CheckFailed(
            f"{name}: got pixels from {low:.3g} to {high:.3g} only. Real ones go down to -1: D knows a fake without black "
            "at once. Is the last activation that of lesson 04?"
        )
    check_shape(f"{name}, one latent", one, (1, 1, 28, 28), hint="A batch of one keeps its first dimension.")
    norms = [layer for layer in G.modules() if isinstance(layer, nn.BatchNorm1d)]
    if any(layer.eps > 0.01 for layer in norms):
        raise CheckFailed(f"{name}: the second argument of BatchNorm1d is eps; a large one normalises nothing.")
    if spread(x_fake) < 0.18:
        raise CheckFailed(
            f"{name}: 200 latents give nearly the same image, spread {spread(x_fake):.2f}, where lesson 04's G starts at "
            "0.3. Which layer holds samples apart? Both hidden layers have it."
        )
    check_sizes(name, G, (256, 512, 784))
    check_hidden(name, G, z)


check_G("make_G", 64)
check_G("make_G", 20)
print("✓ Task 1: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_G("make_G", 3)
torch.manual_seed(6)
G = make_G(8)
z = torch.randn(16, 8)
first, second = G(z), G(z)
if not torch.equal(first, second):
    raise CheckFailed("make_G: the same latents give other images the second time; z is the only source of chance.")
G(z).mean().backward()
if any(p.grad is None for p in G.parameters()):
    raise CheckFailed("make_G: some of its parameters get no gradient from its images.")
### END HIDDEN TESTS

# %% [markdown]
# ## Task 2. Both of G's losses
#
# Write $s$ for D's logit on a fake, so $D(G(z)) = \mathrm{sigmoid}(s)$. Lesson 04 has two losses for G, both to be
# minimised, both averages over the batch:
#
# $$L_\text{saturating} = \mathbb{E}[\log(1 - D(G(z)))] \qquad L_\text{non-saturating} = -\mathbb{E}[\log D(G(z))]$$
#
# (The library has them as `g_minimax` and `g_nonsaturating`: the first is G's side of the min-max game.)
#
# You get the logits. Stay with them, so that both are right at a logit of $-200$ as well: `F.softplus(s)` is
# $\log(1 + e^s)$, and neither loss needs more than that.


# %% nbgrader={"grade": false, "grade_id": "task2_g_losses", "locked": false, "schema_version": 3, "solution": true, "task": false}
def g_saturating(fake_logits):
    """E[log(1 - D(G(z)))], a tensor of shape (). fake_logits: (N, 1)."""
    ### BEGIN SOLUTION
    return -F.softplus(fake_logits).mean()  # log(1 - sigmoid(s)) = -softplus(s)
    ### END SOLUTION


def g_nonsaturating(fake_logits):
    """-E[log D(G(z))], a tensor of shape (). fake_logits: (N, 1)."""
    ### BEGIN SOLUTION
    return F.softplus(-fake_logits).mean()  # -log sigmoid(s) = softplus(-s)
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task2_check", "locked": true, "points": 2, "schema_version": 3, "solution": false, "task": false}


def check_way_back(name, loss):
    if not isinstance(loss, torch.Tensor):
        raise CheckFailed(f"{name}: got a {type(loss).__name__}, wants a tensor of shape (): G needs its gradient.")
    if not loss.requires_grad:
        raise CheckFailed(f"{name}: no gradient goes back to the logits, so G cannot learn from it.")


logits = torch.tensor([[0.5], [-2.0]], requires_grad=True)
by_hand = "Work it out by hand for the logits 0.5 and -2."
raw = "You get logits, not probabilities: a negative one has no logarithm."
got = g_saturating(logits)
check_way_back("g_saturating", got)
check_finite("g_saturating", got, hint=raw)
check_close(
    "g_saturating",
    got,
    -0.550502,
    hint=by_hand,
    mistakes=[
        (1.300502, "This is the non-saturating loss: the names are the other way round."),
        (0.550502, "This is what D pays for the fakes. G wants the opposite: mind the sign."),
        (-1.101005, "You add up over the batch; the E is an average."),
        (-0.903285, "You take the sigmoid twice: softplus wants logits."),
        (-1.300502, "This is E[log D(G(z))]. Of a fake's two probabilities, this loss takes that of 'fake', 1 - D."),
        (0.202733, "You take log(1 - s) of the logit; the formula has D = sigmoid(s) there."),
    ],
)
got = g_nonsaturating(logits)
check_way_back("g_nonsaturating", got)
check_finite("g_nonsaturating", got, hint=raw)
check_close(
    "g_nonsaturating",
    got,
    1.300502,
    hint=by_hand,
    mistakes=[
        (0.550502, "This is -E[log(1 - D)], which rewards G for being caught: the labels are swapped."),
        (-0.550502, "This is the saturating loss a second time."),
        (-1.300502, "Its minus sign is missing: this G runs away from what D takes for real."),
        (2.601005, "You add up over the two latents; the loss is a mean."),
        (0.532455, "A sigmoid too many: what goes into softplus here is a probability already."),
    ],
)
sure = torch.tensor([[-200.0]])
for name, got, want in (
    ("g_nonsaturating of a fake that D is sure of", g_nonsaturating(sure), 200.0),
    ("g_saturating of a fake that D takes for real", g_saturating(-sure), -200.0),
):
    check_finite(name, got, hint="The sigmoid is exactly 0 or 1 here and its logarithm overflows: use softplus.")
    check_close(name, got, want, hint="A small number inside the logarithm, or a clamp, flattens the slope.", atol=0.01)
print("✓ Task 2: all visible checks pass.")
### BEGIN HIDDEN TESTS
s = (torch.randn(50, 1, generator=torch.Generator().manual_seed(3)) * 4).requires_grad_()
D_of_fake = 1 / (1 + np.exp(-s.detach().double().numpy()))
for name, loss, value, slope in (
    ("g_saturating", g_saturating(s), np.log1p(-D_of_fake).mean(), -D_of_fake / 50),
    ("g_nonsaturating", g_nonsaturating(s), -np.log(D_of_fake).mean(), -(1 - D_of_fake) / 50),
):
    check_close(f"{name} of 50 random logits", loss, value, hint="It fits the example but not other logits.")
    got = torch.autograd.grad(loss, s)[0].double().numpy()
    if not np.allclose(got, slope, atol=1e-5):
        raise CheckFailed(f"{name}: its value is right, but its slope in the logits is not.")
### END HIDDEN TESTS

# %% [markdown]
# ## Task 3. Predict
#
# Think first, with paper and lesson 04. Then write your answers into `predictions`. The points are given for all six
# together; the marking names every answer that is not right yet.
#
# - `ratio`: D gives a fake the probability $D(G(z)) = 0.002$ of being real. Divide the slope of the non-saturating loss
#   (in the logit) by that of the saturating one. A number; 1 either way is near enough.
# - `equal_at`: at which value of $D(G(z))$ do both slopes have the same size? A number.
# - `against_a_sure_D`: D is sure of the fakes and is held fixed. G takes 100 steps along the **saturating** loss.
#   - `"a"`: with SGD and with Adam $D(G(z))$ stays near 0: the gradient is too small for any optimiser.
#   - `"b"`: with both it comes near 1: a small gradient takes longer, but 100 steps are enough.
#   - `"c"`: with SGD it stays near 0, with Adam it comes near 1.
#   - `"d"`: with Adam it stays near 0, with SGD it comes near 1.
# - `g_loss_rises`: `g_loss` is 0.8 at round 500 and 1.5 at round 3,000. Which of these follows about the samples?
#   - `"a"`: they have become worse.  `"b"`: they have become better.  `"c"`: neither: look at them, or measure them.
# - `noise`: you hand 2,000 images of pure noise to the classifier that counts digits. What does it say?
#   - `"a"`: nearly all of them are one and the same digit.  `"b"`: each digit has a share of about 10 %.
#   - `"c"`: its confidence is about 0.1, so you notice at once.
# - `copier`: a "generator" replays training images. How large is its FID-d against the training set?
#   - `"a"`: large, because copies have no variety of their own.  `"b"`: as large as an honest GAN's.
#   - `"c"`: near 0, below that of any honest generator.


# %% nbgrader={"grade": false, "grade_id": "task3_predictions", "locked": false, "schema_version": 3, "solution": true, "task": false}
def predictions():
    """Your answers: a dict with the keys ratio, equal_at, against_a_sure_D, g_loss_rises, noise and copier."""
    ### BEGIN SOLUTION
    return {
        "ratio": 0.998 / 0.002,  # slopes -(1 - D) and -D
        "equal_at": 0.5,
        "against_a_sure_D": "c",  # Adam divides each gradient by its own recent size
        "g_loss_rises": "c",
        "noise": "a",
        "copier": "c",
    }
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task3_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}
# This check looks at the form of your answers only.

answers = predictions()
keys = ("ratio", "equal_at", "against_a_sure_D", "g_loss_rises", "noise", "copier")
if not isinstance(answers, dict) or set(answers) != set(keys):
    raise CheckFailed(f"predictions: got {answers!r}, wants a dict with the keys {', '.join(keys)}.")
answers = {key: answer.strip().lower() if isinstance(answer, str) else answer for key, answer in answers.items()}
for key in keys[:2]:
    check_finite(key, answers[key])
check_one_of("against_a_sure_D", answers["against_a_sure_D"], ["a", "b", "c", "d"])
for key in keys[3:]:
    check_one_of(key, answers[key], ["a", "b", "c"])
print(
    "✓ Task 3: all visible checks pass. The form is right; whether the answers are is marked when you hand in. "
    "On your own, from the repository's root: `.venv/bin/python tools/grading.py exercises/04_vanilla_gan.ipynb` "
    "(needs the instructor extra)."
)
### BEGIN HIDDEN TESTS
from ganedu.checks import Predictions

marks = Predictions(answers)
marks.judge(
    "ratio",
    499.0,
    hint="Look at the table in part 2 of the lesson and put D = 0.002 in.",
    mistakes=[(1 / 499, "Upside down: against a sure D the non-saturating slope is the larger one.")],
    atol=1.01,
)
marks.judge("equal_at", 0.5, hint="Set the two slopes of the lesson's table equal and solve for D.", atol=0.001)
marks.judge(
    "against_a_sure_D",
    "c",
    mistakes=[
        ("a", "Adam divides each gradient by its own recent size, so a tiny gradient makes a step as large as any."),
        ("b", "SGD's steps are as small as its gradient, a thousand times too small here."),
        ("d", "For one of the two optimisers the size of the gradient does not matter. Which one?"),
    ],
)
marks.judge(
    "g_loss_rises",
    "c",
    hint="A loss says how a player does against the other as it is now, and both have learned since.",
)
marks.judge(
    "noise",
    "a",
    mistakes=[
        ("b", "A classifier has no bin for noise and does not guess at random: all noise looks alike to it."),
        ("c", "It was never shown anything but digits, so it is sure of whatever it says."),
    ],
)
marks.judge(
    "copier",
    "c",
    hint="FID-d compares means and covariances of features. What are those of a set that repeats the originals?",
)
marks.report()
### END HIDDEN TESTS

# %% [markdown]
# ## Task 4. Debug: grey squares
#
# Here are a generator and a discriminator that somebody copied together. `play` gives them to the library's `VanillaGAN`,
# whose losses are right, and trains them for 200 rounds.


# %% nbgrader={"grade": false, "grade_id": "broken_players", "locked": true, "schema_version": 3, "solution": false, "task": false}
def broken_G(z_dim):
    """(N, z_dim) latents -> (N, 1, 28, 28) images. With a fault."""
    return nn.Sequential(
        nn.Linear(z_dim, 128),
        nn.BatchNorm1d(128, 0.8),
        nn.ReLU(),
        nn.Linear(128, 256),
        nn.BatchNorm1d(256, 0.8),
        nn.ReLU(),
        nn.Linear(256, 784),
        nn.Tanh(),
        nn.Unflatten(1, (1, 28, 28)),
    )


def broken_D():
    """(N, 1, 28, 28) images -> (N, 1). With a fault."""
    return nn.Sequential(
        nn.Flatten(),
        nn.Linear(784, 256),
        nn.LeakyReLU(0.2),
        nn.Linear(256, 128),
        nn.LeakyReLU(0.2),
        nn.Linear(128, 1),
        nn.Sigmoid(),
    )


def play(make_G, make_D, rounds=200, seed=0):
    """Train 200 rounds, show samples and print what the run looked like. Returns the trainer."""
    torch.manual_seed(seed)
    G, D = make_G(64), make_D()
    with torch.no_grad():
        before = spread(G(torch.randn(500, 64)))
    trainer = Trainer(
        VanillaGAN(G, D, z_dim=64), data, lr=1e-3, ema_decay=0.98, device="cpu", seed=seed, speed=Speed(tune=False)
    )
    trainer.run(rounds)
    x_fake = trainer.sample(500)
    with torch.no_grad():
        on_real, on_fake = D(x_real[::8]), D(x_fake)
    print(f"spread of G's images before training: {before:.2f} (real digits: {spread(x_real):.2f})")
    print("d_loss, every 25 rounds:", *(f"{loss:.3f}" for loss in trainer.history["d_loss"]))
    for kind, output in (("real images", on_real), ("fakes", on_fake)):
        print(f"D's output on {kind}: {output.min():.3f} to {output.max():.3f}")
    show(
        image_grid(x_fake[:32]),
        f"32 samples after {rounds} rounds.",
        "A grid of 32 generated images, from a run that is judged by eye.",
    )
    return trainer


# %% tags=["watch"]
broken = play(broken_G, broken_D)

# %% [markdown]
# `d_loss` has come to about $2 \log 2 = 1.386$ and stays there. In lesson 02 that is what D pays when G has won. Look at
# the samples: nobody has won. D has died.
#
# Two questions lead to the two faults. Answer them on paper first.
#
# 1. The losses take *logits*. Which numbers can this D put out? How low can `softplus(-real_logits)` get with them?
#    What is left of the gradient once the output sticks at one end of its range?
# 2. Before any training, G's images are nearly alike: compare the spread with that of the real digits. Which layer was to
#    prevent that? What does its second argument mean? (`help(nn.BatchNorm1d)` says.)
#
# Then write `mended_G` and `mended_D`: the same nets with their faults taken out, and all else as it is. The losses and
# the loop stay.


# %% nbgrader={"grade": false, "grade_id": "task4_mended", "locked": false, "schema_version": 3, "solution": true, "task": false}
def mended_G(z_dim):
    """(N, z_dim) latents -> (N, 1, 28, 28) images in [-1, 1]."""
    ### BEGIN SOLUTION
    return nn.Sequential(
        *(nn.Linear(z_dim, 128), nn.BatchNorm1d(128), nn.ReLU()),
        *(nn.Linear(128, 256), nn.BatchNorm1d(256), nn.ReLU()),
        *(nn.Linear(256, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28))),
    )
    ### END SOLUTION


def mended_D():
    """(N, 1, 28, 28) images -> (N, 1) logits."""
    ### BEGIN SOLUTION
    return nn.Sequential(
        nn.Flatten(),
        *(nn.Linear(784, 256), nn.LeakyReLU(0.2)),
        *(nn.Linear(256, 128), nn.LeakyReLU(0.2)),
        nn.Linear(128, 1),
    )
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task4_check", "locked": true, "points": 3, "schema_version": 3, "solution": false, "task": false}


def check_players(seed, z_dim=64):
    torch.manual_seed(seed)
    G, D, z, x = mended_G(z_dim), mended_D(), torch.randn(400, z_dim), 300 * torch.randn(400, 1, 28, 28)
    with torch.no_grad():
        x_fake, output = run_net(f"mended_G({z_dim})", G, z), run_net("mended_D", D, x)
        check_shape("mended_G", x_fake, (400, 1, 28, 28))
        check_shape("mended_D", output, (400, 1))
        strong = G.eval()(1000 * z)
    if any(isinstance(layer, nn.modules.batchnorm._NormBase | nn.LayerNorm) for layer in D.modules()):
        raise CheckFailed("mended_D: it has a normalisation, which broken_D has not. Take the fault out, add nothing.")
    low, high = output.min().item(), output.max().item()
    if low >= 0:
        raise CheckFailed(
            f"mended_D: its output goes from {low:.3g} to {high:.3g} and is never negative. The losses take logits, "
            "which are below 0 where D thinks fake: what stands at its end?"
        )
    if high <= 0:
        raise CheckFailed(
            f"mended_D: its output goes from {low:.3g} to {high:.3g} and is never positive: D can call nothing real. "
            "The losses take the logarithm themselves."
        )
    if max(high, -low) < 3:
        raise CheckFailed(
            f"mended_D: its output stays between {low:.3g} and {high:.3g}, whatever the image. A logit is any number: "
            "nothing may squash it."
        )
    low, high = strong.min().item(), strong.max().item()
    if max(high, -low) > 1.001:
        raise CheckFailed(
            f"mended_G: got pixels from {low:.3g} to {high:.3g}. Its Tanh was no fault: real pixels lie in [-1, 1]."
        )
    if low > -0.9:
        raise CheckFailed(f"mended_G: its pixels end at {low:.3g}, so it has no black. Leave the Tanh at its end.")
    norms = [layer for layer in G.modules() if isinstance(layer, nn.modules.batchnorm._BatchNorm)]
    for layer in norms:
        if layer.eps > 0.01:
            raise CheckFailed(
                f"mended_G: its batch norm still divides by sqrt(var + {layer.eps:g}), with a variance far below that. "
                "The number behind the size is eps."
            )
    if not norms:
        raise CheckFailed(
            f"mended_G: it has no batch norm any more, and the spread of its images before training is "
            f"{spread(x_fake):.2f}. Repair both normalisations instead of taking them out."
        )
    check_sizes("mended_G, widths as they were", G, (128, 256, 784))
    check_sizes("mended_D, widths as they were", D, (256, 128, 1))
    check_hidden("mended_G", G, z)
    slopes = [layer.negative_slope for layer in D.modules() if isinstance(layer, nn.LeakyReLU)]
    if slopes != [0.2, 0.2]:
        raise CheckFailed(
            "mended_D: its two LeakyReLU(0.2) were no fault. They pass a gradient on where a ReLU stops it."
        )


check_players(seed=1)
check_players(seed=1, z_dim=20)
print("✓ Task 4: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_players(seed=2)
torch.manual_seed(3)
G, D = mended_G(64), mended_D()
game = VanillaGAN(G, D, z_dim=64)
logits = D(x_real[::8])
D_steps = torch.optim.Adam(D.parameters(), lr=1e-3, betas=(0.5, 0.999))
for _ in range(20):
    loss = game.d_loss(data.sample(64), game.sample_z(64))
    D_steps.zero_grad()
    loss.backward()
    D_steps.step()
if not loss.item() < 0.9:  # a D that ends in a sigmoid cannot get below log(1 + 1/e) + log 2 = 1.006
    raise CheckFailed(f"mended_D: after 20 steps of its own, d_loss is {loss.item():.2f}. It does not learn.")
### END HIDDEN TESTS

# %% [markdown]
# Now watch your players: the same losses, the same loop, the same 200 rounds.

# %% tags=["watch"]
mended = play(mended_G, mended_D)

# %% [markdown]
# 200 rounds are the beginning of a run: blots that turn into strokes. What has changed is that the game is alive. `d_loss`
# moves, D's outputs reach to both sides of 0, higher on real images than on fakes, and G's images differ from the start.
#
# Of the two faults the sigmoid is the killer. A sigmoid's slope is $D (1 - D)$: once the output is next to 0, next to
# nothing passes back through it, neither to D nor to G. From then on D answers about 0 to everything, and the losses,
# which take that 0 for a logit, pay $\log 2$ for each half.
#
# The eps kills nothing. Before training the variances lie far below 0.8, so the layer divides every batch by nearly the
# same number, and G's images are nearly alike, as the first printed line shows. Then G's weights grow, and with them the
# variances, and batch norm begins to work after all. With only the sigmoid mended, task 5's FID-d at round 800 is even
# lower than with both (73 to 100 against 133 to 181 on three seeds), and in lesson 04's longer game both end near 15. So
# no measure of the samples shows this fault. It is one because the code does not do what its author meant: you find it
# before training, where G's images should differ and do not.

# %% [markdown]
# ## Task 5. Measure: what is wrong with these samples?
#
# A loss does not tell you. Write `verdict`, which looks at samples alone. It returns the **first** line that applies:
#
# | verdict | when |
# |---|---|
# | `"copies"` | the L2 distance from a sample to its nearest training image is below 2, on average over the samples |
# | `"collapsed"` | the spread of the samples is below a quarter of that of the training images |
# | `"no digits"` | FID-d is above 200 |
# | `"digit missing"` | the rarest digit has a share below 1 % |
# | `"nothing found"` | none of these |
#
# The order is part of the answer: the classifier's counts mean something only where the images look like digits. The 200
# is a rough line: the dead run of task 4 lies above it, and so do some sets that hold only one of the real digits.
#
# You have `spread(x)` from the top of this notebook, `digit_shares(x)` and `torch.cdist` as in the lesson, and `fid(x)`
# from the next cell. That one returns a plain float and compares with real images of its own, so call it as it stands;
# for the first two verdicts take the training images that are handed in as `x_real`. The cell also makes a few sets of
# 200 samples, each like a generator that you might meet.


# %% nbgrader={"grade": false, "grade_id": "sample_sets", "locked": true, "schema_version": 3, "solution": false, "task": false}
def pick(x, n, seed):
    """n images out of x, drawn with a seed."""
    return x[torch.randint(len(x), (n,), generator=torch.Generator().manual_seed(seed))]


def disturbed(x, size, seed):
    """The images with a little noise of their own each, within [-1, 1]."""
    return (x + size * torch.randn(x.shape, generator=torch.Generator().manual_seed(seed))).clamp(-1, 1)


fresh = digits("test")
x_test = fresh.all()  # digits that no net has seen: they stand in for the samples of a perfect generator
features_real = digit_features(pick(x_real, 1000, seed=0))


def fid(x):
    """FID-d of the images x against 1,000 real ones, a float."""
    return frechet_features(features_real, digit_features(x))


samples = {
    "as good as real": pick(x_test, 200, seed=1),
    "replays its training images": pick(x_real, 200, seed=2),
    "one image for every latent": disturbed(pick(x_test, 1, seed=3).repeat(200, 1, 1, 1), 0.05, seed=4),
    "noise": torch.rand(200, 1, 28, 28, generator=torch.Generator().manual_seed(5)) * 2 - 1,
    "never writes a 4": pick(x_test[fresh.labels != 4], 200, seed=6),
}

# %% tags=["watch"]
show(
    image_grid(torch.cat([x[:12] for x in samples.values()]), columns=12, width=750),
    "Each row is a set: "
    + "; ".join(samples)
    + ". The first two look alike: no eye tells a good generator from a copier.",
    "Five rows of 12 images: digits, digits, one digit 12 times, noise, digits without a 4.",
)


# %% nbgrader={"grade": false, "grade_id": "task5_verdict", "locked": false, "schema_version": 3, "solution": true, "task": false}
def verdict(x, x_real):
    """What is wrong with the samples x (N, 1, 28, 28): one of the five verdicts, a string.

    x_real: (M, 1, 28, 28), the training images.
    """
    ### BEGIN SOLUTION
    distances = torch.cdist(x.flatten(1), x_real.flatten(1))  # (N, M)
    if distances.min(1).values.mean() < 2:
        return "copies"
    if spread(x) < spread(x_real) / 4:
        return "collapsed"
    if fid(x) > 200:
        return "no digits"
    if digit_shares(x).min() < 0.01:
        return "digit missing"
    return "nothing found"
    ### END SOLUTION


# %% nbgrader={"grade": true, "grade_id": "task5_check", "locked": true, "points": 4, "schema_version": 3, "solution": false, "task": false}

VERDICTS = ("copies", "collapsed", "no digits", "digit missing", "nothing found")


def ask(x, x_real):
    """The student's verdict, or what its code cannot do."""
    try:
        return verdict(x, x_real)
    except AttributeError as error:
        if "'value'" not in str(error):
            raise
        raise CheckFailed("verdict: fid(x) is a float already; .value belongs to the lesson's fid_digits.") from None


def check_verdict(what, x, want, because, x_real=x_real):
    got = ask(x, x_real)
    if got not in VERDICTS:
        raise CheckFailed(f"verdict: got {got!r} back, wants one of {', '.join(map(repr, VERDICTS))}.")
    if got != want:
        reason = because.get(got, because[None]) if isinstance(because, dict) else because
        raise CheckFailed(f"verdict: {got!r} is not right for the set '{what}'; it is {want!r}. {reason}")


check_verdict(
    "as good as real",
    samples["as good as real"],
    "nothing found",
    {
        "copies": "No image here is in the training set. For each sample take the distance to its nearest training "
        "image; then average over samples. (One close pair is no copying, and L2 sums squares, then takes the root.)",
        "collapsed": "These differ as much as real digits do. Compare one pixel across the images of the batch.",
        "no digits": "Its FID-d is 4. Small is good.",
        "digit missing": "Its rarest digit has more than 6 %. digit_shares gives shares, not per cent and not counts.",
        None: "None of the four conditions holds here.",
    },
)
check_verdict(
    "replays its training images",
    samples["replays its training images"],
    "copies",
    "Each of these lies at distance 0 (up to rounding) from one training image. The minimum is taken for each sample, "
    "over the training images. FID-d cannot see it.",
)
check_verdict(
    "one image for every latent",
    samples["one image for every latent"],
    "collapsed",
    "Two hundred times the same image: look at how much a pixel changes from sample to sample, not within one image.",
)
check_verdict(
    "noise",
    samples["noise"],
    "no digits",
    {
        "digit missing": "You have asked the classifier before you knew that there is something to classify: it calls "
        "nearly all noise one digit.",
        None: "Its FID-d is about 1,600. Noise differs from image to image, so it is no collapse.",
    },
)
check_verdict(
    "never writes a 4",
    samples["never writes a 4"],
    "digit missing",
    "Its FID-d is near that of a good set: the average hides it. Ask for the rarest digit.",
)
print("✓ Task 5: all visible checks pass.")
### BEGIN HIDDEN TESTS
check_verdict(
    "copies with a trace of noise",
    disturbed(pick(x_real, 200, seed=7), 0.02, seed=8),
    "copies",
    "They lie at about 0.4 from a training image each: a trace of noise on top makes no new image.",
)
check_verdict(
    "copies with more noise",
    disturbed(pick(x_real, 200, seed=7), 0.08, seed=8),
    "copies",
    "They lie at about 1.7 from a training image each, and 1.7 squared is 2.8: the L2 distance has a root.",
)
check_verdict(
    "twenty copies among 200",
    torch.cat([pick(x_real, 20, seed=9), pick(x_test, 180, seed=10)]),
    "nothing found",
    "A tenth of these are copies, so the mean distance is far above 2: average over all samples.",
)
check_verdict(
    "nothing but fours",
    pick(x_test[fresh.labels == 4], 200, seed=11),
    "digit missing",
    "These are fours in many hands, with an FID-d of 175: one digit, and still no collapse of the images onto one.",
)
check_verdict(
    "no zeros",
    pick(x_test[fresh.labels != 0], 300, seed=12),
    "digit missing",
    "Every digit counts, and the number of samples may change.",
)
check_verdict(
    "grey squares",
    disturbed(torch.full((200, 1, 28, 28), -0.5), 0.05, seed=13),
    "collapsed",
    "Squares that are all alike are a collapse, whatever they show.",
)
check_verdict(
    "grey squares in many shades",
    disturbed(
        torch.rand(200, 1, 1, 1, generator=torch.Generator().manual_seed(16)).sub(1).repeat(1, 1, 28, 28), 0.05, 17
    ),
    "no digits",
    "They look like task 4's dead run, and their FID-d is about 234, above 200.",
)
check_verdict("other good samples", pick(x_test, 400, seed=14), "nothing found", "None of the four conditions holds.")
some = pick(x_real, 50, seed=15)
if ask(some, x_real[:10]) == "copies":
    raise CheckFailed("verdict: the training images are those handed in as x_real. Search there and nowhere else.")
if ask(0.2 * pick(x_test, 200, seed=18) - 0.8, 0.5 * x_real - 0.5) == "collapsed":
    raise CheckFailed(
        "verdict: a quarter of the spread of the training images handed in as x_real; theirs may be small."
    )
### END HIDDEN TESTS


# %% tags=["watch"]
def judge(name, x):
    """Print the verdict on 500 samples, and what it rests on."""
    shares = digit_shares(x)
    print(f"{name}: {verdict(x, x_real)}; FID-d {fid(x):.0f}, spread {spread(x):.2f}")
    print(f"  read as {shares.argmax()}: {shares.max():.0%}; below 1 %:", (shares < 0.01).nonzero().flatten().tolist())


judge("task 4's broken run, round 200", broken.sample(500, seed=0))
judge("your players, round 200", mended.sample(500, seed=0))
mended.run(600)  # about ten seconds
judge("your players, round 800", mended.sample(500, seed=0))
judge("naive Bayes", NaiveBayes().fit(data).sample(500, torch.Generator().manual_seed(0)))
show(
    image_grid(mended.sample(32, seed=0)),
    "Your players after 800 rounds.",
    "A grid of 32 generated images: grainy digits.",
)

# %% [markdown]
# After 200 rounds FID-d is *larger* for your living game than for the dead one: to the classifier your first blots are
# further from digits than grey squares are. The dead run's spread is near the real digits', too, since some squares are
# grey and some black. A number ranks what it measures; whether a game is alive you see in the samples and in D's outputs.
# With 600 rounds more your players leave the dead run behind and come near naive Bayes. (All these FID-d are of 500
# samples against 1,000 real ones: compare them with each other, and not with the lesson's.)
#
# Now the counts of digits. The lists name digits that are said to be missing. Before you believe them, look at the line
# of naive Bayes: it draws each of the ten digits equally often, and the classifier still reads most of its clouds as an
# "8". Grain does that, and your samples are grainy. So an FID-d below 200 is not yet a reason to trust the counts. In
# task 5's set without a 4, at an FID-d of 9, they are right.
#
# ## What you take away
#
# - G for images: linear layers, batch norm between them, tanh at the end, because real pixels lie in [-1, 1].
# - Both losses of G point the same way. They differ in length by $(1 - D)/D$, and Adam hides that difference.
# - A loss of $2 \log 2$ is also what a dead D pays. D ends in a logit, because the losses take logits.
# - No single measure judges a generator. Ask in order: copied? collapsed? digits at all? all of them?
