"""A person's own `module:function` becomes an exported program. Runs in a worker, never in the command itself."""

import builtins
import importlib
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

from samesight.contract.errors import SamesightError, describe_error
from samesight.contract.spec import Input

if TYPE_CHECKING:
    from torch.export import ExportedProgram
    from torch.nn import Module

OURS = ("contract", "conversion", "samesight", "training")


def export_function(function: str, folder: Path, spec: Input) -> "ExportedProgram":
    """Call `module:function` and export the network it returns for one image of the spec's size.

    Our packages come first on the path, `folder` last.

    Raises:
        SamesightError: it cannot be imported or called, returns no network, or torch.export cannot follow it.
    """
    import torch

    network = call_function(function, folder).to("cpu")
    # An exported program's module refuses eval(); preparation refuses what training left in its graph.
    with suppress(NotImplementedError):
        network.eval()
    example = torch.zeros(1, spec.channel_count, spec.height, spec.width)
    try:
        return torch.export.export(network, (example,))
    except Exception as error:  # whatever the person's forward or torch's tracing raises
        raise SamesightError(
            f"{function}: torch.export cannot follow it on an input {list(example.shape)}: {describe_error(error)}; "
            "make its forward free of Python that depends on values, and its size that of the spec's input"
        ) from None


def call_function(function: str, folder: Path) -> "Module":
    """The network that `module:function` returns (errors as in `export_function`)."""
    import torch

    try:
        made = load_function(function, folder)()
    except SamesightError:
        raise
    except (Exception, SystemExit) as error:
        raise SamesightError(f"{function}: fails when it is called: {describe_error(error)}; mend it") from None
    if not isinstance(made, torch.nn.Module):
        raise SamesightError(f"{function}: returns {type(made).__name__}, not a torch.nn.Module; return the network")
    return made


def load_function(function: str, folder: Path) -> Callable[..., Any]:
    """Import a person's `module:function`; our packages come first on the path, `folder` last.

    Raises:
        SamesightError: it cannot be imported, is not there, or is called like a package of ours.
    """
    module, _, name = function.partition(":")
    _refuse_clash(function, module.partition(".")[0], folder)
    sys.path.append(str(folder))
    try:
        with _imports_watched(function, folder):
            found = getattr(importlib.import_module(module), name)
    except SamesightError:
        raise
    except (Exception, SystemExit) as error:
        raise SamesightError(f"{function}: cannot be loaded from {folder}: {describe_error(error)}; mend it") from None
    if not callable(found):
        raise SamesightError(f"{function}: is {type(found).__name__}, not a function; name a function")
    return cast(Callable[..., Any], found)


@contextmanager
def _imports_watched(function: str, folder: Path) -> Iterator[None]:
    """While a person's module is loaded, refuse its imports of a package that both they and we have.

    Ours are loaded already, so `import training` would give them ours without a word.
    """
    original: Callable[..., Any] = builtins.__import__

    def watched(
        name: str,
        globals: Mapping[str, object] | None = None,
        locals: Mapping[str, object] | None = None,
        fromlist: Sequence[str] | None = (),
        level: int = 0,
    ) -> Any:
        asking = str((globals or {}).get("__file__") or "")
        if level == 0 and asking.startswith(f"{folder}/"):
            _refuse_clash(function, name.partition(".")[0], folder)
        return original(name, globals, locals, fromlist, level)

    builtins.__import__ = watched
    try:
        yield
    finally:
        builtins.__import__ = original


def _refuse_clash(function: str, package: str, folder: Path) -> None:
    theirs = next((path for path in (folder / package, folder / f"{package}.py") if path.exists()), None)
    if package in OURS and theirs is not None and theirs.parent != Path(__file__).parent.parent:
        raise SamesightError(
            f"{function}: {theirs} has the name of samesight's own package {package!r}; rename it, "
            "or export the network with torch.export.save and convert the .pt2"
        )
