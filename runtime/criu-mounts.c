/* runtime/criu-mounts.c: which mounts of a container come from outside, told to CRIU by name.
 * Ref: criu.org/External_bind_mounts. */
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/path.h"
#include "runtime/checkpoint.h"

static bool has_option(const struct oci_mount *m, const char *name)
{
	for (size_t i = 0; i < m->options.count; i++)
		if (str_equal(m->options.items[i], name))
			return true;
	return false;
}

static bool is_bind(const struct oci_mount *m)
{
	return !m->type || str_equal(m->type, "bind") || has_option(m, "bind") || has_option(m, "rbind");
}

/* Without a cgroup namespace the container's own directory is bound, see plan-mounts.c; with one it is
 * CRIU's. */
static bool is_cgroup_bind(const struct oci_config *config, const struct oci_mount *m)
{
	return (str_equal(m->type, "cgroup") || str_equal(m->type, "cgroup2")) &&
	       !oci_namespace_find(config, CLONE_NEWCGROUP);
}

static bool is_id_mapped(const struct oci_mount *m)
{
	return m->uid_mappings.count > 0 || has_option(m, "idmap") || has_option(m, "ridmap");
}

err *criu_refuse(const struct oci_config *config)
{
	const struct oci_linux *l = &config->linux;

	for (size_t i = 0; i < config->mounts.count; i++)
		if (is_id_mapped(&config->mounts.items[i]))
			return err_new(ENOTSUP, "mounts[%zu]: CRIU cannot restore an id-mapped mount", i);
	for (size_t i = 0; i < l->namespaces.count; i++) {
		const struct oci_namespace *n = &l->namespaces.items[i];

		if (n->path && (n->type == CLONE_NEWNS || n->type == CLONE_NEWCGROUP))
			return err_new(ENOTSUP,
				       "linux.namespaces[%zu].path: CRIU cannot restore into a %s namespace",
				       i, enum_name(oci_namespace_names, n->type));
	}
	if (l->seccomp && l->seccomp->listener_path)
		return err_new(ENOTSUP, "linux.seccomp.listenerPath: CRIU cannot restore a listener");
	return NULL;
}

/* ---- dump ---- */

/* Where `path` leads inside: as the container's mountinfo has it. False when it is not there. */
static err *resolve(int root_fd, const char *path, char out[PATH_MAX], struct stat *st, bool *ret_found)
{
	auto_close int fd = -1;
	char link[PATH_FD_MAX];
	err *e = path_open(root_fd, path, PATH_IN_ROOT, O_PATH, 0, &fd);

	*ret_found = !e;
	if (e && (e->code == ENOENT || e->code == ENOTDIR)) {
		err_free(e);
		return NULL;
	}
	TRY(e);
	if (fstat(fd, st) < 0)
		return err_errno("check '%s'", path);
	ssize_t n = readlink(path_of_fd(fd, link), out, PATH_MAX - 1);
	if (n < 0)
		return err_errno("resolve '%s'", path);
	out[n] = '\0';
	return NULL;
}

static err *dump_mount(struct criu_work *w, const char *path, int root_fd)
{
	char name[PATH_MAX], resolved[PATH_MAX];
	struct stat st;
	bool found = false;

	if (!path_clean(path, name, sizeof name))
		return err_new(ENAMETOOLONG, "'%s'", path);
	TRY(resolve(root_fd, name, resolved, &st, &found));
	if (found)
		criu_add_mount(w, resolved, name);
	return NULL;
}

/* Masked directories are a file system of the container's own; files are covered by the host's null device.
 */
static err *dump_mask(struct criu_work *w, const char *path, int root_fd)
{
	char resolved[PATH_MAX];
	struct stat st;
	bool found = false;

	TRY(resolve(root_fd, path, resolved, &st, &found));
	if (found && S_ISCHR(st.st_mode) && st.st_rdev == makedev(1, 3))
		criu_add_mount(w, resolved, CHECKPOINT_NULL);
	return NULL;
}

/* Nodes of the host that a user namespace binds, for it cannot make its own. */
static const char *const bound_devices[] = {
	"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty",
};

