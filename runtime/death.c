/* runtime/death.c: what a process that ended in the middle of a start died of, in words. */
#include "runtime/death.h"

#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>

/* Its socket is closed before the kernel lets others see that it ended. */
enum { END_TIMEOUT_MS = 5000 };

err *death_error(int signal, struct memory_watch *memory)
{
	if (signal == SIGKILL && memory && memory_watch_kills(memory, true) > 0)
		return err_hint(err_new(ENOMEM, "the process inside was killed: out of memory "
						"(linux.resources.memory.limit)"),
				"Raise linux.resources.memory.limit.");
	return err_new(EPIPE, "the process inside was killed by signal %d (%s)", signal, strsignal(signal));
}

err *death_explain(err *e, pid_t pid, int pidfd, struct memory_watch *memory)
{
	struct pollfd ended = { .fd = pidfd, .events = POLLIN };
	siginfo_t info = { 0 };
	err *level = e;

	if (!e || e->code != EPIPE || pid <= 0 || pidfd < 0)
		return e;
	if (poll(&ended, 1, END_TIMEOUT_MS) <= 0)
		return e;
	if (waitid(P_PID, (id_t)pid, &info, WEXITED | WNOHANG | WNOWAIT) < 0 || info.si_pid != pid)
		return e;
	/* One that ended by itself has said why before. */
	if (info.si_code != CLD_KILLED && info.si_code != CLD_DUMPED)
		return e;
	while (level->cause && level->cause->cause)
		level = level->cause;
	/* The last level is the one that knew only that the connection ended. */
	err_free(level->cause);
	level->cause = death_error(info.si_status, memory);
	return level == e ? e : err_with_code(e, level->cause->code);
}
