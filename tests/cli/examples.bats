#!/usr/bin/env bats
# bayernid and antrag, as processes on loopback: what they promise, and what they refuse.

load ../examples/lib.bash

setup() { services_start; }
teardown() { services_stop; }

with() { echo "Authorization: Bearer $1"; }

# bayernid

@test "bayernid signs a person in and gives a token that its published key verifies" {
	ask "$BAYERNID/login" -d '{"user":"erika","password":"sonnenblume-7"}'
	[ "$code" = 200 ]
	token=$(jq -r .token <<< "$output")
	[ "$(jq -r '.claims | "\(.name)|\(.role)|\(.acr)|\(.exp - .iat)"' <<< "$output")" = "Erika Mustermann|citizen|high|900" ]
	# Another program agrees: openssl, with the key from the key set.
	ask "$BAYERNID/.well-known/jwks.json"
	x=$(jq -r '.keys[0].x' <<< "$output")
	decode() { tr -- '_-' '/+' <<< "$1$(printf '%*s' $(((4 - ${#1} % 4) % 4)) '' | tr ' ' '=')" | base64 -d; }
	{ printf '\x30\x2a\x30\x05\x06\x03\x2b\x65\x70\x03\x21\x00'; decode "$x"; } > "$DIR/public.der"
	printf '%s' "${token%.*}" > "$DIR/signed"
	decode "${token##*.}" > "$DIR/signature"
	run openssl pkeyutl -verify -rawin -pubin -keyform DER -inkey "$DIR/public.der" -in "$DIR/signed" -sigfile "$DIR/signature"
	[ "$status" = 0 ]
	[ "$output" = "Signature Verified Successfully" ]
}

@test "bayernid makes its key once, for its owner only, and keeps it over a restart" {
	[ "$(stat -c %a "$DIR/keys/key.pem")" = 600 ]
	token=$(erika)
	service_stop bayernid
	service_start BAYERNID bayernid --users "$USERS" --data "$DIR/keys"
	ask "$BAYERNID/verify" -d "{\"token\":\"$token\"}"
	[ "$(jq -r .active <<< "$output")" = true ]
}

@test "bayernid refuses a key that others may read, a missing directory and a broken file of users" {
	refused() { # OPTIONS; the reason in $output
		run "$EXAMPLES/bayernid" --listen 127.0.0.1:0 "$@"
		[ "$status" = 1 ]
	}
	chmod 644 "$DIR/keys/key.pem"
	refused --users "$USERS" --data "$DIR/keys"
	[[ $output == *"key 'key.pem': mode 0644 lets others read the key"* ]]
	refused --users "$USERS" --data "$DIR/none"
	[[ $output == *"data directory '$DIR/none': No such file or directory"* ]]
	jq '.users[1].user = "erika"' "$USERS" > "$DIR/users.json"
	refused --users "$DIR/users.json" --data "$DIR/keys"
	[[ $output == *"user 'erika' comes twice"* ]]
	jq '.users[0].password = "geheim"' "$USERS" > "$DIR/users.json"
	refused --users "$DIR/users.json" --data "$DIR/keys"
	[[ $output == *"users[0].password: "*"is not a hash; make one with bayernid --hash-password"* ]]
}

@test "a password's hash from the command line signs its owner in" {
	hash=$(printf 'ein neues Passwort\n' | "$EXAMPLES/bayernid" --hash-password)
	jq --arg hash "$hash" '.users[0].password = $hash' "$USERS" > "$DIR/users.json"
	service_stop bayernid
	service_start BAYERNID bayernid --users "$DIR/users.json" --data "$DIR/keys"
	[ "$(token_of erika 'ein neues Passwort')" != null ]
	[ "$(erika)" = null ]
}

@test "bayernid tells nobody whether a user exists" {
	ask "$BAYERNID/login" -d '{"user":"erika","password":"falsch"}'
	[ "$code" = 401 ]
	wrong=$output
	ask "$BAYERNID/login" -d '{"user":"niemand","password":"falsch"}'
	[ "$code" = 401 ]
	[ "$output" = "$wrong" ]
}

@test "after five wrong passwords a name must wait, even with the right one, and others need not" {
	for i in 1 2 3 4 5; do
		ask "$BAYERNID/login" -d '{"user":"erika","password":"falsch"}'
		[ "$code" = 401 ]
	done
	ask "$BAYERNID/login" -d '{"user":"erika","password":"sonnenblume-7"}'
	[ "$code" = 429 ]
	grep -qiE '^retry-after: ([1-9]|[1-5][0-9]|60)\b' "$DIR/head"
	[ "$(max)" != null ]
}

