/* agent/report.c: bodies of what the node tells the API. */
#include <stdio.h>
#include <string.h>

#include "agent/node-internal.h"
#include "base/clock.h"

#define EVENT_SOURCE "stube-agent"

/* Members that the encoder left out are written as null, which in a merge patch takes away what was there. */
static err *whole(struct json_writer *w, const struct type *type, const void *value)
{
	auto_arena struct arena *arena = NULL;
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	json *tree;

	TRY(arena_new(16 << 20, &arena));
	encode_text(&text, type, value, 0);
	TRY(str_check(&text));
	TRY(json_parse(arena, "status", text.data, text.len, &tree));
	json_begin_object(w);
	for (const struct field *f = type->fields; f->key; f++) {
		const json *member = json_get(tree, f->key);
		if (f->flags & (UNSUPPORTED | IGNORED))
			continue;
		json_key(w, f->key);
		if (member)
			json_tree(w, member);
		else
			json_null(w);
	}
	json_end_object(w);
	return NULL;
}

err *report_status(struct str *out, const struct kind *kind, const char *uid, const void *status)
{
	struct json_writer w = JSON_WRITER(out, 0);

	json_begin_object(&w);
	if (uid) {
		json_key(&w, "metadata");
		json_begin_object(&w);
		json_member_string(&w, "uid", uid);
		json_end_object(&w);
	}
	json_key(&w, "status");
	TRY(whole(&w, kind->status_type, status));
	json_end_object(&w);
	return str_check(out);
}

static void pairs(struct json_writer *w, const char *key, const struct string_map *map)
{
	json_key(w, key);
	json_begin_object(w);
	for (size_t i = 0; i < map->count; i++)
		json_member_string(w, map->items[i].key, map->items[i].value);
	json_end_object(w);
}

err *report_labels(struct str *out, const struct node *node)
{
	struct json_writer w = JSON_WRITER(out, 0);

	json_begin_object(&w);
	json_key(&w, "metadata");
	json_begin_object(&w);
	pairs(&w, "labels", &node->metadata.labels);
	pairs(&w, "annotations", &node->metadata.annotations);
	json_end_object(&w);
	json_end_object(&w);
	return str_check(out);
}

err *report_event(struct arena *arena, const char *node, const struct out_item *item, struct event *ret)
{
	bool of_node = str_equal(item->about, "Node");
	struct object *object;
	char *name;

	TRY(object_new(arena, &kinds[KIND_EVENT], &object));
	*ret = *(struct event *)object;
	/* As Kubernetes names them: the object, and a number that no other event of it has. */
	TRY_ALLOC(arena, name,
		  arena_printf(arena, "%s.%llx%04llx", item->name, (unsigned long long)item->first,
			       (unsigned long long)(item->number & 0xffff)));
	ret->metadata.name = name;
	ret->metadata.namespace = of_node ? "default" : item->namespace;
	ret->involved = (struct object_reference){
		.api_version = "v1",
		.kind = item->about,
		.name = item->name,
		.uid = item->uid,
		.namespace = of_node ? NULL : item->namespace,
	};
	ret->reason = item->reason;
	ret->message = item->body;
	ret->type = item->warning ? "Warning" : "Normal";
	ret->source = (struct event_source){ EVENT_SOURCE, node };
	ret->first.nsec = ret->event_time.nsec = item->first;
	ret->last.nsec = item->last;
	ret->count = item->count;
	ret->reporting_component = EVENT_SOURCE;
	ret->reporting_instance = node;
	return NULL;
}

err *report_refused(struct str *out, const struct pod *pod, const char *why)
{
	struct pod_status status = pod->status;

	status.phase = POD_FAILED;
	status.reason = "UnsupportedField";
	status.message = why;
	return report_status(out, &kinds[KIND_POD], pod->metadata.uid, &status);
}

void report_exit(struct str *out, int code)
{
	struct json_writer w = JSON_WRITER(out, 0);
	char text[64];

	json_begin_object(&w);
	json_member_string(&w, "apiVersion", "v1");
	json_member_string(&w, "kind", "Status");
	json_key(&w, "metadata");
	json_begin_object(&w);
	json_end_object(&w);
	json_member_string(&w, "status", code == 0 ? "Success" : "Failure");
	if (code != 0) {
		snprintf(text, sizeof(text), "command terminated with non-zero exit code: %d", code);
		json_member_string(&w, "message", text);
		json_member_string(&w, "reason", "NonZeroExitCode");
		json_key(&w, "details");
		json_begin_object(&w);
		json_key(&w, "causes");
		json_begin_array(&w);
		json_begin_object(&w);
		json_member_string(&w, "reason", "ExitCode");
		snprintf(text, sizeof(text), "%d", code);
		json_member_string(&w, "message", text);
		json_end_object(&w);
		json_end_array(&w);
		json_end_object(&w);
		json_member_int(&w, "code", 500);
	}
	json_end_object(&w);
}

void report_transitions(const struct conditions *before, struct conditions *now)
{
	for (size_t i = 0; i < now->count; i++) {
		const struct condition *old = condition_find(before, now->items[i].type);
		if (old && old->status == now->items[i].status)
			now->items[i].transition = old->transition;
	}
}
