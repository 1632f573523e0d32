/* tests/fuzz/images_pull.c: any bytes as the layer of a pull, from the hash to the index: all of it becomes
 * visible or nothing does. The store lies in memory. */
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "images/decompress.h"
#include "images/pull.h"
#include "images/store-internal.h"

#define NAME "fuzz.example/layer:1"

struct source {
	const uint8_t *layer;
	size_t layer_len, cut;
	struct digest layer_digest;
	struct str config, manifest;
	struct digest config_digest, manifest_digest;
};

static err *get_manifest(void *arg, const struct digest *digest, int64_t size, struct registry_manifest *ret)
{
	struct source *s = arg;

	(void)digest;
	(void)size;
	str_add_bytes(&ret->text, s->manifest.data, s->manifest.len);
	ret->digest = s->manifest_digest;
	return NULL;
}

static err *get_blob(void *arg, const struct blob_want *want)
{
	struct source *s = arg;
	bool is_layer = digest_equal(&want->digest, &s->layer_digest);
	const void *bytes = is_layer ? (const void *)s->layer : s->config.data;
	size_t len = is_layer ? s->layer_len : s->config.len;
	size_t cut = is_layer && s->cut > want->offset && s->cut < len ? s->cut : len;

	if (want->hasher)
		TRY(hasher_add(want->hasher, (const char *)bytes + want->offset, cut - want->offset));
	TRY(want->sink((const char *)bytes + want->offset, cut - want->offset, want->user));
	if (cut < len)
		return err_new(ECONNRESET, "cut");
	return want->hasher ? hasher_end(want->hasher, NULL) : NULL;
}

/* The diff-id that is right, as far as the bytes unpack; else any. */
static struct digest diff_id_of(enum oci_compression compression, const uint8_t *bytes, size_t len)
{
	auto_decompressor struct decompressor *d = NULL;
	auto_str struct str out = STR_INIT(1 << 20);
	const unsigned char *in = bytes;
	struct digest diff_id = { .algorithm = DIGEST_SHA256 };
	unsigned char buffer[4096];
	size_t n = 0;
	err *e = decompressor_new(compression, 1 << 20, 0, &d);

	do {
		if (!e)
			e = decompressor_run(d, &in, &len, buffer, sizeof buffer, &n);
		str_add_bytes(&out, buffer, e ? 0 : n);
	} while (!e && (len > 0 || n == sizeof buffer));
	err_free(e);
	IGNORE(digest_of(DIGEST_SHA256, out.data, out.len, &diff_id));
	return diff_id;
}

static err *describe(struct source *s, enum oci_compression compression)
{
	static const char *const suffixes[] = { "", "+gzip", "+zstd" };
	const struct digest diff_id = diff_id_of(compression, s->layer, s->layer_len);
	char text[DIGEST_TEXT_MAX], config[DIGEST_TEXT_MAX];

	TRY(digest_of(DIGEST_SHA256, s->layer, s->layer_len, &s->layer_digest));
	str_addf(&s->config,
		 "{\"architecture\":\"amd64\",\"os\":\"linux\",\"config\":{},\"rootfs\":{\"type\":\"layers\","
		 "\"diff_ids\":[\"%s\"]}}",
		 digest_text(&diff_id, text));
	TRY(digest_of(DIGEST_SHA256, s->config.data, s->config.len, &s->config_digest));
	str_addf(&s->manifest,
		 "{\"schemaVersion\":2,\"mediaType\":\"" OCI_MEDIA_MANIFEST
		 "\",\"config\":{\"mediaType\":\"" OCI_MEDIA_CONFIG
		 "\",\"digest\":\"%s\",\"size\":%zu},\"layers\":[{\"mediaType\":\"" OCI_MEDIA_LAYER
		 "%s\",\"digest\":\"%s\",\"size\":%zu}]}",
		 digest_text(&s->config_digest, config), s->config.len, suffixes[compression],
		 digest_text(&s->layer_digest, text), s->layer_len);
	return digest_of(DIGEST_SHA256, s->manifest.data, s->manifest.len, &s->manifest_digest);
}

static err *count(struct image_store *s, int dir_fd, const char *name, void *arg)
{
	(void)s;
	(void)dir_fd;
	(void)name;
	++*(size_t *)arg;
	return NULL;
}

static void broken(const char *problem, void *arg)
{
	(void)arg;
	fprintf(stderr, "%s\n", problem);
	__builtin_trap();
}

static err *pull(struct image_store *store, struct source *s)
{
	const struct image_source source = { get_manifest, get_blob, s };
	const struct image_limits limits = { .layer_bytes = 1 << 20, .layer_ratio = 4 };
	const struct image_pull_options options = { .limits = &limits };
	struct image_pull_result result;

	return image_pull(store, &source, NAME, NULL, &options, &result);
}

static void check(struct image_store *store, bool pulled)
{
	struct image_fsck_result result;
	size_t refs = 0, layers = 0, ingests = 0;

	IGNORE(store_each(store, "refs", count, &refs));
	IGNORE(store_each(store, "layers/sha256", count, &layers));
	IGNORE(store_each(store, "ingest", count, &ingests));
	if (refs != pulled || layers != pulled || ingests != 0)
		__builtin_trap();
	IGNORE(image_fsck(store, false, broken, NULL, &result));
}

static void one(struct image_store *store, const uint8_t *data, size_t size)
{
	struct source s = { .layer = data + 2,
			    .layer_len = size - 2,
			    .config = STR_INIT(65536),
			    .manifest = STR_INIT(65536) };
	struct image_gc_result result;

	s.cut = data[1];
	err *e = describe(&s, data[0] % 3);
	if (!e) {
		e = pull(store, &s);
		if (e && e->code == ECONNRESET) {
			err_free(e);
			s.cut = 0;
			e = pull(store, &s);
		}
		check(store, !e);
	}
	err_free(e);
	IGNORE(image_store_untag(store, NAME));
	IGNORE(image_gc(store, NULL, &result));
	str_done(&s.config);
	str_done(&s.manifest);
}

static char directory[64];

static void remove_store(void)
{
	auto_close int fd = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	IGNORE(path_remove_all(fd, directory + strlen("/dev/shm/")));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct image_store *store;

	if (!store) {
		snprintf(directory, sizeof directory, "/dev/shm/stube-fuzz-XXXXXX");
		err *e = mkdtemp(directory) ? image_store_open(directory, IMAGE_STORE_SWEEP, &store)
					    : err_oom();
		if (e)
			abort();
		atexit(remove_store);
	}
	if (size >= 2)
		one(store, data, size);
	return 0;
}
