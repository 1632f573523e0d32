/* net/loop.c: one thread's loop of descriptors, timers and signals, and the talk with the service manager. */
#include "net/loop.h"

#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"

/* So many callbacks without a pause, and the after-functions are called all the same. */
enum { ROUND_MAX = 512, TIMER_ACCURACY_USEC = 1000 };

struct post {
	struct post *next;
	loop_fn *fn;
	void *user;
};

struct after {
	struct after *next;
	loop_fn *fn;
	void *user;
};

struct loop_source {
	struct loop *loop;
	struct loop_source *next, **at;
	sd_event_source *source;
	union {
		loop_io_fn *io;
		loop_fn *timer;
		loop_signal_fn *signal;
	} fn;
	void *user;
};

struct loop {
	sd_event *event;
	struct loop_source *sources;
	struct after *afters;
	unsigned round; /* callbacks since the after-functions were called */
	uint64_t turns;
	bool stopped;
	err *failure;

	int post_fd;
	pthread_mutex_t lock; /* guards the list below */
	struct post *posts, **posts_end;
};

int64_t clock_boot(void)
{
	struct timespec t;

	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * (int64_t)NSEC_PER_SEC + t.tv_nsec;
}

/* ---- sources ---- */

static err *source_new(struct loop *l, void *user, struct loop_source **ret)
{
	struct loop_source *s = calloc(1, sizeof(*s));

	if (!s)
		return err_oom();
	s->loop = l;
	s->user = user;
	s->next = l->sources;
	s->at = &l->sources;
	if (s->next)
		s->next->at = &s->next;
	l->sources = s;
	*ret = s;
	return NULL;
}

void loop_source_free(struct loop_source *s)
{
	if (!s)
		return;
	*s->at = s->next;
	if (s->next)
		s->next->at = s->at;
	/* sd-event keeps a source that is being dispatched until its callback returns. */
	sd_event_source_disable_unref(s->source);
	free(s);
}

/* sd-event's result: 0 or more is good; a source that could not be added is freed. */
static err *source_check(struct loop_source *s, int r, const char *what, int number, struct loop_source **ret)
{
	if (r < 0) {
		loop_source_free(s);
		return err_code(-r, "watch %s %d", what, number);
	}
	if (ret)
		*ret = s;
	return NULL;
}

/* Each of them may free its source inside fn: nothing of it is touched afterwards. */
static int on_io(sd_event_source *source UNUSED, int fd UNUSED, uint32_t events, void *user)
{
	struct loop_source *s = user;

	s->fn.io(events, s->user);
	return 0;
}

static int on_timer(sd_event_source *source UNUSED, uint64_t usec UNUSED, void *user)
{
	struct loop_source *s = user;

	s->fn.timer(s->user);
	return 0;
}

static int on_defer(sd_event_source *source UNUSED, void *user)
{
	struct loop_source *s = user;

	s->fn.timer(s->user);
	return 0;
}

static int on_signal(sd_event_source *source UNUSED, const struct signalfd_siginfo *info, void *user)
{
	struct loop_source *s = user;

	s->fn.signal((int)info->ssi_signo, s->user);
	return 0;
}

err *loop_io(struct loop *l, int fd, uint32_t events, loop_io_fn *fn, void *user, struct loop_source **ret)
{
	struct loop_source *s = NULL;

	TRY(source_new(l, user, &s));
	s->fn.io = fn;
	return source_check(s, sd_event_add_io(l->event, &s->source, fd, events, on_io, s), "descriptor", fd,
			    ret);
}

err *loop_io_events(struct loop_source *s, uint32_t events)
{
	int r = sd_event_source_set_io_events(s->source, events);

	return r < 0 ? err_code(-r, "watch descriptor %d", sd_event_source_get_io_fd(s->source)) : NULL;
}

/* Rounded up: a timer is never early. */
static uint64_t to_usec(int64_t at)
{
	return at <= 0 ? 0 : ((uint64_t)at + 999) / 1000;
}

err *loop_timer(struct loop *l, int64_t at, loop_fn *fn, void *user, struct loop_source **ret)
{
	struct loop_source *s = NULL;

	TRY(source_new(l, user, &s));
	s->fn.timer = fn;
	int r = sd_event_add_time(l->event, &s->source, CLOCK_BOOTTIME, to_usec(at), TIMER_ACCURACY_USEC,
				  on_timer, s);
	if (r >= 0 && !at)
		r = sd_event_source_set_enabled(s->source, SD_EVENT_OFF);
	return source_check(s, r, "clock", CLOCK_BOOTTIME, ret);
}

err *loop_timer_set(struct loop_source *s, int64_t at)
{
	int r = at ? sd_event_source_set_time(s->source, to_usec(at)) : 0;

	if (r >= 0)
		r = sd_event_source_set_enabled(s->source, at ? SD_EVENT_ONESHOT : SD_EVENT_OFF);
	return r < 0 ? err_code(-r, "set a timer") : NULL;
}

err *loop_defer(struct loop *l, loop_fn *fn, void *user, struct loop_source **ret)
{
	struct loop_source *s = NULL;

	TRY(source_new(l, user, &s));
	s->fn.timer = fn;
	int r = sd_event_add_defer(l->event, &s->source, on_defer, s);
	if (r >= 0)
		r = sd_event_source_set_enabled(s->source, SD_EVENT_OFF);
	return source_check(s, r, "turn", 0, ret);
}

void loop_soon(struct loop_source *s)
{
	/* It needs no memory and no call of the kernel: it cannot fail. */
	if (sd_event_source_set_enabled(s->source, SD_EVENT_ONESHOT) < 0)
		abort();
}

