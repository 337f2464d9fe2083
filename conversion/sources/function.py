"""Exports the network of a person's own `module:function`. Runs in a worker, never in the command itself."""

import difflib
import importlib
import site
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any, cast

from samesight.contract.errors import SamesightError, describe_error
from samesight.contract.spec import Input
from samesight.conversion.sources.export import export_network
from samesight.conversion.sources.library import LIBRARIES

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.nn import Module


def export_function(function: str, folder: Path, spec: Input) -> "ExportedProgram":
    """Call `module:function` and export the network it returns for one image of the spec's size.

    Raises:
        SamesightError: it cannot be imported or called, returns no network, or torch.export cannot follow it.
    """
    return export_network(call_function(function, folder), spec, function)


def call_function(function: str, folder: Path) -> "Module":
    """The network that `module:function` returns (errors as in `export_function`)."""
    import torch

    with importable(folder):
        function_object = load_function(function, folder)
        try:
            network = function_object()
        except SamesightError:
            raise
        except (Exception, SystemExit) as error:
            raise SamesightError(f"{function}: fails when it is called: {describe_error(error)}; mend it") from None
    if not isinstance(network, torch.nn.Module):
        raise SamesightError(f"{function}: returns {type(network).__name__}, not a torch.nn.Module; return the network")
    return network


def load_function(function: str, folder: Path) -> Callable[..., Any]:
    """Import a person's `module:function`, inside `importable(folder)`.

    Raises:
        SamesightError: it cannot be imported, or is not there.
    """
    module, _, name = function.partition(":")
    try:
        imported = importlib.import_module(module)
        if not hasattr(imported, name):
            raise _unknown(function, name, imported)
        function_object = getattr(imported, name)
    except SamesightError:
        raise
    except (Exception, SystemExit) as error:
        # A module that is not there may be a library's name with a slip of the pen.
        absent = isinstance(error, ModuleNotFoundError) and error.name == module
        if absent and (near := difflib.get_close_matches(module, LIBRARIES, 1)):
            raise SamesightError(f"{function}: there is no module {module!r}; did you mean {near[0]}:{name}?") from None
        raise SamesightError(f"{function}: cannot be loaded from {folder}: {describe_error(error)}; mend it") from None
    if not callable(function_object):
        raise SamesightError(f"{function}: is {type(function_object).__name__}, not a function; name a function")
    return cast(Callable[..., Any], function_object)


def _unknown(function: str, name: str, module: ModuleType) -> SamesightError:
    near = difflib.get_close_matches(name, [each for each in vars(module) if not each.startswith("_")], 1)
    hint = f"did you mean {near[0]}?" if near else "name a function of it"
    return SamesightError(f"{function}: {module.__name__} has no attribute {name!r}; {hint}")


@contextmanager
def importable(folder: Path) -> Iterator[None]:
    """Inside, a person's folder is in `sys.path` after Python's own library and before installed packages.

    So their own `tests` or `datasets` come before installed packages of these names. Afterwards the folder is at the
    end of the path, so that converters import installed packages first.
    """
    installed = {*site.getsitepackages(), site.getusersitepackages()}
    position = next((position for position, entry in enumerate(sys.path) if entry in installed), len(sys.path))
    sys.path.insert(position, str(folder))
    try:
        yield
    finally:
        sys.path.remove(str(folder))
        sys.path.append(str(folder))
