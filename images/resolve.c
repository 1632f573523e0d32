/* images/resolve.c: from what a user typed, or what a name stands for, to manifest, config and layers. */
#include <sys/stat.h>

#include "base/fd.h"
#include "images/store-internal.h"
#include "registry/reference.h"

#define PREFIX_MIN	6
#define INDEX_DEPTH_MAX 4

/* ---- everything that a target needs ---- */

/* Documents that were gone through: an index may list one entry a thousand times, and nested ones would make
 * that a thousand to the power of their depth. Of a document once met too deep to go on, more may be seen
 * when it is met again further up. */
struct visit {
	struct digest digest;
	unsigned depth;
	struct visit *next;
};

static err *first_visit(struct arena *arena, struct visit **visits, const struct digest *d, unsigned depth,
			bool *ret)
{
	struct visit *v = *visits;

	while (v && !digest_equal(&v->digest, d))
		v = v->next;
	*ret = !v || depth < v->depth;
	if (!*ret)
		return NULL;
	if (!v) {
		TRY_ALLOC(arena, v, arena_alloc(arena, sizeof *v));
		v->digest = *d;
		v->next = *visits;
		*visits = v;
	}
	v->depth = depth;
	return NULL;
}

static err *reach_image(struct image_store *s, const struct oci_manifest *m, const struct reach *r)
{
	auto_str struct str text = STR_INIT(OCI_MANIFEST_SIZE_MAX);
	char name[DIGEST_TEXT_MAX];
	const struct oci_image *image;

	if (oci_media(m->config.media_type)->kind != OCI_KIND_CONFIG ||
	    !image_blob_exists(s, &m->config.digest))
		return NULL;
	TRY(image_blob_read(s, &m->config.digest, &text));
	TRY(oci_image_decode(r->arena, digest_text(&m->config.digest, name), text.data, text.len, &image));
	for (size_t i = 0; i < image->rootfs.diff_ids.count; i++)
		TRY(r->layer(&image->rootfs.diff_ids.items[i], r->arg));
	return NULL;
}

static err *reach_document(struct image_store *s, const struct oci_descriptor *d, bool required,
			   const struct reach *r, struct visit **visits, unsigned depth)
{
	auto_str struct str text = STR_INIT(OCI_MANIFEST_SIZE_MAX);
	char name[DIGEST_TEXT_MAX];
	enum oci_media_kind kind;
	const struct oci_index *index;
	const struct oci_manifest *m;
	bool first;

	TRY(r->blob(d, required, r->arg));
	if (depth >= INDEX_DEPTH_MAX || !image_blob_exists(s, &d->digest))
		return NULL;
	TRY(first_visit(r->arena, visits, &d->digest, depth, &first));
	if (!first)
		return NULL;
	digest_text(&d->digest, name);
	TRY(image_blob_read(s, &d->digest, &text));
	TRY(oci_document_kind(name, d->media_type, text.data, text.len, &kind));
	if (kind == OCI_KIND_INDEX) {
		TRY(oci_index_decode(r->arena, name, d->media_type, text.data, text.len, &index));
		/* Of an index, often only this machine's manifest is here. */
		for (size_t i = 0; i < index->manifests.count; i++)
			TRY(reach_document(s, &index->manifests.items[i], false, r, visits, depth + 1));
		return NULL;
	}
	TRY(oci_manifest_decode(r->arena, name, d->media_type, text.data, text.len, &m));
	TRY(r->blob(&m->config, true, r->arg));
	for (size_t i = 0; i < m->layers.count; i++) /* discarded ones may be missing */
		TRY(r->blob(&m->layers.items[i], false, r->arg));
	return reach_image(s, m, r);
}

err *store_reach(struct image_store *s, const struct digest *target, const char *media_type,
		 const struct reach *reach)
{
	const struct oci_descriptor d = { .digest = *target, .media_type = media_type };
	struct visit *visits = NULL;

	return reach_document(s, &d, true, reach, &visits, 0);
}

/* ---- what a user typed ---- */

struct prefix_search {
	const char *prefix;
	struct digest found;
	size_t count;
};

static err *match_prefix(const struct digest *d, struct prefix_search *search)
{
	char hex[DIGEST_HEX_MAX];

	if (!str_starts_with(digest_hex(d, hex), search->prefix))
		return NULL;
	if (search->count > 0 && digest_equal(&search->found, d))
		return NULL;
	search->found = *d;
	search->count++;
	return NULL;
}

static err *match_blob(const struct oci_descriptor *d, bool required, void *arg)
{
	/* Manifests and indexes only: nobody means a config or a layer. */
	enum oci_media_kind kind = oci_media(d->media_type)->kind;

	(void)required;
	return kind == OCI_KIND_MANIFEST || kind == OCI_KIND_INDEX ? match_prefix(&d->digest, arg) : NULL;
}

static err *match_nothing(const struct digest *diff_id, void *arg)
{
	(void)diff_id;
	(void)arg;
	return NULL;
}

static bool is_prefix(const char *text)
{
	size_t len = strlen(text);

	return len >= PREFIX_MIN && len <= 64 && strspn(text, "0123456789abcdef") == len;
}

