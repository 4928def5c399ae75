"""pyproject.toml, environment.yml, constraints.txt, the Makefile and the wheel agree with each other."""

import os
import re
import shutil
import stat
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import pytest
import yaml
from packaging.requirements import Requirement
from packaging.version import Version

import ganedu

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())
CONDA_NAMES = {"torch": "pytorch", "matplotlib": "matplotlib-base"}  # the same package under conda-forge's name


def wanted(*extras):
    """Every requirement of the package and its extras, without the package itself."""
    texts = list(PYPROJECT["project"]["dependencies"])
    for extra in extras:
        texts += PYPROJECT["project"]["optional-dependencies"][extra]
    return [r for r in map(Requirement, texts) if r.name != "ganedu"]


def constraints():
    lines = [line for line in (ROOT / "constraints.txt").read_text().splitlines() if line and line[0] != "#"]
    return dict(line.split("==") for line in lines)  # fails on anything but name==version


def canonical(name):
    return re.sub(r"[-_.]+", "-", name).lower()


def test_conda_users_get_the_same_packages_in_the_same_ranges():
    listed = yaml.safe_load((ROOT / "environment.yml").read_text())["dependencies"]
    ranges = {}
    for entry in listed:
        for text in entry["pip"] if isinstance(entry, dict) else [entry]:
            if text != "-e .":
                requirement = Requirement(text)
                ranges[requirement.name] = requirement.specifier
    assert ranges.pop("python") == Requirement(f"python{PYPROJECT['project']['requires-python']}").specifier
    ranges.pop("pip")
    assert ranges == {CONDA_NAMES.get(r.name, r.name): r.specifier for r in wanted("course")}


def test_the_tested_versions_lie_within_the_ranges():
    versions = {canonical(name): version for name, version in constraints().items()}
    assert len(versions) == len(constraints())
    for requirement in wanted("course", "instructor", "dev"):
        version = versions[canonical(requirement.name)]
        assert requirement.specifier.contains(version), f"{requirement} does not allow {version}"


def test_constraints_are_plain_public_versions():
    for name, version in constraints().items():
        assert re.fullmatch(r"[A-Za-z0-9._-]+", name)
        assert Version(version).local is None, f"{name}: {version} is a build of one machine"


def test_dependencies_stay_few():
    assert [r.name for r in wanted()] == (
        "torch numpy scipy scikit-learn matplotlib pillow ipywidgets jupyter-ui-poll tqdm pooch safetensors mlxtend"
    ).split()


def test_tag_and_version_agree():
    assert PYPROJECT["tool"]["ganedu"]["tag"] == f"v{ganedu.__version__}"


def test_wheel_holds_the_library_and_its_weights(tmp_path):
    shutil.copytree(ROOT / "ganedu", tmp_path / "ganedu", ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE", "LICENSE-CC-BY"):
        shutil.copy(ROOT / name, tmp_path)
    subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", "dist"],
        cwd=tmp_path,
        check=True,
        capture_output=True,
    )
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        packed = {name for name in archive.namelist() if ".dist-info/" not in name}
        (entry_points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
        assert "ganedu = ganedu.__main__:main" in archive.read(entry_points).decode()
        assert {Path(name).name for name in archive.namelist()} >= {"LICENSE", "LICENSE-CC-BY"}
    on_disk = {p.relative_to(tmp_path).as_posix() for p in (tmp_path / "ganedu").rglob("*") if p.is_file()}
    assert packed == on_disk
    assert any(name.endswith(".safetensors") for name in packed)


def test_importing_the_library_loads_no_heavy_package():
    heavy = ["torch", "matplotlib", "ipywidgets", "IPython", "mlxtend", "sklearn", "scipy", "pooch"]
    probe = f"import sys, ganedu; print([name for name in {heavy} if name in sys.modules])"
    result = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True, check=True)
    assert result.stdout.strip() == "[]"


# --- the Makefile and .ci/run ---------------------------------------------------------------------------------

needs_make = pytest.mark.skipif(shutil.which("make") is None, reason="make is not installed")


def make(*arguments, cwd=ROOT):
    return subprocess.run(["make", *arguments], cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)


