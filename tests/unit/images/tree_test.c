/* tests/unit/images/tree_test.c: what a layer's tar means, entry by entry. */
#include "tests/unit/images/tar-make.h"

#include "images/tree.h"

/* One line a name: path, kind, and what is not the usual. */
static void describe(const struct tree *t, struct str *out)
{
	for (size_t i = 0; i < t->count; i++) {
		const struct tree_node *n = t->nodes[i];
		const struct tree_inode *in = n->inode;
		auto_str struct str path = STR_INIT(8192);

		tree_path(n, &path);
		str_addf(out, "/%s", path.data);
		if (n->whiteout) {
			str_add(out, " whiteout\n");
			continue;
		}
		str_addf(out, " %o", in->mode);
		if (in->uid || in->gid)
			str_addf(out, " %u:%u", in->uid, in->gid);
		if (in->size && !in->target)
			str_addf(out, " %llu bytes", (unsigned long long)in->size);
		if (in->target)
			str_addf(out, " -> %s", in->target);
		if (in->nlink > 1 && !S_ISDIR(in->mode))
			str_addf(out, " %u links", in->nlink);
		for (const struct tree_xattr *x = in->xattrs; x; x = x->next)
			str_addf(out, " %s=%.*s", x->name, (int)x->size, (const char *)x->value);
		if (n->opaque)
			str_add(out, " opaque");
		str_add_char(out, '\n');
	}
}

#define ROOT "/ 40755\n"

