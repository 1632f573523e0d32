#!/usr/bin/env bats
# The portal in front of the two other services, used by a browser of curl.

load ../examples/lib.bash

setup() { services_start; }
teardown() { services_stop; }

sign_in() { # USER PASSWORD
	browser_open "$DIR" "$1"
	browser_get "$PORTAL/sign-in"
	browser_send "$PORTAL/sign-in" -d "user=$1" -d "password=$2"
	[ "$STATUS $LOCATION" = "303 $PORTAL/" ]
}

apply_by_form() { # [NAME OF THE CHILD]; the number in $number
	browser_get "$PORTAL/apply/kindergeld"
	browser_send "$PORTAL/apply/kindergeld" --data-urlencode "child_name=${1:-Lena}" -d child_birth=2020-02-29 \
		-d child_tax_id=86095742719 -d household=ja -d iban=DE02120300000000202051
	[ "$STATUS" = 303 ]
	number=$(grep -oE '[A-Z]{2}-[0-9]{4}-[0-9A-Z]{5}-[0-9A-Z]{5}-[0-9A-Z]' <<< "$LOCATION")
}

@test "a citizen applies, is asked, answers, and sees the decision with its dates" {
	sign_in erika sonnenblume-7
	apply_by_form
	browser_get "$LOCATION"
	grep -q 'Ihr Antrag ist eingegangen' "$PAGE"
	grep -q "$number" "$PAGE"
	grep -q 'Elektronisch unterschrieben' "$PAGE"

	sign_in sabine aktenordner-9
	browser_get "$PORTAL/"
	grep -q "$number" "$PAGE"
	browser_get "$PORTAL/applications/$number"
	browser_send "$PORTAL/applications/$number/state" -d state=in_pruefung
	browser_get "$LOCATION"
	browser_send "$PORTAL/applications/$number/state" -d state=rueckfrage
	[ "$STATUS" = 422 ]
	grep -q 'Bitte schreiben Sie dazu etwas' "$PAGE"
	browser_send "$PORTAL/applications/$number/state" -d state=rueckfrage -d note=Warum
	[ "$STATUS" = 303 ]

	browser_open "$DIR" erika
	browser_get "$PORTAL/applications/$number"
	grep -q 'Auf die Rückfrage antworten' "$PAGE"
	browser_send "$PORTAL/applications/$number/answer" -d note=Darum
	[ "$STATUS" = 303 ]

	browser_open "$DIR" sabine
	browser_get "$PORTAL/applications/$number"
	browser_send "$PORTAL/applications/$number/state" -d state=bewilligt
	browser_open "$DIR" erika
	browser_get "$PORTAL/applications/$number"
	grep -q '<span class="badge good">Bewilligt</span>' "$PAGE"
	[ "$(grep -c '<li class="done">' "$PAGE")" = 5 ]
	[ "$(grep -c '<time datetime=' "$PAGE")" -ge 5 ]
}

@test "mistakes in a form are listed, linked, kept and said in the page's title" {
	sign_in erika sonnenblume-7
	browser_get "$PORTAL/apply/kindergeld"
	browser_send "$PORTAL/apply/kindergeld" -d child_name=Lena -d child_birth=2023-02-30 -d iban=DE00
	[ "$STATUS" = 422 ]
	grep -q '<title>Fehler: Kindergeld' "$PAGE"
	grep -q '<a href="#iban">IBAN für die Auszahlung</a>' "$PAGE"
	grep -q 'id="child_name" name="child_name" value="Lena"' "$PAGE"
	grep -q 'aria-describedby="iban-hint iban-problem" aria-invalid="true"' "$PAGE"
}

@test "markup that somebody types is shown, not run" {
	sign_in erika sonnenblume-7
	apply_by_form '<script>alert(1)</script>"><img src=x onerror=alert(1)>'
	browser_get "$PORTAL/applications/$number"
	grep -qF '&lt;script&gt;alert(1)&lt;/script&gt;&quot;&gt;&lt;img src=x' "$PAGE"
	[ "$(grep -cE '<script|<img' "$PAGE")" = 0 ]
	browser_get "$PORTAL/find?number=%22%3E%3Cscript%3E"
	[ "$STATUS" = 404 ]
	grep -qF 'value="&quot;&gt;&lt;script&gt;"' "$PAGE"
	browser_open "$DIR" visitor
	browser_get "$PORTAL/sign-in"
	browser_send "$PORTAL/sign-in" --data-urlencode 'user="><script>' -d password=x
	[ "$STATUS" = 403 ]
	grep -qF 'value="&quot;&gt;&lt;script&gt;"' "$PAGE"
}

