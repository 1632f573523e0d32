/* agent/serve-logs.c: a container's log as a stream, read no faster than its reader takes it. */
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#include "agent/node-internal.h"
#include "base/clock.h"
#include "base/fd.h"
#include "base/path.h"
#include "monitor/exit.h"
#include "monitor/logread.h"
#include "monitor/session.h"

enum {
	CHUNK = 64 * 1024,	 /* bytes of one blob */
	QUEUE_HIGH = 256 * 1024, /* more than that waits for the reader */
	QUEUE_MAX = 4 * QUEUE_HIGH,
	RECORDS_A_TURN = 4096, /* then the loop's others have their turn */
};

struct tail {
	struct node_agent *agent;
	struct stream *stream; /* NULL: it has gone */
	int keep_fd, watch_fd;
	struct log_reader *reader;
	struct loop_source *watch, *turn;
	bool follow, timestamps, counting;
	bool over;	      /* all is sent */
	bool gone;	      /* the stream is being ended */
	int64_t since;	      /* ns */
	uint64_t lines, tail; /* lines counted; wanted, UINT64_MAX: all */
	uint64_t skip;	      /* lines to pass over */
	uint64_t left;	      /* bytes that may be sent */
	bool inside[2];	      /* the last record of that stream did not end its line */
};

static void tail_free(struct tail *t)
{
	loop_source_free(t->watch);
	loop_source_free(t->turn);
	log_reader_free(t->reader);
	fd_close(t->keep_fd);
	fd_close(t->watch_fd);
	free(t);
}

static void closed(void *user)
{
	tail_free(user);
}

static err *rewind_log(struct tail *t)
{
	log_reader_free(TAKE(t->reader));
	return log_reader_open(t->keep_fd, MONITOR_LOG, (struct monitor_place){ 0 }, &t->reader);
}

/* Add one record as it is shown. */
static void show(struct tail *t, const struct log_record *r, struct str *out)
{
	char time[CLOCK_TEXT_MAX];

	if (r->time < t->since)
		return;
	if (t->skip > 0) {
		t->skip -= r->full;
		return;
	}
	if (t->timestamps && !t->inside[r->stream]) {
		str_add(out, clock_text(r->time, true, time));
		str_add_char(out, ' ');
	}
	str_add_bytes(out, r->text, r->len);
	if (r->full)
		str_add_char(out, '\n');
	t->inside[r->stream] = !r->full;
}

/* Count whole lines in one turn's worth of records. *ret_more: there are more. */
static err *count(struct tail *t, bool *ret_more)
{
	struct log_record record;

	*ret_more = true;
	for (int i = 0; i < RECORDS_A_TURN && *ret_more; i++) {
		TRY(log_reader_next(t->reader, &record, ret_more));
		t->lines += *ret_more && record.full && record.time >= t->since;
	}
	return NULL;
}

/* Gather about a chunk. */
static err *gather(struct tail *t, struct str *out, bool *ret_more)
{
	struct log_record record;

	*ret_more = true;
	for (int i = 0; i < RECORDS_A_TURN && out->len < CHUNK; i++) {
		TRY(log_reader_next(t->reader, &record, ret_more));
		if (!*ret_more)
			return NULL;
		show(t, &record, out);
	}
	return NULL;
}

static void send_out(struct tail *t, const struct str *out)
{
	size_t len = (size_t)MIN((uint64_t)out->len, t->left);

	if (len == 0)
		return;
	struct blob *b = blob_new(out->data, len);
	t->left -= len;
	t->gone = !stream_send(t->stream, b); /* it is being ended then */
	blob_unref(b);
}

/* Whether nothing more will be written: the record of its end is there, or the folder has gone. */
static bool has_ended(const struct tail *t)
{
	struct stat st;

	return faccessat(t->keep_fd, EXIT_RECORD_FILE, F_OK, AT_SYMLINK_NOFOLLOW) == 0 ||
	       (fstat(t->keep_fd, &st) == 0 && st.st_nlink == 0);
}

static err *step(struct tail *t, bool *ret_more)
{
	auto_str struct str out = STR_INIT(CHUNK + 2 * MONITOR_DATA_MAX);

	*ret_more = true;
	if (t->counting) {
		bool more;
		TRY(count(t, &more));
		if (more)
			return NULL;
		t->counting = false;
		t->skip = t->lines > t->tail ? t->lines - t->tail : 0;
		return rewind_log(t);
	}
	/* Asked before reading: what was written before the end is read then. */
	bool ended = !t->follow || has_ended(t);
	TRY(gather(t, &out, ret_more));
	TRY(str_check(&out));
	send_out(t, &out);
	t->over = (!*ret_more && ended) || t->left == 0;
	return NULL;
}

