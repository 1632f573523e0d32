/* runtime/criu.c: the program criu, found and spoken to: one request over `criu swrk`, its notifications, its
 * answer. */
#include "runtime/criu.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "base/strv.h"
#include "runtime/criu-wire.h"
#include "runtime/kernel.h"

/* Engines start runtimes with short PATHs; distributions put criu, and the programs that it starts itself
 * (tar, ip, iptables-restore), into sbin. */
#define USUAL_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

enum {
	REPLY_MAX = 64 * 1024,
	LOG_TAIL = 64 * 1024, /* so much of the log's end is looked at for errors */
	LOG_LINES = 3,
	/* Fields of rpc.proto's criu_req. */
	REQUEST_TYPE = 1,
	REQUEST_OPTIONS = 2,
	REQUEST_NOTIFY_SUCCESS = 3,
};

static bool is_program(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISREG(st.st_mode) && access(path, X_OK) == 0;
}

static err *search_path(struct arena *arena, const char *path, const char **ret)
{
	for (const char *dir = path; dir && *dir; dir += strcspn(dir, ":"), dir += *dir == ':') {
		char full[PATH_MAX];
		int n = snprintf(full, sizeof full, "%.*s/criu", (int)strcspn(dir, ":"), dir);

		/* Absolute ones only: what the current directory holds is nobody's choice. */
		if (*dir != '/' || n < 0 || (size_t)n >= sizeof full || !is_program(full))
			continue;
		TRY_ALLOC(arena, *ret, arena_strdup(arena, full));
		return NULL;
	}
	return NULL;
}

err *criu_find(struct arena *arena, const char *asked, const char **ret)
{
	const char *found = NULL;

	if (asked && strchr(asked, '/')) {
		if (!is_program(asked))
			return err_new(ENOENT, "--criu: '%s' is no program", asked);
		*ret = asked;
		return NULL;
	}
	if (asked && !str_equal(asked, "criu"))
		return err_new(EINVAL, "--criu: '%s' is no path of a program", asked);
	TRY(search_path(arena, getenv("PATH"), &found));
	if (!found)
		TRY(search_path(arena, USUAL_PATH, &found));
	if (!found)
		return err_hint(err_new(ENOENT, "criu is not installed: checkpoint and restore need it"),
				"Install the package criu, or give its path with --criu.");
	*ret = found;
	return NULL;
}

/* ---- the process ---- */

struct swrk {
	const struct criu_job *job;
	pid_t pid;
	int sock;   /* ours */
	int output; /* what criu prints before its log is open */
};

static void swrk_done(struct swrk *s)
{
	fd_clear(&s->sock);
	fd_clear(&s->output);
}
DEFINE_CLEANUP_OF(struct swrk, swrk_done)

static err *keep_open(int fd)
{
	return fcntl(fd, F_SETFD, 0) < 0 ? err_errno("pass on descriptor %d", fd) : NULL;
}

/* CRIU mounts below its working directory, which must then be one of its own mount namespace: opened again
 * there. It gets the number by which the request names it. */
static err *open_again(int fd)
{
	char path[PATH_MAX], link[PATH_FD_MAX];
	ssize_t n = readlink(path_of_fd(fd, link), path, sizeof path - 1);

	if (n < 0)
		return err_errno("directory of images");
	path[n] = '\0';
	auto_close int again = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return again < 0 || dup2(again, fd) < 0 ? err_errno("open '%s'", path) : NULL;
}

/* CRIU looks for the request's descriptors in the process that made the socket: that must be the one that
 * becomes it, for they are of its mount namespace. Our end goes to the runtime. */
static err *make_socket(int control, int *ret_sock)
{
	int pair[2];

	if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno("create socket pair");
	*ret_sock = pair[0];
	err *e = fd_send(control, "s", 1, &pair[1], 1);
	fd_close(pair[1]);
	return e;
}

static err *standard_streams(const struct swrk *s)
{
	auto_close int null = open("/dev/null", O_RDONLY | O_CLOEXEC);

	if (null < 0 || dup2(null, 0) < 0 || dup2(s->output, 1) < 0 || dup2(s->output, 2) < 0)
		return err_errno("standard streams");
	return NULL;
}

