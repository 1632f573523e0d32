/* tests/unit/images/pack_test.c: what goes into an image comes out of it, and twice the same. */
#include "tests/unit/images/tar-make.h"

#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>

#include "base/file.h"
#include "images/extract.h"
#include "images/pack.h"
#include "images/tree.h"
#include "oci/image.h"

static char top[64];
static int top_fd = -1, source_fd = -1;

static int open_dir_at(int dir_fd, const char *name)
{
	assert_int_equal(mkdirat(dir_fd, name, 0755), 0);
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

static int setup(void **state)
{
	(void)state;
	snprintf(top, sizeof top, "/tmp/stube-pack-XXXXXX");
	assert_non_null(mkdtemp(top));
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	source_fd = open_dir_at(top_fd, "source");
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	fd_clear(&source_fd);
	fd_clear(&top_fd);
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(path_remove_all(tmp, top + strlen("/tmp/")));
	return 0;
}

static void put(int dir_fd, const char *name, const char *text, mode_t mode)
{
	assert_ok(file_replace_volatile(dir_fd, name, text, strlen(text), mode));
}

static void put_time(int dir_fd, const char *name, time_t sec)
{
	const struct timespec times[2] = { { .tv_sec = sec }, { .tv_sec = sec, .tv_nsec = 7 } };

	assert_int_equal(utimensat(dir_fd, name, times, AT_SYMLINK_NOFOLLOW), 0);
}

static const struct pack_options plain = { .created = PACK_CREATED_YOUNGEST };

static int pack_to_memory(int fd, const char *name, const struct pack_options *options, int64_t *ret_created)
{
	int64_t created;
	int tar_fd = memfd_create("tar", MFD_CLOEXEC);

	assert_true(tar_fd >= 0);
	assert_ok(pack_layer(fd, name, options, tar_fd, ret_created ? ret_created : &created));
	assert_int_equal(lseek(tar_fd, 0, SEEK_SET), 0);
	return tar_fd;
}

static err *pack_error(const struct pack_options *options)
{
	auto_close int tar_fd = memfd_create("tar", MFD_CLOEXEC);
	int64_t created;

	return pack_layer(source_fd, NULL, options, tar_fd, &created);
}

static void assert_same_bytes(int a_fd, int b_fd)
{
	auto_str struct str a = STR_INIT(64 << 20), b = STR_INIT(64 << 20);

	assert_ok(fd_read_all(a_fd, &a));
	assert_ok(fd_read_all(b_fd, &b));
	assert_int_equal(a.len, b.len);
	assert_memory_equal(a.data, b.data, a.len);
	assert_int_equal(a.len % 512, 0);
}

/* Every kind of file that a source may have; `reverse` makes them in another order. */
static void fill(int fd, bool reverse)
{
	static const char *const names[] = { "b", "a", "-first", "z.txt", "\xc3\xa4", "with space" };
	char long_name[201], deep[] = "d1";

	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		const char *name = names[reverse ? ARRAY_LEN(names) - 1 - i : i];
		put(fd, name, name, 0640);
	}
	auto_close int dir = open_dir_at(fd, deep);
	memset(long_name, 'n', 200);
	long_name[200] = '\0';
	put(dir, long_name, "long", 04711);
	assert_int_equal(symlinkat(long_name, dir, "to-long"), 0);
	assert_int_equal(symlinkat("/etc/shadow", dir, "absolute"), 0);
	assert_int_equal(linkat(fd, "b", dir, "hard", 0), 0);
	assert_int_equal(mkfifoat(dir, "fifo", 0622), 0);
	char path[PATH_FD_MAX + 8];
	snprintf(path, sizeof path, "/proc/self/fd/%d/b", fd);
	assert_int_equal(setxattr(path, "user.comment", "two words", 9, 0), 0);
	static const char *const timed[] = { "b", "a", "-first", "z.txt", "\xc3\xa4", "with space", "d1/fifo",
					     "d1/to-long", "d1/absolute", "d1" };
	auto_str struct str long_path = STR_INIT(300);
	str_addf(&long_path, "d1/%s", long_name);
	put_time(fd, long_path.data, 1500000000);
	for (size_t i = 0; i < ARRAY_LEN(timed); i++)
		put_time(fd, timed[i], 1600000000 + (time_t)i);
}

