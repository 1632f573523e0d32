/* tests/unit/agent/volumes_test.c: folders of claims and emptyDir volumes. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/volumes.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"

static char world[] = "/tmp/stube-volumes.XXXXXX";
static int world_fd = -1;

static int setup(void **state)
{
	(void)state;
	snprintf(world, sizeof(world), "/tmp/stube-volumes.XXXXXX");
	if (!mkdtemp(world))
		return -1;
	world_fd = open(world, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return world_fd < 0 ? -1 : 0;
}

static int teardown(void **state)
{
	(void)state;
	fd_clear(&world_fd);
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(path_remove_all(tmp, world + strlen("/tmp/")));
	return 0;
}

static void test_a_claim_is_made_once_for_its_first_user(void **state)
{
	(void)state;
	auto_str struct str path = STR_INIT(4096);
	struct stat st;
	uid_t own = geteuid();

	assert_ok(volumes_claim_path(world, "amt", "uid-1", &path));
	assert_true(str_ends_with(path.data, "/agent/volumes/amt/uid-1"));
	assert_ok(volumes_claim_make(path.data, own, getegid()));
	assert_int_equal(stat(path.data, &st), 0);
	assert_int_equal(st.st_uid, own);
	assert_int_equal(st.st_mode & 07777, 02770);
	auto_close int fd = open(path.data, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(file_replace_volatile(fd, "antrag", "1", 1, 0600));
	/* A second Pod, of another user: nothing changes. */
	assert_ok(volumes_claim_make(path.data, 4711, 4711));
	assert_int_equal(stat(path.data, &st), 0);
	assert_int_equal(st.st_uid, own);
	assert_int_equal(faccessat(fd, "antrag", F_OK, 0), 0);
	/* The folders above are nobody else's. */
	char above[256];
	snprintf(above, sizeof(above), "%s/agent/volumes/amt", world);
	assert_int_equal(stat(above, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);
}

static void test_a_claims_data_goes_and_may_be_gone(void **state)
{
	(void)state;
	auto_str struct str path = STR_INIT(4096);

	assert_ok(volumes_claim_path(world, "amt", "uid-1", &path));
	assert_ok(volumes_claim_remove(path.data));
	assert_ok(volumes_claim_make(path.data, geteuid(), getegid()));
	assert_ok(volumes_claim_remove(path.data));
	assert_int_equal(access(path.data, F_OK), -1);
	assert_ok(volumes_claim_remove(path.data));
}

static void test_names_that_lead_elsewhere_are_refused(void **state)
{
	(void)state;
	static const struct {
		const char *namespace, *uid, *error;
	} rows[] = {
		{ "..", "u", "claim 'u' in '..' has no proper name" },
		{ "amt", "../x", "claim '../x' in 'amt' has no proper name" },
		{ "amt", "", "claim '' in 'amt' has no proper name" },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str path = STR_INIT(4096);
		assert_err(volumes_claim_path(world, rows[i].namespace, rows[i].uid, &path), rows[i].error);
	}
}

static void test_volumes_on_disk_are_made_and_those_in_memory_are_not(void **state)
{
	(void)state;
	struct pod_empty_dir disk = { .medium = POD_MEDIUM_DISK }, memory = { .medium = POD_MEDIUM_MEMORY };
	struct pod_volume list[] = { { .name = "disk", .empty_dir = &disk }, { .name = "memory", .empty_dir = &memory } };
	struct pod_spec spec = { .volumes = { list, ARRAY_LEN(list) } };
	struct stat st;

	for (int i = 0; i < 2; i++) {
		assert_ok(volumes_make(world_fd, &spec));
		assert_int_equal(fstatat(world_fd, "volumes/disk", &st, 0), 0);
		assert_int_equal(st.st_mode & 07777, 01777);
		assert_int_equal(faccessat(world_fd, "volumes/memory", F_OK, 0), -1);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_a_claim_is_made_once_for_its_first_user, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_claims_data_goes_and_may_be_gone, setup, teardown),
		cmocka_unit_test_setup_teardown(test_names_that_lead_elsewhere_are_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(test_volumes_on_disk_are_made_and_those_in_memory_are_not, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
