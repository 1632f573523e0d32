/* base/strv.h: a growing, NULL-terminated vector of strings with a ceiling (argv, envp, warnings).
 * Failures stick, as in base/str.h; strv_check() reports them once. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include "base/err.h"
#include "base/macro.h"

struct strv {
	char **items; /* owned copies; items[count] is NULL; NULL while empty */
	size_t count;
	size_t cap;
	size_t max; /* ceiling of count */
	int failed;
};

#define STRV_INIT(ceiling) { .max = (ceiling) }

void strv_done(struct strv *v);
DEFINE_CLEANUP_OF(struct strv, strv_done)
#define auto_strv CLEANUP(strv_done)

void strv_add(struct strv *v, const char *text);
void strv_addf(struct strv *v, const char *fmt, ...) PRINTF(2, 3);

/* Add "NAME=value", replacing an entry of the same name: an environment. */
void strv_set(struct strv *v, const char *name, const char *value);

bool strv_contains(const struct strv *v, const char *text);
err *strv_check(const struct strv *v) MUST_CHECK;
