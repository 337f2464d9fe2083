"""Mutated packed bundles in Kotlin (support/twins/mutated_bundles.py)."""

from support.twins.mutated_bundles import *  # noqa: F403
