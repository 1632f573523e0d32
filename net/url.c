/* net/url.c: URLs through libcurl's own parser, so that check and connection read them the same way. */
#include "net/url.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <curl/curl.h>

#include "base/str.h"

#define PUBLIC_MAX 400 /* bytes of a URL that a message shows */

static bool has_bad_bytes(const char *text)
{
	for (const unsigned char *p = (const unsigned char *)text; *p; p++)
		if (*p <= ' ' || *p >= 0x7f || *p == '\\')
			return true;
	return false;
}

/* Names and addresses as DNS and URLs have them; an international name comes as its xn-- form. */
static bool host_is_plain(const char *host)
{
	size_t len = strspn(host, "abcdefghijklmnopqrstuvwxyz0123456789.-_:");
	return len > 0 && !host[len] && len < sizeof(((struct origin *)NULL)->host);
}

static err *read_host(CURLU *u, struct origin *o)
{
	char *host = NULL, *zone = NULL;
	if (!curl_url_get(u, CURLUPART_ZONEID, &zone, 0)) {
		curl_free(zone);
		return err_new(EINVAL, "has an IPv6 zone");
	}
	if (curl_url_get(u, CURLUPART_HOST, &host, 0) || !host || !*host) {
		curl_free(host);
		return err_new(EINVAL, "has no host");
	}
	char plain[sizeof(o->host) + 2];
	size_t len = strlen(host);
	bool brackets = host[0] == '[' && len > 2 && host[len - 1] == ']';
	int n = snprintf(plain, sizeof(plain), "%.*s", (int)(len - 2 * brackets), host + brackets);
	curl_free(host);
	for (char *p = plain; *p; p++)
		*p = (char)tolower((unsigned char)*p);
	if (n < 0 || (size_t)n >= sizeof(o->host) || !host_is_plain(plain) || (!brackets && strchr(plain, ':')))
		return err_new(EINVAL, "has a malformed host");
	memcpy(o->host, plain, (size_t)n + 1);
	return NULL;
}

static err *read_origin(CURLU *u, struct origin *o)
{
	char *scheme = NULL, *port = NULL;
	memset(o, 0, sizeof(*o));
	CURLUcode failed = curl_url_get(u, CURLUPART_SCHEME, &scheme, 0);
	bool tls = !failed && str_equal(scheme, "https");
	bool plain = !failed && str_equal(scheme, "http");
	curl_free(scheme);
	if (!tls && !plain)
		return err_new(EINVAL, "is neither http nor https");
	o->tls = tls;
	uint64_t number = 0;
	failed = curl_url_get(u, CURLUPART_PORT, &port, CURLU_DEFAULT_PORT);
	bool good = !failed && str_to_u64(port, &number) && number > 0 && number <= UINT16_MAX;
	curl_free(port);
	if (!good)
		return err_new(EINVAL, "has a malformed port");
	o->port = (uint16_t)number;
	return read_host(u, o);
}

static err *finish(CURLU *u, struct url *ret)
{
	struct url made = { 0 };
	char *text = NULL;
	TRY(read_origin(u, &made.origin));
	/* A URL of ours never has these; from a server they could only confuse. */
	curl_url_set(u, CURLUPART_FRAGMENT, NULL, 0);
	if (curl_url_get(u, CURLUPART_URL, &text, 0) || !text)
		return err_new(EINVAL, "cannot be normalised");
	made.text = strdup(text);
	curl_free(text);
	if (!made.text)
		return err_oom();
	*ret = made;
	return NULL;
}

/* libcurl guesses where RFC 3986 does not: "http:///host/", "scheme:path". */
static err *check_scheme(const char *base, const char *text)
{
	size_t len = strcspn(text, ":/?#");
	if (text[len] != ':')
		return base ? NULL : err_new(EINVAL, "is not absolute");
	bool known = (len == 5 && !strncasecmp(text, "https", 5)) || (len == 4 && !strncasecmp(text, "http", 4));
	if (!known && !strncmp(text + len, "://", 3))
		return err_new(EINVAL, "is neither http nor https");
	if (!known || strncmp(text + len, "://", 3) != 0)
		return err_new(EINVAL, "is not absolute");
	return text[len + 3] == '/' ? err_new(EINVAL, "has no host") : NULL;
}

