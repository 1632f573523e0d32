#!/usr/bin/env bats
# tests/cli/stube-about.bats: help, man pages, completion, version and info of every program.

bats_require_minimum_version 1.5.0
BIN=$PWD/build/bin

setup() {
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/stube-about.XXXXXX")
	export STUBE_RUN=$WORK/run STUBE_DATA=$WORK/data STUBE_STORE=$WORK/store
}
teardown() { rm -rf "$WORK"; }

# Names of the commands that a program's (or a group's) help lists.
commands() { "$@" --help | awk '/^Commands.*:$/ { on = 1; next } /^$/ { on = 0 } on { print $1 }'; }

@test "every command explains itself: summary, usage, an example" {
	local program command sub
	for program in stube stube-runtime; do
		[ "$(commands "$BIN/$program" | wc -l)" -ge 13 ]
		for command in $(commands "$BIN/$program"); do
			for sub in '' $(commands "$BIN/$program" "$command"); do
				run "$BIN/$program" "$command" $sub --help
				[ "$status" = 0 ]
				[[ $output == *"Usage: $program $command${sub:+ $sub}"* ]]
				[[ $output == *Example:* || $output == *Commands:* ]]
			done
		done
	done
}

@test "a wrong word is one line and a hint, status 2" {
	run --separate-stderr "$BIN/stube" runn
	[ "$status" = 2 ]
	[ -z "$output" ]
	[ "${stderr_lines[0]}" = "error: unknown command 'runn'" ]
	[ "${stderr_lines[1]}" = "hint: see 'stube --help'" ]
	[ "${#stderr_lines[@]}" = 2 ]
	run --separate-stderr "$BIN/stube" images --output xml
	[ "$status" = 2 ]
	[[ ${stderr_lines[0]} == "error: --output: 'xml' is not one of "* ]]
}

@test "man pages are clean, completion knows the commands" {
	local program
	for program in stube stube-runtime stube-monitor; do
		"$BIN/$program" --print-man > "$WORK/$program.1"
		run mandoc -Tlint -W warning "$WORK/$program.1"
		[ "$status" = 0 ]
	done
	"$BIN/stube" --print-completion > "$WORK/completion"
	run bash -c '. "$1"; COMP_WORDS=(stube im) COMP_CWORD=1; _stube; printf "%s\n" "${COMPREPLY[@]}"' _ "$WORK/completion"
	[ "$output" = "images
image" ]
	run bash -c '. "$1"; COMP_WORDS=(stube ps --output js) COMP_CWORD=3; _stube; echo "${COMPREPLY[@]}"' _ "$WORK/completion"
	[ "$output" = json ]
	# The choices of this very command, also after the short name.
	run bash -c '. "$1"; COMP_WORDS=(stube get pods -o ""); COMP_CWORD=4; _stube; echo "${COMPREPLY[@]}"' _ "$WORK/completion"
	[ "$output" = 'table wide json yaml name' ]
	run bash -c '. "$1"; COMP_WORDS=(stube top nodes --output ""); COMP_CWORD=4; _stube; echo "${COMPREPLY[@]}"' _ "$WORK/completion"
	[ "$output" = 'table json' ]
	run bash -c '. "$1"; COMP_WORDS=(stube rollout history -o ""); COMP_CWORD=4; _stube; echo "${COMPREPLY[@]}"' _ "$WORK/completion"
	[ "$output" = 'table json yaml name' ]
}

@test "version and info answer scripts, and make nothing" {
	[[ $("$BIN/stube" --version) == "stube version "* ]]
	[ "$("$BIN/stube" version --output json | jq -r .kernel)" = "$(uname -r)" ]
	"$BIN/stube" info --output json > "$WORK/info"
	[ "$(jq -r .store "$WORK/info")" = "$WORK/store" ]
	[ "$(jq .images "$WORK/info")" = 0 ]
	[ ! -e "$WORK/store" ]
	[ ! -e "$WORK/run" ]
}

@test "info says when bundles would reach a disk" {
	mkdir "$WORK/mem"
	run unshare -m --propagation private bash -c 'mount -t tmpfs tmpfs "$1/mem"; STUBE_RUN=$1/mem/a/b "$2/stube" info --output json | jq -r .run' _ "$WORK" "$BIN"
	[ "$output" = "$WORK/mem/a/b" ]
	[ "$(stat -fc %T "$WORK")" != tmpfs ] || skip "the temporary folder is on a tmpfs itself"
	run bash -c '"$1/stube" info --output json | jq -r .run' _ "$BIN"
	[ "$output" = "$WORK/run (not a tmpfs: what bundles hold reaches a disk)" ]
}
