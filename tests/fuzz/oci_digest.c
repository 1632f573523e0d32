/* tests/fuzz/oci_digest.c: the digest parser takes any text; what it accepts is exactly what it prints. */
#include <stddef.h>
#include <stdint.h>

#include "oci/config.h"
#include "oci/digest.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	auto_free char *text = strndup((const char *)bytes, len);
	char form[DIGEST_TEXT_MAX], path[64];
	struct digest d;
	err *e = text ? digest_parse(text, &d) : NULL;

	if (text && !e && strcmp(digest_text(&d, form), text) != 0)
		abort();
	err_free(e);
	e = text ? digest_parse_file_name(text, &d) : NULL;
	if (text && !e && (strcmp(digest_file_name(&d, form), text) != 0 || strchr(form, '/')))
		abort();
	err_free(e);
	/* The other small parser of names: a path that it gives never leaves its directory. */
	if (text && oci_sysctl_path(text, path, sizeof path) && (*path == '/' || strstr(path, "//")))
		abort();
	return 0;
}
