/* monitor/peer.c: the clients of a monitor: who may connect, what they may ask, what they get. */
#include <signal.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/log.h"
#include "monitor/session-internal.h"

static void hang_up(struct session *s, struct peer *p, const char *why)
{
	if (!p->used)
		return;
	log_debug("client gone", "reason", why, NULL);
	bool starter = p->starter;
	monitor_loop_forget(s, &p->source);
	str_done(&p->queue);
	p->used = false;
	if (starter)
		monitor_loop_post(s, EV_STARTER_GONE);
	stdio_pace(s);
}

/* One packet out, or false when the socket is full. Errors end the client later, at its reading. */
static bool send_packet(struct peer *p, const struct monitor_head *head, const void *data, size_t len)
{
	struct iovec parts[] = { { (void *)head, sizeof(*head) }, { (void *)data, len } };
	struct msghdr msg = { .msg_iov = parts, .msg_iovlen = len > 0 ? 2 : 1 };
	ssize_t n;

	do
		n = sendmsg(p->source.fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	while (n < 0 && errno == EINTR);
	return n >= 0 || (errno != EAGAIN && errno != ENOBUFS);
}

static void enqueue(struct session *s, struct peer *p, const struct monitor_head *head, const void *data,
		    size_t len)
{
	uint32_t size = (uint32_t)(sizeof(*head) + len);

	str_add_bytes(&p->queue, &size, sizeof(size));
	str_add_bytes(&p->queue, head, sizeof(*head));
	str_add_bytes(&p->queue, data ? data : "", len);
	if (p->queue.failed)
		hang_up(s, p, "it asks much and reads nothing");
	else
		monitor_loop_change(s, &p->source, EPOLLIN | EPOLLOUT);
}

void peer_send(struct session *s, struct peer *p, uint32_t kind, int32_t value, uint64_t a, uint64_t b,
	       const void *data, size_t len)
{
	struct monitor_head head = { kind, value, a, b };

	if (p->queue.len > 0 || !send_packet(p, &head, data, len))
		enqueue(s, p, &head, data, len);
}

static void flush(struct session *s, struct peer *p)
{
	while (p->queue.len > 0) {
		uint32_t size;
		struct monitor_head head;
		memcpy(&size, p->queue.data, sizeof(size));
		memcpy(&head, p->queue.data + sizeof(size), sizeof(head));
		if (!send_packet(p, &head, p->queue.data + sizeof(size) + sizeof(head), size - sizeof(head)))
			return;
		str_consume(&p->queue, sizeof(size) + size);
	}
	monitor_loop_change(s, &p->source, EPOLLIN);
	stdio_pace(s);
}

bool peer_pending(const struct session *s, bool of_readers)
{
	for (size_t i = 0; i < PEERS_MAX; i++) {
		const struct peer *p = &s->peers[i];
		if (p->used && (p->attached || !of_readers) && (p->queue.len > 0 || (p->behind && !of_readers)))
			return true;
	}
	return false;
}

bool peer_first_here(const struct session *s)
{
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (s->peers[i].used && s->peers[i].first)
			return true;
	return false;
}

void peer_all(struct session *s, bool (*wants)(const struct peer *), uint32_t kind, int32_t value,
	      uint64_t a, uint64_t b)
{
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (s->peers[i].used && wants(&s->peers[i]))
			peer_send(s, &s->peers[i], kind, value, a, b, NULL, 0);
}

struct peer *peer_starter(struct session *s)
{
	for (size_t i = 0; i < PEERS_MAX; i++)
		if (s->peers[i].used && s->peers[i].starter)
			return &s->peers[i];
	return NULL;
}

void peer_output(struct session *s, enum monitor_stream stream, struct monitor_place before,
		 const char *bytes, size_t len)
{
	struct monitor_head head = { stream == MONITOR_STDERR ? MONITOR_ERR : MONITOR_OUT, 0, 0, 0 };

	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct peer *p = &s->peers[i];
		if (!p->used || !p->attached || p->behind)
			continue;
		if (p->queue.len == 0 && send_packet(p, &head, bytes, len))
			continue;
		if (!s->log) {
			enqueue(s, p, &head, bytes, len);
			continue;
		}
		p->behind = true;
		peer_send(s, p, MONITOR_BEHIND, 0, before.generation, before.offset, NULL, 0);
	}
}

