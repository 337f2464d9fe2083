"""The exceptions whose messages are written for people, and one-line descriptions of other exceptions."""

LONGEST_LINE = 300


class SamesightError(Exception):
    """A failure that a person can act on: one sentence with the file or option, what is wrong and what to do.

    The command line prints the sentence alone and exits with `exit_code` (1: the work failed).
    """

    exit_code = 1


class Interrupted(SamesightError):
    """Ctrl-C, with a message that says how to go on (exit code 130, as in shells)."""

    exit_code = 130


class UsageError(SamesightError):
    """The request itself is wrong: an unknown format, an option that contradicts another (exit code 2)."""

    exit_code = 2


def first_line(error: BaseException, longest: int = LONGEST_LINE) -> str:
    """The first line of an error's message that is not empty, or the exception's kind where there is none.

    After a line that ends with a colon the next two say what is wrong (torch's missing and unexpected keys).
    """
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    first, *rest = lines
    if not first.endswith(":") or not rest:
        return first[:longest]
    each = max(0, longest - len(first) - 2) // len(rest[:2])
    shortened = [line if len(line) <= each else f"{line[: max(0, each - 2)]} …" for line in rest[:2]]
    return " ".join([first, *shortened])[:longest]


def describe_error(error: BaseException) -> str:
    """The exception's kind and the first line of its message, where there is one."""
    kind, line = type(error).__name__, first_line(error)
    return kind if line == kind else f"{kind}: {line}"
