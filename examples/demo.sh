#!/usr/bin/env bash
# Show Stube at work, and check what is shown: a real registry, three services of an administration,
# one citizen. `make demo` builds first. Root; leaves nothing behind, whatever happens.
set -euo pipefail
cd "$(dirname "$0")/.."
ROOT=$PWD
# shellcheck source=tests/registry/lib.bash
. tests/registry/lib.bash
# shellcheck source=examples/browser.bash
. examples/browser.bash
# shellcheck source=examples/confinement.bash
. examples/confinement.bash

SERVICES=(bayernid antrag portal)
PROGRAMS=${PROGRAMS:-$ROOT/build/bin}
TREES=${TREES:-$ROOT/build/examples/image}
USER_ID=10001
STEP=preparing
digest=()
cgroups=()
DONE=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then B=$'\e[1m' G=$'\e[32m' R=$'\e[31m' D=$'\e[2m' N=$'\e[0m'; else B='' G='' R='' D='' N=''; fi

step() { STEP=$1; printf '\n%s%s%s\n' "$B" "$1" "$N"; }
say() { printf '  %s\n' "$*"; }
good() { printf '  %s✓%s %s\n' "$G" "$N" "$*"; }
fail() { printf '%s\n' "$*" > "$WORK/reason"; exit 1; }

