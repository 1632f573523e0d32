/* scheduler/store-sqlite-write.c: group commit: what was submitted in one turn of the loop is one SQL
 * transaction, one fsync. */
#include "scheduler/store-sqlite-internal.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"

/* Of one group, so that no answer waits for thousands of others; the next group is the loop's next turn. */
enum { GROUP_CHANGES = 4096, GROUP_BYTES = 8 << 20 };
/* Old revisions that go with a group: twice as many as came, and some. */
enum { PRUNE_EXTRA = 16 };
/* Pages in the write-ahead log from which on they are written back; SQLite's own default. */
enum { CHECKPOINT_PAGES = 1000 };

static void *must(void *memory)
{
	if (!memory)
		abort();
	return memory;
}

static void free_work(struct work *w)
{
	err_free(w->error);
	free(w->changes);
	free(w->texts);
	free(w);
}

/* ---- the queue ---- */

static void wake(void *user UNUSED)
{
}

void sqlite_enqueue(struct sqlite_store *s, struct work *w)
{
	/* The loop may be about to sleep, when this comes from another's loop_after(): it has to turn once
	 * more. */
	if (!s->queue && !s->closing)
		loop_post(s->loop, wake, NULL);
	w->next = NULL;
	*s->queue_end = w;
	s->queue_end = &w->next;
	if (s->closing && !w->error)
		w->error = err_new(ECANCELED, "the store is being closed");
}

static char *copy_text(char **at, const char *text, size_t len)
{
	char *copy = *at;

	if (len)
		memcpy(copy, text, len);
	copy[len] = '\0';
	*at += len + 1;
	return copy;
}

static void copy_changes(struct work *w, const struct store_op *ops, size_t count)
{
	size_t bytes = 1;

	for (size_t i = 0; i < count; i++)
		bytes += strlen(ops[i].key) + ops[i].len + 2;
	char *at = w->texts = must(malloc(bytes));
	w->changes = must(calloc(count, sizeof(*w->changes)));
	w->count = count;
	w->bytes = bytes;
	for (size_t i = 0; i < count; i++) {
		w->changes[i].op = ops[i];
		w->changes[i].op.key = copy_text(&at, ops[i].key, strlen(ops[i].key));
		w->changes[i].op.value = copy_text(&at, ops[i].value, ops[i].len);
	}
}

void sqlite_submit(struct store *base, err *refused, size_t failed, const struct store_op *ops, size_t count,
		   store_done_fn *done, void *user)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	struct work *w = must(calloc(1, sizeof(*w)));

	*w = (struct work){
		.kind = WORK_WRITE, .error = refused, .failed = failed, .done = done, .user = user
	};
	if (!refused)
		copy_changes(w, ops, count);
	sqlite_enqueue(s, w);
}

static struct work *take_group(struct sqlite_store *s)
{
	struct work *first = s->queue, **end = &s->queue;
	size_t changes = 0, bytes = 0;

	while (*end && changes < GROUP_CHANGES && bytes < GROUP_BYTES) {
		changes += (*end)->count + 1;
		bytes += (*end)->bytes;
		end = &(*end)->next;
	}
	s->queue = *end;
	*end = NULL;
	if (!s->queue)
		s->queue_end = &s->queue;
	return first;
}

/* ---- one transaction ---- */

/* In *w->error: the transaction is refused. Returned: the database fails, and the group with it. */
static err *look(struct sqlite_store *s, struct work *w, size_t i)
{
	struct change *c = &w->changes[i];
	sqlite3_stmt *statement = sqlite_statement(s, SQL_LOOK);
	uint64_t modified = STORE_ABSENT;
	err *e = NULL;

	sqlite3_bind_text(statement, 1, c->op.key, -1, SQLITE_STATIC);
	int step = sqlite3_step(statement);
	if (step == SQLITE_ROW) {
		c->created = (uint64_t)sqlite3_column_int64(statement, 0);
		modified = (uint64_t)sqlite3_column_int64(statement, 1);
	} else if (step != SQLITE_DONE) {
		e = sqlite_error(s, "read");
	}
	sqlite3_reset(statement);
	if (e)
		return e;
	c->done = c->op.kind == STORE_PUT || (c->op.kind == STORE_DELETE && modified != STORE_ABSENT);
	if (c->op.expected != STORE_ANY && c->op.expected != modified)
		w->error =
			modified == STORE_ABSENT ? err_new(ESTALE, "'%s': is no longer there", c->op.key)
			: c->op.expected == STORE_ABSENT
				? err_new(ESTALE, "'%s': is there already", c->op.key)
				: err_new(ESTALE, "'%s': has changed, from revision %llu to %llu", c->op.key,
					  (unsigned long long)c->op.expected, (unsigned long long)modified);
	else if (c->op.kind == STORE_PUT && c->op.lease && !sqlite_lease_holds(s, c->op.lease))
		w->error = err_new(ENOENT, "'%s': its lease has ended", c->op.key);
	if (w->error)
		w->failed = i;
	return NULL;
}

