/* scheduler/objects.h: creating, changing and deleting objects by the rules of their kinds: who fills in what, what
 * may not change, what goes with what. The API server and the controllers both come this way.
 *
 * Each call checks at once and returns an error (api/status.h's errno) without calling done, or calls done later with
 * the store's answer. A dry run calls done with what would be stored. */
#pragma once
#include "api/kinds.h"
#include "scheduler/cache.h"

struct objects;
/* Makes the Namespaces "default" and LEASE_NAMESPACE when they are missing. cache may be no older than store.
 * Close the store before objects_free(), so that no answer is on its way. */
err *objects_new(struct loop *l, struct store *store, struct cache *cache, struct objects **ret) MUST_CHECK;
void objects_free(struct objects *o);
/* How long a node's Lease lives without renewal, in ns; 40 s unless told. It is written into each Lease in
 * LEASE_NAMESPACE. */
void objects_set_lease(struct objects *o, int64_t ttl);

/* error and entry are borrowed; one of them is NULL. After a deletion: the object as it was, or as it is on its way out. */
typedef void objects_done_fn(const err *error, const struct entry *entry, void *user);

struct write {
	bool dry_run;
	const char *subresource;  /* NULL, "status" */
	objects_done_fn *done;    /* may be NULL */
	void *user;
	/* May it be? Asked before each try, with what is there and what would be (NULL: nothing). May be
	 * NULL. */
	err *(*check)(const struct object *now, const struct object *next, void *user);
};
/* Server's members are filled in: uid, creation, generation 1, generated name, default namespace; status is dropped.
 * ENOENT: no such Namespace; EPERM: it is on its way out. */
err *objects_create(struct objects *o, const struct object *object, const struct write *w) MUST_CHECK;
/* resource_version: must match where the object has one. ESTALE, EINVAL for what may not change (a Pod's spec but
 * its image list and tolerations, a selector, a binding). A Pod's spec.nodeName is written by objects_bind() only. */
err *objects_replace(struct objects *o, const struct object *object, const struct write *w) MUST_CHECK;

/* The same from a JSON merge patch of what is there; copied. Tried again when somebody else was faster,
 * unless the patch names a resourceVersion. */
err *objects_patch(struct objects *o, const struct kind *kind, const char *namespace, const char *name,
		   const char *patch, size_t len, const struct write *w) MUST_CHECK;

/* The same with another kind of patch. */
enum patch_kind { PATCH_MERGE, PATCH_JSON, PATCH_STRATEGIC };
err *objects_patch_as(struct objects *o, enum patch_kind as, const struct kind *kind, const char *namespace,
		      const char *name, const char *patch, size_t len, const struct write *w) MUST_CHECK;

/* Change the object as it is at the moment of writing: fn changes `draft`, a deep copy of it in the arena;
 * called again when somebody else was faster. user must live until done. As objects_replace() otherwise. */
typedef err *objects_change_fn(struct arena *arena, struct object *draft, void *user);
err *objects_change(struct objects *o, const struct kind *kind, const char *namespace, const char *name,
		    objects_change_fn *fn, void *fn_user, const struct write *w) MUST_CHECK;

struct delete_options {
	const char *uid, *resource_version; /* preconditions; NULL */
	const int64_t *grace;     /* seconds, NULL: the object's; 0: at once */
	bool orphan;
};
/* A Pod that is bound gets its deletion time, and goes when its agent deletes it with grace 0; one that is
 * not bound, or is over, goes at once. Owned objects go after their owner (scheduler/collect.c). A claim that
 * Pods mount goes after them. A Namespace is marked Terminating by the first call, and removed by a call that
 * finds it marked and empty. EINVAL: orphan, and it owns more than 127 objects (one transaction). */
err *objects_delete(struct objects *o, const struct kind *kind, const char *namespace, const char *name,
		    const struct delete_options *how, const struct write *w) MUST_CHECK;

/* Bind Pods to nodes, each in a transaction of its own (committed together, see scheduler/store.h;
 * docs/decisions/0065), compared with the revision that placement saw; a Pod's claims are bound with it.
 * done: once, with the first error; the Pods that were not as expected stay as they are and come again. */
struct binding {
	const struct entry *pod;
	const char *node;
};
/* The same for one Pod as it is at the moment of writing. */
err *objects_bind_named(struct objects *o, const char *namespace, const char *name, const char *node,
			const struct write *w) MUST_CHECK;
typedef void objects_bound_fn(const err *error, size_t bound, void *user);
void objects_bind(struct objects *o, const struct binding *bindings, size_t count, objects_bound_fn *done, void *user);

/* An Event about an object. The same reason and message again within its hour counts up. Never fails loudly. */
void objects_event(struct objects *o, const struct object *about, bool warning, const char *reason, const char *fmt, ...)
	PRINTF(5, 6);
