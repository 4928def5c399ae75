"""A lesson's own functions and classes, read from its source, and their twins in the library; a benchmark's as well."""

import ast
import inspect
import re
import runpy
import sys
from pathlib import Path
from types import ModuleType

import jupytext

from ganedu.data import digits
from ganedu.gan import Game


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


def twin_modules(path, namespace):
    """The library's modules that the lesson's part on its twin names: from the word "twin" to the summary."""
    inside, modules = False, {}
    for cell in jupytext.read(path, fmt="py:percent").cells:
        if cell.cell_type == "markdown":
            inside = bool(re.search(r"library('s)? twin", cell.source)) or inside
            inside = inside and not re.search(r"^## .*summary", cell.source, re.IGNORECASE | re.MULTILINE)
        elif inside:
            for value in _named(cell.source, namespace):
                module = value if isinstance(value, ModuleType) else sys.modules.get(getattr(value, "__module__", ""))
                if module is not None and module.__name__.startswith("ganedu."):
                    modules[module.__name__] = module
    return list(modules.values())


def _named(source, namespace):
    """What the names in a cell stand for, those of its own imports included."""
    tree = ast.parse(source)
    here = dict(namespace)
    imports = [node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom)]
    exec(compile(ast.Module(imports, []), "imports", "exec"), here)
    return [here[node.id] for node in ast.walk(tree) if isinstance(node, ast.Name) and node.id in here]


def own_games(path, namespace):
    """The games that a lesson builds itself, on ``Game`` or ``GAN``: {name: class}. A change of another game is none."""
    return {
        name: value
        for name, value in namespace.items()
        if inspect.isclass(value)
        and issubclass(value, Game)
        and value.__module__ == path.stem
        and any(base.__module__ == "ganedu.gan" for base in value.__bases__)
    }


def pairs(path, namespace):
    """The classes that the lesson defines and a module of its twin does too: {name: (the lesson's, the library's)}."""
    found = {}
    for module in twin_modules(path, namespace):
        for name, twin in vars(module).items():
            own = namespace.get(name)
            if (
                inspect.isclass(own)
                and own.__module__ == path.stem
                and getattr(twin, "__module__", "") == module.__name__
            ):
                found[name] = (own, twin)
    return found


def data_of(path, namespace):
    """The lesson's ``data``, if it is a data set of ganedu.data with plain arguments; else the digits."""
    for node in ast.parse(path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and [ast.unparse(target) for target in node.targets] == ["data"]:
            call = node.value
            if isinstance(call, ast.Call) and getattr(
                namespace.get(ast.unparse(call.func)), "__module__", ""
            ).startswith("ganedu.data"):
                return eval(compile(ast.Expression(call), str(path), "eval"), namespace)
    return digits()


def load_benchmark(name):
    """The namespace of benchmarks/``name``, without running it: its own names, as a dict."""
    folder = str(Path(__file__).resolve().parent.parent / "benchmarks")
    sys.path.insert(0, folder)  # the scripts import each other
    try:
        return runpy.run_path(str(Path(folder) / name))
    finally:
        sys.path.remove(folder)