static err *put(struct sqlite_store *s, struct change *c)
{
	sqlite3_stmt *statement = sqlite_statement(s, SQL_PUT);

	if (!c->created) {
		c->created = c->revision;
		s->now.keys++;
	}
	sqlite3_bind_text(statement, 1, c->op.key, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, c->op.value, (int)c->op.len, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, (int64_t)c->created);
	sqlite3_bind_int64(statement, 4, (int64_t)c->revision);
	sqlite3_bind_int64(statement, 5, c->op.lease);
	return sqlite_run(s, statement, "write");
}

static err *drop(struct sqlite_store *s, struct change *c)
{
	sqlite3_stmt *statement = sqlite_statement(s, SQL_DELETE);

	s->now.keys--;
	sqlite3_bind_text(statement, 1, c->op.key, -1, SQLITE_STATIC);
	return sqlite_run(s, statement, "write");
}

static err *log_change(struct sqlite_store *s, const struct change *c)
{
	sqlite3_stmt *statement = sqlite_statement(s, SQL_LOG);
	size_t size = strlen(c->op.key) + c->op.len;

	sqlite3_bind_int64(statement, 1, (int64_t)(c->revision << LOG_BITS));
	sqlite3_bind_text(statement, 2, c->op.key, -1, SQLITE_STATIC);
	if (c->op.kind == STORE_PUT)
		sqlite3_bind_text(statement, 3, c->op.value, (int)c->op.len, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 4, (int64_t)c->created);
	sqlite3_bind_int64(statement, 5, (int64_t)size);
	s->now.log_bytes += size;
	return sqlite_run(s, statement, "write");
}

/* First every comparison, then the writes: a refused transaction has written nothing that would have to be
 * undone. Each change has a revision of its own: a watch may be cut between any two and goes on from there.
 */
static err *write_changes(struct sqlite_store *s, struct work *w)
{
	for (size_t i = 0; i < w->count && !w->error; i++)
		TRY(look(s, w, i));
	for (size_t i = 0; i < w->count && !w->error; i++) {
		struct change *c = &w->changes[i];
		if (!c->done)
			continue;
		c->revision = ++s->now.revision;
		TRY(c->op.kind == STORE_PUT ? put(s, c) : drop(s, c));
		TRY(log_change(s, c));
	}
	w->revision = s->now.revision;
	return NULL;
}

static err *write_grant(struct sqlite_store *s, struct work *w)
{
	sqlite3_stmt *statement = sqlite_statement(s, SQL_LEASE_PUT);

	sqlite3_bind_int64(statement, 1, w->lease.id);
	sqlite3_bind_int64(statement, 2, w->lease.ttl);
	return sqlite_run(s, statement, "grant a lease");
}

/* The keys of a lease that is over, as many as a transaction may have. */
static err *find_keys(struct sqlite_store *s, struct work *w)
{
	struct store_op ops[STORE_OPS_MAX];
	auto_str struct str keys = STR_INIT((size_t)STORE_OPS_MAX * (STORE_KEY_MAX + 1));
	sqlite3_stmt *statement = sqlite_statement(s, SQL_LEASE_KEYS);
	size_t count = 0, at = 0;
	int step;

	sqlite3_bind_int64(statement, 1, w->lease.id);
	sqlite3_bind_int64(statement, 2, STORE_OPS_MAX);
	while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
		str_add_bytes(&keys, sqlite3_column_text(statement, 0),
			      (size_t)sqlite3_column_bytes(statement, 0) + 1);
		count++;
	}
	err *e = step == SQLITE_DONE ? str_check(&keys) : sqlite_error(s, "read");
	sqlite3_reset(statement);
	if (e)
		return e;
	for (size_t i = 0; i < count; i++) {
		ops[i] = (struct store_op){ .kind = STORE_DELETE,
					    .key = keys.data + at,
					    .expected = STORE_ANY };
		at += strlen(keys.data + at) + 1;
	}
	free(w->changes);
	free(w->texts);
	copy_changes(w, ops, count);
	return NULL;
}

static err *write_end(struct sqlite_store *s, struct work *w)
{
	TRY(find_keys(s, w));
	TRY(write_changes(s, w));
	if (w->count == STORE_OPS_MAX)
		return NULL; /* there may be more: it comes again */
	sqlite3_stmt *statement = sqlite_statement(s, SQL_LEASE_DELETE);
	sqlite3_bind_int64(statement, 1, w->lease.id);
	return sqlite_run(s, statement, "end a lease");
}

static err *write_work(struct sqlite_store *s, struct work *w)
{
	static err *(*const writers[])(struct sqlite_store * s, struct work * w) = {
		[WORK_WRITE] = write_changes, [WORK_GRANT] = write_grant, [WORK_END] = write_end
	};

	return w->error ? NULL : writers[w->kind](s, w);
}

/* ---- one group ---- */

static bool log_is_long(const struct sqlite_store *s)
{
	return s->now.log_first < s->now.revision &&
	       (s->now.revision - s->now.log_first >= s->options.keep_revisions ||
		s->now.log_bytes > s->options.keep_bytes);
}

