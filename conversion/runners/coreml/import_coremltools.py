"""coremltools, imported in a third of its time."""

import sys
from types import ModuleType
from typing import Any

# coremltools imports them to see which versions it could convert from: 5 s for nothing.
PROBED = ("tensorflow", "sklearn", "transformers", "xgboost")


def import_coremltools() -> ModuleType:
    """Import coremltools without the libraries that it would only probe."""
    hidden = [name for name in PROBED if name not in sys.modules]
    modules: dict[str, Any] = sys.modules  # None there makes an import fail at once
    modules.update(dict.fromkeys(hidden))
    try:
        import coremltools
    finally:
        for name in hidden:
            sys.modules.pop(name, None)
    return coremltools
