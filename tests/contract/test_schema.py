import json
from pathlib import Path

from samesight.contract.spec import ModelSpec

SCHEMA = Path(__file__).parents[2] / "docs" / "model.schema.json"
COMMAND = (
    'python -c "import json; from samesight.contract.spec import ModelSpec; '
    'print(json.dumps(ModelSpec.model_json_schema(), indent=2, ensure_ascii=False))" > docs/model.schema.json'
)


def test_the_schema_in_the_docs_is_current():
    current = json.dumps(ModelSpec.model_json_schema(), indent=2, ensure_ascii=False) + "\n"
    assert SCHEMA.read_text(encoding="utf-8") == current, f"make it anew: {COMMAND}"
