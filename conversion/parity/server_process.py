"""The process that runs a person's own server code on image files: `python -m … MODULE:FUNCTION FOLDER IMAGES`."""

import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from samesight.contract.errors import SamesightError, describe_error

Array = npt.NDArray[Any]

# Files that the process writes beside the images: a person's code may exit with any code and print anything.
RESULTS, TENSORS = "results.json", "tensors.npz"
REFUSAL, CURRENT = "refusal.txt", "current.txt"


def serve(function: str, folder: Path, images: Path) -> None:
    """Call the function on every image; write `results.json` and `tensors.npz` beside them.

    Raises:
        SamesightError: it cannot be loaded, fails on an image, or returns what cannot be passed on.
    """
    from samesight.conversion.sources.function import importable, load_function

    results: dict[str, Any] = {}
    tensors: dict[str, Array] = {}
    with importable(folder):
        user_function = load_function(function, folder)
        for path in sorted(images.glob("*.png")):
            (images / CURRENT).write_text(path.name)
            try:
                result = user_function(str(path))
            except (Exception, SystemExit) as error:
                raise SamesightError(
                    f"{function}: failed on golden/{path.name}: {describe_error(error)}; mend it"
                ) from error
            raw_answers, tensor = result if isinstance(result, tuple) and len(result) == 2 else (result, None)
            try:
                results[path.stem] = json.loads(json.dumps(raw_answers, default=_plain))
                if tensor is not None:
                    tensors[path.stem] = _array(tensor)
            except Exception as error:  # a type of a person's own may raise anything when it is read
                raise SamesightError(
                    f"{function}: returned for golden/{path.name} what is no list of answers or no array of numbers "
                    f"({describe_error(error)}); return a list, or (that list, input tensor)"
                ) from error
    (images / RESULTS).write_text(json.dumps(results))
    np.savez(images / TENSORS, allow_pickle=False, **tensors)


def _array(tensor: Any) -> Array:
    if hasattr(tensor, "detach"):
        tensor = tensor.detach().cpu()
        # NumPy has no bfloat16.
        tensor = (tensor.float() if tensor.is_floating_point() else tensor).numpy()
    array = np.asarray(tensor)
    if array.dtype.kind not in "biuf":
        raise TypeError(f"an array of {array.dtype}")
    return array


def _plain(value: Any) -> Any:
    return value.tolist() if hasattr(value, "tolist") else str(value)


if __name__ == "__main__":
    try:
        serve(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]))
    except SamesightError as error:
        (Path(sys.argv[3]) / REFUSAL).write_text(str(error))
        sys.exit(1)
