# tests/integration/debian.bash: a tar of a real Debian tree, made once by mmdebstrap and kept.

# Print the path of the tar. Its name carries the recipe's digest; several tests at a time wait for one.
debian_tar() {
	local recipe='mmdebstrap --variant=essential --format=tar bookworm'
	local cache=$BATS_TEST_DIRNAME/../../build/cache key
	key=$(printf '%s' "$recipe" | sha256sum | cut -c1-16)
	mkdir -p "$cache"
	(
		flock 9
		if [ ! -s "$cache/debian-$key.tar" ]; then
			# dash, which apt starts, knows descriptors of one digit only: what bats holds must not push
			# mmdebstrap's beyond them.
			SOURCE_DATE_EPOCH=1700000000 $recipe "$cache/debian-$key.partial" > "$cache/debian-$key.log" 2>&1 < /dev/null \
				3>&- 4>&- 5>&- 6>&- 7>&- 8>&- 9>&- || {
				tail -5 "$cache/debian-$key.log" >&2
				exit 1
			}
			mv "$cache/debian-$key.partial" "$cache/debian-$key.tar"
		fi
	) 9> "$cache/debian-$key.lock" || return 1
	echo "$cache/debian-$key.tar"
}
