#!/usr/bin/env bats
# tests/integration/agent-rootless.bats: scheduler and agent of an ordinary user.
bats_require_minimum_version 1.5.0
# shellcheck source=tests/cli/local.bash
. "tests/cli/local.bash"

setup() {
	local_setup
	USER_ID=$((50000 + RANDOM % 10000))
	mkdir "$WORK/bin"
	cp "$BIN"/stube "$BIN"/stube-* "$WORK/bin"
	mkdir -m 700 "$WORK/home"
	chown -R "$USER_ID:$USER_ID" "$WORK/home" "$ROOT"
	(cat /etc/passwd; echo "stubetest:x:$USER_ID:$USER_ID::$WORK/home:/bin/sh") > "$WORK/passwd"
	(cat /etc/group; echo "stubetest:x:$USER_ID:") > "$WORK/group"
	echo "stubetest:700000000:65536" > "$WORK/subid"
	touch /etc/subuid /etc/subgid
}
teardown() {
	pgrep -f -- "^$WORK/bin/stube-monitor" | xargs -r kill -9
	pgrep -u "$USER_ID" | xargs -r kill -9
	local_teardown
}

# as_user SCRIPT: a shell of that user.
as_user() {
	STUBE_RUN=$WORK/home/run STUBE_DATA=$WORK/home/data STUBE_STORE=$WORK/home/store HOME=$WORK/home ROOT=$ROOT \
	PATH=$WORK/bin:$PATH unshare -m --propagation private bash -euc '
		mount --bind "$1/passwd" /etc/passwd; mount --bind "$1/group" /etc/group
		mount --bind "$1/subid" /etc/subuid; mount --bind "$1/subid" /etc/subgid
		cd "$1/home"; exec setpriv --reuid "$2" --regid "$2" --clear-groups bash -euc "$3"' \
		bash "$WORK" "$USER_ID" "$1" 3>&- 4>&-
}

@test "an ordinary user's agent runs, shows and ends Pods" {
	run timeout 120 bash -c "$(declare -f as_user); $(declare -p WORK USER_ID ROOT); as_user '$(cat <<'END'
		mkdir -m 700 "$STUBE_RUN" "$STUBE_DATA"
		until_true() { for _ in $(seq 1200); do "$@" > /dev/null 2>&1 && return; sleep 0.05; done; echo "never: $*"; cat agent.log; exit 1; }
		api() { curl -sS --fail-with-body --unix-socket "$STUBE_RUN/scheduler.sock" -X "$1" -H "Content-Type: application/json" ${3:+--data-binary "$3"} "http://localhost$2"; }
		agent() { curl -sS --fail-with-body --unix-socket "$STUBE_RUN/agent.sock" "http://localhost$1"; }
		stube image pack --quiet --entrypoint /bin/sh "$ROOT" localhost/t/sh:1 > /dev/null
		stube-scheduler --store "$STUBE_DATA/store.db" --socket "$STUBE_RUN/scheduler.sock" 2> scheduler.log &
		scheduler=$!
		until_true api GET /readyz
		stube-agent --name one --cgroups disabled 2> agent.log &
		agent=$!
		until_true agent /readyz
		api POST /api/v1/namespaces/default/pods "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"web\"},\"spec\":{\"terminationGracePeriodSeconds\":1,\"containers\":[{\"name\":\"main\",\"image\":\"localhost/t/sh:1\",\"imagePullPolicy\":\"Never\",\"args\":[\"-c\",\"id; exec sleep 1000\"]}]}}" > /dev/null
		runs() { api GET /api/v1/namespaces/default/pods/web | jq -e ".status.phase == \"Running\""; }
		until_true runs
		logged() { agent /containerLogs/default/web/main | grep -q uid; }
		until_true logged
		agent /containerLogs/default/web/main
		api DELETE /api/v1/namespaces/default/pods/web > /dev/null
		gone() { ! api GET /api/v1/namespaces/default/pods/web; }
		until_true gone
		kill $agent; wait $agent || true
		kill $scheduler; wait $scheduler || true
		echo ended
END
)'"
	echo "$output"
	[ "$status" = 0 ]
	[ "${lines[0]}" = "uid=0(root) gid=0(root) groups=0(root)" ] || [ "${lines[0]}" = "uid=0(root) gid=0(root)" ]
	[ "${lines[-1]}" = ended ]
}
