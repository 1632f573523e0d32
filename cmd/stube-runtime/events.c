/* cmd/stube-runtime/events.c: the command events. */
#include <inttypes.h>
#include <poll.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "base/memory-watch.h"
#include "cmd/stube-runtime/runtime.h"

struct events_args {
	int64_t interval;
	bool stats;
};

enum { LINE_MAX_BYTES = 64 * 1024 };

/* What is watched until the container ends. */
struct watch {
	const char *id;
	struct cgroup cgroup;
	struct memory_watch memory;
	int pidfd;
	uint64_t told; /* kills */
};

/* ---- one line of JSON an event, with the members of runc's ---- */

static void member(struct json_writer *w, const char *key, uint64_t figure, uint64_t factor)
{
	if (figure != CGROUP_NO_FIGURE)
		json_member_uint(w, key, figure * factor);
}

static void begin(struct json_writer *w, const char *key)
{
	json_key(w, key);
	json_begin_object(w);
}

static void add_percent(struct json_writer *w, const char *key, uint64_t hundredths)
{
	char text[32];

	if (hundredths == CGROUP_NO_FIGURE)
		return;
	snprintf(text, sizeof text, "%" PRIu64 ".%02u", hundredths / 100, (unsigned)(hundredths % 100));
	json_key(w, key);
	json_number_text(w, text);
}

static void add_pressure_line(struct json_writer *w, const char *key, const struct cgroup_pressure *p)
{
	if (p->total_usec == CGROUP_NO_FIGURE)
		return;
	begin(w, key);
	add_percent(w, "avg10", p->avg10);
	add_percent(w, "avg60", p->avg60);
	add_percent(w, "avg300", p->avg300);
	member(w, "total", p->total_usec, 1);
	json_end_object(w);
}

/* As runc 1.2 does, beside the figures of what was waited for; a kernel may count none. */
static void add_pressure(struct json_writer *w, const struct cgroup_stats *s, enum cgroup_pressure_of of)
{
	if (s->some[of].total_usec == CGROUP_NO_FIGURE)
		return;
	begin(w, "psi");
	add_pressure_line(w, "some", &s->some[of]);
	add_pressure_line(w, "full", &s->full[of]);
	json_end_object(w);
}

/* Times are microseconds in the kernel's files, nanoseconds here. */
static void add_cpu(struct json_writer *w, const struct cgroup_stats *s)
{
	begin(w, "cpu");
	begin(w, "usage");
	member(w, "total", s->cpu_usage_usec, 1000);
	member(w, "kernel", s->cpu_system_usec, 1000);
	member(w, "user", s->cpu_user_usec, 1000);
	json_end_object(w);
	begin(w, "throttling");
	member(w, "periods", s->cpu_periods, 1);
	member(w, "throttledPeriods", s->cpu_throttled, 1);
	member(w, "throttledTime", s->cpu_throttled_usec, 1000);
	json_end_object(w);
	add_pressure(w, s, PRESSURE_CPU);
	json_end_object(w);
}

static void add_memory(struct json_writer *w, const struct cgroup_stats *s)
{
	begin(w, "memory");
	member(w, "cache", s->memory_file, 1);
	begin(w, "usage");
	member(w, "limit", s->memory_limit, 1);
	member(w, "usage", s->memory_current, 1);
	member(w, "max", s->memory_peak, 1);
	member(w, "failcnt", s->oom_events, 1);
	json_end_object(w);
	begin(w, "swap");
	member(w, "limit", s->swap_limit, 1);
	member(w, "usage", s->swap_current, 1);
	json_end_object(w);
	begin(w, "raw");
	member(w, "anon", s->memory_anon, 1);
	member(w, "file", s->memory_file, 1);
	member(w, "kernel", s->memory_kernel, 1);
	json_end_object(w);
	add_pressure(w, s, PRESSURE_MEMORY);
	json_end_object(w);
}

static void add_io_entry(struct json_writer *w, const char *op, uint64_t value)
{
	json_begin_object(w);
	json_member_string(w, "op", op);
	json_member_uint(w, "value", value);
	json_end_object(w);
}

static void add_io(struct json_writer *w, const char *key, uint64_t reads, uint64_t writes)
{
	json_key(w, key);
	json_begin_array(w);
	if (reads != CGROUP_NO_FIGURE) {
		add_io_entry(w, "Read", reads);
		add_io_entry(w, "Write", writes);
	}
	json_end_array(w);
}

static void add_stats(struct json_writer *w, const struct cgroup_stats *s)
{
	begin(w, "data");
	add_cpu(w, s);
	add_memory(w, s);
	begin(w, "pids");
	member(w, "current", s->pids_current, 1);
	member(w, "limit", s->pids_limit, 1);
	json_end_object(w);
	begin(w, "blkio");
	add_io(w, "ioServiceBytesRecursive", s->io_read_bytes, s->io_written_bytes);
	add_io(w, "ioServicedRecursive", s->io_reads, s->io_writes);
	add_pressure(w, s, PRESSURE_IO);
	json_end_object(w);
	json_end_object(w);
}

