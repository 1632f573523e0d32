/* tests/unit/images/fixture.h: a store in a temporary directory, and a source of images in memory that can
 * misbehave in chosen ways. */
#pragma once
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "images/compress-internal.h"
#include "images/pull.h"
#include "images/store-internal.h"

#define FAKE_BLOBS   16
#define FAKE_NAME    "registry.example/amt/antrag:1"
#define BLOB_MEMORY  (64u << 20)

struct fake_blob {
	struct digest digest;
	struct str bytes;
};

struct fake {
	struct fake_blob blobs[FAKE_BLOBS];
	size_t blob_count;
	struct str manifest;
	char media_type[128];
	struct digest manifest_digest;
	struct oci_descriptor layers[4];
	struct digest diff_ids[4];
	size_t layer_count;

	/* What it does wrong, and what it saw. */
	uint64_t cut_after;      /* the connection breaks after so many bytes of a blob; 0: never */
	uint64_t corrupt_at;     /* from 1: the byte before this is changed */
	size_t piece;            /* bytes a sink call; 0: 1000 */
	unsigned pause_usec;     /* after each piece */
	atomic_uint blob_calls, manifest_calls;
	atomic_ullong sent;
	uint64_t last_offset;
};

static inline UNUSED err *fake_collect(const void *bytes, size_t len, void *out)
{
	str_add_bytes(out, bytes, len);
	return str_check(out);
}

static inline UNUSED struct fake_blob *fake_add(struct fake *f, const char *bytes, size_t len)
{
	struct fake_blob *b = &f->blobs[f->blob_count++];

	str_init(&b->bytes, BLOB_MEMORY);
	str_add_bytes(&b->bytes, bytes, len);
	assert_ok(digest_of(DIGEST_SHA256, bytes, len, &b->digest));
	return b;
}

/* A ustar header and its file's content; the checksum is the sum of the header's bytes, itself as spaces. */
static inline UNUSED void fake_tar_file(struct str *tar, const char *name, const char *content, size_t len)
{
	char header[512] = { 0 };
	unsigned sum = 0;

	snprintf(header, 100, "%s", name);
	memcpy(header + 100, "0000644", 8);
	memcpy(header + 108, "0000000", 8);
	memcpy(header + 116, "0000000", 8);
	snprintf(header + 124, 12, "%011zo", len);
	memcpy(header + 136, "14722766650", 12);
	memcpy(header + 148, "        ", 8);
	header[156] = '0';
	memcpy(header + 257, "ustar\00000", 8);
	for (size_t i = 0; i < sizeof header; i++)
		sum += (unsigned char)header[i];
	snprintf(header + 148, 8, "%06o", sum);
	str_add_bytes(tar, header, sizeof header);
	str_add_bytes(tar, content, len);
	memset(header, 0, sizeof header);
	str_add_bytes(tar, header, (512 - len % 512) % 512);
}

/* A tar of `files` files with text that does not compress to nothing. */
static inline UNUSED void fake_tar(struct str *tar, unsigned files, uint32_t seed)
{
	char name[32];
	char end[1024] = { 0 };

	for (unsigned i = 0; i < files; i++) {
		auto_str struct str content = STR_INIT(1 << 20);

		for (unsigned line = 0; line < 200; line++) {
			seed = seed * 1664525 + 1013904223;
			str_addf(&content, "%08x a line of the file\n", seed);
		}
		snprintf(name, sizeof name, "file%u", i);
		fake_tar_file(tar, name, content.data, content.len);
	}
	str_add_bytes(tar, end, sizeof end);
}

static inline UNUSED void fake_layer(struct fake *f, const struct str *tar, enum oci_compression compression)
{
	static const char *const types[] = { OCI_MEDIA_LAYER, OCI_MEDIA_LAYER_GZIP, OCI_MEDIA_LAYER_ZSTD };
	auto_str struct str packed = STR_INIT(BLOB_MEMORY);
	auto_compressor struct compressor *c = NULL;

	assert_ok(compressor_new(compression, fake_collect, &packed, &c));
	assert_ok(compressor_add(c, tar->data, tar->len));
	assert_ok(compressor_finish(c));
	struct fake_blob *b = fake_add(f, packed.data, packed.len);
	f->layers[f->layer_count] = (struct oci_descriptor){
		.media_type = types[compression], .digest = b->digest, .size = (int64_t)packed.len,
	};
	assert_ok(digest_of(DIGEST_SHA256, tar->data, tar->len, &f->diff_ids[f->layer_count]));
	f->layer_count++;
}