/* Only returns with an error. */
static err *become_criu(const struct swrk *s, int control)
{
	const struct criu_job *job = s->job;
	const char *path = getenv("PATH");
	auto_strv struct strv env = STRV_INIT(65536);
	auto_str struct str full = STR_INIT(64 * 1024);
	char number[16], program[] = "criu", word[] = "swrk";
	char *argv[] = { program, word, number, NULL };
	sigset_t none;
	int sock = -1;

	sigemptyset(&none);
	if (sigprocmask(SIG_SETMASK, &none, NULL) < 0)
		return err_errno("unblock signals");
	if (job->cgroup_fd >= 0)
		TRY(err_wrap(file_put(job->cgroup_fd, "cgroup.procs", "0"), "enter cgroup"));
	if (job->prepare)
		TRY(job->prepare(job->data));
	for (size_t i = 0; i < job->pass_count; i++)
		TRY(keep_open(job->pass[i]));
	TRY(open_again(job->image_fd));
	TRY(open_again(job->work_fd));
	TRY(standard_streams(s));
	for (char **e = environ; e && *e; e++)
		strv_add(&env, *e);
	str_addf(&full, "%s%s" USUAL_PATH, path ? path : "", path && *path ? ":" : "");
	TRY(str_check(&full));
	strv_set(&env, "PATH", full.data);
	TRY(strv_check(&env));
	TRY(make_socket(control, &sock));
	TRY(keep_open(sock));
	snprintf(number, sizeof number, "%d", sock);
	execve(job->program, argv, env.items);
	return err_errno("execute '%s'", job->program);
}

static NORETURN void child(const struct swrk *s, int control)
{
	auto_str struct str text = STR_INIT(8192);
	err *e = become_criu(s, control);

	err_format(e, &text);
	IGNORE(fd_write_all(s->output, text.data, text.len));
	_exit(127);
}

