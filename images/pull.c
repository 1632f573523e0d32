/* images/pull.c: an image: its documents, then its blobs, several at a time, then its name. */
#include "images/pull.h"

#include <pthread.h>

#include "images/fetch-internal.h"
#include "images/store-internal.h"
#include "images/workers-internal.h"

#define INDEX_DEPTH_MAX	 4
#define BLOBS_MAX	 20000
#define DOCUMENTS_MEMORY (256u << 20)

const struct image_limits image_limits_default = {
	/* Ordinary layers unpack to 2 to 5 times their size. What is small may be a disk full of zeros. */
	.layer_bytes = 512u << 20,
	.layer_ratio = 60,
};

/* A manifest, index or config that becomes a blob when everything below it is in the store. */
struct document {
	struct digest digest;
	const char *bytes;
	size_t len;
};

struct pull {
	struct image_store *store;
	const struct image_source *source;
	const struct image_pull_options *options;
	const char *name;
	struct arena *arena;
	struct document *documents;
	size_t document_count, document_cap;
	struct fetch *fetches;
	size_t fetch_count, fetch_cap;
	struct digest manifest; /* the last that was planned */

	pthread_mutex_t lock; /* held while progress is told */
	atomic_bool own_cancel;
	atomic_bool *cancel;
};

static err *add_document(struct pull *p, const struct digest *digest, const char *bytes, size_t len)
{
	char *copy;

	TRY(store_grow(p->arena, (void **)&p->documents, sizeof *p->documents, p->document_count,
		       &p->document_cap));
	TRY_ALLOC(p->arena, copy, arena_strndup(p->arena, bytes, len));
	p->documents[p->document_count++] = (struct document){ *digest, copy, len };
	return NULL;
}

/* ---- what to fetch ---- */

static void tell(const struct fetch *f, enum image_blob_state state, uint64_t done)
{
	struct pull *p = f->arg;
	const struct image_progress *progress = p->options->progress;

	if (!progress)
		return;
	pthread_mutex_lock(&p->lock);
	progress->blob(progress->arg, f->blob, state, done, (uint64_t)f->blob->size);
	pthread_mutex_unlock(&p->lock);
}

/* The same blob may be listed twice, in one image or in several: fetched once. */
static err *add_fetch(struct pull *p, const struct oci_descriptor *blob, const struct digest *diff_id)
{
	char text[DIGEST_TEXT_MAX];

	for (size_t i = 0; i < p->fetch_count; i++) {
		const struct fetch *other = &p->fetches[i];

		if (!digest_equal(&other->blob->digest, &blob->digest))
			continue;
		if (other->blob->size != blob->size || !other->diff_id != !diff_id ||
		    (diff_id && !digest_equal(other->diff_id, diff_id)))
			return err_new(EINVAL, "blob %s is listed twice as different things",
				       digest_text(&blob->digest, text));
		return NULL;
	}
	if (p->fetch_count >= BLOBS_MAX)
		return err_new(EFBIG, "more than %d blobs", BLOBS_MAX);
	TRY(store_grow(p->arena, (void **)&p->fetches, sizeof *p->fetches, p->fetch_count, &p->fetch_cap));
	p->fetches[p->fetch_count++] = (struct fetch){
		.store = p->store,
		.source = p->source,
		.limits = p->options->limits ? p->options->limits : &image_limits_default,
		.blob = blob,
		.diff_id = diff_id,
		.compression = oci_media(blob->media_type)->compression,
		.discard_blob = p->options->discard_blobs,
		.cancel = p->cancel,
		.progress = tell,
		.arg = p,
	};
	return NULL;
}

static err *append(const void *bytes, size_t len, void *out)
{
	str_add_bytes(out, bytes, len);
	return str_check(out);
}

