"""Versioned JSON documents: the base of our pydantic models, and reading one with a clear sentence on failure."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeVar, cast

from pydantic import BaseModel, ConfigDict, Field, GetCoreSchemaHandler, ValidationError, ValidationInfo
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from samesight.contract.errors import SamesightError
from samesight.contract.files import read_plain
from samesight.contract.limits import DOCUMENT_BYTES
from samesight.contract.text import one_line

# Integers that phones read into 32 bits.
INT32_MAX = 2**31 - 1
Int32 = Annotated[int, Field(ge=-INT32_MAX - 1, le=INT32_MAX)]
Position = Annotated[int, Field(ge=0, le=INT32_MAX)]
Int64 = Annotated[int, Field(ge=-(2**63), le=2**63 - 1)]
Length = Annotated[int, Field(ge=0, le=2**63 - 1)]
Count = Annotated[int, Field(ge=1, le=INT32_MAX)]


FROM_A_FILE = "from a file"
_EXPECTED = {
    "int": "Input should be a valid integer",
    "float": "Input should be a valid number",
    "bool": "Input should be a valid boolean",
}
_OF_TEXT = {"int": ", unable to parse string as an integer", "float": ", unable to parse string as a number"}


def _with_json_types(schema: Any) -> Any:
    if isinstance(schema, list | tuple):
        return type(schema)(_with_json_types(part) for part in schema)
    if not isinstance(schema, dict):
        return schema
    kind = schema.get("type")
    if isinstance(kind, str) and kind in _EXPECTED:
        return core_schema.with_info_before_validator_function(_json_type_check(kind), cast("CoreSchema", schema))
    if kind == "literal" and all(isinstance(value, int) for value in schema["expected"]):
        return core_schema.with_info_before_validator_function(_no_truth_value, cast("CoreSchema", schema))
    return {key: part if key in ("metadata", "default") else _with_json_types(part) for key, part in schema.items()}


def _no_truth_value(value: Any, info: ValidationInfo) -> Any:
    """None of the choices in place of a truth value, which Python takes for 1 or 0."""
    return object() if info.context == FROM_A_FILE and isinstance(value, bool) else value


def _json_type_check(kind: str) -> Callable[[Any, ValidationInfo], Any]:
    def check(value: Any, info: ValidationInfo) -> Any:
        if info.context == FROM_A_FILE and (isinstance(value, str) or isinstance(value, bool) != (kind == "bool")):
            of_text = _OF_TEXT.get(kind, "") if isinstance(value, str) else ""
            raise PydanticCustomError("json_type", _EXPECTED[kind] + of_text)
        return value

    return check


class Strict(BaseModel):
    """Immutable, no unknown field, no NaN or infinity; read from a file, a number is no text and no truth value."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    @classmethod
    def __get_pydantic_core_schema__(cls, source: type[BaseModel], handler: GetCoreSchemaHandler) -> CoreSchema:
        """Have every number and truth value checked as the apps do."""
        return cast("CoreSchema", _with_json_types(handler(source)))


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
    return one_line(f"{field}: {message}" if field else str(message))


def parse_document(model: type[D], text: str | bytes, source: str) -> D:
    """Read a document from JSON text.

    Raises:
        SamesightError: not JSON, of another schema, or contradicting itself; the sentence begins with `source`.
    """
    try:
        # JSON in other encodings would be taken here and refused by the apps.
        data = json.loads(text if isinstance(text, str) else text.decode())
    except UnicodeDecodeError:
        raise SamesightError(f"{source}: not a JSON document (not UTF-8); make it anew") from None
    except (ValueError, RecursionError) as error:
        raise SamesightError(f"{source}: not a JSON document ({error}); make it anew") from None
    supported = model.model_fields["schema_version"].default
    version = data.get("schema_version") if isinstance(data, dict) else None
    if isinstance(version, int) and not isinstance(version, bool) and version > supported:
        raise SamesightError(
            f"{source}: written by a newer samesight (schema {version}, this one reads {supported}); update samesight"
        )
    if isinstance(version, int) and not isinstance(version, bool) and 1 <= version < supported:
        raise SamesightError(
            f"{source}: written by an older samesight (schema {version}, this one reads {supported}); make it anew"
        )
    try:
        return model.model_validate(data, context=FROM_A_FILE)
    except ValidationError as error:
        raise SamesightError(f"{source}: {first_problem(error)}; mend it or make it anew") from None


def read_document(model: type[D], path: Path, most: int = DOCUMENT_BYTES) -> D:
    """Read a document of at most `most` bytes (errors as in `parse_document`, and a file that cannot be read)."""
    try:
        text = read_plain(path, most)
    except OSError as error:
        raise SamesightError(f"{path}: {error.strerror or error}; is this the right folder?") from None
    return parse_document(model, text, str(path))