static err *start(struct swrk *s)
{
	size_t len = 0, count = 0;
	char text[4];
	int pair[2];

	/* A file, not a pipe: nobody has to read while it works, and what is restored keeps no end of it
	 * open. */
	s->output = memfd_create("criu-output", MFD_CLOEXEC);
	if (s->output < 0 || socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
		return err_errno("speak to criu");
	auto_close int ours = pair[0];
	auto_close int theirs = pair[1];
	s->pid = fork();
	if (s->pid == 0) {
		fd_clear(&ours);
		child(s, theirs);
	}
	if (s->pid < 0)
		return err_errno("fork");
	fd_clear(&theirs);
	/* Without a socket it has failed: criu_run() learns that from the first use, and why from what it
	 * printed. */
	IGNORE(fd_recv(ours, text, sizeof text, &len, &s->sock, 1, &count));
	return NULL;
}

static int wait_end(struct swrk *s)
{
	int status = 0;

	fd_clear(&s->sock);
	while (waitpid(s->pid, &status, 0) < 0 && errno == EINTR)
		;
	return status;
}

/* ---- why it failed ---- */

/* The last bytes of a file; nothing when it cannot be read. */
static void read_tail(int fd, struct str *out)
{
	off_t size = fd < 0 ? -1 : lseek(fd, 0, SEEK_END);

	if (size <= 0)
		return;
	size_t len = (size_t)MIN(size, (off_t)LOG_TAIL);
	char *room = str_room(out, len);
	ssize_t n = room ? pread(fd, room, len, size - (off_t)len) : 0;
	str_grown(out, n > 0 ? (size_t)n : 0);
}

/* "(00.012) Error (criu/mount.c:12): mnt: why" without the time; NULL: no line that says why. "Dumping
 * FAILED." and its like say nothing that we do not say. */
static const char *log_error(const char *line)
{
	const char *error = strstr(line, "Error (");
	const char *text = error ? strstr(error, "): ") : NULL;

	if (!text || strstr(text, "FAILED") || strstr(text, "failed."))
		return NULL;
	return text + 3;
}

static void add_errors(const struct swrk *s, struct str *out)
{
	const struct criu_job *job = s->job;
	auto_str struct str text = STR_INIT(LOG_TAIL + 1);
	auto_close int fd =
		openat(job->work_fd, job->log_name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	const char *last[LOG_LINES] = { NULL };
	char *save = NULL;
	size_t count = 0;

	read_tail(fd, &text);
	if (!strstr(text.data, "Error ("))
		read_tail(s->output, &text);
	for (char *line = strtok_r(text.data, "\n", &save); line; line = strtok_r(NULL, "\n", &save))
		if (log_error(line))
			last[count++ % LOG_LINES] = log_error(line);
	for (size_t i = count < LOG_LINES ? 0 : count - LOG_LINES; i < count; i++)
		str_addf(out, "%s%s", out->len ? "; " : "", last[i % LOG_LINES]);
	/* What criu, or our child before it, printed without any such form. */
	if (!count) {
		auto_str struct str printed = STR_INIT(LOG_TAIL + 1);

		read_tail(s->output, &printed);
		str_add_bytes(out, printed.data, strcspn(printed.data, "\n"));
	}
}

static err *why(const struct swrk *s, const struct criu_reply *r, int status)
{
	auto_str struct str text = STR_INIT(LOG_TAIL + 4096);
	int code = r && r->code ? r->code : EIO;

	add_errors(s, &text);
	if (!text.len && r)
		str_add(&text, r->message);
	if (!text.len && r && r->code)
		str_add(&text, strerror(r->code));
	if (!text.len && WIFSIGNALED(status))
		str_addf(&text, "signal %d (%s)", WTERMSIG(status), strsignal(WTERMSIG(status)));
	if (!text.len)
		str_addf(&text, "exit status %d", WEXITSTATUS(status));
	return err_new(code, "criu failed: %s", text.data);
}

/* ---- the conversation ---- */

static err *send_request(const struct swrk *s)
{
	auto_str struct str request = STR_INIT(4 << 20);

	wire_add_int(&request, REQUEST_TYPE, s->job->type);
	wire_add_message(&request, REQUEST_OPTIONS, s->job->options);
	TRY(err_wrap(str_check(&request), "request to criu"));
	return fd_send(s->sock, request.data, request.len, NULL, 0);
}

static err *answer(const struct swrk *s, bool success)
{
	auto_str struct str text = STR_INIT(64);

	wire_add_int(&text, REQUEST_TYPE, CRIU_NOTIFY);
	wire_add_int(&text, REQUEST_NOTIFY_SUCCESS, success);
	return fd_send(s->sock, text.data, text.len, NULL, 0);
}

/* *ret_ended: criu closed its end. */
static err *receive(const struct swrk *s, struct criu_reply *ret, int *ret_fd, bool *ret_ended)
{
	auto_free char *bytes = malloc(REPLY_MAX);
	size_t len = 0, count = 0;

	if (!bytes)
		return err_oom();
	err *e = fd_recv(s->sock, bytes, REPLY_MAX, &len, ret_fd, 1, &count);
	*ret_ended = (!e && len == 0) || (e && e->code == ECONNRESET);
	if (*ret_ended) {
		err_free(e);
		return NULL;
	}
	TRY(e);
	return criu_reply_decode(bytes, len, ret);
}

/* Until the answer; *ret_own: an error of ours, from a notification. */
static err *converse(struct swrk *s, struct criu_reply *ret, bool *ret_ended, err **ret_own)
{
	TRY(send_request(s));
	for (;;) {
		auto_close int fd = -1;

		TRY(receive(s, ret, &fd, ret_ended));
		if (*ret_ended || ret->type != CRIU_NOTIFY)
			return NULL;
		/* Everything after the first failure is only the undoing. */
		err *e = *ret_own || !s->job->notify
				 ? NULL
				 : s->job->notify(s->job->data, ret->script, ret->pid, fd);
		if (e)
			*ret_own = e;
		TRY(answer(s, !e));
	}
}

err *criu_run(const struct criu_job *job)
{
	CLEANUP(swrk_done) struct swrk s = { .job = job, .sock = -1, .output = -1 };
	struct criu_reply reply = { 0 };
	bool ended = false;
	err *own = NULL;

	TRY(start(&s));
	err *e = NULL;
	ended = s.sock < 0;
	if (!ended)
		e = converse(&s, &reply, &ended, &own);
	if (e)
		kill(s.pid, SIGKILL);
	int status = wait_end(&s);
	if (own) {
		err_free(e);
		return own;
	}
	/* EPIPE: it died before it read; what it printed says more. */
	if (e && e->code != EPIPE)
		return err_wrap(e, "criu");
	err_free(e);
	if (ended || e || reply.type != (uint64_t)job->type || !reply.success)
		return why(&s, ended || e ? NULL : &reply, status);
	/* A pre-dump waits for further requests and is not content with an end: its answer counts. */
	if (job->type != CRIU_PRE_DUMP && status != 0)
		return why(&s, &reply, status);
	return NULL;
}
