/* base/encode.c: C structs to JSON by the tables that decode them. */
#include "base/decode.h"

static int64_t load_int(const struct type *type, const void *value)
{
	switch (type->size) {
	case 1:
		return *(const int8_t *)value;
	case 2:
		return *(const int16_t *)value;
	case 4:
		return *(const int32_t *)value;
	default:
		return *(const int64_t *)value;
	}
}

static uint64_t load_uint(const struct type *type, const void *value)
{
	uint64_t bits = (uint64_t)load_int(type, value);

	return type->size == 8 ? bits : bits & ((UINT64_C(1) << (type->size * 8)) - 1);
}

static bool all_zero(const void *value, size_t size)
{
	const unsigned char *p = value;

	for (size_t i = 0; i < size; i++)
		if (p[i])
			return false;
	return true;
}

/* Whether the C value says "absent". */
static bool is_absent(const struct type *type, const void *value)
{
	switch (type->kind) {
	case T_STRING:
	case T_OPTIONAL:
	case T_RAW:
		return !*(const void *const *)value;
	case T_ARRAY:
	case T_MAP:
		return ((const struct strings *)value)->count == 0 && !(type->flags & KEEP_EMPTY);
	case T_ENUM: {
		const char *name = enum_name(type->names, *(const int *)value);
		return !name || !*name;
	}
	case T_TEXT:
		return all_zero(value, type->size);
	default:
		return false;
	}
}

static void encode_object(struct json_writer *w, const struct type *type, const char *object)
{
	json_begin_object(w);
	for (const struct field *field = type->fields; field->key; field++) {
		const void *value = object + field->offset;
		bool left_out = field->flags & (UNSUPPORTED | IGNORED) || is_absent(field->type, value) ||
				((field->flags & OMIT_ZERO) && all_zero(value, field->type->size));
		if (left_out)
			continue;
		json_key(w, field->key);
		encode(w, field->type, value);
	}
	json_end_object(w);
}

static void encode_array(struct json_writer *w, const struct type *type, const struct strings *list)
{
	const char *items = (const char *)list->items;

	json_begin_array(w);
	for (size_t i = 0; i < list->count; i++)
		encode(w, type->item, items + i * type->item->size);
	json_end_array(w);
}

static void encode_map(struct json_writer *w, const struct type *type, const struct strings *list)
{
	const char *entries = (const char *)list->items;

	json_begin_object(w);
	for (size_t i = 0; i < list->count; i++) {
		const char *entry = entries + i * type->entry_size;

		json_key(w, *(const char *const *)(const void *)entry);
		encode(w, type->item, entry + type->value_offset);
	}
	json_end_object(w);
}

static void encode_double(struct json_writer *w, double value)
{
	char text[40];

	/* The shortest form that reads back as the same number. */
	for (int digits = 6; digits <= 17; digits++) {
		snprintf(text, sizeof text, "%.*g", digits, value);
		if (strtod(text, NULL) == value)
			break;
	}
	json_number_text(w, text);
}

static void encode_own_text(struct json_writer *w, const struct type *type, const void *value)
{
	auto_str struct str text = STR_INIT(4096);

	type->format(value, &text);
	if ((type->flags & AS_NUMBER) && text.len > 0 && strspn(text.data, "0123456789") == text.len)
		json_number_text(w, text.data);
	else
		json_string(w, text.data);
}

void encode(struct json_writer *w, const struct type *type, const void *value)
{
	switch (type->kind) {
	case T_BOOL:
		json_bool(w, *(const bool *)value);
		break;
	case T_INT:
		json_int(w, load_int(type, value));
		break;
	case T_UINT:
		json_uint(w, load_uint(type, value));
		break;
	case T_DOUBLE:
		encode_double(w, *(const double *)value);
		break;
	case T_STRING:
		json_string(w, *(const char *const *)value);
		break;
	case T_ENUM:
		json_string(w, enum_name(type->names, *(const int *)value));
		break;
	case T_TEXT:
		encode_own_text(w, type, value);
		break;
	case T_OBJECT:
		encode_object(w, type, value);
		break;
	case T_ARRAY:
		encode_array(w, type, value);
		break;
	case T_MAP:
		encode_map(w, type, value);
		break;
	case T_OPTIONAL:
		if (*(const void *const *)value)
			encode(w, type->item, *(const void *const *)value);
		else
			json_null(w);
		break;
	case T_RAW:
		json_tree(w, *(const json *const *)value);
		break;
	}
}

void encode_text(struct str *out, const struct type *type, const void *value, unsigned indent)
{
	struct json_writer w = JSON_WRITER(out, indent);

	encode(&w, type, value);
}
