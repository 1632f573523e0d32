/* base/decode.c: JSON trees into C structs by table. */
#include "base/decode.h"

#include <stdarg.h>

#include "base/file.h"

/* Where the decoder is: frames on the stack, formatted only when there is something to say. */
struct where {
	const struct where *up;
	const char *key; /* NULL: the item `index` of a list */
	size_t index;
	const json *node;
};

static void path_text(const struct where *w, struct str *out)
{
	if (!w->up)
		return;
	path_text(w->up, out);
	if (!w->key)
		str_addf(out, "[%zu]", w->index);
	else
		str_addf(out, "%s%.100s", out->len ? "." : "", w->key);
}

/* "config.json:12:9: process.rlimits[1].type", for a message to follow. */
static void place_text(const struct decoder *d, const struct where *w, struct str *out)
{
	auto_str struct str path = STR_INIT(4096);
	const struct where *node = w;

	path_text(w, &path);
	while (!node->node && node->up)
		node = node->up;
	str_add(out, d->name);
	if (node->node && node->node->line)
		str_addf(out, ":%u:%u", node->node->line, node->node->column);
	if (path.len)
		str_addf(out, ": %s", path.data);
}

/* What a document says is shown in part where it is long (%.200s), and a message is cut, so that a
 * hostile value cannot push the reason out of it. */
#define MESSAGE_MAX 1024

static void add_message(struct str *out, const char *fmt, va_list ap) PRINTF(2, 0);
static void add_message(struct str *out, const char *fmt, va_list ap)
{
	char message[MESSAGE_MAX];

	vsnprintf(message, sizeof message, fmt, ap);
	str_addf(out, ": %s", message);
}

static err *fail(const struct decoder *d, const struct where *w, const char *fmt, ...) PRINTF(3, 4);
static err *fail(const struct decoder *d, const struct where *w, const char *fmt, ...)
{
	auto_str struct str text = STR_INIT(8192);
	va_list ap;

	place_text(d, w, &text);
	va_start(ap, fmt);
	add_message(&text, fmt, ap);
	va_end(ap);
	return err_new(EINVAL, "%s", text.data);
}

static void warn(const struct decoder *d, const struct where *w, const char *fmt, ...) PRINTF(3, 4);
static void warn(const struct decoder *d, const struct where *w, const char *fmt, ...)
{
	auto_str struct str text = STR_INIT(8192);
	va_list ap;

	if (!d->warnings)
		return;
	place_text(d, w, &text);
	va_start(ap, fmt);
	add_message(&text, fmt, ap);
	va_end(ap);
	strv_add(d->warnings, text.data);
}

static err *decode_value(const struct decoder *d, const struct where *w, const struct type *type,
			 void *value, bool *ret_skip);

/* The JSON kind that a type is written in. */
static const enum json_kind written_as[] = {
	[T_BOOL] = JSON_BOOL,     [T_INT] = JSON_NUMBER,   [T_UINT] = JSON_NUMBER,
	[T_DOUBLE] = JSON_NUMBER, [T_STRING] = JSON_STRING, [T_ENUM] = JSON_STRING,
	[T_OBJECT] = JSON_OBJECT, [T_ARRAY] = JSON_ARRAY,  [T_MAP] = JSON_OBJECT,
	[T_TEXT] = JSON_STRING,
};

static void store_int(const struct type *type, int64_t number, void *value)
{
	switch (type->size) {
	case 1:
		*(int8_t *)value = (int8_t)number;
		break;
	case 2:
		*(int16_t *)value = (int16_t)number;
		break;
	case 4:
		*(int32_t *)value = (int32_t)number;
		break;
	default:
		*(int64_t *)value = number;
	}
}

