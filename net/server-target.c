/* net/server-target.c: a request's target taken apart: path and query, decoded. Spec: RFC 3986. */
#include "net/server-internal.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

static int hex(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c = (char)tolower((unsigned char)c);
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* In place. False: a broken escape, or a NUL that would cut the text. */
static bool decode(char *text, bool plus)
{
	char *out = text;

	for (const char *in = text; *in; in++) {
		char c = *in;
		if (c == '%') {
			int high = hex(in[1]), low = high < 0 ? -1 : hex(in[2]);
			if (low < 0 || !(high | low))
				return false;
			c = (char)(high << 4 | low);
			in += 2;
		} else if (c == '+' && plus) {
			c = ' ';
		}
		*out++ = c;
	}
	*out = 0;
	return true;
}

static const char *add_query(struct server_request *r, char *pair)
{
	char *value = strchr(pair, '=');

	if (!*pair)
		return NULL;
	if (value)
		*value++ = 0;
	if (!decode(pair, true) || (value && !decode(value, true)))
		return "broken escape in the query";
	r->queries[r->query_count++] = (struct query){ pair, value ? value : "" };
	return NULL;
}

static const char *parse_query(struct server_request *r, char *query)
{
	size_t pairs = 1;
	char *next;

	for (const char *c = query; *c; c++)
		pairs += *c == '&';
	if (pairs > QUERY_MAX)
		return "too many parameters in the query";
	r->queries = calloc(pairs, sizeof(*r->queries));
	if (!r->queries)
		return "out of memory";
	for (char *pair = query; pair; pair = next) {
		next = strchr(pair, '&');
		if (next)
			*next++ = 0;
		const char *bad = add_query(r, pair);
		if (bad)
			return bad;
	}
	return NULL;
}

/* RFC 9112, section 3.2.2: a server accepts a whole URL, too. */
static const char *skip_origin(const char *target)
{
	size_t scheme = strncasecmp(target, "http://", 7) == 0	  ? 7
			: strncasecmp(target, "https://", 8) == 0 ? 8
								  : 0;
	const char *path = scheme ? target + scheme + strcspn(target + scheme, "/?") : target;

	return *path || !scheme ? path : "/";
}

/* NULL, or why it is refused. The text is kept in r->target. */
const char *target_parse(struct server_request *r, const char *target)
{
	char *query;

	r->path = "/";
	r->target = strdup(skip_origin(target));
	if (!r->target)
		return "out of memory";
	if (*r->target != '/')
		return "the target is not a path";
	query = strchr(r->target, '?');
	if (query)
		*query++ = 0;
	if (!decode(r->target, false))
		return "broken escape in the path";
	r->path = r->target;
	return query ? parse_query(r, query) : NULL;
}

const char *request_path(const struct server_request *r)
{
	return r->path;
}

const char *request_query(const struct server_request *r, const char *name)
{
	const char *value = NULL;

	return request_query_all(r, name, &value, 1) ? value : NULL;
}

size_t request_query_all(const struct server_request *r, const char *name, const char **ret, size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < r->query_count; i++) {
		if (strcmp(r->queries[i].name, name) != 0)
			continue;
		if (count < max)
			ret[count] = r->queries[i].value;
		count++;
	}
	return count;
}
