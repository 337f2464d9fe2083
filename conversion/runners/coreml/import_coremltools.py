"""coremltools, imported in a third of its time."""

import sys
from types import ModuleType
from typing import Any

# coremltools imports them to see which versions it could convert from: 5 s for nothing. Of executorch, which a bundle's
# other artifacts may have loaded already, it would load the whole compiler: 2 s.
PROBED = ("tensorflow", "sklearn", "transformers", "xgboost", "executorch")


def import_coremltools() -> ModuleType:
    """Import coremltools without the libraries that it would only probe."""
    kept = {name: sys.modules.get(name) for name in PROBED}
    modules: dict[str, Any] = sys.modules  # None there makes an import fail at once
    modules.update(dict.fromkeys(PROBED))
    try:
        import coremltools
    finally:
        for name, module in kept.items():
            sys.modules.pop(name, None)
            if module is not None:
                sys.modules[name] = module
    return coremltools
