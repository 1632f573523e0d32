/* registry/tags.c: the list of a repository's tags, page after page. Spec: distribution-spec "Listing Tags". */
#include <string.h>

#include "base/json.h"
#include "registry/client-internal.h"

#define PAGE_MAX   (4u << 20)
#define PAGES_MAX  2000
#define PAGE_SIZE  1000
#define EMPTY_MAX  10 /* pages one after the other that bring nothing */

static err *restart(const struct http_response *response UNUSED, void *user)
{
	str_clear(user);
	return NULL;
}

static err *take_page(const struct str *body, struct strv *tags)
{
	auto_arena struct arena *arena = NULL;
	json *tree;
	TRY(arena_new(64 * PAGE_MAX, &arena));
	TRY(json_parse(arena, "tag list", body->data, body->len, &tree));
	const json *list = json_get(tree, "tags");
	if (!list || list->kind == JSON_NULL)
		return NULL;
	if (list->kind != JSON_ARRAY)
		return err_new(EPROTO, "tag list: tags: expected array, got %s", json_kind_name(list->kind));
	for (size_t i = 0; i < list->array.count; i++) {
		const json *tag = list->array.items[i];
		if (tag->kind != JSON_STRING || !reference_is_tag(tag->text))
			return err_new(EPROTO, "tag list: tags[%zu]: is not a tag", i);
		if (tags->count >= REGISTRY_TAGS_MAX)
			return err_new(EFBIG, "more than %d tags", REGISTRY_TAGS_MAX);
		strv_add(tags, tag->text);
	}
	return strv_check(tags);
}

/* <URL>; rel="next" among the links. False: the last page. */
static bool next_link(const struct http_response *r, struct str *out)
{
	auto_str struct str all = STR_INIT(HTTP_HEADER_BYTES);
	http_header_all(r, "link", &all);
	for (const char *p = all.data; (p = strchr(p, '<'));) {
		const char *end = strchr(p, '>');
		if (!end)
			return false;
		const char *stop = end + strcspn(end, ",<"), *rel = strstr(end, "rel=");
		if (rel && rel < stop && (str_starts_with(rel, "rel=\"next\"") || str_starts_with(rel, "rel=next"))) {
			str_add_bytes(out, p + 1, (size_t)(end - p - 1));
			return true;
		}
		p = end;
	}
	return false;
}

static err *list(const struct call *c, struct strv *tags)
{
	auto_strv struct strv seen = STRV_INIT(PAGES_MAX);
	auto_url struct url url = { 0 };
	auto_str struct str first = STR_INIT(URL_MAX), body = STR_INIT(PAGE_MAX);
	call_url(c, &first, "tags/list?n=%d", PAGE_SIZE);
	TRY(str_check(&first));
	TRY(url_parse(first.data, &url));
	for (unsigned empty = 0;;) {
		auto_http_response struct http_response r = HTTP_RESPONSE_INIT;
		auto_str struct str link = STR_INIT(URL_MAX);
		if (strv_contains(&seen, url.text))
			return err_new(ELOOP, "GET '%s': the pages go in a circle", url.text);
		strv_add(&seen, url.text);
		TRY(strv_check(&seen));
		struct http_request q = {
			.method = "GET", .url = url.text, .max_body = PAGE_MAX, .begin = restart,
			.sink = http_sink_str, .user = &body,
		};
		TRY(call_send_patiently(c, &q, &r));
		if (r.status != 200)
			return status_error(q.method, &r);
		size_t before = tags->count;
		TRY(err_wrap(take_page(&body, tags), "GET '%s'", url.text));
		empty = tags->count > before ? 0 : empty + 1;
		if (empty >= EMPTY_MAX)
			return err_new(ELOOP, "GET '%s': %d pages one after the other without a tag", url.text, EMPTY_MAX);
		if (!next_link(&r, &link))
			return NULL;
		struct url next;
		TRY(err_wrap(url_resolve(&r.url, link.data, &next), "Link"));
		url_done(&url);
		url = next;
	}
}

err *registry_tags(struct registry *r, const struct reference *ref, struct strv *tags)
{
	struct call c;
	TRY(call_open(r, ref, ACTIONS_PULL, &c));
	return err_wrap(list(&c, tags), "tags of '%s/%s'", ref->host, ref->repository);
}
