/* cmd/stube/output.c: objects as JSON, as YAML, or by name. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "api/event.h"
#include "api/yaml.h"
#include "base/fd.h"
#include "cmd/stube/cluster.h"

enum { OUTPUT_BYTES = 512 << 20 };

enum output output_parse(const char *text)
{
	static const char *const names[] = { "table", "wide", "json", "yaml", "name" };

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (str_equal(text, names[i]))
			return (enum output)i;
	return OUTPUT_TABLE;
}

void object_label(const struct object *object, struct str *out)
{
	const struct kind *kind = kind_of(object);

	str_addf(out, "%s/%s", kind ? kind->singular : object->kind,
		 object->metadata.name ? object->metadata.name : object->metadata.generate_name);
}

static int64_t time_of(const struct event *e)
{
	if (e->count <= 1 && e->event_time.nsec)
		return e->event_time.nsec;
	return e->last.nsec ? e->last.nsec : e->metadata.creation.nsec;
}

static int by_time(const void *a, const void *b)
{
	const struct event *x = *(const struct event *const *)a, *y = *(const struct event *const *)b;
	int64_t left = time_of(x), right = time_of(y);

	if (left != right)
		return left < right ? -1 : 1;
	return strverscmp(x->metadata.resource_version ? x->metadata.resource_version : "",
			  y->metadata.resource_version ? y->metadata.resource_version : "");
}

void events_sort(struct object_list *events)
{
	qsort(events->items, events->count, sizeof(*events->items), by_time);
}

static err *print(struct str *out)
{
	TRY(str_check(out));
	return fd_write_all(STDOUT_FILENO, out->data, out->len);
}

err *output_json(const char *text, size_t len, enum output output)
{
	auto_arena struct arena *arena = NULL;
	auto_str struct str out = STR_INIT(OUTPUT_BYTES);
	struct json_writer w = JSON_WRITER(&out, 2);
	json *tree;

	TRY(arena_new(OUTPUT_BYTES, &arena));
	TRY(json_parse(arena, "answer", text, len, &tree));
	if (output == OUTPUT_YAML) {
		yaml_write(&out, tree);
		return print(&out);
	}
	json_tree(&w, tree);
	str_add_char(&out, '\n');
	return print(&out);
}

err *output_object(const struct object *object, enum output output)
{
	auto_str struct str text = STR_INIT(OUTPUT_BYTES);

	if (output == OUTPUT_NAME) {
		object_label(object, &text);
		str_add_char(&text, '\n');
		return print(&text);
	}
	object_encode(&text, object, 0);
	TRY(str_check(&text));
	return output_json(text.data, text.len, output);
}

/* Pieces are written as they come: a list may be larger than one JSON document that we would read. */
static err *output_list(struct object **items, size_t count, enum output output)
{
	auto_str struct str out = STR_INIT(OUTPUT_BYTES);
	auto_str struct str text = STR_INIT(OUTPUT_BYTES);
	auto_arena struct arena *arena = NULL;
	struct json_writer w = JSON_WRITER(&out, 2);
	json list = { .kind = JSON_OBJECT }, array = { .kind = JSON_ARRAY };
	json kind = { .kind = JSON_STRING, .text = "List" }, version = { .kind = JSON_STRING, .text = "v1" };
	struct json_member members[] = { { "apiVersion", &version }, { "kind", &kind }, { "items", &array } };

	TRY(arena_new(OUTPUT_BYTES, &arena));
	TRY_ALLOC(arena, array.array.items, arena_array(arena, count, sizeof(json *)));
	for (size_t i = 0; i < count; i++) {
		str_clear(&text);
		object_encode(&text, items[i], 0);
		TRY(str_check(&text));
		TRY(json_parse(arena, "object", text.data, text.len, &array.array.items[i]));
	}
	array.array.count = count;
	list.object.members = members;
	list.object.count = ARRAY_LEN(members);
	if (output == OUTPUT_YAML) {
		yaml_write(&out, &list);
		return print(&out);
	}
	json_tree(&w, &list);
	str_add_char(&out, '\n');
	return print(&out);
}

err *output_objects(struct object **items, size_t count, bool list, enum output output)
{
	if (list && output != OUTPUT_NAME)
		return output_list(items, count, output);
	for (size_t i = 0; i < count; i++) {
		if (i > 0 && output == OUTPUT_YAML)
			printf("---\n");
		fflush(stdout);
		TRY(output_object(items[i], output));
	}
	return NULL;
}
