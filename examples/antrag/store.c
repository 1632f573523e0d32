/* examples/antrag/store.c: the database. */
#include "examples/antrag/store.h"

#include <pthread.h>
#include <sqlite3.h>
#include <stdlib.h>

#include "base/json.h"
#include "base/str.h"
#include "examples/states.h"
#include "examples/token.h"

#define VERSION	   1
#define FIELDS_MAX (64u << 10)

struct store {
	sqlite3 *db;
	pthread_mutex_t lock; /* one connection, used by one thread at a time */
};

DEFINE_CLEANUP(sqlite3_stmt *, sqlite3_finalize)
#define auto_statement CLEANUP(sqlite3_finalize)

static void unlock(pthread_mutex_t *lock)
{
	pthread_mutex_unlock(lock);
}
DEFINE_CLEANUP(pthread_mutex_t *, unlock)
#define HOLD(store)                                              \
	CLEANUP(unlock) pthread_mutex_t *held_ = &(store)->lock; \
	pthread_mutex_lock(held_)

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS applications ("
	" number TEXT PRIMARY KEY, citizen TEXT NOT NULL, name TEXT NOT NULL, kind TEXT NOT NULL,"
	" state TEXT NOT NULL, created TEXT NOT NULL, changed TEXT NOT NULL, fields TEXT NOT NULL,"
	" digest TEXT NOT NULL, signed_at INTEGER NOT NULL DEFAULT 0, signature TEXT) STRICT, WITHOUT ROWID;"
	"CREATE INDEX IF NOT EXISTS applications_of_citizen ON applications (citizen, changed);"
	"CREATE INDEX IF NOT EXISTS applications_in_state ON applications (state, changed);"
	"CREATE TABLE IF NOT EXISTS events ("
	" id INTEGER PRIMARY KEY, number TEXT NOT NULL REFERENCES applications (number),"
	" at TEXT NOT NULL, state TEXT NOT NULL, by TEXT NOT NULL, note TEXT) STRICT;"
	"CREATE INDEX IF NOT EXISTS events_of_application ON events (number, id);"
	"PRAGMA user_version = 1;";

static err *db_error(struct store *s, const char *what)
{
	return err_new(EIO, "database: %s: %s", what, sqlite3_errmsg(s->db));
}

static err *prepare(struct store *s, const char *sql, sqlite3_stmt **ret)
{
	if (sqlite3_prepare_v2(s->db, sql, -1, ret, NULL) != SQLITE_OK)
		return db_error(s, "prepare");
	return NULL;
}

/* Bind texts from 1 on; the list ends with a NULL behind `count`. They live until the statement's end. */
static void bind_texts(sqlite3_stmt *statement, const char *const *texts, int count)
{
	for (int i = 0; i < count; i++)
		sqlite3_bind_text(statement, i + 1, texts[i], -1, SQLITE_STATIC);
}

static err *finish(struct store *s, sqlite3_stmt *statement)
{
	return sqlite3_step(statement) == SQLITE_DONE ? NULL : db_error(s, "write");
}

static err *run(struct store *s, const char *sql)
{
	auto_statement sqlite3_stmt *statement = NULL;

	TRY(prepare(s, sql, &statement));
	return finish(s, statement);
}

/* Ends a transaction: with COMMIT when `done` is NULL, else it is undone and `done` returned. */
static err *end(struct store *s, err *done)
{
	if (!done)
		done = run(s, "COMMIT");
	if (done)
		IGNORE(run(s, "ROLLBACK"));
	return done;
}

static err *check_version(struct store *s)
{
	auto_statement sqlite3_stmt *statement = NULL;

	TRY(prepare(s, "PRAGMA user_version", &statement));
	if (sqlite3_step(statement) != SQLITE_ROW)
		return db_error(s, "version");
	if (sqlite3_column_int(statement, 0) > VERSION)
		return err_new(EINVAL, "database: written by a newer release");
	return NULL;
}

err *store_open(const char *path, struct store **ret)
{
	auto_store struct store *s = calloc(1, sizeof(*s));

	if (!s)
		return err_oom();
	pthread_mutex_init(&s->lock, NULL);
	if (sqlite3_open_v2(path, &s->db,
			    SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX |
				    SQLITE_OPEN_NOFOLLOW,
			    NULL) != SQLITE_OK)
		return err_wrap(db_error(s, "open"), "'%s'", path);
	sqlite3_busy_timeout(s->db, 2000);
	TRY(err_wrap(check_version(s), "'%s'", path));
	if (sqlite3_exec(s->db,
			 "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
			 "PRAGMA trusted_schema = OFF; PRAGMA secure_delete = ON;",
			 NULL, NULL, NULL) != SQLITE_OK ||
	    sqlite3_exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK)
		return err_wrap(db_error(s, "schema"), "'%s'", path);
	*ret = TAKE(s);
	return NULL;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	sqlite3_close_v2(s->db); /* the last connection writes the WAL back */
	pthread_mutex_destroy(&s->lock);
	free(s);
}

static err *add_event(struct store *s, const char *number, const struct event *event)
{
	const char *texts[] = { number, event->at, enum_name(state_names, event->state),
				enum_name(role_names, event->by), event->note };
	auto_statement sqlite3_stmt *statement = NULL;

	TRY(prepare(s, "INSERT INTO events (number, at, state, by, note) VALUES (?, ?, ?, ?, ?)",
		    &statement));
	bind_texts(statement, texts, ARRAY_LEN(texts));
	return finish(s, statement);
}

static err *insert(struct store *s, const struct application *a, bool *ret_taken)
{
	struct event received = { .at = a->created, .state = a->state, .by = ROLE_CITIZEN };
	auto_statement sqlite3_stmt *statement = NULL;
	auto_str struct str fields = STR_INIT(FIELDS_MAX);

	encode_text(&fields, &t_string_map, &a->fields, 0);
	TRY(str_check(&fields));
	const char *texts[] = {
		a->number,  a->citizen, a->name,     a->kind,  enum_name(state_names, a->state),
		a->created, a->changed, fields.data, a->digest
	};
	TRY(prepare(s,
		    "INSERT INTO applications (number, citizen, name, kind, state, created, changed, fields, "
		    "digest)"
		    " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
		    &statement));
	bind_texts(statement, texts, ARRAY_LEN(texts));
	TRY(finish(s, statement));
	*ret_taken = sqlite3_changes(s->db) == 0;
	return *ret_taken ? NULL : add_event(s, a->number, &received);
}

err *store_add(struct store *s, const struct application *application, bool *ret_taken)
{
	HOLD(s);
	TRY(run(s, "BEGIN IMMEDIATE"));
	return end(s, insert(s, application, ret_taken));
}

static char *column(struct arena *arena, sqlite3_stmt *statement, int index)
{
	return arena_strdup(arena, (const char *)sqlite3_column_text(statement, index));
}

#define COLUMNS "number, citizen, name, kind, state, created, changed, fields, digest, signed_at, signature"

static err *read_row(struct arena *arena, sqlite3_stmt *statement, struct application *a)
{
	struct decoder d = { .arena = arena, .name = "stored fields" };
	const char *fields = (const char *)sqlite3_column_text(statement, 7);

	*a = (struct application){
		.number = column(arena, statement, 0),
		.citizen = column(arena, statement, 1),
		.name = column(arena, statement, 2),
		.kind = column(arena, statement, 3),
		.state = enum_value(state_names, (const char *)sqlite3_column_text(statement, 4)),
		.created = column(arena, statement, 5),
		.changed = column(arena, statement, 6),
		.digest = column(arena, statement, 8),
		.signed_at = sqlite3_column_int64(statement, 9),
		.signature = column(arena, statement, 10),
	};
	if (!a->number || !a->citizen || !a->name || !a->kind || !a->created || !a->changed || !a->digest)
		return arena_error(arena);
	if (a->state < 0 || !fields)
		return err_new(EIO, "database: application '%s' is damaged", a->number);
	return decode_text(&d, &t_string_map, NULL, fields, strlen(fields), &a->fields);
}

static err *read_history(struct store *s, struct arena *arena, struct application *a)
{
	auto_statement sqlite3_stmt *statement = NULL;

	TRY_ALLOC(arena, a->history.items, arena_array(arena, HISTORY_MAX, sizeof(struct event)));
	TRY(prepare(s, "SELECT at, state, by, note FROM events WHERE number = ? ORDER BY id LIMIT ?",
		    &statement));
	sqlite3_bind_text(statement, 1, a->number, -1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 2, HISTORY_MAX);
	while (sqlite3_step(statement) == SQLITE_ROW && a->history.count < HISTORY_MAX)
		a->history.items[a->history.count++] = (struct event){
			.at = column(arena, statement, 0),
			.state = enum_value(state_names, (const char *)sqlite3_column_text(statement, 1)),
			.by = enum_value(role_names, (const char *)sqlite3_column_text(statement, 2)),
			.note = column(arena, statement, 3),
		};
	return NULL;
}

err *store_get(struct store *s, struct arena *arena, const char *number, const struct application **ret)
{
	auto_statement sqlite3_stmt *statement = NULL;
	struct application *a;

	HOLD(s);
	*ret = NULL;
	TRY(prepare(s, "SELECT " COLUMNS " FROM applications WHERE number = ?", &statement));
	sqlite3_bind_text(statement, 1, number, -1, SQLITE_STATIC);
	switch (sqlite3_step(statement)) {
	case SQLITE_ROW:
		break;
	case SQLITE_DONE:
		return NULL;
	default:
		return db_error(s, "read");
	}
	TRY_ALLOC(arena, a, arena_alloc(arena, sizeof(*a)));
	TRY(read_row(arena, statement, a));
	TRY(read_history(s, arena, a));
	*ret = a;
	return NULL;
}

err *store_list(struct store *s, struct arena *arena, const char *citizen, int state, unsigned limit,
		struct applications *ret)
{
	struct applications found = { 0 };
	auto_statement sqlite3_stmt *statement = NULL;
	int step;

	HOLD(s);
	TRY_ALLOC(arena, found.list.items, arena_array(arena, limit, sizeof(struct application)));
	TRY(prepare(s,
		    "SELECT " COLUMNS " FROM applications WHERE (?1 IS NULL OR citizen = ?1)"
		    " AND (?2 IS NULL OR state = ?2) ORDER BY changed DESC, number LIMIT ?3",
		    &statement));
	sqlite3_bind_text(statement, 1, citizen, -1, SQLITE_STATIC);
	sqlite3_bind_text(statement, 2, state < 0 ? NULL : enum_name(state_names, state), -1, SQLITE_STATIC);
	sqlite3_bind_int(statement, 3, (int)limit);
	while ((step = sqlite3_step(statement)) == SQLITE_ROW && found.list.count < limit) {
		struct application *a = &found.list.items[found.list.count++];

		TRY(read_row(arena, statement, a));
		a->fields = (struct string_map){ 0 }; /* a list shows no more than it must */
	}
	if (step != SQLITE_DONE && step != SQLITE_ROW)
		return db_error(s, "read");
	*ret = found;
	return NULL;
}

static err *move(struct store *s, const char *number, int from, const struct event *event, bool *ret_moved)
{
	const char *texts[] = { enum_name(state_names, event->state), event->at, number,
				enum_name(state_names, from) };
	auto_statement sqlite3_stmt *statement = NULL;

	TRY(prepare(s, "UPDATE applications SET state = ?, changed = ? WHERE number = ? AND state = ?",
		    &statement));
	bind_texts(statement, texts, ARRAY_LEN(texts));
	TRY(finish(s, statement));
	*ret_moved = sqlite3_changes(s->db) == 1;
	return *ret_moved ? add_event(s, number, event) : NULL;
}

err *store_move(struct store *s, const char *number, int from, const struct event *event, bool *ret_moved)
{
	HOLD(s);
	TRY(run(s, "BEGIN IMMEDIATE"));
	return end(s, move(s, number, from, event, ret_moved));
}

err *store_sign(struct store *s, const char *number, int64_t signed_at, const char *signature, bool *ret_kept)
{
	auto_statement sqlite3_stmt *statement = NULL;

	HOLD(s);
	TRY(prepare(
		s,
		"UPDATE applications SET signature = ?, signed_at = ? WHERE number = ? AND signature IS NULL",
		&statement));
	sqlite3_bind_text(statement, 1, signature, -1, SQLITE_STATIC);
	sqlite3_bind_int64(statement, 2, signed_at);
	sqlite3_bind_text(statement, 3, number, -1, SQLITE_STATIC);
	TRY(finish(s, statement));
	*ret_kept = sqlite3_changes(s->db) == 1;
	return NULL;
}
