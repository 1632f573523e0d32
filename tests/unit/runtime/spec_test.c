/* tests/unit/runtime/spec_test.c: the configuration that a new bundle begins with. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <linux/sched.h>
#include <unistd.h>

#include "base/file.h"
#include "oci/config.h"
#include "runtime/spec.h"

#define GOLDEN "tests/data/runtime/spec.json"

static void test_the_default_bundle_has_these_bytes(void **state)
{
	(void)state;
	auto_str struct str out = STR_INIT(1 << 16), golden = STR_INIT(1 << 16);

	assert_ok(spec_write(false, &out));
	assert_ok(file_read(AT_FDCWD, GOLDEN, &golden));
	assert_string_equal(out.data, golden.data);
}

static void test_it_can_be_started_as_it_is(void **state)
{
	(void)state;
	auto_arena struct arena *arena = NULL;
	auto_strv struct strv warnings = STRV_INIT(10);

	assert_ok(arena_new(1 << 20, &arena));
	for (int rootless = 0; rootless < 2; rootless++) {
		auto_str struct str out = STR_INIT(1 << 16);
		const struct oci_config *c;

		assert_ok(spec_write(rootless, &out));
		assert_ok(oci_config_decode(arena, "config.json", out.data, out.len, &warnings, &c));
		assert_ok(oci_config_check_start(c));
		assert_int_equal(warnings.count, 0);
		assert_true(c->process->no_new_privileges);
		assert_int_equal(c->process->capabilities->ambient.count, 0);
		assert_int_equal(c->process->capabilities->inheritable.count, 0);
	}
}

static void test_rootless_maps_only_the_caller_and_keeps_the_hosts_network(void **state)
{
	(void)state;
	auto_arena struct arena *arena = NULL;
	auto_str struct str out = STR_INIT(1 << 16);
	const struct oci_config *c;

	assert_ok(arena_new(1 << 20, &arena));
	assert_ok(spec_write(true, &out));
	assert_ok(oci_config_decode(arena, "config.json", out.data, out.len, NULL, &c));
	assert_non_null(oci_namespace_find(c, CLONE_NEWUSER));
	assert_null(oci_namespace_find(c, CLONE_NEWNET));
	assert_int_equal(c->linux.uid_mappings.count, 1);
	assert_int_equal(c->linux.uid_mappings.items[0].host_id, geteuid());
	assert_int_equal(c->linux.gid_mappings.items[0].host_id, getegid());
	assert_int_equal(c->linux.gid_mappings.items[0].size, 1);
	assert_int_equal(c->linux.resources.devices.count, 0);
	assert_null(strstr(out.data, "gid=5"));
	assert_non_null(strstr(out.data, "\"rbind\""));
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_default_bundle_has_these_bytes),
		cmocka_unit_test(test_it_can_be_started_as_it_is),
		cmocka_unit_test(test_rootless_maps_only_the_caller_and_keeps_the_hosts_network),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
