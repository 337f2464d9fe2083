"""A file of weights (safetensors, or of torch.save) put into a network; never runs code from the file."""

import pickle
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from samesight.contract.errors import SamesightError, first_line
from samesight.contract.files import check_plain
from samesight.contract.limits import NETWORK_BYTES

if TYPE_CHECKING:
    from torch import Tensor
    from torch.nn import Module

# Under which keys trainers keep the state dict inside of a checkpoint, in the order in which they are looked for.
NESTED = ("state_dict", "model_state_dict", "model", "network", "net", "module")
# Of DataParallel, of torch.compile, and of wrappers that hold the network as their `model`.
PREFIXES = ("module.", "_orig_mod.", "model.")
# Counters of batches that evaluation does not read; old checkpoints lack them.
UNREAD = "num_batches_tracked"
DEEPEST = 4
NAMED = 3


def read_weights(path: Path) -> "dict[str, Tensor]":
    """The tensors of a checkpoint by name, as they stand in it.

    Args:
        path: a `.safetensors` file, or one of torch.save with a state dict, perhaps inside of a checkpoint's
            dictionary under one of `NESTED`.

    Raises:
        SamesightError: missing, damaged, too large, no state dict, or it would run code while it loads.
    """
    try:
        if check_plain(path).stat().st_size > NETWORK_BYTES:
            raise SamesightError(f"{path}: has more than {NETWORK_BYTES:,} bytes; give the state dict of one network")
    except OSError as error:
        raise SamesightError(f"{path}: cannot be read ({error.strerror or error}); check --weights") from None
    loaded = _read_safetensors(path) if path.suffix == ".safetensors" else _read_torch(path)
    return _state_dict(loaded, path)


def _read_safetensors(path: Path) -> Any:
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except Exception as error:  # SafetensorError, and OSError of a file that is cut off
        raise SamesightError(
            f"{path}: damaged or not a safetensors file ({first_line(error)}); save it again"
        ) from None


def _read_torch(path: Path) -> Any:
    import torch

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # torch's sentences, of which the last names what it did not build.
        reason = next((line for line in str(error).splitlines() if "GLOBAL" in line or "global" in line), "")
        if not reason:
            raise SamesightError(f"{path}: damaged or not a file of torch.save; save it again") from None
        raise SamesightError(
            f"{path}: holds more than tensors, which could run code while it loads ({reason.strip()[:160]}); save the "
            "weights alone: torch.save(network.state_dict(), FILE)"
        ) from None
    except Exception as error:  # torch raises anything from RuntimeError to EOFError on damaged files and TorchScript
        raise SamesightError(
            f"{path}: not a state dict that torch reads ({first_line(error, 160)}); save the weights alone: "
            "torch.save(network.state_dict(), FILE)"
        ) from None


def _state_dict(loaded: Any, path: Path) -> "dict[str, Tensor]":
    import torch

    for _ in range(DEEPEST):
        if not isinstance(loaded, Mapping):
            break
        nested = next((key for key in NESTED if isinstance(loaded.get(key), Mapping)), None)
        if nested is None:
            tensors = {str(name): value for name, value in loaded.items() if isinstance(value, torch.Tensor)}
            if tensors:
                return tensors
            break
        loaded = loaded[nested]
    held = f"a dictionary of {_names(list(map(str, loaded)))}" if isinstance(loaded, Mapping) else type(loaded).__name__
    raise SamesightError(
        f"{path}: holds {held}, no state dict; save the weights alone: torch.save(network.state_dict(), FILE)"
    )


def load_weights(network: "Module", path: Path, title: str) -> None:
    """Put the weights of a file into a network (errors as in `read_weights`).

    Raises:
        SamesightError: names or shapes are others than the network's; the sentence names the first of them.
    """
    wanted = network.state_dict()
    given = without_prefixes(read_weights(path), wanted)
    missing = [name for name in wanted if name not in given and not name.endswith(UNREAD)]
    unexpected = [name for name in given if name not in wanted and not name.endswith(UNREAD)]
    problems = [
        f"{'1 tensor' if len(names) == 1 else f'{len(names)} tensors'} of the {where} "
        f"{'is' if len(names) == 1 else 'are'} not in the {other} ({_names(names)})"
        for where, other, names in (("network", "file", missing), ("file", "network", unexpected))
        if names
    ]
    shapes = [name for name in wanted if name in given and given[name].shape != wanted[name].shape]
    problems += [
        f"{name} is {list(given[name].shape)} in the file and {list(wanted[name].shape)} in the network"
        for name in shapes[:NAMED]
    ]
    if problems:
        raise SamesightError(
            f"{path}: does not fit {title}: {'; '.join(problems)}; give the weights of this very network"
            + (" (its labels in the spec decide the last layer)" if shapes else "")
        )
    network.load_state_dict({name: tensor for name, tensor in given.items() if name in wanted}, strict=False)


def without_prefixes(state: "Mapping[str, Tensor]", wanted: "Mapping[str, Any]") -> "dict[str, Tensor]":
    """The state dict under the network's own names: what wrappers put before all of them is taken off."""
    result = dict(state)
    while not any(name in wanted for name in result):
        prefix = next((one for one in PREFIXES if any(name.startswith(one) for name in result)), None)
        if prefix is None:
            break
        # What stands beside the wrapped network, such as a loss with weights, is not the network's.
        result = {name.removeprefix(prefix): value for name, value in result.items() if name.startswith(prefix)}
    return result


def _names(names: Sequence[str]) -> str:
    return ", ".join(names[:NAMED]) + (", …" if len(names) > NAMED else "")
