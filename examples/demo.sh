#!/usr/bin/env bash
# Show Stube at work, and check what is shown: a state cloud of three machines, three services of an administration,
# one citizen, one machine lost. `make demo` builds first. Root; leaves nothing behind, whatever happens.
set -euo pipefail
cd "$(dirname "$0")/.."
ROOT=$PWD
# A network and mounts of its own: the machines' cards, the registry and the scheduler are nobody else's.
[ "$(id -u)" = 0 ] || { echo 'demo: failed: run it as root: it makes machines and sandboxes' >&2; exit 1; }
[ -n "${DEMO_INSIDE:-}" ] || DEMO_INSIDE=1 exec unshare --net --mount "$ROOT/examples/demo.sh" "$@"
# shellcheck source=tests/registry/lib.bash
. tests/registry/lib.bash
# shellcheck source=examples/browser.bash
. examples/browser.bash
# shellcheck source=examples/confinement.bash
. examples/confinement.bash
# shellcheck source=examples/machines.bash
. examples/machines.bash

SERVICES=(bayernid antrag portal)
PROGRAMS=${PROGRAMS:-$ROOT/build/bin}
TREES=${TREES:-$ROOT/build/examples/image}
USER_ID=10001
LEASE=4s # so long may a machine be silent; a minute in earnest
STEP=preparing
SCHEDULER=
cgroups=()
DONE=
if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then B=$'\e[1m' G=$'\e[32m' R=$'\e[31m' D=$'\e[2m' N=$'\e[0m'; else B='' G='' R='' D='' N=''; fi

step() { STEP=$1; printf '\n%s%s%s\n' "$B" "$1" "$N"; }
say() { printf '  %s\n' "$*"; }
good() { printf '  %s✓%s %s\n' "$G" "$N" "$*"; }
fail() { printf '%s\n' "$*" > "$WORK/reason"; exit 1; }
indented() { sed 's/^/    /'; }

# One command of the toolkit, shown as a user would type it; its words are kept for the case that it fails.
stube() {
	local shown=${*//$WORK/…}
	printf '%s  $ stube %s%s\n' "$D" "${shown//$ROOT\//}" "$N"
	toolkit "$@" > "$WORK/out" 2> "$WORK/err"
}
show() { stube "$@"; indented < "$WORK/out"; }
# The same, where its output is wanted and not shown.
ask() { toolkit "$@" 2> "$WORK/err"; }

# until_true SECONDS WHAT COMMAND...: what must come true, and what is missing when it does not.
until_true() {
	local seconds=$1 what=$2 i
	shift 2
	for ((i = 0; i < seconds * 10; i++)); do
		! "$@" > /dev/null 2>> "$WORK/err" || return 0
		sleep 0.1
	done
	fail "$what"
}

# A signal may come while a command's output is led elsewhere: what is said here goes where the demo's words go.
exec 8>&1 9>&2
clean_up() {
	local status=$? name left=''
	trap - EXIT INT TERM HUP
	set +e
	exec >&8 2>&9
	[ $status -eq 0 ] && [ -n "$DONE" ] || show_logs > "$WORK/last-words" 2>&1
	for name in "${MACHINES[@]}"; do machine_off "$name"; done
	[ -z "$SCHEDULER" ] || kill -KILL "$SCHEDULER" 2> /dev/null
	registry_stop "$WORK/registry"
	for ((i = 0; i < 50; i++)); do # the last processes end a moment after their machines
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
		cat "$WORK/last-words" >&2
		status=1
	else
		printf '\n%sdemo: success: three services placed on three machines, used, one machine lost and back, nothing lost, in %d s; nothing left behind%s\n' \
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
	toolkit get pods --output wide 2>&1 | sed 's/^/  /'
	toolkit events 2>&1 | tail -15 | sed 's/^/  /'
	for name in scheduler state-1 state-2 provider-1; do
		tail -5 "$WORK/$name.log" 2> /dev/null | sed "s/^/  $name: /"
	done
}

WORK=$(mktemp -d "${TMPDIR:-/tmp}/stube-demo.XXXXXX")
chmod 711 "$WORK"
trap clean_up EXIT
trap 'fail interrupted' INT TERM HUP
# The demo's own images, credentials and certificates: none of this machine's are seen or touched.
export STUBE_RUN=$WORK/run STUBE_DATA=$WORK/state STUBE_CONFIG=$WORK/pki/admin-erika.conf
# For stube alone: docker-registry takes REGISTRY_* for its own configuration.
toolkit() { REGISTRY_AUTH_FILE=$WORK/config/auth.json "$PROGRAMS/stube" --store "$WORK/images" "$@"; }
mkdir -m 700 "$WORK/config"
: > "$WORK/err"

step '1  A registry: Debian'\''s docker-registry, with a password; three services packed and pushed'
machines_network 2> "$WORK/err"
registry_start "$WORK/registry" basic bind=10.77.0.1 2> "$WORK/err"
printf '%s' "$REGISTRY_PASSWORD" | stube login --insecure "$REGISTRY" --username "$REGISTRY_USER" --password-stdin "$REGISTRY"
for name in "${SERVICES[@]}"; do
	stube image pack "$TREES/$name" "$REGISTRY/amt/$name:1" --entrypoint "/usr/bin/$name" --user "$USER_ID:$USER_ID"
	stube push --insecure "$REGISTRY" "$REGISTRY/amt/$name:1"
done
good "$REGISTRY has ${SERVICES[*]}"

step '2  Certificates: one authority; whoever speaks shows who it is'
stube pki init --dir "$WORK/pki"
stube pki issue scheduler --dir "$WORK/pki" --address 10.77.0.1
stube pki issue admin erika --dir "$WORK/pki" --server https://10.77.0.1:6443
number() { case $1 in state-1) echo 11 ;; state-2) echo 12 ;; provider-1) echo 13 ;; esac; }
for name in state-1 state-2 provider-1; do
	stube pki issue node $name --dir "$WORK/pki" --address "10.77.0.$(number $name)" --server https://10.77.0.1:6443
