/* api/object-copy.c: deep copies of decoded values by their tables. */
#include "api/kinds-internal.h"

#define CANONICAL_ARENA_MAX (64u << 20)

/* What the parts of one copy share. */
struct copying {
	struct arena *arena;
	bool sorted; /* maps by their keys */
};

static err *deepen(const struct copying *c, const struct type *type, void *value);

static err *copy_bytes(struct arena *arena, size_t count, size_t size, const void *from, void *ret)
{
	void *bytes;

	TRY_ALLOC(arena, bytes, arena_array(arena, count, size));
	memcpy(bytes, from, count * size);
	*(void **)ret = bytes;
	return NULL;
}

static err *deepen_array(const struct copying *c, const struct type *type, struct strings *list)
{
	size_t size = type->item->size;

	if (list->count == 0)
		return NULL;
	TRY(copy_bytes(c->arena, list->count, size, list->items, &list->items));
	for (size_t i = 0; i < list->count; i++)
		TRY(deepen(c, type->item, (char *)list->items + i * size));
	return NULL;
}

static int compare_keys(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static err *deepen_map(const struct copying *c, const struct type *type, struct strings *list)
{
	if (list->count == 0)
		return NULL;
	TRY(copy_bytes(c->arena, list->count, type->entry_size, list->items, &list->items));
	for (size_t i = 0; i < list->count; i++) {
		char *entry = (char *)list->items + i * type->entry_size;

		TRY(deepen(c, &t_string, entry));
		TRY(deepen(c, type->item, entry + type->value_offset));
	}
	if (c->sorted)
		qsort(list->items, list->count, type->entry_size, compare_keys);
	return NULL;
}

/* `value` is a copy of an original's bytes: what it points to becomes its own. */
static err *deepen(const struct copying *c, const struct type *type, void *value)
{
	switch (type->kind) {
	case T_STRING:
		if (*(const char **)value)
			TRY_ALLOC(c->arena, *(const char **)value, arena_strdup(c->arena, *(const char **)value));
		return NULL;
	case T_OBJECT:
		for (const struct field *field = type->fields; field->key; field++)
			if (!(field->flags & (UNSUPPORTED | IGNORED)))
				TRY(deepen(c, field->type, (char *)value + field->offset));
		return NULL;
	case T_ARRAY:
		return deepen_array(c, type, value);
	case T_MAP:
		return deepen_map(c, type, value);
	case T_OPTIONAL:
		if (!*(void **)value)
			return NULL;
		TRY(copy_bytes(c->arena, 1, type->item->size, *(void **)value, value));
		return deepen(c, type->item, *(void **)value);
	case T_RAW:
		return err_new(EINVAL, "a raw document is not copied");
	default:
		return NULL;
	}
}

err *object_copy(struct arena *arena, const struct object *object, struct object **ret)
{
	const struct kind *kind = kind_of(object);
	struct object *copy = NULL;

	if (!kind)
		return err_new(EINVAL, "an object without a kind");
	TRY(copy_bytes(arena, 1, kind->type->size, object, &copy));
	TRY(deepen(&(struct copying){ .arena = arena }, kind->type, copy));
	*ret = copy;
	return NULL;
}

err *canonical_text(const struct type *type, const void *value, struct str *out)
{
	auto_arena struct arena *arena = NULL;
	void *copy = NULL;

	TRY(arena_new(CANONICAL_ARENA_MAX, &arena));
	TRY(copy_bytes(arena, 1, type->size, value, &copy));
	TRY(deepen(&(struct copying){ .arena = arena, .sorted = true }, type, copy));
	encode_text(out, type, copy, 0);
	return str_check(out);
}
