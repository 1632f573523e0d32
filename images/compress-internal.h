/* images/compress-internal.h: the bytes of a tar to the bytes of a blob, as a stream. */
#pragma once
#include <stdint.h>
#include "base/err.h"
#include "base/macro.h"
#include "oci/image.h"

struct compressor;
typedef err *compressor_out_fn(const void *bytes, size_t len, void *user);

/* Output is given to out() in pieces. zstd (level 3, one thread, checksum) gives the same bytes everywhere;
 * gzip is ISA-L's, whose bytes also depend on the processor's vector instructions. */
err *compressor_new(enum oci_compression compression, compressor_out_fn *out, void *user,
		    struct compressor **ret) MUST_CHECK;
err *compressor_add(struct compressor *c, const void *bytes, size_t len) MUST_CHECK;
err *compressor_finish(struct compressor *c) MUST_CHECK;
void compressor_free(struct compressor *c);
DEFINE_CLEANUP(struct compressor *, compressor_free)
#define auto_compressor CLEANUP(compressor_free)
