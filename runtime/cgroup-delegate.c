/* runtime/cgroup-delegate.c: the annotation run.oci.delegate-cgroup: a cgroup of the container's own to
 * manage. */
#include "runtime/cgroup-delegate.h"

#include <fcntl.h>
#include <sched.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"
#include "oci/config.h"
#include "runtime/annotations.h"
#include "runtime/cgroup-owner.h"
#include "runtime/idmap.h"

/* Who is root in the container, on the host; UINT32_MAX: nobody, the owner stays. */
static uint32_t root_of(const struct oci_id_mappings *map)
{
	for (size_t i = 0; i < map->count; i++)
		if (map->items[i].container_id == 0)
			return map->items[i].host_id;
	return UINT32_MAX;
}

static err *give(int fd, const struct oci_linux *l)
{
	uint32_t uid = root_of(&l->uid_mappings), gid = root_of(&l->gid_mappings);

	return uid != UINT32_MAX && gid != UINT32_MAX ? cgroup_give(fd, uid, gid) : NULL;
}

err *cgroup_delegate(int cgroup_fd, const struct oci_config *config, pid_t pid)
{
	const char *name = cgroup_delegate_name(config);
	char text[16];
	auto_close int fd = -1;

	if (!name || cgroup_fd < 0)
		return NULL;
	if (!path_is_name(name))
		return err_new(EINVAL,
			       "annotations." ANNOTATION_DELEGATE ": '%s' is not the name of a directory",
			       name);
	if (mkdirat(cgroup_fd, name, 0755) < 0 && errno != EEXIST)
		return err_errno("annotations." ANNOTATION_DELEGATE ": make '%s'", name);
	TRY(err_wrap(path_open(cgroup_fd, name, PATH_NO_LINKS, O_RDONLY | O_DIRECTORY, 0, &fd),
		     "annotations." ANNOTATION_DELEGATE));
	TRY(err_wrap(give(fd, &config->linux), "annotations." ANNOTATION_DELEGATE));
	snprintf(text, sizeof text, "%d", pid);
	return err_wrap(file_put(fd, "cgroup.procs", text), "annotations." ANNOTATION_DELEGATE ": enter '%s'",
			name);
}

const char *cgroup_delegate_name(const struct oci_config *config)
{
	const char *name = string_map_get(&config->annotations, ANNOTATION_DELEGATE);

	return name && *name ? name : NULL;
}
