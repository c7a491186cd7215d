# Everything happens in $(VENV); the first target asked for sets it up, later ones find it ready.
#
#   make tune   compose a folk tune: ABC, MIDI, score and sound in tunes-out/
#   make studio  open the site on which tunes are composed, played and shared
#   make train  learn folk tunes yourself (about two minutes)
#   make test   run the tests
#   make test-fast   the same but for the slow ones
#   make test-torch  the core on the oldest and the newest torch, each in an environment of its own
#   make test-all   every cell, size, precision and instruction set, kept in tests/results
#   make test-random-cells  cells made at random (N=2000 of them) against plain torch; SEED=1
#   make check  everything the continuous integration runs
#   make test-teams  the kernels' tests on torch's OpenMP threads, and by turns on those and their own
#   make sanitize   the kernels' tests under address and undefined-behaviour sanitizers
#   make sanitize-threads   those with several threads under ThreadSanitizer
#   make test-clang  the kernels' tests with clang in place of g++, on every instruction set
#   make test-aarch64, make test-windows  the kernels of those systems, run by qemu and by wine
#   make docs   build the documentation site into site/; open site/index.html
#   make slides  the lecture's slides, notebooks and sheets, in two languages, in lecture-out/
#   make bench  measure the tables of bench/results/ again; BENCH="layers streaming" names some of it
#
# Variables:
#   PYTHON=python3.12    the interpreter to build the environment with (3.11 or newer)
#   TORCH_INDEX=URL      a further package index to take torch from. To get the small CPU build
#                        of torch, give the address that torch's install page shows for "CPU".
#   PIP_ARGS="..."       further arguments of pip
#   WORKERS=2            the processes that share the tests
#   SEED=7               the tune that `make tune` composes; without it, a new one each time

PYTHON ?= python3
VENV ?= .venv
TORCH_INDEX ?=
PIP_ARGS ?=
SEED ?=
WORKERS ?= 2
BENCH ?= layers calls compiled streaming generation composers infilling choosing training_step recording look monitor search recompute scan matrix_states precision c_export

BIN := $(VENV)/bin
READY := $(VENV)/.ready
WEIGHTS := tunes-out/tunes.safetensors
PIP := $(BIN)/python -m pip install --quiet --quiet --disable-pip-version-check --constraint constraints.txt \
	$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(PIP_ARGS)

# Each process would compile all that it imports anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: tune studio train test test-fast test-torch test-torch-oldest test-torch-newest test-all test-teams test-random-cells lint format types imports sizes docs slides check sanitize sanitize-threads bench install \
	clean
.DEFAULT_GOAL := test
# An interrupted training has kept its best weights: make must not delete them.
.PRECIOUS: $(WEIGHTS)

