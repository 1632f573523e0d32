/* images/fetch.c: one blob of a pull. */
#include "images/fetch-internal.h"

#include <fcntl.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "images/ingest-internal.h"
#include "images/ring-internal.h"
#include "images/unpack-internal.h"

/* One try. Bytes are gathered in a buffer of the unpacker's queue, or in an own one for a plain blob, and
 * leave it when it is full: to the file, then to the threads. */
struct flow {
	struct fetch *fetch;
	struct ingest *ingest;
	struct unpack *unpack; /* NULL: nothing to unpack */
	unsigned char *own;    /* instead of the unpacker's buffers */
	unsigned char *space;  /* being filled */
	size_t len;
	uint64_t done; /* bytes of the blob that went through */
	bool broken;   /* the file could not be written: do not try again at the end */
};

static err *flow_space(struct flow *f)
{
	if (f->space)
		return NULL;
	if (atomic_load(f->fetch->cancel))
		return err_new(ECANCELED, "cancelled");
	f->len = 0;
	if (f->unpack)
		return unpack_space(f->unpack, &f->space);
	if (!f->own && !(f->own = malloc(RING_SLOT)))
		return err_oom();
	f->space = f->own;
	return NULL;
}

static void flow_commit(struct flow *f)
{
	f->done += f->len;
	if (f->unpack && f->len > 0)
		unpack_commit(f->unpack, f->len);
	f->space = NULL;
	f->len = 0;
	f->fetch->progress(f->fetch, IMAGE_BLOB_RUNNING, f->done);
}

/* Bytes from the source. What was gathered is written before it is unpacked: a kill loses little. */
static err *flow_write(struct flow *f)
{
	err *e = f->space && !f->broken ? ingest_write(f->ingest, f->space, f->len) : NULL;

	f->broken |= e != NULL;
	if (!e && f->space)
		flow_commit(f);
	return e;
}

static err *flow_sink(const void *bytes, size_t len, void *arg)
{
	struct flow *f = arg;
	const char *p = bytes;

	f->fetch->fetched += (int64_t)len;
	while (len > 0) {
		TRY(flow_space(f));
		size_t n = MIN(len, RING_SLOT - f->len);
		memcpy(f->space + f->len, p, n);
		f->len += n;
		p += n;
		len -= n;
		if (f->len == RING_SLOT)
			TRY(flow_write(f));
	}
	return NULL;
}

/* Bytes that are on disk already: hash and unpack them. */
static err *flow_from_file(struct flow *f, int fd, uint64_t size, struct hasher *hasher)
{
	while (f->done < size) {
		TRY(flow_space(f));
		ssize_t n = pread(fd, f->space, MIN((uint64_t)RING_SLOT, size - f->done), (off_t)f->done);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_errno("read what is here of the blob");
		if (n == 0)
			return err_new(EPROTO, "file in the store is shorter than the blob");
		TRY(hasher_add(hasher, f->space, (size_t)n));
		f->len = (size_t)n;
		flow_commit(f);
	}
	return NULL;
}

static err *flow_from_source(struct flow *f, struct hasher *hasher)
{
	struct fetch *fetch = f->fetch;
	const struct blob_want want = {
		.digest = fetch->blob->digest,
		.size = (uint64_t)fetch->blob->size,
		.offset = f->done,
		.hasher = hasher,
		.sink = flow_sink,
		.user = f,
	};

	if (want.offset == want.size)
		return hasher_end(hasher, NULL);
	err *e = fetch->source->blob(fetch->source->arg, &want);
	/* Also after an error: what came is good for the next try. */
	err *e_write = flow_write(f);
	if (e) {
		err_free(e_write);
		return e;
	}
	return e_write;
}

/* The blob's bytes, from wherever they are, through the flow. */
static err *flow_run(struct flow *f, bool blob_here)
{
	auto_hasher struct hasher *hasher = NULL;
	auto_close int fd = -1;
	const struct oci_descriptor *blob = f->fetch->blob;

	TRY(hasher_new(&hasher));
	TRY(hasher_expect(hasher, &blob->digest, blob->size));
	if (blob_here) {
		TRY(image_blob_open(f->fetch->store, &blob->digest, &fd, NULL));
		TRY(flow_from_file(f, fd, (uint64_t)blob->size, hasher));
		return hasher_end(hasher, NULL);
	}
	if (f->ingest->have > (uint64_t)blob->size)
		TRY(ingest_restart(f->ingest));
	TRY(flow_from_file(f, f->ingest->fd, f->ingest->have, hasher));
	return flow_from_source(f, hasher);
}