/* A small blob, from the store or the source, into memory. */
static err *get_config(struct pull *p, const struct oci_descriptor *d, struct str *out)
{
	const struct blob_want want = {
		.digest = d->digest,
		.size = (uint64_t)d->size,
		.sink = append,
		.user = out,
	};

	if (d->size > OCI_MANIFEST_SIZE_MAX)
		return err_new(EFBIG, "has %lld bytes, at most %u are read", (long long)d->size,
			       OCI_MANIFEST_SIZE_MAX);
	if (image_blob_exists(p->store, &d->digest))
		return image_blob_read(p->store, &d->digest, out);
	TRY(p->source->blob(p->source->arg, &want));
	return digest_check(&d->digest, out->data, out->len);
}

static err *plan_image(struct pull *p, const struct oci_manifest *m)
{
	auto_str struct str text = STR_INIT(OCI_MANIFEST_SIZE_MAX);
	char name[DIGEST_TEXT_MAX];
	const struct oci_image *image;

	digest_text(&m->config.digest, name);
	TRY(err_wrap(get_config(p, &m->config, &text), "image config %s", name));
	TRY(oci_image_decode(p->arena, name, text.data, text.len, &image));
	TRY(oci_image_check(m, image));
	for (size_t i = 0; i < m->layers.count; i++)
		TRY(add_fetch(p, &m->layers.items[i], &image->rootfs.diff_ids.items[i]));
	return add_document(p, &m->config.digest, text.data, text.len);
}

/* An artifact (a signature, an attestation): blobs that are nothing but blobs. */
static err *plan_artifact(struct pull *p, const struct oci_manifest *m)
{
	TRY(add_fetch(p, &m->config, NULL));
	for (size_t i = 0; i < m->layers.count; i++)
		TRY(add_fetch(p, &m->layers.items[i], NULL));
	return NULL;
}

static err *plan_manifest(struct pull *p, const char *name, const struct registry_manifest *doc)
{
	const struct oci_manifest *m;

	TRY(oci_manifest_decode(p->arena, name, doc->media_type, doc->text.data, doc->text.len, &m));
	TRY(oci_media(m->config.media_type)->kind == OCI_KIND_CONFIG ? plan_image(p, m)
								     : plan_artifact(p, m));
	p->manifest = doc->digest;
	return add_document(p, &doc->digest, doc->text.data, doc->text.len);
}

static err *plan_document(struct pull *p, const char *name, const struct registry_manifest *doc,
			  unsigned depth);

static err *get_document(struct pull *p, const struct oci_descriptor *d, struct registry_manifest *ret)
{
	if (!image_blob_exists(p->store, &d->digest))
		return p->source->manifest(p->source->arg, &d->digest, d->size, ret);
	TRY(image_blob_read(p->store, &d->digest, &ret->text));
	ret->digest = d->digest;
	ret->media_type = d->media_type ? strdup(d->media_type) : NULL;
	return d->media_type && !ret->media_type ? err_oom() : NULL;
}

static err *plan_entry(struct pull *p, const struct oci_descriptor *d, unsigned depth)
{
	auto_registry_manifest struct registry_manifest doc = REGISTRY_MANIFEST_INIT;
	char name[DIGEST_TEXT_MAX];

	digest_text(&d->digest, name);
	TRY(err_wrap(get_document(p, d, &doc), "manifest %s", name));
	TRY(digest_check(&d->digest, doc.text.data, doc.text.len));
	return plan_document(p, name, &doc, depth + 1);
}

static err *plan_index(struct pull *p, const char *name, const struct registry_manifest *doc, unsigned depth)
{
	const struct oci_platform *want = p->options->platform ? p->options->platform : oci_platform_host();
	const struct oci_descriptor *chosen;
	const struct oci_index *index;

	if (depth >= INDEX_DEPTH_MAX)
		return err_new(ELOOP, "%s: indexes are nested too deeply", name);
	TRY(oci_index_decode(p->arena, name, doc->media_type, doc->text.data, doc->text.len, &index));
	if (p->options->all_platforms) {
		for (size_t i = 0; i < index->manifests.count; i++)
			TRY(plan_entry(p, &index->manifests.items[i], depth));
	} else {
		TRY(oci_index_choose(index, want, &chosen));
		TRY(plan_entry(p, chosen, depth));
	}
	return add_document(p, &doc->digest, doc->text.data, doc->text.len);
}