static void test_what_is_packed_is_what_is_extracted(void **state)
{
	struct pack_options keep = { .created = PACK_CREATED_YOUNGEST, .keep_owners = true };
	auto_str struct str before = STR_INIT(1 << 20), after = STR_INIT(1 << 20);

	(void)state;
	fill(source_fd, false);
	if (geteuid() == 0) {
		assert_int_equal(fchownat(source_fd, "a", 12, 34, 0), 0);
		assert_int_equal(mknodat(source_fd, "device", S_IFCHR | 0600, makedev(7, 300)), 0);
		put_time(source_fd, "device", 5);
	}
	auto_close int tar_fd = pack_to_memory(source_fd, NULL, &keep, NULL);
	auto_close int out = open_dir_at(top_fd, "out");
	assert_ok(layer_extract(tar_fd, out, NULL, NULL));
	list_tree(&before, source_fd, "");
	list_tree(&after, out, "");
	/* Whole seconds are kept; the top directory's own metadata is not packed. */
	for (char *p = before.data; (p = strstr(p, ".000000007")); p++)
		p[9] = '0';
	assert_string_equal(strchr(before.data, '\n'), strchr(after.data, '\n'));
	assert_non_null(strstr(after.data, "user.comment=74776f20776f726473"));
}

static void test_the_same_files_give_the_same_bytes(void **state)
{
	auto_close int other = open_dir_at(top_fd, "other");

	(void)state;
	fill(source_fd, false);
	fill(other, true);
	auto_close int a = pack_to_memory(source_fd, NULL, &plain, NULL);
	auto_close int b = pack_to_memory(other, NULL, &plain, NULL);
	assert_same_bytes(a, b);
}

static void test_owners_are_root_unless_kept_and_times_are_clamped(void **state)
{
	struct pack_options clamped = { .created = 1000 };
	int64_t created;
	auto_tree struct tree t = { 0 }, u = { 0 };

	(void)state;
	put(source_fd, "f", "x", 0644);
	put_time(source_fd, "f", 2000);
	put(source_fd, "old", "x", 0644);
	put_time(source_fd, "old", 500);
	if (geteuid() == 0)
		assert_int_equal(fchownat(source_fd, "f", 1, 2, 0), 0);
	auto_close int tar_fd = pack_to_memory(source_fd, NULL, &clamped, &created);
	assert_int_equal(created, 1000);
	assert_ok(tree_build(tar_fd, NULL, &t));
	assert_int_equal(t.count, 3);
	assert_int_equal(t.nodes[1]->inode->mtime, 1000);
	assert_int_equal(t.nodes[1]->inode->uid + t.nodes[1]->inode->gid, 0);
	assert_int_equal(t.nodes[2]->inode->mtime, 500);
	auto_close int youngest_fd = pack_to_memory(source_fd, NULL, &plain, &created);
	assert_int_equal(created, 2000);
	assert_ok(tree_build(youngest_fd, NULL, &u));
	assert_int_equal(u.nodes[1]->inode->mtime, 2000);
}

static void test_links_out_of_the_source_are_stored_not_followed(void **state)
{
	auto_tree struct tree t = { 0 };
	auto_close int secret = open_dir_at(top_fd, "secret");

	(void)state;
	put(secret, "key", "very secret", 0600);
	assert_int_equal(symlinkat("../secret", source_fd, "dir"), 0);
	assert_int_equal(symlinkat("../secret/key", source_fd, "file"), 0);
	auto_close int tar_fd = pack_to_memory(source_fd, NULL, &plain, NULL);
	assert_ok(tree_build(tar_fd, NULL, &t));
	assert_int_equal(t.count, 3);
	assert_string_equal(t.nodes[1]->inode->target, "../secret");
	auto_str struct str bytes = STR_INIT(1 << 20);
	assert_ok(fd_read_all(tar_fd, &bytes));
	assert_null(memmem(bytes.data, bytes.len, "very secret", 11));
}

