/* images/decompress.c: gzip by ISA-L, zstd by libzstd, plain tar, behind one streaming interface. */
#include "images/decompress.h"

#include <isa-l/igzip_lib.h>
#include <zstd.h>

struct decompressor {
	enum oci_compression compression;
	uint64_t in, out;
	uint64_t always, ratio; /* the ceiling of `out` */
	bool between; /* before the first byte of a gzip member or zstd frame: a good place to end */
	bool any;     /* at least one member or frame was complete */
	bool padding; /* gzip: zero bytes after the last member, as tape blocks have them */
	union {
		struct inflate_state *gzip;
		ZSTD_DCtx *zstd;
	};
};

static err *gzip_open(struct decompressor *d)
{
	d->gzip = calloc(1, sizeof *d->gzip);
	if (!d->gzip)
		return err_oom();
	isal_inflate_init(d->gzip);
	d->gzip->crc_flag = ISAL_GZIP;
	return NULL;
}

static void gzip_close(struct decompressor *d)
{
	free(d->gzip);
}

static err *gzip_failure(int code)
{
	static const struct {
		int code;
		const char *reason;
	} reasons[] = {
		{ ISAL_INVALID_WRAPPER, "is not gzip" },
		{ ISAL_UNSUPPORTED_METHOD, "uses an unknown compression method" },
		{ ISAL_INCORRECT_CHECKSUM, "does not match its checksum" },
		{ ISAL_INVALID_BLOCK, "has an invalid block" },
		{ ISAL_INVALID_SYMBOL, "has an invalid symbol" },
		{ ISAL_INVALID_LOOKBACK, "refers to bytes before its start" },
	};

	for (size_t i = 0; i < ARRAY_LEN(reasons); i++)
		if (reasons[i].code == code)
			return err_new(EBADMSG, "gzip stream %s", reasons[i].reason);
	return err_new(EBADMSG, "gzip stream is damaged (%d)", code);
}

/* Between members: take zero padding; a next member starts the inflater anew. */
static err *gzip_next_member(struct decompressor *d, const unsigned char **in, size_t *in_len)
{
	while (d->any && *in_len > 0 && **in == 0) {
		d->padding = true;
		(*in)++;
		(*in_len)--;
	}
	if (*in_len == 0)
		return NULL;
	if (d->padding)
		return err_new(EBADMSG, "gzip stream has other bytes behind its end");
	isal_inflate_reset(d->gzip);
	d->gzip->crc_flag = ISAL_GZIP;
	d->between = false;
	return NULL;
}

static err *gzip_run(struct decompressor *d, const unsigned char **in, size_t *in_len, unsigned char *out,
		     size_t out_size, size_t *ret_out)
{
	struct inflate_state *s = d->gzip;

	if (d->between) {
		TRY(gzip_next_member(d, in, in_len));
		if (*in_len == 0)
			return NULL;
	}
	s->next_in = (unsigned char *)*in;
	s->avail_in = (uint32_t)MIN(*in_len, (size_t)UINT32_MAX);
	s->next_out = out;
	s->avail_out = (uint32_t)MIN(out_size, (size_t)UINT32_MAX);
	int code = isal_inflate(s);
	size_t taken = (size_t)(s->next_in - *in);
	*in += taken;
	*in_len -= taken;
	*ret_out = (size_t)(s->next_out - out);
	if (code != ISAL_DECOMP_OK && code != ISAL_END_INPUT && code != ISAL_OUT_OVERFLOW)
		return gzip_failure(code);
	if (s->block_state != ISAL_BLOCK_FINISH)
		return NULL;
	/* The member is complete and its checksum was right. What the bit reader took beyond the
	 * trailer belongs to the next member; it never takes more than this call gave it. */
	size_t back = (size_t)s->read_in_length / 8;
	*in -= MIN(back, taken);
	*in_len += MIN(back, taken);
	d->any = d->between = true;
	return NULL;
}