static err *plan_document(struct pull *p, const char *name, const struct registry_manifest *doc,
			  unsigned depth)
{
	enum oci_media_kind kind;

	TRY(oci_document_kind(name, doc->media_type, doc->text.data, doc->text.len, &kind));
	return kind == OCI_KIND_INDEX ? plan_index(p, name, doc, depth) : plan_manifest(p, name, doc);
}

/* ---- fetching ---- */

static err *fetch_one(size_t i, void *arg)
{
	struct pull *p = arg;
	char text[DIGEST_TEXT_MAX];

	return err_wrap(fetch_run(&p->fetches[i]), "blob %s", digest_text(&p->fetches[i].blob->digest, text));
}

static const char *media_type_of(const struct registry_manifest *doc, enum oci_media_kind kind)
{
	if (doc->media_type && oci_media(doc->media_type)->kind == kind)
		return oci_media(doc->media_type)->name;
	return kind == OCI_KIND_INDEX ? OCI_MEDIA_INDEX : OCI_MEDIA_MANIFEST;
}

/* Documents were planned from the inside out: config, manifest, index. Then the name. */
static err *publish(struct pull *p, const struct registry_manifest *doc)
{
	struct image_ref ref = { .name = p->name, .digest = doc->digest, .size = (int64_t)doc->text.len };
	enum oci_media_kind kind;

	for (size_t i = 0; i < p->document_count; i++)
		TRY(blob_write(p->store, &p->documents[i].digest, p->documents[i].bytes,
			       p->documents[i].len));
	TRY(oci_document_kind(p->name, doc->media_type, doc->text.data, doc->text.len, &kind));
	ref.media_type = media_type_of(doc, kind);
	return image_store_tag(p->store, &ref);
}

static err *get_target(struct pull *p, const struct digest *want, struct registry_manifest *doc)
{
	char text[DIGEST_TEXT_MAX];

	if (want && image_blob_exists(p->store, want)) {
		TRY(image_blob_read(p->store, want, &doc->text));
		doc->digest = *want;
		return NULL;
	}
	TRY(p->source->manifest(p->source->arg, NULL, -1, doc));
	if (want && !digest_equal(want, &doc->digest))
		return err_new(EBADMSG, "expected %s, got another document", digest_text(want, text));
	return digest_check(&doc->digest, doc->text.data, doc->text.len);
}

static err *pull(struct pull *p, const struct digest *want, struct image_pull_result *ret)
{
	auto_registry_manifest struct registry_manifest doc = REGISTRY_MANIFEST_INIT;

	TRY(get_target(p, want, &doc));
	TRY(plan_document(p, p->name, &doc, 0));
	TRY(workers_run(p->fetch_count, p->options->parallel, fetch_one, p, p->cancel));
	TRY(publish(p, &doc));
	*ret = (struct image_pull_result){ .target = doc.digest, .manifest = p->manifest };
	for (size_t i = 0; i < p->fetch_count; i++)
		ret->fetched += p->fetches[i].fetched;
	return NULL;
}

err *image_pull(struct image_store *s, const struct image_source *source, const char *name,
		const struct digest *want, const struct image_pull_options *options,
		struct image_pull_result *ret)
{
	static const struct image_pull_options defaults;
	auto_arena struct arena *arena = NULL;

	TRY(arena_new(DOCUMENTS_MEMORY, &arena));
	struct pull p = {
		.store = s,
		.source = source,
		.options = options ? options : &defaults,
		.name = name,
		.arena = arena,
	};
	p.cancel = options && options->cancel ? options->cancel : &p.own_cancel;
	pthread_mutex_init(&p.lock, NULL);
	err *e = pull(&p, want, ret);
	pthread_mutex_destroy(&p.lock);
	return err_wrap(e, "image '%s'", name);
}
