/* scheduler/control.h: how controllers write: a run looks at one key and may write several objects; the key is held until all of
 * them are answered, so that the next run sees in the cache what this one did. What fails is tried again later. */
#pragma once
#include "api/selector.h"
#include "scheduler/objects.h"
#include "scheduler/worklist.h"

struct controller {
	const char *name;
	struct objects *objects;
	struct worklist *list;
};

/* Its list of keys, and word of each change; the first look at what is there already is the caller's. `user`
 * goes to both functions. The list is the caller's to free, after a failure too. */
struct scheduler;
err *controller_begin(struct controller *c, const char *name, const struct scheduler *s, worklist_fn *on_key,
		      cache_change_fn *on_change, void *user) MUST_CHECK;

struct run {
	struct controller *controller;
	struct arena *arena;   /* of this run: until the last answer */
	struct entry *subject; /* held as long; may be NULL */
	unsigned refs;
	bool failed;
	char key[];
};
/* subject: borrowed, may be NULL. */
err *run_begin(struct controller *c, const char *key, const struct entry *subject, struct run **ret) MUST_CHECK;
/* e: why the run could not go on (taken), or NULL. It is over when its writes are answered. */
void run_end(struct run *r, err *e);

/* Told of a good answer, for an Event; may be NULL. */
typedef void run_told_fn(struct run *r, const struct entry *entry);
typedef void run_failed_fn(struct run *r, const err *error);
struct run_told {
	run_told_fn *good;
	run_failed_fn *bad;
};
void run_create(struct run *r, const struct object *object, const struct run_told *told);
/* fn changes the draft; value lives as long as the run, in its arena or subject. */
typedef err *run_change_fn(struct arena *arena, struct object *draft, const void *value);
void run_change(struct run *r, const struct object *object, const char *subresource, run_change_fn *fn,
		const void *value, const struct run_told *told);
/* This very object (UID). grace as delete_options. */
void run_delete(struct run *r, const struct object *object, const int64_t *grace, const struct run_told *told);

/* Make the subject the controller of those of a kind in its namespace that have none, that its selector
 * takes, and that are not on their way out. How many were asked for: their owner shows in the next look. */
size_t run_adopt(struct run *r, const struct cache *cache, enum kind_id kind,
		 const struct label_selector *selector);
/* Whether a change left an object without a controller that had one, or is new without one. before may be
 * NULL. */
bool run_is_let_go(const struct entry *before, const struct entry *after);

/* "NAMESPACE/NAME", as worklists have it. In the arena. */
err *run_key(struct arena *arena, const struct meta *meta, const char **ret) MUST_CHECK;
/* Add an object's key; name may be another's in the same namespace. */
void run_look(struct controller *c, const char *namespace, const char *name);
/* Its parts; name points into key. */
#define RUN_NAMESPACE_MAX 256
const char *run_name(const char *key, char namespace[static RUN_NAMESPACE_MAX]);