@test "right passwords are not counted" {
	for i in 1 2 3 4 5 6 7; do
		[ "$(erika)" != null ]
	done
}

@test "bayernid verifies tokens: good, changed, expired, of another key" {
	token=$(erika)
	ask "$BAYERNID/verify" -d "{\"token\":\"$token\"}"
	[ "$(jq -r '"\(.active) \(.claims.sub)"' <<< "$output")" = "true b7c1f0d2-erika" ]
	ask "$BAYERNID/verify" -d "{\"token\":\"${token/./x.}\"}"
	[ "$output" = '{"active":false}' ]
	service_stop bayernid
	service_start BAYERNID bayernid --users "$USERS" --data "$DIR/keys" --token-time 1s
	short=$(erika)
	sleep 1.1
	ask "$BAYERNID/verify" -d "{\"token\":\"$short\"}"
	[ "$output" = '{"active":false}' ]
	service_stop bayernid
	rm "$DIR/keys/key.pem"
	service_start BAYERNID bayernid --users "$USERS" --data "$DIR/keys"
	ask "$BAYERNID/verify" -d "{\"token\":\"$token\"}"
	[ "$output" = '{"active":false}' ]
}

@test "a token is renewed without the password, but not for ever" {
	service_stop bayernid
	service_start BAYERNID bayernid --users "$USERS" --data "$DIR/keys" --token-time 10s --session-time 3s
	token=$(erika)
	ask "$BAYERNID/renew" -H "$(with "$token")" -d ''
	[ "$code" = 200 ]
	[ "$(jq '.claims.exp - .claims.auth_time' <<< "$output")" = 3 ]
	sleep 3.1
	ask "$BAYERNID/renew" -H "$(with "$token")" -d ''
	[ "$code" = 401 ]
}

@test "bayernid signs a digest in the person's name, and verifies exactly that" {
	token=$(erika)
	digest=sha256:$(printf 'Antrag' | sha256sum | cut -d' ' -f1)
	ask "$BAYERNID/sign" -H "$(with "$token")" -d "{\"digest\":\"$digest\"}"
	[ "$code" = 200 ]
	signed=$output
	ask "$BAYERNID/verify-signature" -d "$signed"
	[ "$output" = '{"valid":true}' ]
	for change in '.subject = "x"' '.signed_at += 1' '.digest = "sha256:" + ("0" * 64)' '.signature = "AAAA"'; do
		ask "$BAYERNID/verify-signature" -d "$(jq -c "$change" <<< "$signed")"
		[ "$output" = '{"valid":false}' ]
	done
	ask "$BAYERNID/sign" -H "$(with "$token")" -d '{"digest":"sha256:12"}'
	[ "$code" = 400 ]
	ask "$BAYERNID/sign" -H "$(with "$(max)")" -d "{\"digest\":\"$digest\"}"
	[ "$code" = 403 ]
	ask "$BAYERNID/sign" -d "{\"digest\":\"$digest\"}"
	[ "$code" = 401 ]
}

# antrag

