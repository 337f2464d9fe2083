"""Versioned JSON documents: the base of our pydantic models, and reading one with a clear sentence on failure."""

import json
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from samesight.contract.errors import SamesightError
from samesight.contract.files import read_plain

# Integers that phones read into 32 bits.
INT32_MAX = 2**31 - 1
Int32 = Annotated[int, Field(ge=-INT32_MAX - 1, le=INT32_MAX)]
Position = Annotated[int, Field(ge=0, le=INT32_MAX)]
Count = Annotated[int, Field(ge=1, le=INT32_MAX)]


class Strict(BaseModel):
    """Immutable, no unknown field, no NaN or infinity."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


class Document(Strict):
    """A JSON file; each kind has a field `schema_version: Literal[n] = n`."""

    def to_json(self) -> str:
        """The file's text: indented, keys in the classes' order, a final newline."""
        return json.dumps(self.model_dump(mode="json"), indent=2, ensure_ascii=False) + "\n"


D = TypeVar("D", bound=Document)


def first_problem(error: ValidationError) -> str:
    """The first complaint of pydantic as `field: what is wrong`."""
    first: Any = error.errors(include_url=False)[0]
    field = ".".join(str(part) for part in first["loc"])
    message = first["msg"].removeprefix("Value error, ")
    return f"{field}: {message}" if field else str(message)


def parse_document(model: type[D], text: str | bytes, source: str) -> D:
    """Read a document from JSON text.

    Raises:
        SamesightError: not JSON, of another schema, or contradicting itself; the sentence begins with `source`.
    """
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise SamesightError(f"{source}: not a JSON document ({error}); make it anew") from None
    supported = model.model_fields["schema_version"].default
    version = data.get("schema_version") if isinstance(data, dict) else None
    if isinstance(version, int) and version > supported:
        raise SamesightError(
            f"{source}: written by a newer samesight (schema {version}, this one reads {supported}); update samesight"
        )
    if isinstance(version, int) and not isinstance(version, bool) and 1 <= version < supported:
        raise SamesightError(
            f"{source}: written by an older samesight (schema {version}, this one reads {supported}); make it anew"
        )
    try:
        return model.model_validate(data)
    except ValidationError as error:
        raise SamesightError(f"{source}: {first_problem(error)}; mend it or make it anew") from None


def read_document(model: type[D], path: Path) -> D:
    """Read a document from a file (errors as in `parse_document`, and a file that cannot be read)."""
    try:
        text = read_plain(path)
    except OSError as error:
        raise SamesightError(f"{path}: {error.strerror or error}; is this the right folder?") from None
    return parse_document(model, text, str(path))
