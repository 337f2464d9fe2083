"""The texts for people in Swift sources, as keys of a String Catalog: `\\(value)` is `%@`, or `%lld` for an integer."""

import re

# What SwiftUI and App Intents look up by their first argument, views of ours that hand theirs on, and `localized`.
CALLS = (
    "Text",
    "Button",
    "Label",
    "Picker",
    "accessibilityLabel",
    "navigationTitle",
    "Round",
    "Large",
    "panel",
    "localized",
    "IntentDescription",
)
# Labels of App Intents whose arguments are looked up too.
LABELLED = re.compile(r'(?:title|description|shortTitle|LocalizedStringResource =)(?::)?\s*"')
# Names of the integers that are put into texts.
INTEGERS = {"done", "total"}


def texts(source, calls=CALLS):
    """The keys that a source has in these calls, and in the labels of App Intents where all calls are asked for."""
    found = set()
    for call in re.finditer(rf"\b(?:{'|'.join(calls)})\(", source):
        found |= set(_literals(source, call.end()))
    for start in LABELLED.finditer(source) if calls is CALLS else ():
        found.add(_literal(source, start.end())[0])
    return found - {""}


def _literals(source, place):
    """The literals of a call's first argument: of `condition ? "one" : "other"` both."""
    depth = 0
    while place < len(source):
        character = source[place]
        if character == '"':
            key, place = _literal(source, place + 1)
            if depth == 0:
                yield key
            continue
        if character in "([{":
            depth += 1
        elif character in ")]}":
            depth -= 1
        if depth < 0 or (depth == 0 and character in ",\n" and source[place - 1] not in "(\n "):
            return
        place += 1


def _literal(source, place):
    """(key, place after it) of the literal that begins at `place`, after its quote."""
    key = ""
    while source[place] != '"':
        if source.startswith("\\(", place):
            end, depth = place + 2, 1
            while depth:
                if source[end] == '"':
                    end = _literal(source, end + 1)[1]
                    continue
                depth += {"(": 1, ")": -1}.get(source[end], 0)
                end += 1
            key += "%lld" if source[place + 2 : end - 1] in INTEGERS else "%@"
            place = end
        else:
            key += source[place]
            place += 1
    return key, place + 1
