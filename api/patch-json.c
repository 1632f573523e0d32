/* api/patch-json.c: JSON Patch: a list of operations. Spec: RFC 6902, RFC 6901 for the paths. */
#include "api/patch.h"

/* As many as anybody means; each may have to look through a large object. */
enum { OPERATIONS_MAX = 1000, TOKENS_MAX = JSON_DEPTH_MAX };

enum edit { EDIT_ADD, EDIT_REMOVE, EDIT_REPLACE };

struct pointer {
	const char *text; /* for messages */
	const char *tokens[TOKENS_MAX];
	size_t count;
};

static err *decode_token(struct arena *arena, const char *begin, size_t len, const char **ret)
{
	char *token;
	size_t used = 0;

	TRY_ALLOC(arena, token, arena_alloc(arena, len + 1));
	for (size_t i = 0; i < len; i++) {
		token[used] = begin[i];
		if (begin[i] == '~') {
			i++;
			if (i == len || (begin[i] != '0' && begin[i] != '1'))
				return err_new(EBADMSG, "'~' is followed by neither 0 nor 1");
			token[used] = begin[i] == '0' ? '~' : '/';
		}
		used++;
	}
	*ret = token;
	return NULL;
}

static err *read_pointer(struct arena *arena, const char *text, struct pointer *ret)
{
	*ret = (struct pointer){ .text = text };
	while (*text) {
		const char *begin = text + 1;
		size_t len = strcspn(begin, "/");

		if (*text != '/')
			return err_new(EBADMSG, "path '%s' does not begin with '/'", ret->text);
		if (ret->count == TOKENS_MAX)
			return err_new(EBADMSG, "path '%s' is deeper than %d", ret->text, TOKENS_MAX);
		TRY(err_wrap(decode_token(arena, begin, len, &ret->tokens[ret->count++]), "path '%s'",
			     ret->text));
		text = begin + len;
	}
	return NULL;
}

static err *not_there(const struct pointer *p)
{
	return err_new(EINVAL, "path '%s': there is nothing", p->text);
}

static size_t member_index(const json *object, const char *key)
{
	size_t i = 0;

	while (i < object->object.count && strcmp(object->object.members[i].key, key) != 0)
		i++;
	return i;
}

/* Of `count` items; false: it is no number, or one behind them. */
static bool item_index(const char *token, size_t count, size_t *ret)
{
	uint64_t n;

	if (!str_to_u64(token, &n) || (token[0] == '0' && token[1]) || n >= count)
		return false;
	*ret = (size_t)n;
	return true;
}

static err *find(const json *node, const struct pointer *p, const json **ret)
{
	for (size_t i = 0; i < p->count; i++) {
		size_t at;

		if (node->kind == JSON_OBJECT)
			node = json_get(node, p->tokens[i]);
		else if (node->kind == JSON_ARRAY && item_index(p->tokens[i], node->array.count, &at))
			node = node->array.items[at];
		else
			node = NULL;
		if (!node)
			return not_there(p);
	}
	*ret = node;
	return NULL;
}

/* A copy with `grow` more places; nothing below is copied. */
static err *copy_node(struct arena *arena, const json *node, size_t grow, json **ret)
{
	TRY_ALLOC(arena, *ret, arena_alloc(arena, sizeof(**ret)));
	**ret = *node;
	if (node->kind == JSON_OBJECT) {
		struct json_member *members;

		TRY_ALLOC(arena, members, arena_array(arena, node->object.count + grow, sizeof(*members)));
		if (node->object.count)
			memcpy(members, node->object.members, node->object.count * sizeof(*members));
		(*ret)->object.members = members;
	} else {
		json **items;

		TRY_ALLOC(arena, items, arena_array(arena, node->array.count + grow, sizeof(*items)));
		if (node->array.count)
			memcpy(items, node->array.items, node->array.count * sizeof(*items));
		(*ret)->array.items = items;
	}
	return NULL;
}

static void edit_member(json *object, size_t at, const char *key, enum edit edit, const json *value)
{
	struct json_member *members = object->object.members;

	if (edit == EDIT_REMOVE) {
		memmove(members + at, members + at + 1, (object->object.count - at - 1) * sizeof(*members));
		object->object.count--;
		return;
	}
	object->object.count += at == object->object.count;
	members[at] = (struct json_member){ key, (json *)value };
}

static void edit_item(json *array, size_t at, enum edit edit, const json *value)
{
	json **items = array->array.items;

	if (edit == EDIT_ADD) {
		memmove(items + at + 1, items + at, (array->array.count - at) * sizeof(json *));
		array->array.count++;
	}
	if (edit == EDIT_REMOVE) {
		memmove(items + at, items + at + 1, (array->array.count - at - 1) * sizeof(json *));
		array->array.count--;
		return;
	}
	items[at] = (json *)value;
}

