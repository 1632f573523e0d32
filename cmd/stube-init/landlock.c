/* cmd/stube-init/landlock.c: the ruleset of org.stube.landlock, made with rights and put on last. */
#include <fcntl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "cmd/stube-init/init.h"

/* linux/landlock.h of Debian 12 ends before ports and scopes. */
struct ruleset_attr {
	uint64_t fs, net, scoped;
};
struct path_attr {
	uint64_t access;
	int32_t parent;
} __attribute__((packed));
struct port_attr {
	uint64_t access, port;
};
enum { RULE_PATH_BENEATH = 1, RULE_NET_PORT = 2 };

/* What a rule about a file, not a directory, may say: execute, write_file, read_file, truncate, ioctl_dev. */
#define FILE_RIGHTS (1ull << 0 | 1ull << 1 | 1ull << 2 | 1ull << 14 | 1ull << 15)

static err *allow_path(const struct init *init, int ruleset, const struct plan_landlock_path *row)
{
	const char *path = plan_string(init->plan, row->path);
	auto_close int fd = -1;
	struct stat st;
	err *e = path_open(init->root, path, PATH_IN_ROOT, O_PATH, 0, &fd);

	if (e && row->optional && (e->code == ENOENT || e->code == ENOTDIR)) {
		err_free(e);
		return NULL;
	}
	TRY(e);
	if (fstat(fd, &st) < 0)
		return err_errno("check '%s'", path);
	struct path_attr attr = { row->access & (S_ISDIR(st.st_mode) ? ~0ull : FILE_RIGHTS), fd };
	if (attr.access && syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &attr, 0) < 0)
		return err_errno("allow '%s'", path);
	return NULL;
}

static err *allow_port(int ruleset, const struct plan_landlock_port *row)
{
	struct port_attr attr = { row->access, row->port };

	if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &attr, 0) < 0)
		return err_errno("allow port %u", (unsigned)row->port);
	return NULL;
}

static err *make_ruleset(const struct init *init, int *ret_fd)
{
	const struct plan *p = init->plan;
	const struct plan_landlock_path *paths = plan_items(p, p->landlock.paths);
	const struct plan_landlock_port *ports = plan_items(p, p->landlock.ports);
	struct ruleset_attr attr = { p->landlock.fs, p->landlock.net, p->landlock.scoped };
	auto_close int fd = (int)syscall(SYS_landlock_create_ruleset, &attr, sizeof attr, 0);

	if (fd < 0)
		return err_errno("make ruleset");
	for (uint32_t i = 0; i < p->landlock.paths.count; i++)
		TRY(err_wrap(allow_path(init, fd, &paths[i]), "%s", plan_string(p, paths[i].label)));
	for (uint32_t i = 0; i < p->landlock.ports.count; i++)
		TRY(allow_port(fd, &ports[i]));
	*ret_fd = TAKE_FD(fd);
	return NULL;
}

/* Now, since the user whom the process becomes may not be allowed to look up a path that a rule names. */
err *init_landlock_rules(void *data)
{
	struct init *init = data;

	return err_wrap(make_ruleset(init, &init->landlock), "annotations.org.stube.landlock");
}

err *init_landlock(void *data)
{
	struct init *init = data;

	if (syscall(SYS_landlock_restrict_self, init->landlock, 0) < 0)
		return err_errno("annotations.org.stube.landlock: restrict");
	fd_clear(&init->landlock);
	return init->plan->flags & PLAN_SECCOMP ? NULL : drop_kept_capability(init);
}
