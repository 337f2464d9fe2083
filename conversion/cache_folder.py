"""Where results and tools are kept between commands."""

import os
from pathlib import Path

# Inside of the cache; what stands there is no result, and never dropped to make room.
TOOLS = "tools"


def default_root() -> Path:
    """Where the cache is: `SAMESIGHT_CACHE`, else `samesight` in the person's cache folder."""
    if configured := os.environ.get("SAMESIGHT_CACHE"):
        return Path(configured)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "samesight"


def tools_root() -> Path:
    """Where `samesight setup` installs: `SAMESIGHT_TOOLS`, else `tools` in the cache."""
    if configured := os.environ.get("SAMESIGHT_TOOLS"):
        return Path(configured)
    return default_root() / TOOLS
