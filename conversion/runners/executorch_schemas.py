"""ExecuTorch's formats of files as Python classes, made by the flatbuffers compiler that its package brings.

ExecuTorch's own readers import the exporter and torch with it, which takes seconds; `flatc` answers in 50 ms.
"""

import importlib.util
import subprocess
from pathlib import Path
from types import ModuleType

PROGRAM = "exir/_serialize/program.fbs"
GRAPH = "backends/xnnpack/serialization/runtime_schema.fbs"
FLATC = "data/bin/flatc"


def executorch_root() -> Path:
    """The folder of the installed package.

    Raises:
        ImportError: it is not installed.
    """
    spec = importlib.util.find_spec("executorch")
    if spec is None or not spec.submodule_search_locations:
        raise ImportError("executorch")
    return Path(spec.submodule_search_locations[0])


def write_classes(folder: Path) -> None:
    """Write a module with the classes of each of both schemas. Starts a program."""
    root = executorch_root()
    options = ["--python", "--gen-object-api", "--gen-onefile", "-o", str(folder)]
    schemas = [str(root / schema) for schema in (PROGRAM, GRAPH)]
    subprocess.run([str(root / FLATC), *options, *schemas], capture_output=True, check=True)


def load_classes(folder: Path, schema: str) -> ModuleType:
    """The module that `write_classes` wrote for one of the schemas."""
    name = f"{Path(schema).stem}_generated"
    spec = importlib.util.spec_from_file_location(f"samesight_{name}", folder / f"{name}.py")
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    # flatc 24.3.25 defines XnodeUnionCreator and calls XNodeUnionCreator.
    defined = {key.lower(): value for key, value in vars(module).items() if key.endswith("Creator")}
    for key in list(vars(module)):
        if creator := defined.get(f"{key}Creator".lower()):
            setattr(module, f"{key}Creator", creator)
    return module
