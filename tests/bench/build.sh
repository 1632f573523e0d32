#!/usr/bin/env bash
# Build the programs of the runtime's benchmark into build/bench, or into $BENCH_OUT: tests/bench/build.sh
# floor and race against musl: a small program starts cheaper, and what spawns is counted as memory of what
# it spawned until the exec. payload without any library.
set -eu
cd "$(dirname "$0")/../.."
out=${BENCH_OUT:-build/bench}
mkdir -p "$out"
arch=$(uname -m)
musl=(-std=gnu17 -D_GNU_SOURCE -Os -fno-pie -Wall -Wextra -Wno-unused-result -nostdinc
	-isystem "/usr/include/$arch-linux-musl" -isystem "$(gcc -print-file-name=include)"
	-idirafter /usr/include -idirafter "/usr/include/$(gcc -print-multiarch)"
	-static -no-pie -specs "/usr/lib/$arch-linux-musl/musl-gcc.specs" -s)
gcc "${musl[@]}" -Wl,-z,noseparate-code -DSTAGE -o "$out/floor-stage" tests/bench/floor.c
gcc "${musl[@]}" -Wl,-z,noseparate-code "-DSTAGE_FILE=\"$out/floor-stage\"" -o "$out/floor" tests/bench/floor.c
gcc "${musl[@]}" -o "$out/race" tests/bench/race.c
gcc -O2 -Wall -Wextra -nostdlib -static -fno-stack-protector -Wl,-z,noseparate-code -Wl,--build-id=none -s \
	-o "$out/payload" tests/bench/payload.c
