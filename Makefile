# The front door. `make demo` and `make test` set the machine up themselves (Debian, Ubuntu);
# `make` alone needs no network and no root, and names what is missing.
#
#   make               build/ropewalk, build/libropewalk.a, build/libropewalk.so
#   make demo          the main job on the embedded model, 512 -> 2048 tokens
#   make demo-smollm2  the same on SmolLM2-135M, 8192 -> 32768 tokens
#   make test          all tests
#   make bench         what kernels and models reach beside what the machine can do; BENCH=full: all of it
#   make install       PREFIX=/usr/local DESTDIR=

BUILD ?= build
PREFIX ?= /usr/local
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
export BUILD

.PHONY: all demo demo-smollm2 test bench install lint format clean setup
all: $(BUILD)/build.ninja
	@cmake --build $(BUILD) -j $(JOBS) --target ropewalk ropewalk_static ropewalk_shared

$(BUILD)/build.ninja: CMakeLists.txt tests/CMakeLists.txt
	@tools/need cmake ninja cc pkg-config
	@cmake -S . -B $(BUILD) -G Ninja -DCMAKE_BUILD_TYPE=Release \
	    -DCMAKE_INSTALL_PREFIX=$(PREFIX) > $(BUILD).log 2>&1 \
	    || { cat $(BUILD).log; rm -rf $(BUILD).log $(BUILD); exit 1; }
	@mv $(BUILD).log $(BUILD)/configure.log

setup:
	@tools/setup

demo: setup
	@$(MAKE) --no-print-directory all
	@tools/demo

demo-smollm2: setup
	@$(MAKE) --no-print-directory all
	@tools/demo-smollm2

test:
	@tools/setup test
	@tools/venv
	@$(MAKE) --no-print-directory $(BUILD)/build.ninja
	@cmake --build $(BUILD) -j $(JOBS)
	@ctest --test-dir $(BUILD) --output-on-failure -j $(JOBS)

# Whole models too, where Python has the package gguf (tools/venv) to write them.
bench: $(BUILD)/build.ninja
	@cmake --build $(BUILD) -j $(JOBS) --target bench_kernels
	@tools/venv
	@RW_BINARY_DIR=$(BUILD) tests/peers/python bench/model.py $(BUILD)/bench/models > /dev/null \
	    || echo "Python has no gguf: the table is without rows of whole models" >&2
	@models=$(BUILD)/bench/models; $(BUILD)/bench/bench_kernels $(if $(BENCH),--$(BENCH) --resume) \
	    --json $(BUILD)/bench/bench-$${RW_CPU:-native}.json $$(test ! -f $$models/.complete || echo --models $$models)

install: all
	@cmake --install $(BUILD) --prefix $(PREFIX)

lint:
	@tools/lint

format:
	@tools/lint format

clean:
	@rm -rf $(BUILD)
