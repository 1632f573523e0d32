/* cmd/stube/logs.c: stube logs. */
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "cmd/stube/cluster-streams.h"
#include "cmd/stube/local.h"
#include "monitor/logread.h"
#include "monitor/session.h"

struct logs_args {
	struct cluster_args cluster;
	bool follow, timestamps, previous;
	const char *container, *selector;
	const char *since;
	uint64_t tail;
};

#define OPT_STRUCT struct logs_args
/* clang-format off */
static const struct cli_option options[] = {
	OPT('f', "follow",     CLI_FLAG,   follow,     NULL,   "go on until the container ends"),
	OPT('t', "timestamps", CLI_FLAG,   timestamps, NULL,   "print the time before each line"),
	OPT(0,   "since",      CLI_STRING, since,      "TIME", "leave out what is older: RFC 3339, or a duration such as 10m"),
	OPT('n', "tail",       CLI_UINT,   tail,       "N",    "begin with the last N lines"),
	OPT_HEADING("Pods of the cluster"),
	OPT('c', "container",  CLI_STRING, container,  "NAME", "which container of the Pod"),
	OPT('l', "selector",   CLI_STRING, selector,   "SELECTOR", "all Pods with these labels, each line with its Pod's name"),
	OPT('p', "previous",   CLI_FLAG,   previous,   NULL,   "what it wrote before its last restart"),
	CLUSTER_OPTIONS,
	{0}
};
/* clang-format on */

static void defaults(void *args)
{
	((struct logs_args *)args)->tail = UINT64_MAX;
}

/* Whether the next byte of a stream begins a line: partial records are joined. */
struct printer {
	const struct logs_args *args;
	int64_t since;
	uint64_t skip; /* lines to pass over for --tail */
	bool inside[2];
};

static err *parse_since(const char *text, int64_t *ret)
{
	int64_t ago;

	*ret = 0;
	if (!text || clock_parse(text, ret))
		return NULL;
	if (!clock_parse_duration(text, &ago))
		return err_new(EINVAL, "--since: '%s' is neither a time (RFC 3339) nor a duration", text);
	*ret = clock_real() - ago;
	return NULL;
}

static err *print(struct printer *p, const struct log_record *r)
{
	int fd = r->stream == MONITOR_STDERR ? STDERR_FILENO : STDOUT_FILENO;
	char time[CLOCK_TEXT_MAX];

	if (r->time < p->since)
		return NULL;
	if (p->skip > 0) {
		p->skip -= r->full;
		return NULL;
	}
	if (p->args->timestamps && !p->inside[r->stream]) {
		clock_text(r->time, true, time);
		TRY(fd_write_all(fd, time, strlen(time)));
		TRY(fd_write_all(fd, " ", 1));
	}
	TRY(fd_write_all(fd, r->text, r->len));
	if (r->full)
		TRY(fd_write_all(fd, "\n", 1));
	p->inside[r->stream] = !r->full;
	return NULL;
}

static err *count_lines(int dir_fd, int64_t since, uint64_t *ret)
{
	auto_log_reader struct log_reader *reader = NULL;
	struct log_record record;
	bool have;

	*ret = 0;
	TRY(log_reader_open(dir_fd, MONITOR_LOG, (struct monitor_place){ 0 }, &reader));
	for (;;) {
		TRY(log_reader_next(reader, &record, &have));
		if (!have)
			return NULL;
		*ret += record.full && record.time >= since;
	}
}

static err *print_all(struct log_reader *reader, struct printer *p)
{
	struct log_record record;
	bool have;

	for (;;) {
		TRY(log_reader_next(reader, &record, &have));
		if (!have)
			return NULL;
		TRY(print(p, &record));
	}
}

/* Until the monitor has hung up: what it wrote before is there then. */
static err *follow(int dir_fd, struct log_reader *reader, struct printer *p, int sock)
{
	char path[PATH_FD_MAX];
	char events[4096];
	auto_close int watch = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);

	if (watch < 0 || inotify_add_watch(watch, path_of_fd(dir_fd, path), IN_MODIFY | IN_CREATE | IN_MOVED_TO) < 0)
		return err_errno("watch the log");
	for (bool alive = true; alive;) {
		struct pollfd fds[] = { { .fd = watch, .events = POLLIN }, { .fd = sock, .events = POLLIN } };
		TRY(print_all(reader, p));
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return err_errno("watch the log");
		while (read(watch, events, sizeof(events)) > 0)
			;
		alive = !(fds[1].revents & (POLLHUP | POLLERR));
		if (fds[1].revents & POLLIN) {
			struct monitor_message m;
			size_t len;
			err *e = monitor_recv(sock, MONITOR_SIDE_SERVER, &m, &len);
			alive = !e && m.head.kind != MONITOR_EXITED;
			err_free(e);
		}
	}
	return print_all(reader, p);
}

