#!/usr/bin/env bash
# `make lint`: layers, vendor headers behind one file, own header first, shell, C analysis.
set -u
cd "$(dirname "$0")/../.." || exit
bad=0
step() {
	local name=$1
	shift
	if "$@"; then echo "ok     $name"; else echo "FAILED $name"; bad=1; fi
}

mapfile -t c_files < <(git ls-files '*.c' '*.h')
mapfile -t sources < <(git ls-files '*.c' | grep -v '^tests/')
mapfile -t scripts < <(git ls-files | xargs -r grep -lE -m1 '^#!(/bin/sh|/usr/bin/env bash|/bin/bash)' 2>/dev/null | sort -u)

# Which vendor header may be seen by which files (style guide: vendor headers stay behind one file each).
vendors() {
	local found=0
	check() { # header pattern, allowed files pattern
		git grep -nE "#include <$1" -- '*.c' '*.h' | grep -vE "^($2)" && found=1
	}
	check 'yajl/' 'base/json'
	check 'curl/' 'net/|examples/'
	check 'microhttpd' 'net/|examples/'
	check 'gnutls/' 'net/server'
	check 'systemd/' 'net/loop'
	check 'sqlite3' 'scheduler/store-sqlite|examples/|tests/'
	check 'yaml' 'api/yaml'
	check 'openssl/' 'oci/|net/|examples/|tests/|images/|registry/'
	check 'seccomp\.h' 'runtime/seccomp|tests/'
	check 'archive' 'images/(tar|pack)|tests/'
	check 'isa-l|igzip' 'images/|tests/'
	check 'zstd' 'images/|tests/'
	return $found
}
own_header_first() {
	local f h first bad=0
	for f in "${sources[@]}"; do
		h=${f%.c}.h
		[ -e "$h" ] || continue
		first=$(grep -m1 '^#include' "$f")
		[ "$first" = "#include \"$h\"" ] || [ "$first" = "#include \"${h%.h}-internal.h\"" ] || { echo "$f:1: includes its own header not first"; bad=1; }
	done
	return $bad
}
file_comments() {
	local f bad=0
	for f in "${c_files[@]}"; do
		head -1 "$f" | grep -qF "/* $f: " || { echo "$f:1: first line must be '/* $f: one sentence. */'"; bad=1; }
	done
	return $bad
}
local_paths() {
	! git grep -nE '/work/(main|wt|shared|tmp)|[" =]/root/' -- ':!tests/lint/run.sh'
}
analyzer() {
	printf '%s\n' "${sources[@]}" | xargs -P"$(nproc)" -n4 cppcheck --quiet --std=c11 --language=c -I. -D_GNU_SOURCE \
		--enable=warning,portability --inline-suppr --suppress=missingIncludeSystem --suppress=nullPointerRedundantCheck \
		--library=posix --error-exitcode=1 --suppress-xml=tests/lint/cppcheck.xml
}
tidy() {
	printf '%s\n' "${sources[@]}" | xargs -P"$(nproc)" -n1 sh -c 'clang-tidy --quiet "$1" -- -std=gnu17 -D_GNU_SOURCE -I. 2>/dev/null' _
}

step layers awk -f tests/lint/layers.awk Layers "${c_files[@]}"
step vendor-headers vendors
step own-header-first own_header_first
step file-comments file_comments
step no-local-paths local_paths
step shellcheck shellcheck -x -S warning "${scripts[@]}"
step cppcheck analyzer
step clang-tidy tidy
exit $bad
