"""How fast a round is: ganedu's Trainer against plain PyTorch loops over the same nets.

    python benchmarks/engine.py [--only mlp] [--batch 64] [--compiled] [--turns 5] [--seconds-per-cell 15] [--threads 2]

Three plain loops. The *public* one is written the way public GAN repositories write it: images decoded one by one behind a
DataLoader, a sigmoid and BCELoss with tensors of labels, Adam as it comes, ``.item()`` for a line of log at every step, one set of
fakes for both players, and in the WGAN-GP no ``detach`` before the critic. The *careful* one holds its pictures in memory as
floats and indexes them, decodes nothing, takes BCE with logits, makes D's fakes without a graph, and logs with ``.item()`` as well;
each player draws latents of its own, as lessons do. The *careful one on the same fakes* lets G learn from the fakes that D has just
judged. A row of ganedu's is compared with the public loop and with the careful one of its kind. The nets are the course's own, and for
the MLP GAN also the wide ones of the repositories; all play the same number of updates on batches of the same size.

Each kind of loop of a cell (a model and a batch size) lives in a process of its own, and they take turns; medians are given, ratios
turn by turn. Load from other programs is watched: above 0.1 core the row is void and says so. Rows are added to
results/engine-<device>.json, and the table is written anew beside it, so that the benchmark may be run in parts; on a CPU the README's
table is written from it as well.
"""

import argparse
import json
import os
import platform
import re
import resource
import statistics
import subprocess
import sys
import time
import warnings
from collections import defaultdict
from datetime import date
from pathlib import Path

RESULTS = Path(__file__).parent / "results"
README = Path(__file__).parents[1] / "README.md"
FOREIGN = 0.1  # cores that others may use
IMAGES = 4096  # in the data set: random bytes, whose content makes no round faster
MODELS = ("mlp", "mlp_wide", "dcgan28", "wgan_gp", "dcgan64")
NAMES = {
    "mlp": "MLP GAN, 28x28",
    "mlp_wide": "MLP GAN, wide, 28x28",
    "dcgan28": "DCGAN, 28x28",
    "wgan_gp": "WGAN-GP MLP, 28x28",
    "dcgan64": "DCGAN, 64x64x3",
}
PUBLIC = "public loop"
CAREFUL = "careful loop, own latents"
SHARING = "careful loop, same fakes"


def make_game(model, device):
    from torch import nn

    from ganedu.models.dcgan import DCGAN
    from ganedu.models.vanilla import Discriminator, VanillaGAN
    from ganedu.models.wgan_gp import WGANGP

    def wide_mlp():
        """Sizes as public repositories copy them from each other: latents of 100, G up to 1024, batch norm but in the first."""
        sizes, layers = [100, 128, 256, 512, 1024], []
        for i, (n_in, n_out) in enumerate(zip(sizes, sizes[1:])):
            layers += [nn.Linear(n_in, n_out), *[nn.BatchNorm1d(n_out)][: i > 0], nn.LeakyReLU(0.2)]
        G = nn.Sequential(*layers, nn.Linear(1024, 784), nn.Tanh(), nn.Unflatten(1, (1, 28, 28)))
        return VanillaGAN(G, Discriminator(), z_dim=100)

    wide = 64 if device == "cuda" else 16  # the paper's width is a matter for a GPU
    return {
        "mlp": VanillaGAN,
        "mlp_wide": wide_mlp,
        "dcgan28": DCGAN,
        "wgan_gp": WGANGP,
        "dcgan64": lambda: DCGAN(data_shape=(3, 64, 64), width=wide),
    }[model]()


def make_images(model):
    import torch

    shape = (3, 64, 64) if model == "dcgan64" else (1, 28, 28)
    return torch.randint(256, (IMAGES, *shape), dtype=torch.uint8, generator=torch.Generator().manual_seed(0))


# --- the plain loop ----------------------------------------------------------------------------------------------


