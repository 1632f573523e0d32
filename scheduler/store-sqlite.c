/* scheduler/store-sqlite.c: the store in one SQLite file of one process: opening, reading, copying. */
#include "scheduler/store-sqlite-internal.h"

#include <fcntl.h>
#include <limits.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"

#define auto_statement CLEANUP(sqlite3_finalize)
DEFINE_CLEANUP(sqlite3_stmt *, sqlite3_finalize)
DEFINE_CLEANUP(sqlite3 *, sqlite3_close)

enum { CLOSING_ROUNDS = 8 };

static const char *const sql[SQL_COUNT] = {
	[SQL_BEGIN] = "BEGIN IMMEDIATE",
	[SQL_COMMIT] = "COMMIT",
	[SQL_ROLLBACK] = "ROLLBACK",
	[SQL_GET] = "SELECT key, value, created, modified, lease FROM kv WHERE key = ?",
	[SQL_LOOK] = "SELECT created, modified FROM kv WHERE key = ?",
	[SQL_PUT] = ("INSERT INTO kv (key, value, created, modified, lease) VALUES (?, ?, ?, ?, ?)"
		     " ON CONFLICT (key) DO UPDATE SET value = excluded.value, modified = excluded.modified,"
		     " lease = excluded.lease"),
	[SQL_DELETE] = "DELETE FROM kv WHERE key = ?",
	[SQL_LOG] = "INSERT INTO log (place, key, value, created, size) VALUES (?, ?, ?, ?, ?)",
	[SQL_PRUNE] = "DELETE FROM log WHERE place < ? RETURNING size",
	[SQL_REVISION] = "UPDATE meta SET revision = ?",
	[SQL_PAST_UP] = "SELECT key, value, created, place FROM log WHERE place >= ? ORDER BY place",
	[SQL_PAST_DOWN] = "SELECT key, value, created, place FROM log WHERE place < ? ORDER BY place DESC",
	[SQL_BEFORE] = ("SELECT key, value, created, place FROM log INDEXED BY log_of_key"
			" WHERE key = ? AND place < ? ORDER BY place DESC LIMIT 1"),
	[SQL_LEASE_PUT] = "INSERT INTO leases (id, ttl) VALUES (?, ?)",
	[SQL_LEASE_DELETE] = "DELETE FROM leases WHERE id = ?",
	[SQL_LEASE_KEYS] = "SELECT key FROM kv WHERE lease <> 0 AND lease = ? LIMIT ?",
};

static const char schema[] =
	"CREATE TABLE meta (version INTEGER NOT NULL, revision INTEGER NOT NULL) STRICT;"
	"CREATE TABLE kv (key TEXT PRIMARY KEY, value TEXT NOT NULL, created INTEGER NOT NULL,"
	" modified INTEGER NOT NULL, lease INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
	"CREATE INDEX kv_of_lease ON kv (lease) WHERE lease <> 0;"
	"CREATE TABLE log (place INTEGER PRIMARY KEY, key TEXT NOT NULL, value TEXT, created INTEGER NOT "
	"NULL,"
	" size INTEGER NOT NULL) STRICT;"
	"CREATE TABLE leases (id INTEGER PRIMARY KEY, ttl INTEGER NOT NULL) STRICT;";

/* What a key was before; the sizes, so that summing them up does not read the values. Databases of earlier
 * releases get it when they are opened; those releases keep it up to date without knowing of it. */
static const char indexes[] = "CREATE INDEX IF NOT EXISTS log_of_key ON log (key, place, size)";

err *sqlite_error(struct sqlite_store *s, const char *what)
{
	int extended = sqlite3_extended_errcode(s->db), code = extended & 0xff;
	int cause = sqlite3_system_errno(s->db);

	if (code == SQLITE_FULL)
		return err_new(ENOSPC, "%s: no space is left on the disk", what);
	/* A quota, or a limit of file sizes; write(2)'s errno is not kept. */
	if (extended == SQLITE_IOERR_WRITE)
		return err_new(ENOSPC, "%s: the disk takes no more: %s", what, sqlite3_errmsg(s->db));
	if (code == SQLITE_CORRUPT || code == SQLITE_NOTADB)
		return err_new(EINVAL, "%s: the database is damaged: %s", what, sqlite3_errmsg(s->db));
	if (cause && code == SQLITE_CANTOPEN)
		return err_wrap(err_code(cause, "%s", sqlite3_errmsg(s->db)), "%s", what);
	return err_new(code == SQLITE_NOMEM ? ENOMEM : EIO, "%s: %s", what, sqlite3_errmsg(s->db));
}

sqlite3_stmt *sqlite_statement(struct sqlite_store *s, enum statement which)
{
	sqlite3_stmt *statement = s->statements[which];

	sqlite3_reset(statement);
	sqlite3_clear_bindings(statement);
	return statement;
}

