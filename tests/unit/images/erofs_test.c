/* tests/unit/images/erofs_test.c: the kernel and the extractor show the same files for the same tar. */
#include "tests/unit/images/tar-make.h"

#include <sys/mount.h>

#include "images/extract.h"

/* Mount without a place: the descriptor is enough to look inside. -1 where this process may not. */
static int mount_index(int index_fd, int tar_fd)
{
	char source[PATH_FD_MAX], device[PATH_FD_MAX];
	auto_close int fs = fsopen("erofs", FSOPEN_CLOEXEC);

	if (fs < 0)
		return -1;
	path_of_fd(index_fd, source);
	path_of_fd(tar_fd, device);
	if (fsconfig(fs, FSCONFIG_SET_STRING, "source", source, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_SET_STRING, "device", device, 0) < 0 ||
	    fsconfig(fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0) < 0) {
		char text[512];
		ssize_t n = read(fs, text, sizeof text - 1);
		print_error("mount of the index: %s: %.*s\n", strerror(errno), (int)MAX(n, 0), text);
		fail();
	}
	return fsmount(fs, FSMOUNT_CLOEXEC, MOUNT_ATTR_RDONLY);
}

static int build_index(int tar_fd, struct layer_stats *stats)
{
	/* tmpfs cannot do the kernel's file-backed reads before 6.13; a file on disk always can. */
	char name[] = "/tmp/stube-erofs-XXXXXX";
	int fd = mkostemp(name, O_CLOEXEC);

	assert_true(fd >= 0);
	unlink(name);
	assert_ok(layer_index_build(tar_fd, fd, NULL, stats));
	return fd;
}

static void list_index(struct str *out, int tar_fd)
{
	auto_close int index_fd = build_index(tar_fd, NULL);
	auto_close int mount_fd = mount_index(index_fd, tar_fd);

	assert_true(mount_fd >= 0);
	list_tree(out, mount_fd, "");
	assert_ok(str_check(out));
}

