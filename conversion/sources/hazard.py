"""What a check of a stranger's network finds."""


class Hazard(Exception):
    """What a file holds that could run code, in words: "it holds a pickle"."""
