/* registry/auth-helper.c: credential helpers, programs that keep secrets outside of files.
 * Protocol: docker-credential-helpers, README "Development". */
#include <ctype.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/fd.h"
#include "base/json.h"
#include "registry/auth-internal.h"

#define HELPER_SECONDS 30
#define NOT_FOUND      "credentials not found in native keychain"
#define DOCKER_HUB_KEY "https://index.docker.io/v1/"

extern char **environ;

/* The name becomes part of a program's name, and nothing else. */
static bool is_helper_name(const char *name)
{
	if (!isalnum((unsigned char)*name) || strlen(name) > 64)
		return false;
	for (; *name; name++)
		if (!isascii((unsigned char)*name) || !(isalnum((unsigned char)*name) || strchr("._-", *name)))
			return false;
	return true;
}

const char *helper_server(const char *host)
{
	return str_equal(host, "docker.io") ? DOCKER_HUB_KEY : host;
}

static err *spawn(const char *program, const char *verb, int in, int out, pid_t *ret)
{
	posix_spawn_file_actions_t actions;
	char *const argv[] = { (char *)program, (char *)verb, NULL };
	int code = posix_spawn_file_actions_init(&actions);
	if (code)
		return err_code(code, "starting '%s'", program);
	code = posix_spawn_file_actions_adddup2(&actions, in, STDIN_FILENO);
	if (!code)
		code = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
	if (!code)
		code = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
	if (!code)
		code = posix_spawnp(ret, program, &actions, NULL, argv, environ);
	posix_spawn_file_actions_destroy(&actions);
	return code ? err_code(code, "starting '%s'", program) : NULL;
}

static err *read_until(int fd, int64_t deadline, struct str *out)
{
	for (;;) {
		int64_t left = deadline - clock_monotonic();
		struct pollfd p = { .fd = fd, .events = POLLIN };
		int ready = left > 0 ? poll(&p, 1, (int)(left / (int64_t)NSEC_PER_MSEC) + 1) : 0;
		if (ready < 0 && errno != EINTR)
			return err_errno("waiting for its answer");
		if (ready == 0)
			return err_new(ETIMEDOUT, "no answer in %d seconds", HELPER_SECONDS);
		if (ready < 0)
			continue;
		char buf[4096];
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n == 0)
			return str_check(out);
		if (n > 0)
			str_add_bytes(out, buf, (size_t)n);
		explicit_bzero(buf, sizeof(buf));
		if (n < 0 && errno != EINTR)
			return err_errno("reading its answer");
		TRY(str_check(out));
	}
}

/* A helper may close its output and go on. */
static bool ends_within(pid_t pid, int seconds)
{
	auto_close int fd = pidfd_open(pid, 0);
	struct pollfd p = { .fd = fd, .events = POLLIN };
	return fd < 0 || poll(&p, 1, seconds * 1000) != 0;
}

err *helper_run(const char *name, const char *verb, const char *input, struct str *out, int *ret_status)
{
	char program[100];
	auto_close int in = -1;
	int pipe_fds[2];
	pid_t pid = -1;
	if (!is_helper_name(name))
		return err_new(EINVAL, "'%.100s' is not a name of a credential helper", name);
	snprintf(program, sizeof(program), "docker-credential-%s", name);
	TRY(fd_sealed("credential", input, strlen(input), false, &in));
	if (lseek(in, 0, SEEK_SET) < 0 || pipe2(pipe_fds, O_CLOEXEC))
		return err_errno("starting '%s'", program);
	err *e = spawn(program, verb, in, pipe_fds[1], &pid);
	close(pipe_fds[1]);
	if (!e) {
		int status = 0;
		e = read_until(pipe_fds[0], clock_monotonic() + HELPER_SECONDS * (int64_t)NSEC_PER_SEC, out);
		if (e || !ends_within(pid, 5))
			kill(pid, SIGKILL);
		while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
			;
		*ret_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		e = err_wrap(e, "credential helper '%s'", program);
	}
	close(pipe_fds[0]);
	return e;
}

static err *take_answer(const char *program, const struct str *answer, struct auth *ret)
{
	auto_arena struct arena *arena = NULL;
	json *tree;
	TRY(arena_new(8 * AUTH_SECRET_MAX, &arena));
	/* Its text may hold the secret, so errors about it name only the program. */
	auto_err err *e = json_parse(arena, program, answer->data, answer->len, &tree);
	const char *username = e ? NULL : json_get_string(tree, "Username");
	const char *secret = e ? NULL : json_get_string(tree, "Secret");
	if (!username || !secret)
		return err_new(EINVAL, "its answer is not an object with Username and Secret");
	bool identity = str_equal(username, "<token>");
	auto_auth struct auth a = { .kind = identity ? AUTH_IDENTITY : AUTH_BASIC };
	a.username = identity ? NULL : strdup(username);
	a.secret = strdup(secret);
	auto_str struct str source = STR_INIT(1000);
	str_addf(&source, "credential helper '%s'", program);
	a.source = str_take(&source);
	if ((!identity && !a.username) || !a.secret || !a.source)
		return err_oom();
	*ret = a;
	memset(&a, 0, sizeof(a));
	return NULL;
}

err *helper_get(const char *name, const char *server, struct auth *ret)
{
	char program[100];
	int status = 0;
	auto_str struct str answer = STR_INIT(AUTH_SECRET_MAX);
	snprintf(program, sizeof(program), "docker-credential-%.64s", name);
	TRY(helper_run(name, "get", server, &answer, &status));
	err *e = NULL;
	if (status == 0)
		e = take_answer(program, &answer, ret);
	else if (!strstr(answer.data, NOT_FOUND))
		e = err_new(EIO, "ended with status %d: %.*s", status, (int)strcspn(answer.data, "\n"), answer.data);
	else
		*ret = (struct auth){ .kind = AUTH_NONE };
	explicit_bzero(answer.data, answer.len);
	return err_wrap(e, "credential helper '%s'", program);
}
