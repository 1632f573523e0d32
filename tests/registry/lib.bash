# tests/registry/lib.bash: Debian's docker-registry on a free loopback port, for tests and the demo.
#
#	. tests/registry/lib.bash
#	registry_start DIR [anonymous|basic|token] [tls] [mtls] [host=localhost] [bind=ADDRESS]
#	... "$REGISTRY" is now HOST:PORT ...
#	registry_stop DIR
#
# Everything lies in DIR, which the caller makes and removes: data/ (the blobs), config.yml, log,
# address (HOST:PORT), pid. With tls: ca.crt, and certs.d/HOST:PORT/ca.crt to point clients to; mtls
# asks clients for a certificate, which lies there too. basic and token know one user, REGISTRY_USER
# with REGISTRY_PASSWORD; with token, an anonymous client may pull what lies below public/.
# registry_start may be called again for the same DIR after registry_stop: the data stays, the port
# changes unless PORT is set.
# Several registries may run at once, each in its own DIR. token needs python3, the rest does not.

REGISTRY_USER=amt
REGISTRY_PASSWORD='geheim: ä"+%'
registry_lib=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)

registry_start() {
	local dir=$1 auth=anonymous tls='' mtls='' host='' bind=127.0.0.1 word
	shift
	for word in "$@"; do
		case $word in
		anonymous | basic | token) auth=$word ;;
		tls) tls=1 ;;
		mtls) tls=1 mtls=1 ;;
		host=*) host=${word#host=} ;;
		bind=*) bind=${word#bind=} ;; # of a network namespace of the caller's own
		*) echo "registry_start: unknown word '$word'" >&2; return 2 ;;
		esac
	done
	mkdir -p "$dir/data"
	dir=$(cd "$dir" && pwd)
	: > "$dir/log"
	{
		printf 'version: 0.1\nlog: {level: info, formatter: text}\n'
		printf 'storage:\n  filesystem: {rootdirectory: "%s"}\n' "$dir/data"
		printf '  delete: {enabled: true}\n  maintenance: {uploadpurging: {enabled: false}}\n'
		printf 'http:\n  addr: %s:%s\n  secret: loopback\n' "$bind" "${PORT:-0}"
	} > "$dir/config.yml"
	[ -z "$tls" ] || registry_certificates "$dir" "$mtls" >> "$dir/config.yml" || return 1
	registry_auth "$dir" "$auth" "$tls" >> "$dir/config.yml" || return 1

	# Its own REGISTRY_... variables would change the configuration, and REGISTRY_AUTH_FILE is ours.
	env -i PATH="$PATH" OTEL_TRACES_EXPORTER=none docker-registry serve "$dir/config.yml" > "$dir/log" 2>&1 < /dev/null 3>&- &
	echo $! > "$dir/pid"
	disown $! 2> /dev/null
	local port='' i
	for ((i = 0; i < 200; i++)); do
		port=$(sed -n 's/.*listening on [0-9.]*:\([0-9]*\).*/\1/p' "$dir/log" | tail -1)
		[ -z "$port" ] || break
		kill -0 "$(cat "$dir/pid")" 2> /dev/null || break
		sleep 0.05
	done
	if [ -z "$port" ]; then
		echo "docker-registry did not start:" >&2
		tail -5 "$dir/log" >&2
		registry_stop "$dir"
		return 1
	fi
	REGISTRY=${host:-$bind}:$port
	echo "$REGISTRY" > "$dir/address"
	if [ -n "$tls" ]; then
		mkdir -p "$dir/certs.d/$REGISTRY"
		cp "$dir/ca.crt" "$dir/certs.d/$REGISTRY/ca.crt"
		if [ -n "$mtls" ]; then
			cp "$dir/client.crt" "$dir/certs.d/$REGISTRY/client.cert"
			cp "$dir/client.key" "$dir/certs.d/$REGISTRY/client.key"
		fi
	fi
}

# Stop what registry_start started in DIR; nothing is removed.
registry_stop() {
	local dir=$1 file pid i
	for file in "$dir/pid" "$dir/token/pid"; do
		[ -s "$file" ] || continue
		pid=$(cat "$file")
		kill "$pid" 2> /dev/null || true
		for ((i = 0; i < 100; i++)); do
			kill -0 "$pid" 2> /dev/null || break
			[ $i -lt 60 ] || kill -9 "$pid" 2> /dev/null || true
			sleep 0.05
		done
		rm -f "$file"
	done
}

# The http.tls member of the configuration, and the keys it needs: made once per DIR.
registry_certificates() {
	local dir=$1 mtls=$2
	if [ ! -e "$dir/server.crt" ]; then
		(
			set -e
			cd "$dir"
			openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 30 \
				-subj '/CN=Loopback test authority' -keyout ca.key -out ca.crt
			local name
			for name in server client; do
				openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes \
					-subj "/CN=$name" -keyout $name.key -out $name.csr
				printf 'subjectAltName=DNS:localhost,IP:127.0.0.1\n' > $name.ext
				openssl x509 -req -in $name.csr -CA ca.crt -CAkey ca.key -CAcreateserial \
					-days 30 -extfile $name.ext -out $name.crt
			done
		) > "$dir/openssl.log" 2>&1 || { cat "$dir/openssl.log" >&2; return 1; }
	fi
	printf '  tls:\n    certificate: "%s"\n    key: "%s"\n' "$dir/server.crt" "$dir/server.key"
	[ -z "$mtls" ] || printf '    clientcas: ["%s"]\n' "$dir/ca.crt"
}

# The auth member of the configuration. token: a small server of our own gives the tokens.
registry_auth() {
	local dir=$1 auth=$2 scheme=http keys=() port i
	case $auth in
	basic)
		htpasswd -Bbn -C 5 "$REGISTRY_USER" "$REGISTRY_PASSWORD" > "$dir/htpasswd" || return 1
		printf 'auth:\n  htpasswd: {realm: loopback, path: "%s"}\n' "$dir/htpasswd"
		;;
	token)
		mkdir -p "$dir/token"
		[ -e "$dir/token/key.pem" ] ||
			openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj '/CN=Loopback tokens' \
				-keyout "$dir/token/key.pem" -out "$dir/token/cert.pem" 2> "$dir/openssl.log" ||
			{ cat "$dir/openssl.log" >&2; return 1; }
		rm -f "$dir/token/port"
		[ -z "$3" ] || scheme=https keys=("$dir/server.crt" "$dir/server.key")
		/usr/bin/python3 "$registry_lib/token_server.py" "$dir/token" \
			"$REGISTRY_USER" "$REGISTRY_PASSWORD" "${keys[@]}" > "$dir/token/log" 2>&1 < /dev/null 3>&- &
		echo $! > "$dir/token/pid"
		disown $! 2> /dev/null
		for ((i = 0; i < 200; i++)); do
			[ ! -s "$dir/token/port" ] || break
			sleep 0.05
		done
		[ -s "$dir/token/port" ] || { cat "$dir/token/log" >&2; return 1; }
		port=$(cat "$dir/token/port")
		if [ -n "$3" ]; then
			mkdir -p "$dir/certs.d/127.0.0.1:$port"
			cp "$dir/ca.crt" "$dir/certs.d/127.0.0.1:$port/ca.crt"
		fi
		printf 'auth:\n  token:\n    realm: %s://127.0.0.1:%s/token\n' "$scheme" "$port"
		printf '    service: loopback-registry\n    issuer: loopback-issuer\n'
		printf '    rootcertbundle: "%s"\n' "$dir/token/cert.pem"
		;;
	esac
}
