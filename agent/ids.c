/* agent/ids.c: ranges of ids and the records of who has them. */
#include "agent/ids.h"

#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/file.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"

enum { SUBID_MAX = 1 << 20, RANGES_MAX = (IDS_LAST - IDS_FIRST + 1) / IDS_SIZE };

bool ids_parse_subid(const char *text, const char *user, struct id_range *ret)
{
	size_t len = strlen(user);

	for (const char *line = text; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		unsigned long long first, size;
		if (strncmp(line, user, len) != 0 || line[len] != ':')
			continue;
		if (sscanf(line + len, ":%llu:%llu", &first, &size) == 2 && size >= IDS_SIZE && first > 0 &&
		    first + size <= UINT32_MAX) {
			*ret = (struct id_range){ (uint32_t)first, (uint32_t)size };
			return true;
		}
	}
	return false;
}

static bool read_subid(const char *path, const char *user, struct id_range *ret)
{
	auto_str struct str text = STR_INIT(SUBID_MAX);
	err *e = file_read(AT_FDCWD, path, &text);
	bool found = !e && ids_parse_subid(text.data, user, ret);

	err_free(e);
	return found;
}

/* What containers may have in all. Users and groups use the same numbers, so both files must agree. */
static struct id_range pool(void)
{
	static const char *const users[] = { "stube", "containers" };
	struct id_range uids, gids;

	for (size_t i = 0; i < ARRAY_LEN(users); i++)
		if (read_subid("/etc/subuid", users[i], &uids) && read_subid("/etc/subgid", users[i], &gids) &&
		    uids.first == gids.first && uids.size == gids.size)
			return uids;
	return (struct id_range){ IDS_FIRST, IDS_LAST - IDS_FIRST + 1 };
}

