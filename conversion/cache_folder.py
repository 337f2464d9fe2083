"""Where results and tools are kept between commands."""

import os
from pathlib import Path


def default_root() -> Path:
    """Where the cache is: `SAMESIGHT_CACHE`, else `samesight` in the person's cache folder."""
    return _folder("SAMESIGHT_CACHE", "samesight")


def tools_root() -> Path:
    """Where `samesight setup` installs: `SAMESIGHT_TOOLS`, else `samesight-tools` in the person's cache folder.

    Not inside of the cache, where what was not used for long is dropped to make room.
    """
    return _folder("SAMESIGHT_TOOLS", "samesight-tools")


def _folder(variable: str, name: str) -> Path:
    if configured := os.environ.get(variable):
        return Path(configured)
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / name
