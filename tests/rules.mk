# tests/rules.mk: benchmarks, side by side with the peers that are installed.
bench-runtime: all
	$(Q)tests/bench/runtime.sh
bench: bench-runtime
.PHONY: bench bench-runtime
