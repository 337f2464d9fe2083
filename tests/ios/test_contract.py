"""The Swift contract against Python's (support/twins/contract.py)."""

from support.twins.contract import *  # noqa: F403
