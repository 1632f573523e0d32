/* tests/unit/base/files_test.c: paths stay in their root, files are replaced whole, descriptors are kept. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"

static char top[64];
static int top_fd, root_fd;

/* TOP/secret is outside; TOP/root is the root. */
static int setup(void **state)
{
	(void)state;
	snprintf(top, sizeof top, "/tmp/stube-files-XXXXXX");
	assert_non_null(mkdtemp(top));
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(file_replace(top_fd, "secret", "outside", 7, 0600));
	assert_int_equal(mkdirat(top_fd, "root", 0755), 0);
	root_fd = openat(top_fd, "root", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(root_fd >= 0);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fd_close(root_fd);
	assert_ok(path_remove_all(top_fd, "root"));
	assert_ok(path_remove_all(top_fd, "secret"));
	fd_close(top_fd);
	return rmdir(top);
}

static void test_links_and_dots_stay_in_the_root(void **state)
{
	(void)state;
	char outside[80];
	int fd = -1;

	snprintf(outside, sizeof outside, "%s/secret", top);
	assert_int_equal(symlinkat(outside, root_fd, "absolute"), 0);
	assert_int_equal(symlinkat("../secret", root_fd, "relative"), 0);
	assert_int_equal(symlinkat("/proc/self/root", root_fd, "magic"), 0);
	assert_err_code(path_open(root_fd, "absolute", PATH_IN_ROOT, O_RDONLY, 0, &fd), ENOENT);
	assert_err_code(path_open(root_fd, "relative", PATH_IN_ROOT, O_RDONLY, 0, &fd), ENOENT);
	assert_err_code(path_open(root_fd, "../secret", PATH_IN_ROOT, O_RDONLY, 0, &fd), ENOENT);
	assert_err_code(path_open(root_fd, "../secret", PATH_BENEATH, O_RDONLY, 0, &fd), EXDEV);
	assert_err_code(path_open(root_fd, "absolute", PATH_BENEATH, O_RDONLY, 0, &fd), EXDEV);
	assert_err_code(path_open(root_fd, "absolute", PATH_NO_LINKS, O_RDONLY, 0, &fd), ELOOP);
	assert_err_code(path_open(root_fd, "magic", PATH_IN_ROOT, O_RDONLY, 0, &fd), ENOENT);
	assert_int_equal(fd, -1);
}

static void test_links_inside_the_root_are_followed(void **state)
{
	(void)state;
	auto_close int fd = -1;
	auto_str struct str text = STR_INIT(100);

	assert_int_equal(mkdirat(root_fd, "etc", 0755), 0);
	assert_ok(file_replace(root_fd, "etc/passwd", "in", 2, 0644));
	assert_int_equal(symlinkat("/etc", root_fd, "conf"), 0);
	assert_ok(path_open(root_fd, "/conf/passwd", PATH_IN_ROOT, O_RDONLY, 0, &fd));
	assert_ok(fd_read_all(fd, &text));
	assert_string_equal(text.data, "in");
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
}

static void test_directories_are_made_inside_the_root_only(void **state)
{
	(void)state;
	auto_close int fd = -1, again = -1, through = -1;
	struct stat a, b;

	assert_ok(path_make_dirs(root_fd, "/a//b/./c", 0755, &fd));
	assert_ok(path_make_dirs(root_fd, "a/b/c", 0755, &again));
	assert_int_equal(fstat(fd, &a), 0);
	assert_int_equal(fstat(again, &b), 0);
	assert_true(a.st_ino == b.st_ino);
	/* An absolute link leads to the root's own directory, not to the host's. */
	assert_int_equal(symlinkat("/a", root_fd, "link"), 0);
	assert_ok(path_make_dirs(root_fd, "link/new", 0755, &through));
	assert_int_equal(faccessat(root_fd, "a/new", F_OK, 0), 0);
	/* Dots above the root stay at the root. */
	assert_int_equal(symlinkat("../../../..", root_fd, "up"), 0);
	fd_clear(&through);
	assert_ok(path_make_dirs(root_fd, "up/inside", 0755, &through));
	assert_int_equal(faccessat(root_fd, "inside", F_OK, 0), 0);
	assert_int_equal(faccessat(top_fd, "inside", F_OK, 0), -1);
}

static void test_a_file_in_the_way_is_an_error(void **state)
{
	(void)state;
	int fd = -1;

	assert_ok(file_replace(root_fd, "file", "", 0, 0644));
	assert_err_code(path_make_dirs(root_fd, "file/x", 0755, &fd), ENOTDIR);
	/* Links in a ring, and more links to nothing than anybody has. */
	assert_int_equal(symlinkat("ring", root_fd, "ring"), 0);
	assert_err_code(path_make_dirs(root_fd, "ring", 0755, &fd), ELOOP);
	for (int i = 0; i < 20; i++) {
		char from[16], to[16];

		snprintf(from, sizeof from, "l%d", i);
		snprintf(to, sizeof to, "l%d", i + 1);
		assert_int_equal(symlinkat(to, root_fd, from), 0);
	}
	assert_err_code(path_make_dirs(root_fd, "l0", 0755, &fd), ENOENT);
}

static void test_what_a_link_leads_to_is_made_inside_the_root(void **state)
{
	(void)state;
	static const struct {
		const char *target, *link, *path, *made;
	} rows[] = {
		{ "nowhere", "relative", "relative/in", "nowhere/in" },
		{ "/run/deep/er", "absolute", "/absolute", "run/deep/er" },
		{ "../../../../outside", "up", "up/in", "outside/in" },
		{ "../beside", "nowhere/link", "nowhere/link/in", "beside/in" },
		{ "absolute2", "first", "first/x", "run2/x" },
	};

	assert_int_equal(symlinkat("/run2", root_fd, "absolute2"), 0);
	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		auto_close int fd = -1;

		assert_int_equal(symlinkat(rows[i].target, root_fd, rows[i].link), 0);
		assert_ok(path_make_dirs(root_fd, rows[i].path, 0755, &fd));
		assert_int_equal(faccessat(root_fd, rows[i].made, F_OK, 0), 0);
	}
	assert_int_equal(faccessat(top_fd, "outside", F_OK, 0), -1);
}

