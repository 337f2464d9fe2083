"""Mutated packed bundles in Swift (support/twins/mutated_bundles.py)."""

from support.twins.mutated_bundles import *  # noqa: F403
