# demo: the sample clip, trained, driven and relit      test: all tests      lint: ruff and mypy
# test-window: the panels, drawn in a real window
# bench: speed and fidelity, printed as tables          zip: the Blender extension, in dist/
# priors: the small weights that ship, made anew        clean: what the others leave
PYTHON ?= $(shell command -v python3.11 || command -v python3.12 || echo python3.11)
BIN := .venv/bin
READY := .venv/.ready
CHECKED := relitalk_engine $(addprefix relitalk_addon/,jobs.py launch.py turn.py hardware.py engine.py)

.PHONY: demo test test-window lint bench priors zip clean

$(READY): pyproject.toml
	$(PYTHON) -m venv .venv
	$(BIN)/python -m pip install --quiet --editable '.[dev]'
	touch $(READY)

demo: $(READY)
	$(BIN)/relitalk demo --force

# Blender's module and the engine's libraries do not share a process, so the add-on's tests run in one of their own.
test: $(READY)
	$(BIN)/python -m pytest --ignore=tests/addon --ignore=tests/window
	$(BIN)/python -m pytest tests/addon

# Pictures of every panel in every state; KEEP=FOLDER keeps them. Skipped, saying so, without Debian's Blender and Xvfb.
test-window: $(READY)
	RELITALK_KEEP_PICTURES="$(KEEP)" $(BIN)/python -m pytest tests/window -rs

# mypy wants the repository's folder to be named like a package, as Blender names it: a link elsewhere does that.
lint: $(READY)
	$(BIN)/ruff check .
	named=$$(mktemp -d) && ln -s "$(CURDIR)" $$named/relitalk && \
	$(BIN)/mypy $(addprefix $$named/relitalk/,$(CHECKED)); status=$$?; rm -r $$named; exit $$status

bench: $(READY)
	$(BIN)/python -m benchmarks

priors: $(READY)
	$(BIN)/python -m relitalk_engine.priors.bake_head
	$(BIN)/python -m relitalk_engine.speech.mesh_training
	$(BIN)/python -m relitalk_engine.speech.closure_training
	$(BIN)/python -m relitalk_engine.reflectance.prior_training

zip: $(READY)
	$(BIN)/python scripts/pack.py -o dist

clean:
	rm -rf .venv .venv-bpy* build dist demo *.egg-info
