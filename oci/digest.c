/* oci/digest.c: digests, and the hash that makes and checks them. */
#include "oci/digest.h"

#include <openssl/evp.h>

static const struct algorithm {
	const char *name;
	size_t size;
	const EVP_MD *(*md)(void);
} algorithms[] = {
	[DIGEST_NONE] = { "none", 0, NULL },
	[DIGEST_SHA256] = { "sha256", 32, EVP_sha256 },
	[DIGEST_SHA512] = { "sha512", 64, EVP_sha512 },
};

const char *digest_algorithm_name(enum digest_algorithm algorithm)
{
	return algorithms[algorithm].name;
}

size_t digest_size(enum digest_algorithm algorithm)
{
	return algorithms[algorithm].size;
}

static int hex_value(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The whole of the strictness: an algorithm we know, `separator`, lower-case digits, the end. */
static const char *parse(const char *text, char separator, struct digest *ret)
{
	struct digest d = { 0 };
	size_t len = strcspn(text, separator == ':' ? ":" : "-");

	if (text[len] != separator)
		return "has no algorithm";
	for (enum digest_algorithm a = DIGEST_SHA256; a < ARRAY_LEN(algorithms); a++)
		if (strlen(algorithms[a].name) == len && strncmp(text, algorithms[a].name, len) == 0)
			d.algorithm = a;
	if (d.algorithm == DIGEST_NONE)
		return "has an unknown algorithm, not sha256 or sha512";
	const char *hex = text + len + 1;
	size_t digits = 2 * digest_size(d.algorithm);
	if (strlen(hex) != digits || strspn(hex, "0123456789abcdef") != digits)
		return d.algorithm == DIGEST_SHA256 ? "must have 64 lower-case hexadecimal digits"
						    : "must have 128 lower-case hexadecimal digits";
	for (size_t i = 0; i < digits / 2; i++)
		d.bytes[i] = (uint8_t)(hex_value(hex[2 * i]) << 4 | hex_value(hex[2 * i + 1]));
	*ret = d;
	return NULL;
}

static err *parse_or_say(const char *text, char separator, struct digest *ret)
{
	const char *reason = text ? parse(text, separator, ret) : "is missing";

	return reason ? err_new(EINVAL, "digest '%.200s': %s", text ? text : "", reason) : NULL;
}

err *digest_parse(const char *text, struct digest *ret)
{
	return parse_or_say(text, ':', ret);
}

err *digest_parse_file_name(const char *name, struct digest *ret)
{
	return parse_or_say(name, '-', ret);
}

const char *digest_hex(const struct digest *d, char buf[static DIGEST_HEX_MAX])
{
	static const char digits[] = "0123456789abcdef";
	size_t size = digest_size(d->algorithm);

	for (size_t i = 0; i < size; i++) {
		buf[2 * i] = digits[d->bytes[i] >> 4];
		buf[2 * i + 1] = digits[d->bytes[i] & 15];
	}
	buf[2 * size] = '\0';
	return buf;
}

static const char *join(const struct digest *d, char separator, char buf[static DIGEST_TEXT_MAX])
{
	char hex[DIGEST_HEX_MAX];

	snprintf(buf, DIGEST_TEXT_MAX, "%s%c%s", digest_algorithm_name(d->algorithm), separator,
		 digest_hex(d, hex));
	return buf;
}

const char *digest_text(const struct digest *d, char buf[static DIGEST_TEXT_MAX])
{
	return join(d, ':', buf);
}

const char *digest_file_name(const struct digest *d, char buf[static DIGEST_TEXT_MAX])
{
	return join(d, '-', buf);
}

const char *digest_blob_path(const struct digest *d, char buf[static DIGEST_TEXT_MAX])
{
	return join(d, '/', buf);
}

bool digest_is_set(const struct digest *d)
{
	return d->algorithm != DIGEST_NONE;
}

bool digest_equal(const struct digest *a, const struct digest *b)
{
	return digest_compare(a, b) == 0;
}

int digest_compare(const struct digest *a, const struct digest *b)
{
	if (a->algorithm != b->algorithm)
		return a->algorithm < b->algorithm ? -1 : 1;
	return memcmp(a->bytes, b->bytes, sizeof a->bytes);
}

static const char *type_parse(const char *text, void *value)
{
	return parse(text, ':', value);
}

static void type_format(const void *value, struct str *out)
{
	char text[DIGEST_TEXT_MAX];

	str_add(out, digest_text(value, text));
}

const struct type t_digest = TEXT("digest", struct digest, type_parse, type_format);

/* ---- the hash ---- */

struct hasher {
	EVP_MD_CTX *ctx;
	enum digest_algorithm algorithm; /* DIGEST_NONE: no stream is open */
	uint64_t count;
	struct digest want; /* set by hasher_expect() */
	int64_t size;       /* expected; -1: unknown */
};

err *hasher_new(struct hasher **ret)
{
	struct hasher *h = calloc(1, sizeof *h);

	if (!h)
		return err_oom();
	h->ctx = EVP_MD_CTX_new();
	if (!h->ctx) {
		free(h);
		return err_oom();
	}
	*ret = h;
	return NULL;
}

void hasher_free(struct hasher *h)
{
	if (!h)
		return;
	EVP_MD_CTX_free(h->ctx);
	free(h);
}

err *hasher_begin(struct hasher *h, enum digest_algorithm algorithm)
{
	h->algorithm = DIGEST_NONE;
	if (algorithm == DIGEST_NONE)
		return err_new(EINVAL, "no digest algorithm given");
	if (EVP_DigestInit_ex(h->ctx, algorithms[algorithm].md(), NULL) != 1)
		return err_new(ENOTSUP, "this system's OpenSSL has no %s", algorithms[algorithm].name);
	h->algorithm = algorithm;
	h->count = 0;
	h->want = (struct digest){ 0 };
	h->size = -1;
	return NULL;
}

err *hasher_expect(struct hasher *h, const struct digest *want, int64_t size)
{
	TRY(hasher_begin(h, want->algorithm));
	h->want = *want;
	h->size = size;
	return NULL;
}

err *hasher_add(struct hasher *h, const void *bytes, size_t len)
{
	if (h->algorithm == DIGEST_NONE)
		return err_new(EINVAL, "no stream to hash is open");
	if (h->size >= 0 && len > (uint64_t)h->size - h->count)
		return err_new(EFBIG, "longer than the expected %lld bytes", (long long)h->size);
	if (EVP_DigestUpdate(h->ctx, bytes, len) != 1)
		return err_new(EIO, "%s failed", algorithms[h->algorithm].name);
	h->count += len;
	return NULL;
}

uint64_t hasher_count(const struct hasher *h)
{
	return h->count;
}

static err *mismatch(const struct digest *want, const struct digest *got)
{
	char a[DIGEST_TEXT_MAX], b[DIGEST_TEXT_MAX];

	return err_new(EBADMSG, "expected %s, got %s", digest_text(want, a), digest_text(got, b));
}

err *hasher_end(struct hasher *h, struct digest *ret)
{
	struct digest got = { .algorithm = h->algorithm };

	if (h->algorithm == DIGEST_NONE)
		return err_new(EINVAL, "no stream to hash is open");
	h->algorithm = DIGEST_NONE;
	if (EVP_DigestFinal_ex(h->ctx, got.bytes, NULL) != 1)
		return err_new(EIO, "%s failed", algorithms[got.algorithm].name);
	if (h->size >= 0 && h->count != (uint64_t)h->size)
		return err_new(EPIPE, "ended after %llu of %lld bytes", (unsigned long long)h->count,
			       (long long)h->size);
	if (digest_is_set(&h->want) && !digest_equal(&h->want, &got))
		return mismatch(&h->want, &got);
	if (ret)
		*ret = got;
	return NULL;
}

err *digest_of(enum digest_algorithm algorithm, const void *bytes, size_t len, struct digest *ret)
{
	auto_hasher struct hasher *h = NULL;

	TRY(hasher_new(&h));
	TRY(hasher_begin(h, algorithm));
	TRY(hasher_add(h, bytes, len));
	return hasher_end(h, ret);
}

err *digest_check(const struct digest *want, const void *bytes, size_t len)
{
	struct digest got;

	TRY(digest_of(want->algorithm, bytes, len, &got));
	return digest_equal(want, &got) ? NULL : mismatch(want, &got);
}
