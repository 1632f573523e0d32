/* tests/unit/net/loop_test.c: descriptors, timers, signals and other threads' work in one loop. */
#include "tests/unit/unit.h"

#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "net/loop.h"

static struct {
	struct loop *loop;
	struct loop_source *a, *b;
	int count, afters, fds[2];
	int length;
	int64_t begun;
	char order[64];
} t;

static int make(void **state)
{
	(void)state;
	memset(&t, 0, sizeof(t));
	assert_ok(loop_new(&t.loop));
	return pipe2(t.fds, O_CLOEXEC | O_NONBLOCK);
}

static int unmake(void **state)
{
	(void)state;
	loop_free(t.loop);
	fd_close(t.fds[0]);
	fd_close(t.fds[1]);
	return 0;
}

static void stop(void *user)
{
	loop_stop(user, NULL);
}

static char x[] = "x", one[] = "1", two[] = "2", never[] = "n";

static void note(void *user)
{
	assert_true(t.length + 1 < (int)sizeof(t.order));
	t.order[t.length++] = *(const char *)user;
}

static void read_one(uint32_t events, void *user)
{
	char c;

	(void)user;
	assert_true(events & EPOLLIN);
	assert_int_equal(read(t.fds[0], &c, 1), 1);
	t.count++;
	if (c == '!')
		loop_stop(t.loop, NULL);
}

static void test_a_descriptor_is_called_for_each_readiness(void **state)
{
	(void)state;
	assert_int_equal(write(t.fds[1], "ab!", 3), 3);
	assert_ok(loop_io(t.loop, t.fds[0], EPOLLIN, read_one, NULL, &t.a));
	assert_ok(loop_run(t.loop));
	assert_int_equal(t.count, 3);
}

static void test_no_events_are_asked_for_until_they_are_set(void **state)
{
	struct loop_source *timer;

	(void)state;
	assert_int_equal(write(t.fds[1], "!", 1), 1);
	assert_ok(loop_io(t.loop, t.fds[0], 0, read_one, NULL, &t.a));
	assert_ok(loop_timer(t.loop, clock_boot() + 5000000, stop, t.loop, &timer));
	assert_ok(loop_run(t.loop));
	assert_int_equal(t.count, 0);
	assert_ok(loop_io_events(t.a, EPOLLIN));
	assert_ok(loop_run(t.loop));
	assert_int_equal(t.count, 1);
}

static void free_both(uint32_t events, void *user)
{
	(void)events;
	(void)user;
	t.count++;
	loop_source_free(t.a);
	loop_source_free(t.b);
	loop_stop(t.loop, NULL);
}

static void test_a_source_may_free_itself_and_another_that_is_due(void **state)
{
	(void)state;
	int other = dup(t.fds[0]);

	assert_int_equal(write(t.fds[1], "x", 1), 1);
	assert_ok(loop_io(t.loop, t.fds[0], EPOLLIN, free_both, NULL, &t.a));
	assert_ok(loop_io(t.loop, other, EPOLLIN, free_both, NULL, &t.b));
	assert_ok(loop_run(t.loop));
	assert_int_equal(t.count, 1);
	fd_close(other);
}

/* A machine under load may let all of them become due at once: then in any order. */
static void stop_when_both(void *user)
{
	note(user);
	assert_true(clock_boot() >= t.begun + (user == (void *)two ? 6000000 : 3000000));
	if (strlen(t.order) == 2)
		loop_stop(t.loop, NULL);
}

static void test_timers_never_come_early(void **state)
{
	struct loop_source *s[3];

	(void)state;
	t.begun = clock_boot();
	assert_ok(loop_timer(t.loop, t.begun + 6000000, stop_when_both, two, &s[0]));
	assert_ok(loop_timer(t.loop, t.begun + 3000000, stop_when_both, one, &s[1]));
	assert_ok(loop_timer(t.loop, 0, note, never, &s[2]));
	assert_ok(loop_run(t.loop));
	assert_true(strspn(t.order, "12") == 2 && t.order[0] != t.order[1]);
}

static void test_a_timer_fires_once_until_it_is_set_again(void **state)
{
	struct loop_source *s, *end;

	(void)state;
	assert_ok(loop_timer(t.loop, 1, note, x, &s));
	assert_ok(loop_timer(t.loop, clock_boot() + 5000000, stop, t.loop, &end));
	assert_ok(loop_run(t.loop));
	assert_string_equal(t.order, "x");
	assert_ok(loop_timer_set(s, 1));
	assert_ok(loop_timer_set(end, clock_boot() + 5000000));
	assert_ok(loop_run(t.loop));
	assert_string_equal(t.order, "xx");
	assert_ok(loop_timer_set(s, clock_boot() + 1000000));
	assert_ok(loop_timer_set(s, 0));
	assert_ok(loop_timer_set(end, clock_boot() + 5000000));
	assert_ok(loop_run(t.loop));
	assert_string_equal(t.order, "xx");
}

