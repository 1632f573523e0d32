/* cmd/stube-init/process.c: what the program will be: user, capabilities, limits, directory, labels. */
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/magic.h>
#include <sys/personality.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/defence.h"
#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "cmd/stube-init/init.h"
#include "runtime/steps.h"

#define IOPRIO_WHO_PROCESS 1

/* Through the runtime's own /proc: whatever is mounted in the container, the write reaches the kernel. */
static err *write_label(const struct init *init, const char *file, const char *text)
{
	auto_close int fd = openat(init_proc(init), file, O_WRONLY | O_CLOEXEC);

	if (fd < 0 || write(fd, text, strlen(text)) < 0)
		return err_errno("set '%s'", text);
	return NULL;
}

err *init_labels(void *data)
{
	const struct init *init = data;
	const char *apparmor = plan_string(init->plan, init->plan->process.apparmor);
	const char *selinux = plan_string(init->plan, init->plan->process.selinux);

	if (apparmor) {
		auto_str struct str text = STR_INIT(4096);

		str_addf(&text, "exec %s", apparmor);
		TRY(str_check(&text));
		err *e = write_label(init, "self/attr/apparmor/exec", text.data);
		if (e && e->code == ENOENT) {
			err_free(e);
			e = write_label(init, "self/attr/exec", text.data);
		}
		TRY(err_wrap(e, "process.apparmorProfile"));
	}
	if (selinux)
		TRY(err_wrap(write_label(init, "self/attr/exec", selinux), "process.selinuxLabel"));
	return NULL;
}

err *init_scheduling(void *data)
{
	const struct init *init = data;
	const struct plan *p = init->plan;
	const struct plan_process *q = &p->process;

	if (q->affinity.count &&
	    syscall(SYS_sched_setaffinity, 0, q->affinity.count * sizeof(uint64_t),
		    plan_items(p, q->affinity)) < 0)
		return err_errno("process.execCPUAffinity");
	if (q->scheduler.count && syscall(SYS_sched_setattr, 0, plan_items(p, q->scheduler), 0) < 0)
		return err_errno("process.scheduler");
	if (q->io_priority != UINT32_MAX &&
	    syscall(SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, q->io_priority) < 0)
		return err_errno("process.ioPriority");
	if (q->personality != UINT32_MAX && personality(q->personality) < 0)
		return err_errno("linux.personality");
	if (q->memory_mode != UINT32_MAX &&
	    syscall(SYS_set_mempolicy, q->memory_mode, plan_items(p, q->memory_nodes),
		    q->memory_nodes.count * 64 + 1) < 0) /* the kernel looks at one bit less */
		return err_errno("linux.memoryPolicy");
	return NULL;
}

/* ---- user and capabilities ---- */

static err *set_capabilities(uint64_t effective, uint64_t permitted, uint64_t inheritable)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	for (int i = 0; i < 2; i++) {
		data[i].effective = (uint32_t)(effective >> (32 * i));
		data[i].permitted = (uint32_t)(permitted >> (32 * i));
		data[i].inheritable = (uint32_t)(inheritable >> (32 * i));
	}
	return syscall(SYS_capset, &head, data) < 0 ? err_errno("set capabilities") : NULL;
}

static err *get_permitted(uint64_t *ret)
{
	struct __user_cap_header_struct head = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &head, data) < 0)
		return err_errno("read capabilities");
	*ret = data[0].permitted | (uint64_t)data[1].permitted << 32;
	return NULL;
}

static err *drop_bounding(uint64_t keep)
{
	for (unsigned c = 0; c < 64; c++) {
		if (keep >> c & 1)
			continue;
		if (prctl(PR_CAPBSET_DROP, c, 0, 0, 0) == 0)
			continue;
		/* The kernel's last capability lies before this one. */
		if (errno == EINVAL)
			return NULL;
		return err_errno("drop capability %u from the bounding set", c);
	}
	return NULL;
}

/* The program may open its own pipes again (/dev/stdout). Only pipes: what else stands on stdio may be a
 * file or a node of the host (CVE-2026-88265). */
static void own_pipes(uid_t uid)
{
	struct stat st;

	for (int fd = 0; fd < 3; fd++)
		if (fstat(fd, &st) == 0 && (S_ISFIFO(st.st_mode) || !DEFENCE("pipes-only")) &&
		    st.st_uid != uid)
			(void)!fchown(fd, uid, (gid_t)-1);
}

/* A namespace made by an ordinary user denies setgroups(2) for good (user_namespaces(7)). */
static bool groups_denied(const struct init *init)
{
	char answer[8] = "";
	auto_close int fd = openat(init_fd(init, init->plan->fd_proc), "self/setgroups",
				   O_RDONLY | O_CLOEXEC);

	return fd >= 0 && read(fd, answer, sizeof answer - 1) > 0 && str_starts_with(answer, "deny");
}

static err *set_groups(const struct init *init)
{
	const struct plan_process *q = &init->plan->process;

	/* By system call: one thread, so a libc's care for the others is only work. */
	if (q->keep_groups ||
	    syscall(SYS_setgroups, q->groups.count, plan_items(init->plan, q->groups)) == 0)
		return NULL;
	int code = errno;
	if (code == EPERM && q->groups.count == 0 && groups_denied(init))
		return NULL;
	return err_code(code, "process.user.additionalGids");
}