def public_loop(game, images, batch_size, device, lap):
    """A function that plays one round the usual way. ``lap(name)`` books the time since the last call under ``name``."""
    import numpy as np
    import torch
    from PIL import Image
    from torch import nn
    from torch.utils.data import DataLoader, Dataset

    class Pictures(Dataset):
        """As image folders and their like do it: a PIL image an item, turned into a tensor and normalised."""

        def __init__(self):
            self.arrays = images.permute(0, 2, 3, 1).numpy()

        def __len__(self):
            return len(self.arrays)

        def __getitem__(self, i):
            picture = Image.fromarray(self.arrays[i].squeeze())
            pixels = torch.from_numpy(np.array(picture, copy=True))
            pixels = pixels.view(picture.size[1], picture.size[0], -1).permute(2, 0, 1).contiguous()
            return pixels.to(torch.float32).div(255).sub(0.5).div(0.5), 0

    loader = DataLoader(Pictures(), batch_size=batch_size, shuffle=True, drop_last=True)
    generator, discriminator = game.G.to(device).train(), game.D.to(device).train()
    optimizer_G = torch.optim.Adam(generator.parameters(), lr=2e-4, betas=game.betas)
    optimizer_D = torch.optim.Adam(discriminator.parameters(), lr=2e-4, betas=game.betas)
    adversarial_loss, sigmoid = nn.BCELoss(), nn.Sigmoid()
    log = []

    def batches():
        while True:
            yield from loader

    batch = iter(batches())

    def gan_round():
        imgs, _ = next(batch)
        real_imgs = imgs.to(device)
        valid = torch.ones(len(imgs), 1, device=device)
        fake = torch.zeros(len(imgs), 1, device=device)
        lap("data")

        optimizer_G.zero_grad()
        z = torch.randn(len(imgs), game.z_dim, device=device)
        gen_imgs = generator(z)
        g_loss = adversarial_loss(sigmoid(discriminator(gen_imgs)), valid)
        g_loss.backward()
        lap("G")
        optimizer_G.step()
        lap("optimisers")

        optimizer_D.zero_grad()
        real_loss = adversarial_loss(sigmoid(discriminator(real_imgs)), valid)
        fake_loss = adversarial_loss(sigmoid(discriminator(gen_imgs.detach())), fake)
        d_loss = (real_loss + fake_loss) / 2
        d_loss.backward()
        lap("D")
        optimizer_D.step()
        lap("optimisers")
        log.append((d_loss.item(), g_loss.item()))
        lap("rest")

    def gradient_penalty(real_samples, fake_samples):
        alpha = torch.from_numpy(np.random.random((len(real_samples), 1, 1, 1)).astype(np.float32)).to(device)
        interpolates = (alpha * real_samples + (1 - alpha) * fake_samples).requires_grad_(True)
        d_interpolates = discriminator(interpolates)
        gradients = torch.autograd.grad(
            outputs=d_interpolates,
            inputs=interpolates,
            grad_outputs=torch.ones_like(d_interpolates),
            create_graph=True,
            retain_graph=True,
            only_inputs=True,
        )[0]
        gradients = gradients.view(gradients.size(0), -1)
        return ((gradients.norm(2, dim=1) - 1) ** 2).mean()

    def wgan_round():
        for _ in range(game.n_critic):
            imgs, _ = next(batch)
            real_imgs = imgs.to(device)
            lap("data")
            optimizer_D.zero_grad()
            z = torch.randn(len(imgs), game.z_dim, device=device)
            fake_imgs = generator(z)
            penalty = gradient_penalty(real_imgs.data, fake_imgs.data)
            d_loss = -discriminator(real_imgs).mean() + discriminator(fake_imgs).mean() + game.gp_weight * penalty
            d_loss.backward()
            lap("D")
            optimizer_D.step()
            lap("optimisers")
        optimizer_G.zero_grad()
        g_loss = -discriminator(generator(z)).mean()
        g_loss.backward()
        lap("G")
        optimizer_G.step()
        lap("optimisers")
        log.append((d_loss.item(), g_loss.item()))
        lap("rest")

    return wgan_round if hasattr(game, "gp_weight") else gan_round


