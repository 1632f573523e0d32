/* scheduler/cache.h: all objects decoded in memory, as the store's events make them; whoever must know of a change
 * subscribes. Nothing here writes: see scheduler/objects.h. */
#pragma once
#include "api/kinds.h"
#include "api/pod.h"
#include "base/err.h"
#include "net/server.h"
#include "scheduler/store.h"

struct cache;

/* One object as it is now. Valid until the loop's next callback unless entry_ref()'d; its content never changes. */
struct entry {
	const struct kind *kind;
	const struct object *object; /* with resource_version filled in */
	struct blob *json;           /* one line, the same */
	uint64_t created, revision;
	int64_t lease;
	unsigned refs;
};
struct entry *entry_ref(const struct entry *e);
void entry_unref(struct entry *e);
size_t entry_bytes(const struct entry *e); /* of memory, about */

/* Reads the whole store, and hears of its changes. A value that does not decode is an error that names its
 * key. Close the store before cache_free(). */
err *cache_open(struct store *store, struct cache **ret) MUST_CHECK;
void cache_free(struct cache *c);

const struct entry *cache_get(const struct cache *c, enum kind_id kind, const char *namespace, const char *name);
const struct entry *cache_get_key(const struct cache *c, const char *key); /* the store's */
const struct entry *cache_get_uid(const struct cache *c, const char *uid);

/* In the order of namespace and name. namespace NULL: all. False from fn ends it. fn may not change the cache. */
typedef bool cache_each_fn(const struct entry *e, void *user);
void cache_each(const struct cache *c, enum kind_id kind, const char *namespace, cache_each_fn *fn, void *user);
/* Begin after a namespace and name, for pages. */
void cache_each_from(const struct cache *c, enum kind_id kind, const char *namespace, const char *after_namespace,
		     const char *after_name, cache_each_fn *fn, void *user);
/* Indexes: Pods bound to a node; objects whose controller has that uid; Pods that mount a claim. */
void cache_each_on_node(const struct cache *c, const char *node, cache_each_fn *fn, void *user);
void cache_each_owned(const struct cache *c, const char *owner_uid, cache_each_fn *fn, void *user);
/* Those of a kind in a namespace that no controller has: who makes such objects may take them as its own. Of
 * Pods and ReplicaSets only. */
void cache_each_loose(const struct cache *c, enum kind_id kind, const char *namespace, cache_each_fn *fn,
		      void *user);
void cache_each_mounting(const struct cache *c, const char *namespace, const char *claim, cache_each_fn *fn, void *user);
size_t cache_count(const struct cache *c, enum kind_id kind);
/* Anything at all in that namespace. */
bool cache_has_any(const struct cache *c, const char *namespace);
uint64_t cache_revision(const struct cache *c);

/* before: NULL: it is new; after: NULL: it is gone. In the order of revisions; many subscribers, in the order of joining. */
typedef void cache_change_fn(const struct entry *before, const struct entry *after, uint64_t revision, void *user);
err *cache_subscribe(struct cache *c, cache_change_fn *fn, void *user) MUST_CHECK;

/* What the store does not keep, such as when a Lease was renewed: the entry gets another content at the same
 * revision, and nobody is told. */
err *cache_refresh(struct cache *c, const struct entry *e, const struct object *object) MUST_CHECK;

/* The store's key of an object: "/pods/NAMESPACE/NAME", "/nodes/NAME". Cut where it would be too long for the
 * store. */
void cache_key(struct str *out, const struct kind *kind, const char *namespace, const char *name);
struct str;

/* An entry of its own from a stored value, as the cache makes them: for reading the store's history. */
err *cache_decode(const char *key, const char *value, size_t len, uint64_t created, uint64_t revision,
		  struct entry **ret) MUST_CHECK;
/* The kind that a key is of, or NULL. */
const struct kind *cache_key_kind(const char *key);
