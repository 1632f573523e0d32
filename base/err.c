/* base/err.c: error objects with their chain of causes. */
#include "base/err.h"

#include <stdarg.h>

/* What the header wraps for the analyser is defined here. */
#undef err_new
#undef err_errno
#undef err_code
#undef err_oom

/* A message longer than this is cut: hostile names must not fill a log. */
#define MESSAGE_MAX 4096

/* Static, so that reporting "out of memory" cannot fail; never written, never freed. */
static char oom_message[] = "out of memory";
static err oom = { .code = ENOMEM, .message = oom_message };

err *err_oom(void)
{
	return &oom;
}

static char *format(const char *fmt, va_list ap) PRINTF(1, 0);
static char *format(const char *fmt, va_list ap)
{
	char text[MESSAGE_MAX];

	vsnprintf(text, sizeof text, fmt, ap);
	return strdup(text);
}

/* One level around `cause` (taken). */
static err *level(int code, err *cause, const char *fmt, va_list ap) PRINTF(3, 0);
static err *level(int code, err *cause, const char *fmt, va_list ap)
{
	err *e = calloc(1, sizeof *e);
	char *message = e ? format(fmt, ap) : NULL;

	if (!message) {
		free(e);
		err_free(cause);
		return &oom;
	}
	*e = (err){ .code = code, .message = message, .cause = cause };
	return e;
}

err *err_new(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err *e = level(code, NULL, fmt, ap);
	va_end(ap);
	return e;
}

static err *from_errno(int code, const char *fmt, va_list ap) PRINTF(2, 0);
static err *from_errno(int code, const char *fmt, va_list ap)
{
	err *cause = err_new(code, "%s", strerror(code));

	return level(code, cause, fmt, ap);
}

err *err_errno(const char *fmt, ...)
{
	int code = errno;
	va_list ap;

	va_start(ap, fmt);
	err *e = from_errno(code, fmt, ap);
	va_end(ap);
	return e;
}

err *err_code(int code, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	err *e = from_errno(code, fmt, ap);
	va_end(ap);
	return e;
}

err *err_wrap(err *cause, const char *fmt, ...)
{
	va_list ap;

	if (!cause)
		return NULL;
	va_start(ap, fmt);
	err *e = level(cause->code, cause, fmt, ap);
	va_end(ap);
	return e;
}

err *err_hint(err *e, const char *fmt, ...)
{
	va_list ap;

	if (!e || e == &oom)
		return e;
	va_start(ap, fmt);
	free(e->hint);
	e->hint = format(fmt, ap);
	va_end(ap);
	return e;
}

err *err_with_code(err *e, int code)
{
	if (e && e != &oom)
		e->code = code;
	return e;
}

err *err_beside(err *e, err *other)
{
	if (!e || !other)
		return e ? e : other;
	if (e == &oom || other == &oom) { /* static: it has no room for another, nor a place of its own */
		err_free(other);
		return e;
	}
	err *last = e;
	while (last->beside)
		last = last->beside;
	last->beside = other;
	return e;
}

void err_format(const err *e, struct str *out)
{
	for (const err *level = e; level; level = level->cause) {
		str_add_shown(out, level->message);
		if (level->cause)
			str_add(out, ": ");
	}
	for (; e; e = e->cause)
		if (e->beside) {
			str_add_char(out, '\n');
			err_format(e->beside, out);
		}
}

const char *err_first_hint(const err *e)
{
	for (; e; e = e->cause)
		if (e->hint)
			return e->hint;
	return NULL;
}

void err_free(err *e)
{
	while (e && e != &oom) {
		err *cause = e->cause;

		err_free(e->beside);
		free(e->hint);
		free(e->message);
		free(e);
		e = cause;
	}
}
