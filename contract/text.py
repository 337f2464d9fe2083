"""Text from files on its way to people: which characters a label may have, and what a terminal may get."""

import unicodedata
from collections.abc import Sequence

# Unicode's categories of characters that are no text: control characters, separators of lines and paragraphs, halves of
# a pair of surrogates. None of them gains or loses characters with new versions of Unicode.
_UNPRINTABLE = ("Cc", "Zl", "Zp", "Cs")
# They reorder what stands around them, so that a line reads otherwise than it is.
_REORDERING = frozenset("\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")


def is_unprintable(character: str) -> bool:
    """Whether a character is a control character, a separator of lines or paragraphs, or half of a surrogate pair."""
    return unicodedata.category(character) in _UNPRINTABLE


def printable(text: str) -> str:
    r"""Text as a terminal may get it: every line break and tab stays, other unprintable characters become `\x1b`."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(
        character
        if character in "\n\t" or not (is_unprintable(character) or character in _REORDERING)
        # ascii() writes any character that is not ASCII, and any control character, as an escape.
        else ascii(character)[1:-1]
        for character in text
    )


def one_line(text: str) -> str:
    r"""Text of files inside a sentence: unprintable characters, line breaks too, become `\x1b` or `\u2028`."""
    return "".join(ascii(character)[1:-1] if is_unprintable(character) else character for character in text)


def clean_name(name: str) -> str:
    """A name as a label may be: without unprintable characters, and without white space around it."""
    return "".join(character for character in name if not is_unprintable(character)).strip()


def label_problem(labels: Sequence[str]) -> str | None:
    """What makes labels useless as names of classes, in words; None if nothing does.

    Labels stand one a line in files inside artifacts, and answers are told apart by them. So each has a character that
    is no space (category Zs), none that is unprintable, and no two are the same.
    """
    seen: dict[str, int] = {}
    for index, label in enumerate(labels):
        if any(is_unprintable(character) for character in label):
            return f"label {index} holds a line break or another control character"
        if all(unicodedata.category(character) == "Zs" for character in label):
            return f"label {index} is blank"
        if label in seen:
            return f"labels {seen[label]} and {index} are the same"
        seen[label] = index
    return None
