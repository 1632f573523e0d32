#!/usr/bin/env bats
# tests/cli/pki.bats: the certificates of a cluster, made and renewed; openssl(1) judges them.

bats_require_minimum_version 1.5.0
BIN=$PWD/build/bin

setup() {
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/stube-pki.XXXXXX")
	export STUBE_RUN=$WORK/run STUBE_DATA=$WORK/data
	PKI=$WORK/pki
	"$BIN/stube" pki init --dir "$PKI"
}
teardown() { rm -rf "$WORK"; }

issue() { "$BIN/stube" pki issue --dir "$PKI" "$@"; }
# The client certificate in a kubeconfig.
cert_of() { sed -n 's/^ *client-certificate-data: *"\{0,1\}\([^"]*\)"\{0,1\}$/\1/p' "$1" | base64 -d; }

@test "an authority is made once, with files that nobody else reads" {
	[ "$(stat -c %a "$PKI")" = 700 ]
	[ "$(stat -c %a "$PKI/ca.key")" = 600 ]
	openssl x509 -in "$PKI/ca.crt" -noout -text | grep -q 'CA:TRUE'
	run --separate-stderr "$BIN/stube" pki init --dir "$PKI"
	[ "$status" = 1 ]
	[ "$stderr" = "error: '$PKI': there is an authority already" ]
}

@test "a scheduler's certificate serves its addresses, and is no client's" {
	[ "$(issue scheduler --address scheduler.example.org --address 10.0.0.1)" = "$PKI/scheduler.crt" ]
	openssl verify -CAfile "$PKI/ca.crt" -purpose sslserver -verify_ip 10.0.0.1 "$PKI/scheduler.crt"
	openssl verify -CAfile "$PKI/ca.crt" -purpose sslserver -verify_hostname scheduler.example.org "$PKI/scheduler.crt"
	run ! openssl verify -CAfile "$PKI/ca.crt" -purpose sslclient "$PKI/scheduler.crt"
	run ! openssl verify -CAfile "$PKI/ca.crt" -purpose sslserver -verify_ip 10.0.0.2 "$PKI/scheduler.crt"
}

@test "nodes and people get one file each, which says who they are" {
	issue node state-1 --address 10.0.0.11 --server https://10.0.0.1:6443
	issue admin erika --server https://10.0.0.1:6443
	issue viewer max --server https://10.0.0.1:6443 --out "$WORK/max.conf"
	[ "$(stat -c %a "$PKI/node-state-1.conf")" = 600 ]
	cert_of "$PKI/node-state-1.conf" | openssl x509 -noout -subject -nameopt RFC2253 | grep -q 'CN=system:node:state-1'
	cert_of "$PKI/node-state-1.conf" | openssl x509 -noout -subject -nameopt RFC2253 | grep -q 'O=system:nodes'
	cert_of "$PKI/node-state-1.conf" > "$WORK/node.crt"
	openssl verify -CAfile "$PKI/ca.crt" -purpose sslclient "$WORK/node.crt"
	openssl verify -CAfile "$PKI/ca.crt" -purpose sslserver -verify_ip 10.0.0.11 "$WORK/node.crt"
	cert_of "$PKI/admin-erika.conf" | openssl x509 -noout -subject -nameopt RFC2253 | grep -q 'O=system:masters'
	cert_of "$WORK/max.conf" | openssl x509 -noout -subject -nameopt RFC2253 | grep -q 'O=stube:viewers'
	grep -q '^ *server: *"\{0,1\}https://10.0.0.1:6443' "$PKI/admin-erika.conf"
}

