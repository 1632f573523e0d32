/* images/compress.c: gzip by ISA-L, zstd by libzstd, or nothing. */
#include "images/compress-internal.h"

#include <isa-l/igzip_lib.h>
#include <zstd.h>

#define OUT_SIZE   (256u * 1024)
#define ZSTD_LEVEL 3
#define GZIP_LEVEL 2

struct compressor {
	enum oci_compression compression;
	compressor_out_fn *out;
	void *user;
	unsigned char *buffer; /* OUT_SIZE */
	struct isal_zstream *gzip;
	unsigned char *gzip_level;
	ZSTD_CCtx *zstd;
};

static err *plain_open(struct compressor *c)
{
	(void)c;
	return NULL;
}

static err *plain_add(struct compressor *c, const void *bytes, size_t len, bool last)
{
	(void)last;
	return len > 0 ? c->out(bytes, len, c->user) : NULL;
}

static err *gzip_open(struct compressor *c)
{
	c->gzip = calloc(1, sizeof *c->gzip);
	c->gzip_level = malloc(ISAL_DEF_LVL2_DEFAULT);
	if (!c->gzip || !c->gzip_level)
		return err_oom();
	isal_deflate_init(c->gzip);
	c->gzip->level = GZIP_LEVEL;
	c->gzip->level_buf = c->gzip_level;
	c->gzip->level_buf_size = ISAL_DEF_LVL2_DEFAULT;
	c->gzip->gzip_flag = IGZIP_GZIP;
	return NULL;
}

static err *gzip_add(struct compressor *c, const void *bytes, size_t len, bool last)
{
	struct isal_zstream *s = c->gzip;

	s->next_in = (uint8_t *)bytes;
	s->avail_in = (uint32_t)len;
	s->end_of_stream = last;
	do {
		s->next_out = c->buffer;
		s->avail_out = OUT_SIZE;
		int code = isal_deflate(s);
		if (code != COMP_OK)
			return err_new(EINVAL, "gzip compression failed (%d)", code);
		if (s->avail_out < OUT_SIZE)
			TRY(c->out(c->buffer, OUT_SIZE - s->avail_out, c->user));
	} while (s->avail_out == 0 || s->avail_in > 0 || (last && s->internal_state.state != ZSTATE_END));
	return NULL;
}

static err *zstd_open(struct compressor *c)
{
	c->zstd = ZSTD_createCCtx();
	if (!c->zstd)
		return err_oom();
	ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_compressionLevel, ZSTD_LEVEL);
	ZSTD_CCtx_setParameter(c->zstd, ZSTD_c_checksumFlag, 1);
	return NULL;
}

static err *zstd_add(struct compressor *c, const void *bytes, size_t len, bool last)
{
	ZSTD_inBuffer in = { bytes, len, 0 };
	size_t left;

	do {
		ZSTD_outBuffer out = { c->buffer, OUT_SIZE, 0 };

		left = ZSTD_compressStream2(c->zstd, &out, &in, last ? ZSTD_e_end : ZSTD_e_continue);
		if (ZSTD_isError(left))
			return err_new(EINVAL, "zstd: %s", ZSTD_getErrorName(left));
		if (out.pos > 0)
			TRY(c->out(c->buffer, out.pos, c->user));
	} while (in.pos < in.size || (last && left > 0));
	return NULL;
}

static const struct {
	err *(*open)(struct compressor *c);
	err *(*add)(struct compressor *c, const void *bytes, size_t len, bool last);
} codecs[] = {
	[OCI_PLAIN] = { plain_open, plain_add },
	[OCI_GZIP] = { gzip_open, gzip_add },
	[OCI_ZSTD] = { zstd_open, zstd_add },
};

err *compressor_new(enum oci_compression compression, compressor_out_fn *out, void *user,
		    struct compressor **ret)
{
	auto_compressor struct compressor *c = calloc(1, sizeof *c);

	if (!c)
		return err_oom();
	*c = (struct compressor){ .compression = compression, .out = out, .user = user };
	c->buffer = malloc(OUT_SIZE);
	if (!c->buffer)
		return err_oom();
	TRY(codecs[compression].open(c));
	*ret = TAKE(c);
	return NULL;
}

err *compressor_add(struct compressor *c, const void *bytes, size_t len)
{
	return codecs[c->compression].add(c, bytes, len, false);
}

err *compressor_finish(struct compressor *c)
{
	return codecs[c->compression].add(c, "", 0, true);
}

void compressor_free(struct compressor *c)
{
	if (!c)
		return;
	ZSTD_freeCCtx(c->zstd);
	free(c->gzip);
	free(c->gzip_level);
	free(c->buffer);
	free(c);
}
