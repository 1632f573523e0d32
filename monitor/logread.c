/* monitor/logread.c: reader of a container's log. */
#include "monitor/logread.h"

#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

enum { BUFFER = 64 * 1024 };

struct log_reader {
	int dir_fd;
	int fd; /* -1: nothing written yet */
	char *name;
	uint64_t generation;
	uint64_t offset; /* of buffer[start] in the file */
	uint64_t skipped;
	size_t start, end;
	char buffer[BUFFER];
};

void log_reader_free(struct log_reader *r)
{
	if (!r)
		return;
	fd_close(r->fd);
	free(r->name);
	free(r);
}

/* The file of the reader's generation. The live file is opened before the numbers are listed: what
 * has no number then was not yet rotated when it was opened. */
static err *open_generation(struct log_reader *r)
{
	char file[NAME_MAX + 1];
	uint64_t oldest, current;
	auto_close int live = openat(r->dir_fd, r->name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);

	if (live < 0 && errno != ENOENT)
		return err_errno("open log '%s'", r->name);
	TRY(monitor_log_generation(r->dir_fd, r->name, &oldest, &current));
	if (r->generation < oldest) {
		r->skipped += oldest - r->generation;
		r->generation = oldest;
		r->offset = 0;
	}
	fd_clear(&r->fd);
	r->start = r->end = 0;
	if (r->generation >= current) {
		/* A generation that outside programs moved away has no number: it cannot be read. */
		r->generation = MAX(r->generation, current);
		r->fd = TAKE_FD(live);
		return NULL;
	}
	snprintf(file, sizeof(file), "%s.%" PRIu64, r->name, r->generation);
	r->fd = openat(r->dir_fd, file, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
	if (r->fd < 0 && errno != ENOENT)
		return err_errno("open log '%s'", file);
	return NULL;
}

err *log_reader_open(int dir_fd, const char *name, struct monitor_place place, struct log_reader **ret)
{
	auto_log_reader struct log_reader *r = calloc(1, sizeof(*r));

	if (!r)
		return err_oom();
	r->fd = -1;
	r->dir_fd = dir_fd;
	r->generation = place.generation;
	r->offset = place.offset;
	r->name = strdup(name);
	if (!r->name)
		return err_oom();
	TRY(open_generation(r));
	*ret = TAKE(r);
	return NULL;
}

bool log_record_parse(const char *line, size_t len, struct log_record *record)
{
	const char *end = line + len, *space = memchr(line, ' ', len);
	char time[CLOCK_TEXT_MAX];

	if (!space || (size_t)(space - line) >= sizeof(time))
		return false;
	memcpy(time, line, (size_t)(space - line));
	time[space - line] = '\0';
	if (!clock_parse(time, &record->time))
		return false;
	/* " stdout F " */
	if (end - space < 10 || space[7] != ' ' || (space[8] != 'F' && space[8] != 'P') || space[9] != ' ')
		return false;
	if (memcmp(space, " stdout", 7) == 0)
		record->stream = MONITOR_STDOUT;
	else if (memcmp(space, " stderr", 7) == 0)
		record->stream = MONITOR_STDERR;
	else
		return false;
	record->full = space[8] == 'F';
	record->text = space + 10;
	record->len = (size_t)(end - record->text);
	return true;
}

/* More bytes behind buffer[end]. *ret_more is false at the end of the file. */
static err *fill(struct log_reader *r, bool *ret_more)
{
	*ret_more = false;
	if (r->fd < 0)
		return NULL;
	if (r->start > 0) {
		memmove(r->buffer, r->buffer + r->start, r->end - r->start);
		r->end -= r->start;
		r->start = 0;
	}
	if (r->end == BUFFER) { /* no record is that long: not our line */
		r->offset += r->end;
		r->end = 0;
	}
	ssize_t n;
	do
		n = pread(r->fd, r->buffer + r->end, BUFFER - r->end, (off_t)(r->offset + r->end));
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return err_errno("read log '%s'", r->name);
	r->end += (size_t)n;
	*ret_more = n > 0;
	return NULL;
}

/* At the end of a file: is there a newer one? What was written before its rotation is read first. */
static err *advance(struct log_reader *r, bool *ret_more)
{
	char file[NAME_MAX + 1];

	*ret_more = false;
	if (r->fd < 0) {
		TRY(open_generation(r));
		*ret_more = r->fd >= 0;
		return NULL;
	}
	snprintf(file, sizeof(file), "%s.%" PRIu64, r->name, r->generation);
	uint64_t oldest, current;
	TRY(monitor_log_generation(r->dir_fd, r->name, &oldest, &current));
	if (current <= r->generation)
		return NULL;
	TRY(fill(r, ret_more));
	if (*ret_more)
		return NULL;
	r->generation++;
	r->offset = 0;
	TRY(open_generation(r));
	*ret_more = r->fd >= 0;
	return NULL;
}

err *log_reader_next(struct log_reader *r, struct log_record *record, bool *ret_have)
{
	*ret_have = false;
	for (;;) {
		char *begin = r->buffer + r->start;
		char *newline = memchr(begin, '\n', r->end - r->start);
		if (newline) {
			size_t len = (size_t)(newline - begin);
			r->start += len + 1;
			r->offset += len + 1;
			if (!log_record_parse(begin, len, record))
				continue;
			*ret_have = true;
			return NULL;
		}
		bool more;
		TRY(fill(r, &more));
		if (!more)
			TRY(advance(r, &more));
		if (!more)
			return NULL;
	}
}

struct monitor_place log_reader_place(const struct log_reader *r)
{
	return (struct monitor_place){ r->generation, r->offset };
}

uint64_t log_reader_skipped(const struct log_reader *r)
{
	return r->skipped;
}
