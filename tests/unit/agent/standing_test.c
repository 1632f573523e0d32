/* tests/unit/agent/standing_test.c: which Pod goes first when memory runs out, and how many files it may open. */
#include "agent/standing.h"

#include "api/kinds.h"
#include "tests/unit/unit.h"

#define GI (UINT64_C(1) << 30)

static const struct pod *make(struct arena *arena, const char *resources)
{
	struct object *object = NULL;
	const char *text = arena_printf(arena,
					"{\"apiVersion\":\"v1\",\"kind\":\"Pod\",\"metadata\":{\"name\":\"p\"},\"spec\":{"
					"\"containers\":[{\"name\":\"c\",\"image\":\"i:1\",\"resources\":{%s}}]}}",
					resources);

	assert_ok(object_decode(arena, "test", text, strlen(text), NULL, 0, &object));
	return (const struct pod *)(void *)object;
}

static void test_the_score_follows_the_class_and_the_share_of_memory(void **state)
{
	(void)state;
	static const struct {
		const char *name, *resources;
		int32_t least, score;
	} rows[] = {
		{ "asks for nothing", "", -1000, 1000 },
		{ "guaranteed", "\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}", -1000, -997 },
		{ "guaranteed, without the right to protect", "\"limits\":{\"cpu\":\"1\",\"memory\":\"1Gi\"}", 0, 0 },
		{ "a quarter of the machine", "\"requests\":{\"memory\":\"2Gi\"}", -1000, 750 },
		{ "a limit counts where nothing is requested", "\"limits\":{\"memory\":\"2Gi\"}", -1000, 750 },
		{ "all of the machine", "\"requests\":{\"memory\":\"8Gi\"}", -1000, 2 },
		{ "more than the machine", "\"requests\":{\"memory\":\"80Gi\"}", -1000, 2 },
		{ "next to nothing", "\"requests\":{\"memory\":\"1\"}", -1000, 999 },
		{ "only a processor", "\"requests\":{\"cpu\":\"1\"}", -1000, 999 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena *arena = NULL;
		const struct standing_limits limits = { 8 * GI, rows[i].least, 1 << 20 };
		struct standing s;

		assert_ok(arena_new(1 << 20, &arena));
		standing_of(make(arena, rows[i].resources), 0, &limits, &s);
		if (s.oom_score != rows[i].score)
			fail_msg("%s: %d", rows[i].name, s.oom_score);
	}
}

static void test_what_holds_the_namespaces_goes_last(void **state)
{
	(void)state;
	auto_arena struct arena *arena = NULL;
	const struct standing_limits limits = { 8 * GI, -1000, 1 << 20 };
	struct standing s;

	assert_ok(arena_new(1 << 20, &arena));
	standing_of(make(arena, ""), STANDING_SANDBOX, &limits, &s);
	assert_int_equal(s.oom_score, -998);
}

static void test_files_are_bounded_by_what_may_be_given(void **state)
{
	(void)state;
	static const struct {
		uint64_t most, soft, hard;
	} rows[] = { { 1 << 20, 1024, 524288 }, { 4096, 1024, 4096 }, { 512, 512, 512 } };

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_arena struct arena *arena = NULL;
		const struct standing_limits limits = { 8 * GI, 0, rows[i].most };
		struct standing s;

		assert_ok(arena_new(1 << 20, &arena));
		standing_of(make(arena, ""), 0, &limits, &s);
		assert_int_equal(s.files_soft, rows[i].soft);
		assert_int_equal(s.files_hard, rows[i].hard);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_score_follows_the_class_and_the_share_of_memory),
		cmocka_unit_test(test_what_holds_the_namespaces_goes_last),
		cmocka_unit_test(test_files_are_bounded_by_what_may_be_given),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
