/* runtime/cgroup-owner.c: whom a container's cgroup belongs to: a user, a container. */
#include "runtime/cgroup-owner.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "base/file.h"
#include "base/path.h"
#include "oci/config.h"
#include "runtime/cgroup-delegate.h"
#include "runtime/cgroup.h"

#define DELEGATE "/sys/kernel/cgroup/delegate" /* since Linux 4.15 */

static err *give_file(int fd, const char *name, uid_t uid, gid_t gid)
{
	if (fchownat(fd, name, uid, gid, AT_SYMLINK_NOFOLLOW) < 0 && errno != ENOENT)
		return err_errno("give '%s' to the container", name);
	return NULL;
}

err *cgroup_give(int fd, uid_t uid, gid_t gid)
{
	static const char fallback[] = "cgroup.procs\ncgroup.subtree_control\ncgroup.threads\n";
	auto_str struct str text = STR_INIT(64 * 1024);
	auto_err err *e = file_read(AT_FDCWD, DELEGATE, &text);

	if (e && e->code != ENOENT)
		return TAKE(e);
	TRY(give_file(fd, ".", uid, gid));
	for (const char *at = e ? fallback : text.data; *at;) {
		char name[256];
		size_t len = strcspn(at, "\n");

		snprintf(name, sizeof name, "%.*s", (int)MIN(len, sizeof name - 1), at);
		if (path_is_name(name))
			TRY(give_file(fd, name, uid, gid));
		at += len + (at[len] == '\n');
	}
	return NULL;
}

static bool is_writable_cgroup(const struct oci_mount *m)
{
	if (!str_equal(m->source, "cgroup") || !str_equal(m->destination, "/sys/fs/cgroup"))
		return false;
	for (size_t i = 0; i < m->options.count; i++)
		if (str_equal(m->options.items[i], "ro"))
			return false;
	return true;
}

bool cgroup_owner_wanted(const struct oci_config *config)
{
	const struct oci_namespace *ns = oci_namespace_find(config, CLONE_NEWCGROUP);

	if (!ns || ns->path || cgroup_delegate_name(config))
		return false;
	for (size_t i = 0; i < config->mounts.count; i++)
		if (is_writable_cgroup(&config->mounts.items[i]))
			return true;
	return false;
}

/* "0 100000 65536": where `id` lies outside; false: nowhere. */
static bool find_outside(const char *map, uint64_t id, uid_t *ret)
{
	unsigned inside, outside, size;
	int n;

	for (; sscanf(map, "%u %u %u%n", &inside, &outside, &size, &n) == 3; map += n) {
		if (id < inside || id - inside >= size)
			continue;
		*ret = (uid_t)(outside + (id - inside));
		return true;
	}
	return false;
}

err *cgroup_give_to_user(int cgroup_fd, const struct oci_config *config, int proc_fd, pid_t pid,
			 bool rootless)
{
	auto_str struct str map = STR_INIT(64 * 1024);
	char path[32];
	struct stat st;
	uid_t uid;

	if (cgroup_fd < 0 || !config->process || !cgroup_owner_wanted(config))
		return NULL;
	snprintf(path, sizeof path, "%d/uid_map", pid);
	TRY(file_read(proc_fd, path, &map));
	/* An id that is not mapped is an error of its own, later on. */
	if (!find_outside(map.data, config->process->user.uid, &uid))
		return NULL;
	if (fstat(cgroup_fd, &st) == 0 && st.st_uid == uid)
		return NULL;
	err *e = cgroup_give(cgroup_fd, uid, (gid_t)-1);
	if (!e || !rootless || e->code != EPERM)
		return e;
	err_free(e);
	return NULL;
}

/* trusted.*: only with CAP_SYS_ADMIN in the first user namespace; a container's root could hide from a kill
 * else. */
#define TAKEN_BY "trusted.stube.container"

void cgroup_take_over(const struct cgroup *cg, const char *id, const char *created)
{
	auto_str struct str name = STR_INIT(4096);

	if (cg->fd < 0 || cg->made > 0)
		return;
	str_addf(&name, "%s %s", id, created);
	(void)fsetxattr(cg->fd, TAKEN_BY, name.data, name.len, 0);
}

bool cgroup_is_taken_over(const struct cgroup *cg, const char *id, const char *created)
{
	auto_str struct str name = STR_INIT(4096);
	char by[4096];

	ssize_t n = cg->fd < 0 ? -1 : fgetxattr(cg->fd, TAKEN_BY, by, sizeof by);
	str_addf(&name, "%s %s", id, created);
	return n >= 0 && ((size_t)n != name.len || memcmp(by, name.data, name.len) != 0);
}
