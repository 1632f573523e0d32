/* api/follow.c: a list and its watches, again and again, so that the callback always knows the whole. */
#include <sys/random.h>

#include "api/client-internal.h"

#define WAIT_MIN   (SECOND / 5)
#define WAIT_MAX   (10 * SECOND)
#define WAIT_SLICE (SECOND / 10) /* how often `cancel` is looked at */
#define GONE_ARENA (1u << 20)

/* What has been told of one object. */
struct known {
	struct known *next; /* in its bucket */
	char *uid, *version;
	unsigned round; /* of the last list that had it */
	char key[];	/* "namespace/name" */
};

struct follow {
	struct api_client *client;
	const struct kind *kind;
	const char *namespace;
	const struct api_query *query;
	watch_fn *fn;
	watch_trouble_fn *trouble;
	void *user;
	const atomic_bool *cancel;
	struct known **buckets;
	size_t bucket_count, count; /* buckets: a power of two */
	char *version;		    /* of the store: where a watch goes on; NULL: list again */
	unsigned round;
	bool synced, troubled, ended /* by the callback */;
};

/* ---- what is known ---- */

static size_t bucket_of(const struct follow *f, const char *key)
{
	uint64_t hash = 14695981039346656037u; /* FNV-1a */

	for (; *key; key++)
		hash = (hash ^ (unsigned char)*key) * 1099511628211u;
	return (size_t)(hash ^ hash >> 32) & (f->bucket_count - 1);
}

static struct known **find(struct follow *f, const char *key)
{
	struct known **place = &f->buckets[bucket_of(f, key)];

	while (*place && strcmp((*place)->key, key) != 0)
		place = &(*place)->next;
	return place;
}

static void known_free(struct known *k)
{
	free(k->uid);
	free(k->version);
	free(k);
}

static void forget(struct follow *f, struct known **place)
{
	struct known *k = *place;

	*place = k->next;
	f->count--;
	known_free(k);
}

static err *make_room(struct follow *f)
{
	size_t old_count = f->bucket_count, count = old_count ? old_count * 2 : 64;

	if (f->count < old_count)
		return NULL;
	struct known **old = f->buckets, **buckets = calloc(count, sizeof(*buckets));
	if (!buckets)
		return err_oom();
	f->buckets = buckets;
	f->bucket_count = count;
	for (size_t i = 0; i < old_count; i++)
		for (struct known *k = old[i], *next; k; k = next) {
			next = k->next;
			struct known **place = &f->buckets[bucket_of(f, k->key)];
			k->next = *place;
			*place = k;
		}
	free(old);
	return NULL;
}

static err *set_text(char **place, const char *text)
{
	char *copy = strdup(text ? text : "");

	if (!copy)
		return err_oom();
	free(*place);
	*place = copy;
	return NULL;
}

static err *remember(struct follow *f, const char *key, const struct meta *meta)
{
	size_t len = strlen(key) + 1;
	struct known *k = calloc(1, sizeof(*k) + len);

	if (!k)
		return err_oom();
	memcpy(k->key, key, len);
	k->round = f->round;
	err *e = set_text(&k->uid, meta->uid);
	if (!e)
		e = set_text(&k->version, meta->resource_version);
	if (!e)
		e = make_room(f);
	if (e) {
		known_free(k);
		return e;
	}
	struct known **place = &f->buckets[bucket_of(f, key)];
	k->next = *place;
	*place = k;
	f->count++;
	return NULL;
}

/* ---- telling ---- */

static err *tell(struct follow *f, enum watch_type type, const struct object *object, const json *tree,
		 const char *version)
{
	struct watch_event event = {
		.type = type, .object = object, .tree = tree, .resource_version = version
	};
	err *e = f->fn(&event, f->user);

	f->ended = e != NULL;
	return e;
}

/* Its end was not seen: what is told is who it was. */
static err *tell_gone(struct follow *f, struct known **place)
{
	auto_arena struct arena *arena = NULL;
	struct object *object = NULL;
	char *key = NULL;

	TRY(arena_new(GONE_ARENA, &arena));
	TRY(object_new(arena, f->kind, &object));
	TRY_ALLOC(arena, key, arena_strdup(arena, (*place)->key));
	char *slash = strchr(key, '/');
	*slash = '\0';
	object->metadata.namespace = *key ? key : NULL;
	object->metadata.name = slash + 1;
	TRY_ALLOC(arena, object->metadata.uid, arena_strdup(arena, (*place)->uid));
	TRY_ALLOC(arena, object->metadata.resource_version, arena_strdup(arena, (*place)->version));
	forget(f, place);
	return tell(f, WATCH_DELETED, object, NULL, f->version);
}

static err *tell_change(struct follow *f, const char *key, const struct object *object, const json *tree)
{
	const struct meta *meta = &object->metadata;
	struct known **place = f->count ? find(f, key) : NULL;

	if (place && *place && strcmp((*place)->uid, meta->uid ? meta->uid : "") != 0) {
		TRY(tell_gone(f, place));
		place = NULL;
	}
	if (!place || !*place) {
		TRY(remember(f, key, meta));
		return tell(f, WATCH_ADDED, object, tree, meta->resource_version);
	}
	(*place)->round = f->round;
	if (meta->resource_version && str_equal((*place)->version, meta->resource_version))
		return NULL;
	TRY(set_text(&(*place)->version, meta->resource_version));
	return tell(f, WATCH_MODIFIED, object, tree, meta->resource_version);
}

static err *tell_deletion(struct follow *f, const char *key, const struct object *object, const json *tree)
{
	struct known **place = f->count ? find(f, key) : NULL;

	if (!place || !*place || strcmp((*place)->uid, object->metadata.uid ? object->metadata.uid : "") != 0)
		return NULL;
	forget(f, place);
	return tell(f, WATCH_DELETED, object, tree, object->metadata.resource_version);
}

