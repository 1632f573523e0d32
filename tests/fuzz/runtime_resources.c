/* tests/fuzz/runtime_resources.c: the document of `update --resources`, down to what would be written into the cgroup. */
#include "tests/fuzz/oci.h"

#include "oci/config.h"
#include "runtime/cgroup.h"

static err *decode(struct arena *arena, const char *text, size_t len, const void **ret)
{
	auto_strv struct strv warnings = STRV_INIT(1000);

	return oci_resources_decode(arena, "fuzz", text, len, &warnings, (const struct oci_resources **)ret);
}

/* A row names one file of the directory, never a path, and its value is one line at a time for the kernel. */
static void check_row(const struct cgroup_limit *row)
{
	if (!row->file || !row->value || !row->field || strchr(row->file, '/') || strlen(row->file) > 255 ||
	    strcmp(row->file, "..") == 0)
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	auto_arena struct arena *arena = NULL;
	const void *document = NULL;
	struct cgroup_limits limits = { 0 };

	IGNORE(arena_new(16 << 20, &arena));
	err *e = decode(arena, (const char *)bytes, len, &document);
	if (!e)
		e = cgroup_limits(arena, document, &limits);
	for (size_t i = 0; !e && i < limits.count; i++)
		check_row(&limits.items[i]);
	err_free(e);
	return fuzz_document(bytes, len, decode, &t_oci_resources);
}
