/* net/server-upgrade.c: whether a request may become a WebSocket. Spec: RFC 6455, section 4.2. */
#include "net/server-internal.h"

#include <string.h>
#include <strings.h>

/* Whether a list with commas has the word, in any case. */
static bool has_word(const char *list, const char *word)
{
	size_t len = strlen(word);

	for (const char *p = list; p && *p;) {
		p += strspn(p, " \t,");
		size_t n = strcspn(p, " \t,");
		if (n == len && strncasecmp(p, word, n) == 0)
			return true;
		p += n;
	}
	return false;
}

static const char *choose(const char *offered, const char *const *ours)
{
	for (; ours && *ours; ours++)
		if (has_word(offered, *ours))
			return *ours;
	return NULL;
}

/* 0, or the status of the refusal. */
static int check(const struct server_request *r, const char **ret_why)
{
	const char *key = request_header(r, "Sec-WebSocket-Key");

	*ret_why = "a WebSocket is wanted here";
	if (!has_word(request_header(r, "Upgrade"), "websocket") ||
	    !has_word(request_header(r, "Connection"), "upgrade"))
		return 426;
	*ret_why = "version 13 of WebSocket is wanted here";
	if (!has_word(request_header(r, "Sec-WebSocket-Version"), "13"))
		return 426;
	*ret_why = "Sec-WebSocket-Key is not 16 bytes in base64";
	if (r->head || strcmp(r->method, "GET") != 0 || !key || strlen(key) != 24 ||
	    strcmp(key + 22, "==") != 0)
		return 400;
	return 0;
}

static void refuse(struct server_request *r, int status, const char *why)
{
	static const char *const upgrade[] = { "Upgrade: websocket", "Sec-WebSocket-Version: 13", NULL };
	auto_str struct str text = STR_INIT(16 * 1024);
	const char *type = "text/plain; charset=utf-8";

	if (r->connection)
		refusal_text(r->connection->server, status, why, &text, &type);
	request_answer(r, status, type, text.data, text.len, status == 426 ? upgrade : NULL);
}

/* False: it is answered. ret_chosen: one of ours, or NULL. */
bool upgrade_check(struct server_request *r, const char *const *subprotocols, const char **ret_chosen)
{
	const char *why = "the server is going";
	int status = r->connection ? check(r, &why) : 503;

	*ret_chosen = choose(request_header(r, "Sec-WebSocket-Protocol"), subprotocols);
	if (!status && subprotocols && !*ret_chosen) {
		status = 400;
		why = "none of the subprotocols is known here";
	}
	if (status)
		refuse(r, status, why);
	return !status;
}
