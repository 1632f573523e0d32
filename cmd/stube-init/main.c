/* cmd/stube-init/main.c: the stage that enters a container: takes the plan, walks the child's rows.
 *
 *	stube-init create SOCKET   started by stube-runtime from a sealed memfd, in the new namespaces
 *	stube-init exec SOCKET     the same in a container that runs
 *	stube-init mounts SOCKET   adds or removes mounts in a container that runs, then ends
 *	stube-init pause           a Pod's first process: holds its namespaces */
#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/fd.h"
#include "cmd/stube-init/init.h"
#include "runtime/kernel.h"
#include "runtime/steps.h"

#define SIGNAL_LAST 64

/* clang-format off */
static err *(*const rows[STEP_COUNT])(void *) = {
	[STEP_KEYRING]         = init_keyring,
	[STEP_LOOPBACK]        = init_loopback,
	[STEP_NAMES]           = init_names,
	[STEP_ROOT]            = init_root,
	[STEP_MOUNTS]          = init_mounts,
	[STEP_DEVICES]         = init_devices,
	[STEP_TERMINAL]        = init_terminal,
	[STEP_SYSCTL]          = init_sysctl,
	[STEP_HOOKS_CONTAINER] = init_hooks_container,
	[STEP_PATHS]           = init_paths,
	[STEP_ROOT_READONLY]   = init_root_readonly,
	[STEP_PIVOT]           = init_pivot,
	[STEP_STDIO]           = init_stdio,
	[STEP_LABELS]          = init_labels,
	[STEP_SCHEDULING]      = init_scheduling,
	[STEP_USER]            = init_user,
	[STEP_CWD]             = init_cwd,
	[STEP_FIND_PROGRAM]    = init_find_program,
	[STEP_LANDLOCK_RULES]  = init_landlock_rules,
	[STEP_HOOKS_START]     = init_hooks_start,
	[STEP_LANDLOCK]        = init_landlock,
	[STEP_SECCOMP]         = init_seccomp,
	[STEP_EXEC]            = init_exec,
	[STEP_HOTPLUG]         = init_hotplug,
};
/* clang-format on */

int init_fd(const struct init *init, uint32_t index)
{
	return index == PLAN_NO_FD ? -1 : init->fds[index];
}

int init_proc(const struct init *init)
{
	if (!DEFENCE("proc-descriptor"))
		return openat(init->root, "proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return init_fd(init, init->plan->fd_proc);
}

int init_take_fd(struct init *init, uint32_t index)
{
	return index == PLAN_NO_FD ? -1 : TAKE_FD(init->fds[index]);
}

static err *prepare(struct init *init)
{
	const struct plan *p = init->plan;

	init->argv = plan_strings(p, p->process.args);
	init->env = plan_strings(p, p->process.env);
	if (!init->argv || !init->env)
		return err_oom();
	if (!init->joined)
		return NULL;
	init->root = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);
	return init->root < 0 ? err_errno("open root") : NULL;
}

/* Until a `start` connects and says go; one that dies before is forgotten. */
static err *wait_for_start(struct init *init, struct walk *w)
{
	int listener = init_fd(init, init->plan->fd_listen);

	for (;;) {
		int sock = accept4(listener, NULL, NULL, SOCK_CLOEXEC);

		if (sock < 0 && (errno == EINTR || errno == ECONNABORTED))
			continue;
		if (sock < 0)
			return err_errno("wait for start");
		w->sock = init->sock = sock;
		err *e = walk_take_turn(w, "start", 0);
		if (!e)
			return NULL;
		err_free(e);
		fd_close(sock);
	}
}

static err *walk_create(struct init *init, struct walk *w)
{
	TRY(walk_steps(w, steps_create, steps_after(steps_create, STEP_SEND_PLAN)));
	/* A runtime that dies before this word leaves no container behind. */
	TRY(walk_take_turn(w, "recorded", STEP_COUNT));
	if (init->plan->flags & PLAN_WAIT) {
		fd_clear(&init->sock);
		TRY(wait_for_start(init, w));
	}
	w->owner = WALK_CHILD;
	return walk_steps(w, steps_start, 0);
}

static err *enter(struct init *init, const struct step *table)
{
	size_t send_plan = steps_after(table, STEP_SEND_PLAN) - 1;
	struct plan *plan = NULL;
	struct walk w = { .role = STEP_CHILD, .sock = init->sock, .run = rows, .data = init };

	TRY(walk_give_turn(init->sock, send_plan));
	TRY(walk_receive_plan(init->sock, &plan, &init->fds, &init->fd_count));
	init->plan = plan;
	w.flags = plan->flags;
	w.owner = WALK_PARENT;
	err *e = prepare(init);
	if (e) {
		IGNORE(walk_send_error(init->sock, e));
		return e;
	}
	return init->joined ? walk_steps(&w, table, send_plan + 1) : walk_create(init, &w);
}

/* A filter may refuse exit_group(2) with all the rest: libc would ask for it for ever. */
static NORETURN void leave(void)
{
	syscall(SYS_exit_group, 1);
	__builtin_trap();
}

int main(int argc, char **argv)
{
	struct init init = { .sock = -1, .root = -1, .proc = -1, .sys = -1, .landlock = -1, .terminal = -1 };
	uint64_t sock;
	sigset_t none;

	if (argc == 2 && str_equal(argv[1], "pause"))
		pause_process();
	if (argc != 3 || !str_to_u64(argv[2], &sock) || sock > INT32_MAX) {
		dprintf(2, "stube-init is started by stube-runtime; by hand only: stube-init pause\n");
		return 2;
	}
	init.sock = (int)sock;
	const struct step *table = str_equal(argv[1], "exec")	  ? steps_exec
				   : str_equal(argv[1], "mounts") ? steps_hotplug
								  : steps_create;
	init.joined = table != steps_create;
	/* Processes of the container, or of others in the same pid namespace, must not trace us:
	 * CVE-2016-9962. */
	prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
	prctl(PR_SET_NAME, STEP_INIT_NAME, 0, 0, 0);
	/* Hooks must not inherit anything; the program's own descriptors are opened again at its exec. */
	(void)k_close_range(3, ~0u, CLOSE_RANGE_CLOEXEC);
	/* A program expects the defaults; what its starter ignored would stay ignored over each exec. */
	for (int i = 1; i <= SIGNAL_LAST; i++)
		(void)k_signal_default(i);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	umask(0);
	setsid();
	/* What went wrong has been sent; there is nobody else to tell. */
	IGNORE(enter(&init, table));
	leave();
}
