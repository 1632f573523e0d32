/* tests/fuzz/images_extract.c: a tar is extracted into a directory, beside which nothing may change. */
#include "tests/fuzz/images.h"

#include <dirent.h>
#include <fcntl.h>
#include <sys/stat.h>

#include "base/path.h"
#include "images/extract.h"

static char top[64];
static int top_fd = -1;

static void clean_up(void)
{
	auto_close int parent = open("/dev/shm", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	err_free(path_remove_all(parent, top + sizeof "/dev/shm"));
}

static void set_up(void)
{
	snprintf(top, sizeof top, "/dev/shm/stube-fuzz-XXXXXX");
	if (!mkdtemp(top))
		abort();
	top_fd = open(top, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* A link that leads here from inside would be ../sentinel. */
	auto_close int fd = openat(top_fd, "sentinel", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0 || write(fd, "same", 4) != 4)
		abort();
	atexit(clean_up);
}

static void check_sentinel(void)
{
	struct stat st;
	int names = 0;
	DIR *dir = fdopendir(openat(top_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));

	while (dir && readdir(dir))
		names++;
	if (dir)
		closedir(dir);
	if (names != 4 || fstatat(top_fd, "sentinel", &st, AT_SYMLINK_NOFOLLOW) < 0 || st.st_size != 4 ||
	    st.st_mode != (S_IFREG | 0600) || st.st_nlink != 1 || st.st_uid != geteuid())
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t len)
{
	if (top_fd < 0)
		set_up();
	auto_close int tar_fd = fuzz_file(bytes, len);
	struct extract_options options = { .limits = &fuzz_limits };
	if (mkdirat(top_fd, "tree", 0700) < 0)
		abort();
	auto_close int tree_fd = openat(top_fd, "tree", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	err_free(layer_extract(tar_fd, tree_fd, &options, NULL));
	check_sentinel();
	err *e = path_remove_all(top_fd, "tree");
	if (e)
		abort();
	return 0;
}
