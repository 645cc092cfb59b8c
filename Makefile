# Two commands on a fresh machine with Python 3.11+: `make demo` and `make test`.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
EXAMPLES := adult digits
export HF_HUB_OFFLINE := 1

.PHONY: help install demo demo-lm test lint types unit nightly golden clean

help:  ## this list
	@grep -E '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/'

install: $(VENV)/installed  ## build .venv with everything pinned

$(VENV)/installed: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit("kdaudit needs Python 3.11 or newer, this is " + sys.version.split()[0] if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --constraint constraints.txt --editable '.[dev]'
	@touch $@

demo: install  ## run both examples, print verdicts and card paths
	@for name in $(EXAMPLES); do \
	  echo "== examples/$$name"; \
	  $(BIN)/python examples/$$name/prepare.py || exit 1; \
	  $(BIN)/kdaudit run examples/$$name/audit.toml; \
	  code=$$?; case $$code in 0|1|3) ;; *) exit $$code ;; esac; \
	done

demo-lm: install  ## distil and audit a language model, print verdicts and card paths (11 minutes)
	@echo "== examples/smollm2"
	@$(BIN)/python examples/smollm2/prepare.py
	@$(BIN)/kdaudit distill examples/smollm2/student.toml
	@for name in facts texts; do \
	  $(BIN)/kdaudit run examples/smollm2/$$name.toml; \
	  code=$$?; case $$code in 0|1|3) ;; *) exit $$code ;; esac; \
	done

test: install lint types unit  ## lint, types and tests

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

types: install
	$(BIN)/mypy

unit: install
	$(BIN)/pytest -n 2 -m 'not slow'

nightly: install  ## the slow statistical simulations as well
	$(BIN)/pytest -n 2

golden: install  ## accept what the renderers print now; read the diff
	KDAUDIT_UPDATE_GOLDEN=1 $(BIN)/pytest tests/reports tests/test_schemas.py

clean:  ## remove what the examples and tests wrote
	rm -rf examples/*/data examples/*/runs examples/*/.kdaudit examples/*/kdaudit-out build dist
