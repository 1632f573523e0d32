/* examples/html.h: HTML text in which every inserted value is escaped. */
#pragma once
#include <stdarg.h>
#include "base/macro.h"
#include "base/str.h"

/* Append `text` with & < > " ' escaped: safe as content and inside a quoted attribute. */
void html_text(struct str *out, const char *text);

/* Append `fmt`, which is markup, with its conversions: %s a value, escaped; %d an int; %% a percent
 * sign. There is no conversion that does not escape; markup is appended with str_add(). */
void html_add(struct str *out, const char *fmt, ...) PRINTF(2, 3);
