/* cmd/stube-init/exec.c: finding and executing the user's program. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "cmd/stube-init/init.h"
#include "runtime/kernel.h"

#define DEFAULT_PATH "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

static const char *get_env(const struct init *init, const char *name)
{
	size_t len = strlen(name);

	for (char **e = init->env; *e; e++)
		if (strncmp(*e, name, len) == 0 && (*e)[len] == '=')
			return *e + len + 1;
	return NULL;
}

/* 0, or why it cannot be executed. */
static int check_program(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		return errno;
	if (S_ISDIR(st.st_mode))
		return EISDIR;
	if (!S_ISREG(st.st_mode))
		return EACCES;
	return syscall(SYS_faccessat2, AT_FDCWD, path, X_OK, AT_EACCESS) < 0 ? errno : 0;
}

/* The words are those that callers of runc and crun look for. */
static err *refuse(int code, const char *name, const char *why)
{
	static const struct {
		int code;
		const char *words;
	} known[] = {
		{ ENOENT, "no such file or directory" },
		{ EACCES, "permission denied" },
		{ EISDIR, "is a directory: permission denied" },
		{ ENOEXEC, "exec format error" },
	};

	for (size_t i = 0; i < ARRAY_LEN(known); i++)
		if (known[i].code == code)
			return err_new(code, "exec: \"%s\": %s%s", name, known[i].words, why);
	return err_code(code, "exec: \"%s\"", name);
}

static err *search(struct init *init, const char *name)
{
	const char *dirs = get_env(init, "PATH");
	int code = ENOENT;

	for (const char *p = dirs ? dirs : DEFAULT_PATH;; p++) {
		size_t len = strcspn(p, ":");
		char path[4096];
		int n = snprintf(path, sizeof path, "%.*s%s%s", (int)len, p, len ? "/" : "./", name);

		if (n > 0 && (size_t)n < sizeof path) {
			int why = check_program(path);
			if (!why) {
				init->program = strdup(path);
				return init->program ? NULL : err_oom();
			}
			if (why == EACCES)
				code = EACCES;
		}
		p += len;
		if (!*p)
			break;
	}
	if (code == EACCES)
		return refuse(EACCES, name, "");
	return err_new(ENOENT, "exec: \"%s\": executable file not found in $PATH", name);
}

/* The startContainer hooks are still to come; init_hooks_start() closes their files. */
static bool is_needed_to_start(const struct plan *p, size_t fd)
{
	bool hooks = p->flags & PLAN_HOOKS_START;

	return fd == p->fd_lock || fd == p->fd_listen ||
	       (hooks && (fd == p->fd_hooks_out || fd == p->fd_hooks_errors));
}

/* From here on nothing of the host is open: not while a container waits, and not below /proc/self/fd, where
 * the program's own path may lead (CVE-2024-21626: close-on-exec comes after the kernel has opened it). */
static void drop_fds(struct init *init)
{
	for (size_t i = 0; i < init->fd_count; i++)
		if (!is_needed_to_start(init->plan, i))
			fd_clear(&init->fds[i]);
	fd_clear(&init->root);
	fd_clear(&init->proc);
	fd_clear(&init->sys);
}

/* LISTEN_PID names who the descriptors of socket activation are for: the program, whatever its number here
 * is. */
static err *name_listener(struct init *init)
{
	for (char **e = init->env; !init->joined && *e; e++) {
		char text[32];

		if (strncmp(*e, "LISTEN_PID=", 11) != 0)
			continue;
		snprintf(text, sizeof text, "LISTEN_PID=%d", getpid());
		*e = strdup(text);
		return *e ? NULL : err_oom();
	}
	return NULL;
}

err *init_find_program(void *data)
{
	struct init *init = data;
	const char *name = init->argv[0];

	drop_fds(init);
	TRY(home_add(init));
	TRY(name_listener(init));
	if (!*name)
		return err_new(ENOENT, "exec: \"\": executable file not found in $PATH");
	if (!strchr(name, '/'))
		return search(init, name);
	int why = check_program(name);
	if (why)
		return refuse(why, name, "");
	init->program = (char *)name;
	return NULL;
}

err *release_fds(const struct init *init)
{
	const struct plan *p = init->plan;

	/* 0, 1, 2 and what the caller wanted to pass; the lock and the socket end with the exec. */
	if (k_close_range(3, ~0u, CLOSE_RANGE_CLOEXEC) < 0)
		return err_errno("close descriptors");
	for (uint32_t i = 0; i < p->process.preserve_fds; i++)
		if (fcntl((int)(3 + i), F_SETFD, 0) < 0)
			return err_errno("pass on descriptor %u", 3 + i);
	return NULL;
}

err *init_exec(void *data)
{
	struct init *init = data;

	/* Else done before the filter, which need not allow it. */
	if (!(init->plan->flags & PLAN_SECCOMP))
		TRY(release_fds(init));
	execve(init->program, init->argv, init->env);
	auto_str struct str why = STR_INIT(8192);
	int code = errno;
	why_not_executed(init->program, code, &why);
	return refuse(code, init->program, why.len ? why.data : "");
}
