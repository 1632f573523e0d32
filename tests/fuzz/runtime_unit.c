/* tests/fuzz/runtime_unit.c: messages of stube-systemd, values of annotations, paths: the first byte says
 * which. */
#include <stddef.h>
#include <stdint.h>

#include "runtime/unit-message.h"
#include "runtime/unit.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

/* What was read is written as it was: nothing in it is passed over. */
static void request(struct arena *arena, const uint8_t *bytes, size_t len)
{
	auto_str struct str again = STR_INIT(UNIT_MESSAGE_MAX);
	struct unit_request r;
	err *e = unit_request_decode(arena, bytes, len, &r);

	if (!e) {
		unit_request_encode(&again, &r);
		if (again.len != len || memcmp(again.data, bytes, len) != 0)
			abort();
	}
	err_free(e);
}

static void reply(struct arena *arena, const uint8_t *bytes, size_t len)
{
	struct unit_reply r;

	IGNORE(unit_reply_decode(arena, bytes, len, &r));
}

static void value(struct arena *arena, const uint8_t *bytes, size_t len)
{
	auto_free char *text = strndup((const char *)bytes, len);
	struct unit_property p;

	if (text)
		IGNORE(unit_parse_value(arena, "TimeoutStopSec", text, &p));
	if (text)
		IGNORE(unit_parse_value(arena, "After", text, &p));
}

/* Whatever comes out is one component of a path. */
static void path(struct arena *arena, const uint8_t *bytes, size_t len)
{
	auto_free char *text = strndup((const char *)bytes, len);
	const char *slice = NULL, *name = NULL;
	err *e = text ? unit_parse_path(arena, text, "id", false, &slice, &name) : NULL;

	if (text && !e &&
	    (strchr(slice, '/') || strchr(name, '/') || name[0] == '.' || strlen(name) > UNIT_NAME_MAX))
		abort();
	err_free(e);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	static void (*const parsers[])(struct arena *, const uint8_t *, size_t) = { request, reply, value,
										    path };
	auto_arena struct arena *arena = NULL;

	if (len < 1 || len > 1 << 15)
		return 0;
	IGNORE(arena_new(8 << 20, &arena));
	parsers[bytes[0] % ARRAY_LEN(parsers)](arena, bytes + 1, len - 1);
	return 0;
}