static err *logs_of_pods(const struct cli_context *c, int *ret_status)
{
	const struct logs_args *a = c->args;
	struct api_log_query query = {
		.container = c->operand_count > 1 ? c->operands[1] : a->container,
		.follow = a->follow,
		.timestamps = a->timestamps,
		.previous = a->previous,
		.tail = a->tail == UINT64_MAX ? -1 : (int64_t)MIN(a->tail, (uint64_t)INT64_MAX),
	};

	TRY_USAGE(ret_status, parse_since(a->since, &query.since));
	if (a->selector)
		return cluster_logs_selected(&a->cluster, a->selector, &query);
	return cluster_logs(&a->cluster, c->operands[0], &query, ret_status);
}

static err *logs_of_container(const struct cli_context *c)
{
	const struct logs_args *a = c->args;
	auto_arena struct arena *arena = NULL;
	auto_local struct local *l = NULL;
	auto_log_reader struct log_reader *reader = NULL;
	auto_close int dir = -1, sock = -1;
	struct printer p = { .args = a };
	struct local_container container;
	uint64_t lines;

	if (a->container || a->previous || c->operand_count > 1)
		return err_new(EINVAL, "%s: for Pods only, named as pod/%s",
			       a->previous ? "--previous" : "a container's name", c->operands[0]);
	TRY(parse_since(a->since, &p.since));
	TRY(arena_new(16 << 20, &arena));
	TRY(local_open(NULL, &l));
	TRY(local_or_pod(local_find(l, arena, c->operands[0], &container), &a->cluster, "logs",
			 c->operands[0]));
	TRY(local_keep_open(l, c->operands[0], &dir));
	if (a->follow && container.status != LOCAL_EXITED) {
		err *e = local_connect(l, c->operands[0], &sock);
		if (!e)
			e = monitor_request(sock, MONITOR_WAIT, 0, 0, 0);
		if (e && e->code != ESRCH && e->code != EPIPE)
			return e;
		err_free(e); /* it has ended meanwhile */
	}
	if (a->tail != UINT64_MAX) {
		TRY(count_lines(dir, p.since, &lines));
		p.skip = lines > a->tail ? lines - a->tail : 0;
	}
	TRY(log_reader_open(dir, MONITOR_LOG, (struct monitor_place){ 0 }, &reader));
	return sock >= 0 ? follow(dir, reader, &p, sock) : print_all(reader, &p);
}

static err *logs_run(const struct cli_context *c, int *ret_status)
{
	const struct logs_args *a = c->args;

	if ((a->selector != NULL) == (c->operand_count > 0)) {
		*ret_status = CLI_USAGE;
		return err_new(EINVAL, "say whose: NAME, TYPE/NAME, or --selector SELECTOR");
	}
	return a->selector || cluster_is_meant(&a->cluster, c->operands[0]) ? logs_of_pods(c, ret_status)
									    : logs_of_container(c);
}

const struct cli_command cmd_logs = {
	.name = "logs",
	.operands = "NAME | TYPE/NAME [CONTAINER]",
	.summary = "Print what a container of this machine, or a Pod, wrote",
	.example = "stube logs --follow --tail 20 portal\nstube logs --since 1h --timestamps db\n"
		   "stube logs deployment/antrag --tail 100\nstube logs --follow --selector app=antrag",
	.notes = "A bare NAME is a container of this machine; pod/NAME and deployment/NAME are the "
		 "cluster's, and so\n"
		 "is a bare NAME with --namespace. Lines of several Pods begin with the Pod's name; --follow "
		 "ends when all\n"
		 "of those that were there at the start have ended.\n\n" CLUSTER_NOTES,
	.options = options,
	.args_size = sizeof(struct logs_args),
	.defaults = defaults,
	.max = 2,
	.run = logs_run,
};