static void again(struct tail *t)
{
	IGNORE(loop_timer_set(t->turn, clock_boot()));
}

/* Go on while there is something, the reader takes it, and the others do not wait. */
static void turn(void *user)
{
	struct tail *t = user;
	bool more;

	if (t->gone || stream_queued(t->stream) > QUEUE_HIGH)
		return; /* drained() comes */
	auto_err err *e = step(t, &more);
	if (t->gone)
		return;
	if (!e && !t->over) {
		if (more)
			again(t);
		return;
	}
	t->gone = true;
	stream_end(t->stream); /* closed() frees us */
}

static void written(uint32_t events, void *user)
{
	struct tail *t = user;
	char buffer[4096];

	(void)events;
	while (read(t->watch_fd, buffer, sizeof(buffer)) > 0)
		;
	if (!t->gone)
		again(t);
}

static void drained(void *user)
{
	struct tail *t = user;

	if (!t->gone)
		again(t);
}

static err *watch_log(struct tail *t)
{
	char path[PATH_FD_MAX];

	t->watch_fd = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (t->watch_fd < 0 ||
	    inotify_add_watch(t->watch_fd, path_of_fd(t->keep_fd, path),
			      IN_MODIFY | IN_CREATE | IN_MOVED_TO | IN_DELETE | IN_DELETE_SELF) < 0)
		return err_errno("watch the log");
	return loop_io(t->agent->loop, t->watch_fd, EPOLLIN, written, t, &t->watch);
}

/* ---- the request ---- */

static err *number(struct server_request *r, const char *name, uint64_t *ret)
{
	const char *text = request_query(r, name);

	if (!text || str_to_u64(text, ret))
		return NULL;
	return err_new(EBADMSG, "%s: '%s' is no whole number", name, text);
}

static err *flag(struct server_request *r, const char *name, bool *ret)
{
	const char *text = request_query(r, name);

	*ret = text && (str_equal(text, "") || str_equal(text, "true") || str_equal(text, "1"));
	if (!text || *ret || str_equal(text, "false") || str_equal(text, "0"))
		return NULL;
	return err_new(EBADMSG, "%s: '%s' is neither true nor false", name, text);
}

static err *since(struct server_request *r, int64_t *ret)
{
	const char *time = request_query(r, "sinceTime");
	uint64_t seconds = 0;

	if (time && !clock_parse(time, ret))
		return err_new(EBADMSG, "sinceTime: '%s' is no time (RFC 3339)", time);
	TRY(number(r, "sinceSeconds", &seconds));
	if (request_query(r, "sinceSeconds"))
		*ret = clock_real() - (int64_t)MIN(seconds, (uint64_t)1 << 31) * (int64_t)NSEC_PER_SEC;
	return NULL;
}

static err *open_tail(struct tail *t, struct server_request *r, char *const parts[3])
{
	bool previous, running;

	TRY(flag(r, "follow", &t->follow));
	TRY(flag(r, "timestamps", &t->timestamps));
	TRY(flag(r, "previous", &previous));
	TRY(number(r, "tailLines", &t->tail));
	TRY(number(r, "limitBytes", &t->left));
	TRY(since(r, &t->since));
	TRY(pods_log_open(t->agent->pods, parts[0], parts[1], parts[2], previous, &t->keep_fd, &running));
	t->follow = t->follow && running;
	t->counting = t->tail != UINT64_MAX;
	TRY(rewind_log(t));
	if (t->follow)
		TRY(watch_log(t));
	return loop_timer(t->agent->loop, 0, turn, t, &t->turn);
}

void serve_logs(struct node_agent *agent, struct server_request *r, char *const parts[3])
{
	struct tail *t = calloc(1, sizeof(*t));

	if (!t) {
		serve_error(r, err_oom());
		return;
	}
	*t = (struct tail){
		.agent = agent, .keep_fd = -1, .watch_fd = -1, .tail = UINT64_MAX, .left = UINT64_MAX
	};
	err *e = open_tail(t, r, parts);
	if (e) {
		tail_free(t);
		serve_error(r, e);
		return;
	}
	t->stream = request_stream(r, 200, "text/plain; charset=utf-8", QUEUE_MAX, closed, t);
	stream_on_drained(t->stream, drained, t);
	again(t);
}
