/* images/gc.c: remove what no name and no lease in use reaches. */
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "images/extract.h"
#include "images/store-internal.h"

#define GC_MEMORY (1u << 30)

/* Digests that are reached; sorted before the sweep. */
struct digest_set {
	struct digest *items;
	size_t count, cap;
};

struct gc {
	struct image_store *s;
	const struct image_gc_options *options;
	struct image_gc_result *result;
	struct digest_set blobs, layers;
	const struct digest_set *live; /* of the directory being swept */
	enum digest_algorithm algorithm;
};

static err *set_add(struct digest_set *set, const struct digest *d)
{
	if (set->count == set->cap) {
		size_t cap = set->cap ? set->cap * 2 : 256;
		struct digest *items = reallocarray(set->items, cap, sizeof *items);

		if (!items)
			return err_oom();
		set->items = items;
		set->cap = cap;
	}
	set->items[set->count++] = *d;
	return NULL;
}

static int compare(const void *a, const void *b)
{
	return digest_compare(a, b);
}

static void set_sort(struct digest_set *set)
{
	if (set->count > 1)
		qsort(set->items, set->count, sizeof *set->items, compare);
}

static bool set_has(const struct digest_set *set, const struct digest *d)
{
	return set->count && bsearch(d, set->items, set->count, sizeof *set->items, compare);
}

/* ---- mark ---- */

static err *mark_blob(const struct oci_descriptor *d, bool required, void *arg)
{
	struct gc *gc = arg;

	(void)required;
	return set_add(&gc->blobs, &d->digest);
}

static err *mark_layer(const struct digest *diff_id, void *arg)
{
	struct gc *gc = arg;

	return set_add(&gc->layers, diff_id);
}

static err *mark(struct gc *gc, const struct digest *target, const char *media_type)
{
	auto_arena struct arena *arena = NULL;

	TRY(arena_new(GC_MEMORY, &arena));
	const struct reach reach = { arena, gc, mark_blob, mark_layer };
	return err_hint(store_reach(gc->s, target, media_type, &reach),
			"Nothing was removed. `stube image fsck --repair` finds what is damaged.");
}

static err *mark_refs(struct gc *gc)
{
	auto_arena struct arena *arena = NULL;
	struct image_refs refs;

	TRY(arena_new(GC_MEMORY, &arena));
	TRY(image_store_refs(gc->s, arena, &refs));
	for (size_t i = 0; i < refs.count; i++)
		TRY(err_wrap(mark(gc, &refs.items[i].digest, refs.items[i].media_type), "image '%s'",
			     refs.items[i].name));
	return NULL;
}

static err *mark_lease(struct image_store *s, int dir_fd, const char *name, void *arg)
{
	struct gc *gc = arg;
	auto_close int fd = openat(dir_fd, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW);
	struct digest manifest;
	bool held;

	if (fd < 0)
		return errno == ENOENT ? NULL : err_errno("open '%s/leases/%s'", s->path, name);
	TRY(store_flock(fd, LOCK_EX | LOCK_NB, &held));
	if (held) {
		TRY(lease_read(fd, name, &manifest));
		return err_wrap(mark(gc, &manifest, NULL), "lease '%s'", name);
	}
	gc->result->leases++;
	if (!gc->options->dry_run && unlinkat(dir_fd, name, 0) < 0)
		return err_errno("remove '%s/leases/%s'", s->path, name);
	return NULL;
}

/* ---- sweep ---- */

/* Whether an entry of blobs/ALG or layers/ALG is reached. A name that is no digest is nobody's. */
static bool is_live(const struct gc *gc, const char *name)
{
	char text[DIGEST_TEXT_MAX + NAME_MAX];
	struct digest d;

	snprintf(text, sizeof text, "%s:%s", digest_algorithm_name(gc->algorithm), name);
	err *e = digest_parse(text, &d);
	if (!e)
		return set_has(gc->live, &d);
	err_free(e);
	return false;
}

