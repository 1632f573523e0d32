/* tests/unit/runtime/features_test.c: the features document promises what the tables know. */
#include "tests/unit/unit.h"

#include "oci/config.h"
#include "oci/features.h"
#include "runtime/features.h"

static struct arena *arena;
static const struct oci_features *features;

static int setup(void **state)
{
	(void)state;
	auto_str struct str out = STR_INIT(1 << 20);

	assert_ok(arena_new(1 << 20, &arena));
	assert_ok(features_write(&out));
	assert_int_equal(out.data[out.len - 1], '\n');
	assert_ok(oci_features_decode(arena, "features", out.data, out.len, &features));
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static bool has(const struct strings *list, const char *word)
{
	for (size_t i = 0; i < list->count; i++)
		if (strcmp(list->items[i], word) == 0)
			return true;
	return false;
}

static void has_all(const struct strings *list, const char *const *words)
{
	for (; *words; words++)
		if (!has(list, *words))
			fail_msg("'%s' is missing", *words);
}

static void test_the_versions_are_those_that_config_json_may_have(void **state)
{
	(void)state;
	const char *versions[] = { features->version_min, features->version_max };

	assert_string_equal(versions[0], "1.0.0");
	assert_string_equal(versions[1], "1.3.0");
	for (size_t i = 0; i < 2; i++) {
		auto_str struct str text = STR_INIT(1000);
		const struct oci_config *c;

		str_addf(&text, "{\"ociVersion\":\"%s\",\"root\":{\"path\":\"r\"}}", versions[i]);
		assert_ok(oci_config_decode(arena, "c", text.data, text.len, NULL, &c));
	}
}

static void test_hooks_and_mount_options_are_complete(void **state)
{
	(void)state;
	/* Every word of features.md, "Mount Options", but for acl and noacl, which no kernel since 2.6 takes
	 * as a flag of its own: file systems get them as data. */
	static const char *const words[] = {
		"async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "iversion", "lazytime", "loud",
		"mand", "noatime", "noiversion",
		"nodev", "nodiratime", "noexec", "nolazytime", "nomand", "norelatime", "nostrictatime", "nosuid",
		"nosymfollow", "private", "ratime", "rbind", "rdev", "rdiratime", "relatime", "remount", "rexec",
		"rnoatime", "rnodev", "rnodiratime", "rnoexec", "rnorelatime", "rnostrictatime", "rnosuid", "rnosymfollow",
		"ro", "rprivate", "rrelatime", "rro", "rrw", "rshared", "rslave", "rstrictatime", "rsuid", "rsymfollow",
		"runbindable", "rw", "shared", "silent", "slave", "strictatime", "suid", "symfollow", "sync", "tmpcopyup",
		"unbindable", "idmap", "ridmap", NULL,
	};
	static const char *const hooks[] = { "prestart", "createRuntime", "createContainer", "startContainer", "poststart",
					     "poststop", NULL };

	assert_int_equal(features->hooks.count, 6);
	has_all(&features->hooks, hooks);
	has_all(&features->mount_options, words);
	for (size_t i = 1; i < features->mount_options.count; i++)
		assert_true(strcmp(features->mount_options.items[i - 1], features->mount_options.items[i]) < 0);
}

static void test_namespaces_capabilities_and_cgroup(void **state)
{
	(void)state;
	const struct oci_features_linux *l = &features->linux;

	assert_int_equal(l->namespaces.count, 8);
	assert_true(has(&l->namespaces, "time"));
	assert_int_equal(l->capabilities.count, 41);
	assert_false(l->cgroup.v1);
	assert_true(l->cgroup.v2 && l->cgroup.systemd && l->cgroup.systemd_user);
	assert_true(l->mount_extensions.idmap.enabled);
}

static void test_seccomp_flags_are_those_of_this_kernel(void **state)
{
	(void)state;
	const struct oci_features_seccomp *s = &features->linux.seccomp;

	assert_true(s->enabled);
	assert_int_equal(s->actions.count, 9);
	assert_int_equal(s->operators.count, 7);
	assert_true(has(&s->archs, "SCMP_ARCH_X86_64") && has(&s->archs, "SCMP_ARCH_RISCV64"));
	assert_int_equal(s->known_flags.count, 4);
	assert_true(s->supported_flags.count >= 1 && s->supported_flags.count <= s->known_flags.count);
	for (size_t i = 0; i < s->supported_flags.count; i++)
		assert_true(has(&s->known_flags, s->supported_flags.items[i]));
	/* Any kernel that this project runs on (5.10 and later) has these. */
	assert_true(has(&s->supported_flags, "SECCOMP_FILTER_FLAG_LOG"));
	assert_true(has(&s->supported_flags, "SECCOMP_FILTER_FLAG_TSYNC"));
}

static void test_annotations_that_change_the_runtime_are_named(void **state)
{
	(void)state;
	assert_true(has(&features->unsafe_annotations, "run.oci.keep_original_groups"));
	assert_non_null(string_map_get(&features->annotations, "stube.version"));
	assert_string_equal(string_map_get(&features->annotations,
					   "org.opencontainers.runc.checkpoint.enabled"),
			    "true");
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
	static const struct CMUnitTest tests[] = {
		TEST(test_the_versions_are_those_that_config_json_may_have),
		TEST(test_hooks_and_mount_options_are_complete),
		TEST(test_namespaces_capabilities_and_cgroup),
		TEST(test_seccomp_flags_are_those_of_this_kernel),
		TEST(test_annotations_that_change_the_runtime_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