/* Where the token points to in the node; a place that `add` makes is behind the last. */
static err *place_of(const json *node, const struct pointer *p, const char *token, bool adds, size_t *ret)
{
	if (node->kind == JSON_OBJECT) {
		*ret = member_index(node, token);
		return *ret < node->object.count || adds ? NULL : not_there(p);
	}
	if (node->kind != JSON_ARRAY)
		return not_there(p);
	if (adds && strcmp(token, "-") == 0) {
		*ret = node->array.count;
		return NULL;
	}
	return item_index(token, node->array.count + adds, ret) ? NULL : not_there(p);
}

/* Nodes on the way are copied, so that what a retry patches again is as it was. */
static err *apply_edit(struct arena *arena, const json *node, const struct pointer *p, size_t depth,
		       enum edit edit, const json *value, json **ret)
{
	bool last = depth + 1 == p->count;
	size_t at = 0;
	json *copy, *child;

	if (depth == p->count && edit == EDIT_REMOVE)
		return err_new(EINVAL, "path '': the whole cannot be removed");
	if (depth == p->count) {
		*ret = (json *)value;
		return NULL;
	}
	TRY(place_of(node, p, p->tokens[depth], last && edit == EDIT_ADD, &at));
	TRY(copy_node(arena, node, 1, &copy));
	if (!last) {
		child = node->kind == JSON_OBJECT ? node->object.members[at].value : node->array.items[at];
		TRY(apply_edit(arena, child, p, depth + 1, edit, value, &child));
		edit = EDIT_REPLACE;
		value = child;
	}
	if (node->kind == JSON_OBJECT)
		edit_member(copy, at, p->tokens[depth], edit, value);
	else
		edit_item(copy, at, edit, value);
	*ret = copy;
	return NULL;
}

/* ---- operations ---- */

struct operation {
	struct arena *arena;
	struct pointer path, from;
	const json *value;
};

static err *op_add(struct operation *o, json **doc)
{
	return apply_edit(o->arena, *doc, &o->path, 0, EDIT_ADD, o->value, doc);
}

static err *op_remove(struct operation *o, json **doc)
{
	return apply_edit(o->arena, *doc, &o->path, 0, EDIT_REMOVE, NULL, doc);
}

static err *op_replace(struct operation *o, json **doc)
{
	return apply_edit(o->arena, *doc, &o->path, 0, EDIT_REPLACE, o->value, doc);
}

static err *op_copy(struct operation *o, json **doc)
{
	TRY(find(*doc, &o->from, &o->value));
	return op_add(o, doc);
}

static err *op_move(struct operation *o, json **doc)
{
	TRY(find(*doc, &o->from, &o->value));
	TRY(apply_edit(o->arena, *doc, &o->from, 0, EDIT_REMOVE, NULL, doc));
	return op_add(o, doc);
}

static err *op_test(struct operation *o, json **doc)
{
	const json *there;

	TRY(find(*doc, &o->path, &there));
	return json_equal(there, o->value)
		       ? NULL
		       : err_new(EINVAL, "path '%s': is not what was expected", o->path.text);
}

static const struct row {
	const char *name;
	bool value, from;
	err *(*fn)(struct operation *o, json **doc);
} rows[] = {
	{ "add", true, false, op_add },		{ "remove", false, false, op_remove },
	{ "replace", true, false, op_replace }, { "copy", false, true, op_copy },
	{ "move", false, true, op_move },	{ "test", true, false, op_test },
};

static err *apply_one(struct arena *arena, const json *step, json **doc)
{
	struct operation o = { .arena = arena, .value = json_get(step, "value") };
	const char *name = json_get_string(step, "op"), *path = json_get_string(step, "path"),
		   *from = json_get_string(step, "from");
	size_t i = 0;

	while (name && i < ARRAY_LEN(rows) && strcmp(rows[i].name, name) != 0)
		i++;
	if (!name || i == ARRAY_LEN(rows))
		return err_new(EBADMSG, "op: is not one of add, remove, replace, copy, move, test");
	if (!path || (rows[i].value && !o.value) || (rows[i].from && !from))
		return err_new(EBADMSG, "%s: needs path%s", name,
			       rows[i].value  ? " and value"
			       : rows[i].from ? " and from"
					      : "");
	TRY(read_pointer(arena, path, &o.path));
	if (rows[i].from)
		TRY(read_pointer(arena, from, &o.from));
	return rows[i].fn(&o, doc);
}

err *patch_json(struct arena *arena, const json *target, const json *patch, json **ret)
{
	json *doc = (json *)target;

	if (patch->kind != JSON_ARRAY)
		return err_new(EBADMSG, "expected array, got %s", json_kind_name(patch->kind));
	if (patch->array.count > OPERATIONS_MAX)
		return err_new(EFBIG, "%zu operations, at most %d are allowed", patch->array.count,
			       OPERATIONS_MAX);
	for (size_t i = 0; i < patch->array.count; i++)
		TRY(err_wrap(apply_one(arena, patch->array.items[i], &doc), "[%zu]", i));
	*ret = doc;
	return NULL;
}
