/* scheduler/store.h: where the control plane keeps its objects: keys, values, one counting revision.
 *
 * Two back ends behind it: SQLite in a file (store-sqlite.c), later an etcd cluster. All calls and callbacks are in the
 * loop's thread. Writes are gathered and committed together: a submitted transaction's `done` comes later, after the
 * bytes are safe on the disk, and events come in the order of revisions, each before the `done` of what made it.
 *
 * Keys: "/KIND/NAMESPACE/NAME" and "/KIND/NAME"; values: JSON documents. The interface knows nothing of them. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "base/arena.h"
#include "base/err.h"
#include "net/loop.h"

#define STORE_KEY_MAX   1024
#define STORE_VALUE_MAX (1u << 20)
#define STORE_OPS_MAX   128   /* of one transaction, as etcd's */

struct store;

struct store_options {
	const char *url;         /* "sqlite:/var/lib/stube/scheduler/store.db" */
	uint64_t keep_revisions; /* of the log, for watches that resume; 0: 100000 */
	uint64_t keep_bytes;     /* of the log; 0: 64 MiB */
};
/* Errors, which leave it to the caller to name the URL: EINVAL a database of a newer version, of another program, or
 * damaged; EBUSY another process has it (fenced by a lock; names the process).
 * The store is closed before the loop is freed, and the loop does not turn between. */
err *store_open(struct loop *l, const struct store_options *options, struct store **ret) MUST_CHECK;
/* Commits what was submitted. */
void store_close(struct store *s);
DEFINE_CLEANUP(struct store *, store_close)

struct store_entry {
	const char *key;
	const char *value;
	size_t len;
	uint64_t created, modified; /* revisions */
	int64_t lease;              /* 0: none */
};
/* Reads see all that is committed. Texts live in the arena, or until the callback returns. */
err *store_get(struct store *s, struct arena *arena, const char *key, bool *ret_found, struct store_entry *ret) MUST_CHECK;
typedef err *store_each_fn(const struct store_entry *entry, void *user);
/* All keys with that prefix, in order, from the key after `after` (NULL: from the first), up to limit (0: all), of one
 * moment, whose revision is *ret_revision. */
err *store_list(struct store *s, const char *prefix, const char *after, size_t limit, store_each_fn *fn, void *user,
		uint64_t *ret_revision) MUST_CHECK;
uint64_t store_revision(struct store *s);

/* ---- writes ---- */

#define STORE_ANY    UINT64_MAX /* whatever is there */
#define STORE_ABSENT 0          /* nothing may be there */
enum store_op_kind { STORE_PUT, STORE_DELETE, STORE_CHECK /* compare only */ };
struct store_op {
	enum store_op_kind kind;
	const char *key;
	uint64_t expected;        /* revision of its last change, STORE_ABSENT or STORE_ANY */
	const char *value;        /* PUT */
	size_t len;
	int64_t lease;            /* PUT: it goes when the lease ends; 0: none */
};
struct store_result {
	err *error;               /* borrowed. NULL: all ops are in. Else nothing is. ESTALE: ops[failed] was not as expected;
	                             ENOENT: its lease has ended; EINVAL, EFBIG: out of bounds; ENOSPC: the disk is full,
	                             EIO: it fails: reads go on, later writes are tried again; ECANCELED: being closed */
	size_t failed;
	uint64_t revision; /* of its last change; one that changed nothing counts none and has the last */
};
typedef void store_done_fn(const struct store_result *result, void *user);
/* All or nothing. Each change counts a revision of its own, in the order of ops (docs/decisions/0090). Keys
 * and values are copied; it aborts without memory. A key only once. */
void store_submit(struct store *s, const struct store_op *ops, size_t count, store_done_fn *done, void *user);

/* ---- events ---- */

struct store_event {
	uint64_t revision;
	const char *key;
	const char *value;        /* NULL: deleted */
	size_t len;
	uint64_t created;
};
typedef void store_event_fn(const struct store_event *event, void *user);
/* From now on, of all keys. One subscriber: the cache. */
void store_subscribe(struct store *s, store_event_fn *fn, void *user);

/* What happened after a revision, oldest first, up to limit events (0: all). EKEYEXPIRED: no longer kept, or not yet
 * reached (a copy was put back): read everything again. */
typedef err *store_history_fn(const struct store_event *event, void *user);
err *store_history(struct store *s, uint64_t after, size_t limit, store_history_fn *fn, void *user) MUST_CHECK;

/* The same in pages, so that nobody is held up by it. */
struct store_past {
	const char *prefix; /* of keys; NULL: all */
	bool backwards;	    /* the newest first */
	size_t rows;	    /* are looked at, at most; then on to the end of their revision */
	uint64_t at;	    /* begin after (backwards: before) this revision; afterwards: what was reached */
	bool over;	    /* afterwards: there is nothing more */
};
/* False: enough, but for what has the same revision. */
typedef bool store_past_fn(const struct store_event *event, void *user);
/* EKEYEXPIRED, forwards: as store_history(). */
err *store_past(struct store *s, struct store_past *past, store_past_fn *fn, void *user) MUST_CHECK;
/* What the key was before a revision: fn is called with it when that is still known; value NULL: it was
 * deleted. */
err *store_before(struct store *s, const char *key, uint64_t revision, store_past_fn *fn,
		  void *user) MUST_CHECK;

/* ---- leases: keys that vanish when nobody renews them ---- */

/* ttl in ns. Written when granted and ended only; renewals are in memory. After the store was opened, and after it
 * has stood still for long, every lease begins with its whole ttl again. */
typedef void store_lease_fn(err *error, int64_t id, void *user);
void store_lease_grant(struct store *s, int64_t ttl, store_lease_fn *done, void *user);
/* False: it has ended. */
bool store_lease_keep(struct store *s, int64_t id) MUST_CHECK;
void store_lease_revoke(struct store *s, int64_t id);

struct store_stats {
	uint64_t commits, transactions, conflicts, failures;
	uint64_t bytes;           /* of the database and its log */
	uint64_t keys;
	double commit_seconds;    /* sum */
	bool full;                /* the last write failed for want of space */
};
void store_stats(struct store *s, struct store_stats *ret);

/* A consistent copy into a file that is not there yet. */
err *store_snapshot(struct store *s, const char *path) MUST_CHECK;
