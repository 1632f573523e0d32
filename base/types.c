/* base/types.c: the JSON types that every module needs. */
#include "base/decode.h"

/* clang-format off */
const struct type t_bool   = { .kind = T_BOOL,   .name = "boolean", .size = sizeof(bool) };
const struct type t_i32    = { .kind = T_INT,    .name = "number",  .size = sizeof(int32_t) };
const struct type t_i64    = { .kind = T_INT,    .name = "number",  .size = sizeof(int64_t) };
const struct type t_u16    = { .kind = T_UINT,   .name = "number",  .size = sizeof(uint16_t) };
const struct type t_u32    = { .kind = T_UINT,   .name = "number",  .size = sizeof(uint32_t) };
const struct type t_u64    = { .kind = T_UINT,   .name = "number",  .size = sizeof(uint64_t) };
const struct type t_double = { .kind = T_DOUBLE, .name = "number",  .size = sizeof(double) };
const struct type t_string = { .kind = T_STRING, .name = "string",  .size = sizeof(char *) };
const struct type t_raw    = { .kind = T_RAW,    .name = "value",   .size = sizeof(json *) };
/* clang-format on */

const struct type t_nonempty = {
	.kind = T_STRING, .name = "string", .size = sizeof(char *), .flags = NOT_EMPTY
};

static const char *check_abs_path(const void *value)
{
	return **(const char *const *)value == '/' ? NULL : "is not an absolute path";
}

const struct type t_abs_path = STRING_CHECKED("absolute path", check_abs_path);
const struct type t_strings = ARRAY_OF(t_string);
const struct type t_string_map = MAP_OF(t_string, struct string_pair, value);

const struct type opt_bool = OPTIONAL(t_bool);
const struct type opt_i32 = OPTIONAL(t_i32);
const struct type opt_i64 = OPTIONAL(t_i64);
const struct type opt_u16 = OPTIONAL(t_u16);
const struct type opt_u32 = OPTIONAL(t_u32);
const struct type opt_u64 = OPTIONAL(t_u64);
