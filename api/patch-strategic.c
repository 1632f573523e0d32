/* api/patch-strategic.c: strategic merge patches: a merge patch that knows which lists are sets by a key.
 * Ref: Kubernetes, "Strategic merge patch" (sig-api-machinery); patchMergeKey of its types. */
#include "api/patch.h"

/* By the list's name: one name has one meaning in all kinds that we have. Others are replaced as a whole, as
 * Kubernetes has it for tolerations, taints, args. */
static const struct {
	const char *list, *key; /* "": of texts or numbers, each once */
} merged_lists[] = {
	{ "containers", "name" },
	{ "initContainers", "name" },
	{ "ephemeralContainers", "name" },
	{ "env", "name" },
	{ "ports", "containerPort" },
	{ "volumeMounts", "mountPath" },
	{ "volumeDevices", "devicePath" },
	{ "volumes", "name" },
	{ "imagePullSecrets", "name" },
	{ "hostAliases", "ip" },
	{ "topologySpreadConstraints", "topologyKey" },
	{ "conditions", "type" },
	{ "addresses", "type" },
	{ "ownerReferences", "uid" },
	{ "finalizers", "" },
};

static const char *key_of_list(const char *list)
{
	for (size_t i = 0; i < ARRAY_LEN(merged_lists); i++)
		if (strcmp(merged_lists[i].list, list) == 0)
			return merged_lists[i].key;
	return NULL;
}

#define ORDER  "$setElementOrder/"
#define DELETE "$deleteFromPrimitiveList/"

static err *merge(struct arena *arena, const char *name, const json *target, const json *patch, json **ret);

static bool is_directive(const char *key)
{
	return key[0] == '$';
}

static json *directive_of(const json *patch, const char *prefix, const char *list)
{
	for (size_t i = 0; patch->kind == JSON_OBJECT && i < patch->object.count; i++) {
		const char *key = patch->object.members[i].key;

		if (str_starts_with(key, prefix) && strcmp(key + strlen(prefix), list) == 0)
			return patch->object.members[i].value;
	}
	return NULL;
}

static const json *identity(const json *item, const char *key)
{
	return *key ? json_get(item, key) : item;
}

static size_t find_item(json *const *items, size_t count, const char *key, const json *wanted)
{
	size_t i = 0;

	while (i < count && !(identity(items[i], key) && json_equal(identity(items[i], key), wanted)))
		i++;
	return i;
}

/* ---- lists ---- */

enum { ITEMS_MAX = 2048 /* of a list that is merged: each is looked for among all */ };

struct list {
	json **items;
	size_t count;
};

static void remove_item(struct list *l, size_t at)
{
	memmove(l->items + at, l->items + at + 1, (l->count - at - 1) * sizeof(json *));
	l->count--;
}

static err *merge_item(struct arena *arena, struct list *l, const char *name, const char *key,
		       const json *item)
{
	const char *what = json_get_string(item, "$patch");
	const json *id = identity(item, key);

	if (!id)
		return err_new(EINVAL, "%s: an item has no '%s'", name, key);
	size_t at = find_item(l->items, l->count, key, id);
	if (what && strcmp(what, "delete") == 0) {
		if (at < l->count)
			remove_item(l, at);
		return NULL;
	}
	TRY(merge(arena, name, at < l->count ? l->items[at] : NULL, item, &l->items[at]));
	l->count += at == l->count;
	return NULL;
}

static void delete_texts(struct list *l, const json *gone)
{
	for (size_t i = 0; gone && gone->kind == JSON_ARRAY && i < gone->array.count; i++) {
		size_t at = find_item(l->items, l->count, "", gone->array.items[i]);

		if (at < l->count)
			remove_item(l, at);
	}
}

/* The places of those that `order` names are taken by them in its order; what only the server has stays where
 * it is. */
static err *set_order(struct arena *arena, struct list *l, const char *key, const json *order)
{
	json **sorted;
	size_t count = 0, next = 0;

	if (!order || order->kind != JSON_ARRAY)
		return NULL;
	if (order->array.count > ITEMS_MAX)
		return err_new(EFBIG, "more than %d items", ITEMS_MAX);
	TRY_ALLOC(arena, sorted, arena_array(arena, l->count + 1, sizeof(*sorted)));
	for (size_t i = 0; i < order->array.count; i++) {
		const json *id = identity(order->array.items[i], key);
		size_t at = id ? find_item(l->items, l->count, key, id) : l->count;

		if (at < l->count && find_item(sorted, count, key, id) == count)
			sorted[count++] = l->items[at];
	}
	for (size_t i = 0; i < l->count && next < count; i++) {
		const json *id = identity(l->items[i], key);

		if (id && find_item(sorted, count, key, id) < count)
			l->items[i] = sorted[next++];
	}
	return NULL;
}

static bool replaces(const json *item)
{
	const char *what = json_get_string(item, "$patch");

	return what && strcmp(what, "replace") == 0;
}

