/* base/decode.h: JSON documents as C structs, declared once in tables.
 *
 * A `struct type` describes a C value and its JSON form; a `struct field` row places one in a struct.
 * The same tables decode, fill defaults, check, report with a field path, encode, and print
 * `features` and docs/spec-coverage.md.
 *
 *	static const struct field user_fields[] = {
 *		FIELD(struct oci_user, "uid",            uid,    t_u32,     REQUIRED, NULL),
 *		FIELD(struct oci_user, "umask",          umask,  opt_u32,   0,        NULL),
 *		FIELD(struct oci_user, "additionalGids", groups, u32_array, 0,        NULL),
 *		{0}
 *	};
 *	const struct type t_user = OBJECT("user", struct oci_user, user_fields);
 *
 * C forms
 *	T_BOOL bool; T_INT int8..64_t and T_UINT uint8..64_t by size; T_DOUBLE double;
 *	T_STRING const char * (NULL: absent); T_ENUM int; T_TEXT a value that is written as text
 *	(a digest, a time), parsed and formatted by its type, absent while all its bytes are zero;
 *	T_OBJECT the struct itself; T_ARRAY LIST(item); T_MAP LIST(entry) with the key first;
 *	T_OPTIONAL a pointer to the item's C form (NULL: absent); T_RAW const json *.
 * Everything decoded lives in the caller's arena.
 *
 * JSON null is an absent value, as Go's encoders write it. Unknown keys are passed over with a debug
 * warning unless the object's type says STRICT. Errors name document, line and path:
 * "config.json:12:9: process.rlimits[1].type: unknown resource limit 'RLIMIT_FOO'". */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "base/json.h"
#include "base/str.h"
#include "base/strv.h"

/* Counted items in the arena. */
#define LIST(T) struct { T *items; size_t count; }

enum type_kind {
	T_BOOL, T_INT, T_UINT, T_DOUBLE, T_STRING, T_ENUM, T_TEXT,
	T_OBJECT, T_ARRAY, T_MAP, T_OPTIONAL, T_RAW,
};

enum type_flags {
	STRICT = 1 << 0,    /* object: an unknown key is an error (Stube's own formats) */
	WARN = 1 << 1,      /* enum: an unknown value is skipped in a list, left at -1 elsewhere, and
	                       collected as a warning (runtime-spec: unknown capabilities) */
	NOT_EMPTY = 1 << 2, /* string, array, map: at least one byte or item */
	KEEP_EMPTY = 1 << 3, /* array, map: written even when empty */
	OR_NUMBER = 1 << 4,  /* text: a JSON number is understood too, as it is written */
	AS_NUMBER = 1 << 5,  /* text: written as a JSON number while it is digits only */
};

enum field_flags {
	REQUIRED = 1 << 0,    /* absent or null is an error */
	UNSUPPORTED = 1 << 1, /* known to the specification, refused by us when present; where the row
	                         has a default, that value and empty ones are accepted */
	IGNORED = 1 << 2,     /* known, accepted, without effect (of another platform, obsolete) */
	OMIT_ZERO = 1 << 3,   /* encode: leave out while all bytes of the value are zero */
	EMPTY_ABSENT = 1 << 4, /* a string: "" is an absent value, as Go's encoders write it */
};

struct enum_name {
	const char *name; /* ends with NULL */
	int value;
};

struct decoder;
struct type {
	enum type_kind kind;
	const char *name; /* what messages call the value: "capability", "absolute path" */
	size_t size;      /* of the C form */
	unsigned flags;
	int64_t min;      /* T_INT */
	uint64_t max;     /* numbers: upper bound; strings: bytes; lists: items; 0: only the kind's own */
	uint64_t low;     /* T_UINT */
	const struct type *item;          /* of T_ARRAY, T_MAP, T_OPTIONAL */
	size_t value_offset, entry_size;  /* T_MAP: of the value in an entry; an entry */
	const struct field *fields;       /* T_OBJECT */
	const struct enum_name *names;    /* T_ENUM */
	/* Further check of a decoded value, or NULL: a reason such as "is not an absolute path". */
	const char *(*check)(const void *value);
	/* T_TEXT: fill the zeroed value, or say why not: "has an unknown algorithm"; and write it. */
	const char *(*parse)(const char *text, void *value);
	void (*format)(const void *value, struct str *out);
};

struct field {
	const char *key;
	size_t offset;
	size_t size; /* of the member; a unit test compares it with the type's */
	const struct type *type;
	unsigned flags;
	const char *absent; /* JSON text of the default, or NULL: all bytes zero */
};

/* clang-format off */
#define FIELD(S, key, member, type, flags, absent) \
	{ key, offsetof(S, member), sizeof(((S *)NULL)->member), &(type), flags, absent }
