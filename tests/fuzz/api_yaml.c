/* tests/fuzz/api_yaml.c: any bytes as YAML; what is read is written, and read again it is the same. */
#include <stdint.h>

#include "api/patch.h"
#include "api/yaml.h"

static err *write_and_read(struct arena *arena, const json *tree)
{
	auto_str struct str text = STR_INIT(YAML_SIZE_MAX);
	json **again;
	size_t count;

	yaml_write(&text, tree);
	if (text.failed) /* aliases make more than fits */
		return NULL;
	TRY(yaml_parse(arena, "again", text.data, text.len, &again, &count));
	if (count != 1 || !json_equal(tree, again[0]))
		return err_new(EINVAL, "not the same: %s", text.data);
	return NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena *arena = NULL;
	json **documents;
	size_t count;
	err *e = arena_new(256 << 20, &arena);

	if (!e)
		e = yaml_parse(arena, "fuzz", (const char *)data, size, &documents, &count);
	for (size_t i = 0; !e && i < count; i++) {
		e = write_and_read(arena, documents[i]);
		if (e)
			__builtin_trap();
	}
	err_free(e);
	return 0;
}