static const struct {
	const char *name;
	struct row rows[8];
	const char *expected; /* listing */
	const char *error;    /* or the whole error */
} cases[] = {
	{ "an empty tar is an empty root", { { 0 } }, ROOT, NULL },
	{ "missing parents are made with defaults",
	  { { '0', "a/b/c", "x", .uid = 7 } },
	  ROOT "/a 40755\n/a/b 40755\n/a/b/c 100644 7:0 1 bytes\n", NULL },
	{ "the root's own entry sets its mode", { { '5', "./", .mode = 0700, .uid = 5 } }, "/ 40700 5:0\n", NULL },
	{ "a later file replaces an earlier one",
	  { { '0', "f", "old" }, { '0', "./f", "newer", .mode = 0600 } },
	  ROOT "/f 100600 5 bytes\n", NULL },
	{ "a directory over a directory keeps the children",
	  { { '0', "d/x", "1" }, { '5', "d/", .mode = 0711 } },
	  ROOT "/d 40711\n/d/x 100644 1 bytes\n", NULL },
	{ "a file over a directory takes the children away",
	  { { '0', "d/x", "1" }, { '0', "d", "f" }, { '5', "d" }, { '0', "d/y", "2" } },
	  ROOT "/d 40755\n/d/y 100644 1 bytes\n", NULL },
	{ "names that climb or begin at the root stay inside",
	  { { '0', "../../etc/x", "1" }, { '0', "/abs", "2" }, { '0', "a/../../b", "3" }, { '0', "./c/./d/..//e", "" } },
	  ROOT "/abs 100644 1 bytes\n/b 100644 1 bytes\n/c 40755\n/etc 40755\n/c/e 100644\n/etc/x 100644 1 bytes\n", NULL },
	{ "a link in a path is followed inside the tree only",
	  { { '2', "lib", "usr/lib" }, { '0', "lib/x", "1" }, { '2', "out", "../../../etc" }, { '0', "out/y", "2" },
	    { '2', "abs", "/etc" }, { '0', "abs/z", "3" } },
	  ROOT "/abs 120777 -> /etc\n/etc 40755\n/lib 120777 -> usr/lib\n/out 120777 -> ../../../etc\n/usr 40755\n"
	       "/etc/y 100644 1 bytes\n/etc/z 100644 1 bytes\n/usr/lib 40755\n/usr/lib/x 100644 1 bytes\n", NULL },
	{ "links that lead in circles are an error",
	  { { '2', "a", "b" }, { '2', "b", "a" }, { '0', "a/x", "1" } }, NULL,
	  "layer: 'a/x': too many symbolic links" },
	{ "a name below a file is an error", { { '0', "f", "1" }, { '0', "f/x", "2" } }, NULL,
	  "layer: 'f/x': 'f' is not a directory" },
	{ "a root that is a link is an error", { { '2', "/.", "/etc" } }, NULL,
	  "layer: '/.': the root of a layer must be a directory" },
	{ "a root that is a file is an error", { { '0', "./.", "x" } }, NULL,
	  "layer: './.': the root of a layer must be a directory" },
	{ "a damaged header is an error", { { '0', "./", .bytes = "x", .size = 1 } }, NULL,
	  "layer: at byte 1024: Damaged tar archive" },
	{ "a root that is a hard link is an error", { { '0', "f", "1" }, { '1', "..", "f" } }, NULL,
	  "layer: '..': the root of a layer must be a directory" },
	{ "hard links share a file",
	  { { '0', "a", "1" }, { '1', "b", "a" }, { '1', "d/c", "/./a" }, { '0', "a", "new" } },
	  ROOT "/a 100644 3 bytes\n/b 100644 1 bytes 2 links\n/d 40755\n/d/c 100644 1 bytes 2 links\n", NULL },
	{ "a hard link to a symbolic link shares the link",
	  { { '2', "s", "/etc/shadow" }, { '1', "t", "s" } },
	  ROOT "/s 120777 -> /etc/shadow 2 links\n/t 120777 -> /etc/shadow 2 links\n", NULL },
	{ "a hard link onto itself changes nothing", { { '0', "a", "1" }, { '1', "a", "a" } }, ROOT "/a 100644 1 bytes\n", NULL },
	{ "a hard link out of the layer is an error", { { '1', "x", "../../etc/shadow" } }, NULL,
	  "layer: 'x': hard link to '../../etc/shadow': 'etc' is not in the layer" },
	{ "a hard link to what comes later is an error", { { '1', "x", "y" }, { '0', "y", "1" } }, NULL,
	  "layer: 'x': hard link to 'y', which is not in the layer" },
	{ "a hard link to a directory is an error", { { '5', "d" }, { '1', "x", "d" } }, NULL,
	  "layer: 'x': hard link to 'd', which is a directory" },
	{ "a hard link to a whiteout is an error", { { '0', ".wh.y", "" }, { '1', "x", "y" } }, NULL,
	  "layer: 'x': hard link to 'y', which is not in the layer" },
	{ "a whiteout hides its name", { { '0', "d/.wh.gone", "" } }, ROOT "/d 40755\n/d/gone whiteout\n", NULL },
	{ "a whiteout before or after a file of the layer leaves the file",
	  { { '0', ".wh.a", "" }, { '0', "a", "1" }, { '0', "b", "2" }, { '0', ".wh.b", "" } },
	  ROOT "/a 100644 1 bytes\n/b 100644 1 bytes\n", NULL },
	{ "a whiteout beside a directory of the layer makes it opaque",
	  { { '0', ".wh.a", "" }, { '0', "a/x", "" }, { '5', "b" }, { '0', ".wh.b", "" } },
	  ROOT "/a 40755 opaque\n/b 40755 opaque\n/a/x 100644\n", NULL },
	{ "an opaque mark counts whatever its place",
	  { { '0', "a/.wh..wh..opq", "" }, { '0', "a/x", "" }, { '5', "a", .mode = 0700 }, { '0', "b/y", "" },
	    { '0', "b/.wh..wh..opq", "" } },
	  ROOT "/a 40700 opaque\n/b 40755 opaque\n/a/x 100644\n/b/y 100644\n", NULL },
	{ "the root may be opaque", { { '0', ".wh..wh..opq", "" } }, "/ 40755 opaque\n", NULL },
	{ "overlay's own whiteout is one", { { '3', "x", .major = 0, .minor = 0 } }, ROOT "/x whiteout\n", NULL },
	{ "a whiteout of nothing is an error", { { '0', "d/.wh.", "" } }, NULL,
	  "layer: 'd/.wh.': whiteout of '', which is no name" },
	{ "a whiteout of the directory is an error", { { '0', "d/.wh..", "" } }, NULL,
	  "layer: 'd/.wh..': whiteout of '.', which is no name" },
	{ "a whiteout of the parent is an error", { { '0', "d/.wh...", "" } }, NULL,
	  "layer: 'd/.wh...': whiteout of '..', which is no name" },
	{ "a file below a whiteout is an error", { { '0', ".wh./x", "" } }, NULL,
	  "layer: '.wh./x': a whiteout cannot have files below it" },
	{ "a whiteout through a link stays in the tree",
	  { { '2', "l", "/etc" }, { '0', "l/.wh.passwd", "" } },
	  ROOT "/etc 40755\n/l 120777 -> /etc\n/etc/passwd whiteout\n", NULL },
	{ "what aufs left is passed over",
	  { { '0', ".wh..wh.aufs", "" }, { '5', ".wh..wh.plnk" }, { '0', ".wh..wh.plnk/1.2", "" } }, ROOT, NULL },
	{ "attributes of the file are kept, those that steer overlay or belong to a host are not",
	  { { '0', "f", "", .pax = "SCHILY.xattr.user.b=2\nSCHILY.xattr.user.a=1\nSCHILY.xattr.trusted.t=3\n"
				 "SCHILY.xattr.trusted.overlay.redirect=/etc\nSCHILY.xattr.user.overlay.opaque=y\n"
				 "SCHILY.xattr.security.selinux=s\nSCHILY.xattr.security.capability=c\n" },
	    { '2', "l", "f", .pax = "SCHILY.xattr.user.b=2\n" } },
	  ROOT "/f 100644 security.capability=c trusted.t=3 user.a=1 user.b=2\n/l 120777 -> f\n", NULL },
	{ "devices, FIFOs and numbers beyond octal",
	  { { '3', "c", .major = 5, .minor = 1 }, { '4', "b", .major = 259, .minor = 1048575 },
	    { '6', "p", .uid = 1, .pax = "uid=3000000000\ngid=4294967294\n" } },
	  ROOT "/b 60644\n/c 20644\n/p 10644 3000000000:4294967294\n", NULL },
	{ "an owner that means nobody is an error", { { '0', "f", "", .pax = "uid=4294967295\n" } }, NULL,
	  "layer: 'f': user id 4294967295 is out of range" },
	{ "names are bytes", { { '0', "\xff\xfe", "" }, { '0', "\xc3\xa4", "", .pax = "mtime=1.5\n" } },
	  ROOT "/\xc3\xa4 100644\n/\xff\xfe 100644\n", NULL },
};