static err *decode_int(const struct decoder *d, const struct where *w, const struct type *type,
		       void *value)
{
	unsigned bits = (unsigned)type->size * 8;
	int64_t high = type->max ? (int64_t)type->max : (int64_t)(UINT64_MAX >> (65 - bits));
	int64_t low = type->max || type->min ? type->min : -high - 1;
	int64_t number;

	if (!json_to_i64(w->node, &number) || number < low || number > high)
		return fail(d, w, "%.200s is not a whole number from %lld to %lld", w->node->text,
			    (long long)low, (long long)high);
	store_int(type, number, value);
	return NULL;
}

static err *decode_uint(const struct decoder *d, const struct where *w, const struct type *type,
			void *value)
{
	unsigned bits = (unsigned)type->size * 8;
	uint64_t high = type->max ? type->max : UINT64_MAX >> (64 - bits);
	uint64_t number;

	if (!json_to_u64(w->node, &number) || number < type->low || number > high)
		return fail(d, w, "%.200s is not a whole number from %llu to %llu", w->node->text,
			    (unsigned long long)type->low, (unsigned long long)high);
	store_int(type, (int64_t)number, value);
	return NULL;
}

/* A text of the tree, which lives where the result does when the decoder made it. */
static err *keep_text(const struct decoder *d, const char *text, const char **ret)
{
	if (d->own_tree)
		*ret = text;
	else
		TRY_ALLOC(d->arena, *ret, arena_strdup(d->arena, text));
	return NULL;
}

static err *decode_string(const struct decoder *d, const struct where *w, const struct type *type,
			  void *value)
{
	const char *text = w->node->text;

	if ((type->flags & NOT_EMPTY) && !*text)
		return fail(d, w, "must not be empty");
	if (type->max && strlen(text) > type->max)
		return fail(d, w, "longer than %llu bytes", (unsigned long long)type->max);
	return keep_text(d, text, (const char **)value);
}

static err *decode_own_text(const struct decoder *d, const struct where *w, const struct type *type,
			    void *value)
{
	memset(value, 0, type->size);
	const char *reason = type->parse(w->node->text, value);
	return reason ? fail(d, w, "'%.200s' %s", w->node->text, reason) : NULL;
}

int enum_value(const struct enum_name *names, const char *name)
{
	for (; names->name; names++)
		if (strcmp(names->name, name) == 0)
			return names->value;
	return -1;
}

const char *enum_name(const struct enum_name *names, int value)
{
	for (; names->name; names++)
		if (names->value == value)
			return names->name;
	return NULL;
}

static err *decode_enum(const struct decoder *d, const struct where *w, const struct type *type,
			void *value, bool *ret_skip)
{
	const struct enum_name *name = type->names;

	while (name->name && strcmp(name->name, w->node->text) != 0)
		name++;
	if (name->name) {
		*(int *)value = name->value;
		return NULL;
	}
	if (d->lenient) {
		*(int *)value = 0;
		*ret_skip = true;
		return NULL;
	}
	if (!(type->flags & WARN))
		return fail(d, w, "unknown %s '%.200s'", type->name, w->node->text);
	warn(d, w, "unknown %s '%.200s', ignored", type->name, w->node->text);
	*(int *)value = -1;
	*ret_skip = true;
	return NULL;
}

static err *decode_array(const struct decoder *d, const struct where *w, const struct type *type,
			 void *value)
{
	struct strings *list = value; /* any LIST has this shape */
	const struct type *item = type->item;
	size_t count = w->node->array.count, kept = 0;
	char *items;

	if ((type->flags & NOT_EMPTY) && count == 0)
		return fail(d, w, "must not be empty");
	if (type->max && count > type->max)
		return fail(d, w, "more than %llu items", (unsigned long long)type->max);
	TRY_ALLOC(d->arena, items, arena_array(d->arena, count, item->size));
	for (size_t i = 0; i < count; i++) {
		struct where inner = { .up = w, .index = i, .node = w->node->array.items[i] };
		bool skip = false;
		if (inner.node->kind == JSON_NULL && item->kind != T_RAW && item->kind != T_OPTIONAL)
			return fail(d, &inner, "expected %s, got null", json_kind_name(written_as[item->kind]));
		TRY(decode_value(d, &inner, item, items + kept * item->size, &skip));
		kept += !skip;
	}
	/* An empty list is all zero, as an absent one is. */
	list->items = kept ? (const char **)(void *)items : NULL;
	list->count = kept;
	return NULL;
}

