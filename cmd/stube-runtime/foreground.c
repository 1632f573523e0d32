/* cmd/stube-runtime/foreground.c: what run and restore do alike while they wait for their container. */
#include "cmd/stube-runtime/foreground.h"

#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>

#include "base/fd.h"
#include "base/log.h"
#include "runtime/death.h"
#include "runtime/interrupt.h"
#include "runtime/supervise.h"

void foreground_done(struct foreground *f)
{
	fd_clear(&f->ours);
	fd_clear(&f->theirs);
}

err *foreground_begin(const struct start_args *a, struct start_request *r, struct foreground *f)
{
	bool terminal = r->config->process && r->config->process->terminal;

	if (a->detach)
		return NULL;
	if (terminal && !r->console_socket) {
		TRY(console_pair(&f->ours, &f->theirs));
		r->console_fd = f->theirs;
	}
	/* Processes that the container leaves behind come to us and are reaped. */
	if (!a->no_subreaper && prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) < 0)
		return err_errno("become subreaper");
	return supervise_block_signals();
}

static bool relay_notify(void *data)
{
	err *e = notify_relay(data);

	if (e)
		log_err(e);
	err_free(e);
	return true;
}

static bool read_memory(void *data)
{
	return memory_watch_read(data);
}

static err *watch(struct start *s, struct foreground *f, int *ret_status)
{
	struct supervise_watch watches[] = {
		{ .fd = s->notify.sock, .events = POLLIN, .ready = relay_notify, .data = &s->notify },
		{ .fd = s->memory.own, .events = POLLPRI, .ready = read_memory, .data = &s->memory },
	};
	auto_close int master = -1;

	/* Only the container holds it now: its end is seen. */
	fd_clear(&f->theirs);
	if (f->ours >= 0)
		TRY(receive_terminal(f->ours, &master));
	/* Others may want to look at, signal or enter the container now. */
	container_done(&s->container);
	s->container = (struct container)CONTAINER_INIT;
	return supervise(s->pid, master, watches, ARRAY_LEN(watches), ret_status);
}

/* A status of 137 does not tell the kernel's kill for memory from somebody's signal. */
static void say_out_of_memory(struct start *s, int status)
{
	if (status != 128 + SIGKILL)
		return;
	err *e = runtime_named(death_error(SIGKILL, start_memory(s)), s->request->id);
	if (e->code == ENOMEM)
		log_err(e);
	err_free(e);
}

err *foreground_wait(struct start *s, struct foreground *f, bool keep, int *ret_status)
{
	/* From here on signals are the container's. */
	interrupt_close();
	err *e = watch(s, f, ret_status);
	if (!e)
		say_out_of_memory(s, *ret_status);
	if (keep)
		return e;
	/* A poststop hook that hangs. */
	if (!e)
		e = interrupt_open();
	err *end = start_end(s);
	if (!e)
		return end;
	err_free(end);
	return e;
}
