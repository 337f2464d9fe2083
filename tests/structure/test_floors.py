"""The floors of docs/architecture.md: an import never runs upwards, nor in a circle between folders."""

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
# From the top; a folder may import what stands below it. The command line may use all.
FLOORS = ("cli", "training", "conversion", "datasets", "contract")
CONVERSION = (
    "api",
    "zoo",
    "report",
    "apps",
    "parity",
    "workflow",
    "device",
    "network_checks",
    "cost",
    "known_faults",
    "formats",
    "runners",
    "sources",
    "quantization",
    "preparation",
    "tasks",
    "npu",
    "setup",
)
# Small modules of conversion that all of its folders may use, and that use none of them.
LEAVES = ("cache_folder", "child_process", "environments", "normalisation", "precisions", "qparams", "quiet", "snr")


def modules():
    """(module, path) of all our Python, as it is imported."""
    for folder in (*(ROOT / name for name in FLOORS[1:]), ROOT / "src/samesight/cli"):
        for path in sorted(folder.rglob("*.py")):
            parts = path.relative_to(folder.parent).with_suffix("").parts
            yield "samesight." + ".".join(parts).removesuffix(".__init__"), path


def imports():
    """(module, imported module, line) of every import of ours, those inside functions and for types alone too."""
    ours = {name for name, _ in modules()}
    for name, path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("samesight"):
                for alias in node.names:
                    whole = f"{node.module}.{alias.name}"
                    yield name, whole if whole in ours else node.module, node.lineno
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name.startswith("samesight."):
                        yield name, alias.name, node.lineno


def floor_of(module, floors, depth):
    parts = module.split(".")
    return floors.index(parts[depth]) if len(parts) > depth and parts[depth] in floors else None


def upward(found, floors, depth):
    """A line for each import from a floor to one above it."""
    within = ".".join(("samesight", "conversion")[:depth]) + "."
    lines = []
    for module, imported, line in found:
        if module.startswith(within) and imported.startswith(within):
            one, other = floor_of(module, floors, depth), floor_of(imported, floors, depth)
            if one is not None and other is not None and other < one:
                lines.append(f"{module}:{line} imports {imported}")
    return lines


@pytest.mark.parametrize(("floors", "depth"), [(FLOORS, 1), (CONVERSION, 2)])
def test_no_import_runs_upwards(floors, depth):
    assert not upward(imports(), floors, depth)


def test_an_import_that_runs_upwards_would_be_found():
    arrow = ("samesight.contract.spec", "samesight.training.train", 3)
    assert upward([arrow], FLOORS, 1) == ["samesight.contract.spec:3 imports samesight.training.train"]
    arrow = ("samesight.conversion.runners.bench", "samesight.conversion.formats", 7)
    assert upward([arrow], CONVERSION, 2) == [
        "samesight.conversion.runners.bench:7 imports samesight.conversion.formats"
    ]
    assert len(list(imports())) > 500


def test_every_module_has_a_floor():
    strangers = [
        name
        for name, _ in modules()
        if name.startswith("samesight.conversion.") and name.split(".")[2] not in (*CONVERSION, *LEAVES)
    ]
    assert not strangers


def test_leaves_use_none_of_the_folders():
    climbing = [
        f"{module}:{line} imports {imported}"
        for module, imported, line in imports()
        if module.startswith("samesight.conversion.")
        and module.split(".")[2] in LEAVES
        and imported.startswith("samesight.conversion.")
        and imported.split(".")[2] not in LEAVES
    ]
    assert not climbing, "\n".join(climbing)


def test_a_persons_code_is_loaded_by_workers_alone():
    """`sources/function.py` runs a person's module; the command itself never does."""

    def importers(name):
        return {module for module, imported, _ in imports() if imported == f"samesight.conversion.sources.{name}"}

    assert importers("function") == {
        "samesight.conversion.sources.build",
        "samesight.conversion.parity.server_process",
    }
    assert importers("build") == {"samesight.conversion.workflow.items", "samesight.conversion.workflow.look"}


def test_the_task_is_asked_for_in_its_own_modules_alone():
    """A third task is a row and a file: nothing else compares `task` with a name."""
    asking = []
    for name, path in modules():
        if name.rsplit(".", 1)[-1] in ("classification", "detection"):
            continue
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Compare) and any(
                (isinstance(side, ast.Attribute) and side.attr == "task")
                or (isinstance(side, ast.Name) and side.id == "task")
                for side in (node.left, *node.comparators)
            ):
                asking.append(f"{name}:{node.lineno} {ast.unparse(node)}")
    allowed = {"samesight.datasets"}  # `find_source` compares the task that was asked for with the data's own
    assert [one for one in asking if one.split(":")[0] not in allowed] == [], asking
