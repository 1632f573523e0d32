/* images/push.c: an image of the store into a registry. */
#include "images/push.h"

#include <pthread.h>

#include "base/fd.h"
#include "images/store-internal.h"
#include "images/workers-internal.h"

#define PUSH_MEMORY	(256u << 20)
#define INDEX_DEPTH_MAX 4

struct push_blob {
	struct oci_descriptor blob;
	const char *mount_from; /* another repository of the registry that has it, as far as we know */
	struct push *push;
	int64_t sent;
};

struct push_manifest {
	struct digest digest;
	const char *media_type;
	const char *bytes;
	size_t len;
};

struct push {
	struct image_store *s;
	struct registry *registry;
	const struct reference *to;
	const struct image_push_options *options;
	struct arena *arena;
	struct push_blob *blobs;
	size_t blob_count, blob_cap;
	struct push_manifest *manifests; /* what an index lists comes before it */
	size_t manifest_count, manifest_cap;
	const char *known_repository; /* while known places are looked for */
	pthread_mutex_t lock;
	atomic_bool own_cancel;
	atomic_bool *cancel;
};

/* ---- what to push ---- */

static err *add_blob(struct push *p, const struct oci_descriptor *d)
{
	char text[DIGEST_TEXT_MAX];

	for (size_t i = 0; i < p->blob_count; i++)
		if (digest_equal(&p->blobs[i].blob.digest, &d->digest))
			return NULL;
	if (!image_blob_exists(p->s, &d->digest))
		return err_hint(err_new(ENOENT, "blob %s is not in the image store",
					digest_text(&d->digest, text)),
				"It was pulled without keeping compressed layers; pull the image again.");
	TRY(store_grow(p->arena, (void **)&p->blobs, sizeof *p->blobs, p->blob_count, &p->blob_cap));
	p->blobs[p->blob_count++] = (struct push_blob){ .blob = *d, .push = p };
	return NULL;
}

static err *add_manifest(struct push *p, const struct digest *digest, const char *media_type,
			 const struct str *text)
{
	char *copy;

	TRY(store_grow(p->arena, (void **)&p->manifests, sizeof *p->manifests, p->manifest_count,
		       &p->manifest_cap));
	TRY_ALLOC(p->arena, copy, arena_strndup(p->arena, text->data, text->len));
	p->manifests[p->manifest_count++] = (struct push_manifest){ *digest, media_type, copy, text->len };
	return NULL;
}

static err *plan(struct push *p, const struct digest *digest, unsigned depth)
{
	auto_str struct str text = STR_INIT(OCI_MANIFEST_SIZE_MAX);
	char name[DIGEST_TEXT_MAX];
	enum oci_media_kind kind;
	const struct oci_index *index;
	const struct oci_manifest *m;

	if (depth >= INDEX_DEPTH_MAX)
		return err_new(ELOOP, "indexes are nested too deeply");
	if (depth > 0 && !image_blob_exists(p->s, digest))
		return err_hint(
			err_new(ENOENT, "manifest %s of the index is not in the image store",
				digest_text(digest, name)),
			"Push one platform with --platform OS/ARCH, or pull with --all-platforms before.");
	TRY(image_blob_read(p->s, digest, &text));
	digest_text(digest, name);
	TRY(oci_document_kind(name, NULL, text.data, text.len, &kind));
	if (kind == OCI_KIND_INDEX) {
		TRY(oci_index_decode(p->arena, name, NULL, text.data, text.len, &index));
		for (size_t i = 0; i < index->manifests.count; i++)
			TRY(plan(p, &index->manifests.items[i].digest, depth + 1));
		return add_manifest(p, digest, index->media_type ? index->media_type : OCI_MEDIA_INDEX,
				    &text);
	}
	TRY(oci_manifest_decode(p->arena, name, NULL, text.data, text.len, &m));
	TRY(add_blob(p, &m->config));
	for (size_t i = 0; i < m->layers.count; i++)
		TRY(add_blob(p, &m->layers.items[i]));
	return add_manifest(p, digest, m->media_type ? m->media_type : OCI_MEDIA_MANIFEST, &text);
}

/* ---- where the registry may have them already ---- */

static err *known_blob(const struct oci_descriptor *d, bool required, void *arg)
{
	struct push *p = arg;

	(void)required;
	for (size_t i = 0; i < p->blob_count; i++)
		if (digest_equal(&p->blobs[i].blob.digest, &d->digest) && !p->blobs[i].mount_from)
			p->blobs[i].mount_from = p->known_repository;
	return NULL;
}

static err *known_layer(const struct digest *diff_id, void *arg)
{
	(void)diff_id;
	(void)arg;
	return NULL;
}

/* What carries a name of this registry was pulled from it or pushed to it. Only a hint: a registry that
 * cannot mount it takes the upload. So a damaged name is passed over here. */