def careful_loop(game, images, batch_size, device, lap, same_fakes=False):
    """The same round as somebody writes it who minds the time. ``same_fakes``: G learns from those that D has judged."""
    import torch
    from torch import nn

    from ganedu.regularizers import gradient_penalty

    pictures = (images.float() / 127.5 - 1).to(device)
    G, D = game.G.to(device).train(), game.D.to(device).train()
    optimizer_G = torch.optim.Adam(G.parameters(), lr=2e-4, betas=game.betas)
    optimizer_D = torch.optim.Adam(D.parameters(), lr=2e-4, betas=game.betas)
    bce = nn.BCEWithLogitsLoss()
    real, fake = torch.ones(batch_size, 1, device=device), torch.zeros(batch_size, 1, device=device)
    is_critic, log = hasattr(game, "gp_weight"), []

    def draw():
        x = pictures[torch.randint(len(pictures), (batch_size,), device=device)]
        lap("data")
        return x, torch.randn(batch_size, game.z_dim, device=device)

    def play():
        for _ in range(game.n_critic):
            x, z = draw()
            if same_fakes:
                fakes = G(z)
                judged = fakes.detach()
            else:
                with torch.no_grad():
                    judged = G(z)
            optimizer_D.zero_grad()
            if is_critic:
                d_loss = D(judged).mean() - D(x).mean() + game.gp_weight * gradient_penalty(D, x, judged)
            else:
                d_loss = bce(D(x), real) + bce(D(judged), fake)
            d_loss.backward()
            lap("D")
            optimizer_D.step()
            lap("optimisers")
        if not same_fakes:
            fakes = G(torch.randn(batch_size, game.z_dim, device=device))
        optimizer_G.zero_grad()
        g_loss = -D(fakes).mean() if is_critic else bce(D(fakes), real)
        g_loss.backward()
        lap("G")
        optimizer_G.step()
        lap("optimisers")
        log.append((d_loss.item(), g_loss.item()))
        lap("rest")

    return play


# --- ganedu ------------------------------------------------------------------------------------------------------


def kinds_on(device, model, compiled=False):
    """Name -> (the plain loop of its kind, fields of ``Speed``); a plain loop has no fields."""
    import torch

    fakes = {} if model == "wgan_gp" else {"reuse": True}  # five turns of D have five sets of fakes
    like = SHARING if fakes else CAREFUL
    kinds = {PUBLIC: (PUBLIC, None), CAREFUL: (CAREFUL, None)}
    if fakes:
        kinds[SHARING] = (SHARING, None)
    if device == "cuda":
        return {
            **kinds,
            "ganedu, fp32, one kernel at a time": (CAREFUL, {"fast": False}),
            "ganedu, fp32": (CAREFUL, {}),
            "ganedu, bf16": (CAREFUL, {"precision": torch.bfloat16}),
        }
    conv = {"channels_last": True} if "dcgan" in model else {}
    same, last = ", same fakes" if fakes else "", ", channels last" if conv else ""
    kinds["ganedu, fp32"] = (CAREFUL, {})
    if conv:
        kinds[f"ganedu, fp32{last}"] = (CAREFUL, conv)
    if fakes:
        kinds[f"ganedu, fp32{same}{last}"] = (like, {**fakes, **conv})
    kinds[f"ganedu, bf16{same}{last}"] = (like, {"precision": torch.bfloat16, **fakes})
    if compiled:
        kinds[f"ganedu, fp32{same}{last}, compiled"] = (like, {"compile": True, **fakes, **conv})
        kinds[f"ganedu, bf16{same}{last}, compiled"] = (like, {"precision": torch.bfloat16, "compile": True, **fakes})
    return {name: (of, None if fields is None else {"tune": False, **fields}) for name, (of, fields) in kinds.items()}


class Laps:
    """Books time: ``laps(name)`` adds what passed since the last call. Off, it does nothing."""

    def __init__(self, wait):
        self.wait, self.on = wait, False

    def start(self):
        self.on, self.spent = True, defaultdict(float)
        self.wait()
        self.last = time.perf_counter()

    def __call__(self, name):
        if self.on:
            self.wait()
            now = time.perf_counter()
            self.spent[name] += now - self.last
            self.last = now


def booked(trainer, laps):
    """Let the parts of the trainer's plain round book their time. For a few rounds; they are slower for it."""
    import torch

    def timed(name, function):
        def call(*args, **kwargs):
            laps("rest")
            result = function(*args, **kwargs)
            laps(name)
            return result

        return call

    step, player_now, backward = trainer.plain_step, ["D"], torch.Tensor.backward
    trainer.game.draw = timed("data", trainer.game.draw)
    loss = step.loss

    def timed_loss(player, batch):
        player_now[0] = player
        return timed(player, loss)(player, batch)

    step.loss = timed_loss
    for optimizer in trainer.optimizers.values():
        optimizer.zero_grad = timed("optimisers", optimizer.zero_grad)
        optimizer.step = timed("optimisers", optimizer.step)
    torch.Tensor.backward = lambda self, *a, **k: timed(player_now[0], backward)(self, *a, **k)