err *loop_signal(struct loop *l, int signal, loop_signal_fn *fn, void *user)
{
	struct loop_source *s = NULL;
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, signal);
	int code = pthread_sigmask(SIG_BLOCK, &set, NULL);
	if (code)
		return err_code(code, "block signal %d", signal);
	TRY(source_new(l, user, &s));
	s->fn.signal = fn;
	return source_check(s, sd_event_add_signal(l->event, &s->source, signal, on_signal, s), "signal",
			    signal, NULL);
}

err *loop_after(struct loop *l, loop_fn *fn, void *user)
{
	struct after **end = &l->afters;
	struct after *a = calloc(1, sizeof(*a));

	if (!a)
		return err_oom();
	*a = (struct after){ .fn = fn, .user = user };
	while (*end)
		end = &(*end)->next;
	*end = a;
	return NULL;
}

/* ---- work from other threads ---- */

void loop_post(struct loop *l, loop_fn *fn, void *user)
{
	struct post *p = calloc(1, sizeof(*p));

	if (!p)
		abort();
	*p = (struct post){ .fn = fn, .user = user };
	pthread_mutex_lock(&l->lock);
	bool first = !l->posts;
	*l->posts_end = p;
	l->posts_end = &p->next;
	/* Under the lock: once the list is seen, the loop may end and be freed. */
	if (first)
		eventfd_write(l->post_fd, 1);
	pthread_mutex_unlock(&l->lock);
}

static struct post *take_posts(struct loop *l)
{
	pthread_mutex_lock(&l->lock);
	struct post *all = l->posts;
	eventfd_t count;
	eventfd_read(l->post_fd, &count);
	l->posts = NULL;
	l->posts_end = &l->posts;
	pthread_mutex_unlock(&l->lock);
	return all;
}

/* What is posted meanwhile waits for the next turn, so that posts that post do not lock others out. */
static void on_post(uint32_t events UNUSED, void *user)
{
	struct loop *l = user;

	for (struct post *p = take_posts(l), *next; p; p = next) {
		next = p->next;
		p->fn(p->user);
		free(p);
	}
}

/* ---- the loop ---- */

static err *set_up(struct loop *l)
{
	int r = sd_event_new(&l->event);

	if (r >= 0)
		r = sd_event_set_watchdog(l->event, true);
	if (r < 0)
		return err_code(-r, "make an event loop");
	l->post_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (l->post_fd < 0)
		return err_errno("make an event loop");
	struct loop_source *posts = NULL;
	return loop_io(l, l->post_fd, EPOLLIN, on_post, l, &posts);
}

err *loop_new(struct loop **ret)
{
	auto_loop struct loop *l = calloc(1, sizeof(*l));

	if (!l)
		return err_oom();
	l->post_fd = -1;
	l->posts_end = &l->posts;
	pthread_mutex_init(&l->lock, NULL);
	TRY(set_up(l));
	*ret = TAKE(l);
	return NULL;
}

void loop_free(struct loop *l)
{
	if (!l)
		return;
	while (l->sources)
		loop_source_free(l->sources);
	for (struct post *p = l->posts, *next; p; p = next) {
		next = p->next;
		free(p);
	}
	for (struct after *a = l->afters, *next; a; a = next) {
		next = a->next;
		free(a);
	}
	sd_event_unref(l->event);
	fd_close(l->post_fd);
	pthread_mutex_destroy(&l->lock);
	err_free(l->failure);
	free(l);
}

void loop_stop(struct loop *l, err *e)
{
	l->stopped = true;
	if (l->failure)
		err_free(e);
	else
		l->failure = e;
}

uint64_t loop_turns(const struct loop *l)
{
	return l->turns;
}

static void call_afters(struct loop *l)
{
	l->round = 0;
	for (struct after *a = l->afters; a; a = a->next)
		a->fn(a->user);
}

/* One callback, or the end of a round. sd_event_wait() that finds nothing in no time leaves sd-event where
 * sources may be changed before it arms its timers again: only there are the after-functions called. */
static int turn(struct loop *l)
{
	int r = sd_event_prepare(l->event);

	if (r == 0)
		r = sd_event_wait(l->event, l->round ? 0 : UINT64_MAX);
	if (r > 0) {
		r = sd_event_dispatch(l->event);
		l->turns++;
		if (r >= 0 && ++l->round >= ROUND_MAX)
			call_afters(l);
		return r;
	}
	if (r == 0 && l->round)
		call_afters(l);
	return r;
}

err *loop_run(struct loop *l)
{
	while (!l->stopped) {
		int r = turn(l);

		if (r < 0)
			return err_code(-r, "event loop");
	}
	call_afters(l);
	l->stopped = false;
	return TAKE(l->failure);
}

/* ---- the service manager ---- */

void loop_ready(struct loop *l UNUSED)
{
	sd_notify(0, "READY=1");
}

void loop_status(struct loop *l UNUSED, const char *text)
{
	char line[512];

	/* A line break would begin another assignment. */
	snprintf(line, sizeof(line), "STATUS=%s", text);
	for (char *c = line; *c; c++)
		if ((unsigned char)*c < ' ')
			*c = ' ';
	sd_notify(0, line);
}

void loop_stopping(struct loop *l UNUSED)
{
	sd_notify(0, "STOPPING=1");
}

/* Read once: the variables must not reach programs that are started here. */
int loop_listen_fd(const char *name)
{
	static char **names;
	static int count = -1;

	if (count < 0) {
		int r = sd_listen_fds_with_names(1, &names);
		count = MAX(r, 0);
	}
	for (int i = 0; i < count; i++) {
		if (names && *names[i] && strcmp(names[i], name) == 0) {
			*names[i] = 0;
			return SD_LISTEN_FDS_START + i;
		}
	}
	return -1;
}
