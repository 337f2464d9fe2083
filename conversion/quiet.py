"""Silence for converters and runtimes that talk without having been asked. SAMESIGHT_DEBUG=1 lets them talk."""

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator

from samesight.contract.errors import SamesightError

DEBUG = "SAMESIGHT_DEBUG"


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No Python warnings, no log lines below an error, and what is printed goes to standard error."""
    if os.environ.get(DEBUG):
        yield
        return
    before = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(before)


@contextlib.contextmanager
def mute() -> Iterator[None]:
    """Nothing on standard error either, not even from native code: for the short time in which a runtime starts.

    What native code had to say is passed on if something fails that nobody foresaw.
    """
    if os.environ.get(DEBUG):
        yield
        return
    with tempfile.TemporaryFile() as said, quiet():
        sys.stderr.flush()
        kept = os.dup(2)
        os.dup2(said.fileno(), 2)
        try:
            yield
        except BaseException as error:
            if not isinstance(error, SamesightError):
                said.seek(0)
                os.write(kept, said.read())
            raise
        finally:
            os.dup2(kept, 2)
            os.close(kept)
