"""``ganedu lesson 04``: a lesson from top to bottom without a browser."""

import os
import sys
import time

from ganedu.cli.arguments import BadArgument, one_sentence
from ganedu.cli.lessons import find_lesson, find_lessons


def read_notebook(path):
    import nbformat

    if path.suffix == ".ipynb":
        return nbformat.read(path, as_version=4)
    try:
        import jupytext
    except ImportError as error:
        raise BadArgument(
            f"{path.name} has no notebook beside it, and reading the .py wants jupytext (pip install jupytext)"
        ) from error
    return jupytext.read(path, fmt="py:percent")


def execute(notebook, timeout):
    """Run every cell in a fresh kernel and an empty folder; outputs land in ``notebook``, also where a cell fails.

    Trainers run within their cell (GANEDU_DRIVER=sync). ``timeout``: seconds for one cell.

    Raises:
        the errors of ``nbclient.exceptions``.
    """
    import tempfile

    from nbclient import NotebookClient

    with tempfile.TemporaryDirectory() as folder:  # a lesson relies on no file beside it
        client = NotebookClient(
            notebook,
            timeout=timeout,
            kernel_name="python3",
            record_timing=False,
            store_widget_state=False,
            extra_arguments=["--IPKernelApp.log_level=40"],  # a local kernel need not warn about its transport
            resources={"metadata": {"path": folder}},
        )
        try:
            client.execute(env={**os.environ, "GANEDU_DRIVER": "sync"})
        finally:
            for cell in notebook.cells:
                if cell.cell_type == "code":
                    cell.outputs = join_streams(cell.outputs)


def join_streams(outputs):
    """Outputs with neighbouring pieces of one stream joined, and each line as it stood after its last return."""
    # nbclient's own coalescing takes time that grows with the square of the text: minutes for half a megabyte
    joined = []
    for output in outputs:
        if output.output_type == "stream" and joined and joined[-1].get("name") == output.name:
            joined[-1].text += output.text
        else:
            joined.append(output)
    for output in joined:
        if output.output_type == "stream":
            lines = output.text.split("\n")
            output.text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines)
    return joined


def lesson(options):
    try:
        import nbformat
        from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
        from nbconvert import HTMLExporter
    except ImportError as error:
        raise BadArgument(
            f"{error.name} is not installed; `make lesson N=04`, or `pip install -e .[course]`, brings it"
        ) from error
    with one_sentence():
        source = find_lesson(options.number, find_lessons())
    notebook = read_notebook(source)
    options.out.mkdir(parents=True, exist_ok=True)
    print(f"running {source.name} ...", flush=True)
    started, failure = time.perf_counter(), None
    try:
        execute(notebook, options.timeout)
    except (CellExecutionError, CellTimeoutError, DeadKernelError) as error:
        failure = error
    notebook.metadata["title"] = source.stem
    targets = {".ipynb": nbformat.writes(notebook), ".html": HTMLExporter().from_notebook_node(notebook)[0]}
    for suffix, text in targets.items():
        target = options.out / (source.stem + suffix)
        target.write_text(text, encoding="utf-8")
        print(f"wrote {target}")
    seconds = time.perf_counter() - started
    if failure is not None:
        print(f"{failure}\n{source.name} failed after {seconds:.0f} s", file=sys.stderr)
        return 1
    print(f"{source.name}: every cell ran and every claim held, {seconds:.0f} s")
    return 0