static void test_holes_are_found_by_content_on_any_file_system(void **state)
{
	enum { SIZE = 8 << 20 };
	auto_free char *zeros = calloc(1, SIZE);
	auto_close int other = open_dir_at(top_fd, "other");
	auto_str struct str before = STR_INIT(1 << 20), after = STR_INIT(1 << 20);
	struct stat st;

	(void)state;
	/* One with holes, one with the same zeros written out. */
	for (int i = 0; i < 2; i++) {
		int dir = i ? other : source_fd;
		auto_close int fd = openat(dir, "f", O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		if (i)
			assert_ok(fd_write_all(fd, zeros, SIZE));
		assert_int_equal(ftruncate(fd, SIZE), 0);
		assert_int_equal(pwrite(fd, "data", 4, 1 << 20), 4);
		assert_int_equal(pwrite(fd, "tail", 4, SIZE - 4), 4);
		put_time(dir, "f", 77);
	}
	auto_close int a = pack_to_memory(source_fd, NULL, &plain, NULL);
	auto_close int b = pack_to_memory(other, NULL, &plain, NULL);
	assert_int_equal(fstat(a, &st), 0);
	assert_true(st.st_size < 200 << 10);
	assert_same_bytes(a, b);
	auto_close int out = open_dir_at(top_fd, "out");
	assert_ok(layer_extract(a, out, NULL, NULL));
	assert_int_equal(fstatat(out, "f", &st, 0), 0);
	assert_true(st.st_blocks * 512 <= 256 << 10);
	auto_close int index_fd = memfd_create("index", MFD_CLOEXEC);
	assert_ok(layer_index_build(a, index_fd, NULL, NULL));
	auto_close int f = openat(out, "f", O_RDONLY | O_CLOEXEC);
	list_data(&after, f, SIZE);
	auto_close int g = openat(source_fd, "f", O_RDONLY | O_CLOEXEC);
	list_data(&before, g, SIZE);
	assert_string_equal(before.data, after.data);
}

static void test_names_that_mean_a_whiteout_are_refused(void **state)
{
	auto_close int dir = open_dir_at(source_fd, "d");

	(void)state;
	put(dir, ".wh.passwd", "", 0644);
	assert_err(pack_error(&plain), "'d/.wh.passwd': a name that begins with '.wh.' would remove a file of a "
				       "lower layer");
}

static void test_sockets_are_left_out(void **state)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	auto_close int sock = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	auto_tree struct tree t = { 0 };

	(void)state;
	snprintf(addr.sun_path, sizeof addr.sun_path, "%s/source/sock", top);
	assert_int_equal(bind(sock, (struct sockaddr *)&addr, sizeof addr), 0);
	auto_close int tar_fd = pack_to_memory(source_fd, NULL, &plain, NULL);
	assert_ok(tree_build(tar_fd, NULL, &t));
	assert_int_equal(t.count, 1);
}

static void test_a_single_binary_gets_its_directories(void **state)
{
	struct pack_options options = { .created = 9, .binary_path = "/usr/bin/app" };
	auto_tree struct tree t = { 0 }, u = { 0 };

	(void)state;
	put(source_fd, "prog", "elf", 0600);
	auto_close int prog = openat(source_fd, "prog", O_RDONLY | O_CLOEXEC);
	auto_close int tar_fd = pack_to_memory(prog, "prog", &options, NULL);
	assert_ok(tree_build(tar_fd, NULL, &t));
	assert_int_equal(t.count, 4);
	assert_string_equal(t.nodes[3]->name, "app");
	assert_int_equal(t.nodes[3]->inode->mode, S_IFREG | 0755);
	assert_int_equal(t.nodes[3]->inode->mtime, 9);
	assert_int_equal(t.nodes[2]->inode->mode, S_IFDIR | 0755);
	options.binary_path = NULL;
	auto_close int root_fd = pack_to_memory(prog, "prog", &options, NULL);
	assert_ok(tree_build(root_fd, NULL, &u));
	assert_int_equal(u.count, 2);
	assert_string_equal(u.nodes[1]->name, "prog");
	options.binary_path = "/";
	int64_t created;
	assert_err(pack_layer(prog, "prog", &options, tar_fd, &created), "'/' is no place for a file");
}

