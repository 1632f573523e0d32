/* examples/html.c: escaping, and a printer that cannot forget it. */
#include "examples/html.h"

#include <stdlib.h>

void html_text(struct str *out, const char *text)
{
	static const char *const escapes[256] = {
		['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;",
	};

	for (; text && *text; text++) {
		const char *escape = escapes[(unsigned char)*text];

		if (escape)
			str_add(out, escape);
		else
			str_add_char(out, *text);
	}
}

void html_add(struct str *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	for (; *fmt; fmt++) {
		if (*fmt != '%') {
			str_add_char(out, *fmt);
			continue;
		}
		switch (*++fmt) {
		case 's':
			html_text(out, va_arg(ap, const char *));
			break;
		case 'd':
			str_addf(out, "%d", va_arg(ap, int));
			break;
		case '%':
			str_add_char(out, '%');
			break;
		default:
			abort(); /* a conversion that this printer does not promise: a bug in the caller */
		}
	}
	va_end(ap);
}
