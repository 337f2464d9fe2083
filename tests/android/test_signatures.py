"""Signed packs in Kotlin (support/twins/signatures.py)."""

from support.twins.signatures import *  # noqa: F403
