/* tests/unit/scheduler/objects-fixture.h: a loop, a store in a folder of its own, cache and objects; writes waited for. */
#pragma once
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "scheduler/objects.h"
#include "tests/unit/unit.h"

struct world {
	char dir[64], url[128];
	struct loop *loop;
	struct store *store;
	struct cache *cache;
	struct objects *objects;
	struct arena *arena;
	/* of the last write */
	size_t waiting;
	int code;          /* errno; 0 */
	struct str error;
	struct str answer; /* the object as told, one line */
	uint64_t revision; /* of that object */
	size_t bound;
};

static UNUSED int world_remove(const char *path, const struct stat *st UNUSED, int type UNUSED, struct FTW *ftw UNUSED)
{
	return remove(path);
}

static void world_over(void *user)
{
	struct world *w = user;

	assert_int_equal(w->waiting, 0);
	loop_stop(w->loop, NULL);
}

/* Run the loop until the writes that were begun have been answered. */
static void world_wait(struct world *w)
{
	if (w->waiting)
		assert_ok(loop_run(w->loop));
}

static UNUSED void world_done(const err *error, const struct entry *e, void *user)
{
	struct world *w = user;

	str_clear(&w->error);
	str_clear(&w->answer);
	w->code = error ? error->code : 0;
	w->revision = e ? e->revision : 0;
	if (error)
		err_format(error, &w->error);
	if (e)
		str_add_bytes(&w->answer, e->json->bytes, e->json->len);
	if (--w->waiting == 0)
		world_over(w);
}

static UNUSED void world_bound(const err *error, size_t bound, void *user)
{
	struct world *w = user;

	w->bound = bound;
	world_done(error, NULL, w);
}

static void world_open(struct world *w)
{
	const struct store_options o = { .url = w->url };

	assert_ok(loop_new(&w->loop));
	assert_ok(store_open(w->loop, &o, &w->store));
	assert_ok(cache_open(w->store, &w->cache));
	assert_ok(objects_new(w->loop, w->store, w->cache, &w->objects));
}

static void world_close(struct world *w)
{
	store_close(w->store);
	objects_free(w->objects);
	cache_free(w->cache);
	loop_free(w->loop);
}

static UNUSED void world_reopen(struct world *w)
{
	world_close(w);
	world_open(w);
}

static UNUSED void world_make(struct world *w)
{
	*w = (struct world){ .dir = "/tmp/stube-objects.XXXXXX" };
	assert_non_null(mkdtemp(w->dir));
	snprintf(w->url, sizeof(w->url), "sqlite:%s/store.db", w->dir);
	str_init(&w->error, 1 << 16);
	str_init(&w->answer, 1 << 20);
	assert_ok(arena_new(256 << 20, &w->arena));
	world_open(w);
}

static UNUSED void world_done_with(struct world *w)
{
	world_close(w);
	nftw(w->dir, world_remove, 8, FTW_DEPTH | FTW_PHYS);
	str_done(&w->error);
	str_done(&w->answer);
	arena_free(w->arena);
}

static UNUSED struct object *world_object(struct world *w, const char *text)
{
	struct object *object;

	assert_ok(object_decode(w->arena, "test", text, strlen(text), NULL, 0, &object));
	return object;
}

/* A call that may fail at once or later: either way its errno is w->code. */
#define WORLD_TRY(w, call)                                                                             \
	do {                                                                                           \
		(w)->waiting++;                                                                        \
		err *world_e_ = (call);                                                                \
		if (world_e_) {                                                                        \
			(w)->waiting--;                                                                \
			(w)->code = world_e_->code;                                                    \
			str_clear(&(w)->error);                                                        \
			str_clear(&(w)->answer);                                                       \
			err_format(world_e_, &(w)->error);                                             \
			err_free(world_e_);                                                            \
		}                                                                                      \
		world_wait(w);                                                                         \
	} while (0)

static UNUSED int world_create(struct world *w, const char *text)
{
	const struct write write = { .done = world_done, .user = w };

	WORLD_TRY(w, objects_create(w->objects, world_object(w, text), &write));
	return w->code;
}

static UNUSED int world_replace(struct world *w, const char *text, const char *subresource)
{
	const struct write write = { .done = world_done, .user = w, .subresource = subresource };

	WORLD_TRY(w, objects_replace(w->objects, world_object(w, text), &write));
	return w->code;
}

static UNUSED int world_patch(struct world *w, enum kind_id kind, const char *namespace, const char *name, const char *patch,
		       const char *subresource)
{
	const struct write write = { .done = world_done, .user = w, .subresource = subresource };

	WORLD_TRY(w, objects_patch(w->objects, &kinds[kind], namespace, name, patch, strlen(patch), &write));
	return w->code;
}

static UNUSED int world_delete(struct world *w, enum kind_id kind, const char *namespace, const char *name,
			const struct delete_options *how)
{
	const struct write write = { .done = world_done, .user = w };

	WORLD_TRY(w, objects_delete(w->objects, &kinds[kind], namespace, name, how, &write));
	return w->code;
}

static UNUSED int world_bind(struct world *w, const char *name, const char *node)
{
	const struct binding binding = { cache_get(w->cache, KIND_POD, "default", name), node };

	assert_non_null(binding.pod);
	w->waiting++;
	objects_bind(w->objects, &binding, 1, world_bound, w);
	world_wait(w);
	return w->code;
}

static UNUSED const struct object *world_get(struct world *w, enum kind_id kind, const char *namespace, const char *name)
{
	const struct entry *e = cache_get(w->cache, kind, namespace, name);

	return e ? e->object : NULL;
}

#define POD(name, more)                                                                                \
	"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{\"containers\":[{"  \
	"\"name\":\"c\",\"image\":\"i:1\"}]" more "}}"
#define NODE(name) "{\"apiVersion\":\"v1\",\"kind\":\"Node\",\"metadata\":{\"name\":\"" name "\"}}"
#define CLAIM(name)                                                                                    \
	"{\"apiVersion\":\"v1\",\"kind\":\"PersistentVolumeClaim\",\"metadata\":{\"name\":\"" name "\"},\"spec\":{"    \
	"\"accessModes\":[\"ReadWriteOnce\"],\"resources\":{\"requests\":{\"storage\":\"1Gi\"}}}}"
#define WITH_CLAIM(name) ",\"volumes\":[{\"name\":\"v\",\"persistentVolumeClaim\":{\"claimName\":\"" name "\"}}]"