static err *on_object(struct follow *f, enum watch_type type, const struct object *object, const json *tree)
{
	const struct meta *meta = &object->metadata;
	auto_str struct str key = STR_INIT(4096);

	str_addf(&key, "%s/%s", meta->namespace ? meta->namespace : "", meta->name ? meta->name : "");
	TRY(str_check(&key));
	return type == WATCH_DELETED ? tell_deletion(f, key.data, object, tree)
				     : tell_change(f, key.data, object, tree);
}

static void recovered(struct follow *f)
{
	if (f->troubled && f->trouble)
		f->trouble(NULL, f->user);
	f->troubled = false;
}

/* ---- a list ---- */

static err *on_page(const json *items, void *user)
{
	struct follow *f = user;

	for (size_t i = 0; i < items->array.count; i++) {
		auto_arena struct arena *arena = NULL;
		struct object *object = NULL;
		TRY(arena_new(64 << 20, &arena));
		TRY(client_object(f->client, arena, f->kind, items->array.items[i], &object));
		TRY(on_object(f, WATCH_ADDED, object, items->array.items[i]));
	}
	return NULL;
}

/* What this list did not have is gone. */
static err *sweep(struct follow *f)
{
	for (size_t i = 0; i < f->bucket_count; i++)
		for (struct known **place = &f->buckets[i]; *place;) {
			if ((*place)->round == f->round)
				place = &(*place)->next;
			else
				TRY(tell_gone(f, place));
		}
	return NULL;
}

static err *list(struct follow *f)
{
	auto_free char *version = NULL;

	struct api_query query = f->query ? *f->query : (struct api_query){ 0 };

	query.limit = 0; /* all pages */
	f->round++;
	TRY(client_pages(f->client, NULL, f->kind, f->namespace, &query, on_page, f, f->cancel, &version));
	f->version = TAKE(version);
	recovered(f);
	TRY(sweep(f));
	if (f->synced)
		return NULL;
	f->synced = true;
	return tell(f, WATCH_SYNCED, NULL, NULL, f->version);
}

/* ---- a watch ---- */

static void on_begun(void *user)
{
	recovered(user);
}

static err *on_event(const struct watch_event *event, void *user)
{
	struct follow *f = user;

	if (event->type == WATCH_BOOKMARK)
		TRY(tell(f, WATCH_BOOKMARK, NULL, NULL, event->resource_version));
	else
		TRY(on_object(f, event->type, event->object, event->tree));
	return event->resource_version ? set_text(&f->version, event->resource_version) : NULL;
}

/* *ret_stood: for a while; *ret_moved: it came further than before. */
static err *watch(struct follow *f, bool *ret_stood, bool *ret_moved)
{
	struct api_query query = f->query ? *f->query : (struct api_query){ 0 };
	auto_free char *version = strdup(f->version);
	int64_t begin = clock_monotonic();

	if (!version)
		return err_oom();
	query.resource_version = version;
	err *e = client_watch(f->client, f->kind, f->namespace, &query, on_event, on_begun, f, f->cancel);
	*ret_stood = clock_monotonic() - begin > SECOND;
	*ret_moved = !str_equal(version, f->version);
	return e;
}

/* ---- again and again ---- */

static bool is_cancelled(const struct follow *f)
{
	return f->cancel && atomic_load(f->cancel);
}

/* Half of it, and a random part of the other half, so that many clients do not come back at once. */
static void pause_for(const struct follow *f, int64_t wait)
{
	uint32_t random = 0;

	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) != sizeof(random))
		random = 0;
	int64_t until = clock_monotonic() + wait / 2 + (int64_t)random % (wait / 2);
	for (int64_t left; !is_cancelled(f) && (left = until - clock_monotonic()) > 0;) {
		struct timespec t = { .tv_nsec = MIN(left, WAIT_SLICE) };
		nanosleep(&t, NULL);
	}
}

static bool is_final(const struct follow *f, const err *e)
{
	return f->ended || e->code == EACCES || e->code == EPERM;
}

static err *follow(struct follow *f)
{
	int64_t wait = WAIT_MIN;

	while (!is_cancelled(f)) {
		bool stood = false, moved = false;
		err *e = f->version ? NULL : list(f);
		if (!e)
			e = watch(f, &stood, &moved);
		if (e && is_final(f, e))
			return e;
		if (is_cancelled(f)) {
			err_free(e);
			break;
		}
		if (e && e->code == EKEYEXPIRED)
			free(TAKE(f->version));
		if (e && f->trouble)
			f->trouble(e, f->user);
		f->troubled = f->troubled || e;
		if (stood || moved)
			wait = WAIT_MIN;
		if (e || !stood) {
			pause_for(f, wait);
			wait = MIN(wait * 2, WAIT_MAX);
		}
		err_free(e);
	}
	return err_new(ECANCELED, "cancelled");
}

err *api_follow(struct api_client *c, const struct kind *kind, const char *namespace,
		const struct api_query *query, watch_fn *fn, watch_trouble_fn *trouble, void *user,
		const atomic_bool *cancel)
{
	struct follow f = {
		.client = c,
		.kind = kind,
		.namespace = namespace,
		.query = query,
		.fn = fn,
		.trouble = trouble,
		.user = user,
		.cancel = cancel,
	};

	err *e = follow(&f);
	for (size_t i = 0; i < f.bucket_count; i++)
		while (f.buckets[i])
			forget(&f, &f.buckets[i]);
	free(f.buckets);
	free(f.version);
	return e;
}