@test "every page forbids scripts, frames and foreign sources" {
	browser_open "$DIR" visitor
	for path in / /sign-in /nichts /accessibility; do
		browser_get "$PORTAL$path"
		grep -qi "^content-security-policy: default-src 'none'; style-src 'self'; img-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'" "$BROWSER.head"
		grep -qi '^x-content-type-options: nosniff' "$BROWSER.head"
		grep -qi '^referrer-policy: same-origin' "$BROWSER.head"
		grep -qi '^cache-control: no-store' "$BROWSER.head"
		[ "$(grep -cE '<script|style=|https?://' "$PAGE")" = 0 ]
	done
}

@test "the session's cookie is out of reach for scripts and other sites, and new at sign-in" {
	browser_open "$DIR" erika
	browser_get "$PORTAL/sign-in"
	grep -qE '^Set-Cookie: portal=[A-Za-z0-9_-]{43}; Path=/; HttpOnly; SameSite=Strict' "$BROWSER.head"
	before=$(awk '$6 == "portal" { print $7 }' "$BROWSER.jar")
	browser_send "$PORTAL/sign-in" -d user=erika -d password=sonnenblume-7
	after=$(awk '$6 == "portal" { print $7 }' "$BROWSER.jar")
	[ -n "$before" ]
	[ "$before" != "$after" ]
	service_stop portal
	service_start PORTAL portal --bayernid "$BAYERNID" --antrag "$ANTRAG" --secure-cookies
	ask "$PORTAL/sign-in"
	grep -qE '^Set-Cookie: __Host-portal=.*; Secure' "$DIR/head"
}

@test "a form without this visitor's token changes nothing" {
	sign_in erika sonnenblume-7
	browser_get "$PORTAL/apply/kindergeld"
	cp "$BROWSER.jar" "$DIR/jar"
	fields=(-d child_name=Lena -d child_birth=2020-02-29 -d child_tax_id=86095742719 -d household=ja -d iban=DE02120300000000202051)
	token=$(browser_token)
	other=${token/?/-}
	[ "$other" != "$token" ] || other=${token/?/_}
	ask "$PORTAL/apply/kindergeld" -b "$DIR/jar" "${fields[@]}"
	[ "$code" = 403 ]
	ask "$PORTAL/apply/kindergeld" -b "$DIR/jar" -d "csrf=$other" "${fields[@]}"
	[ "$code" = 403 ]
	ask "$PORTAL/apply/kindergeld" -b "$DIR/jar" -d "csrf=$token" -H 'Sec-Fetch-Site: cross-site' "${fields[@]}"
	[ "$code" = 403 ]
	ask "$PORTAL/apply/kindergeld" -b "$DIR/jar" -H 'Content-Type: text/plain' -d "csrf=$token"
	[ "$code" = 415 ]
	browser_open "$DIR" other
	browser_get "$PORTAL/sign-in"
	ask "$PORTAL/apply/kindergeld" -b "$DIR/jar" -d "csrf=$(browser_token)" "${fields[@]}"
	[ "$code" = 403 ]
	ask "$ANTRAG/applications" -H "Authorization: Bearer $(erika)"
	[ "$output" = '{"applications":[]}' ]
}

@test "signing out ends the session, also for who kept the cookie" {
	sign_in erika sonnenblume-7
	cp "$BROWSER.jar" "$DIR/jar"
	browser_get "$PORTAL/"
	browser_send "$PORTAL/sign-out"
	[ "$LOCATION" = "$PORTAL/sign-in?why=out" ]
	ask "$PORTAL/apply/kindergeld" -b "$DIR/jar"
	[ "$code" = 303 ]
}

@test "who does nothing is signed out, who goes on is not" {
	service_stop portal
	service_stop bayernid
	service_start BAYERNID bayernid --users "$USERS" --data "$DIR/keys" --token-time 4s --session-time 1h
	service_stop antrag
	service_start ANTRAG antrag --database "$DIR/antrag.db" --keys "$BAYERNID/.well-known/jwks.json"
	service_start PORTAL portal --bayernid "$BAYERNID" --antrag "$ANTRAG" --idle-time 3s
	sign_in erika sonnenblume-7
	for i in 1 2 3; do # longer than a token holds: it is renewed on the way
		sleep 2
		ask "$PORTAL/apply/kindergeld" -b "$BROWSER.jar"
		[ "$code" = 200 ]
	done
	sleep 3.5
	ask "$PORTAL/apply/kindergeld" -b "$BROWSER.jar"
	[ "$code" = 303 ]
}

