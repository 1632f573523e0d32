/* base/json.h: JSON text to a tree that remembers where everything stood, and the writer.
 *
 * The parser refuses what hides attacks: duplicate keys, NUL in strings, comments, trailing bytes,
 * invalid UTF-8, depth and size over the limits. Spec: RFC 8259. Library: yajl, seen only in
 * base/json*.c. Nodes live in the caller's arena and borrow nothing from the text. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/str.h"

enum json_kind { JSON_NULL, JSON_BOOL, JSON_NUMBER, JSON_STRING, JSON_ARRAY, JSON_OBJECT };

typedef struct json json;
struct json_member {
	const char *key;
	json *value;
};
struct json {
	enum json_kind kind;
	uint32_t line, column; /* where the value begins; from 1 */
	union {
		bool boolean;
		const char *text; /* JSON_STRING: the bytes, NUL-terminated; JSON_NUMBER: as written */
		struct {
			json **items;
			size_t count;
		} array;
		struct {
			struct json_member *members; /* in the order of the text */
			size_t count;
		} object;
	};
};

#define JSON_DEPTH_MAX 64
#define JSON_SIZE_MAX  (4u << 20) /* bytes of text; as registries and engines limit manifests */

/* Parse one document of `len` bytes. `name` is what errors call it ("config.json"):
 * "config.json:2:14: duplicate key 'x'". Errors: EINVAL; EFBIG over JSON_SIZE_MAX. */
err *json_parse(struct arena *arena, const char *name, const char *text, size_t len, json **ret) MUST_CHECK;

/* "object", "string", ...: for messages. */
const char *json_kind_name(enum json_kind kind);

/* Member of an object, or NULL when it is missing or `object` is no object. */
json *json_get(const json *object, const char *key);

/* Text of a string member, or NULL. */
const char *json_get_string(const json *object, const char *key);

/* Whole numbers; false for fractions, exponents and values out of range. */
bool json_to_i64(const json *number, int64_t *ret) MUST_CHECK;
bool json_to_u64(const json *number, uint64_t *ret) MUST_CHECK;
bool json_to_double(const json *number, double *ret) MUST_CHECK;

/* The writer appends to a string; commas, quotes and escapes are its work. indent 0 gives one line
 * without spaces; otherwise that many spaces a level. */
struct json_writer {
	struct str *out;
	unsigned indent;
	unsigned depth;
	bool first;     /* nothing yet in the open container */
	bool after_key;
};
#define JSON_WRITER(str, spaces) { .out = (str), .indent = (spaces), .first = true }

void json_begin_object(struct json_writer *w);
void json_end_object(struct json_writer *w);
void json_begin_array(struct json_writer *w);
void json_end_array(struct json_writer *w);
void json_key(struct json_writer *w, const char *key);
void json_null(struct json_writer *w);
void json_bool(struct json_writer *w, bool value);
void json_int(struct json_writer *w, int64_t value);
void json_uint(struct json_writer *w, uint64_t value);
void json_number_text(struct json_writer *w, const char *text);
void json_string(struct json_writer *w, const char *value); /* NULL is written as null */
void json_tree(struct json_writer *w, const json *node);

/* "key": "value" and its like in one call. */
void json_member_string(struct json_writer *w, const char *key, const char *value);
void json_member_int(struct json_writer *w, const char *key, int64_t value);
void json_member_uint(struct json_writer *w, const char *key, uint64_t value);
void json_member_bool(struct json_writer *w, const char *key, bool value);

/* Only the quoted, escaped string. Bytes that are no UTF-8 become U+FFFD. */
void json_quote(struct str *out, const char *value);
