"""``ganedu lab``: JupyterLab on the lessons."""

import os
import subprocess
import sys

from ganedu.cli.arguments import BadArgument, one_sentence
from ganedu.cli.lessons import find_lessons


def lab(options):
    import importlib.util

    if importlib.util.find_spec("jupyterlab") is None:
        raise BadArgument("JupyterLab is not installed; `make lab`, or `pip install -e .[course]`, brings it")
    with one_sentence():
        lessons = find_lessons()
    # the folder above is opened, so that exercises/ is a click away
    command = [sys.executable, "-m", "jupyterlab", f"--notebook-dir={lessons.parent}"]
    command += ["--LabApp.default_url=/lab/tree/lessons"]
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command += ["--allow-root"]  # in a container there is no other user; the token is asked for all the same
    try:
        return subprocess.call([*command, *options.jupyter])
    except KeyboardInterrupt:
        return 0  # Ctrl-C is how JupyterLab is closed
