# examples/browser.bash: a browser of curl: cookies are kept, forms carry what the page before gave them.
#
#	browser_open DIR NAME [CURL...]   a browser of its own; CURL may be `nsenter -t PID -n curl`
#	browser_get URL                   page in $PAGE, status in $STATUS, Location in $LOCATION
#	browser_send URL [curl options]   posts a form with the token of the present page
#
# Several browsers may live in one DIR; browser_open with the same NAME continues one.

browser_open() {
	BROWSER=$1/$2
	PAGE=$BROWSER.html
	shift 2
	BROWSER_CURL=("${@:-curl}")
	[ -e "$PAGE" ] || : > "$PAGE"
}

# shellcheck disable=SC2034 # STATUS and LOCATION are for the caller
browser_request() {
	local answer
	answer=$("${BROWSER_CURL[@]}" --silent --show-error --max-time 20 --noproxy '*' \
		--cookie "$BROWSER.jar" --cookie-jar "$BROWSER.jar" --dump-header "$BROWSER.head" \
		--output "$PAGE" --write-out '%{http_code} %{redirect_url}' "$@") || return
	STATUS=${answer%% *}
	LOCATION=${answer#* }
}

browser_get() {
	browser_request "$1"
}

# What a form of the present page carries in its hidden field.
browser_token() {
	grep -o 'name="csrf" value="[^"]*"' "$PAGE" | head -1 | cut -d'"' -f4
}

browser_send() {
	local url=$1 token
	token=$(browser_token)
	shift
	browser_request "$url" --data-urlencode "csrf=$token" "$@"
}