static void list_extracted(struct str *out, int tar_fd)
{
	char top[] = "/tmp/stube-erofs-XXXXXX";

	assert_non_null(mkdtemp(top));
	auto_close int fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(layer_extract(tar_fd, fd, NULL, NULL));
	list_tree(out, fd, "");
	auto_close int tmp = open("/tmp", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	assert_ok(path_remove_all(tmp, top + strlen("/tmp/")));
}

#define ACL_ACCESS                                                                                 \
	"\2\0\0\0\1\0\6\0\377\377\377\377\2\0\7\0\52\0\0\0\4\0\4\0\377\377\377\377\20\0\7\0"        \
	"\377\377\377\377\40\0\4\0\377\377\377\377"

static const struct row every_kind[] = {
	{ '5', "./", .mode = 0751, .uid = 3, .mtime = 1000000000 },
	{ '5', "d", .mode = 02775, .gid = 50, .mtime = 1 },
	{ '0', "d/f", "hello", .mode = 04711, .uid = 70000, .gid = 80000, .pax = "mtime=1.000000007\nuid=4000000000" },
	{ '0', "d/empty", "" },
	{ '1', "d/g", "d/f" },
	{ '2', "d/link", "../../nowhere", .uid = 1 },
	{ '3', "d/tty", .mode = 0620, .major = 5, .minor = 1 },
	{ '4', "d/disk", .mode = 0660, .major = 259, .minor = 1000000 },
	{ '6', "d/fifo", .mode = 0600 },
	{ '5', "sticky", .mode = 01777, .pax = "mtime=-315521755.876543211" },
	{ '0', "caps", "x", .pax = "SCHILY.xattr.user.comment=a comment\nSCHILY.xattr.trusted.t=\n" },
	{ '5', "opaque" },
	{ '0', "opaque/.wh..wh..opq", "" },
	{ '0', "opaque/kept", "1" },
	{ '0', "sticky/.wh.gone", "" },
	{ '5', "attributes", .pax = "SCHILY.xattr.user.x=y" },
	{ 0 },
};

static bool may_mount;

static void compare(const char *name, int tar_fd)
{
	auto_str struct str mounted = STR_INIT(16 << 20), extracted = STR_INIT(16 << 20);

	if (!may_mount)
		skip();
	print_message("# %s\n", name);
	list_index(&mounted, tar_fd);
	list_extracted(&extracted, tar_fd);
	assert_true(mounted.len > 0);
	assert_string_equal(mounted.data, extracted.data);
}

static void test_every_kind_of_file_looks_the_same_mounted_and_extracted(void **state)
{
	auto_str struct str text = STR_INIT(1 << 20);
	auto_close int fd = make_tar(every_kind);

	(void)state;
	compare("every kind", fd);
	list_index(&text, fd);
	/* Both could be wrong together: the listing itself, for what matters most. */
	assert_non_null(strstr(text.data, "/ 40751 3:0 n0 1000000000.000000000\n"));
	assert_non_null(strstr(text.data, "/d/f 104711 4000000000:80000 n2 1.000000007 5 data="));
	assert_non_null(strstr(text.data, "/d/g 104711 4000000000:80000 n2"));
	assert_non_null(strstr(text.data, "/d/tty 20620 0:0 n1 0.000000000 5,1\n"));
	assert_non_null(strstr(text.data, "/d/disk 60660 0:0 n1 0.000000000 259,1000000\n"));
	assert_non_null(strstr(text.data, "/d/link 120777 1:0 n1 0.000000000 -> ../../nowhere\n"));
	assert_non_null(strstr(text.data, "/sticky 41777 0:0 n0 -315521756.123456789\n"));
	assert_non_null(strstr(text.data, "/sticky/gone WHITEOUT\n"));
	assert_non_null(strstr(text.data, "/opaque 40755 0:0 n0 0.000000000 OPAQUE\n"));
	assert_non_null(strstr(text.data, " trusted.t= user.comment=6120636f6d6d656e74\n"));
}

static void test_capabilities_and_acls_survive(void **state)
{
	/* Version 2, effective, cap_net_raw permitted; setxattr(2) refuses anything else. */
	static const char caps[] = "\1\0\0\2\0\40\0\0\0\0\0\0\0\0\0\0\0\0\0\0";
	int fd = memfd_create("tar", MFD_CLOEXEC);
	auto_str struct str pax = STR_INIT(4096), record = STR_INIT(4096), text = STR_INIT(1 << 20);

	(void)state;
	str_add(&record, "SCHILY.xattr.security.capability=");
	str_add_bytes(&record, caps, 20);
	add_pax(&pax, record.data, record.len);
	str_clear(&record);
	str_add(&record, "SCHILY.xattr.system.posix_acl_access=");
	str_add_bytes(&record, ACL_ACCESS, sizeof ACL_ACCESS - 1);
	add_pax(&pax, record.data, record.len);
	put_header(fd, &(struct row){ 'x', "PaxHeader" }, pax.len);
	put_padded(fd, pax.data, pax.len);
	put_row(fd, &(struct row){ '0', "ping", "x", .mode = 0674 });
	compare("capabilities and ACLs", fd);
	list_index(&text, fd);
	assert_non_null(strstr(text.data, " security.capability=0100000200200000"));
	assert_non_null(strstr(text.data, " system.posix_acl_access=02000000"));
	close(fd);
}

static void test_directories_of_any_size_and_names_of_any_length(void **state)
{
	/* Sizes around a block's end, where entries, inline tails and inodes meet it. */
	static const unsigned counts[] = { 1, 15, 16, 17, 18, 19, 33, 100, 3000 };

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		int fd = memfd_create("tar", MFD_CLOEXEC);
		for (unsigned k = 0; k < counts[i]; k++) {
			char path[300], pax[600], target[600];
			unsigned len = 1 + (k * 37) % (i < 5 ? 20 : 240);
			snprintf(path, sizeof path, "!dir/%0*u", (int)len, k);
			snprintf(pax, sizeof pax, "path=%s", path);
			put_row(fd, &(struct row){ '0', "x", "data", .pax = pax });
			snprintf(target, sizeof target, "linkpath=%0*u", (int)(1 + k % 550), k);
			snprintf(path, sizeof path, "links/-%u", k);
			put_row(fd, &(struct row){ '2', path, "x", .pax = target });
			if (k % 5 == 0) {
				snprintf(pax, sizeof pax, "SCHILY.xattr.user.a=%0*u", (int)(1 + k % 400), k);
				snprintf(path, sizeof path, "attributes/%u", k);
				put_row(fd, &(struct row){ '5', path, .pax = pax });
			}
		}
		compare("directory", fd);
		close(fd);
	}
}

