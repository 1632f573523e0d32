/* tests/unit/runtime/hotplug_test.c: the record of mounts that were added to a container that runs. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "runtime/hotplug.h"

#define PLACE "hotplug-test"

static struct container container = CONTAINER_INIT;

static int setup(void **state)
{
	char path[] = "/tmp/stube-" PLACE "-XXXXXX";

	(void)state;
	container = (struct container)CONTAINER_INIT;
	assert_ok(arena_new(1 << 20, &container.arena));
	assert_non_null(mkdtemp(path));
	container.dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_int_equal(rmdir(path), 0); /* nothing is left behind; files cannot be made any more */
	return container.dir_fd < 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(container.arena);
	fd_clear(&container.dir_fd);
	return 0;
}

static struct hotplug_mount three[] = { { "/a", 11 }, { "/b", 12 }, { "/a", 13 } };
static const struct hotplug_record record = { 1, { three, 3 } };

static void test_the_last_one_at_a_destination_is_found_first(void **state)
{
	const uint64_t taken[] = { 13 }, both[] = { 11, 13 };

	(void)state;
	assert_int_equal(hotplug_find(&record, "/a", NULL, 0)->id, 13);
	assert_int_equal(hotplug_find(&record, "/a", taken, 1)->id, 11);
	assert_null(hotplug_find(&record, "/a", both, 2));
	assert_int_equal(hotplug_find(&record, "/b", taken, 1)->id, 12);
	assert_null(hotplug_find(&record, "/c", NULL, 0));
}

/* A directory that stays for this test. */
static void open_place(char *path)
{
	fd_clear(&container.dir_fd);
	assert_non_null(mkdtemp(path));
	container.dir_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(container.dir_fd >= 0);
}

static void test_what_was_saved_is_loaded_and_what_has_gone_is_left_out(void **state)
{
	char path[] = "/tmp/stube-" PLACE "-XXXXXX";
	struct hotplug_mount items[] = { { "/a", 11 }, { "/b", 0 }, { "/a", 13 } };
	struct hotplug_record gone = { 1, { items, 3 } }, read = { 0 };

	(void)state;
	open_place(path);
	assert_ok(hotplug_load(&container, &read));
	assert_int_equal(read.mounts.count, 0);
	assert_ok(hotplug_save(&container, &gone));
	assert_ok(hotplug_load(&container, &read));
	assert_int_equal(read.mounts.count, 2);
	assert_string_equal(read.mounts.items[1].destination, "/a");
	assert_int_equal(read.mounts.items[1].id, 13);
	/* The last one gone: an empty record reads back as well. */
	gone.mounts.count = 0;
	assert_ok(hotplug_save(&container, &gone));
	assert_ok(hotplug_load(&container, &read));
	assert_int_equal(read.mounts.count, 0);
	assert_ok(file_replace(container.dir_fd, "mounts.json", "{\"version\":2,\"mounts\":[]}", 25, 0600));
	assert_err_code(hotplug_load(&container, &read), EINVAL);
	assert_int_equal(unlinkat(container.dir_fd, "mounts.json", 0), 0);
	assert_int_equal(rmdir(path), 0);
}

static void test_a_record_that_cannot_be_written_is_an_error(void **state)
{
	(void)state;
	assert_err_code(hotplug_save(&container, &record), ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_the_last_one_at_a_destination_is_found_first, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_what_was_saved_is_loaded_and_what_has_gone_is_left_out,
						setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_record_that_cannot_be_written_is_an_error, setup,
						teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