void peer_input_taken(struct session *s, size_t bytes)
{
	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct peer *p = &s->peers[i];
		if (!p->used || !p->holds_input)
			continue;
		/* Bytes of an earlier holder are not this one's. */
		uint64_t back = MIN(bytes, MONITOR_INPUT_WINDOW - p->input_credit);
		p->input_credit += back;
		if (back > 0)
			peer_send(s, p, MONITOR_ROOM, 0, back, 0, NULL, 0);
	}
}

/* ---- requests: each answers by 0 for OK or an errno ---- */

struct request {
	struct session *s;
	struct peer *peer;
	const struct monitor_head *head;
	const char *data;
	size_t len;
	uint64_t a, b; /* of the answer OK; otherwise the place in the log */
	bool silent;   /* no answer */
};

static int do_hello(struct request *r)
{
	const struct monitor_options *o = r->s->options;

	/* A newer client speaks our version: it must know those that still run. */
	r->peer->greeted = true;
	r->a = (uint64_t)MAX(r->s->pid, 0);
	r->b = (o->tty ? MONITOR_FLAG_TTY : 0) | (o->log ? MONITOR_FLAG_LOG : 0) |
	       (r->s->record.started ? MONITOR_FLAG_STARTED : 0);
	return 0;
}

static int do_attach(struct request *r)
{
	struct session *s = r->s;
	int wants = r->head->value;

	if (wants & MONITOR_ATTACH_INPUT) {
		if (!s->options->interactive && !s->options->tty)
			return ENXIO;
		for (size_t i = 0; i < PEERS_MAX; i++)
			if (s->peers[i].used && s->peers[i].holds_input)
				return EBUSY;
		r->peer->holds_input = true;
		r->peer->input_credit = MONITOR_INPUT_WINDOW;
	}
	if (wants & MONITOR_ATTACH_OUTPUT)
		r->peer->attached = s->ever_attached = true;
	stdio_pace(s);
	if ((wants & MONITOR_ATTACH_HISTORY) && s->log) {
		r->peer->behind = true;
		peer_send(s, r->peer, MONITOR_BEHIND, 0, 0, 0, NULL, 0);
	}
	return 0;
}

static int do_start(struct request *r)
{
	if (r->s->state != ST_CREATED)
		return EALREADY;
	/* Whoever starts is the one to tell of a failure. */
	struct peer *starter = peer_starter(r->s);
	if (starter)
		starter->starter = false;
	r->peer->starter = true;
	r->silent = true; /* answered when the runtime is done */
	monitor_loop_post(r->s, EV_START);
	return 0;
}

static int do_input(struct request *r)
{
	struct peer *p = r->peer;

	r->silent = true;
	if (!p->holds_input || r->len > p->input_credit) {
		hang_up(r->s, p, "more input than it may send");
		return 0;
	}
	p->input_credit -= r->len;
	str_add_bytes(&r->s->input_buffer, r->data, r->len);
	stdio_input_changed(r->s);
	return 0;
}

static int do_input_end(struct request *r)
{
	r->silent = true;
	if (!r->peer->holds_input)
		return 0;
	r->s->input_ended = true;
	stdio_input_changed(r->s);
	return 0;
}

static int do_resize(struct request *r)
{
	return stdio_resize(r->s, (unsigned)r->head->a, (unsigned)r->head->b);
}

static int do_signal(struct request *r)
{
	if (r->s->pidfd < 0 || r->s->exited)
		return ESRCH;
	return syscall(SYS_pidfd_send_signal, r->s->pidfd, r->head->value, NULL, 0) < 0 ? errno : 0;
}

static int do_wait(struct request *r)
{
	r->peer->waiting = true;
	return 0;
}

static int do_resume(struct request *r)
{
	if (!r->s->log || !r->peer->behind)
		return EINVAL;
	struct monitor_place now = monitor_log_place(r->s->log);
	if (now.generation == r->head->a && now.offset == r->head->b) {
		r->peer->behind = false;
		return 0;
	}
	r->silent = true;
	peer_send(r->s, r->peer, MONITOR_BEHIND, 0, r->head->a, r->head->b, NULL, 0);
	return 0;
}