static void again(void *user)
{
	if (++t.count < 3)
		loop_soon(t.a);
	else
		loop_source_free(t.a);
	note(user);
}

static void soon(void *user)
{
	if (!t.count++)
		loop_soon(user);
}

/* Also from an after-function, when the loop would sleep. */
static void test_deferred_work_is_done_once_in_the_next_turn(void **state)
{
	struct loop_source *end;

	(void)state;
	assert_ok(loop_defer(t.loop, again, x, &t.a));
	assert_ok(loop_defer(t.loop, note, one, &t.b));
	assert_ok(loop_timer(t.loop, clock_boot() + 5000000, stop, t.loop, &end));
	assert_ok(loop_run(t.loop));
	assert_string_equal(t.order, "");
	loop_soon(t.a);
	loop_soon(t.a);
	assert_ok(loop_timer_set(end, clock_boot() + 5000000));
	assert_ok(loop_run(t.loop));
	assert_string_equal(t.order, "xxx");
	t.count = 0;
	assert_ok(loop_after(t.loop, soon, t.b));
	loop_post(t.loop, note, two);
	assert_ok(loop_timer_set(end, clock_boot() + 5000000));
	assert_ok(loop_run(t.loop));
	assert_string_equal(t.order, "xxx21");
}

static void on_signal(int signal, void *user)
{
	t.count = signal;
	loop_stop(user, NULL);
}

static void test_a_signal_arrives_as_a_call(void **state)
{
	(void)state;
	assert_ok(loop_signal(t.loop, SIGUSR2, on_signal, t.loop));
	raise(SIGUSR2);
	assert_ok(loop_run(t.loop));
	assert_int_equal(t.count, SIGUSR2);
}

static void test_the_first_failure_is_what_run_returns(void **state)
{
	(void)state;
	loop_stop(t.loop, err_new(EIO, "first"));
	loop_stop(t.loop, err_new(EIO, "second"));
	assert_err(loop_run(t.loop), "first");
	loop_stop(t.loop, NULL);
	assert_ok(loop_run(t.loop));
}

/* ---- posts and rounds ---- */

enum { THREADS = 4, POSTS = 2000 };

static struct thread_post {
	int thread, number;
} posts[THREADS][POSTS];
static int last[THREADS];

static void count_post(void *user)
{
	struct thread_post *p = user;

	assert_int_equal(p->number, last[p->thread] + 1);
	last[p->thread] = p->number;
	if (++t.count == THREADS * POSTS)
		loop_stop(t.loop, NULL);
}

static void *post_all(void *arg)
{
	int thread = (int)(intptr_t)arg;

	for (int i = 0; i < POSTS; i++) {
		posts[thread][i] = (struct thread_post){ thread, i + 1 };
		loop_post(t.loop, count_post, &posts[thread][i]);
	}
	return NULL;
}

static void test_posts_of_threads_arrive_once_and_in_their_order(void **state)
{
	pthread_t threads[THREADS];

	(void)state;
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, post_all, (void *)(intptr_t)i), 0);
	assert_ok(loop_run(t.loop));
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	assert_int_equal(t.count, THREADS * POSTS);
}

static void after(void *user)
{
	(void)user;
	t.afters++;
}

static void test_work_is_gathered_until_a_round_ends(void **state)
{
	struct loop_source *s[8], *end;

	(void)state;
	assert_ok(loop_after(t.loop, after, NULL));
	for (int i = 0; i < 8; i++)
		assert_ok(loop_timer(t.loop, 1, note, x, &s[i]));
	assert_ok(loop_timer(t.loop, clock_boot() + 5000000, stop, t.loop, &end));
	assert_ok(loop_run(t.loop));
	assert_string_equal(t.order, "xxxxxxxx");
	assert_int_equal(t.afters, 2); /* the eight; the end */
}

static void post_again(void *user)
{
	if (++t.count == 5000)
		loop_stop(t.loop, NULL);
	else
		loop_post(t.loop, post_again, user);
}

static void test_endless_work_does_not_keep_the_round_from_ending(void **state)
{
	(void)state;
	assert_ok(loop_after(t.loop, after, NULL));
	loop_post(t.loop, post_again, NULL);
	assert_ok(loop_run(t.loop));
	assert_in_range(t.afters, 5000 / 512, 5001);
}