static uint64_t bytes_of(int dir_fd, const char *name)
{
	struct stat st;

	return fstatat(dir_fd, name, &st, AT_SYMLINK_NOFOLLOW) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

static err *sweep_blob(struct image_store *s, int dir_fd, const char *name, void *arg)
{
	struct gc *gc = arg;

	if (is_live(gc, name))
		return NULL;
	gc->result->blobs++;
	gc->result->bytes += bytes_of(dir_fd, name);
	if (!gc->options->dry_run && unlinkat(dir_fd, name, 0) < 0)
		return err_errno("remove '%s/blobs/%s'", s->path, name);
	return NULL;
}

static err *remove_layer_dir(struct gc *gc, int parent_fd, const char *name)
{
	auto_close int fd = openat(parent_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);

	if (fd >= 0 && faccessat(fd, LAYER_TREE, F_OK, AT_SYMLINK_NOFOLLOW) == 0)
		TRY(gc->options->remove_tree ? gc->options->remove_tree(fd, gc->options->arg)
					     : layer_tree_remove(fd));
	return path_remove_all(parent_fd, name);
}

/* A layer is made of several files: it leaves its visible name in one step, then is taken apart. */
static err *sweep_layer(struct image_store *s, int dir_fd, const char *name, void *arg)
{
	struct gc *gc = arg;
	char gone[STORE_PATH_MAX + NAME_MAX];

	if (is_live(gc, name))
		return NULL;
	gc->result->layers++;
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	if (fd >= 0)
		gc->result->bytes += bytes_of(fd, LAYER_TAR) + bytes_of(fd, LAYER_INDEX);
	if (gc->options->dry_run)
		return NULL;
	snprintf(gone, sizeof gone, "ingest/gone-%s-%s", digest_algorithm_name(gc->algorithm), name);
	if (renameat(dir_fd, name, s->fd, gone) < 0)
		return err_errno("rename '%s/layers/%s'", s->path, name);
	return NULL;
}

/* Nobody is pulling while we hold the store alone: what lies here has no owner. */
static err *sweep_ingest(struct image_store *s, int dir_fd, const char *name, void *arg)
{
	struct gc *gc = arg;

	if (!str_starts_with(name, "gone-")) {
		gc->result->ingests++;
		gc->result->bytes += bytes_of(dir_fd, name);
	}
	if (gc->options->dry_run)
		return NULL;
	return err_wrap(remove_layer_dir(gc, dir_fd, name), "'%s/ingest'", s->path);
}

/* Temporary files of writers that were killed. */
static err *sweep_temporary(struct image_store *s, int dir_fd, const char *name, void *arg)
{
	struct gc *gc = arg;

	if (*name != '.' || gc->options->dry_run)
		return NULL;
	return unlinkat(dir_fd, name, 0) < 0 ? err_errno("remove '%s/refs/%s'", s->path, name) : NULL;
}

static err *sweep(struct gc *gc)
{
	static const enum digest_algorithm algorithms[] = { DIGEST_SHA256, DIGEST_SHA512 };
	char dir[32];

	for (size_t i = 0; i < ARRAY_LEN(algorithms); i++) {
		gc->algorithm = algorithms[i];
		gc->live = &gc->blobs;
		snprintf(dir, sizeof dir, "blobs/%s", digest_algorithm_name(gc->algorithm));
		TRY(store_each(gc->s, dir, sweep_blob, gc));
		gc->live = &gc->layers;
		snprintf(dir, sizeof dir, "layers/%s", digest_algorithm_name(gc->algorithm));
		TRY(store_each(gc->s, dir, sweep_layer, gc));
	}
	TRY(store_each(gc->s, "refs", sweep_temporary, gc));
	return store_each(gc->s, "ingest", sweep_ingest, gc);
}

err *image_gc(struct image_store *s, const struct image_gc_options *options, struct image_gc_result *ret)
{
	static const struct image_gc_options defaults;
	struct image_gc_result result = { 0 };
	struct gc gc = { .s = s, .options = options ? options : &defaults, .result = &result };

	if (s->use != IMAGE_STORE_SWEEP)
		return err_new(EINVAL, "image store '%s' is not open for a sweep", s->path);
	err *e = mark_refs(&gc);
	if (!e)
		e = store_each(s, "leases", mark_lease, &gc);
	if (!e) {
		set_sort(&gc.blobs);
		set_sort(&gc.layers);
		e = sweep(&gc);
	}
	free(gc.blobs.items);
	free(gc.layers.items);
	if (!e)
		*ret = result;
	return e;
}