err *sqlite_run(struct sqlite_store *s, sqlite3_stmt *statement, const char *what)
{
	err *e = sqlite3_step(statement) == SQLITE_DONE ? NULL : sqlite_error(s, what);

	sqlite3_reset(statement);
	return e;
}

static err *execute(struct sqlite_store *s, const char *text, const char *what)
{
	return sqlite3_exec(s->db, text, NULL, NULL, NULL) == SQLITE_OK ? NULL : sqlite_error(s, what);
}

static err *prepare(struct sqlite_store *s, const char *text, unsigned flags, sqlite3_stmt **ret)
{
	if (sqlite3_prepare_v3(s->db, text, -1, flags, ret, NULL) != SQLITE_OK)
		return sqlite_error(s, "read");
	return NULL;
}

/* Up to four numbers of the one row that `text` gives. */
static err *ask(struct sqlite_store *s, const char *text, int64_t *ret, int count)
{
	auto_statement sqlite3_stmt *statement = NULL;

	TRY(prepare(s, text, 0, &statement));
	if (sqlite3_step(statement) != SQLITE_ROW)
		return sqlite_error(s, "read");
	for (int i = 0; i < count; i++)
		ret[i] = sqlite3_column_int64(statement, i);
	return NULL;
}

/* ---- opening ---- */

static err *in_use(int fd)
{
	auto_str struct str text = STR_INIT(64);
	uint64_t pid = 0;

	IGNORE(fd_read_all(fd, &text));
	if (text.len && text.data[text.len - 1] == '\n')
		text.data[text.len - 1] = '\0';
	if (str_to_u64(text.data, &pid))
		return err_new(EBUSY, "process %llu has it open", (unsigned long long)pid);
	return err_new(EBUSY, "another process has it open");
}

/* Beside the database, as a lock inside would end with any descriptor of the file that is closed (fcntl(2)).
 */
