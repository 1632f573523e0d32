/* cmd/stube-init/pause.c: the pause process of a Pod. */
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/stube-init/init.h"

void pause_process(void)
{
	sigset_t set;
	int got = 0;

	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigprocmask(SIG_BLOCK, &set, NULL);
	while (sigwait(&set, &got) == 0 && got == SIGCHLD)
		while (waitpid(-1, NULL, WNOHANG) > 0)
			;
	_exit(0);
}
