"""The notebook runs, cell by cell, in a process of its own; Jupyter itself is not needed for that."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

NOTEBOOK = Path(__file__).parents[2] / "examples/first-steps.ipynb"
RUN = """
import json, sys
names = {}
for cell in json.load(open(sys.argv[1], encoding="utf-8"))["cells"]:
    if cell["cell_type"] == "code":
        exec(compile("".join(cell["source"]), cell["id"], "exec"), names)
"""


@pytest.mark.slow
def test_the_notebook_runs_and_says_what_its_text_promises(tmp_path):
    environment = os.environ | {"SAMESIGHT_CACHE": str(tmp_path / "cache"), "TMPDIR": str(tmp_path)}
    command = [sys.executable, "-P", "-c", RUN, NOTEBOOK]
    done = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    verdicts = [line for line in done.stdout.splitlines() if line.startswith("my-digits.")]
    assert len(verdicts) == 6 and all(line.endswith("pass") for line in verdicts), done.stdout
    noise = {line[:20].strip(): float(line[20:27]) for line in done.stdout.splitlines() if "dB from the" in line}
    assert noise["right"] > 25 > max(noise["channels swapped"], noise["half as bright"])


def test_its_text_names_files_that_are_there():
    cells = json.loads(NOTEBOOK.read_text(encoding="utf-8"))["cells"]
    for target in ("../docs/contract.md", "../docs/on-a-phone.md", "../README.md"):
        assert any(f"]({target})" in "".join(cell["source"]) for cell in cells)
        assert (NOTEBOOK.parent / target).is_file()
