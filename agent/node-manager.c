/* agent/node-manager.c: who makes cgroups on this machine, and whether a systemd answers. */
#include "agent/node-check.h"

#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/place.h"
#include "base/fd.h"

#define BOOTED "/run/systemd/system" /* sd_booted(3) */

/* The program ends by itself after five seconds; a machine may be slow. */
enum { PATIENCE_MS = 20000 };

static err *spawn(char *path, int output, pid_t *ret)
{
	char word[] = "check", whose[] = "system", own[] = "user";
	char *argv[] = { path, word, place_is_root() ? whose : own, NULL };
	posix_spawn_file_actions_t actions;

	if (posix_spawn_file_actions_init(&actions) != 0)
		return err_oom();
	posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
	int code = posix_spawn(ret, path, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return code ? err_code(code, "execute '%s'", path) : NULL;
}

/* Its one line, while it takes no longer than it may. */
static err *read_line(int fd, struct str *out)
{
	struct pollfd p = { .fd = fd, .events = POLLIN };
	char text[1024];

	int n = poll(&p, 1, PATIENCE_MS);
	ssize_t len = n > 0 ? read(fd, text, sizeof(text) - 1) : -1;
	if (n == 0)
		return err_new(ETIMEDOUT, "stube-systemd did not answer within %d s", PATIENCE_MS / 1000);
	if (len < 0)
		return err_errno("read from stube-systemd");
	text[len] = '\0';
	str_add_bytes(out, text, strcspn(text, "\n"));
	return NULL;
}

static err *ask(const char *programs, bool *ret_answers, struct str *out)
{
	char dir[PATH_MAX], path[PATH_MAX + sizeof("/stube-systemd")];
	int ends[2], status = -1;
	pid_t pid = -1;

	TRY(place_programs(programs, dir));
	snprintf(path, sizeof(path), "%s/stube-systemd", dir);
	if (access(path, X_OK) < 0)
		return err_errno("'%s'", path);
	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno("make a pipe");
	auto_close int ours = ends[0];
	auto_close int theirs = ends[1];
	TRY(spawn(path, theirs, &pid));
	fd_clear(&theirs);
	err *e = read_line(ours, out);
	if (e)
		kill(pid, SIGKILL);
	while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
		;
	*ret_answers = !e && WIFEXITED(status) && WEXITSTATUS(status) == 0;
	return e;
}

err *node_check_manager(const char *programs, const char *manager, bool *ret_answers, struct str *out)
{
	auto_str struct str answer = STR_INIT(4096);
	err *e = NULL;

	*ret_answers = false;
	/* As local containers and Pods are made: an ordinary user has no cgroup to make others in. */
	str_add(out, manager ? manager : place_is_root() ? "cgroupfs" : "disabled");
	if (access(BOOTED, F_OK) < 0) {
		str_add(out, "; systemd does not run here");
		return NULL;
	}
	e = ask(programs, ret_answers, &answer);
	if (e)
		err_format(e, &answer);
	err_free(e);
	str_addf(out, "; %s", answer.data);
	return NULL;
}
