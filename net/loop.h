/* net/loop.h: one thread's loop of descriptors, timers and signals, and the talk with the service manager.
 * Library: sd-event and sd-daemon (libsystemd), seen only in net/loop.c. sd_notify(3), sd_event(3). */
#pragma once
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include "base/err.h"
#include "base/macro.h"

struct loop;
struct loop_source; /* a descriptor, a timer; ended with loop_source_free(), also from inside its callback */

err *loop_new(struct loop **ret) MUST_CHECK;
/* Frees the sources that are left, too; what was posted and not yet called is dropped. */
void loop_free(struct loop *l);
DEFINE_CLEANUP(struct loop *, loop_free)
#define auto_loop CLEANUP(loop_free)

/* Run until loop_stop(). Errors of the callbacks are their own affair; a failing loop_stop(l, e) is returned. */
err *loop_run(struct loop *l) MUST_CHECK;
void loop_stop(struct loop *l, err *e); /* e: taken, NULL for a good end */
uint64_t loop_turns(const struct loop *l); /* callbacks so far: stands still while nothing happens */

/* events: EPOLLIN and others of epoll(7). fd is borrowed. */
typedef void loop_io_fn(uint32_t events, void *user);
err *loop_io(struct loop *l, int fd, uint32_t events, loop_io_fn *fn, void *user, struct loop_source **ret) MUST_CHECK;
err *loop_io_events(struct loop_source *s, uint32_t events) MUST_CHECK;

/* Once, at a time of CLOCK_BOOTTIME in ns (clock_boot()); loop_timer_set() arms it again; 0 disarms. */
typedef void loop_fn(void *user);
err *loop_timer(struct loop *l, int64_t at, loop_fn *fn, void *user, struct loop_source **ret) MUST_CHECK;
err *loop_timer_set(struct loop_source *s, int64_t at) MUST_CHECK;
int64_t clock_boot(void);

/* Once in the loop's next turn, before it sleeps, after each loop_soon(), however often that is called
 * meanwhile. */
err *loop_defer(struct loop *l, loop_fn *fn, void *user, struct loop_source **ret) MUST_CHECK;
void loop_soon(struct loop_source *s);

/* The signal becomes blocked in this thread; do it before any thread is made. */
typedef void loop_signal_fn(int signal, void *user);
err *loop_signal(struct loop *l, int signal, loop_signal_fn *fn, void *user) MUST_CHECK;

/* Called after each round of callbacks, before the loop sleeps, after 512 of them at the latest, and once
 * when it stops: for what gathers work, as a store's group commit. */
err *loop_after(struct loop *l, loop_fn *fn, void *user) MUST_CHECK;

/* From any thread: have fn(user) called in the loop's thread, in order. Never fails: it aborts without memory. */
void loop_post(struct loop *l, loop_fn *fn, void *user);

void loop_source_free(struct loop_source *s);

/* The service manager, when there is one: READY=1, STATUS=, STOPPING=1. The watchdog that it asks for is answered
 * by the loop itself while it turns. */
void loop_ready(struct loop *l);
void loop_status(struct loop *l, const char *text);
void loop_stopping(struct loop *l);

/* A socket handed over by the service manager under that name (LISTEN_FDNAMES), yours; or -1. Each is given
 * once. */
int loop_listen_fd(const char *name);
