/* monitor/memory.c: the cgroup of a process, where its kills for want of memory are counted. */
#include "monitor/memory.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/fd.h"

const char *const memory_roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified", NULL };

int memory_cgroup_open(const char *const *roots, const char *membership)
{
	const char *line = strncmp(membership, "0::", 3) == 0 ? membership : strstr(membership, "\n0::");
	char path[PATH_MAX];

	if (!line)
		return -1;
	line = strchr(line, '/');
	if (!line)
		return -1;
	for (; *roots; roots++) {
		int len = snprintf(path, sizeof(path), "%s%.*s", *roots, (int)strcspn(line, "\n"), line);
		int fd = len < (int)sizeof(path) ? open(path, O_PATH | O_DIRECTORY | O_CLOEXEC) : -1;
		if (fd >= 0 && faccessat(fd, "memory.events", R_OK, 0) == 0)
			return fd;
		fd_close(fd);
	}
	return -1;
}
