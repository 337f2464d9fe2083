"""Options that take names: several times, or separated by commas."""

import click


def split_names(context: click.Context, parameter: click.Parameter, values: tuple[str, ...]) -> tuple[str, ...]:
    """The names of an option's values, which may be lists separated by commas."""
    names = tuple(name.strip() for value in values for name in value.split(",") if name.strip())
    if values and not names:
        raise click.BadParameter("is empty; leave it out, or name what you want", context, parameter)
    return names
