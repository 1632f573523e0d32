#!/usr/bin/env bash
# The programs as services of a real systemd: installed, started, used, and there again after a reboot: two boots of one
# machine over the same disk. TAP, as tests/vm/run.sh counts it; status 1 when anything failed, a machine without a result too.
# STUBE_VM_IMAGE: a folder with root.img, instead of what tests/vm/image.sh makes.
set -u
cd "$(dirname "$0")/../.." || exit
. tests/vm/boot.sh
limit=${STUBE_VM_TIMEOUT:-1500}
control=$(mktemp -d "${TMPDIR:-/tmp}/stube-vm.XXXXXX") || exit
trap 'rm -rf --one-file-system "$control"' EXIT
image=${STUBE_VM_IMAGE:-$(tests/vm/image.sh)} || exit
exec 8< "$image" # in use: nobody removes it
flock -s 8

# What an administrator would bring to the machine, made here because the machine is slow: programs, units, certificates,
# images. The libraries are this machine's, which is the same Debian.
prepare() (
	set -e # in a subshell: the first that fails ends it
	local root=$control/root program library store=$control/root/var/lib/stube/images pki=$control/root/etc/stube/pki
	make --no-print-directory -s install DESTDIR="$root" PREFIX=/usr > "$control/log" 2>&1 || { sed 's/^/# /' "$control/log" >&2; exit 1; }
	mkdir -p "$root/usr/local/lib" "$root/srv" "$root/var/lib/stube" # as the machine has them: cp -a brings modes along
	for program in stube stube-agent stube-scheduler; do ldd "build/bin/$program"; done |
		awk '$3 ~ /^\// { print $3 }' | sort -u | grep -vE '/(libc|libm|ld-linux[^/]*)\.so' | while read -r library; do
		cp -L "$library" "$root/usr/local/lib/"
	done
	STUBE_STORE=$store build/bin/stube image pack --quiet /bin/busybox example.org/hello:1 --entrypoint /busybox
	make --no-print-directory -s example-images > "$control/log" 2>&1
	mkdir "$root/srv/demo"
	for program in bayernid antrag portal; do
		STUBE_STORE=$store build/bin/stube image pack --quiet "build/examples/image/$program" "registry.example.org/amt/$program:1" \
			--entrypoint "/usr/bin/$program" --user 10001:10001
		# One machine instead of three, so one instance of each.
		sed -E 's|,http://10\.77\.0\.12[^ ,]*||; s/10\.77\.0\.11/127.0.0.1/; s/replicas: 2/replicas: 1/' \
			"examples/manifests/$program.yaml" > "$root/srv/demo/$program.yaml"
	done
	chmod 700 "$root/var/lib/stube"
	build/bin/stube pki init --dir "$pki"
	build/bin/stube pki issue scheduler --dir "$pki" --address 127.0.0.1
	build/bin/stube pki issue node one --dir "$pki" --address 127.0.0.1 --server https://127.0.0.1:6443 --out "$root/etc/stube/agent.conf"
	build/bin/stube pki issue admin root --dir "$pki" --server https://127.0.0.1:6443 --out "$root/srv/admin.conf"
	echo 'STUBE_AGENT_OPTIONS=--name=one --address=127.0.0.1 --label=stube/protection-class=very-high' > "$root/etc/stube/agent.env"
	printf 'apiVersion: v1\nkind: Namespace\nmetadata: {name: amt}\n' > "$root/srv/demo/amt.yaml" # named to come first
	cp examples/manifests/one-machine.yaml "$root/srv/"
) > /dev/null

# One boot: what it prints is TAP.
boot() { # PART
	local reader status ended
	rm -f "$control/status" "$control/booted"
	[ -p "$control/out" ] || mkfifo "$control/out"
	printf 'exec bash /mnt/control/guest.bash %s\n' "$1" > "$control/command"
	cat "$control/out" &
	reader=$!
	vm_boot uml "$image" "$PWD" "$control" "$limit"
	ended=$?
	exec 3<> "$control/out" # a machine that never opened its line: the reader is let go
	exec 3>&-
	wait $reader
	status=$(cat "$control/status" 2> /dev/null)
	echo "# $1: booted after $(cut -d' ' -f1 "$control/booted" 2> /dev/null) s, result ${status:-none}"
	if [ "$ended" = 124 ] || [ "$ended" = 137 ]; then
		echo "not ok 9997 $1: the machine did not end within $limit s"
	elif [ "$status" = 0 ]; then
		return
	fi
	[ -n "$status" ] || echo "not ok 9999 $1: the machine gave no result within $limit s"
	tail -40 "$control/emulator" "$control/console" 2> /dev/null | sed 's/^/# /'
	return 1
}

result=0
cp tests/vm/services-guest.bash "$control/guest.bash" # bash reads as it goes, and somebody may be writing
prepare || { echo 'not ok 9998 what the machine needs cannot be made'; exit 1; }
boot first || result=1
[ $result = 1 ] || boot again || result=1
exit $result
