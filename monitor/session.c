/* monitor/session.c: the monitor's set-up and the actions of its states. */
#include "monitor/session.h"

#include <fcntl.h>
#include <signal.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/log.h"
#include "base/path.h"
#include "monitor/session-internal.h"

enum { DRAIN_NSEC = 500 * NSEC_PER_MSEC };

/* linux/pidfd.h of Linux 6.15; Debian 12's headers are older. */
struct pidfd_exit_info {
	uint64_t mask;
	uint64_t cgroupid;
	uint32_t ids[11];
	int32_t exit_code;
};
#define PIDFD_EXIT_INFO      _IOWR(0xFF, 11, struct pidfd_exit_info)
#define PIDFD_EXIT_INFO_EXIT (1ull << 3)

void act_none(struct session *s UNUSED)
{
}

static void fail(struct session *s, err *e)
{
	str_clear(&s->failure);
	err_format(e, &s->failure);
	log_err(e);
	err_free(e);
}

/* Run a command of the runtime that has no business with our stdio. */
static void spawn_quietly(struct session *s, const char *command)
{
	auto_close int null = open("/dev/null", O_RDWR | O_CLOEXEC);
	int stdio[3] = { null, null, null };
	err *e = null < 0 ? err_errno("open '/dev/null'") : child_spawn(s, command, stdio);

	if (e) {
		fail(s, e);
		monitor_loop_post(s, EV_RUNTIME_ERROR);
	}
}

static void write_running(struct session *s)
{
	struct running r = {
		.version = RUNNING_VERSION,
		.pid = s->pid,
		.monitor = getpid(),
		.started = s->record.started,
		.tty = s->options->tty,
		.interactive = s->options->interactive,
	};
	err *e = running_birth(s->pid, &r.birth);

	if (!e)
		e = running_write(s->dir_fd, &r);
	if (e && !s->exited)
		log_err(e);
	err_free(e);
}

static bool find_process(struct session *s)
{
	err *e = child_find(s);

	if (!e) {
		write_running(s);
		return true;
	}
	fail(s, e);
	return false;
}

static void tell_starter(struct session *s, uint32_t kind, int32_t value, uint64_t a, const struct str *text)
{
	struct peer *p = peer_starter(s);

	if (p)
		peer_send(s, p, kind, value, a, 0, text ? text->data : NULL,
			  text ? MIN(text->len, (size_t)MONITOR_DATA_MAX) : 0);
}

void act_created(struct session *s)
{
	monitor_loop_forget(s, &s->console_listener);
	if (find_process(s))
		tell_starter(s, MONITOR_CREATED, 0, (uint64_t)s->pid, NULL);
	else
		monitor_loop_post(s, EV_TERM);
}

void act_start(struct session *s)
{
	s->record.started = clock_real();
	spawn_quietly(s, "start");
}

/* From here on the container is nobody's: its starter may go. */
static void release(struct session *s)
{
	struct peer *p = peer_starter(s);

	if (p)
		p->starter = false;
}

void act_started(struct session *s)
{
	write_running(s);
	tell_starter(s, MONITOR_OK, MONITOR_START, 0, NULL);
	release(s);
}

void act_entered(struct session *s)
{
	s->record.started = clock_real();
	monitor_loop_forget(s, &s->console_listener);
	if (!find_process(s)) {
		tell_starter(s, MONITOR_ERROR, EIO, 0, &s->failure);
		s->exited = true;
		s->record.code = EXIT_UNKNOWN;
		s->record.finished = clock_real();
	} else {
		tell_starter(s, MONITOR_CREATED, 0, (uint64_t)s->pid, NULL);
	}
	release(s);
	stdio_pace(s);
}

/* Create, start or exec failed: the starter hears the runtime's own words. */
void act_failed(struct session *s)
{
	auto_str struct str text = STR_INIT(64 * 1024);

	child_error(s, &text);
	tell_starter(s, MONITOR_ERROR, ECANCELED, 0, &text);
	release(s);
	s->record.started = 0;
	s->record.finished = clock_real();
	s->record.known = true;
	s->record.code = 127;
	s->record.reason = strdup(text.data);
	act_delete(s);
}