done

step '3  A scheduler, and three machines: two of the state'\''s data centres, one of a commercial provider'
scheduler_start() {
	"$PROGRAMS/stube-scheduler" --store "sqlite:$WORK/scheduler/store.db" --listen 10.77.0.1:6443 \
		--socket "$WORK/scheduler.sock" --lease $LEASE --cert "$WORK/pki/scheduler.crt" --key "$WORK/pki/scheduler.key" \
		--client-ca "$WORK/pki/ca.crt" >> "$WORK/scheduler.log" 2>&1 < /dev/null &
	SCHEDULER=$!
	disown $SCHEDULER
	until_true 10 'the scheduler does not answer' toolkit nodes
}
agent() { # NAME CLASS ZONE OPERATOR
	machine_on "$1" "$(number "$1")" env STUBE_RUN="$WORK/$1/run" STUBE_DATA="$WORK/$1/disk" \
		"$PROGRAMS/stube-agent" --config "$WORK/pki/node-$1.conf" --name "$1" --address "10.77.0.$(number "$1")" \
		--label "stube/protection-class=$2" --label "topology.kubernetes.io/zone=$3" --label "operator=$4" \
		--auth-file "$WORK/config/auth.json" --insecure "$REGISTRY" --store "$WORK/$1/images"
}
mkdir -m 700 "$WORK/scheduler"
scheduler_start
agent state-1 very-high rz-sued state
agent state-2 very-high rz-nord state
agent provider-1 normal cloud commercial
ready() { [ "$(ask nodes --output json | jq '[.items[].status.conditions[] | select(.type == "Ready" and .status == "True")] | length')" = "$1" ]; }
until_true 20 'not all machines are ready' ready 3
show nodes

step '4  Apply the services; each is placed where its protection need allows'
mkdir "$WORK/manifests"
for name in "${SERVICES[@]}"; do
	sed "s|registry.example.org|$REGISTRY|" "examples/manifests/$name.yaml" > "$WORK/manifests/$name.yaml"
done
show plan --file "$WORK/manifests"
stube apply --file "$WORK/manifests" --wait --timeout 60
show get pods --output wide
node_of() { ask get pods --selector "app=$1" --output json | jq -r '[.items[] | select(.metadata.deletionTimestamp == null)][0].spec.nodeName'; }
[[ $(node_of bayernid) == state-* ]] || fail "the identity service is on '$(node_of bayernid)'"
good 'the identity service, very high, is in a data centre of the state'
LOST=$(node_of antrag)

step '5  How they are confined, read back from the kernel'
pids=()
for name in "${SERVICES[@]}"; do
	pids+=("$(machine_process "$(node_of "$name")" "$name")")
	[ -n "${pids[-1]}" ] || fail "$name has no process on $(node_of "$name")"
done
confinement_table "${pids[@]}"
mapfile -t cgroups < <(confinement_cgroups)
confinement_check > "$WORK/reason" || exit 1
good 'every value is as it must be'

step '6  A citizen applies and asks how far it is, through the portal only'
address_of() { echo "10.77.0.$(number "$1")"; }
use_portal() { # the first that answers: after a loss another one
	local node
	for node in $(ask get pods --selector app=portal --output json | jq -r '.items[].spec.nodeName // empty' | sort); do
		P=http://$(address_of "$node"):8080
		! curl -fsS --noproxy '*' --max-time 2 "$P/healthz" > /dev/null 2> "$WORK/err" || return 0
	done
	return 1
}
until_true 10 'the portal does not answer' use_portal
use_portal
browser() { browser_open "$WORK" "$1"; }
on_page() { grep -qF -- "$1" "$PAGE" || fail "the portal's page does not say '$1' (status $STATUS)"; }
sign_in() { # USER PASSWORD NAME
	browser "$1"
	rm -f "$WORK/$1.jar"
	browser_get "$P/sign-in"
	browser_send "$P/sign-in" -d "user=$1" -d "password=$2"
	[ "$STATUS" = 303 ] || fail "$1 cannot sign in: status $STATUS"
	good "$3 is signed in"
}
clerk_moves() { # STATE [NOTE]
	browser sabine
	browser_get "$P/applications/$file"
	browser_send "$P/applications/$file/state" -d "state=$1" --data-urlencode "note=${2:-}"
	[ "$STATUS" = 303 ] || fail "the clerk cannot move the application to '$1': status $STATUS"
}
sign_in erika sonnenblume-7 'Erika Mustermann'
browser_get "$P/apply/kindergeld"
browser_send "$P/apply/kindergeld" --data-urlencode 'child_name=Lena Mustermann' -d child_birth=2026-10-01 \
	-d child_tax_id=86095742719 -d household=ja --data-urlencode 'iban=DE02 1203 0000 0000 2020 51'
