/* tests/unit/images/mount_test.c: a root made of layers, from indexes and from trees, with and without ids. */
#include "tests/unit/images/tar-make.h"

#include <sched.h>
#include <sys/mount.h>
#include <sys/statvfs.h>
#include <sys/vfs.h>
#include <sys/wait.h>

#include "base/file.h"
#include "images/mount.h"

enum { LAYERS_MAX = 3 };

/* TOP/layerN as the store has them, TOP/pins, TOP/state. */
static char top[64];
static int top_fd = -1, pins_fd = -1, state_fd = -1;
static int layer_fds[LAYERS_MAX];
static const char *layer_names[LAYERS_MAX] = { "sha256-aa", "sha256-bb", "sha256-cc" };

static int make_dir_at(int dir_fd, const char *name)
{
	assert_int_equal(mkdirat(dir_fd, name, 0700), 0);
	int fd = openat(dir_fd, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_true(fd >= 0);
	return fd;
}

/* Enough for tests: what the store does with a tar that came. */
static void put_layer(size_t i, const struct row *rows)
{
	char name[16];
	auto_str struct str bytes = STR_INIT(16 << 20);
	auto_close int tar_fd = make_tar(rows);

	snprintf(name, sizeof name, "layer%zu", i);
	layer_fds[i] = make_dir_at(top_fd, name);
	lseek(tar_fd, 0, SEEK_SET);
	assert_ok(fd_read_all(tar_fd, &bytes));
	assert_ok(file_replace_volatile(layer_fds[i], LAYER_TAR, bytes.data, bytes.len, 0600));
	auto_close int index_fd = openat(layer_fds[i], LAYER_INDEX, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_ok(layer_index_build(tar_fd, index_fd, NULL, NULL));
}

static int setup(void **state)
{
	(void)state;
	snprintf(top, sizeof top, "/tmp/stube-mount-XXXXXX");
	assert_non_null(mkdtemp(top));
	chmod(top, 0755);
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	pins_fd = make_dir_at(top_fd, "pins");
	state_fd = make_dir_at(top_fd, "state");
	for (size_t i = 0; i < LAYERS_MAX; i++)
		layer_fds[i] = -1;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	assert_ok(image_pins_release(pins_fd, NULL, NULL, NULL));
	for (size_t i = 0; i < LAYERS_MAX; i++)
		fd_clear(&layer_fds[i]);
	fd_clear(&pins_fd);
	fd_clear(&state_fd);
	fd_clear(&top_fd);
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(path_remove_all(tmp, top + strlen("/tmp/")));
	return 0;
}

static struct image_root_options options_for(size_t layers)
{
	struct image_root_options o = IMAGE_ROOT_OPTIONS;

	o.layer_fds = layer_fds;
	o.layer_names = layer_names;
	o.layer_count = layers;
	o.pins_fd = pins_fd;
	o.state_fd = state_fd;
	return o;
}

static void read_at(int dir_fd, const char *name, char out[static 64])
{
	auto_close int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
	ssize_t n = fd < 0 ? snprintf(out, 64, "%s", strerror(errno)) : read(fd, out, 63);

	assert_true(n >= 0);
	out[n] = '\0';
}

#define assert_content(dir_fd, name, expected)                                                     \
	do {                                                                                       \
		char content_[64];                                                                 \
		read_at(dir_fd, name, content_);                                                   \
		assert_string_equal(content_, expected);                                           \
	} while (0)
#define GONE "No such file or directory"

static void write_at(int dir_fd, const char *name, const char *text)
{
	assert_ok(file_replace_volatile(dir_fd, name, text, strlen(text), 0644));
}

static const struct row base_rows[] = {
	{ '5', "./", .mode = 0700, .uid = 1 },
	{ '0', "etc/a", "base a", .mode = 04755, .uid = 5, .gid = 6 },
	{ '0', "etc/b", "base b" },
	{ '0', "old/x", "base x" },
	{ '0', "old/y", "base y" },
	{ '0', "gone", "base gone" },
	{ '0', "dir/z", "base z" },
	{ '3', "zero", .mode = 0666, .major = 1, .minor = 5 },
	{ 0 },
};
static const struct row next_rows[] = {
	{ '5', "./", .mode = 0751, .uid = 7, .mtime = 1000000007, .pax = "SCHILY.xattr.user.root=mark" },
	{ '0', "etc/b", "next b" },
	{ '5', "old" },
	{ '0', "old/.wh..wh..opq", "" },
	{ '0', "old/n", "next n" },
	{ '0', ".wh.gone", "" },
	{ '0', "dir", "now a file" },
	{ 0 },
};

static void assert_merged(int root_fd)
{
	assert_content(root_fd, "etc/a", "base a");
	assert_content(root_fd, "etc/b", "next b");
	assert_content(root_fd, "old/x", GONE);
	assert_content(root_fd, "old/n", "next n");
	assert_content(root_fd, "gone", GONE);
	assert_content(root_fd, "dir", "now a file");
}

static void assert_root_looks(int root_fd, unsigned mode, unsigned uid)
{
	struct stat st;

	assert_int_equal(fstat(root_fd, &st), 0);
	assert_int_equal(st.st_mode & 07777, mode);
	assert_int_equal(st.st_uid, uid);
}

static void test_layers_merge_as_images_mean_it(void **state)
{
	struct image_root_options o;
	char value[8];
	struct stat st;
	char path[PATH_FD_MAX];

	(void)state;
	put_layer(0, base_rows);
	put_layer(1, next_rows);
	for (int trees = 0; trees < 2; trees++) {
		auto_close int root = -1;
		o = options_for(2);
		o.trees = trees;
		assert_ok(image_root_mount(&o, &root));
		assert_merged(root);
		assert_root_looks(root, 0751, 7);
		assert_int_equal(fstat(root, &st), 0);
		assert_int_equal(st.st_mtim.tv_sec, 1000000007);
		assert_int_equal(getxattr(path_of_fd(root, path), "user.root", value, sizeof value), 4);
		assert_ok(image_root_remove(state_fd));
		fd_clear(&root);
	}
}

static void test_what_was_written_is_there_again_and_the_layers_are_untouched(void **state)
{
	struct image_root_options o;
	auto_str struct str before = STR_INIT(1 << 20), after = STR_INIT(1 << 20);

	(void)state;
	put_layer(0, base_rows);
	o = options_for(1);
	o.volatile_upper = true;
	for (int round = 0; round < 2; round++) {
		auto_close int root = -1;
		assert_ok(image_root_mount(&o, &root));
		if (round == 1)
			assert_content(root, "etc/new", "written");
		write_at(root, "etc/new", "written");
		write_at(root, "etc/b", "changed");
		assert_int_equal(unlinkat(root, "etc/a", 0), 0);
		assert_content(root, "etc/b", "changed");
		write_at(root, "etc/a", "again");
	}
	assert_ok(image_root_remove(state_fd));
	auto_close int root = -1;
	assert_ok(image_root_mount(&o, &root));
	assert_content(root, "etc/new", GONE);
	assert_content(root, "etc/b", "base b");
	assert_content(root, "etc/a", "base a");
}

static void test_a_layer_is_mounted_once_and_pinned_until_released(void **state)
{
	struct image_root_options o;
	auto_close int first = -1, second = -1;
	auto_close int other = make_dir_at(top_fd, "state2");
	struct stat a, b;
	size_t count = 0;

	(void)state;
	put_layer(0, base_rows);
	o = options_for(1);
	assert_ok(image_root_mount(&o, &first));
	o.state_fd = other;
	assert_ok(image_root_mount(&o, &second));
	assert_int_equal(fstatat(first, "etc/a", &a, 0), 0);
	assert_int_equal(fstatat(second, "etc/a", &b, 0), 0);
	assert_int_equal(a.st_ino & 0xffffffff, b.st_ino & 0xffffffff);
	assert_ok(image_pins_release(pins_fd, NULL, NULL, &count));
	assert_int_equal(count, 1);
	assert_content(first, "etc/a", "base a");
	assert_content(second, "etc/b", "base b");
	assert_ok(image_pins_release(pins_fd, NULL, NULL, &count));
	assert_int_equal(count, 0);
}

static bool keep_aa(const char *name, void *arg)
{
	(void)arg;
	return str_equal(name, "sha256-aa");
}

static void test_release_keeps_what_is_in_use(void **state)
{
	struct image_root_options o;
	auto_close int root = -1;
	size_t count = 0;

	(void)state;
	put_layer(0, base_rows);
	put_layer(1, next_rows);
	o = options_for(2);
	assert_ok(image_root_mount(&o, &root));
	assert_ok(image_pins_release(pins_fd, keep_aa, NULL, &count));
	assert_int_equal(count, 1);
	assert_ok(image_pins_release(pins_fd, NULL, NULL, &count));
	assert_int_equal(count, 1);
}

static void test_a_rebuilt_index_does_not_meet_the_old_pin(void **state)
{
	struct image_root_options o;
	auto_close int root = -1, again = -1;

	(void)state;
	put_layer(0, base_rows);
	o = options_for(1);
	o.state_fd = -1;
	assert_ok(image_root_mount(&o, &root));
	assert_int_equal(renameat(top_fd, "layer0", top_fd, "was"), 0);
	fd_clear(&layer_fds[0]);
	put_layer(0, next_rows);
	assert_ok(image_root_mount(&o, &again));
	assert_content(again, "etc/b", "next b");
	assert_content(root, "etc/b", "base b");
}

/* A user namespace held by a child: first..first+size-1 on the host are 0.. inside. */
static int make_userns(unsigned first, unsigned size, pid_t *ret_pid)
{
	char map[64], path[64];
	int ready[2], die[2];
	char byte;

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(die, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		close(die[1]);
		byte = unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
		if (write(ready[1], &byte, 1) == 1 && read(die[0], &byte, 1) >= 0)
			_exit(0);
		_exit(1);
	}
	close(ready[1]);
	close(die[0]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	assert_int_equal(byte, 'y');
	close(ready[0]);
	snprintf(map, sizeof map, "0 %u %u", first, size);
	snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
	assert_ok(file_put(AT_FDCWD, path, map));
	snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
	assert_ok(file_put(AT_FDCWD, path, map));
	snprintf(path, sizeof path, "/proc/%d/ns/user", pid);
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	assert_true(fd >= 0);
	close(die[1]);
	*ret_pid = pid;
	return fd;
}

static void test_ids_are_those_of_the_user_namespace(void **state)
{
	struct image_root_options o;
	pid_t pid;
	struct stat st;

	(void)state;
	put_layer(0, base_rows);
	put_layer(1, next_rows);
	auto_close int userns = make_userns(100000, 1000, &pid);
	for (int way = 0; way < 5; way++) {
		auto_close int root = -1;
		o = options_for(2);
		o.userns_fd = userns;
		o.trees = way == 1 || way == 4;
		o.attach_layers = way == 2 || way == 4;
		o.join_layers = way == 4; /* Linux 6.1 */
		o.pins_fd = way == 3 ? -1 : pins_fd;
		assert_ok(image_root_mount(&o, &root));
		assert_merged(root);
		assert_root_looks(root, 0751, 100007);
		assert_int_equal(fstatat(root, "etc/a", &st, 0), 0);
		assert_int_equal(st.st_uid, 100005);
		assert_int_equal(st.st_gid, 100006);
		assert_int_equal(st.st_mode & 07777, 04755);
		assert_int_equal(fchownat(root, "etc/a", 100009, 100009, 0), 0);
		assert_int_equal(fstatat(state_fd, "upper/etc/a", &st, 0), 0);
		assert_int_equal(st.st_uid, 100009);
		assert_ok(image_root_remove(state_fd));
	}
	waitpid(pid, NULL, 0);
}

static void test_more_layers_than_an_old_kernel_takes_are_refused_in_words(void **state)
{
	int fds[100];
	char before[256], after[256];

	(void)state;
	put_layer(0, base_rows);
	for (size_t i = 0; i < ARRAY_LEN(fds); i++)
		fds[i] = layer_fds[0];
	struct image_root_options o = options_for(ARRAY_LEN(fds));
	o.layer_fds = fds;
	o.layer_names = NULL;
	o.trees = o.join_layers = true;
	auto_close int root = -1;
	assert_err(image_root_mount(&o, &root), "root of layers: 100 layers are more than this kernel takes");
	/* What fails and what does not leaves the working directory where it was. */
	assert_non_null(getcwd(before, sizeof(before)));
	o.layer_count = 1;
	assert_ok(image_root_mount(&o, &root));
	assert_string_equal(getcwd(after, sizeof(after)), before);
	assert_content(root, "etc/b", "base b");
}

static void test_a_root_without_upper_layer_cannot_be_written(void **state)
{
	struct image_root_options o;

	(void)state;
	put_layer(0, base_rows);
	for (size_t layers = 0; layers < 2; layers++) {
		auto_close int root = -1;
		o = options_for(layers);
		o.state_fd = -1;
		assert_ok(image_root_mount(&o, &root));
		assert_content(root, "etc/b", layers ? "base b" : GONE);
		assert_int_equal(mkdirat(root, "new", 0755), -1);
		assert_int_equal(errno, EROFS);
	}
}

static void test_an_image_without_layers_is_an_empty_root(void **state)
{
	struct image_root_options o = options_for(0);
	auto_close int root = -1;

	(void)state;
	assert_ok(image_root_mount(&o, &root));
	assert_root_looks(root, 0755, 0);
	write_at(root, "x", "y");
}

static void test_an_opaque_root_hides_the_layers_below(void **state)
{
	struct image_root_options o;

	(void)state;
	put_layer(0, base_rows);
	put_layer(1, (struct row[]){ { '0', ".wh..wh..opq", "" }, { '0', "only", "this" }, { 0 } });
	for (int trees = 0; trees < 2; trees++) {
		auto_close int root = -1;
		o = options_for(2);
		o.trees = trees;
		assert_ok(image_root_mount(&o, &root));
		assert_content(root, "only", "this");
		assert_content(root, "etc/b", GONE);
		assert_ok(image_root_remove(state_fd));
	}
}

static void test_a_folder_that_a_layer_swaps_for_a_link_leads_nowhere(void **state)
{
	struct image_root_options o;
	char target[256], outside[128];

	(void)state;
	snprintf(outside, sizeof outside, "%s/state", top);
	put_layer(0, (struct row[]){ { '0', "dir/x", "1" }, { 0 } });
	put_layer(1, (struct row[]){ { '2', "dir", outside }, { 0 } });
	put_layer(2, (struct row[]){ { '0', "dir/x", "attack" }, { 0 } });
	for (int trees = 0; trees < 2; trees++) {
		auto_close int root = -1;
		o = options_for(3);
		o.trees = trees;
		o.state_fd = -1;
		assert_ok(image_root_mount(&o, &root));
		assert_content(root, "dir/x", "attack");
		assert_int_equal(readlinkat(root, "dir", target, sizeof target), -1);
		assert_int_equal(faccessat(state_fd, "x", F_OK, 0), -1);
	}
}

static void test_devices_of_an_image_do_not_open_unless_allowed(void **state)
{
	struct image_root_options o;
	struct statvfs fs;

	(void)state;
	put_layer(0, base_rows);
	for (int allowed = 0; allowed < 2; allowed++) {
		auto_close int root = -1;
		o = options_for(1);
		o.devices = allowed;
		assert_ok(image_root_mount(&o, &root));
		auto_close int zero = openat(root, "zero", O_RDONLY | O_CLOEXEC);
		assert_int_equal(zero >= 0, allowed);
		/* The pins are nosuid; the root itself must honour the image's set-id bits. */
		assert_int_equal(fstatvfs(root, &fs), 0);
		assert_int_equal(fs.f_flag & (ST_NOSUID | ST_NOEXEC), 0);
	}
}

static void test_a_layer_without_index_is_named(void **state)
{
	struct image_root_options o;
	int root;

	(void)state;
	put_layer(0, base_rows);
	o = options_for(1);
	unlinkat(layer_fds[0], LAYER_INDEX, 0);
	assert_err(image_root_mount(&o, &root),
		   "layer sha256-aa: open 'index.erofs': No such file or directory");
}

static void test_a_damaged_index_is_an_error(void **state)
{
	struct image_root_options o;
	int root;
	err *e;

	(void)state;
	put_layer(0, base_rows);
	assert_ok(file_replace_volatile(layer_fds[0], LAYER_INDEX, "no index", 8, 0600));
	o = options_for(1);
	e = image_root_mount(&o, &root);
	assert_non_null(e);
	assert_string_equal(e->message, "layer sha256-aa");
	err_free(e);
}

static void test_extraction_goes_on_after_a_kill(void **state)
{
	auto_close int tree = -1;

	(void)state;
	put_layer(0, base_rows);
	auto_close int partial = make_dir_at(layer_fds[0], LAYER_TREE ".partial");
	write_at(partial, "half", "made");
	assert_ok(layer_tree_ensure(layer_fds[0], NULL, &tree));
	assert_content(tree, "half", GONE);
	assert_content(tree, "etc/b", "base b");
	assert_int_equal(faccessat(layer_fds[0], LAYER_TREE ".partial", F_OK, 0), -1);
	assert_ok(layer_tree_remove(layer_fds[0]));
	assert_int_equal(faccessat(layer_fds[0], LAYER_TREE, F_OK, 0), -1);
}

/* Run as root of a user namespace whose 0 is `host_id`, with a mount namespace of its own. */
static int in_userns(unsigned host_id, unsigned size, int (*run)(void))
{
	int ready[2], go[2], status;
	char map[64], path[64], byte = 'x';

	assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
	assert_int_equal(pipe2(go, O_CLOEXEC), 0);
	pid_t pid = fork();
	if (pid == 0) {
		if (setgid(host_id) < 0 || setuid(host_id) < 0 || unshare(CLONE_NEWUSER | CLONE_NEWNS) < 0)
			_exit(100);
		if (write(ready[1], &byte, 1) != 1 || read(go[0], &byte, 1) != 1)
			_exit(101);
		if (setgid(0) < 0 || setuid(0) < 0)
			_exit(102);
		_exit(run());
	}
	assert_int_equal(read(ready[0], &byte, 1), 1);
	snprintf(map, sizeof map, "0 %u %u", host_id, size);
	snprintf(path, sizeof path, "/proc/%d/uid_map", pid);
	assert_ok(file_put(AT_FDCWD, path, map));
	snprintf(path, sizeof path, "/proc/%d/gid_map", pid);
	assert_ok(file_put(AT_FDCWD, path, map));
	assert_int_equal(write(go[1], &byte, 1), 1);
	close(ready[0]), close(ready[1]), close(go[0]), close(go[1]);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 200;
}

static int report(err *e)
{
	auto_str struct str text = STR_INIT(4096);

	err_format(e, &text);
	print_message("# %s\n", text.data);
	err_free(e);
	return 1;
}

static bool has(int dir_fd, const char *name, const char *expected)
{
	char content[64];

	read_at(dir_fd, name, content);
	return str_equal(content, expected);
}

/* The mounts behind descriptors from before belong to the namespace that was left. */
static void reopen(void)
{
	char path[128];

	fd_clear(&state_fd);
	snprintf(path, sizeof path, "%s/state", top);
	state_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	for (size_t i = 0; i < 2; i++) {
		fd_clear(&layer_fds[i]);
		snprintf(path, sizeof path, "%s/layer%zu", top, i);
		layer_fds[i] = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	}
}

static int rootless_root(void)
{
	reopen();
	struct image_root_options o = options_for(2);
	auto_close int root = -1;
	auto_strv struct strv out = STRV_INIT(10);
	struct stat st;

	o.trees = true;
	o.extract.user_namespace = true;
	o.extract.left_out = &out;
	err *e = image_root_mount(&o, &root);
	if (e)
		return report(e);
	if (!has(root, "etc/b", "next b") || !has(root, "old/x", GONE) || !has(root, "gone", GONE) ||
	    !has(root, "old/n", "next n"))
		return 2;
	if (fstatat(root, "etc/a", &st, 0) < 0 || st.st_uid != 5 || (st.st_mode & 07777) != 04755)
		return 3;
	if (fstat(root, &st) < 0 || st.st_uid != 7 || (st.st_mode & 07777) != 0751)
		return 4;
	if (out.count != 1 || !str_equal(out.items[0], "device node 'zero'"))
		return 5;
	err_free(file_replace_volatile(root, "etc/new", "x", 1, 0644));
	if (!has(root, "etc/new", "x"))
		return 6;
	fd_clear(&root);
	e = image_root_remove(state_fd);
	for (size_t i = 0; i < 2 && !e; i++)
		e = layer_tree_remove(layer_fds[i]);
	return e ? report(e) : 0;
}

static int rootless_single_id(void)
{
	struct image_root_options o = options_for(2);
	int root;

	o.trees = true;
	o.extract.user_namespace = true;
	err *e = image_root_mount(&o, &root);
	if (!e)
		return 1;
	bool hint = e->code == EPERM && err_first_hint(e);
	auto_str struct str text = STR_INIT(4096);
	err_format(e, &text);
	err_free(e);
	bool named = str_equal(text.data, "layer sha256-bb: extract '': owner 7:0 is not mapped here");
	if (!named)
		print_message("# %s\n", text.data);
	return hint && named ? 0 : 2;
}

static void give_to(unsigned id)
{
	static const char *const names[] = { LAYER_TAR, LAYER_INDEX };

	for (size_t i = 0; i < 2; i++) {
		assert_int_equal(fchown(layer_fds[i], id, id), 0);
		for (size_t k = 0; k < ARRAY_LEN(names); k++)
			assert_int_equal(fchownat(layer_fds[i], names[k], id, id, 0), 0);
	}
	assert_int_equal(fchown(state_fd, id, id), 0);
	assert_int_equal(fchown(pins_fd, id, id), 0);
}

static void test_a_mapped_root_extracts_mounts_and_removes(void **state)
{
	(void)state;
	put_layer(0, base_rows);
	put_layer(1, next_rows);
	give_to(200000);
	assert_int_equal(in_userns(200000, 1000, rootless_root), 0);
}

static void test_an_owner_that_is_not_mapped_is_named(void **state)
{
	(void)state;
	put_layer(0, base_rows);
	put_layer(1, next_rows);
	give_to(200000);
	assert_int_equal(in_userns(200000, 1, rootless_single_id), 0);
}

static int probe(void)
{
	return image_index_supported(state_fd) ? 1 : 0;
}

static void test_the_probe_says_yes_here_and_no_in_a_user_namespace(void **state)
{
	(void)state;
	assert_true(image_index_supported(top_fd));
	put_layer(0, base_rows);
	put_layer(1, next_rows);
	give_to(200000);
	assert_int_equal(in_userns(200000, 1000, probe), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_layers_merge_as_images_mean_it),
		TEST(test_what_was_written_is_there_again_and_the_layers_are_untouched),
		TEST(test_a_layer_is_mounted_once_and_pinned_until_released),
		TEST(test_release_keeps_what_is_in_use),
		TEST(test_a_rebuilt_index_does_not_meet_the_old_pin),
		TEST(test_ids_are_those_of_the_user_namespace),
		TEST(test_more_layers_than_an_old_kernel_takes_are_refused_in_words),
		TEST(test_a_root_without_upper_layer_cannot_be_written),
		TEST(test_an_image_without_layers_is_an_empty_root),
		TEST(test_an_opaque_root_hides_the_layers_below),
		TEST(test_a_folder_that_a_layer_swaps_for_a_link_leads_nowhere),
		TEST(test_devices_of_an_image_do_not_open_unless_allowed),
		TEST(test_a_layer_without_index_is_named),
		TEST(test_a_damaged_index_is_an_error),
		TEST(test_extraction_goes_on_after_a_kill),
		TEST(test_a_mapped_root_extracts_mounts_and_removes),
		TEST(test_an_owner_that_is_not_mapped_is_named),
		TEST(test_the_probe_says_yes_here_and_no_in_a_user_namespace),
	};

	/* Pins are attached mounts: in a namespace of our own. */
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
		printf("1..0 # SKIP mounts need root: %s\n", strerror(errno));
		return 0;
	}
	return cmocka_run_group_tests_name("images/mount", tests, NULL, NULL);
}
