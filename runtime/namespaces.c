/* runtime/namespaces.c: which namespaces are new, which are joined, and the child's first steps. */
#include "runtime/namespaces.h"

#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "runtime/idmap.h"
#include "runtime/kernel.h"
#include "runtime/plan.h"

#ifndef NSFS_MAGIC
#define NSFS_MAGIC 0x6e736673
#endif
#ifndef CLONE_NEWTIME
#define CLONE_NEWTIME 0x00000080
#endif

/* Its file has the same number on every machine (the kernel's PROC_USER_INIT_INO). */
bool namespaces_user_is_initial(void)
{
	char link[64] = "";

	return readlink("/proc/self/ns/user", link, sizeof link - 1) > 0 &&
	       str_equal(link, "user:[4026531837]");
}

void namespaces_done(struct namespaces *ns)
{
	for (unsigned i = 0; i < ns->join_count; i++)
		fd_clear(&ns->joins[i].fd);
	ns->join_count = 0;
}

static const char *type_name(int type)
{
	const char *name = enum_name(oci_namespace_names, type);

	return name ? name : "unknown";
}

/* Only a file of nsfs can be a namespace; its type is asked of the kernel, never read from its name. */
static err *open_namespace(const struct oci_namespace *n, int *ret_fd)
{
	auto_close int fd = open(n->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct statfs fs;

	if (fd < 0)
		return err_errno("open '%s'", n->path);
	if (fstatfs(fd, &fs) < 0)
		return err_errno("check '%s'", n->path);
	if (fs.f_type != NSFS_MAGIC)
		return err_new(EINVAL, "'%s' is no namespace", n->path);
	int type = ioctl(fd, NS_GET_NSTYPE);
	if (type < 0)
		return err_errno("type of '%s'", n->path);
	if (type != n->type)
		return err_new(EINVAL, "'%s' is a namespace of type %s, not %s", n->path, type_name(type),
			       type_name(n->type));
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

static err *collect(const struct oci_config *config, struct namespaces *ns, int *ret_new)
{
	for (size_t i = 0; i < config->linux.namespaces.count; i++) {
		const struct oci_namespace *n = &config->linux.namespaces.items[i];

		ns->all |= n->type;
		if (!n->path) {
			*ret_new |= n->type;
			continue;
		}
		if (ns->join_count == NAMESPACES_MAX)
			return err_new(EINVAL, "linux.namespaces: too many");
		struct namespace_join *j = &ns->joins[ns->join_count];
		TRY(err_wrap(open_namespace(n, &j->fd), "linux.namespaces[%zu].path", i));
		j->type = n->type;
		snprintf(j->path, sizeof j->path, "%s", type_name(n->type));
		ns->join_count++;
	}
	return NULL;
}

static bool joins_type(const struct namespaces *ns, int type)
{
	for (unsigned i = 0; i < ns->join_count; i++)
		if (ns->joins[i].type == type)
			return true;
	return false;
}

static err *check_user(const struct oci_config *config, struct namespaces *ns, int fresh)
{
	const struct oci_linux *l = &config->linux;

	if (fresh & CLONE_NEWUSER) {
		TRY(idmap_check("linux.uidMappings", &l->uid_mappings));
		TRY(idmap_check("linux.gidMappings", &l->gid_mappings));
		ns->uid = idmap_has_container_id(&l->uid_mappings, 0) ?
				  0 :
				  l->uid_mappings.items[0].container_id;
		ns->gid = idmap_has_container_id(&l->gid_mappings, 0) ?
				  0 :
				  l->gid_mappings.items[0].container_id;
	} else if (!(ns->all & CLONE_NEWUSER) &&
		   (l->uid_mappings.count > 0 || l->gid_mappings.count > 0)) {
		return err_new(EINVAL, "linux.uidMappings: given without a user namespace");
	}
	return NULL;
}

err *namespaces_plan(const struct oci_config *config, struct namespaces *ns)
{
	int fresh = 0;

	TRY(collect(config, ns, &fresh));
	TRY(check_user(config, ns, fresh));
	if (!(ns->all & CLONE_NEWNS))
		return err_new(EINVAL, "linux.namespaces: a mount namespace is needed");
	/* Those with a moment of their own: the cgroup namespace once inside the cgroup, the time
	 * namespace with its offsets before anybody is inside. */
	int rest = fresh & ~(CLONE_NEWUSER | CLONE_NEWCGROUP | CLONE_NEWTIME);
	bool late_user = (fresh & CLONE_NEWUSER) && ns->join_count > 0;
	bool late = late_user || joins_type(ns, CLONE_NEWUSER);

	ns->offsets = config->linux.time_offsets;
	ns->clone_flags = late ? 0 : (uint64_t)(rest | (fresh & CLONE_NEWUSER));
	ns->unshare_flags = late ? rest : 0;
	ns->plan_flags = (fresh & CLONE_NEWUSER ? PLAN_NEW_USER : 0) |
			 (late_user ? PLAN_LATE_USER : 0) |
			 (ns->all & CLONE_NEWUSER ? PLAN_USER : 0) |
			 (ns->join_count ? PLAN_JOIN : 0) | (late && rest ? PLAN_UNSHARE : 0) |
			 (fresh & CLONE_NEWTIME ? PLAN_NEW_TIME : 0) |
			 (fresh & CLONE_NEWCGROUP ? PLAN_NEW_CGROUP : 0) |
			 (fresh & CLONE_NEWNET ? PLAN_NEW_NET : 0);
	if (joins_type(ns, CLONE_NEWPID) || (late && (rest & CLONE_NEWPID)))
		ns->plan_flags |= PLAN_FORK;
	return NULL;
}

/* ---- the child's rows ---- */

/* One pass: with the rights of now. What is refused stays for the pass after the user namespace. */
static err *join_others(struct namespaces *ns, bool last)
{
	for (unsigned i = 0; i < ns->join_count; i++) {
		struct namespace_join *j = &ns->joins[i];

		if (j->fd < 0 || j->type == CLONE_NEWUSER)
			continue;
		if (setns(j->fd, j->type) < 0) {
			if (errno == EPERM && !last)
				continue;
			return err_errno("%s namespace", j->path);
		}
		fd_clear(&j->fd);
	}
	return NULL;
}

static err *join_user(struct namespaces *ns)
{
	for (unsigned i = 0; i < ns->join_count; i++) {
		struct namespace_join *j = &ns->joins[i];

		if (j->type != CLONE_NEWUSER)
			continue;
		/* EINVAL: the runtime is in it already, as a rootless engine's child is. */
		if (setns(j->fd, CLONE_NEWUSER) < 0 && errno != EINVAL)
			return err_errno("user namespace");
		fd_clear(&j->fd);
	}
	return NULL;
}

/* Through one pidfd all at once; the kernel joins the user namespace first. */
static err *join_process(const struct namespaces *ns)
{
	/* Processes of the container must not trace us while we still hold what is the host's. */
	if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
		return err_errno("refuse tracing");
	if (setns(ns->pidfd, ns->join_flags) == 0)
		return NULL;
	/* EINVAL: the same user namespace cannot be entered again. */
	if (errno == EINVAL && (ns->join_flags & CLONE_NEWUSER) &&
	    setns(ns->pidfd, ns->join_flags & ~CLONE_NEWUSER) == 0)
		return NULL;
	return err_errno("enter the container");
}

err *namespaces_join(struct namespaces *ns)
{
	if (ns->join_flags)
		return join_process(ns);
	TRY(join_others(ns, !joins_type(ns, CLONE_NEWUSER)));
	TRY(join_user(ns));
	return join_others(ns, true);
}

err *namespaces_unshare_user(void)
{
	return unshare(CLONE_NEWUSER) < 0 ? err_errno("unshare") : NULL;
}

/* Without a root to become, the capabilities of the namespace's creator must survive the exec of
 * stube-init as ambient ones. */
static err *keep_capabilities(void)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = { 0 };

	if (syscall(SYS_capget, &head, data) < 0)
		return err_errno("read capabilities");
	for (int i = 0; i < 2; i++)
		data[i].inheritable = data[i].effective = data[i].permitted;
	if (syscall(SYS_capset, &head, data) < 0)
		return err_errno("keep capabilities");
	for (unsigned c = 0; c < 64; c++)
		if (data[c / 32].permitted & (1u << (c % 32)))
			(void)prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0);
	return NULL;
}