/* A few old revisions, whole ones, in the same SQL transaction: no fsync of its own, no long pause. */
static err *prune(struct sqlite_store *s, uint64_t count)
{
	for (; count && log_is_long(s); count--) {
		sqlite3_stmt *statement = sqlite_statement(s, SQL_PRUNE);
		int step;

		sqlite3_bind_int64(statement, 1, (int64_t)((s->now.log_first + 1) << LOG_BITS));
		while ((step = sqlite3_step(statement)) == SQLITE_ROW)
			s->now.log_bytes -= (uint64_t)sqlite3_column_int64(statement, 0);
		err *e = step == SQLITE_DONE ? NULL : sqlite_error(s, "shorten the log");
		sqlite3_reset(statement);
		TRY(e);
		s->now.log_first++;
	}
	return NULL;
}

static err *write_group(struct sqlite_store *s, struct work *group)
{
	uint64_t before = s->now.revision;

	TRY(sqlite_run(s, sqlite_statement(s, SQL_BEGIN), "begin"));
	for (struct work *w = group; w; w = w->next)
		TRY(write_work(s, w));
	if (s->now.revision > before) {
		TRY(prune(s, 2 * (s->now.revision - before) + PRUNE_EXTRA));
		sqlite3_stmt *statement = sqlite_statement(s, SQL_REVISION);
		sqlite3_bind_int64(statement, 1, (int64_t)s->now.revision);
		TRY(sqlite_run(s, statement, "write"));
	}
	return sqlite_run(s, sqlite_statement(s, SQL_COMMIT), "commit");
}

/* Nothing of the group is in. */
static void undo_group(struct sqlite_store *s, struct work *group, const struct figures *before,
		       const err *why)
{
	auto_str struct str text = STR_INIT(1024);

	err_format(why, &text);
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_reset(s->statements[i]);
	/* Some failures have rolled back already. */
	if (!sqlite3_get_autocommit(s->db))
		IGNORE(sqlite_run(s, sqlite_statement(s, SQL_ROLLBACK), "roll back"));
	s->now = *before;
	s->stats.failures++;
	/* A comparison with what was not to be says nothing: they all failed for the same reason. */
	for (struct work *w = group; w; w = w->next) {
		err_free(w->error);
		w->error = err_new(why->code, "%s", text.data);
		w->revision = 0;
	}
}

static void tell_change(struct sqlite_store *s, const struct change *c)
{
	struct store_event event = { .revision = c->revision, .key = c->op.key, .created = c->created };

	if (c->op.kind == STORE_PUT) {
		event.value = c->op.value;
		event.len = c->op.len;
	}
	if (s->event)
		s->event(&event, s->event_user);
}

static void tell(struct sqlite_store *s, struct work *w)
{
	for (size_t i = 0; i < w->count && !w->error; i++)
		if (w->changes[i].done)
			tell_change(s, &w->changes[i]);
	s->stats.transactions += w->kind == WORK_WRITE && !w->error;
	s->stats.conflicts += w->error && w->error->code == ESTALE;
	if (w->kind == WORK_END) {
		sqlite_lease_ended(s, w);
	} else if (w->kind == WORK_GRANT) {
		if (!w->error)
			sqlite_lease_granted(s, &w->lease);
		if (w->lease_done)
			w->lease_done(w->error, w->error ? 0 : w->lease.id, w->user);
	} else if (w->done) {
		struct store_result result = { w->error, w->error ? w->failed : 0, w->revision };
		w->done(&result, w->user);
	}
}

/* Once when it begins, once when it is over: every caller hears of its own write anyway. */
static void note_full(struct sqlite_store *s, const err *e)
{
	bool full = e != NULL;

	if (full && !s->stats.full)
		log_err(e);
	else if (!full && s->stats.full)
		log_info("the store takes writes again", NULL);
	s->stats.full = full;
}

static void commit_group(struct sqlite_store *s, struct work *group)
{
	struct figures before = s->now;
	int64_t begun = clock_monotonic();
	auto_err err *e = write_group(s, group);

	if (e)
		undo_group(s, group, &before, e);
	else
		s->stats.commits++;
	s->stats.commit_seconds += (double)(clock_monotonic() - begun) / (double)NSEC_PER_SEC;
	note_full(s, e);
	while (group) {
		struct work *w = group;
		group = w->next;
		tell(s, w);
		free_work(w);
	}
	/* Written back while nobody waits. When the disk is full this may be what makes room again: the
	 * write-ahead log begins at its start. A failure shows in the next commit. */
	if (s->wal_pages >= CHECKPOINT_PAGES || e)
		sqlite3_wal_checkpoint_v2(s->db, NULL, SQLITE_CHECKPOINT_PASSIVE, NULL, NULL);
}

void sqlite_commit(void *user)
{
	struct sqlite_store *s = user;

	if (!s->queue)
		return;
	commit_group(s, take_group(s));
	if (s->queue && !s->closing)
		loop_post(s->loop, wake, NULL);
}

void sqlite_drop_queue(struct sqlite_store *s)
{
	while (s->queue) {
		struct work *w = s->queue;
		s->queue = w->next;
		free_work(w);
	}
	s->queue_end = &s->queue;
}