static err *decode_map(const struct decoder *d, const struct where *w, const struct type *type,
		       void *value)
{
	struct strings *list = value;
	size_t count = w->node->object.count, kept = 0;
	char *entries;

	if ((type->flags & NOT_EMPTY) && count == 0)
		return fail(d, w, "must not be empty");
	if (type->max && count > type->max)
		return fail(d, w, "more than %llu entries", (unsigned long long)type->max);
	TRY_ALLOC(d->arena, entries, arena_array(d->arena, count, type->entry_size));
	for (size_t i = 0; i < count; i++) {
		const struct json_member *member = &w->node->object.members[i];
		struct where inner = { .up = w, .key = member->key, .node = member->value };
		char *entry = entries + kept * type->entry_size;
		bool skip = false;
		if (member->value->kind == JSON_NULL && type->item->kind != T_RAW) {
			/* Go writes a nil map value so; a string's zero value is "". */
			if (type->item->kind == T_STRING)
				*(const char **)(void *)(entry + type->value_offset) = "";
		} else {
			TRY(decode_value(d, &inner, type->item, entry + type->value_offset, &skip));
		}
		TRY(keep_text(d, member->key, (const char **)(void *)entry));
		kept += !skip;
	}
	list->items = kept ? (const char **)(void *)entries : NULL;
	list->count = kept;
	return NULL;
}

/* The value of a field that the text leaves out. */
static err *decode_absent(const struct decoder *d, const struct where *w, const struct field *field,
			  void *value)
{
	json *tree = NULL;
	bool skip = false;

	if (field->flags & (UNSUPPORTED | IGNORED))
		return NULL;
	memset(value, 0, field->type->size);
	if (!field->absent) {
		if (field->type->kind == T_ENUM)
			*(int *)value = -1;
		/* Defaults inside an object that is part of the struct itself. */
		return field->type->kind == T_OBJECT ? decode_defaults(d->arena, field->type, value) : NULL;
	}
	TRY(json_parse(d->arena, "default", field->absent, strlen(field->absent), &tree));
	tree->line = 0;
	struct where inner = { .up = w, .key = field->key, .node = tree };
	return decode_value(d, &inner, field->type, value, &skip);
}

/* Empty, or the same scalar. */
static bool says_nothing(const json *node, const json *usual)
{
	if (node->kind == JSON_ARRAY)
		return node->array.count == 0;
	if (node->kind == JSON_OBJECT)
		return node->object.count == 0;
	if (node->kind == JSON_STRING && !*node->text)
		return true;
	if (node->kind != usual->kind)
		return false;
	return node->kind == JSON_BOOL ? node->boolean == usual->boolean :
					 strcmp(node->text, usual->text) == 0;
}

static err *decode_unsupported(const struct decoder *d, const struct where *w, const struct field *field)
{
	json *usual = NULL;

	if (d->lenient)
		return NULL;
	if (field->absent)
		TRY(json_parse(d->arena, "default", field->absent, strlen(field->absent), &usual));
	return usual && says_nothing(w->node, usual) ? NULL : fail(d, w, "is not supported");
}

static bool is_given(const struct field *field, const json *node)
{
	if (!node || node->kind == JSON_NULL)
		return false;
	return !(field->flags & EMPTY_ABSENT) || node->kind != JSON_STRING || *node->text;
}

static err *decode_field(const struct decoder *d, const struct where *w, const struct field *field,
			 json *node, char *object)
{
	struct where inner = { .up = w, .key = field->key, .node = node };
	bool skip = false;

	if (field->flags & IGNORED)
		return NULL;
	if (!is_given(field, node)) {
		if (field->flags & REQUIRED)
			return fail(d, &inner, "required but missing");
		return decode_absent(d, w, field, object + field->offset);
	}
	if (field->flags & UNSUPPORTED)
		return decode_unsupported(d, &inner, field);
	return decode_value(d, &inner, field->type, object + field->offset, &skip);
}