static inline UNUSED void fake_config(struct fake *f, struct str *out)
{
	char text[DIGEST_TEXT_MAX];

	str_addf(out, "{\"architecture\":\"%s\",\"os\":\"linux\",\"config\":{\"Cmd\":[\"/antrag\"]},"
		      "\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[", oci_platform_host()->architecture);
	for (size_t i = 0; i < f->layer_count; i++)
		str_addf(out, "%s\"%s\"", i ? "," : "", digest_text(&f->diff_ids[i], text));
	str_add(out, "]}}");
}

static inline UNUSED void fake_descriptor(struct str *out, const struct oci_descriptor *d)
{
	char text[DIGEST_TEXT_MAX];

	str_addf(out, "{\"mediaType\":\"%s\",\"digest\":\"%s\",\"size\":%lld}", d->media_type,
		 digest_text(&d->digest, text), (long long)d->size);
}

/* Config and manifest of the layers so far. */
static inline UNUSED void fake_image(struct fake *f)
{
	auto_str struct str config = STR_INIT(1 << 20);

	fake_config(f, &config);
	struct fake_blob *b = fake_add(f, config.data, config.len);
	const struct oci_descriptor d = {
		.media_type = OCI_MEDIA_CONFIG, .digest = b->digest, .size = (int64_t)config.len,
	};
	str_done(&f->manifest);
	str_init(&f->manifest, 1 << 20);
	str_add(&f->manifest, "{\"schemaVersion\":2,\"mediaType\":\"" OCI_MEDIA_MANIFEST "\",\"config\":");
	fake_descriptor(&f->manifest, &d);
	str_add(&f->manifest, ",\"layers\":[");
	for (size_t i = 0; i < f->layer_count; i++) {
		str_add(&f->manifest, i ? "," : "");
		fake_descriptor(&f->manifest, &f->layers[i]);
	}
	str_add(&f->manifest, "]}");
	snprintf(f->media_type, sizeof f->media_type, "%s", OCI_MEDIA_MANIFEST);
	assert_ok(digest_of(DIGEST_SHA256, f->manifest.data, f->manifest.len, &f->manifest_digest));
}

/* One layer of `files` files. */
static inline UNUSED void fake_init(struct fake *f, unsigned files, enum oci_compression compression)
{
	auto_str struct str tar = STR_INIT(BLOB_MEMORY);

	*f = (struct fake){ .manifest = STR_INIT(1 << 20) };
	fake_tar(&tar, files, 1);
	fake_layer(f, &tar, compression);
	fake_image(f);
}

static inline UNUSED void fake_done(struct fake *f)
{
	for (size_t i = 0; i < f->blob_count; i++)
		str_done(&f->blobs[i].bytes);
	str_done(&f->manifest);
}
DEFINE_CLEANUP_OF(struct fake, fake_done)
#define auto_fake CLEANUP(fake_done)

static inline UNUSED struct fake_blob *fake_find(struct fake *f, const struct digest *digest)
{
	for (size_t i = 0; i < f->blob_count; i++)
		if (digest_equal(&f->blobs[i].digest, digest))
			return &f->blobs[i];
	return NULL;
}

static inline UNUSED err *fake_manifest(void *arg, const struct digest *digest, int64_t size,
					struct registry_manifest *ret)
{
	struct fake *f = arg;
	struct fake_blob *b = digest ? fake_find(f, digest) : NULL;

	(void)size;
	f->manifest_calls++;
	if (digest && !b)
		return err_new(ENOENT, "unknown manifest");
	str_add_bytes(&ret->text, b ? b->bytes.data : f->manifest.data, b ? b->bytes.len : f->manifest.len);
	ret->media_type = b ? NULL : strdup(f->media_type);
	ret->digest = b ? b->digest : f->manifest_digest;
	return NULL;
}

