"""The server model: the original float program between the contract's preprocessing and answers."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from samesight.contract.answers import Answer, answers, check_outputs
from samesight.contract.errors import SamesightError, first_line
from samesight.contract.image import Picture
from samesight.contract.preprocess import preprocess
from samesight.contract.spec import Input, ModelSpec, Role
from samesight.conversion.normalisation import network_values
from samesight.conversion.qparams import Float32, UInt8
from samesight.conversion.quiet import quiet
from samesight.conversion.sources.checked_archive import checked_program
from samesight.conversion.sources.export import refuse_other_precisions

if TYPE_CHECKING:
    from torch import Tensor
    from torch.export import ExportedProgram


def load_program(path: Path) -> "ExportedProgram":
    """Load a `.pt2` file; one that could run code is refused before torch sees it.

    Raises:
        SamesightError: missing, damaged, refused, saved by a torch that this one does not read, or not in float32.
    """
    import torch

    if not path.is_file():
        raise SamesightError(f"{path}: no such file; `torch.export.save` writes one")
    archive = checked_program(path)
    try:
        with quiet():  # a damaged file's traceback would be logged
            program = torch.export.load(archive)
    except Exception as error:  # torch raises anything from RuntimeError to UnpicklingError on damaged files
        raise SamesightError(
            f"{path}: not an exported program that torch {torch.__version__} reads ({first_line(error)}); "
            "export it again"
        ) from None
    refuse_other_precisions(program, str(path))
    return program


def normalise(tensor: UInt8, spec: Input) -> "Tensor":
    """The input tensor uint8 [H, W, C] as the original network takes it: float32 [1, C, H, W], contiguous."""
    import torch

    values = network_values(tensor, spec).transpose(2, 0, 1)
    return torch.from_numpy(np.ascontiguousarray(values))[None]


@dataclass(frozen=True)
class ServerModel:
    """Answers pictures with the original program in float32; the reference for every artifact."""

    spec: ModelSpec
    module: Any

    def outputs(self, tensor: UInt8) -> dict[Role, Float32]:
        """Raw outputs of an input tensor uint8 [H, W, C]: float32, one per role, in the shapes of an artifact's.

        Raises:
            SamesightError: the network gives another number of outputs than the spec names, or other names.
        """
        import torch
        from torch.utils._pytree import tree_leaves

        from samesight.conversion.preparation.equivalence import slice_roles

        names = self.spec.outputs.tensors
        with torch.no_grad():
            returned = self.module(normalise(tensor, self.spec.input))
        entries = list(returned) if isinstance(returned, Mapping) else tree_leaves(returned)
        if len(entries) != len(names) or (isinstance(returned, Mapping) and set(entries) != set(names)):
            description = ", ".join(map(str, entries)) if isinstance(returned, Mapping) else f"{len(entries)} outputs"
            raise SamesightError(
                f"model {self.spec.name}: the network gives {description}, but the spec names {', '.join(names)}; "
                "correct outputs.tensors in model.json"
            )
        tensors = [returned[name] for name in names] if isinstance(returned, Mapping) else entries
        parts = slice_roles(tensors, self.spec)
        return {role: np.ascontiguousarray(parts[role].float().numpy()) for role in self.spec.roles}

    def __call__(self, picture: Picture) -> list[Answer]:
        """The answers of a picture; boxes in pixels of the stored image."""
        tensor, geometry = preprocess(picture, self.spec.input)
        return answers(self.outputs(tensor), self.spec, geometry)


def load_server(network: Path, spec: ModelSpec) -> ServerModel:
    """Load a `.pt2` as the server model of a spec, and try it once.

    Raises:
        SamesightError: the file is damaged, or network and spec contradict each other.
    """
    return tried(ServerModel(spec, load_program(network).module()))


def tried(server: ServerModel) -> ServerModel:
    """The server model, after it has answered a grey image.

    Raises:
        SamesightError: network and spec contradict each other.
    """
    spec, size = server.spec, server.spec.input
    grey = np.full((size.height, size.width, size.channel_count), 128, np.uint8)
    try:
        outputs = server.outputs(grey)
    except SamesightError:
        raise
    except Exception as error:  # guards of torch.export, or an operator that does not fit the size
        raise SamesightError(
            f"model {spec.name}: the network does not take a float32 input "
            f"{[1, size.channel_count, size.height, size.width]} ({first_line(error)}); "
            "correct input in model.json, or export the network for that input"
        ) from None
    check_outputs(outputs, spec)
    return server