static void test_parent_and_name_are_split(void **state)
{
	(void)state;
	auto_close int fd = -1;
	const char *name = NULL;

	assert_ok(path_make_parent(root_fd, "x/y/z", 0755, &fd, &name));
	assert_string_equal(name, "z");
	assert_int_equal(faccessat(root_fd, "x/y", F_OK, 0), 0);
	assert_int_equal(faccessat(root_fd, "x/y/z", F_OK, 0), -1);
	int unset = -1;
	assert_err(path_make_parent(root_fd, "/", 0755, &unset, &name), "'/' does not end in a file name");
	assert_err_code(path_make_parent(root_fd, "x/..", 0755, &unset, &name), EINVAL);
}

static void test_paths_are_cleaned_lexically(void **state)
{
	(void)state;
	static const struct {
		const char *path, *clean;
	} rows[] = {
		{ "", "/" }, { "/", "/" }, { "a", "/a" }, { "/a/b/", "/a/b" }, { "//a//b", "/a/b" },
		{ "/a/./b", "/a/b" }, { "/a/../b", "/b" }, { "/../../a", "/a" }, { "a/b/..", "/a" },
		{ "a/..", "/" }, { "...", "/..." },
	};
	char out[16];

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		assert_true(path_clean(rows[i].path, out, sizeof out));
		assert_string_equal(out, rows[i].clean);
	}
	assert_true(path_clean("/23456789012345", out, sizeof out));
	assert_false(path_clean("/234567890123456", out, sizeof out));
}

static void test_names_are_one_plain_component(void **state)
{
	(void)state;
	char longest[257];

	assert_true(path_is_name("a"));
	assert_true(path_is_name("..."));
	assert_false(path_is_name(""));
	assert_false(path_is_name("."));
	assert_false(path_is_name(".."));
	assert_false(path_is_name("a/b"));
	memset(longest, 'x', 256);
	longest[256] = '\0';
	assert_false(path_is_name(longest));
	assert_true(path_is_name(longest + 1));
}

static void test_removal_does_not_follow_links(void **state)
{
	(void)state;
	auto_close int fd = -1;

	assert_ok(path_make_dirs(root_fd, "tree/a/b", 0755, &fd));
	assert_int_equal(symlinkat("../../..", root_fd, "tree/a/up"), 0);
	assert_ok(file_replace(root_fd, "tree/a/b/file", "x", 1, 0400));
	assert_ok(path_remove_all(root_fd, "tree"));
	assert_int_equal(faccessat(root_fd, "tree", F_OK, 0), -1);
	assert_int_equal(faccessat(top_fd, "secret", F_OK, 0), 0);
	assert_ok(path_remove_all(root_fd, "tree"));
	assert_err_code(path_remove_all(root_fd, "../secret"), EINVAL);
}

