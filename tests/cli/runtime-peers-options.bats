#!/usr/bin/env bats
# Promises to whoever replaces runc or crun: each option that the installed peers name in their help is understood.
load helpers

setup() { rt_setup; }
teardown() { rt_teardown; }

# "COMMAND OPTION VALUE?" a line, "-" as the command of those before it: from the help of argp, and of Go's urfave/cli.
options_of_crun() {
	local command
	for command in - create delete exec list kill ps run spec start state pause resume update; do
		# shellcheck disable=SC2046 # no word for "-"
		crun $([ "$command" = - ] || echo "$command") --help | awk -v c="$command" '
			!/^ +-/ { next }
			{ sub(/^ +/, ""); sub(/(   | +[A-Za-z][a-z]* [a-z]).*/, "") }
			{ n = split($0, words, /, */)
			  for (i = 1; i <= n; i++) {
				value = words[i] ~ /[^[]=|^-[a-z] [A-Z]/ || words[n] ~ /[^[]=/ ? "value" : ""
				sub(/[[= ].*/, "", words[i])
				print c, words[i], value } }'
	done
}

options_of_runc() {
	local command
	for command in - checkpoint create delete events exec features kill list pause ps restore resume run spec start state update; do
		# shellcheck disable=SC2046
		runc $([ "$command" = - ] || echo "$command") --help | awk -v c="$command" '
			/^(GLOBAL )?OPTIONS:/ { on = 1; next }
			!on || !/^   -/ { next }
			{ sub(/^ +/, ""); sub(/   *[^ ].*/, "") }
			{ n = split($0, words, /, */)
			  for (i = 1; i <= n; i++) { value = words[i] ~ / /; sub(/ .*/, "", words[i]); print c, words[i], value ? "value" : "" } }'
	done
}

# A value that its kind accepts.
value_for() {
	case $1 in
	-f) [ "$2" = list ] || [ "$2" = ps ] && echo json || echo name ;;
	*-format) echo json ;;
	*-rootless) echo auto ;;
	*-cgroup-manager) echo cgroupfs ;;
	*) echo 1 ;;
	esac
}

# understood COMMAND WORDS...: --help behind them is reached, so all of them were taken.
understood() {
	local command=$1 words=()
	shift
	[ "$command" = - ] || words=("$command")
	run "$RT_BIN" "${words[@]}" "$@" --help
	[ "$status" -eq 0 ] && [[ "$output" == *"Usage: stube-runtime"* || "$output" == *"stube-runtime version"* ]] && return
	echo "# $command $*: $status $output"
	return 1
}

each_is_understood() { # NAME LEAST: at least so many were found in the help
	local command option kind value count=0 failed=0
	while read -r command option kind; do
		count=$((count + 1))
		if [ -z "$kind" ]; then
			understood "$command" "$option" || failed=1
			continue
		fi
		value=$(value_for "$option" "$command")
		understood "$command" "$option" "$value" || failed=1
		understood "$command" "$option=$value" || failed=1
	done < "$T/$1"
	echo "# $1: $count options"
	[ "$failed" -eq 0 ]
	[ "$count" -ge "$2" ]
}

@test "each option in the help of crun, before and behind each command, is taken" {
	options_of_crun > "$T/crun"
	each_is_understood crun 120
}

@test "each option in the help of runc, before and behind each command, is taken" {
	options_of_runc > "$T/runc"
	each_is_understood runc 110
}

@test "options of runc are taken with one dash, as Go programs take them" {
	options_of_runc | sed 's/ --/ -/' > "$T/runc"
	each_is_understood runc 110
}

@test "an option that is taken and then refused, or has no effect, stands in docs/engines.md with its reason" {
	local document=$BATS_TEST_DIRNAME/../../docs/engines.md
	# What --help hides is one or the other; only other spellings are neither.
	{ options_of_crun; options_of_runc; } | sort -u > "$T/peers"
	while read -r command option _; do
		[ "$command" != - ] || continue
		case $option in --usage | --help | -'?') continue ;; esac
		"$RT_BIN" "$command" --help | grep -qE -- "(^|[ ,])$option([ ,]|\$)" || echo "$command $option"
	done < "$T/peers" > "$T/hidden"
	[ -s "$T/hidden" ]
	while read -r command option; do
		grep -qE "^\| \`$command\`.*\`$option\`" "$document" || { echo "# missing: $command $option"; false; }
	done < "$T/hidden"
}
