/* images/decompress.h: the bytes of a layer blob to the bytes of its tar, as a stream with limits.
 * Spec: image-spec layer.md (tar, tar+gzip, tar+zstd); RFC 1952 (several gzip members are one
 * stream), RFC 8878 (several frames are one stream, skippable frames give nothing).
 * Libraries: ISA-L igzip and libzstd, seen only in images/decompress.c and images/compress.c.
 *
 * The input is a stranger's: every limit is checked before the bytes are handed on. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"
#include "oci/image.h"

/* A window of 2^27 bytes is the most that zstd's --long=27 asks for; the format allows 2 TB. */
#define DECOMPRESS_WINDOW_LOG_MAX 27

struct decompressor;

/* The stream may always give `always` bytes, and beyond that `ratio` times the bytes it was fed so far:
 * what a descriptor claims about its size does not count. More is EFBIG. */
err *decompressor_new(enum oci_compression compression, uint64_t always, uint64_t ratio,
		      struct decompressor **ret) MUST_CHECK;
void decompressor_free(struct decompressor *d);
DEFINE_CLEANUP(struct decompressor *, decompressor_free)
#define auto_decompressor CLEANUP(decompressor_free)

/* Decompress from *in into `out`. On return *in and *in_len are advanced past what was taken and
 * *ret_out is how many bytes were written. Call again with a fresh buffer while *in_len > 0 or
 * *ret_out == out_size; both 0 means: more input is needed. Errors: EBADMSG for input that is no
 * such stream; EFBIG over the limit or window. */
err *decompressor_run(struct decompressor *d, const unsigned char **in, size_t *in_len, unsigned char *out,
		      size_t out_size, size_t *ret_out) MUST_CHECK;

/* After the last input: EBADMSG when the stream is cut short. */
err *decompressor_finish(struct decompressor *d) MUST_CHECK;
