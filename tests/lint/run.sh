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
mapfile -t scripts < <(git ls-files ':!tests/data/fuzz' | xargs -r grep -lE -m1 '^#!(/bin/sh|/usr/bin/env bash|/bin/bash)' 2>/dev/null | sort -u)

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
	check 'systemd/' 'net/(loop|units)|cmd/stube-systemd/'
	check 'sqlite3' 'scheduler/store-sqlite|examples/|tests/'
	check 'yaml' 'api/yaml'
	check 'openssl/' 'oci/|net/|examples/|tests/|images/|registry/'
	check 'seccomp\.h' 'runtime/seccomp|tests/'
	check 'archive' 'images/(tar|pack)|tests/'
	check 'isa-l|igzip' 'images/|tests/'
	check 'zstd' 'images/|tests/'
	return $found
}
# One awk over all files: a head and a grep for each take longer than cppcheck needs for them all.
own_header_first() {
	awk 'FILENAME !~ /\.c$/ || FILENAME ~ /^tests\// { nextfile }
		/^#include/ { first[FILENAME] = $0; nextfile }
		END {
			for (i = 1; i < ARGC; i++) known[ARGV[i]]
			for (i = 1; i < ARGC; i++) {
				if (ARGV[i] !~ /\.c$/ || ARGV[i] ~ /^tests\//) continue
				stem = substr(ARGV[i], 1, length(ARGV[i]) - 2)
				said = first[ARGV[i]]
				if (!(stem ".h" in known) || said == "#include \"" stem ".h\"" || said == "#include \"" stem "-internal.h\"") continue
				print ARGV[i] ":1: includes its own header not first"
				bad = 1
			}
			exit bad
		}' "${c_files[@]}"
}
file_comments() {
	awk 'FNR == 1 { said[FILENAME] = index($0, "/* " FILENAME ": ") > 0; nextfile }
		END {
			for (i = 1; i < ARGC; i++) if (!said[ARGV[i]]) {
				print ARGV[i] ":1: first line must be \"/* " ARGV[i] ": one sentence. */\""
				bad = 1
			}
			exit bad
		}' "${c_files[@]}"
}
local_paths() {
	! git grep -nE '/work/(main|wt|shared|tmp)|[" =]/root/' -- ':!tests/lint/run.sh'
}
analyzer() {
	printf '%s\n' "${sources[@]}" | xargs -P"$(nproc)" -n4 cppcheck --quiet --std=c11 --language=c -I. -D_GNU_SOURCE \
		--enable=warning,portability --inline-suppr --suppress=missingIncludeSystem --suppress=nullPointerRedundantCheck \
		--library=posix --error-exitcode=1 --suppress-xml=tests/lint/cppcheck.xml
}
# Several files a process; few enough that both cores end at about the same time.
tidy() {
	printf '%s\n' "${sources[@]}" | xargs -P"$(nproc)" -n8 sh -c 'clang-tidy --quiet "$@" -- -std=gnu17 -D_GNU_SOURCE -I. 2>/dev/null' _
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
