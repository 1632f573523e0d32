#!/usr/bin/env bats
# tests/cli/install.bats: what `make install` puts where, and that the service manager understands it.

bats_require_minimum_version 1.5.0

setup_file() {
	INSTALLED=$(mktemp -d "${TMPDIR:-/tmp}/stube-install.XXXXXX")
	export INSTALLED
	make --no-print-directory -s install DESTDIR="$INSTALLED" PREFIX=/opt/stube > "$INSTALLED/log" 2>&1 || { cat "$INSTALLED/log"; return 1; }
}
teardown_file() { rm -rf "$INSTALLED"; }

@test "programs, manuals, completion and units lie below the prefix, and nothing elsewhere but Podman's settings" {
	local program
	cd "$INSTALLED"
	for program in stube stube-runtime stube-monitor stube-scheduler stube-agent; do
		[ -x "opt/stube/bin/$program" ]
		[ -s "opt/stube/share/man/man1/$program.1" ]
		[ -s "opt/stube/share/bash-completion/completions/$program" ]
	done
	# The runtime looks for its helper beside itself.
	[ -x opt/stube/bin/stube-systemd ]
	[ "$(opt/stube/bin/stube-systemd 2>&1)" = "stube-systemd: is started by stube-runtime, which speaks to it over a socket" ]
	[ -s opt/stube/lib/systemd/system/stube-scheduler.service ]
	[ -s opt/stube/lib/systemd/system/stube-agent.service ]
	[ -s opt/stube/lib/systemd/system/stube-scheduler.socket ]
	[ -s opt/stube/lib/systemd/system/stube-agent.socket ]
	[ -s opt/stube/lib/systemd/system/stube-pki-renew.timer ]
	[ -s opt/stube/lib/sysusers.d/stube.conf ]
	[ -s opt/stube/lib/tmpfiles.d/stube.conf ]
	[ "$(ls)" = "etc
log
opt" ]
	[ "$(find etc -type f)" = etc/containers/containers.conf.d/50-stube.conf ]
}

@test "Podman finds the runtime by its name, at the place it was installed to, and its own beside it" {
	local conf=$INSTALLED/etc/containers/containers.conf.d/50-stube.conf
	grep -qFx 'stube-runtime = ["/opt/stube/bin/stube-runtime"]' "$conf"
	command -v podman > /dev/null || skip 'podman is not installed'
	[ "$(id -u)" = 0 ] || skip 'needs root, to put the file into its place in a mount namespace'
	# The programs are in a folder of the test: a mount puts them where they belong.
	run env INSTALLED="$INSTALLED" unshare -m --propagation private sh -ec '
		mount -t tmpfs tmpfs /opt
		mkdir /opt/stube
		mount --bind "$INSTALLED/opt/stube" /opt/stube
		cp -a /etc/containers "$INSTALLED/containers"
		mkdir -p "$INSTALLED/containers/containers.conf.d"
		cp "$INSTALLED/etc/containers/containers.conf.d/50-stube.conf" "$INSTALLED/containers/containers.conf.d"
		mount --bind "$INSTALLED/containers" /etc/containers
		for runtime in stube-runtime crun; do
			podman --root "$INSTALLED/store" --runroot "$INSTALLED/run" --tmpdir "$INSTALLED/tmp" --storage-driver=vfs --events-backend=file \
				--cgroup-manager=cgroupfs --runtime $runtime info --format "{{.Host.OCIRuntime.Name}} {{.Host.OCIRuntime.Path}}"
		done'
	rm -rf "$INSTALLED"/{containers,store,run,tmp}
	[ "${lines[0]}" = "stube-runtime /opt/stube/bin/stube-runtime" ]
	[[ "${lines[1]}" == "crun /"* ]]
}

@test "an ordinary user's install makes it known to that user" {
	[ "$(id -u)" = 0 ] || skip 'needs root, to become another user'
	conf() { setpriv --reuid 65534 --regid 65534 --clear-groups env "$@" make --no-print-directory -n uninstall PREFIX=/home/x/.local | grep 50-stube; }
	[ "$(conf -u XDG_CONFIG_HOME HOME=/home/x)" = 'rm -f /home/x/.config/containers/containers.conf.d/50-stube.conf' ]
	[ "$(conf XDG_CONFIG_HOME=/home/x/c HOME=/home/x)" = 'rm -f /home/x/c/containers/containers.conf.d/50-stube.conf' ]
	[ "$(make --no-print-directory -n uninstall PREFIX=/opt/x | grep 50-stube)" = 'rm -f /etc/containers/containers.conf.d/50-stube.conf' ]
}

@test "uninstall takes away what install brought" {
	local other
	other=$(mktemp -d "$INSTALLED/other.XXXXXX")
	make --no-print-directory -s install DESTDIR="$other" PREFIX=/opt/stube > /dev/null 2>&1
	make --no-print-directory -s uninstall DESTDIR="$other" PREFIX=/opt/stube > /dev/null 2>&1
	[ -z "$(find "$other" -type f)" ]
	rm -rf "$other"
}

@test "systemd finds no fault with the units" {
	local unit
	command -v systemd-analyze > /dev/null || skip 'systemd-analyze is not here'
	for unit in scheduler.service scheduler.socket agent.service agent.socket pki-renew.service pki-renew.timer; do
		# Its programs are checked where they will be: here they are where they were installed to.
		sed "s|/opt/stube/bin|$INSTALLED/opt/stube/bin|" "$INSTALLED/opt/stube/lib/systemd/system/stube-$unit" > "$INSTALLED/stube-$unit"
	done
	for unit in scheduler.service scheduler.socket agent.service agent.socket pki-renew.service pki-renew.timer; do
		run systemd-analyze verify --man=no "$INSTALLED/stube-$unit"
		echo "$output"
		[ "$status" = 0 ]
		[ -z "$output" ]
	done
	rm "$INSTALLED"/stube-*.{service,socket,timer} # only now: a timer and a socket want their services beside them
}

@test "the scheduler's unit is closed; the agent's makes no mount namespace and leaves containers running" {
	local units=$INSTALLED/opt/stube/lib/systemd/system line
	for line in Type=notify WatchdogSec=30 NoNewPrivileges=yes ProtectSystem=strict CapabilityBoundingSet= \
		User=stube-scheduler 'SystemCallFilter=@system-service' MemoryDenyWriteExecute=yes; do
		grep -qFx "$line" "$units/stube-scheduler.service"
	done
	for line in Type=notify WatchdogSec=60 KillMode=process Delegate=yes; do
		grep -qFx "$line" "$units/stube-agent.service"
	done
	# systemd.exec(5): whatever is one of these gives the unit a mount namespace of its own.
	run ! grep -E '^(Private(Tmp|Devices|Mounts|Users|IPC)|Protect[A-Za-z]*|ReadWritePaths|ReadOnlyPaths|InaccessiblePaths|ExecPaths|NoExecPaths|BindPaths|BindReadOnlyPaths|TemporaryFileSystem|RootDirectory|RootImage|MountFlags|DynamicUser|MountAPIVFS|MountImages|ExtensionImages|StateDirectory|RuntimeDirectory|LoadCredential[A-Za-z]*|SetCredential[A-Za-z]*)=' \
		"$units/stube-agent.service"
}

@test "the local sockets are made by the service manager, for whom they are, and handed over by the names that the programs know" {
	local units=$INSTALLED/opt/stube/lib/systemd/system
	grep -qFx 'FileDescriptorName=api' "$units/stube-scheduler.socket"
	grep -qFx 'SocketMode=0660' "$units/stube-scheduler.socket"
	grep -qFx 'FileDescriptorName=local' "$units/stube-agent.socket"
	grep -qFx 'SocketMode=0600' "$units/stube-agent.socket"
	[ "$(id -u)" = 0 ] || skip 'needs root, for folders of the agent'
	command -v systemd-socket-activate > /dev/null || skip 'systemd-socket-activate is not here'
	# The agent's own place stays empty: it serves what it was given. The first caller starts it.
	mkdir -p "$INSTALLED/run"
	STUBE_RUN=$INSTALLED/run STUBE_DATA=$INSTALLED/data systemd-socket-activate --fdname=local --listen="$INSTALLED/given.sock" \
		-E STUBE_RUN -E STUBE_DATA "$INSTALLED/opt/stube/bin/stube-agent" --name given --cgroups disabled 2> "$INSTALLED/agent.log" 3>&- &
	for ((i = 0; i < 300; i++)); do [ ! -S "$INSTALLED/given.sock" ] || break; sleep 0.1; done
	run curl --silent --max-time 60 --unix-socket "$INSTALLED/given.sock" http://localhost/healthz
	kill $!
	wait $! || true
	cat "$INSTALLED/agent.log"
	[ "$output" = ok ]
	[ ! -e "$INSTALLED/run/agent.sock" ]
	rm -rf "$INSTALLED"/{run,data,given.sock,agent.log}
}

@test "systemd makes the scheduler's user and the folders as the files say" {
	command -v systemd-sysusers > /dev/null || skip 'systemd-sysusers is not here'
	mkdir -p "$INSTALLED/root/etc"
	systemd-sysusers --root="$INSTALLED/root" "$PWD/packaging/sysusers.conf"
	grep -q '^stube-scheduler:x:[0-9]*:[0-9]*:Stube scheduler:/var/lib/stube-scheduler:' "$INSTALLED/root/etc/passwd"
	systemd-tmpfiles --root="$INSTALLED/root" --create "$PWD/packaging/tmpfiles.conf"
	[ "$(stat -c '%a %U' "$INSTALLED/root/var/lib/stube")" = '700 root' ]
	[ "$(stat -c '%a %U' "$INSTALLED/root/etc/stube")" = '755 root' ]
	rm -rf "$INSTALLED/root"
}
