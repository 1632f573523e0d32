/* tests/images/layer-tool.c: index, extractor and mounts as a command line, for tests/integration/layers*.bats.
 *
 *	layer-tool index TAR INDEX         write the index of a tar
 *	layer-tool extract TAR DIR         extract into an empty directory
 *	layer-tool mount LAYER DIR         attach LAYER/index.erofs with LAYER/data.tar at DIR
 *	layer-tool list DIR                every file below DIR, one line each: all that a layer says of it */
#include <fcntl.h>
#include <sys/mount.h>

#include "images/extract.h"
#include "images/mount-internal.h"
#include "tests/unit/images/tar-make.h"

static err *open_path(const char *path, int flags, int *ret_fd)
{
	*ret_fd = open(path, flags | O_CLOEXEC, 0600);
	return *ret_fd < 0 ? err_errno("open '%s'", path) : NULL;
}

static err *run_index(const char *from, const char *to)
{
	auto_close int tar_fd = -1, index_fd = -1;

	TRY(open_path(from, O_RDONLY, &tar_fd));
	TRY(open_path(to, O_RDWR | O_CREAT | O_TRUNC, &index_fd));
	return layer_index_build(tar_fd, index_fd, NULL, NULL);
}

static err *run_extract(const char *from, const char *to)
{
	auto_close int tar_fd = -1, dir_fd = -1;

	TRY(open_path(from, O_RDONLY, &tar_fd));
	TRY(open_path(to, O_RDONLY | O_DIRECTORY, &dir_fd));
	return layer_extract(tar_fd, dir_fd, NULL, NULL);
}

static err *run_mount(const char *layer, const char *to)
{
	auto_close int layer_fd = -1, mount_fd = -1;

	TRY(open_path(layer, O_RDONLY | O_DIRECTORY, &layer_fd));
	TRY(index_mount(layer_fd, NULL, -1, &mount_fd));
	if (move_mount(mount_fd, "", AT_FDCWD, to, MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno("attach at '%s'", to);
	return NULL;
}

static err *run_list(const char *dir, const char *unused)
{
	auto_close int fd = -1;
	auto_str struct str out = STR_INIT(256u << 20);

	(void)unused;
	TRY(open_path(dir, O_RDONLY | O_DIRECTORY, &fd));
	list_tree(&out, fd, "");
	TRY(str_check(&out));
	return fd_write_all(STDOUT_FILENO, out.data, out.len);
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		int args;
		err *(*run)(const char *, const char *);
	} commands[] = {
		{ "index", 2, run_index }, { "extract", 2, run_extract }, { "mount", 2, run_mount }, { "list", 1, run_list },
	};

	for (size_t i = 0; argc > 1 && i < ARRAY_LEN(commands); i++) {
		if (!str_equal(argv[1], commands[i].name) || argc != commands[i].args + 2)
			continue;
		auto_err err *e = commands[i].run(argv[2], argv[3]);
		auto_str struct str text = STR_INIT(8192);
		err_format(e, &text);
		if (e)
			fprintf(stderr, "error: %s\n", text.data);
		return e ? 1 : 0;
	}
	fputs("usage: layer-tool index|extract|mount|list FROM [TO]\n", stderr);
	return 2;
}
