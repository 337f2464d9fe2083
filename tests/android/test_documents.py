"""Faulty bundles and documents in Kotlin (support/twins/documents.py)."""

from support.twins.documents import *  # noqa: F403