static const struct field *find_field(const struct field *fields, const char *key)
{
	for (; fields->key; fields++)
		if (strcmp(fields->key, key) == 0)
			return fields;
	return NULL;
}

static err *check_unknown(const struct decoder *d, const struct where *w, const struct type *type)
{
	for (size_t i = 0; i < w->node->object.count; i++) {
		const struct json_member *member = &w->node->object.members[i];
		struct where inner = { .up = w, .key = member->key, .node = member->value };

		if (find_field(type->fields, member->key))
			continue;
		if ((type->flags & STRICT) && !d->lenient)
			return fail(d, &inner, "unknown field");
		if (d->unknown) {
			auto_str struct str path = STR_INIT(4096);

			path_text(&inner, &path);
			strv_add(d->unknown, path.data);
		}
	}
	return NULL;
}

static err *decode_object(const struct decoder *d, const struct where *w, const struct type *type,
			  void *value)
{
	TRY(check_unknown(d, w, type));
	for (const struct field *field = type->fields; field->key; field++)
		TRY(decode_field(d, w, field, json_get(w->node, field->key), value));
	return NULL;
}

static err *decode_kind(const struct decoder *d, const struct where *w, const struct type *type,
			void *value, bool *ret_skip)
{
	switch (type->kind) {
	case T_BOOL:
		*(bool *)value = w->node->boolean;
		return NULL;
	case T_INT:
		return decode_int(d, w, type, value);
	case T_UINT:
		return decode_uint(d, w, type, value);
	case T_DOUBLE:
		return json_to_double(w->node, value) ? NULL : fail(d, w, "number is out of range");
	case T_STRING:
		return decode_string(d, w, type, value);
	case T_ENUM:
		return decode_enum(d, w, type, value, ret_skip);
	case T_TEXT:
		return decode_own_text(d, w, type, value);
	case T_OBJECT:
		return decode_object(d, w, type, value);
	case T_ARRAY:
		return decode_array(d, w, type, value);
	case T_MAP:
		return decode_map(d, w, type, value);
	case T_OPTIONAL:
	case T_RAW:
		break;
	}
	return fail(d, w, "type '%s' cannot be decoded", type->name);
}

static err *decode_optional(const struct decoder *d, const struct where *w, const struct type *type,
			    void *value, bool *ret_skip)
{
	void *item = NULL;

	if (w->node->kind != JSON_NULL) {
		TRY_ALLOC(d->arena, item, arena_alloc(d->arena, type->item->size));
		TRY(decode_value(d, w, type->item, item, ret_skip));
	}
	*(void **)value = *ret_skip ? NULL : item;
	return NULL;
}

static err *decode_value(const struct decoder *d, const struct where *w, const struct type *type,
			 void *value, bool *ret_skip)
{
	if (type->kind == T_OPTIONAL)
		return decode_optional(d, w, type, value, ret_skip);
	if (type->kind == T_RAW) {
		*(const json **)value = w->node;
		return NULL;
	}
	bool number = w->node->kind == JSON_NUMBER && (type->flags & OR_NUMBER);
	if (w->node->kind != written_as[type->kind] && !number)
		return fail(d, w, "expected %s, got %s", json_kind_name(written_as[type->kind]),
			    json_kind_name(w->node->kind));
	TRY(decode_kind(d, w, type, value, ret_skip));
	const char *reason = type->check && !*ret_skip ? type->check(value) : NULL;
	if (!reason)
		return NULL;
	if (w->node->kind == JSON_STRING || w->node->kind == JSON_NUMBER)
		return fail(d, w, "'%.200s' %s", w->node->text, reason);
	return fail(d, w, "%s", reason);
}

