"""Suppresses output that converters and runtimes print unasked. SAMESIGHT_DEBUG=1 shows it."""

import contextlib
import logging
import os
import sys
import tempfile
import warnings
from collections.abc import Iterator

from samesight.contract.errors import SamesightError

DEBUG = "SAMESIGHT_DEBUG"


def debugging() -> bool:
    """Whether what libraries print is wanted."""
    return bool(os.environ.get(DEBUG))


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """No Python warnings, no log lines below an error, and what is printed goes to standard error."""
    if debugging():
        yield
        return
    previous_level = logging.root.manager.disable
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings(), contextlib.redirect_stdout(sys.stderr):
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(previous_level)


@contextlib.contextmanager
def mute() -> Iterator[None]:
    """Like `quiet`, and no output of native code either: for the short time in which a runtime starts.

    The suppressed output is printed after all if an exception other than SamesightError is raised.
    """
    if debugging():
        yield
        return
    with tempfile.TemporaryFile() as captured, quiet():
        sys.stderr.flush()
        original_stderr = os.dup(2)
        os.dup2(captured.fileno(), 2)
        try:
            yield
        except BaseException as error:
            if not isinstance(error, SamesightError):
                captured.seek(0)
                os.write(original_stderr, captured.read())
            raise
        finally:
            os.dup2(original_stderr, 2)
            os.close(original_stderr)
