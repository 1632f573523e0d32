/* tests/fuzz/api_config.c: any bytes as the file that says how a cluster is reached; what is understood is
 * written and read. */
#include <stdint.h>

#include "api/config.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena *arena = NULL;
	auto_str struct str text = STR_INIT(4 << 20);
	struct api_config config, again;
	err *e = arena_new(64 << 20, &arena);

	if (!e) /* no file is opened: -1 is no folder */
		e = api_config_parse(arena, "fuzz", (const char *)data, size, -1, &config);
	if (!e)
		api_config_write(&text, &config);
	if (!e && !text.failed) {
		e = api_config_parse(arena, "again", text.data, text.len, -1, &again);
		if (e || !str_equal(config.server, again.server) || !str_equal(config.key, again.key))
			__builtin_trap();
	}
	err_free(e);
	return 0;
}