@test "somebody else's file, and a clerk's buttons, are not there for a citizen" {
	sign_in erika sonnenblume-7
	apply_by_form
	sign_in max wanderweg-3
	browser_get "$PORTAL/applications/$number"
	[ "$STATUS" = 404 ]
	browser_open "$DIR" erika
	browser_get "$PORTAL/applications/$number"
	[ "$(grep -c 'name="state"' "$PAGE")" = 0 ]
	browser_send "$PORTAL/applications/$number/state" -d state=bewilligt
	[ "$STATUS" = 403 ]
}

@test "a file number is found as people type it, and a mistyped one is noticed" {
	sign_in erika sonnenblume-7
	apply_by_form
	browser_get "$PORTAL/find?number=$(tr 'A-Z' 'a-z' <<< "${number//-/+}")"
	[ "$LOCATION" = "$PORTAL/applications/$number" ]
	browser_get "$PORTAL/find?number=${number}X"
	[ "$STATUS" = 404 ]
	grep -q 'Dieses Aktenzeichen gibt es nicht' "$PAGE"
}

@test "without antrag the portal says so in a page, and comes back with it" {
	sign_in erika sonnenblume-7
	service_stop antrag
	browser_get "$PORTAL/"
	[ "$STATUS" = 503 ]
	grep -q 'Der Dienst ist gerade nicht erreichbar' "$PAGE"
	service_start AGAIN antrag --listen "${ANTRAG#http://}" --database "$DIR/antrag.db" --keys "$BAYERNID/.well-known/jwks.json"
	browser_get "$PORTAL/"
	[ "$STATUS" = 200 ]
}

@test "of several addresses of a service the first that can be reached is asked" {
	local free
	free=http://127.0.0.1:$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
	service_stop portal
	service_stop antrag
	service_start ANTRAG antrag --database "$DIR/antrag.db" --keys "$free/keys,$BAYERNID/.well-known/jwks.json"
	service_start PORTAL portal --bayernid "$free,$BAYERNID" --antrag "$ANTRAG,$free"
	sign_in erika sonnenblume-7
	browser_get "$PORTAL/"
	[ "$STATUS" = 200 ]
}

@test "a password alone is not enough for child benefit, and the page says what helps" {
	sign_in max wanderweg-3
	browser_get "$PORTAL/apply/kindergeld"
	browser_send "$PORTAL/apply/kindergeld" -d child_name=Lena -d child_birth=2020-02-29 \
		-d child_tax_id=86095742719 -d household=ja -d iban=DE02120300000000202051
	[ "$STATUS" = 403 ]
	grep -q 'Online-Ausweis' "$PAGE"
}

@test "every page has a language, a skip link, one h1, a label for each input" {
	sign_in erika sonnenblume-7
	for path in / /apply/kindergeld /apply/pflegegeld /apply/gesundheitszeugnis /accessibility; do
		browser_get "$PORTAL$path"
		/usr/bin/python3 "$BATS_TEST_DIRNAME/../examples/check_page.py" "$PAGE" de
	done
	apply_by_form
	browser_get "$LOCATION"
	/usr/bin/python3 "$BATS_TEST_DIRNAME/../examples/check_page.py" "$PAGE" de
}

@test "every page has an English twin, and the choice is kept" {
	sign_in erika sonnenblume-7
	browser_get "$PORTAL/apply/kindergeld?lang=en"
	/usr/bin/python3 "$BATS_TEST_DIRNAME/../examples/check_page.py" "$PAGE" en
	grep -q 'Child benefit' "$PAGE"
	browser_get "$PORTAL/"
	grep -q 'My applications' "$PAGE"
}

@test "text and its ground have enough contrast, in the light and in the dark" {
	ask "$PORTAL/style.css"
	[ "$code" = 200 ]
	cmp "$DIR/answer" "$BATS_TEST_DIRNAME/../../examples/portal/style.css"
	/usr/bin/python3 "$BATS_TEST_DIRNAME/../examples/check_contrast.py" "$DIR/answer"
}
