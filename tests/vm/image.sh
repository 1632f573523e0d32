#!/usr/bin/env bash
# The test machines' root and kernels: tests/vm/image.sh prints the folder that holds them, which it makes where it is
# missing. It lies outside of the checkout, named by a hash of what it is made from:
#	root.img         ext4, for both machines; never written
#	vmlinuz, initrd  Debian's kernel for QEMU (UML's is the program linux.uml)
# Several may run at once; a folder is complete or not there. Root is needed, and the packages of `./deps vm`.
set -euo pipefail
cd "$(dirname "$0")"
PATH=$PATH:/usr/sbin:/sbin
cache=${STUBE_VM_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/stube/vm}

# Modules that the machines load, beside what they need; what a kernel has built in or lacks is passed over.
modules="overlay fuse loop veth bridge tun dummy 9p 9pnet_virtio virtio_net autofs4
nf_tables nft_compat nft_chain_nat nft_masq nft_ct nf_conntrack_netlink iptable_filter iptable_nat ip6table_filter xt_mark xt_MASQUERADE xt_conntrack xt_comment
unix_diag inet_diag tcp_diag udp_diag raw_diag af_packet_diag netlink_diag"
# What finds the root before it is mounted, in this order.
boot_modules="virtio_pci virtio_blk crc32c_generic ext4"

fail() {
	echo "image.sh: $*" >&2
	exit 1
}

for tool in mmdebstrap mke2fs depmod cpio busybox linux.uml apt-get dpkg-deb; do
	command -v $tool > /dev/null || fail "$tool is missing: ./deps vm"
done

# UML's modules in the image must be those of the installed UML.
recipe() {
	find image.sh Guest Masked guest -type f -print0 | sort -z | xargs -0 sha256sum
	dpkg-query -W user-mode-linux busybox-static
}
name=$(recipe | sha256sum | cut -c1-16)
folder=$cache/$name
mkdir -p "$cache"
if [ -e "$folder/root.img" ]; then
	touch "$folder"
	echo "$folder"
	exit
fi
[ "$(id -u)" = 0 ] || fail "not root: the machines' root cannot be made"
exec 9> "$cache/lock"
flock 9
if [ -e "$folder/root.img" ]; then # somebody else was faster
	echo "$folder"
	exit
fi

# The host's own Debian sources and settings, so that its mirror is used.
sources() {
	local file
	for file in /etc/apt/sources.list.d/debian.sources /etc/apt/sources.list; do
		[ -e "$file" ] && grep -q '^[^#]*main' "$file" && echo "$file" && return
	done
	fail "no apt sources of Debian in /etc/apt"
}

# insmod's order for some modules of the tree below $1, which has kernel $2.
order() {
	local module
	for module in $3; do
		modprobe -d "$1" -S "$2" -D "$module" 2> /dev/null | sed -n 's/^insmod \([^ ]*\).*/\1/p' || true
	done | awk '!seen[$0]++'
}

# Those modules into the root, with their index.
add_modules() { # TREE KERNEL
	local to=$root/lib/modules/$2 file
	depmod -b "$1" "$2"
	mkdir -p "$to"
	cp "$1/lib/modules/$2"/modules.{builtin,builtin.modinfo,order} "$to" 2> /dev/null || true
	order "$1" "$2" "$modules $boot_modules" | while read -r file; do
		install -D -m 644 "$file" "$root/lib/modules/${file#*/lib/modules/}"
	done
	depmod -b "$root" "$2"
}

# An initrd of busybox and the few modules: Debian's own would need initramfs-tools.
make_initrd() { # TREE KERNEL
	local tree=$new/initrd.d file n=10
	mkdir -p "$tree"/{bin,dev,newroot,modules}
	cp /bin/busybox "$tree/bin"
	order "$1" "$2" "$boot_modules" | while read -r file; do
		n=$((n + 1))
		cp "$file" "$tree/modules/$n-${file##*/}"
	done
	cat > "$tree/init" <<-'END'
		#!/bin/busybox sh
		/bin/busybox mount -t devtmpfs dev /dev
		for module in /modules/*; do /bin/busybox insmod $module; done
		n=0
		while [ ! -b /dev/vda ] && [ $n -lt 1000 ]; do
			/bin/busybox usleep 10000
			n=$((n + 1))
		done
		/bin/busybox mount -t ext4 -o noatime /dev/vda /newroot
		exec /bin/busybox switch_root /newroot /lib/systemd/systemd
	END
	chmod 755 "$tree/init"
	(cd "$tree" && find . | cpio -o -H newc --quiet) > "$new/initrd"
}

echo "image.sh: making the test machines' root (once) in $folder" >&2
find "$cache" -maxdepth 1 -name '.new.*' -exec rm -rf --one-file-system {} + # left by one that was killed
new=$(mktemp -d "$cache/.new.XXXXXX")
trap 'rm -rf --one-file-system "$new"' EXIT
chmod 755 "$new"
root=$new/root
packages=$(sed -n 's/^[a-z]*: //p' Guest | tr ' ' '\n' | sort -u | paste -sd,)
# shellcheck disable=SC1091
suite=$(. /etc/os-release && echo "$VERSION_CODENAME")
apt-config dump | grep '^Acquire::' > "$new/apt.conf" || true
mmdebstrap --quiet --mode=root --variant=minbase --include="$packages" --aptopt="$new/apt.conf" \
	--aptopt='APT::Install-Recommends "false"' --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/man/*' \
	--dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
	"$suite" "$root" "$(sources)" >&2 || fail "mmdebstrap failed"

cp -r guest/. "$root/"
for unit in $(cat Masked); do ln -sf /dev/null "$root/etc/systemd/system/$unit"; done
chroot "$root" useradd -m -u 1000 -s /bin/bash user
grep -q '^user:' "$root/etc/subuid" || echo user:100000:65536 | tee -a "$root/etc/subuid" >> "$root/etc/subgid"

uml=$(find /usr/lib/uml/modules -mindepth 1 -maxdepth 1 -printf '%f\n' | tail -1)
mkdir -p "$new/uml/lib/modules"
cp -a "/usr/lib/uml/modules/$uml" "$new/uml/lib/modules/"
add_modules "$new/uml" "$uml"

# Fetched and unpacked, never installed.
package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: //p' | head -1)
[ -n "$package" ] || { apt-get -q update >&2 && package=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: //p' | head -1); }
(cd "$new" && apt-get -q download "$package" >&2 && dpkg-deb -x "$package"*.deb kernel) || fail "no Debian kernel: $package"
version=$(find "$new/kernel/lib/modules" -mindepth 1 -maxdepth 1 -printf '%f\n')
add_modules "$new/kernel" "$version"
make_initrd "$new/kernel" "$version"
cp "$new/kernel/boot/vmlinuz-$version" "$new/vmlinuz"

truncate -s 6G "$new/root.img"
mke2fs -q -t ext4 -O ^has_journal -E lazy_itable_init=1,root_owner=0:0 -d "$root" -F "$new/root.img"
rm -rf --one-file-system "$root" "$new"/{uml,kernel,initrd.d,apt.conf} "$new"/*.deb
mv "$new" "$folder"
trap - EXIT

# Old ones go, unless a machine runs from them or somebody used them today.
find "$cache" -mindepth 1 -maxdepth 1 -type d -mmin +1440 ! -name "$name" | while read -r old; do
	flock -n "$old" rm -rf --one-file-system "$old" || true
done
echo "image.sh: made in $SECONDS s, $(du -sh "$folder" | cut -f1)" >&2
echo "$folder"
