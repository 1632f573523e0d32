/* tests/unit/scheduler/cache_test.c: what the cache knows after each event, its indexes, and its subscribers. */
#include "tests/unit/scheduler/objects-fixture.h"

static struct world w;
static struct str told;

static int setup(void **state)
{
	(void)state;
	world_make(&w);
	str_init(&told, 1 << 16);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	world_done_with(&w);
	str_done(&told);
	return 0;
}

static bool add_name(const struct entry *e, void *user)
{
	str_addf(user, "%s ", e->object->metadata.name);
	return true;
}

static void on_change(const struct entry *before, const struct entry *after, uint64_t revision, void *user)
{
	const struct entry *e = after ? after : before;

	assert_int_equal(revision, after ? after->revision : revision);
	str_addf(user, "%s%s:%s ", before ? after ? "=" : "-" : "+", e->kind->singular, e->object->metadata.name);
}

#define EXPECT(text, call)                                                                             \
	do {                                                                                           \
		str_clear(&told);                                                                      \
		call;                                                                                  \
		assert_string_equal(told.data, text);                                                  \
	} while (0)

static void test_pods_are_found_by_node_owner_claim_and_uid(void **state)
{
	(void)state;
	static const char owned[] = "{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"owned\",\"ownerReferences\":[{"
				    "\"apiVersion\":\"apps/v1\",\"kind\":\"ReplicaSet\",\"name\":\"r\",\"uid\":\"u-1\",\"controller\":true}]},"
				    "\"spec\":{\"containers\":[{\"name\":\"c\",\"image\":\"i\"}]}}";
	assert_int_equal(world_create(&w, NODE("n1")), 0);
	assert_int_equal(world_create(&w, CLAIM("data")), 0);
	assert_int_equal(world_create(&w, POD("b", WITH_CLAIM("data"))), 0);
	assert_int_equal(world_create(&w, POD("a", WITH_CLAIM("data"))), 0);
	assert_int_equal(world_create(&w, owned), 0);
	EXPECT("a b owned ", cache_each(w.cache, KIND_POD, "default", add_name, &told));
	EXPECT("b owned ", cache_each_from(w.cache, KIND_POD, "default", "default", "a", add_name, &told));
	EXPECT("a b ", cache_each_mounting(w.cache, "default", "data", add_name, &told));
	EXPECT("", cache_each_mounting(w.cache, "default", "dat", add_name, &told));
	EXPECT("owned ", cache_each_owned(w.cache, "u-1", add_name, &told));
	EXPECT("", cache_each_on_node(w.cache, "n1", add_name, &told));
	assert_int_equal(world_bind(&w, "a", "n1"), 0);
	EXPECT("a ", cache_each_on_node(w.cache, "n1", add_name, &told));
	EXPECT("", cache_each_on_node(w.cache, "n", add_name, &told));

	const struct entry *a = cache_get(w.cache, KIND_POD, "default", "a");
	assert_ptr_equal(cache_get_uid(w.cache, a->object->metadata.uid), a);
	world_reopen(&w);
	EXPECT("a ", cache_each_on_node(w.cache, "n1", add_name, &told));
	EXPECT("a b ", cache_each_mounting(w.cache, "default", "data", add_name, &told));
	assert_int_equal(world_delete(&w, KIND_POD, NULL, "a", &(struct delete_options){ .grace = &(int64_t){ 0 } }), 0);
	EXPECT("", cache_each_on_node(w.cache, "n1", add_name, &told));
	EXPECT("b ", cache_each_mounting(w.cache, "default", "data", add_name, &told));
	assert_true(cache_has_any(w.cache, "default"));
	assert_false(cache_has_any(w.cache, "defaul"));
}

static void test_subscribers_hear_of_each_change_before_its_answer(void **state)
{
	(void)state;
	assert_int_equal(world_create(&w, POD("first", "")), 0);
	assert_ok(cache_subscribe(w.cache, on_change, &told));
	EXPECT("+pod:a ", world_create(&w, POD("a", "")));
	EXPECT("=pod:a ", world_patch(&w, KIND_POD, NULL, "a", "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}", NULL));
	EXPECT("-pod:a ", world_delete(&w, KIND_POD, NULL, "a", NULL));
}

static void test_an_entry_that_is_held_stays_as_it_was(void **state)
{
	(void)state;
	assert_int_equal(world_create(&w, POD("a", "")), 0);
	struct entry *held = entry_ref(cache_get(w.cache, KIND_POD, "default", "a"));
	assert_int_equal(world_patch(&w, KIND_POD, NULL, "a", "{\"metadata\":{\"labels\":{\"x\":\"y\"}}}", NULL), 0);
	assert_int_equal(held->object->metadata.labels.count, 0);
	assert_int_not_equal(cache_get(w.cache, KIND_POD, "default", "a")->revision, held->revision);
	assert_int_equal(cache_get(w.cache, KIND_POD, "default", "a")->created, held->created);
	entry_unref(held);
}

static void test_a_stored_value_that_does_not_decode_is_named_by_its_key(void **state)
{
	(void)state;
	struct entry *e;

	assert_err(cache_decode("/pods/default/web", "{", 1, 1, 1, &e),
		   "stored object '/pods/default/web': /pods/default/web:1:2: premature EOF");
	assert_err_code(cache_decode("/pods/default/web", "{}", 2, 1, 1, &e), EINVAL);
	assert_err(cache_decode("/secrets/a/b", "{}", 2, 1, 1, &e),
		   "key '/secrets/a/b' is of no kind that this version knows");
	assert_null(cache_key_kind("pods/a"));
	assert_null(cache_key_kind("/pod/a/b"));
	assert_ptr_equal(cache_key_kind("/pods/a/b"), &kinds[KIND_POD]);
}

#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_pods_are_found_by_node_owner_claim_and_uid),
		T(test_subscribers_hear_of_each_change_before_its_answer),
		T(test_an_entry_that_is_held_stays_as_it_was),
		T(test_a_stored_value_that_does_not_decode_is_named_by_its_key),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
