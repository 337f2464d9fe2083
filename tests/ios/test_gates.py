"""The gates in Swift (support/twins/gates.py)."""

from support.twins.gates import *  # noqa: F403
