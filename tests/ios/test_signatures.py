"""Signed packs in Swift (support/twins/signatures.py)."""

from support.twins.signatures import *  # noqa: F403
