# `make demo` and `make test` install everything into .venv first; nothing else has to be there but Python 3.11 to 3.13.
PYTHON ?= $(shell for p in python3.11 python3.12 python3.13 python3; do $$p -c "" 2>/dev/null && echo $$p && break; done)
BIN := .venv/bin
INSTALLED := .venv/.installed

.PHONY: demo test check lint format clean

demo: $(INSTALLED)
	$(BIN)/samesight demo

test: $(INSTALLED)
	$(BIN)/pytest -n 2

# The inner loop: what takes longer stands in the demo, in Kotlin and Swift and in tests marked slow.
check: lint
	$(BIN)/pytest -n 2 -m "not demo and not kotlin and not swift and not slow"

lint: $(INSTALLED)
	$(BIN)/ruff format --check
	$(BIN)/ruff check
	$(BIN)/mypy
	$(BIN)/python tests/support/swift_format.py

format: $(INSTALLED)
	$(BIN)/ruff format
	$(BIN)/ruff check --fix
	$(BIN)/python tests/support/swift_format.py --fix

$(INSTALLED): requirements.lock pyproject.toml
	if command -v uv >/dev/null; then uv venv --quiet --allow-existing --python $(PYTHON) .venv; \
	else $(PYTHON) -m venv .venv && $(BIN)/pip install --quiet uv; fi
	UV=$$(command -v uv || echo $(BIN)/uv); \
	$$UV pip install --quiet --compile-bytecode --python $(BIN)/python -r requirements.lock && \
	$$UV pip install --quiet --python $(BIN)/python --no-deps -e .
	touch $@

clean:
	rm -rf .venv demo .pytest_cache .mypy_cache .ruff_cache