err *namespaces_become_root(const struct namespaces *ns)
{
	/* Files that are made need a mapped owner, so without 0 it is another id of the map. */
	if (prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_errno("keep capabilities");
	if (setresgid(ns->gid, ns->gid, ns->gid) < 0 && errno != EINVAL)
		return err_errno("group %u", ns->gid);
	if (setresuid(ns->uid, ns->uid, ns->uid) < 0 && errno != EINVAL)
		return err_errno("user %u", ns->uid);
	return geteuid() == 0 ? NULL : keep_capabilities();
}

err *namespaces_unshare(const struct namespaces *ns)
{
	return unshare(ns->unshare_flags) < 0 ? err_errno("unshare") : NULL;
}

err *namespaces_new_cgroup(void)
{
	return unshare(CLONE_NEWCGROUP) < 0 ? err_errno("unshare") : NULL;
}

static void add_offset(struct str *out, const char *clock, const struct oci_time_offset *o)
{
	if (o)
		str_addf(out, "%s %lld %u\n", clock, (long long)o->secs, o->nanosecs);
}

err *namespaces_time_offsets(const struct namespaces *ns, int proc_fd)
{
	auto_str struct str text = STR_INIT(256);
	auto_close int fd = -1;

	if (unshare(CLONE_NEWTIME) < 0)
		return err_errno("unshare");
	if (ns->offsets) {
		add_offset(&text, "monotonic", ns->offsets->monotonic);
		add_offset(&text, "boottime", ns->offsets->boottime);
	}
	TRY(str_check(&text));
	if (text.len > 0) {
		fd = openat(proc_fd, "self/timens_offsets", O_WRONLY | O_CLOEXEC);
		if (fd < 0 || write(fd, text.data, text.len) < 0)
			return err_errno("linux.timeOffsets");
		fd_clear(&fd);
	}
	fd = openat(proc_fd, "self/ns/time_for_children", O_RDONLY | O_CLOEXEC);
	if (fd < 0 || setns(fd, CLONE_NEWTIME) < 0)
		return err_errno("enter");
	return NULL;
}

err *namespaces_fork(void)
{
	struct clone_args args = { .flags = CLONE_PARENT };
	pid_t pid = k_clone3(&args);

	if (pid < 0)
		return err_errno("fork");
	if (pid > 0)
		_exit(0);
	return NULL;
}