def prepare(model, batch_size, device, kind, laps, compiled):
    """(a function that plays one round, its Trainer or None)"""
    import torch

    from ganedu.data import ImageData
    from ganedu.training import Speed, Trainer

    torch.manual_seed(0)
    game, images = make_game(model, device), make_images(model)
    fields = kinds_on(device, model, compiled)[kind][1]
    if kind == PUBLIC:
        return public_loop(game, images, batch_size, device, laps), None
    if fields is None:
        return careful_loop(game, images, batch_size, device, laps, same_fakes=kind == SHARING), None
    trainer = Trainer(game, ImageData(images), batch_size=batch_size, device=device, seed=0, speed=Speed(**fields))
    trainer.game.train()
    return trainer.step, trainer


# --- one kind of loop, in a process of its own ---------------------------------------------------------------------


def serve(model, batch_size, device, n_threads, compiled, kind):
    """Play rounds as asked for on standard input, a line of JSON each, and answer on standard output."""
    import torch

    torch.set_num_threads(n_threads)
    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    laps = Laps(wait)
    play, trainer = prepare(model, batch_size, device, kind, laps, compiled)
    warnings.filterwarnings("error", message="compile:")  # a row that says compiled is
    for line in sys.stdin:
        what, number = json.loads(line)
        if what == "play":
            started = time.perf_counter()
            for _ in range(number):
                play()
            wait()
            answer = time.perf_counter() - started
        elif what == "gflop":
            answer = flops_of(play if trainer is None else trainer.speed.wrap_plainly(trainer.plain_step)) / 1e9
        elif what == "split":
            answer = split(play, trainer, laps, number)
        else:
            answer = peak_memory(device)
        print(json.dumps([answer, time.process_time()]), flush=True)


def split(play, trainer, laps, seconds):
    """Share of a round's time by what it goes into, from a few rounds; {} where a round is one launch."""
    import torch

    if trainer is not None and (
        trainer.speed.compile or (trainer.device.type == "cuda" and trainer.speed.fast is not False)
    ):
        return {}
    backward, times = torch.Tensor.backward, 0
    try:
        if trainer is not None:
            booked(trainer, laps)
        until = time.perf_counter() + seconds
        laps.start()
        while times == 0 or (time.perf_counter() < until and times < 20):
            play()
            laps("rest")
            times += 1
    finally:
        torch.Tensor.backward, laps.on = backward, False
    total = sum(laps.spent.values())
    return {name: round(spent / total, 3) for name, spent in laps.spent.items()}


def peak_memory(device):
    """Peak memory so far, MiB: of the process on a CPU, of torch's tensors on CUDA."""
    if device == "cuda":
        import torch

        return torch.cuda.max_memory_allocated() / 2**20
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (2**20 if sys.platform == "darwin" else 2**10)


class Arm:
    """A kind of loop in its process: ``arm("play", 10)`` is the seconds that ten rounds took."""

    def __init__(self, *where):
        command = [sys.executable, __file__, "--serve", *map(str, where)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.cpu = 0.0  # seconds of processor time so far

    def __call__(self, what, number=0):
        self.process.stdin.write(json.dumps([what, number]) + "\n")
        self.process.stdin.flush()
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"{' '.join(self.process.args)} failed with exit code {self.process.wait()}")
        answer, self.cpu = json.loads(line)
        return answer

    def end(self):
        self.process.stdin.close()
        self.process.wait()


# --- one cell ----------------------------------------------------------------------------------------------------


