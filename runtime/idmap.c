/* runtime/idmap.c: user and group id mappings of user namespaces. */
#include "runtime/idmap.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <sched.h>
#include <signal.h>
#include <spawn.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "runtime/kernel.h"

#define MAP_TEXT_MAX (64 * 1024)

bool capability_effective(int capability)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return false;
	return data[capability / 32].effective & (1u << (capability % 32));
}

static bool overlap(uint32_t a, uint32_t b, uint32_t a_size, uint32_t b_size)
{
	return (uint64_t)a < (uint64_t)b + b_size && (uint64_t)b < (uint64_t)a + a_size;
}

err *idmap_check(const char *what, const struct oci_id_mappings *maps)
{
	if (maps->count == 0)
		return err_new(EINVAL, "%s: empty, but a user namespace is asked for", what);
	for (size_t i = 0; i < maps->count; i++) {
		const struct oci_id_mapping *a = &maps->items[i];

		if (a->size == 0 || (uint64_t)a->container_id + a->size > UINT32_MAX ||
		    (uint64_t)a->host_id + a->size > UINT32_MAX)
			return err_new(EINVAL, "%s[%zu]: size %u does not fit", what, i, a->size);
		for (size_t k = 0; k < i; k++) {
			const struct oci_id_mapping *b = &maps->items[k];

			if (overlap(a->container_id, b->container_id, a->size, b->size) ||
			    overlap(a->host_id, b->host_id, a->size, b->size))
				return err_new(EINVAL, "%s[%zu]: overlaps entry %zu", what, i, k);
		}
	}
	return NULL;
}

bool idmap_to_container(const struct oci_id_mappings *maps, uint32_t host_id, uint32_t *ret)
{
	for (size_t i = 0; i < maps->count; i++) {
		const struct oci_id_mapping *m = &maps->items[i];

		if (host_id < m->host_id || host_id - m->host_id >= m->size)
			continue;
		*ret = m->container_id + (host_id - m->host_id);
		return true;
	}
	return false;
}

bool idmap_has_container_id(const struct oci_id_mappings *maps, uint32_t id)
{
	for (size_t i = 0; i < maps->count; i++)
		if (id >= maps->items[i].container_id &&
		    id - maps->items[i].container_id < maps->items[i].size)
			return true;
	return false;
}

void idmap_text(const struct oci_id_mappings *maps, struct str *out)
{
	for (size_t i = 0; i < maps->count; i++)
		str_addf(out, "%u %u %u\n", maps->items[i].container_id, maps->items[i].host_id,
			 maps->items[i].size);
}

static err *write_map(int pid_dir, const char *file, const struct oci_id_mappings *maps)
{
	auto_str struct str text = STR_INIT(MAP_TEXT_MAX);

	idmap_text(maps, &text);
	TRY(str_check(&text));
	return file_put(pid_dir, file, text.data);
}

/* newuidmap PID CONTAINER HOST SIZE ...: checks subuid(5) and writes the map with its own rights. */
static err *run_helper(const char *program, pid_t pid, const struct oci_id_mappings *maps)
{
	auto_strv struct strv args = STRV_INIT(4096);
	static char path[] = "PATH=/usr/bin:/bin:/usr/sbin:/sbin";
	static char *const env[] = { path, NULL };
	pid_t helper;
	int status;

	strv_add(&args, program);
	strv_addf(&args, "%d", pid);
	for (size_t i = 0; i < maps->count; i++) {
		strv_addf(&args, "%u", maps->items[i].container_id);
		strv_addf(&args, "%u", maps->items[i].host_id);
		strv_addf(&args, "%u", maps->items[i].size);
	}
	TRY(strv_check(&args));
	int code = posix_spawnp(&helper, program, NULL, NULL, args.items, env);
	if (code)
		return err_hint(err_code(code, "execute '%s'", program),
				"Install the package uidmap, or run as root.");
	while (waitpid(helper, &status, 0) < 0)
		if (errno != EINTR)
			return err_errno("wait for '%s'", program);
	if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		return err_hint(err_new(EPERM, "'%s' refused the mapping", program),
				"The ranges must be granted in /etc/subuid and /etc/subgid.");
	return NULL;
}

static bool single_own(const struct oci_id_mappings *maps, uint32_t own)
{
	return maps->count == 1 && maps->items[0].size == 1 && maps->items[0].host_id == own;
}

err *idmap_write(int proc_fd, pid_t pid, const struct oci_id_mappings *uids,
		 const struct oci_id_mappings *gids, bool *ret_no_groups)
{
	char name[16];
	auto_close int dir = -1;
	bool uid_direct = capability_effective(CAP_SETUID) || single_own(uids, geteuid());
	bool gid_privileged = capability_effective(CAP_SETGID);
	bool gid_direct = gid_privileged || single_own(gids, getegid());

	snprintf(name, sizeof name, "%d", pid);
	TRY(path_open(proc_fd, name, PATH_NO_LINKS, O_PATH | O_DIRECTORY, 0, &dir));
	/* user_namespaces(7): without CAP_SETGID a map needs setgroups(2) denied first. */
	if (gid_direct && !gid_privileged) {
		TRY(err_wrap(file_put(dir, "setgroups", "deny"), "deny setgroups"));
		*ret_no_groups = true;
	}
	if (gid_direct)
		TRY(err_wrap(write_map(dir, "gid_map", gids), "linux.gidMappings"));
	else
		TRY(err_wrap(run_helper("newgidmap", pid, gids), "linux.gidMappings"));
	if (uid_direct)
		return err_wrap(write_map(dir, "uid_map", uids), "linux.uidMappings");
	return err_wrap(run_helper("newuidmap", pid, uids), "linux.uidMappings");
}

static err *map_and_open(int proc_fd, pid_t pid, const struct oci_id_mappings *uids,
			 const struct oci_id_mappings *gids, int *ret_fd)
{
	char path[64];
	bool no_groups = false;

	TRY(idmap_write(proc_fd, pid, uids, gids, &no_groups));
	/* A magic link of proc(5): plain openat(2), below a descriptor that was verified. */
	snprintf(path, sizeof path, "%d/ns/user", pid);
	int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return err_errno("open user namespace");
	*ret_fd = fd;
	return NULL;
}

err *idmap_namespace(int proc_fd, const struct oci_id_mappings *uids,
		     const struct oci_id_mappings *gids, int *ret_fd)
{
	/* As vfork(2) would, but with a copy: the child only sleeps until it is killed. */
	struct clone_args args = { .flags = CLONE_NEWUSER, .exit_signal = SIGCHLD };
	pid_t parent = getpid(), pid = k_clone3(&args);

	if (pid < 0)
		return err_errno("new user namespace for id-mapped mount");
	if (pid == 0) {
		/* It shares the lock of the container's state: a runtime that is killed must take it along.
		 */
		(void)prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0);
		while (getppid() == parent)
			pause();
		_exit(1);
	}
	err *e = map_and_open(proc_fd, pid, uids, gids, ret_fd);
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
	return err_wrap(e, "id-mapped mount");
}
