/* registry/challenge.c: the challenges of WWW-Authenticate. Spec: RFC 9110 11.3 and 11.6.1. */
#include <string.h>
#include <strings.h>

#include "registry/auth.h"

#define CHALLENGE_TEXT_MAX 16384
#define CHALLENGES_MAX     16

/* The text that is left. */
struct scan {
	const char *p, *end;
};

static bool is_token_char(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
	       (c && strchr("!#$%&'*+-.^_`|~", c));
}

static void skip_space(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t'))
		s->p++;
}

static void skip_space_and_commas(struct scan *s)
{
	while (s->p < s->end && (*s->p == ' ' || *s->p == '\t' || *s->p == ','))
		s->p++;
}

static size_t scan_token(struct scan *s, const char **ret)
{
	*ret = s->p;
	while (s->p < s->end && is_token_char(*s->p))
		s->p++;
	return (size_t)(s->p - *ret);
}

/* token or quoted-string; control characters are refused: values go into URLs and messages. */
static err *scan_value(struct scan *s, struct str *out)
{
	if (s->p < s->end && *s->p == '"') {
		for (s->p++; s->p < s->end && *s->p != '"'; s->p++) {
			if (*s->p == '\\' && ++s->p == s->end)
				break;
			if ((unsigned char)*s->p < ' ' || *s->p == 0x7f)
				return err_new(EINVAL, "a control character in a value");
			str_add_char(out, *s->p);
		}
		if (s->p == s->end)
			return err_new(EINVAL, "a quote is not closed");
		s->p++;
		return str_check(out);
	}
	/* Not only token characters: realms were seen unquoted. */
	while (s->p < s->end && *s->p > ' ' && *s->p < 0x7f && !strchr(",\"", *s->p))
		str_add_char(out, *s->p++);
	return str_check(out);
}

/* clang-format off */
static const struct {
	const char *name;
	size_t offset;
} parameters[] = {
	{ "realm",   offsetof(struct challenge, realm) },
	{ "service", offsetof(struct challenge, service) },
	{ "scope",   offsetof(struct challenge, scope) },
	{ "error",   offsetof(struct challenge, error) },
};
/* clang-format on */

static err *keep(struct challenge *c, const char *name, size_t len, struct str *value)
{
	for (size_t i = 0; i < ARRAY_LEN(parameters); i++) {
		char **place = (char **)((char *)c + parameters[i].offset);
		if (strlen(parameters[i].name) != len || strncasecmp(parameters[i].name, name, len) != 0)
			continue;
		if (*place)
			return err_new(EINVAL, "parameter '%s' appears twice", parameters[i].name);
		*place = str_take(value);
		if (!*place)
			return err_oom();
	}
	return NULL;
}

/* Everything behind one scheme, up to the next scheme: "name=value" pairs. A token that no "=" follows
 * is the next scheme; token68 data ("Negotiate abc==") is passed over. */
static err *scan_parameters(struct scan *s, struct challenge *c)
{
	for (;;) {
		skip_space_and_commas(s);
		struct scan before = *s;
		const char *name;
		size_t len = scan_token(s, &name);
		if (!len) {
			if (s->p == s->end)
				return NULL;
			return err_new(EINVAL, "unexpected character at byte %zu", (size_t)(s->p - before.p));
		}
		skip_space(s);
		if (s->p == s->end || *s->p != '=') {
			*s = before; /* a scheme */
			return NULL;
		}
		s->p++;
		skip_space(s);
		auto_str struct str value = STR_INIT(CHALLENGE_TEXT_MAX);
		TRY(scan_value(s, &value));
		TRY(keep(c, name, len, &value));
	}
}

/* What follows a scheme directly and is no parameter: token68 of a scheme we do not speak. */
static void skip_token68(struct scan *s)
{
	struct scan t = *s;
	skip_space(&t);
	const char *start = t.p;
	while (t.p < t.end && (is_token_char(*t.p) || *t.p == '/'))
		t.p++;
	size_t len = (size_t)(t.p - start);
	const char *pad = t.p;
	while (t.p < t.end && *t.p == '=')
		t.p++;
	struct scan after = t;
	skip_space(&after);
	bool ends = after.p == after.end || *after.p == ',';
	/* "realm=" with an empty value would look the same; nobody sends that first. */
	if (len && ends && (t.p > pad || memchr(start, '/', len)))
		*s = after;
}

static enum challenge_scheme scheme_of(const char *name, size_t len)
{
	if (len == 6 && !strncasecmp(name, "Bearer", 6))
		return CHALLENGE_BEARER;
	if (len == 5 && !strncasecmp(name, "Basic", 5))
		return CHALLENGE_BASIC;
	return CHALLENGE_NONE;
}

static bool is_usable(const struct challenge *c)
{
	return c->scheme == CHALLENGE_BASIC || (c->scheme == CHALLENGE_BEARER && c->realm && *c->realm);
}

static err *parse(const char *text, size_t len, struct challenge *best)
{
	struct scan s = { text, text + len };
	if (len > CHALLENGE_TEXT_MAX)
		return err_new(EFBIG, "longer than %d bytes", CHALLENGE_TEXT_MAX);
	for (int i = 0; i < CHALLENGES_MAX; i++) {
		auto_challenge struct challenge c = { 0 };
		skip_space_and_commas(&s);
		if (s.p == s.end)
			return NULL;
		const char *name;
		size_t n = scan_token(&s, &name);
		if (!n || (s.p < s.end && !strchr(" \t,", *s.p)))
			return err_new(EINVAL, "no authentication scheme at byte %zu", (size_t)(s.p - text));
		c.scheme = scheme_of(name, n);
		if (c.scheme == CHALLENGE_NONE)
			skip_token68(&s);
		TRY(scan_parameters(&s, &c));
		if (is_usable(&c) && c.scheme > best->scheme) {
			struct challenge other = *best;
			*best = c;
			c = other;
		}
	}
	return err_new(EFBIG, "more than %d challenges", CHALLENGES_MAX);
}

err *challenge_parse(const char *text, size_t len, struct challenge *ret)
{
	auto_challenge struct challenge best = { 0 };
	TRY(err_wrap(parse(text, len, &best), "WWW-Authenticate '%.*s'", (int)MIN(len, (size_t)100), text));
	*ret = best;
	best = (struct challenge){ 0 };
	return NULL;
}

void challenge_done(struct challenge *c)
{
	if (!c)
		return;
	free(c->realm);
	free(c->service);
	free(c->scope);
	free(c->error);
	*c = (struct challenge){ 0 };
}