static err *open_records(int dir_fd, int *ret_dir, int *ret_lock)
{
	auto_close int dir = -1;

	if (mkdirat(dir_fd, "ids", 0700) < 0 && errno != EEXIST)
		return err_errno("make the folder of id ranges");
	dir = openat(dir_fd, "ids", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (dir < 0)
		return err_errno("open the folder of id ranges");
	auto_close int lock = openat(dir, "lock", O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0600);
	int locked;
	do
		locked = lock < 0 ? -1 : flock(lock, LOCK_EX);
	while (locked < 0 && errno == EINTR);
	if (locked < 0)
		return err_errno("lock the id ranges");
	*ret_dir = TAKE_FD(dir);
	*ret_lock = TAKE_FD(lock);
	return NULL;
}

/* Under the lock, a hidden file is the half-made record of a process that was killed. */
static void sweep(int dir)
{
	int fd = openat(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *list = fd < 0 ? NULL : fdopendir(fd);

	if (!list) {
		fd_close(fd);
		return;
	}
	for (struct dirent *entry; (entry = readdir(list));)
		if (entry->d_name[0] == '.') /* "." and ".." are no files */
			unlinkat(fd, entry->d_name, 0);
	closedir(list);
}

err *ids_take(int dir_fd, const char *name, bool (*in_use)(const char *name, void *arg), void *arg,
	      struct id_range *ret)
{
	auto_close int dir = -1, lock = -1;
	struct id_range all = pool();
	uint32_t count = MIN(all.size / IDS_SIZE, (uint32_t)RANGES_MAX), free_one = count;
	char file[16];

	TRY(open_records(dir_fd, &dir, &lock));
	sweep(dir);
	for (uint32_t i = 0; i < count; i++) {
		auto_str struct str owner = STR_INIT(4096);
		snprintf(file, sizeof(file), "%u", all.first + i * IDS_SIZE);
		err *e = file_read(dir, file, &owner);
		bool missing = e && e->code == ENOENT;
		if (e && !missing)
			return err_wrap(e, "record of id range %s", file);
		err_free(e);
		if (!missing && str_equal(owner.data, name)) {
			*ret = (struct id_range){ all.first + i * IDS_SIZE, IDS_SIZE };
			return NULL;
		}
		if (free_one == count && (missing || !in_use(owner.data, arg)))
			free_one = i;
		/* Records are dense from below: behind the first gap nothing of ours can be missed for long,
		 * but an own record may lie there. */
		if (missing && i > free_one + 64)
			break;
	}
	if (free_one == count)
		return err_new(ENOSPC, "all %u ranges of %u ids are taken", count, IDS_SIZE);
	*ret = (struct id_range){ all.first + free_one * IDS_SIZE, IDS_SIZE };
	snprintf(file, sizeof(file), "%u", ret->first);
	return file_replace(dir, file, name, strlen(name), 0600);
}

err *ids_give(int dir_fd, const char *name, struct id_range range)
{
	auto_close int dir = -1, lock = -1;
	auto_str struct str owner = STR_INIT(4096);
	char file[16];

	TRY(open_records(dir_fd, &dir, &lock));
	snprintf(file, sizeof(file), "%u", range.first);
	err *e = file_read(dir, file, &owner);
	/* A remove that was killed is done again, when the range may be somebody else's already. */
	bool own = !e && str_equal(owner.data, name);
	bool missing = e && e->code == ENOENT;
	if (e && !missing)
		return err_wrap(e, "record of id range %s", file);
	err_free(e);
	if (own && unlinkat(dir, file, 0) < 0 && errno != ENOENT)
		return err_errno("give back id range %s", file);
	return NULL;
}

static err *mapped_from_zero(const char *path, uint32_t *ret)
{
	auto_str struct str text = STR_INIT(64 * 1024);
	uint64_t end = 0;

	TRY(file_read(AT_FDCWD, path, &text));
	for (const char *line = text.data; *line; line += strcspn(line, "\n"), line += *line == '\n') {
		unsigned long long inside, outside, size;
		if (sscanf(line, "%llu %llu %llu", &inside, &outside, &size) == 3 && inside == end)
			end += size;
	}
	*ret = (uint32_t)MIN(end, (uint64_t)UINT32_MAX);
	return NULL;
}

err *ids_own(uint32_t *ret)
{
	uint32_t uids, gids;

	TRY(mapped_from_zero("/proc/self/uid_map", &uids));
	TRY(mapped_from_zero("/proc/self/gid_map", &gids));
	*ret = MIN(MIN(uids, gids), IDS_SIZE);
	return *ret > 0 ? NULL : err_new(EINVAL, "this user namespace has no id 0");
}

/* ---- a namespace of a range ---- */

static err *write_maps(pid_t pid, struct id_range range)
{
	static const char *const maps[] = { "uid_map", "gid_map" };
	char path[64], text[64];
	auto_close int proc = -1;

	snprintf(path, sizeof(path), "/proc/%d", (int)pid);
	proc = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (proc < 0)
		return err_errno("open '%s'", path);
	snprintf(text, sizeof(text), "0 %u %u", range.first, range.size);
	for (size_t i = 0; i < ARRAY_LEN(maps); i++)
		TRY(file_put(proc, maps[i], text));
	return NULL;
}

/* In the child, by system calls alone. It goes with us: our sockets and locks would stay with it for ever. */
static NORETURN void hold_userns(pid_t parent)
{
	syscall(SYS_prctl, PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
	while (syscall(SYS_getppid) == parent)
		syscall(SYS_pause);
	_exit(1);
}

err *ids_userns(struct id_range range, int *ret_fd)
{
	char path[64];
	/* A raw clone: the child only waits to be killed. It has no copies of our descriptors: a lock that
	 * another thread gives up meanwhile must not stay held by it. */
	pid_t own = getpid();
	pid_t pid = (pid_t)syscall(SYS_clone, CLONE_NEWUSER | CLONE_FILES | SIGCHLD, NULL, NULL, NULL, NULL);

	if (pid < 0)
		return err_errno("make a user namespace");
	if (pid == 0)
		hold_userns(own);
	err *e = write_maps(pid, range);
	snprintf(path, sizeof(path), "/proc/%d/ns/user", (int)pid);
	auto_close int fd = e ? -1 : open(path, O_RDONLY | O_CLOEXEC);
	if (!e && fd < 0)
		e = err_errno("open '%s'", path);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	TRY(err_wrap(e, "user namespace of ids %u to %u", range.first, range.first + range.size - 1));
	*ret_fd = TAKE_FD(fd);
	return NULL;
}