static err *find_known_places(struct push *p)
{
	const struct reach reach = { p->arena, p, known_blob, known_layer };
	struct reference other;
	struct image_refs refs;

	TRY(image_store_refs(p->s, p->arena, &refs));
	for (size_t i = 0; i < refs.count; i++) {
		err *e = reference_parse(refs.items[i].name, NULL, &other);

		if (!e && str_equal(other.host, p->to->host) &&
		    !str_equal(other.repository, p->to->repository)) {
			TRY_ALLOC(p->arena, p->known_repository, arena_strdup(p->arena, other.repository));
			e = store_reach(p->s, &refs.items[i].digest, refs.items[i].media_type, &reach);
		}
		err_free(e);
	}
	return NULL;
}

/* ---- pushing ---- */

static void tell(const struct push_blob *b, enum image_blob_state state, uint64_t done)
{
	const struct image_progress *progress = b->push->options->progress;

	if (!progress)
		return;
	pthread_mutex_lock(&b->push->lock);
	progress->blob(progress->arg, &b->blob, state, done, (uint64_t)b->blob.size);
	pthread_mutex_unlock(&b->push->lock);
}

static void sent(uint64_t bytes, void *arg)
{
	tell(arg, IMAGE_BLOB_RUNNING, bytes);
}

static err *put_blob(struct push_blob *b, enum blob_put_result *ret)
{
	struct push *p = b->push;
	auto_close int fd = -1;
	int64_t size;

	TRY(image_blob_open(p->s, &b->blob.digest, &fd, &size));
	if (size != b->blob.size)
		return err_hint(err_new(EBADMSG, "has %lld bytes in the store instead of %lld",
					(long long)size, (long long)b->blob.size),
				"`stube image fsck --repair` removes what is damaged.");
	const struct blob_offer offer = {
		.digest = b->blob.digest,
		.size = (uint64_t)size,
		.fd = fd,
		.mount_from = b->mount_from,
		.sent = sent,
		.user = b,
	};
	return registry_blob_put(p->registry, p->to, &offer, ret);
}

static err *push_blob(size_t i, void *arg)
{
	static const enum image_blob_state states[] = {
		[BLOB_EXISTED] = IMAGE_BLOB_PRESENT,
		[BLOB_MOUNTED] = IMAGE_BLOB_MOUNTED,
		[BLOB_UPLOADED] = IMAGE_BLOB_DONE,
	};
	struct push *p = arg;
	struct push_blob *b = &p->blobs[i];
	enum blob_put_result result;
	char text[DIGEST_TEXT_MAX];

	if (atomic_load(p->cancel))
		return err_new(ECANCELED, "cancelled");
	TRY(err_wrap(put_blob(b, &result), "blob %s", digest_text(&b->blob.digest, text)));
	b->sent = result == BLOB_UPLOADED ? b->blob.size : 0;
	tell(b, states[result], (uint64_t)b->blob.size);
	return NULL;
}

/* Manifests that only an index names are put under their digests; the last one gets the name. */
static err *push_manifests(struct push *p)
{
	for (size_t i = 0; i < p->manifest_count; i++) {
		const struct push_manifest *m = &p->manifests[i];
		struct reference ref = *p->to;

		if (i + 1 < p->manifest_count) {
			ref.tag[0] = '\0';
			ref.has_digest = true;
			ref.digest = m->digest;
		}
		TRY(registry_manifest_put(p->registry, &ref, m->media_type, m->bytes, m->len, NULL));
	}
	return NULL;
}

static err *find(struct push *p, const char *text, struct digest *ret)
{
	const struct image *image;
	const char *name = NULL;

	if (!p->options->platform)
		return store_find_target(p->s, p->arena, text, &name, ret);
	TRY(image_resolve(p->s, p->arena, text, p->options->platform, &image));
	*ret = image->digest;
	return NULL;
}

static err *push(struct push *p, const char *text, struct image_push_result *ret)
{
	struct digest target;
	char digest[DIGEST_TEXT_MAX];

	TRY(find(p, text, &target));
	if (p->to->has_digest && !digest_equal(&p->to->digest, &target))
		return err_new(EINVAL, "has digest %s, which is not the one of the name to push to",
			       digest_text(&target, digest));
	TRY(plan(p, &target, 0));
	TRY(find_known_places(p));
	TRY(workers_run(p->blob_count, p->options->parallel, push_blob, p, p->cancel));
	TRY(push_manifests(p));
	*ret = (struct image_push_result){ .digest = target };
	for (size_t i = 0; i < p->blob_count; i++)
		ret->sent += p->blobs[i].sent;
	return NULL;
}

err *image_push(struct image_store *s, struct registry *registry, const char *text,
		const struct reference *to, const struct image_push_options *options,
		struct image_push_result *ret)
{
	static const struct image_push_options defaults;
	auto_arena struct arena *arena = NULL;

	TRY(arena_new(PUSH_MEMORY, &arena));
	struct push p = {
		.s = s,
		.registry = registry,
		.to = to,
		.options = options ? options : &defaults,
		.arena = arena,
	};
	p.cancel = options && options->cancel ? options->cancel : &p.own_cancel;
	pthread_mutex_init(&p.lock, NULL);
	err *e = push(&p, text, ret);
	pthread_mutex_destroy(&p.lock);
	return err_wrap(e, "push '%s'", text);
}
