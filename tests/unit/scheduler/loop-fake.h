/* tests/unit/scheduler/loop-fake.h: net/loop.h without descriptors and with a clock that the test turns. */
#pragma once
#include "base/clock.h"
#include "net/loop.h"
#include "tests/unit/unit.h"

enum { FAKE_MAX = 4096 };
struct loop_source {
	struct loop *loop; /* NULL: free */
	int64_t at;
	loop_fn *fn;
	void *user;
};
struct fake_call {
	loop_fn *fn;
	void *user;
};
struct loop {
	struct loop_source sources[FAKE_MAX];
	struct fake_call after[FAKE_MAX], posts[FAKE_MAX];
	size_t afters, post_count;
};

static int64_t fake_now = 1000 * (int64_t)NSEC_PER_SEC;

int64_t clock_boot(void)
{
	return fake_now;
}

err *loop_new(struct loop **ret)
{
	*ret = calloc(1, sizeof(**ret));
	return *ret ? NULL : err_oom();
}

void loop_free(struct loop *l)
{
	free(l);
}

err *loop_timer(struct loop *l, int64_t at, loop_fn *fn, void *user, struct loop_source **ret)
{
	for (size_t i = 0; i < FAKE_MAX; i++)
		if (!l->sources[i].loop) {
			l->sources[i] = (struct loop_source){ l, at, fn, user };
			*ret = &l->sources[i];
			return NULL;
		}
	return err_new(ENOBUFS, "too many timers");
}

err *loop_timer_set(struct loop_source *s, int64_t at)
{
	s->at = at;
	return NULL;
}

void loop_source_free(struct loop_source *s)
{
	if (s)
		*s = (struct loop_source){ 0 };
}

err *loop_after(struct loop *l, loop_fn *fn, void *user)
{
	assert_true(l->afters < FAKE_MAX);
	l->after[l->afters++] = (struct fake_call){ fn, user };
	return NULL;
}

void loop_post(struct loop *l, loop_fn *fn, void *user)
{
	assert_true(l->post_count < FAKE_MAX);
	l->posts[l->post_count++] = (struct fake_call){ fn, user };
}

/* Not used by what is tested with this. */
err *loop_run(struct loop *l UNUSED)
{
	return err_new(ENOSYS, "a fake loop turns by hand");
}
void loop_stop(struct loop *l UNUSED, err *e)
{
	err_free(e);
}
err *loop_io(struct loop *l UNUSED, int fd UNUSED, uint32_t events UNUSED, loop_io_fn *fn UNUSED,
	     void *user UNUSED, struct loop_source **ret UNUSED)
{
	return err_new(ENOSYS, "a fake loop has no descriptors");
}
err *loop_io_events(struct loop_source *s UNUSED, uint32_t events UNUSED)
{
	return NULL;
}
err *loop_signal(struct loop *l UNUSED, int signal UNUSED, loop_signal_fn *fn UNUSED, void *user UNUSED)
{
	return NULL;
}
void loop_ready(struct loop *l UNUSED)
{
}
void loop_status(struct loop *l UNUSED, const char *text UNUSED)
{
}
void loop_stopping(struct loop *l UNUSED)
{
}
uint64_t loop_turns(const struct loop *l UNUSED)
{
	return 0;
}
err *loop_defer(struct loop *l, loop_fn *fn, void *user, struct loop_source **ret)
{
	return loop_timer(l, 0, fn, user, ret);
}
void loop_soon(struct loop_source *s)
{
	s->at = fake_now;
}
int loop_listen_fd(const char *name UNUSED)
{
	return -1;
}

/* One round: what was posted, timers that are due, then what comes after. */
static UNUSED void loop_turn(struct loop *l)
{
	struct fake_call posts[FAKE_MAX];
	size_t count = l->post_count;

	memcpy(posts, l->posts, sizeof(posts));
	l->post_count = 0;
	for (size_t i = 0; i < count; i++)
		posts[i].fn(posts[i].user);
	for (size_t i = 0; i < FAKE_MAX; i++) {
		struct loop_source *s = &l->sources[i];
		if (s->loop && s->at && s->at <= fake_now) {
			s->at = 0;
			s->fn(s->user);
		}
	}
	for (size_t i = 0; i < l->afters; i++)
		l->after[i].fn(l->after[i].user);
}

/* As long as a real loop would not sleep. */
static UNUSED void loop_settle(struct loop *l)
{
	do
		loop_turn(l);
	while (l->post_count);
}

/* Time goes by, timer after timer. */
static UNUSED void loop_pass(struct loop *l, int64_t nsec)
{
	int64_t end = fake_now + nsec;

	for (;;) {
		int64_t next = end;
		loop_settle(l);
		for (size_t i = 0; i < FAKE_MAX; i++)
			if (l->sources[i].loop && l->sources[i].at && l->sources[i].at < next)
				next = l->sources[i].at;
		if (fake_now >= end)
			return;
		fake_now = next > fake_now ? next : fake_now + 1;
	}
}

/* All of it at once, as after SIGSTOP. */
static UNUSED void loop_stand_still(struct loop *l, int64_t nsec)
{
	fake_now += nsec;
	loop_settle(l);
}
