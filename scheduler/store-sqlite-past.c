/* scheduler/store-sqlite-past.c: reading the log: what has happened, and what something was before. */
#include "scheduler/store-sqlite-internal.h"

#include <string.h>

static uint64_t revision_of(sqlite3_stmt *statement)
{
	return (uint64_t)sqlite3_column_int64(statement, 3) >> LOG_BITS;
}

static err *row_to_event(sqlite3_stmt *statement, struct store_event *ret)
{
	*ret = (struct store_event){
		.key = (const char *)sqlite3_column_text(statement, 0),
		.value = (const char *)sqlite3_column_text(statement, 1),
		.len = (size_t)sqlite3_column_bytes(statement, 1),
		.created = (uint64_t)sqlite3_column_int64(statement, 2),
		.revision = revision_of(statement),
	};
	return ret->key ? NULL : err_oom();
}

/* A revision that is yet to come was seen in another life of this store, before a copy was put back. */
static err *check_reach(const struct sqlite_store *s, uint64_t after)
{
	if (after + 1 >= s->now.log_first && after <= s->now.revision)
		return NULL;
	return err_new(EKEYEXPIRED, "revision %llu: changes are kept from %llu to %llu",
		       (unsigned long long)after, (unsigned long long)s->now.log_first - 1,
		       (unsigned long long)s->now.revision);
}

struct limited {
	store_history_fn *fn;
	void *user;
	size_t left;
	err *error;
};

static bool tell_limited(const struct store_event *event, void *user)
{
	struct limited *l = user;

	if (!l->error && l->left) {
		l->error = l->fn(event, l->user);
		l->left--;
	}
	return !l->error && l->left;
}

err *sqlite_history(struct store *base, uint64_t after, size_t limit, store_history_fn *fn, void *user)
{
	struct limited l = { fn, user, limit ? limit : SIZE_MAX, NULL };
	struct store_past past = { .at = after, .rows = SIZE_MAX };
	err *e = sqlite_past(base, &past, tell_limited, &l);

	if (!e)
		return l.error;
	err_free(l.error);
	return e;
}

/* Whole revisions: a page that ended within one could not be gone on from. The values of what is not meant
 * are not even read. */
static err *read_rows(struct sqlite_store *s, sqlite3_stmt *statement, struct store_past *p,
		      store_past_fn *fn, void *user)
{
	size_t prefix = p->prefix ? strlen(p->prefix) : 0, rows = 0;
	bool enough = false;
	int step;

	while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
		const char *key = (const char *)sqlite3_column_text(statement, 0);
		struct store_event event;

		if (!key)
			return err_oom();
		if (rows && (enough || rows >= p->rows) && revision_of(statement) != p->at)
			return NULL;
		rows++;
		p->at = revision_of(statement);
		if (prefix && strncmp(key, p->prefix, prefix) != 0)
			continue;
		TRY(row_to_event(statement, &event));
		enough |= !fn(&event, user);
	}
	p->over = step == SQLITE_DONE;
	return step == SQLITE_DONE ? NULL : sqlite_error(s, "read");
}

err *sqlite_past(struct store *base, struct store_past *past, store_past_fn *fn, void *user)
{
	struct sqlite_store *s = (struct sqlite_store *)base;

	past->over = false;
	if (!past->backwards)
		TRY(check_reach(s, past->at));
	sqlite3_stmt *statement = sqlite_statement(s, past->backwards ? SQL_PAST_DOWN : SQL_PAST_UP);
	sqlite3_bind_int64(statement, 1, (int64_t)((past->at + !past->backwards) << LOG_BITS));
	err *e = read_rows(s, statement, past, fn, user);
	sqlite3_reset(statement);
	return e;
}

err *sqlite_before(struct store *base, const char *key, uint64_t revision, store_past_fn *fn, void *user)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	sqlite3_stmt *statement = sqlite_statement(s, SQL_BEFORE);
	struct store_event event;
	err *e = NULL;

	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, (int64_t)(revision << LOG_BITS));
	int step = sqlite3_step(statement);
	if (step == SQLITE_ROW) {
		e = row_to_event(statement, &event);
		if (!e)
			fn(&event, user);
	} else if (step != SQLITE_DONE) {
		e = sqlite_error(s, "read");
	}
	sqlite3_reset(statement);
	return e;
}
