/* monitor/loop.c: one epoll loop, and the one function that changes state. */
#include <signal.h>
#include <sys/signalfd.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/log.h"
#include "monitor/session-internal.h"

static void signals_ready(struct session *s, struct source *source, uint32_t events UNUSED)
{
	struct signalfd_siginfo info;

	while (read(source->fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGTERM)
			monitor_loop_post(s, EV_TERM);
		else if (info.ssi_signo == SIGCHLD)
			child_reap(s);
	}
}

static void timer_ready(struct session *s, struct source *source, uint32_t events UNUSED)
{
	uint64_t ticks;

	if (read(source->fd, &ticks, sizeof(ticks)) != sizeof(ticks))
		return;
	/* A reader that is paced still takes the last output: it gets the time it needs. */
	if (s->paced)
		monitor_loop_timer(s, NSEC_PER_SEC);
	else
		monitor_loop_post(s, EV_TIMEOUT);
}

err *monitor_loop_open(struct session *s)
{
	sigset_t all;

	s->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (s->epoll_fd < 0)
		return err_errno("make an epoll descriptor");
	sigfillset(&all);
	if (sigprocmask(SIG_SETMASK, &all, NULL) < 0)
		return err_errno("block signals");
	int signals = signalfd(-1, &all, SFD_CLOEXEC | SFD_NONBLOCK);
	int timer = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (signals < 0 || timer < 0)
		return err_errno("make descriptors for signals and time");
	monitor_loop_watch(s, &s->signals, signals, EPOLLIN, signals_ready);
	monitor_loop_watch(s, &s->timer, timer, EPOLLIN, timer_ready);
	return NULL;
}

void monitor_loop_watch(struct session *s, struct source *source, int fd, uint32_t events,
			void (*ready)(struct session *, struct source *, uint32_t))
{
	struct epoll_event e = { .events = events, .data.ptr = source };

	*source = (struct source){ .fd = fd, .events = events, .ready = ready };
	if (epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, fd, &e) < 0)
		log_error("cannot watch a descriptor", "reason", strerror(errno), NULL);
}

void monitor_loop_change(struct session *s, struct source *source, uint32_t events)
{
	struct epoll_event e = { .events = events, .data.ptr = source };

	if (source->fd < 0 || source->events == events)
		return;
	source->events = events;
	/* A descriptor without events is taken out: epoll would go on reporting its hang-up. */
	epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	if (events != 0)
		epoll_ctl(s->epoll_fd, EPOLL_CTL_ADD, source->fd, &e);
}

void monitor_loop_forget(struct session *s, struct source *source)
{
	if (source->fd < 0)
		return;
	epoll_ctl(s->epoll_fd, EPOLL_CTL_DEL, source->fd, NULL);
	fd_clear(&source->fd);
	source->events = 0;
}

void monitor_loop_timer(struct session *s, int64_t nsec)
{
	struct itimerspec when = {
		.it_value = { nsec / (int64_t)NSEC_PER_SEC, nsec % (int64_t)NSEC_PER_SEC },
	};

	timerfd_settime(s->timer.fd, 0, &when, NULL);
}

void monitor_loop_post(struct session *s, enum monitor_event event)
{
	if (s->pending_count < EVENTS_MAX)
		s->pending[s->pending_count++] = event;
}

/* The only place that changes the state. */
static void change(struct session *s, enum monitor_event event)
{
	const struct state_row *row = state_find(s->state, event);

	if (!row) {
		log_debug("event without effect", "state", state_name(s->state), "event",
			  event_name(event), NULL);
		return;
	}
	log_info(row->name, "from", state_name(row->from), "event", event_name(event), "to",
		 state_name(row->to), NULL);
	s->state = row->to;
	row->action(s);
}

static void settle(struct session *s)
{
	for (;;) {
		/* The process may end while the runtime is still at work: its end waits for a state
		 * that has a row for it. */
		if (s->pending_count == 0 && s->exited && state_find(s->state, EV_EXIT))
			monitor_loop_post(s, EV_EXIT);
		if (s->pending_count == 0 && s->state == ST_DRAINING && stdio_drained(s))
			monitor_loop_post(s, EV_DRAINED);
		if (s->pending_count == 0)
			return;
		enum monitor_event event = s->pending[0];
		memmove(s->pending, s->pending + 1, --s->pending_count * sizeof(s->pending[0]));
		change(s, event);
	}
}

err *monitor_loop_run(struct session *s)
{
	settle(s);
	while (s->state != ST_DONE || peer_pending(s, false)) { /* a slow reader still gets its last message */
		struct epoll_event event;
		/* One event at a time: a handler may close what a later event of a batch points to. */
		int n = epoll_wait(s->epoll_fd, &event, 1, -1);
		if (n < 0 && errno != EINTR)
			return err_errno("wait for events");
		if (n == 1) {
			struct source *source = event.data.ptr;
			source->ready(s, source, event.events);
		}
		settle(s);
	}
	return NULL;
}
