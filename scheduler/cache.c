/* scheduler/cache.c: the store's keys decoded once, with the indexes that controllers look through. */
#include "scheduler/cache.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "api/claim.h"
#include "base/log.h"
#include "scheduler/index.h"

enum {
	SUBSCRIBERS_MAX = 16,
	KEY_MAX = 1000,
	JSON_MAX = 2 * STORE_VALUE_MAX,
	TREE_MAX = 64 << 20,
};

/* What entry_ref() hands out is the first member. */
struct held {
	struct entry entry;
	struct arena *arena;
};

struct cache {
	struct store *store;
	struct index by_name[KIND_COUNT];
	struct index by_uid, by_node, by_owner, by_claim, by_namespace;
	uint64_t revision;
	struct {
		cache_change_fn *fn;
		void *user;
	} subscribers[SUBSCRIBERS_MAX];
	size_t subscriber_count;
};

struct entry *entry_ref(const struct entry *e)
{
	struct entry *own = (struct entry *)(uintptr_t)e;

	own->refs++;
	return own;
}

void entry_unref(struct entry *e)
{
	if (!e || --e->refs > 0)
		return;
	struct held *h = (struct held *)(void *)e;

	blob_unref(e->json);
	arena_free(h->arena);
	free(h);
}

size_t entry_bytes(const struct entry *e)
{
	const struct held *h = (const struct held *)(const void *)e;

	return sizeof(*h) + e->json->len + arena_used(h->arena);
}

/* ---- keys ---- */

void cache_key(struct str *out, const struct kind *kind, const char *namespace, const char *name)
{
	if (kind->namespaced)
		str_addf(out, "/%s/%s/%s", kind->plural, namespace ? namespace : "", name);
	else
		str_addf(out, "/%s/%s", kind->plural, name);
}

const struct kind *cache_key_kind(const char *key)
{
	const char *end = key[0] == '/' ? strchr(key + 1, '/') : NULL;

	for (int i = 0; end && i < KIND_COUNT; i++)
		if (strlen(kinds[i].plural) == (size_t)(end - key - 1) &&
		    memcmp(kinds[i].plural, key + 1, (size_t)(end - key - 1)) == 0)
			return &kinds[i];
	return NULL;
}

/* Parts of a key are divided by a byte below all that names consist of, so that namespaces sort as wholes.
 * False: it would be too long to be anything that exists. */
static bool join_key(char key[static KEY_MAX], const char *const *parts, size_t count)
{
	size_t len = 0;

	for (size_t i = 0; i < count; i++) {
		size_t part = parts[i] ? strlen(parts[i]) : 0;

		if (len + part + 2 > KEY_MAX)
			return false;
		if (part)
			memcpy(key + len, parts[i], part);
		len += part;
		if (i + 1 < count)
			key[len++] = '\1';
	}
	key[len] = '\0';
	return true;
}
#define JOIN(key, ...)                                      \
	join_key(key, (const char *const[]){ __VA_ARGS__ }, \
		 sizeof((const char *const[]){ __VA_ARGS__ }) / sizeof(const char *))

typedef void key_fn(struct index *ix, const char *key, void *entry);

static void key_put(struct index *ix, const char *key, void *entry)
{
	index_put(ix, key, entry);
}

static void key_remove(struct index *ix, const char *key, void *entry)
{
	if (index_get(ix, key) == entry)
		index_remove(ix, key);
}

static void keys_of_pod(struct cache *c, struct entry *e, key_fn *fn)
{
	const struct pod *pod = (const struct pod *)(const void *)e->object;
	char key[KEY_MAX];

	if (pod->spec.node_name && pod->spec.node_name[0] &&
	    JOIN(key, pod->spec.node_name, pod->metadata.namespace, pod->metadata.name))
		fn(&c->by_node, key, e);
	for (size_t i = 0; i < pod->spec.volumes.count; i++) {
		const struct pod_claim_source *claim = pod->spec.volumes.items[i].claim;

		if (claim && JOIN(key, pod->metadata.namespace, claim->claim, pod->metadata.name))
			fn(&c->by_claim, key, e);
	}
}

/* No uid is empty. */
#define NO_OWNER ""

static bool may_be_loose(enum kind_id kind)
{
	return kind == KIND_POD || kind == KIND_REPLICASET;
}

/* Everything that an entry is found by. */
static void keys_of(struct cache *c, struct entry *e, key_fn *fn)
{
	const struct meta *m = &e->object->metadata;
	const struct owner_reference *owner = meta_controller(m);
	char key[KEY_MAX];

	if (JOIN(key, m->namespace, m->name))
		fn(&c->by_name[e->kind->id], key, e);
	if (m->uid)
		fn(&c->by_uid, m->uid, e);
	if (m->namespace && JOIN(key, m->namespace, e->kind->plural, m->name))
		fn(&c->by_namespace, key, e);
	if (owner && JOIN(key, owner->uid, e->kind->plural, m->namespace, m->name))
		fn(&c->by_owner, key, e);
	if (!owner && may_be_loose(e->kind->id) &&
	    JOIN(key, NO_OWNER, e->kind->plural, m->namespace, m->name))
		fn(&c->by_owner, key, e);
	if (e->kind->id == KIND_POD)
		keys_of_pod(c, e, fn);
}

