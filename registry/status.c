/* registry/status.c: refusals of a registry as errors with its own words. Spec: distribution-spec "Error Codes". */
#include <ctype.h>
#include <string.h>

#include "base/json.h"
#include "registry/client-internal.h"

#define ERRORS_SHOWN   3
#define MESSAGE_MAX    300 /* bytes of one message */
#define ERRORS_BODY    (4u * HTTP_ERROR_BODY_MAX)

/* clang-format off */
static const struct {
	int status;
	int code;
	const char *text;
} meanings[] = {
	{ 400, EPROTO,     "bad request" },
	{ 401, EACCES,     "not authorised" },
	{ 403, EACCES,     "forbidden" },
	{ 404, ENOENT,     "not found" },
	{ 405, EOPNOTSUPP, "not supported by this registry" },
	{ 413, EFBIG,      "too large for this registry" },
	{ 416, ERANGE,     "range refused" },
	{ 429, EBUSY,      "too many requests" },
	{ 500, EIO,        "internal error of the registry" },
	{ 501, EOPNOTSUPP, "not supported by this registry" },
	{ 502, EIO,        "bad gateway" },
	{ 503, EIO,        "service not available" },
	{ 504, EIO,        "gateway time-out" },
	{ 507, ENOSPC,     "no space left at the registry" },
};
/* clang-format on */

static void add_line(struct str *out, const char *text, size_t max)
{
	bool space = false;
	for (size_t n = 0; *text && n < max; text++, n++) {
		if (isspace((unsigned char)*text) || iscntrl((unsigned char)*text)) {
			space = true;
			continue;
		}
		if (space && out->len)
			str_add_char(out, ' ');
		space = false;
		str_add_char(out, *text);
	}
}

static void add_errors(const json *list, struct str *out)
{
	for (size_t i = 0; i < list->array.count && i < ERRORS_SHOWN; i++) {
		const char *code = json_get_string(list->array.items[i], "code");
		const char *message = json_get_string(list->array.items[i], "message");
		if (i)
			str_add(out, "; ");
		if (code && *code)
			add_line(out, code, MESSAGE_MAX);
		if (code && *code && message && *message)
			str_add(out, ": ");
		if (message)
			add_line(out, message, MESSAGE_MAX);
	}
}

void status_text(const char *body, size_t len, struct str *out)
{
	auto_arena struct arena *arena = NULL;
	json *tree = NULL;
	auto_err err *e = arena_new(ERRORS_BODY * 8, &arena);
	if (!e)
		e = json_parse(arena, "errors", body, len, &tree);
	if (!e) {
		const json *list = json_get(tree, "errors");
		const char *details = json_get_string(tree, "details"); /* token servers: OAuth2 */
		if (!details)
			details = json_get_string(tree, "error_description");
		if (list && list->kind == JSON_ARRAY)
			add_errors(list, out);
		else if (details)
			add_line(out, details, MESSAGE_MAX);
		return;
	}
	/* Text of a proxy on the way: its first line helps, a page of HTML does not. */
	size_t line = strcspn(body, "\r\n");
	if (line && line <= MESSAGE_MAX && body[0] != '<' && body[0] != '{' && !memchr(body, 0, len))
		add_line(out, body, line);
}

err *status_error(const char *method, const struct http_response *r)
{
	auto_str struct str shown = STR_INIT(2 * URL_MAX), said = STR_INIT(4096);
	int code = r->status >= 500 ? EIO : EPROTO;
	const char *text = "unexpected status";
	for (size_t i = 0; i < ARRAY_LEN(meanings); i++)
		if (meanings[i].status == r->status) {
			code = meanings[i].code;
			text = meanings[i].text;
		}
	url_public(r->url.text ? r->url.text : "", &shown);
	status_text(r->error_body.data, r->error_body.len, &said);
	return err_new(code, "%s '%s': %d %s%s%s%s", method, shown.data, r->status, text, said.len ? " (" : "",
		       said.data, said.len ? ")" : "");
}
