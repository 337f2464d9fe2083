"""Faulty bundles and documents in Swift (support/twins/documents.py)."""

from support.twins.documents import *  # noqa: F403
