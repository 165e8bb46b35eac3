# The front door. CMake and ninja do the work; each target installs what it needs first
# (scripts/bootstrap does nothing when all is there).
#
#   make            build/bin/*
#   make demo       records this machine, seals, anchors, verifies, damages, recovers
#   make network-demo  a network of nodes that holds a record, killed and cut, and healed
#   make test       the whole test suite
#   make bench      the figures, each beside its peer
#   make check      everything that CI does
#   make install    binaries, man pages, completions (PREFIX, DESTDIR)

PREFIX ?= /usr/local
DESTDIR ?=
BUILD ?= build

.PHONY: all demo network-demo test bench check install clean

all:
	@scripts/bootstrap build
	@cmake -G Ninja -S . -B $(BUILD) -DTWINCHAIN_TESTS=OFF >/dev/null
	@cmake --build $(BUILD)

demo: all
	@BUILD=$(BUILD) scripts/demo

network-demo: all
	@scripts/bootstrap demo
	@BUILD=$(BUILD) scripts/network-demo

test:
	@scripts/bootstrap test
	@cmake -G Ninja -S . -B $(BUILD) -DTWINCHAIN_TESTS=ON >/dev/null
	@cmake --build $(BUILD)
	@tests/run $(BUILD)

bench:
	@scripts/bootstrap bench
	@cmake -G Ninja -S . -B $(BUILD) -DTWINCHAIN_TESTS=ON >/dev/null
	@cmake --build $(BUILD)
	@BUILD=$(BUILD) tests/bench/run

check:
	@.ci/run

install: all
	@DESTDIR=$(DESTDIR) cmake --install $(BUILD) --prefix $(PREFIX) >/dev/null
	@scripts/make-completions $(BUILD)/bin $(DESTDIR)$(PREFIX)/share
	@echo "installed into $(DESTDIR)$(PREFIX)"

clean:
	rm -rf $(BUILD)
