/* tests/fuzz/images_tar.c: a tar becomes an index, twice the same, and nothing in it points outside. */
#include "tests/fuzz/images.h"

#include <sys/stat.h>

#include "images/erofs-format.h"

/* What the kernel relies on: the super block's sizes, and the root within 16 bits. */
static void check_index(const char *index, size_t len)
{
	struct erofs_super super;

	if (len < EROFS_SUPER_OFFSET + sizeof super || len % EROFS_BLOCK)
		abort();
	memcpy(&super, index + EROFS_SUPER_OFFSET, sizeof super);
	if (le32toh(super.magic) != EROFS_MAGIC || (size_t)le32toh(super.blocks) * EROFS_BLOCK != len)
		abort();
	size_t root = le16toh(super.root_nid) * (size_t)EROFS_SLOT;
	struct erofs_inode inode;
	if (root + sizeof inode > len)
		abort();
	memcpy(&inode, index + root, sizeof inode);
	if (!S_ISDIR(le16toh(inode.mode)))
		abort();
}

static err *build(int tar_fd, struct str *out)
{
	auto_close int fd = memfd_create("index", MFD_CLOEXEC);

	TRY(layer_index_build(tar_fd, fd, &fuzz_limits, NULL));
	lseek(fd, 0, SEEK_SET);
	return fd_read_all(fd, out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	auto_close int tar_fd = fuzz_file(bytes, len);
	auto_str struct str first = STR_INIT(64 << 20), second = STR_INIT(64 << 20);
	auto_err err *e = build(tar_fd, &first);

	if (e) {
		auto_str struct str text = STR_INIT(1 << 16);
		err_format(e, &text);
		return 0;
	}
	check_index(first.data, first.len);
	auto_err err *again = build(tar_fd, &second);
	if (again || first.len != second.len || memcmp(first.data, second.data, first.len) != 0)
		abort();
	return 0;
}