static err *parse(const char *base, const char *text, struct url *ret)
{
	if (!text || !*text)
		return err_new(EINVAL, "is empty");
	if (strlen(text) > URL_MAX)
		return err_new(EFBIG, "is longer than %d bytes", URL_MAX);
	if (has_bad_bytes(text))
		return err_new(EINVAL, "has a space, a backslash or a character that is not ASCII");
	TRY(check_scheme(base, text));
	CURLU *u = curl_url();
	if (!u)
		return err_oom();
	CURLUcode code = base ? curl_url_set(u, CURLUPART_URL, base, 0) : CURLUE_OK;
	if (!code)
		code = curl_url_set(u, CURLUPART_URL, text, CURLU_DISALLOW_USER);
	err *e = NULL;
	if (code == CURLUE_USER_NOT_ALLOWED)
		e = err_new(EINVAL, "has a user name in it");
	else if (code)
		e = err_new(EINVAL, "%s", curl_url_strerror(code));
	else
		e = finish(u, ret);
	curl_url_cleanup(u);
	return e;
}

static err *name_it(err *e, const char *text)
{
	if (!e)
		return NULL;
	auto_str struct str shown = STR_INIT(URL_MAX * 2);
	url_public(text ? text : "", &shown);
	return err_wrap(e, "URL '%s'", shown.data);
}

err *url_parse(const char *text, struct url *ret)
{
	return name_it(parse(NULL, text, ret), text);
}

err *url_resolve(const struct url *base, const char *reference, struct url *ret)
{
	return name_it(parse(base->text, reference, ret), reference);
}

void url_done(struct url *u)
{
	if (!u)
		return;
	free(u->text);
	*u = (struct url){ 0 };
}

bool origin_equal(const struct origin *a, const struct origin *b)
{
	return a->tls == b->tls && a->port == b->port && str_equal(a->host, b->host);
}

const char *origin_authority(const struct origin *o, char buf[static ORIGIN_TEXT_MAX])
{

	char host[sizeof(o->host) + 2];
	snprintf(host, sizeof(host), strchr(o->host, ':') ? "[%s]" : "%s", o->host);
	if (o->port == (o->tls ? 443 : 80))
		snprintf(buf, ORIGIN_TEXT_MAX, "%s", host);
	else
		snprintf(buf, ORIGIN_TEXT_MAX, "%s:%u", host, o->port);
	return buf;
}

const char *origin_text(const struct origin *o, char buf[static ORIGIN_TEXT_MAX])
{
	char authority[ORIGIN_TEXT_MAX];
	origin_authority(o, authority);
	snprintf(buf, ORIGIN_TEXT_MAX, "%s://%.*s", o->tls ? "https" : "http", ORIGIN_TEXT_MAX - 9, authority);
	return buf;
}

/* Query parameters of the registry protocol that hold no secret and tell the reader what was asked. */
static const char *const shown_parameters[] = { "digest", "mount", "from", "n", "last", "scope", "service" };

static bool is_shown(const char *name, size_t len)
{
	for (size_t i = 0; i < ARRAY_LEN(shown_parameters); i++)
		if (strlen(shown_parameters[i]) == len && !strncmp(name, shown_parameters[i], len))
			return true;
	return false;
}

void url_public(const char *url, struct str *out)
{
	const char *scheme_end = strstr(url, "://");
	const char *start = scheme_end ? scheme_end + 3 : url;
	size_t authority = strcspn(start, "/?#");
	const char *at = memrchr(start, '@', authority);
	size_t end = strcspn(url, "?#");
	if (scheme_end && at && at > start) { /* user information: only the scheme and what follows it */
		str_add_bytes(out, url, (size_t)(start - url));
		str_add(out, "...");
		url = at;
		end = strcspn(url, "?#");
	}
	str_add_bytes(out, url, MIN(end, (size_t)PUBLIC_MAX));
	if (end > PUBLIC_MAX)
		str_add(out, "...");
	const char *p = url + end;
	size_t budget = PUBLIC_MAX;
	for (char separator = '?'; *p && *p != '#'; separator = '&') {
		p++;
		size_t len = strcspn(p, "&#"), name = strcspn(p, "=&#");
		if (len + 4 > budget) {
			str_addf(out, "%c...", separator);
			break;
		}
		budget -= len + 4;
		str_add_char(out, separator);
		if (is_shown(p, name)) {
			str_add_bytes(out, p, len);
		} else {
			str_add_bytes(out, p, name);
			str_add(out, name < len ? "=..." : "");
		}
		p += len;
	}
}
