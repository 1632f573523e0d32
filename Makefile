# Stube's one build file. `make help` lists the targets.
MAKEFLAGS += -rR
.DEFAULT_GOAL := all
.SECONDARY:
.DELETE_ON_ERROR:

VERSION := 0.1.0
MODE    ?= release
V       ?= 0
DESTDIR ?=
PREFIX  ?= /usr/local
BINDIR  ?= $(PREFIX)/bin
MANDIR  ?= $(PREFIX)/share/man
SHAREDIR ?= $(PREFIX)/share
CC      := $(if $(filter fuzz,$(MODE)),clang,$(if $(filter default undefined,$(origin CC)),gcc,$(CC)))
AR      := ar
O       := build/$(MODE)
BIN     := $(if $(filter release,$(MODE)),build/bin,$(O)/bin)
Q       := $(if $(filter 1,$(V)),,@)
# Without a process: printf and mkdir for each of 1,300 files cost as much as compiling sixty of them.
tab     := $(subst x,	,x)
say      = $(if $(filter 1,$(V)),,$(info $(strip) $(1)$(tab)$(2)))
folder   = $(if $(made-$(@D)),,$(eval made-$(@D) := $(shell mkdir -p $(@D))yes))

# Modules, from the lowest up, are what Layers lists; so is who links whom.
layers    := $(shell sed -n '/^[a-z]*:/ { s/: */:/; s/ /:/g; p }' Layers)
MODULES   := $(foreach l,$(layers),$(firstword $(subst :, ,$(l))))
$(foreach l,$(layers),$(eval below-$(firstword $(subst :, ,$(l))) := $(wordlist 2,99,$(subst :, ,$(l)))))
PROGRAMS  := $(notdir $(patsubst %/,%,$(wildcard cmd/*/)))
reverse    = $(if $(1),$(call reverse,$(wordlist 2,99,$(1))) $(firstword $(1)))
layer      = $(1) $(foreach m,$(below-$(1)),$(call layer,$(m)))
# Libraries of a list of modules, in link order: who leans comes before what it leans on.
in_order   = $(filter $(1),$(call reverse,$(MODULES)))

# What each program links (cmd/NAME/Links: modules, then the word static where it is).
links      = $(call in_order,$(filter-out static,$(file < cmd/$(1)/Links)))
is_static  = $(and $(filter static,$(file < cmd/$(1)/Links)),$(filter release,$(MODE)))

# Vendor libraries behind each module.
pkg_base := yajl
pkg_oci  := libcrypto
pkg_net  := libcurl libmicrohttpd gnutls libsystemd libcrypto
pkg_runtime := libseccomp libcap
pkg_images  := libarchive libisal libzstd
pkg_api     := yaml-0.1
pkg_agent   :=
pkg_scheduler := sqlite3
pkg_stube-systemd := libsystemd
pkg_examples := libmicrohttpd sqlite3 libcurl libcrypto
# Asked when a program is linked, not before: `make demo` starts where pkg-config is not yet installed.
vendor      = $(if $(strip $(1)),$(shell pkg-config --libs $(1)))
# Debian names yajl's static library yajl_s.
vendor_static = $(patsubst -lyajl,-lyajl_s,$(call vendor,$(1)))
pkgs        = $(sort $(foreach m,$(1),$(pkg_$(m))))

WARN := -Wall -Wextra -Wshadow -Wvla -Wmissing-prototypes -Wstrict-prototypes -Wformat=2 -Wundef \
        -Wpointer-arith -Wwrite-strings $(if $(filter gcc,$(CC)),-Wlogical-op -Wduplicated-cond -Wno-format-truncation)
WERROR ?= -Werror
SANITIZE := -fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer
flags_release  := -O2 -g -D_FORTIFY_SOURCE=3 -fstack-protector-strong -fstack-clash-protection -fcf-protection \
                  -ffunction-sections -fdata-sections
flags_asan     := -O1 -g $(SANITIZE)
flags_tsan     := -O1 -g -fsanitize=thread -fno-omit-frame-pointer
flags_coverage := -O0 -g --coverage
flags_undefended := -O1 -g -DUNDEFENDED
flags_fuzz     := -O1 -g $(SANITIZE) -fsanitize=fuzzer-no-link -DFUZZING
link_release   := -Wl,-z,relro,-z,now,--as-needed,--gc-sections
link_asan      := $(SANITIZE)
link_tsan      := -fsanitize=thread
link_coverage  := --coverage
link_fuzz      := $(SANITIZE)
ALL_CFLAGS  = -std=gnu17 -D_GNU_SOURCE -I. $(WARN) $(WERROR) $(flags_$(MODE)) $(CFLAGS)
ALL_LDFLAGS = $(link_$(MODE)) $(LDFLAGS)
compile     = $(CC) $(ALL_CFLAGS) -fPIE -MMD -MP -c -o $@ $<

all: programs
programs: $(PROGRAMS:%=$(BIN)/%)

$(O)/%.o: %.c
	$(call say,CC,$<)
	$(folder)
	$(Q)$(compile)

# One static library a module.
define module
$(O)/$(1).a: $(patsubst %.c,$(O)/%.o,$(wildcard $(1)/*.c))
	$$(call say,AR,$$@)
	@mkdir -p $$(@D); rm -f $$@
	$(Q)$(AR) rcsD $$@ $$^
endef
$(foreach m,$(MODULES),$(eval $(call module,$(m))))

define program
$(BIN)/$(1): $(patsubst %.c,$(O)/%.o,$(wildcard cmd/$(1)/*.c)) $(O)/version.o $(patsubst %,$(O)/%.a,$(call links,$(1)))
	$$(call say,LD,$$@)
	@mkdir -p $$(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) $(if $(call is_static,$(1)),-static-pie,-pie) -o $$@ $$^ \
	  $(if $(call is_static,$(1)),$$(call vendor_static,$(call pkgs,$(call links,$(1)))),$$(call vendor,$(call pkgs,$(call links,$(1)) $(1))))
endef
# A program with rules of its own: cmd/NAME/rules.mk.
OWN_RULES := $(wildcard cmd/*/rules.mk)
$(foreach p,$(filter-out $(OWN_RULES:cmd/%/rules.mk=%),$(PROGRAMS)),$(eval $(call program,$(p))))
include $(OWN_RULES)

$(O)/version.o: Makefile
	@mkdir -p $(@D)
	$(Q)echo 'extern const char stube_version[]; const char stube_version[] = "$(VERSION)";' | \
	  $(CC) $(ALL_CFLAGS) -fPIE -xc -c -o $@ -

# Unit tests link only what their module may use.
UNIT := $(patsubst tests/%.c,$(O)/tests/%,$(wildcard tests/unit/*/*_test.c))
define unit
$(patsubst tests/%.c,$(O)/tests/%,$(wildcard tests/unit/$(1)/*_test.c)): $(O)/tests/unit/$(1)/%: \
  $(O)/tests/unit/$(1)/%.o $(O)/version.o $(patsubst %,$(O)/%.a,$(call in_order,$(call layer,$(1))))
	$$(call say,LD,$$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $$@ $$^ -lcmocka $$(call vendor,$(call pkgs,$(call layer,$(1))))
endef
$(foreach m,$(MODULES),$(eval $(call unit,$(m))))
unit-tests: $(UNIT)

# Fuzzers: tests/fuzz/MODULE_NAME.c, each a libFuzzer harness; `make fuzz SECONDS=60` runs them all.
FUZZERS := $(patsubst tests/fuzz/%.c,build/fuzz/bin/fuzz-%,$(wildcard tests/fuzz/*.c))
build/fuzz/bin/fuzz-%: build/fuzz/tests/fuzz/%.o build/fuzz/version.o $(MODULES:%=build/fuzz/%.a)
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -fsanitize=fuzzer -o $@ $(filter %.o,$^) \
	  $(patsubst %,build/fuzz/%.a,$(call in_order,$(call layer,$(firstword $(subst _, ,$*))))) $(call vendor,$(call pkgs,$(MODULES)))
fuzz-programs: $(FUZZERS)
SECONDS ?= 20
fuzz:
	$(Q)$(MAKE) --no-print-directory MODE=fuzz fuzz-programs
	$(Q)tests/fuzz/run.sh $(SECONDS)

# Helper programs of the tests: tests/helpers/NAME.c, static.
HELPERS := $(patsubst tests/helpers/%.c,build/helpers/%,$(wildcard tests/helpers/*.c))
build/helpers/%: tests/helpers/%.c
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 $(WARN) $(WERROR) -static -o $@ $<
helpers: $(HELPERS)

# EXAMPLES, demo, man pages, benchmarks: each in its own file, so that this one stays a page.
-include examples/rules.mk docs/rules.mk tests/rules.mk

deps:
	$(Q)./deps build check demo vm
deps-build:
	$(Q)./deps build

# All cores, unless the caller said how many.
jobs = $(if $(findstring -j,$(MAKEFLAGS)),,-j$(shell nproc))
check: deps
	$(Q)$(MAKE) --no-print-directory $(jobs) all helpers unit-tests
	$(Q)$(MAKE) --no-print-directory $(jobs) MODE=asan unit-tests build/asan/bin/stube-runtime build/asan/bin/stube-systemd
	$(Q)$(MAKE) --no-print-directory $(jobs) MODE=undefended build/undefended/bin/stube-runtime
	$(Q)tests/run.sh

lint: deps
	$(Q)tests/lint/run.sh

# Only lines that differ from the last commit: rows and short lists aligned by hand elsewhere stay readable.
format:
	$(Q)git clang-format --force --quiet --extensions c,h HEAD

report:
	$(Q)echo 'Longest files:'; git ls-files '*.c' '*.h' | xargs wc -l | sort -rn | sed -n '2,11p'
	$(Q)echo 'Longest functions:'; tests/lint/functions.awk $$(git ls-files '*.c') | sort -rn | head -10

clean:
	rm -rf build

help:
	@echo 'Programs:  make [all]            into build/bin (V=1 shows the commands)'
	@echo 'Modes:     make MODE=asan|tsan|coverage|fuzz|undefended all'
	@echo 'See it:    make demo             a registry, three services, one citizen'
	@echo 'Tests:     make check lint       everything; make unit-tests builds the unit tests'
	@echo '           make check-vm         what needs systemd, all of cgroup v2, two processors: in machines of its own'
	@echo '           make fuzz SECONDS=60  all fuzzers'
	@echo 'Figures:   make bench            side by side with the peers; make report: longest code'
	@echo 'Install:   make install uninstall DESTDIR= PREFIX=$(PREFIX)'
	@echo 'Others:    make deps format man completion clean'

.PHONY: all programs unit-tests fuzz fuzz-programs helpers deps deps-build check lint format report clean help
-include $(shell find $(O) build/fuzz -name '*.d' 2>/dev/null)
