/* api/watch.c: one watch: lines of JSON as they arrive, each an event. */
#include "api/client-internal.h"
#include "api/status.h"

#define LINE_MAX_BYTES (2u << 20)
#define EVENT_ARENA    (64u << 20)
#define SILENCE_MAX    (90 * SECOND) /* a server sends a bookmark every 30 s */

struct watch {
	struct api_client *client;
	struct subject subject;
	watch_fn *fn;
	watch_begun_fn *begun;
	void *user;
	struct str line; /* the begin of an event that has not arrived whole */
	err *failure;	 /* why we ended it */
};

/* clang-format off */
static const struct enum_name type_names[] = {
	{ "ADDED", WATCH_ADDED }, { "MODIFIED", WATCH_MODIFIED }, { "DELETED", WATCH_DELETED }, { "BOOKMARK", WATCH_BOOKMARK }, {0}
};
/* clang-format on */

/* The Status inside of an ERROR event. */
static err *server_error(const struct watch *w, const json *status)
{
	auto_str struct str text = STR_INIT(LINE_MAX_BYTES * 2);
	struct json_writer writer = JSON_WRITER(&text, 0);
	const json *code = json_get(status, "code");
	int64_t number = 0;

	json_tree(&writer, status);
	if (!code || !json_to_i64(code, &number) || number < 400 || number > 599)
		number = 500;
	return client_error(w->client, &w->subject, status_decode((int)number, text.data, text.len));
}

static err *on_event(struct watch *w, struct arena *arena, const json *tree)
{
	const char *name = json_get_string(tree, "type");
	const json *object = json_get(tree, "object");
	int type = name ? enum_value(type_names, name) : -1;
	struct object *decoded = NULL;

	if (!name || !object)
		return client_error(w->client, &w->subject,
				    err_new(EBADMSG, "the server sent what is no event"));
	if (str_equal(name, "ERROR"))
		return server_error(w, object);
	if (type < 0)
		return NULL; /* of a newer server */
	struct watch_event event = {
		.type = (enum watch_type)type,
		.resource_version = json_get_string(json_get(object, "metadata"), "resourceVersion"),
	};
	if (type != WATCH_BOOKMARK) {
		TRY(client_object(w->client, arena, w->subject.kind, object, &decoded));
		event.object = decoded;
		event.tree = object;
	}
	return w->fn(&event, w->user);
}

static err *on_line(struct watch *w, const char *text, size_t len)
{
	auto_arena struct arena *arena = NULL;
	json *tree = NULL;

	if (len && text[len - 1] == '\r')
		len--;
	if (!len)
		return NULL;
	TRY(arena_new(EVENT_ARENA, &arena));
	TRY(client_json(w->client, &w->subject, arena, text, len, &tree));
	return on_event(w, arena, tree);
}

/* A line that arrives whole is not copied. */
static err *on_bytes(struct watch *w, const char *bytes, size_t len)
{
	while (len) {
		const char *end = memchr(bytes, '\n', len);
		size_t part = end ? (size_t)(end - bytes) : len;
		if (!end || w->line.len || part > LINE_MAX_BYTES) {
			str_add_bytes(&w->line, bytes, part);
			TRY(client_error(w->client, &w->subject,
					 err_wrap(str_check(&w->line),
						  "the server sent an event too large")));
		}
		if (end && w->line.len) {
			TRY(on_line(w, w->line.data, w->line.len));
			str_clear(&w->line);
		} else if (end) {
			TRY(on_line(w, bytes, part));
		}
		part += end != NULL;
		bytes += part;
		len -= part;
	}
	return NULL;
}

static err *on_body(const void *bytes, size_t len, void *user)
{
	struct watch *w = user;

	w->failure = on_bytes(w, bytes, len);
	return w->failure ? err_new(ECANCELED, "ended by us") : NULL;
}

static err *on_begin(const struct http_response *r UNUSED, void *user)
{
	struct watch *w = user;

	if (w->begun)
		w->begun(w->user);
	return NULL;
}

static err *run(struct watch *w, const struct api_query *query, const atomic_bool *cancel)
{
	auto_str struct str url = STR_INIT(URL_MAX);
	struct call call = {
		.method = "GET",
		.subject = w->subject,
		.begin = on_begin,
		.sink = on_body,
		.user = w,
		.cancel = cancel,
		.stall_timeout = SILENCE_MAX,
		.endless = true,
	};

	TRY(client_path(w->client, &w->subject, NULL, &url));
	client_query(&url, "watch", "true");
	client_query(&url, "allowWatchBookmarks", "true");
	client_query(&url, "resourceVersion", query ? query->resource_version : NULL);
	client_query(&url, "labelSelector", query ? query->labels : NULL);
	client_query(&url, "fieldSelector", query ? query->fields : NULL);
	if (query && query->timeout)
		client_query_int(&url, "timeoutSeconds", (query->timeout + SECOND - 1) / SECOND);
	TRY(str_check(&url));
	call.url = url.data;
	err *e = client_call(w->client, &call, NULL);
	if (w->failure) {
		err_free(e);
		return TAKE(w->failure);
	}
	if (!e && w->line.len)
		e = client_error(w->client, &w->subject,
				 err_new(ECONNRESET, "the watch ended in the middle of an event"));
	return e;
}

err *client_watch(struct api_client *c, const struct kind *kind, const char *namespace,
		  const struct api_query *query, watch_fn *fn, watch_begun_fn *begun, void *user,
		  const atomic_bool *cancel)
{
	struct watch w = {
		.client = c,
		.subject = { kind, kind->namespaced ? namespace : NULL, NULL },
		.fn = fn,
		.begun = begun,
		.user = user,
		.line = STR_INIT(LINE_MAX_BYTES),
	};

	err *e = run(&w, query, cancel);
	str_done(&w.line);
	return e;
}

err *api_watch(struct api_client *c, const struct kind *kind, const char *namespace,
	       const struct api_query *query, watch_fn *fn, void *user, const atomic_bool *cancel)
{
	return client_watch(c, kind, namespace, query, fn, NULL, user, cancel);
}
