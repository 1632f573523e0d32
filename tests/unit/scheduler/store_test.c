/* tests/unit/scheduler/store_test.c: what every back end of the store keeps; asks the interface only. */
#include "tests/unit/scheduler/store-fixture.h"

#define SECOND ((int64_t)NSEC_PER_SEC)

static void test_what_was_put_is_there_with_the_revisions_of_its_first_and_last_change(void **state)
{
	(void)state;
	auto_fixture struct fixture f;

	fixture_make(&f);
	fixture_open(&f);
	assert_entry(&f, "/Pod/default/a", "nothing");
	submit_one(&f, op_put("/Pod/default/a", STORE_ABSENT, "1"));
	submit_one(&f, op_put("/Pod/default/b", STORE_ABSENT, "2"));
	submit_one(&f, op_put("/Pod/default/a", 1, "3"));
	assert_told(&f,
		    "1 /Pod/default/a=1\ndone 1\n2 /Pod/default/b=2\ndone 2\n3 /Pod/default/a=3\ndone 3\n");
	assert_entry(&f, "/Pod/default/a", "/Pod/default/a=3 1 3");
	assert_int_equal(store_revision(f.store), 3);
	fixture_reopen(&f);
	assert_entry(&f, "/Pod/default/a", "/Pod/default/a=3 1 3");
	assert_int_equal(store_revision(f.store), 3);
}

static void test_nothing_is_told_before_it_is_safe(void **state)
{
	(void)state;
	auto_fixture struct fixture f;

	fixture_make(&f);
	fixture_open(&f);
	submit_one(&f, op_put("/a", STORE_ABSENT, "1"));
	assert_string_equal(f.told.data, "");
	assert_entry(&f, "/a", "nothing");
	assert_told(&f, "1 /a=1\ndone 1\n");
}

static void test_lists_go_by_prefix_in_order_in_pages(void **state)
{
	(void)state;
	static const char *const keys[] = { "/Pod/b/x",	 "/Pod/a/z", "/Pod/a/x",
					    "/Pod/ab/x", "/Pod/a/y", "/Node/n" };
	static const struct {
		const char *prefix, *after;
		size_t limit;
		const char *expected;
	} rows[] = {
		{ "/Pod/", NULL, 0, "/Pod/a/x /Pod/a/y /Pod/a/z /Pod/ab/x /Pod/b/x " },
		{ "/Pod/a/", NULL, 0, "/Pod/a/x /Pod/a/y /Pod/a/z " },
		{ "/Pod/a/", NULL, 2, "/Pod/a/x /Pod/a/y " },
		{ "/Pod/a/", "/Pod/a/y", 2, "/Pod/a/z " },
		{ "/Pod/a/", "/Pod/a/z", 2, "" },
		{ "/Pod/a/", "/Pod/a/xx", 0, "/Pod/a/y /Pod/a/z " },
		{ "/Pod/", "/Node/n", 1, "/Pod/a/x " },
		{ "/Podx", NULL, 0, "" },
		{ "", NULL, 0, "/Node/n /Pod/a/x /Pod/a/y /Pod/a/z /Pod/ab/x /Pod/b/x " },
	};
	auto_fixture struct fixture f;

	fixture_make(&f);
	fixture_open(&f);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		submit_one(&f, op_put(keys[i], STORE_ABSENT, "{}"));
	loop_settle(f.loop);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++)
		assert_list(&f, rows[i].prefix, rows[i].after, rows[i].limit, rows[i].expected);
}

static err *refuse(const struct store_entry *e, void *user)
{
	(void)user;
	return err_new(EBADMSG, "'%s' is not to my taste", e->key);
}

static void test_a_list_ends_with_the_readers_error(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	uint64_t revision;

	fixture_make(&f);
	fixture_open(&f);
	submit_one(&f, op_put("/a", STORE_ABSENT, "1"));
	loop_settle(f.loop);
	assert_err(store_list(f.store, "/", NULL, 0, refuse, NULL, &revision), "'/a' is not to my taste");
}

