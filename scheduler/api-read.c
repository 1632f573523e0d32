/* scheduler/api-read.c: requests that read objects: one, many in pages; and where a Pod's output is to be
 * had. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/node.h"
#include "scheduler/api-internal.h"

bool filter_sees(const struct filter *f, const struct object *object)
{
	return (!f->namespace || str_equal(f->namespace, object->metadata.namespace)) &&
	       (!f->labels || label_selector_matches(f->labels, &object->metadata.labels)) &&
	       (!f->fields || field_selector_matches(f->fields, object)) && auth_sees(&f->who, object);
}

const char *filter_node(const struct filter *f)
{
	for (size_t i = 0; f->fields && i < f->fields->count; i++)
		if (str_equal(f->fields->items[i].path, "spec.nodeName") && !f->fields->items[i].differs &&
		    f->fields->items[i].value[0])
			return f->fields->items[i].value;
	return NULL;
}

/* An agent's Pods are found without looking at all the others: after a restart all agents ask. */
void filter_each(const struct filter *f, const struct cache *c, const struct kind *kind, cache_each_fn *fn,
		 void *user)
{
	if (kind->id == KIND_POD && filter_node(f))
		cache_each_on_node(c, filter_node(f), fn, user);
	else
		cache_each(c, kind->id, f->namespace, fn, user);
}

err *call_get(struct call *c)
{
	const struct entry *e = cache_get(c->s->cache, c->kind->id, c->namespace, c->name);

	if (!e)
		return err_new(ENOENT, "%s '%s' not found", c->kind->plural, c->name);
	call_answer_entry(c, 200, e);
	return NULL;
}

/* ---- pages ---- */

struct list {
	struct filter filter;
	struct entry **items;
	size_t count, cap, limit, bytes, next; /* next: to be sent */
	bool more;
	struct stream *stream;
};

static void list_free(struct list *l)
{
	for (size_t i = 0; i < l->count; i++)
		entry_unref(l->items[i]);
	free(l->items);
	free(l);
}

static bool add_item(const struct entry *e, void *user)
{
	struct list *l = user;

	if (!filter_sees(&l->filter, e->object))
		return true;
	if (l->limit && l->count == l->limit) {
		l->more = true;
		return false;
	}
	if (l->count == l->cap) {
		size_t cap = l->cap ? 2 * l->cap : 64;
		struct entry **items = reallocarray(l->items, cap, sizeof(*items));

		if (!items)
			abort();
		l->items = items;
		l->cap = cap;
	}
	l->items[l->count++] = entry_ref(e);
	l->bytes += e->json->len;
	return true;
}

static void write_head(const struct call *c, const struct list *l, uint64_t revision, struct str *out)
{
	str_addf(out,
		 "{\"kind\":\"%s\",\"apiVersion\":\"%s\",\"metadata\":{\"resourceVersion\":\"%" PRIu64 "\"",
		 c->kind->list_name, c->kind->api_version, revision);
	if (l->more) {
		const struct meta *last = &l->items[l->count - 1]->object->metadata;

		str_add(out, ",\"continue\":\"");
		token_write(&(struct place_in_list){ revision, last->namespace, last->name }, out);
		str_add(out, "\"");
	}
	str_add(out, "},\"items\":[");
}

static void write_items(struct list *l, size_t bytes, struct str *out)
{
	for (; l->next < l->count && out->len < bytes; l->next++) {
		const struct blob *b = l->items[l->next]->json;

		str_add(out, l->next ? ",\n" : "\n");
		str_add_bytes(out, b->bytes, b->len);
	}
	if (l->next == l->count)
		str_add(out, "]}\n");
}

/* ---- a long list goes out in pieces, as its reader takes them ---- */
enum { PIECE = 512 << 10 };

static void list_closed(void *user)
{
	list_free(user);
}

static void send_piece(void *user)
{
	struct list *l = user;
	auto_str struct str piece = STR_INIT(PIECE + 4 * STORE_VALUE_MAX);

	write_items(l, PIECE, &piece);
	struct blob *b = blob_new(piece.data, piece.len);
	bool sent = stream_send(l->stream, b);
	blob_unref(b);
	if (!sent || l->next < l->count)
		return;
	stream_on_drained(l->stream, NULL, NULL);
	stream_end(l->stream);
}

static err *send_list(struct call *c, struct list *l, uint64_t revision)
{
	auto_str struct str body = STR_INIT(PIECE + 4 * STORE_VALUE_MAX);

	write_head(c, l, revision, &body);
	if (l->bytes < PIECE) {
		write_items(l, SIZE_MAX, &body);
		list_free(l);
		call_answer(c, 200, API_JSON, &body, 0);
		return NULL;
	}
	l->stream = call_stream(c, API_JSON, API_WATCH_QUEUE, list_closed, l);
	struct blob *b = blob_new(body.data, body.len);
	bool sent = stream_send(l->stream, b);
	blob_unref(b);
	if (sent)
		stream_on_drained(l->stream, send_piece, l);
	return NULL;
}

err *call_revision_match(const struct call *c)
{
	const char *match = request_query(c->r, "resourceVersionMatch");

	if (!match || !*match || str_equal(match, "Exact") || str_equal(match, "NotOlderThan"))
		return NULL;
	return err_new(EINVAL, "resourceVersionMatch: '%s' is not one of Exact, NotOlderThan", match);
}