@test "an application gets a file number, the state received and a history" {
	token=$(erika)
	apply "$token" "$KINDERGELD"
	[[ $number =~ ^KG-[0-9]{4}-[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]$ ]]
	[ "$(jq -r '.fields.iban' <<< "$output")" = DE02120300000000202051 ]
	ask "$ANTRAG/applications/$number" -H "$(with "$token")"
	[ "$code" = 200 ]
	[ "$(jq -r '"\(.state) \(.history | length) \(.history[0].by)"' <<< "$output")" = "eingegangen 1 citizen" ]
	ask "$ANTRAG/applications/$(tr 'A-Z' 'a-z' <<< "${number//-/}")" -H "$(with "$token")"
	[ "$code" = 200 ]
}

@test "fields that are wrong are named, each with its reason, and nothing is kept" {
	token=$(erika)
	ask "$ANTRAG/applications" -H "$(with "$token")" -d '{"kind":"kindergeld","fields":{"child_name":" ","child_birth":"2023-02-29","child_tax_id":"86095742718","household":"vielleicht","iban":"DE03120300000000202051","more":"x"}}'
	[ "$code" = 422 ]
	[ "$(jq -r '[.problems[] | "\(.field):\(.code)"] | join(" ")' <<< "$output")" = \
		"child_name:missing child_birth:date child_tax_id:tax_id household:choice iban:iban more:unknown" ]
	ask "$ANTRAG/applications" -H "$(with "$token")"
	[ "$output" = '{"applications":[]}' ]
}

@test "bodies that are no application are refused with their place" {
	token=$(erika)
	for body in '' '{' '[]' '{"kind":"kindergeld"}' '{"kind":"kindergeld","kind":"x","fields":{}}' \
		'{"kind":"kindergeld","fields":{},"state":"bewilligt"}' '{"kind":"kindergeld","fields":{"child_name":1}}'; do
		ask "$ANTRAG/applications" -H "$(with "$token")" -d "$body"
		[ "$code" = 400 ]
		[[ $(jq -r .error.message <<< "$output") == body* ]]
	done
	ask "$ANTRAG/applications" -H "$(with "$token")" -d '{"kind":"steuer","fields":{}}'
	[ "$(jq -r .error.code <<< "$output")" = kind_unknown ]
}

@test "without a good token antrag says nothing" {
	good=$(erika)
	IFS=. read -r header claims signature <<< "$good"
	none=$(printf '{"alg":"none","kid":"x"}' | base64 -w0 | tr -d '=')
	for token in '' x.y.z "$header.$claims." "$none.$claims." "$header.${claims}x.$signature" "${good}x"; do
		for path in /applications /applications/KG-2026-7K4MQ-9TX3H-P; do
			ask "$ANTRAG$path" -H "$(with "$token")"
			[ "$code" = 401 ]
			[ "$(jq -r .error.code <<< "$output")" = token_invalid ]
		done
	done
	ask "$ANTRAG/applications" -H "Authorization: Basic $good"
	[ "$code" = 401 ]
}

@test "a token of another bayernid is refused" {
	[ "$(erika)" != null ]
	mkdir -m 700 "$DIR/other"
	mv "$DIR/bayernid.pid" "$DIR/first.pid"
	service_start OTHER bayernid --users "$USERS" --data "$DIR/other"
	foreign=$(curl -sS --noproxy '*' "$OTHER/login" -d '{"user":"erika","password":"sonnenblume-7"}' | jq -r .token)
	ask "$ANTRAG/applications" -H "$(with "$foreign")"
	service_stop bayernid
	mv "$DIR/first.pid" "$DIR/bayernid.pid"
	[ "$code" = 401 ]
	ask "$ANTRAG/applications" -H "$(with "$(erika)")"
	[ "$code" = 200 ]
}

@test "a citizen cannot tell somebody else's file from none" {
	apply "$(erika)" "$KINDERGELD"
	other=$(max)
	ask "$ANTRAG/applications/$number" -H "$(with "$other")"
	[ "$code" = 404 ]
	theirs=$output
	ask "$ANTRAG/applications/GZ-2026-012Z0-Z8ACD-8" -H "$(with "$other")"
	[ "$code" = 404 ]
	[ "$output" = "$theirs" ]
	ask "$ANTRAG/applications?citizen=b7c1f0d2-erika" -H "$(with "$other")"
	[ "$code" = 403 ]
	ask "$ANTRAG/applications" -H "$(with "$other")"
	[ "$output" = '{"applications":[]}' ]
	ask "$ANTRAG/applications/$number/answer" -H "$(with "$other")" -d '{"note":"x"}'
	[ "$code" = 404 ]
}

@test "a clerk moves an application by the table, a citizen cannot" {
	token=$(erika)
	clerk=$(sabine)
	apply "$token" "$KINDERGELD"
	move() { ask "$ANTRAG/applications/$number/state" -H "$(with "$1")" -d "$2"; }
	move "$token" '{"state":"bewilligt"}'
	[ "$code" = 403 ]
	move "$clerk" '{"state":"bewilligt"}'
	[ "$code" = 409 ]
	move "$clerk" '{"state":"in_pruefung"}'
	[ "$code" = 200 ]
	move "$clerk" '{"state":"rueckfrage"}'
	[ "$code" = 422 ]
	move "$clerk" '{"state":"rueckfrage","note":"Wohnt das Kind bei Ihnen?"}'
	[ "$code" = 200 ]
	ask "$ANTRAG/applications/$number/answer" -H "$(with "$token")" -d '{"note":"Ja."}'
	[ "$code" = 200 ]
	move "$clerk" '{"state":"abgelehnt","note":" "}'
	[ "$code" = 422 ]
	move "$clerk" '{"state":"bewilligt"}'
	[ "$code" = 200 ]
	move "$clerk" '{"state":"in_pruefung"}'
	[ "$code" = 409 ]
	ask "$ANTRAG/applications/$number" -H "$(with "$token")"
	[ "$(jq -r '[.history[].state] | join(" ")' <<< "$output")" = "eingegangen in_pruefung rueckfrage in_pruefung bewilligt" ]
	[ "$(jq -r '.history[3] | "\(.by) \(.note)"' <<< "$output")" = "citizen Ja." ]
}

@test "clerks list by state and person, and cannot apply" {
	clerk=$(sabine)
	apply "$(erika)" "$KINDERGELD"
	apply "$(max)" "$GESUNDHEIT"
	ask "$ANTRAG/applications" -H "$(with "$clerk")"
	[ "$(jq '.applications | length' <<< "$output")" = 2 ]
	[ "$(jq '[.applications[] | has("fields")] | any' <<< "$output")" = false ]
	ask "$ANTRAG/applications?citizen=4e90a6c8-max&state=eingegangen" -H "$(with "$clerk")"
	[ "$(jq -r '[.applications[].number] | join(" ")' <<< "$output")" = "$number" ]
	ask "$ANTRAG/applications?state=bewilligt" -H "$(with "$clerk")"
	[ "$output" = '{"applications":[]}' ]
	ask "$ANTRAG/applications?state=egal" -H "$(with "$clerk")"
	[ "$code" = 400 ]
	ask "$ANTRAG/applications" -H "$(with "$clerk")" -d "$KINDERGELD"
	[ "$code" = 403 ]
}

@test "an application may need a surer identity than a password" {
	ask "$ANTRAG/applications" -H "$(with "$(max)")" -d "$KINDERGELD"
	[ "$code" = 403 ]
	[ "$(jq -r .error.code <<< "$output")" = assurance_too_low ]
	apply "$(max)" "$GESUNDHEIT"
}

@test "a signature is kept once, and only bayernid's over this very document" {
	token=$(erika)
	apply "$token" "$KINDERGELD"
	first=$number
	digest=$(jq -r .digest <<< "$output")
	ask "$ANTRAG/applications/$number/document" -H "$(with "$token")"
	[ "$digest" = "sha256:$(sha256sum < "$DIR/answer" | cut -d' ' -f1)" ]
	ask "$BAYERNID/sign" -H "$(with "$token")" -d "{\"digest\":\"$digest\"}"
	proof=$(jq -c '{signature, signed_at}' <<< "$output")
	sign() { ask "$ANTRAG/applications/$number/signature" -H "$(with "$token")" -d "$1"; }
	sign "$(jq -c '.signed_at += 1' <<< "$proof")"
	[ "$code" = 422 ]
	apply "$token" "$KINDERGELD"
	sign "$proof"
	[ "$code" = 422 ]
	number=$first
	sign "$proof"
	[ "$code" = 200 ]
	[ "$(jq -r .signature <<< "$output")" = "$(jq -r .signature <<< "$proof")" ]
	sign "$proof"
	[ "$code" = 409 ]
}

@test "SQL in every place is only text" {
	token=$(erika)
	evil="x'); DROP TABLE applications; --"
	apply "$token" "$(jq -c --arg evil "$evil" '.fields.child_name = $evil' <<< "$KINDERGELD")"
	ask "$ANTRAG/applications/$number" -H "$(with "$token")"
	[ "$(jq -r .fields.child_name <<< "$output")" = "$evil" ]
	ask -G "$ANTRAG/applications" -H "$(with "$(sabine)")" --data-urlencode "citizen=' OR '1'='1"
	[ "$output" = '{"applications":[]}' ]
	ask "$ANTRAG/applications/'%20OR%201=1%20--" -H "$(with "$token")"
	[ "$code" = 404 ]
	ask "$ANTRAG/applications" -H "$(with "$token")"
	[ "$(jq '.applications | length' <<< "$output")" = 1 ]
}

@test "bodies over the bound are refused before and while they are read" {
	token=$(erika)
	head -c 40000 /dev/zero | tr '\0' a > "$DIR/large"
	ask "$ANTRAG/applications" -H "$(with "$token")" --data-binary "@$DIR/large"
	[ "$code" = 413 ]
	ask "$ANTRAG/applications" -H "$(with "$token")" -H 'Transfer-Encoding: chunked' --data-binary "@$DIR/large"
	[ "$code" = 413 ]
	ask "$BAYERNID/login" --data-binary "@$DIR/large"
	[ "$code" = 413 ]
	ask "$PORTAL/sign-in" --data-binary "@$DIR/large"
	[ "$code" = 413 ]
	ask "$ANTRAG/healthz"
	[ "$output" = '{"status":"ok"}' ]
}

@test "a body that never comes does not hold a place for ever" {
	exec 5<> "/dev/tcp/127.0.0.1/${ANTRAG##*:}"
	printf 'POST /applications HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{' >&5
	SECONDS=0
	read -t 25 -r line <&5 || true # the server hangs up: end of file, no answer
	exec 5>&-
	[ -z "$line" ]
	[ "$SECONDS" -lt 24 ]
}

@test "paths and methods that do not exist are told so" {
	for base in "$BAYERNID" "$ANTRAG"; do
		ask "$base/nichts"
		[ "$code" = 404 ]
	done
	ask -X DELETE "$ANTRAG/applications"
	[ "$code" = 405 ]
	grep -qi '^allow: POST, GET' "$DIR/head"
	ask -I "$ANTRAG/healthz"
	[ "$code" = 200 ]
}

@test "one who applies without end must wait" {
	token=$(erika)
	codes=$(for i in {1..21}; do
		ask "$ANTRAG/applications" -H "$(with "$token")" -d "$KINDERGELD"
		echo "$code"
	done | sort | uniq -c | tr -s ' \n' ' ')
	[ "$codes" = " 20 201 1 429 " ]
}

@test "applications survive the kill of the service, for its owner only" {
	token=$(erika)
	apply "$token" "$KINDERGELD"
	kill -9 "$(cat "$DIR/antrag.pid")"
	service_start ANTRAG antrag --database "$DIR/antrag.db" --keys "$BAYERNID/.well-known/jwks.json"
	ask "$ANTRAG/applications/$number" -H "$(with "$token")"
	[ "$code" = 200 ]
	[ "$(stat -c %a "$DIR/antrag.db")" = 600 ]
}

@test "keys may be mounted as a file; without bayernid antrag says that it cannot know" {
	token=$(erika)
	curl -sS --noproxy '*' "$BAYERNID/.well-known/jwks.json" > "$DIR/jwks.json"
	service_stop bayernid
	service_stop antrag
	service_start ANTRAG antrag --database "$DIR/antrag.db" --keys "$DIR/jwks.json"
	ask "$ANTRAG/applications" -H "$(with "$token")"
	[ "$code" = 200 ]
	service_stop antrag
	service_start ANTRAG antrag --database "$DIR/antrag.db" --keys "$BAYERNID/.well-known/jwks.json"
	ask "$ANTRAG/applications" -H "$(with "$token")"
	[ "$code" = 503 ]
}

@test "TERM ends each service with status 0, and an answer that was begun is given" {
	token=$(erika)
	# A body that comes slowly: TERM arrives between its halves.
	exec 5<> "/dev/tcp/127.0.0.1/${ANTRAG##*:}"
	printf 'POST /applications HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n' \
		"$token" "${#KINDERGELD}" >&5
	printf '%s' "${KINDERGELD:0:50}" >&5
	sleep 0.3
	kill "$(cat "$DIR/antrag.pid")"
	sleep 0.3
	printf '%s' "${KINDERGELD:50}" >&5
	read -t 5 -r line <&5
	exec 5>&-
	[[ $line == "HTTP/1.1 201 Created"* ]]
	wait "$(cat "$DIR/antrag.pid")"
	rm "$DIR/antrag.pid"
	service_stop portal
	service_stop bayernid
	grep -q 'stopping.*signal=TERM' "$DIR/portal.log"
}

@test "a log line names the route, never a file number or a password" {
	apply "$(erika)" "$KINDERGELD"
	ask "$ANTRAG/applications/$number" -H "$(with "$(erika)")"
	grep -q 'route=/applications/{}.* status=200' "$DIR/antrag.log"
	[ "$(cat "$DIR"/*.log | grep -cF -e "$number" -e sonnenblume)" = 0 ]
}
