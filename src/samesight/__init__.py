"""Takes a PyTorch vision model to phones and proves that the phone gives the server's answers.

From Python: `bundle = samesight.convert("runs/digits", "digits")`, then
`bundle.artifact("digits.int8.tflite")("photo.jpg")`. Importing the package costs nothing; what a function needs is
imported when it is called.
"""

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from samesight.contract.spec import read_spec as load_spec
    from samesight.conversion.api import convert, open_bundle, verify
    from samesight.training.config import TrainingConfig
    from samesight.training.train import resume, train

__all__ = ["TrainingConfig", "convert", "load_spec", "open_bundle", "resume", "train", "verify"]

# name: (module, its name there)
_WHERE = {
    "TrainingConfig": ("samesight.training.config", "TrainingConfig"),
    "convert": ("samesight.conversion.api", "convert"),
    "load_spec": ("samesight.contract.spec", "read_spec"),
    "open_bundle": ("samesight.conversion.api", "open_bundle"),
    "resume": ("samesight.training.train", "resume"),
    "train": ("samesight.training.train", "train"),
    "verify": ("samesight.conversion.api", "verify"),
}


def __getattr__(name: str) -> Any:
    if name not in _WHERE:
        raise AttributeError(f"module 'samesight' has no attribute {name!r}")
    module, there = _WHERE[name]
    value = getattr(importlib.import_module(module), there)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted(__all__)
