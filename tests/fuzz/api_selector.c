/* tests/fuzz/api_selector.c: any text as selectors; what is accepted is written and read again. */
#include <stdint.h>

#include "api/kinds.h"
#include "api/selector.h"

static err *again(struct arena *arena, const struct label_selector *s)
{
	auto_str struct str first = STR_INIT(1 << 20), second = STR_INIT(1 << 20);
	const struct label_selector *read;

	label_selector_format(s, &first);
	TRY(label_selector_parse(arena, first.data, &read));
	label_selector_format(read, &second);
	return str_equal(first.data, second.data) ? NULL : err_new(EINVAL, "not the same");
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena *arena = NULL;
	const struct label_selector *labels;
	const struct field_selector *fields;
	struct object *pod;
	err *e = arena_new(64 << 20, &arena);
	char *text = e ? NULL : arena_strndup(arena, (const char *)data, size);

	if (!text)
		return 0;
	e = label_selector_parse(arena, text, &labels);
	if (!e) {
		(void)label_selector_matches(labels, &labels->match_labels);
		e = again(arena, labels);
		if (e && e->code == EINVAL)
			__builtin_trap();
	}
	err_free(e);
	e = object_new(arena, &kinds[KIND_POD], &pod);
	if (!e)
		e = field_selector_parse(arena, &kinds[KIND_POD], text, &fields);
	if (!e)
		(void)field_selector_matches(fields, pod);
	err_free(e);
	return 0;
}