class Others:
    """Cores that other programs keep busy, between ``start`` and ``cores``. None where the system does not tell."""

    def _busy(self):
        try:
            fields = [int(n) for n in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
        except OSError:
            return None
        user, nice, system, _, _, irq, softirq, *steal = fields
        return (user + nice + system + irq + softirq + sum(steal[:1])) / os.sysconf("SC_CLK_TCK")

    def start(self, arms=()):
        self.arms = list(arms)
        self.at = time.perf_counter(), self._busy(), self._own()

    def _own(self):
        return time.process_time() + sum(arm.cpu for arm in self.arms)

    def cores(self):
        began, busy, own = self.at
        if busy is None:
            return None
        return max(0.0, (self._busy() - busy - (self._own() - own)) / (time.perf_counter() - began))


def peaks(device):
    """What this machine computes at best: GFLOP/s of a large matrix product and of a convolution, fp32 and bf16."""
    import torch
    from torch.nn.functional import conv2d

    wait = torch.cuda.synchronize if device == "cuda" else (lambda: None)
    n = 8192 if device == "cuda" else 1536
    batch = 256 if device == "cuda" else 32
    found = {}
    for name, kind in (("fp32", torch.float32), ("bf16", torch.bfloat16)):
        a, b = torch.randn(2, n, n, device=device).to(kind)
        x = torch.randn(batch, 64, 32, 32, device=device).to(kind, memory_format=torch.channels_last)
        w = torch.randn(128, 64, 4, 4, device=device).to(kind, memory_format=torch.channels_last)
        for label, flops, compute in (
            ("GEMM", 2 * n**3, lambda a=a, b=b: a @ b),
            ("convolution", 2 * batch * 16 * 16 * 128 * 64 * 16, lambda x=x, w=w: conv2d(x, w, None, 2, 1)),
        ):
            best, until = float("inf"), time.perf_counter() + 0.4
            while time.perf_counter() < until:
                wait()
                started = time.perf_counter()
                compute()
                wait()
                best = min(best, time.perf_counter() - started)
            found[f"{label} {name}"] = round(flops / best / 1e9, 1)
    return found


def flops_of(play):
    """Floating-point operations of one round: matrix products and convolutions, of every pass."""
    from torch.utils._python_dispatch import TorchDispatchMode
    from torch.utils.flop_counter import flop_registry

    class Counter(TorchDispatchMode):
        total = 0

        def __torch_dispatch__(self, func, types, args=(), kwargs=None):
            out = func(*args, **(kwargs or {}))
            if func._overloadpacket in flop_registry:
                self.total += flop_registry[func._overloadpacket](*args, **(kwargs or {}), out_val=out)
            return out

    with Counter() as counter:
        play()
    return counter.total


def measure_cell(model, batch_size, device, n_threads, compiled, turns, seconds):
    others = Others()
    others.start()
    time.sleep(1)
    before = others.cores()
    kinds = kinds_on(device, model, compiled)
    arms = {kind: Arm(model, batch_size, device, n_threads, compiled, kind) for kind in kinds}
    plays = {}
    for kind, arm in arms.items():
        arm("play", 6 if device == "cuda" else 3)
        plays[kind] = max(1, round(seconds / len(kinds) / turns / arm("play", 1)))
    updates = make_game(model, device).n_critic
    speeds = {kind: [] for kind in arms}
    others.start(arms.values())
    for turn in range(turns):
        for kind in list(arms)[:: 1 if turn % 2 else -1]:
            speeds[kind].append(plays[kind] * batch_size * updates / arms[kind]("play", plays[kind]))
    during = others.cores()

    row = {"model": model, "batch": batch_size, "threads": n_threads, "turns": turns, "kinds": {}}
    load = [cores for cores in (before, during) if cores is not None]
    row["foreign_cores"] = round(max(load), 2) if load else None
    row["void"] = bool(load) and max(load) > FOREIGN
    row["peaks"] = in_a_fresh_process("peaks", device, n_threads)
    for kind, arm in arms.items():
        against = kinds[kind][0]
        median = statistics.median(speeds[kind])
        gflop, ms = arm("gflop"), 1e3 * batch_size * updates / median
        peak = row["peaks"]["GEMM bf16" if "bf16" in kind else "GEMM fp32"]
        ratios = {of: [s / p for s, p in zip(speeds[kind], speeds[of])] for of in (PUBLIC, against)}
        row["kinds"][kind] = {
            "images_a_second": round(median, 1),
            "ms_a_round": round(ms, 3),
            "against": against,
            "ratio": round(statistics.median(ratios[against]), 2),
            "ratio_to_public": round(statistics.median(ratios[PUBLIC]), 2),
            "ratios": [round(r, 2) for r in ratios[against]],
            "gflop_a_round": round(gflop, 3),
            "share_of_peak": round(1e3 * gflop / ms / peak, 3),
            "bound": round(1e3 * batch_size * updates / statistics.median(speeds[against]) / (1e3 * gflop / peak), 2),
            "peak_mib": round(arm("memory"), 1),
        }
        parts = arm("split", 0.1 * seconds)
        if parts:
            row["kinds"][kind]["split"] = parts
        arm.end()
    return row


# --- the table ---------------------------------------------------------------------------------------------------


def device_name(device):
    if device == "cuda":
        import torch

        return torch.cuda.get_device_name()
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
        name = next(line.split(":", 1)[1].strip() for line in lines if line.startswith("model name"))
        flags = next(line for line in lines if line.startswith("flags"))
        units = [unit for unit in ("amx_bf16", "avx512_bf16") if unit in flags]
    except (OSError, StopIteration):
        name, units = platform.processor() or platform.machine(), []
    return f"{name}, {os.cpu_count()} cores seen, bf16 units: {', '.join(units) or 'none'}"


def markdown(report):
    lines = [
        f"# A round: ganedu against plain PyTorch loops, {report['device_kind']}",
        "",
        f"{report['device']}; torch {report['torch']}; {report['date']}. Made by `python benchmarks/engine.py`, which says "
        "what the three plain loops are. Images a second are real images that D has seen. A ratio is the median of those of each "
        "turn, the quotient of two measurements made one after the other: against the public loop, and against the careful one of "
        "the same kind. *Of peak*: the arithmetic that the round needs, as a share of what a large matrix product of that precision "
        "reaches on this machine. *At most*: the ratio to the careful loop that would be reached if the round took the time of its "
        "arithmetic at that peak, and nothing else took any.",
        "",
        "| model | batch | threads | loop | images/s | ms a round | to public | to careful | at most | of peak | peak MiB "
        "| time goes into |",
        "|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        for kind, r in row["kinds"].items():
            plain = kind in (PUBLIC, CAREFUL, SHARING)
            to_public = "**void**" if row["void"] else f"{r['ratio_to_public']:.2f}"
            ratio, bound = (
                ("", "") if plain else ("**void**" if row["void"] else f"{r['ratio']:.2f}", f"{r['bound']:.1f}")
            )
            parts = ", ".join(f"{name} {100 * share:.0f} %" for name, share in r.get("split", {}).items())
            lines.append(
                f"| {NAMES[row['model']]} | {row['batch']} | {row['threads']} | {kind} | {r['images_a_second']:,.0f} "
                f"| {r['ms_a_round']:.2f} | {to_public} | {ratio} | {bound} "
                f"| {r['share_of_peak']:.0%} | {r['peak_mib']:,.0f} | {parts} |"
            )
    void = [row for row in report["rows"] if row["void"]]
    if void:
        cells = ", ".join(f"{NAMES[r['model']]} at {r['batch']} ({r['foreign_cores']} cores)" for r in void)
        lines += [
            "",
            f"**Void**, as other programs used more than {FOREIGN} core: {cells}. Their numbers prove nothing.",
        ]
    best = defaultdict(float)
    for row in report["rows"]:
        for name, rate in row["peaks"].items():
            best[name] = max(best[name], rate)
    rates = "; ".join(f"{name} {rate:,.0f}" for name, rate in best.items())
    lines += ["", f"The machine's own peak in GFLOP/s, the best of all cells: {rates}.", ""]
    return "\n".join(lines)


SHORT = re.compile(r", (same fakes|channels last)")  # of a kind's name; what is left says the column


def readme_table(report):
    """The README's table: ratios to the careful loop of the same kind, and what lessons run at against the public one."""
    lines = [
        "| nets | batch | as lessons run, to public | as lessons run | + channels last | + same fakes | bf16 | bf16, compiled |",
        "|---|---|---|---|---|---|---|---|",
    ]
    for row in report["rows"]:
        kinds = {name: r for name, r in row["kinds"].items() if name.startswith("ganedu")}

        def cell(found, key="ratio", void=row["void"]):
            return "void" if found and void else f"{found[0][key]:.2f}" if found else ""

        def of(short, fakes, kinds=kinds):
            return [r for n, r in kinds.items() if SHORT.sub("", n) == short and ("same fakes" in n) == fakes]

        fp32 = [kinds["ganedu, fp32"]]
        last = [r for n, r in kinds.items() if n == "ganedu, fp32, channels last"]
        shared = of("ganedu, fp32", True)
        bf16 = of("ganedu, bf16", True) or of("ganedu, bf16", False)
        compiled = of("ganedu, bf16, compiled", True) or of("ganedu, bf16, compiled", False)
        cells = [cell(fp32, "ratio_to_public"), *map(cell, (fp32, last, shared, bf16, compiled))]
        lines.append(f"| {NAMES[row['model']]} | {row['batch']} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def write_readme(report, path=README):
    """Put the table between its markers in the README."""
    text = path.read_text(encoding="utf-8")
    start, end = "<!-- speed -->", "<!-- /speed -->"
    before, _, rest = text.partition(start)
    _, found, after = rest.partition(end)
    if not found:
        sys.exit(f"{path}: got no {start} and {end}, wants both around the table of speed")
    path.write_text(f"{before}{start}\n{readme_table(report)}\n{end}{after}", encoding="utf-8")


def write(path, head, rows):
    """The JSON and the table; after each cell, so that a run that is broken off has not been for nothing."""
    in_order = sorted(rows.values(), key=lambda r: (MODELS.index(r["model"]), r["batch"], r["threads"]))
    report = {**head, "rows": in_order}
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=1) + "\n", encoding="utf-8")
    path.with_suffix(".md").write_text(markdown(report), encoding="utf-8")


def in_a_fresh_process(*arguments):
    command = [sys.executable, __file__, "--part", *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{' '.join(command)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def main():
    if sys.argv[1:2] == ["--serve"]:
        model, batch_size, device, n_threads, compiled, kind = sys.argv[2:]
        serve(model, int(batch_size), device, int(n_threads), compiled == "True", kind)
        return 0

    import torch

    if sys.argv[1:3] == ["--part", "peaks"]:
        torch.set_num_threads(int(sys.argv[4]))
        print(json.dumps(peaks(sys.argv[3])))
        return 0

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--only", choices=MODELS, action="append", help="a model; may be given again (all)")
    parser.add_argument("--batch", type=int, action="append", help="a batch size; may be given again (64 and 256)")
    parser.add_argument("--compiled", action="store_true", help="the compiled trainer as well; on a CPU, minutes more")
    parser.add_argument("--turns", type=int, default=5, help="turns of each loop, at least 5 count (5)")
    parser.add_argument("--seconds-per-cell", type=float, default=20, help="of measuring, without warm-up (20)")
    parser.add_argument(
        "--threads", type=int, default=torch.get_num_threads(), help="torch's threads (all it would use)"
    )
    parser.add_argument("--device", choices=("cpu", "cuda"), default="cuda" if torch.cuda.is_available() else "cpu")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    o = parser.parse_args()
    path = o.out / f"engine-{o.device}.json"
    head = {"device_kind": o.device, "device": device_name(o.device), "torch": torch.__version__}
    rows = {}
    if path.is_file():
        old = json.loads(path.read_text(encoding="utf-8"))
        if all(old.get(key) == value for key, value in head.items()):  # another machine's rows do not belong here
            # rows of before the careful loops say less than the table wants
            rows = {(r["model"], r["batch"], r["threads"]): r for r in old["rows"] if CAREFUL in r["kinds"]}
    for model in o.only or MODELS:
        for batch_size in o.batch or (64, 256):
            row = measure_cell(model, batch_size, o.device, o.threads, o.compiled, o.turns, o.seconds_per_cell)
            rows[model, batch_size, o.threads] = row
            write(path, {**head, "python": platform.python_version(), "date": date.today().isoformat()}, rows)
            ratios = ", ".join(
                f"{kind} {r['ratio']:.2f} ({r['ratio_to_public']:.2f})"
                for kind, r in row["kinds"].items()
                if kind != PUBLIC
            )
            void = f"  VOID: others used {row['foreign_cores']} cores" if row["void"] else ""
            print(f"{NAMES[model]}, batch {batch_size}: {ratios}{void}", flush=True)
    if o.device == "cpu" and o.out == RESULTS:
        write_readme(json.loads(path.read_text(encoding="utf-8")))
    return 1 if any(row["void"] for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
