"""A lesson's own functions and classes, read from its source; a benchmark's; and what their tests share."""

import ast
import runpy
import sys
from pathlib import Path

import torch

from ganedu.data import digits


def load_definitions(path):
    """The namespace of a lesson after its imports, functions, classes and plain constants, and nothing else.

    Kept: ``import``, ``def``, ``class``, and assignments of a literal to a name (``z_dim = 8``, ``A, B = 1, 2``). What a
    function needs beyond that a test puts into the namespace, which the functions have as their globals.
    """
    path = Path(path)
    tree = ast.parse(path.read_text(encoding="utf-8"), filename=str(path))
    kept = ast.Module([node for node in tree.body if _defines(node)], [])
    namespace = {"__name__": path.stem, "__file__": str(path)}
    exec(compile(kept, str(path), "exec"), namespace)
    return namespace


def _defines(node):
    if isinstance(node, ast.Import | ast.ImportFrom | ast.FunctionDef | ast.ClassDef):
        return True
    if not isinstance(node, ast.Assign):
        return False
    try:
        ast.literal_eval(node.value)
    except ValueError:
        return False
    return all(isinstance(t, ast.Name | ast.Tuple) for t in node.targets)


def load_benchmark(name):
    """The namespace of benchmarks/``name``, without running it: its own names, as a dict."""
    folder = str(Path(__file__).resolve().parent.parent / "benchmarks")
    sys.path.insert(0, folder)  # the scripts import each other
    try:
        return runpy.run_path(str(Path(folder) / name))
    finally:
        sys.path.remove(folder)


def assert_same_game(own, twin, n_G, n_D):
    """Two games built from one seed: equal parameters (n_G and n_D of them, counted by hand), samples and losses."""
    for mine, theirs in zip(own.state_dict().items(), twin.state_dict().items(), strict=True):
        assert mine[0] == theirs[0] and torch.equal(mine[1], theirs[1]), mine[0]
    assert sum(p.numel() for p in own.G.parameters()) == n_G
    assert sum(p.numel() for p in own.D.parameters()) == n_D
    x, z = digits().sample(16, torch.Generator().manual_seed(1)), torch.randn(16, own.z_dim)
    assert torch.equal(own.generate(z), twin.generate(z))
    assert torch.equal(own.d_loss(x, z), twin.d_loss(x, z))
    assert torch.equal(own.g_loss(x, z), twin.g_loss(x, z))
