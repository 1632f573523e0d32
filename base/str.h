/* base/str.h: a growing byte string that is born with a ceiling.
 *
 *	struct str s = STR_INIT(64 * 1024);        (or auto_str: freed at the end of the scope)
 *	str_add(&s, "pid ");
 *	str_addf(&s, "%d", pid);
 *	TRY(err_wrap(str_check(&s), "state of '%s'", id));
 *
 * Invariants: `data` is never NULL and always ends in a NUL behind `len` bytes. Appending never
 * fails at the call: the first failure (ceiling or memory) sticks, later appends do nothing, and
 * str_check() reports it once, at the end. */
#pragma once
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/macro.h"

struct err;

struct str {
	char *data;
	size_t len;
	size_t cap;    /* 0 while data is the shared empty string */
	size_t max;    /* ceiling of len, in bytes */
	int failed;    /* 0, ENOMEM or EFBIG */
	bool lent;     /* data is an array of the owner, not of malloc(3) */
};

extern char str_empty[1];
#define STR_INIT(ceiling) { .data = str_empty, .max = (ceiling) }

/* A string that begins in `space`, an array that outlives it, and asks for memory only when it grows out of
 * it: for what is short nearly always. */
#define STR_ON(space, ceiling)                                                                 \
	{                                                                                      \
		.data = str_begin(space), .cap = sizeof(space), .max = (ceiling), .lent = true \
	}
static inline char *str_begin(char *space)
{
	space[0] = '\0';
	return space;
}

void str_init(struct str *s, size_t ceiling);

/* Free the bytes; the string is empty and usable again with the same ceiling. */
void str_done(struct str *s);
DEFINE_CLEANUP_OF(struct str, str_done)
#define auto_str CLEANUP(str_done)

/* Go on in `space`, which is larger than what the string has and outlives it. */
void str_lend(struct str *s, char *space, size_t size);

/* Forget the bytes, and a failure, but keep the memory. */
void str_clear(struct str *s);

void str_add(struct str *s, const char *text);
void str_add_bytes(struct str *s, const void *bytes, size_t len);
void str_add_char(struct str *s, char c);
void str_addf(struct str *s, const char *fmt, ...) PRINTF(2, 3);
void str_addv(struct str *s, const char *fmt, va_list ap) PRINTF(2, 0);

/* Append text from outside for a terminal or a log: control characters (C0, DEL, C1), characters that turn the
 * direction of writing, and bytes that are no UTF-8 become '?', so that nobody's text forges lines or screens. */
void str_add_shown(struct str *s, const char *text);

/* Room for `len` more bytes behind the present end, or NULL after a failure; str_grown() says how
 * many of them were written. */
char *str_room(struct str *s, size_t len);
void str_grown(struct str *s, size_t len);

/* Drop the first `len` bytes (a reader's buffer). */
void str_consume(struct str *s, size_t len);

/* NULL, or why an append failed: ENOMEM, or EFBIG with the ceiling in the text. */
struct err *str_check(const struct str *s) MUST_CHECK;

/* Hand over the bytes as a NUL-terminated string, yours to free; NULL only when out of memory. */
char *str_take(struct str *s) MUST_CHECK;

bool str_starts_with(const char *text, const char *prefix);
bool str_ends_with(const char *text, const char *suffix);
bool str_equal(const char *a, const char *b); /* two NULLs are equal, NULL and "" are not */

/* Whole-string conversions: no sign where none fits, no spaces, no trailing bytes, no overflow. */
bool str_to_u64(const char *text, uint64_t *ret) MUST_CHECK;
bool str_to_i64(const char *text, int64_t *ret) MUST_CHECK;