static err *take_lock(const char *place, int *ret_fd)
{
	char path[PATH_MAX], pid[32];
	int len = snprintf(path, sizeof(path), "%s.lock", place);

	if (len < 0 || (size_t)len >= sizeof(path))
		return err_code(ENAMETOOLONG, "lock");
	auto_close int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return err_errno("open '%s'", path);
	if (flock(fd, LOCK_EX | LOCK_NB) < 0)
		return errno == EWOULDBLOCK ? in_use(fd) : err_errno("lock '%s'", path);
	len = snprintf(pid, sizeof(pid), "%d\n", getpid());
	/* A courtesy for whoever comes second: on a full disk it is missing. */
	if (ftruncate(fd, 0) == 0 && pwrite(fd, pid, (size_t)len, 0) != len)
		IGNORE(ftruncate(fd, 0) < 0 ? err_errno("empty") : NULL);
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

static err *make_directory(const char *place)
{
	char directory[PATH_MAX];
	const char *slash = strrchr(place, '/');
	size_t len = slash ? (size_t)(slash - place) : 0;

	if (len == 0)
		return NULL;
	if (len >= sizeof(directory))
		return err_code(ENAMETOOLONG, "directory");
	memcpy(directory, place, len);
	directory[len] = '\0';
	return path_mkdir_all(directory, 0700);
}

/* SQLite would make it readable for others. */
static err *make_file(const char *place)
{
	auto_close int fd = open(place, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	return fd < 0 ? err_errno("open") : NULL;
}

static err *create_schema(struct sqlite_store *s)
{
	auto_str struct str text = STR_INIT(8192);

	str_addf(&text, "BEGIN IMMEDIATE; %s INSERT INTO meta (version, revision) VALUES (%d, 0);", schema,
		 STORE_SQLITE_VERSION);
	str_addf(&text, "PRAGMA application_id = %d; COMMIT;", STORE_SQLITE_ID);
	TRY(str_check(&text));
	return execute(s, text.data, "make the tables");
}

/* Whose it is, and how old; a new file gets its tables. Nothing is written into what is not ours, or newer.
 */
static err *check_version(struct sqlite_store *s)
{
	int64_t id = 0, tables = 0, version = 0;

	TRY(ask(s, "PRAGMA application_id", &id, 1));
	TRY(ask(s, "SELECT count(*) FROM sqlite_schema", &tables, 1));
	if (id == 0 && tables == 0)
		return create_schema(s);
	if (id != STORE_SQLITE_ID)
		return err_new(EINVAL, "is the database of another program");
	TRY(ask(s, "SELECT version FROM meta", &version, 1));
	if (version > STORE_SQLITE_VERSION)
		return err_hint(err_new(EINVAL, "has version %lld, this program reads up to version %d",
					(long long)version, STORE_SQLITE_VERSION),
				"It was written by a newer release; go on with that one.");
	return NULL;
}

static err *check_health(struct sqlite_store *s)
{
	auto_statement sqlite3_stmt *statement = NULL;

	TRY(prepare(s, "PRAGMA quick_check(1)", 0, &statement));
	if (sqlite3_step(statement) != SQLITE_ROW)
		return sqlite_error(s, "check");
	const char *text = (const char *)sqlite3_column_text(statement, 0);
	if (!str_equal(text, "ok"))
		return err_new(EINVAL, "the database is damaged: %s", text ? text : "no answer");
	return NULL;
}

static int on_wal(void *user, sqlite3 *db UNUSED, const char *name UNUSED, int pages)
{
	struct sqlite_store *s = user;

	s->wal_pages = pages;
	return SQLITE_OK;
}

static err *load(struct sqlite_store *s)
{
	int64_t meta, keys, first, bytes;

	TRY(ask(s, "SELECT revision FROM meta", &meta, 1));
	TRY(ask(s, "SELECT count(*) FROM kv", &keys, 1));
	TRY(ask(s, "SELECT min(place) FROM log", &first, 1));
	TRY(ask(s, "SELECT sum(size) FROM log INDEXED BY log_of_key", &bytes, 1));
	s->now.revision = (uint64_t)meta;
	s->now.keys = (uint64_t)keys;
	s->now.log_first = first ? (uint64_t)first >> LOG_BITS : s->now.revision + 1;
	s->now.log_bytes = (uint64_t)bytes;
	return NULL;
}

/* EXCLUSIVE: no -shm file, nobody else writes. Checkpoints are ours, so that no answer waits for one. */
static err *open_database(struct sqlite_store *s, const char *place)
{
	if (sqlite3_open_v2(place, &s->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
				    SQLITE_OPEN_EXRESCODE,
			    NULL) != SQLITE_OK)
		return s->db ? sqlite_error(s, "open") : err_oom();
	TRY(execute(
		s,
		"PRAGMA locking_mode = EXCLUSIVE; PRAGMA trusted_schema = OFF; PRAGMA cell_size_check = ON;"
		"PRAGMA temp_store = MEMORY",
		"open"));
	TRY(check_version(s));
	TRY(execute(s,
		    "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA wal_autocheckpoint = 0;"
		    "PRAGMA journal_size_limit = 16777216",
		    "open"));
	TRY(check_health(s));
	TRY(execute(s, indexes, "make the indexes"));
	sqlite3_wal_hook(s->db, on_wal, s);
	for (int i = 0; i < SQL_COUNT; i++)
		TRY(prepare(s, sql[i], SQLITE_PREPARE_PERSISTENT, &s->statements[i]));
	TRY(load(s));
	return sqlite_leases_load(s);
}

static void free_store(struct sqlite_store *s)
{
	if (!s)
		return;
	sqlite_leases_done(s);
	for (int i = 0; i < SQL_COUNT; i++)
		sqlite3_finalize(s->statements[i]);
	sqlite3_close(s->db); /* writes the WAL back and removes it */
	fd_close(s->lock_fd);
	free(s);
}
DEFINE_CLEANUP(struct sqlite_store *, free_store)

static err *sqlite_open(struct loop *l, const char *place, const struct store_options *options,
			struct store **ret)
{
	CLEANUP(free_store) struct sqlite_store *s = calloc(1, sizeof(*s));

	if (!s)
		return err_oom();
	*s = (struct sqlite_store){ .base = { &store_sqlite },
				    .loop = l,
				    .options = *options,
				    .lock_fd = -1,
				    .queue_end = &s->queue };
	s->options.url = NULL;
	if (!*place)
		return err_new(EINVAL, "names no file");
	TRY(make_directory(place));
	TRY(take_lock(place, &s->lock_fd));
	TRY(make_file(place));
	TRY(open_database(s, place));
	TRY(loop_after(l, sqlite_commit, s));
	*ret = &TAKE(s)->base;
	return NULL;
}

static bool has_accepted(const struct sqlite_store *s)
{
	for (const struct work *w = s->queue; w; w = w->next)
		if (!w->error)
			return true;
	return false;
}

static void sqlite_close(struct store *base)
{
	struct sqlite_store *s = (struct sqlite_store *)base;

	s->closing = true;
	while (has_accepted(s))
		sqlite_commit(s);
	/* Whoever answers a refusal with another try is heard a few times, not for ever. */
	for (int i = 0; i < CLOSING_ROUNDS && s->queue; i++)
		sqlite_commit(s);
	sqlite_drop_queue(s);
	free_store(s);
}

/* ---- reading ---- */

static void row_to_entry(sqlite3_stmt *statement, struct store_entry *e)
{
	*e = (struct store_entry){
		.key = (const char *)sqlite3_column_text(statement, 0),
		.value = (const char *)sqlite3_column_text(statement, 1),
		.len = (size_t)sqlite3_column_bytes(statement, 1),
		.created = (uint64_t)sqlite3_column_int64(statement, 2),
		.modified = (uint64_t)sqlite3_column_int64(statement, 3),
		.lease = sqlite3_column_int64(statement, 4),
	};
}

static err *read_entry(sqlite3_stmt *statement, struct arena *arena, struct store_entry *ret)
{
	struct store_entry e;

	row_to_entry(statement, &e);
	if (!e.key || !e.value)
		return err_oom();
	TRY_ALLOC(arena, e.key, arena_strdup(arena, e.key));
	TRY_ALLOC(arena, e.value, arena_strndup(arena, e.value, e.len));
	*ret = e;
	return NULL;
}

static err *sqlite_get(struct store *base, struct arena *arena, const char *key, bool *ret_found,
		       struct store_entry *ret)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	sqlite3_stmt *statement = sqlite_statement(s, SQL_GET);
	err *e = NULL;

	sqlite3_bind_text(statement, 1, key, -1, SQLITE_STATIC);
	int step = sqlite3_step(statement);
	if (step == SQLITE_ROW)
		e = read_entry(statement, arena, ret);
	else if (step != SQLITE_DONE)
		e = sqlite_error(s, "read");
	sqlite3_reset(statement);
	*ret_found = !e && step == SQLITE_ROW;
	return err_wrap(e, "'%s'", key);
}

static err *sqlite_list(struct store *base, const char *prefix, const char *after, size_t limit,
			store_each_fn *fn, void *user, uint64_t *ret_revision)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	auto_statement sqlite3_stmt *statement = NULL;
	size_t len = strlen(prefix);
	int step = SQLITE_DONE;

	TRY(prepare(s,
		    "SELECT key, value, created, modified, lease FROM kv"
		    " WHERE key >= ?1 AND key > ?2 ORDER BY key LIMIT ?3",
		    0, &statement));
	sqlite3_bind_text(statement, 1, prefix, (int)len, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, after ? after : "", -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 3, limit ? (int64_t)limit : -1);
	while ((step = sqlite3_step(statement)) == SQLITE_ROW) {
		struct store_entry e;
		row_to_entry(statement, &e);
		if (!e.key || !e.value)
			return err_oom();
		/* Keys are ordered by their bytes: behind the last with the prefix there is none. */
		if (strncmp(e.key, prefix, len) != 0)
			break;
		TRY(fn(&e, user));
	}
	if (step != SQLITE_DONE && step != SQLITE_ROW)
		return sqlite_error(s, "read");
	if (ret_revision)
		*ret_revision = s->now.revision;
	return NULL;
}

