/* base/memory-watch.c: whether the kernel killed something in a cgroup for want of memory, asked when the
 * cgroup may be gone already. */
#include "base/memory-watch.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/str.h"

/* The limit is hit, and that is told, some milliseconds before anything is killed, and again while it is
 * held: a reading of long ago has nothing to do with this end. */
static const int64_t recent = 5 * (int64_t)NSEC_PER_SEC;

/* The number behind oom_kill; false when the file cannot be read any more. */
static bool read_kills(int fd, uint64_t *ret)
{
	static const char key[] = "oom_kill ";
	char text[512], digits[24] = "";
	ssize_t len = fd < 0 ? -1 : pread(fd, text, sizeof text - 1, 0);

	if (len < 0)
		return false;
	text[len] = '\0';
	*ret = 0;
	for (const char *line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		if (!str_starts_with(line, key))
			continue;
		line += strlen(key);
		memcpy(digits, line, MIN(strcspn(line, "\n"), sizeof digits - 1));
		if (!str_to_u64(digits, ret))
			*ret = 0;
		break;
	}
	return true;
}

void memory_watch_open(struct memory_watch *w, int dir_fd)
{
	memory_watch_done(w);
	w->own = openat(dir_fd, "memory.events", O_RDONLY | O_CLOEXEC);
	w->above = w->own < 0 ? -1 : openat(dir_fd, "../memory.events", O_RDONLY | O_CLOEXEC);
	(void)memory_watch_read(w);
}

void memory_watch_done(struct memory_watch *w)
{
	fd_clear(&w->own);
	fd_clear(&w->above);
	w->own_kills = w->above_kills = 0;
}

bool memory_watch_read(struct memory_watch *w)
{
	uint64_t above = 0;

	/* The parent first: a kill between the two readings is then seen in the second, or later in the
	 * parent. */
	(void)read_kills(w->above, &above);
	if (!read_kills(w->own, &w->own_kills))
		return false;
	w->above_kills = above;
	w->read = clock_monotonic();
	return true;
}

uint64_t memory_watch_kills(struct memory_watch *w, bool by_kill)
{
	uint64_t above;

	if (w->own < 0 || memory_watch_read(w) || !by_kill || clock_monotonic() - w->read >= recent)
		return w->own_kills;
	return w->own_kills + (read_kills(w->above, &above) && above > w->above_kills);
}