@test "kubectl reads the file" {
	command -v kubectl > /dev/null || skip 'kubectl is not here'
	issue admin erika --server https://10.0.0.1:6443
	[ "$(kubectl --kubeconfig "$PKI/admin-erika.conf" config view -o 'jsonpath={.clusters[0].cluster.server}')" = https://10.0.0.1:6443 ]
}

@test "list tells role, name and end; renew keeps who it is and changes key and dates" {
	issue admin erika --server https://10.0.0.1:6443 --lifetime 240h
	issue scheduler --address 10.0.0.1
	[ "$("$BIN/stube" pki list --dir "$PKI" --output json | jq -r '.[] | "\(.file) \(.role) \(.name)"')" = 'admin-erika.conf admin erika
ca.crt authority stube
scheduler.crt scheduler scheduler' ]
	before=$(cert_of "$PKI/admin-erika.conf")
	kept=$(cat "$PKI/scheduler.crt")
	[ "$("$BIN/stube" pki renew --dir "$PKI")" = "$PKI/admin-erika.conf" ]
	[ "$(cert_of "$PKI/admin-erika.conf")" != "$before" ]
	[ "$(cat "$PKI/scheduler.crt")" = "$kept" ]
	cert_of "$PKI/admin-erika.conf" > "$WORK/new.crt"
	openssl x509 -in "$WORK/new.crt" -noout -checkend $((300 * 86400))
	openssl x509 -in "$WORK/new.crt" -noout -subject -nameopt RFC2253 | grep -q 'CN=erika'
	[ "$("$BIN/stube" pki renew --dir "$PKI" scheduler.crt)" = "$PKI/scheduler.crt" ]
	[ "$(cat "$PKI/scheduler.crt")" != "$kept" ]
	openssl verify -CAfile "$PKI/ca.crt" -verify_ip 10.0.0.1 "$PKI/scheduler.crt"
	[ "$(openssl pkey -in "$PKI/scheduler.key" -pubout)" = "$(openssl x509 -in "$PKI/scheduler.crt" -noout -pubkey)" ]
}

@test "wrong orders are refused in one line, and leave nothing" {
	local before
	before=$(ls "$PKI")
	while IFS='|' read -r words message; do
		# shellcheck disable=SC2086 # words of a command line
		run --separate-stderr issue $words
		[ "$status" = 2 ]
		echo "$stderr"
		[ "${stderr_lines[0]}" = "error: $message" ]
	done <<-'END'
		king arthur|'king' is not one of scheduler|node|admin|viewer
		scheduler|--address: a scheduler is reached somewhere: say where
		node state-1 --address 10.0.0.1|--server: the scheduler's URL is needed: https://HOST:PORT
		admin erika --server http://10.0.0.1|--server: the scheduler's URL is needed: https://HOST:PORT
		admin erika --address 10.0.0.1 --server https://a|--address: only for a scheduler or node
		admin ../erika --server https://a|'../erika' is no name for a certificate
		node --address 10.0.0.1 --server https://a|node: a NAME is needed
	END
	[ "$(ls "$PKI")" = "$before" ]
	run --separate-stderr "$BIN/stube" pki list --dir "$WORK/none"
	[ "$status" = 1 ]
	[[ ${stderr_lines[0]} == "error: open the folder of certificates '$WORK/none': "* ]]
}

@test "what was issued elsewhere is listed and renewed like the rest" {
	cd "$WORK"
	[ "$(issue admin erika --server https://10.0.0.1:6443 --out erika.conf --lifetime 240h)" = "$WORK/erika.conf" ]
	issue viewer max --server https://10.0.0.1:6443 --out "$WORK/max.conf" --lifetime 240h
	issue viewer max --server https://10.0.0.1:6443 --out "$WORK/max.conf" --lifetime 240h
	[ "$("$BIN/stube" pki list --dir "$PKI" --output json | jq -r '.[] | "\(.file) \(.role) \(.name)"')" = "ca.crt authority stube
$WORK/erika.conf admin erika
$WORK/max.conf viewer max" ]
	before=$(cert_of erika.conf)
	mv max.conf carried-away.conf
	run --separate-stderr "$BIN/stube" pki renew --dir "$PKI"
	[ "$status" = 1 ]
	[ "$output" = "$WORK/erika.conf" ]
	[ "${stderr_lines[0]}" = "error: renew '$WORK/max.conf': it is not there any more" ]
	[ "$(cert_of erika.conf)" != "$before" ]
	cert_of erika.conf > new.crt
	openssl x509 -in new.crt -noout -checkend $((300 * 86400))
	# What is not there any more is known all the same.
	"$BIN/stube" pki list --dir "$PKI" | grep -q "^$WORK/max.conf *viewer *max .* 9$"
	[ "$("$BIN/stube" pki list --dir "$PKI" | grep -c "^$WORK/erika.conf .* 36[0-9]$")" = 1 ]
}

@test "a new key is not put where another user has a say" {
	[ "$(id -u)" = 0 ] || skip 'only root can give a file away'
	issue admin erika --server https://10.0.0.1:6443 --out "$WORK/erika.conf" --lifetime 240h
	chown 65534 "$WORK/erika.conf"
	run --separate-stderr "$BIN/stube" pki renew --dir "$PKI"
	[ "$status" = 1 ]
	[ "${stderr_lines[0]}" = "error: renew '$WORK/erika.conf': it belongs to another user" ]
}

@test "an expired certificate is shown as such, and a name that nobody issued is told" {
	issue admin erika --server https://10.0.0.1:6443 --lifetime 1s
	expired() { "$BIN/stube" pki list --dir "$PKI" | grep -q '^admin-erika.conf .* EXPIRED$'; }
	for ((i = 0; i < 100; i++)); do expired && break; sleep 0.1; done
	expired
	[ "$("$BIN/stube" pki list --dir "$PKI" --output json | jq -c '[.[] | .expired]')" = '[true,false]' ]
	run --separate-stderr "$BIN/stube" pki renew --dir "$PKI" nobody.conf
	[ "$status" = 1 ]
	[ "${stderr_lines[0]}" = "error: 'nobody.conf': no certificate of this authority" ]
	[ "$("$BIN/stube" pki renew --dir "$PKI")" = "$PKI/admin-erika.conf" ]
	! expired
}