static size_t count_entries(void)
{
	size_t count = 0;
	char name[64];

	for (int i = 0; i < 100; i++) {
		snprintf(name, sizeof name, "left-%d", i);
		count += faccessat(root_fd, name, F_OK, 0) == 0;
	}
	return count;
}

static void test_replacing_a_file_is_all_or_nothing(void **state)
{
	(void)state;
	auto_str struct str text = STR_INIT(100);
	struct stat st;

	umask(077);
	assert_ok(file_replace(root_fd, "f", "one", 3, 0644));
	assert_ok(file_replace(root_fd, "f", "second", 6, 0640));
	assert_ok(file_read(root_fd, "f", &text));
	assert_string_equal(text.data, "second");
	assert_int_equal(fstatat(root_fd, "f", &st, 0), 0);
	assert_int_equal(st.st_mode & 07777, 0640);
	/* A directory in the way: the error leaves no temporary file. */
	assert_int_equal(mkdirat(root_fd, "d", 0755), 0);
	assert_err_code(file_replace(root_fd, "d", "x", 1, 0644), EISDIR);
	assert_err_code(file_replace_volatile(root_fd, "none/f", "x", 1, 0644), ENOENT);
	assert_int_equal(count_entries(), 0);
	umask(022);
}

static void test_reading_is_bounded_and_wants_a_regular_file(void **state)
{
	(void)state;
	auto_str struct str small = STR_INIT(3);
	auto_str struct str exact = STR_INIT(4);

	assert_ok(file_replace_volatile(root_fd, "four", "1234", 4, 0600));
	assert_err(file_read(root_fd, "four", &small), "read 'four': text grows over its limit of 3 bytes");
	assert_ok(file_read(root_fd, "four", &exact));
	assert_string_equal(exact.data, "1234");
	assert_int_equal(mkfifoat(root_fd, "fifo", 0600), 0);
	str_clear(&exact);
	assert_err(file_read(root_fd, "fifo", &exact), "'fifo' is not a regular file");
	assert_err_code(file_read(root_fd, "missing", &exact), ENOENT);
}

static void test_a_text_is_read_into_the_arena(void **state)
{
	(void)state;
	auto_arena struct arena *arena = NULL;
	char *text = NULL, record[8];
	size_t len = 0;

	assert_ok(arena_new(1 << 16, &arena));
	assert_ok(file_read_text(arena, top_fd, "secret", 7, &text, &len));
	assert_int_equal(len, 7);
	assert_string_equal(text, "outside");
	assert_err_code(file_read_text(arena, top_fd, "secret", 6, &text, &len), EFBIG);
	assert_err_code(file_read_text(arena, top_fd, "root", 6, &text, &len), EINVAL);
	assert_err_code(file_read_text(arena, top_fd, "none", 6, &text, &len), ENOENT);
	assert_err_code(file_read_record(top_fd, "secret", record, 7), EFBIG);
	assert_ok(file_read_record(top_fd, "secret", record, sizeof record));
	assert_string_equal(record, "outside");
}

static void test_a_second_descriptor_is_close_on_exec(void **state)
{
	(void)state;
	auto_close int fd = fd_dup(top_fd);

	assert_true(fd >= 3 && fd != top_fd);
	assert_int_equal(fcntl(fd, F_GETFD), FD_CLOEXEC);
	assert_int_equal(fd_dup(-1), -1);
	assert_int_equal(errno, EBADF);
}

static void test_sealed_memory_file_cannot_be_changed(void **state)
{
	(void)state;
	auto_close int fd = -1;
	char byte;

	assert_ok(fd_sealed("plan", "bytes", 5, false, &fd));
	assert_int_equal(read(fd, &byte, 1), 1);
	assert_int_equal(byte, 'b');
	assert_int_equal(write(fd, "x", 1), -1);
	assert_int_equal(ftruncate(fd, 0), -1);
	assert_int_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_WRITE), -1);
}

