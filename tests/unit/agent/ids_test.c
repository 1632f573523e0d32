/* tests/unit/agent/ids_test.c: which ranges of ids are free; what /etc/subuid says. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/ids.h"
#include "base/fd.h"
#include "base/path.h"

static char path[64];
static int dir_fd = -1;
static const char *gone; /* a container that no longer exists */

static int setup(void **state)
{
	(void)state;
	snprintf(path, sizeof(path), "/tmp/stube-ids.XXXXXX");
	assert_non_null(mkdtemp(path));
	dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	gone = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	fd_clear(&dir_fd);
	assert_ok(path_remove_all(tmp, path + strlen("/tmp/")));
	return 0;
}

static bool in_use(const char *name, void *arg)
{
	(void)arg;
	return !str_equal(name, gone);
}

static uint32_t take(const char *name)
{
	struct id_range r;

	assert_ok(ids_take(dir_fd, name, in_use, NULL, &r));
	assert_int_equal(r.size, 65536);
	return r.first;
}

static void test_ranges_are_given_from_below_and_never_twice(void **state)
{
	(void)state;
	uint32_t a = take("a"), b = take("b"), c = take("c");

	assert_int_equal(b, a + 65536);
	assert_int_equal(c, b + 65536);
	assert_int_equal(take("b"), b); /* its own again */
	assert_ok(ids_give(dir_fd, "b", (struct id_range){ b, 65536 }));
	assert_ok(ids_give(dir_fd, "b", (struct id_range){ b, 65536 }));
	assert_int_equal(take("d"), b);
	assert_int_equal(take("c"), c);
}

static void test_a_range_given_back_twice_stays_with_its_next_owner(void **state)
{
	(void)state;
	uint32_t a = take("a");

	assert_ok(ids_give(dir_fd, "a", (struct id_range){ a, 65536 }));
	assert_int_equal(take("b"), a);
	assert_ok(ids_give(dir_fd, "a", (struct id_range){ a, 65536 }));
	assert_int_not_equal(take("c"), a);
}

static void test_a_range_of_a_container_that_is_gone_is_free(void **state)
{
	(void)state;
	uint32_t a = take("a"), b = take("b");

	gone = "a";
	assert_int_equal(take("new"), a);
	assert_int_equal(take("b"), b);
}

static void test_the_half_made_record_of_a_killed_process_goes(void **state)
{
	(void)state;
	uint32_t a = take("a");

	assert_int_equal(close(openat(dir_fd, "ids/.1073741824.c50721c4c278a887", O_WRONLY | O_CREAT, 0600)), 0);
	assert_int_not_equal(take("b"), a);
	assert_int_equal(faccessat(dir_fd, "ids/.1073741824.c50721c4c278a887", F_OK, 0), -1);
	assert_int_equal(take("a"), a);
}

static void test_subordinate_ids_are_read_as_subuid_5_says(void **state)
{
	(void)state;
	static const struct { const char *text, *user; uint32_t first, size; } rows[] = {
		{ "stube:100000:65536\n", "stube", 100000, 65536 },
		{ "a:1:65536\nstube:200000:131072", "stube", 200000, 131072 },
		{ "stube:5:100\nstube:300000:65536\n", "stube", 300000, 65536 },
		{ "stube:5:100\n", "stube", 0, 0 },
		{ "stubenhocker:100000:65536\n", "stube", 0, 0 },
		{ "stube:0:65536\n", "stube", 0, 0 },
		{ "stube:4294900000:65536\n", "stube", 4294900000u, 65536 },
		{ "stube:4294960000:65536\n", "stube", 0, 0 },
		{ "stube:x:65536\n", "stube", 0, 0 },
		{ "", "stube", 0, 0 },
		{ "\n\n:", "stube", 0, 0 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct id_range r = { 0, 0 };
		assert_int_equal(ids_parse_subid(rows[i].text, rows[i].user, &r), rows[i].size > 0);
		assert_int_equal(r.first, rows[i].first);
		assert_int_equal(r.size, rows[i].size);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_ranges_are_given_from_below_and_never_twice, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_range_given_back_twice_stays_with_its_next_owner, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_range_of_a_container_that_is_gone_is_free, setup, teardown),
		cmocka_unit_test_setup_teardown(test_the_half_made_record_of_a_killed_process_goes, setup, teardown),
		cmocka_unit_test(test_subordinate_ids_are_read_as_subuid_5_says),
	};

	return cmocka_run_group_tests_name("agent/ids", tests, NULL, NULL);
}