# The bundled model; without one, it is trained here first.
tune: $(or $(wildcard src/sluice/tunes/model/*.safetensors),$(WEIGHTS)) | $(READY)
	$(BIN)/sluice compose $(if $(SEED),--seed $(SEED))
	@echo "To train one of your own: make train, then sluice compose --checkpoint $(WEIGHTS)"

studio: $(READY)
	$(BIN)/sluice studio

$(WEIGHTS): | $(READY)
	$(BIN)/sluice train tunes

train: $(READY)
	$(BIN)/sluice train tunes

# A test that hangs ends its process, with the stacks of all threads; the others go on. Each process
# has a run of neighbours, which share what is made once, and takes from the others in the end.
PYTEST := $(BIN)/python -m pytest -n $(WORKERS) --dist worksteal --timeout 600 --timeout-method thread

test: $(READY)
	$(PYTEST) -m "not exhaustive"

test-fast: $(READY)
	$(PYTEST) -m "not slow and not exhaustive"

# The core alone, where torch's private names and schemas are used; some gigabytes to download.
CORE := tests/equations tests/cells tests/codegen tests/nn tests/run
TORCH_OLDEST := $(shell sed -n 's/^ *"torch>=\([0-9.]*\)",/\1/p' pyproject.toml)

test-torch: test-torch-oldest test-torch-newest

# Not bound by constraints.txt, which pins another torch; the kernels are built for each.
test-torch-oldest: REQUIRED = torch==$(TORCH_OLDEST).*
test-torch-newest: REQUIRED = torch
test-torch-oldest test-torch-newest: $(READY)
	@test -x build/$@/bin/python || $(BIN)/python -m venv build/$@
	build/$@/bin/python -m pip install --quiet --disable-pip-version-check --upgrade \
		$(if $(TORCH_INDEX),--extra-index-url $(TORCH_INDEX)) $(PIP_ARGS) \
		"$(REQUIRED)" scikit-build-core nanobind cmake ninja pytest hypothesis
	build/$@/bin/python -m pip install --quiet --disable-pip-version-check --no-build-isolation \
		--config-settings build-dir=build/$@/kernels .
	build/$@/bin/python -c "import torch; print('torch', torch.__version__)"
	build/$@/bin/python -m pytest -p no:cacheprovider $(CORE)

# What they need and lack, they say: nothing is installed.
test-aarch64 test-windows: $(READY)
	SLUICE_TEST_CROSS=1 PATH="$(abspath $(BIN)):$$PATH" $(BIN)/python -m pytest -p no:cacheprovider -rs tests/cross -k $(@:test-%=%)

test-clang: $(READY)
	@command -v clang++ >/dev/null || { echo "no clang++: apt-get install clang" >&2; exit 1; }
	CXX=clang++ $(BIN)/cmake -S . -B build/clang -G Ninja \
		-DPython_EXECUTABLE="$(abspath $(BIN)/python)" -DCMAKE_MAKE_PROGRAM="$(abspath $(BIN)/ninja)"
	$(BIN)/cmake --build build/clang
	for isa in $$($(BIN)/python -c "from sluice.run.kernels.extension import load_extension as load; print(*load().supported())"); do \
		SLUICE_KERNELS="$(abspath build/clang)" SLUICE_ISA=$$isa $(BIN)/python -m pytest -p no:cacheprovider \
			tests/run/kernels tests/run/test_threads.py tests/nn/test_stream.py \
			-k "not every_instruction_set" || exit 1; done

# The full product, on every instruction set: some twenty minutes.
test-all: $(READY)
	$(PYTEST) -m exhaustive
	PYTHONPATH=tests $(BIN)/python tests/matrix.py

# By default tests give torch one thread, and several to the kernels alone: those are their own.
KERNEL_TESTS := tests/run/kernels tests/run/test_threads.py tests/run/test_teams.py tests/nn/test_stream.py
test-teams: $(READY)
	SLUICE_TEST_TEAM=openmp $(BIN)/python -m pytest $(KERNEL_TESTS)
	SLUICE_TEST_TEAM=alternating $(BIN)/python -m pytest $(KERNEL_TESTS)

# Random cells on the kernels, the reference and the adjoint against loops in plain torch.
N ?= 2000
test-random-cells: $(READY)
	SLUICE_POISON=1 $(BIN)/python tests/random_cells.py $(N) $(or $(SEED),1)

lint: $(READY)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

types: $(READY)
	$(BIN)/mypy

imports: $(READY)
	$(BIN)/lint-imports --no-cache

sizes:
	@git ls-files '*.py' | xargs -r wc -l | awk '$$2 != "total" && $$1 > 400 \
		{ print $$2 ": " $$1 " lines; a file has 400 at most, split it by subject"; bad = 1 } \
		END { exit bad }'

docs: $(READY)
	$(BIN)/python -m mkdocs build --strict
	@echo "Built: open site/index.html in a browser"

slides: $(READY)
	$(BIN)/python tools/write_lecture.py lecture-out

# The site is built by one of the tests. Types take longest: they are checked beside the tests.
check: $(READY)
	@$(MAKE) --no-print-directory --jobs 2 --output-sync lint imports sizes
	@$(MAKE) --no-print-directory --jobs 2 types test

# The kernels' tests with what g++ checks at run time: addresses, lifetimes, undefined behaviour;
# or, under ThreadSanitizer, every access that two threads make. One instruction set: builds are slow.
SANITIZE_ISA ?= v3
# TSan cannot follow a fork of a process with threads.
THREADED := several_callers or processor or masks_are or float64 or any_shape or neighbours or stream or threads_share

sanitize: LIBRARIES = libasan libubsan
sanitize: SANITIZERS = address,undefined
sanitize: CHOSEN = tests/run --ignore tests/run/gpu tests/nn/test_stream.py tests/sequence/generation/test_on_kernels.py \
	-k "not every_instruction_set and not memory_is_bounded"
sanitize-threads: LIBRARIES = libtsan
sanitize-threads: SANITIZERS = thread
sanitize-threads: SANITIZE_ISA = generic
sanitize-threads: CHOSEN = tests/run/test_threads.py tests/run/kernels tests/nn/test_stream.py \
	tests/sequence/generation/test_on_kernels.py -k "$(THREADED)"

sanitize sanitize-threads: $(READY)
	$(BIN)/cmake -S . -B build/$@ -G Ninja -DSLUICE_SANITIZE=$(SANITIZERS) \
		-DPython_EXECUTABLE="$(abspath $(BIN)/python)" -DCMAKE_MAKE_PROGRAM="$(abspath $(BIN)/ninja)"
	$(BIN)/cmake --build build/$@ --target $(sort _kernels_generic _kernels_$(SANITIZE_ISA))
	LD_PRELOAD="$(foreach name,$(LIBRARIES),$$(g++ -print-file-name=$(name).so))" \
		ASAN_OPTIONS=detect_leaks=0:alloc_dealloc_mismatch=0:allocator_may_return_null=1 \
		UBSAN_OPTIONS=print_stacktrace=1 \
		SLUICE_KERNELS="$(abspath build/$@)" SLUICE_ISA=$(SANITIZE_ISA) \
		$(BIN)/python -m pytest -p no:cacheprovider $(CHOSEN)

bench: $(READY)
	@$(PIP) --no-build-isolation --editable '.[bench]'
	@for name in $(BENCH); do $(BIN)/python bench/$$name.py || exit 1; done

install: $(READY)

# An older checkout's kernels are found again where ccache is there.
ifneq ($(shell command -v ccache),)
$(READY): export CMAKE_CXX_COMPILER_LAUNCHER := ccache
$(READY): export CCACHE_BASEDIR := $(CURDIR)
$(READY): export CCACHE_NOHASHDIR := true
endif
KERNELS := --no-build-isolation --config-settings cmake.define.SLUICE_OPTIMIZE_HERE=ON
EXTRAS := tunes,studio,postgres,plots,xarray,data,pairs,export,keras,tensorboard,search,docs,dev

# torch is never part of an isolated build: the back end is installed first, at its locked version.
# The kernels are compiled while the rest is fetched: what is locked, without resolving it and without
# compiling what nothing imports. What a platform needs beside that, the last step adds.
$(READY): pyproject.toml constraints.txt CMakeLists.txt $(wildcard csrc/*)
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Sluice needs Python 3.11 or newer: make PYTHON=/path/to/python3.11" >&2; exit 1; }
	@echo "Setting up $(VENV): torch and the rest, a few minutes the first time"
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(PIP) scikit-build-core nanobind cmake ninja
	@$(BIN)/python -m pip wheel --quiet --no-deps $(KERNELS) --wheel-dir build/wheel . & kernels=$$!; \
		$(PIP) --no-deps --no-compile --requirement constraints.txt; installed=$$?; \
		wait $$kernels && exit $$installed
	@$(PIP) $(KERNELS) --editable '.[$(EXTRAS)]'
	@touch $@

clean:
	rm -rf $(VENV) site .hypothesis .import_linter_cache .mypy_cache .pytest_cache .ruff_cache
	find src tests -name __pycache__ -type d -prune -exec rm -rf {} +