/* As registry_blob_get(): the hasher has seen the first `offset` bytes and is ended here. */
static inline UNUSED err *fake_get(void *arg, const struct blob_want *want)
{
	struct fake *f = arg;
	struct fake_blob *b = fake_find(f, &want->digest);
	auto_hasher struct hasher *own = NULL;
	struct hasher *hasher = want->hasher;
	size_t piece = f->piece ? f->piece : 1000;

	f->blob_calls++;
	f->last_offset = want->offset;
	if (!b)
		return err_new(ENOENT, "unknown blob");
	if (!hasher) {
		TRY(hasher_new(&own));
		TRY(hasher_expect(own, &want->digest, (int64_t)want->size));
		hasher = own;
	}
	for (uint64_t at = want->offset; at < b->bytes.len; at += piece) {
		size_t n = MIN(piece, b->bytes.len - at);
		auto_free char *copy = malloc(n);

		if (f->cut_after && at - want->offset + n > f->cut_after)
			n = f->cut_after - (at - want->offset);
		memcpy(copy, b->bytes.data + at, n);
		if (f->corrupt_at > at && f->corrupt_at <= at + n)
			copy[f->corrupt_at - 1 - at] ^= 1;
		TRY(hasher_add(hasher, copy, n));
		TRY(want->sink(copy, n, want->user));
		f->sent += n;
		if (f->cut_after && at - want->offset + n == f->cut_after)
			return err_new(ECONNRESET, "connection reset");
		if (f->pause_usec)
			usleep(f->pause_usec);
	}
	return hasher_end(hasher, NULL);
}

static inline UNUSED struct image_source fake_source(struct fake *f)
{
	return (struct image_source){ .manifest = fake_manifest, .blob = fake_get, .arg = f };
}

static inline UNUSED err *fake_pull(struct fake *f, const char *path, const struct image_pull_options *options)
{
	auto_store struct image_store *s = NULL;
	const struct image_source source = fake_source(f);
	struct image_pull_result result;

	TRY(image_store_open(path, IMAGE_STORE_SHARED, &s));
	return image_pull(s, &source, FAKE_NAME, NULL, options, &result);
}

/* ---- stores ---- */

struct dir {
	char path[64];
	char store[80];
};

static inline UNUSED void dir_make(struct dir *d)
{
	snprintf(d->path, sizeof d->path, "/tmp/stube-unit-XXXXXX");
	assert_non_null(mkdtemp(d->path));
	snprintf(d->store, sizeof d->store, "%s/store", d->path);
}

static inline UNUSED void dir_done(struct dir *d)
{
	auto_close int fd = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (d->path[0])
		err_free(path_remove_all(fd, d->path + 5));
}
DEFINE_CLEANUP_OF(struct dir, dir_done)
#define auto_dir CLEANUP(dir_done)

static inline UNUSED err *count_entry(struct image_store *s, int dir_fd, const char *name, void *arg)
{
	(void)s;
	(void)dir_fd;
	(void)name;
	++*(size_t *)arg;
	return NULL;
}

static inline UNUSED size_t entries(struct image_store *s, const char *name)
{
	size_t count = 0;

	assert_ok(store_each(s, name, count_entry, &count));
	return count;
}

static inline UNUSED size_t entries_at(const char *path, const char *name)
{
	auto_store struct image_store *s = NULL;

	assert_ok(image_store_open(path, IMAGE_STORE_SHARED, &s));
	return entries(s, name);
}

static inline UNUSED void print_problem(const char *problem, void *arg)
{
	str_addf(arg, "%s\n", problem);
}

/* fsck finds nothing wrong. */
static inline UNUSED void assert_clean(const char *path)
{
	auto_store struct image_store *s = NULL;
	auto_str struct str problems = STR_INIT(1 << 16);
	struct image_fsck_result result;

	assert_ok(image_store_open(path, IMAGE_STORE_SHARED, &s));
	assert_ok(image_fsck(s, false, print_problem, &problems, &result));
	assert_string_equal(problems.data, "");
	assert_int_equal(result.damaged, 0);
}
