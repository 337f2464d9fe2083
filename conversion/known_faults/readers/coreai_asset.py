"""Reads which operators a `.aimodel` has.

Its program is MLIR bytecode of a dialect that only Core AI's compiler parses; the names of its operators stand in the
table of strings. So a network has one operator of each kind, without tensors.
"""

import re
from pathlib import Path

from samesight.contract.errors import SamesightError
from samesight.conversion.known_faults.network import Network, Operator, Tensor

PROGRAM = "main.mlirb"
NAME = re.compile(rb"(?:primitive\.)?([a-z][a-z0-9_]*)_v\d+\0")


def read(path: Path) -> Network:
    """One operator per kind, without `primitive.` and version; its result is float16 where the program has halves.

    Raises:
        SamesightError: it cannot be read.
    """
    try:
        data = (path / PROGRAM).read_bytes()
    except OSError as error:
        raise SamesightError(f"{path}: no {PROGRAM} inside ({error.strerror or error}); convert again") from None
    dtype = "float16" if ".fp16." in path.name else ""
    kinds = sorted({match[1].decode() for match in NAME.finditer(data)})
    return Network(tuple(Operator(kind, kind, {}, (Tensor(kind, None, dtype),)) for kind in kinds))
