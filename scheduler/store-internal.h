/* scheduler/store-internal.h: what a back end of the store provides. */
#pragma once
#include "scheduler/store.h"

/* store.c has checked keys, sizes and counts before any of these is called, and filled in the options' defaults. */
struct store_backend {
	const char *scheme; /* what a URL begins with, without the colon */
	err *(*open)(struct loop *l, const char *place, const struct store_options *options, struct store **ret);
	void (*close)(struct store *s);
	err *(*get)(struct store *s, struct arena *arena, const char *key, bool *ret_found, struct store_entry *ret);
	err *(*list)(struct store *s, const char *prefix, const char *after, size_t limit, store_each_fn *fn, void *user,
		     uint64_t *ret_revision);
	uint64_t (*revision)(struct store *s);
	/* refused: why the transaction is not even tried (taken), or NULL; `done` hears of it in its turn. */
	void (*submit)(struct store *s, err *refused, size_t failed, const struct store_op *ops, size_t count,
		       store_done_fn *done, void *user);
	void (*subscribe)(struct store *s, store_event_fn *fn, void *user);
	err *(*history)(struct store *s, uint64_t after, size_t limit, store_history_fn *fn, void *user);
	err *(*past)(struct store *s, struct store_past *past, store_past_fn *fn, void *user);
	err *(*before)(struct store *s, const char *key, uint64_t revision, store_past_fn *fn, void *user);
	void (*lease_grant)(struct store *s, int64_t ttl, store_lease_fn *done, void *user);
	bool (*lease_keep)(struct store *s, int64_t id);
	void (*lease_revoke)(struct store *s, int64_t id);
	void (*stats)(struct store *s, struct store_stats *ret);
	err *(*snapshot)(struct store *s, const char *path);
};

/* A back end's own struct begins with this. */
struct store {
	const struct store_backend *backend;
};

extern const struct store_backend store_sqlite;