static void test_sparse_files_are_mapped_with_their_holes(void **state)
{
	/* GNU format: two pieces of 512 bytes at 4096 and 1 MiB - 512, 1 MiB in all. */
	static const struct {
		const char *name, *map;
		const char *error;
	} cases[] = {
		{ "0.1", "GNU.sparse.major=0\nGNU.sparse.minor=1\nGNU.sparse.name=s\nGNU.sparse.size=1048576\n"
			 "GNU.sparse.map=4096,512,1048064,512\nGNU.sparse.numblocks=2", NULL },
		{ "0.0", "GNU.sparse.size=1048576\nGNU.sparse.numblocks=2\nGNU.sparse.offset=4096\n"
			 "GNU.sparse.numbytes=512\nGNU.sparse.offset=1048064\nGNU.sparse.numbytes=512", NULL },
		{ "a hole at the end", "GNU.sparse.major=0\nGNU.sparse.minor=1\nGNU.sparse.name=s\n"
			 "GNU.sparse.size=10000000\nGNU.sparse.map=0,512,4096,512,10000000,0\nGNU.sparse.numblocks=3", NULL },
		{ "pieces side by side", "GNU.sparse.major=0\nGNU.sparse.minor=1\nGNU.sparse.name=s\n"
			 "GNU.sparse.size=2048\nGNU.sparse.map=512,512,1024,512\nGNU.sparse.numblocks=2", NULL },
		{ "unaligned", "GNU.sparse.major=0\nGNU.sparse.minor=1\nGNU.sparse.name=s\nGNU.sparse.size=1048576\n"
			 "GNU.sparse.map=100,512,4096,512\nGNU.sparse.numblocks=2",
		  "layer: 's': sparse file whose pieces are no multiples of 512 bytes" },
		{ "a map without some of the data", "GNU.sparse.major=0\nGNU.sparse.minor=1\nGNU.sparse.name=s\n"
			 "GNU.sparse.size=1048576\nGNU.sparse.map=4096,512\nGNU.sparse.numblocks=1",
		  "layer: at byte 2560: Damaged tar archive" },
		{ "a map of more than the data", "GNU.sparse.major=0\nGNU.sparse.minor=1\nGNU.sparse.name=s\n"
			 "GNU.sparse.size=1048576\nGNU.sparse.map=4096,512,8192,1024\nGNU.sparse.numblocks=2",
		  "layer: 's': size of the data does not agree with its map" },
		{ "one piece too far", "GNU.sparse.major=0\nGNU.sparse.minor=1\nGNU.sparse.name=s\n"
			 "GNU.sparse.size=8000000000000\nGNU.sparse.map=512,512,1024,512\nGNU.sparse.numblocks=2",
		  "layer: 's': sparse files need a map of more than 4194304 entries" },
	};
	char data[1024];

	(void)state;
	memset(data, 'a', 512);
	memset(data + 512, 'b', 512);
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_close int fd = make_tar((struct row[]){
			{ '0', "s", .pax = cases[i].map, .bytes = data, .size = sizeof data }, { '0', "after", "z" }, { 0 } });
		if (cases[i].error) {
			auto_close int index_fd = memfd_create("index", MFD_CLOEXEC);
			assert_err(layer_index_build(fd, index_fd, NULL, NULL), cases[i].error);
		} else {
			compare(cases[i].name, fd);
		}
	}
}

