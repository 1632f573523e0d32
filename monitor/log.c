/* monitor/log.c: writer of a container's log. */
#include "monitor/log.h"

#include <dirent.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

enum { BUFFER = 64 * 1024, RECORD_HEAD = CLOCK_TEXT_MAX + 16 };

struct monitor_log {
	int dir_fd;
	int fd;
	char *name;
	struct monitor_log_limits limits;
	struct monitor_place place;
	uint64_t lost, lost_told;
	size_t used;     /* bytes in the buffer: whole records */
	size_t contents; /* of them, bytes of output */
	char buffer[BUFFER];
};

static const char *const stream_names[] = { [MONITOR_STDOUT] = "stdout", [MONITOR_STDERR] = "stderr" };

void monitor_log_free(struct monitor_log *log)
{
	if (!log)
		return;
	fd_close(log->fd);
	free(log->name);
	free(log);
}

/* "log.12" for the name "log" is 12. */
static bool generation_of(const char *file, const char *name, uint64_t *ret)
{
	size_t len = strlen(name);

	return strncmp(file, name, len) == 0 && file[len] == '.' && str_to_u64(file + len + 1, ret) &&
	       *ret < INT64_MAX;
}

err *monitor_log_generation(int dir_fd, const char *name, uint64_t *ret_oldest, uint64_t *ret_current)
{
	int fd = openat(dir_fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	uint64_t oldest = UINT64_MAX, next = 0, number;

	if (!dir) {
		err *e = err_errno("list the log's directory");
		fd_close(fd);
		return e;
	}
	for (struct dirent *d; (d = readdir(dir));)
		if (generation_of(d->d_name, name, &number)) {
			oldest = MIN(oldest, number);
			next = MAX(next, number + 1);
		}
	closedir(dir);
	*ret_oldest = MIN(oldest, next);
	*ret_current = next;
	return NULL;
}

static err *open_file(struct monitor_log *log)
{
	struct stat st;
	auto_close int fd = openat(log->dir_fd, log->name,
				   O_WRONLY | O_CREAT | O_APPEND | O_NOFOLLOW | O_CLOEXEC, 0600);

	if (fd < 0 || fstat(fd, &st) < 0)
		return err_errno("open log '%s'", log->name);
	if (!S_ISREG(st.st_mode))
		return err_new(EINVAL, "log '%s' is not a regular file", log->name);
	fd_clear(&log->fd);
	log->fd = TAKE_FD(fd);
	log->place.offset = (uint64_t)st.st_size;
	return NULL;
}

err *monitor_log_open(int dir_fd, const char *name, struct monitor_log_limits limits,
		      struct monitor_log **ret)
{
	auto_monitor_log struct monitor_log *log = calloc(1, sizeof(*log));
	uint64_t oldest;

	if (!log)
		return err_oom();
	log->fd = -1;
	log->dir_fd = dir_fd;
	log->limits = limits;
	log->name = strdup(name);
	if (!log->name)
		return err_oom();
	if (limits.files < 2 || limits.size == 0)
		return err_new(EINVAL, "a log needs two files and a size of at least one byte");
	TRY(monitor_log_generation(dir_fd, name, &oldest, &log->place.generation));
	TRY(open_file(log));
	*ret = TAKE(log);
	return NULL;
}

static const char *numbered(const struct monitor_log *log, uint64_t generation, char *buf, size_t size)
{
	snprintf(buf, size, "%s.%" PRIu64, log->name, generation);
	return buf;
}

/* The full file gets its number, the oldest goes. A failure leaves the log as it was: it grows over
 * its limit rather than lose output, and the next record tries again. */
static void rotate(struct monitor_log *log)
{
	char file[NAME_MAX + 1];
	uint64_t generation = log->place.generation;

	if (renameat(log->dir_fd, log->name, log->dir_fd,
		     numbered(log, generation, file, sizeof(file))) < 0)
		return;
	err *e = open_file(log);
	if (e) {
		err_free(e);
		int ignored UNUSED = renameat(log->dir_fd, file, log->dir_fd, log->name);
		return;
	}
	log->place.generation++;
	/* files - 1 numbered ones stay; older ones may be several if the limit was lowered. */
	for (uint64_t old = log->place.generation - MIN(log->place.generation, log->limits.files - 1);
	     old-- > 0;)
		if (unlinkat(log->dir_fd, numbered(log, old, file, sizeof(file)), 0) < 0)
			break;
}

/* Write the buffer as a whole, or cut off what part of it arrived. */
static bool flush(struct monitor_log *log)
{
	bool written = true;

	if (log->used == 0)
		return true;
	if (log->place.offset > 0 && log->place.offset + log->used > log->limits.size)
		rotate(log);
	err *e = fd_write_all(log->fd, log->buffer, log->used);
	if (e) {
		err_free(e);
		written = false;
		log->lost += log->contents;
		/* Where even this fails, readers skip a broken line. */
		int ignored UNUSED = ftruncate(log->fd, (off_t)log->place.offset);
	} else {
		log->place.offset += log->used;
	}
	log->used = 0;
	log->contents = 0;
	return written;
}

static void add_record(struct monitor_log *log, const char *time, const char *stream, bool full,
		       const char *text, size_t len)
{
	if (log->used + len + RECORD_HEAD > BUFFER ||
	    (log->used > 0 &&
	     log->place.offset + log->used + len + RECORD_HEAD > log->limits.size))
		flush(log);
	int head = snprintf(log->buffer + log->used, BUFFER - log->used, "%s %s %c ", time, stream,
			    full ? 'F' : 'P');
	log->used += (size_t)head;
	memcpy(log->buffer + log->used, text, len);
	log->used += len;
	log->buffer[log->used++] = '\n';
	log->contents += len + full;
}

static void tell_lost(struct monitor_log *log, const char *time)
{
	char text[96];

	if (log->lost == log->lost_told)
		return;
	int len = snprintf(text, sizeof(text), "stube: %" PRIu64 " bytes of output could not be logged",
			   log->lost - log->lost_told);
	add_record(log, time, "stderr", true, text, (size_t)len);
	log->contents = 0;
	if (flush(log))
		log->lost_told = log->lost;
}

void monitor_log_write(struct monitor_log *log, enum monitor_stream stream, int64_t nsec,
		       const char *bytes, size_t len)
{
	char time[CLOCK_TEXT_MAX];

	clock_text(nsec, true, time);
	tell_lost(log, time);
	while (len > 0) {
		size_t piece = MIN(len, (size_t)MONITOR_DATA_MAX);
		const char *newline = memchr(bytes, '\n', piece);
		size_t text = newline ? (size_t)(newline - bytes) : piece;
		add_record(log, time, stream_names[stream], newline != NULL, bytes, text);
		text += newline != NULL;
		bytes += text;
		len -= text;
	}
	flush(log);
}

err *monitor_log_reopen(struct monitor_log *log)
{
	uint64_t oldest, next;

	TRY(open_file(log));
	TRY(monitor_log_generation(log->dir_fd, log->name, &oldest, &next));
	log->place.generation = MAX(log->place.generation + 1, next);
	return NULL;
}

struct monitor_place monitor_log_place(const struct monitor_log *log)
{
	return log->place;
}

uint64_t monitor_log_lost(const struct monitor_log *log)
{
	return log->lost;
}
