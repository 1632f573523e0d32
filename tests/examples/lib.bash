# tests/examples/lib.bash: the three services as processes on free loopback ports.
# shellcheck disable=SC2034 # the tests read what is set here
. "$BATS_TEST_DIRNAME/../../examples/browser.bash"
EXAMPLES=${EXAMPLES:-$BATS_TEST_DIRNAME/../../build/examples}
USERS=$BATS_TEST_DIRNAME/../../examples/bayernid/users.json

# Start NAME with its options; its address is put into the variable that the first word names.
service_start() {
	local variable=$1 name=$2 i port=''
	shift 2
	: > "$DIR/$name.log"
	"$EXAMPLES/$name" --listen 127.0.0.1:0 "$@" 2>> "$DIR/$name.log" 3>&- < /dev/null &
	echo $! > "$DIR/$name.pid"
	for ((i = 0; i < 200; i++)); do
		port=$(sed -n 's/.*listening.* port=\([0-9]*\).*/\1/p' "$DIR/$name.log" | head -1)
		[ -z "$port" ] || break
		sleep 0.02
	done
	[ -n "$port" ] || { cat "$DIR/$name.log" >&2; return 1; }
	printf -v "$variable" 'http://127.0.0.1:%s' "$port"
}

# End NAME; its exit status is the result.
service_stop() {
	local pid
	pid=$(cat "$DIR/$1.pid" 2> /dev/null) || return 0
	rm -f "$DIR/$1.pid"
	kill "$pid" 2> /dev/null || return 1
	wait "$pid"
}

services_start() {
	DIR=$(mktemp -d)
	mkdir -m 700 "$DIR/keys"
	service_start BAYERNID bayernid --users "$USERS" --data "$DIR/keys" &&
		service_start ANTRAG antrag --database "$DIR/antrag.db" --keys "$BAYERNID/.well-known/jwks.json" &&
		service_start PORTAL portal --bayernid "$BAYERNID" --antrag "$ANTRAG"
}

services_stop() {
	local name bad=0
	for name in portal antrag bayernid; do
		service_stop $name || true
	done
	if grep -hE 'Sanitizer|runtime error' "$DIR"/*.log >&2; then bad=1; fi
	rm -rf "$DIR"
	return $bad
}

# A request with curl; body in $output, status in $code.
ask() {
	code=$(curl -sS --max-time 20 --noproxy '*' -o "$DIR/answer" -D "$DIR/head" -w '%{http_code}' "$@")
	output=$(cat "$DIR/answer")
}

token_of() { # USER PASSWORD
	curl -sS --noproxy '*' "$BAYERNID/login" -d "{\"user\":\"$1\",\"password\":\"$2\"}" | jq -r .token
}
erika() { token_of erika sonnenblume-7; }
max() { token_of max wanderweg-3; }
sabine() { token_of sabine aktenordner-9; }

KINDERGELD='{"kind":"kindergeld","fields":{"child_name":"Lena Mustermann","child_birth":"2020-02-29","child_tax_id":"86 095 742 719","household":"ja","iban":"de02 1203 0000 0000 2020 51"}}'
GESUNDHEIT='{"kind":"gesundheitszeugnis","fields":{"name":"Max Beispiel","birth":"1999-12-31","activity":"kueche","language":"de","wanted_day":"TAG"}}'
GESUNDHEIT=${GESUNDHEIT/TAG/$(date -u -d '+10 days' +%F)}

apply() { # TOKEN BODY; the number in $number
	ask "$ANTRAG/applications" -H "Authorization: Bearer $1" -d "$2"
	[ "$code" = 201 ] || { echo "$code $output" >&2; return 1; }
	number=$(jq -r .number <<< "$output")
}
