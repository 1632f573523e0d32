/* agent/userns.c: the user namespace of an ordinary user's containers. */
#include "agent/userns.h"

#include <dirent.h>
#include <fcntl.h>
#include <linux/nsfs.h>
#include <pwd.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "agent/ids.h"
#include "base/fd.h"
#include "base/file.h"
#include "monitor/session.h"

enum { SUBID_MAX = 1 << 20 };

static bool same_file(int a, int b)
{
	struct stat x, y;

	return fstat(a, &x) == 0 && fstat(b, &y) == 0 && x.st_ino == y.st_ino && x.st_dev == y.st_dev;
}

/* ---- the namespace of what runs already ---- */

/* The user namespace just below ours on the way to that of `pid`: containers have one of their own in it. */
static int outer_userns(pid_t pid)
{
	char path[64];
	auto_close int own = open("/proc/self/ns/user", O_RDONLY | O_CLOEXEC), fd = -1;

	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	while (fd >= 0 && own >= 0 && !same_file(fd, own)) {
		int parent = ioctl(fd, NS_GET_PARENT);
		if (parent < 0)
			return -1;
		if (same_file(parent, own)) {
			fd_close(parent);
			return TAKE_FD(fd);
		}
		fd_clear(&fd);
		fd = parent;
	}
	return -1;
}

static int running_userns(int containers_fd, const char *name)
{
	auto_close int dir = openat(containers_fd, name, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), pidfd = -1;
	struct running running;

	if (dir < 0)
		return -1;
	err *e = running_read(dir, &running);
	if (!e)
		e = running_open(&running, &pidfd);
	bool runs = !e;
	err_free(e); /* nothing runs there */
	return runs ? outer_userns(running.pid) : -1;
}

static bool join_running(const char *run)
{
	int fd = open(run, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	bool joined = false;

	if (!dir) {
		fd_close(fd);
		return false;
	}
	for (struct dirent *d; !joined && (d = readdir(dir));) {
		auto_close int ns = d->d_name[0] == '.' ? -1 : running_userns(fd, d->d_name);
		joined = ns >= 0 && setns(ns, CLONE_NEWUSER) == 0;
	}
	closedir(dir);
	return joined;
}

/* ---- a new one ---- */

static bool own_range(const char *file, const char *user, uid_t uid, struct id_range *ret)
{
	auto_str struct str text = STR_INIT(SUBID_MAX);
	char number[16];
	err *e = file_read(AT_FDCWD, file, &text);
	bool read = !e;

	err_free(e);
	snprintf(number, sizeof(number), "%u", (unsigned)uid);
	return read && ((user && ids_parse_subid(text.data, user, ret)) || ids_parse_subid(text.data, number, ret));
}

/* In the helper: newuidmap PID 0 UID 1 1 FIRST SIZE, as the user, from outside the new namespace. */
static int run_map(const char *program, pid_t pid, unsigned own, struct id_range range)
{
	char words[6][16];
	int status;
	const unsigned numbers[] = { (unsigned)pid, own, range.first, range.size };

	for (size_t i = 0; i < ARRAY_LEN(numbers); i++)
		snprintf(words[i], sizeof(words[i]), "%u", numbers[i]);
	pid_t child = fork();
	if (child < 0)
		return 1;
	if (child == 0) {
		execlp(program, program, words[0], "0", words[1], "1", "1", words[2], words[3], (char *)NULL);
		_exit(127);
	}
	while (waitpid(child, &status, 0) < 0 && errno == EINTR)
		;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 1;
}

static NORETURN void map_from_outside(int ready, uid_t uid, gid_t gid, struct id_range uids, struct id_range gids)
{
	char byte;
	pid_t parent = getppid();

	if (read(ready, &byte, 1) != 1)
		_exit(1);
	int status = run_map("newuidmap", parent, uid, uids);
	_exit(status ? status : run_map("newgidmap", parent, gid, gids));
}

static err *map_self_alone(uid_t uid, gid_t gid)
{
	char text[32];
	auto_close int self = open("/proc/self", O_PATH | O_DIRECTORY | O_CLOEXEC);

	snprintf(text, sizeof(text), "0 %u 1", (unsigned)uid);
	TRY(file_put(self, "uid_map", text));
	TRY(file_put(self, "setgroups", "deny"));
	snprintf(text, sizeof(text), "0 %u 1", (unsigned)gid);
	return file_put(self, "gid_map", text);
}

static err *unshare_user(void)
{
	if (unshare(CLONE_NEWUSER) == 0)
		return NULL;
	return err_hint(err_errno("make a user namespace"),
			"The kernel may forbid it to users: see user.max_user_namespaces and "
			"kernel.unprivileged_userns_clone in sysctl(8).");
}

static err *make_mapped(uid_t uid, gid_t gid, struct id_range uids, struct id_range gids)
{
	int ends[2], status;

	if (pipe2(ends, O_CLOEXEC) < 0)
		return err_errno("make a pipe");
	auto_close int in = ends[0], out = ends[1];
	pid_t helper = fork();
	if (helper < 0)
		return err_errno("fork");
	if (helper == 0) {
		close(out);
		map_from_outside(in, uid, gid, uids, gids);
	}
	err *e = unshare_user();
	if (!e)
		e = fd_write_all(out, "x", 1);
	fd_clear(&out);
	while (waitpid(helper, &status, 0) < 0 && errno == EINTR)
		;
	TRY(e);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_hint(err_new(EPERM, "newuidmap did not map ids %u to %u for user %u", uids.first,
					uids.first + uids.size - 1, (unsigned)uid),
				"It needs the package uidmap, and the ranges in /etc/subuid and /etc/subgid.");
	return NULL;
}

err *userns_enter(const char *run)
{
	uid_t uid = geteuid();
	gid_t gid = getegid();
	struct id_range uids, gids;
	struct passwd *entry;

	if (uid == 0)
		return NULL;
	if (!join_running(run)) {
		/* cppcheck-suppress getpwuidCalled -- the contract: one thread */
		entry = getpwuid(uid);
		const char *name = entry ? entry->pw_name : NULL;
		if (own_range("/etc/subuid", name, uid, &uids) && own_range("/etc/subgid", name, uid, &gids)) {
			TRY(make_mapped(uid, gid, uids, gids));
		} else {
			TRY(unshare_user());
			TRY(map_self_alone(uid, gid));
		}
	}
	if (setresgid(0, 0, 0) < 0 || setresuid(0, 0, 0) < 0)
		return err_errno("become 0 in the user namespace");
	if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_SLAVE, NULL) < 0)
		return err_errno("make a mount namespace");
	return NULL;
}