static const char *unpack_path(const struct fetch *f, char path[static STORE_PATH_MAX])
{
	char name[DIGEST_TEXT_MAX];

	snprintf(path, STORE_PATH_MAX, "ingest/%s.layer", digest_file_name(&f->blob->digest, name));
	return path;
}

/* The layer came from another blob after the owner of this one had been killed. */
static void remove_leftover(const struct fetch *f)
{
	char path[STORE_PATH_MAX];
	auto_close int parent =
		openat(image_store_fd(f->store), "ingest", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (parent >= 0)
		IGNORE(path_remove_all(parent, unpack_path(f, path) + strlen("ingest/")));
}

static err *start_unpack(struct fetch *f, struct flow *flow)
{
	char path[STORE_PATH_MAX];

	return unpack_start(f->store, unpack_path(f, path), f->compression, f->diff_id, f->limits,
			    &flow->unpack);
}

static err *attempt(struct fetch *f, struct ingest *ingest, bool blob_here, bool layer_here)
{
	struct flow flow = { .fetch = f, .ingest = ingest };
	auto_unpack struct unpack *unpack = NULL;
	auto_free unsigned char *own = NULL;
	err *e;

	if (!layer_here)
		TRY(start_unpack(f, &flow));
	unpack = flow.unpack;
	e = flow_run(&flow, blob_here);
	own = flow.own;
	TRY(e);
	f->progress(f, IMAGE_BLOB_INDEXING, (uint64_t)f->blob->size);
	if (unpack)
		TRY(unpack_finish(unpack));
	if (!blob_here && !f->discard_blob)
		TRY(ingest_publish(ingest));
	return unpack ? unpack_publish(unpack) : NULL;
}

/* Errors that say: these bytes are wrong. Kept, they would stop every later try at the same place. */
static bool is_poison(const err *e)
{
	static const int codes[] = { EBADMSG, EPROTO, EFBIG, EINVAL, ENOTSUP };

	for (size_t i = 0; i < ARRAY_LEN(codes); i++)
		if (e->code == codes[i])
			return true;
	return false;
}

static err *fetch_owned(struct fetch *f, struct ingest *ingest, bool blob_here, bool layer_here)
{
	bool resumed = !blob_here && ingest->have > 0;
	err *e = attempt(f, ingest, blob_here, layer_here);

	/* A part from before may have been damaged by a power cut: its length was durable, its bytes not. */
	if (e && resumed && is_poison(e)) {
		err_free(e);
		TRY(ingest_restart(ingest));
		e = attempt(f, ingest, blob_here, layer_here);
	}
	if (e && is_poison(e))
		ingest_discard(ingest);
	if (e)
		return e;
	if (layer_here)
		remove_leftover(f);
	/* A discarded blob, or an empty entry beside a blob that was here. */
	ingest_discard(ingest);
	return NULL;
}

static void tell_waiting(void *arg)
{
	struct fetch *f = arg;

	f->progress(f, IMAGE_BLOB_WAITING, 0);
}

static bool is_here(struct fetch *f, bool *ret_blob, bool *ret_layer)
{
	*ret_blob = image_blob_exists(f->store, &f->blob->digest);
	*ret_layer = !f->diff_id || image_layer_exists(f->store, f->diff_id);
	return *ret_layer && (*ret_blob || (f->discard_blob && f->diff_id));
}

/* A full disk is said before the transfer, not at its end: the blob and at least as much unpacked. */
static err *check_space(struct fetch *f, const struct ingest *ingest, bool blob_here, bool layer_here)
{
	uint64_t size = (uint64_t)f->blob->size;
	uint64_t need = blob_here ? 0 : size - MIN(size, ingest->have);

	return store_check_space(f->store, need + (layer_here ? 0 : size));
}

err *fetch_run(struct fetch *f)
{
	auto_ingest struct ingest ingest = INGEST_INIT;
	bool blob_here, layer_here;

	if (is_here(f, &blob_here, &layer_here)) {
		f->progress(f, IMAGE_BLOB_PRESENT, (uint64_t)f->blob->size);
		return NULL;
	}
	TRY(ingest_open(f->store, &f->blob->digest, f->cancel, tell_waiting, f, &ingest));
	if (is_here(f, &blob_here, &layer_here)) {
		ingest_discard(&ingest);
		f->progress(f, IMAGE_BLOB_PRESENT, (uint64_t)f->blob->size);
		return NULL;
	}
	TRY(check_space(f, &ingest, blob_here, layer_here));
	TRY(fetch_owned(f, &ingest, blob_here, layer_here));
	f->progress(f, IMAGE_BLOB_DONE, (uint64_t)f->blob->size);
	return NULL;
}
