/* scheduler/objects-internal.h: one write on its way: what is wanted, tried against what is there, until the
 * store agrees. */
#pragma once
#include "scheduler/objects.h"

struct job;
/* What shall be stored in place of `now` (NULL: nothing is there). *ret NULL: it shall go. *ret unset to
 * `now`'s object: nothing to do. Texts may be borrowed from `now`, which the job holds. */
typedef err *job_make_fn(struct job *j, const struct entry *now, const struct object **ret);

enum { JOB_OPS_MAX = STORE_OPS_MAX, JOB_TRIES_MAX = 16, JOB_ARENA_MAX = 64 << 20 };

struct job {
	struct objects *o;
	struct job *next, **at; /* of all that are on their way */
	struct arena *arena;
	const struct kind *kind;
	const char *namespace, *name;
	struct write write; /* subresource in the arena */
	job_make_fn *make;
	bool create;
	unsigned tries;

	/* what make needs, by kind of write */
	const struct object *wanted;
	const json *patch;
	enum patch_kind patch_as;
	objects_change_fn *change;
	void *change_user;
	struct delete_options how;
	const char *node; /* of a binding */
	void *binding;
	uint64_t seen; /* the revision that placement saw; 0: any */

	/* of the present try */
	struct entry *now;	     /* a reference, or NULL */
	const struct object *object; /* to be stored; NULL: to be removed */
	struct str value;
	struct store_op *ops;		 /* in the arena; most have one or two */
	size_t op_cap, op_count, own_op; /* own_op: the one of the object itself */
	int64_t lease;		 /* store's, of a Lease in LEASE_NAMESPACE */
	bool granted;		 /* lease was granted for this job */
	struct entry *answer;	 /* of a dry run, or of nothing to do; a reference */
	uint64_t revision;
};

struct objects {
	struct loop *loop;
	struct store *store;
	struct cache *cache;
	int64_t lease_ttl;
	struct job *jobs;
};

/* A job with copies of the texts. w may be NULL. */
err *job_new(struct objects *o, const struct kind *kind, const char *namespace, const char *name,
	     const struct write *w, struct job **ret) MUST_CHECK;
void job_free(struct job *j);
/* Answers, and frees it. Both are borrowed; one is NULL. */
void job_end(struct job *j, const err *error, const struct entry *entry);
/* Takes j. An error of the first try is returned, and done is not called; later ones go to done. */
err *job_start(struct job *j) MUST_CHECK;
/* Add an op to the present try. E2BIG when there are too many. */
err *job_op(struct job *j, const struct store_op *op) MUST_CHECK;
/* Add the change of another object to the present try; value is encoded in the arena. */
err *job_put_other(struct job *j, const struct entry *now, const struct object *object) MUST_CHECK;

/* A copy that may be changed, without decoding: the members of `object` itself; lists and texts are borrowed.
 */
err *object_shallow(struct arena *arena, const struct kind *kind, const struct object *object,
		    struct object **ret) MUST_CHECK;

/* ---- scheduler/objects-rules.c: by kind ---- */
err *rules_create(struct job *j, struct object *object) MUST_CHECK;
/* `object` as the client wants it; afterwards as it shall be stored. */
err *rules_update(struct job *j, const struct object *now, struct object *object) MUST_CHECK;
err *rules_delete(struct job *j, const struct entry *now, const struct object **ret) MUST_CHECK;

/* ---- scheduler/objects-lease.c ---- */
bool lease_of_node(const struct job *j);
/* The server's duration is written into it. */
err *lease_prepare(struct job *j, struct object *object) MUST_CHECK;
/* Only renewed: kept alive in memory and in the cache; ENOENT: it has ended. */
err *lease_renew(struct job *j, const struct object *object, bool *ret_renewed) MUST_CHECK;
