/* runtime/cgroup.c: where a container's cgroup is; making and opening its directories. */
#include "runtime/cgroup-internal.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/fd.h"
#include "base/file.h"
#include "base/path.h"

static bool is_cgroup2(const char *path)
{
	struct statfs fs;

	return statfs(path, &fs) == 0 && fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* "\040" and its like, as mountinfo writes space, tab, newline and backslash. */
static void unescape(char *text)
{
	char *out = text;

	for (char *in = text; *in; in++) {
		if (in[0] == '\\' && in[1] >= '0' && in[1] <= '3' && in[2] >= '0' && in[2] <= '7' &&
		    in[3] >= '0' && in[3] <= '7') {
			*out++ = (char)((in[1] - '0') << 6 | (in[2] - '0') << 3 | (in[3] - '0'));
			in += 3;
		} else {
			*out++ = *in;
		}
	}
	*out = '\0';
}

err *cgroup_parse_mountinfo(struct arena *arena, const char *text, const char **ret_path, bool *ret_hybrid)
{
	const char *found = NULL;
	bool v1 = false;

	for (const char *line = text; *line;) {
		size_t len = strcspn(line, "\n");
		auto_free char *copy = strndup(line, len);
		if (!copy)
			return err_oom();
		line += len + (line[len] == '\n');
		/* id parent device root MOUNTPOINT options [optional...] - TYPE source options */
		char *type = strstr(copy, " - ");
		char *save = NULL;
		char *point = strtok_r(copy, " ", &save);
		for (int i = 0; i < 4 && point; i++)
			point = strtok_r(NULL, " ", &save);
		if (!type || !point || point > type)
			continue;
		if (str_starts_with(type + 3, "cgroup "))
			v1 = true;
		if (found || !str_starts_with(type + 3, "cgroup2 "))
			continue;
		TRY_ALLOC(arena, found, arena_strdup(arena, point));
		unescape((char *)found);
	}
	*ret_path = found;
	*ret_hybrid = found && v1;
	return NULL;
}

static err *find_in_mountinfo(struct arena *arena, struct cgroup_root *ret)
{
	auto_str struct str text = STR_INIT(16 << 20);

	TRY(file_read(AT_FDCWD, "/proc/self/mountinfo", &text));
	return cgroup_parse_mountinfo(arena, text.data, &ret->mount, &ret->hybrid);
}

static err *not_mounted(void)
{
	return err_hint(err_new(ENOENT, "no cgroup v2 hierarchy is mounted"),
			"mount -t cgroup2 cgroup2 /sys/fs/cgroup, or run with --cgroup-manager=disabled");
}

err *cgroup_root_open(struct arena *arena, struct cgroup_root *ret)
{
	static const char pure[] = "/sys/fs/cgroup", hybrid[] = "/sys/fs/cgroup/unified";
	struct cgroup_root root = { .fd = -1 };

	if (is_cgroup2(pure))
		root.mount = pure;
	else if (is_cgroup2(hybrid))
		root = (struct cgroup_root){ -1, hybrid, true };
	else
		TRY(find_in_mountinfo(arena, &root));
	if (!root.mount)
		return not_mounted();
	TRY(cgroup_open_dir(AT_FDCWD, root.mount, &root.fd));
	*ret = root;
	return NULL;
}

void cgroup_root_done(struct cgroup_root *root)
{
	fd_clear(&root->fd);
}

/* The visible hand-over of a whole struct: nothing is left that its end would close. */
static struct cgroup take(struct cgroup *cg)
{
	struct cgroup taken = *cg;

	*cg = (struct cgroup)CGROUP_INIT;
	return taken;
}

void cgroup_done(struct cgroup *cg)
{
	fd_clear(&cg->fd);
	fd_clear(&cg->root_fd);
}

static int open_dir(int dir_fd, const char *path)
{
	return openat(dir_fd, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
}

err *cgroup_open_dir(int dir_fd, const char *path, int *ret_fd)
{
	int fd = open_dir(dir_fd, path);

	if (fd < 0)
		return err_errno("open cgroup '%s'", path);
	*ret_fd = fd;
	return NULL;
}

err *cgroup_read_key(int fd, const char *file, const char *key, uint64_t *ret, bool *ret_found)
{
	char space[4096];
	auto_str struct str text = STR_ON(space, CGROUP_FILE_MAX);
	size_t key_len = strlen(key);
	err *e = file_read(fd, file, &text);

	*ret_found = false;
	if (e && e->code == ENOENT) {
		err_free(e);
		return NULL;
	}
	TRY(e);
	for (char *line = text.data; *line;) {
		char *end = line + strcspn(line, "\n");
		bool last = *end == '\0';
		*end = '\0';
		if (strncmp(line, key, key_len) == 0 && line[key_len] == ' ') {
			*ret_found = str_to_u64(line + key_len + 1, ret);
			return NULL;
		}
		line = last ? end : end + 1;
	}
	return NULL;
}

bool cgroup_has_word(const char *text, const char *word)
{
	size_t len = strlen(word);

	for (const char *at = strstr(text, word); at; at = strstr(at + 1, word)) {
		bool begins = at == text || at[-1] == ' ' || at[-1] == '\n';
		bool ends = at[len] == '\0' || at[len] == ' ' || at[len] == '\n';
		if (begins && ends)
			return true;
	}
	return false;
}

err *cgroup_parse_membership(const char *text, struct str *out)
{
	const char *line = str_starts_with(text, "0::") ? text : strstr(text, "\n0::");

	if (line)
		line = strchr(line, '/');
	if (!line || str_starts_with(line, "/.."))
		str_add(out, "/");
	else
		str_add_bytes(out, line, strcspn(line, "\n"));
	return str_check(out);
}

static err *own_cgroup(const struct cgroup_request *r, struct str *out)
{
	char space[4096];
	auto_str struct str text = STR_ON(space, 64 * 1024);

	if (r->own_cgroup)
		return cgroup_parse_membership(r->own_cgroup, out);
	TRY(file_read(AT_FDCWD, "/proc/self/cgroup", &text));
	return cgroup_parse_membership(text.data, out);
}

static bool has_dotdot(const char *path)
{
	for (const char *at = path; *at; at += strspn(at, "/")) {
		size_t len = strcspn(at, "/");
		if (len == 2 && at[0] == '.' && at[1] == '.')
			return true;
		at += len;
	}
	return false;
}

/* The path below the hierarchy's root; the rules are in the header. */
static err *decide_path(struct arena *arena, const struct cgroup_request *r, const char **ret)
{
	const char *asked = r->cgroups_path && r->cgroups_path[0] ? r->cgroups_path : r->id;
	char clean[PATH_MAX], space[512];
	auto_str struct str path = STR_ON(space, PATH_MAX);

	if (asked[0] != '/' && strchr(asked, ':'))
		return err_hint(err_new(EINVAL, "linux.cgroupsPath: '%s' is the form of the systemd cgroup "
					"manager, which is not in use", asked),
				"cgroupfs takes a path such as /machine/web");
	if (has_dotdot(asked))
		return err_new(EINVAL, "linux.cgroupsPath: '%s' contains '..'", asked);
	if (asked[0] != '/') {
		TRY(own_cgroup(r, &path));
		*strrchr(path.data, '/') = '\0';
		path.len = strlen(path.data);
		str_add_char(&path, '/');
	}
	str_add(&path, asked);
	TRY(err_wrap(str_check(&path), "linux.cgroupsPath"));
	if (!path_clean(path.data, clean, sizeof clean))
		return err_new(ENAMETOOLONG, "linux.cgroupsPath: '%s'", asked);
	if (str_equal(clean, "/"))
		return err_new(EINVAL, "linux.cgroupsPath: '%s' is the root cgroup", asked);
	TRY_ALLOC(arena, *ret, arena_strdup(arena, clean));
	return NULL;
}

static err *check_usable(int fd, const char *path, bool leaf)
{
	/* The root, or a plain directory of a test. */
	if (faccessat(fd, "cgroup.events", F_OK, 0) < 0 && errno == ENOENT)
		return NULL;
	uint64_t frozen, populated;
	bool found;

	TRY(cgroup_read_key(fd, "cgroup.events", "frozen", &frozen, &found));
	if (found && frozen)
		return err_new(EBUSY, "cgroup '%s' is frozen: the container could never start", path);
	if (!leaf)
		return NULL;
	TRY(cgroup_read_key(fd, "cgroup.events", "populated", &populated, &found));
	if (found && populated)
		return err_new(EBUSY, "cgroup '%s' is not empty", path);
	return NULL;
}

/* Open the existing directories of `path` as deep as they go. *ret_missing: components below. */
static err *open_existing(int root_fd, const char *path, int *ret_fd, unsigned *ret_missing)
{
	auto_close int fd = fd_dup(root_fd);
	char copy[PATH_MAX], *save = NULL;
	unsigned missing = 0;

	if (fd < 0)
		return err_errno("duplicate descriptor");
	snprintf(copy, sizeof copy, "%s", path); /* decide_path() saw to its length */
	for (char *name = strtok_r(copy, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		int next = missing ? -1 : open_dir(fd, name);

		if (next < 0 && !missing && errno != ENOENT)
			return err_errno("open cgroup '%s'", name);
		if (next < 0) {
			missing++;
			continue;
		}
		fd_clear(&fd);
		fd = next;
	}
	*ret_fd = TAKE_FD(fd);
	*ret_missing = missing;
	return NULL;
}

err *cgroup_plan(struct arena *arena, const struct cgroup_root *root, const struct cgroup_request *r,
		 struct cgroup *ret)
{
	auto_cgroup struct cgroup cg = CGROUP_INIT;
	auto_close int existing = -1;

	cg.path = "";
	TRY(decide_path(arena, r, &cg.path));
	TRY(open_existing(root->fd, cg.path, &existing, &cg.made));
	TRY(check_usable(existing, cg.path, cg.made == 0));
	cg.optional = r->rootless && !(r->cgroups_path && r->cgroups_path[0]);
	cg.mount = root->mount;
	cg.root_fd = fd_dup(root->fd);
	if (cg.root_fd < 0)
		return err_errno("duplicate descriptor");
	*ret = take(&cg);
	return NULL;
}

/* One directory of the path: opened, made when it is missing; one that was missing is made at once. */
static err *make_dir(int fd, const char *name, bool missing, int *ret_fd, bool *ret_made)
{
	*ret_made = false;
	if (!missing) {
		*ret_fd = open_dir(fd, name);
		if (*ret_fd >= 0)
			return NULL;
		if (errno != ENOENT)
			return err_errno("open cgroup '%s'", name);
	}
	if (mkdirat(fd, name, 0755) == 0)
		*ret_made = true;
	else if (errno != EEXIST)
		return err_errno("create cgroup '%s'", name);
	TRY(cgroup_open_dir(fd, name, ret_fd));
	/* Whatever the caller's umask is: a container that may not pass through cannot mount what is its own. */
	if (*ret_made && fchmod(*ret_fd, 0755) < 0) {
		err *e = err_errno("open cgroup '%s' to all", name);
		fd_clear(ret_fd);
		return e;
	}
	return NULL;
}

static unsigned count_names(const char *path)
{
	unsigned count = 0;

	for (; *path; path++)
		count += path[0] == '/' && path[1] && path[1] != '/';
	return count;
}

/* Make and open the directories from the root down. cg->made then counts those at the end of the path
 * that are ours, those included that a failure left unmade. */
static err *make_dirs(struct cgroup *cg)
{
	auto_close int fd = fd_dup(cg->root_fd);
	char copy[PATH_MAX], *save = NULL;
	unsigned present = count_names(cg->path) - cg->made, index = 0;
	err *e = NULL;

	if (fd < 0)
		return err_errno("duplicate descriptor");
	snprintf(copy, sizeof copy, "%s", cg->path);
	cg->made = 0;
	for (char *name = strtok_r(copy, "/", &save); name; name = strtok_r(NULL, "/", &save)) {
		int next = -1;
		bool made = true;
		if (!e)
			e = make_dir(fd, name, index++ >= present, &next, &made);
		cg->made = made || e ? cg->made + 1 : 0;
		if (e)
			continue;
		fd_clear(&fd);
		fd = next;
	}
	if (!e)
		cg->fd = TAKE_FD(fd);
	return err_wrap(e, "cgroup '%s'", cg->path);
}

/* A neighbour that ends may remove a parent that it made and that is empty for a moment. */
static err *make_dirs_again(struct cgroup *cg)
{
	err *e = NULL;

	for (int attempt = 0; attempt < 5; attempt++) {
		err_free(e);
		e = make_dirs(cg);
		if (!e || e->code != ENOENT)
			break;
	}
	return e;
}

static bool lacks_permission(const err *e)
{
	return e->code == EACCES || e->code == EPERM || e->code == EROFS;
}

static bool has_limit(const struct cgroup_limits *limits)
{
	for (size_t i = 0; i < limits->count; i++) {
		if (!limits->items[i].no_limit)
			return true;
	}
	return false;
}

err *cgroup_create(struct cgroup *cg, const struct oci_resources *resources)
{
	auto_arena struct arena *arena = NULL;
	struct cgroup_limits limits;

	TRY(arena_new(4 << 20, &arena));
	TRY(cgroup_limits(arena, resources, &limits));
	bool was_missing = cg->made > 0;
	err *e = make_dirs_again(cg);
	/* Somebody else made it since it was planned: then it is theirs, with whatever they put into it. */
	if (!e && was_missing && !cg->made) {
		fd_clear(&cg->fd);
		return err_new(EBUSY, "cgroup '%s' was made by somebody else at this moment", cg->path);
	}
	if (e && cg->optional && lacks_permission(e) && !has_limit(&limits)) {
		err_free(e);
		cg->made = 0;
		return NULL;
	}
	if (!e)
		e = cg->made ? NULL : check_usable(cg->fd, cg->path, true);
	if (!e)
		e = cgroup_write_limits(cg, &limits, cg->made > 0);
	if (!e)
		return NULL;
	IGNORE(cgroup_remove(cg));
	if (!lacks_permission(e))
		return e;
	return err_hint(e, "limits and linux.cgroupsPath need a cgroup that was delegated to this user");
}

err *cgroup_open(struct arena *arena, const struct cgroup_root *root, const char *path, unsigned made,
		 struct cgroup *ret)
{
	auto_cgroup struct cgroup cg = CGROUP_INIT;

	TRY_ALLOC(arena, cg.path, arena_strdup(arena, path));
	if (path[0] != '/' || !path[1] || has_dotdot(path))
		return err_new(EINVAL, "'%s' is no path of a cgroup", path);
	cg.made = made;
	cg.mount = root->mount;
	cg.root_fd = fd_dup(root->fd);
	if (cg.root_fd < 0)
		return err_errno("duplicate descriptor");
	err *e = path_open(root->fd, path + 1, PATH_NO_LINKS, O_RDONLY | O_DIRECTORY, 0, &cg.fd);
	if (e && e->code != ENOENT)
		return err_wrap(e, "open cgroup '%s'", path);
	err_free(e);
	*ret = take(&cg);
	return NULL;
}

err *cgroup_open_of_process(const struct cgroup *cg, int proc_fd, pid_t pid, int *ret_fd)
{
	auto_str struct str text = STR_INIT(64 * 1024);
	auto_str struct str path = STR_INIT(PATH_MAX);
	size_t len = strlen(cg->path);
	char name[32];

	snprintf(name, sizeof name, "%d/cgroup", pid);
	TRY(file_read(proc_fd, name, &text));
	TRY(cgroup_parse_membership(text.data, &path));
	if (strncmp(path.data, cg->path, len) != 0 || (path.data[len] && path.data[len] != '/'))
		return err_new(ESRCH, "process %d is in cgroup '%s', outside of '%s'", pid, path.data,
			       cg->path);
	return path_open(cg->root_fd, path.data + 1, PATH_NO_LINKS, O_RDONLY | O_DIRECTORY, 0, ret_fd);
}