static err *set_user(const struct init *init)
{
	const struct plan_process *q = &init->plan->process;

	TRY(set_groups(init));
	if (q->uid != 0 && prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0) < 0)
		return err_errno("keep capabilities");
	if (syscall(SYS_setresgid, q->gid, q->gid, q->gid) < 0)
		return err_errno("process.user.gid: %u", q->gid);
	if (syscall(SYS_setresuid, q->uid, q->uid, q->uid) < 0)
		return err_errno("process.user.uid: %u", q->uid);
	return NULL;
}

static err *set_limits(const struct plan *p)
{
	const struct plan_rlimit *limits = plan_items(p, p->process.rlimits);

	for (uint32_t i = 0; i < p->process.rlimits.count; i++) {
		struct rlimit value = { limits[i].soft, limits[i].hard };

		if (setrlimit((int)limits[i].type, &value) < 0)
			return err_errno("process.rlimits[%u]", limits[i].index);
	}
	return NULL;
}

static err *raise_ambient(uint64_t ambient)
{
	if (prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0) < 0)
		return err_errno("clear ambient capabilities");
	for (unsigned c = 0; c < 64; c++)
		if ((ambient >> c & 1) && prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, c, 0, 0) < 0)
			return err_errno("process.capabilities.ambient: capability %u", c);
	return NULL;
}

err *init_user(void *data)
{
	struct init *init = data;
	const struct plan *p = init->plan;
	const struct plan_process *q = &p->process;
	uint64_t have = 0, until_filter = 0;

	/* With the rights of now, as runc does; what only the user may enter is tried again below. */
	IGNORE(cwd_enter(init));
	own_pipes(q->uid);
	TRY(get_permitted(&have));
	TRY(drop_bounding(q->bounding));
	if (q->umask != UINT32_MAX)
		umask(q->umask);
	else
		umask(0022);
	TRY(set_user(init));
	TRY(set_limits(p));
	/* What the runtime itself does not have cannot be given (it has warned). Without no_new_privs
	 * loading the filter needs CAP_SYS_ADMIN: kept until then, and no longer. */
	init->final_permitted = q->permitted & have;
	init->final_effective = q->effective & have;
	if ((p->flags & (PLAN_SECCOMP | PLAN_LANDLOCK)) && !(p->flags & PLAN_NO_NEW_PRIVS))
		until_filter = have & (1ull << CAP_SYS_ADMIN);
	TRY(set_capabilities(init->final_effective | until_filter, init->final_permitted | until_filter,
			     (DEFENCE("inheritable-empty") ? q->inheritable : q->permitted) & have));
	TRY(raise_ambient(q->ambient & q->inheritable & q->permitted & have));
	if ((p->flags & PLAN_NO_NEW_PRIVS) && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
		return err_errno("process.noNewPrivileges");
	return NULL;
}

/* ---- working directory ---- */

err *cwd_enter(struct init *init)
{
	const char *cwd = plan_string(init->plan, init->plan->process.cwd);
	char real[4096];
	auto_close int fd = -1;

	if (!DEFENCE("cwd-in-root") && chdir(cwd) == 0) {
		init->in_cwd = true;
		return NULL;
	}
	/* CVE-2024-21626: resolved inside the root, without magic links of /proc. */
	TRY(path_open(init->root, cwd, PATH_IN_ROOT, O_PATH | O_DIRECTORY, 0, &fd));
	if (fchdir(fd) < 0)
		return err_errno("enter '%s'", cwd);
	if (syscall(SYS_getcwd, real, sizeof real) < 0 || real[0] != '/') {
		(void)!chdir("/");
		return err_new(EPERM, "'%s' is outside of the root", cwd);
	}
	init->in_cwd = true;
	return NULL;
}

err *init_cwd(void *data)
{
	struct init *init = data;

	return init->in_cwd ? NULL : err_wrap(cwd_enter(init), "process.cwd");
}

err *drop_kept_capability(const struct init *init)
{
	const struct plan *p = init->plan;

	if (p->flags & PLAN_NO_NEW_PRIVS)
		return NULL;
	return set_capabilities(init->final_effective, init->final_permitted,
				p->process.inheritable & init->final_permitted);
}

err *init_seccomp(void *data)
{
	struct init *init = data;
	const struct plan *p = init->plan;
	struct {
		unsigned short len;
		const void *filter;
	} program = { (unsigned short)p->seccomp.count, plan_items(p, p->seccomp) };

	TRY(release_fds(init));
	long listener = syscall(SYS_seccomp, 1 /* SECCOMP_SET_MODE_FILTER */, p->seccomp_flags, &program);

	if (listener < 0)
		return err_errno("load filter");
	if (p->flags & PLAN_SECCOMP_NOTIFY) {
		TRY(walk_send_listener(init->sock, (int)listener));
		fd_close((int)listener);
	}
	return drop_kept_capability(init);
}
