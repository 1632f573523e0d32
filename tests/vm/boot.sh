# tests/vm/boot.sh: start a test machine from the image and wait for it; sourced.
# vm_boot MACHINE IMAGE SOURCE CONTROL SECONDS
#	MACHINE  uml: User Mode Linux, one CPU; qemu: emulated, Debian's kernel, two CPUs
#	SOURCE   folder that the machine sees read-only as /mnt/source
#	CONTROL  folder that it sees writable as /mnt/control, with the file "command", a bash script; there the machine
#	         leaves "status" (of the command) and "console"; "out" may be a FIFO: what the command prints
# The result is that of the machine; the command's is in CONTROL/status, and without that file the machine failed.

vm_arguments="quiet selinux=0 apparmor=0 audit=0 systemd.unit=stube-vm.target systemd.show_status=0"

# Where UML keeps its memory, in a file that must be executable: the fastest that is large enough.
vm_memory_dir() { # MIB CONTROL
	local free
	free=$(df -Pm /dev/shm 2> /dev/null | awk 'NR == 2 { print $4 }')
	if [ "${free:-0}" -gt "$1" ] && ! findmnt -no OPTIONS -T /dev/shm | grep -qw noexec; then
		echo /dev/shm
	else
		echo "$2"
	fi
}

# For so long at most, and never longer than who asked for it, however that ends.
vm_emulator() { # SECONDS COMMAND...
	setpriv --pdeathsig TERM timeout -k 10 "$1" "${@:2}"
}

vm_boot_uml() { # IMAGE SOURCE CONTROL SECONDS
	TMPDIR=$(vm_memory_dir 1536 "$3") vm_emulator "$4" linux.uml mem=1024M umid="stube$$" uml_dir="$3/" \
		ubd0="$3/cow,$1/root.img" ubd1="$3/disk" root=/dev/ubda rw \
		con=null con0=null,fd:7 ssl=null ssl0=null,fd:5 $vm_arguments \
		stube.machine=uml stube.source="$2" stube.control="$3" \
		5> "$3/out" 7> "$3/console" < /dev/null > /dev/null 2>> "$3/emulator"
}

vm_boot_qemu() { # IMAGE SOURCE CONTROL SECONDS
	vm_emulator "$4" qemu-system-x86_64 -M q35 -accel tcg,thread=multi,tb-size=512 -cpu max -smp 2 -m 1536 \
		-nodefaults -no-user-config -display none -monitor none -no-reboot \
		-kernel "$1/vmlinuz" -initrd "$1/initrd" \
		-append "console=ttyS0 panic=-1 mitigations=off no_timer_check tsc=reliable $vm_arguments stube.machine=qemu" \
		-serial "file:$3/console" -serial "file:$3/out" \
		-drive "if=none,id=root,file=$1/root.img,file.locking=off,format=raw,snapshot=on,cache=unsafe" -device virtio-blk-pci,drive=root \
		-drive "if=none,id=disk,file=$3/disk,format=raw,cache=unsafe" -device virtio-blk-pci,drive=disk \
		-object rng-random,id=random,filename=/dev/urandom -device virtio-rng-pci,rng=random \
		-fsdev "local,id=control,path=$3,security_model=none" -device virtio-9p-pci,fsdev=control,mount_tag=control \
		-fsdev "local,id=source,path=$2,security_model=none,multidevs=remap,readonly=on" -device virtio-9p-pci,fsdev=source,mount_tag=source \
		< /dev/null > /dev/null 2>> "$3/emulator"
}

vm_boot() {
	local machine=$1
	shift
	truncate -s 256M "$3/disk" # a second disk, empty, for tests of input and output
	"vm_boot_$machine" "$@"
}