err *criu_dump_mounts(struct criu_work *w, const struct oci_config *config, int root_fd)
{
	const struct oci_linux *l = &config->linux;

	for (size_t i = 0; i < config->mounts.count; i++) {
		const struct oci_mount *m = &config->mounts.items[i];

		if (is_bind(m) || is_cgroup_bind(config, m))
			TRY(err_wrap(dump_mount(w, m->destination, root_fd), "mounts[%zu]", i));
	}
	for (size_t i = 0; i < l->masked_paths.count; i++)
		TRY(err_wrap(dump_mask(w, l->masked_paths.items[i], root_fd), "linux.maskedPaths[%zu]", i));
	if (!oci_namespace_find(config, CLONE_NEWUSER))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(bound_devices); i++)
		TRY(dump_mount(w, bound_devices[i], root_fd));
	for (size_t i = 0; i < l->devices.count; i++)
		TRY(err_wrap(dump_mount(w, l->devices.items[i].path, root_fd), "linux.devices[%zu]", i));
	return NULL;
}

/* ---- restore ---- */

static err *restore_mount(struct criu_work *w, const char *destination, const char *bundle,
			  const char *source)
{
	char name[PATH_MAX], full[PATH_MAX];

	if (!source)
		return err_new(EINVAL, "source: required for a bind mount");
	int n = snprintf(full, sizeof full, "%s%s%s", *source == '/' ? "" : bundle, *source == '/' ? "" : "/",
			 source);
	if (n < 0 || (size_t)n >= sizeof full || !path_clean(destination, name, sizeof name))
		return err_new(ENAMETOOLONG, "'%s'", destination);
	if (access(full, F_OK) < 0)
		return err_errno("source: open '%s'", full);
	criu_add_mount(w, name, full);
	return NULL;
}

err *criu_restore_mounts(struct criu_work *w, const struct oci_config *config, const char *bundle,
			 const char *cgroup)
{
	const struct oci_linux *l = &config->linux;

	for (size_t i = 0; i < config->mounts.count; i++) {
		const struct oci_mount *m = &config->mounts.items[i];

		if (is_bind(m))
			TRY(err_wrap(restore_mount(w, m->destination, bundle, m->source), "mounts[%zu]", i));
		else if (is_cgroup_bind(config, m) && cgroup)
			TRY(err_wrap(restore_mount(w, m->destination, bundle, cgroup), "mounts[%zu]", i));
	}
	if (l->masked_paths.count > 0)
		criu_add_mount(w, CHECKPOINT_NULL, "/dev/null");
	if (!oci_namespace_find(config, CLONE_NEWUSER))
		return NULL;
	for (size_t i = 0; i < ARRAY_LEN(bound_devices); i++)
		criu_add_mount(w, bound_devices[i], bound_devices[i]);
	for (size_t i = 0; i < l->devices.count; i++)
		criu_add_mount(w, l->devices.items[i].path, l->devices.items[i].path);
	return NULL;
}

static bool is_below(const char *path, const char *above)
{
	size_t len = strlen(above);

	return strncmp(path, above, len) == 0 && path[len] == '/';
}

/* What lies below another mount comes with that one: from the images, or from the same source. */
static bool is_covered(const struct oci_config *config, size_t index, const char *path)
{
	for (size_t i = 0; i < index; i++) {
		char above[PATH_MAX];

		if (path_clean(config->mounts.items[i].destination, above, sizeof above) &&
		    is_below(path, above))
			return true;
	}
	return false;
}

static err *make_file(int root_fd, const char *path)
{
	auto_close int parent = -1;
	const char *name;

	TRY(path_make_parent(root_fd, path, 0755, &parent, &name));
	auto_close int fd = openat(parent, name, O_CREAT | O_EXCL | O_WRONLY | O_NOFOLLOW | O_CLOEXEC, 0644);
	return fd < 0 && errno != EEXIST ? err_errno("make file '%s'", path) : NULL;
}

static err *make_point(const struct oci_mount *m, const char *path, const char *bundle, int root_fd)
{
	char full[PATH_MAX];
	auto_close int fd = -1;
	struct stat st;

	if (is_bind(m) && m->source) {
		snprintf(full, sizeof full, "%s%s%s", *m->source == '/' ? "" : bundle,
			 *m->source == '/' ? "" : "/", m->source);
		if (stat(full, &st) < 0)
			return err_errno("source: open '%s'", full);
		if (!S_ISDIR(st.st_mode))
			return make_file(root_fd, path);
	}
	return path_make_dirs(root_fd, path, 0755, &fd);
}

err *criu_make_points(const struct oci_config *config, const char *bundle, int root_fd)
{
	for (size_t i = 0; i < config->mounts.count; i++) {
		char path[PATH_MAX];

		if (!path_clean(config->mounts.items[i].destination, path, sizeof path))
			return err_new(ENAMETOOLONG, "mounts[%zu].destination: too long", i);
		if (!is_covered(config, i, path))
			TRY(err_wrap(make_point(&config->mounts.items[i], path, bundle, root_fd),
				     "mounts[%zu]", i));
	}
	return NULL;
}
