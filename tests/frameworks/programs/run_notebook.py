"""Executes the cells of a file as a notebook, and prints for each its name, its result and what it wrote."""

import json
import sys
from pathlib import Path

import nbformat.v4 as nbformat
from nbclient import NotebookClient

cells = []
for part in Path(sys.argv[1]).read_text(encoding="utf-8").split("# %% ")[1:]:
    name, _, source = part.partition("\n")
    cells.append((name, nbformat.new_code_cell(source)))
NotebookClient(nbformat.new_notebook(cells=[cell for _, cell in cells]), timeout=60, kernel_name="python3").execute()
for name, cell in cells:
    results = [output["data"]["text/plain"] for output in cell.outputs if output.output_type == "execute_result"]
    written = [output.text for output in cell.outputs if output.output_type == "stream"]
    print(json.dumps({"cell": name, "results": results, "written": written}))