static void test_nothing_turns_while_nothing_happens(void **state)
{
	struct loop_source *end;

	(void)state;
	assert_ok(loop_io(t.loop, t.fds[0], EPOLLIN, read_one, NULL, &t.a));
	assert_ok(loop_after(t.loop, after, NULL));
	assert_ok(loop_timer(t.loop, clock_boot() + 100000000, stop, t.loop, &end));
	assert_ok(loop_run(t.loop));
	assert_int_equal(loop_turns(t.loop), 1);
}

/* ---- the service manager ---- */

static int manager(struct sockaddr_un *a)
{
	socklen_t len = sizeof(*a);
	int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

	*a = (struct sockaddr_un){ .sun_family = AF_UNIX };
	assert_int_equal(bind(fd, (struct sockaddr *)a, sizeof(sa_family_t)),
			 0); /* the kernel chooses a name */
	assert_int_equal(getsockname(fd, (struct sockaddr *)a, &len), 0);
	a->sun_path[0] = '@';
	return fd;
}

static void next_message(int fd, char *buf, size_t max)
{
	ssize_t n = recv(fd, buf, max - 1, 0);

	assert_true(n >= 0);
	buf[n] = 0;
}

static void test_the_service_manager_is_told(void **state)
{
	char buf[600];
	struct sockaddr_un a;
	auto_close int fd = manager(&a);

	(void)state;
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	loop_ready(t.loop);
	loop_status(t.loop, "3 nodes\nREADY=1");
	loop_stopping(t.loop);
	unsetenv("NOTIFY_SOCKET");
	next_message(fd, buf, sizeof(buf));
	assert_string_equal(buf, "READY=1");
	next_message(fd, buf, sizeof(buf));
	assert_string_equal(buf, "STATUS=3 nodes READY=1");
	next_message(fd, buf, sizeof(buf));
	assert_string_equal(buf, "STOPPING=1");
}

static void test_a_watchdog_is_answered_while_the_loop_turns(void **state)
{
	char buf[64], pid[16];
	struct sockaddr_un a;
	auto_close int fd = manager(&a);
	auto_loop struct loop *l = NULL;
	struct loop_source *end;

	(void)state;
	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("NOTIFY_SOCKET", a.sun_path, 1);
	setenv("WATCHDOG_USEC", "20000", 1);
	setenv("WATCHDOG_PID", pid, 1);
	assert_ok(loop_new(&l));
	assert_ok(loop_timer(l, clock_boot() + 60000000, stop, l, &end));
	assert_ok(loop_run(l));
	unsetenv("WATCHDOG_USEC");
	unsetenv("WATCHDOG_PID");
	unsetenv("NOTIFY_SOCKET");
	next_message(fd, buf, sizeof(buf));
	assert_string_equal(buf, "WATCHDOG=1");
	next_message(fd, buf, sizeof(buf));
	assert_string_equal(buf, "WATCHDOG=1");
}

/* In a process of its own, since it is read once. The exit status is the number of the first wrong line. */
static int take_sockets(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	setenv("LISTEN_FDS", "2", 1);
	setenv("LISTEN_FDNAMES", "api:local", 1);
	setenv("LISTEN_PID", pid, 1);
	if (dup2(t.fds[0], 3) != 3 || dup2(t.fds[1], 4) != 4)
		return 1;
	if (loop_listen_fd("other") != -1)
		return 2;
	if (loop_listen_fd("local") != 4 || loop_listen_fd("api") != 3)
		return 3;
	if (loop_listen_fd("api") != -1)
		return 4;
	return getenv("LISTEN_FDS") ? 5 : 0;
}

static void test_sockets_of_the_service_manager_are_found_by_name(void **state)
{
	int status;

	(void)state;
	pid_t pid = fork();
	if (!pid)
		_exit(take_sockets());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, make, unmake)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_a_descriptor_is_called_for_each_readiness),
		TEST(test_no_events_are_asked_for_until_they_are_set),
		TEST(test_a_source_may_free_itself_and_another_that_is_due),
		TEST(test_timers_never_come_early),
		TEST(test_a_timer_fires_once_until_it_is_set_again),
		TEST(test_deferred_work_is_done_once_in_the_next_turn),
		TEST(test_a_signal_arrives_as_a_call),
		TEST(test_the_first_failure_is_what_run_returns),
		TEST(test_posts_of_threads_arrive_once_and_in_their_order),
		TEST(test_work_is_gathered_until_a_round_ends),
		TEST(test_endless_work_does_not_keep_the_round_from_ending),
		TEST(test_nothing_turns_while_nothing_happens),
		TEST(test_the_service_manager_is_told),
		TEST(test_a_watchdog_is_answered_while_the_loop_turns),
		TEST(test_sockets_of_the_service_manager_are_found_by_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
