/* tests/unit/registry/auth_test.c: auth files, logins and credential helpers. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/base64.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "registry/auth-internal.h"

static char dir[] = "/tmp/stube-auth-XXXXXX";

static const char *in_dir(const char *name)
{
	static char path[4][256];
	static unsigned turn;
	char *p = path[turn++ % 4];
	snprintf(p, sizeof(path[0]), "%s/%s", dir, name);
	return p;
}

static void write_file(const char *name, const char *text, mode_t mode)
{
	assert_ok(file_replace_volatile(AT_FDCWD, in_dir(name), text, strlen(text), mode));
}

static const char *read_file(const char *name)
{
	static struct str s = STR_INIT(1 << 20);
	str_clear(&s);
	assert_ok(file_read(AT_FDCWD, in_dir(name), &s));
	return s.data;
}

static void test_base64_knows_only_its_alphabet_and_padding(void **state)
{
	(void)state;
	static const struct {
		const char *plain, *encoded;
	} rows[] = { { "", "" }, { "f", "Zg==" }, { "fo", "Zm8=" }, { "foo", "Zm9v" }, { "foob", "Zm9vYg==" }, { "a:\xff\xfe", "YTr//g==" } };
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_str struct str a = STR_INIT(100), b = STR_INIT(100);
		base64_encode(rows[i].plain, strlen(rows[i].plain), &a);
		assert_string_equal(a.data, rows[i].encoded);
		assert_true(base64_decode(rows[i].encoded, &b));
		assert_string_equal(b.data, rows[i].plain);
	}
	static const char *const bad[] = { "Z", "Zg=", "Zg===", "Zh==", "Z g=", "Zg==Zg==", "Zg\n", "Zm9v====", "_-8=", "=" };
	for (size_t i = 0; i < ARRAY_LEN(bad); i++) {
		auto_str struct str s = STR_INIT(100);
		if (base64_decode(bad[i], &s))
			fail_msg("'%s' was accepted", bad[i]);
	}
	auto_str struct str s = STR_INIT(100);
	assert_true(base64_decode("Zg", &s)); /* without padding */
}

/* amt:geheim */
#define AMT "YW10OmdlaGVpbQ=="

static void test_the_longest_key_that_covers_the_repository_wins(void **state)
{
	(void)state;
	static const char text[] =
		"{\"auths\": {\"h.x\": {\"auth\": \"aDp4\"}, \"h.x/a\": {\"auth\": \"YTp4\"}, \"h.x/a/b\": {\"auth\": \"Yjp4\"},"
		" \"https://old.x/v1/\": {\"auth\": \"bzp4\"}, \"https://index.docker.io/v1/\": {\"auth\": \"ZDp4\"},"
		" \"plain.x\": {\"username\": \"p\", \"password\": \"x\"}, \"id.x\": {\"auth\": \"" AMT "\", \"identitytoken\": \"tok\"},"
		" \"reg.x\": {\"registrytoken\": \"raw\"}, \"empty.x\": {}, \"h.x:5000\": {\"auth\": \"NTp4\"}}}";
	static const struct {
		const char *host, *repository;
		enum auth_kind kind;
		const char *username, *secret;
	} rows[] = {
		{ "h.x", "", AUTH_BASIC, "h", "x" },
		{ "h.x", "z", AUTH_BASIC, "h", "x" },
		{ "h.x", "a", AUTH_BASIC, "a", "x" },
		{ "h.x", "ab", AUTH_BASIC, "h", "x" }, /* a prefix of letters is no parent */
		{ "h.x", "a/b/c", AUTH_BASIC, "b", "x" },
		{ "h.x:5000", "a", AUTH_BASIC, "5", "x" }, /* another port, another server */
		{ "h.x:5001", "a", AUTH_NONE, NULL, NULL },
		{ "old.x", "a", AUTH_BASIC, "o", "x" },
		{ "docker.io", "library/a", AUTH_BASIC, "d", "x" },
		{ "plain.x", "a", AUTH_BASIC, "p", "x" },
		{ "id.x", "a", AUTH_IDENTITY, NULL, "tok" },
		{ "reg.x", "a", AUTH_BEARER, NULL, "raw" },
		{ "empty.x", "a", AUTH_NONE, NULL, NULL },
		{ "x", "a", AUTH_NONE, NULL, NULL },
		{ "sub.h.x", "a", AUTH_NONE, NULL, NULL },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_auth struct auth a = { 0 };
		assert_ok(auth_parse("auth.json", text, sizeof(text) - 1, rows[i].host, rows[i].repository, &a, NULL));
		if (a.kind != rows[i].kind || !str_equal(a.username, rows[i].username) || !str_equal(a.secret, rows[i].secret))
			fail_msg("%s/%s: kind %d, %s", rows[i].host, rows[i].repository, a.kind, a.username);
	}
}