static void test_each_row_means_what_it_says(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(cases); i++) {
		auto_close int fd = make_tar(cases[i].rows);
		auto_tree struct tree t = { 0 };
		auto_str struct str text = STR_INIT(1 << 20);
		err *e = tree_build(fd, NULL, &t);

		print_message("# %s\n", cases[i].name);
		if (cases[i].error) {
			assert_err(e, cases[i].error);
			continue;
		}
		assert_ok(e);
		describe(&t, &text);
		assert_string_equal(text.data, cases[i].expected);
	}
}

static void test_limits_stop_what_is_too_much(void **state)
{
	static const struct {
		struct layer_limits limits; /* 0: the default */
		struct row rows[5];
		const char *error;
	} limited[] = {
		{ { .entries = 2 }, { { '0', "a", "" }, { '0', "b", "" }, { '0', "c", "" } },
		  "layer: more than 2 entries" },
		{ { .entries = 2 }, { { '0', "a/b/c", "" } }, "layer: 'a/b/c': more than 2 names" },
		{ { .depth = 2 }, { { '0', "a/b/c", "" } }, "layer: 'a/b/c': more than 2 directories deep" },
		{ { .path = 4 }, { { '0', "a/b/c", "" } }, "layer: path 'a/b/c...' is longer than 4 bytes" },
		{ { .path = 4 }, { { '2', "l", "12345" } }, "layer: 'l': link target is longer than 4 bytes" },
		{ { .path = 4 }, { { '2', "l", "/x/y" }, { '0', "l/z", "" } }, "layer: 'l/z': path is longer than 4 bytes" },
		{ { .xattrs = 8 }, { { '0', "f", "", .pax = "SCHILY.xattr.user.a=1234" } },
		  "layer: 'f': extended attributes are larger than 8 bytes" },
		{ { .file_size = 3 }, { { '0', "f", "1234" } }, "layer: 'f': file size 4 is over the limit" },
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_LEN(limited); i++) {
		struct layer_limits limits = layer_limits_default, l = limited[i].limits;
		auto_close int fd = make_tar(limited[i].rows);
		struct tree t;

		limits.entries = l.entries ? l.entries : limits.entries;
		limits.depth = l.depth ? l.depth : limits.depth;
		limits.path = l.path ? l.path : limits.path;
		limits.xattrs = l.xattrs ? l.xattrs : limits.xattrs;
		limits.file_size = l.file_size ? l.file_size : limits.file_size;
		assert_err(tree_build(fd, &limits, &t), limited[i].error);
	}
}

static void test_a_name_of_256_bytes_is_an_error(void **state)
{
	auto_str struct str pax = STR_INIT(1000);
	struct tree t;

	(void)state;
	str_add(&pax, "path=");
	for (int i = 0; i < 256; i++)
		str_add_char(&pax, 'n');
	auto_close int fd = make_tar((struct row[]){ { '0', "x", "", .pax = pax.data }, { 0 } });
	assert_err_code(tree_build(fd, NULL, &t), ENAMETOOLONG);
}

static void test_memory_has_a_ceiling(void **state)
{
	struct layer_limits limits = layer_limits_default;
	auto_close int fd = make_tar((struct row[]){ { '0', "a/b/c/d/e/f/g", "" }, { 0 } });
	struct tree t;

	(void)state;
	limits.memory = 600;
	assert_err_code(tree_build(fd, &limits, &t), EFBIG);
}

static void test_many_names_are_found_again_and_sorted(void **state)
{
	enum { COUNT = 5000 };
	int fd = memfd_create("tar", MFD_CLOEXEC);
	auto_tree struct tree t = { 0 };

	(void)state;
	for (int round = 0; round < 2; round++) {
		for (int i = 0; i < COUNT; i++) {
			char path[64];
			snprintf(path, sizeof path, "d%d/f%d", i % 7, i);
			put_row(fd, &(struct row){ '0', path, round ? "22" : "1" });
		}
	}
	assert_ok(tree_build(fd, NULL, &t));
	assert_int_equal(t.count, COUNT + 8);
	assert_int_equal(t.stats.bytes, 2 * COUNT);
	for (size_t i = 9; i < t.count; i++)
		if (t.nodes[i]->parent == t.nodes[i - 1]->parent)
			assert_true(strcmp(t.nodes[i - 1]->name, t.nodes[i]->name) < 0);
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_row_means_what_it_says),
		cmocka_unit_test(test_limits_stop_what_is_too_much),
		cmocka_unit_test(test_a_name_of_256_bytes_is_an_error),
		cmocka_unit_test(test_memory_has_a_ceiling),
		cmocka_unit_test(test_many_names_are_found_again_and_sorted),
	};
	return cmocka_run_group_tests_name("images/tree", tests, NULL, NULL);
}