static void test_static_binaries_are_told_from_others(void **state)
{
	auto_close int self = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	auto_close int busybox = open("/bin/busybox", O_RDONLY | O_CLOEXEC);

	(void)state;
	assert_false(pack_is_static_binary(self));
	if (busybox >= 0)
		assert_true(pack_is_static_binary(busybox));
	put(source_fd, "script", "#!/bin/sh\n", 0755);
	auto_close int script = openat(source_fd, "script", O_RDONLY | O_CLOEXEC);
	assert_false(pack_is_static_binary(script));
}

/* Ends with NULL, as an argument list. */
static void add_all(struct strv *v, const char *const *items)
{
	for (; *items; items++)
		strv_add(v, *items);
}
#define ADD(v, ...) add_all((v), (const char *const[]){ __VA_ARGS__, NULL })

static void test_the_config_says_what_the_options_said(void **state)
{
	auto_strv struct strv entrypoint = STRV_INIT(9), cmd = STRV_INIT(9), env = STRV_INIT(9),
			      ports = STRV_INIT(9), labels = STRV_INIT(9), volumes = STRV_INIT(9);
	const struct oci_platform platform = { .os = "linux", .architecture = "arm", .variant = "v7" };
	struct pack_config config = {
		.platform = &platform, .user = "10:20", .working_dir = "/srv", .stop_signal = "SIGINT",
		.author = "Amt", .entrypoint = &entrypoint, .cmd = &cmd, .env = &env, .ports = &ports,
		.labels = &labels, .volumes = &volumes,
	};
	auto_str struct str text = STR_INIT(8192);
	struct digest diff_id;

	(void)state;
	ADD(&entrypoint, "/app", "--serve");
	ADD(&cmd, "--port=80");
	ADD(&env, "A=1", "B=", "A=2");
	ADD(&ports, "8080", "53/udp", "8080/tcp");
	ADD(&labels, "z=1", "a=x=y");
	ADD(&volumes, "/data");
	assert_ok(digest_of(DIGEST_SHA256, "x", 1, &diff_id));
	assert_ok(pack_config_encode(&config, 1700000000, &diff_id, &text));
	assert_string_equal(
		text.data,
		"{\"created\":\"2023-11-14T22:13:20Z\",\"author\":\"Amt\",\"architecture\":\"arm\",\"os\":\"linux\","
		"\"variant\":\"v7\",\"config\":{\"User\":\"10:20\",\"ExposedPorts\":{\"53/udp\":{},\"8080/tcp\":{}},"
		"\"Env\":[\"A=2\",\"B=\"],\"Entrypoint\":[\"/app\",\"--serve\"],\"Cmd\":[\"--port=80\"],"
		"\"Volumes\":{\"/data\":{}},\"WorkingDir\":\"/srv\",\"Labels\":{\"a\":\"x=y\",\"z\":\"1\"},"
		"\"StopSignal\":\"SIGINT\"},\"rootfs\":{\"type\":\"layers\",\"diff_ids\":[\"sha256:"
		"2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881\"]},"
		"\"history\":[{\"created\":\"2023-11-14T22:13:20Z\",\"created_by\":\"stube image pack\"}]}");
}

