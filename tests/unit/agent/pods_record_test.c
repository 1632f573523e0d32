/* tests/unit/agent/pods_record_test.c: what a node keeps of its Pods, read by this release and its
 * successors. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <unistd.h>

#include "agent/pods-internal.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"

#define UID "0b9b8f0c-6d5e-4a3f-9d5d-0f6a4d7c2e11"

static struct arena *arena;
static struct str text;

static int setup(void **state)
{
	(void)state;
	str_init(&text, 1 << 20);
	return arena_new(4 << 20, &arena) || file_read(AT_FDCWD, "tests/compat/pod-1/pod.json", &text);
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	str_done(&text);
	return 0;
}

static void test_the_record_of_version_1_is_read(void **state)
{
	(void)state;
	struct pods_record r;

	assert_ok(pods_record_parse(arena, text.data, text.len, &r));
	assert_int_equal(r.version, 1);
	assert_string_equal(r.pod.metadata.uid, UID);
	assert_string_equal(pod_on_node_loss(&r.pod), "keep");
	assert_int_equal(r.taken, 1795480264249565544);
	assert_string_equal(r.boot_id, "9f1f4f5e-0d5b-4b0a-8f62-2f8e5d8f6b1c");
	assert_int_equal(r.sandbox, 1);
	assert_int_equal(r.ids.first, 1073741824);
	assert_int_equal(r.ids.size, 65536);
	assert_int_equal(r.containers.count, 1);
	assert_int_equal(r.containers.items[0].attempt, 3);
	assert_int_equal(r.containers.items[0].crashes, 2);
	assert_int_equal(r.containers.items[0].interrupted, 0);
	assert_true(str_starts_with(r.containers.items[0].image, "sha256:1656ae9a"));
	assert_int_equal(r.claims.count, 1);
	assert_string_equal(r.claims.items[0].claim, "daten");
	assert_string_equal(r.claims.items[0].uid, "5f0c2a1e-3b7d-4c7e-9a57-0f6a4d7c2e11");
}

static void test_a_record_that_is_written_again_has_the_same_bytes(void **state)
{
	(void)state;
	auto_str struct str again = STR_INIT(1 << 20);
	struct pods_record r;

	assert_ok(pods_record_parse(arena, text.data, text.len, &r));
	pods_record_encode(&again, &r);
	assert_string_equal(again.data, text.data);
}

static void test_a_newer_or_damaged_record_is_refused_by_name(void **state)
{
	(void)state;
	static const struct {
		const char *from, *to, *error;
	} rows[] = {
		{ "\"version\":1", "\"version\":2",
		  "pod.json:1:12: version: 2 is not a whole number from 1 to 1" },
		{ "\"containers\":[{\"attempt\"", "\"containers\":[{},{\"attempt\"",
		  "pod.json:1:163: containers: has 2 entries for 1 containers of the Pod" },
		{ "\"taken\":1795480264249565544,", "", "pod.json:1:1: taken: required but missing" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str wrong = STR_INIT(1 << 20);
		struct pods_record r;
		const char *at = strstr(text.data, rows[i].from);
		assert_non_null(at);
		str_add_bytes(&wrong, text.data, (size_t)(at - text.data));
		str_add(&wrong, rows[i].to);
		str_add(&wrong, at + strlen(rows[i].from));
		assert_err(pods_record_parse(arena, wrong.data, wrong.len, &r), rows[i].error);
	}
}

static void test_local_names_differ_for_each_attempt_and_fit(void **state)
{
	(void)state;
	char name[64];

	assert_string_equal(pods_local_name(UID, PODS_SANDBOX, 1, name), UID "-s-1");
	assert_string_equal(pods_local_name(UID, 0, 12, name), UID "-0-12");
	assert_string_equal(pods_local_name(UID, 63, UINT32_MAX, name), UID "-63-4294967295");
	assert_true(pod_is_label(name));
}

static void test_the_end_of_a_lease_is_known_after_a_restart_and_after_a_reboot(void **state)
{
	(void)state;
	char path[] = "/tmp/stube-lease.XXXXXX";
	int64_t end = clock_boot() + 100 * (int64_t)NSEC_PER_SEC, got;

	assert_non_null(mkdtemp(path));
	auto_close int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(pods_lease_read(dir, "boot-1", &got));
	assert_int_equal(got, 0);
	assert_ok(pods_lease_write(dir, "boot-1", end));
	assert_ok(pods_lease_read(dir, "boot-1", &got));
	assert_int_equal(got, end);
	/* By the wall clock: within a second here. */
	assert_ok(pods_lease_read(dir, "boot-2", &got));
	assert_in_range(got, end - (int64_t)NSEC_PER_SEC, end + (int64_t)NSEC_PER_SEC);
	assert_int_equal(unlinkat(dir, "lease.json", 0), 0);
	assert_int_equal(rmdir(path), 0);
	/* The fixture's end is past, and not "never". */
	auto_close int compat = open("tests/compat/pod-1", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(pods_lease_read(compat, "another", &got));
	assert_true(got >= 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_record_of_version_1_is_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_record_that_is_written_again_has_the_same_bytes, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_newer_or_damaged_record_is_refused_by_name, setup,
						teardown),
		cmocka_unit_test(test_local_names_differ_for_each_attempt_and_fit),
		cmocka_unit_test(test_the_end_of_a_lease_is_known_after_a_restart_and_after_a_reboot),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