/* ---- entries ---- */

static err *set_json(struct entry *e)
{
	auto_str struct str text = STR_INIT(JSON_MAX);

	object_encode(&text, e->object, 0);
	TRY(str_check(&text));
	e->json = blob_new(text.data, text.len);
	return NULL;
}

static err *new_entry(const struct kind *kind, struct held **ret)
{
	struct held *h = calloc(1, sizeof(*h));

	if (!h)
		return err_oom();
	h->entry = (struct entry){ .kind = kind, .refs = 1 };
	err *e = arena_new(TREE_MAX, &h->arena);
	if (e) {
		free(h);
		return e;
	}
	*ret = h;
	return NULL;
}

/* The tree of the text goes away with its own arena; the decoded form copies what it keeps. */
static err *fill_entry(struct held *h, const char *key, const char *value, size_t len)
{
	auto_arena struct arena *scratch = NULL;
	struct object *object;
	json *tree;

	TRY(arena_new(TREE_MAX, &scratch));
	TRY(json_parse(scratch, key, value, len, &tree));
	TRY(object_decode_tree(h->arena, key, tree, h->entry.kind, 0, &object));
	/* Revision 0: a dry run's, of what is not there. */
	if (h->entry.revision)
		TRY_ALLOC(h->arena, object->metadata.resource_version,
			  arena_printf(h->arena, "%" PRIu64, h->entry.revision));
	h->entry.object = object;
	return set_json(&h->entry);
}

err *cache_decode(const char *key, const char *value, size_t len, uint64_t created, uint64_t revision,
		  struct entry **ret)
{
	const struct kind *kind = cache_key_kind(key);
	struct held *h;

	if (!kind)
		return err_new(EINVAL, "key '%s' is of no kind that this version knows", key);
	TRY(new_entry(kind, &h));
	h->entry.created = created;
	h->entry.revision = revision;
	err *e = fill_entry(h, key, value, len);
	if (e) {
		entry_unref(&h->entry);
		return err_wrap(e, "stored object '%s'", key);
	}
	*ret = &h->entry;
	return NULL;
}

err *cache_refresh(struct cache *c, const struct entry *e, const struct object *object)
{
	struct object *copy;
	struct held *h;

	TRY(new_entry(e->kind, &h));
	h->entry.created = e->created;
	h->entry.revision = e->revision;
	h->entry.lease = e->lease;
	err *failed = object_copy(h->arena, object, &copy);
	if (!failed) {
		copy->metadata.resource_version =
			arena_strdup(h->arena, e->object->metadata.resource_version);
		h->entry.object = copy;
		failed = set_json(&h->entry);
	}
	if (failed) {
		entry_unref(&h->entry);
		return failed;
	}
	struct entry *old = (struct entry *)(uintptr_t)e;

	keys_of(c, old, key_remove);
	keys_of(c, &h->entry, key_put);
	entry_unref(old);
	return NULL;
}

/* ---- what the store says ---- */

/* A cache that has missed something would lie to every controller: better to begin anew from the store. */
static void NORETURN give_up(err *e)
{
	log_err(e);
	abort();
}

static void learn_lease(struct cache *c, struct entry *e, const char *key)
{
	auto_arena struct arena *arena = NULL;
	struct store_entry stored;
	bool found = false;
	err *failed = arena_new(TREE_MAX, &arena);

	if (!failed)
		failed = store_get(c->store, arena, key, &found, &stored);
	if (failed)
		give_up(err_wrap(failed, "lease of '%s'", key));
	if (found)
		e->lease = stored.lease;
}

static struct entry *find_key(const struct cache *c, const struct kind *kind, const char *key)
{
	const char *name = strrchr(key, '/') + 1;
	const char *begin = key + strlen(kind->plural) + 2;
	char joined[KEY_MAX];

	if ((size_t)snprintf(joined, sizeof(joined), "%.*s\1%s",
			     kind->namespaced ? (int)(name - begin - 1) : 0, begin, name) >= sizeof(joined))
		return NULL;
	return index_get(&c->by_name[kind->id], joined);
}

static void on_event(const struct store_event *event, void *user)
{
	struct cache *c = user;
	const struct kind *kind = cache_key_kind(event->key);
	struct entry *before = kind ? find_key(c, kind, event->key) : NULL, *after = NULL;

	c->revision = event->revision;
	if (!kind || (!before && !event->value))
		return;
	if (event->value) {
		err *e = cache_decode(event->key, event->value, event->len, event->created, event->revision,
				      &after);

		if (e)
			give_up(e);
		if (kind->id == KIND_LEASE)
			learn_lease(c, after, event->key);
	}
	if (before)
		keys_of(c, before, key_remove);
	if (after)
		keys_of(c, after, key_put);
	for (size_t i = 0; i < c->subscriber_count; i++)
		c->subscribers[i].fn(before, after, event->revision, c->subscribers[i].user);
	entry_unref(before);
}