static int do_reopen_log(struct request *r)
{
	if (!r->s->log)
		return ENXIO;
	err *e = monitor_log_reopen(r->s->log);
	int code = e ? e->code : 0;
	err_free(e);
	return code;
}

static int (*const requests[MONITOR_CLIENT_KINDS])(struct request *) = {
	[MONITOR_HELLO] = do_hello,         [MONITOR_ATTACH] = do_attach,
	[MONITOR_START] = do_start,         [MONITOR_INPUT] = do_input,
	[MONITOR_INPUT_END] = do_input_end, [MONITOR_RESIZE] = do_resize,
	[MONITOR_SIGNAL] = do_signal,       [MONITOR_WAIT] = do_wait,
	[MONITOR_RESUME] = do_resume,       [MONITOR_REOPEN_LOG] = do_reopen_log,
};

static void answer(struct session *s, struct peer *p, const struct monitor_message *m, size_t len)
{
	struct monitor_place place = s->log ? monitor_log_place(s->log) : (struct monitor_place){ 0 };
	struct request r = {
		.s = s, .peer = p, .head = &m->head, .data = m->data, .len = len,
		.a = place.generation, .b = place.offset,
	};

	if (m->head.kind != MONITOR_HELLO && !p->greeted) {
		hang_up(s, p, "no greeting");
		return;
	}
	int code = requests[m->head.kind](&r);
	if (!p->used || (r.silent && code == 0))
		return;
	if (code == 0)
		peer_send(s, p, MONITOR_OK, (int32_t)m->head.kind, r.a, r.b, NULL, 0);
	else
		peer_send(s, p, MONITOR_ERROR, code, m->head.kind, 0, strerror(code), strlen(strerror(code)));
}

static void peer_ready(struct session *s, struct source *source, uint32_t events)
{
	struct peer *p = (struct peer *)source;
	struct monitor_message m;

	if (events & EPOLLOUT)
		flush(s, p);
	if (!(events & (EPOLLIN | EPOLLHUP | EPOLLERR)) || !p->used)
		return;
	ssize_t n = recv(source->fd, &m, sizeof(m), MSG_DONTWAIT | MSG_TRUNC);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	err *e = n > (ssize_t)sizeof(m) ? err_new(EPROTO, "message of %zd bytes is too long", n) : NULL;
	if (!e && n > 0)
		e = monitor_check(MONITOR_SIDE_CLIENT, &m, (size_t)n);
	if (e || n <= 0)
		hang_up(s, p, e ? e->message : "closed");
	else
		answer(s, p, &m, (size_t)n - sizeof(m.head));
	err_free(e);
}

struct peer *peer_add(struct session *s, int fd)
{
	for (size_t i = 0; i < PEERS_MAX; i++) {
		struct peer *p = &s->peers[i];
		if (p->used)
			continue;
		*p = (struct peer){ .used = true };
		str_init(&p->queue, PEER_QUEUE_MAX);
		monitor_loop_watch(s, &p->source, fd, EPOLLIN, peer_ready);
		return p;
	}
	fd_close(fd);
	return NULL;
}

/* The owner and root, nobody else, whatever the socket's mode lets through. */
static void listener_ready(struct session *s, struct source *source, uint32_t events UNUSED)
{
	struct ucred who;
	socklen_t len = sizeof(who);
	auto_close int fd = accept4(source->fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len) < 0 ||
	    (who.uid != geteuid() && who.uid != 0)) {
		log_warning("a client of another user was refused", NULL);
		return;
	}
	if (!peer_add(s, TAKE_FD(fd)))
		log_warning("a client was refused: there are too many", NULL);
}

err *peer_listen(struct session *s)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/" MONITOR_SOCKET, s->options->dir);
	unlink(path);
	TRY(fd_unix_listen(path, SOCK_SEQPACKET, 0600, &fd));
	monitor_loop_watch(s, &s->listener, fd, EPOLLIN, listener_ready);
	return NULL;
}