static void test_sealed_program_can_be_executed(void **state)
{
	(void)state;
	auto_close int fd = -1;
	const char *script = "#!/bin/true\n";
	char name[] = "true", *argv[] = { name, NULL }, *envp[] = { NULL };
	int status;

	assert_ok(fd_sealed("program", script, strlen(script), true, &fd));
	fcntl(fd, F_SETFD, 0); /* the interpreter opens it by /dev/fd */
	pid_t pid = fork();
	if (pid == 0) {
		fexecve(fd, argv, envp);
		_exit(99);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void test_descriptors_travel_and_are_close_on_exec(void **state)
{
	(void)state;
	int pair[2], received[2] = { -1, -1 };
	size_t len = 0, count = 0;
	char bytes[16];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	assert_ok(fd_send(pair[0], "hi", 2, (int[]){ top_fd, root_fd }, 2));
	assert_ok(fd_recv(pair[1], bytes, sizeof bytes, &len, received, 2, &count));
	assert_int_equal(len, 2);
	assert_int_equal(count, 2);
	assert_int_equal(fcntl(received[0], F_GETFD), FD_CLOEXEC);
	fd_clear(&received[0]);
	fd_clear(&received[1]);
	assert_int_equal(received[0], -1);
	fd_close(pair[0]);
	fd_close(pair[1]);
}

static void test_unexpected_descriptors_are_closed_and_refused(void **state)
{
	(void)state;
	int pair[2], received[1] = { -1 };
	size_t len = 0, count = 0;
	char bytes[4];

	assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
	int next = dup(0);
	close(next);
	assert_ok(fd_send(pair[0], "hi", 2, (int[]){ top_fd, root_fd }, 2));
	assert_err_code(fd_recv(pair[1], bytes, sizeof bytes, &len, received, 1, &count), EMSGSIZE);
	assert_ok(fd_send(pair[0], "too long", 8, NULL, 0));
	assert_err_code(fd_recv(pair[1], bytes, sizeof bytes, &len, received, 1, &count), EMSGSIZE);
	int now = dup(0);
	close(now);
	assert_int_equal(now, next); /* nothing leaked */
	fd_close(pair[0]);
	fd_close(pair[1]);
}

static void test_unix_socket_with_a_long_path(void **state)
{
	(void)state;
	char path[300];
	struct stat st;
	auto_close int dir = -1, server = -1, client = -1;

	assert_ok(path_make_dirs(root_fd, "a-directory-with-a-long-name-a-directory-with-a-long-name/"
					  "another-directory-with-a-long-name-a-directory-with-a-long-name",
				 0755, &dir));
	snprintf(path, sizeof path, "%s/root/a-directory-with-a-long-name-a-directory-with-a-long-name/"
		 "another-directory-with-a-long-name-a-directory-with-a-long-name/socket", top);
	assert_ok(fd_unix_listen(path, SOCK_SEQPACKET, 0600, &server));
	assert_ok(fd_unix_connect(path, SOCK_SEQPACKET, &client));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 0777, 0600);
	int none = -1;
	assert_err_code(fd_unix_connect("/tmp/stube-no-such-socket", SOCK_STREAM, &none), ENOENT);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_links_and_dots_stay_in_the_root, setup, teardown),
		cmocka_unit_test_setup_teardown(test_links_inside_the_root_are_followed, setup, teardown),
		cmocka_unit_test_setup_teardown(test_directories_are_made_inside_the_root_only, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_file_in_the_way_is_an_error, setup, teardown),
		cmocka_unit_test_setup_teardown(test_what_a_link_leads_to_is_made_inside_the_root, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_parent_and_name_are_split, setup, teardown),
		cmocka_unit_test(test_paths_are_cleaned_lexically),
		cmocka_unit_test(test_names_are_one_plain_component),
		cmocka_unit_test_setup_teardown(test_removal_does_not_follow_links, setup, teardown),
		cmocka_unit_test_setup_teardown(test_replacing_a_file_is_all_or_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(test_reading_is_bounded_and_wants_a_regular_file, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_a_text_is_read_into_the_arena, setup, teardown),
		cmocka_unit_test_setup_teardown(test_a_second_descriptor_is_close_on_exec, setup, teardown),
		cmocka_unit_test(test_sealed_memory_file_cannot_be_changed),
		cmocka_unit_test(test_sealed_program_can_be_executed),
		cmocka_unit_test_setup_teardown(test_descriptors_travel_and_are_close_on_exec, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_unexpected_descriptors_are_closed_and_refused, setup,
						teardown),
		cmocka_unit_test_setup_teardown(test_unix_socket_with_a_long_path, setup, teardown),
	};

	return cmocka_run_group_tests_name("base/files", tests, NULL, NULL);
}