static void test_auth_files_that_are_wrong_are_named_without_their_secrets(void **state)
{
	(void)state;
	static const struct {
		const char *text, *reason;
	} rows[] = {
		{ "[]", "f: expected object, got array" },
		{ "{\"auths\": []}", "f:1: auths: expected object, got array" },
		{ "{\"auths\": {\"h\": 1}}", "f:1: key 'h': expected object, got number" },
		{ "{\"auths\": {\"h\":\n{\"auth\": \"c2VjcmV0\"}}}", "f:2: key 'h': 'auth' is not base64 of NAME:PASSWORD" },
		{ "{\"auths\": {\"h\": {\"auth\": \"?\"}}}", "f:1: key 'h': 'auth' is not base64 of NAME:PASSWORD" },
		{ "{\"credsStore\": 5}", "f:1: expected a helper's name, got number" },
	};
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_auth struct auth a = { 0 };
		auto_str struct str helper = STR_INIT(100);
		assert_err(auth_parse("f", rows[i].text, strlen(rows[i].text), "h", "a", &a, &helper), rows[i].reason);
	}
}

static void test_a_login_is_kept_with_mode_0600_and_everything_else_stays(void **state)
{
	(void)state;
	auto_free char *where = NULL, *gone = NULL;
	auto_auth struct auth a = { 0 }, b = { 0 };
	struct stat st;
	const char *file = in_dir("new/deep/auth.json");
	assert_ok(auth_store(file, "h.x:5000", "amt", "ge:heim", &where));
	assert_int_equal(stat(file, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_ok(auth_find(file, "h.x:5000", "a/b", &a));
	assert_string_equal(a.username, "amt");
	assert_string_equal(a.secret, "ge:heim");

	write_file("keep.json", "{\"auths\":{\"o\":{\"auth\":\"bzp4\",\"email\":\"e\"},\"https://h/v1/\":{\"auth\":\"bzp4\"}},"
				"\"HttpHeaders\":{\"n\":1.50}}", 0644);
	assert_ok(auth_store(in_dir("keep.json"), "h", "amt", "geheim", &gone));
	assert_string_equal(read_file("keep.json"), "{\n    \"auths\": {\n        \"o\": {\n            \"auth\": \"bzp4\",\n"
						    "            \"email\": \"e\"\n        },\n        \"h\": {\n"
						    "            \"auth\": \"" AMT "\"\n        }\n    },\n    \"HttpHeaders\": {\n"
						    "        \"n\": 1.50\n    }\n}\n");
	assert_int_equal(stat(in_dir("keep.json"), &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	free(TAKE(gone));
	assert_ok(auth_erase(in_dir("keep.json"), "h", &gone));
	assert_ok(auth_find(in_dir("keep.json"), "h", "", &b));
	assert_int_equal(b.kind, AUTH_NONE);
	free(TAKE(gone));
	assert_err_code(auth_erase(in_dir("keep.json"), "h", &gone), ENOENT);
}

static void test_a_link_to_an_auth_file_stays_a_link(void **state)
{
	(void)state;
	auto_free char *where = NULL;
	struct stat st;
	write_file("real.json", "{}", 0600);
	assert_int_equal(symlink("real.json", in_dir("link.json")), 0);
	assert_ok(auth_store(in_dir("link.json"), "h", "a", "b", &where));
	assert_int_equal(lstat(in_dir("link.json"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_non_null(strstr(read_file("real.json"), "auths"));
}

static void test_names_and_files_that_cannot_hold_a_login_are_refused(void **state)
{
	(void)state;
	auto_free char *where = NULL;
	assert_err_code(auth_store(in_dir("x.json"), "h", "a:b", "c", &where), EINVAL);
	assert_err_code(auth_store(in_dir("x.json"), "h", "", "c", &where), EINVAL);
	write_file("broken.json", "{\"auths\": ", 0600);
	assert_err_code(auth_store(in_dir("broken.json"), "h", "a", "c", &where), EINVAL);
	assert_string_equal(read_file("broken.json"), "{\"auths\": "); /* untouched */
	auto_auth struct auth a = { 0 };
	assert_err_code(auth_find(in_dir("broken.json"), "h", "", &a), EINVAL);
	assert_ok(auth_find(in_dir("missing.json"), "h", "", &a));
	assert_int_equal(a.kind, AUTH_NONE);
}

static void test_files_are_searched_in_the_documented_order(void **state)
{
	(void)state;
	auto_auth struct auth a = { 0 }, b = { 0 }, c = { 0 }, d = { 0 };
	assert_int_equal(mkdir(in_dir("run"), 0700) | mkdir(in_dir("run/containers"), 0700), 0);
	assert_int_equal(mkdir(in_dir("home"), 0700) | mkdir(in_dir("home/.docker"), 0700), 0);
	write_file("run/containers/auth.json", "{\"auths\":{\"h\":{\"auth\":\"cnVuOng=\"}}}", 0600);
	write_file("home/.docker/config.json", "{\"auths\":{\"h\":{\"auth\":\"ZG9ja2VyOng=\"},\"d\":{\"auth\":\"ZG9ja2VyOng=\"}}}", 0600);
	write_file("env.json", "{\"auths\":{\"h\":{\"auth\":\"ZW52Ong=\"}}}", 0600);
	setenv("XDG_RUNTIME_DIR", in_dir("run"), 1);
	setenv("HOME", in_dir("home"), 1);
	unsetenv("XDG_CONFIG_HOME");
	unsetenv("DOCKER_CONFIG");
	unsetenv("REGISTRY_AUTH_FILE");
	assert_ok(auth_find(NULL, "h", "", &a));
	assert_string_equal(a.username, "run");
	assert_ok(auth_find(NULL, "d", "", &b));
	assert_string_equal(b.username, "docker");
	setenv("REGISTRY_AUTH_FILE", in_dir("env.json"), 1);
	assert_ok(auth_find(NULL, "h", "", &c));
	assert_string_equal(c.username, "env");
	assert_ok(auth_find(NULL, "d", "", &d)); /* and nothing else is looked into */
	assert_int_equal(d.kind, AUTH_NONE);
	unsetenv("REGISTRY_AUTH_FILE");
}

/* A helper that writes what it was asked into a file. */
static void make_helper(const char *name, const char *script)
{
	char path[64], text[2000];
	snprintf(path, sizeof(path), "docker-credential-%s", name);
	snprintf(text, sizeof(text), "#!/bin/sh\ncat > %s/asked; echo \"$1\" >> %s/asked\n%s\n", dir, dir, script);
	write_file(path, text, 0755);
	const char *old = getenv("PATH");
	if (!strstr(old, dir)) {
		char more[4096];
		snprintf(more, sizeof(more), "%s:%s", dir, old);
		setenv("PATH", more, 1);
	}
}

static void test_a_credential_helper_is_asked_for_the_host_and_nothing_else(void **state)
{
	(void)state;
	auto_auth struct auth a = { 0 }, b = { 0 }, c = { 0 };
	make_helper("good", "echo '{\"ServerURL\":\"x\",\"Username\":\"amt\",\"Secret\":\"geheim\"}'");
	write_file("helper.json", "{\"credHelpers\":{\"h.x\":\"good\"},\"auths\":{\"h.x\":{\"auth\":\"bzp4\"},\"o.x\":{\"auth\":\"bzp4\"}}}", 0600);
	assert_ok(auth_find(in_dir("helper.json"), "h.x", "a/b", &a));
	assert_string_equal(a.username, "amt");
	assert_string_equal(a.secret, "geheim");
	assert_string_equal(read_file("asked"), "h.xget\n");
	unlink(in_dir("asked"));
	assert_ok(auth_find(in_dir("helper.json"), "o.x", "a", &b));
	assert_string_equal(b.username, "o");
	assert_int_equal(access(in_dir("asked"), F_OK), -1);
	make_helper("token", "echo '{\"Username\":\"<token>\",\"Secret\":\"t\"}'");
	write_file("store.json", "{\"credsStore\":\"token\"}", 0600);
	assert_ok(auth_find(in_dir("store.json"), "docker.io", "library/a", &c));
	assert_int_equal(c.kind, AUTH_IDENTITY);
	assert_string_equal(read_file("asked"), "https://index.docker.io/v1/get\n");
}

static void test_helpers_that_fail_are_errors_and_those_without_an_entry_are_not(void **state)
{
	(void)state;
	static const struct {
		const char *script, *reason; /* NULL: falls back to the file's entry */
	} rows[] = {
		{ "echo 'credentials not found in native keychain'; exit 1", NULL },
		{ "echo 'keychain is locked'; exit 3", "ended with status 3: keychain is locked" },
		{ "echo '{\"Username\":\"a\"}'", "its answer is not an object with Username and Secret" },
		{ "echo '{\"Username\":\"a\",\"Secret\":\"geheim\"'", "its answer is not an object with Username and Secret" },
		{ "head -c 1000000 /dev/zero", "" },
		{ "kill -9 $$", "ended with status 137: " },
	};
	write_file("h.json", "{\"credHelpers\":{\"h\":\"bad\"},\"auths\":{\"h\":{\"auth\":\"bzp4\"}}}", 0600);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_auth struct auth a = { 0 };
		auto_str struct str text = STR_INIT(4096);
		make_helper("bad", rows[i].script);
		auto_err err *e = auth_find(in_dir("h.json"), "h", "", &a);
		if (!rows[i].reason) {
			assert_null(e);
			assert_string_equal(a.username, "o");
			continue;
		}
		assert_non_null(e);
		err_format(e, &text);
		if (!strstr(text.data, rows[i].reason) || strstr(text.data, "geheim"))
			fail_msg("'%s': %s", rows[i].script, text.data);
	}
}

static void test_a_helpers_name_cannot_become_a_path_or_an_option(void **state)
{
	(void)state;
	static const char *const names[] = { "../evil", "/bin/sh", "a/b", "-x", ".x", "a b", "a;b", "", "ä" };
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		auto_auth struct auth a = { 0 };
		assert_err_code(helper_get(names[i], "h", &a), EINVAL);
	}
	auto_auth struct auth a = { 0 };
	assert_err_code(helper_get("does-not-exist", "h", &a), ENOENT);
}

static void test_a_login_goes_to_the_helper_that_the_file_names(void **state)
{
	(void)state;
	auto_free char *where = NULL, *gone = NULL;
	make_helper("keep", "exit 0");
	write_file("k.json", "{\"credHelpers\":{\"h.x\":\"keep\"}}", 0600);
	assert_ok(auth_store(in_dir("k.json"), "h.x", "amt", "geheim", &where));
	assert_string_equal(where, "credential helper 'keep'");
	assert_string_equal(read_file("asked"), "{\"ServerURL\":\"h.x\",\"Username\":\"amt\",\"Secret\":\"geheim\"}store\n");
	assert_string_equal(read_file("k.json"), "{\"credHelpers\":{\"h.x\":\"keep\"}}");
	assert_ok(auth_erase(in_dir("k.json"), "h.x", &gone));
	assert_string_equal(read_file("asked"), "h.xerase\n");
}

static int start(void **state)
{
	(void)state;
	return mkdtemp(dir) ? 0 : -1;
}

static int finish(void **state)
{
	(void)state;
	auto_close int tmp = open("/tmp", O_PATH | O_DIRECTORY | O_CLOEXEC);
	assert_ok(path_remove_all(tmp, dir + strlen("/tmp/")));
	return 0;
}

int main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_base64_knows_only_its_alphabet_and_padding),
		cmocka_unit_test(test_the_longest_key_that_covers_the_repository_wins),
		cmocka_unit_test(test_auth_files_that_are_wrong_are_named_without_their_secrets),
		cmocka_unit_test(test_a_login_is_kept_with_mode_0600_and_everything_else_stays),
		cmocka_unit_test(test_a_link_to_an_auth_file_stays_a_link),
		cmocka_unit_test(test_names_and_files_that_cannot_hold_a_login_are_refused),
		cmocka_unit_test(test_files_are_searched_in_the_documented_order),
		cmocka_unit_test(test_a_credential_helper_is_asked_for_the_host_and_nothing_else),
		cmocka_unit_test(test_helpers_that_fail_are_errors_and_those_without_an_entry_are_not),
		cmocka_unit_test(test_a_helpers_name_cannot_become_a_path_or_an_option),
		cmocka_unit_test(test_a_login_goes_to_the_helper_that_the_file_names),
	};
	return cmocka_run_group_tests(tests, start, finish);
}
