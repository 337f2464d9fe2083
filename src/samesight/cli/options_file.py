"""Options of a verb from a YAML file: the file's values take the place of the options' defaults."""

from pathlib import Path
from typing import Any

import click

# Keys that make no sense in a file: which file it is, and how one call shows or resumes things.
NOT_IN_A_FILE = ("config", "resume", "as_json", "help")


def take_file(context: click.Context, parameter: click.Parameter, path: Path | None) -> None:
    """A click callback for an eager option: what the file says becomes the defaults of the verb's other options."""
    if path is not None:
        context.default_map = {**(context.default_map or {}), **read_options(path, context.command)}


def read_options(path: Path, command: click.Command) -> dict[str, Any]:
    """The values of a YAML file by the command's parameters.

    A key is an option's name with or without its dashes (`batch-size`, `batch_size`, `lr`), or that of an argument. The
    options themselves check the values.

    Raises:
        UsageError: the file cannot be read, is no mapping, or has a key that is no option or a value that is none.
    """
    from samesight.contract.errors import UsageError

    names = {
        option.lstrip("-").replace("-", "_"): parameter.name
        for parameter in command.params
        if parameter.name not in NOT_IN_A_FILE
        for option in parameter.opts
    }
    flags = {option.name for option in command.params if isinstance(option, click.Option) and option.is_flag}
    values: dict[str, Any] = {}
    for key, value in _read(path).items():
        name = names.get(str(key).lstrip("-").replace("-", "_"))
        if name is None:
            known = ", ".join(sorted(option.replace("_", "-") for option in names))
            raise UsageError(f"{path}: has the unknown key {key!r}; the keys are {known}")
        if isinstance(value, list | dict):
            raise UsageError(f"{path}: {key} is a {'list' if isinstance(value, list) else 'mapping'}; give one value")
        if name in values:
            raise UsageError(f"{path}: {key} stands there twice; keep one of them")
        if value is not None:
            # As on the command line, where `--epochs true` is no number.
            values[name] = value if name in flags else str(value)
    return values


def _read(path: Path) -> dict[Any, Any]:
    import yaml

    from samesight.contract.errors import UsageError, first_line
    from samesight.contract.files import read_plain

    try:
        document = yaml.safe_load(read_plain(path))
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror or error}; give a YAML file with options") from None
    except (yaml.YAMLError, ValueError, RecursionError) as error:
        mark = getattr(error, "problem_mark", None)
        where = f" in line {mark.line + 1}" if mark else ""
        raise UsageError(f"{path}: not a YAML document{where} ({first_line(error)}); correct it") from None
    if document is None:
        return {}
    if not isinstance(document, dict):
        raise UsageError(f"{path}: holds no options; write one a line, such as `epochs: 20`")
    return document
