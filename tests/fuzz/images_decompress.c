/* tests/fuzz/images_decompress.c: any bytes as gzip or zstd, in pieces; the ceiling holds, both ways of
 * cutting agree. */
#include <stdint.h>
#include <stdlib.h>

#include "images/decompress.h"

#define ALWAYS 65536
#define RATIO  4

/* Unpack with pieces and buffers of these sizes; the sum stands for the bytes. */
static err *run(enum oci_compression compression, const uint8_t *bytes, size_t len, size_t piece,
		size_t out_size, uint64_t *ret_count, uint64_t *ret_sum)
{
	auto_decompressor struct decompressor *d = NULL;
	unsigned char out[4096];

	TRY(decompressor_new(compression, ALWAYS, RATIO, &d));
	for (size_t at = 0; at < len; at += piece) {
		const unsigned char *in = bytes + at;
		size_t in_len = MIN(piece, len - at);
		size_t n;

		do {
			TRY(decompressor_run(d, &in, &in_len, out, out_size, &n));
			if (n > out_size || in < bytes || in > bytes + len)
				__builtin_trap();
			*ret_count += n;
			for (size_t i = 0; i < n; i++)
				*ret_sum = *ret_sum * 31 + out[i];
		} while (in_len > 0 || n == out_size);
	}
	return decompressor_finish(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	uint64_t count[2] = { 0 }, sum[2] = { 0 };

	if (size < 2)
		return 0;
	enum oci_compression compression = data[0] % 3;
	err *whole = run(compression, data + 2, size - 2, size, 4096, &count[0], &sum[0]);
	err *pieces =
		run(compression, data + 2, size - 2, 1 + data[1] % 32, 1 + data[1] / 2, &count[1], &sum[1]);

	if (!whole != !pieces || (!whole && (count[0] != count[1] || sum[0] != sum[1])))
		__builtin_trap();
	if (count[0] > MAX((uint64_t)ALWAYS, RATIO * (uint64_t)size))
		__builtin_trap();
	err_free(whole);
	err_free(pieces);
	return 0;
}
