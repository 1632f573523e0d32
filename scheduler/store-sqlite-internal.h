/* scheduler/store-sqlite-internal.h: the SQLite back end's parts: one connection, one queue, leases in
 * memory.
 *
 * Tables   meta    version of this layout; the newest revision
 *          kv      what is there now
 *          log     each change, oldest first; place: revision << LOG_BITS; below it, in databases of earlier
 *                  releases, the number within a transaction, which had one revision
 *          leases  those that were granted; how long each still has is known in memory only */
#pragma once
#include <sqlite3.h>
#include "scheduler/store-internal.h"

#define STORE_SQLITE_VERSION 1
/* "Stub" in the file's header tells our databases from others'. */
#define STORE_SQLITE_ID      0x53747562
#define LOG_BITS             7
_Static_assert(STORE_OPS_MAX <= 1 << LOG_BITS, "a transaction's changes have a place each in the log");

enum statement {
	SQL_BEGIN,
	SQL_COMMIT,
	SQL_ROLLBACK,
	SQL_GET,
	SQL_LOOK,
	SQL_PUT,
	SQL_DELETE,
	SQL_LOG,
	SQL_PRUNE,
	SQL_REVISION,
	SQL_PAST_UP,
	SQL_PAST_DOWN,
	SQL_BEFORE,
	SQL_LEASE_PUT,
	SQL_LEASE_DELETE,
	SQL_LEASE_KEYS,
	SQL_COUNT,
};

/* What a rolled back group takes back. */
struct figures {
	uint64_t revision, keys;
	uint64_t log_first; /* oldest revision in the log; revision + 1 while it is empty */
	uint64_t log_bytes;
};

struct lease_state {
	int64_t id, ttl, ends; /* ends: clock_boot() */
	bool ending, queued;   /* over; its end is in the queue */
};

struct change {
	struct store_op op;
	bool done;        /* it had an effect: there is an event */
	uint64_t created; /* of the entry as it is now, or was */
	uint64_t revision;
};
enum work_kind { WORK_WRITE, WORK_GRANT, WORK_END };
/* One transaction, or the beginning or end of a lease, on its way to the disk. */
struct work {
	struct work *next;
	enum work_kind kind;
	struct change *changes;
	size_t count, failed;
	size_t bytes;
	uint64_t revision;
	struct lease_state lease; /* WORK_GRANT, WORK_END */
	err *error;
	store_done_fn *done;
	store_lease_fn *lease_done;
	void *user;
	char *texts; /* the bytes of keys and values */
};

struct sqlite_store {
	struct store base;
	struct loop *loop;
	struct store_options options; /* url: not kept */
	sqlite3 *db;
	sqlite3_stmt *statements[SQL_COUNT];
	int lock_fd;
	struct figures now;
	struct work *queue, **queue_end;
	bool closing;
	int wal_pages;
	store_event_fn *event;
	void *event_user;
	struct {
		struct lease_state *items; /* by id */
		size_t count, cap;
		struct loop_source *timer;
		int64_t last; /* when it was last looked at them */
		int64_t tick;
	} leases;
	struct store_stats stats;
};

/* ---- store-sqlite.c ---- */
/* What SQLite says, as an error: ENOSPC, EINVAL for damage, else EIO; in `what` the step. */
err *sqlite_error(struct sqlite_store *s, const char *what) MUST_CHECK;
/* The statement, reset and without values. */
sqlite3_stmt *sqlite_statement(struct sqlite_store *s, enum statement which);
/* For one that gives no rows. */
err *sqlite_run(struct sqlite_store *s, sqlite3_stmt *statement, const char *what) MUST_CHECK;

/* ---- store-sqlite-write.c ---- */
void sqlite_submit(struct store *s, err *refused, size_t failed, const struct store_op *ops, size_t count,
		   store_done_fn *done, void *user);
void sqlite_enqueue(struct sqlite_store *s, struct work *w);
/* Commit what waits, tell everybody. user: struct sqlite_store. */
void sqlite_commit(void *user);
void sqlite_drop_queue(struct sqlite_store *s);

/* ---- store-sqlite-past.c ---- */
err *sqlite_history(struct store *s, uint64_t after, size_t limit, store_history_fn *fn, void *user);
err *sqlite_past(struct store *s, struct store_past *past, store_past_fn *fn, void *user);
err *sqlite_before(struct store *s, const char *key, uint64_t revision, store_past_fn *fn, void *user);

/* ---- store-sqlite-lease.c ---- */
err *sqlite_leases_load(struct sqlite_store *s) MUST_CHECK;
void sqlite_leases_done(struct sqlite_store *s);
void sqlite_lease_grant(struct store *s, int64_t ttl, store_lease_fn *done, void *user);
bool sqlite_lease_keep(struct store *s, int64_t id);
void sqlite_lease_revoke(struct store *s, int64_t id);
bool sqlite_lease_holds(struct sqlite_store *s, int64_t id);
/* Its work is over. */
void sqlite_lease_granted(struct sqlite_store *s, const struct lease_state *lease);
void sqlite_lease_ended(struct sqlite_store *s, const struct work *w);
