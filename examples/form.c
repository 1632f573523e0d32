/* examples/form.c: the parser of form bodies. */
#include "examples/form.h"

#include <stdint.h>

bool utf8_valid(const char *text, size_t len)
{
	const uint8_t *p = (const uint8_t *)text, *end = p + len;

	while (p < end) {
		unsigned more = *p < 0x80   ? 0
				: *p < 0xc2 ? 9
				: *p < 0xe0 ? 1
				: *p < 0xf0 ? 2
				: *p < 0xf5 ? 3
					    : 9;

		if (more == 9 || (size_t)(end - p) <= more)
			return false;
		/* The second byte of these four must not make a long form, a surrogate or too large a number.
		 */
		if ((*p == 0xe0 && p[1] < 0xa0) || (*p == 0xed && p[1] > 0x9f) ||
		    (*p == 0xf0 && p[1] < 0x90) || (*p == 0xf4 && p[1] > 0x8f))
			return false;
		for (p++; more > 0; more--, p++)
			if ((*p & 0xc0) != 0x80)
				return false;
	}
	return true;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* One name or value: '+' is a space, %XX a byte. */
static err *unescape(struct arena *arena, const char *text, size_t len, const char **ret)
{
	char *out;
	size_t at = 0;

	TRY_ALLOC(arena, out, arena_alloc(arena, len + 1));
	for (size_t i = 0; i < len; i++) {
		char c = text[i] == '+' ? ' ' : text[i];

		if (c == '%') {
			bool whole = len - i > 2;
			int high = whole ? hex_digit(text[i + 1]) : -1;
			int low = whole ? hex_digit(text[i + 2]) : -1;

			if (high < 0 || low < 0)
				return err_new(EINVAL, "form: broken escape at byte %zu", i);
			c = (char)(high << 4 | low);
			i += 2;
		}
		if (c == '\0')
			return err_new(EINVAL, "form: a NUL byte");
		out[at++] = c;
	}
	if (!utf8_valid(out, at))
		return err_new(EINVAL, "form: text that is no UTF-8");
	*ret = out;
	return NULL;
}

err *form_parse(struct arena *arena, const char *body, size_t len, struct string_map *ret)
{
	struct string_map map = { 0 };
	const char *end = body + len;

	TRY_ALLOC(arena, map.items, arena_array(arena, FORM_FIELDS_MAX, sizeof(*map.items)));
	while (body < end) {
		const char *pair_end = memchr(body, '&', (size_t)(end - body));
		const char *equals;
		struct string_pair *pair = &map.items[map.count];

		pair_end = pair_end ? pair_end : end;
		if (pair_end == body) {
			body++;
			continue;
		}
		if (map.count == FORM_FIELDS_MAX)
			return err_new(E2BIG, "form: more than %d fields", FORM_FIELDS_MAX);
		equals = memchr(body, '=', (size_t)(pair_end - body));
		equals = equals ? equals : pair_end;
		TRY(unescape(arena, body, (size_t)(equals - body), &pair->key));
		body = equals < pair_end ? equals + 1 : pair_end;
		TRY(unescape(arena, body, (size_t)(pair_end - body), &pair->value));
		if (string_map_get(&map, pair->key))
			return err_new(EINVAL, "form: a field that comes twice");
		map.count++;
		body = pair_end < end ? pair_end + 1 : end;
	}
	*ret = map;
	return NULL;
}
