# tests/rules.mk: benchmarks, side by side with the peers that are installed; programs of the tests.
bench-runtime: all
	$(Q)tests/bench/runtime.sh
bench-agent: all
	$(Q)tests/bench/agent.sh
# Placement as a library, and load for a scheduler.
SCHEDULER_BENCH := $(patsubst %,build/bench/bin/scheduler-%,place load)
$(SCHEDULER_BENCH): build/bench/bin/%: $(O)/tests/bench/%.o $(O)/version.o \
  $(patsubst %,$(O)/%.a,$(call in_order,$(call layer,scheduler)))
	$(call say,LD,$@)
	@mkdir -p $(@D)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ $(call vendor,$(call pkgs,$(call layer,scheduler)))
bench-scheduler: all $(SCHEDULER_BENCH)
	$(Q)tests/bench/scheduler.sh
bench: bench-runtime bench-agent bench-scheduler
.PHONY: bench bench-runtime bench-agent bench-scheduler

# The registry client as a command line, for tests/integration/registry*.bats.
REGISTRY_DRIVER := $(O)/tests/registry/driver
$(REGISTRY_DRIVER): $(O)/tests/registry/driver.o $(O)/version.o $(patsubst %,$(O)/%.a,$(call in_order,$(call layer,registry)))
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ $(call vendor,$(call pkgs,$(call layer,registry)))
unit-tests: $(REGISTRY_DRIVER)

# The Pods of a node as a command line, for tests/integration/agent-pods*.bats.
PODS_DRIVER := $(O)/tests/agent/pods-driver
$(PODS_DRIVER): $(O)/tests/agent/pods-driver.o $(O)/version.o $(patsubst %,$(O)/%.a,$(call in_order,$(call layer,agent)))
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ $(call vendor,$(call pkgs,$(call layer,agent)))
unit-tests: $(PODS_DRIVER)

# Index, extractor and mounts as a command line, for tests/integration/layers*.bats.
LAYER_TOOL := $(O)/tests/images/layer-tool
$(LAYER_TOOL): $(O)/tests/images/layer-tool.o $(O)/version.o $(patsubst %,$(O)/%.a,$(call in_order,$(call layer,images)))
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ -lcmocka $(call vendor,$(call pkgs,$(call layer,images)))
unit-tests: $(LAYER_TOOL)

# The API's client as a command line, for tests/integration/api-client.bats.
API_DRIVER := $(O)/tests/api/driver
$(API_DRIVER): $(O)/tests/api/driver.o $(O)/version.o $(patsubst %,$(O)/%.a,$(call in_order,$(call layer,api)))
	$(call say,LD,$@)
	$(Q)$(CC) $(ALL_CFLAGS) $(ALL_LDFLAGS) -pie -o $@ $^ $(call vendor,$(call pkgs,$(call layer,api)))
unit-tests: $(API_DRIVER)

# Test programs that run inside the machines of tests/vm: static, and compiled with what they share.
VM_TESTS := $(patsubst tests/vm/%.c,build/helpers/vm-%,$(filter-out tests/vm/vm.c,$(wildcard tests/vm/*.c)))
build/helpers/vm-%: tests/vm/%.c tests/vm/vm.c tests/vm/vm.h
	$(call say,CC,$<)
	@mkdir -p $(@D)
	$(Q)$(CC) -std=gnu17 -D_GNU_SOURCE -O2 -I. $(WARN) $(WERROR) -static -o $@ $(filter %.c,$^)
# All that the machines run: tests/vm/run.sh [-m MACHINE] [PATTERN] alone runs what is built.
check-vm:
	$(Q)./deps build vm
	$(Q)$(MAKE) --no-print-directory $(jobs) all helpers $(VM_TESTS)
	$(Q)$(MAKE) --no-print-directory $(jobs) MODE=asan build/asan/bin/stube-runtime
	$(Q)tests/vm/run.sh
.PHONY: check-vm