[ "$STATUS" = 303 ] || fail "the application is refused: status $STATUS"
file=$(grep -oE 'KG-[0-9]{4}-[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]' <<< "$LOCATION")
browser_get "$LOCATION"
on_page 'Elektronisch unterschrieben'
good "Kindergeld: applied, signed, file number $file"
sign_in sabine aktenordner-9 'Sabine Amtmann'
clerk_moves in_pruefung
good 'the clerk has begun to examine it'

step "7  $LOST loses its power: what keeps nothing is replaced elsewhere; the applications wait for their data"
uid_of() { ask get pods --selector "app=$1" --output json | jq -r '[.items[] | select(.metadata.deletionTimestamp == null)][0].metadata.uid'; }
before=$(ask get pods --output json | jq -r '.items[] | "\(.metadata.labels.app) \(.metadata.uid) \(.spec.nodeName)"' | sort)
antrag=$(uid_of antrag)
machine_off "$LOST"
good "$LOST is dark"
moved() { # all stateless Pods are ready, none of them there
	ask get pods --output json | jq -e --arg lost "$LOST" '[.items[] | select(.metadata.labels.app != "antrag")] |
		length == 3 and all(.spec.nodeName != null and .spec.nodeName != $lost and
		any(.status.conditions[]?; .type == "Ready" and .status == "True"))'
}
until_true 40 'the stateless services were not replaced' moved
show nodes
show get pods --output wide
good 'the stateless services run elsewhere'
show explain deployment/antrag
grep -q "$LOST" "$WORK/out" || fail "explain does not name $LOST"
[ "$(uid_of antrag)" = "$antrag" ] || fail 'antrag was replaced, though its data is elsewhere'
good "antrag waits for $LOST, where its data is"
until_true 20 'the portal does not answer' use_portal
use_portal
sign_in erika sonnenblume-7 'Erika Mustermann, at the new identity service,'

step "8  $LOST comes back, and with it the applications"
case $LOST in state-1) agent state-1 very-high rz-sued state ;; *) agent "$LOST" very-high rz-nord state ;; esac
until_true 40 "$LOST does not come back" ready 3
answers() { curl -fsS --noproxy '*' --max-time 2 "http://$(address_of "$LOST"):8082/healthz"; }
until_true 40 'antrag does not come back' answers
[ "$(uid_of antrag)" = "$antrag" ] || fail 'antrag is another Pod than before'
browser erika
browser_get "$P/applications/$file"
on_page 'In Prüfung'
good "file $file is there, as it was"

step '9  kill -9 the scheduler: services do not notice, and it knows everything again'
services() { for name in state-1 state-2 provider-1; do for s in "${SERVICES[@]}"; do machine_process "$name" "$s"; done; done | sort | tr '\n' ' '; }
before=$(services)
objects() { ask get all --output json | jq -cS '[.items[] | [.kind, .metadata.name, .metadata.uid]] | sort'; }
stored=$(objects)
kill -KILL "$SCHEDULER"
until_true 5 'the scheduler lives on' test ! -e "/proc/$SCHEDULER/exe"
browser_get "$P/applications/$file"
[ "$STATUS" = 200 ] || fail "without the scheduler the portal answers $STATUS"
good 'the portal answers without it'
scheduler_start
until_true 20 'not all machines are ready' ready 3
[ "$(objects)" = "$stored" ] || fail 'the objects are not what they were'
[ "$(services)" = "$before" ] || fail 'a service was touched'
good 'every object is there, no process was touched'

step '10  A service that cannot be placed, and why'
sed -e 's/bayernid/register/; s/name: bayernid/name: register/g' -e 's/app: bayernid/app: register/g' \
	-e 's/    spec:/    spec:\n      nodeSelector: {operator: commercial}/' "$WORK/manifests/bayernid.yaml" > "$WORK/register.yaml"
stube apply --file "$WORK/register.yaml"
explained() { ask explain deployment/register | grep -q 'protection class'; }
until_true 10 'explain gives no reason' explained
show explain deployment/register
good 'commercial and very high: no machine may be both'

step '11  Clean up'
stube delete --file "$WORK/register.yaml"
stube delete --file "$WORK/manifests" --timeout 60
none() { [ -z "$(ask get pods --output name)" ] && [ -z "$(services | tr -d ' ')" ]; }
until_true 20 'a service is left' none
good 'the cluster is empty'
rm -f "$WORK/reason"
DONE=1
