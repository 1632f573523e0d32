/* registry/reference.c: the grammar of image names, part by part. */
#include "registry/reference.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#define DOCKER_HUB        "docker.io"
#define DOCKER_HUB_OLD    "index.docker.io"
#define DOCKER_HUB_SERVER "registry-1.docker.io"

static bool is_alnum(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Length of a separator inside a path component: "." or "_" or "__" or any number of "-"; 0: none. */
static size_t separator(const char *p)
{
	if (*p == '.')
		return 1;
	if (*p == '_')
		return p[1] == '_' ? 2 : 1;
	return strspn(p, "-");
}

bool reference_is_repository(const char *text)
{
	if (strlen(text) > REFERENCE_REPOSITORY_MAX)
		return false;
	for (;;) {
		if (!is_alnum(*text))
			return false;
		while (is_alnum(*text))
			text++;
		if (!*text)
			return true;
		size_t len = *text == '/' ? 1 : separator(text);
		if (!len)
			return false;
		text += len;
	}
}

bool reference_is_tag(const char *text)
{
	size_t len = strlen(text);
	if (!len || len > REFERENCE_TAG_MAX || *text == '.' || *text == '-')
		return false;
	for (; *text; text++)
		if (!isascii((unsigned char)*text) ||
		    !(isalnum((unsigned char)*text) || strchr("_.-", *text)))
			return false;
	return true;
}

static bool is_port(const char *text)
{
	uint64_t port;
	return isdigit((unsigned char)*text) && str_to_u64(text, &port) && port > 0 && port <= UINT16_MAX;
}

/* DNS labels: letters, digits, inner hyphens. */
static bool is_domain(const char *text, size_t len)
{
	bool fresh = true;
	for (size_t i = 0; i < len; i++) {
		char c = text[i];
		if (c == '.') {
			if (fresh || text[i - 1] == '-')
				return false;
			fresh = true;
		} else if (is_alnum((char)tolower((unsigned char)c))) {
			fresh = false;
		} else if (c != '-' || fresh) {
			return false;
		}
	}
	return !fresh && text[len - 1] != '-';
}

bool reference_is_host(const char *text)
{
	size_t len = strlen(text);
	if (!len || len > REFERENCE_HOST_MAX)
		return false;
	if (*text == '[') {
		struct in6_addr address;
		char plain[INET6_ADDRSTRLEN];
		const char *end = strchr(text, ']');
		if (!end || (size_t)(end - text) > sizeof(plain))
			return false;
		snprintf(plain, sizeof(plain), "%.*s", (int)(end - text - 1), text + 1);
		return inet_pton(AF_INET6, plain, &address) == 1 &&
		       (!end[1] || (end[1] == ':' && is_port(end + 2)));
	}
	size_t name = strcspn(text, ":");
	return name && is_domain(text, name) && (!text[name] || is_port(text + name + 1));
}

/* Does the part before the first slash name a host? */
static bool names_host(const char *text, size_t len)
{
	if (text[0] == '[' || memchr(text, '.', len) || memchr(text, ':', len))
		return true;
	return len == 9 && !strncasecmp(text, "localhost", 9);
}

static err *take_host(const char *text, size_t len, struct reference *r)
{
	if (len > REFERENCE_HOST_MAX)
		return err_new(EINVAL, "the host is longer than %d bytes", REFERENCE_HOST_MAX);
	for (size_t i = 0; i < len; i++)
		r->host[i] = (char)tolower((unsigned char)text[i]);
	r->host[len] = 0;
	if (!reference_is_host(r->host))
		return err_new(EINVAL, "'%s' is not a host or HOST:PORT", r->host);
	if (str_equal(r->host, DOCKER_HUB_OLD)) {
		memset(r->host, 0, sizeof(r->host));
		memcpy(r->host, DOCKER_HUB, sizeof(DOCKER_HUB));
	}
	return NULL;
}

static err *take_repository(const char *prefix, const char *text, size_t len, struct reference *r)
{
	int n = snprintf(r->repository, sizeof(r->repository), "%s%.*s", prefix, (int)len, text);
	if (n < 0 || (size_t)n >= sizeof(r->repository))
		return err_new(EINVAL, "the path is longer than %d bytes", REFERENCE_REPOSITORY_MAX);
	if (!reference_is_repository(r->repository))
		return err_new(EINVAL,
			       "'%s' is not a path of lower-case letters and digits with single '.', '_', "
			       "'__' or '-' between them",
			       r->repository);
	return NULL;
}

/* What stands behind the path: [:TAG][@DIGEST]. */
static err *take_object(const char *text, struct reference *r)
{
	const char *at = strchr(text, '@');
	size_t tag = at ? (size_t)(at - text) : strlen(text);
	if (at) {
		TRY(digest_parse(at + 1, &r->digest));
		r->has_digest = true;
	}
	if (tag) {
		int n = snprintf(r->tag, sizeof(r->tag), "%.*s", (int)tag - 1, text + 1);
		if (n < 0 || (size_t)n >= sizeof(r->tag) || !reference_is_tag(r->tag))
			return err_new(EINVAL, "'%.*s' is not a tag", (int)MIN(tag - 1, (size_t)200), text + 1);
	} else if (!at) {
		memcpy(r->tag, "latest", sizeof("latest"));
	}
	return NULL;
}

static err *parse(const char *text, const char *default_host, struct reference *r)
{
	if (!*text)
		return err_new(EINVAL, "is empty");
	if (strlen(text) >= REFERENCE_TEXT_MAX)
		return err_new(EINVAL, "is longer than %d bytes", REFERENCE_TEXT_MAX - 1);
	size_t first = strcspn(text, "/@");
	const char *path = text;
	const char *prefix = "";
	if (text[first] == '/' && names_host(text, first)) {
		TRY(take_host(text, first, r));
		path = text + first + 1;
	} else if (default_host) {
		TRY(take_host(default_host, strlen(default_host), r));
	} else {
		return err_hint(err_new(EINVAL, "does not begin with a registry"),
				"Write it in full, such as registry.example.org/%.100s.", text);
	}
	size_t len = strcspn(path, ":@");
	if (str_equal(r->host, DOCKER_HUB) && !memchr(path, '/', len))
		prefix = "library/";
	TRY(take_repository(prefix, path, len, r));
	return take_object(path + len, r);
}

err *reference_parse(const char *text, const char *default_host, struct reference *ret)
{
	struct reference r;
	memset(&r, 0, sizeof(r));
	TRY(err_wrap(parse(text, default_host, &r), "image name '%.200s'", text));
	*ret = r;
	return NULL;
}

const char *reference_text(const struct reference *r, char buf[static REFERENCE_TEXT_MAX])
{
	char digest[DIGEST_TEXT_MAX];
	snprintf(buf, REFERENCE_TEXT_MAX, "%s/%s%s%s%s%s", r->host, r->repository, *r->tag ? ":" : "", r->tag,
		 r->has_digest ? "@" : "", r->has_digest ? digest_text(&r->digest, digest) : "");
	return buf;
}

_Static_assert(DIGEST_TEXT_MAX > REFERENCE_TAG_MAX, "a tag fits where a digest does");

const char *reference_object(const struct reference *r, char buf[static DIGEST_TEXT_MAX])
{
	if (r->has_digest)
		return digest_text(&r->digest, buf);
	snprintf(buf, DIGEST_TEXT_MAX, "%s", r->tag);
	return buf;
}

const char *reference_server(const struct reference *r)
{
	return str_equal(r->host, DOCKER_HUB) ? DOCKER_HUB_SERVER : r->host;
}
