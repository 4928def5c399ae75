"""The house has floors: imports never go up, and on one floor they make no circle. Read from the source."""

import ast
from pathlib import Path

import pytest

import ganedu

PACKAGE = Path(ganedu.__file__).parent

FLOORS = {
    0: (
        "arguments",
        "runtime",
        "losses",
        "regularizers",
        "divergences",
        "blocks",
        "diffaugment",
        "interpolation",
        "upsampling",
        "data",
        "results",
        "metrics",
    ),
    1: ("gan",),
    2: ("models",),
    3: (
        "training",
        "looking",
        "control",
        "hooks",
        "speed",
        "checkpoints",
        "distributed",
        "failures",
        "publishing",
        "diagnosis",
    ),
    4: ("views", "checks"),
    5: ("cli", "__main__"),
}
FLOOR = {name: floor for floor, names in FLOORS.items() for name in names}
ONLY_IN_VIEWS = ("matplotlib", "ipywidgets", "IPython", "jupyter_ui_poll")


def modules_of(package):
    """Dotted name -> path of every module of the package; a package's own name stands for its __init__.py."""
    modules = {}
    for path in sorted(package.rglob("*.py")):
        parts = path.relative_to(package.parent).with_suffix("").parts
        modules[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return modules


def imports_of(name, path, modules):
    """What a module imports anywhere in its text, functions included: (names in the package, top-level others)."""
    inner, outer = set(), set()
    is_package = path.name == "__init__.py"
    root = name.split(".")[0]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                here = name.split(".")
                here = here[: len(here) - node.level + is_package]
                base = ".".join([*here, base] if base else here)
            # `from package import thing`: the thing may be a module of its own
            targets = [full if (full := f"{base}.{alias.name}") in modules else base for alias in node.names]
        else:
            continue
        for target in targets:
            if target.split(".")[0] == root:
                inner.add(target)
            else:
                outer.add(target.split(".")[0])
    inner.discard(name)
    return inner, outer


def circles(graph):
    """Names on a circle of the graph, found by walking from each name back to itself."""

    def reachable(start):
        seen, todo = set(), list(graph.get(start, ()))
        while todo:
            name = todo.pop()
            if name not in seen:
                seen.add(name)
                todo.extend(graph.get(name, ()))
        return seen

    return sorted(name for name in graph if name in reachable(name))


def faults_of(package):
    """A sentence for each breach of the rules."""
    modules, faults, graph = modules_of(package), [], {}
    root = package.name
    for name, path in modules.items():
        if name == root:
            continue  # ganedu/__init__.py only names its submodules, and loads them when they are asked for
        part = name.split(".")[1]
        if part not in FLOOR:
            faults.append(f"{name} stands on no floor: give it one in tests/test_floors.py")
            continue
        inner, outer = imports_of(name, path, modules)
        for target in sorted(inner - {root}):
            other = target.split(".")[1]
            if FLOOR.get(other, 99) > FLOOR[part]:
                faults.append(f"{name} (floor {FLOOR[part]}) imports {target} (floor {FLOOR.get(other)})")
        graph[name] = {target for target in inner if target != root}
        if part != "views":
            faults += [f"{name} imports {library}" for library in ONLY_IN_VIEWS if library in outer]
    faults += [f"{name} is on a circle of imports" for name in circles(graph)]
    return faults


def test_imports_go_down_and_make_no_circle():
    assert faults_of(PACKAGE) == []


def test_no_file_has_grown_out_of_hand():
    lines = {path: len(path.read_text(encoding="utf-8").splitlines()) for path in PACKAGE.rglob("*.py")}
    assert {str(path): n for path, n in lines.items() if n > 500} == {}
    assert lines[PACKAGE / "training.py"] <= 360


def test_training_begins_with_the_round():
    tree = ast.parse((PACKAGE / "training.py").read_text(encoding="utf-8"))
    defined = [node.name for node in tree.body if isinstance(node, ast.ClassDef | ast.FunctionDef)]
    assert defined[:2] == ["Step", "update"]


def test_every_module_was_read():
    assert {"ganedu.gan", "ganedu.models.vanilla", "ganedu.training", "ganedu.data", "ganedu.__main__"} <= set(
        modules_of(PACKAGE)
    )


def test_training_names_no_model():
    tree = ast.parse((PACKAGE / "training.py").read_text(encoding="utf-8"))
    used = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    used |= {alias.name for node in ast.walk(tree) if isinstance(node, ast.ImportFrom) for alias in node.names}
    models = {
        node.name
        for path in (PACKAGE / "models").glob("*.py")
        for node in ast.parse(path.read_text(encoding="utf-8")).body
        if isinstance(node, ast.ClassDef)
    }
    assert "VanillaGAN" in models
    assert not used & models
    inner, _ = imports_of("ganedu.training", PACKAGE / "training.py", modules_of(PACKAGE))
    assert not [name for name in inner if name.startswith("ganedu.models")]


@pytest.mark.parametrize(
    ("files", "fault"),
    [
        ({"losses.py": "import toy.gan"}, "toy.losses (floor 0) imports toy.gan (floor 1)"),
        ({"gan.py": "def f():\n    from toy.models import dcgan"}, "toy.gan (floor 1) imports toy.models (floor 2)"),
        ({"gan.py": "from . import training"}, "toy.gan (floor 1) imports toy.training (floor 3)"),
        ({"data/images.py": "from ..views import grid"}, "toy.data.images (floor 0) imports toy.views (floor 4)"),
        ({"blocks.py": "import toy.losses", "losses.py": "import toy.blocks"}, "toy.blocks is on a circle of imports"),
        ({"checks.py": "import matplotlib.pyplot as plt"}, "toy.checks imports matplotlib"),
        ({"attic.py": ""}, "toy.attic stands on no floor: give it one in tests/test_floors.py"),
    ],
)
def test_a_breach_is_found(tmp_path, files, fault):
    for name in ("__init__.py", "gan.py", "training.py", "losses.py", "models/__init__.py", "views/__init__.py"):
        files = {name: "", **files}
    for name, text in {"data/__init__.py": "", **files}.items():
        path = tmp_path / "toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert fault in faults_of(tmp_path / "toy")


def test_a_sound_house_has_no_fault(tmp_path):
    files = {
        "__init__.py": "",
        "losses.py": "from toy.arguments import one_of",
        "arguments.py": "",
        "training.py": "import toy.gan",
        "gan.py": "import torch",
        "views/__init__.py": "import matplotlib\nfrom .grid import show",
        "views/grid.py": "from toy.training import Trainer",
    }
    for name, text in files.items():
        path = tmp_path / "toy" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    assert faults_of(tmp_path / "toy") == []
