"""A file that somebody else made, run in a child process with few rights (`isolated.py`)."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from samesight.conversion.environments import MAIN
from samesight.conversion.qparams import Float32
from samesight.conversion.runners.isolated import RuntimeProcess

NUMBER = 1


@dataclass
class ForeignModel:
    """Called with real input values float32 [H, W, C], it returns the outputs, float32, in the order of `names`.

    `shape` is that of the input, with 0 for a free side. `quantized`: it computes with integers.
    """

    path: Path
    child: RuntimeProcess = field(default_factory=lambda: RuntimeProcess(MAIN))
    loaded_in: int = 0
    shape: tuple[int, ...] = ()
    names: tuple[str, ...] = ()
    quantized: bool = False

    def __post_init__(self) -> None:
        """Load the file.

        Raises:
            SamesightError: it is damaged, or its runtime dies of it.
        """
        self._load()

    def __call__(self, values: Float32) -> list[Float32]:
        """The outputs.

        Raises:
            SamesightError: the runtime failed or died.
        """
        with self.child.lock:
            self._load()
            _, outputs = self.child.ask({"do": "feed", "number": NUMBER}, {"values": values})
        return [np.asarray(outputs[str(index)], np.float32) for index in range(len(self.names))]

    def _load(self) -> None:
        if self.child.process is not None and self.loaded_in == self.child.starts:
            return
        message, _ = self.child.ask({"do": "open", "number": NUMBER, "path": str(self.path.absolute())})
        self.shape, self.names = tuple(message["shape"]), tuple(message["names"])
        self.quantized, self.loaded_in = bool(message["quantized"]), self.child.starts
