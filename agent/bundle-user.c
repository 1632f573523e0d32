/* agent/bundle-user.c: users and groups by name, from the image's own files.
 * The image is a stranger's: its files are opened inside its root, regular, and of bounded size. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>

#include "agent/bundle.h"
#include "base/fd.h"
#include "base/path.h"

enum { FILE_MAX = 1 << 20, GROUPS_MAX = 1024, USER_MAX = 512 };

/* A file that is missing is empty. */
static err *read_file(int root_fd, const char *path, struct str *out)
{
	struct stat st;
	auto_close int fd = -1;

	if (root_fd < 0)
		return NULL;
	err *e = path_open(root_fd, path, PATH_IN_ROOT, O_RDONLY | O_NONBLOCK | O_NOCTTY, 0, &fd);
	if (e && (e->code == ENOENT || e->code == ENOTDIR)) {
		err_free(e);
		return NULL;
	}
	TRY(err_wrap(e, "the image's /%s", path));
	if (fstat(fd, &st) < 0)
		return err_errno("the image's /%s", path);
	if (!S_ISREG(st.st_mode))
		return err_new(EINVAL, "the image's /%s is not a regular file", path);
	return err_wrap(fd_read_all(fd, out), "the image's /%s", path);
}

/* Split one line "a:b:c" in place into up to `max` fields; the rest are "". */
static char *next_line(char **rest, const char **fields, size_t max)
{
	char *line = *rest;

	if (!line || !*line)
		return NULL;
	char *end = strchr(line, '\n');
	if (end)
		*end = '\0';
	*rest = end ? end + 1 : NULL;
	char *p = line;
	for (size_t i = 0; i < max; i++) {
		fields[i] = p ? p : "";
		p = p ? strchr(p, ':') : NULL;
		if (p)
			*p++ = '\0';
	}
	return line;
}

static bool to_id(const char *text, uint32_t *ret)
{
	uint64_t id;

	/* 2^32 - 1 means "no change" to the kernel. */
	if (!str_to_u64(text, &id) || id >= UINT32_MAX)
		return false;
	*ret = (uint32_t)id;
	return true;
}

/* NAME or UID in /etc/passwd. *ret_found says whether there is a line for it. */
static err *find_user(struct arena *arena, char *passwd, const char *text, bool by_id, struct bundle_user *u,
		      bool *ret_found)
{
	const char *f[6];
	uint32_t uid, gid;

	*ret_found = false;
	for (char *rest = passwd; next_line(&rest, f, 6);) {
		if (!to_id(f[2], &uid) || !to_id(f[3], &gid))
			continue;
		if (by_id ? uid != u->uid : strcmp(f[0], text) != 0)
			continue;
		*ret_found = true;
		u->uid = uid;
		u->gid = gid;
		TRY_ALLOC(arena, u->name, arena_strdup(arena, f[0]));
		if (f[5][0] == '/')
			TRY_ALLOC(arena, u->home, arena_strdup(arena, f[5]));
		return NULL;
	}
	return NULL;
}

static err *find_group(char *group, const char *text, uint32_t *ret)
{
	const char *f[3];

	for (char *rest = group; next_line(&rest, f, 3);)
		if (strcmp(f[0], text) == 0 && to_id(f[2], ret))
			return NULL;
	return err_new(ENOENT, "there is no group '%s' in the image's /etc/group", text);
}

static bool lists(const char *members, const char *name)
{
	size_t len = strlen(name);

	for (const char *p = members; *p; p += *p == ',') {
		size_t part = strcspn(p, ",");
		if (part == len && strncmp(p, name, len) == 0)
			return true;
		p += part;
	}
	return false;
}

/* The groups that list the user as a member. */
static err *find_groups(struct arena *arena, char *group, struct bundle_user *u)
{
	const char *f[4];
	uint32_t gid;

	if (!u->name)
		return NULL;
	TRY_ALLOC(arena, u->groups.items, arena_array(arena, GROUPS_MAX, sizeof(uint32_t)));
	for (char *rest = group; next_line(&rest, f, 4);)
		if (lists(f[3], u->name) && to_id(f[2], &gid) && u->groups.count < GROUPS_MAX)
			u->groups.items[u->groups.count++] = gid;
	return NULL;
}

err *bundle_user_find(struct arena *arena, int root_fd, const char *text, struct bundle_user *ret)
{
	auto_str struct str passwd = STR_INIT(FILE_MAX), group = STR_INIT(FILE_MAX), copy = STR_INIT(FILE_MAX);
	struct bundle_user u = { .home = "/" };
	const char *colon = strchr(text, ':');
	char *name;
	bool found;

	/* Said in errors, and an image may name anything. */
	if (strlen(text) > USER_MAX)
		return err_new(EINVAL, "user '%.40s...' has more than %d bytes", text, USER_MAX);
	TRY_ALLOC(arena, name, arena_strndup(arena, text, colon ? (size_t)(colon - text) : strlen(text)));
	if (!*name || (colon && !colon[1]))
		return err_new(EINVAL, "user '%s': a name or number is missing", text);
	TRY(read_file(root_fd, "etc/passwd", &passwd));
	TRY(read_file(root_fd, "etc/group", &group));
	str_add(&copy, group.data);
	TRY(str_check(&copy));
	bool number = to_id(name, &u.uid);
	TRY(find_user(arena, passwd.data, name, number, &u, &found));
	if (!found && !number)
		return err_new(ENOENT, "there is no user '%s' in the image's /etc/passwd", name);
	if (colon && !to_id(colon + 1, &u.gid))
		TRY(find_group(group.data, colon + 1, &u.gid));
	/* A group that was named stands alone, as with chroot(1) --userspec. */
	if (!colon)
		TRY(find_groups(arena, copy.data, &u));
	*ret = u;
	return NULL;
}
