"""The gates in Kotlin (support/twins/gates.py)."""

from support.twins.gates import *  # noqa: F403