static err *print_event(const char *id, const char *type, const struct cgroup_stats *stats)
{
	auto_str struct str line = STR_INIT(LINE_MAX_BYTES);
	struct json_writer w = JSON_WRITER(&line, 0);

	json_begin_object(&w);
	json_member_string(&w, "type", type);
	json_member_string(&w, "id", id);
	if (stats)
		add_stats(&w, stats);
	json_end_object(&w);
	str_add_char(&line, '\n');
	TRY(str_check(&line));
	return fd_write_all(1, line.data, line.len);
}

/* ---- the watch ---- */

static err *print_stats(struct watch *w)
{
	struct cgroup_stats stats;

	TRY(cgroup_read_stats(&w->cgroup, &stats));
	return print_event(w->id, "stats", &stats);
}

/* An event for each kill that is new. */
static err *print_ooms(struct watch *w, uint64_t kills)
{
	for (; w->told < kills; w->told++)
		TRY(print_event(w->id, "oom", NULL));
	return NULL;
}

static int milliseconds_until(int64_t deadline)
{
	int64_t left = deadline - clock_monotonic();

	return left <= 0 ? 0 : (int)MIN(left / (int64_t)NSEC_PER_MSEC + 1, (int64_t)INT32_MAX);
}

static err *watch_until_end(struct watch *w, int64_t interval)
{
	int64_t next = clock_monotonic() + interval;

	memory_watch_open(&w->memory, w->cgroup.fd);
	w->told = w->memory.own_kills;
	bool there = true;
	for (;;) {
		struct pollfd fds[2] = {
			{ .fd = w->pidfd, .events = POLLIN },
			{ .fd = there ? w->memory.own : -1, .events = POLLPRI },
		};
		if (poll(fds, 2, milliseconds_until(next)) < 0 && errno != EINTR)
			return err_errno("poll");
		/* How it ended, its parent knows alone. */
		if (fds[0].revents)
			return print_ooms(w, memory_watch_kills(&w->memory, true));
		if (fds[1].revents) {
			there = memory_watch_read(&w->memory);
			TRY(print_ooms(w, w->memory.own_kills));
		}
		if (clock_monotonic() >= next) {
			TRY(print_stats(w));
			next = clock_monotonic() + interval;
		}
	}
}

static void watch_done(struct watch *w)
{
	cgroup_done(&w->cgroup);
	fd_clear(&w->pidfd);
	memory_watch_done(&w->memory);
}
DEFINE_CLEANUP_OF(struct watch, watch_done)

static err *events_run(const struct cli_context *c, int *ret_status)
{
	const struct events_args *a = c->args;
	auto_arena struct arena *arena = NULL;
	auto_container struct container container = CONTAINER_INIT;
	CLEANUP(watch_done)
	struct watch w = {
		.id = c->operands[0],
		.cgroup = CGROUP_INIT,
		.memory = MEMORY_WATCH_INIT,
		.pidfd = -1,
	};
	enum state_status status;

	(void)ret_status;
	if (a->interval <= 0)
		return err_new(EINVAL, "--interval: must be longer than nothing");
	TRY(arena_new(RUNTIME_ARENA_MAX, &arena));
	TRY(runtime_open(arena, c, CONTAINER_READ, &container));
	TRY(container_status(&container, &status, &w.pidfd));
	if (w.pidfd < 0)
		return err_new(ESRCH, "container '%s': container not running", w.id);
	TRY(container_open_cgroup(&container, &w.cgroup));
	return a->stats ? print_stats(&w) : watch_until_end(&w, a->interval);
}

static void events_defaults(void *args)
{
	((struct events_args *)args)->interval = 5 * (int64_t)NSEC_PER_SEC;
}

#define OPT_STRUCT struct events_args
static const struct cli_option events_options[] = {
	OPT(0, "interval", CLI_SECONDS, interval, "TIME", "how often figures are printed (default 5s)"),
	OPT(0, "stats", CLI_FLAG, stats, NULL, "print the figures once and end"),
	{ 0 }
};
#undef OPT_STRUCT

const struct cli_command cmd_events = {
	.name = "events",
	.operands = "ID",
	.summary = "Print figures and out-of-memory kills of a container as JSON, until it ends",
	.example = "stube-runtime events --stats web\nstube-runtime events --interval 1s web",
	.options = events_options,
	.args_size = sizeof(struct events_args),
	.min = 1,
	.max = 1,
	.defaults = events_defaults,
	.run = events_run,
};
