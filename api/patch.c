/* api/patch.c: JSON merge patches: applied, made; equality of trees. Spec: RFC 7386. */
#include "api/patch.h"

/* The members of an object in the order of their keys, for objects so large that looking at each member for
 * each key would let a few megabytes of a client cost minutes. */
struct lookup {
	const json *object;		   /* NULL or no object: has no member */
	const struct json_member **sorted; /* NULL: looked at one by one */
};
#define LOOKUP_SORTED_FROM 24

static void lookup_done(struct lookup *l)
{
	free(l->sorted);
}
DEFINE_CLEANUP_OF(struct lookup, lookup_done)
#define auto_lookup CLEANUP(lookup_done)

static int compare_members(const void *a, const void *b)
{
	return strcmp((*(const struct json_member *const *)a)->key,
		      (*(const struct json_member *const *)b)->key);
}

static int compare_key(const void *key, const void *member)
{
	return strcmp(key, (*(const struct json_member *const *)member)->key);
}

static size_t member_count(const json *node)
{
	return node && node->kind == JSON_OBJECT ? node->object.count : 0;
}

static struct lookup lookup_open(const json *object)
{
	struct lookup l = { .object = object };
	size_t count = member_count(object);

	if (count < LOOKUP_SORTED_FROM)
		return l;
	l.sorted = reallocarray(NULL, count, sizeof(*l.sorted)); /* without memory it is slow, not wrong */
	for (size_t i = 0; l.sorted && i < count; i++)
		l.sorted[i] = &object->object.members[i];
	if (l.sorted)
		qsort(l.sorted, count, sizeof(*l.sorted), compare_members);
	return l;
}

static json *lookup_get(const struct lookup *l, const char *key)
{
	if (!l->sorted)
		return json_get(l->object, key);
	const struct json_member **found =
		bsearch(key, l->sorted, l->object->object.count, sizeof(*l->sorted), compare_key);
	return found ? (*found)->value : NULL;
}

static err *new_object(struct arena *arena, size_t members, json **ret)
{
	TRY_ALLOC(arena, *ret, arena_alloc(arena, sizeof(**ret)));
	(*ret)->kind = JSON_OBJECT;
	TRY_ALLOC(arena, (*ret)->object.members, arena_array(arena, members, sizeof(struct json_member)));
	return NULL;
}

static void add_member(json *object, const char *key, const json *value)
{
	object->object.members[object->object.count++] = (struct json_member){ key, (json *)value };
}

err *patch_merge(struct arena *arena, const json *target, const json *patch, json **ret)
{
	if (patch->kind != JSON_OBJECT) {
		*ret = (json *)patch;
		return NULL;
	}
	auto_lookup struct lookup changes = lookup_open(patch);
	auto_lookup struct lookup present = lookup_open(target);
	json *merged = NULL;
	TRY(new_object(arena, member_count(target) + patch->object.count, &merged));
	for (size_t i = 0; i < member_count(target); i++) {
		const struct json_member *m = &target->object.members[i];
		json *change = lookup_get(&changes, m->key), *value = m->value;
		if (change && change->kind == JSON_NULL)
			continue;
		if (change)
			TRY(patch_merge(arena, m->value, change, &value));
		add_member(merged, m->key, value);
	}
	for (size_t i = 0; i < patch->object.count; i++) {
		const struct json_member *m = &patch->object.members[i];
		json *value = NULL;
		if (m->value->kind == JSON_NULL || lookup_get(&present, m->key))
			continue;
		TRY(patch_merge(arena, NULL, m->value, &value)); /* what is new loses its nulls, too */
		add_member(merged, m->key, value);
	}
	*ret = merged;
	return NULL;
}

static err *add_removal(struct arena *arena, json *patch, const char *key)
{
	json *nothing = NULL;

	TRY_ALLOC(arena, nothing, arena_alloc(arena, sizeof(*nothing)));
	nothing->kind = JSON_NULL;
	add_member(patch, key, nothing);
	return NULL;
}

err *patch_diff(struct arena *arena, const json *from, const json *to, json **ret)
{
	if (to->kind != JSON_OBJECT || from->kind != JSON_OBJECT) {
		*ret = (json *)to;
		return NULL;
	}
	auto_lookup struct lookup after = lookup_open(to);
	auto_lookup struct lookup before = lookup_open(from);
	json *patch = NULL;
	TRY(new_object(arena, from->object.count + to->object.count, &patch));
	for (size_t i = 0; i < from->object.count; i++) {
		const struct json_member *m = &from->object.members[i];
		const json *value = lookup_get(&after, m->key);
		json *change = NULL;
		if (!value) {
			TRY(add_removal(arena, patch, m->key));
			continue;
		}
		if (json_equal(m->value, value))
			continue;
		TRY(patch_diff(arena, m->value, value, &change));
		add_member(patch, m->key, change);
	}
	for (size_t i = 0; i < to->object.count; i++)
		if (!lookup_get(&before, to->object.members[i].key))
			add_member(patch, to->object.members[i].key, to->object.members[i].value);
	*ret = patch;
	return NULL;
}

static bool equal_objects(const json *a, const json *b)
{
	auto_lookup struct lookup others = lookup_open(b);

	if (a->object.count != b->object.count)
		return false;
	for (size_t i = 0; i < a->object.count; i++) {
		const json *other = lookup_get(&others, a->object.members[i].key);
		if (!other || !json_equal(a->object.members[i].value, other))
			return false;
	}
	return true;
}

bool json_equal(const json *a, const json *b)
{
	if (a == b)
		return true;
	if (!a || !b || a->kind != b->kind)
		return false;
	switch (a->kind) {
	case JSON_NULL:
		return true;
	case JSON_BOOL:
		return a->boolean == b->boolean;
	case JSON_NUMBER:
	case JSON_STRING:
		return strcmp(a->text, b->text) == 0;
	case JSON_OBJECT:
		return equal_objects(a, b);
	case JSON_ARRAY:
		break;
	}
	if (a->array.count != b->array.count)
		return false;
	for (size_t i = 0; i < a->array.count; i++)
		if (!json_equal(a->array.items[i], b->array.items[i]))
			return false;
	return true;
}
