/* tests/fuzz/images_ref.c: any bytes as a ref file and as the name of one. */
#include <stdint.h>

#include "images/store-internal.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	auto_arena struct arena *arena = NULL;
	struct image_ref ref = { 0 };
	char file[256], name[256], again[256], line[512], digest[DIGEST_TEXT_MAX];
	err *e = arena_new(1 << 20, &arena);

	if (!e)
		e = ref_parse(arena, "fuzz", (const char *)data, size, &ref);
	if (!e) {
		/* What was accepted is one line with these three fields, maybe with more spaces. */
		int len = snprintf(line, sizeof line, "%s %lld %s\n", digest_text(&ref.digest, digest),
				   (long long)ref.size, ref.media_type);
		struct image_ref same;

		e = ref_parse(arena, "fuzz", line, (size_t)len, &same);
		if (e || !digest_equal(&same.digest, &ref.digest) || same.size != ref.size || ref.size < 0)
			__builtin_trap();
	}
	err_free(e);
	if (size == 0 || size > 255 || memchr(data, '\0', size))
		return 0;
	memcpy(file, data, size);
	file[size] = '\0';
	if (ref_unescape(file, name) &&
	    (!ref_escape(name, again) || !str_equal(again, file) || strchr(file, '/')))
		__builtin_trap();
	if (ref_escape(file, name) &&
	    (strchr(name, '/') || *name == '.' || !ref_unescape(name, again) || !str_equal(again, file)))
		__builtin_trap();
	return 0;
}