void act_unwanted(struct session *s)
{
	s->record.finished = clock_real();
	s->record.known = true;
	s->record.code = EXIT_UNKNOWN;
	s->record.reason = s->failure.len ? s->failure.data : "nobody waited for it to start";
	tell_starter(s, MONITOR_ERROR, ECANCELED, 0, &s->failure);
	release(s);
	act_delete(s);
}

void act_exited(struct session *s)
{
	release(s);
	s->record.oom = memory_watch_kills(&s->memory, s->record.signal == SIGKILL) > 0;
	monitor_loop_timer(s, DRAIN_NSEC);
}

void act_forward_term(struct session *s)
{
	if (s->pidfd >= 0)
		syscall(SYS_pidfd_send_signal, s->pidfd, SIGTERM, NULL, 0);
}

/* First the record, then the delete: a monitor that is killed between them has told the status. */
void act_delete(struct session *s)
{
	s->record.version = EXIT_RECORD_VERSION;
	s->record.log_lost = s->log ? monitor_log_lost(s->log) : 0;
	err *e = exit_record_write(s->keep_fd, &s->record);
	s->recorded = !e;
	if (e)
		log_err(e);
	err_free(e);
	monitor_loop_forget(s, &s->streams[0]);
	monitor_loop_forget(s, &s->streams[1]);
	monitor_loop_forget(s, &s->input);
	if (s->options->process)
		monitor_loop_post(s, EV_RUNTIME_OK);
	else
		spawn_quietly(s, "delete");
}

static bool waits(const struct peer *p)
{
	return p->waiting || p->attached;
}

void act_done(struct session *s)
{
	/* Without a record on disk this file lets the next command see that there was a process. */
	if (s->recorded)
		unlinkat(s->dir_fd, RUNNING_FILE, 0);
	unlinkat(s->dir_fd, MONITOR_SOCKET, 0);
	/* Nothing is written from here on. Whoever hears EXITED may remove the folders, even while we stay for
	 * a client that has not read all yet. */
	fd_close(s->options->lock_fd);
	fd_close(s->options->lease_fd);
	peer_all(s, waits, MONITOR_EXITED, (int32_t)MIN(s->record.code, 255u), s->record.signal,
		 (uint64_t)s->record.finished);
}

/* The status of a process that its new parent has reaped: Linux 6.15 and later tell. */
static bool status_of_reaped(int pidfd, int *ret)
{
	struct pidfd_exit_info info = { .mask = PIDFD_EXIT_INFO_EXIT };

	if (ioctl(pidfd, PIDFD_EXIT_INFO, &info) < 0 || !(info.mask & PIDFD_EXIT_INFO_EXIT))
		return false;
	*ret = info.exit_code;
	return true;
}

/* The end of a process that is not our child: a zombie shows its status in proc, as long as its new
 * parent leaves it; after that only the pidfd knows. */
static void adopted_ready(struct session *s, struct source *source, uint32_t events UNUSED)
{
	int status;

	s->exited = true;
	s->record.finished = clock_real();
	if (status_of_reaped(source->fd, &status) || running_zombie(s->pid, &status) ||
	    status_of_reaped(source->fd, &status)) {
		exit_record_status(&s->record, status);
	} else {
		s->record.known = false;
		s->record.code = EXIT_UNKNOWN;
		s->record.reason = "its monitor was killed, and this kernel does not tell the status";
	}
	s->pidfd = -1;
	monitor_loop_forget(s, source);
}

static err *adopt(struct session *s)
{
	struct running r;

	TRY(running_read(s->dir_fd, &r));
	TRY(running_open(&r, &s->pidfd));
	s->pid = r.pid;
	s->record.started = r.started;
	child_watch_memory(s);
	r.monitor = getpid();
	TRY(running_write(s->dir_fd, &r));
	monitor_loop_watch(s, &s->container, s->pidfd, EPOLLIN, adopted_ready);
	TRY(stdio_reopen(s));
	s->state = ST_RUNNING;
	return NULL;
}

static err *begin(struct session *s)
{
	int stdio[3] = { -1, -1, -1 };
	err *e = stdio_open(s, stdio);

	s->state = s->options->process ? ST_ENTERING : ST_CREATING;
	stdio_pace(s);
	if (!e)
		e = child_spawn(s, s->options->process ? "exec" : "create", stdio);
	for (int i = 0; i < 3; i++)
		fd_close(stdio[i]);
	return e;
}