static err *find_prefix(struct image_store *s, struct arena *arena, const char *text, struct digest *ret)
{
	struct prefix_search search = { .prefix = text };
	const struct reach reach = { arena, &search, match_blob, match_nothing };
	struct image_refs refs;

	TRY(image_store_refs(s, arena, &refs));
	for (size_t i = 0; i < refs.count; i++)
		TRY(store_reach(s, &refs.items[i].digest, refs.items[i].media_type, &reach));
	if (search.count == 0)
		return err_new(ENOENT, "no image has a digest that begins with '%s'", text);
	if (search.count > 1)
		return err_new(EINVAL, "several images have digests that begin with '%s'", text);
	*ret = search.found;
	return NULL;
}

/* A short name is a local one: names for pulls must have a host, those made here need none. */
#define LOCAL_HOST "localhost"

err *store_find_target(struct image_store *s, struct arena *arena, const char *text, const char **ret_name,
		       struct digest *ret)
{
	char name[REFERENCE_TEXT_MAX];
	struct reference reference;
	struct image_ref ref = { 0 };

	if (str_starts_with(text, "sha256:") || str_starts_with(text, "sha512:"))
		return digest_parse(text, ret);
	err *e = reference_parse(text, LOCAL_HOST, &reference);
	if (!e)
		e = image_store_ref(s, arena, reference_text(&reference, name), &ref);
	if (!e) {
		*ret = ref.digest;
		*ret_name = ref.name;
		return NULL;
	}
	if (e->code == ENOENT && reference.has_digest && image_blob_exists(s, &reference.digest)) {
		err_free(e);
		*ret = reference.digest;
		return NULL;
	}
	if (is_prefix(text)) {
		err_free(e);
		return find_prefix(s, arena, text, ret);
	}
	return e;
}

/* ---- the image ---- */

struct wanted {
	struct image_store *s;
	struct arena *arena;
	const struct oci_platform *platform;
};

/* Only manifests that are here can be chosen: an index pulled for another platform is no answer. */
static err *choose(const struct wanted *w, const struct oci_index *index, const struct oci_descriptor **ret)
{
	TRY(oci_index_choose(index, w->platform, ret));
	if (image_blob_exists(w->s, &(*ret)->digest))
		return NULL;
	auto_str struct str platform = STR_INIT(1024);
	oci_platform_format(w->platform, &platform);
	return err_hint(err_new(ENOENT, "is not in the image store for %s", platform.data),
			"Pull it with --platform %s.", platform.data);
}

static err *load_manifest(const struct wanted *w, const struct digest *target, unsigned depth,
			  struct image *image)
{
	auto_str struct str text = STR_INIT(OCI_MANIFEST_SIZE_MAX);
	char name[DIGEST_TEXT_MAX];
	enum oci_media_kind kind;
	const struct oci_descriptor *chosen;
	const struct oci_index *index;

	digest_text(target, name);
	TRY(image_blob_read(w->s, target, &text));
	TRY(oci_document_kind(name, NULL, text.data, text.len, &kind));
	image->size += (int64_t)text.len;
	if (kind == OCI_KIND_INDEX) {
		if (depth >= INDEX_DEPTH_MAX)
			return err_new(ELOOP, "indexes are nested too deeply");
		TRY(oci_index_decode(w->arena, name, NULL, text.data, text.len, &index));
		TRY(choose(w, index, &chosen));
		return load_manifest(w, &chosen->digest, depth + 1, image);
	}
	image->digest = *target;
	return oci_manifest_decode(w->arena, name, NULL, text.data, text.len, &image->manifest);
}

static int64_t blob_size(struct image_store *s, const struct digest *d)
{
	auto_close int fd = -1;
	int64_t size = 0;

	IGNORE(image_blob_open(s, d, &fd, &size));
	return size;
}

static err *load_config(const struct wanted *w, struct image *image)
{
	auto_str struct str text = STR_INIT(OCI_MANIFEST_SIZE_MAX);
	const struct oci_manifest *m = image->manifest;
	char name[DIGEST_TEXT_MAX];
	int64_t size;

	if (oci_media(m->config.media_type)->kind != OCI_KIND_CONFIG)
		return err_new(EINVAL, "is no container image but holds '%s'", m->config.media_type);
	TRY(image_blob_read(w->s, &m->config.digest, &text));
	digest_text(&m->config.digest, name);
	TRY(oci_image_decode(w->arena, name, text.data, text.len, &image->config));
	TRY(oci_image_check(m, image->config));
	image->size += (int64_t)text.len;
	for (size_t i = 0; i < m->layers.count; i++) {
		TRY(image_layer_size(w->s, &image->config->rootfs.diff_ids.items[i], &size));
		image->size += size + blob_size(w->s, &m->layers.items[i].digest);
	}
	return NULL;
}

static err *load(const struct wanted *w, struct image *image)
{
	TRY(load_manifest(w, &image->target, 0, image));
	return load_config(w, image);
}

err *image_resolve(struct image_store *s, struct arena *arena, const char *text,
		   const struct oci_platform *platform, const struct image **ret)
{
	const struct wanted w = { s, arena, platform ? platform : oci_platform_host() };
	struct image *image;

	TRY_ALLOC(arena, image, arena_alloc(arena, sizeof *image));
	TRY(store_find_target(s, arena, text, &image->name, &image->target));
	TRY(err_wrap(load(&w, image), "image '%s'", text));
	*ret = image;
	return NULL;
}