err *decode_defaults(struct arena *arena, const struct type *type, void *value)
{
	struct decoder d = { .arena = arena, .name = "defaults" };
	struct where top = { 0 };

	memset(value, 0, type->size);
	if (type->kind != T_OBJECT)
		return NULL;
	for (const struct field *field = type->fields; field->key; field++)
		TRY(decode_absent(&d, &top, field, (char *)value + field->offset));
	return NULL;
}

err *decode_tree(struct decoder *d, const struct type *type, const struct rule *rules,
		 const json *tree, void *value)
{
	struct where top = { .node = tree };
	bool skip = false;

	memset(value, 0, type->size);
	TRY(decode_value(d, &top, type, value, &skip));
	d->tree = tree;
	for (; rules && rules->name; rules++)
		TRY(rules->check(value, d));
	d->tree = NULL;
	return NULL;
}

err *decode_text(struct decoder *d, const struct type *type, const struct rule *rules,
		 const char *text, size_t len, void *value)
{
	json *tree = NULL;

	TRY(json_parse(d->arena, d->name, text, len, &tree));
	d->own_tree = true;
	err *e = decode_tree(d, type, rules, tree, value);
	d->own_tree = false;
	return e;
}

err *decode_file(struct decoder *d, const struct type *type, const struct rule *rules, int dir_fd,
		 const char *path, void *value)
{
	auto_str struct str text = STR_INIT(JSON_SIZE_MAX);

	TRY(file_read(dir_fd, path, &text));
	return decode_text(d, type, rules, text.data, text.len, value);
}

/* The deepest node along `path`. A key may hold dots itself, so the longest that fits is taken. */
static const json *find_node(const json *node, const char *path)
{
	const json *next = NULL;
	size_t len = 0;

	if (*path == '[' && node->kind == JSON_ARRAY) {
		char *end;
		size_t index = strtoul(path + 1, &end, 10);
		len = *end == ']' ? (size_t)(end - path) + 1 : 0;
		next = len && index < node->array.count ? node->array.items[index] : NULL;
	}
	for (size_t i = 0; node->kind == JSON_OBJECT && i < node->object.count; i++) {
		const struct json_member *m = &node->object.members[i];
		size_t key_len = strlen(m->key);
		if (key_len < len || strncmp(path, m->key, key_len) != 0 || !strchr(".[", path[key_len]))
			continue;
		next = m->value;
		len = key_len;
	}
	return next ? find_node(next, path[len] == '.' ? path + len + 1 : path + len) : node;
}

/* "config.json:7:3: linux.uidMappings: MESSAGE" */
static void rule_text(const struct decoder *d, const char *path, const char *fmt, va_list ap,
		      struct str *out) PRINTF(3, 0);
static void rule_text(const struct decoder *d, const char *path, const char *fmt, va_list ap,
		      struct str *out) PRINTF(3, 0);
static void rule_text(const struct decoder *d, const char *path, const char *fmt, va_list ap,
		      struct str *out)
{
	const json *node = d->tree ? find_node(d->tree, path) : NULL;

	str_add(out, d->name);
	if (node && node->line)
		str_addf(out, ":%u:%u", node->line, node->column);
	if (*path)
		str_addf(out, ": %.1000s", path);
	add_message(out, fmt, ap);
}

err *decoder_fail(struct decoder *d, const char *path, const char *fmt, ...)
{
	auto_str struct str text = STR_INIT(8192);
	va_list ap;

	va_start(ap, fmt);
	rule_text(d, path, fmt, ap, &text);
	va_end(ap);
	return err_new(EINVAL, "%s", text.data);
}

void decoder_warn(struct decoder *d, const char *path, const char *fmt, ...)
{
	auto_str struct str text = STR_INIT(8192);
	va_list ap;

	if (!d->warnings)
		return;
	va_start(ap, fmt);
	rule_text(d, path, fmt, ap, &text);
	va_end(ap);
	strv_add(d->warnings, text.data);
}

const char *string_map_get(const struct string_map *map, const char *key)
{
	for (size_t i = 0; i < map->count; i++)
		if (strcmp(map->items[i].key, key) == 0)
			return map->items[i].value;
	return NULL;
}
