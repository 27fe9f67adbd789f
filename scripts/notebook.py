"""Keeps demo/notebook.ipynb working.

check    fails if it holds outputs or the marks of a run (Python's own library only)
run      executes it against the demonstration at BASE, as who its defaults say; fails where one of its cells does
"""

import json
import os
import sys
from pathlib import Path

NOTEBOOK = Path(__file__).resolve().parent.parent / "demo" / "notebook.ipynb"
CELL_SECONDS_MAX = 120


def check():
    notebook = json.loads(NOTEBOOK.read_text(encoding="utf-8"))
    ran = [cell["id"] for cell in notebook["cells"] if cell.get("outputs") or cell.get("execution_count") is not None]
    if ran:
        raise SystemExit(f"notebook: clear the outputs of {NOTEBOOK.name} before you commit it: {', '.join(ran)}")


def run():
    import nbclient
    import nbformat
    import traitlets.config

    os.environ["GRANARY_URL"] = os.environ["BASE"]
    for name in ("GRANARY_USER", "GRANARY_PASSWORD"):
        os.environ.pop(name, None)
    # The kernel is spoken to by sockets in a folder of this run, so that no port is taken.
    os.environ["JUPYTER_RUNTIME_DIR"] = os.environ["IPYTHONDIR"] = os.environ["SCRATCH"]
    config = traitlets.config.Config({"KernelManager": {"transport": "ipc"}})
    notebook = nbformat.read(NOTEBOOK, as_version=4)
    nbformat.validate(notebook)
    nbclient.NotebookClient(notebook, timeout=CELL_SECONDS_MAX, kernel_name="python3", config=config).execute()
    shown = [output for cell in notebook.cells for output in cell.get("outputs", [])]
    kinds = {kind for output in shown for kind in output.get("data", {})}
    if not {"text/html", "image/png"} <= kinds:
        raise SystemExit(f"notebook: it shows no table or no plot, only {sorted(kinds)}")
    print(f"notebook: {len(notebook.cells)} cells ran")


def main():
    commands = {"check": check, "run": run}
    [name] = sys.argv[1:]
    commands[name]()


if __name__ == "__main__":
    main()
