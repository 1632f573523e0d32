/* base/str.c: growing byte strings. */
#include "base/str.h"

#include <ctype.h>
#include <errno.h>

#include "base/err.h"

char str_empty[1] = "";

void str_init(struct str *s, size_t ceiling)
{
	*s = (struct str)STR_INIT(ceiling);
}

void str_done(struct str *s)
{
	size_t ceiling = s->max;

	if (s->cap && !s->lent)
		free(s->data);
	str_init(s, ceiling);
}

void str_clear(struct str *s)
{
	s->len = 0;
	s->failed = 0;
	if (s->cap)
		s->data[0] = '\0';
}

void str_lend(struct str *s, char *space, size_t size)
{
	memcpy(space, s->data, s->len + 1);
	if (s->cap && !s->lent)
		free(s->data);
	s->data = space;
	s->cap = size;
	s->lent = true;
}

static bool fail(struct str *s, int code)
{
	if (!s->failed)
		s->failed = code;
	return false;
}

/* Into memory of malloc(3), `cap` bytes of it. */
static bool move(struct str *s, size_t cap)
{
	char *data = realloc(s->cap && !s->lent ? s->data : NULL, cap);

	if (!data)
		return fail(s, ENOMEM);
	if (s->lent)
		memcpy(data, s->data, s->len);
	data[s->len] = '\0';
	s->data = data;
	s->cap = cap;
	s->lent = false;
	return true;
}

/* Make room for `more` bytes and the NUL. */
static bool reserve(struct str *s, size_t more)
{
	if (s->failed)
		return false;
	if (more > s->max || s->len > s->max - more)
		return fail(s, EFBIG);
	size_t need = s->len + more + 1;
	if (need <= s->cap)
		return true;
	size_t cap = MAX(need, s->cap * 2);
	return move(s, MAX(cap, (size_t)64));
}

char *str_room(struct str *s, size_t len)
{
	return reserve(s, len) ? s->data + s->len : NULL;
}

void str_grown(struct str *s, size_t len)
{
	s->len += len;
	s->data[s->len] = '\0';
}

void str_add_bytes(struct str *s, const void *bytes, size_t len)
{
	if (len == 0 || !reserve(s, len))
		return;
	memcpy(s->data + s->len, bytes, len);
	str_grown(s, len);
}

void str_add(struct str *s, const char *text)
{
	str_add_bytes(s, text, strlen(text));
}

void str_add_char(struct str *s, char c)
{
	str_add_bytes(s, &c, 1);
}

void str_addv(struct str *s, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	if (len < 0)
		fail(s, EINVAL);
	else if (len > 0 && reserve(s, (size_t)len)) {
		vsnprintf(s->data + s->len, (size_t)len + 1, fmt, ap);
		s->len += (size_t)len;
	}
}

void str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	str_addv(s, fmt, ap);
	va_end(ap);
}

void str_consume(struct str *s, size_t len)
{
	len = MIN(len, s->len);
	if (len == 0)
		return;
	memmove(s->data, s->data + len, s->len - len + 1);
	s->len -= len;
}

err *str_check(const struct str *s)
{
	switch (s->failed) {
	case 0:
		return NULL;
	case ENOMEM:
		return err_oom();
	case EFBIG:
		return err_new(EFBIG, "text grows over its limit of %zu bytes", s->max);
	default:
		return err_new(s->failed, "text could not be formatted");
	}
}

char *str_take(struct str *s)
{
	if (s->lent ? !move(s, s->len + 1) : !s->cap && !reserve(s, 0))
		return NULL;
	char *data = s->data;
	s->cap = 0;
	str_done(s);
	return data;
}

bool str_starts_with(const char *text, const char *prefix)
{
	return strncmp(text, prefix, strlen(prefix)) == 0;
}

bool str_ends_with(const char *text, const char *suffix)
{
	size_t text_len = strlen(text);
	size_t len = strlen(suffix);

	return text_len >= len && strcmp(text + text_len - len, suffix) == 0;
}

bool str_equal(const char *a, const char *b)
{
	if (!a || !b)
		return a == b;
	return strcmp(a, b) == 0;
}

bool str_to_u64(const char *text, uint64_t *ret)
{
	uint64_t value = 0;

	if (!text || !*text)
		return false;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text))
			return false;
		if (__builtin_mul_overflow(value, 10, &value) ||
		    __builtin_add_overflow(value, (uint64_t)(*text - '0'), &value))
			return false;
	}
	*ret = value;
	return true;
}

bool str_to_i64(const char *text, int64_t *ret)
{
	bool negative = text && *text == '-';
	uint64_t magnitude;

	if (!str_to_u64(negative ? text + 1 : text, &magnitude))
		return false;
	if (magnitude > (uint64_t)INT64_MAX + (negative ? 1 : 0))
		return false;
	*ret = negative ? (int64_t)(0 - magnitude) : (int64_t)magnitude;
	return true;
}

/* ---- text from outside ---- */

/* Bytes of the UTF-8 character at `text`, 0 when it is none; RFC 3629: no overlong form, no surrogate. */
static size_t utf8_char(const unsigned char *text, uint32_t *ret)
{
	static const uint32_t least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t len = *text < 0x80 ? 1 : *text >= 0xf0 ? 4 : *text >= 0xe0 ? 3 : *text >= 0xc2 ? 2 : 0;

	if (len == 0 || *text > 0xf4)
		return 0;
	*ret = len == 1 ? *text : *text & (0x7fu >> len);
	for (size_t i = 1; i < len; i++) {
		if ((text[i] & 0xc0) != 0x80)
			return 0;
		*ret = *ret << 6 | (text[i] & 0x3f);
	}
	return len > 1 && (*ret < least[len] || *ret > 0x10ffff || (*ret >= 0xd800 && *ret < 0xe000)) ? 0 : len;
}

/* Unicode: Cc, and the explicit directional characters of UAX 9. */
static bool is_harmless(uint32_t c)
{
	return c >= 0x20 && c != 0x7f && (c < 0x80 || c > 0x9f) && c != 0x200e && c != 0x200f && c != 0x061c &&
	       (c < 0x2028 || c > 0x202e) && (c < 0x2066 || c > 0x2069);
}

void str_add_shown(struct str *s, const char *text)
{
	const unsigned char *at = (const unsigned char *)text;

	while (*at) {
		uint32_t c = 0;
		size_t len = utf8_char(at, &c);

		if (len && is_harmless(c))
			str_add_bytes(s, at, len);
		else
			str_add_char(s, '?');
		at += len ? len : 1;
	}
}
