/* agent/cgroup.c: the cgroup v2 hierarchy, whole or beside version 1. */
#include "agent/cgroup.h"

#include <fcntl.h>
#include <linux/magic.h>
#include <string.h>
#include <sys/vfs.h>

#include "base/fd.h"
#include "base/file.h"

err *cgroup_find(struct str *controllers, const char **ret_where, bool *ret_hybrid)
{
	static const char *const places[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };

	*ret_where = NULL;
	for (size_t i = 0; i < ARRAY_LEN(places); i++) {
		auto_close int fd = open(places[i], O_PATH | O_DIRECTORY | O_CLOEXEC);
		struct statfs fs;

		if (fd < 0 || fstatfs(fd, &fs) < 0 || fs.f_type != CGROUP2_SUPER_MAGIC)
			continue;
		TRY(file_read(fd, "cgroup.controllers", controllers));
		controllers->data[strcspn(controllers->data, "\n")] = '\0';
		*ret_where = places[i];
		*ret_hybrid = i > 0;
		return NULL;
	}
	return NULL;
}

bool cgroup_has(const char *controller)
{
	auto_str struct str controllers = STR_INIT(4096);
	const char *where;
	bool hybrid;
	auto_err err *e = cgroup_find(&controllers, &where, &hybrid);
	size_t len = strlen(controller);

	if (e || !where)
		return false;
	for (const char *at = controllers.data; (at = strstr(at, controller)); at += len)
		if ((at == controllers.data || at[-1] == ' ') && (at[len] == ' ' || at[len] == '\0'))
			return true;
	return false;
}
