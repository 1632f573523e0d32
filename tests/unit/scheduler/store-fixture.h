/* tests/unit/scheduler/store-fixture.h: a store in a directory of its own, and what it tells. */
#pragma once
#include <ftw.h>
#include <stdlib.h>
#include <unistd.h>

#include "scheduler/store.h"
#include "tests/unit/scheduler/loop-fake.h"

#define EVENTS_MAX 4096
struct fixture {
	char dir[64], url[128], path[128];
	struct store_options options;
	struct loop *loop;
	struct store *store;
	struct str told; /* "5 /k=v" for each event, "done 5" or "failed 1: why" for each answer */
};

static int fixture_remove(const char *path, const struct stat *st UNUSED, int type UNUSED,
			  struct FTW *ftw UNUSED)
{
	return remove(path);
}

static UNUSED void fixture_event(const struct store_event *e, void *user)
{
	struct fixture *f = user;

	str_addf(&f->told, "%llu %s", (unsigned long long)e->revision, e->key);
	if (e->value) {
		str_add_char(&f->told, '=');
		str_add_bytes(&f->told, e->value, e->len);
	}
	str_add_char(&f->told, '\n');
}

static UNUSED void fixture_done(const struct store_result *r, void *user)
{
	struct fixture *f = user;

	if (!r->error) {
		str_addf(&f->told, "done %llu\n", (unsigned long long)r->revision);
		return;
	}
	str_addf(&f->told, "failed %zu: ", r->failed);
	err_format(r->error, &f->told);
	str_add_char(&f->told, '\n');
}

static UNUSED err *fixture_try_open(struct fixture *f)
{
	f->options.url = f->url;
	assert_ok(loop_new(&f->loop));
	err *e = store_open(f->loop, &f->options, &f->store);
	if (!e)
		store_subscribe(f->store, fixture_event, f);
	return e;
}

static UNUSED void fixture_open(struct fixture *f)
{
	assert_ok(fixture_try_open(f));
}

static UNUSED void fixture_close(struct fixture *f)
{
	store_close(f->store);
	f->store = NULL;
	loop_free(f->loop);
	f->loop = NULL;
}

static UNUSED void fixture_reopen(struct fixture *f)
{
	fixture_close(f);
	fixture_open(f);
}

/* The suite asks nothing but the interface: another back end's URL may stand in STUBE_TEST_STORE. */
static UNUSED void fixture_make(struct fixture *f)
{
	const char *url = getenv("STUBE_TEST_STORE");

	*f = (struct fixture){ .dir = "/tmp/stube-store.XXXXXX", .told = STR_INIT(64 << 20) };
	assert_non_null(mkdtemp(f->dir));
	snprintf(f->path, sizeof(f->path), "%s/store.db", f->dir);
	snprintf(f->url, sizeof(f->url), url ? "%s" : "sqlite:%s/store.db", url ? url : f->dir);
}

static UNUSED void fixture_done_with(struct fixture *f)
{
	if (f->loop)
		fixture_close(f);
	str_done(&f->told);
	if (f->dir[0])
		nftw(f->dir, fixture_remove, 16, FTW_DEPTH | FTW_PHYS);
}
DEFINE_CLEANUP_OF(struct fixture, fixture_done_with)
#define auto_fixture CLEANUP(fixture_done_with)

/* What was told since the last time. */
#define assert_told(f, text)                                 \
	do {                                                 \
		loop_settle((f)->loop);                      \
		assert_string_equal((f)->told.data, (text)); \
		str_clear(&(f)->told);                       \
	} while (0)

static UNUSED struct store_op op_put(const char *key, uint64_t expected, const char *value)
{
	return (struct store_op){
		.kind = STORE_PUT, .key = key, .expected = expected, .value = value, .len = strlen(value)
	};
}

static UNUSED struct store_op op_put_leased(const char *key, const char *value, int64_t lease)
{
	struct store_op op = op_put(key, STORE_ANY, value);

	op.lease = lease;
	return op;
}

static UNUSED struct store_op op_delete(const char *key, uint64_t expected)
{
	return (struct store_op){ .kind = STORE_DELETE, .key = key, .expected = expected };
}

static UNUSED struct store_op op_check(const char *key, uint64_t expected)
{
	return (struct store_op){ .kind = STORE_CHECK, .key = key, .expected = expected };
}

static UNUSED void submit(struct fixture *f, const struct store_op *ops, size_t count)
{
	store_submit(f->store, ops, count, fixture_done, f);
}

static UNUSED void submit_one(struct fixture *f, struct store_op op)
{
	submit(f, &op, 1);
}

/* "key=value created modified", or "nothing". */
static UNUSED void assert_entry(struct fixture *f, const char *key, const char *text)
{
	auto_arena struct arena *arena = NULL;
	struct store_entry e;
	char actual[256] = "nothing";
	bool found = false;

	assert_ok(arena_new(4 << 20, &arena));
	assert_ok(store_get(f->store, arena, key, &found, &e));
	if (found)
		snprintf(actual, sizeof(actual), "%s=%.*s %llu %llu", e.key, (int)e.len, e.value,
			 (unsigned long long)e.created, (unsigned long long)e.modified);
	assert_string_equal(actual, text);
}

static UNUSED err *add_key(const struct store_entry *e, void *user)
{
	str_addf(user, "%s ", e->key);
	return NULL;
}

static UNUSED void assert_list(struct fixture *f, const char *prefix, const char *after, size_t limit,
			       const char *keys)
{
	auto_str struct str actual = STR_INIT(1 << 20);
	uint64_t revision = 0;

	assert_ok(store_list(f->store, prefix, after, limit, add_key, &actual, &revision));
	assert_string_equal(actual.data, keys);
	assert_int_equal(revision, store_revision(f->store));
}

static UNUSED err *add_event(const struct store_event *e, void *user)
{
	str_addf(user, "%llu%s%s ", (unsigned long long)e->revision, e->value ? "+" : "-", e->key);
	return NULL;
}

static UNUSED void lease_told(err *error, int64_t id, void *user)
{
	assert_ok(error);
	*(int64_t *)user = id;
}

static UNUSED int64_t grant(struct fixture *f, int64_t ttl)
{
	int64_t id = 0;

	store_lease_grant(f->store, ttl, lease_told, &id);
	loop_settle(f->loop);
	assert_int_not_equal(id, 0);
	return id;
}