static err *open_dir(const char *path, int *ret_fd)
{
	*ret_fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return *ret_fd < 0 ? err_errno("open '%s'", path) : NULL;
}

/* A mount namespace of our own, so that the root goes when monitor and container are gone. */
static err *place_root(const struct monitor_options *o)
{
	auto_close int bundle = -1;

	if (o->root_fd < 0)
		return NULL;
	if (unshare(CLONE_NEWNS) < 0)
		return err_errno("make a mount namespace");
	if (mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_errno("keep mounts from spreading");
	TRY(open_dir(o->bundle, &bundle));
	if (mkdirat(bundle, "rootfs", 0700) < 0 && errno != EEXIST)
		return err_errno("make '%s/rootfs'", o->bundle);
	if (syscall(SYS_move_mount, o->root_fd, "", bundle, "rootfs", MOVE_MOUNT_F_EMPTY_PATH) < 0)
		return err_errno("mount the container's root at '%s/rootfs'", o->bundle);
	return NULL;
}

static err *join_cgroup(const char *dir)
{
	auto_close int fd = -1;

	if (!dir)
		return NULL;
	TRY(path_mkdir_all(dir, 0755));
	fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return err_errno("open cgroup '%s'", dir);
	return err_wrap(file_put(fd, "cgroup.procs", "0"), "enter cgroup '%s'", dir);
}

static err *set_up(struct session *s)
{
	const struct monitor_options *o = s->options;

	TRY(monitor_loop_open(s));
	if (o->starter_fd >= 0) {
		struct peer *p = peer_add(s, o->starter_fd);
		p->starter = p->first = true;
	}
	TRY(open_dir(o->dir, &s->dir_fd));
	TRY(open_dir(o->keep, &s->keep_fd));
	TRY(join_cgroup(o->cgroup));
	if (prctl(PR_SET_CHILD_SUBREAPER, 1) < 0)
		return err_errno("become a subreaper");
	TRY(place_root(o));
	if (o->log)
		TRY(monitor_log_open(s->keep_fd, MONITOR_LOG, o->limits, &s->log));
	TRY(peer_listen(s));
	return o->adopt ? adopt(s) : begin(s);
}

static void close_all(struct session *s)
{
	struct source *const sources[] = { &s->signals, &s->listener, &s->timer, &s->console_listener,
					   &s->container, &s->streams[0], &s->streams[1], &s->input };

	for (size_t i = 0; i < ARRAY_LEN(sources); i++)
		fd_clear(&sources[i]->fd);
	for (size_t i = 0; i < PEERS_MAX; i++) {
		if (s->peers[i].used)
			fd_clear(&s->peers[i].source.fd);
		str_done(&s->peers[i].queue);
	}
	monitor_log_free(s->log);
	str_done(&s->input_buffer);
	str_done(&s->failure);
	memory_watch_done(&s->memory);
	fd_clear(&s->keep_fd);
	fd_clear(&s->dir_fd);
	fd_clear(&s->epoll_fd);
}

err *monitor_session(const struct monitor_options *options)
{
	static struct session s; /* large; one a process */

	s = (struct session){
		.options = options,
		.dir_fd = -1,
		.keep_fd = -1,
		.epoll_fd = -1,
		.pidfd = -1,
		.memory = MEMORY_WATCH_INIT,
		.memory_source.fd = -1,
		.signals.fd = -1,
		.listener.fd = -1,
		.timer.fd = -1,
		.console_listener.fd = -1,
		.container.fd = -1,
		.streams = { { .fd = -1 }, { .fd = -1 } },
		.input.fd = -1,
	};
	str_init(&s.input_buffer, MONITOR_INPUT_WINDOW + 1);
	str_init(&s.failure, 64 * 1024);
	for (size_t i = 0; i < PEERS_MAX; i++) {
		s.peers[i].source.fd = -1;
		str_init(&s.peers[i].queue, PEER_QUEUE_MAX);
	}
	err *e = set_up(&s);
	if (!e) {
		e = monitor_loop_run(&s);
	} else {
		auto_str struct str text = STR_INIT(64 * 1024);
		err_format(e, &text);
		tell_starter(&s, MONITOR_ERROR, e->code > 0 ? e->code : EIO, 0, &text);
	}
	close_all(&s);
	return e;
}
