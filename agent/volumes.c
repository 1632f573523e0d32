/* agent/volumes.c: folders of volumes: made once, with the right owner. */
#include "agent/volumes.h"

#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"

err *volumes_make(int pod_fd, const struct pod_spec *spec)
{
	auto_close int fd = -1;

	if (mkdirat(pod_fd, "volumes", 0711) < 0 && errno != EEXIST)
		return err_errno("make the folder of volumes");
	fd = openat(pod_fd, "volumes", O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	if (fd < 0)
		return err_errno("open the folder of volumes");
	for (size_t i = 0; i < spec->volumes.count; i++) {
		const struct pod_volume *v = &spec->volumes.items[i];
		if (!v->empty_dir || v->empty_dir->medium == POD_MEDIUM_MEMORY)
			continue;
		if (mkdirat(fd, v->name, 0777) < 0 && errno != EEXIST)
			return err_errno("make volume '%s'", v->name);
		if (fchmodat(fd, v->name, 01777, 0) < 0)
			return err_errno("make volume '%s'", v->name);
	}
	return NULL;
}

err *volumes_claim_path(const char *data, const char *namespace, const char *uid, struct str *out)
{
	if (!path_is_name(namespace) || !path_is_name(uid))
		return err_new(EINVAL, "claim '%s' in '%s' has no proper name", uid, namespace);
	str_addf(out, "%s/agent/volumes/%s/%s", data, namespace, uid);
	return str_check(out);
}

/* The folder above a claim, open, and the claim's name in it. */
static err *open_parent(const char *path, bool make, int *ret_fd, const char **ret_name)
{
	char parent[PATH_MAX];
	const char *slash = strrchr(path, '/');

	if (!slash || (size_t)(slash - path) >= sizeof(parent) || strlen(slash + 1) > 200)
		return err_new(EINVAL, "'%s' is no path of a claim", path);
	memcpy(parent, path, (size_t)(slash - path));
	parent[slash - path] = '\0';
	if (make)
		TRY(path_mkdir_all(parent, 0700));
	*ret_fd = open(parent, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (*ret_fd < 0)
		return err_errno("open '%s'", parent);
	*ret_name = slash + 1;
	return NULL;
}

err *volumes_claim_make(const char *path, uint32_t uid, uint32_t gid)
{
	auto_close int parent = -1;
	const char *name;
	char making[NAME_MAX + 1];
	struct stat st;

	TRY(open_parent(path, true, &parent, &name));
	if (fstatat(parent, name, &st, AT_SYMLINK_NOFOLLOW) == 0)
		return S_ISDIR(st.st_mode) ? NULL : err_new(ENOTDIR, "'%s' is no folder", path);
	/* Another thread may make the same claim for another Pod: one of the two wins the rename. */
	snprintf(making, sizeof(making), ".%s-%d", name, (int)gettid());
	TRY(path_remove_all(parent, making));
	if (mkdirat(parent, making, 0700) < 0 || fchownat(parent, making, uid, gid, 0) < 0 ||
	    fchmodat(parent, making, 02770, 0) < 0)
		return err_errno("make '%s'", path);
	if (renameat2(parent, making, parent, name, RENAME_NOREPLACE) < 0) {
		err *e = errno == EEXIST ? NULL : err_errno("make '%s'", path);
		IGNORE(path_remove_all(parent, making));
		return e;
	}
	return fsync(parent) < 0 ? err_errno("write '%s' to the disk", path) : NULL;
}

err *volumes_claim_remove(const char *path)
{
	auto_close int parent = -1;
	const char *name;
	err *e = open_parent(path, false, &parent, &name);

	if (e && e->code == ENOENT) {
		err_free(e);
		return NULL;
	}
	TRY(e);
	return path_remove_all(parent, name);
}
