"""A lesson's own functions and classes, read from its source: nothing of it is trained or drawn."""

import ast
from pathlib import Path


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