static err *on_stored(const struct store_entry *stored, void *user)
{
	struct cache *c = user;
	struct entry *e;

	if (!cache_key_kind(stored->key))
		return NULL;
	TRY(cache_decode(stored->key, stored->value, stored->len, stored->created, stored->modified, &e));
	e->lease = stored->lease;
	keys_of(c, e, key_put);
	return NULL;
}

err *cache_open(struct store *store, struct cache **ret)
{
	struct cache *c = calloc(1, sizeof(*c));

	if (!c)
		return err_oom();
	c->store = store;
	err *e = store_list(store, "/", NULL, 0, on_stored, c, &c->revision);
	if (e) {
		cache_free(c);
		return e;
	}
	store_subscribe(store, on_event, c);
	*ret = c;
	return NULL;
}

static bool drop_entry(void *value, void *user)
{
	(void)user;
	entry_unref(value);
	return true;
}

void cache_free(struct cache *c)
{
	if (!c)
		return;
	for (int i = 0; i < KIND_COUNT; i++) {
		index_each(&c->by_name[i], "", NULL, drop_entry, NULL);
		index_done(&c->by_name[i]);
	}
	index_done(&c->by_uid);
	index_done(&c->by_node);
	index_done(&c->by_owner);
	index_done(&c->by_claim);
	index_done(&c->by_namespace);
	free(c);
}

/* ---- questions ---- */

const struct entry *cache_get(const struct cache *c, enum kind_id kind, const char *namespace,
			      const char *name)
{
	char key[KEY_MAX];

	return JOIN(key, kinds[kind].namespaced ? namespace : NULL, name) ? index_get(&c->by_name[kind], key)
									  : NULL;
}

const struct entry *cache_get_key(const struct cache *c, const char *key)
{
	const struct kind *kind = cache_key_kind(key);

	return kind ? find_key(c, kind, key) : NULL;
}

const struct entry *cache_get_uid(const struct cache *c, const char *uid)
{
	return uid ? index_get(&c->by_uid, uid) : NULL;
}

struct each {
	cache_each_fn *fn;
	void *user;
};

static bool each_entry(void *value, void *user)
{
	const struct each *each = user;

	return each->fn(value, each->user);
}

/* prefix: one key part, or NULL for all. */
static void each_of(const struct index *ix, const char *prefix, const char *after, cache_each_fn *fn,
		    void *user)
{
	struct each each = { fn, user };
	char key[KEY_MAX] = "";

	if (!prefix || JOIN(key, prefix, ""))
		index_each(ix, key, after, each_entry, &each);
}

void cache_each(const struct cache *c, enum kind_id kind, const char *namespace, cache_each_fn *fn,
		void *user)
{
	each_of(&c->by_name[kind], kinds[kind].namespaced ? namespace : NULL, NULL, fn, user);
}

void cache_each_from(const struct cache *c, enum kind_id kind, const char *namespace,
		     const char *after_namespace, const char *after_name, cache_each_fn *fn, void *user)
{
	char after[KEY_MAX];

	if (JOIN(after, kinds[kind].namespaced ? after_namespace : NULL, after_name))
		each_of(&c->by_name[kind], kinds[kind].namespaced ? namespace : NULL, after, fn, user);
}

void cache_each_on_node(const struct cache *c, const char *node, cache_each_fn *fn, void *user)
{
	each_of(&c->by_node, node, NULL, fn, user);
}

void cache_each_owned(const struct cache *c, const char *owner_uid, cache_each_fn *fn, void *user)
{
	each_of(&c->by_owner, owner_uid, NULL, fn, user);
}

void cache_each_loose(const struct cache *c, enum kind_id kind, const char *namespace, cache_each_fn *fn,
		      void *user)
{
	struct each each = { fn, user };
	char key[KEY_MAX];

	if (JOIN(key, NO_OWNER, kinds[kind].plural, namespace, ""))
		index_each(&c->by_owner, key, NULL, each_entry, &each);
}

void cache_each_mounting(const struct cache *c, const char *namespace, const char *claim, cache_each_fn *fn,
			 void *user)
{
	struct each each = { fn, user };
	char key[KEY_MAX];

	if (JOIN(key, namespace, claim, ""))
		index_each(&c->by_claim, key, NULL, each_entry, &each);
}

size_t cache_count(const struct cache *c, enum kind_id kind)
{
	return c->by_name[kind].count;
}

static bool found_one(void *value, void *user)
{
	(void)value;
	*(bool *)user = true;
	return false;
}

bool cache_has_any(const struct cache *c, const char *namespace)
{
	char key[KEY_MAX];
	bool found = false;

	if (JOIN(key, namespace, ""))
		index_each(&c->by_namespace, key, NULL, found_one, &found);
	return found;
}

uint64_t cache_revision(const struct cache *c)
{
	return c->revision;
}

err *cache_subscribe(struct cache *c, cache_change_fn *fn, void *user)
{
	if (c->subscriber_count == SUBSCRIBERS_MAX)
		return err_new(ENOSPC, "too many parts want to know of changes");
	c->subscribers[c->subscriber_count].fn = fn;
	c->subscribers[c->subscriber_count++].user = user;
	return NULL;
}