# One command of the toolkit, shown as a user would type it; its words are kept for the case that it fails.
stube() {
	local shown=${*//$WORK/…}
	printf '%s  $ stube %s%s\n' "$D" "${shown//$ROOT\//}" "$N"
	toolkit "$@" > "$WORK/out" 2> "$WORK/err"
}
# The same, where its output is wanted and not shown.
ask() { toolkit "$@" 2> "$WORK/err"; }

clean_up() {
	local status=$? name left=''
	trap - EXIT INT TERM HUP
	set +e
	for name in portal antrag bayernid; do
		STORE=$WORK/second "$PROGRAMS/stube" --store "$WORK/second" rm --force "$name" > /dev/null 2>&1
	done
	registry_stop "$WORK/registry"
	for ((i = 0; i < 50; i++)); do # monitors end a moment after their containers
		left=$(left_behind)
		[ -n "$left" ] || break
		sleep 0.1
	done
	if [ -n "$left" ]; then
		grep -F " $WORK/" /proc/self/mountinfo | awk '{ print $5 }' | sort -r | xargs -r umount -l
		[ $status -ne 0 ] || { status=1 STEP='clean up'; printf '%s\n' "left behind: $left" > "$WORK/reason"; }
	fi
	if [ $status -ne 0 ] || [ -z "$DONE" ]; then
		[ -s "$WORK/reason" ] || tail -3 "$WORK/err" > "$WORK/reason" 2> /dev/null
		printf '\n%sdemo: failed at: %s: %s%s\n' "$R" "$STEP" "$(tr '\n' ' ' < "$WORK/reason")" "$N" >&2
		show_logs >&2
		status=1
	else
		printf '\n%sdemo: success: three services packed, pushed, pulled, confined and used, all checked, in %d s; nothing left behind%s\n' \
			"$G" "$SECONDS" "$N"
	fi
	[ -n "${KEEP:-}" ] && echo "kept: $WORK" || rm -rf "$WORK"
	exit $status
}

# What must be gone in the end: mounts, processes and cgroups of this demo. No other program is asked, since it would
# have the folder's name on its command line.
left_behind() {
	grep -oF " $WORK/" /proc/self/mountinfo | sort -u | sed 's/^ */mount below /'
	local file words
	for file in /proc/[0-9]*/cmdline; do
		mapfile -d '' -t words 2> /dev/null < "$file" || continue
		[[ ${words[*]} != *"$WORK"* ]] || echo "process ${words[*]}"
	done
	for file in "${cgroups[@]}"; do
		[ ! -e "$file" ] || echo "cgroup $file"
	done
}

show_logs() {
	local name
	for name in "${SERVICES[@]}"; do
		"$PROGRAMS/stube" --store "$WORK/second" logs "$name" 2> /dev/null | tail -5 | sed "s/^/  $name: /"
	done
}

[ "$(id -u)" = 0 ] || { echo 'demo: failed: run it as root: it makes sandboxes' >&2; exit 1; }
WORK=$(mktemp -d "${TMPDIR:-/tmp}/stube-demo.XXXXXX")
chmod 711 "$WORK"
trap clean_up EXIT
trap 'fail interrupted' INT TERM HUP
# The demo's own containers, credentials and store: none of this machine's are seen or touched.
export STUBE_RUN=$WORK/run STUBE_DATA=$WORK/state
# For stube alone: docker-registry takes REGISTRY_* for its own configuration.
toolkit() { REGISTRY_AUTH_FILE=$WORK/config/auth.json "$PROGRAMS/stube" --store "$STORE" "$@"; }
mkdir -m 700 "$WORK/config"
STORE=$WORK/first
: > "$WORK/err"

step '1  A registry: Debian'\''s docker-registry, on loopback, with a password'
registry_start "$WORK/registry" basic 2> "$WORK/err"
good "$REGISTRY"

step '2  Sign in there'
printf '%s' "$REGISTRY_PASSWORD" | stube login --username "$REGISTRY_USER" --password-stdin "$REGISTRY"
good "credentials in $(find "$WORK/config" -type f -printf '%f, mode %m')"

step '3  Pack the services, each as an image of its own, and push them'
port() { case $1 in bayernid) echo 8081 ;; antrag) echo 8082 ;; portal) echo 8080 ;; esac; }
for name in "${SERVICES[@]}"; do
	stube image pack "$TREES/$name" "$REGISTRY/amt/$name:1" --entrypoint "/usr/bin/$name" --user "$USER_ID:$USER_ID" \
		--port "$(port "$name")" --label "org.opencontainers.image.title=$name"
	stube push "$REGISTRY/amt/$name:1"
	digest[${#digest[@]}]=$(curl -sS --noproxy '*' -u "$REGISTRY_USER:$REGISTRY_PASSWORD" -o /dev/null -D - \
		-H 'Accept: application/vnd.oci.image.manifest.v1+json' "http://$REGISTRY/v2/amt/$name/manifests/1" |
		tr -d '\r' | sed -n 's/^[Dd]ocker-[Cc]ontent-[Dd]igest: //p')
	good "$name: the registry has ${digest[-1]:0:26}…, $(du -sh "$TREES/$name" | cut -f1) unpacked"
done

step '4  Pull them into an empty store, by digest'
STORE=$WORK/second
[ ! -e "$STORE" ]
for i in 0 1 2; do
	stube pull "$REGISTRY/amt/${SERVICES[i]}@${digest[i]}"
	good "${SERVICES[i]}: every byte is what its digest says"
done

step '5  Run them: each in its sandbox, all three in one network of their own'
for name in bayernid antrag; do # portal keeps nothing
	install -d -m 700 -o $USER_ID -g $USER_ID "$WORK/data/$name"
done
run() { # NAME INDEX [OPTIONS]
	local name=$1 i=$2
	shift 2
	stube run --detach --name "$name" "$@" "$REGISTRY/amt/$name@${digest[i]}"
}
run bayernid 0 --volume "$WORK/data/bayernid:/var/lib/bayernid"
run antrag 1 --network container:bayernid --volume "$WORK/data/antrag:/var/lib/antrag"
run portal 2 --network container:bayernid
declare -A PID
for name in "${SERVICES[@]}"; do
	PID[$name]=$(ask ps --output json | jq -r --arg name "$name" '.[] | select(.name == $name) | .pid')
	[[ ${PID[$name]} =~ ^[1-9][0-9]*$ ]] || fail "$name does not run: $(ask logs "$name" 2>&1 | tail -1)"
done
inside=(nsenter --net="/proc/${PID[bayernid]}/ns/net")
for name in "${SERVICES[@]}"; do
	for ((i = 0; i < 100; i++)); do
		"${inside[@]}" curl -fsS --noproxy '*' --max-time 2 "http://127.0.0.1:$(port "$name")/healthz" > /dev/null 2> "$WORK/err" && break
		sleep 0.05
	done
	[ $i -lt 100 ] || fail "$name does not answer: $(tail -1 "$WORK/err")"
	good "$name is healthy, process ${PID[$name]}"
done

step '6  A citizen applies and asks how far it is, through the portal only'
P=http://127.0.0.1:8080
browser() { browser_open "$WORK" "$1" "${inside[@]}" curl; }
on_page() { grep -qF -- "$1" "$PAGE" || fail "the portal's page does not say '$1' (status $STATUS)"; }
sign_in() { # USER PASSWORD NAME
	browser "$1"
	browser_get "$P/sign-in"
	browser_send "$P/sign-in" -d "user=$1" -d "password=$2"
	[ "$STATUS" = 303 ] || fail "$1 cannot sign in: status $STATUS"
	browser_get "$P/"
	on_page "$3"
	good "$3 is signed in"
}
clerk_moves() { # STATE [NOTE]
	browser sabine
	browser_get "$P/applications/$number"
	browser_send "$P/applications/$number/state" -d "state=$1" --data-urlencode "note=${2:-}"
	[ "$STATUS" = 303 ] || fail "the clerk cannot move the application to '$1': status $STATUS"
}
sign_in erika sonnenblume-7 'Erika Mustermann'
browser_get "$P/apply/kindergeld"
browser_send "$P/apply/kindergeld" --data-urlencode 'child_name=Lena Mustermann' -d child_birth=2026-10-01 \
	-d child_tax_id=86095742719 -d household=ja --data-urlencode 'iban=DE02 1203 0000 0000 2020 51'
[ "$STATUS" = 303 ] || fail "the application is refused: status $STATUS"
number=$(grep -oE 'KG-[0-9]{4}-[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]' <<< "$LOCATION")
browser_get "$LOCATION"
on_page 'Elektronisch unterschrieben'
good "Kindergeld: applied, signed, file number $number"
sign_in sabine aktenordner-9 'Sabine Amtmann'
clerk_moves in_pruefung
clerk_moves rueckfrage 'Seit wann wohnt Lena bei Ihnen?'
browser erika
browser_get "$P/applications/$number"
on_page 'Seit wann wohnt Lena bei Ihnen?'
browser_send "$P/applications/$number/answer" --data-urlencode 'note=Seit ihrer Geburt.'
clerk_moves bewilligt
good 'the clerk examined it, asked, got an answer, and granted it'
browser erika
browser_get "$P/applications/$number"
on_page '<span class="badge good">Bewilligt</span>'
say "What Erika Mustermann sees of $number:"
sed -n '/<ol class="progress">/,/<\/ol>/p' "$PAGE" | tr -d '\n' | sed 's/<\/li>/\n/g' |
	sed -nE 's/.*<strong>([^<]*)<\/strong>.*<time[^>]*>([^<]*)<\/time>.*/    \2   \1/p' | tee "$WORK/seen"
[ "$(wc -l < "$WORK/seen")" = 5 ] || fail 'the list of states is not complete'

step '7  How they are confined, read back from the kernel'
confinement_table "${PID[bayernid]}" "${PID[antrag]}" "${PID[portal]}"
mapfile -t cgroups < <(confinement_cgroups)
confinement_check > "$WORK/reason" || exit 1
good 'every value is as it must be'

step '8  Stop them'
for name in portal antrag bayernid; do
	stube stop "$name"
	code=$(ask inspect "$name" | jq -r 'if type == "array" then .[0] else . end | .exit_code // .code // .exitCode')
	[ "$code" = 0 ] || fail "$name ended with '$code' instead of 0"
	stube rm "$name"
	good "$name ended by itself, with status 0"
done
[ -s "$WORK/data/antrag/antrag.db" ] || fail 'the applications are not in their volume'
good 'the applications stay in their volume'
rm -f "$WORK/reason"
DONE=1
