/* api/client-list.c: lists, page by page. */
#include <stdlib.h>

#include "api/client-internal.h"

#define PAGE_ARENA (256u << 20)

static err *get_page(struct api_client *c, struct arena *arena, const struct subject *s,
		     const struct api_query *query, unsigned limit, const char *next,
		     const atomic_bool *cancel, json **ret)
{
	auto_str struct str url = STR_INIT(URL_MAX), answer = STR_INIT(ANSWER_MAX);
	struct call call = { .method = "GET", .subject = *s, .cancel = cancel };

	TRY(client_path(c, s, NULL, &url));
	client_query(&url, "labelSelector", query ? query->labels : NULL);
	client_query(&url, "fieldSelector", query ? query->fields : NULL);
	client_query_int(&url, "limit", limit);
	client_query(&url, "continue", next);
	TRY(str_check(&url));
	call.url = url.data;
	TRY(client_call(c, &call, &answer));
	return client_json(c, s, arena, answer.data, answer.len, ret);
}

/* What a page says besides its items. */
struct page {
	const json *items;
	const char *version, *next;
};

static err *read_page(const struct api_client *c, const struct subject *s, const json *tree, struct page *ret)
{
	const json *meta = json_get(tree, "metadata");

	ret->items = json_get(tree, "items");
	ret->version = json_get_string(meta, "resourceVersion");
	ret->next = json_get_string(meta, "continue");
	if (ret->items && ret->items->kind == JSON_ARRAY && ret->version)
		return NULL;
	return client_error(c, s, err_new(EBADMSG, "the server's answer is not a list"));
}

static err *set_text(char **place, const char *text)
{
	free(*place);
	*place = text && *text ? strdup(text) : NULL;
	return text && *text && !*place ? err_oom() : NULL;
}

struct walk {
	struct api_client *client;
	struct subject subject;
	const struct api_query *query;
	const atomic_bool *cancel;
	unsigned limit;
	char *next, *version; /* where the next page begins (NULL after the last); of the list */
};

/* Where so many objects are too large for one answer, fewer of them fit. */
static err *get_fitting_page(struct walk *w, struct arena *arena, struct page *ret)
{
	json *tree = NULL;

	for (;;) {
		err *e = get_page(w->client, arena, &w->subject, w->query, w->limit, w->next, w->cancel,
				  &tree);
		if (!e)
			break;
		if (e->code != EFBIG || w->limit == 1)
			return e;
		err_free(e);
		w->limit = MAX(w->limit / 4, 1u);
	}
	TRY(read_page(w->client, &w->subject, tree, ret));
	TRY(set_text(&w->version, ret->version));
	return set_text(&w->next, ret->next);
}

static err *walk_page(struct walk *w, struct arena *arena, page_fn *fn, void *user)
{
	auto_arena struct arena *own = NULL;
	struct page page = { 0 };

	if (!arena)
		TRY(arena_new(PAGE_ARENA, &own));
	TRY(get_fitting_page(w, arena ? arena : own, &page));
	return fn(page.items, user);
}

err *client_pages(struct api_client *c, struct arena *arena, const struct kind *kind, const char *namespace,
		  const struct api_query *query, page_fn *fn, void *user, const atomic_bool *cancel,
		  char **ret_version)
{
	struct walk w = {
		.client = c,
		.subject = { kind, kind->namespaced ? namespace : NULL, NULL },
		.query = query,
		.cancel = cancel,
		.limit = query && query->limit ? query->limit : LIST_PAGE,
	};

	err *e = walk_page(&w, arena, fn, user);
	while (!e && w.next && !(query && query->limit))
		e = walk_page(&w, arena, fn, user);
	free(w.next);
	if (e)
		free(w.version);
	else
		*ret_version = w.version;
	return e;
}

struct collection {
	struct api_client *client;
	struct arena *arena;
	const struct kind *kind;
	struct object **items;
	size_t count, cap;
};

static err *collect(const json *items, void *user)
{
	struct collection *l = user;

	for (size_t i = 0; i < items->array.count; i++) {
		if (l->count == l->cap) {
			size_t cap = l->cap ? l->cap * 2 : 64;
			struct object **more = reallocarray(l->items, cap, sizeof(*more));
			if (!more)
				return err_oom();
			l->items = more;
			l->cap = cap;
		}
		TRY(client_object(l->client, l->arena, l->kind, items->array.items[i], &l->items[l->count]));
		l->count++;
	}
	return NULL;
}

static err *finish(struct arena *arena, const struct collection *l, const char *version,
		   struct object_list *ret)
{
	TRY_ALLOC(arena, ret->items, arena_array(arena, l->count, sizeof(*ret->items)));
	if (l->count)
		memcpy(ret->items, l->items, l->count * sizeof(*ret->items));
	ret->count = l->count;
	TRY_ALLOC(arena, ret->resource_version, arena_strdup(arena, version));
	return NULL;
}

err *api_list(struct api_client *c, struct arena *arena, const struct kind *kind, const char *namespace,
	      const struct api_query *query, struct object_list *ret)
{
	struct collection l = { .client = c, .arena = arena, .kind = kind };
	auto_free char *version = NULL;

	err *e = client_pages(c, arena, kind, namespace, query, collect, &l, NULL, &version);
	if (!e)
		e = finish(arena, &l, version, ret);
	free(l.items);
	return e;
}
