/* monitor/memory.c: whether the kernel killed something in a container's cgroup for want of memory. */
#include "monitor/memory.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/fd.h"
#include "base/str.h"

const char *const memory_roots[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified", NULL };

int memory_events_open(const char *const *roots, const char *membership)
{
	const char *line = strncmp(membership, "0::", 3) == 0 ? membership : strstr(membership, "\n0::");
	char path[PATH_MAX];

	if (!line)
		return -1;
	line = strchr(line, '/');
	if (!line)
		return -1;
	for (; *roots; roots++) {
		int len = snprintf(path, sizeof(path), "%s%.*s/memory.events", *roots, (int)strcspn(line, "\n"), line);
		int fd = len < (int)sizeof(path) ? open(path, O_RDONLY | O_CLOEXEC) : -1;
		if (fd >= 0)
			return fd;
	}
	return -1;
}

bool memory_events_killed(int fd)
{
	auto_str struct str text = STR_INIT(4096);

	if (fd < 0)
		return false;
	IGNORE(fd_read_all(fd, &text));
	for (const char *line = text.data; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (str_starts_with(line, "oom_kill "))
			return line[9] >= '1' && line[9] <= '9';
	}
	return false;
}