@needs_make
def test_help_is_the_default_and_names_every_command():
    text = (ROOT / "Makefile").read_text()
    (phony,) = re.findall(r"^\.PHONY: (.*)$", text, re.MULTILINE)
    shown = re.findall(r"^  make (\S+)", make().stdout, re.MULTILINE)
    assert sorted(shown) == sorted(phony.split())
    assert make("help").stdout == make().stdout


@needs_make
@pytest.mark.parametrize("found", [(3, 10), (3, 14)])
def test_make_names_a_python_that_will_not_do(tmp_path, found):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    fake = tmp_path / "fakepython"
    # runs the Makefile's own check under a made-up version
    fake.write_text(
        f'#!/bin/sh\nexec "{sys.executable}" -c "import sys; sys.version_info = {(*found, 0)}; exec(sys.argv[1])" "$2"\n'
    )
    fake.chmod(fake.stat().st_mode | stat.S_IXUSR)
    result = make("lab", f"PYTHON={fake}", cwd=tmp_path)
    assert result.returncode != 0
    assert f"which is Python {found[0]}.{found[1]}; wants Python 3.11, 3.12 or 3.13" in result.stderr
    assert not (tmp_path / ".venv").exists()


@needs_make
def test_make_names_a_python_that_is_not_there(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    result = make("test", "PYTHON=python-nowhere", cwd=tmp_path)
    assert result.returncode != 0 and "got python-nowhere, which is not found" in result.stderr


@needs_make
def test_installs_again_only_when_the_requirements_changed(tmp_path):
    for name in ("Makefile", "pyproject.toml", "constraints.txt"):
        shutil.copy(ROOT / name, tmp_path)
    (tmp_path / ".venv/bin").mkdir(parents=True)
    (tmp_path / ".venv/bin/python").touch()
    for name in (".course", ".dev"):
        (tmp_path / ".venv" / name).touch()
    assert "pip install" not in make("-n", "test", cwd=tmp_path).stdout
    later = (tmp_path / ".venv/.dev").stat().st_mtime + 10
    os.utime(tmp_path / "constraints.txt", (later, later))
    for command, extra in (("test", "dev"), ("lab", "course")):
        installs = [line for line in make("-n", command, cwd=tmp_path).stdout.splitlines() if "pip install" in line]
        assert len(installs) == 1 and installs[0].endswith(f'-c constraints.txt -e ".[{extra}]"')


def test_ci_run_calls_the_readmes_command():
    script = ROOT / ".ci" / "run"
    assert os.access(script, os.X_OK)
    subprocess.run(["bash", "-n", str(script)], check=True)
    assert script.read_text().splitlines()[-1] == "exec make test </dev/null"
    assert "make test" in (ROOT / "README.md").read_text()


# --- browser tests: run, left out with a sentence, or demanded --------------------------------------------------


@pytest.mark.slow  # together
@pytest.mark.parametrize(
    ("wish", "found", "closing", "words"),
    [
        (None, False, "1 skipped", "the browser tests were left out: no Chromium found"),
        (None, True, "1 passed", ""),
        ("1", False, "1 error", "GANEDU_BROWSER=1 demands the browser tests, and no Chromium was found"),
        ("1", True, "1 passed", ""),
        ("0", True, "1 skipped", "the browser tests were left out: GANEDU_BROWSER=0"),
    ],
)
def test_browser_tests_run_where_they_can_or_must(tmp_path, wish, found, closing, words):
    shutil.copy(ROOT / "tests" / "conftest.py", tmp_path)
    (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n    browser: x\n    gpu: x\n")
    (tmp_path / "test_page.py").write_text(
        "import pytest\n\n@pytest.mark.browser\ndef test_page(chromium):\n    assert chromium.endswith('/chromium')\n"
    )
    programs = tmp_path / "bin"
    programs.mkdir()
    if found:
        (programs / "chromium").write_text("#!/bin/sh\n")
        (programs / "chromium").chmod(0o755)
    environment = {key: value for key, value in os.environ.items() if key != "GANEDU_BROWSER"}
    environment |= {"PATH": str(programs)} | ({} if wish is None else {"GANEDU_BROWSER": wish})
    command = [sys.executable, "-m", "pytest", str(tmp_path), "-p", "no:cacheprovider"]
    result = subprocess.run(command, env=environment, capture_output=True, text=True)
    lines = result.stdout.splitlines()
    assert closing in lines[-1]
    assert words in result.stdout