/* "Not older than": what is here is the newest there is. */
static err *check_revision(const struct call *c, uint64_t now)
{
	const char *match = request_query(c->r, "resourceVersionMatch");
	uint64_t revision;
	bool given;

	TRY(call_number(c, "resourceVersion", UINT64_MAX, &revision, &given));
	if (given && revision > now)
		return err_new(EOVERFLOW, "Too large resource version: %" PRIu64 ", current: %" PRIu64,
			       revision, now);
	if (given && str_equal(match, "Exact") && revision != now)
		return err_new(EKEYEXPIRED, "resourceVersion: %" PRIu64 " is not kept for lists", revision);
	return NULL;
}

err *call_list(struct call *c)
{
	const char *token = request_query(c->r, "continue");
	struct place_in_list from = { .revision = cache_revision(c->s->cache) };
	uint64_t limit;
	bool given;
	struct list *l;

	TRY(call_number(c, "limit", INT64_MAX, &limit, &given));
	TRY(call_revision_match(c));
	if (token && *token)
		TRY(token_read(c->arena, token, &from));
	else
		TRY(check_revision(c, from.revision));
	l = calloc(1, sizeof(*l));
	if (!l)
		return err_oom();
	l->filter = (struct filter){ c->namespace, c->labels, c->fields, c->who };
	l->limit = (size_t)limit;
	if (from.name)
		cache_each_from(c->s->cache, c->kind->id, c->namespace, from.namespace, from.name, add_item,
				l);
	else
		filter_each(&l->filter, c->s->cache, c->kind, add_item, l);
	return send_list(c, l, from.revision);
}

err *call_watch(struct call *c)
{
	return watches_begin(c->s->watches, c);
}

/* ---- a Pod's output: its node's agent has it ---- */

static void add_encoded(struct str *out, const char *text)
{
	for (; *text; text++)
		if (strchr("-._~", *text) || (*text >= '0' && *text <= '9') ||
		    (*text >= 'a' && *text <= 'z') || (*text >= 'A' && *text <= 'Z'))
			str_add_char(out, *text);
		else
			str_addf(out, "%%%02X", (unsigned char)*text);
}

static err *agent_address(struct call *c, const struct pod *pod, struct str *out)
{
	const struct entry *e = cache_get(c->s->cache, KIND_NODE, NULL, pod->spec.node_name);
	const struct node *node = e ? (const struct node *)(const void *)e->object : NULL;

	if (!node)
		return err_new(ENOENT, "nodes '%s' not found", pod->spec.node_name);
	for (size_t i = 0; i < node->status.addresses.count && node->status.agent_port; i++) {
		const struct node_address *a = &node->status.addresses.items[i];

		if (!str_equal(a->type, "InternalIP"))
			continue;
		str_addf(out, strchr(a->address, ':') ? "https://[%s]:%u" : "https://%s:%u", a->address,
			 node->status.agent_port);
		return NULL;
	}
	return err_new(ECONNREFUSED, "node '%s' has not said where its agent listens", pod->spec.node_name);
}

static err *choose_container(struct call *c, const struct pod *pod, const char **ret)
{
	const char *wanted = request_query(c->r, "container");
	auto_str struct str names = STR_INIT(8192);

	for (size_t i = 0; i < pod->spec.containers.count; i++) {
		const char *name = pod->spec.containers.items[i].name;

		if (wanted && *wanted ? str_equal(name, wanted) : pod->spec.containers.count == 1) {
			*ret = name;
			return NULL;
		}
		str_addf(&names, "%s%s", i ? ", " : "", name);
	}
	if (wanted && *wanted)
		return err_new(EBADMSG, "container: pod '%s' has no '%s', it has %s", c->name, wanted,
			       names.data);
	return err_new(EBADMSG, "container: pod '%s' has many, name one of %s", c->name, names.data);
}

enum { VALUES_MAX = 1024 };

static void add_query(struct call *c, const char *const *names, struct str *out)
{
	const char **values = arena_array(c->arena, VALUES_MAX, sizeof(*values));
	char mark = '?';

	for (; values && *names; names++) {
		size_t count = MIN(request_query_all(c->r, *names, values, VALUES_MAX), (size_t)VALUES_MAX);

		for (size_t i = 0; i < count; i++, mark = '&') {
			str_addf(out, "%c%s=", mark, *names);
			add_encoded(out, values[i]);
		}
	}
}

static err *redirect(struct call *c, const char *what, const char *const *query)
{
	const struct entry *e = cache_get(c->s->cache, KIND_POD, c->namespace, c->name);
	auto_str struct str location = STR_INIT(64 << 10), body = STR_INIT(16);
	const char *container = NULL;

	if (!e)
		return err_new(ENOENT, "pods '%s' not found", c->name);
	const struct pod *pod = (const struct pod *)(const void *)e->object;
	if (!pod->spec.node_name || !pod->spec.node_name[0])
		return err_new(EBADMSG, "pod '%s' is on no node yet", c->name);
	TRY(choose_container(c, pod, &container));
	TRY(agent_address(c, pod, &location));
	str_addf(&location, "/%s/%s/%s/%s", what, c->namespace, c->name, container);
	add_query(c, query, &location);
	TRY(str_check(&location));
	c->extra = location.data;
	call_answer(c, 307, "text/plain", &body, 0);
	return NULL;
}

err *call_log(struct call *c)
{
	static const char *const query[] = { "follow",	     "timestamps", "previous",	 "tailLines",
					     "sinceSeconds", "sinceTime",  "limitBytes", NULL };

	return redirect(c, "containerLogs", query);
}

err *call_exec(struct call *c)
{
	static const char *const query[] = { "command", "stdin", "stdout", "stderr", "tty", NULL };

	return redirect(c, "exec", query);
}
