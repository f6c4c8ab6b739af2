# demo: the sample clip, trained, driven and relit      test: all tests      lint: ruff and mypy
# bench: speed and fidelity, printed as tables          zip: the Blender extension, in dist/
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || echo python3.11)
BIN := .venv/bin
READY := .venv/.ready

.PHONY: demo test lint bench zip clean

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/relitalk demo --force

test: $(READY)
	$(BIN)/python -m pytest

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/mypy

bench: $(READY)
	$(BIN)/python -m benchmarks

zip: $(READY)
	$(BIN)/python -m relitalk_addon.packing

clean:
	rm -rf .venv .venv-bpy42 .venv-bpy52 build dist demo *.egg-info
