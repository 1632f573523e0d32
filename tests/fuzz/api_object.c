/* tests/fuzz/api_object.c: any bytes as an object; what is accepted is copied, written and read again. */
#include <stdint.h>

#include "api/kinds.h"
#include "api/status.h"

/* Copying and writing lose nothing, and what was read once is read again. */
static err *again(struct arena *arena, const struct object *object)
{
	auto_str struct str first = STR_INIT(16 << 20), second = STR_INIT(16 << 20);
	struct object *copy, *decoded;
	char hash[17];

	TRY(object_copy(arena, object, &copy));
	object_encode(&first, copy, 0);
	TRY(object_decode(arena, "again", first.data, first.len, NULL, 0, &decoded));
	object_encode(&second, decoded, 0);
	if (!str_equal(first.data, second.data) || !object_same_spec(object, decoded))
		return err_new(EINVAL, "not the same");
	object_hash(kind_of(object)->type, object, hash);
	return object_check(object);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena *arena = NULL;
	struct object *object;
	err *e = arena_new(64 << 20, &arena);

	if (!e)
		e = object_decode(arena, "fuzz", (const char *)data, size, NULL, 0, &object);
	if (!e) {
		e = again(arena, object);
		if (e)
			__builtin_trap();
	}
	err_free(e);
	/* The same bytes from a server that may be newer. */
	e = object_decode(arena, "fuzz", (const char *)data, size, NULL, OBJECT_LENIENT, &object);
	if (!e)
		e = object_copy(arena, object, &object);
	err_free(e);
	err_free(status_decode(500, (const char *)data, size));
	return 0;
}
