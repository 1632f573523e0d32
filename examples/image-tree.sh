#!/usr/bin/env bash
# Lay out an image: a program, the shared libraries that it names, nothing else.
#
#	examples/image-tree.sh PROGRAM TREE [SOURCE:/DESTINATION...]
#
# Debian has no static GnuTLS for libmicrohttpd, so the services are dynamic; each library is put where the
# program's own loader looks for it. There is no shell in the image, and nobody but its user.
set -euo pipefail
program=$1 tree=$2
shift 2
name=$(basename "$program")

rm -rf "$tree"
mkdir -p "$tree"/{usr/bin,etc,proc,sys,dev,tmp,run,"var/lib/$name"}
strip -o "$tree/usr/bin/$name" "$program"
chmod 755 "$tree/usr/bin/$name"
ldd "$program" | grep -oE '/[^ ]+' | while read -r library; do
	install -D -m 755 "$(readlink -f "$library")" "$tree$library"
done
printf 'root:x:0:0::/:/nonexistent\n%s:x:10001:10001::/var/lib/%s:/nonexistent\n' "$name" "$name" > "$tree/etc/passwd"
printf 'root:x:0:\n%s:x:10001:\n' "$name" > "$tree/etc/group"
for pair in "$@"; do
	install -D -m 644 "${pair%%:*}" "$tree${pair#*:}"
done
# The same bytes give the same image: times are those of nothing.
find "$tree" -exec touch -h -d @0 {} +