/* patch NULL: only its order, or what goes from it, is said. */
static err *merge_list(struct arena *arena, const char *name, const char *key, const json *target,
		       const json *patch, const json *order, const json *gone, json **ret)
{
	size_t before = target && target->kind == JSON_ARRAY ? target->array.count : 0;
	size_t more = patch ? patch->array.count : 0;
	struct list l = { 0 };

	if (before + more > ITEMS_MAX)
		return err_new(EFBIG, "%s: more than %d items", name, ITEMS_MAX);
	TRY_ALLOC(arena, l.items, arena_array(arena, before + more + 1, sizeof(*l.items)));
	for (size_t i = 0; i < more; i++)
		if (replaces(patch->array.items[i]))
			before = 0;
	for (; l.count < before; l.count++)
		l.items[l.count] = target->array.items[l.count];
	delete_texts(&l, gone);
	for (size_t i = 0; i < more; i++)
		if (!replaces(patch->array.items[i]))
			TRY(merge_item(arena, &l, name, key, patch->array.items[i]));
	TRY(err_wrap(set_order(arena, &l, key, order), "%s", name));
	TRY_ALLOC(arena, *ret, arena_alloc(arena, sizeof(**ret)));
	(*ret)->kind = JSON_ARRAY;
	(*ret)->array.items = l.items;
	(*ret)->array.count = l.count;
	return NULL;
}

/* ---- objects ---- */

static bool is_retained(const json *retained, const char *key)
{
	if (!retained || retained->kind != JSON_ARRAY)
		return true;
	for (size_t i = 0; i < retained->array.count; i++)
		if (retained->array.items[i]->kind == JSON_STRING &&
		    strcmp(retained->array.items[i]->text, key) == 0)
			return true;
	return false;
}

/* One member; *ret NULL: it is gone. change NULL: the patch says nothing of it but, perhaps, its order. */
static err *merge_member(struct arena *arena, const json *patch, const char *name, const json *value,
			 const json *change, json **ret)
{
	const char *key = key_of_list(name);
	const json *order = key ? directive_of(patch, ORDER, name) : NULL;
	const json *gone = key ? directive_of(patch, DELETE, name) : NULL;
	const char *what = change ? json_get_string(change, "$patch") : NULL;

	*ret = NULL;
	if (change && (change->kind == JSON_NULL || (what && strcmp(what, "delete") == 0)))
		return NULL;
	if (key && (change ? change->kind == JSON_ARRAY : order || gone))
		return merge_list(arena, name, key, value, change, order, gone, ret);
	if (!change) {
		*ret = (json *)value;
		return NULL;
	}
	return merge(arena, name, value, change, ret);
}

static err *merge_objects(struct arena *arena, const json *target, const json *patch, json **ret)
{
	const json *retained = json_get(patch, "$retainKeys");
	size_t before = target && target->kind == JSON_OBJECT && !replaces(patch) ? target->object.count : 0,
	       count = 0;
	struct json_member *members;
	json *value;

	TRY_ALLOC(arena, members, arena_array(arena, before + patch->object.count, sizeof(*members)));
	for (size_t i = 0; i < before; i++) {
		const struct json_member *m = &target->object.members[i];

		if (!is_retained(retained, m->key))
			continue;
		TRY(merge_member(arena, patch, m->key, m->value, json_get(patch, m->key), &value));
		if (value)
			members[count++] = (struct json_member){ m->key, value };
	}
	for (size_t i = 0; i < patch->object.count; i++) {
		const struct json_member *m = &patch->object.members[i];

		if (is_directive(m->key) || (before && json_get(target, m->key)))
			continue;
		TRY(merge_member(arena, patch, m->key, NULL, m->value, &value));
		if (value)
			members[count++] = (struct json_member){ m->key, value };
	}
	TRY_ALLOC(arena, *ret, arena_alloc(arena, sizeof(**ret)));
	(*ret)->kind = JSON_OBJECT;
	(*ret)->object.members = members;
	(*ret)->object.count = count;
	return NULL;
}

static err *merge(struct arena *arena, const char *name, const json *target, const json *patch, json **ret)
{
	(void)name;
	if (patch->kind == JSON_OBJECT)
		return merge_objects(arena, target, patch, ret);
	*ret = (json *)patch;
	return NULL;
}

/* Looking at each member for each key would let a body of many members cost minutes. */
static bool is_wide(const json *node)
{
	if (node->kind == JSON_OBJECT) {
		for (size_t i = 0; i < node->object.count; i++)
			if (is_wide(node->object.members[i].value))
				return true;
		return node->object.count > ITEMS_MAX;
	}
	for (size_t i = 0; node->kind == JSON_ARRAY && i < node->array.count; i++)
		if (is_wide(node->array.items[i]))
			return true;
	return false;
}

err *patch_strategic(struct arena *arena, const json *target, const json *patch, json **ret)
{
	if (patch->kind != JSON_OBJECT)
		return err_new(EBADMSG, "expected object, got %s", json_kind_name(patch->kind));
	const char *what = json_get_string(patch, "$patch");
	if (what && strcmp(what, "delete") == 0)
		return err_new(EINVAL, "$patch: the whole cannot be deleted by a patch");
	if (is_wide(patch))
		return err_new(EFBIG, "an object has more than %d members", ITEMS_MAX);
	return merge(arena, "", target, patch, ret);
}
