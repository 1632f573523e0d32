/* tests/unit/runtime/mount_options_test.c: option words of mounts. */
#include "tests/unit/unit.h"

#include <linux/mount.h>

#include "runtime/mount-options.h"

static struct mount_spec parse(const char *text)
{
	struct mount_spec spec = { 0 };
	const char *words[16];
	size_t count = 0;
	static char copy[256]; /* the words are borrowed */
	char *save = NULL;

	snprintf(copy, sizeof copy, "%s", text);
	for (char *w = strtok_r(copy, ",", &save); w; w = strtok_r(NULL, ",", &save))
		words[count++] = w;
	assert_null(mount_spec_parse(words, count, &spec));
	return spec;
}

static void test_the_table_is_sorted_so_that_every_word_is_found(void **state)
{
	(void)state;
	for (size_t i = 1; mount_options[i].name; i++)
		assert_true(strcmp(mount_options[i - 1].name, mount_options[i].name) < 0);
}

static void test_every_word_of_the_specification_is_known(void **state)
{
	static const char *const words[] = {
		"async", "atime", "bind", "defaults", "dev", "diratime", "dirsync", "exec", "iversion",
		"lazytime", "loud", "mand", "noatime", "nodev", "nodiratime", "noexec", "noiversion",
		"nolazytime", "nomand", "norelatime", "nostrictatime", "nosuid", "nosymfollow", "private",
		"ratime", "rbind", "rdev", "rdiratime", "relatime", "remount", "rexec", "rnoatime", "rnodev",
		"rnodiratime", "rnoexec", "rnorelatime", "rnostrictatime", "rnosuid", "rnosymfollow", "ro",
		"rprivate", "rrelatime", "rro", "rrw", "rshared", "rslave", "rstrictatime", "rsuid",
		"rsymfollow", "runbindable", "rw", "shared", "silent", "slave", "strictatime", "suid",
		"symfollow", "sync", "tmpcopyup", "unbindable", "idmap", "ridmap", "acl", "noacl", "copy-symlink",
		"src-nofollow", "dest-nofollow",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(words); i++) {
		struct mount_spec spec = parse(words[i]);
		/* What is unknown would have become data for the file system under its own name. */
		if (spec.data.count > 0 && mount_options[0].name) {
			bool flag = false;
			for (const struct mount_option *o = mount_options; o->name; o++)
				flag = flag || (str_equal(o->name, words[i]) && o->super);
			assert_true(flag);
		}
	}
}

static void test_words_become_attributes(void **state)
{
	static const struct {
		const char *text;
		uint64_t set, clear, set_all, clear_all;
	} rows[] = {
		{ "ro", MOUNT_ATTR_RDONLY, 0, 0, 0 },
		{ "ro,rw", 0, MOUNT_ATTR_RDONLY, 0, 0 },
		{ "rw,ro", MOUNT_ATTR_RDONLY, 0, 0, 0 },
		{ "nosuid,nodev,noexec", MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV | MOUNT_ATTR_NOEXEC, 0, 0, 0 },
		{ "noatime", MOUNT_ATTR_NOATIME, MOUNT_ATTR__ATIME, 0, 0 },
		{ "noatime,strictatime", MOUNT_ATTR_STRICTATIME, MOUNT_ATTR__ATIME, 0, 0 },
		{ "noatime,relatime", 0, MOUNT_ATTR__ATIME, 0, 0 },
		{ "rro", 0, 0, MOUNT_ATTR_RDONLY, 0 },
		{ "rro,rrw", 0, 0, 0, MOUNT_ATTR_RDONLY },
		{ "ro,rrw", MOUNT_ATTR_RDONLY, 0, 0, MOUNT_ATTR_RDONLY },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct mount_spec spec = parse(rows[i].text);

		if (spec.set != rows[i].set || spec.clear != rows[i].clear ||
		    spec.set_all != rows[i].set_all || spec.clear_all != rows[i].clear_all)
			fail_msg("%s: %lx %lx %lx %lx", rows[i].text, spec.set, spec.clear, spec.set_all,
				 spec.clear_all);
	}
}

static void test_words_become_kinds_and_propagation(void **state)
{
	(void)state;
	struct mount_spec bind = parse("rbind,rslave,ro");
	assert_true(bind.bind && bind.recursive);
	assert_int_equal(bind.propagation, MS_SLAVE | MS_REC);
	struct mount_spec map = parse("bind,ridmap");
	assert_true(map.idmap && map.ridmap && !map.recursive);
	struct mount_spec last = parse("shared,private");
	assert_int_equal(last.propagation, MS_PRIVATE);
}

static void test_words_of_crun_are_read(void **state)
{
	const char *const contradiction[] = { "copy-symlink", "src-nofollow" };
	struct mount_spec bad = { 0 };

	(void)state;
	struct mount_spec maps = parse("bind,idmap=uids=0-1-10;gids=0-1-10");
	assert_true(maps.idmap && !maps.ridmap && maps.data.count == 0);
	assert_non_null(maps.maps);
	struct mount_spec all = parse("ridmap=uids=0-1-10");
	assert_true(all.idmap && all.ridmap && all.maps);
	struct mount_spec links = parse("src-nofollow,dest-nofollow");
	assert_true(links.source_link && links.place_link && !links.copy_link);
	assert_err_code(mount_spec_parse(contradiction, 2, &bad), EINVAL);
}

static void test_unknown_words_are_data_in_their_order(void **state)
{
	(void)state;
	struct mount_spec spec = parse("nosuid,size=64k,mode=755,newinstance,sync");
	assert_int_equal(spec.data.count, 4);
	assert_string_equal(spec.data.items[0], "size=64k");
	assert_string_equal(spec.data.items[2], "newinstance");
	assert_string_equal(spec.data.items[3], "sync");
}

static void test_words_in_one_text_are_taken_apart(void **state)
{
	static const char *const texts[] = { "nosuid,size=1m,,mode=755", "context=\"u:r:t:s0:c1,c2\",ro",
					     "lowerdir=/a\\,b", "idmap=uids=0-1-10,x", "," };
	static const char *const expected[] = { "nosuid",
						"size=1m",
						"",
						"mode=755",
						"context=\"u:r:t:s0:c1,c2\"",
						"ro",
						"lowerdir=/a\\,b",
						"idmap=uids=0-1-10,x",
						"",
						"" };
	auto_arena struct arena *arena = NULL;
	struct strings words, options = { (const char **)texts, ARRAY_LEN(texts) },
			      plain = { (const char **)texts, 0 };

	(void)state;
	assert_null(arena_new(1 << 16, &arena));
	assert_null(mount_words(arena, &options, &words));
	assert_int_equal(words.count, ARRAY_LEN(expected));
	for (size_t i = 0; i < words.count; i++)
		assert_string_equal(words.items[i], expected[i]);
	assert_null(mount_words(arena, &plain, &words));
	assert_ptr_equal(words.items, plain.items);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_the_table_is_sorted_so_that_every_word_is_found),
		cmocka_unit_test(test_every_word_of_the_specification_is_known),
		cmocka_unit_test(test_words_become_attributes),
		cmocka_unit_test(test_words_become_kinds_and_propagation),
		cmocka_unit_test(test_words_of_crun_are_read),
		cmocka_unit_test(test_unknown_words_are_data_in_their_order),
		cmocka_unit_test(test_words_in_one_text_are_taken_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