static void test_wrong_values_of_the_config_are_named(void **state)
{
	static const struct {
		const char *env, *port, *label, *volume, *dir, *signal, *error;
	} cases[] = {
		{ .env = "NAME", .error = "environment 'NAME' is not NAME=value" },
		{ .env = "=x", .error = "environment '=x' is not NAME=value" },
		{ .label = "x", .error = "label 'x' is not NAME=value" },
		{ .port = "0", .error = "port '0' is not NUMBER, NUMBER/tcp, NUMBER/udp or NUMBER/sctp" },
		{ .port = "65536", .error = "port '65536' is not NUMBER, NUMBER/tcp, NUMBER/udp or NUMBER/sctp" },
		{ .port = "80/http", .error = "port '80/http' is not NUMBER, NUMBER/tcp, NUMBER/udp or NUMBER/sctp" },
		{ .port = "80-90", .error = "port '80-90' is not NUMBER, NUMBER/tcp, NUMBER/udp or NUMBER/sctp" },
		{ .volume = "data", .error = "volume 'data' does not begin with a slash" },
		{ .dir = "srv", .error = "working directory 'srv' does not begin with a slash" },
		{ .signal = "SIGFOO", .error = "stop signal 'SIGFOO' is unknown" },
		{ .signal = "65", .error = "stop signal '65' is unknown" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_strv struct strv env = STRV_INIT(1), port = STRV_INIT(1), label = STRV_INIT(1),
				      volume = STRV_INIT(1);
		auto_str struct str text = STR_INIT(8192);
		struct pack_config c = { .env = &env, .ports = &port, .labels = &label, .volumes = &volume,
					 .working_dir = cases[i].dir, .stop_signal = cases[i].signal };
		struct digest diff_id;

		if (cases[i].env)
			strv_add(&env, cases[i].env);
		if (cases[i].port)
			strv_add(&port, cases[i].port);
		if (cases[i].label)
			strv_add(&label, cases[i].label);
		if (cases[i].volume)
			strv_add(&volume, cases[i].volume);
		assert_ok(digest_of(DIGEST_SHA256, "x", 1, &diff_id));
		assert_err(pack_config_encode(&c, 0, &diff_id, &text), cases[i].error);
	}
}

static void test_an_image_stands_in_the_store_and_twice_the_same(void **state)
{
	char path[128];
	struct image_ref refs[2];
	const struct pack_config config = { .user = "7" };

	(void)state;
	put(source_fd, "app", "#!/bin/true\n", 0755);
	put_time(source_fd, "app", 1234);
	auto_close int app = openat(source_fd, "app", O_RDONLY | O_CLOEXEC);
	for (int i = 0; i < 2; i++) {
		auto_store struct image_store *store = NULL;
		auto_arena struct arena *arena = NULL;
		const struct image *image;
		snprintf(path, sizeof path, "%s/store%d", top, i);
		assert_ok(image_store_open(path, IMAGE_STORE_SHARED, &store));
		assert_ok(image_pack(store, app, "app", &plain, &config, OCI_GZIP, "localhost/app:1", &refs[i]));
		assert_ok(arena_new(8 << 20, &arena));
		assert_ok(image_resolve(store, arena, "localhost/app:1", NULL, &image));
		assert_true(digest_equal(&image->digest, &refs[i].digest));
		assert_int_equal(image->config->config.entrypoint.count, 1);
		assert_string_equal(image->config->config.entrypoint.items[0], "/app");
		assert_string_equal(image->config->config.user, "7");
		assert_string_equal(image->config->created, "1970-01-01T00:20:34Z");
		assert_true(image_layer_exists(store, &image->config->rootfs.diff_ids.items[0]));
	}
	assert_true(digest_equal(&refs[0].digest, &refs[1].digest));
}

static void test_a_failing_pack_leaves_no_name(void **state)
{
	char path[128];
	auto_store struct image_store *store = NULL;
	auto_arena struct arena *arena = NULL;
	const struct pack_config config = { 0 };
	struct image_ref ref;
	struct image_refs refs;

	(void)state;
	put(source_fd, "a", "x", 0644);
	put(source_fd, ".wh.b", "x", 0644);
	snprintf(path, sizeof path, "%s/store", top);
	assert_ok(image_store_open(path, IMAGE_STORE_SHARED, &store));
	assert_err(image_pack(store, source_fd, NULL, &plain, &config, OCI_GZIP, "localhost/app:1", &ref),
		   "'.wh.b': a name that begins with '.wh.' would remove a file of a lower layer");
	assert_ok(arena_new(1 << 20, &arena));
	assert_ok(image_store_refs(store, arena, &refs));
	assert_int_equal(refs.count, 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_is_packed_is_what_is_extracted),
		TEST(test_the_same_files_give_the_same_bytes),
		TEST(test_owners_are_root_unless_kept_and_times_are_clamped),
		TEST(test_links_out_of_the_source_are_stored_not_followed),
		TEST(test_holes_are_found_by_content_on_any_file_system),
		TEST(test_names_that_mean_a_whiteout_are_refused),
		TEST(test_sockets_are_left_out),
		TEST(test_a_single_binary_gets_its_directories),
		TEST(test_static_binaries_are_told_from_others),
		TEST(test_the_config_says_what_the_options_said),
		TEST(test_wrong_values_of_the_config_are_named),
		TEST(test_an_image_stands_in_the_store_and_twice_the_same),
		TEST(test_a_failing_pack_leaves_no_name),
	};

	return cmocka_run_group_tests_name("images/pack", tests, NULL, NULL);
}
