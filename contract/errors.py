"""The one exception that people are meant to read."""


class SamesightError(Exception):
    """A failure that a person can act on: one sentence with the file or option, what is wrong and what to do.

    The command line prints the sentence alone and exits with `exit_code` (1: the work failed).
    """

    exit_code = 1


class Interrupted(SamesightError):
    """Ctrl-C, where there is more to say than that: how to go on (exit code 130, as shells have it)."""

    exit_code = 130


class UsageError(SamesightError):
    """The request itself is wrong: an unknown format, an option that contradicts another (exit code 2)."""

    exit_code = 2
