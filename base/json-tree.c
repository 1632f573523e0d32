/* base/json-tree.c: reading a parsed JSON tree. */
#include "base/json.h"

#include <math.h>

const char *json_kind_name(enum json_kind kind)
{
	static const char *const names[] = {
		[JSON_NULL] = "null",     [JSON_BOOL] = "boolean", [JSON_NUMBER] = "number",
		[JSON_STRING] = "string", [JSON_ARRAY] = "array",  [JSON_OBJECT] = "object",
	};

	return names[kind];
}

json *json_get(const json *object, const char *key)
{
	if (!object || object->kind != JSON_OBJECT)
		return NULL;
	for (size_t i = 0; i < object->object.count; i++)
		if (strcmp(object->object.members[i].key, key) == 0)
			return object->object.members[i].value;
	return NULL;
}

const char *json_get_string(const json *object, const char *key)
{
	const json *value = json_get(object, key);

	return value && value->kind == JSON_STRING ? value->text : NULL;
}

bool json_to_i64(const json *number, int64_t *ret)
{
	return number->kind == JSON_NUMBER && str_to_i64(number->text, ret);
}

bool json_to_u64(const json *number, uint64_t *ret)
{
	return number->kind == JSON_NUMBER && str_to_u64(number->text, ret);
}

bool json_to_double(const json *number, double *ret)
{
	if (number->kind != JSON_NUMBER)
		return false;
	*ret = strtod(number->text, NULL);
	return isfinite(*ret);
}
