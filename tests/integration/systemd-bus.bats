#!/usr/bin/env bats
# The systemd cgroup manager before a real systemd and a real D-Bus (tests/vm/bus.sh), without real limits.
bats_require_minimum_version 1.5.0

load lab

setup_file() {
	lab_prepare
	settings > "$LAB/settings"
	lab_up
}
teardown_file() { lab_down; }

# What systemd's services would write on a machine of their own.
settings() {
	find /proc/sys/{fs,kernel,vm,user} -type f -perm -u=w ! -path '*/random/*' ! -name ns_last_pid -exec grep -H '' {} + 2> /dev/null | sort
}

# Run a script inside, with the helpers of tests/cli and a bundle "b".
lab() { # SCRIPT
	"$BUS" in "$LAB/lab" bash -euc "
		TOP=$TOP
		BATS_TEST_DIRNAME=$TOP/tests/cli BATS_FILE_TMPDIR=/tmp
		RT_BIN=${RT_BIN:-$TOP/build/bin/stube-runtime}
		. $TOP/tests/cli/helpers.bash
		cd $TOP
		# A loaded machine: wait for what must become true.
		until_true() { for _ in {1..600}; do \"\$@\" && return; sleep 0.05; done; echo \"never true: \$*\"; return 1; }
		no_unit() { [ -z \"\$(systemctl list-units --all --no-legend --plain \"\$@\")\" ]; }
		show() { systemctl show -P \"\$2\" \"\$1\"; }
		sd() { rt --systemd-cgroup \"\$@\"; }
		run_b() { sd run -d -b \$T/b \"\$@\" \$ID > \$T/out 2>&1 || { cat \$T/out; return 1; }; }
		rt_setup
		trap rt_teardown EXIT
		$1"
}

@test "a container has a scope in the slice that was asked for, and is gone with it" {
	run lab '
		rt_bundle b "$(rt_sh "sleep 600") | .linux.cgroupsPath = \"lab-one.slice:stube:$ID\""
		run_b
		unit=stube-$ID.scope
		[ "$(show $unit ActiveState)" = active ]
		[ "$(show $unit Slice)" = lab-one.slice ]
		[ "$(show $unit ControlGroup)" = /lab.slice/lab-one.slice/$unit ]
		[ "$(grep ^0:: /proc/$(rt_pid $ID)/cgroup)" = "0::/lab.slice/lab-one.slice/$unit" ]
		[ "$(cat /sys/fs/cgroup/lab.slice/lab-one.slice/$unit/cgroup.procs)" = "$(rt_pid $ID)" ]
		[ "$(show $unit Delegate)" = yes ]
		[ "$(show $unit DefaultDependencies)" = no ]
		[ "$(show $unit CollectMode)" = inactive-or-failed ]
		[ "$(show $unit TasksMax)" = infinity ]
		[ "$(show $unit DevicePolicy) $(show $unit DeviceAllow)" = "auto " ]
		[ "$(show $unit Description)" = "container $ID" ]
		[ "$(show $unit InvocationID)" = "$(jq -r .unitInvocation $ROOT/$ID/state.json)" ]
		rt delete --force $ID
		no_unit "stube-$ID*"
		[ ! -e /sys/fs/cgroup/lab.slice/lab-one.slice/$unit ]
		[ -z "$(ls $ROOT)" ]'
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "state, ps, exec, pause, resume, kill and events are those of any container" {
	run lab '
		rt_bundle b "$(rt_sh "trap \"exit 3\" TERM; while :; do sleep 0.05; done")"
		run_b
		[ "$(sd state $ID | jq -r .status)" = running ]
		rt ps -f json $ID | jq -e "index($(rt_pid $ID)) != null"
		[ "$(rt exec $ID cat /proc/self/cgroup | grep ^0::)" = "0::/system.slice/stube-$ID.scope" ]
		rt pause $ID
		[ "$(rt state $ID | jq -r .status)" = paused ]
		[ "$(cat /sys/fs/cgroup/system.slice/stube-$ID.scope/cgroup.freeze)" = 1 ]
		rt resume $ID
		[ "$(rt state $ID | jq -r .status)" = running ]
		rt events --stats $ID | jq -e .data.cpu
		rt kill $ID TERM
		stopped() { [ "$(rt state $ID | jq -r .status)" = stopped ]; }
		until_true stopped
		until_true no_unit "stube-$ID*"
		rt delete $ID'
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "run gives the program's status and leaves no unit" {
	run lab '
		rt_bundle b "$(rt_sh "exit 42")"
		sd run -b $T/b $ID || [ $? = 42 ]
		no_unit "stube-$ID*"
		[ -z "$(ls $ROOT)" ]'
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "a paused container, and one that shares the pid namespace, are deleted with all their processes" {
	run lab '
		rt_bundle b "$(rt_sh "sleep 600")"
		run_b
		rt pause $ID
		rt delete --force $ID
		no_unit "stube-$ID*"
		rt_config b "$(rt_sh "sleep 601 & sleep 600") | .linux.namespaces |= map(select(.type != \"pid\")) | del(.linux.maskedPaths, .linux.readonlyPaths) | .mounts[0] = {destination: \"/proc\", type: \"bind\", source: \"/proc\", options: [\"rbind\"]}"
		run_b
		group=/sys/fs/cgroup/system.slice/stube-$ID.scope
		two() { [ "$(wc -l < $group/cgroup.procs)" = 2 ]; }
		until_true two
		rt delete --force $ID
		no_unit "stube-$ID*"
		[ ! -e $group ]'
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "annotations become properties of the scope; what the runtime decides, and what is no value, is refused by name" {
	run lab '
		rt_bundle b "$(rt_sh "sleep 600") | .annotations = {\"org.systemd.property.TimeoutStopSec\": \"uint64 17\", \"org.systemd.property.MemoryMax\": \"uint64 123456789\", \"org.systemd.property.Description\": \"'"'"'my web'"'"'\"}"
		run_b
		[ "$(show stube-$ID.scope TimeoutStopUSec)" = 17s ]
		[ "$(show stube-$ID.scope MemoryMax)" = 123456789 ]
		[ "$(show stube-$ID.scope Description)" = "my web" ]
		systemctl daemon-reload
		[ "$(show stube-$ID.scope MemoryMax)" = 123456789 ]
		rt delete --force $ID
		refused() { # NAME VALUE TEXT
			rt_config b "$(rt_args true) | .annotations[\"org.systemd.property.$1\"] = \"$2\""
			! sd run -b $T/b $ID > $T/err 2>&1
			grep -F "$3" $T/err || { cat $T/err; return 1; }
			[ "$(wc -l < $T/err)" -le 2 ]
			[ -z "$(ls $ROOT)" ]
			no_unit "stube-$ID*"
		}
		refused PIDs "uint32 1" "annotations.org.systemd.property.PIDs: is decided by the runtime"
		refused MemoryMax lots "annotations.org.systemd.property.MemoryMax: expected a number"
		refused NoSuchThing true "systemd unit '"'stube-\$ID.scope'"': StartTransientUnit: the system manager says: "
		refused MemoryMax true "the system manager says: "'
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "a unit that exists is somebody else's and stays; a failed one of the name makes room" {
	run lab '
		systemd-run --quiet --scope --unit=stube-$ID.scope sleep 600 &
		up() { [ "$(show stube-$ID.scope ActiveState)" = active ]; }
		until_true up
		rt_bundle b "$(rt_args true)"
		! sd run -b $T/b $ID > $T/err 2>&1
		cat $T/err
		grep -F "systemd unit '"'stube-\$ID.scope'"': there is such a unit already, in the state '"'active'"'" $T/err
		[ -z "$(ls $ROOT)" ]
		up
		systemctl stop stube-$ID.scope
		# A unit that fails and is kept: its only process is killed for running too long.
		! systemd-run --quiet --scope --unit=stube-$ID.scope -p RuntimeMaxSec=100ms sleep 600
		failed() { [ "$(show stube-$ID.scope ActiveState)" = failed ]; }
		until_true failed
		sd run -b $T/b $ID
		no_unit "stube-$ID*"'
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "delete ends the run of the unit that is its own, and no other of that name" {
	run lab '
		rt_bundle b "$(rt_sh "sleep 600")"
		run_b
		kill -9 $(rt_pid $ID)
		until_true no_unit "stube-$ID*"
		rt --root $T/other --systemd-cgroup run -d -b $T/b $ID > $T/out 2>&1
		rt delete $ID
		[ "$(show stube-$ID.scope ActiveState)" = active ]
		rt --root $T/other delete --force $ID
		no_unit "stube-$ID*"'
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "whoever is killed, no unit and no process stays" {
	run lab '
		rt_bundle b "$(rt_sh "sleep 600") | .hooks.createRuntime = [{path: \"/bin/sleep\", args: [\"sleep\", \"600\"]}]"
		unit=stube-$ID.scope
		# The runtime, in a hook, when all is made.
		$RT_BIN --root $ROOT --systemd-cgroup create -b $T/b $ID > $T/out 2>&1 &
		up() { [ "$(show $unit ActiveState)" = active ] && pgrep -f "^sleep 600" > /dev/null; }
		until_true up
		kill -9 $!
		pkill -f "^sleep 600" || true
		until_true no_unit "stube-$ID*"
		[ -z "$(rt list -q)" ]
		[ -z "$(ls $ROOT)" ]
		# The runtime, at any moment: delete --force comes right behind it, and finds or waits for all that there is.
		rt_config b "$(rt_sh "sleep 600")"
		for ms in 1 2 4 6 8 10 12 14 16 18 20 25 30 35 40 50 60 80; do
			$RT_BIN --root $ROOT --systemd-cgroup run -d -b $T/b $ID > $T/out 2>&1 &
			sleep 0.0$(printf %02d $ms)
			kill -9 $! || true
			wait $! || true
			rt delete --force $ID
			no_unit "stube-$ID*"
			[ ! -e /sys/fs/cgroup/system.slice/$unit ]
			[ -z "$(ls -A $ROOT | grep -vx .cache)" ]
		done
		# init of a container that runs.
		rt_config b "$(rt_sh "sleep 600")"
		run_b
		kill -9 $(rt_pid $ID)
		until_true no_unit "stube-$ID*"
		rt delete $ID
		# The unit, by somebody else.
		run_b
		systemctl kill -s KILL $unit
		until_true no_unit "stube-$ID*"
		rt delete $ID
		[ -z "$(ls $ROOT)" ]'
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "a helper that is not there, lies, hangs or dies is one line, and nothing stays" {
	run lab '
		rt_bundle b "$(rt_args true)"
		mkdir $T/bin
		cp $RT_BIN $T/bin/stube-runtime
		try() { # TEXT
			! $T/bin/stube-runtime --root $ROOT --systemd-cgroup run -b $T/b $ID > $T/err 2>&1
			cat $T/err
			grep -F "$1" $T/err
			[ "$(wc -l < $T/err)" -le 2 ]
			[ -z "$(ls $ROOT)" ]
		}
		try "the systemd cgroup manager needs the program '"'\$T/bin/stube-systemd'"': No such file or directory"
		fake() { printf "#!/bin/sh\nexec python3 $TOP/tests/integration/systemd-peer.py serve $1\n" > $T/bin/stube-systemd; chmod 755 $T/bin/stube-systemd; }
		fake die;     try "stube-systemd was killed by signal 9 before it answered"
		fake garbage; try "message of stube-systemd: of another kind"
		fake version; try "message of stube-systemd: version 7, expected 1"
		fake long;    try "message of stube-systemd: too long"
		fake nul;     try "message of stube-systemd: a text with a zero byte"
		printf "#!/bin/sh\nexit 7\n" > $T/bin/stube-systemd
		try "stube-systemd ended without an answer, with status 7"
		# One that hangs is waited for, but not against the wish of the caller.
		fake silence
		$T/bin/stube-runtime --root $ROOT --systemd-cgroup run -b $T/b $ID > $T/err 2>&1 &
		asked() { pgrep -f "^python3 .*systemd-peer.py serve silence" > /dev/null; }
		until_true asked
		kill -TERM $!
		! wait $!
		cat $T/err
		grep -F "interrupted by signal 15" $T/err
		if asked; then echo "the helper is still there"; false; fi
		[ -z "$(ls $ROOT)" ]
		# The same for delete, which leaves what a later one takes.
		ln -sf $TOP/build/bin/stube-systemd $T/bin/stube-systemd
		rt_config b "$(rt_sh "sleep 600")"
		$T/bin/stube-runtime --root $ROOT --systemd-cgroup run -d -b $T/b $ID > $T/out 2>&1
		rm $T/bin/stube-systemd
		fake silence
		for signal in INT TERM; do
			bash -c "trap - INT; exec $T/bin/stube-runtime --root $ROOT delete --force $ID" > $T/err 2>&1 &
			until_true asked
			kill -$signal $!
			! wait $!
			cat $T/err
			[ "$(wc -l < $T/err)" = 1 ]
			grep -F "systemd unit '"'stube-\$ID.scope'"': interrupted by signal" $T/err
		done
		rt delete --force $ID
		no_unit "stube-$ID*"
		[ -z "$(ls $ROOT)" ]'
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "the helper believes no request, keeps a scope as long as its caller, and is gone with it" {
	run lab '
		cd $T
		helper=${RT_BIN%/*}/stube-systemd
		ask() { python3 $TOP/tests/integration/systemd-peer.py ask $helper "$@" > $T/said 2>&1; cat $T/said; }
		for cut in 0 1 4 5 8 12 16 17 18 30 34 36 38; do
			ask start cut=$cut
			grep -E "^(74|71|22) message of stube-systemd: " $T/said
			grep -Fx "status 0" $T/said
		done
		ask byte=0:1; grep -F "74 message of stube-systemd: of another kind" $T/said
		ask byte=4:9; grep -F "71 message of stube-systemd: version 9, expected 1" $T/said
		ask byte=6:77; grep -F "74 message of stube-systemd: an unknown request" $T/said
		ask byte=16:255; grep -F "74 message of stube-systemd: too short" $T/said
		ask close; grep -F "status " $T/said
		ask start name=nonsense; grep -F "StartTransientUnit: the system manager says: " $T/said
		ask stop name=nosuch.scope; grep -Fx "0 " $T/said
		ask update name=nosuch.scope; grep -F "SetUnitProperties: the system manager says: " $T/said
		ask start; grep -Fx "0 " $T/said; grep -Fx "status 0" $T/said
		until_true no_unit "stube-peer*"
		ask start kill; grep -Fx "0 " $T/said; grep -Fx "status -9" $T/said
		until_true no_unit "stube-peer*"'
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "both programs bear the sanitizers: a life, an error, and requests cut short" {
	[ -x "$TOP/build/asan/bin/stube-systemd" ] || skip 'MODE=asan is not built'
	RT_BIN=$TOP/build/asan/bin/stube-runtime run lab '
		rt_bundle b "$(rt_sh "sleep 600") | .annotations = {\"org.systemd.property.After\": \"['"'a.service', 'b.service'"']\", \"org.systemd.property.AllowedCPUs\": \"['"'x'"']\"}"
		! run_b
		grep -F "StartTransientUnit: the system manager says: " $T/out
		rt_config b "$(rt_sh "sleep 600") | .annotations = {\"org.systemd.property.After\": \"['"'a.service', 'b.service'"']\"}"
		run_b
		[ "$(show stube-$ID.scope After | tr " " "\n" | grep -cE "^[ab].service")" = 2 ]
		! run_b
		rt pause $ID
		rt delete --force $ID
		no_unit "stube-$ID*"
		cd $T
		helper=${RT_BIN%/*}/stube-systemd
		for word in cut=0 cut=17 cut=30 byte=18:255 name=nonsense user; do
			python3 $TOP/tests/integration/systemd-peer.py ask $helper start $word > $T/said 2>&1
			cat $T/said
			grep -Fx "status 0" $T/said
		done
		python3 $TOP/tests/integration/systemd-peer.py ask $helper stop invocation=0123456789abcdef0123456789abcdef > $T/said 2>&1
		cat $T/said
		grep -Fx "status 0" $T/said'
	echo "$output"
	[ "$status" -eq 0 ]
	[[ "$output" != *Sanitizer* ]]
}

@test "info and the agent's check tell who makes cgroups, and whether systemd answers" {
	run lab '
		export STUBE_RUN=$T/run STUBE_DATA=$T/data STUBE_STORE=$T/store
		manager() { grep -i "^cgroup manager"; }
		build/bin/stube info | manager | grep -E "cgroupfs; systemd 2[0-9]+.* answers on the system bus$"
		[[ "$(build/bin/stube info --output json | jq -r .cgroupManager)" == "cgroupfs; systemd "*" answers on the system bus" ]]
		build/bin/stube-agent check | manager | grep -E " ok +cgroupfs; systemd .* answers"
		build/bin/stube-agent check --cgroups systemd | manager | grep -E " ok +systemd; systemd .* answers"
		export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere
		build/bin/stube-agent check | manager | grep -E " ok +cgroupfs; connect to the system bus: No such file or directory"
		! build/bin/stube-agent check --cgroups systemd > $T/out
		manager < $T/out | grep -E " missing +systemd; connect to the system bus: .* --cgroups=cgroupfs works without systemd$"'
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "without a bus one line says which" {
	run lab '
		rt_bundle b "$(rt_args true)"
		! DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere sd run -b $T/b $ID > $T/err 2>&1
		cat $T/err
		grep -F "systemd unit '"'stube-\$ID.scope'"': connect to the system bus: No such file or directory" $T/err
		grep -F "use --cgroup-manager=cgroupfs" $T/err
		# The unit can be gone with its manager, the container must not stay for that.
		rt_bundle b2 "$(rt_sh "sleep 600")"
		sd run -d -b $T/b2 $ID > $T/out 2>&1
		kill -9 $(rt_pid $ID)
		until_true no_unit "stube-$ID*"
		DBUS_SYSTEM_BUS_ADDRESS=unix:path=/nowhere rt delete $ID
		[ -z "$(ls $ROOT)" ]'
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "the annotation of a sub-cgroup puts the processes there, those of exec too; what it holds goes with the scope" {
	run lab '
		rt_bundle b "$(rt_sh "sleep 600") | .annotations = {\"run.oci.systemd.subgroup\": \"inner\"}"
		run_b
		group=/sys/fs/cgroup/system.slice/stube-$ID.scope
		[ "$(cat $group/inner/cgroup.procs)" = "$(rt_pid $ID)" ]
		[ -z "$(cat $group/cgroup.procs)" ]
		rt exec $ID cat /proc/self/cgroup | grep -Fx "0::/system.slice/stube-$ID.scope/inner"
		[ "$(rt ps -f json $ID)" = "[$(rt_pid $ID)]" ]
		mkdir $group/inner/more
		rt delete --force $ID
		no_unit "stube-$ID*"
		[ ! -e $group ]
		rt_config b "$(rt_args true) | .annotations = {\"run.oci.systemd.subgroup\": \"../up\"}"
		! sd run -b $T/b $ID > $T/err 2>&1
		grep -F "annotations.run.oci.systemd.subgroup: '"'../up'"' is not the name of a directory" $T/err
		no_unit "stube-$ID*"
		[ -z "$(ls $ROOT)" ]'
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "an ordinary user has a scope of the own manager, from a login session and from a unit of the user's" {
	run lab '
		systemctl start user@1500.service
		chmod 755 $T
		rt_bundle b "$(rt_sh "sleep 600") | .linux.namespaces = ([\"user\", \"pid\", \"mount\", \"ipc\", \"uts\", \"cgroup\"] | map({type: .})) | .linux.uidMappings = [{containerID: 0, hostID: 1500, size: 1}] | .linux.gidMappings = .linux.uidMappings | .mounts = [{destination: \"/proc\", type: \"bind\", source: \"/proc\", options: [\"rbind\"]}] | del(.linux.maskedPaths, .linux.readonlyPaths)"
		chown -R lab:lab $T/b
		mkdir $T/home
		chown lab:lab $T/home
		ROOT=$T/home/state
		as_lab() { setpriv --reuid 1500 --regid 1500 --clear-groups env -i PATH=$PATH HOME=$T/home XDG_RUNTIME_DIR=/run/user/1500 "$@"; }
		user() { as_lab $RT_BIN --root $ROOT "$@"; }
		users() { as_lab systemctl --user show -P "$1" stube-$ID.scope; }
		# This script is a service of the system: no cgroup that the user may leave.
		user --systemd-cgroup run -d -b $T/b $ID > $T/out 2>&1 || cat $T/out
		[ "$(users ActiveState)" = active ]
		path=$(jq -r .cgroup $ROOT/$ID/state.json)
		[[ "$path" == /user.slice/user-1500.slice/user@1500.service/user.slice/stube-$ID.scope ]]
		[ "$(grep ^0:: /proc/$(rt_pid $ID)/cgroup)" = "0::$path" ]
		[ "$(jq -r .unitOfUser $ROOT/$ID/state.json)" = true ]
		[ "$(user exec $ID cat /proc/self/cgroup | grep ^0::)" = 0::/ ]
		user pause $ID
		[ "$(user state $ID | jq -r .status)" = paused ]
		user resume $ID
		user delete --force $ID
		[ -z "$(as_lab systemctl --user list-units --all --no-legend --plain "stube-$ID*")" ]
		[ ! -e /sys/fs/cgroup$path ]
		# From within what is the user'"'"'s.
		as_lab systemd-run --user --quiet --scope $RT_BIN --root $ROOT --systemd-cgroup run -d -b $T/b $ID > $T/out 2>&1
		[ "$(users ActiveState)" = active ]
		[ "$(grep ^0:: /proc/$(rt_pid $ID)/cgroup)" = "0::$path" ]
		user delete --force $ID
		! as_lab env XDG_RUNTIME_DIR=/nowhere $RT_BIN --root $ROOT --systemd-cgroup run -b $T/b $ID > $T/err 2>&1
		cat $T/err
		grep -F "connect to the user bus" $T/err
		[ -z "$(ls $ROOT)" ]'
	echo "$output"
	[ "$status" -eq 0 ]
}

@test "the machine outside is as it was" {
	settings > "$LAB/settings.now"
	diff "$LAB/settings" "$LAB/settings.now"
}