static uint64_t sqlite_revision(struct store *base)
{
	return ((struct sqlite_store *)base)->now.revision;
}

static void sqlite_subscribe(struct store *base, store_event_fn *fn, void *user)
{
	struct sqlite_store *s = (struct sqlite_store *)base;

	s->event = fn;
	s->event_user = user;
}

/* ---- figures, copies ---- */

static void sqlite_stats(struct store *base, struct store_stats *ret)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	int64_t pages = 0, size = 0;

	IGNORE(ask(s, "PRAGMA page_count", &pages, 1));
	IGNORE(ask(s, "PRAGMA page_size", &size, 1));
	*ret = s->stats;
	ret->bytes = (uint64_t)((pages + s->wal_pages) * size);
	ret->keys = s->now.keys;
}

static err *copy_into(struct sqlite_store *s, const char *path)
{
	auto_statement sqlite3_stmt *statement = NULL;

	TRY(prepare(s, "VACUUM INTO ?", 0, &statement));
	sqlite3_bind_text(statement, 1, path, -1, SQLITE_STATIC);
	TRY(sqlite_run(s, statement, "copy"));
	auto_close int fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd < 0 || fsync(fd) < 0)
		return err_errno("sync");
	return NULL;
}

static err *sqlite_snapshot(struct store *base, const char *path)
{
	struct sqlite_store *s = (struct sqlite_store *)base;
	auto_close int fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	if (fd < 0)
		return err_errno("create");
	err *e = copy_into(s, path);
	if (e)
		unlink(path);
	return e;
}

const struct store_backend store_sqlite = {
	.scheme = "sqlite",
	.open = sqlite_open,
	.close = sqlite_close,
	.get = sqlite_get,
	.list = sqlite_list,
	.revision = sqlite_revision,
	.submit = sqlite_submit,
	.subscribe = sqlite_subscribe,
	.history = sqlite_history,
	.past = sqlite_past,
	.before = sqlite_before,
	.lease_grant = sqlite_lease_grant,
	.lease_keep = sqlite_lease_keep,
	.lease_revoke = sqlite_lease_revoke,
	.stats = sqlite_stats,
	.snapshot = sqlite_snapshot,
};