static err *zstd_open(struct decompressor *d)
{
	d->zstd = ZSTD_createDCtx();
	if (!d->zstd)
		return err_oom();
	size_t code = ZSTD_DCtx_setParameter(d->zstd, ZSTD_d_windowLogMax, DECOMPRESS_WINDOW_LOG_MAX);
	return ZSTD_isError(code) ? err_new(EINVAL, "zstd: %s", ZSTD_getErrorName(code)) : NULL;
}

static void zstd_close(struct decompressor *d)
{
	ZSTD_freeDCtx(d->zstd);
}

static err *zstd_run(struct decompressor *d, const unsigned char **in, size_t *in_len, unsigned char *out,
		     size_t out_size, size_t *ret_out)
{
	ZSTD_inBuffer input = { *in, *in_len, 0 };
	ZSTD_outBuffer output = { out, out_size, 0 };

	if (d->between && *in_len == 0)
		return NULL;
	size_t code = ZSTD_decompressStream(d->zstd, &output, &input);
	*in += input.pos;
	*in_len -= input.pos;
	*ret_out = output.pos;
	if (ZSTD_isError(code))
		return err_new(EBADMSG, "zstd stream: %s", ZSTD_getErrorName(code));
	d->between = code == 0;
	d->any |= code == 0;
	return NULL;
}

static err *tar_open(struct decompressor *d)
{
	d->any = true;
	return NULL;
}

static void tar_close(struct decompressor *d)
{
	(void)d;
}

static err *tar_run(struct decompressor *d, const unsigned char **in, size_t *in_len, unsigned char *out,
		    size_t out_size, size_t *ret_out)
{
	size_t n = MIN(*in_len, out_size);

	(void)d;
	memcpy(out, *in, n);
	*in += n;
	*in_len -= n;
	*ret_out = n;
	return NULL;
}

static const struct codec {
	const char *name;
	err *(*open)(struct decompressor *d);
	err *(*run)(struct decompressor *d, const unsigned char **in, size_t *in_len, unsigned char *out,
		    size_t out_size, size_t *ret_out);
	void (*close)(struct decompressor *d);
} codecs[] = {
	[OCI_PLAIN] = { "tar", tar_open, tar_run, tar_close },
	[OCI_GZIP] = { "gzip", gzip_open, gzip_run, gzip_close },
	[OCI_ZSTD] = { "zstd", zstd_open, zstd_run, zstd_close },
};

err *decompressor_new(enum oci_compression compression, uint64_t always, uint64_t ratio,
		      struct decompressor **ret)
{
	auto_decompressor struct decompressor *d = calloc(1, sizeof *d);

	if (!d)
		return err_oom();
	d->compression = compression;
	d->always = always;
	d->ratio = ratio;
	d->between = true;
	TRY(codecs[compression].open(d));
	*ret = TAKE(d);
	return NULL;
}

void decompressor_free(struct decompressor *d)
{
	if (!d)
		return;
	codecs[d->compression].close(d);
	free(d);
}

static err *check_ceiling(const struct decompressor *d)
{
	uint64_t by_ratio;

	if (d->out <= d->always)
		return NULL;
	if (__builtin_mul_overflow(d->in, d->ratio, &by_ratio) || d->out <= by_ratio)
		return NULL;
	return err_new(EFBIG, "layer unpacks to more than %llu bytes and %llu times its compressed size",
		       (unsigned long long)d->always, (unsigned long long)d->ratio);
}

err *decompressor_run(struct decompressor *d, const unsigned char **in, size_t *in_len, unsigned char *out,
		      size_t out_size, size_t *ret_out)
{
	size_t n = 0;
	size_t before = *in_len;

	TRY(codecs[d->compression].run(d, in, in_len, out, out_size, &n));
	d->in += before - *in_len;
	d->out += n;
	TRY(check_ceiling(d));
	*ret_out = n;
	return NULL;
}

err *decompressor_finish(struct decompressor *d)
{
	if (d->between && d->any)
		return NULL;
	return err_new(EBADMSG, "%s stream ends too early", codecs[d->compression].name);
}
