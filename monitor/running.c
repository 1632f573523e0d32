/* monitor/running.c: the record of a process that runs. */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/arena.h"
#include "base/decode.h"
#include "base/fd.h"
#include "base/file.h"
#include "monitor/session.h"

static const struct type t_version = UINT_RANGE("version", uint32_t, 1, RUNNING_VERSION);
static const struct type t_pid = INT_RANGE("process id", int32_t, 1, INT32_MAX);
static const struct type t_time = INT_RANGE("time", int64_t, 0, INT64_MAX);

/* clang-format off */
static const struct field fields[] = {
	FIELD(struct running, "version",     version,     t_version, REQUIRED, NULL),
	FIELD(struct running, "pid",         pid,         t_pid,     REQUIRED, NULL),
	FIELD(struct running, "birth",       birth,       t_u64,     REQUIRED, NULL),
	FIELD(struct running, "monitor",     monitor,     t_pid,     REQUIRED, NULL),
	FIELD(struct running, "started",     started,     t_time,    0, NULL),
	FIELD(struct running, "tty",         tty,         t_bool,    0, NULL),
	FIELD(struct running, "interactive", interactive, t_bool,    0, NULL),
	{0}
};
/* clang-format on */
static const struct type t_running = OBJECT("running record", struct running, fields);

err *running_read(int dir_fd, struct running *ret)
{
	auto_arena struct arena *arena = NULL;

	TRY(arena_new(64 * 1024, &arena));
	struct decoder d = { .arena = arena, .name = RUNNING_FILE };
	return decode_file(&d, &t_running, NULL, dir_fd, RUNNING_FILE, ret);
}

err *running_write(int dir_fd, const struct running *r)
{
	auto_str struct str text = STR_INIT(4096);

	encode_text(&text, &t_running, r, 0);
	str_add_char(&text, '\n');
	TRY(str_check(&text));
	return file_replace_volatile(dir_fd, RUNNING_FILE, text.data, text.len, 0600);
}

/* Field `number` of /proc/PID/stat, as a number; the state, field 3, comes through ret_state. */
static err *stat_field(pid_t pid, int number, char *ret_state, uint64_t *ret)
{
	char path[64];
	auto_str struct str stat = STR_INIT(4096);

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	err *e = file_read(AT_FDCWD, path, &stat);
	if (e)
		return err_with_code(err_wrap(e, "process %d", (int)pid), ESRCH);
	/* The name in parentheses may hold anything: fields count from the last one. */
	char *p = strrchr(stat.data, ')'), *rest = NULL;
	p = p ? strtok_r(p + 1, " \n", &rest) : NULL;
	if (p)
		*ret_state = p[0];
	for (int field = 3; p && field < number; field++)
		p = strtok_r(NULL, " \n", &rest);
	if (!p || !str_to_u64(p, ret))
		return err_new(EINVAL, "process %d: cannot read field %d of its status", (int)pid, number);
	return NULL;
}

err *running_birth(pid_t pid, uint64_t *ret)
{
	char state;

	return stat_field(pid, 22, &state, ret);
}

bool running_zombie(pid_t pid, int *ret_status)
{
	char state;
	uint64_t status;
	err *e = stat_field(pid, 52, &state, &status);
	bool zombie = !e && state == 'Z';

	err_free(e);
	if (zombie)
		*ret_status = (int)status;
	return zombie;
}

err *running_open(const struct running *r, int *ret_pidfd)
{
	uint64_t birth;
	auto_close int fd = (int)syscall(SYS_pidfd_open, r->pid, 0);

	if (fd < 0)
		return err_errno("open process %d", r->pid);
	/* The descriptor is open: if the start time is right now, it is that process for good. */
	TRY(running_birth(r->pid, &birth));
	if (birth != r->birth)
		return err_new(ESRCH, "process %d is another one now", r->pid);
	*ret_pidfd = TAKE_FD(fd);
	return NULL;
}