/* A key that the specification knows and no member holds: UNSUPPORTED or IGNORED. */
#define KNOWN(key, flags)                 { key, 0, 0, &t_raw, flags, NULL }
#define NOT_YET(key, absent)              { key, 0, 0, &t_raw, UNSUPPORTED, absent }
#define OBJECT(name_, S, fields_)         { .kind = T_OBJECT, .name = name_, .size = sizeof(S), .fields = fields_ }
#define OBJECT_STRICT(name_, S, fields_)  { .kind = T_OBJECT, .name = name_, .size = sizeof(S), .fields = fields_, .flags = STRICT }
#define ENUM(name_, names_)               { .kind = T_ENUM, .name = name_, .size = sizeof(int), .names = names_ }
#define ENUM_WARN(name_, names_)          { .kind = T_ENUM, .name = name_, .size = sizeof(int), .names = names_, .flags = WARN }
#define ARRAY_OF(item_)                   { .kind = T_ARRAY, .name = "array", .size = sizeof(LIST(void)), .item = &(item_) }
#define ARRAY_OF_MAX(item_, max_)         { .kind = T_ARRAY, .name = "array", .size = sizeof(LIST(void)), .item = &(item_), .max = max_ }
#define MAP_OF(item_, E, value_)          { .kind = T_MAP, .name = "object", .size = sizeof(LIST(void)), .item = &(item_), \
                                            .value_offset = offsetof(E, value_), .entry_size = sizeof(E) }
#define OPTIONAL(item_)                   { .kind = T_OPTIONAL, .name = "optional", .size = sizeof(void *), .item = &(item_) }
#define STRING_CHECKED(name_, check_)     { .kind = T_STRING, .name = name_, .size = sizeof(char *), .check = check_ }
#define TEXT(name_, T, parse_, format_)   { .kind = T_TEXT, .name = name_, .size = sizeof(T), .parse = parse_, .format = format_ }
#define INT_RANGE(name_, T, min_, max_)   { .kind = T_INT, .name = name_, .size = sizeof(T), .min = min_, .max = max_ }
#define UINT_RANGE(name_, T, low_, max_)  { .kind = T_UINT, .name = name_, .size = sizeof(T), .low = low_, .max = max_ }
/* clang-format on */

/* Types that every module needs. */
extern const struct type t_bool, t_i32, t_i64, t_u16, t_u32, t_u64, t_double, t_string;
extern const struct type t_nonempty;  /* string of at least one byte */
extern const struct type t_abs_path;  /* string that begins with a slash */
extern const struct type t_raw;       /* const json *: kept as parsed, encoded as it stands */
extern const struct type t_strings;   /* struct strings */
extern const struct type t_string_map;/* struct string_map */
extern const struct type opt_bool, opt_i32, opt_i64, opt_u16, opt_u32, opt_u64;

struct strings {
	const char **items;
	size_t count;
};
struct string_pair {
	const char *key;
	const char *value;
};
struct string_map {
	struct string_pair *items;
	size_t count;
};
/* Value of `key`, or NULL. */
const char *string_map_get(const struct string_map *map, const char *key);

/* A named check between the fields of a decoded document. `d` gives decoder_fail(). */
struct rule {
	const char *name;
	err *(*check)(const void *document, struct decoder *d);
};

struct decoder {
	struct arena *arena;   /* where the result lives; borrowed */
	const char *name;      /* of the document in messages: "config.json" */
	struct strv *warnings; /* may be NULL: dropped; lines like "config.json:3:9: a.b[1]: ..." */
	struct strv *unknown;  /* may be NULL; paths of unknown keys that were passed over */
	const json *tree;      /* set while rules run, so that their messages find the line */
	bool own_tree; /* set by decode_text(): the tree lives in the arena, so its texts need no copies */
	/* For documents of a program that may be newer, never for what is to be run: unknown keys of STRICT
	 * objects and UNSUPPORTED fields are passed over, an unknown enum value is left out of a list and 0
	 * elsewhere. */
	bool lenient;
};

/* Parse `text` and decode it as `type` into *value (type->size bytes), then apply `rules` (ends with
 * {0}; may be NULL). On failure the content of *value is undefined and must not be used. */
err *decode_text(struct decoder *d, const struct type *type, const struct rule *rules,
		 const char *text, size_t len, void *value) MUST_CHECK;

/* The same from a file of the caller. */
err *decode_file(struct decoder *d, const struct type *type, const struct rule *rules, int dir_fd,
		 const char *path, void *value) MUST_CHECK;

/* The same from a tree. */
err *decode_tree(struct decoder *d, const struct type *type, const struct rule *rules,
		 const json *tree, void *value) MUST_CHECK;

/* Fill a C value with the defaults of its type, as decoding "{}" would, without required checks. */
err *decode_defaults(struct arena *arena, const struct type *type, void *value) MUST_CHECK;

/* For rules: an error, or a warning, at a path: "config.json:7:3: linux.uidMappings: ...". The place is
 * that of the deepest part of the path that the document has. An empty path is the document. */
err *decoder_fail(struct decoder *d, const char *path, const char *fmt, ...) PRINTF(3, 4) MUST_CHECK;
void decoder_warn(struct decoder *d, const char *path, const char *fmt, ...) PRINTF(3, 4);

/* Write a value. Absent values (NULL, empty lists without KEEP_EMPTY, enum values named "", OMIT_ZERO) are left out. */
void encode(struct json_writer *w, const struct type *type, const void *value);

/* encode() as text; indent as in base/json.h. */
void encode_text(struct str *out, const struct type *type, const void *value, unsigned indent);

/* Name of an enum value, or NULL; value of a name, or -1 when unknown. */
const char *enum_name(const struct enum_name *names, int value);
int enum_value(const struct enum_name *names, const char *name);
