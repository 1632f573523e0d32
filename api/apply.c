/* api/apply.c: the three-way patch, by walking the three documents at once. */
#include "api/apply.h"

#include "api/patch.h"

static err *new_node(struct arena *arena, enum json_kind kind, json **ret)
{
	TRY_ALLOC(arena, *ret, arena_alloc(arena, sizeof(json)));
	(*ret)->kind = kind;
	return NULL;
}

/* Set a member of an object under construction, replacing one of that name. */
static err *set_member(struct arena *arena, json *object, const char *key, const json *value)
{
	struct json_member *grown;
	size_t count = object->object.count;

	for (size_t i = 0; i < count; i++)
		if (str_equal(object->object.members[i].key, key)) {
			object->object.members[i].value = (json *)value;
			return NULL;
		}
	TRY_ALLOC(arena, grown, arena_array(arena, count + 1, sizeof(*grown)));
	for (size_t i = 0; i < count; i++)
		grown[i] = object->object.members[i];
	grown[count] = (struct json_member){ key, (json *)value };
	object->object.members = grown;
	object->object.count = count + 1;
	return NULL;
}

static bool is_object(const json *node)
{
	return node && node->kind == JSON_OBJECT;
}

static bool is_absent(const json *node)
{
	return !node || node->kind == JSON_NULL;
}

static err *set_null(struct arena *arena, json *patch, const char *key)
{
	json *null;

	TRY(new_node(arena, JSON_NULL, &null));
	return set_member(arena, patch, key, null);
}

/* Whether `live` has something that was not applied, however deep. */
static bool has_more(const json *last, const json *live)
{
	if (!is_object(last) || !is_object(live))
		return false;
	for (size_t i = 0; i < live->object.count; i++) {
		const json *applied = json_get(last, live->object.members[i].key);
		if (is_absent(live->object.members[i].value))
			continue;
		if (is_absent(applied) || has_more(applied, live->object.members[i].value))
			return true;
	}
	return false;
}

/* Members that were applied once and are no longer wanted; none is removed that is not there. Of an object in
 * which others have set something, such as labels, only what was applied goes. */
static err *removals(struct arena *arena, const json *last, const json *wanted, const json *live, json *patch)
{
	json *below;

	if (!is_object(last))
		return NULL;
	for (size_t i = 0; i < last->object.count; i++) {
		const char *key = last->object.members[i].key;
		const json *applied = last->object.members[i].value, *there = json_get(live, key);
		if (!is_absent(json_get(wanted, key)) || is_absent(there))
			continue;
		if (!has_more(applied, there)) {
			TRY(set_null(arena, patch, key));
			continue;
		}
		TRY(new_node(arena, JSON_OBJECT, &below));
		TRY(removals(arena, applied, NULL, there, below));
		if (below->object.count > 0)
			TRY(set_member(arena, patch, key, below));
	}
	return NULL;
}

err *apply_patch(struct arena *arena, const json *last, const json *wanted, const json *live, json **ret)
{
	json *patch, *below;

	TRY(new_node(arena, JSON_OBJECT, &patch));
	TRY(removals(arena, last, wanted, live, patch));
	for (size_t i = 0; i < wanted->object.count; i++) {
		const char *key = wanted->object.members[i].key;
		const json *value = wanted->object.members[i].value, *there = json_get(live, key);
		if (value->kind == JSON_NULL)
			continue;
		if (!is_object(value) || !is_object(there)) {
			if (!there || !json_equal(value, there))
				TRY(set_member(arena, patch, key, value));
			continue;
		}
		TRY(apply_patch(arena, json_get(last, key), value, there, &below));
		if (below->object.count > 0)
			TRY(set_member(arena, patch, key, below));
	}
	*ret = patch;
	return NULL;
}

/* A copy whose members can be replaced; what they hold is shared. */
static err *shallow_copy(struct arena *arena, const json *object, json **ret)
{
	TRY(new_node(arena, JSON_OBJECT, ret));
	for (size_t i = 0; is_object(object) && i < object->object.count; i++)
		TRY(set_member(arena, *ret, object->object.members[i].key, object->object.members[i].value));
	return NULL;
}

err *apply_annotate(struct arena *arena, const json *wanted, json **ret)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);
	struct json_writer w = JSON_WRITER(&text, 0);
	json *metadata, *annotations, *value;

	json_tree(&w, wanted);
	TRY(str_check(&text));
	TRY(new_node(arena, JSON_STRING, &value));
	TRY_ALLOC(arena, value->text, arena_strdup(arena, text.data));
	TRY(shallow_copy(arena, wanted, ret));
	TRY(shallow_copy(arena, json_get(wanted, "metadata"), &metadata));
	TRY(shallow_copy(arena, json_get(metadata, "annotations"), &annotations));
	TRY(set_member(arena, annotations, APPLY_LAST, value));
	TRY(set_member(arena, metadata, "annotations", annotations));
	return set_member(arena, *ret, "metadata", metadata);
}

const json *apply_last(struct arena *arena, const json *live)
{
	const char *text = json_get_string(json_get(json_get(live, "metadata"), "annotations"), APPLY_LAST);
	json *tree;
	err *e = text ? json_parse(arena, APPLY_LAST, text, strlen(text), &tree) : NULL;

	if (!text || e) { /* somebody edited it: then nothing counts as applied before */
		err_free(e);
		return NULL;
	}
	return tree;
}
