/* tests/fuzz/images.h: what the harnesses of layers share: inputs as files, and mutations that keep tar
 * headers valid, since otherwise nearly every input would end at a checksum. */
#pragma once
#include <stdint.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/fd.h"
#include "images/layer.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len);
size_t LLVMFuzzerMutate(uint8_t *bytes, size_t len, size_t max);
size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t max, unsigned seed);

size_t LLVMFuzzerCustomMutator(uint8_t *bytes, size_t len, size_t max, unsigned seed)
{
	(void)seed;
	len = LLVMFuzzerMutate(bytes, len, max);
	for (size_t at = 0; at + 512 <= len; at += 512) {
		unsigned sum = 8 * ' ';
		char text[8];

		if (memcmp(bytes + at + 257, "ustar", 5) != 0)
			continue;
		for (size_t i = 0; i < 512; i++)
			sum += i >= 148 && i < 156 ? 0 : bytes[at + i];
		snprintf(text, sizeof text, "%06o", sum & 0777777);
		memcpy(bytes + at + 148, text, 7);
		bytes[at + 155] = ' ';
	}
	return len;
}

/* An honest layer of this size stays far below; a hostile one must not take the fuzzer's time. */
static const struct layer_limits fuzz_limits = {
	.entries = 2000,
	.memory = 16u << 20,
	.path = 1000,
	.depth = 64,
	.xattrs = 4096,
	.file_size = 64u << 20,
	.extents = 4096,
};

static inline int fuzz_file(const uint8_t *bytes, size_t len)
{
	int fd = memfd_create("tar", MFD_CLOEXEC);

	if (fd < 0)
		abort();
	err_free(fd_write_all(fd, bytes, len));
	return fd;
}
