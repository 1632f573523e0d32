/* base/strv.c: vectors of strings. */
#include "base/strv.h"

#include <stdarg.h>

void strv_done(struct strv *v)
{
	for (size_t i = 0; i < v->count; i++)
		free(v->items[i]);
	free(v->items);
	*v = (struct strv)STRV_INIT(v->max);
}

/* Take `text`, which may be NULL when its allocation failed. */
static void append(struct strv *v, char *text)
{
	if (!v->failed && !text)
		v->failed = ENOMEM;
	if (!v->failed && v->count >= v->max)
		v->failed = EFBIG;
	if (!v->failed && v->count + 1 >= v->cap) {
		size_t cap = v->cap ? v->cap * 2 : 8;
		char **items = realloc(v->items, cap * sizeof *items);
		if (items) {
			v->items = items;
			v->cap = cap;
		} else {
			v->failed = ENOMEM;
		}
	}
	if (v->failed) {
		free(text);
		return;
	}
	v->items[v->count++] = text;
	v->items[v->count] = NULL;
}

void strv_add(struct strv *v, const char *text)
{
	append(v, strdup(text));
}

static char *format(const char *fmt, va_list ap) PRINTF(1, 0);
static char *format(const char *fmt, va_list ap)
{
	char *text = NULL;

	return vasprintf(&text, fmt, ap) < 0 ? NULL : text;
}

void strv_addf(struct strv *v, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	append(v, format(fmt, ap));
	va_end(ap);
}

void strv_set(struct strv *v, const char *name, const char *value)
{
	size_t len = strlen(name);

	for (size_t i = 0; i < v->count; i++) {
		if (strncmp(v->items[i], name, len) != 0 || v->items[i][len] != '=')
			continue;
		char *text = NULL;
		if (asprintf(&text, "%s=%s", name, value) < 0) {
			v->failed = ENOMEM;
			return;
		}
		free(v->items[i]);
		v->items[i] = text;
		return;
	}
	strv_addf(v, "%s=%s", name, value);
}

bool strv_contains(const struct strv *v, const char *text)
{
	for (size_t i = 0; i < v->count; i++)
		if (strcmp(v->items[i], text) == 0)
			return true;
	return false;
}

err *strv_check(const struct strv *v)
{
	if (v->failed == EFBIG)
		return err_new(EFBIG, "list grows over its limit of %zu entries", v->max);
	return v->failed ? err_oom() : NULL;
}