/* "/old" is there, of revision 2; "/none" is not; "/gone" was. */
static void test_each_operation_compares_first(void **state)
{
	(void)state;
	static const struct {
		const char *name;
		enum store_op_kind kind;
		const char *key;
		uint64_t expected;
		const char *told;
	} rows[] = {
		{ "put anyway, new", STORE_PUT, "/none", STORE_ANY, "4 /none=x\ndone 4\n" },
		{ "put anyway, old", STORE_PUT, "/old", STORE_ANY, "4 /old=x\ndone 4\n" },
		{ "create", STORE_PUT, "/none", STORE_ABSENT, "4 /none=x\ndone 4\n" },
		{ "create again", STORE_PUT, "/gone", STORE_ABSENT, "4 /gone=x\ndone 4\n" },
		{ "create what is there", STORE_PUT, "/old", STORE_ABSENT,
		  "failed 0: '/old': is there already\n" },
		{ "change", STORE_PUT, "/old", 2, "4 /old=x\ndone 4\n" },
		{ "change an older one", STORE_PUT, "/old", 1,
		  "failed 0: '/old': has changed, from revision 1 to 2\n" },
		{ "change what is gone", STORE_PUT, "/gone", 1, "failed 0: '/gone': is no longer there\n" },
		{ "delete anyway", STORE_DELETE, "/old", STORE_ANY, "4 /old\ndone 4\n" },
		{ "delete", STORE_DELETE, "/old", 2, "4 /old\ndone 4\n" },
		{ "delete an older one", STORE_DELETE, "/old", 1,
		  "failed 0: '/old': has changed, from revision 1 to 2\n" },
		{ "delete nothing", STORE_DELETE, "/none", STORE_ANY, "done 3\n" },
		{ "delete nothing, expecting it", STORE_DELETE, "/none", 2,
		  "failed 0: '/none': is no longer there\n" },
		{ "check", STORE_CHECK, "/old", 2, "done 3\n" },
		{ "check absence", STORE_CHECK, "/gone", STORE_ABSENT, "done 3\n" },
		{ "check in vain", STORE_CHECK, "/old", 3,
		  "failed 0: '/old': has changed, from revision 3 to 2\n" },
		{ "check absence in vain", STORE_CHECK, "/old", STORE_ABSENT,
		  "failed 0: '/old': is there already\n" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_fixture struct fixture f;
		struct store_op op = op_put(rows[i].key, rows[i].expected, "x");

		op.kind = rows[i].kind;
		fixture_make(&f);
		fixture_open(&f);
		submit_one(&f, op_put("/gone", STORE_ABSENT, "1"));
		submit_one(&f, op_put("/old", STORE_ABSENT, "2"));
		submit_one(&f, op_delete("/gone", 1));
		loop_settle(f.loop);
		str_clear(&f.told);
		submit_one(&f, op);
		assert_told(&f, rows[i].told);
	}
}

static void test_a_transaction_is_all_or_nothing_with_a_revision_for_each_change(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	const struct store_op good[] = { op_put("/b", STORE_ABSENT, "1"), op_put("/a", STORE_ABSENT, "2"),
					 op_check("/c", STORE_ABSENT) };
	const struct store_op bad[] = { op_put("/c", STORE_ABSENT, "3"), op_delete("/a", 2),
					op_put("/b", 7, "4") };
	const struct store_op next[] = { op_delete("/a", 2), op_put("/b", 1, "5") };

	fixture_make(&f);
	fixture_open(&f);
	submit(&f, good, ARRAY_LEN(good));
	submit(&f, bad, ARRAY_LEN(bad));
	submit(&f, next, ARRAY_LEN(next));
	assert_told(&f, "1 /b=1\n2 /a=2\ndone 2\n"
			"failed 2: '/b': has changed, from revision 7 to 1\n"
			"3 /a\n4 /b=5\ndone 4\n");
	assert_list(&f, "/", NULL, 0, "/b ");
}

static void test_what_is_out_of_bounds_is_refused_in_its_turn(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	auto_str struct str big = STR_INIT(2 << 20);
	char key[STORE_KEY_MAX + 2];
	struct store_op many[STORE_OPS_MAX + 1];
	char names[STORE_OPS_MAX + 1][8];
	const struct store_op twice[] = { op_put("/a", STORE_ANY, "1"), op_put("/b", STORE_ANY, "1"),
					  op_delete("/a", STORE_ANY) };

	memset(key, 'k', sizeof(key));
	key[sizeof(key) - 1] = '\0';
	for (size_t i = 0; i < STORE_VALUE_MAX + 1; i++)
		str_add_char(&big, 'v');
	for (size_t i = 0; i < ARRAY_LEN(many); i++) {
		snprintf(names[i], sizeof(names[i]), "/%03zu", i);
		many[i] = op_put(names[i], STORE_ANY, "{}");
	}
	fixture_make(&f);
	fixture_open(&f);
	submit_one(&f, op_put("/first", STORE_ABSENT, "1"));
	submit_one(&f, op_put("", STORE_ANY, "1"));
	submit_one(&f, op_put(key, STORE_ANY, "1"));
	submit_one(&f, op_put("/big", STORE_ANY, big.data));
	submit(&f, twice, ARRAY_LEN(twice));
	submit(&f, many, 0);
	submit(&f, many, ARRAY_LEN(many));
	assert_told(&f, "1 /first=1\ndone 1\n"
			"failed 0: key of 0 bytes, 1 to 1024 are allowed\n"
			"failed 0: key of 1025 bytes, 1 to 1024 are allowed\n"
			"failed 0: '/big': value of 1048577 bytes, at most 1048576 are allowed\n"
			"failed 2: '/a': twice in one transaction\n"
			"failed 0: transaction of 0 operations, 1 to 128 are allowed\n"
			"failed 0: transaction of 129 operations, 1 to 128 are allowed\n");
	key[STORE_KEY_MAX] = '\0';
	big.data[STORE_VALUE_MAX] = '\0';
	submit_one(&f, op_put(key, STORE_ANY, big.data));
	submit(&f, many, STORE_OPS_MAX);
	loop_settle(f.loop);
	assert_int_equal(store_revision(f.store), 2 + STORE_OPS_MAX);
}

static void submit_more(const struct store_result *r, void *user)
{
	struct fixture *f = user;

	fixture_done(r, f);
	if (r->revision < 4)
		store_submit(f->store, &(struct store_op){ STORE_PUT, "/a", r->revision, "x", 1, 0 }, 1,
			     submit_more, f);
}

static void test_an_answer_may_submit_the_next(void **state)
{
	(void)state;
	auto_fixture struct fixture f;

	fixture_make(&f);
	fixture_open(&f);
	store_submit(f.store, &(struct store_op){ STORE_PUT, "/a", STORE_ABSENT, "x", 1, 0 }, 1, submit_more,
		     &f);
	assert_told(&f, "1 /a=x\ndone 1\n2 /a=x\ndone 2\n3 /a=x\ndone 3\n4 /a=x\ndone 4\n");
}

static void submit_late(void *user)
{
	struct fixture *f = user;

	if (store_revision(f->store) == 0)
		submit_one(f, op_put("/late", STORE_ABSENT, "1"));
}

static void test_what_is_submitted_when_the_loop_is_about_to_sleep_is_committed(void **state)
{
	(void)state;
	auto_fixture struct fixture f;

	fixture_make(&f);
	fixture_open(&f);
	assert_ok(loop_after(f.loop, submit_late, &f));
	loop_turn(f.loop);
	str_clear(&f.told);
	assert_int_equal(store_revision(f.store), 0);
	assert_true(f.loop->post_count > 0); /* it does not sleep */
	loop_turn(f.loop);
	assert_int_equal(store_revision(f.store), 1);
}

static void test_closing_commits_what_was_submitted_and_refuses_what_comes_then(void **state)
{
	(void)state;
	auto_fixture struct fixture f;

	fixture_make(&f);
	fixture_open(&f);
	store_submit(f.store, &(struct store_op){ STORE_PUT, "/a", STORE_ABSENT, "x", 1, 0 }, 1, submit_more,
		     &f);
	fixture_close(&f);
	assert_true(str_starts_with(f.told.data, "1 /a=x\ndone 1\n"));
	fixture_open(&f);
	assert_entry(&f, "/a", "/a=x 1 1");
}

/* ---- history ---- */

static void assert_history(struct fixture *f, uint64_t after, size_t limit, const char *expected)
{
	auto_str struct str actual = STR_INIT(1 << 20);

	assert_ok(store_history(f->store, after, limit, add_event, &actual));
	assert_string_equal(actual.data, expected);
}

static void test_history_goes_on_after_any_revision(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	const struct store_op two[] = { op_delete("/a", 1), op_put("/b", STORE_ABSENT, "2") };

	fixture_make(&f);
	fixture_open(&f);
	assert_history(&f, 0, 0, "");
	submit_one(&f, op_put("/a", STORE_ABSENT, "1"));
	submit(&f, two, ARRAY_LEN(two));
	submit_one(&f, op_put("/b", 3, "3"));
	loop_settle(f.loop);
	fixture_reopen(&f);
	assert_history(&f, 0, 0, "1+/a 2-/a 3+/b 4+/b ");
	assert_history(&f, 1, 0, "2-/a 3+/b 4+/b ");
	assert_history(&f, 1, 2, "2-/a 3+/b ");
	assert_history(&f, 2, 0, "3+/b 4+/b ");
	assert_history(&f, 4, 0, "");
	assert_err_code(store_history(f.store, 5, 0, add_event, NULL), EKEYEXPIRED);
}

static void test_history_is_kept_by_count_and_by_bytes_and_says_when_it_is_gone(void **state)
{
	(void)state;
	static const struct {
		uint64_t revisions, bytes;
	} rows[] = { { 20, 1 << 30 }, { 1 << 30, 20 * 24 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_fixture struct fixture f;
		auto_str struct str seen = STR_INIT(1 << 20);
		err *e;

		fixture_make(&f);
		f.options.keep_revisions = rows[i].revisions;
		f.options.keep_bytes = rows[i].bytes;
		fixture_open(&f);
		for (int k = 0; k < 300; k++)
			submit_one(&f, op_put("/key", STORE_ANY, "twenty bytes of value"));
		loop_settle(f.loop);
		fixture_reopen(&f);
		submit_one(&f, op_put("/key", STORE_ANY, "twenty bytes of value"));
		loop_settle(f.loop);
		assert_int_equal(store_revision(f.store), 301);
		assert_ok(store_history(f.store, 285, 0, add_event, &seen));
		assert_true(str_starts_with(seen.data, "286+/key 287+/key "));
		assert_true(str_ends_with(seen.data, " 301+/key "));
		assert_err_code(store_history(f.store, 240, 0, add_event, &seen), EKEYEXPIRED);
		e = store_history(f.store, 0, 0, add_event, &seen);
		assert_err_code(e, EKEYEXPIRED);
		assert_entry(&f, "/key", "/key=twenty bytes of value 1 301");
	}
}

static bool add_some(const struct store_event *e, void *user)
{
	struct str *out = user;

	IGNORE(add_event(e, out));
	return !str_ends_with(out->data, "/stop ");
}

static void assert_past(struct fixture *f, struct store_past *past, const char *expected, uint64_t at,
			bool over)
{
	auto_str struct str actual = STR_INIT(1 << 16);

	assert_ok(store_past(f->store, past, add_some, &actual));
	assert_string_equal(actual.data, expected);
	assert_int_equal(past->at, at);
	assert_int_equal(past->over, over);
}

static void assert_before(struct fixture *f, const char *key, uint64_t revision, const char *expected)
{
	auto_str struct str actual = STR_INIT(1 << 16);

	assert_ok(store_before(f->store, key, revision, add_some, &actual));
	assert_string_equal(actual.data, expected);
}

static void test_history_is_read_in_pages_in_both_directions(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	static const char *const keys[] = { "/a/1", "/b/1", "/a/2", "/a/stop", "/b/2", "/a/1" };
	struct store_past up = { .rows = 2 }, down = { .backwards = true, .rows = 100, .prefix = "/a/" };

	fixture_make(&f);
	fixture_open(&f);
	for (size_t i = 0; i < ARRAY_LEN(keys); i++)
		submit_one(&f, op_put(keys[i], STORE_ANY, "1"));
	submit_one(&f, op_delete("/a/2", STORE_ANY));
	loop_settle(f.loop);
	assert_past(&f, &up, "1+/a/1 2+/b/1 ", 2, false);
	up.prefix = "/a/";
	assert_past(&f, &up, "3+/a/2 4+/a/stop ", 4, false);
	assert_past(&f, &up, "6+/a/1 ", 6, false);
	assert_past(&f, &up, "7-/a/2 ", 7, true);
	assert_past(&f, &up, "", 7, true);
	up.at = 8;
	assert_err_code(store_past(f.store, &up, add_some, NULL), EKEYEXPIRED);
	down.at = 8;
	assert_past(&f, &down, "7-/a/2 6+/a/1 4+/a/stop ", 4, false);
	assert_past(&f, &down, "3+/a/2 1+/a/1 ", 1, true);
	assert_before(&f, "/a/1", 7, "6+/a/1 ");
	assert_before(&f, "/a/1", 6, "1+/a/1 ");
	assert_before(&f, "/a/1", 1, "");
	assert_before(&f, "/a/2", 99, "7-/a/2 ");
}

/* ---- leases ---- */

static void test_a_key_goes_when_nobody_keeps_its_lease(void **state)
{
	(void)state;
	auto_fixture struct fixture f;

	fixture_make(&f);
	fixture_open(&f);
	int64_t id = grant(&f, 40 * SECOND);
	submit_one(&f, op_put_leased("/Lease/a", "1", id));
	submit_one(&f, op_put("/Lease/b", STORE_ANY, "2"));
	assert_told(&f, "1 /Lease/a=1\ndone 1\n2 /Lease/b=2\ndone 2\n");
	for (int i = 0; i < 10; i++) {
		loop_pass(f.loop, 39 * SECOND);
		assert_true(store_lease_keep(f.store, id));
	}
	loop_pass(f.loop, 39 * SECOND);
	assert_told(&f, "");
	loop_pass(f.loop, 2 * SECOND);
	assert_told(&f, "3 /Lease/a\n");
	assert_false(store_lease_keep(f.store, id));
	assert_list(&f, "/", NULL, 0, "/Lease/b ");
}

static void test_a_lease_is_revoked_with_its_keys(void **state)
{
	(void)state;
	auto_fixture struct fixture f;

	fixture_make(&f);
	fixture_open(&f);
	int64_t one = grant(&f, SECOND), other = grant(&f, 3600 * SECOND);
	submit_one(&f, op_put_leased("/a", "1", one));
	submit_one(&f, op_put_leased("/b", "1", one));
	submit_one(&f, op_put_leased("/c", "1", one));
	submit_one(&f, op_put_leased("/a", "2", other)); /* goes over to the other */
	submit_one(&f, op_put("/b", STORE_ANY, "2"));	 /* to none */
	loop_settle(f.loop);
	str_clear(&f.told);
	store_lease_revoke(f.store, one);
	assert_false(store_lease_keep(f.store, one));
	submit_one(&f, op_put_leased("/d", "1", one));
	assert_told(&f, "6 /c\nfailed 0: '/d': its lease has ended\n");
	store_lease_revoke(f.store, one);
	store_lease_revoke(f.store, other);
	assert_told(&f, "7 /a\n");
	assert_list(&f, "/", NULL, 0, "/b ");
}

static void test_a_lease_may_have_more_keys_than_a_transaction(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	char key[16];

	fixture_make(&f);
	fixture_open(&f);
	int64_t id = grant(&f, SECOND);
	for (int i = 0; i < 2 * STORE_OPS_MAX + 1; i++) {
		snprintf(key, sizeof(key), "/%04d", i);
		submit_one(&f, op_put_leased(key, "1", id));
	}
	loop_settle(f.loop);
	loop_pass(f.loop, 2 * SECOND);
	assert_list(&f, "/", NULL, 0, "");
	fixture_reopen(&f);
	assert_false(store_lease_keep(f.store, id));
}

static void test_leases_begin_anew_when_the_store_is_opened(void **state)
{
	(void)state;
	auto_fixture struct fixture f;

	fixture_make(&f);
	fixture_open(&f);
	int64_t id = grant(&f, 40 * SECOND);
	submit_one(&f, op_put_leased("/a", "1", id));
	loop_settle(f.loop);
	loop_pass(f.loop, 35 * SECOND);
	fixture_close(&f);
	fake_now += 3600 * SECOND;
	fixture_open(&f);
	str_clear(&f.told);
	loop_pass(f.loop, 39 * SECOND);
	assert_told(&f, "");
	loop_pass(f.loop, 2 * SECOND);
	assert_told(&f, "2 /a\n");
	assert_false(store_lease_keep(f.store, id));
}

static void test_leases_begin_anew_after_the_store_stood_still(void **state)
{
	(void)state;
	auto_fixture struct fixture f;

	fixture_make(&f);
	fixture_open(&f);
	int64_t id = grant(&f, 40 * SECOND);
	submit_one(&f, op_put_leased("/a", "1", id));
	loop_settle(f.loop);
	str_clear(&f.told);
	loop_pass(f.loop, 30 * SECOND);
	loop_stand_still(f.loop, 3600 * SECOND);
	assert_told(&f, "");
	loop_pass(f.loop, 39 * SECOND);
	assert_true(store_lease_keep(f.store, id));
	loop_pass(f.loop, 41 * SECOND);
	assert_told(&f, "2 /a\n");
}

static void lease_failed(err *error, int64_t id, void *user)
{
	assert_int_equal(id, 0);
	err_format(error, user);
}

static void test_a_lease_needs_a_time(void **state)
{
	(void)state;
	auto_fixture struct fixture f;
	auto_str struct str text = STR_INIT(256);

	fixture_make(&f);
	fixture_open(&f);
	store_lease_grant(f.store, 0, lease_failed, &text);
	loop_settle(f.loop);
	assert_string_equal(text.data, "lease of 0 ns");
	assert_false(store_lease_keep(f.store, 17));
	store_lease_revoke(f.store, 17);
}

/* ---- any history ---- */

enum { KEYS = 12, STEPS = 3000, MOST = 5 };
struct model {
	struct {
		uint64_t created, modified; /* 0: it is not there */
		char value[16];
	} keys[KEYS];
	uint64_t revision;
	struct str events; /* as fixture_event() writes them, with the answers */
	uint64_t seed;
};

static uint64_t chance(struct model *m, uint64_t below)
{
	m->seed = m->seed * 6364136223846793005u + 1442695040888963407u;
	return (m->seed >> 33) % below;
}

struct step {
	struct store_op ops[MOST];
	int keys[MOST];
	char names[MOST][8], values[MOST][16];
	size_t count;
};

static uint64_t expect_something(struct model *m, int key)
{
	switch (chance(m, 8)) {
	case 0:
		return STORE_ABSENT;
	case 1:
		return m->revision ? 1 + chance(m, m->revision) : STORE_ANY;
	case 2:
	case 3:
		return STORE_ANY;
	default:
		return m->keys[key].modified;
	}
}

static void make_step(struct model *m, struct step *step, unsigned number)
{
	bool used[KEYS] = { false };

	*step = (struct step){ .count = 1 + chance(m, MOST) };
	for (size_t i = 0; i < step->count; i++) {
		int key = (int)chance(m, KEYS);
		while (used[key])
			key = (key + 1) % KEYS;
		used[key] = true;
		step->keys[i] = key;
		snprintf(step->names[i], sizeof(step->names[i]), "/k%02d", key);
		snprintf(step->values[i], sizeof(step->values[i]), "%u.%zu", number, i);
		step->ops[i] = op_put(step->names[i], expect_something(m, key), step->values[i]);
		step->ops[i].kind = (enum store_op_kind)chance(m, 3);
	}
}

/* The same in memory: what must be told. */
static void play_step(struct model *m, const struct step *step)
{
	for (size_t i = 0; i < step->count; i++) {
		uint64_t is = m->keys[step->keys[i]].modified, expected = step->ops[i].expected;
		if (expected == STORE_ANY || expected == is)
			continue;
		str_addf(&m->events, "failed %zu\n", i);
		return;
	}
	for (size_t i = 0; i < step->count; i++) {
		__typeof__(m->keys[0]) *k = &m->keys[step->keys[i]];
		if (step->ops[i].kind == STORE_PUT) {
			m->revision++;
			k->created = k->modified ? k->created : m->revision;
			k->modified = m->revision;
			memcpy(k->value, step->values[i], sizeof(k->value));
			str_addf(&m->events, "%llu %s=%s\n", (unsigned long long)m->revision, step->names[i],
				 k->value);
		} else if (step->ops[i].kind == STORE_DELETE && k->modified) {
			k->modified = 0;
			m->revision++;
			str_addf(&m->events, "%llu %s\n", (unsigned long long)m->revision, step->names[i]);
		}
	}
	str_addf(&m->events, "done %llu\n", (unsigned long long)m->revision);
}

static void short_done(const struct store_result *r, void *user)
{
	if (r->error)
		str_addf(&((struct fixture *)user)->told, "failed %zu\n", r->failed);
	else
		fixture_done(r, user);
}

static void compare_all(struct fixture *f, const struct model *m)
{
	for (int key = 0; key < KEYS; key++) {
		char name[8], text[64] = "nothing";
		snprintf(name, sizeof(name), "/k%02d", key);
		if (m->keys[key].modified)
			snprintf(text, sizeof(text), "%s=%s %llu %llu", name, m->keys[key].value,
				 (unsigned long long)m->keys[key].created,
				 (unsigned long long)m->keys[key].modified);
		assert_entry(f, name, text);
	}
	assert_int_equal(store_revision(f->store), m->revision);
}

static void test_any_history_of_transactions_is_as_if_one_came_after_the_other(void **state)
{
	(void)state;
	for (uint64_t seed = 1; seed <= 3; seed++) {
		auto_fixture struct fixture f;
		struct model m = { .seed = seed, .events = STR_INIT(16 << 20) };

		fixture_make(&f);
		fixture_open(&f);
		for (unsigned i = 0; i < STEPS; i++) {
			struct step step;
			make_step(&m, &step, i);
			store_submit(f.store, step.ops, step.count, short_done, &f);
			play_step(&m, &step);
			if (chance(&m, 10) == 0) {
				loop_settle(f.loop);
				compare_all(&f, &m);
			}
			if (chance(&m, 500) == 0)
				fixture_reopen(&f);
		}
		assert_told(&f, m.events.data);
		compare_all(&f, &m);
		str_done(&m.events);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_was_put_is_there_with_the_revisions_of_its_first_and_last_change),
		cmocka_unit_test(test_nothing_is_told_before_it_is_safe),
		cmocka_unit_test(test_lists_go_by_prefix_in_order_in_pages),
		cmocka_unit_test(test_a_list_ends_with_the_readers_error),
		cmocka_unit_test(test_each_operation_compares_first),
		cmocka_unit_test(test_a_transaction_is_all_or_nothing_with_a_revision_for_each_change),
		cmocka_unit_test(test_what_is_out_of_bounds_is_refused_in_its_turn),
		cmocka_unit_test(test_an_answer_may_submit_the_next),
		cmocka_unit_test(test_what_is_submitted_when_the_loop_is_about_to_sleep_is_committed),
		cmocka_unit_test(test_closing_commits_what_was_submitted_and_refuses_what_comes_then),
		cmocka_unit_test(test_history_goes_on_after_any_revision),
		cmocka_unit_test(test_history_is_read_in_pages_in_both_directions),
		cmocka_unit_test(test_history_is_kept_by_count_and_by_bytes_and_says_when_it_is_gone),
		cmocka_unit_test(test_a_key_goes_when_nobody_keeps_its_lease),
		cmocka_unit_test(test_a_lease_is_revoked_with_its_keys),
		cmocka_unit_test(test_a_lease_may_have_more_keys_than_a_transaction),
		cmocka_unit_test(test_leases_begin_anew_when_the_store_is_opened),
		cmocka_unit_test(test_leases_begin_anew_after_the_store_stood_still),
		cmocka_unit_test(test_a_lease_needs_a_time),
		cmocka_unit_test(test_any_history_of_transactions_is_as_if_one_came_after_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
