/* runtime/interrupt.c: INT, TERM, HUP and QUIT as reasons to give up a start and take everything back. */
#include "runtime/interrupt.h"

#include <poll.h>
#include <signal.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/fd.h"

static int signals = -1;

err *interrupt_open(void)
{
	static const int numbers[] = { SIGINT, SIGTERM, SIGHUP, SIGQUIT };
	sigset_t set;

	sigemptyset(&set);
	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		sigaddset(&set, numbers[i]);
	if (sigprocmask(SIG_BLOCK, &set, NULL) < 0)
		return err_errno("block signals");
	signals = signalfd(signals, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return signals < 0 ? err_errno("open signals") : NULL;
}

void interrupt_close(void)
{
	fd_clear(&signals);
}

int interrupt_fd(void)
{
	return signals;
}

err *interrupt_error(void)
{
	struct signalfd_siginfo info = { 0 };
	ssize_t n = read(signals, &info, sizeof info);

	if (n != sizeof info)
		return err_new(EINTR, "interrupted");
	return err_new(EINTR, "interrupted by signal %u (%s)", info.ssi_signo, strsignal((int)info.ssi_signo));
}

err *interrupt_wait(int fd)
{
	struct pollfd p[2] = {
		{ .fd = fd, .events = POLLIN },
		{ .fd = signals, .events = POLLIN },
	};

	if (signals < 0)
		return NULL;
	while (poll(p, 2, -1) < 0)
		if (errno != EINTR)
			return err_errno("poll");
	/* What has arrived already is worth more than the wish to stop waiting for it. */
	return p[0].revents ? NULL : interrupt_error();
}