static void test_a_file_beyond_4_gib_needs_one_map_entry(void **state)
{
	enum { GIB5 = 5 };
	uint64_t size = (uint64_t)GIB5 << 30;
	char name[] = "/tmp/stube-erofs-XXXXXX", text[16];
	auto_close int fd = mkostemp(name, O_CLOEXEC);
	struct stat st;

	(void)state;
	if (!may_mount)
		skip();
	unlink(name);
	put_header(fd, &(struct row){ '0', "big" }, size);
	/* The data is a hole of the tar file itself, but for the end. */
	assert_int_equal(pwrite(fd, "the end", 7, (off_t)(512 + size - 7)), 7);
	assert_int_equal(ftruncate(fd, (off_t)(512 + size + 1024)), 0);
	auto_close int index_fd = build_index(fd, NULL);
	assert_int_equal(fstat(index_fd, &st), 0);
	assert_true(st.st_size <= 2048);
	auto_close int mount_fd = mount_index(index_fd, fd);
	auto_close int big = openat(mount_fd, "big", O_RDONLY | O_CLOEXEC);
	assert_int_equal(fstat(big, &st), 0);
	assert_int_equal(st.st_size, size);
	assert_int_equal(pread(big, text, sizeof text, (off_t)size - 7), 7);
	assert_memory_equal(text, "the end", 7);
}

static void test_the_same_tar_gives_the_same_index(void **state)
{
	auto_close int tar_fd = make_tar(every_kind);
	auto_str struct str first = STR_INIT(1 << 20), second = STR_INIT(1 << 20);
	struct layer_stats stats;
	auto_close int a = build_index(tar_fd, &stats), b = build_index(tar_fd, NULL);

	(void)state;
	lseek(a, 0, SEEK_SET);
	lseek(b, 0, SEEK_SET);
	assert_ok(fd_read_all(a, &first));
	assert_ok(fd_read_all(b, &second));
	assert_true(first.len > 1024);
	assert_int_equal(first.len, second.len);
	assert_memory_equal(first.data, second.data, first.len);
	assert_int_equal(stats.entries, 16);
	assert_int_equal(stats.files, 4);
	assert_int_equal(stats.inodes, 14);
	assert_int_equal(stats.bytes, 7);
}

static void test_bytes_that_are_no_tar_are_errors(void **state)
{
	auto_close int index_fd = memfd_create("index", MFD_CLOEXEC);
	static const char zeros[2048];
	char noise[2048];

	(void)state;
	memset(noise, 'n', sizeof noise);
	auto_close int none = memfd_create("tar", MFD_CLOEXEC);
	assert_ok(layer_index_build(none, index_fd, NULL, NULL));
	assert_ok(fd_write_all(none, zeros, sizeof zeros));
	assert_ok(layer_index_build(none, index_fd, NULL, NULL));
	auto_close int bad = memfd_create("tar", MFD_CLOEXEC);
	assert_ok(fd_write_all(bad, noise, sizeof noise));
	assert_err(layer_index_build(bad, index_fd, NULL, NULL),
		   "layer: no tar archive: Unrecognized archive format");
}

static void test_an_archive_cut_short_is_an_error(void **state)
{
	auto_close int fd = make_tar((struct row[]){ { '0', "f", "12345" }, { 0 } });
	auto_close int index_fd = memfd_create("index", MFD_CLOEXEC);

	(void)state;
	assert_int_equal(ftruncate(fd, 512 + 5), 0);
	assert_err_code(layer_index_build(fd, index_fd, NULL, NULL), EINVAL);
	assert_int_equal(ftruncate(fd, 512), 0);
	assert_err_code(layer_index_build(fd, index_fd, NULL, NULL), EINVAL);
}

static int setup(void **state)
{
	auto_close int fs = fsopen("erofs", FSOPEN_CLOEXEC);

	(void)state;
	may_mount = fs >= 0;
	if (!may_mount)
		print_message("# SKIP mounts: no right to mount, or a kernel without EROFS: %s\n", strerror(errno));
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_kind_of_file_looks_the_same_mounted_and_extracted),
		cmocka_unit_test(test_capabilities_and_acls_survive),
		cmocka_unit_test(test_directories_of_any_size_and_names_of_any_length),
		cmocka_unit_test(test_sparse_files_are_mapped_with_their_holes),
		cmocka_unit_test(test_a_file_beyond_4_gib_needs_one_map_entry),
		cmocka_unit_test(test_the_same_tar_gives_the_same_index),
		cmocka_unit_test(test_bytes_that_are_no_tar_are_errors),
		cmocka_unit_test(test_an_archive_cut_short_is_an_error),
	};
	return cmocka_run_group_tests_name("images/erofs", tests, setup, NULL);
}
